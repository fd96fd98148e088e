//! What becomes of a server while its account is suspended (design.md section 10). What its owner wants stays as he
//! said it; what its host is told follows from that and from the suspension.
//!
//! - For debt, or an empty balance, it is shut down, as by its owner; one whose guest does not obey is switched off.
//! - For abuse it runs on, and its network is cut.
//! - One that is not ready yet waits as long as any other; then its order has failed, and nothing is charged.

use innkeeper_wire::{
    api::{ServerAction, ServerState, SuspensionKind},
    host::{ObservedState, ServerProblemCode},
    planted::{Bug, planted},
    vm::{Nic, Power, PowerTarget},
};
use serde::{Deserialize, Serialize};

use super::{Lifecycle, Server};
use crate::{accounts::rules::suspension::Suspended, hosts::rules::host::HostReach};

/// The suspension of its account, as the host of a server is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerSuspension {
    /// Which.
    pub cause: Suspended,
    /// Whether it was to run, and did not lie still by its guest's own doing: then it is started again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub was_up: bool,
    /// Whether its guest was asked to shut down and did not, so that it is switched off.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_forced: bool,
}

/// Who asks something of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asker {
    /// Its owner, or a program of his.
    Owner,
    /// Staff.
    Staff,
}

/// Whether something can be asked of a server whose account is suspended.
///
/// An owner who owes something may give his servers back: that makes his debt no larger. What has done harm may be
/// evidence. Staff end a suspension for debt before they start anything; one for abuse does not touch the power.
#[must_use]
pub const fn permits(kind: SuspensionKind, asker: Asker, action: ServerAction) -> bool {
    match (kind, asker) {
        (SuspensionKind::Debt | SuspensionKind::Balance, Asker::Owner | Asker::Staff) => {
            matches!(action, ServerAction::Delete)
        }
        (SuspensionKind::Abuse, Asker::Owner) => false,
        (SuspensionKind::Abuse, Asker::Staff) => true,
    }
}

impl Server {
    fn suspended_for_money(&self) -> Option<ServerSuspension> {
        self.suspension
            .filter(|suspension| suspension.cause.kind.is_for_money())
    }

    /// The power that its host is told.
    #[must_use]
    pub fn told_power(&self) -> Power {
        let target = match (self.suspended_for_money(), self.power.target) {
            (Some(suspension), _) if suspension.is_forced => PowerTarget::OffForced,
            (Some(_), PowerTarget::On) => PowerTarget::Off,
            (Some(_) | None, wanted) => wanted,
        };
        Power {
            target,
            serial: self.power.serial,
        }
    }

    /// The interface that its host is told.
    pub(super) fn told_nic(&self) -> Nic {
        Nic {
            cut: self.is_to_be_cut() && !planted(Bug::LeaveUncut),
            ..self.nic.clone()
        }
    }

    /// Whether nothing shall pass to it or from it.
    #[must_use]
    pub fn is_to_be_cut(&self) -> bool {
        self.suspension
            .is_some_and(|suspension| !suspension.cause.kind.is_for_money())
    }

    /// The server once it follows its account, of which it is known now whether it is suspended. `None` when it does
    /// already, or is not to exist any more.
    #[must_use]
    pub fn following(&self, account: Option<Suspended>) -> Option<Self> {
        let known = self.suspension.map(|suspension| suspension.cause);
        if self.lifecycle != Lifecycle::Live || known == account {
            return None;
        }
        let mut next = self.clone();
        match (self.suspension, account) {
            // Its account was resumed and suspended again meanwhile: what it was before we touched it still counts.
            (Some(before), Some(cause))
                if before.cause.kind.is_for_money() == cause.kind.is_for_money() =>
            {
                next.suspension = Some(ServerSuspension { cause, ..before });
            }
            (_, account) => {
                next.lift();
                if let Some(cause) = account {
                    next.impose(cause);
                }
            }
        }
        Some(next)
    }

    fn impose(&mut self, cause: Suspended) {
        let was_up =
            cause.kind.is_for_money() && self.power.target == PowerTarget::On && !self.lies_still();
        self.suspension = Some(ServerSuspension {
            cause,
            was_up,
            is_forced: false,
        });
        self.outage = None;
        if was_up {
            self.tell_power_anew();
        }
        if was_up && planted(Bug::OverwriteWish) {
            self.power.target = PowerTarget::Off;
        }
    }

    fn lift(&mut self) {
        let was_up = self.suspension.is_some_and(|suspension| suspension.was_up);
        self.suspension = None;
        if was_up {
            self.tell_power_anew();
        }
    }

    /// A host acts once on each serial.
    fn tell_power_anew(&mut self) {
        self.power.serial = self.power.serial.saturating_add(1);
    }

    /// Whether it does not run although its host has done what was asked last: its guest has shut itself down.
    fn lies_still(&self) -> bool {
        self.observed.state == Some(ObservedState::Stopped)
            && self.observed.power_serial >= self.power.serial
    }

    /// The server to be switched off, once its host has said that its guest does not shut down as it was asked to for
    /// the sake of money. `None` when there is no reason.
    #[must_use]
    pub fn insisted_on(&self) -> Option<Self> {
        let debt = self.suspended_for_money()?;
        let is_asked = self.observed.power_serial >= self.power.serial;
        let is_ignored = self.problem() == Some(ServerProblemCode::ShutdownIgnored)
            && !planted(Bug::LeaveDebtorRunning);
        if self.lifecycle != Lifecycle::Live || debt.is_forced || !is_asked || !is_ignored {
            return None;
        }
        let mut next = self.clone();
        next.suspension = Some(ServerSuspension {
            is_forced: true,
            was_up: debt.was_up || self.power.target == PowerTarget::On,
            ..debt
        });
        next.tell_power_anew();
        Some(next)
    }

    /// What its owner can ask of it now.
    #[must_use]
    pub fn owners_actions(&self, host: HostReach) -> Vec<ServerAction> {
        let kind = self.suspension.map(|suspension| suspension.cause.kind);
        let may =
            |action: &&ServerAction| kind.is_none_or(|kind| permits(kind, Asker::Owner, **action));
        let allowed = self.allowed_actions(host).iter();
        allowed.filter(may).copied().collect()
    }

    /// The state that is seen of a server that is in `state` beside its suspension: it counts once its host has done its
    /// part, as it has said.
    pub(super) fn seen_as_suspended(&self, state: ServerState) -> ServerState {
        let is_up = matches!(
            state,
            ServerState::Running
                | ServerState::Starting
                | ServerState::Stopping
                | ServerState::Rebooting
                | ServerState::Paused
        );
        let is_cut = is_up && self.is_to_be_cut() && self.observed.network_cut;
        match self.suspension {
            Some(_) if is_cut || state == ServerState::Stopped => ServerState::Suspended,
            Some(_) | None => state,
        }
    }
}

#[cfg(test)]
mod tests;
