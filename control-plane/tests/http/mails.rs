//! Mails to customers: which cause puts which mail into the outbox, once; what they say in the account's language and
//! zone; and what keeps waiting when a mail can't go.

use innkeeper_control_plane::mails::{ReadyMail, rules::MailKind};
use innkeeper_wire::host::{ObservedServer, ObservedState, ServerProblem, ServerProblemCode};
use serde_json::json;

use crate::{
    servers::Story,
    setting::{PASSWORD, Setting, signup},
};

const WRONG: &str = "wrong wrong wrong";
const READY: ObservedState = ObservedState::Running { ready: true };

/// The only mail of a kind.
async fn only(setting: &Setting, kind: MailKind) -> ReadyMail {
    let mut mails = setting.mails(kind).await;
    assert_eq!(mails.len(), 1, "{}", kind.as_str());
    mails.remove(0)
}

async fn count(setting: &Setting, kind: MailKind) -> usize {
    setting.mails(kind).await.len()
}

async fn queue_late(setting: &Setting) {
    let queued = setting.nouns.accounts.queue_late_mails().await;
    queued.expect("looked up");
}

#[track_caller]
fn says(mail: &ReadyMail, parts: &[&str]) {
    let text = format!("{}\n{}", mail.letter.subject, mail.letter.body);
    for part in parts {
        assert!(text.contains(part), "{part} in {text}");
    }
}

#[tokio::test]
async fn a_servers_life_is_told_to_its_owner_once_each() {
    let story = Story::begin().await;
    let setting = &story.setting;
    let welcome = only(setting, MailKind::Welcome).await;
    assert_eq!(welcome.to, "minji90@example.com");
    says(&welcome, &["https://portal.cloud.example/sign-in?lang=ko"]);
    let key = only(setting, MailKind::KeyAdded).await;
    says(&key, &["SHA256:", "ssh-ed25519"]);
    assert!(!key.letter.body.contains("laptop"), "its name was typed");
    assert_eq!(count(setting, MailKind::ServerReady).await, 0);
    for _ in 0..3 {
        story.report(story.seen(READY, 1)).await;
    }
    let ready = only(setting, MailKind::ServerReady).await;
    let view = story.view().await;
    let address = view["addresses"][0].as_str().expect("an address");
    let id = view["id"].as_str().expect("an id");
    let page = format!("https://portal.cloud.example/servers/{id}?lang=ko");
    says(
        &ready,
        &["web-1", address, &format!("root@{address}"), &page],
    );
    // The clock stands at 14:13 UTC.
    says(&ready, &["2026년 9월 21일 23:13 KST"]);
    story.delete().await;
    story.report(story.seen(ObservedState::Absent, 1)).await;
    let deleted = only(setting, MailKind::ServerDeleted).await;
    says(
        &deleted,
        &["2026년 9월 21일 23:13 KST", "2026년 9월 28일까지 보관"],
    );
    assert_eq!(count(setting, MailKind::CreateFailed).await, 0);
    assert_eq!(count(setting, MailKind::ServerReady).await, 0, "it is gone");
}

#[tokio::test]
async fn a_failed_creation_is_told_once_with_its_reason() {
    let story = Story::begin().await;
    let setting = &story.setting;
    let failing = ObservedServer {
        problem: Some(ServerProblem {
            code: ServerProblemCode::DiskFailed,
            detail: "no room on vdb".to_owned(),
            attempts: 5,
        }),
        ..story.seen(ObservedState::Absent, 0)
    };
    for _ in 0..3 {
        story.report(failing.clone()).await;
    }
    let failed = only(setting, MailKind::CreateFailed).await;
    says(
        &failed,
        &[
            "디스크를 만들지 못했습니다.",
            "청구되지 않습니다",
            "23:13 KST",
        ],
    );
    assert!(!failed.letter.body.contains("vdb"), "for operators alone");
    story.delete().await;
    assert_eq!(
        count(setting, MailKind::ServerDeleted).await,
        0,
        "it was gone already"
    );
}

/// Wrong passwords are told to whom they were tried at, once a day; nobody learns who that is.
#[tokio::test]
async fn a_lock_is_told_to_the_owner_of_what_was_typed_once_a_day() {
    let setting = Setting::new();
    setting.customer("minji90").await;
    setting
        .post("/signups", None, signup("jihun91"))
        .await
        .expect(201);
    let guess = async |login: &str, network: u8| {
        let address = format!("192.0.{network}.1");
        for _ in 0..5 {
            let wrong = setting.sign_in_from(&address, login, WRONG, None).await;
            wrong.expect(401);
        }
        queue_late(&setting).await;
    };
    guess("nobody99", 1).await;
    guess("jihun91", 2).await;
    assert_eq!(count(&setting, MailKind::SignInLocked).await, 0);
    guess("minji90", 3).await;
    let locked = only(&setting, MailKind::SignInLocked).await;
    assert_eq!(locked.to, "minji90@example.com");
    says(&locked, &["192.0.3.0/24", "23:13 KST"]);
    guess("minji90@example.com", 4).await;
    guess("minji90", 5).await;
    assert_eq!(
        count(&setting, MailKind::SignInLocked).await,
        1,
        "once a day"
    );
    setting.clock.advance_s(24 * 3_600);
    guess("minji90", 6).await;
    assert_eq!(count(&setting, MailKind::SignInLocked).await, 2);
}

#[tokio::test]
async fn a_sign_in_from_a_strange_device_is_told() {
    let setting = Setting::new();
    let home = "198.51.100.1";
    setting
        .post_from(home, "/signups", signup("minji90"))
        .await
        .expect(201);
    let token = setting.mailed_token().await;
    let confirmation = json!({ "token": token });
    setting
        .post("/email-confirmations", None, confirmation)
        .await
        .expect(204);
    let sign_in = async |address: &str, device: Option<&str>| {
        let session = setting.sign_in_from(address, "minji90", PASSWORD, device);
        let session = session.await.expect(201);
        session["device"].as_str().expect("a device").to_owned()
    };
    let device = sign_in(home, None).await;
    assert_eq!(
        count(&setting, MailKind::NewSignIn).await,
        0,
        "where it signed up"
    );
    sign_in("192.0.2.1", Some(&device)).await;
    assert_eq!(
        count(&setting, MailKind::NewSignIn).await,
        0,
        "a known device"
    );
    sign_in("192.0.2.1", None).await;
    let told = only(&setting, MailKind::NewSignIn).await;
    says(&told, &["192.0.2.0/24", "23:13 KST"]);
    sign_in("192.0.2.7", None).await;
    assert_eq!(
        count(&setting, MailKind::NewSignIn).await,
        1,
        "one a network and day"
    );
    sign_in("2001:db8::1", None).await;
    assert_eq!(count(&setting, MailKind::NewSignIn).await, 2);
    // Nobody can read in the store where somebody signs in.
    let records = setting.nouns.ctx.store().range("mail/", None, 100);
    for (key, record) in records.expect("records") {
        let text = String::from_utf8_lossy(&record.value).into_owned();
        assert!(
            !text.contains("192.0.2") && !text.contains("minji"),
            "{key} {text}"
        );
    }
}
