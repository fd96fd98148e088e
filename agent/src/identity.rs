//! Who this host is, as it lies on disk: key, certificate, authorities and the control plane's address, in
//! one file that is replaced as a whole. Written by `join`, rewritten at each renewal by `link`.

use std::path::Path;

use innkeeper_mtls::{Authorities, HostCertificate, Identity, host_certificate, tls::TlsError};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::durable;

/// Name of the file in the agent's folder.
const FILE: &str = "identity";

/// Room for what is written, in bytes: a key, a certificate and a few authorities.
const ROOM: usize = 64 * 1024;

/// The contents of the file.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Enrolment {
    /// The control plane's address, `https://HOST:PORT`.
    pub url: String,
    /// The own key, PKCS#8. It has never left this host.
    pub key_pem: Zeroizing<String>,
    /// The own certificate.
    pub certificate_pem: String,
    /// The authorities to trust.
    pub ca_pem: String,
}

/// Why a host has no usable identity.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// It has not joined.
    #[error("this host has not joined: run `innkeeper-agent join`")]
    None,
    /// The file can't be read or written.
    #[error(transparent)]
    File(#[from] durable::Error),
    /// The file is no identity.
    #[error("the stored identity is damaged: join again")]
    Damaged(#[source] serde_json::Error),
    /// Certificate, key or authorities can't be used.
    #[error("the identity can't be used")]
    Tls(#[from] TlsError),
    /// The certificate is not that of a host.
    #[error("the certificate is not that of a host")]
    Peer(#[from] innkeeper_mtls::peer::PeerError),
}

/// An identity that was checked to be usable.
pub struct Usable {
    /// Certificate and key, for TLS.
    pub identity: Identity,
    /// The authorities to trust.
    pub authorities: Authorities,
    /// What the certificate says.
    pub certificate: HostCertificate,
}

impl Enrolment {
    /// Reads it.
    ///
    /// # Errors
    /// When this host has not joined, or the file is damaged.
    pub fn read(folder: &Path) -> Result<Self, IdentityError> {
        let contents = durable::read(&folder.join(FILE))?.ok_or(IdentityError::None)?;
        let contents = Zeroizing::new(contents);
        serde_json::from_slice(&contents).map_err(IdentityError::Damaged)
    }

    /// Stores it, after it was checked to be usable.
    ///
    /// # Errors
    /// When it is not, or can't be made durable; then the stored one is as it was.
    pub fn write(&self, folder: &Path) -> Result<(), IdentityError> {
        self.check()?;
        // Room from the beginning: a buffer that grows would leave copies of the key behind.
        let mut contents = Zeroizing::new(Vec::with_capacity(ROOM));
        serde_json::to_writer(&mut *contents, self).expect("four texts");
        Ok(durable::write(
            &folder.join(FILE),
            &contents,
            durable::Mode::Private,
        )?)
    }

    /// Checks that its parts can be used.
    ///
    /// # Errors
    /// When they can't.
    pub fn check(&self) -> Result<Usable, IdentityError> {
        let identity = Identity::from_pem(&self.certificate_pem, &self.key_pem)?;
        let authorities = Authorities::from_pem(&self.ca_pem)?;
        let certificate = host_certificate(identity.leaf())?;
        Ok(Usable {
            identity,
            authorities,
            certificate,
        })
    }
}
