//! The SSH keys of an account (R73).

use innkeeper_wire::{
    api::{self, Page, PageInfo, SSH_KEYS_PER_ACCOUNT_MAX, SshKeyChange, SshKeyRequest},
    error::{FieldError, FieldErrorCode},
    id::{AccountId, SshKeyId},
    ssh::looks_like_private_key,
};

use super::{Accounts, records::SealedSshKeys};
use crate::{
    accounts::rules::{
        names,
        ssh_key::{self, ParsedKey, SshKey, SshKeys},
    },
    kernel::{Caller, Error, Tx, field},
    mails::rules::MailContent,
};

/// Longest name of a key, in characters.
const NAME_LENGTH_MAX: usize = api::KEY_NAME_LENGTH_MAX;

impl Accounts {
    /// The account's keys, newest first. There are few, so it is always one page.
    pub fn ssh_keys(&self, caller: &Caller) -> Result<Page<api::SshKey>, Error> {
        let keys = self.keys_of(caller.account()?)?;
        let data = keys.keys.into_iter().rev().map(view).collect();
        Ok(Page {
            data,
            page: PageInfo {
                next: None,
                has_more: false,
            },
        })
    }

    /// An account's keys.
    pub(crate) fn keys_of(&self, account: AccountId) -> Result<SshKeys, Error> {
        self.open_keys(account, self.ctx.read::<SealedSshKeys>(&account)?)
    }

    /// Those of the ids that are in the account, as the lines that a server is given, in the order of the ids. The keys
    /// stay as they are until the commit.
    pub(crate) fn public_keys(
        &self,
        tx: &mut Tx<'_>,
        account: AccountId,
        ids: &[SshKeyId],
    ) -> Result<Vec<String>, Error> {
        let sealed = tx.get::<SealedSshKeys>(&account)?;
        let keys = self.open_keys(account, sealed)?.keys;
        let line = |id: &SshKeyId| {
            let key = keys.iter().find(|key| key.id == *id);
            key.map(|key| key.public_key.clone())
        };
        Ok(ids.iter().filter_map(line).collect())
    }

    fn open_keys(
        &self,
        account: AccountId,
        sealed: Option<SealedSshKeys>,
    ) -> Result<SshKeys, Error> {
        match sealed {
            Some(sealed) => self.unseal(account, &sealed.keys),
            None => Ok(SshKeys::default()),
        }
    }

    /// Reads the keys, has `change` change them, and writes them. Of a suspended account they stay as they are.
    fn change_keys<T>(
        &self,
        tx: &mut Tx<'_>,
        account: AccountId,
        change: impl FnOnce(&mut SshKeys) -> Result<T, Error>,
    ) -> Result<T, Error> {
        self.check_not_suspended(tx, account)?;
        let sealed = tx.get::<SealedSshKeys>(&account)?;
        let mut keys = self.open_keys(account, sealed)?;
        let answer = change(&mut keys)?;
        let keys = self.seal(account, &keys)?;
        tx.put(&account, &SealedSshKeys { keys })?;
        Ok(answer)
    }

    /// Adds a key.
    pub async fn add_ssh_key(
        &self,
        caller: &Caller,
        request: &SshKeyRequest,
    ) -> Result<api::SshKey, Error> {
        let account = caller.account()?;
        let parsed = ssh_key::parse(&request.public_key);
        let name = check_name(&request.name);
        let (parsed, name) = match (parsed, name) {
            (Ok(parsed), Ok(name)) => (parsed, name),
            (parsed, name) => {
                return Err(Error::Invalid(
                    parsed.err().into_iter().chain(name.err()).collect(),
                ));
            }
        };
        let name = if name.is_empty() {
            name_of(&parsed)
        } else {
            name
        };
        let cause = format!("add ssh key, {}", caller.request);
        let add = |keys: &mut SshKeys, now| {
            if keys.contains(&parsed) {
                let detail = "this key is in your account already";
                let error = field("/public_key", FieldErrorCode::Duplicate, detail);
                return Err(Error::Invalid(vec![error]));
            }
            if keys.keys.len() >= SSH_KEYS_PER_ACCOUNT_MAX {
                let limit = u32::try_from(SSH_KEYS_PER_ACCOUNT_MAX).unwrap_or(u32::MAX);
                return Err(Error::Quota { limit });
            }
            let key = SshKey {
                id: SshKeyId::new(self.ctx.ids()),
                name: name.clone(),
                algorithm: parsed.algorithm.clone(),
                fingerprint: parsed.fingerprint.clone(),
                public_key: parsed.canonical.clone(),
                created_at: now,
            };
            keys.keys.push(key.clone());
            let fits = keys.check_room();
            fits.map_err(|error| Error::Invalid(vec![error]))?;
            Ok(view(key))
        };
        self.ctx
            .commit(caller.actor, &cause, |tx| {
                let now = tx.now();
                let added = self.change_keys(tx, account, |keys| add(keys, now))?;
                let key = added.id;
                self.mails
                    .queue(tx, account, MailContent::KeyAdded { key })?;
                Ok(added)
            })
            .await
    }

    /// Gives a key another name. Servers know nothing of names.
    pub async fn rename_ssh_key(
        &self,
        caller: &Caller,
        id: SshKeyId,
        request: &SshKeyChange,
    ) -> Result<api::SshKey, Error> {
        let account = caller.account()?;
        let cause = format!("rename ssh key {id}, {}", caller.request);
        let name = check_name(&request.name).and_then(|name| match name.as_str() {
            "" => Err(field(
                "/name",
                FieldErrorCode::Required,
                "give the key a name",
            )),
            _ => Ok(name),
        });
        let rename = |keys: &mut SshKeys| {
            let key = keys.keys.iter_mut().find(|key| key.id == id);
            let key = key.ok_or(Error::NotFound)?;
            key.name = name.clone().map_err(|error| Error::Invalid(vec![error]))?;
            let renamed = key.clone();
            let fits = keys.check_room();
            fits.map_err(|error| Error::Invalid(vec![error]))?;
            Ok(view(renamed))
        };
        self.ctx
            .commit(caller.actor, &cause, |tx| {
                self.change_keys(tx, account, rename)
            })
            .await
    }

    /// Takes a key out of the account. Servers that were made with it keep it.
    pub async fn remove_ssh_key(&self, caller: &Caller, id: SshKeyId) -> Result<(), Error> {
        let account = caller.account()?;
        let cause = format!("remove ssh key {id}, {}", caller.request);
        let remove = |keys: &mut SshKeys| {
            let before = keys.keys.len();
            keys.keys.retain(|key| key.id != id);
            if keys.keys.len() == before {
                return Err(Error::NotFound);
            }
            Ok(())
        };
        self.ctx
            .commit(caller.actor, &cause, |tx| {
                self.change_keys(tx, account, remove)
            })
            .await
    }
}

/// The name that was typed, without what can't be seen.
fn check_name(name: &str) -> Result<String, FieldError> {
    if looks_like_private_key(name) {
        let detail = "this is a private key: keep it secret, and paste it nowhere";
        return Err(field("/name", FieldErrorCode::PrivateKey, detail));
    }
    let name = names::visible(name);
    if name.chars().count() > NAME_LENGTH_MAX {
        let detail = "a name has at most 60 characters";
        return Err(field("/name", FieldErrorCode::TooLong, detail));
    }
    Ok(name)
}

/// What can be seen of the key's comment, else its kind.
fn name_of(key: &ParsedKey) -> String {
    let comment = names::visible(&key.comment);
    let comment: String = comment.chars().take(NAME_LENGTH_MAX).collect();
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
        bits: ssh_key::bits(&public_key),
        algorithm,
        fingerprint,
        public_key,
        created_at,
    }
}
