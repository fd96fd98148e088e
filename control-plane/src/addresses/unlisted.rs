//! Addresses that are held for servers which no record knows: found on hosts after a restore (`continuity`).

use std::{collections::BTreeSet, net::IpAddr};

use innkeeper_wire::{
    host::HeldServer,
    id::{HostId, ServerId},
    planted::{Bug, planted},
};
use serde::{Deserialize, Serialize};

use super::Addresses;
use crate::{
    addresses::rules::pools::AddressClaim,
    kernel::{Actor, Error, Tx},
};

/// An address that a server uses which no record knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnlistedAddress {
    /// The address.
    pub address: IpAddr,
    /// Which server.
    pub server: ServerId,
    /// Where.
    pub host: HostId,
}

impl Addresses {
    /// All of them.
    pub fn unlisted(&self) -> Result<Vec<UnlistedAddress>, Error> {
        let mut unlisted = Vec::new();
        self.ctx.for_each::<AddressClaim>(|address, claim| {
            if let AddressClaim::Unlisted { server, host } = claim.value {
                unlisted.push(UnlistedAddress {
                    address: *address,
                    server,
                    host,
                });
            }
        })?;
        Ok(unlisted)
    }

    /// Those of the pools, from memory.
    #[must_use]
    pub fn unlisted_in_pools(&self) -> Vec<UnlistedAddress> {
        let unlisted = self.free.unlisted().into_iter();
        let named = |(address, server, host)| UnlistedAddress {
            address,
            server,
            host,
        };
        unlisted.map(named).collect()
    }

    /// Holds the addresses of a server that no record knows. One that a record knows of is not taken away: the
    /// records of a server that is still there win; one that is leaving has no use for it any more. Gives those that
    /// others have.
    pub(crate) async fn hold(
        &self,
        actor: Actor,
        host: HostId,
        held: &HeldServer,
        leaving: &BTreeSet<ServerId>,
    ) -> Result<Vec<IpAddr>, Error> {
        let cause = format!("found {} on {host}", held.server);
        let decide = |tx: &mut Tx<'_>| {
            let mut contested = Vec::new();
            for address in &held.addresses {
                match tx.get::<AddressClaim>(address)? {
                    // The host has joined anew, and a record has the server at its former id.
                    Some(AddressClaim::Held { server }) if server == held.server => {}
                    Some(AddressClaim::Held { server }) if !leaving.contains(&server) => {
                        contested.push(*address);
                        tracing::error!(
                            host.id = %host, vm.id = %held.server, other.id = %server, %address,
                            "a server that no record knows uses the address of another one"
                        );
                    }
                    // A host itself has it: nobody is given it either.
                    Some(AddressClaim::Unlisted { .. } | AddressClaim::Host { .. }) => {}
                    _ if planted(Bug::ForgetUnlisted) => {}
                    Some(AddressClaim::Held { .. } | AddressClaim::Resting { .. }) | None => {
                        let server = held.server;
                        tx.put(address, &AddressClaim::Unlisted { server, host })?;
                    }
                }
            }
            Ok(contested)
        };
        self.ctx.commit(actor, &cause, decide).await
    }

    /// Gives back an address that was held for a server which no record knows, or that a host had. `check_is_gone` says why
    /// the server may still use it, if it may.
    pub(crate) async fn release(
        &self,
        address: IpAddr,
        check_is_gone: impl Fn(ServerId, HostId) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let cause = format!("release {address}");
        let decide = |tx: &mut Tx<'_>| {
            match tx.get::<AddressClaim>(&address)? {
                Some(AddressClaim::Unlisted { server, host }) => check_is_gone(server, host)?,
                // Should the host have it still, its next report takes it again before it has rested.
                Some(AddressClaim::Host { .. }) => {}
                Some(AddressClaim::Held { .. } | AddressClaim::Resting { .. }) | None => {
                    let detail = format!(
                        "{address} is held neither for a server that no record knows nor for a host"
                    );
                    return Err(Error::OperatorRefused(detail));
                }
            }
            let until = self.rest_until(tx.now());
            tx.put(&address, &AddressClaim::Resting { until })
        };
        self.ctx.commit(Actor::Operator, &cause, decide).await
    }
}
