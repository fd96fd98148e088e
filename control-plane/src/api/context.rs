//! What every request gets: a name for the logs, the client's address, and a place in the metrics.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use axum::{
    extract::{ConnectInfo, MatchedPath, Request, State},
    http::{
        HeaderMap, HeaderValue,
        header::{CACHE_CONTROL, HeaderName},
    },
    middleware::Next,
    response::Response,
};
use innkeeper_listener::client::{Networks, client_of, first_forwarded};
use innkeeper_wire::{digest::Digest, id::RequestId};

use super::error;
use crate::{metrics::Metrics, nouns::Nouns};

/// Header in which the portal proves that it is the portal.
pub const PORTAL_KEY: HeaderName = HeaderName::from_static("x-innkeeper-portal-key");
/// Header by which a portal is told that its key is not the one of this API.
pub const PORTAL_REFUSED: HeaderName = HeaderName::from_static("x-innkeeper-portal-refused");
/// Header in which the request's name is answered.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Shared by all handlers.
#[derive(Clone)]
pub struct Context {
    /// The application.
    pub nouns: Nouns,
    /// Where requests are counted.
    pub metrics: Metrics,
    /// Hash of the portal's key; the key itself is not kept.
    pub portal_key: Digest,
    /// Who is believed about the clients' addresses.
    pub trusted_proxies: Arc<Networks>,
}

/// One request's name and origin; an extension that [`identify`] sets.
#[derive(Debug, Clone, Copy)]
pub(super) struct Origin {
    pub(super) request: RequestId,
    pub(super) address: IpAddr,
}

/// Names the request, finds out whose it is, counts it, and writes the name into the answer.
pub(crate) async fn identify(
    State(context): State<Context>,
    mut request: Request,
    next: Next,
) -> Response {
    let peer = request
        .extensions()
        .get::<ConnectInfo<SocketAddr>>()
        .map(|info| info.0.ip());
    let caller = says_portal(request.headers(), context.portal_key);
    let origin = Origin {
        request: RequestId::new(context.nouns.ctx.ids()),
        address: client_address(request.headers(), caller, peer, &context.trusted_proxies),
    };
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map_or("none".to_owned(), |path| path.as_str().to_owned());
    let method = request.method().clone();
    request.extensions_mut().insert(origin);
    request.extensions_mut().insert(caller);
    let started = tokio::time::Instant::now();
    let response = next.run(request).await;
    let seconds = started.elapsed().as_secs_f64();
    context
        .metrics
        .request(&method, &route, response.status(), seconds);
    let mut response = error::name_request(response, origin.request).await;
    // Sessions' tokens and what belongs to a person must lie in no cache. Whoever answers with something public that is
    // worth keeping says so.
    response
        .headers_mut()
        .entry(CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
    if caller == SaysPortal::Wrongly {
        // Answered all the same, as anybody: but all of its customers are one to us then, and somebody must know.
        let refused = HeaderValue::from_static("the key is another one");
        response.headers_mut().insert(PORTAL_REFUSED, refused);
    }
    if let Ok(name) = HeaderValue::from_str(&origin.request.to_string()) {
        response.headers_mut().insert(REQUEST_ID, name);
    }
    response
}

/// Whether somebody says that he is the portal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SaysPortal {
    No,
    Rightly,
    Wrongly,
}

fn says_portal(headers: &HeaderMap, portal_key: Digest) -> SaysPortal {
    // Comparing hashes takes the same time however much of the key is right.
    match headers.get(PORTAL_KEY) {
        None => SaysPortal::No,
        Some(key) if Digest::of(key.as_bytes()) == portal_key => SaysPortal::Rightly,
        Some(_) => SaysPortal::Wrongly,
    }
}

/// The client's address: what the portal says if it is the portal, else the other end of the connection, or whom
/// trusted proxies have it from.
fn client_address(
    headers: &HeaderMap,
    caller: SaysPortal,
    peer: Option<IpAddr>,
    trusted: &Networks,
) -> IpAddr {
    let peer = peer.unwrap_or(IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED));
    // The portal names its visitor alone; a proxy between us adds the portal behind him.
    let visitor = match caller {
        SaysPortal::Rightly => first_forwarded(headers),
        SaysPortal::No | SaysPortal::Wrongly => None,
    };
    visitor.unwrap_or_else(|| client_of(peer, headers, trusted))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_portal_with_another_key_is_told_from_nobody() {
        let said = |key: Option<&'static str>| {
            let mut headers = HeaderMap::new();
            if let Some(key) = key {
                headers.insert(PORTAL_KEY, HeaderValue::from_static(key));
            }
            says_portal(&headers, Digest::of(b"secret"))
        };
        assert_eq!(said(None), SaysPortal::No);
        assert_eq!(said(Some("secret")), SaysPortal::Rightly);
        assert_eq!(said(Some("another")), SaysPortal::Wrongly);
    }

    #[test]
    fn only_the_portal_and_trusted_proxies_are_believed() {
        let address = |text: &str| text.parse::<IpAddr>().expect("an address");
        let check = |key: Option<&'static str>, forwarded: &'static str, peer, expected| {
            let mut headers = HeaderMap::new();
            headers.insert("x-forwarded-for", HeaderValue::from_static(forwarded));
            if let Some(key) = key {
                headers.insert(PORTAL_KEY, HeaderValue::from_static(key));
            }
            let caller = says_portal(&headers, Digest::of(b"secret"));
            let seen = client_address(&headers, caller, Some(address(peer)), &Networks::loopback());
            assert_eq!(seen, address(expected), "{key:?} {forwarded} {peer}");
        };
        let (stranger, client) = ("192.0.2.1", "198.51.100.7");
        check(Some("secret"), client, stranger, client);
        check(Some("guess"), client, stranger, stranger);
        check(None, client, stranger, stranger);
        check(Some("secret"), "not an address", stranger, stranger);
        // Row B4: through a proxy, and the portal through a proxy.
        check(None, client, "127.0.0.1", client);
        check(None, "203.0.113.9, 198.51.100.7", "127.0.0.1", client);
        check(
            Some("secret"),
            "198.51.100.7, 192.0.2.1",
            "127.0.0.1",
            client,
        );
    }
}
