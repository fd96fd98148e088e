//! The SSH keys of an account (R73).

use innkeeper_wire::{
    api::{self, Page, PageInfo, SSH_KEYS_PER_ACCOUNT_MAX, SshKeyRequest},
    error::FieldErrorCode,
    id::{AccountId, SshKeyId},
};

use super::{
    App, Caller,
    error::AppError,
    records::{Changes, SealedSshKeys, read},
};
use crate::domain::{
    account::field,
    names,
    ssh_key::{self, ParsedKey, SshKey, SshKeys},
};

/// Longest name of a key, in characters.
const NAME_LENGTH_MAX: usize = 60;

impl App {
    /// The account's keys, newest first. There are few, so it is always one page.
    pub fn ssh_keys(&self, caller: &Caller) -> Result<Page<api::SshKey>, AppError> {
        let (keys, _) = self.keys_of(caller.account()?)?;
        let data = keys.keys.into_iter().rev().map(view).collect();
        Ok(Page {
            data,
            page: PageInfo {
                next: None,
                has_more: false,
            },
        })
    }

    /// An account's keys, with the version of their record if there is one.
    pub(crate) fn keys_of(&self, account: AccountId) -> Result<(SshKeys, Option<u64>), AppError> {
        match read::<SealedSshKeys>(self.store(), account)? {
            Some(record) => {
                let keys = self.unseal(account, &record.value.keys)?;
                Ok((keys, Some(record.version)))
            }
            None => Ok((SshKeys::default(), None)),
        }
    }

    fn replace_keys(
        &self,
        changes: &mut Changes,
        account: AccountId,
        version: Option<u64>,
        keys: &SshKeys,
    ) -> Result<(), AppError> {
        let keys = self.seal(account, keys)?;
        changes.replace(account, version, &SealedSshKeys { keys })
    }

    /// Adds a key.
    pub async fn add_ssh_key(
        &self,
        caller: &Caller,
        request: &SshKeyRequest,
    ) -> Result<api::SshKey, AppError> {
        let account = caller.account()?;
        let parsed = ssh_key::parse(&request.public_key);
        let name = check_name(&request.name, parsed.as_ref().ok());
        let (parsed, name) = match (parsed, name) {
            (Ok(parsed), Ok(name)) => (parsed, name),
            (parsed, name) => {
                return Err(AppError::Invalid(
                    parsed.err().into_iter().chain(name.err()).collect(),
                ));
            }
        };
        let cause = format!("add ssh key, {}", caller.request);
        self.decide(caller.actor, &cause, |app, now| {
            let (mut keys, version) = app.keys_of(account)?;
            if keys.contains(&parsed) {
                let detail = "this key is in your account already";
                return Err(AppError::Invalid(vec![field(
                    "/public_key",
                    FieldErrorCode::Duplicate,
                    detail,
                )]));
            }
            if keys.keys.len() >= SSH_KEYS_PER_ACCOUNT_MAX {
                let limit = u32::try_from(SSH_KEYS_PER_ACCOUNT_MAX).unwrap_or(u32::MAX);
                return Err(AppError::Quota { limit });
            }
            let key = SshKey {
                id: SshKeyId::new(app.ids()),
                name: name.clone(),
                algorithm: parsed.algorithm.clone(),
                fingerprint: parsed.fingerprint.clone(),
                public_key: parsed.canonical.clone(),
                created_at: now,
            };
            keys.keys.push(key.clone());
            let fits = keys.check_room();
            fits.map_err(|error| AppError::Invalid(vec![error]))?;
            let mut changes = Changes::default();
            app.replace_keys(&mut changes, account, version, &keys)?;
            Ok((changes, view(key)))
        })
        .await
    }

    /// Takes a key out of the account. Servers that were made with it keep it.
    pub async fn remove_ssh_key(&self, caller: &Caller, id: SshKeyId) -> Result<(), AppError> {
        let account = caller.account()?;
        let cause = format!("remove ssh key {id}, {}", caller.request);
        self.decide(caller.actor, &cause, |app, _| {
            let (mut keys, version) = app.keys_of(account)?;
            let before = keys.keys.len();
            keys.keys.retain(|key| key.id != id);
            if keys.keys.len() == before {
                return Err(AppError::NotFound);
            }
            let mut changes = Changes::default();
            app.replace_keys(&mut changes, account, version, &keys)?;
            Ok((changes, ()))
        })
        .await
    }
}

/// The name that was typed, else the key's comment, else its kind.
fn check_name(
    name: &str,
    key: Option<&ParsedKey>,
) -> Result<String, innkeeper_wire::error::FieldError> {
    let name = name.trim();
    if name.chars().count() > NAME_LENGTH_MAX {
        return Err(field(
            "/name",
            FieldErrorCode::TooLong,
            "a name has at most 60 characters",
        ));
    }
    if names::has_invisible(name) {
        return Err(field(
            "/name",
            FieldErrorCode::InvisibleCharacters,
            "a name has no invisible characters",
        ));
    }
    Ok(match key {
        Some(key) if name.is_empty() => name_of(key),
        _ => name.to_owned(),
    })
}

/// What can be seen of the key's comment, else its kind.
fn name_of(key: &ParsedKey) -> String {
    let visible = key.comment.chars().filter(|c| !names::is_invisible(*c));
    let comment: String = visible.take(NAME_LENGTH_MAX).collect();
    match comment.trim() {
        "" => key.algorithm.clone(),
        comment => comment.to_owned(),
    }
}

fn view(key: SshKey) -> api::SshKey {
    let SshKey {
        id,
        name,
        algorithm,
        fingerprint,
        public_key,
        created_at,
    } = key;
    api::SshKey {
        id,
        name,
        algorithm,
        fingerprint,
        public_key,
        created_at,
    }
}
