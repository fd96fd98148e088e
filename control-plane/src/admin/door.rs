//! Who may do what of an operator's. Whoever can open the socket may do everything that is no business of the staff's own.
//! Staff come by a door of their own: with the key of the staff's portal, from an address that is allowed, with a session,
//! and with a role for what they ask. What is not for them does not exist there.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Arc,
};

use axum::{
    Router,
    extract::{ConnectInfo, DefaultBodyLimit, FromRequestParts, Request, State},
    http::{StatusCode, request::Parts},
    middleware::{self, Next},
    response::{IntoResponse as _, Response},
};
use innkeeper_listener::Networks;
use innkeeper_wire::{
    endpoints::Who,
    error::{Problem, ProblemCode},
    id::{RequestId, StaffId},
    staff::Role,
};
use tower_http::{catch_panic::CatchPanicLayer, timeout::TimeoutLayer};

use super::{AdminContext, router};
use crate::{
    api::{
        BODY_BYTES_MAX, REQUEST_TIMEOUT,
        auth::{asked, bearer, caller},
        context::{Context, SaysPortal, identify},
        error::{self, Refused},
        mount::Admits,
    },
    kernel::{Actor, Caller, Error},
    staff::SignedInStaff,
};

/// By which door somebody has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Door {
    /// The socket, which only the service's own user can open.
    Socket,
    /// The staff's port.
    Staff,
}

macro_rules! admitted {
    ($($(#[$doc:meta])+ $name:ident;)+) => {$(
        $(#[$doc])+
        pub(crate) struct $name(pub(crate) Caller);

        impl Admits for $name {
            const WHO: Who = Who::$name;
        }

        impl FromRequestParts<AdminContext> for $name {
            type Rejection = Refused;

            async fn from_request_parts(
                parts: &mut Parts,
                context: &AdminContext,
            ) -> Result<Self, Refused> {
                context.admit(parts, Self::WHO).await.map(Self)
            }
        }
    )+};
}

admitted! {
    /// What only the machine's own people do.
    Operator;
    /// Anybody at the staff's portal.
    StaffVisitor;
    /// Staff of any role.
    Viewer;
    /// Staff who look after customers.
    Support;
    /// Staff who do technical-support jobs.
    Engineer;
    /// Staff who look after money.
    Billing;
    /// Administrators.
    Admin;
    /// Staff who look after customers, and have proved lately who they are.
    ProvenSupport;
    /// Staff who look after money, and have.
    ProvenBilling;
    /// Administrators who have.
    ProvenAdmin;
}

/// Somebody of the staff with the token of his session, who asks about his sessions, as often as he likes. Nobody has one at
/// the socket.
pub(crate) struct StaffToken {
    pub(crate) caller: Caller,
    pub(crate) token: String,
}

impl Admits for StaffToken {
    const WHO: Who = Who::Viewer;
}

impl FromRequestParts<AdminContext> for StaffToken {
    type Rejection = Refused;

    async fn from_request_parts(
        parts: &mut Parts,
        context: &AdminContext,
    ) -> Result<Self, Refused> {
        if context.door == Door::Socket {
            return Err(Error::NotFound.into());
        }
        let staff = context.staff_of(parts, Role::Viewer).await?;
        let token = bearer(parts).ok_or(Error::Unauthenticated)?;
        Ok(Self {
            caller: caller(parts, Actor::Staff(staff.id))?,
            token: token.to_owned(),
        })
    }
}

impl AdminContext {
    async fn admit(&self, parts: &Parts, who: Who) -> Result<Caller, Refused> {
        match (self.door, who, who.role()) {
            (Door::Socket, Who::StaffVisitor, _) | (Door::Staff, Who::Operator, _) => {
                Err(Error::NotFound.into())
            }
            (Door::Socket, ..) => Ok(Caller {
                actor: Actor::Operator,
                address: IpAddr::V4(Ipv4Addr::LOCALHOST),
                request: RequestId::new(self.nouns.ctx.ids()),
            }),
            (Door::Staff, _, Some(role)) => {
                let staff = self.staff_of(parts, role).await?;
                if who.wants_proof() {
                    self.nouns.staff.check_proof(&staff)?;
                }
                self.admit_staff(parts, staff.id)
            }
            (Door::Staff, ..) => caller(parts, Actor::Visitor),
        }
    }

    /// Somebody of the staff. A change is counted.
    fn admit_staff(&self, parts: &Parts, staff: StaffId) -> Result<Caller, Refused> {
        if !parts.method.is_safe() {
            self.nouns.staff.admit_change(staff)?;
        }
        caller(parts, Actor::Staff(staff))
    }

    async fn staff_of(&self, parts: &Parts, needed: Role) -> Result<SignedInStaff, Refused> {
        let token = bearer(parts).ok_or(Error::Unauthenticated)?;
        let staff = self.nouns.staff.authenticate(token, asked(parts)?).await?;
        if !staff.role.may(needed) {
            let detail = format!("this is for the role {}", needed.as_str());
            return Err(Refused::because(ProblemCode::NotYourRole, detail));
        }
        Ok(staff)
    }
}

/// The staff's door: the operators' endpoints as far as they are for a role.
pub fn staff_router(context: AdminContext, identity: Context, sources: Arc<Networks>) -> Router {
    let at_the_door = AdminContext {
        door: Door::Staff,
        ..context
    };
    router(at_the_door)
        .fallback(error::no_such_route)
        .method_not_allowed_fallback(error::no_such_method)
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(middleware::from_fn(portal_alone))
        .layer(CatchPanicLayer::custom(error::panicked))
        .layer(TimeoutLayer::with_status_code(
            StatusCode::SERVICE_UNAVAILABLE,
            REQUEST_TIMEOUT,
        ))
        .layer(middleware::from_fn_with_state(identity, identify))
        .layer(middleware::from_fn_with_state(sources, allowed_alone))
}

/// For whoever has not the key of the staff's portal there is nothing here.
async fn portal_alone(request: Request, next: Next) -> Response {
    match request.extensions().get::<SaysPortal>() {
        Some(SaysPortal::Rightly) => next.run(request).await,
        Some(SaysPortal::No | SaysPortal::Wrongly) | None => nothing(),
    }
}

/// Nor for whoever comes from elsewhere.
async fn allowed_alone(
    State(sources): State<Arc<Networks>>,
    request: Request,
    next: Next,
) -> Response {
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>();
    if peer.is_some_and(|peer| sources.contain(peer.0.ip().to_canonical())) {
        return next.run(request).await;
    }
    nothing()
}

fn nothing() -> Response {
    Refused(Box::new(Problem::new(ProblemCode::NotFound))).into_response()
}
