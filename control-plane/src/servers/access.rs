//! Engineers' access to a server: what its host is told, and what it says of it. For which job it is, and whether somebody may
//! have it, others decide.

use innkeeper_wire::{
    host::LEASE_S,
    id::{AccountId, GrantId, HostId, ServerId},
    time::Timestamp,
};

use super::Servers;
use crate::{
    kernel::{Error, Tx},
    servers::rules::server::{Lifecycle, Server, ServerAccess},
};

/// That a host was told of a grant, or of its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AccessTold {
    /// Which host.
    pub host: HostId,
    /// From which generation of its desired state on.
    pub generation: u64,
}

/// What is known of a grant, by its host's newest report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccessSeen {
    /// Its host has not said anything for a while, or nobody has heard it since our start.
    Unheard {
        /// When it was heard of last.
        at: Option<Timestamp>,
    },
    /// It was heard of, and has not said that engineers are let in.
    Shut {
        /// When.
        at: Timestamp,
        /// Whether it has the newest desired state.
        is_current: bool,
    },
    /// It says that they are.
    Open {
        /// When.
        at: Timestamp,
        /// Whether it has the newest desired state.
        is_current: bool,
        /// Whether a packet of theirs has come through.
        is_used: bool,
    },
}

impl Servers {
    /// Clause: lets engineers in to a server, in place of a grant of before that is named.
    ///
    /// # Errors
    /// [`Error::OutOfTurn`] when they are let in for something else, or it can't be done there.
    pub(crate) fn let_in(
        &self,
        tx: &mut Tx<'_>,
        (account, id): (AccountId, ServerId),
        before: Option<GrantId>,
        access: ServerAccess,
    ) -> Result<AccessTold, Error> {
        let server = self.find_in(tx, account, id)?;
        if server.lifecycle != Lifecycle::Live {
            return Err(Error::OutOfTurn("the server is deleted"));
        }
        // Of a host that was left behind at a restore, nobody knows yet what it has and did.
        if !self.ctx.gate().is_settled(server.host) {
            return Err(Error::Restoring);
        }
        if !self.can_let_in(&server) {
            return Err(Error::OutOfTurn("the server's host can't let engineers in"));
        }
        let other = server.access.filter(|held| Some(held.grant) != before);
        let holds = |held: ServerAccess| held.until > tx.now() && held.epoch == access.epoch;
        if other.is_some_and(holds) {
            return Err(Error::OutOfTurn("engineers are let in for another job"));
        }
        self.put_access(tx, server, Some(access))
    }

    /// Clause: lets them in no more. Nothing when this grant is not there.
    pub(crate) fn shut_out(
        &self,
        tx: &mut Tx<'_>,
        (account, id): (AccountId, ServerId),
        grant: GrantId,
    ) -> Result<Option<AccessTold>, Error> {
        let Some(server) = tx.get::<Server>(&(account, id))? else {
            return Ok(None);
        };
        if server.access.is_none_or(|held| held.grant != grant) {
            return Ok(None);
        }
        self.put_access(tx, server, None).map(Some)
    }

    fn put_access(
        &self,
        tx: &mut Tx<'_>,
        server: Server,
        access: Option<ServerAccess>,
    ) -> Result<AccessTold, Error> {
        let host = server.host;
        let generation = self.hosts.advance_manifest(tx, host)?;
        let name = (server.account, server.id);
        tx.put(&name, &Server { access, ..server })?;
        Ok(AccessTold { host, generation })
    }

    /// Whether the host of a server, as far as it is heard of, can let engineers in.
    pub(crate) fn can_let_in(&self, server: &Server) -> bool {
        let heard = self.hosts.presence().heard(server.host);
        heard.is_none_or(|heard| heard.lets_engineers_in)
    }

    /// What the host of a server says of a grant.
    pub(crate) fn access_seen(
        &self,
        host: HostId,
        grant: GrantId,
        now: Timestamp,
    ) -> Result<AccessSeen, Error> {
        let heard = self.hosts.presence().heard(host);
        let Some(heard) = heard.filter(|heard| heard.is_recent(now)) else {
            let at = self.hosts.presence().heard(host).map(|heard| heard.at);
            return Ok(AccessSeen::Unheard { at });
        };
        let is_current = heard.generation == self.hosts.manifest_generation(host)?;
        let open = heard.access.iter().find(|open| open.grant == grant);
        Ok(match open.filter(|open| open.left_s > 0) {
            Some(open) => AccessSeen::Open {
                at: heard.at,
                is_current,
                is_used: open.packets > 0,
            },
            None => AccessSeen::Shut {
                at: heard.at,
                is_current,
            },
        })
    }

    /// When a host ends by itself, at the latest, what it was told to end at `asked_at`: the lease runs from when it heard us
    /// last.
    pub(crate) fn access_ends_by(&self, asked_at: Timestamp) -> Timestamp {
        // It may have heard an answer that we have just sent.
        asked_at.after(std::time::Duration::from_secs(u64::from(LEASE_S)))
    }
}
