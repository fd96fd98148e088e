//! How many servers are in which state, and which names they have, kept up to date by each write, so that telling it
//! costs nothing.

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use innkeeper_wire::{
    api::ServerState,
    id::{AccountId, HostId, ServerId},
    time::Timestamp,
    vm::Hostname,
};

use crate::{
    hosts::rules::host::HostReach,
    servers::rules::server::{Lifecycle, Server},
};

/// The servers that are not gone.
#[derive(Debug, Default)]
pub struct Census {
    servers: HashMap<ServerId, Class>,
    counts: HashMap<Class, u64>,
    /// How many servers that are to exist have a name in their account: two, when they were made before names were
    /// told apart.
    names: HashMap<Name, u32>,
    named: HashMap<ServerId, Name>,
    /// Those of which nothing was seen yet, and since when they wait.
    unseen: BTreeMap<ServerId, (HostId, Timestamp)>,
}

type Name = (AccountId, Hostname);

/// What servers are counted by: the state depends on whether the host is heard of, which no write tells.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Class {
    host: HostId,
    while_heard: ServerState,
    while_silent: ServerState,
    /// As it is called in the API.
    problem: Option<String>,
}

/// Servers by state, and by what is in their way.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Counted {
    /// By state, as it is called in the API.
    pub states: BTreeMap<String, u64>,
    /// By problem, as it is called in the API.
    pub problems: BTreeMap<String, u64>,
}

impl Census {
    /// Takes in a server as it is now.
    pub fn note(&mut self, server: &Server) {
        self.forget(server.id);
        if matches!(server.lifecycle, Lifecycle::Gone { .. }) {
            return;
        }
        if server.lifecycle == Lifecycle::Live {
            let name = (server.account, server.name.clone());
            *self.names.entry(name.clone()).or_default() += 1;
            self.named.insert(server.id, name);
        }
        if server.is_unseen() {
            let waits = (server.host, server.created_at);
            self.unseen.insert(server.id, waits);
        }
        let class = Class {
            host: server.host,
            while_heard: server.state(HostReach::Heard),
            while_silent: server.state(HostReach::Silent),
            problem: server.problem().map(name),
        };
        *self.counts.entry(class.clone()).or_default() += 1;
        self.servers.insert(server.id, class);
    }

    /// Forgets a server.
    pub fn forget(&mut self, server: ServerId) {
        self.unseen.remove(&server);
        if let Some(name) = self.named.remove(&server)
            && let Some(count) = self.names.get_mut(&name)
        {
            *count -= 1;
            if *count == 0 {
                self.names.remove(&name);
            }
        }
        let Some(class) = self.servers.remove(&server) else {
            return;
        };
        if let Some(count) = self.counts.get_mut(&class) {
            *count -= 1;
            if *count == 0 {
                self.counts.remove(&class);
            }
        }
    }

    /// Whether an account has a server of this name that is to exist.
    #[must_use]
    pub fn has_name(&self, account: AccountId, name: &Hostname) -> bool {
        self.names.contains_key(&(account, name.clone()))
    }

    /// Servers of which nothing was seen yet, `age` or longer after they were ordered, with their hosts.
    #[must_use]
    pub fn unseen(&self, age: Duration, now: Timestamp) -> Vec<(HostId, ServerId)> {
        let waiting = self.unseen.iter();
        let old = waiting.filter(|(_, (_, since))| now.since(*since) >= age);
        old.map(|(server, (host, _))| (*host, *server)).collect()
    }

    /// All of them, with what `reach` says of their hosts.
    #[must_use]
    pub fn count(&self, reach: impl Fn(HostId) -> HostReach) -> Counted {
        let mut counted = Counted::default();
        for (class, count) in &self.counts {
            let state = match reach(class.host) {
                HostReach::Heard => class.while_heard,
                HostReach::Silent => class.while_silent,
            };
            *counted.states.entry(name(state)).or_default() += count;
            if let Some(problem) = &class.problem {
                *counted.problems.entry(problem.clone()).or_default() += count;
            }
        }
        counted
    }
}

/// What a state or a code is called in the API.
#[must_use]
pub fn name(value: impl serde::Serialize) -> String {
    let value = serde_json::to_value(value).ok();
    let name = value.as_ref().and_then(|value| value.as_str());
    name.unwrap_or("other").to_owned()
}
