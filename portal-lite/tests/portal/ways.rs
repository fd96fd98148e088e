//! Ways on: every address that a form can end at opens, malformed requests end at designed pages, and what somebody has
//! typed comes back to him, and to nobody else. The pages are those of the table.

use axum::{
    body::Body,
    http::{Method, Request, header},
};
use innkeeper_portal_lite::{
    form::Kind as FieldKind,
    routes::PAGES,
    sitemap::{Kind, Who},
};
use innkeeper_wire::error::{FieldErrorCode, Problem, ProblemCode};
use tower::ServiceExt;

use crate::support::{Answer, Browser, ORIGIN, Stub, TOKEN, address, invalid, pages};

const SERVER: &str = "/servers/srv_0190b5c87f1e7c3a8e0f000000000002";
const ACCOUNT: &str = "acc_0190b5c87f1e7c3a8e0f000000000001";
const CREDENTIALS: [(&str, &str); 2] = [("login", "mina1"), ("password", "secret-word")];

/// Whether this is one of our pages, in full.
fn is_page(answer: &Answer) -> bool {
    answer.header("content-type") == "text/html; charset=utf-8"
        && answer.body.contains("<main id=\"main\"")
}

/// Signed in as the account of the fixtures, as the form does it.
async fn member(stub: &std::sync::Arc<Stub>) -> Browser {
    let mut member = Browser::new(stub).await.signed_in();
    let account = ("innkeeper-account".to_owned(), ACCOUNT.to_owned());
    member.cookies.extend([account]);
    member
}

#[tokio::test]
async fn every_address_that_a_form_ends_at_can_be_opened() {
    let stub = Stub::new();
    for row in PAGES.iter().filter(|row| row.form.is_some()) {
        let mut browser = Browser::new(&stub).await;
        if row.who == Who::Members {
            browser = browser.signed_in();
        }
        let path = address(row);
        let mut answer = browser.get(&path).await;
        if row.kind == Kind::Target {
            assert_eq!(answer.status, 303, "{path}");
            answer = browser.get(answer.header("location")).await;
        }
        assert_eq!(answer.status, 200, "{path}");
    }
}

/// Finding 11: the language link of the page about a wrong name led to an error.
#[tokio::test]
async fn links_of_a_refused_form_lead_on() {
    let stub = Stub::new();
    let mut member = member(&stub).await;
    member.get(SERVER).await;
    let wrong = [("confirm_name", "web-2")];
    let page = member.post(&format!("{SERVER}/delete"), &wrong).await;
    assert_eq!(page.status, 200);
    let button = format!("formaction=\"{SERVER}/delete?lang=ko\"");
    assert!(page.body.contains(&button), "{}", page.body);
    let again = [("confirm_name", "web-2"), ("show_again", "yes")];
    let page = member
        .post(&format!("{SERVER}/delete?lang=ko"), &again)
        .await;
    assert_eq!(page.status, 200);
    assert!(page.body.contains("<html lang=\"ko\">"));
    assert!(
        page.body.contains("value=\"web-2\""),
        "what was typed stays"
    );
    stub.refuse(
        &format!("POST {SERVER}/actions"),
        Problem::new(ProblemCode::InvalidState),
    );
    let acts = format!("{SERVER}/actions/start");
    let page = member.post(&acts, &[]).await;
    assert!(page.body.contains("id=\"error-summary\""));
    assert_eq!(member.get(&acts).await.status, 200);
}

#[tokio::test]
async fn doubled_parameters_end_at_a_designed_page() {
    let stub = Stub::new();
    for row in PAGES {
        let mut browser = Browser::new(&stub).await;
        if row.who == Who::Members {
            browser = browser.signed_in();
        }
        for name in row.query {
            let path = format!(
                "{}?{name}=a&{name}=b",
                address(row).split('?').next().expect("a path")
            );
            let answer = browser.get(&path).await;
            assert!(
                row.kind == Kind::Part || is_page(&answer) || answer.status == 303,
                "{path}: {} {}",
                answer.status,
                answer.body
            );
            assert!(!answer.body.contains("deserialize"), "{path}");
        }
    }
    let mut browser = Browser::new(&stub).await.signed_in();
    let answer = browser.get("/servers/%FF").await;
    assert!(is_page(&answer), "{}", answer.body);
}

#[tokio::test]
async fn wrong_methods_are_said_with_what_is_possible() {
    let stub = Stub::new();
    let mut member = member(&stub).await;
    for row in PAGES {
        for method in [Method::PUT, Method::PATCH, Method::DELETE, Method::OPTIONS] {
            let answer = member
                .send(method.clone(), &address(row), Body::empty())
                .await;
            assert_eq!(answer.status, 405, "{method} {row:?}");
            assert!(is_page(&answer), "{method} {row:?}");
            let allow = answer.header("allow");
            assert!(allow.contains("GET"), "{row:?}: {allow}");
            assert_eq!(allow.contains("POST"), row.form.is_some(), "{row:?}");
        }
    }
}

#[tokio::test]
async fn failures_use_up_nothing_and_keep_the_navigation() {
    let stub = Stub::new();
    let mut visitor = Browser::new(&stub).await;
    let nowhere = visitor.get("/nowhere").await;
    assert_eq!((nowhere.status, nowhere.cookies()), (404, vec![]));
    let icon = visitor.get("/favicon.ico").await;
    assert_eq!((icon.status, icon.cookies()), (303, vec![]));
    let icon = icon.header("location").to_owned();
    let icon = visitor.get(&icon).await;
    assert_eq!(icon.header("content-type"), "image/svg+xml");
    let robots = visitor.get("/robots.txt").await.body;
    assert!(robots.contains("Disallow: /servers\n") && robots.contains("Allow: /$"));

    let mut member = visitor.signed_in();
    let notice = ("innkeeper-notice".to_owned(), "key-added".to_owned());
    member.cookies.extend([notice]);
    let nowhere = member.get("/nowhere").await;
    assert!(
        nowhere.body.contains("href=\"/orders\""),
        "the navigation stays"
    );
    assert!(!nowhere.body.contains("The SSH key was added."));
    let keys = member.get("/keys").await;
    assert!(keys.body.contains("The SSH key was added."));
    assert!(
        keys.body
            .contains("<a href=\"/servers/new\">Order a server</a>"),
        "what most people do next"
    );
}

#[tokio::test]
async fn whoever_is_signed_in_goes_on() {
    let stub = Stub::new();
    let mut visitor = Browser::new(&stub).await;
    visitor.get("/sign-in").await;
    // The form of another tab, from before.
    let stale = visitor.form_token.clone();
    let mut member = visitor.signed_in();
    for path in ["/sign-in", "/sign-up"] {
        assert_eq!(member.get(path).await.header("location"), "/servers");
        member.form_token.clone_from(&stale);
        let answer = member.post(path, &[("next", "/keys")]).await;
        assert_eq!((answer.status, answer.header("location")), (303, "/keys"));
    }
    let elsewhere = member.get("/sign-in?next=//evil.example").await;
    assert_eq!(elsewhere.header("location"), "/servers");
    assert!(stub.calls("POST /sessions").is_empty());
}

#[tokio::test]
async fn a_form_of_another_session_is_shown_again() {
    let stub = Stub::new();
    for row in PAGES {
        let Some(list) = row.form.filter(|_| row.who != Who::Strangers) else {
            continue;
        };
        let mut browser = member(&stub).await;
        browser.get("/account").await;
        browser.form_token = "c3RhbGU".to_owned();
        // Recovery codes are secrets, and shown again by no form.
        let seen = list
            .iter()
            .filter(|field| field.name != "recovery_code")
            .find(|field| matches!(field.kind, FieldKind::Text | FieldKind::Lines(_)));
        let name = seen.map_or("x", |field| field.name);
        let page = browser
            .post(&address(row), &[(name, "typed-before"), ("token", "t")])
            .await;
        let expected = if row.path == "/sign-out" { 403 } else { 200 };
        assert_eq!(page.status, expected, "{row:?}");
        assert!(page.body.contains("please send it once more"), "{row:?}");
        assert!(
            seen.is_none() || page.body.contains("typed-before"),
            "{row:?} has lost what was typed"
        );
        // Sent once more, it passes the guard.
        assert_ne!(browser.form_token, "c3RhbGU");
    }
    assert_eq!(stub.changes(), Vec::<String>::new());
}

#[tokio::test]
async fn a_browser_without_cookies_is_told_so() {
    let stub = Stub::new();
    let mut visitor = Browser::new(&stub).await;
    visitor.get("/sign-in").await;
    visitor.cookies.clear();
    let page = visitor.post("/sign-in", &CREDENTIALS).await;
    assert_eq!(page.status, 403);
    assert!(page.body.contains("Allow cookies for this site"));
    assert!(page.body.contains("value=\"mina1\"") && !page.body.contains("secret-word"));
    assert!(stub.calls("POST /sessions").is_empty());
    // Nothing of the kind for another site's form: its fields are a stranger's choice.
    visitor.cookies.clear();
    visitor.origin = Some("https://evil.example".to_owned());
    let page = visitor.post("/sign-in", &CREDENTIALS).await;
    assert!(page.status == 403 && !page.body.contains("mina1"));
    assert!(page.body.contains("The form was not carried out"));
}

/// Finding 18: the script's own request used the notice up.
#[tokio::test]
async fn a_live_part_whose_session_ended_says_nothing() {
    let stub = Stub::new();
    let mut member = member(&stub).await;
    let line = format!("GET {SERVER}");
    stub.refuse(&line, Problem::new(ProblemCode::Unauthenticated));
    let answer = member.get(&format!("{SERVER}/live")).await;
    assert_eq!((answer.status, answer.cookies()), (401, vec![]));
    assert_eq!(answer.header("location"), "");
    stub.refuse(&line, Problem::new(ProblemCode::Unauthenticated));
    let away = member.get(SERVER).await;
    let page = member.get(away.header("location")).await;
    assert!(page.body.contains("Your session has ended."));
}

/// Finding 10: a language link emptied every form, also after an error.
#[tokio::test]
async fn the_language_switch_takes_every_form_along() {
    let stub = Stub::new();
    for row in PAGES {
        let seen = row.form.unwrap_or_default().iter();
        let typed: Vec<_> = seen
            .filter(|field| {
                matches!(
                    field.kind,
                    FieldKind::Text | FieldKind::Email | FieldKind::Lines(_)
                )
            })
            // Which is as good as a password.
            .filter(|field| field.name != "recovery_code")
            .map(|field| (field.name, "typed-before"))
            .collect();
        if typed.is_empty() {
            continue;
        }
        let mut browser = Browser::new(&stub).await;
        if row.who == Who::Members {
            browser = browser.signed_in();
        }
        let path = address(row);
        let opened = match browser.get(&path).await {
            answer if answer.status == 303 => browser.get(answer.header("location")).await,
            answer => answer,
        };
        let start = "form=\"page-form\" formaction=\"";
        let button = opened
            .body
            .split(start)
            .find(|rest| rest.contains("lang=ko\""));
        let target = button.and_then(|rest| rest.split('"').next());
        let target = target
            .unwrap_or_else(|| panic!("{row:?} has no switch"))
            .replace("&#38;", "&");
        assert!(opened.body.contains("id=\"page-form\""), "{row:?}");
        let mut fields = typed.clone();
        fields.push(("show_again", "yes"));
        let page = browser.post(&target, &fields).await;
        assert_eq!(page.status, 200, "{row:?}");
        assert!(page.body.contains("<html lang=\"ko\">"), "{row:?}");
        assert_eq!(
            page.body.matches("typed-before").count(),
            typed.len(),
            "{row:?}"
        );
        assert!(!page.body.contains("error-summary"), "{row:?}");
    }
    assert_eq!(stub.changes(), Vec::<String>::new());
}

/// Enter in a field presses the first button of the form, wherever on the page that stands: it must be the form's own.
#[tokio::test]
async fn enter_sends_the_form_and_changes_no_language() {
    let stub = Stub::new();
    for with_session in [false, true] {
        let mut browser = Browser::new(&stub).await;
        if with_session {
            browser = browser.signed_in();
        }
        for path in pages(with_session) {
            let page = browser.get(&path).await.body;
            let Some(form) = page.find("id=\"page-form\"") else {
                continue;
            };
            let elsewhere = page.find("form=\"page-form\"");
            assert!(elsewhere.is_none_or(|at| at > form), "{path}");
        }
    }
}

/// Finding 7 and its kind: in any field of any form.
#[tokio::test]
async fn a_private_key_in_any_field_is_refused_and_shown_nowhere() {
    let stub = Stub::new();
    let keys = [
        "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXk",
        "PuTTY-User-Key-File-3: ssh-ed25519\nEncryption: none",
        "PuTTY-User-Key-File-2: ssh-rsa",
    ];
    for row in PAGES {
        for field in row.form.unwrap_or_default() {
            for key in keys {
                let mut browser = Browser::new(&stub).await;
                if row.who == Who::Members {
                    browser = browser.signed_in();
                }
                browser.get("/sign-up/resend").await;
                let page = browser
                    .post(&address(row), &[(field.name, key), ("x", "y")])
                    .await;
                let name = field.name;
                assert_eq!(page.status, 200, "{row:?}: {name}");
                assert!(
                    page.body.contains("This is a private key."),
                    "{row:?}: {name}"
                );
                for piece in ["PRIVATE KEY", "PuTTY-User", "b3BlbnN"] {
                    assert!(!page.body.contains(piece), "{row:?}: {name} shows {piece}");
                }
            }
        }
    }
    assert_eq!(stub.changes(), Vec::<String>::new());
}

/// Finding 20.
#[tokio::test]
async fn complaints_blame_nobody_and_lead_to_their_field() {
    let stub = Stub::new();
    let mut member = member(&stub).await.speaking("ko");
    member.get("/servers/new").await;
    stub.refuse(
        "POST /quotes",
        Problem::new(ProblemCode::CapacityUnavailable),
    );
    let page = member.post("/servers/new", &[("name", "web-9")]).await;
    assert!(page.body.contains(">처리할 수 없습니다</h2>"));
    stub.refuse(
        "POST /quotes",
        invalid(&[("/ssh_keys", FieldErrorCode::Required)]),
    );
    let page = member.post("/servers/new", &[("name", "web-9")]).await;
    assert!(page.body.contains("<a href=\"#ssh_keys\">"));
    assert!(
        page.body
            .contains("<input type=\"checkbox\" name=\"ssh_keys\" id=\"ssh_keys\"")
    );
    // Of what is not seen it is said above, without a link that leads nowhere.
    let quote = "quo_0190b5c87f1e7c3a8e0f000000000001";
    stub.refuse(
        "POST /orders",
        invalid(&[("/quote", FieldErrorCode::Taken)]),
    );
    let order = [("quote", quote), ("idempotency_key", "k")];
    let page = member
        .post(&format!("/servers/new/confirm?quote={quote}"), &order)
        .await;
    let taken = "<p>같은 이름의 서버가 이미 있습니다.";
    assert!(page.body.contains(taken), "{}", page.body);
    assert!(!page.body.contains("href=\"#quote\""));
    stub.book().keys.clear();
    stub.refuse(
        "POST /quotes",
        invalid(&[("/ssh_keys", FieldErrorCode::Required)]),
    );
    let page = member.post("/servers/new", &[("name", "web-9")]).await;
    assert!(
        page.body.contains("<a href=\"#public_key\">"),
        "there is none to tick"
    );

    let mut visitor = Browser::new(&stub).await;
    visitor.get("/sign-in").await;
    let page = visitor.post("/sign-in", &[("login", "mina1")]).await;
    assert_eq!(page.status, 200);
    assert!(
        page.body
            .contains("<a href=\"#password\">Enter your password.</a>")
    );
    assert!(!page.body.contains("id=\"login-error\""));
    assert!(stub.calls("POST /sessions").is_empty());
}

/// Finding 10: the name was gone when one went back from the summary.
#[tokio::test]
async fn going_back_from_the_summary_is_as_good_as_its_change() {
    let stub = Stub::new();
    let mut browser = member(&stub).await;
    let opened = "/servers/new?plan=l";
    let choice = [
        ("site", "seoul-1"),
        ("image", "debian-12"),
        ("plan", "m"),
        ("name", "web-1"),
        ("ssh_keys", "key_0190b5c87f1e7c3a8e0f000000000001"),
    ];
    let page = browser.get(opened).await;
    assert!(page.body.contains(&format!("action=\"{opened}\"")));
    let summary = browser.post(opened, &choice).await;
    let summary = browser.get(summary.header("location")).await;
    let change = summary
        .body
        .split("href=\"")
        .find(|rest| rest.starts_with("/servers/new?site="));
    let change = change
        .and_then(|rest| rest.split('"').next())
        .expect("a way to change");
    let changed = browser.get(&change.replace("&#38;", "&")).await;
    let back = browser.get(opened).await;
    let chosen = |page: &Answer| page.body.matches(" checked").count();
    assert_eq!(chosen(&back), chosen(&changed));
    for text in ["value=\"web-1\"", "value=\"m\" checked"] {
        assert!(
            back.body.contains(text) && changed.body.contains(text),
            "{text}"
        );
    }
    // Whoever comes by another way has chosen otherwise.
    let other = browser.get("/servers/new?plan=s").await;
    assert!(other.body.contains("value=\"s\" checked") && !other.body.contains("value=\"web-1\""));
    let key = summary.hidden("idempotency_key");
    let quote = summary.hidden("quote");
    let order = [
        ("quote", quote.as_str()),
        ("idempotency_key", &key),
        ("accept_cautions", "yes"),
    ];
    browser
        .post(&format!("/servers/new/confirm?quote={quote}"), &order)
        .await;
    let next = browser.get(opened).await;
    assert!(
        !next.body.contains("value=\"web-1\""),
        "that one is ordered"
    );
}

/// Finding 14: the plan was forgotten on the way.
#[tokio::test]
async fn a_chosen_plan_survives_sign_up_mail_and_sign_in() {
    let stub = Stub::new();
    let mut visitor = Browser::new(&stub).await;
    let away = visitor.get("/servers/new?plan=m").await;
    let page = visitor.get(away.header("location")).await;
    assert!(page.body.contains("Sign in to order Medium"));
    let onward = "/sign-up?next=%2Fservers%2Fnew%3Fplan%3Dm";
    assert!(
        page.body.contains(&format!("href=\"{onward}\"")),
        "{}",
        page.body
    );
    let page = visitor.get(onward).await;
    let next = page.hidden("next");
    let fields = [
        ("login_id", "mina1"),
        ("email", "mina@example.com"),
        ("next", &next),
    ];
    let answer = visitor.post("/sign-up", &fields).await;
    assert_eq!(answer.header("location"), "/sign-up/done");
    visitor.get("/sign-up/done").await;
    visitor.post("/sign-up/resend", &[("login", "mina1")]).await;
    visitor.get("/confirm?token=abc&lang=en").await;
    let answer = visitor.post("/confirm", &[("token", "abc")]).await;
    let page = visitor.get(answer.header("location")).await;
    assert_eq!(page.hidden("next"), next);
    assert!(page.body.contains("value=\"mina1\""));
    assert!(
        !page.body.contains(" checked"),
        "\"Remember ID\" is the owner's wish (R9)"
    );
    let led_by_nobody = visitor.get("/sign-in").await;
    assert_eq!(
        led_by_nobody.hidden("next"),
        next,
        "the mail was opened elsewhere"
    );
    let sign_in = [CREDENTIALS[0], CREDENTIALS[1], ("next", &next)];
    let answer = visitor.post("/sign-in", &sign_in).await;
    assert_eq!(answer.header("location"), "/servers/new?plan=m");
    assert!(!visitor.cookies.contains_key("innkeeper-next"));
    assert!(!visitor.cookies.contains_key("innkeeper-newcomer"));
}

/// Finding 14: who signs up on one device and opens the mail on another.
#[tokio::test]
async fn a_link_that_is_opened_in_another_browser_leads_on_with_id_and_plan() {
    let stub = Stub::new();
    let mut visitor = Browser::new(&stub).await;
    let onward = "/sign-up?next=%2Fservers%2Fnew%3Fplan%3Dm";
    let page = visitor.get(onward).await;
    let in_the_bar = "class=\"button\" href=\"/sign-up?next=%2Fservers%2Fnew%3Fplan%3Dm\"";
    assert!(page.body.contains(in_the_bar), "{}", page.body);
    let next = page.hidden("next");
    visitor.get(&format!("{onward}&kind=individual")).await;
    let fields = [("kind", "individual"), ("next", next.as_str())];
    visitor.post("/sign-up", &fields).await;
    assert_eq!(stub.calls("POST /signups")[0].body["plan"], "m");

    // What another account has left there is not this one's.
    let left_by_another = [
        ("innkeeper-newcomer".to_owned(), "someone1".to_owned()),
        ("innkeeper-next".to_owned(), "%2Fkeys".to_owned()),
    ];
    for cookies in [Vec::new(), left_by_another.to_vec()] {
        let mut elsewhere = Browser::new(&stub).await;
        elsewhere.cookies.extend(cookies);
        elsewhere.get("/confirm?token=abc&lang=en").await;
        let answer = elsewhere.post("/confirm", &[("token", "abc")]).await;
        let page = elsewhere.get(answer.header("location")).await;
        assert_eq!(page.hidden("next"), "/servers/new?plan=m");
        assert!(page.body.contains("value=\"mina1\""), "{}", page.body);
    }
}

#[tokio::test]
async fn the_account_s_language_becomes_the_page_s_unless_another_was_chosen() {
    let stub = Stub::new();
    for (chosen, expected) in [(None, "ko"), (Some("zh-Hant"), "zh-Hant")] {
        let mut visitor = Browser::new(&stub).await;
        let path = chosen.map_or("/sign-in".to_owned(), |tag| format!("/sign-in?lang={tag}"));
        visitor.get(&path).await;
        visitor.post("/sign-in", &CREDENTIALS).await;
        let page = visitor.get("/servers").await;
        assert!(
            page.body.contains(&format!("<html lang=\"{expected}\">")),
            "{expected}"
        );
    }
}

#[tokio::test]
async fn pages_about_the_mail_say_nothing_untrue() {
    let stub = Stub::new();
    let mut visitor = Browser::new(&stub).await;
    let done = visitor.get("/sign-up/done").await;
    assert!(done.body.contains("If you have signed up here just now"));
    visitor.get("/sign-up/resend").await;
    let empty = visitor.post("/sign-up/resend", &[("login", " ")]).await;
    assert_eq!(empty.status, 200);
    assert!(empty.body.contains("id=\"login-error\""));
    assert!(stub.calls("POST /email-confirmations/resend").is_empty());
    // The mail of another account went elsewhere.
    visitor.get("/sign-up?kind=individual").await;
    let fields = [("kind", "individual"), ("login_id", "mina1")];
    visitor.post("/sign-up", &fields).await;
    visitor
        .post("/sign-up/resend", &[("login", "other1")])
        .await;
    let done = visitor.get("/sign-up/done").await;
    assert!(!done.body.contains("mina@example.com"));
    stub.refuse(
        "POST /email-confirmations",
        Problem::new(ProblemCode::LinkExpired),
    );
    let used = visitor.post("/confirm", &[("token", "abc")]).await;
    let (sign_in, resend) = (
        used.body.find(">Sign in</a>\n"),
        used.body.find("Send the mail again"),
    );
    let main = used.body.find("<main").expect("a main part");
    let first = used.body[main..]
        .find("href=\"/sign-in\"")
        .expect("a way in")
        + main;
    assert!(
        Some(first) < resend,
        "most who see it are confirmed: {sign_in:?}"
    );
}

#[tokio::test]
async fn a_forged_form_of_a_member_is_not_shown() {
    let stub = Stub::new();
    let member = member(&stub).await;
    let request = Request::post("/keys")
        .header(header::HOST, "portal.localhost")
        .header(header::COOKIE, format!("innkeeper-session={TOKEN}"))
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(Body::from("name=stranger&public_key=theirs"))
        .expect("a request");
    let response = member
        .router
        .clone()
        .oneshot(request)
        .await
        .expect("infallible");
    assert_eq!(
        response.status(),
        403,
        "no origin, no token: it may come from {ORIGIN} or not"
    );
    let bytes = axum::body::to_bytes(response.into_body(), 1 << 20)
        .await
        .expect("a body");
    assert!(!String::from_utf8_lossy(&bytes).contains("theirs"));
}
