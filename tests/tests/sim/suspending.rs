//! Accounts that the operator of a history suspends and resumes, and what must have come of it when all is quiet: servers
//! follow their accounts, and are afterwards what their owners want.

use std::collections::BTreeMap;

use innkeeper_control_plane::{
    accounts::rules::{account::Account, suspension::Suspended},
    billing::rules::UsageInterval,
    kernel::Actor,
    nouns::Nouns,
    servers::rules::server::{Lifecycle, Server},
};
use innkeeper_wire::{
    api::SuspensionKind, id::AccountId, operator::reason::Reason, vm::PowerTarget,
};
use rand::Rng as _;
use serde_json::Value;

use crate::{
    control::Done,
    history::History,
    installation::{Installation, caller},
    oracle::records,
    watch::Wish,
};

/// How likely the operator suspends an account, or resumes it, when he looks.
const DECIDES: f64 = 0.25;

impl History {
    /// The duty has its turn, then the operator may suspend an account, or resume one.
    pub(crate) fn suspend_or_resume(&mut self, nouns: &Nouns) {
        if !records::<Value>(nouns, CHANGES).is_empty() {
            let nouns = nouns.clone();
            let done = self.control.begin(async move {
                let followed = nouns.servers.follow_suspensions().await;
                let failed = |(_, _, failures): (_, _, Vec<_>)| failures.into_iter().next();
                let result = followed.map(failed).and_then(|failed| match failed {
                    Some((_, error)) => Err(error),
                    None => Ok(()),
                });
                Done::Operated("servers follow suspensions".to_owned(), result)
            });
            self.operator_began(done);
        }
        // An old copy that goes on by itself until it is as long as what its hosts were told, and is opened anew then, is
        // found by `audit verify` alone: so whoever could not know of it leaves it as it is.
        if self.calm || self.operator.is_deceived || !self.random.random_bool(DECIDES) {
            return;
        }
        let customers = &Installation::get().customers;
        let account = customers[self.random.random_range(0..customers.len())].account;
        let is_suspended = suspensions(nouns)
            .get(&account)
            .is_some_and(Option::is_some);
        let kinds = [SuspensionKind::Debt, SuspensionKind::Abuse];
        let kind = kinds[self.random.random_range(0..2)];
        let nouns = nouns.clone();
        let caller = caller(&nouns, Actor::Operator);
        let reason: Reason = "for a while".parse().expect("a reason");
        if !is_suspended {
            self.tally.suspensions += 1;
            self.watch.account_is_suspended(account, kind);
        }
        let done = self.control.begin(async move {
            let (what, result) = match is_suspended {
                true => {
                    let result = nouns.accounts.resume(&caller, account, &reason).await;
                    ("resume".to_owned(), result)
                }
                false => {
                    let result = nouns.accounts.suspend(&caller, account, kind, &reason);
                    (format!("suspend for {}", kind.as_str()), result.await)
                }
            };
            Done::Operated(format!("account {what} {account}"), result)
        });
        self.operator_began(done);
    }

    fn operator_began(&mut self, done: Option<Done>) {
        if let Some(done) = done {
            self.done(done);
        }
        self.schedule_turn();
    }
}

/// Under which names it stands that servers may not follow their account yet.
const CHANGES: &str = "suspension/";

/// Which accounts are suspended, and for what.
fn suspensions(nouns: &Nouns) -> BTreeMap<AccountId, Option<Suspended>> {
    let accounts = records::<Account>(nouns, "acc/").into_iter();
    let suspended = |account: &Account| Some(account.suspension.as_ref()?.suspended());
    accounts
        .map(|account| (account.id, suspended(&account)))
        .collect()
}

/// What is wrong with servers whose accounts are suspended, or were.
pub(crate) fn breaches(
    history: &History,
    nouns: &Nouns,
    servers: &[Server],
    breaches: &mut Vec<String>,
) {
    let suspensions = suspensions(nouns);
    let of = |server: &Server| suspensions.get(&server.account).copied().flatten();
    let waiting = records::<Value>(nouns, CHANGES).len();
    if waiting > 0 {
        breaches.push(format!("servers of {waiting} accounts may not follow them"));
    }
    let live = servers
        .iter()
        .filter(|server| server.lifecycle == Lifecycle::Live);
    for server in live {
        let id = server.id;
        let (told, account) = (server.suspension.map(|told| told.cause), of(server));
        if told != account {
            breaches.push(format!("{id} is {told:?}, its account is {account:?}"));
        }
        let facts = history.watch.facts.get(&id);
        let is_as_wished = match facts.map(|facts| facts.wish).unwrap_or_default() {
            Wish::On => server.power.target == PowerTarget::On,
            Wish::Off => server.power.target != PowerTarget::On,
            Wish::Unknown => true,
        };
        if !is_as_wished {
            let power = server.power;
            breaches.push(format!(
                "{id} is to be {power:?}, its owner's wish: {facts:?}"
            ));
        }
        let host = history.hosts.iter().find(|host| host.id == server.host);
        let network = host.and_then(|host| host.machine.network());
        let guests = network.map(|network| network.guests).unwrap_or_default();
        let is_to_be_cut = account.is_some_and(|it| it.kind == SuspensionKind::Abuse);
        let mut found = guests.iter().filter(|guest| guest.server == id);
        if found.any(|guest| guest.nic.cut != is_to_be_cut) {
            breaches.push(format!("{id} is to be cut: {is_to_be_cut}, and is not so"));
        }
    }
}

/// Whether a server whose account is suspended for debt runs on although it is owed; what was started by hand after it
/// was switched off, nobody but people ends.
pub(crate) fn runs_on_debt(server: &Server, ignores: bool) -> bool {
    let debt = server
        .suspension
        .filter(|suspension| suspension.cause.kind.is_for_money());
    debt.is_some_and(|debt| !(debt.is_forced && ignores))
}

/// What is wrong with what is charged for a server whose account was ever suspended.
pub(crate) fn usage_breach<'a>(
    server: &Server,
    usage: impl Iterator<Item = &'a UsageInterval>,
) -> Option<String> {
    let usage: Vec<_> = usage.collect();
    let is_live = server.lifecycle == Lifecycle::Live;
    let is_charged = is_live && server.ready_at.is_some() && server.suspension.is_none();
    let open = usage.iter().filter(|usage| usage.until.is_none()).count();
    let is_negative = usage
        .iter()
        .any(|usage| usage.until.is_some_and(|until| until < usage.from));
    let is_wrong = open != usize::from(is_charged)
        || is_negative
        || server.ready_at.is_none() && !usage.is_empty();
    let id = server.id;
    is_wrong.then(|| format!("{id} is to be charged: {is_charged}, and its usage is {usage:?}"))
}
