//! Room on hosts: choosing one from memory, taking room there as its records are now, giving it back.

use std::collections::BTreeMap;

use innkeeper_wire::{
    id::{Code, HostId},
    planted::{Bug, planted},
    time::Timestamp,
};

use super::{Hosts, Turn};
use crate::{
    addresses::rules::free_addresses::Carriers,
    hosts::rules::{
        host::{Demand, Host, Reserved},
        placement::{self, Candidate, Placement, Refusal},
    },
    kernel::{Error, Tx},
};

impl Hosts {
    /// Chooses a host for a server, and waits until it is one's turn to take room there.
    ///
    /// # Errors
    /// As [`Hosts::look_for_room`].
    pub(crate) async fn choose(
        &self,
        site: &Code,
        demand: Demand,
        carriers: &Carriers,
    ) -> Result<Turn<'_>, Error> {
        let now = self.ctx.now();
        let is_heard = |host| self.takes_servers(host, now);
        let chosen = self.mirror.choose(site, demand, carriers, is_heard);
        let turn = chosen.await.map_err(|refusals| {
            let is_away = self.is_room_away(site, demand, carriers);
            self.no_room(&refusals, is_away, now)
        })?;
        let Placement { host, score_ppm } = turn.placement;
        tracing::debug!(host.id = %host, score_ppm, "chose a host");
        Ok(turn)
    }

    /// Whether some host would take a server now. Promises nothing.
    ///
    /// # Errors
    /// [`Error::NoRoom`], [`Error::RoomAway`] when a host has room that is not heard of, or [`Error::Starting`] while
    /// hosts are still awaited.
    pub(crate) fn look_for_room(
        &self,
        site: &Code,
        demand: Demand,
        carriers: &Carriers,
    ) -> Result<(), Error> {
        let now = self.ctx.now();
        let is_heard = |host| self.takes_servers(host, now);
        let found = self.mirror.place(site, demand, carriers, is_heard);
        found.map(drop).map_err(|refusals| {
            let is_away = self.is_room_away(site, demand, carriers);
            self.no_room(&refusals, is_away, now)
        })
    }

    /// Whether a host would take a server if all were heard of.
    fn is_room_away(&self, site: &Code, demand: Demand, carriers: &Carriers) -> bool {
        let found = self.mirror.place(site, demand, carriers, |_| true);
        found.is_ok()
    }

    /// Why no host takes a server. Right after a start nobody knows yet what those have that were not heard of.
    fn no_room(&self, refusals: &[(HostId, Refusal)], is_away: bool, now: Timestamp) -> Error {
        let is_awaited = |(host, refusal): &(HostId, Refusal)| {
            *refusal == Refusal::Unreachable && self.presence.heard(*host).is_none()
        };
        let wait = self.presence.awaits_hosts_for(now);
        match wait.filter(|_| refusals.iter().any(is_awaited)) {
            Some(wait) => Error::Starting {
                retry_after_s: wait.as_secs().max(1),
            },
            None if is_away => Error::RoomAway(hosts_by_refusal(refusals)),
            None => Error::NoRoom(hosts_by_refusal(refusals)),
        }
    }

    /// Takes room on a host that was chosen from memory, as its records are now; gives the host unless it has none.
    pub(crate) fn take_room(
        &self,
        tx: &mut Tx<'_>,
        site: &Code,
        host: HostId,
        demand: Demand,
    ) -> Result<Option<Host>, Error> {
        let Some(host) = tx.get::<Host>(&host)? else {
            return Ok(None);
        };
        let reserved = tx.get::<Reserved>(&host.id)?.unwrap_or_default();
        let candidate = Candidate {
            host: host.id,
            name: host.name.clone(),
            site: host.site.clone(),
            state: host.state,
            cordoned: host.cordon.is_some(),
            reachable: self.takes_servers(host.id, tx.now()),
            // The addresses themselves are taken in the same commit.
            addressable: true,
            capacity: host.capacity,
            reserved,
        };
        let placed = placement::place(
            site,
            demand,
            self.overcommit,
            std::slice::from_ref(&candidate),
        );
        if placed.is_err() {
            // What is kept in memory may be behind: by a record that another process wrote, at the most.
            self.mirror.look_again(&self.ctx, host.id)?;
            return Ok(None);
        }
        tx.put(&host.id, &reserved.with(demand))?;
        Ok(Some(host))
    }

    /// Gives back the room of a server that is gone.
    pub(crate) fn give_room_back(
        &self,
        tx: &mut Tx<'_>,
        host: HostId,
        demand: Demand,
    ) -> Result<(), Error> {
        if let Some(reserved) = tx.get::<Reserved>(&host)?
            && !planted(Bug::ForgetUndo)
        {
            tx.put(&host, &reserved.without(demand))?;
        }
        Ok(())
    }
}

/// How many hosts were passed over for which reason.
fn hosts_by_refusal(refusals: &[(HostId, Refusal)]) -> String {
    let mut counts = BTreeMap::<Refusal, usize>::new();
    for (_, refusal) in refusals {
        *counts.entry(*refusal).or_default() += 1;
    }
    let one = |(refusal, hosts): (&Refusal, &usize)| format!("{hosts} x {refusal}");
    counts.iter().map(one).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use innkeeper_wire::{host::HostCapacity, id::uuid_v7, size::Bytes};

    use super::*;
    use crate::{
        addresses::Addresses,
        hosts::rules::{host::HostState, placement::Overcommit},
        kernel::{
            Actor,
            ctx::commit_once,
            testing::{ctx, open},
        },
    };

    const NOW: Timestamp = Timestamp::from_millis(1);

    #[tokio::test]
    async fn room_is_taken_and_given_back_as_it_was_read_or_not_at_all() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = open(folder.path());
        let ctx = ctx(&store);
        let overcommit = Overcommit {
            cpu_percent: 100,
            memory_percent: 100,
            disk_percent: 100,
        };
        let addresses = Addresses::new(ctx.clone(), vec![], std::time::Duration::ZERO);
        let hosts = Hosts::new(ctx, addresses, vec![], overcommit);
        let id = HostId::from_uuid(uuid_v7(NOW, [1; 10]));
        let demand = Demand {
            vcpus: 1,
            memory: Bytes::gib(1),
            disk: Bytes::gib(10),
        };
        let host = Host {
            id,
            name: "h1".to_owned(),
            site: "lab".parse().expect("a code"),
            state: HostState::Active,
            capacity: Some(HostCapacity {
                cpus: 8,
                memory: Bytes::gib(64),
                disk: Bytes::gib(100),
            }),
            joined_at: NOW,
            changed_at: None,
            confirmed: None,
            loss: None,
            replaced: None,
            cordon: None,
        };
        let entered = commit_once(&store, NOW, Actor::System, "test", |tx| {
            hosts.enter(tx, &host)
        });
        entered.await.expect("it commits");
        // Silent, so it is not taken: but what the refusal was decided by is guarded, and nothing is written.
        let mut tx = Tx::new(&store, NOW);
        let taken = hosts.take_room(&mut tx, &host.site, id, demand);
        assert!(taken.expect("readable").is_none() && !tx.writes());
        hosts.give_room_back(&mut tx, id, demand).expect("readable");
        assert!(tx.writes());
        assert_eq!(
            tx.guarded(),
            [format!("hst/{id}"), format!("reserved/{id}")]
        );
    }
}
