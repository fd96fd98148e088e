//! Money: whole minor units and a currency; prices on a scale a million times finer. No floats.
//!
//! There is one multiplication and one rounding ([`HourlyRate::for_seconds`]): half away from zero, on the
//! absolute value, once a line (domain-model C2.3).

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// An ISO 4217 currency that prices can be in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Currency {
    /// South Korean won, no decimals.
    Krw,
    /// New Taiwan dollar: two decimals in ISO 4217, none in use; we keep ISO's.
    Twd,
    /// US dollar.
    Usd,
    /// Euro.
    Eur,
}

impl Currency {
    /// The ISO 4217 code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Krw => "KRW",
            Self::Twd => "TWD",
            Self::Usd => "USD",
            Self::Eur => "EUR",
        }
    }

    /// How many decimals one major unit has.
    #[must_use]
    pub const fn decimals(self) -> u32 {
        match self {
            Self::Krw => 0,
            Self::Twd | Self::Usd | Self::Eur => 2,
        }
    }
}

/// Why a text is no currency of ours.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a currency that is offered (KRW, TWD, USD, EUR)")]
pub struct UnknownCurrency(String);

impl FromStr for Currency {
    type Err = UnknownCurrency;
    fn from_str(code: &str) -> Result<Self, UnknownCurrency> {
        [Self::Krw, Self::Twd, Self::Usd, Self::Eur]
            .into_iter()
            .find(|currency| currency.code() == code)
            .ok_or_else(|| UnknownCurrency(code.chars().take(16).collect()))
    }
}

travels_as_text!(Currency);

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl utoipa::PartialSchema for Currency {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        utoipa::openapi::ObjectBuilder::new()
            .schema_type(utoipa::openapi::schema::Type::String)
            .enum_values(Some(["KRW", "TWD", "USD", "EUR"]))
            .into()
    }
}

impl utoipa::ToSchema for Currency {}

/// An amount in minor units (won, cents).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Money {
    /// Minor units; negative for what is owed back.
    #[schema(example = 12_000)]
    pub amount: i64,
    /// The currency of `amount`.
    pub currency: Currency,
}

/// Arithmetic on money that has no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    /// Two currencies met.
    #[error("{0} and {1} do not add up")]
    MixedCurrencies(Currency, Currency),
    /// The result does not fit.
    #[error("the amount is too large")]
    Overflow,
}

/// Why a text is no amount.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AmountError {
    /// It is no number.
    #[error("is not a decimal number such as 18.5")]
    Malformed,
    /// The currency has fewer decimals.
    #[error("has too many decimals")]
    TooFine,
    /// It does not fit.
    #[error("is too large")]
    TooLarge,
}

/// A decimal number as an integer of `scale` decimals; exact or refused. Commas stand between groups of three digits.
///
/// # Errors
/// It is no such number, or has more decimals.
pub fn exact(text: &str, scale: u32) -> Result<u64, AmountError> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let mut groups = whole.split(',');
    let first = groups.next().unwrap_or_default();
    let is_grouped = groups.clone().next().is_some();
    let is_first = digits(first) && !first.is_empty() && (first.len() <= 3 || !is_grouped);
    if !is_first || !groups.all(|group| group.len() == 3 && digits(group)) || !digits(fraction) {
        return Err(AmountError::Malformed);
    }
    let missing = usize::try_from(scale)
        .ok()
        .and_then(|scale| scale.checked_sub(fraction.len()));
    let missing = missing.ok_or(AmountError::TooFine)?;
    let padded = format!(
        "{}{fraction}{}",
        whole.replace(',', ""),
        "0".repeat(missing)
    );
    padded.parse().map_err(|_| AmountError::TooLarge)
}

impl Money {
    /// An amount in major units as people write it, such as `12000`, `12,000` or `4.99`: above or at zero, exact.
    ///
    /// # Errors
    /// It is no such number, or has more decimals than the currency.
    pub fn of_text(text: &str, currency: Currency) -> Result<Self, AmountError> {
        let amount = exact(text, currency.decimals())?;
        let amount = i64::try_from(amount).map_err(|_| AmountError::TooLarge)?;
        Ok(Self { amount, currency })
    }

    /// Its digits without the sign: major units, thousands grouped. Exact.
    #[must_use]
    pub fn digits(self) -> String {
        let minor = u128::from(self.amount.unsigned_abs());
        decimal(minor, self.currency.decimals(), self.currency)
    }

    /// The sum, if both are of one currency and it fits.
    pub fn checked_add(self, other: Self) -> Result<Self, MoneyError> {
        if self.currency != other.currency {
            return Err(MoneyError::MixedCurrencies(self.currency, other.currency));
        }
        let amount = self
            .amount
            .checked_add(other.amount)
            .ok_or(MoneyError::Overflow)?;
        Ok(Self {
            amount,
            currency: self.currency,
        })
    }
}

/// As it reads in every language: the digits, and the code of the currency.
impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.amount < 0 { "-" } else { "" };
        write!(f, "{sign}{} {}", self.digits(), self.currency)
    }
}

/// A price an hour, in millionths of a minor unit (1 won an hour = 1 000 000).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct HourlyRate {
    /// Millionths of a minor unit an hour; never negative.
    pub micro_minor_per_hour: u64,
    /// The currency of the rate.
    pub currency: Currency,
}

impl HourlyRate {
    /// A price an hour in major units, such as `18.5`: exact, to a millionth of the minor unit.
    ///
    /// # Errors
    /// It is no such number, or has more decimals.
    pub fn of_text(text: &str, currency: Currency) -> Result<Self, AmountError> {
        let micro_minor_per_hour = exact(text, currency.decimals() + 6)?;
        Ok(Self {
            micro_minor_per_hour,
            currency,
        })
    }

    /// Its digits: major units, thousands grouped, with as many decimals as it has.
    #[must_use]
    pub fn digits(self) -> String {
        let micro = u128::from(self.micro_minor_per_hour);
        decimal(micro, self.currency.decimals() + 6, self.currency)
    }

    /// What `seconds` cost at this rate, rounded once.
    pub fn for_seconds(self, seconds: u64) -> Result<Money, MoneyError> {
        let micro = u128::from(self.micro_minor_per_hour)
            .checked_mul(u128::from(seconds))
            .ok_or(MoneyError::Overflow)?;
        let per_unit: u128 = 3_600 * 1_000_000;
        let rounded = micro
            .checked_add(per_unit / 2)
            .ok_or(MoneyError::Overflow)?
            / per_unit;
        let amount = i64::try_from(rounded).map_err(|_| MoneyError::Overflow)?;
        Ok(Money {
            amount,
            currency: self.currency,
        })
    }
}

/// `value` / 10^`scale`, thousands grouped, without zeros at the end beyond the currency's own decimals.
fn decimal(value: u128, scale: u32, currency: Currency) -> String {
    let unit = 10_u128.pow(scale);
    let whole = (value / unit).to_string();
    let mut grouped = String::with_capacity(whole.len() + whole.len() / 3);
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    let width = usize::try_from(scale).expect("a handful of decimals");
    let kept = usize::try_from(currency.decimals()).expect("a handful of decimals");
    let mut fraction = format!("{:0width$}", value % unit);
    // Nobody in Taiwan writes cents that are none.
    let is_whole = value.is_multiple_of(unit);
    if scale == 0 || is_whole && currency == Currency::Twd {
        fraction.clear();
    }
    while fraction.len() > kept && fraction.ends_with('0') {
        fraction.pop();
    }
    if !fraction.is_empty() {
        grouped.push('.');
        grouped.push_str(&fraction);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn krw(amount: i64) -> Money {
        Money {
            amount,
            currency: Currency::Krw,
        }
    }

    fn rate(micro_minor_per_hour: u64) -> HourlyRate {
        HourlyRate {
            micro_minor_per_hour,
            currency: Currency::Krw,
        }
    }

    #[test]
    fn an_hour_costs_the_rate_and_halves_round_up() {
        assert_eq!(rate(18_000_000).for_seconds(3_600), Ok(krw(18)));
        assert_eq!(rate(1_000_000).for_seconds(1_800), Ok(krw(1)));
        assert_eq!(rate(1_000_000).for_seconds(1_799), Ok(krw(0)));
        assert_eq!(
            rate(u64::MAX).for_seconds(u64::MAX),
            Err(MoneyError::Overflow)
        );
    }

    #[test]
    fn amounts_are_read_as_people_write_them_and_exactly() {
        let euro = |text| Money::of_text(text, Currency::Eur).map(|money| money.amount);
        let won = |text| Money::of_text(text, Currency::Krw).map(|money| money.amount);
        assert_eq!(won("12000"), Ok(12_000));
        assert_eq!(won("1,234,567"), Ok(1_234_567));
        assert_eq!(
            (euro("4.99"), euro("4.9"), euro("4")),
            (Ok(499), Ok(490), Ok(400))
        );
        for text in [
            "", " 1", "-1", "1,23", "1234,567", ",123", "1,", ".5", "1e3", "1,234,56",
        ] {
            assert_eq!(won(text), Err(AmountError::Malformed), "{text:?}");
        }
        let hourly = |text, currency| {
            let rate = HourlyRate::of_text(text, currency);
            rate.map(|rate| rate.micro_minor_per_hour)
        };
        assert_eq!(hourly("18.5", Currency::Krw), Ok(18_500_000));
        assert_eq!(hourly("0.0071", Currency::Eur), Ok(710_000));
        assert_eq!(won("0.5"), Err(AmountError::TooFine));
        assert_eq!(euro("4.999"), Err(AmountError::TooFine));
        assert_eq!(won("9,999,999,999,999,999,999"), Err(AmountError::TooLarge));
    }

    #[test]
    fn amounts_read_alike_in_all_languages() {
        for (amount, currency, expected) in [
            (1_234_567, Currency::Krw, "1,234,567 KRW"),
            (0, Currency::Krw, "0 KRW"),
            (-105, Currency::Eur, "-1.05 EUR"),
            (123_456_789, Currency::Twd, "1,234,567.89 TWD"),
        ] {
            assert_eq!(Money { amount, currency }.to_string(), expected);
        }
    }

    #[test]
    fn currencies_do_not_mix() {
        let euro = Money {
            amount: 1,
            currency: Currency::Eur,
        };
        assert_eq!(
            krw(1).checked_add(euro),
            Err(MoneyError::MixedCurrencies(Currency::Krw, Currency::Eur))
        );
        assert_eq!(krw(i64::MAX).checked_add(krw(1)), Err(MoneyError::Overflow));
    }

    proptest! {
        #[test]
        fn rounding_is_never_off_by_more_than_half(micro in 0u64..1_000_000_000_000, seconds in 0u64..100_000_000) {
            let money = rate(micro).for_seconds(seconds).expect("fits");
            let exact_times_unit = i128::from(micro) * i128::from(seconds);
            let off = i128::from(money.amount) * 3_600_000_000 - exact_times_unit;
            prop_assert!(off.abs() * 2 <= 3_600_000_000);
        }
    }
}
