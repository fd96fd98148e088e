//! The cloud-init seed (NoCloud): a small FAT image labelled `CIDATA` with three documents.
//!
//! Called for [`crate::action::Action::WriteSeed`] and `RemoveSeed`. The documents are JSON, which is YAML
//! too, written by a serialiser from typed values: no customer's text is ever pasted into them. The image is
//! made in memory and is the same for the same spec.

use std::{
    io::{self, Cursor, Write as _},
    net::IpAddr,
    path::PathBuf,
};

use fatfs::{FileSystem, FormatVolumeOptions, FsOptions};
use innkeeper_wire::{
    id::ServerId,
    vm::{GATEWAY_V4, ServerSpec, Subnet},
};
use serde_json::{Value, json};

use crate::layout::{self, StateDir};

/// Size of the image. The documents of a server with 10 large keys take 20 kB of it.
const IMAGE_SIZE: usize = 1 << 20;
/// What NoCloud looks for; FAT labels have 11 characters.
const LABEL: [u8; 11] = *b"CIDATA     ";
/// Where a guest sends IPv6 that is not for itself: the host's bridge.
const GATEWAY_V6: &str = "fe80::1";
/// cloud-init's renderer for /etc/sysconfig ends with an error at a fourth one.
const NAMESERVERS_MAX: usize = 3;

/// Why a seed was not written or removed.
#[derive(Debug, thiserror::Error)]
pub enum SeedError {
    /// The documents don't fit into the image, or the image can't be made.
    #[error("the seed of {server} can't be made")]
    Image {
        /// Whose.
        server: ServerId,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Writing or deleting the file failed.
    #[error("{what} {path}")]
    Io {
        /// The deed.
        what: &'static str,
        /// What it was done to.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// One document of the seed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// Its file name.
    pub name: &'static str,
    /// What is in it.
    pub text: String,
}

/// Writes the server's seed, in place of one that is there.
///
/// # Errors
/// [`SeedError`]; an old seed is then still there.
pub async fn write(
    dirs: &StateDir,
    spec: &ServerSpec,
    nameservers: &[IpAddr],
) -> Result<(), SeedError> {
    let server = spec.server;
    let bytes = image(&documents(spec, nameservers))
        .map_err(|source| SeedError::Image { server, source })?;
    let path = dirs.seed(server);
    let temporary = layout::temporary(&path);
    let target = temporary.clone();
    let written = tokio::task::spawn_blocking(move || {
        let mut file = layout::create_private(&target)?;
        file.write_all(&bytes)?;
        file.sync_all()
    });
    let failed = |source| SeedError::Io {
        what: "write",
        path: temporary.clone(),
        source,
    };
    written
        .await
        .map_err(io::Error::other)
        .flatten()
        .map_err(failed)?;
    layout::publish(&temporary, &path).await.map_err(failed)
}

/// Deletes the server's seed; none is no error.
///
/// # Errors
/// When it can't be deleted.
pub async fn remove(dirs: &StateDir, server: ServerId) -> Result<(), SeedError> {
    let path = dirs.seed(server);
    layout::remove(&path).await.map_err(|source| SeedError::Io {
        what: "remove",
        path,
        source,
    })
}

/// What cloud-init shall read.
#[must_use]
pub fn documents(spec: &ServerSpec, nameservers: &[IpAddr]) -> [Document; 3] {
    let meta_data = json!({
        "instance-id": spec.server,
        "local-hostname": spec.hostname,
    });
    let mut user_data = json!({
        "ssh_pwauth": false,
        "disable_root": false,
        // Minimal images have no package `locales`, and cloud-init calls it an error when it can't make one. As a
        // text: until 24.1 its own schema knew no other type here, and every version reads this text as *none*.
        "locale": "false",
    });
    // An empty list is against the schema.
    if !spec.ssh_keys.is_empty() {
        user_data["ssh_authorized_keys"] = json!(spec.ssh_keys);
    }
    let pretty = |value: &Value| format!("{value:#}\n");
    [
        Document {
            name: "meta-data",
            text: pretty(&meta_data),
        },
        Document {
            name: "user-data",
            text: format!("#cloud-config\n{}", pretty(&user_data)),
        },
        Document {
            name: "network-config",
            text: pretty(&network_config(spec, nameservers)),
        },
    ]
}

/// Version 1 for whoever has subnets, which all renderers of cloud-init turn into something that works;
/// servers from before keep what they were made with.
fn network_config(spec: &ServerSpec, nameservers: &[IpAddr]) -> Value {
    let nic = &spec.network;
    if nic.subnets.len() == nic.addresses.len() {
        version_1(spec, nameservers)
    } else {
        version_2(spec, nameservers)
    }
}

/// One interface with an address of each family. The IPv4 gateway lies in the guest's own prefix, so no renderer
/// needs a route on link, which several drop; in IPv6 each guest is alone in its prefix, and its gateway is
/// link-local, which all of them take. `accept-ra`: systemd-networkd would wait 12 s for a router.
fn version_1(spec: &ServerSpec, nameservers: &[IpAddr]) -> Value {
    let nic = &spec.network;
    let subnets = nic.addresses.iter().zip(&nic.subnets);
    let mut subnets: Vec<_> = subnets
        .map(|(address, subnet)| subnet_of(*address, subnet))
        .collect();
    // All with the first address: the renderer for /etc/sysconfig lets a second list overwrite the first one.
    let reachable = reachable(nameservers, &nic.addresses);
    if let Some(first) = subnets.first_mut().filter(|_| !reachable.is_empty()) {
        first["dns_nameservers"] = json!(reachable);
    }
    json!({
        "version": 1,
        "config": [{
            "type": "physical",
            "name": "eth0",
            "mac_address": nic.mac,
            "accept-ra": false,
            "subnets": subnets,
        }],
    })
}

/// One address with its gateway.
fn subnet_of(address: IpAddr, subnet: &Subnet) -> Value {
    let (kind, prefix, gateway) = match address {
        IpAddr::V4(_) => {
            let gateway = subnet.gateway.unwrap_or(IpAddr::V4(GATEWAY_V4));
            ("static", subnet.prefix, gateway.to_string())
        }
        IpAddr::V6(_) => ("static6", 128, GATEWAY_V6.to_owned()),
    };
    json!({
        "type": kind,
        "address": format!("{address}/{prefix}"),
        "gateway": gateway,
    })
}

/// The name servers that a guest with these addresses can ask, as many as cloud-init's renderers and C
/// libraries take.
fn reachable<'a>(nameservers: &'a [IpAddr], addresses: &[IpAddr]) -> Vec<&'a IpAddr> {
    let has_family_of = |server: &&IpAddr| {
        let same_family = |address: &IpAddr| address.is_ipv4() == server.is_ipv4();
        addresses.iter().any(same_family)
    };
    let reachable = nameservers.iter().filter(has_family_of);
    reachable.take(NAMESERVERS_MAX).collect()
}

/// For servers from before pools had subnets. Matches by address: cloud-init 22.4 ignores `match.name` where it
/// configures systemd-networkd. The gateways are on link, outside of the guest's own prefix.
fn version_2(spec: &ServerSpec, nameservers: &[IpAddr]) -> Value {
    let addresses = &spec.network.addresses;
    let with_prefix = |address: &IpAddr| match address {
        IpAddr::V4(v4) => format!("{v4}/32"),
        IpAddr::V6(v6) => format!("{v6}/128"),
    };
    let default_route = |address: &IpAddr| match address {
        IpAddr::V4(_) => json!({ "to": "0.0.0.0/0", "via": GATEWAY_V4, "on-link": true }),
        IpAddr::V6(_) => json!({ "to": "::/0", "via": GATEWAY_V6, "on-link": true }),
    };
    json!({
        "version": 2,
        "ethernets": {
            "eth0": {
                "match": { "macaddress": spec.network.mac },
                "set-name": "eth0",
                "dhcp4": false,
                "dhcp6": false,
                "accept-ra": false,
                "addresses": addresses.iter().map(with_prefix).collect::<Vec<_>>(),
                "routes": addresses.iter().map(default_route).collect::<Vec<_>>(),
                "nameservers": { "addresses": nameservers },
            },
        },
    })
}

/// A FAT image that holds the documents.
///
/// # Errors
/// When they don't fit.
pub fn image(documents: &[Document]) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; IMAGE_SIZE];
    fatfs::format_volume(
        Cursor::new(&mut bytes[..]),
        FormatVolumeOptions::new().volume_label(LABEL),
    )?;
    let volume = FileSystem::new(Cursor::new(&mut bytes[..]), FsOptions::new())?;
    for document in documents {
        let mut file = volume.root_dir().create_file(document.name)?;
        file.write_all(document.text.as_bytes())?;
        file.flush()?;
    }
    volume.unmount()?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use proptest::prelude::*;

    use super::*;
    use crate::fixtures;

    fn read_back(image: Vec<u8>) -> Vec<(String, String)> {
        let volume = FileSystem::new(Cursor::new(image), FsOptions::new()).expect("a volume");
        assert_eq!(volume.volume_label(), "CIDATA");
        let label = volume.read_volume_label_from_root_dir().expect("readable");
        assert_eq!(label.as_deref(), Some("CIDATA"));
        let entries = volume
            .root_dir()
            .iter()
            .map(|entry| entry.expect("an entry"));
        entries
            .map(|entry| {
                let mut text = String::new();
                entry.to_file().read_to_string(&mut text).expect("readable");
                (entry.file_name(), text)
            })
            .collect()
    }

    fn text_of(spec: &ServerSpec) -> String {
        let servers = ["192.0.2.53", "2001:db8::53"].map(|text| text.parse().expect("an address"));
        let documents = documents(spec, &servers);
        let texts = documents.iter();
        texts
            .map(|document| format!("--- {}\n{}", document.name, document.text))
            .collect()
    }

    #[test]
    fn documents_are_those_of_the_spec() {
        insta::assert_snapshot!(text_of(&fixtures::spec_with_subnets()));
    }

    #[test]
    fn a_server_from_before_subnets_keeps_its_documents() {
        insta::assert_snapshot!(text_of(&fixtures::spec()));
    }

    /// A guest is told of no name server that it can't ask, and of no empty list.
    #[test]
    fn a_guest_of_one_family_has_the_name_servers_of_that_family() {
        let mut spec = fixtures::spec_with_subnets();
        spec.network.addresses.truncate(1);
        spec.network.subnets.truncate(1);
        let subnets = |servers: &[&str]| {
            let servers: Vec<_> = servers
                .iter()
                .map(|text| text.parse().expect("an address"))
                .collect();
            network_config(&spec, &servers)["config"][0]["subnets"].clone()
        };
        let both = subnets(&["2001:db8::53", "192.0.2.53"]);
        assert_eq!(both[0]["dns_nameservers"], json!(["192.0.2.53"]));
        assert_eq!(both.as_array().map(Vec::len), Some(1));
        assert_eq!(subnets(&["2001:db8::53"])[0].get("dns_nameservers"), None);
    }

    /// The schema of cloud-init wants at least one.
    #[test]
    fn no_keys_are_no_list_of_keys() {
        let mut spec = fixtures::spec_with_subnets();
        spec.ssh_keys.clear();
        assert!(!text_of(&spec).contains("ssh_authorized_keys"));
    }

    #[tokio::test]
    async fn the_same_spec_gives_the_same_seed() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let dirs = StateDir::open(folder.path()).expect("usable");
        let spec = fixtures::spec();
        write(&dirs, &spec, &[]).await.expect("written");
        let first = std::fs::read(dirs.seed(spec.server)).expect("there");
        write(&dirs, &spec, &[]).await.expect("written again");
        assert!(first == std::fs::read(dirs.seed(spec.server)).expect("there"));
        remove(&dirs, spec.server).await.expect("removed");
        remove(&dirs, spec.server)
            .await
            .expect("nothing left to remove");
    }

    #[test]
    fn documents_that_do_not_fit_are_an_error() {
        let text = "x".repeat(IMAGE_SIZE);
        let name = "user-data";
        assert!(image(&[Document { name, text }]).is_err());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// Whatever text a key might hold, the image gives the documents back, and the documents the key.
        #[test]
        fn what_is_written_can_be_read(keys in prop::collection::vec(any::<String>(), 0..10)) {
            let mut spec = fixtures::spec();
            spec.ssh_keys.clone_from(&keys);
            let written = documents(&spec, &[]);
            let read = read_back(image(&written).expect("fits"));
            let expected: Vec<_> = written
                .into_iter()
                .map(|document| (document.name.to_owned(), document.text))
                .collect();
            prop_assert_eq!(&read, &expected);
            let user_data = read[1].1.strip_prefix("#cloud-config\n").expect("the first line");
            let user_data: Value = serde_json::from_str(user_data).expect("JSON");
            let listed = user_data.get("ssh_authorized_keys");
            prop_assert_eq!(listed.cloned().unwrap_or(json!([])), json!(keys));
        }
    }
}
