//! Where in the chain something is read from, and what all who read the store's files share.

use std::io;

use super::{Head, disk::Disk, error::JournalError, segment::Kind};

/// A point of the chain of one store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Anchor {
    pub(crate) identity: [u8; 16],
    pub(crate) head: Head,
}

/// From where files are read.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Start {
    /// From the first commit that there ever was.
    Beginning,
    /// From the commit after this one, through which the chain must pass.
    After(Anchor),
    /// From where the first file says that it begins: whoever reads knows what to compare the end with.
    Wherever,
}

/// Names of all files of a kind, in their order.
///
/// # Errors
/// [`JournalError::Io`].
pub(crate) fn names(disk: &dyn Disk, kind: Kind) -> Result<Vec<String>, JournalError> {
    let mut names = disk.list().map_err(io_error("list", "the journal"))?;
    names.retain(|name| kind.first_sequence(name).is_some());
    names.sort_unstable();
    Ok(names)
}

/// An error of the operating system, by what was being done to which file.
pub(crate) fn io_error<'a>(
    deed: &'static str,
    name: &'a str,
) -> impl FnOnce(io::Error) -> JournalError + 'a {
    move |source| JournalError::Io {
        deed,
        name: name.to_owned(),
        source,
    }
}

/// A length as an offset.
pub(crate) fn widen(length: usize) -> u64 {
    u64::try_from(length).expect("usize is at most 64 bits")
}
