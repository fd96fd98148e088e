//! What is due about the staff without being asked.

use innkeeper_wire::{error::chain, operator::attention::Matter};

use super::Staffs;
use crate::kernel::{
    Error,
    duty::{Outcome, Turn},
};

/// Tells the staff by mail what began to need a person.
pub struct StaffAlerts<F> {
    staff: Staffs,
    /// What needs a person now.
    matters: F,
}

impl<F: Fn() -> Result<Vec<Matter>, Error> + Send + 'static> StaffAlerts<F> {
    /// About what `matters` gives.
    #[must_use]
    pub const fn new(staff: Staffs, matters: F) -> Self {
        Self { staff, matters }
    }
}

impl<F: Fn() -> Result<Vec<Matter>, Error> + Send + 'static> Turn for StaffAlerts<F> {
    async fn turn(&mut self) -> Outcome {
        let told = match (self.matters)() {
            Ok(matters) => self.staff.alert(&matters).await,
            Err(error) => Err(error),
        };
        match told {
            Ok(told) => Outcome::done(told),
            Err(error) => {
                let why = chain(&error);
                tracing::error!(why, "the staff can't be told what needs a person");
                Outcome::failed(why)
            }
        }
    }
}
