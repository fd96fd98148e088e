//! One history: what customers do, what goes wrong, and the healing at its end.

use std::{
    net::{IpAddr, Ipv4Addr},
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use innkeeper_agent::hypervisor::simulated::Fault;
use innkeeper_control_plane::{
    app::{Actor, App, Caller, servers::ServerFilter},
    vault::Vault,
};
use innkeeper_mtls::{Ca, HostRequest};
use innkeeper_wire::{
    api::{Locale, OrderRequest, QuoteRequest, ServerAction, SignupRequest, SshKeyRequest},
    host::{JoinRequest, Report},
    id::{AccountId, RequestId, SshKeyId},
    time::Clock as _,
};
use rand::{Rng as _, SeedableRng as _, rngs::StdRng, seq::IndexedRandom as _};

use crate::side::{SimulatedClock, SimulatedHost, SimulatedIds, open_control_plane};

const HOSTS: usize = 2;
/// A public key that parses; nobody signs in here.
const KEY: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEB";

/// What happened.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Tally {
    pub(crate) orders: u32,
    pub(crate) deletions: u32,
    pub(crate) lost: u32,
    pub(crate) crashes: u32,
}

impl Tally {
    pub(crate) fn add(&mut self, other: Self) {
        self.orders += other.orders;
        self.deletions += other.deletions;
        self.lost += other.lost;
        self.crashes += other.crashes;
    }
}

pub(crate) struct History {
    random: StdRng,
    folder: tempfile::TempDir,
    /// One for all lives of the control plane.
    vault: Vault,
    clock: Arc<SimulatedClock>,
    ids: Arc<SimulatedIds>,
    /// `None` only while it is down.
    app: Option<App>,
    account: AccountId,
    key: SshKeyId,
    pub(crate) hosts: Vec<SimulatedHost>,
    /// Reports that are still on their way, by host.
    late: Vec<(usize, Report)>,
    pub(crate) tally: Tally,
}

impl History {
    /// An installation with two hosts and one customer.
    pub(crate) async fn begin(seed: u64) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let clock = Arc::new(SimulatedClock(1_790_000_000_000.into()));
        let ids = Arc::new(SimulatedIds {
            clock: Arc::clone(&clock),
            next: 1.into(),
        });
        let vault = Vault::in_memory([7; 32]);
        let app = open_control_plane(folder.path(), &vault, &clock, &ids);
        let visitor = caller(&app, Actor::Visitor);
        let ca = Ca::create(&crate::side::code("sim"), clock.now()).expect("an authority");
        let mut hosts = Vec::new();
        for number in 0..HOSTS {
            let token = app
                .invite_host(&format!("h{number}"), "lab")
                .await
                .expect("invited");
            let csr_pem = HostRequest::create().expect("a key").request_pem;
            let joined = app
                .join_host(&visitor, &ca, &JoinRequest { token, csr_pem })
                .await
                .expect("joined");
            hosts.push(SimulatedHost::new(joined.host, clock.now()));
        }
        let account = app
            .sign_up(&visitor, &signup())
            .await
            .expect("signed up")
            .account;
        let customer = caller(&app, Actor::Account(account));
        let request = SshKeyRequest {
            name: String::new(),
            public_key: KEY.to_owned(),
        };
        let key = app
            .add_ssh_key(&customer, &request)
            .await
            .expect("a key")
            .id;
        let random = StdRng::seed_from_u64(seed);
        let (late, tally) = (Vec::new(), Tally::default());
        let mut history = Self {
            random,
            folder,
            vault,
            clock,
            ids,
            app: Some(app),
            account,
            key,
            hosts,
            late,
            tally,
        };
        for host in 0..HOSTS {
            history.deliver(host).await;
        }
        history
    }

    pub(crate) fn app(&self) -> &App {
        self.app
            .as_ref()
            .expect("it is down only within `restart_control_plane`")
    }

    pub(crate) fn customer(&self) -> Caller {
        caller(self.app(), Actor::Account(self.account))
    }

    /// One thing happens.
    pub(crate) async fn event(&mut self) {
        let host = self.random.random_range(0..HOSTS);
        match self.random.random_range(0..100) {
            0..12 => self.order().await,
            12..30 => self.ask().await,
            30..45 => self.fetch(host),
            45..62 => self.act(host),
            62..76 => self.report(host).await,
            76..82 => self.deliver_late().await,
            82..90 => self.pass_time(),
            90..95 => self.inject(host),
            95..97 => self.hosts[host].restart_agent(),
            97..99 => {
                self.tally.crashes += 1;
                self.hosts[host].machine.restart_host();
                self.hosts[host].restart_agent();
            }
            _ => self.restart_control_plane().await,
        }
    }

    async fn order(&mut self) {
        let customer = self.customer();
        let number = self.random.random_range(0..10_000);
        let request = QuoteRequest {
            site: "lab".to_owned(),
            plan: "s1".to_owned(),
            image: "tiny".to_owned(),
            name: format!("web-{number}"),
            ssh_keys: vec![self.key],
        };
        let quote = self
            .app()
            .quote(&customer, &request)
            .await
            .expect("a quote")
            .id;
        let request = OrderRequest {
            quote,
            accept_cautions: true,
        };
        // Each click is doubled; a refusal (no room, no quota) is an answer too.
        let first = self.app().place_order(&customer, "click", &request).await;
        let key = format!("click-{quote}");
        let first = match first {
            Ok(order) => Ok(order),
            Err(_) => self.app().place_order(&customer, &key, &request).await,
        };
        if let Ok(first) = first {
            self.tally.orders += 1;
            let again = self
                .app()
                .place_order(&customer, &key, &request)
                .await
                .expect("the same order");
            assert_eq!(first.server, again.server, "a double click is one server");
        }
    }

    async fn ask(&mut self) {
        let customer = self.customer();
        let page = self
            .app()
            .servers(&customer, &ServerFilter::default(), None, 50)
            .expect("a list");
        let Some(server) = page.data.choose(&mut self.random) else {
            return;
        };
        let Some(action) = server.allowed_actions.choose(&mut self.random) else {
            return;
        };
        // Most servers shall live long enough to see something.
        if *action == ServerAction::Delete && self.random.random_range(0..3) > 0 {
            return;
        }
        self.app()
            .act(&customer, server.id, *action)
            .await
            .expect("an allowed action");
        self.tally.deletions += u32::from(*action == ServerAction::Delete);
    }

    /// The host asks for its desired state; question or answer may be lost, also between specs.
    fn fetch(&mut self, host: usize) {
        let id = self.hosts[host].id;
        let manifest = self.app().manifest(id).expect("a manifest");
        let lost = self.random.random_range(0..5) == 0;
        self.tally.lost += u32::from(lost);
        let app = self.app().clone();
        self.hosts[host].take(manifest, |digest| {
            app.spec(id, digest).ok().filter(|_| !lost)
        });
    }

    fn act(&mut self, host: usize) {
        if !self.hosts[host].act() {
            self.tally.crashes += 1;
            self.hosts[host].restart_agent();
        }
    }

    /// The host reports: it arrives, twice, later, or never.
    async fn report(&mut self, host: usize) {
        let report = self.hosts[host].report();
        match self.random.random_range(0..10) {
            0 => self.tally.lost += 1,
            1..4 => self.late.push((host, report)),
            4 => {
                self.take_report(host, &report).await;
                self.take_report(host, &report).await;
            }
            _ => self.take_report(host, &report).await,
        }
    }

    async fn deliver_late(&mut self) {
        if !self.late.is_empty() {
            let index = self.random.random_range(0..self.late.len());
            let (host, report) = self.late.swap_remove(index);
            self.take_report(host, &report).await;
        }
    }

    async fn take_report(&self, host: usize, report: &Report) {
        self.app()
            .take_report(self.hosts[host].id, report)
            .await
            .expect("taken in");
    }

    async fn deliver(&mut self, host: usize) {
        let report = self.hosts[host].report();
        self.take_report(host, &report).await;
    }

    fn pass_time(&mut self) {
        let seconds = self.random.random_range(1..40);
        self.advance(Duration::from_secs(seconds));
    }

    fn advance(&self, span: Duration) {
        let millis = i64::try_from(span.as_millis()).expect("short");
        self.clock.0.fetch_add(millis, Ordering::SeqCst);
        for host in &self.hosts {
            host.machine.advance(span);
        }
    }

    fn inject(&mut self, host: usize) {
        let faults = [
            Fault::Fail,
            Fault::FailAfterEffect,
            Fault::Hang,
            Fault::HangAfterEffect,
        ];
        let fault = *faults.choose(&mut self.random).expect("four");
        self.hosts[host].machine.inject(None, fault);
    }

    /// The control plane stops and is started again on what is on disk.
    async fn restart_control_plane(&mut self) {
        self.tally.crashes += 1;
        let app = self.app.take().expect("it runs");
        app.store().clone().close().await;
        drop(app);
        self.app = Some(open_control_plane(
            self.folder.path(),
            &self.vault,
            &self.clock,
            &self.ids,
        ));
    }

    /// Everything works again, for long enough.
    pub(crate) async fn heal(&mut self) {
        while !self.late.is_empty() {
            self.deliver_late().await;
        }
        for host in &self.hosts {
            host.machine.end_faults();
        }
        for _ in 0..40 {
            for host in 0..HOSTS {
                let id = self.hosts[host].id;
                let manifest = self.app().manifest(id).expect("a manifest");
                let app = self.app().clone();
                self.hosts[host].take(manifest, |digest| app.spec(id, digest).ok());
                for _ in 0..3 {
                    self.hosts[host].act();
                }
                self.deliver(host).await;
            }
            self.advance(Duration::from_secs(30));
        }
        for host in 0..HOSTS {
            self.deliver(host).await;
        }
    }
}

fn caller(app: &App, actor: Actor) -> Caller {
    Caller {
        actor,
        address: IpAddr::V4(Ipv4Addr::LOCALHOST),
        request: RequestId::new(app.ids()),
    }
}

fn signup() -> SignupRequest {
    SignupRequest {
        login_id: "minji90".to_owned(),
        name: "김민지".to_owned(),
        email: "minji@example.com".to_owned(),
        password: "violet-anchor-tundra-58".to_owned(),
        accepted_terms: "1".to_owned(),
        locale: Locale::Ko,
    }
}
