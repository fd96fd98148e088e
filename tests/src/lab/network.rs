//! The laboratory's wires: a world with a switch, and for each hypervisor an uplink to it. Addresses are of
//! the blocks for documentation (TEST-NET-2, 2001:db8::/32). Nothing is made in the machine's own network
//! namespace: both ends of every cable are born inside.

use std::{collections::BTreeSet, net::Ipv4Addr, process::Command};

use anyhow::{Context, ensure};

use super::Run;

/// Namespaces are named `ik<pid of the keeper>-world` and `-h1`, `-h2`...
pub const NAMESPACE_PREFIX: &str = "ik";
/// The world's own address: where hosts reach the control plane. The world believes guests, whose pools are in
/// `catalogue.toml`, to be on its own link, so hosts answer for them.
pub const WORLD_V4: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 1);
/// Where engineers come from: an address of the world (TEST-NET-1) that nobody else uses, outside of guests' subnets.
pub const ENGINEER_V4: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 9);
/// The same in IPv6.
pub const ENGINEER_V6: &str = "2001:db8:9::9";
/// A host's interface to the world.
pub const UPLINK: &str = "uplink";

/// The address of host `number`, counted from 1, on its uplink.
#[must_use]
pub fn host_v4(number: usize) -> String {
    format!("198.51.100.{}", 1 + number)
}

/// A command that runs in a namespace. It replaces `ip`, so that its pid is the program's own.
#[must_use]
pub fn command(namespace: &str, program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new("ip");
    command.args(["netns", "exec", namespace]).arg(program);
    command
}

/// Runs a command to its end and gives what it printed.
pub fn output(command: &mut Command) -> anyhow::Result<String> {
    let output = command
        .output()
        .with_context(|| format!("start {:?}", command.get_program()))?;
    ensure!(
        output.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Makes the namespaces of a run and lays the cables.
pub(super) fn create(run: &Run) -> anyhow::Result<()> {
    let world = run.world();
    ip(&format!("netns add {world}"))?;
    let in_world = |line: &str| ip(&format!("-n {world} {line}"));
    in_world("link set lo up")?;
    in_world("link add wan type bridge")?;
    in_world(&format!("addr add {WORLD_V4}/24 dev wan"))?;
    in_world("addr add 2001:db8::1/64 dev wan nodad")?;
    in_world(&format!("addr add {ENGINEER_V4}/32 dev wan"))?;
    in_world(&format!("addr add {ENGINEER_V6}/128 dev wan nodad"))?;
    in_world("link set wan up")?;
    for number in 1..=run.hosts() {
        let host = run.host(number);
        ip(&format!("netns add {host}"))?;
        let in_host = |line: &str| ip(&format!("-n {host} {line}"));
        in_host("link set lo up")?;
        in_host(&format!(
            "link add {UPLINK} type veth peer name h{number} netns {world}"
        ))?;
        in_world(&format!("link set h{number} master wan up"))?;
        in_host(&format!("addr add {}/24 dev {UPLINK}", host_v4(number)))?;
        in_host(&format!(
            "addr add 2001:db8::{}/64 dev {UPLINK} nodad",
            1 + number
        ))?;
        in_host(&format!("link set {UPLINK} up"))?;
        in_host(&format!("route add default via {WORLD_V4}"))?;
        in_host("-6 route add default via 2001:db8::1")?;
    }
    Ok(())
}

/// Deletes the namespaces of a run, and with them all devices, addresses, routes and rules inside.
pub(super) fn delete(run: &Run) -> anyhow::Result<()> {
    let names = namespaces()?;
    for name in all_of(run).filter(|name| names.contains(name)) {
        ip(&format!("netns del {name}"))?;
    }
    Ok(())
}

/// Deletes namespaces whose keeper is gone.
pub(super) fn sweep(is_dead: impl Fn(u32) -> bool) -> anyhow::Result<()> {
    for name in namespaces()? {
        let keeper = name
            .strip_prefix(NAMESPACE_PREFIX)
            .and_then(|rest| rest.split_once('-'))
            .and_then(|(pid, _)| pid.parse().ok());
        if keeper.is_some_and(&is_dead) {
            ip(&format!("netns del {name}"))?;
        }
    }
    Ok(())
}

/// Processes that are still in a namespace of the run.
pub(super) fn processes_in(run: &Run) -> anyhow::Result<Vec<String>> {
    let names = namespaces()?;
    let mut processes = Vec::new();
    for name in all_of(run).filter(|name| names.contains(name)) {
        let listed = output(Command::new("ip").args(["netns", "pids", &name]))?;
        processes.extend(listed.split_whitespace().map(str::to_owned));
    }
    Ok(processes)
}

/// Devices that a run makes: were one of them seen in this machine's own namespace, it would have got out. Taps
/// have names that begin with [`NAMESPACE_PREFIX`].
const DEVICES: [&str; 3] = ["wan", UPLINK, BRIDGE];
/// Name of the guests' bridge of each host, as agents make it unless told otherwise.
const BRIDGE: &str = "innkeeper0";

/// What this machine's own network holds of the names that a run makes: links, addresses and routes of devices, and
/// tables of rules. What others make meanwhile is not ours to judge.
pub(super) fn traces() -> anyhow::Result<BTreeSet<String>> {
    let mut traces = BTreeSet::new();
    for what in [
        &["-o", "link"][..],
        &["-o", "addr"],
        &["route"],
        &["-6", "route"],
    ] {
        traces.extend(ours(&output(Command::new("ip").args(what))?));
    }
    traces.extend(ours(&output(Command::new("nft").args(["list", "tables"]))?));
    Ok(traces)
}

/// Lines that name something of ours. Lifetimes count down and states change by themselves: the first words tell.
fn ours(listed: &str) -> impl Iterator<Item = String> {
    let names_us = |line: &&str| line.split_whitespace().take(4).any(is_ours);
    listed.lines().filter(names_us).map(|line| {
        let first: Vec<_> = line.split_whitespace().take(4).collect();
        first.join(" ")
    })
}

fn is_ours(word: &str) -> bool {
    // `ip link` writes `uplink@if5:`.
    let name = word.split(['@', ':']).next().unwrap_or(word);
    let numbered = |prefix| {
        name.strip_prefix(prefix).is_some_and(|rest: &str| {
            !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_hexdigit())
        })
    };
    DEVICES.contains(&name)
        || name.starts_with("innkeeper")
        || numbered("h")
        || numbered(NAMESPACE_PREFIX)
}

fn all_of(run: &Run) -> impl Iterator<Item = String> {
    (1..=run.hosts())
        .map(|number| run.host(number))
        .chain([run.world()])
}

fn namespaces() -> anyhow::Result<Vec<String>> {
    let listed = output(Command::new("ip").args(["netns", "list"]))?;
    let first_word = |line: &str| line.split_whitespace().next().map(str::to_owned);
    Ok(listed.lines().filter_map(first_word).collect())
}

fn ip(line: &str) -> anyhow::Result<()> {
    output(Command::new("ip").args(line.split_whitespace())).map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A container engine beside us made `docker0` while a demo ran, and the demo said that it had left it.
    #[test]
    fn what_others_make_meanwhile_is_not_ours() {
        let listed = "\
1: lo: <LOOPBACK,UP,LOWER_UP> mtu 65536 qdisc noqueue state UNKNOWN
7: docker0: <NO-CARRIER,BROADCAST> mtu 1500 qdisc noqueue state DOWN
8: vnet3@if9: <BROADCAST> mtu 1500
9: uplink@if4: <BROADCAST> mtu 1500
10: h1@if2: <BROADCAST> mtu 1500
11: ik0123456789ab: <BROADCAST> mtu 1500
default via 10.0.0.1 dev eth0
198.51.100.130 dev innkeeper0 proto 201 scope link
table inet filter
table bridge innkeeper
table inet innkeeper_grants";
        let left: Vec<_> = ours(listed).collect();
        assert_eq!(
            left,
            [
                "9: uplink@if4: <BROADCAST> mtu",
                "10: h1@if2: <BROADCAST> mtu",
                "11: ik0123456789ab: <BROADCAST> mtu",
                "198.51.100.130 dev innkeeper0 proto",
                "table bridge innkeeper",
                "table inet innkeeper_grants",
            ]
        );
    }
}
