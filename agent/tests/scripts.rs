//! What packages and units of the agent leave to the shell, run by it in a folder instead of the machine.

use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::Path,
    process::Command,
};

const POSTRM: &str = include_str!("../../packaging/deb/agent/postrm");
const DROP_IN: &str = include_str!("../../systemd/libvirt-guests-innkeeper.conf");

/// Purges a machine whose root is `root`.
fn purge(root: &Path) {
    let prefix = root.to_str().expect("a path of letters");
    let script = POSTRM
        .replace("/var/lib", &format!("{prefix}/var/lib"))
        .replace("/etc/innkeeper", &format!("{prefix}/etc/innkeeper"));
    let done = Command::new("sh")
        .args(["-c", &script, "postrm", "purge"])
        .output()
        .expect("a shell");
    assert!(done.status.success() && done.stderr.is_empty(), "{done:?}");
}

#[test]
fn purge_keeps_what_customers_disks_need_wherever_they_lie() {
    type Prepare = fn(&Path, &Path);
    let cases: [(&str, Prepare, bool); 6] = [
        ("nothing", |_, _| {}, false),
        (
            "empty folders",
            |state, _| fs::create_dir(state.join("disks")).expect("made"),
            false,
        ),
        (
            "a disk",
            |state, _| {
                fs::create_dir(state.join("disks")).expect("made");
                fs::write(state.join("disks/one"), "").expect("written");
            },
            true,
        ),
        (
            "a disk on a larger disk",
            |state, larger| {
                fs::write(larger.join("one"), "").expect("written");
                symlink(larger, state.join("disks")).expect("linked");
            },
            true,
        ),
        (
            "a tombstone on a larger disk",
            |state, larger| {
                fs::write(larger.join("one"), "").expect("written");
                symlink(larger, state.join("tombstones")).expect("linked");
            },
            true,
        ),
        (
            "a larger disk that is not there now",
            |state, larger| symlink(larger.join("gone"), state.join("disks")).expect("linked"),
            true,
        ),
    ];
    for (what, prepare, stays) in cases {
        let folder = tempfile::tempdir().expect("a folder");
        let state = folder.path().join("var/lib/innkeeper-agent");
        let larger = folder.path().join("larger");
        fs::create_dir_all(state.join("images")).expect("made");
        fs::create_dir(&larger).expect("made");
        prepare(&state, &larger);
        purge(folder.path());
        assert_eq!(state.join("images").exists(), stays, "{what}");
        assert!(larger.exists(), "{what}");
    }
}

/// What the drop-in has `libvirt-guests` do at `key`, in a machine whose root is `root` and whose `systemctl` says
/// `state` of `innkeeper-guests`.
fn libvirt_guests(key: &str, root: &Path, state: &str) -> String {
    let text = DROP_IN.replace("\\\n", " ");
    let mut lines = text.lines().filter_map(|line| line.strip_prefix(key));
    let line = lines.next_back().expect("the drop-in has it");
    let script = line
        .strip_prefix("/bin/sh -c '")
        .and_then(|rest| rest.strip_suffix('\''));
    let prefix = root.to_str().expect("a path of letters");
    // systemd's way of writing one `$`.
    let script = script.expect("a line for the shell").replace("$$", "$");
    let script = script
        .replace("/var/lib", &format!("{prefix}/var/lib"))
        .replace("/usr/lib", &format!("{prefix}/usr/lib"));
    let program = |path: &str, text: &str| {
        let path = root.join(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        fs::write(&path, format!("#!/bin/sh\n{text}\n")).expect("written");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("allowed");
    };
    program("usr/lib/libvirt/libvirt-guests.sh", "echo $1");
    program("bin/systemctl", &format!("echo {state}"));
    let done = Command::new("/bin/sh")
        .args(["-c", &script])
        .env("PATH", root.join("bin"))
        .output()
        .expect("a shell");
    assert!(done.stderr.is_empty(), "{done:?}");
    String::from_utf8(done.stdout).expect("a word")
}

#[test]
fn libvirt_guests_works_where_nobody_does_its_work() {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path();
    for (state, expected) in [
        ("inactive", "stop\n"),
        ("unknown", "stop\n"),
        ("active", ""),
        ("deactivating", ""),
        // It has tried for as long as guests may take.
        ("failed", ""),
    ] {
        assert_eq!(
            libvirt_guests("ExecStop=", root, state),
            expected,
            "{state}"
        );
    }
    assert_eq!(libvirt_guests("ExecStart=", root, "inactive"), "start\n");
    let identity = root.join("var/lib/innkeeper-agent/agent/identity");
    fs::create_dir_all(identity.parent().expect("a folder")).expect("made");
    fs::write(identity, "").expect("written");
    assert_eq!(libvirt_guests("ExecStart=", root, "inactive"), "");
}
