//! What of the configuration is in use, and what a changed configuration contradicts: the service does not start on
//! such a store, and `doctor` says so before.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    net::IpAddr,
};

use innkeeper_wire::{
    id::{Code, HostId},
    money::Currency,
    time::Timestamp,
};
use serde::{Deserialize, Serialize};

use crate::{
    addresses::rules::pools::{AddressClaim, Pool, Routing, contradiction},
    hosts::rules::host::Host,
    servers::rules::server::{Lifecycle, Server},
};

/// Names that a message lists.
const NAMES_MAX: usize = 5;
/// The installation's id in the shipped example.
pub const PLACEHOLDER_ID: &str = "example";

/// What of the configuration the records use.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct InUse {
    /// Accounts that there ever were.
    pub accounts: u64,
    /// Names of the hosts of each site, but for revoked ones.
    pub hosts: BTreeMap<String, BTreeSet<String>>,
    /// Servers by the currency that they were sold in, gone ones included: what was charged for them stays.
    pub currencies: BTreeMap<String, u64>,
    /// Servers that are not gone, by plan. Those of revoked hosts count in none of what follows: nobody makes or reaches
    /// them any more, and what they had may leave the configuration with their site.
    pub plans: BTreeMap<String, u64>,
    /// The same by image.
    pub images: BTreeMap<String, u64>,
    /// Addresses of servers that are not gone, by site.
    pub addresses: BTreeMap<String, BTreeSet<IpAddr>>,
    /// What servers have of the addresses, those included that no record knows, and what hosts have.
    #[serde(default)]
    pub claims: BTreeMap<IpAddr, AddressClaim>,
    /// When the last commit was made, as far as that was read.
    pub last_commit: Option<Timestamp>,
    /// Hosts that are revoked, for whoever reads what their servers have.
    #[serde(skip)]
    pub revoked: BTreeSet<HostId>,
}

impl InUse {
    /// Takes in who has an address. All of these come first.
    pub fn note_claim(&mut self, address: IpAddr, claim: AddressClaim) {
        match claim {
            AddressClaim::Held { .. }
            | AddressClaim::Unlisted { .. }
            | AddressClaim::Host { .. } => {
                self.claims.insert(address, claim);
            }
            AddressClaim::Resting { .. } => {}
        }
    }

    /// Takes in a host. All of these come before the first server.
    pub fn note_host(&mut self, host: &Host) {
        if !host.may_use_addresses() {
            self.revoked.insert(host.id);
            self.claims.retain(|_, claim| {
                !matches!(
                    claim,
                    AddressClaim::Unlisted { host: there, .. } | AddressClaim::Host { host: there }
                        if *there == host.id
                )
            });
            return;
        }
        let site = self.hosts.entry(host.site.to_string()).or_default();
        site.insert(host.name.clone());
    }

    /// Takes in a server.
    pub fn note_server(&mut self, server: &Server) {
        let count = |counts: &mut BTreeMap<String, u64>, key: &str| {
            *counts.entry(key.to_owned()).or_default() += 1;
        };
        count(
            &mut self.currencies,
            server.plan.monthly_cap.currency.code(),
        );
        if matches!(server.lifecycle, Lifecycle::Gone { .. }) {
            return;
        }
        if self.revoked.contains(&server.host) {
            let its = AddressClaim::Held { server: server.id };
            self.claims.retain(|_, claim| *claim != its);
            return;
        }
        count(&mut self.plans, server.plan.code.as_str());
        count(&mut self.images, server.image.code.as_str());
        let site = self.addresses.entry(server.site.to_string()).or_default();
        site.extend(&server.nic.addresses);
    }

    /// Hosts that are not revoked.
    #[must_use]
    pub fn host_names(&self) -> Vec<&str> {
        self.hosts.values().flatten().map(String::as_str).collect()
    }

    /// Whether nothing binds the store to an installation yet.
    #[must_use]
    pub fn is_nobodys(&self) -> bool {
        self.accounts == 0 && self.hosts.is_empty()
    }
}

/// What a configuration offers, as far as records may need it.
#[derive(Debug, Clone)]
pub struct Offered {
    /// The installation's id.
    pub id: Code,
    /// Currency of all prices.
    pub currency: Currency,
    /// Codes of the sites.
    pub sites: Vec<Code>,
    /// Codes of the plans, retired ones included.
    pub plans: Vec<Code>,
    /// Codes of the images, retired ones included.
    pub images: Vec<Code>,
    /// Address pools.
    pub pools: Vec<Pool>,
}

/// What the records have and the configuration does not allow, with the way out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Contradiction {
    /// Servers were sold in another currency.
    Currency {
        /// That of the configuration.
        configured: Currency,
        /// Theirs.
        used: String,
        /// How many.
        servers: u64,
    },
    /// Hosts stand at a site that is not there.
    Site {
        /// Its code.
        code: String,
        /// Their names.
        hosts: Vec<String>,
    },
    /// Servers have a plan that is not there.
    Plan {
        /// Its code.
        code: String,
        /// How many.
        servers: u64,
    },
    /// Servers were made from an image that is not there.
    Image {
        /// Its code.
        code: String,
        /// How many.
        servers: u64,
    },
    /// Servers have addresses that are in no pool of their site.
    Addresses {
        /// The site.
        site: String,
        /// The addresses.
        addresses: Vec<IpAddr>,
    },
}

impl fmt::Display for Contradiction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Currency {
                configured,
                used,
                servers,
            } => write!(
                f,
                "installation.currency is {configured}, but {servers} servers were sold in {used}: put {used} back"
            ),
            Self::Site { code, hosts } => write!(
                f,
                "there is no site `{code}`, but {} there: put the site back, or revoke them first",
                named(hosts, "host stands", "hosts stand")
            ),
            Self::Plan { code, servers } => write!(
                f,
                "there is no plan `{code}`, but {servers} servers have it: put it back; `retired = true` takes it out of the offer"
            ),
            Self::Image { code, servers } => write!(
                f,
                "there is no image `{code}`, but {servers} servers were made from it: put it back; `retired = true` takes it out of the offer"
            ),
            Self::Addresses { site, addresses } => write!(
                f,
                "no pool of site `{site}` holds {}: put the pool back",
                named(
                    addresses,
                    "address that a server has",
                    "addresses that servers have"
                )
            ),
        }
    }
}

/// `2 hosts stand (h1, h2)`, with the first names only.
fn named<T: fmt::Display>(names: &[T], one: &str, many: &str) -> String {
    let shown: Vec<String> = names.iter().take(NAMES_MAX).map(T::to_string).collect();
    let what = if names.len() == 1 { one } else { many };
    let more = if names.len() > NAMES_MAX { ", ..." } else { "" };
    format!("{} {what} ({}{more})", names.len(), shown.join(", "))
}

/// All that `in_use` has and `offered` does not allow.
#[must_use]
pub fn contradictions(offered: &Offered, in_use: &InUse) -> Vec<Contradiction> {
    let mut found = Vec::new();
    for (used, servers) in &in_use.currencies {
        if used != offered.currency.code() {
            found.push(Contradiction::Currency {
                configured: offered.currency,
                used: used.clone(),
                servers: *servers,
            });
        }
    }
    let lacks = |codes: &[Code], code: &str| !codes.iter().any(|known| known.as_str() == code);
    for (code, hosts) in &in_use.hosts {
        if lacks(&offered.sites, code) {
            found.push(Contradiction::Site {
                code: code.clone(),
                hosts: hosts.iter().cloned().collect(),
            });
        }
    }
    for (code, servers) in &in_use.plans {
        if lacks(&offered.plans, code) {
            found.push(Contradiction::Plan {
                code: code.clone(),
                servers: *servers,
            });
        }
    }
    for (code, servers) in &in_use.images {
        if lacks(&offered.images, code) {
            found.push(Contradiction::Image {
                code: code.clone(),
                servers: *servers,
            });
        }
    }
    for (site, addresses) in &in_use.addresses {
        let pools = offered
            .pools
            .iter()
            .filter(|pool| pool.site.as_str() == site);
        let pools: Vec<_> = pools.collect();
        // What a pool of the site keeps is in it: that is `check_pools`' matter.
        let is_out = |address: &IpAddr| {
            let mut pools = pools.iter();
            pools.all(|pool| pool.position(*address).is_none() && pool.kept(*address).is_none())
        };
        let out: Vec<_> = addresses.iter().copied().filter(is_out).collect();
        if !out.is_empty() {
            found.push(Contradiction::Addresses {
                site: site.clone(),
                addresses: out,
            });
        }
    }
    found
}

/// What pools and records say against each other.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PoolFindings {
    /// What must be mended before anything is given away.
    pub contradictions: Vec<String>,
    /// What is worth a look.
    pub remarks: Vec<String>,
}

/// Holds pools against the records.
#[must_use]
pub fn check_pools(pools: &[Pool], in_use: &InUse) -> PoolFindings {
    let mut findings = PoolFindings::default();
    for (address, claim) in &in_use.claims {
        let giving = pools.iter().find(|pool| pool.position(*address).is_some());
        if let (AddressClaim::Host { host }, Some(pool)) = (claim, giving) {
            findings.remarks.push(format!(
                "pool {pool}: {address} is an address of {host}; no server is given it, write it into `reserved`"
            ));
        }
        let found = pools
            .iter()
            .filter_map(|pool| Some((pool, contradiction(pool, *address, *claim)?)));
        for (pool, found) in found {
            let kind = match found.is_fatal() {
                true => &mut findings.contradictions,
                false => &mut findings.remarks,
            };
            kind.push(format!("pool {pool}: {found}"));
        }
    }
    for pool in pools {
        let Routing::Static { host } = &pool.routing else {
            continue;
        };
        let mut sites = in_use.hosts.iter();
        match sites.find(|(_, hosts)| hosts.contains(host)) {
            None => findings.remarks.push(format!(
                "pool {pool}: there is no host `{host}` yet, so it serves nobody"
            )),
            Some((site, _)) if site != pool.site.as_str() => findings.contradictions.push(format!(
                "pool {pool}: the host `{host}` stands at `{site}`, not at `{}`",
                pool.site
            )),
            Some(_) => {}
        }
    }
    findings
}

/// Why the authority that signs hosts does not fit the configuration and the records.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WrongAuthority {
    /// The id is still the example's.
    #[error(
        "installation.id is still `{PLACEHOLDER_ID}`, the example's: choose a short code of your own, such as your \
         company's name. It becomes part of every host's identity and can't be changed later"
    )]
    Placeholder,
    /// The authority is of another installation, and nothing depends on it.
    #[error(
        "installation.id is `{configured}`, but {file} is of `{found}`. No host has joined and no account exists yet, \
         so nothing is lost by a new one: mv {file} {file}.old, and start again"
    )]
    OtherUnused {
        /// The configuration's.
        configured: Code,
        /// The authority's.
        found: Code,
        /// The authority's file.
        file: String,
    },
    /// The authority is of another installation, which is in use.
    #[error(
        "installation.id is `{configured}`, but {file} is of `{found}`, and {hosts} hosts and {accounts} accounts \
         belong to that: put installation.id = \"{found}\" back"
    )]
    OtherInUse {
        /// The configuration's.
        configured: Code,
        /// The authority's.
        found: Code,
        /// The authority's file.
        file: String,
        /// Hosts that are not revoked.
        hosts: usize,
        /// Accounts.
        accounts: u64,
    },
    /// There is none, and hosts have certificates of one.
    #[error(
        "{file} is missing, but the store has hosts that it has signed ({hosts}): put back the copy that you keep of \
         it. A new one is not made, since every host would have to join anew as another one, without its servers. If \
         no copy exists at all: `innkeeper-control-plane ca replace-lost --confirm`"
    )]
    Lost {
        /// Where it should be.
        file: String,
        /// Names of hosts.
        hosts: String,
    },
}

/// Whether the service may start with the authority whose installation is `found`, `None` when there is none.
pub fn check_authority(
    configured: &Code,
    found: Option<&Code>,
    in_use: &InUse,
    file: &str,
) -> Result<(), WrongAuthority> {
    let hosts = in_use.host_names();
    match found {
        // Whoever has gone live under it keeps it: hosts know the installation by it.
        Some(found) if found == configured && !in_use.is_nobodys() => Ok(()),
        _ if configured.as_str() == PLACEHOLDER_ID && (found.is_some() || hosts.is_empty()) => {
            Err(WrongAuthority::Placeholder)
        }
        Some(found) if found == configured => Ok(()),
        Some(found) if in_use.is_nobodys() => Err(WrongAuthority::OtherUnused {
            configured: configured.clone(),
            found: found.clone(),
            file: file.to_owned(),
        }),
        Some(found) => Err(WrongAuthority::OtherInUse {
            configured: configured.clone(),
            found: found.clone(),
            file: file.to_owned(),
            hosts: hosts.len(),
            accounts: in_use.accounts,
        }),
        None if hosts.is_empty() => Ok(()),
        None => {
            let shown: Vec<_> = hosts.iter().take(NAMES_MAX).copied().collect();
            let more = if hosts.len() > NAMES_MAX { ", ..." } else { "" };
            Err(WrongAuthority::Lost {
                file: file.to_owned(),
                hosts: format!("{}{more}", shown.join(", ")),
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{hosts::rules::host::HostState, servers::rules::server::any_server};

    fn code(text: &str) -> Code {
        text.parse().expect("a code")
    }

    fn in_use() -> InUse {
        let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let addresses = ["192.0.2.9", "2001:db8::9"].map(|text| text.parse().expect("an address"));
        InUse {
            accounts: 1,
            hosts: BTreeMap::from([("seoul-1".to_owned(), set(&["h1", "h2"]))]),
            currencies: BTreeMap::from([("KRW".to_owned(), 3)]),
            plans: BTreeMap::from([("s1".to_owned(), 2)]),
            images: BTreeMap::from([("debian-12".to_owned(), 2)]),
            addresses: BTreeMap::from([("seoul-1".to_owned(), addresses.into())]),
            ..InUse::default()
        }
    }

    fn offered() -> Offered {
        let pool = |network| Pool::parse(code("seoul-1"), network).expect("a pool");
        Offered {
            id: code("acme"),
            currency: Currency::Krw,
            sites: vec![code("seoul-1")],
            plans: vec![code("s1")],
            images: vec![code("debian-12")],
            pools: vec![pool("192.0.2.0/24"), pool("2001:db8::/64")],
        }
    }

    #[test]
    fn each_thing_in_use_that_is_taken_away_is_told_with_the_way_out() {
        assert_eq!(contradictions(&offered(), &in_use()), []);
        type Change = fn(&mut Offered);
        let cases: [(Change, &str); 5] = [
            (
                |offered| offered.currency = Currency::Usd,
                "installation.currency is USD, but 3 servers were sold in KRW: put KRW back",
            ),
            (
                |offered| offered.sites.clear(),
                "there is no site `seoul-1`, but 2 hosts stand (h1, h2) there",
            ),
            (
                |offered| offered.plans.clear(),
                "there is no plan `s1`, but 2 servers have it",
            ),
            (
                |offered| offered.images.clear(),
                "there is no image `debian-12`, but 2 servers were made from it",
            ),
            (
                |offered| drop(offered.pools.remove(0)),
                "no pool of site `seoul-1` holds 1 address that a server has (192.0.2.9)",
            ),
        ];
        for (change, expected) in cases {
            let mut offered = offered();
            change(&mut offered);
            let found = contradictions(&offered, &in_use());
            assert_eq!(found.len(), 1, "{found:?}");
            let text = found[0].to_string();
            assert!(text.starts_with(expected), "{text}");
        }
        assert_eq!(contradictions(&offered(), &InUse::default()), []);
    }

    #[test]
    fn what_a_pool_keeps_is_told_with_the_way_out_and_not_as_missing() {
        let server = any_server();
        let mut in_use = in_use();
        let first: IpAddr = "192.0.2.1".parse().expect("an address");
        let of_site = in_use.addresses.get_mut("seoul-1").expect("a site");
        of_site.insert(first);
        let claim = AddressClaim::Held { server: server.id };
        in_use.note_claim(first, claim);
        // The gateway of a pool of `network` alone is its first address, which an earlier version gave away.
        let offered = offered();
        assert_eq!(contradictions(&offered, &in_use), []);
        let found = check_pools(&offered.pools, &in_use);
        let text = &found.contradictions[0];
        assert!(
            text.contains("192.0.2.1 is to be the gateway") && text.contains("`gateway = \"...\"`"),
            "{text}"
        );
        assert!(!text.contains("delete"), "{text}");
        assert!(found.remarks.is_empty(), "{found:?}");
    }

    #[test]
    fn servers_of_revoked_hosts_use_nothing() {
        let mut server = any_server();
        let address = "192.0.2.76".parse().expect("an address");
        server.nic.addresses = vec![address];
        let read = |state| {
            let mut in_use = InUse::default();
            in_use.note_claim(address, AddressClaim::Held { server: server.id });
            let host = server.host;
            let unlisted = AddressClaim::Unlisted {
                server: server.id,
                host,
            };
            in_use.note_claim("192.0.2.77".parse().expect("an address"), unlisted);
            in_use.note_host(&Host {
                id: host,
                name: "h1".to_owned(),
                site: server.site.clone(),
                state,
                capacity: None,
                joined_at: Timestamp::from_millis(1),
                changed_at: None,
                cordon: None,
                confirmed: None,
                loss: None,
                replaced: None,
            });
            in_use.note_server(&server);
            in_use
        };
        let active = read(HostState::Active);
        assert_eq!((active.plans.len(), active.claims.len()), (1, 2));
        let revoked = read(HostState::Revoked);
        assert!(revoked.plans.is_empty() && revoked.images.is_empty());
        assert!(revoked.addresses.is_empty() && revoked.claims.is_empty());
        assert_eq!(revoked.currencies.len(), 1, "what was charged stays");
    }

    #[test]
    fn a_store_with_hosts_needs_its_own_authority() {
        let check = |configured, found: Option<&str>, in_use: &InUse| {
            let found = found.map(code);
            check_authority(&code(configured), found.as_ref(), in_use, "ca.pem")
        };
        let (used, unused) = (in_use(), InUse::default());
        assert_eq!(check("acme", None, &unused), Ok(()));
        assert_eq!(check("acme", Some("acme"), &used), Ok(()));
        let lost = check("acme", None, &used).expect_err("hosts have certificates");
        assert!(lost.to_string().contains("(h1, h2)"), "{lost}");
        let other = check("acme", Some("other"), &used).expect_err("of another");
        assert!(other.to_string().contains("\"other\" back"), "{other}");
        let early = check("acme", Some("other"), &unused).expect_err("of another");
        assert!(
            early.to_string().contains("mv ca.pem ca.pem.old"),
            "{early}"
        );
    }

    #[test]
    fn the_placeholder_is_refused_until_somebody_lives_with_it() {
        let check = |found: Option<&Code>, in_use: &InUse| {
            check_authority(&code(PLACEHOLDER_ID), found, in_use, "ca.pem")
        };
        let placeholder = code(PLACEHOLDER_ID);
        let refused = Err(WrongAuthority::Placeholder);
        assert_eq!(check(None, &InUse::default()), refused);
        assert_eq!(check(Some(&placeholder), &InUse::default()), refused);
        assert_eq!(check(Some(&placeholder), &in_use()), Ok(()));
    }
}
