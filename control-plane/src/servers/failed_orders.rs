//! How many orders failed since the start, by reason, for the metrics.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use innkeeper_wire::host::ServerProblemCode;

use crate::servers::rules::census::name;

/// By the reason as it is called in the API.
#[derive(Debug, Default)]
pub(crate) struct FailedOrders(Mutex<BTreeMap<String, u64>>);

impl FailedOrders {
    pub(crate) fn count(&self, code: ServerProblemCode) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *counts.entry(name(code)).or_default() += 1;
    }

    /// All that were counted.
    pub(crate) fn totals(&self) -> BTreeMap<String, u64> {
        let counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        counts.clone()
    }
}
