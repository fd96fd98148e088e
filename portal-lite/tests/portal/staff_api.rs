//! The staff's API made of canned answers, and somebody of the staff before the portal.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard},
};

use axum::{
    Router,
    body::to_bytes,
    extract::{Request, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use innkeeper_portal_lite::area::Area;
use innkeeper_wire::{
    api::{Page, PageInfo, ServerState},
    error::{Problem, ProblemCode},
    host::{HostCapacity, HostFault, HostFaultCode, HostHealth, HostLoad},
    invoice::{AnyInvoice, CloseReport, InvoiceLine},
    job::AnyJob,
    operator::{
        attention::{Matter, MatterKind},
        audit::AuditLine,
        hosts::{Condition, Cordon, HostLine, LeakedAddress, Promised, Quarantine, Room},
        mails::{MailLine, MailState},
        orders::FailedOrder,
        servers::{AnyServer, NetworkCut, Seen, Wanted},
    },
    size::Bytes,
    staff::Role,
};
use serde_json::{Value, json as value};

use crate::support::{
    Browser, Noon, ORIGIN, TOKEN, all,
    fixtures::{self, from, id, server, time},
    jobs, json, portal_of, refuse, serve_router,
};

pub(crate) const ACCOUNT: &str = "acc_0190b5c87f1e7c3a8e0f000000000001";
pub(crate) const SERVER: &str = "srv_0190b5c87f1e7c3a8e0f000000000002";
pub(crate) const HOST: &str = "hst_0190b5c87f1e7c3a8e0f000000000001";
pub(crate) const ORDER: &str = "ord_0190b5c87f1e7c3a8e0f000000000001";
pub(crate) const JOB: &str = "job_0190b5c87f1e7c3a8e0f000000000003";
pub(crate) const INVOICE: &str = "1-000003";
pub(crate) const MONTH: &str = "2026-10";
pub(crate) const PRICES: &str = "2026-12-31T15:00:00.000Z";
pub(crate) const SESSION: &str = "ses_0190b5c87f1e7c3a8e0f000000000001";
pub(crate) const MAIL: &str = "mai_0190b5c87f1e7c3a8e0f000000000001";

/// The stub.
pub(crate) struct StaffStub(Mutex<Book>);

/// What it answers from, and what it was asked.
pub(crate) struct Book {
    pub(crate) role: Role,
    /// How far the account is.
    pub(crate) standing: &'static str,
    pub(crate) host: HostLine,
    pub(crate) job: AnyJob,
    /// `METHOD /path?query` and body of what was asked, in order.
    pub(crate) asked: Vec<(String, Value)>,
    /// Answers that come instead of the normal one, for each `METHOD /path`.
    pub(crate) refusals: HashMap<String, Problem>,
}

impl StaffStub {
    pub(crate) fn for_role(role: Role) -> Arc<Self> {
        Arc::new(Self(Mutex::new(Book {
            role,
            standing: "active",
            host: host(),
            job: jobs::any_job(),
            asked: Vec::new(),
            refusals: HashMap::new(),
        })))
    }

    pub(crate) fn book(&self) -> MutexGuard<'_, Book> {
        self.0
            .lock()
            .expect("no test panics while it holds the book")
    }

    /// What was asked that changes something.
    pub(crate) fn changes(&self) -> Vec<(String, Value)> {
        let looks = [
            "GET ",
            "POST /accounts/search",
            "POST /accounts/erasure-plan",
            "POST /prices/check",
        ];
        let book = self.book();
        let asked = book.asked.iter();
        asked
            .filter(|(line, _)| !looks.iter().any(|look| line.starts_with(look)))
            .cloned()
            .collect()
    }

    /// Whether this was asked.
    pub(crate) fn was_asked(&self, line: &str) -> bool {
        self.book().asked.iter().any(|(asked, _)| asked == line)
    }

    /// A portal before it.
    pub(crate) async fn portal(self: &Arc<Self>, public_url: &str) -> Router {
        let router = Router::new().fallback(answer).with_state(self.clone());
        let api = serve_router(router).await;
        portal_of(Area::Staff, public_url, &api, Arc::new(Noon))
    }

    /// Somebody who is signed in.
    pub(crate) async fn browser(self: &Arc<Self>) -> Browser {
        let portal = self.portal(ORIGIN).await;
        let mut browser = Browser::before(portal);
        let session = ("innkeeper-staff-session".to_owned(), TOKEN.to_owned());
        browser.cookies.extend([session]);
        browser
    }
}

async fn answer(State(stub): State<Arc<StaffStub>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let bytes = to_bytes(body, 1 << 20).await.expect("a body");
    let path = parts.uri.path().to_owned();
    let query = parts.uri.query().unwrap_or_default();
    let target = parts.uri.path_and_query().expect("a path").as_str();
    let line = format!("{} {}", parts.method, target.trim_end_matches('?'));
    let mut book = stub.book();
    let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
    book.asked.push((line, body));
    if let Some(problem) = book.refusals.get(&format!("{} {path}", parts.method)) {
        return refuse(problem);
    }
    if parts.method == "GET" {
        looked_at(&book, &path, query)
    } else {
        done(&book, &path)
    }
}

fn looked_at(book: &Book, path: &str, query: &str) -> Response {
    let pairs: HashMap<String, String> = serde_urlencoded::from_str(query).expect("a query");
    let segments: Vec<&str> = path.trim_matches('/').split('/').collect();
    match segments.as_slice() {
        ["installation"] => json(200, &fixtures::installation()),
        ["catalogue"] => json(200, &fixtures::catalogue()),
        ["me"] => json(
            200,
            &value!({
                "id": "stf_0190b5c87f1e7c3a8e0f000000000001", "name": "jihye", "role": book.role,
            }),
        ),
        ["sessions"] => json(200, &sessions()),
        ["attention"] => json(200, &matters()),
        ["lost-factors"] => json(
            200,
            &value!([{
                "account": ACCOUNT, "login_id": "mina1", "requested_at": "2026-11-21T11:00:00.000Z",
                "off_from": "2026-11-24T11:00:00.000Z", "expires_at": "2026-12-05T11:00:00.000Z",
                "confirmations": [{ "by": "jihye", "at": "2026-11-21T11:30:00.000Z" }],
            }]),
        ),
        ["servers"] if pairs.contains_key("after") => {
            json(200, &all(&[any_server(4, "=cmd", ServerState::Stopped)]))
        }
        ["servers"] => {
            let first = any_server(2, "web-1", ServerState::Running);
            let next = first.server.id.to_string();
            json(
                200,
                &Page {
                    page: PageInfo {
                        next: Some(next),
                        has_more: true,
                    },
                    ..all(&[first])
                },
            )
        }
        ["servers", _] => json(200, &any_server(2, "web-1", ServerState::Running)),
        ["servers", _, "history"] | ["audit"] => json(200, &all(&[audit_line()])),
        ["hosts"] => json(200, &all(std::slice::from_ref(&book.host))),
        ["hosts", _, "stranded"] => json(
            200,
            &value!({
                "servers": 3, "accounts": 2, "named": [[SERVER, "web-1"]],
            }),
        ),
        ["orders", "failed"] => json(200, &all(&[failed_order()])),
        ["jobs"] => json(200, &jobs::queue()),
        ["jobs", _] => json(200, &book.job),
        ["mails"] => json(200, &all(&[mail()])),
        ["accounts"] => json(
            200,
            &value!({ "accounts": [account_line(book)], "total": 1 }),
        ),
        ["accounts", _] => json(200, &account(book)),
        other => money_looked_at(other),
    }
}

/// What a business was credited with.
fn fiscal_line() -> Value {
    value!({
        "kind": "credit-note", "number": "C1-000001", "invoice": "1-000003", "month": "2026-09",
        "issued_at": "2026-10-04T15:00:00.000Z", "supplier": "Harbour", "supplier_number": "000-00-00000",
        "supplier_representative": "", "supplier_address": "", "account": fixtures::me().id,
        "customer": "주식회사 =항구", "customer_number": "1248100998", "customer_corporate_number": "",
        "customer_representative": "", "customer_address": "", "customer_country": "KR",
        "customer_emails": "tax@example.com", "net": -1_000, "tax": -100, "total": -1_100,
        "currency": "KRW",
    })
}

fn usage_row() -> Value {
    value!({
        "month": "2026-09", "invoice": "1-000001", "account": fixtures::me().id, "login_id": "mina1",
        "server": SERVER, "contract": "ctr_0190b5c87f1e7c3a8e0f5b6d2c4a9e11", "name": "web-1", "plan": "s1",
        "site": "seoul-1", "used_s": 7_200, "credited_s": 0, "charged_s": 7_200, "is_capped": false,
        "net": 18, "currency": "KRW",
    })
}

fn revenue_row() -> Value {
    value!({
        "month": "2026-09", "account": fixtures::me().id, "login_id": "mina1", "revenue": 1_000, "tax": 100,
        "written_off": 0, "promotion_expense": 0, "received": 700, "receivable": 400, "credit": 0,
        "promotion": 0, "currency": "KRW",
    })
}

fn books() -> Value {
    let line = |account: &str, amount: i64| {
        let balance = value!({ "amount": amount, "currency": "KRW" });
        value!({ "account": account, "balance": balance })
    };
    value!({
        "entries": 2, "invoices": 1, "breaches": ["the trial balance is <1>"], "trial_balance": [
            line("receivable", 400), line("revenue", -1_000), line("tax 100000", -100), line("bank", 700),
        ],
    })
}

fn money_looked_at(segments: &[&str]) -> Response {
    match segments {
        ["billing"] => json(
            200,
            &value!({
                "clock": "2026-11-21T12:00:00.000Z", "waiting": 2, "freeze": {
                    "since": "2026-11-21T11:00:00.000Z", "why": "clock_set",
                    "shown": "2027-11-21T11:00:00.000Z", "expected": "2026-11-21T11:00:20.000Z",
                },
            }),
        ),
        ["billing", "months"] => json(
            200,
            &value!([
                {
                    "month": "2026-11", "from": "2026-10-31T15:00:00.000Z",
                    "until": "2026-11-30T15:00:00.000Z", "is_over": false,
                },
                {
                    "month": "2026-10", "from": "2026-09-30T15:00:00.000Z",
                    "until": "2026-10-31T15:00:00.000Z", "is_over": true,
                },
                {
                    "month": "2026-09", "from": "2026-08-31T15:00:00.000Z",
                    "until": "2026-09-30T15:00:00.000Z", "is_over": true,
                    "closed_at": "2026-10-04T15:00:00.000Z",
                },
            ]),
        ),
        ["billing", "months", _] => json(200, &counted()),
        ["billing", "months", _, "fiscal"] => json(200, &[fiscal_line()]),
        ["billing", "months", _, "usage"] => json(200, &[usage_row()]),
        ["billing", "months", _, "revenue"] => json(200, &[revenue_row()]),
        ["billing", "audit"] => json(200, &books()),
        ["accounts", _, "billing-profile"] => json(200, &fixtures::billing_profile()),
        ["prices"] => json(200, &price_book()),
        ["invoices"] => json(200, &all(&[invoice_line()])),
        ["invoices", _, "pdf"] => {
            ([("content-type", "application/pdf")], "%PDF-1.7").into_response()
        }
        ["invoices", _] => json(
            200,
            &AnyInvoice {
                invoice: fixtures::invoice(),
                login_id: Some("mina1".to_owned()),
            },
        ),
        ["accounts", _, "statement"] => json(200, &fixtures::statement()),
        ["accounts", _, "funds"] => json(200, &fixtures::funds()),
        _ => refuse(&Problem::new(ProblemCode::NotFound)),
    }
}

fn price(plan: &str, won_an_hour: u64, month: i64) -> Value {
    value!({
        "plan": plan,
        "hourly": { "micro_minor_per_hour": won_an_hour * 1_000_000, "currency": "KRW" },
        "monthly_cap": { "amount": month, "currency": "KRW" },
    })
}

fn price_book() -> Value {
    let list = |valid_from: &str, state: &str, won: u64| {
        value!({
            "valid_from": valid_from, "state": state, "by": "jihye",
            "imported_at": "2026-09-20T03:00:00.000Z", "reason": "power costs more",
            "lines": [price("s1", won, 6_000)],
        })
    };
    value!({
        "now": [price("s1", 9, 6_000)],
        "lists": [
            list(PRICES, "coming", 12),
            list("2026-09-30T15:00:00.000Z", "in_force", 9),
            list("2026-06-30T15:00:00.000Z", "past", 8),
        ],
    })
}

fn sessions() -> Value {
    value!([
        { "id": SESSION, "is_current": false, "client": "Firefox, Windows", "network": "203.0.113.0/24",
          "started_at": "2026-11-21T10:00:00Z", "used_at": "2026-11-21T11:00:00Z",
          "expires_at": "2026-11-21T18:00:00Z" },
        { "id": "ses_0190b5c87f1e7c3a8e0f000000000002", "is_current": true, "client": null,
          "network": "127.0.0.0/24", "started_at": "2026-11-21T11:00:00Z",
          "used_at": "2026-11-21T12:00:00Z", "expires_at": "2026-11-21T19:00:00Z" },
    ])
}

fn done(book: &Book, path: &str) -> Response {
    let segments: Vec<&str> = path.trim_matches('/').split('/').collect();
    match segments.as_slice() {
        ["sessions"] => json(
            201,
            &value!({ "token": TOKEN, "expires_at": "2026-11-21T20:00:00Z" }),
        ),
        ["servers", ..] => json(202, &any_server(2, "web-1", ServerState::Running)),
        ["orders", ..] => json(200, &value!({ "order": ORDER, "server": SERVER })),
        ["jobs", _, "acts"] => json(200, &book.job),
        ["hosts", "invitations"] => json(
            200,
            &value!({
                "join_command": "innkeeper-agent join --token once",
            }),
        ),
        ["hosts", _, "replace"] => json(
            200,
            &value!({
                "join_command": "innkeeper-agent join --token again",
            }),
        ),
        ["hosts", _, "accept-capacity"] => json(200, &capacity()),
        ["accounts", "erasure-plan"] => json(
            200,
            &value!({
                "account": ACCOUNT, "state": "active", "is_readable": true,
                "servers": 0, "ssh_keys": 4, "mails": 1,
            }),
        ),
        ["billing", "months", ..] => json(200, &counted()),
        ["prices", "check"] => json(
            200,
            &value!([{ "now": price("s1", 9, 6_000), "then": price("s1", 12, 6_000) }]),
        ),
        ["prices"] => json(201, &price_book()["lists"][0]),
        ["invoices", _, "credit-notes"] => json(201, &fixtures::invoice().credit_notes[0]),
        ["accounts", _, "payments"] => json(
            200,
            &value!({
                "payment": "pay_0190b5c87f1e7c3a8e0f000000000001", "paid": [],
                "credit": { "amount": 0, "currency": "KRW" },
            }),
        ),
        ["accounts", _, "refunds"] => json(
            200,
            &value!({
                "refund": "pay_0190b5c87f1e7c3a8e0f000000000001",
                "credit": { "amount": 0, "currency": "KRW" },
            }),
        ),
        ["accounts", _, "promotions"] => json(200, &fixtures::funds().promotions[0]),
        ["accounts", "search"] => json(200, &value!({ "accounts": [], "total": 0 })),
        _ => StatusCode::NO_CONTENT.into_response(),
    }
}

fn capacity() -> HostCapacity {
    HostCapacity {
        cpus: 32,
        memory: Bytes::gib(128),
        disk: Bytes::gib(2_000),
    }
}

fn any_server(number: u32, name: &str, state: ServerState) -> AnyServer {
    let mut server = server(number, "a-name", state);
    let allowed = innkeeper_wire::api::ServerAction::ALL;
    server.allowed_actions = allowed.to_vec();
    let mut any = serde_json::to_value(AnyServer {
        network_cut: Some(NetworkCut::Asked),
        account: from(ACCOUNT),
        login_id: Some("mina1".to_owned()),
        host: from(HOST),
        host_name: "host-1".to_owned(),
        wanted: Wanted::Stopped,
        seen: Some(Seen::Running),
        detail: Some("its disk fails".to_owned()),
        server,
    })
    .expect("plain");
    // No server can be called so; what a file says of it must be harmless all the same.
    if name.starts_with('=') {
        any["host_name"] = value!(name);
    } else {
        any["name"] = value!(name);
    }
    serde_json::from_value(any).expect("a server")
}

fn matters() -> Vec<Matter> {
    let subject = |kind: MatterKind| match kind {
        MatterKind::OrderFailed => ORDER.to_owned(),
        MatterKind::AccountWaits => ACCOUNT.to_owned(),
        MatterKind::MailGivenUp => MAIL.to_owned(),
        _ => "host-1".to_owned(),
    };
    let all = MatterKind::ALL.iter().copied();
    all.map(|kind| Matter {
        kind,
        urgency: kind.urgency(),
        since: Some(time("2026-11-21T10:00:00Z")),
        subject: Some(subject(kind)),
        detail: Some("more about it".to_owned()),
        advice: kind.advice().to_owned(),
    })
    .collect()
}

fn audit_line() -> AuditLine {
    AuditLine {
        actor_name: Some("zoe12".to_owned()),
        sequence: 42,
        at: time("2026-11-21T10:00:00Z"),
        actor: "stf_0190b5c87f1e7c3a8e0f000000000001".to_owned(),
        cause: "power off".to_owned(),
        wrote: Vec::new(),
        removed: Vec::new(),
        reason: Some("its owner has called".to_owned()),
    }
}

/// One of which everything is to be said.
pub(crate) fn host() -> HostLine {
    HostLine {
        id: from(HOST),
        name: "host-1".to_owned(),
        site: "seoul-1".to_owned(),
        condition: Condition::Quarantined {
            why: Quarantine::TwoInstances,
            since: Some(time("2026-11-21T10:00:00Z")),
        },
        quarantine: Some("two machines use its identity at the same time".to_owned()),
        cordon: Some(Cordon {
            since: time("2026-11-20T10:00:00Z"),
            reason: "its fan is loud".to_owned(),
        }),
        servers: 3,
        agent_version: "0.9.1".to_owned(),
        last_heard: Some(time("2026-11-21T11:00:00Z")),
        certificate_ends: Some(time("2026-12-21T10:00:00Z")),
        capacity: Some(capacity()),
        claims_more: Some(HostCapacity {
            cpus: 64,
            ..capacity()
        }),
        implausible: None,
        promised: Promised {
            servers: 3,
            vcpus: 6,
            memory: Bytes::gib(12),
            disk: Bytes::gib(180),
        },
        free: Some(Room {
            cpus: 58,
            memory: Bytes::gib(100),
            disk: Bytes::gib(1_800),
        }),
        health: HostHealth {
            repairs: 7,
            faults: vec![HostFault {
                code: HostFaultCode::Uplink,
                detail: "eth1 is down".to_owned(),
                server: None,
            }],
        },
        strangers: vec!["domain left-over".to_owned()],
        leaked_addresses: vec![LeakedAddress {
            address: from("203.0.113.9"),
            server: id("srv", 99),
        }],
        accusation: None,
        lost: None,
        load: Some(HostLoad {
            cpu_permille: 125,
            load_permille: 1_500,
            memory_used: Bytes::gib(20),
            memory: Bytes::gib(64),
            disk_used: Bytes::gib(300),
            disk: Bytes::gib(2_000),
        }),
    }
}

fn counted() -> CloseReport {
    CloseReport {
        month: from(MONTH),
        is_closed: false,
        accounts: 3,
        invoices: 2,
        net: fixtures::invoice().totals.net,
        total: fixtures::invoice().totals.total,
    }
}

fn invoice_line() -> InvoiceLine {
    InvoiceLine {
        invoice: fixtures::invoice().summary,
        login_id: Some("mina1".to_owned()),
    }
}

fn failed_order() -> FailedOrder {
    let server = server(6, "trial", ServerState::CreateFailed);
    FailedOrder {
        id: from(ORDER),
        account: from(ACCOUNT),
        login_id: Some("mina1".to_owned()),
        server: from(SERVER),
        server_name: server.name,
        host_name: "host-1".to_owned(),
        site: server.site,
        plan: server.plan,
        image: server.image,
        hourly: server.hourly,
        monthly_cap: server.monthly_cap,
        placed_at: time("2026-11-21T10:00:00Z"),
        failed_at: time("2026-11-21T10:30:00Z"),
        failure: server.failure,
        detail: None,
        retried_as: None,
    }
}

fn mail() -> MailLine {
    MailLine {
        id: from(MAIL),
        state: MailState::GivenUp,
        kind: "server-ready".to_owned(),
        account: Some(from(ACCOUNT)),
        login_id: Some("mina1".to_owned()),
        staff: None,
        queued_at: time("2026-11-21T10:00:00Z"),
        tries: 3,
        answer: Some("550 no such user".to_owned()),
        next_try: None,
    }
}

fn account_line(book: &Book) -> Value {
    value!({
        "id": ACCOUNT, "state": book.standing, "created_at": "2026-11-20T10:00:00Z", "servers": 2,
        "person": { "login_id": "mina1", "name": "Kim Mina", "email": "mina@example.com" },
    })
}

fn account(book: &Book) -> Value {
    let suspension = value!({
        "kind": "abuse", "since": "2026-11-21T10:00:00Z", "reason": "it scans the neighbours",
    });
    let suspension = Some(suspension).filter(|_| book.standing == "suspended");
    value!({
        "suspension": suspension,
        "line": account_line(book), "kind": "corporate", "company": "Yeogwan Inc.",
        "waits_since": "2026-11-20T11:00:00Z", "mobile": "+821012345678", "locale": "ko", "server_quota": 20,
        "has_second_factor": false,
        "acts": [{ "at": "2026-11-21T10:00:00Z", "by": "jihye", "deed": { "kind": "unlocked" }, "reason": "called" }],
    })
}
