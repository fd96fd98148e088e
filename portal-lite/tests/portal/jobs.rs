//! Technical-support jobs as their customers see them: the list, the application, what each state offers, what is shown of
//! the server's host, and what each form asks of the API.

use innkeeper_wire::{
    error::{FieldErrorCode, Problem, ProblemCode},
    job::{JobAccess, JobActKind, JobOutcome, JobState},
};
use serde_json::{Value, json};

use crate::support::{
    Answer, Browser, Stub, fixtures, invalid,
    jobs::{SAID, job_id, open},
};

/// What is typed into a form.
type Typed<'a> = Vec<(&'a str, &'a str)>;

const SERVER: &str = "srv_0190b5c87f1e7c3a8e0f000000000002";

fn page_of(state: JobState) -> String {
    format!("/jobs/{}", job_id(state))
}

/// The part of a page that follows by itself, as its script gets it.
async fn with_access(access: JobAccess) -> (Answer, Answer) {
    let stub = Stub::new();
    let state = JobState::ApprovalRequested;
    for job in &mut stub.book().jobs {
        job.access = access.clone();
    }
    let mut member = Browser::new(&stub).await.signed_in();
    let page = member.get(&page_of(state)).await;
    let live = member.get(&format!("{}/live", page_of(state))).await;
    (page, live)
}

#[tokio::test]
async fn jobs_are_listed_and_narrowed_by_their_state() {
    let stub = Stub::new();
    let mut member = Browser::new(&stub).await.signed_in();
    let page = member.get("/jobs").await;
    assert_eq!(page.body.matches("<td class=\"first\">").count(), 9);
    for said in [
        "href=\"/jobs/new\"",
        "<bdi>Install &#60;nginx&#62;</bdi>",
        "Approval requested</span>",
        "₩55,000",
        "VAT 10% included",
    ] {
        assert!(page.body.contains(said), "{said}: {}", page.body);
    }
    let page = member.get("/jobs?state=working").await;
    assert_eq!(page.body.matches("<td class=\"first\">").count(), 1);
    assert!(page.body.contains("value=\"working\" selected"));
    assert!(page.body.contains(&page_of(JobState::Working)));
    stub.book().jobs.clear();
    let page = member.get("/jobs?state=working").await;
    assert!(page.body.contains("id=\"empty\""), "{}", page.body);
    let page = member.get("/jobs").await;
    for said in [
        "id=\"none\"",
        "One application is for one server",
        "id=\"apply\"",
    ] {
        assert!(page.body.contains(said), "{said}: {}", page.body);
    }
}

/// R97, R98, R111.
#[tokio::test]
async fn the_application_says_what_it_costs_and_when_it_is_dealt_with() {
    let stub = Stub::new();
    let mut member = Browser::new(&stub).await.signed_in();
    let page = member.get(&format!("/jobs/new?server={SERVER}")).await;
    for said in [
        &format!("value=\"{SERVER}\" selected"),
        "One application is for one server.",
        "Web server installation",
        "what is done for that, and &#60;what&#62; is not.",
        "Outside business hours",
        "23 Nov 2026, 09:00 KST",
        "25 Nov 2026, 09:00 KST",
        "next month&#39;s bill",
        "name=\"show_again\" value=\"yes\"",
    ] {
        assert!(page.body.contains(said), "{said}: {}", page.body);
    }
    assert!(!page.body.contains("trial</option>"), "it was never made");
    // For the script, with nothing but the services in its address; the tax is taken of the sum.
    let page = member
        .get("/jobs/new?services=web-install&services=ssl")
        .await;
    let estimate = page.body.split("id=\"estimate\"").nth(1).expect("a sum");
    let estimate = estimate.split("</div>\n<p").next().expect("its end");
    for sum in ["₩50,000", "₩5,000", "₩55,000"] {
        assert!(estimate.contains(sum), "{sum}: {estimate}");
    }
    // Without one, by the button: nothing is sent, and all that was typed stays.
    let typed = [
        ("services", "ssl"),
        ("title", "typed-before"),
        ("show_again", "yes"),
    ];
    let page = member.post("/jobs/new", &typed).await;
    assert!(page.body.contains("₩22,000") && page.body.contains("typed-before"));
    assert_eq!(stub.changes(), Vec::<String>::new());
    stub.book().offer.services.clear();
    stub.book().offer.begins_at = None;
    let page = member.get("/jobs/new").await;
    assert!(!page.body.contains("id=\"page-form\"") && !page.body.contains("id=\"hours\""));
    assert!(
        page.body
            .contains("No technical support can be applied for")
    );
}

#[tokio::test]
async fn an_application_is_sent_or_its_complaints_stand_beside_the_fields() {
    let stub = Stub::new();
    let mut member = Browser::new(&stub).await.signed_in();
    member.get("/jobs/new").await;
    let page = member
        .post("/jobs/new", &[("title", "Install nginx")])
        .await;
    for field in ["server", "services", "phone", "body", "consent"] {
        let link = format!("<a href=\"#{field}\">");
        let place = format!("id=\"{field}-error\"");
        assert!(page.body.contains(&link), "{field}: {}", page.body);
        assert!(page.body.contains(&place), "{field}: {}", page.body);
    }
    assert!(page.body.contains("value=\"Install nginx\""));
    assert_eq!(stub.changes(), Vec::<String>::new());
    let typed = [
        ("server", SERVER),
        ("services", "web-install"),
        ("services", "ssl"),
        ("phone", " 010-1234-5678 "),
        ("email", "ops@example.com"),
        ("title", "Install nginx"),
        ("body", "One.\r\nTwo.\r\n"),
        ("consent", "yes"),
    ];
    let refused = invalid(&[("/email", FieldErrorCode::Malformed)]);
    stub.refuse("POST /jobs", refused);
    let page = member.post("/jobs/new", &typed).await;
    assert!(page.body.contains("id=\"email-error\""), "{}", page.body);
    assert!(page.body.contains("value=\"ssl\" checked"), "input is kept");
    assert!(page.body.contains("One.\r\nTwo."));
    let answer = member.post("/jobs/new", &typed).await;
    assert_eq!(answer.header("location"), page_of(JobState::Accepted));
    let sent = stub.calls("POST /jobs").pop().expect("it was sent").body;
    let expected = json!({
        "server": SERVER, "services": ["web-install", "ssl"], "phone": "010-1234-5678",
        "email": "ops@example.com", "title": "Install nginx", "body": "One.\nTwo.", "consent": true,
    });
    assert_eq!(sent, expected);
    let page = member.get(answer.header("location")).await;
    assert!(page.body.contains("Your application was received."));
    // The longest text that a job takes is sent, in any script.
    let long = "글".repeat(4_000);
    let typed = typed.map(|(name, value)| match name {
        "body" => (name, long.as_str()),
        _ => (name, value),
    });
    let answer = member.post("/jobs/new", &typed).await;
    assert_eq!(answer.status, 303);
    let sent = stub.calls("POST /jobs").pop().expect("it was sent").body;
    assert_eq!(sent["body"], long.as_str());
}

/// R97: one application a server, and the next with one click.
#[tokio::test]
async fn an_application_is_repeated_for_another_server() {
    let stub = Stub::new();
    let mut member = Browser::new(&stub).await.signed_in();
    let page = member.get(&page_of(JobState::Closed)).await;
    let again = format!("/jobs/new?from={}", job_id(JobState::Closed));
    assert!(page.body.contains(&format!("href=\"{again}\"")));
    let page = member.get(&again).await;
    for said in [
        "value=\"Install &#60;nginx&#62;\"",
        "value=\"010-1234-5678\"",
        "Please use &#60;version 8&#62;",
        "value=\"ssl\" checked",
        "₩55,000",
    ] {
        assert!(page.body.contains(said), "{said}: {}", page.body);
    }
    assert!(!page.body.contains(" selected>"), "but for the server");
    let page = member
        .get("/servers/srv_0190b5c87f1e7c3a8e0f000000000002")
        .await;
    let link = format!("id=\"support\" href=\"/jobs/new?server={SERVER}\"");
    assert!(page.body.contains(&link), "{}", page.body);
}

/// What each state is called, what is said of what comes next, and what can be done.
const STATES: &[(JobState, &str, &str, &str)] = &[
    (
        JobState::HoursNotice,
        "Outside business hours",
        "23 Nov 2026, 09:00 KST",
        "comment cancel",
    ),
    (
        JobState::Accepted,
        "Accepted",
        "in the order of receipt",
        "comment cancel allow-access",
    ),
    (
        JobState::Processing,
        "In progress",
        "asks for your approval",
        "comment cancel allow-access",
    ),
    (
        JobState::Delayed,
        "Delayed",
        "22 Nov 2026, 18:00 KST",
        "comment cancel allow-access",
    ),
    (
        JobState::RevisionRequested,
        "Revision requested",
        "keeps its place",
        "comment cancel allow-access revise",
    ),
    (
        JobState::ApprovalRequested,
        "Approval requested",
        "confirm it",
        "comment cancel allow-access withdraw-access check-approval",
    ),
    (
        JobState::Working,
        "Working",
        "Keep firewall access active",
        "comment allow-access withdraw-access",
    ),
    (
        JobState::Closed,
        "Closed",
        "next month&#39;s bill",
        "repeat",
    ),
    (
        JobState::Cancelled,
        "Cancelled",
        "Nothing is charged",
        "repeat",
    ),
];
/// What can be done on the page of a job.
const OFFERS: [&str; 7] = [
    "comment",
    "cancel",
    "allow-access",
    "withdraw-access",
    "revise",
    "check-approval",
    "repeat",
];

#[tokio::test]
async fn each_state_has_its_words_and_offers_what_is_possible() {
    let stub = Stub::new();
    let mut member = Browser::new(&stub).await.signed_in();
    for (state, word, next, offered) in STATES {
        let page = member.get(&page_of(*state)).await;
        let badge = format!("</svg>{word}</span>");
        assert!(page.body.contains(&badge), "{word}");
        assert!(page.body.contains(next), "{word}: {}", page.body);
        for id in OFFERS {
            let is_there = page.body.contains(&format!(" id=\"{id}\""));
            let is_offered = offered.split(' ').any(|one| one == id);
            assert_eq!(is_there, is_offered, "{word}: {id}");
        }
        let said = "Please use &#60;version 8&#62; &#38; keep the old one.";
        assert!(page.body.contains(said), "{word}");
    }
}

#[tokio::test]
async fn how_a_job_ended_or_is_held_up_is_said() {
    let stub = Stub::new();
    let mut member = Browser::new(&stub).await.signed_in();
    let page = member.get(&page_of(JobState::Closed)).await;
    for said in [
        "id=\"outcome\"",
        "<strong>Done</strong>",
        "nginx &#60;runs&#62;.",
        "mailto:help@harbour.example?subject=job_",
    ] {
        assert!(page.body.contains(said), "{said}: {}", page.body);
    }
    stub.book().jobs[7].outcome = Some(JobOutcome::NotDone);
    let page = member.get(&page_of(JobState::Closed)).await;
    for said in ["the work was not done", "Nothing is charged."] {
        assert!(page.body.contains(said), "{said}: {}", page.body);
    }
    let page = member.get(&page_of(JobState::Working)).await;
    assert!(!page.body.contains("id=\"paused\""));
    stub.book().jobs[6].line.is_paused = true;
    let page = member.get(&page_of(JobState::Working)).await;
    assert!(page.body.contains("id=\"paused\""), "{}", page.body);
}

/// R114: what the host says, and not what was asked for.
#[tokio::test]
async fn access_is_shown_as_the_server_s_host_says() {
    let grant = fixtures::id("grt", 1);
    let until = fixtures::time("2026-11-21T15:30:00Z");
    let opening = JobAccess::Opening { grant, until };
    let heard_at = Some(fixtures::time("2026-11-21T11:40:00Z"));
    let unknown = JobAccess::Unknown {
        grant,
        until,
        heard_at,
    };
    let ends_by = fixtures::time("2026-11-21T12:00:55Z");
    for (access, word, said, wait) in [
        (
            JobAccess::Closed,
            "Not allowed",
            vec!["can&#39;t reach the server"],
            "3000",
        ),
        (
            JobAccess::Impossible,
            "Not possible",
            vec!["it is not said from where", "id=\"access-help\""],
            "3000",
        ),
        (
            opening,
            "Being allowed",
            vec!["has not said yet", "22 Nov 2026, 00:30 KST"],
            "2000",
        ),
        (
            open(),
            "Active",
            vec![
                "22 Nov 2026, 00:30 KST",
                "data-left=\"2026-11-21T15:30:00.000Z\"",
                "datetime=\"2026-11-21T11:59:57.000Z\"",
            ],
            "3000",
        ),
        (
            unknown,
            "Unknown",
            vec!["is not heard of", "datetime=\"2026-11-21T11:40:00.000Z\""],
            "3000",
        ),
        (
            JobAccess::Closing { ends_by },
            "Being ended",
            vec!["It ends by 21:00:55 KST at the latest"],
            "2000",
        ),
    ] {
        let (page, live) = with_access(access).await;
        for (html, name) in [(&page.body, "page"), (&live.body, "part")] {
            assert!(
                html.contains(&format!("</svg>{word}</span>")),
                "{word}: {name}"
            );
            assert!(
                html.contains(&format!("data-live-ms=\"{wait}\"")),
                "{word}: {name}"
            );
            for text in &said {
                assert!(html.contains(text), "{word}: {text}: {html}");
            }
        }
        assert!(!live.body.contains("<html"), "{word}");
    }
}

#[tokio::test]
async fn a_job_s_live_part_is_no_use_of_the_session() {
    let stub = Stub::new();
    let mut member = Browser::new(&stub).await.signed_in();
    let page = page_of(JobState::Working);
    let live = member.get(&format!("{page}/live")).await;
    let asked = stub.calls(&format!("GET {page}"));
    let header = asked[0].headers.get("innkeeper-unattended");
    assert!(header.is_some_and(|header| header == "1"));
    member.has = Some(live.header("etag").to_owned());
    assert_eq!(member.get(&format!("{page}/live")).await.status, 304);
}

#[tokio::test]
async fn each_form_of_a_job_asks_what_it_says() {
    let asked = page_of(JobState::ApprovalRequested);
    let revised = page_of(JobState::RevisionRequested);
    let request = json!({
        "server": SERVER, "services": ["ssl"], "phone": "1", "title": "t", "body": "b", "consent": true,
    });
    let revision = vec![
        ("services", "ssl"),
        ("phone", "1"),
        ("title", "t"),
        ("body", "b"),
        ("consent", "yes"),
    ];
    let lines = vec![("text", "One.\r\nTwo.")];
    let acts: [(String, Typed, Value, &str); 6] = [
        (
            asked.clone(),
            lines.clone(),
            json!({ "act": "comment", "text": "One.\nTwo." }),
            "Comment added.",
        ),
        (
            format!("{asked}/cancel"),
            lines.clone(),
            json!({ "act": "cancel", "text": "One.\nTwo." }),
            "was cancelled",
        ),
        (
            format!("{asked}/re-review"),
            lines,
            json!({ "act": "re-review", "text": "One.\nTwo." }),
            "once more",
        ),
        (
            format!("{asked}/access"),
            vec![("hours", "48")],
            json!({ "act": "allow-access", "hours": 48 }),
            "You allow firewall access.",
        ),
        (
            format!("{asked}/access/withdraw"),
            vec![],
            json!({ "act": "withdraw-access" }),
            "Firewall access was withdrawn.",
        ),
        (
            format!("{revised}/revise"),
            revision,
            json!({ "act": "revise", "request": request }),
            "The application was changed.",
        ),
    ];
    for (path, typed, body, said) in acts {
        let stub = Stub::new();
        let mut member = Browser::new(&stub).await.signed_in();
        let opened = member.get(&path).await;
        if opened.status == 303 {
            member.get(opened.header("location")).await;
        }
        let answer = member.post(&path, &typed).await;
        assert_eq!(answer.status, 303, "{path}: {}", answer.body);
        let page = path.split('/').take(3).collect::<Vec<_>>().join("/");
        let calls = stub.calls(&format!("POST {page}/acts"));
        assert_eq!(calls.len(), 1, "{path}");
        assert_eq!(calls[0].body, body, "{path}");
        assert_eq!(answer.header("location"), page);
        assert!(
            member.get(&page).await.body.contains(said),
            "{path}: {said}"
        );
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_form_of_a_job_is_said_before_anything_is_asked() {
    let stub = Stub::new();
    let mut member = Browser::new(&stub).await.signed_in();
    let asked = page_of(JobState::ApprovalRequested);
    for (path, typed, said) in [
        (asked.clone(), ("text", " \r\n"), "Write something."),
        (format!("{asked}/cancel"), ("text", ""), "Say why."),
        (
            format!("{asked}/re-review"),
            ("text", ""),
            "Say what is to be looked at again.",
        ),
        (
            format!("{asked}/access"),
            ("hours", ""),
            "Enter for how many hours.",
        ),
        (format!("{asked}/access"), ("hours", "49"), "from 1 to 48."),
        (format!("{asked}/access"), ("hours", "0.5"), "from 1 to 48."),
    ] {
        member.get(&path).await;
        let page = member.post(&path, &[typed]).await;
        assert!(page.body.contains("id=\"error-summary\""), "{path}");
        assert!(page.body.contains(said), "{path}: {}", page.body);
    }
    assert_eq!(stub.changes(), Vec::<String>::new());
    let revise = format!("{}/revise", page_of(JobState::RevisionRequested));
    let line = format!("POST {}/acts", page_of(JobState::RevisionRequested));
    let page = member.get(&revise).await;
    assert!(
        page.body.contains("value=\"Install &#60;nginx&#62;\"")
            && page.body.contains("value=\"yes\" checked")
    );
    let typed = [
        ("services", "ssl"),
        ("phone", "x"),
        ("title", "t"),
        ("body", "b"),
        ("consent", "yes"),
    ];
    // Whichever way the API points to a field of the application in the act.
    for pointer in ["/request/phone", "/phone"] {
        stub.refuse(&line, invalid(&[(pointer, FieldErrorCode::Malformed)]));
        let page = member.post(&revise, &typed).await;
        assert!(
            page.body.contains("id=\"phone-error\""),
            "{pointer}: {}",
            page.body
        );
    }
    // What is not possible any more is said where it was pressed.
    stub.refuse(
        &format!("POST {asked}/acts"),
        Problem::new(ProblemCode::InvalidState),
    );
    let page = member.post(&format!("{asked}/access/withdraw"), &[]).await;
    assert!(
        page.body.contains("not possible in the present state") && page.body.contains("id=\"job\"")
    );
    for act in ["revise", "cancel", "approval", "access"] {
        let page = member
            .get(&format!("{}/{act}", page_of(JobState::Closed)))
            .await;
        assert!(
            page.body.contains("id=\"not-now\"") && !page.body.contains("id=\"page-form\""),
            "{act}"
        );
    }
}

/// R115-R119.
#[tokio::test]
async fn support_is_confirmed_as_it_was_shown_while_the_firewall_is_open() {
    let stub = Stub::new();
    let mut member = Browser::new(&stub).await.signed_in();
    let asked = page_of(JobState::ApprovalRequested);
    let path = format!("{asked}/approval");
    let page = member.get(&path).await;
    for said in [
        "nginx is installed from the &#60;distribution&#62;.",
        "₩50,000",
        "₩55,000",
        "Haru",
        "web-1",
        "can&#39;t be cancelled",
        "Confirm support",
        "Ask for re-review",
        "Please use &#60;version 8&#62;",
    ] {
        assert!(page.body.contains(said), "{said}: {}", page.body);
    }
    assert!(!page.body.contains("id=\"to-access\""));
    let digest = page.hidden("digest");
    let line = format!("POST {asked}/confirmation");
    stub.refuse(&line, Problem::new(ProblemCode::FirewallNotActive));
    for job in &mut stub.book().jobs {
        job.access = JobAccess::Closed;
    }
    let page = member.post(&path, &[("digest", &digest)]).await;
    let link = format!("id=\"to-access\" href=\"{asked}#access\"");
    assert!(page.body.contains(&link), "{}", page.body);
    assert!(
        page.body.contains("Allow firewall access&#34; is active"),
        "{}",
        page.body
    );
    let page = member.get(&path).await;
    assert!(page.body.contains(&link), "it is said before, too");
    assert!(member.get(&asked).await.body.contains("id=\"access\""));
    stub.refuse(&line, Problem::new(ProblemCode::ApprovalChanged));
    let changed = innkeeper_wire::digest::Digest::of(b"another scope");
    for job in &mut stub.book().jobs {
        let approval = job.approval.as_mut();
        approval.into_iter().for_each(|it| it.digest = changed);
    }
    let page = member.post(&path, &[("digest", &digest)]).await;
    assert!(
        page.body.contains("has changed since you opened the page"),
        "{}",
        page.body
    );
    assert_eq!(page.hidden("digest"), changed.to_string());
    let answer = member
        .post(&path, &[("digest", &page.hidden("digest"))])
        .await;
    assert_eq!(answer.header("location"), asked);
    let sent = stub.calls(&line).pop().expect("it was sent").body;
    assert_eq!(sent, json!({ "digest": changed }));
}

/// The words of the document, in its own language.
#[tokio::test]
async fn a_job_speaks_korean_with_the_words_of_the_document() {
    let stub = Stub::new();
    let mut member = Browser::new(&stub).await.signed_in().speaking("ko");
    let asked = page_of(JobState::ApprovalRequested);
    for (path, said) in [
        (
            "/jobs".to_owned(),
            vec![
                "기술지원 신청",
                "접수 완료",
                "업무 시간 안내",
                "수정 요청 중",
            ],
        ),
        (
            asked.clone(),
            vec!["승인 요청", "작업 승인 확인", "방화벽 접근 허용"],
        ),
        (
            format!("{asked}/approval"),
            vec![
                "기술지원 확정",
                "재검토 요청",
                "확정한 후로는 기술지원을 취소할 수 없습니다",
            ],
        ),
    ] {
        let page = member.get(&path).await;
        for word in said {
            assert!(page.body.contains(word), "{path}: {word}");
        }
    }
}

/// Who may do less sees less, whatever the state.
#[tokio::test]
async fn what_the_api_does_not_let_do_is_not_offered() {
    let stub = Stub::new();
    for job in &mut stub.book().jobs {
        job.can = vec![JobActKind::Comment];
    }
    let mut member = Browser::new(&stub).await.signed_in();
    let page = member.get(&page_of(JobState::Working)).await;
    assert!(page.body.contains(" id=\"comment\""));
    assert!(!page.body.contains("id=\"allow-access\"") && !page.body.contains("withdraw-access"));
    assert_eq!(
        page.body.matches(SAID.lines().last().expect("one")).count(),
        2
    );
}
