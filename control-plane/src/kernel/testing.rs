//! What unit tests of nouns begin with.

use std::{path::Path, sync::Arc};

use innkeeper_wire::{
    id::{IdSource, uuid_v7},
    time::{SystemClock, Timestamp},
};

use super::{Ctx, gate::Gate};
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
