//! Errors as they travel: RFC 9457 problem documents, with a stable code and one entry a bad field; and as
//! they are logged ([`chain`]).

use serde::{Deserialize, Serialize};

use crate::money::Money;

/// An error and everything that caused it, for one line of a log. `Display` of an error of ours does not
/// repeat its source.
#[must_use]
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        text.push_str(": ");
        text.push_str(&next.to_string());
        cause = next.source();
    }
    text
}

/// Media type of a problem document (RFC 9457 section 3).
pub const PROBLEM_JSON: &str = "application/problem+json";

/// A problem document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Problem {
    /// A URI that names the kind of problem: `urn:innkeeper:problem:<code>`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The kind in a few words, always the same for one code.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// The kind, for programs.
    pub code: ProblemCode,
    /// What went wrong this time, in English.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// What is wrong with which field.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
    /// The request, as the logs name it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// For `account-locked`, `rate-limited`, `order-limit`, `starting` and some `unavailable`: seconds until another try makes sense.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_s: Option<u64>,
    /// For `payment-required`: how much more is to be paid ahead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missing: Option<Money>,
    /// For `second-factor-required`: what the sign-in goes on with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub challenge: Option<String>,
}

/// One bad field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct FieldError {
    /// JSON pointer (RFC 6901) into the request body, such as `/login_id`.
    pub pointer: String,
    /// What is wrong with it.
    pub code: FieldErrorCode,
    /// The same in English.
    pub detail: String,
    /// A value that would be taken in its place, where one is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proposal: Option<String>,
}

// `$code` is a `tt` for utoipa's sake: a `literal` reaches derive macros in a group that it does not look into, and the
// document would have the names of the variants.
macro_rules! problem_codes {
    ($($(#[$doc:meta])* $name:ident = $code:tt, $status:literal, $title:literal;)+) => {
        /// Kinds of problems. The text forms are stable; kinds are only added.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
        pub enum ProblemCode {
            $($(#[$doc])* #[serde(rename = $code)] $name,)+
        }

        impl ProblemCode {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// The stable text form.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $code,)+ }
            }

            /// The HTTP status that goes with it.
            #[must_use]
            pub const fn status(self) -> u16 {
                match self { $(Self::$name => $status,)+ }
            }

            /// The kind in a few words.
            #[must_use]
            pub const fn title(self) -> &'static str {
                match self { $(Self::$name => $title,)+ }
            }
        }
    };
}

problem_codes! {
    /// The request is no well-formed HTTP or JSON.
    BadRequest = "bad-request", 400, "The request can't be read";
    /// A compulsory `Idempotency-Key` header is absent or malformed.
    IdempotencyKeyMissing = "idempotency-key-missing", 400, "This request needs an Idempotency-Key";
    /// No valid session or token.
    Unauthenticated = "unauthenticated", 401, "Sign in first";
    /// ID or password is wrong; which one is not said (R2).
    BadCredentials = "bad-credentials", 401, "The ID or the password is wrong";
    /// The password is right, and the account has a second factor: send its code with `challenge`.
    SecondFactorRequired = "second-factor-required", 401, "A code is needed to sign in";
    /// What was paid ahead does not cover it; see `missing`.
    PaymentRequired = "payment-required", 402, "There is not enough on the account for this";
    /// The account can't be used before its e-mail address is confirmed.
    EmailUnconfirmed = "email-unconfirmed", 403, "Confirm the e-mail address first";
    /// The password is right, and an operator has still to approve of the account (R26).
    ApprovalPending = "approval-pending", 403, "The account waits to be approved";
    /// The password is right, and an operator has rejected the account (R26). Its owner was told why by mail.
    SignUpRejected = "sign-up-rejected", 403, "The sign-up was rejected";
    /// Its owner must prove again that it is he who uses the session: see `/sessions/current/proofs`.
    StepUpRequired = "step-up-required", 403, "Prove again who you are";
    /// The account is suspended; `detail` says what for, and `/me` why.
    AccountSuspended = "account-suspended", 403, "The account is suspended";
    /// Somebody of the staff asks for what another role may do.
    NotYourRole = "not-your-role", 403, "This is for another role";
    /// The token that was sent is not for this; see `detail`.
    TokenScope = "token-scope", 403, "This token is not for this";
    /// The account has as many of these as it may.
    QuotaExceeded = "quota-exceeded", 403, "The account's limit is reached";
    /// Operators must look at this host before it is served again. Only agents see this.
    HostQuarantined = "host-quarantined", 403, "This host is quarantined";
    /// Operators no longer take this host for one of theirs. Only agents see this.
    HostRevoked = "host-revoked", 401, "This host was revoked";
    /// There is no such thing, or it belongs to somebody else.
    NotFound = "not-found", 404, "There is no such thing";
    /// The path exists, the method does not.
    MethodNotAllowed = "method-not-allowed", 405, "This method is not possible here";
    /// The machines that would have room for the server can't be reached; nothing was reserved or charged.
    CapacityUnreachable = "capacity-unreachable", 409, "The machines for this server can't be reached at the moment";
    /// No data centre can take the server now; nothing was reserved or charged.
    CapacityUnavailable = "capacity-unavailable", 409, "There is no room for this server at the moment";
    /// The same key is being worked on.
    IdempotencyConflict = "idempotency-conflict", 409, "The same request is being worked on";
    /// The operation makes no sense in the thing's present state.
    InvalidState = "invalid-state", 409, "This is not possible in the present state";
    /// The clock of the installation is in doubt: what is charged for waits until an operator has looked at it.
    BillingFrozen = "billing-frozen", 409, "Billing is frozen";
    /// Nobody has said yet to whom the account's invoices are addressed: see `/billing/profile`.
    BillingProfileRequired = "billing-profile-required", 409, "The billing profile is wanted first";
    /// Its server's host has not just said that engineers are let in; see `detail` for what is known (R119).
    FirewallNotActive = "firewall-not-active", 409, "Engineers are not let in to the server";
    /// What was approved of is not what is asked for now.
    ApprovalChanged = "approval-changed", 409, "What is to be approved of has changed";
    /// The price has changed since the quote.
    PriceChanged = "price-changed", 409, "The price has changed";
    /// The quote is too old.
    QuoteExpired = "quote-expired", 409, "The quote has expired";
    /// A one-time link was used, replaced or has expired.
    LinkExpired = "link-expired", 410, "The link is no longer valid";
    /// The sign-in waits for no code any more: it took too long, or has ended.
    SignInExpired = "sign-in-expired", 410, "The sign-in took too long";
    /// The body is larger than allowed.
    TooLarge = "too-large", 413, "The request is too large";
    /// The media type is not one that is understood.
    UnsupportedMediaType = "unsupported-media-type", 415, "Send application/json";
    /// The same key came with another body.
    IdempotencyMismatch = "idempotency-mismatch", 422, "The Idempotency-Key was used for another request";
    /// Fields are wrong; see `errors`.
    ValidationFailed = "validation-failed", 422, "Some fields need attention";
    /// Too many wrong passwords; see `retry_after_s` (R3).
    AccountLocked = "account-locked", 423, "Signing in is locked for a while";
    /// Too many requests; see `retry_after_s`.
    RateLimited = "rate-limited", 429, "Too many requests";
    /// The account orders, or orders and deletes, faster than it may; see `retry_after_s`.
    OrderLimit = "order-limit", 429, "Too many orders in a short time";
    /// Our fault; details are in the logs under `request_id`.
    Internal = "internal", 500, "Something went wrong on our side";
    /// The service can't answer right now.
    Unavailable = "unavailable", 503, "The service is not available at the moment";
    /// The service was started just now and has not heard of its hosts yet; see `retry_after_s`.
    Starting = "starting", 503, "The service has just started";
    /// Nothing more can be stored; reading goes on.
    StorageFull = "storage-full", 507, "Nothing can be stored at the moment";
}

impl Problem {
    /// A problem of this kind, with nothing more said.
    #[must_use]
    pub fn new(code: ProblemCode) -> Self {
        Self {
            kind: format!("urn:innkeeper:problem:{}", code.as_str()),
            title: code.title().to_owned(),
            status: code.status(),
            code,
            detail: None,
            errors: Vec::new(),
            request_id: None,
            retry_after_s: None,
            missing: None,
            challenge: None,
        }
    }
}

codes! {
    /// What can be wrong with a field. Texts for people are made from these, in their language.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
    pub enum FieldErrorCode {
        /// It is compulsory.
        Required = "required",
        /// It has not the form it must have.
        Malformed = "malformed",
        /// A digit of the number is wrong: its check digit does not fit to the others.
        CheckDigit = "check-digit",
        /// It is too long.
        TooLong = "too-long",
        /// It is not the one that is kept, such as the present password.
        Wrong = "wrong",
        /// Somebody has it already.
        Taken = "taken",
        /// The password is too short.
        TooShort = "too-short",
        /// The password is easy to guess.
        Weak = "weak",
        /// The password holds the ID, the name or the e-mail address.
        ContainsPersonalData = "contains-personal-data",
        /// The text was replaced by a newer version since the form was shown.
        Outdated = "outdated",
        /// It names nothing that exists.
        Unknown = "unknown",
        /// It is reserved.
        Reserved = "reserved",
        /// It is a private key, or a part of one; the public half is wanted, and this in no field.
        PrivateKey = "private-key",
        /// The key is of a kind that is no longer safe (DSA), or that not every server can read.
        UnsafeKey = "unsafe-key",
        /// It holds several keys where one is wanted.
        SeveralKeys = "several-keys",
        /// Something stands in front of the key: options of an `authorized_keys` file, or a host's name.
        KeyOptions = "key-options",
        /// It is a certificate, and the key that it is for is wanted.
        Certificate = "certificate",
        /// The same is there already.
        Duplicate = "duplicate",
        /// Too many entries.
        TooMany = "too-many",
        /// There is none left.
        SoldOut = "sold-out",
        /// The image does not fit on the plan's disk.
        DiskTooSmall = "disk-too-small",
        /// It has characters that can't be seen, or that turn the direction of others.
        InvisibleCharacters = "invisible-characters",
        /// It has a part that mail programs make a link of.
        Link = "link",
        /// The domain of an e-mail address is none that mail can be sent to: a dot at its end, scripts that nobody mixes,
        /// signs that no domain has.
        BadDomain = "bad-domain",
        /// What stands before the `@` of an e-mail address has letters that mails can't be sent to (SMTPUTF8 is not spoken).
        BadMailbox = "bad-mailbox",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_stable_texts() {
        for code in ProblemCode::ALL {
            let json = serde_json::to_value(code).expect("a plain text");
            assert_eq!(json, code.as_str());
            assert!((400..600).contains(&code.status()));
        }
    }

    #[test]
    fn a_problem_reads_as_rfc_9457() {
        let mut problem = Problem::new(ProblemCode::ValidationFailed);
        problem.errors.push(FieldError {
            pointer: "/login_id".to_owned(),
            code: FieldErrorCode::Taken,
            detail: "this ID is taken".to_owned(),
            proposal: None,
        });
        let json = serde_json::to_value(&problem).expect("plain values");
        assert_eq!(
            json,
            serde_json::json!({
                "type": "urn:innkeeper:problem:validation-failed",
                "title": "Some fields need attention",
                "status": 422,
                "code": "validation-failed",
                "errors": [{"pointer": "/login_id", "code": "taken", "detail": "this ID is taken"}],
            })
        );
        let back: Problem = serde_json::from_value(json).expect("round trip");
        assert_eq!(back, problem);
    }
}
