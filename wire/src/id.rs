//! Ids: UUIDv7 inside, a type prefix in text (`srv_0190b5c87f1e7c3a8e0f5b6d2c4a9e11`), so that an id in a
//! log, a URL or a support ticket says what it is, and one kind can't stand where another belongs.
//!
//! Ids are made at the edge ([`IdSource`]) and passed in: nothing that decides makes one. They show when
//! they were made, so they are never secrets.

use std::{fmt, str::FromStr};

use uuid::Uuid;

use crate::time::Timestamp;

/// Where new ids come from: the clock and randomness in production, a seed in the simulator.
pub trait IdSource: Send + Sync {
    /// A fresh UUIDv7.
    fn uuid(&self) -> Uuid;
}

/// Why a text is no id of the wanted kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not an id of the form {prefix}_<32 hex digits>")]
pub struct ParseIdError {
    /// The prefix that was wanted.
    pub prefix: &'static str,
    /// What was given, cut to 64 characters.
    pub text: String,
}

/// A UUIDv7 from its two ingredients.
#[must_use]
pub fn uuid_v7(at: Timestamp, random: [u8; 10]) -> Uuid {
    let millis = u64::try_from(at.as_millis()).unwrap_or(0);
    uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid()
}

/// When an id was made, as it says itself; `None` when it is no UUIDv7.
#[must_use]
pub fn made_at(id: Uuid) -> Option<Timestamp> {
    let (seconds, nanoseconds) = id.get_timestamp()?.to_unix();
    let millis = i64::try_from(seconds).ok()?.checked_mul(1_000)?;
    Some(Timestamp::from_millis(
        millis + i64::from(nanoseconds / 1_000_000),
    ))
}

fn parse(prefix: &'static str, text: &str) -> Result<Uuid, ParseIdError> {
    let refused = || ParseIdError {
        prefix,
        text: text.chars().take(64).collect(),
    };
    let hex = text
        .strip_prefix(prefix)
        .and_then(|rest| rest.strip_prefix('_'))
        .ok_or_else(refused)?;
    let canonical = hex.len() == 32 && hex.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    if !canonical {
        return Err(refused());
    }
    Uuid::parse_str(hex).map_err(|_| refused())
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident = $prefix:literal),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Uuid);

        impl $name {
            /// The prefix of the text form.
            pub const PREFIX: &'static str = $prefix;

            /// Wraps a UUID that is known to be of this kind.
            #[must_use]
            pub const fn from_uuid(uuid: Uuid) -> Self {
                Self(uuid)
            }

            /// A new id.
            #[must_use]
            pub fn new(source: &dyn IdSource) -> Self {
                Self(source.uuid())
            }

            /// The bare UUID, as libvirt and file names use it.
            #[must_use]
            pub const fn uuid(self) -> Uuid {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}_{}", $prefix, self.0.simple())
            }
        }

        impl FromStr for $name {
            type Err = ParseIdError;
            fn from_str(text: &str) -> Result<Self, ParseIdError> {
                parse($prefix, text).map(Self)
            }
        }

        travels_as_text!($name);

        impl utoipa::PartialSchema for $name {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
                utoipa::openapi::ObjectBuilder::new()
                    .schema_type(utoipa::openapi::schema::Type::String)
                    .pattern(Some(concat!("^", $prefix, "_[0-9a-f]{32}$")))
                    .into()
            }
        }

        impl utoipa::ToSchema for $name {}
    )+};
}

ids! {
    /// A customer's account.
    AccountId = "acc",
    /// A member of the hoster's staff.
    StaffId = "stf",
    /// Something that staff did.
    ActId = "act",
    /// A session of an account.
    SessionId = "ses",
    /// An SSH public key kept in an account.
    SshKeyId = "key",
    /// A token of an account, with which programs use the API.
    TokenId = "tok",
    /// A price offered for one configuration, for a short time.
    QuoteId = "quo",
    /// What was ordered; never changes after it was placed, but for its state.
    OrderId = "ord",
    /// What is being charged for.
    ContractId = "ctr",
    /// A customer's server; the bare UUID is its libvirt UUID.
    ServerId = "srv",
    /// A span of time in which a contract was used.
    UsageId = "use",
    /// An invoice.
    InvoiceId = "inv",
    /// An entry of the ledger.
    EntryId = "led",
    /// A payment.
    PaymentId = "pay",
    /// A credit note.
    CreditNoteId = "crn",
    /// Promotional credit.
    PromotionId = "prm",
    /// A hypervisor.
    HostId = "hst",
    /// A technical-support job.
    JobId = "job",
    /// Something that happened to a job.
    JobEventId = "jev",
    /// An engineer's access to a server for a time.
    GrantId = "grt",
    /// A mail waiting in the outbox.
    MailId = "mai",
    /// One process of an agent.
    InstanceId = "ins",
    /// What the control plane gives to an agent's process, to be shown again: see [`crate::host::Life`].
    ChallengeId = "cha",
    /// One request, as it appears in logs and problem documents.
    RequestId = "req",
}

/// A short name chosen by an operator: of a site, a plan, an image, a pool. `^[a-z0-9][a-z0-9.-]{0,31}$`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, utoipa::ToSchema)]
#[schema(value_type = String, pattern = "^[a-z0-9][a-z0-9.-]{0,31}$")]
pub struct Code(String);

/// Why a text is no code.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a code has 1 to 32 of a-z, 0-9, `.` and `-`, and starts with a letter or digit")]
pub struct ParseCodeError;

impl Code {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Code {
    type Err = ParseCodeError;
    fn from_str(text: &str) -> Result<Self, ParseCodeError> {
        let alphanumeric = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
        let starts_well = text.bytes().next().is_some_and(alphanumeric);
        let rest_is_well = text
            .bytes()
            .all(|b| alphanumeric(b) || b == b'-' || b == b'.');
        if starts_well && rest_is_well && text.len() <= 32 {
            Ok(Self(text.to_owned()))
        } else {
            Err(ParseCodeError)
        }
    }
}

travels_as_text!(Code);

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server() -> ServerId {
        ServerId::from_uuid(uuid_v7(Timestamp::from_millis(1_790_000_000_000), [7; 10]))
    }

    #[test]
    fn text_form_round_trips() {
        let text = server().to_string();
        assert!(text.starts_with("srv_"), "{text}");
        assert_eq!(text.parse::<ServerId>(), Ok(server()));
        assert_eq!(server().uuid().get_version_num(), 7);
        let made_at = Timestamp::from_millis(1_790_000_000_000);
        assert_eq!(super::made_at(server().uuid()), Some(made_at));
    }

    #[test]
    fn another_kind_or_form_is_refused() {
        let hex = server().uuid().simple().to_string();
        for text in [
            format!("ord_{hex}"),
            hex.clone(),
            format!("srv_{}", hex.to_uppercase()),
            format!("srv_{}", server().uuid()),
            format!("srv_{hex}0"),
            "srv_".to_owned(),
            String::new(),
        ] {
            assert!(text.parse::<ServerId>().is_err(), "{text}");
        }
    }

    #[test]
    fn codes() {
        for good in ["s1", "debian-12", "a", "seoul-1", "debian-12.5"] {
            assert!(good.parse::<Code>().is_ok(), "{good}");
        }
        for bad in ["", "-a", "A", "a b", "a/b", "가", &"a".repeat(33)] {
            assert!(bad.parse::<Code>().is_err(), "{bad}");
        }
    }
}
