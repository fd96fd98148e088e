//! The sessions of the staff as each sees his own, and the proof that is wanted before what can't be taken back.

use innkeeper_wire::{staff::Role, time::Clock as _};
use serde_json::{Value, json};

use crate::{
    setting::{OTHER_PASSWORD, PASSWORD, Setting},
    staff::{Colleague, ask_as, of_role},
};

const NOBODY: &str = "acc_0190b5c87f1e7c3a8e0f5b6d2c4a9e11";

async fn sessions(setting: &Setting, token: &str) -> Vec<Value> {
    let listed = ask_as(setting, token, "list_staff_sessions", "", json!({})).await;
    listed.expect(200).as_array().expect("a list").clone()
}

fn id_of(session: &Value) -> &str {
    session["id"].as_str().expect("a text")
}

#[tokio::test]
async fn each_sees_and_ends_his_own_sessions_and_nobody_elses() {
    let setting = Setting::new();
    let colleague = Colleague::new(&setting, Role::Support).await;
    let first = colleague.sign_in(&setting).await;
    setting.clock.advance_s(60);
    let second = colleague.sign_in(&setting).await;
    let other = of_role(&setting, Role::Admin).await;

    let listed = sessions(&setting, &second).await;
    let current: Vec<_> = listed.iter().map(|one| &one["is_current"]).collect();
    assert_eq!(current, [&json!(true), &json!(false)], "the newest first");
    assert_eq!(listed[0]["network"], "127.0.0.0/24");

    let others = sessions(&setting, &other).await;
    let end = async |token: &str, id: &str| {
        ask_as(&setting, token, "end_staff_session", id, json!({})).await
    };
    end(&second, id_of(&others[0])).await.expect(404);
    end(&second, id_of(&listed[1])).await.expect(204);
    end(&second, id_of(&listed[1])).await.expect(404);
    let me = async |token: &str| ask_as(&setting, token, "staff_me", "", json!({})).await;
    me(&first).await.expect(401);
    me(&second).await.expect(200);

    setting.clock.advance_s(60);
    let third = colleague.sign_in(&setting).await;
    let all = ask_as(&setting, &third, "end_other_staff_sessions", "", json!({}));
    all.await.expect(204);
    me(&second).await.expect(401);
    me(&third).await.expect(200);
    me(&other).await.expect(200);
    assert_eq!(sessions(&setting, &third).await.len(), 1);
}

/// The session goes on meanwhile, as far as it is for what can be taken back.
#[tokio::test]
async fn what_cannot_be_taken_back_wants_a_proof_of_the_last_ten_minutes() {
    let setting = Setting::new();
    let colleague = Colleague::new(&setting, Role::Admin).await;
    let token = colleague.sign_in(&setting).await;
    let erase = async || {
        let body = json!({ "reason": "asked for in writing" });
        ask_as(&setting, &token, "erase_account", NOBODY, body).await
    };
    let prove = async |password: &str, code: &str| {
        let body = json!({ "password": password, "code": code });
        ask_as(&setting, &token, "prove_staff", "", body).await
    };
    erase().await.expect(404);
    setting.clock.advance_s(600);
    assert_eq!(erase().await.expect(403)["code"], "step-up-required");
    let body = json!({ "reason": "he has called" });
    let unlocked = ask_as(&setting, &token, "unlock_account", NOBODY, body).await;
    unlocked.expect(404);

    let code = colleague.secret.code(setting.clock.now());
    let wrong = prove(OTHER_PASSWORD, &code).await;
    assert_eq!(
        wrong.fields(),
        [("/password".to_owned(), "wrong".to_owned())]
    );
    let wrong = prove(PASSWORD, "000000").await;
    assert_eq!(wrong.fields(), [("/code".to_owned(), "wrong".to_owned())]);
    assert_eq!(erase().await.expect(403)["code"], "step-up-required");
    prove(PASSWORD, &code).await.expect(204);
    erase().await.expect(404);
    let again = prove(PASSWORD, &code).await;
    assert_eq!(again.fields(), [("/code".to_owned(), "wrong".to_owned())]);
    setting.clock.advance_s(599);
    erase().await.expect(404);
    setting.clock.advance_s(1);
    erase().await.expect(403);
}

/// Whoever has a session that was left open guesses no more often than a stranger.
#[tokio::test]
async fn wrong_proofs_lock_as_wrong_sign_ins_do() {
    let setting = Setting::new();
    let colleague = Colleague::new(&setting, Role::Admin).await;
    let token = colleague.sign_in(&setting).await;
    let prove = async |password: &str, code: &str| {
        let body = json!({ "password": password, "code": code });
        ask_as(&setting, &token, "prove_staff", "", body).await
    };
    setting.clock.advance_s(60);
    let code = colleague.secret.code(setting.clock.now());
    for _ in 0..5 {
        prove(OTHER_PASSWORD, &code).await.expect(422);
    }
    prove(PASSWORD, &code).await.expect(423);
}
