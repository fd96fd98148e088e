//! The agent's configuration: one TOML file, read once at start. Unknown keys are refused; every key
//! has a default that suits a production host. `packaging/agent.toml` shows all of them and is parsed
//! by a test.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    ops::RangeInclusive,
    path::{Path, PathBuf},
    time::Duration,
};

use serde::Deserialize;

use crate::{
    connection::{CallError, check_url},
    gaps::Gap,
    hypervisor::{accelerator::AcceleratorPolicy, libvirt::HostConfig},
    network::NetworkConfig,
    plan::Rules,
    resolvers,
};

/// Where the configuration is looked for.
pub const DEFAULT_PATH: &str = "/etc/innkeeper/agent.toml";

/// Outside of 9100 to 9999, which Prometheus gives to exporters: 9177 is that of the libvirt exporters, which are
/// likely to run on a host.
const METRICS_PORT: u16 = 8177;

/// Shortest and longest time that guests may take to shut down, in seconds. The unit waits a minute longer.
const GUESTS_STOP_LIMITS_S: RangeInclusive<u32> = 5..=600;

/// The whole file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The control plane's address, `https://HOST:PORT`, if it has moved since this host joined.
    pub control_plane_url: Option<String>,
    /// Where identity, desired state, images, disks and seeds lie. Absolute.
    pub state_dir: PathBuf,
    /// libvirt's address.
    pub libvirt_uri: String,
    /// `kvm`, or `tcg-allowed` for tests and demonstrations: guests then run slowly and unprotected.
    pub accelerator: AcceleratorPolicy,
    /// The QEMU binary.
    pub emulator: PathBuf,
    /// Name of the guests' bridge, which the agent makes.
    pub bridge: String,
    /// The device on which the host answers ARP and ND for its guests. Either this or `routed`: without one of them,
    /// nobody outside would reach a guest.
    pub uplink: Option<String>,
    /// The network around routes the guests' addresses to this host, which answers for none of them.
    pub routed: bool,
    /// Name servers that guests are told of; those of this machine (resolv.conf, loopback left out) when not given.
    pub nameservers: Option<Vec<IpAddr>>,
    /// Where Prometheus finds `/metrics`. It has no access control: not for a public address.
    pub listen_metrics: SocketAddr,
    /// Memory that is kept for the host itself, in mebibytes.
    pub memory_reserved_mib: u64,
    /// Disk space that is kept free of guests, in gibibytes.
    pub disk_reserved_gib: u64,
    /// How long a deleted server's disk is kept, in days.
    pub tombstone_keep_days: u32,
    /// Most disks of deleted servers that are destroyed within an hour.
    pub purges_per_hour: u16,
    /// How long guests may take to shut down when the machine does, in seconds; then they are powered off.
    pub guests_stop_limit_s: u32,
    /// How log lines look.
    pub log: LogFormat,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// For programs: one JSON object a line.
    Json,
}

impl Default for Config {
    fn default() -> Self {
        let network = NetworkConfig::default();
        Self {
            control_plane_url: None,
            state_dir: PathBuf::from("/var/lib/innkeeper-agent"),
            libvirt_uri: "qemu:///system".to_owned(),
            accelerator: AcceleratorPolicy::default(),
            emulator: PathBuf::from("/usr/bin/qemu-system-x86_64"),
            bridge: network.bridge,
            uplink: None,
            routed: false,
            nameservers: None,
            listen_metrics: SocketAddr::from((Ipv4Addr::LOCALHOST, METRICS_PORT)),
            memory_reserved_mib: 1024,
            disk_reserved_gib: 10,
            tombstone_keep_days: 7,
            purges_per_hour: 10,
            guests_stop_limit_s: 80,
            log: LogFormat::Text,
        }
    }
}

/// What is wrong with a configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file can't be read.
    #[error("can't read {path}")]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// It is no TOML, or has unknown or wrong keys.
    #[error("{path} is not a configuration of the agent")]
    Parse {
        /// Which.
        path: PathBuf,
        /// What and where.
        #[source]
        source: Box<toml::de::Error>,
    },
    /// A path must be absolute.
    #[error("`{0}` must be an absolute path")]
    Relative(&'static str),
    /// The control plane's address is malformed.
    #[error("`control_plane_url`")]
    Url(#[source] CallError),
    /// A device's name the kernel would refuse.
    #[error("`{0}` must be the name of a network device: 1 to 15 letters, digits, `.`, `_` or `-`")]
    Device(&'static str),
    /// Two answers to one question.
    #[error(
        "`uplink` and `routed` exclude each other: either this host answers for its guests' addresses, or the network \
         around routes them here"
    )]
    UplinkAndRouted,
    /// Too short to shut down, or longer than the unit waits.
    #[error(
        "`guests_stop_limit_s` must be {} to {}",
        GUESTS_STOP_LIMITS_S.start(),
        GUESTS_STOP_LIMITS_S.end()
    )]
    StopLimit,
}

impl Config {
    /// Reads and checks the file at `path`.
    ///
    /// # Errors
    /// When it can't be read or something in it is wrong.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path).map_err(|source| ConfigError::Read {
            path: path.to_owned(),
            source,
        })?;
        let config: Self = toml::from_str(&text).map_err(|source| ConfigError::Parse {
            path: path.to_owned(),
            source: Box::new(source),
        })?;
        config.check()?;
        Ok(config)
    }

    fn check(&self) -> Result<(), ConfigError> {
        if !self.state_dir.is_absolute() {
            return Err(ConfigError::Relative("state_dir"));
        }
        if !self.emulator.is_absolute() {
            return Err(ConfigError::Relative("emulator"));
        }
        if let Some(url) = &self.control_plane_url {
            check_url(url).map_err(ConfigError::Url)?;
        }
        if !is_device(&self.bridge) {
            return Err(ConfigError::Device("bridge"));
        }
        match &self.uplink {
            Some(uplink) if !is_device(uplink) => return Err(ConfigError::Device("uplink")),
            Some(_) if self.routed => return Err(ConfigError::UplinkAndRouted),
            _ => {}
        }
        if !GUESTS_STOP_LIMITS_S.contains(&self.guests_stop_limit_s) {
            return Err(ConfigError::StopLimit);
        }
        Ok(())
    }

    /// The name servers that guests are told of; `own` are those that this machine uses.
    ///
    /// # Errors
    /// When there are none, or a guest can't ask one of them.
    pub fn nameservers(&self, own: &[IpAddr]) -> Result<Vec<IpAddr>, Gap> {
        let Some(named) = self.nameservers.as_deref() else {
            return match own {
                [] => Err(Gap::Nameservers),
                own => Ok(own.to_vec()),
            };
        };
        let bad = named
            .iter()
            .find(|address| !resolvers::is_for_guests(**address));
        match bad {
            Some(address) => Err(Gap::Nameserver(*address)),
            None if named.is_empty() => Err(Gap::NoNameservers),
            None => Ok(named.to_vec()),
        }
    }

    /// The part of the host itself; `own` are the name servers that this machine uses. A host that has joined runs on
    /// whatever is open: it has guests, which would all stay off after a power cut or an upgrade otherwise. Without
    /// `uplink` and `routed` the network around is taken to route, and of the name servers those are left that guests
    /// can ask.
    #[must_use]
    pub fn host(&self, own: &[IpAddr]) -> HostConfig {
        let is_open = self.uplink.is_none() && !self.routed;
        let mut gaps: Vec<Gap> = is_open.then_some(Gap::Reach).into_iter().collect();
        let nameservers = self.nameservers(own).unwrap_or_else(|gap| {
            gaps.push(gap);
            let named = self.nameservers.iter().flatten().copied();
            named
                .filter(|address| resolvers::is_for_guests(*address))
                .collect()
        });
        HostConfig {
            gaps,
            libvirt_uri: self.libvirt_uri.clone(),
            accelerator: self.accelerator,
            emulator: self.emulator.clone(),
            state_dir: self.state_dir.clone(),
            memory_reserved_mib: self.memory_reserved_mib,
            disk_reserved_gib: self.disk_reserved_gib,
            network: NetworkConfig {
                bridge: self.bridge.clone(),
                uplink: self.uplink.clone(),
                nameservers,
                control_plane: self.control_plane_url.clone(),
            },
        }
    }

    /// How long guests may take to shut down with the machine.
    #[must_use]
    pub fn guests_stop_limit(&self) -> Duration {
        Duration::from_secs(self.guests_stop_limit_s.into())
    }

    /// The operator's rules for the plan.
    #[must_use]
    pub fn rules(&self) -> Rules {
        Rules {
            tombstone_keep: Duration::from_secs(u64::from(self.tombstone_keep_days) * 24 * 3600),
            purges_per_hour: self.purges_per_hour.into(),
        }
    }

    /// Where identity, desired state and memory lie.
    #[must_use]
    pub fn agent_folder(&self) -> PathBuf {
        self.state_dir.join("agent")
    }
}

fn is_device(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    (1..=15).contains(&name.len()) && name.bytes().all(allowed) && !matches!(name, "." | "..")
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHIPPED: &str = include_str!("../../packaging/agent.toml");

    fn parse(text: &str) -> Result<Config, String> {
        let config: Config = toml::from_str(text).map_err(|error| error.to_string())?;
        config.check().map_err(|error| error.to_string())?;
        Ok(config)
    }

    #[test]
    fn the_shipped_example_shows_every_key_with_its_default() {
        // What is commented out is what happens without it.
        let defaults = parse(SHIPPED).expect("the shipped example");
        assert_eq!(format!("{defaults:?}"), format!("{:?}", Config::default()));
        let is_key = |line: &&str| line.starts_with('#') && line.contains(" = ");
        // The one key that excludes another.
        let is_used = |line: &&str| is_key(line) && !line.starts_with("#routed");
        let keys = SHIPPED
            .lines()
            .filter(is_used)
            .map(|line| line.trim_start_matches('#'));
        let all = parse(&keys.collect::<Vec<_>>().join("\n")).expect("every key in use");
        assert_eq!(all.uplink.as_deref(), Some("eth0"));
        let shown = SHIPPED.lines().filter(is_key).count();
        assert_eq!(shown, 16, "one line for each field of `Config`");
    }

    #[test]
    fn mistakes_are_named() {
        for (text, expected) in [
            ("colour = 'red'", "unknown field `colour`"),
            (
                "state_dir = 'state'",
                "`state_dir` must be an absolute path",
            ),
            ("emulator = 'qemu'", "`emulator` must be an absolute path"),
            ("control_plane_url = 'http://a:1'", "`control_plane_url`"),
            (
                "bridge = 'a bridge'",
                "`bridge` must be the name of a network device",
            ),
            (
                "uplink = 'sixteen-letters-'",
                "`uplink` must be the name of a network device",
            ),
            ("accelerator = 'xen'", "unknown variant `xen`"),
            ("listen_metrics = '8177'", "invalid socket address"),
            ("uplink = 'eth0'\nrouted = true", "exclude each other"),
            ("guests_stop_limit_s = 900", "must be 5 to 600"),
        ] {
            let error = parse(text).expect_err(text);
            assert!(error.contains(expected), "{text}: {error}");
        }
    }

    #[test]
    fn a_host_runs_on_with_what_is_open_and_names_it() {
        let address = |text: &str| text.parse::<IpAddr>().expect("an address");
        let own = [address("192.0.2.53")];
        let (six, loopback) = (address("2001:db8::53"), address("127.0.0.53"));
        for (text, own, nameservers, gaps) in [
            ("uplink = 'eth0'", &own[..], &own[..], &[][..]),
            ("routed = true", &own, &own, &[]),
            (
                "routed = true\nnameservers = ['2001:db8::53']",
                &own,
                &[six],
                &[],
            ),
            // What the version before took, and a machine whose resolver is not up yet.
            ("", &own, &own, &[Gap::Reach]),
            ("", &[], &[], &[Gap::Reach, Gap::Nameservers]),
            ("routed = true", &[], &[], &[Gap::Nameservers]),
            (
                "routed = true\nnameservers = []",
                &own,
                &[],
                &[Gap::NoNameservers],
            ),
            (
                "routed = true\nnameservers = ['127.0.0.53']",
                &own,
                &[],
                &[Gap::Nameserver(loopback)],
            ),
            (
                "routed = true\nnameservers = ['127.0.0.53', '2001:db8::53']",
                &own,
                &[six],
                &[Gap::Nameserver(loopback)],
            ),
        ] {
            let config = parse(text).expect(text);
            let host = config.host(own);
            assert_eq!(host.network.nameservers, nameservers, "{text}");
            assert_eq!(host.gaps, gaps, "{text}");
            // `join` and `doctor` refuse what `run` lives with.
            let is_named = gaps.iter().all(|gap| *gap == Gap::Reach);
            assert_eq!(config.nameservers(own).is_ok(), is_named, "{text}");
        }
    }

    #[test]
    fn rules_come_from_days_and_hours() {
        let config = parse("tombstone_keep_days = 2\npurges_per_hour = 3").expect("good");
        let expected = Rules {
            tombstone_keep: Duration::from_secs(172_800),
            purges_per_hour: 3,
        };
        assert_eq!(config.rules(), expected);
    }
}
