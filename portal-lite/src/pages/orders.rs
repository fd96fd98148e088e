//! Orders: what was ordered when, at which price.

use std::time::Duration;

use askama::Template;
use axum::{
    extract::{Path, Query},
    http::StatusCode,
    response::Response,
};
use innkeeper_wire::{
    api::{Order, OrderListQuery, OrderState, PAGE_MAX},
    endpoints::{
        Endpoint as _,
        rest::{GetOrder, ListOrders},
    },
    operator::csv::{CSV_ROWS_MAX, csv},
};
use serde::{Deserialize, Serialize};

use super::{
    id,
    invoices::file,
    view::{self, OrderView},
};
use crate::{
    failure::Failure,
    page::{self, Frame},
    visit::{Member, Visit},
    words,
};

/// Where the list is.
const PATH: &str = "/orders";

/// Entries of a page.
const ENTRIES: usize = 25;

#[derive(Template)]
#[template(path = "orders.html")]
struct Orders {
    frame: Frame,
    orders: Vec<OrderView>,
    /// States by which it can be narrowed: code, word, and whether it is chosen.
    states: Vec<(&'static str, String, bool)>,
    from: String,
    until: String,
    /// Whether it is narrowed.
    is_narrowed: bool,
    /// Where it begins, so narrowed.
    first: String,
    /// Where the same is as a file.
    file: String,
    next: Option<String>,
    is_first: bool,
}

/// How the list is narrowed, as its address has it.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Asked {
    #[serde(default, skip_serializing_if = "String::is_empty")]
    state: String,
    /// A day, such as `2026-11-01`, in the visitor's zone; so the next, with which it ends. What is none narrows nothing.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    from: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    until: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    after: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    format: String,
}

impl Asked {
    fn query(&self, visit: &Visit, limit: usize) -> OrderListQuery {
        let mut states = OrderState::ALL.iter().copied();
        let last_instant = visit
            .zone()
            .instant(&format!("{}T23:59:59.999", self.until));
        OrderListQuery {
            limit: Some(limit),
            after: (!self.after.is_empty()).then(|| self.after.clone()),
            state: states.find(|state| state.as_str() == self.state),
            since: visit.zone().instant(&format!("{}T00:00", self.from)),
            until: last_instant.map(|at| at.after(Duration::from_millis(1))),
        }
    }

    fn address(&self) -> String {
        let query = serde_urlencoded::to_string(self).expect("texts only");
        match query.as_str() {
            "" => PATH.to_owned(),
            query => format!("{PATH}?{query}"),
        }
    }
}

/// A line in a file: amounts in minor units, which no spreadsheet rounds.
#[derive(Serialize)]
struct CsvLine {
    order: String,
    state: &'static str,
    server: String,
    name: String,
    plan: String,
    site: String,
    image: String,
    micro_minor_per_hour: u64,
    month_minor: i64,
    currency: String,
    placed_at: String,
    failed_at: String,
}

#[derive(Template)]
#[template(path = "order.html")]
struct OrderPage {
    frame: Frame,
    order: OrderView,
}

/// `GET /orders`
pub async fn show(Member(visit): Member, Query(asked): Query<Asked>) -> Result<Response, Failure> {
    if asked.format == "csv" {
        return as_file(&visit, asked).await;
    }
    let query = asked.query(&visit, ENTRIES);
    let is_narrowed = query.is_narrowed();
    let orders = visit.ask(ListOrders::by(query)).await?;
    let states = OrderState::ALL.iter();
    let states = states.map(|state| {
        let word = visit.say(words::order_state(*state));
        (state.as_str(), word, state.as_str() == asked.state)
    });
    let first = Asked {
        after: String::new(),
        ..asked.clone()
    };
    let file = Asked {
        format: "csv".to_owned(),
        ..first.clone()
    };
    let view = Orders {
        frame: page::frame(&visit),
        states: states.collect(),
        from: asked.from.clone(),
        until: asked.until.clone(),
        is_narrowed,
        first: first.address(),
        file: file.address(),
        is_first: asked.after.is_empty(),
        orders: orders
            .data
            .iter()
            .map(|order| view::order(&visit, order))
            .collect(),
        next: orders
            .page
            .next
            .map(|after| Asked { after, ..asked }.address()),
    };
    page::render(&visit, StatusCode::OK, &view)
}

/// All that is wanted, as a file for spreadsheets.
async fn as_file(visit: &Visit, mut asked: Asked) -> Result<Response, Failure> {
    let mut lines = Vec::new();
    loop {
        let query = asked.query(visit, PAGE_MAX);
        let found = visit.ask(ListOrders::by(query)).await?;
        lines.extend(found.data.into_iter().map(csv_line));
        match found.page.next {
            Some(next) if lines.len() < CSV_ROWS_MAX => asked.after = next,
            _ => break,
        }
    }
    let text = csv(&lines).expect("structures of named fields");
    Ok(file("orders.csv", "text/csv; charset=utf-8", text))
}

fn csv_line(order: Order) -> CsvLine {
    CsvLine {
        order: order.id.to_string(),
        state: order.state.as_str(),
        server: order.server.to_string(),
        name: order.server_name.to_string(),
        plan: order.plan.to_string(),
        site: order.site.to_string(),
        image: order.image.to_string(),
        micro_minor_per_hour: order.hourly.micro_minor_per_hour,
        month_minor: order.monthly_cap.amount,
        currency: order.monthly_cap.currency.to_string(),
        placed_at: order.placed_at.to_string(),
        failed_at: order.failed_at.map(|at| at.to_string()).unwrap_or_default(),
    }
}

/// `GET /orders/{id}`
pub async fn show_one(
    Member(visit): Member,
    Path(order): Path<String>,
) -> Result<Response, Failure> {
    let order = visit.ask(GetOrder::at(id(&order)?)).await?;
    let view = OrderPage {
        frame: page::frame(&visit),
        order: view::order(&visit, &order),
    };
    page::render(&visit, StatusCode::OK, &view)
}
