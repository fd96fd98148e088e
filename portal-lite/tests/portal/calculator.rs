//! The price calculator: what it says, what its address holds, what it makes of an address of anybody's, and its file.

use std::{collections::BTreeSet, io::Cursor};

use calamine::{Data, Reader as _, Xlsx};
use innkeeper_portal_lite::{
    estimate::{HOURS_MAX, LINES_MAX, QUANTITY_MAX},
    language,
};
use innkeeper_wire::{
    api::Locale,
    money::{Currency, HourlyRate, Money},
};

use crate::support::{Answer, Browser, Stub};

const LIST: &str = "/calculator?line=seoul-1_s_1&line=taipei-1_m_2_100";

/// What a form without scripts is sent as: its fields as they are, those of these names with other values, and a button.
fn sent(page: &Answer, typed: &[(&str, &str)], button: Option<(&str, &str)>) -> String {
    let start = page.body.find("<form class=\"order\"").expect("the form");
    let form = &page.body[start..];
    let form = &form[..form.find("</form>").expect("its end")];
    assert!(form.contains("method=\"get\" action=\"/calculator\""));
    let attribute = |tag: &str, name: &str| {
        let value = tag.split(&format!(" {name}=\"")).nth(1)?;
        Some(value.split('"').next().unwrap_or_default().to_owned())
    };
    let mut pairs = Vec::new();
    for tag in form.split("<input").skip(1) {
        let tag = tag.split('>').next().unwrap_or_default();
        let name = attribute(tag, "name").expect("a name");
        let value = attribute(tag, "value").unwrap_or_default();
        let is_radio = tag.contains("type=\"radio\"");
        match typed.iter().find(|(typed, _)| *typed == name) {
            Some((_, typed)) if !is_radio || *typed == value => {
                pairs.push((name, (*typed).to_owned()));
            }
            Some(_) => {}
            None if !is_radio || tag.contains(" checked") => pairs.push((name, value)),
            None => {}
        }
    }
    pairs.extend(button.map(|(name, value)| (name.to_owned(), value.to_owned())));
    let query = serde_urlencoded::to_string(pairs).expect("texts");
    format!("/calculator?{query}")
}

fn says(page: &Answer, texts: &[&str]) {
    for text in texts {
        assert!(page.body.contains(text), "{text}: {}", page.body);
    }
}

#[tokio::test]
async fn it_reads_as_agreed() {
    for language in ["en", "ko", "zh-Hant"] {
        let stub = Stub::new();
        let mut visitor = Browser::new(&stub).await.speaking(language);
        let page = visitor.get(LIST).await;
        let start = page.body.find("<main").expect("a main part");
        let end = page.body.find("</main>").expect("its end");
        insta::assert_snapshot!(format!("calculator_{language}"), &page.body[start..end]);
    }
}

#[tokio::test]
async fn a_choice_is_estimated_and_put_on_the_list() {
    let stub = Stub::new();
    let mut visitor = Browser::new(&stub).await;
    let opened = visitor.get("/calculator").await;
    // The first of all, for a whole month: 744 hours of 9 won are more than the month's price.
    says(&opened, &["1 × Small · Seoul 1 · Whole month", "₩6,600"]);
    says(&opened, &["There is nothing on your list yet."]);

    let choice = [
        ("plan", "m"),
        ("site", "taipei-1"),
        ("quantity", " 2 "),
        ("hours", "100"),
    ];
    let estimated = visitor.get(&sent(&opened, &choice, None)).await;
    says(
        &estimated,
        &[
            "2 × Medium · Taipei 1 · 100 hours",
            "₩6,400",
            "₩640",
            "₩7,040",
        ],
    );
    says(
        &estimated,
        &["href=\"/servers/new?site=taipei-1&#38;plan=m\""],
    );
    says(&estimated, &["This is an estimate; the bill may differ."]);
    assert!(
        !estimated.body.contains("id=\"lines\""),
        "it is on no list yet"
    );

    let add = Some(("do", "add"));
    let added = visitor.get(&sent(&estimated, &[], add)).await;
    let list = "/calculator?line=taipei-1_m_2_100";
    assert_eq!(added.header("location"), format!("{list}#list"));
    let page = visitor.get(list).await;
    let both = visitor.get(&sent(&page, &[("hours", "3")], add)).await;
    let list = "/calculator?line=taipei-1_m_2_100&line=seoul-1_s_1_3";
    assert_eq!(both.header("location"), format!("{list}#list"));
    // 6,400 and 27 won, and the tax of both at once: 642.7.
    says(
        &visitor.get(list).await,
        &["₩6,427", "₩643", "<strong id=\"total\">₩7,070</strong>"],
    );
}

#[tokio::test]
async fn a_line_is_changed_and_removed_and_read_in_another_language() {
    let stub = Stub::new();
    let mut visitor = Browser::new(&stub).await;
    let add = Some(("do", "add"));
    let list = "/calculator?line=taipei-1_m_2_100&line=seoul-1_s_1_3";
    let changing = visitor.get(&format!("{list}&change=1")).await;
    says(
        &changing,
        &[
            "Change line 1",
            "name=\"quantity\" type=\"text\" inputmode=\"numeric\" value=\"2\"",
        ],
    );
    let changed = visitor.get(&sent(&changing, &[("hours", "")], add)).await;
    let list = "/calculator?line=taipei-1_m_2&line=seoul-1_s_1_3";
    assert_eq!(changed.header("location"), format!("{list}#list"));
    let page = visitor.get(list).await;
    says(
        &page,
        &[
            "href=\"/calculator?line=seoul-1_s_1_3#list\"",
            "href=\"/calculator?line=taipei-1_m_2#list\"",
        ],
    );
    says(&page, &[&format!("{}</code>", list.replace('&', "&#38;"))]);
    // Another language is the same list.
    says(
        &page,
        &["href=\"/calculator?line=taipei-1_m_2&#38;line=seoul-1_s_1_3&#38;lang=ko\""],
    );
    let korean = visitor.get(&format!("{list}&lang=ko")).await;
    says(
        &korean,
        &[
            "요금계산기",
            "추정 요금으로 실 사용 요금과 다를 수 있습니다",
            "42,027원",
        ],
    );
}

#[tokio::test]
async fn what_is_wrong_with_a_choice_is_said_at_its_field() {
    let stub = Stub::new();
    let mut visitor = Browser::new(&stub).await;
    let opened = visitor.get(LIST).await;
    let add = Some(("do", "add"));
    for (field, values) in [
        (
            "quantity",
            &["0", "1000", "1.5", "-1", "+1", "x", "１", "99999999999"][..],
        ),
        ("hours", &["0", "745", "1.5", "-1", "x"][..]),
    ] {
        for value in values {
            let page = visitor.get(&sent(&opened, &[(field, value)], add)).await;
            assert_eq!(page.status, 200, "{field}={value}");
            says(
                &page,
                &[&format!("href=\"#{field}\""), &format!("value=\"{value}\"")],
            );
            says(&page, &["<title>Error: ", "taipei-1_m_2_100"]);
        }
    }
    for query in [
        "plan=nano&site=seoul-1&quantity=1",
        "plan=s&quantity=1",
        "hours=5",
    ] {
        let page = visitor.get(&format!("/calculator?{query}&do=add")).await;
        assert_eq!(page.status, 200, "{query}");
        says(&page, &["id=\"error-summary\""]);
    }
}

/// The words name limits, which are the rule's.
#[test]
fn hints_name_the_limits() {
    for locale in Locale::ALL {
        for code in ["hint", "malformed"] {
            let said = language::say(*locale, &format!("calculator-quantity-{code}"));
            assert!(said.contains(&QUANTITY_MAX.to_string()), "{said}");
            let said = language::say(*locale, &format!("calculator-hours-{code}"));
            assert!(said.contains(&HOURS_MAX.to_string()), "{said}");
        }
    }
}

#[tokio::test]
async fn a_list_has_a_limit() {
    let stub = Stub::new();
    let mut visitor = Browser::new(&stub).await;
    let full = "line=seoul-1_s_1&".repeat(LINES_MAX);
    let page = visitor.get(&format!("/calculator?{full}")).await;
    assert_eq!(
        page.body.matches("data-label=\"Quantity\"").count(),
        LINES_MAX
    );
    says(&page, &["₩120,000"]);
    assert!(page.body.len() < 100_000, "{} bytes", page.body.len());
    let refused = visitor.get(&sent(&page, &[], Some(("do", "add")))).await;
    assert_eq!(refused.status, 200);
    says(
        &refused,
        &["A list has at most 20 lines. Remove one first."],
    );
    // A line of it can be changed all the same.
    let changing = visitor.get(&format!("/calculator?{full}change=20")).await;
    let changed = visitor
        .get(&sent(&changing, &[("quantity", "3")], Some(("do", "add"))))
        .await;
    assert!(
        changed
            .header("location")
            .ends_with("line=seoul-1_s_3#list")
    );

    let cut = visitor
        .get(&format!("/calculator?{full}line=seoul-1_m_1"))
        .await;
    says(
        &cut,
        &[
            "A list has at most 20 lines. What this address has",
            "₩120,000",
        ],
    );
}

#[tokio::test]
async fn a_hostile_address_is_told_apart_line_by_line() {
    let stub = Stub::new();
    let mut visitor = Browser::new(&stub).await;
    let script = "%22%3E%3Cscript%3Ealert(1)%3C/script%3E";
    let page = visitor
        .get(&format!(
            "/calculator?line=seoul-1_s_1&line={script}&line=seoul-1_gone_2&line=%FF&line=mars-1_s_1_5&plan={script}"
        ))
        .await;
    assert_eq!(page.status, 200);
    assert!(!page.body.contains("<script>alert"));
    says(
        &page,
        &[
            "Line 2 of this address can&#39;t be read.",
            "Line 4 of this",
        ],
    );
    says(
        &page,
        &[
            "No longer offered: gone (seoul-1)",
            "No longer offered: s (mars-1)",
        ],
    );
    says(&page, &["<strong id=\"total\">₩6,600</strong>"]);
    // What is gone stays, to be changed or removed; what can't be read does not.
    let kept =
        "/calculator?line=seoul-1_s_1&#38;line=seoul-1_gone_2&#38;line=mars-1_s_1_5&#38;change=2";
    says(&page, &[&format!("href=\"{kept}\"")]);
    let all_gone = visitor.get("/calculator?line=seoul-1_gone_2").await;
    assert!(!all_gone.body.contains("id=\"total\""));

    for query in [
        "change=0",
        "change=3",
        "change=-1",
        "change=x",
        "line=&change=1",
        "do=add",
        "format=xlsx",
        "%",
        "=",
    ] {
        let page = visitor.get(&format!("/calculator?{query}")).await;
        assert_eq!(page.status, 200, "{query}");
        assert!(!page.body.contains("Change line"), "{query}");
    }
    // Each link of the page has its address in it.
    let long = format!("{LIST}&utm={}", "x".repeat(20_000));
    assert_eq!(visitor.get(&long).await.header("location"), LIST);
    // Nobody sells for so much.
    for plan in &mut stub.book().catalogue.plans {
        plan.monthly_cap.amount = i64::MAX;
        plan.hourly.micro_minor_per_hour = u64::MAX;
    }
    let mut later = Browser::new(&stub).await;
    let page = later.get("/calculator?line=seoul-1_s_999").await;
    assert_eq!(page.status, 500);
}

#[tokio::test]
async fn what_is_sold_out_is_estimated_and_not_ordered() {
    let stub = Stub::new();
    let mut visitor = Browser::new(&stub).await;
    let page = visitor
        .get("/calculator?line=taipei-1_l_1&site=taipei-1&plan=l&quantity=1")
        .await;
    says(
        &page,
        &[
            "₩46,200",
            "<span class=\"sub gone\">Sold out at Taipei 1</span>",
        ],
    );
    assert!(!page.body.contains("href=\"/servers/new?site"));
}

#[tokio::test]
async fn everybody_finds_it() {
    let stub = Stub::new();
    let mut visitor = Browser::new(&stub).await;
    for path in ["/", "/sign-in", "/sign-up"] {
        says(&visitor.get(path).await, &["href=\"/calculator\""]);
    }
    assert!(
        visitor
            .get("/robots.txt")
            .await
            .body
            .contains("Allow: /calculator$")
    );
    let mut member = visitor.signed_in();
    says(&member.get("/billing").await, &["href=\"/calculator\""]);
    let page = member.get(LIST).await;
    says(
        &page,
        &[
            "class=\"side-nav\"",
            "href=\"/billing\" aria-current=\"page\"",
        ],
    );
    // Its link leads to an order form that is filled in.
    let order = member.get("/servers/new?site=taipei-1&plan=m").await;
    for chosen in ["value=\"taipei-1\" checked", "value=\"m\" checked"] {
        says(&order, &[chosen]);
    }
}

/// The rows of a file, as another program reads them.
fn rows(file: &Answer) -> (Vec<Vec<Data>>, Vec<String>) {
    let mut book: Xlsx<_> = Xlsx::new(Cursor::new(file.bytes.clone())).expect("a workbook");
    let sheet = book.sheet_names()[0].clone();
    let range = book.worksheet_range(&sheet).expect("a sheet");
    let formulas = book.worksheet_formula(&sheet).expect("a sheet");
    let formulas = formulas.used_cells().map(|(_, _, text)| text.clone());
    (
        range.rows().map(<[Data]>::to_vec).collect(),
        formulas.collect(),
    )
}

fn text(text: &str) -> Data {
    Data::String(text.to_owned())
}

#[tokio::test]
async fn the_list_is_a_spreadsheet_of_numbers() {
    let stub = Stub::new();
    let mut visitor = Browser::new(&stub).await;
    let file = visitor.get(&format!("{LIST}&format=xlsx")).await;
    assert_eq!(file.status, 200);
    let media = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";
    assert_eq!(file.header("content-type"), media);
    let name = "attachment; filename=\"estimate-2026-11-21.xlsx\"";
    assert_eq!(file.header("content-disposition"), name);
    let (rows, formulas) = rows(&file);
    assert_eq!(rows[0][0], text("Harbour Cloud"));
    assert_eq!(rows[2][0], text("Prices of"));
    let Data::DateTime(day) = rows[2][1] else {
        panic!("{:?}", rows[2]);
    };
    assert_eq!(day.to_ymd_hms_milli(), (2026, 11, 21, 0, 0, 0, 0));
    assert_eq!(
        rows[3][0],
        text("This is an estimate; the bill may differ.")
    );
    let line = |row: usize| rows[row][1..].to_vec();
    let number = |number: f64| Data::Float(number);
    let first = [text("Seoul 1"), text("Small")].into_iter();
    let first = first.chain([1.0, 744.0, 9.0, 6_000.0, 6_000.0].map(number));
    assert_eq!(line(7), first.collect::<Vec<_>>());
    let second = [text("Taipei 1"), text("Medium")].into_iter();
    let second = second.chain([2.0, 100.0, 32.0, 21_000.0, 6_400.0].map(number));
    assert_eq!(line(8), second.collect::<Vec<_>>());
    // With the results in them, for whoever calculates nothing.
    for (row, name, amount) in [
        (9, "Sum before tax", 12_400.0),
        (10, "VAT 10%", 1_240.0),
        (11, "Total", 13_640.0),
    ] {
        assert_eq!(
            (&rows[row][0], &rows[row][7]),
            (&text(name), &number(amount))
        );
    }
    assert_eq!(formulas, ["SUM(H8:H9)", "SUM(H10:H11)"]);
    let shown: BTreeSet<_> = file
        .unpacked("xl/styles.xml")
        .split("formatCode=\"")
        .skip(1)
        .filter_map(|rest| rest.split('"').next().map(str::to_owned))
        .collect();
    assert!(shown.contains("&quot;₩&quot;#,##0"), "{shown:?}");
}

#[tokio::test]
async fn a_spreadsheet_is_in_the_readers_language_and_currency() {
    let stub = Stub::new();
    for plan in &mut stub.book().catalogue.plans {
        plan.hourly = HourlyRate {
            micro_minor_per_hour: 1_234_000,
            currency: Currency::Usd,
        };
        plan.monthly_cap = Money {
            amount: 123_456_789_012_345_678,
            currency: Currency::Usd,
        };
    }
    stub.book().catalogue.tax = None;
    let mut visitor = Browser::new(&stub).await.speaking("ko");
    let file = visitor
        .get("/calculator?line=seoul-1_s_1_10&line=seoul-1_gone_1&format=xlsx")
        .await;
    let (rows, formulas) = rows(&file);
    assert_eq!(
        rows[3][0],
        text("추정 요금으로 실 사용 요금과 다를 수 있습니다.")
    );
    // 12.34 cents are 12; what no number of a spreadsheet keeps is a text.
    assert_eq!(
        (&rows[7][5], &rows[7][7]),
        (&Data::Float(0.01234), &Data::Float(0.12))
    );
    assert_eq!(rows[7][6], text("1,234,567,890,123,456.78"));
    assert_eq!(rows[8][0], text("더 이상 제공되지 않음: gone (seoul-1)"));
    assert_eq!(
        (&rows[9][7], &rows[10][7]),
        (&Data::Float(0.12), &Data::Float(0.12))
    );
    assert_eq!(formulas, ["SUM(H8:H9)", "SUM(H10:H10)"]);
    let styles = file.unpacked("xl/styles.xml");
    assert!(styles.contains("&quot;US$&quot;#,##0.00000"), "{styles}");
}

#[tokio::test]
async fn no_text_of_a_spreadsheet_is_a_formula() {
    let stub = Stub::new();
    let formula = "=HYPERLINK(\"https://evil.example\",\"x\")";
    stub.book().installation.name = formula.to_owned();
    stub.book().catalogue.sites[0].name = "+1+cmd|' /C calc'!A0".to_owned();
    stub.book().catalogue.plans[0].name = "@SUM(1)".to_owned();
    let mut visitor = Browser::new(&stub).await;
    let file = visitor.get(&format!("{LIST}&format=xlsx")).await;
    let (rows, formulas) = rows(&file);
    assert_eq!(rows[0][0], text(formula));
    assert_eq!(
        rows[7][1..3],
        [text("+1+cmd|' /C calc'!A0"), text("@SUM(1)")]
    );
    assert_eq!(formulas.len(), 2, "the sums alone");
    // A cell stays a text for whoever edits it.
    let sheet = file.unpacked("xl/worksheets/sheet1.xml");
    let styles = file.unpacked("xl/styles.xml");
    let quoted = styles
        .split("<cellXfs")
        .nth(1)
        .expect("styles")
        .split("<xf ")
        .skip(1);
    let quoted: BTreeSet<_> = quoted
        .enumerate()
        .filter(|(_, style)| style.contains("quotePrefix=\"1\""))
        .map(|(index, _)| index)
        .collect();
    for cell in ["A1", "B8", "C8"] {
        let style = sheet
            .split(&format!("<c r=\"{cell}\" s=\""))
            .nth(1)
            .expect("a cell");
        let style = style.split('"').next().and_then(|style| style.parse().ok());
        assert!(quoted.contains(&style.expect("a style")), "{cell}: {sheet}");
    }
}
