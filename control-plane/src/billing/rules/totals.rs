//! A sum with the taxes on it: each is taken of the sum of all lines of its rate, and rounded once (domain-model C2.3).

use innkeeper_wire::{
    billing::{TaxTotal, Totals},
    money::{Currency, Money, MoneyError},
    price::{Price, Tax},
};

/// The sum of these amounts before tax, and the tax on it if there is one.
///
/// # Errors
/// When they are not all of this currency, or do not fit.
pub fn of(
    currency: Currency,
    nets: impl IntoIterator<Item = Money>,
    tax: Option<&Tax>,
) -> Result<Totals, MoneyError> {
    let nothing = Money {
        amount: 0,
        currency,
    };
    let net = nets.into_iter().try_fold(nothing, Money::checked_add)?;
    let Some(tax) = tax else {
        return Ok(Totals {
            net,
            taxes: Vec::new(),
            total: net,
        });
    };
    let price = Price::of(net, tax.rate)?;
    Ok(Totals {
        net,
        taxes: vec![TaxTotal {
            rate: tax.rate,
            name: tax.name.clone(),
            net,
            tax: price.tax,
        }],
        total: price.gross,
    })
}

/// The part of a sum that takes back `net` of it, when `before` of it was taken back already. Its tax is that of both less
/// that of what came before: so the parts of a sum add up to it, however it is taken back.
///
/// # Errors
/// When amounts do not fit.
pub fn part_of(whole: &Totals, before: i64, net: i64) -> Result<Totals, MoneyError> {
    let currency = whole.net.currency;
    let money = |amount| Money { amount, currency };
    let behind = before.checked_add(net).ok_or(MoneyError::Overflow)?;
    let mut total = money(net);
    let mut taxes = Vec::with_capacity(whole.taxes.len());
    for tax in &whole.taxes {
        let until = |amount| Price::of(money(amount), tax.rate).map(|price| price.tax.amount);
        let part = money(until(behind)? - until(before)?);
        total = total.checked_add(part)?;
        taxes.push(TaxTotal {
            net: money(net),
            tax: part,
            ..tax.clone()
        });
    }
    Ok(Totals {
        net: money(net),
        taxes,
        total,
    })
}

#[cfg(test)]
mod tests {
    use innkeeper_wire::price::{Shown, TaxName, TaxRate};

    use super::*;

    const WON: Currency = Currency::Krw;

    fn won(amount: i64) -> Money {
        Money {
            amount,
            currency: WON,
        }
    }

    fn tax(millionths: u32) -> Tax {
        Tax {
            rate: TaxRate::try_from(millionths).expect("a rate"),
            name: TaxName {
                en: "VAT".to_owned(),
                ko: "부가세".to_owned(),
                zh_hant: "營業稅".to_owned(),
            },
            shown: Shown::BeforeTax,
        }
    }

    /// Three lines of 5 won: 0.5 won of tax each would be three, of the sum they are two.
    #[test]
    fn tax_is_rounded_once_on_the_sum() {
        let totals = of(WON, [won(5); 3], Some(&tax(100_000))).expect("it fits");
        assert_eq!((totals.net, totals.total), (won(15), won(17)));
        assert_eq!(totals.taxes[0].tax, won(2));
        assert_eq!(totals.taxes[0].net, won(15));
    }

    #[test]
    fn nothing_is_nothing_and_no_tax_is_none() {
        let none = of(WON, [], Some(&tax(100_000))).expect("it fits");
        assert_eq!((none.net, none.total), (won(0), won(0)));
        let untaxed = of(WON, [won(7)], None).expect("it fits");
        assert_eq!((untaxed.taxes.len(), untaxed.total), (0, won(7)));
    }

    /// Fifteen won with two of tax, taken back five at a time: one, nothing, one.
    #[test]
    fn parts_of_a_sum_add_up_to_it() {
        let whole = of(WON, [won(5); 3], Some(&tax(100_000))).expect("it fits");
        let part = |before, net| part_of(&whole, before, net).expect("it fits");
        let taxes = [0, 5, 10].map(|before| part(before, 5).taxes[0].tax.amount);
        assert_eq!(taxes, [1, 0, 1]);
        assert_eq!(part(0, 15), whole);
        assert_eq!(part(5, 10).total, won(11));
    }

    #[test]
    fn another_currency_is_refused() {
        let euro = Money {
            amount: 1,
            currency: Currency::Eur,
        };
        let mixed = of(WON, [won(1), euro], None);
        assert_eq!(mixed, Err(MoneyError::MixedCurrencies(WON, Currency::Eur)));
    }
}
