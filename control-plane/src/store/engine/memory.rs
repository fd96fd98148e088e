//! An engine in memory: what the tables mean, in the fewest lines.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard},
};

use super::{Change, Direction, Engine, EngineError, Pair, Table};

/// Tables in memory, gone with the value.
#[derive(Debug, Default)]
pub(crate) struct MemoryEngine {
    records: Mutex<BTreeMap<Vec<u8>, Vec<u8>>>,
    ephemeral: Mutex<BTreeMap<Vec<u8>, Vec<u8>>>,
}

impl MemoryEngine {
    fn table(&self, table: Table) -> MutexGuard<'_, BTreeMap<Vec<u8>, Vec<u8>>> {
        match table {
            Table::Records => &self.records,
            Table::Ephemeral => &self.ephemeral,
        }
        .lock()
        .expect("no holder panics")
    }
}

impl Engine for MemoryEngine {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, EngineError> {
        Ok(self.table(table).get(key).cloned())
    }

    fn scan(
        &self,
        table: Table,
        from: &[u8],
        to: &[u8],
        direction: Direction,
        limit: usize,
    ) -> Result<Vec<Pair>, EngineError> {
        if from >= to {
            return Ok(Vec::new());
        }
        let table = self.table(table);
        let pairs = table.range(from.to_vec()..to.to_vec());
        let own = |(key, value): (&Vec<u8>, &Vec<u8>)| (key.clone(), value.clone());
        Ok(match direction {
            Direction::Ascending => pairs.map(own).take(limit).collect(),
            Direction::Descending => pairs.rev().map(own).take(limit).collect(),
        })
    }

    fn apply(&self, table: Table, changes: Vec<Change>) -> Result<(), EngineError> {
        let mut table = self.table(table);
        for (key, value) in changes {
            match value {
                Some(value) => table.insert(key, value),
                None => table.remove(&key),
            };
        }
        Ok(())
    }

    fn compare_and_swap(
        &self,
        table: Table,
        key: &[u8],
        expected: Option<&[u8]>,
        new: Option<&[u8]>,
    ) -> Result<bool, EngineError> {
        let mut table = self.table(table);
        let as_expected = table.get(key).map(Vec::as_slice) == expected;
        if as_expected {
            match new {
                Some(new) => table.insert(key.to_vec(), new.to_vec()),
                None => table.remove(key),
            };
        }
        Ok(as_expected)
    }

    fn flush(&self) -> Result<(), EngineError> {
        Ok(())
    }
}
