//! One request as the pages see it: who comes from where, in which language, to which page, bound to which forms.
//! Made by the outermost layer, `front`.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Arc,
};

use axum::{
    extract::{ConnectInfo, FromRequestParts},
    http::{
        HeaderMap, Method, Uri,
        header::{HOST, SET_COOKIE},
        request::Parts,
    },
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use hyper::body::Bytes;
use innkeeper_listener::client_of;
use innkeeper_wire::{
    api::{Locale, Suspension},
    endpoints::{Ask, Endpoint, rest::GetMe},
    time::Timestamp,
    zone::Zone,
};
use serde::de::DeserializeOwned;

use crate::{
    api::{ApiError, Caller},
    area::Area,
    cookies::{Cookie, SessionToken},
    failure::Failure,
    language,
    notice::Notice,
    portal::{Facts, Portal},
    sitemap::{Kind, Place, Row, Who},
};

/// One request.
#[derive(Clone)]
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
    /// The name by which the browser calls this site.
    pub host: Option<String>,
    /// The page that was asked for, if there is such a page.
    pub row: Option<&'static Row>,
    /// What to say about the last deed.
    pub notice: Option<Notice>,
    /// The ID that its owner wants to be remembered (R9).
    pub remembered: Option<String>,
    /// The ID of whoever has just signed up here.
    pub newcomer: Option<String>,
    /// Where he wanted to go.
    pub wanted: Option<String>,
    /// The time zone of his account, if he has a session.
    pub account_zone: Option<Zone>,
    /// Whose session it is, or was the last one in this browser.
    pub account: Option<String>,
    /// That his account is suspended, which each of his pages says.
    pub suspension: Option<Suspension>,
    seed: Seed,
}

/// What forms are bound to.
#[derive(Clone)]
enum Seed {
    /// The session, or the cookie of somebody who has none.
    Known(String),
    /// Such a cookie, still to be set.
    Fresh(String),
}

/// A visit by somebody with a session. Others are sent to sign in.
pub struct Member(pub Arc<Visit>);

impl Visit {
    /// The visit that a request is.
    pub async fn of(portal: Arc<Portal>, request: &Parts, row: Option<&'static Row>) -> Self {
        let headers = &request.headers;
        // The accept loop puts it there.
        let peer = request.extensions.get::<ConnectInfo<SocketAddr>>();
        let peer = peer.map_or(IpAddr::V4(Ipv4Addr::LOCALHOST), |peer| peer.0.ip());
        let transport = portal.transport;
        let session = Cookie::Session
            .read(headers, transport)
            .and_then(|text| SessionToken::new(&text));
        let seed = match &session {
            Some(token) => Seed::Known(token.expose().to_owned()),
            None => stranger(headers, &portal),
        };
        let address = client_of(peer, headers, &portal.trusted_proxies);
        let caller = Caller {
            token: None,
            address,
        };
        let says_suspension = request.method == Method::GET
            && portal.area() == Area::Customers
            && row.is_some_and(|row| row.who == Who::Members && row.kind == Kind::Page);
        let member = session.as_ref().filter(|_| says_suspension);
        let (facts, suspension) = tokio::join!(
            portal.facts(caller),
            suspension_of(&portal, member, address)
        );
        Self {
            locale: locale_of(&request.uri, headers, &portal),
            address,
            session,
            facts,
            now: portal.clock.now(),
            method: request.method.clone(),
            uri: request.uri.clone(),
            host: headers
                .get(HOST)
                .and_then(|value| value.to_str().ok())
                .map(str::to_owned),
            row,
            notice: Cookie::Notice
                .read(headers, transport)
                .and_then(|code| Notice::by_code(&code)),
            remembered: text_of(Cookie::Login, headers, &portal),
            newcomer: text_of(Cookie::Newcomer, headers, &portal),
            wanted: text_of(Cookie::Next, headers, &portal),
            account_zone: text_of(Cookie::AccountZone, headers, &portal)
                .and_then(|name| name.parse().ok()),
            account: Cookie::Account.read(headers, transport),
            suspension,
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

    /// Asks the API for a file.
    pub async fn fetch<E: Endpoint>(&self, ask: Ask<E>) -> Result<Bytes, ApiError> {
        self.portal.api.fetch(self.caller(), ask).await
    }

    /// The public facts, or the failure to show without them.
    pub fn facts(&self) -> Result<&Facts, Failure> {
        self.facts.as_deref().ok_or(Failure::Unavailable)
    }

    /// The entry of the navigation that the page belongs to.
    #[must_use]
    pub fn place(&self) -> Place {
        self.row.map_or(Place::None, |row| row.place)
    }

    /// Whether a script asks for a part of a page: nobody reads a notice there.
    #[must_use]
    pub fn is_part(&self) -> bool {
        self.row.is_some_and(|row| row.kind == Kind::Part)
    }

    /// The ID to fill in at a sign-in.
    #[must_use]
    pub fn login(&self) -> &str {
        let known = self.newcomer.as_ref().or(self.remembered.as_ref());
        known.map_or("", String::as_str)
    }

    /// The shortest password that the installation takes, 0 while that is not known.
    #[must_use]
    pub fn password_length_min(&self) -> usize {
        let facts = self.facts.as_ref();
        facts.map_or(0, |facts| facts.installation.password_length_min)
    }

    /// The time zone of exact times: that of the account, or of the installation.
    #[must_use]
    pub fn zone(&self) -> Zone {
        if let Some(zone) = self.account_zone.clone().filter(|_| self.session.is_some()) {
            return zone;
        }
        let facts = self.facts.as_deref();
        facts.map_or_else(Zone::default, |facts| facts.installation.time_zone.clone())
    }

    /// A text in the visitor's language.
    #[must_use]
    pub fn say(&self, key: &str) -> String {
        language::say(self.locale, key)
    }

    /// The token that this visitor's forms carry. It says for a member whose form it is, since that is asked for when his
    /// session is gone.
    #[must_use]
    pub fn form_token(&self) -> String {
        let token = self.portal.form_token(self.seed());
        match &self.session {
            Some(_) => format!("{token}.{}", self.owner_tag()),
            None => token,
        }
    }

    /// Whether a form was made for this visitor.
    #[must_use]
    pub fn is_form_token(&self, token: &str) -> bool {
        let (token, _) = token.split_once('.').unwrap_or((token, ""));
        // A cookie that is only about to be set can't have been in a page already.
        matches!(self.seed, Seed::Known(_)) && self.portal.is_form_token(self.seed(), token)
    }

    /// Whether a form was made for the account whose session is or was the last one in this browser, in whatever session.
    #[must_use]
    pub fn is_own_form(&self, token: &str) -> bool {
        let tag = token.split_once('.').map(|(_, tag)| tag);
        tag == Some(self.owner_tag().as_str())
    }

    /// To whom what he types belongs: to his account, or to this browser before he has signed in.
    #[must_use]
    pub fn owner(&self) -> String {
        match &self.session {
            Some(_) => self.owner_signed_in(),
            None => format!("visitor {}", self.seed()),
        }
    }

    /// To whom it belongs once he has signed in again.
    #[must_use]
    pub fn owner_signed_in(&self) -> String {
        format!("account {}", self.owner_tag())
    }

    fn owner_tag(&self) -> String {
        let account = self.account.as_deref().unwrap_or_default();
        self.portal.owner_tag(account)
    }

    /// Whether the browser has sent none of the cookies that forms are bound to.
    #[must_use]
    pub fn is_unknown(&self) -> bool {
        matches!(self.seed, Seed::Fresh(_))
    }

    /// Sets the cookies that a page needs, and drops the notice that it has shown.
    pub fn set_page_cookies(&self, headers: &mut HeaderMap) {
        self.set_form_cookie(headers);
        if self.notice.is_some() {
            headers.append(SET_COOKIE, Cookie::Notice.clear(self.portal.transport));
        }
    }

    /// Sets the cookie that the page's forms are bound to.
    pub fn set_form_cookie(&self, headers: &mut HeaderMap) {
        if let Seed::Fresh(visitor) = &self.seed {
            let cookie = Cookie::Visitor.set(visitor, None, self.portal.transport);
            headers.append(SET_COOKIE, cookie);
        }
    }

    /// This page's path, as a link can hold it: browsers take `//other.example/` and `/\other.example/` for another
    /// site.
    #[must_use]
    pub fn path(&self) -> String {
        let within = self.uri.path().trim_start_matches(['/', '\\']);
        format!("/{within}")
    }

    /// This page's address with those parameters alone that it knows: the rest of a link may be anybody's.
    #[must_use]
    pub fn address(&self) -> String {
        let known = self.row.map_or::<&[&str], _>(&[], |row| row.query);
        let mut pairs = query_pairs(&self.uri);
        pairs.retain(|(name, _)| known.contains(&name.as_str()) && name != "lang");
        self.path_with(&pairs)
    }

    /// Where a sign-in leads: to `wanted`, if it is a path of this portal.
    #[must_use]
    pub fn led_to<'a>(&self, wanted: &'a str) -> &'a str {
        own_path(wanted, self.portal.area().home())
    }

    /// This page's address, without the choice of a language.
    #[must_use]
    pub fn here(&self) -> String {
        let mut pairs = query_pairs(&self.uri);
        pairs.retain(|(key, _)| key != "lang");
        self.path_with(&pairs)
    }

    fn path_with(&self, pairs: &[(String, String)]) -> String {
        let query = serde_urlencoded::to_string(pairs).expect("texts only");
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

/// That a member's account is suspended. When that can't be found out, the page says itself what is in the way.
async fn suspension_of(
    portal: &Portal,
    member: Option<&SessionToken>,
    address: IpAddr,
) -> Option<Suspension> {
    let caller = Caller {
        token: Some(member?),
        address,
    };
    let me = portal.api.call(caller, GetMe::ask()).await;
    me.ok().and_then(|me| me.suspension)
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

/// The query that carries where somebody wants to go through sign-up, mail and sign-in; empty if he wants nothing.
#[must_use]
pub fn onward(next: &str) -> String {
    if next.is_empty() {
        return String::new();
    }
    let query = serde_urlencoded::to_string([("next", next)]).expect("texts only");
    format!("?{query}")
}

/// Longest address of a page, in bytes, also of one that holds a form: proxies take request lines of 8 KiB.
pub const ADDRESS_BYTES_MAX: usize = 6_000;

/// `wanted` if it is a path of this portal, else `home`: another site's address must not follow a sign-in.
fn own_path<'a>(wanted: &'a str, home: &'a str) -> &'a str {
    let is_path = wanted.starts_with('/') && !wanted.starts_with("//");
    // Browsers take `\` for `/`, and drop control characters.
    let is_plain = wanted.bytes().all(|b| b.is_ascii_graphic() && b != b'\\');
    if is_path && is_plain && wanted.len() <= ADDRESS_BYTES_MAX {
        wanted
    } else {
        home
    }
}

/// The language that a link or button of the switcher asks for.
#[must_use]
pub fn chosen_language(uri: &Uri) -> Option<Locale> {
    let pairs = query_pairs(uri);
    let (_, tag) = pairs.iter().find(|(name, _)| name == "lang")?;
    language::by_tag(tag)
}

fn locale_of(uri: &Uri, headers: &HeaderMap, portal: &Portal) -> Locale {
    let kept = || Cookie::Language.read(headers, portal.transport);
    let of_account = || Cookie::AccountLanguage.read(headers, portal.transport);
    chosen_language(uri)
        .or_else(|| kept().and_then(|tag| language::by_tag(&tag)))
        .or_else(|| of_account().and_then(|tag| language::by_tag(&tag)))
        .unwrap_or_else(|| language::negotiate(headers))
}

/// What binds the forms of somebody without a session.
fn stranger(headers: &HeaderMap, portal: &Portal) -> Seed {
    let visitor = Cookie::Visitor
        .read(headers, portal.transport)
        .filter(|text| text.len() >= 16);
    let fresh = || Seed::Fresh(URL_SAFE_NO_PAD.encode(rand::random::<[u8; 18]>()));
    visitor.map_or_else(fresh, Seed::Known)
}

/// A text that a cookie holds.
fn text_of(cookie: Cookie, headers: &HeaderMap, portal: &Portal) -> Option<String> {
    let text = cookie.read(headers, portal.transport)?;
    decode(&text).filter(|text| !text.is_empty())
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

    #[test]
    fn nobody_is_sent_elsewhere() {
        for good in ["/servers/new?plan=s", "/keys", "/"] {
            assert_eq!(own_path(good, "/home"), good);
        }
        for bad in [
            "",
            "servers",
            "//evil.example",
            "/\\evil.example",
            "https://evil.example/",
            "/\t/evil.example",
            "javascript:alert(1)",
            "/a b",
        ] {
            assert_eq!(own_path(bad, "/home"), "/home", "{bad:?}");
        }
    }
}
