//! What of accounts is stored. Keys and values name nobody: what tells who a person is stands sealed in [`Account`] and
//! [`SealedSshKeys`], and what a person is looked up by is hashed with a key of the vault.

use innkeeper_wire::{
    digest::Digest,
    id::{AccountId, ActId, StaffId},
    operator::{accounts::Deed, reason::Reason},
    time::Timestamp,
};
use serde::{Deserialize, Serialize};

use crate::{
    accounts::rules::{
        account::{Account, Confirmation, PendingConfirmation},
        account_before::AccountV3,
        api_token::ApiTokens,
        email_change::EmailChange,
        lost_factor::LostFactor,
        password_reset::PasswordReset,
        quota::QuotaUse,
        second_factor::{SecondFactor, SecondFactorV1},
        ssh_key::SshKeys,
    },
    kernel::{record::records, sealed::Sealed},
};

records! {
    Account, at "acc/" by AccountId, version 4, from 2 => AccountV3, from 3 => AccountV3;
    // By the keyed hash of the ID.
    LoginClaim, at "login/" by String, version 2;
    // By the keyed hash of the address.
    EmailIndex, at "email/" by String, version 2;
    // By the hash of its secret.
    Confirmation, at "ver/" by String, version 2;
    PendingConfirmation, at "verof/" by AccountId, version 2;
    AwaitsApproval, at "approval/" by AccountId, version 1;
    SuspensionChange, at "suspension/" by AccountId, version 1;
    EmailChange, at "newemail/" by AccountId, version 1;
    PasswordReset, at "reset/" by AccountId, version 1;
    SecondFactor, at "factor/" by AccountId, version 2, from 1 => SecondFactorV1;
    LostFactor, at "lostfactor/" by AccountId, version 1;
    ApiTokens, at "tokens/" by AccountId, version 1;
    SealedSshKeys, at "keys/" by AccountId, version 2;
    QuotaUse, at "quota/" by AccountId, version 2;
    Erasing, at "erasing/" by AccountId, version 2;
    KeysClaim, at "vault/claim" by (), version 2;
    AccountAct, at "staffact/" by (AccountId, ActId), version 1;
    StaffSearch, at "staffsearch/" by (StaffId, ActId), version 1;
}

/// That a login ID is taken, for good once somebody had it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct LoginClaim {
    /// By whom; `None` when its account was erased: nobody else shall be taken for him who had it.
    pub(crate) account: Option<AccountId>,
}

/// That an operator has to approve of an account: what its state says, to be found without looking at all of them.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct AwaitsApproval {
    /// When its address was confirmed.
    pub(crate) since: Timestamp,
}

/// That an account was suspended or resumed, and that its servers may not follow that yet.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct SuspensionChange {
    pub(crate) since: Timestamp,
}

/// The accounts of one e-mail address, and the newest sign-ups with it that wait to be confirmed.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct EmailIndex {
    /// Oldest first. Which of them are confirmed, their own records say.
    pub(crate) accounts: Vec<AccountId>,
}

/// An account's SSH keys.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct SealedSshKeys {
    pub(crate) keys: Sealed<SshKeys>,
}

/// That an account was erased but for its key.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Erasing {
    pub(crate) since: Timestamp,
}

/// Which keys this store is sealed with.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct KeysClaim {
    /// The vault's check value.
    pub(crate) check: Digest,
}

/// Something that staff did to an account.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct AccountAct {
    pub(crate) at: Timestamp,
    /// Who: the id of somebody of the staff, or `operator`.
    pub(crate) by: String,
    pub(crate) deed: Deed,
    pub(crate) reason: Sealed<Reason>,
}

/// That somebody of the staff looked for accounts. Of each, the last hundred are kept.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct StaffSearch {
    pub(crate) at: Timestamp,
    /// How many were found.
    pub(crate) found: u32,
}
