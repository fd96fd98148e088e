//! What is charged.

use innkeeper_wire::{
    billing::MonthSoFar,
    endpoints::{Ask, rest::GetMonthSoFar},
};

use super::{auth::Customer, context::Context, error::Refused};

pub(super) async fn month_so_far(
    context: Context,
    Customer(caller): Customer,
    _: Ask<GetMonthSoFar>,
) -> Result<MonthSoFar, Refused> {
    Ok(context.nouns.billing.month_so_far(&caller)?)
}
