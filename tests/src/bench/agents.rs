//! What a host costs the control plane: processor time of a connection with a request, memory of an idle agent,
//! and a whole fleet that comes back at once. The agent API runs in a process of its own (this program again),
//! so that only its own time and memory are counted; the agents are the agent's own connections, on loopback.
//! The floor is bare TLS with the same configuration in the same process: a handshake, some bytes in, some out.

use std::{
    env, fs,
    io::{BufRead as _, BufReader, Write as _},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, ensure};
use innkeeper_agent::connection::{Call, Connection};
use innkeeper_control_plane::{
    agent_api::{
        self, AgentContext,
        listener::{Listener, STRANGER_LIFE},
        refusals::Refusals,
    },
    authority::Authority,
    blobs::Blobs,
    kernel::{Actor, Caller},
    metrics::Metrics,
    nouns::Nouns,
    ports::AgentPlaces,
    store::{Options, Store},
    vault::Vault,
};
use innkeeper_mtls::{Authorities, Ca, HostRequest, Identity, client_config};
use innkeeper_wire::{
    digest::Digest,
    endpoints::{
        Ask, Endpoint as _,
        agents::{FollowDesired, ShowLife},
    },
    host::{DesiredQuery, JoinRequest, Life},
    id::{HostId, IdSource, InstanceId, RequestId, uuid_v7},
    time::{Clock, SystemClock},
};
use rustls::{ClientConfig, pki_types::ServerName};
use serde::{Deserialize, Serialize};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};
use tokio_rustls::{TlsAcceptor, TlsConnector};
use tokio_util::sync::CancellationToken;

use super::{Figure, median};
use crate::small_cloud;

/// Names of the figures.
pub const NAMES: [&str; 4] = [
    "tls_request_us",
    "floor_tls_request_us",
    "agent_idle_kib",
    "agents_10000_back_core_s",
];
/// Makes this program the agent API, with its data in the folder that is named.
pub const SERVE_VARIABLE: &str = "INNKEEPER_BENCH_AGENTS";
const AGENTS: u32 = 10_000;
/// Agents of which each makes one request in a round.
const AGENTS_ASKING: u16 = 1_000;
/// Agents that connect at a time.
const AT_ONCE: usize = 16;
const ROUNDS: usize = 5;
/// Processor time in a tenth of a second that counts as rest: signs of life of ten thousand connections take some.
const REST_US: f64 = 5_000.0;
/// What the floor's client sends, and what it is answered: about what a request for the desired state takes.
const BARE_REQUEST: [u8; 300] = [b'q'; 300];
const BARE_ANSWER: [u8; 300] = [b'a'; 300];
const DEADLINE: Duration = Duration::from_secs(60);

/// What the two processes share.
#[derive(Serialize, Deserialize)]
struct Fleet {
    url: String,
    bare: SocketAddr,
    ca_pem: String,
    hosts: Vec<Enrolled>,
}

#[derive(Serialize, Deserialize)]
struct Enrolled {
    host: HostId,
    certificate_pem: String,
    key_pem: String,
}

/// Measures with its data below `scratch`; takes about two minutes, half of it to let the hosts join.
///
/// # Errors
/// When the other process or a connection fails.
pub async fn figures(scratch: &Path) -> anyhow::Result<Vec<Figure>> {
    let mut server = Server::start(&scratch.join("agents"))?;
    let agents: Vec<Agent> = server.agents()?;
    // All were there before: what they have accepted is on record, and what is made once is made.
    each(&agents, |agent| async { agent.come_back().await.map(drop) }).await?;

    server.settle().await?;
    let (memory, time) = (server.memory_kib()?, server.cpu_us()?);
    let mut parked = Vec::new();
    for connection in each(&agents, Agent::come_back).await? {
        let poll = connection.clone();
        parked.push(tokio::spawn(async move {
            drop(poll.bytes(Call::new(desired(60), DEADLINE, 1_024)).await);
        }));
    }
    server.settle().await?;
    let back_us = server.cpu_us()? - time;
    let idle_kib = (server.memory_kib()? - memory) / f64::from(AGENTS);
    for poll in parked {
        poll.abort();
    }

    let asking = &agents[..usize::from(AGENTS_ASKING)];
    let (mut request_us, mut bare_us) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        request_us.push(server.cost_us(asking, Agent::request).await?);
        bare_us.push(server.cost_us(asking, Agent::bare).await?);
    }
    let [request, bare, idle, back] = NAMES;
    let figure = |name, value, unit| Figure { name, value, unit };
    Ok(vec![
        figure(request, median(request_us), "us"),
        figure(bare, median(bare_us), "us"),
        figure(idle, idle_kib, "KiB"),
        figure(back, back_us / 1e6, "s"),
    ])
}

/// Does the same for all agents, some at a time.
async fn each<F, T>(agents: &[Agent], deed: impl Fn(Agent) -> F) -> anyhow::Result<Vec<T>>
where
    F: Future<Output = anyhow::Result<T>> + Send + 'static,
    T: Send + 'static,
{
    let (mut running, mut done) = (JoinSet::new(), Vec::new());
    for agent in agents {
        if running.len() == AT_ONCE {
            let ended = running.join_next().await.context("there are some")?;
            done.push(ended.context("an agent panicked")??);
        }
        running.spawn(deed(agent.clone()));
    }
    while let Some(ended) = running.join_next().await {
        done.push(ended.context("an agent panicked")??);
    }
    Ok(done)
}

/// A host of the fleet.
#[derive(Clone)]
struct Agent {
    url: Arc<str>,
    /// Where the floor listens.
    bare: SocketAddr,
    host: HostId,
    tls: ClientConfig,
    /// What it says that it trusts.
    trusted: Digest,
}

impl Agent {
    async fn open(&self) -> anyhow::Result<Connection> {
        let tls = self.tls.clone();
        let opened = Connection::open(&self.url, tls, Some(self.host)).await;
        Ok(opened.context("an agent could not connect")?.0)
    }

    /// One connection with one request.
    async fn request(self) -> anyhow::Result<()> {
        let call = Call::new(desired(0), DEADLINE, 1_024);
        let answer = self.open().await?.bytes(call).await;
        answer.context("an agent was not answered").map(drop)
    }

    /// The same without HTTP and without us.
    async fn bare(self) -> anyhow::Result<()> {
        let stream = TcpStream::connect(self.bare).await?;
        stream.set_nodelay(true)?;
        let name = ServerName::IpAddress(self.bare.ip().into());
        let connector = TlsConnector::from(Arc::new(self.tls));
        let mut stream = connector.connect(name, stream).await?;
        stream.write_all(&BARE_REQUEST).await?;
        stream.read_exact(&mut [0; BARE_ANSWER.len()]).await?;
        Ok(())
    }

    /// Connects and proves itself, as an agent does before it parks its poll.
    async fn come_back(self) -> anyhow::Result<Connection> {
        let connection = self.open().await?;
        let mut life = Life {
            instance: InstanceId::new(&SystemIds),
            echo: None,
            epoch: 1,
            generation: 0,
            authorities: self.trusted,
        };
        for _ in 0..2 {
            let call = Call::new(ShowLife::with(life), DEADLINE, 1_024);
            let answer = connection.json(call).await;
            let answer = answer.context("an agent's life was not heard")?;
            life.echo = answer.map(|answer| answer.challenge);
        }
        Ok(connection)
    }
}

fn desired(wait_s: u32) -> Ask<FollowDesired> {
    FollowDesired::by(DesiredQuery {
        epoch: 1,
        generation: 0,
        wait_s,
    })
}

/// The other process.
struct Server {
    process: Child,
    folder: PathBuf,
}

impl Server {
    fn start(folder: &Path) -> anyhow::Result<Self> {
        fs::create_dir_all(folder).context("make the folder of the agents' bench")?;
        let process = Command::new(env::current_exe().context("find this program")?)
            .env(SERVE_VARIABLE, folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("start the agent API")?;
        Ok(Self {
            process,
            folder: folder.to_owned(),
        })
    }

    /// Waits until it listens.
    fn agents(&mut self) -> anyhow::Result<Vec<Agent>> {
        let stdout = self.process.stdout.take().context("it has an output")?;
        let mut line = String::new();
        BufReader::new(stdout)
            .read_line(&mut line)
            .context("hear of the agent API")?;
        ensure!(line == "ready\n", "the agent API did not start");
        let fleet = fs::read(self.folder.join("fleet.json")).context("read the fleet")?;
        let fleet: Fleet = serde_json::from_slice(&fleet).context("read the fleet")?;
        let authorities = Authorities::from_pem(&fleet.ca_pem)?;
        let trusted = Digest::of(fleet.ca_pem.as_bytes());
        let url: Arc<str> = fleet.url.into();
        let agent = |enrolled: Enrolled| {
            let identity = Identity::from_pem(&enrolled.certificate_pem, &enrolled.key_pem)?;
            Ok(Agent {
                url: Arc::clone(&url),
                bare: fleet.bare,
                host: enrolled.host,
                tls: client_config(&identity, &authorities, Arc::new(SystemClock))?,
                trusted,
            })
        };
        fleet.hosts.into_iter().map(agent).collect()
    }

    fn proc(&self, name: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/{name}", self.process.id()))
    }

    /// Processor time that it took so far, of all its threads. None of them ends meanwhile.
    fn cpu_us(&self) -> anyhow::Result<f64> {
        let mut nanos = 0.0;
        for task in fs::read_dir(self.proc("task")).context("read its threads")? {
            let text = fs::read_to_string(task?.path().join("schedstat"))?;
            let first = text.split(' ').next().unwrap_or_default();
            nanos += first.parse::<f64>().context("read its time")?;
        }
        Ok(nanos / 1e3)
    }

    /// Processor time that it takes for one deed of each of `agents`.
    async fn cost_us<F>(&self, agents: &[Agent], deed: impl Fn(Agent) -> F) -> anyhow::Result<f64>
    where
        F: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        self.settle().await?;
        let before = self.cpu_us()?;
        each(agents, deed).await?;
        self.settle().await?;
        Ok((self.cpu_us()? - before) / f64::from(AGENTS_ASKING))
    }

    /// Memory that is its own.
    fn memory_kib(&self) -> anyhow::Result<f64> {
        let status = fs::read_to_string(self.proc("status")).context("read its status")?;
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("RssAnon:"));
        let text = line.context("its memory")?.trim().trim_end_matches(" kB");
        text.parse().context("read its memory")
    }

    /// Waits until it has nothing to do.
    async fn settle(&self) -> anyhow::Result<()> {
        let mut before = self.cpu_us()?;
        for _ in 0..100 {
            tokio::time::sleep(Duration::from_millis(100)).await;
            let now = self.cpu_us()?;
            if now - before < REST_US {
                return Ok(());
            }
            before = now;
        }
        anyhow::bail!("the agent API does not come to rest")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

struct SystemIds;

impl IdSource for SystemIds {
    fn uuid(&self) -> uuid::Uuid {
        uuid_v7(SystemClock.now(), rand::random())
    }
}

/// The other process's side: enrols the fleet, then serves until it is killed.
///
/// # Errors
/// When anything can't be set up.
pub fn serve(folder: &Path) -> anyhow::Result<()> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .context("start a runtime")?
        .block_on(serve_in(folder))
}

async fn serve_in(folder: &Path) -> anyhow::Result<()> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let (store, _) = Store::open(&folder.join("store"), &Options::new([0; 16]))?;
    let vault = Vault::create(&folder.join("keys"))?;
    let nouns = Nouns::new(
        store,
        vault,
        Arc::clone(&clock),
        Arc::new(SystemIds),
        small_cloud::settings(&[]),
    );
    let names = vec!["127.0.0.1".to_owned()];
    let authority = Authority::open(folder, &"bench".parse()?, names, clock)?;
    let ca = Arc::clone(authority.present().issuer());
    let hosts = enrol(&nouns, &ca).await?;
    let socket = TcpListener::bind("127.0.0.1:0").await?;
    let bare = TcpListener::bind("127.0.0.1:0").await?;
    let fleet = Fleet {
        url: format!("https://{}", socket.local_addr()?),
        bare: bare.local_addr()?,
        ca_pem: ca.certificate_pem().to_owned(),
        hosts,
    };
    fs::write(folder.join("fleet.json"), serde_json::to_vec(&fleet)?)?;
    let metrics = Metrics::new()?;
    let refusals = Refusals::new(metrics.clone());
    let bare_tls = authority.acceptor().borrow().clone();
    let listener = Listener {
        places: AgentPlaces::new(u64::MAX),
        acceptor: authority.acceptor(),
        install: ca.install().clone(),
        refusals: refusals.clone(),
        links: Arc::clone(nouns.hosts.links()),
        stranger_life: STRANGER_LIFE,
        router: agent_api::router(AgentContext {
            nouns,
            authority,
            blobs: Blobs::open(folder)?,
            metrics,
            refusals,
            paces: agent_api::pace::Paces::default(),
        }),
    };
    tokio::spawn(serve_bare(bare, bare_tls));
    writeln!(std::io::stdout(), "ready")?;
    listener.run(socket, CancellationToken::new()).await;
    Ok(())
}

/// The floor's side.
async fn serve_bare(socket: TcpListener, tls: TlsAcceptor) {
    while let Ok((stream, _)) = socket.accept().await {
        let tls = tls.clone();
        tokio::spawn(async move {
            stream.set_nodelay(true)?;
            let mut stream = tls.accept(stream).await?;
            stream.read_exact(&mut [0; BARE_REQUEST.len()]).await?;
            stream.write_all(&BARE_ANSWER).await?;
            // Until the other side closes, as an agent's connection is held.
            stream.read(&mut [0; 1]).await
        });
    }
}

async fn enrol(nouns: &Nouns, ca: &Ca) -> anyhow::Result<Vec<Enrolled>> {
    let mut hosts = Vec::new();
    for number in 0..AGENTS {
        let token = nouns
            .hosts
            .invite(Actor::Operator, &format!("h{number}"), "lab")
            .await?;
        let HostRequest {
            key_pem,
            request_pem,
        } = HostRequest::create()?;
        let caller = Caller {
            actor: Actor::Visitor,
            address: [127, 0, 0, 1].into(),
            request: RequestId::new(nouns.ctx.ids()),
        };
        let request = JoinRequest {
            token,
            csr_pem: request_pem,
        };
        let joined = nouns.hosts.join(&caller, ca, &request).await?;
        hosts.push(Enrolled {
            host: joined.host,
            certificate_pem: joined.certificate_pem,
            key_pem: String::clone(&key_pem),
        });
    }
    Ok(hosts)
}
