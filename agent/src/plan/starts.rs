//! Whether a server was ever started: what its addresses were used for is told from it, when nothing of it is left.
//! Part of the plan, since it follows from the same view.

use innkeeper_wire::id::ServerId;

use super::{Eyes, View};
use crate::{
    desired::Wanted,
    memory::{Memory, Started},
};

impl Eyes<'_> {
    /// What is to be remembered of a server that was `known` so. Nothing is known of one that is listed only to be
    /// deleted.
    pub(super) fn started(&self, wanted: &Wanted, known: Option<Started>) -> Option<Started> {
        match self.domain {
            Some(domain) if domain.started_at.is_some() || domain.run.is_up() => {
                Some(Started::Possibly)
            }
            None if matches!(wanted, Wanted::Present(_)) && !self.disk && !self.is_buried() => {
                known.or(Some(Started::Never))
            }
            Some(_) | None => known,
        }
    }
}

/// It counts for as long as the server is listed, until it was reported absent. What was listed before this process
/// looked first may have been started by another one.
pub(super) fn forget(memory: &mut Memory, view: &View<'_>) {
    let listed = &view.desired.servers;
    let before = || {
        let possibly = |server| (server, Started::Possibly);
        listed.keys().copied().map(possibly).collect()
    };
    let starts = memory.starts.get_or_insert_with(before);
    starts.retain(|server, _| listed.contains_key(server));
}

/// What is known of a server.
pub(super) fn known(memory: &Memory, server: ServerId) -> Option<Started> {
    memory.starts.as_ref()?.get(&server).copied()
}

/// As it is reported.
pub(super) fn was_started(started: Option<Started>) -> Option<bool> {
    started.map(|started| started == Started::Possibly)
}

#[cfg(test)]
mod tests {
    use innkeeper_wire::time::Timestamp;

    use super::*;
    use crate::{action::Action, fixtures};

    #[test]
    fn a_start_that_was_begun_counts_before_it_is_made() {
        let server = fixtures::server(1);
        let mut memory = Memory::default();
        let starts = memory.starts.get_or_insert_default();
        starts.insert(server, Started::Never);
        let begin = |memory: &mut Memory, action| {
            memory.begin(Some(server), &action, Timestamp::from_millis(1));
            was_started(known(memory, server))
        };
        let removal = Action::RemoveSeed(server);
        assert_eq!(begin(&mut memory, removal), Some(false));
        let start = Action::Start { server, serial: 1 };
        assert_eq!(begin(&mut memory, start), Some(true));
    }
}
