//! What follows from the addresses that guests have and the subnets that those lie in: which of them the network around
//! routes here, and for which networks this host is the router. Pure; for [`super::drift`] and [`super::rules`].

use std::{
    collections::BTreeSet,
    net::{IpAddr, Ipv4Addr},
};

use innkeeper_wire::vm::PoolMode;

use crate::action::NetworkState;

/// All addresses of guests.
pub(super) fn addresses(state: &NetworkState) -> BTreeSet<IpAddr> {
    let guests = state.guests.iter();
    guests
        .flat_map(|guest| guest.nic.addresses.iter().copied())
        .collect()
}

/// Those that the network around routes to this host, so that it answers for them to nobody.
pub(super) fn routed(state: &NetworkState) -> BTreeSet<IpAddr> {
    let nics = state.guests.iter().map(|guest| &guest.nic);
    let pairs = nics.flat_map(|nic| nic.addresses.iter().zip(&nic.subnets));
    pairs
        .filter(|(_, subnet)| subnet.mode == PoolMode::Static)
        .map(|(address, _)| *address)
        .collect()
}

/// The subnets of routed pools, none within another.
pub(super) fn routed_pools(state: &NetworkState) -> BTreeSet<(IpAddr, u8)> {
    let nics = state.guests.iter().map(|guest| &guest.nic);
    let pairs = nics.flat_map(|nic| nic.addresses.iter().zip(&nic.subnets));
    let routed = pairs.filter(|(_, subnet)| subnet.mode == PoolMode::Static);
    let all: BTreeSet<_> = routed
        .map(|(address, subnet)| (network(*address, subnet.prefix), subnet.prefix))
        .collect();
    let is_within = |(inner, length): &(IpAddr, u8)| {
        all.iter().any(|(outer, shorter)| {
            shorter < length
                && outer.is_ipv4() == inner.is_ipv4()
                && network(*inner, *shorter) == *outer
        })
    };
    all.iter()
        .copied()
        .filter(|pool| !is_within(pool))
        .collect()
}

/// The first address of the network of that length which an address is in.
fn network(address: IpAddr, length: u8) -> IpAddr {
    match address {
        IpAddr::V4(v4) => {
            let mask = u32::MAX.checked_shl(32_u32.saturating_sub(length.into()));
            IpAddr::V4((u32::from(v4) & mask.unwrap_or(0)).into())
        }
        IpAddr::V6(v6) => {
            let mask = u128::MAX.checked_shl(128_u32.saturating_sub(length.into()));
            IpAddr::V6((u128::from(v6) & mask.unwrap_or(0)).into())
        }
    }
}

/// The gateways that the host has to be itself: those of routed pools. In IPv6 it is [`super::GATEWAY_V6`] anyway.
pub(super) fn gateways(state: &NetworkState) -> BTreeSet<Ipv4Addr> {
    let subnets = state.guests.iter().flat_map(|guest| &guest.nic.subnets);
    let routed = subnets.filter(|subnet| subnet.mode == PoolMode::Static);
    routed
        .filter_map(|subnet| match subnet.gateway {
            Some(IpAddr::V4(gateway)) => Some(gateway),
            Some(IpAddr::V6(_)) | None => None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::network_in as state;

    #[test]
    fn routed_pools_are_their_subnets() {
        let text = |state: &NetworkState| -> Vec<_> {
            let pools = routed_pools(state).into_iter();
            pools
                .map(|(network, length)| format!("{network}/{length}"))
                .collect()
        };
        assert!(text(&state(PoolMode::ProxyNeighbour)).is_empty());
        let mut state = state(PoolMode::Static);
        let mut other = state.guests[0].clone();
        state.guests[0].nic.subnets[0].prefix = 26;
        state.guests[0].nic.subnets[1].prefix = 64;
        assert_eq!(text(&state), ["198.51.100.128/26", "2001:db8::/64"]);
        other.nic.subnets[0].prefix = 24;
        other.nic.subnets[1].prefix = 128;
        state.guests.push(other);
        assert_eq!(text(&state), ["198.51.100.0/24", "2001:db8::/64"]);
    }
}
