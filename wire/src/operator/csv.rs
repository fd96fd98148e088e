//! A list as comma-separated values, for spreadsheets.

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::Value;

/// Most rows of one file.
pub const CSV_ROWS_MAX: usize = 100_000;

/// What a file begins with, so that spreadsheets read other letters than English ones.
pub const BYTE_ORDER_MARK: &str = "\u{feff}";

/// The rows as RFC 4180 has them, with a mark of UTF-8 before the head, by which spreadsheets read other letters than
/// English ones. A column is a field that any row has; what is nested stands in its cell as JSON.
///
/// # Errors
/// When a row is no structure of named fields.
pub fn csv<T: Serialize>(rows: &[T]) -> Result<String, serde_json::Error> {
    let rows: Vec<Value> = rows
        .iter()
        .take(CSV_ROWS_MAX)
        .map(serde_json::to_value)
        .collect::<Result<_, _>>()?;
    let fields = rows.iter().filter_map(Value::as_object);
    let columns: BTreeSet<&String> = fields.flat_map(|fields| fields.keys()).collect();
    let mut text = BYTE_ORDER_MARK.to_owned();
    text += &line(columns.iter().map(|column| column.as_str().to_owned()));
    for row in &rows {
        text += &line(columns.iter().map(|column| shown(&row[column.as_str()])));
    }
    Ok(text)
}

fn shown(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// A line of a file, with its end.
#[must_use]
pub fn line(cells: impl Iterator<Item = String>) -> String {
    let cells: Vec<_> = cells.map(|cell| escaped(&cell)).collect();
    cells.join(",") + "\r\n"
}

/// A spreadsheet would take what begins so for a formula, and carry it out; but a whole number is none.
fn escaped(cell: &str) -> String {
    let is_formula = cell.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let cell = if is_formula && cell.parse::<i64>().is_err() {
        format!("'{cell}")
    } else {
        cell.to_owned()
    };
    if cell.contains([',', '"', '\r', '\n']) {
        return format!("\"{}\"", cell.replace('"', "\"\""));
    }
    cell
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn no_cell_is_a_formula_and_none_breaks_a_line() {
        for (cell, expected) in [
            ("web-1", "web-1"),
            ("", ""),
            ("=1+1", "'=1+1"),
            ("+82 10", "'+82 10"),
            ("-1", "-1"),
            ("-1+2", "'-1+2"),
            ("-9223372036854775809", "'-9223372036854775809"),
            ("@sum", "'@sum"),
            ("\tx", "'\tx"),
            ("\rx", "\"'\rx\""),
            ("=a,\"b\"", "\"'=a,\"\"b\"\"\""),
            ("two\nlines", "\"two\nlines\""),
            ("가=나", "가=나"),
        ] {
            assert_eq!(escaped(cell), expected, "{cell:?}");
        }
    }

    #[test]
    fn a_list_has_a_head_and_all_its_fields() {
        let rows = [
            json!({ "name": "web-1", "tries": 3, "room": { "cpus": 1 } }),
            json!({ "name": "민지", "why": null, "is_on": true }),
        ];
        assert_eq!(
            csv(&rows).expect("plain"),
            "\u{feff}is_on,name,room,tries,why\r\n,web-1,\"{\"\"cpus\"\":1}\",3,\r\ntrue,민지,,,\r\n"
        );
        assert_eq!(csv::<Value>(&[]).expect("plain"), "\u{feff}\r\n");
    }

    #[test]
    fn a_file_has_no_more_rows_than_a_spreadsheet_bears() {
        let rows = vec![json!({ "a": 1 }); CSV_ROWS_MAX + 1];
        let text = csv(&rows).expect("plain");
        assert_eq!(text.matches("\r\n").count(), 1 + CSV_ROWS_MAX);
    }
}
