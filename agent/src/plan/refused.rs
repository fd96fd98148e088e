//! Servers that this host can't carry, by what it found of its own network: they get no rules, no route and no answer
//! outside, and so are never started. Part of the plan.

use innkeeper_wire::{
    host::{
        FAULTS_MAX, HostFault, HostFaultCode, HostHealth, NOT_TRIED_AGAIN, ServerProblem,
        ServerProblemCode,
    },
    id::ServerId,
    vm::{Nic, ServerSpec},
};

use super::View;
use crate::{
    desired::Wanted,
    network::guard::{Refusal, refusal},
};

/// Why a server gets no place in the network of this host. One that runs keeps its own, unless somebody else uses
/// its address: what it lacks of IPv6 is no reason to take IPv4 away from it.
pub(super) fn keeps_out(view: &View<'_>, server: ServerId, nic: &Nic) -> Option<Refusal> {
    let domain = view.inventory.domains.get(&server);
    let runs = domain.is_some_and(|domain| domain.run.is_up());
    refusal(nic, &view.inventory.surroundings)
        .filter(|refusal| refusal.is_address_in_use() || !runs)
}

/// What to say of a server that can't be carried here.
pub(super) fn problem(view: &View<'_>, spec: &ServerSpec) -> Option<ServerProblem> {
    let refusal = refusal(&spec.network, &view.inventory.surroundings)?;
    Some(ServerProblem {
        code: ServerProblemCode::NetworkFailed,
        detail: refusal.to_string(),
        attempts: NOT_TRIED_AGAIN,
    })
}

/// What the host says of itself: what was found, and guests that were given an address which it needs.
pub(super) fn health(view: &View<'_>) -> HostHealth {
    let mut health = view.inventory.health.clone();
    for (server, wanted) in &view.desired.servers {
        let Wanted::Present(spec) = wanted else {
            continue;
        };
        let refused = refusal(&spec.network, &view.inventory.surroundings);
        if let Some(refused) = refused.filter(Refusal::is_address_in_use) {
            health.faults.push(HostFault {
                code: HostFaultCode::AddressInUse,
                detail: format!("{server} can't be carried: {refused}"),
                server: Some(*server),
            });
        }
    }
    health.faults.truncate(FAULTS_MAX);
    health
}
