//! A lost second factor: who may ask, who is told, who decides, and that nothing is fast.

use innkeeper_control_plane::mails::{ReadyMail, rules::MailKind};
use innkeeper_wire::{api::Scope, staff::Role};
use serde_json::{Value, json};

use crate::{
    operators::{look, operate},
    second_factor::{Factor, challenge, set_up},
    setting::{Answer, PASSWORD, Setting},
    staff::{Colleague, ask_as, of_role},
    tokens,
};

const THIEF: &str = "198.51.100.66";
const HOUR: i64 = 3_600;
const DAY: i64 = 24 * HOUR;

/// An account with a second factor: its session, and the factor.
async fn customer(setting: &Setting) -> (String, Factor) {
    let session = setting.customer("minji90").await;
    let factor = set_up(setting, &session).await;
    (session, factor)
}

async fn account_id(setting: &Setting, session: &str) -> String {
    let me = setting.get("/me", Some(session)).await.expect(200);
    me["id"].as_str().expect("an id").to_owned()
}

async fn ask(setting: &Setting) -> Answer {
    let challenge = challenge(setting, THIEF, None).await;
    let body = json!({ "challenge": challenge });
    setting
        .post_from(THIEF, "/sessions/lost-factor", body)
        .await
}

/// The token of the link in a mail.
fn link(mail: &ReadyMail) -> String {
    let body = &mail.letter.body;
    let (before, rest) = body.split_once("token=").expect("a link");
    assert!(before.contains("https://portal.cloud.example/cancel-lost-factor?lang=ko"));
    rest.split_whitespace().next().expect("a token").to_owned()
}

/// Asks, and gives the token of the mailed link.
pub(crate) async fn token(setting: &Setting) -> String {
    ask(setting).await.expect(201);
    link(&setting.mails(MailKind::LostFactorAsked).await[0])
}

async fn cancel(setting: &Setting, token: &str) -> Answer {
    let body = json!({ "token": token });
    setting.post("/lost-factor-cancellations", None, body).await
}

async fn count(setting: &Setting, kind: MailKind) -> usize {
    setting.mails(kind).await.len()
}

async fn open(setting: &Setting) -> Vec<Value> {
    let list = look(setting, "/lost-factors").await;
    list.as_array().expect("a list").clone()
}

/// Somebody of the staff decides about the request that is open.
async fn decide(setting: &Setting, staff: &str, verb: &str) -> Answer {
    let line = open(setting).await.remove(0);
    let body = json!({ "requested_at": line["requested_at"], "reason": "has shown a passport" });
    let id = format!("{verb}_lost_factor");
    let account = line["account"].as_str().expect("an id");
    ask_as(setting, staff, &id, account, body).await
}

async fn turn(setting: &Setting) -> usize {
    let done = setting.nouns.accounts.finish_lost_factors().await;
    done.expect("done")
}

#[tokio::test]
async fn two_of_the_staff_and_three_days_switch_a_lost_factor_off() {
    let setting = Setting::new();
    let support = Colleague::new(&setting, Role::Support).await;
    let admin = Colleague::new(&setting, Role::Admin).await;
    setting.clock.advance_s(4 * DAY);
    let (session, factor) = customer(&setting).await;
    let (_, token) = tokens::make(&setting, &session, &[Scope::Read]).await;
    let account = account_id(&setting, &session).await;
    let asked = ask(&setting).await.expect(201);
    assert_eq!(open(&setting).await[0]["off_from"], asked["off_from"]);
    let matters = look(&setting, "/attention").await;
    let matter = &matters[0];
    assert_eq!(
        (&matter["kind"], &matter["subject"]),
        (&json!("factor_waits"), &json!(account))
    );

    let support = support.sign_in(&setting).await;
    decide(&setting, &support, "confirm").await.expect(204);
    let again = decide(&setting, &support, "confirm").await.expect(409);
    assert!(
        again["detail"]
            .as_str()
            .expect("a text")
            .contains("somebody else")
    );
    let admin = admin.sign_in(&setting).await;
    decide(&setting, &admin, "confirm").await.expect(204);
    decide(&setting, &admin, "confirm").await.expect(409);
    let by: Vec<_> = open(&setting).await[0]["confirmations"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|confirmation| confirmation["by"].clone())
        .collect();
    assert_eq!(by, ["a-support", "a-admin"]);
    let matters = look(&setting, "/attention").await;
    assert_ne!(matters[0]["kind"], "factor_waits", "time decides");

    // Not a moment before its time.
    setting.clock.advance_s(72 * HOUR - 90);
    assert_eq!(turn(&setting).await, 0);
    let waits = challenge(&setting, THIEF, None).await;
    setting.clock.advance_s(90);
    setting.get("/me/ssh-keys", Some(&token)).await.expect(200);
    assert_eq!(turn(&setting).await, 1);
    assert_eq!(turn(&setting).await, 0);
    let body = json!({ "challenge": waits, "code": factor.code(&setting) });
    let late = setting.post("/sessions/second-factor", None, body).await;
    late.expect(410);
    setting.get("/me/ssh-keys", Some(&token)).await.expect(401);
    let off = setting.mails(MailKind::LostFactorOff).await;
    assert_eq!(off.len(), 1);
    assert_eq!(off[0].to, "minji90@example.com");
    let answer = setting.sign_in_from(THIEF, "minji90", PASSWORD, None).await;
    let session = answer.expect(201)["token"].clone();
    let session = session.as_str().expect("a token");
    let state = setting.get("/me/second-factor", Some(session)).await;
    assert!(state.expect(200)["on_since"].is_null());
    let list = setting.get("/me/tokens", Some(session)).await.expect(200);
    assert_eq!(list["data"][0]["state"], "off");
    let view = look(&setting, &format!("/accounts/{account}")).await;
    let deed = json!({ "kind": "lost-factor-confirmed" });
    assert_eq!(
        (&view["acts"][0]["deed"], &view["acts"][0]["reason"]),
        (&deed, &json!("has shown a passport"))
    );
}

#[tokio::test]
async fn all_addresses_of_the_last_thirty_days_are_told_and_each_link_ends_it_once() {
    let setting = Setting::new();
    let (session, factor) = customer(&setting).await;
    let mut session = session;
    for email in ["old@example.com", "thief@example.com"] {
        let token = setting.new_email_token(&session, email).await;
        let body = json!({ "token": token });
        setting.post("/email-changes", None, body).await.expect(204);
        setting.clock.advance_s(20 * DAY);
        let challenge = challenge(&setting, THIEF, None).await;
        let code = factor.code(&setting);
        let body = json!({ "challenge": challenge, "code": code });
        let answer = setting.post("/sessions/second-factor", None, body).await;
        session = answer.expect(201)["token"]
            .as_str()
            .expect("one")
            .to_owned();
    }
    ask(&setting).await.expect(201);
    let mails = setting.mails(MailKind::LostFactorAsked).await;
    let to: Vec<_> = mails.iter().map(|mail| mail.to.as_str()).collect();
    assert_eq!(to, ["thief@example.com", "old@example.com"]);
    let links: Vec<_> = mails.iter().map(link).collect();
    assert_ne!(links[0], links[1]);
    // Nothing is mailed again while it is open.
    ask(&setting).await.expect(201);
    assert_eq!(count(&setting, MailKind::LostFactorAsked).await, 2);
    let links: Vec<_> = setting.mails(MailKind::LostFactorAsked).await;
    let links: Vec<_> = links.iter().map(link).collect();

    cancel(&setting, "made-up").await.expect(410);
    cancel(&setting, &links[1]).await.expect(204);
    assert_eq!(open(&setting).await, Vec::<Value>::new());
    for used in &links {
        cancel(&setting, used).await.expect(410);
    }
    assert_eq!(
        count(&setting, MailKind::LostFactorAsked).await,
        0,
        "it is over"
    );
    assert_eq!(count(&setting, MailKind::LostFactorKept).await, 1);
}

#[tokio::test]
async fn a_code_of_the_factor_ends_the_request() {
    let setting = Setting::new();
    let (_, factor) = customer(&setting).await;
    ask(&setting).await.expect(201);
    let challenge = challenge(&setting, THIEF, None).await;
    let send = async |code: &str| {
        let body = json!({ "challenge": challenge, "code": code });
        setting.post("/sessions/second-factor", None, body).await
    };
    send("000000").await.expect(422);
    assert_eq!(
        open(&setting).await.len(),
        1,
        "anybody can send a wrong one"
    );
    send(&factor.recovery_codes[0]).await.expect(201);
    assert_eq!(open(&setting).await, Vec::<Value>::new());
    assert_eq!(count(&setting, MailKind::LostFactorKept).await, 1);
}

#[tokio::test]
async fn a_rejected_request_is_over_and_an_account_has_three_a_month() {
    let setting = Setting::new();
    customer(&setting).await;
    let support = of_role(&setting, Role::Support).await;
    for _ in 0..3 {
        ask(&setting).await.expect(201);
        let line = open(&setting).await.remove(0);
        decide(&setting, &support, "reject").await.expect(204);
        // Neither is a decision about one request good for another.
        let account = line["account"].as_str().expect("an id");
        let body = json!({ "requested_at": line["requested_at"], "reason": "too late" });
        let late = ask_as(&setting, &support, "confirm_lost_factor", account, body).await;
        late.expect(409);
        setting.clock.advance_s(60);
    }
    let refused = ask(&setting).await;
    let seconds: i64 = refused.headers["retry-after"]
        .to_str()
        .expect("a number")
        .parse()
        .expect("a number");
    refused.expect(429);
    assert!((29 * DAY..30 * DAY).contains(&seconds), "{seconds}");
    setting.clock.advance_s(seconds);
    ask(&setting).await.expect(201);
}

#[tokio::test]
async fn a_newcomer_is_not_the_second_and_an_operator_is_one_person() {
    let setting = Setting::new();
    customer(&setting).await;
    ask(&setting).await.expect(201);
    let account = open(&setting).await[0]["account"].clone();
    let account = account.as_str().expect("an id");
    let by_operator = async || {
        let line = open(&setting).await.remove(0);
        let body = json!({ "requested_at": line["requested_at"], "reason": "he came by" });
        let path = format!("/lost-factors/{account}/confirm");
        operate(&setting, axum::http::Method::POST, &path, body).await
    };
    by_operator().await.expect(204);
    by_operator().await.expect(409);
    let admin = Colleague::new(&setting, Role::Admin).await;
    let session = admin.sign_in(&setting).await;
    let refused = decide(&setting, &session, "confirm").await.expect(409);
    assert!(
        refused["detail"]
            .as_str()
            .expect("a text")
            .contains("72 hours")
    );
    setting.clock.advance_s(72 * HOUR);
    assert_eq!(turn(&setting).await, 0, "one has confirmed");
    let session = admin.sign_in(&setting).await;
    decide(&setting, &session, "confirm").await.expect(204);
    assert_eq!(turn(&setting).await, 1);
    assert_eq!(count(&setting, MailKind::LostFactorOff).await, 1);
}

#[tokio::test]
async fn a_request_that_nobody_confirms_is_over_after_two_weeks() {
    let setting = Setting::new();
    customer(&setting).await;
    ask(&setting).await.expect(201);
    setting.clock.advance_s(14 * DAY - 1);
    assert_eq!(turn(&setting).await, 0);
    setting.clock.advance_s(1);
    assert_eq!(open(&setting).await, Vec::<Value>::new());
    assert_eq!(turn(&setting).await, 1);
    assert_eq!(count(&setting, MailKind::LostFactorKept).await, 1);
    challenge(&setting, THIEF, None).await;
}

/// Whoever has not the password, or has an account without a factor, gets no challenge to ask with.
#[tokio::test]
async fn only_a_sign_in_that_waits_for_its_code_can_ask() {
    let setting = Setting::new();
    let (session, _) = customer(&setting).await;
    let made_up = json!({ "challenge": "made up" });
    let refused = setting.post("/sessions/lost-factor", None, made_up).await;
    assert_eq!(refused.expect(410)["code"], "sign-in-expired");
    let waits = challenge(&setting, THIEF, None).await;
    let body = json!({ "current": PASSWORD, "password": crate::setting::OTHER_PASSWORD });
    let changed = setting.post("/me/password", Some(&session), body).await;
    changed.expect(204);
    let body = json!({ "challenge": waits });
    let refused = setting.post("/sessions/lost-factor", None, body).await;
    assert_eq!(refused.expect(410)["code"], "sign-in-expired");
    assert_eq!(open(&setting).await, Vec::<Value>::new());
}
