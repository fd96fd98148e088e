//! The certificate authority of an installation, and the request that a host makes to it.
//!
//! Keys are P-256. The authority may sign leaves only (path length 0). A host's key is made on the host and
//! never leaves it; of a request only the public key is used, and only after its signature was checked.
//!
//! Keys that are held here are overwritten when they are dropped. What `ring`, `rcgen` and `rustls` make of them while
//! they are in use is theirs, and is not.

use std::time::Duration;

use innkeeper_wire::{
    digest::Digest,
    id::{Code, HostId},
    time::Timestamp,
};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, DistinguishedName,
    DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256, PublicKeyData, SanType, SerialNumber, SignatureAlgorithm, SigningKey,
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, pem::PemObject};
use x509_parser::prelude::{FromDer, ParsedExtension, X509Certificate};
use zeroize::Zeroizing;

use crate::{
    peer::{KeyId, Serial, host_uri, instant},
    tls::{Identity, provider},
};

/// How long an authority is valid.
pub const CA_LIFE: Duration = Duration::from_secs(10 * 365 * 24 * 3600);
/// How long a host's certificate is valid; hosts renew at half of it (security.md 4.1).
pub const HOST_LIFE: Duration = Duration::from_secs(24 * 3600);
/// How long the agent API's own certificate is valid, and from how long before it was made: a clock that was ahead
/// when it was made, and is set right, must not cut hosts off. Its dates protect nobody, since its key is never
/// stored. The control plane makes one at each start, and must make another before this is over.
pub const SERVER_LIFE: Duration = Duration::from_secs(90 * 24 * 3600);
/// How far a peer's clock may be behind: hosts' certificates and authorities are valid from this long before they were signed.
pub const SKEW_MAX: Duration = Duration::from_secs(5 * 60);
/// Longest request for a certificate that is looked at, in bytes.
pub const REQUEST_BYTES_MAX: usize = 8 * 1024;

/// Why an authority can't be made, loaded or used.
#[derive(Debug, thiserror::Error)]
pub enum CaError {
    /// Making a key or signing failed.
    #[error("can't {deed}")]
    Crypto {
        /// What was being done.
        deed: &'static str,
        /// Why it failed.
        #[source]
        source: rcgen::Error,
    },
    /// The system gave no random bytes.
    #[error("the system has no random numbers")]
    Random,
    /// The stored authority can't be read.
    #[error("the stored authority is damaged: {0}")]
    Damaged(&'static str),
    /// A name of the agent API can't stand in a certificate.
    #[error("`{name}` can't be a name of the agent API")]
    ServerName {
        /// The name.
        name: String,
        /// Why not.
        #[source]
        source: rcgen::Error,
    },
}

/// Why a host's request was refused.
#[derive(Debug, thiserror::Error)]
pub enum SignError {
    /// It is longer than [`REQUEST_BYTES_MAX`].
    #[error("the certificate request is longer than {REQUEST_BYTES_MAX} bytes")]
    TooLong,
    /// It is no PKCS#10 request, or its own signature is wrong.
    #[error("the certificate request is malformed or was tampered with")]
    Malformed(#[source] rcgen::Error),
    /// Its key is not P-256.
    #[error("the certificate request is for another kind of key than ECDSA P-256")]
    KeyKind,
    /// The authority could not sign.
    #[error("the authority can't sign")]
    Ca(#[source] CaError),
}

/// The certificate of an authority: what hosts trust.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaCertificate {
    der: CertificateDer<'static>,
    pem: String,
    install: Code,
    key_id: KeyId,
    not_after: Timestamp,
}

impl CaCertificate {
    /// Reads the first certificate of a PEM file.
    ///
    /// # Errors
    /// When there is none, or it is not as [`Ca::create`] makes it.
    pub fn from_pem(text: &str) -> Result<Self, CaError> {
        let damaged = CaError::Damaged;
        let pem = certificate_section(text).ok_or(damaged("it holds no certificate"))?;
        let der = CertificateDer::from_pem_slice(pem.as_bytes())
            .map_err(|_| damaged("it holds no certificate"))?;
        let (_, parsed) = X509Certificate::from_der(&der)
            .map_err(|_| damaged("its certificate can't be read"))?;
        let install = parsed
            .subject()
            .iter_organization()
            .next()
            .and_then(|organization| organization.as_str().ok())
            .and_then(|text| text.parse().ok())
            .ok_or(damaged("its name does not hold the installation"))?;
        let key_id = parsed
            .extensions()
            .iter()
            .find_map(|extension| match extension.parsed_extension() {
                ParsedExtension::SubjectKeyIdentifier(identifier) => KeyId::of(identifier.0),
                _ => None,
            })
            .ok_or(damaged("its certificate does not name its key"))?;
        let not_after = instant(parsed.validity().not_after);
        Ok(Self {
            der,
            pem,
            install,
            key_id,
            not_after,
        })
    }

    /// Reads all certificates of a PEM file.
    ///
    /// # Errors
    /// When one of them is not as [`Ca::create`] makes it.
    pub fn all_from_pem(text: &str) -> Result<Vec<Self>, CaError> {
        let starts = text.match_indices("-----BEGIN CERTIFICATE-----");
        starts
            .map(|(start, _)| Self::from_pem(&text[start..]))
            .collect()
    }

    /// What the certificates that this authority signed say of their issuer.
    #[must_use]
    pub fn key_id(&self) -> KeyId {
        self.key_id
    }

    /// What `innkeeper-agent join --ca-fingerprint` pins: SHA-256 of the certificate.
    #[must_use]
    pub fn fingerprint(&self) -> Digest {
        Digest::of(&self.der)
    }

    /// The certificate.
    #[must_use]
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// The installation.
    #[must_use]
    pub fn install(&self) -> &Code {
        &self.install
    }

    /// Until when it is valid.
    #[must_use]
    pub fn not_after(&self) -> Timestamp {
        self.not_after
    }
}

/// An authority of one installation, with its key.
pub struct Ca {
    certificate: CaCertificate,
    issuer: Issuer<'static, CaKey>,
}

/// An authority's key, overwritten when it is dropped; what `ring` made of it is not.
struct CaKey(Zeroizing<KeyPair>);

impl PublicKeyData for CaKey {
    fn der_bytes(&self) -> &[u8] {
        self.0.der_bytes()
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        self.0.algorithm()
    }
}

impl SigningKey for CaKey {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        self.0.sign(message)
    }
}

/// A certificate signed for a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedHost {
    /// The certificate.
    pub certificate_pem: String,
    /// Its number, for the list of what was issued.
    pub serial: Serial,
    /// Until when it is valid.
    pub not_after: Timestamp,
}

impl Ca {
    /// Makes the authority of the installation `install`.
    ///
    /// # Errors
    /// When the system has no randomness.
    pub fn create(install: &Code, now: Timestamp) -> Result<Self, CaError> {
        let key = new_key()?;
        let mut params = CertificateParams::default();
        params.distinguished_name = name(install, "Innkeeper host authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let (serial, _) = set_life(&mut params, now, SKEW_MAX, CA_LIFE)?;
        params.serial_number = Some(serial);
        let certificate = params
            .self_signed(&*key)
            .map_err(crypto("sign the authority's own certificate"))?;
        Self::load(&with_key(&certificate.pem(), &key))
    }

    /// Loads what [`Ca::to_pem`] gave: one certificate and its key.
    ///
    /// # Errors
    /// When parts are missing, do not belong together or are no authority of ours.
    pub fn load(pem: &str) -> Result<Self, CaError> {
        let damaged = |what| move |_| CaError::Damaged(what);
        let certificate = CaCertificate::from_pem(pem)?;
        let key = PrivatePkcs8KeyDer::from_pem_slice(pem.as_bytes())
            .map(Zeroizing::new)
            .map_err(|_| CaError::Damaged("it holds no key"))?;
        let key = KeyPair::from_pkcs8_der_and_sign_algo(&key, &PKCS_ECDSA_P256_SHA256)
            .map(Zeroizing::new)
            .map_err(damaged("its key is not a P-256 key"))?;
        let (_, parsed) = X509Certificate::from_der(&certificate.der)
            .map_err(|_| CaError::Damaged("its certificate can't be read"))?;
        if parsed.public_key().subject_public_key.data.as_ref() != key.public_key_raw() {
            return Err(CaError::Damaged(
                "key and certificate do not belong together",
            ));
        }
        let issuer = Issuer::from_ca_cert_der(&certificate.der, CaKey(key))
            .map_err(damaged("its certificate is no authority"))?;
        Ok(Self {
            certificate,
            issuer,
        })
    }

    /// Its certificate.
    #[must_use]
    pub fn certificate(&self) -> &CaCertificate {
        &self.certificate
    }

    /// What the certificates that this authority signs say of their issuer.
    #[must_use]
    pub fn key_id(&self) -> KeyId {
        self.certificate.key_id
    }

    /// Certificate and key, to be stored where only the control plane can read it.
    #[must_use]
    pub fn to_pem(&self) -> Zeroizing<String> {
        with_key(&self.certificate.pem, &self.issuer.key().0)
    }

    /// The certificate alone: what hosts trust.
    #[must_use]
    pub fn certificate_pem(&self) -> &str {
        &self.certificate.pem
    }

    /// What `innkeeper-agent join --ca-fingerprint` pins: SHA-256 of the certificate.
    #[must_use]
    pub fn fingerprint(&self) -> Digest {
        self.certificate.fingerprint()
    }

    /// The installation.
    #[must_use]
    pub fn install(&self) -> &Code {
        &self.certificate.install
    }

    /// Makes key and certificate of the agent API. `names` are host names and addresses that agents dial.
    /// The chain holds the authority too, so that a joining host can compare it with its pin.
    ///
    /// # Errors
    /// When a name can't stand in a certificate.
    pub fn issue_server(&self, names: &[String], now: Timestamp) -> Result<Identity, CaError> {
        let key = new_key()?;
        let mut params = CertificateParams::default();
        params.distinguished_name = name(self.install(), "Innkeeper agent API");
        for name in names {
            // `CertificateParams::new` tells addresses from host names.
            let one =
                CertificateParams::new([name.clone()]).map_err(|source| CaError::ServerName {
                    name: name.clone(),
                    source,
                })?;
            params.subject_alt_names.extend(one.subject_alt_names);
        }
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let (number, _) = set_life(&mut params, now, SERVER_LIFE, SERVER_LIFE)?;
        params.serial_number = Some(number);
        let leaf = self.sign(params, &*key)?;
        let chain = vec![leaf.into(), self.certificate.der.clone()];
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        Ok(Identity::new(chain, key))
    }

    /// Signs a certificate for the key in `request_pem`, valid for `life`. All names and extensions in the
    /// request are ignored: the host is `host` and nothing else.
    ///
    /// # Errors
    /// When the request is malformed, tampered with or for another kind of key.
    pub fn sign_host(
        &self,
        request_pem: &str,
        host: HostId,
        now: Timestamp,
        life: Duration,
    ) -> Result<SignedHost, SignError> {
        if request_pem.len() > REQUEST_BYTES_MAX {
            return Err(SignError::TooLong);
        }
        let request =
            CertificateSigningRequestParams::from_pem(request_pem).map_err(SignError::Malformed)?;
        if request.public_key.algorithm() != &PKCS_ECDSA_P256_SHA256 {
            return Err(SignError::KeyKind);
        }
        let uri = host_uri(self.install(), host)
            .try_into()
            .map_err(|source| SignError::Ca(crypto("write the host's name")(source)))?;
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.subject_alt_names = vec![SanType::URI(uri)];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let (number, not_after) =
            set_life(&mut params, now, SKEW_MAX, life).map_err(SignError::Ca)?;
        let serial = Serial::of(&number.to_bytes()).expect("made with 16 bytes");
        params.serial_number = Some(number);
        let certificate = self
            .sign(params, &request.public_key)
            .map_err(SignError::Ca)?;
        Ok(SignedHost {
            certificate_pem: certificate.pem(),
            serial,
            not_after,
        })
    }

    /// Signs a leaf; what is the same for all leaves is set here.
    fn sign(
        &self,
        mut params: CertificateParams,
        key: &impl PublicKeyData,
    ) -> Result<rcgen::Certificate, CaError> {
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.use_authority_key_identifier_extension = true;
        params
            .signed_by(key, &self.issuer)
            .map_err(crypto("sign a certificate"))
    }
}

/// A host's key and its request for a certificate, both made on the host.
pub struct HostRequest {
    /// The key, PKCS#8; for a file that only its owner can read.
    pub key_pem: Zeroizing<String>,
    /// The request; it carries no names.
    pub request_pem: String,
}

impl HostRequest {
    /// Makes a key and the request for it.
    ///
    /// # Errors
    /// When the system has no randomness.
    pub fn create() -> Result<Self, CaError> {
        let key = new_key()?;
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        let request_pem = params
            .serialize_request(&*key)
            .and_then(|request| request.pem())
            .map_err(crypto("make a certificate request"))?;
        Ok(Self {
            key_pem: Zeroizing::new(key.serialize_pem()),
            request_pem,
        })
    }
}

fn new_key() -> Result<Zeroizing<KeyPair>, CaError> {
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256);
    key.map(Zeroizing::new).map_err(crypto("make a key"))
}

/// A certificate and its key, one after the other.
fn with_key(certificate_pem: &str, key: &KeyPair) -> Zeroizing<String> {
    let key = Zeroizing::new(key.serialize_pem());
    Zeroizing::new([certificate_pem, &key].concat())
}

fn crypto(deed: &'static str) -> impl FnOnce(rcgen::Error) -> CaError {
    move |source| CaError::Crypto { deed, source }
}

fn name(install: &Code, common: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::OrganizationName, install.as_str());
    name.push(DnType::CommonName, common);
    name
}

/// Sets the span of validity, from so long before `now`, and gives a fresh number and the (whole) second at which it
/// ends.
fn set_life(
    params: &mut CertificateParams,
    now: Timestamp,
    before: Duration,
    life: Duration,
) -> Result<(SerialNumber, Timestamp), CaError> {
    let since_epoch = now.since(Timestamp::from_millis(0));
    // Certificates count whole seconds.
    let end = Duration::from_secs((since_epoch + life).as_secs());
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    params.not_before = epoch + since_epoch.saturating_sub(before);
    params.not_after = epoch + end;
    let mut bytes = [0; 16];
    provider()
        .secure_random
        .fill(&mut bytes)
        .map_err(|_| CaError::Random)?;
    // DER integers are signed and drop leading zeros: with these two bits every number has 16 bytes.
    bytes[0] = bytes[0] & 0x7f | 0x40;
    Ok((
        SerialNumber::from_slice(&bytes),
        Timestamp::from_millis(0).after(end),
    ))
}

/// The first certificate of a PEM file, as text.
fn certificate_section(pem: &str) -> Option<String> {
    const END: &str = "-----END CERTIFICATE-----";
    let start = pem.find("-----BEGIN CERTIFICATE-----")?;
    let length = pem[start..].find(END)? + END.len();
    Some(pem[start..start + length].to_owned() + "\n")
}
