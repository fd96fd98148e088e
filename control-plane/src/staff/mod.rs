//! Staff: who of the hoster's people may come in by their own door, and what for. Their states stand in [`rules`].
//! Operators at the machine's socket make them; nobody of the staff can.

use std::sync::Arc;

use innkeeper_wire::{
    error::FieldErrorCode,
    id::StaffId,
    staff::{AddStaffRequest, Role, StaffInvitation, StaffMe, StaffMember},
    time::Timestamp,
};
use serde::{Serialize, de::DeserializeOwned};
use zeroize::Zeroizing;

use self::{
    records::StaffName,
    rules::{Email, Enrolling, INVITATION_VALID, Staff, State, check_name},
};
use crate::{
    credentials::{
        Passwords,
        guesses::Guesses,
        rate_limits::RateLimits,
        rules::{
            session::SessionPlace,
            totp::{SECRET_BYTES, Secret},
        },
    },
    kernel::{Actor, Ctx, Error, Record as _, Tx, field, sealed::Sealed, secret},
    mails::Mails,
    vault::{Place, Vault},
};

mod alerts;
pub mod duties;
mod enrolment;
pub(crate) mod records;
pub mod rules;
mod session_list;
mod sessions;

pub use self::sessions::SignedInStaff;

/// Most people of the staff.
const STAFF_MAX: usize = 1_000;

/// What an operator decides about staff.
#[derive(Debug, Clone)]
pub struct StaffSettings {
    /// The hoster's name, for authenticator apps.
    pub installation: String,
    /// Where the staff's portal is, without a slash at the end; none when staff have no door.
    pub portal_url: Option<String>,
    /// Shortest password.
    pub password_length_min: usize,
}

/// The staff. Clones share them.
#[derive(Clone)]
pub struct Staffs {
    ctx: Ctx,
    vault: Vault,
    mails: Mails,
    settings: Arc<StaffSettings>,
    passwords: Arc<Passwords>,
    rate_limits: Arc<RateLimits>,
    guesses: Guesses,
}

impl Staffs {
    /// The staff of a store, whose secrets are sealed by `vault`.
    #[must_use]
    pub fn new(ctx: Ctx, vault: Vault, mails: Mails, settings: StaffSettings) -> Self {
        Self {
            guesses: Guesses::new(ctx.clone(), vault.clone()),
            ctx,
            vault,
            mails,
            settings: Arc::new(settings),
            passwords: Arc::new(Passwords::new()),
            rate_limits: Arc::default(),
        }
    }

    /// Adds somebody; gives the link with which he chooses his password.
    pub async fn add(
        &self,
        by: Actor,
        request: &AddStaffRequest,
    ) -> Result<StaffInvitation, Error> {
        let name = check_name(&request.name).map_err(|error| Error::Invalid(vec![error]))?;
        if !request.email.contains('@') {
            let detail = "this is no e-mail address";
            let error = field("/email", FieldErrorCode::Malformed, detail);
            return Err(Error::Invalid(vec![error]));
        }
        if self.ctx.list_all::<Staff>(None, STAFF_MAX)?.len() >= STAFF_MAX {
            return Err(Error::OperatorRefused("there are too many".to_owned()));
        }
        let id = StaffId::new(self.ctx.ids());
        let email = self.seal(id, &Email(request.email.clone()))?;
        let (link, enrolling) = self.new_enrolling(id)?;
        let expires_at = enrolling.expires_at;
        let cause = format!("add {name} to the staff as {}", request.role.as_str());
        self.ctx
            .commit(by, &cause, |tx| {
                if tx.get::<StaffName>(&name)?.is_some() {
                    let detail = "there is one with this name";
                    let error = field("/name", FieldErrorCode::Taken, detail);
                    return Err(Error::Invalid(vec![error]));
                }
                tx.insert(&name, &StaffName { staff: id })?;
                let staff = Staff {
                    id,
                    name: name.clone(),
                    role: request.role,
                    email: email.clone(),
                    state: State::Invited(enrolling.clone()),
                    created_at: tx.now(),
                    epoch: self.ctx.store().epoch(),
                    serial: 0,
                };
                tx.insert(&id, &staff)
            })
            .await?;
        Ok(StaffInvitation {
            name,
            link,
            expires_at,
        })
    }

    /// Has somebody choose a password and set up an authenticator app anew, who may be off; ends his sessions.
    pub async fn reset(&self, by: Actor, name: &str) -> Result<StaffInvitation, Error> {
        let id = self.named(name)?;
        let (link, enrolling) = self.new_enrolling(id)?;
        let expires_at = enrolling.expires_at;
        let cause = format!("have {name} of the staff set up everything anew");
        let epoch = self.ctx.store().epoch();
        self.change(by, &cause, id, |staff| {
            staff.invited_again(enrolling.clone(), epoch)
        })
        .await?;
        Ok(StaffInvitation {
            name: name.to_owned(),
            link,
            expires_at,
        })
    }

    /// Changes what somebody is for, from his next request on.
    pub async fn change_role(&self, by: Actor, name: &str, role: Role) -> Result<(), Error> {
        let id = self.named(name)?;
        let cause = format!("{name} of the staff is {} from now on", role.as_str());
        self.change(by, &cause, id, |staff| Staff { role, ..staff })
            .await
    }

    /// Switches somebody off, and ends his sessions.
    pub async fn disable(&self, by: Actor, name: &str) -> Result<(), Error> {
        let id = self.named(name)?;
        let cause = format!("switch {name} of the staff off");
        self.change(by, &cause, id, Staff::off).await
    }

    /// All of them, in the order in which they came.
    pub fn list(&self) -> Result<Vec<StaffMember>, Error> {
        let all = self.ctx.list_all::<Staff>(None, STAFF_MAX)?;
        let epoch = self.ctx.store().epoch();
        let members = all.into_iter().map(|(_, found)| {
            let staff = found.value;
            let Email(email) = self.unseal(staff.id, &staff.email)?;
            Ok(StaffMember {
                id: staff.id,
                standing: staff.standing(epoch),
                name: staff.name,
                role: staff.role,
                email,
                created_at: staff.created_at,
            })
        });
        members.collect()
    }

    /// The name of somebody, whatever he may do now.
    pub(crate) fn name_of(&self, id: StaffId) -> Result<Option<String>, Error> {
        Ok(self.ctx.read::<Staff>(&id)?.map(|staff| staff.name))
    }

    /// Somebody who is signed in.
    pub fn me(&self, id: StaffId) -> Result<StaffMe, Error> {
        let staff = self.ctx.read::<Staff>(&id)?.ok_or(Error::NotFound)?;
        Ok(StaffMe {
            id,
            name: staff.name,
            role: staff.role,
        })
    }

    /// Since when somebody is of the staff.
    pub fn added_at(&self, id: StaffId) -> Result<Timestamp, Error> {
        let staff = self.ctx.read::<Staff>(&id)?.ok_or(Error::NotFound)?;
        Ok(staff.created_at)
    }

    fn named(&self, name: &str) -> Result<StaffId, Error> {
        let claim = self.ctx.read::<StaffName>(&name.to_lowercase())?;
        claim.map(|claim| claim.staff).ok_or(Error::NotFound)
    }

    async fn change(
        &self,
        by: Actor,
        cause: &str,
        id: StaffId,
        changed: impl Fn(Staff) -> Staff,
    ) -> Result<(), Error> {
        self.ctx
            .commit(by, cause, |tx| {
                let staff = tx.get::<Staff>(&id)?.ok_or(Error::NotFound)?;
                tx.put(&id, &changed(staff))
            })
            .await
    }

    /// A link, and what is kept of it.
    fn new_enrolling(&self, id: StaffId) -> Result<(String, Enrolling), Error> {
        let portal = self.settings.portal_url.as_ref().ok_or_else(|| {
            Error::OperatorRefused(
                "staff have no door: the configuration has no [staff]".to_owned(),
            )
        })?;
        let secret = secret::generate()?;
        let enrolling = Enrolling {
            secret_hash: secret::hash(&secret),
            expires_at: self.ctx.now().after(INVITATION_VALID),
            factor: self.seal(id, &Secret::new(secret::random::<SECRET_BYTES>()?))?,
        };
        Ok((format!("{portal}/enrol?token={id}.{secret}"), enrolling))
    }

    fn seal<T: Ours>(&self, id: StaffId, value: &T) -> Result<Sealed<T>, Error> {
        let plain = serde_json::to_vec(value).map(Zeroizing::new);
        let plain = plain.map_err(|error| Error::Storage(error.to_string()))?;
        let record = format!("{}{id}", Staff::KIND.prefix);
        let place = Place {
            record: &record,
            field: T::FIELD,
        };
        Ok(Sealed::new(self.vault.seal_ours(place, &plain)?))
    }

    fn unseal<T: Ours>(&self, id: StaffId, sealed: &Sealed<T>) -> Result<T, Error> {
        let record = format!("{}{id}", Staff::KIND.prefix);
        let place = Place {
            record: &record,
            field: T::FIELD,
        };
        let plain = self.vault.unseal_ours(place, sealed.bytes())?;
        // Without serde's own words, which may repeat what they could not read.
        serde_json::from_slice(&plain)
            .map_err(|_| Error::Storage(format!("what is sealed in {record} can't be read")))
    }

    /// A transaction that only reads.
    fn look(&self) -> Tx<'_> {
        Tx::new(self.ctx.store(), self.ctx.now())
    }
}

/// What stands sealed in the record of somebody of the staff.
trait Ours: Serialize + DeserializeOwned {
    /// What of the record, and the version of its form.
    const FIELD: &'static str;
}

impl Ours for Email {
    const FIELD: &'static str = "email 1";
}

impl Ours for Secret {
    const FIELD: &'static str = "factor 1";
}

impl Ours for SessionPlace {
    const FIELD: &'static str = "session place 1";
}

impl Ours for rules::Credentials {
    const FIELD: &'static str = "credentials 1";
}
