//! What a member agrees to (R13, R14): which text, as it was shown, when and from where; and of what he is asked again.
//!
//! A new version is asked for and not enforced: servers, sessions and API tokens of a member who has not agreed to it go on.
//! What follows from a refusal is between the member and the operator, and no reason to stop his machines.

use std::net::IpAddr;

use innkeeper_wire::{
    digest::Digest,
    error::{FieldError, FieldErrorCode},
    member::{ConsentRequest, ConsentText, Consents, GivenConsent, SignUpTexts},
    time::Timestamp,
};
use serde::{Deserialize, Serialize};

pub use innkeeper_wire::member::ConsentDocument;

use super::sign_up::check_consent;
use crate::kernel::{field, sealed::Sealed};

/// That somebody agreed to a text.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Consent {
    /// Which.
    pub document: ConsentDocument,
    /// Its version, as the operator calls it.
    pub version: String,
    /// The text itself in the language of the sign-up; not noted in accounts from before there were kinds of members.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<Digest>,
    /// When.
    pub at: Timestamp,
    /// From where; likewise, and gone once the account is erased.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Sealed<ConsentPlace>>,
}

/// From where somebody agreed. Never stored but sealed with the account's key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConsentPlace {
    /// The client's address.
    pub address: IpAddr,
}

impl Consent {
    /// To this text, now.
    #[must_use]
    pub fn to(
        document: ConsentDocument,
        text: &ConsentText,
        at: Timestamp,
        from: Sealed<ConsentPlace>,
    ) -> Self {
        Self {
            document,
            version: text.version.clone(),
            text: Some(Digest::of(text.text.as_bytes())),
            at,
            from: Some(from),
        }
    }

    /// The same without what tells of the person.
    #[must_use]
    pub fn without_place(&self) -> Self {
        Self {
            from: None,
            ..self.clone()
        }
    }
}

/// Whether a member is asked for a text of this version; `given` is what he has agreed to, the oldest first. What counts is
/// the consent that was given last: an operator who goes back to a version of before asks for that anew.
#[must_use]
pub fn is_asked(given: &[Consent], document: ConsentDocument, version: &str) -> bool {
    let mut of_it = given.iter().filter(|it| it.document == document);
    of_it.next_back().is_none_or(|last| last.version != version)
}

/// What a member has agreed to, and which of the present texts he has not.
#[must_use]
pub fn consents(given: &[Consent], texts: SignUpTexts) -> Consents {
    let is_new = |document, text: &ConsentText| is_asked(given, document, &text.version);
    let shown = |it: &Consent| GivenConsent {
        document: it.document,
        version: it.version.clone(),
        at: it.at,
    };
    let personal_data = texts.personal_data;
    Consents {
        given: given.iter().rev().map(shown).collect(),
        terms: Some(texts.terms).filter(|text| is_new(ConsentDocument::Terms, text)),
        personal_data: personal_data.filter(|text| is_new(ConsentDocument::PersonalData, text)),
    }
}

/// Longest version that a request names.
const VERSION_CHARS_MAX: usize = 64;

/// The texts that are agreed to by a request, which must name all that are asked for, in their present versions.
pub fn check_given<'a>(
    asked: &'a Consents,
    request: &ConsentRequest,
) -> Result<Vec<(ConsentDocument, &'a ConsentText)>, Vec<FieldError>> {
    let rows = [
        (
            ConsentDocument::Terms,
            "/accepted_terms",
            &asked.terms,
            &request.accepted_terms,
        ),
        (
            ConsentDocument::PersonalData,
            "/accepted_personal_data",
            &asked.personal_data,
            &request.accepted_personal_data,
        ),
    ];
    let (mut agreed, mut errors) = (Vec::new(), Vec::new());
    for (document, pointer, text, accepted) in rows {
        let accepted = accepted.as_deref().unwrap_or_default();
        // Also of what is not asked for: no version is as long.
        if accepted.chars().count() > VERSION_CHARS_MAX {
            let detail = "a version has at most 64 characters";
            errors.push(field(pointer, FieldErrorCode::TooLong, detail));
            continue;
        }
        let Some(text) = text else {
            continue;
        };
        match check_consent(pointer, accepted, text) {
            None => agreed.push((document, text)),
            Some(error) => errors.push(error),
        }
    }
    if errors.is_empty() {
        Ok(agreed)
    } else {
        Err(errors)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(version: &str) -> ConsentText {
        ConsentText {
            version: version.to_owned(),
            lang: None,
            text: "Be kind.".to_owned(),
        }
    }

    fn texts(terms: &str, personal_data: Option<&str>) -> SignUpTexts {
        SignUpTexts {
            terms: text(terms),
            personal_data: personal_data.map(text),
            mobile_notice: None,
        }
    }

    fn given(document: ConsentDocument, version: &str, at: i64) -> Consent {
        Consent {
            document,
            version: version.to_owned(),
            text: None,
            at: Timestamp::from_millis(at),
            from: None,
        }
    }

    #[test]
    fn a_text_is_asked_for_when_its_present_version_is_not_the_one_agreed_to_last() {
        use ConsentDocument::{PersonalData, Terms};
        let both = [given(Terms, "1", 1), given(PersonalData, "a", 1)];
        let again = [given(Terms, "1", 1), given(Terms, "2", 2)];
        for (given, texts, terms, personal_data) in [
            (&both[..], texts("1", Some("a")), false, false),
            (&both, texts("2", Some("a")), true, false),
            (&both, texts("1", Some("b")), false, true),
            (&both, texts("1", None), false, false),
            (&both[..1], texts("1", Some("a")), false, true),
            (&again, texts("2", None), false, false),
            (&again, texts("1", None), true, false),
            (&[], texts("1", None), true, false),
        ] {
            let shown = consents(given, texts.clone());
            let asked = (shown.terms.is_some(), shown.personal_data.is_some());
            assert_eq!(asked, (terms, personal_data), "{given:?} {texts:?}");
        }
        let versions = consents(&again, texts("2", None)).given;
        let versions: Vec<_> = versions.iter().map(|it| it.version.as_str()).collect();
        assert_eq!(versions, ["2", "1"]);
    }

    #[test]
    fn all_that_is_asked_for_is_agreed_to_at_once() {
        let asked = consents(&[], texts("2", Some("b")));
        let request = |terms: &str, personal_data: &str| {
            let named = |version: &str| Some(version.to_owned()).filter(|it| !it.is_empty());
            ConsentRequest {
                accepted_terms: named(terms),
                accepted_personal_data: named(personal_data),
                lang: None,
            }
        };
        let refused = |request: &ConsentRequest| {
            let errors = check_given(&asked, request).expect_err("it names too little");
            let named = errors.into_iter().map(|it| (it.pointer, it.code));
            named.collect::<Vec<_>>()
        };
        let personal_data = |code| ("/accepted_personal_data".to_owned(), code);
        let missing = refused(&request("2", ""));
        assert_eq!(missing, [personal_data(FieldErrorCode::Required)]);
        let outdated = refused(&request("2", "a"));
        assert_eq!(outdated, [personal_data(FieldErrorCode::Outdated)]);
        assert_eq!(refused(&request("", "")).len(), 2);
        let long = refused(&request("2", &"b".repeat(65)));
        assert_eq!(long, [personal_data(FieldErrorCode::TooLong)]);
        let both = request("2", "b");
        let agreed = check_given(&asked, &both).expect("both");
        let documents: Vec<_> = agreed.iter().map(|(document, _)| *document).collect();
        assert_eq!(
            documents,
            [ConsentDocument::Terms, ConsentDocument::PersonalData]
        );
        // What is not asked for is not looked at: it was sent twice.
        let nothing = consents(&[given(ConsentDocument::Terms, "2", 1)], texts("2", None));
        assert!(check_given(&nothing, &both).expect("nothing").is_empty());
    }
}
