//! Rolling the authority over by command: the runbook of the README, with the program itself.

use std::{fs, net::SocketAddr, os::unix::fs::PermissionsExt as _, path::Path, sync::Arc};

use http_body_util::{BodyExt as _, Full};
use hyper::{Request, body::Bytes};
use hyper_util::rt::{TokioExecutor, TokioIo};
use innkeeper_mtls::HostRequest;
use innkeeper_wire::time::SystemClock;
use rustls::pki_types::ServerName;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::service::{Service, run, write_config};

/// Joins as the invitation's line says; gives the status and the answer.
async fn join(agents: SocketAddr, line: &str) -> Option<(u16, Value)> {
    let option = |name: &str| {
        let mut words = line.split_whitespace().skip_while(|word| *word != name);
        words.nth(1).expect("it is in the line").to_owned()
    };
    let fingerprint = option("--ca-fingerprint").parse().expect("a digest");
    let tls = innkeeper_mtls::pinned_client_config(fingerprint, Arc::new(SystemClock));
    let stream = TcpStream::connect(agents).await.expect("it listens");
    let name = ServerName::try_from("control.cloud.example").expect("a name");
    let connector = TlsConnector::from(Arc::new(tls.expect("TLS")));
    let stream = connector.connect(name, stream).await.ok()?;
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
            .await
            .ok()?;
    tokio::spawn(connection);
    let csr_pem = HostRequest::create().expect("a key").request_pem;
    let body = json!({ "token": option("--token"), "csr_pem": csr_pem });
    let request = Request::post("https://control.cloud.example/agent/v1/join")
        .header("content-type", "application/json")
        .body(Full::new(Bytes::from(body.to_string())))
        .expect("a request");
    let response = sender.send_request(request).await.ok()?;
    let status = response.status().as_u16();
    let bytes = response.into_body().collect().await.ok()?.to_bytes();
    Some((status, serde_json::from_slice(&bytes).expect("JSON")))
}

/// Runs a command and looks for texts in what it says.
fn expect(config: &Path, arguments: &[&str], expected: bool, texts: &[&str]) -> String {
    let (fine, said) = run(config, arguments);
    assert_eq!(fine, expected, "{arguments:?}: {said}");
    for text in texts {
        assert!(said.contains(text), "{arguments:?}: {text}? {said}");
    }
    said
}

fn invite(config: &Path, name: &str) -> String {
    expect(
        config,
        &["host", "invite", name, "--site", "seoul-1"],
        true,
        &[],
    )
}

/// How many authorities a host that joined shall trust.
fn authorities(answer: Option<(u16, Value)>) -> usize {
    let (status, answer) = answer.expect("let in");
    assert_eq!(status, 200, "{answer}");
    let pem = answer["ca_pem"].as_str().expect("text");
    pem.matches("BEGIN CERTIFICATE").count()
}

#[test]
fn steps_of_a_roll_over_are_refused_out_of_order_and_survive_a_kill() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = write_config(folder.path());
    let expect =
        |command, expected, texts: &[&str]| expect(&config, &["ca", command], expected, texts);
    let mut service = Service::start(&config);
    let kill = |service: Service| {
        service.kill();
        Service::start(&config)
    };
    expect("status", true, &["settled", "ready: 0 of 0"]);
    for step in ["switch", "finish", "abort"] {
        expect(step, false, &["begun: `ca begin`"]);
    }
    expect("begin", true, &["begun: ", "next: sha256:"]);
    service = kill(service);
    expect("status", true, &["begun: ", "(since 20"]);
    expect("begin", false, &["begun already"]);
    expect("finish", false, &["does not sign yet"]);
    expect("abort", true, &["settled"]);
    service = kill(service);
    expect("finish", false, &["no roll-over was begun"]);
    expect("begin", true, &[]);
    expect("switch", true, &["switched: ", "before: sha256:"]);
    service = kill(service);
    expect("abort", false, &["can't be dropped any more"]);
    expect("switch", false, &["switched already"]);
    expect("finish", true, &["settled"]);
    service = kill(service);
    expect("status", true, &["settled", "(since 20"]);
    let file = fs::metadata(folder.path().join("data/host-authority.pem")).expect("there");
    assert_eq!(file.permissions().mode() & 0o777, 0o600);
    service.kill();
}

/// The runbook of the README, with the program itself, and with hosts that joined and are not heard of.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_authority_is_rolled_over_without_hosts_that_are_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = write_config(folder.path());
    let expect = |arguments: &[&str], expected, texts: &[&str]| {
        expect(&config, arguments, expected, texts);
    };
    let service = Service::start(&config);
    let (agents, invite) = (service.agents, |name| invite(&config, name));
    assert_eq!(authorities(join(agents, &invite("h1")).await), 1);
    let unheard = "h1 (0 servers) was not heard of";
    expect(&["ca", "begin"], true, &["begun: ", unheard]);
    let early = invite("h2");
    expect(&["ca", "switch"], false, &["h1 (0 servers;", "--without"]);
    let wrong = ["ca", "switch", "--without", "h2"];
    expect(&wrong, false, &["no host `h2`"]);
    let named = ["ca", "switch", "--without", "h1"];
    let left = "left behind, with 0 servers: h1";
    expect(&named, true, &[left, "switched: "]);

    // An invitation names the authority that signed when it was made.
    assert!(join(agents, &early).await.is_none(), "a wrong pin");
    assert_eq!(authorities(join(agents, &invite("h2")).await), 2);
    expect(&["ca", "finish"], false, &["not ready: 2"]);
    let named = ["ca", "finish", "--without", "h1", "--without", "h2"];
    let left = "left behind, with 0 servers: h1, h2";
    expect(&named, true, &[left, "settled"]);
    assert_eq!(authorities(join(agents, &invite("h3")).await), 1);
    let trail = ["audit", "list", "--about", "operator"];
    let taken = [
        "authority: Begin, without []",
        "authority: Switch, without [\"h1\"]",
        "authority: Finish, without [\"h1\", \"h2\"]",
    ];
    expect(&trail, true, &taken);
    service.kill();
}
