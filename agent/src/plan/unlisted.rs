//! What a report says of things that the manifest may not list: strangers by name, and servers with the addresses
//! that they use. Part of the plan, since it follows from the same view; it leads to no action.

use std::collections::{BTreeMap, BTreeSet};

use innkeeper_wire::host::{ADDRESSES_PER_SERVER_MAX, HeldServer, SERVERS_PER_HOST_MAX};

use super::{View, network};

/// Most strangers that a report names.
pub const STRANGERS_MAX: usize = 100;

/// Names of what exists and is not listed.
pub(super) fn strangers(view: &View<'_>) -> Vec<String> {
    let inventory = view.inventory;
    let found = inventory
        .domains
        .keys()
        .chain(&inventory.disks)
        .chain(&inventory.seeds);
    let unlisted = found.filter(|server| !view.desired.servers.contains_key(server));
    let mut names: BTreeSet<_> = unlisted.map(ToString::to_string).collect();
    names.extend(inventory.strangers.iter().cloned());
    names.into_iter().take(STRANGERS_MAX).collect()
}

/// What addresses are used for here, by the network state that this host shall have.
pub(super) fn held(view: &View<'_>) -> Vec<HeldServer> {
    let mut held = BTreeMap::new();
    for server in view.inventory.domains.keys() {
        held.insert(*server, Vec::new());
    }
    for guest in network::wanted(view).guests {
        let addresses = guest.nic.addresses.iter().copied();
        held.insert(
            guest.server,
            addresses.take(ADDRESSES_PER_SERVER_MAX).collect(),
        );
    }
    held.into_iter()
        .take(SERVERS_PER_HOST_MAX)
        .map(|(server, addresses)| HeldServer { server, addresses })
        .collect()
}
