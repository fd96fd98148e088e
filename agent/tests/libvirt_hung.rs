//! The row B25 of the trial: of three guests under a libvirtd of the test's own, one QEMU is stopped by a signal. The
//! figures of the two others stay, power actions on all work, and the hung one is named until it goes on.
//!
//! Needs root, libvirtd, QEMU and tini; says so and skips where one is missing. No guest boots: the disks are empty.

#![expect(
    clippy::print_stdout,
    reason = "a test says why it was skipped, and how long things took"
)]

use std::{path::Path, sync::Arc, time::Duration};

use innkeeper_agent::{
    action::{Action, GuestNetwork, NetworkState},
    hypervisor::{
        DomainRun, Hypervisor, OffReason,
        libvirt::{LibvirtHost, Measured, SHARES_MAX},
    },
    metrics::{Metrics, Sample},
};
use innkeeper_wire::{
    id::ServerId,
    size::Bytes,
    time::SystemClock,
    vm::{BaseImage, ServerSpec},
};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tokio::time::Instant;

#[expect(dead_code, reason = "shared with the tests whose guests boot")]
#[path = "support/libvirt.rs"]
mod support;

use support::{Folder, PrivateLibvirt, empty_disk, missing};

type Host = LibvirtHost<Folder>;

fn spec(number: u8, image: &BaseImage) -> ServerSpec {
    let mut spec = support::spec(image.clone());
    spec.hostname = format!("web-{number}").parse().expect("a host name");
    spec.memory = Bytes::mib(64);
    spec.disk = Bytes::mib(8);
    let address = format!("198.51.100.{number}").parse().expect("an address");
    spec.network.addresses = vec![address];
    spec
}

#[test]
fn one_hung_guest_blanks_nobody_else() {
    if let Some(reason) = missing() {
        println!("skipped: {reason}");
        return;
    }
    // Everything that follows happens in a network namespace that ends with this thread and its children.
    nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNET).expect("root may do this");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(hang());
    runtime.shutdown_timeout(Duration::from_secs(1));
}

async fn hang() {
    let libvirt = PrivateLibvirt::start();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (host, specs) = three_guests(&libvirt, folder.path()).await;
    let [one, other, hung] = &specs[..] else {
        panic!("three servers");
    };
    let found = host.statistics(1).await.expect("measurable");
    assert_eq!((found.servers.len(), found.shares_failed), (3, 0));
    let pid = qemu_of(hung.server);
    kill(pid, Signal::SIGSTOP).expect("ours");

    // At the first collection the others are asked one by one, at all later ones together. In one share, as with a few
    // guests, and in all.
    let begun = Instant::now();
    let found = host.statistics(1).await.expect("libvirt is not away");
    println!(
        "{:>7.1} s until it was found to hang",
        begun.elapsed().as_secs_f64()
    );
    assert_eq!(found.shares_failed, 1, "counted once");
    only_one_hangs(&found, hung.server);
    for shares in [1, SHARES_MAX, 1] {
        let begun = Instant::now();
        let found = host.statistics(shares).await.expect("libvirt is not away");
        println!(
            "{:>7.1} ms in {shares} shares",
            begun.elapsed().as_secs_f64() * 1e3
        );
        assert_eq!(found.shares_failed, 0);
        only_one_hangs(&found, hung.server);
        assert!(
            begun.elapsed() < Duration::from_secs(5),
            "nobody waits for it"
        );
    }
    // Looking at the host and acting on the others goes on.
    let begun = Instant::now();
    let inventory = host.observe().await.expect("observable");
    assert_eq!(inventory.hung, [hung.server].into());
    assert_eq!(inventory.domains.len(), 3);
    let server = other.server;
    host.execute(&Action::PowerOff { server, serial: 2 })
        .await
        .expect("ended");
    host.execute(&Action::Start { server, serial: 3 })
        .await
        .expect("started");
    println!(
        "{:>7.1} s to look, end and start",
        begun.elapsed().as_secs_f64()
    );

    kill(pid, Signal::SIGCONT).expect("ours");
    let found = until_none_hangs(&host).await;
    assert_eq!((found.servers.len(), found.shares_failed), (3, 0));

    // One that hangs can be ended, and is then off as any other.
    kill(qemu_of(one.server), Signal::SIGSTOP).expect("ours");
    let found = host
        .statistics(SHARES_MAX)
        .await
        .expect("libvirt is not away");
    only_one_hangs(&found, one.server);
    let server = one.server;
    host.execute(&Action::PowerOff { server, serial: 2 })
        .await
        .expect("ended");
    until_none_hangs(&host).await;
    let inventory = host.observe().await.expect("observable");
    let off = [OffReason::Destroyed, OffReason::Crashed].map(DomainRun::Off);
    let domain = &inventory.domains[&server];
    assert!(
        off.contains(&domain.run) && domain.power_serial == 2,
        "{domain:?}"
    );
}

/// Both others are whole, and so are their series.
fn only_one_hangs(found: &Measured, hung: ServerId) {
    assert_eq!(found.hung, [hung].into());
    assert_eq!(found.servers.len(), 2, "{found:?}");
    let metrics = Metrics::new("test");
    metrics.publish(&Sample {
        libvirt_up: true,
        servers: found.servers.clone(),
        hung: found.hung.clone(),
        ..Sample::default()
    });
    let text = metrics.render();
    for measured in &found.servers {
        for name in [
            "innkeeper_server_running{",
            "innkeeper_server_disk_reads_total{disk=\"0\",",
        ] {
            let series = format!("{name}server=\"{}\"}}", measured.server);
            assert!(text.contains(&series), "{series} in {text}");
        }
    }
    assert!(
        text.contains(&format!("innkeeper_server_answers{{server=\"{hung}\"}} 0")),
        "{text}"
    );
}

async fn until_none_hangs(host: &Host) -> Measured {
    let begun = Instant::now();
    loop {
        let found = host.statistics(1).await.expect("libvirt is not away");
        if found.hung.is_empty() {
            println!("{:>7.1} s until none hung", begun.elapsed().as_secs_f64());
            return found;
        }
        assert!(begun.elapsed() < Duration::from_secs(30), "{found:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn three_guests(libvirt: &PrivateLibvirt, folder: &Path) -> (Host, Vec<ServerSpec>) {
    let (source, image) = empty_disk(folder);
    let config = libvirt.host(folder.join("state"));
    let host = Host::open(config, Folder(source), Arc::new(SystemClock)).await;
    let host = host.expect("it opens");
    let begun = Instant::now();
    while let Err(error) = host.observe().await {
        assert!(begun.elapsed() < Duration::from_secs(60), "{error}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let specs: Vec<_> = (130..133).map(|number| spec(number, &image)).collect();
    let guest = |spec: &ServerSpec| GuestNetwork {
        server: spec.server,
        nic: spec.network.clone(),
    };
    let guests = specs.iter().map(guest).collect();
    let network = Action::ApplyNetwork(NetworkState { guests });
    host.execute(&network).await.expect("installed");
    for spec in &specs {
        let (server, serial) = (spec.server, 1);
        for action in [
            Action::FetchImage(image.clone()),
            Action::CreateDisk(spec.clone()),
            Action::WriteSeed(spec.clone()),
            Action::Define(spec.clone()),
            Action::Start { server, serial },
        ] {
            host.execute(&action).await.expect("carried out");
        }
    }
    (host, specs)
}

/// The process of a server's QEMU, which only this test's server has in its command line.
fn qemu_of(server: ServerId) -> Pid {
    let name = format!("guest={server},");
    let entries = std::fs::read_dir("/proc").expect("readable").flatten();
    let mut pids = entries.filter_map(|entry| {
        let pid: i32 = entry.file_name().to_str()?.parse().ok()?;
        let command = std::fs::read(entry.path().join("cmdline")).ok()?;
        String::from_utf8_lossy(&command)
            .contains(&name)
            .then(|| Pid::from_raw(pid))
    });
    pids.next().expect("it runs")
}
