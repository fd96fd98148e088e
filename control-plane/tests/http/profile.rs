//! What a customer changes of his own data: what counts from when on, and who is told.

use axum::http::Method;
use innkeeper_control_plane::mails::rules::MailKind;
use serde_json::{Value, json};

use crate::setting::{Answer, OTHER_PASSWORD, PASSWORD, Setting, signup};

async fn change(setting: &Setting, token: &str, body: Value) -> Answer {
    let path = "/me";
    setting
        .send(Method::PATCH, path, Some(token), &[], Some(body))
        .await
}

async fn mobile(setting: &Setting, token: &str, mobile: &str) -> Answer {
    let body = json!({ "mobile": mobile });
    setting.post("/me/mobile", Some(token), body).await
}

async fn confirm(setting: &Setting, token: &str) -> u16 {
    let body = json!({ "token": token });
    let answer = setting.post("/email-changes", None, body).await;
    answer.status.as_u16()
}

#[tokio::test]
async fn language_and_time_zone_are_those_of_the_next_mail() {
    let setting = Setting::new();
    let token = setting.customer("minji90").await;
    let me = setting.get("/me", Some(&token)).await.expect(200);
    assert_eq!(
        (&me["locale"], &me["time_zone"]),
        (&json!("ko"), &json!("Asia/Seoul"))
    );
    let body = json!({ "locale": "zh-Hant", "time_zone": "Asia/Taipei" });
    let me = change(&setting, &token, body).await.expect(200);
    assert_eq!(
        (&me["locale"], &me["time_zone"]),
        (&json!("zh-Hant"), &json!("Asia/Taipei"))
    );
    setting
        .sign_in_from("192.0.2.1", "minji90", PASSWORD, None)
        .await
        .expect(201);
    let told = setting.mails(MailKind::NewSignIn).await;
    assert!(
        told[0].letter.body.contains("2026年9月21日 22:13 CST"),
        "{}",
        told[0].letter.body
    );
    let me = change(&setting, &token, json!({ "locale": "en" }))
        .await
        .expect(200);
    assert_eq!(me["time_zone"], "Asia/Taipei", "what is not given stays");
    for zone in ["Asia/Atlantis", "", "+09:00"] {
        let refused = change(&setting, &token, json!({ "time_zone": zone })).await;
        let expected = ("/time_zone".to_owned(), "unknown".to_owned());
        assert_eq!(refused.fields(), [expected], "{zone}");
    }
}

#[tokio::test]
async fn a_mobile_number_is_kept_in_one_form_and_its_change_is_told() {
    let setting = Setting::new();
    let token = setting.customer("minji90").await;
    let me = mobile(&setting, &token, "010-1234-5678").await.expect(200);
    assert_eq!(me["mobile"], "+821012345678");
    mobile(&setting, &token, "+82 10 1234 5678")
        .await
        .expect(200);
    let told = setting.mails(MailKind::MobileChanged).await;
    assert_eq!(told.len(), 1, "the same number is no change");
    assert_eq!(told[0].to, "minji90@example.com");
    assert!(!told[0].letter.body.contains("1234"));
    let refused = mobile(&setting, &token, "call me").await;
    let expected = ("/mobile".to_owned(), "malformed".to_owned());
    assert_eq!(refused.fields(), [expected]);
    let me = mobile(&setting, &token, "").await.expect(200);
    assert_eq!(me["mobile"], Value::Null);
}

#[tokio::test]
async fn another_address_counts_once_it_is_confirmed_and_the_one_of_before_is_told() {
    let setting = Setting::new();
    let token = setting.customer("minji90").await;
    let reset = setting.reset_token("minji90").await;
    let (old, new) = ("minji90@example.com", "kim@new.example");
    let first = setting.new_email_token(&token, "typo@new.example").await;
    for mail in setting.nouns.mails.queued(10).expect("the outbox") {
        setting.nouns.mails.done(mail.id).await.expect("done");
    }
    let link = setting.new_email_token(&token, new).await;
    let me = setting.get("/me", Some(&token)).await.expect(200);
    assert_eq!(
        (&me["email"], &me["new_email_shown"]),
        (&json!(old), &json!(new))
    );
    let sign_in = async |login: &str| {
        let answer = setting.sign_in_from("192.0.2.1", login, PASSWORD, None);
        answer.await.status.as_u16()
    };
    assert_eq!((sign_in(old).await, sign_in(new).await), (201, 401));
    assert_eq!(confirm(&setting, &first).await, 410, "the last one counts");
    assert_eq!(confirm(&setting, &link).await, 204);
    assert_eq!(confirm(&setting, &link).await, 410, "once");
    assert_eq!((sign_in(old).await, sign_in(new).await), (401, 201));
    let me = setting.get("/me", Some(&token)).await.expect(200);
    assert_eq!(
        (&me["email"], &me["new_email_shown"]),
        (&json!(new), &Value::Null)
    );
    let told = setting.mails(MailKind::EmailChanged).await;
    assert_eq!((told.len(), told[0].to.as_str()), (1, old));
    let text = &told[0].letter.body;
    assert!(!text.contains(new) && text.contains("23:13 KST"), "{text}");
    // What lies in the mailbox of before opens nothing.
    let body = json!({ "token": reset, "password": OTHER_PASSWORD });
    setting
        .post("/password-resets/complete", None, body)
        .await
        .expect(410);
    // The address of before is free for others.
    let mut other = signup("jihun91");
    other["email"] = json!(old);
    setting.post("/signups", None, other).await.expect(201);
}

#[tokio::test]
async fn an_address_that_can_not_be_is_refused_before_anything_is_mailed() {
    let setting = Setting::new();
    let token = setting.customer("minji90").await;
    let mut full = Vec::new();
    for number in 0..10 {
        let login = format!("hayun{number:02}");
        let mut other = signup(&login);
        other["email"] = json!("full@example.com");
        let address = format!("192.0.{number}.1");
        setting
            .post_from(&address, "/signups", other)
            .await
            .expect(201);
        let link = json!({ "token": setting.mailed_token().await });
        setting
            .post("/email-confirmations", None, link)
            .await
            .expect(204);
        setting.clock.advance_s(3_600 / 2);
        full.push(login);
    }
    let session = setting.sign_in_from("192.0.2.1", "minji90", PASSWORD, None);
    let session = session.await.expect(201);
    let token_now = session["token"].as_str().expect("a token").to_owned();
    setting.get("/me", Some(&token)).await.expect(401);
    for (email, code) in [
        ("", "required"),
        ("nobody", "malformed"),
        ("MINJI90@example.com", "duplicate"),
        ("full@example.com", "too-many"),
    ] {
        let asked = setting.post("/me/email", Some(&token_now), json!({ "email": email }));
        let expected = ("/email".to_owned(), code.to_owned());
        assert_eq!(asked.await.fields(), [expected], "{email}");
    }
    assert!(setting.mails(MailKind::ConfirmNewEmail).await.is_empty());
}

#[tokio::test]
async fn a_link_to_another_address_works_for_a_day() {
    let setting = Setting::new();
    let token = setting.customer("minji90").await;
    let link = setting.new_email_token(&token, "kim@new.example").await;
    setting.clock.advance_s(24 * 3_600);
    assert_eq!(confirm(&setting, &link).await, 410);
    for wrong in ["", ".", "acc_01900000000070018000000000000001.x"] {
        assert_eq!(confirm(&setting, wrong).await, 410, "{wrong}");
    }
}

/// serde takes an array for a struct: with nothing but what may be left out, `[null, null]` was a change.
#[tokio::test]
async fn an_array_is_no_body() {
    let setting = Setting::new();
    let token = setting.customer("minji90").await;
    for body in [
        json!([null, null]),
        json!(["ko", "Asia/Seoul"]),
        json!("ko"),
    ] {
        change(&setting, &token, body).await.expect(400);
    }
    change(&setting, &token, json!({})).await.expect(200);
}

#[tokio::test]
async fn the_first_steps_stay_hidden_with_the_account() {
    let setting = Setting::new();
    let token = setting.customer("minji90").await;
    let me = setting.get("/me", Some(&token)).await.expect(200);
    assert!(me["first_steps_hidden"].is_null());
    let hidden = json!({ "first_steps_hidden": true });
    let me = change(&setting, &token, hidden).await.expect(200);
    assert_eq!(me["first_steps_hidden"], true);
    let other = change(&setting, &token, json!({ "locale": "en" })).await;
    let me = other.expect(200);
    assert_eq!(me["first_steps_hidden"], true, "what is not given stays");
}
