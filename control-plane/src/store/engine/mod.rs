//! The seam to whatever keeps the index: a few ordered byte tables. [`sled`] is the one in use; the
//! in-memory one is the model that sled is compared with, and what tests with simulated disks run on.
//! An engine never decides anything and is never the only copy of anything.

#[cfg(any(test, feature = "simulator"))]
pub(crate) mod memory;
pub(crate) mod sled;

/// Which of the tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Table {
    /// Records built from the journal, and how far.
    Records,
    /// What is not journalled.
    Ephemeral,
}

/// The way through a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    Ascending,
    Descending,
}

/// A key and its value.
pub(crate) type Pair = (Vec<u8>, Vec<u8>);
/// A key and its new value, or `None` to remove it.
pub(crate) type Change = (Vec<u8>, Option<Vec<u8>>);

/// Why an engine failed. What it holds is in doubt then.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// sled returned an error.
    #[error("sled failed")]
    Sled(#[source] ::sled::Error),
    /// sled panicked, as it does on damaged files.
    #[error("sled panicked: {0}")]
    Panicked(String),
    /// Its files could not be synced.
    #[error("the index could not be synced")]
    Sync(#[source] std::io::Error),
}

/// Ordered byte tables.
pub(crate) trait Engine: Send + Sync {
    /// The value of `key`.
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, EngineError>;

    /// Up to `limit` pairs with `from <= key < to`, in `direction`.
    fn scan(
        &self,
        table: Table,
        from: &[u8],
        to: &[u8],
        direction: Direction,
        limit: usize,
    ) -> Result<Vec<Pair>, EngineError>;

    /// Makes all changes (of different keys), in this order. Readers see all of them or none; what is left of them
    /// when the process dies are the first ones, or none.
    fn apply(&self, table: Table, changes: Vec<Change>) -> Result<(), EngineError>;

    /// Sets `key` to `new` if its value is `expected`; whether it was.
    fn compare_and_swap(
        &self,
        table: Table,
        key: &[u8],
        expected: Option<&[u8]>,
        new: Option<&[u8]>,
    ) -> Result<bool, EngineError>;

    /// Hands everything to the kernel, so that it survives the death of this process.
    fn flush(&self) -> Result<(), EngineError>;
}
