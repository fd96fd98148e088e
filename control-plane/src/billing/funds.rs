//! How an account pays: the terms that staff give it, and what it is told of what it has to pay with.

use std::time::Duration;

use innkeeper_wire::{
    error::FieldErrorCode,
    funds::{Funds, HoldLine, PAYMENT_DAYS_MAX, PaymentTerms, PrepaidFunds, TermsRequest},
    id::AccountId,
    money::Money,
    operator::accounts::Deed,
    time::Timestamp,
};

use super::{
    Billing,
    records::Terms,
    rules::{
        Contract,
        ledger::Balance,
        prepaid::{Prepaid, Stage},
    },
};
use crate::kernel::{Caller, Error, Tx, field};

/// As whoever was never given other terms pays.
const USUAL: PaymentTerms = PaymentTerms::Postpaid { payment_days: None };

impl Billing {
    /// Changes how an account pays from now on.
    ///
    /// # Errors
    /// [`Error::OperatorRefused`] when it is to pay ahead and owes something, or has not paid enough ahead for a day of what
    /// it uses.
    pub async fn change_terms(
        &self,
        caller: &Caller,
        account: AccountId,
        request: &TermsRequest,
    ) -> Result<(), Error> {
        let terms = request.terms;
        if let PaymentTerms::Postpaid {
            payment_days: Some(days),
        } = terms
            && !(1..=PAYMENT_DAYS_MAX).contains(&days)
        {
            let detail = format!("must be 1 to {PAYMENT_DAYS_MAX}");
            let wrong = field("/terms/payment_days", FieldErrorCode::Wrong, &detail);
            return Err(Error::Invalid(vec![wrong]));
        }
        let cause = format!("change the terms of {account}, {}", caller.request);
        let decide = |tx: &mut Tx<'_>| {
            self.accounts.check_is_there(tx, account)?;
            if self.terms_in(tx, account)? == terms {
                return Ok(());
            }
            let state = tx.get::<Prepaid>(&account)?;
            if state
                .as_ref()
                .is_some_and(|state| state.free_trial().is_some())
            {
                let why = "it is on trial: its owner decides whether he pays";
                return Err(Error::OperatorRefused(why.to_owned()));
            }
            match (terms, state) {
                (PaymentTerms::Prepaid, None) => {
                    let state = Prepaid::new();
                    self.check_is_covered(tx, account, &state)?;
                    tx.put(&account, &state)?;
                }
                (PaymentTerms::Postpaid { .. }, Some(state)) => {
                    tx.remove::<Prepaid>(&account)?;
                    if let Stage::Empty { since } = state.stage {
                        self.end_empty(tx, caller.actor, account, since)?;
                    }
                }
                (PaymentTerms::Prepaid, Some(_)) | (PaymentTerms::Postpaid { .. }, None) => {}
            }
            tx.put(&account, &Terms { terms })?;
            let deed = Deed::TermsChanged { terms };
            let reason = &request.reason;
            self.accounts.put_act(tx, caller, account, deed, reason)
        };
        self.ctx.commit(caller.actor, &cause, decide).await
    }

    fn check_is_covered(
        &self,
        tx: &mut Tx<'_>,
        account: AccountId,
        state: &Prepaid,
    ) -> Result<(), Error> {
        let balance = self.balance_in(tx, account)?;
        if balance.receivable > 0 {
            let why = "it owes something: have that paid, or give it up, first";
            return Err(Error::OperatorRefused(why.to_owned()));
        }
        let unbilled = self.unbilled(self.present()?)?;
        let missing = self
            .purse(account, state, balance, &unbilled)?
            .missing_for(0);
        if missing == 0 {
            return Ok(());
        }
        let missing = self.money(missing);
        let why = format!("it has not paid enough ahead for what it uses: record {missing} first");
        Err(Error::OperatorRefused(why))
    }

    /// How an account pays.
    pub(super) fn terms_in(
        &self,
        tx: &mut Tx<'_>,
        account: AccountId,
    ) -> Result<PaymentTerms, Error> {
        let known = tx.get::<Terms>(&account)?;
        Ok(known.map_or(USUAL, |known| known.terms))
    }

    /// Until when an invoice is to be paid that is issued then.
    pub(super) fn due_at(&self, terms: PaymentTerms, issued_at: Timestamp) -> Timestamp {
        let term = match terms {
            PaymentTerms::Postpaid { payment_days: None } => self.settings.terms.payment_term,
            PaymentTerms::Postpaid {
                payment_days: Some(days),
            } => Duration::from_hours(24 * u64::from(days)),
            PaymentTerms::Prepaid => Duration::ZERO,
        };
        issued_at.after(term)
    }

    /// What one has to pay with.
    pub fn funds(&self, caller: &Caller) -> Result<Funds, Error> {
        self.funds_of(caller.account()?)
    }

    /// What an account has to pay with.
    pub fn funds_of(&self, account: AccountId) -> Result<Funds, Error> {
        let terms = self.ctx.read::<Terms>(&account)?;
        let terms = terms.map_or(USUAL, |known| known.terms);
        let balance = self.ctx.read::<Balance>(&account)?;
        let balance = balance.unwrap_or_else(|| Balance::nothing(self.settings.currency));
        let state = self.ctx.read::<Prepaid>(&account)?;
        let prepaid = state.as_ref();
        let prepaid = prepaid.map(|state| self.prepaid_funds(account, state, balance));
        let prepaid = prepaid.transpose()?;
        let trial = state.as_ref().and_then(|state| state.trial.as_ref());
        let usual = self.settings.terms.payment_term.as_secs() / (24 * 3_600);
        Ok(Funds {
            terms,
            payment_days: match terms {
                PaymentTerms::Postpaid { payment_days: None } => u32::try_from(usual).ok(),
                PaymentTerms::Postpaid { payment_days } => payment_days,
                PaymentTerms::Prepaid => None,
            },
            owed: self.money(balance.receivable),
            credit: self.money(balance.credit),
            promotions: self.promotion_lines(account)?,
            trial: trial.map(|trial| {
                let left = prepaid.as_ref().map_or(0, |left| left.available.amount);
                self.trial_view(trial, left)
            }),
            prepaid,
            pay_to: self.pay_to().map(str::to_owned),
            reference: self.accounts.login_id_of(account)?,
        })
    }

    fn prepaid_funds(
        &self,
        account: AccountId,
        state: &Prepaid,
        balance: Balance,
    ) -> Result<PrepaidFunds, Error> {
        let now = self.present()?;
        let unbilled = self.unbilled(now)?;
        let purse = self.purse(account, state, balance, &unbilled)?;
        let mut holds = Vec::with_capacity(state.holds.len());
        for (contract, hold) in &state.holds {
            let found = self.ctx.read::<Contract>(contract)?;
            let found = found.ok_or_else(|| Error::Storage(format!("there is no {contract}")))?;
            holds.push(HoldLine {
                contract: *contract,
                server: found.server,
                name: found.sold.and_then(|sold| sold.name),
                amount: self.money(hold.amount),
                since: hold.since,
            });
        }
        Ok(PrepaidFunds {
            available: self.money(purse.available()),
            used: self.money(purse.used),
            held: self.money(purse.held),
            holds,
            burn_per_day: self.money(purse.burn),
            lasts_until: self.lasts_until(account, purse, &unbilled)?,
            as_of: now,
        })
    }

    /// An amount in what is sold in.
    pub(super) fn money(&self, amount: i64) -> Money {
        Money {
            amount,
            currency: self.settings.currency,
        }
    }
}
