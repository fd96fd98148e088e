//! The configuration file: one struct a concern, unknown keys refused, everything checked at start with an
//! error that names the key. `packaging/control-plane.toml` is the annotated example.

use std::{
    collections::BTreeSet,
    net::{IpAddr, SocketAddr},
    path::{Path, PathBuf},
    time::Duration,
};

use innkeeper_listener::Networks;
use innkeeper_wire::{
    id::Code,
    money::Currency,
    vm::{ImageFormat, Opening},
    zone::Zone,
};
use serde::Deserialize;

pub use self::mail::{Mail, MailEncryption};
use self::{
    billing::BillingConfig,
    company::{CompanyConfig, TextFiles},
    demonstration::Demonstration,
    mail::check_mail,
    members::MembersConfig,
    pools::PoolConfig,
    prices::{PlanConfig, TaxConfig},
    staff::StaffConfig,
    support::SupportConfig,
};
use crate::{catalogue::Site, hosts::rules::placement::Overcommit};

pub mod billing;
pub mod company;
mod demonstration;
mod mail;
pub mod members;
mod pools;
pub mod prices;
pub mod staff;
pub mod support;

/// The whole file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Folder for the store, keys and base images; only this service may read it.
    pub data_dir: PathBuf,
    /// Folder for the keys that personal data is sealed with, `data_dir`/keys when not given. Never in a backup
    /// of `data_dir`: it is mirrored by itself, without history.
    pub key_dir: Option<PathBuf>,
    /// Unix socket over which the operator's command line talks to the running service.
    pub admin_socket: PathBuf,
    /// File with the secret that the portal shows with each request, 32 characters or more.
    pub portal_key_file: PathBuf,
    /// Who we are to customers.
    pub installation: Installation,
    /// Who runs it.
    #[serde(default)]
    pub company: CompanyConfig,
    /// What members agree to.
    #[serde(default)]
    pub members: MembersConfig,
    /// Where we listen.
    pub listen: Listen,
    /// The staff's door.
    pub staff: Option<StaffConfig>,
    /// How mail leaves.
    pub mail: Mail,
    /// How much more may be promised than there is.
    #[serde(default = "default_overcommit")]
    pub overcommit: Overcommit,
    /// Nothing, in earnest.
    #[serde(default)]
    pub(crate) demonstration: Demonstration,
    /// When months are closed, and what becomes of invoices.
    #[serde(default)]
    pub billing: BillingConfig,
    /// Technical-support jobs.
    #[serde(default)]
    pub support: SupportConfig,
    /// The tax on what is sold.
    pub tax: Option<TaxConfig>,
    /// Data centres, at least one.
    #[serde(rename = "site")]
    pub sites: Vec<SiteConfig>,
    /// Address pools, at least one IPv4 pool a site.
    #[serde(rename = "pool")]
    pub pools: Vec<PoolConfig>,
    /// What can be ordered, at least one.
    #[serde(rename = "plan")]
    pub plans: Vec<PlanConfig>,
    /// Operating systems, at least one.
    #[serde(rename = "image")]
    pub images: Vec<ImageConfig>,
}

/// Who we are to customers.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Installation {
    /// A short code that becomes part of every host's identity; never change it.
    pub id: Code,
    /// The name that customers see.
    pub name: String,
    /// Where customers get help.
    pub support_email: String,
    /// Where the portal is, without a slash at the end; links in mails start with it.
    pub portal_url: String,
    /// Where programs reach the REST API, without a slash at the end: the portal's examples start with it.
    pub api_url: Option<String>,
    /// The time zone in which mails and pages tell times to customers, by its IANA name; UTC when not given.
    #[serde(default)]
    pub time_zone: Zone,
    /// ISO 4217 code of all prices in this file: KRW, TWD, USD or EUR.
    pub currency: Currency,
    /// Version of the member terms; change it whenever their text changes.
    pub terms_version: String,
    /// The member terms: a file, or one for each language; plain text, at most 100 000 bytes each.
    pub terms_file: TextFiles,
    /// The privacy policy, likewise.
    pub privacy_file: Option<TextFiles>,
    /// Shortest password, 8 to 64. Below 15 is advised only together with a second factor.
    #[serde(default = "default_password_length_min")]
    pub password_length_min: usize,
    /// Most servers that a new account may have at a time.
    #[serde(default = "default_server_quota")]
    pub server_quota: u32,
    /// Most sign-ups in an hour from everywhere together, 1 or more; each sends a mail. One address may make 20.
    #[serde(default = "default_sign_ups_per_hour")]
    pub sign_ups_per_hour: u32,
    /// Days for which hosts keep the disk of a deleted server aside, as customers are told; hosts have a
    /// setting of their own that must agree.
    #[serde(default = "default_tombstone_days")]
    pub tombstone_days: u32,
    /// Hours for which the address of a deleted server is given to nobody else, 1 to 720. One that no guest ever had is
    /// free at once.
    #[serde(default = "default_address_rest_hours")]
    pub address_rest_hours: u32,
    /// Folder with the fonts of invoices, `NotoSansCJK-Regular.ttc` and `NotoSansCJK-Bold.ttc`; that of Debian's
    /// `fonts-noto-cjk` when not given.
    #[serde(default = "default_invoice_fonts")]
    pub invoice_fonts: PathBuf,
    /// Days for which it can be proven who changed what; 0 for ever. The audit trail takes some hundred bytes a
    /// commit.
    #[serde(default = "default_audit_days")]
    pub audit_days: u32,
}

/// Where we listen.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Listen {
    /// REST API, plain HTTP: on loopback, or behind a proxy that does TLS.
    pub api: SocketAddr,
    /// Agent API, mutual TLS: where hosts dial.
    pub agent: SocketAddr,
    /// Prometheus metrics, plain HTTP.
    pub metrics: SocketAddr,
    /// Addresses and networks of proxies in front of the REST API, and of portals on other machines: who their client
    /// is they say in `X-Forwarded-For` or `Forwarded`.
    #[serde(default)]
    pub trusted_proxies: Networks,
    /// Names and addresses by which hosts reach the agent API; the first one goes into invitations.
    pub agent_names: Vec<String>,
}

/// A data centre.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SiteConfig {
    /// Its code, part of the API.
    pub code: Code,
    /// The name that customers see.
    pub name: String,
}

/// An operating system.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImageConfig {
    /// Its code, part of the API.
    pub code: Code,
    /// The name that customers see.
    pub name: String,
    /// The user to sign in as over ssh.
    pub login_user: String,
    /// The file; copied into `data_dir` at start, under its digest.
    pub file: PathBuf,
    /// Its format; never guessed.
    pub format: ImageFormat,
    /// Whether it is offered no more, and stays because servers were made from it.
    #[serde(default)]
    pub retired: bool,
}

const fn default_overcommit() -> Overcommit {
    Overcommit {
        cpu_percent: 400,
        memory_percent: 100,
        disk_percent: 100,
    }
}

const fn default_password_length_min() -> usize {
    15
}

fn default_invoice_fonts() -> PathBuf {
    PathBuf::from("/usr/share/fonts/opentype/noto")
}

const fn default_server_quota() -> u32 {
    innkeeper_wire::api::SERVERS_PER_ACCOUNT_DEFAULT
}

const fn default_sign_ups_per_hour() -> u32 {
    1_000
}

const fn default_audit_days() -> u32 {
    1_826
}

const fn default_tombstone_days() -> u32 {
    7
}

const fn default_address_rest_hours() -> u32 {
    24
}

impl Installation {
    /// How long the address of a deleted server rests.
    #[must_use]
    pub fn address_rest(&self) -> Duration {
        Duration::from_secs(u64::from(self.address_rest_hours) * 3_600)
    }
}

/// Why a configuration is refused.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A file can't be read.
    #[error("can't read {path}")]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The file is no TOML of the wanted form.
    #[error("{path} is not a valid configuration")]
    Parse {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: Box<toml::de::Error>,
    },
    /// A value makes no sense.
    #[error("{key}: {why}")]
    Value {
        /// Which key.
        key: String,
        /// Why.
        why: String,
    },
}

fn value(key: impl Into<String>, why: impl ToString) -> ConfigError {
    ConfigError::Value {
        key: key.into(),
        why: why.to_string(),
    }
}

/// Reads a text file.
pub fn read(path: &Path) -> Result<String, ConfigError> {
    std::fs::read_to_string(path).map_err(|source| ConfigError::Read {
        path: path.to_owned(),
        source,
    })
}

impl Config {
    /// Reads and checks the file.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        Self::parse(&read(path)?, path)
    }

    fn parse(text: &str, path: &Path) -> Result<Self, ConfigError> {
        let parsed: Result<Self, _> = toml::from_str(text);
        let config = parsed.map_err(|source| ConfigError::Parse {
            path: path.to_owned(),
            source: Box::new(source),
        })?;
        config.check()?;
        Ok(config)
    }

    fn check(&self) -> Result<(), ConfigError> {
        if !(8..=64).contains(&self.installation.password_length_min) {
            return Err(value(
                "installation.password_length_min",
                "must be from 8 to 64",
            ));
        }
        if !(1..=720).contains(&self.installation.address_rest_hours) {
            let why = "must be from 1 to 720";
            return Err(value("installation.address_rest_hours", why));
        }
        if self.installation.sign_ups_per_hour == 0 {
            let why = "must be 1 or more";
            return Err(value("installation.sign_ups_per_hour", why));
        }
        self.check_names()?;
        self.company.check()?;
        self.members.check()?;
        if self.listen.agent_names.is_empty() {
            return Err(value(
                "listen.agent_names",
                "needs at least one name or address",
            ));
        }
        for (key, count) in [
            ("site", self.sites.len()),
            ("pool", self.pools.len()),
            ("plan", self.plans.len()),
            ("image", self.images.len()),
        ] {
            if count == 0 {
                return Err(value(key, "needs at least one entry"));
            }
        }
        unique("site", self.sites.iter().map(|site| &site.code))?;
        unique("plan", self.plans.iter().map(|plan| &plan.code))?;
        unique("image", self.images.iter().map(|image| &image.code))?;
        self.check_image_files()?;
        self.plans()?;
        let pools = self.pools()?;
        for site in &self.sites {
            if !pools
                .iter()
                .any(|pool| pool.site == site.code && pool.is_v4())
            {
                return Err(value(
                    "pool",
                    format!("site `{}` has no IPv4 pool", site.code),
                ));
            }
        }
        Ok(())
    }

    /// One file has one format, and which it is decides how hosts read it.
    fn check_image_files(&self) -> Result<(), ConfigError> {
        for (index, image) in self.images.iter().enumerate() {
            let mut before = self.images.iter().take(index);
            let differs =
                |other: &&ImageConfig| other.file == image.file && other.format != image.format;
            if let Some(other) = before.find(differs) {
                return Err(value(
                    format!("image `{}`, format", image.code),
                    format!(
                        "{} is that of image `{}` too, with another format",
                        image.file.display(),
                        other.code
                    ),
                ));
            }
        }
        Ok(())
    }

    /// Whether what others shall find us by is what it should be.
    fn check_names(&self) -> Result<(), ConfigError> {
        check_url("installation.portal_url", &self.installation.portal_url)?;
        if let Some(url) = &self.installation.api_url {
            check_url("installation.api_url", url)?;
        }
        if let Some(staff) = &self.staff {
            staff.check(&self.listen)?;
        }
        for name in &self.listen.agent_names {
            if !is_name_or_address(name) {
                let why = format!(
                    "`{name}` is neither a name nor an address: no https://, no port, such as control.cloud.example"
                );
                return Err(value("listen.agent_names", why));
            }
        }
        check_mail(&self.mail)
    }

    /// Where the vault is.
    #[must_use]
    pub fn key_dir(&self) -> PathBuf {
        let beside_the_store = || self.data_dir.join("keys");
        self.key_dir.clone().unwrap_or_else(beside_the_store)
    }

    /// The sites.
    #[must_use]
    pub fn sites(&self) -> Vec<Site> {
        self.sites
            .iter()
            .map(|site| Site {
                code: site.code.clone(),
                name: site.name.clone(),
            })
            .collect()
    }

    /// What may come in to a new server: everything. Its owner has root and a firewall of his own inside.
    #[must_use]
    pub fn openings() -> Vec<Opening> {
        vec![
            Opening::Icmp,
            Opening::Tcp {
                first: 1,
                last: u16::MAX,
            },
            Opening::Udp {
                first: 1,
                last: u16::MAX,
            },
        ]
    }
}

/// Whether a portal can be there.
fn check_url(key: &'static str, url: &str) -> Result<(), ConfigError> {
    if url.ends_with('/') {
        return Err(value(key, "must not end with a slash"));
    }
    if host_of(url).is_none() {
        let why = format!("`{url}` is no URL such as https://portal.cloud.example");
        return Err(value(key, why));
    }
    Ok(())
}

/// The host in a URL of http or https, without its port.
pub(crate) fn host_of(url: &str) -> Option<String> {
    let url: hyper::Uri = url.parse().ok()?;
    let is_web = matches!(url.scheme_str(), Some("http" | "https"));
    let host = url.host().filter(|host| is_web && !host.is_empty())?;
    Some(host.trim_matches(['[', ']']).to_owned())
}

/// Whether hosts can dial this: a name, or an address without brackets.
fn is_name_or_address(name: &str) -> bool {
    name.parse::<IpAddr>().is_ok() || is_name(name)
}

/// Whether it has the form of a name of a machine.
fn is_name(name: &str) -> bool {
    let is_label = |label: &str| {
        let fits = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
        (1..=63).contains(&label.len()) && label.bytes().all(fits)
    };
    name.len() <= 253 && name.split('.').all(is_label)
}

fn unique<'a>(key: &str, codes: impl Iterator<Item = &'a Code>) -> Result<(), ConfigError> {
    let mut seen = BTreeSet::new();
    for code in codes {
        if !seen.insert(code) {
            return Err(value(key, format!("the code `{code}` stands twice")));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) const EXAMPLE: &str = include_str!("../../packaging/control-plane.toml");

    pub(super) fn parse(text: &str) -> Result<Config, ConfigError> {
        Config::parse(text, Path::new("control-plane.toml"))
    }

    #[test]
    fn the_shipped_example_is_valid() {
        let config = parse(EXAMPLE).expect("the example");
        assert!(!config.plans().expect("plans").is_empty());
    }

    /// Row C15: an hour, where the threat model has a day (T43).
    #[test]
    fn addresses_rest_a_day_unless_somebody_says_otherwise() {
        let silent = EXAMPLE.replace("address_rest_hours = 24\n", "");
        assert!(silent.len() < EXAMPLE.len());
        let rest = |text: &str| parse(text).expect("valid").installation.address_rest();
        assert_eq!(rest(&silent), Duration::from_hours(24));
        assert_eq!(rest(EXAMPLE), Duration::from_hours(24));
    }

    /// That the example with one text in place of another is refused in these words.
    #[track_caller]
    fn check(from: &str, to: &str, expected: &str) {
        assert!(EXAMPLE.contains(from), "{from}");
        let error = parse(&EXAMPLE.replacen(from, to, 1)).expect_err(expected);
        let text = innkeeper_wire::error::chain(&error);
        assert!(text.contains(expected), "{text}");
    }

    #[test]
    fn a_text_on_personal_data_has_a_version_and_a_general_form() {
        let silent = "# personal_data_version = \"2026-11\"";
        for (key, expected) in [
            (
                "personal_data_version = \"1\"",
                "members.personal_data_file: is missing",
            ),
            (
                "personal_data_version = \" \"",
                "members.personal_data_version: must not be empty",
            ),
            (
                "personal_data_file = \"a\"",
                "members.personal_data_version: is missing",
            ),
            (
                "partner_personal_data_file = \"a\"",
                "members.personal_data_file: is missing",
            ),
        ] {
            check(silent, key, expected);
        }
    }

    #[test]
    fn mistakes_are_named() {
        check("data_dir", "date_dir", "date_dir");
        check("hourly = \"9\"", "hourly = \"nine\"", "plan `s1`, hourly");
        check(
            "subnet = \"203.0.113.128/25\"",
            "subnet = \"203.0.113.129/25\"",
            "pool `203.0.113.129/25`: subnet `203.0.113.129/25` is not a network",
        );
        check(
            "password_length_min = 15",
            "password_length_min = 4",
            "password_length_min",
        );
        check(
            "address_rest_hours = 24",
            "address_rest_hours = 0",
            "address_rest_hours: must be from 1 to 720",
        );
        check(
            "sign_ups_per_hour = 1000",
            "sign_ups_per_hour = 0",
            "sign_ups_per_hour: must be 1 or more",
        );
        check(
            "code = \"s2\"",
            "code = \"s1\"",
            "the code `s1` stands twice",
        );
        check("currency = \"KRW\"", "currency = \"XXX\"", "XXX");
        for url in [
            "portal.cloud.example",
            "ftp://portal.cloud.example",
            "https://",
        ] {
            check("https://portal.cloud.example", url, "portal_url");
        }
        for name in [
            "https://control.cloud.example",
            "control.cloud.example:8443",
            "a b",
            "",
        ] {
            check("control.cloud.example", name, "agent_names");
        }
        let sender = "Example Cloud <noreply@cloud.example>";
        check(sender, "nonsense", "mail.from");
    }

    #[test]
    fn what_is_retired_is_not_offered_and_stays_known() {
        let text = EXAMPLE.replacen("code = \"s2\"", "code = \"s2\"\nretired = true", 1);
        let config = parse(&text).expect("a configuration");
        assert_eq!(
            (config.plans.len(), config.plans().expect("plans").len()),
            (2, 1)
        );
    }

    /// Row B24: one file listed twice, as qcow2 and as raw.
    #[test]
    fn one_file_has_one_format() {
        let (_, image) = EXAMPLE.split_once("[[image]]").expect("an image");
        let again = image.replace("debian-12\"", "debian\"");
        let twice = format!("{EXAMPLE}\n[[image]]{again}");
        assert!(parse(&twice).is_ok(), "under two codes");
        let raw = again.replace("format = \"qcow2\"", "format = \"raw\"");
        let error = parse(&format!("{EXAMPLE}\n[[image]]{raw}")).expect_err("two formats");
        let expected = "image `debian`, format: /var/lib/innkeeper-images/debian-12.qcow2 is that of \
                        image `debian-12` too, with another format";
        assert_eq!(error.to_string(), expected);
    }
}
