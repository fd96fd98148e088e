//! Servers as their owner sees them: live parts, questions before deeds, what is said when something is not known, failed
//! or is gone, and what can't be had.

use innkeeper_wire::{
    api::{Availability, EndCause, Server, ServerState},
    error::{FieldErrorCode, Problem, ProblemCode},
};

use crate::support::{Browser, Stub, fixtures, invalid};

const RUNNING: &str = "/servers/srv_0190b5c87f1e7c3a8e0f000000000002";

/// Polls of an idle page took 3 to 6 KB each.
#[tokio::test]
async fn a_live_part_that_is_as_before_is_not_sent_again() {
    let stub = Stub::new();
    let mut member = Browser::new(&stub).await.signed_in();
    for path in [
        "/servers/live",
        "/servers/live?sort=name",
        &format!("{RUNNING}/live"),
    ] {
        member.has = None;
        let first = member.get(path).await;
        assert_eq!(first.status, 200, "{path}");
        member.has = Some(first.header("etag").to_owned());
        // Its host is heard of again and again.
        for server in &mut stub.book().servers {
            server.observed_at = Some(fixtures::time("2026-11-21T11:59:59Z"));
        }
        let same = member.get(path).await;
        assert_eq!((same.status, same.body.as_str()), (304, ""), "{path}");
        stub.book().servers[1].state = ServerState::Stopping;
        let other = member.get(path).await;
        assert_eq!(other.status, 200, "{path}");
        assert_ne!(other.header("etag"), first.header("etag"), "{path}");
        stub.book().servers[1].state = ServerState::Running;
    }
}

/// It kept the session alive for its eight hours, and its redirect used up the notice.
#[tokio::test]
async fn a_live_part_is_no_use_of_the_session_and_touches_no_cookie() {
    let stub = Stub::new();
    let mut member = Browser::new(&stub).await.signed_in();
    let path = &format!("{RUNNING}/live");
    let notice = ("innkeeper-notice".to_owned(), "order-placed".to_owned());
    member.cookies.extend([notice]);
    member.get(path).await;
    member.get("/servers/live").await;
    let line = format!("GET {RUNNING}");
    for line in [line.as_str(), "GET /servers"] {
        let asked = stub.calls(line);
        let header = asked[0].headers.get("innkeeper-unattended");
        assert!(header.is_some_and(|header| header == "1"), "{line}");
    }
    member.get(RUNNING).await;
    let asked = stub.calls(&line);
    assert!(!asked[1].headers.contains_key("innkeeper-unattended"));
    for (code, status) in [
        (ProblemCode::Unauthenticated, 401),
        (ProblemCode::NotFound, 404),
        (ProblemCode::Unavailable, 503),
        (ProblemCode::Internal, 500),
    ] {
        stub.refuse(&line, Problem::new(code));
        let answer = member.get(path).await;
        assert_eq!(answer.status, status);
        assert!(answer.cookies().is_empty(), "{code:?}");
        assert!(!answer.body.contains('<'), "{code:?}");
    }
    member.cookies.clear();
    let answer = member.get(path).await;
    assert_eq!(answer.status, 401);
    assert!(answer.cookies().is_empty());
    assert!(answer.headers.get("location").is_none());
}

#[tokio::test]
async fn the_page_has_the_words_for_its_script_and_a_way_without_one() {
    let stub = Stub::new();
    let mut member = Browser::new(&stub).await.signed_in();
    for path in ["/servers?q=web&sort=name", RUNNING] {
        let page = member.get(path).await;
        assert!(
            page.body
                .contains("data-stale=\"This page is not current since %time%.")
        );
        assert!(page.body.contains("data-zone=\"Asia/Seoul\""));
        let link = path.replace('&', "&#38;");
        let refresh =
            format!("<noscript><p class=\"refresh\"><a class=\"button quiet\" href=\"{link}\">");
        assert!(page.body.contains(&refresh), "{path}");
        assert!(!page.body.contains("http-equiv"), "{path}");
    }
}

/// Finding 4: power off was one tap, beside the others.
#[tokio::test]
async fn what_interrupts_is_asked_about_first() {
    let stub = Stub::new();
    let mut member = Browser::new(&stub).await.signed_in();
    let page = member.get(RUNNING).await;
    assert!(
        !page.body.contains("name=\"action\""),
        "no button does it at once"
    );
    for (action, says, is_red) in [
        ("power_off", "is lost, and files may be damaged", true),
        ("reboot", "asked to restart", false),
        ("shutdown", "still charged", false),
    ] {
        let path = format!("{RUNNING}/actions/{action}");
        assert!(page.body.contains(&format!("href=\"{path}\"")), "{action}");
        let asked = member.get(&path).await;
        assert_eq!(asked.status, 200, "{action}");
        assert!(asked.body.contains(says) && asked.body.contains("<b>web-1</b>"));
        let button = asked
            .body
            .split("<button")
            .find(|it| it.contains("id=\"confirm-action\""));
        let button = button.expect("a button").split('>').next();
        assert_eq!(button.is_some_and(|it| it.contains("destructive")), is_red);
        assert!(
            asked
                .body
                .contains(&format!("href=\"{RUNNING}\">Back to the server"))
        );
    }
    assert!(stub.calls(&format!("POST {RUNNING}/actions")).is_empty());
    // What makes no sense now is not offered.
    let start = member.get(&format!("{RUNNING}/actions/start")).await;
    assert!(start.body.contains("id=\"not-now\"") && !start.body.contains("confirm-action"));
}

/// Finding 9: a name that was marked on the page and pasted was refused.
#[tokio::test]
async fn a_name_that_was_copied_deletes() {
    let stub = Stub::new();
    let mut member = Browser::new(&stub).await.signed_in();
    let delete = format!("{RUNNING}/delete");
    let page = member.get(&delete).await;
    assert!(page.body.contains("data-copy=\"server-name\""));
    let pasted = "\u{2068}web-1\u{2069}";
    let gone = member.post(&delete, &[("confirm_name", pasted)]).await;
    assert_eq!((gone.status, gone.header("location")), (303, RUNNING));
}

async fn shown(server: &Server) -> String {
    let stub = Stub::new();
    stub.book().servers = vec![server.clone()];
    let mut member = Browser::new(&stub).await.signed_in();
    member.get(&format!("/servers/{}", server.id)).await.body
}

#[tokio::test]
async fn an_unknown_server_keeps_its_command_and_says_what_is_charged() {
    let mut server = fixtures::server(9, "web", ServerState::Unknown);
    let page = shown(&server).await;
    assert!(page.contains("as far as we know:") && page.contains(">ssh debian@203.0.113.9<"));
    assert!(page.contains("It is charged meanwhile as before."));
    assert!(
        page.contains("id=\"observed\""),
        "since when nothing was heard"
    );
    server.ready_at = None;
    let page = shown(&server).await;
    assert!(!page.contains("id=\"ssh-command\""), "it was never there");
    assert!(page.contains("nothing is charged before the server is ready"));
    assert!(!page.contains("charged meanwhile"), "{page}");
}

/// Finding 8: no reason, no time, no way on, and an address in the list.
#[tokio::test]
async fn a_failed_creation_says_why_and_when_and_is_ordered_again_by_one_press() {
    let server = fixtures::server(6, "trial", ServerState::CreateFailed);
    let again = "/servers/new?site=seoul-1&#38;image=debian-12&#38;plan=m&#38;name=trial\
        &#38;ssh_keys=SHA256%3A1Yd1bQ0Xr3m9cVb6iWvKq5uHn2sTzLpE8gAoJfR7kMx";
    let page = shown(&server).await;
    let says = |text: &str| page.contains(text);
    assert!(says("The disk could not be made."), "{page}");
    assert!(says(
        "<time datetime=\"2026-11-21T11:59:20.000Z\">21 Nov 2026, 20:59 KST"
    ));
    assert!(says(&format!("id=\"order-again\" href=\"{again}\"")));
    let id = server.id;
    assert!(says(&format!(
        "mailto:help@harbour.example?subject=trial%20{id}"
    )));
    assert!(!says("203.0.113.6"));
    let stub = Stub::new();
    let mut member = Browser::new(&stub).await.signed_in();
    let list = member.get("/servers").await;
    assert!(!list.body.contains("203.0.113.6") && list.body.contains("203.0.113.5"));
    let order = member
        .get("/orders/ord_0190b5c87f1e7c3a8e0f000000000003")
        .await;
    assert!(order.body.contains("2026-11-21T11:59:20.000Z"));
    assert!(
        order.body.contains("plan=m&#38;name=web-3") && order.body.contains("id=\"failed-help\"")
    );
    let form = member.get(&again.replace("&#38;", "&")).await;
    assert!(form.body.contains("value=\"trial\"") && form.body.contains("value=\"m\" checked"));
}

#[tokio::test]
async fn a_deleted_server_says_until_when_it_is_charged_and_kept() {
    let page = shown(&fixtures::server(9, "web", ServerState::Deleted)).await;
    let ended = "id=\"charged-until\"><dt>Charged until</dt><dd><time datetime=\"2026-11-21T11:59:20.000Z\"";
    let kept =
        "id=\"kept-until\"><dt>Disk kept until</dt><dd><time datetime=\"2026-11-28T11:59:20.000Z\"";
    assert!(page.contains(ended) && page.contains(kept), "{page}");
    let mut never = fixtures::server(9, "web", ServerState::Deleted);
    never.ready_at = None;
    let page = shown(&never).await;
    assert!(!page.contains("charged-until") && !page.contains("kept-until"));
}

#[tokio::test]
async fn a_server_that_was_lost_with_its_host_says_so_and_promises_no_disk() {
    let mut lost = fixtures::server(9, "web", ServerState::Deleted);
    lost.end_cause = Some(EndCause::HostLost);
    let page = shown(&lost).await;
    assert!(page.contains("failed for good"), "{page}");
    assert!(page.contains("charged-until") && !page.contains("kept-until"));
}

#[tokio::test]
async fn the_keys_of_a_server_are_named() {
    let mut server = fixtures::server(9, "web", ServerState::Running);
    server.ssh_keys.push("SHA256:unknown".to_owned());
    let page = shown(&server).await;
    assert!(page.contains("<bdi>mina@laptop</bdi>") && page.contains("SHA256:1Yd1"));
    assert!(
        page.contains(
            "No longer in your account</em><code class=\"line fingerprint\">SHA256:unknown"
        )
    );
}

#[tokio::test]
async fn the_list_is_sorted_by_its_headings() {
    let stub = Stub::new();
    let mut member = Browser::new(&stub).await.signed_in();
    let page = member.get("/servers?q=web").await;
    assert!(
        page.body
            .contains("<th scope=\"col\"><a href=\"/servers?q=web&#38;sort=name\">Name")
    );
    assert!(
        page.body.contains(
            "aria-sort=\"descending\"><a href=\"/servers?q=web&#38;sort=oldest\">Ordered"
        )
    );
    let page = member.get("/servers?q=web&sort=name").await;
    assert!(
        page.body
            .contains("aria-sort=\"ascending\"><a href=\"/servers?q=web&#38;sort=name-down\">Name")
    );
    assert!(
        page.body
            .contains("data-live=\"/servers/live?q=web&#38;sort=name\"")
    );
    assert!(page.body.contains("value=\"name\" selected"));
    // Both addresses and the price are there.
    assert!(page.body.contains(">2001:db8:17::2</code>") && page.body.contains("₩35.2 an hour"));
    assert_eq!(member.get("/servers?sort=colour").await.status, 200);
}

/// Finding 16: it was offered until the very last click.
#[tokio::test]
async fn what_can_not_be_had_is_marked_and_not_selectable() {
    let stub = Stub::new();
    let mut member = Browser::new(&stub).await.signed_in();
    let page = member.get("/servers/new?plan=xl").await;
    let plan = |code: &str| {
        let start = format!("value=\"{code}\"");
        let rest = page.body.split(&start).nth(1).expect("it is shown");
        rest.split("</label>").next().expect("an end").to_owned()
    };
    assert!(plan("xl").starts_with(" disabled"), "{}", plan("xl"));
    assert!(plan("xl").contains("Not available at the moment"));
    assert!(!plan("l").starts_with(" disabled"));
    assert!(plan("l").contains("Sold out at Taipei 1"));
    assert!(!plan("s").contains("class=\"gone\""));
    let front = member.get("/").await;
    assert!(front.body.contains("Sold out at Taipei 1"));
    assert!(front.body.contains("/servers/new?plan=l\""));
    assert!(
        !front.body.contains("/servers/new?plan=xl\""),
        "what can be had nowhere has no button"
    );
    stub.refuse(
        "POST /quotes",
        invalid(&[("/plan", FieldErrorCode::SoldOut)]),
    );
    let page = member.post("/servers/new", &[("plan", "l")]).await;
    assert!(page.body.contains("id=\"plan-error\""));
    assert!(
        page.body
            .contains("This plan is sold out at this data centre.")
    );
}

/// A plan that is sold out at one data centre stayed chosen there, and was refused with the quote.
#[tokio::test]
async fn the_order_form_follows_the_data_centre() {
    let stub = Stub::new();
    let chosen = |body: &str, name: &str| -> Option<String> {
        let inputs = body.split("<input type=\"radio\" ").skip(1);
        let mut tags = inputs.map(|rest| rest.split('>').next().expect("an end"));
        let its = tags
            .find(|tag| tag.starts_with(&format!("name=\"{name}\"")) && tag.contains(" checked"))?;
        let value = its.split("value=\"").nth(1)?.split('"').next()?;
        Some(value.to_owned())
    };
    for offered in &mut stub.book().catalogue.availability {
        if offered.site.as_str() == "seoul-1" {
            offered.availability = match offered.plan.as_str() {
                "s" | "l" => Availability::SoldOut,
                _ => Availability::Available,
            };
        } else if offered.plan.as_str() == "l" {
            offered.availability = Availability::Available;
        }
    }
    let mut member = Browser::new(&stub).await.signed_in();
    // What can't be had at the first data centre is not proposed there.
    let page = member.get("/servers/new").await;
    assert_eq!(chosen(&page.body, "site").as_deref(), Some("seoul-1"));
    assert_eq!(chosen(&page.body, "plan").as_deref(), Some("m"));
    let plan = "value=\"s\" data-gone=\"seoul-1\" data-name";
    assert!(
        page.body.contains(plan),
        "the script is told: {}",
        page.body
    );
    // A link to a plan opens the form at a data centre where it can be had.
    let page = member.get("/servers/new?plan=l").await;
    assert_eq!(chosen(&page.body, "site").as_deref(), Some("taipei-1"));
    assert_eq!(chosen(&page.body, "plan").as_deref(), Some("l"));
    // What was chosen stays chosen: the quote says that it is not to be had.
    let page = member.get("/servers/new?site=seoul-1&plan=l").await;
    assert_eq!(chosen(&page.body, "site").as_deref(), Some("seoul-1"));
    assert!(page.body.contains("Sold out at Seoul 1"));
}

/// "Order placed, your server is being made" stood on the page of a server that was running.
#[tokio::test]
async fn a_notice_is_said_while_it_is_true() {
    for (notice, state, is_said) in [
        ("order-placed", ServerState::Requested, true),
        ("order-placed", ServerState::Creating, true),
        ("order-placed", ServerState::Running, false),
        ("order-placed", ServerState::CreateFailed, false),
        ("server-deleting", ServerState::Deleting, true),
        ("server-deleting", ServerState::Deleted, false),
        ("action-accepted", ServerState::Running, true),
    ] {
        let stub = Stub::new();
        let server = fixtures::server(2, "web", state);
        stub.book().servers = vec![server];
        let mut member = Browser::new(&stub).await.signed_in();
        let cookie = ("innkeeper-notice".to_owned(), notice.to_owned());
        member.cookies.extend([cookie]);
        let page = member.get(RUNNING).await.body;
        let said = page.contains("<p class=\"notice\"");
        assert_eq!(said, is_said, "{notice} {state:?}");
        // The page's script takes it away when it ends to be.
        let has_end = notice != "action-accepted" && is_said;
        assert_eq!(
            page.contains("data-holds=\""),
            has_end,
            "{notice} {state:?}"
        );
    }
}

/// Finding 17: the typed name is the guard of deletion.
#[tokio::test]
async fn a_name_that_is_taken_is_told_with_one_that_is_free() {
    let stub = Stub::new();
    let mut member = Browser::new(&stub).await.signed_in();
    member.get("/servers/new").await;
    let mut problem = invalid(&[("/name", FieldErrorCode::Taken)]);
    problem.errors[0].proposal = Some("web-2".to_owned());
    stub.refuse("POST /quotes", problem);
    let page = member.post("/servers/new", &[("name", "web-1")]).await;
    let said = "You have a server of this name already. Choose another. web-2 is free.";
    assert!(page.body.contains(said));
    assert!(page.body.contains("value=\"web-1\""));
}
