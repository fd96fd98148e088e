//! What mails about money say.

use innkeeper_wire::{
    funds::{Funds, TrialView},
    money::Money,
    month::Month,
    operator::reason::Reason,
    time::Timestamp,
};

use super::{
    invoice::{CreditNote, Invoice, Number},
    trial::Mark,
};
use crate::mails::rules::{Letter, Reader, Stationery};

/// An invoice was issued.
#[must_use]
pub fn issued(
    sheet: &Stationery,
    reader: &Reader,
    invoice: &Invoice,
    pay_to: Option<&str>,
) -> Letter {
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
            how_to_pay(reader, *number, pay_to),
        ],
        [
            format!("{month} 이용분 청구서 {number}이(가) 발행되었습니다."),
            format!("청구 금액: {total}\n납부 기한: {due}"),
            format!("청구 내역 보기:\n{link}"),
            how_to_pay(reader, *number, pay_to),
        ],
        [
            format!("您 {month} 的帳單 {number} 已開立。"),
            format!("金額：{total}\n繳款期限：{due}"),
            format!("查看帳單明細：\n{link}"),
            how_to_pay(reader, *number, pay_to),
        ],
    );
    sheet.letter(reader, &subject, &text)
}

/// An invoice was issued, and is paid already.
#[must_use]
pub fn issued_paid(sheet: &Stationery, reader: &Reader, invoice: &Invoice) -> Letter {
    let Invoice { number, month, .. } = invoice;
    let total = invoice.totals.total;
    let link = sheet.link(reader, &format!("billing/invoices/{}", invoice.id), "");
    let subject = reader.say(
        format!("Invoice {number} for {month}: {total}, paid"),
        format!("{month} 청구서 {number}: {total}, 결제 완료"),
        format!("{month} 帳單 {number}：{total}，已繳清"),
    );
    let text = reader.say(
        [
            format!("Your invoice {number} for {month} is issued."),
            format!("Amount: {total}"),
            "It is settled already, from what you have paid ahead or were granted: there is nothing to do.".to_owned(),
            format!("The invoice with all its lines:\n{link}"),
        ],
        [
            format!("{month} 이용분 청구서 {number}이(가) 발행되었습니다."),
            format!("청구 금액: {total}"),
            "미리 충전하신 금액이나 크레딧에서 결제되었으므로 따로 하실 일은 없습니다.".to_owned(),
            format!("청구 내역 보기:\n{link}"),
        ],
        [
            format!("您 {month} 的帳單 {number} 已開立。"),
            format!("金額：{total}"),
            "已由您預先儲值的餘額或優惠額度結清，無須再付款。".to_owned(),
            format!("查看帳單明細：\n{link}"),
        ],
    );
    sheet.letter(reader, &subject, &text)
}

/// What was paid ahead does not last for three days.
#[must_use]
pub fn balance_low(sheet: &Stationery, reader: &Reader, funds: &Funds, until: Timestamp) -> Letter {
    let until = reader.zone.minute(reader.locale, until);
    let left = funds
        .prepaid
        .as_ref()
        .map_or(funds.credit, |left| left.available);
    let link = sheet.link(reader, "billing", "");
    let pay = how_to_top_up(reader, funds);
    let subject = reader.say(
        format!("Your balance lasts until {until}"),
        format!("잔액 부족 안내: {until}까지 이용 가능"),
        format!("餘額不足提醒：僅可使用至 {until}"),
    );
    let text = reader.say(
        [
            format!("Available: {left}. As your servers run now, that lasts until {until}."),
            "When nothing is left, your account is suspended: your servers are shut down, and nothing is charged \
             until you top up. With less than a day left you can order nothing."
                .to_owned(),
            pay.clone(),
            format!("Your balance:\n{link}"),
        ],
        [
            format!("사용 가능 금액: {left}. 현재 이용 상태로는 {until}까지 사용할 수 있습니다."),
            "잔액이 모두 소진되면 계정 이용이 정지되어 서버가 종료되며, 충전하실 때까지 요금은 청구되지 않습니다. \
             하루치 미만이 남으면 새로 주문하실 수 없습니다."
                .to_owned(),
            pay.clone(),
            format!("잔액 보기:\n{link}"),
        ],
        [
            format!("可用金額：{left}。依目前用量，可使用至 {until}。"),
            "餘額用盡時帳號將停權，主機將會關機，儲值前不再計費。餘額不足一天時無法下單。".to_owned(),
            pay.clone(),
            format!("查看餘額：\n{link}"),
        ],
    );
    sheet.letter(reader, &subject, &text)
}

/// So much of a trial is used, or so few days of it are left.
#[must_use]
pub fn trial_ends(sheet: &Stationery, reader: &Reader, trial: &TrialView, mark: Mark) -> Letter {
    let until = reader.zone.minute(reader.locale, trial.ends_at);
    let TrialView { amount, left, .. } = trial;
    let link = sheet.link(reader, "billing", "");
    let subject = match mark {
        Mark::Used { percent } => reader.say(
            format!("{percent} % of your trial are used"),
            format!("무료체험 크레딧의 {percent}%를 사용하셨습니다"),
            format!("免費試用額度已使用 {percent}%"),
        ),
        Mark::Ends { days } => reader.say(
            format!("Your trial ends within {days} days"),
            format!("무료체험이 {days}일 이내에 종료됩니다"),
            format!("免費試用將於 {days} 天內結束"),
        ),
    };
    let text = reader.say(
        [
            format!("Your trial lasts until {until}. Of {amount}, {left} are left."),
            "When it is used up or over, your server is shut down, and nothing is charged. If you want to go on, agree on \
             your billing page to pay for what comes, and top up."
                .to_owned(),
            link.clone(),
        ],
        [
            format!("무료체험 기한은 {until}까지이며, {amount} 중 {left}이(가) 남아 있습니다."),
            "크레딧을 모두 사용하거나 기한이 지나면 서버가 종료되며 요금은 청구되지 않습니다. 계속 이용하시려면 결제 \
             페이지에서 유료 전환에 동의하고 충전해 주세요."
                .to_owned(),
            link.clone(),
        ],
        [
            format!("您的免費試用至 {until} 為止，{amount} 中尚餘 {left}。"),
            "額度用盡或到期時，主機將會關機，且不會收費。若要繼續使用，請於帳務頁面同意付費並儲值。".to_owned(),
            link.clone(),
        ],
    );
    sheet.letter(reader, &subject, &text)
}

/// Why an account is suspended whose trial is over, as its owner reads it.
#[must_use]
pub fn why_trial_over(reader: &Reader, kept_until: Option<Timestamp>) -> Reason {
    let text = reader.say(
        "Your trial is used up or over.",
        "무료체험 크레딧을 모두 사용하셨거나 기한이 지났습니다.",
        "您的免費試用已用盡或到期。",
    );
    with_end(reader, text, kept_until)
}

/// Why an account is suspended, and until when its servers are kept at least.
fn with_end(reader: &Reader, why: &str, kept_until: Option<Timestamp>) -> Reason {
    let text = match kept_until {
        None => why.to_owned(),
        Some(until) => {
            let day = reader.zone.day(reader.locale, until);
            reader.say(
                format!("{why} Your servers are kept until {day} at least, and deleted then."),
                format!("{why} 서버는 최소 {day}까지 보관되며 그 후 삭제됩니다."),
                format!("{why}主機至少保留至 {day}，之後將刪除。"),
            )
        }
    };
    Reason::try_from(text).expect("a short line")
}

/// To where is paid ahead, and what is to be named.
fn how_to_top_up(reader: &Reader, funds: &Funds) -> String {
    let mut parts = Vec::new();
    if let Some(pay_to) = &funds.pay_to {
        let to = reader.say("Pay to:", "입금 계좌:", "匯款帳戶：");
        parts.push(format!("{to}\n{pay_to}"));
    }
    if let Some(reference) = &funds.reference {
        parts.push(reader.say(
            format!("When you pay by bank transfer, name {reference}."),
            format!("계좌 이체로 충전하실 때 {reference}을(를) 적어 주세요."),
            format!("以銀行轉帳儲值時，請註明 {reference}。"),
        ));
    }
    parts.join("\n\n")
}

/// The month costs as much as its owner wanted to be told of.
#[must_use]
pub fn spending(sheet: &Stationery, reader: &Reader, month: Month, threshold: Money) -> Letter {
    let link = sheet.link(reader, "billing", "");
    let subject = reader.say(
        format!("{month} costs more than {threshold}"),
        format!("{month} 이용 요금이 {threshold}에 도달했습니다"),
        format!("{month} 的費用已達 {threshold}"),
    );
    let text = reader.say(
        [
            format!("Your servers have cost {threshold} or more in {month}, the amount at which you wanted to be told."),
            "Nothing was stopped. You are told once a month.".to_owned(),
            format!("What this month costs so far:\n{link}"),
        ],
        [
            format!("{month}의 이용 요금이 알림 기준 금액인 {threshold}에 도달했습니다."),
            "서버는 중지되지 않습니다. 이 알림은 한 달에 한 번만 보내 드립니다.".to_owned(),
            format!("이번 달 이용 요금 보기:\n{link}"),
        ],
        [
            format!("您 {month} 的費用已達您設定的提醒金額 {threshold}。"),
            "主機不會因此停止。此提醒每月只寄送一次。".to_owned(),
            format!("查看本月費用：\n{link}"),
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

/// To where an invoice is paid, and what is to be named.
fn how_to_pay(reader: &Reader, number: Number, pay_to: Option<&str>) -> String {
    let names = reader.say(
        format!("When you pay by bank transfer, name the number {number}."),
        format!("계좌 이체로 납부하실 때 청구서 번호 {number}을(를) 적어 주세요."),
        format!("以銀行轉帳繳款時，請註明帳單編號 {number}。"),
    );
    let Some(pay_to) = pay_to else {
        return names;
    };
    let to = reader.say("Pay to:", "입금 계좌:", "匯款帳戶：");
    format!("{to}\n{pay_to}\n\n{names}")
}

/// An invoice was to be paid by now.
#[must_use]
pub fn overdue(
    sheet: &Stationery,
    reader: &Reader,
    invoice: &Invoice,
    open: Money,
    pay_to: Option<&str>,
) -> Letter {
    let Invoice { number, month, .. } = invoice;
    let due = reader.zone.day(reader.locale, invoice.due_at);
    let link = sheet.link(reader, &format!("billing/invoices/{}", invoice.id), "");
    let subject = reader.say(
        format!("Reminder: invoice {number} is overdue"),
        format!("납부 안내: 청구서 {number}의 납부 기한이 지났습니다"),
        format!("繳款提醒：帳單 {number} 已逾期"),
    );
    let pay = how_to_pay(reader, *number, pay_to);
    let text = reader.say(
        [
            format!("Your invoice {number} for {month} was to be paid until {due}."),
            format!("Not paid yet: {open}"),
            pay.clone(),
            format!("The invoice:\n{link}"),
            "If your payment is on its way, you need not do anything.".to_owned(),
        ],
        [
            format!("{month} 이용분 청구서 {number}의 납부 기한은 {due}까지였습니다."),
            format!("미납 금액: {open}"),
            pay.clone(),
            format!("청구서 보기:\n{link}"),
            "이미 납부하셨다면 별도로 하실 일은 없습니다.".to_owned(),
        ],
        [
            format!("您 {month} 的帳單 {number} 應於 {due} 前繳付。"),
            format!("尚未繳付：{open}"),
            pay.clone(),
            format!("查看帳單：\n{link}"),
            "若您已繳款，請忽略此信。".to_owned(),
        ],
    );
    sheet.letter(reader, &subject, &text)
}

/// The account is going to be suspended.
#[must_use]
pub fn notice(
    sheet: &Stationery,
    reader: &Reader,
    invoice: &Invoice,
    open: Money,
    from: Timestamp,
    pay_to: Option<&str>,
) -> Letter {
    let Invoice { number, month, .. } = invoice;
    let from = reader.zone.day(reader.locale, from);
    let link = sheet.link(reader, &format!("billing/invoices/{}", invoice.id), "");
    let subject = reader.say(
        format!("Your account will be suspended: invoice {number} is not paid"),
        format!("계정 이용 정지 예고: 청구서 {number} 미납"),
        format!("帳號停權預告：帳單 {number} 尚未繳付"),
    );
    let pay = how_to_pay(reader, *number, pay_to);
    let text = reader.say(
        [
            format!("Your invoice {number} for {month} is still not paid: {open}."),
            format!(
                "If it is not paid, your account is suspended on {from}: your servers are shut down, and you \
                 can neither order nor change anything until it is paid. Nothing is charged meanwhile."
            ),
            pay.clone(),
            format!("The invoice:\n{link}"),
        ],
        [
            format!("{month} 이용분 청구서 {number}이(가) 아직 납부되지 않았습니다: {open}."),
            format!(
                "납부되지 않으면 {from}에 계정 이용이 정지됩니다. 서버가 정지되며, 납부하실 때까지 주문과 변경을 \
                 할 수 없습니다. 이용 정지 기간에는 요금이 청구되지 않습니다."
            ),
            pay.clone(),
            format!("청구서 보기:\n{link}"),
        ],
        [
            format!("您 {month} 的帳單 {number} 仍未繳付：{open}。"),
            format!(
                "若仍未繳付，您的帳號將於 {from} 停權：主機將會關機，繳清前無法下單或變更任何設定。停權期間不計費。"
            ),
            pay.clone(),
            format!("查看帳單：\n{link}"),
        ],
    );
    sheet.letter(reader, &subject, &text)
}

/// The servers of an account that stays suspended are going to be deleted.
#[must_use]
pub fn deletion(sheet: &Stationery, reader: &Reader, funds: &Funds, from: Timestamp) -> Letter {
    let from = reader.at(from);
    let link = sheet.link(reader, "billing", "");
    let pay = how_to_pay_again(reader, funds);
    let subject = reader.say(
        format!("Your servers will be deleted on {from}"),
        format!("서버 삭제 예고: {from}"),
        format!("主機刪除預告：{from}"),
    );
    let text = reader.say(
        [
            "Your account is still suspended, because nothing was paid.".to_owned(),
            format!("If that stays so, all your servers are deleted on {from}, with their disks and addresses."),
            pay.clone(),
            format!("What is to be paid:\n{link}"),
        ],
        [
            "납부 또는 충전이 확인되지 않아 계정 이용 정지가 계속되고 있습니다.".to_owned(),
            format!("납부되지 않으면 {from}에 모든 서버가 디스크, IP 주소와 함께 삭제됩니다."),
            pay.clone(),
            format!("납부할 금액 보기:\n{link}"),
        ],
        [
            "由於尚未收到款項，您的帳號仍在停權中。".to_owned(),
            format!("若仍未付款，您的所有主機將於 {from} 連同硬碟與 IP 位址一併刪除。"),
            pay.clone(),
            format!("查看應付款項：\n{link}"),
        ],
    );
    sheet.letter(reader, &subject, &text)
}

/// What has to be done so that a suspension for money ends.
fn how_to_pay_again(reader: &Reader, funds: &Funds) -> String {
    let is_free_trial = funds
        .trial
        .as_ref()
        .is_some_and(|trial| !trial.is_converted);
    if is_free_trial {
        let text = reader.say(
            "To keep them, agree on your billing page to pay for what comes, and top up.",
            "계속 이용하시려면 결제 페이지에서 유료 전환에 동의하고 충전해 주세요.",
            "若要保留主機，請於帳務頁面同意付費並儲值。",
        );
        return text.to_owned();
    }
    if funds.prepaid.is_some() {
        return how_to_top_up(reader, funds);
    }
    let owed = funds.owed;
    let owes = reader.say(
        format!("Not paid yet: {owed}"),
        format!("미납 금액: {owed}"),
        format!("尚未繳付：{owed}"),
    );
    match &funds.pay_to {
        None => owes,
        Some(pay_to) => {
            let to = reader.say("Pay to:", "입금 계좌:", "匯款帳戶：");
            format!("{owes}\n\n{to}\n{pay_to}")
        }
    }
}

/// Why an account is suspended, as its owner reads it.
#[must_use]
pub fn why_suspended(reader: &Reader, number: Number, kept_until: Option<Timestamp>) -> Reason {
    let text = reader.say(
        format!("Invoice {number} is not paid."),
        format!("청구서 {number}이(가) 납부되지 않았습니다."),
        format!("帳單 {number} 尚未繳付。"),
    );
    with_end(reader, &text, kept_until)
}

/// Why an account is suspended that pays ahead, as its owner reads it.
#[must_use]
pub fn why_empty(reader: &Reader, kept_until: Option<Timestamp>) -> Reason {
    let text = reader.say(
        "What you have paid ahead is used up.",
        "충전하신 잔액이 모두 소진되었습니다.",
        "您儲值的餘額已用盡。",
    );
    with_end(reader, text, kept_until)
}

/// Why it is resumed.
#[must_use]
pub fn why_funded(reader: &Reader) -> Reason {
    let text = reader.say(
        "There is something on the account again.",
        "잔액이 다시 충전되었습니다.",
        "帳戶餘額已恢復。",
    );
    Reason::try_from(text.to_owned()).expect("a short line")
}

/// Why something of an invoice is taken back without being asked.
#[must_use]
pub fn why_credited(reader: &Reader) -> Reason {
    let text = reader.say(
        "The host of this server was lost: nothing is charged from when it was heard of last.",
        "서버의 호스트가 유실되었습니다. 마지막으로 확인된 이후의 요금은 청구되지 않습니다.",
        "此主機所在的實體主機已遺失，最後一次回報之後不計費。",
    );
    Reason::try_from(text.to_owned()).expect("a short line")
}

/// Why it is resumed.
#[must_use]
pub fn why_resumed(reader: &Reader) -> Reason {
    let text = reader.say(
        "Nothing is overdue any more.",
        "연체된 청구서가 없습니다.",
        "已無逾期帳單。",
    );
    Reason::try_from(text.to_owned()).expect("a short line")
}
