//! What hosts say that they have (`hosts::rules::capacity`), as it is taken in, doubted and accepted.

use innkeeper_wire::{
    host::{HostCapacity, Report},
    id::HostId,
    operator::reason::Reason,
};

use super::{HostOverview, Hosts, presence::Heard};
use crate::{
    hosts::rules::{
        capacity::{self, Judged},
        condition::Condition,
        host::Host,
    },
    kernel::{Actor, Error, Tx, caller::because},
};

impl HostOverview {
    /// What it says that it has, when less of that counts: it has grown by more than is believed without an operator,
    /// or says what can't be.
    #[must_use]
    pub fn claims_more(&self) -> Option<HostCapacity> {
        let claims = self.heard.as_ref()?.claims;
        let counts = capacity::judge(&self.host, claims).counts;
        let is_more = capacity::has_shrunk(claims, counts);
        (is_more || capacity::check(claims).is_err()).then_some(claims)
    }
}

impl Hosts {
    /// Whether what a host says that it has can be so. One that says too much is not believed in anything: it could
    /// say of servers that it has them as well. Said once, with the report before in `before`.
    pub(crate) fn is_plausible(&self, host: HostId, before: Option<&Heard>) -> bool {
        let heard = self.presence.heard(host);
        let implausible = heard.and_then(|heard| heard.implausible);
        if let Some(why) = implausible
            && before.and_then(|before| before.implausible) != implausible
        {
            tracing::error!(host.id = %host, %why, "a host says that it has what it can't have: it is not believed");
        }
        implausible.is_none()
    }

    /// Takes in what a host says that it has.
    pub(crate) async fn note_capacity(&self, host: HostId, report: &Report) -> Result<(), Error> {
        let decide = |tx: &mut Tx<'_>| {
            let found = tx.get::<Host>(&host)?.ok_or(Error::HostRefused)?;
            let Judged { counts, confirmed } = capacity::judge(&found, report.capacity);
            let heard = self.presence.heard(host);
            let shrunk_at = heard.and_then(|heard| heard.shrunk_at);
            let counts = capacity::steady(found.capacity, counts, shrunk_at, tx.now());
            if (found.capacity, found.confirmed) != (Some(counts), Some(confirmed)) {
                let next = Host {
                    capacity: Some(counts),
                    confirmed: Some(confirmed),
                    ..found
                };
                tx.put(&host, &next)?;
            }
            Ok(())
        };
        self.ctx.commit(Actor::Host(host), "capacity", decide).await
    }

    /// Has a host count with all that it says now that it has: an operator knows that it was extended. Gives what
    /// that is. What it says while something of it is away would be what it is measured by from then on.
    pub async fn accept_capacity(
        &self,
        by: Actor,
        host: HostId,
        reason: &Reason,
    ) -> Result<HostCapacity, Error> {
        let refused = |why: &str| Error::OperatorRefused(why.to_owned());
        let heard = self.presence.heard(host);
        let heard = heard.ok_or_else(|| refused("it has not reported since the start"))?;
        if let Some(why) = heard.implausible {
            return Err(refused(&format!("it can't be so: {why}")));
        }
        let cause = because(&format!("accept the capacity of {host}"), reason.as_str());
        let decide = |tx: &mut Tx<'_>| {
            let found = tx.get::<Host>(&host)?.ok_or(Error::NotFound)?;
            if !matches!(
                self.presence.condition(&found, tx.now()),
                Condition::Heard { .. }
            ) {
                return Err(refused(
                    "it must be active, heard and its libvirt be there: `host list` says how it is",
                ));
            }
            let HostCapacity { cpus, memory, disk } = heard.claims;
            if cpus == 0 || memory.0 == 0 || disk.0 == 0 {
                return Err(refused(
                    "it says that it has no processors, no memory or no disk at all",
                ));
            }
            let next = Host {
                capacity: Some(heard.claims),
                confirmed: Some(heard.claims),
                ..found
            };
            tx.put(&host, &next)?;
            Ok(heard.claims)
        };
        self.ctx.commit(by, &cause, decide).await
    }
}
