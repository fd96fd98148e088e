//! The unit files, judged by systemd's own tools; nothing is started.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// Each unit and the most exposure that `systemd-analyze security` may find, in tenths. The agent is root with
/// three capabilities until its privileged part is a process of its own.
const UNITS: [(&str, u32); 3] = [
    ("innkeeper-control-plane.service", 20),
    ("innkeeper-portal.service", 20),
    ("innkeeper-agent.service", 25),
];

#[test]
fn units_are_valid_and_hardened() {
    if Command::new("systemd-analyze")
        .arg("--version")
        .output()
        .is_err()
    {
        println!("skipped: systemd-analyze is not installed");
        return;
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (name, exposure_max) in UNITS {
        let unit = with_installed_program(&source(name), folder.path());
        let verified = Command::new("systemd-analyze")
            .args(["verify", "--man=no"])
            .arg(&unit)
            .output()
            .expect("systemd-analyze starts");
        let complaint = String::from_utf8_lossy(&verified.stderr);
        assert!(
            verified.status.success() && complaint.is_empty(),
            "{name}: {complaint}"
        );

        let judged = Command::new("systemd-analyze")
            .args(["security", "--offline=true", "--no-pager"])
            .arg(format!("--threshold={exposure_max}"))
            .arg(&unit)
            .output()
            .expect("systemd-analyze starts");
        let report = String::from_utf8_lossy(&judged.stdout);
        let verdict = report.lines().last().unwrap_or_default();
        assert!(judged.status.success(), "{name}: {verdict}");
    }
}

#[test]
fn every_unit_is_judged() {
    let folder = source("");
    for entry in fs::read_dir(folder).expect("the folder is there").flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let is_known = UNITS.iter().any(|(unit, _)| *unit == name);
        assert!(
            is_known || !name.ends_with(".service"),
            "{name} is judged by nobody"
        );
    }
}

/// A copy of the unit whose program is one that this machine has: verify wants it to exist.
fn with_installed_program(unit: &Path, folder: &Path) -> PathBuf {
    let text = fs::read_to_string(unit).expect("the unit is there");
    let lines: Vec<_> = text
        .lines()
        .map(
            |line| match line.strip_prefix("ExecStart=/usr/bin/innkeeper-") {
                Some(rest) => format!("ExecStart=/bin/true {rest}"),
                None => line.to_owned(),
            },
        )
        .collect();
    let copy = folder.join(unit.file_name().expect("a unit has a name"));
    fs::write(&copy, lines.join("\n") + "\n").expect("the folder is writable");
    copy
}

fn source(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../systemd")
        .join(name)
}
