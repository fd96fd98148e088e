//! What of jobs is stored.

use innkeeper_wire::id::{AccountId, JobEventId, JobId, ServerId};
use serde::{Deserialize, Serialize};

use crate::{
    kernel::record::records,
    support::rules::job::{Event, Job},
};

records! {
    Job, at "job/" by (AccountId, JobId), version 1;
    Event, at "jobevent/" by (JobId, JobEventId), version 1;
    JobOf, at "jobof/" by JobId, version 1;
    OpenJob, at "jobopen/" by JobId, version 1;
    OpenJobs, at "jobsopen/" by AccountId, version 1;
    WorkingJob, at "jobworking/" by ServerId, version 1;
}

/// Whose a job is.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct JobOf {
    /// Whose.
    pub(crate) account: AccountId,
}

/// That a job is not over, and whose it is: the queue, in order of receipt.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct OpenJob {
    /// Whose.
    pub(crate) account: AccountId,
}

/// How many jobs of an account are not over.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct OpenJobs {
    /// So many.
    pub(crate) count: usize,
}

/// Which job is being done on a server: one at a time.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct WorkingJob {
    /// Which.
    pub(crate) job: JobId,
}
