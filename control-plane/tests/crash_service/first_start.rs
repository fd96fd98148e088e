//! The first start, and starts on what contradicts it: nothing is made before everything holds, and what only a person
//! can mend ends with a code that the service manager does not retry.

use std::{
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
};

use super::{
    host::Host,
    service::{Service, run, run_to_code, write_config},
};

/// What only a person can mend.
const EX_CONFIG: Option<i32> = Some(78);

fn edit(config: &Path, from: &str, to: &str) {
    let text = fs::read_to_string(config).expect("there");
    assert!(text.contains(from), "{from}");
    fs::write(config, text.replacen(from, to, 1)).expect("written");
}

/// Starts the service, which must end by itself with this code and say this.
#[track_caller]
fn refused(config: &Path, code: Option<i32>, why: &str) {
    let (ended, said) = run_to_code(config, &["serve"]);
    assert_eq!(ended, code, "{said}");
    assert!(said.contains(why), "{why}: {said}");
}

fn data(folder: &Path) -> PathBuf {
    folder.join("data")
}

#[test]
fn a_start_that_fails_binds_the_installation_to_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = write_config(folder.path());
    let made = || {
        ["host-authority.pem", "store", "keys", "witness.key"]
            .into_iter()
            .filter(|name| data(folder.path()).join(name).exists())
            .collect::<Vec<_>>()
    };

    edit(&config, "id = \"acme\"", "id = \"example\"");
    refused(&config, EX_CONFIG, "installation.id is still `example`");
    edit(&config, "id = \"example\"", "id = \"acme\"");

    for (name, why) in [
        ("terms.txt", "can't read"),
        ("portal.key", "can't read"),
        ("disk.raw", "could not open"),
    ] {
        let (path, aside) = (folder.path().join(name), folder.path().join("aside"));
        fs::rename(&path, &aside).expect("moved");
        refused(&config, EX_CONFIG, why);
        fs::rename(&aside, &path).expect("moved back");
    }

    let secret = folder.path().join("mail.password");
    edit(
        &config,
        "# username = \"innkeeper\"",
        &format!(
            "username = \"innkeeper\"\npassword_file = \"{}\"",
            secret.display()
        ),
    );
    refused(&config, EX_CONFIG, "mail.password");
    fs::write(&secret, "secret").expect("written");

    // Somebody may end, and give the port back: that is tried again.
    let taken = TcpListener::bind("127.0.0.1:0").expect("a socket");
    let taken = taken.local_addr().expect("an address");
    let holder = TcpListener::bind(taken).ok();
    let holder = holder.unwrap_or_else(|| TcpListener::bind("127.0.0.1:0").expect("a socket"));
    let address = holder.local_addr().expect("an address");
    edit(
        &config,
        "api = \"127.0.0.1:0\"",
        &format!("api = \"{address}\""),
    );
    refused(&config, Some(1), "another program listens at");
    assert_eq!(made(), Vec::<&str>::new());
    drop(holder);
    edit(
        &config,
        &format!("api = \"{address}\""),
        "api = \"127.0.0.1:0\"",
    );
    Service::start(&config).kill();
    assert_eq!(made().len(), 4, "{:?}", made());
}

/// Metrics are the one port that nobody's servers need.
#[test]
fn a_metrics_port_that_is_taken_keeps_nobody_from_starting() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = write_config(folder.path());
    let holder = TcpListener::bind("127.0.0.1:0").expect("a socket");
    let address = holder.local_addr().expect("an address");
    edit(
        &config,
        "metrics = \"127.0.0.1:0\"",
        &format!("metrics = \"{address}\""),
    );
    let (_, said) = run_to_code(&config, &["serve"]);
    assert!(said.contains("is up"), "{said}");
    let (code, said) = run_to_code(&config, &["doctor"]);
    let warning = format!("warning  ports: metrics: another program listens at {address}");
    assert!(said.contains(&warning), "{code:?} {said}");

    let service = Service::start(&config);
    let (_, said) = run_to_code(&config, &["doctor"]);
    assert!(said.contains(&warning), "also while it runs: {said}");
    drop(holder);
    let said = service.wait_for("metrics listens");
    assert!(said.contains(&address.to_string()), "{said}");
    let (_, said) = run_to_code(&config, &["doctor"]);
    assert!(!said.contains(&warning), "{said}");
    service.kill();
}

#[test]
fn an_id_that_nobody_lives_under_yet_can_be_changed_as_the_message_says() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = write_config(folder.path());
    Service::start(&config).kill();
    edit(&config, "id = \"acme\"", "id = \"umbrella\"");
    refused(&config, EX_CONFIG, "nothing is lost by a new one: mv ");
    let authority = data(folder.path()).join("host-authority.pem");
    fs::rename(&authority, authority.with_extension("pem.old")).expect("moved");
    Service::start(&config).kill();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hosts_bind_an_installation_to_its_authority_and_id_and_site() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = write_config(folder.path());
    let service = Service::start(&config);
    let (fine, line) = run(&config, &["host", "invite", "h1", "--site", "seoul-1"]);
    assert!(fine, "{line}");
    let mut host = Host::join(service.agents, &line, 1).await;
    assert_eq!(host.report(service.agents).await, 200);
    service.kill();

    edit(&config, "id = \"acme\"", "id = \"umbrella\"");
    refused(&config, EX_CONFIG, "put installation.id = \"acme\" back");
    edit(&config, "id = \"umbrella\"", "id = \"acme\"");

    let text = fs::read_to_string(&config).expect("there");
    fs::write(&config, text.replace("seoul-1", "seoul-2")).expect("written");
    refused(
        &config,
        EX_CONFIG,
        "there is no site `seoul-1`, but 1 host stands (h1) there",
    );
    let (code, said) = run_to_code(&config, &["doctor"]);
    assert!(
        code == Some(1) && said.contains("PROBLEM  store: there is no site `seoul-1`"),
        "{said}"
    );
    fs::write(&config, &text).expect("written");

    let authority = data(folder.path()).join("host-authority.pem");
    let aside = folder.path().join("authority.aside");
    fs::rename(&authority, &aside).expect("moved");
    refused(&config, EX_CONFIG, "has hosts that it has signed (h1)");
    assert!(
        !authority.exists(),
        "no new authority is made for an old store"
    );
    let (code, said) = run_to_code(&config, &["ca", "replace-lost"]);
    assert!(code == Some(1) && said.contains("--confirm"), "{said}");
    fs::rename(&aside, &authority).expect("moved back");
    let service = Service::start(&config);
    assert_eq!(host.report(service.agents).await, 200, "it is the same one");
    service.kill();

    // The key of witnesses: a new one would make what hosts hold worthless.
    let witnesses = data(folder.path()).join("witness.key");
    let aside = folder.path().join("witness.aside");
    fs::rename(&witnesses, &aside).expect("moved");
    let why = "is missing, but hosts (h1) hold witnesses";
    refused(&config, EX_CONFIG, why);
    let (code, said) = run_to_code(&config, &["doctor"]);
    assert!(code == Some(1) && said.contains(why), "{said}");
    assert!(!witnesses.exists(), "no new one is made for hosts");
    fs::rename(&aside, &witnesses).expect("moved back");

    // The portal's key is never made: a person gives it to both programs.
    let portal = folder.path().join("portal.key");
    let aside = folder.path().join("portal.aside");
    fs::rename(&portal, &aside).expect("moved");
    refused(&config, EX_CONFIG, "portal.key");
    assert!(!portal.exists(), "none is made");
    fs::rename(&aside, &portal).expect("moved back");

    // Lost for good: the way out is there, and is one that has to be asked for.
    fs::remove_file(&authority).expect("removed");
    let (code, said) = run_to_code(&config, &["ca", "replace-lost", "--confirm"]);
    assert!(
        code == Some(0) && said.contains("let it join anew"),
        "{said}"
    );
    Service::start(&config).kill();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn revoking_says_what_it_strands_and_wants_a_confirmation() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = write_config(folder.path());
    let service = Service::start(&config);
    let (_, line) = run(&config, &["host", "invite", "h1", "--site", "seoul-1"]);
    let mut host = Host::join(service.agents, &line, 1).await;
    let state = |expected: &str| {
        let (_, said) = run(&config, &["host", "list", "--json"]);
        let hosts: serde_json::Value = serde_json::from_str(&said).expect("JSON");
        assert_eq!(hosts[0]["state"], expected, "{said}");
    };
    state("joining");
    assert_eq!(host.report(service.agents).await, 200);
    state("heard");
    let (code, said) = run_to_code(&config, &["host", "revoke", "h1", "--reason", "broken"]);
    assert!(
        code == Some(1) && said.contains("strands 0 servers") && said.contains("Nothing was done"),
        "{said}"
    );
    state("heard");
    for name in ["h9", "h1"] {
        let (fine, said) = run(
            &config,
            &["host", "revoke", name, "--reason", "broken", "--confirm"],
        );
        assert_eq!(fine, name == "h1", "{said}");
        assert!(fine || said.contains("no host is named `h9`"), "{said}");
    }
    state("revoked");
    let (fine, said) = run(&config, &["host", "release", "h1", "--reason", "looked"]);
    assert!(!fine && said.contains("`h1` is revoked already"), "{said}");
    let (fine, said) = run(&config, &["account", "erase", "somebody"]);
    assert!(
        !fine && said.contains("no account with the ID") && said.contains("`somebody`"),
        "{said}"
    );
    service.kill();
}
