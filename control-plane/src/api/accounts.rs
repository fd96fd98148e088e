//! Signing up and one's own account.

use innkeeper_wire::{
    api::{EmailConfirmationView, Me, SignupAnswer},
    endpoints::{
        Ask, Nothing,
        rest::{
            ChangeEmail, ChangeMobile, ChangePassword, ChangeProfile, ConfirmEmail,
            ConfirmNewEmail, FindId, GetConsents, GetMe, GiveConsents, LookAtConfirmation,
            RequestPasswordReset, ResendConfirmation, ResetPassword, SignUp,
        },
    },
    member::Consents,
};

use super::{
    auth::{Customer, Proven, Session, Visitor},
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

pub(super) async fn look_at_confirmation(
    context: Context,
    Visitor(caller): Visitor,
    ask: Ask<LookAtConfirmation>,
) -> Result<EmailConfirmationView, Refused> {
    let accounts = &context.nouns.accounts;
    Ok(accounts.look_at_confirmation(&caller, &ask.body.token)?)
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

pub(super) async fn find_id(
    context: Context,
    Visitor(caller): Visitor,
    ask: Ask<FindId>,
) -> Result<Nothing, Refused> {
    context.nouns.accounts.find_ids(&caller, &ask.body.email)?;
    Ok(Nothing)
}

pub(super) async fn request_password_reset(
    context: Context,
    Visitor(caller): Visitor,
    ask: Ask<RequestPasswordReset>,
) -> Result<Nothing, Refused> {
    let (accounts, body) = (&context.nouns.accounts, &ask.body);
    accounts.request_password_reset(&caller, &body.login_id, &body.email)?;
    Ok(Nothing)
}

pub(super) async fn reset_password(
    context: Context,
    Visitor(caller): Visitor,
    ask: Ask<ResetPassword>,
) -> Result<Nothing, Refused> {
    let accounts = &context.nouns.accounts;
    accounts.reset_password(&caller, &ask.body).await?;
    Ok(Nothing)
}

pub(super) async fn change_profile(
    context: Context,
    Customer(caller): Customer,
    ask: Ask<ChangeProfile>,
) -> Result<Me, Refused> {
    let accounts = &context.nouns.accounts;
    accounts.change_profile(&caller, &ask.body).await?;
    Ok(accounts.me(&caller)?)
}

pub(super) async fn consents(
    context: Context,
    Customer(caller): Customer,
    ask: Ask<GetConsents>,
) -> Result<Consents, Refused> {
    Ok(context.nouns.accounts.consents(&caller, ask.query.lang)?)
}

pub(super) async fn give_consents(
    context: Context,
    Customer(caller): Customer,
    ask: Ask<GiveConsents>,
) -> Result<Consents, Refused> {
    let accounts = &context.nouns.accounts;
    Ok(accounts.give_consents(&caller, &ask.body).await?)
}

pub(super) async fn change_mobile(
    context: Context,
    Proven(caller): Proven,
    ask: Ask<ChangeMobile>,
) -> Result<Me, Refused> {
    let accounts = &context.nouns.accounts;
    accounts.change_mobile(&caller, &ask.body).await?;
    Ok(accounts.me(&caller)?)
}

pub(super) async fn change_email(
    context: Context,
    Proven(caller): Proven,
    ask: Ask<ChangeEmail>,
) -> Result<Me, Refused> {
    let accounts = &context.nouns.accounts;
    accounts.change_email(&caller, &ask.body).await?;
    Ok(accounts.me(&caller)?)
}

pub(super) async fn confirm_new_email(
    context: Context,
    Visitor(caller): Visitor,
    ask: Ask<ConfirmNewEmail>,
) -> Result<Nothing, Refused> {
    let accounts = &context.nouns.accounts;
    accounts.confirm_new_email(&caller, &ask.body.token).await?;
    Ok(Nothing)
}

pub(super) async fn change_password(
    context: Context,
    Session(caller, token): Session,
    ask: Ask<ChangePassword>,
) -> Result<Nothing, Refused> {
    let accounts = &context.nouns.accounts;
    accounts.change_password(&caller, &token, &ask.body).await?;
    Ok(Nothing)
}

pub(super) async fn me(
    context: Context,
    Customer(caller): Customer,
    _: Ask<GetMe>,
) -> Result<Me, Refused> {
    Ok(context.nouns.accounts.me(&caller)?)
}
