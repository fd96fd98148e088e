//! Our tables in the kernel: has them made, and knows whether they are still as they were made. What they hold
//! [`rules`] says.

use std::sync::{Mutex, MutexGuard, PoisonError};

use innkeeper_wire::{digest::Digest, id::ServerId, vm::MacAddress};
use serde_json::Value;
use tokio::sync::Notify;

use super::{
    NetworkError, kernel,
    rules::{
        self, Prints, Tables, flows,
        grants::{self, Sources},
    },
};
use crate::action::NetworkState;

/// What this process has made.
#[derive(Debug, Clone)]
struct Made {
    state: NetworkState,
    /// What the kernel showed of it right afterwards.
    prints: Prints,
}

/// The tables of this process: none until it has made them once, so what it finds of an earlier one is made anew.
#[derive(Debug, Default)]
pub(super) struct OwnTables {
    made: Mutex<Option<Made>>,
    /// Who is an engineer, once somebody has said so: a grants' table that is made anew has it from the start.
    engineers: Mutex<Option<Sources>>,
    /// The grants' table was made anew, without its grants, or somebody may have changed it.
    touched: Notify,
}

/// What a look at the tables found out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// They are as they were made.
    Whole,
    /// They are as they were made, and shares of the connection table are not what they shall be by now.
    Outdated,
    /// Somebody has changed them.
    Changed,
}

impl OwnTables {
    /// Makes the tables for a state. Those that are kept are made only where they are missing or not as they were:
    /// what the kernel has put into them is lost with that.
    pub(super) async fn make(
        &self,
        state: &NetworkState,
        bridge: &str,
    ) -> Result<(), NetworkError> {
        let before = self.made().take().map(|made| made.prints);
        kernel::nft(&rules::ruleset(state, bridge)).await?;
        let (found, flows) = tokio::try_join!(
            kernel::table(rules::GRANTS_TABLE),
            kernel::table(rules::FLOWS_TABLE)
        )?;
        let grants_before = before.as_ref().map(|prints| prints.grants);
        if !is_kept(found.as_ref(), &grants::comment(bridge), grants_before) {
            let engineers = self.engineers().clone();
            let found = || found.as_ref().map(|table| grants::read(table).engineers);
            let engineers = engineers.or_else(found).unwrap_or_default();
            kernel::nft_text(&grants::ruleset(bridge, &engineers)).await?;
            self.touch();
        }
        let share = flows::share(flows::entries_max());
        let flows_before = before.as_ref().map(|prints| prints.flows);
        if !is_kept(flows.as_ref(), &flows::comment(bridge, share), flows_before) {
            kernel::nft_text(&flows::ruleset(bridge, share)).await?;
        }
        let tables = kernel::tables().await?;
        *self.made() = tables.map(|tables| Made {
            state: state.clone(),
            prints: tables.prints(),
        });
        Ok(())
    }

    /// Whether these are our tables as they were made, and with that share of what the kernel can follow now.
    pub(super) fn judge(&self, found: &Tables, bridge: &str, share: u64) -> Standing {
        let is_ours = |made: &Made| made.prints == found.prints();
        if !self.made().as_ref().is_some_and(is_ours) {
            Standing::Changed
        } else if rules::has_comment(&found.flows, &flows::comment(bridge, share)) {
            Standing::Whole
        } else {
            Standing::Outdated
        }
    }

    /// Makes the tables anew unless they are whole; gives what was found.
    pub(super) async fn restore(&self, bridge: &str) -> Result<Standing, NetworkError> {
        let Some(made) = self.made().clone() else {
            return Ok(Standing::Whole);
        };
        let found = kernel::tables().await?;
        let share = flows::share(flows::entries_max());
        let standing = found.map_or(Standing::Changed, |found| self.judge(&found, bridge, share));
        if standing != Standing::Whole {
            self.make(&made.state, bridge).await?;
        }
        Ok(standing)
    }

    /// The hardware address of a guest that they let through.
    pub(super) fn mac(&self, server: ServerId) -> Option<MacAddress> {
        let made = self.made();
        let mut guests = made.as_ref()?.state.guests.iter();
        let guest = guests.find(|guest| guest.server == server)?;
        Some(guest.nic.mac)
    }

    /// Says who is an engineer from now on.
    pub(super) fn set_engineers(&self, engineers: &Sources) {
        *self.engineers() = Some(engineers.clone());
    }

    /// Notes that somebody may have changed the grants' table, as whoever grants does himself.
    pub(super) fn touch(&self) {
        self.touched.notify_one();
    }

    /// Waits until that was noted. One waits at a time.
    pub(super) async fn touched(&self) {
        self.touched.notified().await;
    }

    fn engineers(&self) -> MutexGuard<'_, Option<Sources>> {
        self.engineers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn made(&self) -> MutexGuard<'_, Option<Made>> {
        self.made.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a table that is kept can stay: it is there, and as it was, as far as this process knows.
fn is_kept(found: Option<&Value>, comment: &str, before: Option<Digest>) -> bool {
    found.is_some_and(|table| {
        let is_same = before.is_none_or(|before| before == rules::print_kept(table));
        rules::has_comment(table, comment) && is_same
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// The operator raises `nf_conntrack_max`: that is no change of our tables.
    #[test]
    fn another_limit_of_the_kernel_is_nobodys_change() {
        let flows = |name: &str| {
            let rule = json!({ "rule": { "comment": flows::comment("br", 4_096), "chain": name } });
            json!({ "nftables": [rule] })
        };
        let tables = |name: &str| Tables {
            replaced: [Value::Null, Value::Null],
            grants: Value::Null,
            flows: flows(name),
        };
        let own = OwnTables::default();
        let found = tables("counted");
        assert_eq!(own.judge(&found, "br", 4_096), Standing::Changed, "unknown");
        *own.made() = Some(Made {
            state: NetworkState { guests: Vec::new() },
            prints: found.prints(),
        });
        for (found, share, standing) in [
            (&found, 4_096, Standing::Whole),
            (&found, 8_192, Standing::Outdated),
            (&tables("other"), 4_096, Standing::Changed),
            (&tables("other"), 8_192, Standing::Changed),
        ] {
            assert_eq!(own.judge(found, "br", share), standing, "{share}");
        }
    }
}
