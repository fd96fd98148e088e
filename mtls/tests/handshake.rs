//! Real handshakes over loopback: who comes in as whom, who does not, and what each side can say about it.

use std::{
    io,
    sync::{Arc, atomic::AtomicI64, atomic::Ordering},
    time::Duration,
};

use innkeeper_mtls::{
    Authorities, Ca, Fault, HostRequest, Identity, Peer, RENEWAL_GRACE, Refusal, RefusedBy, Serial,
    Standing, Succession,
    authority::{HOST_LIFE, SERVER_LIFE, SKEW_MAX, SignError},
    client_config, host_certificate,
    peer::PeerError,
    peer_identity, pinned_client_config, server_config,
};
use innkeeper_wire::{
    digest::Digest,
    id::{Code, HostId, uuid_v7},
    time::{Clock, Timestamp},
};
use rcgen::{CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, SanType};
use rustls::{ClientConfig, ServerConfig, pki_types::ServerName};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::{TlsAcceptor, TlsConnector};

const NOW: Timestamp = Timestamp::from_millis(1_790_000_000_000);
const HOUR: Duration = Duration::from_secs(3600);

/// A clock that stands still until it is set.
struct Hand(AtomicI64);

impl Clock for Hand {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::Relaxed))
    }

    fn monotonic(&self) -> Duration {
        self.now().since(Timestamp::from_millis(0))
    }
}

fn clock(at: Timestamp) -> Arc<dyn Clock> {
    Arc::new(Hand(AtomicI64::new(at.as_millis())))
}

fn install() -> Code {
    "demo".parse().expect("a code")
}

fn host(number: u8) -> HostId {
    HostId::from_uuid(uuid_v7(NOW, [number; 10]))
}

fn authority() -> Ca {
    Ca::create(&install(), NOW).expect("a CA")
}

fn trust(ca: &Ca) -> Authorities {
    Authorities::from_pem(ca.certificate_pem()).expect("one certificate")
}

fn enrolled(ca: &Ca, id: HostId) -> Identity {
    let request = HostRequest::create().expect("a key");
    let signed = ca
        .sign_host(&request.request_pem, id, NOW, HOST_LIFE)
        .expect("a good request");
    Identity::from_pem(&signed.certificate_pem, &request.key_pem).expect("fits")
}

fn server(ca: &Ca, trusted: &Ca, now: Timestamp) -> ServerConfig {
    let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
    let identity = ca.issue_server(&names, NOW).expect("good names");
    server_config(&identity, &trust(trusted), clock(now)).expect("fits")
}

fn client(identity: &Identity, trusted: &Ca) -> ClientConfig {
    client_config(identity, &trust(trusted), clock(NOW)).expect("fits")
}

/// What each side says of one connection: the server whom it sees, the client whether it was served.
struct Met {
    server: Result<Peer, Refusal>,
    client: Result<(), Refusal>,
}

async fn meet(server: ServerConfig, client: ClientConfig) -> Met {
    meet_as("localhost", server, client).await
}

async fn meet_as(name: &'static str, server: ServerConfig, client: ClientConfig) -> Met {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
    let address = listener.local_addr().expect("bound");
    let serve = async {
        let (stream, _) = listener.accept().await?;
        let mut stream = TlsAcceptor::from(Arc::new(server)).accept(stream).await?;
        let session = stream.get_ref().1;
        assert_eq!(session.alpn_protocol(), Some(b"h2".as_slice()));
        let peer = peer_identity(session.peer_certificates(), &install()).expect("ours");
        stream.write_all(b"x").await?;
        stream.shutdown().await?;
        Ok::<_, io::Error>(peer)
    };
    let dial = async {
        let stream = TcpStream::connect(address).await?;
        let name = ServerName::try_from(name).expect("a name");
        let mut stream = TlsConnector::from(Arc::new(client))
            .connect(name, stream)
            .await?;
        stream.read_exact(&mut [0]).await?;
        Ok::<_, io::Error>(())
    };
    let both = async { tokio::join!(serve, dial) };
    let (server, client) = tokio::time::timeout(Duration::from_secs(20), both)
        .await
        .expect("handshakes end");
    let refusal = |error: io::Error| {
        Refusal::of(&error).unwrap_or_else(|| panic!("{error:?} says nothing of the peer"))
    };
    Met {
        server: server.map_err(refusal),
        client: client.map_err(refusal),
    }
}

fn refused(by: RefusedBy, fault: Fault) -> Refusal {
    Refusal { by, fault }
}

#[tokio::test]
async fn a_host_comes_in_as_itself_and_nobody_as_nobody() {
    let ca = authority();
    let identity = enrolled(&ca, host(1));
    let met = meet(server(&ca, &ca, NOW), client(&identity, &ca)).await;
    assert_eq!(met.client, Ok(()));
    let Ok(Peer::Host { id, not_after, .. }) = met.server else {
        panic!("{:?}", met.server)
    };
    assert_eq!((id, not_after), (host(1), NOW.after(HOST_LIFE)));

    let joining = pinned_client_config(ca.fingerprint(), clock(NOW)).expect("fits");
    let met = meet(server(&ca, &ca, NOW), joining).await;
    assert_eq!((met.server, met.client), (Ok(Peer::Nobody), Ok(())));
}

#[tokio::test]
async fn a_wrong_pin_is_refused_before_anything_is_sent() {
    let (ours, theirs) = (authority(), authority());
    let pinned = |digest| pinned_client_config(digest, clock(NOW)).expect("fits");
    for pin in [theirs.fingerprint(), Digest::of(b"")] {
        let met = meet(server(&ours, &ours, NOW), pinned(pin)).await;
        assert_eq!(met.client, Err(refused(RefusedBy::Us, Fault::Pin)));
    }

    // The pinned authority in the chain is no use when another one signed the server's certificate.
    let config = server_config(&grafted(&theirs, &ours), &trust(&ours), clock(NOW)).expect("fits");
    let met = meet(config, pinned(ours.fingerprint())).await;
    assert_eq!(met.client, Err(refused(RefusedBy::Us, Fault::Authority)));

    // A host's certificate is no server's, even under the right pin.
    let request = HostRequest::create().expect("a key");
    let signed = ours
        .sign_host(&request.request_pem, host(1), NOW, HOST_LIFE)
        .expect("good");
    let chain = signed.certificate_pem + ours.certificate_pem();
    let identity = Identity::from_pem(&chain, &request.key_pem).expect("fits");
    let config = server_config(&identity, &trust(&ours), clock(NOW)).expect("fits");
    let met = meet(config, pinned(ours.fingerprint())).await;
    assert_eq!(met.client.map_err(|refusal| refusal.by), Err(RefusedBy::Us));
}

/// A server certificate signed by `signer` with the certificate of `shown` behind it.
fn grafted(signer: &Ca, shown: &Ca) -> Identity {
    let ca_key = KeyPair::from_pem(&signer.to_pem().split_off(signer.certificate_pem().len()));
    let issuer = Issuer::from_ca_cert_pem(signer.certificate_pem(), ca_key.expect("a key"));
    let key = KeyPair::generate().expect("a key");
    let mut params = CertificateParams::new(["localhost".to_owned()]).expect("a name");
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let leaf = params
        .signed_by(&key, &issuer.expect("a CA"))
        .expect("signed");
    let chain = leaf.pem() + shown.certificate_pem();
    Identity::from_pem(&chain, &key.serialize_pem()).expect("fits")
}

#[tokio::test]
async fn another_authority_is_refused_on_both_sides() {
    // The two have the same name: only the signature tells them apart.
    let (ours, theirs) = (authority(), authority());
    let identity = enrolled(&theirs, host(1));
    let met = meet(server(&ours, &ours, NOW), client(&identity, &ours)).await;
    assert_eq!(met.server, Err(refused(RefusedBy::Us, Fault::Authority)));
    assert_eq!(met.client, Err(refused(RefusedBy::Peer, Fault::Authority)));

    let identity = enrolled(&ours, host(1));
    let met = meet(server(&theirs, &ours, NOW), client(&identity, &ours)).await;
    assert_eq!(met.client, Err(refused(RefusedBy::Us, Fault::Authority)));
    assert_eq!(
        met.server.map_err(|refusal| refusal.by),
        Err(RefusedBy::Peer)
    );
}

#[tokio::test]
async fn dates_are_checked_with_the_given_clock() {
    let ca = authority();
    let identity = enrolled(&ca, host(1));
    for (now, expected) in [
        (NOW.after(HOST_LIFE - Duration::from_secs(1)), None),
        (
            // It has expired, and may renew ...
            NOW.after(HOST_LIFE + Duration::from_secs(1)),
            None,
        ),
        (NOW.after(HOST_LIFE + RENEWAL_GRACE), None),
        (
            // ... for a week.
            NOW.after(HOST_LIFE + RENEWAL_GRACE + Duration::from_secs(1)),
            Some(Fault::Expired),
        ),
        (before(NOW, SKEW_MAX - Duration::from_secs(1)), None),
        // The server's clock was ahead when it signed.
        (before(NOW, SKEW_MAX + Duration::from_secs(1)), None),
        (before(NOW, Duration::from_hours(24 * 900)), None),
    ] {
        let met = meet(server(&ca, &ca, now), client(&identity, &ca)).await;
        if let Ok(peer) = met.server {
            let standing = match now <= NOW.after(HOST_LIFE) {
                true => Standing::Valid(host(1)),
                false => Standing::Expired(host(1)),
            };
            assert_eq!(peer.standing(now), standing, "{now}");
        }
        assert_eq!(
            met.server.err().map(|refusal| refusal.fault),
            expected,
            "{now}"
        );
        // The host is not told which: it must not take it for its certificate's end.
        let told = expected.map(|_| refused(RefusedBy::Peer, Fault::NotNow));
        assert_eq!(met.client.err(), told, "{now}");
    }

    // A server whose clock was ahead, and was set right.
    let ahead = NOW.after(Duration::from_hours(24 * 80));
    let names = ["localhost".to_owned()];
    let made_then = ca.issue_server(&names, ahead).expect("a name");
    let config = server_config(&made_then, &trust(&ca), clock(NOW)).expect("fits");
    let met = meet(config, client(&identity, &ca)).await;
    assert_eq!(met.client, Ok(()));

    // The host checks the server's dates with its own clock.
    let late = clock(NOW.after(SERVER_LIFE + HOUR));
    let config = pinned_client_config(ca.fingerprint(), late).expect("fits");
    let met = meet(server(&ca, &ca, NOW), config).await;
    assert_eq!(met.client, Err(refused(RefusedBy::Us, Fault::Expired)));
}

fn before(instant: Timestamp, span: Duration) -> Timestamp {
    Timestamp::from_millis(instant.as_millis() - i64::try_from(span.as_millis()).expect("small"))
}

/// The grace is for the date alone: whatever else is wrong with an expired certificate is still wrong.
#[tokio::test]
async fn an_expired_certificate_of_another_authority_or_purpose_is_refused() {
    let (ours, theirs) = (authority(), authority());
    let late = NOW.after(HOST_LIFE + HOUR);
    let identity = enrolled(&theirs, host(1));
    let met = meet(server(&ours, &ours, late), client(&identity, &ours)).await;
    assert_eq!(met.server, Err(refused(RefusedBy::Us, Fault::Authority)));

    let names = ["localhost".to_owned()];
    let as_client = ours.issue_server(&names, NOW).expect("a name");
    let late = NOW.after(SERVER_LIFE + HOUR);
    let config = {
        let fresh = ours.issue_server(&names, late).expect("a name");
        server_config(&fresh, &trust(&ours), clock(late)).expect("fits")
    };
    let config_of_client = client_config(&as_client, &trust(&ours), clock(late)).expect("fits");
    let met = meet(config, config_of_client).await;
    assert_eq!(met.server, Err(refused(RefusedBy::Us, Fault::Purpose)));
}

/// Through a roll-over, with a host whose clock is minutes behind: what the next authority signs is valid from before
/// it was made. In the end the first one is refused.
#[tokio::test]
async fn both_authorities_count_until_the_end_of_a_roll_over() {
    let settled = Succession::of(Arc::new(authority()));
    let begun = settled.begun(NOW).expect("random").expect("alone");
    let switched = begun.switched().expect("there is a next one");
    let finished = switched.alone().expect("there is another one");
    let id = host(1);
    let behind = clock(before(NOW, SKEW_MAX - Duration::from_secs(1)));
    let meet = async |server: &Succession, trusted: &Succession, signed_by: &Succession| {
        let names = ["localhost".to_owned()];
        let identity = server.issuer().issue_server(&names, NOW).expect("a name");
        let authorities = server.authorities().expect("read before");
        let server = server_config(&identity, &authorities, clock(NOW)).expect("fits");
        let identity = enrolled(signed_by.issuer(), id);
        let authorities = trusted.authorities().expect("read before");
        let client = client_config(&identity, &authorities, Arc::clone(&behind)).expect("fits");
        meet(server, client).await
    };
    for (server, trusted, signed_by) in [
        (&begun, &settled, &settled),
        (&begun, &begun, &settled),
        (&switched, &begun, &settled),
        (&switched, &begun, &switched),
        (&finished, &begun, &switched),
        (&finished, &finished, &switched),
    ] {
        let met = meet(server, trusted, signed_by).await;
        assert!(matches!(met.server, Ok(Peer::Host { id: found, .. }) if found == id));
        assert_eq!(met.client, Ok(()));
    }
    let late = meet(&finished, &begun, &settled).await;
    assert_eq!(late.server, Err(refused(RefusedBy::Us, Fault::Authority)));
    let asleep = meet(&switched, &settled, &settled).await;
    assert_eq!(asleep.client, Err(refused(RefusedBy::Us, Fault::Authority)));
}

#[tokio::test]
async fn the_dialled_name_and_the_purpose_count() {
    let ca = authority();
    let identity = enrolled(&ca, host(1));
    let met = meet_as("127.0.0.1", server(&ca, &ca, NOW), client(&identity, &ca)).await;
    assert_eq!(met.client, Ok(()));
    let met = meet_as(
        "elsewhere.test",
        server(&ca, &ca, NOW),
        client(&identity, &ca),
    )
    .await;
    assert_eq!(met.client, Err(refused(RefusedBy::Us, Fault::Name)));

    // The agent API's own certificate does not let its holder in as a host.
    let as_client = ca
        .issue_server(&["localhost".to_owned()], NOW)
        .expect("a name");
    let met = meet(server(&ca, &ca, NOW), client(&as_client, &ca)).await;
    assert_eq!(met.server, Err(refused(RefusedBy::Us, Fault::Purpose)));
}

#[test]
fn another_hosts_or_installations_certificate_is_that_and_no_other() {
    let ca = authority();
    let leaf = enrolled(&ca, host(2));
    let certificate = host_certificate(leaf.leaf()).expect("as signed");
    assert_eq!(
        (certificate.host, certificate.install.clone()),
        (host(2), install())
    );
    assert_eq!(certificate.not_before, before(NOW, SKEW_MAX));

    let other: Code = "other".parse().expect("a code");
    let refusal = peer_identity(Some(&[leaf.leaf().clone()]), &other);
    assert_eq!(refusal, Err(PeerError::OtherInstall { found: install() }));

    let server = ca
        .issue_server(&["localhost".to_owned()], NOW)
        .expect("a name");
    let refusal = peer_identity(Some(&[server.leaf().clone()]), &install());
    assert_eq!(refusal, Err(PeerError::Purpose));

    let mut longer = leaf.leaf().to_vec();
    longer.push(0);
    for malformed in [longer, Vec::new(), b"certificate".to_vec()] {
        let refusal = peer_identity(Some(&[malformed.into()]), &install());
        assert_eq!(refusal, Err(PeerError::Malformed));
    }
    assert_eq!(peer_identity(None, &install()), Ok(Peer::Nobody));
}

#[test]
fn what_a_request_says_of_itself_is_ignored() {
    let ca = authority();
    let key = KeyPair::generate().expect("a key");
    let mut params = CertificateParams::new(["control-plane.test".to_owned()]).expect("a name");
    let stolen = format!("spiffe://demo/host/{}", host(9));
    params
        .subject_alt_names
        .push(SanType::URI(stolen.try_into().expect("ASCII")));
    params
        .distinguished_name
        .push(rcgen::DnType::OrganizationName, "other");
    params.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let request = params
        .serialize_request(&key)
        .expect("signed")
        .pem()
        .expect("PEM");

    let signed = ca
        .sign_host(&request, host(1), NOW, HOST_LIFE)
        .expect("the key is good");
    let identity = Identity::from_pem(&signed.certificate_pem, &key.serialize_pem()).expect("fits");
    let certificate = host_certificate(identity.leaf()).expect("exactly a host's");
    assert_eq!(certificate.host, host(1));
    assert_eq!(certificate.serial, signed.serial);
    let text = signed.serial.to_string();
    assert_eq!(text.len(), 32);
    assert_ne!(serial_of(&ca), serial_of(&ca));
}

fn serial_of(ca: &Ca) -> Serial {
    host_certificate(enrolled(ca, host(1)).leaf())
        .expect("as signed")
        .serial
}

#[test]
fn bad_requests_are_refused() {
    let ca = authority();
    let sign = |request: &str| ca.sign_host(request, host(1), NOW, HOST_LIFE);
    let good = HostRequest::create().expect("a key").request_pem;
    assert!(sign(&good).is_ok());

    // Every byte of the request is under its signature, or the signature itself. The last base64 quantum
    // may be padded, so the change is made at three places that are not the end.
    let body = good.find('\n').expect("a first line") + 1;
    for offset in [40, 100, good.len() - body - 60] {
        let mut bytes = good.clone().into_bytes();
        let at = (body + offset..)
            .find(|at| bytes[*at].is_ascii_alphanumeric())
            .expect("base64");
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
        let tampered = String::from_utf8(bytes).expect("ASCII");
        assert!(
            matches!(sign(&tampered), Err(SignError::Malformed(_))),
            "{offset}"
        );
    }

    let ed25519 = KeyPair::generate_for(&rcgen::PKCS_ED25519).expect("a key");
    let request = CertificateParams::default()
        .serialize_request(&ed25519)
        .expect("signed");
    assert!(matches!(
        sign(&request.pem().expect("PEM")),
        Err(SignError::KeyKind)
    ));
    assert!(matches!(sign(&"A".repeat(9_000)), Err(SignError::TooLong)));
    assert!(matches!(sign(""), Err(SignError::Malformed(_))));
}

#[test]
fn an_authority_survives_its_storage_and_nothing_less() {
    let ca = authority();
    let back = Ca::load(&ca.to_pem()).expect("what was stored");
    assert_eq!(back.fingerprint(), ca.fingerprint());
    assert_eq!(back.install(), &install());
    assert_eq!(back.certificate_pem(), ca.certificate_pem());
    let identity = enrolled(&back, host(1));
    assert!(host_certificate(identity.leaf()).is_ok());

    let key_of_another = authority().to_pem().split_off(ca.certificate_pem().len());
    for damaged in [
        String::new(),
        ca.certificate_pem().to_owned(),
        ca.to_pem().split_off(ca.certificate_pem().len()),
        ca.certificate_pem().to_owned() + &key_of_another,
    ] {
        assert!(Ca::load(&damaged).is_err(), "{damaged}");
    }
    assert!(Authorities::from_pem("").is_err());
    assert!(Authorities::from_pem(&ca.certificate_pem().repeat(5)).is_err());
}
