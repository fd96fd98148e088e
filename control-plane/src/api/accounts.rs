//! Signing up and one's own account.

use innkeeper_wire::{
    api::{Me, SignupAnswer},
    endpoints::{
        Ask, Nothing,
        rest::{ConfirmEmail, GetMe, ResendConfirmation, SignUp},
    },
};

use super::{
    auth::{Customer, Visitor},
    context::Context,
    error::Refused,
};

pub(super) async fn sign_up(
    context: Context,
    Visitor(caller): Visitor,
    ask: Ask<SignUp>,
) -> Result<SignupAnswer, Refused> {
    Ok(context.nouns.accounts.sign_up(&caller, &ask.body).await?)
}

pub(super) async fn confirm_email(
    context: Context,
    Visitor(caller): Visitor,
    ask: Ask<ConfirmEmail>,
) -> Result<Nothing, Refused> {
    let accounts = &context.nouns.accounts;
    accounts.confirm_email(&caller, &ask.body.token).await?;
    Ok(Nothing)
}

pub(super) async fn resend_confirmation(
    context: Context,
    Visitor(caller): Visitor,
    ask: Ask<ResendConfirmation>,
) -> Result<Nothing, Refused> {
    let accounts = &context.nouns.accounts;
    accounts.resend_confirmation(&caller, &ask.body.login)?;
    Ok(Nothing)
}

pub(super) async fn me(
    context: Context,
    Customer(caller): Customer,
    _: Ask<GetMe>,
) -> Result<Me, Refused> {
    Ok(context.nouns.accounts.me(&caller)?)
}
