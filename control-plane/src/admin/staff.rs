//! `staff`: who of the hoster's people may come in by their door; and what they do at it themselves.

use std::{fmt::Write as _, path::Path};

use axum::Router;
use innkeeper_wire::{
    api::{Catalogue, Installation, Session},
    endpoints::{
        Ask, Endpoint as _, Nothing,
        operators::{
            AddStaff, ChangeRole, DisableStaff, EndOtherStaffSessions, EndStaffSession, Enrol,
            GetCatalogue, GetInstallation, GetStaffMe, ListStaff, ListStaffSessions,
            LookAtEnrolment, ProveStaff, ResetStaff, StaffSignIn, StaffSignOut,
        },
    },
    staff::{
        AddStaffRequest, ChangeRoleRequest, Enrolment, Role, StaffInvitation, StaffMe, StaffMember,
        StaffSession,
    },
};

use super::{Admin, AdminContext, Operator, Printed, StaffToken, StaffVisitor, Viewer, ask};
use crate::{
    api::{catalogue, error::Refused, mount::Mount as _},
    kernel::{Actor, Error},
};

/// What is asked about staff, and by them about themselves.
pub(super) fn served() -> Router<AdminContext> {
    Router::new()
        .serve(look)
        .serve(enrol)
        .serve(installation)
        .serve(catalogue)
        .serve(sign_in)
        .serve(sign_out)
        .serve(sessions)
        .serve(end_others)
        .serve(end_session)
        .serve(prove)
        .serve(me)
        .serve(list)
        .serve(add)
        .serve(reset)
        .serve(change_role)
        .serve(disable)
}

async fn look(
    context: AdminContext,
    StaffVisitor(caller): StaffVisitor,
    ask: Ask<LookAtEnrolment>,
) -> Result<Enrolment, Refused> {
    let staff = &context.nouns.staff;
    Ok(staff.look_at_enrolment(&caller, &ask.body.token)?)
}

async fn enrol(
    context: AdminContext,
    StaffVisitor(caller): StaffVisitor,
    ask: Ask<Enrol>,
) -> Result<Nothing, Refused> {
    context.nouns.staff.enrol(&caller, &ask.body).await?;
    Ok(Nothing)
}

async fn installation(
    context: AdminContext,
    _: StaffVisitor,
    _: Ask<GetInstallation>,
) -> Result<Installation, Refused> {
    Ok(catalogue::shown(&context.nouns.settings))
}

async fn catalogue(
    context: AdminContext,
    _: StaffVisitor,
    _: Ask<GetCatalogue>,
) -> Result<Catalogue, Refused> {
    Ok(catalogue::offered(&context.nouns)?)
}

async fn sign_in(
    context: AdminContext,
    StaffVisitor(caller): StaffVisitor,
    ask: Ask<StaffSignIn>,
) -> Result<StaffSession, Refused> {
    Ok(context.nouns.staff.sign_in(&caller, &ask.body).await?)
}

async fn sign_out(
    context: AdminContext,
    StaffToken { token, .. }: StaffToken,
    _: Ask<StaffSignOut>,
) -> Result<Nothing, Refused> {
    context.nouns.staff.sign_out(&token).await?;
    Ok(Nothing)
}

async fn sessions(
    context: AdminContext,
    StaffToken { token, .. }: StaffToken,
    _: Ask<ListStaffSessions>,
) -> Result<Vec<Session>, Refused> {
    Ok(context.nouns.staff.sessions(&token)?)
}

async fn end_others(
    context: AdminContext,
    StaffToken { token, .. }: StaffToken,
    _: Ask<EndOtherStaffSessions>,
) -> Result<Nothing, Refused> {
    context.nouns.staff.end_other_sessions(&token).await?;
    Ok(Nothing)
}

async fn end_session(
    context: AdminContext,
    StaffToken { token, .. }: StaffToken,
    ask: Ask<EndStaffSession>,
) -> Result<Nothing, Refused> {
    context.nouns.staff.end_session(&token, ask.path).await?;
    Ok(Nothing)
}

async fn prove(
    context: AdminContext,
    StaffToken { caller, token }: StaffToken,
    ask: Ask<ProveStaff>,
) -> Result<Nothing, Refused> {
    context
        .nouns
        .staff
        .prove(&caller, &token, &ask.body)
        .await?;
    Ok(Nothing)
}

async fn me(
    context: AdminContext,
    Viewer(caller): Viewer,
    _: Ask<GetStaffMe>,
) -> Result<StaffMe, Refused> {
    match caller.actor {
        Actor::Staff(id) => Ok(context.nouns.staff.me(id)?),
        Actor::Visitor
        | Actor::Account(_)
        | Actor::Token(..)
        | Actor::Host(_)
        | Actor::Operator
        | Actor::System => Err(Error::NotFound.into()),
    }
}

async fn list(
    context: AdminContext,
    _: Admin,
    _: Ask<ListStaff>,
) -> Result<Vec<StaffMember>, Refused> {
    Ok(context.nouns.staff.list()?)
}

async fn add(
    context: AdminContext,
    Operator(caller): Operator,
    ask: Ask<AddStaff>,
) -> Result<StaffInvitation, Refused> {
    Ok(context.nouns.staff.add(caller.actor, &ask.body).await?)
}

async fn reset(
    context: AdminContext,
    Operator(caller): Operator,
    ask: Ask<ResetStaff>,
) -> Result<StaffInvitation, Refused> {
    Ok(context.nouns.staff.reset(caller.actor, &ask.path).await?)
}

async fn change_role(
    context: AdminContext,
    Operator(caller): Operator,
    ask: Ask<ChangeRole>,
) -> Result<Nothing, Refused> {
    let Ask { path, body, .. } = ask;
    let staff = &context.nouns.staff;
    staff.change_role(caller.actor, &path, body.role).await?;
    Ok(Nothing)
}

async fn disable(
    context: AdminContext,
    Operator(caller): Operator,
    ask: Ask<DisableStaff>,
) -> Result<Nothing, Refused> {
    context.nouns.staff.disable(caller.actor, &ask.path).await?;
    Ok(Nothing)
}

/// `staff add`.
pub async fn add_by_command(
    socket: &Path,
    name: &str,
    role: Role,
    email: &str,
) -> anyhow::Result<String> {
    let request = AddStaffRequest {
        name: name.to_owned(),
        role,
        email: email.to_owned(),
    };
    Ok(invitation(&ask(socket, AddStaff::with(request)).await?))
}

/// `staff reset-totp`.
pub async fn reset_by_command(socket: &Path, name: &str) -> anyhow::Result<String> {
    let asked = ResetStaff::at(name.to_owned());
    Ok(invitation(&ask(socket, asked).await?))
}

/// `staff role`.
pub async fn change_role_by_command(
    socket: &Path,
    name: &str,
    role: Role,
) -> anyhow::Result<String> {
    let asked = ChangeRole::at_with(name.to_owned(), ChangeRoleRequest { role });
    ask(socket, asked).await?;
    Ok(format!("{name} is {} from now on\n", role.as_str()))
}

/// `staff disable`.
pub async fn disable_by_command(socket: &Path, name: &str) -> anyhow::Result<String> {
    ask(socket, DisableStaff::at(name.to_owned())).await?;
    Ok(format!(
        "{name} can't sign in any more; `staff reset-totp {name}` brings him back\n"
    ))
}

/// `staff list`.
pub async fn list_by_command(socket: &Path, printed: Printed) -> anyhow::Result<String> {
    let staff = ask(socket, ListStaff::ask()).await?;
    printed.list(&staff, table)
}

fn invitation(invitation: &StaffInvitation) -> String {
    let StaffInvitation {
        name,
        link,
        expires_at,
    } = invitation;
    format!(
        "{name} chooses a password and sets up an authenticator app here, once, until {expires_at}:\n{link}\n"
    )
}

fn table(staff: &[StaffMember]) -> String {
    if staff.is_empty() {
        return "nobody is of the staff; `staff add` adds somebody\n".to_owned();
    }
    let mut text = format!(
        "{:<32}  {:<8}  {:<8}  {:<24}  {}\n",
        "NAME", "ROLE", "STATE", "SINCE", "MAIL"
    );
    for member in staff {
        let StaffMember {
            name,
            role,
            standing,
            email,
            created_at,
            ..
        } = member;
        let (role, standing) = (role.as_str(), standing.as_str());
        let created_at = created_at.to_string();
        writeln!(
            text,
            "{name:<32}  {role:<8}  {standing:<8}  {created_at:<24}  {email}"
        )
        .expect("text takes anything");
    }
    text
}
