//! Mobile numbers in the one form in which they are kept: that of E.164, a plus sign and at most 15 digits.
//!
//! No library of numbering plans: those that there are weigh megabytes, and tell of a number only that it could exist. Whether
//! it is somebody's, a code by SMS will tell.

use innkeeper_wire::{
    api::Locale,
    error::{FieldError, FieldErrorCode},
};

use crate::{credentials::rules::password::normal as normal_text, kernel::field};

/// Fewest and most digits of a number with its country's code (ITU-T E.164).
const DIGITS: std::ops::RangeInclusive<usize> = 8..=15;

/// The number as it is kept; none when nothing was typed. Without a plus sign, and with a 0 in front, it is one of the
/// country whose language its owner has chosen.
pub fn normal(typed: &str, locale: Locale) -> Result<Option<String>, FieldError> {
    let malformed = || {
        let detail = "write the number with its country's code, such as +82 10 1234 5678";
        field("/mobile", FieldErrorCode::Malformed, detail)
    };
    let plain = normal_text(typed);
    let kept = |c: &char| !matches!(c, ' ' | '-' | '.' | '(' | ')' | '\u{2010}'..='\u{2013}');
    let plain: String = plain.trim().chars().filter(kept).collect();
    if plain.is_empty() {
        return Ok(None);
    }
    let digits = if let Some(international) = plain.strip_prefix('+') {
        international.to_owned()
    } else if let Some(international) = plain.strip_prefix("00") {
        international.to_owned()
    } else {
        let national = plain.strip_prefix('0').ok_or_else(malformed)?;
        let country = match locale {
            Locale::Ko => "82",
            Locale::ZhHant => "886",
            Locale::En => return Err(malformed()),
        };
        format!("{country}{national}")
    };
    let is_number = digits.bytes().all(|b| b.is_ascii_digit()) && !digits.starts_with('0');
    if is_number && DIGITS.contains(&digits.len()) {
        Ok(Some(format!("+{digits}")))
    } else {
        Err(malformed())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_get_one_form() {
        for (typed, locale, kept) in [
            ("010-1234-5678", Locale::Ko, "+821012345678"),
            (" 010 1234 5678 ", Locale::Ko, "+821012345678"),
            ("０１０－１２３４－５６７８", Locale::Ko, "+821012345678"),
            ("+82 10-1234-5678", Locale::En, "+821012345678"),
            ("0082 10 1234 5678", Locale::En, "+821012345678"),
            ("0912-345-678", Locale::ZhHant, "+886912345678"),
            ("+1 (202) 555-0143", Locale::Ko, "+12025550143"),
            ("+49.151.23456789", Locale::En, "+4915123456789"),
        ] {
            assert_eq!(normal(typed, locale), Ok(Some(kept.to_owned())), "{typed}");
        }
        assert_eq!(normal("  ", Locale::Ko), Ok(None));
    }

    #[test]
    fn what_is_no_number_is_refused() {
        for (typed, locale) in [
            ("010-1234-5678", Locale::En),
            ("1234-5678", Locale::Ko),
            ("+82 10 1234 5678 ext 9", Locale::Ko),
            ("+", Locale::Ko),
            ("+0821012345678", Locale::Ko),
            ("+1234567", Locale::Ko),
            ("+1234567890123456", Locale::Ko),
            (
                "+82\u{661}\u{662}\u{663}\u{664}\u{665}\u{666}\u{667}",
                Locale::Ko,
            ),
            ("call me", Locale::ZhHant),
        ] {
            let refused = normal(typed, locale).expect_err(typed);
            assert_eq!(refused.code, FieldErrorCode::Malformed, "{typed}");
        }
    }
}
