//! Which hosts are heard of: the newest report of each, in memory only. After a restart nobody has been
//! heard of yet, so for [`SILENCE_MAX`] what the store says of servers is believed, not called unknown.

use std::{collections::HashMap, sync::RwLock, time::Duration};

use innkeeper_wire::{
    host::{
        FAULTS_MAX, FEATURE_ACCESS, FEATURE_SUBNET, GRANTS_PER_HOST_MAX, HostCapacity, HostFault,
        HostHealth, HostLoad, HypervisorState, ObservedAccess, Report,
    },
    id::HostId,
    planted::{Bug, planted},
    time::Timestamp,
};

use crate::hosts::rules::{
    capacity::{self, Implausible, has_shrunk},
    condition::{Condition, Known, LastReport, condition},
    host::{Host, HostReach, SILENCE_MAX, plain},
};

/// Most strangers that are remembered of a host.
const STRANGERS_MAX: usize = 100;
/// Longest name of a stranger, in characters.
const STRANGER_CHARS_MAX: usize = 200;
/// Longest account of a fault, in characters.
const FAULT_CHARS_MAX: usize = 500;
/// Longest version of an agent, in characters.
const VERSION_CHARS_MAX: usize = 40;

/// What is remembered of a host's newest report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heard {
    /// When it came.
    pub at: Timestamp,
    /// When the agent process started.
    pub started_at: Timestamp,
    /// Its number within that process.
    pub sequence: u64,
    /// The same two of the process that was heard before this one.
    before: Option<(Timestamp, u64)>,
    /// The manifest that the host has.
    pub generation: u64,
    /// Version of the agent.
    pub agent_version: String,
    /// Whether it understands servers with subnets, which all new ones have.
    carries_subnets: bool,
    /// Since when its libvirt does not answer; `None` when it does.
    pub libvirt_away_since: Option<Timestamp>,
    /// What it says that it has.
    pub claims: HostCapacity,
    /// Why that is not believed, if it is not; then nothing else is, either.
    pub implausible: Option<Implausible>,
    /// When it said last that it has less than before.
    pub shrunk_at: Option<Timestamp>,
    /// What of the host is not as it should be, as far as it knows.
    pub health: HostHealth,
    /// When it last put back something of its network that others had changed, as far as it was heard of before.
    pub repaired_at: Option<Timestamp>,
    /// What it found and does not know.
    pub strangers: Vec<String>,
    /// How busy it says that it is.
    pub load: Option<HostLoad>,
    /// Whether it can let engineers in to servers.
    pub lets_engineers_in: bool,
    /// To which servers engineers are let in.
    pub access: Vec<ObservedAccess>,
}

impl Heard {
    fn of(report: &Report, now: Timestamp) -> Self {
        let strangers = report.strangers.iter().take(STRANGERS_MAX);
        Self {
            at: now,
            started_at: report.started_at,
            sequence: report.sequence,
            before: None,
            generation: report.generation,
            agent_version: plain(&report.agent_version, VERSION_CHARS_MAX),
            carries_subnets: report.features.iter().any(|name| name == FEATURE_SUBNET),
            libvirt_away_since: (report.hypervisor != HypervisorState::Reachable).then_some(now),
            claims: report.capacity,
            implausible: capacity::check(report.capacity).err(),
            shrunk_at: None,
            health: HostHealth {
                repairs: report.health.repairs,
                faults: report
                    .health
                    .faults
                    .iter()
                    .take(FAULTS_MAX)
                    .map(bounded)
                    .collect(),
            },
            repaired_at: None,
            strangers: strangers
                .map(|name| plain(name, STRANGER_CHARS_MAX))
                .collect(),
            load: report.load,
            lets_engineers_in: report.features.iter().any(|name| name == FEATURE_ACCESS),
            access: report
                .access
                .iter()
                .take(GRANTS_PER_HOST_MAX)
                .cloned()
                .collect(),
        }
    }

    /// With what is to be remembered of `earlier`, after which it came.
    fn after(self, earlier: Option<&Self>) -> Self {
        let before = match earlier {
            Some(earlier) if earlier.started_at == self.started_at => earlier.before,
            Some(earlier) => Some((earlier.started_at, earlier.sequence)),
            None => None,
        };
        let away = earlier.and_then(|earlier| earlier.libvirt_away_since);
        let libvirt_away_since = self.libvirt_away_since.map(|now| away.unwrap_or(now));
        // A process counts from 0.
        let repaired_at = earlier.and_then(|earlier| {
            let repairs = earlier.health.repairs;
            let is_same = earlier.started_at == self.started_at;
            match self.health.repairs > if is_same { repairs } else { 0 } {
                true => Some(self.at),
                false => earlier.repaired_at,
            }
        });
        let shrunk_at = match earlier {
            Some(earlier) if has_shrunk(earlier.claims, self.claims) => Some(self.at),
            Some(earlier) => earlier.shrunk_at,
            None => None,
        };
        Self {
            before,
            libvirt_away_since,
            repaired_at,
            shrunk_at,
            ..self
        }
    }

    pub(crate) fn is_recent(&self, now: Timestamp) -> bool {
        is_near(self.at, now)
    }

    /// It came lately, libvirt answered, and it can be believed.
    fn is_fresh(&self, now: Timestamp) -> bool {
        self.is_recent(now) && self.libvirt_away_since.is_none() && self.implausible.is_none()
    }

    /// Whether `report`, which comes after this one, was made before it. A process that started earlier is
    /// the one before; but when the later one has fallen silent, the host's clock was set back in between, or the
    /// report was held up for long. The later one is then known well enough to tell its own late reports.
    fn overtook(&self, report: &Report, now: Timestamp) -> bool {
        if let Some((started_at, sequence)) = self.before
            && report.started_at == started_at
            && report.sequence <= sequence
        {
            return true;
        }
        if report.started_at == self.started_at {
            report.sequence <= self.sequence
        } else {
            report.started_at < self.started_at && self.is_recent(now)
        }
    }
}

fn bounded(fault: &HostFault) -> HostFault {
    HostFault {
        code: fault.code,
        detail: plain(&fault.detail, FAULT_CHARS_MAX),
        server: fault.server,
    }
}

/// Whether `at` is less than [`SILENCE_MAX`] ago. What lies ahead by more was noted before the clock was set
/// back: how long ago, nobody knows.
fn is_near(at: Timestamp, now: Timestamp) -> bool {
    now.since(at).max(at.since(now)) < SILENCE_MAX
}

/// The hosts that were heard of.
#[derive(Debug)]
pub struct Presence {
    started_at: Timestamp,
    hosts: RwLock<HashMap<HostId, Heard>>,
    /// When the certificates end that hosts used last.
    certificates: RwLock<HashMap<HostId, Timestamp>>,
    /// When revoked hosts asked for something last.
    refused: RwLock<HashMap<HostId, Timestamp>>,
}

impl Presence {
    pub(crate) fn new(started_at: Timestamp) -> Self {
        Self {
            started_at,
            hosts: RwLock::default(),
            certificates: RwLock::default(),
            refused: RwLock::default(),
        }
    }

    /// Takes note of a report. False when a newer one of the same host is known: it came late, or twice.
    pub(crate) fn note(&self, host: HostId, report: &Report, now: Timestamp) -> bool {
        let mut hosts = self.hosts.write().expect("no holder of this lock panics");
        if hosts
            .get(&host)
            .is_some_and(|heard| heard.overtook(report, now) && !planted(Bug::BelieveLateReports))
        {
            return false;
        }
        let heard = Heard::of(report, now).after(hosts.get(&host));
        hosts.insert(host, heard);
        true
    }

    /// What was heard of a host last.
    #[must_use]
    pub fn heard(&self, host: HostId) -> Option<Heard> {
        self.hosts
            .read()
            .expect("no holder of this lock panics")
            .get(&host)
            .cloned()
    }

    /// Whether what a host said last still holds.
    #[must_use]
    pub fn reach(&self, host: HostId, now: Timestamp) -> HostReach {
        let hosts = self.hosts.read().expect("no holder of this lock panics");
        let fresh = match hosts.get(&host) {
            Some(heard) => heard.is_fresh(now),
            None => is_near(self.started_at, now),
        };
        if fresh {
            HostReach::Heard
        } else {
            HostReach::Silent
        }
    }

    /// For how long after the start hosts that were not heard of may still be alive; `None` when that is over.
    pub(crate) fn awaits_hosts_for(&self, now: Timestamp) -> Option<Duration> {
        let is_starting = is_near(self.started_at, now);
        is_starting.then(|| SILENCE_MAX.saturating_sub(now.since(self.started_at)))
    }

    /// Whether a host itself was heard of lately.
    #[must_use]
    pub fn is_heard(&self, host: HostId, now: Timestamp) -> bool {
        let hosts = self.hosts.read().expect("no holder of this lock panics");
        hosts.get(&host).is_some_and(|heard| heard.is_fresh(now))
    }

    /// Whether a host was heard of lately and can carry a new server: new servers go only where this is certain. An agent
    /// from before subnets would hold all that is new, for its other servers as well.
    #[must_use]
    pub fn can_carry_new(&self, host: HostId, now: Timestamp) -> bool {
        let hosts = self.hosts.read().expect("no holder of this lock panics");
        let can = |heard: &Heard| heard.is_fresh(now) && heard.carries_subnets;
        hosts.get(&host).is_some_and(can)
    }

    /// How a host is, as operators see it.
    #[must_use]
    pub fn condition(&self, host: &Host, now: Timestamp) -> Condition {
        let report = self.heard(host.id).map(|heard| LastReport {
            at: heard.at,
            is_recent: heard.is_recent(now),
            libvirt_away_since: heard.libvirt_away_since,
        });
        condition(&Known {
            state: host.state,
            changed_at: host.changed_at,
            lost_since: host.loss.as_ref().map(|loss| loss.since),
            asked_at: self.refused_at(host.id),
            joined_at: host.joined_at,
            has_reported: host.capacity.is_some(),
            report,
            started_at: self.started_at,
            is_starting: is_near(self.started_at, now),
        })
    }

    /// Takes note that a revoked host asks for something.
    pub(crate) fn note_refused(&self, host: HostId, now: Timestamp) {
        let mut refused = self.refused.write().expect("no holder of this lock panics");
        refused.insert(host, now);
    }

    /// When a revoked host asked for something last, since the start.
    pub(crate) fn refused_at(&self, host: HostId) -> Option<Timestamp> {
        let refused = self.refused.read().expect("no holder of this lock panics");
        refused.get(&host).copied()
    }

    /// When this control plane was started, from which on hosts are heard.
    pub(crate) fn started_at(&self) -> Timestamp {
        self.started_at
    }

    /// Takes note of the end of the certificate that a host uses now.
    pub(crate) fn note_certificate(&self, host: HostId, ends: Timestamp) {
        let mut certificates = self
            .certificates
            .write()
            .expect("no holder of this lock panics");
        certificates.insert(host, ends);
    }

    /// When the certificate ends that a host used last, since the start.
    pub(crate) fn certificate_ends(&self, host: HostId) -> Option<Timestamp> {
        let certificates = self
            .certificates
            .read()
            .expect("no holder of this lock panics");
        certificates.get(&host).copied()
    }

    /// Forgets a host that was revoked.
    pub(crate) fn forget(&self, host: HostId) {
        self.certificates
            .write()
            .expect("no holder of this lock panics")
            .remove(&host);
        self.hosts
            .write()
            .expect("no holder of this lock panics")
            .remove(&host);
    }
}

#[cfg(test)]
mod tests {
    use innkeeper_wire::{
        host::{HostCapacity, HostFaultCode},
        id::uuid_v7,
        size::Bytes,
    };

    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1_000)
    }

    fn host() -> HostId {
        HostId::from_uuid(uuid_v7(at(0), [1; 10]))
    }

    fn report(started_at: Timestamp, sequence: u64) -> Report {
        Report {
            epoch: 1,
            generation: 1,
            boot_id: "boot".to_owned(),
            sequence,
            started_at,
            agent_version: "0.1.0".to_owned(),
            features: vec![],
            capacity: HostCapacity {
                cpus: 1,
                memory: Bytes(0),
                disk: Bytes(0),
            },
            hypervisor: HypervisorState::Reachable,
            servers: vec![],
            strangers: vec![],
            witness: None,
            health: HostHealth::default(),
            load: None,
            held: vec![],
            addresses: Vec::new(),
            access: Vec::new(),
        }
    }

    #[test]
    fn late_reports_and_repeated_ones_do_not_count() {
        let presence = Presence::new(at(0));
        let note =
            |started, sequence, now| presence.note(host(), &report(at(started), sequence), at(now));
        assert!(note(100, 7, 200));
        assert!(!note(100, 7, 201), "twice");
        assert!(!note(100, 6, 201), "late");
        assert!(note(190, 1, 202), "the next process");
        assert!(!note(100, 8, 203), "the process before");
        assert!(!note(190, 1, 900), "twice, however long after");
    }

    #[test]
    fn a_report_that_was_held_up_for_long_lets_no_other_late_one_in() {
        let presence = Presence::new(at(0));
        let note =
            |started, sequence, now| presence.note(host(), &report(at(started), sequence), at(now));
        assert!(note(100, 7, 200));
        assert!(note(190, 8, 202), "the next process");
        assert!(note(100, 9, 900), "the clock may have been set back");
        assert!(!note(190, 4, 901), "late");
        assert!(!note(190, 8, 901), "twice");
        assert!(note(190, 9, 902), "it goes on");
        assert!(!note(100, 9, 1_800), "twice");
    }

    #[test]
    fn a_host_whose_clock_was_set_back_is_heard_again_once_its_earlier_agent_is_silent() {
        let presence = Presence::new(at(0));
        let nine_hours_ahead = report(at(9 * 3_600), 5);
        assert!(presence.note(host(), &nine_hours_ahead, at(100)));
        assert!(!presence.note(host(), &report(at(90), 1), at(114)));
        assert!(presence.note(host(), &report(at(90), 2), at(115)));
        assert!(presence.is_heard(host(), at(116)));
        assert!(
            !presence.can_carry_new(host(), at(116)),
            "its agent knows no subnets"
        );
        assert!(presence.note(host(), &report(at(90), 3), at(117)));
    }

    #[test]
    fn what_was_heard_in_a_future_that_was_taken_back_is_not_fresh() {
        let presence = Presence::new(at(90_000));
        let reach = |now| presence.reach(host(), at(now));
        assert_eq!(reach(89_990), HostReach::Heard, "clocks are corrected");
        assert_eq!(reach(100), HostReach::Silent);
        assert!(presence.note(host(), &report(at(80_000), 5), at(90_000)));
        assert_eq!(reach(89_990), HostReach::Heard);
        assert_eq!(reach(100), HostReach::Silent);
        assert!(
            presence.note(host(), &report(at(90), 1), at(100)),
            "it restarted"
        );
        assert_eq!(reach(101), HostReach::Heard);
    }

    #[test]
    fn libvirt_is_away_since_it_first_did_not_answer() {
        let presence = Presence::new(at(0));
        let note = |hypervisor, sequence, now| {
            let report = Report {
                hypervisor,
                ..report(at(1), sequence)
            };
            presence.note(host(), &report, at(now));
            presence.heard(host()).expect("noted").libvirt_away_since
        };
        let (there, away) = (
            HypervisorState::Reachable,
            HypervisorState::Unreachable {
                detail: String::new(),
            },
        );
        assert_eq!(note(there.clone(), 1, 10), None);
        assert_eq!(note(away.clone(), 2, 15), Some(at(15)));
        assert_eq!(note(away, 3, 20), Some(at(15)), "not since the last report");
        assert_eq!(note(there, 4, 25), None);
    }

    #[test]
    fn what_is_remembered_of_a_report_is_bounded_and_plain() {
        let presence = Presence::new(at(0));
        let hostile = Report {
            agent_version: "1\u{1b}[2J".repeat(1_000),
            health: HostHealth {
                repairs: 1,
                faults: vec![
                    HostFault {
                        server: None,
                        code: HostFaultCode::ForeignDrop,
                        detail: "chain \u{1b}[2J".repeat(1_000),
                    };
                    1_000
                ],
            },
            strangers: vec!["domain \u{1b}]0;root\u{7}\n".repeat(1_000); 1_000],
            ..report(at(1), 1)
        };
        presence.note(host(), &hostile, at(2));
        let heard = presence.heard(host()).expect("noted");
        assert_eq!(heard.strangers.len(), STRANGERS_MAX);
        assert_eq!(heard.health.faults.len(), FAULTS_MAX);
        let faults = heard.health.faults.iter().map(|fault| &fault.detail);
        for text in heard
            .strangers
            .iter()
            .chain([&heard.agent_version])
            .chain(faults)
        {
            assert!(text.chars().count() <= FAULT_CHARS_MAX, "{text}");
            assert!(!text.chars().any(char::is_control), "{text:?}");
        }
    }
}
