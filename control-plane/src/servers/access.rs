//! Engineers' access to a server: what its host is told, and what it says of it. For which job it is, and whether somebody may
//! have it, others decide.

use innkeeper_wire::{
    id::{AccountId, GrantId, HostId, ServerId},
    time::Timestamp,
};

use super::Servers;
use crate::{
    kernel::{Error, Tx},
    servers::rules::server::{Lifecycle, Server, ServerAccess},
};

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
    /// Clause: lets engineers in to a server, in place of a grant of before that is named. Gives the host that is told.
    ///
    /// # Errors
    /// [`Error::OutOfTurn`] when they are let in for something else, or it can't be done there.
    pub(crate) fn let_in(
        &self,
        tx: &mut Tx<'_>,
        (account, id): (AccountId, ServerId),
        before: Option<GrantId>,
        access: ServerAccess,
    ) -> Result<HostId, Error> {
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

    /// Clause: lets them in no more. Gives the host that is told; none when this grant is not there.
    pub(crate) fn shut_out(
        &self,
        tx: &mut Tx<'_>,
        (account, id): (AccountId, ServerId),
        grant: GrantId,
    ) -> Result<Option<HostId>, Error> {
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
    ) -> Result<HostId, Error> {
        let host = server.host;
        self.hosts.advance_manifest(tx, host)?;
        let name = (server.account, server.id);
        tx.put(&name, &Server { access, ..server })?;
        Ok(host)
    }

    /// Whether the host of a server has said that it can let engineers in. One that can't, and is told to, does nothing more
    /// of what is new, for any of its servers.
    pub(crate) fn can_let_in(&self, server: &Server) -> bool {
        let heard = self.hosts.presence().heard(server.host);
        heard.is_some_and(|heard| heard.lets_engineers_in)
    }

    /// What the host of a server says of a grant.
    pub(crate) fn access_seen(
        &self,
        host: HostId,
        grant: GrantId,
        now: Timestamp,
    ) -> Result<AccessSeen, Error> {
        let heard = self.hosts.presence().heard(host);
        let heard_at = heard.as_ref().map(|heard| heard.at);
        let Some(heard) = heard.filter(|heard| heard.is_recent(now)) else {
            return Ok(AccessSeen::Unheard { at: heard_at });
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
}
