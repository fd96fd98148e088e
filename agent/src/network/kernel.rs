//! Runs `nft` and `ip`: with input on stdin, a deadline, and what they say as an error. Reads kernel settings.
//!
//! Nothing from outside becomes a word of a command line but addresses, which are typed, and device names of
//! the host's own configuration.

use std::{collections::BTreeSet, fmt::Write as _, net::IpAddr, process::Stdio, time::Duration};

use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;
use tokio::{io::AsyncWriteExt, process::Command};

use super::{GATEWAY_V4, GATEWAY_V6, NetworkConfig, NetworkError, Present, rules};

/// A thousand guests' rules take some 100 ms.
const DEADLINE: Duration = Duration::from_secs(20);
/// Marks routes and neighbour entries as ours: a number that nobody has registered (iproute2 rt_protos).
const PROTOCOL: &str = "201";
/// The bridge's own hardware address: fixed, or it would change with the taps; and the same on every host,
/// so that a guest that moves finds its gateway where it was.
const BRIDGE_MAC: &str = "06:00:00:00:00:01";

/// Makes the bridge, its addresses and the kernel's settings; what is there already stays.
pub(super) async fn prepare(config: &NetworkConfig) -> Result<(), NetworkError> {
    let bridge = config.bridge.as_str();
    if !exists(bridge) {
        let line = ["link", "add", bridge, "address", BRIDGE_MAC];
        let kind = [
            "type",
            "bridge",
            "stp_state",
            "0",
            "forward_delay",
            "0",
            "mcast_snooping",
            "0",
        ];
        run("ip", &[&line[..], &kind].concat(), "").await?;
    }
    let gateway_v4 = format!("{GATEWAY_V4}/32");
    let gateway_v6 = format!("{GATEWAY_V6}/64");
    run("ip", &["link", "set", bridge, "up"], "").await?;
    run("ip", &["addr", "replace", &gateway_v4, "dev", bridge], "").await?;
    run(
        "ip",
        &["addr", "replace", &gateway_v6, "dev", bridge, "nodad"],
        "",
    )
    .await?;
    set("net/ipv4/ip_forward", "1")?;
    set("net/ipv6/conf/all/forwarding", "1")?;
    set(&format!("net/ipv6/conf/{bridge}/accept_ra"), "0")?;
    if let Some(uplink) = &config.uplink {
        set(&format!("net/ipv6/conf/{uplink}/proxy_ndp"), "1")?;
        // Otherwise each first packet to a guest waits up to 0.8 s for our answer.
        set(&format!("net/ipv4/neigh/{uplink}/proxy_delay"), "0")?;
        set(&format!("net/ipv6/neigh/{uplink}/proxy_delay"), "0")?;
    }
    Ok(())
}

/// Takes away routes and proxies of ours that are not wanted.
pub(super) async fn withdraw(
    config: &NetworkConfig,
    present: &Present,
    wanted: &BTreeSet<IpAddr>,
) -> Result<(), NetworkError> {
    let mut batch = Batch::default();
    for address in present.proxies.difference(wanted) {
        batch.proxy("del", *address, config);
    }
    for address in present.routes.difference(wanted) {
        batch.route("del", *address, config);
    }
    batch.run().await
}

/// Adds the routes and proxies that are wanted and missing.
pub(super) async fn announce(
    config: &NetworkConfig,
    present: &Present,
    wanted: &BTreeSet<IpAddr>,
) -> Result<(), NetworkError> {
    let mut batch = Batch::default();
    for address in wanted.difference(&present.routes) {
        batch.route("replace", *address, config);
    }
    for address in wanted.difference(&present.proxies) {
        batch.proxy("replace", *address, config);
    }
    batch.run().await
}

/// Lines for `ip -batch`.
#[derive(Debug, Default)]
struct Batch {
    v4: String,
    v6: String,
}

impl Batch {
    fn lines(&mut self, address: IpAddr) -> &mut String {
        match address {
            IpAddr::V4(_) => &mut self.v4,
            IpAddr::V6(_) => &mut self.v6,
        }
    }

    fn route(&mut self, verb: &str, address: IpAddr, config: &NetworkConfig) {
        let bridge = &config.bridge;
        let line = format!("route {verb} {address} dev {bridge} proto {PROTOCOL}");
        writeln!(self.lines(address), "{line}").expect("writing to memory does not fail");
    }

    fn proxy(&mut self, verb: &str, address: IpAddr, config: &NetworkConfig) {
        if let Some(uplink) = &config.uplink {
            let line = format!("neigh {verb} proxy {address} dev {uplink} protocol {PROTOCOL}");
            writeln!(self.lines(address), "{line}").expect("writing to memory does not fail");
        }
    }

    async fn run(self) -> Result<(), NetworkError> {
        for (family, lines) in [("-4", self.v4), ("-6", self.v6)] {
            if !lines.is_empty() {
                run("ip", &[family, "-batch", "-"], &lines).await?;
            }
        }
        Ok(())
    }
}

/// One line of `ip -j addr show`.
#[derive(Debug, Deserialize)]
struct Link {
    #[serde(default)]
    addr_info: Vec<Address>,
}

#[derive(Debug, Deserialize)]
struct Address {
    local: IpAddr,
}

/// One line of `ip -j route show` or `ip -j neigh show proxy`.
#[derive(Debug, Deserialize)]
struct Entry {
    /// `default`, a prefix, or for a single address the address alone.
    dst: String,
    #[serde(default)]
    protocol: Option<String>,
}

/// Looks at what is there.
pub(super) async fn observe(config: &NetworkConfig) -> Result<Present, NetworkError> {
    let mut present = Present::default();
    let bridge = config.bridge.as_str();
    if !exists(bridge) {
        return Ok(present);
    }
    let links: Vec<Link> = show(&["-j", "addr", "show", "dev", bridge]).await?;
    for address in links.into_iter().flat_map(|link| link.addr_info) {
        match address.local {
            IpAddr::V4(v4) => present.gateway_v4.insert(v4),
            IpAddr::V6(v6) => present.gateway_v6.insert(v6),
        };
    }
    for family in ["-4", "-6"] {
        let filter = ["route", "show", "dev", bridge, "proto", PROTOCOL];
        let routes: Vec<Entry> = show(&[&[family, "-j"], &filter[..]].concat()).await?;
        present.routes.extend(
            routes
                .iter()
                .filter_map(|entry| entry.dst.parse::<IpAddr>().ok()),
        );
        if let Some(uplink) = config.uplink.as_deref() {
            let filter = ["neigh", "show", "proxy", "dev", uplink];
            let proxies: Vec<Entry> = show(&[&[family, "-j"], &filter[..]].concat()).await?;
            let ours = proxies
                .iter()
                .filter(|entry| entry.protocol.as_deref() == Some(PROTOCOL));
            present
                .proxies
                .extend(ours.filter_map(|entry| entry.dst.parse::<IpAddr>().ok()));
        }
    }
    Ok(present)
}

/// What the tables in the kernel say; `None` when they are not whole.
pub(super) async fn ruleset() -> Result<Option<rules::Installed>, NetworkError> {
    let mut tables = Vec::new();
    for (family, name) in rules::TABLES {
        match list(family, name).await? {
            Some(table) => tables.push(table),
            None => return Ok(None),
        }
    }
    Ok(rules::read(&tables))
}

/// Whether the grants' table is whole.
pub(super) async fn grants_installed() -> Result<bool, NetworkError> {
    let table = list("inet", rules::GRANTS_TABLE).await?;
    Ok(table.is_some_and(|table| rules::is_grants(&table)))
}

/// Carries out one transaction.
pub(super) async fn nft(transaction: &Value) -> Result<(), NetworkError> {
    run("nft", &["-j", "-f", "-"], &transaction.to_string())
        .await
        .map(drop)
}

/// A table; `None` when there is none.
async fn list(family: &str, name: &str) -> Result<Option<Value>, NetworkError> {
    match show_with("nft", &["-j", "list", "table", family, name]).await {
        Err(NetworkError::Command { reason, .. })
            if reason.contains("No such file or directory") =>
        {
            Ok(None)
        }
        outcome => outcome.map(Some),
    }
}

async fn show<T: DeserializeOwned>(arguments: &[&str]) -> Result<T, NetworkError> {
    show_with("ip", arguments).await
}

async fn show_with<T: DeserializeOwned>(
    program: &str,
    arguments: &[&str],
) -> Result<T, NetworkError> {
    let printed = run(program, arguments, "").await?;
    serde_json::from_slice(&printed).map_err(|source| NetworkError::Output {
        what: format!("{program} {}", arguments.join(" ")),
        source,
    })
}

/// Runs a program to its end and gives what it printed. It is killed when the deadline has passed.
async fn run(program: &str, arguments: &[&str], input: &str) -> Result<Vec<u8>, NetworkError> {
    let failed = |reason: String| NetworkError::Command {
        what: format!("{program} {}", arguments.join(" ")),
        reason,
    };
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| failed(error.to_string()))?;
    let mut stdin = child.stdin.take().expect("it was asked for");
    let talk = async {
        let written = async {
            // A program that ends early closes its end; its own message is the one to report.
            stdin.write_all(input.as_bytes()).await.ok();
            std::mem::drop(stdin);
        };
        tokio::join!(written, child.wait_with_output()).1
    };
    let output = tokio::time::timeout(DEADLINE, talk)
        .await
        .map_err(|_| failed("it did not end within its deadline".to_owned()))?
        .map_err(|error| failed(error.to_string()))?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(failed(said.trim().chars().take(500).collect()))
}

fn exists(device: &str) -> bool {
    // Not /sys/class/net: that shows the network namespace in which it was mounted.
    std::path::Path::new("/proc/sys/net/ipv4/conf")
        .join(device)
        .exists()
}

/// Writes a kernel setting, unless it has that value already.
fn set(name: &str, value: &str) -> Result<(), NetworkError> {
    let path = std::path::Path::new("/proc/sys").join(name);
    let failed = |source| NetworkError::Setting {
        name: name.replace('/', "."),
        source,
    };
    if std::fs::read_to_string(&path).map_err(failed)?.trim() != value {
        std::fs::write(&path, value).map_err(failed)?;
    }
    Ok(())
}
