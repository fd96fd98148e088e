//! Whether the books agree with each other: the invariants of domain-model C5 that can be read off the records.

use std::collections::{BTreeMap, BTreeSet};

use innkeeper_wire::{
    billing::Totals,
    funds::PaymentTerms,
    id::{AccountId, CreditNoteId, InvoiceId},
    invoice::{BalanceLine, InvoiceNumber, MoneyAudit},
    money::Money,
};

use super::{
    Billing,
    records::{BilledMonth, CreditNoteSeries, InvoiceSeries, NumberedInvoice, Terms},
    rules::{
        Contract,
        debts::Debt,
        invoice::{CreditNote, Invoice, InvoiceCredits, InvoiceDue, Number, digest_of},
        ledger::{Balance, Entry, LedgerAccount},
        prepaid::Prepaid,
        promotion::Promotion,
    },
};
use crate::kernel::Error;

/// Breaches that are told; of more, only how many there are.
const TOLD_MAX: usize = 100;

/// What is found.
#[derive(Default)]
struct Found {
    breaches: Vec<String>,
    balances: BTreeMap<AccountId, Balance>,
    sums: BTreeMap<LedgerAccount, i128>,
    entries: u64,
    invoices: u64,
}

impl Billing {
    /// Reads all books and compares them.
    pub fn audit(&self) -> Result<MoneyAudit, Error> {
        let mut found = Found::default();
        self.audit_ledger(&mut found)?;
        self.audit_invoices(&mut found)?;
        self.audit_prepaid(&mut found)?;
        self.audit_promotions(&mut found)?;
        let Found {
            mut breaches,
            sums,
            entries,
            invoices,
            ..
        } = found;
        let all = breaches.len();
        breaches.truncate(TOLD_MAX);
        if all > TOLD_MAX {
            breaches.push(format!("and {} more", all - TOLD_MAX));
        }
        let trial = sums.into_iter().map(|(account, sum)| {
            Ok(BalanceLine {
                account: account.to_string(),
                balance: Money {
                    amount: i64::try_from(sum)
                        .map_err(|_| Error::Storage(format!("{account} does not fit")))?,
                    currency: self.settings.currency,
                },
            })
        });
        Ok(MoneyAudit {
            entries,
            invoices,
            trial_balance: trial.collect::<Result<_, Error>>()?,
            breaches,
        })
    }

    /// C5.1: entries sum to zero, and what is stored of each account is the sum of its entries.
    fn audit_ledger(&self, found: &mut Found) -> Result<(), Error> {
        let currency = self.settings.currency;
        self.ctx.for_each::<Entry>(|(account, id), entry| {
            let entry = entry.value;
            found.entries += 1;
            for posting in &entry.postings {
                *found.sums.entry(posting.account).or_default() += i128::from(posting.amount);
            }
            let nothing = Balance::nothing(entry.currency);
            let sum = found.balances.entry(*account).or_insert(nothing);
            match sum.summed(&entry) {
                Ok(next) => *sum = next,
                Err(error) => found.breaches.push(format!("{id} of {account}: {error}")),
            }
        })?;
        let total: i128 = found.sums.values().sum();
        if total != 0 {
            found.breaches.push(format!("the trial balance is {total}"));
        }
        let mut stored = BTreeSet::new();
        self.ctx.for_each::<Balance>(|account, balance| {
            stored.insert(*account);
            let nothing = Balance::nothing(currency);
            let sum = found.balances.get(account).copied().unwrap_or(nothing);
            if sum != balance.value {
                let balance = balance.value;
                let breach = format!("{account} has {balance:?} and entries of {sum:?}");
                found.breaches.push(breach);
            }
        })?;
        for account in found.balances.keys() {
            if !stored.contains(account) {
                let breach = format!("{account} has entries and no balance");
                found.breaches.push(breach);
            }
        }
        Ok(())
    }

    /// C5.2, C5.3, C5.5: an invoice is the sum of its lines, as it was issued; numbers have no gap; a month is billed once;
    /// what is open is a debt, and that of all invoices of an account is what it owes.
    fn audit_invoices(&self, found: &mut Found) -> Result<(), Error> {
        let mut all: Vec<Invoice> = Vec::new();
        self.ctx
            .for_each::<Invoice>(|_, invoice| all.push(invoice.value))?;
        let mut open: BTreeMap<AccountId, i64> = BTreeMap::new();
        for invoice in &all {
            found.invoices += 1;
            let Invoice { id, account, .. } = *invoice;
            if let Some(breach) = self.breach_of(invoice)? {
                found.breaches.push(format!("{id} of {account}: {breach}"));
            }
            let due = self.ctx.read::<InvoiceDue>(&(account, id))?;
            if let Some(breach) = self.breach_of_credits(invoice, due)? {
                found.breaches.push(format!("{id} of {account}: {breach}"));
            }
            let left = due.map_or(0, |due| due.open);
            let is_debt = self.ctx.read::<Debt>(&(account, id))?.is_some();
            if is_debt != (left > 0) {
                let breach =
                    format!("{id} of {account} leaves {left}: whether it is a debt is wrong");
                found.breaches.push(breach);
            }
            *open.entry(account).or_default() += left;
        }
        for (account, balance) in &found.balances {
            let left = open.get(account).copied().unwrap_or(0);
            if left != balance.receivable {
                let owes = balance.receivable;
                let breach = format!("{account} owes {owes}, and its invoices leave {left}");
                found.breaches.push(breach);
            }
        }
        self.audit_numbers(&all, found)
    }

    /// C5.9: what is left of all promotional credit of an account is what its ledger says, and of none more than was granted.
    fn audit_promotions(&self, found: &mut Found) -> Result<(), Error> {
        let mut left: BTreeMap<AccountId, i64> = BTreeMap::new();
        self.ctx.for_each::<Promotion>(|(account, id), one| {
            let one = one.value;
            *left.entry(*account).or_default() += one.left;
            if one.left <= 0 || one.left > one.amount {
                let breach = format!("{id} of {account} has {} of {} left", one.left, one.amount);
                found.breaches.push(breach);
            }
        })?;
        let accounts: BTreeSet<_> = found.balances.keys().chain(left.keys()).copied().collect();
        for account in accounts {
            let known = found
                .balances
                .get(&account)
                .map_or(0, |balance| balance.promotion);
            let left = left.get(&account).copied().unwrap_or(0);
            if known != left {
                let breach =
                    format!("{account} has promotional credit of {known}, and {left} left of it");
                found.breaches.push(breach);
            }
        }
        Ok(())
    }

    /// Who pays ahead owes nothing, and something is held only for what is not charged for yet.
    fn audit_prepaid(&self, found: &mut Found) -> Result<(), Error> {
        let mut all = Vec::new();
        self.ctx
            .for_each::<Prepaid>(|account, state| all.push((*account, state.value)))?;
        for (account, state) in all {
            let terms = self.ctx.read::<Terms>(&account)?;
            if terms.is_none_or(|known| known.terms != PaymentTerms::Prepaid) {
                let breach =
                    format!("{account} has a balance to be looked at, and does not pay ahead");
                found.breaches.push(breach);
            }
            let balance = found.balances.get(&account);
            if let Some(owed) = balance
                .map(|balance| balance.receivable)
                .filter(|owed| *owed != 0)
            {
                found
                    .breaches
                    .push(format!("{account} pays ahead and owes {owed}"));
            }
            for name in state.holds.keys() {
                let contract = self.ctx.read::<Contract>(name)?;
                let waits = contract.is_some_and(|contract| {
                    contract.account == account
                        && contract.open_usage.is_none()
                        && contract.ended_at.is_none()
                });
                if !waits {
                    let breach =
                        format!("{account} has something held for {name}, which does not wait");
                    found.breaches.push(breach);
                }
            }
        }
        Ok(())
    }

    /// C5.3: numbers of invoices and of credit notes have no gap, and each invoice is found by its own.
    fn audit_numbers(&self, all: &[Invoice], found: &mut Found) -> Result<(), Error> {
        for invoice in all {
            let number = InvoiceNumber::from(invoice.number);
            if self.ctx.read::<NumberedInvoice>(&number)?.is_none() {
                let breach = format!("nobody finds invoice {number} by its number");
                found.breaches.push(breach);
            }
        }
        let mut last = BTreeMap::new();
        self.ctx.for_each::<InvoiceSeries>(|name, series| {
            last.insert(*name, series.value.last);
        })?;
        let numbers = all.iter().map(|invoice| invoice.number);
        found.breaches.extend(gaps("invoices", numbers, &last));
        let (mut notes, mut last) = (Vec::new(), BTreeMap::new());
        self.ctx
            .for_each::<CreditNote>(|_, note| notes.push(note.value.number))?;
        self.ctx.for_each::<CreditNoteSeries>(|name, series| {
            last.insert(*name, series.value.last);
        })?;
        found.breaches.extend(gaps("credit notes", notes, &last));
        Ok(())
    }

    /// C5.6: what credit notes take back is what is known of it, and not more than the invoice, before tax and of each tax.
    fn breach_of_credits(
        &self,
        invoice: &Invoice,
        due: Option<InvoiceDue>,
    ) -> Result<Option<String>, Error> {
        let notes: Vec<(CreditNoteId, CreditNote)> = self.ctx.list(&invoice.id, usize::MAX)?;
        let sum = |part: fn(&Totals) -> i64| -> i128 {
            let notes = notes.iter();
            notes.map(|(_, note)| i128::from(part(&note.totals))).sum()
        };
        let tax = |totals: &Totals| totals.taxes.iter().map(|tax| tax.tax.amount).sum();
        let net = sum(|totals| totals.net.amount);
        let total = sum(|totals| totals.total.amount);
        let credits = self
            .ctx
            .read::<InvoiceCredits>(&(invoice.account, invoice.id))?;
        let known = credits.map_or(0, |credits| credits.net);
        let Totals {
            net: whole_net,
            total: whole,
            ..
        } = &invoice.totals;
        let is_known =
            net == i128::from(known) && total == i128::from(due.map_or(0, |due| due.credited));
        let is_within = net <= i128::from(whole_net.amount)
            && sum(tax) <= i128::from(tax(&invoice.totals))
            && total <= i128::from(whole.amount);
        Ok(if !is_known {
            Some("its credit notes are not what is known of them".to_owned())
        } else if !is_within {
            Some("more was credited than it is about".to_owned())
        } else {
            None
        })
    }

    fn breach_of(&self, invoice: &Invoice) -> Result<Option<String>, Error> {
        let Invoice {
            id,
            account,
            month,
            totals,
            ..
        } = invoice;
        let lines = self.lines_of_invoice(invoice)?;
        let digest = digest_of(&lines).map_err(|error| Error::Storage(error.to_string()))?;
        let net: i128 = lines.iter().map(|line| i128::from(line.net.amount)).sum();
        let taxes = totals.taxes.iter();
        let taxes: i128 = taxes.map(|tax| i128::from(tax.tax.amount)).sum();
        let total = i128::from(totals.total.amount);
        let billed = self.ctx.read::<BilledMonth>(&(*account, *month))?;
        let is_billed_by = |other: InvoiceId| other == *id;
        Ok(if digest != invoice.lines_digest {
            Some("its lines are not those that were issued".to_owned())
        } else if net != i128::from(totals.net.amount) || net + taxes != total {
            Some("it is not the sum of its lines and taxes".to_owned())
        } else if !billed
            .and_then(|billed| billed.invoice)
            .is_some_and(is_billed_by)
        {
            Some(format!("{month} was billed by another one"))
        } else {
            None
        })
    }
}

/// What is wrong with the numbers of each series: they are all from 1 to the last one that was given.
fn gaps(
    what: &str,
    given: impl IntoIterator<Item = Number>,
    last: &BTreeMap<u64, u64>,
) -> Vec<String> {
    let mut all: BTreeMap<u64, Vec<u64>> = last.keys().map(|name| (*name, Vec::new())).collect();
    for Number { series, number } in given {
        all.entry(series).or_default().push(number);
    }
    let mut breaches = Vec::new();
    for (name, mut numbers) in all {
        let last = last.get(&name).copied().unwrap_or(0);
        numbers.sort_unstable();
        if !numbers.into_iter().eq(1..=last) {
            breaches.push(format!(
                "series {name} of {what} has not each number up to {last} once"
            ));
        }
    }
    breaches
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_that_is_missing_or_given_twice_is_found() {
        let numbers = |numbers: &[u64]| {
            let numbers = numbers.iter();
            let numbers: Vec<_> = numbers
                .map(|number| Number {
                    series: 1,
                    number: *number,
                })
                .collect();
            numbers
        };
        let last = |last| BTreeMap::from([(1, last)]);
        for (given, until, breaches) in [
            (&[][..], 0, 0),
            (&[2, 1], 2, 0),
            (&[], 1, 1),
            (&[1, 3], 3, 1),
            (&[1, 1, 2], 2, 1),
            (&[1, 2], 1, 1),
        ] {
            let found = gaps("invoices", numbers(given), &last(until));
            assert_eq!(found.len(), breaches, "{given:?} up to {until}: {found:?}");
        }
        let nobody_s = gaps("invoices", numbers(&[1]), &BTreeMap::new());
        assert_eq!(nobody_s.len(), 1);
    }
}
