//! By which name a browser may call this portal. Whoever makes a name of their own lead here (DNS rebinding), or finds the
//! port by its address, gets no page: only what `public_url` names is served.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    http::{StatusCode, header::HOST, uri::Authority},
    middleware::Next,
    response::{IntoResponse, Response},
};
use innkeeper_listener::quiet::Trickle;
use tracing::warn;

use crate::{area::Area, portal::Portal};

/// Lines about other names: strangers cause them.
static OTHER_NAMES: Trickle = Trickle::new(20);

/// The layer: 421 (RFC 9110, 15.5.20) for every name but the portal's own.
pub async fn check(State(portal): State<Arc<Portal>>, request: Request, next: Next) -> Response {
    let asked = asked_host(&request);
    if asked.as_deref().is_some_and(|asked| portal.is_host(asked)) {
        return next.run(request).await;
    }
    if let Some(unlogged) = OTHER_NAMES.admit() {
        let public_url = &portal.public_url;
        warn!(?asked, %public_url, unlogged, "refused a request to another host name; a proxy has to pass `Host` on");
    }
    let place = match portal.area() {
        Area::Customers => format!("This portal is at {}\n", portal.public_url),
        // Where the staff's is, strangers need not hear.
        Area::Staff => "There is nothing at this address.\n".to_owned(),
    };
    (StatusCode::MISDIRECTED_REQUEST, place).into_response()
}

/// The host that was asked for, without its port; `None` when it is not named, twice, or no name of a host.
fn asked_host(request: &Request) -> Option<String> {
    let mut named = request.headers().get_all(HOST).iter();
    let authority = match (named.next(), named.next()) {
        (Some(host), None) => host.to_str().ok()?.parse::<Authority>().ok()?,
        (None, _) => request.uri().authority()?.clone(),
        (Some(_), Some(_)) => return None,
    };
    Some(authority.host().to_owned())
}
