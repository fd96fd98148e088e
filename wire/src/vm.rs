//! A server as a host must make it: the spec, a pure description with nothing pasted in from outside but
//! typed values. An agent fetches it by digest, keeps it, and converges to it.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr},
    str::FromStr,
};

use serde::{Deserialize, Serialize};

use crate::{digest::Digest, id::ServerId, size::Bytes};

/// The gateway of IPv4 guests from before pools had subnets: the host's bridge has it, on link, on every host
/// alike.
pub const GATEWAY_V4: Ipv4Addr = Ipv4Addr::new(169, 254, 1, 1);

/// What one server shall be. Receiving it twice is harmless: one-shot operations are counters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServerSpec {
    /// Whose spec it is; also the libvirt UUID.
    pub server: ServerId,
    /// Host name inside the guest, and what its customer calls it.
    pub hostname: Hostname,
    /// Virtual processors, 1..=256.
    pub vcpus: u32,
    /// Memory, whole mebibytes.
    pub memory: Bytes,
    /// Size of the system disk; at least the image's.
    pub disk: Bytes,
    /// What the system disk starts as.
    pub image: BaseImage,
    /// How the server is reached.
    pub network: Nic,
    /// Keys for the first boot, canonical `algorithm base64` lines without options.
    pub ssh_keys: Vec<String>,
    /// Whether it shall run.
    pub power: Power,
    /// How often a reboot was asked for since creation.
    pub reboots: u32,
    /// Its disk was made before, by an agent that this host's may know nothing of: it is used if it is there, and none is
    /// made in its place. Needs [`crate::host::FEATURE_MADE_BEFORE`].
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub made_before: bool,
}

impl ServerSpec {
    /// The bytes that the digest is of, and that travel.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("a spec has only string keys and plain values")
    }

    /// The content address of this spec.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::of(&self.to_bytes())
    }
}

/// A base image: a read-only file, found by what is in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BaseImage {
    /// SHA-256 of the file.
    pub digest: Digest,
    /// Its format, written down at import and never probed again: a guest can
    /// write a qcow2 header into its raw disk (security.md M5).
    pub format: ImageFormat,
    /// Size of the file.
    pub file_size: Bytes,
    /// Size of the disk inside it.
    pub virtual_size: Bytes,
}

/// Formats of base images.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ImageFormat {
    /// The disk's bytes as they are.
    Raw,
    /// QEMU's copy-on-write format, without a backing file.
    Qcow2,
}

/// A server's one network interface.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Nic {
    /// Hardware address; frames from another are dropped at the tap.
    pub mac: MacAddress,
    /// Addresses, one a family, IPv4 first; packets from others are dropped at the tap.
    pub addresses: Vec<IpAddr>,
    /// The subnet of each address, in the order of `addresses`. Empty for a server from before pools had
    /// subnets: it keeps the gateway [`GATEWAY_V4`], and the digest of its spec.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub subnets: Vec<Subnet>,
    /// What may come in without having been asked for.
    pub openings: Vec<Opening>,
    /// Whether nothing may come to it or leave it, also of connections that are open: its account is suspended for abuse.
    /// An agent must be able to do that ([`crate::host::FEATURE_CUT`]).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cut: bool,
}

/// The network that one address of a server lies in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Subnet {
    /// Length of its prefix, in bits.
    pub prefix: u8,
    /// The router that the guest is told of. None in IPv6, where it is `fe80::1` on every host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gateway: Option<IpAddr>,
    /// How the network around the host finds the address.
    pub mode: PoolMode,
}

/// How the network around a host finds the addresses of a pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PoolMode {
    /// The host answers ARP and ND for them on its uplink.
    ProxyNeighbour,
    /// The network routes the whole pool to one host, which has the pool's gateway itself.
    Static,
}

/// New inbound traffic that the customer lets through, from anywhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "protocol", rename_all = "snake_case", deny_unknown_fields)]
pub enum Opening {
    /// Echo requests and the like, both families.
    Icmp,
    /// TCP to a range of ports.
    Tcp {
        /// First port, at least 1.
        first: u16,
        /// Last port, not below `first`.
        last: u16,
    },
    /// UDP to a range of ports.
    Udp {
        /// First port, at least 1.
        first: u16,
        /// Last port, not below `first`.
        last: u16,
    },
}

/// Whether a server shall run. Every change by the customer takes a higher `serial`: a host acts once on
/// each, so a guest that shuts itself down stays down until its owner says otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Power {
    /// The wanted state.
    pub target: PowerTarget,
    /// Counts the customer's changes, from 1.
    pub serial: u32,
}

/// Wanted power states.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PowerTarget {
    /// Running.
    On,
    /// Off, by asking the guest (ACPI); a guest that does not answer goes on running, which is reported.
    Off,
    /// Off at once, as by pulling the plug.
    OffForced,
}

/// A host name: one DNS label, 1 to 63 of a-z, 0-9 and `-`, no `-` at either end.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, utoipa::ToSchema)]
#[schema(value_type = String, pattern = "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")]
pub struct Hostname(String);

/// Why a text is no host name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a name has 1 to 63 of a-z, 0-9 and `-`, and starts and ends with a letter or digit")]
pub struct ParseHostnameError;

impl Hostname {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Hostname {
    type Err = ParseHostnameError;
    fn from_str(text: &str) -> Result<Self, ParseHostnameError> {
        let alphanumeric = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
        let bytes = text.as_bytes();
        let ends_well = bytes.first().is_some_and(|b| alphanumeric(*b))
            && bytes.last().is_some_and(|b| alphanumeric(*b));
        if ends_well && bytes.len() <= 63 && bytes.iter().all(|b| alphanumeric(*b) || *b == b'-') {
            Ok(Self(text.to_owned()))
        } else {
            Err(ParseHostnameError)
        }
    }
}

impl fmt::Display for Hostname {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An Ethernet address, in text `52:54:00:12:34:56`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MacAddress([u8; 6]);

/// Why a text is no Ethernet address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an Ethernet address has the form 52:54:00:12:34:56")]
pub struct ParseMacError;

impl MacAddress {
    /// The address of a server's interface: locally administered, unicast, from the id's random bits.
    #[must_use]
    pub fn of(server: ServerId) -> Self {
        let id = server.uuid().into_bytes();
        Self([0x02, id[11], id[12], id[13], id[14], id[15]])
    }

    /// The six bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 6] {
        &self.0
    }
}

travels_as_text!(Hostname, MacAddress);

impl fmt::Display for MacAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

impl FromStr for MacAddress {
    type Err = ParseMacError;
    fn from_str(text: &str) -> Result<Self, ParseMacError> {
        let mut bytes = [0; 6];
        let mut parts = text.split(':');
        for byte in &mut bytes {
            let part = parts
                .next()
                .filter(|part| part.len() == 2)
                .ok_or(ParseMacError)?;
            let hex = part.bytes().all(|b| b.is_ascii_hexdigit());
            *byte = u8::from_str_radix(part, 16)
                .ok()
                .filter(|_| hex)
                .ok_or(ParseMacError)?;
        }
        if parts.next().is_some() {
            return Err(ParseMacError);
        }
        Ok(Self(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{id::uuid_v7, time::Timestamp};

    #[test]
    fn host_names() {
        for good in ["web", "web-1", "1", "xn--9n2bp8q", &"a".repeat(63)] {
            assert!(good.parse::<Hostname>().is_ok(), "{good}");
        }
        for bad in [
            "",
            "-web",
            "web-",
            "Web",
            "we b",
            "웹",
            "a.b",
            "a_b",
            "a\nb",
            &"a".repeat(64),
        ] {
            assert!(bad.parse::<Hostname>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_mac_is_local_unicast_and_round_trips() {
        let uuid = uuid_v7(Timestamp::from_millis(1), [0xff; 10]);
        let mac = MacAddress::of(ServerId::from_uuid(uuid));
        assert_eq!(mac.as_bytes()[0] & 0b11, 0b10);
        assert_eq!(mac.to_string().parse(), Ok(mac));
        for bad in [
            "",
            "02:00",
            "02:00:00:00:00:00:00",
            "2:0:0:0:0:0",
            "0g:00:00:00:00:00",
            "+2:00:00:00:00:00",
        ] {
            assert!(bad.parse::<MacAddress>().is_err(), "{bad}");
        }
    }
}
