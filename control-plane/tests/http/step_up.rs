//! Proofs of who uses a session where a second factor is on, and recovery codes after a restore.

use innkeeper_control_plane::{
    mails::rules::MailKind,
    store::{FolderDisk, begin_epoch, next_epoch},
};
use serde_json::{Value, json};

use crate::{
    second_factor::{Factor, challenge, set_up},
    setting::{Answer, OTHER_PASSWORD, PASSWORD, Setting, public_key},
    witnesses::copy_journal,
};

const HOME: &str = "198.51.100.1";

async fn prove(setting: &Setting, session: &str, password: &str, code: Option<&str>) -> Answer {
    let mut body = json!({ "password": password });
    if let Some(code) = code {
        body["code"] = code.into();
    }
    setting
        .post("/sessions/current/proofs", Some(session), body)
        .await
}

/// Whether the session is good for what only the owner may do.
async fn is_proved(setting: &Setting, session: &str, seed: u8) -> bool {
    let body = json!({ "name": "", "public_key": public_key(seed) });
    let answer = setting.post("/me/ssh-keys", Some(session), body).await;
    match answer.status.as_u16() {
        201 => true,
        403 => false,
        other => panic!("{other}"),
    }
}

/// What a code is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Code {
    Missing,
    Blank,
    Wrong,
    Right,
    Replayed,
    Recovery,
    UsedRecovery,
}

impl Code {
    const ALL: [Self; 7] = [
        Self::Missing,
        Self::Blank,
        Self::Wrong,
        Self::Right,
        Self::Replayed,
        Self::Recovery,
        Self::UsedRecovery,
    ];

    fn typed(self, setting: &Setting, factor: Option<&Factor>) -> Option<String> {
        let made_up = "0000-0000-0000-0001".to_owned();
        let recovery = |n: usize| factor.map_or(made_up.clone(), |it| it.recovery_codes[n].clone());
        match self {
            Self::Missing => None,
            Self::Blank => Some(" ".to_owned()),
            Self::Wrong => Some("000000".to_owned()),
            Self::Right | Self::Replayed => {
                Some(factor.map_or("123456".to_owned(), |it| it.code(setting)))
            }
            Self::Recovery => Some(recovery(0)),
            Self::UsedRecovery => Some(recovery(1)),
        }
    }

    /// What is wrong with it where a factor is on.
    fn complaint(self) -> Option<&'static str> {
        match self {
            Self::Missing | Self::Blank => Some("required"),
            Self::Wrong | Self::Replayed | Self::UsedRecovery => Some("wrong"),
            Self::Right | Self::Recovery => None,
        }
    }
}

/// Every kind of code with a right and a wrong password, with a factor and without.
#[tokio::test]
async fn a_proof_takes_both_factors_where_the_second_is_on() {
    for is_on in [false, true] {
        for code in Code::ALL {
            for is_right in [false, true] {
                let setting = Setting::new();
                let session = setting.customer("minji90").await;
                let mut factor = None;
                if is_on {
                    factor = Some(set_up(&setting, &session).await);
                }
                setting.clock.advance_s(600);
                let typed = code.typed(&setting, factor.as_ref());
                if is_on && matches!(code, Code::Replayed | Code::UsedRecovery) {
                    let used = prove(&setting, &session, PASSWORD, typed.as_deref()).await;
                    used.expect(204);
                    // The proof of that is over, and the code is still shown: the clock goes on in another session.
                    let other = second_session(&setting, factor.as_ref().expect("on")).await;
                    check(&setting, &other, (is_on, code, is_right), typed.as_deref()).await;
                    continue;
                }
                check(
                    &setting,
                    &session,
                    (is_on, code, is_right),
                    typed.as_deref(),
                )
                .await;
            }
        }
    }
}

/// Another session of the account, which has proved nothing for ten minutes.
async fn second_session(setting: &Setting, factor: &Factor) -> String {
    let challenge = challenge(setting, HOME, None).await;
    let body = json!({ "challenge": challenge, "code": factor.recovery_codes[9] });
    let answer = setting.post("/sessions/second-factor", None, body).await;
    answer.expect(201)["token"]
        .as_str()
        .expect("a token")
        .to_owned()
}

async fn check(
    setting: &Setting,
    session: &str,
    (is_on, code, is_right): (bool, Code, bool),
    typed: Option<&str>,
) {
    let case = format!("on {is_on}, {code:?}, password right {is_right}");
    let password = if is_right { PASSWORD } else { OTHER_PASSWORD };
    let answer = prove(setting, session, password, typed).await;
    let expected = match (is_right, is_on) {
        (false, _) => Some(("/password", "wrong")),
        (true, true) => code.complaint().map(|complaint| ("/code", complaint)),
        (true, false) => None,
    };
    let expected: Vec<_> = expected
        .iter()
        .map(|(pointer, code)| ((*pointer).to_owned(), (*code).to_owned()))
        .collect();
    assert_eq!(answer.fields(), expected, "{case}");
    let status = if expected.is_empty() { 204 } else { 422 };
    assert_eq!(answer.status.as_u16(), status, "{case}");
    if is_on && !is_right && code.complaint().is_none() {
        // A code that came with a wrong password is not used up.
        prove(setting, session, PASSWORD, typed).await.expect(204);
    }
}

#[tokio::test]
async fn a_password_alone_proves_nothing_any_more_once_a_factor_is_on() {
    let setting = Setting::new();
    let session = setting.customer("minji90").await;
    let factor = set_up(&setting, &session).await;
    setting.clock.advance_s(600);
    assert!(!is_proved(&setting, &session, 1).await);
    let code = factor.code(&setting);
    for (password, code) in [
        (PASSWORD, None),
        (PASSWORD, Some("000000")),
        (OTHER_PASSWORD, Some(code.as_str())),
    ] {
        prove(&setting, &session, password, code).await.expect(422);
        assert!(!is_proved(&setting, &session, 1).await, "{code:?}");
    }
    let proved = prove(&setting, &session, PASSWORD, Some(&code)).await;
    proved.expect(204);
    assert!(is_proved(&setting, &session, 1).await);
}

/// A stolen session with the password is not good for guessing codes, and the owner hears of it.
#[tokio::test]
async fn wrong_codes_of_proofs_lock_and_are_told() {
    let setting = Setting::new();
    let session = setting.customer("minji90").await;
    let factor = set_up(&setting, &session).await;
    setting.clock.advance_s(600);
    for number in 0..5 {
        let told = setting.mails(MailKind::WrongCodes).await.len();
        assert_eq!(told, 0, "after {number}");
        let wrong = prove(&setting, &session, PASSWORD, Some("000000")).await;
        wrong.expect(422);
    }
    let code = factor.code(&setting);
    let locked = prove(&setting, &session, PASSWORD, Some(&code)).await;
    assert_eq!(locked.expect(423)["code"], "account-locked");
    assert_eq!(setting.mails(MailKind::WrongCodes).await.len(), 1);
    // Whoever signs in is not kept out by that.
    let challenge = challenge(&setting, HOME, None).await;
    let body = json!({ "challenge": challenge, "code": code });
    let answer = setting.post("/sessions/second-factor", None, body).await;
    answer.expect(201);
    setting.clock.advance_s(30 * 60);
    let code = factor.code(&setting);
    let proved = prove(&setting, &session, PASSWORD, Some(&code)).await;
    proved.expect(204);
}

/// A copy knows codes as unused that were used after it was made.
#[tokio::test]
async fn recovery_codes_are_off_after_a_restore_until_others_are_made() {
    let lost = Setting::new();
    let session = lost.customer("minji90").await;
    let factor = set_up(&lost, &session).await;
    copy_journal(&lost, "old");
    let used = challenge(&lost, HOME, None).await;
    let body = json!({ "challenge": used, "code": factor.recovery_codes[0] });
    let answer = lost.post("/sessions/second-factor", None, body).await;
    answer.expect(201);
    lost.clock.advance_s(30);
    let disk = FolderDisk::new(lost.folder.join("old/journal"));
    begin_epoch(&disk, next_epoch(1, 1_790_000_000)).expect("a new epoch");
    let setting = lost.with_store("old");

    let waits = challenge(&setting, HOME, None).await;
    let send = async |challenge: &str, code: &str| {
        let body = json!({ "challenge": challenge, "code": code });
        setting.post("/sessions/second-factor", None, body).await
    };
    for code in &factor.recovery_codes[..2] {
        send(&waits, code).await.expect(422);
    }
    let answer = send(&waits, &factor.code(&setting)).await.expect(201);
    let session = answer["token"].as_str().expect("a token");
    let state = async || -> Value {
        let shown = setting.get("/me/second-factor", Some(session)).await;
        shown.expect(200)
    };
    let off = state().await;
    assert_eq!(off["recovery_codes_off"], true);
    assert_eq!(off["recovery_codes_left"], 0);
    let finished = setting.nouns.continuity.finish_recovery(&[]).await;
    finished.expect("no host is waited for");
    assert_eq!(state().await["recovery_codes_off"], true, "also later");
    setting.clock.advance_s(30);
    let body = json!({ "password": PASSWORD, "code": factor.code(&setting) });
    let path = "/me/second-factor/recovery-codes";
    let renewed = setting.post(path, Some(session), body).await.expect(201);
    let on = state().await;
    assert_eq!(
        (&on["recovery_codes_off"], &on["recovery_codes_left"]),
        (&Value::Null, &json!(10))
    );
    let waits = challenge(&setting, HOME, None).await;
    send(&waits, &factor.recovery_codes[2]).await.expect(422);
    let new = renewed["codes"][0].as_str().expect("a code");
    send(&waits, new).await.expect(201);
}
