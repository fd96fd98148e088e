//! Rules about the source itself that no compiler checks: who may use whom, what has one place, how long a
//! file may be, and what must not be written down. Each failure names file and rule.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use innkeeper_wire::endpoints::{Row, agents, operators, rest};

/// Which of our crates each crate may depend on (ARCHITECTURE.md, "Code map").
const CRATES: [(&str, &[&str]); 7] = [
    ("wire", &[]),
    ("listener", &[]),
    ("mtls", &["wire"]),
    ("agent", &["wire", "listener", "mtls"]),
    ("control-plane", &["wire", "listener", "mtls"]),
    ("portal-lite", &["wire", "listener"]),
    (
        "tests",
        &[
            "wire",
            "listener",
            "mtls",
            "agent",
            "control-plane",
            "portal-lite",
        ],
    ),
];

/// The modules of the control plane from below: each may use those of the lines above its own, never one beside or
/// below it. The kernel and the nouns come first, then what stands on all nouns, then the doors, then the service.
const LAYERS: [&[&str]; 19] = [
    &[
        "store",
        "vault",
        "catalogue",
        "legal",
        "owner",
        "tasks",
        "attention",
        "pdf",
    ],
    &["kernel", "secret_file"],
    &["mails", "addresses", "credentials", "prices"],
    &["accounts", "staff"],
    &["billing", "hosts"],
    &["servers"],
    &["orders", "support"],
    &["in_use", "continuity", "closing"],
    &["intake"],
    &["nouns", "witness_key"],
    &["known", "golden"],
    &["config"],
    &["unfit"],
    &["blobs", "ports", "providers", "authority", "maintenance"],
    &["metrics"],
    &["work", "api", "startup"],
    &["agent_api", "admin"],
    &["doctor"],
    &["service"],
];

/// Likewise the portal's: what is said, who asks for what, how a page looks, the pages, what stands before them.
const PORTAL_LAYERS: [&[&str]; 15] = [
    &["area", "estimate", "qr"],
    &["config", "cookies", "assets", "language", "notice"],
    &["words", "api"],
    &["format", "failure"],
    &["fields", "portal"],
    &["sitemap", "headers", "host"],
    &["visit"],
    &["form", "footer", "kept"],
    &["page"],
    &["guard"],
    &["pages"],
    &["front"],
    &["routes"],
    &["serve"],
    &["doctor"],
];

/// Modules of the agent that decide, and the modules of the agent that each may use. `desired` keeps what it
/// decided, through `durable` alone.
const DECIDING: [(&str, &[&str]); 14] = [
    (
        "agent/src/plan.rs",
        &["action", "desired", "hypervisor", "memory", "plan", "power"],
    ),
    (
        "agent/src/plan/unlisted.rs",
        &["action", "desired", "hypervisor", "memory", "plan", "power"],
    ),
    (
        "agent/src/plan/network.rs",
        &["action", "desired", "memory"],
    ),
    (
        "agent/src/plan/refused.rs",
        &["desired", "hypervisor", "network"],
    ),
    ("agent/src/access/ledger.rs", &["desired", "network"]),
    ("agent/src/network/guard.rs", &[]),
    ("agent/src/network/drift.rs", &["action"]),
    ("agent/src/network/foreign.rs", &[]),
    ("agent/src/network/pools.rs", &["action"]),
    ("agent/src/desired.rs", &["durable"]),
    (
        "agent/src/desired/store.rs",
        &["durable", "memory", "witness"],
    ),
    (
        "agent/src/memory.rs",
        &["action", "desired", "hypervisor", "plan", "power"],
    ),
    (
        "agent/src/power.rs",
        &["action", "desired", "hypervisor", "memory", "plan"],
    ),
    ("agent/src/action.rs", &[]),
];

/// What nothing that decides may know: a hypervisor's own ways, threads and
/// time, files and sockets, chance, HTTP, stores.
const IMPURE: [&str; 14] = [
    "libvirt::",
    "simulated::",
    "tokio::",
    "std::fs",
    "fs::",
    "std::io",
    "std::process",
    "std::thread",
    "SystemClock",
    "SystemTime",
    "Instant::now",
    "rand::",
    "axum::",
    "sled::",
];

/// Each program's configuration: its example, and the sources whose structures it is read into.
const CONFIGURATIONS: [(&str, &[&str]); 3] = [
    ("packaging/agent.toml", &["agent/src/config.rs"]),
    (
        "packaging/control-plane.toml",
        &[
            "control-plane/src/config.rs",
            "control-plane/src/config/billing.rs",
            "control-plane/src/config/company.rs",
            "control-plane/src/config/members.rs",
            "control-plane/src/config/prices.rs",
            "control-plane/src/config/mail.rs",
            "control-plane/src/config/pools.rs",
            "control-plane/src/config/staff.rs",
            "control-plane/src/config/support.rs",
            "control-plane/src/hosts/rules/placement.rs",
        ],
    ),
    ("packaging/portal.toml", &["portal-lite/src/config.rs"]),
];

/// Text that may stand below these places only, and why.
const ONE_PLACE: [(&str, &[&str], &str); 11] = [
    (
        "chacha20poly1305::",
        &["control-plane/src/vault", "portal-lite/src/kept.rs"],
        "the vault and the portal's kept forms seal and open",
    ),
    (
        "sled::",
        &["control-plane/src/store"],
        "the store is the only module that knows sled",
    ),
    (
        "krilla::",
        &["control-plane/src/pdf"],
        "documents are rendered in one place",
    ),
    (
        "virt::",
        &["agent/src/hypervisor"],
        "libvirt is behind the Hypervisor trait",
    ),
    (
        "virt_sys::",
        &["agent/src/hypervisor"],
        "libvirt is behind the Hypervisor trait",
    ),
    (
        "ServerConfig::builder",
        &["mtls/"],
        "mtls decides who a peer is",
    ),
    (
        "ClientConfig::builder",
        &["mtls/"],
        "mtls decides who a peer is",
    ),
    (
        "SystemTime::now",
        &["wire/src/time.rs"],
        "the wall clock is read in one place",
    ),
    (
        "prometheus::",
        &["agent/src/metrics", "control-plane/src/metrics"],
        "metrics are defined in metrics.rs",
    ),
    (
        "axum::",
        &[
            "agent/src/exporter.rs",
            "agent/tests",
            "control-plane/src/admin",
            "control-plane/src/agent_api",
            "control-plane/src/api",
            "control-plane/src/main.rs",
            "control-plane/src/metrics",
            "control-plane/src/service.rs",
            "control-plane/tests",
            "listener/",
            "portal-lite/",
            "tests/",
        ],
        "rules and workflows know nothing of HTTP",
    ),
    (
        "unsafe {",
        &["agent/src/hypervisor"],
        "only calls into libvirt need it",
    ),
];

const LINES_MAX: usize = 600;

#[test]
fn crates_depend_on_each_other_as_drawn() {
    for (name, allowed) in CRATES {
        let manifest = read(&root().join(name).join("Cargo.toml"));
        let dependencies = manifest
            .split("[dev-dependencies]")
            .next()
            .unwrap_or_default();
        let used: BTreeSet<_> = dependencies
            .lines()
            .filter_map(|line| {
                line.strip_prefix("innkeeper-")?
                    .split(['.', ' ', '='])
                    .next()
            })
            .collect();
        for other in used {
            assert!(
                allowed.contains(&other),
                "{name} must not depend on {other}"
            );
        }
    }
}

#[test]
fn layers_of_the_control_plane_use_each_other_as_drawn() {
    let breaches = breaches_of_layers("control-plane/src", &LAYERS);
    assert!(breaches.is_empty(), "{breaches:#?}");
}

#[test]
fn layers_of_the_portal_use_each_other_as_drawn() {
    let breaches = breaches_of_layers("portal-lite/src", &PORTAL_LAYERS);
    assert!(breaches.is_empty(), "{breaches:#?}");
}

/// Who uses what stands beside or above it, and who has no place.
fn breaches_of_layers(folder: &str, layers: &'static [&[&str]]) -> Vec<String> {
    let modules = root().join(folder);
    let mut breaches = Vec::new();
    let mut below: BTreeSet<&str> = BTreeSet::new();
    for layer in layers {
        for module in *layer {
            for file in sources_of(&modules, module) {
                let used = modules_used(code_of(&read(&file)));
                let wrong = used
                    .iter()
                    .filter(|used| used != module && !below.contains(used.as_str()));
                breaches.extend(
                    wrong.map(|used| format!("{}: {module} must not use {used}", shown(&file))),
                );
            }
        }
        below.extend(*layer);
    }
    for entry in fs::read_dir(&modules).expect("a folder").flatten() {
        let name = entry.file_name().to_string_lossy().replace(".rs", "");
        let is_known =
            below.contains(name.as_str()) || ["lib", "main", "arguments"].contains(&&*name);
        if !is_known {
            breaches.push(format!("{name} has no place among the layers"));
        }
    }
    breaches
}

/// What the nouns of the control plane decide by.
fn rules() -> Vec<PathBuf> {
    let is_rules = |file: &PathBuf| {
        let name = shown(file);
        name.contains("/rules/")
            || name.ends_with("/rules.rs")
            || name == "control-plane/src/catalogue.rs"
            || name == "control-plane/src/legal.rs"
    };
    let all = sources(&root().join("control-plane/src")).into_iter();
    let rules: Vec<_> = all.filter(is_rules).collect();
    assert!(rules.len() > 20, "{rules:?}");
    rules
}

/// A module's own file and its folder.
fn sources_of(modules: &Path, module: &str) -> Vec<PathBuf> {
    let folder = modules.join(module);
    let mut files = if folder.is_dir() {
        sources(&folder)
    } else {
        Vec::new()
    };
    let own = modules.join(format!("{module}.rs"));
    files.extend(own.exists().then_some(own));
    files
}

/// A record is written by the noun that owns it, as `kernel/tx.rs` checks whenever that happens; and a read without a
/// guard is a decision that somebody has looked at.
#[test]
fn records_are_written_by_nouns_and_unguarded_reads_are_few() {
    let nouns = [
        "accounts",
        "addresses",
        "billing",
        "continuity",
        "hosts",
        "mails",
        "orders",
        "prices",
        "servers",
        "staff",
        "support",
    ];
    let (mut peeks, mut breaches) = (0, Vec::new());
    for file in sources(&root().join("control-plane/src")) {
        let text = read(&file);
        let text = code_of(&text);
        let is_noun = nouns
            .iter()
            .any(|noun| shown(&file).starts_with(&format!("control-plane/src/{noun}/")));
        let is_kernel = shown(&file).starts_with("control-plane/src/kernel/");
        let writes = ["tx.put(", "tx.insert(", "tx.remove("];
        if !is_noun && !is_kernel && writes.iter().any(|write| text.contains(write)) {
            breaches.push(format!("{} writes records", shown(&file)));
        }
        peeks += text.matches("tx.peek").count();
    }
    assert!(breaches.is_empty(), "{breaches:#?}");
    assert!(peeks <= 12, "{peeks} unguarded reads");
}

#[test]
fn what_decides_knows_neither_clock_nor_files_nor_chance() {
    let mut breaches = Vec::new();
    let mut deciding = rules();
    for (name, allowed) in DECIDING {
        let file = root().join(name);
        let used = modules_used(code_of(&read(&file)));
        let wrong = used.iter().filter(|used| !allowed.contains(&used.as_str()));
        breaches.extend(wrong.map(|used| format!("{name} must not use {used}")));
        deciding.push(file);
    }
    for file in deciding {
        let text = read(&file);
        let known = IMPURE.iter().filter(|word| has_word(code_of(&text), word));
        breaches.extend(known.map(|word| format!("{} has `{word}`", shown(&file))));
    }
    assert!(breaches.is_empty(), "{breaches:#?}");
}

/// Amounts are whole minor units and exact fractions of them: where money is worked out, told or shown, no number floats.
#[test]
fn money_never_meets_a_float() {
    let folders = ["control-plane/src/billing"];
    let files = [
        "wire/src/billing.rs",
        "wire/src/invoice.rs",
        "wire/src/money.rs",
        "wire/src/price.rs",
        "portal-lite/src/estimate.rs",
        "portal-lite/src/format.rs",
        "portal-lite/src/pages/billing.rs",
        "portal-lite/src/pages/invoices.rs",
        "portal-lite/src/pages/statement.rs",
    ];
    let folders = folders
        .iter()
        .flat_map(|folder| sources(&root().join(folder)));
    let files = files.iter().map(|file| root().join(file));
    let mut breaches = Vec::new();
    for file in folders.chain(files) {
        let text = read(&file);
        let floats = ["f32", "f64"].iter().filter(|float| has_word(&text, float));
        breaches.extend(floats.map(|float| format!("{} has `{float}`", shown(&file))));
    }
    assert!(breaches.is_empty(), "{breaches:#?}");
}

#[test]
fn every_configuration_key_is_in_the_example_and_the_reverse() {
    for (example, sources) in CONFIGURATIONS {
        let text = read(&root().join(example));
        let shown: BTreeSet<_> = text.lines().filter_map(key_of).collect();
        let known: BTreeSet<_> = sources
            .iter()
            .flat_map(|source| keys_read(&read(&root().join(source))))
            .collect();
        let unknown: Vec<_> = shown.difference(&known).collect();
        let missing: Vec<_> = known.difference(&shown).collect();
        assert!(
            known.len() > 5 && missing.is_empty(),
            "{example}: {missing:?}"
        );
        assert!(unknown.is_empty(), "{example}: nobody reads {unknown:?}");

        let mut explained = BTreeSet::new();
        for paragraph in text.split("\n\n").map(str::trim) {
            let first = paragraph.lines().next().unwrap_or_default();
            // A further entry of a list needs no explanation anew.
            assert!(
                first.starts_with("# ") || explained.contains(first),
                "{example}: nothing explains {first}"
            );
            explained.extend(paragraph.lines().filter(|line| line.starts_with('[')));
        }
    }
}

#[test]
fn some_things_have_one_place() {
    let mut breaches = Vec::new();
    for file in all_sources() {
        let (name, text) = (shown(&file), read(&file));
        for (pattern, places, why) in ONE_PLACE {
            let is_elsewhere = !places.iter().any(|place| name.starts_with(place));
            if is_elsewhere && name != "tests/tests/tidy.rs" && has_word(&text, pattern) {
                breaches.push(format!("{name} has `{pattern}`: {why}"));
            }
        }
    }
    assert!(breaches.is_empty(), "{breaches:#?}");
}

/// Paths of the APIs are spelled in `wire::endpoints` alone; the portal's own pages have paths of the same names.
#[test]
fn paths_of_the_apis_are_spelled_once() {
    let mut breaches = Vec::new();
    for file in all_sources() {
        let (name, text) = (shown(&file), read(&file));
        let is_product = name.contains("/src/") && !name.starts_with("tests/");
        if !is_product || name.starts_with("wire/src/endpoints/") {
            continue;
        }
        let is_page = name.starts_with("portal-lite/") && name != "portal-lite/src/api.rs";
        for (number, line) in code_of(&text).lines().enumerate() {
            let comment = line.trim_start().starts_with("//");
            let spelled = line.split('"').skip(1).step_by(2);
            let known = spelled.filter(|text| !comment && is_of_api(text, is_page));
            breaches.extend(known.map(|text| format!("{name}:{}: {text}", number + 1)));
        }
    }
    assert!(breaches.is_empty(), "{breaches:#?}");
}

/// Whether a text begins with the base of an API or, but on a page, is the path of a row.
fn is_of_api(text: &str, is_page: bool) -> bool {
    let is_below = |row: &Row| {
        let fixed = row.path.split('{').next().unwrap_or(row.path);
        text == row.path || (fixed != row.path && text.starts_with(fixed))
    };
    [rest::BASE, agents::BASE]
        .iter()
        .any(|base| text.starts_with(base))
        || !is_page
            && [rest::ALL, agents::ALL, operators::ALL]
                .concat()
                .iter()
                .any(is_below)
}

#[test]
fn http_statuses_of_refusals_are_mapped_in_one_place() {
    let api = root().join("control-plane/src/api");
    for file in sources(&api)
        .into_iter()
        .filter(|file| !file.ends_with("error.rs"))
    {
        let text = read(&file);
        for status in [
            "BAD_REQUEST",
            "FORBIDDEN",
            "CONFLICT",
            "UNPROCESSABLE_ENTITY",
        ] {
            let mapped = text.contains(&format!("StatusCode::{status}"));
            assert!(
                !mapped,
                "{}: {status} belongs to api/error.rs",
                shown(&file)
            );
        }
    }
}

#[test]
fn files_fit_a_head_and_say_what_they_are() {
    let mut breaches = Vec::new();
    for file in all_sources() {
        let (name, text) = (shown(&file), read(&file));
        let lines = code_of(&text).lines().count();
        let is_test = name.contains("/tests/") || name.ends_with("/tests.rs");
        if lines > LINES_MAX && !is_test {
            breaches.push(format!("{name} has {lines} lines without its tests"));
        }
        if !text.starts_with("//!") {
            breaches.push(format!("{name} does not begin with what it is for"));
        }
    }
    assert!(breaches.is_empty(), "{breaches:#?}");
}

#[test]
fn nothing_names_a_machine_or_a_registry() {
    // Put together here, so that this file passes its own rule.
    let home = ["ro", "ot"].concat();
    let forbidden = [
        ["crates", ".io"].concat(),
        ["deb.debian", ".org"].concat(),
        ["pypi", ".org"].concat(),
        ["registry.npmjs", ".org"].concat(),
        ["/wo", "rk/"].concat(),
        format!("\"/{home}/"),
    ];
    let mut files = all_sources();
    for folder in ["systemd", "packaging", ".ci", "tests/guest"] {
        walk(&root().join(folder), &|_| true, &mut files);
    }
    for name in [
        "dev",
        "Cargo.toml",
        "README.md",
        "ARCHITECTURE.md",
        "CONTRIBUTING.md",
    ] {
        files.push(root().join(name));
    }
    for file in files.into_iter().filter(|file| file.exists()) {
        let text = read(&file);
        for word in &forbidden {
            assert!(!text.contains(word), "{} names {word}", shown(&file));
        }
    }
}

/// The bans of deny.toml, without cargo-deny, whose database is not to be had everywhere. The lock file
/// alone would not do: it also lists what only features that are off would bring in.
#[test]
fn no_banned_crate_came_in() {
    let rules = read(&root().join("deny.toml"));
    let banned = rules.lines().filter_map(|line| {
        let (name, rest) = line.trim().strip_prefix("{ name = \"")?.split_once('"')?;
        rest.contains("reason").then_some(name)
    });
    let banned: BTreeSet<_> = banned.collect();
    let tree = Command::new(env!("CARGO"))
        .args(["tree", "--workspace", "--offline", "--prefix", "none"])
        .current_dir(root())
        .output()
        .expect("cargo runs");
    let tree = String::from_utf8_lossy(&tree.stdout).into_owned();
    let used: BTreeSet<_> = tree
        .lines()
        .filter_map(|line| line.split(' ').next())
        .collect();
    assert!(used.contains("rustls"), "{tree}");
    assert!(banned.contains("aws-lc-sys"), "{banned:?}");
    let came_in: Vec<_> = used.intersection(&banned).collect();
    assert!(came_in.is_empty(), "deny.toml says why not: {came_in:?}");
}

#[test]
fn the_rules_see_what_they_shall_see() {
    let text = "use crate::{\n  orders::{self, quotes},\n  servers::rules::server,\n};\nuse crate::store::Key;";
    let used: Vec<_> = modules_used(text).into_iter().collect();
    assert_eq!(used, ["orders", "servers", "store"]);
    assert!(is_of_api("/agent/v1/join", true) && is_of_api("/me/ssh-keys", false));
    assert!(is_of_api("/hosts/{name}/revoke", false) && !is_of_api("/hosts.txt", false));
    assert!(!is_of_api("/servers/{id}", true));
    assert!(has_word("use virt::domain", "virt::"));
    assert!(!has_word("use libvirt::domain", "virt::"));
    assert_eq!(key_of("#log = \"text\"").as_deref(), Some("log"));
    assert_eq!(key_of("[[site]]").as_deref(), Some("site"));
    assert_eq!(key_of("# So it is: a = b is no key"), None);
    let source = "#[derive(Deserialize)]\npub struct A {\n    #[serde(rename = \"b\")]\n    pub a: u8,\n}\n\
                  #[derive(Debug)]\npub struct C {\n    pub c: u8,\n}\n";
    assert_eq!(keys_read(source), ["b".to_owned()].into());
    assert_eq!(code_of("a\n#[cfg(test)]\nmod tests {}"), "a\n");
    assert_eq!(
        code_of("a\n#[cfg(test)]\nmod tests;\nb"),
        "a\n#[cfg(test)]\nmod tests;\nb"
    );
}

/// The key or table of a line of TOML, in use or commented out.
fn key_of(line: &str) -> Option<String> {
    let line = line.trim_start_matches('#').trim();
    if let Some(table) = line.strip_prefix('[') {
        let table = table.trim_matches(['[', ']']);
        let (_, name) = table.rsplit_once('.').unwrap_or(("", table));
        return Some(name.to_owned());
    }
    let (key, _) = line.split_once(" = ")?;
    let is_key = key.chars().all(|c| c.is_ascii_lowercase() || c == '_');
    is_key.then(|| key.to_owned())
}

/// The fields of all structures that serde reads, by the names that it reads them under.
fn keys_read(source: &str) -> BTreeSet<String> {
    let mut keys = BTreeSet::new();
    let mut renamed = None;
    let (mut is_read, mut is_inside) = (false, false);
    for line in code_of(source).lines() {
        let rename = line.trim().strip_prefix("#[serde(rename = \"");
        if line.starts_with("#[derive") {
            is_read = line.contains("Deserialize");
        } else if line.contains("struct ") {
            is_inside = is_read;
        } else if line == "}" {
            (is_read, is_inside) = (false, false);
        } else if let Some((name, _)) = rename.and_then(|rest| rest.split_once('"')) {
            renamed = Some(name.to_owned());
        } else if let Some((name, _)) = line
            .strip_prefix("    pub ")
            .filter(|_| is_inside)
            .and_then(|field| field.split_once(':'))
        {
            keys.insert(renamed.take().unwrap_or_else(|| name.to_owned()));
        }
    }
    keys
}

/// The modules of its own crate that a file uses: what follows `crate::`, alone or first in braces.
fn modules_used(text: &str) -> BTreeSet<String> {
    let mut used = BTreeSet::new();
    for (at, _) in text.match_indices("crate::") {
        let rest = &text[at + "crate::".len()..];
        let Some(list) = rest.strip_prefix('{') else {
            used.extend(first_word(rest));
            continue;
        };
        let mut depth = 0;
        let mut entry = String::new();
        for character in list.chars() {
            match character {
                '{' => depth += 1,
                '}' if depth == 0 => break,
                '}' => depth -= 1,
                ',' if depth == 0 => used.extend(first_word(&std::mem::take(&mut entry))),
                other if depth == 0 => entry.push(other),
                _ => {}
            }
        }
        used.extend(first_word(&entry));
    }
    used
}

fn first_word(text: &str) -> Option<String> {
    let word: String = text
        .trim_start()
        .chars()
        .take_while(|c| c.is_ascii_lowercase() || *c == '_')
        .collect();
    (!word.is_empty()).then_some(word)
}

/// Whether `pattern` stands there and is not the end of a longer name.
fn has_word(text: &str, pattern: &str) -> bool {
    text.match_indices(pattern).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        !before.is_some_and(|c| c.is_alphanumeric() || c == '_')
    })
}

/// A file without the unit tests that stand at its end.
fn code_of(text: &str) -> &str {
    let tests = text.find("#[cfg(test)]\nmod tests {");
    tests.map_or(text, |at| &text[..at])
}

fn all_sources() -> Vec<PathBuf> {
    CRATES
        .iter()
        .flat_map(|(name, _)| sources(&root().join(name)))
        .collect()
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    walk(
        folder,
        &|file| file.extension().is_some_and(|end| end == "rs"),
        &mut files,
    );
    assert!(!files.is_empty(), "no source below {}", folder.display());
    files
}

fn walk(folder: &Path, wanted: &dyn Fn(&Path) -> bool, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("the folder is there").flatten() {
        let path = entry.path();
        if path.is_dir() {
            walk(&path, wanted, files);
        } else if wanted(&path) {
            files.push(path);
        }
    }
}

fn read(file: &Path) -> String {
    fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

fn shown(file: &Path) -> String {
    let file = file.strip_prefix(root()).unwrap_or(file);
    file.display().to_string()
}

fn root() -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    folder.parent().expect("the workspace").to_owned()
}
