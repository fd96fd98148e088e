//! What of the configuration the records use (`in_use::rules`), read from an open store or from one at rest.

use std::path::Path;

use crate::{
    accounts::rules::account::Account,
    addresses::rules::pools::AddressClaim,
    hosts::rules::host::Host,
    in_use::rules::InUse,
    kernel::{
        Error, Record,
        ctx::for_each,
        record::{name_in, written},
    },
    servers::rules::server::Server,
    store::{OpenError, Store, Write, peek},
};

pub mod rules;

/// As the index of an open store tells it.
pub fn in_use(store: &Store) -> Result<InUse, Error> {
    let mut found = InUse::default();
    for_each::<AddressClaim>(store, |address, claim| {
        found.note_claim(*address, claim.value)
    })?;
    for_each::<Host>(store, |_, host| found.note_host(&host.value))?;
    for_each::<Server>(store, |_, server| found.note_server(&server.value))?;
    for_each::<Account>(store, |_, _| found.accounts += 1)?;
    Ok(found)
}

/// As the files of the store in `dir` tell it, whose service does not run. What can't be read counts as not there:
/// `known::unknown_at_rest` or the service itself says so.
pub fn in_use_at_rest(dir: &Path) -> Result<InUse, OpenError> {
    // In the order in which `InUse` takes them.
    let prefixes = [
        AddressClaim::KIND.prefix,
        Host::KIND.prefix,
        Server::KIND.prefix,
        Account::KIND.prefix,
    ];
    let peeked = peek(dir, |key, _| {
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
            if write.key().strip(prefix).is_some() {
                note(&mut found, write);
            }
        }
    }
    Ok(found)
}

fn note(found: &mut InUse, write: &Write) {
    let key = write.key();
    if let Some(address) = name_in::<AddressClaim>(key) {
        if let Some(claim) = written(write) {
            found.note_claim(address, claim);
        }
    } else if name_in::<Host>(key).is_some() {
        if let Some(host) = written(write) {
            found.note_host(&host);
        }
    } else if name_in::<Server>(key).is_some() {
        if let Some(server) = written(write) {
            found.note_server(&server);
        }
    } else if name_in::<Account>(key).is_some() {
        found.accounts += 1;
    }
}
