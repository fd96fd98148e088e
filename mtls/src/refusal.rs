//! Why a handshake or a connection ended for reasons of identity, so that both sides can log one clear
//! line. In TLS 1.3 the server's refusal of a client reaches it as an alert, after its own handshake is
//! over: [`Refusal::of`] finds it in the error of the first read as well.

use std::{error::Error, fmt, io};

use rustls::{AlertDescription, CertificateError};

use crate::tls::WrongPin;

/// A refusal: who refused whom, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refusal {
    /// Which side refused the other one's certificate.
    pub by: RefusedBy,
    /// What is wrong with it.
    pub fault: Fault,
}

/// Which side refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefusedBy {
    /// We refused the peer's certificate.
    Us,
    /// The peer refused ours.
    Peer,
}

/// What is wrong with a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Another authority signed it.
    Authority,
    /// Its time is over.
    Expired,
    /// Its time has not come: a clock is wrong.
    NotYetValid,
    /// By the peer's clock it is not valid now. TLS does not tell whether it was, or will be (RFC 8446, 6.2).
    NotNow,
    /// The authority has not the pinned fingerprint.
    Pin,
    /// It is for other names than the one that was dialled.
    Name,
    /// It is for another purpose.
    Purpose,
    /// There is none.
    Missing,
    /// Anything else: damaged, revoked, unknown kinds.
    Other,
}

impl Refusal {
    /// Finds a refusal in an error of TLS, I/O or HTTP, however deep; `None` when the error has nothing to
    /// do with who the peer is.
    #[must_use]
    pub fn of(error: &(dyn Error + 'static)) -> Option<Self> {
        let mut next = Some(error);
        while let Some(error) = next {
            if let Some(tls) = error.downcast_ref::<rustls::Error>() {
                return Self::of_tls(tls);
            }
            // An `io::Error` shows its inner error's source, not the inner error itself.
            let inner = error
                .downcast_ref::<io::Error>()
                .and_then(io::Error::get_ref);
            next = match inner {
                Some(inner) => Some(inner),
                None => error.source(),
            };
        }
        None
    }

    fn of_tls(error: &rustls::Error) -> Option<Self> {
        let (by, fault) = match error {
            rustls::Error::InvalidCertificate(error) => (RefusedBy::Us, fault_found(error)),
            rustls::Error::NoCertificatesPresented => (RefusedBy::Us, Fault::Missing),
            rustls::Error::AlertReceived(alert) => (RefusedBy::Peer, fault_told(*alert)?),
            _ => return None,
        };
        Some(Self { by, fault })
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.by {
            RefusedBy::Us => "the peer's certificate was refused: ",
            RefusedBy::Peer => "the peer refused our certificate: ",
        })?;
        f.write_str(match self.fault {
            Fault::Authority => "it comes from another authority",
            Fault::Expired => "it has expired",
            Fault::NotYetValid => "it is not valid yet (is a clock wrong?)",
            Fault::NotNow => "by the peer's clock it is not valid now",
            Fault::Pin => "its authority has not the fingerprint that was given",
            Fault::Name => "it is not for the name that was dialled",
            Fault::Purpose => "it is for another purpose",
            Fault::Missing => "there is none",
            Fault::Other => "it is not acceptable",
        })
    }
}

fn fault_found(error: &CertificateError) -> Fault {
    match error {
        // Two authorities of one installation have the same name, and differ by the signature only.
        CertificateError::UnknownIssuer | CertificateError::BadSignature => Fault::Authority,
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => Fault::Expired,
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            Fault::NotYetValid
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            Fault::Name
        }
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
            Fault::Purpose
        }
        CertificateError::Other(other) if other.0.is::<WrongPin>() => Fault::Pin,
        _ => Fault::Other,
    }
}

/// What an alert about our certificate says; `None` for alerts about other things.
fn fault_told(alert: AlertDescription) -> Option<Fault> {
    match alert {
        AlertDescription::UnknownCA | AlertDescription::DecryptError => Some(Fault::Authority),
        AlertDescription::CertificateExpired => Some(Fault::NotNow),
        AlertDescription::CertificateRequired => Some(Fault::Missing),
        AlertDescription::UnsupportedCertificate => Some(Fault::Purpose),
        AlertDescription::BadCertificate
        | AlertDescription::CertificateRevoked
        | AlertDescription::CertificateUnknown
        | AlertDescription::AccessDenied => Some(Fault::Other),
        _ => None,
    }
}
