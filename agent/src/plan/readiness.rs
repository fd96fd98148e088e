//! Whether a server is ready: its guest agent answers, or its guest has answered ARP or ND for each of its addresses
//! since it was started (design.md section 10). Part of the plan: which guests are asked, and what is remembered.
//!
//! A guest that was ready stays so until its next start: one that falls silent later, or loses an address, did so
//! by its owner's doing. What the host itself breaks is told by `network_problem`.

use std::{collections::BTreeSet, net::IpAddr, time::Duration};

use innkeeper_wire::{
    host::{ServerProblem, ServerProblemCode},
    planted::{Bug, planted},
    vm::ServerSpec,
};

use super::{Eyes, View};
use crate::{
    desired::Wanted,
    hypervisor::{Domain, DomainRun, Question},
    memory::{Memory, Readiness, ServerMemory},
    power::{LASTED_AFTER, has_run},
};

/// When a guest that has not answered is said to be out of reach. It is asked on.
pub const UNREACHABLE_AFTER: Duration = Duration::from_secs(60);

impl Eyes<'_> {
    /// What is to be remembered of a server that was `known` so.
    pub(super) fn readiness(
        &self,
        spec: &ServerSpec,
        known: Option<Readiness>,
    ) -> Option<Readiness> {
        match self.domain {
            // One that lost its domain may have been ready before anybody remembered it.
            None if self.disk => known,
            None => known.or(Some(Readiness::Never)),
            Some(domain) if self.answers(spec, domain) => Some(Readiness::Ready {
                start: domain.started_at,
            }),
            Some(_) => known,
        }
    }

    fn answers(&self, spec: &ServerSpec, domain: &Domain) -> bool {
        let addresses = &spec.network.addresses;
        let all_heard = match addresses.is_empty() {
            true => has_run(domain, LASTED_AFTER, self.view.now),
            false => addresses
                .iter()
                .all(|address| self.is_heard(spec, domain, address)),
        };
        let waited = planted(Bug::ReadyUnheard) && has_run(domain, LASTED_AFTER, self.view.now);
        domain.run == DomainRun::Running && (domain.guest_agent || all_heard || waited)
    }

    /// Whether the guest itself has answered for an address since its start.
    fn is_heard(&self, spec: &ServerSpec, domain: &Domain, address: &IpAddr) -> bool {
        let heard = self.view.inventory.heard.get(address);
        heard.is_some_and(|heard| {
            heard.mac == spec.network.mac
                && domain.started_at.is_none_or(|started_at| {
                    // A start that lies ahead was made before the clock was set back.
                    heard.at >= started_at || started_at > self.view.now
                })
        })
    }

    fn unheard<'s>(&'s self, spec: &'s ServerSpec) -> impl Iterator<Item = &'s IpAddr> {
        let addresses = spec.network.addresses.iter();
        addresses.filter(|address| {
            let domain = self.domain;
            domain.is_some_and(|domain| !self.is_heard(spec, domain, address))
        })
    }

    /// The addresses for which a guest is still to answer.
    pub(super) fn questions(
        &self,
        spec: &ServerSpec,
        readiness: Option<Readiness>,
        memory: &ServerMemory,
    ) -> Vec<Question> {
        if !self.is_running() || !self.is_covered(spec) {
            return Vec::new();
        }
        let heard = &self.view.inventory.heard;
        let question = |address: &IpAddr| Question {
            address: *address,
            mac: spec.network.mac,
            known: heard.get(address).map(|heard| heard.mac),
        };
        match self.is_ready(readiness) {
            true => self
                .silent_since_reset(spec, memory)
                .map(question)
                .collect(),
            false => self.unheard(spec).map(question).collect(),
        }
    }

    /// Whether it was ready since its present start.
    pub(super) fn is_ready(&self, readiness: Option<Readiness>) -> bool {
        self.domain.is_some_and(|domain| {
            let start = domain.started_at;
            readiness == Some(Readiness::Ready { start })
        })
    }

    /// A guest that runs and can't be reached is a problem of its own.
    pub(super) fn reach_problem(
        &self,
        spec: &ServerSpec,
        readiness: Option<Readiness>,
    ) -> Option<ServerProblem> {
        let domain = self.domain.filter(|_| self.is_running())?;
        if self.is_ready(readiness) || !has_run(domain, UNREACHABLE_AFTER, self.view.now) {
            return None;
        }
        let silent: Vec<String> = self.unheard(spec).map(ToString::to_string).collect();
        Some(ServerProblem {
            code: ServerProblemCode::NotReachable,
            detail: format!(
                "the guest has not answered for {} since its start, and no guest agent answers",
                silent.join(", ")
            ),
            attempts: 0,
        })
    }
}

/// Of a server that is not listed it counts only while it is here.
pub(super) fn forget(memory: &mut Memory, view: &View<'_>) {
    let held: BTreeSet<_> = view.inventory.domains.keys().collect();
    memory.readiness.retain(|server, _| {
        let wanted = view.desired.servers.get(server);
        held.contains(server) || matches!(wanted, Some(Wanted::Present(_)))
    });
}

/// Whether it was ever ready; `None`: nobody remembers.
pub(super) fn was_ready(readiness: Option<Readiness>) -> Option<bool> {
    readiness.map(|readiness| readiness != Readiness::Never)
}
