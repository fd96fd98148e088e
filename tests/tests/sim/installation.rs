//! The installation that every history begins with: up to four hosts that joined, three customers with a key each.
//! Made once in a process, since passwords are hashed as in production; a history gets a copy of its disk.

use std::{
    net::{IpAddr, Ipv4Addr},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::Duration,
};

use innkeeper_control_plane::{
    addresses::rules::pools::{Pool, PoolDescription, Routing},
    kernel::{Actor, Caller},
    nouns::{Nouns, Settings},
    store::{
        Options,
        simulated::{MemoryHome, SimulatedDisk, open},
    },
    vault::Vault,
};
use innkeeper_mtls::{Ca, HostRequest};
use innkeeper_tests::small_cloud;
use innkeeper_wire::{
    api::{Locale, SignupRequest, SshKeyRequest},
    host::{HostCapacity, JoinRequest},
    id::{AccountId, Code, HostId, IdSource, RequestId, SshKeyId},
    member::MemberKind,
    size::Bytes,
    time::{Clock, Timestamp},
    vm::Opening,
};
use tokio::runtime::Runtime;

/// When every history begins, by all clocks that are right.
pub(crate) const BEGIN: Timestamp = Timestamp::from_millis(1_790_000_000_000);
/// Hosts that joined; a history uses the first few.
pub(crate) const HOSTS: usize = 4;
const CUSTOMERS: usize = 3;
/// Room for three servers of the one plan on each host: the last room is always near.
pub(crate) const CAPACITY: HostCapacity = HostCapacity {
    cpus: 16,
    // For three servers of a gibibyte, with QEMU's own share.
    memory: Bytes::mib(3 * (1024 + 80)),
    disk: Bytes::gib(1_000),
};
/// Public keys that parse; nobody signs in here.
pub(crate) const KEYS: [&str; 2] = [
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEB",
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgIC",
];

/// A clock that shows what it is told to.
pub(crate) struct SimulatedClock {
    shown: AtomicI64,
    /// Milliseconds that truly passed since the history began.
    passed: AtomicU64,
}

impl SimulatedClock {
    pub(crate) fn showing(now: Timestamp) -> Arc<Self> {
        Arc::new(Self {
            shown: now.as_millis().into(),
            passed: 0.into(),
        })
    }

    /// Shows `now` when so much time has passed.
    pub(crate) fn show(&self, now: Timestamp, passed: u64) {
        self.shown.store(now.as_millis(), Ordering::SeqCst);
        self.passed.store(passed, Ordering::SeqCst);
    }
}

impl Clock for SimulatedClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.shown.load(Ordering::SeqCst))
    }

    fn monotonic(&self) -> Duration {
        Duration::from_millis(self.passed.load(Ordering::SeqCst))
    }
}

/// Ids that a seed decides.
pub(crate) struct SimulatedIds {
    clock: Arc<SimulatedClock>,
    next: AtomicU64,
}

impl SimulatedIds {
    pub(crate) fn from(first: u64, clock: &Arc<SimulatedClock>) -> Arc<Self> {
        let clock = Arc::clone(clock);
        let next = first.into();
        Arc::new(Self { clock, next })
    }
}

impl IdSource for SimulatedIds {
    fn uuid(&self) -> uuid::Uuid {
        let mut random = [0u8; 10];
        random[2..].copy_from_slice(&self.next.fetch_add(1, Ordering::SeqCst).to_be_bytes());
        innkeeper_wire::id::uuid_v7(self.clock.now(), random)
    }
}

/// A customer's account.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Customer {
    pub(crate) account: AccountId,
    pub(crate) key: SshKeyId,
}

pub(crate) struct Installation {
    /// Its store as it was when the first host had joined, the second, and so on.
    disks: Vec<SimulatedDisk>,
    /// Keys of the accounts; no history changes them.
    pub(crate) vault: Vault,
    pub(crate) hosts: Vec<HostId>,
    pub(crate) customers: Vec<Customer>,
}

impl Installation {
    /// The one of this process.
    pub(crate) fn get() -> &'static Self {
        static MADE: OnceLock<Installation> = OnceLock::new();
        MADE.get_or_init(|| {
            let runtime = Runtime::new().expect("a runtime");
            runtime.block_on(Self::make())
        })
    }

    /// A copy of its journal, with so many hosts.
    pub(crate) fn disk(&self, hosts: usize) -> SimulatedDisk {
        self.disks[hosts - 1].copy()
    }

    async fn make() -> Self {
        let clock = SimulatedClock::showing(BEGIN);
        let ids = SimulatedIds::from(1, &clock);
        let disk = SimulatedDisk::default();
        let (store, _) = open(&disk, &MemoryHome::default(), &options()).expect("an empty disk");
        let vault = Vault::in_memory([7; 32]);
        let nouns = Nouns::new(store, vault.clone(), clock, ids, settings());
        let visitor = caller(&nouns, Actor::Visitor);
        let ca = Ca::create(&code("sim"), BEGIN).expect("an authority");
        let mut customers = Vec::new();
        for number in 1..=CUSTOMERS {
            let signed_up = nouns.accounts.sign_up(&visitor, &signup(number)).await;
            let account = signed_up.expect("a free ID").account;
            let operator = caller(&nouns, Actor::Operator);
            let reason = "nobody reads mails here".parse().expect("a reason");
            let confirmed = nouns.accounts.vouch_for_email(&operator, account, &reason);
            confirmed.await.expect("it waits for that");
            let customer = caller(&nouns, Actor::Account(account));
            let payer = small_cloud::profile();
            let given = nouns.billing.set_profile(&customer, &payer);
            given.await.expect("a good profile");
            let added = nouns.accounts.add_ssh_key(&customer, &key(KEYS[0])).await;
            let key = added.expect("a good key").id;
            customers.push(Customer { account, key });
        }
        let (mut hosts, mut disks) = (Vec::new(), Vec::new());
        for number in 1..=HOSTS {
            let invited = nouns
                .hosts
                .invite(Actor::Operator, &format!("h{number}"), "lab")
                .await;
            let csr_pem = HostRequest::create().expect("a key").request_pem;
            let token = invited.expect("a name and a site");
            let request = JoinRequest { token, csr_pem };
            let joined = nouns.hosts.join(&visitor, &ca, &request).await;
            hosts.push(joined.expect("invited").host);
            disks.push(disk.copied_out());
        }
        nouns.ctx.store().clone().close().await;
        Self {
            disks,
            vault,
            hosts,
            customers,
        }
    }
}

pub(crate) fn caller(nouns: &Nouns, actor: Actor) -> Caller {
    Caller {
        actor,
        address: IpAddr::V4(Ipv4Addr::LOCALHOST),
        request: RequestId::new(nouns.ctx.ids()),
    }
}

pub(crate) fn key(public_key: &str) -> SshKeyRequest {
    SshKeyRequest {
        name: String::new(),
        public_key: public_key.to_owned(),
    }
}

fn signup(number: usize) -> SignupRequest {
    SignupRequest {
        kind: MemberKind::Individual,
        company: None,
        mobile: None,
        accepted_personal_data: None,
        login_id: format!("minji{number}"),
        name: "김민지".to_owned(),
        email: format!("minji{number}@example.com"),
        password: "violet-anchor-tundra-58".to_owned(),
        accepted_terms: "1".to_owned(),
        locale: Locale::Ko,
        plan: None,
    }
}

/// Small segments, so that histories cross several.
pub(crate) fn options() -> Options {
    Options {
        reserve_bytes: 0,
        segment_bytes: 48 * 1_024,
        ..Options::new([7; 16])
    }
}

fn code(text: &str) -> Code {
    text.parse().expect("a code")
}

fn six_addresses() -> Pool {
    let description = PoolDescription {
        site: code("lab"),
        subnet: "203.0.113.0/28",
        gateway: None,
        ranges: Some(&["203.0.113.2-203.0.113.7".to_owned()]),
        reserved: &[],
        ours: &[],
        routing: Routing::ProxyNeighbour,
    };
    Pool::new(&description).expect("a pool")
}

/// Six addresses and five servers an account, so that both run out.
pub(crate) fn settings() -> Settings {
    Settings {
        openings: vec![Opening::Icmp],
        server_quota: 5,
        pools: vec![six_addresses()],
        ..small_cloud::settings(&[])
    }
}
