//! Drives [`LibvirtHost`] against a libvirtd of its own, in namespaces of its own, through the whole life of
//! one server. With `INNKEEPER_GUEST_IMAGE` (a qcow2 of the laboratory's test guest) the guest boots and its
//! agent answers; without, the disk is empty and the domain merely runs.
//!
//! Needs root, libvirtd, QEMU, tini, nft and ip; says so and skips where one is missing.

#![expect(
    clippy::print_stdout,
    reason = "a test says why it was skipped, and how long things took"
)]

use std::{net::IpAddr, process::Command, sync::Arc, time::Duration};

use innkeeper_agent::{
    action::{Action, GuestNetwork, NetworkState, tap_name},
    hypervisor::{
        Domain, DomainRun, Hypervisor, HypervisorError, OffReason,
        libvirt::{LibvirtHost, SHARES_MAX},
        libvirt_ext::DomainStatistics,
    },
    metrics::{Metrics, Sample},
};
use innkeeper_wire::{
    id::{ServerId, uuid_v7},
    time::{Clock, SystemClock},
    vm::ServerSpec,
};
use tokio::time::Instant;

#[path = "support/libvirt.rs"]
mod support;

use support::{Folder, PrivateLibvirt, missing, spec, test_image};

fn stop_daemon(libvirt: &PrivateLibvirt) {
    std::fs::write(libvirt.folder.path().join("hold"), "").expect("writable");
}

fn resume_daemon(libvirt: &PrivateLibvirt) {
    std::fs::remove_file(libvirt.folder.path().join("hold")).expect("it was held");
}

#[test]
fn a_server_lives_and_is_removed() {
    if let Some(reason) = missing() {
        println!("skipped: {reason}");
        return;
    }
    // Everything that follows happens in a network namespace that ends with this thread and its children.
    nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNET).expect("root may do this");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(life());
    runtime.shutdown_timeout(Duration::from_secs(1));
}

type Host = LibvirtHost<Folder>;

async fn life() {
    let libvirt = PrivateLibvirt::start();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (source, image, boots) = test_image(folder.path());
    let config = libvirt.host(folder.path().join("state"));
    let host = Host::open(config, Folder(source), Arc::new(SystemClock))
        .await
        .expect("it opens");
    wait("libvirt answers", &host, |_, seen| seen.is_ok()).await;

    let spec = spec(image);
    create(&host, &spec).await;
    refuses_what_is_not_there(&host).await;
    runs(&host, &spec, boots).await;
    outlives_libvirtd(&host, &spec, &libvirt).await;
    stops_and_goes(&host, &spec, boots).await;
}

async fn create(host: &Host, spec: &ServerSpec) {
    let started = Instant::now();
    let state = NetworkState {
        guests: vec![GuestNetwork {
            server: spec.server,
            nic: spec.network.clone(),
        }],
    };
    let start = Action::Start {
        server: spec.server,
        serial: 1,
    };
    for action in [
        Action::FetchImage(spec.image.clone()),
        Action::CreateDisk(spec.clone()),
        Action::WriteSeed(spec.clone()),
        Action::ApplyNetwork(state.clone()),
        Action::Define(spec.clone()),
        start,
    ] {
        let before = Instant::now();
        // Each twice: an action finds its own work and succeeds.
        host.execute(&action).await.expect("carried out");
        println!(
            "{:>7.1} ms {}",
            before.elapsed().as_secs_f64() * 1e3,
            name(&action)
        );
        host.execute(&action).await.expect("carried out again");
    }
    println!("{:>7.1} ms in all", started.elapsed().as_secs_f64() * 1e3);
    let inventory = host.observe().await.expect("observable");
    assert_eq!(
        inventory.images.iter().collect::<Vec<_>>(),
        [&spec.image.digest]
    );
    assert!(inventory.disks.contains(&spec.server));
    assert!(inventory.seeds.contains(&spec.server));
    assert_eq!(inventory.network, Some(state.digest()));
    assert_eq!(inventory.strangers, Vec::<String>::new());
    let domain = &inventory.domains[&spec.server];
    assert_eq!(
        (domain.run, domain.power_serial, domain.reboots),
        (DomainRun::Running, 1, 0)
    );
    assert_eq!(
        domain.started_in_boot.as_deref(),
        Some(inventory.boot_id.as_str())
    );
    assert!(domain.started_at.is_some());
    let tap = Command::new("ip")
        .args(["-d", "link", "show", "dev", &tap_name(spec.server)])
        .output()
        .expect("ip runs");
    let tap = String::from_utf8_lossy(&tap.stdout).into_owned();
    assert!(
        tap.contains("master innkeeper0")
            && tap.contains("isolated on")
            && tap.contains("learning off"),
        "{tap}"
    );
}

fn name(action: &Action) -> String {
    let text = format!("{action:?}");
    text.split(['(', ' ']).next().unwrap_or_default().to_owned()
}

async fn refuses_what_is_not_there(host: &Host) {
    let nobody = ServerId::from_uuid(uuid_v7(SystemClock.now(), rand::random()));
    let start = Action::Start {
        server: nobody,
        serial: 1,
    };
    let refused = host.execute(&start).await;
    assert!(
        matches!(refused, Err(HypervisorError::Failed { .. })),
        "{refused:?}"
    );
    for action in [
        Action::RemoveDomain(nobody),
        Action::RemoveSeed(nobody),
        Action::BuryDisk(nobody),
        Action::PurgeTombstone(nobody),
    ] {
        host.execute(&action)
            .await
            .expect("nothing to remove is removed");
    }
}

async fn runs(host: &Host, spec: &ServerSpec, boots: bool) {
    if boots {
        wait_domain("the guest agent answers", host, spec.server, |domain| {
            domain.guest_agent
        })
        .await;
        let reboot = Action::Reboot {
            server: spec.server,
            reboots: 1,
        };
        host.execute(&reboot).await.expect("asked");
        wait_domain("the guest agent goes", host, spec.server, |domain| {
            !domain.guest_agent
        })
        .await;
        wait_domain("and comes again", host, spec.server, |domain| {
            domain.guest_agent && domain.reboots == 1 && domain.run == DomainRun::Running
        })
        .await;
    }
    let statistics = host.statistics(1).await.expect("measurable").servers;
    assert_eq!(statistics.len(), 1);
    let shared = host.statistics(SHARES_MAX).await.expect("measurable");
    assert_eq!(shared.shares_failed, 0);
    let names = |servers: &[DomainStatistics]| -> Vec<_> {
        let values = servers.iter().flat_map(|server| &server.values);
        values.map(|(name, _)| name.clone()).collect()
    };
    assert_eq!(
        names(&shared.servers),
        names(&statistics),
        "the same figures"
    );
    let metrics = Metrics::new("test");
    metrics.publish(&Sample {
        libvirt_up: true,
        servers: statistics,
        ..Sample::default()
    });
    let text = metrics.render();
    let running = format!("innkeeper_server_running{{server=\"{}\"}} 1", spec.server);
    assert!(text.contains(&running), "{text}");
    let series = text.lines().filter(|line| line.contains("server=")).count();
    println!("{series} series of one server");
    // Without a guest there are none of its memory.
    assert!(series >= if boots { 45 } else { 35 }, "{text}");
}

async fn outlives_libvirtd(host: &Host, spec: &ServerSpec, libvirt: &PrivateLibvirt) {
    stop_daemon(libvirt);
    wait("libvirt is away", host, |_, seen| {
        matches!(seen, Err(HypervisorError::Unreachable(_)))
    })
    .await;
    resume_daemon(libvirt);
    wait_domain("the guest ran on", host, spec.server, |domain| {
        domain.run == DomainRun::Running
    })
    .await;
}

async fn stops_and_goes(host: &Host, spec: &ServerSpec, boots: bool) {
    let server = spec.server;
    if boots {
        wait_domain("it is up again", host, server, |domain| domain.guest_agent).await;
        host.execute(&Action::Shutdown { server, serial: 2 })
            .await
            .expect("asked");
        let off = DomainRun::Off(OffReason::Shutdown);
        wait_domain("it shuts itself down", host, server, |domain| {
            domain.run == off
        })
        .await;
        host.execute(&Action::Start { server, serial: 3 })
            .await
            .expect("started");
    }
    host.execute(&Action::PowerOff { server, serial: 4 })
        .await
        .expect("ended");
    // A libvirtd that has only just come back may call a guest crashed that it was told to end.
    let off = [OffReason::Destroyed, OffReason::Crashed].map(DomainRun::Off);
    wait_domain("it is off", host, server, |domain| {
        off.contains(&domain.run) && domain.power_serial == 4
    })
    .await;
    host.execute(&Action::NotePower { server, serial: 5 })
        .await
        .expect("noted");
    wait_domain("it is noted", host, server, |domain| {
        domain.power_serial == 5
    })
    .await;
    for action in [
        Action::RemoveDomain(server),
        Action::RemoveSeed(server),
        Action::BuryDisk(server),
        Action::ApplyNetwork(NetworkState::default()),
    ] {
        host.execute(&action).await.expect("removed");
        host.execute(&action).await.expect("removed again");
    }
    let inventory = host.observe().await.expect("observable");
    assert!(
        inventory.domains.is_empty() && inventory.disks.is_empty() && inventory.seeds.is_empty()
    );
    assert_eq!(inventory.network, Some(NetworkState::default().digest()));
    assert!(inventory.tombstones.contains_key(&server));
    host.execute(&Action::PurgeTombstone(server))
        .await
        .expect("destroyed");
    let inventory = host.observe().await.expect("observable");
    assert!(inventory.tombstones.is_empty());
    assert_eq!(inventory.strangers, Vec::<String>::new());
    let consoles = std::fs::read_dir(host.state_dir().join("consoles")).expect("there");
    assert_eq!(consoles.count(), 0);
    let routes = Command::new("ip")
        .args(["route", "show"])
        .output()
        .expect("ip runs");
    let address: IpAddr = spec.network.addresses[0];
    assert!(!String::from_utf8_lossy(&routes.stdout).contains(&address.to_string()));
}

type Seen = Result<innkeeper_agent::hypervisor::Inventory, HypervisorError>;

/// Observes until the condition holds, for at most a minute.
async fn wait(what: &str, host: &Host, holds: impl Fn(&Host, &Seen) -> bool) {
    let started = Instant::now();
    loop {
        let seen = host.observe().await;
        if holds(host, &seen) {
            println!("{:>7.1} s  {what}", started.elapsed().as_secs_f64());
            return;
        }
        assert!(
            started.elapsed() < Duration::from_secs(60),
            "{what}: {seen:?}"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn wait_domain(what: &str, host: &Host, server: ServerId, holds: impl Fn(&Domain) -> bool) {
    wait(what, host, |_, seen| {
        seen.as_ref()
            .is_ok_and(|inventory| inventory.domains.get(&server).is_some_and(&holds))
    })
    .await;
}
