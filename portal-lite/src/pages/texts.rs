//! The texts that customers agree to: member terms and privacy policy, in the visitor's language if there are any in it.

use askama::Template;
use axum::{Extension, http::StatusCode, response::Response};
use innkeeper_wire::{
    company::{LegalText, LegalTextQuery},
    endpoints::{
        Endpoint as _,
        rest::{GetPrivacyPolicy, GetTerms},
    },
};

use super::Anyone;
use crate::{
    failure::Failure,
    language,
    page::{self, Frame},
    visit::Visit,
};

#[derive(Template)]
#[template(path = "text.html")]
struct Text {
    frame: Frame,
    heading: String,
    /// Which one it is; the privacy policy has no version.
    version: Option<String>,
    /// The tag of its language, if that is known.
    lang: Option<&'static str>,
    /// Whether the visitor reads another language.
    is_foreign: bool,
    text: String,
}

/// `GET /terms`
pub async fn terms(Extension(visit): Anyone) -> Result<Response, Failure> {
    let text = visit.ask(GetTerms::by(wanted(&visit))).await?;
    let version = visit.facts()?.installation.terms_version.clone();
    text_page(&visit, "terms-title", Some(version), text)
}

/// `GET /privacy`
pub async fn privacy_policy(Extension(visit): Anyone) -> Result<Response, Failure> {
    let text = visit.ask(GetPrivacyPolicy::by(wanted(&visit))).await?;
    text_page(&visit, "privacy-title", None, text)
}

fn wanted(visit: &Visit) -> LegalTextQuery {
    LegalTextQuery {
        lang: Some(visit.locale),
    }
}

fn text_page(
    visit: &Visit,
    heading: &str,
    version: Option<String>,
    text: LegalText,
) -> Result<Response, Failure> {
    let view = Text {
        frame: page::frame(visit),
        heading: visit.say(heading),
        version,
        lang: text.lang.map(language::tag),
        is_foreign: text.lang.is_some_and(|lang| lang != visit.locale),
        text: text.text,
    };
    page::render(visit, StatusCode::OK, &view)
}
