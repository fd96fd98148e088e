//! Hosts as witnesses of the journal: what they were told of its head, and what it means when one of them knows
//! more than the journal holds. A head is told with a tag that only this installation can make, so a host can
//! testify to what it was told and invent nothing.
//!
//! Held in memory: every host brings its newest witness again with its next report.

use std::{
    collections::{HashMap, VecDeque},
    fmt,
    sync::{
        Mutex, RwLock,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use hmac::{Hmac, Mac as _};
use innkeeper_wire::{
    digest::Digest,
    host::{KeptWitness, Report, Testimony, Witness},
    id::HostId,
    time::Timestamp,
};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::store::{Head, Store};

/// Heads that are remembered as told. A host testifies to one within seconds; a thousand hosts are told about
/// two hundred a second.
const TOLD_MAX: usize = 10_000;
/// Witnesses that are remembered of one host ...
const KEPT_MAX: usize = 60;
/// ... and how far apart they came.
const KEPT_APART: Duration = Duration::from_secs(60);

/// The key that tags witnesses. It lies outside the journal: who can write only that can't make witnesses.
#[derive(Clone)]
pub struct WitnessKey(Zeroizing<[u8; 32]>);

impl WitnessKey {
    /// The key of these bytes.
    #[must_use]
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The key as its file holds it: 64 hex digits.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let digest: Digest = format!("sha256:{}", text.trim_end()).parse().ok()?;
        Some(Self::new(*digest.as_bytes()))
    }

    fn mac(&self, epoch: u64, sequence: u64, hash: &[u8; 32]) -> Hmac<Sha256> {
        let mut mac = Hmac::<Sha256>::new_from_slice(self.0.as_slice())
            .expect("HMAC takes keys of any length");
        mac.update(b"innkeeper witness 1");
        mac.update(&epoch.to_be_bytes());
        mac.update(&sequence.to_be_bytes());
        mac.update(hash);
        mac
    }

    /// The witness of `head`.
    #[must_use]
    pub fn sign(&self, head: &Head) -> Witness {
        let mac = self.mac(head.epoch, head.sequence, &head.hash);
        Witness {
            epoch: head.epoch,
            sequence: head.sequence,
            hash: Digest::from_bytes(head.hash),
            tag: Digest::from_bytes(mac.finalize().into_bytes().into()),
        }
    }

    /// The head that a witness testifies to; `None` when this installation never said so.
    #[must_use]
    pub fn verify(&self, witness: &Witness) -> Option<Head> {
        let mac = self.mac(witness.epoch, witness.sequence, witness.hash.as_bytes());
        mac.verify_slice(witness.tag.as_bytes()).ok()?;
        Some(Head {
            epoch: witness.epoch,
            sequence: witness.sequence,
            hash: *witness.hash.as_bytes(),
        })
    }
}

impl fmt::Debug for WitnessKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WitnessKey")
    }
}

/// What a host knows that the journal may not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Nothing.
    Agrees,
    /// It says that it has a later desired state than there is. Nothing proves it, so it concerns this host
    /// alone.
    Claims {
        /// Epoch of that state.
        epoch: u64,
        /// Its generation.
        generation: u64,
    },
    /// It was told of commits that the journal does not have: an old copy of the store was put back, or its end
    /// was cut off.
    Ahead {
        /// What it was told.
        told: Head,
    },
    /// It was told another hash of a commit that the journal has: the journal was changed, or an old copy was
    /// put back and went on.
    OtherHistory {
        /// What it was told.
        told: Head,
    },
}

impl Standing {
    /// Whether it proves that the journal is not what it was.
    #[must_use]
    pub fn is_proof(self) -> bool {
        match self {
            Self::Agrees | Self::Claims { .. } => false,
            Self::Ahead { .. } | Self::OtherHistory { .. } => true,
        }
    }
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Agrees => f.write_str("knows nothing that the journal does not hold"),
            Self::Claims { epoch, generation } => write!(
                f,
                "says that it has the desired state {epoch}.{generation}, which was not made here"
            ),
            Self::Ahead { told } => write!(
                f,
                "was told of commit {} of epoch {}, which the journal does not have",
                told.sequence, told.epoch
            ),
            Self::OtherHistory { told } => write!(
                f,
                "was told another hash of commit {} of epoch {} than the journal has",
                told.sequence, told.epoch
            ),
        }
    }
}

/// Holds what a host was told against the journal that stands at `ours`. `known` are the heads that this process
/// opened the journal at and told since, ascending; whatever lies behind the first of them and was told under
/// this epoch was told by this process.
fn judge(witness: Head, ours: Head, known: &VecDeque<Head>) -> Standing {
    let place = |head: &Head| (head.epoch, head.sequence);
    if place(&witness) > place(&ours) {
        return Standing::Ahead { told: witness };
    }
    // What was told before a restore is settled by the restore.
    let first = known.front().map_or(u64::MAX, |first| first.sequence);
    if witness.epoch < ours.epoch || witness.sequence < first {
        return Standing::Agrees;
    }
    let found = known.binary_search_by_key(&witness.sequence, |head| head.sequence);
    match found {
        Ok(position) if known[position].hash == witness.hash => Standing::Agrees,
        Ok(_) | Err(_) => Standing::OtherHistory { told: witness },
    }
}

/// What was told, and what each host knows.
pub(crate) struct Witnesses {
    key: WitnessKey,
    told: Mutex<VecDeque<Head>>,
    hosts: RwLock<HashMap<HostId, Known>>,
    /// Hosts whose standing is a proof; it stays one.
    accusers: AtomicUsize,
}

#[derive(Debug)]
struct Known {
    standing: Standing,
    testimony: Testimony,
    /// The newest that it was told before the present epoch.
    before: Option<Head>,
}

impl Witnesses {
    /// Begins with a journal that stands at `head`.
    pub(crate) fn new(key: WitnessKey, head: Head) -> Self {
        Self {
            key,
            told: Mutex::new(VecDeque::from([head])),
            hosts: RwLock::default(),
            accusers: AtomicUsize::new(0),
        }
    }

    /// Where the journal stands, to be told to a host.
    pub(crate) fn tell(&self, store: &Store) -> Witness {
        let mut told = self.told.lock().expect("no holder of this lock panics");
        let head = store.head();
        if told.back().is_none_or(|last| last.sequence < head.sequence) {
            if told.len() == TOLD_MAX {
                told.pop_front();
            }
            told.push_back(head);
        }
        self.key.sign(&head)
    }

    /// Takes in what a host's report says of the journal, whose desired state for this host has `generation`.
    /// Says it once when that is worse than before. What was proven stays: only another store, or a new epoch,
    /// ends it.
    pub(crate) fn note(
        &self,
        host: HostId,
        report: &Report,
        store: &Store,
        generation: u64,
        now: Timestamp,
    ) {
        let told = report
            .witness
            .as_ref()
            .and_then(|witness| self.key.verify(witness));
        let known = self.told.lock().expect("no holder of this lock panics");
        let standing = match told.map(|told| judge(told, store.head(), &known)) {
            Some(standing) if standing.is_proof() => standing,
            _ if (report.epoch, report.generation) > (store.epoch(), generation) => {
                Standing::Claims {
                    epoch: report.epoch,
                    generation: report.generation,
                }
            }
            _ => Standing::Agrees,
        };
        drop(known);
        let mut hosts = self.hosts.write().expect("no holder of this lock panics");
        let known = hosts.entry(host).or_insert_with(|| Known {
            standing: Standing::Agrees,
            testimony: Testimony::default(),
            before: None,
        });
        if known.stand(host, standing) {
            self.accusers.fetch_add(1, Ordering::SeqCst);
        }
        if let Some(told) = told.filter(|told| told.epoch < store.epoch()) {
            let newest = known
                .before
                .is_none_or(|known| (known.epoch, known.sequence) < (told.epoch, told.sequence));
            if newest {
                known.before = Some(told);
            }
        }
        if let Some(witness) = report.witness.filter(|_| told.is_some()) {
            known.keep(witness, now);
        }
    }

    /// The epoch that a host has heard of from us.
    pub(crate) fn heard_epoch(&self, report: &Report) -> Option<u64> {
        let head = self.key.verify(report.witness.as_ref()?)?;
        Some(head.epoch)
    }

    /// The newest that a host says it was told before the present epoch. It says nothing of what it was not told: one
    /// that was revoked was told nothing afterwards.
    pub(crate) fn told_before(&self, host: HostId) -> Option<Head> {
        let hosts = self.hosts.read().expect("no holder of this lock panics");
        hosts.get(&host)?.before
    }

    /// Takes in that a host asks with a later desired state than there is.
    pub(crate) fn note_claim(&self, host: HostId, epoch: u64, generation: u64) {
        let mut hosts = self.hosts.write().expect("no holder of this lock panics");
        if let Some(known) = hosts.get_mut(&host) {
            known.stand(host, Standing::Claims { epoch, generation });
        }
    }

    /// What is to be thought of a host.
    pub(crate) fn standing(&self, host: HostId) -> Standing {
        let hosts = self.hosts.read().expect("no holder of this lock panics");
        hosts
            .get(&host)
            .map_or(Standing::Agrees, |known| known.standing)
    }

    /// What the hosts have testified to since the start.
    pub(crate) fn testimonies(&self) -> Vec<(HostId, Testimony)> {
        let hosts = self.hosts.read().expect("no holder of this lock panics");
        hosts
            .iter()
            .map(|(host, known)| (*host, known.testimony.clone()))
            .collect()
    }

    /// Hosts that prove that the journal is not what it was.
    pub(crate) fn accusers(&self) -> usize {
        self.accusers.load(Ordering::SeqCst)
    }
}

impl Known {
    /// Whether this is a proof that was not there before.
    fn stand(&mut self, host: HostId, standing: Standing) -> bool {
        let same_kind = std::mem::discriminant(&self.standing) == std::mem::discriminant(&standing);
        if self.standing.is_proof() || same_kind {
            return false;
        }
        self.standing = standing;
        if standing == Standing::Agrees {
            tracing::info!(host.id = %host, "a host agrees with the journal again");
        } else {
            tracing::error!(
                host.id = %host, %standing,
                "a host knows more than this store: was an old copy put back? See `audit verify` and `restore`"
            );
        }
        standing.is_proof()
    }

    fn keep(&mut self, witness: Witness, now: Timestamp) {
        let kept = &mut self.testimony.kept;
        let is_due = kept.last().is_none_or(|last| {
            last.witness != witness && (now < last.at || now.since(last.at) >= KEPT_APART)
        });
        if is_due {
            if kept.len() == KEPT_MAX {
                kept.remove(0);
            }
            kept.push(KeptWitness { at: now, witness });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(epoch: u64, sequence: u64, history: &str) -> Head {
        let text = format!("{history} {sequence}");
        Head {
            epoch,
            sequence,
            hash: *Digest::of(text.as_bytes()).as_bytes(),
        }
    }

    #[test]
    fn only_what_this_installation_said_is_a_witness() {
        let key = WitnessKey::new([7; 32]);
        let told = head(3, 40, "a");
        let witness = key.sign(&told);
        assert_eq!(key.verify(&witness), Some(told));
        assert_eq!(WitnessKey::new([8; 32]).verify(&witness), None);
        for forged in [
            Witness {
                sequence: 41,
                ..witness
            },
            Witness {
                epoch: 4,
                ..witness
            },
            Witness {
                hash: Digest::of(b"another"),
                ..witness
            },
            Witness {
                tag: witness.hash,
                ..witness
            },
        ] {
            assert_eq!(key.verify(&forged), None, "{forged:?}");
        }
        let text = format!("{}\n", Digest::from_bytes([7; 32]).hex());
        let read = WitnessKey::parse(&text).expect("64 digits");
        assert_eq!(read.verify(&witness), Some(told));
        assert!(WitnessKey::parse("07").is_none());
        assert_eq!(format!("{key:?}"), "WitnessKey", "keys are never shown");
    }

    /// Hosts have kept tags of years ago: another way to make them would make liars of all hosts.
    #[test]
    fn tags_are_made_as_ever() {
        let witness = WitnessKey::new([7; 32]).sign(&head(3, 40, "a"));
        // HMAC-SHA-256 by another program, of the name, both numbers and the hash.
        let tag = "sha256:89ea4ec39bdf7e374f782af5b831ce8aae49bc88191c28b17dd84737ceb5f8b0";
        assert_eq!(witness.tag.to_string(), tag);
    }

    #[test]
    fn what_was_told_is_held_against_the_journal() {
        // Opened at 100 in epoch 2; 103 and 110 were told since; the journal stands at 110.
        let known = VecDeque::from([head(2, 100, "a"), head(2, 103, "a"), head(2, 110, "a")]);
        let ours = head(2, 110, "a");
        let (agrees, ahead, other) = ("agrees", "ahead", "other history");
        let table = [
            (head(2, 110, "a"), agrees),
            (head(2, 103, "a"), agrees),
            (head(2, 100, "a"), agrees),
            // Before this process: the walk of `audit verify` knows.
            (head(2, 99, "b"), agrees),
            // Before the restore.
            (head(1, 5_000, "b"), agrees),
            (head(2, 111, "a"), ahead),
            (head(3, 5, "a"), ahead),
            (head(2, 110, "b"), other),
            (head(2, 103, "b"), other),
            (head(2, 100, "b"), other),
            // Never told by this process, so by another one that got further than this one's beginning.
            (head(2, 105, "a"), other),
        ];
        for (told, expected) in table {
            let expected = match expected {
                "ahead" => Standing::Ahead { told },
                "other history" => Standing::OtherHistory { told },
                _ => Standing::Agrees,
            };
            assert_eq!(judge(told, ours, &known), expected, "{told}");
        }
    }
}
