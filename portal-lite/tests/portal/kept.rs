//! What was typed into a form that is not carried out: it comes back, to its owner, at an address that can be opened.

use innkeeper_wire::error::{FieldErrorCode, Problem, ProblemCode};

use crate::support::{Browser, Stub, TOKEN, invalid};

const CREDENTIALS: [(&str, &str); 2] = [("login", "mina1"), ("password", "secret-word")];
const TYPED: [(&str, &str); 4] = [
    ("name", "my-new-server"),
    ("plan", "l"),
    ("public_key", "ssh-ed25519 AAAA+/= me"),
    ("password", "never"),
];

/// Somebody who has signed in by the form.
async fn member(stub: &std::sync::Arc<Stub>) -> Browser {
    let mut browser = Browser::new(stub).await;
    browser.get("/sign-in?lang=en").await;
    let answer = browser.post("/sign-in", &CREDENTIALS).await;
    assert_eq!(answer.status, 303);
    browser
}

/// The address of the sign-in page, and where that leads.
fn sign_in_of(answer: &crate::support::Answer) -> (String, String) {
    assert_eq!(answer.status, 303, "{}", answer.body);
    let to = answer.header("location").to_owned();
    let (path, query) = to.split_once('?').expect("a query");
    assert_eq!(path, "/sign-in");
    let pairs: Vec<(String, String)> = serde_urlencoded::from_str(query).expect("pairs");
    let next = pairs.into_iter().find(|(name, _)| name == "next");
    let (_, next) = next.expect("an address");
    (to, next)
}

/// The entry of the browser's history was an answer to a form: going back to it asked whether to send it again.
#[tokio::test]
async fn a_refused_form_has_an_address_of_its_own() {
    let stub = Stub::new();
    let mut member = member(&stub).await;
    member.get("/servers/new?plan=l&x=y").await;
    stub.refuse(
        "POST /quotes",
        invalid(&[("/name", FieldErrorCode::Required)]),
    );
    let typed = [("site", "seoul-1"), ("plan", "m"), ("name", "")];
    let answer = member
        .post_alone("/servers/new?plan=l&x=y&lang=en", &typed)
        .await;
    assert_eq!(answer.status, 303);
    let address = answer.header("location").to_owned();
    assert!(
        address.starts_with("/servers/new?plan=l&kept="),
        "{address}"
    );
    assert!(!address.contains("seoul"), "nobody reads it in the address");
    for language in ["ko", "en"] {
        // As often as it is opened, and in any language.
        let page = member.get(&format!("{address}&lang={language}")).await;
        assert_eq!(page.status, 200);
        assert!(page.body.contains("value=\"m\" checked"), "{}", page.body);
        assert!(page.body.contains("href=\"#name\""));
        assert!(page.body.contains(&format!("<html lang=\"{language}\">")));
    }
    // Sent again from there, it keeps no two of them.
    stub.refuse("POST /quotes", Problem::new(ProblemCode::QuotaExceeded));
    let answer = member.post_alone(&address, &typed).await;
    let again = answer.header("location");
    assert_eq!(again.matches("kept=").count(), 1, "{again}");
    let page = member.get(again).await;
    assert!(page.body.contains("Your account&#39;s limit is reached."));
}

#[tokio::test]
async fn going_back_after_a_mistake_finds_what_was_sent_last() {
    let stub = Stub::new();
    let mut member = member(&stub).await;
    member.get("/servers/new").await;
    stub.refuse(
        "POST /quotes",
        invalid(&[("/name", FieldErrorCode::Required)]),
    );
    let choice = [("site", "seoul-1"), ("plan", "m"), ("name", "")];
    let answer = member.post_alone("/servers/new", &choice).await;
    let address = answer.header("location").to_owned();
    // The stub's clock stands still: as good as sent in one instant, a quote is not older than the refusal.
    member.get(&address).await;
    let answer = member.post(&address, &[("name", "web-1")]).await;
    assert!(answer.header("location").contains("/confirm?quote="));
    let page = member.get(&address).await;
    assert!(!page.body.contains("error-summary"), "{}", page.body);
    assert!(page.body.contains("value=\"web-1\""));
}

/// What is sealed is of no use to anybody else, nor on another page, nor after a day.
#[tokio::test]
async fn a_kept_form_opens_for_nobody_else() {
    let stub = Stub::new();
    let mut owner = member(&stub).await;
    owner.get("/keys").await;
    stub.refuse(
        "POST /me/ssh-keys",
        invalid(&[("/public_key", FieldErrorCode::Malformed)]),
    );
    let typed = [("name", "laptop"), ("public_key", "ssh-ed25519 AAAA")];
    let answer = owner.post_alone("/keys", &typed).await;
    let address = answer.header("location").to_owned();
    assert!(owner.get(&address).await.body.contains("laptop"));
    let mut other = Browser::before(owner.router.clone()).signed_in();
    other
        .cookies
        .insert("innkeeper-account".to_owned(), "acc_other".to_owned());
    // The first letter of what is sealed: it never is what it was, whatever chance made of it.
    let (before, sealed) = address.split_once("kept=").expect("a form is kept");
    let other_letter = if sealed.starts_with('A') { 'B' } else { 'A' };
    let broken = format!("{before}kept={other_letter}{}", &sealed[1..]);
    let moved = address.replace("/keys?", "/servers/new?");
    let of_other = other.get(&address).await;
    let of_nobody = owner.get(&broken).await;
    let elsewhere = owner.get(&moved).await;
    for page in [of_other, of_nobody, elsewhere] {
        assert_eq!(page.status, 200);
        assert!(page.body.contains("is no longer kept"), "{}", page.body);
        assert!(!page.body.contains("ssh-ed25519 AAAA<"));
    }
}

/// Finding 10: whoever had to sign in lost what he had typed.
#[tokio::test]
async fn typed_work_survives_the_end_of_a_session() {
    let stub = Stub::new();
    let mut browser = member(&stub).await;
    browser.get("/servers/new").await;
    stub.refuse(
        "POST /me/ssh-keys",
        Problem::new(ProblemCode::Unauthenticated),
    );
    let (to, next) = sign_in_of(&browser.post("/servers/new", &TYPED).await);
    assert!(next.starts_with("/servers/new?kept="), "{next}");
    assert!(!browser.cookies.contains_key("innkeeper-session"));
    let page = browser.get(&to).await;
    assert!(page.body.contains("what you entered is kept"));
    assert_eq!(page.hidden("next"), next);
    // A wrong password loses nothing either.
    stub.refuse("POST /sessions", Problem::new(ProblemCode::BadCredentials));
    let sign_in = [CREDENTIALS[0], CREDENTIALS[1], ("next", &next)];
    let page = browser.post(&to, &sign_in).await;
    assert_eq!(page.hidden("next"), next);
    let before = stub.book().seen.len();
    let answer = browser.post_alone(&to, &sign_in).await;
    assert_eq!(answer.header("location"), next);
    let page = browser.get(&next).await;
    assert!(page.body.contains("was not sent yet"));
    for text in [
        "value=\"my-new-server\"",
        "value=\"l\" checked",
        "AAAA+/= me",
    ] {
        assert!(page.body.contains(text), "{text}");
    }
    assert!(!page.body.contains("never"));
    let carried_out = |seen: &crate::support::Seen| {
        seen.line.starts_with("POST ") && seen.line != "POST /sessions"
    };
    let seen = stub.book().seen[before..].iter().any(carried_out);
    assert!(!seen, "nothing is sent without its sender");
    // The page's own token is that of the session that has begun.
    assert_eq!(browser.post("/servers/new", &TYPED).await.status, 303);
}

/// It went to whoever had signed in last in this browser, not to him who had typed it.
#[tokio::test]
async fn a_form_comes_back_to_the_account_it_was_typed_under() {
    let stub = Stub::new();
    let mut browser = member(&stub).await;
    browser.get("/keys").await;
    let token = browser.form_token.clone();
    let account = browser.cookies["innkeeper-account"].clone();
    browser.post("/sign-out", &[]).await;
    browser.form_token.clone_from(&token);
    let typed = [("name", "laptop"), ("public_key", "ssh-ed25519 AAAA")];
    let (_, next) = sign_in_of(&browser.post("/keys", &typed).await);
    assert!(next.starts_with("/keys?kept="), "{next}");
    let as_account = |browser: &mut Browser, account: &str| {
        let session = ("innkeeper-session", TOKEN);
        for (name, value) in [session, ("innkeeper-account", account)] {
            browser.cookies.insert(name.to_owned(), value.to_owned());
        }
    };
    as_account(&mut browser, "acc_other");
    let page = browser.get(&next).await;
    assert!(!page.body.contains("laptop\"") && page.body.contains("is no longer kept"));
    as_account(&mut browser, &account);
    assert!(browser.get(&next).await.body.contains("value=\"laptop\""));

    // Another has signed in and out since: he is sent to sign in, without it.
    browser.cookies.remove("innkeeper-session");
    browser
        .cookies
        .insert("innkeeper-account".to_owned(), "acc_other".to_owned());
    browser.form_token = token;
    let (_, next) = sign_in_of(&browser.post("/keys", &typed).await);
    assert_eq!(next, "/keys");
}

/// Whatever its length, one can sign in; and a form that is too long for an address is the answer itself.
#[tokio::test]
async fn no_form_is_too_long() {
    let stub = Stub::new();
    for length in [100, 4_000, 8_000, 15_000] {
        let mut browser = member(&stub).await;
        browser.get("/keys").await;
        let key = "A".repeat(length);
        let problem = invalid(&[("/public_key", FieldErrorCode::TooLong)]);
        stub.refuse("POST /me/ssh-keys", problem);
        let answer = browser.post_alone("/keys", &[("public_key", &key)]).await;
        let is_kept = length < 4_200;
        let expected = if is_kept { 303 } else { 422 };
        assert_eq!(answer.status, expected, "{length}");
        assert!(is_kept || answer.body.contains(&key), "{length}");
        stub.refuse(
            "POST /me/ssh-keys",
            Problem::new(ProblemCode::Unauthenticated),
        );
        let answer = browser.post_alone("/keys", &[("public_key", &key)]).await;
        let (to, next) = sign_in_of(&answer);
        assert_eq!(next.contains("kept="), is_kept, "{length}");
        browser.get(&to).await;
        let sign_in = [CREDENTIALS[0], CREDENTIALS[1], ("next", next.as_str())];
        let answer = browser.post_alone(&to, &sign_in).await;
        assert_eq!(answer.header("location"), next, "{length}");
    }
}

/// The key is there: it is chosen, or shown.
#[tokio::test]
async fn a_key_that_is_there_already_is_taken() {
    let stub = Stub::new();
    let mut member = member(&stub).await;
    let (id, line) = {
        let key = &stub.book().keys[0];
        (key.id.to_string(), key.public_key.clone())
    };
    let duplicate = || invalid(&[("/public_key", FieldErrorCode::Duplicate)]);
    member.get("/keys").await;
    stub.refuse("POST /me/ssh-keys", duplicate());
    let (head, tail) = line.split_at(line.len() - 8);
    let wrapped = format!("{head}\n  {tail} me@home");
    let answer = member.post("/keys", &[("public_key", &wrapped)]).await;
    assert_eq!(answer.header("location"), format!("/keys/{id}"));
    let page = member.get(&format!("/keys/{id}")).await;
    assert!(page.body.contains("You have this key already."));
    stub.refuse("POST /me/ssh-keys", duplicate());
    let typed = [("name", "web-1"), ("public_key", &line)];
    let answer = member.post("/servers/new", &typed).await;
    assert!(answer.header("location").contains("/confirm?quote="));
    let quoted = &stub.calls("POST /quotes")[0].body;
    assert_eq!(quoted["ssh_keys"], serde_json::json!([id]));
}
