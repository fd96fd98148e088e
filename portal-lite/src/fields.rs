//! What a form consists of, what somebody has typed into one, and why it is shown again. Knows no form by name.

use std::{collections::BTreeMap, sync::Arc};

use axum::{
    extract::FromRequestParts,
    http::{StatusCode, request::Parts},
};
use innkeeper_wire::{error::Problem, ssh::looks_like_private_key, time::Timestamp};
use serde::{Deserialize, Serialize};

use crate::failure::Failure;

/// Name of the hidden field with the form token.
pub const TOKEN_FIELD: &str = "form_token";
/// Name of the button that asks for the same form in another language.
pub const AGAIN_FIELD: &str = "show_again";
/// Fields that are never shown again. A test holds them against the forms.
const SECRET_FIELDS: [&str; 6] = [
    TOKEN_FIELD,
    AGAIN_FIELD,
    "password",
    "current",
    "code",
    "recovery_code",
];

/// One field of a form.
#[derive(Debug, Clone, Copy)]
pub struct Field {
    /// Name of the control, also its id.
    pub name: &'static str,
    /// First segment of the pointer by which the API speaks of it.
    pub pointer: &'static str,
    /// How it is drawn.
    pub kind: Kind,
    /// What is said behind its label.
    pub need: Need,
    /// Most characters that the API takes.
    pub limit: Option<usize>,
    /// What browsers may fill in by themselves.
    pub autocomplete: &'static str,
    /// Its label is the text of this name, its hint that of `<words>-hint`, what is wrong with it that of
    /// `<words>-<code>`, or of `field-<code>` where it has no words of its own.
    pub words: &'static str,
}

/// How a field is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// One line.
    Text,
    /// One line with an e-mail address.
    Email,
    /// A password that exists.
    Password,
    /// A one-time code: digits.
    Code,
    /// One line with a whole number.
    Number,
    /// A password to be chosen: its hint says how long it must be.
    NewPassword,
    /// Several lines.
    Lines(u8),
    /// A box to tick.
    Tick,
    /// One of many things, which the page lists.
    Select,
    /// A group of things to choose from, one or several. The page draws the things.
    Group,
    /// Nothing that is seen.
    Hidden,
}

/// Whether a field must be filled in, and whether that is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// It must, and that is said.
    Required,
    /// It must, as everybody knows.
    Obvious,
    /// It may stay empty, and that is said.
    Optional,
}

impl Field {
    /// A compulsory line of text, to take the rest of a definition from.
    pub const TEXT: Self = Self {
        name: "",
        pointer: "",
        kind: Kind::Text,
        need: Need::Required,
        limit: None,
        autocomplete: "off",
        words: "",
    };

    /// A field that is not seen.
    #[must_use]
    pub const fn hidden(name: &'static str) -> Self {
        Self {
            name,
            pointer: name,
            kind: Kind::Hidden,
            need: Need::Optional,
            ..Self::TEXT
        }
    }
}

/// The fields of a form that has passed the guard.
#[derive(Debug, Clone, Default)]
pub struct Fields(Arc<BTreeMap<String, Vec<String>>>);

/// A form that is shown instead of being carried out, filled in with what was sent.
#[derive(Debug, Clone)]
pub struct Again {
    /// What was sent, without secrets.
    pub fields: Fields,
    /// Why it was not carried out.
    pub why: Why,
    /// When it was sent.
    pub at: Timestamp,
}

/// Why a form is shown again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// Its sender wants to read it in another language.
    Language,
    /// He had to sign in first; now he can send it.
    SignedIn,
    /// He had to prove first who he is; now he can send it.
    Proved,
    /// It was made for another session of this browser, or before one.
    Stale,
    /// The browser keeps no cookies for this site.
    NoCookie,
    /// This field holds a private key.
    PrivateKey(String),
    /// It was refused. The pointers of its complaints are the names of the form's fields.
    Refused(Box<Problem>),
    /// It was asked for by an address that holds no form that this browser could open any more.
    Lost,
}

impl Why {
    /// The status of a page that says so in answer to the form itself.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Language | Self::SignedIn | Self::Proved | Self::Lost => StatusCode::OK,
            Self::Stale | Self::NoCookie => StatusCode::FORBIDDEN,
            Self::PrivateKey(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Refused(problem) => {
                StatusCode::from_u16(problem.code.status()).expect("codes have valid statuses")
            }
        }
    }
}

impl Fields {
    /// From name and value pairs.
    #[must_use]
    pub fn new(pairs: Vec<(String, String)>) -> Self {
        let mut fields: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (name, value) in pairs {
            fields.entry(name).or_default().push(value);
        }
        Self(Arc::new(fields))
    }

    /// The first value of a field, empty if it was not sent.
    #[must_use]
    pub fn get(&self, name: &str) -> &str {
        self.all(name).first().map_or("", String::as_str)
    }

    /// All values of a field.
    #[must_use]
    pub fn all(&self, name: &str) -> &[String] {
        self.0.get(name).map_or(&[], Vec::as_slice)
    }

    /// Whether nothing was sent at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The name of a field that holds a private key.
    #[must_use]
    pub fn private_key(&self) -> Option<&str> {
        let holds = |(_, values): &(&String, &Vec<String>)| {
            values.iter().any(|value| looks_like_private_key(value))
        };
        self.0.iter().find(holds).map(|(name, _)| name.as_str())
    }

    /// Everything that may be shown again, sorted by name: neither passwords nor private keys, in whatever field.
    #[must_use]
    pub fn showable(&self) -> Vec<(String, String)> {
        let shown = self
            .0
            .iter()
            .filter(|(name, _)| !SECRET_FIELDS.contains(&name.as_str()));
        let mut pairs: Vec<_> = shown
            .flat_map(|(name, values)| values.iter().map(|value| (name.clone(), value.clone())))
            .filter(|(_, value)| !looks_like_private_key(value))
            .collect();
        pairs.sort();
        pairs
    }

    /// The same without some fields, and without secrets.
    #[must_use]
    pub fn without(&self, names: &[&str]) -> Self {
        let mut pairs = self.showable();
        pairs.retain(|(name, _)| !names.contains(&name.as_str()));
        Self::new(pairs)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Fields {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Failure> {
        parts
            .extensions
            .get::<Self>()
            .cloned()
            .ok_or(Failure::Internal)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_not_shown_again() {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let fields = Fields::new(vec![
            pair("password", "hunter2"),
            pair(TOKEN_FIELD, "t"),
            pair("ssh_keys", "b"),
            pair("ssh_keys", "a"),
            pair("name", ""),
        ]);
        assert_eq!(fields.get("password"), "hunter2");
        assert_eq!(fields.all("ssh_keys"), ["b", "a"]);
        assert_eq!(fields.get("absent"), "");
        assert_eq!(
            fields.showable(),
            [
                pair("name", ""),
                pair("ssh_keys", "a"),
                pair("ssh_keys", "b")
            ]
        );
        assert_eq!(fields.without(&["ssh_keys"]).showable(), [pair("name", "")]);
    }
}
