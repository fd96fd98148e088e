//! The calculator's list as a spreadsheet (R39, R40): amounts are numbers, texts are never formulas.

use axum::response::Response;
use innkeeper_wire::{
    api::Catalogue,
    billing::Totals,
    money::{Currency, HourlyRate, Money},
};
use rust_xlsxwriter::{
    DocProperties, ExcelDateTime, Format, FormatAlign, FormatBorder, Formula, Workbook, Worksheet,
    XlsxError,
};
use tracing::error;

use super::{calculator, invoices};
use crate::{
    estimate::{Entry, Estimate, Priced},
    failure::Failure,
    format, language,
    visit::Visit,
    words,
};

const MEDIA: &str = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";
/// More digits no number of a spreadsheet keeps.
const DIGITS_MAX: usize = 15;
/// Width of each column, in letters.
const WIDTHS: [u8; 8] = [24, 18, 18, 10, 14, 16, 18, 20];
/// The column of amounts.
const AMOUNTS: u16 = 7;
/// The row of the headings.
const HEAD: u32 = 6;

/// The list as a file.
pub(super) fn file(visit: &Visit, list: &Estimate<'_>) -> Result<Response, Failure> {
    let catalogue = &visit.facts()?.catalogue;
    let day = visit.zone().date(visit.now);
    let bytes = workbook(visit, catalogue, list, &day).map_err(|error| {
        error!(%error, "a spreadsheet could not be made");
        Failure::Internal
    })?;
    Ok(invoices::file(
        &format!("estimate-{day}.xlsx"),
        MEDIA,
        bytes,
    ))
}

fn workbook(
    visit: &Visit,
    catalogue: &Catalogue,
    list: &Estimate<'_>,
    day: &str,
) -> Result<Vec<u8>, XlsxError> {
    let installation = visit.facts.as_ref().map(|facts| &facts.installation);
    let installation = installation.map_or("Innkeeper", |known| known.name.as_str());
    let date = ExcelDateTime::parse_from_str(day)?;
    let mut workbook = Workbook::new();
    workbook.set_properties(
        &DocProperties::new()
            .set_title(visit.say("nav-calculator"))
            .set_author(installation)
            .set_creation_datetime(&date),
    );
    let sheet = workbook.add_worksheet();
    sheet.set_name(visit.say("calculator-sheet"))?;
    sheet
        .set_landscape()
        .set_paper_size(9)
        .set_print_fit_to_pages(1, 0);
    for (column, width) in (0..).zip(WIDTHS) {
        sheet.set_column_width(column, width)?;
    }
    let plain = Format::new();
    let bold = Format::new().set_bold();
    put_text(sheet, (0, 0), installation, &bold.clone().set_font_size(14))?;
    put_text(sheet, (1, 0), &visit.say("nav-calculator"), &bold)?;
    put_text(sheet, (2, 0), &visit.say("calculator-day"), &plain)?;
    let dated = Format::new()
        .set_num_format("yyyy-mm-dd")
        .set_align(FormatAlign::Left);
    sheet.write_datetime_with_format(2, 1, &date, &dated)?;
    put_text(sheet, (3, 0), &visit.say("calculator-note"), &bold)?;
    put_text(sheet, (4, 0), &visit.say("calculator-month-hint"), &plain)?;
    headings(visit, sheet)?;
    let mut row = HEAD + 1;
    for entry in &list.entries {
        match entry {
            Entry::Priced(priced) => put_line(visit, sheet, row, priced)?,
            Entry::Gone(line) => {
                put_text(sheet, (row, 0), &calculator::gone(visit, line), &plain)?;
            }
        }
        row += 1;
    }
    if let Some(totals) = &list.totals {
        put_totals(visit, sheet, row, totals)?;
    }
    if catalogue.tax.is_none() {
        put_text(sheet, (row + 2, 0), &visit.say("prices-before-tax"), &plain)?;
    }
    workbook.save_to_buffer()
}

fn headings(visit: &Visit, sheet: &mut Worksheet) -> Result<(), XlsxError> {
    let left = Format::new()
        .set_bold()
        .set_border_bottom(FormatBorder::Thin);
    let right = left.clone().set_align(FormatAlign::Right);
    let words = [
        "calculator-product",
        "server-site",
        "server-plan",
        "calculator-quantity",
        "calculator-hours-each",
        "billing-rate",
        "bill-month",
        "calculator-amount",
    ];
    for (column, key) in (0..).zip(words) {
        let format = if column < 3 { &left } else { &right };
        put_text(sheet, (HEAD, column), &visit.say(key), format)?;
    }
    Ok(())
}

fn put_line(
    visit: &Visit,
    sheet: &mut Worksheet,
    row: u32,
    priced: &Priced<'_>,
) -> Result<(), XlsxError> {
    let Priced {
        line, site, plan, ..
    } = priced;
    let plain = Format::new();
    put_text(sheet, (row, 0), &visit.say("nav-server"), &plain)?;
    put_text(sheet, (row, 1), &site.name, &plain)?;
    put_text(sheet, (row, 2), &plan.name, &plain)?;
    sheet.write_number(row, 3, line.quantity)?;
    sheet.write_number(row, 4, line.charged_hours())?;
    put_rate(visit, sheet, (row, 5), plan.hourly)?;
    put_money(visit, sheet, (row, 6), plan.monthly_cap)?;
    put_money(visit, sheet, (row, AMOUNTS), priced.net)
}

/// The sum, the taxes and the total. The sums are formulas with their results; a tax is the number itself: how it is
/// rounded is not for a spreadsheet to decide.
fn put_totals(
    visit: &Visit,
    sheet: &mut Worksheet,
    row: u32,
    totals: &Totals,
) -> Result<(), XlsxError> {
    let name = |row: u32| format!("H{}", row + 1);
    let sum = format!("SUM({}:{})", name(HEAD + 1), name(row - 1));
    let above = Format::new().set_bold().set_border_top(FormatBorder::Thin);
    for column in 1..AMOUNTS {
        sheet.write_blank(row, column, &above)?;
    }
    put_text(sheet, (row, 0), &visit.say("billing-net"), &above)?;
    put_sum(visit, sheet, row, &sum, totals.net, &above)?;
    let mut last = row;
    for tax in &totals.taxes {
        last += 1;
        let called = tax.name.in_language(visit.locale);
        let called = format!("{called} {}", format::percent(tax.rate));
        put_text(sheet, (last, 0), &called, &Format::new())?;
        put_money(visit, sheet, (last, AMOUNTS), tax.tax)?;
    }
    let bold = Format::new().set_bold();
    let sum = format!("SUM({}:{})", name(row), name(last));
    put_text(sheet, (last + 1, 0), &visit.say("billing-total"), &bold)?;
    put_sum(visit, sheet, last + 1, &sum, totals.total, &bold)
}

fn put_sum(
    visit: &Visit,
    sheet: &mut Worksheet,
    row: u32,
    formula: &str,
    result: Money,
    format: &Format,
) -> Result<(), XlsxError> {
    let format = format.clone().set_num_format(number_format(
        visit,
        result.currency,
        result.currency.decimals(),
    ));
    let formula = Formula::new(formula).set_result(plain_digits(&result.digits()));
    sheet.write_formula_with_format(row, AMOUNTS, formula, &format)?;
    Ok(())
}

fn put_money(
    visit: &Visit,
    sheet: &mut Worksheet,
    cell: (u32, u16),
    money: Money,
) -> Result<(), XlsxError> {
    let decimals = money.currency.decimals();
    let format = number_format(visit, money.currency, decimals);
    put_number(sheet, cell, &money.digits(), &format)
}

/// A price an hour, with as many decimals as it has.
fn put_rate(
    visit: &Visit,
    sheet: &mut Worksheet,
    cell: (u32, u16),
    rate: HourlyRate,
) -> Result<(), XlsxError> {
    let digits = rate.digits();
    let fraction = digits.split_once('.').map_or("", |(_, fraction)| fraction);
    let decimals = u32::try_from(fraction.len()).unwrap_or(u32::MAX);
    put_number(
        sheet,
        cell,
        &digits,
        &number_format(visit, rate.currency, decimals),
    )
}

/// Writes digits as a number. A spreadsheet's numbers are floating point: they are handed over as they read, nothing is
/// calculated with them, and what has more digits than such a number keeps is written as a text.
fn put_number(
    sheet: &mut Worksheet,
    (row, column): (u32, u16),
    digits: &str,
    format: &str,
) -> Result<(), XlsxError> {
    let plain = plain_digits(digits);
    let count = plain.bytes().filter(u8::is_ascii_digit).count();
    let format = Format::new().set_num_format(format);
    match plain.parse::<f64>() {
        Ok(number) if count <= DIGITS_MAX => {
            sheet.write_number_with_format(row, column, number, &format)?;
        }
        _ => {
            let right = Format::new().set_align(FormatAlign::Right);
            sheet.write_string_with_format(row, column, digits, &right)?;
        }
    }
    Ok(())
}

fn plain_digits(grouped: &str) -> String {
    grouped.replace(',', "")
}

/// How a spreadsheet shows amounts of a currency: as the pages of this language do.
fn number_format(visit: &Visit, currency: Currency, decimals: u32) -> String {
    let (before, after) = language::say_around(visit.locale, words::money(currency), "amount");
    let literal = |text: String| match text.as_str() {
        "" => String::new(),
        text => format!("\"{text}\""),
    };
    let point = if decimals == 0 { "" } else { "." };
    let zeros = "0".repeat(usize::try_from(decimals).unwrap_or_default());
    format!("{}#,##0{point}{zeros}{}", literal(before), literal(after))
}

/// Writes a text, which stays one: also in the hands of whoever edits the cell, where it begins as formulas do.
fn put_text(
    sheet: &mut Worksheet,
    (row, column): (u32, u16),
    text: &str,
    format: &Format,
) -> Result<(), XlsxError> {
    let format = if text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']) {
        format.clone().set_quote_prefix()
    } else {
        format.clone()
    };
    sheet.write_string_with_format(row, column, text, &format)?;
    Ok(())
}
