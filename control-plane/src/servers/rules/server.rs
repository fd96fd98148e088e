//! A server's life (domain-model C3.3): what its owner wants (intent), what its host saw (observed), and the
//! state that follows from both. Nothing is assumed: a server runs when its host says so.
//!
//! ```text
//! requested -> creating -> running <-> stopped        unknown: its host is not heard of (any of these)
//!                 |           |           |
//!                 |           `-----------+--> deleting -> deleted
//!                 `--(can't be made)--> create_failed             any of them -> deleted: its host is lost
//! ```
//!
//! `suspended` (its account is, and its host has done its part) is a running or stopped server: see `suspension`.
//! `starting`, `stopping` and `rebooting` are running or stopped servers whose owner wants otherwise. `paused` is one
//! that holds its memory and does not run; it is charged as a stopped one, but for what its host is to blame for.

use std::time::Duration;

use innkeeper_wire::{
    api::{ServerAction, ServerState},
    host::{
        Access, CreateStep, Intent, ObservedServer, ObservedState, ServerProblem, ServerProblemCode,
    },
    id::{AccountId, Code, ContractId, GrantId, HostId, OrderId, ServerId},
    planted::{Bug, planted},
    time::Timestamp,
    vm::{Hostname, Nic, Power, PowerTarget, ServerSpec},
};
use serde::{Deserialize, Serialize};

use crate::{
    catalogue::{Image, Plan},
    hosts::rules::host::{Demand, HostReach, plain},
    kernel::gate::HOSTS_AWAITED,
};

mod deadline;
mod ending;
mod outage;
mod suspension;

pub use self::{
    outage::OpenOutage,
    suspension::{Asker, ServerSuspension, permits},
};

/// Tries of one step of a creation after which the order is given up, with nothing charged.
pub const CREATE_ATTEMPTS_MAX: u32 = 5;
/// A server that was not ready within this time, whether or not its host names a trouble, is given up, with nothing
/// charged.
pub const CREATE_DEADLINE: Duration = HOSTS_AWAITED;
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
    /// Why it could not be made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<CreateFailure>,
    /// The outage that goes on, as its usage interval has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outage: Option<OpenOutage>,
    /// When it was deleted, or could not be made: whichever came first, and the end of charging. None while it is to
    /// exist, and in records of before this was kept ([`Server::ended_at`]).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
    /// When the last outage ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outage_ended_at: Option<Timestamp>,
    /// Whether its host has ever said that it ran.
    #[serde(default)]
    pub seen_up: bool,
    /// The suspension of its account, as its host is told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suspension: Option<ServerSuspension>,
    /// Whether it ran when its host was to join again: no disk is made for it there any more.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub made_before: bool,
    /// That engineers are let in, as its host is told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access: Option<ServerAccess>,
}

/// That engineers are let in to a server for a time. Its host ends it by itself; it is taken out of the record later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerAccess {
    /// Which grant.
    pub grant: GrantId,
    /// To which TCP port.
    pub port: u16,
    /// Until when.
    pub until: Timestamp,
    /// For how long it was granted, in seconds.
    pub seconds: u32,
    /// Epoch of the store in which it was granted: in a later one nobody knows whether it was withdrawn meanwhile.
    pub epoch: u64,
}

/// Why a server could not be made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreateFailure {
    /// For its owner.
    pub code: ServerProblemCode,
    /// For operators.
    pub detail: String,
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
    /// Its host was lost for good.
    HostLost,
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
    /// Whether nothing passes to it or from it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub network_cut: bool,
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
            network: self.told_nic(),
            ssh_keys: self.ssh_keys.clone(),
            power: self.told_power(),
            reboots: self.reboots,
            made_before: self.made_before,
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

    /// That engineers are let in, as its host is told in this epoch of the store; never to one that is on its way out.
    #[must_use]
    pub fn told_access(&self, epoch: u64) -> Option<Access> {
        let is_live = self.lifecycle == Lifecycle::Live;
        let access = self.access.filter(|held| is_live && held.epoch == epoch)?;
        Some(Access {
            grant: access.grant,
            server: self.id,
            port: access.port,
            until: access.until,
            seconds: access.seconds,
        })
    }

    /// Whether nothing of it is left that its host has, or that counts.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        matches!(self.lifecycle, Lifecycle::Gone { .. })
    }

    /// Why it goes or went, if it does.
    #[must_use]
    pub fn farewell(&self) -> Option<Farewell> {
        match self.lifecycle {
            Lifecycle::Live => None,
            Lifecycle::Leaving { why, .. } | Lifecycle::Gone { why, .. } => Some(why),
        }
    }

    /// When it was deleted, or could not be made. Of a record of before this was kept, when its host had nothing of it
    /// any more, if it has not.
    #[must_use]
    pub fn ended_at(&self) -> Option<Timestamp> {
        self.ended_at.or(match self.lifecycle {
            Lifecycle::Live => None,
            Lifecycle::Leaving { since, .. } | Lifecycle::Gone { since, .. } => Some(since),
        })
    }

    /// The state that a customer sees.
    #[must_use]
    pub fn state(&self, host: HostReach) -> ServerState {
        self.seen_as_suspended(self.state_beside_suspension(host))
    }

    fn state_beside_suspension(&self, host: HostReach) -> ServerState {
        match self.lifecycle {
            Lifecycle::Leaving {
                why: Farewell::Deleted | Farewell::HostLost,
                ..
            } => ServerState::Deleting,
            Lifecycle::Gone {
                why: Farewell::Deleted | Farewell::HostLost,
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
        let wants_on = self.told_power().target == PowerTarget::On;
        let power_pending = self.observed.power_serial < self.power.serial;
        let ignored = self.problem() == Some(ServerProblemCode::ShutdownIgnored);
        match self.observed.state {
            // Its host has joined again, and its disk is not there.
            Some(ObservedState::Absent) if self.made_before => ServerState::Unknown,
            None | Some(ObservedState::Absent) => ServerState::Requested,
            Some(ObservedState::Creating { .. }) => ServerState::Creating,
            Some(ObservedState::Running { .. } | ObservedState::Paused { .. })
                if !wants_on && (power_pending || !ignored) =>
            {
                ServerState::Stopping
            }
            Some(ObservedState::Running { ready: false } | ObservedState::Paused { .. })
                if self.ready_at.is_none() =>
            {
                ServerState::Creating
            }
            // What was seen of it before, nobody knows to be so now.
            Some(ObservedState::Running { .. } | ObservedState::Paused { .. })
                if self.is_hung() =>
            {
                ServerState::Unknown
            }
            Some(ObservedState::Running { .. } | ObservedState::Paused { .. })
                if self.observed.reboots < self.reboots =>
            {
                ServerState::Rebooting
            }
            Some(ObservedState::Paused { .. }) if wants_on && power_pending => {
                ServerState::Starting
            }
            Some(ObservedState::Paused { .. }) => ServerState::Paused,
            // It was reached before; that it can't be now is said with it, and may be its guest's own doing.
            Some(ObservedState::Running { ready: false })
                if self.problem() == Some(ServerProblemCode::NotReachable) =>
            {
                ServerState::Running
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
            Some(ObservedState::Running { .. } | ObservedState::Paused { .. }) => {
                Some(CreateStep::Start)
            }
            Some(ObservedState::Stopped | ObservedState::Deleting) => None,
        }
    }

    /// What is in the way, without the words for operators.
    #[must_use]
    pub fn problem(&self) -> Option<ServerProblemCode> {
        self.observed.problem.as_ref().map(|problem| problem.code)
    }

    fn is_hung(&self) -> bool {
        self.problem() == Some(ServerProblemCode::NotAnswering)
    }

    /// What can be asked of it now, by who may. One whose QEMU hangs is in a state that nobody knows, and can be ended all
    /// the same.
    #[must_use]
    pub fn allowed_actions(&self, host: HostReach) -> &'static [ServerAction] {
        match (self.state_beside_suspension(host), host) {
            (ServerState::Unknown, HostReach::Heard) if self.is_hung() => {
                &[ServerAction::PowerOff, ServerAction::Delete]
            }
            (state, _) => allowed_actions(state),
        }
    }

    /// The server after somebody who may asked for `action`, which the manifest of `generation` will tell its host.
    pub fn after(
        &self,
        action: ServerAction,
        host: HostReach,
        generation: u64,
        now: Timestamp,
    ) -> Result<Self, NotNow> {
        let state = self.state(host);
        if !self.allowed_actions(host).contains(&action) {
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
            ServerAction::Delete => {
                next.lifecycle = self.lifecycle.deleted(generation, now);
                next.ended_at = self.ended_at().or(Some(now));
                next.outage = None;
            }
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
            network_cut: seen.network_cut,
            problem: seen.problem.as_ref().map(|problem| ServerProblem {
                detail: plain(&problem.detail, DETAIL_CHARS_MAX),
                ..*problem
            }),
        };
        next.seen_up = self.seen_up || seen.state.tells_of_a_start();
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
            (Lifecycle::Live, _)
                if is_or_was_ready(seen)
                    && (self.ready_at.is_none()
                        || planted(Bug::ChargeTwice) && seen.state == READY) =>
            {
                next.ready_at = Some(now);
                Some(Milestone::Ready)
            }
            (Lifecycle::Live, _)
                if let Some(failure) = next.creation_is_hopeless(seen.was_ready, now) =>
            {
                next.give_up(failure, generation.saturating_add(1), now);
                Some(Milestone::CreateFailed)
            }
            (Lifecycle::Live | Lifecycle::Leaving { .. } | Lifecycle::Gone { .. }, _) => None,
        };
        (next != *self).then_some((next, milestone))
    }

    /// Whether no guest ever had its addresses, by what its host says now that nothing of it is left: then nobody sent
    /// anything to them, and they need no rest. A host that does not know it, or was once heard to say otherwise, is
    /// taken to have started it.
    #[must_use]
    pub fn was_never_up(&self, seen: &ObservedServer) -> bool {
        let said_otherwise = self.seen_up || self.ready_at.is_some();
        seen.was_started == Some(false) && !said_otherwise
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
}

const READY: ObservedState = ObservedState::Running { ready: true };

/// Whether its host has seen it ready, now or before: it may have gone down again before anybody heard of that.
fn is_or_was_ready(seen: &ObservedServer) -> bool {
    match seen.state {
        ObservedState::Running { ready } => ready || seen.was_ready == Some(true),
        ObservedState::Stopped | ObservedState::Paused { .. } => seen.was_ready == Some(true),
        ObservedState::Absent | ObservedState::Creating { .. } | ObservedState::Deleting => false,
    }
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
        // Whoever paused it may have forgotten it.
        ServerState::Paused => &[Start, Shutdown, PowerOff, Reboot, Delete],
        ServerState::Stopped => &[Start, Delete],
        // What may be asked of it is that of what it does beside.
        ServerState::Suspended => &[],
        ServerState::Requested
        | ServerState::Creating
        | ServerState::Unknown
        | ServerState::CreateFailed => &[Delete],
        ServerState::Deleting | ServerState::Deleted => &[],
    }
}

/// For tests of what deals with servers.
#[cfg(test)]
pub(crate) use tests::server as any_server;

#[cfg(test)]
mod tests;
