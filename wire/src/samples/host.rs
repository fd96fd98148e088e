//! Samples of what agent and control plane tell each other.

use std::net::IpAddr;

use super::{at, or_none, uuid, vm::server};
use crate::{
    digest::Digest,
    host::{
        Access, AccessTerms, CreateStep, DesiredQuery, FEATURES, HeldServer, HostCapacity,
        HostFault, HostFaultCode, HostHealth, HostLoad, HypervisorState, Intent, JoinAnswer,
        JoinRequest, KeptWitness, Life, LifeAnswer, Manifest, ManifestEntry, NOT_TRIED_AGAIN,
        Observations, ObservedAccess, ObservedServer, ObservedState, PauseReason, RenewAnswer,
        RenewRequest, Report, ReportAnswer, ServerProblem, ServerProblemCode, Testimony, Witness,
    },
    id::{ChallengeId, GrantId, HostId, InstanceId},
    size::Bytes,
    vm::ServerSpec,
};

const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----\nMIIBexample\n-----END CERTIFICATE-----\n";
const REQUEST: &str =
    "-----BEGIN CERTIFICATE REQUEST-----\nMIIBexample\n-----END CERTIFICATE REQUEST-----\n";

fn addresses() -> Vec<IpAddr> {
    let addresses = ["192.0.2.7", "2001:db8::7"];
    addresses
        .map(|text| text.parse().expect("an address"))
        .to_vec()
}

fn features() -> Vec<String> {
    FEATURES
        .iter()
        .map(|feature| (*feature).to_owned())
        .collect()
}

samples! {
    JoinRequest {
        token: ["0123456789abcdefghijkl".to_owned()],
        csr_pem: [REQUEST.to_owned()],
    }
    JoinAnswer {
        host: [HostId::from_uuid(uuid(40))],
        certificate_pem: [CERTIFICATE.to_owned()],
        ca_pem: [CERTIFICATE.to_owned()],
    }
    RenewRequest { csr_pem: [REQUEST.to_owned()] }
    RenewAnswer {
        certificate_pem: [CERTIFICATE.to_owned()],
        ca_pem: [CERTIFICATE.repeat(2)],
    }
    DesiredQuery {
        epoch: [2, 0],
        generation: [u64::MAX, 0],
        wait_s: [50],
    }
    Manifest {
        epoch: [2],
        generation: [u64::MAX, 0],
        requires: [features(), vec![]],
        servers: [ManifestEntry::samples(), vec![]],
        access: [Access::samples(), vec![]],
    }
    Access {
        grant: [GrantId::from_uuid(uuid(44))],
        server: [server(1)],
        port: [22],
        until: [at(3)],
        seconds: [4 * 3_600],
    }
    AccessTerms {
        now: [at(2)],
        engineers: [vec!["203.0.113.0/28".parse().expect("a network"), "2001:db8::/64".parse().expect("a network")], vec![]],
    }
    ObservedAccess {
        grant: [GrantId::from_uuid(uuid(44))],
        left_s: [60],
        packets: [7, 0],
    }
    ManifestEntry {
        server: [server(1), server(2)],
        intent: Intent::samples(),
    }
    Life {
        instance: [InstanceId::from_uuid(uuid(41))],
        echo: or_none([ChallengeId::from_uuid(uuid(42))]),
        epoch: [2, 0],
        generation: [7, 0],
        authorities: [Digest::of(CERTIFICATE.as_bytes())],
    }
    LifeAnswer {
        challenge: [ChallengeId::from_uuid(uuid(43))],
        renew: [true, false],
        authorities: or_none([CERTIFICATE.repeat(2)]),
    }
    Observations {
        life: Life::samples(),
        report: Report::samples(),
    }
    Report {
        epoch: [2],
        generation: [7],
        boot_id: ["5c5b1bd5-9e0c-4f6d-8a59-1f6a1f0c7d5e".to_owned()],
        sequence: [u64::MAX],
        started_at: [at(1)],
        agent_version: ["0.1.0".to_owned()],
        features: [features(), vec![]],
        capacity: HostCapacity::samples(),
        hypervisor: HypervisorState::samples(),
        servers: [ObservedServer::samples(), vec![]],
        strangers: [vec!["disks/notes.txt".to_owned()], vec![]],
        health: HostHealth::samples(),
        load: or_none(HostLoad::samples()),
        witness: or_none([Witness::sample()]),
        held: [HeldServer::samples(), vec![]],
        addresses: [addresses(), vec![]],
        access: [ObservedAccess::samples(), vec![]],
    }
    HostLoad {
        cpu_permille: [125],
        load_permille: [1_500],
        memory_used: [Bytes::gib(20)],
        memory: [Bytes::gib(64)],
        disk_used: [Bytes::gib(300)],
        disk: [Bytes::gib(2_000)],
    }
    HostHealth {
        repairs: [4, 0],
        faults: [HostFault::samples(), vec![]],
    }
    HostFault {
        code: HostFaultCode::samples(),
        detail: ["forward: policy drop".to_owned()],
        server: or_none([server(1)]),
    }
    HeldServer {
        server: [server(3), server(4)],
        addresses: [addresses(), vec![]],
    }
    Witness {
        epoch: [2],
        sequence: [40],
        hash: [Digest::of(b"journal")],
        tag: [Digest::of(b"tag")],
    }
    Testimony { kept: [KeptWitness::samples()] }
    KeptWitness {
        at: [at(2)],
        witness: Witness::samples(),
    }
    HostCapacity {
        cpus: [16],
        memory: [Bytes::gib(64)],
        disk: [Bytes::gib(2_000)],
    }
    ObservedServer {
        server: [server(1), server(2)],
        state: ObservedState::samples(),
        power_serial: [7],
        reboots: [3],
        problem: or_none(ServerProblem::samples()),
        was_ready: [Some(true), Some(false), None],
        was_started: [Some(true), Some(false), None],
        network_cut: [true, false],
    }
    ServerProblem {
        code: ServerProblemCode::samples(),
        detail: ["no such image".to_owned()],
        attempts: [5, NOT_TRIED_AGAIN],
    }
    ReportAnswer {
        next_report_s: [30],
        witness: Witness::samples(),
        life: LifeAnswer::samples(),
        access: or_none(AccessTerms::samples()),
    }
}

variants! {
    Intent {
        Self::Present { .. } => [Self::Present { spec: ServerSpec::sample().digest() }],
        Self::Delete => [Self::Delete],
    }
    HypervisorState {
        Self::Reachable => [Self::Reachable],
        Self::Unreachable { .. } => [Self::Unreachable { detail: "no socket".to_owned() }],
    }
    ObservedState {
        Self::Absent => [Self::Absent],
        Self::Creating { .. } => CreateStep::samples().into_iter().map(|step| Self::Creating { step }),
        Self::Running { .. } => [true, false].map(|ready| Self::Running { ready }),
        Self::Paused { .. } => PauseReason::samples().into_iter().map(|why| Self::Paused { why }),
        Self::Stopped => [Self::Stopped],
        Self::Deleting => [Self::Deleting],
    }
}

variants! {
    HostFaultCode:
        ForeignDrop Network Uplink AddressInUse DiskFull DiskLow MetricsPort Unconfigured;
    PauseReason:
        ByHand DiskFull DiskError GuestCrashed HostBusy Asleep Unknown;
    CreateStep:
        Queued Image Disk Network Start;
    ServerProblemCode:
        ImageUnavailable DiskFailed NetworkFailed StartFailed ShutdownIgnored DeadlineMissed FeatureMissing DeleteFailed
        NotAnswering NotReachable RebootFailed;
}
