//! Price lists: what plans cost from when on. The configuration says what a plan is, and what it costs until the first list
//! is imported; from then on staff change prices while the service runs. What was ordered keeps the price that it was
//! ordered at.

use std::{sync::Arc, time::Duration};

use innkeeper_wire::{
    error::FieldErrorCode,
    money::Currency,
    operator::{
        prices::{ImportPricesRequest, PriceBook, PriceChange, PriceListView},
        reason::Reason,
    },
    time::Timestamp,
};

use self::rules::{PriceList, changes, parse, price_of, priced};
use crate::{
    catalogue::Catalogue,
    kernel::{Caller, Ctx, Error, Tx, field},
};

pub(crate) mod records;
pub mod rules;

/// Lists that are told.
const LISTS_TOLD: usize = 100;
/// How far ahead a list may begin: further is a year that somebody mistyped.
const AHEAD_MAX: Duration = Duration::from_hours(24 * 366);

/// The price lists of an installation.
#[derive(Clone)]
pub struct PriceLists {
    ctx: Ctx,
    /// As the configuration has it.
    catalogue: Arc<Catalogue>,
    currency: Currency,
}

impl PriceLists {
    /// The price lists of a store.
    #[must_use]
    pub fn new(ctx: Ctx, catalogue: Catalogue, currency: Currency) -> Self {
        Self {
            ctx,
            catalogue: Arc::new(catalogue),
            currency,
        }
    }

    /// What can be ordered now, with its prices. An order reads it without a guard: a list that is imported while the order
    /// is decided may as well have come right after it, and what is charged is the price of its quote either way.
    ///
    /// # Errors
    /// When the lists can't be read.
    pub fn offer(&self) -> Result<Catalogue, Error> {
        let in_force = self.in_force(self.ctx.now())?;
        Ok(priced(
            &self.catalogue,
            in_force.as_ref().map(|(_, list)| list),
        ))
    }

    /// Sites, sizes and images: no list changes them.
    #[must_use]
    pub fn configured(&self) -> &Catalogue {
        &self.catalogue
    }

    fn in_force(&self, now: Timestamp) -> Result<Option<(Timestamp, PriceList)>, Error> {
        let behind = now.after(Duration::from_millis(1));
        let found = self.ctx.list_all_newest::<PriceList>(Some(&behind), 1)?;
        let newest = found.into_iter().next();
        Ok(newest.map(|(valid_from, list)| (valid_from, list.value)))
    }

    /// What plans cost now, and the lists.
    ///
    /// # Errors
    /// When they can't be read.
    pub fn book(&self) -> Result<PriceBook, Error> {
        let now = self.ctx.now();
        let in_force = self.in_force(now)?.map(|(valid_from, _)| valid_from);
        let lists = self.ctx.list_all_newest::<PriceList>(None, LISTS_TOLD)?;
        let lists = lists
            .into_iter()
            .map(|(valid_from, list)| list.value.view(valid_from, in_force, now));
        Ok(PriceBook {
            now: self.offer()?.plans.iter().map(price_of).collect(),
            lists: lists.collect(),
        })
    }

    /// What a list would change.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn check(&self, list: &str) -> Result<Vec<PriceChange>, Error> {
        let offer = self.offer()?;
        let lines = parse(list, &offer, self.currency).map_err(Error::Invalid)?;
        Ok(changes(&offer, &lines))
    }

    /// Takes a list: all of it, or nothing.
    ///
    /// # Errors
    /// What is wrong with it, or that there is one from that moment on.
    pub async fn import(
        &self,
        caller: &Caller,
        request: &ImportPricesRequest,
    ) -> Result<PriceListView, Error> {
        let lines = parse(&request.list, &self.catalogue, self.currency);
        let lines = lines.map_err(Error::Invalid)?;
        let cause = format!("import prices: {}", request.reason.as_str());
        let decide = |tx: &mut Tx<'_>| {
            let valid_from = begins(request.valid_from, tx.now())?;
            let list = PriceList {
                lines: lines.clone(),
                by: caller.actor.to_string(),
                imported_at: tx.now(),
                reason: request.reason.clone(),
            };
            if tx.get::<PriceList>(&valid_from)?.is_some() {
                let detail = "there is a list from that moment on: withdraw it first";
                let taken = field("/valid_from", FieldErrorCode::Taken, detail);
                return Err(Error::Invalid(vec![taken]));
            }
            tx.insert(&valid_from, &list)?;
            Ok(list.view(valid_from, Some(valid_from), tx.now()))
        };
        self.ctx.commit(caller.actor, &cause, decide).await
    }

    /// Takes a list back that is not valid yet.
    ///
    /// # Errors
    /// There is none from that moment on, or it is valid.
    pub async fn withdraw(
        &self,
        caller: &Caller,
        valid_from: Timestamp,
        reason: &Reason,
    ) -> Result<(), Error> {
        let cause = format!("withdraw prices: {}", reason.as_str());
        let decide = |tx: &mut Tx<'_>| {
            tx.get::<PriceList>(&valid_from)?.ok_or(Error::NotFound)?;
            if valid_from <= tx.now() {
                let why = "these prices are in force: import others";
                return Err(Error::OperatorRefused(why.to_owned()));
            }
            tx.remove::<PriceList>(&valid_from)
        };
        self.ctx.commit(caller.actor, &cause, decide).await
    }
}

/// From when on a list is valid. Never from before it was imported: what was ordered meanwhile was told another price.
fn begins(wanted: Option<Timestamp>, now: Timestamp) -> Result<Timestamp, Error> {
    let valid_from = wanted.unwrap_or(now);
    let wrong = |detail: &str| {
        let wrong = field("/valid_from", FieldErrorCode::Wrong, detail);
        Err(Error::Invalid(vec![wrong]))
    };
    if valid_from < now {
        return wrong("prices can't begin in the past");
    }
    if valid_from > now.after(AHEAD_MAX) {
        return wrong("prices begin within a year");
    }
    Ok(valid_from)
}
