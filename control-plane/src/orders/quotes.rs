//! Quotes: what a configuration costs, for half an hour.

use innkeeper_wire::{
    api::{self, QuoteRequest},
    id::{AccountId, QuoteId},
    time::Timestamp,
};

use super::{Orders, prices};
use crate::{
    kernel::{Caller, Error},
    orders::rules::{
        Choice, QUOTE_VALID_MS, QUOTES_PER_ACCOUNT_MAX, Quote, check_choice, quotes_to_drop,
    },
};

/// Quotes of one account that are looked at: those that are kept, and what requests of the same instant add to them.
const QUOTES_READ_MAX: usize = 20 * QUOTES_PER_ACCOUNT_MAX;

/// Under which names all quotes are kept.
pub(super) const QUOTES: &str = "quo/";

impl Orders {
    /// Prices a configuration for half an hour. Reserves nothing.
    pub async fn quote(
        &self,
        caller: &Caller,
        request: &QuoteRequest,
    ) -> Result<api::Quote, Error> {
        let account = caller.account()?;
        if let Some(suspended) = self.accounts.suspended_now(account)? {
            return Err(Error::AccountSuspended(suspended.kind));
        }
        // While the disk is full there are none: what is left of it is for reading and signing in.
        if self.ctx.store().measures().is_full {
            return Err(Error::StorageFull);
        }
        let keys = self.accounts.keys_of(account)?;
        let offer = self.settings.prices.offer()?;
        let choice = check_choice(request, &offer, &keys).map_err(Error::Invalid)?;
        self.ctx.gate().check_changes_are_taken(caller.actor)?;
        self.servers.check_name(account, &choice.name)?;
        self.check_room(&choice)?;
        let expires_at = Timestamp::from_millis(self.ctx.now().as_millis() + QUOTE_VALID_MS);
        let quote = Quote {
            id: QuoteId::new(self.ctx.ids()),
            account,
            addresses: self.addresses.families(&choice.site),
            tax: offer.tax,
            choice,
            expires_at,
        };
        self.make_room_for_quote(account).await?;
        // Kept a while longer than it is good for, so that "expired" can be told from "unknown".
        let forgotten_at = Timestamp::from_millis(expires_at.as_millis() + QUOTE_VALID_MS);
        let name = format!("{}{}", quotes_of(account), quote.id);
        self.ctx.remember(&name, &quote, forgotten_at).await?;
        view_quote(quote)
    }

    /// Drops the oldest quotes of an account that has as many as are kept.
    async fn make_room_for_quote(&self, account: AccountId) -> Result<(), Error> {
        let now = self.ctx.now();
        let known = self
            .ctx
            .recall_all::<Quote>(&quotes_of(account), QUOTES_READ_MAX)?;
        let made_at = |quote: &Quote| quote.expires_at.as_millis() - QUOTE_VALID_MS;
        let made: Vec<_> = known
            .iter()
            .map(|(_, quote)| Timestamp::from_millis(made_at(quote)))
            .collect();
        let dropped = quotes_to_drop(&made, now).map_err(|wait| Error::RateLimited {
            retry_after_s: wait.as_secs().max(1),
        })?;
        for (name, _) in &known[..dropped] {
            self.ctx.forget(name.as_str()).await?;
        }
        Ok(())
    }

    /// One's own quote.
    pub fn own_quote(&self, caller: &Caller, id: QuoteId) -> Result<api::Quote, Error> {
        view_quote(self.find_quote(caller.account()?, id)?)
    }

    pub(super) fn find_quote(&self, account: AccountId, id: QuoteId) -> Result<Quote, Error> {
        let name = format!("{}{id}", quotes_of(account));
        let found = self.ctx.recall::<Quote>(&name)?;
        found.map(|found| found.value).ok_or(Error::NotFound)
    }
}

fn quotes_of(account: AccountId) -> String {
    format!("{QUOTES}{account}/")
}

fn view_quote(quote: Quote) -> Result<api::Quote, Error> {
    let prices = prices(&quote.choice, quote.tax.as_ref())?;
    let specification = quote.choice.specification(quote.addresses);
    let Choice {
        site,
        plan,
        image,
        name,
        ssh_keys,
    } = quote.choice;
    Ok(api::Quote {
        id: quote.id,
        site,
        plan: plan.code,
        image: image.code,
        name,
        ssh_keys,
        hourly: plan.hourly,
        monthly_cap: plan.monthly_cap,
        prices,
        specification,
        expires_at: quote.expires_at,
    })
}
