//! What pages show: golden files in English, every page in every language, hostile text, live parts.

use std::collections::BTreeSet;

use innkeeper_wire::{
    api::{OutageCause, Server, ServerAction, ServerState},
    host::{CreateStep, PauseReason, ServerProblemCode},
    invoice::Invoice,
    job::JobState,
    money::{Currency, HourlyRate, Money},
};

use crate::support::{self, Browser, Stub, code_of, fixtures};

const SERVER: &str = "/servers/srv_0190b5c87f1e7c3a8e0f000000000002";
const QUOTE: &str = "/servers/new/confirm?quote=quo_0190b5c87f1e7c3a8e0f000000000001";

/// Names of all texts: none may show instead of its text.
fn keys() -> impl Iterator<Item = &'static str> {
    let texts = include_str!("../../locales/en/main.ftl");
    texts
        .lines()
        .filter_map(|line| line.split_once(" = "))
        .map(|(key, _)| key)
}

fn main_part(html: &str) -> &str {
    let start = html.find("<main").expect("a main part");
    let end = html.find("</main>").expect("its end");
    &html[start..end]
}

const INVOICE: &str = "/billing/invoices/inv_0190b5c87f1e7c3a8e0f000000000001";

#[tokio::test]
async fn pages_read_as_agreed() {
    let stub = Stub::new();
    let mut visitor = Browser::new(&stub).await;
    let mut golden = Vec::new();
    for (name, path) in [
        ("landing", "/"),
        ("sign_up_kind", "/sign-up"),
        ("sign_up", "/sign-up?kind=individual"),
        ("sign_up_corporate", "/sign-up?kind=corporate"),
        ("awaiting_approval", "/sign-up/awaiting-approval"),
        ("rejected", "/sign-up/rejected"),
        ("sign_in", "/sign-in"),
    ] {
        golden.push((name, visitor.get(path).await.stable()));
    }
    let mut member = visitor.signed_in();
    let asked = support::jobs::job_id(JobState::ApprovalRequested);
    for (name, path) in [
        ("servers", "/servers"),
        ("new_server", "/servers/new"),
        ("confirm_order", QUOTE),
        (
            "server_creating",
            "/servers/srv_0190b5c87f1e7c3a8e0f000000000001",
        ),
        ("server_act", &format!("{SERVER}/actions/power_off")),
        ("server_delete", &format!("{SERVER}/delete")),
        ("server_running", &format!("{SERVER}/live")),
        ("keys", "/keys"),
        ("order", "/orders/ord_0190b5c87f1e7c3a8e0f000000000001"),
        ("jobs", "/jobs"),
        ("job_application", "/jobs/new?services=ssl"),
        ("job", &format!("/jobs/{asked}")),
        ("job_approval", &format!("/jobs/{asked}/approval")),
        ("billing", "/billing"),
        ("statement", "/billing/statement"),
        ("billing_profile", "/billing/profile"),
        ("invoices", "/billing/invoices"),
        ("invoice", INVOICE),
    ] {
        golden.push((name, member.get(path).await.stable()));
    }
    let whole = &golden[0].1;
    insta::assert_snapshot!("frame", whole.replace(main_part(whole), "…"));
    for (name, html) in &golden {
        let part = if html.contains("<main") {
            main_part(html)
        } else {
            html
        };
        insta::assert_snapshot!(*name, part);
    }
}

#[tokio::test]
async fn every_page_speaks_every_language() {
    for language in ["en", "ko", "zh-Hant"] {
        let stub = Stub::new();
        let mut visitor = Browser::new(&stub).await.speaking(language);
        let mut pages = Vec::new();
        for path in support::pages(false) {
            pages.push((path.clone(), visitor.get(&path).await));
        }
        let mut member = visitor.signed_in();
        let narrowed = "/servers?q=nothing-like-it".to_owned();
        for path in support::pages(true).into_iter().chain([narrowed]) {
            pages.push((path.clone(), member.get(&path).await));
        }
        pages.push(("/nowhere".to_owned(), member.get("/nowhere").await));
        stub.book().servers.clear();
        pages.push(("/servers".to_owned(), member.get("/servers").await));
        for (path, page) in &pages {
            let expected = if path == "/nowhere" { 404 } else { 200 };
            assert_eq!(page.status, expected, "{path} in {language}");
            if page.body.contains("<html") {
                assert!(
                    page.body.contains(&format!("<html lang=\"{language}\">")),
                    "{path}"
                );
            }
            for key in keys() {
                assert!(
                    !page.body.contains(&format!(">{key}")),
                    "{key} has no text on {path}"
                );
            }
            // Whoever copies from a page copies them along, and nobody sees them.
            let isolates = '\u{2066}'..='\u{2069}';
            assert!(!page.body.contains(|c| isolates.contains(&c)), "{path}");
            assert!(
                page.body.len() < 50_000,
                "{path} is {} bytes",
                page.body.len()
            );
        }
        let (_, landing) = &pages[0];
        let said = match language {
            "ko" => "회원가입",
            "zh-Hant" => "註冊",
            _ => "Sign up",
        };
        assert!(landing.body.contains(said));
    }
}

/// A path can look like another site's address to a browser.
#[tokio::test]
async fn no_link_leaves_the_site() {
    let stub = Stub::new();
    let mut visitor = Browser::new(&stub).await;
    for path in [
        "//evil.example/x",
        "///evil.example/x",
        "/\\evil.example/x",
        "/\\/evil.example/x",
    ] {
        let page = visitor.get(path).await;
        assert_eq!(page.status, 404, "{path}");
        let href = "href=\"/evil.example/x?lang=ko\"";
        assert!(page.body.contains(href), "{path}: {}", page.body);
        for link in page.body.split("href=\"").skip(1) {
            let link = link.split('"').next().unwrap_or_default();
            let leaves = ["//", "/\\", "\\"]
                .iter()
                .any(|start| link.starts_with(start));
            assert!(!leaves, "{path} has {link}");
        }
        // Nobody is offered to send again what no page takes.
        let answer = visitor.post(path, &[]).await;
        assert!(!answer.body.contains("id=\"retry\""), "{path}");
    }
    // What can't be sent now is offered to be sent again, without what a link has put behind its address.
    let mut member = Browser::without_api().await.signed_in();
    member.get("/nowhere").await;
    let path = "/keys?next=//evil.example/x";
    let page = member.post(path, &[("name", "laptop")]).await;
    assert!(page.body.contains("id=\"retry\""), "{}", page.body);
    let actions = page.body.split("action=\"").skip(1);
    let actions: BTreeSet<_> = actions.filter_map(|rest| rest.split('"').next()).collect();
    assert_eq!(actions, BTreeSet::from(["/keys", "/sign-out"]));
}

#[tokio::test]
async fn a_chosen_language_is_kept() {
    let stub = Stub::new();
    let mut visitor = Browser::new(&stub).await;
    let page = visitor.get("/sign-in?next=%2Fkeys").await;
    assert!(
        page.body
            .contains("formaction=\"/sign-in?next=%2Fkeys&#38;lang=ko\"")
    );
    let page = visitor.get("/sign-in?next=%2Fkeys&lang=ko").await;
    assert!(page.body.contains("<html lang=\"ko\">"));
    assert!(visitor.get("/").await.body.contains("<html lang=\"ko\">"));
    visitor.get("/?lang=tlh").await;
    assert!(visitor.get("/").await.body.contains("<html lang=\"ko\">"));
}

#[tokio::test]
async fn hostile_text_stays_text() {
    let hostile = "<script>alert(1)</script>\" onload=\"x' \u{202e}gnp.exe 서버 🦀 {{ 7 }} &amp;";
    let stub = Stub::new();
    for key in &mut stub.book().keys {
        key.name = hostile.to_owned();
    }
    let mut member = Browser::new(&stub).await.signed_in();
    for path in ["/keys", "/servers/new", QUOTE] {
        let page = member.get(path).await;
        assert_eq!(page.status, 200, "{path}");
        assert!(!page.body.contains("<script>alert"), "{path}");
        assert!(!page.body.contains("\" onload=\""), "{path}");
        assert!(page.body.contains("&#60;script&#62;alert(1)"), "{path}");
        assert!(page.body.contains("서버 🦀"), "{path}");
        // Text of turned direction stays inside its own element.
        assert!(page.body.contains("<bdi"), "{path}");
    }
    let page = member
        .get("/servers?q=%22%3E%3Cscript%3Ealert(1)%3C%2Fscript%3E")
        .await;
    assert!(!page.body.contains("<script>alert"));
    let page = member
        .get("/sign-in?next=%22%3E%3Cscript%3Ealert(1)%3C%2Fscript%3E")
        .await;
    assert!(!page.body.contains("<script>alert"));
}

const STATES: &[(ServerState, &str, bool)] = &[
    (ServerState::Requested, "Requested", true),
    (ServerState::Creating, "Creating", true),
    (ServerState::CreateFailed, "Failed", false),
    (ServerState::Running, "Running", false),
    (ServerState::Starting, "Starting", true),
    (ServerState::Stopping, "Shutting down", true),
    (ServerState::Rebooting, "Rebooting", true),
    (ServerState::Paused, "Paused", false),
    (ServerState::Stopped, "Stopped", false),
    (ServerState::Unknown, "Unknown", false),
    (ServerState::Deleting, "Deleting", true),
    (ServerState::Deleted, "Deleted", false),
];

#[tokio::test]
async fn states_have_one_badge_and_their_own_words() {
    let stub = Stub::new();
    let mut member = Browser::new(&stub).await.signed_in();
    for (state, word, is_changing) in STATES {
        let server = fixtures::server(9, "web", *state);
        stub.book().servers = vec![server.clone()];
        let page = member.get(&format!("/servers/{}", server.id)).await;
        let says = |text: &str| page.body.contains(text);
        let code = code_of(state);
        assert!(
            says(&format!("<div id=\"server\" data-state=\"{code}\"")),
            "{code}"
        );
        assert!(says(&format!("</svg>{word}</span>")), "{code}");
        assert_eq!(says("data-live-ms=\"2000\""), *is_changing, "{word}");
        // It would empty a half-typed field under its reader (WCAG F41).
        assert!(!says("http-equiv"), "{word}");
        // Whoever does not know whether it runs needs the command most.
        let is_up = matches!(
            state,
            ServerState::Running | ServerState::Rebooting | ServerState::Unknown
        );
        assert_eq!(
            says("id=\"ssh-command\">ssh debian@203.0.113.9<"),
            is_up,
            "{word}"
        );
        let is_stopped = *state == ServerState::Stopped;
        assert_eq!(says("Still charged while stopped."), is_stopped, "{word}");
    }
}

#[tokio::test]
async fn buttons_follow_what_is_allowed() {
    let stub = Stub::new();
    let mut member = Browser::new(&stub).await.signed_in();
    for (state, word, _) in STATES {
        let server = fixtures::server(9, "web", *state);
        stub.book().servers = vec![server.clone()];
        let page = member.get(&format!("/servers/{}", server.id)).await;
        for action in [
            ServerAction::Start,
            ServerAction::Shutdown,
            ServerAction::PowerOff,
            ServerAction::Reboot,
        ] {
            let id = format!("id=\"action-{}\"", code_of(&action));
            if matches!(
                state,
                ServerState::CreateFailed | ServerState::Deleting | ServerState::Deleted
            ) {
                assert!(!page.body.contains(&id), "{id} of nothing");
                assert!(!page.body.contains("id=\"connect\""), "{word}");
                continue;
            }
            let button = page.body.split(&id).nth(1).expect("a button");
            let is_allowed = server.allowed_actions.contains(&action);
            let is_open = if action == ServerAction::Start {
                !button.starts_with(" disabled")
            } else {
                button.starts_with(" href=\"/servers/")
            };
            assert_eq!(is_open, is_allowed, "{id} while {word}");
        }
        let may_delete = server.allowed_actions.contains(&ServerAction::Delete);
        let id = match state {
            ServerState::CreateFailed => "id=\"delete-server\"",
            _ => "id=\"ask-delete\"",
        };
        assert_eq!(page.body.contains(id), may_delete, "{word}");
    }
}

#[tokio::test]
async fn progress_and_trouble_are_shown() {
    let stub = Stub::new();
    let mut server = fixtures::server(1, "web", ServerState::Creating);
    server.step = Some(CreateStep::Network);
    server.problem = Some(ServerProblemCode::NetworkFailed);
    stub.book().servers = vec![server.clone()];
    let mut member = Browser::new(&stub).await.signed_in();
    let page = member.get(&format!("/servers/{}", server.id)).await;
    assert_eq!(page.body.matches("<li class=\"done\">").count(), 3);
    assert!(
        page.body
            .contains("<li class=\"current\" aria-current=\"step\"><span>Setting up the network")
    );
    assert!(page.body.contains("The network can&#39;t be set up"));
    assert!(page.body.contains("We try again by ourselves"));
    let live = member.get(&format!("/servers/{}/live", server.id)).await;
    // But for how long ago things are, which the page's script says.
    let timeless = |html: &str| {
        let pieces: Vec<_> = html.split("<time").collect();
        let after = |piece: &&str| piece.split_once("</time>").map(|(_, rest)| rest.to_owned());
        let rest = pieces[1..].iter().filter_map(after);
        pieces[0].to_owned() + &rest.collect::<String>()
    };
    assert!(
        timeless(&page.body).contains(timeless(&live.body).trim()),
        "the live part is a part of the page"
    );
    assert!(!live.body.contains("<html"));
    member
        .cookies
        .insert("innkeeper-notice".to_owned(), "order-placed".to_owned());
    assert!(
        member
            .get(&format!("/servers/{}/live", server.id))
            .await
            .cookies()
            .is_empty()
    );
    let page = member.get(&format!("/servers/{}", server.id)).await;
    assert!(
        page.body.contains("Order placed."),
        "a live part uses up no notice"
    );
}

#[tokio::test]
async fn why_a_server_is_paused_or_out_of_reach_is_said_with_what_to_do() {
    let stub = Stub::new();
    let mut member = Browser::new(&stub).await.signed_in();
    let mut shown = async |server: &Server| {
        stub.book().servers = vec![server.clone()];
        member.get(&format!("/servers/{}", server.id)).await.body
    };
    let outage_since = Some(fixtures::time("2026-11-21T11:50:00Z"));
    for (why, words) in [
        (PauseReason::ByHand, "Start lets it go on."),
        (PauseReason::DiskFull, "as soon as there is room"),
        (PauseReason::GuestCrashed, "Start restarts it"),
    ] {
        let mut server = fixtures::server(1, "web", ServerState::Paused);
        server.paused = Some(why);
        server.outage_since = outage_since;
        let page = shown(&server).await;
        assert!(page.contains(words), "{why:?}");
        // That is all of it: no second trouble beside it.
        assert!(!page.contains("id=\"trouble\""), "{why:?}");
        assert!(!page.contains("The server runs."), "{why:?}");
    }
    let mut server = fixtures::server(1, "web", ServerState::Creating);
    server.problem = Some(ServerProblemCode::NotReachable);
    assert!(
        shown(&server)
            .await
            .contains("does not answer on its network yet")
    );
    let mut server = fixtures::server(1, "web", ServerState::Running);
    server.problem = Some(ServerProblemCode::NotReachable);
    assert!(
        shown(&server)
            .await
            .contains("Look at its network settings")
    );
    server.problem = Some(ServerProblemCode::NetworkFailed);
    server.outage_since = outage_since;
    assert!(shown(&server).await.contains("By a fault of ours"));
    // Its host is heard, and hears nothing of the server: its owner can do something about that.
    let mut server = fixtures::server(1, "web", ServerState::Unknown);
    let of_its_host = "The host of this server can&#39;t be reached";
    let of_itself = "The host hears nothing of the server";
    let page = shown(&server).await;
    assert!(page.contains(of_its_host) && !page.contains(of_itself));
    server.problem = Some(ServerProblemCode::NotAnswering);
    server.outage_since = outage_since;
    let page = shown(&server).await;
    assert!(page.contains(of_itself) && !page.contains(of_its_host));
    assert!(page.contains("Powering it off and starting it again often helps."));
    let mut server = fixtures::server(1, "web", ServerState::CreateFailed);
    server.failure = Some(ServerProblemCode::NotReachable);
    assert!(
        shown(&server)
            .await
            .contains("could not be reached on its network within 30 minutes")
    );
}

#[tokio::test]
async fn which_fault_of_ours_goes_on_and_when_one_was_put_right_is_said() {
    let stub = Stub::new();
    let mut member = Browser::new(&stub).await.signed_in();
    let mut shown = async |server: &Server| {
        stub.book().servers = vec![server.clone()];
        member.get(&format!("/servers/{}", server.id)).await.body
    };
    let at = Some(fixtures::time("2026-11-21T11:50:00Z"));
    let mut server = fixtures::server(1, "web", ServerState::Running);
    server.outage_since = at;
    let page = shown(&server).await;
    assert!(page.contains("By a fault of ours") && !page.contains("id=\"restored\""));
    for (cause, words) in [
        (OutageCause::HostNetwork, "is not set up as it must be"),
        (OutageCause::ForeignRules, "a firewall on the machine"),
        (OutageCause::Uplink, "is cut off from the network"),
    ] {
        server.outage_cause = Some(cause);
        assert!(shown(&server).await.contains(words), "{cause:?}");
    }
    let mut server = fixtures::server(1, "web", ServerState::Running);
    server.restored_at = at;
    let page = shown(&server).await;
    assert!(page.contains("id=\"restored\"") && page.contains("Fault of ours put right"));
}

#[tokio::test]
async fn lists_are_searched_filtered_and_paged_by_address() {
    let stub = Stub::new();
    let mut member = Browser::new(&stub).await.signed_in();
    let page = member.get("/servers?state=stopped&q=bat").await;
    assert!(page.body.contains(">batch</a>") && !page.body.contains(">web-1</a>"));
    assert!(
        page.body.contains("value=\"bat\"") && page.body.contains("value=\"stopped\" selected")
    );
    let page = member.get("/servers").await;
    assert!(page.body.contains("href=\"/servers?after=cursor%2F1%2B\""));
    let page = member.get("/servers?after=cursor%2F1%2B").await;
    assert!(page.body.contains("href=\"/servers\">First page"));
    member.get("/servers?state=no-such-state").await;
    let calls = stub.calls("GET /servers");
    assert_eq!(calls.len(), 4);
}

#[tokio::test]
async fn a_new_customer_is_told_what_to_do_first() {
    let stub = Stub::new();
    stub.book().servers.clear();
    stub.book().keys.clear();
    stub.book().second_factor.on_since = None;
    let mut member = Browser::new(&stub).await.signed_in();
    let page = member.get("/servers").await;
    assert!(page.body.contains("Welcome. Your first steps"));
    assert!(page.body.contains("href=\"/keys\">Add SSH key"));
    assert!(page.body.contains("href=\"/account/two-step\">Set up"));
    let done = async |member: &mut Browser| {
        let page = member.get("/servers").await;
        page.body.matches("<li class=\"done\">").count()
    };
    assert_eq!(done(&mut member).await, 2, "address, and orders of before");
    stub.book().orders.clear();
    assert_eq!(done(&mut member).await, 1);
    stub.book().keys = fixtures::keys();
    assert_eq!(done(&mut member).await, 2);
    stub.book().second_factor.on_since = Some(fixtures::time("2026-11-20T00:00:00Z"));
    assert_eq!(done(&mut member).await, 3);
}

#[tokio::test]
async fn the_first_steps_are_hidden_by_the_account_and_stay_so() {
    let stub = Stub::new();
    stub.book().servers.clear();
    let mut member = Browser::new(&stub).await.signed_in();
    let page = member.get("/servers").await.body;
    assert!(page.contains("action=\"/servers/first-steps\""));
    let answer = member.post("/servers/first-steps", &[]).await;
    assert_eq!(
        (answer.status, answer.header("location")),
        (303, "/servers")
    );
    let asked = stub.calls("PATCH /me")[0].body.clone();
    assert_eq!(asked, serde_json::json!({ "first_steps_hidden": true }));
    stub.book().me.first_steps_hidden = true;
    let page = member.get("/servers").await.body;
    assert!(!page.contains("Your first steps"));
    assert!(page.contains("You have no servers.") && page.contains("shown no more"));
}

#[tokio::test]
async fn fine_prices_are_not_rounded() {
    let stub = Stub::new();
    stub.book().servers[1].hourly = HourlyRate {
        micro_minor_per_hour: 1_250_000,
        currency: Currency::Usd,
    };
    stub.book().servers[1].monthly_cap = Money {
        amount: 800,
        currency: Currency::Usd,
    };
    let mut member = Browser::new(&stub).await.signed_in();
    let page = member
        .get("/servers/srv_0190b5c87f1e7c3a8e0f000000000002")
        .await;
    assert!(page.stable().contains("$0.01375 an hour"));
}

#[tokio::test]
async fn the_first_page_is_light() {
    let stub = Stub::new();
    let mut visitor = Browser::new(&stub).await;
    let page = visitor.get("/").await;
    let mut bytes = page.body.len();
    // The picture for a phone's home screen is fetched when somebody puts the portal there.
    let (head, rest) = page
        .body
        .split_once("<link rel=\"apple-touch-icon\"")
        .expect("it");
    let loaded = format!("{head}{}", rest.split_once('>').expect("its end").1);
    for piece in loaded.split("\"/static/").skip(1) {
        let path = format!("/static/{}", piece.split('"').next().expect("an end"));
        let file = visitor.get(&path).await;
        assert_eq!(file.status, 200, "{path}");
        assert!(file.header("cache-control").contains("immutable"), "{path}");
        bytes += file.body.len();
    }
    assert!(bytes <= 100_000, "{bytes} bytes");
}

#[tokio::test]
async fn an_invoice_is_saved_as_a_file() {
    let stub = Stub::new();
    let mut member = Browser::new(&stub).await.signed_in();
    let file = member.get(&format!("{INVOICE}?format=csv")).await;
    let mut lines = file.body.lines();
    let head = lines.next().expect("a head");
    assert!(
        head.contains("net_minor") && head.contains("charged_s"),
        "{head}"
    );
    let lines: Vec<_> = lines.collect();
    assert_eq!(lines.len(), 3);
    for part in [
        "주식회사 <항구>",
        "서울특별시 중구 세종대로 1 04524 KR",
        "1248100998",
    ] {
        assert!(lines.iter().all(|line| line.contains(part)), "{part}");
    }
    let name = file.headers["content-disposition"].to_str().expect("text");
    assert_eq!(name, "attachment; filename=\"invoice-1-000003.csv\"");
    let file = member.get(&format!("{INVOICE}?format=pdf")).await;
    assert_eq!((file.status, file.body.as_str()), (200, "%PDF-1.7"));
    assert_eq!(file.header("content-type"), "application/pdf");
    let file = member.get(&format!("{INVOICE}?format=json")).await;
    let invoice: Invoice = serde_json::from_str(&file.body).expect("an invoice");
    assert_eq!(invoice, fixtures::invoice());
}
