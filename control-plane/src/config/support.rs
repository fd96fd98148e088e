//! Technical-support jobs: what engineers do for which price, when there is business, and where engineers come from.

use std::{collections::BTreeSet, net::IpAddr};

use innkeeper_wire::{host::ENGINEER_NETWORKS_MAX, id::Code, ip_network::IpNetwork, money::Money};
use jiff::civil::Weekday;
use serde::Deserialize;

use super::{Config, ConfigError, value};
use crate::support::{
    SupportSettings,
    rules::{calendar::Calendar, job::Service},
};

const WEEKDAYS: [(&str, Weekday); 7] = [
    ("monday", Weekday::Monday),
    ("tuesday", Weekday::Tuesday),
    ("wednesday", Weekday::Wednesday),
    ("thursday", Weekday::Thursday),
    ("friday", Weekday::Friday),
    ("saturday", Weekday::Saturday),
    ("sunday", Weekday::Sunday),
];
/// Most services, so that a form can be read.
const SERVICES_MAX: usize = 50;
/// Longest name of a service.
const NAME_CHARS_MAX: usize = 60;
/// Longest account of a service.
const HELP_CHARS_MAX: usize = 1_000;
/// Most business days.
const BUSINESS_DAYS_MAX: u32 = 60;

/// Support jobs. Without services there are none.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SupportConfig {
    /// Where engineers come from: a network of their own, such as a VPN's, that nobody else comes from.
    pub engineer_networks: Vec<IpNetwork>,
    /// The hour at which business begins, 0 to 23, in the installation's time zone.
    pub opens_hour: u8,
    /// The hour at which it ends, above that, at most 24.
    pub closes_hour: u8,
    /// Days of the week without business, such as `sunday`; Saturday and Sunday when not given.
    pub closed_weekdays: Vec<String>,
    /// Days without business beside those, such as `2026-12-25`.
    pub holidays: Vec<String>,
    /// Within how many business days a job is dealt with, 1 to 60.
    pub business_days: u32,
    /// What can be applied for, at most 50.
    #[serde(rename = "service")]
    pub services: Vec<ServiceConfig>,
}

/// Something that engineers do for a price.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServiceConfig {
    /// Its code, part of the API.
    pub code: Code,
    /// The name that customers see.
    pub name: String,
    /// What is done for that, and what is not.
    pub help: String,
    /// Price for one server before tax, in major units.
    pub price: String,
}

impl Default for SupportConfig {
    fn default() -> Self {
        Self {
            engineer_networks: Vec::new(),
            opens_hour: 9,
            closes_hour: 18,
            closed_weekdays: vec!["saturday".to_owned(), "sunday".to_owned()],
            holidays: Vec::new(),
            business_days: 2,
            services: Vec::new(),
        }
    }
}

impl Config {
    /// What an operator decides about jobs.
    ///
    /// # Errors
    /// [`ConfigError::Value`].
    pub fn support(&self) -> Result<SupportSettings, ConfigError> {
        self.check_engineer_networks()?;
        let support = &self.support;
        if support.closes_hour > 24 || support.opens_hour >= support.closes_hour {
            let why = "must be above opens_hour, at most 24";
            return Err(value("support.closes_hour", why));
        }
        if !(1..=BUSINESS_DAYS_MAX).contains(&support.business_days) {
            let why = format!("must be 1 to {BUSINESS_DAYS_MAX}");
            return Err(value("support.business_days", why));
        }
        let mut holidays = BTreeSet::new();
        for day in &support.holidays {
            let day = day.parse().map_err(|_| {
                let why = format!("`{day}` is no day such as 2026-12-25");
                value("support.holidays", why)
            })?;
            holidays.insert(day);
        }
        Ok(SupportSettings {
            services: self.services()?,
            calendar: Calendar {
                zone: self.installation.time_zone.clone(),
                opens: support.opens_hour,
                closes: support.closes_hour,
                closed: closed_weekdays(&support.closed_weekdays)?,
                holidays,
            },
            business_days: support.business_days,
            engineer_networks: support.engineer_networks.clone(),
            tax: self.tax()?,
        })
    }

    fn services(&self) -> Result<Vec<Service>, ConfigError> {
        let currency = self.installation.currency;
        let mut services: Vec<Service> = Vec::new();
        if self.support.services.len() > SERVICES_MAX {
            let why = format!("must be at most {SERVICES_MAX}");
            return Err(value("support.service", why));
        }
        for service in &self.support.services {
            let key = |name: &str| format!("support.service `{}`, {name}", service.code);
            if services.iter().any(|other| other.code == service.code) {
                return Err(value(key("code"), "is there twice"));
            }
            for (name, text, most) in [
                ("name", &service.name, NAME_CHARS_MAX),
                ("help", &service.help, HELP_CHARS_MAX),
            ] {
                if text.trim().is_empty() || text.chars().count() > most {
                    let why = format!("must be 1 to {most} characters");
                    return Err(value(key(name), why));
                }
            }
            let net = Money::of_text(&service.price, currency);
            services.push(Service {
                code: service.code.clone(),
                name: service.name.trim().to_owned(),
                help: service.help.trim().to_owned(),
                net: net.map_err(|why| value(key("price"), why))?,
            });
        }
        Ok(services)
    }

    /// That engineers come from a network of their own: whoever shares it would be let in with them, or shut out like them.
    fn check_engineer_networks(&self) -> Result<(), ConfigError> {
        const KEY: &str = "support.engineer_networks";
        let networks = &self.support.engineer_networks;
        if networks.len() > ENGINEER_NETWORKS_MAX {
            let why = format!("must be at most {ENGINEER_NETWORKS_MAX}");
            return Err(value(KEY, why));
        }
        for network in networks {
            let holds = |address: &IpAddr| network.contains(address.to_canonical());
            if let Some(ours) = self.own_addresses().iter().find(|address| holds(address)) {
                let why = format!("{network} has the control plane's own address {ours}");
                return Err(value(KEY, why));
            }
            // Of two networks one lies in the other, or they have nothing in common.
            let proxies = &self.listen.trusted_proxies;
            if proxies.contain(network.first()) || proxies.addresses().any(|it| holds(&it)) {
                let why = format!("{network} is among the trusted proxies");
                return Err(value(KEY, why));
            }
            let of_pool = self.pools.iter().find(|pool| {
                let subnet = pool.subnet.parse::<IpNetwork>();
                subnet.is_ok_and(|subnet| network.overlaps(subnet))
            });
            if let Some(pool) = of_pool {
                let why = format!("{network} overlaps the pool {}", pool.subnet);
                return Err(value(KEY, why));
            }
        }
        Ok(())
    }
}

/// Not all of them.
fn closed_weekdays(names: &[String]) -> Result<Vec<Weekday>, ConfigError> {
    const KEY: &str = "support.closed_weekdays";
    let mut days = Vec::new();
    for name in names {
        let found = WEEKDAYS.iter().find(|(known, _)| known == name);
        let why = || format!("`{name}` is no day of the week such as sunday");
        days.push(found.ok_or_else(|| value(KEY, why()))?.1);
    }
    if WEEKDAYS.iter().all(|(_, day)| days.contains(day)) {
        return Err(value(KEY, "leaves no day for business"));
    }
    Ok(days)
}

#[cfg(test)]
mod tests {
    use super::super::tests::{EXAMPLE, parse};

    /// What is wrong with the example with another section about support.
    fn error_of(section: &str) -> String {
        let (before, rest) = EXAMPLE.split_once("[support]").expect("a section");
        let (_, after) = rest.split_once("[tax]").expect("the tax");
        let text = format!("{before}[support]\n{section}\n[tax]{after}");
        let config = parse(&text).expect("it is read");
        let refused = config.support().expect_err(section);
        refused.to_string()
    }

    #[test]
    fn the_example_is_taken() {
        let settings = parse(EXAMPLE).expect("the example").support();
        let settings = settings.expect("it makes sense");
        assert!(!settings.services.is_empty() && !settings.engineer_networks.is_empty());
    }

    /// Whichever of the two is the larger network.
    #[test]
    fn engineers_come_from_no_network_of_a_proxy() {
        const PROXIES: &str = "# trusted_proxies = [\"127.0.0.1\", \"::1\", \"192.0.2.0/28\"]";
        assert!(EXAMPLE.contains(PROXIES), "the example shows the key");
        for (proxy, network, is_refused) in [
            ("192.0.2.7", "192.0.2.0/24", true),
            ("192.0.2.0/24", "192.0.2.240/28", true),
            ("192.0.2.0/28", "192.0.2.240/28", false),
        ] {
            let text = EXAMPLE.replace(PROXIES, &format!("trusted_proxies = [\"{proxy}\"]"));
            let text = text.replace("192.0.2.240/28", network);
            let settings = parse(&text).expect("it is read").support();
            assert_eq!(settings.is_err(), is_refused, "{proxy} {network}");
        }
    }

    #[test]
    fn what_makes_no_sense_is_refused_with_its_key() {
        let service =
            "[[support.service]]\ncode = \"web\"\nname = \"Web\"\nhelp = \"All of it.\"\n";
        for (section, key) in [
            ("opens_hour = 18".to_owned(), "support.closes_hour"),
            ("closes_hour = 25".to_owned(), "support.closes_hour"),
            ("business_days = 0".to_owned(), "support.business_days"),
            ("holidays = [\"Christmas\"]".to_owned(), "support.holidays"),
            (
                "closed_weekdays = [\"caturday\"]".to_owned(),
                "support.closed_weekdays",
            ),
            (
                "engineer_networks = [\"0.0.0.0/0\"]".to_owned(),
                "support.engineer_networks",
            ),
            (
                format!("{service}price = \"free\""),
                "support.service `web`, price",
            ),
            (
                format!("{service}price = \"1\"\n{service}price = \"1\""),
                "support.service `web`, code",
            ),
        ] {
            let error = error_of(&section);
            assert!(error.contains(key), "{section}: {error}");
        }
    }
}
