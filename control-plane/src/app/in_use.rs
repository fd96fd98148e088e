//! What of the configuration the records use (`domain::in_use`), read from an open store or from one at rest.

use std::path::Path;

use super::{
    error::AppError,
    records::{Noun, for_each, written},
};
use crate::{
    domain::{account::Account, host::Host, in_use::InUse, server::Server},
    store::{OpenError, Store, Write, peek},
};

/// As the index of an open store tells it.
pub fn in_use(store: &Store) -> Result<InUse, AppError> {
    let mut found = InUse::default();
    for_each::<Host>(store, |_, host| found.note_host(&host.value))?;
    for_each::<Server>(store, |_, server| found.note_server(&server.value))?;
    for_each::<Account>(store, |_, _| found.accounts += 1)?;
    Ok(found)
}

/// As the files of the store in `dir` tell it, whose service does not run. What can't be read counts as not there:
/// the service itself says so.
pub fn in_use_at_rest(dir: &Path) -> Result<InUse, OpenError> {
    let prefixes = [Host::PREFIX, Server::PREFIX, Account::PREFIX];
    let peeked = peek(dir, |key| {
        prefixes.iter().any(|prefix| key.strip(prefix).is_some())
    })?;
    let mut found = InUse {
        last_commit: peeked.last_commit,
        ..InUse::default()
    };
    for (key, value) in peeked.records {
        let is_account = key.strip(Account::PREFIX).is_some();
        let (is_host, is_server) = (key.strip(Host::PREFIX), key.strip(Server::PREFIX));
        let (is_host, is_server) = (is_host.is_some(), is_server.is_some());
        let write = Write::Put(key, value);
        if is_account {
            found.accounts += 1;
        } else if is_host && let Some(host) = written::<Host>(&write) {
            found.note_host(&host);
        } else if is_server && let Some(server) = written::<Server>(&write) {
            found.note_server(&server);
        }
    }
    Ok(found)
}
