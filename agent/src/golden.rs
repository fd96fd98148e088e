//! What an agent keeps in its folder is written as ever: golden files of what the digest in front of each file is of
//! (`desired::store`), of the identity and of the key for joining. Whole folders of earlier versions: `tests/adopted.rs`.

use std::{collections::BTreeMap, path::Path};

use innkeeper_wire::{
    host::{Manifest, Testimony},
    samples,
    samples::{Document, Sample, at, hold, or_none, vm::server},
    variants,
    vm::{Nic, ServerSpec},
};
use zeroize::Zeroizing;

use crate::{
    action::{GuestNetwork, NetworkState},
    desired::Accepted,
    identity::Enrolment,
    join::Pending,
    memory::{Attempt, Failure, FailureKind, Memory, Readiness, ServerMemory, Step, Watched},
};

const DOCUMENTS: [Document; 5] = [
    Document::json::<Accepted>("desired"),
    Document::json::<Memory>("memory"),
    Document::json::<Testimony>("witnesses"),
    Document::json::<Enrolment>("identity"),
    Document::json::<Pending>("joining"),
];

#[test]
fn what_is_kept_is_written_as_ever() {
    hold(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/files"),
        &DOCUMENTS,
    );
}

/// With each of the sample specs that its manifest names.
impl Sample for Accepted {
    fn samples() -> Vec<Self> {
        let spec = ServerSpec::sample();
        let fetched = BTreeMap::from([(spec.digest(), spec)]);
        let manifests = Manifest::samples().into_iter();
        let next = |manifest| Self::default().next(manifest, &fetched);
        let all: Vec<_> = manifests
            .map(|manifest| next(manifest).expect("complete"))
            .collect();
        samples::assert_whole(&all[0], &["manifest", "specs"]);
        all
    }
}

fn text(text: &str) -> Zeroizing<String> {
    Zeroizing::new(text.to_owned())
}

const KEY: &str = "-----BEGIN PRIVATE KEY-----\nMIGHexample\n-----END PRIVATE KEY-----\n";
const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----\nMIIBexample\n-----END CERTIFICATE-----\n";

fn attempts() -> BTreeMap<Step, Attempt> {
    let steps = Step::samples().into_iter();
    steps.zip(Attempt::samples().into_iter().cycle()).collect()
}

fn readiness() -> BTreeMap<innkeeper_wire::id::ServerId, Readiness> {
    let numbers = (1..).map(server);
    numbers.zip(Readiness::samples()).collect()
}

samples! {
    Enrolment {
        url: ["https://control.example:7443".to_owned()],
        key_pem: [text(KEY)],
        certificate_pem: [CERTIFICATE.to_owned()],
        ca_pem: [CERTIFICATE.repeat(2)],
    }
    Memory {
        servers: [BTreeMap::from([(server(1), ServerMemory::sample())]), BTreeMap::new()],
        network: [NetworkState::sample(), NetworkState::default()],
        network_attempt: or_none(Attempt::samples()),
        purges: [vec![at(5)], vec![]],
        watched: or_none([Watched::sample()]),
        readiness: [readiness(), BTreeMap::new()];
        starts: None,
    }
    ServerMemory {
        attempts: [attempts()],
        reboots_noted: [3],
    }
    Attempt {
        subject: [u64::MAX, 0],
        count: [2],
        last_at: [at(3)],
        failure: or_none(Failure::samples()),
    }
    Failure {
        kind: FailureKind::samples(),
        detail: ["no such image".to_owned()],
    }
    Watched {
        from: [at(1)],
        to: [at(4)],
    }
    NetworkState { guests: [GuestNetwork::samples()] }
    GuestNetwork {
        server: [server(1)],
        nic: [Nic::sample()],
    }
}

variants! {
    Readiness {
        Self::Never => [Self::Never],
        Self::Ready { .. } => or_none([at(2)]).into_iter().map(|start| Self::Ready { start }),
    }
}

variants! {
    FailureKind: Failed Deadline;
    Step:
        FetchImage CreateDisk WriteSeed ApplyNetwork Define Start Resume Shutdown PowerOff Reboot NotePower RemoveDomain
        RemoveSeed BuryDisk PurgeTombstone;
}
