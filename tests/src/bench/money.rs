//! What billing costs: rating the use of servers, and an invoice as PDF.

use std::{hint::black_box, path::Path};

use anyhow::Context as _;
use innkeeper_control_plane::{
    billing::rules::{UsageInterval, paper::sheet, rating::rate},
    pdf::{FontFiles, render},
};
use innkeeper_wire::{
    id::{ContractId, UsageId, uuid_v7},
    invoice::Invoice,
    locale::Locale,
    money::{Currency, HourlyRate, Money},
    month::Span,
    price::Tariff,
    time::Timestamp,
};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::{Figure, Line, close, median, prepaid};

/// Names of the figures.
pub const NAMES: [&str; 6] = [
    "rating_spans",
    "invoice_pdf_ms",
    prepaid::NAME,
    close::NAMES[0],
    close::NAMES[1],
    close::NAMES[2],
];

/// Where Debian's `fonts-noto-cjk` has them.
const FONTS: &str = "/usr/share/fonts/opentype/noto";
/// Servers of the invoice.
const LINES: usize = 20;
const ROUNDS: usize = 50;
/// Contracts that are rated in a round, each with so many intervals.
const CONTRACTS: i64 = 20_000;
const SPANS_EACH: i64 = 5;
const HOUR_MS: i64 = 3_600_000;

/// Measures how many intervals of use are rated in a second on one core, and how long it takes to render an invoice of 20
/// servers in Korean, once the fonts are in memory. Takes some seconds.
///
/// # Errors
/// When something can't be rated or rendered.
pub fn lines() -> anyhow::Result<Vec<Line>> {
    Ok(vec![rating()?, paper()?])
}

/// Of many contracts with five intervals each, all different.
fn rating() -> anyhow::Result<Line> {
    let uuid = |number: i64| uuid_v7(Timestamp::from_millis(number), [1; 10]);
    let at = Timestamp::from_millis;
    let contracts: Vec<Vec<UsageInterval>> = (0..CONTRACTS)
        .map(|number| {
            let spans = (0..SPANS_EACH).map(|span| UsageInterval {
                id: UsageId::from_uuid(uuid(span)),
                contract: ContractId::from_uuid(uuid(number)),
                from: at(number + span * 100 * HOUR_MS),
                until: Some(at(number * 3 + (span * 100 + 90) * HOUR_MS)),
                outages: Vec::new(),
            });
            spans.collect()
        })
        .collect();
    let tariff = Tariff {
        hourly: HourlyRate {
            micro_minor_per_hour: 32_500_000,
            currency: Currency::Krw,
        },
        monthly_cap: Money {
            amount: 21_000,
            currency: Currency::Krw,
        },
    };
    let month = Span {
        from: at(0),
        until: at(744 * HOUR_MS),
    };
    let mut rounds = Vec::new();
    for _ in 0..ROUNDS {
        let begun = Instant::now();
        for intervals in &contracts {
            black_box(rate(tariff, black_box(intervals), month).context("rate a server")?);
        }
        let spans = u32::try_from(CONTRACTS * SPANS_EACH).context("few")?;
        rounds.push(f64::from(spans) / begun.elapsed().as_secs_f64());
    }
    Ok(Line::Figure(Figure {
        name: NAMES[0],
        value: median(rounds),
        unit: "per_s",
    }))
}

fn paper() -> anyhow::Result<Line> {
    let name = NAMES[1];
    let fonts = match FontFiles::in_folder(Path::new(FONTS)).load() {
        Ok(fonts) => fonts,
        Err(error) => {
            let reason = error.to_string();
            return Ok(Line::Skipped { name, reason });
        }
    };
    let invoice: Invoice = serde_json::from_value(invoice()).context("make an invoice")?;
    let mut rounds = Vec::new();
    for _ in 0..ROUNDS {
        let begun = Instant::now();
        let sheet = sheet(&invoice, Locale::Ko, "https://a.example");
        render(&fonts, &sheet).context("render an invoice")?;
        rounds.push(begun.elapsed().as_secs_f64() * 1_000.0);
    }
    let value = median(rounds);
    let unit = "ms";
    Ok(Line::Figure(Figure { name, value, unit }))
}

fn invoice() -> Value {
    let won = |amount: i64| json!({ "amount": amount, "currency": "KRW" });
    let line = json!({
        "server": "srv_0190b5c87f1e7c3a8e0f000000000001",
        "contract": "ctr_0190b5c87f1e7c3a8e0f000000000001",
        "name": "web-1", "plan": "m", "site": "seoul-1",
        "from": "2026-09-30T15:00:00Z", "until": "2026-10-31T15:00:00Z", "is_open": true,
        "used_s": 500_000, "credited_s": 3_600, "charged_s": 496_400,
        "hourly": { "micro_minor_per_hour": 32_500_000, "currency": "KRW" },
        "monthly_cap": won(21_000), "is_capped": false, "net": won(4_482),
    });
    json!({
        "id": "inv_01900000000070018000000000000001", "number": "1-000042",
        "account": "acc_0190b5c87f1e7c3a8e0f5b6d2c4a9e11", "month": "2026-10",
        "issued_at": "2026-11-03T15:00:00Z", "due_at": "2026-11-17T15:00:00Z",
        "total": won(89_640), "open": won(89_640), "credited": won(0), "state": "open",
        "time_zone": "Asia/Seoul", "from": "2026-09-30T15:00:00Z", "until": "2026-10-31T15:00:00Z",
        "supplier": { "name": "주식회사 보기클라우드", "address": "서울특별시 중구 보기로 1" },
        "lines": vec![line; LINES], "credit_notes": [],
        "totals": { "net": won(89_640), "taxes": [], "total": won(89_640) },
        "lines_digest": format!("sha256:{}", "0".repeat(64)),
    })
}
