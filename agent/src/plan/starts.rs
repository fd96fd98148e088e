//! Whether a server was ever started: what its addresses were used for is told from it, when nothing of it is left.
//! Part of the plan, since it follows from the same view.

use super::{Eyes, View};
use crate::{
    desired::Wanted,
    memory::{Memory, Started},
};

impl Eyes<'_> {
    /// What is to be remembered of a server that was `known` so. Nothing is known of one that was asked for before
    /// anybody remembered it, or only to be deleted.
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

/// It counts for as long as the server is listed, until it was reported absent.
pub(super) fn forget(memory: &mut Memory, view: &View<'_>) {
    let listed = &view.desired.servers;
    memory
        .starts
        .retain(|server, _| listed.contains_key(server));
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
        memory.starts.insert(server, Started::Never);
        let begin = |memory: &mut Memory, action| {
            memory.begin(Some(server), &action, Timestamp::from_millis(1));
            was_started(memory.starts.get(&server).copied())
        };
        let removal = Action::RemoveSeed(server);
        assert_eq!(begin(&mut memory, removal), Some(false));
        let start = Action::Start { server, serial: 1 };
        assert_eq!(begin(&mut memory, start), Some(true));
    }
}
