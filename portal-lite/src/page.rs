//! What all pages have in common: the frame around them, and how one is made into an answer.

use askama::Template;
use axum::{
    http::{
        HeaderValue, StatusCode,
        header::{CONTENT_TYPE, LOCATION, SET_COOKIE},
    },
    response::{IntoResponse, Response},
};
use innkeeper_wire::api::{Locale, ServerState, Suspension};

use crate::{
    area::Area,
    assets,
    cookies::Cookie,
    failure::Failure,
    footer::{self, Footer},
    form::{self, Drawn, Form},
    format::{self, Moment},
    language,
    notice::Notice,
    sitemap::navigation,
    visit::{Visit, onward, query_pairs},
    words,
};

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
    /// Which portal this is.
    pub area: Area,
    /// Whether there is a session.
    pub signed_in: bool,
    /// What to say about the last deed.
    pub notice: Option<Said>,
    /// That the member's account is suspended.
    pub suspension: Option<Suspended>,
    /// The foot of the page.
    pub footer: Footer,
    /// The navigation of members.
    pub navigation: Vec<Entry>,
    /// The query that carries where a visitor wants to go to the pages where he signs in or up.
    pub onward: String,
    /// The language switcher.
    pub languages: Vec<LanguageLink>,
    /// Whether the switcher sends the page's form along, so that nothing that was typed is lost.
    pub has_form: bool,
    locale: Locale,
    password_length_min: usize,
}

/// A notice.
#[derive(Debug)]
pub struct Said {
    /// Its text.
    pub text: String,
    /// What to do next, and where.
    pub next: Option<(String, &'static str)>,
    /// Codes of a server's states while it is true, with a blank between; empty if it is true of any.
    pub holds: String,
}

/// What is said of a suspension.
#[derive(Debug)]
pub struct Suspended {
    /// What for, and what that means.
    pub text: String,
    /// Since when.
    pub since: Moment,
    /// Why, in the words of the staff.
    pub reason: String,
}

/// An entry of the navigation.
#[derive(Debug)]
pub struct Entry {
    /// Its address.
    pub href: &'static str,
    /// Its word.
    pub word: String,
    /// Whether the page belongs to it.
    pub current: bool,
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

impl Frame {
    /// A text in the page's language.
    #[must_use]
    pub fn say(&self, key: &str) -> String {
        language::say(self.locale, key)
    }

    /// Where members begin: the first entry of the navigation.
    #[must_use]
    pub fn home(&self) -> &Entry {
        &self.navigation[0]
    }

    /// Whether this is the staff's portal.
    #[must_use]
    pub fn is_staff(&self) -> bool {
        self.area == Area::Staff
    }

    /// What the page's language calls itself.
    #[must_use]
    pub fn language(&self) -> &'static str {
        language::own_name(self.locale)
    }

    /// A text with another put in.
    #[must_use]
    pub fn say_with(&self, key: &str, name: &'static str, value: &str) -> String {
        language::say_with(self.locale, key, name, value)
    }

    /// What a text says before and after a value.
    #[must_use]
    pub fn say_around(&self, key: &str, name: &str) -> (String, String) {
        language::say_around(self.locale, key, name)
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

    /// A field of a form as it is drawn.
    #[must_use]
    pub fn field(&self, form: &Form, name: &str) -> Drawn {
        form::draw(self.locale, self.password_length_min, form, name)
    }

    /// The same around the page of a server in this state: a notice that is no longer true of it is not said.
    #[must_use]
    pub fn of_state(mut self, state: ServerState) -> Self {
        let is_true = |said: &Said| {
            said.holds.is_empty() || said.holds.split(' ').any(|code| code == state.as_str())
        };
        self.notice = self.notice.filter(is_true);
        self
    }

    /// The same around a page with a form that is posted to `address`: the language switcher sends it along.
    #[must_use]
    pub fn with_form(mut self, address: &str) -> Self {
        self.has_form = true;
        for link in &mut self.languages {
            link.href = in_language(address, link.tag);
        }
        self
    }
}

/// The frame for a visit.
#[must_use]
pub fn frame(visit: &Visit) -> Frame {
    let installation = visit.facts.as_ref().map(|facts| &facts.installation);
    let mut pairs = query_pairs(&visit.uri).into_iter();
    let next = pairs.find_map(|(name, next)| (name == "next").then_some(next));
    let link = |locale: Locale| LanguageLink {
        tag: language::tag(locale),
        name: language::own_name(locale),
        href: in_language(&visit.here(), language::tag(locale)),
        current: locale == visit.locale,
    };
    Frame {
        lang: language::tag(visit.locale),
        brand: installation.map_or_else(|| "Innkeeper".to_owned(), |known| known.name.clone()),
        support_email: installation.map(|known| known.support_email.clone()),
        form_token: visit.form_token(),
        area: visit.portal.area(),
        signed_in: visit.session.is_some(),
        footer: footer::footer(visit),
        notice: visit.notice.map(|notice| said(visit, notice)),
        suspension: visit.suspension.as_ref().map(|it| suspended(visit, it)),
        navigation: navigation(visit.portal.area())
            .iter()
            .map(|(place, href, key)| Entry {
                href,
                word: visit.say(key),
                current: *place == visit.place(),
            })
            .collect(),
        onward: onward(&next.unwrap_or_default()),
        languages: Locale::ALL.iter().copied().map(link).collect(),
        has_form: false,
        locale: visit.locale,
        password_length_min: visit.password_length_min(),
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

fn said(visit: &Visit, notice: Notice) -> Said {
    Said {
        text: visit.say(notice.key()),
        next: notice.next().map(|(key, href)| (visit.say(key), href)),
        holds: holds(notice),
    }
}

fn suspended(visit: &Visit, suspension: &Suspension) -> Suspended {
    Suspended {
        text: visit.say(words::suspended(suspension.kind)),
        since: format::moment(visit.locale, suspension.since, visit.now, &visit.zone()),
        reason: suspension.reason.clone(),
    }
}

fn holds(notice: Notice) -> String {
    let states = notice.holds().iter().map(|state| state.as_str());
    states.collect::<Vec<_>>().join(" ")
}

/// An address with the choice of a language.
fn in_language(address: &str, tag: &str) -> String {
    let joint = if address.contains('?') { '&' } else { '?' };
    format!("{address}{joint}lang={tag}")
}
