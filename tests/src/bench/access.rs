//! How soon an engineer's live session is dead: when his grant ends with nobody there to take it away, when the customer
//! withdraws it, and when the host hears nothing of the control plane any more. Between network namespaces, with the
//! agent's own network and keeper; both families, and the later last byte of the two counts.

use std::{
    io::{Read as _, Write as _},
    net::{IpAddr, SocketAddr, TcpListener, TcpStream},
    process::Command,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    time::Duration,
};

use anyhow::{Context as _, ensure};
use innkeeper_agent::{
    access::{Answer, Keeper, LEASE, Seen},
    action::{GuestNetwork, NetworkState, tap_name},
    desired::{Desired, Wanted},
    metrics::AgentMetrics,
    network::{Network, NetworkConfig},
};
use innkeeper_wire::{
    digest::Digest,
    host::{Access, AccessTerms},
    id::{GrantId, IdSource, ServerId},
    size::Bytes,
    time::{Clock as _, SystemClock},
    vm::{BaseImage, ImageFormat, MacAddress, Nic, Power, PowerTarget, ServerSpec},
};
use nix::sched::{CloneFlags, unshare};
use tokio::{
    sync::watch,
    time::{Instant, sleep},
};
use tokio_util::sync::CancellationToken;

use super::{Figure, median, orders::RandomIds};

/// Names of the figures.
pub const NAMES: [&str; 4] = [
    "grant_last_byte_after_expiry_ms",
    "grant_last_byte_after_withdrawal_ms",
    "grant_last_byte_after_partition_ms",
    "floor_grant_element_ms",
];

const ROUNDS: usize = 5;
const BRIDGE: &str = "innkeeper0";
const ENGINEER: [&str; 2] = ["203.0.113.9", "2001:db8::9"];
const GUEST: [&str; 2] = ["203.0.113.129", "2001:db8::8000:1"];
const PORT: u16 = 22;
/// Of a grant whose end is measured.
const SHORT_S: u32 = 2;
const HOUR_S: u32 = 3_600;
/// A session over which nothing came for so long is dead.
const DEAD_AFTER: Duration = Duration::from_secs(3);
/// How long anything else may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Measures, which takes a bit more than a lease.
///
/// # Errors
/// When the namespaces can't be made, or a session does not work as long as it may.
pub async fn figures() -> anyhow::Result<Vec<Figure>> {
    let (tell, told) = tokio::sync::oneshot::channel();
    // The thread becomes the host: what runs in it and what it starts is in the host's network.
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        let measured = runtime.context("start a runtime").and_then(|runtime| {
            let scene = Scene::new(&runtime)?;
            runtime.block_on(scene.figures())
        });
        tell.send(measured).ok();
    });
    told.await.context("the bench panicked")?
}

/// A host with one guest, and an engineer beside it.
struct Scene {
    network: Arc<Network>,
    engineer: Namespace,
    spec: ServerSpec,
    _guest: Namespace,
}

impl Scene {
    fn new(runtime: &tokio::runtime::Runtime) -> anyhow::Result<Self> {
        unshare(CloneFlags::CLONE_NEWNET).context("make a namespace")?;
        let (engineer, guest) = (Namespace::new()?, Namespace::new()?);
        let thread = engineer.thread_id;
        ip("link set lo up")?;
        ip(&format!(
            "link add uplink type veth peer name eth0 netns {thread}"
        ))?;
        ip("addr add 203.0.113.2/24 dev uplink")?;
        ip("addr add 2001:db8::2/64 dev uplink nodad")?;
        ip("link set uplink up")?;
        engineer.ip(&[
            format!("addr add {}/24 dev eth0", ENGINEER[0]),
            format!("addr add {}/64 dev eth0 nodad", ENGINEER[1]),
            "link set eth0 up".to_owned(),
        ])?;
        let network = Network::new(NetworkConfig {
            bridge: BRIDGE.to_owned(),
            uplink: Some("uplink".to_owned()),
            ..NetworkConfig::default()
        });
        let spec = spec()?;
        let guests = vec![GuestNetwork {
            server: spec.server,
            nic: spec.network.clone(),
        }];
        runtime
            .block_on(network.apply(&NetworkState { guests }))
            .context("make the guests' network")?;
        plug_in(&guest, &spec)?;
        guest.run(echo_to_everybody)??;
        Ok(Self {
            network: Arc::new(network),
            engineer,
            spec,
            _guest: guest,
        })
    }

    async fn figures(&self) -> anyhow::Result<Vec<Figure>> {
        let mut rounds: [Vec<f64>; 3] = Default::default();
        for _ in 0..ROUNDS {
            let [after_expiry, after_withdrawal, floor] = &mut rounds;
            after_expiry.push(self.after_expiry().await?);
            after_withdrawal.push(self.after_withdrawal().await?);
            floor.push(self.one_element().await?);
        }
        let [after_expiry, after_withdrawal, floor] = rounds.map(median);
        let values = [
            after_expiry,
            after_withdrawal,
            self.after_partition().await?,
            floor,
        ];
        let named = NAMES.into_iter().zip(values);
        let figures = named.map(|(name, value)| Figure {
            name,
            value,
            unit: "ms",
        });
        Ok(figures.collect())
    }

    /// From the end of a grant whose agent has died meanwhile.
    async fn after_expiry(&self) -> anyhow::Result<f64> {
        let kept = Kept::start(self);
        kept.hear();
        let end = Instant::now() + Duration::from_secs(SHORT_S.into());
        kept.want(self, Some(SHORT_S));
        let sessions = self.sessions().await?;
        drop(kept);
        last_byte_after(end, &sessions).await
    }

    /// From when the keeper has the desired state without the grant.
    async fn after_withdrawal(&self) -> anyhow::Result<f64> {
        let kept = Kept::start(self);
        kept.hear();
        kept.want(self, Some(HOUR_S));
        let sessions = self.sessions().await?;
        let withdrawn = Instant::now();
        kept.want(self, None);
        last_byte_after(withdrawn, &sessions).await
    }

    /// From the last answer of the control plane.
    async fn after_partition(&self) -> anyhow::Result<f64> {
        let kept = Kept::start(self);
        kept.hear();
        kept.want(self, Some(HOUR_S));
        let sessions = self.sessions().await?;
        kept.hear();
        let heard = Instant::now();
        sleep(LEASE).await;
        last_byte_after(heard, &sessions).await
    }

    /// One run of nft, for one element.
    async fn one_element(&self) -> anyhow::Result<f64> {
        let element = format!("access4 {{ {} . {PORT} }}", GUEST[0]);
        let transaction = |verb: &str| format!("{verb} element inet innkeeper_grants {element}");
        let begun = Instant::now();
        let nft = tokio::process::Command::new("nft")
            .arg(transaction("add"))
            .output();
        let output = nft.await.context("run nft")?;
        let took = begun.elapsed();
        ensure!(output.status.success(), "nft refuses an element");
        run("nft", &[&transaction("delete")])?;
        Ok(took.as_secs_f64() * 1_000.0)
    }

    /// Live ones, one in each family, as soon as the keeper has let the engineer in.
    async fn sessions(&self) -> anyhow::Result<Vec<Session>> {
        let asked = Instant::now();
        while self.open_doors().await? != GUEST.len() {
            ensure!(asked.elapsed() < PATIENCE, "the engineer is not let in");
            sleep(Duration::from_millis(5)).await;
        }
        let mut sessions = Vec::new();
        for address in GUEST {
            let to = SocketAddr::new(address.parse().context("an address")?, PORT);
            let session = self.engineer.run(move || Session::open(to))??;
            sessions.push(session);
        }
        sleep(Duration::from_millis(200)).await;
        let is_live = |session: &Session| session.last_byte().is_some();
        ensure!(sessions.iter().all(is_live), "a session does not work");
        Ok(sessions)
    }

    async fn open_doors(&self) -> anyhow::Result<usize> {
        let held = self.network.access().await.context("look at the kernel")?;
        Ok(held.map_or(0, |held| held.open.len()))
    }

    fn desired(&self, seconds: Option<u32>) -> Desired {
        let spec = self.spec.clone();
        let access = seconds.map(|seconds| Access {
            grant: GrantId::new(&RandomIds as &dyn IdSource),
            server: spec.server,
            port: PORT,
            until: SystemClock.now().after(Duration::from_secs(seconds.into())),
            seconds,
        });
        Desired {
            servers: [(spec.server, Wanted::Present(Box::new(spec)))].into(),
            access: access.into_iter().collect(),
            ..Desired::default()
        }
    }
}

/// When the last byte of all came, in milliseconds from `begun` on.
async fn last_byte_after(begun: Instant, sessions: &[Session]) -> anyhow::Result<f64> {
    let limit = Instant::now() + LEASE;
    loop {
        let last = sessions.iter().filter_map(Session::last_byte).max();
        let last = last.context("no session has worked")?;
        if last.elapsed() > DEAD_AFTER && Instant::now() > begun {
            return Ok(last.saturating_duration_since(begun).as_secs_f64() * 1_000.0);
        }
        ensure!(Instant::now() < limit, "a session lives on");
        sleep(Duration::from_millis(50)).await;
    }
}

/// A keeper that runs; it ends with this.
struct Kept {
    desired: watch::Sender<Arc<Desired>>,
    answers: watch::Sender<Option<Answer>>,
    stop: CancellationToken,
}

impl Kept {
    fn start(scene: &Scene) -> Self {
        let kept = Self {
            desired: watch::Sender::new(Arc::new(scene.desired(None))),
            answers: watch::Sender::new(None),
            stop: CancellationToken::new(),
        };
        let keeper = Keeper {
            table: Arc::clone(&scene.network),
            clock: Arc::new(SystemClock),
            desired: kept.desired.subscribe(),
            answers: kept.answers.subscribe(),
            seen: watch::Sender::new(Seen::default()),
            metrics: AgentMetrics::new(),
            lease: LEASE,
        };
        tokio::spawn(keeper.run(kept.stop.clone()));
        kept
    }

    fn hear(&self) {
        let engineers = ENGINEER.map(|text| text.parse().expect("a network"));
        let answer = Answer {
            asked_at: SystemClock.monotonic(),
            terms: AccessTerms {
                now: SystemClock.now(),
                engineers: engineers.into(),
            },
        };
        self.answers.send_replace(Some(answer));
    }

    fn want(&self, scene: &Scene, seconds: Option<u32>) {
        let desired = scene.desired(seconds);
        self.desired.send_replace(Arc::new(desired));
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// A connection over which bytes go and come all the time.
struct Session {
    last: Arc<Mutex<Option<Instant>>>,
    ended: Arc<AtomicBool>,
}

impl Session {
    fn open(to: SocketAddr) -> anyhow::Result<Self> {
        let begun = Instant::now();
        let mut stream = loop {
            match TcpStream::connect_timeout(&to, Duration::from_millis(100)) {
                Ok(stream) => break stream,
                Err(error) if begun.elapsed() > PATIENCE => {
                    return Err(error).with_context(|| format!("connect to {to}"));
                }
                Err(_) => {}
            }
        };
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_millis(20)))?;
        let session = Self {
            last: Arc::default(),
            ended: Arc::default(),
        };
        let (last, ended) = (Arc::clone(&session.last), Arc::clone(&session.ended));
        std::thread::spawn(move || {
            while !ended.load(Ordering::Relaxed) {
                stream.write_all(b"x").ok();
                if stream.read(&mut [0; 64]).is_ok_and(|count| count > 0) {
                    *last.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
                    std::thread::park_timeout(Duration::from_millis(1));
                }
            }
        });
        Ok(session)
    }

    fn last_byte(&self) -> Option<Instant> {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
    }
}

type Task = Box<dyn FnOnce() + Send>;

/// A network namespace: a thread in it that does what it is told, and ends with this.
struct Namespace {
    tasks: mpsc::Sender<Task>,
    thread_id: i32,
}

impl Namespace {
    fn new() -> anyhow::Result<Self> {
        let (tasks, queue) = mpsc::channel::<Task>();
        let (tell, told) = mpsc::channel();
        std::thread::spawn(move || {
            let made = unshare(CloneFlags::CLONE_NEWNET);
            tell.send(made.map(|()| nix::unistd::gettid().as_raw()))
                .ok();
            queue.into_iter().for_each(|task| task());
        });
        let thread_id = told.recv().context("the thread ended")?;
        let thread_id = thread_id.context("make a namespace")?;
        Ok(Self { tasks, thread_id })
    }

    fn run<T: Send + 'static>(
        &self,
        task: impl FnOnce() -> T + Send + 'static,
    ) -> anyhow::Result<T> {
        let (tell, told) = mpsc::channel();
        let task: Task = Box::new(move || drop(tell.send(task())));
        self.tasks.send(task).ok().context("the thread has ended")?;
        told.recv().context("the thread ended")
    }

    fn ip(&self, lines: &[String]) -> anyhow::Result<()> {
        let lines = lines.to_vec();
        self.run(move || lines.iter().try_for_each(|line| ip(line)))?
    }
}

fn ip(line: &str) -> anyhow::Result<()> {
    run("ip", &line.split(' ').collect::<Vec<_>>())
}

fn run(program: &str, arguments: &[&str]) -> anyhow::Result<()> {
    let output = Command::new(program).args(arguments).output();
    let output = output.with_context(|| format!("run {program}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{program} {arguments:?}: {said}");
    Ok(())
}

/// Lays the guest's cable to the bridge, and sets its addresses.
fn plug_in(guest: &Namespace, spec: &ServerSpec) -> anyhow::Result<()> {
    let (tap, thread) = (tap_name(spec.server), guest.thread_id);
    ip(&format!(
        "link add {tap} type veth peer name eth0 netns {thread}"
    ))?;
    ip(&format!("link set {tap} master {BRIDGE} up"))?;
    run("bridge", &["link", "set", "dev", &tap, "isolated", "on"])?;
    guest.ip(&[
        format!("link set eth0 address {} up", spec.network.mac),
        format!("addr add {}/32 dev eth0", GUEST[0]),
        format!("addr add {}/128 dev eth0 nodad", GUEST[1]),
        "route add 169.254.1.1 dev eth0".to_owned(),
        "route add default via 169.254.1.1 dev eth0 onlink".to_owned(),
        "-6 route add default via fe80::1 dev eth0".to_owned(),
    ])
}

fn echo_to_everybody() -> anyhow::Result<()> {
    let listener = TcpListener::bind(("::", PORT)).context("listen")?;
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            std::thread::spawn(move || {
                let mut buffer = [0; 64];
                while let Ok(count @ 1..) = stream.read(&mut buffer) {
                    if stream.write_all(&buffer[..count]).is_err() {
                        return;
                    }
                }
            });
        }
    });
    Ok(())
}

fn spec() -> anyhow::Result<ServerSpec> {
    let server = ServerId::new(&RandomIds as &dyn IdSource);
    let addresses: Result<Vec<IpAddr>, _> = GUEST.iter().map(|text| text.parse()).collect();
    Ok(ServerSpec {
        server,
        hostname: "web".parse().context("a name")?,
        vcpus: 1,
        memory: Bytes::mib(256),
        disk: Bytes::gib(1),
        image: BaseImage {
            digest: Digest::of(b"image"),
            format: ImageFormat::Raw,
            file_size: Bytes::mib(17),
            virtual_size: Bytes::mib(17),
        },
        network: Nic {
            mac: MacAddress::of(server),
            addresses: addresses.context("addresses")?,
            subnets: Vec::new(),
            openings: Vec::new(),
            cut: false,
        },
        ssh_keys: Vec::new(),
        power: Power {
            target: PowerTarget::On,
            serial: 1,
        },
        reboots: 0,
        made_before: false,
    })
}
