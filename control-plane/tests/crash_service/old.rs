//! Data folders of earlier versions: the present program goes on with them, and says of them what they said.
//!
//! `tests/golden/data/<commit>.tar.gz` was made once by the program of that commit, with [`make`], and
//! never changes: `data` (without the index), a `backup` of it, and what that program said: `answers.json` of its API and
//! `head` of its journal. The keys in it open nothing else.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command,
    sync::mpsc::Receiver,
};

use hyper::Method;
use innkeeper_control_plane::store::{Commit, Key, Options, Store, Write};
use innkeeper_wire::{
    host::{CreateStep, ObservedServer, ObservedState, ServerProblem, ServerProblemCode},
    time::{Clock as _, SystemClock},
};
use serde_json::{Value, json};

use crate::{
    host::Host,
    restore::{Customer, Installation, expect, mail_server},
    service::{PASSWORD, Service, ask, ask_to, run_to_code, write_config},
};

/// What is kept of a data folder: everything but what a start makes again.
const KEPT: [&str; 4] = ["store/journal", "keys", "host-authority.pem", "witness.key"];
/// What is asked of the API.
const PATHS: [&str; 4] = ["/me", "/me/ssh-keys", "/orders", "/servers"];

fn archives() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/data")
}

fn tar(arguments: &[&str]) {
    let status = Command::new("tar").args(arguments).status();
    assert!(status.expect("tar is there").success(), "{arguments:?}");
}

async fn answers(api: SocketAddr) -> Value {
    let token = Customer::sign_in(api).await;
    let bearer = format!("Bearer {token}");
    let mut answers = serde_json::Map::new();
    for path in PATHS {
        let answer = ask(api, path, &[("authorization", &bearer)], None).await;
        answers.insert(path.to_owned(), expect(200, answer));
    }
    Value::Object(answers)
}

/// The line in which `check-store` says where the journal stands.
fn head(config: &Path) -> String {
    let (_, said) = run_to_code(config, &["check-store"]);
    let (_, from) = said.split_once("head: ").expect("it says where");
    from.split_whitespace().next().expect("a head").to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_older_data_folder_is_gone_on_with() {
    let mut found = 0;
    for archive in fs::read_dir(archives()).expect("golden data") {
        is_gone_on_with(&archive.expect("a file").path()).await;
        found += 1;
    }
    assert!(found > 0, "there is one at least");
}

async fn is_gone_on_with(archive: &Path) {
    let folder = tempfile::tempdir().expect("a folder");
    let there = folder.path().display().to_string();
    tar(&["-xzf", &archive.display().to_string(), "-C", &there]);
    goes_on(folder.path()).await;
    is_restored(folder.path()).await;
}

/// Whether an answer has all that an earlier one had, in the same words; answers only gain fields.
fn tells(answer: &Value, earlier: &Value) -> bool {
    match (answer, earlier) {
        (Value::Object(now), Value::Object(then)) => then
            .iter()
            .all(|(key, then)| now.get(key).is_some_and(|now| tells(now, then))),
        (Value::Array(now), Value::Array(then)) => {
            now.len() == then.len() && now.iter().zip(then).all(|(now, then)| tells(now, then))
        }
        (now, then) => now == then,
    }
}

fn said(folder: &Path, name: &str) -> String {
    fs::read_to_string(folder.join(name)).expect("kept")
}

async fn goes_on(folder: &Path) {
    let config = write_config(folder);
    assert_eq!(
        head(&config),
        said(folder, "head"),
        "the journal is read as it was"
    );
    let (code, text) = run_to_code(&config, &["doctor"]);
    assert_eq!(code, Some(0), "{text}");
    let service = Service::start(&config);
    let expected: Value = serde_json::from_str(&said(folder, "answers.json")).expect("JSON");
    let answered = answers(service.api).await;
    assert!(tells(&answered, &expected), "{answered}\n{expected}");
    // Every record has been read: hosts, accounts and orders are counted by the metrics and in `host list`.
    let (code, text) = run_to_code(&config, &["host", "list", "--json"]);
    let hosts: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(
        (
            code,
            hosts[0]["name"].as_str(),
            hosts[0]["servers"].as_u64()
        ),
        (Some(0), Some("h1"), Some(4)),
        "{text}"
    );
    let (code, text) = run_to_code(&config, &["audit", "verify"]);
    assert!(code == Some(0) && text.contains("0 contradict"), "{text}");
    service.kill();
    // It was written to; the second start finds all of it, too.
    let service = Service::start(&config);
    let answered = answers(service.api).await;
    assert!(tells(&answered, &expected), "{answered}\n{expected}");
    service.kill();
}

/// Its backup, with the keys, makes the same store in a new epoch.
async fn is_restored(folder: &Path) {
    let config = write_config(folder);
    fs::remove_dir_all(folder.join("data/store")).expect("removed");
    let backup = folder.join("backup").display().to_string();
    let (code, text) = run_to_code(&config, &["restore", "--from", &backup]);
    assert_eq!(code, Some(0), "{text}");
    let service = Service::start(&config);
    let (code, text) = run_to_code(&config, &["recovery", "finish", "--without", "h1"]);
    assert_eq!(code, Some(0), "{text}");
    let expected: Value = serde_json::from_str(&said(folder, "answers.json")).expect("JSON");
    let found = answers(service.api).await;
    for path in PATHS {
        let ids = |answers: &Value| {
            let entries = answers[path]["data"]
                .as_array()
                .cloned()
                .unwrap_or_default();
            let ids = entries.iter().map(|entry| entry["id"].clone());
            ids.collect::<Vec<_>>()
        };
        assert_eq!(ids(&found), ids(&expected), "{path}");
    }
    service.kill();
}

fn observed(order: &Value, state: ObservedState) -> ObservedServer {
    let server = order["server"].as_str().expect("an id");
    ObservedServer {
        server: server.parse().expect("an id"),
        state,
        power_serial: 1,
        reboots: 0,
        problem: None,
        was_ready: None,
        was_started: None,
        network_cut: false,
    }
}

/// A customer with servers on a host.
struct Setting {
    operator: Installation,
    mails: Receiver<String>,
    customer: Customer,
    host: Host,
}

impl Setting {
    async fn order(&self, service: &Service, name: &str) -> Value {
        expect(201, self.customer.order(service.api, name).await)
    }

    /// The host takes its manifest, and says this of a server.
    async fn see(&mut self, service: &Service, observed: ObservedServer) {
        self.host.poll(service.agents).await;
        self.host.seen.retain(|seen| seen.server != observed.server);
        self.host.seen.push(observed);
        assert_eq!(self.host.report(service.agents).await, 200);
    }

    async fn delete(&self, service: &Service, order: &Value) {
        let path = format!("/servers/{}", order["server"].as_str().expect("an id"));
        let bearer = format!("Bearer {}", self.customer.token);
        let headers = [("authorization", bearer.as_str())];
        expect(
            202,
            ask_to(service.api, Method::DELETE, &path, &headers, None).await,
        );
    }
}

/// Its own data folder, too. With `INNKEEPER_PROGRAM=<program> INNKEEPER_COMMIT=<commit>` in the environment this keeps the
/// one of another version as golden data.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_data_folder_is_made_and_gone_on_with() {
    let folder = tempfile::tempdir().expect("a folder");
    let golden = std::env::var("INNKEEPER_COMMIT").map(|commit| archives().join(commit));
    let archive = golden.unwrap_or_else(|_| folder.path().join("made"));
    let archive = archive.with_extension("tar.gz");
    make(&archive).await;
    if std::env::var_os("INNKEEPER_PROGRAM").is_none() {
        is_gone_on_with(&archive).await;
    }
}

async fn make(archive: &Path) {
    let (port, mails) = mail_server();
    let operator = Installation::new(port);
    if std::env::var_os("INNKEEPER_PROGRAM").is_some() {
        forget_new_keys(&operator.config);
    }
    let service = Service::start(&operator.config);
    let customer = Customer::sign_up(service.api, &mails).await;
    let host = operator.host(&service, "h1", 9).await;
    operator.run(&["host", "invite", "h3", "--site", "seoul-1"]);
    let _revoked = operator.host(&service, "h2", 9).await;
    operator.run(&["host", "revoke", "h2", "--reason", "broken", "--confirm"]);
    let mut setting = Setting {
        operator,
        mails,
        customer,
        host,
    };
    sign_up(&setting, &service, "waits1").await;
    sign_up(&setting, &service, "erased1").await;
    setting.operator.run(&[
        "account",
        "erase",
        "erased1",
        "--confirm",
        "--reason",
        "asked for",
    ]);
    first_orders(&mut setting, &service).await;
    service.kill();
    let store = setting.operator.folder.path().join("data/store");
    checkpoints(&store).await;

    let service = Service::start(&setting.operator.config);
    assert_eq!(setting.host.report(service.agents).await, 200);
    let leaving = setting.order(&service, "leaving").await;
    setting
        .see(
            &service,
            observed(&leaving, ObservedState::Running { ready: true }),
        )
        .await;
    setting.delete(&service, &leaving).await;
    setting.order(&service, "waiting").await;
    service.kill();
    keep(&setting.operator, archive).await;
}

/// Takes out of the configuration what programs of before do not know.
fn forget_new_keys(config: &Path) {
    let text = fs::read_to_string(config).expect("written");
    let is_known = |line: &&str| !line.starts_with("sign_ups_per_hour");
    let known: Vec<_> = text.lines().filter(is_known).collect();
    fs::write(config, known.join("\n")).expect("written");
}

async fn sign_up(setting: &Setting, service: &Service, login_id: &str) {
    let body = json!({
        "login_id": login_id,
        "name": "Somebody",
        "email": format!("{login_id}@example.com"),
        "password": PASSWORD,
        "accepted_terms": "2026-11",
        "locale": "en",
    });
    expect(201, ask(service.api, "/signups", &[], Some(&body)).await);
    let limit = std::time::Duration::from_secs(60);
    setting.mails.recv_timeout(limit).expect("a mail");
}

/// One that runs, one that failed, one that was deleted, and one that was deleted before it was ready.
async fn first_orders(setting: &mut Setting, service: &Service) {
    let running = ObservedState::Running { ready: true };
    let ready = setting.order(service, "ready").await;
    setting.see(service, observed(&ready, running)).await;
    let failed = setting.order(service, "failed").await;
    let step = CreateStep::Disk;
    let mut hopeless = observed(&failed, ObservedState::Creating { step });
    hopeless.problem = Some(ServerProblem {
        code: ServerProblemCode::DiskFailed,
        detail: "no room".to_owned(),
        attempts: 5,
    });
    setting.see(service, hopeless).await;
    let gone = setting.order(service, "gone").await;
    setting.see(service, observed(&gone, running)).await;
    let cancelled = setting.order(service, "cancelled").await;
    for order in [&gone, &cancelled] {
        setting.delete(service, order).await;
        setting
            .see(service, observed(order, ObservedState::Absent))
            .await;
    }
}

/// With checkpoints and an archived part, as after months: what makes them due is made smaller here.
async fn checkpoints(store: &Path) {
    let options = Options {
        segment_bytes: 2_000,
        ..Options::new([0; 16])
    };
    let (store, _) = Store::open(store, &options).expect("it opens");
    for turn in 1..=4_000 {
        let commit = Commit {
            at: SystemClock.now(),
            actor: "system".to_owned(),
            cause: "nothing".to_owned(),
            guards: vec![],
            writes: vec![Write::Delete(Key::new("mail/none").expect("printable"))],
        };
        store.commit(commit).await.expect("committed");
        if turn % 100 != 0 {
            continue;
        }
        let kept = store.upkeep(SystemClock.now()).await.expect("kept");
        if kept.archived > 0 {
            return store.close().await;
        }
    }
    panic!("nothing was archived");
}

/// Asks the program that was just started what it shows, and packs all.
async fn keep(operator: &Installation, archive: &Path) {
    let folder = operator.folder.path();
    let head = head(&operator.config);
    fs::write(folder.join("head"), head).expect("written");
    operator.run(&["backup", "--to", &operator.path("backup")]);
    // Put aside before a start adds anything.
    let aside = folder.join("kept/data/store");
    fs::create_dir_all(&aside).expect("a folder");
    for name in KEPT {
        let (from, to) = (
            folder.join("data").join(name),
            folder.join("kept/data").join(name),
        );
        let status = Command::new("cp").arg("-a").arg(from).arg(to).status();
        assert!(status.expect("cp is there").success(), "{name}");
    }
    fs::remove_file(aside.join("journal/reserve")).ok();
    let service = Service::start(&operator.config);
    let said = answers(service.api).await;
    let said = serde_json::to_string_pretty(&said).expect("plain");
    fs::write(folder.join("kept/answers.json"), said).expect("written");
    service.kill();
    for name in ["head", "backup"] {
        fs::rename(folder.join(name), folder.join("kept").join(name)).expect("moved");
    }
    let archive = archive.display().to_string();
    let kept = folder.join("kept").display().to_string();
    let names = ["data", "backup", "answers.json", "head"];
    tar(&[
        &["--owner=0", "--group=0", "-czf", &archive, "-C", &kept],
        &names[..],
    ]
    .concat());
}
