//! The network of the host as part of the plan: one state for all guests, which goes before everything else.

use std::collections::BTreeMap;

use super::{View, refused};
use crate::{
    action::{Action, GuestNetwork, NetworkState},
    desired::Wanted,
    memory::Memory,
};

/// The network state that this host shall have: all servers that are wanted, and all others whose domain
/// still exists, with the addresses that they have now.
pub(super) fn wanted(view: &View<'_>) -> NetworkState {
    let mut guests = BTreeMap::new();
    for guest in &view.memory.network.guests {
        if view.inventory.domains.contains_key(&guest.server) {
            guests.insert(guest.server, guest.nic.clone());
        }
    }
    for (server, wanted) in &view.desired.servers {
        if let Wanted::Present(spec) = wanted {
            guests.insert(*server, spec.network.clone());
        }
    }
    guests.retain(|server, nic| refused::keeps_out(view, *server, nic).is_none());
    let guests = guests.into_iter();
    NetworkState {
        guests: guests
            .map(|(server, nic)| GuestNetwork { server, nic })
            .collect(),
    }
}

/// The installed network state, if it is one that we know. An unknown one covers nobody.
pub(super) fn installed(view: &View<'_>, wanted: &NetworkState) -> Option<NetworkState> {
    let installed = view.inventory.network?;
    [wanted, &view.memory.network]
        .into_iter()
        .find(|state| state.digest() == installed)
        .cloned()
}

/// Remembers what is installed, and forgets the attempts to install it.
pub(super) fn settle(memory: &mut Memory, wanted: &NetworkState, installed: Option<&NetworkState>) {
    if let Some(installed) = installed {
        memory.network = installed.clone();
    }
    if installed == Some(wanted) {
        memory.network_attempt = None;
    }
}

/// The network state that is to be installed now, if another one is.
pub(super) fn step(memory: &Memory, view: &View<'_>, wanted: NetworkState) -> Option<NetworkState> {
    if view.inventory.network == Some(wanted.digest()) {
        return None;
    }
    let action = Action::ApplyNetwork(wanted);
    let attempt = memory.attempt(None, &action);
    let due = attempt.is_none_or(|attempt| attempt.is_due(attempt.backoff(), view.now));
    match action {
        Action::ApplyNetwork(wanted) if due => Some(wanted),
        _ => None,
    }
}
