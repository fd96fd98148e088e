//! The second factor of the signed-in account, and of one whose owner has lost it.

use innkeeper_wire::{
    api::{LostFactor, RecoveryCodes, SecondFactor, SecondFactorSecret},
    endpoints::{
        Ask, Nothing,
        rest::{
            BeginSecondFactor, CancelLostFactor, ConfirmSecondFactor, GetSecondFactor,
            RemoveSecondFactor, RenewRecoveryCodes, RequestLostFactor,
        },
    },
};

use super::{
    auth::{Customer, Session, Visitor},
    context::Context,
    error::Refused,
};

pub(super) async fn show(
    context: Context,
    Session(caller, token): Session,
    _: Ask<GetSecondFactor>,
) -> Result<SecondFactor, Refused> {
    Ok(context.nouns.accounts.second_factor(&caller, &token)?)
}

pub(super) async fn begin(
    context: Context,
    Session(caller, token): Session,
    ask: Ask<BeginSecondFactor>,
) -> Result<SecondFactorSecret, Refused> {
    let accounts = &context.nouns.accounts;
    let begun = accounts.begin_second_factor(&caller, &token, &ask.body);
    Ok(begun.await?)
}

pub(super) async fn confirm(
    context: Context,
    Session(caller, token): Session,
    ask: Ask<ConfirmSecondFactor>,
) -> Result<RecoveryCodes, Refused> {
    let accounts = &context.nouns.accounts;
    let confirmed = accounts.confirm_second_factor(&caller, &token, &ask.body.code);
    Ok(confirmed.await?)
}

pub(super) async fn renew(
    context: Context,
    Customer(caller): Customer,
    ask: Ask<RenewRecoveryCodes>,
) -> Result<RecoveryCodes, Refused> {
    let accounts = &context.nouns.accounts;
    Ok(accounts.renew_recovery_codes(&caller, &ask.body).await?)
}

pub(super) async fn remove(
    context: Context,
    Customer(caller): Customer,
    ask: Ask<RemoveSecondFactor>,
) -> Result<Nothing, Refused> {
    let accounts = &context.nouns.accounts;
    accounts.remove_second_factor(&caller, &ask.body).await?;
    Ok(Nothing)
}

pub(super) async fn ask_lost(
    context: Context,
    Visitor(caller): Visitor,
    ask: Ask<RequestLostFactor>,
) -> Result<LostFactor, Refused> {
    let accounts = &context.nouns.accounts;
    let asked = accounts.request_lost_factor(&caller, &ask.body.challenge);
    Ok(asked.await?)
}

pub(super) async fn cancel_lost(
    context: Context,
    Visitor(caller): Visitor,
    ask: Ask<CancelLostFactor>,
) -> Result<Nothing, Refused> {
    let accounts = &context.nouns.accounts;
    accounts
        .cancel_lost_factor(&caller, &ask.body.token)
        .await?;
    Ok(Nothing)
}
