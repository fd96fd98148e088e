//! A technical-support job's life (R101-R109, domain-model C3.6).
//!
//! ```text
//! hours-notice --(business begins)--> accepted --(taken)--> processing <-> delayed
//!                                       ^                    |    ^  \        |
//!                 (changed by customer) |                    |    |   `-------+--> revision-requested --.
//!                                       `--------------------+----+------------------------------------'
//!                         (re-review)   processing <--- approval-requested <--'
//!                                                             | (confirmed, while engineers are let in)
//!                                                             v
//! cancelled <--(by either, from any of them before working)  working --> closed
//! ```
//!
//! A job that is being done and has no access is paused; that is no state of its own.

use innkeeper_wire::{
    digest::Digest,
    id::{AccountId, Code, ContractId, GrantId, HostId, JobEventId, JobId, ServerId, StaffId},
    job::{JobActKind, JobEventKind, JobOutcome, JobParty, JobState},
    money::Money,
    price::Tax,
    time::Timestamp,
    vm::Hostname,
};
use serde::{Deserialize, Serialize};

use super::calendar::Calendar;
use crate::kernel::sealed::Sealed;

/// A job as it is stored.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Job {
    /// Which.
    pub id: JobId,
    /// Whose.
    pub account: AccountId,
    /// On which server.
    pub server: ServerId,
    /// What that is charged under.
    pub contract: ContractId,
    /// What the server was called then.
    pub server_name: Hostname,
    /// How far it is.
    pub state: JobState,
    /// What was applied for, at the prices of then.
    pub services: Vec<Service>,
    /// The tax of then.
    pub tax: Option<Tax>,
    /// What its customer has written; readable with the account's own key only.
    pub application: Sealed<Application>,
    /// Who does it.
    pub engineer: Option<Engineer>,
    /// When it was applied for.
    pub submitted_at: Timestamp,
    /// When it came to its state.
    pub changed_at: Timestamp,
    /// How long it may take still.
    pub clock: JobClock,
    /// Until when it takes, as its engineer has said when he delayed it.
    pub delayed_until: Option<Timestamp>,
    /// What its customer is asked to approve of, or has.
    pub approval: Option<Approval>,
    /// What came of it.
    pub outcome: Option<JobOutcome>,
    /// That its customer lets engineers in.
    pub grant: Option<Grant>,
    /// That he does not any more, and since when.
    pub ended: Option<EndedGrant>,
    /// How many things have happened to it.
    pub events: usize,
}

/// A service as it was applied for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Service {
    /// Which.
    pub code: Code,
    /// What it was called.
    pub name: String,
    /// What was done for that.
    pub help: String,
    /// What it cost, before tax.
    pub net: Money,
}

/// What a customer has written in his application.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Application {
    /// Where he can be called.
    pub phone: String,
    /// Where he can be written to; empty for the account's address.
    pub email: String,
    /// In a few words.
    pub title: String,
    /// What is to be done.
    pub body: String,
}

/// What somebody has written about a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobText(pub String);

/// Who does a job, and what he is called.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Engineer {
    /// Who.
    pub id: StaffId,
    /// His name, as his customers read it.
    pub name: String,
}

/// How much business time a job may take: it runs while it is the hoster's turn (R99).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobClock {
    /// What was left when it was started last, in seconds.
    pub left_s: u64,
    /// When it was started last; nothing while it stands.
    pub since: Option<Timestamp>,
}

/// What a customer approves of (T29).
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Approval {
    /// What is going to be done.
    pub scope: Sealed<JobText>,
    /// What it costs, before tax.
    pub fee: Money,
    /// Who does it.
    pub engineer: String,
    /// Of all of that.
    pub digest: Digest,
    /// When it was asked for.
    pub asked_at: Timestamp,
    /// When it was given.
    pub confirmed_at: Option<Timestamp>,
}

/// That engineers are let in for a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// Which grant.
    pub id: GrantId,
    /// Until when.
    pub until: Timestamp,
    /// The host that was told.
    pub host: HostId,
    /// Whether it has said that they are.
    pub observed: bool,
    /// Whether it has seen a packet of theirs.
    pub used: bool,
    /// Epoch of the store in which it was granted; in a later one it counts for nothing.
    pub epoch: u64,
}

impl Grant {
    /// Whether its time is not over.
    #[must_use]
    pub fn holds(&self, epoch: u64, now: Timestamp) -> bool {
        self.epoch == epoch && self.until > now
    }
}

/// That they are not any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndedGrant {
    /// Which grant.
    pub id: GrantId,
    /// The host that was told.
    pub host: HostId,
    /// When its host ends it by itself at the latest.
    pub ends_by: Timestamp,
}

/// Something that happened to a job, as it is stored.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Event {
    /// Which.
    pub id: JobEventId,
    /// When.
    pub at: Timestamp,
    /// What.
    pub kind: JobEventKind,
    /// By whom.
    pub by: JobParty,
    /// The engineer's name, of what an engineer did.
    pub name: Option<String>,
    /// What was said.
    pub text: Option<Sealed<JobText>>,
    /// Until when.
    pub until: Option<Timestamp>,
}

/// To which state something leads that somebody does to a job in this one; nothing when he can't. What more it depends on
/// (whose job it is, whether engineers are let in), those say who ask.
#[must_use]
pub fn leads_to(state: JobState, act: JobActKind, by: JobParty) -> Option<JobState> {
    use JobActKind as Act;
    use JobParty::{Customer, Engineer};
    use JobState as State;
    let is_before_work = !state.is_over() && state != State::Working;
    match (act, by) {
        (Act::Comment, Customer | Engineer) => (!state.is_over()).then_some(state),
        (Act::Cancel, Customer | Engineer) => is_before_work.then_some(State::Cancelled),
        (Act::Revise, Customer) => (state == State::RevisionRequested).then_some(State::Accepted),
        (Act::Confirm, Customer) => (state == State::ApprovalRequested).then_some(State::Working),
        (Act::ReReview, Customer) => {
            (state == State::ApprovalRequested).then_some(State::Processing)
        }
        (Act::AllowAccess, Customer) => {
            (!state.is_over() && state != State::HoursNotice).then_some(state)
        }
        (Act::WithdrawAccess, Customer) => Some(state),
        (Act::Take, Engineer) => (state == State::Accepted).then_some(State::Processing),
        (Act::Delay, Engineer) => (state == State::Processing).then_some(State::Delayed),
        (Act::Resume, Engineer) => (state == State::Delayed).then_some(State::Processing),
        (Act::AskRevision, Engineer) => {
            matches!(state, State::Processing | State::Delayed).then_some(State::RevisionRequested)
        }
        (Act::AskApproval, Engineer) => {
            (state == State::Processing).then_some(State::ApprovalRequested)
        }
        (Act::AskAccess, Engineer) => (!state.is_over()
            && !matches!(state, State::HoursNotice | State::Accepted))
        .then_some(state),
        (Act::Close, Engineer) => (state == State::Working).then_some(State::Closed),
        _ => None,
    }
}

/// What somebody can do to a job. `is_his` tells whether an engineer is the job's own one.
#[must_use]
pub fn permitted(job: &Job, by: JobParty, is_his: bool) -> Vec<JobActKind> {
    let possible = |act: &&JobActKind| {
        let is_for_all = matches!(**act, JobActKind::Take)
            || (**act == JobActKind::Cancel && job.engineer.is_none());
        let may = by != JobParty::Engineer || is_his || is_for_all;
        let is_of_use = **act != JobActKind::WithdrawAccess || job.grant.is_some();
        may && is_of_use && leads_to(job.state, **act, by).is_some()
    };
    JobActKind::ALL.iter().filter(possible).copied().collect()
}

/// Whether it is the hoster's turn.
const fn runs(state: JobState) -> bool {
    matches!(
        state,
        JobState::Accepted | JobState::Processing | JobState::Delayed | JobState::Working
    )
}

impl JobClock {
    /// Of a job of which so much is promised; `runs_from` is when it begins to be the hoster's turn.
    #[must_use]
    pub const fn new(left_s: u64, runs_from: Option<Timestamp>) -> Self {
        Self {
            left_s,
            since: runs_from,
        }
    }

    fn turned(self, to: JobState, calendar: &Calendar, now: Timestamp) -> Self {
        match (self.since, runs(to)) {
            (None, true) => Self {
                since: Some(now),
                ..self
            },
            (Some(since), false) => Self {
                left_s: self
                    .left_s
                    .saturating_sub(calendar.between(since, now).as_secs()),
                since: None,
            },
            _ => self,
        }
    }

    /// Until when; nothing while it stands.
    #[must_use]
    pub fn due_at(self, calendar: &Calendar) -> Option<Timestamp> {
        let left = std::time::Duration::from_secs(self.left_s);
        self.since.map(|since| calendar.after(since, left))
    }
}

impl Job {
    /// The same in another state.
    #[must_use]
    pub fn moved(self, to: JobState, calendar: &Calendar, now: Timestamp) -> Self {
        let changed_at = if to == self.state {
            self.changed_at
        } else {
            now
        };
        Self {
            state: to,
            changed_at,
            clock: self.clock.turned(to, calendar, now),
            delayed_until: self.delayed_until.filter(|_| to == JobState::Delayed),
            ..self
        }
    }

    /// Whether it is being done, and waits until engineers are let in again.
    #[must_use]
    pub fn is_paused(&self, epoch: u64, now: Timestamp) -> bool {
        let is_open = self.grant.is_some_and(|grant| grant.holds(epoch, now));
        self.state == JobState::Working && !is_open
    }

    /// What it costs, before tax: what was agreed on, or what its services cost.
    #[must_use]
    pub fn fee(&self) -> Option<Money> {
        if let Some(approval) = &self.approval {
            return Some(approval.fee);
        }
        let mut nets = self.services.iter().map(|service| service.net);
        let first = nets.next()?;
        nets.try_fold(first, |sum, net| sum.checked_add(net)).ok()
    }
}

/// The digest of what is approved of: whatever of it changes, it is another one.
#[must_use]
pub fn digest_of(job: &Job, scope: &str, fee: Money, engineer: &str) -> Digest {
    let services: Vec<_> = job.services.iter().map(|service| &service.code).collect();
    let shown = serde_json::json!({
        "job": job.id,
        "server": job.server,
        "services": services,
        "scope": scope,
        "fee": fee,
        "tax": job.tax,
        "engineer": engineer,
    });
    Digest::of(shown.to_string().as_bytes())
}

#[cfg(test)]
pub(super) mod tests;
