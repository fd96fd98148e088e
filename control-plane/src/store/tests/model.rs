//! The store against a model of a few lines, over both engines: whatever is asked, in whatever order,
//! with restarts in between, the answers are those of an ordered map.

use std::{collections::BTreeMap, path::PathBuf};

use proptest::prelude::*;

use super::{super::engine::sled::SledEngine, *};

#[derive(Debug, Clone)]
enum Step {
    Commit(Vec<Wish>, Vec<(u8, Option<u8>)>),
    Range(Option<u8>, usize),
    RangeReverse(Option<u8>, usize),
    KeepUntil(u8, u8),
    Forget(u8),
    Swap(u8, SwapWish),
    Sweep(u8),
    Restart,
}

/// A guard, to be made right or wrong when its turn comes.
#[derive(Debug, Clone)]
enum Wish {
    Unchanged(u8),
    Absent(u8),
    Version(u8, u64),
}

#[derive(Debug, Clone, Copy)]
enum SwapWish {
    Right,
    Wrong,
    Remove,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let name = 0..8_u8;
    let wish = prop_oneof![
        4 => name.clone().prop_map(Wish::Unchanged),
        1 => name.clone().prop_map(Wish::Absent),
        1 => (name.clone(), 0..20_u64).prop_map(|(name, version)| Wish::Version(name, version)),
    ];
    let writes = prop::collection::btree_map(name.clone(), prop::option::of(any::<u8>()), 0..4);
    let after = prop::option::of(name.clone());
    let swap = prop_oneof![
        Just(SwapWish::Right),
        Just(SwapWish::Wrong),
        Just(SwapWish::Remove)
    ];
    let step = prop_oneof![
        8 => (prop::collection::vec(wish, 0..3), writes)
            .prop_map(|(wishes, writes)| Step::Commit(wishes, writes.into_iter().collect())),
        2 => (after.clone(), 0..6_usize).prop_map(|(after, limit)| Step::Range(after, limit)),
        2 => (after, 0..6_usize).prop_map(|(before, limit)| Step::RangeReverse(before, limit)),
        3 => (name.clone(), any::<u8>()).prop_map(|(name, until)| Step::KeepUntil(name, until)),
        1 => name.clone().prop_map(Step::Forget),
        2 => (name, swap).prop_map(|(name, wish)| Step::Swap(name, wish)),
        1 => any::<u8>().prop_map(Step::Sweep),
        1 => Just(Step::Restart),
    ];
    prop::collection::vec(step, 1..40)
}

/// Two prefixes, so that a range has something to leave out on both sides.
fn name(number: u8) -> Key {
    key(&format!(
        "{}/{number}",
        ["a", "b", "c"][usize::from(number % 3)]
    ))
}

#[derive(Default)]
struct Model {
    sequence: u64,
    records: BTreeMap<Key, Record>,
    kept: BTreeMap<Key, EphemeralEntry>,
}

impl Model {
    fn guard(&self, wish: &Wish) -> Guard {
        match wish {
            Wish::Unchanged(number) => {
                Guard::unchanged(name(*number), self.records.get(&name(*number)))
            }
            Wish::Absent(number) => Guard::Absent(name(*number)),
            Wish::Version(number, version) => Guard::Version(name(*number), *version),
        }
    }

    fn commit(&mut self, commit: &Commit) -> Result<Committed, CommitError> {
        for guard in &commit.guards {
            let version = self.records.get(guard.key()).map(|record| record.version);
            if !guard.holds(version) {
                let key = guard.key().clone();
                return Err(CommitError::Conflict { key });
            }
        }
        self.sequence += 1;
        let version = self.sequence;
        for write in commit.writes.clone() {
            match write {
                Write::Put(key, value) => self.records.insert(key, Record { version, value }),
                Write::Delete(key) => self.records.remove(&key),
            };
        }
        Ok(Committed { sequence: version })
    }
}

struct Subject {
    store: Store,
    disk: SimulatedDisk,
    home: Box<dyn IndexHome>,
    model: Model,
}

impl Subject {
    fn new(home: Box<dyn IndexHome>) -> Self {
        let disk = SimulatedDisk::default();
        let (store, _) = open_simulated(&disk, &*home).expect("opens");
        let model = Model::default();
        Self {
            store,
            disk,
            home,
            model,
        }
    }

    async fn step(self, step: Step) -> Self {
        match step {
            Step::Restart => return self.restart().await,
            Step::Commit(wishes, writes) => return self.commit(wishes, writes).await,
            Step::Range(after, limit) => {
                let after = after.map(name);
                let matching = self.model.records.iter().filter(|(key, _)| {
                    key.as_str().starts_with("b/")
                        && after.as_ref().is_none_or(|after| *key > after)
                });
                let expected: Vec<_> = matching
                    .take(limit)
                    .map(|(k, r)| (k.clone(), r.clone()))
                    .collect();
                let found = self
                    .store
                    .range("b/", after.as_ref(), limit)
                    .expect("readable");
                assert_eq!(found, expected);
            }
            Step::RangeReverse(before, limit) => {
                let before = before.map(name);
                let matching = self.model.records.iter().rev().filter(|(key, _)| {
                    key.as_str().starts_with("b/")
                        && before.as_ref().is_none_or(|before| *key < before)
                });
                let expected: Vec<_> = matching
                    .take(limit)
                    .map(|(k, r)| (k.clone(), r.clone()))
                    .collect();
                let found = self.store.range_reverse("b/", before.as_ref(), limit);
                assert_eq!(found.expect("readable"), expected);
            }
            Step::KeepUntil(..) | Step::Forget(_) | Step::Swap(..) | Step::Sweep(_) => {
                return self.ephemeral(step).await;
            }
        }
        self
    }

    async fn restart(self) -> Self {
        let Self {
            store,
            disk,
            home,
            model,
        } = self;
        store.close().await;
        let (store, report) = open_simulated(&disk, &*home).expect("opens again");
        assert_eq!(report.records, model.records.len());
        let records: Vec<_> = model.records.clone().into_iter().collect();
        assert_eq!(
            store.range("", None, usize::MAX).expect("readable"),
            records
        );
        Self {
            store,
            disk,
            home,
            model,
        }
    }

    async fn commit(mut self, wishes: Vec<Wish>, writes: Vec<(u8, Option<u8>)>) -> Self {
        let guards = wishes.iter().map(|wish| self.model.guard(wish)).collect();
        let writes = writes.into_iter().map(|(number, value)| match value {
            Some(value) => Write::Put(name(number), vec![value; usize::from(value)]),
            None => Write::Delete(name(number)),
        });
        let commit = commit(guards, writes.collect());
        let expected = self.model.commit(&commit);
        assert_eq!(self.store.commit(commit).await, expected);
        for number in 0..8 {
            let found = self.store.get(&name(number)).expect("readable");
            assert_eq!(found.as_ref(), self.model.records.get(&name(number)));
        }
        self
    }

    /// What is not journalled; the time is always 100.
    async fn ephemeral(mut self, step: Step) -> Self {
        let now = Timestamp::from_millis(100);
        let ephemeral = self.store.ephemeral().clone();
        let kept = &mut self.model.kept;
        let entry = |until: u8| EphemeralEntry {
            value: vec![until; 3],
            expires_at: Timestamp::from_millis(i64::from(until)),
        };
        match step {
            Step::KeepUntil(number, until) => {
                ephemeral
                    .put(name(number), entry(until))
                    .await
                    .expect("written");
                kept.insert(name(number), entry(until));
            }
            Step::Forget(number) => {
                ephemeral.delete(name(number)).await.expect("removed");
                kept.remove(&name(number));
            }
            Step::Swap(number, wish) => {
                let live = kept
                    .get(&name(number))
                    .filter(|entry| entry.expires_at > now)
                    .cloned();
                let (expected, new) = match wish {
                    SwapWish::Right => (live, Some(entry(200))),
                    SwapWish::Wrong => (Some(entry(0)), Some(entry(201))),
                    SwapWish::Remove => (live, None),
                };
                let swapped = ephemeral.compare_and_swap(name(number), expected, new.clone(), now);
                let swapped = swapped.await.expect("works");
                assert_eq!(swapped, !matches!(wish, SwapWish::Wrong));
                match (swapped, new) {
                    (true, Some(new)) => drop(kept.insert(name(number), new)),
                    (true, None) => drop(kept.remove(&name(number))),
                    (false, _) => {}
                }
            }
            Step::Sweep(until) => {
                let now = Timestamp::from_millis(i64::from(until));
                let before = kept.len();
                kept.retain(|_, entry| entry.expires_at > now);
                let swept = ephemeral.sweep(None, 100, now).await.expect("swept");
                assert_eq!(
                    swept,
                    Swept {
                        removed: before - kept.len(),
                        next: None
                    }
                );
            }
            Step::Commit(..) | Step::Range(..) | Step::RangeReverse(..) | Step::Restart => {}
        }
        let live = kept
            .clone()
            .into_iter()
            .filter(|(_, entry)| entry.expires_at > now);
        let found = ephemeral.range("", None, 100, now).expect("readable");
        assert_eq!(found, live.collect::<Vec<_>>());
        self
    }
}

struct SledFolder(PathBuf);

impl IndexHome for SledFolder {
    fn open(&self) -> Result<Arc<dyn Engine>, EngineError> {
        Ok(Arc::new(SledEngine::open(&self.0)?))
    }

    fn move_aside(&self) -> Result<(), OpenError> {
        panic!("an index that nobody damaged was not trusted");
    }
}

fn check(home: Box<dyn IndexHome>, steps: Vec<Step>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let mut subject = Subject::new(home);
        for step in steps {
            subject = subject.step(step).await;
        }
        subject.store.close().await;
    });
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_memory_engine_is_an_ordered_map(steps in steps()) {
        check(Box::new(MemoryHome::default()), steps);
    }

    #[test]
    fn sled_is_an_ordered_map(steps in steps()) {
        let dir = tempfile::tempdir().expect("a folder");
        check(Box::new(SledFolder(dir.path().join("index"))), steps);
    }
}
