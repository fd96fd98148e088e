//! Live parts: pieces of pages that scripts ask for again and again, as long as somebody may be looking.
//!
//! Such a request changes nothing: it sets and drops no cookie, so it can't use up a notice that nobody has seen; it does
//! not count as use of the session, so a page that was left open idles out; and its failures are told in a status, for
//! the script, and not in a page (`front`). What is unchanged is answered with 304.

use std::fmt::Write as _;

use askama::Template;
use axum::{
    http::{
        HeaderMap, HeaderValue, StatusCode,
        header::{CONTENT_TYPE, ETAG, IF_NONE_MATCH},
    },
    response::{IntoResponse, Response},
};
use sha2::{Digest as _, Sha256};

use crate::{failure::Failure, language, visit::Visit};

/// What the script is told, beside the part itself: the words for what happens to a page that is left open.
pub struct Note {
    /// When the page was made.
    pub at: String,
    /// The zone of its times.
    pub zone: String,
    /// That it is not current any more; `%time%` stands for since when.
    pub stale: String,
    /// That the session has ended.
    pub ended: String,
    /// The way back.
    pub sign_in: String,
    /// The page again, for those without scripts.
    pub here: String,
}

/// The words for a page with a live part.
#[must_use]
pub fn note(visit: &Visit) -> Note {
    let since = |key| language::say_with(visit.locale, key, "time", "%time%");
    Note {
        at: visit.now.to_string(),
        zone: visit.zone().to_string(),
        stale: since("live-stale"),
        ended: since("live-ended"),
        sign_in: visit.say("sign-in"),
        here: visit.here(),
    }
}

/// The answer to a script: the part, unless that is what it has already.
pub fn answer(asked: &HeaderMap, part: &impl Template) -> Result<Response, Failure> {
    let html = part.render()?;
    let mut tag = "\"".to_owned();
    for byte in Sha256::digest(&html).iter().take(16) {
        write!(tag, "{byte:02x}").expect("text");
    }
    tag.push('"');
    let tag = HeaderValue::try_from(tag).expect("digits");
    let is_known = asked.get(IF_NONE_MATCH) == Some(&tag);
    let tag = [(ETAG, tag)];
    if is_known {
        return Ok((StatusCode::NOT_MODIFIED, tag).into_response());
    }
    let kind = HeaderValue::from_static("text/html; charset=utf-8");
    Ok((tag, [(CONTENT_TYPE, kind)], html).into_response())
}
