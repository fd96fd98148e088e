//! Cookies: names, attributes, reading and writing. The only place that knows how they look.
//!
//! The session cookie holds the API's token and nothing else; with https all names carry the `__Host-`
//! prefix, so that no sibling domain can plant one.

use std::time::Duration;

use axum::http::{HeaderMap, HeaderValue, header::COOKIE};

use crate::area::Area;

/// Longest cookie value that is believed.
const VALUE_BYTES_MAX: usize = 512;

/// What the portal keeps in a browser.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cookie {
    /// The API's session token.
    Session,
    /// A random value that binds forms to a browser before anybody has signed in.
    Visitor,
    /// The chosen language.
    Language,
    /// Which notice to show on the next page.
    Notice,
    /// Where the mail to confirm an address went.
    Pending,
    /// The ID to prefill at sign-in, by its owner's wish (R9).
    Login,
    /// The ID of whoever has just signed up, to prefill it until he has signed in.
    Newcomer,
    /// Where whoever has just signed up wanted to go.
    Next,
    /// The quote that was last asked for and where, so that the order form is filled in when the visitor goes back to it.
    Choice,
    /// Whose session it is or was: what was typed into a form is given back to nobody else.
    Account,
    /// The account's language, for whoever has chosen none in this browser.
    AccountLanguage,
    /// The account's time zone.
    AccountZone,
    /// What a sign-in goes on with whose password was right, and that waits for a code.
    Challenge,
    /// The API's token for a device from which somebody has signed in.
    Device,
}

/// An API session token. Its text never shows in logs.
#[derive(Clone, PartialEq, Eq)]
pub struct SessionToken(String);

impl SessionToken {
    /// Takes a text that can stand in a header and a cookie; anything else is no token.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'~');
        let well = !text.is_empty() && text.len() <= VALUE_BYTES_MAX && text.bytes().all(plain);
        well.then(|| Self(text.to_owned()))
    }

    /// The value of an `Authorization` header.
    #[must_use]
    pub fn bearer(&self) -> HeaderValue {
        let mut value = HeaderValue::try_from(format!("Bearer {}", self.0))
            .expect("a token has only letters, digits and -_.~");
        value.set_sensitive(true);
        value
    }

    /// The text itself.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for SessionToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SessionToken(..)")
    }
}

/// How cookies are named and marked in this portal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Transport {
    /// Whether browsers come over TLS: then all names begin with `__Host-`, and all cookies are `Secure`. Without it is for
    /// demos on one machine.
    pub is_https: bool,
    /// Which portal it is.
    pub area: Area,
}

impl Cookie {
    const fn word(self) -> &'static str {
        match self {
            Self::Session => "session",
            Self::Visitor => "visitor",
            Self::Language => "language",
            Self::Notice => "notice",
            Self::Pending => "pending",
            Self::Login => "login",
            Self::Newcomer => "newcomer",
            Self::Next => "next",
            Self::Choice => "choice",
            Self::Account => "account",
            Self::AccountLanguage => "account-language",
            Self::AccountZone => "account-zone",
            Self::Challenge => "challenge",
            Self::Device => "device",
        }
    }

    fn name(self, transport: Transport) -> String {
        let host = if transport.is_https { "__Host-" } else { "" };
        format!("{host}{}-{}", transport.area.cookies(), self.word())
    }

    /// Its value in a request, if the browser sent a sensible one.
    #[must_use]
    pub fn read(self, headers: &HeaderMap, transport: Transport) -> Option<String> {
        let wanted = self.name(transport);
        headers
            .get_all(COOKIE)
            .iter()
            .filter_map(|line| line.to_str().ok())
            .flat_map(|line| line.split(';'))
            .filter_map(|pair| pair.trim().split_once('='))
            .find(|(name, value)| *name == wanted && value.len() <= VALUE_BYTES_MAX)
            .map(|(_, value)| value.to_owned())
    }

    /// A `Set-Cookie` value. `kept` is how long browsers keep it, `None` until they are closed.
    /// `value` has only letters, digits and `-_.~`, or it is left out.
    #[must_use]
    pub fn set(self, value: &str, kept: Option<Duration>, transport: Transport) -> HeaderValue {
        let age = kept.map_or_else(String::new, |kept| format!("; Max-Age={}", kept.as_secs()));
        let secure = if transport.is_https { "; Secure" } else { "" };
        let name = self.name(transport);
        let line = format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax{age}{secure}");
        HeaderValue::try_from(line).unwrap_or_else(|_| self.clear(transport))
    }

    /// A `Set-Cookie` value that removes it.
    #[must_use]
    pub fn clear(self, transport: Transport) -> HeaderValue {
        self.set("", Some(Duration::ZERO), transport)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HTTP: Transport = Transport {
        is_https: false,
        area: Area::Customers,
    };
    const HTTPS: Transport = Transport {
        is_https: true,
        area: Area::Customers,
    };

    fn read(line: &'static str) -> Option<String> {
        let mut headers = HeaderMap::new();
        headers.insert(COOKIE, HeaderValue::from_static(line));
        Cookie::Session.read(&headers, HTTP)
    }

    #[test]
    fn finds_its_own_among_others() {
        assert_eq!(
            read("a=b; innkeeper-session=tok; c=d").as_deref(),
            Some("tok")
        );
        assert_eq!(read("innkeeper-session2=tok"), None);
        assert_eq!(read("__Host-innkeeper-session=tok"), None);
        assert_eq!(read(""), None);
    }

    #[test]
    fn https_cookies_are_bound_to_the_host() {
        let set = Cookie::Session.set("tok", None, HTTPS);
        assert_eq!(
            set.to_str().expect("plain"),
            "__Host-innkeeper-session=tok; Path=/; HttpOnly; SameSite=Lax; Secure"
        );
        let gone = Cookie::Notice.clear(HTTP);
        assert_eq!(
            gone.to_str().expect("plain"),
            "innkeeper-notice=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0"
        );
    }

    #[test]
    fn a_token_cannot_carry_a_second_header() {
        assert!(SessionToken::new("inn_abc-DEF.1~").is_some());
        for bad in ["", "a b", "a;b", "a\r\nb", "ä", &"a".repeat(513)] {
            assert!(SessionToken::new(bad).is_none(), "{bad:?}");
        }
        let token = SessionToken::new("secret").expect("plain");
        assert_eq!(format!("{token:?}"), "SessionToken(..)");
    }

    #[test]
    fn the_portals_have_cookies_of_their_own() {
        let staff = Transport {
            area: Area::Staff,
            ..HTTPS
        };
        assert_eq!(
            Cookie::Session.name(staff),
            "__Host-innkeeper-staff-session"
        );
        let mut headers = HeaderMap::new();
        let line = HeaderValue::from_static("__Host-innkeeper-session=tok");
        headers.insert(COOKIE, line);
        assert_eq!(
            Cookie::Session.read(&headers, HTTPS).as_deref(),
            Some("tok")
        );
        assert_eq!(Cookie::Session.read(&headers, staff), None);
    }
}
