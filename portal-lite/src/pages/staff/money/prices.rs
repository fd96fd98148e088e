//! Prices: what plans cost now and by which list, and the import of a list, which shows what it would change before
//! anything changes.

use askama::Template;
use axum::{http::StatusCode, response::Response};
use innkeeper_wire::{
    endpoints::{
        Endpoint as _,
        operators::{CheckPrices, GetPrices, GetStaffMe, ImportPrices},
    },
    error::FieldErrorCode,
    operator::{
        prices::{
            CheckPricesRequest, ImportPricesRequest, PRICES_HEADER, PlanPrice, PriceBook,
            PriceChange, PriceListState, PriceListView,
        },
        reason::{Reason, ReasonError},
    },
    staff::Role,
    time::Timestamp,
};

use super::{acts, exact};
use crate::{
    api::ApiError,
    failure::Failure,
    fields::Fields,
    form::{self, Entered, Field, Form, Kind, Need},
    format,
    notice::Notice,
    page::{self, Frame},
    pages::staff::{
        REASON,
        ask::check_role,
        deeds::{self, Button},
    },
    visit::{Member, Visit},
};

/// Where it is.
pub(in crate::pages::staff) const PATH: &str = "/prices";
/// The name of its words.
pub(in crate::pages::staff) const TITLE: &str = "nav-prices";
/// Where a list is imported.
const IMPORT_PATH: &str = "/prices/import";
/// The list.
const LIST: Field = Field {
    name: "list",
    pointer: "list",
    kind: Kind::Lines(10),
    words: "prices-list",
    ..Field::TEXT
};
/// From when on it is valid.
const VALID_FROM: Field = Field {
    name: "valid_from",
    pointer: "valid_from",
    need: Need::Optional,
    words: "prices-valid-from",
    ..Field::TEXT
};
/// Sent by the page that shows what would change.
const SEEN: &str = "seen";

/// The form of an import.
pub const IMPORT: &[Field] = &[LIST, VALID_FROM, REASON, Field::hidden(SEEN)];

/// What a plan costs, in words.
struct PriceView {
    plan: String,
    hour: String,
    month: String,
}

struct ListView {
    from: String,
    state: &'static str,
    is_past: bool,
    by: String,
    reason: String,
    lines: Vec<PriceView>,
    buttons: Vec<Button>,
}

#[derive(Template)]
#[template(path = "staff_prices.html")]
struct PricesPage {
    frame: Frame,
    now: Vec<PriceView>,
    lists: Vec<ListView>,
    may_import: bool,
}

#[derive(Template)]
#[template(path = "staff_prices_import.html")]
struct ImportPage {
    frame: Frame,
    form: Form,
}

#[derive(Template)]
#[template(path = "staff_prices_check.html")]
struct CheckPage {
    frame: Frame,
    /// What each plan costs now, and then.
    changes: Vec<(PriceView, PriceView)>,
    from: String,
    /// What is sent when it is confirmed.
    fields: Vec<(String, String)>,
}

/// `GET /prices`
pub async fn show(Member(visit): Member) -> Result<Response, Failure> {
    let (book, me) = tokio::try_join!(visit.ask(GetPrices::ask()), visit.ask(GetStaffMe::ask()))?;
    let PriceBook { now, lists } = book;
    let page = PricesPage {
        frame: page::frame(&visit),
        now: now.iter().map(|line| price(&visit, line)).collect(),
        lists: lists
            .into_iter()
            .map(|one| list(&visit, me.role, one))
            .collect(),
        may_import: deeds::is_for(ImportPrices::ROW.who, me.role),
    };
    page::render(&visit, StatusCode::OK, &page)
}

fn price(visit: &Visit, line: &PlanPrice) -> PriceView {
    PriceView {
        plan: line.plan.to_string(),
        hour: format::rate(visit.locale, line.hourly),
        month: format::money(visit.locale, line.monthly_cap),
    }
}

fn list(visit: &Visit, role: Role, list: PriceListView) -> ListView {
    let base = format!("{PATH}/{}", list.valid_from);
    let (state, possible) = match list.state {
        PriceListState::Coming => ("prices-coming", &[&acts::WITHDRAW_PRICES][..]),
        PriceListState::InForce => ("prices-in-force", &[][..]),
        PriceListState::Past => ("prices-past", &[][..]),
    };
    ListView {
        from: exact(visit, list.valid_from),
        state,
        is_past: list.state == PriceListState::Past,
        by: list.by,
        reason: list.reason.as_str().to_owned(),
        lines: list.lines.iter().map(|line| price(visit, line)).collect(),
        buttons: deeds::buttons(visit, role, &base, possible),
    }
}

/// `GET /prices/import`: filled in with the prices of now, to be changed.
pub async fn show_import(Member(visit): Member, entered: Entered) -> Result<Response, Failure> {
    check_role(&visit, ImportPrices::ROW.who).await?;
    let book = visit.ask(GetPrices::ask()).await?;
    let lines = book.now.iter().map(|line| format!("{}\n", line.as_line()));
    let present = format!("{PRICES_HEADER}\n{}", lines.collect::<String>());
    let present = Fields::new(vec![(LIST.name.to_owned(), present)]);
    let page = ImportPage {
        frame: page::frame(&visit).with_form(IMPORT_PATH),
        form: entered.form(&visit, IMPORT, present),
    };
    page::render(&visit, StatusCode::OK, &page)
}

/// `POST /prices/import`: first shows what would change, and does it when that was seen.
pub async fn import(Member(visit): Member, fields: Fields) -> Result<Response, Failure> {
    check_role(&visit, ImportPrices::ROW.who).await?;
    let (valid_from, reason) = match (valid_from(&visit, &fields), reason(&fields)) {
        (Ok(valid_from), Ok(reason)) => (valid_from, reason),
        (from, reason) => {
            let wrong: Vec<_> = from.err().into_iter().chain(reason.err()).collect();
            return Ok(form::complaint(&visit, &fields, &wrong));
        }
    };
    let list = fields.get(LIST.name).to_owned();
    if fields.get(SEEN).is_empty() {
        let request = CheckPricesRequest { list };
        return match visit.ask(CheckPrices::with(request)).await {
            Ok(changes) => confirm(&visit, &fields, changes, valid_from),
            Err(error) => refused(&visit, &fields, error),
        };
    }
    let request = ImportPricesRequest {
        list,
        valid_from,
        reason,
    };
    match visit.ask(ImportPrices::with(request)).await {
        Ok(_) => Ok(page::redirect_with(&visit, PATH, Notice::StaffDone)),
        Err(error) => {
            let pairs = fields.without(&[SEEN]);
            refused(&visit, &pairs, error)
        }
    }
}

fn confirm(
    visit: &Visit,
    fields: &Fields,
    changes: Vec<PriceChange>,
    valid_from: Option<Timestamp>,
) -> Result<Response, Failure> {
    let mut sent = fields.without(&[SEEN]).showable();
    sent.push((SEEN.to_owned(), "1".to_owned()));
    let page = CheckPage {
        frame: page::frame(visit).with_form(IMPORT_PATH),
        changes: changes
            .iter()
            .map(|change| (price(visit, &change.now), price(visit, &change.then)))
            .collect(),
        from: valid_from.map_or_else(|| visit.say("prices-at-once"), |at| exact(visit, at)),
        fields: sent,
    };
    page::render(visit, StatusCode::OK, &page)
}

/// What is wrong with the list is told by its lines, in the API's own words.
fn refused(visit: &Visit, fields: &Fields, error: ApiError) -> Result<Response, Failure> {
    let error = match error {
        ApiError::Refused(mut problem) => {
            let of_list = problem
                .errors
                .iter()
                .filter(|error| error.pointer == "/list");
            let details: Vec<_> = of_list.map(|error| error.detail.clone()).collect();
            problem.detail = (!details.is_empty()).then(|| details.join("; "));
            // One for each field is enough: those of a field follow each other.
            let errors = &mut problem.errors;
            errors.dedup_by(|later, first| later.pointer == first.pointer);
            ApiError::Refused(problem)
        }
        error => error,
    };
    form::refused(visit, IMPORT, fields, error)
}

type Wrong = (&'static str, FieldErrorCode);

fn valid_from(visit: &Visit, fields: &Fields) -> Result<Option<Timestamp>, Wrong> {
    match fields.get(VALID_FROM.name).trim() {
        "" => Ok(None),
        text => {
            let instant = visit.zone().instant(&text.replace(' ', "T"));
            instant
                .map(Some)
                .ok_or((VALID_FROM.name, FieldErrorCode::Malformed))
        }
    }
}

fn reason(fields: &Fields) -> Result<Reason, Wrong> {
    let reason = fields.get(REASON.name).parse();
    reason.map_err(|error: ReasonError| (REASON.name, error.code()))
}
