//! After a restore: what hosts have and the records don't, and the other way round. Until an operator has seen it
//! and opened the installation again, nothing new is made and no host is sent anywhere.

use std::{collections::BTreeSet, net::IpAddr};

use innkeeper_wire::{
    host::{HeldServer, ObservedState},
    id::{HostId, ServerId},
    planted::{Bug, planted},
    time::Timestamp,
};
use serde::{Deserialize, Serialize};

use crate::servers::rules::server::{Lifecycle, Server};

/// That an operator opened the installation again. A store of a later epoch than the first is closed until this
/// speaks of its epoch, so a restore can't forget to close it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recovery {
    /// The epoch that was opened.
    pub epoch: u64,
    /// When, for the first time.
    pub finished_at: Timestamp,
    /// Hosts that were left behind: they get no desired state before they, too, were compared.
    pub without: BTreeSet<HostId>,
}

/// From what a store of a later epoch than the first was made, written by the restore itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestoredFrom {
    /// Epoch of the copy.
    pub epoch: u64,
    /// The last commit of the copy.
    pub sequence: u64,
    /// When that was made: what was done afterwards is lost.
    pub until: Timestamp,
    /// When it was restored.
    pub restored_at: Timestamp,
}

/// Whether the installation is open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Phase {
    /// It is.
    Open,
    /// It is, but for these hosts.
    OpenWithout(BTreeSet<HostId>),
    /// It was restored, and nobody opened it again.
    Recovering,
}

/// Where an installation stands whose store has `epoch`, of which the first is `first`.
#[must_use]
pub fn phase(epoch: u64, first: u64, recovery: Option<&Recovery>) -> Phase {
    match recovery {
        _ if epoch == first || planted(Bug::OpenUnasked) => Phase::Open,
        Some(recovery) if recovery.epoch == epoch && recovery.without.is_empty() => Phase::Open,
        Some(recovery) if recovery.epoch == epoch => Phase::OpenWithout(recovery.without.clone()),
        Some(_) | None => Phase::Recovering,
    }
}

/// What a host has, as it said after it had heard of the new epoch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inventory {
    /// When it said so.
    pub at: Timestamp,
    /// Servers of the manifest that it follows.
    pub listed: Vec<Listed>,
    /// Servers that have something there, with the addresses that they use.
    pub held: Vec<HeldServer>,
}

/// A server of the manifest that a host follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listed {
    /// Which.
    pub server: ServerId,
    /// What it does.
    pub state: ObservedState,
    /// The power change that was carried out last.
    pub power_serial: u32,
    /// The reboots that were made.
    pub reboots: u32,
}

/// What differs between a host and the records.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Differences {
    /// It has these, and no record knows them: made after the copy was taken. They are kept, and so are their
    /// addresses.
    pub unknown: Vec<HeldServer>,
    /// The records have these, and the host had them and has them no more: deleted after the copy was taken.
    pub gone: Vec<ServerId>,
}

/// What a host has and the records of its servers don't.
#[must_use]
pub fn unknown(recorded: &[Server], inventory: &Inventory) -> Vec<HeldServer> {
    let known: BTreeSet<_> = recorded.iter().map(|server| server.id).collect();
    let held = inventory.held.iter();
    held.filter(|held| !known.contains(&held.server))
        .cloned()
        .collect()
}

/// Compares a host with the records of its servers. `reused` are the addresses that unknown servers use on any host:
/// who had one of them before was deleted, also where nobody has seen it yet.
#[must_use]
pub fn compare(
    recorded: &[Server],
    inventory: &Inventory,
    reused: &BTreeSet<IpAddr>,
) -> Differences {
    let left: BTreeSet<_> = inventory
        .listed
        .iter()
        .filter(|listed| !is_leaving(listed.state))
        .map(|listed| listed.server)
        .collect();
    let leaving: BTreeSet<_> = inventory
        .listed
        .iter()
        .filter(|listed| is_leaving(listed.state))
        .map(|listed| listed.server)
        .collect();
    let held: BTreeSet<_> = inventory.held.iter().map(|held| held.server).collect();
    let is_gone = |server: &&Server| {
        let was_there = server
            .observed
            .state
            .is_some_and(|state| !is_leaving(state));
        let is_there = left.contains(&server.id)
            || (held.contains(&server.id) && !leaving.contains(&server.id));
        let is_ended = was_there
            || leaving.contains(&server.id)
            || server.nic.addresses.iter().any(|own| reused.contains(own));
        server.lifecycle == Lifecycle::Live && !is_there && is_ended
    };
    let gone = recorded.iter().filter(is_gone).map(|server| server.id);
    Differences {
        gone: gone.collect(),
        unknown: unknown(recorded, inventory),
    }
}

fn is_leaving(state: ObservedState) -> bool {
    match state {
        ObservedState::Absent | ObservedState::Deleting => true,
        ObservedState::Creating { .. }
        | ObservedState::Running { .. }
        | ObservedState::Paused { .. }
        | ObservedState::Stopped => false,
    }
}

#[cfg(test)]
mod tests {
    use innkeeper_wire::id::uuid_v7;

    use super::*;

    #[test]
    fn an_installation_is_closed_by_a_restore_and_opened_by_its_operator() {
        let host = HostId::from_uuid(uuid_v7(Timestamp::from_millis(1), [1; 10]));
        let opened = |epoch, without: &[HostId]| Recovery {
            epoch,
            finished_at: Timestamp::from_millis(1),
            without: without.iter().copied().collect(),
        };
        for (epoch, recovery, expected) in [
            (1, None, Phase::Open),
            (900, None, Phase::Recovering),
            (900, Some(opened(800, &[])), Phase::Recovering),
            (900, Some(opened(900, &[])), Phase::Open),
            (
                900,
                Some(opened(900, &[host])),
                Phase::OpenWithout(BTreeSet::from([host])),
            ),
        ] {
            assert_eq!(phase(epoch, 1, recovery.as_ref()), expected, "{recovery:?}");
        }
    }

    #[test]
    fn what_a_host_has_and_had_is_compared_with_the_records() {
        let server = crate::servers::rules::server::any_server;
        let seen = |number: u8, state| {
            let mut server = server();
            server.id = ServerId::from_uuid(uuid_v7(Timestamp::from_millis(1), [number; 10]));
            server.nic.addresses = vec![std::net::IpAddr::from([192, 0, 2, number])];
            server.observed.state = state;
            server
        };
        let running = Some(ObservedState::Running { ready: true });
        // 1 runs, 2 is gone, 3 is being deleted, 4 was never made, 5 was never made and its address is used, and so is
        // that of 6, on another host.
        let recorded = [
            seen(1, running),
            seen(2, running),
            seen(3, Some(ObservedState::Stopped)),
            seen(4, None),
            seen(5, None),
            seen(6, None),
        ];
        let held = |number: u8, address: u8| HeldServer {
            server: seen(number, None).id,
            addresses: vec![std::net::IpAddr::from([192, 0, 2, address])],
        };
        let listed = |at: usize, state| Listed {
            server: recorded[at].id,
            state,
            power_serial: 1,
            reboots: 0,
        };
        let inventory = Inventory {
            at: Timestamp::from_millis(1),
            listed: vec![
                listed(0, ObservedState::Stopped),
                listed(2, ObservedState::Deleting),
            ],
            held: vec![held(1, 1), held(9, 5), held(8, 80)],
        };
        let reused = [5, 6].map(|number| std::net::IpAddr::from([192, 0, 2, number]));
        let differences = compare(&recorded, &inventory, &reused.into());
        assert_eq!(differences.unknown, [held(9, 5), held(8, 80)]);
        assert_eq!(differences.gone, [1, 2, 4, 5].map(|at| recorded[at].id));
        let empty = Inventory {
            listed: vec![],
            held: vec![],
            ..inventory
        };
        assert_eq!(
            compare(&[], &empty, &BTreeSet::new()),
            Differences::default()
        );
    }
}
