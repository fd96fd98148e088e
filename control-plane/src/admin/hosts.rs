//! The operator's commands about hosts: the service's side, and the text that the command line prints.

use std::{collections::BTreeMap, fmt::Write as _, io::IsTerminal as _, path::Path};

use anyhow::{Context as _, bail};
use innkeeper_wire::{
    api::{ListQuery, Page},
    endpoints::{
        Ask, Endpoint as _, Nothing,
        operators::{
            AcceptCapacity, CordonHost, GetStranded, ListHosts, ReleaseHost, RevokeHost,
            UncordonHost,
        },
    },
    error::ProblemCode,
    host::{HostCapacity, HostLoad, permille},
    id::HostId,
    operator::{
        StrandedAnswer,
        hosts::{Condition, Cordon, HostLine, HostListQuery, HostOrder, LeakedAddress, Loss},
        reason::{Reason, ReasonRequest},
    },
    size::Bytes,
};
use serde::Serialize;

use super::{Admin, AdminContext, Printed, ProvenAdmin, Viewer, accounts::Confirmed, all, ask};
use crate::{
    addresses::UnlistedAddress,
    api::{error::Refused, slice::slice},
    continuity::witnesses::Standing,
    hosts::{
        HostOverview,
        rules::{host::HostState, listing, room::room},
    },
    kernel::{Error, listing::page_behind},
    nouns::Nouns,
};

pub mod loss;

fn line(overview: HostOverview, standing: Standing, nouns: &Nouns) -> HostLine {
    let claims_more = overview.claims_more();
    let HostOverview {
        host,
        reserved,
        condition,
        heard,
        certificate_ends,
    } = overview;
    let implausible = heard.as_ref().and_then(|heard| heard.implausible);
    let last_heard = heard.as_ref().map(|heard| heard.at);
    let load = heard.as_ref().and_then(|heard| heard.load);
    let (agent_version, health, strangers) = heard
        .map(|heard| (heard.agent_version, heard.health, heard.strangers))
        .unwrap_or_default();
    let overcommit = nouns.settings.overcommit;
    HostLine {
        id: host.id,
        name: host.name,
        site: host.site.to_string(),
        condition,
        quarantine: match condition {
            Condition::Quarantined { why, .. } => Some(why.to_string()),
            _ => None,
        },
        cordon: host.cordon,
        lost: host.loss,
        servers: reserved.servers,
        agent_version,
        last_heard,
        certificate_ends,
        capacity: host.capacity,
        claims_more,
        implausible: implausible.map(|why| why.to_string()),
        promised: reserved.into(),
        free: host
            .capacity
            .map(|capacity| room(capacity, reserved, overcommit)),
        load,
        health,
        strangers,
        leaked_addresses: vec![],
        accusation: (standing != Standing::Agrees).then(|| standing.to_string()),
    }
}

/// All hosts as they are now.
pub(super) fn lines(nouns: &Nouns) -> Result<Vec<HostLine>, Error> {
    let mut leaked = BTreeMap::<HostId, Vec<LeakedAddress>>::new();
    for unlisted in nouns.addresses.unlisted_in_pools() {
        let UnlistedAddress {
            address,
            server,
            host,
        } = unlisted;
        let leaks = leaked.entry(host).or_default();
        leaks.push(LeakedAddress { address, server });
    }
    let hosts = nouns.hosts.list()?.into_iter();
    let line = |overview: HostOverview| {
        let host = overview.host.id;
        HostLine {
            leaked_addresses: leaked.remove(&host).unwrap_or_default(),
            ..line(overview, nouns.continuity.standing(host), nouns)
        }
    };
    Ok(hosts.map(line).collect())
}

pub(super) async fn list(
    context: AdminContext,
    _: Viewer,
    ask: Ask<ListHosts>,
) -> Result<Page<HostLine>, Refused> {
    let query = ask.query;
    let slice = slice::<HostId>(ListQuery {
        limit: query.limit,
        after: query.after.clone(),
    })?;
    let mut hosts = lines(&context.nouns)?;
    hosts.retain(|host| listing::is_wanted(host, &query));
    listing::sort(&mut hosts, query.sort.unwrap_or(HostOrder::Name));
    let after = slice.after.as_ref();
    Ok(page_behind(hosts, |host| host.id, after, slice.limit))
}

pub(super) async fn cordon(
    context: AdminContext,
    Admin(caller): Admin,
    ask: Ask<CordonHost>,
) -> Result<Nothing, Refused> {
    let host = host_named(&context.nouns, &ask.path)?;
    let hosts = &context.nouns.hosts;
    hosts.cordon(caller.actor, host, &ask.body.reason).await?;
    tracing::info!(host.id = %host, "a host is given no new servers from now on");
    Ok(Nothing)
}

pub(super) async fn uncordon(
    context: AdminContext,
    Admin(caller): Admin,
    ask: Ask<UncordonHost>,
) -> Result<Nothing, Refused> {
    let host = host_named(&context.nouns, &ask.path)?;
    let hosts = &context.nouns.hosts;
    hosts.uncordon(caller.actor, host, &ask.body.reason).await?;
    tracing::info!(host.id = %host, "a host is given new servers again");
    Ok(Nothing)
}

pub(super) async fn stranded(
    context: AdminContext,
    _: Viewer,
    ask: Ask<GetStranded>,
) -> Result<StrandedAnswer, Refused> {
    let host = match context.nouns.hosts.by_name(&ask.path)? {
        Some(host) => host,
        // One that was revoked can be lost.
        None => loss::host_meant(&context.nouns, &ask.path)?,
    };
    let stranded = context.nouns.servers.stranded_by(host)?;
    Ok(StrandedAnswer {
        servers: stranded.servers,
        accounts: stranded.accounts,
        named: stranded.named,
    })
}

pub(super) async fn revoke(
    context: AdminContext,
    ProvenAdmin(caller): ProvenAdmin,
    ask: Ask<RevokeHost>,
) -> Result<Nothing, Refused> {
    let host = host_named(&context.nouns, &ask.path)?;
    let hosts = &context.nouns.hosts;
    hosts.revoke(caller.actor, host, &ask.body.reason).await?;
    context.nouns.continuity.forget(host);
    tracing::info!(host.id = %host, "a host was revoked");
    Ok(Nothing)
}

pub(super) async fn release(
    context: AdminContext,
    Admin(caller): Admin,
    ask: Ask<ReleaseHost>,
) -> Result<Nothing, Refused> {
    let host = host_named(&context.nouns, &ask.path)?;
    let hosts = &context.nouns.hosts;
    hosts.release(caller.actor, host, &ask.body.reason).await?;
    tracing::info!(host.id = %host, "a host was released from quarantine");
    Ok(Nothing)
}

pub(super) async fn accept_capacity(
    context: AdminContext,
    Admin(caller): Admin,
    ask: Ask<AcceptCapacity>,
) -> Result<HostCapacity, Refused> {
    let host = host_named(&context.nouns, &ask.path)?;
    let accepted = context
        .nouns
        .hosts
        .accept_capacity(caller.actor, host, &ask.body.reason)
        .await?;
    tracing::info!(host.id = %host, ?accepted, "a host's capacity was accepted");
    Ok(accepted)
}

fn host_named(nouns: &Nouns, name: &str) -> Result<HostId, Refused> {
    if let Some(host) = nouns.hosts.by_name(name)? {
        return Ok(host);
    }
    let hosts = nouns.hosts.list()?;
    let was_revoked = hosts
        .iter()
        .any(|found| found.host.name == name && found.host.state == HostState::Revoked);
    let detail = if was_revoked {
        format!("the host that was named `{name}` is revoked already")
    } else {
        format!("no host is named `{name}`; `host list` shows all")
    };
    Err(Refused::because(ProblemCode::NotFound, detail))
}

/// `host list`.
pub async fn list_by_command(
    socket: &Path,
    query: HostListQuery,
    printed: Printed,
) -> anyhow::Result<String> {
    let hosts = all::<ListHosts, _>(socket, query).await?;
    printed.list(&hosts, table)
}

fn table(hosts: &[HostLine]) -> String {
    let mut text = format!(
        "{:<20} {:<12} {:<12} {:<36} {:>7}  {:<14} {:<32} {:<36} {}\n",
        "NAME", "SITE", "STATE", "HAS", "SERVERS", "FREE MEMORY", "USED", "WHEN", "ID"
    );
    for host in hosts {
        let free = host.free.map_or("-".to_owned(), |free| shown(free.memory));
        let HostLine {
            name,
            site,
            servers,
            id,
            ..
        } = host;
        let has = host.capacity.map_or("-".to_owned(), has);
        let (state, when) = (host.condition.name(), host.condition.when());
        let used = host.load.map_or("-".to_owned(), used);
        writeln!(
            text,
            "{name:<20} {site:<12} {state:<12} {has:<36} {servers:>7}  {free:<14} {used:<32} {when:<36} {id}"
        )
        .expect("text takes anything");
        text += &remarks(host);
    }
    text
}

/// How busy a host is: processors, the load on each, memory, disk.
fn used(load: HostLoad) -> String {
    let percent = |permille: u32| permille.saturating_add(5) / 10;
    let HostLoad {
        cpu_permille,
        load_permille,
        ..
    } = load;
    format!(
        "{}% cpu, load {}.{:02}, {}% mem, {}% disk",
        percent(cpu_permille),
        load_permille / 1_000,
        load_permille % 1_000 / 10,
        percent(permille(load.memory_used, load.memory)),
        percent(permille(load.disk_used, load.disk)),
    )
}

/// What is to be said of a host below its line.
fn remarks(host: &HostLine) -> String {
    let mut text = String::new();
    let name = &host.name;
    let mut say = |line: String| {
        writeln!(text, "  {line}").expect("text takes anything");
    };
    if let Some(Cordon { since, reason }) = &host.cordon {
        say(format!("takes no new servers since {since}: {reason}"));
    }
    if let Some(Loss { reason, fenced, .. }) = &host.lost {
        let its = match fenced {
            Some(fencing) => format!("fenced at {}: {}", fencing.at, fencing.reason),
            None => format!("its addresses are kept until `host fenced {name}`"),
        };
        say(format!("lost: {reason}; {its}"));
    }
    if let Some(why) = &host.quarantine {
        say(format!("quarantined: {why}"));
    }
    match (&host.implausible, host.claims_more) {
        (Some(why), _) => say(format!(
            "NOT BELIEVED, in anything: it says that it has too much: {why}"
        )),
        (None, Some(claims)) => say(format!(
            "it says that it has more: {}; that counts after `host accept-capacity {name}`",
            self::has(claims)
        )),
        (None, None) => {}
    }
    if let Some(accusation) = &host.accusation {
        say(format!("KNOWS MORE THAN THIS STORE: it {accusation}"));
    }
    for fault in &host.health.faults {
        say(format!("FAULT: {}: {}", words(fault.code), fault.detail));
    }
    if host.health.repairs > 0 {
        say(format!(
            "put back {} times what somebody else had changed, since its agent started",
            host.health.repairs
        ));
    }
    for stranger in &host.strangers {
        say(format!("unknown on this host: {stranger}"));
    }
    for LeakedAddress { address, server } in &host.leaked_addresses {
        say(format!(
            "unknown on this host: {server}, which uses {address}"
        ));
    }
    text
}

/// A code as words: `foreign_drop` is "foreign drop".
fn words(code: impl Serialize) -> String {
    let code = serde_json::to_value(code).ok();
    let code = code.as_ref().and_then(|code| code.as_str());
    code.unwrap_or("something else").replace('_', " ")
}

fn has(capacity: HostCapacity) -> String {
    let HostCapacity { cpus, memory, disk } = capacity;
    let disk_gib = disk.0 / Bytes::GIB;
    format!("{cpus} cpus, {}, {disk_gib} GiB disk", shown(memory))
}

/// `host accept-capacity`.
pub async fn accept_capacity_by_command(
    socket: &Path,
    name: &str,
    reason: Reason,
) -> anyhow::Result<String> {
    let because = ReasonRequest { reason };
    let accepted = ask(socket, AcceptCapacity::at_with(name.to_owned(), because)).await?;
    Ok(format!("{name} counts with {}\n", has(accepted)))
}

fn shown(bytes: Bytes) -> String {
    format!("{} MiB", bytes.0 / Bytes::MIB)
}

/// `host revoke`: says what it strands, and does it once that is confirmed.
pub async fn revoke_by_command(
    socket: &Path,
    name: &str,
    reason: Reason,
    confirmed: Confirmed,
) -> anyhow::Result<String> {
    let stranded = ask(socket, GetStranded::at(name.to_owned())).await?;
    let text = describe(name, &stranded);
    if confirmed == Confirmed::No && !agreed(&text, "revoke it", name)? {
        bail!("{text}Nothing was done. To do it, repeat the command with --confirm.");
    }
    let because = ReasonRequest { reason };
    ask(socket, RevokeHost::at_with(name.to_owned(), because)).await?;
    Ok(format!("{name} is revoked; its servers go on running\n"))
}

/// Asks whoever sits at the terminal; nobody agrees where there is none.
fn agreed(text: &str, deed: &str, name: &str) -> anyhow::Result<bool> {
    use std::io::{self, BufRead as _, Write as _};
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        return Ok(false);
    }
    write!(io::stderr(), "{text}Type the host's name to {deed}: ").context("ask")?;
    let mut answer = String::new();
    io::stdin()
        .lock()
        .read_line(&mut answer)
        .context("read the answer")?;
    Ok(answer.trim() == name)
}

fn describe(name: &str, stranded: &StrandedAnswer) -> String {
    let StrandedAnswer {
        servers, accounts, ..
    } = stranded;
    let mut text = format!(
        "Revoking {name} can't be undone: it must join anew, as another host. It strands {servers} servers of {accounts} accounts"
    );
    if *servers == 0 {
        return text + ".\n";
    }
    text += ": they go on running, and nobody can manage, move or delete them any more:\n";
    text + &names(stranded)
}

/// The first servers of a host, a line each.
fn names(stranded: &StrandedAnswer) -> String {
    let StrandedAnswer { servers, named, .. } = stranded;
    let mut text = String::new();
    for (id, server) in named {
        writeln!(text, "  {id} {server}").expect("text takes anything");
    }
    if *servers > named.len() {
        writeln!(text, "  and {} more", servers - named.len()).expect("text takes anything");
    }
    text
}

#[cfg(test)]
mod tests {
    use innkeeper_wire::{
        host::{HostFault, HostFaultCode, HostHealth},
        id::{ServerId, uuid_v7},
        operator::hosts::{Promised, Room},
        time::Timestamp,
    };

    use super::*;

    fn line(name: &str, condition: Condition) -> HostLine {
        HostLine {
            id: HostId::from_uuid(uuid_v7(Timestamp::from_millis(1), [1; 10])),
            name: name.to_owned(),
            site: "seoul-1".to_owned(),
            condition,
            quarantine: None,
            cordon: None,
            servers: 2,
            agent_version: "0.1.0".to_owned(),
            last_heard: None,
            certificate_ends: None,
            capacity: None,
            claims_more: None,
            implausible: None,
            promised: Promised::default(),
            free: None,
            health: HostHealth::default(),
            strangers: vec![],
            leaked_addresses: vec![],
            accusation: None,
            lost: None,
            load: None,
        }
    }

    #[test]
    fn a_list_tells_states_apart_and_shows_what_is_wrong() {
        let at = Timestamp::from_millis(60_000);
        let sick = HostLine {
            load: Some(HostLoad {
                cpu_permille: 125,
                load_permille: 1_509,
                memory_used: Bytes::gib(20),
                memory: Bytes::gib(64),
                disk_used: Bytes::gib(300),
                disk: Bytes::gib(2_000),
            }),
            health: HostHealth {
                repairs: 3,
                faults: vec![HostFault {
                    server: None,
                    code: HostFaultCode::ForeignDrop,
                    detail: "chain FORWARD of table filter drops".to_owned(),
                }],
            },
            ..line("h1", Condition::LibvirtAway { since: at })
        };
        let gone = HostLine {
            cordon: Some(Cordon {
                since: at,
                reason: "its disk fails".to_owned(),
            }),
            leaked_addresses: vec![LeakedAddress {
                address: "192.0.2.7".parse().expect("an address"),
                server: ServerId::from_uuid(uuid_v7(at, [1; 10])),
            }],
            ..line("h2", Condition::Revoked { since: Some(at) })
        };
        let text = table(&[sick, gone]);
        let lines: Vec<_> = text.lines().collect();
        assert!(
            lines[1].contains("libvirt-away") && lines[1].contains("since 1970-01-01T00:01:00Z"),
            "{text}"
        );
        assert!(
            lines[1].contains(" 13% cpu, load 1.50, 31% mem, 15% disk "),
            "{text}"
        );
        assert_eq!(
            lines[2],
            "  FAULT: foreign drop: chain FORWARD of table filter drops"
        );
        assert!(lines[3].contains("put back 3 times"), "{text}");
        assert!(lines[4].contains(" revoked "), "{text}");
        assert_eq!(
            lines[5],
            "  takes no new servers since 1970-01-01T00:01:00.000Z: its disk fails"
        );
        assert!(lines[6].ends_with(", which uses 192.0.2.7"), "{text}");
    }

    #[test]
    fn what_a_host_has_is_shown_and_what_is_not_believed_of_it() {
        let at = Timestamp::from_millis(60_000);
        let known = HostCapacity {
            cpus: 16,
            memory: Bytes::gib(64),
            disk: Bytes::gib(931),
        };
        let more = HostCapacity { cpus: 64, ..known };
        let grown = HostLine {
            capacity: Some(known),
            claims_more: Some(more),
            ..line("h1", Condition::Heard { at })
        };
        let liar = HostLine {
            implausible: Some("4294967295 processors are more than any machine has".to_owned()),
            ..grown.clone()
        };
        let text = table(&[grown, liar]);
        let lines: Vec<_> = text.lines().collect();
        assert!(
            lines[1].contains(" 16 cpus, 65536 MiB, 931 GiB disk "),
            "{text}"
        );
        assert_eq!(
            lines[2],
            "  it says that it has more: 64 cpus, 65536 MiB, 931 GiB disk; that counts after `host accept-capacity h1`"
        );
        assert!(
            lines[4].starts_with("  NOT BELIEVED, in anything: "),
            "{text}"
        );
    }

    #[test]
    fn a_program_reads_state_time_and_room() {
        let at = Timestamp::from_millis(60_000);
        let line = HostLine {
            free: Some(Room {
                cpus: 7,
                memory: Bytes::gib(3),
                disk: Bytes::gib(9),
            }),
            ..line("h1", Condition::Heard { at })
        };
        let json = serde_json::to_value(&line).expect("plain");
        assert_eq!(json["state"], "heard");
        assert_eq!(json["at"], "1970-01-01T00:01:00.000Z");
        assert_eq!(json["free"]["cpus"], 7);
        assert_eq!(json["agent_version"], "0.1.0");
        let again: HostLine = serde_json::from_value(json).expect("read again");
        assert_eq!(again.condition, line.condition);
    }

    #[test]
    fn twenty_servers_are_named_and_the_others_counted() {
        let server = |n: u8| {
            let id = ServerId::from_uuid(uuid_v7(Timestamp::from_millis(1), [n; 10]));
            (id, format!("web{n}"))
        };
        let stranded = StrandedAnswer {
            servers: 23,
            accounts: 4,
            named: (0..20).map(server).collect(),
        };
        let text = describe("h1", &stranded);
        assert!(text.contains("23 servers of 4 accounts"), "{text}");
        assert!(
            text.contains(" web19\n") && text.ends_with("  and 3 more\n"),
            "{text}"
        );
    }
}
