//! `innkeeper-agent join`: this machine becomes a host. It makes its key, trusts exactly the authority whose
//! fingerprint the operator's invitation names, shows the one-time token and stores what it is given.

use std::{path::Path, sync::Arc, time::Duration};

use innkeeper_mtls::{
    CaCertificate, Fault, HostCertificate, HostRequest, RENEWAL_GRACE, pinned_client_config,
    tls::TlsError,
};
use innkeeper_wire::{
    digest::Digest,
    host::{JoinAnswer, JoinRequest},
    id::HostId,
    time::{Clock, Timestamp},
};

use crate::{
    connection::{Call, CallError, Connection},
    desired::{Accepted, Store},
    durable,
    identity::{Enrolment, IdentityError},
};

const DEADLINE: Duration = Duration::from_secs(30);
/// Longest answer, in bytes: two small chains.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

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
    let request = HostRequest::create().map_err(JoinError::Key)?;
    let tls = pinned_client_config(invitation.ca_fingerprint, clock).map_err(JoinError::Tls)?;
    let (connection, driver) =
        Connection::open(&invitation.url, tls, None)
            .await
            .map_err(|error| match error {
                CallError::Refused(refusal) if refusal.fault == Fault::Pin => JoinError::Pin(error),
                error => JoinError::Call(error),
            })?;
    let ask = JoinRequest {
        token: invitation.token.clone(),
        csr_pem: request.request_pem,
    };
    let call = Call::post("/agent/v1/join", &ask, DEADLINE, ANSWER_BYTES_MAX);
    let answer: Option<JoinAnswer> = connection.json(call).await.map_err(|error| match error {
        // Whatever is wrong with an invitation, its bearer is told the same.
        CallError::Problem(_) | CallError::Status(_) if is_about_the_invitation(&error) => {
            JoinError::Invitation(error)
        }
        error => JoinError::Call(error),
    })?;
    driver.abort();
    let answer = answer.ok_or(JoinError::Empty)?;
    let enrolment = Enrolment {
        url: invitation.url.clone(),
        key_pem: request.key_pem,
        certificate_pem: answer.certificate_pem,
        ca_pem: answer.ca_pem,
    };
    // What another host was told is not for this one, and would make it look as if it had gone back in time.
    let store = Store::new(folder);
    store
        .write_accepted(&Accepted::default())
        .map_err(JoinError::Store)?;
    enrolment.write(folder).map_err(JoinError::Identity)?;
    Ok(answer.host)
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
