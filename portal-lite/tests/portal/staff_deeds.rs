//! What staff do by the pages that ask before: what each deed asks of the API, for whom it is, and what is refused.

use innkeeper_portal_lite::{
    routes::staff::STAFF_PAGES,
    sitemap::{Kind, Row},
};
use innkeeper_wire::{
    error::{FieldError, FieldErrorCode, Problem, ProblemCode},
    staff::Role,
};
use serde_json::{Value, json};

use crate::staff_api::{
    ACCOUNT, HOST, INVOICE, MAIL, MONTH, ORDER, PRICES, SERVER, SESSION, StaffStub,
};

/// What is typed into a form.
pub(crate) type Typed = Vec<(&'static str, &'static str)>;

/// A deed: its page, what is typed there, and what is asked of the API by that.
pub(crate) struct Deed {
    pub(crate) path: String,
    pub(crate) typed: Typed,
    pub(crate) line: String,
    pub(crate) body: Value,
}

pub(crate) const CALLED: (&str, &str) = ("reason", "he has called");

/// One whose page is called as the endpoint.
fn deed(path: String, typed: &[(&'static str, &'static str)], body: &Value) -> Deed {
    Deed {
        line: format!("POST {path}"),
        path,
        typed: typed.to_vec(),
        body: body.clone(),
    }
}

/// All of the table.
fn deeds() -> Vec<Deed> {
    let why = json!({ "reason": CALLED.1 });
    let account = |code: &str| format!("/accounts/{ACCOUNT}/{code}");
    let codes = [
        "unlock",
        "approve",
        "reject",
        "mail-confirmation",
        "confirm-email",
    ];
    let mut deeds: Vec<_> = codes
        .into_iter()
        .map(|code| deed(account(code), &[CALLED], &why))
        .collect();
    let quota = json!({ "server_quota": 30, "reason": CALLED.1 });
    let typed = [("confirm_name", "mina1"), CALLED];
    deeds.extend([
        deed(account("quota"), &[("servers", "30"), CALLED], &quota),
        deed(account("erase"), &typed, &why),
        deed(account("resume"), &[CALLED], &why),
    ]);
    for kind in ["debt", "abuse"] {
        let asked = json!({ "kind": kind, "reason": CALLED.1 });
        deeds.push(Deed {
            line: format!("POST /accounts/{ACCOUNT}/suspend"),
            ..deed(account(&format!("suspend-for-{kind}")), &[CALLED], &asked)
        });
    }
    for (code, action) in [
        ("start", "start"),
        ("shutdown", "shutdown"),
        ("reboot", "reboot"),
        ("power-off", "power_off"),
    ] {
        let asked = json!({ "action": action, "reason": CALLED.1 });
        deeds.push(Deed {
            line: format!("POST /servers/{SERVER}/actions"),
            ..deed(format!("/servers/{SERVER}/{code}"), &[CALLED], &asked)
        });
    }
    let typed = [("confirm_name", " web-1 "), CALLED];
    deeds.extend([
        deed(format!("/servers/{SERVER}/delete"), &typed, &why),
        deed(format!("/orders/{ORDER}/retry"), &[CALLED], &why),
        deed(format!("/mails/{MAIL}/retry"), &[CALLED], &why),
        deed(format!("/mails/{MAIL}/drop"), &[CALLED], &why),
        deed("/mails/retry".to_owned(), &[CALLED], &why),
    ]);
    let named = ("confirm_name", "host-1");
    for (code, typed, body) in [
        ("cordon", vec![CALLED], &why),
        ("uncordon", vec![CALLED], &why),
        ("release", vec![CALLED], &why),
        ("accept-capacity", vec![CALLED], &why),
        ("revoke", vec![named, CALLED], &why),
    ] {
        deeds.push(Deed {
            line: format!("POST /hosts/host-1/{code}"),
            ..deed(format!("/hosts/{HOST}/{code}"), &typed, body)
        });
    }
    for code in ["lost", "fenced"] {
        let path = format!("/hosts/{HOST}/{code}");
        deeds.push(deed(path, &[named, CALLED], &why));
    }
    deeds.push(deed("/billing/unfreeze".to_owned(), &[CALLED], &why));
    deeds.extend(decisions());
    deeds.extend(about_money());
    deeds.extend(crate::staff_jobs::deeds());
    deeds
}

/// What is done about money.
fn about_money() -> [Deed; 11] {
    let why = json!({ "reason": CALLED.1 });
    let payment = json!({
        "amount": { "amount": 12_000, "currency": "KRW" }, "reference": "KB 1", "reason": CALLED.1,
    });
    let paid = [("amount", "12,000"), ("reference", "KB 1"), CALLED];
    let credit = json!({ "lines": [{ "line": 1, "net": 1_500 }], "reason": CALLED.1 });
    let grant = json!({
        "amount": { "amount": 12_000, "currency": "KRW" }, "days": 30, "reference": "KB 1",
        "reason": CALLED.1,
    });
    let granted = [paid[0], ("days", "30"), paid[1], CALLED];
    let terms = format!("POST /accounts/{ACCOUNT}/terms");
    let ahead = json!({ "terms": { "kind": "prepaid" }, "reason": CALLED.1 });
    let later = json!({ "terms": { "kind": "postpaid", "payment_days": 30 }, "reason": CALLED.1 });
    let credited = [("line", "1"), ("net", "1,500"), CALLED];
    let list = "plan,hourly,monthly_cap\ns1,12,6000";
    let from = ("valid_from", "2027-01-01 00:00");
    let imported = [("list", list), from, ("seen", "1"), CALLED];
    let import = json!({ "list": list, "valid_from": PRICES, "reason": CALLED.1 });
    [
        Deed {
            line: format!("POST /billing/months/{MONTH}/close"),
            ..deed(format!("/months/{MONTH}/close"), &[CALLED], &why)
        },
        Deed {
            line: format!("POST /accounts/{ACCOUNT}/payments"),
            ..deed(format!("/accounts/{ACCOUNT}/payment"), &paid, &payment)
        },
        Deed {
            line: format!("POST /invoices/{INVOICE}/credit-notes"),
            ..deed(format!("/invoices/{INVOICE}/credit"), &credited, &credit)
        },
        deed(format!("/invoices/{INVOICE}/write-off"), &[CALLED], &why),
        Deed {
            line: format!("POST /accounts/{ACCOUNT}/refunds"),
            ..deed(format!("/accounts/{ACCOUNT}/refund"), &paid, &payment)
        },
        Deed {
            line: format!("POST /accounts/{ACCOUNT}/promotions"),
            ..deed(format!("/accounts/{ACCOUNT}/promotion"), &granted, &grant)
        },
        deed(
            format!("/accounts/{ACCOUNT}/trial"),
            &[("amount", "12,000"), CALLED],
            &json!({ "amount": { "amount": 12_000, "currency": "KRW" }, "reason": CALLED.1 }),
        ),
        Deed {
            line: terms.clone(),
            ..deed(format!("/accounts/{ACCOUNT}/prepaid"), &[CALLED], &ahead)
        },
        Deed {
            line: terms,
            ..deed(
                format!("/accounts/{ACCOUNT}/postpaid"),
                &[("days", "30"), CALLED],
                &later,
            )
        },
        deed(format!("/prices/{PRICES}/withdraw"), &[CALLED], &why),
        Deed {
            line: "POST /prices".to_owned(),
            ..deed("/prices/import".to_owned(), &imported, &import)
        },
    ]
}

/// Amounts and lines that make no sense are complained of beside their fields, before anything is asked.
#[tokio::test]
async fn what_is_no_amount_is_not_asked_of_the_api() {
    let stub = StaffStub::for_role(Role::Billing);
    let mut browser = stub.browser().await;
    let payment = format!("/accounts/{ACCOUNT}/payment");
    let credit = format!("/invoices/{INVOICE}/credit");
    for (path, typed, field) in [
        (
            &payment,
            vec![("amount", "12.5"), ("reference", "KB 1")],
            "amount",
        ),
        (
            &payment,
            vec![("amount", ""), ("reference", "KB 1")],
            "amount",
        ),
        (&credit, vec![("line", "one"), ("net", "5")], "line"),
        (&credit, vec![("line", "1"), ("net", "")], "net"),
        (&credit, vec![("line", ""), ("net", "5")], "line"),
    ] {
        let typed = [typed, vec![CALLED]].concat();
        browser.get(path).await;
        let answer = browser.post(path, &typed).await;
        let error = format!("id=\"{field}-error\"");
        assert!(
            answer.body.contains(&error),
            "{path} {typed:?}: {}",
            answer.body
        );
    }
    assert_eq!(stub.changes(), []);
    // All that is left, when neither is given.
    browser.get(&credit).await;
    browser.post(&credit, &[CALLED]).await;
    let all = json!({ "reason": CALLED.1 });
    assert_eq!(stub.changes()[0].1, all);
}

/// A list is shown with what it would change before it is imported, and what is wrong with it is told by its lines.
#[tokio::test]
async fn prices_are_looked_at_before_they_change() {
    let stub = StaffStub::for_role(Role::Billing);
    let mut browser = stub.browser().await;
    let page = browser.get("/prices/import").await;
    assert!(page.body.contains("s1,9,6000"), "filled in: {}", page.body);
    let typed = [("list", "plan,hourly,monthly_cap\ns1,12,6000"), CALLED];
    let page = browser.post("/prices/import", &typed).await;
    assert_eq!(page.status, 200);
    assert!(
        page.body.contains("name=\"seen\" value=\"1\""),
        "{}",
        page.body
    );
    assert_eq!(stub.changes(), []);
    let error = |line: &str| FieldError {
        pointer: "/list".to_owned(),
        code: FieldErrorCode::Malformed,
        detail: line.to_owned(),
        proposal: None,
    };
    let problem = Problem {
        errors: vec![
            error("line 2: has 2 values"),
            error("line 4: s1 is there twice"),
        ],
        ..Problem::new(ProblemCode::ValidationFailed)
    };
    let check = "POST /prices/check".to_owned();
    stub.book().refusals.insert(check, problem);
    browser.get("/prices/import").await;
    let page = browser.post("/prices/import", &typed).await;
    let told = "line 2: has 2 values; line 4: s1 is there twice";
    assert!(page.body.contains(told), "{}", page.body);
    assert!(page.body.contains("id=\"list-error\""), "{}", page.body);
}

/// What is decided about a lost second factor; the form carries when the request was made that is shown.
fn decisions() -> [Deed; 2] {
    let shown = ("requested_at", "2026-11-21T11:00:00.000Z");
    let body = json!({ "requested_at": shown.1, "reason": CALLED.1 });
    ["confirm", "reject"].map(|code| {
        let path = format!("/lost-factors/{ACCOUNT}/{code}");
        deed(path, &[shown, CALLED], &body)
    })
}

#[tokio::test]
async fn each_deed_is_asked_of_the_api_with_its_reason() {
    let deeds = deeds();
    let has_form =
        |row: &&Row| row.kind == Kind::Page && row.path.contains('{') && row.form.is_some();
    let rows = STAFF_PAGES.iter().filter(has_form).count();
    assert_eq!(
        deeds.len(),
        rows + 2,
        "and all mails at once, the clock and prices, but not what shows a command"
    );
    for deed in deeds {
        let Deed {
            path,
            typed,
            line,
            body,
        } = deed;
        let stub = StaffStub::for_role(Role::Admin);
        let mut browser = stub.browser().await;
        let page = browser.get(&path).await;
        let action = format!("action=\"{path}\"");
        assert!(page.body.contains(&action), "{path}: {}", page.body);
        let answer = browser.post(&path, &typed).await;
        assert_eq!(answer.status, 303, "{path}: {}", answer.body);
        assert_eq!(stub.changes(), [(line, body)], "{path}");
        let page = browser.get(answer.header("location")).await;
        assert_eq!(page.status, 200, "{path}");
        assert!(page.body.contains("class=\"notice\""), "{path}: it is said");
    }
}

/// Also when the button is not there: the form may have been open when the role was changed.
#[tokio::test]
async fn what_is_for_another_role_ends_at_a_designed_page() {
    for Deed { path, typed, .. } in deeds() {
        let stub = StaffStub::for_role(Role::Viewer);
        let mut browser = stub.browser().await;
        browser.get("/attention").await;
        for answer in [browser.get(&path).await, browser.post(&path, &typed).await] {
            assert_eq!(answer.status, 403, "{path}");
            assert!(
                answer.body.contains("This is for staff with another role."),
                "{path}"
            );
        }
        assert_eq!(stub.changes(), vec![], "{path}");
    }
    let stub = StaffStub::for_role(Role::Support);
    let mut browser = stub.browser().await;
    assert_eq!(browser.get("/hosts/invite").await.status, 403);
    // The role was taken away between the two questions.
    let refused = format!("POST /accounts/{ACCOUNT}/unlock");
    let problem = Problem::new(ProblemCode::NotYourRole);
    stub.book().refusals.insert(refused, problem);
    let path = format!("/accounts/{ACCOUNT}/unlock");
    browser.get(&path).await;
    let answer = browser.post(&path, &[("reason", "he has called")]).await;
    assert_eq!(answer.status, 403);
}

#[tokio::test]
async fn what_makes_no_sense_any_more_is_said_on_the_form() {
    for code in [ProblemCode::InvalidState, ProblemCode::BadRequest] {
        let stub = StaffStub::for_role(Role::Admin);
        let line = "POST /hosts/host-1/release".to_owned();
        let why = Some("it has <not> been checked".to_owned());
        let problem = Problem {
            detail: why,
            ..Problem::new(code)
        };
        stub.book().refusals.insert(line, problem);
        let mut browser = stub.browser().await;
        let path = format!("/hosts/{HOST}/release");
        browser.get(&path).await;
        let page = browser.post(&path, &[CALLED]).await;
        assert_eq!(page.status, 200);
        assert!(
            page.body.contains("not possible in the present state"),
            "{}",
            page.body
        );
        let why = "<p lang=\"en\">it has &#60;not&#62; been checked</p>";
        assert!(page.body.contains(why), "{}", page.body);
    }
}

/// What can't be taken back is done only after the question for password and code, which gives the form back.
#[tokio::test]
async fn a_deed_that_wants_a_proof_is_carried_through_the_question() {
    let stub = StaffStub::for_role(Role::Admin);
    let line = format!("POST /accounts/{ACCOUNT}/erase");
    let path = format!("/accounts/{ACCOUNT}/erase");
    let typed = [("confirm_name", "mina1"), CALLED];
    let wanted = Problem::new(ProblemCode::StepUpRequired);
    let mut browser = stub.browser().await;
    browser.get(&path).await;
    stub.book().refusals.insert(line, wanted);
    let asked = browser.post_alone(&path, &typed).await;
    let to = asked.header("location").to_owned();
    assert!(to.starts_with("/account/proof?next=%2Faccounts%2F"), "{to}");
    let question = browser.get(&to).await;
    assert!(
        question.body.contains("can&#39;t be taken back"),
        "{}",
        question.body
    );
    let next = question.hidden("next");
    let page = browser.post(&to, &[("next", &next)]).await;
    assert!(page.body.contains("href=\"#password\"") && page.body.contains("href=\"#code\""));
    let proof = [
        ("next", next.as_str()),
        ("password", "secret"),
        ("code", "123456"),
    ];
    let answer = browser.post_alone(&to, &proof).await;
    assert_eq!(answer.header("location"), next);
    let page = browser.get(&next).await;
    assert!(page.body.contains("was not sent yet"), "{}", page.body);
    assert!(page.body.contains("value=\"mina1\"") && page.body.contains(CALLED.1));
    let proofs = (
        "POST /sessions/current/proofs".to_owned(),
        json!({"password": "secret", "code": "123456"}),
    );
    assert_eq!(stub.changes()[1..], [proofs]);
}

#[tokio::test]
async fn sessions_are_listed_and_ended() {
    let stub = StaffStub::for_role(Role::Viewer);
    let mut browser = stub.browser().await;
    let page = browser.get("/account/sessions").await;
    for said in [
        "Firefox, Windows",
        "Unknown device",
        "This device",
        "203.0.113.0/24",
    ] {
        assert!(page.body.contains(said), "{said}: {}", page.body);
    }
    let one = format!("/account/sessions/{SESSION}");
    for path in [one.as_str(), "/account/sessions"] {
        let answer = browser.post_alone(path, &[]).await;
        assert_eq!(answer.header("location"), "/account/sessions");
    }
    let ended = [
        format!("DELETE /sessions/{SESSION}"),
        "DELETE /sessions".to_owned(),
    ];
    assert_eq!(stub.changes(), ended.map(|line| (line, json!(null))));
}

#[tokio::test]
async fn nothing_is_done_without_a_reason_or_under_a_wrong_name() {
    let stub = StaffStub::for_role(Role::Admin);
    let mut browser = stub.browser().await;
    let delete = format!("/servers/{SERVER}/delete");
    let quota = format!("/accounts/{ACCOUNT}/quota");
    let long = "x".repeat(201);
    let reason: Vec<(&str, &str)> = vec![("reason", "he has called")];
    for (path, fields, said) in [
        (format!("/servers/{SERVER}/start"), vec![], "Say why."),
        (
            format!("/servers/{SERVER}/start"),
            vec![("reason", long.as_str())],
            "at most 200 characters",
        ),
        (
            delete.clone(),
            reason.clone(),
            "Enter the server&#39;s name.",
        ),
        (
            delete,
            vec![("confirm_name", "web-2"), ("reason", "x")],
            "This is not the server&#39;s name.",
        ),
        (
            format!("/hosts/{HOST}/revoke"),
            vec![("confirm_name", "host-2")],
            "This is not the host&#39;s name.",
        ),
        (quota.clone(), reason, "Enter how many servers"),
        (
            quota,
            vec![("servers", "many"), ("reason", "x")],
            "Enter a whole number",
        ),
        (
            "/hosts/invite".to_owned(),
            vec![("name", "a b"), ("site", "seoul-1")],
            "letters, digits, hyphens",
        ),
    ] {
        browser.get(&path).await;
        let page = browser.post(&path, &fields).await;
        assert_eq!(page.status, 200, "{path}");
        assert!(page.body.contains(said), "{path}: {}", page.body);
        for (_, typed) in fields {
            assert!(page.body.contains(typed), "{path}: what was typed stays");
        }
    }
    assert_eq!(stub.changes(), vec![]);
}
