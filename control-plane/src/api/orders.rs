//! Quotes and orders.

use innkeeper_wire::{
    api::{ListQuery, Order, Page, Quote},
    endpoints::{
        Ask,
        rest::{CreateQuote, GetOrder, GetQuote, ListOrders, PlaceOrder},
    },
};

use super::{
    auth::{Customer, Once},
    context::Context,
    error::Refused,
    slice::slice,
};

pub(super) async fn quote(
    context: Context,
    Customer(caller): Customer,
    ask: Ask<CreateQuote>,
) -> Result<Quote, Refused> {
    Ok(context.nouns.orders.quote(&caller, &ask.body).await?)
}

pub(super) async fn get_quote(
    context: Context,
    Customer(caller): Customer,
    ask: Ask<GetQuote>,
) -> Result<Quote, Refused> {
    Ok(context.nouns.orders.own_quote(&caller, ask.path)?)
}

pub(super) async fn place(
    context: Context,
    Once(caller, key): Once,
    ask: Ask<PlaceOrder>,
) -> Result<Order, Refused> {
    let orders = &context.nouns.orders;
    Ok(orders.place(&caller, &key, &ask.body).await?)
}

pub(super) async fn list(
    context: Context,
    Customer(caller): Customer,
    ask: Ask<ListOrders>,
) -> Result<Page<Order>, Refused> {
    let query = ask.query;
    let (limit, after) = (query.limit, query.after.clone());
    let slice = slice(ListQuery { limit, after })?;
    let orders = &context.nouns.orders;
    Ok(orders.orders(&caller, &query, slice.after, slice.limit)?)
}

pub(super) async fn get(
    context: Context,
    Customer(caller): Customer,
    ask: Ask<GetOrder>,
) -> Result<Order, Refused> {
    Ok(context.nouns.orders.own_order(&caller, ask.path)?)
}
