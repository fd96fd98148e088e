//! Amounts of money as a configuration writes them: decimal numbers, taken exactly or refused.

use innkeeper_wire::money::{Currency, HourlyRate, Money};

/// A price an hour, to a millionth of the smallest unit.
pub(super) fn hourly(text: &str, currency: Currency) -> Result<HourlyRate, &'static str> {
    let micro_minor_per_hour = decimal(text, currency.decimals() + 6)?;
    Ok(HourlyRate {
        micro_minor_per_hour,
        currency,
    })
}

/// An amount in the smallest unit, of a number such as 12000 or 4.99.
///
/// # Errors
/// It is no such number, or has more decimals than the currency.
pub fn exact_amount(text: &str, currency: Currency) -> Result<Money, &'static str> {
    let amount = decimal(text, currency.decimals())?;
    Ok(Money {
        amount: i64::try_from(amount).map_err(|_| "is too large")?,
        currency,
    })
}

/// A decimal number as an integer of `scale` decimals; exact or refused.
pub(super) fn decimal(text: &str, scale: u32) -> Result<u64, &'static str> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || !digits(whole) || !digits(fraction) {
        return Err("is not a decimal number such as 18.5");
    }
    let missing = usize::try_from(scale)
        .ok()
        .and_then(|scale| scale.checked_sub(fraction.len()));
    let missing = missing.ok_or("has too many decimals")?;
    let padded = format!("{whole}{fraction}{}", "0".repeat(missing));
    padded.parse().map_err(|_| "is too large")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prices_are_exact() {
        assert_eq!(
            hourly("18.5", Currency::Krw)
                .expect("a price")
                .micro_minor_per_hour,
            18_500_000
        );
        assert_eq!(
            hourly("0.0071", Currency::Eur)
                .expect("a price")
                .micro_minor_per_hour,
            710_000
        );
        assert_eq!(
            exact_amount("4.99", Currency::Eur)
                .expect("an amount")
                .amount,
            499
        );
        assert!(exact_amount("4.999", Currency::Eur).is_err());
        assert!(exact_amount("0.5", Currency::Krw).is_err());
        for bad in ["", ".5", "-1", "1e3", "1,5", "99999999999999999999"] {
            assert!(hourly(bad, Currency::Krw).is_err(), "{bad}");
        }
    }
}
