//! The two sides of a history: the control plane (application and store, restartable) and a host (the
//! agent's deciding code over a simulated hypervisor).

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::Duration,
};

use innkeeper_agent::{
    action::Action,
    desired::{Accepted, Verdict, parse_spec},
    hypervisor::simulated::{Outcome, Simulated},
    memory::Memory,
    plan::{Plan, Rules, View, plan},
};
use innkeeper_control_plane::{
    app::{App, Settings, witnesses::WitnessKey},
    domain::{
        addresses::Pool,
        catalogue::{Catalogue, Image, Plan as PricePlan, Site},
        placement::Overcommit,
    },
    store::{Options, Store},
    vault::Vault,
};
use innkeeper_wire::{
    digest::Digest,
    host::{FEATURES, HostCapacity, HypervisorState, Manifest, Report},
    id::{Code, HostId, IdSource},
    money::{Currency, HourlyRate, Money},
    size::Bytes,
    time::{Clock, Timestamp},
    vm::{BaseImage, ImageFormat, Opening, ServerSpec},
};

/// The one clock of a history.
pub(crate) struct SimulatedClock(pub(crate) AtomicI64);

impl Clock for SimulatedClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::SeqCst))
    }
}

pub(crate) struct SimulatedIds {
    pub(crate) clock: Arc<SimulatedClock>,
    pub(crate) next: AtomicU64,
}

impl IdSource for SimulatedIds {
    fn uuid(&self) -> uuid::Uuid {
        let mut random = [0u8; 10];
        random[2..].copy_from_slice(&self.next.fetch_add(1, Ordering::SeqCst).to_be_bytes());
        innkeeper_wire::id::uuid_v7(self.clock.now(), random)
    }
}

/// Opens the store in `folder` and puts the application on it.
pub(crate) fn open_control_plane(
    folder: &Path,
    vault: &Vault,
    clock: &Arc<SimulatedClock>,
    ids: &Arc<SimulatedIds>,
) -> App {
    let options = Options {
        reserve_bytes: 0,
        ..Options::new([7; 16])
    };
    let (store, _) = Store::open(folder, &options).expect("the store opens");
    App::new(
        store,
        vault.clone(),
        Arc::clone(clock) as Arc<dyn Clock>,
        Arc::clone(ids) as Arc<dyn IdSource>,
        settings(),
    )
}

pub(crate) fn code(text: &str) -> Code {
    text.parse().expect("a code")
}

fn settings() -> Settings {
    let pool = Pool::parse(code("lab"), "203.0.113.0/24").expect("a network");
    Settings {
        installation: "Simulation".to_owned(),
        support_email: "help@cloud.example".to_owned(),
        terms_version: "1".to_owned(),
        terms: String::new(),
        password_length_min: 15,
        portal_url: "https://portal.cloud.example".to_owned(),
        catalogue: Catalogue {
            sites: vec![Site {
                code: code("lab"),
                name: "Laboratory".to_owned(),
            }],
            plans: vec![PricePlan {
                code: code("s1"),
                name: "S1".to_owned(),
                vcpus: 1,
                memory: Bytes::gib(1),
                disk: Bytes::gib(10),
                hourly: HourlyRate {
                    micro_minor_per_hour: 9_000_000,
                    currency: Currency::Krw,
                },
                monthly_cap: Money {
                    amount: 6_000,
                    currency: Currency::Krw,
                },
            }],
            images: vec![Image {
                code: code("tiny"),
                name: "Tiny".to_owned(),
                login_user: "root".to_owned(),
                base: BaseImage {
                    digest: Digest::of(b"tiny"),
                    format: ImageFormat::Raw,
                    file_size: Bytes::mib(64),
                    virtual_size: Bytes::mib(64),
                },
            }],
        },
        pools: vec![pool],
        overcommit: Overcommit {
            cpu_percent: 400,
            memory_percent: 100,
            disk_percent: 100,
        },
        openings: vec![Opening::Icmp],
        tombstone_days: 7,
        server_quota: 12,
        witness_key: WitnessKey::new([3; 32]),
    }
}

const RULES: Rules = Rules {
    tombstone_keep: Duration::from_secs(7 * 24 * 3_600),
    purges_per_hour: 10,
};
/// Room for six servers of the one plan.
pub(crate) const CAPACITY: HostCapacity = HostCapacity {
    cpus: 16,
    memory: Bytes::gib(6),
    disk: Bytes::gib(1_000),
};

/// One host and its agent.
pub(crate) struct SimulatedHost {
    pub(crate) id: HostId,
    pub(crate) machine: Simulated,
    accepted: Accepted,
    memory: Memory,
    started_at: Timestamp,
    sequence: u64,
}

impl SimulatedHost {
    pub(crate) fn new(id: HostId, now: Timestamp) -> Self {
        Self {
            id,
            machine: Simulated::new(now, CAPACITY),
            accepted: Accepted::default(),
            memory: Memory::default(),
            started_at: now,
            sequence: 0,
        }
    }

    /// The agent dies and comes back with what it had on disk: manifest, specs, memory.
    pub(crate) fn restart_agent(&mut self) {
        self.started_at = self.machine.now();
        self.sequence = 0;
    }

    /// Takes a manifest that arrived, however late; specs are fetched with `fetch`, which may fail.
    pub(crate) fn take(
        &mut self,
        manifest: Manifest,
        fetch: impl Fn(Digest) -> Option<ServerSpec>,
    ) {
        let Ok(Verdict::Newer { missing }) = self.accepted.judge(&manifest) else {
            return;
        };
        let mut specs = BTreeMap::new();
        for digest in missing {
            let Some(spec) = fetch(digest) else { return };
            let spec = parse_spec(digest, &spec.to_bytes()).expect("the spec of its digest");
            specs.insert(digest, spec);
        }
        self.accepted = self
            .accepted
            .next(manifest, &specs)
            .expect("all specs are there");
    }

    /// Looks, plans and acts once, as `reconcile` does; false when the agent died over an action.
    pub(crate) fn act(&mut self) -> bool {
        let plan = self.plan();
        let now = self.machine.now();
        self.memory = plan.memory.clone();
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
                match self.machine.carry_out(&action) {
                    Outcome::Answered(Ok(())) => {}
                    Outcome::Answered(Err(error)) => {
                        self.memory.fail(server, &action, &error, now);
                        break;
                    }
                    Outcome::Silent => return false,
                }
            }
        }
        true
    }

    fn plan(&self) -> Plan {
        plan(&View {
            desired: &self.accepted.desired(),
            inventory: &self.machine.truth(),
            memory: &self.memory,
            busy: &BTreeSet::new(),
            rules: &RULES,
            now: self.machine.now(),
        })
    }

    /// What the agent would report now.
    pub(crate) fn report(&mut self) -> Report {
        let plan = self.plan();
        let desired = self.accepted.desired();
        self.sequence += 1;
        Report {
            epoch: desired.epoch,
            generation: desired.generation,
            boot_id: self.machine.truth().boot_id,
            sequence: self.sequence,
            started_at: self.started_at,
            agent_version: "0.1.0".to_owned(),
            features: FEATURES
                .iter()
                .map(|feature| (*feature).to_owned())
                .collect(),
            capacity: CAPACITY,
            hypervisor: HypervisorState::Reachable,
            servers: plan.observed,
            strangers: plan.strangers,
            witness: None,
            held: plan.held,
        }
    }
}
