//! What is taken out of the books for other programs.

use std::collections::BTreeMap;

use axum::http::Method;
use serde_json::{Value, json};

use crate::{
    billing::{asked, audit, close, pay, used_over_a_month},
    credits::credit,
    servers::Story,
};

async fn rows(story: &Story, month: &str, what: &str) -> Vec<Value> {
    let path = format!("/billing/months/{month}/{what}");
    let rows = asked(story, Method::GET, &path, json!({})).await;
    rows.expect(200).as_array().expect("a list").clone()
}

fn amount(row: &Value, field: &str) -> i64 {
    row[field].as_i64().expect("a number")
}

#[tokio::test]
async fn usage_is_as_it_was_invoiced_and_as_it_is_so_far() {
    let story = used_over_a_month().await;
    close(&story, "2026-09").await.expect(200);
    let september = rows(&story, "2026-09", "usage").await;
    let october = rows(&story, "2026-10", "usage").await;
    for (rows, invoice, used_s, net) in [
        (september, "1-000001", 780_400, 1_951),
        (october, "", 3 * 24 * 3_600, 648),
    ] {
        let [row] = &rows[..] else {
            panic!("{rows:?}");
        };
        assert_eq!(row["invoice"], invoice);
        assert_eq!(
            (&row["login_id"], &row["name"]),
            (&json!("minji90"), &json!("web-1"))
        );
        assert_eq!((amount(row, "used_s"), amount(row, "net")), (used_s, net));
    }
    let path = "/billing/months/2025-01/usage";
    asked(&story, Method::GET, path, json!({}))
        .await
        .expect(400);
}

/// Every entry is in one month, so all of them together are the trial balance; and each row is balanced in itself.
#[tokio::test]
async fn what_was_posted_in_all_months_is_the_trial_balance() {
    let story = used_over_a_month().await;
    close(&story, "2026-09").await.expect(200);
    pay(&story, 1_000, "KB 1").await.expect(200);
    let line = json!([{ "line": 1, "net": 100 }]);
    credit(&story, "1-000001", line).await.expect(201);
    story.setting.clock.advance_s(31 * 24 * 3_600);
    close(&story, "2026-10").await.expect(200);
    let why = json!({ "reason": "gone" });
    let path = "/invoices/1-000001/write-off";
    asked(&story, Method::POST, path, why).await.expect(204);
    let mut sums: BTreeMap<&str, i64> = BTreeMap::new();
    for (month, count) in [("2026-09", 0), ("2026-10", 1), ("2026-11", 1)] {
        let rows = rows(&story, month, "revenue").await;
        assert_eq!(rows.len(), count, "{month}");
        for row in &rows {
            let of = |field| amount(row, field);
            let debits =
                of("received") + of("receivable") + of("written_off") + of("promotion_expense");
            let credits = of("revenue") + of("tax") + of("credit") + of("promotion");
            assert_eq!(debits, credits, "{row}");
            for (account, field, side) in [
                ("bank", "received", 1),
                ("receivable", "receivable", 1),
                ("write-off", "written_off", 1),
                ("revenue", "revenue", -1),
                ("tax 100000", "tax", -1),
            ] {
                *sums.entry(account).or_default() += side * of(field);
            }
        }
    }
    assert_eq!(sums["bank"], 1_000);
    assert_eq!(sums["write-off"], 2_146 - 110 - 1_000);
    let books = audit(&story).await;
    let balances = books["trial_balance"].as_array().expect("a list").iter();
    let told = balances.map(|line| {
        let account = line["account"].as_str().expect("a name");
        (account, amount(&line["balance"], "amount"))
    });
    assert_eq!(
        told.filter(|(_, sum)| *sum != 0)
            .collect::<BTreeMap<_, _>>(),
        sums
    );
}
