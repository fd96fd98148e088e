//! How the agent of a simulated host acts: one action at a time for each server, each of which takes time and may
//! fail, hang, or work without anybody hearing of it.

use super::*;

pub(super) struct Job {
    rest: VecDeque<Action>,
    wanted: Option<Wanted>,
    fetches: Option<Digest>,
}

pub(super) struct Running {
    server: Option<ServerId>,
    pub(super) action: Action,
    pub(super) course: Course,
    pub(super) result: Option<Result<(), HypervisorError>>,
}

/// How an action goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Course {
    Works,
    Fails,
    FailsAfterEffect,
    Hangs,
    HangsAfterEffect,
}

/// An action that was begun, and when to call [`SimulatedHost::effect`] and [`SimulatedHost::end`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct Begun {
    pub(crate) action: u64,
    pub(crate) effect_in: Millis,
    pub(crate) ends_in: Millis,
}

impl SimulatedHost {
    /// The first actions of those that have nothing under way. The attempts are on disk before they are made.
    pub(super) fn admit(&mut self, plan: &Plan) -> Vec<(Option<ServerId>, Action)> {
        let agent = self.agent.as_mut().expect("only a running agent looks");
        let mut due = Vec::new();
        if let Some(network) = &plan.network
            && !agent.jobs.contains_key(&None)
        {
            due.push((None, Action::ApplyNetwork(network.clone())));
            agent.jobs.insert(None, Job::of(VecDeque::new(), None));
        }
        for (server, actions) in &plan.actions {
            let Some((first, rest)) = actions.split_first() else {
                continue;
            };
            let mut job = Job::of(
                rest.iter().cloned().collect(),
                agent.desired.servers.get(server).cloned(),
            );
            if let Action::FetchImage(image) = first {
                if agent
                    .jobs
                    .values()
                    .any(|job| job.fetches == Some(image.digest))
                {
                    continue;
                }
                job.fetches = Some(image.digest);
                job.rest.clear();
            }
            agent.jobs.insert(Some(*server), job);
            due.push((Some(*server), first.clone()));
        }
        due
    }

    pub(super) fn begin(
        &mut self,
        server: Option<ServerId>,
        action: Action,
        random: &mut StdRng,
    ) -> Begun {
        let course = self.course(&action, random);
        let agent = self.agent.as_mut().expect("only a running agent acts");
        agent.memory.begin(server, &action, self.machine.now());
        self.files.memory = agent.memory.clone();
        agent.actions += 1;
        let running = Running {
            server,
            action,
            course,
            result: None,
        };
        agent.running.insert(agent.actions, running);
        let effect_in = random.random_range(1..400);
        let ends_in = match course {
            Course::Hangs | Course::HangsAfterEffect => ACTION_DEADLINE,
            Course::Works | Course::Fails | Course::FailsAfterEffect => {
                effect_in + random.random_range(1..400)
            }
        };
        Begun {
            action: agent.actions,
            effect_in,
            ends_in,
        }
    }

    fn course(&self, action: &Action, random: &mut StdRng) -> Course {
        match action {
            Action::CreateDisk(spec) if self.poisoned.contains(&spec.server) => Course::Fails,
            _ if !random.random_bool(self.faults) => Course::Works,
            _ => [
                Course::Fails,
                Course::FailsAfterEffect,
                Course::Hangs,
                Course::HangsAfterEffect,
            ][random.random_range(0..4)],
        }
    }

    /// An action has its effect, if it has one; which, in words.
    pub(crate) fn effect(&mut self, action: u64) -> Option<String> {
        let running = self.agent.as_mut()?.running.get_mut(&action)?;
        if running.course.has_effect() {
            running.result = Some(carry_out(&self.machine, &running.action));
        }
        let (step, subject) = Step::of(&running.action);
        let Running { server, course, .. } = running;
        let server = server.map_or_else(String::new, |server| server.to_string());
        Some(format!("{step:?} {subject} {server} {course:?}"))
    }

    /// An action ends; what comes after it for that server begins.
    pub(crate) fn end(&mut self, action: u64, random: &mut StdRng) -> Option<Begun> {
        let agent = self.agent.as_mut()?;
        let running = agent.running.remove(&action)?;
        let mut job = agent.jobs.remove(&running.server)?;
        let failed = || HypervisorError::Failed {
            what: "an action".to_owned(),
            reason: "injected fault".to_owned(),
        };
        let result = match running.course {
            Course::Works => running.result.unwrap_or_else(|| Err(failed())),
            Course::Fails | Course::FailsAfterEffect => Err(failed()),
            Course::Hangs | Course::HangsAfterEffect => {
                Err(HypervisorError::Deadline("an action".to_owned()))
            }
        };
        if let Err(error) = result {
            let now = self.machine.now();
            agent
                .memory
                .fail(running.server, &running.action, &error, now);
            return None;
        }
        let wanted = running
            .server
            .and_then(|server| agent.desired.servers.get(&server));
        if job.wanted.as_ref() != wanted {
            return None;
        }
        let next = job.rest.pop_front()?;
        agent.jobs.insert(running.server, job);
        Some(self.begin(running.server, next, random))
    }
}

pub(super) fn carry_out(machine: &Simulated, action: &Action) -> Result<(), HypervisorError> {
    match machine.carry_out(action) {
        Outcome::Answered(result) => result,
        Outcome::Silent => Err(HypervisorError::Deadline("an action".to_owned())),
    }
}

impl Course {
    pub(super) fn has_effect(self) -> bool {
        match self {
            Self::Works | Self::FailsAfterEffect | Self::HangsAfterEffect => true,
            Self::Fails | Self::Hangs => false,
        }
    }
}

impl Job {
    fn of(rest: VecDeque<Action>, wanted: Option<Wanted>) -> Self {
        Self {
            rest,
            wanted,
            fetches: None,
        }
    }
}
