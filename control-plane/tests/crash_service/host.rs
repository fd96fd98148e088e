//! A host as the control plane sees one: joins by the line that an operator was given, and reports over mutual TLS.

use std::{net::SocketAddr, sync::Arc};

use http_body_util::{BodyExt as _, Full};
use hyper::{Method, Request, body::Bytes};
use hyper_util::rt::{TokioExecutor, TokioIo};
use innkeeper_mtls::{Authorities, HostRequest, Identity, client_config, pinned_client_config};
use innkeeper_wire::{
    digest::Digest,
    host::{
        FEATURES, HOST_HEADER, HeldServer, HostCapacity, HostHealth, HypervisorState, JoinAnswer,
        KeptWitness, Life, Observations, ObservedServer, ObservedState, Report, ReportAnswer,
        Testimony, Witness,
    },
    id::{HostId, InstanceId, ServerId, uuid_v7},
    size::Bytes as Size,
    time::{Clock as _, SystemClock, Timestamp},
};
use rustls::{ClientConfig, pki_types::ServerName};
use serde::Serialize;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// The name of the agent API in the example configuration.
const NAME: &str = "control.cloud.example";

pub(crate) struct Host {
    pub(crate) id: HostId,
    config: Arc<ClientConfig>,
    instance: InstanceId,
    /// Servers that it can carry.
    room: u64,
    sequence: u64,
    /// The manifest that it follows.
    pub(crate) epoch: u64,
    pub(crate) generation: u64,
    /// What it was told last.
    pub(crate) told: Option<Witness>,
    pub(crate) servers: Vec<HeldServer>,
    /// What else it sees.
    pub(crate) seen: Vec<ObservedServer>,
}

impl Host {
    /// Joins with the line that `host invite` has printed.
    pub(crate) async fn join(agents: SocketAddr, line: &str, room: u64) -> Self {
        let words: Vec<_> = line.split_whitespace().collect();
        let after = |option: &str| {
            let at = words.iter().position(|word| *word == option);
            words[at.expect("the option") + 1]
        };
        let pin: Digest = after("--ca-fingerprint").parse().expect("a digest");
        let clock = Arc::new(SystemClock);
        let stranger = pinned_client_config(pin, clock.clone()).expect("TLS");
        let request = HostRequest::create().expect("a key");
        let body = json!({ "token": after("--token"), "csr_pem": request.request_pem });
        let (status, joined) =
            call(agents, stranger.into(), None, Method::POST, "/join", &body).await;
        assert_eq!(status, 200, "{joined}");
        let joined: JoinAnswer = serde_json::from_value(joined).expect("an answer");
        let identity =
            Identity::from_pem(&joined.certificate_pem, &request.key_pem).expect("an identity");
        let trust = Authorities::from_pem(&joined.ca_pem).expect("an authority");
        let config = client_config(&identity, &trust, clock.clone()).expect("TLS");
        Self {
            id: joined.host,
            config: config.into(),
            instance: InstanceId::from_uuid(uuid_v7(clock.now(), rand::random())),
            room,
            sequence: 0,
            epoch: 0,
            generation: 0,
            told: None,
            servers: vec![],
            seen: vec![],
        }
    }

    /// The status of a request without a body.
    pub(crate) async fn get(&self, agents: SocketAddr, path: &str) -> u16 {
        let config = Arc::clone(&self.config);
        call(agents, config, Some(self.id), Method::GET, path, &())
            .await
            .0
    }

    /// Takes the newest desired state, whatever it has; its generation.
    pub(crate) async fn poll(&mut self, agents: SocketAddr) {
        let path = "/desired?epoch=0&generation=0&wait_s=1";
        let config = Arc::clone(&self.config);
        let (status, manifest) = call(agents, config, Some(self.id), Method::GET, path, &()).await;
        assert_eq!(status, 200, "{manifest}");
        let number = |name: &str| manifest[name].as_u64().expect("a number");
        (self.epoch, self.generation) = (number("epoch"), number("generation"));
    }

    /// Reports as an agent does; the status.
    pub(crate) async fn report(&mut self, agents: SocketAddr) -> u16 {
        self.sequence += 1;
        let is_of_epoch = self.told.is_some_and(|told| told.epoch == self.epoch);
        let running = |held: &HeldServer| ObservedServer {
            server: held.server,
            state: ObservedState::Running { ready: true },
            power_serial: 1,
            reboots: 0,
            problem: None,
            was_ready: None,
            was_started: None,
            network_cut: false,
        };
        let report = Report {
            epoch: self.epoch,
            generation: self.generation,
            boot_id: "boot".to_owned(),
            sequence: self.sequence,
            started_at: Timestamp::from_millis(1),
            agent_version: "0.1.0".to_owned(),
            features: FEATURES.iter().map(ToString::to_string).collect(),
            capacity: HostCapacity {
                cpus: 8,
                // With QEMU's own share.
                memory: Size::mib(self.room * (1024 + 80)),
                disk: Size::gib(1_000),
            },
            hypervisor: HypervisorState::Reachable,
            servers: {
                let carried = self.servers.iter().map(running);
                carried.chain(self.seen.iter().cloned()).collect()
            },
            strangers: vec![],
            witness: self.told,
            // What its manifest lists is not said again, unless another epoch has begun.
            health: HostHealth::default(),
            load: None,
            addresses: Vec::new(),
            access: Vec::new(),
            held: if is_of_epoch {
                vec![]
            } else {
                self.servers.clone()
            },
        };
        let life = Life {
            instance: self.instance,
            echo: None,
            epoch: self.epoch,
            generation: self.generation,
            authorities: Digest::of(b""),
        };
        let body = Observations { life, report };
        let config = Arc::clone(&self.config);
        let path = "/observations";
        let (status, answer) = call(agents, config, Some(self.id), Method::POST, path, &body).await;
        if let Ok(answer) = serde_json::from_value::<ReportAnswer>(answer) {
            self.told = Some(answer.witness);
        }
        status
    }

    /// It has this server, as ordered.
    pub(crate) fn carry(&mut self, server: &Value) {
        let text = |value: &Value| value.as_str().expect("text").to_owned();
        let addresses = server["addresses"].as_array().expect("a list").iter();
        self.servers.push(HeldServer {
            server: text(&server["id"]).parse::<ServerId>().expect("an id"),
            addresses: addresses
                .map(|address| text(address).parse().expect("an address"))
                .collect(),
        });
    }

    /// Its file of witnesses, as the agent writes it.
    pub(crate) fn witnesses(&self) -> String {
        let kept = self.told.map(|witness| KeptWitness {
            at: SystemClock.now(),
            witness,
        });
        let testimony = Testimony {
            kept: kept.into_iter().collect(),
        };
        let json = serde_json::to_string(&testimony).expect("plain");
        format!("{}\n{json}", Digest::of(json.as_bytes()))
    }
}

async fn call(
    agents: SocketAddr,
    config: Arc<ClientConfig>,
    host: Option<HostId>,
    method: Method,
    path: &str,
    body: &impl Serialize,
) -> (u16, Value) {
    let stream = TcpStream::connect(agents).await.expect("connected");
    let name = ServerName::try_from(NAME).expect("a name");
    let stream = TlsConnector::from(config).connect(name, stream).await;
    let stream = TokioIo::new(stream.expect("let in"));
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), stream)
            .await
            .expect("HTTP/2");
    let driver = tokio::spawn(connection);
    let mut request = Request::builder()
        .method(method)
        .uri(format!("https://{NAME}/agent/v1{path}"))
        .header("content-type", "application/json");
    if let Some(host) = host {
        request = request.header(HOST_HEADER, host.to_string());
    }
    let body = serde_json::to_vec(body).expect("plain");
    let request = request
        .body(Full::new(Bytes::from(body)))
        .expect("a request");
    let response = sender.send_request(request).await.expect("an answer");
    let status = response.status().as_u16();
    let bytes = response.into_body().collect().await.expect("a body");
    driver.abort();
    (
        status,
        serde_json::from_slice(&bytes.to_bytes()).unwrap_or(Value::Null),
    )
}
