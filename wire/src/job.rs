//! Technical-support jobs: paid help by the hoster's engineers on one server (R95-R119).

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{
    api::whole,
    digest::Digest,
    id::{AccountId, Code, GrantId, JobEventId, JobId, ServerId},
    money::Money,
    price::Price,
    time::Timestamp,
    vm::Hostname,
};

/// Longest title of a job, in characters.
pub const JOB_TITLE_LENGTH_MAX: usize = 100;
/// Longest telephone number of a job, in characters.
pub const JOB_PHONE_LENGTH_MAX: usize = 40;
/// Longest account of what is to be done, comment, scope, reason or result, in characters.
pub const JOB_TEXT_LENGTH_MAX: usize = 4_000;
/// Most services of one job.
pub const JOB_SERVICES_MAX: usize = 8;
/// Most jobs of an account that are not over.
pub const OPEN_JOBS_MAX: usize = 20;
/// Most entries of a job's history, comments among them.
pub const JOB_EVENTS_MAX: usize = 500;
/// Hours for which engineers can be let in.
pub const ACCESS_HOURS: std::ops::RangeInclusive<u32> = 1..=48;
/// For how many hours they are let in unless something else is asked for.
pub const ACCESS_HOURS_DEFAULT: u32 = 4;

codes! {
    /// How far a job is (domain-model C3.6).
    #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
    pub enum JobState {
        /// It came outside business hours, and is accepted when they begin.
        HoursNotice = "hours-notice",
        /// It waits for an engineer.
        Accepted = "accepted",
        /// An engineer looks at it.
        Processing = "processing",
        /// It takes longer, since something has to be found out.
        Delayed = "delayed",
        /// Its engineer asks for the application to be changed.
        RevisionRequested = "revision-requested",
        /// Its engineer asks for the work to be approved.
        ApprovalRequested = "approval-requested",
        /// It is being done.
        Working = "working",
        /// It is over.
        Closed = "closed",
        /// It was called off.
        Cancelled = "cancelled",
    }
}

impl JobState {
    /// Whether nothing comes after it.
    #[must_use]
    pub const fn is_over(self) -> bool {
        matches!(self, Self::Closed | Self::Cancelled)
    }
}

codes! {
    /// What came of a job.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
    pub enum JobOutcome {
        /// What was agreed on was done: it is charged.
        Done = "done",
        /// It was not: nothing is charged.
        NotDone = "not-done",
    }
}

codes! {
    /// What can be done to a job.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
    pub enum JobActKind {
        /// Says something.
        Comment = "comment",
        /// Changes the application.
        Revise = "revise",
        /// Approves of scope and fee: the work begins, and can't be called off any more.
        Confirm = "confirm",
        /// Asks the engineer to look at it once more.
        ReReview = "re-review",
        /// Calls it off.
        Cancel = "cancel",
        /// Lets engineers in to the server for some hours, or for longer.
        AllowAccess = "allow-access",
        /// Lets them in no more.
        WithdrawAccess = "withdraw-access",
        /// Becomes its engineer.
        Take = "take",
        /// Says that it takes longer.
        Delay = "delay",
        /// Goes on with it.
        Resume = "resume",
        /// Asks for the application to be changed.
        AskRevision = "ask-revision",
        /// Asks for the work to be approved.
        AskApproval = "ask-approval",
        /// Asks the customer to let engineers in.
        AskAccess = "ask-access",
        /// Ends it.
        Close = "close",
    }
}

codes! {
    /// What happened to a job.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
    pub enum JobEventKind {
        /// It was applied for.
        Submitted = "submitted",
        /// Business hours began.
        HoursBegan = "hours-began",
        /// An engineer took it.
        Taken = "taken",
        /// It takes longer.
        Delayed = "delayed",
        /// Its engineer goes on.
        Resumed = "resumed",
        /// Its engineer asked for the application to be changed.
        RevisionAsked = "revision-asked",
        /// The application was changed.
        Revised = "revised",
        /// Its engineer asked for the work to be approved.
        ApprovalAsked = "approval-asked",
        /// The customer asked its engineer to look at it once more.
        ReReviewAsked = "re-review-asked",
        /// The customer approved of the work.
        Confirmed = "confirmed",
        /// It was called off.
        Cancelled = "cancelled",
        /// It ended.
        Closed = "closed",
        /// Somebody said something.
        Commented = "commented",
        /// Its engineer asked to be let in.
        AccessAsked = "access-asked",
        /// The customer lets engineers in.
        AccessAllowed = "access-allowed",
        /// The server's host says that they are let in.
        AccessObserved = "access-observed",
        /// The first packet of an engineer reached the server.
        EngineerSeen = "engineer-seen",
        /// The customer lets them in no more.
        AccessWithdrawn = "access-withdrawn",
        /// Its time was over.
        AccessExpired = "access-expired",
    }
}

codes! {
    /// Who did something about a job.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
    pub enum JobParty {
        /// Whose job it is.
        Customer = "customer",
        /// Somebody of the hoster's staff.
        Engineer = "engineer",
        /// Nobody: time, or what a host reported.
        System = "system",
    }
}

/// Something that engineers do for a price.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct JobService {
    /// Which.
    pub code: Code,
    /// What it is called.
    pub name: String,
    /// What is done for that, and what is not.
    pub help: String,
    /// What it costs for one server.
    pub price: Price,
}

/// What can be applied for now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct JobOffer {
    /// The services. None where the installation offers no support jobs.
    pub services: Vec<JobService>,
    /// When an engineer can begin with what is applied for now, if it is outside business hours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub begins_at: Option<Timestamp>,
    /// Until when it is dealt with at the latest.
    pub due_at: Timestamp,
}

/// An application.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct JobRequest {
    /// On which server.
    pub server: ServerId,
    /// Which services, 1 to 8.
    #[schema(min_items = 1, max_items = 8)]
    pub services: Vec<Code>,
    /// Where the applicant can be called.
    #[schema(max_length = 40)]
    pub phone: String,
    /// Where what happens is mailed to; the account's address when empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schema(max_length = 254)]
    pub email: String,
    /// In a few words.
    #[schema(max_length = 100)]
    pub title: String,
    /// What is to be done.
    #[schema(max_length = 4000)]
    pub body: String,
    /// That engineers may use what is written here, and what they see on the server, for this job.
    pub consent: bool,
}

/// What a customer does to a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "act", rename_all = "kebab-case", deny_unknown_fields)]
pub enum JobAct {
    /// Says something.
    Comment {
        /// What.
        #[schema(max_length = 4000)]
        text: String,
    },
    /// Changes the application, of which the server stays.
    Revise {
        /// The application.
        request: JobRequest,
    },
    /// Asks the engineer to look at it once more.
    ReReview {
        /// Why.
        #[schema(max_length = 4000)]
        text: String,
    },
    /// Calls it off.
    Cancel {
        /// Why.
        #[schema(max_length = 4000)]
        text: String,
    },
    /// Lets engineers in from now on.
    AllowAccess {
        /// For how many hours, 1 to 48.
        #[schema(minimum = 1, maximum = 48)]
        #[serde(deserialize_with = "whole")]
        hours: u32,
    },
    /// Lets them in no more.
    WithdrawAccess,
}

/// Approves of the work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct JobConfirmation {
    /// What was approved of: `digest` of the job's [`Approval`].
    pub digest: Digest,
}

/// What an engineer does to a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "act", rename_all = "kebab-case", deny_unknown_fields)]
pub enum StaffJobAct {
    /// Becomes its engineer.
    Take,
    /// Says something.
    Comment {
        /// What.
        text: String,
    },
    /// Says that it takes longer.
    Delay {
        /// Why.
        text: String,
        /// Until when, as far as that can be said.
        until: Timestamp,
    },
    /// Goes on with it.
    Resume,
    /// Asks for the application to be changed.
    AskRevision {
        /// How.
        text: String,
    },
    /// Asks for the work to be approved.
    AskApproval {
        /// What is going to be done.
        text: String,
        /// What it costs, before tax.
        fee: Money,
    },
    /// Asks the customer to let engineers in.
    AskAccess,
    /// Calls it off.
    Cancel {
        /// Why.
        text: String,
    },
    /// Ends it.
    Close {
        /// What came of it.
        outcome: JobOutcome,
        /// What was done, or why it was not.
        text: String,
    },
}

/// Which jobs are wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct JobListQuery {
    /// Most entries of one answer, 1 to 200; 25 when not given.
    #[param(minimum = 1, maximum = 200)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
    /// `page.next` of the previous answer.
    #[param(max_length = 64, pattern = "^job_[0-9a-f]{32}$")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// Only those that are so far.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<JobState>,
}

/// A job in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct JobLine {
    /// Which.
    pub id: JobId,
    /// How far it is.
    pub state: JobState,
    /// Whether it is being done, and waits until engineers are let in again.
    pub is_paused: bool,
    /// On which server.
    pub server: ServerId,
    /// The server's name.
    pub server_name: Hostname,
    /// In a few words.
    pub title: String,
    /// What it costs.
    pub fee: Price,
    /// When it was applied for.
    pub submitted_at: Timestamp,
    /// When it came to where it is.
    pub changed_at: Timestamp,
    /// Until when it is to be dealt with; nothing once it is over, or its engineer waits for the customer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due_at: Option<Timestamp>,
}

/// A job with all that its customer sees of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Job {
    /// As in a list.
    #[serde(flatten)]
    pub line: JobLine,
    /// The services that were applied for, at their prices of then.
    pub services: Vec<JobService>,
    /// Where its customer can be called.
    pub phone: String,
    /// Where what happens is mailed to; the account's address when empty.
    pub email: String,
    /// What is to be done.
    pub body: String,
    /// Its engineer, as customers know him.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub engineer: Option<String>,
    /// When an engineer can begin, of one that waits for business hours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub begins_at: Option<Timestamp>,
    /// Until when it takes, of one that is delayed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delayed_until: Option<Timestamp>,
    /// What is to be approved of, or was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval: Option<Approval>,
    /// What came of it, of one that is closed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<JobOutcome>,
    /// Whether engineers are let in.
    pub access: JobAccess,
    /// What can be done now by whoever asks.
    pub can: Vec<JobActKind>,
    /// What has happened, the first first.
    pub events: Vec<JobEvent>,
    /// The present instant, by which what is left of times is counted.
    pub now: Timestamp,
}

/// What is going to be done, and for how much: frozen when it was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Approval {
    /// What is going to be done.
    pub scope: String,
    /// What it costs.
    pub fee: Price,
    /// Who does it.
    pub engineer: String,
    /// Of all of that, with job and server: what is confirmed.
    pub digest: Digest,
    /// When it was asked for.
    pub asked_at: Timestamp,
    /// When the customer confirmed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirmed_at: Option<Timestamp>,
}

/// Whether engineers are let in to a job's server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum JobAccess {
    /// They are not.
    Closed,
    /// Nobody may let them in: the installation has not said where engineers come from, or the host can't do it.
    Impossible,
    /// The customer lets them in, and the server's host has not said yet that they are.
    Opening {
        /// Which grant.
        grant: GrantId,
        /// Until when.
        until: Timestamp,
    },
    /// The server's host says that they are.
    Open {
        /// Which grant.
        grant: GrantId,
        /// Until when.
        until: Timestamp,
        /// When the host said so last.
        observed_at: Timestamp,
    },
    /// The customer lets them in, and the server's host was not heard of for a while.
    Unknown {
        /// Which grant.
        grant: GrantId,
        /// Until when.
        until: Timestamp,
        /// When the host was heard of last, if it was.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        heard_at: Option<Timestamp>,
    },
    /// They are not let in any more, and the server's host has not said yet that it is so.
    Closing {
        /// When it ends at the latest: a host that hears nothing ends it by itself.
        ends_by: Timestamp,
    },
}

/// Something that happened to a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct JobEvent {
    /// Which.
    pub id: JobEventId,
    /// When.
    pub at: Timestamp,
    /// What.
    pub kind: JobEventKind,
    /// By whom.
    pub by: JobParty,
    /// The engineer's name, of what an engineer did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What was said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Until when, of a delay and of access.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

/// Which of everybody's jobs are wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AllJobsQuery {
    /// Most entries of one answer, 1 to 200; 25 when not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
    /// `page.next` of the previous answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// Only those that are so far; all that are not over when not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<JobState>,
    /// Only those of whoever asks.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub mine: bool,
}

/// A job in the staff's queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnyJobLine {
    /// What its customer sees of it.
    #[serde(flatten)]
    pub line: JobLine,
    /// Whose.
    pub account: AccountId,
    /// Its engineer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub engineer: Option<String>,
    /// Whether it is not dealt with in time.
    pub is_overdue: bool,
}

/// A job as its engineer sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnyJob {
    /// What its customer sees of it; `can` is what whoever asks can do.
    #[serde(flatten)]
    pub job: Job,
    /// Whose.
    pub account: AccountId,
    /// The server's addresses.
    pub addresses: Vec<std::net::IpAddr>,
    /// The user of the server's image to log in as.
    pub login_user: String,
    /// Whether it is not dealt with in time.
    pub is_overdue: bool,
}
