//! A server's life (domain-model C3.3): what its owner wants (intent), what its host saw (observed), and the
//! state that follows from both. Nothing is assumed: a server runs when its host says so.
//!
//! ```text
//! requested -> creating -> running <-> stopped        unknown: its host is not heard of (any of these)
//!                 |           |           |
//!                 |           `-----------+--> deleting -> deleted
//!                 `--(can't be made)--> create_failed
//! ```
//!
//! `starting`, `stopping` and `rebooting` are running or stopped servers whose owner wants otherwise.

use std::time::Duration;

use innkeeper_wire::{
    api::{ServerAction, ServerState},
    host::{CreateStep, Intent, ObservedServer, ObservedState, ServerProblem, ServerProblemCode},
    id::{AccountId, Code, ContractId, HostId, OrderId, ServerId},
    planted::{Bug, planted},
    time::Timestamp,
    vm::{Hostname, Nic, Power, PowerTarget, ServerSpec},
};
use serde::{Deserialize, Serialize};

use super::{
    catalogue::{Image, Plan},
    host::{Demand, plain},
};

/// Tries of one step of a creation after which the order is given up, with nothing charged.
pub const CREATE_ATTEMPTS_MAX: u32 = 5;
/// A creation that is in trouble for this long is given up.
pub const CREATE_DEADLINE: Duration = Duration::from_secs(30 * 60);
/// Longest account of a problem that is stored, in characters; agents keep theirs as short.
const DETAIL_CHARS_MAX: usize = 500;

/// A server as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Server {
    /// Which.
    pub id: ServerId,
    /// Whose.
    pub account: AccountId,
    /// The order that it came from.
    pub order: OrderId,
    /// What it is charged under.
    pub contract: ContractId,
    /// Its name.
    pub name: Hostname,
    /// Where it is.
    pub site: Code,
    /// The host that carries it.
    pub host: HostId,
    /// Its size and price, as ordered.
    pub plan: Plan,
    /// What it started from.
    pub image: Image,
    /// Its interface and addresses.
    pub nic: Nic,
    /// Canonical lines for its first boot.
    pub ssh_keys: Vec<String>,
    /// Whether its owner wants it to run.
    pub power: Power,
    /// How often its owner asked for a reboot.
    pub reboots: u32,
    /// Whether it is to exist.
    pub lifecycle: Lifecycle,
    /// What its host saw last.
    pub observed: Observed,
    /// When it was ordered.
    pub created_at: Timestamp,
    /// When its host first reported it ready.
    pub ready_at: Option<Timestamp>,
}

/// Whether a server is to exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "lifecycle", rename_all = "snake_case")]
pub enum Lifecycle {
    /// It is.
    Live,
    /// It is not, and its host still has something of it.
    Leaving {
        /// Why it is not.
        why: Farewell,
        /// Since when.
        since: Timestamp,
        /// Generation of the manifest that first says so. An `Absent` from before it means "not made
        /// yet", not "gone".
        generation: u64,
    },
    /// Its host has nothing of it any more; address and room are given back.
    Gone {
        /// Why it went.
        why: Farewell,
        /// Since when.
        since: Timestamp,
    },
}

/// Why a server goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Farewell {
    /// Its owner deleted it.
    Deleted,
    /// It could not be made.
    CreateFailed,
}

/// What a host saw of a server last. Written only when it differs from what is known.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Observed {
    /// What it did; `None` before the first report.
    pub state: Option<ObservedState>,
    /// The power change that was carried out last.
    pub power_serial: u32,
    /// The reboots that were made.
    pub reboots: u32,
    /// What is in the way.
    pub problem: Option<ServerProblem>,
}

/// What an observation means for the rest of the product.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Milestone {
    /// Ready for the first time: the order is completed and charging starts.
    Ready,
    /// It can't be made: the order failed, nothing is charged.
    CreateFailed,
    /// Nothing is left on its host: address and room are free.
    Gone,
}

/// An action that makes no sense now.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a server that is {state:?} can't do this")]
pub struct NotNow {
    /// The present state.
    pub state: ServerState,
}

impl Lifecycle {
    /// The same, told to the host with the manifest of `generation`.
    #[must_use]
    pub fn told_with(self, generation: u64) -> Self {
        match self {
            Self::Leaving { why, since, .. } => Self::Leaving {
                why,
                since,
                generation,
            },
            Self::Live | Self::Gone { .. } => self,
        }
    }

    /// After its owner deleted it. A server that could not be made is on its way out already: deleting it
    /// only takes it out of its owner's sight.
    fn deleted(self, generation: u64, now: Timestamp) -> Self {
        let why = Farewell::Deleted;
        match self {
            Self::Live => Self::Leaving {
                why,
                since: now,
                generation,
            },
            Self::Leaving {
                since, generation, ..
            } => Self::Leaving {
                why,
                since,
                generation,
            },
            Self::Gone { since, .. } => Self::Gone { why, since },
        }
    }
}

impl Server {
    /// What it takes of its host.
    #[must_use]
    pub fn demand(&self) -> Demand {
        Demand {
            vcpus: self.plan.vcpus,
            memory: self.plan.memory,
            disk: self.plan.disk,
        }
    }

    /// What its host shall make.
    #[must_use]
    pub fn spec(&self) -> ServerSpec {
        ServerSpec {
            server: self.id,
            hostname: self.name.clone(),
            vcpus: self.plan.vcpus,
            memory: self.plan.memory,
            disk: self.plan.disk,
            image: self.image.base.clone(),
            network: self.nic.clone(),
            ssh_keys: self.ssh_keys.clone(),
            power: self.power,
            reboots: self.reboots,
        }
    }

    /// Its line in its host's manifest; none when the host has nothing of it any more.
    #[must_use]
    pub fn intent(&self) -> Option<Intent> {
        match self.lifecycle {
            Lifecycle::Live => Some(Intent::Present {
                spec: self.spec().digest(),
            }),
            Lifecycle::Leaving { .. } => Some(Intent::Delete),
            Lifecycle::Gone { .. } => None,
        }
    }

    /// The state that a customer sees.
    #[must_use]
    pub fn state(&self, host: HostReach) -> ServerState {
        match self.lifecycle {
            Lifecycle::Leaving {
                why: Farewell::Deleted,
                ..
            } => ServerState::Deleting,
            Lifecycle::Gone {
                why: Farewell::Deleted,
                ..
            } => ServerState::Deleted,
            Lifecycle::Leaving {
                why: Farewell::CreateFailed,
                ..
            }
            | Lifecycle::Gone {
                why: Farewell::CreateFailed,
                ..
            } => ServerState::CreateFailed,
            Lifecycle::Live => match host {
                HostReach::Silent => ServerState::Unknown,
                HostReach::Heard => self.live_state(),
            },
        }
    }

    fn live_state(&self) -> ServerState {
        let wants_on = self.power.target == PowerTarget::On;
        let power_pending = self.observed.power_serial < self.power.serial;
        let ignored = self.problem() == Some(ServerProblemCode::ShutdownIgnored);
        match self.observed.state {
            None | Some(ObservedState::Absent) => ServerState::Requested,
            Some(ObservedState::Creating { .. }) => ServerState::Creating,
            Some(ObservedState::Running { .. }) if !wants_on && (power_pending || !ignored) => {
                ServerState::Stopping
            }
            Some(ObservedState::Running { ready: false }) if self.ready_at.is_none() => {
                ServerState::Creating
            }
            Some(ObservedState::Running { .. }) if self.observed.reboots < self.reboots => {
                ServerState::Rebooting
            }
            Some(ObservedState::Running { ready: false }) => ServerState::Starting,
            Some(ObservedState::Running { ready: true }) => ServerState::Running,
            Some(ObservedState::Stopped) if wants_on && power_pending => ServerState::Starting,
            Some(ObservedState::Stopped) => ServerState::Stopped,
            // A host takes a live server apart only if it was told to: contradictory, so not known.
            Some(ObservedState::Deleting) => ServerState::Unknown,
        }
    }

    /// The step of its creation that is under way.
    #[must_use]
    pub fn step(&self) -> Option<CreateStep> {
        match self.observed.state {
            _ if self.lifecycle != Lifecycle::Live || self.ready_at.is_some() => None,
            None | Some(ObservedState::Absent) => Some(CreateStep::Queued),
            Some(ObservedState::Creating { step }) => Some(step),
            Some(ObservedState::Running { .. }) => Some(CreateStep::Start),
            Some(ObservedState::Stopped | ObservedState::Deleting) => None,
        }
    }

    /// What is in the way, without the words for operators.
    #[must_use]
    pub fn problem(&self) -> Option<ServerProblemCode> {
        self.observed.problem.as_ref().map(|problem| problem.code)
    }

    /// The server after its owner asked for `action`, which the manifest of `generation` will tell its host.
    pub fn after(
        &self,
        action: ServerAction,
        host: HostReach,
        generation: u64,
        now: Timestamp,
    ) -> Result<Self, NotNow> {
        let state = self.state(host);
        if !allowed_actions(state).contains(&action) {
            return Err(NotNow { state });
        }
        let mut next = self.clone();
        let mut change_power = |target| {
            next.power = Power {
                target,
                serial: self.power.serial.saturating_add(1),
            };
        };
        match action {
            ServerAction::Start => change_power(PowerTarget::On),
            ServerAction::Shutdown => change_power(PowerTarget::Off),
            ServerAction::PowerOff => change_power(PowerTarget::OffForced),
            ServerAction::Reboot => next.reboots = self.reboots.saturating_add(1),
            ServerAction::Delete => next.lifecycle = self.lifecycle.deleted(generation, now),
        }
        Ok(next)
    }

    /// The server after its host, with the manifest of `generation`, reported `seen`; and what that means.
    /// `None` when it changes nothing.
    #[must_use]
    pub fn observe(
        &self,
        seen: &ObservedServer,
        generation: u64,
        now: Timestamp,
    ) -> Option<(Self, Option<Milestone>)> {
        let mut next = self.clone();
        next.observed = Observed {
            state: Some(seen.state),
            power_serial: seen.power_serial,
            reboots: seen.reboots,
            problem: seen.problem.as_ref().map(|problem| ServerProblem {
                detail: plain(&problem.detail, DETAIL_CHARS_MAX),
                ..*problem
            }),
        };
        let milestone = match (self.lifecycle, seen.state) {
            (
                Lifecycle::Leaving {
                    why,
                    generation: since,
                    ..
                },
                ObservedState::Absent,
            ) if generation >= since => {
                next.lifecycle = Lifecycle::Gone { why, since: now };
                Some(Milestone::Gone)
            }
            (Lifecycle::Live, ObservedState::Running { ready: true })
                if self.ready_at.is_none() || planted(Bug::ChargeTwice) =>
            {
                next.ready_at = Some(now);
                Some(Milestone::Ready)
            }
            (Lifecycle::Live, _) if next.creation_is_hopeless(now) => {
                next.lifecycle = Lifecycle::Leaving {
                    why: Farewell::CreateFailed,
                    since: now,
                    generation: generation.saturating_add(1),
                };
                Some(Milestone::CreateFailed)
            }
            (Lifecycle::Live | Lifecycle::Leaving { .. } | Lifecycle::Gone { .. }, _) => None,
        };
        (next != *self).then_some((next, milestone))
    }

    /// The server after a restore, when its host has carried out more of what its owner asked than the record knows:
    /// what is asked next must count as something new there. `None` when it has not.
    #[must_use]
    pub fn caught_up(&self, power_serial: u32, reboots: u32) -> Option<Self> {
        let mut next = self.clone();
        next.power.serial = self.power.serial.max(power_serial);
        next.reboots = self.reboots.max(reboots);
        next.observed.power_serial = power_serial;
        next.observed.reboots = reboots;
        (next != *self).then_some(next)
    }

    /// The server after a restore, when it was deleted in the time that was lost. Its host is told so with the
    /// manifest of `generation`: parts of it may still be there.
    #[must_use]
    pub fn ended_at_restore(&self, generation: u64, now: Timestamp) -> Self {
        Self {
            lifecycle: self.lifecycle.deleted(generation, now),
            ..self.clone()
        }
    }

    fn creation_is_hopeless(&self, now: Timestamp) -> bool {
        let Some(problem) = self
            .observed
            .problem
            .as_ref()
            .filter(|_| self.ready_at.is_none())
        else {
            return false;
        };
        problem.attempts >= CREATE_ATTEMPTS_MAX || now.since(self.created_at) >= CREATE_DEADLINE
    }
}

/// Whether a server's host is heard of, so that what it said last still holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HostReach {
    /// It reported lately, and its libvirt answers.
    Heard,
    /// It did not, or its libvirt does not answer.
    Silent,
}

/// What can be asked of a server in this state.
#[must_use]
pub fn allowed_actions(state: ServerState) -> &'static [ServerAction] {
    use ServerAction::{Delete, PowerOff, Reboot, Shutdown, Start};
    match state {
        ServerState::Running => &[Shutdown, PowerOff, Reboot, Delete],
        ServerState::Starting | ServerState::Stopping | ServerState::Rebooting => {
            &[PowerOff, Delete]
        }
        ServerState::Stopped => &[Start, Delete],
        ServerState::Requested
        | ServerState::Creating
        | ServerState::Unknown
        | ServerState::CreateFailed => &[Delete],
        ServerState::Deleting | ServerState::Deleted => &[],
    }
}

/// For tests of what deals with servers.
#[cfg(test)]
pub(super) use tests::server as any_server;

#[cfg(test)]
mod tests {
    use innkeeper_wire::{
        digest::Digest,
        id::uuid_v7,
        money::{Currency, HourlyRate, Money},
        size::Bytes,
        vm::{BaseImage, ImageFormat, MacAddress},
    };
    use proptest::prelude::*;

    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1_000)
    }

    pub(in crate::domain) fn server() -> Server {
        let uuid = uuid_v7(at(0), [1; 10]);
        let id = ServerId::from_uuid(uuid);
        Server {
            id,
            account: AccountId::from_uuid(uuid),
            order: OrderId::from_uuid(uuid),
            contract: ContractId::from_uuid(uuid),
            name: "web-1".parse().expect("a name"),
            site: "seoul-1".parse().expect("a code"),
            host: HostId::from_uuid(uuid),
            plan: Plan {
                code: "s1".parse().expect("a code"),
                name: "S1".to_owned(),
                vcpus: 1,
                memory: Bytes::gib(1),
                disk: Bytes::gib(20),
                hourly: HourlyRate {
                    micro_minor_per_hour: 10_000_000,
                    currency: Currency::Krw,
                },
                monthly_cap: Money {
                    amount: 6_000,
                    currency: Currency::Krw,
                },
            },
            image: Image {
                code: "tiny".parse().expect("a code"),
                name: "Tiny".to_owned(),
                login_user: "root".to_owned(),
                base: BaseImage {
                    digest: Digest::of(b"image"),
                    format: ImageFormat::Raw,
                    file_size: Bytes::mib(64),
                    virtual_size: Bytes::mib(64),
                },
            },
            nic: Nic {
                mac: MacAddress::of(id),
                addresses: vec![],
                openings: vec![],
            },
            ssh_keys: vec![],
            power: Power {
                target: PowerTarget::On,
                serial: 1,
            },
            reboots: 0,
            lifecycle: Lifecycle::Live,
            observed: Observed::default(),
            created_at: at(0),
            ready_at: None,
        }
    }

    fn seen(state: ObservedState, power_serial: u32) -> ObservedServer {
        ObservedServer {
            server: server().id,
            state,
            power_serial,
            reboots: 0,
            problem: None,
        }
    }

    const RUNNING: ObservedState = ObservedState::Running { ready: true };

    fn running() -> Server {
        let (next, milestone) = server()
            .observe(&seen(RUNNING, 1), 7, at(10))
            .expect("a change");
        assert_eq!(milestone, Some(Milestone::Ready));
        next
    }

    fn trouble(code: ServerProblemCode, attempts: u32) -> Option<ServerProblem> {
        Some(ServerProblem {
            code,
            detail: String::new(),
            attempts,
        })
    }

    #[test]
    fn from_order_to_running() {
        let mut server = server();
        let mut states = vec![server.state(HostReach::Heard)];
        for state in [
            ObservedState::Creating {
                step: CreateStep::Image,
            },
            ObservedState::Creating {
                step: CreateStep::Start,
            },
            ObservedState::Running { ready: false },
            RUNNING,
        ] {
            server = server
                .observe(&seen(state, 1), 7, at(10))
                .expect("a change")
                .0;
            states.push(server.state(HostReach::Heard));
        }
        use ServerState::{Creating, Requested, Running};
        assert_eq!(states, [Requested, Creating, Creating, Creating, Running]);
        assert_eq!(server.ready_at, Some(at(10)));
        assert_eq!(
            server.observe(&seen(RUNNING, 1), 7, at(20)),
            None,
            "nothing new, nothing written"
        );
    }

    #[test]
    fn what_is_asked_after_a_restore_is_new_to_the_host() {
        let server = running();
        assert_eq!(server.caught_up(1, 0), None, "it did no more");
        let caught_up = server.caught_up(4, 2).expect("its host did more");
        assert_eq!((caught_up.power.serial, caught_up.reboots), (4, 2));
        assert_eq!(caught_up.power.target, server.power.target);
        let asked = caught_up.after(ServerAction::PowerOff, HostReach::Heard, 7, at(20));
        assert_eq!(asked.expect("allowed").power.serial, 5);
        let asked = caught_up.after(ServerAction::Reboot, HostReach::Heard, 7, at(20));
        assert_eq!(asked.expect("allowed").reboots, 3);
    }

    #[test]
    fn power_is_observed_and_not_assumed() {
        let stopping = running()
            .after(ServerAction::Shutdown, HostReach::Heard, 7, at(20))
            .expect("allowed");
        assert_eq!(stopping.state(HostReach::Heard), ServerState::Stopping);
        let asked = stopping
            .observe(&seen(RUNNING, 2), 7, at(21))
            .expect("a change")
            .0;
        assert_eq!(
            asked.state(HostReach::Heard),
            ServerState::Stopping,
            "asked is not stopped"
        );
        let stopped = asked
            .observe(&seen(ObservedState::Stopped, 2), 7, at(22))
            .expect("a change")
            .0;
        assert_eq!(stopped.state(HostReach::Heard), ServerState::Stopped);
        let starting = stopped
            .after(ServerAction::Start, HostReach::Heard, 7, at(30))
            .expect("allowed");
        assert_eq!(starting.state(HostReach::Heard), ServerState::Starting);
        assert_eq!(starting.power.serial, 3);
    }

    #[test]
    fn a_guest_that_ignores_a_shutdown_runs_with_a_problem() {
        let stopping = running()
            .after(ServerAction::Shutdown, HostReach::Heard, 7, at(20))
            .expect("allowed");
        let mut report = seen(RUNNING, 2);
        report.problem = trouble(ServerProblemCode::ShutdownIgnored, 1);
        let ignored = stopping.observe(&report, 7, at(120)).expect("a change").0;
        assert_eq!(ignored.state(HostReach::Heard), ServerState::Running);
        assert_eq!(ignored.problem(), Some(ServerProblemCode::ShutdownIgnored));
        let again = ignored
            .after(ServerAction::PowerOff, HostReach::Heard, 7, at(130))
            .expect("allowed");
        assert_eq!(again.state(HostReach::Heard), ServerState::Stopping);
    }

    #[test]
    fn a_guest_that_shuts_itself_down_is_stopped() {
        let down = running()
            .observe(&seen(ObservedState::Stopped, 1), 7, at(50))
            .expect("a change")
            .0;
        assert_eq!(down.state(HostReach::Heard), ServerState::Stopped);
    }

    #[test]
    fn unknown_is_not_stopped() {
        assert_eq!(running().state(HostReach::Silent), ServerState::Unknown);
        let refused = running().after(ServerAction::Start, HostReach::Silent, 7, at(20));
        assert_eq!(
            refused,
            Err(NotNow {
                state: ServerState::Unknown
            })
        );
    }

    #[test]
    fn deletion_ends_only_with_nothing_left() {
        let leaving = running()
            .after(ServerAction::Delete, HostReach::Heard, 7, at(20))
            .expect("allowed");
        assert_eq!(leaving.intent(), Some(Intent::Delete));
        let (still, milestone) = leaving
            .observe(&seen(ObservedState::Deleting, 1), 7, at(21))
            .expect("a change");
        assert_eq!(
            (still.state(HostReach::Heard), milestone),
            (ServerState::Deleting, None)
        );
        let (gone, milestone) = still
            .observe(&seen(ObservedState::Absent, 0), 7, at(22))
            .expect("a change");
        assert_eq!(
            (gone.state(HostReach::Silent), milestone),
            (ServerState::Deleted, Some(Milestone::Gone))
        );
        assert_eq!(gone.intent(), None);
        let early = leaving
            .observe(&seen(ObservedState::Absent, 0), 6, at(22))
            .expect("a change");
        assert_eq!(early.1, None, "absent before the host knew of the delete");
        assert!(
            leaving
                .after(ServerAction::Delete, HostReach::Heard, 7, at(23))
                .is_err()
        );
    }

    #[test]
    fn a_creation_is_given_up_after_five_tries_and_never_after_it_was_ready() {
        let step = ObservedState::Creating {
            step: CreateStep::Disk,
        };
        let mut report = seen(step, 0);
        report.problem = trouble(ServerProblemCode::DiskFailed, 4);
        let (trying, milestone) = server().observe(&report, 7, at(10)).expect("a change");
        assert_eq!(
            (trying.state(HostReach::Heard), milestone),
            (ServerState::Creating, None)
        );
        report.problem = trouble(ServerProblemCode::DiskFailed, 5);
        let (failed, milestone) = trying.observe(&report, 7, at(11)).expect("a change");
        assert_eq!(milestone, Some(Milestone::CreateFailed));
        assert_eq!(failed.state(HostReach::Heard), ServerState::CreateFailed);
        assert_eq!(
            failed.intent(),
            Some(Intent::Delete),
            "nothing may be left behind"
        );
        let dismissed = failed
            .after(ServerAction::Delete, HostReach::Heard, 9, at(12))
            .expect("allowed");
        assert_eq!(dismissed.state(HostReach::Heard), ServerState::Deleting);
        assert!(
            matches!(
                dismissed.lifecycle,
                Lifecycle::Leaving { generation: 8, .. }
            ),
            "its host was told before: {:?}",
            dismissed.lifecycle
        );

        let mut later = seen(ObservedState::Stopped, 1);
        later.problem = trouble(ServerProblemCode::StartFailed, 50);
        let (kept, milestone) = running().observe(&later, 7, at(9_999)).expect("a change");
        assert_eq!((kept.lifecycle, milestone), (Lifecycle::Live, None));
    }

    #[test]
    fn a_host_can_not_make_a_record_large() {
        let mut report = seen(RUNNING, 1);
        report.problem = Some(ServerProblem {
            code: ServerProblemCode::StartFailed,
            detail: "x\n".repeat(1_000_000),
            attempts: 1,
        });
        let (stored, _) = server().observe(&report, 7, at(10)).expect("a change");
        let detail = stored.observed.problem.expect("a problem").detail;
        assert_eq!(detail.chars().count(), DETAIL_CHARS_MAX);
        assert!(!detail.contains('\n'));
    }

    fn any_state() -> impl Strategy<Value = ObservedState> {
        prop_oneof![
            Just(ObservedState::Absent),
            Just(ObservedState::Creating {
                step: CreateStep::Disk
            }),
            any::<bool>().prop_map(|ready| ObservedState::Running { ready }),
            Just(ObservedState::Stopped),
            Just(ObservedState::Deleting),
        ]
    }

    proptest! {
        #[test]
        fn any_report_twice_is_once(states in proptest::collection::vec((any_state(), 0u32..4, 0u32..7), 1..12)) {
            let mut server = server();
            for (state, serial, attempts) in states {
                let mut report = seen(state, serial);
                report.problem = trouble(ServerProblemCode::StartFailed, attempts).filter(|_| attempts > 0);
                if let Some((next, _)) = server.observe(&report, 7, at(60)) {
                    server = next;
                }
                let again = server.observe(&report, 7, at(61));
                prop_assert!(again.is_none(), "{again:?}");
            }
        }
    }
}
