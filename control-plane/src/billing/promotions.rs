//! Promotional credit: granted by staff, spent by invoices, and ended when it expires (`rules::promotion`).

use std::time::Duration;

use innkeeper_wire::{
    error::FieldErrorCode,
    funds::{PROMOTION_DAYS_MAX, PromotionLine, PromotionRequest},
    id::{AccountId, EntryId, PromotionId},
    month::Span,
    operator::accounts::Deed,
    time::Timestamp,
};

use super::{
    Billing,
    rules::{
        ledger::{self, Balance, Cause, Entry},
        promotion::{self, PROMOTIONS_MAX, Promotion},
    },
};
use crate::kernel::{Actor, Caller, Error, Tx, field};

/// Promotions that are looked at together.
const LOOKED_AT: usize = 1_000;

/// One by the account and itself.
type Name = (AccountId, PromotionId);

impl Billing {
    /// Grants promotional credit. The same reference of the same account a second time is refused and changes nothing.
    pub async fn grant_promotion(
        &self,
        caller: &Caller,
        account: AccountId,
        request: &PromotionRequest,
    ) -> Result<PromotionLine, Error> {
        let PromotionRequest { amount, days, .. } = *request;
        let reference = self.check_transfer(amount, &request.reference)?;
        if !(1..=PROMOTION_DAYS_MAX).contains(&days) {
            let detail = format!("must be 1 to {PROMOTION_DAYS_MAX}");
            let wrong = field("/days", FieldErrorCode::Wrong, &detail);
            return Err(Error::Invalid(vec![wrong]));
        }
        let id = promotion::id_of(account, &reference);
        let cause = format!("grant {id} to {account}, {}", caller.request);
        let decide = |tx: &mut Tx<'_>| {
            self.accounts.check_is_there(tx, account)?;
            let lasts = Duration::from_hours(24 * u64::from(days));
            let granted = self.grant(tx, (account, id), amount.amount, lasts)?;
            let deed = Deed::PromotionGranted { amount, days };
            let reason = &request.reason;
            self.accounts.put_act(tx, caller, account, deed, reason)?;
            self.lift_if_funded(tx, caller.actor, account)?;
            Ok(self.promotion_line(&granted))
        };
        self.ctx.commit(caller.actor, &cause, decide).await
    }

    /// Clause: grants so much for so long.
    pub(super) fn grant(
        &self,
        tx: &mut Tx<'_>,
        name: Name,
        amount: i64,
        lasts: Duration,
    ) -> Result<Promotion, Error> {
        let (account, id) = name;
        let entry = EntryId::from_uuid(id.uuid());
        if tx.get::<Entry>(&(account, entry))?.is_some() {
            let detail = "promotional credit with this reference was granted already";
            let taken = field("/reference", FieldErrorCode::Taken, detail);
            return Err(Error::Invalid(vec![taken]));
        }
        let open: Vec<(PromotionId, Promotion)> = self.ctx.list(&account, PROMOTIONS_MAX)?;
        if open.len() >= PROMOTIONS_MAX {
            let detail =
                "the account has too many at a time: wait until one is spent or has expired";
            let many = field("/amount", FieldErrorCode::TooMany, detail);
            return Err(Error::Invalid(vec![many]));
        }
        self.forgive_overshoot(tx, account)?;
        let now = self.now(tx);
        let granted = Promotion {
            amount,
            left: amount,
            granted_at: now,
            expires_at: now.after(lasts),
            kept: false,
        };
        let balance = self.balance_in(tx, account)?;
        let entry = Entry {
            id: entry,
            at: now,
            cause: Cause::PromotionGranted {
                promotion: id,
                expires_at: granted.expires_at,
            },
            currency: balance.currency,
            postings: ledger::of_grant(amount),
        };
        self.post(tx, account, balance, &entry)?;
        tx.insert(&name, &granted)?;
        Ok(granted)
    }

    /// What is left of an account's, the one that expires first before the others.
    pub(super) fn promotion_lines(&self, account: AccountId) -> Result<Vec<PromotionLine>, Error> {
        let mut open: Vec<(PromotionId, Promotion)> = self.ctx.list(&account, usize::MAX)?;
        open.sort_by_key(|(_, one)| one.expires_at);
        Ok(open
            .iter()
            .map(|(_, one)| self.promotion_line(one))
            .collect())
    }

    fn promotion_line(&self, promotion: &Promotion) -> PromotionLine {
        PromotionLine {
            amount: self.money(promotion.amount),
            left: self.money(promotion.left),
            granted_at: promotion.granted_at,
            expires_at: promotion.expires_at,
        }
    }

    /// What the promotional credit of an account is worth, when so much was used and is not invoiced.
    pub(super) fn promotion_worth(
        &self,
        account: AccountId,
        balance: Balance,
        now: Timestamp,
        used: i64,
    ) -> Result<i64, Error> {
        if balance.promotion == 0 {
            return Ok(0);
        }
        let open: Vec<(PromotionId, Promotion)> = self.ctx.list(&account, usize::MAX)?;
        Ok(promotion::worth(&open, now, used))
    }

    /// Clause: takes from promotional credit what of an invoice it pays. Every grant and every end of one writes the balance,
    /// which the caller has read.
    pub(super) fn spend_promotions(
        &self,
        tx: &mut Tx<'_>,
        account: AccountId,
        span: Span,
        balance: Balance,
        amount: i64,
    ) -> Result<i64, Error> {
        if balance.promotion == 0 {
            return Ok(0);
        }
        let open: Vec<(PromotionId, Promotion)> = self.ctx.list(&account, usize::MAX)?;
        let mut spent = 0;
        for (id, part) in promotion::spend(&open, span.from, amount) {
            let name = (account, id);
            // One that ended meanwhile has written the balance: this is decided anew.
            let Some(one) = tx.get::<Promotion>(&name)? else {
                continue;
            };
            let left = one.left - part;
            put_left(tx, name, Promotion { left, ..one })?;
            spent += part;
        }
        Ok(spent)
    }

    /// Ends what has expired, of all accounts. Gives how many postings were made.
    pub(super) async fn end_promotions(&self) -> Result<usize, Error> {
        let (mut ended, mut after) = (0, None::<Name>);
        loop {
            let page = self.ctx.list_all::<Promotion>(after.as_ref(), LOOKED_AT)?;
            let is_last = page.len() < LOOKED_AT;
            after = page.last().map(|(name, _)| *name);
            for (name, one) in page {
                ended += usize::from(self.settle_promotion(name, one.value).await?);
            }
            if is_last {
                return Ok(ended);
            }
        }
    }

    /// The same of one account, before it is invoiced and behind that.
    pub(super) async fn end_promotions_of(&self, account: AccountId) -> Result<(), Error> {
        let mut open: Vec<(PromotionId, Promotion)> = self.ctx.list(&account, usize::MAX)?;
        open.sort_by_key(|(id, one)| (one.expires_at, *id));
        for (id, one) in open {
            self.settle_promotion((account, id), one).await?;
        }
        Ok(())
    }

    async fn settle_promotion(&self, name: Name, one: Promotion) -> Result<bool, Error> {
        let (account, id) = name;
        let is_due = if one.kept {
            self.is_invoiced(account, one.expires_at)?
        } else {
            one.expires_at <= self.present()?
        };
        if !is_due {
            return Ok(false);
        }
        let cause = format!("{id} of {account} has expired");
        let decide = |tx: &mut Tx<'_>| {
            self.check_not_frozen(tx)?;
            let balance = self.balance_in(tx, account)?;
            let Some(one) = tx.get::<Promotion>(&name)? else {
                return Ok(false);
            };
            let kept = match one.kept {
                true if !self.is_invoiced(account, one.expires_at)? => return Ok(false),
                true => 0,
                false if one.expires_at > self.now(tx) => return Ok(false),
                false => self.kept_of(name, one)?,
            };
            let ends = one.left - kept;
            let left = Promotion {
                left: kept,
                kept: true,
                ..one
            };
            put_left(tx, name, left)?;
            if ends > 0 {
                let entry = Entry {
                    id: EntryId::new(self.ctx.ids()),
                    at: self.now(tx),
                    cause: Cause::PromotionEnded {
                        promotion: id,
                        expires_at: one.expires_at,
                    },
                    currency: balance.currency,
                    postings: ledger::of_expiry(ends),
                };
                self.post(tx, account, balance, &entry)?;
            }
            Ok(true)
        };
        self.ctx.commit(Actor::System, &cause, decide).await
    }

    /// What is kept of one that has expired: what was used by then and is not invoiced.
    fn kept_of(&self, (account, id): Name, one: Promotion) -> Result<i64, Error> {
        let used = self.used_until(account, &self.unbilled(one.expires_at)?)?;
        let open: Vec<(PromotionId, Promotion)> = self.ctx.list(&account, usize::MAX)?;
        let others = open.iter().filter(|(other, one)| *other != id && one.kept);
        let before = others.map(|(_, one)| one.left).sum();
        Ok(promotion::kept_of(one.left, used, before))
    }

    /// Whether all that an account used up to an instant is invoiced.
    fn is_invoiced(&self, account: AccountId, at: Timestamp) -> Result<bool, Error> {
        let used = self.used_until(account, &self.unbilled(at)?)?;
        Ok(used == 0)
    }
}

/// What is left of one; its record goes when that is nothing.
fn put_left(tx: &mut Tx<'_>, name: Name, one: Promotion) -> Result<(), Error> {
    if one.left > 0 {
        tx.put(&name, &one)
    } else {
        tx.remove::<Promotion>(&name)
    }
}
