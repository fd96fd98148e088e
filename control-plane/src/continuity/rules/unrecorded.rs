//! Hosts that prove by certificate that they joined here, and that no record knows: they joined after the copy was
//! taken from which the store was restored. They look the same as one that joined and was revoked again, so nobody
//! but an operator can tell what to do with them. Until he has, they are heard and told nothing, and what they use is
//! given to nobody.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    time::Duration,
};

use innkeeper_wire::{
    host::{ObservedState, Report},
    id::{Code, HostId, ServerId},
    time::Timestamp,
};
use serde::{Deserialize, Serialize};

use crate::{addresses::rules::pools::Pool, hosts::rules::host::is_host_name};

/// Most of them that are remembered, those that were dismissed among them. One that is readmitted gives its place to
/// another one.
pub const UNRECORDED_MAX: usize = 1_000;
/// Most addresses of one host that are remembered as given to others: a record has less than 64 KiB, and each takes up
/// to 82 bytes of it.
pub const CONTESTED_MAX: usize = 600;
/// After a restored installation was opened, no address is given away for this long: a host that no record knows
/// comes back within it (an agent without a link tries again after 30 s at the latest), and says what it uses.
pub const LATECOMERS: Duration = Duration::from_secs(60);

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Unrecorded {
    /// When it came first.
    pub seen_at: Timestamp,
    /// By what it proves who it is.
    pub certificate: Presented,
    /// Whether its addresses are known.
    pub uses: Uses,
    /// Addresses that it uses and that the records give to another server, which may be one that is no more: they are
    /// held for it once that has ended. At most [`CONTESTED_MAX`].
    pub contested: BTreeMap<IpAddr, ServerId>,
    /// What was decided.
    pub verdict: Verdict,
}

/// A host's certificate, for an operator who compares it with what he knows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Presented {
    /// Its number.
    pub serial: String,
    /// When it was signed: the host was in good standing then.
    pub signed_at: Timestamp,
    /// Until when it is valid.
    pub expires_at: Timestamp,
}

/// What is known of the addresses that a host uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Uses {
    /// It has not said all of them.
    Unknown,
    /// It has, and all of them are held.
    Held,
}

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Nothing yet.
    Undecided,
    /// Its certificate is refused for good.
    Dismissed {
        /// Since when.
        at: Timestamp,
    },
}

impl Unrecorded {
    /// Whether somebody has to decide.
    #[must_use]
    pub fn is_undecided(&self) -> bool {
        self.verdict == Verdict::Undecided
    }
}

/// Whether a report, made by a host that has heard of the present epoch, says of everything that is on the host which
/// addresses it uses.
#[must_use]
pub fn says_all(report: &Report) -> bool {
    let held: BTreeSet<_> = report.held.iter().map(|held| held.server).collect();
    let is_named = |seen: &innkeeper_wire::host::ObservedServer| {
        seen.state == ObservedState::Absent || held.contains(&seen.server)
    };
    report.servers.iter().all(is_named) && report.held.iter().all(|held| !held.addresses.is_empty())
}

/// Where addresses may be given away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Giving {
    /// Some host uses nobody knows which, nor where it stands.
    everywhere: bool,
    /// Sites of hosts that were left behind.
    sites: BTreeSet<Code>,
    /// When the installation was opened, if it was restored.
    opened_at: Option<Timestamp>,
}

impl Giving {
    /// What follows from the hosts that were left behind when the installation was opened at `opened_at` and may still use
    /// addresses, by site, and from the hosts that no record knows. One that was revoked, or lost and fenced, is not waited
    /// for: the operator has said so by name.
    #[must_use]
    pub fn new<'a>(
        opened_at: Option<Timestamp>,
        left_behind: impl Iterator<Item = &'a Code>,
        mut unrecorded: impl Iterator<Item = &'a Unrecorded>,
    ) -> Self {
        Self {
            everywhere: unrecorded.any(|host| host.is_undecided() && host.uses == Uses::Unknown),
            sites: left_behind.cloned().collect(),
            opened_at,
        }
    }

    /// Whether the addresses of `site` may be given away at `now`.
    #[must_use]
    pub fn is_allowed(&self, site: &Code, now: Timestamp) -> bool {
        // A clock that was set back since says nothing of how long ago that was; then it is long ago.
        let is_early =
            |opened_at: Timestamp| now.since(opened_at).max(opened_at.since(now)) < LATECOMERS;
        !self.everywhere && !self.sites.contains(site) && !self.opened_at.is_some_and(is_early)
    }

    /// Whether it will be allowed everywhere from now on.
    #[must_use]
    pub fn is_unlimited(&self, now: Timestamp) -> bool {
        let is_over = |opened_at| now.since(opened_at) >= LATECOMERS;
        !self.everywhere && self.sites.is_empty() && self.opened_at.is_none_or(is_over)
    }
}

/// What a host becomes that is readmitted: the operator's words, since no host can say under which name it was
/// invited.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Readmission<'a> {
    /// Its name from now on.
    pub name: &'a str,
    /// Where it stands.
    pub site: &'a Code,
}

/// Why a host is not readmitted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadmissionRefusal {
    /// Nobody of that id was seen.
    #[error("no host of that id was seen that is in no record")]
    NotSeen,
    /// It was dismissed.
    #[error("it was dismissed, and stays so: it may join anew, with an invitation")]
    Dismissed,
    /// The store was never restored, so it can't have lost the host.
    #[error(
        "this store was never restored, so it has lost no host: if it is an old copy, `restore` it; else the host must join anew"
    )]
    NotRestored,
    /// That can't be the name of a host.
    #[error("`{0}` is no name for a host: letters, digits, - and .")]
    Name(String),
    /// Another host has the name.
    #[error(
        "there is a host called {name} already, {host}; revoke it if this one has taken its place"
    )]
    NameTaken {
        /// The name.
        name: String,
        /// Who has it.
        host: HostId,
    },
    /// What it uses belongs to another site.
    #[error("it uses addresses of the site `{0}`, so it does not stand where you say")]
    OtherSite(Code),
}

/// Whether a host, which uses `addresses`, may come back as the operator says.
///
/// # Errors
/// Why not.
pub fn check_readmission(
    found: &Unrecorded,
    wanted: &Readmission<'_>,
    name_taken_by: Option<HostId>,
    addresses: &[IpAddr],
    pools: &[Pool],
) -> Result<(), ReadmissionRefusal> {
    if !found.is_undecided() {
        return Err(ReadmissionRefusal::Dismissed);
    }
    if !is_host_name(wanted.name) {
        return Err(ReadmissionRefusal::Name(wanted.name.to_owned()));
    }
    if let Some(host) = name_taken_by {
        let name = wanted.name.to_owned();
        return Err(ReadmissionRefusal::NameTaken { name, host });
    }
    let used = |pool: &&Pool| {
        let mut addresses = addresses.iter();
        addresses.any(|address| pool.position(*address).is_some())
    };
    let mut elsewhere = pools.iter().filter(used);
    match elsewhere.find(|pool| pool.site != *wanted.site) {
        Some(pool) => Err(ReadmissionRefusal::OtherSite(pool.site.clone())),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use innkeeper_wire::{
        host::{HeldServer, HostCapacity, HostHealth, HypervisorState, ObservedServer},
        id::uuid_v7,
        size::Bytes,
    };

    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1_000)
    }

    fn code(text: &str) -> Code {
        text.parse().expect("a code")
    }

    fn unrecorded(uses: Uses, verdict: Verdict) -> Unrecorded {
        Unrecorded {
            seen_at: at(1),
            certificate: Presented {
                serial: "07".to_owned(),
                signed_at: at(0),
                expires_at: at(86_400),
            },
            uses,
            contested: BTreeMap::new(),
            verdict,
        }
    }

    const DISMISSED: Verdict = Verdict::Dismissed {
        at: Timestamp::from_millis(5),
    };

    #[test]
    fn a_report_says_all_or_not() {
        let server = |number: u8| ServerId::from_uuid(uuid_v7(at(1), [number; 10]));
        let seen = |number, state| ObservedServer {
            was_ready: None,
            was_started: None,
            network_cut: false,
            server: server(number),
            state,
            power_serial: 1,
            reboots: 0,
            problem: None,
        };
        let held = |number: u8, addresses: &[u8]| HeldServer {
            server: server(number),
            addresses: addresses
                .iter()
                .map(|last| IpAddr::from([192, 0, 2, *last]))
                .collect(),
        };
        let stopped = ObservedState::Stopped;
        for (servers, held, expected) in [
            (vec![], vec![], true),
            (vec![seen(1, stopped)], vec![held(1, &[7])], true),
            (vec![seen(1, stopped)], vec![], false),
            (vec![seen(1, ObservedState::Absent)], vec![], true),
            (vec![], vec![held(1, &[])], false),
            (vec![], vec![held(1, &[7]), held(2, &[8, 9])], true),
        ] {
            let report = Report {
                epoch: 1,
                generation: 1,
                boot_id: String::new(),
                sequence: 1,
                started_at: at(1),
                agent_version: String::new(),
                features: vec![],
                capacity: HostCapacity {
                    cpus: 1,
                    memory: Bytes(0),
                    disk: Bytes(0),
                },
                hypervisor: HypervisorState::Reachable,
                servers,
                strangers: vec![],
                witness: None,
                health: HostHealth::default(),
                access: vec![],
                load: None,
                held,
                addresses: Vec::new(),
            };
            assert_eq!(says_all(&report), expected, "{report:?}");
        }
    }

    #[test]
    fn addresses_that_somebody_may_use_are_not_given_away() {
        let (here, there) = (code("here"), code("there"));
        let known = unrecorded(Uses::Held, Verdict::Undecided);
        let unknown = unrecorded(Uses::Unknown, Verdict::Undecided);
        let dismissed = unrecorded(Uses::Unknown, DISMISSED);
        // Opened when, who was left behind at `here`, who is in no record, when; whether addresses of both sites go.
        let table = [
            (None, None, None, 0, (true, true)),
            (Some(100), None, None, 100, (false, false)),
            (Some(100), None, None, 159, (false, false)),
            (Some(100), None, None, 160, (true, true)),
            (Some(100), None, None, 41, (false, false)),
            (Some(1_000), None, None, 41, (true, true)),
            (Some(0), Some(&here), None, 900, (false, true)),
            (None, None, Some(&known), 900, (true, true)),
            (None, None, Some(&unknown), 900, (false, false)),
            (None, None, Some(&dismissed), 900, (true, true)),
        ];
        for (opened, left, host, now, expected) in table {
            let giving = Giving::new(opened.map(at), left.into_iter(), host.into_iter());
            let given = [&here, &there].map(|site| giving.is_allowed(site, at(now)));
            assert_eq!((given[0], given[1]), expected, "{giving:?} {now}");
            if giving.is_unlimited(at(now)) {
                assert_eq!(expected, (true, true), "{giving:?} {now}");
            }
        }
        let over = Giving::new(Some(at(0)), std::iter::empty(), std::iter::empty());
        assert!(over.is_unlimited(at(60)) && !over.is_unlimited(at(59)));
    }

    #[test]
    fn a_host_comes_back_under_a_free_name_where_its_addresses_are() {
        let pools = [("here", "192.0.2.0/25"), ("there", "192.0.2.128/25")]
            .map(|(site, network)| Pool::parse(code(site), network).expect("a network"));
        let host = HostId::from_uuid(uuid_v7(at(1), [1; 10]));
        let undecided = unrecorded(Uses::Held, Verdict::Undecided);
        let dismissed = unrecorded(Uses::Held, DISMISSED);
        let (here, there) = (code("here"), code("there"));
        let ours = [IpAddr::from([192, 0, 2, 7]), IpAddr::from([10, 0, 0, 1])];
        let check = |found, name, site, taken, addresses: &[IpAddr]| {
            check_readmission(found, &Readmission { name, site }, taken, addresses, &pools)
        };
        let found = &undecided;
        assert_eq!(check(found, "h7", &here, None, &ours), Ok(()));
        assert_eq!(check(found, "h7", &there, None, &[]), Ok(()));
        for (refused, expected) in [
            (
                check(&dismissed, "h7", &here, None, &ours),
                ReadmissionRefusal::Dismissed,
            ),
            (
                check(found, "h 7", &here, None, &ours),
                ReadmissionRefusal::Name("h 7".to_owned()),
            ),
            (
                check(found, "h7", &here, Some(host), &ours),
                ReadmissionRefusal::NameTaken {
                    name: "h7".to_owned(),
                    host,
                },
            ),
            (
                check(found, "h7", &there, None, &ours),
                ReadmissionRefusal::OtherSite(here.clone()),
            ),
        ] {
            assert_eq!(refused, Err(expected));
        }
    }
}
