//! Password hashing: Argon2id, off the runtime's threads, a few at a time, so that a burst of sign-ins takes neither
//! all memory nor all processors. Who waits for his turn waits shortly: the queue has a place for few, one source has
//! a share of it, and strangers leave some to those who come with a known device. Others are refused at once.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicU64, Ordering},
    },
};

use argon2::{
    Algorithm, Argon2, Params, PasswordHash, PasswordHasher as _, PasswordVerifier as _, Version,
    password_hash::SaltString,
};
use rand::{TryRngCore as _, rngs::OsRng};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::{
    credentials::rules::{
        lockout::{client, network},
        password::normal,
    },
    kernel::Error,
};

/// Hashes at a time.
const AT_ONCE: usize = 2;
/// Most who wait for a hash or have one made: 12 turns of 15 ms for the last.
const QUEUE_MAX: usize = 24;
/// The part of them that may be strangers.
const STRANGERS_MAX: usize = 16;
/// The part that may come from one IPv4 address, IPv6 /64 or account.
const ONE_CLIENT_MAX: usize = 4;
/// The part that may come from one IPv4 /24 or IPv6 /48.
const NETWORK_MAX: usize = 6;
/// When to come again, for those who found no place.
const RETRY_AFTER_S: u64 = 2;
/// OWASP's second choice for Argon2id: 19 MiB, two passes, one lane; 15 ms on the build machine.
const MEMORY_KIB: u32 = 19 * 1_024;
const PASSES: u32 = 2;
/// Verified against when there is no account, so that both cases take the same time (R2). Nobody knows a password for
/// it: salt and hash are zeros.
const DECOY: &str = "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// The hasher.
pub(crate) struct Passwords {
    turns: Arc<Semaphore>,
    queue: Arc<Mutex<Queue>>,
    hashes: Arc<AtomicU64>,
}

/// Who has a place in the queue.
#[derive(Debug, Default)]
struct Queue {
    all: usize,
    /// By source.
    shares: HashMap<String, usize>,
}

/// Who wants a password hashed.
#[derive(Debug, Clone)]
pub(crate) struct Asker {
    /// What he shares places with others by, and how many they may have.
    sources: Vec<(String, usize)>,
    /// How many may be in the queue for him to come in.
    queue_max: usize,
}

impl Asker {
    /// Somebody of whom nothing is known but where he comes from.
    pub(crate) fn stranger(address: IpAddr) -> Self {
        Self {
            sources: vec![
                (client(address), ONE_CLIENT_MAX),
                (network(address), NETWORK_MAX),
            ],
            queue_max: STRANGERS_MAX,
        }
    }

    /// Somebody with a device from which `name` has signed in before.
    pub(crate) fn known(name: &str) -> Self {
        Self {
            sources: vec![(name.to_owned(), ONE_CLIENT_MAX)],
            queue_max: QUEUE_MAX,
        }
    }
}

/// A place in the queue; given up when dropped.
struct Place {
    queue: Arc<Mutex<Queue>>,
    asker: Asker,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut queue = lock(&self.queue);
        queue.all -= 1;
        for (source, _) in &self.asker.sources {
            if let Some(share) = queue.shares.get_mut(source) {
                *share -= 1;
                if *share == 0 {
                    queue.shares.remove(source);
                }
            }
        }
    }
}

/// The right to have one password hashed now.
pub(crate) struct Turn {
    hashes: Arc<AtomicU64>,
    /// Both are kept until the hash is made, even when nobody waits for it any more.
    held: (OwnedSemaphorePermit, Place),
}

impl Passwords {
    pub(crate) fn new() -> Self {
        Self {
            turns: Arc::new(Semaphore::new(AT_ONCE)),
            queue: Arc::default(),
            hashes: Arc::default(),
        }
    }

    /// Waits for a turn, or hears at once that there are too many before him.
    pub(crate) async fn turn(&self, asker: Asker) -> Result<Turn, Error> {
        let place = self.place(asker)?;
        let permit = Arc::clone(&self.turns).acquire_owned().await;
        let permit = permit.expect("the semaphore is never closed");
        Ok(Turn {
            hashes: Arc::clone(&self.hashes),
            held: (permit, place),
        })
    }

    /// Hashes that were made since the start.
    pub(crate) fn hashes(&self) -> u64 {
        self.hashes.load(Ordering::Relaxed)
    }

    fn place(&self, asker: Asker) -> Result<Place, Error> {
        let mut queue = lock(&self.queue);
        let share = |source| queue.shares.get(source).copied().unwrap_or_default();
        let has_room = queue.all < asker.queue_max
            && asker
                .sources
                .iter()
                .all(|(source, most)| share(source) < *most);
        if !has_room {
            return Err(Error::Crowded {
                retry_after_s: RETRY_AFTER_S,
            });
        }
        queue.all += 1;
        for (source, _) in &asker.sources {
            *queue.shares.entry(source.clone()).or_default() += 1;
        }
        drop(queue);
        Ok(Place {
            queue: Arc::clone(&self.queue),
            asker,
        })
    }
}

/// What a password is to an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Another's, or nobody's.
    Wrong,
    /// Its own.
    Right,
    /// Its own as it was typed when passwords were hashed like that. Of its normal form this is the hash.
    RightAsTyped { anew: String },
}

impl Turn {
    /// Hashes a new password into PHC string form.
    pub(crate) async fn hash(self, password: &str) -> Result<String, Error> {
        let password = normal(password).into_owned();
        self.off_runtime(move |hashes| hash(&password, hashes))
            .await?
    }

    /// As versions before did it.
    #[cfg(test)]
    pub(crate) async fn hash_as_typed(self, password: &str) -> Result<String, Error> {
        let password = password.to_owned();
        self.off_runtime(move |hashes| hash(&password, hashes))
            .await?
    }

    /// Whether `password` is the one behind `stored`. Without an account the answer is no, just as late: what a wrong
    /// password costs depends on how it was typed, and on nothing that we know.
    pub(crate) async fn verify(
        self,
        password: &str,
        stored: Option<String>,
    ) -> Result<Verdict, Error> {
        let typed = password.to_owned();
        self.off_runtime(move |hashes| judge(&typed, stored, hashes))
            .await?
    }

    async fn off_runtime<T: Send + 'static>(
        self,
        work: impl FnOnce(&AtomicU64) -> T + Send + 'static,
    ) -> Result<T, Error> {
        let Self { hashes, held } = self;
        let done = tokio::task::spawn_blocking(move || {
            let result = work(&hashes);
            drop(held);
            result
        });
        done.await
            .map_err(|error| Error::Storage(format!("password hashing ended: {error}")))
    }
}

fn lock(queue: &Mutex<Queue>) -> MutexGuard<'_, Queue> {
    queue.lock().expect("no holder of this lock panics")
}

fn argon2() -> Argon2<'static> {
    let params =
        Params::new(MEMORY_KIB, PASSES, 1, None).expect("constants within Argon2's limits");
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

/// The normal form first; then, if that is another one, the password as it was typed, for records from before.
fn judge(typed: &str, stored: Option<String>, hashes: &AtomicU64) -> Result<Verdict, Error> {
    let exists = stored.is_some();
    let stored = stored.unwrap_or_else(|| DECOY.to_owned());
    let normal = normal(typed);
    if verify(&normal, &stored, hashes)? && exists {
        return Ok(Verdict::Right);
    }
    if normal != typed && verify(typed, &stored, hashes)? && exists {
        let anew = hash(&normal, hashes)?;
        return Ok(Verdict::RightAsTyped { anew });
    }
    Ok(Verdict::Wrong)
}

fn hash(password: &str, hashes: &AtomicU64) -> Result<String, Error> {
    hashes.fetch_add(1, Ordering::Relaxed);
    let failed =
        |error: &dyn std::fmt::Display| Error::Storage(format!("password hashing: {error}"));
    let mut salt = [0u8; 16];
    OsRng
        .try_fill_bytes(&mut salt)
        .map_err(|error| failed(&error))?;
    let salt = SaltString::encode_b64(&salt).map_err(|error| failed(&error))?;
    let hash = argon2()
        .hash_password(password.as_bytes(), &salt)
        .map_err(|error| failed(&error))?;
    Ok(hash.to_string())
}

fn verify(password: &str, stored: &str, hashes: &AtomicU64) -> Result<bool, Error> {
    hashes.fetch_add(1, Ordering::Relaxed);
    let parsed = PasswordHash::new(stored)
        .map_err(|error| Error::Storage(format!("password hash: {error}")))?;
    Ok(argon2()
        .verify_password(password.as_bytes(), &parsed)
        .is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stranger(address: &str) -> Asker {
        Asker::stranger(address.parse().expect("an address"))
    }

    #[tokio::test]
    async fn only_the_right_password_fits_and_nobody_has_none() {
        let passwords = Passwords::new();
        let turn = async || passwords.turn(stranger("192.0.2.1")).await.expect("a turn");
        let stored = turn().await.hash("보라색 닻").await.expect("hashed");
        let fits = async |password: &str, stored: Option<&String>| {
            let verified = turn().await.verify(password, stored.cloned()).await;
            verified.expect("verified") == Verdict::Right
        };
        assert!(fits("보라색 닻", Some(&stored)).await);
        assert!(!fits("보라색 닻 ", Some(&stored)).await);
        assert!(!fits("", None).await);
        assert!(!fits(&"x".repeat(60_000), None).await);
        assert_eq!(passwords.hashes(), 5, "each costs one");
    }

    /// Row B19: whoever typed the other form of a password was refused, and locked out by five.
    #[tokio::test]
    async fn a_password_fits_in_each_of_its_forms_and_one_of_before_as_it_was_typed() {
        let passwords = Passwords::new();
        let turn = async || passwords.turn(stranger("192.0.2.1")).await.expect("a turn");
        let verify = async |password: &str, stored: Option<&String>| {
            let before = passwords.hashes();
            let verified = turn().await.verify(password, stored.cloned()).await;
            (verified.expect("verified"), passwords.hashes() - before)
        };
        let (composed, decomposed) = (
            "café １２３ 닻",
            "cafe\u{301} １２３ \u{1103}\u{1161}\u{11be}",
        );
        let stored = turn().await.hash(decomposed).await.expect("hashed");
        for typed in [composed, decomposed, "café\u{a0}123 닻"] {
            assert_eq!(verify(typed, Some(&stored)).await.0, Verdict::Right);
        }
        // From before: of what was typed.
        let old = hash(decomposed, &AtomicU64::default()).expect("hashed");
        let (verdict, _) = verify(decomposed, Some(&old)).await;
        let Verdict::RightAsTyped { anew } = verdict else {
            panic!("{verdict:?}");
        };
        assert_eq!(verify(composed, Some(&anew)).await.0, Verdict::Right);
        assert_eq!(verify("café 123 닻", Some(&old)).await, (Verdict::Wrong, 1));
        // A wrong one costs the same whoever it is tried at.
        for stored in [Some(&stored), Some(&old), None] {
            assert_eq!(verify("wrong １", stored).await, (Verdict::Wrong, 2));
            assert_eq!(verify("wrong 1", stored).await, (Verdict::Wrong, 1));
        }
    }

    #[test]
    fn the_decoy_costs_what_a_hash_costs() {
        let decoy = PasswordHash::new(DECOY).expect("well-formed");
        let stored = hash("anything", &AtomicU64::default()).expect("hashed");
        let stored = PasswordHash::new(&stored).expect("well-formed");
        assert_eq!(decoy.params, stored.params);
        assert_eq!(
            (decoy.algorithm, decoy.version),
            (stored.algorithm, stored.version)
        );
        let bytes = |hash: &PasswordHash<'_>| hash.hash.map(|output| output.len());
        assert_eq!(bytes(&decoy), bytes(&stored));
    }

    /// Who gets a place of all these at once, and keeps it.
    fn admitted(passwords: &Passwords, askers: impl Iterator<Item = Asker>) -> Vec<Place> {
        askers
            .filter_map(|asker| passwords.place(asker).ok())
            .collect()
    }

    #[test]
    fn a_flood_from_one_network_leaves_places_to_others() {
        let passwords = Passwords::new();
        let flood = (0..1_500).map(|number| stranger(&format!("2001:db8:bad:{number:x}::1")));
        let flood = admitted(&passwords, flood);
        assert_eq!(flood.len(), NETWORK_MAX);
        let one = admitted(&passwords, (0..200).map(|_| stranger("192.0.2.1")));
        assert_eq!(one.len(), ONE_CLIENT_MAX);
        let neighbours = (0..200).map(|number| stranger(&format!("192.0.2.{number}")));
        let neighbours = admitted(&passwords, neighbours);
        assert_eq!(neighbours.len(), NETWORK_MAX - ONE_CLIENT_MAX);
        let honest = passwords.place(stranger("198.51.100.7"));
        assert!(honest.is_ok(), "and before him are few: {}", flood.len());
    }

    #[test]
    fn a_flood_from_everywhere_leaves_places_to_known_devices() {
        let passwords = Passwords::new();
        let flood = (0..1_500u32).map(|number| Asker::stranger(IpAddr::V4((number << 8).into())));
        let flood = admitted(&passwords, flood);
        assert_eq!(flood.len(), STRANGERS_MAX);
        let refused = passwords.place(stranger("198.51.100.7"));
        assert!(matches!(refused, Err(Error::Crowded { .. })), "early");
        let owner = passwords.place(Asker::known("acc_1"));
        assert!(owner.is_ok());
        drop(flood);
        assert!(passwords.place(stranger("198.51.100.7")).is_ok());
        drop(owner);
        assert_eq!(lock(&passwords.queue).all, 0);
        assert!(
            lock(&passwords.queue).shares.is_empty(),
            "nothing stays behind"
        );
    }
}
