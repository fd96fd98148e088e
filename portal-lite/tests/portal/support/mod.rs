//! A REST API made of canned answers, in this process, and a browser of sorts to visit the portal with.
//! Shared by the tests and by `examples/preview.rs`.

pub(crate) mod fixtures;
pub(crate) mod jobs;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::{Request, State},
    http::{HeaderMap, Method, StatusCode, header},
    response::{IntoResponse, Response},
};
use innkeeper_portal_lite::{
    area::Area,
    config::Config,
    portal::Portal,
    routes::{self, PAGES},
    sitemap::{Kind, Row, Who},
};
use innkeeper_wire::{
    api::{
        ApiToken, Catalogue, Installation, Me, Order, Page, PageInfo, Quote, SecondFactor, Server,
        SshKey,
    },
    billing::MonthSoFar,
    billing_profile::BillingProfile,
    error::{FieldError, FieldErrorCode, PROBLEM_JSON, Problem, ProblemCode},
    funds::Funds,
    invoice::{InvoiceSummary, Statement},
    job::{Job, JobLine, JobOffer, JobState},
    member::{Consents, MemberKind},
    time::{Clock, Timestamp},
};
use serde::Serialize;
use serde_json::{Value, json as value};
use tower::ServiceExt;

/// The one address that forms may come from.
pub(crate) const ORIGIN: &str = "http://portal.localhost";
/// A session token that the stub takes.
pub(crate) const TOKEN: &str = "inn_test-session-token";

/// What the stub answers from.
pub(crate) struct Book {
    pub(crate) me: Me,
    pub(crate) consents: Consents,
    pub(crate) catalogue: Catalogue,
    pub(crate) installation: Installation,
    pub(crate) servers: Vec<Server>,
    pub(crate) keys: Vec<SshKey>,
    pub(crate) tokens: Vec<ApiToken>,
    pub(crate) orders: Vec<Order>,
    pub(crate) month: MonthSoFar,
    pub(crate) invoices: Vec<InvoiceSummary>,
    pub(crate) statement: Statement,
    pub(crate) funds: Funds,
    pub(crate) profile: BillingProfile,
    pub(crate) quote: Quote,
    pub(crate) jobs: Vec<Job>,
    pub(crate) offer: JobOffer,
    pub(crate) second_factor: SecondFactor,
    /// Answers that come instead of the normal one, a queue for each `METHOD /path`.
    pub(crate) refusals: HashMap<String, Vec<Problem>>,
    /// All requests, in order.
    pub(crate) seen: Vec<Seen>,
    /// How long every answer takes.
    pub(crate) delay: Duration,
    /// What the link of a confirmation mail makes.
    pub(crate) kind: MemberKind,
}

/// One request that the stub got.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) line: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

/// The stub.
pub(crate) struct Stub(Mutex<Book>);

impl Stub {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self(Mutex::new(Book {
            me: fixtures::me(),
            consents: fixtures::consents(),
            catalogue: fixtures::catalogue(),
            installation: fixtures::installation(),
            servers: fixtures::servers(),
            keys: fixtures::keys(),
            tokens: fixtures::tokens(),
            orders: fixtures::orders(),
            month: fixtures::month_so_far(),
            invoices: fixtures::invoice_summaries(),
            statement: fixtures::statement(),
            funds: fixtures::funds(),
            profile: fixtures::billing_profile(),
            quote: fixtures::quote(),
            jobs: jobs::jobs(),
            offer: jobs::offer(),
            second_factor: fixtures::second_factor(),
            refusals: HashMap::new(),
            seen: Vec::new(),
            delay: Duration::ZERO,
            kind: MemberKind::Individual,
        })))
    }

    pub(crate) fn book(&self) -> MutexGuard<'_, Book> {
        self.0
            .lock()
            .expect("no test panics while it holds the book")
    }

    /// Makes the next call of this line fail.
    pub(crate) fn refuse(&self, line: &str, problem: Problem) {
        let mut book = self.book();
        book.refusals
            .entry(line.to_owned())
            .or_default()
            .push(problem);
    }

    /// Lines of the calls that change something.
    pub(crate) fn changes(&self) -> Vec<String> {
        let book = self.book();
        let lines = book.seen.iter().map(|seen| seen.line.clone());
        let looks = ["GET ", "POST /email-confirmations/look"];
        lines
            .filter(|line| !looks.iter().any(|look| line.starts_with(look)))
            .collect()
    }

    /// Calls of this line so far.
    pub(crate) fn calls(&self, line: &str) -> Vec<Seen> {
        let book = self.book();
        book.seen
            .iter()
            .filter(|seen| seen.line == line)
            .cloned()
            .collect()
    }

    pub(crate) fn router(self: &Arc<Self>) -> Router {
        Router::new().fallback(answer).with_state(self.clone())
    }
}

/// A problem with bad fields.
pub(crate) fn invalid(fields: &[(&str, FieldErrorCode)]) -> Problem {
    let mut problem = Problem::new(ProblemCode::ValidationFailed);
    problem.errors = fields
        .iter()
        .map(|(pointer, code)| FieldError {
            pointer: (*pointer).to_owned(),
            code: *code,
            detail: "in English".to_owned(),
            proposal: None,
        })
        .collect();
    problem
}

async fn answer(State(stub): State<Arc<Stub>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let bytes = to_bytes(body, 1 << 20).await.expect("a body");
    let path = parts.uri.path().trim_start_matches("/api/v1");
    let line = format!("{} {path}", parts.method);
    let (delay, refusal) = {
        let mut book = stub.book();
        book.seen.push(Seen {
            line: line.clone(),
            headers: parts.headers.clone(),
            body: serde_json::from_slice(&bytes).unwrap_or(Value::Null),
        });
        let queue = book.refusals.get_mut(&line);
        let refusal = queue
            .filter(|queue| !queue.is_empty())
            .map(|queue| queue.remove(0));
        (book.delay, refusal)
    };
    tokio::time::sleep(delay).await;
    if let Some(problem) = refusal {
        return refuse(&problem);
    }
    let is_public = matches!(
        line.as_str(),
        "GET /installation"
            | "GET /terms"
            | "GET /privacy"
            | "GET /signups/texts"
            | "GET /catalog"
            | "POST /signups"
            | "POST /email-confirmations"
            | "POST /email-confirmations/look"
            | "POST /email-confirmations/resend"
            | "POST /id-reminders"
            | "POST /password-resets"
            | "POST /password-resets/complete"
            | "POST /email-changes"
            | "POST /sessions"
            | "POST /sessions/second-factor"
            | "POST /sessions/lost-factor"
            | "POST /lost-factor-cancellations"
    );
    let bearer = parts
        .headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok());
    if !is_public && bearer != Some(&format!("Bearer {TOKEN}")) {
        return refuse(&Problem::new(ProblemCode::Unauthenticated));
    }
    let query = parts.uri.query().unwrap_or_default().to_owned();
    normal(&stub, &line, &query)
}

fn normal(stub: &Stub, line: &str, query: &str) -> Response {
    let book = stub.book();
    let (method, path) = line.split_once(' ').expect("two words");
    let segments: Vec<&str> = path.trim_matches('/').split('/').collect();
    match (method, segments.as_slice()) {
        ("GET", ["installation"]) => json(200, &book.installation),
        ("GET", ["catalog"]) => json(200, &book.catalogue),
        ("GET", ["terms"]) => json(200, &fixtures::terms(query)),
        ("GET", ["signups", "texts"]) => json(200, &fixtures::sign_up_texts(query)),
        ("GET", ["privacy"]) => json(200, &fixtures::privacy_policy()),
        ("POST", ["signups"]) => json(201, &fixtures::signup()),
        ("POST", ["email-confirmations"]) => StatusCode::NO_CONTENT.into_response(),
        ("POST", ["email-confirmations", "look"]) => json(
            200,
            &value!({
                "email_masked": "m***@example.com", "login_id": "mina1", "plan": "m",
                "kind": book.kind,
            }),
        ),
        ("POST", ["email-confirmations", "resend"]) => StatusCode::ACCEPTED.into_response(),
        ("POST", ["id-reminders"] | ["password-resets"]) => StatusCode::ACCEPTED.into_response(),
        ("POST", ["password-resets", "complete"] | ["me", "password"]) => {
            StatusCode::NO_CONTENT.into_response()
        }
        ("POST", ["sessions"] | ["sessions", "second-factor"]) => {
            json(201, &fixtures::session(TOKEN))
        }
        ("POST", ["sessions", "lost-factor"]) => json(201, &fixtures::lost_factor()),
        ("POST", ["lost-factor-cancellations"] | ["email-changes"]) => {
            StatusCode::NO_CONTENT.into_response()
        }
        ("GET", ["me", "sessions"]) => json(200, &all(&fixtures::sessions())),
        ("DELETE", ["me", "sessions", ..] | ["sessions", "current"])
        | ("POST", ["sessions", "current", "proofs"]) => StatusCode::NO_CONTENT.into_response(),
        ("GET", ["me", "tokens"]) => json(200, &all(&book.tokens)),
        ("POST", ["me", "tokens"]) => json(201, &fixtures::new_token()),
        ("POST", ["me", "tokens", _, "enable"]) => json(200, &book.tokens[0]),
        ("DELETE", ["me", "tokens" | "ssh-keys", _]) => StatusCode::NO_CONTENT.into_response(),
        ("GET", ["me", "second-factor"]) => json(200, &book.second_factor),
        ("POST", ["me", "second-factor"]) => json(201, &fixtures::second_factor_secret()),
        ("POST", ["me", "second-factor", "removal"]) => StatusCode::NO_CONTENT.into_response(),
        ("POST", ["me", "second-factor", "confirmation" | "recovery-codes"]) => {
            json(201, &fixtures::recovery_codes())
        }
        ("GET", ["me"]) => json(200, &book.me),
        ("GET" | "POST", ["me", "consents"]) => json(200, &book.consents),
        ("PATCH", ["me"]) | ("POST", ["me", "mobile"]) => json(200, &book.me),
        ("POST", ["me", "email"]) => json(202, &book.me),
        ("GET", ["me", "ssh-keys"]) => json(200, &all(&book.keys)),
        ("POST", ["me", "ssh-keys"]) => json(201, &fixtures::new_key()),
        ("PATCH", ["me", "ssh-keys", _]) => json(200, &fixtures::new_key()),
        ("POST", ["quotes"]) => json(201, &book.quote),
        ("GET", ["quotes", _]) => json(200, &book.quote),
        ("POST", ["orders"]) => json(201, &book.orders[0]),
        ("GET", ["orders"]) => json(200, &all(&book.orders)),
        ("GET", ["orders", id]) => {
            one(book.orders.iter().find(|order| order.id.to_string() == *id))
        }
        ("POST", ["billing", "trial", "conversion"]) => StatusCode::NO_CONTENT.into_response(),
        ("PUT", ["billing", "profile"]) => json(200, &book.profile),
        ("GET", ["billing" | "invoices", ..]) | ("PUT", ["billing", "alert"]) => {
            money(&book, &segments)
        }
        (_, ["jobs", rest @ ..]) => support(&book, method, rest, query),
        ("GET", ["servers"]) => json(200, &list(&book.servers, query)),
        ("GET" | "DELETE", ["servers", id]) | ("POST", ["servers", id, "actions"]) => {
            one(find(&book, id))
        }
        _ => refuse(&Problem::new(ProblemCode::NotFound)),
    }
}

fn money(book: &Book, segments: &[&str]) -> Response {
    match segments {
        ["billing", "profile"] => json(200, &book.profile),
        ["billing", "current"] => json(200, &book.month),
        ["billing", "alert"] => json(200, &fixtures::spending_alert()),
        ["billing", "summary"] => json(200, &fixtures::billing_summary()),
        ["billing", "statement"] => json(200, &book.statement),
        ["billing", "funds"] => json(200, &book.funds),
        ["invoices"] => json(200, &all(&book.invoices)),
        ["invoices", _, "pdf"] => pdf(),
        ["invoices", _] => json(200, &fixtures::invoice()),
        _ => refuse(&Problem::new(ProblemCode::NotFound)),
    }
}

fn support(book: &Book, method: &str, segments: &[&str], query: &str) -> Response {
    let job = |id: &str| book.jobs.iter().find(|job| job.line.id.to_string() == id);
    match (method, segments) {
        ("GET", []) => json(200, &all(&narrowed(book, query))),
        ("POST", []) => json(201, &book.jobs[1]),
        ("GET", ["offer"]) => json(200, &book.offer),
        ("GET", [id]) | ("POST", [id, "acts" | "confirmation"]) => one(job(id)),
        _ => refuse(&Problem::new(ProblemCode::NotFound)),
    }
}

/// The lines of those jobs that are in the state of the query.
fn narrowed(book: &Book, query: &str) -> Vec<JobLine> {
    let pairs: HashMap<String, String> = serde_urlencoded::from_str(query).expect("a query");
    let state = pairs.get("state");
    let lines = book.jobs.iter().map(|job| job.line.clone());
    let is_wanted = |line: &JobLine| state.is_none_or(|state| line.state.as_str() == state);
    lines.filter(is_wanted).collect()
}

fn pdf() -> Response {
    ([("content-type", "application/pdf")], "%PDF-1.7").into_response()
}

fn find<'a>(book: &'a Book, id: &str) -> Option<&'a Server> {
    book.servers
        .iter()
        .find(|server| server.id.to_string() == id)
}

pub(crate) fn all<T: Clone>(entries: &[T]) -> Page<T> {
    Page {
        data: entries.to_vec(),
        page: PageInfo {
            next: None,
            has_more: false,
        },
    }
}

fn list(servers: &[Server], query: &str) -> Page<Server> {
    let pairs: HashMap<String, String> = serde_urlencoded::from_str(query).expect("a query");
    let wanted = |name: &str| pairs.get(name).map_or("", String::as_str).to_owned();
    let (q, state) = (wanted("q"), wanted("state"));
    let found: Vec<Server> = servers
        .iter()
        .filter(|server| server.name.as_str().contains(&q))
        .filter(|server| state.is_empty() || code_of(&server.state) == state)
        .cloned()
        .collect();
    let mut page = all(&found);
    // Who asks for as many as there can be gets all.
    if found.len() > 4 && wanted("after").is_empty() && wanted("limit") != "200" {
        page.page.next = Some("cursor/1+".to_owned());
        page.page.has_more = true;
    }
    page
}

pub(crate) fn code_of(code: &impl Serialize) -> String {
    let json = serde_json::to_value(code).expect("plain");
    json.as_str().expect("a text").to_owned()
}

pub(crate) fn one(found: Option<&impl Serialize>) -> Response {
    match found {
        Some(found) => json(200, found),
        None => refuse(&Problem::new(ProblemCode::NotFound)),
    }
}

pub(crate) fn json(status: u16, body: &impl Serialize) -> Response {
    let status = StatusCode::from_u16(status).expect("a status");
    (
        status,
        axum::Json(serde_json::to_value(body).expect("plain")),
    )
        .into_response()
}

pub(crate) fn refuse(problem: &Problem) -> Response {
    let mut response = json(problem.status, problem);
    let value = header::HeaderValue::from_static(PROBLEM_JSON);
    response.headers_mut().insert(header::CONTENT_TYPE, value);
    response
}

/// The time in all tests.
pub(crate) struct Noon;

impl Clock for Noon {
    fn now(&self) -> Timestamp {
        fixtures::time("2026-11-21T12:00:00Z")
    }

    fn monotonic(&self) -> Duration {
        self.now().since(Timestamp::from_millis(0))
    }
}

/// Serves the stub; its address ends with the API's base path.
pub(crate) async fn serve(stub: &Arc<Stub>) -> String {
    format!("{}/api/v1", serve_router(stub.router()).await)
}

/// Serves any router; gives its address.
pub(crate) async fn serve_router(router: Router) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move { axum::serve(listener, router).await });
    format!("http://{address}")
}

/// A customers' portal in front of the API at `api_url`.
pub(crate) fn portal(public_url: &str, api_url: &str, clock: Arc<dyn Clock>) -> Router {
    portal_of(Area::Customers, public_url, api_url, clock)
}

/// A portal in front of the API at `api_url`.
pub(crate) fn portal_of(
    area: Area,
    public_url: &str,
    api_url: &str,
    clock: Arc<dyn Clock>,
) -> Router {
    let folder = tempfile::tempdir().expect("a folder");
    let key = folder.path().join("portal.key");
    std::fs::write(&key, "k".repeat(40)).expect("written");
    let config = Config {
        area,
        listen: "127.0.0.1:0".parse().expect("an address"),
        public_url: public_url.to_owned(),
        api_url: api_url.to_owned(),
        portal_key_file: key,
        form_secret_file: None,
        trusted_proxies: Default::default(),
        time_zone: None,
    };
    routes::router(Arc::new(Portal::new(&config, clock).expect("valid")))
}

/// What the portal answered.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
    pub(crate) bytes: Vec<u8>,
}

impl Answer {
    /// A file in the archive that it is.
    pub(crate) fn unpacked(&self, name: &str) -> String {
        let archive = std::io::Cursor::new(&self.bytes);
        let mut archive = zip::ZipArchive::new(archive).expect("an archive");
        let file = archive.by_name(name).expect("a file of this name");
        std::io::read_to_string(file).expect("a text")
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().expect("plain"))
    }

    pub(crate) fn cookies(&self) -> Vec<&str> {
        let values = self.headers.get_all(header::SET_COOKIE).iter();
        values.map(|value| value.to_str().expect("plain")).collect()
    }

    /// The value of a hidden field.
    pub(crate) fn hidden(&self, name: &str) -> String {
        let start = format!("name=\"{name}\" value=\"");
        let rest = self
            .body
            .split(&start)
            .nth(1)
            .unwrap_or_else(|| panic!("no field {name}"));
        rest.split('"').next().expect("an end").to_owned()
    }

    /// The markup with everything that differs from run to run taken out.
    pub(crate) fn stable(&self) -> String {
        let mut text = self.body.clone();
        for (start, end) in [
            ("/static/", "/"),
            ("name=\"form_token\" value=\"", "\""),
            ("name=\"idempotency_key\" value=\"", "\""),
        ] {
            let mut done = String::new();
            let mut pieces = text.split(start);
            done.push_str(pieces.next().expect("a first piece"));
            for piece in pieces {
                let (_, rest) = piece.split_once(end).expect("an end");
                done.push_str(&format!("{start}…{end}{rest}"));
            }
            text = done;
        }
        text
    }
}

/// An address of a page, with things of the fixtures in it.
pub(crate) fn address(row: &Row) -> String {
    let revised = jobs::job_id(JobState::RevisionRequested);
    let approved = jobs::job_id(JobState::ApprovalRequested);
    let ids = [
        ("/servers/", "srv_0190b5c87f1e7c3a8e0f000000000002"),
        ("/jobs/{id}/revise", revised.as_str()),
        ("/jobs/", approved.as_str()),
        ("/keys/", "key_0190b5c87f1e7c3a8e0f000000000001"),
        ("/account/tokens/", "tok_0190b5c87f1e7c3a8e0f000000000001"),
        ("/account/sessions/", "ses_0190b5c87f1e7c3a8e0f000000000002"),
        ("/orders/", "ord_0190b5c87f1e7c3a8e0f000000000001"),
        ("/billing/invoices/", "inv_0190b5c87f1e7c3a8e0f000000000001"),
    ];
    let id = ids.iter().find(|(start, _)| row.path.starts_with(start));
    let path = row.path.replace("{id}", id.map_or("", |(_, id)| id));
    let path = path.replace("{action}", "power_off");
    match row.path {
        "/confirm" | "/confirm-email" | "/reset-password" | "/cancel-lost-factor" => {
            format!("{path}?token=t")
        }
        "/calculator" => "/calculator?line=seoul-1_s_1&line=taipei-1_m_2_100".to_owned(),
        // With all fields that there are.
        "/sign-up" => "/sign-up?kind=corporate".to_owned(),
        "/servers/new/confirm" => {
            "/servers/new/confirm?quote=quo_0190b5c87f1e7c3a8e0f000000000001".to_owned()
        }
        _ => path,
    }
}

/// Every address to which a form can be posted.
pub(crate) fn targets() -> Vec<String> {
    let rows = PAGES.iter().filter(|row| row.form.is_some());
    rows.map(address).collect()
}

/// Every page that can be opened without a session, and every one with it; parts too.
pub(crate) fn pages(with_session: bool) -> Vec<String> {
    let is_open = |row: &&Row| match row.who {
        Who::Anyone => !with_session,
        Who::Strangers => !with_session,
        Who::Members => with_session,
    };
    let rows = PAGES.iter().filter(|row| row.kind != Kind::Target);
    rows.filter(is_open).map(address).collect()
}

/// A browser: keeps cookies, sends an origin and the form token of the last page.
pub(crate) struct Browser {
    pub(crate) router: Router,
    pub(crate) cookies: HashMap<String, String>,
    pub(crate) form_token: String,
    pub(crate) origin: Option<String>,
    /// What it calls the portal.
    pub(crate) host: &'static str,
    pub(crate) language: &'static str,
    /// What it has of a live part already.
    pub(crate) has: Option<String>,
}

impl Browser {
    /// A browser before a portal before this stub.
    pub(crate) async fn new(stub: &Arc<Stub>) -> Self {
        let api_url = serve(stub).await;
        Self::before(portal(ORIGIN, &api_url, Arc::new(Noon)))
    }

    /// A browser before a portal whose API is away.
    pub(crate) async fn without_api() -> Self {
        // A port that was free a moment ago and that nobody listens on.
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a port");
        let address = listener.local_addr().expect("an address");
        drop(listener);
        Self::before(portal(
            ORIGIN,
            &format!("http://{address}/api/v1"),
            Arc::new(Noon),
        ))
    }

    pub(crate) fn before(router: Router) -> Self {
        Self {
            router,
            cookies: HashMap::new(),
            form_token: String::new(),
            origin: Some(ORIGIN.to_owned()),
            host: "portal.localhost",
            language: "en",
            has: None,
        }
    }

    /// Signed in without the form.
    pub(crate) fn signed_in(mut self) -> Self {
        self.cookies
            .insert("innkeeper-session".to_owned(), TOKEN.to_owned());
        self
    }

    pub(crate) fn speaking(mut self, language: &'static str) -> Self {
        self.language = language;
        self
    }

    pub(crate) async fn get(&mut self, path: &str) -> Answer {
        self.send(Method::GET, path, Body::empty()).await
    }

    /// Posts a form with the token of the last page. Where it is not carried out, the answer is its page, filled in, to
    /// which the browser is led.
    pub(crate) async fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let answer = self.post_alone(path, fields).await;
        let to = answer.header("location").to_owned();
        if !to.contains("kept=") {
            return answer;
        }
        let place = |address: &str| address.split('?').next().map(str::to_owned);
        assert_eq!((answer.status, place(&to)), (303, place(path)), "{to}");
        self.get(&to).await
    }

    /// The same without going anywhere.
    pub(crate) async fn post_alone(&mut self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let mut pairs = vec![("form_token", self.form_token.as_str())];
        pairs.extend_from_slice(fields);
        let body = serde_urlencoded::to_string(&pairs).expect("texts");
        self.send(Method::POST, path, Body::from(body)).await
    }

    pub(crate) async fn send(&mut self, method: Method, path: &str, body: Body) -> Answer {
        let mut request = Request::builder()
            .method(&method)
            .uri(path)
            .header(header::HOST, self.host)
            .header(header::ACCEPT_LANGUAGE, self.language);
        let cookies: Vec<_> = self
            .cookies
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        request = request.header(header::COOKIE, cookies.join("; "));
        if let Some(tag) = &self.has {
            request = request.header(header::IF_NONE_MATCH, tag);
        }
        if method == Method::POST {
            request = request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
            if let Some(origin) = &self.origin {
                request = request.header(header::ORIGIN, origin);
            }
        }
        let request = request.body(body).expect("a request");
        let response = self
            .router
            .clone()
            .oneshot(request)
            .await
            .expect("infallible");
        let (parts, body) = response.into_parts();
        let bytes = to_bytes(body, 1 << 20).await.expect("a body");
        let answer = Answer {
            status: parts.status.as_u16(),
            headers: parts.headers,
            // Pictures are no text.
            body: String::from_utf8_lossy(&bytes).into_owned(),
            bytes: bytes.to_vec(),
        };
        for cookie in answer.cookies() {
            let (pair, attributes) = cookie.split_once(';').expect("attributes");
            let (name, value) = pair.split_once('=').expect("a pair");
            if attributes.contains("Max-Age=0") {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        if answer.body.contains("name=\"form_token\"") {
            self.form_token = answer.hidden("form_token");
        }
        answer
    }
}
