//! Invoices: a list, each as a page and as files.

use askama::Template;
use axum::{
    body::Body,
    extract::{Path, Query},
    http::{
        HeaderValue, StatusCode,
        header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE},
    },
    response::{IntoResponse as _, Response},
};
use innkeeper_wire::{
    endpoints::{
        Endpoint as _,
        rest::{GetBillingSummary, GetInvoice, GetInvoicePdf, ListInvoices},
    },
    invoice::{
        BillingSummary, CreditNote, Invoice, InvoiceListQuery, InvoiceState, InvoiceSummary,
    },
    money::Money,
    operator::csv::csv,
};
use serde::{Deserialize, Serialize};

use super::{
    Position,
    billing::{self, LineView, TotalsView},
    id, page_behind,
    view::{self, Badge, Shape},
};
use crate::{
    failure::Failure,
    format::{self, Moment},
    language,
    page::{self, Frame},
    visit::{Member, Visit},
    words,
};

/// Entries of a page.
const ENTRIES: usize = 25;

/// An invoice in the list, and above its page.
pub struct InvoiceView {
    pub(super) id: String,
    pub(super) number: String,
    pub(super) month: String,
    pub(super) issued: String,
    pub(super) due: String,
    pub(super) total: String,
    pub(super) open: String,
    pub(super) is_open: bool,
    pub(super) credited: String,
    pub(super) is_credited: bool,
    pub(super) badge: Badge,
}

/// What was taken back of an invoice.
pub struct CreditNoteView {
    pub(super) number: String,
    pub(super) at: Moment,
    /// The lines that it takes something back of.
    pub(super) lines: Vec<String>,
    pub(super) reason: String,
    pub(super) net: String,
    pub(super) total: String,
}

/// The last months as a picture, with the same as a table.
struct Bars {
    months: Vec<Bar>,
    average: String,
    /// From the top, in units of the picture.
    average_y: i64,
}

/// A month in the picture.
struct Bar {
    x: usize,
    y: i64,
    height: i64,
    month: String,
    amount: String,
}

#[derive(Template)]
#[template(path = "invoices.html")]
struct Invoices {
    frame: Frame,
    /// The last months, on the first page when anything was invoiced.
    bars: Option<Bars>,
    invoices: Vec<InvoiceView>,
    next: Option<String>,
    is_first: bool,
}

#[derive(Template)]
#[template(path = "invoice.html")]
struct InvoicePage {
    frame: Frame,
    invoice: InvoiceView,
    /// Who issued it: what it says of itself, line by line.
    supplier: Vec<String>,
    /// To whom it was addressed, line by line.
    bill_to: Vec<String>,
    account: String,
    lines: Vec<LineView>,
    totals: TotalsView,
    notes: Vec<CreditNoteView>,
    /// Where it is paid to, line by line; nothing when it is paid.
    pay_to: Vec<String>,
    digest: String,
}

/// As what an invoice is wanted.
#[derive(Deserialize)]
pub struct Wanted {
    #[serde(default)]
    pub(super) format: String,
}

/// A line in a file: amounts in minor units, which no spreadsheet rounds.
#[derive(Serialize)]
struct CsvLine<'a> {
    invoice: &'a str,
    month: String,
    server: String,
    name: String,
    plan: String,
    site: String,
    from: String,
    until: String,
    used_s: u64,
    credited_s: u64,
    charged_s: u64,
    charged_once_for: String,
    micro_minor_per_hour: u64,
    net_minor: i64,
    currency: &'static str,
    supplier: &'a str,
    supplier_number: &'a str,
    bill_to: &'a str,
    bill_to_address: String,
    bill_to_business_number: &'a str,
    bill_to_corporate_number: &'a str,
    bill_to_version: Option<u64>,
}

/// `GET /billing/invoices`
pub async fn show(
    Member(visit): Member,
    Query(position): Query<Position>,
) -> Result<Response, Failure> {
    let after = position.after();
    let is_first = after.is_none();
    let query = InvoiceListQuery {
        limit: Some(ENTRIES),
        after,
    };
    let (found, months) = tokio::try_join!(
        visit.ask(ListInvoices::by(query)),
        visit.ask(GetBillingSummary::ask())
    )?;
    let is_shown = is_first && !found.data.is_empty();
    let page = Invoices {
        frame: page::frame(&visit),
        bars: is_shown.then(|| bars(&visit, &months)),
        invoices: found
            .data
            .iter()
            .map(|each| summary(&visit, each))
            .collect(),
        next: found
            .page
            .next
            .map(|next| page_behind("/billing/invoices", &next)),
        is_first,
    };
    page::render(&visit, StatusCode::OK, &page)
}

/// `GET /billing/invoices/{id}`
pub async fn show_one(
    Member(visit): Member,
    Path(invoice): Path<String>,
    Query(wanted): Query<Wanted>,
) -> Result<Response, Failure> {
    let which = id(&invoice)?;
    let invoice = visit.ask(GetInvoice::at(which)).await?;
    let name = format!("invoice-{}", invoice.summary.number);
    match wanted.format.as_str() {
        "pdf" => {
            let bytes = visit.fetch(GetInvoicePdf::at(which)).await?;
            return Ok(file(&format!("{name}.pdf"), "application/pdf", bytes));
        }
        "csv" => {
            let text = csv(&csv_lines(&invoice)).expect("structures of named fields");
            return Ok(file(
                &format!("{name}.csv"),
                "text/csv; charset=utf-8",
                text,
            ));
        }
        "json" => {
            let text = serde_json::to_string_pretty(&invoice).expect("plain values");
            return Ok(file(&format!("{name}.json"), "application/json", text));
        }
        _ => {}
    }
    let page = InvoicePage {
        frame: page::frame(&visit),
        supplier: supplier(&visit, &invoice),
        bill_to: bill_to(&visit, &invoice),
        account: invoice.summary.account.to_string(),
        lines: invoice
            .lines
            .iter()
            .map(|each| billing::line(&visit, each))
            .collect(),
        totals: billing::totals(&visit, &invoice.totals),
        notes: credit_notes(&visit, &invoice.credit_notes),
        pay_to: pay_to(&invoice),
        digest: invoice.lines_digest.to_string(),
        invoice: summary(&visit, &invoice.summary),
    };
    page::render(&visit, StatusCode::OK, &page)
}

/// Height of the tallest bar, in units of the picture.
const BAR_HEIGHT: i64 = 120;
/// From one bar to the next.
const BAR_STEP: usize = 100;

fn bars(visit: &Visit, summary: &BillingSummary) -> Bars {
    let amounts = summary.months.iter().map(|month| month.total.amount);
    let most = amounts.max().unwrap_or(0).max(1);
    let height = |amount: i64| {
        let share = i128::from(amount.max(0)) * i128::from(BAR_HEIGHT) / i128::from(most);
        i64::try_from(share).unwrap_or(BAR_HEIGHT)
    };
    let months = summary.months.iter().enumerate();
    Bars {
        months: months
            .map(|(place, month)| Bar {
                x: place * BAR_STEP,
                y: BAR_HEIGHT - height(month.total.amount),
                height: height(month.total.amount),
                month: month.month.to_string(),
                amount: format::money(visit.locale, month.total),
            })
            .collect(),
        average: format::money(visit.locale, summary.average),
        average_y: BAR_HEIGHT - height(summary.average.amount),
    }
}

/// A file to be saved under this name.
pub(super) fn file(name: &str, media: &'static str, content: impl Into<Body>) -> Response {
    let disposition = HeaderValue::from_str(&format!("attachment; filename=\"{name}\""));
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static(media)),
        (CONTENT_DISPOSITION, disposition.expect("digits and dashes")),
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    (headers, content.into()).into_response()
}

fn csv_lines(invoice: &Invoice) -> Vec<CsvLine<'_>> {
    let text = |part: Option<String>| part.unwrap_or_default();
    let supplier = &invoice.supplier;
    let to = invoice.bill_to.as_ref();
    let address = to.map(|to| {
        let parts = [
            Some(&to.address),
            to.postal_code.as_ref(),
            Some(&to.country),
        ];
        let parts: Vec<_> = parts.into_iter().flatten().cloned().collect();
        parts.join(" ").replace('\n', " ")
    });
    let lines = invoice.lines.iter().map(|line| CsvLine {
        invoice: &invoice.summary.number,
        month: invoice.summary.month.to_string(),
        server: line.server.to_string(),
        name: text(line.name.as_ref().map(ToString::to_string)),
        plan: text(line.plan.as_ref().map(ToString::to_string)),
        site: text(line.site.as_ref().map(ToString::to_string)),
        from: line.from.to_string(),
        until: line.until.to_string(),
        used_s: line.used_s,
        credited_s: line.credited_s,
        charged_s: line.charged_s,
        charged_once_for: line
            .once
            .as_ref()
            .map_or_else(String::new, |once| once.services.join(", ")),
        micro_minor_per_hour: line.hourly.micro_minor_per_hour,
        net_minor: line.net.amount,
        currency: line.net.currency.code(),
        supplier: supplier.name.as_deref().unwrap_or_default(),
        supplier_number: supplier.registration_number.as_deref().unwrap_or_default(),
        bill_to: to.map_or("", |to| &to.name),
        bill_to_address: text(address.clone()),
        bill_to_business_number: to
            .and_then(|to| to.business_number.as_deref())
            .unwrap_or_default(),
        bill_to_corporate_number: to
            .and_then(|to| to.corporate_number.as_deref())
            .unwrap_or_default(),
        bill_to_version: to.map(|to| to.version),
    });
    lines.collect()
}

/// To whom it was addressed, line by line; nothing where nobody had said so.
pub(super) fn bill_to(visit: &Visit, invoice: &Invoice) -> Vec<String> {
    let to = invoice.bill_to.as_ref();
    to.map(|to| to.lines(visit.locale)).unwrap_or_default()
}

fn pay_to(invoice: &Invoice) -> Vec<String> {
    let pay_to = invoice.pay_to.as_deref();
    let pay_to = pay_to.filter(|_| invoice.summary.open.amount > 0);
    let lines = pay_to.unwrap_or_default().lines();
    lines.map(str::to_owned).collect()
}

fn supplier(visit: &Visit, invoice: &Invoice) -> Vec<String> {
    let company = &invoice.supplier;
    let number = company.registration_number.as_ref();
    let number = number.map(|number| format!("{} {number}", visit.say("company-registration")));
    let plain = [
        &company.name,
        &company.representative,
        &company.address,
        &company.telephone,
    ];
    let plain = plain.into_iter().flatten().cloned();
    plain.chain(number).collect()
}

pub(super) fn summary(visit: &Visit, invoice: &InvoiceSummary) -> InvoiceView {
    let say = |money: Money| format::money(visit.locale, money);
    let day = |at| visit.zone().day(visit.locale, at);
    InvoiceView {
        id: invoice.id.to_string(),
        number: invoice.number.clone(),
        month: invoice.month.to_string(),
        issued: day(invoice.issued_at),
        due: day(invoice.due_at),
        total: say(invoice.total),
        open: say(invoice.open),
        is_open: invoice.open.amount > 0,
        credited: say(invoice.credited),
        is_credited: invoice.credited.amount > 0,
        badge: badge(visit, invoice.state),
    }
}

/// What was taken back of an invoice, as it is shown.
pub(super) fn credit_notes(visit: &Visit, notes: &[CreditNote]) -> Vec<CreditNoteView> {
    let say = |money: Money| format::money(visit.locale, money);
    let notes = notes.iter().map(|note| CreditNoteView {
        number: note.number.clone(),
        at: view::moment(visit, note.issued_at),
        lines: note
            .lines
            .iter()
            .map(|credit| {
                let amount = say(Money {
                    amount: credit.net,
                    ..note.totals.net
                });
                let line = credit.line.to_string();
                let line = language::say_with(visit.locale, "credit-note-line", "line", &line);
                format!("{line}: {amount}")
            })
            .collect(),
        reason: note.reason.clone(),
        net: say(note.totals.net),
        total: say(note.totals.total),
    });
    notes.collect()
}

fn badge(visit: &Visit, state: InvoiceState) -> Badge {
    Badge {
        code: state.as_str(),
        word: visit.say(words::invoice_state(state)),
        shape: match state {
            InvoiceState::Paid => Shape::Well,
            InvoiceState::Open => Shape::Moving,
            InvoiceState::Overdue => Shape::Trouble,
            InvoiceState::Credited | InvoiceState::WrittenOff => Shape::Rest,
        },
    }
}
