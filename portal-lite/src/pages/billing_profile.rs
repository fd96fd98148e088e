//! To whom invoices are addressed: asked once with the first order, filled in with what is known of the account, and changed
//! here.

use askama::Template;
use axum::{extract::Query, http::StatusCode, response::Response};
use innkeeper_wire::{
    api::{Me, NAME_LENGTH_MAX},
    billing_profile::{
        ADDRESS_LENGTH_MAX, BillingDetails, POSTAL_CODE_LENGTH_MAX, PayerKind, TAX_ID_LENGTH_MAX,
        TELEPHONE_LENGTH_MAX,
    },
    country::Country,
    endpoints::{
        Endpoint as _,
        rest::{GetBillingProfile, GetMe, SetBillingProfile},
    },
};
use serde::Deserialize;

use super::view;
use crate::{
    failure::Failure,
    fields::Fields,
    form::{self, Entered, Field, Form, Kind, Need},
    format::Moment,
    notice::Notice,
    page::{self, Frame},
    visit::{Member, Visit},
};

/// Where it is.
pub const PATH: &str = "/billing/profile";

/// The form; a person has no fields of businesses.
pub const PROFILE: &[Field] = &[
    Field::hidden("next"),
    Field {
        words: "payer-kind",
        ..Field::hidden("kind")
    },
    Field {
        name: "name",
        pointer: "name",
        limit: Some(NAME_LENGTH_MAX),
        words: "payer-name",
        ..Field::TEXT
    },
    Field {
        name: "business_number",
        pointer: "business_number",
        need: Need::Obvious,
        limit: Some(TAX_ID_LENGTH_MAX),
        words: "payer-business-number",
        ..Field::TEXT
    },
    Field {
        name: "corporate_number",
        pointer: "corporate_number",
        need: Need::Optional,
        limit: Some(TAX_ID_LENGTH_MAX),
        words: "payer-corporate-number",
        ..Field::TEXT
    },
    Field {
        name: "representative",
        pointer: "representative",
        need: Need::Optional,
        limit: Some(NAME_LENGTH_MAX),
        words: "payer-representative",
        ..Field::TEXT
    },
    Field {
        name: "country",
        pointer: "country",
        kind: Kind::Select,
        autocomplete: "country",
        words: "payer-country",
        ..Field::TEXT
    },
    Field {
        name: "postal_code",
        pointer: "postal_code",
        need: Need::Optional,
        limit: Some(POSTAL_CODE_LENGTH_MAX),
        autocomplete: "postal-code",
        words: "payer-postal-code",
        ..Field::TEXT
    },
    Field {
        name: "address",
        pointer: "address",
        kind: Kind::Lines(3),
        limit: Some(ADDRESS_LENGTH_MAX),
        autocomplete: "street-address",
        words: "payer-address",
        ..Field::TEXT
    },
    Field {
        name: "contact",
        pointer: "contact",
        limit: Some(NAME_LENGTH_MAX),
        autocomplete: "name",
        words: "payer-contact",
        ..Field::TEXT
    },
    Field {
        name: "mobile",
        pointer: "mobile",
        limit: Some(TELEPHONE_LENGTH_MAX),
        autocomplete: "tel",
        words: "payer-mobile",
        ..Field::TEXT
    },
    Field {
        name: "landline",
        pointer: "landline",
        need: Need::Optional,
        limit: Some(TELEPHONE_LENGTH_MAX),
        words: "payer-landline",
        ..Field::TEXT
    },
    Field {
        name: "emails",
        pointer: "emails",
        kind: Kind::Lines(2),
        words: "payer-emails",
        ..Field::TEXT
    },
];

#[derive(Template)]
#[template(path = "billing_profile.html")]
struct Page {
    frame: Frame,
    form: Form,
    /// Where the form is sent.
    address: String,
    is_business: bool,
    /// The same form for the other kind of payer, where the account may choose.
    other: Option<String>,
    /// Whether the order goes on behind it.
    is_first: bool,
    /// Codes and names, by their names.
    countries: Vec<(&'static str, &'static str)>,
    changed: Option<Moment>,
}

/// As what somebody wants to pay, and where he goes on.
#[derive(Deserialize)]
pub struct Wanted {
    #[serde(default)]
    kind: String,
    #[serde(default)]
    next: String,
}

/// `GET /billing/profile`
pub async fn show(
    Member(visit): Member,
    Query(wanted): Query<Wanted>,
    entered: Entered,
) -> Result<Response, Failure> {
    let (profile, me) =
        tokio::try_join!(visit.ask(GetBillingProfile::ask()), visit.ask(GetMe::ask()))?;
    let wanted_kind = [wanted.kind.as_str(), entered.value("kind")];
    let wanted_kind = wanted_kind.into_iter().find_map(kind_of);
    let kind = match wanted_kind {
        _ if me.kind.is_company() => PayerKind::Corporate,
        Some(kind) => kind,
        None => profile.details.kind,
    };
    let is_business = kind == PayerKind::Corporate;
    let changed = profile.changed_at.map(|at| view::moment(&visit, at));
    let filled = filled(of_kind(profile.details, kind, &me), &wanted.next);
    let form = entered.form(&visit, PROFILE, filled);
    let next = form.value("next").to_owned();
    let other = match kind {
        PayerKind::Individual => PayerKind::Corporate,
        PayerKind::Corporate => PayerKind::Individual,
    };
    let address = address(kind, &next);
    let page = Page {
        frame: page::frame(&visit).with_form(&address),
        form,
        is_business,
        other: (!me.kind.is_company()).then(|| self::address(other, &next)),
        is_first: !next.is_empty() && profile.version.is_none(),
        countries: countries(&visit),
        changed,
        address,
    };
    page::render(&visit, StatusCode::OK, &page)
}

/// `POST /billing/profile`
pub async fn save(Member(visit): Member, fields: Fields) -> Result<Response, Failure> {
    let text = |name: &str| fields.get(name).trim().to_owned();
    let given = |name: &str| Some(text(name)).filter(|text| !text.is_empty());
    let emails = fields.get("emails");
    let emails = emails.split(|c: char| c.is_whitespace() || matches!(c, ',' | ';'));
    let emails = emails.filter(|email| !email.is_empty());
    let details = BillingDetails {
        kind: kind_of(fields.get("kind")).unwrap_or_default(),
        name: text("name"),
        country: text("country"),
        postal_code: given("postal_code"),
        address: text("address"),
        business_number: given("business_number"),
        corporate_number: given("corporate_number"),
        representative: given("representative"),
        contact: given("contact"),
        mobile: text("mobile"),
        landline: given("landline"),
        emails: emails.map(str::to_owned).collect(),
    };
    match visit.ask(SetBillingProfile::with(details)).await {
        Ok(_) => {
            let next = match fields.get("next") {
                "" => PATH,
                next => visit.led_to(next),
            };
            Ok(page::redirect_with(
                &visit,
                next,
                Notice::BillingProfileSaved,
            ))
        }
        Err(error) => form::refused(&visit, PROFILE, &fields, error),
    }
}

/// The kind of payer of this code.
fn kind_of(code: &str) -> Option<PayerKind> {
    let mut all = PayerKind::ALL.iter().copied();
    all.find(|kind| kind.as_str() == code)
}

fn address(kind: PayerKind, next: &str) -> String {
    let mut pairs = vec![("kind", kind.as_str())];
    pairs.extend(Some(("next", next)).filter(|(_, next)| !next.is_empty()));
    let query = serde_urlencoded::to_string(pairs).expect("texts only");
    format!("{PATH}?{query}")
}

/// What is known of the payer, where he wants to be one of the other kind.
fn of_kind(details: BillingDetails, kind: PayerKind, me: &Me) -> BillingDetails {
    if details.kind == kind {
        return details;
    }
    match kind {
        PayerKind::Individual => BillingDetails {
            kind,
            name: details.contact.unwrap_or_else(|| me.name.clone()),
            business_number: None,
            corporate_number: None,
            representative: None,
            contact: None,
            ..details
        },
        PayerKind::Corporate => BillingDetails {
            kind,
            contact: Some(details.name),
            name: me.company.clone().unwrap_or_default(),
            ..details
        },
    }
}

fn filled(details: BillingDetails, next: &str) -> Fields {
    let text = Option::unwrap_or_default;
    let pairs = [
        ("next", next.to_owned()),
        ("kind", details.kind.as_str().to_owned()),
        ("name", details.name),
        ("business_number", text(details.business_number)),
        ("corporate_number", text(details.corporate_number)),
        ("representative", text(details.representative)),
        ("country", details.country),
        ("postal_code", text(details.postal_code)),
        ("address", details.address),
        ("contact", text(details.contact)),
        ("mobile", details.mobile),
        ("landline", text(details.landline)),
        ("emails", details.emails.join("\n")),
    ];
    let pairs = pairs.map(|(name, value)| (name.to_owned(), value));
    Fields::new(pairs.to_vec())
}

fn countries(visit: &Visit) -> Vec<(&'static str, &'static str)> {
    let all = Country::all().map(|country| (country.code, country.name(visit.locale)));
    let mut all: Vec<_> = all.collect();
    all.sort_by_key(|(_, name)| *name);
    all
}
