//! Why a request is refused, or fails. Knows nothing of HTTP: `api/error` and `agent_api` map it. What a noun refuses
//! for reasons of its own it says in words here, and in types in its own rules.

use innkeeper_wire::{
    api::{ServerState, SuspensionKind},
    error::{FieldError, FieldErrorCode, chain},
    id::HostId,
    money::Money,
};

use crate::{
    store::{CommitError, DocumentError, EphemeralError, ReadError},
    vault::VaultError,
};

/// What is wrong with a field of a request; `pointer` is a JSON pointer into its body, such as `/name`.
#[must_use]
pub fn field(pointer: &str, code: FieldErrorCode, detail: &str) -> FieldError {
    FieldError {
        pointer: pointer.to_owned(),
        code,
        detail: detail.to_owned(),
        proposal: None,
    }
}

/// A refusal or a failure of one request.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Fields are wrong.
    #[error("fields are wrong: {0:?}")]
    Invalid(Vec<FieldError>),
    /// There is no such thing, or it is somebody else's.
    #[error("there is no such thing")]
    NotFound,
    /// No valid session.
    #[error("there is no valid session")]
    Unauthenticated,
    /// The account's key was destroyed, and with it everything about the person.
    #[error("the account was erased")]
    Erased,
    /// The account can't be erased now.
    #[error("the account can't be erased: {0}")]
    EraseRefused(String),
    /// The vault's keys are not those that this store was made with.
    #[error("the keys are not those of this store; put back the copy of the key folder")]
    OtherKeys,
    /// Wrong ID or password.
    #[error("wrong ID or password")]
    BadCredentials,
    /// The address is not confirmed.
    #[error("the e-mail address is not confirmed")]
    EmailUnconfirmed,
    /// An operator has still to approve of the account.
    #[error("the account waits to be approved")]
    ApprovalPending,
    /// An operator has rejected the account.
    #[error("the sign-up was rejected")]
    SignUpRejected,
    /// The account is suspended.
    #[error("the account is suspended for {}", .0.as_str())]
    AccountSuspended(SuspensionKind),
    /// He who uses the session must prove again who he is.
    #[error("the session's user must prove again who he is")]
    StepUpRequired,
    /// The token is for other things.
    #[error("the token is not for this: {0}")]
    TokenScope(&'static str),
    /// Too many wrong passwords.
    #[error("signing in is locked for {remaining_s} s")]
    Locked {
        /// Until the lock ends, in seconds.
        remaining_s: u64,
    },
    /// Too many requests.
    #[error("too many requests; again in {retry_after_s} s")]
    RateLimited {
        /// Until another one makes sense, in seconds.
        retry_after_s: u64,
    },
    /// Too many are waiting already for what costs us much.
    #[error("too many are waiting; again in {retry_after_s} s")]
    Crowded {
        /// Until another try makes sense, in seconds.
        retry_after_s: u64,
    },
    /// The account orders, or orders and deletes, faster than it may.
    #[error("too many orders; again in {retry_after_s} s")]
    OrderLimit {
        /// Until the next order can be taken, in seconds.
        retry_after_s: u64,
    },
    /// What was paid ahead does not cover it.
    #[error("{missing} are missing")]
    PaymentRequired {
        /// How much more is to be paid ahead.
        missing: Money,
    },
    /// Not all hosts were heard of since the start, and none of those that were has room.
    #[error("hosts are still awaited; again in {retry_after_s} s")]
    Starting {
        /// Until all that are alive were heard of, in seconds.
        retry_after_s: u64,
    },
    /// The account has as many as it may.
    #[error("the limit of {limit} is reached")]
    Quota {
        /// How many it may have.
        limit: u32,
    },
    /// No host can take the server: how many were passed over for which reason.
    #[error("no host has room: {0}")]
    NoRoom(String),
    /// No host can take the server, and one that can't be reached would: how many were passed over for which reason.
    #[error("no host that is heard of has room: {0}")]
    RoomAway(String),
    /// The site has no free address.
    #[error("the site has no free address")]
    NoAddress,
    /// The quote is too old.
    #[error("the quote has expired")]
    QuoteExpired,
    /// The catalogue has another price by now.
    #[error("the price has changed since the quote")]
    PriceChanged,
    /// A job's server is not open to engineers, by what its host has said last.
    #[error("engineers are not let in: {0}")]
    FirewallNotActive(String),
    /// What was approved of is not what is asked for now.
    #[error("what is to be approved of has changed")]
    ApprovalChanged,
    /// Nobody has said yet to whom the account's invoices are addressed.
    #[error("there is no billing profile")]
    NoBillingProfile,
    /// A one-time link was used, replaced or has expired.
    #[error("the one-time link is not valid any more")]
    LinkExpired,
    /// The key was used for another request.
    #[error("the Idempotency-Key was used for another request")]
    IdempotencyMismatch,
    /// Not possible in the present state.
    #[error("not possible while the server is {0:?}")]
    InvalidState(ServerState),
    /// Not possible now, and why.
    #[error("{0}")]
    OutOfTurn(&'static str),
    /// A sign-in whose password was right was not ended in time, or is ended.
    #[error("the sign-in waits for no code")]
    SignInExpired,
    /// What an operator asks for is not possible, and why.
    #[error("{0}")]
    OperatorRefused(String),
    /// A host's token does not let it in.
    #[error("the invitation is refused: {detail}")]
    Invitation {
        /// The host that joined with it, if that is why.
        used_by: Option<HostId>,
        /// Why.
        detail: String,
    },
    /// The host was revoked, or never joined here.
    #[error("the host may not talk to this control plane")]
    HostRefused,
    /// The host proves that it joined here, and no record knows it: an operator must decide.
    #[error("no record knows the host; see `recovery show`")]
    HostUnrecorded,
    /// An operator must look at the host first.
    #[error("the host is quarantined: {0}")]
    HostQuarantined(String),
    /// A host's certificate request can't be signed.
    #[error("the certificate request is refused: {0}")]
    CertificateRequest(String),
    /// The store is not what it was, or is being restored: until an operator has ended that, nothing is changed.
    #[error("the installation is being restored")]
    Restoring,
    /// The clock is in doubt: until an operator has looked at it, nothing is closed that is charged for (T41).
    #[error("billing is frozen: the clock is in doubt")]
    BillingFrozen,
    /// Documents can't be rendered: a font is missing, and which.
    #[error("no document can be rendered: {0}")]
    NoFont(String),
    /// Others changed the same things again and again.
    #[error("the same records are being changed by others")]
    Busy,
    /// Nothing more can be stored.
    #[error("the disk of the store is full")]
    StorageFull,
    /// The store does not answer.
    #[error("the store has stopped")]
    Stopped,
    /// What is stored can't be read, or can't be written: our fault.
    #[error("storage: {0}")]
    Storage(String),
}

impl From<ReadError> for Error {
    fn from(error: ReadError) -> Self {
        Self::Storage(chain(&error))
    }
}

impl From<VaultError> for Error {
    fn from(error: VaultError) -> Self {
        match error {
            VaultError::NoKey { .. } => Self::Erased,
            VaultError::File(_)
            | VaultError::Damaged { .. }
            | VaultError::OtherInstallation { .. }
            | VaultError::KeyExists { .. }
            | VaultError::Forged { .. }
            | VaultError::Randomness(_) => Self::Storage(chain(&error)),
        }
    }
}

impl From<CommitError> for Error {
    fn from(error: CommitError) -> Self {
        match error {
            CommitError::Conflict { .. } | CommitError::OutOfFiles => Self::Busy,
            CommitError::Full => Self::StorageFull,
            CommitError::Stopped { .. } => Self::Stopped,
            CommitError::TooLarge { .. } | CommitError::DuplicateKey { .. } => {
                Self::Storage(chain(&error))
            }
        }
    }
}

impl From<DocumentError> for Error {
    fn from(error: DocumentError) -> Self {
        match error {
            DocumentError::Full => Self::StorageFull,
            DocumentError::Missing { .. }
            | DocumentError::Damaged { .. }
            | DocumentError::Io { .. } => Self::Storage(chain(&error)),
        }
    }
}

impl From<EphemeralError> for Error {
    fn from(error: EphemeralError) -> Self {
        match error {
            EphemeralError::Stopping => Self::Stopped,
            EphemeralError::Full => Self::StorageFull,
            EphemeralError::TooLarge { .. }
            | EphemeralError::Read(_)
            | EphemeralError::Engine(_) => Self::Storage(chain(&error)),
        }
    }
}
