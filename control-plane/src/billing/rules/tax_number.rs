//! Numbers by which the tax offices of Korea and Taiwan know a business: their form, and their check digits.

use innkeeper_wire::error::FieldErrorCode;

use crate::credentials::rules::password::normal as normal_text;

/// What is wrong with a number, and what is said of it.
pub type Wrong = (FieldErrorCode, &'static str);

/// Weights of the digits of a Korean business' number but the last; a ninth digit's tens count besides.
const KR_BUSINESS: [u32; 9] = [1, 3, 7, 1, 3, 7, 1, 3, 5];
/// Weights of the digits of a Taiwanese business' number.
const TW_BUSINESS: [u32; 8] = [1, 2, 1, 2, 1, 2, 4, 1];

/// The number of a business in Korea (사업자등록번호): 10 digits, of which the last one checks the others.
pub fn kr_business(typed: &str) -> Result<String, Wrong> {
    let malformed = "a business registration number of Korea has 10 digits";
    let (text, digits) = digits::<10>(typed, malformed)?;
    let weighted = KR_BUSINESS.iter().zip(digits).map(|(weight, d)| weight * d);
    let sum = weighted.sum::<u32>() + digits[8] * 5 / 10;
    fits((sum + digits[9]).is_multiple_of(10), text)
}

/// The number of a company in Korea's register (법인등록번호): 13 digits. The last one checks the others where the number was
/// given before 2025-01-31; since then it is one of the serial number, and nothing tells which is which. So it can't be held
/// against anybody.
pub fn kr_corporate(typed: &str) -> Result<String, Wrong> {
    let malformed = "a corporate registration number of Korea has 13 digits";
    digits::<13>(typed, malformed).map(|(text, _)| text)
}

/// The unified number of a business in Taiwan (統一編號): 8 digits. The digits of each weighted one are added; since 2023 a sum
/// that 5 divides will do, where it was 10. A 7 before the last digit weighs 28: its 10 counts as 1 or as 0.
pub fn tw_business(typed: &str) -> Result<String, Wrong> {
    let malformed = "a unified business number of Taiwan has 8 digits";
    let (text, digits) = digits::<8>(typed, malformed)?;
    let weighted = TW_BUSINESS.iter().zip(digits).map(|(weight, d)| weight * d);
    let sum: u32 = weighted.map(|product| product / 10 + product % 10).sum();
    let is_right = sum.is_multiple_of(5) || (digits[6] == 7 && (sum + 1).is_multiple_of(5));
    fits(is_right, text)
}

fn fits(is_right: bool, text: String) -> Result<String, Wrong> {
    let wrong = "a digit of this number is wrong: its check digit does not fit";
    is_right
        .then_some(text)
        .ok_or((FieldErrorCode::CheckDigit, wrong))
}

/// So many digits, without the hyphens and blanks that people write between them; also as one text.
fn digits<const N: usize>(
    typed: &str,
    malformed: &'static str,
) -> Result<(String, [u32; N]), Wrong> {
    let plain = normal_text(typed);
    let kept = |c: &char| !matches!(c, ' ' | '-' | '\u{2010}'..='\u{2015}' | '\u{2212}');
    let text: String = plain.trim().chars().filter(kept).collect();
    let read = text.chars().map(|c| c.to_digit(10));
    let read: Option<Vec<u32>> = read.collect();
    let digits = read.and_then(|digits| <[u32; N]>::try_from(digits).ok());
    let digits = digits.ok_or((FieldErrorCode::Malformed, malformed))?;
    Ok((text, digits))
}

#[cfg(test)]
mod tests {
    use proptest::{prelude::*, test_runner::TestCaseResult};

    use super::*;

    type Check = fn(&str) -> Result<String, Wrong>;

    #[test]
    fn numbers_get_one_form() {
        for (check, typed, kept) in [
            // Of companies that are known to everybody: both sides of the tens of the ninth digit.
            (kr_business as Check, "124-81-00998", "1248100998"),
            (kr_business, " 220 81 62517 ", "2208162517"),
            (kr_business, "１２０－８１－４７５２１", "1208147521"),
            (kr_corporate, "130111-0006246", "1301110006246"),
            // As they are given since 2025: the last digit checks nothing.
            (kr_corporate, "110111 1234560", "1101111234560"),
            (tw_business, "04595257", "04595257"),
            (tw_business, "2209-9131", "22099131"),
            // A 7 before the last digit, both ways.
            (tw_business, "10458575", "10458575"),
            (tw_business, "10458574", "10458574"),
            // A sum that 5 divides and 10 does not.
            (tw_business, "00000005", "00000005"),
        ] {
            assert_eq!(check(typed), Ok(kept.to_owned()), "{typed}");
        }
    }

    #[test]
    fn what_is_no_number_is_refused() {
        use FieldErrorCode::{CheckDigit, Malformed};
        for (check, typed, expected) in [
            (kr_business as Check, "124-81-00997", CheckDigit),
            (kr_business, "124-81-0099", Malformed),
            (kr_business, "124-81-009988", Malformed),
            (kr_business, "", Malformed),
            (kr_business, "1248100998a", Malformed),
            (kr_business, "+248100998", Malformed),
            (kr_corporate, "130111-000624", Malformed),
            (kr_corporate, "130111-000624X", Malformed),
            (tw_business, "04595258", CheckDigit),
            (tw_business, "0459525", Malformed),
            (
                tw_business,
                "\u{661}\u{662}\u{663}\u{664}\u{665}\u{666}\u{667}\u{668}",
                Malformed,
            ),
        ] {
            let refused = check(typed).expect_err(typed);
            assert_eq!(refused.0, expected, "{typed}");
        }
    }

    /// The digit with which these others are a number; each one has exactly one in Korea.
    fn one_fits(check: Check, others: u64, length: usize) -> TestCaseResult {
        let all = (0..10).map(|last| format!("{others:0length$}{last}"));
        let good = all.filter(|number| check(number).is_ok()).count();
        prop_assert_eq!(good, 1);
        Ok(())
    }

    proptest! {
        #[test]
        fn of_korean_numbers_one_in_ten_is_right(others in 0_u64..1_000_000_000) {
            one_fits(kr_business, others, 9)?;
        }

        /// Whoever mistypes one digit of a right number hears so: all weights are prime to 10 but the ninth.
        #[test]
        fn a_mistyped_digit_of_a_korean_number_is_seen(others in 0_u64..1_000_000_000, place in 0_usize..8, other in 1_u32..10) {
            let number = (0..10).map(|last| format!("{others:09}{last}")).find(|number| kr_business(number).is_ok());
            let mut digits: Vec<u32> = number.expect("one fits").chars().filter_map(|c| c.to_digit(10)).collect();
            digits[place] = (digits[place] + other) % 10;
            let typed: String = digits.iter().map(u32::to_string).collect();
            prop_assert_eq!(kr_business(&typed).map_err(|wrong| wrong.0), Err(FieldErrorCode::CheckDigit));
        }

        #[test]
        fn of_taiwanese_numbers_two_last_digits_fit(others in 0_u64..10_000_000) {
            let all = (0..10).map(|last| format!("{others:07}{last}"));
            let good = all.filter(|number| tw_business(number).is_ok()).count();
            let is_special = others % 10 == 7;
            prop_assert_eq!(good, if is_special { 4 } else { 2 });
        }

        #[test]
        fn no_text_panics(typed: String) {
            for check in [kr_business, kr_corporate, tw_business] {
                let _ = check(&typed);
            }
        }
    }
}
