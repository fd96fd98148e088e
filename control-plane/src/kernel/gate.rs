//! What may be done now, as everybody may ask: whether customers' changes are taken, whether a host is followed,
//! whether addresses are given away. `continuity` knows the answers, and lies above all who ask; so it registers here.

use std::{
    sync::{Arc, OnceLock, Weak},
    time::Duration,
};

use innkeeper_wire::{
    id::{Code, HostId},
    time::Timestamp,
};

use super::{caller::Actor, error::Error};

/// How long hosts are waited for before their silence counts: a server of which its host has said nothing in this time
/// is given up, and what this journal says is acted upon for good once no host has said in this time after a start that
/// commits are lost.
pub const HOSTS_AWAITED: Duration = Duration::from_secs(30 * 60);

/// What is asked. All of it is read only.
pub trait Answers: Send + Sync {
    /// Whether the store is sound and open: no host proves that the journal has lost commits, and nothing is being
    /// restored.
    fn takes_changes(&self) -> Result<bool, Error>;

    /// Whether a host proves that the journal has lost commits.
    fn is_accused(&self) -> bool;

    /// Whether nothing is being restored, and no host was left behind at the last restore.
    fn is_open(&self) -> Result<bool, Error>;

    /// Whether a host's desired state and observations are those of this store: it claims no later state than
    /// there is, nobody proves that the journal has lost commits, and after a restore it was compared.
    fn follows(&self, host: HostId) -> bool;

    /// Whether a host was compared with the records, or never had to be.
    fn is_settled(&self, host: HostId) -> bool;

    /// Whether a host that no record knows was sent away for good.
    fn is_dismissed(&self, host: HostId) -> Result<bool, Error>;

    /// Whether what was ordered `at` was ordered here, after the last restore if there was one: then all that its host
    /// said of it is in the records.
    fn is_of_this_epoch(&self, at: Timestamp) -> Result<bool, Error>;

    /// Whether the commit of this sequence was made before the last restore.
    fn is_before_restore(&self, sequence: u64) -> Result<bool, Error>;

    /// That addresses of this site may be given away: nobody may use them whom we do not know of.
    fn check_addresses_are_given(&self, site: &Code) -> Result<(), Error>;
}

/// Where to ask. Clones share it. Whoever answers has a gate himself, so he is not kept alive by it.
#[derive(Clone, Default)]
pub struct Gate(Arc<OnceLock<Weak<dyn Answers>>>);

impl Gate {
    /// Has somebody answer. The first one who registers does.
    pub fn register(&self, answers: Weak<dyn Answers>) {
        self.0.set(answers).ok();
    }

    /// Who answers.
    ///
    /// # Errors
    /// [`Error::Restoring`] when nobody does: what is not known to be open is closed.
    pub fn ask(&self) -> Result<Arc<dyn Answers>, Error> {
        self.0.get().and_then(Weak::upgrade).ok_or(Error::Restoring)
    }

    /// That the store is sound and open, as [`Answers::takes_changes`]: what is for good needs it, whoever asks for it.
    ///
    /// # Errors
    /// [`Error::Restoring`] when it is not.
    pub fn check_is_sound(&self) -> Result<(), Error> {
        if self.ask()?.takes_changes()? {
            Ok(())
        } else {
            Err(Error::Restoring)
        }
    }

    /// Customers change nothing while a host proves that the journal has lost commits, and after a restore until
    /// an operator has opened the installation again: what they would change is not what they made.
    pub fn check_changes_are_taken(&self, actor: Actor) -> Result<(), Error> {
        match actor {
            Actor::Visitor | Actor::Account(_) | Actor::Token(..) => self.check_is_sound(),
            // Hosts and duties go on with what is settled, and an operator has to mend it, perhaps with the staff's help.
            Actor::Host(_) | Actor::Staff(_) | Actor::Operator | Actor::System => Ok(()),
        }
    }

    /// Whether a host is followed, as [`Answers::follows`].
    #[must_use]
    pub fn follows(&self, host: HostId) -> bool {
        self.ask().is_ok_and(|answers| answers.follows(host))
    }

    /// Whether a host is settled, as [`Answers::is_settled`].
    #[must_use]
    pub fn is_settled(&self, host: HostId) -> bool {
        self.ask().is_ok_and(|answers| answers.is_settled(host))
    }
}
