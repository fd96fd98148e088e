//! Whether a defined domain shall be started, shut down, ended or rebooted now: the power half of `plan`.
//! Pure.
//!
//! The host acts once on each power serial, and the domain's own metadata say which one that was. An
//! attempt that is still remembered means that the host has not finished acting on it.

use std::time::Duration;

use innkeeper_wire::{
    planted::{Bug, planted},
    time::Timestamp,
    vm::{PowerTarget, ServerSpec},
};

use crate::{
    action::Action,
    hypervisor::{Domain, DomainRun, OffReason},
    memory::{Attempt, ServerMemory, Step},
};

/// How often a guest that shall shut down is asked.
pub const SHUTDOWN_ASK_EVERY: Duration = Duration::from_secs(10);
/// How often at most. Ten seconds after the last time, 90 s after the first one, it is left running, and that
/// is reported. Counting, unlike a time limit, forgives an agent that was away in between.
pub const SHUTDOWN_ASKS_MAX: u32 = 9;
/// When a guest without an agent counts as ready (design.md section 10), and when a start has succeeded.
pub const READY_AFTER: Duration = Duration::from_secs(60);

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

/// Decides about a domain's power.
#[must_use]
pub fn step(
    spec: &ServerSpec,
    domain: &Domain,
    boot_id: &str,
    memory: &ServerMemory,
    now: Timestamp,
) -> PowerStep {
    let (server, serial) = (spec.server, spec.power.serial);
    let is_new = domain.power_serial < serial || planted(Bug::ForgetPowerSerial);
    match (spec.power.target, domain.run) {
        (PowerTarget::On, DomainRun::Running) if is_new => {
            act(Action::NotePower { server, serial })
        }
        (PowerTarget::On, DomainRun::Running) => {
            if spec.reboots > domain.reboots.max(memory.reboots_noted) {
                act(Action::Reboot {
                    server,
                    reboots: spec.reboots,
                })
            } else {
                PowerStep::Settled
            }
        }
        (PowerTarget::On, DomainRun::Off(reason)) => {
            let tried = attempt(memory, Step::Start, serial).is_some();
            if is_new || shall_restart(domain, reason, boot_id, tried) {
                act(Action::Start { server, serial })
            } else {
                PowerStep::Settled
            }
        }
        (PowerTarget::Off | PowerTarget::OffForced, DomainRun::Off(_)) if is_new => {
            act(Action::NotePower { server, serial })
        }
        (PowerTarget::Off | PowerTarget::OffForced, DomainRun::Off(_)) => PowerStep::Settled,
        (PowerTarget::Off, DomainRun::Running) => {
            shut_down(spec, is_new, attempt(memory, Step::Shutdown, serial), now)
        }
        (PowerTarget::OffForced, DomainRun::Running) => {
            if is_new || attempt(memory, Step::PowerOff, serial).is_some() {
                act(Action::PowerOff { server, serial })
            } else {
                // Somebody at the host started it by hand.
                PowerStep::Ignored
            }
        }
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
        OffReason::Crashed | OffReason::Failed => true,
        // libvirt forgets why a domain is off when it restarts itself. Only a start of ours that was not
        // seen to succeed tells the two cases apart.
        OffReason::NotStarted => tried,
        // The guest's own decision, or that of an operator at the host.
        OffReason::Shutdown | OffReason::Destroyed => false,
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
    let is_running = domain.run == DomainRun::Running;
    match (step, spec.power.target) {
        (Step::Start, PowerTarget::On) if is_running => {
            // A guest that crashes again and again shall be started at growing intervals, so a start is
            // remembered until it has lasted.
            is_present && !domain.guest_agent && !has_run(domain, READY_AFTER, now)
        }
        (Step::Start, PowerTarget::On) => {
            // A guest that shut itself down did run.
            is_present && domain.run != DomainRun::Off(OffReason::Shutdown)
        }
        (Step::Shutdown, PowerTarget::Off) | (Step::PowerOff, PowerTarget::OffForced) => {
            is_present && is_running
        }
        (Step::NotePower, _) => is_present && domain.power_serial < spec.power.serial,
        (Step::Reboot, PowerTarget::On) => {
            attempt.subject == u64::from(spec.reboots) && domain.reboots < spec.reboots
        }
        _ => false,
    }
}
