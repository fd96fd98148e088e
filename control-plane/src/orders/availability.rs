//! Whether something can be had, before anybody chooses it: told with the catalogue, and checked again with each quote.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use innkeeper_wire::{
    api::{Availability, Offered},
    error::FieldErrorCode,
    id::Code,
    time::Timestamp,
};

use super::{Orders, placing::demand_of};
use crate::{
    catalogue::Plan,
    kernel::{Error, field},
    orders::rules::Choice,
};

/// For how long it is told without looking again: everybody may ask, and where nothing is left, all hosts are looked at.
const FRESH: Duration = Duration::from_secs(5);

/// What was told last, and when it was looked up.
#[derive(Debug, Default)]
pub(super) struct Available(Mutex<Option<(Timestamp, Vec<Offered>)>>);

impl Orders {
    /// Of each site and plan, whether a server can be had now. At most some seconds old.
    pub fn availability(&self) -> Result<Vec<Offered>, Error> {
        self.load()?;
        let now = self.ctx.now();
        // Held while it is looked up, so that many who ask at once look once.
        let mut known = self
            .available
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some((at, offered)) = &*known
            && now.since(*at).max(at.since(now)) < FRESH
        {
            return Ok(offered.clone());
        }
        let catalogue = self.settings.prices.configured();
        let pairs = catalogue.sites.iter().flat_map(|site| {
            let plans = catalogue.plans.iter();
            plans.map(|plan| (site.code.clone(), plan))
        });
        let offered: Vec<_> = pairs
            .map(|(site, plan)| Offered {
                availability: self.availability_of(&site, plan),
                plan: plan.code.clone(),
                site,
            })
            .collect();
        *known = Some((now, offered.clone()));
        Ok(offered)
    }

    fn availability_of(&self, site: &Code, plan: &Plan) -> Availability {
        match self.look_for_room(site, plan) {
            Ok(()) => Availability::Available,
            Err(Error::NoRoom(_) | Error::NoAddress) => Availability::SoldOut,
            Err(_) => Availability::NotNow,
        }
    }

    /// Whether what was chosen can be had: said with the quote, before anybody has accepted anything.
    pub(super) fn check_room(&self, choice: &Choice) -> Result<(), Error> {
        self.load()?;
        self.look_for_room(&choice.site, &choice.plan)
            .map_err(|error| match error {
                // No order yet: how full it is operators see in the metrics.
                Error::NoRoom(_) | Error::NoAddress => sold_out(),
                error => error,
            })
    }

    fn look_for_room(&self, site: &Code, plan: &Plan) -> Result<(), Error> {
        self.ctx.gate().ask()?.check_addresses_are_given(site)?;
        let carriers = self.addresses.carriers(site, self.ctx.now());
        if carriers.is_empty() {
            return Err(Error::NoAddress);
        }
        self.hosts.look_for_room(site, demand_of(plan), &carriers)
    }
}

fn sold_out() -> Error {
    let detail = "this plan is sold out at this data centre";
    Error::Invalid(vec![field("/plan", FieldErrorCode::SoldOut, detail)])
}
