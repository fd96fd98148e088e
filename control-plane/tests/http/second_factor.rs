//! The second factor: setting it up, signing in with it, what guesses at it lock, and that each code counts once.

use innkeeper_control_plane::{
    credentials::rules::totp::Secret, kernel::Actor, mails::rules::MailKind,
};
use innkeeper_wire::time::Clock as _;
use serde_json::{Value, json};

use crate::{
    accounts::files_with,
    setting::{Answer, OTHER_PASSWORD, PASSWORD, Setting, why},
};

const HOME: &str = "198.51.100.1";

/// What a phone and a piece of paper know.
pub(crate) struct Factor {
    pub(crate) secret: Secret,
    pub(crate) recovery_codes: Vec<String>,
}

impl Factor {
    /// What the app shows now.
    pub(crate) fn code(&self, setting: &Setting) -> String {
        self.secret.code(setting.clock.now())
    }

    /// The same in the next step, so that it was not used yet.
    async fn next_code(&self, setting: &Setting) -> String {
        setting.clock.advance_s(30);
        self.code(setting)
    }
}

/// Begins in a session; gives the secret.
pub(crate) async fn begin(setting: &Setting, session: &str) -> Secret {
    let body = json!({ "password": PASSWORD });
    let begun = setting.post("/me/second-factor", Some(session), body).await;
    let begun = begun.expect(201);
    let secret = begun["secret"].as_str().expect("a text");
    let uri = begun["uri"].as_str().expect("a text");
    assert!(
        uri.starts_with("otpauth://totp/") && uri.contains(secret),
        "{uri}"
    );
    serde_json::from_value(secret.into()).expect("a secret")
}

/// Sets one up; the code of the present step is used by that.
pub(crate) async fn set_up(setting: &Setting, session: &str) -> Factor {
    let secret = begin(setting, session).await;
    let body = json!({ "code": secret.code(setting.clock.now()) });
    let confirmed = setting.post("/me/second-factor/confirmation", Some(session), body);
    let codes = confirmed.await.expect(201)["codes"].clone();
    Factor {
        secret,
        recovery_codes: serde_json::from_value(codes).expect("texts"),
    }
}

/// Signs in as far as the code; gives the challenge.
pub(crate) async fn challenge(setting: &Setting, address: &str, device: Option<&str>) -> String {
    let answer = setting.sign_in_from(address, "minji90", PASSWORD, device);
    let problem = answer.await.expect(401);
    assert_eq!(problem["code"], "second-factor-required");
    problem["challenge"].as_str().expect("a secret").to_owned()
}

async fn send_code(setting: &Setting, address: &str, challenge: &str, code: &str) -> Answer {
    let body = json!({ "challenge": challenge, "code": code });
    setting
        .post_from(address, "/sessions/second-factor", body)
        .await
}

async fn sign_in(setting: &Setting, code: &str) -> Answer {
    let challenge = challenge(setting, HOME, None).await;
    send_code(setting, HOME, &challenge, code).await
}

fn is_wrong(answer: Answer) {
    assert_eq!(answer.fields(), [("/code".to_owned(), "wrong".to_owned())]);
    answer.expect(422);
}

async fn state(setting: &Setting, session: &str) -> Value {
    setting
        .get("/me/second-factor", Some(session))
        .await
        .expect(200)
}

async fn count(setting: &Setting, kind: MailKind) -> usize {
    setting.mails(kind).await.len()
}

#[tokio::test]
async fn it_is_on_after_its_first_code_and_asked_for_from_then_on() {
    let setting = Setting::new();
    let session = setting.customer("minji90").await;
    assert_eq!(
        state(&setting, &session).await,
        json!({ "recovery_codes_left": 0 })
    );

    let wrong = json!({ "password": OTHER_PASSWORD });
    let refused = setting
        .post("/me/second-factor", Some(&session), wrong)
        .await;
    assert_eq!(
        refused.fields(),
        [("/password".to_owned(), "wrong".to_owned())]
    );

    let secret = begin(&setting, &session).await;
    let pending = state(&setting, &session).await["pending"].clone();
    assert_eq!(pending["secret"], secret.text());
    setting
        .sign_in_from(HOME, "minji90", PASSWORD, None)
        .await
        .expect(201);
    let confirm = async |code: &str| {
        let body = json!({ "code": code });
        setting
            .post("/me/second-factor/confirmation", Some(&session), body)
            .await
    };
    is_wrong(confirm("000000").await);
    let codes = confirm(&secret.code(setting.clock.now())).await.expect(201);
    assert_eq!(codes["codes"].as_array().expect("a list").len(), 10);
    let on = state(&setting, &session).await;
    assert_eq!(
        (&on["recovery_codes_left"], &on["pending"]),
        (&json!(10), &Value::Null)
    );
    assert!(on["on_since"].is_string());
    assert_eq!(confirm("000000").await.expect(409)["code"], "invalid-state");
    let again = setting.post(
        "/me/second-factor",
        Some(&session),
        json!({ "password": PASSWORD }),
    );
    again.await.expect(409);

    let challenge = challenge(&setting, HOME, None).await;
    let used = send_code(
        &setting,
        HOME,
        &challenge,
        &secret.code(setting.clock.now()),
    )
    .await;
    is_wrong(used);
    setting.clock.advance_s(30);
    let code = secret.code(setting.clock.now());
    let answer = send_code(&setting, HOME, &challenge, &code)
        .await
        .expect(201);
    let token = answer["token"].as_str().expect("a token");
    setting.get("/me", Some(token)).await.expect(200);
    assert_eq!(count(&setting, MailKind::SecondFactorOn).await, 1);
    assert_eq!(count(&setting, MailKind::RecoveryCodeUsed).await, 0);
}

#[tokio::test]
async fn what_is_begun_in_one_session_is_told_to_no_other_and_waits_for_fifteen_minutes() {
    let setting = Setting::new();
    let session = setting.customer("minji90").await;
    let other = setting
        .sign_in_from(HOME, "minji90", PASSWORD, None)
        .await
        .expect(201);
    let other = other["token"].as_str().expect("a token");
    let secret = begin(&setting, &session).await;
    assert_eq!(state(&setting, other).await["pending"], Value::Null);
    let confirm = async |session: &str| {
        let body = json!({ "code": secret.code(setting.clock.now()) });
        setting
            .post("/me/second-factor/confirmation", Some(session), body)
            .await
    };
    confirm(other).await.expect(409);
    setting.clock.advance_s(15 * 60);
    assert_eq!(state(&setting, &session).await["pending"], Value::Null);
    confirm(&session).await.expect(409);
    setting
        .sign_in_from(HOME, "minji90", PASSWORD, None)
        .await
        .expect(201);
}

#[tokio::test]
async fn of_many_who_come_with_one_code_at_a_moment_one_is_let_in() {
    let setting = Setting::new();
    let session = setting.customer("minji90").await;
    let factor = set_up(&setting, &session).await;
    let code = factor.next_code(&setting).await;
    let mut challenges = Vec::new();
    for number in 0..4 {
        let address = format!("203.0.{number}.1");
        challenges.push((challenge(&setting, &address, None).await, address));
    }
    let [a, b, c, d] = [0, 1, 2, 3].map(|n: usize| {
        let (challenge, address) = &challenges[n];
        send_code(&setting, address, challenge, &code)
    });
    let (a, b, c, d) = tokio::join!(a, b, c, d);
    let statuses: Vec<u16> = [&a, &b, &c, &d]
        .map(|answer| answer.status.as_u16())
        .to_vec();
    let admitted = statuses.iter().filter(|status| **status == 201).count();
    assert_eq!(admitted, 1, "{statuses:?}");
}

#[tokio::test]
async fn a_challenge_is_good_for_one_session_and_five_minutes() {
    let setting = Setting::new();
    let session = setting.customer("minji90").await;
    let factor = set_up(&setting, &session).await;
    let first = challenge(&setting, HOME, None).await;
    let code = factor.next_code(&setting).await;
    send_code(&setting, HOME, &first, &code).await.expect(201);
    let code = factor.next_code(&setting).await;
    let used = send_code(&setting, HOME, &first, &code).await.expect(410);
    assert_eq!(used["code"], "sign-in-expired");

    let late = challenge(&setting, HOME, None).await;
    setting.clock.advance_s(300);
    let code = factor.code(&setting);
    send_code(&setting, HOME, &late, &code).await.expect(410);
    send_code(&setting, HOME, "made up", &code)
        .await
        .expect(410);

    // Another password ends what waits with the one of before.
    let before = challenge(&setting, HOME, None).await;
    let change = json!({ "current": PASSWORD, "password": OTHER_PASSWORD });
    let session = sign_in(&setting, &code).await.expect(201);
    let session = session["token"].as_str().expect("a token");
    setting
        .post("/me/password", Some(session), change)
        .await
        .expect(204);
    let code = factor.next_code(&setting).await;
    send_code(&setting, HOME, &before, &code).await.expect(410);
}

#[tokio::test]
async fn wrong_codes_lock_and_are_told_and_neither_devices_nor_addresses_get_around() {
    let setting = Setting::new();
    let session = setting.customer("minji90").await;
    let device = setting
        .sign_in_from(HOME, "minji90", PASSWORD, None)
        .await
        .expect(201);
    let device = device["device"].as_str().expect("a token").to_owned();
    let factor = set_up(&setting, &session).await;
    let thief = "203.0.113.9";
    let wait = challenge(&setting, thief, None).await;
    for _ in 0..5 {
        is_wrong(send_code(&setting, thief, &wait, "000000").await);
    }
    let code = factor.next_code(&setting).await;
    let locked = send_code(&setting, thief, &wait, &code).await.expect(423);
    assert_eq!(locked["code"], "account-locked");
    // What he has begun counts for where he began it.
    send_code(&setting, "203.0.114.9", &wait, &code)
        .await
        .expect(423);
    let another = challenge(&setting, thief, None).await;
    send_code(&setting, thief, &another, &code)
        .await
        .expect(423);
    let mails = setting.mails(MailKind::WrongCodes).await;
    assert_eq!(mails.len(), 1);
    assert!(
        mails[0].letter.body.contains("203.0.113.0/24"),
        "{}",
        mails[0].letter.body
    );

    // The owner's device is asked as well, and gets in.
    let own = challenge(&setting, thief, Some(&device)).await;
    is_wrong(send_code(&setting, thief, &own, "000000").await);
    send_code(&setting, thief, &own, &code).await.expect(201);
}

#[tokio::test]
async fn fifty_wrong_codes_from_everywhere_lock_all_but_known_devices() {
    let setting = Setting::new();
    let session = setting.customer("minji90").await;
    let device = setting
        .sign_in_from(HOME, "minji90", PASSWORD, None)
        .await
        .expect(201);
    let device = device["device"].as_str().expect("a token").to_owned();
    let factor = set_up(&setting, &session).await;
    for number in 0..10 {
        let address = format!("203.0.{number}.1");
        let wait = challenge(&setting, &address, None).await;
        for _ in 0..5 {
            is_wrong(send_code(&setting, &address, &wait, "000000").await);
        }
    }
    let code = factor.next_code(&setting).await;
    let elsewhere = challenge(&setting, "192.0.2.77", None).await;
    send_code(&setting, "192.0.2.77", &elsewhere, &code)
        .await
        .expect(423);
    let own = challenge(&setting, "192.0.2.77", Some(&device)).await;
    send_code(&setting, "192.0.2.77", &own, &code)
        .await
        .expect(201);
}

#[tokio::test]
async fn a_recovery_code_lets_in_once_and_is_told_with_how_many_are_left() {
    let setting = Setting::new();
    let session = setting.customer("minji90").await;
    let factor = set_up(&setting, &session).await;
    let code = factor.recovery_codes[4].to_lowercase();
    let answer = sign_in(&setting, &code).await.expect(201);
    is_wrong(sign_in(&setting, &code).await);
    let session = answer["token"].as_str().expect("a token");
    assert_eq!(state(&setting, session).await["recovery_codes_left"], 9);
    let mails = setting.mails(MailKind::RecoveryCodeUsed).await;
    assert_eq!(mails.len(), 1);
    assert!(
        mails[0].letter.body.contains("9개"),
        "{}",
        mails[0].letter.body
    );
    let code = factor.next_code(&setting).await;
    sign_in(&setting, &code).await.expect(201);
}

#[tokio::test]
async fn other_recovery_codes_and_switching_off_take_password_and_code() {
    let setting = Setting::new();
    let session = setting.customer("minji90").await;
    let factor = set_up(&setting, &session).await;
    let ask = async |path: &str, password: &str, code: &str| {
        let body = json!({ "password": password, "code": code });
        let path = format!("/me/second-factor/{path}");
        setting.post(&path, Some(&session), body).await
    };
    let code = factor.next_code(&setting).await;
    for path in ["recovery-codes", "removal"] {
        let refused = ask(path, OTHER_PASSWORD, &code).await;
        assert_eq!(
            refused.fields(),
            [("/password".to_owned(), "wrong".to_owned())]
        );
        is_wrong(ask(path, PASSWORD, "000000").await);
    }
    let renewed = ask("recovery-codes", PASSWORD, &code).await.expect(201);
    is_wrong(ask("removal", PASSWORD, &code).await);
    is_wrong(ask("removal", PASSWORD, &factor.recovery_codes[0]).await);
    assert_eq!(count(&setting, MailKind::RecoveryCodesRenewed).await, 1);
    let new = renewed["codes"][0].as_str().expect("a code");
    ask("removal", PASSWORD, new).await.expect(204);
    assert_eq!(
        state(&setting, &session).await,
        json!({ "recovery_codes_left": 0 })
    );
    assert_eq!(count(&setting, MailKind::SecondFactorOff).await, 1);
    setting
        .sign_in_from(HOME, "minji90", PASSWORD, None)
        .await
        .expect(201);
    ask("removal", PASSWORD, new).await.expect(409);
}

/// T35: whoever reads the mails of an account can choose its password, and nothing more.
#[tokio::test]
async fn a_mailed_link_does_not_skip_it() {
    let setting = Setting::new();
    let session = setting.customer("minji90").await;
    set_up(&setting, &session).await;
    let token = setting.reset_token("minji90").await;
    let body = json!({ "token": token, "password": OTHER_PASSWORD });
    setting
        .post("/password-resets/complete", None, body)
        .await
        .expect(204);
    let answer = setting
        .sign_in_from(HOME, "minji90", OTHER_PASSWORD, None)
        .await;
    assert_eq!(answer.expect(401)["code"], "second-factor-required");
}

/// It is not asked for before the password is right: who has one is nobody's business.
#[tokio::test]
async fn a_wrong_password_does_not_tell_who_has_one() {
    let setting = Setting::new();
    let session = setting.customer("minji90").await;
    setting.customer("hayun77").await;
    set_up(&setting, &session).await;
    for login in ["minji90", "hayun77", "nobody7"] {
        let wrong = setting
            .sign_in_from(HOME, login, OTHER_PASSWORD, None)
            .await;
        let problem = wrong.expect(401);
        assert_eq!(problem["code"], "bad-credentials");
        assert_eq!(problem["challenge"], Value::Null);
    }
}

/// Neither what the app knows nor what the paper says, nor what a sign-in goes on with.
#[tokio::test]
async fn no_secret_of_it_is_in_any_file() {
    let setting = Setting::new();
    let session = setting.customer("minji90").await;
    let waits = begin(&setting, &session).await;
    let factor = set_up(&setting, &session).await;
    let challenge = challenge(&setting, HOME, None).await;
    sign_in(&setting, &factor.recovery_codes[0])
        .await
        .expect(201);
    let mut secrets = vec![waits.text(), factor.secret.text(), challenge];
    for code in &factor.recovery_codes {
        secrets.extend([code.clone(), code.replace('-', "")]);
    }
    let folder = setting.stop().await;
    let known = files_with(folder.path(), "second factor on");
    assert!(!known.is_empty(), "the journal is looked at");
    for secret in secrets {
        assert_eq!(
            files_with(folder.path(), &secret),
            Vec::<std::path::PathBuf>::new()
        );
    }
}

#[tokio::test]
async fn an_erased_account_leaves_none() {
    let setting = Setting::new();
    let session = setting.customer("minji90").await;
    let me = setting.get("/me", Some(&session)).await.expect(200);
    let account = me["id"].as_str().expect("an id").parse().expect("an id");
    let factor = set_up(&setting, &session).await;
    let waits = challenge(&setting, HOME, None).await;
    let accounts = &setting.nouns.accounts;
    assert!(accounts.has_second_factor(account).expect("read"));
    setting
        .nouns
        .billing
        .erase_account(Actor::Operator, account, &why())
        .await
        .expect("erased");
    assert!(!accounts.has_second_factor(account).expect("read"));
    let code = factor.next_code(&setting).await;
    send_code(&setting, HOME, &waits, &code).await.expect(410);
}
