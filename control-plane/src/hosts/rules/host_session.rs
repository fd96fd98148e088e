//! Which process of a host's agent is alive, and what its being alive tells: that a second machine uses the
//! same identity, or that the disk went back in time. Pure; `hosts::sessions` keeps one of these for each host.
//!
//! Each process names itself, is given a challenge with every answer, and echoes it. An echo proves that the
//! process lived after the challenge was given, however late it comes; being heard at all proves only that
//! it was started before. Of two processes of one machine the first has ended when the second starts, so:
//!
//! - When each of two echoes a challenge that it was given after the other one was first heard, both lived at
//!   the same time: two machines.
//! - When one echoes a challenge that it was given after this host had acknowledged a desired state, and has
//!   an older one, its disk went back in time: it was restored from an old copy.
//!
//! No message of an agent that is no more can bring that about, whatever the network does with it.
//!
//! What it can't tell apart: two machines that were copied with their memory while running, since both are
//! then the same process.

use std::collections::VecDeque;

use innkeeper_wire::{
    host::Life,
    id::{ChallengeId, InstanceId},
    planted::{Bug, planted},
};
use serde::{Deserialize, Serialize};

use crate::hosts::rules::host::Quarantine;

/// Processes of one host that are remembered. One that was forgotten is a new one when it comes again.
const INSTANCES_MAX: usize = 8;
/// Challenges of one process that may still be echoed: some answers are lost.
const CHALLENGES_MAX: usize = 4;

/// A desired state, by its number. Later ones are greater.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Position {
    /// Grows when the control plane was restored.
    pub epoch: u64,
    /// Grows with each change.
    pub generation: u64,
}

/// What a message told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing: it may be late.
    Unproven,
    /// The agent is alive and has this desired state.
    Alive(Position),
    /// Something is wrong with this host.
    Wrong(Quarantine),
}

/// What is known of the processes of one host.
#[derive(Debug, Default)]
pub struct HostSession {
    /// Counts messages, so that events can be told to be before or after each other.
    now: u64,
    instances: Vec<Instance>,
    /// The newest desired state that the host ever had, and when that was heard.
    newest: Option<(Position, u64)>,
}

#[derive(Debug)]
struct Instance {
    id: InstanceId,
    /// It was started before this.
    first_heard_at: u64,
    /// It lived after this.
    lived_at: Option<u64>,
    last_heard_at: u64,
    /// Challenges that it was given last, with when; oldest first.
    given: VecDeque<(ChallengeId, u64)>,
}

impl HostSession {
    /// Nothing is known but the newest desired state that the host ever had.
    #[must_use]
    pub fn new(newest: Option<Position>) -> Self {
        Self {
            newest: newest.map(|position| (position, 0)),
            ..Self::default()
        }
    }

    /// Takes in a message that will be answered with the challenge `next`.
    pub fn hear(&mut self, life: &Life, next: ChallengeId) -> Verdict {
        self.now += 1;
        let now = self.now;
        let at = self.find(life.instance);
        let instance = &mut self.instances[at];
        instance.last_heard_at = now;
        let given_at = life.echo.and_then(|echo| instance.when_given(echo));
        instance.give(next, now);
        let Some(given_at) = given_at else {
            return Verdict::Unproven;
        };
        instance.lived_at = instance.lived_at.max(Some(given_at));
        let this = &self.instances[at];
        let mut others = self.instances.iter().filter(|other| other.id != this.id);
        if others.any(|other| this.lived_beside(other)) {
            return Verdict::Wrong(Quarantine::TwoInstances);
        }
        let position = Position {
            epoch: life.epoch,
            generation: life.generation,
        };
        match self.newest {
            Some((newest, heard_at)) if position < newest => {
                if given_at > heard_at && !planted(Bug::MissRewound) {
                    return Verdict::Wrong(Quarantine::Rewound);
                }
                Verdict::Unproven
            }
            Some((newest, _)) if position == newest => Verdict::Alive(position),
            _ => {
                self.newest = Some((position, now));
                Verdict::Alive(position)
            }
        }
    }

    /// Where the process is in the list; it is added when it is new.
    fn find(&mut self, id: InstanceId) -> usize {
        if let Some(at) = self.instances.iter().position(|known| known.id == id) {
            return at;
        }
        if self.instances.len() == INSTANCES_MAX {
            let all = self.instances.iter().enumerate();
            let longest_silent = all.min_by_key(|(_, known)| known.last_heard_at);
            let (at, _) = longest_silent.expect("there are several");
            self.instances.swap_remove(at);
        }
        self.instances.push(Instance {
            id,
            first_heard_at: self.now,
            lived_at: None,
            last_heard_at: self.now,
            given: VecDeque::new(),
        });
        self.instances.len() - 1
    }
}

impl Instance {
    fn lived_beside(&self, other: &Self) -> bool {
        self.lived_at > Some(other.first_heard_at) && other.lived_at > Some(self.first_heard_at)
    }

    fn when_given(&self, challenge: ChallengeId) -> Option<u64> {
        let mut given = self.given.iter();
        given
            .find(|(given, _)| *given == challenge)
            .map(|(_, when)| *when)
    }

    fn give(&mut self, challenge: ChallengeId, now: u64) {
        if self.given.len() == CHALLENGES_MAX {
            self.given.pop_front();
        }
        self.given.push_back((challenge, now));
    }
}

#[cfg(test)]
mod tests {
    use innkeeper_wire::{digest::Digest, id::uuid_v7, time::Timestamp};
    use proptest::prelude::*;

    use super::*;

    /// The control plane's side, with the numbers that it gives out.
    struct Desk {
        session: HostSession,
        given: u64,
    }

    impl Desk {
        fn new() -> Self {
            Self {
                session: HostSession::new(None),
                given: 0,
            }
        }

        fn hear(&mut self, life: &Life) -> (Verdict, ChallengeId) {
            self.given += 1;
            let next = ChallengeId::from_uuid(uuid(1, self.given));
            (self.session.hear(life, next), next)
        }
    }

    fn uuid(kind: u8, number: u64) -> uuid::Uuid {
        let mut random = [kind; 10];
        random[2..].copy_from_slice(&number.to_be_bytes());
        uuid_v7(Timestamp::from_millis(1), random)
    }

    /// A machine with its disk, and the one process of the agent that runs on it.
    #[derive(Clone)]
    struct Machine {
        instance: InstanceId,
        echo: Option<ChallengeId>,
        generation: u64,
        /// The call that it waits for: an answer to an earlier one is no longer taken.
        call: u64,
    }

    impl Machine {
        fn new(instance: u64) -> Self {
            Self {
                instance: InstanceId::from_uuid(uuid(2, instance)),
                echo: None,
                generation: 0,
                call: 0,
            }
        }

        /// A new process: only the disk stays.
        fn restart(&mut self, instance: u64) {
            *self = Self {
                generation: self.generation,
                ..Self::new(instance)
            };
        }

        fn say(&mut self) -> Life {
            self.call += 1;
            Life {
                instance: self.instance,
                echo: self.echo,
                epoch: 1,
                generation: self.generation,
                authorities: Digest::of(b""),
            }
        }

        /// One message and its answer, nothing lost.
        fn talk(&mut self, desk: &mut Desk) -> Verdict {
            let life = self.say();
            let (verdict, challenge) = desk.hear(&life);
            self.echo = Some(challenge);
            verdict
        }
    }

    fn at(generation: u64) -> Position {
        Position {
            epoch: 1,
            generation,
        }
    }

    #[test]
    fn a_restarted_agent_is_one_machine() {
        let (mut desk, mut host) = (Desk::new(), Machine::new(1));
        assert_eq!(host.talk(&mut desk), Verdict::Unproven);
        assert_eq!(host.talk(&mut desk), Verdict::Alive(at(0)));
        let late = host.say();
        host.restart(2);
        assert_eq!(host.talk(&mut desk), Verdict::Unproven);
        for _ in 0..3 {
            assert_eq!(host.talk(&mut desk), Verdict::Alive(at(0)));
            let of_the_dead = desk.hear(&late).0;
            assert!(!matches!(of_the_dead, Verdict::Wrong(_)));
        }
    }

    #[test]
    fn two_machines_are_found_out_when_both_have_echoed() {
        let (mut desk, mut host) = (Desk::new(), Machine::new(1));
        host.talk(&mut desk);
        host.talk(&mut desk);
        let mut clone = host.clone();
        clone.restart(2);
        assert_eq!(clone.talk(&mut desk), Verdict::Unproven);
        assert_eq!(clone.talk(&mut desk), Verdict::Alive(at(0)));
        // It may have said this before the clone came.
        assert_eq!(host.talk(&mut desk), Verdict::Alive(at(0)));
        // Not this.
        assert_eq!(
            host.talk(&mut desk),
            Verdict::Wrong(Quarantine::TwoInstances)
        );
    }

    #[test]
    fn a_disk_from_the_past_is_found_out_and_a_late_report_is_none() {
        let (mut desk, mut host) = (Desk::new(), Machine::new(1));
        host.generation = 5;
        host.talk(&mut desk);
        let late = host.say();
        host.talk(&mut desk);
        let copy = host.clone();
        host.generation = 6;
        assert_eq!(host.talk(&mut desk), Verdict::Alive(at(6)));
        assert_eq!(desk.hear(&late).0, Verdict::Unproven);

        let mut restored = copy;
        restored.restart(2);
        assert_eq!(restored.talk(&mut desk), Verdict::Unproven);
        assert_eq!(
            restored.talk(&mut desk),
            Verdict::Wrong(Quarantine::Rewound)
        );
        // The same after a restart of the control plane, which keeps the newest position.
        let mut desk = Desk {
            session: HostSession::new(Some(at(6))),
            given: 100,
        };
        let mut emptied = Machine::new(3);
        assert_eq!(emptied.talk(&mut desk), Verdict::Unproven);
        assert_eq!(emptied.talk(&mut desk), Verdict::Wrong(Quarantine::Rewound));
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let (mut desk, mut host) = (Desk::new(), Machine::new(1));
        for number in 10..40 {
            Machine::new(number).talk(&mut desk);
            assert!(desk.session.instances.len() <= INSTANCES_MAX);
        }
        for _ in 0..20 {
            let unanswered = host.say();
            desk.hear(&unanswered);
        }
        let mut given = desk.session.instances.iter().map(|known| known.given.len());
        assert!(given.all(|count| count <= CHALLENGES_MAX));
        host.talk(&mut desk);
        assert_eq!(host.talk(&mut desk), Verdict::Alive(at(0)));
    }

    /// A network that delays, reorders, repeats and loses what is sent over it.
    #[derive(Default)]
    struct Network {
        sent: Vec<(usize, u64, Life)>,
        answers: Vec<(usize, InstanceId, u64, ChallengeId)>,
    }

    #[derive(Debug, Clone)]
    enum Event {
        Say(usize),
        /// A message arrives, and stays on the network too: it may arrive again.
        Arrive(usize),
        Answer(usize),
        Restart(usize),
        Accept(usize),
        /// Only sessions are lost; the newest position is on disk.
        ControlPlaneRestarts,
    }

    fn event() -> impl Strategy<Value = Event> {
        prop_oneof![
            8 => (0..4usize).prop_map(Event::Say),
            8 => any::<usize>().prop_map(Event::Arrive),
            8 => any::<usize>().prop_map(Event::Answer),
            1 => (0..4usize).prop_map(Event::Restart),
            2 => (0..4usize).prop_map(Event::Accept),
            1 => Just(Event::ControlPlaneRestarts),
        ]
    }

    /// Plays `events`; gives what was found wrong on the way.
    fn play(machines: &mut [Machine], desk: &mut Desk, events: &[Event]) -> Option<Quarantine> {
        let mut network = Network::default();
        let mut processes = 100;
        let count = machines.len();
        for event in events {
            match *event {
                Event::Say(who) => {
                    let life = machines[who % count].say();
                    network
                        .sent
                        .push((who % count, machines[who % count].call, life));
                }
                Event::Arrive(which) if !network.sent.is_empty() => {
                    let (who, call, life) = network.sent[which % network.sent.len()];
                    let (verdict, challenge) = desk.hear(&life);
                    if let Verdict::Wrong(quarantine) = verdict {
                        return Some(quarantine);
                    }
                    network.answers.push((who, life.instance, call, challenge));
                }
                Event::Answer(which) if !network.answers.is_empty() => {
                    let (who, instance, call, challenge) =
                        network.answers.swap_remove(which % network.answers.len());
                    let machine = &mut machines[who];
                    if (machine.instance, machine.call) == (instance, call) {
                        machine.echo = Some(challenge);
                    }
                }
                Event::Restart(who) => {
                    processes += 1;
                    machines[who % count].restart(processes);
                }
                Event::Accept(who) => machines[who % count].generation += 1,
                Event::ControlPlaneRestarts => {
                    desk.session = HostSession::new(desk.session.newest.map(|newest| newest.0));
                }
                Event::Arrive(_) | Event::Answer(_) => {}
            }
        }
        None
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]

        /// However its messages are delayed, repeated, reordered and lost, and however often it is restarted.
        #[test]
        fn one_agent_is_never_quarantined(events in proptest::collection::vec(event(), 0..300)) {
            let mut desk = Desk::new();
            let mut machines = [Machine::new(1)];
            prop_assert_eq!(play(&mut machines, &mut desk, &events), None);
            // And it is heard as soon as the network is good again.
            machines[0].talk(&mut desk);
            prop_assert!(matches!(machines[0].talk(&mut desk), Verdict::Alive(_)));
        }

        /// Whatever came before: within a few reports that arrive.
        #[test]
        fn two_live_machines_are_always_quarantined(
            before in proptest::collection::vec(event(), 0..100),
        ) {
            let mut desk = Desk::new();
            let mut machines = [Machine::new(1), Machine::new(2)];
            if play(&mut machines, &mut desk, &before).is_none() {
                let rounds = (0..5).flat_map(|_| [0, 1]);
                let verdicts: Vec<_> =
                    rounds.map(|who| machines[who].talk(&mut desk)).collect();
                prop_assert!(
                    verdicts.iter().any(|verdict| matches!(verdict, Verdict::Wrong(_))),
                    "{:?}", verdicts
                );
            }
        }
    }
}
