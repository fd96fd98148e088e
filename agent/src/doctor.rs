//! Whether this machine can be a host with its configuration: one [`Check`] for each thing that guests need, with
//! what to do where something is wrong. `innkeeper-agent doctor` prints all of them; `join` asks before it spends
//! its token. Nothing is changed.
//!
//! [`probe`] looks, and the functions of [`judge`] decide what that means.

use std::{fmt, sync::Arc};

use innkeeper_wire::time::Clock;

use crate::{config::Config, resolvers};

pub mod judge;
pub mod probe;
pub mod proposal;

/// What came of a check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// As it should be: what was found.
    Good(String),
    /// Guests work all the same, but somebody should know.
    Odd(String),
    /// Guests would not work: what is wrong, and what to do.
    Bad(String),
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// Which, in one word.
    pub name: &'static str,
    /// What came of it.
    pub verdict: Verdict,
}

impl Check {
    /// A check of that name.
    #[must_use]
    pub fn new(name: &'static str, verdict: Verdict) -> Self {
        Self { name, verdict }
    }
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (sign, text) = match &self.verdict {
            Verdict::Good(text) => ("ok  ", text),
            Verdict::Odd(text) => ("WARN", text),
            Verdict::Bad(text) => ("FAIL", text),
        };
        write!(
            f,
            "{sign}  {:<15} {}",
            self.name,
            text.trim().replace('\n', "; ")
        )
    }
}

/// Whether nothing is wrong that guests need.
#[must_use]
pub fn is_fit(checks: &[Check]) -> bool {
    let is_bad = |check: &Check| matches!(check.verdict, Verdict::Bad(_));
    !checks.iter().any(is_bad)
}

/// Everything that can be checked before this machine has joined.
pub async fn machine(config: &Config) -> Vec<Check> {
    let own = resolvers::of_this_machine();
    let mut checks = vec![
        Check::new("user", judge::user(nix::unistd::geteuid())),
        Check::new("state folder", probe::state_folder(&config.agent_folder())),
        Check::new("disk", probe::disk(config)),
        Check::new("memory", probe::memory(config.memory_reserved_mib)),
        Check::new("qemu", probe::emulator(&config.emulator).await),
        Check::new("kvm", probe::kvm(config).await),
        Check::new("libvirt", probe::libvirt(&config.libvirt_uri).await),
        Check::new("libvirt-guests", probe::libvirt_guests().await),
        Check::new("nft", probe::nft(&config.bridge).await),
    ];
    checks.push(Check::new("uplink", probe::uplink(config).await));
    checks.push(Check::new("name servers", judge::nameservers(config, &own)));
    checks.push(Check::new(
        "metrics",
        probe::metrics_port(config.listen_metrics).await,
    ));
    checks
}

/// What can be checked only of a machine that has joined: who it is, and whether it and the control plane agree on
/// the time.
pub async fn membership(config: &Config, clock: Arc<dyn Clock>) -> Vec<Check> {
    probe::membership(config, clock).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_what_was_found_or_what_to_do() {
        let good = Check::new("kvm", Verdict::Good("works".to_owned()));
        assert_eq!(good.to_string(), "ok    kvm             works");
        let bad = Check::new("uplink", Verdict::Bad("one\ntwo\n".to_owned()));
        assert_eq!(bad.to_string(), "FAIL  uplink          one; two");
        let odd = Check::new("metrics", Verdict::Odd("taken".to_owned()));
        assert!(is_fit(&[good.clone(), odd]));
        assert!(!is_fit(&[good, bad]));
    }
}
