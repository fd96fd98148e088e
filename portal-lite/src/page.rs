//! What all pages have in common: the frame around them, and how one is made into an answer.

use askama::Template;
use axum::{
    http::{
        HeaderValue, StatusCode,
        header::{CONTENT_TYPE, LOCATION, SET_COOKIE},
    },
    response::{IntoResponse, Response},
};
use innkeeper_wire::api::Locale;

use crate::{
    assets,
    cookies::Cookie,
    failure::Failure,
    footer::{self, Footer},
    language,
    notice::Notice,
    visit::Visit,
};

/// Entries of the navigation, to mark the present one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// None of them.
    None,
    /// Servers.
    Servers,
    /// SSH keys.
    Keys,
    /// Orders.
    Orders,
    /// The account.
    Account,
}

/// What is around every page.
#[derive(Debug)]
pub struct Frame {
    /// Tag of the language.
    pub lang: &'static str,
    /// The hoster's name for the installation.
    pub brand: String,
    /// Where customers get help, if that is known.
    pub support_email: Option<String>,
    /// The token that forms carry.
    pub form_token: String,
    /// Whether there is a session.
    pub signed_in: bool,
    /// What to say about the last deed.
    pub notice: Option<String>,
    /// The foot of the page.
    pub footer: Footer,
    /// The language switcher.
    pub languages: Vec<LanguageLink>,
    place: Place,
    locale: Locale,
}

/// One language of the switcher.
#[derive(Debug)]
pub struct LanguageLink {
    /// Its tag.
    pub tag: &'static str,
    /// What it calls itself.
    pub name: &'static str,
    /// This page in it.
    pub href: String,
    /// Whether it is the present one.
    pub current: bool,
}

/// The page about a failure.
#[derive(Template)]
#[template(path = "failure.html")]
pub struct FailurePage {
    /// The frame.
    pub frame: Frame,
    /// The HTTP status.
    pub status: u16,
    /// What kind of failure.
    pub heading: String,
    /// What went wrong, and what to do.
    pub text: String,
    /// The portal's own address, where the visitor came by another.
    pub home: Option<String>,
    /// What to tell support.
    pub request_id: Option<String>,
    /// The form to send again.
    pub retry: Option<Retry>,
    /// Whether loading the page again may help.
    pub may_reload: bool,
}

/// A form that was not carried out, to be sent again as it was.
pub struct Retry {
    /// Where to.
    pub action: String,
    /// Its fields, without secrets.
    pub fields: Vec<(String, String)>,
}

impl Frame {
    /// A text in the page's language.
    #[must_use]
    pub fn say(&self, key: &str) -> String {
        language::say(self.locale, key)
    }

    /// A text with another put in.
    #[must_use]
    pub fn say_with(&self, key: &str, name: &'static str, value: &str) -> String {
        language::say_with(self.locale, key, name, value)
    }

    /// A text with an amount put in.
    #[must_use]
    pub fn say_amount(&self, key: &str, amount: &str) -> String {
        language::say_amount(self.locale, key, amount)
    }

    /// A text for `count` things.
    #[must_use]
    pub fn say_count(&self, key: &str, count: &usize) -> String {
        language::say_count(self.locale, key, u64::try_from(*count).unwrap_or(u64::MAX))
    }

    /// Address of a static file.
    #[must_use]
    pub fn asset(&self, name: &str) -> String {
        assets::url(name)
    }

    /// Whether this is the page of a navigation entry.
    #[must_use]
    pub fn is_at(&self, place: Place) -> bool {
        self.place == place
    }
}

/// The frame for a visit.
#[must_use]
pub fn frame(visit: &Visit, place: Place) -> Frame {
    let installation = visit.facts.as_ref().map(|facts| &facts.installation);
    let link = |locale: Locale| LanguageLink {
        tag: language::tag(locale),
        name: language::own_name(locale),
        href: with_language(visit, locale),
        current: locale == visit.locale,
    };
    Frame {
        lang: language::tag(visit.locale),
        brand: installation.map_or_else(|| "Innkeeper".to_owned(), |known| known.name.clone()),
        support_email: installation.map(|known| known.support_email.clone()),
        form_token: visit.form_token(),
        signed_in: visit.session.is_some(),
        notice: visit.notice.map(|notice| visit.say(notice.key())),
        footer: footer::footer(visit),
        languages: language::ALL.into_iter().map(link).collect(),
        place,
        locale: visit.locale,
    }
}

/// Makes a page.
pub fn render(
    visit: &Visit,
    status: StatusCode,
    template: &impl Template,
) -> Result<Response, Failure> {
    let mut response = render_part(template)?;
    *response.status_mut() = status;
    visit.set_page_cookies(response.headers_mut());
    Ok(response)
}

/// Makes a part of a page, for scripts to put in. Sets no cookies, so that it can't use up a notice that
/// nobody has seen.
pub fn render_part(template: &impl Template) -> Result<Response, Failure> {
    let mut response = template.render()?.into_response();
    let html = HeaderValue::from_static("text/html; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, html);
    Ok(response)
}

/// Sends the browser to another page of ours, by GET.
#[must_use]
pub fn redirect(path: &str) -> Response {
    let mut response = StatusCode::SEE_OTHER.into_response();
    let location = HeaderValue::try_from(path).unwrap_or(HeaderValue::from_static("/"));
    response.headers_mut().insert(LOCATION, location);
    response
}

/// As [`redirect`], with a notice to show there.
#[must_use]
pub fn redirect_with(visit: &Visit, path: &str, notice: Notice) -> Response {
    let mut response = redirect(path);
    let cookie = Cookie::Notice.set(notice.code(), None, visit.portal.transport);
    response.headers_mut().append(SET_COOKIE, cookie);
    response
}

fn with_language(visit: &Visit, locale: Locale) -> String {
    let here = visit.here();
    let joint = if here.contains('?') { '&' } else { '?' };
    format!("{here}{joint}lang={}", language::tag(locale))
}
