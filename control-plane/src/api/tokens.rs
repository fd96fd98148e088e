//! API tokens of the signed-in account.

use innkeeper_wire::{
    api::{ApiToken, NewApiToken, Page},
    endpoints::{
        Ask, Nothing,
        rest::{EnableToken, EndToken, ListTokens, MakeToken},
    },
};

use super::{
    auth::{Customer, Proven},
    context::Context,
    error::Refused,
};

pub(super) async fn list(
    context: Context,
    Customer(caller): Customer,
    _: Ask<ListTokens>,
) -> Result<Page<ApiToken>, Refused> {
    Ok(context.nouns.accounts.api_tokens(&caller)?)
}

pub(super) async fn make(
    context: Context,
    Proven(caller): Proven,
    ask: Ask<MakeToken>,
) -> Result<NewApiToken, Refused> {
    let accounts = &context.nouns.accounts;
    Ok(accounts.make_api_token(&caller, &ask.body).await?)
}

pub(super) async fn end(
    context: Context,
    Proven(caller): Proven,
    ask: Ask<EndToken>,
) -> Result<Nothing, Refused> {
    let accounts = &context.nouns.accounts;
    accounts.end_api_token(&caller, ask.path).await?;
    Ok(Nothing)
}

pub(super) async fn enable(
    context: Context,
    Proven(caller): Proven,
    ask: Ask<EnableToken>,
) -> Result<ApiToken, Refused> {
    let accounts = &context.nouns.accounts;
    Ok(accounts.enable_api_token(&caller, ask.path).await?)
}
