//! What `./dev` asks of apt, held against a machine that is played: apt must never trade one package for another, and
//! what it says it installed must be there.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Output},
};

/// A machine with these packages installed, on which programs are scripts.
struct Machine {
    folder: tempfile::TempDir,
}

impl Machine {
    /// `apt_get` is the body of a script that gets apt-get's words.
    fn new(installed: &[(&str, &str)], apt_get: &str) -> Self {
        let machine = Self {
            folder: tempfile::tempdir().expect("a temporary folder"),
        };
        fs::create_dir(machine.path("bin")).expect("writable");
        fs::create_dir(machine.path("installed")).expect("writable");
        for (package, version) in installed {
            fs::write(machine.path("installed").join(package), version).expect("writable");
        }
        machine.program(
            "dpkg-query",
            r#"for package; do :; done
[ -e "$MACHINE/installed/$package" ] || exit 1
case "$*" in *Status*) echo installed ;; *) cat "$MACHINE/installed/$package" ;; esac"#,
        );
        machine.program(
            "apt-cache",
            "echo ' qemu-system-x86 | 1:7.2+dfsg-7 | http://mirror bookworm/main amd64 Packages'",
        );
        machine.program(
            "apt-get",
            &format!("echo \"$*\" >>\"$MACHINE/asked\"\n[ \"$2\" = update ] && exit\n{apt_get}"),
        );
        machine
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn program(&self, name: &str, body: &str) {
        let file = self.path("bin").join(name);
        fs::write(&file, format!("#!/bin/bash\n{body}\n")).expect("writable");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).expect("ours");
    }

    /// Calls `need` of `./dev` with these packages.
    fn need(&self, packages: &str) -> Output {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let path = std::env::var("PATH").expect("there is a PATH");
        Command::new("bash")
            .arg("-c")
            .arg(format!(
                "source ./dev; as_root() {{ \"$@\"; }}; need {packages}"
            ))
            .current_dir(root)
            .env("PATH", format!("{}:{path}", self.path("bin").display()))
            .env("MACHINE", self.folder.path())
            .env("POLICY_FILE", self.path("policy-rc.d"))
            .env("CARGO_TARGET_DIR", self.path("target"))
            .output()
            .expect("bash is there")
    }

    /// The lines in which apt-get was asked to install something.
    fn asked(&self) -> Vec<String> {
        let asked = fs::read_to_string(self.path("asked")).unwrap_or_default();
        let installs = asked.lines().filter(|line| line.contains("install"));
        installs.map(str::to_owned).collect()
    }
}

/// What a willing apt-get does: every word that is no option becomes an installed package.
const INSTALLS: &str = r#"for word; do case $word in -*|install) ;; *) echo "${word#*=}" >"$MACHINE/installed/${word%%=*}" ;; esac; done"#;

/// What the trial met: qemu-utils of backports was there, only what was missing was asked for, and apt removed
/// qemu-utils to make room.
#[test]
fn all_is_asked_for_and_nothing_may_be_removed() {
    let machine = Machine::new(&[("qemu-utils", "1:10.0.2~bpo12+1")], INSTALLS);
    let output = machine.need("qemu-system-x86 qemu-utils");
    assert!(output.status.success(), "{output:?}");
    let asked = machine.asked();
    assert_eq!(asked.len(), 1, "{asked:?}");
    for word in ["--no-remove", "qemu-system-x86", "qemu-utils"] {
        assert!(asked[0].contains(word), "no {word} in {asked:?}");
    }
    assert!(!machine.path("policy-rc.d").exists(), "left behind");
}

#[test]
fn when_apt_refuses_all_of_qemu_is_asked_for_in_one_version() {
    let refuses = r#"case "$*" in *allow-downgrades*) ;; *) exit 100 ;; esac"#;
    let machine = Machine::new(
        &[("qemu-utils", "1:10.0.2~bpo12+1")],
        &format!("{refuses}\n{INSTALLS}"),
    );
    let output = machine.need("qemu-system-x86 qemu-utils tini");
    assert!(output.status.success(), "{output:?}");
    let asked = machine.asked();
    assert_eq!(asked.len(), 2, "{asked:?}");
    for word in [
        "--no-remove",
        "tini",
        "qemu-utils=1:7.2+dfsg-7",
        "qemu-system-x86=1:7.2+dfsg-7",
    ] {
        assert!(asked[1].contains(word), "no {word} in {asked:?}");
    }
}

#[test]
fn what_apt_only_says_it_installed_is_noticed() {
    let machine = Machine::new(&[], "exit 0");
    let output = machine.need("qemu-system-x86 tini");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success(), "{said}");
    assert!(said.contains("qemu-system-x86 tini"), "{said}");
}
