//! API tokens: what is told of them, from where and how long they are taken, how many there are, and what ends them. Which
//! request takes which of them the matrix shows (`authorization`).

use axum::http::Method;
use innkeeper_control_plane::{
    kernel::Actor,
    mails::rules::MailKind,
    store::{FolderDisk, begin_epoch, next_epoch},
};
use innkeeper_wire::api::Scope;
use serde_json::{Value, json};

use crate::{
    accounts::files_with,
    setting::{Answer, PASSWORD, Setting, why},
    witnesses::copy_journal,
};

fn wanted(scopes: &[Scope]) -> Value {
    let scopes: Vec<_> = scopes.iter().map(|scope| scope.as_str()).collect();
    json!({ "name": "nightly backup", "scopes": scopes, "days": 30 })
}

/// Makes one; gives its id and its secret.
pub(crate) async fn make(setting: &Setting, session: &str, scopes: &[Scope]) -> (String, String) {
    made(
        setting
            .post("/me/tokens", Some(session), wanted(scopes))
            .await,
    )
}

fn made(answer: Answer) -> (String, String) {
    let body = answer.expect(201);
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    (text(&body["token"]["id"]), text(&body["secret"]))
}

async fn list(setting: &Setting, session: &str) -> Vec<Value> {
    let page = setting.get("/me/tokens", Some(session)).await.expect(200);
    page["data"].as_array().expect("a list").clone()
}

async fn delete(setting: &Setting, session: &str, id: &str) -> u16 {
    let path = format!("/me/tokens/{id}");
    let sent = setting.send(Method::DELETE, &path, Some(session), &[], None);
    sent.await.status.as_u16()
}

async fn enable(setting: &Setting, session: &str, id: &str) -> Answer {
    let path = format!("/me/tokens/{id}/enable");
    setting.post(&path, Some(session), json!({})).await
}

/// Whether a token with the scope `read` is taken.
async fn is_taken(setting: &Setting, secret: &str) -> bool {
    let status = setting.get("/servers", Some(secret)).await.status.as_u16();
    assert!(matches!(status, 200 | 401), "{status}");
    status == 200
}

#[tokio::test]
async fn a_token_is_shown_once_listed_told_and_ended() {
    let setting = Setting::new();
    let session = setting.customer("minji90").await;
    let answer = setting
        .post(
            "/me/tokens",
            Some(&session),
            wanted(&[Scope::Keys, Scope::Read]),
        )
        .await;
    assert_eq!(answer.body["token"]["scopes"], json!(["read", "keys"]));
    let (id, secret) = made(answer);
    let listed = list(&setting, &session).await;
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0]["name"], "nightly backup");
    assert_eq!(listed[0]["state"], "live");
    assert_eq!(listed[0]["used_at"], Value::Null);
    assert!(!listed[0].to_string().contains(&secret));
    let mails = setting.mails(MailKind::TokenMade).await;
    assert_eq!(mails.len(), 1);
    let letter = &mails[0].letter.body;
    assert!(letter.contains("/account/tokens?lang=ko"), "{letter}");
    assert!(
        letter.contains("SSH 키 조회") && !letter.contains("backup"),
        "{letter}"
    );
    assert!(is_taken(&setting, &secret).await);
    let other = setting.customer("jihun91").await;
    assert_eq!(delete(&setting, &other, &id).await, 404);
    assert_eq!(delete(&setting, &session, &id).await, 204);
    assert!(!is_taken(&setting, &secret).await);
    assert_eq!(delete(&setting, &session, &id).await, 404);
    assert!(list(&setting, &session).await.is_empty());
}

#[tokio::test]
async fn making_ending_and_enabling_want_a_proof() {
    let setting = Setting::new();
    let session = setting.customer("minji90").await;
    let (id, _) = make(&setting, &session, &[Scope::Read]).await;
    setting.clock.advance_s(600);
    let refused = setting.post("/me/tokens", Some(&session), wanted(&[Scope::Read]));
    assert_eq!(refused.await.expect(403)["code"], "step-up-required");
    assert_eq!(delete(&setting, &session, &id).await, 403);
    enable(&setting, &session, &id).await.expect(403);
    setting.prove(&session).await;
    enable(&setting, &session, &id).await.expect(200);
    assert_eq!(delete(&setting, &session, &id).await, 204);
}

#[tokio::test]
async fn when_one_was_used_last_is_known_to_ten_minutes() {
    let setting = Setting::new();
    let session = setting.customer("minji90").await;
    let (_, secret) = make(&setting, &session, &[Scope::Read]).await;
    let used = async || list(&setting, &session).await[0]["used_at"].clone();
    // Refused for what it is asked: that is no use of it.
    setting.get("/me", Some(&secret)).await.expect(403);
    assert_eq!(used().await, Value::Null);
    assert!(is_taken(&setting, &secret).await);
    let first = used().await;
    assert!(first.is_string());
    setting.clock.advance_s(599);
    assert!(is_taken(&setting, &secret).await);
    assert_eq!(used().await, first);
    setting.clock.advance_s(1);
    assert!(is_taken(&setting, &secret).await);
    assert_ne!(used().await, first);
}

#[tokio::test]
async fn it_is_taken_from_its_networks_until_its_last_day() {
    let setting = Setting::new();
    let session = setting.customer("minji90").await;
    let body = json!({
        "name": "office", "scopes": ["read"], "days": 1, "networks": ["198.51.100.0/24", "2001:db8::7"],
    });
    let answer = setting.post("/me/tokens", Some(&session), body).await;
    let (_, secret) = made(answer);
    let from = async |address: &str| {
        let headers = [
            ("x-forwarded-for", address),
            ("x-innkeeper-portal-key", crate::setting::PORTAL_KEY),
        ];
        let sent = setting.send(Method::GET, "/servers", Some(&secret), &headers, None);
        sent.await.status.as_u16()
    };
    for (address, status) in [
        ("198.51.100.9", 200),
        ("198.51.101.9", 401),
        ("2001:db8::7", 200),
        ("2001:db8::8", 401),
    ] {
        assert_eq!(from(address).await, status, "{address}");
    }
    setting.clock.advance_s(24 * 3_600 - 1);
    assert_eq!(from("198.51.100.9").await, 200);
    setting.clock.advance_s(1);
    assert_eq!(from("198.51.100.9").await, 401);
    let body = json!({ "login": "minji90", "password": PASSWORD });
    let session = setting.post("/sessions", None, body).await.expect(201);
    let session = session["token"].as_str().expect("a token");
    assert_eq!(list(&setting, session).await[0]["state"], "expired");
    // Another one takes its place in the list.
    make(&setting, session, &[Scope::Read]).await;
    assert_eq!(list(&setting, session).await.len(), 1);
}

#[tokio::test]
async fn an_account_has_twenty_and_wrong_ones_are_said() {
    let setting = Setting::new();
    let session = setting.customer("minji90").await;
    let wrong = json!({ "name": " ", "scopes": [], "days": 366, "networks": ["home"] });
    let refused = setting.post("/me/tokens", Some(&session), wrong).await;
    let fields = refused.fields();
    let pointers: Vec<_> = fields.iter().map(|(pointer, _)| pointer.as_str()).collect();
    assert_eq!(pointers, ["/name", "/scopes", "/days", "/networks/0"]);
    for _ in 0..20 {
        make(&setting, &session, &[Scope::Read]).await;
    }
    let refused = setting.post("/me/tokens", Some(&session), wanted(&[Scope::Read]));
    assert_eq!(refused.await.expect(403)["code"], "quota-exceeded");
    let id = list(&setting, &session).await[7]["id"].clone();
    assert_eq!(
        delete(&setting, &session, id.as_str().expect("an id")).await,
        204
    );
    make(&setting, &session, &[Scope::Read]).await;
}

/// A program has no more changes than its owner, and they share them.
#[tokio::test]
async fn changes_of_a_token_count_as_those_of_a_session() {
    let setting = Setting::new();
    let session = setting.customer("minji90").await;
    let (_, secret) = make(&setting, &session, &[Scope::Keys]).await;
    let path = "/me/ssh-keys/key_0190b5c87f1e7c3a8e0f5b6d2c4a9e11";
    let mut statuses = Vec::new();
    for _ in 0..300 {
        let sent = setting.send(Method::DELETE, path, Some(&secret), &[], None);
        statuses.push(sent.await.status.as_u16());
    }
    assert_eq!(statuses.first(), Some(&404));
    assert_eq!(statuses.last(), Some(&429));
    let sent = setting.send(Method::DELETE, path, Some(&session), &[], None);
    sent.await.expect(429);
}

/// What a program changed is told from what its owner did.
#[tokio::test]
async fn the_audit_trail_names_the_token_and_no_file_its_secret_or_its_name() {
    let setting = Setting::new();
    let session = setting.customer("minji90").await;
    let key = setting.key(&session, 1).await;
    let (id, secret) = make(&setting, &session, &[Scope::Keys]).await;
    let path = format!("/me/ssh-keys/{key}");
    let renamed = setting.send(
        Method::PATCH,
        &path,
        Some(&secret),
        &[],
        Some(json!({ "name": "n" })),
    );
    renamed.await.expect(200);
    let me = setting.get("/me", Some(&session)).await.expect(200);
    let account = me["id"].as_str().expect("an id").to_owned();
    let folder = setting.stop().await;
    let actor = format!("{account} by {id}");
    assert!(!files_with(folder.path(), &actor).is_empty());
    for secret in [&secret, "nightly backup"] {
        let found = files_with(folder.path(), secret);
        assert!(found.is_empty(), "{found:?}");
    }
}

#[tokio::test]
async fn an_erased_account_has_none() {
    let setting = Setting::new();
    let session = setting.customer("minji90").await;
    let me = setting.get("/me", Some(&session)).await.expect(200);
    let account = me["id"].as_str().expect("an id").parse().expect("an id");
    let (_, secret) = make(&setting, &session, &[Scope::Read]).await;
    assert!(is_taken(&setting, &secret).await);
    let billing = &setting.nouns.billing;
    let reason = why();
    let erased = billing.erase_account(Actor::Operator, account, &reason);
    erased.await.expect("erased");
    assert!(!is_taken(&setting, &secret).await);
    let store = setting.nouns.ctx.store();
    let records = store.range("tokens/", None, 10).expect("readable");
    assert!(records.is_empty(), "{records:?}");
}

/// Which of them were ended since the backup nobody knows.
#[tokio::test]
async fn tokens_are_off_after_a_restore_until_their_owner_puts_them_on() {
    let lost = Setting::new();
    let session = lost.customer("minji90").await;
    let (ended, leaked) = make(&lost, &session, &[Scope::Read]).await;
    let (kept, good) = make(&lost, &session, &[Scope::Read]).await;
    copy_journal(&lost, "old");
    assert_eq!(delete(&lost, &session, &ended).await, 204);
    let disk = FolderDisk::new(lost.folder.join("old/journal"));
    begin_epoch(&disk, next_epoch(1, 1_790_000_000)).expect("a new epoch");
    let setting = lost.with_store("old");
    let body = json!({ "login": "minji90", "password": PASSWORD });
    let session = setting.post("/sessions", None, body).await.expect(201);
    let session = session["token"].as_str().expect("a token");
    for token in list(&setting, session).await {
        assert_eq!(token["state"], "off", "{token}");
    }
    for secret in [&leaked, &good] {
        assert!(!is_taken(&setting, secret).await);
    }
    enable(&setting, session, &kept).await.expect(503);
    let finished = setting.nouns.continuity.finish_recovery(&[]).await;
    finished.expect("no host is waited for");
    assert!(!is_taken(&setting, &good).await, "opening puts none on");
    let enabled = enable(&setting, session, &kept).await.expect(200);
    assert_eq!(enabled["state"], "live");
    assert!(is_taken(&setting, &good).await);
    assert!(!is_taken(&setting, &leaked).await);
}
