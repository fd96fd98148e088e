//! `innkeeper-portal doctor`: one line for each thing that the portal needs, with what to do where something is
//! wrong. It changes nothing.

use std::{
    io,
    net::{IpAddr, Ipv4Addr},
    path::Path,
    process::ExitCode,
    sync::Arc,
};

use innkeeper_wire::{
    api::Installation,
    endpoints::{Endpoint as _, rest::GetInstallation},
    error::chain,
    time::SystemClock,
};
use tokio::net::TcpListener;

use crate::{
    api::{ApiError, Caller},
    config::Config,
    portal::Portal,
};

/// What came of one check: what was found, or what is wrong and what to do.
type Verdict = Result<String, String>;

/// Prints all checks; fails when something is wrong.
pub async fn examine(file: &Path) -> ExitCode {
    let checks = all(file).await;
    for (name, verdict) in &checks {
        let (sign, text) = match verdict {
            Ok(text) => ("ok  ", text),
            Err(text) => ("FAIL", text),
        };
        say(&format!("{sign}  {name:<15} {text}"));
    }
    if checks.iter().all(|(_, verdict)| verdict.is_ok()) {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

#[expect(clippy::print_stdout, reason = "the answer of a command")]
fn say(text: &str) {
    println!("{text}");
}

async fn all(file: &Path) -> Vec<(&'static str, Verdict)> {
    let config = match Config::load(file) {
        Ok(config) => config,
        Err(error) => return vec![("configuration", Err(one_line(&chain(&error))))],
    };
    let mut checks = vec![(
        "configuration",
        Ok(format!("{} is well-formed", file.display())),
    )];
    match Portal::new(&config, Arc::new(SystemClock)) {
        Err(error) => checks.push(("secrets", Err(one_line(&chain(&error))))),
        Ok(portal) => {
            checks.push(("secrets", Ok("can be read".to_owned())));
            let caller = Caller {
                token: None,
                address: IpAddr::V4(Ipv4Addr::LOCALHOST),
            };
            let answer = portal.api.call(caller, GetInstallation::ask()).await;
            let key = if portal.api.is_refused() {
                Key::Refused
            } else {
                Key::Taken
            };
            checks.push(("api", api(&config, answer, key)));
        }
    }
    checks.push(("public_url", public_url(&config)));
    checks.push(("port", port(&config).await));
    checks
}

/// What the API did with the portal's key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Key {
    Taken,
    Refused,
}

fn api(config: &Config, answer: Result<Installation, ApiError>, key: Key) -> Verdict {
    let url = &config.api_url;
    match answer {
        Err(error) => Err(format!(
            "{url}: {error}: is the control plane running, and is `api_url` where it listens?"
        )),
        Ok(_) if key == Key::Refused => Err(format!(
            "{url} answers and does not take this portal's key: copy the control plane's `portal_key_file` to {}",
            config.portal_key_file.display()
        )),
        Ok(installation) => Ok(format!("{url} is {}", installation.name)),
    }
}

/// Passwords go over it.
fn public_url(config: &Config) -> Verdict {
    if config.is_https() || config.public_url.contains("localhost") {
        Ok(config.public_url.clone())
    } else {
        Err(format!(
            "{} is not https: passwords would travel readable; put a proxy with TLS in front",
            config.public_url
        ))
    }
}

async fn port(config: &Config) -> Verdict {
    let address = config.listen;
    match TcpListener::bind(address).await {
        Ok(_) => Ok(format!("{address} is free")),
        // Whether it is the portal's own, its `/healthz` tells.
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => Ok(format!(
            "{address} is in use: by the running portal, or somebody else"
        )),
        Err(error) => Err(format!("{address}: {error}: correct `listen`")),
    }
}

fn one_line(text: &str) -> String {
    text.trim().replace('\n', "; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_wrong_is_named_with_what_to_do() {
        let folder = tempfile::tempdir().expect("a folder");
        let (file, key) = (folder.path().join("portal.toml"), folder.path().join("key"));
        let text = format!(
            "listen = '127.0.0.1:0'\npublic_url = 'https://portal.example'\napi_url = 'http://127.0.0.1:1/api/v1'\n\
             portal_key_file = '{}'\n",
            key.display()
        );
        let verdict = async |name: &str| {
            let checks = all(&file).await;
            let found = checks.into_iter().find(|(check, _)| *check == name);
            found.expect("it is checked").1
        };
        assert!(
            verdict("configuration")
                .await
                .expect_err("no file")
                .contains("can't read")
        );
        std::fs::write(&file, &text).expect("writable");
        assert!(
            verdict("secrets")
                .await
                .expect_err("no key")
                .contains("can't read")
        );
        std::fs::write(&key, "k".repeat(32)).expect("writable");
        verdict("secrets").await.expect("there is one");
        verdict("port").await.expect("any is free");
        assert!(
            verdict("api")
                .await
                .expect_err("nobody")
                .contains("`api_url`")
        );
    }

    #[test]
    fn a_key_that_the_api_does_not_take_is_found() {
        let text = include_str!("../../packaging/portal.toml");
        let config: Config = toml::from_str(text).expect("good");
        let installation = || Installation {
            name: "Cloud".to_owned(),
            support_email: String::new(),
            terms_version: String::new(),
            terms: String::new(),
            has_privacy_policy: false,
            company: Default::default(),
            password_length_min: 15,
            tombstone_days: 7,
            time_zone: innkeeper_wire::zone::Zone::default(),
        };
        let refused = api(&config, Ok(installation()), Key::Refused);
        assert!(
            refused
                .expect_err("another key")
                .contains("`portal_key_file`")
        );
        api(&config, Ok(installation()), Key::Taken).expect("good");
    }
}
