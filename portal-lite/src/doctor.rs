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

/// What came of one check.
#[derive(Debug)]
enum Finding {
    /// What was found.
    Ok(String),
    /// What is not as it should be, and keeps nothing from working.
    Warning(String),
    /// What is wrong, and what to do.
    Problem(String),
}

/// Prints all checks; fails when something is wrong.
pub async fn examine(file: &Path) -> ExitCode {
    let mut code = ExitCode::SUCCESS;
    for (name, finding) in all(file).await {
        let (sign, text) = match finding {
            Finding::Ok(text) => ("ok  ", text),
            Finding::Warning(text) => ("WARN", text),
            Finding::Problem(text) => {
                code = ExitCode::FAILURE;
                ("FAIL", text)
            }
        };
        say(&format!("{sign}  {name:<15} {text}"));
    }
    code
}

#[expect(clippy::print_stdout, reason = "the answer of a command")]
fn say(text: &str) {
    println!("{text}");
}

async fn all(file: &Path) -> Vec<(&'static str, Finding)> {
    let config = match Config::load(file) {
        Ok(config) => config,
        Err(error) => return vec![("configuration", Finding::failed(&error))],
    };
    let mut checks = vec![("configuration", configuration(file, &config))];
    match Portal::new(&config, Arc::new(SystemClock)) {
        Err(error) => checks.push(("secrets", Finding::failed(&error))),
        Ok(portal) => {
            checks.push(("secrets", Finding::Ok("can be read".to_owned())));
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

fn configuration(file: &Path, config: &Config) -> Finding {
    let file = file.display();
    match config.unread() {
        Some((key, elsewhere)) => Finding::Warning(format!(
            "{file} has `{key}`, which is no longer read and can be removed: {elsewhere}"
        )),
        None => Finding::Ok(format!("{file} is well-formed")),
    }
}

/// What the API did with the portal's key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Key {
    Taken,
    Refused,
}

fn api(config: &Config, answer: Result<Installation, ApiError>, key: Key) -> Finding {
    let url = &config.api_url;
    match answer {
        Err(error) => Finding::Problem(format!(
            "{url}: {error}: is the control plane running, and is `api_url` where it listens?"
        )),
        Ok(_) if key == Key::Refused => Finding::Problem(format!(
            "{url} answers and does not take this portal's key: copy the control plane's `portal_key_file` to {}",
            config.portal_key_file.display()
        )),
        Ok(installation) => Finding::Ok(format!("{url} is {}", installation.name)),
    }
}

/// Passwords go over it.
fn public_url(config: &Config) -> Finding {
    if config.is_https() || config.public_url.contains("localhost") {
        Finding::Ok(config.public_url.clone())
    } else {
        Finding::Problem(format!(
            "{} is not https: passwords would travel readable; put a proxy with TLS in front",
            config.public_url
        ))
    }
}

async fn port(config: &Config) -> Finding {
    let address = config.listen;
    match TcpListener::bind(address).await {
        Ok(_) => Finding::Ok(format!("{address} is free")),
        // Whether it is the portal's own, its `/healthz` tells.
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => Finding::Ok(format!(
            "{address} is in use: by the running portal, or somebody else"
        )),
        Err(error) => Finding::Problem(format!("{address}: {error}: correct `listen`")),
    }
}

impl Finding {
    fn failed(error: &dyn std::error::Error) -> Self {
        Self::Problem(chain(error).trim().replace('\n', "; "))
    }
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
        let found = async |name: &str| {
            let checks = all(&file).await;
            let found = checks.into_iter().find(|(check, _)| *check == name);
            found.expect("it is checked").1
        };
        let problem = async |name: &str| match found(name).await {
            Finding::Problem(text) => text,
            found => panic!("{found:?}"),
        };
        assert!(problem("configuration").await.contains("can't read"));
        std::fs::write(&file, &text).expect("writable");
        assert!(problem("secrets").await.contains("can't read"));
        std::fs::write(&key, "k".repeat(32)).expect("writable");
        for well in ["configuration", "secrets", "port"] {
            assert!(matches!(found(well).await, Finding::Ok(_)), "{well}");
        }
        assert!(problem("api").await.contains("`api_url`"));
        std::fs::write(&file, format!("{text}time_zone = 'Asia/Seoul'\n")).expect("writable");
        let Finding::Warning(unread) = found("configuration").await else {
            panic!("a key that is not read is not said")
        };
        assert!(unread.contains("`time_zone`"), "{unread}");
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
            offers_trial: false,
            company: Default::default(),
            password_length_min: 15,
            api_url: None,
            tombstone_days: 7,
            time_zone: innkeeper_wire::zone::Zone::default(),
        };
        let refused = api(&config, Ok(installation()), Key::Refused);
        let Finding::Problem(refused) = refused else {
            panic!("{refused:?}")
        };
        assert!(refused.contains("`portal_key_file`"));
        let taken = api(&config, Ok(installation()), Key::Taken);
        assert!(matches!(taken, Finding::Ok(_)));
    }
}
