//! What the owner of an account changes of himself (R64): language and time zone, which are nobody's secret, and the mobile
//! number, of which his address is told. The address itself: [`super::email_change`]. Other data operators change.

use innkeeper_wire::{
    api::{MobileChange, ProfileChange},
    error::FieldErrorCode,
    zone::Zone,
};

use super::Accounts;
use crate::{
    accounts::rules::{
        account::{Account, Person},
        mobile,
    },
    kernel::{Caller, Error, Tx, field},
    mails::rules::MailContent,
};

impl Accounts {
    /// The time zone of somebody. A name that nobody knows any more is the installation's.
    pub(super) fn zone_of(&self, person: &Person) -> Zone {
        let own = person.time_zone.as_ref().map(|name| name.parse());
        let own = own.and_then(Result::ok);
        own.unwrap_or_else(|| self.mails.stationery().time_zone.clone())
    }

    /// Changes language and time zone, and whether first steps are shown.
    pub async fn change_profile(
        &self,
        caller: &Caller,
        change: &ProfileChange,
    ) -> Result<(), Error> {
        if let Some(name) = &change.time_zone
            && name.parse::<Zone>().is_err()
        {
            let detail = "there is no such time zone";
            let error = field("/time_zone", FieldErrorCode::Unknown, detail);
            return Err(Error::Invalid(vec![error]));
        }
        let cause = format!("change profile, {}", caller.request);
        self.ctx
            .commit(caller.actor, &cause, |tx| {
                self.change_person(tx, caller, |person| {
                    person.locale = change.locale.unwrap_or(person.locale);
                    let hidden = change.first_steps_hidden;
                    person.first_steps_hidden = hidden.unwrap_or(person.first_steps_hidden);
                    if change.time_zone.is_some() {
                        person.time_zone.clone_from(&change.time_zone);
                    }
                    Ok(())
                })
                .map(drop)
            })
            .await
    }

    /// Changes the mobile number, or removes it.
    pub async fn change_mobile(&self, caller: &Caller, change: &MobileChange) -> Result<(), Error> {
        let id = caller.account()?;
        let from = self.place_of(id, caller.address)?;
        let cause = format!("change mobile, {}", caller.request);
        self.ctx
            .commit(caller.actor, &cause, |tx| {
                let is_changed = self.change_person(tx, caller, |person| {
                    let mobile = mobile::normal(&change.mobile, person.locale);
                    person.mobile = mobile.map_err(|error| Error::Invalid(vec![error]))?;
                    Ok(())
                })?;
                if !is_changed {
                    return Ok(());
                }
                let from = from.clone();
                self.mails
                    .queue(tx, id, MailContent::MobileChanged { from })
            })
            .await
    }

    /// Reads the person, has `change` change it, and writes it if it is another one; whether it is.
    fn change_person(
        &self,
        tx: &mut Tx<'_>,
        caller: &Caller,
        change: impl FnOnce(&mut Person) -> Result<(), Error>,
    ) -> Result<bool, Error> {
        let id = caller.account()?;
        let account = tx.get::<Account>(&id)?.ok_or(Error::Unauthenticated)?;
        let before = self.person(&account)?;
        let mut person = before.clone();
        change(&mut person)?;
        if person == before {
            return Ok(false);
        }
        let person = Some(self.seal(id, &person)?);
        tx.put(&id, &Account { person, ..account })?;
        Ok(true)
    }
}
