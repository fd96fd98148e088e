//! The staff's portal: who sees what, the pages of things, and the lists.

use std::collections::{BTreeSet, VecDeque};

use innkeeper_portal_lite::{
    routes::staff::STAFF_PAGES,
    sitemap::{Kind, Row, Who},
};
use innkeeper_wire::{
    error::{Problem, ProblemCode},
    operator::csv::BYTE_ORDER_MARK,
    staff::Role,
};

use crate::{
    staff_api::{
        ACCOUNT, HOST, INVOICE, JOB, MAIL, MONTH, ORDER, PRICES, SERVER, SESSION, StaffStub,
    },
    staff_deeds::CALLED,
    support::{Answer, Browser},
    texts,
};

/// More pages than there are: a walk that is longer goes in circles.
const PAGES_MAX: usize = 400;

/// An address of a page, with things of the stub in it.
fn address(row: &Row) -> String {
    let ids = [
        ("/accounts/", ACCOUNT),
        ("/servers/", SERVER),
        ("/hosts/", HOST),
        ("/orders/", ORDER),
        ("/mails/", MAIL),
        ("/jobs/", JOB),
        ("/lost-factors/", ACCOUNT),
        ("/invoices/", INVOICE),
        ("/months/", MONTH),
        ("/prices/", PRICES),
        ("/account/sessions/", SESSION),
    ];
    let id = ids.iter().find(|(start, _)| row.path.starts_with(start));
    row.path.replace("{id}", id.map_or("", |(_, id)| id))
}

fn values<'a>(html: &'a str, attribute: &str) -> impl Iterator<Item = String> + use<'a> {
    let start = format!(" {attribute}=\"");
    let parts: Vec<_> = html.split(&start).skip(1).collect();
    parts.into_iter().map(|part| {
        let value = part.split('"').next().unwrap_or_default();
        value.replace("&#38;", "&")
    })
}

/// Opens the front page and follows every link and every form's target from there; gives what was opened.
async fn walk(browser: &mut Browser) -> BTreeSet<String> {
    let mut waiting = VecDeque::from(["/attention".to_owned()]);
    let mut opened = BTreeSet::new();
    while let Some(path) = waiting.pop_front() {
        if !path.starts_with('/') || path.contains("lang=") || !opened.insert(path.clone()) {
            continue;
        }
        assert!(opened.len() < PAGES_MAX, "{opened:?}");
        let answer = browser.get(&path).await;
        assert!(answer.status < 400, "{path}: {}", answer.status);
        assert_eq!(
            texts::untranslated(&answer.body),
            Vec::<String>::new(),
            "{path}"
        );
        if !answer.body.contains("<html") {
            continue;
        }
        for attribute in ["href", "action"] {
            waiting.extend(values(&answer.body, attribute));
        }
    }
    opened
}

#[tokio::test]
async fn each_role_can_follow_every_link_that_it_sees() {
    for (role, unseen) in [
        (
            Role::Viewer,
            vec![
                "/start", "/unlock", "/cordon", "/retry", "/drop", "/invite", "/delete", "/take",
            ],
        ),
        (
            Role::Support,
            vec!["/cordon", "/revoke", "/invite", "/delete", "/take"],
        ),
        (
            Role::Engineer,
            vec!["/start", "/unlock", "/cordon", "/retry"],
        ),
        (Role::Admin, vec![]),
    ] {
        for language in ["en", "ko", "zh-Hant"] {
            let stub = StaffStub::for_role(role);
            let mut browser = stub.browser().await.speaking(language);
            let opened = walk(&mut browser).await;
            assert!(opened.contains(&format!("/servers/{SERVER}")), "{opened:?}");
            for end in &unseen {
                let seen = opened.iter().find(|path| path.ends_with(end));
                assert_eq!(seen, None, "{role:?}");
            }
        }
    }
}

#[tokio::test]
async fn every_page_of_the_table_opens_for_an_administrator() {
    let stub = StaffStub::for_role(Role::Admin);
    let mut browser = stub.browser().await;
    for row in STAFF_PAGES.iter().filter(|row| row.who == Who::Members) {
        let path = address(row);
        let answer = browser.get(&path).await;
        let status = if row.kind == Kind::Target { 303 } else { 200 };
        assert_eq!(answer.status, status, "{path}");
    }
    assert_eq!(stub.changes(), vec![]);
}

#[tokio::test]
async fn a_server_s_page_tells_intent_and_sight_apart() {
    let stub = StaffStub::for_role(Role::Viewer);
    let page = stub
        .browser()
        .await
        .get(&format!("/servers/{SERVER}"))
        .await;
    for said in [
        "id=\"wanted\">Stopped<",
        "id=\"seen\">Running<",
        "its disk fails",
        "its owner has called",
        "zoe12",
        "To be cut",
        "203.0.113.2",
    ] {
        assert!(page.body.contains(said), "{said}: {}", page.body);
    }
}

#[tokio::test]
async fn an_account_offers_what_makes_sense_as_far_as_it_is() {
    for (standing, expected) in [
        (
            "pending-email",
            vec!["mail-confirmation", "confirm-email", "erase"],
        ),
        (
            "pending-approval",
            vec!["approve", "reject", "unlock", "quota", "erase"],
        ),
        (
            "active",
            vec![
                "unlock",
                "quota",
                "suspend-for-debt",
                "suspend-for-abuse",
                "erase",
            ],
        ),
        ("suspended", vec!["resume", "unlock", "quota", "erase"]),
        ("rejected", vec!["erase"]),
        ("erased", vec![]),
    ] {
        let stub = StaffStub::for_role(Role::Admin);
        stub.book().standing = standing;
        let page = stub
            .browser()
            .await
            .get(&format!("/accounts/{ACCOUNT}"))
            .await;
        let links = page.body.split("id=\"ask-").skip(1);
        let offered: Vec<_> = links.filter_map(|rest| rest.split('"').next()).collect();
        assert_eq!(offered, expected, "{standing}");
        let is_told = page.body.contains("it scans the neighbours");
        assert_eq!(is_told, standing == "suspended");
        assert!(page.body.contains("Yeogwan Inc.") && page.body.contains("Corporate"));
    }
    let stub = StaffStub::for_role(Role::Admin);
    let mut browser = stub.browser().await;
    let page = browser.get(&format!("/accounts/{ACCOUNT}/erase")).await;
    assert!(page.body.contains("SSH keys that go") && page.body.contains("<bdi>4</bdi>"));
    let wrong = [("confirm_name", "mina2"), ("reason", "asked for")];
    let page = browser
        .post(&format!("/accounts/{ACCOUNT}/erase"), &wrong)
        .await;
    assert!(
        page.body.contains("This is not the account&#39;s ID."),
        "{}",
        page.body
    );
    assert_eq!(stub.changes(), vec![]);
    let page = browser.get(&format!("/accounts/{ACCOUNT}/approve")).await;
    assert!(page.body.contains("Yeogwan Inc."));
}

#[tokio::test]
async fn revoking_a_host_says_what_it_leaves_alone() {
    let stub = StaffStub::for_role(Role::Admin);
    let mut browser = stub.browser().await;
    let page = browser.get("/hosts/host-1/revoke").await;
    assert!(
        page.body.contains("3 servers") && page.body.contains("web-1"),
        "{}",
        page.body
    );
    // By its name as well as by its id, which the list of matters does not tell.
    let page = browser.get("/hosts/host-1").await;
    for said in [
        // A time that lies ahead is never "just now".
        "21 Dec 2026, 19:00 KST",
        "its fan is loud",
        "eth1 is down",
        "domain left-over",
        "203.0.113.9",
        "0.9.1",
    ] {
        assert!(page.body.contains(said), "{said}");
    }
    assert_eq!(browser.get("/hosts/host-2").await.status, 404);
    let invited = [("name", "host-9"), ("site", "seoul-1")];
    browser.get("/hosts/invite").await;
    let page = browser.post("/hosts/invite", &invited).await;
    assert!(page.body.contains("innkeeper-agent join --token once"));
    let path = format!("/hosts/{HOST}/replace");
    let asked = browser.get(&path).await;
    assert!(asked.body.contains(&format!("action=\"{path}\"")));
    let page = browser.post(&path, &[CALLED]).await;
    assert_eq!(page.status, 200);
    assert!(page.body.contains("innkeeper-agent join --token again"));
    let line = format!("POST {path}");
    assert!(stub.changes().iter().any(|(asked, _)| *asked == line));
}

/// The lines of a file.
fn rows(file: &Answer) -> Vec<&str> {
    let text = file.body.strip_prefix(BYTE_ORDER_MARK).expect("a mark");
    text.split_terminator("\r\n").collect()
}

#[tokio::test]
async fn a_list_can_be_taken_away_whole_and_harmless() {
    let stub = StaffStub::for_role(Role::Viewer);
    let mut browser = stub.browser().await;
    let page = browser.get("/servers?q=a&host=host-1&sort=name").await;
    let file = "/servers?q=a&host=host-1&sort=name&format=csv";
    assert!(
        values(&page.body, "href").any(|href| href == file),
        "{}",
        page.body
    );
    let answer = browser.get(file).await;
    assert_eq!(answer.header("content-type"), "text/csv; charset=utf-8");
    assert_eq!(
        answer.header("content-disposition"),
        "attachment; filename=\"servers.csv\""
    );
    let rows = rows(&answer);
    assert_eq!(rows.len(), 3, "{rows:?}");
    assert_eq!(rows[0], "id,Name,State,Addresses,Owner,Host,Ordered");
    assert!(
        rows[1].starts_with(&format!("{SERVER},web-1,Running,")),
        "{rows:?}"
    );
    assert!(
        rows[2].contains(",'=cmd,"),
        "no cell is a formula: {rows:?}"
    );
    assert!(rows[2].ends_with("2026-11-21T11:58:00.000Z"), "{rows:?}");
    let part = format!("GET /servers?limit=200&after={SERVER}&q=a&host=host-1&sort=name");
    assert!(stub.was_asked(&part), "{:?}", stub.book().asked);
    for (path, cell) in [
        ("/accounts?format=csv", "mina1"),
        ("/hosts?format=csv", "host-1"),
        ("/orders?format=csv", "trial"),
        ("/mails?format=csv", "server-ready"),
        ("/audit?format=csv", "power off"),
    ] {
        let answer = browser.get(path).await;
        assert!(
            self::rows(&answer)[1].contains(cell),
            "{path}: {}",
            answer.body
        );
    }
    // What can't be begun is a page.
    let problem = Problem::new(ProblemCode::Unavailable);
    stub.book()
        .refusals
        .insert("GET /mails".to_owned(), problem);
    let answer = browser.get("/mails?format=csv").await;
    assert_eq!(answer.status, 503);
    assert!(answer.body.contains("<main id=\"main\""));
}

/// Times are those of the visitor's zone; a colleague is one click away.
#[tokio::test]
async fn the_audit_trail_is_narrowed_by_who_and_when() {
    let stub = StaffStub::for_role(Role::Viewer);
    let mut browser = stub.browser().await;
    let path = "/audit?actor=operator&since=2026-11-21T09%3A00&until=2026-11-22T00%3A00";
    let page = browser.get(path).await;
    let asked = "GET /audit?limit=50&actor=operator&since=2026-11-21T00%3A00%3A00.000Z&until=2026-11-21T15%3A00%3A00.000Z";
    assert!(stub.was_asked(asked), "{:?}", stub.book().asked);
    for shown in [
        "type=\"datetime-local\" value=\"2026-11-21T09:00\"",
        "From (Asia/Seoul)",
        "value=\"operator\"",
        "href=\"/audit?actor=stf_0190b5c87f1e7c3a8e0f000000000001\"",
    ] {
        assert!(page.body.contains(shown), "{shown}: {}", page.body);
    }
    assert!(values(&page.body, "href").any(|href| href == format!("{path}&format=csv")));
    // What is no time narrows nothing, and the field shows it.
    let page = browser.get("/audit?since=tomorrow").await;
    assert!(stub.was_asked("GET /audit?limit=50"));
    assert!(!page.body.contains("value=\"tomorrow\""), "{}", page.body);
}

#[tokio::test]
async fn headings_sort_one_way_and_then_the_other() {
    let stub = StaffStub::for_role(Role::Viewer);
    let mut browser = stub.browser().await;
    for (path, sorted, next) in [
        ("/servers", "descending", "/servers?sort=oldest"),
        (
            "/servers?state=running&sort=name",
            "ascending",
            "/servers?state=running&sort=name-down",
        ),
        (
            "/servers?sort=name-down",
            "descending",
            "/servers?sort=name",
        ),
        ("/hosts?sort=free", "ascending", "/hosts?sort=servers"),
        ("/orders", "descending", "/orders?sort=oldest"),
        ("/orders?sort=host", "ascending", "/orders?sort=why"),
        ("/mails", "ascending", "/mails?sort=kind"),
        ("/mails?sort=oldest", "ascending", "/mails?sort=newest"),
        ("/audit?q=h1", "descending", "/audit?q=h1&sort=oldest"),
        ("/audit?sort=oldest", "ascending", "/audit?sort=newest"),
        (
            "/accounts?sort=login-id",
            "ascending",
            "/accounts?sort=oldest",
        ),
    ] {
        let page = browser.get(path).await;
        let state = format!("aria-sort=\"{sorted}\"");
        assert_eq!(page.body.matches(&state).count(), 1, "{path}");
        let is_there = values(&page.body, "href").any(|href| href == next)
            || path == "/accounts?sort=login-id";
        assert!(is_there, "{path}: {next}");
    }
    assert!(stub.was_asked("GET /servers?limit=50&state=running&sort=name"));
    assert!(stub.was_asked("GET /accounts?sort=login-id"));
    assert!(stub.was_asked("GET /orders/failed?limit=50&sort=host"));
    assert!(stub.was_asked("GET /mails?limit=50&sort=oldest"));
    assert!(stub.was_asked("GET /audit?limit=50&sort=oldest"));
}

#[tokio::test]
async fn what_needs_a_person_is_advised_in_the_language_of_the_page() {
    let stub = StaffStub::for_role(Role::Admin);
    for (language, advice) in [
        ("en", "Switch the machine off"),
        ("ko", "장비를 끄십시오."),
        ("zh-Hant", "請關閉這台機器"),
    ] {
        let mut browser = stub.browser().await.speaking(language);
        let page = browser.get("/attention").await;
        assert!(page.body.contains(advice), "{language}: {}", page.body);
    }
}

#[tokio::test]
async fn a_search_that_was_not_made_has_not_found_nothing() {
    let stub = StaffStub::for_role(Role::Support);
    let page = stub.browser().await.get("/accounts/search").await;
    assert!(page.body.contains("id=\"search\""), "{}", page.body);
    for untrue in ["id=\"empty\"", "id=\"total\""] {
        assert!(!page.body.contains(untrue), "{untrue}");
    }
}

#[tokio::test]
async fn what_needs_a_person_leads_to_where_it_is_mended() {
    for (role, order) in [
        (Role::Support, format!("/orders/{ORDER}/retry")),
        (Role::Viewer, "/orders".to_owned()),
    ] {
        let stub = StaffStub::for_role(role);
        let page = stub.browser().await.get("/attention").await;
        let main = page.body.split("<main").nth(1).expect("a main part");
        for href in [
            order,
            "/hosts/host-1".to_owned(),
            format!("/accounts/{ACCOUNT}"),
            "/mails?state=given_up".to_owned(),
        ] {
            assert!(
                values(main, "href").any(|found| found == href),
                "{role:?}: {href}"
            );
        }
    }
    for (role, may) in [
        (Role::Support, false),
        (Role::Billing, true),
        (Role::Admin, true),
    ] {
        let stub = StaffStub::for_role(role);
        let page = stub.browser().await.get("/attention").await;
        let leads = values(&page.body, "href").any(|href| href == "/billing/unfreeze");
        assert_eq!(leads, may, "{role:?}");
    }
}

#[tokio::test]
async fn what_the_tax_office_is_told_is_a_file_of_a_closed_month() {
    let mut member = StaffStub::for_role(Role::Billing).browser().await;
    let months = member.get("/months").await.body;
    let link = "/months?format=fiscal&#38;month=2026-";
    assert_eq!(months.matches(link).count(), 1, "of the one that is closed");
    let file = member.get("/months?format=fiscal&month=2026-09").await;
    let name = file.headers["content-disposition"].to_str();
    assert_eq!(
        name.ok(),
        Some("attachment; filename=\"fiscal-2026-09.csv\"")
    );
    for part in ["1248100998", "주식회사 =항구", ",-1100"] {
        assert!(file.body.contains(part), "{part}: {}", file.body);
    }
    assert_eq!(
        member.get("/months?format=fiscal&month=x").await.status,
        404
    );
    let mut viewer = StaffStub::for_role(Role::Viewer).browser().await;
    assert!(!viewer.get("/months").await.body.contains("format=fiscal"));
}

#[tokio::test]
async fn the_books_are_a_page_and_files_of_each_month() {
    let mut member = StaffStub::for_role(Role::Billing).browser().await;
    let page = member.get("/books").await.body;
    let rows = page.split("<tr>").skip(2).map(|row| {
        let cells = row.split("</td>").take(3);
        let cells = cells.map(|cell| cell.rsplit('>').find(|text| !text.is_empty()));
        cells.map(Option::unwrap_or_default).collect::<Vec<_>>()
    });
    let rows: Vec<_> = rows.collect();
    assert_eq!(rows[0][0], "Owed by customers", "{rows:?}");
    assert!(rows[0][1].contains("400"), "{rows:?}");
    assert_eq!(rows[2][0], "Tax 10%", "{rows:?}");
    assert!(rows[2][2].contains("100"), "{rows:?}");
    assert_eq!(page.matches("1,100").count(), 2, "both sides: {page}");
    assert!(page.contains("&#60;1&#62;"), "{page}");
    let months = member.get("/months").await.body;
    for (format, parts) in [
        ("usage", ["1-000001", "web-1", "7200"]),
        ("revenue", ["mina1", "1000", "400"]),
    ] {
        let link = format!("/months?format={format}&#38;month=2026-");
        assert_eq!(months.matches(&link).count(), 3, "of each month");
        let path = format!("/months?format={format}&month=2026-09");
        let file = member.get(&path).await;
        let name = format!("attachment; filename=\"{format}-2026-09.csv\"");
        let given = file.headers["content-disposition"].to_str();
        assert_eq!(given.ok(), Some(name.as_str()));
        for part in parts {
            assert!(file.body.contains(part), "{part}: {}", file.body);
        }
    }
    let mut viewer = StaffStub::for_role(Role::Viewer).browser().await;
    assert!(!viewer.get("/months").await.body.contains("format=usage"));
    assert_eq!(viewer.get("/books").await.status, 200);
}
