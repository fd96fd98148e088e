//! The account (회원정보관리): what is known of it, and what of it its owner can change. One module a page.

use askama::Template;
use axum::{
    http::{StatusCode, header::SET_COOKIE},
    response::Response,
};
use innkeeper_wire::{
    api::{Locale, Me, ProfileChange},
    endpoints::{
        Endpoint as _,
        rest::{ChangeProfile, GetMe},
    },
    zone::Zone,
};

use crate::{
    cookies::Cookie,
    failure::Failure,
    fields::Fields,
    form::{self, Entered, Field, Form, Kind, Need},
    format::Moment,
    language,
    notice::Notice,
    page::{self, Entry, Frame},
    pages::view,
    visit::{Member, Visit, encode},
    words,
};

pub mod consents;
pub mod email;
pub mod mobile;
pub mod password;
pub mod proof;
pub mod sessions;
pub mod tokens;
pub mod two_step;

/// Its pages: an address, the name of its text.
const PAGES: [(&str, &str); 5] = [
    ("/account", "account-profile"),
    ("/account/password", "change-password"),
    ("/account/two-step", "account-two-step"),
    ("/account/sessions", "account-sessions"),
    ("/account/tokens", "account-tokens"),
];

/// How pages and mails speak to the account.
pub const PROFILE: &[Field] = &[
    Field {
        name: "locale",
        pointer: "locale",
        kind: Kind::Select,
        need: Need::Obvious,
        words: "account-language",
        ..Field::TEXT
    },
    Field {
        name: "time_zone",
        pointer: "time_zone",
        kind: Kind::Select,
        need: Need::Obvious,
        words: "account-zone",
        ..Field::TEXT
    },
];

/// The way from each of these pages to the others.
#[derive(Debug)]
pub struct Tabs(pub Vec<Entry>);

impl Tabs {
    /// Those of the page that is visited.
    #[must_use]
    pub fn of(visit: &Visit) -> Self {
        let entry = |(href, key): (&'static str, &str)| Entry {
            href,
            word: visit.say(key),
            current: visit.path() == href,
        };
        Self(PAGES.into_iter().map(entry).collect())
    }
}

#[derive(Template)]
#[template(path = "account.html")]
struct Account {
    frame: Frame,
    tabs: Tabs,
    form: Form,
    me: Me,
    languages: Vec<(&'static str, &'static str)>,
    zones: Vec<String>,
    created: Moment,
}

impl Account {
    fn kind_word(&self) -> &'static str {
        words::member_kind(self.me.kind)
    }
}

/// `GET /account`
pub async fn show(Member(visit): Member, entered: Entered) -> Result<Response, Failure> {
    let me = visit.ask(GetMe::ask()).await?;
    let chosen = [
        ("locale", me.locale.as_str().to_owned()),
        ("time_zone", me.time_zone.to_string()),
    ];
    let chosen = chosen.map(|(name, value)| (name.to_owned(), value));
    let form = entered.form(&visit, PROFILE, Fields::new(chosen.to_vec()));
    profile_page(&visit, me, form)
}

/// `POST /account`
pub async fn change(Member(visit): Member, fields: Fields) -> Result<Response, Failure> {
    let change = ProfileChange {
        locale: language::by_tag(fields.get("locale")),
        time_zone: Some(fields.get("time_zone").to_owned()),
        ..ProfileChange::default()
    };
    match visit.ask(ChangeProfile::with(change)).await {
        Ok(me) => {
            let mut response = page::redirect_with(&visit, "/account", Notice::ProfileChanged);
            set_cookies(&visit, &me, &mut response);
            // What was chosen in this browser before would be louder.
            let clear = Cookie::Language.clear(visit.portal.transport);
            response.headers_mut().append(SET_COOKIE, clear);
            Ok(response)
        }
        Err(error) => form::refused(&visit, PROFILE, &fields, error),
    }
}

/// Keeps in the browser how the account wants to be spoken to, so that pages need not ask for it.
pub fn set_cookies(visit: &Visit, me: &Me, response: &mut Response) {
    let transport = visit.portal.transport;
    let zone = encode(&me.time_zone.to_string());
    for cookie in [
        Cookie::AccountLanguage.set(language::tag(me.locale), None, transport),
        Cookie::AccountZone.set(&zone, None, transport),
    ] {
        response.headers_mut().append(SET_COOKIE, cookie);
    }
}

fn profile_page(visit: &Visit, me: Me, form: Form) -> Result<Response, Failure> {
    let named = |locale: &Locale| (language::tag(*locale), language::own_name(*locale));
    let mut zones = Zone::names();
    let own = me.time_zone.to_string();
    if !zones.contains(&own) {
        zones.push(own);
    }
    let view = Account {
        frame: page::frame(visit).with_form("/account"),
        tabs: Tabs::of(visit),
        form,
        languages: Locale::ALL.iter().map(named).collect(),
        zones,
        created: view::moment(visit, me.created_at),
        me,
    };
    page::render(visit, StatusCode::OK, &view)
}
