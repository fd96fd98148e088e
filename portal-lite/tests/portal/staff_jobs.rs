//! Technical-support jobs as the staff see them: the queue, all of one with how to get in, and what an engineer does to it.

use innkeeper_wire::staff::Role;
use serde_json::json;

use crate::{
    staff_api::{JOB, StaffStub},
    staff_deeds::{Deed, Typed},
};

const SAID: &str = "One.\nTwo.";
const TEXT: (&str, &str) = ("text", "One.\r\nTwo.");

/// What an engineer does by the pages that ask before.
pub(crate) fn deeds() -> Vec<Deed> {
    let said = |act: &str| json!({ "act": act, "text": SAID });
    let until = ("until", "2026-12-02 18:00");
    let delay = json!({ "act": "delay", "text": SAID, "until": "2026-12-02T09:00:00.000Z" });
    let fee = json!({
        "act": "ask-approval", "text": SAID, "fee": { "amount": 60_000, "currency": "KRW" },
    });
    let close = |outcome: &str| json!({ "act": "close", "outcome": outcome, "text": SAID });
    let acts: [(&str, Typed, _); 10] = [
        ("take", vec![], json!({ "act": "take" })),
        ("comment", vec![TEXT], said("comment")),
        ("delay", vec![TEXT, until], delay),
        ("resume", vec![], json!({ "act": "resume" })),
        ("ask-revision", vec![TEXT], said("ask-revision")),
        ("ask-approval", vec![TEXT, ("fee", "60,000")], fee),
        ("ask-access", vec![], json!({ "act": "ask-access" })),
        ("cancel", vec![TEXT], said("cancel")),
        ("done", vec![TEXT], close("done")),
        ("not-done", vec![TEXT], close("not-done")),
    ];
    let acts = acts.into_iter();
    acts.map(|(code, typed, body)| Deed {
        path: format!("/jobs/{JOB}/{code}"),
        typed,
        line: format!("POST /jobs/{JOB}/acts"),
        body,
    })
    .collect()
}

/// R99: in the order of receipt, and what is not dealt with in time is marked.
#[tokio::test]
async fn the_queue_is_narrowed_and_says_what_is_overdue() {
    for (role, leads) in [
        (Role::Viewer, false),
        (Role::Support, false),
        (Role::Engineer, true),
        (Role::Admin, true),
    ] {
        let stub = StaffStub::for_role(role);
        let mut browser = stub.browser().await;
        let page = browser.get("/jobs?state=accepted&mine=1").await;
        assert!(stub.was_asked("GET /jobs?limit=50&state=accepted&mine=true"));
        for said in [
            "in the order of receipt",
            "Overdue since 24 Nov 2026, 12:00 KST",
            "type=\"checkbox\" value=\"1\" checked",
            "value=\"accepted\" selected",
            "Install &#60;nginx&#62;",
        ] {
            assert!(page.body.contains(said), "{role:?}: {said}: {}", page.body);
        }
        assert_eq!(page.body.matches("Overdue since").count(), 1);
        let link = format!("href=\"/jobs/{JOB}\"");
        assert_eq!(page.body.contains(&link), leads, "{role:?}");
        let page = browser.get("/jobs").await;
        assert!(stub.was_asked("GET /jobs?limit=50"));
        assert!(!page.body.contains("value=\"1\" checked"));
    }
}

#[tokio::test]
async fn an_engineer_sees_all_of_a_job_and_how_to_get_in() {
    let stub = StaffStub::for_role(Role::Engineer);
    let mut browser = stub.browser().await;
    let page = browser.get(&format!("/jobs/{JOB}")).await;
    for said in [
        ">ssh -4 debian@203.0.113.2<",
        ">ssh -6 debian@2001:db8:17::2<",
        "id=\"overdue\"",
        "010-1234-5678",
        "Please use &#60;version 8&#62;",
        "Customer",
        "₩55,000",
        "22 Nov 2026, 00:30 KST",
        "id=\"ask-take\"",
        "id=\"ask-done\"",
        "id=\"ask-not-done\"",
        &format!("action=\"/jobs/{JOB}/comment\""),
    ] {
        assert!(page.body.contains(said), "{said}: {}", page.body);
    }
    let page = browser.get(&format!("/jobs/{JOB}/ask-approval")).await;
    assert!(page.body.contains("value=\"50,000\""), "the sum before tax");
    {
        // Of an account that was erased.
        let any = &mut stub.book().job;
        any.job.can.clear();
        any.job.line.title.clear();
    }
    let page = browser.get(&format!("/jobs/{JOB}")).await;
    assert!(
        page.body.contains(&format!("<h1><bdi>{JOB}</bdi>")),
        "{}",
        page.body
    );
    assert!(!page.body.contains("id=\"deeds\"") && !page.body.contains("id=\"comment\""));
}

#[tokio::test]
async fn what_is_missing_is_not_asked_of_the_api() {
    let stub = StaffStub::for_role(Role::Engineer);
    let mut browser = stub.browser().await;
    for (code, typed, field) in [
        ("comment", vec![("text", " ")], "text"),
        ("delay", vec![("until", "2026-12-02 18:00")], "text"),
        ("delay", vec![TEXT, ("until", "")], "until"),
        ("delay", vec![TEXT, ("until", "soon")], "until"),
        ("ask-approval", vec![TEXT, ("fee", "a lot")], "fee"),
        ("ask-approval", vec![TEXT, ("fee", "12.5")], "fee"),
        ("cancel", vec![], "text"),
        ("done", vec![], "text"),
    ] {
        let path = format!("/jobs/{JOB}/{code}");
        browser.get(&path).await;
        let page = browser.post(&path, &typed).await;
        let error = format!("id=\"{field}-error\"");
        assert!(
            page.body.contains(&error),
            "{code} {typed:?}: {}",
            page.body
        );
    }
    assert_eq!(stub.changes(), []);
}
