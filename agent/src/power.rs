//! Whether a defined domain shall be started, shut down, ended or rebooted now: the power half of `plan`.
//! Pure.
//!
//! The host acts once on each power serial, and the domain's own metadata say which one that was. An
//! attempt that is still remembered means that the host has not finished acting on it.
//!
//! A paused domain counts as one that runs, but that its owner's start and reboot let it go on; one that a failing
//! disk has paused goes on by itself.

use std::time::Duration;

use innkeeper_wire::{
    host::PauseReason,
    id::ServerId,
    planted::{Bug, planted},
    size::Bytes,
    time::Timestamp,
    vm::{PowerTarget, ServerSpec},
};

use crate::{
    action::Action,
    hypervisor::{Domain, DomainRun, OffReason, Rebooting},
    memory::{Attempt, ServerMemory, Step},
};

/// How often a guest that shall shut down is asked.
pub const SHUTDOWN_ASK_EVERY: Duration = Duration::from_secs(10);
/// How often at most. Ten seconds after the last time, 90 s after the first one, it is left running, and that
/// is reported. Counting, unlike a time limit, forgives an agent that was away in between.
pub const SHUTDOWN_ASKS_MAX: u32 = 9;
/// When a start, or letting a guest go on, has succeeded.
pub const LASTED_AFTER: Duration = Duration::from_secs(60);
/// How long a guest that was asked to reboot has until it answers again.
pub const REBOOT_WAIT: Duration = Duration::from_secs(120);
/// How long after that request it is said that it did not, or could not be asked.
pub const REBOOT_FAILURE_SAID: Duration = Duration::from_secs(600);
/// A guest that a full disk has paused goes on once this much is free.
pub const RESUME_ROOM: Bytes = Bytes::mib(256);

/// What to do about a domain's power.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PowerStep {
    /// It is as wanted.
    Settled,
    /// Do this.
    Act(Box<Action>),
    /// The guest was asked a moment ago.
    Wait,
    /// It runs although it shall not, and the host has done its part.
    Ignored,
}

/// What counts of the host for the power of a domain.
#[derive(Debug, Clone, Copy)]
pub struct Circumstances<'a> {
    /// The kernel's boot id.
    pub boot_id: &'a str,
    /// Bytes that are free where the disks lie; `None` when nobody knows.
    pub room: Option<Bytes>,
    /// The present instant.
    pub now: Timestamp,
}

/// Decides about a domain's power.
#[must_use]
pub fn step(
    spec: &ServerSpec,
    domain: &Domain,
    memory: &ServerMemory,
    host: &Circumstances<'_>,
) -> PowerStep {
    let (server, serial) = (spec.server, spec.power.serial);
    let is_new = domain.power_serial < serial || planted(Bug::ForgetPowerSerial);
    match (spec.power.target, domain.run) {
        (PowerTarget::On, DomainRun::Running) if is_new => {
            act(Action::NotePower { server, serial })
        }
        // It is being started, saved or copied.
        (_, DomainRun::Paused(PauseReason::HostBusy))
            if spec.power.target != PowerTarget::OffForced =>
        {
            PowerStep::Wait
        }
        (PowerTarget::On, DomainRun::Paused(_)) if is_new => act(Action::Start { server, serial }),
        (PowerTarget::On, DomainRun::Running | DomainRun::Paused(_))
            if spec.reboots > domain.reboots.max(memory.reboots_noted) =>
        {
            act(Action::Reboot {
                server,
                reboots: spec.reboots,
            })
        }
        (PowerTarget::On, DomainRun::Running) => PowerStep::Settled,
        (PowerTarget::On, DomainRun::Paused(why)) => go_on(server, why, host),
        // The host has carried out a newer change than this desired state knows, which is an old copy then.
        (PowerTarget::On, DomainRun::Off(_)) if domain.power_serial > serial => PowerStep::Settled,
        (PowerTarget::On, DomainRun::Off(reason)) => {
            let tried = attempt(memory, Step::Start, serial).is_some();
            if is_new || shall_restart(domain, reason, host.boot_id, tried) {
                act(Action::Start { server, serial })
            } else {
                PowerStep::Settled
            }
        }
        (PowerTarget::Off | PowerTarget::OffForced, DomainRun::Off(_)) if is_new => {
            act(Action::NotePower { server, serial })
        }
        (PowerTarget::Off | PowerTarget::OffForced, DomainRun::Off(_)) => PowerStep::Settled,
        (PowerTarget::Off, DomainRun::Running | DomainRun::Paused(_)) => {
            let asked = attempt(memory, Step::Shutdown, serial);
            shut_down(spec, is_new, asked, host.now)
        }
        (PowerTarget::OffForced, DomainRun::Running | DomainRun::Paused(_)) => {
            if is_new || attempt(memory, Step::PowerOff, serial).is_some() {
                act(Action::PowerOff { server, serial })
            } else {
                // Somebody at the host started it by hand.
                PowerStep::Ignored
            }
        }
    }
}

/// Lets a guest go on whose pause was not anybody's wish. Each try is counted, so that a disk that fails at once
/// again is tried less and less often.
fn go_on(server: ServerId, why: PauseReason, host: &Circumstances<'_>) -> PowerStep {
    let has_room = host.room.is_none_or(|room| room >= RESUME_ROOM);
    match why {
        PauseReason::DiskFull | PauseReason::DiskError
            if has_room && !planted(Bug::LeavePaused) =>
        {
            act(Action::Resume(server))
        }
        PauseReason::DiskFull | PauseReason::DiskError => PowerStep::Settled,
        // Somebody's wish, or nothing that going on would mend.
        PauseReason::ByHand
        | PauseReason::GuestCrashed
        | PauseReason::HostBusy
        | PauseReason::Asleep
        | PauseReason::Unknown => PowerStep::Settled,
    }
}

fn act(action: Action) -> PowerStep {
    PowerStep::Act(Box::new(action))
}

fn attempt(memory: &ServerMemory, step: Step, serial: u32) -> Option<&Attempt> {
    let attempt = memory.attempts.get(&step);
    attempt.filter(|attempt| attempt.subject == u64::from(serial))
}

/// Whether a domain that was started for this serial before, and does not run, is started again.
fn shall_restart(domain: &Domain, reason: OffReason, boot_id: &str, tried: bool) -> bool {
    if domain.started_in_boot.as_deref() != Some(boot_id) {
        // The host restarted, or the domain was never started.
        return true;
    }
    match reason {
        // Whoever ended it from the host, its owner did not: what he ends shall be off.
        OffReason::Killed | OffReason::Destroyed => !planted(Bug::TakeKillForWish),
        OffReason::Crashed | OffReason::Failed => true,
        // libvirt forgets why a domain is off when it restarts itself. Only a start of ours that was not
        // seen to succeed tells the two cases apart.
        OffReason::NotStarted => tried,
        // The guest's own decision; or it may run elsewhere.
        OffReason::Shutdown | OffReason::Moved => false,
    }
}

fn shut_down(
    spec: &ServerSpec,
    is_new: bool,
    asked: Option<&Attempt>,
    now: Timestamp,
) -> PowerStep {
    let ask = Action::Shutdown {
        server: spec.server,
        serial: spec.power.serial,
    };
    match asked {
        Some(asked) if !asked.is_due(SHUTDOWN_ASK_EVERY, now) => PowerStep::Wait,
        Some(asked) if asked.count >= SHUTDOWN_ASKS_MAX => PowerStep::Ignored,
        Some(_) => act(ask),
        None if is_new => act(ask),
        // Carried out before, and yet it runs: started by hand at the host.
        None => PowerStep::Ignored,
    }
}

/// Whether a running domain has been running for at least `span`. One that was started by hand before we
/// ever did counts as old: when it started is unknown and will stay so. So does one whose start lies that far
/// ahead: the host's clock was set back since.
#[must_use]
pub fn has_run(domain: &Domain, span: Duration, now: Timestamp) -> bool {
    domain
        .started_at
        .is_none_or(|started_at| now.since(started_at) >= span || started_at.since(now) >= span)
}

/// Whether an attempt at a power step is still of interest: its goal is wanted and not reached.
#[must_use]
pub fn is_open(
    step: Step,
    attempt: &Attempt,
    spec: &ServerSpec,
    domain: &Domain,
    now: Timestamp,
) -> bool {
    let is_present = attempt.subject == u64::from(spec.power.serial);
    let is_up = domain.run.is_up();
    match (step, spec.power.target) {
        (Step::Start, PowerTarget::On) if is_up => {
            // A guest that crashes again and again shall be started at growing intervals, so a start is
            // remembered until it has lasted.
            is_present && !domain.guest_agent && !has_run(domain, LASTED_AFTER, now)
        }
        (Step::Start, PowerTarget::On) => {
            // A guest that shut itself down did run.
            is_present && domain.run != DomainRun::Off(OffReason::Shutdown)
        }
        (Step::Shutdown, PowerTarget::Off) | (Step::PowerOff, PowerTarget::OffForced) => {
            is_present && is_up
        }
        (Step::Resume, PowerTarget::On) => match domain.run {
            DomainRun::Paused(_) => true,
            // As with a start, so that a disk that fails again and again is tried at growing intervals.
            DomainRun::Running => !attempt.is_due(LASTED_AFTER, now),
            DomainRun::Off(_) => false,
        },
        (Step::NotePower, _) => is_present && domain.power_serial < spec.power.serial,
        (Step::Reboot, PowerTarget::On) => {
            // The count is noted before the guest is asked: what came of it, failure and events tell.
            let is_recent = !attempt.is_due(REBOOT_FAILURE_SAID, now);
            let is_open = attempt.failure.is_some() || domain.rebooting != Rebooting::No;
            let is_owed = domain.reboots < spec.reboots || is_open && is_recent;
            is_up && attempt.subject == u64::from(spec.reboots) && is_owed
        }
        _ => false,
    }
}
