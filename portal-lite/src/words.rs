//! The words for every code that the API can send. Each match is exhaustive, so a new code does not
//! compile before it has words; the tests of `language` see to it that they exist in every language.

use innkeeper_wire::{
    api::{
        Locale, OrderState, OutageCause, Scope, ServerAction, ServerOrder, ServerState,
        SuspensionKind,
    },
    error::{FieldErrorCode, Problem, ProblemCode},
    host::{CreateStep, PauseReason, ServerProblemCode},
    invoice::{InvoiceState, StatementKind},
    job::{JobEventKind, JobOutcome, JobState},
    member::{ConsentDocument, MemberKind},
    money::{Currency, Money},
};

use crate::language;

/// What an account is suspended for.
#[must_use]
pub const fn suspension(kind: SuspensionKind) -> &'static str {
    match kind {
        SuspensionKind::Debt => "suspension-debt",
        SuspensionKind::Balance => "suspension-balance",
        SuspensionKind::Abuse => "suspension-abuse",
    }
}

/// What its owner is told of it on each page.
#[must_use]
pub const fn suspended(kind: SuspensionKind) -> &'static str {
    match kind {
        SuspensionKind::Debt => "suspended-debt",
        SuspensionKind::Balance => "suspended-balance",
        SuspensionKind::Abuse => "suspended-abuse",
    }
}

/// A kind of member.
#[must_use]
pub const fn member_kind(kind: MemberKind) -> &'static str {
    match kind {
        MemberKind::Individual => "kind-individual",
        MemberKind::Corporate => "kind-corporate",
        MemberKind::Partner => "kind-partner",
    }
}

/// A text that members agree to.
#[must_use]
pub const fn consent_document(document: ConsentDocument) -> &'static str {
    match document {
        ConsentDocument::Terms => "sign-up-terms",
        ConsentDocument::PersonalData => "sign-up-personal-data",
    }
}

/// For whom a kind of member is, and what follows from choosing it.
#[must_use]
pub const fn member_kind_help(kind: MemberKind) -> &'static str {
    match kind {
        MemberKind::Individual => "kind-help-individual",
        MemberKind::Corporate => "kind-help-corporate",
        MemberKind::Partner => "kind-help-partner",
    }
}

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
        ServerState::Suspended => "state-suspended",
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
        ServerState::Suspended => "state-help-suspended",
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

/// How far a technical-support job is.
#[must_use]
pub const fn job_state(state: JobState) -> &'static str {
    match state {
        JobState::HoursNotice => "job-state-hours-notice",
        JobState::Accepted => "job-state-accepted",
        JobState::Processing => "job-state-processing",
        JobState::Delayed => "job-state-delayed",
        JobState::RevisionRequested => "job-state-revision-requested",
        JobState::ApprovalRequested => "job-state-approval-requested",
        JobState::Working => "job-state-working",
        JobState::Closed => "job-state-closed",
        JobState::Cancelled => "job-state-cancelled",
    }
}

/// What that means, in a sentence.
#[must_use]
pub const fn job_state_help(state: JobState) -> &'static str {
    match state {
        JobState::HoursNotice => "job-help-hours-notice",
        JobState::Accepted => "job-help-accepted",
        JobState::Processing => "job-help-processing",
        JobState::Delayed => "job-help-delayed",
        JobState::RevisionRequested => "job-help-revision-requested",
        JobState::ApprovalRequested => "job-help-approval-requested",
        JobState::Working => "job-help-working",
        JobState::Closed => "job-help-closed",
        JobState::Cancelled => "job-help-cancelled",
    }
}

/// What its customer does, or waits for, next.
#[must_use]
pub const fn job_state_next(state: JobState) -> &'static str {
    match state {
        JobState::HoursNotice => "job-next-hours-notice",
        JobState::Accepted => "job-next-accepted",
        JobState::Processing => "job-next-processing",
        JobState::Delayed => "job-next-delayed",
        JobState::RevisionRequested => "job-next-revision-requested",
        JobState::ApprovalRequested => "job-next-approval-requested",
        JobState::Working => "job-next-working",
        JobState::Closed => "job-next-closed",
        JobState::Cancelled => "job-next-cancelled",
    }
}

/// What came of a job.
#[must_use]
pub const fn job_outcome(outcome: JobOutcome) -> &'static str {
    match outcome {
        JobOutcome::Done => "job-outcome-done",
        JobOutcome::NotDone => "job-outcome-not-done",
    }
}

/// Something that happened to a job.
#[must_use]
pub const fn job_event(kind: JobEventKind) -> &'static str {
    match kind {
        JobEventKind::Submitted => "job-event-submitted",
        JobEventKind::HoursBegan => "job-event-hours-began",
        JobEventKind::Taken => "job-event-taken",
        JobEventKind::Delayed => "job-event-delayed",
        JobEventKind::Resumed => "job-event-resumed",
        JobEventKind::RevisionAsked => "job-event-revision-asked",
        JobEventKind::Revised => "job-event-revised",
        JobEventKind::ApprovalAsked => "job-event-approval-asked",
        JobEventKind::ReReviewAsked => "job-event-re-review-asked",
        JobEventKind::Confirmed => "job-event-confirmed",
        JobEventKind::Cancelled => "job-event-cancelled",
        JobEventKind::Closed => "job-event-closed",
        JobEventKind::Commented => "job-event-commented",
        JobEventKind::AccessAsked => "job-event-access-asked",
        JobEventKind::AccessAllowed => "job-event-access-allowed",
        JobEventKind::AccessObserved => "job-event-access-observed",
        JobEventKind::EngineerSeen => "job-event-engineer-seen",
        JobEventKind::AccessWithdrawn => "job-event-access-withdrawn",
        JobEventKind::AccessExpired => "job-event-access-expired",
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

/// A step of making a server that is done.
#[must_use]
pub const fn create_step_done(step: CreateStep) -> &'static str {
    match step {
        CreateStep::Queued => "step-done-queued",
        CreateStep::Image => "step-done-image",
        CreateStep::Disk => "step-done-disk",
        CreateStep::Network => "step-done-network",
        CreateStep::Start => "step-done-start",
    }
}

/// What an action is asked about before it is done: the question, and what it does and costs.
#[must_use]
pub const fn action_question(action: ServerAction) -> (&'static str, &'static str) {
    match action {
        ServerAction::Start => ("ask-start", "ask-start-text"),
        ServerAction::Shutdown => ("ask-shutdown", "ask-shutdown-text"),
        ServerAction::PowerOff => ("ask-power-off", "ask-power-off-text"),
        ServerAction::Reboot => ("ask-reboot", "ask-reboot-text"),
        ServerAction::Delete => ("ask-delete", "delete-lost"),
    }
}

/// In which order servers are listed.
#[must_use]
pub const fn server_order(order: ServerOrder) -> &'static str {
    match order {
        ServerOrder::Newest => "sort-newest",
        ServerOrder::Oldest => "sort-oldest",
        ServerOrder::Name => "sort-name",
        ServerOrder::NameDown => "sort-name-down",
        ServerOrder::State => "sort-state",
        ServerOrder::StateDown => "sort-state-down",
        ServerOrder::Price => "sort-price",
        ServerOrder::PriceDown => "sort-price-down",
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

/// How an invoice stands.
#[must_use]
pub const fn invoice_state(state: InvoiceState) -> &'static str {
    match state {
        InvoiceState::Open => "invoice-state-open",
        InvoiceState::Overdue => "invoice-state-overdue",
        InvoiceState::Paid => "invoice-state-paid",
        InvoiceState::Credited => "invoice-state-credited",
        InvoiceState::WrittenOff => "invoice-state-written-off",
    }
}

/// An entry of a statement.
#[must_use]
pub const fn statement_kind(kind: StatementKind) -> &'static str {
    match kind {
        StatementKind::Invoice => "statement-invoice",
        StatementKind::Payment => "statement-payment",
        StatementKind::CreditNote => "statement-credit-note",
        StatementKind::WriteOff => "statement-write-off",
        StatementKind::Promotion => "statement-promotion",
        StatementKind::PromotionEnded => "statement-promotion-ended",
        StatementKind::Refund => "statement-refund",
        StatementKind::Overshoot => "statement-overshoot",
    }
}

/// What an API token is for.
#[must_use]
pub const fn scope(scope: Scope) -> &'static str {
    match scope {
        Scope::Read => "scope-read",
        Scope::Servers => "scope-servers",
        Scope::Keys => "scope-keys",
        Scope::Delete => "scope-delete",
        Scope::Billing => "scope-billing",
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
        OutageCause::HostLost => "outage-host-lost",
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
        ProblemCode::StepUpRequired => "problem-step-up-required",
        ProblemCode::TokenScope => "problem-token-scope",
        ProblemCode::SecondFactorRequired => "problem-second-factor-required",
        ProblemCode::EmailUnconfirmed => "problem-email-unconfirmed",
        ProblemCode::NotYourRole => "problem-not-your-role",
        ProblemCode::ApprovalPending => "problem-approval-pending",
        ProblemCode::AccountSuspended => "problem-account-suspended",
        ProblemCode::SignUpRejected => "problem-sign-up-rejected",
        ProblemCode::QuotaExceeded => "problem-quota-exceeded",
        ProblemCode::PaymentRequired => "problem-payment-required",
        ProblemCode::NotFound => "problem-not-found",
        ProblemCode::MethodNotAllowed => "problem-method-not-allowed",
        ProblemCode::CapacityUnavailable => "problem-capacity-unavailable",
        ProblemCode::CapacityUnreachable => "problem-capacity-unreachable",
        ProblemCode::IdempotencyConflict => "problem-idempotency-conflict",
        ProblemCode::InvalidState => "problem-invalid-state",
        ProblemCode::BillingFrozen => "problem-billing-frozen",
        ProblemCode::BillingProfileRequired => "problem-billing-profile-required",
        ProblemCode::FirewallNotActive => "problem-firewall-not-active",
        ProblemCode::ApprovalChanged => "problem-approval-changed",
        ProblemCode::PriceChanged => "problem-price-changed",
        ProblemCode::QuoteExpired => "problem-quote-expired",
        ProblemCode::LinkExpired => "problem-link-expired",
        ProblemCode::SignInExpired => "problem-sign-in-expired",
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

/// What is wrong with a field that has no words of its own for it.
#[must_use]
pub fn field_error(code: FieldErrorCode) -> String {
    format!("field-{}", code.as_str())
}

/// From here on a wait is said in minutes.
const MINUTES_FROM_S: u64 = 90;

/// What the API refused and why.
#[must_use]
pub fn problem_text(locale: Locale, refused: &Problem) -> String {
    let key = problem(refused.code);
    let seconds = refused.retry_after_s.unwrap_or(60);
    let in_minutes = |key| language::say_count(locale, key, seconds.div_ceil(60).max(1));
    match refused.code {
        ProblemCode::AccountLocked | ProblemCode::OrderLimit => in_minutes(key),
        ProblemCode::RateLimited | ProblemCode::Starting if seconds >= MINUTES_FROM_S => {
            in_minutes(problem_minutes(refused.code))
        }
        ProblemCode::RateLimited | ProblemCode::Starting => {
            language::say_count(locale, key, seconds.max(1))
        }
        ProblemCode::PaymentRequired => {
            let say = |missing: Money| {
                language::say_amount(locale, money(missing.currency), &missing.digits())
            };
            let missing = refused.missing.map_or_else(|| "–".to_owned(), say);
            language::say_amount(locale, key, &missing)
        }
        _ => language::say(locale, key),
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
