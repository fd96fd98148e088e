//! What unit tests of nouns begin with.

use std::{path::Path, sync::Arc};

use innkeeper_wire::{
    id::{Code, HostId, IdSource, uuid_v7},
    time::{SystemClock, Timestamp},
};

use super::{
    Ctx, Error,
    gate::{Answers, Gate},
};
use crate::store::{Options, Store};

struct Ids;

impl IdSource for Ids {
    fn uuid(&self) -> uuid::Uuid {
        uuid_v7(Timestamp::from_millis(1), [9; 10])
    }
}

/// A store in this folder.
pub(crate) fn open(folder: &Path) -> Store {
    let options = Options {
        reserve_bytes: 0,
        ..Options::new([1; 16])
    };
    Store::open(folder, &options).expect("it opens").0
}

/// What a noun over it works with.
pub(crate) fn ctx(store: &Store) -> Ctx {
    Ctx::new(
        store.clone(),
        Arc::new(SystemClock),
        Arc::new(Ids),
        Gate::default(),
    )
}

/// Answers at the gate of an installation in which all is well.
pub(crate) struct AllIsWell;

impl Answers for AllIsWell {
    fn takes_changes(&self) -> Result<bool, Error> {
        Ok(true)
    }

    fn is_accused(&self) -> bool {
        false
    }

    fn is_open(&self) -> Result<bool, Error> {
        Ok(true)
    }

    fn follows(&self, _: HostId) -> bool {
        true
    }

    fn is_settled(&self, _: HostId) -> bool {
        true
    }

    fn is_dismissed(&self, _: HostId) -> Result<bool, Error> {
        Ok(false)
    }

    fn is_of_this_epoch(&self, _: Timestamp) -> Result<bool, Error> {
        Ok(true)
    }

    fn is_before_restore(&self, _: u64) -> Result<bool, Error> {
        Ok(false)
    }

    fn check_addresses_are_given(&self, _: &Code) -> Result<(), Error> {
        Ok(())
    }
}
