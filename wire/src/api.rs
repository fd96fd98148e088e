//! Bodies of the REST API (`/api/v1`), as customers' scripts and the portal see them.
//!
//! Field names, once shipped, only gain company. Requests refuse fields they don't know.

use std::fmt::Display;

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{
    company::Company,
    id::{AccountId, Code, SshKeyId},
    member::MemberKind,
    money::{HourlyRate, Money},
    price::{Prices, Tax},
    size::Bytes,
    time::Timestamp,
    zone::Zone,
};

mod orders;
mod profile;
mod recovery;
mod second_factor;
mod servers;
mod sessions;
mod suspension;
mod tokens;

pub(crate) use self::tokens::whole;
pub use crate::locale::Locale;

pub use self::{
    orders::{Order, OrderListQuery, OrderRequest, OrderState, Quote, QuoteRequest, Specification},
    profile::{EmailChangeRequest, MobileChange, ProfileChange},
    recovery::{FindIdRequest, NewPasswordRequest, PasswordChangeRequest, PasswordResetRequest},
    second_factor::{
        CODE_LENGTH_MAX, LostFactor, LostFactorCancellation, LostFactorRequest, RecoveryCodes,
        SecondFactor, SecondFactorConfirmation, SecondFactorProof, SecondFactorRequest,
        SecondFactorSecret, SecondFactorStart,
    },
    servers::{
        EndCause, OutageCause, Server, ServerAction, ServerActionRequest, ServerListQuery,
        ServerOrder, ServerState,
    },
    sessions::{CLIENT_LENGTH_MAX, PROOF_VALID_S, ProofRequest, Session},
    suspension::{Suspension, SuspensionKind},
    tokens::{
        ApiToken, ApiTokenRequest, NewApiToken, Scope, TOKEN_DAYS_MAX, TOKEN_NAME_LENGTH_MAX,
        TOKEN_NETWORK_LENGTH_MAX, TOKEN_NETWORKS_MAX, TOKEN_PREFIX, TOKENS_PER_ACCOUNT_MAX,
        TokenState,
    },
};

/// Entries of a list when the request does not say.
pub const PAGE_DEFAULT: usize = 25;
/// Most entries of a list in one answer.
pub const PAGE_MAX: usize = 200;
/// Most servers that one order or account may hold unless an operator allows more.
pub const SERVERS_PER_ACCOUNT_DEFAULT: u32 = 20;
/// Most SSH keys in an account.
pub const SSH_KEYS_PER_ACCOUNT_MAX: usize = 50;
/// Longest ID, in characters.
pub const LOGIN_ID_LENGTH_MAX: usize = 12;
/// Longest name of a person, in characters.
pub const NAME_LENGTH_MAX: usize = 100;
/// Longest name of a company, in characters.
pub const COMPANY_LENGTH_MAX: usize = 100;
/// Longest e-mail address, in bytes.
pub const EMAIL_LENGTH_MAX: usize = 254;
/// Longest mobile number as somebody may type it, in characters.
pub const MOBILE_LENGTH_MAX: usize = 32;
/// Longest password, in characters.
pub const PASSWORD_LENGTH_MAX: usize = 128;
/// Longest name of an SSH key, in characters.
pub const KEY_NAME_LENGTH_MAX: usize = 60;
/// Longest line of an SSH key, in bytes.
pub const PUBLIC_KEY_LENGTH_MAX: usize = 4_096;

/// One page of a list.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Page<T> {
    /// The entries, newest first.
    pub data: Vec<T>,
    /// Where the list goes on.
    pub page: PageInfo,
}

/// Where a list goes on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PageInfo {
    /// Pass as `after` to get the next page; absent on the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// Whether there is a next page.
    pub has_more: bool,
}

impl<T> Page<T> {
    /// A part of a list that goes on behind `next`, or is at its end.
    pub fn part(data: Vec<T>, next: Option<impl Display>) -> Self {
        let next = next.map(|next| next.to_string());
        Self {
            data,
            page: PageInfo {
                has_more: next.is_some(),
                next,
            },
        }
    }
}

/// Which part of a list is wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct ListQuery {
    /// Entries of one answer, 1 to 200; 25 when not given.
    #[param(minimum = 1, maximum = 200)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
    /// `page.next` of the previous answer.
    #[param(max_length = 64, pattern = "^ord_[0-9a-f]{32}$")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
}

/// What a visitor may know of this installation.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Installation {
    /// The hoster's name for it.
    pub name: String,
    /// Where customers get help.
    pub support_email: String,
    /// Version of the member terms.
    pub terms_version: String,
    /// The member terms of individuals, plain text, in the language that the operator has named first; `/terms` has them in
    /// others, `/signups/texts` those of companies.
    pub terms: String,
    /// Whether `/privacy` has a privacy policy.
    #[serde(default)]
    pub has_privacy_policy: bool,
    /// Whether a free trial can be asked for, by mail to `support_email`. Staff grant it.
    #[serde(default)]
    pub offers_trial: bool,
    /// Who runs it.
    #[serde(default)]
    pub company: Company,
    /// Shortest password that is accepted.
    pub password_length_min: usize,
    /// Where programs reach the API, without its base path and without a slash at the end; none when the operator has not
    /// said it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_url: Option<String>,
    /// Days for which a deleted server's disk is kept aside before it is destroyed.
    pub tombstone_days: u32,
    /// The time zone of those who are not signed in, and of accounts.
    #[serde(default)]
    pub time_zone: Zone,
}

/// Asks for an account.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SignupRequest {
    /// Which kind of member it becomes, for good; an individual when not given.
    #[serde(default)]
    pub kind: MemberKind,
    /// 5 to 12 letters and digits, at least one letter; case does not distinguish (R17).
    #[schema(
        min_length = 5,
        max_length = 12,
        pattern = "^[0-9]*[A-Za-z][A-Za-z0-9]*$"
    )]
    pub login_id: String,
    /// The person's name, 1 to 100 characters, none of them invisible, not only spaces; no links.
    #[schema(
        min_length = 1,
        max_length = 100,
        pattern = r"^[^\u0000-\u001f\u007f-\u009f]*[^\s\u0000-\u001f\u007f-\u009f][^\u0000-\u001f\u007f-\u009f]*$"
    )]
    pub name: String,
    /// The company's name, for kinds that have one, and then required: 1 to 100 characters as in `name`. It is not kept of
    /// others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 100)]
    pub company: Option<String>,
    /// Where the confirmation goes. Its domain may be in any script, and has at most 254 characters in ASCII too.
    #[schema(format = "idn-email", max_length = 254)]
    pub email: String,
    /// The mobile number of whoever looks after the servers, as in `/me/mobile`. Nobody verifies it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 32)]
    pub mobile: Option<String>,
    /// At least [`Installation::password_length_min`] characters, at most 128.
    #[schema(format = "password", min_length = 8, max_length = 128)]
    pub password: String,
    /// The version of the terms that were read and accepted, of `/signups/texts`.
    #[schema(min_length = 1)]
    pub accepted_terms: String,
    /// The same of the text on personal data; required where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accepted_personal_data: Option<String>,
    /// Language for mails: `en`, `ko` or `zh-Hant`.
    pub locale: Locale,
    /// The plan that is to be ordered once the address is confirmed, if that is why. It is told to whoever follows the mailed
    /// link, and orders nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<Code>,
}

/// A new account.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct SignupAnswer {
    /// The account; can't be used before its address is confirmed.
    pub account: AccountId,
    /// Where the confirmation went: the address with its domain in ASCII, as it is kept.
    pub email: String,
    /// The same for people to read, its domain in the script of its owner.
    pub email_shown: String,
}

/// Confirms an e-mail address with the token of the mailed link.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EmailConfirmationRequest {
    /// From the link.
    pub token: String,
}

/// What the link of a confirmation mail is about.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct EmailConfirmationView {
    /// The address that it confirms, such as `k***@example.com`: whoever has the link has the mailbox.
    pub email_masked: String,
    /// The ID that was signed up with, which the mailbox may know too.
    pub login_id: String,
    /// [`SignupRequest::plan`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<Code>,
    /// What kind of member: those of companies wait for an operator's approval afterwards.
    #[serde(default)]
    pub kind: MemberKind,
}

/// Asks for another confirmation mail. The answer is the same whether the account exists or not.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ResendRequest {
    /// ID or e-mail address.
    pub login: String,
}

/// Signs in.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SessionRequest {
    /// ID or e-mail address.
    pub login: String,
    /// The password.
    #[schema(format = "password")]
    pub password: String,
    /// The [`SessionAnswer::device`] of an earlier sign-in from this device: with it, others' wrong passwords keep
    /// nobody out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// With what the session is opened, as a `User-Agent` header says it. The account's owner is shown what can be told
    /// from it, so that he knows his sessions apart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
}

/// A session that has begun.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct SessionAnswer {
    /// Send as `Authorization: Bearer <token>`. Shown once.
    pub token: String,
    /// Whose session it is.
    pub account: AccountId,
    /// When it ends at the latest.
    pub expires_at: Timestamp,
    /// Keep it, and send it with the next sign-in from this device. It opens nothing by itself; good for 180 days.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
}

/// The signed-in account.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Me {
    /// The account.
    pub id: AccountId,
    /// The ID to sign in with.
    pub login_id: String,
    /// The person's name.
    pub name: String,
    /// What kind of member it is.
    #[serde(default)]
    pub kind: MemberKind,
    /// The company's name, if it is one's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub company: Option<String>,
    /// The confirmed address, its domain in ASCII.
    pub email: String,
    /// The same for people to read, its domain in the script of its owner.
    pub email_shown: String,
    /// The address that takes its place once it is confirmed, for people to read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub new_email_shown: Option<String>,
    /// The mobile number in the form of E.164, such as `+821012345678`. Nobody has verified it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mobile: Option<String>,
    /// Language for mails.
    pub locale: Locale,
    /// The time zone in which pages and mails tell it times.
    #[serde(default)]
    pub time_zone: Zone,
    /// Whether its owner wants to see the portal's list of first steps no more.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub first_steps_hidden: bool,
    /// Whether a text that members agree to has a version that it has not agreed to.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub consent_asked: bool,
    /// When it signed up.
    pub created_at: Timestamp,
    /// Most servers it may have at a time.
    pub server_quota: u32,
    /// That it is suspended: then it orders nothing, and its servers and keys can't be changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suspension: Option<Suspension>,
}

/// Adds an SSH public key.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SshKeyRequest {
    /// What its owner calls it, at most 60 characters; those that can't be seen are left out. When empty, the key's comment
    /// is taken.
    #[serde(default)]
    #[schema(max_length = 60)]
    pub name: String,
    /// One line in OpenSSH's format, or a file of RFC 4716. White space, line breaks, quotes and what can't be seen are
    /// taken out; options and certificates are refused.
    #[schema(min_length = 1, max_length = 4096)]
    pub public_key: String,
}

/// Gives an SSH public key another name.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SshKeyChange {
    /// What its owner calls it from now on, at most 60 characters; those that can't be seen are left out.
    #[schema(min_length = 1, max_length = 60)]
    pub name: String,
}

/// An SSH public key.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct SshKey {
    /// The key.
    pub id: SshKeyId,
    /// What its owner calls it.
    pub name: String,
    /// Such as `ssh-ed25519`.
    pub algorithm: String,
    /// Its size in bits, as `ssh-keygen -l` prints it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bits: Option<u32>,
    /// `SHA256:...`, as `ssh-keygen -l` prints it.
    pub fingerprint: String,
    /// The canonical line, without a comment.
    pub public_key: String,
    /// When it was added.
    pub created_at: Timestamp,
}

/// A data centre.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Site {
    /// Its code.
    pub code: Code,
    /// Its name.
    pub name: String,
}

/// A size of server and its price.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Plan {
    /// Its code.
    pub code: Code,
    /// Its name.
    pub name: String,
    /// Virtual processors.
    pub vcpus: u32,
    /// Memory in bytes.
    pub memory: Bytes,
    /// System disk in bytes.
    pub disk: Bytes,
    /// Price an hour, before tax.
    pub hourly: HourlyRate,
    /// Most that a calendar month costs, before tax.
    pub monthly_cap: Money,
    /// The same with tax, and what it costs at the least.
    pub prices: Prices,
}

/// An operating system to start from.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Image {
    /// Its code.
    pub code: Code,
    /// Its name.
    pub name: String,
    /// The user to sign in as over ssh.
    pub login_user: String,
    /// Smallest disk it fits on.
    pub disk_min: Bytes,
}

/// Everything that is offered.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Catalogue {
    /// Data centres.
    pub sites: Vec<Site>,
    /// Sizes, cheapest first.
    pub plans: Vec<Plan>,
    /// Operating systems.
    pub images: Vec<Image>,
    /// The tax on all of it; absent when the installation does not tell of any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tax: Option<Tax>,
    /// What of that can be had now, some seconds old; one entry for each site and plan.
    #[serde(default)]
    pub availability: Vec<Offered>,
}

/// Whether a plan can be had at a site.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Offered {
    /// Code of the data centre.
    pub site: Code,
    /// Code of the plan.
    pub plan: Code,
    /// Whether it can be had.
    pub availability: Availability,
}

/// Whether something can be had now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Availability {
    /// There is at least one.
    Available,
    /// There is none left.
    SoldOut,
    /// The machines that would have it can't be reached at the moment.
    NotNow,
}

#[cfg(test)]
mod tests {
    use utoipa::PartialSchema;

    use super::*;

    /// utoipa takes only literals, so the document could say something else than what is checked.
    #[test]
    fn the_document_has_the_limits_that_are_checked() {
        let length_max = |schema: &serde_json::Value, field: &str| {
            schema["properties"][field]["maxLength"].as_u64()
        };
        let sign_up = serde_json::to_value(SignupRequest::schema()).expect("plain");
        let key = serde_json::to_value(SshKeyRequest::schema()).expect("plain");
        for (schema, field, limit) in [
            (&sign_up, "login_id", LOGIN_ID_LENGTH_MAX),
            (&sign_up, "name", NAME_LENGTH_MAX),
            (&sign_up, "email", EMAIL_LENGTH_MAX),
            (&sign_up, "password", PASSWORD_LENGTH_MAX),
            (&key, "name", KEY_NAME_LENGTH_MAX),
            (&key, "public_key", PUBLIC_KEY_LENGTH_MAX),
        ] {
            let said = length_max(schema, field);
            assert_eq!(said, u64::try_from(limit).ok(), "{field}");
        }
    }
}
