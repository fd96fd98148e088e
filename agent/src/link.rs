//! The agent's one connection to the control plane: dials out, keeps it open, asks for the desired state by
//! long poll, posts reports with signs of life, renews the certificate, and hands the connection to whoever
//! fetches base images. When it breaks, it is opened again after a pause with full jitter.
//!
//! It decides nothing about servers. While it is down the agent goes on with what it has; refusals of who
//! we are give one line in the log until the reason changes.

use std::{collections::BTreeMap, future::Future, io, path::PathBuf, sync::Arc, time::Duration};

use http_body_util::BodyExt;
use innkeeper_mtls::{Fault, RefusedBy, client_config, tls::TlsError};
use innkeeper_wire::{
    digest::Digest,
    endpoints::{
        Endpoint as _,
        agents::{FollowDesired, GetBlob, GetSpec},
    },
    error::chain,
    host::{DesiredQuery, Manifest, Report},
    id::HostId,
    time::{Clock, Timestamp},
};
use tokio::{
    io::AsyncRead,
    sync::{Mutex, watch},
    task::JoinHandle,
    time::{Instant, sleep, timeout},
};
use tokio_util::{io::StreamReader, sync::CancellationToken};

use crate::{
    access::Answer,
    connection::{Call, CallError, Connection},
    desired::{AcceptError, Accepted, Desired, SPEC_BYTES_MAX, Store, Verdict, parse_spec},
    identity::{Enrolment, IdentityError},
    image::ImageSource,
    metrics::{Behind, LinkMetrics},
    renewal::{self, Asked, Due, Keeper, RenewError, Schedule},
    reporting::{Court, Reporting, Speaker},
    witness::{Standing, Witnesses},
};

/// Pauses between attempts to connect are random, up to this at first ...
const PAUSE_FIRST: Duration = Duration::from_millis(200);
/// ... and up to this after many failures (full jitter: many agents must not come back at once).
const PAUSE_MAX: Duration = Duration::from_secs(30);
/// ... and up to this when the two sides refuse each other: only people can change that, and who has set a clock right
/// waits for his hosts (F16: all are back within two minutes). A quarantine is ended by people who are waiting for it.
const PAUSE_MAX_REFUSED: Duration = Duration::from_secs(60);
/// A connection that lasted this long was a good one: the next pause is a short one again.
const GOOD_AFTER: Duration = Duration::from_secs(60);
/// How long the control plane may keep a poll for the desired state.
const POLL_WAIT_S: u32 = 50;
const POLL_DEADLINE: Duration = Duration::from_secs(65);
/// After a manifest that can't be accepted: how long until it is asked for again.
const REFUSED_PAUSE: Duration = Duration::from_secs(10);
const CALL_DEADLINE: Duration = Duration::from_secs(30);
/// Longest manifest, in bytes: a thousand entries fit several times.
const MANIFEST_BYTES_MAX: usize = 1 << 20;
/// The link and everything that it needs.
pub struct Link {
    /// The agent's folder, with its identity.
    pub folder: PathBuf,
    /// Where the control plane is now, if not where it was when this host joined.
    pub url: Option<String>,
    /// The wall clock.
    pub clock: Arc<dyn Clock>,
    /// Where the desired state is kept.
    pub store: Store,
    /// What was accepted last.
    pub accepted: Accepted,
    /// What the control plane told of its journal.
    pub witnesses: Witnesses,
    /// 1 while the control plane is behind what it told: `innkeeper_agent_control_plane_behind`.
    pub behind: Behind,
    /// Where it goes.
    pub desired: watch::Sender<Arc<Desired>>,
    /// The newest report.
    pub reports: watch::Receiver<Option<Arc<Report>>>,
    /// Where what was answered to it goes, for whoever lets engineers in.
    pub answers: watch::Sender<Option<Answer>>,
    /// Where the open connection goes, for whoever fetches images.
    pub connection: watch::Sender<Option<Connection>>,
    /// Who speaks: this process.
    pub speaker: Speaker,
    /// Where the state of link and certificate is shown.
    pub metrics: LinkMetrics,
}

/// Why a connection was given up.
#[derive(Debug, thiserror::Error)]
enum LinkError {
    #[error(transparent)]
    Call(#[from] CallError),
    #[error(transparent)]
    Identity(#[from] IdentityError),
    #[error("can't set up TLS")]
    Tls(#[from] TlsError),
    #[error(transparent)]
    Renew(#[from] RenewError),
    #[error(
        "by this host's clock it is {now}, and its certificate expired on {expired_at}, more than 7 days ago: is the clock \
         wrong? Only if it is right must this host join anew"
    )]
    TooLate {
        now: Timestamp,
        expired_at: Timestamp,
    },
    #[error("this machine has joined as {now}, and this agent was started as {before}: restart it")]
    Rejoined { before: HostId, now: HostId },
}

impl LinkError {
    fn is_refusal(&self) -> bool {
        match self {
            Self::Call(error) | Self::Renew(RenewError::Call(error)) => error.is_refusal(),
            Self::Identity(_) | Self::Tls(_) | Self::TooLate { .. } | Self::Rejoined { .. } => true,
            Self::Renew(_) => false,
        }
    }

    fn is_quarantine(&self) -> bool {
        matches!(self, Self::Call(error) if error.is_quarantine())
    }

    /// What an operator can do about it, where the two sides can't.
    fn advice(&self) -> Option<&'static str> {
        let (Self::Call(error) | Self::Renew(RenewError::Call(error))) = self else {
            return None;
        };
        if error.is_revocation() {
            return Some(
                "this host was revoked: its guests run on, and nobody can manage them from there. If that was a mistake, \
                 see `innkeeper-control-plane host list`",
            );
        }
        if error.is_quarantine() {
            return Some("the guests run on as they are; see `innkeeper-control-plane host list`");
        }
        let CallError::Refused(refusal) = error else {
            return None;
        };
        match (refusal.by, refusal.fault) {
            // By our own clock it has not expired that long ago, or we would not have dialled.
            (RefusedBy::Peer, Fault::NotNow) => Some(
                "by this host's clock it is: one of the two clocks is wrong. Only if the control plane's is right, \
                 and the certificate expired more than 7 days ago, must this host join anew",
            ),
            (RefusedBy::Us, Fault::Expired | Fault::NotYetValid) => {
                Some("is this host's clock wrong, or the control plane's?")
            }
            (_, Fault::Authority) => Some(
                "if the control plane has changed its authority while this host was away, it must join anew",
            ),
            _ => None,
        }
    }
}

/// How a session ended without an error.
enum Ended {
    /// There is a new certificate: connect again with it.
    Renewed,
    Stopped,
}

/// What earlier sessions were.
#[derive(Default)]
struct Past {
    /// Who this host was at the first one.
    started_as: Option<HostId>,
    /// When one ended with a new certificate.
    renewed_at: Option<Instant>,
}

impl Link {
    /// Keeps the link up until `stop`.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut failures = 0_u32;
        let mut said = String::new();
        let mut past = Past::default();
        loop {
            let opened_at = Instant::now();
            let ended = self.session(&mut past, &stop).await;
            self.connection.send_replace(None);
            self.metrics.set_connected(false);
            if opened_at.elapsed() >= GOOD_AFTER {
                failures = 0;
                said.clear();
            }
            let longest = match ended {
                Ok(Ended::Stopped) => return,
                Ok(Ended::Renewed) => {
                    past.renewed_at = Some(Instant::now());
                    continue;
                }
                Err(error) => {
                    let mut text = chain(&error);
                    if let Some(advice) = error.advice() {
                        text = format!("{text}; {advice}");
                    }
                    if text != said {
                        if error.is_refusal() {
                            tracing::error!(
                                error = text,
                                "the control plane and this agent refuse each other"
                            );
                        } else {
                            tracing::warn!(error = text, "no link to the control plane");
                        }
                        said = text;
                    }
                    failures = failures.saturating_add(1);
                    if error.is_refusal() && !error.is_quarantine() {
                        PAUSE_MAX_REFUSED
                    } else {
                        PAUSE_MAX
                    }
                }
            };
            tokio::select! {
                // Cancel-safe: only time is lost.
                () = sleep(pause(failures, longest, rand::random())) => {}
                // Cancel-safe: a cancellation stays.
                () = stop.cancelled() => return,
            }
        }
    }

    /// One connection, from its opening to its end.
    async fn session(
        &mut self,
        past: &mut Past,
        stop: &CancellationToken,
    ) -> Result<Ended, LinkError> {
        let enrolment = Enrolment::read(&self.folder)?;
        let url = self.url.as_ref().unwrap_or(&enrolment.url);
        let usable = enrolment.check()?;
        let (host, certificate) = (usable.certificate.host, usable.certificate.clone());
        let before = *past.started_as.get_or_insert(host);
        if before != host {
            // What we have was told to another host.
            return Err(LinkError::Rejoined { before, now: host });
        }
        self.metrics.set_certificate(certificate.not_after);
        let schedule = match past.renewed_at {
            Some(at) if at.elapsed() < renewal::PAUSE => {
                Schedule::of(&certificate, rand::random()).rested(self.clock.now())
            }
            _ => Schedule::of(&certificate, rand::random()),
        };
        let due = schedule.due(self.clock.now());
        if due == Due::TooLate {
            return Err(LinkError::TooLate {
                now: self.clock.now(),
                expired_at: certificate.not_after,
            });
        }
        let tls = client_config(
            &usable.identity,
            &usable.authorities,
            Arc::clone(&self.clock),
        )?;
        let opening = Connection::open(url, tls, Some(host));
        let (connection, driver) = tokio::select! {
            // Cancel-safe: a half-open connection is closed by dropping it.
            opened = opening => match opened {
                Ok(opened) => opened,
                Err(error) => {
                    schedule.note_failure(self.clock.now(), &self.metrics);
                    return Err(error.into());
                }
            },
            // Cancel-safe: a cancellation stays.
            () = stop.cancelled() => return Ok(Ended::Stopped),
        };
        let mut driver = Driver(Some(driver));
        tracing::debug!(host.id = %host, url, ?due, "connected to the control plane");
        let ended = tokio::select! {
            // Cancel-safe: what was asked and not answered is asked again over the next connection.
            ended = self.talk(&connection, enrolment, schedule, due) => ended,
            // Cancel-safe: a cancellation stays.
            () = stop.cancelled() => return Ok(Ended::Stopped),
        };
        match ended {
            Ok(Ended::Renewed) => {
                driver.release();
                Ok(Ended::Renewed)
            }
            // The connection's own error tells more than that of the call that met it first.
            Err(
                LinkError::Call(CallError::Http(error))
                | LinkError::Renew(RenewError::Call(CallError::Http(error))),
            ) => Err(driver
                .reason()
                .await
                .unwrap_or(CallError::Http(error))
                .into()),
            ended => ended,
        }
    }

    /// What is done over a connection.
    async fn talk(
        &mut self,
        connection: &Connection,
        enrolment: Enrolment,
        schedule: Schedule,
        due: Due,
    ) -> Result<Ended, LinkError> {
        let asked = Asked::new(&enrolment.ca_pem);
        let keeper = Keeper {
            connection,
            folder: &self.folder,
            clock: &self.clock,
            metrics: &self.metrics,
            schedule,
            enrolment: Mutex::new(enrolment),
        };
        if due != Due::No {
            match keeper.renew().await {
                Ok(()) => {
                    self.metrics.set_renewal_overdue(false);
                    return Ok(Ended::Renewed);
                }
                Err(error) => {
                    schedule.note_failure(self.clock.now(), &self.metrics);
                    if due == Due::First || !error.is_passing() {
                        return Err(error.into());
                    }
                    tracing::warn!(
                        error = chain(&error),
                        "the certificate could not be renewed"
                    );
                }
            }
        }
        let reporting = Reporting {
            connection,
            desired: self.desired.subscribe(),
            asked: &asked,
            answers: &self.answers,
        };
        reporting.prove(&mut self.speaker).await?;
        self.connection.send_replace(Some(connection.clone()));
        self.metrics.set_connected(true);
        let standing = watch::Sender::new(if self.behind.is_so() {
            Standing::Behind
        } else {
            self.witnesses.at_first()
        });
        let court = Court {
            witnesses: &mut self.witnesses,
            standing: &standing,
            behind: &self.behind,
            store: &self.store,
            clock: &self.clock,
        };
        let polling = poll(
            connection,
            &mut self.accepted,
            &self.store,
            &self.desired,
            standing.subscribe(),
        );
        tokio::select! {
            // Cancel-safe, all of the following: what was asked and not answered is asked again over the next
            // connection; a manifest that was not stored and published does not count yet.
            error = polling => Err(error),
            error = reporting.run(&mut self.speaker, court, self.reports.clone()) => Err(error.into()),
            renewed = keeper.renew_in_time(&asked) => {
                renewed?;
                self.metrics.set_renewal_overdue(false);
                Ok(Ended::Renewed)
            }
            never = keeper.keep_trust(&asked) => match never {},
        }
    }
}

/// The task that drives a connection; it ends with this.
struct Driver(Option<JoinHandle<Result<(), CallError>>>);

impl Driver {
    /// Why the connection broke.
    async fn reason(&mut self) -> Option<CallError> {
        // It has ended, or is about to.
        let ended = timeout(Duration::from_secs(1), self.0.as_mut()?).await;
        ended.ok()?.ok()?.err()
    }

    /// Lets it go on for as long as somebody uses the connection: an image may be on its way.
    fn release(&mut self) {
        self.0 = None;
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        if let Some(driver) = &self.0 {
            driver.abort();
        }
    }
}

/// A random pause, up to a limit that doubles with every failure and is `longest` in the end. `dice` is
/// uniform.
fn pause(failures: u32, longest: Duration, dice: u16) -> Duration {
    let limit = PAUSE_FIRST
        .saturating_mul(1 << failures.saturating_sub(1).min(16))
        .min(longest);
    limit.mul_f64(f64::from(dice) / f64::from(u16::MAX))
}

// ---- the desired state ----

/// Polls until the connection breaks. Takes nothing from a control plane that is behind what it told before.
async fn poll(
    connection: &Connection,
    accepted: &mut Accepted,
    store: &Store,
    desired: &watch::Sender<Arc<Desired>>,
    mut standing: watch::Receiver<Standing>,
) -> LinkError {
    // The last manifest that was no longer the newest one when its specs were fetched.
    let mut overtaken = None;
    loop {
        let is_current = |standing: &Standing| *standing == Standing::Current;
        let current = standing.wait_for(is_current).await;
        drop(current.expect("the session holds the sender for longer than this"));
        let (epoch, generation) = newest(&desired.borrow());
        let ask = FollowDesired::by(DesiredQuery {
            epoch,
            generation,
            wait_s: POLL_WAIT_S,
        });
        let call = Call::new(ask, POLL_DEADLINE, MANIFEST_BYTES_MAX);
        let offered: Manifest = match connection.read(call).await {
            Ok(Some(manifest)) => manifest,
            Ok(None) => continue,
            Err(error) if error.is_answer() && !error.is_refusal() => {
                tracing::warn!(%error, "the desired state could not be had");
                sleep(REFUSED_PAUSE).await;
                continue;
            }
            Err(error) => return error.into(),
        };
        if !is_current(&standing.borrow()) {
            continue;
        }
        let number = (offered.epoch, offered.generation);
        match accept(connection, accepted, store, offered).await {
            Ok(Some(next)) => {
                tracing::info!(
                    epoch = next.epoch,
                    generation = next.generation,
                    "new desired state"
                );
                desired.send_replace(Arc::new(next));
            }
            Ok(None) => {}
            Err(Unaccepted::Call(error)) if !error.is_answer() || error.is_refusal() => {
                return error.into();
            }
            // A server was changed again meanwhile, and the next manifest waits for us. Only once for each
            // manifest: a spec that stays away is a fault.
            Err(Unaccepted::Call(error)) if error.is_not_found() && overtaken != Some(number) => {
                tracing::debug!(?number, "a manifest was overtaken");
                overtaken = Some(number);
            }
            Err(error) => {
                tracing::error!(error = chain(&error), "a manifest was not accepted");
                sleep(REFUSED_PAUSE).await;
            }
        }
    }
}

/// The newest manifest that we have seen: the accepted one, or one that is held back.
fn newest(desired: &Desired) -> (u64, u64) {
    let held = desired
        .held
        .as_ref()
        .map(|held| (held.epoch, held.generation));
    held.unwrap_or((desired.epoch, desired.generation))
}

/// Why a manifest was not accepted.
#[derive(Debug, thiserror::Error)]
enum Unaccepted {
    #[error("a spec could not be fetched")]
    Call(#[source] CallError),
    #[error(transparent)]
    Accept(#[from] AcceptError),
}

/// Judges a manifest, fetches what it needs, stores it; gives the desired state that follows from it.
async fn accept(
    connection: &Connection,
    accepted: &mut Accepted,
    store: &Store,
    offered: Manifest,
) -> Result<Option<Desired>, Unaccepted> {
    let missing = match accepted.judge(&offered).map_err(AcceptError::from)? {
        Verdict::Same => return Ok(None),
        Verdict::Hold(held) => {
            tracing::error!(missing = ?held.missing, "the control plane requires features that this agent lacks");
            return Ok(Some(accepted.desired_under(&offered, held)));
        }
        Verdict::Newer { missing } => missing,
    };
    let mut fetched = BTreeMap::new();
    for digest in missing {
        let call = Call::new(GetSpec::at(digest), CALL_DEADLINE, SPEC_BYTES_MAX);
        let bytes = connection
            .bytes(call)
            .await
            .map_err(Unaccepted::Call)?
            .unwrap_or_default();
        fetched.insert(
            digest,
            parse_spec(digest, &bytes).map_err(AcceptError::from)?,
        );
    }
    let next = accepted
        .next(offered, &fetched)
        .map_err(AcceptError::from)?;
    let (store, stored) = (store.clone(), next.clone());
    let write = tokio::task::spawn_blocking(move || store.write_accepted(&stored)).await;
    write
        .expect("writing a file does not panic")
        .map_err(AcceptError::Store)?;
    *accepted = next;
    Ok(Some(accepted.desired()))
}

// ---- base images ----

/// Base images from the control plane, over whichever connection is open.
pub struct Blobs {
    connection: watch::Receiver<Option<Connection>>,
}

impl Blobs {
    /// Over the connections that a [`Link`] publishes.
    #[must_use]
    pub fn new(connection: watch::Receiver<Option<Connection>>) -> Self {
        Self { connection }
    }
}

impl ImageSource for Blobs {
    fn open(
        &self,
        digest: Digest,
    ) -> impl Future<Output = io::Result<Box<dyn AsyncRead + Send + Unpin>>> + Send {
        let mut connections = self.connection.clone();
        async move {
            let open = connections.wait_for(Option::is_some);
            let open = timeout(CALL_DEADLINE, open).await.map_err(|_| {
                io::Error::new(io::ErrorKind::NotConnected, "no link to the control plane")
            })?;
            let connection = open.map_err(io::Error::other)?.clone().expect("waited for");
            let call = Call::new(GetBlob::at(digest), CALL_DEADLINE, 0);
            let body = connection.stream(call).await.map_err(io::Error::other)?;
            let chunks = body.map_err(io::Error::other).into_data_stream();
            Ok(Box::new(StreamReader::new(chunks)) as Box<dyn AsyncRead + Send + Unpin>)
        }
    }
}

#[cfg(test)]
mod tests {
    use innkeeper_mtls::Refusal;
    use innkeeper_wire::error::{Problem, ProblemCode};

    use super::*;

    /// What a host says that slept through a change of the authority, whichever side notices it.
    #[test]
    fn a_host_of_another_authority_says_what_to_do() {
        let fault = Fault::Authority;
        for by in [RefusedBy::Us, RefusedBy::Peer] {
            let refused = || CallError::Refused(Refusal { by, fault });
            let renewing = LinkError::Renew(RenewError::Call(refused()));
            for error in [LinkError::Call(refused()), renewing] {
                assert!(error.is_refusal());
                let advice = error.advice().expect("people can help");
                assert!(advice.contains("must join anew"), "{advice}");
            }
        }
    }

    /// A clock that jumped must not make somebody take a host's servers from it.
    #[test]
    fn nobody_is_sent_to_join_anew_for_a_wrong_clock() {
        for (by, fault) in [
            (RefusedBy::Us, Fault::Expired),
            (RefusedBy::Us, Fault::NotYetValid),
            (RefusedBy::Peer, Fault::NotNow),
        ] {
            let error = LinkError::Call(CallError::Refused(Refusal { by, fault }));
            let advice = error.advice().expect("people can help");
            assert!(advice.contains("clock"), "{advice}");
            let sends_away = advice.contains("join anew") && !advice.contains("Only if");
            assert!(!sends_away, "{advice}");
        }
        let too_late = LinkError::TooLate {
            now: Timestamp::from_millis(1_790_000_000_000),
            expired_at: Timestamp::from_millis(1_700_000_000_000),
        };
        let said = too_late.to_string();
        assert!(
            said.contains("is the clock wrong?") && said.contains("2026-09-21"),
            "{said}"
        );
    }

    #[test]
    fn a_revoked_host_says_so() {
        let problem = Problem::new(ProblemCode::HostRevoked);
        let error = LinkError::Call(CallError::Problem(Box::new(problem)));
        assert!(error.is_refusal() && !error.is_quarantine());
        let advice = error.advice().expect("people can help");
        assert!(advice.starts_with("this host was revoked"), "{advice}");
    }

    #[test]
    fn pauses_are_short_at_first_and_spread_in_the_end() {
        for (failures, longest) in [
            (1, 200),
            (2, 400),
            (3, 800),
            (8, 25_600),
            (9, 30_000),
            (500, 30_000),
        ] {
            assert_eq!(
                pause(failures, PAUSE_MAX, u16::MAX).as_millis(),
                longest,
                "{failures}"
            );
            assert_eq!(pause(failures, PAUSE_MAX, 0), Duration::ZERO);
        }
        // Whatever was wrong, agents are back within two minutes of its mending, the attempt itself included (F16).
        let longest = pause(500, PAUSE_MAX_REFUSED, u16::MAX);
        assert!(longest + Duration::from_secs(30) <= Duration::from_mins(2));
    }
}
