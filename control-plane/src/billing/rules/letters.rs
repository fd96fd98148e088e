//! What mails about money say.

use super::invoice::{CreditNote, Invoice};
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

/// Something of an invoice was taken back.
#[must_use]
pub fn credited(
    sheet: &Stationery,
    reader: &Reader,
    invoice: &Invoice,
    note: &CreditNote,
) -> Letter {
    let Invoice { number, month, .. } = invoice;
    let (credit, total) = (note.name(), note.totals.total);
    let why = note.reason.as_str();
    let link = sheet.link(reader, &format!("billing/invoices/{}", invoice.id), "");
    let subject = reader.say(
        format!("Credit note {credit}: {total}"),
        format!("대변표 {credit}: {total}"),
        format!("折讓單 {credit}：{total}"),
    );
    let text = reader.say(
        [
            format!("We have issued credit note {credit} for your invoice {number} ({month})."),
            format!("Amount: {total}\nReason: {why}"),
            "What you have not paid yet of that you need not pay; what you have paid is your credit, \
             and pays what comes."
                .to_owned(),
            format!("The invoice with its credit notes:\n{link}"),
        ],
        [
            format!("청구서 {number}({month})에 대한 대변표 {credit}이(가) 발행되었습니다."),
            format!("금액: {total}\n사유: {why}"),
            "아직 납부하지 않은 금액은 납부하지 않으셔도 되며, 이미 납부하신 금액은 크레딧으로 \
             적립되어 다음 청구에 사용됩니다."
                .to_owned(),
            format!("청구서와 대변표 보기:\n{link}"),
        ],
        [
            format!("您的帳單 {number}（{month}）已開立折讓單 {credit}。"),
            format!("金額：{total}\n原因：{why}"),
            "尚未繳付的部分無須再繳；已繳付的部分將轉為帳戶餘額，用於抵扣之後的帳單。".to_owned(),
            format!("查看帳單與折讓單：\n{link}"),
        ],
    );
    sheet.letter(reader, &subject, &text)
}
