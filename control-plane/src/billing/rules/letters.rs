//! What mails about money say.

use innkeeper_wire::money::Money;

use super::invoice::Invoice;
use crate::mails::rules::{Letter, Reader, Stationery};

/// An invoice was issued.
#[must_use]
pub fn issued(sheet: &Stationery, reader: &Reader, invoice: &Invoice) -> Letter {
    let Invoice { number, month, .. } = invoice;
    let total = amount(invoice.totals.total);
    let due = reader.zone.day(reader.locale, invoice.due_at);
    let link = sheet.link(reader, &format!("billing/invoices/{}", invoice.id), "");
    let subject = reader.say(
        format!("Invoice {number} for {month}: {total}"),
        format!("{month} 청구서 {number}: {total}"),
        format!("{month} 帳單 {number}：{total}"),
    );
    let text = reader.say(
        [
            format!("Your invoice {number} for {month} is issued."),
            format!("Amount: {total}\nTo be paid until: {due}"),
            format!("The invoice with all its lines:\n{link}"),
            format!("When you pay by bank transfer, name the number {number}."),
        ],
        [
            format!("{month} 이용분 청구서 {number}이(가) 발행되었습니다."),
            format!("청구 금액: {total}\n납부 기한: {due}"),
            format!("청구 내역 보기:\n{link}"),
            format!("계좌 이체로 납부하실 때 청구서 번호 {number}을(를) 적어 주세요."),
        ],
        [
            format!("您 {month} 的帳單 {number} 已開立。"),
            format!("金額：{total}\n繳款期限：{due}"),
            format!("查看帳單明細：\n{link}"),
            format!("以銀行轉帳繳款時，請註明帳單編號 {number}。"),
        ],
    );
    sheet.letter(reader, &subject, &text)
}

/// An amount as mails have it in every language: grouped, with the code of its currency.
fn amount(money: Money) -> String {
    let decimals = money.currency.decimals();
    let unit = 10_u64.pow(decimals);
    let minor = money.amount.unsigned_abs();
    let digits = (minor / unit).to_string();
    let mut grouped = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    let sign = if money.amount < 0 { "-" } else { "" };
    let code = money.currency;
    match decimals {
        0 => format!("{sign}{grouped} {code}"),
        _ => format!("{sign}{grouped}.{:02} {code}", minor % unit),
    }
}

#[cfg(test)]
mod tests {
    use innkeeper_wire::money::Currency;

    use super::*;

    #[test]
    fn amounts_read_alike_in_all_languages() {
        for (minor, currency, expected) in [
            (1_234_567, Currency::Krw, "1,234,567 KRW"),
            (0, Currency::Krw, "0 KRW"),
            (-1_05, Currency::Eur, "-1.05 EUR"),
            (123_456_789, Currency::Twd, "1,234,567.89 TWD"),
        ] {
            let money = Money {
                amount: minor,
                currency,
            };
            assert_eq!(amount(money), expected);
        }
    }
}
