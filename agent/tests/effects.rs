//! One effect (security.md T22, F9, F14): manifests that come late, twice or in another order have the effects
//! that the new ones among them have alone; and an agent whose folder was restored from an old copy, or
//! lost, does nothing again that was done once.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    time::Duration,
};

use innkeeper_agent::{
    action::Action,
    desired::{Accepted, Verdict},
    hypervisor::simulated::{Outcome, Simulated},
    memory::Memory,
    plan::{Rules, View, plan},
};
use innkeeper_wire::{
    digest::Digest,
    host::{HostCapacity, Intent, Manifest, ManifestEntry},
    id::{ServerId, uuid_v7},
    size::Bytes,
    time::{Clock, Timestamp},
    vm::{BaseImage, ImageFormat, MacAddress, Nic, Power, PowerTarget, ServerSpec},
};
use proptest::prelude::*;

const NOW: Timestamp = Timestamp::from_millis(1_790_000_000_000);
const RULES: Rules = Rules {
    tombstone_keep: Duration::from_secs(7 * 24 * 3600),
    purges_per_hour: 2,
};
/// Enough for any change to settle.
const ROUNDS: usize = 8;

fn server(number: u8) -> ServerId {
    ServerId::from_uuid(uuid_v7(NOW, [number; 10]))
}

fn spec(number: u8) -> ServerSpec {
    let file_size = Bytes::mib(17);
    ServerSpec {
        server: server(number),
        hostname: "web".parse().expect("a name"),
        vcpus: 1,
        memory: Bytes::mib(256),
        disk: Bytes::gib(1),
        image: BaseImage {
            digest: Digest::of(b"image"),
            format: ImageFormat::Raw,
            file_size,
            virtual_size: file_size,
        },
        network: Nic {
            mac: MacAddress::of(server(number)),
            addresses: vec![IpAddr::from([10, 0, 0, number])],
            subnets: Vec::new(),
            openings: vec![],
            cut: false,
        },
        ssh_keys: vec![],
        power: Power {
            target: PowerTarget::On,
            serial: 1,
        },
        reboots: 0,
        made_before: false,
    }
}

/// What an owner does to one of three servers.
#[derive(Debug, Clone, Copy)]
enum Change {
    Power(u8, PowerTarget),
    Reboot(u8),
    Delete(u8),
}

fn change() -> impl Strategy<Value = Change> {
    let target = prop_oneof![
        Just(PowerTarget::On),
        Just(PowerTarget::Off),
        Just(PowerTarget::OffForced),
    ];
    prop_oneof![
        3 => (1..4_u8, target).prop_map(|(number, target)| Change::Power(number, target)),
        3 => (1..4_u8).prop_map(Change::Reboot),
        1 => (1..4_u8).prop_map(Change::Delete),
    ]
}

/// A desired state with its specs.
#[derive(Clone)]
struct Version {
    manifest: Manifest,
    specs: BTreeMap<Digest, ServerSpec>,
}

/// What the control plane wanted one after the other.
fn versions(changes: &[Change]) -> Vec<Version> {
    let mut servers: BTreeMap<u8, Option<ServerSpec>> =
        (1..4).map(|number| (number, Some(spec(number)))).collect();
    let mut versions = vec![version(1, &servers)];
    for (change, generation) in changes.iter().zip(2..) {
        let (Change::Power(number, _) | Change::Reboot(number) | Change::Delete(number)) = *change;
        let slot = servers.get_mut(&number).expect("one of three");
        let Some(present) = slot else { continue };
        match *change {
            Change::Power(_, target) => {
                present.power.target = target;
                present.power.serial += 1;
            }
            // The control plane takes no others.
            Change::Reboot(_) if present.power.target == PowerTarget::On => present.reboots += 1,
            Change::Reboot(_) => continue,
            Change::Delete(_) => *slot = None,
        }
        versions.push(version(generation, &servers));
    }
    versions
}

fn version(generation: u64, servers: &BTreeMap<u8, Option<ServerSpec>>) -> Version {
    let entry = |(number, spec): (&u8, &Option<ServerSpec>)| ManifestEntry {
        server: server(*number),
        intent: match spec {
            Some(spec) => Intent::Present {
                spec: spec.digest(),
            },
            None => Intent::Delete,
        },
    };
    Version {
        manifest: Manifest {
            epoch: 1,
            generation,
            requires: vec![],
            servers: servers.iter().map(entry).collect(),
            access: vec![],
        },
        specs: servers
            .values()
            .flatten()
            .map(|spec| (spec.digest(), spec.clone()))
            .collect(),
    }
}

/// A host and what its agent has on disk.
struct Host {
    machine: Simulated,
    accepted: Accepted,
    memory: Memory,
}

impl Host {
    fn new() -> Self {
        let capacity = HostCapacity {
            cpus: 8,
            memory: Bytes::gib(8),
            disk: Bytes::gib(100),
        };
        Self {
            machine: Simulated::new(NOW, capacity),
            accepted: Accepted::default(),
            memory: Memory::default(),
        }
    }

    /// A manifest arrives, and time passes.
    fn get(&mut self, version: &Version) {
        if let Ok(Verdict::Newer { .. }) = self.accepted.judge(&version.manifest) {
            let next = self.accepted.next(version.manifest.clone(), &version.specs);
            self.accepted = next.expect("all specs are there");
        }
        self.settle();
    }

    fn settle(&mut self) {
        for _ in 0..ROUNDS {
            self.act();
            self.machine.advance(Duration::from_secs(30));
        }
    }

    fn act(&mut self) {
        let now = self.machine.now();
        let plan = plan(&View {
            desired: &self.accepted.desired(),
            inventory: &self.machine.truth(),
            memory: &self.memory,
            busy: &BTreeSet::new(),
            network_busy: false,
            rules: &RULES,
            now,
        });
        self.memory = plan.memory;
        let network = plan
            .network
            .map(|state| (None, vec![Action::ApplyNetwork(state)]));
        let servers = plan
            .actions
            .into_iter()
            .map(|(server, actions)| (Some(server), actions));
        for (server, actions) in network.into_iter().chain(servers) {
            for action in actions {
                self.memory.begin(server, &action, now);
                let outcome = self.machine.carry_out(&action);
                assert!(matches!(outcome, Outcome::Answered(Ok(()))), "{outcome:?}");
            }
        }
    }
}

/// Whether an action changes anything for a guest or its disk.
fn is_felt(action: &Action) -> bool {
    !matches!(
        action,
        Action::ApplyNetwork(_) | Action::NotePower { .. } | Action::FetchImage(_)
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn whatever_the_network_does_the_effects_are_those_of_the_new_manifests(
        changes in proptest::collection::vec(change(), 0..12),
        arrivals in proptest::collection::vec(any::<usize>(), 0..20),
        copied_at in any::<usize>(),
    ) {
        let versions = versions(&changes);
        let last = versions.len() - 1;
        let mut arrivals: Vec<usize> =
            arrivals.iter().map(|which| which % versions.len()).collect();
        arrivals.extend([last, 0, last]);
        let copied_at = copied_at % arrivals.len();

        let (mut host, mut copy) = (Host::new(), (Accepted::default(), Memory::default()));
        for (number, arrival) in arrivals.iter().enumerate() {
            host.get(&versions[*arrival]);
            if number == copied_at {
                copy = (host.accepted.clone(), host.memory.clone());
            }
        }
        let mut alone = Host::new();
        let mut newest = None;
        for arrival in arrivals {
            if newest.is_none_or(|newest| arrival > newest) {
                newest = Some(arrival);
                alone.get(&versions[arrival]);
            }
        }
        prop_assert_eq!(host.machine.done(), alone.machine.done());
        prop_assert_eq!(host.machine.violations(), Vec::<String>::new());

        // The agent's folder goes back in time, or is lost. The agent acts on what it has until it is
        // released, and then on the newest.
        for (accepted, memory) in [copy, (Accepted::default(), Memory::default())] {
            let before = host.machine.done().len();
            (host.accepted, host.memory) = (accepted, memory);
            host.settle();
            host.get(&versions[last]);
            let again = host.machine.done_since(before);
            let done = &host.machine.done()[..before];
            // That a reboot was not to be made up for is in the folder alone; one that was made is not made
            // again.
            let is_first = |action: &Action| {
                matches!(action, Action::Reboot { .. }) && !done.contains(action)
            };
            let felt = again.iter().any(|action| is_felt(action) && !is_first(action));
            prop_assert!(!felt, "{:?}", again);
            prop_assert_eq!(host.machine.violations(), Vec::<String>::new());
        }
    }
}
