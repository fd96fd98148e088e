//! Runs `nft` and `ip`: with input on stdin, a deadline, and what they say as an error. Reads kernel settings.
//!
//! Nothing from outside becomes a word of a command line but addresses, which are typed, and device names of
//! the host's own configuration.

use std::{collections::BTreeSet, fmt::Write as _, net::IpAddr, process::Stdio, time::Duration};

use serde::Deserialize;
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

/// Makes the bridge, its addresses and the kernel's settings, as far as they are not there.
pub(super) async fn prepare(config: &NetworkConfig, present: &Present) -> Result<(), NetworkError> {
    let bridge = config.bridge.as_str();
    let mut lines = String::new();
    if !exists(bridge) {
        let kind = "type bridge stp_state 0 forward_delay 0 mcast_snooping 0";
        line(
            &mut lines,
            &format!("link add {bridge} address {BRIDGE_MAC} {kind}"),
        );
    }
    if !present.has_gateways() {
        line(&mut lines, &format!("link set {bridge} up"));
        line(
            &mut lines,
            &format!("addr replace {GATEWAY_V4}/32 dev {bridge}"),
        );
        line(
            &mut lines,
            &format!("addr replace {GATEWAY_V6}/64 dev {bridge} nodad"),
        );
    }
    batch(&[], &lines).await?;
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
        let text = format!("route {verb} {address} dev {bridge} proto {PROTOCOL}");
        line(self.lines(address), &text);
    }

    fn proxy(&mut self, verb: &str, address: IpAddr, config: &NetworkConfig) {
        if let Some(uplink) = &config.uplink {
            let text = format!("neigh {verb} proxy {address} dev {uplink} protocol {PROTOCOL}");
            line(self.lines(address), &text);
        }
    }

    async fn run(self) -> Result<(), NetworkError> {
        tokio::try_join!(batch(&["-4"], &self.v4), batch(&["-6"], &self.v6)).map(drop)
    }
}

pub(super) fn line(lines: &mut String, text: &str) {
    writeln!(lines, "{text}").expect("writing to memory does not fail");
}

async fn batch(options: &[&str], lines: &str) -> Result<(), NetworkError> {
    if lines.is_empty() {
        return Ok(());
    }
    run("ip", &[options, &["-batch", "-"]].concat(), lines)
        .await
        .map(drop)
}

/// One entry of `ip -j`: a device of `addr show`, or a line of `route show` or `neigh show proxy`.
#[derive(Debug, Deserialize)]
struct Entry {
    /// Of a device: its addresses.
    #[serde(default)]
    addr_info: Vec<Address>,
    /// Of a route: `default`, a prefix, or for a single address the address alone. Of a proxy: the address.
    #[serde(default)]
    dst: String,
    #[serde(default)]
    protocol: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Address {
    local: IpAddr,
}

/// Looks at what is there.
pub(super) async fn observe(config: &NetworkConfig) -> Result<Present, NetworkError> {
    if !exists(&config.bridge) {
        return Ok(Present::default());
    }
    let (v4, v6) = tokio::try_join!(show(config, "-4"), show(config, "-6"))?;
    let mut present = Present::default();
    for [devices, routes, proxies] in [v4, v6] {
        let addresses = devices.iter().flat_map(|device| &device.addr_info);
        present
            .bridge
            .extend(addresses.map(|address| address.local));
        present.routes.extend(ours(&routes));
        present.proxies.extend(ours(&proxies));
    }
    Ok(present)
}

/// The single addresses among entries that we made. A filter for the protocol hides it in `ip`'s answer,
/// and proxies know no such filter.
fn ours(entries: &[Entry]) -> impl Iterator<Item = IpAddr> {
    let ours = entries
        .iter()
        .filter(|entry| entry.protocol.as_deref() == Some(PROTOCOL));
    ours.filter_map(|entry| entry.dst.parse().ok())
}

/// The bridge's addresses, its routes and the uplink's proxies, in one run.
async fn show(config: &NetworkConfig, family: &str) -> Result<[Vec<Entry>; 3], NetworkError> {
    let bridge = &config.bridge;
    let mut lines = format!("addr show dev {bridge}\nroute show dev {bridge}\n");
    if let Some(uplink) = &config.uplink {
        line(&mut lines, &format!("neigh show proxy dev {uplink}"));
    }
    let printed = run("ip", &[family, "-j", "-batch", "-"], &lines).await?;
    let mut lists = serde_json::Deserializer::from_slice(&printed).into_iter::<Vec<Entry>>();
    let mut next = || match lists.next() {
        Some(list) => list.map_err(|source| NetworkError::Output {
            what: format!("ip {family} -j -batch"),
            source,
        }),
        // Without an uplink nothing was asked about proxies.
        None => Ok(Vec::new()),
    };
    Ok([next()?, next()?, next()?])
}

/// What the tables in the kernel say; `None` when they are not whole.
pub(super) async fn ruleset() -> Result<Option<rules::Installed>, NetworkError> {
    let [first, second] = rules::TABLES.map(|(family, name)| list(family, name));
    match tokio::try_join!(first, second)? {
        (Some(first), Some(second)) => Ok(rules::read(&[first, second])),
        _ => Ok(None),
    }
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
    let printed = match run("nft", &["-j", "list", "table", family, name], "").await {
        Err(NetworkError::Command { reason, .. })
            if reason.contains("No such file or directory") =>
        {
            return Ok(None);
        }
        outcome => outcome?,
    };
    let table = serde_json::from_slice(&printed);
    table.map(Some).map_err(|source| NetworkError::Output {
        what: format!("nft -j list table {family} {name}"),
        source,
    })
}

/// Runs a program to its end and gives what it printed. It is killed when the deadline has passed.
pub(super) async fn run(
    program: &str,
    arguments: &[&str],
    input: &str,
) -> Result<Vec<u8>, NetworkError> {
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

pub(super) fn exists(device: &str) -> bool {
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
