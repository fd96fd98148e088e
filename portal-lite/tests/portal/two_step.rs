//! Two-step verification in the account: what is shown and asked of the API while it is off, waits for its first code and is
//! on; and the code that a proof asks for.

use innkeeper_wire::{
    api::SecondFactor,
    error::{FieldErrorCode, Problem, ProblemCode},
};
use serde_json::json;

use crate::support::{Browser, Stub, fixtures, invalid};

const HOME: &str = "/account/two-step";
const CONFIRM: &str = "/account/two-step/confirm";
const CONFIRMED: &str = "POST /me/second-factor/confirmation";
const PROOFS: &str = "POST /sessions/current/proofs";

fn off() -> SecondFactor {
    SecondFactor {
        on_since: None,
        recovery_codes_left: 0,
        recovery_codes_off: false,
        pending: None,
    }
}

fn on() -> SecondFactor {
    SecondFactor {
        pending: None,
        ..fixtures::second_factor()
    }
}

#[tokio::test]
async fn it_is_set_up_with_a_picture_and_a_code() {
    let stub = Stub::new();
    stub.book().second_factor = off();
    let mut member = Browser::new(&stub).await.signed_in();
    let page = member.get("/account").await;
    assert!(page.body.contains("href=\"/account/two-step\""));
    let page = member.get(HOME).await.body;
    assert!(page.contains("It is off") && !page.contains("A set-up is under way"));
    for other in [CONFIRM, "/account/two-step/codes", "/account/two-step/off"] {
        assert_eq!(member.get(other).await.header("location"), HOME, "{other}");
    }
    let empty = member.post(HOME, &[("password", "")]).await;
    assert!(empty.body.contains("Enter your password."));
    let wrong = invalid(&[("/password", FieldErrorCode::Wrong)]);
    stub.refuse("POST /me/second-factor", wrong);
    let page = member.post(HOME, &[("password", "guess")]).await.body;
    assert!(page.contains("This is not your password.") && !page.contains("guess"));
    let begun = member.post(HOME, &[("password", "secret-word")]).await;
    assert_eq!(begun.header("location"), CONFIRM);
    let asked = &stub.calls("POST /me/second-factor")[1].body;
    assert_eq!(*asked, json!({"password": "secret-word"}));

    let pending = Some(fixtures::second_factor_secret());
    stub.book().second_factor = SecondFactor { pending, ..off() };
    assert!(
        member
            .get(HOME)
            .await
            .body
            .contains("A set-up is under way")
    );
    let page = member.get(CONFIRM).await.body;
    assert!(page.contains("GEZD GNBV GY3T QOJQ GEZD GNBV GY3T QOJQ"));
    assert!(page.contains("href=\"otpauth://totp/Harbour%20Cloud:mina1?secret=GEZDGNBV"));
    assert!(page.contains("<svg class=\"qr\" role=\"img\" aria-label=\"QR code"));
    assert!(page.contains("2026, 21:15"), "{page}");
    let empty = member.post(CONFIRM, &[("code", " ")]).await;
    assert!(empty.body.contains("Enter the code that the app shows."));
    assert!(stub.calls(CONFIRMED).is_empty());
    stub.refuse(CONFIRMED, invalid(&[("/code", FieldErrorCode::Wrong)]));
    let page = member.post(CONFIRM, &[("code", "111111")]).await.body;
    assert!(page.contains("href=\"#code\">This code is wrong") && !page.contains("111111"));
    let done = member.post(CONFIRM, &[("code", "123456")]).await;
    assert_eq!(stub.calls(CONFIRMED)[1].body, json!({"code": "123456"}));
    is_codes_page(&done.body);
    assert_eq!(
        (done.status, done.header("cache-control")),
        (200, "no-store")
    );
}

fn is_codes_page(page: &str) {
    for code in fixtures::recovery_codes().codes {
        assert_eq!(page.matches(&code).count(), 1, "{code}");
    }
    assert!(page.contains("These codes are shown only now."));
}

#[tokio::test]
async fn what_is_on_is_shown_and_changed_with_both_factors() {
    let stub = Stub::new();
    stub.book().second_factor = on();
    let mut member = Browser::new(&stub).await.signed_in();
    let page = member.get(HOME).await.body;
    assert!(page.contains("It is on") && page.contains("8 are left"));
    assert!(!page.contains("restored from a backup"));
    for (path, line) in [
        (
            "/account/two-step/codes",
            "POST /me/second-factor/recovery-codes",
        ),
        ("/account/two-step/off", "POST /me/second-factor/removal"),
    ] {
        member.get(path).await;
        let empty = member.post(path, &[("password", ""), ("code", "")]).await;
        assert!(empty.body.contains("Enter your password."));
        assert!(
            empty
                .body
                .contains("Enter the code of your app, or a recovery code.")
        );
        assert!(stub.calls(line).is_empty());
        stub.refuse(line, invalid(&[("/code", FieldErrorCode::Wrong)]));
        let recovery = [
            ("password", "secret"),
            ("recovery_code", "040G-2081-040G-2081"),
        ];
        let page = member.post(path, &recovery).await.body;
        assert!(page.contains("href=\"#recovery_code\">This is no recovery code of yours"));
        assert!(!page.contains("value=\"040G") && !page.contains("secret\""));
        let fields = [("password", "secret"), ("code", "123456")];
        let done = member.post(path, &fields).await;
        let asked = &stub.calls(line)[1].body;
        assert_eq!(*asked, json!({"password": "secret", "code": "123456"}));
        match path {
            "/account/two-step/codes" => is_codes_page(&done.body),
            _ => assert_eq!(done.header("location"), HOME),
        }
    }
    stub.book().second_factor = off();
    let page = member.get(HOME).await.body;
    assert!(page.contains("Two-step verification is off."));
}

#[tokio::test]
async fn the_owner_reads_that_a_restore_has_put_his_recovery_codes_out() {
    let stub = Stub::new();
    stub.book().second_factor = SecondFactor {
        recovery_codes_left: 0,
        recovery_codes_off: true,
        ..on()
    };
    let mut member = Browser::new(&stub).await.signed_in();
    let page = member.get(HOME).await.body;
    assert!(page.contains("restored from a backup") && page.contains("0 are left"));
    assert!(page.contains("href=\"/account/two-step/codes\""));
}

#[tokio::test]
async fn a_proof_asks_for_a_code_where_it_is_on_and_for_none_where_it_is_not() {
    let stub = Stub::new();
    stub.book().second_factor = off();
    let mut member = Browser::new(&stub).await.signed_in();
    let page = member.get("/account/proof?next=%2Fkeys").await.body;
    assert!(!page.contains("name=\"code\"") && page.contains("name=\"password\""));
    stub.book().second_factor = on();
    let path = "/account/proof?next=%2Fkeys";
    let page = member.get(path).await.body;
    assert!(page.contains("name=\"code\"") && page.contains("name=\"recovery_code\""));
    stub.refuse(PROOFS, invalid(&[("/code", FieldErrorCode::Required)]));
    let fields = [("next", "/keys"), ("password", "secret"), ("code", "")];
    let page = member.post(path, &fields).await.body;
    assert!(page.contains("href=\"#code\">Enter the code of your app, or a recovery code."));
    stub.refuse(
        PROOFS,
        Problem {
            retry_after_s: Some(1_800),
            ..Problem::new(ProblemCode::AccountLocked)
        },
    );
    let fields = [
        ("next", "/keys"),
        ("password", "secret"),
        ("code", "123456"),
    ];
    let page = member.post(path, &fields).await.body;
    assert!(page.contains("30 minutes"), "{page}");
    let done = member.post(path, &fields).await;
    assert_eq!(done.header("location"), "/keys");
    let asked = &stub.calls(PROOFS)[2].body;
    assert_eq!(*asked, json!({"password": "secret", "code": "123456"}));
}
