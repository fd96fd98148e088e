//! The words for every code that the API can send. Each match is exhaustive, so a new code does not
//! compile before it has words; the tests of `language` see to it that they exist in every language.

use innkeeper_wire::{
    api::{OrderState, OutageCause, ServerAction, ServerState},
    error::{FieldErrorCode, ProblemCode},
    host::{CreateStep, PauseReason, ServerProblemCode},
    money::Currency,
};

/// What a server does.
#[must_use]
pub const fn server_state(state: ServerState) -> &'static str {
    match state {
        ServerState::Requested => "state-requested",
        ServerState::Creating => "state-creating",
        ServerState::CreateFailed => "state-create-failed",
        ServerState::Running => "state-running",
        ServerState::Starting => "state-starting",
        ServerState::Stopping => "state-stopping",
        ServerState::Rebooting => "state-rebooting",
        ServerState::Paused => "state-paused",
        ServerState::Stopped => "state-stopped",
        ServerState::Unknown => "state-unknown",
        ServerState::Deleting => "state-deleting",
        ServerState::Deleted => "state-deleted",
    }
}

/// What that means for its owner, in a sentence.
#[must_use]
pub const fn server_state_help(state: ServerState) -> &'static str {
    match state {
        ServerState::Requested => "state-help-requested",
        ServerState::Creating => "state-help-creating",
        ServerState::CreateFailed => "state-help-create-failed",
        ServerState::Running => "state-help-running",
        ServerState::Starting => "state-help-starting",
        ServerState::Stopping => "state-help-stopping",
        ServerState::Rebooting => "state-help-rebooting",
        ServerState::Paused => "state-help-paused",
        ServerState::Stopped => "state-help-stopped",
        ServerState::Unknown => "state-help-unknown",
        ServerState::Deleting => "state-help-deleting",
        ServerState::Deleted => "state-help-deleted",
    }
}

/// How far an order is.
#[must_use]
pub const fn order_state(state: OrderState) -> &'static str {
    match state {
        OrderState::Provisioning => "order-state-provisioning",
        OrderState::Completed => "order-state-completed",
        OrderState::Failed => "order-state-failed",
        OrderState::Cancelled => "order-state-cancelled",
    }
}

/// A step of making a server.
#[must_use]
pub const fn create_step(step: CreateStep) -> &'static str {
    match step {
        CreateStep::Queued => "step-queued",
        CreateStep::Image => "step-image",
        CreateStep::Disk => "step-disk",
        CreateStep::Network => "step-network",
        CreateStep::Start => "step-start",
    }
}

/// What keeps a server from what was asked, and what to do.
#[must_use]
pub const fn server_problem(problem: ServerProblemCode) -> &'static str {
    match problem {
        ServerProblemCode::ImageUnavailable => "trouble-image-unavailable",
        ServerProblemCode::DiskFailed => "trouble-disk-failed",
        ServerProblemCode::NetworkFailed => "trouble-network-failed",
        ServerProblemCode::StartFailed => "trouble-start-failed",
        ServerProblemCode::ShutdownIgnored => "trouble-shutdown-ignored",
        ServerProblemCode::DeadlineMissed => "trouble-deadline-missed",
        ServerProblemCode::FeatureMissing => "trouble-feature-missing",
        ServerProblemCode::DeleteFailed => "trouble-delete-failed",
        ServerProblemCode::NotAnswering => "trouble-not-answering",
        ServerProblemCode::NotReachable => "trouble-not-reachable",
        ServerProblemCode::RebootFailed => "trouble-reboot-failed",
    }
}

/// What of its host keeps a server from being used.
#[must_use]
pub const fn outage_cause(cause: OutageCause) -> &'static str {
    match cause {
        OutageCause::HostNetwork => "outage-host-network",
        OutageCause::ForeignRules => "outage-foreign-rules",
        OutageCause::Uplink => "outage-uplink",
        OutageCause::HostDisk => "outage-host-disk",
        OutageCause::PausedAtHost => "outage-paused-at-host",
        OutageCause::Hung => "outage-hung",
    }
}

/// Why a server could not be made.
#[must_use]
pub const fn create_failure(failure: ServerProblemCode) -> &'static str {
    match failure {
        ServerProblemCode::ImageUnavailable => "failure-image-unavailable",
        ServerProblemCode::DiskFailed => "failure-disk-failed",
        ServerProblemCode::NetworkFailed => "failure-network-failed",
        ServerProblemCode::StartFailed => "failure-start-failed",
        ServerProblemCode::DeadlineMissed => "failure-deadline-missed",
        ServerProblemCode::FeatureMissing => "failure-feature-missing",
        ServerProblemCode::NotReachable => "failure-not-reachable",
        // No creation ends with these.
        ServerProblemCode::ShutdownIgnored
        | ServerProblemCode::RebootFailed
        | ServerProblemCode::DeleteFailed
        | ServerProblemCode::NotAnswering => "failure-other",
    }
}

/// Why a server is paused, and what to do.
#[must_use]
pub const fn pause_reason(why: PauseReason) -> &'static str {
    match why {
        PauseReason::ByHand => "pause-by-hand",
        PauseReason::DiskFull => "pause-disk-full",
        PauseReason::DiskError => "pause-disk-error",
        PauseReason::GuestCrashed => "pause-guest-crashed",
        PauseReason::HostBusy => "pause-host-busy",
        PauseReason::Asleep => "pause-asleep",
        PauseReason::Unknown => "pause-unknown",
    }
}

/// The label of a button.
#[must_use]
pub const fn server_action(action: ServerAction) -> &'static str {
    match action {
        ServerAction::Start => "action-start",
        ServerAction::Shutdown => "action-shutdown",
        ServerAction::PowerOff => "action-power-off",
        ServerAction::Reboot => "action-reboot",
        ServerAction::Delete => "action-delete",
    }
}

/// Why the API refused, and what to do, in a sentence or two.
#[must_use]
pub const fn problem(code: ProblemCode) -> &'static str {
    match code {
        ProblemCode::BadRequest => "problem-bad-request",
        ProblemCode::IdempotencyKeyMissing => "problem-idempotency-key-missing",
        ProblemCode::Unauthenticated => "problem-unauthenticated",
        ProblemCode::BadCredentials => "problem-bad-credentials",
        ProblemCode::EmailUnconfirmed => "problem-email-unconfirmed",
        ProblemCode::QuotaExceeded => "problem-quota-exceeded",
        ProblemCode::NotFound => "problem-not-found",
        ProblemCode::MethodNotAllowed => "problem-method-not-allowed",
        ProblemCode::CapacityUnavailable => "problem-capacity-unavailable",
        ProblemCode::CapacityUnreachable => "problem-capacity-unreachable",
        ProblemCode::IdempotencyConflict => "problem-idempotency-conflict",
        ProblemCode::InvalidState => "problem-invalid-state",
        ProblemCode::PriceChanged => "problem-price-changed",
        ProblemCode::QuoteExpired => "problem-quote-expired",
        ProblemCode::LinkExpired => "problem-link-expired",
        ProblemCode::TooLarge => "problem-too-large",
        ProblemCode::UnsupportedMediaType => "problem-unsupported-media-type",
        ProblemCode::IdempotencyMismatch => "problem-idempotency-mismatch",
        ProblemCode::ValidationFailed => "problem-validation-failed",
        ProblemCode::AccountLocked => "problem-account-locked",
        ProblemCode::RateLimited => "problem-rate-limited",
        ProblemCode::OrderLimit => "problem-order-limit",
        ProblemCode::Starting => "problem-starting",
        ProblemCode::Internal => "problem-internal",
        // No customer ever meets what hosts are told.
        ProblemCode::Unavailable | ProblemCode::HostQuarantined | ProblemCode::HostRevoked => {
            "problem-unavailable"
        }
        ProblemCode::StorageFull => "problem-storage-full",
    }
}

/// The same of a problem that passes, where the wait is said in minutes and not in seconds.
#[must_use]
pub const fn problem_minutes(code: ProblemCode) -> &'static str {
    match code {
        ProblemCode::RateLimited => "problem-rate-limited-minutes",
        ProblemCode::Starting => "problem-starting-minutes",
        code => problem(code),
    }
}

/// What is wrong with a field: said of the very field where that helps, else in general.
#[must_use]
pub fn field_error(field: &str, code: FieldErrorCode) -> &'static str {
    if let Some(said) = field_error_of(field, code) {
        return said;
    }
    match code {
        FieldErrorCode::Required => "field-required",
        FieldErrorCode::Malformed => "field-malformed",
        FieldErrorCode::TooLong => "field-too-long",
        FieldErrorCode::Taken => "field-taken",
        FieldErrorCode::TooShort => "field-too-short",
        FieldErrorCode::Weak => "field-weak",
        FieldErrorCode::ContainsPersonalData => "field-contains-personal-data",
        FieldErrorCode::Outdated => "field-outdated",
        FieldErrorCode::Unknown => "field-unknown",
        FieldErrorCode::Reserved => "field-reserved",
        FieldErrorCode::PrivateKey => "field-private-key",
        FieldErrorCode::UnsafeKey => "field-unsafe-key",
        FieldErrorCode::SeveralKeys => "field-several-keys",
        FieldErrorCode::KeyOptions => "field-key-options",
        FieldErrorCode::Certificate => "field-certificate",
        FieldErrorCode::Duplicate => "field-duplicate",
        FieldErrorCode::TooMany => "field-too-many",
        FieldErrorCode::DiskTooSmall => "field-disk-too-small",
        FieldErrorCode::SoldOut => "field-sold-out",
        FieldErrorCode::InvisibleCharacters => "field-invisible-characters",
        FieldErrorCode::Link => "field-link",
        FieldErrorCode::BadDomain => "field-bad-domain",
    }
}

fn field_error_of(field: &str, code: FieldErrorCode) -> Option<&'static str> {
    let said = match (field, code) {
        ("login_id", FieldErrorCode::Required) => "field-login-id-required",
        (
            "login_id",
            FieldErrorCode::Malformed | FieldErrorCode::TooShort | FieldErrorCode::TooLong,
        ) => "field-login-id-malformed",
        ("login_id", FieldErrorCode::Taken) => "field-login-id-taken",
        ("email", FieldErrorCode::Required) => "field-email-required",
        ("email", FieldErrorCode::Malformed) => "field-email-malformed",
        ("email", FieldErrorCode::TooMany) => "field-email-too-many",
        ("password", FieldErrorCode::Required) => "field-password-required",
        ("accepted_terms", FieldErrorCode::Required) => "field-terms-required",
        ("accept_cautions", FieldErrorCode::Required) => "field-cautions-required",
        ("public_key", FieldErrorCode::Required) => "field-public-key-required",
        ("public_key", FieldErrorCode::Malformed) => "field-public-key-malformed",
        ("public_key", FieldErrorCode::TooShort) => "field-public-key-too-short",
        ("public_key", FieldErrorCode::TooMany) => "field-public-key-too-many",
        ("ssh_keys", FieldErrorCode::Required) => "field-ssh-keys-required",
        ("hostname", FieldErrorCode::Required) => "field-hostname-required",
        ("hostname", FieldErrorCode::Malformed | FieldErrorCode::TooLong) => {
            "field-hostname-malformed"
        }
        ("hostname", FieldErrorCode::Reserved) => "field-hostname-reserved",
        ("hostname" | "quote", FieldErrorCode::Taken) => "field-hostname-taken",
        ("confirm_name", _) => "field-confirm-name",
        _ => return None,
    };
    Some(said)
}

/// The label of a field, to name it where it is not in sight.
#[must_use]
pub fn field_label(field: &str) -> Option<&'static str> {
    let label = match field {
        "login_id" => "sign-up-id",
        "name" => "sign-up-name",
        "email" => "sign-up-email",
        "password" => "sign-up-password",
        "accepted_terms" => "sign-up-terms",
        "login" => "sign-in-login",
        "public_key" => "key-public",
        "key_name" => "key-name",
        "site" => "order-site",
        "image" => "order-image",
        "plan" => "order-plan",
        "hostname" => "order-name",
        "ssh_keys" => "order-keys",
        "accept_cautions" => "caution-title",
        _ => return None,
    };
    Some(label)
}

/// The most characters that the API takes in a field, where it is worth saying.
#[must_use]
pub fn length_max(field: &str) -> Option<usize> {
    match field {
        "name" => Some(100),
        "email" => Some(254),
        "password" => Some(128),
        "key_name" => Some(60),
        _ => None,
    }
}

/// The pattern that an amount of this currency is put into. Grouping and decimals are `format`'s.
#[must_use]
pub const fn money(currency: Currency) -> &'static str {
    match currency {
        Currency::Krw => "money-krw",
        Currency::Twd => "money-twd",
        Currency::Usd => "money-usd",
        Currency::Eur => "money-eur",
    }
}
