//! What a demonstration alone may set: it shows in minutes what takes months. The annotated example does not name it, and a
//! service that was not started as a demonstration refuses it.

use std::time::Duration;

use serde::Deserialize;

use super::{Config, ConfigError, value};

/// A demonstration's own keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Demonstration {
    /// Days by which the clock of billing is ahead of the machine's.
    #[serde(default)]
    billing_days: u32,
}

impl Config {
    /// Refuses what only a demonstration may set.
    ///
    /// # Errors
    /// [`ConfigError::Value`].
    pub fn check_is_in_earnest(&self) -> Result<(), ConfigError> {
        if self.demonstration == Demonstration::default() {
            return Ok(());
        }
        let why =
            "is for demonstrations alone: customers would be charged for days that never were";
        Err(value("demonstration", why))
    }

    /// By how much the clock of billing is ahead of the machine's.
    pub(crate) fn billing_ahead(&self) -> Duration {
        Duration::from_hours(24 * u64::from(self.demonstration.billing_days))
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{EXAMPLE, parse};
    use super::*;

    #[test]
    fn what_is_for_demonstrations_is_refused_in_earnest() {
        let earnest = parse(EXAMPLE).expect("the example");
        assert!(earnest.check_is_in_earnest().is_ok());
        assert_eq!(earnest.billing_ahead(), Duration::ZERO);
        let text = format!("{EXAMPLE}\n[demonstration]\nbilling_days = 90\n");
        let demonstration = parse(&text).expect("it is one");
        assert_eq!(demonstration.billing_ahead(), Duration::from_hours(24 * 90));
        let refused = demonstration.check_is_in_earnest().expect_err("customers");
        assert!(
            refused.to_string().starts_with("demonstration: "),
            "{refused}"
        );
    }
}
