//! Telling the staff by mail what began to need a person. What that is they are handed by whoever knows (`service`): staff
//! know nothing of hosts and orders.

use std::collections::BTreeMap;

use innkeeper_wire::{
    id::StaffId,
    operator::attention::Matter,
    staff::{Role, StaffStanding},
};

use super::{
    Staffs,
    rules::{
        Email, Staff,
        alerts::{Alert, AlertKey, Decision, decide},
        letters,
    },
};
use crate::{
    kernel::{Actor, Error, Tx},
    mails::{
        ReadyMail,
        rules::{MailContent, OutgoingMail, Reader, ToldMatter},
    },
};

/// Things that are known to have been told; far more than there are hosts and duties.
const ALERTS_MAX: usize = 10_000;
/// Most people who are told. With the next two it keeps a commit below what one may name.
const TOLD_MAX: usize = 40;
/// Records that change in the commit with the mails.
const FIRST_CHANGES: usize = 40;
/// Records that change in one of the next commits.
const CHANGES: usize = 80;
/// Things that one mail names.
const NAMED_MAX: usize = 20;

impl Staffs {
    /// Has mails go out about what of this is new; gives how much was told. Nothing is noted while nobody is there to be told.
    pub async fn alert(&self, matters: &[Matter]) -> Result<usize, Error> {
        let told_to = self.those_who_may(Role::Support)?;
        if told_to.is_empty() {
            return Ok(0);
        }
        let known = self.ctx.list_all::<Alert>(None, ALERTS_MAX)?.into_iter();
        let known: BTreeMap<AlertKey, Alert> =
            known.map(|(key, found)| (key, found.value)).collect();
        let Decision { told, changes } = decide(matters, &known, self.ctx.now());
        let content = content(&told);
        let (first, rest) = changes.split_at(changes.len().min(FIRST_CHANGES));
        let change = async |told_to: &[StaffId], changes: &[(AlertKey, Option<Alert>)]| {
            let decide = |tx: &mut Tx<'_>| {
                for staff in told_to {
                    self.mails.queue_to_staff(tx, *staff, content.clone())?;
                }
                changes.iter().try_for_each(|change| note(tx, change))
            };
            let cause = "tell the staff what needs a person";
            self.ctx.commit(Actor::System, cause, decide).await
        };
        if !first.is_empty() {
            let told_to = if told.is_empty() { &[] } else { &told_to[..] };
            change(told_to, first).await?;
        }
        for changes in rest.chunks(CHANGES) {
            change(&[], changes).await?;
        }
        Ok(told.len())
    }

    /// Those who do technical-support jobs, and administrators, as far as they can sign in.
    pub(crate) fn engineers(&self) -> Result<Vec<StaffId>, Error> {
        self.those_who_may(Role::Engineer)
    }

    /// Those with this role, and administrators, as far as they can sign in.
    fn those_who_may(&self, role: Role) -> Result<Vec<StaffId>, Error> {
        let all = self.ctx.list_all::<Staff>(None, super::STAFF_MAX)?;
        let all = all.into_iter().map(|(_, found)| found.value);
        let those = all.filter(|staff| staff.role.may(role) && self.is_active(staff));
        Ok(those.take(TOLD_MAX).map(|staff| staff.id).collect())
    }

    fn is_active(&self, staff: &Staff) -> bool {
        staff.standing(self.ctx.store().epoch()) == StaffStanding::Active
    }

    /// Who reads mails to somebody of the staff; nobody when he can't sign in.
    pub(crate) fn reader_of(&self, id: StaffId) -> Result<Option<Reader>, Error> {
        let staff = self.ctx.read::<Staff>(&id)?;
        let Some(staff) = staff.filter(|staff| self.is_active(staff)) else {
            return Ok(None);
        };
        let Email(to) = self.unseal(id, &staff.email)?;
        Ok(Some(letters::reader(self.mails.stationery(), to)))
    }

    /// Where the staff's portal is.
    pub(crate) fn portal_url(&self) -> Option<&str> {
        self.settings.portal_url.as_deref()
    }

    /// Writes a mail to somebody of the staff. `None` when he can't sign in any more.
    ///
    /// # Errors
    /// When what it is about can't be read.
    pub fn compose(&self, id: StaffId, mail: &OutgoingMail) -> Result<Option<ReadyMail>, Error> {
        let MailContent::StaffAlert { matters, more } = &mail.content else {
            return Ok(None);
        };
        let staff = self.ctx.read::<Staff>(&id)?;
        let Some(staff) =
            staff.filter(|staff| staff.role.may(Role::Support) && self.is_active(staff))
        else {
            return Ok(None);
        };
        let Email(to) = self.unseal(id, &staff.email)?;
        let sheet = self.mails.stationery();
        let reader = letters::reader(sheet, to);
        let url = self.settings.portal_url.as_deref();
        let letter = letters::alert(sheet, &reader, (matters, *more), url);
        let to = reader.to;
        Ok(Some(ReadyMail { to, letter }))
    }
}

fn content(told: &[Matter]) -> MailContent {
    let named = told.iter().take(NAMED_MAX).map(|matter| ToldMatter {
        kind: matter.kind,
        subject: matter.subject.clone(),
        since: matter.since,
    });
    MailContent::StaffAlert {
        matters: named.collect(),
        more: told.len().saturating_sub(NAMED_MAX),
    }
}

fn note(tx: &mut Tx<'_>, (key, alert): &(AlertKey, Option<Alert>)) -> Result<(), Error> {
    let before = tx.get::<Alert>(key)?;
    match alert {
        Some(alert) => tx.put(key, alert),
        None if before.is_some() => tx.remove::<Alert>(key),
        None => Ok(()),
    }
}
