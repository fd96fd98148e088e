//! The real service under load, killed with SIGKILL twenty times: what it acknowledged is there when it is
//! started again.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
};

use http_body_util::{BodyExt as _, Full};
use hyper::{Request, body::Bytes};
use hyper_util::rt::TokioIo;
use rand::{Rng as _, SeedableRng as _, rngs::StdRng};
use serde_json::{Value, json};
use tokio::{net::TcpStream, sync::Notify};

const KILLS: usize = 20;
const WORKERS: u32 = 8;
const PASSWORD: &str = "violet-anchor-tundra-58";
const PORTAL_KEY: &str = "the portal's key, long enough for it";

struct Service {
    process: Child,
    api: SocketAddr,
}

impl Service {
    fn start(config: &Path) -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_innkeeper-control-plane"))
            .args(["serve", "--config"])
            .arg(config)
            .stderr(Stdio::piped())
            .spawn()
            .expect("the service starts");
        let mut lines = BufReader::new(process.stderr.take().expect("piped")).lines();
        let mut api = None;
        for line in lines.by_ref() {
            let line = line.expect("text");
            if let Some((_, address)) = line.split_once("the REST API listens address=") {
                api = Some(address.trim().parse().expect("an address"));
            }
            if line.contains("the control plane is up") {
                break;
            }
        }
        // Somebody must go on reading, or the service would wait for room in the pipe.
        std::thread::spawn(move || lines.for_each(drop));
        Self {
            process,
            api: api.expect("it said where it listens"),
        }
    }

    fn kill(mut self) {
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

/// One request; `None` when no answer came, whatever became of it.
async fn post(api: SocketAddr, path: &str, from: u32, body: &Value) -> Option<(u16, Value)> {
    let stream = TcpStream::connect(api).await.ok()?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .ok()?;
    tokio::spawn(connection);
    // Each request comes from a network of its own: the limits on sign-ups are not what is tried here.
    let [_, a, b, c] = from.to_be_bytes();
    let request = Request::post(format!("/api/v1{path}"))
        .header("host", "innkeeper")
        .header("content-type", "application/json")
        .header("x-innkeeper-portal-key", PORTAL_KEY)
        .header("x-forwarded-for", format!("{}.{b}.{c}.1", 10 + a))
        .body(Full::new(Bytes::from(body.to_string())))
        .expect("a request");
    let response = sender.send_request(request).await.ok()?;
    let status = response.status().as_u16();
    let bytes = response.into_body().collect().await.ok()?.to_bytes();
    Some((
        status,
        serde_json::from_slice(&bytes).unwrap_or(Value::Null),
    ))
}

async fn sign_up(api: SocketAddr, number: u32) -> Option<(u16, Value)> {
    let body = json!({
        "login_id": login_id(number),
        "name": "Load",
        "email": format!("load{number}@example.com"),
        "password": PASSWORD,
        "accepted_terms": "2026-11",
        "locale": "en",
    });
    post(api, "/signups", number, &body).await
}

fn login_id(number: u32) -> String {
    format!("load{number}")
}

fn write_config(folder: &Path) -> PathBuf {
    let example = include_str!("../../packaging/control-plane.toml");
    let path = |name: &str| folder.join(name).display().to_string();
    let text = example
        .replace(
            "/var/lib/innkeeper-images/debian-12.qcow2",
            &path("disk.raw"),
        )
        .replace("format = \"qcow2\"", "format = \"raw\"")
        .replace("/var/lib/innkeeper", &path("data"))
        .replace("/run/innkeeper/admin.sock", &path("admin.sock"))
        .replace("/etc/innkeeper/portal.key", &path("portal.key"))
        .replace("/etc/innkeeper/terms.txt", &path("terms.txt"))
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_when_the_service_is_killed() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = write_config(folder.path());
    let acknowledged = Arc::new(Mutex::new(Vec::<u32>::new()));
    let next = Arc::new(AtomicU32::new(1));
    let progress = Arc::new(Notify::new());
    let mut random = StdRng::seed_from_u64(7);
    for _ in 0..KILLS {
        let service = Service::start(&config);
        let wanted = acknowledged.lock().expect("sound").len() + random.random_range(1..12);
        let api = service.api;
        let workers: Vec<_> = (0..WORKERS)
            .map(|_| {
                let (acknowledged, next) = (Arc::clone(&acknowledged), Arc::clone(&next));
                let progress = Arc::clone(&progress);
                tokio::spawn(async move {
                    // Ends with the first answer that does not come: the service is dead.
                    loop {
                        let number = next.fetch_add(1, Ordering::SeqCst);
                        match sign_up(api, number).await {
                            Some((201, _)) => {
                                acknowledged.lock().expect("sound").push(number);
                                progress.notify_one();
                            }
                            Some((status, body)) => panic!("{status}: {body}"),
                            None => return,
                        }
                    }
                })
            })
            .collect();
        while acknowledged.lock().expect("sound").len() < wanted {
            progress.notified().await;
        }
        service.kill();
        for worker in workers {
            worker.await.expect("a worker ends");
        }
    }
    let service = Service::start(&config);
    let acknowledged = acknowledged.lock().expect("sound").clone();
    assert!(acknowledged.len() >= KILLS, "there was load");
    for (index, number) in acknowledged.iter().enumerate() {
        let (status, problem) = sign_up(service.api, *number).await.expect("an answer");
        assert_eq!(
            (status, problem["errors"][0]["code"].as_str()),
            (422, Some("taken")),
            "lost: {number}"
        );
        // A sample is signed in to as well: the account is whole, not only its claim.
        if index % 10 == 0 {
            let login = json!({ "login": login_id(*number), "password": PASSWORD });
            let (status, problem) = post(service.api, "/sessions", *number, &login)
                .await
                .expect("an answer");
            assert_eq!(
                (status, problem["code"].as_str()),
                (403, Some("email-unconfirmed")),
                "half: {number}"
            );
        }
    }
}

/// Runs the program to its end, or until it says that it is up; gives what it said.
fn run(config: &Path, arguments: &[&str]) -> (bool, String) {
    let mut process = Command::new(env!("CARGO_BIN_EXE_innkeeper-control-plane"))
        .args(arguments)
        .arg("--config")
        .arg(config)
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
    (output.status.success(), said)
}

#[test]
fn a_store_without_its_own_keys_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = write_config(folder.path());
    Service::start(&config).kill();
    let (keys, aside) = (folder.path().join("data/keys"), folder.path().join("aside"));
    fs::rename(&keys, &aside).expect("moved");
    let (_, said) = run(&config, &["serve"]);
    assert!(
        said.contains("put back the copy of the key folder"),
        "{said}"
    );
    assert!(!said.contains("is up"), "{said}");
    assert!(!keys.exists(), "no new keys are made for an old store");

    let other = tempfile::tempdir().expect("a folder");
    Service::start(&write_config(other.path())).kill();
    fs::rename(other.path().join("data/keys"), &keys).expect("moved");
    let (_, said) = run(&config, &["serve"]);
    assert!(
        said.contains("the keys are not those of this store"),
        "{said}"
    );
    assert!(!said.contains("is up"), "{said}");

    fs::remove_dir_all(&keys).expect("removed");
    fs::rename(&aside, &keys).expect("moved back");
    Service::start(&config).kill();
}

/// The runbook of the README, with the program itself.
#[test]
fn a_store_is_checked_verified_backed_up_and_restored() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = write_config(folder.path());
    let service = Service::start(&config);
    let backup = folder.path().join("backup").display().to_string();
    let expect = |arguments: &[&str], expected: bool, text: &str| {
        let (fine, said) = run(&config, arguments);
        assert!(
            fine == expected && said.contains(text),
            "{arguments:?}: {said}"
        );
    };
    expect(&["backup", "--to", &backup], true, "verified");
    expect(&["audit", "verify"], true, "0 contradict");
    expect(&["check-store"], false, "the service runs: stop it first");
    service.kill();
    let repairs = "Starting the service repairs this; nothing that was promised is lost.";
    expect(&["check-store"], false, repairs);

    let restore = ["restore", "--from", &backup];
    expect(&restore, false, "move that folder aside first");
    let store = folder.path().join("data/store");
    fs::rename(&store, folder.path().join("store.old")).expect("moved");
    expect(&restore, true, "are restored, in epoch");
    let service = Service::start(&config);
    expect(&["recovery", "show"], true, "closed: being restored");
    expect(&["recovery", "finish"], true, "");
    expect(&["recovery", "show"], true, ": open");
    service.kill();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operator_erases_an_account_and_the_mirror_forgets_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = write_config(folder.path());
    let service = Service::start(&config);
    for number in [1, 2] {
        let (status, body) = sign_up(service.api, number).await.expect("an answer");
        assert_eq!(status, 201, "{body}");
    }
    let mirror = folder.path().join("mirror").display().to_string();
    let mirrored = |expected: &str| {
        let (fine, said) = run(&config, &["keys", "mirror", "--to", &mirror]);
        assert!(fine && said.contains(expected), "{said}");
    };
    mirrored("has 2 keys: 2 written, 0 destroyed");
    let (fine, said) = run(&config, &["account", "erase", "load1"]);
    assert!(fine && said.contains("Nothing was done"), "{said}");
    let (fine, said) = run(&config, &["account", "erase", "load1", "--confirm"]);
    assert!(fine && said.contains("is erased"), "{said}");
    mirrored("has 1 keys: 0 written, 1 destroyed");
    let mut codes = Vec::new();
    for number in [1, 2] {
        let login = json!({ "login": login_id(number), "password": PASSWORD });
        let answer = post(service.api, "/sessions", number, &login).await;
        codes.push(answer.expect("an answer").1["code"].clone());
    }
    assert_eq!(codes, ["bad-credentials", "email-unconfirmed"]);
    service.kill();
}
