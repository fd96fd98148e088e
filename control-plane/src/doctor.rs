//! `doctor`: looks at everything that the service needs, one line each, and says what to do. For before the first
//! start, after each change of the configuration, and when something is wrong. Changes nothing.
//!
//! A *problem* keeps the service from starting. A *warning* does not, but somebody will miss something: the mail
//! server does not answer, a name leads nowhere, a value of the example was left.

use std::{fmt::Write as _, path::Path};

use innkeeper_wire::{
    error::chain,
    time::{Clock, Timestamp},
};
use serde::Serialize;
use tokio::net::UnixStream;

use crate::config::Config;

mod files;
mod network;
mod records;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// As it should be.
    Ok,
    /// The service starts, and something is missing.
    Warning,
    /// The service does not start.
    Problem,
}

/// What one check found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What was looked at.
    pub check: &'static str,
    /// How bad it is.
    pub level: Level,
    /// What there is; if it is bad, what to do.
    pub text: String,
}

impl Finding {
    fn ok(check: &'static str, text: impl Into<String>) -> Self {
        Self::new(check, Level::Ok, text)
    }

    fn warning(check: &'static str, text: impl Into<String>) -> Self {
        Self::new(check, Level::Warning, text)
    }

    fn problem(check: &'static str, text: impl Into<String>) -> Self {
        Self::new(check, Level::Problem, text)
    }

    fn new(check: &'static str, level: Level, text: impl Into<String>) -> Self {
        let text = text.into();
        Self { check, level, text }
    }
}

/// Whether the service is running now, on the configuration that is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Service {
    Running,
    Stopped,
}

/// Text of the shipped example that nobody but its authors can use.
const PLACEHOLDERS: [(&str, &str); 4] = [
    (
        "cloud.example",
        "a domain that does not exist: put your own names there",
    ),
    (
        "203.0.113.",
        "addresses for documentation (RFC 5737): nobody reaches a server that has one",
    ),
    (
        "2001:db8:",
        "addresses for documentation (RFC 3849): nobody reaches a server that has one",
    ),
    ("Example Cloud", "the example's name: customers see it"),
];

/// Checks everything.
pub async fn examine(file: &Path, clock: &dyn Clock) -> Vec<Finding> {
    let config = match Config::load(file) {
        Ok(config) => config,
        Err(error) => return vec![Finding::problem("configuration", chain(&error))],
    };
    let mut found = vec![Finding::ok(
        "configuration",
        format!("{} can be read", file.display()),
    )];
    let text = std::fs::read_to_string(file).unwrap_or_default();
    found.extend(placeholders(&text));
    found.extend(files::check(&config));
    let service = match UnixStream::connect(&config.admin_socket).await {
        Ok(_) => Service::Running,
        Err(_) => Service::Stopped,
    };
    found.extend(network::check(&config, service).await);
    let now = clock.now();
    let (records, last_commit) = records::check(&config, service).await;
    found.extend(records);
    found.push(check_clock(now, last_commit));
    found.extend(synchronised().await);
    found
}

/// Whether nothing keeps the service from starting.
#[must_use]
pub fn may_start(findings: &[Finding]) -> bool {
    findings
        .iter()
        .all(|finding| finding.level != Level::Problem)
}

/// For people: a line each, and the sum.
#[must_use]
pub fn as_text(findings: &[Finding]) -> String {
    let mut text = String::new();
    let mut counts = [0; 3];
    for Finding {
        check,
        level,
        text: said,
    } in findings
    {
        let (word, count) = match level {
            Level::Ok => ("ok", 0),
            Level::Warning => ("warning", 1),
            Level::Problem => ("PROBLEM", 2),
        };
        counts[count] += 1;
        let said = said.trim_end().replace('\n', "\n         ");
        writeln!(text, "{word:<8} {check}: {said}").expect("text takes anything");
    }
    let [_, warnings, problems] = counts;
    let sum = match problems {
        0 => "the service may start",
        _ => "the service does not start before the problems are mended",
    };
    writeln!(text, "{problems} problems, {warnings} warnings: {sum}").expect("text takes anything");
    text
}

/// For programs.
///
/// # Errors
/// Never, as far as anybody knows.
pub fn as_json(findings: &[Finding]) -> Result<String, serde_json::Error> {
    Ok(serde_json::to_string_pretty(findings)? + "\n")
}

/// What was left of the example, as far as it is in use.
fn placeholders(text: &str) -> Vec<Finding> {
    let used: Vec<_> = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.starts_with('#'))
        .collect();
    let mut found = Vec::new();
    for (placeholder, why) in PLACEHOLDERS {
        let keys: Vec<_> = used
            .iter()
            .filter(|line| line.contains(placeholder))
            .filter_map(|line| Some(line.split_once('=')?.0.trim()))
            .collect();
        if !keys.is_empty() {
            let keys = keys.join(", ");
            let text = format!("`{placeholder}` is left in {keys}: {why}");
            found.push(Finding::warning("example", text));
        }
    }
    found
}

/// Before this, no program of ours was made.
const MADE_AFTER: &str = "2026-11-01T00:00:00Z";

fn check_clock(now: Timestamp, last_commit: Option<Timestamp>) -> Finding {
    let made_after = MADE_AFTER.parse().unwrap_or(now);
    match last_commit {
        _ if now < made_after => Finding::problem(
            "clock",
            format!("it is {now} here, before this program was made: set the clock"),
        ),
        Some(last) if now < last => Finding::warning(
            "clock",
            format!(
                "it is {now} here, and the store's last commit is of {last}: was the clock set back?"
            ),
        ),
        _ => Finding::ok("clock", format!("it is {now} here")),
    }
}

/// Whether somebody keeps the clock right, where systemd can tell.
async fn synchronised() -> Option<Finding> {
    let asked = tokio::process::Command::new("timedatectl")
        .args(["show", "--property=NTPSynchronized", "--value"])
        .kill_on_drop(true)
        .output();
    let answer = tokio::time::timeout(network::LIMIT, asked)
        .await
        .ok()?
        .ok()?;
    match String::from_utf8_lossy(&answer.stdout).trim() {
        "no" => Some(Finding::warning(
            "clock",
            "nobody keeps it right: install chrony or enable systemd-timesyncd. Certificates and charges depend on it",
        )),
        "yes" => Some(Finding::ok("clock", "it is kept right over the network")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_of_the_example_is_named_by_key() {
        let found = placeholders(include_str!("../../packaging/control-plane.toml"));
        let said: Vec<_> = found.iter().map(|finding| finding.text.as_str()).collect();
        assert_eq!(said.len(), PLACEHOLDERS.len(), "{said:#?}");
        assert!(
            said[0].contains("support_email, portal_url, agent_names, from"),
            "{}",
            said[0]
        );
        let own = "# help@cloud.example\nportal_url = \"https://portal.acme.test\"\n";
        assert_eq!(placeholders(own), []);
    }

    #[test]
    fn a_clock_that_is_behind_is_told() {
        let at = |text: &str| text.parse::<Timestamp>().expect("a time");
        let level = |now, last: Option<&str>| check_clock(at(now), last.map(at)).level;
        assert_eq!(level("2026-12-01T00:00:00Z", None), Level::Ok);
        assert_eq!(level("1970-01-01T00:00:00Z", None), Level::Problem);
        let last = Some("2026-12-02T00:00:00Z");
        assert_eq!(level("2026-12-01T00:00:00Z", last), Level::Warning);
        assert_eq!(level("2026-12-03T00:00:00Z", last), Level::Ok);
    }

    #[test]
    fn a_line_for_each_finding_and_the_sum() {
        let findings = [
            Finding::ok("terms", "they are there"),
            Finding::warning("mail", "no answer"),
            Finding::problem("ports", "taken\nby another"),
        ];
        assert_eq!(
            as_text(&findings),
            "ok       terms: they are there\nwarning  mail: no answer\nPROBLEM  ports: taken\n         by another\n\
             1 problems, 1 warnings: the service does not start before the problems are mended\n"
        );
        assert!(!may_start(&findings) && may_start(&findings[..2]));
        let json: serde_json::Value =
            serde_json::from_str(&as_json(&findings).expect("plain")).expect("JSON");
        assert_eq!(json[2]["level"], "problem");
    }
}
