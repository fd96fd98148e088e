//! Closing a month of many accounts, and of one with many servers.

use std::collections::BTreeSet;

use axum::http::Method;
use innkeeper_control_plane::store::{Commit, Key, Write};
use innkeeper_wire::id::{AccountId, ContractId, OrderId, ServerId, UsageId};
use serde_json::{Value, json};
use tokio::join;

use crate::{members::operator, prepaid::sound, setting::Setting};

/// Servers that one commit makes, of three records each: a commit names at most a hundred.
const SERVERS_PER_COMMIT: usize = 30;
/// From the 21st of September in Seoul to the fourth of October.
const TO_OCTOBER_S: i64 = 13 * 24 * 3_600;

/// An account with so many servers that run since a day, as they would be stored.
async fn account(setting: &Setting, servers: usize) {
    let ctx = &setting.nouns.ctx;
    let (ids, now) = (ctx.ids(), ctx.now());
    let account = AccountId::new(ids);
    let put = |key: String, version: u8, value: &Value| {
        let mut bytes = vec![version];
        bytes.extend(serde_json::to_vec(value).expect("plain values"));
        Write::Put(Key::new(key).expect("a key"), bytes)
    };
    let server = || {
        let (contract, usage) = (ContractId::new(ids), UsageId::new(ids));
        let open = json!({
            "id": contract, "account": account, "order": OrderId::new(ids), "server": ServerId::new(ids),
            "hourly": { "micro_minor_per_hour": 9_000_000, "currency": "KRW" },
            "monthly_cap": { "amount": 6_000, "currency": "KRW" },
            "sold": { "name": "web-1", "plan": "s1", "site": "lab" },
            "open_usage": usage, "ended_at": null,
        });
        let used = json!({ "id": usage, "contract": contract, "from": now, "until": null });
        [
            put(format!("ctr/{contract}"), 2, &open),
            put(format!("ctrof/{account}/{contract}"), 1, &json!({})),
            put(format!("use/{contract}/{usage}"), 2, &used),
        ]
    };
    let mut left = servers;
    while left > 0 {
        let some = left.min(SERVERS_PER_COMMIT);
        let commit = Commit {
            at: now,
            actor: "test".to_owned(),
            cause: "servers".to_owned(),
            guards: vec![],
            writes: (0..some).flat_map(|_| server()).collect(),
        };
        ctx.store().commit(commit).await.expect("committed");
        left -= some;
    }
}

async fn close(setting: &Setting) -> Value {
    let why = json!({ "reason": "the month is over" });
    let path = "/billing/months/2026-09/close";
    operator(setting, Method::POST, path, why).await.expect(200)
}

async fn get(setting: &Setting, path: &str) -> Value {
    operator(setting, Method::GET, path, json!({}))
        .await
        .expect(200)
}

/// Asked for twice at once, and once more: each account is billed once, several by one commit.
#[tokio::test]
async fn a_close_bills_several_accounts_a_commit_and_each_of_them_once() {
    let setting = Setting::new();
    for _ in 0..23 {
        account(&setting, 2).await;
    }
    setting.clock.advance_s(TO_OCTOBER_S);
    let store = setting.nouns.ctx.store();
    let before = store.sequence();
    let (report, other) = join!(close(&setting), close(&setting));
    assert_eq!(
        (&report["accounts"], &report["invoices"]),
        (&json!(23), &json!(23))
    );
    assert_eq!(report["total"], other["total"]);
    let commits = store.sequence() - before;
    // Two months and the end of one are commits as well.
    assert!((8..16).contains(&commits), "{commits}");
    let found = get(&setting, "/invoices?limit=200").await;
    let invoices = found["data"].as_array().expect("a list").iter();
    let numbers: BTreeSet<_> = invoices
        .map(|line| line["number"].as_str().expect("a number").to_owned())
        .collect();
    let expected = (1..=23).map(|number| format!("1-{number:06}")).collect();
    assert_eq!(numbers, expected);
    sound(&setting).await;
    let before = store.sequence();
    assert_eq!(close(&setting).await, report);
    assert_eq!(store.sequence(), before, "nothing is changed");
}

/// What does not go into one commit is written ahead of it.
#[tokio::test]
async fn an_invoice_has_as_many_lines_as_there_were_servers() {
    let setting = Setting::new();
    for servers in [301, 1, 1] {
        account(&setting, servers).await;
    }
    setting.clock.advance_s(TO_OCTOBER_S);
    let (report, _) = join!(close(&setting), close(&setting));
    assert_eq!(report["invoices"], json!(3));
    let mut counts = BTreeSet::new();
    for number in 1..=3 {
        let invoice = get(&setting, &format!("/invoices/1-{number:06}")).await;
        let lines = invoice["lines"].as_array().expect("lines");
        let nets = lines.iter().map(|line| line["net"]["amount"].as_i64());
        let sum: Option<i64> = nets.sum();
        assert_eq!(json!(sum), invoice["totals"]["net"]["amount"]);
        let contracts: BTreeSet<_> = lines
            .iter()
            .map(|line| line["contract"].to_string())
            .collect();
        counts.insert(contracts.len());
    }
    assert_eq!(counts, BTreeSet::from([1, 301]));
    sound(&setting).await;
}
