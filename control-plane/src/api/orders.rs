//! Quotes and orders.

use axum::{
    Json,
    extract::State,
    http::{HeaderMap, StatusCode},
};
use innkeeper_wire::{
    api::{Order, OrderRequest, Page, Quote, QuoteRequest},
    error::{Problem, ProblemCode},
    id::{OrderId, QuoteId},
};

use super::{
    auth::Customer,
    context::Context,
    error::Refused,
    extract::{Body, Named, Paging, Params},
};

/// Longest `Idempotency-Key`.
const IDEMPOTENCY_KEY_LENGTH_MAX: usize = 255;

/// Prices a configuration. Reserves nothing.
#[utoipa::path(post, path = "/quotes", operation_id = "create_quote", tag = "orders", security(("session" = [])),
    request_body = QuoteRequest, responses((status = 201, body = Quote)))]
pub(super) async fn quote(
    State(context): State<Context>,
    Customer(caller): Customer,
    Body(request): Body<QuoteRequest>,
) -> Result<(StatusCode, Json<Quote>), Refused> {
    let quote = context.nouns.orders.quote(&caller, &request).await?;
    Ok((StatusCode::CREATED, Json(quote)))
}

/// One's own quote.
#[utoipa::path(get, path = "/quotes/{id}", operation_id = "get_quote", tag = "orders", security(("session" = [])),
    params(("id" = QuoteId, Path)), responses((status = 200, body = Quote)))]
pub(super) async fn get_quote(
    State(context): State<Context>,
    Customer(caller): Customer,
    Named(id): Named<QuoteId>,
) -> Result<Json<Quote>, Refused> {
    Ok(Json(context.nouns.orders.own_quote(&caller, id)?))
}

/// Orders what was quoted. Sending it again with the same `Idempotency-Key`, or for the same quote, gives the
/// same order.
#[utoipa::path(post, path = "/orders", operation_id = "place_order", tag = "orders", security(("session" = [])),
    request_body = OrderRequest,
    params(("Idempotency-Key" = String, Header, min_length = 1, max_length = 255, pattern = "^[!-~]([ -~]*[!-~])?$",
        description = "1 to 255 printable characters chosen by the client")),
    responses((status = 201, body = Order)))]
pub(super) async fn place(
    State(context): State<Context>,
    Customer(caller): Customer,
    headers: HeaderMap,
    Body(request): Body<OrderRequest>,
) -> Result<(StatusCode, Json<Order>), Refused> {
    let key = idempotency_key(&headers)?;
    let order = context.nouns.orders.place(&caller, key, &request).await?;
    Ok((StatusCode::CREATED, Json(order)))
}

fn idempotency_key(headers: &HeaderMap) -> Result<&str, Refused> {
    let missing = || Refused(Box::new(Problem::new(ProblemCode::IdempotencyKeyMissing)));
    let key = headers
        .get("idempotency-key")
        .and_then(|value| value.to_str().ok())
        .ok_or_else(missing)?;
    let fits = (1..=IDEMPOTENCY_KEY_LENGTH_MAX).contains(&key.len());
    if fits { Ok(key) } else { Err(missing()) }
}

/// One's own orders, newest first.
#[utoipa::path(get, path = "/orders", operation_id = "list_orders", tag = "orders", security(("session" = [])),
    params(Paging), responses((status = 200, body = Page<Order>)))]
pub(super) async fn list(
    State(context): State<Context>,
    Customer(caller): Customer,
    Params(paging): Params<Paging>,
) -> Result<Json<Page<Order>>, Refused> {
    let slice = paging.slice()?;
    Ok(Json(context.nouns.orders.orders(
        &caller,
        slice.after.as_ref(),
        slice.limit,
    )?))
}

/// One's own order.
#[utoipa::path(get, path = "/orders/{id}", operation_id = "get_order", tag = "orders", security(("session" = [])),
    params(("id" = OrderId, Path)), responses((status = 200, body = Order)))]
pub(super) async fn get(
    State(context): State<Context>,
    Customer(caller): Customer,
    Named(id): Named<OrderId>,
) -> Result<Json<Order>, Refused> {
    Ok(Json(context.nouns.orders.own_order(&caller, id)?))
}
