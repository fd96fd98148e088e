//! Invoices on paper: what is read in them, in three languages, and that a long one loses nothing. `pdftotext` reads them, as
//! readers do; and the pages were looked at.

use std::{fs, process::Command};

use innkeeper_control_plane::{
    billing::rules::paper::sheet,
    pdf::{FontFiles, Fonts, render},
};
use innkeeper_wire::{invoice::Invoice, locale::Locale};
use serde_json::{Value, json};

const FONTS: &str = "/usr/share/fonts/opentype/noto";
const LINK: &str =
    "https://portal.cloud.example/billing/invoices/inv_01900000000070018000000000000001";

/// The fonts; without them there is nothing to test.
macro_rules! fonts {
    () => {
        match FontFiles::in_folder(FONTS.as_ref()).load() {
            Ok(fonts) => fonts,
            Err(error) => return println!("skipped: {error}"),
        }
    };
}

/// What one of poppler's tools says of a PDF.
fn told(tool: &str, options: &[&str], pdf: &[u8]) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("invoice.pdf");
    fs::write(&file, pdf).expect("written");
    let mut command = Command::new(tool);
    command.args(options).arg(&file);
    if tool == "pdftotext" {
        command.arg("-");
    }
    let output = command.output().expect("poppler-utils is installed");
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).expect("text")
}

fn won(amount: i64) -> Value {
    json!({ "amount": amount, "currency": "KRW" })
}

/// A server of 32.5 won an hour that was used for the whole of October.
fn line(name: &str) -> Value {
    json!({
        "server": "srv_0190b5c87f1e7c3a8e0f000000000001",
        "contract": "ctr_0190b5c87f1e7c3a8e0f000000000001",
        "name": name, "plan": "m", "site": "seoul-1",
        "from": "2026-09-30T15:00:00Z", "until": "2026-10-31T15:00:00Z", "is_open": true,
        "used_s": 500_000, "credited_s": 0, "charged_s": 500_000,
        "hourly": { "micro_minor_per_hour": 32_500_000, "currency": "KRW" },
        "monthly_cap": won(21_000), "is_capped": false, "net": won(4_514),
    })
}

/// A line with other values of these fields; without those that are null.
fn line_with(name: &str, changes: &Value) -> Value {
    let mut line = line(name);
    let fields = line.as_object_mut().expect("an object");
    for (field, value) in changes.as_object().expect("an object") {
        fields.insert(field.clone(), value.clone());
    }
    fields.retain(|_, value| !value.is_null());
    line
}

fn invoice(lines: Vec<Value>) -> Invoice {
    let invoice = json!({
        "id": "inv_01900000000070018000000000000001", "number": "1-000042",
        "account": "acc_0190b5c87f1e7c3a8e0f5b6d2c4a9e11", "month": "2026-10",
        "issued_at": "2026-11-03T15:00:00Z", "due_at": "2026-11-17T15:00:00Z",
        "total": won(40_700), "open": won(40_700), "credited": won(0), "state": "open",
        "time_zone": "Asia/Seoul", "pay_to": "보기은행 000-00-000000 주식회사 보기클라우드", "credit_notes": [],
        "from": "2026-09-30T15:00:00Z", "until": "2026-10-31T15:00:00Z",
        "supplier": {
            "name": "주식회사 보기클라우드 (Example Cloud Co., Ltd.)", "representative": "홍길동",
            "registration_number": "000-00-00000", "mail_order_number": "2026-서울중구-0000",
            "address": "서울특별시 중구 보기로 1", "telephone": "+82 2 000 0000",
        },
        "lines": lines,
        "totals": {
            "net": won(37_000), "total": won(40_700),
            "taxes": [{
                "rate": 100_000, "net": won(37_000), "tax": won(3_700),
                "name": { "en": "VAT", "ko": "부가가치세", "zh-Hant": "營業稅" },
            }],
        },
        "lines_digest": format!("sha256:{}", "0".repeat(64)),
    });
    serde_json::from_value(invoice).expect("an invoice")
}

/// Of each kind: one that was credited, one of ten minutes, one without names at the month's price, one with a long name.
fn of_each_kind() -> Invoice {
    let long = "a-very-long-host-name-that-somebody-chose-because-he-could";
    let unnamed =
        json!({ "name": null, "plan": null, "site": null, "is_capped": true, "net": won(21_000) });
    invoice(vec![
        line_with(
            "web-1",
            &json!({ "credited_s": 3_600, "charged_s": 496_400 }),
        ),
        line_with(
            "web-2",
            &json!({ "used_s": 600, "charged_s": 3_600, "net": won(32) }),
        ),
        line_with("web-3", &unnamed),
        line(long),
    ])
}

fn pdf(fonts: &Fonts, invoice: &Invoice, locale: Locale) -> Vec<u8> {
    let sheet = sheet(invoice, locale, LINK);
    render(fonts, &sheet).expect("rendered")
}

#[test]
fn an_invoice_reads_so() {
    let fonts = fonts!();
    for locale in Locale::ALL {
        let pdf = pdf(&fonts, &of_each_kind(), *locale);
        let text = told("pdftotext", &["-layout", "-nopgbrk"], &pdf);
        insta::assert_snapshot!(format!("invoice_{}", locale.as_str()), text);
    }
}

#[test]
fn a_long_invoice_loses_nothing() {
    let fonts = fonts!();
    let lines = (1..=300).map(|number| line(&format!("web-{number}")));
    let invoice = invoice(lines.collect());
    let pdf = pdf(&fonts, &invoice, Locale::En);
    let text = told("pdftotext", &["-layout"], &pdf);
    let pages: Vec<_> = text.split_terminator('\u{c}').collect();
    assert!(pages.len() > 5, "{}", pages.len());
    for (index, page) in pages.iter().enumerate() {
        assert!(page.contains("Amount (KRW)") || index + 1 == pages.len());
        let number = format!("Page {} of {}", index + 1, pages.len());
        assert!(page.contains(&number), "{number}\n{page}");
    }
    for number in 1..=300 {
        let name = format!("web-{number}");
        let shown = text.split_whitespace().filter(|word| *word == name);
        assert_eq!(shown.count(), 1, "{name}");
    }
    assert_eq!(text.matches("40,700 KRW").count(), 2, "above and below");
}

/// A document that is rendered twice is the same one.
#[test]
fn the_same_invoice_gives_the_same_bytes() {
    let fonts = fonts!();
    let invoice = of_each_kind();
    assert!(pdf(&fonts, &invoice, Locale::Ko) == pdf(&fonts, &invoice, Locale::Ko));
    assert!(pdf(&fonts, &invoice, Locale::Ko) != pdf(&fonts, &invoice, Locale::En));
}

#[test]
fn its_fonts_are_in_it_as_far_as_they_are_shown() {
    let fonts = fonts!();
    let pdf = pdf(&fonts, &of_each_kind(), Locale::ZhHant);
    assert!(pdf.len() < 100_000, "{} bytes", pdf.len());
    let fonts = told("pdffonts", &[], &pdf);
    let fonts: Vec<_> = fonts.lines().skip(2).collect();
    assert_eq!(fonts.len(), 2, "{fonts:?}");
    for font in fonts {
        assert!(font.contains("+NotoSansCJKtc-"), "{font}");
        // Embedded, subset, and its characters told.
        assert!(font.contains(" yes yes yes "), "{font}");
    }
    let about = told("pdfinfo", &[], &pdf);
    for expected in ["帳單 1-000042", "Tagged:          yes", "(A4)"] {
        assert!(about.contains(expected), "{about}");
    }
}

/// What nobody has a letter for is shown as such, and text that is written in parts as it is read.
#[test]
fn any_text_can_be_set() {
    let fonts = fonts!();
    let mut invoice = of_each_kind();
    let composed = "\u{1112}\u{1161}\u{11ab}\u{1100}\u{1173}\u{11af}";
    invoice.supplier.name = Some(format!("{composed} \u{1f3e8}\t{}", "長".repeat(300)));
    let pdf = pdf(&fonts, &invoice, Locale::Ko);
    let text = told("pdftotext", &["-layout"], &pdf);
    assert!(text.contains("한글 □"), "{text}");
    assert!(text.matches('長').count() >= 300, "{text}");
}
