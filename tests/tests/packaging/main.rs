//! The packages as an operator meets them: installed into a minimal Debian with systemd, configured, started,
//! upgraded and purged. `./dev test package` makes packages and machine and names them in two variables.

mod machine;
mod manual;
mod restore;

use std::{
    collections::BTreeSet,
    fs,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context, ensure};
use innkeeper_tests::{
    demo,
    lab::{
        client::Client,
        forward::{forward, reserve},
        mail::{MailSink, PYTHON},
        product::{SITE, TINY},
        ssh::Key,
        wait::until,
    },
};
use innkeeper_wire::{
    api::{Server, ServerState},
    id::ServerId,
};

use machine::Machine;

/// Packages, and so units, in the order of their installation.
const PACKAGES: [&str; 3] = [
    "innkeeper-agent",
    "innkeeper-control-plane",
    "innkeeper-portal",
];
const AGENT: &str = PACKAGES[0];
const CONTROL_PLANE: &str = PACKAGES[1];
const PORTAL: &str = PACKAGES[2];
/// The staff's portal comes with the customers'.
const STAFF_PORTAL: &str = "innkeeper-staff-portal";
/// Comes with the agent, and shuts guests down with the machine.
const GUESTS: &str = "innkeeper-guests";

/// Until a host is heard of, or a page answers.
const ANSWER_LIMIT: Duration = Duration::from_secs(30);
/// Until a guest runs, under TCG on a slow machine.
const GUEST_LIMIT: Duration = Duration::from_secs(120);
const MAIL_PORT: u16 = 25;
/// As in packaging/control-plane.toml and packaging/portal.toml.
const API_PORT: u16 = 8081;
const PORTAL_PORT: u16 = 8080;
const PORTAL_URL: &str = "https://portal.cloud.example";
/// As in packaging/staff-portal.toml.
const STAFF_PORTAL_PORT: u16 = 8090;
const STAFF_PORTAL_URL: &str = "https://ops.cloud.example";

/// What may stand in the journal at WARN or above, and why.
const COMPLAINTS_EXPECTED: [(&str, &str); 9] = [
    (
        "this host has not joined",
        "the agent is started before it may",
    ),
    ("KVM does not work", "the machine has none"),
    (
        "libvirt does not answer: what the guests do is not known",
        "libvirt is stopped",
    ),
    ("servers can't be measured", "libvirt is stopped"),
    (
        "no link to the control plane",
        "it is restarted while the agent runs",
    ),
    (
        "the mail server takes no mail from us",
        "that of the test may still be starting",
    ),
    (
        "a mail waits for its next try",
        "the test ends its mail server when it has read the mail that it needs",
    ),
    ("[company] lacks", "the test's configuration says no more"),
    (
        "installation.privacy_file is missing",
        "the test's configuration has none",
    ),
];

/// What a purge leaves: customers' data, what their disks need, the guest that runs and the identity with which a new
/// installation manages it again, and what was never the packages'. Everything else must be gone.
const LEFT_BY_PURGE: [&str; 18] = [
    "/backup/today/",
    "/etc/innkeeper/installation.key.cred",
    "/etc/innkeeper/terms.txt",
    "/var/lib/innkeeper-agent/agent/",
    "/var/lib/innkeeper/store/",
    "/var/lib/innkeeper/store.old/",
    "/var/lib/innkeeper/last-backup",
    "/var/lib/innkeeper/images/",
    "/var/lib/innkeeper/keys/",
    "/var/lib/innkeeper/host-authority.pem",
    "/var/lib/innkeeper/witness.key",
    "/var/lib/innkeeper-images/",
    "/var/lib/innkeeper-agent/disks/",
    "/var/lib/innkeeper-agent/images/",
    "/var/lib/innkeeper-agent/seeds/",
    "/var/lib/innkeeper-agent/consoles/",
    "/etc/libvirt/qemu/srv_",
    "/var/lib/libvirt/qemu/",
];
const FOLDERS_LEFT: [&str; 16] = [
    "/backup",
    "/backup/today",
    "/etc/innkeeper",
    "/var/lib/innkeeper-agent/agent",
    "/var/lib/innkeeper",
    "/var/lib/innkeeper/store",
    "/var/lib/innkeeper/store.old",
    "/var/lib/innkeeper/images",
    "/var/lib/innkeeper/keys",
    "/var/lib/innkeeper-images",
    "/var/lib/innkeeper-agent",
    "/var/lib/innkeeper-agent/disks",
    "/var/lib/innkeeper-agent/images",
    "/var/lib/innkeeper-agent/seeds",
    "/var/lib/innkeeper-agent/consoles",
    "/var/lib/innkeeper-agent/tombstones",
];

/// What `./dev test package` has made.
struct Made {
    packages: PathBuf,
    machine: PathBuf,
    guest_image: PathBuf,
}

#[expect(clippy::print_stdout, reason = "a test that can't run says why")]
fn made() -> Option<Made> {
    let folder = |name| std::env::var_os(name).map(PathBuf::from);
    let made = (|| {
        Some(Made {
            packages: folder("INNKEEPER_PACKAGES")?,
            machine: folder("INNKEEPER_MACHINE")?,
            guest_image: folder("INNKEEPER_GUEST_IMAGE")?,
        })
    })();
    if made.is_none() {
        println!("skipped: packages and machine are made by `./dev test package`");
        return None;
    }
    if !nix::unistd::geteuid().is_root() {
        println!("skipped: a machine in namespaces needs root");
        return None;
    }
    made
}

#[tokio::test]
async fn packages_install_run_upgrade_and_purge() {
    let Some(made) = made() else { return };
    if let Err(error) = live(&made).await {
        panic!("{error:#}");
    }
}

async fn live(made: &Made) -> anyhow::Result<()> {
    let mut machine = Machine::boot(&made.machine).await?;
    let files_before = machine.files()?;
    install(&machine, made)?;
    installed_but_not_started(&machine)?;
    unfit_until_configured(&machine)?;
    configure(&machine, made)?;
    machine.start(CONTROL_PLANE)?;
    join(&machine).await?;
    portal_answers(&machine, PORTAL, PORTAL_PORT, PORTAL_URL).await?;
    portal_answers(&machine, STAFF_PORTAL, STAFF_PORTAL_PORT, STAFF_PORTAL_URL).await?;

    let folder = tempfile::tempdir().context("a folder")?;
    let (mut client, server) = order(&machine, folder.path()).await?;
    let qemu = running_guest(&machine, &client, server).await?;
    upgrade(&machine).await?;
    libvirt_goes_and_comes(&machine).await?;
    restore::restore(&machine, &mut client).await?;
    let still = running_guest(&machine, &client, server).await?;
    ensure!(still == qemu, "the guest was {qemu} and is {still}");
    let qemu = reboot(&mut machine, server).await?;
    no_unexpected_complaint(&machine)?;
    purge(&machine, &files_before, &qemu)
}

fn install(machine: &Machine, made: &Made) -> anyhow::Result<()> {
    let debs = machine.path("/tmp/debs");
    fs::create_dir_all(&debs).context("a folder for the packages")?;
    for entry in fs::read_dir(&made.packages).context("the packages")? {
        let deb = entry.context("a package")?;
        fs::copy(deb.path(), debs.join(deb.file_name())).context("copy a package")?;
    }
    // apt, so that what a package needs must be there.
    let command = "apt-get -q -y install /tmp/debs/*.deb";
    machine.run(&["sh", "-c", command]).map(|_| ())
}

fn installed_but_not_started(machine: &Machine) -> anyhow::Result<()> {
    for unit in PACKAGES.into_iter().chain([STAFF_PORTAL]) {
        let state = machine.run(&["sh", "-c", &format!("systemctl is-active {unit} || true")])?;
        ensure!(state.trim() == "inactive", "{unit} is {state}");
        // A reboot at night must not start what nobody has configured.
        let state = machine.run(&["sh", "-c", &format!("systemctl is-enabled {unit} || true")])?;
        ensure!(state.trim() == "disabled", "{unit} is {state}");
        machine.run(&[
            "systemd-analyze",
            "verify",
            "--man=no",
            &format!("{unit}.service"),
        ])?;
    }
    for group in ["innkeeper", "innkeeper-staff"] {
        let folder = format!("/etc/{group}");
        let key = format!("{folder}/portal.key");
        let owned = machine.run(&["stat", "-c", "%a %U %G %s", &key])?;
        ensure!(
            owned.trim() == format!("640 root {group} 64"),
            "{key} is {owned}"
        );
        let owned = machine.run(&["stat", "-c", "%a %U %G", &folder])?;
        ensure!(
            owned.trim() == format!("750 root {group}"),
            "{folder} is {owned}"
        );
    }
    Ok(())
}

/// As shipped, nobody would reach a guest: the agent says so, ends for good instead of trying again and again, and its
/// complaint has its priority in the journal. `libvirt-guests` is made to do nothing.
fn unfit_until_configured(machine: &Machine) -> anyhow::Result<()> {
    let said = machine.run(&["sh", "-c", &format!("{AGENT} doctor; echo ended with $?")])?;
    for expected in [
        "FAIL  uplink",
        "ok    libvirt ",
        "ok    nft",
        "ok    libvirt-guests  made to do nothing",
        "WARN  joined          not yet",
        "ended with 1",
    ] {
        ensure!(
            said.contains(expected),
            "doctor does not say `{expected}`: {said}"
        );
    }
    machine.run(&["sh", "-c", &format!("! systemctl start {AGENT}")])?;
    let properties = [
        "-p",
        "NRestarts",
        "-p",
        "ExecMainStatus",
        "-p",
        "ActiveState",
    ];
    let shown = machine.run(&[&["systemctl", "show", AGENT][..], &properties].concat())?;
    for expected in ["NRestarts=0", "ExecMainStatus=78", "ActiveState=failed"] {
        ensure!(shown.contains(expected), "not {expected}: {shown}");
    }
    let complaint = machine.run(&["journalctl", "-p", "err", "-o", "cat", "-u", AGENT])?;
    ensure!(
        complaint.contains("has not joined"),
        "at priority err: {complaint}"
    );
    machine.run(&["systemctl", "reset-failed"]).map(drop)
}

/// The least that an operator must edit; all else stays as shipped.
fn configure(machine: &Machine, made: &Made) -> anyhow::Result<()> {
    let etc = machine.path("/etc/innkeeper");
    edit(
        &etc.join("control-plane.toml"),
        &[
            ("id = \"example\"", "id = \"acme\""),
            ("[\"control.cloud.example\"]", "[\"127.0.0.1\"]"),
            ("code = \"debian-12\"", "code = \"tiny\""),
            ("# [staff]\n", "[staff]\n"),
            (
                "# listen = \"127.0.0.1:8082\"",
                "listen = \"127.0.0.1:8082\"",
            ),
            ("# portal_key_file = ", "portal_key_file = "),
            ("# portal_url = \"https://ops", "portal_url = \"https://ops"),
            (
                "memory_mib = 1024\ndisk_mib = 20480",
                "memory_mib = 128\ndisk_mib = 64",
            ),
        ],
    )?;
    edit(
        &etc.join("agent.toml"),
        &[
            ("#accelerator = \"kvm\"", "accelerator = \"tcg-allowed\""),
            ("#memory_reserved_mib = 1024", "memory_reserved_mib = 0"),
            ("#disk_reserved_gib = 10", "disk_reserved_gib = 0"),
            ("#routed = false", "routed = true"),
            ("#nameservers = [", "nameservers = ["),
        ],
    )?;
    fs::write(etc.join("terms.txt"), "Be good.\n").context("write the terms")?;
    let image = machine.path("/var/lib/innkeeper-images/debian-12.qcow2");
    fs::copy(&made.guest_image, image).context("put the base image there")?;
    // Somebody's secret beside ours, which purge must not take.
    fs::write(etc.join("installation.key.cred"), "sealed\n").context("write a credential")?;
    // What they say stands in the failure.
    for program in [CONTROL_PLANE, AGENT] {
        machine.run(&["sh", "-c", &format!("{program} doctor >&2")])?;
    }
    Ok(())
}

fn edit(file: &Path, changes: &[(&str, &str)]) -> anyhow::Result<()> {
    let mut text = fs::read_to_string(file).with_context(|| format!("read {}", file.display()))?;
    for (from, to) in changes {
        ensure!(text.contains(from), "{} lacks {from}", file.display());
        text = text.replacen(from, to, 1);
    }
    fs::write(file, text).with_context(|| format!("write {}", file.display()))
}

async fn join(machine: &Machine) -> anyhow::Result<()> {
    let line = machine.run(&[CONTROL_PLANE, "host", "invite", "h1", "--site", SITE])?;
    let line: Vec<_> = line.split_whitespace().collect();
    // The token is spent last: where something is wrong, the same line is good for another try.
    let (etc, aside) = ("/etc/innkeeper/agent.toml", "/etc/innkeeper/agent.aside");
    machine.run(&["mv", etc, aside])?;
    let refused = machine
        .run(&line)
        .err()
        .context("joined without an uplink")?;
    let refused = format!("{refused:#}");
    ensure!(refused.contains("The invitation was not used"), "{refused}");
    machine.run(&["mv", aside, etc])?;
    machine.run(&line)?;
    machine.start(AGENT)?;
    machine.run(&["systemctl", "is-active", GUESTS])?;
    heard(machine).await?;
    let said = machine.run(&[AGENT, "doctor"])?;
    for expected in [
        "ok    joined",
        "ok    control plane",
        "ok    clock",
        "is the running agent's",
    ] {
        ensure!(
            said.contains(expected),
            "doctor does not say `{expected}`: {said}"
        );
    }
    Ok(())
}

/// Joining alone makes a host known; a report shows that its agent runs.
async fn heard(machine: &Machine) -> anyhow::Result<()> {
    until("the agent reports", ANSWER_LIMIT, async || {
        let pid = machine.main_pid(AGENT)?;
        let log = machine.run(&["journalctl", &format!("_PID={}", pid.trim())])?;
        ensure!(log.contains("the control plane takes our reports"), "{log}");
        let list = machine.run(&[CONTROL_PLANE, "host", "list"])?;
        let known = list
            .lines()
            .any(|line| line.starts_with("h1 ") && line.contains(" heard "));
        ensure!(known, "{list}");
        Ok(())
    })
    .await
}

/// A portal that says the installation's name has it from the control plane: key, group and both services fit together.
async fn portal_answers(machine: &Machine, unit: &str, port: u16, url: &str) -> anyhow::Result<()> {
    machine.start(unit)?;
    let portal = client(machine, port)?.at_host(url.trim_start_matches("https://"));
    until("the portal answers", ANSWER_LIMIT, async || {
        let (status, page) = portal.page("/sign-in").await?;
        ensure!(
            status == 200 && page.contains("Example Cloud"),
            "{unit}: {status}: {page}"
        );
        Ok(())
    })
    .await
}

fn client(machine: &Machine, port: u16) -> anyhow::Result<Client> {
    let (listener, near) = reserve()?;
    let far = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    forward(listener, &machine.network(), far)?;
    Ok(Client::new(near))
}

async fn order(machine: &Machine, folder: &Path) -> anyhow::Result<(Client, ServerId)> {
    let mut python = Command::new("nsenter");
    python
        .arg(format!("--net={}", machine.network()))
        .arg(PYTHON);
    let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, MAIL_PORT));
    let mut mail = MailSink::start(python, folder, listen)?;
    let api = client(machine, API_PORT)?;
    let client = demo::sign_up_with(api, PORTAL_URL, &mut mail).await?;
    let key = demo::add_key(&client, &Key::generate(folder)?).await?;
    let server = demo::order(&client, key, demo::SERVER_NAME, TINY).await?;
    Ok((client, server))
}

/// Waits until the server runs; gives pid and user of its QEMU.
async fn running_guest(machine: &Machine, client: &Client, id: ServerId) -> anyhow::Result<String> {
    until("the server runs", GUEST_LIMIT, async || {
        let server: Server = client.get(&format!("/api/v1/servers/{id}")).await?;
        let (state, problem) = (server.state, server.problem);
        ensure!(state == ServerState::Running, "it is {state:?} {problem:?}");
        Ok(())
    })
    .await?;
    qemu(machine)
}

fn qemu(machine: &Machine) -> anyhow::Result<String> {
    let find = "for p in /proc/[0-9]*; do case $(readlink $p/exe) in */qemu-system-x86_64)
        echo ${p#/proc/} $(stat -c %U $p);; esac; done";
    let found = machine.run(&["sh", "-c", find])?;
    ensure!(found.lines().count() == 1, "QEMU processes: {found:?}");
    Ok(found)
}

/// The same packages once more, as an upgrade would be: services are new processes afterwards, guests are not.
async fn upgrade(machine: &Machine) -> anyhow::Result<()> {
    let pids = |machine: &Machine| PACKAGES.map(|unit| machine.main_pid(unit).unwrap_or_default());
    let before = pids(machine);
    let guest = qemu(machine)?;
    machine.run(&["sh", "-c", "dpkg -i /tmp/debs/*.deb"])?;
    for ((unit, before), after) in PACKAGES.iter().zip(before).zip(pids(machine)) {
        ensure!(
            before != after && after.trim() != "0",
            "{unit} was not restarted"
        );
    }
    ensure!(qemu(machine)? == guest, "the guest was touched");
    let kept = fs::read_to_string(machine.path("/etc/innkeeper/agent.toml"));
    ensure!(
        kept.context("the configuration")?.contains("tcg-allowed"),
        "it was overwritten"
    );
    heard(machine).await
}

async fn libvirt_goes_and_comes(machine: &Machine) -> anyhow::Result<()> {
    let units = [
        "libvirtd.socket",
        "libvirtd-ro.socket",
        "libvirtd-admin.socket",
        "libvirtd",
    ];
    let all = |verb| [&["systemctl", verb][..], &units].concat();
    machine.run(&all("stop"))?;
    machine.run(&["systemctl", "restart", AGENT])?;
    until(
        "the agent says that libvirt is away",
        ANSWER_LIMIT,
        async || {
            said_last(
                machine,
                "libvirt does not answer: what the guests do is not known",
            )
        },
    )
    .await?;
    machine.run(&["systemctl", "is-active", AGENT])?;
    machine.run(&all("start"))?;
    until("the agent finds libvirt again", ANSWER_LIMIT, async || {
        said_last(machine, "libvirt answers again")
    })
    .await
}

/// The machine reboots under a guest: it is asked to shut down and does, and runs again afterwards, although the machine
/// has no new boot id.
async fn reboot(machine: &mut Machine, id: ServerId) -> anyhow::Result<String> {
    let log = format!("/var/lib/innkeeper-agent/consoles/{id}.log");
    let ups = |log: &str| log.matches(" ready").count();
    let console = |machine: &Machine| fs::read_to_string(machine.path(&log)).unwrap_or_default();
    until(
        "the guest listens to its power button",
        GUEST_LIMIT,
        async || {
            ensure!(ups(&console(machine)) > 0, "{}", console(machine));
            Ok(())
        },
    )
    .await?;
    machine.reboot().await?;
    let said = machine.run(&["journalctl", "--no-pager", "-o", "cat", "-u", GUESTS])?;
    ensure!(
        said.contains("shut_down=1 powered_off=0"),
        "it says: {said}"
    );
    let words = console(machine);
    ensure!(
        words.contains("reboot: Power down"),
        "the guest's last words: {words}"
    );
    until("the guest is started again", GUEST_LIMIT, async || {
        qemu(machine)
    })
    .await
}

fn said_last(machine: &Machine, words: &str) -> anyhow::Result<()> {
    let pid = machine.main_pid(AGENT)?;
    let log = machine.run(&["journalctl", &format!("_PID={}", pid.trim())])?;
    ensure!(log.contains(words), "{log}");
    Ok(())
}

fn no_unexpected_complaint(machine: &Machine) -> anyhow::Result<()> {
    // By the priority that the journal knows.
    let mut command = vec!["journalctl", "--no-pager", "-q", "-o", "cat"];
    command.extend(PACKAGES.iter().flat_map(|name| ["-t", name]));
    let all = machine.run(&command)?;
    command.extend(["-p", "warning"]);
    let warnings = machine.run(&command)?;
    let panics = all.lines().filter(|line| line.contains("panicked at"));
    let is_expected = |line: &&str| {
        COMPLAINTS_EXPECTED
            .iter()
            .any(|(words, _)| line.contains(words))
    };
    let warnings = warnings.lines().filter(|line| !is_expected(line));
    let complaints: Vec<_> = panics.chain(warnings).collect();
    ensure!(complaints.is_empty(), "in the journal: {complaints:#?}");
    let failed = machine.run(&["systemctl", "--failed", "--no-legend"])?;
    ensure!(failed.is_empty(), "failed: {failed}");
    Ok(())
}

fn purge(machine: &Machine, before: &BTreeSet<String>, guest: &str) -> anyhow::Result<()> {
    machine.run(&[&["apt-get", "-q", "-y", "remove"][..], &PACKAGES].concat())?;
    for kept in [
        "/etc/innkeeper/control-plane.toml",
        "/var/lib/innkeeper-agent/agent/identity",
    ] {
        ensure!(machine.path(kept).exists(), "remove took {kept}");
    }
    let said = machine.run(&[&["apt-get", "-q", "-y", "purge"][..], &PACKAGES].concat())?;
    for kept in [
        "/var/lib/innkeeper ",
        "/var/lib/innkeeper-images ",
        "/var/lib/innkeeper-agent ",
        "/etc/innkeeper ",
    ] {
        ensure!(
            said.contains(kept),
            "purge does not say that {kept} stays: {said}"
        );
    }
    ensure!(
        qemu(machine)? == guest,
        "the guest did not outlive the purge"
    );

    let after = machine.files()?;
    let left: Vec<_> = after
        .difference(before)
        .filter(|file| !FOLDERS_LEFT.contains(&file.as_str()))
        .filter(|file| !LEFT_BY_PURGE.iter().any(|kept| file.starts_with(kept)))
        .collect();
    ensure!(left.is_empty(), "left behind: {left:#?}");
    for kept in LEFT_BY_PURGE {
        let is_there = after.iter().any(|file| file.starts_with(kept));
        ensure!(is_there, "{kept} should have stayed");
    }
    let gone: Vec<_> = before.difference(&after).collect();
    ensure!(gone.is_empty(), "taken from others: {gone:#?}");
    // The user stays as long as files are its own: its number would become somebody else's, and the keys with it.
    let folders = ["/var/lib/innkeeper", "/etc/innkeeper"];
    let nobody_s = ["(", "-nouser", "-o", "-nogroup", ")"];
    let owners = machine.run(&[&["find"][..], &folders, &nobody_s].concat())?;
    ensure!(owners.is_empty(), "owned by nobody that exists: {owners}");
    Ok(())
}
