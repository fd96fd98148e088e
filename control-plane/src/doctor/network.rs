//! Ports, names and the mail server.

use std::{
    io::ErrorKind,
    net::{IpAddr, SocketAddr, TcpListener},
    time::Duration,
};

use nix::unistd::geteuid;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpStream, lookup_host},
    time::timeout,
};

use super::{Finding, Service};
use crate::{
    config::{self, Config, MailEncryption},
    providers::mail::Mailer,
    startup::why_not,
};

/// How long anybody outside has to answer.
pub(super) const LIMIT: Duration = Duration::from_secs(5);

const METRICS: &str = "metrics";
/// More than all metrics of a large installation.
const METRICS_BYTES_MAX: u64 = 64 * 1_024 * 1_024;

pub(super) async fn check(config: &Config, service: Service) -> Vec<Finding> {
    let mut found = ports(config, service).await;
    found.extend(names(config).await);
    found.extend(mail(config).await);
    found
}

async fn ports(config: &Config, service: Service) -> Vec<Finding> {
    type Complaint = fn(&'static str, String) -> Finding;
    let listen = &config.listen;
    let mut wanted: Vec<(_, _, Complaint)> = vec![
        ("the agent API", listen.agent, Finding::problem),
        ("the REST API", listen.api, Finding::problem),
        // Without these the service runs.
        (METRICS, listen.metrics, Finding::warning),
    ];
    if let Some(staff) = &config.staff {
        wanted.push(("the staff's door", staff.listen, Finding::problem));
    }
    // All at the same time: two that want one port are found as well.
    let mut held = Vec::new();
    let mut found = Vec::new();
    for (what, address, complaint) in wanted {
        found.push(match TcpListener::bind(address) {
            Ok(_) if needs_root(address) && geteuid().is_root() => complaint(
                "ports",
                format!("{what}: the service is not root, and can't listen at a port below 1024 ({address})"),
            ),
            Ok(socket) => {
                held.push(socket);
                Finding::ok("ports", format!("{what} can listen at {address}"))
            }
            Err(error) if error.kind() == ErrorKind::AddrInUse
                && service == Service::Running
                && (what != METRICS || are_our_metrics(address).await) =>
            {
                Finding::ok("ports", format!("{what}: the running service listens at {address}"))
            }
            Err(error) if error.kind() == ErrorKind::AddrNotAvailable => complaint(
                "ports",
                format!("{what}: this machine does not have the address of {address}"),
            ),
            Err(error) => complaint("ports", format!("{what}: {}", why_not(address, &error))),
        });
    }
    found
}

/// Whether the service has the port of its metrics: it runs without, too.
async fn are_our_metrics(address: SocketAddr) -> bool {
    let fetch = async {
        let mut stream = TcpStream::connect(address).await.ok()?;
        let request = "GET /metrics HTTP/1.1\r\nHost: metrics\r\nConnection: close\r\n\r\n";
        stream.write_all(request.as_bytes()).await.ok()?;
        let mut text = String::new();
        stream
            .take(METRICS_BYTES_MAX)
            .read_to_string(&mut text)
            .await
            .ok()?;
        Some(text.contains("innkeeper_build_info{program=\"control-plane\""))
    };
    matches!(timeout(LIMIT, fetch).await, Ok(Some(true)))
}

const fn needs_root(address: SocketAddr) -> bool {
    address.port() != 0 && address.port() < 1_024
}

async fn names(config: &Config) -> Vec<Finding> {
    let mut wanted: Vec<(&str, String)> = config
        .listen
        .agent_names
        .iter()
        .map(|name| ("listen.agent_names", name.clone()))
        .collect();
    let portal = config::host_of(&config.installation.portal_url);
    wanted.extend(portal.map(|host| ("installation.portal_url", host)));
    wanted.push(("mail.host", config.mail.host.clone()));
    let mut found = Vec::new();
    for (key, name) in wanted {
        if name.parse::<IpAddr>().is_ok() {
            continue;
        }
        let answer = timeout(LIMIT, lookup_host((name.as_str(), 0))).await;
        let addresses: Vec<_> = match answer {
            Ok(Ok(addresses)) => addresses.map(|address| address.ip().to_string()).collect(),
            Ok(Err(_)) | Err(_) => Vec::new(),
        };
        found.push(if addresses.is_empty() {
            Finding::warning(
                "names",
                format!("{key}: `{name}` leads to no address here: make the DNS record, or correct the name"),
            )
        } else {
            let addresses = addresses.join(", ");
            Finding::ok("names", format!("{key}: {name} is {addresses}"))
        });
    }
    found
}

async fn mail(config: &Config) -> Vec<Finding> {
    let mail = &config.mail;
    let mut found = Vec::new();
    let is_here = matches!(mail.host.as_str(), "localhost")
        || mail
            .host
            .parse::<IpAddr>()
            .is_ok_and(|host| host.is_loopback());
    if mail.encryption == MailEncryption::None && !is_here {
        found.push(Finding::warning(
            "mail server",
            "mails to another machine are not encrypted, and carry what confirms an account: encryption = \"starttls\"",
        ));
    }
    let server = format!("{}:{}", mail.host, mail.port);
    let probed = match Mailer::configured(config) {
        Ok(mailer) => timeout(LIMIT, mailer.probe()).await,
        // Said with the settings.
        Err(_) => return found,
    };
    found.push(match probed {
        Ok(Ok(())) => Finding::ok(
            "mail server",
            format!("{server} greets us and would take mails"),
        ),
        Ok(Err(error)) => Finding::warning(
            "mail server",
            format!("{server}: {error}. Nobody can sign up before it takes mails"),
        ),
        Err(_) => Finding::warning(
            "mail server",
            format!(
                "{server} does not answer within {} s. Nobody can sign up before it takes mails",
                LIMIT.as_secs()
            ),
        ),
    });
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Level;

    fn config(changes: &[(&str, String)]) -> Config {
        let mut text = include_str!("../../../packaging/control-plane.toml").to_owned();
        for (from, to) in changes {
            assert!(text.contains(from), "{from}");
            text = text.replacen(from, to, 1);
        }
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("control-plane.toml");
        std::fs::write(&file, text).expect("written");
        Config::load(&file).expect("a configuration")
    }

    #[tokio::test]
    async fn a_port_that_is_taken_is_a_problem_unless_the_service_has_it() {
        let taken = TcpListener::bind("127.0.0.1:0").expect("a socket");
        let address = taken.local_addr().expect("an address").to_string();
        let config = config(&[
            ("127.0.0.1:8081", address.clone()),
            ("0.0.0.0:8443", "127.0.0.1:0".to_owned()),
            ("127.0.0.1:9176", "127.0.0.1:0".to_owned()),
        ]);
        let found = ports(&config, Service::Stopped).await;
        let levels: Vec<_> = found.iter().map(|finding| finding.level).collect();
        assert_eq!(levels, [Level::Ok, Level::Problem, Level::Ok]);
        assert!(found[1].text.contains(&address), "{}", found[1].text);
        let found = ports(&config, Service::Running).await;
        assert!(found.iter().all(|finding| finding.level == Level::Ok));
    }

    #[tokio::test]
    async fn two_listeners_at_one_port_are_found() {
        let free = TcpListener::bind("127.0.0.1:0").expect("a socket");
        let address = free.local_addr().expect("an address").to_string();
        drop(free);
        let config = config(&[
            ("127.0.0.1:8081", address.clone()),
            ("0.0.0.0:8443", "127.0.0.1:0".to_owned()),
            ("127.0.0.1:9176", address),
        ]);
        let found = ports(&config, Service::Stopped).await;
        assert_eq!(
            found[2].level,
            Level::Warning,
            "the service runs without metrics"
        );
    }

    #[tokio::test]
    async fn a_mail_server_that_does_not_answer_is_a_warning() {
        let closed = TcpListener::bind("127.0.0.1:0").expect("a socket");
        let port = closed.local_addr().expect("an address").port();
        drop(closed);
        let config = config(&[("port = 25", format!("port = {port}"))]);
        let found = mail(&config).await;
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].level, Level::Warning, "{}", found[0].text);
        assert!(found[0].text.contains("Nobody can sign up"));
    }

    #[tokio::test]
    async fn a_mail_server_that_greets_is_fine_and_one_elsewhere_wants_encryption() {
        use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
        let socket = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a socket");
        let port = socket.local_addr().expect("an address").port();
        tokio::spawn(async move {
            let (mut stream, _) = socket.accept().await.expect("a client");
            let (reader, mut writer) = stream.split();
            let mut lines = BufReader::new(reader).lines();
            writer.write_all(b"220 mail.test\r\n").await.expect("sent");
            while let Ok(Some(_)) = lines.next_line().await {
                writer.write_all(b"250 well\r\n").await.ok();
            }
        });
        let config = config(&[("port = 25", format!("port = {port}"))]);
        let found = mail(&config).await;
        assert_eq!(found[0].level, Level::Ok, "{}", found[0].text);
    }

    #[tokio::test]
    async fn a_name_that_leads_nowhere_is_a_warning() {
        let config = config(&[(
            "[\"control.cloud.example\"]",
            "[\"nowhere.invalid\", \"localhost\"]".to_owned(),
        )]);
        let found = names(&config).await;
        assert_eq!(found[0].level, Level::Warning, "{}", found[0].text);
        assert!(found[0].text.contains("nowhere.invalid"));
        assert_eq!(found[1].level, Level::Ok, "{}", found[1].text);
    }
}
