//! Random histories of many sign-ups with few IDs and addresses, beside a model of what must be so.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

use rand::{Rng as _, SeedableRng as _, rngs::StdRng};
use serde_json::json;

use crate::{
    setting::{PASSWORD, Setting, signup},
    sign_ups::{DAY_S, confirm, key_files, records, sweep},
};

/// What the model knows of a sign-up.
#[derive(Debug, Clone)]
struct Known {
    login_id: String,
    email: String,
    at_s: i64,
    confirmed: bool,
}

#[tokio::test]
async fn ids_and_addresses_belong_to_whom_they_should_in_every_history() {
    for seed in 0..4 {
        History::new(seed).run().await;
    }
}

struct History {
    random: StdRng,
    setting: Setting,
    now_s: i64,
    known: BTreeMap<String, Known>,
    links: Vec<(String, String)>,
    source: usize,
    seed: u64,
}

impl History {
    fn new(seed: u64) -> Self {
        Self {
            random: StdRng::seed_from_u64(seed),
            setting: Setting::new(),
            now_s: 0,
            known: BTreeMap::new(),
            links: Vec::new(),
            source: 0,
            seed,
        }
    }

    async fn run(mut self) {
        for _ in 0..40 {
            match self.random.random_range(0..10) {
                0..=3 => self.sign_up().await,
                4..=5 => self.confirm().await,
                6 => sweep(&self.setting).await,
                7 => self.sweep_on_a_failing_disk().await,
                _ => {
                    let passed = self.random.random_range(60..DAY_S / 2);
                    self.setting.clock.advance_s(passed);
                    self.now_s += passed;
                }
            }
            self.check_addresses().await;
        }
        sweep(&self.setting).await;
        self.setting
            .nouns
            .accounts
            .finish_erasures()
            .await
            .expect("readable");
        let live: BTreeSet<String> = self.live().map(|(account, _)| account.clone()).collect();
        assert_eq!(key_files(&self.setting), live, "seed {}", self.seed);
        assert_eq!(records(&self.setting, &["acc/"]), live.len());
        assert_eq!(records(&self.setting, &["login/"]), live.len());
        assert_eq!(records(&self.setting, &["erasing/"]), 0);
    }

    fn live(&self) -> impl Iterator<Item = (&String, &Known)> {
        let (known, now_s) = (&self.known, self.now_s);
        known
            .iter()
            .filter(move |(_, known)| known.confirmed || now_s - known.at_s < DAY_S)
    }

    async fn sign_up(&mut self) {
        let login_id = format!("minji{}", self.random.random_range(0..6));
        let email = format!("m{}@example.com", self.random.random_range(0..3));
        self.source += 1;
        let held = self.live().any(|(_, known)| known.login_id == login_id);
        let mut body = signup(&login_id);
        body["email"] = json!(email);
        let address = format!("10.0.{}.1", self.source);
        let answer = self.setting.post_from(&address, "/signups", body).await;
        match answer.status.as_u16() {
            201 => {
                assert!(!held, "seed {}: {login_id} was taken", self.seed);
                let account = answer.body["account"].as_str().expect("an id").to_owned();
                let link = self.setting.mailed_token().await;
                self.links.push((account.clone(), link));
                let known = Known {
                    login_id,
                    email,
                    at_s: self.now_s,
                    confirmed: false,
                };
                self.known.insert(account, known);
            }
            422 => assert!(held, "seed {}: {login_id} was free", self.seed),
            other => assert_eq!(other, 429, "the mailbox has enough"),
        }
    }

    async fn confirm(&mut self) {
        if self.links.is_empty() {
            return;
        }
        let chosen = self.random.random_range(0..self.links.len());
        let (account, link) = self.links.swap_remove(chosen);
        let known = self.known.get_mut(&account).expect("it was noted");
        let waits = self.now_s - known.at_s < DAY_S;
        let answer = confirm(&self.setting, &link).await;
        assert_eq!(answer, if waits { 204 } else { 410 }, "seed {}", self.seed);
        known.confirmed = waits;
    }

    /// As a crash between the commit and the end of the key.
    async fn sweep_on_a_failing_disk(&mut self) {
        let accounts = self.setting.folder.join("keys/accounts");
        let aside = self.setting.folder.join("aside");
        fs::create_dir(&aside).expect("made");
        let dead: Vec<String> = key_files(&self.setting).into_iter().collect();
        for name in &dead {
            fs::rename(accounts.join(name), aside.join(name)).expect("moved");
            fs::create_dir(accounts.join(name)).expect("made");
        }
        sweep(&self.setting).await;
        for name in &dead {
            fs::remove_dir(accounts.join(name)).expect("removed");
            fs::rename(aside.join(name), accounts.join(name)).expect("moved back");
        }
        fs::remove_dir(&aside).expect("removed");
    }

    /// Whoever has the only confirmed account of an address signs in by it.
    async fn check_addresses(&mut self) {
        self.source += 1;
        for number in 0..3 {
            let email = format!("m{number}@example.com");
            let of = |confirmed: bool| {
                let its = self.live().filter(|(_, known)| known.email == email);
                its.filter(|(_, known)| known.confirmed == confirmed)
                    .count()
            };
            let expected = match (of(true), of(false)) {
                (1, _) => 201,
                (0, 1) => 403,
                _ => 401,
            };
            let from = format!("10.1.{}.1", self.source);
            let answer = self
                .setting
                .sign_in_from(&from, &email, PASSWORD, None)
                .await;
            // A right password that signs nobody in counts as a wrong one.
            if answer.status.as_u16() != 423 {
                assert_eq!(
                    answer.status.as_u16(),
                    expected,
                    "seed {} {email}",
                    self.seed
                );
            }
        }
    }
}
