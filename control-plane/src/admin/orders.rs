//! The operator's commands about orders that failed: the service's side, and the text that the command line prints.

use std::{fmt::Write as _, path::Path};

use innkeeper_wire::{
    api::{ListQuery, Page},
    endpoints::{
        Ask, Endpoint as _,
        operators::{ListFailedOrders, RetryOrder},
    },
    id::OrderId,
    operator::{
        orders::{FailedOrder, FailedOrdersQuery, RetriedOrder},
        reason::{Reason, ReasonRequest},
    },
};

use super::{AdminContext, Printed, Support, Viewer, all, ask};
use crate::{
    api::{error::Refused, slice::slice},
    servers::rules::census::name,
};

pub(super) async fn failed(
    context: AdminContext,
    _: Viewer,
    ask: Ask<ListFailedOrders>,
) -> Result<Page<FailedOrder>, Refused> {
    let FailedOrdersQuery {
        limit,
        after,
        owner,
        since,
        sort,
    } = ask.query;
    let slice = slice::<OrderId>(ListQuery { limit, after })?;
    let after = slice.after.as_ref();
    let orders = &context.nouns.orders;
    Ok(orders.failed(owner, since, sort.unwrap_or_default(), after, slice.limit)?)
}

pub(super) async fn retry(
    context: AdminContext,
    Support(caller): Support,
    ask: Ask<RetryOrder>,
) -> Result<RetriedOrder, Refused> {
    let orders = &context.nouns.orders;
    let retried = orders.retry(&caller, ask.path, &ask.body.reason).await?;
    tracing::info!(order.id = %ask.path, as = %retried.order, "an order that failed was placed once more");
    Ok(retried)
}

/// `order failed`.
pub async fn failed_by_command(
    socket: &Path,
    query: FailedOrdersQuery,
    printed: Printed,
) -> anyhow::Result<String> {
    let orders = all::<ListFailedOrders, _>(socket, query).await?;
    printed.list(&orders, table)
}

/// `order retry`.
pub async fn retry_by_command(
    socket: &Path,
    order: OrderId,
    reason: Reason,
) -> anyhow::Result<String> {
    let request = ReasonRequest { reason };
    let retried = ask(socket, RetryOrder::at_with(order, request)).await?;
    let RetriedOrder { order: new, server } = retried;
    Ok(format!(
        "{order} was placed once more as {new}: {server}; its owner is told when it is ready\n"
    ))
}

fn table(orders: &[FailedOrder]) -> String {
    let mut text = format!(
        "{:<36}  {:<12}  {:<20}  {:<12}  {:<24}  {:<18}  {}\n",
        "ORDER", "OWNER", "SERVER", "HOST", "FAILED", "WHY", "RETRIED AS"
    );
    for order in orders {
        let FailedOrder {
            id,
            login_id,
            server_name,
            host_name,
            failed_at,
            failure,
            detail,
            retried_as,
            ..
        } = order;
        let owner = login_id.as_deref().unwrap_or("(erased)");
        let (id, failed) = (id.to_string(), failed_at.to_string());
        let why = failure.map_or("-".to_owned(), name).replace('_', " ");
        let retried = retried_as.map_or("-".to_owned(), |order| order.to_string());
        writeln!(
            text,
            "{id:<36}  {owner:<12}  {server_name:<20}  {host_name:<12}  {failed:<24}  {why:<18}  {retried}"
        )
        .expect("text takes anything");
        if let Some(detail) = detail {
            writeln!(text, "  {detail}").expect("text takes anything");
        }
    }
    text
}
