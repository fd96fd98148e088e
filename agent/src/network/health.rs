//! Keeps the account of a host's network: what was found changed by somebody else and put back, and what can't be.
//! Fed by [`super::Network`] with each look and each change; it does nothing itself.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use innkeeper_wire::host::{HostFault, HostFaultCode};

use super::{
    drift::{Device, PortFault},
    foreign::{Certainty, ForeignDrop},
    guard::{AddressUse, Surroundings},
};

/// What is known from one look to the next.
#[derive(Debug, Default)]
pub(super) struct Account {
    /// Once everything was found in place: what is not after that, somebody else has changed.
    settled: bool,
    /// What the last look found changed.
    found: Vec<String>,
    /// How often something was put back.
    repairs: u64,
    /// How many connections were refused since this process began to look.
    refused: u64,
    /// What the kernel's counter of them showed last.
    refused_seen: Option<u64>,
    /// Why the last change of the network failed.
    failure: Option<HostFault>,
    /// Other programs' rules that drop packets of guests, if they have an address of that family.
    drops: Vec<ForeignDrop>,
    /// Those that drop packets of the guests that are here.
    foreign: Vec<HostFault>,
    uplink: Option<HostFault>,
    /// What was said in the log already.
    said: BTreeSet<String>,
    /// Taps that were seen as they shall be, by the kernel's number of them.
    good_taps: BTreeMap<String, u32>,
    /// Taps that were no proper ports at the last look: libvirt may just be making them.
    suspects: BTreeSet<String>,
    /// Servers that ran without a tap, and at how many looks in a row.
    cut_off: BTreeMap<String, u32>,
    /// All devices at the last look.
    devices: BTreeSet<String>,
    /// How many looks there were since [`Account::cut_off`] judged.
    new_looks: u32,
    /// It was said that next hops are not known.
    too_many_routes: bool,
    /// The next hops of routes, as they were looked up last.
    pub(super) next_hops: BTreeMap<IpAddr, AddressUse>,
    /// Where the control plane is, as it was looked up last.
    pub(super) control_plane: BTreeSet<IpAddr>,
    /// What the last look found of the host's own network.
    pub(super) surroundings: Surroundings,
}

impl Account {
    /// Of the taps that are no proper ports those that it is time to mend: one that was good before, or that is not
    /// good for the second time.
    pub(super) fn ripe(
        &mut self,
        faults: &BTreeMap<String, PortFault>,
        devices: &BTreeMap<String, Device>,
    ) -> BTreeMap<String, PortFault> {
        let before = std::mem::take(&mut self.suspects);
        let index = |tap: &String| devices.get(tap).map(|device| device.index);
        let ripe = faults.iter().filter(|(tap, _)| {
            before.contains(*tap) || self.good_taps.get(*tap).copied() == index(tap)
        });
        let ripe = ripe.map(|(tap, fault)| (tap.clone(), *fault)).collect();
        self.suspects = faults.keys().cloned().collect();
        self.good_taps.retain(|tap, _| devices.contains_key(tap));
        ripe
    }

    /// These taps are as they shall be.
    pub(super) fn note_good(&mut self, taps: impl Iterator<Item = (String, u32)>) {
        self.good_taps.extend(taps);
    }

    /// Takes in what a look found changed: nothing, or a line for each.
    pub(super) fn looked(&mut self, found: Vec<String>) {
        if found.is_empty() {
            self.settled = true;
            self.failure = None;
        }
        self.found = if self.settled { found } else { Vec::new() };
    }

    /// Takes in the end of a change of the network. What had been changed by somebody else is put back by it, which
    /// is counted and logged.
    pub(super) fn applied(&mut self, failure: Option<HostFault>) {
        if failure.is_none() {
            for what in std::mem::take(&mut self.found) {
                self.repairs += 1;
                tracing::warn!(
                    what,
                    "somebody else changed the guests' network: it was put back"
                );
            }
        }
        self.failure = failure;
    }

    /// Something that somebody else had changed was put back between two looks.
    pub(super) fn restored(&mut self, what: &str) {
        self.repairs += 1;
        // A look may have found the same meanwhile.
        self.found.retain(|line| !line.contains(RULES));
        tracing::warn!(
            what,
            "somebody else changed the guests' network: it was put back at once"
        );
    }

    /// Takes in what the kernel's counter of refused connections shows. What it showed first belongs to an agent before
    /// this one; a lower figure means that the table was made anew, and the counter with it.
    pub(super) fn note_refused(&mut self, shown: u64) {
        let Some(before) = self.refused_seen.replace(shown) else {
            return;
        };
        self.refused += shown.checked_sub(before).unwrap_or(shown);
    }

    /// How many connections were refused since the first look.
    pub(super) fn refused(&self) -> u64 {
        self.refused
    }

    pub(super) fn note_foreign(&mut self, drops: Vec<ForeignDrop>) {
        self.drops = drops;
    }

    /// Finds the faults among other programs' rules, for guests with these addresses.
    pub(super) fn judge_foreign(&mut self, guests: &BTreeSet<IpAddr>, bridge: &str) {
        let drops = self.drops.iter().filter(|drop| drop.concerns(guests));
        // What may be, and may as well not be, takes nothing from a customer: it makes no outage.
        let faults = drops.map(|drop| {
            let code = match drop.certainty {
                Certainty::Certain => HostFaultCode::ForeignDrop,
                Certainty::Likely => HostFaultCode::Unconfigured,
            };
            fault(code, drop.describe(bridge))
        });
        self.foreign = faults.collect();
    }

    /// There are more routes than the agent has room for.
    pub(super) fn note_too_many_routes(&mut self) {
        self.next_hops.clear();
        if !std::mem::replace(&mut self.too_many_routes, true) {
            tracing::info!(
                "this host has so many routes that their next hops are not looked up: take care that no pool contains one"
            );
        }
    }

    pub(super) fn note_uplink(&mut self, fault: Option<HostFault>) {
        self.uplink = fault;
    }

    pub(super) fn note_devices(&mut self, devices: BTreeSet<String>) {
        self.devices = devices;
        self.new_looks = self.new_looks.saturating_add(1);
    }

    /// Faults of servers that run and whose tap is gone, at two looks in a row: one that is just ending is no fault.
    /// While the network is being changed nobody looks, and a server that was started meanwhile is not judged.
    pub(super) fn cut_off(
        &mut self,
        running: impl Iterator<Item = (String, String)>,
    ) -> Vec<HostFault> {
        let before = std::mem::take(&mut self.cut_off);
        let new_looks = std::mem::take(&mut self.new_looks).min(1);
        let mut faults = Vec::new();
        // Before the first look nothing is known.
        let known = !self.devices.is_empty();
        for (server, tap) in running.filter(|(_, tap)| known && !self.devices.contains(tap)) {
            let looks = before.get(&server).unwrap_or(&0).saturating_add(new_looks);
            if looks >= 2 {
                let detail = format!(
                    "the network device {tap} of {server} is gone while it runs: powering it off and on makes another one"
                );
                faults.push(HostFault {
                    server: server.parse().ok(),
                    ..fault(HostFaultCode::Network, detail)
                });
            }
            self.cut_off.insert(server, looks);
        }
        faults
    }

    /// How often something was put back.
    pub(super) fn repairs(&self) -> u64 {
        self.repairs
    }

    /// What is wrong and can't be put back.
    pub(super) fn faults(&self) -> Vec<HostFault> {
        let single = self.uplink.iter().chain(&self.failure);
        let mut faults: Vec<HostFault> = Vec::new();
        for fault in single.chain(&self.foreign) {
            // A missing uplink is the failure of the change as well.
            if !faults.contains(fault) {
                faults.push(fault.clone());
            }
        }
        faults
    }

    /// Logs each fault once, for as long as it lasts.
    pub(super) fn log(&mut self, faults: &[HostFault]) {
        let now: BTreeSet<_> = faults.iter().map(|fault| fault.detail.clone()).collect();
        for detail in now.difference(&self.said) {
            tracing::warn!(
                detail,
                "a fault of this host's network that can't be mended from here"
            );
        }
        for detail in self.said.difference(&now) {
            tracing::info!(detail, "this fault of the host's network is gone");
        }
        self.said = now;
    }
}

/// What lines about our rules have in them.
pub(super) const RULES: &str = "in nftables";

/// Longest detail of a fault that a report may have, in characters.
const DETAIL_MAX: usize = 500;

/// A fault for a report.
pub(super) fn fault(code: HostFaultCode, detail: String) -> HostFault {
    HostFault {
        code,
        detail: detail.chars().take(DETAIL_MAX).collect(),
        server: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        fixtures::Log,
        network::foreign::{self, iptables},
    };

    fn lines(texts: &[&str]) -> Vec<String> {
        texts.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn only_what_was_in_place_before_is_a_repair() {
        let mut account = Account::default();
        account.looked(lines(&["no route to 192.0.2.1"]));
        account.applied(None);
        assert_eq!(account.repairs(), 0, "an agent that starts");
        account.looked(Vec::new());
        account.applied(None);
        assert_eq!(account.repairs(), 0, "a new guest");
        account.looked(lines(&["the rules", "no route to 192.0.2.1"]));
        let failure = fault(HostFaultCode::Network, "it fails".to_owned());
        account.applied(Some(failure.clone()));
        assert_eq!((account.repairs(), account.faults()), (0, vec![failure]));
        account.looked(lines(&["the rules"]));
        account.applied(None);
        assert_eq!((account.repairs(), account.faults()), (1, vec![]));
    }

    /// After a restart of the agent all that the kernel had counted by then was counted again, and after the table was
    /// made anew nothing was until the counter had caught up.
    #[test]
    fn refused_connections_count_once_whatever_the_kernels_counter_does() {
        let mut account = Account::default();
        assert_eq!(account.refused(), 0, "nothing is known");
        for (shown, refused) in [
            // Of an agent before this one.
            (700, 0),
            (700, 0),
            (750, 50),
            // The table was made anew ...
            (30, 80),
            (40, 90),
            (0, 90),
            // ... and has counted more since than it had before.
            (60, 150),
        ] {
            account.note_refused(shown);
            assert_eq!(account.refused(), refused, "{shown}");
        }
    }

    /// Row B11: it was found by a look, and put back before anybody acted on that.
    #[test]
    fn rules_that_were_put_back_at_once_count_once() {
        let log = Log::listen();
        let mut account = Account::default();
        account.looked(Vec::new());
        let route = "no route to 192.0.2.1";
        account.looked(lines(&["our tables in nftables were not whole", route]));
        account.restored("our rules in nftables");
        assert_eq!(account.repairs(), 1);
        account.applied(None);
        assert_eq!(account.repairs(), 2, "the route");
        let said = log.text();
        for what in ["our rules in nftables", route] {
            let is_warning = |line: &&str| line.contains(" WARN ") && line.contains(what);
            assert_eq!(said.lines().filter(is_warning).count(), 1, "{what}: {said}");
        }
    }

    /// Customers were told of a firewall that drops their packets, with credit, wherever `ip_tables` was merely loaded.
    #[test]
    fn rules_that_cannot_be_read_are_told_and_make_no_outage() {
        let mut ruleset = serde_json::json!({ "nftables": [] });
        iptables::note_unread(&mut ruleset, "ip", "iptables-legacy-save");
        let mut account = Account::default();
        account.note_foreign(foreign::drops(&ruleset, "innkeeper0", None));
        account.judge_foreign(&BTreeSet::new(), "innkeeper0");
        let told = account.faults();
        let codes: Vec<_> = told.iter().map(|fault| fault.code).collect();
        assert_eq!(codes, [HostFaultCode::Unconfigured]);
        assert!(told[0].detail.contains("they may drop"), "{told:?}");
    }

    #[test]
    fn a_tap_that_is_being_made_is_left_alone() {
        let mut account = Account::default();
        let device = |index| Device {
            index,
            ..Device::default()
        };
        let devices = |index| BTreeMap::from([("ik1".to_owned(), device(index))]);
        let faults = BTreeMap::from([("ik1".to_owned(), PortFault::OffBridge)]);
        assert!(account.ripe(&faults, &devices(1)).is_empty(), "first seen");
        assert_eq!(
            account.ripe(&faults, &devices(1)),
            faults,
            "for the second time"
        );
        account.ripe(&BTreeMap::new(), &devices(1));
        account.note_good([("ik1".to_owned(), 1)].into_iter());
        assert_eq!(account.ripe(&faults, &devices(1)), faults, "good before");
        account.ripe(&BTreeMap::new(), &devices(1));
        assert!(
            account.ripe(&faults, &devices(2)).is_empty(),
            "another device"
        );
    }

    #[test]
    fn a_running_server_without_its_tap_is_a_fault() {
        let mut account = Account::default();
        let seen = |account: &mut Account| {
            let running = [("srv_1".to_owned(), "ik1".to_owned())];
            account.cut_off(running.into_iter()).len()
        };
        assert_eq!(seen(&mut account), 0, "nothing is known yet");
        let without = |account: &mut Account| account.note_devices(["lo".to_owned()].into());
        without(&mut account);
        assert_eq!(seen(&mut account), 0, "it may be ending");
        assert_eq!(seen(&mut account), 0, "it may just have been started");
        without(&mut account);
        assert_eq!(seen(&mut account), 1);
        assert_eq!(seen(&mut account), 1, "that nobody looks mends nothing");
        account.note_devices(["ik1".to_owned()].into());
        assert_eq!(seen(&mut account), 0);
    }
}
