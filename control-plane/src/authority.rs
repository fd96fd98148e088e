//! The authority of this installation as the running service has it: its file, what the agent API listens with, and
//! the steps of rolling it over. What may follow is decided by `continuity::rules::roll_over`, what hosts said is asked of
//! [`Nouns`].
//!
//! The file is the truth, and replacing it is the whole of a step: killed at any instant, the service starts again
//! before or after it. A backup of the store has no part in it, so restoring one can't bring an authority back that
//! hosts do not trust any more.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use anyhow::{Context as _, ensure};
use innkeeper_mtls::{
    Ca, Succession,
    authority::{SERVER_LIFE, SKEW_MAX},
    server_config,
};
use innkeeper_wire::{
    id::Code,
    time::{Clock, Timestamp},
};
use tokio::sync::{Mutex, watch};
use tokio_rustls::TlsAcceptor;

use crate::{
    continuity::rules::roll_over::{Member, Step, is_expiring},
    kernel::{
        Actor, Error,
        duty::{Outcome, Turn},
    },
    nouns::Nouns,
    owner, secret_file,
};

/// When the agent API's certificate is made anew. It is valid for months; so nobody has to think of it.
const SERVER_CERTIFICATE_RENEWAL: Duration = Duration::from_hours(24);

/// The authority. Cheap to clone.
#[derive(Clone)]
pub struct Authority(Arc<Inner>);

struct Inner {
    path: PathBuf,
    names: Vec<String>,
    clock: Arc<dyn Clock>,
    present: watch::Sender<Arc<Succession>>,
    acceptor: watch::Sender<TlsAcceptor>,
    /// When its certificate was made, in milliseconds.
    certified_at: AtomicI64,
    /// Held while either of the two is made anew.
    changing: Mutex<()>,
}

/// Its file in `data_dir`.
pub(crate) fn path(data_dir: &Path) -> PathBuf {
    data_dir.join("host-authority.pem")
}

/// What `data_dir` holds, if there is one.
pub(crate) fn read(data_dir: &Path) -> anyhow::Result<Option<Succession>> {
    let path = path(data_dir);
    if !path.exists() {
        return Ok(None);
    }
    let present = Succession::load(&secret_file::read(&path)?);
    Ok(Some(
        present.with_context(|| format!("load {}", path.display()))?,
    ))
}

/// Makes a new one. Whoever has a certificate of another one must join anew.
fn make(data_dir: &Path, install: &Code, now: Timestamp) -> anyhow::Result<Ca> {
    let ca = Ca::create(install, now).context("make the host authority")?;
    secret_file::replace(&path(data_dir), &ca.to_pem())?;
    tracing::info!(fingerprint = %ca.fingerprint(), "made the authority that signs hosts");
    Ok(ca)
}

/// Makes a new one in place of one that is lost without any copy.
///
/// # Errors
/// When there is one, or it can't be written.
pub fn replace_lost(data_dir: &Path, install: &Code, now: Timestamp) -> anyhow::Result<String> {
    let path = path(data_dir);
    ensure!(
        !path.exists(),
        "{} is there: nothing is lost",
        path.display()
    );
    let ca = make(data_dir, install, now)?;
    owner::hand_over(&path, data_dir)?;
    Ok(format!(
        "{} is new, with the fingerprint {}. Start the service; revoke every host, invite it, and let it join anew.\n",
        path.display(),
        ca.fingerprint()
    ))
}

impl Authority {
    /// What `data_dir` holds; made at the first start, kept for good. `names` are those by which hosts reach the
    /// agent API.
    pub fn open(
        data_dir: &Path,
        install: &Code,
        names: Vec<String>,
        clock: Arc<dyn Clock>,
    ) -> anyhow::Result<Self> {
        let path = path(data_dir);
        let present = match read(data_dir)? {
            Some(present) => present,
            None => Succession::of(Arc::new(make(data_dir, install, clock.now())?)),
        };
        ensure!(
            present.issuer().install() == install,
            "installation.id is `{install}`, but {} is of `{}`",
            path.display(),
            present.issuer().install()
        );
        let certified_at = AtomicI64::new(clock.now().as_millis());
        let acceptor = listen_with(&present, &names, &clock)?;
        Ok(Self(Arc::new(Inner {
            path,
            names,
            clock,
            present: watch::Sender::new(Arc::new(present)),
            certified_at,
            acceptor: watch::Sender::new(acceptor),
            changing: Mutex::new(()),
        })))
    }

    /// The authorities now.
    #[must_use]
    pub fn present(&self) -> Arc<Succession> {
        Arc::clone(&self.0.present.borrow())
    }

    /// What the agent API listens with; changes when its certificate or the authorities do.
    #[must_use]
    pub fn acceptor(&self) -> watch::Receiver<TlsAcceptor> {
        self.0.acceptor.subscribe()
    }

    /// Until when the agent API's certificate is valid.
    #[must_use]
    pub fn certificate_until(&self) -> Timestamp {
        self.certified_at().after(SERVER_LIFE)
    }

    fn certified_at(&self) -> Timestamp {
        Timestamp::from_millis(self.0.certified_at.load(Ordering::Relaxed))
    }

    /// Makes the agent API's certificate anew if it is a day old, or from the future.
    pub async fn refresh(&self) -> Outcome {
        let _changing = self.0.changing.lock().await;
        let (made, now) = (self.certified_at(), self.0.clock.now());
        match age(made, now) {
            Age::Fresh => return Outcome::default(),
            Age::Old => self.remind(),
            Age::FromTheFuture => tracing::warn!(
                %made, %now,
                "the clock was set back: the agent API's certificate is made anew"
            ),
        }
        match listen_with(&self.present(), &self.0.names, &self.0.clock) {
            Ok(acceptor) => {
                self.show(acceptor);
                Outcome::done(1)
            }
            Err(error) => {
                let why = format!("{error:#}");
                tracing::error!(error = why, "the agent API keeps its old certificate");
                Outcome::failed(why)
            }
        }
    }

    /// Listens with this from now on; its certificate was made just now.
    fn show(&self, acceptor: TlsAcceptor) {
        let now = self.0.clock.now();
        self.0
            .certified_at
            .store(now.as_millis(), Ordering::Relaxed);
        self.0.acceptor.send_replace(acceptor);
    }

    /// Says that the authority expires, if it does soon.
    pub(crate) fn remind(&self) {
        let until = self.present().issuer().certificate().not_after();
        if is_expiring(until, self.0.clock.now()) {
            tracing::error!(%until, "the authority that signs hosts expires: roll it over, beginning with `ca begin`");
        }
    }

    /// Takes a step; gives the hosts that it leaves behind, which must be exactly those called `without`.
    pub async fn take(
        &self,
        nouns: &Nouns,
        step: Step,
        without: Vec<String>,
    ) -> Result<Vec<Member>, Error> {
        let (authority, nouns) = (self.clone(), nouns.clone());
        // A task of its own: who asked may hang up, and half of a step must not be what is left.
        let taking =
            tokio::spawn(async move { authority.take_whole(&nouns, step, &without).await });
        taking.await.map_err(|_| Error::Stopped)?
    }

    async fn take_whole(
        &self,
        nouns: &Nouns,
        step: Step,
        without: &[String],
    ) -> Result<Vec<Member>, Error> {
        let _changing = self.0.changing.lock().await;
        let present = self.present();
        let left = nouns.continuity.decide_step(&present, step, without)?;
        let failed = |error: anyhow::Error| Error::Storage(format!("{error:#}"));
        let next = self.after(&present, step).map_err(failed)?;
        let acceptor = listen_with(&next, &self.0.names, &self.0.clock).map_err(failed)?;
        let (path, text) = (self.0.path.clone(), next.to_pem());
        let stored = tokio::task::spawn_blocking(move || secret_file::replace(&path, &text)).await;
        stored.map_err(|_| Error::Stopped)?.map_err(failed)?;
        // In this order: whoever is given a certificate of the new authority finds it here.
        self.show(acceptor);
        self.0.present.send_replace(Arc::new(next));
        let next = self.present();
        if step == Step::Finish {
            nouns.continuity.close_links_of(&left);
        }
        let names: Vec<_> = left.iter().map(|member| member.name.as_str()).collect();
        tracing::info!(
            ?step, issuer = %next.issuer().fingerprint(), without = ?names,
            "a step of rolling the authority over was taken"
        );
        let cause = format!("authority: {step:?}, without {names:?}");
        if let Err(error) = nouns
            .continuity
            .note_step(Actor::Operator, &cause, &next)
            .await
        {
            tracing::error!(%error, "the step can't be noted in the journal; the next start notes it");
        }
        Ok(left)
    }

    /// The authorities after a step whose turn it is.
    fn after(&self, present: &Succession, step: Step) -> anyhow::Result<Succession> {
        let next = match step {
            Step::Begin => present.begun(self.0.clock.now())?,
            Step::Switch => present.switched(),
            Step::Finish | Step::Abort => present.alone(),
        };
        next.context("the authorities do not allow this step")
    }
}

/// Keeps the agent API's certificate fresh: held against the clock again and again, which may be set meanwhile.
pub struct CertificateRenewal(pub Authority);

impl Turn for CertificateRenewal {
    async fn turn(&mut self) -> Outcome {
        self.0.refresh().await
    }
}

/// How old the agent API's certificate is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Age {
    Fresh,
    Old,
    /// The clock was set back since it was made.
    FromTheFuture,
}

fn age(made: Timestamp, now: Timestamp) -> Age {
    if now.after(SKEW_MAX) < made {
        Age::FromTheFuture
    } else if now.since(made) >= SERVER_CERTIFICATE_RENEWAL {
        Age::Old
    } else {
        Age::Fresh
    }
}

/// TLS with a fresh certificate from our own authority, for hosts of all present ones.
fn listen_with(
    authorities: &Succession,
    names: &[String],
    clock: &Arc<dyn Clock>,
) -> anyhow::Result<TlsAcceptor> {
    let identity = authorities
        .issuer()
        .issue_server(names, clock.now())
        .context("listen.agent_names: issue the certificate of the agent API")?;
    let trusted = authorities
        .authorities()
        .context("read the host authority")?;
    let tls = server_config(&identity, &trusted, Arc::clone(clock)).context("set up TLS")?;
    Ok(TlsAcceptor::from(Arc::new(tls)))
}
