//! Passwords: the form in which one is counted, judged and hashed, and what is asked of a new one.
//!
//! The same password reaches us in different code points: a Mac decomposes Hangul and accents, an input method writes
//! full-width digits, a pasted space does not break. NFKC makes them one (RFC 8265 has NFC and plain spaces; compatibility
//! forms matter here, where people type on Korean and Chinese keyboards).

use std::borrow::Cow;

use icu_normalizer::ComposingNormalizerBorrowed;
use innkeeper_wire::error::{FieldError, FieldErrorCode};

use crate::kernel::field;

/// Longest password, in characters of the normal form (domain-model B7).
pub const LENGTH_MAX: usize = innkeeper_wire::api::PASSWORD_LENGTH_MAX;
/// Shortest text that counts as personal when a password holds it, in characters.
const PERSONAL_LENGTH_MIN: usize = 4;

/// A password, or a text that it is compared with, in its normal form.
#[must_use]
pub fn normal(text: &str) -> Cow<'_, str> {
    ComposingNormalizerBorrowed::new_nfkc().normalize(text)
}

/// Whose password it is: what of him must not stand in it.
#[derive(Debug, Clone, Copy)]
pub struct Owner<'a> {
    /// His ID.
    pub login_id: &'a str,
    /// His name.
    pub name: &'a str,
    /// His address.
    pub email: &'a str,
    /// His mobile number in the form of E.164, if he has given one.
    pub mobile: Option<&'a str>,
}

/// Last digits of a mobile number that a password must not hold: however it is typed, with or without the country's code.
const MOBILE_DIGITS: usize = 8;

impl Owner<'_> {
    /// Whether these digits have his mobile number in them.
    fn has_mobile_in(&self, digits: &str) -> bool {
        let number = self.mobile.unwrap_or_default();
        let last = number.len().checked_sub(MOBILE_DIGITS);
        let last = last.and_then(|start| number.get(start..));
        last.is_some_and(|last| digits.contains(last))
    }
}

/// The `modern` profile (domain-model B7): length, no personal data, not easy to guess; no classes.
#[must_use]
pub fn check(password: &str, owner: Owner<'_>, length_min: usize) -> Option<FieldError> {
    let refuse = |code, detail: &str| Some(field("/password", code, detail));
    let password = normal(password);
    let length = password.chars().count();
    if length == 0 {
        return refuse(FieldErrorCode::Required, "choose a password");
    }
    if length < length_min {
        let detail = format!("a password has at least {length_min} characters");
        return refuse(FieldErrorCode::TooShort, &detail);
    }
    if length > LENGTH_MAX {
        let detail = "a password has at most 128 characters";
        return refuse(FieldErrorCode::TooLong, detail);
    }
    let lower = password.to_lowercase();
    let personal: Vec<String> = [owner.login_id, owner.name]
        .into_iter()
        .chain(owner.email.split(['@', '\u{ff20}']).next())
        .map(|text| normal(text.trim()).to_lowercase())
        .filter(|text| text.chars().count() >= PERSONAL_LENGTH_MIN)
        .collect();
    let digits: String = lower.chars().filter(char::is_ascii_digit).collect();
    if personal.iter().any(|text| lower.contains(text)) || owner.has_mobile_in(&digits) {
        let detail = "the password contains your ID, name, e-mail address or mobile number";
        return refuse(FieldErrorCode::ContainsPersonalData, detail);
    }
    let inputs: Vec<&str> = personal.iter().map(String::as_str).collect();
    if zxcvbn::zxcvbn(&password, &inputs).score() < zxcvbn::Score::Three {
        return refuse(FieldErrorCode::Weak, "this password is easy to guess");
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(password: &str) -> Option<FieldErrorCode> {
        let owner = Owner {
            login_id: "minji90",
            name: "Zoë Müller",
            email: "zmueller@example.com",
            mobile: Some("+821087654321"),
        };
        check(password, owner, 15).map(|error| error.code)
    }

    #[test]
    fn what_is_asked_of_a_new_one() {
        use FieldErrorCode::{ContainsPersonalData, Required, TooLong, TooShort, Weak};
        for (password, expected) in [
            ("", Some(Required)),
            ("tr0ub4dor&3xyz", Some(TooShort)),
            (&"x".repeat(129), Some(TooLong)),
            ("aaaaaaaaaaaaaaaaaaa", Some(Weak)),
            ("password123456789", Some(Weak)),
            ("MinJi90-violet-anchor", Some(ContainsPersonalData)),
            ("violet-ZMUELLER-anchor", Some(ContainsPersonalData)),
            ("violet 8765-4321 anchor", Some(ContainsPersonalData)),
            ("violet 87-65-432 anchor", None),
            // However its accents are written.
            (
                "violet zoe\u{308} mu\u{308}ller anchor",
                Some(ContainsPersonalData),
            ),
            ("violet-anchor-tundra-58", None),
            ("보라색 닻과 얼어붙은 들판 오십팔", None),
        ] {
            assert_eq!(judged(password), expected, "{password}");
        }
    }

    /// Row B19.
    #[test]
    fn one_password_is_one_however_it_is_typed() {
        let hangul = "보라색 닻과 얼어붙은 들판 오십팔";
        // As a Mac has it: consonants and vowels apart.
        let decomposed: String = hangul.chars().flat_map(jamo).collect();
        assert_ne!(decomposed, hangul);
        assert_eq!(normal(&decomposed), hangul);
        for (typed, plain) in [
            ("cafe\u{301}", "café"),
            ("１２３ａＢ", "123aB"),
            ("violet\u{a0}anchor\u{3000}58", "violet anchor 58"),
            ("ｶﾞ", "ガ"),
            ("plain", "plain"),
        ] {
            assert_eq!(normal(typed), plain, "{typed}");
            assert_eq!(normal(&normal(typed)), plain, "{typed}");
        }
        // Eight syllables are eight characters, in either form.
        let eight = "보라색닻과얼어붙";
        assert_eq!(judged(eight), Some(FieldErrorCode::TooShort));
        let eight: String = eight.chars().flat_map(jamo).collect();
        assert!(eight.chars().count() >= 15);
        assert_eq!(judged(&eight), Some(FieldErrorCode::TooShort));
        assert_eq!(judged(&decomposed), None);
    }

    /// A syllable in its parts (Unicode 3.12).
    fn jamo(c: char) -> Vec<char> {
        let Some(index) = u32::from(c)
            .checked_sub(0xac00)
            .filter(|index| *index < 11_172)
        else {
            return vec![c];
        };
        let parts = [
            0x1100 + index / 588,
            0x1161 + index % 588 / 28,
            0x11a7 + index % 28,
        ];
        let has_end = index % 28 != 0;
        let parts = &parts[..if has_end { 3 } else { 2 }];
        parts
            .iter()
            .filter_map(|part| char::from_u32(*part))
            .collect()
    }
}
