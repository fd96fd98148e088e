//! The real service under load, killed with SIGKILL twenty times: what it acknowledged is there when it is
//! started again. And the operator's commands, with the program itself.

use std::{
    fs,
    net::SocketAddr,
    process::Command,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
};

use rand::{Rng as _, SeedableRng as _, rngs::StdRng};
use serde_json::{Value, json};
use tokio::sync::Notify;

use service::{PASSWORD, PROGRAM, Service, run, write_config};

mod doctor;
mod first_start;
mod host;
mod newer;
mod old;
mod restore;
mod roll_over;
mod service;

const KILLS: usize = 20;
const WORKERS: u32 = 8;

/// Each request comes from a network of its own: the limits on sign-ups are not what is tried here.
async fn post(api: SocketAddr, path: &str, from: u32, body: &Value) -> Option<(u16, Value)> {
    let [_, a, b, c] = from.to_be_bytes();
    let from = format!("{}.{b}.{c}.1", 10 + a);
    service::ask(api, path, &[("x-forwarded-for", &from)], Some(body)).await
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

    // The rest of the folder is lost, with the installation's key elsewhere: everybody would look erased.
    fs::create_dir(&keys).expect("made");
    for name in ["installation.key", "installation.check"] {
        fs::copy(aside.join(name), keys.join(name)).expect("copied");
    }
    let (_, said) = run(&config, &["serve"]);
    let words = "has no folder of accounts' keys: put back the copy of the key folder";
    assert!(said.contains(words), "{said}");
    assert!(
        !keys.join("accounts").exists() && !said.contains("is up"),
        "{said}"
    );
    fs::remove_dir_all(&keys).expect("removed");

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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operator_sees_all_duties() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = write_config(folder.path());
    let service = Service::start(&config);
    let listed = || {
        let (fine, said) = run(&config, &["duties", "--json"]);
        assert!(fine, "{said}");
        serde_json::from_str::<Vec<Value>>(&said).expect("a list")
    };
    let find = |is_so: &dyn Fn(&[Value]) -> bool| {
        let mut lists = std::iter::repeat_with(listed).take(200);
        lists.find(|duties| is_so(duties)).expect("it comes")
    };
    // Each has a turn at once.
    let duties = find(&|duties| duties.iter().all(|duty| !duty["last_turn"].is_null()));
    let names: Vec<_> = duties.iter().map(|duty| duty["name"].as_str()).collect();
    let expected = [
        "outbox",
        "checkpoints",
        "expired_entries",
        "lapsed_sign_ups",
        "erasures",
        "contracts_of_before",
        "lost_factors",
        "unseen_servers",
        "lost_hosts",
        "billing_clock",
        "month_closes",
        "debts",
        "deletion_notices",
        "unpaid_servers",
        "spending_alerts",
        "balances",
        "staff_alerts",
        "suspensions",
        "support_jobs",
        "agent_api_certificate",
    ];
    assert_eq!(names, expected.map(Some));
    for duty in &duties {
        assert_eq!(duty["outcome"], "idle", "{duty}");
        assert_eq!(duty["backlog"], 0, "{duty}");
        assert_eq!(duty["failure"], Value::Null, "{duty}");
    }
    let (fine, table) = run(&config, &["duties"]);
    assert!(fine && table.starts_with("DUTY "), "{table}");
    assert_eq!(table.lines().count(), 1 + expected.len(), "{table}");

    // Woken by the mail, which its mail server does not take.
    let (status, body) = sign_up(service.api, 1).await.expect("an answer");
    assert_eq!(status, 201, "{body}");
    let outbox = find(&|duties| !duties[0]["failure"].is_null()).remove(0);
    assert_eq!(outbox["backlog"], 1, "{outbox}");
    let why = outbox["failure"]["why"].as_str().expect("words");
    assert!(why.contains("takes no mail from us"), "{why}");
    assert!(!why.contains('@'), "{why}");
    let (fine, table) = run(&config, &["duties"]);
    assert!(fine && table.contains(why), "{table}");
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
    let (fine, said) = run(
        &config,
        &[
            "account",
            "erase",
            "load1",
            "--confirm",
            "--reason",
            "asked for",
        ],
    );
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

/// Row B4: behind a proxy everybody was one client, so that one who guessed passwords shut all others out.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_behind_a_trusted_proxy_are_told_apart() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = write_config(folder.path());
    let text = fs::read_to_string(&config).expect("there");
    let trusting = "trusted_proxies = [\"127.0.0.1\"]\nagent_names =";
    fs::write(&config, text.replacen("agent_names =", trusting, 1)).expect("written");
    // What these requests show is no portal's key then.
    let key = "the key of a portal elsewhere, long enough for it";
    fs::write(folder.path().join("portal.key"), key).expect("written");
    let service = Service::start(&config);
    let guess = async |client: &str| {
        let body = json!({ "login": "nobody7", "password": "wrong wrong wrong" });
        let from = [("x-forwarded-for", client)];
        let answer = service::ask(service.api, "/sessions", &from, Some(&body)).await;
        answer.expect("an answer").0
    };
    for _ in 0..5 {
        assert_eq!(guess("192.0.2.1").await, 401);
    }
    assert_eq!(guess("192.0.2.1").await, 423);
    assert_eq!(guess("198.51.100.1").await, 401);
    // What a client says of himself stands before what the proxy says of him.
    assert_eq!(guess("198.51.100.1, 192.0.2.1").await, 423);
    service.kill();
}

/// Row A2: a store that had stopped answered 503 until somebody restarted it. The code is one that systemd starts it anew
/// for.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_can_not_write_ends_the_service_for_a_new_start() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = write_config(folder.path());
    // What a write beyond the largest file gets then is an error, as of a broken disk, and no signal.
    let mut shell = Command::new("sh");
    shell.args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\"", PROGRAM]);
    let service = Service::start_by(shell, &config);
    let (status, body) = sign_up(service.api, 1).await.expect("an answer");
    assert_eq!(status, 201, "{body}");
    let limited = Command::new("prlimit")
        .args(["--pid", &service.id().to_string(), "--fsize=1"])
        .status();
    assert!(limited.expect("prlimit is there").success());
    let (fine, said) = run(&config, &["host", "invite", "h1", "--site", "seoul-1"]);
    assert!(!fine, "{said}");
    service.wait_for("a part of the service has ended task=\"the store\"");
    assert_eq!(service.ends(), Some(1));
    let service = Service::start(&config);
    let (status, body) = sign_up(service.api, 1).await.expect("an answer");
    assert_eq!(status, 422, "what was acknowledged is there: {body}");
    service.kill();
}
