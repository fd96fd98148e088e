//! Bodies of the operators' API. Both sides are of one version: the command line and the service that it asks.

use std::{fmt, net::IpAddr, str::FromStr};

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::id::{HostId, ServerId};

pub mod accounts;
pub mod attention;
pub mod audit;
pub mod billing;
pub mod csv;
pub mod exports;
pub mod hosts;
pub mod lost_factor;
pub mod mails;
pub mod orders;
pub mod prices;
pub mod reason;
pub mod servers;

/// A query for a part of a list.
pub trait Paged: Clone {
    /// The same for up to so many entries behind one.
    #[must_use]
    fn part(self, limit: usize, after: Option<String>) -> Self;
}

macro_rules! paged {
    ($($query:ty),+ $(,)?) => {$(
        impl Paged for $query {
            fn part(self, limit: usize, after: Option<String>) -> Self {
                Self { limit: Some(limit), after, ..self }
            }
        }
    )+};
}

paged!(
    audit::AuditQuery,
    hosts::HostListQuery,
    mails::MailListQuery,
    orders::FailedOrdersQuery,
    crate::invoice::AllInvoicesQuery,
    servers::AllServersQuery,
);

/// An answer whose fields are those of the control plane's own rules: what makes it and what reads it are both there.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub struct View(serde_json::Value);

impl View {
    /// As it travels.
    ///
    /// # Errors
    /// When the value has other keys than texts.
    pub fn of(value: &impl Serialize) -> Result<Self, serde_json::Error> {
        serde_json::to_value(value).map(Self)
    }

    /// What was sent.
    ///
    /// # Errors
    /// When it is something else.
    pub fn read<T: DeserializeOwned>(self) -> Result<T, serde_json::Error> {
        serde_json::from_value(self.0)
    }
}

/// Asks for an invitation.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InviteRequest {
    /// The host's name.
    pub name: String,
    /// Code of its site.
    pub site: String,
}

/// An invitation.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Invited {
    /// What to run on the host, within ten minutes, once.
    pub join_command: String,
}

/// What revoking a host leaves alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StrandedAnswer {
    /// How many servers.
    pub servers: usize,
    /// Of how many accounts.
    pub accounts: usize,
    /// The first of them, with their names.
    pub named: Vec<(ServerId, String)>,
}

/// Asks what erasing an account would do.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanRequest {
    /// Its id, the ID to sign in with, or an e-mail address that only one account has.
    pub who: String,
}

/// Asks to open the installation.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FinishRequest {
    /// Names of hosts that are left behind.
    pub without: Vec<String>,
}

/// Asks to release an address.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReleaseRequest {
    /// Which.
    pub address: IpAddr,
}

/// Asks to make a host of one that no record knows.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReadmitRequest {
    /// Which.
    pub host: HostId,
    /// Its name from now on.
    pub name: String,
    /// Code of the site where it stands.
    pub site: String,
}

/// Asks to refuse a host that no record knows.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DismissRequest {
    /// Which.
    pub host: HostId,
}

/// A step of the authority's roll-over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Make the next authority, and have it trusted.
    Begin,
    /// Have it sign.
    Switch,
    /// Trust the one before no more.
    Finish,
    /// Drop the next one.
    Abort,
}

impl Step {
    const ALL: [Self; 4] = [Self::Begin, Self::Switch, Self::Finish, Self::Abort];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Begin => "begin",
            Self::Switch => "switch",
            Self::Finish => "finish",
            Self::Abort => "abort",
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a text is no step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("there is no such step")]
pub struct ParseStepError;

impl FromStr for Step {
    type Err = ParseStepError;

    fn from_str(text: &str) -> Result<Self, ParseStepError> {
        let found = Self::ALL.into_iter().find(|step| step.as_str() == text);
        found.ok_or(ParseStepError)
    }
}

/// Asks for a step of the authority's roll-over.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StepRequest {
    /// Names of hosts that are left behind.
    pub without: Vec<String>,
}
