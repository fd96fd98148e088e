//! The second factor of the signed-in account.

use innkeeper_wire::{
    api::{RecoveryCodes, SecondFactor, SecondFactorSecret},
    endpoints::{
        Ask, Nothing,
        rest::{
            BeginSecondFactor, ConfirmSecondFactor, GetSecondFactor, RemoveSecondFactor,
            RenewRecoveryCodes,
        },
    },
};

use super::{
    auth::{Customer, Session},
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
