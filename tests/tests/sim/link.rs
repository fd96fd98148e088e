//! An agent's end of its link: which connection is open, what was proven over it, and what the control plane told
//! of its journal. What decides is the agent's own code (`reporting::Speaker`, `witness`), in the order in which
//! `link` and `reporting` run it.

use innkeeper_agent::{
    desired::Desired,
    reporting::Speaker,
    witness::{Standing, Witnesses},
};
use innkeeper_wire::{
    digest::Digest,
    host::{Life, Testimony, Witness},
    id::{ChallengeId, InstanceId},
    time::Timestamp,
};

/// Signs of life that are answered before anything else is said.
const PROOFS: u32 = 2;

pub(crate) struct Link {
    /// Number of the open connection.
    session: Option<u64>,
    proofs: u32,
    /// The newest call that was answered: calls follow each other, and older answers reach nobody.
    answered: u64,
    speaker: Speaker,
    witnesses: Witnesses,
    standing: Standing,
    is_behind: bool,
}

/// What is to be done for the desired state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Errand {
    Connect,
    Prove,
    Poll,
    /// Nothing, before the control plane has shown that it knows what it told.
    Wait,
}

impl Link {
    /// Of a process that has just started, with what lies on its disk.
    pub(crate) fn new(instance: InstanceId, kept: Testimony) -> Self {
        let witnesses = Witnesses::new(kept);
        Self {
            session: None,
            proofs: 0,
            answered: 0,
            speaker: Speaker::new(instance),
            standing: witnesses.at_first(),
            witnesses,
            is_behind: false,
        }
    }

    pub(crate) fn session(&self) -> Option<u64> {
        self.session
    }

    pub(crate) fn open(&mut self, session: u64) {
        self.session = Some(session);
        self.proofs = 0;
        self.standing = if self.is_behind {
            Standing::Behind
        } else {
            self.witnesses.at_first()
        };
    }

    pub(crate) fn close(&mut self) {
        self.session = None;
    }

    pub(crate) fn errand(&self) -> Errand {
        match self.session {
            None => Errand::Connect,
            Some(_) if self.proofs < PROOFS => Errand::Prove,
            Some(_) if self.takes_manifests() => Errand::Poll,
            Some(_) => Errand::Wait,
        }
    }

    pub(crate) fn is_proven(&self) -> bool {
        self.session.is_some() && self.proofs >= PROOFS
    }

    pub(crate) fn takes_manifests(&self) -> bool {
        self.standing == Standing::Current
    }

    pub(crate) fn life(&self, desired: &Desired) -> Life {
        self.speaker.life(desired, Digest::of(b"authorities"))
    }

    pub(crate) fn newest(&self) -> Option<Witness> {
        self.witnesses.newest()
    }

    /// Takes in an answer; what goes to disk then, if anything does.
    pub(crate) fn hear(
        &mut self,
        call: u64,
        challenge: ChallengeId,
        witness: Option<Witness>,
        now: Timestamp,
    ) -> Option<Testimony> {
        if call <= self.answered {
            return None;
        }
        self.answered = call;
        self.speaker.hear(challenge);
        let Some(shown) = witness else {
            self.proofs += 1;
            return None;
        };
        self.standing = self.witnesses.judge(&shown);
        self.is_behind = self.standing == Standing::Behind;
        let is_kept = !self.is_behind && self.witnesses.take(shown, now);
        is_kept.then(|| self.witnesses.testimony().clone())
    }
}
