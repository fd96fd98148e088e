//! What an invoice says on paper. Everything of it is as it was frozen; what of it is paid stands on its page alone, since that
//! changes and paper does not.

use innkeeper_wire::{
    billing::{OnceCharge, Totals, UsageLine},
    invoice::Invoice,
    locale::Locale,
    money::Money,
    price::MINIMUM_SECONDS,
    time::Timestamp,
    zone::Zone,
};

use crate::{
    mails::rules::about_company,
    pdf::{Cell, Column, Fact, Party, Sheet, Side},
};

/// Which form of this an invoice was rendered with. Raised with each change that shows.
pub const TEMPLATE: u32 = 2;

/// Fills in the sheet of an invoice; `link` is its page.
#[must_use]
pub fn sheet(invoice: &Invoice, locale: Locale, link: &str) -> Sheet {
    let number = &invoice.summary.number;
    let title = format!("{} {number}", locale.say("Invoice", "청구서", "帳單"));
    let supplier = about_company(&invoice.supplier, locale);
    let author = supplier.first().cloned().unwrap_or_default();
    let party = |heading: &str, lines: Vec<String>| Party {
        heading: heading.to_owned(),
        lines,
    };
    let parties = [
        party(locale.say("From", "공급자", "開立人"), supplier),
        party(locale.say("To", "고객", "客戶"), customer(invoice, locale)),
    ];
    let foot = [author.as_str(), title.as_str()];
    let foot: Vec<_> = foot.into_iter().filter(|part| !part.is_empty()).collect();
    Sheet {
        locale,
        heading: title.clone(),
        foot: foot.join(" · "),
        title,
        author,
        written_at: invoice.summary.issued_at,
        parties: parties
            .into_iter()
            .filter(|party| !party.lines.is_empty())
            .collect(),
        facts: facts(invoice, locale),
        columns: columns(locale, invoice.totals.total.currency.code()),
        rows: invoice
            .lines
            .iter()
            .map(|line| row(line, &invoice.time_zone, locale))
            .collect(),
        sums: sums(&invoice.totals, locale),
        notes: notes(invoice, locale, link),
    }
}

/// To whom it is addressed: as he was known when it was issued, else his account.
fn customer(invoice: &Invoice, locale: Locale) -> Vec<String> {
    let account = invoice.summary.account.to_string();
    let known = invoice.bill_to.as_ref().map(|to| to.lines(locale));
    known.unwrap_or_else(|| vec![account])
}

fn plain(name: &str, value: impl Into<String>) -> Fact {
    Fact {
        name: name.to_owned(),
        value: value.into(),
        is_strong: false,
    }
}

fn facts(invoice: &Invoice, locale: Locale) -> Vec<Fact> {
    let zone = &invoice.time_zone;
    let summary = &invoice.summary;
    // The month ends before this instant.
    let last = Timestamp::from_millis(invoice.until.as_millis() - 1);
    let period = span(zone.day(locale, invoice.from), zone.day(locale, last));
    let number = locale.say("Number", "청구서 번호", "帳單編號");
    let total = locale.say("Total", "합계", "總計");
    vec![
        plain(number, summary.number.clone()),
        plain(
            locale.say("Issued", "발행일", "開立日"),
            zone.day(locale, summary.issued_at),
        ),
        plain(
            locale.say("To be paid until", "납부 기한", "繳款期限"),
            zone.day(locale, summary.due_at),
        ),
        plain(locale.say("Period", "이용 기간", "計費期間"), period),
        plain(locale.say("Time zone", "시간대", "時區"), zone.to_string()),
        Fact {
            is_strong: true,
            ..plain(total, summary.total.to_string())
        },
    ]
}

fn span(from: String, until: String) -> String {
    format!("{from} – {until}")
}

fn columns(locale: Locale, currency: &str) -> Vec<Column> {
    let column = |heading: String, width, side| Column {
        heading,
        width,
        side,
    };
    let words = |en: &str, ko: &str, zh: &str| locale.say(en, ko, zh).to_owned();
    let of_money = |en: &str, ko: &str, zh: &str| {
        let open = locale.say(" (", " (", "（");
        let close = locale.say(")", ")", "）");
        format!("{}{open}{currency}{close}", locale.say(en, ko, zh))
    };
    vec![
        column(words("Server", "서버", "主機"), 300, Side::Left),
        column(
            words("From, until", "시작, 종료", "起訖時間"),
            215,
            Side::Left,
        ),
        column(
            words(
                "Charged (h:min:s)",
                "과금 시간(시:분:초)",
                "計費時間（時:分:秒）",
            ),
            190,
            Side::Right,
        ),
        column(
            of_money("Price an hour", "시간당 요금", "每小時價格"),
            150,
            Side::Right,
        ),
        column(of_money("Amount", "금액", "金額"), 145, Side::Right),
    ]
}

fn row(line: &UsageLine, zone: &Zone, locale: Locale) -> Vec<Cell> {
    let name = line.name.as_ref().map(ToString::to_string);
    let sold = [&line.plan, &line.site];
    let sold: Vec<_> = sold
        .into_iter()
        .flatten()
        .map(ToString::to_string)
        .collect();
    let mut remarks: Vec<_> = Some(sold.join(" · "))
        .filter(|sold| !sold.is_empty())
        .into_iter()
        .collect();
    remarks.extend(reasons(line, locale));
    let at = |at: Timestamp| zone.minute(locale, at).text;
    // What is charged once has no time.
    let in_time = |text: String| {
        if line.once.is_some() {
            String::new()
        } else {
            text
        }
    };
    let mut when = vec![at(line.from)];
    when.extend(line.once.is_none().then(|| at(line.until)));
    vec![
        Cell {
            lines: vec![name.unwrap_or_else(|| line.server.to_string())],
            remarks,
        },
        Cell {
            lines: when,
            remarks: Vec::new(),
        },
        Cell::of(in_time(counted(line.charged_s))),
        Cell::of(in_time(line.hourly.digits())),
        Cell::of(digits(line.net)),
    ]
}

/// Why an amount is not simply time by price.
fn reasons(line: &UsageLine, locale: Locale) -> Vec<String> {
    let mut reasons = Vec::new();
    if let Some(OnceCharge { services, .. }) = &line.once {
        let what = services.join(", ");
        reasons.push(locale.say(
            format!("Technical support: {what}"),
            format!("기술지원: {what}"),
            format!("技術支援：{what}"),
        ));
    }
    if line.credited_s > 0 {
        let (used, credited) = (counted(line.used_s), counted(line.credited_s));
        reasons.push(locale.say(
            format!("Credit: {credited} of {used} not charged, the host was at fault"),
            format!("차감: 이용 {used} 중 {credited} 제외(당사 호스트 장애)"),
            format!("扣除：使用 {used} 中 {credited} 不計費（本公司主機故障）"),
        ));
    }
    if line.charged_s == MINIMUM_SECONDS && line.used_s < MINIMUM_SECONDS {
        let whole = locale.say(
            "The first hour is charged whole",
            "첫 1시간은 전액 과금",
            "首小時按整小時計費",
        );
        reasons.push(whole.to_owned());
    }
    if line.is_capped {
        let cap = line.monthly_cap;
        reasons.push(locale.say(
            format!("The month's price is reached: {cap}"),
            format!("월 상한 요금 적용: {cap}"),
            format!("已達每月上限：{cap}"),
        ));
    }
    reasons
}

fn sums(totals: &Totals, locale: Locale) -> Vec<Fact> {
    let net = locale.say("Sum before tax", "공급가액", "未稅合計");
    let mut sums = vec![plain(net, totals.net.to_string())];
    for tax in &totals.taxes {
        let (name, rate, net) = (tax.name.in_language(locale), tax.rate, tax.net);
        let name = locale.say(
            format!("{name} {rate} on {net}"),
            format!("{name} {rate}({net} 기준)"),
            format!("{name} {rate}（{net}）"),
        );
        sums.push(plain(&name, tax.tax.to_string()));
    }
    let total = locale.say("Total", "합계", "總計");
    sums.push(Fact {
        is_strong: true,
        ..plain(total, totals.total.to_string())
    });
    sums
}

fn notes(invoice: &Invoice, locale: Locale, link: &str) -> Vec<String> {
    let number = &invoice.summary.number;
    let due = invoice.time_zone.day(locale, invoice.summary.due_at);
    let pay = locale.say(
        format!("Please pay by bank transfer until {due}, and name the number {number}."),
        format!("{due}까지 계좌 이체로 납부하시고, 청구서 번호 {number}을(를) 적어 주세요."),
        format!("請於 {due}前以銀行轉帳繳款，並註明帳單編號 {number}。"),
    );
    let to = invoice.pay_to.as_ref();
    let to = to.map(|to| {
        let colon = locale.say(": ", ": ", "：");
        format!(
            "{}{colon}{to}",
            locale.say("Account", "입금 계좌", "收款帳戶")
        )
    });
    let open = locale.say(
        format!("What was paid ahead is set off. What is still open is told at {link}"),
        format!(
            "미리 납부하신 금액은 차감됩니다. 남은 금액은 다음에서 확인하실 수 있습니다: {link}"
        ),
        format!("預繳金額將予扣抵，未繳金額請見：{link}"),
    );
    [Some(pay), to, Some(open)].into_iter().flatten().collect()
}

fn counted(seconds: u64) -> String {
    let (hours, rest) = (seconds / 3_600, seconds % 3_600);
    format!("{hours}:{:02}:{:02}", rest / 60, rest % 60)
}

fn digits(money: Money) -> String {
    let sign = if money.amount < 0 { "-" } else { "" };
    format!("{sign}{}", money.digits())
}
