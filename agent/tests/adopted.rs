//! Folders of agents of earlier versions: the present agent goes on with them. Nothing is fetched again, set aside or
//! deleted, and it says of the host what the earlier one said.
//!
//! `tests/golden/<commit>.tar.gz` was made once by the code of that commit, with [`make`], and never changes: `agent`
//! and `servers`, the two folders, and `said.json`, what that code said. The key in it opens nothing else.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    net::{IpAddr, Ipv4Addr},
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use innkeeper_agent::{
    action::{Action, GuestNetwork, NetworkState},
    desired::{Accepted, Store, Verdict},
    disk,
    hypervisor::{Domain, DomainRun, HypervisorError, Inventory, OffReason, Rebooting},
    identity::Enrolment,
    image::{self, ImageSource},
    layout::StateDir,
    memory::{Memory, Readiness},
    plan::{Plan, Rules, View, plan},
    seed,
    witness::{Standing, Witnesses},
};
use innkeeper_mtls::{Ca, HostRequest, authority::HOST_LIFE};
use innkeeper_wire::{
    digest::Digest,
    host::{HeldServer, Intent, Manifest, ManifestEntry, ObservedServer, Witness},
    id::{HostId, ServerId, uuid_v7},
    size::Bytes,
    time::Timestamp,
    vm::{
        BaseImage, ImageFormat, MacAddress, Nic, Opening, PoolMode, Power, PowerTarget, ServerSpec,
        Subnet,
    },
};
use serde::{Deserialize, Serialize};
use tokio::io::AsyncRead;

const NOW: Timestamp = Timestamp::from_millis(1_790_000_000_000);
/// When the agent of the next version looks: the pause after the third failed attempt is not over.
const NEXT_LOOK: Timestamp = Timestamp::from_millis(1_790_000_001_000);
const HOUR: Duration = Duration::from_secs(3_600);
const IMAGE: &[u8] = &[7; 32 * 512];

fn archives() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

fn tar(arguments: &[&str]) {
    let status = Command::new("tar").args(arguments).status();
    assert!(status.expect("tar is there").success(), "{arguments:?}");
}

fn uuid(number: u8) -> uuid::Uuid {
    uuid_v7(NOW, [number; 10])
}

fn server(number: u8) -> ServerId {
    ServerId::from_uuid(uuid(number))
}

fn ago(hours: u32) -> Timestamp {
    Timestamp::from_millis(NOW.as_millis() - i64::from(hours) * 3_600_000)
}

/// What the code of a version said of its own folders.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Said {
    host: HostId,
    manifest: Manifest,
    observed: Vec<ObservedServer>,
    strangers: Vec<String>,
    held: Vec<HeldServer>,
}

// ---- making them ----

/// Server 1 runs. The image of 2 can't be fetched. 3 was deleted and lies buried. 4 is off, with a reboot that found it
/// so. 5 is on the host and in no manifest.
fn spec(number: u8) -> ServerSpec {
    let server = server(number);
    let file_size = Bytes(u64::try_from(IMAGE.len()).expect("small"));
    let image: &[u8] = if number == 2 { b"another" } else { IMAGE };
    let (target, serial) = match number {
        4 => (PowerTarget::Off, 2),
        _ => (PowerTarget::On, 1),
    };
    ServerSpec {
        server,
        hostname: format!("web-{number}").parse().expect("a name"),
        vcpus: 2,
        memory: Bytes::mib(512),
        disk: Bytes::gib(10),
        image: BaseImage {
            digest: Digest::of(image),
            format: ImageFormat::Raw,
            file_size,
            virtual_size: file_size,
        },
        network: nic(number),
        ssh_keys: vec!["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIExample".to_owned()],
        power: Power { target, serial },
        reboots: if number == 4 { 2 } else { 0 },
        made_before: false,
    }
}

/// Number 1 is from before pools had subnets.
fn nic(number: u8) -> Nic {
    let subnet = |prefix, gateway| Subnet {
        prefix,
        gateway,
        mode: PoolMode::ProxyNeighbour,
    };
    let gateway = IpAddr::V4(Ipv4Addr::new(198, 51, 100, 1));
    let subnets = vec![subnet(24, Some(gateway)), subnet(64, None)];
    Nic {
        mac: MacAddress::of(server(number)),
        addresses: vec![
            IpAddr::from([198, 51, 100, 100 + number]),
            format!("2001:db8::{number}").parse().expect("an address"),
        ],
        subnets: if number == 1 { vec![] } else { subnets },
        openings: vec![
            Opening::Icmp,
            Opening::Tcp {
                first: 22,
                last: 22,
            },
            Opening::Udp {
                first: 53,
                last: 53,
            },
        ],
        cut: false,
    }
}

/// Gives the one image that there is, at its first asking.
struct Source(Option<&'static [u8]>);

impl ImageSource for Source {
    async fn open(&self, _: Digest) -> io::Result<Box<dyn AsyncRead + Send + Unpin>> {
        match self.0 {
            Some(bytes) => Ok(Box::new(bytes)),
            None => Err(io::Error::other("nothing is fetched again")),
        }
    }
}

async fn make_servers(folder: &Path) {
    fs::create_dir(folder).expect("a folder");
    let dirs = StateDir::open(folder).expect("usable");
    let nameservers = [IpAddr::from([192, 0, 2, 53])];
    for number in [1, 3, 4, 5] {
        let spec = spec(number);
        let source = Source(Some(IMAGE));
        image::fetch(&dirs, &spec.image, &source)
            .await
            .expect("fetched");
        disk::create(&dirs, &spec).await.expect("made");
        seed::write(&dirs, &spec, &nameservers).await.expect("made");
        fs::write(dirs.console_log(spec.server), "login: ").expect("written");
    }
    disk::bury(&dirs, server(3), ago(24)).await.expect("buried");
    seed::remove(&dirs, server(3)).await.expect("removed");
}

fn accepted() -> (Accepted, Manifest) {
    let entry = |number| ManifestEntry {
        server: server(number),
        intent: match number {
            3 => Intent::Delete,
            _ => Intent::Present {
                spec: spec(number).digest(),
            },
        },
    };
    let manifest = Manifest {
        epoch: 2,
        generation: 7,
        requires: vec!["server-1".to_owned(), "subnet-1".to_owned()],
        servers: [1, 2, 3, 4].map(entry).to_vec(),
        access: vec![],
    };
    let fetched = [1, 2, 4].map(|number| (spec(number).digest(), spec(number)));
    let next = Accepted::default().next(manifest.clone(), &BTreeMap::from(fetched));
    (next.expect("complete"), manifest)
}

fn memory() -> Memory {
    let mut memory = Memory::default();
    for hours in (0..48).rev() {
        memory.look(ago(hours));
    }
    let guest = |number| GuestNetwork {
        server: server(number),
        nic: nic(number),
    };
    memory.network = NetworkState {
        guests: [1, 2, 4, 5].map(guest).to_vec(),
    };
    let start = Some(ago(30));
    memory
        .readiness
        .insert(server(1), Readiness::Ready { start });
    memory.readiness.insert(server(2), Readiness::Never);
    let fetch = Action::FetchImage(spec(2).image);
    let error = HypervisorError::Failed {
        what: "fetch an image".to_owned(),
        reason: "no such image".to_owned(),
    };
    for _ in 0..3 {
        memory.begin(Some(server(2)), &fetch, NOW);
        memory.fail(Some(server(2)), &fetch, &error, NOW);
    }
    memory.purges.push(ago(0));
    memory
}

fn witness(sequence: u64) -> Witness {
    Witness {
        epoch: 2,
        sequence,
        hash: Digest::of(&sequence.to_be_bytes()),
        tag: Digest::of(b"the control plane's"),
    }
}

fn witnesses() -> Witnesses {
    let mut witnesses = Witnesses::default();
    for hours in (0..4).rev() {
        witnesses.take(witness(100 - u64::from(hours)), ago(hours));
    }
    witnesses
}

fn enrolment() -> Enrolment {
    let ca = Ca::create(&"cloud-1".parse().expect("a code"), NOW).expect("made");
    let request = HostRequest::create().expect("made");
    let host = HostId::from_uuid(uuid(40));
    let signed = ca.sign_host(&request.request_pem, host, NOW, HOST_LIFE);
    Enrolment {
        url: "https://control.example:7443".to_owned(),
        key_pem: request.key_pem,
        certificate_pem: signed.expect("signed").certificate_pem,
        ca_pem: ca.certificate_pem().to_owned(),
    }
}

async fn make(archive: &Path) {
    let folder = tempfile::tempdir().expect("a folder");
    make_servers(&folder.path().join("servers")).await;
    let agent = folder.path().join("agent");
    fs::create_dir(&agent).expect("a folder");
    enrolment().write(&agent).expect("written");
    let store = Store::new(&agent);
    let (accepted, manifest) = accepted();
    store.write_accepted(&accepted).expect("written");
    store.write_witnesses(&witnesses()).expect("written");
    store.write_memory(&memory()).expect("written");
    // As it stays after a look.
    let said = look(folder.path());
    store.write_memory(&said.memory).expect("written");
    let said = Said {
        host: HostId::from_uuid(uuid(40)),
        manifest,
        observed: said.observed,
        strangers: said.strangers,
        held: said.held,
    };
    let said = serde_json::to_string_pretty(&said).expect("plain values");
    fs::write(folder.path().join("said.json"), said).expect("written");
    let archive = archive.display().to_string();
    let from = folder.path().display().to_string();
    let (owner, what) = (
        ["--owner=0", "--group=0"],
        ["agent", "servers", "said.json"],
    );
    tar(&[&owner[..], &["-czSf", &archive, "-C", &from], &what].concat());
}

// ---- going on with them ----

fn domain(run: DomainRun, power_serial: u32) -> Domain {
    Domain {
        run,
        power_serial,
        reboots: 0,
        rebooting: Rebooting::No,
        started_at: Some(ago(30)),
        started_in_boot: Some("boot".to_owned()),
        guest_agent: false,
    }
}

/// What is on the host: of its files what lies there, its domains and rules as they would be.
fn inventory(servers: &Path, memory: &Memory) -> Inventory {
    let found = StateDir::open(servers)
        .expect("usable")
        .scan()
        .expect("readable");
    let running = || domain(DomainRun::Running, 1);
    let off = domain(DomainRun::Off(OffReason::Shutdown), 2);
    Inventory {
        boot_id: "boot".to_owned(),
        domains: BTreeMap::from([
            (server(1), running()),
            (server(4), off),
            (server(5), running()),
        ]),
        disks: found.disks,
        seeds: found.seeds,
        images: found.images,
        tombstones: found.tombstones,
        strangers: found.strangers,
        network: Some(memory.network.digest()),
        ..Inventory::default()
    }
}

/// What the agent would do and say at its next look.
fn look(folder: &Path) -> Plan {
    let store = Store::new(&folder.join("agent"));
    let desired = store.read_accepted().expect("readable").desired();
    let memory = store.read_memory().expect("readable");
    let inventory = inventory(&folder.join("servers"), &memory);
    let rules = Rules {
        tombstone_keep: 7 * 24 * HOUR,
        purges_per_hour: 5,
    };
    let plan = plan(&View {
        desired: &desired,
        inventory: &inventory,
        memory: &memory,
        busy: &BTreeSet::new(),
        network_busy: false,
        rules: &rules,
        now: NEXT_LOOK,
    });
    assert!(plan.is_empty(), "nothing is to be done: {plan:?}");
    assert_eq!(plan.memory.watched, memory.watched);
    plan
}

/// Every file, with what is in it.
fn files(folder: &Path) -> BTreeMap<PathBuf, Digest> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).expect("readable") {
        let path = entry.expect("readable").path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            let digest = Digest::of(&fs::read(&path).expect("readable"));
            found.insert(path, digest);
        }
    }
    found
}

async fn is_adopted(archive: &Path) {
    let folder = tempfile::tempdir().expect("a folder");
    let there = folder.path().display().to_string();
    tar(&["-xzf", &archive.display().to_string(), "-C", &there]);
    let before = files(folder.path());
    let said = fs::read(folder.path().join("said.json")).expect("kept");
    let said: Said = serde_json::from_slice(&said).expect("JSON");
    let agent = folder.path().join("agent");
    let enrolment = Enrolment::read(&agent).expect("an identity");
    let usable = enrolment.check().expect("it can be used");
    assert_eq!(usable.certificate.host, said.host);

    let plan = look(folder.path());
    assert_eq!(plan.observed, said.observed);
    assert_eq!((plan.strangers, plan.held), (said.strangers, said.held));

    let store = Store::new(&agent);
    is_followed(&store.read_accepted().expect("readable"), &said.manifest);
    let witnesses = store.read_witnesses().expect("readable");
    assert_eq!(witnesses.at_first(), Standing::Unheard);
    assert_eq!(witnesses.judge(&witness(99)), Standing::Behind);
    assert_eq!(witnesses.judge(&witness(100)), Standing::Current);
    let dirs = StateDir::open(&folder.path().join("servers")).expect("usable");
    let fetched = image::fetch(&dirs, &spec(1).image, &Source(None)).await;
    fetched.expect("it is there");
    assert_eq!(files(folder.path()), before, "nothing was touched");

    // What it writes is what lay there.
    enrolment.write(&agent).expect("written");
    let accepted = store.read_accepted().expect("readable");
    store.write_accepted(&accepted).expect("written");
    let memory = store.read_memory().expect("readable");
    store.write_memory(&memory).expect("written");
    store.write_witnesses(&witnesses).expect("written");
    assert_eq!(files(folder.path()), before, "in the same words");
}

/// The manifest that it holds is taken for that one, and a newer one with the same specs needs none of them.
fn is_followed(accepted: &Accepted, manifest: &Manifest) {
    assert_eq!(accepted.judge(manifest), Ok(Verdict::Same));
    let newer = Manifest {
        generation: manifest.generation + 1,
        ..manifest.clone()
    };
    let missing = Vec::new();
    assert_eq!(accepted.judge(&newer), Ok(Verdict::Newer { missing }));
}

#[tokio::test]
async fn an_older_folder_is_adopted() {
    let mut found = 0;
    for archive in fs::read_dir(archives()).expect("golden folders") {
        let archive = archive.expect("a file").path();
        if archive
            .extension()
            .is_some_and(|extension| extension == "gz")
        {
            is_adopted(&archive).await;
            found += 1;
        }
    }
    assert!(found > 0, "there is one at least");
}

/// Its own folder, too. With `INNKEEPER_COMMIT=<commit>` in the environment this keeps it as golden data; for an earlier
/// version, put this file into that commit's tree.
#[tokio::test]
async fn a_folder_is_made_and_adopted() {
    let folder = tempfile::tempdir().expect("a folder");
    let golden = std::env::var("INNKEEPER_COMMIT").map(|commit| archives().join(commit));
    let archive = golden.unwrap_or_else(|_| folder.path().join("made"));
    let archive = archive.with_extension("tar.gz");
    make(&archive).await;
    is_adopted(&archive).await;
}
