//! The portal's configuration: one TOML file, read once at start. Unknown keys are refused, so that a
//! misspelt one can't silently mean its default. `packaging/portal.toml` shows every key.

use std::{
    fs, io,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use axum::http::uri::Authority;
use innkeeper_listener::Networks;
use serde::{Deserialize, de::IgnoredAny};

use crate::area::Area;

/// Shortest secret that is accepted, in bytes.
const SECRET_BYTES_MIN: usize = 32;

/// The configuration file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Which portal this is, `customers` or `staff`; the customers' when not given.
    #[serde(default)]
    pub area: Area,
    /// Where to listen for HTTP; TLS ends in the proxy in front.
    pub listen: SocketAddr,
    /// How browsers reach the portal, without a path: `https://portal.example.net`. Decides whether
    /// cookies are `Secure`, and which `Origin` may post forms.
    pub public_url: String,
    /// Base of the REST API, plain HTTP: `http://127.0.0.1:8081/api/v1`; for the staff's portal the staff's door of the
    /// control plane, such as `http://127.0.0.1:8082`. Carries session tokens, so anything but loopback needs a network
    /// that nobody else can read.
    pub api_url: String,
    /// File with the secret by which the API knows the portal; at least 32 bytes.
    pub portal_key_file: PathBuf,
    /// File with the secret that form tokens are made with; at least 32 bytes. Without it every
    /// process makes its own, and forms that were open during a restart must be sent again.
    #[serde(default)]
    pub form_secret_file: Option<PathBuf>,
    /// Addresses and networks of proxies whose `X-Forwarded-For` is believed: its last entry that is none of them is
    /// the client.
    #[serde(default)]
    pub trusted_proxies: Networks,
    /// Read no more (`unread`): the zone is that of the control plane's `[installation]`, the same as in mails. Files from
    /// before still have it.
    pub time_zone: Option<IgnoredAny>,
}

/// Why the configuration can't be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A file can't be read.
    #[error("can't read {path}")]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file is no TOML of the documented shape.
    #[error("{path} is not a valid configuration")]
    Parse {
        /// Which file.
        path: PathBuf,
        /// What is wrong where.
        source: toml::de::Error,
    },
    /// A URL has not the form it must have.
    #[error("`{key}` must be {wanted}, not `{value}`")]
    Url {
        /// The key.
        key: &'static str,
        /// What it must look like.
        wanted: &'static str,
        /// What it is.
        value: String,
    },
    /// A secret is too short to be one.
    #[error("{path} must hold at least {SECRET_BYTES_MIN} bytes")]
    ShortSecret {
        /// The file.
        path: PathBuf,
    },
}

impl Config {
    /// Reads and checks the file at `path`.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let text = fs::read_to_string(path).map_err(|source| ConfigError::Read {
            path: path.to_owned(),
            source,
        })?;
        let config: Self = toml::from_str(&text).map_err(|source| ConfigError::Parse {
            path: path.to_owned(),
            source,
        })?;
        config.check()?;
        Ok(config)
    }

    /// Whether browsers come over TLS.
    #[must_use]
    pub fn is_https(&self) -> bool {
        self.public_url.starts_with("https://")
    }

    /// The host that browsers ask for, without the port.
    #[must_use]
    pub fn host(&self) -> String {
        let rest = self.public_url.split_once("://").map(|(_, rest)| rest);
        let authority = rest.and_then(|rest| rest.parse::<Authority>().ok());
        authority.map_or_else(String::new, |authority| authority.host().to_owned())
    }

    /// A key of the file that is accepted and no longer read, and where what it said is said today.
    #[must_use]
    pub fn unread(&self) -> Option<(&'static str, &'static str)> {
        let elsewhere = "the zone is that of the control plane's `[installation]`";
        self.time_zone.is_some().then_some(("time_zone", elsewhere))
    }

    fn check(&self) -> Result<(), ConfigError> {
        let origin = self
            .public_url
            .strip_prefix("https://")
            .or_else(|| self.public_url.strip_prefix("http://"));
        let is_bare = |host: &str| !host.is_empty() && !host.contains(['/', '?', '#', '@', ' ']);
        if !origin.is_some_and(is_bare) || self.host().is_empty() {
            return Err(ConfigError::Url {
                key: "public_url",
                wanted: "http(s)://host[:port] without a path",
                value: self.public_url.clone(),
            });
        }
        if !self.api_url.starts_with("http://") || self.api_url.ends_with('/') {
            return Err(ConfigError::Url {
                key: "api_url",
                wanted: "http://host:port, with a path perhaps, without a slash at the end",
                value: self.api_url.clone(),
            });
        }
        Ok(())
    }
}

/// Reads a secret; white space around it does not count.
pub fn read_secret(path: &Path) -> Result<String, ConfigError> {
    let text = fs::read_to_string(path).map_err(|source| ConfigError::Read {
        path: path.to_owned(),
        source,
    })?;
    let secret = text.trim();
    if secret.len() < SECRET_BYTES_MIN {
        return Err(ConfigError::ShortSecret {
            path: path.to_owned(),
        });
    }
    Ok(secret.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"
        listen = "127.0.0.1:8080"
        public_url = "http://portal.localhost:8080"
        api_url = "http://127.0.0.1:8081/api/v1"
        portal_key_file = "portal.key"
    "#;

    fn check(text: &str) -> Result<(), String> {
        let config: Config = toml::from_str(text).map_err(|error| error.to_string())?;
        config.check().map_err(|error| error.to_string())
    }

    #[test]
    fn the_shipped_examples_are_valid() {
        for (file, area) in [
            ("portal.toml", Area::Customers),
            ("staff-portal.toml", Area::Staff),
        ] {
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../packaging");
            let config = Config::load(&path.join(file)).expect("the example must work as it is");
            assert!(config.is_https());
            assert_eq!(config.area, area, "{file}");
        }
    }

    #[test]
    fn mistakes_are_named() {
        assert_eq!(check(GOOD), Ok(()));
        for (from, to, complaint) in [
            ("portal.localhost:8080", "portal.localhost/x", "public_url"),
            ("portal.localhost:8080", "portal[local", "public_url"),
            ("http://portal", "ftp://portal", "public_url"),
            ("/api/v1", "/api/v1/", "api_url"),
            ("http://127", "https://127", "api_url"),
            ("listen", "lisen", "lisen"),
        ] {
            let refused = check(&GOOD.replace(from, to)).expect_err(to);
            assert!(refused.contains(complaint), "{to}: {refused}");
        }
    }

    #[test]
    fn files_from_before_still_name_a_zone_and_are_told_that_it_is_not_read() {
        let config = |text: &str| toml::from_str::<Config>(text).expect("good");
        let from_before = config(&format!("{GOOD}\ntime_zone = \"Asia/Seoul\""));
        assert_eq!(from_before.unread().expect("one").0, "time_zone");
        assert_eq!(config(GOOD).unread(), None);
    }

    #[test]
    fn a_short_secret_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("key");
        fs::write(&path, "  short \n").expect("written");
        assert!(matches!(
            read_secret(&path),
            Err(ConfigError::ShortSecret { .. })
        ));
        fs::write(&path, format!("{}\n", "k".repeat(32))).expect("written");
        assert_eq!(read_secret(&path).expect("long enough"), "k".repeat(32));
    }
}
