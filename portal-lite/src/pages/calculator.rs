//! The price calculator (R37-R40): what a choice costs in a month, and a list of such choices. All of it is in the page's
//! address, which a form of the method GET writes: so it can be kept, shared and read in another language, and nothing is
//! remembered anywhere.

use askama::Template;
use axum::{Extension, http::StatusCode, response::Response};
use innkeeper_wire::{api::Catalogue, error::FieldErrorCode, id::Code, money::MoneyError};
use tracing::error;

use super::{
    Anyone,
    billing::{self, TotalsView},
    new_server::{Choice, PLAN, PlanChoice, SITE},
    spreadsheet, view,
};
use crate::{
    estimate::{self, Entry, Estimate, HOURS_MAX, LINES_MAX, Line, Priced, QUANTITY_MAX},
    failure::Failure,
    fields::Fields,
    form::{self, Field, Form, Kind, Need},
    format, language,
    page::{self, Frame},
    visit::{ADDRESS_BYTES_MAX, Visit, query_pairs},
};

const PATH: &str = "/calculator";
/// Parameters of its address: the lines of the list, the choice, and what is wanted with it.
pub const QUERY: &[&str] = &[
    LINE, "site", "plan", "quantity", "hours", CHANGE, DO, FORMAT,
];
const LINE: &str = "line";
/// Which line of the list the choice is to replace, counted from 1.
const CHANGE: &str = "change";
/// That the choice is to be put on the list.
const DO: &str = "do";
/// As what the list is wanted.
const FORMAT: &str = "format";

/// The form of a choice.
pub const CHOICE: &[Field] = &[
    SITE,
    PLAN,
    Field {
        name: "quantity",
        pointer: "quantity",
        kind: Kind::Number,
        words: "calculator-quantity",
        ..Field::TEXT
    },
    Field {
        name: "hours",
        pointer: "hours",
        kind: Kind::Number,
        need: Need::Optional,
        words: "calculator-hours",
        ..Field::TEXT
    },
];

#[derive(Template)]
#[template(path = "calculator.html")]
struct Public {
    frame: Frame,
    page: Page,
}

#[derive(Template)]
#[template(path = "calculator_console.html")]
struct Console {
    frame: Frame,
    page: Page,
}

struct Page {
    form: Form,
    /// The list as the form carries it along.
    lines: Vec<String>,
    /// Which line is to be changed.
    change: Option<String>,
    sites: Vec<Choice>,
    plans: Vec<PlanChoice>,
    chosen: Option<ChosenView>,
    /// What is to be said of the list.
    remarks: Vec<String>,
    rows: Vec<RowView>,
    totals: Option<TotalsView>,
    /// The page with the list and nothing else.
    list: String,
    /// The same with the name of the site, to be shared.
    shared: String,
    download: String,
    /// The day of the prices.
    day: String,
}

/// What a choice costs.
struct ChosenView {
    text: String,
    totals: TotalsView,
    /// The order form with it; nothing where it can't be had.
    order: Option<String>,
}

/// A line of the list.
struct RowView {
    /// What it is, for whoever hears its links one by one.
    name: String,
    /// What it costs; nothing when it is no longer offered.
    cost: Option<CostView>,
    change: String,
    remove: String,
}

struct CostView {
    plan: String,
    site: String,
    quantity: String,
    hours: String,
    hourly: String,
    amount: String,
    is_capped: bool,
    /// The order form with it; nothing where it can't be had.
    order: Option<String>,
    /// What of it can't be had, in that case.
    unavailable: Option<String>,
}

/// `GET /calculator`
pub async fn show(Extension(visit): Anyone) -> Result<Response, Failure> {
    let catalogue = &visit.facts()?.catalogue;
    let fields = Fields::new(query_pairs(&visit.uri));
    let list = estimate::estimate(catalogue, fields.all(LINE)).map_err(unpriced)?;
    // Every link of the page carries the list: what stands there beside it must not make them long.
    if visit.here().len() > ADDRESS_BYTES_MAX {
        return Ok(page::redirect(&address(list.lines(), &[])));
    }
    if fields.get(FORMAT) == "xlsx" && !list.entries.is_empty() {
        return spreadsheet::file(&visit, &list);
    }
    let lines = 1..=list.entries.len();
    let change = fields.get(CHANGE).parse().ok();
    let change = change.filter(|number| lines.contains(number));
    let is_chosen = CHOICE
        .iter()
        .any(|field| !fields.all(field.name).is_empty());
    let fields = if is_chosen {
        fields
    } else {
        opening(catalogue, &list, change)
    };
    let wants_it = fields.get(DO) == "add";
    let mut form = Form::of(CHOICE, fields.clone());
    let mut chosen = None;
    match judge(catalogue, &fields) {
        Ok(line) if wants_it && (change.is_some() || !list.is_full()) => {
            let changed = address(with(&list, line, change).iter(), &[]);
            return Ok(page::redirect(&format!("{changed}#list")));
        }
        Ok(line) => {
            if wants_it {
                form.alert = Some(say_limit(&visit, "calculator-full"));
            }
            let priced = line.price(catalogue).map_err(unpriced)?;
            chosen = priced
                .map(|priced| chosen_view(&visit, &priced))
                .transpose()?;
        }
        Err(complaints) if is_chosen => form = form.with_complaints(&visit, &complaints),
        Err(_) => {}
    }
    render(&visit, form, chosen, &list, change)
}

fn render(
    visit: &Visit,
    form: Form,
    chosen: Option<ChosenView>,
    list: &Estimate<'_>,
    change: Option<usize>,
) -> Result<Response, Failure> {
    let (sites, plans) = choices(visit, &visit.facts()?.catalogue, &form);
    let own = address(list.lines(), &[]);
    let page = Page {
        lines: list.lines().map(Line::to_string).collect(),
        change: change.map(|number| number.to_string()),
        remarks: remarks(visit, list),
        rows: rows(visit, list),
        totals: list.totals.as_ref().map(|sum| billing::totals(visit, sum)),
        shared: format!("{}{own}", visit.portal.public_url),
        list: own,
        download: address(list.lines(), &[(FORMAT, "xlsx")]),
        day: visit.zone().day(visit.locale, visit.now),
        form,
        sites,
        plans,
        chosen,
    };
    let frame = page::frame(visit);
    if frame.signed_in {
        page::render(visit, StatusCode::OK, &Console { frame, page })
    } else {
        page::render(visit, StatusCode::OK, &Public { frame, page })
    }
}

/// No plan costs so much that it does not fit: the catalogue is wrong.
pub(super) fn unpriced(error: MoneyError) -> Failure {
    error!(%error, "the calculator can't sum up");
    Failure::Internal
}

/// The calculator with a list of lines.
fn address<'a>(lines: impl Iterator<Item = &'a Line>, more: &[(&str, &str)]) -> String {
    let mut pairs: Vec<_> = lines.map(|line| (LINE, line.to_string())).collect();
    pairs.extend(
        more.iter()
            .map(|(name, value)| (*name, (*value).to_owned())),
    );
    if pairs.is_empty() {
        return PATH.to_owned();
    }
    let query = serde_urlencoded::to_string(pairs).expect("texts only");
    format!("{PATH}?{query}")
}

/// The list with a line in place of another, or behind all.
fn with(list: &Estimate<'_>, line: Line, change: Option<usize>) -> Vec<Line> {
    let mut lines: Vec<_> = list.lines().cloned().collect();
    match change {
        Some(number) => lines[number - 1] = line,
        None => lines.push(line),
    }
    lines
}

/// What the form is filled in with when nothing was chosen yet: the line that is to be changed, or the first of all.
fn opening(catalogue: &Catalogue, list: &Estimate<'_>, change: Option<usize>) -> Fields {
    let line = change.and_then(|number| list.lines().nth(number - 1));
    let first = |code: Option<&Code>| code.map(Code::to_string).unwrap_or_default();
    let pairs = match line {
        Some(line) => [
            ("site", line.site.to_string()),
            ("plan", line.plan.to_string()),
            ("quantity", line.quantity.to_string()),
            (
                "hours",
                line.hours
                    .map(|hours| hours.to_string())
                    .unwrap_or_default(),
            ),
        ],
        None => [
            (
                "site",
                first(catalogue.sites.first().map(|site| &site.code)),
            ),
            (
                "plan",
                first(catalogue.plans.first().map(|plan| &plan.code)),
            ),
            ("quantity", "1".to_owned()),
            ("hours", String::new()),
        ],
    };
    let pairs = pairs.map(|(name, value)| (name.to_owned(), value));
    Fields::new(pairs.to_vec())
}

/// The line that was chosen, or what is wrong with it.
fn judge(
    catalogue: &Catalogue,
    fields: &Fields,
) -> Result<Line, Vec<(&'static str, FieldErrorCode)>> {
    let typed = |name| fields.get(name).trim();
    let mut complaints = form::missing(fields, &["site", "plan"]);
    let site = catalogue
        .sites
        .iter()
        .find(|site| site.code.as_str() == typed("site"));
    let plan = catalogue
        .plans
        .iter()
        .find(|plan| plan.code.as_str() == typed("plan"));
    let quantity = estimate::number(typed("quantity"), QUANTITY_MAX);
    let hours = match typed("hours") {
        "" => Some(None),
        hours => estimate::number(hours, HOURS_MAX).map(Some),
    };
    if let (Some(site), Some(plan), Some(quantity), Some(hours)) = (site, plan, quantity, hours) {
        return Ok(Line {
            site: site.code.clone(),
            plan: plan.code.clone(),
            quantity,
            hours,
        });
    }
    // Only the first complaint of a field is told.
    for (name, is_right, code) in [
        ("site", site.is_some(), FieldErrorCode::Unknown),
        ("plan", plan.is_some(), FieldErrorCode::Unknown),
        ("quantity", quantity.is_some(), FieldErrorCode::Malformed),
        ("hours", hours.is_some(), FieldErrorCode::Malformed),
    ] {
        if !is_right {
            complaints.push((name, code));
        }
    }
    Err(complaints)
}

fn choices(visit: &Visit, catalogue: &Catalogue, form: &Form) -> (Vec<Choice>, Vec<PlanChoice>) {
    let sites = catalogue.sites.iter().map(|site| Choice {
        code: site.code.to_string(),
        name: site.name.clone(),
        detail: site.code.to_string(),
        chosen: form.value("site") == site.code.as_str(),
    });
    let plans = catalogue.plans.iter().map(|plan| PlanChoice {
        plan: view::plan(visit, plan),
        chosen: form.value("plan") == plan.code.as_str(),
    });
    (sites.collect(), plans.collect())
}

fn chosen_view(visit: &Visit, priced: &Priced<'_>) -> Result<ChosenView, Failure> {
    let catalogue = &visit.facts()?.catalogue;
    let totals = estimate::totals(catalogue, [priced]).map_err(unpriced)?;
    let totals = totals.ok_or(Failure::Internal)?;
    Ok(ChosenView {
        text: name(visit, priced),
        totals: billing::totals(visit, &totals),
        order: order(visit, priced),
    })
}

/// What a line is: `2 × Medium · Seoul 1 · 100 hours`.
fn name(visit: &Visit, priced: &Priced<'_>) -> String {
    let Priced {
        line, site, plan, ..
    } = priced;
    let hours = hours(visit, line);
    format!(
        "{} × {} · {} · {hours}",
        line.quantity, plan.name, site.name
    )
}

pub(super) fn hours(visit: &Visit, line: &Line) -> String {
    match line.hours {
        Some(hours) => language::say_count(visit.locale, "calculator-hours-count", hours.into()),
        None => visit.say("calculator-whole-month"),
    }
}

/// The order form with this choice, where that can be had.
fn order(visit: &Visit, priced: &Priced<'_>) -> Option<String> {
    let (site, plan) = (&priced.site.code, &priced.plan.code);
    let is_there = view::plan(visit, priced.plan).is_at(site.as_str());
    is_there.then(|| format!("/servers/new?site={site}&plan={plan}"))
}

fn say_limit(visit: &Visit, key: &str) -> String {
    let limit = u64::try_from(LINES_MAX).unwrap_or(u64::MAX);
    language::say_count(visit.locale, key, limit)
}

fn remarks(visit: &Visit, list: &Estimate<'_>) -> Vec<String> {
    let unreadable = list.unreadable.iter().map(|number| {
        let number = number.to_string();
        language::say_with(visit.locale, "calculator-unreadable", "line", &number)
    });
    let cut = list.is_cut.then(|| say_limit(visit, "calculator-cut"));
    unreadable.chain(cut).collect()
}

fn rows(visit: &Visit, list: &Estimate<'_>) -> Vec<RowView> {
    let row = |(index, entry): (usize, &Entry<'_>)| {
        let others = list.lines().enumerate();
        let others = others.filter(|(other, _)| *other != index);
        let (name, cost) = match entry {
            Entry::Priced(priced) => (name(visit, priced), Some(cost(visit, priced))),
            Entry::Gone(line) => (gone(visit, line), None),
        };
        RowView {
            name,
            cost,
            change: address(list.lines(), &[(CHANGE, &(index + 1).to_string())]),
            remove: address(others.map(|(_, line)| line), &[]) + "#list",
        }
    };
    list.entries.iter().enumerate().map(row).collect()
}

/// That a line is no longer offered.
pub(super) fn gone(visit: &Visit, line: &Line) -> String {
    let what = format!("{} ({})", line.plan, line.site);
    language::say_with(visit.locale, "calculator-gone", "line", &what)
}

fn cost(visit: &Visit, priced: &Priced<'_>) -> CostView {
    let order = order(visit, priced);
    let unavailable = view::plan(visit, priced.plan).unavailable;
    CostView {
        plan: priced.plan.name.clone(),
        site: priced.site.name.clone(),
        quantity: priced.line.quantity.to_string(),
        hours: hours(visit, &priced.line),
        hourly: format::rate(visit.locale, priced.plan.hourly),
        amount: format::money(visit.locale, priced.net),
        is_capped: priced.is_capped,
        unavailable: unavailable.filter(|_| order.is_none()),
        order,
    }
}
