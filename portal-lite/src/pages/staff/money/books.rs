//! The trial balance, and whether the books agree.

use askama::Template;
use axum::{http::StatusCode, response::Response};
use innkeeper_wire::{
    endpoints::{Endpoint as _, operators::AuditMoney},
    invoice::{BalanceLine, MoneyAudit},
    money::Money,
    price::TaxRate,
};

use crate::{
    failure::Failure,
    format,
    page::{self, Frame},
    visit::{Member, Visit},
};

/// Where it is.
pub(in crate::pages::staff) const PATH: &str = "/books";
/// The name of its words.
pub(in crate::pages::staff) const TITLE: &str = "nav-books";

/// Accounts of the ledger, as the audit names them, and their words. Taxes are named by their rate.
const ACCOUNTS: [(&str, &str); 7] = [
    ("receivable", "ledger-receivable"),
    ("credit", "ledger-credit"),
    ("revenue", "ledger-revenue"),
    ("bank", "ledger-bank"),
    ("write-off", "ledger-write-off"),
    ("promotion", "ledger-promotion"),
    ("promotion expense", "ledger-promotion-expense"),
];
/// How the account of a tax begins; behind it stands the rate in millionths.
const TAX: &str = "tax ";

/// An account of the ledger; its balance stands on one of both sides.
struct LineView {
    account: String,
    debit: String,
    credit: String,
}

#[derive(Template)]
#[template(path = "staff_books.html")]
struct Books {
    frame: Frame,
    lines: Vec<LineView>,
    /// What stands on each side together, which is the same.
    sums: Option<(String, String)>,
    entries: u64,
    invoices: u64,
    /// In the control plane's own words.
    breaches: Vec<String>,
}

/// `GET /books`
pub async fn show(Member(visit): Member) -> Result<Response, Failure> {
    let MoneyAudit {
        entries,
        invoices,
        trial_balance,
        breaches,
    } = visit.ask(AuditMoney::ask()).await?;
    let view = Books {
        frame: page::frame(&visit),
        lines: trial_balance
            .iter()
            .map(|balance| line(&visit, balance))
            .collect(),
        sums: sums(&visit, &trial_balance),
        entries,
        invoices,
        breaches,
    };
    page::render(&visit, StatusCode::OK, &view)
}

fn line(visit: &Visit, line: &BalanceLine) -> LineView {
    let BalanceLine { account, balance } = line;
    let side = |amount: i64| match amount {
        0 => String::new(),
        amount => format::money(visit.locale, Money { amount, ..*balance }),
    };
    let known = ACCOUNTS.iter().find(|(code, _)| code == account);
    let rate = account.strip_prefix(TAX);
    let rate = rate.and_then(|rate| rate.parse::<u32>().ok());
    let account = match (known, rate.map(TaxRate::try_from)) {
        (Some((_, words)), _) => visit.say(words),
        (None, Some(Ok(rate))) => {
            let word = visit.say("ledger-tax");
            format!("{word} {}", format::percent(rate))
        }
        (None, _) => account.clone(),
    };
    LineView {
        account,
        debit: side(balance.amount.max(0)),
        credit: side(balance.amount.min(0).saturating_neg()),
    }
}

fn sums(visit: &Visit, lines: &[BalanceLine]) -> Option<(String, String)> {
    let currency = lines.first()?.balance.currency;
    let of = |side: fn(i64) -> i64| {
        let amounts = lines.iter().map(|line| side(line.balance.amount));
        let amount = amounts.fold(0, i64::saturating_add);
        format::money(visit.locale, Money { amount, currency })
    };
    let debit = of(|amount| amount.max(0));
    let credit = of(|amount| amount.min(0).saturating_neg());
    Some((debit, credit))
}
