//! How a reboot goes that a guest was asked for. Part of the plan.
//!
//! Asking is no reboot: a guest may be frozen, or not listen. It counts as made once the machine was reset and the guest
//! has answered since. One that does not come to it within [`REBOOT_WAIT`] is said to have failed, and is not forced:
//! its owner can power the server off, and knows what would be lost. Who saw no events knows nothing, and says nothing.

use std::net::IpAddr;

use innkeeper_wire::{
    host::{ServerProblem, ServerProblemCode},
    time::Timestamp,
    vm::ServerSpec,
};

use super::{Eyes, trouble::trouble};
use crate::{
    hypervisor::Rebooting,
    memory::{ServerMemory, Step},
    power::REBOOT_WAIT,
};

/// What is to be said of a reboot.
pub(super) enum Reboot {
    UnderWay,
    Failed(Option<ServerProblem>),
}

impl Eyes<'_> {
    /// How the last one goes; `None` when it was made, or nothing is known of it.
    pub(super) fn reboot(&self, memory: &ServerMemory) -> Option<Reboot> {
        let attempt = memory.attempts.get(&Step::Reboot)?;
        let is_over = attempt.is_due(REBOOT_WAIT, self.view.now);
        let code = ServerProblemCode::RebootFailed;
        match (self.domain?.rebooting, &attempt.failure) {
            // What it does since is its guest's doing.
            (Rebooting::Reset { .. }, _) if is_over => None,
            (Rebooting::Reset { .. }, _) => Some(Reboot::UnderWay),
            (Rebooting::Asked | Rebooting::No, Some(_)) => {
                let said = trouble(attempt, code);
                Some(Reboot::Failed(
                    said.map(|problem| ServerProblem { code, ..problem }),
                ))
            }
            (Rebooting::Asked, None) if is_over => Some(Reboot::Failed(Some(ServerProblem {
                code,
                detail: format!(
                    "the guest was asked to reboot and has not within {} s",
                    REBOOT_WAIT.as_secs()
                ),
                attempts: attempt.count,
            }))),
            (Rebooting::Asked, None) => Some(Reboot::UnderWay),
            // Its count is noted a moment before anybody listens for its reset.
            (Rebooting::No, None) if self.busy => Some(Reboot::UnderWay),
            (Rebooting::No, None) => None,
        }
    }

    /// Whether the guest was reset and has answered since.
    pub(super) fn is_back(&self, spec: &ServerSpec) -> bool {
        let Some((domain, Rebooting::Reset { seen_at })) =
            self.domain.map(|domain| (domain, domain.rebooting))
        else {
            return false;
        };
        let mut addresses = spec.network.addresses.iter();
        // libvirt hears of the agent's end a moment after the reset.
        let agent_answers = domain.guest_agent && self.view.now > seen_at;
        agent_answers || addresses.all(|address| self.is_heard_since(spec, address, seen_at))
    }

    fn is_heard_since(&self, spec: &ServerSpec, address: &IpAddr, since: Timestamp) -> bool {
        let heard = self.view.inventory.heard.get(address);
        heard.is_some_and(|heard| heard.mac == spec.network.mac && heard.at >= since)
    }

    /// The addresses for which a guest that was reset is to answer.
    pub(super) fn silent_since_reset<'s>(
        &'s self,
        spec: &'s ServerSpec,
        memory: &ServerMemory,
    ) -> impl Iterator<Item = &'s IpAddr> {
        let since = match (self.reboot(memory), self.domain.map(|it| it.rebooting)) {
            (Some(Reboot::UnderWay), Some(Rebooting::Reset { seen_at })) => Some(seen_at),
            _ => None,
        };
        let addresses = spec.network.addresses.iter();
        addresses.filter(move |address| {
            since.is_some_and(|since| !self.is_heard_since(spec, address, since))
        })
    }
}
