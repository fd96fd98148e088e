//! A real host: libvirt, files, nftables and `ip`, behind the [`Hypervisor`] seam.
//!
//! The reconcile loop calls [`LibvirtHost::observe`] and [`LibvirtHost::execute`]; nothing else in the agent
//! touches the machine. It never acts on a domain whose name, UUID and metadata are not those of the server
//! (a stranger), and never decides what ought to be: that is `plan`.
//!
//! Power changes and reboots are recorded in the domain's metadata, in an order that a crash in between
//! turns into "once more" or "not at all", as the action says. Adopting running guests after a restart of
//! the agent needs nothing: everything is observed.

use std::{
    collections::{BTreeMap, BTreeSet},
    mem,
    net::IpAddr,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use innkeeper_wire::{
    error::chain,
    host::{HostCapacity, PauseReason},
    id::ServerId,
    size::Bytes,
    time::Clock,
    vm::ServerSpec,
};

pub use super::measuring::{Measured, SHARES_MAX};
use super::{
    Domain, DomainRun, Heard, Hypervisor, HypervisorError, Inventory, Question,
    accelerator::{self, AcceleratorError, AcceleratorPolicy},
    domain_xml::{self, Accelerator, DomainDescription, Notes},
    domains::{domains, find, need, paused},
    doubting::Doubting,
    lane::{CallError, Lane},
    libvirt_ext::Events,
    measuring::Measuring,
};
use crate::{
    action::{Action, tap_name},
    disk,
    gaps::{self, Gap},
    image::{self, ImageSource},
    layout::StateDir,
    load::LoadProbe,
    network::{Network, NetworkConfig},
    power::RESUME_ROOM,
    resolvers,
    room::DiskFound,
    seed,
};

/// Most strangers that are reported.
const STRANGERS_MAX: usize = 100;

/// Looking at all domains; no call in it waits for a guest.
const OBSERVE_DEADLINE: Duration = Duration::from_secs(15);
/// Changing a definition or metadata; waits for other work on the same domain, libvirt's limit is 30 s.
const DEFINE_DEADLINE: Duration = Duration::from_secs(40);
/// Starting or ending QEMU.
const POWER_DEADLINE: Duration = Duration::from_secs(90);
/// Asking a guest; libvirt waits for a guest agent for up to 60 s.
const ASK_DEADLINE: Duration = Duration::from_secs(75);

/// What a host's configuration says of it.
#[derive(Debug, Clone)]
pub struct HostConfig {
    /// libvirt's address.
    pub libvirt_uri: String,
    /// Whether guests may run without KVM.
    pub accelerator: AcceleratorPolicy,
    /// The QEMU binary.
    pub emulator: PathBuf,
    /// Where disks, seeds and images lie; see [`crate::layout`]. Absolute.
    pub state_dir: PathBuf,
    /// Memory that is kept for the host itself, in mebibytes.
    pub memory_reserved_mib: u64,
    /// Disk space that is kept free of guests, in gibibytes.
    pub disk_reserved_gib: u64,
    /// The guests' network.
    pub network: NetworkConfig,
    /// What the configuration leaves open.
    pub gaps: Vec<Gap>,
}

impl HostConfig {
    /// The name servers of this machine, if they matter: they may come after the agent.
    fn own_nameservers(&self) -> Vec<IpAddr> {
        if self.gaps.contains(&Gap::Nameservers) {
            resolvers::of_this_machine()
        } else {
            Vec::new()
        }
    }
}

/// A machine with libvirt.
pub struct LibvirtHost<S> {
    config: HostConfig,
    accelerator: Accelerator,
    boot_id: String,
    dirs: StateDir,
    network: Arc<Network>,
    clock: Arc<dyn Clock>,
    images: S,
    /// One download at a time: they share one wire, and two servers often want the same image.
    downloading: tokio::sync::Mutex<()>,
    observing: Lane,
    /// What libvirt tells once: how guests ended, and that they were reset.
    events: Arc<Events>,
    changing: Lane,
    asking: Lane,
    /// For questions that only a paused QEMU is asked, so that one that hangs is in nobody's way.
    doubting: Doubting,
    measuring: Measuring,
    /// The room for disks that was told last.
    room_told: Mutex<Option<Bytes>>,
    load: Arc<LoadProbe>,
}

/// Why a host can't be used.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Guests can't run here as the configuration wants it.
    #[error("guests can't run on this machine")]
    Accelerator(#[source] AcceleratorError),
    /// The state directory is unusable.
    #[error("the state directory {path} can't be used")]
    StateDir {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The kernel does not say which boot this is.
    #[error("the kernel's boot id can't be read")]
    BootId(#[source] std::io::Error),
    /// The QEMU binary's path can't be told to libvirt.
    #[error("the path {0} of the emulator is no UTF-8")]
    Emulator(PathBuf),
    /// No thread can be started.
    #[error("threads for libvirt can't be started")]
    Threads(#[source] std::io::Error),
}

impl<S: ImageSource> LibvirtHost<S> {
    /// Opens the host. libvirt need not be reachable yet.
    ///
    /// # Errors
    /// [`OpenError`]: what an operator must change.
    pub async fn open(
        config: HostConfig,
        images: S,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, OpenError> {
        if config.emulator.to_str().is_none() {
            return Err(OpenError::Emulator(config.emulator));
        }
        let accelerator = accelerator::choose(config.accelerator, &config.emulator)
            .await
            .map_err(OpenError::Accelerator)?;
        let dirs = StateDir::open(&config.state_dir).map_err(|source| OpenError::StateDir {
            path: config.state_dir.clone(),
            source,
        })?;
        let boot_id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id")
            .map_err(OpenError::BootId)?;
        let events = Arc::new(Events::default());
        let lane = |name, threads| {
            Lane::start(name, &config.libvirt_uri, threads).map_err(OpenError::Threads)
        };
        Ok(Self {
            observing: Lane::start_watching("observe", &config.libvirt_uri, 2, Arc::clone(&events))
                .map_err(OpenError::Threads)?,
            events,
            changing: lane("change", 4)?,
            asking: lane("ask", 4)?,
            doubting: Doubting::start(&config.libvirt_uri).map_err(OpenError::Threads)?,
            measuring: Measuring::start(&config.libvirt_uri).map_err(OpenError::Threads)?,
            room_told: Mutex::default(),
            load: Arc::default(),
            network: Arc::new(Network::new(config.network.clone())),
            boot_id: boot_id.trim().to_owned(),
            downloading: tokio::sync::Mutex::new(()),
            accelerator,
            dirs,
            clock,
            images,
            config,
        })
    }

    /// Statistics of all domains of ours, measured in `shares` shares at a time (at most [`SHARES_MAX`]), each with
    /// a connection of its own. A guest that hangs is left out, and named.
    ///
    /// # Errors
    /// As [`Hypervisor::observe`], when nothing could be had from libvirt.
    pub async fn statistics(&self, shares: usize) -> Result<Measured, HypervisorError> {
        self.measuring.statistics(shares).await
    }

    /// The directory that carries the disks: for the metrics of its file system.
    #[must_use]
    pub fn state_dir(&self) -> &std::path::Path {
        self.dirs.root()
    }

    /// What the machine has for guests, when that is known.
    fn capacity(&self, disk: &DiskFound) -> Option<HostCapacity> {
        let cpus = std::thread::available_parallelism().ok()?.get();
        let mut system = sysinfo::System::new().ok()?;
        system.refresh_memory();
        let memory_reserved = self.config.memory_reserved_mib * Bytes::MIB;
        let mut told = self
            .room_told
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let room = disk.room(*told);
        *told = Some(room);
        Some(HostCapacity {
            cpus: u32::try_from(cpus).ok()?,
            memory: Bytes(system.total_memory().saturating_sub(memory_reserved)),
            disk: room,
        })
    }

    async fn define(&self, spec: &ServerSpec) -> Result<(), HypervisorError> {
        let disk = self.dirs.disk(spec.server);
        let base = self.dirs.image(&spec.image);
        let seed = self.dirs.seed(spec.server);
        let console_log = self.dirs.console_log(spec.server);
        let xml = domain_xml::write(&DomainDescription {
            server: spec.server,
            accelerator: self.accelerator,
            emulator: &self.config.emulator,
            vcpus: spec.vcpus,
            memory: spec.memory,
            disk: &disk,
            base: &base,
            base_format: spec.image.format,
            seed: &seed,
            console_log: &console_log,
            bridge: &self.config.network.bridge,
            tap: &tap_name(spec.server),
            mac: spec.network.mac,
            // A new domain owes no reboot, however often an earlier one was rebooted.
            notes: Notes {
                reboots: spec.reboots,
                ..Notes::default()
            },
        });
        let server = spec.server;
        self.changing
            .call(
                &format!("define {server}"),
                DEFINE_DEADLINE,
                move |connection| {
                    if find(connection, server)?.is_none() {
                        connection.define_domain_xml(&xml)?;
                    }
                    Ok(())
                },
            )
            .await
    }

    async fn start(&self, server: ServerId, serial: u32) -> Result<(), HypervisorError> {
        let now = self.clock.now();
        let boot_id = self.boot_id.clone();
        self.changing
            .call(
                &format!("start {server}"),
                POWER_DEADLINE,
                move |connection| {
                    let mut ours = need(connection, server)?;
                    if ours.domain.is_active()? {
                        ours.let_go_on()?;
                    } else {
                        // The start is noted before it happens and the serial after: a crash in between leaves
                        // a running domain whose power change is carried out once more, which changes nothing.
                        ours.notes.started_at = Some(now);
                        ours.notes.started_in_boot = Some(boot_id);
                        ours.note()?;
                        ours.domain.create()?;
                    }
                    ours.notes.power_serial = serial;
                    ours.note()
                },
            )
            .await?;
        // libvirt knows no such setting of a tap. A look would find it missing and mend it, as a fault.
        if let Err(error) = self.network.plug_in(server).await {
            tracing::debug!(%server, error = chain(&error), "the new tap can't be set up yet");
        }
        Ok(())
    }

    /// The guests' network.
    #[must_use]
    pub fn network(&self) -> Arc<Network> {
        Arc::clone(&self.network)
    }

    /// Puts back what somebody else changes of our rules, until it is dropped; [`Network::watch`].
    pub async fn watch_rules(&self) {
        let Err(error) = self.network.watch().await;
        tracing::warn!(
            error = chain(&error),
            "changed rules are found by the looks alone"
        );
    }

    async fn resume(&self, server: ServerId) -> Result<(), HypervisorError> {
        let what = format!("resume {server}");
        self.changing
            .call(&what, POWER_DEADLINE, move |connection| {
                need(connection, server)?.let_go_on()
            })
            .await
    }

    async fn power_off(&self, server: ServerId, serial: u32) -> Result<(), HypervisorError> {
        self.changing
            .call(
                &format!("power off {server}"),
                POWER_DEADLINE,
                move |connection| {
                    let mut ours = need(connection, server)?;
                    ours.destroy()?;
                    ours.notes.power_serial = serial;
                    ours.note()
                },
            )
            .await
    }

    async fn note_power(&self, server: ServerId, serial: u32) -> Result<(), HypervisorError> {
        self.changing
            .call(
                &format!("note power of {server}"),
                DEFINE_DEADLINE,
                move |connection| {
                    let mut ours = need(connection, server)?;
                    ours.notes.power_serial = serial;
                    ours.note()
                },
            )
            .await
    }

    async fn shutdown(&self, server: ServerId, serial: u32) -> Result<(), HypervisorError> {
        self.asking
            .call(
                &format!("shut down {server}"),
                ASK_DEADLINE,
                move |connection| {
                    let mut ours = need(connection, server)?;
                    ours.notes.power_serial = serial;
                    ours.note()?;
                    if ours.domain.is_active()? {
                        ours.let_go_on()?;
                        ours.domain.shutdown()?;
                    }
                    Ok(())
                },
            )
            .await
    }

    async fn reboot(&self, server: ServerId, reboots: u32) -> Result<(), HypervisorError> {
        let events = Arc::clone(&self.events);
        self.asking
            .call(
                &format!("reboot {server}"),
                ASK_DEADLINE,
                move |connection| {
                    let mut ours = need(connection, server)?;
                    ours.notes.reboots = reboots;
                    ours.note()?;
                    if !ours.domain.is_active()? {
                        return Ok(());
                    }
                    // Before the guest is: a fast one has done it when the call returns.
                    events.note_asked(server);
                    let was = paused(&ours.domain)?;
                    ours.let_go_on()?;
                    match was {
                        // Its disk has failed under it: it can't be expected to end in good order.
                        Some(PauseReason::DiskError | PauseReason::DiskFull) => {
                            ours.domain.reset()?;
                        }
                        _ => ours.domain.reboot(0)?,
                    }
                    Ok(())
                },
            )
            .await
    }

    async fn remove_domain(&self, server: ServerId) -> Result<(), HypervisorError> {
        let dirs = self.dirs.clone();
        self.changing
            .call(
                &format!("remove {server}"),
                POWER_DEADLINE,
                move |connection| {
                    if let Some(ours) = find(connection, server)? {
                        ours.destroy()?;
                        let flags = virt_sys::VIR_DOMAIN_UNDEFINE_MANAGED_SAVE
                            | virt_sys::VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA
                            | virt_sys::VIR_DOMAIN_UNDEFINE_CHECKPOINTS_METADATA
                            | virt_sys::VIR_DOMAIN_UNDEFINE_NVRAM;
                        ours.domain.undefine_flags(flags)?;
                    }
                    let remove_logs = || -> std::io::Result<()> {
                        for path in dirs.console_logs_of(server)? {
                            std::fs::remove_file(path)?;
                        }
                        Ok(())
                    };
                    remove_logs()
                        .map_err(|error| CallError::Refused(format!("console log: {error}")))
                },
            )
            .await
    }

    async fn fetch_image(
        &self,
        image: &innkeeper_wire::vm::BaseImage,
    ) -> Result<(), HypervisorError> {
        let _one_at_a_time = self.downloading.lock().await;
        let fetched = image::fetch(&self.dirs, image, &self.images).await;
        fetched.map_err(|error| failed("fetch image", &error))
    }
}

impl<S: ImageSource> LibvirtHost<S> {
    async fn write_seed(&self, spec: &ServerSpec) -> Result<(), HypervisorError> {
        let own = self.config.own_nameservers();
        let known = &self.config.network.nameservers;
        let nameservers = gaps::nameservers(&self.config.gaps, known, &own)
            .map_err(|gap| failed("write seed", &gap))?;
        let written = seed::write(&self.dirs, spec, nameservers).await;
        written.map_err(|error| failed("write seed", &error))
    }

    /// Asks QEMU what is wrong with the disks of those that are paused for one. Nothing else waits for that: a QEMU
    /// that hangs would not answer.
    async fn tell_full_from_broken(
        &self,
        domains: &mut [(ServerId, Domain)],
        hung: &BTreeSet<ServerId>,
        room: Option<Bytes>,
    ) {
        let mut failing: Vec<_> = domains
            .iter_mut()
            .filter(|(server, domain)| {
                domain.run == DomainRun::Paused(PauseReason::DiskError) && !hung.contains(server)
            })
            .collect();
        // On a full disk they all wait for room.
        let full = if room.is_some_and(|room| room < RESUME_ROOM) {
            failing.iter().map(|(server, _)| *server).collect()
        } else {
            let servers: Vec<_> = failing.iter().map(|(server, _)| *server).collect();
            self.doubting.full(&servers).await
        };
        for (server, domain) in &mut failing {
            if full.contains(server) {
                domain.run = DomainRun::Paused(PauseReason::DiskFull);
            }
        }
    }

    /// Which guests have answered. Nobody is known to have when that can't be found out.
    async fn heard(&self) -> BTreeMap<IpAddr, Heard> {
        let heard = self.network.heard(self.clock.now()).await;
        heard.unwrap_or_else(|error| {
            let error = failed("look at the guests' neighbours", &error);
            tracing::warn!(%error, "whether guests answer can't be observed");
            BTreeMap::new()
        })
    }
}

impl<S: ImageSource> Hypervisor for LibvirtHost<S> {
    async fn observe(&self) -> Result<Inventory, HypervisorError> {
        let (events, now) = (Arc::clone(&self.events), self.clock.now());
        let seen = self
            .observing
            .call("observe", OBSERVE_DEADLINE, move |connection| {
                domains(connection, &events, now)
            });
        let (dirs, load) = (self.dirs.clone(), Arc::clone(&self.load));
        let reserved = Bytes(self.config.disk_reserved_gib * Bytes::GIB);
        let scanned = tokio::task::spawn_blocking(move || {
            let mut contents = dirs.scan()?;
            // After the scan: a disk that grew in between is counted as less than it is, and not as more.
            let disk = DiskFound::look(dirs.root(), reserved, mem::take(&mut contents.usage));
            let load = load.look(disk.as_ref());
            Ok::<_, std::io::Error>((contents, disk, load))
        });
        let (seen, looked, scanned, heard) =
            tokio::join!(seen, self.network.look(), scanned, self.heard());
        let (mut domains, mut strangers) = seen?;
        let (contents, disk, load) = scanned
            .map_err(std::io::Error::other)
            .flatten()
            .map_err(|error| failed("look at the state directory", &error))?;
        // What can't be looked at is not installed, as far as anybody knows. Applying it then says why;
        // of the servers everything is known all the same.
        let mut network = looked.unwrap_or_else(|error| {
            let error = failed("look at the network", &error);
            tracing::warn!(%error, "the guests' network can't be observed");
            self.network.last_look()
        });
        let room = disk.as_ref().map(|disk| disk.free);
        let hung = self.measuring.hung();
        self.tell_full_from_broken(&mut domains, &hung, room).await;
        let running = domains.iter().filter(|(_, domain)| domain.run.is_up());
        let cut_off = self.network.cut_off(running.map(|(server, _)| server));
        network.health.faults.extend(cut_off);
        let own = self.config.own_nameservers();
        let open = gaps::faults(&self.config.gaps, &own);
        network.health.faults.extend(open);
        strangers.extend(contents.strangers);
        strangers.sort_unstable();
        strangers.truncate(STRANGERS_MAX);
        Ok(Inventory {
            boot_id: self.boot_id.clone(),
            capacity: disk.as_ref().and_then(|disk| self.capacity(disk)),
            load,
            disk,
            hung,
            domains: domains.into_iter().collect(),
            disks: contents.disks,
            seeds: contents.seeds,
            images: contents.images,
            network: network.installed,
            surroundings: network.surroundings,
            health: network.health,
            refused: network.refused,
            tombstones: contents.tombstones,
            strangers,
            heard,
            room,
        })
    }

    async fn ask(&self, questions: &[Question]) {
        if let Err(error) = self.network.ask(questions).await {
            let error = failed("ask guests for their addresses", &error);
            tracing::warn!(%error, "guests can't be asked");
        }
    }

    async fn execute(&self, action: &Action) -> Result<(), HypervisorError> {
        match action {
            Action::FetchImage(image) => self.fetch_image(image).await,
            Action::CreateDisk(spec) => disk::create(&self.dirs, spec)
                .await
                .map_err(|error| failed("create disk", &error)),
            Action::WriteSeed(spec) => self.write_seed(spec).await,
            Action::ApplyNetwork(state) => self
                .network
                .apply(state)
                .await
                .map_err(|error| failed("apply network", &error)),
            Action::Define(spec) => self.define(spec).await,
            Action::Start { server, serial } => self.start(*server, *serial).await,
            Action::Resume(server) => self.resume(*server).await,
            Action::Shutdown { server, serial } => self.shutdown(*server, *serial).await,
            Action::PowerOff { server, serial } => self.power_off(*server, *serial).await,
            Action::Reboot { server, reboots } => self.reboot(*server, *reboots).await,
            Action::NotePower { server, serial } => self.note_power(*server, *serial).await,
            Action::RemoveDomain(server) => self.remove_domain(*server).await,
            Action::RemoveSeed(server) => seed::remove(&self.dirs, *server)
                .await
                .map_err(|error| failed("remove seed", &error)),
            Action::BuryDisk(server) => disk::bury(&self.dirs, *server, self.clock.now())
                .await
                .map_err(|error| failed("bury disk", &error)),
            Action::PurgeTombstone(server) => disk::purge(&self.dirs, *server)
                .await
                .map_err(|error| failed("purge tombstone", &error)),
        }
    }
}

fn failed(what: &str, error: &dyn std::error::Error) -> HypervisorError {
    HypervisorError::Failed {
        what: what.to_owned(),
        reason: chain(error),
    }
}
