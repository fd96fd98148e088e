//! What an account was charged and has paid.

use askama::Template;
use axum::{http::StatusCode, response::Response};
use innkeeper_wire::{
    endpoints::{Endpoint as _, rest::GetStatement},
    invoice::{Statement, StatementKind, StatementLine},
};

use super::view;
use crate::{
    failure::Failure,
    format::{self, Moment},
    page::{self, Frame},
    visit::{Member, Visit},
    words,
};

/// Who reads it: invoices have other addresses for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum For {
    /// Whose it is.
    Owner,
    /// Staff.
    Staff,
}

/// A statement.
pub struct StatementView {
    /// What is owed.
    pub owed: String,
    /// What was paid ahead.
    pub credit: String,
    /// What is left of promotional credit, if anything is.
    pub promotion: Option<String>,
    /// Newest first.
    pub entries: Vec<EntryView>,
}

/// An entry of a statement.
pub struct EntryView {
    /// When it was written.
    pub at: Moment,
    /// What it is.
    pub kind: String,
    /// What names it.
    pub name: String,
    /// The page of what it is about.
    pub href: Option<String>,
    /// By how much it changes what is owed.
    pub amount: String,
    /// What is owed behind it.
    pub balance: String,
}

#[derive(Template)]
#[template(path = "statement.html")]
struct Page {
    frame: Frame,
    statement: StatementView,
}

/// `GET /billing/statement`
pub async fn show(Member(visit): Member) -> Result<Response, Failure> {
    let statement = visit.ask(GetStatement::ask()).await?;
    let page = Page {
        frame: page::frame(&visit),
        statement: view(&visit, statement, For::Owner),
    };
    page::render(&visit, StatusCode::OK, &page)
}

/// As it is shown.
pub(super) fn view(visit: &Visit, statement: Statement, reader: For) -> StatementView {
    let Statement {
        owed,
        credit,
        promotion,
        entries,
    } = statement;
    StatementView {
        owed: format::money(visit.locale, owed),
        credit: format::money(visit.locale, credit),
        promotion: (promotion.amount > 0).then(|| format::money(visit.locale, promotion)),
        entries: entries
            .into_iter()
            .map(|each| entry(visit, each, reader))
            .collect(),
    }
}

fn entry(visit: &Visit, line: StatementLine, reader: For) -> EntryView {
    let StatementLine {
        at,
        kind,
        name,
        invoice,
        amount,
        balance,
    } = line;
    let href = match (reader, kind, invoice) {
        (For::Owner, _, Some(invoice)) => Some(format!("/billing/invoices/{invoice}")),
        (For::Staff, StatementKind::Invoice | StatementKind::WriteOff, _) => {
            Some(format!("/invoices/{name}"))
        }
        _ => None,
    };
    EntryView {
        at: view::moment(visit, at),
        kind: visit.say(words::statement_kind(kind)),
        name,
        href,
        amount: format::money(visit.locale, amount),
        balance: format::money(visit.locale, balance),
    }
}
