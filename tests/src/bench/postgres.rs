//! PostgreSQL as the store's peer: its own server in a folder, as it comes but for the socket, and its own
//! `pgbench` that puts records of the same size as durably.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::{Context, ensure};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tokio::time::Instant;

/// Where Debian puts the programs of each version.
const VERSIONS: &str = "/usr/lib/postgresql";
/// How long the server may take to start, and to end.
const PATIENCE: Duration = Duration::from_secs(30);
const TABLE: &str =
    "CREATE TABLE records (key text PRIMARY KEY, version bigint NOT NULL, value text NOT NULL)";

/// A running server. Ends when dropped.
pub struct Postgres {
    programs: PathBuf,
    folder: PathBuf,
    server: Child,
}

impl Postgres {
    /// Starts a server in the new folder `folder`; `None` when PostgreSQL is not installed.
    ///
    /// # Errors
    /// When it does not start.
    pub fn start(folder: PathBuf) -> anyhow::Result<Option<Self>> {
        let Some(programs) = programs() else {
            return Ok(None);
        };
        fs::create_dir(&folder).with_context(|| format!("create {}", folder.display()))?;
        let data = folder.join("data");
        let mut initdb = unprivileged(&programs.join("initdb"));
        initdb.args(["--auth=trust", "--username=bench", "--encoding=UTF8"]);
        initdb.args(["--locale=C", "--no-sync", "--pgdata"]);
        output(initdb.arg(&data))?;
        let log = File::create(folder.join("log")).context("create PostgreSQL's log")?;
        let server = unprivileged(&programs.join("postgres"))
            .arg("-D")
            .arg(&data)
            .arg("-k")
            .arg(&folder)
            .args(["-c", "listen_addresses="])
            .stdin(Stdio::null())
            .stdout(log.try_clone().context("share PostgreSQL's log")?)
            .stderr(log)
            .spawn()
            .context("start PostgreSQL")?;
        let mut postgres = Self {
            programs,
            folder,
            server,
        };
        postgres.wait_until_it_answers()?;
        Ok(Some(postgres))
    }

    fn wait_until_it_answers(&mut self) -> anyhow::Result<()> {
        let began = Instant::now();
        while let Err(error) = output(self.client("psql").args(["-qc", TABLE, "postgres"])) {
            let ended = self.server.try_wait().context("look after PostgreSQL")?;
            if ended.is_some() || began.elapsed() > PATIENCE {
                return Err(error.context("PostgreSQL does not answer"));
            }
            std::thread::park_timeout(Duration::from_millis(50));
        }
        Ok(())
    }

    /// Records a second that `clients` of them put durably: each puts one of its own `keys` in turn, of
    /// `bytes` bytes, and waits for the answer. Takes a second, the shortest that `pgbench` measures.
    ///
    /// # Errors
    /// When `pgbench` fails.
    pub fn rate(&self, clients: u64, keys: u64, bytes: usize) -> anyhow::Result<f64> {
        let script = self.folder.join("put.sql");
        let text = format!(
            "\\set number random(1, {keys})\n\
             INSERT INTO records VALUES ('bench/' || :client_id || '/' || :number, 1, repeat('x', {bytes})) \
             ON CONFLICT (key) DO UPDATE SET version = records.version + 1, value = excluded.value;\n"
        );
        fs::write(&script, text).context("write pgbench's script")?;
        let mut pgbench = self.client("pgbench");
        pgbench.args(["--no-vacuum", "--protocol=prepared", "--time=1", "--jobs=2"]);
        pgbench.arg(format!("--client={clients}")).arg("--file");
        let printed = output(pgbench.arg(&script).arg("postgres"))?;
        let rate = printed
            .lines()
            .find_map(|line| line.strip_prefix("tps = ")?.split(' ').next())
            .with_context(|| format!("pgbench printed no rate:\n{printed}"))?;
        rate.parse()
            .with_context(|| format!("read the rate {rate}"))
    }

    fn client(&self, program: &str) -> Command {
        let mut command = unprivileged(&self.programs.join(program));
        command
            .args(["--username=bench", "--host"])
            .arg(&self.folder);
        command
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // SIGINT is its fast shutdown. A server that is gone already, or does not end, is no reason to lose the
        // figures: the enclosure ends what is left.
        if let Ok(id) = i32::try_from(self.server.id()) {
            kill(Pid::from_raw(id), Signal::SIGINT).ok();
        }
        self.server.wait().ok();
    }
}

/// Those of the newest version that is installed.
fn programs() -> Option<PathBuf> {
    let version = |path: &PathBuf| path.file_name()?.to_str()?.parse::<u32>().ok();
    fs::read_dir(VERSIONS)
        .ok()?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.join("bin/pgbench").exists())
        .max_by_key(version)
        .map(|path| path.join("bin"))
}

/// PostgreSQL refuses to run as root, which the laboratory is: it gets another name for the same user.
fn unprivileged(program: &Path) -> Command {
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-user=1000", "--map-group=1000"]);
    command.arg(program);
    command
}

fn output(command: &mut Command) -> anyhow::Result<String> {
    let program = format!("{command:?}");
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("run {program}"))?;
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{program}: {errors}");
    String::from_utf8(output.stdout).with_context(|| format!("read what {program} printed"))
}
