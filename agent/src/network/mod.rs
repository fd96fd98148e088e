//! The guests' network of this host: a bridge with isolated ports, routes, rules, and who answers for guests'
//! addresses outside.
//!
//! The host routes: each guest has single addresses and believes its subnet to be on its link, where the host
//! answers for everybody: ARP on the bridge (`proxy_arp`, `proxy_arp_pvlan`), and in IPv6 it is the gateway fe80::1.
//! Guests from before pools had subnets have the gateway 169.254.1.1 on link. A gateway inside of a subnet is a
//! router of the network around, but in a pool that is routed to this host, which then has it itself.
//!
//! [`rules`] says what nftables shall hold, [`drift`] what else, [`settings`] which sysctls, all as data; [`kernel`]
//! runs `nft` and `ip`, [`ports`] knows the taps; [`watch`] hears at once when somebody changes our rules; [`guard`] and [`foreign`] find what the host can't carry and what it can't mend; [`announce`]
//! tells the network of new addresses. Called for [`crate::action::Action::ApplyNetwork`] and while observing.
//! Everything is replaced in one go and read back from the kernel at every look, so whatever somebody else changed
//! shows as not installed, is put back by the next change, counted and logged ([`health`]).
//!
//! It never touches the host's own firewall or its other devices' addresses. Engineers' grants are [`crate::access`]'s,
//! which looks at them and changes them through [`Network`].
//!
//! `net.bridge.bridge-nf-call-iptables` is left as it is: with isolated ports nothing is forwarded by the
//! bridge itself, and a packet that goes up to the host passes the judge once either way.

use std::{
    collections::{BTreeMap, BTreeSet},
    convert::Infallible,
    net::{IpAddr, Ipv6Addr},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use innkeeper_wire::{
    digest::Digest,
    error::chain,
    host::{FAULTS_MAX, HostFault, HostFaultCode, HostHealth},
    id::ServerId,
    time::Timestamp,
    vm::MacAddress,
};
use tokio::time::{Instant, sleep, timeout};

use crate::{
    action::{NetworkState, tap_name},
    connection::resolve,
    hypervisor::{Heard, Question},
};

use announce::Answered;
use drift::{Holding, PortFault, Present};
use guard::{AddressUse, Surroundings};
use health::{Account, RULES, fault};
use rules::{
    flows,
    grants::{self, Changes, Held},
};
use settings::Ipv6;
use tables::{OwnTables, Standing};
use watch::News;

mod announce;
mod drift;
mod foreign;
pub mod guard;
mod health;
mod kernel;
mod neighbours;
mod nft;
mod pools;
mod ports;
mod programs;
pub mod rules;
mod settings;
mod tables;
mod watch;

/// Where guests send IPv6.
pub const GATEWAY_V6: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1);

/// What costs more on some hosts (all routes, all programs' rules, names) takes at most this share of the time ...
const SURVEY_SHARE: u32 = 20;
/// ... and is looked at this often otherwise.
const SURVEY_EVERY: Duration = Duration::from_secs(5);
/// How long a look waits for a change to end: longer than one that looks after our own takes ([`Network::watch`]), and
/// no longer than somebody may wait for a look.
const LOOK_PATIENCE: Duration = Duration::from_millis(500);
/// How long changes of our rules by somebody else are left alone after some were put back: whoever makes them without
/// end keeps no look from seeing them.
const WATCH_PAUSE: Duration = Duration::from_millis(100);
/// How long finding the control plane's address may take.
const RESOLVE_DEADLINE: Duration = Duration::from_secs(2);

/// What a host's configuration says of its guests' network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetworkConfig {
    /// Name of the guests' bridge, which the agent makes.
    pub bridge: String,
    /// The device on which the host answers ARP and ND for its guests (`proxy-neighbour`). Without one, the
    /// network around must route the guests' addresses to this host.
    pub uplink: Option<String>,
    /// Name servers that guests are told of.
    pub nameservers: Vec<IpAddr>,
    /// Where the control plane is, `https://HOST:PORT`: no guest gets that address.
    pub control_plane: Option<String>,
}

impl Default for NetworkConfig {
    fn default() -> Self {
        Self {
            bridge: "innkeeper0".to_owned(),
            uplink: None,
            nameservers: Vec::new(),
            control_plane: None,
        }
    }
}

/// Why the network is not as it was asked for.
#[derive(Debug, thiserror::Error)]
pub enum NetworkError {
    /// A program could not be run or ended with an error.
    #[error("{what}: {reason}")]
    Command {
        /// The command line.
        what: String,
        /// Its message.
        reason: String,
    },
    /// The kernel does not tell of changes of its rules.
    #[error("the kernel can't be asked to tell of changed rules")]
    Watch(#[source] std::io::Error),
    /// A kernel setting could not be written.
    #[error("the kernel setting {name} can't be set to {value}")]
    Setting {
        /// Which.
        name: String,
        /// To what.
        value: &'static str,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// `ip` or `nft` printed something that is not understood.
    #[error("what `{what}` printed is not understood")]
    Output {
        /// The command line.
        what: String,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// `ip` or `nft` prints more than there is room for.
    #[error("`{what}` prints more than there is room for")]
    TooMuch {
        /// The command line.
        what: String,
    },
    /// The uplink of the configuration does not exist.
    #[error("{0}")]
    Uplink(String),
    /// A guest was given an address that the host itself needs.
    #[error("{server} can't be carried: {refusal}")]
    Refused {
        /// Which guest.
        server: ServerId,
        /// Why not.
        refusal: guard::Refusal,
    },
}

/// What a look at the network found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Look {
    /// Which state is installed; `None` when anything of it is missing.
    pub installed: Option<Digest>,
    /// What of the host's own network decides which guests it can carry.
    pub surroundings: Surroundings,
    /// What was put back, and what can't be.
    pub health: HostHealth,
    /// How many connections of guests were refused since the first look, for being more than their share.
    pub refused: u64,
}

/// The network of one host.
#[derive(Debug)]
pub struct Network {
    config: NetworkConfig,
    /// Two reloads at a time would each undo the other's routes; a look in the middle of one would find faults.
    applying: tokio::sync::Mutex<()>,
    account: Mutex<Account>,
    tables: OwnTables,
    /// When to survey next.
    survey_due: Mutex<Option<Instant>>,
    answered: Answered,
}

impl Network {
    /// The network that the configuration describes; nothing is touched yet.
    #[must_use]
    pub fn new(config: NetworkConfig) -> Self {
        Self {
            config,
            applying: tokio::sync::Mutex::new(()),
            account: Mutex::default(),
            tables: OwnTables::default(),
            survey_due: Mutex::default(),
            answered: Answered::default(),
        }
    }

    /// Makes the network such that it carries exactly these guests. Established sessions go on, grants stay.
    ///
    /// An address loses its route before its rules, and gets its rules before its route: at no time is a
    /// guest reachable without being judged.
    ///
    /// # Errors
    /// [`NetworkError`]; what is installed then shows as something else, or as nothing.
    pub async fn apply(&self, state: &NetworkState) -> Result<(), NetworkError> {
        let _one_at_a_time = self.applying.lock().await;
        let applied = self.replace(state).await;
        let failure = applied.as_ref().err().map(|error| {
            let code = match error {
                NetworkError::Uplink(_) => HostFaultCode::Uplink,
                NetworkError::Refused { .. } => HostFaultCode::AddressInUse,
                _ => HostFaultCode::Network,
            };
            fault(code, chain(error))
        });
        self.account().applied(failure);
        applied
    }

    async fn replace(&self, state: &NetworkState) -> Result<(), NetworkError> {
        let (config, bridge) = (&self.config, self.config.bridge.as_str());
        let (ipv6, _) = self.ipv6();
        let wanted = Holding::of(state, config, ipv6);
        let present = kernel::observe(config, ipv6).await?;
        self.check_guests(state, &present)?;
        let uplink = present.uplink(config);
        kernel::make_bridge(bridge, &present).await?;
        if ipv6 == Ipv6::On {
            settings::keep_router_advertisements(bridge);
        }
        let set = settings::write(&settings::wanted(bridge, uplink, ipv6));
        kernel::address_bridge(bridge, &present, &wanted).await?;
        kernel::withdraw(config, &present, &wanted).await?;
        self.tables.make(state, bridge).await?;
        let set = set.and(settings::write(&settings::wanted_of_connections(ipv6)));
        let faults = drift::port_faults(&wanted, &present, bridge);
        ports::mend(bridge, with_macs(&faults, &wanted)).await?;
        kernel::add(config, &present, &wanted).await?;
        kernel::tidy_bridge(bridge, &present, &wanted).await;
        if let Some(uplink) = uplink {
            let new = wanted.proxies.difference(&present.proxies);
            let new = new.copied().collect();
            self.answered.announce(&wanted.proxies, new, uplink).await;
        }
        // Said last: what does not need it works.
        set?;
        match uplink_fault(config, &present) {
            Some(fault) if uplink.is_none() => Err(NetworkError::Uplink(fault.detail)),
            _ => Ok(()),
        }
    }

    /// Refuses guests whose addresses the host needs. `plan` leaves them out; this holds even if it knew less.
    fn check_guests(&self, state: &NetworkState, present: &Present) -> Result<(), NetworkError> {
        let surroundings = self.surroundings(present, None);
        for guest in &state.guests {
            if let Some(refusal) = guard::refusal(&guest.nic, &surroundings) {
                let server = guest.server;
                return Err(NetworkError::Refused { server, refusal });
            }
        }
        Ok(())
    }

    /// Looks at the network.
    ///
    /// # Errors
    /// When it can't be found out.
    pub async fn look(&self) -> Result<Look, NetworkError> {
        let (ipv6, without_ipv6) = self.ipv6();
        // Before the lock: it may take a while, and nobody has to wait for that.
        self.survey(ipv6).await;
        // While it is being changed nothing holds; and a change may take longer than anybody waits for a look.
        let Ok(_unchanged) = timeout(LOOK_PATIENCE, self.applying.lock()).await else {
            return Ok(self.result(None));
        };
        let observed = kernel::observe(&self.config, ipv6);
        let (present, tables) = tokio::try_join!(observed, kernel::tables())?;
        let mut found = Vec::new();
        let uplink = present.uplink(&self.config);
        let mut settings = settings::wanted(&self.config.bridge, uplink, ipv6);
        settings.extend(settings::wanted_of_connections(ipv6));
        let surroundings = self.surroundings(&present, without_ipv6);
        let mut account = self.account();
        let ruleset = tables.as_ref().and_then(|tables| {
            account.note_refused(flows::refused(&tables.flows));
            rules::read(&tables.replaced)
        });
        let mut standing = Standing::Changed;
        let ports = match (&ruleset, &tables) {
            (Some(ruleset), Some(tables)) => {
                let share = flows::share(flows::entries_max());
                standing = self.tables.judge(tables, &self.config.bridge, share);
                if standing == Standing::Changed {
                    found.push(format!("our rules {RULES} were changed"));
                }
                account.judge_foreign(&ruleset.addresses, &self.config.bridge);
                let wanted = Holding::installed(ruleset, &self.config, ipv6);
                found.extend(drift::differences(&wanted, &present, &self.config));
                self.ports(&mut account, &wanted, &present)
            }
            _ => {
                found.push(format!("our tables {RULES} were not whole"));
                Vec::new()
            }
        };
        found.extend(ports);
        if present.devices.contains_key(&self.config.bridge) {
            let unmet = settings::unmet(&settings).into_iter();
            found.extend(unmet.map(|(setting, found)| {
                let found = found.unwrap_or_else(|| "not there".to_owned());
                format!("{} was {found}", setting.name())
            }));
        }
        let is_whole = found.is_empty() && standing == Standing::Whole;
        account.looked(found);
        account.note_devices(present.devices.keys().cloned().collect());
        account.note_uplink(uplink_fault(&self.config, &present));
        account.surroundings = surroundings;
        let faults = account.faults();
        account.log(&faults);
        drop(account);
        let installed = ruleset.map(|ruleset| ruleset.state);
        // Without its uplink a host carries nobody new.
        let has_uplink = self.config.uplink.is_none() || uplink.is_some();
        Ok(self.result(installed.filter(|_| is_whole && has_uplink)))
    }

    /// What is wrong with the taps, a line for each that it is time to mend.
    fn ports(&self, account: &mut Account, wanted: &Holding, present: &Present) -> Vec<String> {
        let bridge = &self.config.bridge;
        let faults = drift::port_faults(wanted, present, bridge);
        let ripe = account.ripe(&faults, &present.devices);
        let good = wanted.taps.keys().filter(|tap| !faults.contains_key(*tap));
        let good = good.filter_map(|tap| Some((tap.clone(), present.devices.get(tap)?.index)));
        account.note_good(good);
        let lines = ripe.iter();
        lines
            .map(|(tap, fault): (&String, &PortFault)| fault.describe(tap))
            .collect()
    }

    /// Which state is installed; `None` when anything of it is missing.
    ///
    /// # Errors
    /// When it can't be found out.
    pub async fn installed(&self) -> Result<Option<Digest>, NetworkError> {
        self.look().await.map(|look| look.installed)
    }

    /// Makes the tap of a server that was just started the port that it shall be, before anybody looks.
    ///
    /// # Errors
    /// When it can't be done; the next looks try it again.
    pub async fn plug_in(&self, server: ServerId) -> Result<(), NetworkError> {
        let Some(mac) = self.tables.mac(server) else {
            return Ok(());
        };
        // libvirt has put it on the bridge; whatever else is missing is done.
        let new = (&tap_name(server), mac, PortFault::Learning);
        ports::mend(&self.config.bridge, std::iter::once(new)).await
    }

    /// Puts our rules back as soon as somebody else changes them, until it is dropped: a look comes two seconds later.
    ///
    /// # Errors
    /// When the kernel does not tell of changes: then the looks remain.
    pub async fn watch(&self) -> Result<Infallible, NetworkError> {
        let news = News::open().map_err(NetworkError::Watch)?;
        loop {
            news.of(rules::is_our_name)
                .await
                .map_err(NetworkError::Watch)?;
            let one_at_a_time = self.applying.lock().await;
            // What is known by then is seen now, our own changes included.
            news.drain();
            let restored = self.tables.restore(&self.config.bridge).await;
            drop(one_at_a_time);
            self.tables.touch();
            match restored {
                Ok(Standing::Whole | Standing::Outdated) => {}
                Ok(Standing::Changed) => {
                    self.account().restored(&format!("our rules {RULES}"));
                    sleep(WATCH_PAUSE).await;
                }
                Err(error) => {
                    tracing::warn!(error = chain(&error), "changed rules can't be put back yet");
                }
            }
        }
    }

    /// What engineers' access is in the kernel; `None` without our table for it.
    ///
    /// # Errors
    /// When it can't be found out.
    pub async fn access(&self) -> Result<Option<Held>, NetworkError> {
        let table = kernel::table(rules::GRANTS_TABLE).await?;
        let comment = grants::comment(&self.config.bridge);
        let ours = table.filter(|table| rules::has_comment(table, &comment));
        Ok(ours.as_ref().map(grants::read))
    }

    /// Changes engineers' access, in one transaction. Waits for nobody: the kernel takes one transaction at a time, and
    /// whoever makes the table anew meanwhile says so ([`Network::access_touched`]).
    ///
    /// # Errors
    /// When nothing was changed.
    pub async fn change_access(&self, changes: &Changes) -> Result<(), NetworkError> {
        if let Some(engineers) = &changes.engineers {
            self.tables.set_engineers(engineers);
        }
        kernel::nft_text(&grants::change(changes)).await
    }

    /// Waits until somebody may have changed engineers' access, or has made its table anew, without any. Whoever changes it
    /// through [`Network::change_access`] hears of that as well.
    pub async fn access_touched(&self) {
        self.tables.touched().await;
    }

    /// Which guests have answered for their addresses, and when.
    ///
    /// # Errors
    /// When it can't be found out.
    pub async fn heard(&self, now: Timestamp) -> Result<BTreeMap<IpAddr, Heard>, NetworkError> {
        neighbours::heard(&self.config, now).await
    }

    /// Has guests asked for their addresses.
    ///
    /// # Errors
    /// When that can't be done.
    pub async fn ask(&self, questions: &[Question]) -> Result<(), NetworkError> {
        neighbours::ask(&self.config, questions).await
    }

    /// What the last look found, when another one failed: a guest that was refused stays so.
    #[must_use]
    pub fn last_look(&self) -> Look {
        self.result(None)
    }

    /// Faults of servers that run and have lost their network device: nobody can give it back to QEMU.
    #[must_use]
    pub fn cut_off<'a>(&self, running: impl Iterator<Item = &'a ServerId>) -> Vec<HostFault> {
        let running = running.map(|server| (server.to_string(), tap_name(*server)));
        self.account().cut_off(running)
    }

    fn result(&self, installed: Option<Digest>) -> Look {
        let account = self.account();
        let mut faults = account.faults();
        faults.truncate(FAULTS_MAX);
        Look {
            installed,
            surroundings: account.surroundings.clone(),
            refused: account.refused(),
            health: HostHealth {
                repairs: account.repairs(),
                faults,
            },
        }
    }

    fn account(&self) -> MutexGuard<'_, Account> {
        self.account.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ipv6(&self) -> (Ipv6, Option<String>) {
        let without = settings::without_ipv6(&self.config);
        let ipv6 = if without.is_some() {
            Ipv6::Off
        } else {
            Ipv6::On
        };
        (ipv6, without)
    }

    /// The addresses that the host itself needs. The bridge's own are ours; and what is behind it are guests.
    fn surroundings(&self, present: &Present, without_ipv6: Option<String>) -> Surroundings {
        let account = self.account();
        let mut taken = account.next_hops.clone();
        let control_plane = account.control_plane.iter();
        taken.extend(control_plane.map(|address| (*address, AddressUse::ControlPlane)));
        let own = present.own.iter().map(|(address, device)| {
            let device = device.clone();
            (*address, AddressUse::Own { device })
        });
        taken.extend(own);
        Surroundings {
            taken,
            without_ipv6,
        }
    }

    /// Looks at what may cost more, when it is time. What can't be had stays as it was known last.
    async fn survey(&self, ipv6: Ipv6) {
        let due = *self.survey_due();
        let started = Instant::now();
        if due.is_some_and(|due| started < due) {
            return;
        }
        let (hops, rules, control_plane) = tokio::join!(
            kernel::next_hops(&self.config, ipv6),
            kernel::all_rules(),
            self.control_plane()
        );
        let mut account = self.account();
        match hops {
            Ok(hops) => account.next_hops = hops,
            Err(NetworkError::TooMuch { .. }) => account.note_too_many_routes(),
            Err(error) => tracing::debug!(error = chain(&error), "routes can't be listed"),
        }
        match rules {
            Ok(rules) => {
                let bridge = self.config.bridge.as_str();
                let drops = foreign::drops(&rules, bridge, self.config.uplink.as_deref());
                account.note_foreign(drops);
            }
            Err(error) => tracing::debug!(error = chain(&error), "all rules can't be listed"),
        }
        if let Some(control_plane) = control_plane {
            account.control_plane = control_plane;
        }
        drop(account);
        let pause = SURVEY_EVERY.max(started.elapsed() * SURVEY_SHARE);
        *self.survey_due() = Some(Instant::now() + pause);
    }

    fn survey_due(&self) -> MutexGuard<'_, Option<Instant>> {
        self.survey_due
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// The control plane's addresses; `None`: they can't be found out now.
    async fn control_plane(&self) -> Option<BTreeSet<IpAddr>> {
        let url = self.config.control_plane.as_deref()?;
        let resolved = timeout(RESOLVE_DEADLINE, resolve(url)).await;
        resolved.ok()?.ok()
    }
}

/// Faulty taps with the hardware address that shall be behind each.
fn with_macs<'a>(
    faults: &'a BTreeMap<String, PortFault>,
    wanted: &'a Holding,
) -> impl Iterator<Item = (&'a String, MacAddress, PortFault)> {
    let faults = faults.iter();
    faults.filter_map(|(tap, fault)| Some((tap, *wanted.taps.get(tap)?, *fault)))
}

/// What is wrong with the uplink of the configuration.
fn uplink_fault(config: &NetworkConfig, present: &Present) -> Option<HostFault> {
    let uplink = config.uplink.as_deref()?;
    let detail = match present.devices.get(uplink) {
        None => {
            let is_other = |name: &&String| {
                **name != "lo" && **name != config.bridge && !name.starts_with("ik")
            };
            let others: Vec<_> = present.devices.keys().filter(is_other).cloned().collect();
            format!(
                "the uplink {uplink} of agent.toml does not exist; this host has {}",
                others.join(", ")
            )
        }
        Some(device) if !device.up => format!(
            "the uplink {uplink} is switched off: no guest is reached until `ip link set {uplink} up`"
        ),
        Some(device) if !device.carrier => {
            format!(
                "the uplink {uplink} has no carrier: nothing answers at the other end of its cable"
            )
        }
        Some(_) => return None,
    };
    Some(fault(HostFaultCode::Uplink, detail))
}
