//! `innkeeper-agent join`: this machine becomes a host. It makes its key, trusts exactly the authority whose
//! fingerprint the operator's invitation names, compares the clocks, shows the one-time token and stores what it is
//! given.
//!
//! The key is on disk before the token is shown: if the answer is lost, the same line typed again is a request for the
//! same key, which the control plane answers again.

use std::{path::Path, sync::Arc, time::Duration};

use innkeeper_mtls::{
    CaCertificate, Fault, HostCertificate, HostRequest, RENEWAL_GRACE, pinned_client_config,
    tls::TlsError,
};
use innkeeper_wire::{
    digest::Digest,
    endpoints::{Endpoint as _, agents::Join},
    host::JoinRequest,
    id::HostId,
    time::{Clock, Timestamp},
};

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::{
    connection::{Call, CallError, Connection},
    desired::{Accepted, Store},
    doctor::{Verdict, judge},
    durable,
    identity::{Enrolment, IdentityError},
};

const DEADLINE: Duration = Duration::from_secs(30);
/// Longest answer, in bytes: two small chains.
const ANSWER_BYTES_MAX: usize = 64 * 1024;
/// Name of the file in the agent's folder that holds the key until there is an identity with it.
const PENDING_FILE: &str = "joining";

/// The operator's invitation.
pub struct Invitation {
    /// The control plane's address, `https://HOST:PORT`.
    pub url: String,
    /// The one-time token.
    pub token: String,
    /// SHA-256 of the authority's certificate.
    pub ca_fingerprint: Digest,
}

/// Why joining failed.
#[derive(Debug, thiserror::Error)]
pub enum JoinError {
    /// This machine is a host already.
    #[error(
        "this machine is {0} already; if its control plane does not take it any more, move the file `identity` in the \
         agent's folder aside"
    )]
    Joined(HostId),
    /// No key could be made.
    #[error("can't make a key")]
    Key(#[source] innkeeper_mtls::authority::CaError),
    /// TLS could not be set up.
    #[error("can't set up TLS")]
    Tls(#[source] TlsError),
    /// The invitation was not accepted.
    #[error(
        "the invitation was not accepted: it was used, has expired or is another one; ask for a new one"
    )]
    Invitation(#[source] CallError),
    /// The control plane's authority is another one.
    #[error(
        "the control plane's authority is not the one of the invitation: if it was changed since, ask for a new one"
    )]
    Pin(#[source] CallError),
    /// What the former host was told could not be taken away.
    #[error("can't store the desired state")]
    Store(#[source] durable::Error),
    /// The control plane could not be asked.
    #[error("can't join")]
    Call(#[source] CallError),
    /// The clocks differ by too much; the token was not shown.
    #[error("this machine's clock is {0}")]
    Clock(String),
    /// The key could not be kept; the token was not shown.
    #[error("can't keep the key")]
    Pending(#[source] durable::Error),
    /// The control plane gave no identity.
    #[error("the control plane gave no identity")]
    Empty,
    /// What it gave can't be used or stored.
    #[error("can't store the identity")]
    Identity(#[source] IdentityError),
}

/// Joins, and stores the identity in `folder`, which exists. One that was there and is of no use any more is
/// replaced.
///
/// # Errors
/// When anything fails; then nothing was stored.
pub async fn join(
    invitation: &Invitation,
    folder: &Path,
    clock: Arc<dyn Clock>,
) -> Result<HostId, JoinError> {
    if let Ok(enrolment) = Enrolment::read(folder)
        && let Ok(present) = enrolment.check()
        && is_of_use(&enrolment, &present.certificate, invitation, clock.now())
    {
        return Err(JoinError::Joined(present.certificate.host));
    }
    let tls = pinned_client_config(invitation.ca_fingerprint, Arc::clone(&clock))
        .map_err(JoinError::Tls)?;
    let (connection, driver) =
        Connection::open(&invitation.url, tls, None)
            .await
            .map_err(|error| match error {
                CallError::Refused(refusal) if refusal.fault == Fault::Pin => JoinError::Pin(error),
                error => JoinError::Call(error),
            })?;
    let theirs = connection.date().await.map_err(JoinError::Call)?;
    if let Verdict::Bad(text) = judge::clock(clock.now(), theirs) {
        return Err(JoinError::Clock(text));
    }
    let request = Pending::for_token(&invitation.token, folder)?;
    let ask = Join::with(JoinRequest {
        token: invitation.token.clone(),
        csr_pem: request.request_pem.clone(),
    });
    let call = Call::new(ask, DEADLINE, ANSWER_BYTES_MAX);
    let answer = connection.json(call).await.map_err(|error| match error {
        // Whatever is wrong with an invitation, its bearer is told the same.
        CallError::Problem(_) | CallError::Status(_) if is_about_the_invitation(&error) => {
            Pending::forget(folder);
            JoinError::Invitation(error)
        }
        error => JoinError::Call(error),
    })?;
    driver.abort();
    let answer = answer.ok_or(JoinError::Empty)?;
    let enrolment = Enrolment {
        url: invitation.url.clone(),
        key_pem: request.key_pem.clone(),
        certificate_pem: answer.certificate_pem,
        ca_pem: answer.ca_pem,
    };
    // What another host was told is not for this one, and would make it look as if it had gone back in time.
    let store = Store::new(folder);
    store
        .write_accepted(&Accepted::default())
        .map_err(JoinError::Store)?;
    enrolment.write(folder).map_err(JoinError::Identity)?;
    Pending::forget(folder);
    Ok(answer.host)
}

/// The key that a token was or will be shown for, and the request for it.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Pending {
    /// SHA-256 of the token: another token gets another key.
    token: Digest,
    key_pem: Zeroizing<String>,
    request_pem: String,
}

impl Pending {
    /// That of an earlier try with this token, or a new one, which is then on disk.
    fn for_token(token: &str, folder: &Path) -> Result<Self, JoinError> {
        let (path, token) = (folder.join(PENDING_FILE), Digest::of(token.as_bytes()));
        let kept = durable::read(&path).ok().flatten().map(Zeroizing::new);
        let kept = kept.and_then(|kept| serde_json::from_slice::<Self>(&kept).ok());
        if let Some(kept) = kept.filter(|kept| kept.token == token) {
            return Ok(kept);
        }
        let HostRequest {
            key_pem,
            request_pem,
        } = HostRequest::create().map_err(JoinError::Key)?;
        let fresh = Self {
            token,
            key_pem,
            request_pem,
        };
        // Room from the beginning: a buffer that grows would leave copies of the key behind.
        let mut contents = Zeroizing::new(Vec::with_capacity(ANSWER_BYTES_MAX));
        serde_json::to_writer(&mut *contents, &fresh).expect("three texts");
        durable::write(&path, &contents, durable::Mode::Private).map_err(JoinError::Pending)?;
        Ok(fresh)
    }

    /// The identity has the key now. Left behind, the file would be of no use to anybody.
    fn forget(folder: &Path) {
        if let Err(error) = std::fs::remove_file(folder.join(PENDING_FILE)) {
            tracing::debug!(%error, "the key that was kept for joining could not be removed");
        }
    }
}

/// Whether an identity can still be used: not when its certificate has expired for too long, nor when it was signed
/// by another authority than the one that its own control plane invites with now.
fn is_of_use(
    enrolment: &Enrolment,
    certificate: &HostCertificate,
    invitation: &Invitation,
    now: Timestamp,
) -> bool {
    let known = CaCertificate::all_from_pem(&enrolment.ca_pem).unwrap_or_default();
    let signed_it = |ca: &CaCertificate| {
        ca.fingerprint() == invitation.ca_fingerprint && ca.key_id() == certificate.issuer
    };
    let is_over = now > certificate.not_after.after(RENEWAL_GRACE);
    !is_over && (enrolment.url != invitation.url || known.iter().any(signed_it))
}

fn is_about_the_invitation(error: &CallError) -> bool {
    let status = match error {
        CallError::Problem(problem) => problem.status,
        CallError::Status(status) => status.as_u16(),
        _ => return false,
    };
    matches!(status, 401 | 403 | 404 | 410)
}

#[cfg(test)]
mod tests {
    use super::*;

    innkeeper_wire::samples! {
        Pending {
            token: [Digest::of(b"token")],
            key_pem: [Zeroizing::new("-----BEGIN PRIVATE KEY-----\n".to_owned())],
            request_pem: ["-----BEGIN CERTIFICATE REQUEST-----\n".to_owned()],
        }
    }

    #[test]
    fn a_token_that_is_shown_again_is_shown_for_the_same_key() {
        let folder = tempfile::tempdir().expect("a folder");
        let pending = |token| Pending::for_token(token, folder.path()).expect("kept");
        let first = pending("one");
        assert_eq!(pending("one").request_pem, first.request_pem);
        assert_eq!(pending("one").key_pem, first.key_pem);
        assert_ne!(pending("two").request_pem, first.request_pem);
        let file = folder.path().join(PENDING_FILE);
        std::fs::write(&file, "half a fi").expect("writable");
        assert_ne!(pending("one").request_pem, first.request_pem);
        Pending::forget(folder.path());
        assert!(!file.exists());
    }
}
