//! Signing in while others guess: what locks whom, what a lock tells, who gets in during a flood.

use axum::http::Method;
use innkeeper_control_plane::mails::rules::MailKind;
use serde_json::{Value, json};

use crate::{
    accounts::futures_join,
    setting::{PASSWORD, Setting, signup},
};

const WRONG: &str = "wrong wrong wrong";
const HOME: &str = "198.51.100.1";

/// A customer who has signed in at home; gives the token of his device.
async fn owner(setting: &Setting) -> String {
    setting.customer("minji90").await;
    let session = setting.sign_in_from(HOME, "minji90", PASSWORD, None).await;
    token_of(&session.expect(201))
}

fn token_of(session: &Value) -> String {
    let device = session["device"].as_str();
    device.expect("a token for the device").to_owned()
}

fn counted(setting: &Setting, outcome: &str) -> u64 {
    let text = setting.metrics.render(&setting.nouns);
    let text = String::from_utf8(text).expect("a text");
    let name = format!("innkeeper_sign_ins_total{{outcome=\"{outcome}\"}} ");
    let line = text.lines().find_map(|line| line.strip_prefix(&name));
    line.expect("there from the start")
        .parse()
        .expect("a number")
}

/// An account had no limit of changes: 264 a second, 39 MB of journal a minute.
#[tokio::test]
async fn an_account_may_change_so_much_in_five_minutes_and_look_and_leave_at_any_time() {
    let setting = Setting::new();
    let (busy, other) = (
        setting.newcomer("minji90").await,
        setting.newcomer("jihun91").await,
    );
    let add = async |token: &str| {
        let key = json!({"name": "", "public_key": "none"});
        setting.post("/me/ssh-keys", Some(token), key).await
    };
    for _ in 0..300 {
        add(&busy).await.expect(422);
    }
    let refused = add(&busy).await;
    assert_eq!(refused.headers["retry-after"], "300");
    assert_eq!(refused.expect(429)["code"], "rate-limited");
    setting.get("/me", Some(&busy)).await.expect(200);
    add(&other).await.expect(422);
    setting.clock.advance_s(300);
    for _ in 0..300 {
        add(&busy).await.expect(422);
    }
    let leave = async || {
        let path = "/sessions/current";
        let answer = setting.send(Method::DELETE, path, Some(&busy), &[], None);
        answer.await
    };
    leave().await.expect(204);
    leave().await.expect(401);
}

#[tokio::test]
async fn five_wrong_passwords_lock_one_client_for_thirty_minutes() {
    let setting = Setting::new();
    setting.customer("minji90").await;
    let from = async |password: &str, address: &str| {
        setting
            .sign_in_from(address, "minji90", password, None)
            .await
    };
    for _ in 0..5 {
        let wrong = from(WRONG, "192.0.2.1").await.expect(401);
        assert_eq!(wrong["code"], "bad-credentials");
    }
    let locked = from(PASSWORD, "192.0.2.1").await.expect(423);
    assert_eq!(
        (locked["code"].as_str(), locked["retry_after_s"].as_u64()),
        (Some("account-locked"), Some(1_800))
    );
    from(PASSWORD, HOME).await.expect(201);
    from(PASSWORD, "192.0.2.77").await.expect(201);
    setting.clock.advance_s(1_799);
    from(PASSWORD, "192.0.2.1").await.expect(423);
    setting.clock.advance_s(1);
    from(PASSWORD, "192.0.2.1").await.expect(201);
}

/// B1: the same answers whether ID and address belong together, to others, or to nobody.
#[tokio::test]
async fn a_lock_tells_nothing_about_who_has_an_account() {
    let setting = Setting::new();
    setting.customer("minji90").await;
    setting.customer("hayun77").await;
    let pairs = [
        ("minji90", "minji90@example.com"),
        ("minji90", "hayun77@example.com"),
        ("minji90", "nobody7@example.com"),
        ("nobody7", "minji90@example.com"),
        ("nobody7", "nobody7@example.com"),
        ("no such ID", "nobody7@"),
    ];
    let mut seen = Vec::new();
    for (number, (id, address)) in pairs.into_iter().enumerate() {
        let source = format!("192.0.{number}.1");
        let mut statuses = Vec::new();
        for login in [id; 6].into_iter().chain([address; 6]).chain([id, address]) {
            // However it is written, an ID is one.
            let login = if statuses.len() % 2 == 0 {
                login.to_uppercase()
            } else {
                format!(" {login}")
            };
            let answer = setting.sign_in_from(&source, &login, WRONG, None).await;
            statuses.push(answer.status.as_u16());
        }
        seen.push(statuses);
    }
    let locks_at_six = [401, 401, 401, 401, 401, 423];
    let expected: Vec<u16> = [locks_at_six, locks_at_six].concat();
    for statuses in seen {
        assert_eq!(statuses, [expected.clone(), vec![423, 423]].concat());
    }
}

/// B2: from everywhere together, strangers have 50 guesses at a name a day; the owner's device is not one of them.
#[tokio::test]
async fn guesses_from_everywhere_are_limited_and_the_owner_gets_in_from_his_device() {
    let setting = Setting::new();
    let device = owner(&setting).await;
    let before = setting.nouns.accounts.password_hashes();
    let mut looked_at = 0;
    for network in 0..60 {
        for guess in 0..5 {
            // As many of one /48 as of different ones.
            let source = format!("2001:db8:{network:x}:{guess:x}::1");
            let answer = setting.sign_in_from(&source, "minji90", WRONG, None).await;
            looked_at += u64::from(answer.status.as_u16() == 401);
        }
    }
    assert_eq!(looked_at, 50);
    assert_eq!(setting.nouns.accounts.password_hashes() - before, 50);
    assert_eq!(counted(&setting, "locked"), 250);
    let from_home = async |login: &str, password: &str, device: Option<&str>| {
        let answer = setting.sign_in_from(HOME, login, password, device).await;
        answer.status.as_u16()
    };
    assert_eq!(from_home("minji90", PASSWORD, None).await, 423);
    assert_eq!(from_home("minji90", PASSWORD, Some(&device)).await, 201);
    let by_mail = from_home("minji90@example.com", PASSWORD, Some(&device)).await;
    assert_eq!(by_mail, 201);
    // A device has its own five, and no stranger's device is anybody's.
    for forged in [
        device.replace('.', ""),
        format!("{device}0"),
        device.replacen('.', ".1", 1),
        String::new(),
    ] {
        let answer = from_home("minji90", PASSWORD, Some(&forged)).await;
        assert_eq!(answer, 423, "{forged}");
    }
    setting.customer("hayun77").await;
    let other = setting.sign_in_from(HOME, "hayun77", PASSWORD, None).await;
    let other = token_of(&other.expect(201));
    assert_eq!(from_home("minji90", PASSWORD, Some(&other)).await, 423);
    for _ in 0..5 {
        assert_eq!(from_home("minji90", WRONG, Some(&device)).await, 401);
    }
    assert_eq!(from_home("minji90", PASSWORD, Some(&device)).await, 423);
    setting.clock.advance_s(1_800);
    assert_eq!(from_home("minji90", PASSWORD, Some(&device)).await, 201);
    setting.clock.advance_s(86_400 - 1_800);
    assert_eq!(from_home("minji90", PASSWORD, None).await, 201);
    setting.clock.advance_s(181 * 86_400);
    let too_old = from_home("minji90", WRONG, Some(&device)).await;
    assert_eq!(too_old, 401, "a stranger again");
}

/// B3: of 1,500 at a time from one network few wait, the others hear so at once, and others' sign-ins pass between.
#[tokio::test]
async fn a_flood_of_sign_ins_is_refused_early_and_others_pass() {
    let setting = Setting::new();
    owner(&setting).await;
    let logins: Vec<String> = (0..1_500).map(|number| format!("nobody{number}")).collect();
    let flood = logins.iter().enumerate().map(|(number, login)| {
        let source = format!("2001:db8:bad:{number:x}::1");
        let setting = &setting;
        async move {
            let answer = setting.sign_in_from(&source, login, WRONG, None).await;
            (
                answer.status.as_u16(),
                answer.body["retry_after_s"].as_u64(),
            )
        }
    });
    // Asks when all others have.
    let honest = async {
        let before = setting.nouns.accounts.password_hashes();
        let answer = setting.sign_in_from(HOME, "minji90", PASSWORD, None).await;
        (
            answer.status.as_u16(),
            setting.nouns.accounts.password_hashes() - before,
        )
    };
    let (flood, honest) = tokio::join!(futures_join(flood), honest);
    assert_eq!(honest.0, 201);
    assert!(honest.1 <= 10, "{} hashes were made before", honest.1);
    let of = |status| flood.iter().filter(|answer| answer.0 == status).count();
    assert_eq!((of(429), of(401) + of(503)), (1_260, 240));
    assert!(of(401) >= 6 && of(503) > 0, "{}", of(401));
    let says_when = |answer: &&(u16, Option<u64>)| answer.0 == 401 || answer.1.is_some();
    assert_eq!(flood.iter().filter(says_when).count(), 1_500);
    assert_eq!(
        counted(&setting, "crowded"),
        u64::try_from(of(503)).expect("few")
    );
}

/// With the right password there was no limit: 51 sessions a second, three kilobytes each, for an hour at least.
#[tokio::test]
async fn an_account_opens_sixty_sessions_in_five_minutes_from_wherever() {
    let setting = Setting::new();
    setting.customer("minji90").await;
    setting.clock.advance_s(300);
    let sign_in = async |number: u32| {
        let from = format!("10.0.{number}.1");
        setting.sign_in_from(&from, "minji90", PASSWORD, None).await
    };
    for number in 0..60 {
        sign_in(number).await.expect(201);
    }
    assert_eq!(sign_in(60).await.expect(429)["code"], "rate-limited");
    setting.clock.advance_s(300);
    sign_in(60).await.expect(201);
}

/// B4: many behind one address, such as a proxy's or a company's.
#[tokio::test]
async fn many_behind_one_address_do_not_shut_a_known_device_out() {
    let setting = Setting::new();
    let device = owner(&setting).await;
    for number in 0..12 {
        let login = format!("nobody{number}");
        for _ in 0..5 {
            setting.sign_in_from(HOME, &login, WRONG, None).await;
        }
    }
    let answer = setting.sign_in_from(HOME, "minji90", PASSWORD, None).await;
    assert_eq!(answer.expect(429)["code"], "rate-limited");
    let answer = setting.sign_in_from(HOME, "minji90", PASSWORD, Some(&device));
    answer.await.expect(201);
    // And a stranger elsewhere harms nobody here.
    for _ in 0..9 {
        setting
            .sign_in_from("192.0.2.1", "minji90", WRONG, None)
            .await;
    }
    setting.clock.advance_s(300);
    let answer = setting.sign_in_from(HOME, "minji90", PASSWORD, None).await;
    answer.expect(201);
}

/// C2: what is done for an account that exists is done for one that does not.
#[tokio::test]
async fn known_and_unknown_names_make_the_same_work() {
    let setting = Setting::new();
    setting.customer("minji90").await;
    setting
        .post("/signups", None, signup("waiting1"))
        .await
        .expect(201);
    setting.mailed_token().await;
    setting.clock.advance_s(120);
    let long = "x".repeat(200);
    for login in [
        "minji90",
        "nobody7",
        "minji90@example.com",
        "nobody7@example.com",
    ] {
        for password in ["", WRONG, &long] {
            let before = setting.nouns.accounts.password_hashes();
            let answer = setting.sign_in_from(HOME, login, password, None).await;
            answer.expect(401);
            let made = setting.nouns.accounts.password_hashes() - before;
            assert_eq!(made, 1, "{login} {}", password.len());
        }
    }
    let sequence = setting.nouns.ctx.store().sequence();
    for login in ["waiting1", "waiting1@example.com", "minji90", "nobody7"] {
        let answer = setting.post(
            "/email-confirmations/resend",
            None,
            json!({ "login": login }),
        );
        answer.await.expect(202);
        assert_eq!(setting.nouns.ctx.store().sequence(), sequence, "{login}");
    }
    setting.answer_wishes().await;
    assert_eq!(setting.mails(MailKind::ConfirmEmail).await.len(), 1);
}
