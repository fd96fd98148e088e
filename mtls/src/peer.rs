//! Reading who a peer is out of its certificate. The chain and the dates were checked by the handshake
//! ([`crate::tls`]); this module reads the one name that counts and refuses everything that is not exactly
//! as [`crate::Ca::sign_host`] makes it.

use std::{fmt, time::Duration};

use innkeeper_wire::{
    id::{Code, HostId},
    time::Timestamp,
};
use rustls_pki_types::CertificateDer;
use x509_parser::prelude::{ASN1Time, FromDer, GeneralName, ParsedExtension, X509Certificate};

/// Who opened a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Peer {
    /// Somebody without a certificate: may only join.
    Nobody,
    /// A host of this installation. What its certificate is good for at this moment ([`Peer::standing`]), and
    /// whether the host is still allowed, is to be asked at every request.
    Host {
        /// Which.
        id: HostId,
        /// Number of its certificate.
        serial: Serial,
        /// From when its certificate is valid.
        not_before: Timestamp,
        /// Until when its certificate is valid.
        not_after: Timestamp,
        /// The authority that signed it.
        issuer: KeyId,
    },
}

/// What somebody's certificate is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// There is none: joining.
    Nobody,
    /// Everything that this host may do.
    Valid(HostId),
    /// It has expired within [`RENEWAL_GRACE`]: renewing it, and nothing else.
    Expired(HostId),
    /// It has expired before that: nothing.
    Over(HostId),
}

/// How long an expired certificate can still be renewed, with the key that it is for (security.md 4.1): a
/// host that was off for a few days comes back by itself.
pub const RENEWAL_GRACE: Duration = Duration::from_secs(7 * 24 * 3600);

impl Peer {
    /// The host of a certificate.
    #[must_use]
    pub fn of(certificate: &HostCertificate) -> Self {
        Self::Host {
            id: certificate.host,
            serial: certificate.serial,
            not_before: certificate.not_before,
            not_after: certificate.not_after,
            issuer: certificate.issuer,
        }
    }

    /// What the certificate is good for at `now`.
    #[must_use]
    pub fn standing(&self, now: Timestamp) -> Standing {
        match *self {
            Self::Nobody => Standing::Nobody,
            Self::Host { id, not_after, .. } => {
                if now <= not_after {
                    Standing::Valid(id)
                } else if now <= not_after.after(RENEWAL_GRACE) {
                    Standing::Expired(id)
                } else {
                    Standing::Over(id)
                }
            }
        }
    }
}

/// Why a certificate names no host of ours, although one of our authorities signed it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PeerError {
    /// It can't be parsed, or has parts after its end.
    #[error("the certificate can't be read")]
    Malformed,
    /// It is an authority's, or not (only) for clients.
    #[error("the certificate is not one for hosts")]
    Purpose,
    /// It has not exactly one name, or one that is no host's.
    #[error("the certificate's name is not that of a host")]
    Name,
    /// It names a host of another installation.
    #[error("the certificate belongs to the installation `{found}`")]
    OtherInstall {
        /// That installation.
        found: Code,
    },
}

/// The number of a certificate: 16 random bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Serial([u8; 16]);

impl Serial {
    pub(crate) fn of(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }
}

impl fmt::Display for Serial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Serial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Tells the keys of authorities apart, which may have the same name: the identifier that an authority's own
/// certificate and those that it signed carry.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyId([u8; 20]);

impl KeyId {
    pub(crate) fn of(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// What a host's certificate says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostCertificate {
    /// The installation.
    pub install: Code,
    /// The host.
    pub host: HostId,
    /// Its number.
    pub serial: Serial,
    /// The authority that signed it.
    pub issuer: KeyId,
    /// From when it is valid.
    pub not_before: Timestamp,
    /// Until when it is valid.
    pub not_after: Timestamp,
}

/// Decides who the peer of a finished handshake is. `certificates` is what
/// `rustls::CommonState::peer_certificates` gives, `install` the own installation.
///
/// # Errors
/// When there is a certificate and it is not exactly one of a host of this installation.
pub fn peer_identity(
    certificates: Option<&[CertificateDer<'_>]>,
    install: &Code,
) -> Result<Peer, PeerError> {
    let Some(leaf) = certificates.and_then(<[_]>::first) else {
        return Ok(Peer::Nobody);
    };
    let certificate = host_certificate(leaf)?;
    if certificate.install != *install {
        return Err(PeerError::OtherInstall {
            found: certificate.install,
        });
    }
    Ok(Peer::of(&certificate))
}

/// Reads a host's certificate. A host reads its own, to know who it is and when to renew.
///
/// # Errors
/// When it is not exactly as [`crate::Ca::sign_host`] makes it.
pub fn host_certificate(der: &CertificateDer<'_>) -> Result<HostCertificate, PeerError> {
    let (rest, certificate) = X509Certificate::from_der(der).map_err(|_| PeerError::Malformed)?;
    if !rest.is_empty() {
        return Err(PeerError::Malformed);
    }
    let usage = certificate
        .extended_key_usage()
        .map_err(|_| PeerError::Malformed)?
        .ok_or(PeerError::Purpose)?
        .value;
    let others = usage.any || usage.server_auth || !usage.other.is_empty();
    if certificate.is_ca() || !usage.client_auth || others {
        return Err(PeerError::Purpose);
    }
    let names = certificate
        .subject_alternative_name()
        .map_err(|_| PeerError::Malformed)?
        .ok_or(PeerError::Name)?;
    let [GeneralName::URI(uri)] = names.value.general_names.as_slice() else {
        return Err(PeerError::Name);
    };
    let (install, host) = parse_uri(uri).ok_or(PeerError::Name)?;
    let validity = certificate.validity();
    Ok(HostCertificate {
        install,
        host,
        serial: Serial::of(certificate.raw_serial()).ok_or(PeerError::Malformed)?,
        issuer: issuer(&certificate).ok_or(PeerError::Malformed)?,
        not_before: instant(validity.not_before),
        not_after: instant(validity.not_after),
    })
}

fn issuer(certificate: &X509Certificate<'_>) -> Option<KeyId> {
    let mut extensions = certificate.extensions().iter();
    extensions.find_map(|extension| match extension.parsed_extension() {
        ParsedExtension::AuthorityKeyIdentifier(identifier) => {
            KeyId::of(identifier.key_identifier.as_ref()?.0)
        }
        _ => None,
    })
}

/// From when and until when a certificate is valid; `None` when it can't be read.
pub(crate) fn validity(der: &CertificateDer<'_>) -> Option<(Timestamp, Timestamp)> {
    let (_, certificate) = X509Certificate::from_der(der).ok()?;
    let validity = certificate.validity();
    Some((instant(validity.not_before), instant(validity.not_after)))
}

/// The name of a host in its certificate.
pub(crate) fn host_uri(install: &Code, host: HostId) -> String {
    format!("spiffe://{install}/host/{host}")
}

fn parse_uri(uri: &str) -> Option<(Code, HostId)> {
    let (install, host) = uri.strip_prefix("spiffe://")?.split_once("/host/")?;
    Some((install.parse().ok()?, host.parse().ok()?))
}

pub(crate) fn instant(time: ASN1Time) -> Timestamp {
    Timestamp::from_millis(time.timestamp().saturating_mul(1_000))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_exact_form_is_a_name() {
        let hex = "0190b5c87f1e7c3a8e0f5b6d2c4a9e11";
        let good = format!("spiffe://demo/host/hst_{hex}");
        let (install, host) = parse_uri(&good).expect("the exact form");
        assert_eq!(host_uri(&install, host), good);
        for bad in [
            format!("spiffe://demo/host/srv_{hex}"),
            format!("spiffe://demo/host/hst_{hex}/"),
            format!("spiffe://demo/host//hst_{hex}"),
            format!("spiffe://demo/x/host/hst_{hex}"),
            format!("spiffe://DEMO/host/hst_{hex}"),
            format!("spiffe:///host/hst_{hex}"),
            format!("SPIFFE://demo/host/hst_{hex}"),
            format!("https://demo/host/hst_{hex}"),
            format!("spiffe://demo/host/hst_{hex}?a=b"),
            format!("spiffe://demo:1/host/hst_{hex}"),
            format!(" {good}"),
            "spiffe://demo".to_owned(),
            String::new(),
        ] {
            assert_eq!(parse_uri(&bad), None, "{bad}");
        }
    }
}
