//! What is taken back of a sum with the taxes on it.

use innkeeper_wire::{
    billing::{TaxTotal, Totals},
    money::{Money, MoneyError},
    price::Price,
};

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
    use innkeeper_wire::{
        money::Currency,
        price::{Shown, Tax, TaxName, TaxRate},
    };

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

    /// Fifteen won with two of tax, taken back five at a time: one, nothing, one.
    #[test]
    fn parts_of_a_sum_add_up_to_it() {
        let whole = Totals::of(WON, [won(5); 3], Some(&tax(100_000))).expect("it fits");
        let part = |before, net| part_of(&whole, before, net).expect("it fits");
        let taxes = [0, 5, 10].map(|before| part(before, 5).taxes[0].tax.amount);
        assert_eq!(taxes, [1, 0, 1]);
        assert_eq!(part(0, 15), whole);
        assert_eq!(part(5, 10).total, won(11));
    }
}
