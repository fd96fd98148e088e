//! The manual pages against the programs: every command and option is in both.

use std::{collections::BTreeSet, fs, path::Path, process::Command};

use anyhow::{Context, ensure};

/// Of every program, and explained by none.
const EVERYWHERE: [&str; 3] = ["help", "--help", "--version"];

#[test]
fn manuals_have_every_command_and_option() {
    let Some(programs) = std::env::var_os("INNKEEPER_PROGRAMS") else {
        println!("skipped: the programs are built by `./dev test package`");
        return;
    };
    for name in super::PACKAGES {
        if let Err(error) = compare(&Path::new(&programs).join(name), name) {
            panic!("{name}: {error:#}");
        }
    }
}

fn compare(program: &Path, name: &str) -> anyhow::Result<()> {
    let page = format!("{}/../packaging/man/{name}.8", env!("CARGO_MANIFEST_DIR"));
    let rendered = Command::new("groff")
        .args(["-mdoc", "-Tutf8", "-ww", "-z", &page])
        .output()
        .context("start groff")?;
    let complaint = String::from_utf8_lossy(&rendered.stderr);
    ensure!(complaint.is_empty(), "groff: {complaint}");

    let mut real = BTreeSet::new();
    explore(program, &mut Vec::new(), &mut real)?;
    let text = fs::read_to_string(&page).context("read the page")?;
    let described = described(&text);
    let missing: Vec<_> = real.difference(&described).collect();
    let invented: Vec<_> = described.difference(&real).collect();
    ensure!(
        missing.is_empty(),
        "packaging/man/{name}.8 lacks {missing:?}"
    );
    ensure!(invented.is_empty(), "there is no {invented:?}");
    Ok(())
}

/// Collects what the program's own help tells of `command` and all below it.
fn explore(
    program: &Path,
    command: &mut Vec<String>,
    found: &mut BTreeSet<String>,
) -> anyhow::Result<()> {
    let help = Command::new(program)
        .args(command.iter())
        .arg("--help")
        .output()
        .context("start the program")?;
    let help = String::from_utf8_lossy(&help.stdout).into_owned();
    ensure!(help.contains("Usage:"), "{command:?} has no help");
    let (commands, options) = understood(&help);
    found.extend(options);
    for name in commands {
        command.push(name);
        found.insert(command.join(" "));
        explore(program, command, found)?;
        command.pop();
    }
    Ok(())
}

/// Commands and options of a help text, by its headings.
fn understood(help: &str) -> (Vec<String>, Vec<String>) {
    let (mut commands, mut options) = (Vec::new(), Vec::new());
    let mut heading = "";
    for line in help.lines() {
        let mut words = line.split([' ', ',', '=']).filter(|word| !word.is_empty());
        if !line.starts_with(' ') {
            heading = line;
            continue;
        }
        // Lines that only explain are indented further.
        let depth = line.len() - line.trim_start().len();
        match heading {
            "Commands:" if depth == 2 => commands.extend(words.next().map(str::to_owned)),
            "Options:" if depth <= 6 => {
                options.extend(words.find(|word| word.starts_with("--")).map(str::to_owned));
            }
            _ => {}
        }
    }
    for found in [&mut commands, &mut options] {
        found.retain(|word| !EVERYWHERE.contains(&word.as_str()));
    }
    (commands, options)
}

/// Commands (`.It Ic`) and options (`Fl -name`) of an mdoc page.
fn described(page: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for line in page.lines() {
        if let Some(rest) = line.strip_prefix(".It Ic ") {
            let words = rest
                .split(' ')
                .take_while(|word| !matches!(*word, "Ar" | "Fl" | "Op"));
            found.insert(words.collect::<Vec<_>>().join(" "));
        }
        let options = line
            .split("Fl -")
            .skip(1)
            .filter_map(|rest| rest.split(' ').next());
        found.extend(options.map(|name| format!("--{name}")));
    }
    found
}

#[test]
fn help_and_pages_are_read_as_they_are_written() {
    let help = "Usage: x <COMMAND>\n\nCommands:\n  host  Manages\n  help  Print this\n\nOptions:\n      \
                --config <C>  Says [default: --x]\n  -V, --version  Print version\n  -q, --quiet  Says less\n";
    let (commands, options) = understood(help);
    assert_eq!(commands, ["host"]);
    assert_eq!(options, ["--config", "--quiet"]);
    let page = ".It Ic host invite Ar name Fl -site Ar code\n.Op Fl -config Ar file\n";
    let expected = ["--config", "--site", "host invite"].map(str::to_owned);
    assert_eq!(described(page), expected.into());
}
