//! Money: months and their close, everybody's invoices, statements, and what staff do to them.

use askama::Template;
use axum::{
    extract::{Path, Query},
    http::StatusCode,
    response::Response,
};
use innkeeper_wire::{
    endpoints::{
        Endpoint, Nothing,
        operators::{
            GetAccount, GetAccountFunds, GetAccountStatement, GetAnyInvoice, GetAnyInvoicePdf,
            GetFiscalExport, GetRevenueExport, GetStaffMe, GetUsageExport, ListAllInvoices,
            ListPeriods,
        },
    },
    funds::PaymentTerms,
    id::AccountId,
    invoice::{AllInvoicesQuery, AnyInvoice, InvoiceNumber, InvoiceState, PeriodLine},
    month::Month,
    operator::csv::csv,
    staff::Role,
};
use serde::{Serialize, de::DeserializeOwned};

use super::{
    deeds::{self, Button, StaffDeed},
    list::{self, Asked, Cell, Filter, Part, Search, Table, line, plain},
    lists::Which,
};
use crate::{
    failure::Failure,
    format,
    page::{self, Frame},
    pages::{
        billing::{self, LineView, TotalsView},
        funds::{self, FundsView},
        id,
        invoices::{self, CreditNoteView, InvoiceView, Wanted},
        statement::{self, StatementView},
        view,
    },
    visit::{Member, Visit},
    words,
};

pub mod acts;
pub mod books;
pub mod prices;

/// The months.
pub(super) const MONTHS: Table = Table {
    path: "/months",
    title: "nav-months",
    lead: Some("months-lead"),
    search: Search::None,
    columns: &[
        plain("invoice-month"),
        plain("list-state"),
        plain("month-from"),
        plain("month-until"),
        plain("month-closed-at"),
    ],
    order: "",
};

/// Everybody's invoices.
pub(super) const INVOICES: Table = Table {
    path: "/invoices",
    title: "nav-invoices",
    lead: None,
    search: Search::None,
    columns: &[
        plain("invoice-number"),
        plain("list-state"),
        plain("act-owner"),
        plain("invoice-month"),
        plain("invoice-due"),
        plain("billing-total"),
        plain("invoice-open"),
    ],
    order: "",
};

/// `GET /months`
pub async fn months(
    Member(visit): Member,
    Query(asked): Query<Asked>,
) -> Result<Response, Failure> {
    match asked.format.as_str() {
        "fiscal" => saved::<GetFiscalExport, _>(&visit, &asked).await,
        "usage" => saved::<GetUsageExport, _>(&visit, &asked).await,
        "revenue" => saved::<GetRevenueExport, _>(&visit, &asked).await,
        _ => list::answer(visit, Which::Months, asked).await,
    }
}

/// `GET /invoices`
pub async fn invoices(
    Member(visit): Member,
    Query(asked): Query<Asked>,
) -> Result<Response, Failure> {
    list::answer(visit, Which::Invoices, asked).await
}

/// What an endpoint tells of a month, as a file.
async fn saved<E, T>(visit: &Visit, asked: &Asked) -> Result<Response, Failure>
where
    E: Endpoint<Path = Month, Query = Nothing, Body = Nothing, Answer = Vec<T>>,
    T: Serialize + DeserializeOwned,
{
    let month: Month = id(&asked.month)?;
    let lines = visit.ask(E::at(month)).await?;
    let text = csv(&lines).expect("structures of named fields");
    let name = format!("{}-{month}.csv", asked.format);
    Ok(invoices::file(&name, "text/csv; charset=utf-8", text))
}

/// The months with what can be done about each: those that are over can be closed.
pub(super) async fn months_part(visit: &Visit, role: Role) -> Result<Part, Failure> {
    let months = visit.ask(ListPeriods::ask()).await?;
    let lines = months.into_iter().map(|month| {
        let PeriodLine {
            month,
            from,
            until,
            is_over,
            closed_at,
        } = month;
        let (state, possible): (_, &[&'static StaffDeed]) = match closed_at {
            Some(_) => ("month-closed", &[]),
            None if !is_over => ("month-goes-on", &[]),
            None => ("month-open", &[&acts::CLOSE]),
        };
        let cells = vec![
            Cell::text(month.to_string()),
            Cell::text(visit.say(state)),
            Cell::at(visit, Some(from)),
            Cell::at(visit, Some(until)),
            Cell::at(visit, closed_at),
        ];
        let base = format!("/months/{month}");
        let mut buttons = deeds::buttons(visit, role, &base, possible);
        let save = |format: &'static str, title: &str| Button {
            code: format,
            href: format!("/months?format={format}&month={month}"),
            word: visit.say(title),
            loses: false,
        };
        if deeds::is_for(GetUsageExport::ROW.who, role) {
            buttons.push(save("usage", "usage-export"));
            buttons.push(save("revenue", "revenue-export"));
        }
        if closed_at.is_some() && deeds::is_for(GetFiscalExport::ROW.who, role) {
            buttons.push(save("fiscal", "fiscal-export"));
        }
        line(month, cells).with(buttons)
    });
    Ok(Part {
        lines: lines.collect(),
        next: None,
    })
}

/// A part of everybody's invoices.
pub(super) async fn invoices_part(
    visit: &Visit,
    asked: &Asked,
    limit: usize,
) -> Result<Part, Failure> {
    let states = InvoiceState::ALL.iter();
    let query = AllInvoicesQuery {
        limit: Some(limit),
        after: asked.after(),
        state: states.copied().find(|state| state.as_str() == asked.state),
        month: asked.month.parse().ok(),
        owner: asked.owner.parse().ok(),
    };
    let found = visit.ask(ListAllInvoices::by(query)).await?;
    let say = |money| format::money(visit.locale, money);
    let lines = found.data.into_iter().map(|one| {
        let invoice = one.invoice;
        let number = invoice.number;
        let cells = vec![
            Cell::link(number.clone(), format!("/invoices/{number}")),
            Cell::text(visit.say(words::invoice_state(invoice.state))),
            Cell::owner(one.login_id, invoice.account),
            Cell::text(invoice.month.to_string()),
            Cell::text(visit.zone().day(visit.locale, invoice.due_at)),
            Cell::text(say(invoice.total)),
            Cell::text(say(invoice.open)),
        ];
        line(number, cells)
    });
    Ok(Part {
        lines: lines.collect(),
        next: found.page.next,
    })
}

/// The field that narrows invoices to a month.
pub(super) fn month_filter(visit: &Visit, asked: &Asked) -> Filter {
    Filter {
        name: "month",
        kind: "month",
        word: visit.say("invoice-month"),
        value: asked.month.clone(),
    }
}

/// What leads from one page about money to another.
pub(super) fn leads_to(visit: &Visit, path: &'static str, title: &'static str) -> Button {
    Button {
        code: path.trim_start_matches('/'),
        href: path.to_owned(),
        word: visit.say(title),
        loses: false,
    }
}

#[derive(Template)]
#[template(path = "staff_invoice.html")]
struct InvoicePage {
    frame: Frame,
    invoice: InvoiceView,
    /// The id of its account, and what it is called.
    owner: (String, String),
    /// To whom it was addressed, line by line.
    bill_to: Vec<String>,
    lines: Vec<LineView>,
    totals: TotalsView,
    notes: Vec<CreditNoteView>,
    digest: String,
    /// Whether the reader may have it as PDF.
    has_pdf: bool,
    buttons: Vec<Button>,
}

/// `GET /invoices/{number}`
pub async fn invoice(
    Member(visit): Member,
    Path(number): Path<String>,
    Query(wanted): Query<Wanted>,
) -> Result<Response, Failure> {
    let number: InvoiceNumber = id(&number)?;
    if wanted.format == "pdf" {
        let bytes = visit.fetch(GetAnyInvoicePdf::at(number)).await?;
        let name = format!("invoice-{number}.pdf");
        return Ok(invoices::file(&name, "application/pdf", bytes));
    }
    let (found, me) = tokio::try_join!(
        visit.ask(GetAnyInvoice::at(number)),
        visit.ask(GetStaffMe::ask())
    )?;
    let AnyInvoice { invoice, login_id } = found;
    let summary = &invoice.summary;
    let mut possible: Vec<&'static StaffDeed> = Vec::new();
    if summary.open.amount > 0 {
        possible.push(&acts::WRITE_OFF);
    }
    if summary.credited.amount < summary.total.amount {
        possible.push(&acts::CREDIT);
    }
    let account = summary.account;
    let base = format!("/invoices/{}", summary.number);
    let mut buttons = deeds::buttons(
        &visit,
        me.role,
        &format!("/accounts/{account}"),
        &[&acts::PAY],
    );
    buttons.extend(deeds::buttons(&visit, me.role, &base, &possible));
    let page = InvoicePage {
        frame: page::frame(&visit),
        owner: (
            account.to_string(),
            login_id.unwrap_or_else(|| account.to_string()),
        ),
        bill_to: invoices::bill_to(&visit, &invoice),
        lines: invoice
            .lines
            .iter()
            .map(|each| billing::line(&visit, each))
            .collect(),
        totals: billing::totals(&visit, &invoice.totals),
        notes: invoices::credit_notes(&visit, &invoice.credit_notes),
        digest: invoice.lines_digest.to_string(),
        invoice: invoices::summary(&visit, summary),
        has_pdf: me.role.may(Role::Billing),
        buttons,
    };
    page::render(&visit, StatusCode::OK, &page)
}

#[derive(Template)]
#[template(path = "staff_statement.html")]
struct StatementPage {
    frame: Frame,
    owner: (String, String),
    statement: StatementView,
    funds: FundsView,
    buttons: Vec<Button>,
}

/// `GET /accounts/{id}/statement`
pub async fn statement(
    Member(visit): Member,
    Path(account): Path<String>,
) -> Result<Response, Failure> {
    let account: AccountId = id(&account)?;
    let (found, funds, owner, me) = tokio::try_join!(
        visit.ask(GetAccountStatement::at(account)),
        visit.ask(GetAccountFunds::at(account)),
        visit.ask(GetAccount::at(account)),
        visit.ask(GetStaffMe::ask())
    )?;
    let name = owner.line.person.map(|person| person.login_id);
    let base = format!("/accounts/{account}");
    let mut possible: Vec<&'static StaffDeed> = vec![&acts::PAY, &acts::PROMOTION, &acts::POSTPAID];
    if funds.terms != PaymentTerms::Prepaid {
        possible.push(&acts::PREPAID);
        possible.push(&acts::TRIAL);
    }
    if funds.credit.amount > 0 {
        possible.push(&acts::REFUND);
    }
    let page = StatementPage {
        frame: page::frame(&visit),
        owner: (
            account.to_string(),
            name.unwrap_or_else(|| account.to_string()),
        ),
        statement: statement::view(&visit, found, statement::For::Staff),
        buttons: deeds::buttons(&visit, me.role, &base, &possible),
        funds: funds::view(&visit, funds),
    };
    page::render(&visit, StatusCode::OK, &page)
}

/// States by which invoices can be narrowed.
pub(super) fn states(visit: &Visit) -> Vec<list::Choice> {
    let states = InvoiceState::ALL.iter();
    states
        .map(|state| list::Choice {
            code: state.as_str(),
            word: visit.say(words::invoice_state(*state)),
        })
        .collect()
}

/// A moment in words, with its zone.
fn exact(visit: &Visit, at: innkeeper_wire::time::Timestamp) -> String {
    view::moment(visit, at).exact
}
