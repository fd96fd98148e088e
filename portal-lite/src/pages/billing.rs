//! What is charged: the month so far, with a forecast.

use askama::Template;
use axum::{http::StatusCode, response::Response};
use innkeeper_wire::{
    billing::{MonthSoFar, Totals, UsageLine},
    endpoints::{
        Endpoint as _,
        rest::{GetFunds, GetMonthSoFar},
    },
    price::MINIMUM_SECONDS,
};

use super::{
    funds::{self, FundsView},
    view,
};
use crate::{
    failure::Failure,
    format::{self, Moment},
    language,
    page::{self, Frame},
    visit::{Member, Visit},
};

/// What a server costs.
pub struct LineView {
    /// The server's id.
    pub server: String,
    /// Its name, or its id where the name was not kept.
    pub name: String,
    /// Its plan, where that was kept.
    pub plan: Option<String>,
    /// Its data centre, likewise.
    pub site: Option<String>,
    /// How long it was used.
    pub used: String,
    /// Price an hour.
    pub hourly: String,
    /// What is to be known of the amount.
    pub remarks: Vec<String>,
    /// What it costs before tax.
    pub amount: String,
}

/// A sum with its taxes.
pub struct TotalsView {
    /// Before tax.
    pub net: String,
    /// Each tax: what it is called with its rate, and how much it is.
    pub taxes: Vec<(String, String)>,
    /// What is to be paid.
    pub total: String,
}

#[derive(Template)]
#[template(path = "billing.html")]
struct Page {
    frame: Frame,
    month: String,
    as_of: Moment,
    lines: Vec<LineView>,
    so_far: TotalsView,
    forecast: TotalsView,
    funds: FundsView,
}

/// `GET /billing`
pub async fn show(Member(visit): Member) -> Result<Response, Failure> {
    let (month, funds) =
        tokio::try_join!(visit.ask(GetMonthSoFar::ask()), visit.ask(GetFunds::ask()))?;
    let MonthSoFar {
        so_far, forecast, ..
    } = &month;
    let page = Page {
        frame: page::frame(&visit),
        funds: funds::view(&visit, funds),
        month: month.month.to_string(),
        as_of: view::moment(&visit, month.as_of),
        so_far: totals(&visit, so_far),
        forecast: totals(&visit, forecast),
        lines: month.lines.iter().map(|each| line(&visit, each)).collect(),
    };
    page::render(&visit, StatusCode::OK, &page)
}

/// A line.
pub(super) fn line(visit: &Visit, line: &UsageLine) -> LineView {
    let server = line.server.to_string();
    let plan = line.plan.as_ref().map(|plan| view::plan_name(visit, plan));
    let site = line.site.as_ref().map(|site| view::site_name(visit, site));
    let name = line.name.as_ref().map(ToString::to_string);
    // What is charged once has no time.
    let in_time = |text: String| {
        if line.once.is_some() {
            String::new()
        } else {
            text
        }
    };
    LineView {
        name: name.unwrap_or_else(|| server.clone()),
        server,
        plan,
        site,
        used: in_time(format::counted(line.used_s)),
        hourly: in_time(format::rate(visit.locale, line.hourly)),
        remarks: remarks(visit, line),
        amount: format::money(visit.locale, line.net),
    }
}

/// Why an amount is not simply time by price.
fn remarks(visit: &Visit, line: &UsageLine) -> Vec<String> {
    let mut remarks = Vec::new();
    if let Some(once) = &line.once {
        let what = once.services.join(", ");
        remarks.push(language::say_with(
            visit.locale,
            "billing-once",
            "what",
            &what,
        ));
    }
    if line.credited_s > 0 {
        let time = format::counted(line.credited_s);
        remarks.push(language::say_with(
            visit.locale,
            "billing-credited",
            "time",
            &time,
        ));
    }
    if line.charged_s == MINIMUM_SECONDS && line.used_s < MINIMUM_SECONDS {
        remarks.push(visit.say("billing-first-hour"));
    }
    if line.is_capped {
        remarks.push(visit.say("billing-capped"));
    }
    remarks
}

/// A sum.
pub(super) fn totals(visit: &Visit, totals: &Totals) -> TotalsView {
    let taxes = totals.taxes.iter().map(|tax| {
        let name = tax.name.in_language(visit.locale);
        let rate = format::percent(tax.rate);
        (
            format!("{name} {rate}"),
            format::money(visit.locale, tax.tax),
        )
    });
    TotalsView {
        net: format::money(visit.locale, totals.net),
        taxes: taxes.collect(),
        total: format::money(visit.locale, totals.total),
    }
}
