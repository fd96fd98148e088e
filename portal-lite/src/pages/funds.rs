//! What an account has to pay with, as its owner and staff see it.

use innkeeper_wire::funds::{Funds, PaymentTerms, PrepaidFunds, PromotionLine};

use super::view;
use crate::{
    format::{self, Moment},
    language,
    visit::Visit,
};

/// How an account pays.
pub struct FundsView {
    /// In words.
    pub terms: String,
    /// How far its balance goes, of one that pays ahead.
    pub prepaid: Option<PrepaidView>,
    /// Its trial, whose owner has not agreed to pay.
    pub trial: Option<TrialCard>,
    /// Promotional credit: what is left of how much, and until when.
    pub promotions: Vec<(String, String, Moment)>,
    /// Where money is transferred to.
    pub pay_to: Option<String>,
    /// What is to be named with it.
    pub reference: Option<String>,
}

/// A trial.
pub struct TrialCard {
    /// What can still be used of it.
    pub left: String,
    /// How much it was.
    pub amount: String,
    /// When it is over.
    pub ends: Moment,
}

/// How far what was paid ahead goes.
pub struct PrepaidView {
    /// What can be ordered with.
    pub available: String,
    /// What was paid and is not invoiced away.
    pub credit: String,
    /// What was used of that.
    pub used: String,
    /// What is held of it.
    pub held: String,
    /// What a day costs.
    pub burn: String,
    /// Until when it lasts.
    pub lasts: Option<Moment>,
    /// What is held for each order: the server's id, its name, the amount and since when.
    pub holds: Vec<(String, String, String, Moment)>,
}

/// As it is shown.
pub(super) fn view(visit: &Visit, funds: Funds) -> FundsView {
    let credit = format::money(visit.locale, funds.credit);
    FundsView {
        terms: terms(visit, funds.terms, funds.payment_days),
        trial: funds
            .trial
            .filter(|trial| !trial.is_converted)
            .map(|trial| TrialCard {
                left: format::money(visit.locale, trial.left),
                amount: format::money(visit.locale, trial.amount),
                ends: view::moment(visit, trial.ends_at),
            }),
        promotions: funds
            .promotions
            .iter()
            .map(|one| promotion(visit, one))
            .collect(),
        prepaid: funds.prepaid.map(|left| prepaid(visit, left, credit)),
        pay_to: funds.pay_to,
        reference: funds.reference,
    }
}

fn promotion(visit: &Visit, one: &PromotionLine) -> (String, String, Moment) {
    let say = |money| format::money(visit.locale, money);
    let until = view::moment(visit, one.expires_at);
    (say(one.left), say(one.amount), until)
}

/// How an account pays, in words.
pub(super) fn terms(visit: &Visit, terms: PaymentTerms, days: Option<u32>) -> String {
    match (terms, days) {
        (PaymentTerms::Prepaid, _) => visit.say("terms-prepaid"),
        (PaymentTerms::Postpaid { .. }, Some(days)) => {
            language::say_count(visit.locale, "terms-days", u64::from(days))
        }
        (PaymentTerms::Postpaid { .. }, None) => visit.say("terms-postpaid"),
    }
}

/// The days that were agreed with an account, if any were.
pub(super) const fn own_days(terms: PaymentTerms) -> Option<u32> {
    match terms {
        PaymentTerms::Postpaid { payment_days } => payment_days,
        PaymentTerms::Prepaid => None,
    }
}

fn prepaid(visit: &Visit, left: PrepaidFunds, credit: String) -> PrepaidView {
    let say = |money| format::money(visit.locale, money);
    let holds = left.holds.into_iter().map(|hold| {
        let server = hold.server.to_string();
        let name = hold.name.map(|name| name.to_string());
        let name = name.unwrap_or_else(|| server.clone());
        (
            server,
            name,
            say(hold.amount),
            view::moment(visit, hold.since),
        )
    });
    PrepaidView {
        holds: holds.collect(),
        available: say(left.available),
        credit,
        used: say(left.used),
        held: say(left.held),
        burn: say(left.burn_per_day),
        lasts: left.lasts_until.map(|until| view::moment(visit, until)),
    }
}
