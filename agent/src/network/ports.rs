//! The taps as ports of the guests' bridge: isolated from each other, without learning, and with one hardware address
//! that the bridge knows for good. So that nobody gets a neighbour's frames, not even while rules are missing.

use std::collections::BTreeSet;

use innkeeper_wire::vm::MacAddress;
use serde::Deserialize;

use super::{
    NetworkError,
    drift::PortFault,
    programs::{batch, line, run},
};

/// Makes taps the ports that they shall be. One that is off the bridge is switched off while it is put back: until it
/// is isolated it must exchange nothing with its neighbours.
pub(super) async fn mend(
    bridge: &str,
    taps: impl Iterator<Item = (&String, MacAddress, PortFault)>,
) -> Result<(), NetworkError> {
    let (mut lines, mut entries) = (String::new(), String::new());
    for (tap, mac, fault) in taps {
        if fault == PortFault::OffBridge {
            line(&mut lines, &format!("link set dev {tap} down"));
            line(&mut lines, &format!("link set dev {tap} master {bridge}"));
        }
        line(
            &mut lines,
            &format!("link set dev {tap} type bridge_slave isolated on learning off"),
        );
        line(&mut lines, &format!("link set dev {tap} up"));
        // Sticky: a port that learns all the same can't take it over.
        line(
            &mut entries,
            &format!("fdb replace {mac} dev {tap} master static sticky"),
        );
    }
    batch(&[], &lines).await?;
    if entries.is_empty() {
        return Ok(());
    }
    run("bridge", &["-batch", "-"], &entries).await.map(drop)
}

/// One entry of `bridge -j fdb show`.
#[derive(Debug, Deserialize)]
struct Entry {
    mac: String,
    #[serde(default)]
    ifname: String,
    #[serde(default)]
    state: String,
}

/// Which hardware addresses the bridge knows for good, and behind which port.
pub(super) async fn pinned(bridge: &str) -> Result<BTreeSet<(String, MacAddress)>, NetworkError> {
    let arguments = ["-j", "fdb", "show", "br", bridge];
    let printed = run("bridge", &arguments, "").await?;
    let entries: Vec<Entry> =
        serde_json::from_slice(&printed).map_err(|source| NetworkError::Output {
            what: format!("bridge {}", arguments.join(" ")),
            source,
        })?;
    let lasting = entries.into_iter().filter(|entry| entry.state == "static");
    Ok(lasting
        .filter_map(|entry| Some((entry.ifname, entry.mac.parse().ok()?)))
        .collect())
}
