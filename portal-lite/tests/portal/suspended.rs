//! The pages of somebody whose account is suspended: each says so, why, since when and whom to write to, and none offers
//! what would be refused.

use innkeeper_wire::api::{ServerAction, ServerState, Suspension, SuspensionKind};

use crate::support::{Book, Browser, Stub, fixtures};

const RUNNING: &str = "/servers/srv_0190b5c87f1e7c3a8e0f000000000002";
const REASON: &str = "See our mail <of September>.";

/// A member whose account is suspended, and what his pages are made of.
async fn suspended(kind: SuspensionKind) -> Browser {
    let stub = Stub::new();
    suspend(&mut stub.book(), kind);
    Browser::new(&stub).await.signed_in()
}

fn suspend(book: &mut Book, kind: SuspensionKind) {
    book.me.suspension = Some(Suspension {
        kind,
        since: fixtures::time("2026-11-20T03:00:00Z"),
        reason: REASON.to_owned(),
    });
    let servers = book.servers.iter_mut();
    for server in servers.filter(|server| server.state == ServerState::Running) {
        server.state = ServerState::Suspended;
        server.allowed_actions = match kind {
            SuspensionKind::Debt | SuspensionKind::Balance => vec![ServerAction::Delete],
            SuspensionKind::Abuse => vec![],
        };
    }
}

#[tokio::test]
async fn each_page_says_that_the_account_is_suspended_and_why() {
    for (kind, text) in [
        (SuspensionKind::Debt, "because something is owed"),
        (SuspensionKind::Balance, "because your balance is used up"),
        (SuspensionKind::Abuse, "do harm to others"),
    ] {
        let mut member = suspended(kind).await;
        for path in [
            "/servers",
            "/servers/new",
            "/keys",
            "/orders",
            "/account",
            RUNNING,
        ] {
            let page = member.get(path).await;
            assert_eq!(page.status, 200, "{path}");
            let banner = page.body.split("id=\"suspension\"").nth(1);
            let banner = banner.unwrap_or_else(|| panic!("{path}: {}", page.body));
            let banner = banner.split("</section>").next().unwrap_or_default();
            let reason = REASON.replace('<', "&#60;").replace('>', "&#62;");
            for said in [text, reason.as_str(), "2026-11-20T03:00:00", "mailto:"] {
                assert!(banner.contains(said), "{path}: {said}: {banner}");
            }
        }
    }
}

#[tokio::test]
async fn nothing_is_offered_that_would_be_refused() {
    let mut member = suspended(SuspensionKind::Debt).await;
    for (path, hidden) in [
        ("/servers", vec!["href=\"/servers/new\""]),
        ("/servers/new", vec!["id=\"page-form\""]),
        ("/keys", vec!["id=\"add-key\"", "class=\"confirm\""]),
        (RUNNING, vec!["id=\"acts\"", "id=\"action-"]),
    ] {
        let page = member.get(path).await;
        for code in hidden {
            assert!(!page.body.contains(code), "{path}: {code}: {}", page.body);
        }
    }
    let page = member.get(RUNNING).await;
    assert!(page.body.contains("data-state=\"suspended\""));
    assert!(
        page.body.contains("id=\"ask-delete\""),
        "it may be given back"
    );
    let mut member = suspended(SuspensionKind::Abuse).await;
    let page = member.get(RUNNING).await;
    assert!(!page.body.contains("id=\"ask-delete\""), "{}", page.body);

    // The same for who is not suspended.
    let stub = Stub::new();
    let mut member = Browser::new(&stub).await.signed_in();
    for (path, shown) in [
        ("/servers", "href=\"/servers/new\""),
        ("/servers/new", "id=\"page-form\""),
        ("/keys", "id=\"add-key\""),
        (RUNNING, "id=\"acts\""),
    ] {
        let page = member.get(path).await;
        assert!(page.body.contains(shown), "{path}: {shown}");
        assert!(!page.body.contains("id=\"suspension\""), "{path}");
    }
}
