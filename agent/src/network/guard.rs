//! Which guests this host can't carry, whatever it is told: one whose address the host itself needs, and one with
//! an IPv6 address where the host has no IPv6. Pure: `plan` asks for each guest, with what [`super::Network`]
//! found.
//!
//! A guest that got the address of the host's router would cut the host off from its control plane, and with it
//! from the order to take that guest away again.

use std::{collections::BTreeMap, net::IpAddr};

use innkeeper_wire::{host::HOST_ADDRESSES_REPORTED_MAX, vm::Nic};

/// What of a host's own network decides which guests it can carry.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Surroundings {
    /// Addresses that the host itself needs.
    pub taken: BTreeMap<IpAddr, AddressUse>,
    /// Why the host has no IPv6, if it has none.
    pub without_ipv6: Option<String>,
}

impl Surroundings {
    /// The host's own addresses that others may ask for, as they are reported: what is valid on one link or machine
    /// alone is in no pool.
    #[must_use]
    pub fn own_addresses(&self) -> Vec<IpAddr> {
        let is_global = |address: &IpAddr| match address {
            IpAddr::V4(v4) => !v4.is_loopback() && !v4.is_link_local(),
            IpAddr::V6(v6) => !v6.is_loopback() && !v6.is_unicast_link_local(),
        };
        let own = self
            .taken
            .iter()
            .filter(|(address, used)| matches!(used, AddressUse::Own { .. }) && is_global(address));
        own.map(|(address, _)| *address)
            .take(HOST_ADDRESSES_REPORTED_MAX)
            .collect()
    }
}

/// What the host needs an address for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AddressUse {
    /// One of its devices has it.
    Own {
        /// Which.
        device: String,
    },
    /// It is the next hop of a route.
    NextHop {
        /// The device that the route leads to.
        device: String,
    },
    /// The control plane is reached there.
    ControlPlane,
}

/// Why a guest can't be carried here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// A device of the host has the address.
    #[error("its address {address} is the host's own, on {device}")]
    Own {
        /// The guest's address.
        address: IpAddr,
        /// Where the host has it.
        device: String,
    },
    /// The host sends packets to a router with the address.
    #[error("its address {address} is that of a router that the host uses, on {device}")]
    NextHop {
        /// The guest's address.
        address: IpAddr,
        /// Where that router is.
        device: String,
    },
    /// The host reaches the control plane there.
    #[error("its address {0} is the control plane's")]
    ControlPlane(IpAddr),
    /// The guest was given the address of its own router.
    #[error("its address {0} is the gateway of its own subnet")]
    Gateway(IpAddr),
    /// The guest has an IPv6 address and the host has no IPv6.
    #[error("it has the address {address} and this host has no IPv6: {reason}")]
    WithoutIpv6 {
        /// The guest's address.
        address: IpAddr,
        /// Why the host has none.
        reason: String,
    },
}

impl Refusal {
    /// Whether the address is in somebody else's use: then not even a guest that runs already may keep it.
    #[must_use]
    pub fn is_address_in_use(&self) -> bool {
        match self {
            Self::Own { .. } | Self::NextHop { .. } | Self::ControlPlane(_) | Self::Gateway(_) => {
                true
            }
            Self::WithoutIpv6 { .. } => false,
        }
    }
}

/// Why a guest with this interface can't be carried here, if it can't.
#[must_use]
pub fn refusal(nic: &Nic, surroundings: &Surroundings) -> Option<Refusal> {
    let in_use = nic.addresses.iter().find_map(|address| {
        let is_gateway = nic
            .subnets
            .iter()
            .any(|subnet| subnet.gateway == Some(*address));
        if is_gateway {
            return Some(Refusal::Gateway(*address));
        }
        let (address, used) = (*address, surroundings.taken.get(address)?);
        Some(match used.clone() {
            AddressUse::Own { device } => Refusal::Own { address, device },
            AddressUse::NextHop { device } => Refusal::NextHop { address, device },
            AddressUse::ControlPlane => Refusal::ControlPlane(address),
        })
    });
    in_use.or_else(|| {
        let reason = surroundings.without_ipv6.clone()?;
        let address = *nic.addresses.iter().find(|address| address.is_ipv6())?;
        Some(Refusal::WithoutIpv6 { address, reason })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures;

    fn address(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    fn taken(text: &str, used: AddressUse) -> Surroundings {
        Surroundings {
            taken: [(address(text), used)].into(),
            without_ipv6: None,
        }
    }

    fn own() -> AddressUse {
        let device = "eth0".to_owned();
        AddressUse::Own { device }
    }

    /// Trial row B2: the first order got the gateway's address, the next one the host's own.
    #[test]
    fn a_host_reports_its_own_addresses_and_nobody_elses() {
        let own = |device: &str| AddressUse::Own {
            device: device.to_owned(),
        };
        let hop = AddressUse::NextHop {
            device: "eth0".to_owned(),
        };
        let taken = [
            ("127.0.0.1", own("lo")),
            ("::1", own("lo")),
            ("fe80::7", own("eth0")),
            ("169.254.0.9", own("eth1")),
            ("192.0.2.1", hop),
            ("192.0.2.9", own("eth0")),
            ("192.0.2.10", own("eth1")),
            ("198.51.100.1", AddressUse::ControlPlane),
            ("2001:db8::9", own("eth0")),
        ];
        let surroundings = Surroundings {
            taken: taken
                .map(|(text, used)| (text.parse().expect("an address"), used))
                .into(),
            without_ipv6: None,
        };
        let reported = surroundings.own_addresses();
        let expected = ["192.0.2.9", "192.0.2.10", "2001:db8::9"];
        assert_eq!(
            reported,
            expected.map(|text| text.parse::<IpAddr>().expect("an address"))
        );
    }

    /// Forty private bridges come before the address of a pool.
    #[test]
    fn private_bridges_do_not_keep_out_a_public_address() {
        let bridge = |n: u8| (IpAddr::from([10, 0, n, 1]), own());
        let mut surroundings = Surroundings {
            taken: (0..40).map(bridge).collect(),
            without_ipv6: None,
        };
        let public = address("203.0.113.9");
        surroundings.taken.insert(public, own());
        assert!(surroundings.own_addresses().contains(&public));
    }

    #[test]
    fn a_guest_gets_no_address_that_the_host_needs() {
        let nic = fixtures::spec_with_subnets().network;
        let router = AddressUse::NextHop {
            device: "eth0".to_owned(),
        };
        for (surroundings, expected) in [
            (Surroundings::default(), None),
            (
                taken("198.51.100.130", own()),
                Some("its address 198.51.100.130 is the host's own, on eth0"),
            ),
            (
                taken("2001:db8::8000:1", own()),
                Some("its address 2001:db8::8000:1 is the host's own, on eth0"),
            ),
            (
                taken("198.51.100.130", router),
                Some("its address 198.51.100.130 is that of a router that the host uses, on eth0"),
            ),
            (
                taken("198.51.100.130", AddressUse::ControlPlane),
                Some("its address 198.51.100.130 is the control plane's"),
            ),
            (taken("198.51.100.131", own()), None),
        ] {
            let said = refusal(&nic, &surroundings).map(|refusal| refusal.to_string());
            assert_eq!(said.as_deref(), expected, "{surroundings:?}");
        }
    }

    #[test]
    fn a_guest_is_not_its_own_gateway() {
        let mut nic = fixtures::spec_with_subnets().network;
        nic.subnets[0].gateway = Some(nic.addresses[0]);
        let refusal = refusal(&nic, &Surroundings::default()).expect("refused");
        assert_eq!(refusal, Refusal::Gateway(nic.addresses[0]));
        assert!(refusal.is_address_in_use());
    }

    /// Trial row B4: a host without IPv6 carries guests that have none.
    #[test]
    fn without_ipv6_only_guests_with_ipv6_are_refused() {
        let mut nic = fixtures::spec_with_subnets().network;
        let surroundings = Surroundings {
            without_ipv6: Some("it is off".to_owned()),
            ..Surroundings::default()
        };
        let refused = refusal(&nic, &surroundings).expect("refused");
        assert!(!refused.is_address_in_use());
        assert_eq!(
            refused.to_string(),
            "it has the address 2001:db8::8000:1 and this host has no IPv6: it is off"
        );
        nic.addresses.truncate(1);
        nic.subnets.truncate(1);
        assert_eq!(refusal(&nic, &surroundings), None);
    }
}
