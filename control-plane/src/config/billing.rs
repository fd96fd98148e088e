//! When months are closed, until when is to be paid, and what is done when it is not.

use std::time::Duration;

use serde::Deserialize;

use super::{ConfigError, value};
use crate::billing::{BillingTerms, rules::debts::DebtTerms};

/// Most days of any term.
const DAYS_MAX: u32 = 366;
/// Least days for which servers are kept: their owner is told three days before they are deleted.
const KEEP_DAYS_LEAST: u32 = 4;
/// Most characters of what says where money is transferred to.
const PAY_TO_CHARS_MAX: usize = 500;

/// Terms in days.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BillingConfig {
    /// Days after its end until a month is closed by itself, 0 to 366.
    pub close_days: u32,
    /// Days after its issue until which an invoice is to be paid, 1 to 366.
    pub payment_days: u32,
    /// Days after that when its owner is told that his account will be suspended, 1 to 366.
    pub notice_days: u32,
    /// Days after which it is, more than `notice_days`; 0 for never, and no notice then.
    pub suspend_days: u32,
    /// Days for which the servers of an account are kept that was suspended for a debt, an empty balance or the end of its
    /// trial, 4 to 366; 0 for good.
    pub keep_days: u32,
    /// Whether the page of the sign-up says that a trial can be asked for. Staff grant it.
    pub offers_trial: bool,
    /// Where customers transfer money to: bank, number and holder of the account, in a few lines.
    pub pay_to: Option<String>,
}

impl Default for BillingConfig {
    fn default() -> Self {
        Self {
            close_days: 3,
            payment_days: 14,
            notice_days: 7,
            suspend_days: 14,
            keep_days: 14,
            offers_trial: false,
            pay_to: None,
        }
    }
}

impl BillingConfig {
    /// The terms.
    ///
    /// # Errors
    /// [`ConfigError::Value`].
    pub fn terms(&self) -> Result<BillingTerms, ConfigError> {
        for (key, days, least) in [
            ("close_days", self.close_days, 0),
            ("payment_days", self.payment_days, 1),
            ("notice_days", self.notice_days, 1),
            ("suspend_days", self.suspend_days, 0),
            ("keep_days", self.keep_days, 0),
        ] {
            if !(least..=DAYS_MAX).contains(&days) {
                let why = format!("must be {least} to {DAYS_MAX}");
                return Err(value(format!("billing.{key}"), why));
            }
        }
        if self.suspend_days != 0 && self.suspend_days <= self.notice_days {
            let why = "must be more than notice_days, or 0 for never";
            return Err(value("billing.suspend_days", why));
        }
        if (1..KEEP_DAYS_LEAST).contains(&self.keep_days) {
            let why = format!("must be {KEEP_DAYS_LEAST} or more, or 0 for good");
            return Err(value("billing.keep_days", why));
        }
        let days = |days: u32| Duration::from_hours(24 * u64::from(days));
        Ok(BillingTerms {
            close_after: days(self.close_days),
            payment_term: days(self.payment_days),
            debts: DebtTerms {
                notice_after: days(self.notice_days),
                suspend_after: (self.suspend_days != 0).then(|| days(self.suspend_days)),
            },
            keep_for: (self.keep_days != 0).then(|| days(self.keep_days)),
            offers_trial: self.offers_trial,
        })
    }

    /// Where money is transferred to.
    ///
    /// # Errors
    /// [`ConfigError::Value`].
    pub fn pay_to(&self) -> Result<Option<String>, ConfigError> {
        let Some(text) = &self.pay_to else {
            return Ok(None);
        };
        let text = text.trim();
        let is_text = !text.is_empty()
            && text.chars().count() <= PAY_TO_CHARS_MAX
            && text.lines().all(|line| !line.contains(char::is_control));
        if !is_text {
            let why = format!("must be 1 to {PAY_TO_CHARS_MAX} characters in lines of text");
            return Err(value("billing.pay_to", why));
        }
        Ok(Some(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{EXAMPLE, parse};
    use super::*;

    #[test]
    fn terms_that_make_no_sense_are_refused() {
        let example = parse(EXAMPLE).expect("the example");
        let terms = example.billing.terms().expect("they make sense");
        assert_eq!(terms, BillingTerms::default());
        for (text, key) in [
            ("payment_days = 0", "billing.payment_days"),
            ("close_days = 367", "billing.close_days"),
            ("notice_days = 14", "billing.suspend_days"),
            ("keep_days = 3", "billing.keep_days"),
        ] {
            let config: BillingConfig = toml::from_str(text).expect("it is read");
            let error = config.terms().expect_err("refused");
            assert!(error.to_string().starts_with(key), "{error}");
        }
        let never: BillingConfig =
            toml::from_str("suspend_days = 0\nkeep_days = 0").expect("it is read");
        let terms = never.terms().expect("it makes sense");
        assert_eq!((terms.debts.suspend_after, terms.keep_for), (None, None));
        let blank: BillingConfig = toml::from_str("pay_to = ' '").expect("it is read");
        assert!(blank.pay_to().is_err());
    }
}
