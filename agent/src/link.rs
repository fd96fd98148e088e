//! The agent's one connection to the control plane: dials out, keeps it open, asks for the desired state by
//! long poll, posts reports, renews the certificate, and hands the connection to whoever fetches base
//! images. When it breaks, it is opened again after a pause with full jitter.
//!
//! It decides nothing about servers. While it is down the agent goes on with what it has; refusals of who
//! we are give one line in the log until the reason changes.

use std::{collections::BTreeMap, future::Future, io, path::PathBuf, sync::Arc, time::Duration};

use http_body_util::BodyExt;
use innkeeper_mtls::{HostRequest, client_config, tls::TlsError};
use innkeeper_wire::{
    digest::Digest,
    error::chain,
    host::{Manifest, RenewAnswer, RenewRequest, Report, ReportAnswer, Witness},
    time::{Clock, Timestamp},
};
use tokio::{
    io::AsyncRead,
    sync::watch,
    task::JoinHandle,
    time::{Instant, sleep, sleep_until, timeout},
};
use tokio_util::{io::StreamReader, sync::CancellationToken};

use crate::{
    connection::{Call, CallError, Connection},
    desired::{AcceptError, Accepted, Desired, SPEC_BYTES_MAX, Store, Verdict, parse_spec},
    identity::{Enrolment, IdentityError},
    image::ImageSource,
    metrics::Behind,
    witness::{Standing, Witnesses, testify},
};

/// Pauses between attempts to connect are random, up to this at first ...
const PAUSE_FIRST: Duration = Duration::from_millis(200);
/// ... and up to this after many failures (full jitter: many agents must not come back at once).
const PAUSE_MAX: Duration = Duration::from_secs(30);
/// ... and up to this when the two sides refuse each other: only people can change that.
const PAUSE_MAX_REFUSED: Duration = Duration::from_secs(300);
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
const SMALL_BYTES_MAX: usize = 64 * 1024;
/// Reports follow each other at least at this distance: bursts of changes become one.
const REPORT_PAUSE: Duration = Duration::from_millis(50);
/// When to report before the control plane has said how often it wants reports.
const REPORT_EVERY_FIRST: Duration = Duration::from_secs(10);
/// Bounds for what it says.
const REPORT_EVERY: std::ops::RangeInclusive<u32> = 1..=600;
/// After a failed renewal.
const RENEW_PAUSE: Duration = Duration::from_secs(300);

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
    /// Where the open connection goes, for whoever fetches images.
    pub connection: watch::Sender<Option<Connection>>,
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
    #[error("can't make a key")]
    Key(#[source] innkeeper_mtls::authority::CaError),
    #[error("the control plane gave no certificate")]
    NoCertificate,
}

impl LinkError {
    fn is_refusal(&self) -> bool {
        match self {
            Self::Call(error) => error.is_refusal(),
            Self::Identity(_) | Self::Tls(_) => true,
            Self::Key(_) | Self::NoCertificate => false,
        }
    }
}

/// How a session ended without an error.
enum Ended {
    /// There is a new certificate: connect again with it.
    Renewed,
    Stopped,
}

impl Link {
    /// Keeps the link up until `stop`.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut failures = 0_u32;
        let mut said = String::new();
        loop {
            let opened_at = Instant::now();
            let ended = self.session(&stop).await;
            self.connection.send_replace(None);
            if opened_at.elapsed() >= GOOD_AFTER {
                failures = 0;
                said.clear();
            }
            let longest = match ended {
                Ok(Ended::Stopped) => return,
                Ok(Ended::Renewed) => continue,
                Err(error) => {
                    let text = chain(&error);
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
                    if error.is_refusal() {
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
    async fn session(&mut self, stop: &CancellationToken) -> Result<Ended, LinkError> {
        let enrolment = Enrolment::read(&self.folder)?;
        let url = self.url.as_ref().unwrap_or(&enrolment.url);
        let usable = enrolment.check()?;
        let (host, certificate) = (usable.certificate.host, usable.certificate.clone());
        let clock = Arc::clone(&self.clock);
        let tls = client_config(&usable.identity, &usable.authorities, clock)?;
        let renew_at = renewal(
            certificate.not_before,
            certificate.not_after,
            rand::random(),
        );
        let opening = Connection::open(url, tls, Some(host));
        let (connection, driver) = tokio::select! {
            // Cancel-safe: a half-open connection is closed by dropping it.
            opened = opening => opened?,
            // Cancel-safe: a cancellation stays.
            () = stop.cancelled() => return Ok(Ended::Stopped),
        };
        let mut driver = Driver(Some(driver));
        self.connection.send_replace(Some(connection.clone()));
        tracing::debug!(host.id = %host, url, "connected to the control plane");
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
        let reporting = report(connection.clone(), self.reports.clone(), court);
        let renewing = renew(&connection, &enrolment, &self.folder, renew_at, &self.clock);
        let polling = poll(
            &connection,
            &mut self.accepted,
            &self.store,
            &self.desired,
            standing.subscribe(),
        );
        let ended = tokio::select! {
            // Cancel-safe, all of the following: what was asked and not answered is asked again over the next
            // connection; a manifest that was not stored and published does not count yet.
            error = polling => Err(error),
            error = reporting => Err(error.into()),
            renewed = renewing => renewed.map(|()| Ended::Renewed),
            // Cancel-safe: a cancellation stays.
            () = stop.cancelled() => return Ok(Ended::Stopped),
        };
        match ended {
            Ok(Ended::Renewed) => {
                driver.release();
                Ok(Ended::Renewed)
            }
            // The connection's own error tells more than that of the call that met it first.
            Err(LinkError::Call(CallError::Http(error))) => Err(driver
                .reason()
                .await
                .unwrap_or(CallError::Http(error))
                .into()),
            ended => ended,
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

/// When to renew: at half of the certificate's life, a tenth of it sooner or later.
fn renewal(not_before: Timestamp, not_after: Timestamp, dice: u16) -> Timestamp {
    let share = 0.4 + 0.2 * f64::from(dice) / f64::from(u16::MAX);
    not_before.after(not_after.since(not_before).mul_f64(share))
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
        let path =
            format!("/agent/v1/desired?epoch={epoch}&generation={generation}&wait_s={POLL_WAIT_S}");
        let call = Call::get(&path, POLL_DEADLINE, MANIFEST_BYTES_MAX);
        let offered: Manifest = match connection.json(call).await {
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
            return Ok(Some(Desired {
                held: Some(held),
                ..accepted.desired()
            }));
        }
        Verdict::Newer { missing } => missing,
    };
    let mut fetched = BTreeMap::new();
    for digest in missing {
        let path = format!("/agent/v1/specs/{digest}");
        let call = Call::get(&path, CALL_DEADLINE, SPEC_BYTES_MAX);
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

// ---- reports ----

/// Where the control plane's account of its journal is held against what it told before.
struct Court<'a> {
    witnesses: &'a mut Witnesses,
    standing: &'a watch::Sender<Standing>,
    behind: &'a Behind,
    store: &'a Store,
    clock: &'a Arc<dyn Clock>,
}

impl Court<'_> {
    /// Takes in where the journal stands. Says it once when the control plane is behind, and once when that
    /// is over.
    async fn hear(&mut self, shown: Witness) {
        let was_behind = self.behind.is_so();
        let standing = self.witnesses.judge(&shown);
        match (standing, was_behind) {
            (Standing::Behind, false) => tracing::error!(
                told = ?self.witnesses.newest(), ?shown,
                "the control plane has forgotten what it told this host before: was an old copy of its store put back? Nothing is accepted from it until it is restored with a new epoch or has caught up"
            ),
            (Standing::Current, true) => {
                tracing::info!(?shown, "the control plane is not behind any more");
            }
            _ => {}
        }
        self.behind.set(standing);
        if standing == Standing::Current && self.witnesses.take(shown, self.clock.now()) {
            let (store, witnesses) = (self.store.clone(), self.witnesses.clone());
            let write = tokio::task::spawn_blocking(move || store.write_witnesses(&witnesses));
            if let Err(error) = write.await.expect("writing a file does not panic") {
                tracing::error!(error = chain(&error), "a witness can't be stored");
            }
        }
        self.standing.send_replace(standing);
    }
}

/// Posts a report after every change and at the interval that the control plane names, until the connection
/// breaks. Without a fresh report nothing is posted: silence says that nothing is known.
async fn report(
    connection: Connection,
    mut reports: watch::Receiver<Option<Arc<Report>>>,
    mut court: Court<'_>,
) -> CallError {
    let mut posted: Option<Arc<Report>> = None;
    let mut every = REPORT_EVERY_FIRST;
    let mut next_at = Instant::now();
    loop {
        let newest = reports.borrow_and_update().clone();
        if let Some(newest) =
            newest.filter(|newest| is_worth_posting(posted.as_deref(), newest, next_at))
        {
            let call = Call::post(
                "/agent/v1/observations",
                &testify(&newest, court.witnesses.newest()),
                CALL_DEADLINE,
                SMALL_BYTES_MAX,
            );
            match connection.json::<ReportAnswer>(call).await {
                Ok(Some(answer)) => {
                    let (least, most) = REPORT_EVERY.into_inner();
                    every = Duration::from_secs(answer.next_report_s.clamp(least, most).into());
                    court.hear(answer.witness).await;
                    if posted.is_none() {
                        tracing::info!("the control plane takes our reports");
                    }
                }
                Ok(None) => {}
                Err(error) if error.is_answer() && !error.is_refusal() => {
                    tracing::warn!(%error, "a report was not taken");
                }
                Err(error) => return error,
            }
            posted = Some(newest);
            next_at = Instant::now() + every;
            sleep(REPORT_PAUSE).await;
        }
        // Whoever publishes reports lives as long as the process; without him the period below remains.
        tokio::select! {
            // Cancel-safe: a change that was not taken is seen by `borrow_and_update`.
            Ok(()) = reports.changed() => {}
            // Cancel-safe: only time is lost.
            () = sleep_until(next_at.max(Instant::now() + REPORT_PAUSE)) => {}
        }
    }
}

/// A report that says something else than the one posted last, or a fresh one when it is time.
fn is_worth_posting(posted: Option<&Report>, newest: &Report, next_at: Instant) -> bool {
    let Some(posted) = posted else {
        return true;
    };
    let same = Report {
        sequence: posted.sequence,
        ..newest.clone()
    } == *posted;
    newest.sequence != posted.sequence && (!same || Instant::now() >= next_at)
}

// ---- the certificate ----

/// Waits for the time to renew, and renews. Ends once there is a new certificate on disk.
async fn renew(
    connection: &Connection,
    enrolment: &Enrolment,
    folder: &std::path::Path,
    renew_at: Timestamp,
    clock: &Arc<dyn Clock>,
) -> Result<(), LinkError> {
    loop {
        let left = renew_at.since(clock.now());
        if left > Duration::ZERO {
            // In short steps: the wall clock may be set meanwhile.
            sleep(left.min(RENEW_PAUSE)).await;
            continue;
        }
        let request = HostRequest::create().map_err(LinkError::Key)?;
        let ask = RenewRequest {
            csr_pem: request.request_pem,
        };
        let call = Call::post("/agent/v1/renew", &ask, CALL_DEADLINE, SMALL_BYTES_MAX);
        match connection.json::<RenewAnswer>(call).await {
            Ok(answer) => {
                let answer = answer.ok_or(LinkError::NoCertificate)?;
                let next = Enrolment {
                    url: enrolment.url.clone(),
                    key_pem: request.key_pem,
                    certificate_pem: answer.certificate_pem,
                    ca_pem: answer.ca_pem,
                };
                let folder = folder.to_owned();
                let write = tokio::task::spawn_blocking(move || next.write(&folder)).await;
                write.expect("writing a file does not panic")?;
                tracing::info!("the certificate was renewed");
                return Ok(());
            }
            Err(error) if error.is_answer() && !error.is_refusal() => {
                tracing::warn!(%error, "the certificate could not be renewed");
                sleep(RENEW_PAUSE).await;
            }
            Err(error) => return Err(error.into()),
        }
    }
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
            let path = format!("/agent/v1/blobs/{digest}");
            let call = Call::get(&path, CALL_DEADLINE, 0);
            let body = connection.stream(call).await.map_err(io::Error::other)?;
            let chunks = body.map_err(io::Error::other).into_data_stream();
            Ok(Box::new(StreamReader::new(chunks)) as Box<dyn AsyncRead + Send + Unpin>)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
    }

    #[test]
    fn certificates_are_renewed_around_half_their_life() {
        let hours = |count: u64| Duration::from_secs(count * 3600);
        let start = Timestamp::from_millis(1_790_000_000_000);
        let end = start.after(hours(10));
        assert_eq!(renewal(start, end, 0), start.after(hours(4)));
        assert_eq!(renewal(start, end, u16::MAX), start.after(hours(6)));
    }
}
