//! What `join` proposes for `agent.toml` where an operator has not decided: how guests' addresses reach this host,
//! and which name servers guests ask.

use std::{fs, io, net::IpAddr, path::Path};

use crate::{config::Config, durable, resolvers};

use super::probe;

/// Lines for `agent.toml`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proposal {
    /// `uplink`, if it is open and there is a default route.
    pub uplink: Option<String>,
    /// `nameservers`, if they are open and this machine has some that guests can ask.
    pub nameservers: Vec<IpAddr>,
    /// Something is open for which there is no proposal.
    pub missing: Vec<&'static str>,
}

impl Proposal {
    /// What this machine's default route and name servers propose; `None` when nothing is open.
    pub async fn for_machine(config: &Config) -> Option<Self> {
        let device = match config.uplink {
            None if !config.routed => probe::default_device().await,
            _ => None,
        };
        Self::of(config, device, &resolvers::of_this_machine())
    }

    fn of(config: &Config, device: Option<String>, own: &[IpAddr]) -> Option<Self> {
        let reach_open = config.uplink.is_none() && !config.routed;
        let names_open = config.nameservers.is_none();
        if !reach_open && (!names_open || !own.is_empty()) {
            // Name servers of this machine are used as they are, without being written down.
            return None;
        }
        let mut missing = Vec::new();
        if reach_open && device.is_none() {
            missing.push("uplink");
        }
        if names_open && own.is_empty() {
            missing.push("nameservers");
        }
        Some(Self {
            uplink: device.filter(|_| reach_open),
            nameservers: if names_open { own.to_vec() } else { Vec::new() },
            missing,
        })
    }

    /// The lines, as they are written into the file.
    #[must_use]
    pub fn lines(&self) -> String {
        let mut lines = String::new();
        if let Some(uplink) = &self.uplink {
            lines.push_str(&format!("uplink = \"{uplink}\"\n"));
        }
        if !self.nameservers.is_empty() {
            let list: Vec<_> = self
                .nameservers
                .iter()
                .map(|a| format!("\"{a}\""))
                .collect();
            lines.push_str(&format!("nameservers = [{}]\n", list.join(", ")));
        }
        lines
    }

    /// What an operator is told who has not decided.
    #[must_use]
    pub fn advice(&self, file: &Path) -> String {
        let file = file.display();
        let mut text = format!(
            "{file} does not say how guests' addresses reach this host, or which name servers guests ask. The invitation \
             was not used.\n"
        );
        let lines = self.lines();
        if !lines.is_empty() {
            text.push_str(&format!(
                "From the default route and the name servers of this machine (repeat the line with --write-config to \
                 have them written there):\n\n{lines}\n"
            ));
        }
        for key in &self.missing {
            text.push_str(match *key {
                "uplink" => "There is no default route to propose `uplink` from: set it.\n",
                _ => "This machine has no name server to propose `nameservers` from: set them.\n",
            });
        }
        text.push_str(
            "If the network around routes guests' addresses to this host, set `routed = true` instead of `uplink`.",
        );
        text
    }

    /// Puts the lines at the end of the file, which is made if it is missing.
    ///
    /// # Errors
    /// When it can't be read or written; then it is as it was.
    pub fn write_to(&self, file: &Path) -> Result<(), WriteError> {
        let before = match fs::read_to_string(file) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            read => read.map_err(WriteError::Read)?,
        };
        let newline = if before.is_empty() || before.ends_with('\n') {
            ""
        } else {
            "\n"
        };
        let lines = self.lines();
        let text = format!(
            "{before}{newline}\n# Written by `innkeeper-agent join --write-config`.\n{lines}"
        );
        durable::write(file, text.as_bytes(), durable::Mode::Public).map_err(WriteError::Write)
    }
}

/// Why a proposal could not be written down.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The file is there and can't be read.
    #[error("the configuration can't be read")]
    Read(#[source] io::Error),
    /// It can't be written.
    #[error("the configuration can't be written")]
    Write(#[source] durable::Error),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(text: &str) -> Config {
        toml::from_str(text).expect("a configuration")
    }

    #[test]
    fn only_what_is_open_is_proposed() {
        let own = ["192.0.2.53".parse().expect("an address")];
        let of =
            |text: &str, own: &[IpAddr]| Proposal::of(&config(text), Some("eth0".to_owned()), own);
        assert_eq!(of("uplink = 'eth1'", &own), None);
        assert_eq!(of("routed = true", &own), None);
        assert_eq!(of("routed = true\nnameservers = ['192.0.2.1']", &[]), None);
        let all = of("", &own).expect("both are open");
        assert_eq!(
            all.lines(),
            "uplink = \"eth0\"\nnameservers = [\"192.0.2.53\"]\n"
        );
        let names = of("nameservers = ['192.0.2.1']", &own).expect("uplink is open");
        assert_eq!(names.lines(), "uplink = \"eth0\"\n");
        let none = Proposal::of(&config(""), None, &[]).expect("both are open");
        assert_eq!((none.lines().as_str(), none.missing.len()), ("", 2));
        assert!(none.advice(Path::new("a")).contains("set it"));
    }

    #[test]
    fn what_is_written_is_what_was_proposed() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("agent.toml");
        fs::write(&file, "accelerator = 'tcg-allowed'").expect("writable");
        let own = ["2001:db8::53".parse().expect("an address")];
        let before = Config::read(&file).expect("good");
        let proposal = Proposal::of(&before, Some("br0".to_owned()), &own).expect("open");
        proposal.write_to(&file).expect("writable");
        let after = Config::read(&file).expect("still good");
        assert_eq!(after.uplink.as_deref(), Some("br0"));
        assert_eq!(after.nameservers.as_deref(), Some(&own[..]));
        assert_eq!(Proposal::of(&after, None, &[]), None);
    }
}
