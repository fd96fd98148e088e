//! What a report says of one server: what it does, and what keeps it from being as wanted. Part of the plan, since it
//! follows from the same view.

use super::{rebooting::Reboot, *};

impl Eyes<'_> {
    pub(super) fn observe(
        &self,
        wanted: &Wanted,
        steps: &[Action],
        memory: &ServerMemory,
        readiness: Option<Readiness>,
    ) -> ObservedServer {
        let (state, problem) = match wanted {
            Wanted::Present(spec) => (
                self.state_of_present(spec, memory, readiness),
                self.problem(spec, steps, memory)
                    .or_else(|| self.reach_problem(spec, readiness)),
            ),
            Wanted::Delete => (self.state_of_deleted(), worst(steps, memory)),
        };
        let asked = self.domain.map_or(0, |domain| domain.reboots);
        let reboots = match self.reboot(memory) {
            Some(Reboot::UnderWay) => asked.saturating_sub(1),
            Some(Reboot::Failed(_)) | None => asked,
        };
        ObservedServer {
            server: self.server,
            state,
            power_serial: self.domain.map_or(0, |domain| domain.power_serial),
            reboots: reboots.max(memory.reboots_noted),
            problem: self.hung().or(problem).or_else(|| self.held()),
            was_ready: readiness::was_ready(readiness),
            // `plan` knows it.
            was_started: None,
            network_cut: self.rule.flatten().is_some_and(|guest| guest.nic.cut),
        }
    }

    fn state_of_present(
        &self,
        spec: &ServerSpec,
        memory: &ServerMemory,
        readiness: Option<Readiness>,
    ) -> ObservedState {
        if self.is_missing(spec) {
            return ObservedState::Absent;
        }
        let run = self.domain.map(|domain| domain.run);
        if let Some(DomainRun::Paused(why)) = run {
            return ObservedState::Paused { why };
        }
        let step = match self.domain {
            Some(_) if self.is_running() => {
                let ready = self.is_ready(readiness);
                return ObservedState::Running { ready };
            }
            Some(domain) if domain.started_at.is_some() => return ObservedState::Stopped,
            // Made to be off, and noted.
            Some(domain) if domain.power_serial > 0 && spec.power.target != PowerTarget::On => {
                return ObservedState::Stopped;
            }
            Some(_) if !self.is_covered(spec) => CreateStep::Network,
            Some(_) => CreateStep::Start,
            None if self.disk && self.seed && !self.is_covered(spec) => CreateStep::Network,
            None if self.disk && self.seed => CreateStep::Start,
            None if self.disk || self.has_image(spec) && self.is_begun(memory) => CreateStep::Disk,
            None if self.is_begun(memory) => CreateStep::Image,
            None => CreateStep::Queued,
        };
        ObservedState::Creating { step }
    }

    fn is_begun(&self, memory: &ServerMemory) -> bool {
        self.busy || !memory.attempts.is_empty()
    }

    fn state_of_deleted(&self) -> ObservedState {
        let is_busy = self.busy || self.view.network_busy;
        let nothing = self.domain.is_none() && !self.disk && !self.seed && !is_busy;
        // The inner `None`: the installed rules are known, and it has none.
        let no_rule = matches!(self.rule, Some(None)) || planted(Bug::ReportAbsentEarly);
        if nothing && no_rule {
            ObservedState::Absent
        } else {
            ObservedState::Deleting
        }
    }

    fn problem(
        &self,
        spec: &ServerSpec,
        steps: &[Action],
        memory: &ServerMemory,
    ) -> Option<ServerProblem> {
        if self.domain.is_some() && !self.disk {
            let detail = "the domain exists and its disk is gone".to_owned();
            return Some(ServerProblem {
                code: ServerProblemCode::DiskFailed,
                detail,
                attempts: 0,
            });
        }
        if self.domain.is_none() && self.is_buried() {
            // Said, so that whoever waits for it gives up.
            let detail =
                "it was deleted here and its disk is kept; it is not made again".to_owned();
            return Some(ServerProblem {
                code: ServerProblemCode::DiskFailed,
                detail,
                attempts: NOT_TRIED_AGAIN,
            });
        }
        if self.is_missing(spec) {
            let detail =
                "it was made before, and its disk is not on this host; none is made in its place";
            return Some(ServerProblem {
                code: ServerProblemCode::DiskFailed,
                detail: detail.to_owned(),
                attempts: NOT_TRIED_AGAIN,
            });
        }
        // What keeps it out for good goes before what is tried again.
        refused::problem(self.view, spec)
            .or_else(|| worst(steps, memory))
            .or_else(|| self.power_problem(spec, memory))
            .or_else(|| self.network_problem(spec))
    }

    fn power_problem(&self, spec: &ServerSpec, memory: &ServerMemory) -> Option<ServerProblem> {
        if let Some(Reboot::Failed(problem)) = self.reboot(memory) {
            return problem;
        }
        match power::step(spec, self.domain?, memory, &self.circumstances()) {
            PowerStep::Ignored => {
                let asked = memory.attempts.get(&Step::Shutdown);
                let detail = asked
                    .and_then(|attempt| attempt.failure.as_ref())
                    .map_or_else(
                        || "the guest runs on although it shall be off".to_owned(),
                        |failure| failure.detail.clone(),
                    );
                let attempts = asked.map_or(0, |attempt| attempt.count);
                let code = ServerProblemCode::ShutdownIgnored;
                Some(ServerProblem {
                    code,
                    detail,
                    attempts,
                })
            }
            PowerStep::Act(_) | PowerStep::Wait | PowerStep::Settled => None,
        }
    }

    /// Rules that can't be installed are the problem of every server that waits for its own, and of every one that
    /// runs without them: it can't be reached, by its host's fault.
    fn network_problem(&self, spec: &ServerSpec) -> Option<ServerProblem> {
        let attempt = self.view.memory.network_attempt.as_ref()?;
        if self.is_covered(spec) {
            return None;
        }
        trouble(attempt, ServerProblemCode::NetworkFailed)
    }

    /// Whatever else is known of it is from before.
    fn hung(&self) -> Option<ServerProblem> {
        let hangs = self.is_up() && self.view.inventory.hung.contains(&self.server);
        hangs.then(|| ServerProblem {
            code: ServerProblemCode::NotAnswering,
            detail: "its QEMU runs and does not answer libvirt".to_owned(),
            attempts: 0,
        })
    }

    fn held(&self) -> Option<ServerProblem> {
        let held = self.view.desired.held.as_ref()?;
        Some(ServerProblem {
            code: ServerProblemCode::FeatureMissing,
            detail: format!(
                "manifest {}.{} requires {}",
                held.epoch,
                held.generation,
                held.missing.join(", ")
            ),
            attempts: 0,
        })
    }
}
