//! Who the peer is: the authority of an installation, the certificates that it signs, the TLS configurations
//! of both sides and the reading of an identity out of a certificate.
//!
//! Called by the agent and by the control plane's agent API; nothing else decides who a host is. A host is
//! `spiffe://<install>/host/<id>` in the one URI of its certificate; every other name in a certificate or
//! in a request for one is ignored. Whether a host that has proven who it is may still come in (revocation)
//! is the control plane's to decide, at every request.
//!
//! This crate opens no sockets and reads no files and no clock: bytes, time and ids are passed in.

#![forbid(unsafe_code)]

pub mod authority;
pub mod peer;
pub mod refusal;
pub mod succession;
pub mod tls;

pub use authority::{Ca, CaCertificate, HostRequest, SignedHost};
pub use peer::{
    HostCertificate, KeyId, Peer, RENEWAL_GRACE, Serial, Standing, host_certificate, peer_identity,
};
pub use refusal::{Fault, Refusal, RefusedBy};
pub use succession::{Other, Succession};
pub use tls::{Authorities, Identity, client_config, pinned_client_config, server_config};
