//! The link of somebody who was added or reset: he chooses a password, and proves that his authenticator app has the
//! secret.

use innkeeper_wire::{
    error::FieldErrorCode,
    id::StaffId,
    staff::{EnrolRequest, Enrolment},
};

use super::{
    Staffs,
    rules::{Credentials, Email, Enrolling, Staff},
};
use crate::{
    credentials::{
        Asker,
        rate_limits::Limited,
        rules::password::{Owner, check},
    },
    kernel::{Actor, Caller, Error, Tx, field, secret},
};

impl Staffs {
    /// What a link is for. Uses nothing up.
    pub fn look_at_enrolment(&self, caller: &Caller, token: &str) -> Result<Enrolment, Error> {
        let now = self.ctx.now();
        self.rate_limits.admit(Limited::Look, caller.address, now)?;
        let (staff, enrolling) = self.admitted_by_link(&mut self.look(), token)?;
        let factor = self.unseal(staff.id, &enrolling.factor)?;
        Ok(Enrolment {
            secret: factor.text(),
            uri: factor.uri(&self.settings.installation, &staff.name),
            name: staff.name,
            role: staff.role,
            expires_at: enrolling.expires_at,
        })
    }

    /// Uses a link.
    pub async fn enrol(&self, caller: &Caller, request: &EnrolRequest) -> Result<(), Error> {
        let limits = &self.rate_limits;
        limits.admit(Limited::NewPassword, caller.address, self.ctx.now())?;
        let (staff, enrolling) = self.admitted_by_link(&mut self.look(), &request.token)?;
        self.check_password(&staff, &request.password)?;
        let factor = self.unseal(staff.id, &enrolling.factor)?;
        let turn = self.passwords.turn(Asker::stranger(caller.address)).await?;
        let password_hash = turn.hash(&request.password).await?;
        let cause = format!(
            "{} of the staff has enrolled, {}",
            staff.name, caller.request
        );
        self.ctx
            .commit(Actor::Staff(staff.id), &cause, |tx| {
                let (staff, _) = self.admitted_by_link(tx, &request.token)?;
                let last_step = factor
                    .step_of(&request.code, tx.now(), None)
                    .ok_or_else(wrong_code)?;
                let credentials = Credentials {
                    password_hash: password_hash.clone(),
                    factor: factor.clone(),
                    last_step,
                };
                let credentials = self.seal(staff.id, &credentials)?;
                tx.put(&staff.id.clone(), &staff.enrolled(credentials))
            })
            .await
    }

    fn check_password(&self, staff: &Staff, password: &str) -> Result<(), Error> {
        let Email(email) = self.unseal(staff.id, &staff.email)?;
        let owner = Owner {
            login_id: &staff.name,
            name: &staff.name,
            email: &email,
            mobile: None,
        };
        match check(password, owner, self.settings.password_length_min) {
            Some(error) => Err(Error::Invalid(vec![error])),
            None => Ok(()),
        }
    }

    /// Whose link this is, if it still works. Guards what it reads.
    fn admitted_by_link(&self, tx: &mut Tx<'_>, token: &str) -> Result<(Staff, Enrolling), Error> {
        let (id, secret) = token.split_once('.').ok_or(Error::LinkExpired)?;
        let id: StaffId = id.parse().map_err(|_| Error::LinkExpired)?;
        let staff = tx.get::<Staff>(&id)?.ok_or(Error::LinkExpired)?;
        let epoch = self.ctx.store().epoch();
        let enrolling = staff.enrolling(&secret::hash(secret), epoch, tx.now());
        let enrolling = enrolling.cloned().ok_or(Error::LinkExpired)?;
        Ok((staff, enrolling))
    }
}

fn wrong_code() -> Error {
    let detail = "this code is wrong or is no longer shown";
    Error::Invalid(vec![field("/code", FieldErrorCode::Wrong, detail)])
}
