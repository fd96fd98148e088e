//! Trials: granted by staff, told of while they are used up, and converted by their owners (`rules::trial`).

use innkeeper_wire::{
    error::FieldErrorCode,
    funds::{PaymentTerms, TrialConversion, TrialRequest, TrialView},
    id::{AccountId, ContractId},
    operator::accounts::Deed,
    price::Tariff,
    time::Timestamp,
};

use super::{
    Billing,
    records::{ContractOf, Terms, TrialClaim},
    rules::{
        Contract,
        prepaid::{Prepaid, Purse},
        promotion,
        trial::{LASTS, Mark, SERVERS, Trial, cost_until},
    },
};
use crate::{
    kernel::{Caller, Error, Tx, field},
    mails::rules::MailContent,
};

/// What names the promotional credit of a trial.
const REFERENCE: &str = "(trial)";

const NO_TRIAL: Error = Error::OutOfTurn("the account has no trial that could be converted");

impl Billing {
    /// Grants a trial: promotional credit for thirty days and one server, and nothing else is ever charged until its owner has
    /// agreed to pay. Once for each account, mail address and mobile number, also of accounts that are erased.
    ///
    /// # Errors
    /// [`Error::OperatorRefused`] of an account that has had a trial or a server, or whose owner has had one under another
    /// account.
    pub async fn grant_trial(
        &self,
        caller: &Caller,
        account: AccountId,
        request: &TrialRequest,
    ) -> Result<(), Error> {
        let amount = request.amount;
        self.check_transfer(amount, REFERENCE)?;
        let had: Vec<(ContractId, ContractOf)> = self.ctx.list(&account, 1)?;
        if !had.is_empty() {
            let why = "it has had servers: a trial is for who comes";
            return Err(Error::OperatorRefused(why.to_owned()));
        }
        let cause = format!("grant a trial to {account}, {}", caller.request);
        let decide = |tx: &mut Tx<'_>| {
            for name in self.accounts.trial_names(tx, account)? {
                if tx.get::<TrialClaim>(&name)?.is_some() {
                    let why = "this account, its address or its mobile number has had a trial";
                    return Err(Error::OperatorRefused(why.to_owned()));
                }
                tx.put(&name, &TrialClaim { account })?;
            }
            if tx.get::<Prepaid>(&account)?.is_some() {
                let why = "it pays ahead already: grant it promotional credit";
                return Err(Error::OperatorRefused(why.to_owned()));
            }
            let id = promotion::id_of(account, REFERENCE);
            let granted = self.grant(tx, (account, id), amount.amount, LASTS)?;
            let trial = Trial {
                granted_at: granted.granted_at,
                ends_at: granted.expires_at,
                amount: amount.amount,
                quota_before: self.accounts.set_quota(tx, account, SERVERS)?,
                told_percent: None,
                told_days: None,
                converted_at: None,
            };
            let state = Prepaid {
                trial: Some(trial),
                ..Prepaid::new()
            };
            tx.put(&account, &state)?;
            tx.get::<Terms>(&account)?;
            let terms = PaymentTerms::Prepaid;
            tx.put(&account, &Terms { terms })?;
            let deed = Deed::TrialGranted { amount };
            let reason = &request.reason;
            self.accounts.put_act(tx, caller, account, deed, reason)
        };
        self.ctx.commit(caller.actor, &cause, decide).await
    }

    /// The owner agrees to pay for what comes, from what he has paid ahead. What he used beyond his trial he does not pay.
    ///
    /// # Errors
    /// [`Error::OutOfTurn`] when he has no trial, or has agreed already.
    pub async fn convert_trial(
        &self,
        caller: &Caller,
        request: &TrialConversion,
    ) -> Result<(), Error> {
        let account = caller.account()?;
        if !request.accept {
            let detail = "agree to pay for what you use from now on";
            let error = field("/accept", FieldErrorCode::Required, detail);
            return Err(Error::Invalid(vec![error]));
        }
        let cause = format!("convert the trial of {account}, {}", caller.request);
        let decide = |tx: &mut Tx<'_>| {
            let state = tx.get::<Prepaid>(&account)?.ok_or(NO_TRIAL)?;
            let trial = state.free_trial().copied().ok_or(NO_TRIAL)?;
            self.post_overshoot(tx, account, &state)?;
            let trial = Trial {
                converted_at: Some(self.now(tx)),
                ..trial
            };
            let state = Prepaid {
                trial: Some(trial),
                ..state
            };
            tx.put(&account, &state)?;
            self.accounts
                .raise_quota(tx, account, SERVERS, trial.quota_before)?;
            self.lift_if_funded(tx, caller.actor, account)
        };
        self.ctx.commit(caller.actor, &cause, decide).await
    }

    /// Tells what is to be told of a trial, if anything is; whether anything was.
    pub(super) fn tell_of_trial(
        &self,
        tx: &mut Tx<'_>,
        account: AccountId,
        state: &mut Prepaid,
        purse: Purse,
    ) -> Result<bool, Error> {
        let Some((mark, trial)) = next_mark(state, purse, self.now(tx)) else {
            return Ok(false);
        };
        state.trial = Some(trial);
        let content = match mark {
            Mark::Used { percent } => MailContent::TrialUsed { percent },
            Mark::Ends { days } => MailContent::TrialEnds { days },
        };
        self.mails.queue(tx, account, content)?;
        Ok(true)
    }

    /// What a contract costs to the end of a trial, with tax; nothing can be ordered behind that.
    pub(super) fn cost_of_trial(
        &self,
        contract: &Contract,
        trial: &Trial,
        now: Timestamp,
    ) -> Result<i64, Error> {
        let tariff = Tariff {
            hourly: contract.hourly,
            monthly_cap: contract.monthly_cap,
        };
        let end = trial
            .ends_at
            .max(now.after(std::time::Duration::from_secs(1)));
        let (zone, tax) = (&self.settings.time_zone, self.settings.tax.as_ref());
        let cost = cost_until(tariff, zone, now, end, tax);
        cost.map_err(|error| Error::Storage(format!("a trial does not add up: {error}")))
    }

    /// As its owner and staff are told.
    pub(super) fn trial_view(&self, trial: &Trial, left: i64) -> TrialView {
        TrialView {
            amount: self.money(trial.amount),
            left: self.money(left.clamp(0, trial.amount)),
            ends_at: trial.ends_at,
            is_converted: !trial.is_free(),
        }
    }
}

/// What is to be told next of a trial.
pub(super) fn next_mark(state: &Prepaid, purse: Purse, now: Timestamp) -> Option<(Mark, Trial)> {
    let trial = state.free_trial()?;
    trial.next(now, trial.amount.saturating_sub(purse.left()))
}
