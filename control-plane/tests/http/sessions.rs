//! Sessions as their owner sees and ends them, and the proof that he is the one who uses one.

use axum::http::Method;
use serde_json::{Value, json};

use crate::setting::{Answer, PASSWORD, Setting, public_key};

const FIREFOX: &str = "Mozilla/5.0 (Windows NT 10.0; rv:140.0) Gecko/20100101 Firefox/140.0";
const WRONG: &str = "wrong wrong wrong";

async fn sign_in(setting: &Setting, address: &str, client: &str) -> String {
    let body = json!({ "login": "minji90", "password": PASSWORD, "client": client });
    let session = setting.post_from(address, "/sessions", body).await;
    let session = session.expect(201);
    session["token"].as_str().expect("a token").to_owned()
}

async fn list(setting: &Setting, token: &str) -> Vec<Value> {
    let sessions = setting.get("/me/sessions", Some(token)).await.expect(200);
    sessions["data"].as_array().expect("a list").clone()
}

async fn delete(setting: &Setting, token: &str, path: &str) -> u16 {
    let answer = setting.send(Method::DELETE, path, Some(token), &[], None);
    answer.await.status.as_u16()
}

async fn is_live(setting: &Setting, token: &str) -> bool {
    setting.get("/me", Some(token)).await.status.as_u16() == 200
}

#[tokio::test]
async fn sessions_say_where_and_with_what_they_were_opened() {
    let setting = Setting::new();
    let first = setting.customer("minji90").await;
    setting.clock.advance_s(60);
    let second = sign_in(&setting, "198.51.100.77", FIREFOX).await;
    setting.clock.advance_s(60);
    let sessions = list(&setting, &second).await;
    assert_eq!(sessions.len(), 2);
    let (newest, oldest) = (&sessions[0], &sessions[1]);
    assert_eq!(newest["is_current"], true);
    assert_eq!(newest["client"], "Firefox, Windows");
    assert_eq!(newest["network"], "198.51.100.0/24");
    assert_eq!(newest["started_at"], "2026-09-21T14:14:20.000Z");
    assert_eq!(newest["used_at"], "2026-09-21T14:15:20.000Z");
    assert_eq!(oldest["is_current"], false);
    assert_eq!(oldest["client"], Value::Null);
    assert_eq!(oldest["used_at"], oldest["started_at"]);
    // One that nobody used for an hour is gone.
    setting.clock.advance_s(3_600 - 100);
    assert!(is_live(&setting, &second).await);
    assert_eq!(list(&setting, &second).await.len(), 1);
    assert!(!is_live(&setting, &first).await);
}

#[tokio::test]
async fn a_session_is_ended_by_its_owner_and_by_nobody_else() {
    let setting = Setting::new();
    let (first, other) = (
        setting.customer("minji90").await,
        setting.customer("jihun91").await,
    );
    let second = sign_in(&setting, "198.51.100.77", FIREFOX).await;
    let sessions = list(&setting, &first).await;
    let id = sessions
        .iter()
        .find(|session| session["is_current"] == false)
        .expect("the second")["id"]
        .as_str()
        .expect("an id")
        .to_owned();
    let path = format!("/me/sessions/{id}");
    assert_eq!(delete(&setting, &other, &path).await, 404);
    assert!(is_live(&setting, &second).await);
    assert_eq!(delete(&setting, &first, &path).await, 204);
    assert!(!is_live(&setting, &second).await);
    assert_eq!(delete(&setting, &first, &path).await, 404);
    assert_eq!(delete(&setting, &first, "/me/sessions/ses_1").await, 404);
    assert!(is_live(&setting, &first).await);
}

#[tokio::test]
async fn all_other_sessions_are_ended_at_once() {
    let setting = Setting::new();
    let this = setting.customer("minji90").await;
    let other = setting.customer("jihun91").await;
    let mut ended = Vec::new();
    for _ in 0..30 {
        ended.push(sign_in(&setting, "198.51.100.77", FIREFOX).await);
    }
    assert_eq!(delete(&setting, &this, "/me/sessions").await, 204);
    for token in &ended {
        assert!(!is_live(&setting, token).await);
    }
    assert!(is_live(&setting, &this).await && is_live(&setting, &other).await);
    assert_eq!(list(&setting, &this).await.len(), 1);
}

#[tokio::test]
async fn what_wants_a_proof_wants_it_within_ten_minutes() {
    let setting = Setting::new();
    let token = setting.customer("minji90").await;
    let add = async |seed: u8| {
        let body = json!({ "name": "", "public_key": public_key(seed) });
        let answer: Answer = setting.post("/me/ssh-keys", Some(&token), body).await;
        answer
    };
    add(1).await.expect(201);
    setting.clock.advance_s(599);
    add(2).await.expect(201);
    setting.clock.advance_s(1);
    assert_eq!(add(3).await.expect(403)["code"], "step-up-required");
    let prove = async |password: &str| {
        let body = json!({ "password": password });
        setting
            .post("/sessions/current/proofs", Some(&token), body)
            .await
    };
    for (password, code) in [("", "required"), (WRONG, "wrong")] {
        let expected = ("/password".to_owned(), code.to_owned());
        assert_eq!(prove(password).await.fields(), [expected]);
    }
    assert_eq!(add(3).await.status.as_u16(), 403, "still");
    prove(PASSWORD).await.expect(204);
    add(3).await.expect(201);
    // Another session of the account has proved nothing by that, and looking never needs it.
    let other = sign_in(&setting, "198.51.100.77", FIREFOX).await;
    setting.clock.advance_s(600);
    prove(PASSWORD).await.expect(204);
    let body = json!({ "name": "", "public_key": public_key(4) });
    setting
        .post("/me/ssh-keys", Some(&other), body)
        .await
        .expect(403);
    setting.get("/me/ssh-keys", Some(&other)).await.expect(200);
    // A session that was stolen is not good for guessing.
    for _ in 0..5 {
        prove(WRONG).await.expect(422);
    }
    prove(PASSWORD).await.expect(423);
}
