//! The application for a technical-support job: one server, the services with what each costs and means, whom to call and
//! what is to be done (R111). The same form changes one whose engineer has asked for that.
//!
//! What is chosen costs is worked out here, whenever the page is made: a page's script asks for it anew, and without
//! scripts a button shows the form again with its sum.

use askama::Template;
use axum::{extract::Path, http::StatusCode, response::Response};
use innkeeper_wire::{
    api::{EMAIL_LENGTH_MAX, PAGE_MAX, Server, ServerListQuery, ServerOrder, ServerState},
    billing::Totals,
    endpoints::{
        Endpoint as _,
        rest::{ActOnJob, GetJob, GetJobOffer, GetMe, ListServers, SubmitJob},
    },
    error::FieldErrorCode,
    id::{Code, JobId, ServerId},
    job::{
        JOB_PHONE_LENGTH_MAX, JOB_TEXT_LENGTH_MAX, JOB_TITLE_LENGTH_MAX, Job, JobAct, JobActKind,
        JobOffer, JobRequest, JobService,
    },
};

use super::{
    acts::lines,
    one::{self, frame},
};
use crate::{
    api::ApiError,
    failure::Failure,
    fields::Fields,
    form::{self, Entered, Field, Form, Kind, Need},
    format::Moment,
    notice::Notice,
    page::{self, Frame},
    pages::{
        billing::{self, TotalsView},
        id, offer,
        view::moment,
    },
    visit::{Member, Visit, query_pairs},
};

/// Where one applies.
const PATH: &str = "/jobs/new";

const SERVER: Field = Field {
    name: "server",
    pointer: "server",
    kind: Kind::Select,
    words: "job-server",
    ..Field::TEXT
};
const SERVICES: Field = Field {
    name: "services",
    pointer: "services",
    kind: Kind::Group,
    words: "job-services",
    ..Field::TEXT
};
const PHONE: Field = Field {
    name: "phone",
    pointer: "phone",
    limit: Some(JOB_PHONE_LENGTH_MAX),
    autocomplete: "tel",
    words: "job-phone",
    ..Field::TEXT
};
const EMAIL: Field = Field {
    name: "email",
    pointer: "email",
    kind: Kind::Email,
    need: Need::Optional,
    limit: Some(EMAIL_LENGTH_MAX),
    autocomplete: "email",
    words: "job-email",
};
const TITLE: Field = Field {
    name: "title",
    pointer: "title",
    limit: Some(JOB_TITLE_LENGTH_MAX),
    words: "job-title",
    ..Field::TEXT
};
const BODY: Field = Field {
    name: "body",
    pointer: "body",
    kind: Kind::Lines(8),
    limit: Some(JOB_TEXT_LENGTH_MAX),
    words: "job-body",
    ..Field::TEXT
};
const CONSENT: Field = Field {
    name: "consent",
    pointer: "consent",
    kind: Kind::Tick,
    words: "job-consent",
    ..Field::TEXT
};
/// The form to apply for a job.
pub const APPLICATION: &[Field] = &[SERVER, SERVICES, PHONE, EMAIL, TITLE, BODY, CONSENT];
/// The form to change an application, of which the server stays.
pub const REVISION: &[Field] = &[SERVICES, PHONE, EMAIL, TITLE, BODY, CONSENT];
/// What must be filled in.
const COMPULSORY: &[&str] = &["server", "services", "phone", "title", "body", "consent"];

#[derive(Template)]
#[template(path = "job_application.html")]
struct ApplicationPage {
    frame: Frame,
    form: Form,
    /// The form goes to where it was opened.
    address: String,
    /// The job whose application is changed, and its server's name.
    revised: Option<(String, String)>,
    /// Whether it can be sent as things are.
    is_possible: bool,
    /// Ids and names, and which is chosen.
    servers: Vec<(String, String, bool)>,
    services: Vec<ServiceView>,
    /// What is chosen costs; nothing while nothing is.
    sum: Option<TotalsView>,
    /// When an engineer can begin, outside business hours.
    begins: Option<Moment>,
    due: Moment,
}

struct ServiceView {
    code: String,
    name: String,
    help: String,
    /// What it costs, and what is to be known of the tax on it.
    price: (String, String),
    chosen: bool,
}

/// `GET /jobs/new`; the query may name a server, or a job to apply for once more on another one.
pub async fn show(Member(visit): Member, entered: Entered) -> Result<Response, Failure> {
    let (offer, servers) = tokio::try_join!(offered(&visit), servers(&visit))?;
    let present = match entered.is_again() {
        true => Fields::default(),
        false => present(&visit).await?,
    };
    let form = entered.form(&visit, APPLICATION, present);
    let chosen = form.value(SERVER.name).to_owned();
    let servers = servers.into_iter().map(|server| {
        let id = server.id.to_string();
        let is_chosen = id == chosen;
        (id, server.name.to_string(), is_chosen)
    });
    let servers: Vec<_> = servers.collect();
    let is_possible =
        !servers.is_empty() && !offer.services.is_empty() && visit.suspension.is_none();
    let page = ApplicationPage {
        frame: frame(&visit, &visit.here(), is_possible),
        address: visit.here(),
        revised: None,
        is_possible,
        servers,
        ..application(&visit, offer, form)
    };
    page::render(&visit, StatusCode::OK, &page)
}

/// `POST /jobs/new`
pub async fn submit(Member(visit): Member, fields: Fields) -> Result<Response, Failure> {
    let missing = form::missing(&fields, COMPULSORY);
    if !missing.is_empty() {
        return Ok(form::complaint(&visit, &fields, &missing));
    }
    let Ok(server) = fields.get(SERVER.name).parse() else {
        let wrong = [(SERVER.name, FieldErrorCode::Unknown)];
        return Ok(form::complaint(&visit, &fields, &wrong));
    };
    let request = request(server, &fields)?;
    match visit.ask(SubmitJob::with(request)).await {
        Ok(job) => Ok(one::back(&visit, job.line.id, Notice::JobSubmitted)),
        Err(error) => form::refused(&visit, APPLICATION, &fields, error),
    }
}

/// `GET /jobs/{id}/revise`
pub async fn show_revision(
    Member(visit): Member,
    Path(job): Path<String>,
    entered: Entered,
) -> Result<Response, Failure> {
    let (offer, job) = tokio::try_join!(offered(&visit), async {
        Ok(visit.ask(GetJob::at(id(&job)?)).await?)
    })?;
    let address = format!("{}/revise", one::address(job.line.id));
    let mut present = fields_of(&job);
    // It was given with the application.
    present.push((CONSENT.name, "yes".to_owned()));
    let form = entered.form(&visit, REVISION, fields(present));
    let is_possible = job.can.contains(&JobActKind::Revise);
    let page = ApplicationPage {
        frame: frame(&visit, &address, is_possible),
        address,
        revised: Some((job.line.id.to_string(), job.line.server_name.to_string())),
        is_possible,
        ..application(&visit, offer, form)
    };
    page::render(&visit, StatusCode::OK, &page)
}

/// `POST /jobs/{id}/revise`
pub async fn revise(
    Member(visit): Member,
    Path(job): Path<String>,
    fields: Fields,
) -> Result<Response, Failure> {
    let missing = form::missing(&fields, &COMPULSORY[1..]);
    if !missing.is_empty() {
        return Ok(form::complaint(&visit, &fields, &missing));
    }
    let job: JobId = id(&job)?;
    let present = visit.ask(GetJob::at(job)).await?;
    let request = request(present.line.server, &fields)?;
    match visit
        .ask(ActOnJob::at_with(job, JobAct::Revise { request }))
        .await
    {
        Ok(_) => Ok(one::back(&visit, job, Notice::JobRevised)),
        Err(error) => form::refused(&visit, REVISION, &fields, within(error)),
    }
}

/// The API speaks of the fields of an application that lies in an act.
fn within(error: ApiError) -> ApiError {
    let ApiError::Refused(mut problem) = error else {
        return error;
    };
    for error in &mut problem.errors {
        if let Some(own) = error.pointer.strip_prefix("/request") {
            error.pointer = own.to_owned();
        }
    }
    ApiError::Refused(problem)
}

async fn offered(visit: &Visit) -> Result<JobOffer, Failure> {
    Ok(visit.ask(GetJobOffer::ask()).await?)
}

/// Servers that an engineer can do something on, by their names.
async fn servers(visit: &Visit) -> Result<Vec<Server>, Failure> {
    let mut found: Vec<Server> = Vec::new();
    let mut after = None;
    loop {
        let query = ServerListQuery {
            limit: Some(PAGE_MAX),
            after,
            sort: Some(ServerOrder::Name),
            ..ServerListQuery::default()
        };
        let page = visit.ask(ListServers::by(query)).await?;
        found.extend(page.data);
        after = page.page.next;
        if after.is_none() {
            break;
        }
    }
    found.retain(|server| {
        !matches!(
            server.state,
            ServerState::CreateFailed | ServerState::Deleting | ServerState::Deleted
        )
    });
    Ok(found)
}

/// What the form is filled in with when it is opened.
async fn present(visit: &Visit) -> Result<Fields, Failure> {
    let asked = Fields::new(query_pairs(&visit.uri));
    let repeated = match asked.get("from").parse() {
        Ok(job) => visit.ask(GetJob::at(job)).await.ok(),
        Err(_) => None,
    };
    let mut present = match repeated {
        Some(job) => fields_of(&job),
        None => {
            let me = visit.ask(GetMe::ask()).await?;
            vec![(PHONE.name, me.mobile.unwrap_or_default())]
        }
    };
    present.push((SERVER.name, asked.get(SERVER.name).to_owned()));
    let services = asked.all(SERVICES.name).iter();
    present.extend(services.map(|code| (SERVICES.name, code.clone())));
    Ok(fields(present))
}

/// An application as its form has it, but for the server.
fn fields_of(job: &Job) -> Vec<(&'static str, String)> {
    let mut present = vec![
        (PHONE.name, job.phone.clone()),
        (EMAIL.name, job.email.clone()),
        (TITLE.name, job.line.title.clone()),
        (BODY.name, job.body.clone()),
    ];
    let services = job.services.iter();
    present.extend(services.map(|service| (SERVICES.name, service.code.to_string())));
    present
}

fn fields(pairs: Vec<(&'static str, String)>) -> Fields {
    let pairs = pairs.into_iter();
    Fields::new(
        pairs
            .map(|(name, value)| (name.to_owned(), value))
            .collect(),
    )
}

fn request(server: ServerId, fields: &Fields) -> Result<JobRequest, Failure> {
    let text = |name: &str| fields.get(name).trim().to_owned();
    let services = fields.all(SERVICES.name).iter().map(|code| id(code));
    Ok(JobRequest {
        server,
        services: services.collect::<Result<Vec<Code>, Failure>>()?,
        phone: text(PHONE.name),
        email: text(EMAIL.name),
        title: text(TITLE.name),
        body: lines(fields, BODY.name),
        consent: !fields.get(CONSENT.name).is_empty(),
    })
}

/// What both pages have, with nothing to be sent.
fn application(visit: &Visit, offer: JobOffer, form: Form) -> ApplicationPage {
    let named = form.fields.all(SERVICES.name);
    let is_chosen = |service: &JobService| named.contains(&service.code.to_string());
    let sum = sum(visit, offer.services.iter().filter(|one| is_chosen(one)));
    let services = offer.services.iter().map(|service| ServiceView {
        code: service.code.to_string(),
        name: service.name.clone(),
        help: service.help.clone(),
        price: offer::once(visit, service.price),
        chosen: is_chosen(service),
    });
    ApplicationPage {
        services: services.collect(),
        sum,
        begins: offer.begins_at.map(|at| moment(visit, at)),
        due: moment(visit, offer.due_at),
        frame: page::frame(visit),
        form,
        address: PATH.to_owned(),
        revised: None,
        is_possible: false,
        servers: Vec::new(),
    }
}

/// What services cost together: the tax is taken of the sum, as the invoice does.
fn sum<'a>(
    visit: &Visit,
    chosen: impl Iterator<Item = &'a JobService> + Clone,
) -> Option<TotalsView> {
    let currency = chosen.clone().next()?.price.net.currency;
    let nets = chosen.map(|service| service.price.net);
    let totals = Totals::of(currency, nets, offer::tax(visit)).ok()?;
    Some(billing::totals(visit, &totals))
}
