//! What of the configuration the records use (`domain::in_use`), read from an open store or from one at rest.

use std::path::Path;

use super::{
    error::AppError,
    records::{Noun, for_each, written},
};
use crate::{
    domain::{
        account::Account, addresses::AddressClaim, host::Host, in_use::InUse, server::Server,
    },
    store::{OpenError, Store, Write, peek},
};

/// As the index of an open store tells it.
pub fn in_use(store: &Store) -> Result<InUse, AppError> {
    let mut found = InUse::default();
    for_each::<AddressClaim>(store, |address, claim| {
        if let Ok(address) = address.parse() {
            found.note_claim(address, claim.value);
        }
    })?;
    for_each::<Host>(store, |_, host| found.note_host(&host.value))?;
    for_each::<Server>(store, |_, server| found.note_server(&server.value))?;
    for_each::<Account>(store, |_, _| found.accounts += 1)?;
    Ok(found)
}

/// As the files of the store in `dir` tell it, whose service does not run. What can't be read counts as not there:
/// the service itself says so.
pub fn in_use_at_rest(dir: &Path) -> Result<InUse, OpenError> {
    // In the order in which `InUse` takes them.
    let prefixes = [
        AddressClaim::PREFIX,
        Host::PREFIX,
        Server::PREFIX,
        Account::PREFIX,
    ];
    let peeked = peek(dir, |key| {
        prefixes.iter().any(|prefix| key.strip(prefix).is_some())
    })?;
    let mut found = InUse {
        last_commit: peeked.last_commit,
        ..InUse::default()
    };
    let writes: Vec<_> = peeked
        .records
        .into_iter()
        .map(|(key, value)| Write::Put(key, value))
        .collect();
    for prefix in prefixes {
        for write in &writes {
            if let Some(name) = write.key().strip(prefix) {
                note(&mut found, prefix, name, write);
            }
        }
    }
    Ok(found)
}

fn note(found: &mut InUse, prefix: &str, name: &str, write: &Write) {
    match prefix {
        Account::PREFIX => found.accounts += 1,
        AddressClaim::PREFIX => {
            if let (Ok(address), Some(claim)) = (name.parse(), written(write)) {
                found.note_claim(address, claim);
            }
        }
        Host::PREFIX => {
            if let Some(host) = written(write) {
                found.note_host(&host);
            }
        }
        _ => {
            if let Some(server) = written(write) {
                found.note_server(&server);
            }
        }
    }
}
