//! One look at the balances of 20,000 accounts that pay ahead, each with two servers that run: what is due each minute.

use std::{path::Path, sync::Arc};

use anyhow::{Context as _, ensure};
use innkeeper_control_plane::{
    billing::duties::Balances,
    kernel::duty::Turn as _,
    nouns::Nouns,
    store::{Commit, Key, Options, Store, Write},
    vault::Vault,
};
use innkeeper_wire::{
    id::{AccountId, ContractId, IdSource, OrderId, ServerId, UsageId},
    time::{Clock, SystemClock, Timestamp},
};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::{
    Figure, median,
    orders::{RandomIds, Stopped, settings},
};

/// The name of the figure.
pub const NAME: &str = "prepaid_tick_20000_s";
const ACCOUNTS: usize = 20_000;
const SERVERS_EACH: usize = 2;
/// Accounts that one commit makes: a commit names at most a hundred records.
const ACCOUNTS_PER_COMMIT: usize = 10;
const ROUNDS: usize = 7;
const HOUR_MS: i64 = 3_600_000;

/// Measures in a folder below `scratch`; takes some seconds.
///
/// # Errors
/// When the store refuses something, or a balance can't be looked at.
pub async fn figure(scratch: &Path) -> anyhow::Result<Figure> {
    let folder = tempfile::tempdir_in(scratch).context("make a folder")?;
    let options = Options {
        reserve_bytes: 0,
        ..Options::new([1; 16])
    };
    let (store, _) = Store::open(&folder.path().join("store"), &options).context("open a store")?;
    let vault = Vault::create(&folder.path().join("keys")).context("make a vault")?;
    let now = SystemClock.now();
    let clock = Arc::new(Stopped::at(now)) as Arc<dyn Clock>;
    fill(&store, now).await?;
    let nouns = Nouns::new(store.clone(), vault, clock, Arc::new(RandomIds), settings());
    let mut duty = Balances(nouns.billing.clone());
    let mut rounds = Vec::new();
    for _ in 0..ROUNDS {
        let begun = Instant::now();
        let outcome = duty.turn().await;
        rounds.push(begun.elapsed().as_secs_f64());
        ensure!(outcome.failure.is_none(), "{outcome:?}");
    }
    store.close().await;
    Ok(Figure {
        name: NAME,
        value: median(rounds),
        unit: "s",
    })
}

async fn fill(store: &Store, now: Timestamp) -> anyhow::Result<()> {
    let begun = Timestamp::from_millis(now.as_millis() - 100 * HOUR_MS);
    for _ in 0..ACCOUNTS / ACCOUNTS_PER_COMMIT {
        let mut writes = Vec::new();
        for _ in 0..ACCOUNTS_PER_COMMIT {
            writes.extend(account(begun)?);
        }
        let commit = Commit {
            at: now,
            actor: "bench".to_owned(),
            cause: "accounts that pay ahead".to_owned(),
            guards: vec![],
            writes,
        };
        store.commit(commit).await.context("make accounts")?;
    }
    Ok(())
}

/// The records of an account that has paid for years.
fn account(begun: Timestamp) -> anyhow::Result<Vec<Write>> {
    let account = AccountId::new(&RandomIds);
    let balance =
        json!({ "currency": "KRW", "receivable": 0, "credit": 1_000_000_000, "entries": 1 });
    let state = json!({ "holds": {}, "stage": { "kind": "covered" } });
    let mut writes = vec![
        put(format!("balance/{account}"), 1, balance)?,
        put(format!("prepaid/{account}"), 1, state)?,
    ];
    writes.extend(servers(account, begun)?);
    Ok(writes)
}

fn put(key: String, version: u8, value: Value) -> anyhow::Result<Write> {
    let mut bytes = vec![version];
    bytes.extend(serde_json::to_vec(&value).context("write a record")?);
    Ok(Write::Put(Key::new(key).context("a key")?, bytes))
}

/// The records of what an account is charged for since then: two servers.
pub(super) fn servers(account: AccountId, begun: Timestamp) -> anyhow::Result<Vec<Write>> {
    let ids: &dyn IdSource = &RandomIds;
    let mut writes = Vec::new();
    for _ in 0..SERVERS_EACH {
        let (contract, usage) = (ContractId::new(ids), UsageId::new(ids));
        let open = json!({
            "id": contract, "account": account, "order": OrderId::new(ids), "server": ServerId::new(ids),
            "hourly": { "micro_minor_per_hour": 32_500_000, "currency": "KRW" },
            "monthly_cap": { "amount": 21_000, "currency": "KRW" },
            "sold": { "name": "web-1", "plan": "m", "site": "seoul-1" },
            "open_usage": usage, "ended_at": null,
        });
        let used = json!({ "id": usage, "contract": contract, "from": begun, "until": null });
        writes.extend([
            put(format!("ctr/{contract}"), 2, open)?,
            put(format!("ctrof/{account}/{contract}"), 1, json!({}))?,
            put(format!("use/{contract}/{usage}"), 2, used)?,
        ]);
    }
    Ok(writes)
}
