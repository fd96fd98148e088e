//! Forms that were not carried out travel in the address of their own page, sealed: the browser is sent there, so that no
//! entry of its history is an answer to a form, and going back, loading anew, another tab and another language all find
//! what was typed. The portal keeps nothing, so any number of portals that share a form secret may answer.
//!
//! A form opens only for whom it was typed by, on the page it was typed into, for a day. Passwords and private keys are
//! never in it.

use std::time::Duration;

use axum::http::Uri;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use chacha20poly1305::{
    KeyInit as _, XChaCha20Poly1305, XNonce,
    aead::{Aead as _, Payload},
};
use innkeeper_wire::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    fields::{Again, Fields, Why},
    visit::{ADDRESS_BYTES_MAX, Visit, query_pairs},
};

/// The parameter of an address that holds a form.
pub const PARAMETER: &str = "kept";
/// How long a form can be opened.
const LIFE: Duration = Duration::from_secs(86_400);
/// Bytes of a nonce: so many that random ones do not meet.
const NONCE_BYTES: usize = 24;

/// What is sealed.
#[derive(Serialize, Deserialize)]
struct Kept {
    at: Timestamp,
    why: Why,
    fields: Vec<(String, String)>,
}

/// The address of the page that was posted to, with the form in it. `None` when that is too long, or when the browser
/// keeps no cookies, so that nobody could tell whose it is.
#[must_use]
pub fn address(visit: &Visit, again: &Again) -> Option<String> {
    if visit.is_unknown() {
        return None;
    }
    address_for(visit, &visit.owner(), again)
}

/// The same for a form that goes back to somebody who has to sign in first.
#[must_use]
pub fn address_for(visit: &Visit, owner: &str, again: &Again) -> Option<String> {
    let address = visit.address();
    // What stands in the address anyway need not be in it twice.
    let in_query = query_pairs(&visit.uri);
    let mut fields = again.fields.showable();
    fields.retain(|pair| pair.0 != "next" || !in_query.contains(pair));
    let kept = Kept {
        at: again.at,
        why: again.why.clone(),
        fields,
    };
    let sealed = seal(visit, owner, &kept);
    let joint = if address.contains('?') { '&' } else { '?' };
    let address = format!("{address}{joint}{PARAMETER}={sealed}");
    (address.len() <= ADDRESS_BYTES_MAX).then_some(address)
}

/// The form that the address of a visit holds; `None` if it holds none.
#[must_use]
pub fn opened(visit: &Visit) -> Option<Again> {
    let pairs = query_pairs(&visit.uri);
    let (_, sealed) = pairs.iter().find(|(name, _)| name == PARAMETER)?;
    let kept = open(visit, sealed).filter(|kept| visit.now.since(kept.at) < LIFE);
    let Some(Kept {
        at,
        why,
        mut fields,
    }) = kept
    else {
        return Some(Again {
            fields: Fields::default(),
            why: Why::Lost,
            at: visit.now,
        });
    };
    let next = pairs.iter().find(|(name, _)| name == "next");
    fields.extend(next.cloned());
    Some(Again {
        fields: Fields::new(fields),
        why,
        at,
    })
}

/// An address without the form in it.
#[must_use]
pub fn stripped(address: &str) -> String {
    let Ok(uri) = address.parse::<Uri>() else {
        return address.to_owned();
    };
    let mut pairs = query_pairs(&uri);
    pairs.retain(|(name, _)| name != PARAMETER);
    let query = serde_urlencoded::to_string(&pairs).expect("texts only");
    match query.as_str() {
        "" => uri.path().to_owned(),
        query => format!("{}?{query}", uri.path()),
    }
}

fn seal(visit: &Visit, owner: &str, kept: &Kept) -> String {
    let plain = serde_json::to_vec(kept).expect("plain values");
    let nonce: [u8; NONCE_BYTES] = rand::random();
    let aad = place(visit, owner);
    let payload = Payload {
        msg: &plain,
        aad: aad.as_bytes(),
    };
    let sealed = cipher(visit).encrypt(&XNonce::from(nonce), payload);
    let sealed = sealed.expect("only more than 256 GiB can't be sealed");
    URL_SAFE_NO_PAD.encode([nonce.as_slice(), &sealed].concat())
}

fn open(visit: &Visit, sealed: &str) -> Option<Kept> {
    let bytes = URL_SAFE_NO_PAD.decode(sealed).ok()?;
    let (nonce, sealed) = bytes.split_first_chunk::<NONCE_BYTES>()?;
    let aad = place(visit, &visit.owner());
    let payload = Payload {
        msg: sealed,
        aad: aad.as_bytes(),
    };
    let plain = cipher(visit).decrypt(&XNonce::from(*nonce), payload).ok()?;
    serde_json::from_slice(&plain).ok()
}

/// Where a form belongs: to somebody, and to a page.
fn place(visit: &Visit, owner: &str) -> String {
    format!("{owner}\n{}", visit.uri.path())
}

fn cipher(visit: &Visit) -> XChaCha20Poly1305 {
    let key = visit.portal.form_key();
    XChaCha20Poly1305::new(key.as_slice().try_into().expect("a key has 32 bytes"))
}
