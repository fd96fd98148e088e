//! Headers on every answer, forged forms, limits.

use std::sync::Arc;

use axum::{
    body::Body,
    http::{Method, Request, header},
};
use innkeeper_portal_lite::headers::CONTENT_SECURITY_POLICY;
use tower::ServiceExt;

use crate::support::{Browser, Noon, ORIGIN, Stub, portal, serve, targets};

#[tokio::test]
async fn every_answer_carries_the_headers() {
    let stub = Stub::new();
    let mut member = Browser::new(&stub).await.signed_in();
    let style = member.get("/").await.body;
    let style = style
        .split("href=\"/static/")
        .nth(2)
        .expect("a style")
        .split('"')
        .next()
        .expect("an end");
    let mut answers = Vec::new();
    for path in [
        "/",
        "/servers",
        "/nowhere",
        "/healthz",
        "/sign-in",
        "/account",
        &format!("/static/{style}"),
    ] {
        answers.push(member.get(path).await);
    }
    answers.push(member.send(Method::PUT, "/keys", Body::empty()).await);
    answers.push(member.send(Method::POST, "/keys", Body::empty()).await);
    answers.push(member.get("/static/x/none.css").await);
    member.cookies.clear();
    answers.push(member.get("/servers").await);
    let statuses: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
    assert_eq!(
        statuses,
        [200, 200, 404, 200, 303, 200, 200, 405, 303, 404, 303]
    );
    for answer in &answers {
        assert_eq!(
            answer.header("content-security-policy"),
            CONTENT_SECURITY_POLICY
        );
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        assert_eq!(answer.header("referrer-policy"), "same-origin");
        assert!(!answer.header("cache-control").is_empty());
        assert_eq!(
            answer.header("strict-transport-security"),
            "",
            "not over plain HTTP"
        );
    }
}

#[tokio::test]
async fn over_tls_cookies_are_locked_to_the_host() {
    let stub = Stub::new();
    let api = serve(&stub).await;
    let mut visitor = Browser::before(portal("https://portal.example", &api, Arc::new(Noon)));
    visitor.origin = Some("https://portal.example".to_owned());
    visitor.host = "portal.example";
    let page = visitor.get("/sign-in?lang=ko").await;
    assert_eq!(page.header("strict-transport-security"), "max-age=31536000");
    let answer = visitor
        .post("/sign-in", &[("login", "m"), ("password", "p")])
        .await;
    assert_eq!(answer.status, 303);
    let cookies: Vec<_> = page.cookies().into_iter().chain(answer.cookies()).collect();
    assert_eq!(cookies.len(), 10);
    for cookie in cookies {
        assert!(cookie.starts_with("__Host-innkeeper-"), "{cookie}");
        assert!(
            cookie.contains("; Path=/; HttpOnly; SameSite=Lax"),
            "{cookie}"
        );
        assert!(
            cookie.ends_with("; Secure") && !cookie.contains("Domain"),
            "{cookie}"
        );
    }
}

#[tokio::test]
async fn forged_forms_change_nothing() {
    let stub = Stub::new();
    let mut member = Browser::new(&stub).await.signed_in();
    member.get("/keys").await;
    let good = member.form_token.clone();
    let mut other = Browser::new(&stub).await;
    other.get("/sign-in").await;
    let origin = |text: &str| Some(text.to_owned());
    for (token, sent_origin) in [
        ("", origin(ORIGIN)),
        ("AAAA", origin(ORIGIN)),
        (other.form_token.as_str(), origin(ORIGIN)),
        (&good, origin("https://evil.example")),
        (&good, origin("null")),
        (&good, origin("http://portal.localhost.evil.example")),
        ("", None),
    ] {
        for path in &targets() {
            member.form_token = token.to_owned();
            member.origin = sent_origin.clone();
            let answer = member
                .post(path, &[("action", "start"), ("login", "a")])
                .await;
            let for_strangers = [
                "/sign-in",
                "/sign-in/code",
                "/sign-in/lost-factor",
                "/sign-up?kind=corporate",
            ];
            if for_strangers.contains(&path.as_str()) {
                // Nothing for somebody who is signed in, whoever sends it.
                assert_eq!(answer.status, 303, "{path}");
                continue;
            }
            // What may be one's own, of another session, is shown again.
            let is_shown = sent_origin.as_deref() == Some(ORIGIN) && path != "/sign-out";
            let expected = if is_shown { 200 } else { 403 };
            assert_eq!(
                answer.status, expected,
                "{path} with {token} from {sent_origin:?}"
            );
            assert!(answer.body.contains("Nothing was done."), "{path}");
        }
    }
    assert_eq!(stub.changes(), Vec::<String>::new());
    member.form_token = good;
    member.origin = None;
    assert_eq!(
        member.post("/sign-out", &[]).await.status,
        303,
        "no Origin, but the token"
    );
}

#[tokio::test]
async fn forms_before_signing_in_are_bound_to_the_browser() {
    let stub = Stub::new();
    let mut visitor = Browser::new(&stub).await;
    visitor.get("/sign-in").await;
    assert!(visitor.cookies.contains_key("innkeeper-visitor"));
    visitor.cookies.clear();
    let answer = visitor
        .post("/sign-in", &[("login", "a"), ("password", "b")])
        .await;
    assert_eq!(answer.status, 403);
    visitor.get("/sign-in").await;
    let answer = visitor
        .post("/sign-in", &[("login", "a"), ("password", "b")])
        .await;
    assert_eq!(answer.status, 303);
    assert!(
        !visitor.cookies.contains_key("innkeeper-visitor"),
        "of no use afterwards"
    );
}

#[tokio::test]
async fn large_and_strange_forms_are_refused() {
    let stub = Stub::new();
    let mut member = Browser::new(&stub).await.signed_in();
    member.get("/keys").await;
    // Many at a time lie in memory, slowly.
    let long = "x".repeat(64 * 1024);
    assert_eq!(
        member.post("/keys", &[("public_key", &long)]).await.status,
        413
    );
    let body = format!("form_token={}&name=a", member.form_token);
    let request = Request::post("/keys")
        .header(header::HOST, "portal.localhost")
        .header(
            header::COOKIE,
            format!("innkeeper-session={}", crate::support::TOKEN),
        )
        .header(header::CONTENT_TYPE, "text/plain")
        .body(Body::from(body))
        .expect("a request");
    let response = member
        .router
        .clone()
        .oneshot(request)
        .await
        .expect("infallible");
    assert_eq!(response.status(), 400);
    assert_eq!(stub.changes(), Vec::<String>::new());
}

#[tokio::test]
async fn a_session_cookie_that_cannot_be_one_is_none() {
    let stub = Stub::new();
    let mut visitor = Browser::new(&stub).await;
    visitor
        .cookies
        .insert("innkeeper-session".to_owned(), "a b".to_owned());
    assert_eq!(visitor.get("/servers").await.status, 303);
    assert!(stub.calls("GET /servers").is_empty());
}

/// T35: a name that a stranger makes lead here gets no page, and no cookie; the portal's own does with every port.
#[tokio::test]
async fn another_host_name_is_misdirected() {
    let stub = Stub::new();
    let mut visitor = Browser::new(&stub).await.signed_in();
    for own in ["portal.localhost", "PORTAL.localhost:8443"] {
        visitor.host = own;
        assert_eq!(visitor.get("/servers").await.status, 200, "{own}");
    }
    for other in [
        "evil.example",
        "127.0.0.1:8080",
        "portal.localhost.evil.example",
        "",
        "a b",
    ] {
        visitor.host = other;
        for path in ["/", "/servers", "/robots.txt", "/static/x/none.css"] {
            let answer = visitor.get(path).await;
            assert_eq!(answer.status, 421, "{other} {path}");
            assert!(answer.cookies().is_empty());
        }
        assert_eq!(visitor.get("/healthz").await.status, 200, "{other}");
    }
}
