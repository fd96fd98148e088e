//! One request as the pages see it: who comes from where, in which language, bound to which forms. Made
//! by the outermost layer, which also turns every failure into a designed page.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use axum::{
    extract::{ConnectInfo, FromRequestParts, Request, State},
    http::{
        HeaderMap, Method, Uri,
        header::{CONTENT_TYPE, SET_COOKIE},
        request::Parts,
    },
    middleware::Next,
    response::Response,
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use innkeeper_listener::client_of;
use innkeeper_wire::{
    api::Locale,
    endpoints::{Ask, Endpoint},
    time::Timestamp,
};
use serde::de::DeserializeOwned;

use crate::{
    api::{ApiError, Caller},
    cookies::{Cookie, SessionToken},
    failure::Failure,
    language,
    notice::Notice,
    portal::{Facts, Portal},
};

/// Longest time that a page may take; the API client gives up before.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(20);
/// How long a chosen language is kept.
const LANGUAGE_KEPT: Duration = Duration::from_secs(365 * 86_400);

/// One request.
pub struct Visit {
    /// What all requests share.
    pub portal: Arc<Portal>,
    /// The visitor's language.
    pub locale: Locale,
    /// Where he comes from.
    pub address: IpAddr,
    /// His session, if he has a cookie for one; the API decides whether it is any good.
    pub session: Option<SessionToken>,
    /// The public facts; `None` while the API has not answered yet.
    pub facts: Option<Arc<Facts>>,
    /// When the request came.
    pub now: Timestamp,
    /// How the page was asked for.
    pub method: Method,
    /// Path and query.
    pub uri: Uri,
    /// What to say about the last deed.
    pub notice: Option<Notice>,
    /// The ID to prefill.
    pub login: Option<String>,
    seed: Seed,
}

/// What forms are bound to.
enum Seed {
    /// The session, or the cookie of somebody who has none.
    Known(String),
    /// Such a cookie, still to be set.
    Fresh(String),
}

/// A visit by somebody with a session. Others are sent to sign in.
pub struct Member(pub Arc<Visit>);

impl Visit {
    async fn of(portal: Arc<Portal>, request: &Parts) -> Self {
        let headers = &request.headers;
        // The accept loop puts it there.
        let peer = request.extensions.get::<ConnectInfo<SocketAddr>>();
        let peer = peer.map_or(IpAddr::V4(Ipv4Addr::LOCALHOST), |peer| peer.0.ip());
        let transport = portal.transport;
        let session = Cookie::Session
            .read(headers, transport)
            .and_then(|text| SessionToken::new(&text));
        let visitor = Cookie::Visitor
            .read(headers, transport)
            .filter(|text| text.len() >= 16);
        let seed = match (&session, visitor) {
            (Some(token), _) => Seed::Known(token.expose().to_owned()),
            (None, Some(visitor)) => Seed::Known(visitor),
            (None, None) => Seed::Fresh(URL_SAFE_NO_PAD.encode(rand::random::<[u8; 18]>())),
        };
        let address = client_of(peer, headers, &portal.trusted_proxies);
        let caller = Caller {
            token: None,
            address,
        };
        let facts = portal.facts(caller).await;
        Self {
            locale: locale_of(&request.uri, headers, &portal),
            address,
            session,
            facts,
            now: portal.clock.now(),
            method: request.method.clone(),
            uri: request.uri.clone(),
            notice: Cookie::Notice
                .read(headers, transport)
                .and_then(|code| Notice::by_code(&code)),
            login: Cookie::Login
                .read(headers, transport)
                .and_then(|text| decode(&text)),
            seed,
            portal,
        }
    }

    /// On whose behalf the API is called.
    #[must_use]
    pub fn caller(&self) -> Caller<'_> {
        Caller {
            token: self.session.as_ref(),
            address: self.address,
        }
    }

    /// Asks the API on behalf of the visitor.
    pub async fn ask<E>(&self, ask: Ask<E>) -> Result<E::Answer, ApiError>
    where
        E: Endpoint<Answer: DeserializeOwned>,
    {
        self.portal.api.call(self.caller(), ask).await
    }

    /// The public facts, or the failure to show without them.
    pub fn facts(&self) -> Result<&Facts, Failure> {
        self.facts.as_deref().ok_or(Failure::Unavailable)
    }

    /// A text in the visitor's language.
    #[must_use]
    pub fn say(&self, key: &str) -> String {
        language::say(self.locale, key)
    }

    /// The token that this visitor's forms carry.
    #[must_use]
    pub fn form_token(&self) -> String {
        self.portal.form_token(self.seed())
    }

    /// Whether a form was made for this visitor.
    #[must_use]
    pub fn is_form_token(&self, token: &str) -> bool {
        // A cookie that is only about to be set can't have been in a page already.
        matches!(self.seed, Seed::Known(_)) && self.portal.is_form_token(self.seed(), token)
    }

    /// Sets the cookies that a page needs, and drops the notice that it has shown.
    pub fn set_page_cookies(&self, headers: &mut HeaderMap) {
        let transport = self.portal.transport;
        if let Seed::Fresh(visitor) = &self.seed {
            headers.append(SET_COOKIE, Cookie::Visitor.set(visitor, None, transport));
        }
        if self.notice.is_some() {
            headers.append(SET_COOKIE, Cookie::Notice.clear(transport));
        }
    }

    /// This page's path, as a link can hold it: browsers take `//other.example/` and `/\other.example/` for another
    /// site.
    #[must_use]
    pub fn path(&self) -> String {
        let within = self.uri.path().trim_start_matches(['/', '\\']);
        format!("/{within}")
    }

    /// This page's address, without the choice of a language.
    #[must_use]
    pub fn here(&self) -> String {
        let mut pairs = query_pairs(&self.uri);
        pairs.retain(|(key, _)| key != "lang");
        let query = serde_urlencoded::to_string(&pairs).expect("texts only");
        let path = self.path();
        if query.is_empty() {
            path
        } else {
            format!("{path}?{query}")
        }
    }

    fn seed(&self) -> &str {
        match &self.seed {
            Seed::Known(seed) | Seed::Fresh(seed) => seed,
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Member {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Failure> {
        let visit = parts
            .extensions
            .get::<Arc<Visit>>()
            .ok_or(Failure::Internal)?;
        if visit.session.is_none() {
            return Err(Failure::SignInFirst);
        }
        Ok(Self(visit.clone()))
    }
}

/// The outermost layer of all pages.
pub async fn begin(State(portal): State<Arc<Portal>>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let visit = Arc::new(Visit::of(portal, &parts).await);
    let chosen = chosen_language(&parts.uri);
    parts.extensions.insert(visit.clone());
    let request = Request::from_parts(parts, body);
    let mut response = match tokio::time::timeout(REQUEST_TIMEOUT, next.run(request)).await {
        Ok(response) => response,
        Err(_) => Failure::Unavailable.into_marker(),
    };
    let failure = response.extensions_mut().remove::<Failure>();
    let is_page = response.headers().contains_key(CONTENT_TYPE);
    if let Some(failure) = failure {
        response = failure.page(&visit, response);
    } else if !is_page
        && (response.status().is_client_error() || response.status().is_server_error())
    {
        // A refusal of axum's own, such as 405.
        let failure = Failure::of_status(response.status());
        response = failure.page(&visit, response);
    }
    if let Some(locale) = chosen {
        let tag = language::tag(locale);
        let cookie = Cookie::Language.set(tag, Some(LANGUAGE_KEPT), visit.portal.transport);
        response.headers_mut().append(SET_COOKIE, cookie);
    }
    response
}

/// Puts a text into the alphabet of cookies.
#[must_use]
pub fn encode(text: &str) -> String {
    URL_SAFE_NO_PAD.encode(text)
}

/// Takes it out again.
#[must_use]
pub fn decode(text: &str) -> Option<String> {
    let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
    String::from_utf8(bytes).ok()
}

/// The pairs of a query; none if it is malformed.
#[must_use]
pub fn query_pairs(uri: &Uri) -> Vec<(String, String)> {
    serde_urlencoded::from_str(uri.query().unwrap_or_default()).unwrap_or_default()
}

fn chosen_language(uri: &Uri) -> Option<Locale> {
    let pairs = query_pairs(uri);
    let (_, tag) = pairs.iter().find(|(name, _)| name == "lang")?;
    language::by_tag(tag)
}

fn locale_of(uri: &Uri, headers: &HeaderMap, portal: &Portal) -> Locale {
    let kept = || Cookie::Language.read(headers, portal.transport);
    chosen_language(uri)
        .or_else(|| kept().and_then(|tag| language::by_tag(&tag)))
        .unwrap_or_else(|| language::negotiate(headers))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_keep_all_pairs() {
        let uri: Uri = "/servers?q=a%26b&state=running&lang=ko"
            .parse()
            .expect("a path");
        assert_eq!(query_pairs(&uri).len(), 3);
        assert_eq!(
            decode(&encode("me@example.net")).as_deref(),
            Some("me@example.net")
        );
        assert_eq!(decode("%%"), None);
    }
}
