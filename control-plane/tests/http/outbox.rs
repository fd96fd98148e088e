//! The outbox against a mail server that answers each command as a test wants it: whatever is not the fault of a mail
//! never ends it (trial B6).

use std::sync::{Arc, Mutex};

use axum::http::Method;
use innkeeper_control_plane::{
    config::{self, MailEncryption},
    kernel::{Actor, duty::Turn as _},
    mails::rules::MailKind,
    providers::mail::Mailer,
    work::outbox::Outbox,
};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

use crate::{
    operators::{look, newest_commit, operate},
    setting::{Setting, signup, why},
};

/// On what a command begins with, and what is answered. An empty answer hangs up.
type Answer = (&'static str, &'static str);

const FRIENDLY: Answer = ("nothing", "");

/// A mail server that is friendly but for one answer.
struct Sink {
    port: u16,
    answer: Arc<Mutex<Answer>>,
    /// What it was told, a line each.
    heard: Arc<Mutex<Vec<String>>>,
    task: JoinHandle<()>,
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Sink {
    async fn open(answer: Answer) -> Self {
        let socket = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = socket.local_addr().expect("an address").port();
        let heard = Arc::<Mutex<Vec<String>>>::default();
        let answer = Arc::new(Mutex::new(answer));
        let (notes, now) = (Arc::clone(&heard), Arc::clone(&answer));
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = socket.accept().await {
                let answer = *now.lock().expect("no panics");
                talk(stream, answer, &notes).await;
            }
        });
        Self {
            port,
            answer,
            heard,
            task,
        }
    }

    fn change(&self, answer: Answer) {
        *self.answer.lock().expect("no panics") = answer;
    }

    /// Whether it was told such a line.
    fn has(&self, line: &str) -> bool {
        let heard = self.heard.lock().expect("no panics");
        heard.iter().any(|heard| heard == line)
    }

    fn mailer(&self, folder: &tempfile::TempDir) -> Mailer {
        let password = folder.path().join("password");
        std::fs::write(&password, "secret\n").expect("written");
        let config = config::Mail {
            host: "127.0.0.1".to_owned(),
            port: self.port,
            encryption: MailEncryption::None,
            from: "Example Cloud <noreply@cloud.example>".to_owned(),
            hello_name: None,
            username: Some("innkeeper".to_owned()),
            password_file: Some(password),
        };
        let names = ["192.0.2.1", "control.cloud.example"].map(str::to_owned);
        Mailer::new(&config, &names).expect("good settings")
    }
}

async fn talk(mut stream: TcpStream, (on, answer): Answer, notes: &Mutex<Vec<String>>) {
    let (reader, mut writer) = stream.split();
    let mut lines = BufReader::new(reader).lines();
    let mut in_content = false;
    let mut line = "greeting".to_owned();
    loop {
        notes.lock().expect("no panics").push(line.clone());
        let is_end = in_content && line == ".";
        let step = if is_end { "content" } else { &*line };
        let reply = match step {
            _ if in_content && !is_end => "",
            _ if step.starts_with(on) && answer.is_empty() => return,
            _ if step.starts_with(on) => answer,
            "greeting" => "220 mail.example",
            "DATA" => "354 go on",
            "QUIT" => "221 bye",
            _ if step.starts_with("EHLO") => "250-mail.example\r\n250 AUTH PLAIN",
            _ if step.starts_with("AUTH") => "235 known",
            _ => "250 well",
        };
        in_content = (in_content && !is_end) || (step == "DATA" && reply.starts_with('3'));
        let said = if reply.is_empty() {
            String::new()
        } else {
            format!("{reply}\r\n")
        };
        if writer.write_all(said.as_bytes()).await.is_err() {
            return;
        }
        match lines.next_line().await {
            Ok(Some(next)) => line = next,
            _ => return,
        }
    }
}

/// How many mails had this outcome.
fn counted(setting: &Setting, outcome: &str) -> u64 {
    let text = setting.metrics.render(&setting.nouns);
    let text = String::from_utf8(text).expect("a text");
    let name = format!("innkeeper_mails_total{{outcome=\"{outcome}\"}} ");
    let line = text.lines().find_map(|line| line.strip_prefix(&name));
    line.expect("there from the start")
        .parse()
        .expect("a number")
}

/// What becomes of a mail: it is given up, it waits, or none goes out.
const ENDS: &str = "given_up";
const WAITS: &str = "retried";
const SESSION: &str = "no_server";
/// What a mail server answers to what, and what becomes of the mail.
const ANSWERS: &[(&str, &str, &str)] = &[
    ("greeting", "554 5.7.1 go away", SESSION),
    ("greeting", "421 too busy", SESSION),
    ("greeting", "", SESSION),
    ("EHLO", "550 5.7.1 who are you", SESSION),
    ("EHLO", "250 mail.example", SESSION),
    ("AUTH", "535 5.7.8 no", SESSION),
    ("AUTH", "454 4.7.0 later", SESSION),
    ("MAIL", "530 5.7.0 must sign in", SESSION),
    ("MAIL", "550 5.7.1 relaying denied", SESSION),
    ("MAIL", "554 relay denied", SESSION),
    ("MAIL", "554 5.7.1 host blocked", SESSION),
    ("MAIL", "451 4.3.0 later", SESSION),
    ("MAIL", "", SESSION),
    ("RCPT", "550 5.1.1 <minji@example.com>: no such user", ENDS),
    ("RCPT", "550-5.1.1 no such user\r\n550 5.1.1 really", ENDS),
    ("RCPT", "550 no such user", ENDS),
    ("RCPT", "552 5.2.2 mailbox full", ENDS),
    (
        "RCPT",
        "554 5.7.1 minji@example.com: Relay access denied",
        WAITS,
    ),
    ("RCPT", "550 relay not permitted", WAITS),
    ("RCPT", "554 5.7.1 Client host blocked", WAITS),
    ("RCPT", "530 5.7.0 must sign in", WAITS),
    ("RCPT", "550 5.1.8 bad sender", WAITS),
    ("RCPT", "450 4.2.0 minji@example.com is greylisted", WAITS),
    ("RCPT", "", WAITS),
    ("DATA", "554 5.5.1 no", ENDS),
    ("DATA", "451 later", WAITS),
    ("content", "554 5.7.1 spam", ENDS),
    ("content", "554 5.7.1 message contains a virus", ENDS),
    ("content", "550 5.6.0 not a mail", ENDS),
    ("content", "552 5.3.4 too large", ENDS),
    ("content", "554 refused", ENDS),
    (
        "content",
        "554 5.7.1 Client host rejected: blocked using a list",
        WAITS,
    ),
    (
        "content",
        "550 5.7.1 IP address has a poor reputation",
        WAITS,
    ),
    ("content", "550 5.7.26 DMARC says no", WAITS),
    ("content", "550 5.7.23 no", WAITS),
    ("content", "550 SPF check failed", WAITS),
    ("content", "550 5.1.8 bad sender", WAITS),
    ("content", "530 5.7.0 must sign in", WAITS),
    ("content", "452 4.3.1 no room", WAITS),
    ("content", "", WAITS),
];

/// What is not the mail's fault never ends it (trial B6): only its recipient or its content does, and not what somebody has
/// against its sender, even if he says so behind the content.
#[tokio::test]
async fn only_a_refusal_of_recipient_or_content_ends_a_mail() {
    for (on, answer, expected) in ANSWERS {
        let setting = Setting::new();
        setting
            .post("/signups", None, signup("minji90"))
            .await
            .expect(201);
        let sink = Sink::open((on, answer)).await;
        let folder = tempfile::tempdir().expect("a folder");
        let metrics = setting.metrics.clone();
        let mut outbox = Outbox::new(setting.nouns.clone(), sink.mailer(&folder), metrics);
        let mails = &setting.nouns.mails;
        let queued = mails.queued(10).expect("readable").remove(0);
        let outcome = outbox.turn().await;
        let told = outcome.failure.expect("it did not go out");
        assert_eq!(counted(&setting, expected), 1, "{on} {answer}: {told}");
        let code = answer.get(..3).filter(|code| !code.starts_with('2'));
        assert!(told.contains(code.unwrap_or_default()), "{told}");
        assert!(!told.contains("minji"), "{told}");

        sink.change(FRIENDLY);
        // At once it is not tried again: whoever is asked too often stays unfriendly.
        outbox.turn().await;
        assert_eq!(counted(&setting, "sent"), 0, "{on} {answer}");
        let answered = mails.tried(queued.id).map(|tried| tried.answer);
        assert_eq!(answered.is_some(), *expected != ENDS, "{answered:?}");
        assert_eq!(mails.given_up().len(), usize::from(*expected == ENDS));
        setting.clock.advance_s(5);
        outbox.turn().await;
        assert_eq!(
            counted(&setting, "sent"),
            u64::from(*expected != ENDS),
            "{on} {answer}"
        );
        assert!(setting.mails(MailKind::ConfirmEmail).await.is_empty());
    }
}

#[tokio::test]
async fn a_mail_server_is_greeted_by_a_real_name_and_told_goodbye() {
    let setting = Setting::new();
    setting
        .post("/signups", None, signup("minji90"))
        .await
        .expect(201);
    let sink = Sink::open(FRIENDLY).await;
    let folder = tempfile::tempdir().expect("a folder");
    let metrics = setting.metrics.clone();
    let mut outbox = Outbox::new(setting.nouns.clone(), sink.mailer(&folder), metrics);
    let outcome = outbox.turn().await;
    assert_eq!(
        (outcome.done, outcome.backlog, outcome.failure),
        (1, 0, None)
    );
    for line in [
        "EHLO control.cloud.example",
        "MAIL FROM:<noreply@cloud.example>",
        "RCPT TO:<minji90@example.com>",
        "QUIT",
    ] {
        assert!(sink.has(line), "{line}");
    }
}

/// After the mail server was mended nobody has to wait for the pause to end.
#[tokio::test]
async fn an_operator_can_have_all_mails_tried_at_once() {
    let setting = Setting::new();
    for login in ["minji90", "jihun91", "mallory"] {
        setting
            .post("/signups", None, signup(login))
            .await
            .expect(201);
    }
    let sink = Sink::open(("greeting", "554 go away")).await;
    let folder = tempfile::tempdir().expect("a folder");
    let metrics = setting.metrics.clone();
    let mut outbox = Outbox::new(setting.nouns.clone(), sink.mailer(&folder), metrics);
    assert_eq!(outbox.turn().await.backlog, 3);
    assert_eq!(
        counted(&setting, "no_server"),
        1,
        "the others would hear the same"
    );
    sink.change(FRIENDLY);
    let why = why();
    let tried = setting.nouns.mails.retry_all(Actor::Operator, &why);
    tried.await.expect("noted");
    let (_, cause) = newest_commit(&setting);
    assert_eq!(cause, "try all mails that wait: asked for");
    assert_eq!(outbox.turn().await.done, 3);
}

/// The reason stands beside the account alone, and the audit trail tells it for as long as it can be read.
async fn its_owner_has_the_reason(setting: &Setting, mail: &str, account: &Value) {
    let account = format!("/accounts/{}", account.as_str().expect("an id"));
    let act = look(setting, &account).await["acts"][0].clone();
    assert_eq!(act["deed"], json!({ "kind": "mail-retried", "mail": mail }));
    assert_eq!(act["reason"], "Kim has called");
    let (_, cause) = newest_commit(setting);
    assert!(
        cause.starts_with(&format!("try mail {mail}, req_")),
        "{cause}"
    );
    let audit = look(setting, &format!("/audit?about={mail}")).await;
    assert_eq!(audit["data"][0]["reason"], "Kim has called");
}

/// The only mail that is listed.
async fn listed(setting: &Setting) -> Value {
    let list = look(setting, "/mails").await;
    let mails = list["data"].as_array().expect("a list");
    assert_eq!(mails.len(), 1, "{list}");
    mails[0].clone()
}

#[tokio::test]
async fn an_operator_has_one_mail_tried_again_or_not_sent_at_all() {
    let setting = Setting::new();
    let signed_up = setting.post("/signups", None, signup("minji90")).await;
    signed_up.expect(201);
    let no_mailbox = ("RCPT", "550 5.1.1 no such mailbox");
    let sink = Sink::open(no_mailbox).await;
    let folder = tempfile::tempdir().expect("a folder");
    let metrics = setting.metrics.clone();
    let mut outbox = Outbox::new(setting.nouns.clone(), sink.mailer(&folder), metrics);
    outbox.turn().await;
    let mail = listed(&setting).await;
    assert_eq!(
        (&mail["state"], &mail["tries"]),
        (&json!("given_up"), &json!(1))
    );
    assert_eq!(
        (&mail["kind"], &mail["login_id"]),
        (&json!("confirm-email"), &json!("minji90"))
    );
    assert!(mail["answer"].to_string().contains("550"), "{mail}");
    let id = mail["id"].as_str().expect("an id").to_owned();
    let ask = async |path: &str| {
        let path = format!("/mails/{path}");
        let body = json!({ "reason": "Kim has called" });
        operate(&setting, Method::POST, &path, body).await
    };
    // Given up, it waits again, and once only.
    ask(&format!("{id}/retry")).await.expect(204);
    let again = listed(&setting).await;
    assert_eq!(
        (&again["id"], &again["state"]),
        (&mail["id"], &json!("waiting"))
    );
    assert_eq!(again["queued_at"], mail["queued_at"]);
    its_owner_has_the_reason(&setting, &id, &mail["account"]).await;
    // Waiting, it is due at once.
    sink.change(("greeting", "421 later"));
    assert_eq!(outbox.turn().await.backlog, 1);
    assert!(listed(&setting).await["next_try"].is_string());
    ask(&format!("{id}/retry")).await.expect(204);
    assert!(listed(&setting).await["next_try"].is_null());
    // Dropped, it is gone.
    ask(&format!("{id}/drop")).await.expect(204);
    assert_eq!(look(&setting, "/mails").await["data"], json!([]));
    sink.change(FRIENDLY);
    assert_eq!(outbox.turn().await.done, 0);
    for deed in ["retry", "drop"] {
        ask(&format!("{id}/{deed}")).await.expect(404);
    }
    // So is one that was given up.
    let signed_up = setting.post("/signups", None, signup("jihun91")).await;
    signed_up.expect(201);
    sink.change(no_mailbox);
    outbox.turn().await;
    let id = listed(&setting).await["id"]
        .as_str()
        .expect("an id")
        .to_owned();
    ask(&format!("{id}/drop")).await.expect(204);
    assert_eq!(
        look(&setting, "/mails?state=given_up").await["data"],
        json!([])
    );
}
