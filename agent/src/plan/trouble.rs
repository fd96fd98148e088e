//! What keeps a server from being as wanted, in the words of a report. Part of the plan.

use innkeeper_wire::host::{ServerProblem, ServerProblemCode};

use super::attempt_at;
use crate::{
    action::Action,
    memory::{Attempt, FailureKind, ServerMemory, Step},
};

/// The trouble with the first step that has any: the later ones wait for it.
pub(super) fn worst(steps: &[Action], memory: &ServerMemory) -> Option<ServerProblem> {
    steps.iter().find_map(|action| {
        let (step, _) = Step::of(action);
        // A guest may be asked several times; that has a time limit of its own (`power_problem`).
        let attempt = attempt_at(memory, action).filter(|_| step != Step::Shutdown)?;
        trouble(attempt, code_of(step))
    })
}

/// One attempt without a known failure is merely under way; a second one means that the first came to
/// nothing, and perhaps the agent with it.
pub(super) fn trouble(attempt: &Attempt, code: ServerProblemCode) -> Option<ServerProblem> {
    let (code, detail) = match &attempt.failure {
        Some(failure) => match failure.kind {
            FailureKind::Failed => (code, failure.detail.clone()),
            FailureKind::Deadline => (ServerProblemCode::DeadlineMissed, failure.detail.clone()),
        },
        None if attempt.count >= 2 => (code, "tried before, without lasting success".to_owned()),
        None => return None,
    };
    Some(ServerProblem {
        code,
        detail,
        attempts: attempt.count,
    })
}

fn code_of(step: Step) -> ServerProblemCode {
    match step {
        Step::FetchImage => ServerProblemCode::ImageUnavailable,
        Step::CreateDisk | Step::WriteSeed | Step::Resume => ServerProblemCode::DiskFailed,
        Step::ApplyNetwork => ServerProblemCode::NetworkFailed,
        Step::Define | Step::Start | Step::NotePower => ServerProblemCode::StartFailed,
        Step::Reboot => ServerProblemCode::RebootFailed,
        Step::Shutdown | Step::PowerOff => ServerProblemCode::ShutdownIgnored,
        Step::RemoveDomain | Step::RemoveSeed | Step::BuryDisk | Step::PurgeTombstone => {
            ServerProblemCode::DeleteFailed
        }
    }
}
