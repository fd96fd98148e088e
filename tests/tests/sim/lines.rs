//! What goes over the connections between agents and the control plane: signs of life, polls, specs, reports, and
//! the answers. The control plane's half is what `agent_api` does around the application, the host's half what
//! `link` does around the agent's deciding code.

use std::{cell::Cell, collections::BTreeMap, rc::Rc, sync::Arc};

use innkeeper_control_plane::{kernel::Error, nouns::Nouns, servers::Offer};
use innkeeper_wire::{
    digest::Digest,
    host::{Life, Report, Witness},
    id::ChallengeId,
    vm::ServerSpec,
};
use rand::Rng as _;

use crate::{
    control::{Done, Reported, Taken},
    history::History,
    host::Judged,
    link::Errand,
    network::{Answer, Ask, Event, Line, Offered, Peer, Request, Way},
    schedule::Millis,
};

/// How long an agent waits for an answer to its poll.
const POLL_DEADLINE: Millis = 20_000;
/// When a sign of life that was not answered is repeated.
const LIFE_AGAIN: Millis = 3_000;
/// Longest pause before the next connection.
const PAUSE_MAX: Millis = 4_000;

impl History {
    // ---- the host's half ----

    /// The next step towards the desired state.
    pub(crate) fn poll(&mut self, at: Peer) {
        let host = &mut self.hosts[at.host];
        let Some(agent) = &host.agent else {
            return;
        };
        let again = match agent.link.errand() {
            Errand::Connect => self.connect(at),
            Errand::Prove => {
                let life = host.life().expect("its agent runs");
                let call = host.next_call();
                self.send_as_host(at, &Ask::Life { call, life });
                LIFE_AGAIN
            }
            Errand::Poll => {
                let has = host.accepted().expect("its agent runs");
                self.send_as_host(at, &Ask::Poll { has });
                POLL_DEADLINE
            }
            Errand::Wait => 1_000,
        };
        self.poll_in(at, again);
    }

    fn connect(&mut self, at: Peer) -> Millis {
        let now = self.schedule.now();
        let id = self.hosts[at.host].id;
        let session = self.control.connect(id);
        match session.filter(|_| self.network.connects(at.host, now)) {
            Some(session) => {
                self.hosts[at.host].connected(session);
                1
            }
            None => self.random.random_range(100..PAUSE_MAX),
        }
    }

    pub(crate) fn send_report(&mut self, at: Peer, report: Arc<Report>) {
        let host = &mut self.hosts[at.host];
        let life = host.life().expect("only a running agent reports");
        let call = host.next_call();
        self.send_as_host(at, &Ask::Report { call, life, report });
    }

    fn send_as_host(&mut self, peer: Peer, ask: &Ask) {
        let agent = self.hosts[peer.host].agent.as_ref();
        let Some(session) = agent.and_then(|agent| agent.link.session()) else {
            return;
        };
        let now = self.schedule.now();
        let way = Way::ToControl(peer.host);
        let deliveries = self.network.deliveries(way, now, &mut self.random);
        let from = Line { peer, session };
        for delay in deliveries {
            let ask = ask.clone();
            let request = Request::Host { from, ask };
            self.schedule.after(delay, Event::AtControl(request));
        }
    }

    pub(crate) fn at_host(&mut self, to: Line, answer: Answer) {
        let at = to.peer;
        let session = self.agent(at).and_then(|agent| agent.link.session());
        if session != Some(to.session) {
            return;
        }
        match answer {
            Answer::Broken => {
                let agent = self.agent(at).expect("it has a session");
                agent.link.close();
                let pause = self.random.random_range(100..PAUSE_MAX);
                self.poll_in(at, pause);
            }
            Answer::Heard {
                call,
                challenge,
                witness,
            } => {
                let before = self.errand(at);
                self.hosts[at.host].hear(call, challenge, witness);
                if before != self.errand(at) {
                    self.poll_in(at, 1);
                    // The first report waits for the proof.
                    self.look_in(at, 2);
                } else if before == Some(Errand::Prove) {
                    self.poll_in(at, 1);
                }
            }
            Answer::Manifest(offered) => match self.hosts[at.host].judge(&offered.manifest) {
                Judged::Refused => self.poll_in(at, 1_000),
                Judged::Needs(missing) if missing.is_empty() => {
                    self.offered(at, offered, &BTreeMap::new());
                }
                Judged::Needs(missing) => {
                    self.send_as_host(at, &Ask::Specs { offered, missing });
                }
            },
            Answer::Specs {
                offered,
                found: Some(found),
            } => self.offered(at, offered, &found),
            Answer::Specs { found: None, .. } => self.poll_in(at, 100),
        }
    }

    fn errand(&mut self, at: Peer) -> Option<Errand> {
        Some(self.agent(at)?.link.errand())
    }

    fn offered(&mut self, at: Peer, offered: Offered, found: &BTreeMap<Digest, ServerSpec>) {
        let Offered { manifest, at: sent } = offered;
        let (epoch, generation) = (manifest.epoch, manifest.generation);
        if let Some(accepted) = self.hosts[at.host].begin_accepting(manifest, found) {
            let host = at.host + 1;
            self.tell(&format!("h{host} accepts manifest {epoch}.{generation}"));
            self.watch.host_accepts(at.host);
            let store = (epoch, self.control.sequence());
            let is_up = self.control.running.is_some();
            if is_up && self.hosts[at.host].was_forgotten(store, sent) {
                let breach = format!("h{host} follows a store that has forgotten what it told");
                self.watch.breach(breach);
            }
            let accepted = Box::new(accepted);
            let delay = self.random.random_range(1..40);
            self.schedule.after(delay, Event::Stored { at, accepted });
        }
    }

    // ---- the control plane's half ----

    pub(crate) fn host_asks(&mut self, from: Line, ask: Ask) -> Option<Done> {
        let nouns = self.control.nouns()?.clone();
        let id = self.hosts[from.peer.host].id;
        let running = self.control.running.as_ref()?;
        if running.sessions.get(&from.session) != Some(&id) {
            self.send_to_host(from, Answer::Broken);
            return None;
        }
        if nouns.hosts.check(id).is_err() {
            self.refuse_host(from);
            return None;
        }
        match ask {
            Ask::Life { call, life } => self.control.begin(async move {
                let result = nouns.hosts.hear_life(id, &life).await;
                Done::Heard { from, call, result }
            }),
            Ask::Poll { has } => {
                let running = self.control.running.as_mut()?;
                running.parked.retain(|(line, _)| line.peer != from.peer);
                running.parked.push((from, has));
                self.answer_polls();
                None
            }
            Ask::Specs { offered, missing } => {
                let found = missing.into_iter().map(|digest| {
                    let spec = nouns.servers.spec(id, digest).ok();
                    spec.map(|spec| (digest, spec))
                });
                let found = found.collect();
                self.send_to_host(from, Answer::Specs { offered, found });
                None
            }
            Ask::Report { call, life, report } => {
                self.begin_report(&nouns, from, call, life, report)
            }
        }
    }

    /// A host may not talk to us: its connections end.
    fn refuse_host(&mut self, from: Line) {
        let id = self.hosts[from.peer.host].id;
        self.control.disconnect(id);
        self.send_to_host(from, Answer::Broken);
    }

    fn begin_report(
        &mut self,
        nouns: &Nouns,
        from: Line,
        call: u64,
        life: Life,
        report: Arc<Report>,
    ) -> Option<Done> {
        let id = self.hosts[from.peer.host].id;
        let came_in = self.control.came_in();
        let now = self.moment();
        if !came_in.is_late(from.peer, call) {
            self.watch.report_begun(&report, now);
        }
        let nouns = nouns.clone();
        let waits_late = Rc::new(Cell::new(false));
        let late = Rc::clone(&waits_late);
        let done = self.control.begin(async move {
            let taken = async {
                let challenge = nouns.hosts.hear_life(id, &life).await?;
                late.set(came_in.take(from.peer, call));
                let followed = nouns.ctx.gate().follows(id);
                nouns.intake.take_report(id, &report).await?;
                let is_late = late.replace(false);
                Ok(Taken {
                    challenge,
                    witness: nouns.continuity.witness(),
                    counts: followed && nouns.ctx.gate().follows(id) && !is_late,
                })
            };
            let result = taken.await;
            Done::Reported(Reported {
                from,
                call,
                report,
                result,
            })
        });
        if waits_late.get() && self.clocks_are_even() {
            // A newer report of the same agent was here: this one may change nothing.
            let host = from.peer.host + 1;
            self.watch.breach(format!("h{host}'s late report counts"));
        }
        done
    }

    pub(crate) fn heard(&mut self, from: Line, call: u64, result: Result<ChallengeId, Error>) {
        match result {
            Ok(challenge) => self.answer_life(from, call, challenge, None),
            Err(error) => self.answer_error(from, &error),
        }
    }

    pub(crate) fn reported(&mut self, reported: Reported) {
        let Reported {
            from,
            call,
            report,
            result,
        } = reported;
        match result {
            Ok(Taken {
                challenge,
                witness,
                counts,
            }) => {
                let nouns = self.control.nouns().cloned();
                if let Some(nouns) = nouns.filter(|_| counts) {
                    let host = &self.hosts[from.peer.host];
                    let is_even = self.clocks_are_even();
                    let now = self.moment();
                    self.watch.report_taken(&report, host, &nouns, is_even, now);
                }
                self.answer_life(from, call, challenge, Some(witness));
            }
            Err(error) => self.answer_error(from, &error),
        }
    }

    fn answer_life(
        &mut self,
        to: Line,
        call: u64,
        challenge: ChallengeId,
        witness: Option<Witness>,
    ) {
        let answer = Answer::Heard {
            call,
            challenge,
            witness,
        };
        self.send_to_host(to, answer);
    }

    /// Of other errors a host only hears that there is no answer.
    fn answer_error(&mut self, to: Line, error: &Error) {
        if let Error::HostQuarantined(_) = error {
            self.refuse_host(to);
        }
    }

    /// Answers the parked polls for which there is something newer.
    pub(crate) fn answer_polls(&mut self) {
        let Some(running) = self.control.running.as_mut() else {
            return;
        };
        let nouns = running.nouns.clone();
        let now = self.schedule.now();
        let mut answers = Vec::new();
        let hosts = &self.hosts;
        running.parked.retain(|(line, has)| {
            let answer = match nouns.intake.offer(hosts[line.peer.host].id, *has) {
                Ok(Offer::Nothing) => return true,
                Ok(Offer::Newer(manifest)) => Some(Answer::Manifest(Offered { manifest, at: now })),
                // It asks again after a while.
                Ok(Offer::Behind) => None,
                Err(_) => Some(Answer::Broken),
            };
            answers.push((*line, answer));
            false
        });
        for (line, answer) in answers {
            if let Some(answer) = answer {
                self.send_to_host(line, answer);
            }
        }
    }

    fn send_to_host(&mut self, to: Line, answer: Answer) {
        let now = self.schedule.now();
        let way = Way::ToHost(to.peer.host);
        let deliveries = self.network.deliveries(way, now, &mut self.random);
        for delay in deliveries {
            let answer = answer.clone();
            self.schedule.after(delay, Event::AtHost { to, answer });
        }
    }
}
