//! The real program: started, asked, killed.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::mpsc,
    time::Duration,
};

use http_body_util::{BodyExt as _, Full};
use hyper::{Method, Request, body::Bytes};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_innkeeper-control-plane");
pub(crate) const PASSWORD: &str = "violet-anchor-tundra-58";
pub(crate) const PORTAL_KEY: &str = "the portal's key, long enough for it";

/// The program that is tried: another version's where one is named, to make its golden data.
pub(crate) fn program() -> PathBuf {
    std::env::var_os("INNKEEPER_PROGRAM").map_or_else(|| PROGRAM.into(), PathBuf::from)
}

/// The running program.
pub(crate) struct Service {
    process: Child,
    /// Where its REST API listens.
    pub(crate) api: SocketAddr,
    /// Where hosts dial.
    pub(crate) agents: SocketAddr,
    /// What it says after it has come up.
    lines: mpsc::Receiver<String>,
}

impl Service {
    pub(crate) fn start(config: &Path) -> Self {
        Self::start_by(Command::new(program()), config)
    }

    /// By a command that needs the service's own arguments.
    pub(crate) fn start_by(mut command: Command, config: &Path) -> Self {
        let mut process = command
            .args(["serve", "--config"])
            .arg(config)
            .stderr(Stdio::piped())
            .spawn()
            .expect("the service starts");
        let mut lines = BufReader::new(process.stderr.take().expect("piped")).lines();
        let (mut api, mut agents) = (None, None);
        for line in lines.by_ref() {
            let line = line.expect("text");
            if let Some((_, address)) = line.split_once("the REST API listens address=") {
                api = Some(address.trim().parse().expect("an address"));
            }
            if let Some((_, address)) = line.split_once("the agent API listens address=") {
                agents = Some(address.trim().parse().expect("an address"));
            }
            if line.contains("the control plane is up") {
                break;
            }
        }
        // Somebody must go on reading, or the service would wait for room in the pipe.
        let (said, heard) = mpsc::channel();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                said.send(line).ok();
            }
        });
        Self {
            process,
            api: api.expect("it said where it listens"),
            agents: agents.expect("it said where it listens"),
            lines: heard,
        }
    }

    /// Its process.
    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    /// The first line from now on that has this text.
    pub(crate) fn wait_for(&self, text: &str) -> String {
        let limit = Duration::from_secs(60);
        loop {
            let line = self.lines.recv_timeout(limit);
            let line = line.unwrap_or_else(|error| panic!("{text}: {error}"));
            if line.contains(text) {
                return line;
            }
        }
    }

    /// The code with which it ends by itself.
    pub(crate) fn ends(mut self) -> Option<i32> {
        self.process.wait().expect("it ends").code()
    }

    pub(crate) fn kill(mut self) {
        self.process.kill().expect("killed");
        self.process.wait().expect("gone");
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

/// One request, with a body or to look at something; `None` when no answer came, whatever became of it.
pub(crate) async fn ask(
    api: SocketAddr,
    path: &str,
    headers: &[(&str, &str)],
    body: Option<&Value>,
) -> Option<(u16, Value)> {
    let method = body.map_or(Method::GET, |_| Method::POST);
    ask_to(api, method, path, headers, body).await
}

/// The same with any method.
pub(crate) async fn ask_to(
    api: SocketAddr,
    method: Method,
    path: &str,
    headers: &[(&str, &str)],
    body: Option<&Value>,
) -> Option<(u16, Value)> {
    let stream = TcpStream::connect(api).await.ok()?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .ok()?;
    tokio::spawn(connection);
    let mut request = Request::builder()
        .method(method)
        .uri(format!("/api/v1{path}"))
        .header("host", "innkeeper")
        .header("content-type", "application/json")
        .header("x-innkeeper-portal-key", PORTAL_KEY);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let body = body.map_or(Bytes::new(), |body| Bytes::from(body.to_string()));
    let request = request.body(Full::new(body)).expect("a request");
    let response = sender.send_request(request).await.ok()?;
    let status = response.status().as_u16();
    let bytes = response.into_body().collect().await.ok()?.to_bytes();
    Some((
        status,
        serde_json::from_slice(&bytes).unwrap_or(Value::Null),
    ))
}

/// The example configuration, as far as a test can have it: everything in `folder`, ports of the system's choice.
pub(crate) fn write_config(folder: &Path) -> PathBuf {
    let example = include_str!("../../../packaging/control-plane.toml");
    let path = |name: &str| folder.join(name).display().to_string();
    let text = example
        .replace(
            "/var/lib/innkeeper-images/debian-12.qcow2",
            &path("disk.raw"),
        )
        .replace("format = \"qcow2\"", "format = \"raw\"")
        .replace("/var/lib/innkeeper", &path("data"))
        .replace("id = \"example\"", "id = \"acme\"")
        .replace("/run/innkeeper/admin.sock", &path("admin.sock"))
        .replace("/etc/innkeeper/portal.key", &path("portal.key"))
        .replace("/etc/innkeeper/terms.txt", &path("terms.txt"))
        .replace("/usr/share/fonts/opentype/noto", "/nowhere")
        // Nobody listens there: no mail server of this machine gets our load's mail.
        .replace("port = 25", "port = 1")
        .replace("127.0.0.1:8081", "127.0.0.1:0")
        .replace("0.0.0.0:8443", "127.0.0.1:0")
        .replace("127.0.0.1:9176", "127.0.0.1:0");
    fs::write(folder.join("disk.raw"), vec![0u8; 4_096]).expect("written");
    fs::write(folder.join("portal.key"), PORTAL_KEY).expect("written");
    fs::write(folder.join("terms.txt"), "Be kind.").expect("written");
    let config = folder.join("control-plane.toml");
    fs::write(&config, text).expect("written");
    config
}

/// Runs the program to its end, or until it says that it is up; gives what it said.
pub(crate) fn run(config: &Path, arguments: &[&str]) -> (bool, String) {
    let (code, said) = run_to_code(config, arguments);
    (code == Some(0), said)
}

/// The same with the exit code; `None` when it came up, and was killed.
pub(crate) fn run_to_code(config: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let mut process = Command::new(program())
        .args(arguments)
        .arg("--config")
        .arg(config)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut said = String::new();
    for line in BufReader::new(process.stderr.take().expect("piped")).lines() {
        said += &line.expect("text");
        if said.contains("the control plane is up") {
            process.kill().expect("killed");
        }
    }
    let output = process.wait_with_output().expect("it ended");
    said += &String::from_utf8_lossy(&output.stdout);
    (output.status.code(), said)
}
