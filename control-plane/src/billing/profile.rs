//! Billing profiles: to whom the invoices of an account are addressed. Each change is a version of its own, and none is ever
//! changed. An order wants one; an invoice has a copy of what it said when the invoice was issued.
//!
//! ```text
//! (proposed, of what is known of the account) --(given)--> version 1 --(given anew)--> version 2 ...
//! ```

use innkeeper_wire::{
    api::{Locale, Me},
    billing_profile::{self as told, BillTo, BillingDetails, PayerKind},
    id::AccountId,
    month::Span,
    operator::reason::Reason,
    time::Timestamp,
};

use super::{
    Billing,
    records::{BillingProfile, KeptPayer, ProfileVersion},
    rules::{invoice::Invoice, profile::check},
};
use crate::{
    accounts::Personal,
    kernel::{Actor, Caller, Error, Record as _, Tx, sealed::Sealed},
};

impl Personal for BillingDetails {
    const RECORD: &'static str = ProfileVersion::KIND.prefix;
    const FIELD: &'static str = "details 1";
}

impl Personal for BillTo {
    const RECORD: &'static str = Invoice::KIND.prefix;
    const FIELD: &'static str = "bill to 1";
}

impl Billing {
    /// One's own billing profile; what is proposed as long as there is none.
    pub fn profile(&self, caller: &Caller) -> Result<told::BillingProfile, Error> {
        let account = caller.account()?;
        if let Some(profile) = self.profile_of(account)? {
            return Ok(profile);
        }
        Ok(told::BillingProfile {
            version: None,
            changed_at: None,
            details: proposed(self.accounts.me(caller)?),
        })
    }

    /// The billing profile of an account, if it has one and nobody has erased it.
    pub fn profile_of(&self, account: AccountId) -> Result<Option<told::BillingProfile>, Error> {
        let mut tx = Tx::new(self.ctx.store(), self.ctx.now());
        self.present_profile(&mut tx, account)
    }

    /// Changes one's own billing profile: a version of its own, unless it says what it said before.
    ///
    /// # Errors
    /// [`Error::Invalid`] with all that is wrong with it.
    pub async fn set_profile(
        &self,
        caller: &Caller,
        details: &BillingDetails,
    ) -> Result<told::BillingProfile, Error> {
        let account = caller.account()?;
        let kind = self.accounts.me(caller)?.kind;
        let details = check(details, kind).map_err(Error::Invalid)?;
        let decide = |tx: &mut Tx<'_>| {
            let before = self.present_profile(tx, account)?;
            if let Some(before) = before.filter(|before| before.details == details) {
                return Ok(before);
            }
            let last = tx.get::<BillingProfile>(&account)?;
            let version = last.map_or(0, |last| last.version) + 1;
            tx.put(&account, &BillingProfile { version })?;
            let at = self.now(tx);
            let sealed = self.accounts.seal(account, &details)?;
            let kept = ProfileVersion {
                at,
                details: sealed,
            };
            tx.insert(&(account, version), &kept)?;
            Ok(told::BillingProfile {
                version: Some(version),
                changed_at: Some(at),
                details: details.clone(),
            })
        };
        let cause = format!("billing profile, {}", caller.request);
        self.ctx.commit(caller.actor, &cause, decide).await
    }

    /// Clause: that invoices can be addressed to an account.
    ///
    /// # Errors
    /// [`Error::NoBillingProfile`].
    pub(crate) fn check_profile(&self, tx: &mut Tx<'_>, account: AccountId) -> Result<(), Error> {
        let profile = tx.get::<BillingProfile>(&account)?;
        profile.map(drop).ok_or(Error::NoBillingProfile)
    }

    /// To whom an invoice is addressed that is issued now, sealed to be kept with it.
    pub(super) fn bill_to(
        &self,
        tx: &mut Tx<'_>,
        account: AccountId,
    ) -> Result<Option<Sealed<BillTo>>, Error> {
        // Of an erased account there is no profile any more.
        if let Some(kept) = tx.get::<KeptPayer>(&account)? {
            return Ok(Some(kept.to));
        }
        let profile = self.present_profile(tx, account)?;
        let to = profile.and_then(|profile| {
            let version = profile.version?;
            Some(BillTo::of(version, profile.details))
        });
        let sealed = to.map(|to| self.accounts.seal_kept(account, &to));
        sealed.transpose()
    }

    /// Erases an account for good, and notes who did it and why. One that is erased already is as good. To whom its invoices
    /// are addressed is kept where some are still to be issued: the law wants them whole.
    ///
    /// # Errors
    /// [`Error::EraseRefused`] while it has servers.
    pub async fn erase_account(
        &self,
        by: Actor,
        account: AccountId,
        reason: &Reason,
    ) -> Result<(), Error> {
        let cause = format!("erase {account}");
        let owes = self.has_unbilled_use(account)?;
        let decide = |tx: &mut Tx<'_>| {
            if let Some(to) = self.bill_to(tx, account)?.filter(|_| owes) {
                tx.put(&account, &KeptPayer { to })?;
            }
            self.accounts.erase_in(tx, by, account, reason)
        };
        self.ctx.commit(by, &cause, decide).await?;
        self.accounts.finish_erasure(account).await
    }

    /// Whether an account has used anything in a month that is not closed.
    fn has_unbilled_use(&self, account: AccountId) -> Result<bool, Error> {
        let closed = self.periods()?.into_iter();
        let closed = closed.filter(|period| period.closed_at.is_some());
        let from = closed.map(|period| period.until).max();
        let span = Span {
            from: from.unwrap_or(Timestamp::from_millis(0)),
            until: self.present()?,
        };
        let used = self.used_in(account, span)?;
        Ok(!self.lines_of(&used, span)?.0.is_empty())
    }

    fn present_profile(
        &self,
        tx: &mut Tx<'_>,
        account: AccountId,
    ) -> Result<Option<told::BillingProfile>, Error> {
        let Some(BillingProfile { version }) = tx.get(&account)? else {
            return Ok(None);
        };
        let missing = || Error::Storage(format!("version {version} of a profile of {account}"));
        let kept = tx.get::<ProfileVersion>(&(account, version))?;
        let kept = kept.ok_or_else(missing)?;
        match self.accounts.unseal(account, &kept.details) {
            Ok(details) => Ok(Some(told::BillingProfile {
                version: Some(version),
                changed_at: Some(kept.at),
                details,
            })),
            Err(Error::Erased) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// What is known of an account, so that nobody types it twice (WCAG 3.3.7).
fn proposed(me: Me) -> BillingDetails {
    let country = match me.locale {
        Locale::Ko => "KR",
        Locale::ZhHant => "TW",
        Locale::En => "",
    };
    let is_company = me.kind.is_company();
    BillingDetails {
        kind: if is_company {
            PayerKind::Corporate
        } else {
            PayerKind::Individual
        },
        contact: is_company.then(|| me.name.clone()),
        name: me.company.unwrap_or(me.name),
        country: country.to_owned(),
        mobile: me.mobile.unwrap_or_default(),
        emails: vec![me.email],
        ..BillingDetails::default()
    }
}
