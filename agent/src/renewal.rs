//! Keeping the host's identity: when its certificate is renewed, how, what is said when that does not come about, and
//! which authorities it trusts. `link` runs it beside polls and reports; it opens no connection of its own.

use std::{convert::Infallible, path::Path, sync::Arc, time::Duration};

use innkeeper_mtls::{
    HostCertificate, HostRequest, Identity, RENEWAL_GRACE, authority::CaError, host_certificate,
};
use innkeeper_wire::{
    digest::Digest,
    endpoints::{Endpoint as _, agents::Renew},
    error::chain,
    host::{LifeAnswer, RenewRequest},
    time::{Clock, Timestamp},
};
use tokio::{
    sync::{Mutex, Notify, watch},
    time::sleep,
};

use crate::{
    connection::{Call, CallError, Connection},
    identity::{Enrolment, IdentityError},
    metrics::LinkMetrics,
};

const CALL_DEADLINE: Duration = Duration::from_secs(30);
/// Longest answer, in bytes: a certificate and a few authorities.
const ANSWER_BYTES_MAX: usize = 64 * 1024;
/// After a renewal, failed or not; also the longest time between two looks at the clock.
pub(crate) const PAUSE: Duration = Duration::from_secs(300);

/// Why a renewal failed.
#[derive(Debug, thiserror::Error)]
pub enum RenewError {
    /// No key could be made.
    #[error("can't make a key")]
    Key(#[source] CaError),
    /// The control plane did not do it.
    #[error(transparent)]
    Call(#[from] CallError),
    /// The control plane gave no certificate.
    #[error("the control plane gave no certificate")]
    Empty,
    /// What it gave is of less use than what there is: its clock is behind ours.
    #[error(
        "the control plane gave a certificate that ends on {until}, no later than the present one, and by this host's \
         clock it is {now}: one of the two clocks is wrong, and the present certificate is kept"
    )]
    Clocks {
        /// When it ends.
        until: Timestamp,
        /// By our clock.
        now: Timestamp,
    },
    /// What it gave can't be used or stored.
    #[error(transparent)]
    Identity(#[from] IdentityError),
}

impl RenewError {
    /// Whether the connection is still good and another try makes sense on it.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Call(error) => error.is_answer() && !error.is_refusal(),
            Self::Identity(_) | Self::Empty | Self::Clocks { .. } => true,
            Self::Key(_) => false,
        }
    }
}

/// When a certificate is to be renewed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Schedule {
    /// At half of its life, a tenth of it sooner or later.
    pub renew_at: Timestamp,
    /// At three quarters: from then on somebody should look why it was not.
    pub late_at: Timestamp,
    not_after: Timestamp,
    /// Nothing is due before this.
    rest_until: Option<Timestamp>,
}

/// What can be done with the certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// Use it.
    No,
    /// Use it, and renew it.
    Soon,
    /// It has expired lately: renew it first.
    First,
    /// Nothing more.
    TooLate,
}

impl Schedule {
    /// The schedule of a certificate; `dice` is uniform.
    #[must_use]
    pub fn of(certificate: &HostCertificate, dice: u16) -> Self {
        let (start, end) = (certificate.not_before, certificate.not_after);
        let life = end.since(start);
        let share = 0.4 + 0.2 * f64::from(dice) / f64::from(u16::MAX);
        Self {
            renew_at: start.after(life.mul_f64(share)),
            late_at: start.after(life.mul_f64(0.75)),
            not_after: end,
            rest_until: None,
        }
    }

    /// The same for one that was given a moment ago: if it is due all the same, then this host's clock is ahead of the
    /// control plane's, and the next one would be due as well.
    #[must_use]
    pub fn rested(self, now: Timestamp) -> Self {
        let rest_until = now.after(PAUSE);
        Self {
            renew_at: self.renew_at.max(rest_until),
            rest_until: Some(rest_until),
            ..self
        }
    }

    /// Whether `renewed` may take the place of the present certificate. One that ends before it and is due already was
    /// signed by a clock that is far behind: with it this host could lock itself out for good.
    fn check_renewed(&self, renewed: &HostCertificate, now: Timestamp) -> Result<(), RenewError> {
        let is_due = Self::of(renewed, u16::MAX).due(now) != Due::No;
        if renewed.not_after <= self.not_after && is_due {
            let until = renewed.not_after;
            return Err(RenewError::Clocks { until, now });
        }
        Ok(())
    }

    /// What is due at `now`.
    #[must_use]
    pub fn due(&self, now: Timestamp) -> Due {
        if now > self.not_after.after(RENEWAL_GRACE) {
            Due::TooLate
        } else if self.rest_until.is_some_and(|until| now < until) {
            Due::No
        } else if now > self.not_after {
            Due::First
        } else if now >= self.renew_at {
            Due::Soon
        } else {
            Due::No
        }
    }

    /// Takes note of a failure: one line when it has become serious.
    pub fn note_failure(&self, now: Timestamp, metrics: &LinkMetrics) {
        let is_late = now >= self.late_at;
        if is_late && !metrics.is_renewal_overdue() {
            tracing::error!(
                expires_at = %self.not_after,
                "the certificate can't be renewed; when it has expired for 7 days, this host must join anew"
            );
        }
        metrics.set_renewal_overdue(is_late);
    }
}

/// What the control plane asks of our identity, over one connection.
#[derive(Debug)]
pub(crate) struct Asked {
    early: Notify,
    offered: watch::Sender<Option<String>>,
    trusted: watch::Sender<Digest>,
}

impl Asked {
    /// Nothing yet, of an agent that trusts `ca_pem`.
    pub(crate) fn new(ca_pem: &str) -> Self {
        Self {
            early: Notify::new(),
            offered: watch::Sender::new(None),
            trusted: watch::Sender::new(Digest::of(ca_pem.as_bytes())),
        }
    }

    /// What is told of the authorities that we trust: those on disk.
    pub(crate) fn trusted(&self) -> Digest {
        *self.trusted.borrow()
    }

    /// Takes in what an answer asks for; [`Keeper`] does it.
    pub(crate) fn take(&self, answer: LifeAnswer) {
        if answer.renew {
            self.early.notify_one();
        }
        // None takes back what was not stored yet.
        self.offered.send_if_modified(|offered| {
            let is_new = *offered != answer.authorities;
            *offered = answer.authorities;
            is_new
        });
    }
}

/// Keeps our identity: its certificate fresh, its authorities those that the control plane names. All that is
/// written of it while a connection lasts goes through here, so that no part undoes another.
pub(crate) struct Keeper<'a> {
    pub(crate) connection: &'a Connection,
    pub(crate) folder: &'a Path,
    pub(crate) clock: &'a Arc<dyn Clock>,
    pub(crate) metrics: &'a LinkMetrics,
    pub(crate) schedule: Schedule,
    pub(crate) enrolment: Mutex<Enrolment>,
}

impl Keeper<'_> {
    /// Asks for a fresh certificate for a fresh key, and stores it.
    ///
    /// # Errors
    /// When any of it fails; then the present certificate is as it was.
    pub(crate) async fn renew(&self) -> Result<(), RenewError> {
        let request = HostRequest::create().map_err(RenewError::Key)?;
        let trusted = self.enrolment.lock().await.ca_pem.clone();
        let ask = Renew::with(RenewRequest {
            csr_pem: request.request_pem,
        });
        let call = Call::new(ask, CALL_DEADLINE, ANSWER_BYTES_MAX);
        let answer = self.connection.json(call).await?;
        let answer = answer.ok_or(RenewError::Empty)?;
        let given = Identity::from_pem(&answer.certificate_pem, &request.key_pem)
            .map_err(IdentityError::from)?;
        let given = host_certificate(given.leaf()).map_err(IdentityError::from)?;
        self.schedule.check_renewed(&given, self.clock.now())?;
        self.write(|present| Enrolment {
            url: present.url.clone(),
            key_pem: request.key_pem,
            certificate_pem: answer.certificate_pem,
            // What was stored, and told, while the answer was on its way is newer.
            ca_pem: if present.ca_pem == trusted {
                answer.ca_pem
            } else {
                present.ca_pem.clone()
            },
        })
        .await?;
        tracing::info!("the certificate was renewed");
        Ok(())
    }

    /// Waits until it is time, or until the control plane says so, and renews. Ends once there is a new certificate
    /// on disk, or when the connection is of no use any more.
    ///
    /// # Errors
    /// When the connection broke or was refused.
    pub(crate) async fn renew_in_time(&self, asked: &Asked) -> Result<(), RenewError> {
        loop {
            let left = self.schedule.renew_at.since(self.clock.now());
            if left > Duration::ZERO {
                tokio::select! {
                    // Cancel-safe: only time is lost. In short steps: the wall clock may be set meanwhile.
                    () = sleep(left.min(PAUSE)) => continue,
                    // Cancel-safe: a notification that was not taken stays.
                    () = asked.early.notified() => {}
                }
            }
            match self.renew().await {
                Err(error) if error.is_passing() => {
                    tracing::warn!(
                        error = chain(&error),
                        "the certificate could not be renewed"
                    );
                    self.schedule.note_failure(self.clock.now(), self.metrics);
                    sleep(PAUSE).await;
                }
                ended => return ended,
            }
        }
    }

    /// Stores the authorities that the control plane names, whenever it names others. The connection goes on: the
    /// next one is opened with them.
    pub(crate) async fn keep_trust(&self, asked: &Asked) -> Infallible {
        let mut offers = asked.offered.subscribe();
        loop {
            let offer = offers.borrow_and_update().clone();
            let is_other = |ca_pem: &String| Digest::of(ca_pem.as_bytes()) != asked.trusted();
            let Some(ca_pem) = offer.filter(is_other) else {
                offers.changed().await.expect("`asked` outlives this");
                continue;
            };
            let trusted = Digest::of(ca_pem.as_bytes());
            let stored = self.write(|present| Enrolment {
                ca_pem,
                ..present.clone()
            });
            match stored.await {
                Ok(()) => {
                    asked.trusted.send_replace(trusted);
                    tracing::info!(%trusted, "other authorities are trusted from now on");
                }
                Err(error) => {
                    tracing::error!(
                        error = chain(&error),
                        "the authorities that the control plane names can't be stored"
                    );
                    sleep(PAUSE).await;
                }
            }
        }
    }

    async fn write(
        &self,
        change: impl FnOnce(&Enrolment) -> Enrolment,
    ) -> Result<(), IdentityError> {
        let mut present = self.enrolment.lock().await;
        let next = change(&present);
        let (folder, stored) = (self.folder.to_owned(), next.clone());
        let write = tokio::task::spawn_blocking(move || stored.write(&folder)).await;
        write.expect("writing a file does not panic")?;
        *present = next;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use innkeeper_mtls::{Ca, Identity, host_certificate};
    use innkeeper_wire::id::{HostId, uuid_v7};

    use super::*;

    const START: Timestamp = Timestamp::from_millis(1_790_000_000_000);

    fn hours(count: u64) -> Duration {
        Duration::from_secs(count * 3600)
    }

    fn schedule(dice: u16) -> Schedule {
        let ca = Ca::create(&"demo".parse().expect("a code"), START).expect("a CA");
        let request = HostRequest::create().expect("a key");
        let host = HostId::from_uuid(uuid_v7(START, [1; 10]));
        let signed = ca.sign_host(&request.request_pem, host, START, hours(10));
        let pem = signed.expect("good").certificate_pem;
        let identity = Identity::from_pem(&pem, &request.key_pem).expect("fits");
        let certificate = host_certificate(identity.leaf()).expect("a host's");
        let certificate = HostCertificate {
            not_before: START,
            ..certificate
        };
        Schedule::of(&certificate, dice)
    }

    #[test]
    fn certificates_are_renewed_around_half_their_life() {
        assert_eq!(schedule(0).renew_at, START.after(hours(4)));
        assert_eq!(schedule(u16::MAX).renew_at, START.after(hours(6)));
        let schedule = schedule(0);
        let second = Duration::from_secs(1);
        for (after, due) in [
            (hours(4) - second, Due::No),
            (hours(4), Due::Soon),
            (hours(10), Due::Soon),
            (hours(10) + second, Due::First),
            (hours(10) + RENEWAL_GRACE, Due::First),
            (hours(10) + RENEWAL_GRACE + second, Due::TooLate),
        ] {
            assert_eq!(schedule.due(START.after(after)), due, "{after:?}");
        }
    }

    #[test]
    fn a_failure_becomes_serious_at_three_quarters() {
        let (schedule, metrics) = (schedule(0), LinkMetrics::new());
        schedule.note_failure(START.after(hours(7)), &metrics);
        assert!(!metrics.is_renewal_overdue());
        schedule.note_failure(START.after(hours(8)), &metrics);
        assert!(metrics.is_renewal_overdue());
    }
}
