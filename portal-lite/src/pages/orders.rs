//! Orders: what was ordered when, at which price.

use askama::Template;
use axum::{
    extract::{Path, Query},
    http::StatusCode,
    response::Response,
};
use innkeeper_wire::{
    api::ListQuery,
    endpoints::{
        Endpoint as _,
        rest::{GetOrder, ListOrders},
    },
};

use super::{
    Position, id, page_behind,
    view::{self, OrderView},
};
use crate::{
    failure::Failure,
    page::{self, Frame},
    visit::Member,
};

/// Entries of a page.
const ENTRIES: usize = 25;

#[derive(Template)]
#[template(path = "orders.html")]
struct Orders {
    frame: Frame,
    orders: Vec<OrderView>,
    next: Option<String>,
    is_first: bool,
}

#[derive(Template)]
#[template(path = "order.html")]
struct OrderPage {
    frame: Frame,
    order: OrderView,
}

/// `GET /orders`
pub async fn show(
    Member(visit): Member,
    Query(position): Query<Position>,
) -> Result<Response, Failure> {
    let after = position.after();
    let is_first = after.is_none();
    let query = ListQuery {
        limit: Some(ENTRIES),
        after,
    };
    let orders = visit.ask(ListOrders::by(query)).await?;
    let view = Orders {
        frame: page::frame(&visit),
        orders: orders
            .data
            .iter()
            .map(|order| view::order(&visit, order))
            .collect(),
        next: orders.page.next.map(|next| page_behind("/orders", &next)),
        is_first,
    };
    page::render(&visit, StatusCode::OK, &view)
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
