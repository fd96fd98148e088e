//! TLS configurations of both sides: TLS 1.3 only, no tickets and no resumption (a revoked host must not
//! come back in on an old session), HTTP/2 first.
//!
//! The provider is `ring`, given explicitly, and the clock is passed in.

use std::{fmt, sync::Arc};

use innkeeper_wire::{
    digest::Digest,
    time::{Clock, Timestamp},
};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, DistinguishedName, OtherError,
    RootCertStore, ServerConfig, SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{
        CryptoProvider,
        ring::cipher_suite::{TLS13_AES_128_GCM_SHA256, TLS13_CHACHA20_POLY1305_SHA256},
        verify_tls13_signature,
    },
    server::{
        NoServerSessionStorage, WebPkiClientVerifier,
        danger::{ClientCertVerified, ClientCertVerifier},
    },
    time_provider::TimeProvider,
    version::TLS13,
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime, pem::PemObject};
use zeroize::Zeroize as _;

use crate::peer::{RENEWAL_GRACE, validity};

/// Most authorities that are trusted at a time: two during a change, and room for a mistake.
pub const AUTHORITIES_MAX: usize = 4;

/// Why a configuration can't be made.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The authorities can't be read.
    #[error("the list of authorities is empty, too long or damaged")]
    Authorities,
    /// Certificate or key can't be read.
    #[error("the certificate or its key is damaged")]
    Identity,
    /// rustls refuses the parts: key and certificate do not belong together, say.
    #[error("certificate, key and authorities do not fit together")]
    Unfit(#[source] rustls::Error),
}

/// The authorities that a side trusts.
#[derive(Debug, Clone)]
pub struct Authorities(Arc<RootCertStore>);

impl Authorities {
    /// Reads one or more certificates.
    ///
    /// # Errors
    /// When there are none, more than [`AUTHORITIES_MAX`] or one that can't be read.
    pub fn from_pem(pem: &str) -> Result<Self, TlsError> {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
            let certificate = certificate.map_err(|_| TlsError::Authorities)?;
            roots.add(certificate).map_err(|_| TlsError::Authorities)?;
        }
        if roots.is_empty() || roots.len() > AUTHORITIES_MAX {
            return Err(TlsError::Authorities);
        }
        Ok(Self(Arc::new(roots)))
    }
}

/// A certificate chain, own certificate first, and its key.
pub struct Identity {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

impl Drop for Identity {
    fn drop(&mut self) {
        self.key.zeroize();
    }
}

impl Identity {
    pub(crate) fn new(chain: Vec<CertificateDer<'static>>, key: PrivateKeyDer<'static>) -> Self {
        Self { chain, key }
    }

    /// Reads a chain and a key.
    ///
    /// # Errors
    /// When either is missing or damaged.
    pub fn from_pem(chain_pem: &str, key_pem: &str) -> Result<Self, TlsError> {
        let chain = CertificateDer::pem_slice_iter(chain_pem.as_bytes())
            .collect::<Result<Vec<_>, _>>()
            .map_err(|_| TlsError::Identity)?;
        if chain.is_empty() {
            return Err(TlsError::Identity);
        }
        let key = PrivateKeyDer::from_pem_slice(key_pem.as_bytes());
        let key = key.map_err(|_| TlsError::Identity)?;
        Ok(Self { chain, key })
    }

    /// The own certificate.
    #[must_use]
    pub fn leaf(&self) -> &CertificateDer<'static> {
        &self.chain[0]
    }
}

/// What the agent API listens with. A client certificate is optional, so that joining shares the port: who
/// came without one is [`crate::Peer::Nobody`]. One that has expired lately gets through the handshake, and
/// is good for its renewal ([`crate::Peer::standing`]). One that is not valid yet is as good as one that is: nobody but
/// this side signs them, so its clock was ahead then, or is behind now. It is renewed in its time by the host's clock.
///
/// # Errors
/// When the identity's key is not that of its certificate.
pub fn server_config(
    identity: &Identity,
    authorities: &Authorities,
    clock: Arc<dyn Clock>,
) -> Result<ServerConfig, TlsError> {
    let verifier =
        WebPkiClientVerifier::builder_with_provider(Arc::clone(&authorities.0), provider())
            .allow_unauthenticated()
            .build()
            .map_err(|_| TlsError::Authorities)?;
    let verifier = Arc::new(Forbearing(verifier));
    let mut config = ServerConfig::builder_with_details(provider(), WallClock::of(clock))
        .with_protocol_versions(&[&TLS13])
        .map_err(TlsError::Unfit)?
        .with_client_cert_verifier(verifier)
        .with_single_cert(identity.chain.clone(), identity.key.clone_key())
        .map_err(TlsError::Unfit)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(config)
}

/// What a host dials the agent API with.
///
/// # Errors
/// When the identity's key is not that of its certificate.
pub fn client_config(
    identity: &Identity,
    authorities: &Authorities,
    clock: Arc<dyn Clock>,
) -> Result<ClientConfig, TlsError> {
    let verifier =
        WebPkiServerVerifier::builder_with_provider(Arc::clone(&authorities.0), provider())
            .build()
            .map_err(|_| TlsError::Authorities)?;
    let config = ClientConfig::builder_with_details(provider(), WallClock::of(clock))
        .with_protocol_versions(&[&TLS13])
        .map_err(TlsError::Unfit)?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_client_auth_cert(identity.chain.clone(), identity.key.clone_key())
        .map_err(TlsError::Unfit)?;
    Ok(hardened(config))
}

/// What a host joins with: it has no certificate yet and trusts one authority, known by its fingerprint.
///
/// # Errors
/// None in practice: the parts are fixed.
pub fn pinned_client_config(
    ca_fingerprint: Digest,
    clock: Arc<dyn Clock>,
) -> Result<ClientConfig, TlsError> {
    let config = ClientConfig::builder_with_details(provider(), WallClock::of(clock))
        .with_protocol_versions(&[&TLS13])
        .map_err(TlsError::Unfit)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Pinned(ca_fingerprint)))
        .with_no_client_auth();
    Ok(hardened(config))
}

fn hardened(mut config: ClientConfig) -> ClientConfig {
    config.alpn_protocols = vec![b"h2".to_vec()];
    config.resumption = rustls::client::Resumption::disabled();
    config
}

/// The one cryptography provider of the project. Only suites with SHA-256, of which one is mandatory (RFC 8446,
/// 9.1): processors have instructions for it, and without them the key schedule of SHA-384 is a tenth of what a
/// connection costs.
pub(crate) fn provider() -> Arc<CryptoProvider> {
    Arc::new(CryptoProvider {
        cipher_suites: vec![TLS13_AES_128_GCM_SHA256, TLS13_CHACHA20_POLY1305_SHA256],
        ..rustls::crypto::ring::default_provider()
    })
}

/// Our clock as rustls wants it.
struct WallClock(Arc<dyn Clock>);

impl WallClock {
    fn of(clock: Arc<dyn Clock>) -> Arc<dyn TimeProvider> {
        Arc::new(Self(clock))
    }
}

impl TimeProvider for WallClock {
    fn current_time(&self) -> Option<UnixTime> {
        let since_epoch = self.0.now().since(Timestamp::from_millis(0));
        Some(UnixTime::since_unix_epoch(since_epoch))
    }
}

impl fmt::Debug for WallClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WallClock")
    }
}

/// Checks the certificates of clients, and lets one that has expired within [`RENEWAL_GRACE`] through if it
/// was good in its last second, and one that is not valid yet if it is good in its first. That its holder has the
/// key, the handshake itself proves.
#[derive(Debug)]
struct Forbearing(Arc<dyn ClientCertVerifier>);

impl ClientCertVerifier for Forbearing {
    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        let verify = |at| self.0.verify_client_cert(end_entity, intermediates, at);
        let refusal = match verify(now) {
            Err(refusal) if is_untimely(&refusal) => refusal,
            verdict => return verdict,
        };
        let unix = |at: Timestamp| UnixTime::since_unix_epoch(at.since(Timestamp::from_millis(0)));
        match validity(end_entity).map(|(first, last)| (unix(first), unix(last))) {
            Some((first, _)) if now < first => verify(first),
            Some((_, last)) if now.as_secs() <= last.as_secs() + RENEWAL_GRACE.as_secs() => {
                verify(last)
            }
            _ => Err(refusal),
        }
    }

    fn offer_client_auth(&self) -> bool {
        self.0.offer_client_auth()
    }

    fn client_auth_mandatory(&self) -> bool {
        self.0.client_auth_mandatory()
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.0.root_hint_subjects()
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0
            .verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0
            .verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}

fn is_untimely(error: &rustls::Error) -> bool {
    matches!(
        error,
        rustls::Error::InvalidCertificate(
            CertificateError::Expired
                | CertificateError::ExpiredContext { .. }
                | CertificateError::NotValidYet
                | CertificateError::NotValidYetContext { .. }
        )
    )
}

/// The server's chain does not hold the pinned authority.
#[derive(Debug, thiserror::Error)]
#[error("the server's authority is not the one with the given fingerprint")]
pub(crate) struct WrongPin;

/// Accepts a chain whose authority has the pinned fingerprint, and checks it like any other then: the pin
/// says whom to trust, not that anything goes.
#[derive(Debug)]
struct Pinned(Digest);

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let authority = intermediates
            .iter()
            .find(|certificate| Digest::of(certificate) == self.0)
            .ok_or_else(|| CertificateError::Other(OtherError(Arc::new(WrongPin))))?;
        let mut roots = RootCertStore::empty();
        roots.add(authority.clone().into_owned())?;
        WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider())
            .build()
            .map_err(|error| rustls::Error::General(error.to_string()))?
            .verify_server_cert(end_entity, &[], server_name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(rustls::Error::General(
            "only TLS 1.3 is spoken here".to_owned(),
        ))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = provider().signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, &algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        provider()
            .signature_verification_algorithms
            .supported_schemes()
    }
}
