//! Names of servers: each is one server's in its account, as long as that server is to exist.
//!
//! A claim is written with the server and removed by whatever ends it. Servers of before there were claims have none:
//! the mirror knows their names. It may be asked without a guard, because no new server is made without a claim.

use innkeeper_wire::{error::FieldErrorCode, id::AccountId, vm::Hostname};

use super::{Servers, records::NameClaim};
use crate::{
    kernel::{Error, Tx, field},
    servers::rules::{names::next_free, server::Server},
};

impl Servers {
    /// Refuses a name that another server of the account has; proposes the next one that is free.
    ///
    /// # Errors
    /// [`Error::Invalid`] about `/name`.
    pub(crate) fn check_name(&self, account: AccountId, name: &Hostname) -> Result<(), Error> {
        self.load()?;
        if self.mirror.has_name(account, name) {
            return Err(self.taken(account, name, "/name"));
        }
        Ok(())
    }

    /// Takes the name of a new server in its commit.
    pub(super) fn claim_name(&self, tx: &mut Tx<'_>, server: &Server) -> Result<(), Error> {
        let Server { account, name, .. } = server;
        let key = (*account, name.to_string());
        let is_claimed = tx.get::<NameClaim>(&key)?.is_some();
        if is_claimed || self.mirror.has_name(*account, name) {
            // It was free when the quote was made, which is all that the order names.
            return Err(self.taken(*account, name, "/quote"));
        }
        tx.insert(&key, &NameClaim { server: server.id })
    }

    /// Gives the name of a server back that is to exist no more.
    pub(super) fn free_name(&self, tx: &mut Tx<'_>, server: &Server) -> Result<(), Error> {
        let key = (server.account, server.name.to_string());
        let claim = tx.get::<NameClaim>(&key)?;
        if claim.is_some_and(|claim| claim.server == server.id) {
            tx.remove::<NameClaim>(&key)?;
        }
        Ok(())
    }

    fn taken(&self, account: AccountId, name: &Hostname, pointer: &str) -> Error {
        let mut error = field(
            pointer,
            FieldErrorCode::Taken,
            "you have a server of this name",
        );
        let free = next_free(name, |name| self.mirror.has_name(account, name));
        error.proposal = free.map(|name| name.to_string());
        Error::Invalid(vec![error])
    }
}
