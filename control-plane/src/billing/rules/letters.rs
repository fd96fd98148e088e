//! What mails about money say.

use super::invoice::Invoice;
use crate::mails::rules::{Letter, Reader, Stationery};

/// An invoice was issued.
#[must_use]
pub fn issued(sheet: &Stationery, reader: &Reader, invoice: &Invoice) -> Letter {
    let Invoice { number, month, .. } = invoice;
    let total = invoice.totals.total;
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
