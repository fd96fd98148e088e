//! The real service against requests that are made up from its OpenAPI document by Schemathesis: whatever is sent, the
//! answer is one that the document has, and never a failure of ours.
//!
//! `./dev test http` installs Schemathesis; without it, this says so and skips.

use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::mpsc,
};

use serde_json::{Value, json};

use service::{PASSWORD, Service, write_config};

#[expect(dead_code, reason = "shared with the tests that kill the service")]
#[path = "crash_service/service.rs"]
mod service;

/// Each makes other requests, and always the same.
const SEEDS: [u32; 3] = [70_707, 80_808, 90_909];
/// More than 250 changes of each would meet the limit of an account (`schemathesis/hooks.py`).
const ACCOUNTS_A_SEED: usize = 8;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_is_sent_is_answered_as_the_document_says() {
    let Some(programs) = std::env::var_os("INNKEEPER_SCHEMATHESIS").map(PathBuf::from) else {
        println!("skipped: Schemathesis is not installed; `./dev test http` installs it");
        return;
    };
    let folder = tempfile::tempdir().expect("a folder");
    let (mail_port, tokens) = mail_server();
    let config = write_config(folder.path());
    let text = fs::read_to_string(&config).expect("written");
    let text = text.replace("port = 1\n", &format!("port = {mail_port}\n"));
    fs::write(&config, text).expect("written");
    let service = Service::start(&config);
    let mut sessions = Vec::new();
    for number in 0..SEEDS.len() * ACCOUNTS_A_SEED {
        // One address may sign up twenty times an hour.
        let from = format!("198.51.{number}.1");
        let login_id = format!("schema{number}");
        sessions.push(session(service.api, &tokens, (&from, &login_id)).await);
    }

    let document = folder.path().join("openapi.json");
    let (_, served) = ask(service.api, "/openapi.json", &[], None).await;
    fs::write(&document, served.to_string()).expect("written");
    let validator = Command::new(programs.join("openapi-spec-validator"))
        .arg(&document)
        .output()
        .expect("it runs");
    let said = [validator.stdout, validator.stderr].concat();
    assert!(
        validator.status.success(),
        "{}",
        String::from_utf8_lossy(&said)
    );

    let made_up = ["made-up".to_owned()];
    for (seed, its) in SEEDS.into_iter().zip(sessions.chunks(ACCOUNTS_A_SEED)) {
        let start = |sessions| schemathesis(&programs, &document, service.api, seed, sessions);
        let both = [start(&made_up[..]), start(its)];
        for run in both {
            let output = run.wait_with_output().expect("it ends");
            let said = String::from_utf8_lossy(&output.stdout);
            assert!(output.status.success(), "seed {seed}: {said}");
            let tested = said.lines().find(|line| line.contains(" generated, "));
            println!("seed {seed}: {}", tested.unwrap_or_default().trim());
        }
    }
    for session in sessions {
        let authorization = format!("Bearer {session}");
        let headers = [("authorization", authorization.as_str())];
        let (status, me) = ask(service.api, "/me", &headers, None).await;
        assert_eq!(status, 200, "the session lasted to the end: {me}");
    }
}

fn schemathesis(
    programs: &Path,
    document: &Path,
    api: SocketAddr,
    seed: u32,
    sessions: &[String],
) -> Child {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/schemathesis");
    Command::new(programs.join("schemathesis"))
        .arg("--config-file")
        .arg(folder.join("schemathesis.toml"))
        .arg("run")
        .arg(document)
        .args(["--no-color", "--url", &format!("http://{api}/api/v1")])
        .args(["--seed", &seed.to_string()])
        .args([
            "--header",
            &format!("x-innkeeper-portal-key:{}", service::PORTAL_KEY),
        ])
        // Where it may leave things.
        .current_dir(document.parent().expect("it is in a folder"))
        // The sessions must last.
        .args(["--exclude-operation-id", "sign_out"])
        .args(["--exclude-operation-id", "end_session"])
        .env("INNKEEPER_SESSIONS", sessions.join(" "))
        .env("SCHEMATHESIS_HOOKS", "hooks")
        .env("PYTHONPATH", &folder)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts")
}

async fn ask(
    api: SocketAddr,
    path: &str,
    headers: &[(&str, &str)],
    body: Option<&Value>,
) -> (u16, Value) {
    service::ask(api, path, headers, body)
        .await
        .expect("an answer")
}

/// The token of a customer who has signed up, confirmed his address and signed in.
async fn session(
    api: SocketAddr,
    mailed: &mpsc::Receiver<String>,
    (from, login_id): (&str, &str),
) -> String {
    let signup = json!({
        "login_id": login_id,
        "name": "Schema",
        "email": format!("{login_id}@example.com"),
        "password": PASSWORD,
        "accepted_terms": "2026-11",
        "locale": "en",
    });
    let post = async |path, body: Value| {
        let headers = [
            ("x-innkeeper-portal-key", service::PORTAL_KEY),
            ("x-forwarded-for", from),
        ];
        let (status, answer) = ask(api, path, &headers, Some(&body)).await;
        assert!(status < 300, "{path}: {answer}");
        answer
    };
    post("/signups", signup).await;
    let token = tokio::task::block_in_place(|| mailed.recv()).expect("a mail");
    post("/email-confirmations", json!({ "token": token })).await;
    let login = json!({ "login": login_id, "password": PASSWORD });
    let session = post("/sessions", login).await;
    session["token"].as_str().expect("a token").to_owned()
}

/// A mail server that takes everything, and gives the token of each link that has one.
fn mail_server() -> (u16, mpsc::Receiver<String>) {
    let socket = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = socket.local_addr().expect("bound").port();
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        for stream in socket.incoming() {
            let stream = stream.expect("a connection");
            let sender = sender.clone();
            std::thread::spawn(move || take_mails(&stream, &sender));
        }
    });
    (port, receiver)
}

fn take_mails(stream: &TcpStream, tokens: &mpsc::Sender<String>) -> Option<()> {
    let mut answers = stream;
    let mut say = |text: &str| answers.write_all(text.as_bytes()).ok();
    say("220 here\r\n")?;
    let (mut in_mail, mut mail) = (false, String::new());
    for line in BufReader::new(stream).lines() {
        let line = line.ok()?;
        match (in_mail, line.as_str()) {
            (false, "DATA") => {
                in_mail = true;
                say("354 go on\r\n")?;
            }
            (false, _) => say("250 yes\r\n")?,
            (true, ".") => {
                in_mail = false;
                // Quoted-printable: long lines go on behind a `=`.
                let text = std::mem::take(&mut mail)
                    .replace("=\n", "")
                    .replace("=3D", "=");
                let link = text.split_once("token=").map(|(_, rest)| rest);
                let token = link.and_then(|rest| rest.split(['&', '\n', '\r', ' ']).next());
                if let Some(token) = token {
                    // Nobody listens any more when the test is over.
                    tokens.send(token.to_owned()).ok()?;
                }
                say("250 taken\r\n")?;
            }
            (true, line) => {
                mail += line;
                mail.push('\n');
            }
        }
    }
    Some(())
}
