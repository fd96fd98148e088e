//! The runbook of the README, with the program itself: a store is checked, verified, backed up, lost and restored,
//! and what happened in the lost time comes to light.

use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    sync::mpsc::{Receiver, Sender, channel},
    time::Duration,
};

use hyper::Method;
use serde_json::{Value, json};

use crate::{
    host::Host,
    service::{PASSWORD, Service, ask, ask_to, run, write_config},
};

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

/// A mail server that hands on the tokens in what it is given.
pub(crate) fn mail_server() -> (u16, Receiver<String>) {
    let socket = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = socket.local_addr().expect("bound").port();
    let (tokens, received) = channel();
    std::thread::spawn(move || {
        for stream in socket.incoming() {
            // Whoever hangs up has nothing more to send.
            drop(receive(&stream.expect("a connection"), &tokens));
        }
    });
    (port, received)
}

fn receive(mut stream: &TcpStream, tokens: &Sender<String>) -> std::io::Result<()> {
    stream.write_all(b"220 mail\r\n")?;
    let mut lines = BufReader::new(stream).lines();
    while let Some(line) = lines.next() {
        let answer: &[u8] = match line?.get(..4).unwrap_or_default() {
            "DATA" => {
                stream.write_all(b"354 go on\r\n")?;
                let mut mail = String::new();
                for line in lines.by_ref() {
                    let line = line?;
                    if line == "." {
                        break;
                    }
                    mail += line.strip_suffix('=').unwrap_or(&line);
                    if !line.ends_with('=') {
                        mail.push('\n');
                    }
                }
                if let Some((_, rest)) = mail.split_once("token=") {
                    let token = rest.split_whitespace().next().unwrap_or_default();
                    let token = token.strip_prefix("3D").unwrap_or(token);
                    tokens.send(token.to_owned()).ok();
                }
                b"250 taken\r\n"
            }
            "QUIT" => b"221 bye\r\n",
            _ => b"250 fine\r\n",
        };
        stream.write_all(answer)?;
    }
    Ok(())
}

/// A customer over the REST API.
pub(crate) struct Customer {
    pub(crate) token: String,
    key: String,
}

impl Customer {
    pub(crate) async fn sign_up(api: SocketAddr, mails: &Receiver<String>) -> Self {
        let body = json!({
            "login_id": "minji90",
            "name": "Minji",
            "email": "minji90@example.com",
            "password": PASSWORD,
            "accepted_terms": "2026-11",
            "locale": "en",
        });
        expect(201, ask(api, "/signups", &[], Some(&body)).await);
        let token = mails.recv_timeout(Duration::from_secs(60)).expect("a mail");
        let body = json!({ "token": token });
        expect(
            204,
            ask(api, "/email-confirmations", &[], Some(&body)).await,
        );
        let mut customer = Self {
            token: Self::sign_in(api).await,
            key: String::new(),
        };
        let bearer = format!("Bearer {}", customer.token);
        let profile = json!({
            "kind": "individual", "name": "Minji", "country": "KR", "address": "1 Sejong-daero, Seoul",
            "mobile": "+821012345678", "emails": ["minji90@example.com"],
        });
        let authorization = [("authorization", bearer.as_str())];
        let given = ask_to(
            api,
            Method::PUT,
            "/billing/profile",
            &authorization,
            Some(&profile),
        );
        expect(200, given.await);
        let key =
            "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEB";
        let body = json!({ "name": "laptop", "public_key": key });
        let key = expect(201, customer.ask(api, "/me/ssh-keys", Some(&body)).await);
        key["id"]
            .as_str()
            .expect("an id")
            .clone_into(&mut customer.key);
        customer
    }

    /// The token of a new session.
    pub(crate) async fn sign_in(api: SocketAddr) -> String {
        let body = json!({ "login": "minji90", "password": PASSWORD });
        let session = expect(201, ask(api, "/sessions", &[], Some(&body)).await);
        session["token"].as_str().expect("a token").to_owned()
    }

    pub(crate) async fn ask(
        &self,
        api: SocketAddr,
        path: &str,
        body: Option<&Value>,
    ) -> (u16, Value) {
        let bearer = format!("Bearer {}", self.token);
        let headers = [
            ("authorization", bearer.as_str()),
            ("idempotency-key", path),
        ];
        let answer = ask(api, path, &headers, body).await;
        answer.expect("an answer")
    }

    /// Orders a server; the answer, which is that to the quote when there is none.
    pub(crate) async fn order(&self, api: SocketAddr, name: &str) -> (u16, Value) {
        let body = json!({
            "site": "seoul-1",
            "plan": "s1",
            "image": "debian-12",
            "name": name,
            "ssh_keys": [self.key],
        });
        let (status, quote) = self.ask(api, "/quotes", Some(&body)).await;
        if status != 201 {
            return (status, quote);
        }
        let body = json!({ "quote": quote["id"], "accept_cautions": true });
        let bearer = format!("Bearer {}", self.token);
        let headers = [
            ("authorization", bearer.as_str()),
            ("idempotency-key", name),
        ];
        let answer = ask(api, "/orders", &headers, Some(&body)).await;
        answer.expect("an answer")
    }

    async fn server(&self, api: SocketAddr, order: &Value) -> Value {
        let path = format!("/servers/{}", order["server"].as_str().expect("an id"));
        expect(200, self.ask(api, &path, None).await)
    }
}

#[track_caller]
pub(crate) fn expect(status: u16, answer: impl Into<Option<(u16, Value)>>) -> Value {
    let (found, body) = answer.into().expect("an answer");
    assert_eq!(found, status, "{body}");
    body
}

/// An installation with its operator.
pub(crate) struct Installation {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) config: PathBuf,
}

impl Installation {
    pub(crate) fn new(mail_port: u16) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let config = write_config(folder.path());
        let text = fs::read_to_string(&config).expect("written");
        let text = text.replace("port = 1\n", &format!("port = {mail_port}\n"));
        fs::write(&config, text).expect("written");
        Self { folder, config }
    }

    pub(crate) fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    /// What a command says that does what it shall.
    #[track_caller]
    pub(crate) fn run(&self, arguments: &[&str]) -> String {
        let (fine, said) = run(&self.config, arguments);
        assert!(fine, "{arguments:?}: {said}");
        said
    }

    /// Why a command refuses.
    #[track_caller]
    fn refused(&self, arguments: &[&str], why: &str) {
        let (fine, said) = run(&self.config, arguments);
        assert!(!fine && said.contains(why), "{arguments:?}: {said}");
    }

    pub(crate) async fn host(&self, service: &Service, name: &str, room: u64) -> Host {
        let line = self.run(&["host", "invite", name, "--site", "seoul-1"]);
        let mut host = Host::join(service.agents, &line, room).await;
        assert_eq!(host.report(service.agents).await, 200);
        host
    }
}

/// Puts the copy back as it was, as somebody does who has not read the manual.
fn put_back(backup: &Path, store: &Path) {
    let journal = store.join("journal");
    fs::create_dir_all(&journal).expect("a folder");
    for file in fs::read_dir(backup.join("journal")).expect("a copy") {
        let file = file.expect("a file");
        fs::copy(file.path(), journal.join(file.file_name())).expect("copied");
    }
}

/// A store that is lost, with a backup. After the backup one host joined and got a server, and another one joined and
/// was revoked.
struct Lost {
    operator: Installation,
    backup: String,
    customer: Customer,
    joined: Host,
    bad: Host,
}

impl Lost {
    async fn new() -> Self {
        let (port, mails) = mail_server();
        let operator = Installation::new(port);
        let service = Service::start(&operator.config);
        let (api, agents) = (service.api, service.agents);
        let customer = Customer::sign_up(api, &mails).await;
        let _stays_away = operator.host(&service, "h1", 0).await;
        let backup = operator.path("backup");
        operator.run(&["backup", "--to", &backup]);

        let mut joined = operator.host(&service, "h7", 9).await;
        let order = expect(201, customer.order(api, "lost").await);
        joined.poll(agents).await;
        joined.carry(&customer.server(api, &order).await);
        let mut bad = operator.host(&service, "h8", 0).await;
        operator.run(&["host", "revoke", "h8", "--reason", "broken", "--confirm"]);
        assert_eq!(bad.report(agents).await, 401);
        assert_eq!(joined.report(agents).await, 200);
        fs::write(operator.path("witnesses"), joined.witnesses()).expect("written");
        service.kill();

        Self {
            operator,
            backup,
            customer,
            joined,
            bad,
        }
    }
}

/// First as somebody does it who has not read the manual, which the witnesses of a host prove, and then as in there.
fn restore(operator: &Installation, backup: &str) -> Service {
    // What the host was told proves that a copy which was put back has lost commits.
    let store = operator.folder.path().join("data/store");
    fs::rename(&store, operator.path("store.lost")).expect("moved");
    put_back(Path::new(backup), &store);
    let verify = ["audit", "verify", "--witness", &operator.path("witnesses")];
    operator.refused(&verify, "its end was CUT OFF");
    fs::rename(&store, operator.path("store.put-back")).expect("moved");
    operator.run(&["restore", "--from", backup]);
    let said = operator.run(&verify);
    assert!(
        said.contains("1 are of commits that a restore left behind"),
        "{said}"
    );

    Service::start(&operator.config)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_joined_in_the_lost_time_is_seen_and_decided_and_its_addresses_stay_its_own() {
    let Lost {
        operator,
        backup,
        mut customer,
        mut joined,
        mut bad,
    } = Lost::new().await;
    let (server, addresses) = {
        let held = &joined.servers[0];
        (held.server, held.addresses.clone())
    };
    let service = restore(&operator, &backup);
    let (api, agents) = (service.api, service.agents);
    customer.token = Customer::sign_in(api).await;
    // Both that joined since come with valid certificates, and nobody can tell who was revoked.
    for host in [&mut joined, &mut bad] {
        for _ in 0..2 {
            assert_eq!(host.report(agents).await, 200);
        }
    }
    let said = operator.run(&["recovery", "show"]);
    for expected in [
        format!("{}: IN NO RECORD", joined.id),
        format!("{}: IN NO RECORD", bad.id),
        format!(
            "it has {server}, which has {}, {}",
            addresses[0], addresses[1]
        ),
        format!("held: {} for {server} on {}", addresses[0], joined.id),
        "h1: HAS NOT REPORTED".to_owned(),
        "which hosts were revoked since".to_owned(),
    ] {
        assert!(said.contains(&expected), "{expected}\n{said}");
    }
    operator.refused(&["recovery", "finish"], "is in no record");
    let (id, bad_id) = (joined.id.to_string(), bad.id.to_string());
    lost_store_tells_who_was_revoked(&operator, &id, &bad_id);
    operator.run(&["recovery", "dismiss", &bad_id]);
    assert_eq!(bad.report(agents).await, 401);
    let readmit = ["recovery", "readmit", &id, "--site", "seoul-1", "--name"];
    operator.refused(
        &[&readmit[..], &["h1"]].concat(),
        "there is a host called h1",
    );
    operator.run(&[&readmit[..], &["h7"]].concat());
    assert_eq!(joined.report(agents).await, 200);
    operator.refused(&["recovery", "finish"], "h1 has not reported");
    operator.run(&["recovery", "finish", "--without", "h1"]);

    // The host goes on with its certificate; its server is listed, and nobody gets its addresses.
    joined.poll(agents).await;
    assert!(joined.epoch > 1, "it follows the restored records");
    let said = operator.run(&["recovery", "show"]);
    assert!(said.contains("open, with 1 hosts left behind"), "{said}");
    assert!(
        said.contains(&format!("no record knows {server}")),
        "{said}"
    );
    let refused = expect(503, customer.order(api, "early").await);
    assert_eq!(
        refused["code"], "unavailable",
        "h1 may use any address: {refused}"
    );
    assert_eq!(
        joined
            .get(agents, "/desired?epoch=0&generation=0&wait_s=0")
            .await,
        200
    );

    release(&operator, &service, &mut joined).await;
    service.kill();
}

fn lost_store_tells_who_was_revoked(operator: &Installation, good: &str, bad: &str) {
    let lost = operator.path("store.lost");
    let list = ["audit", "list", "--store", &lost, "--about"];
    for (host, was_revoked) in [(good, false), (bad, true)] {
        let said = operator.run(&[&list[..], &[host]].concat());
        assert!(said.contains(&format!("{host}: join, req_")), "{said}");
        let revoked = format!("operator: revoke {host}");
        assert_eq!(said.contains(&revoked), was_revoked, "{said}");
    }
}

/// An address is given back once the server is removed, and not before.
async fn release(operator: &Installation, service: &Service, joined: &mut Host) {
    let address = joined.servers[0].addresses[0].to_string();
    let command = ["recovery", "release", &address];
    operator.refused(&command, "may still use");
    joined.servers.clear();
    assert_eq!(joined.report(service.agents).await, 200);
    operator.run(&command);
    operator.refused(&command, "is held neither");
    let said = operator.run(&["recovery", "show"]);
    assert!(!said.contains(&format!("held: {address}")), "{said}");
}
