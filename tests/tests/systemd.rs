//! The unit files, judged by systemd's own tools; nothing is started.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// Each unit and the most exposure that `systemd-analyze security` may find, in tenths. The agent is root with
/// four capabilities until its privileged part is a process of its own.
const UNITS: [(&str, u32); 5] = [
    ("innkeeper-control-plane.service", 20),
    ("innkeeper-portal.service", 20),
    ("innkeeper-staff-portal.service", 20),
    ("innkeeper-agent.service", 26),
    ("innkeeper-guests.service", 20),
];

/// How programs end when only a person can mend the cause (sysexits.h).
const BY_HAND: &str = "78";

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

/// Programs, files, pages and users that units name come with their packages.
#[test]
fn what_units_name_is_in_their_packages() {
    for (name, _) in UNITS {
        let unit = fs::read_to_string(source(name)).expect("the unit is there");
        let values =
            |key: &'static str| unit.lines().filter_map(move |line| line.strip_prefix(key));
        let program = match name.trim_end_matches(".service") {
            // It comes with the agent, which does its work.
            "innkeeper-guests" => "innkeeper-agent",
            // The same program as the customers' portal.
            "innkeeper-staff-portal" => "innkeeper-portal",
            other => other,
        };
        let crate_folder = match program {
            "innkeeper-portal" => "portal-lite",
            other => other.trim_start_matches("innkeeper-"),
        };
        let manifest = fs::read_to_string(source("..").join(crate_folder).join("Cargo.toml"));
        let manifest = manifest.expect("each program is a crate");
        let page = fs::read_to_string(source("../packaging/man").join(format!("{program}.8")));
        let page = page.expect("each program has a manual page");

        let start = values("ExecStart=").chain(values("ExecStop=")).next();
        let start = start.expect("it runs something");
        let [path, command, option, config] = start.split(' ').collect::<Vec<_>>()[..] else {
            panic!("{name}: {start}");
        };
        let conf_files = manifest
            .lines()
            .find(|line| line.starts_with("conf-files = "));
        let conf_files = conf_files.expect("each package has its configuration");
        assert_eq!(path, format!("/usr/bin/{program}"));
        assert!(manifest.contains(&format!("target/release/{program}\", \"usr/bin/")));
        assert!(
            page.contains(&format!(".It Ic {command}\n")),
            "{name}: {command}"
        );
        assert!(
            page.contains(&option.replacen("--", "Fl -", 1)),
            "{name}: {option}"
        );
        assert!(
            conf_files.contains(&format!("\"{config}\"")),
            "{name}: {config}"
        );
        assert!(values("ConditionPathExists=").all(|needed| needed == config));
        assert!(values("Documentation=").eq([format!("man:{program}(8)")]));
        assert!(manifest.contains(&format!("packaging/man/{program}.8")));
        for user in ["User=", "Group=", "SupplementaryGroups="]
            .into_iter()
            .flat_map(values)
        {
            let is_made = manifest.contains(&format!("../systemd/{program}.sysusers"));
            assert!(
                user == "root" || (user.starts_with("innkeeper") && is_made),
                "{name}: {user}"
            );
        }
    }
}

/// A crash loop that only a person can end must show as failed, and others must leave room in the journal.
#[test]
fn what_only_a_person_can_mend_is_not_tried_again() {
    for (name, _) in UNITS {
        let unit = fs::read_to_string(source(name)).expect("the unit is there");
        let value = |key| unit.lines().find_map(|line| line.strip_prefix(key));
        if value("Restart=").is_none() {
            continue;
        }
        assert_eq!(value("RestartPreventExitStatus="), Some(BY_HAND), "{name}");
        let pause_s: u32 = value("RestartSec=")
            .and_then(|s| s.parse().ok())
            .expect("seconds");
        assert!(pause_s >= 5, "{name}: {pause_s} s");
    }
}

/// When the machine goes down: first the agent, which would start guests again, then the guests, then libvirt, which
/// they are asked through. systemd stops in the reverse order of starting.
#[test]
fn guests_are_shut_down_between_agent_and_libvirt() {
    let of = |name: &str, key: &str| {
        let unit = fs::read_to_string(source(name)).expect("the unit is there");
        let lines = unit.lines().filter_map(|line| line.strip_prefix(key));
        let words: Vec<_> = lines
            .flat_map(str::split_whitespace)
            .map(str::to_owned)
            .collect();
        words
    };
    let (agent, guests) = ("innkeeper-agent.service", "innkeeper-guests.service");
    let has = |name, key, wanted: &str| of(name, key).iter().any(|word| word == wanted);
    assert!(has(agent, "After=", guests) && has(agent, "Wants=", guests));
    assert!(
        has(agent, "PartOf=", guests),
        "who stops guests stops the agent"
    );
    for needed in [
        // The service, and not only the socket, which libvirt-guests waits for.
        "libvirtd.service",
        "virtqemud.service",
        "virt-guest-shutdown.target",
        "virtlogd.service",
    ] {
        assert!(has(guests, "After=", needed), "{needed}");
    }
}

/// A copy of the unit whose program is one that this machine has: verify wants it to exist.
fn with_installed_program(unit: &Path, folder: &Path) -> PathBuf {
    let text = fs::read_to_string(unit).expect("the unit is there");
    let text = text.replace("=/usr/bin/innkeeper-", "=/bin/true ");
    let copy = folder.join(unit.file_name().expect("a unit has a name"));
    fs::write(&copy, text).expect("the folder is writable");
    copy
}

fn source(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../systemd")
        .join(name)
}
