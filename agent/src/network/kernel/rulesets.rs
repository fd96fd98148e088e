//! What nftables and iptables hold, ours and other programs', and changing ours.

use serde_json::Value;

use crate::network::{
    NetworkError,
    foreign::iptables::{self, Variant},
    programs::{run, run_up_to},
    rules::{self, Tables},
};

/// What is read of other programs' rules for iptables at most: some 40,000.
const SAVED_MAX: u64 = 4 << 20;

/// Our tables as they are; `None` when one is missing or can't be ours.
pub(in crate::network) async fn tables() -> Result<Option<Tables>, NetworkError> {
    let [first, second] = rules::TABLES.map(|(family, name)| list(family, name));
    let [grants, flows] = [rules::GRANTS_TABLE, rules::FLOWS_TABLE].map(|name| list("inet", name));
    Ok(match tokio::try_join!(first, second, grants, flows)? {
        (Some(first), Some(second), Some(grants), Some(flows)) => Some(Tables {
            replaced: [first, second],
            grants,
            flows,
        }),
        _ => None,
    })
}

/// All rules of this host without the contents of sets, other programs' included, those of iptables too.
pub(in crate::network) async fn all_rules() -> Result<Value, NetworkError> {
    let printed = run("nft", &["-j", "-t", "list", "ruleset"], "").await?;
    let mut rules = serde_json::from_slice(&printed).map_err(|source| NetworkError::Output {
        what: "nft -j -t list ruleset".to_owned(),
        source,
    })?;
    let hides_states = iptables::hides_states(&rules);
    for (family, program, names) in [
        ("ip", "iptables", "ip_tables_names"),
        ("ip6", "ip6tables", "ip6_tables_names"),
    ] {
        if hides_states
            && let Ok(saved) = saved(&format!("{program}-nft-save")).await
            && !saved.contains("is incompatible")
        {
            iptables::merge(&mut rules, family, &saved, Variant::Nft);
        }
        // The names of tables that are loaded, of the network namespace of this thread. The file is there only if any
        // ever was.
        let names = std::fs::read_to_string(format!("/proc/thread-self/net/{names}"));
        if names.is_ok_and(|names| iptables::see_forwarded(&names)) {
            let program = format!("{program}-legacy-save");
            match saved(&program).await {
                Ok(saved) => iptables::merge(&mut rules, family, &saved, Variant::Legacy),
                Err(_) => iptables::note_unread(&mut rules, family, &program),
            }
        }
    }
    Ok(rules)
}

/// What a program of the kind of `iptables-save` prints.
async fn saved(program: &str) -> Result<String, NetworkError> {
    let printed = run_up_to(SAVED_MAX, program, &[], "").await?;
    Ok(String::from_utf8_lossy(&printed).into_owned())
}

/// A table of family `inet`; `None` when there is none, or one that can't be ours.
pub(in crate::network) async fn table(name: &str) -> Result<Option<Value>, NetworkError> {
    list("inet", name).await
}

/// Carries out one transaction.
pub(in crate::network) async fn nft(transaction: &Value) -> Result<(), NetworkError> {
    run("nft", &["-j", "-f", "-"], &transaction.to_string())
        .await
        .map(drop)
}

/// The same for one in nft's own language.
pub(in crate::network) async fn nft_text(transaction: &str) -> Result<(), NetworkError> {
    run("nft", &["-f", "-"], transaction).await.map(drop)
}

/// A table; `None` when there is none, or one that can't be ours.
async fn list(family: &str, name: &str) -> Result<Option<Value>, NetworkError> {
    let printed = match run("nft", &["-j", "list", "table", family, name], "").await {
        Err(NetworkError::Command { reason, .. })
            if reason.contains("No such file or directory") =>
        {
            return Ok(None);
        }
        outcome => outcome?,
    };
    match serde_json::from_slice(&printed) {
        Ok(table) => Ok(Some(table)),
        // nft 1.0.6 may stop at the flags of a table that has any, as one that somebody made dormant. Ours have none.
        Err(source) if source.is_eof() => Ok(None),
        Err(source) => Err(NetworkError::Output {
            what: format!("nft -j list table {family} {name}"),
            source,
        }),
    }
}
