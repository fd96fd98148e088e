//! What is kept in memory of all servers: how many there are by state, of which nothing was seen yet, and what operators'
//! lists are searched by. Read from the
//! store at the start, told of every write after that; who decides, reads and guards the record.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use innkeeper_wire::{
    id::{AccountId, HostId, ServerId},
    time::Timestamp,
    vm::Hostname,
};

use crate::{
    hosts::rules::host::HostReach,
    kernel::{
        Ctx, Error,
        record::{name_in, written},
    },
    servers::rules::{
        census::{Census, Counted},
        roll::Roll,
        server::Server,
    },
    store::{Follower, Write},
};

#[derive(Default)]
pub(super) struct Mirror {
    census: Mutex<Census>,
    roll: Mutex<Roll>,
    /// Whether what was there at the start has been read.
    loaded: Mutex<bool>,
}

impl Mirror {
    /// Reads what is there, unless that was done before. It must follow the store already.
    pub(super) fn load(&self, ctx: &Ctx) -> Result<(), Error> {
        let mut loaded = lock(&self.loaded);
        if !*loaded {
            ctx.for_each::<Server>(|_, server| self.note(&server.value))?;
            *loaded = true;
        }
        Ok(())
    }

    fn note(&self, server: &Server) {
        lock(&self.census).note(server);
        lock(&self.roll).note(server);
    }

    /// All servers, to look something up.
    pub(super) fn roll(&self) -> MutexGuard<'_, Roll> {
        lock(&self.roll)
    }

    pub(super) fn count(&self, reach: impl Fn(HostId) -> HostReach) -> Counted {
        lock(&self.census).count(reach)
    }

    /// Whether an account has a server of this name that is to exist.
    pub(super) fn has_name(&self, account: AccountId, name: &Hostname) -> bool {
        lock(&self.census).has_name(account, name)
    }

    /// Servers of which nothing was seen yet, `age` or longer after they were ordered.
    pub(super) fn unseen(&self, age: Duration, now: Timestamp) -> Vec<(HostId, ServerId)> {
        lock(&self.census).unseen(age, now)
    }
}

impl Follower for Mirror {
    fn applied(&self, _: u64, write: &Write) {
        let Some((_, server)) = name_in::<Server>(write.key()) else {
            return;
        };
        match written::<Server>(write) {
            Some(server) => self.note(&server),
            None => lock(&self.census).forget(server),
        }
    }
}

/// What these locks guard is whole between any two statements, so a panic elsewhere must not stop all orders.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
