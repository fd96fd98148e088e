//! Ways back into an account, and another password: what is mailed to whom, what it lets in and what it ends, and that
//! nobody learns from an answer whose account there is.

use innkeeper_control_plane::mails::rules::MailKind;
use serde_json::{Value, json};

use crate::setting::{Answer, OTHER_PASSWORD, PASSWORD, Setting, signup};

const WRONG: &str = "wrong wrong wrong";
const HOME: &str = "198.51.100.1";

async fn count(setting: &Setting, kind: MailKind) -> usize {
    setting.mails(kind).await.len()
}

/// The outbox is emptied.
async fn send_all(setting: &Setting) {
    for mail in setting.nouns.mails.queued(1_000).expect("the outbox") {
        setting.nouns.mails.done(mail.id).await.expect("done");
    }
}

async fn find_id(setting: &Setting, email: &str) -> Answer {
    let answer = setting.post("/id-reminders", None, json!({ "email": email }));
    let answer = answer.await;
    setting.answer_wishes().await;
    answer
}

async fn forgot(setting: &Setting, login_id: &str, email: &str) -> Answer {
    let body = json!({ "login_id": login_id, "email": email });
    let answer = setting.post("/password-resets", None, body).await;
    setting.answer_wishes().await;
    answer
}

async fn choose(setting: &Setting, token: &str, password: &str) -> Answer {
    let body = json!({ "token": token, "password": password });
    setting.post("/password-resets/complete", None, body).await
}

async fn sign_in(setting: &Setting, password: &str) -> Answer {
    setting.sign_in_from(HOME, "minji90", password, None).await
}

fn text(session: &Value, name: &str) -> String {
    session[name].as_str().expect("a text").to_owned()
}

#[tokio::test]
async fn the_ids_of_an_address_are_mailed_to_it_and_nowhere_else() {
    let setting = Setting::new();
    setting.customer("minji90").await;
    let mut second = signup("minji91");
    second["email"] = json!("Minji90@Example.com");
    let mut waits = signup("mallory1");
    waits["email"] = json!("minji90@example.com");
    setting.post("/signups", None, second).await.expect(201);
    let token = setting.mailed_token().await;
    let confirmed = setting.post("/email-confirmations", None, json!({ "token": token }));
    confirmed.await.expect(204);
    setting.post("/signups", None, waits).await.expect(201);
    send_all(&setting).await;

    let known = find_id(&setting, " MINJI90@example.com").await;
    let unknown = find_id(&setting, "nobody@example.com").await;
    let none = find_id(&setting, "minji90").await;
    for answer in [&known, &unknown, &none] {
        assert_eq!((answer.status.as_u16(), &answer.body), (202, &Value::Null));
    }
    find_id(&setting, "minji90@example.com").await;
    let mails = setting.mails(MailKind::LoginIds).await;
    assert_eq!(mails.len(), 1, "one waits already");
    assert_eq!(mails[0].to, "minji90@example.com");
    let body = &mails[0].letter.body;
    assert!(body.contains("minji90\nminji91\n"), "{body}");
    assert!(!body.contains("mallory1"), "it is nobody's yet: {body}");
    assert!(body.contains("https://portal.cloud.example/find-password?lang=ko"));
}

#[tokio::test]
async fn a_mailbox_is_not_filled_with_its_ids() {
    let setting = Setting::new();
    setting.customer("minji90").await;
    let mut sent = 0;
    for _ in 0..9 {
        find_id(&setting, "minji90@example.com").await.expect(202);
        sent += count(&setting, MailKind::LoginIds).await;
        send_all(&setting).await;
    }
    assert_eq!(sent, 3, "in an hour");
    // Which keeps nobody from another password.
    forgot(&setting, "minji90", "minji90@example.com").await;
    assert_eq!(count(&setting, MailKind::PasswordReset).await, 1);
}

#[tokio::test]
async fn another_password_by_mail_ends_sessions_devices_and_locks() {
    let setting = Setting::new();
    setting.customer("minji90").await;
    let session = sign_in(&setting, PASSWORD).await.expect(201);
    let (session, device) = (text(&session, "token"), text(&session, "device"));
    // Somebody has locked him out, by his ID and by his address.
    for login in ["minji90", "minji90@example.com"] {
        for _ in 0..5 {
            setting.sign_in_from(HOME, login, WRONG, None).await;
        }
    }
    sign_in(&setting, PASSWORD).await.expect(423);
    send_all(&setting).await;
    let token = setting.reset_token("minji90").await;
    let url = format!("https://portal.cloud.example/reset-password?lang=ko&token={token}");
    let mail = setting.mails(MailKind::PasswordReset).await;
    assert_eq!(mail[0].to, "minji90@example.com");
    assert!(!mail[0].letter.body.contains(&url), "each mail has its own");
    let token = setting.reset_token("minji90").await;

    choose(&setting, &token, OTHER_PASSWORD).await.expect(204);
    choose(&setting, &token, OTHER_PASSWORD).await.expect(410);
    setting.get("/me", Some(&session)).await.expect(401);
    sign_in(&setting, PASSWORD).await.expect(401);
    sign_in(&setting, OTHER_PASSWORD).await.expect(201);
    let by_address = setting.sign_in_from(HOME, "minji90@example.com", OTHER_PASSWORD, None);
    by_address.await.expect(201);
    // The device of before counts as anybody's: wrong passwords from there lock this address.
    for _ in 0..5 {
        let guess = setting.sign_in_from("192.0.2.1", "minji90", WRONG, Some(&device));
        guess.await.expect(401);
    }
    let known_no_more = setting.sign_in_from("192.0.2.1", "minji90", OTHER_PASSWORD, None);
    known_no_more.await.expect(423);
    let told = setting.mails(MailKind::PasswordChanged).await;
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].to, "minji90@example.com");
    assert!(told[0].letter.body.contains("23:13 KST"));
    assert_eq!(count(&setting, MailKind::PasswordReset).await, 0, "used");
}

#[tokio::test]
async fn one_link_waits_at_a_time_and_its_owner_hears_once_of_another_wish() {
    let setting = Setting::new();
    setting.customer("minji90").await;
    let email = "minji90@example.com";
    let first = setting.reset_token("minji90").await;
    send_all(&setting).await;
    for _ in 0..3 {
        forgot(&setting, "MINJI90", " Minji90@EXAMPLE.com ")
            .await
            .expect(202);
    }
    assert_eq!(count(&setting, MailKind::PasswordReset).await, 0);
    let again = setting.mails(MailKind::PasswordResetAgain).await;
    assert_eq!(again.len(), 1, "once for each link");
    assert_eq!(again[0].to, email);
    assert!(!again[0].letter.body.contains("token="), "no second link");
    setting.clock.advance_s(30 * 60 - 1);
    choose(&setting, &first, "short").await.expect(422);
    setting.clock.advance_s(1);
    choose(&setting, &first, OTHER_PASSWORD).await.expect(410);
    send_all(&setting).await;
    forgot(&setting, "minji90", email).await.expect(202);
    assert_eq!(count(&setting, MailKind::PasswordReset).await, 1);
}

#[tokio::test]
async fn a_wish_for_another_password_tells_nothing_and_reaches_the_owner_alone() {
    let setting = Setting::new();
    setting.customer("minji90").await;
    setting.customer("jihun91").await;
    let pending = setting.post("/signups", None, signup("hayun77"));
    pending.await.expect(201);
    send_all(&setting).await;
    let before = setting.nouns.ctx.store().sequence();
    for (login_id, email) in [
        ("minji90", "jihun91@example.com"),
        ("minji90", "minji90"),
        ("nobody7", "minji90@example.com"),
        ("minji90@example.com", "minji90@example.com"),
        ("hayun77", "hayun77@example.com"),
        ("no such ID", ""),
    ] {
        let answer = forgot(&setting, login_id, email).await;
        assert_eq!(
            (answer.status.as_u16(), answer.body),
            (202, Value::Null),
            "{login_id} {email}"
        );
    }
    let queued = setting.nouns.mails.queued(10).expect("the outbox");
    assert!(queued.is_empty(), "{queued:?}");
    assert_eq!(setting.nouns.ctx.store().sequence(), before);
    // What answers is the same work whether there is such an account or not: it is looked up later.
    let body = json!({ "login_id": "minji90", "email": "minji90@example.com" });
    setting
        .post("/password-resets", None, body)
        .await
        .expect(202);
    assert_eq!(setting.nouns.ctx.store().sequence(), before);
    setting.answer_wishes().await;
    assert_ne!(setting.nouns.ctx.store().sequence(), before);
}

#[tokio::test]
async fn wishes_of_one_client_have_a_limit() {
    let setting = Setting::new();
    let ask = async |address: &str| {
        let body = json!({ "login_id": "nobody7", "email": "nobody7@example.com" });
        let asked = setting.post_from(address, "/password-resets", body);
        asked.await.status.as_u16()
    };
    for _ in 0..100 {
        assert_eq!(ask("192.0.2.1").await, 202);
    }
    assert_eq!(ask("192.0.2.1").await, 429);
    assert_eq!(ask("192.0.2.2").await, 202);
}

#[tokio::test]
async fn a_chosen_password_keeps_the_rules_and_a_refused_one_keeps_the_link() {
    let setting = Setting::new();
    setting.customer("minji90").await;
    let token = setting.reset_token("minji90").await;
    for (password, code) in [
        ("", "required"),
        ("short", "too-short"),
        ("minji90-violet-anchor", "contains-personal-data"),
        ("password123456789", "weak"),
    ] {
        let refused = choose(&setting, &token, password).await;
        assert_eq!(
            refused.fields(),
            [("/password".to_owned(), code.to_owned())]
        );
    }
    let (account, secret) = token.split_once('.').expect("an account and a secret");
    let other = "acc_01900000000070018000000000000001";
    for wrong in [
        String::new(),
        ".".to_owned(),
        account.to_owned(),
        format!("{account}."),
        format!("{account}.{}", secret.to_uppercase()),
        format!("{other}.{secret}"),
        "\u{0}".repeat(1_000),
    ] {
        choose(&setting, &wrong, OTHER_PASSWORD).await.expect(410);
    }
    choose(&setting, &token, OTHER_PASSWORD).await.expect(204);
}

#[tokio::test]
async fn of_two_who_use_a_link_at_once_one_chooses_the_password() {
    let setting = Setting::new();
    setting.customer("minji90").await;
    let token = setting.reset_token("minji90").await;
    let third = "marble-thicket-harbour-19";
    let (one, other) = tokio::join!(
        choose(&setting, &token, OTHER_PASSWORD),
        choose(&setting, &token, third)
    );
    let mut statuses = [one.status.as_u16(), other.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [204, 410]);
    let chosen = if one.status.as_u16() == 204 {
        [OTHER_PASSWORD, third]
    } else {
        [third, OTHER_PASSWORD]
    };
    sign_in(&setting, chosen[0]).await.expect(201);
    sign_in(&setting, chosen[1]).await.expect(401);
}

#[tokio::test]
async fn changing_the_password_keeps_this_session_and_ends_the_others() {
    let setting = Setting::new();
    let other = setting.customer("minji90").await;
    let session = sign_in(&setting, PASSWORD).await.expect(201);
    let this = text(&session, "token");
    let reset = setting.reset_token("minji90").await;
    let change = async |current: &str, password: &str| {
        let body = json!({ "current": current, "password": password });
        setting.post("/me/password", Some(&this), body).await
    };
    let fields = |answer: &Answer| answer.fields();
    let pair = |pointer: &str, code: &str| (pointer.to_owned(), code.to_owned());
    assert_eq!(
        fields(&change("", "short").await),
        [pair("/current", "required"), pair("/password", "too-short")]
    );
    assert_eq!(
        fields(&change(WRONG, OTHER_PASSWORD).await),
        [pair("/current", "wrong")]
    );
    change(PASSWORD, OTHER_PASSWORD).await.expect(204);
    setting.get("/me", Some(&this)).await.expect(200);
    setting.get("/me", Some(&other)).await.expect(401);
    sign_in(&setting, PASSWORD).await.expect(401);
    sign_in(&setting, OTHER_PASSWORD).await.expect(201);
    assert_eq!(count(&setting, MailKind::PasswordChanged).await, 1);
    choose(&setting, &reset, PASSWORD).await.expect(410);
    // A session that was stolen is not good for guessing.
    for _ in 0..5 {
        change(WRONG, PASSWORD).await.expect(422);
    }
    change(OTHER_PASSWORD, PASSWORD).await.expect(423);
    setting.clock.advance_s(30 * 60);
    change(OTHER_PASSWORD, PASSWORD).await.expect(204);
}

/// Neither link nor password stands in what is stored.
#[tokio::test]
async fn the_store_lets_nobody_choose_a_password() {
    let setting = Setting::new();
    setting.customer("minji90").await;
    let token = setting.reset_token("minji90").await;
    let (_, secret) = token.split_once('.').expect("a secret");
    let records = setting.nouns.ctx.store().range("", None, 1_000);
    for (key, record) in records.expect("records") {
        let value = String::from_utf8_lossy(&record.value).into_owned();
        assert!(!value.contains(secret) && !key.to_string().contains(secret));
    }
}
