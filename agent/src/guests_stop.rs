//! `innkeeper-agent guests-stop`: shuts the guests of this machine down before the machine goes down, and sees to
//! it that they come back. Run by `innkeeper-guests.service` when that is stopped: after the agent and before
//! libvirt. What it asks and how is here; the calls to libvirt are [`crate::hypervisor::departing`]'s.
//!
//! A server's domain is noted to come back *before* its guest is asked, so that a power cut in between loses no
//! server: the next agent starts it again, with or without a new boot of the machine.

use std::{collections::BTreeMap, future::Future, sync::Arc, time::Duration};

use innkeeper_wire::id::ServerId;
use tokio::{
    task::JoinSet,
    time::{Instant, sleep, timeout},
};

use crate::hypervisor::HypervisorError;

/// How long things may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// How long guests may take to shut down.
    pub limit: Duration,
    /// How often is looked who still runs.
    pub look_every: Duration,
    /// How often a guest that still runs is asked again.
    pub ask_every: Duration,
    /// libvirt may be restarting: how long it is waited for at first.
    pub libvirt_wait: Duration,
    /// Ending all the guests that did not shut down.
    pub power_off_limit: Duration,
}

impl Pace {
    /// Guests have `limit`.
    #[must_use]
    pub fn with_limit(limit: Duration) -> Self {
        Self {
            limit,
            look_every: Duration::from_millis(500),
            ask_every: Duration::from_secs(10),
            libvirt_wait: Duration::from_secs(15),
            power_off_limit: Duration::from_secs(30),
        }
    }
}

/// Whose domain a guest is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Owner {
    /// A server of ours: it is noted to come back.
    Ours(ServerId),
    /// Somebody else's. It is asked when the machine goes down, and libvirt's own autostart brings it back.
    Stranger,
}

/// Whether a guest can hear that it shall shut down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Hearing {
    /// It runs.
    Awake,
    /// It is paused: nothing in it runs.
    Paused,
}

/// A domain that runs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Guest {
    /// Its domain's name.
    pub name: String,
    /// Whose it is.
    pub owner: Owner,
    /// Whether it hears.
    pub hearing: Hearing,
}

/// How a guest is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// As if somebody had pressed its power button. Returns at once.
    PowerButton,
    /// Through its agent, if it has one, which may take long to answer.
    GuestAgent,
}

/// Which guests are to be shut down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Ours only: the machine stays up.
    Servers,
    /// All: the machine goes down, and nobody else asks them.
    Everybody,
}

/// What can be done with the guests of a machine.
pub trait Guests: Send + Sync + 'static {
    /// Those that run.
    fn running(&self) -> impl Future<Output = Result<Vec<Guest>, HypervisorError>> + Send;
    /// Notes that it shall be started again.
    fn note(&self, guest: &Guest) -> impl Future<Output = Result<(), HypervisorError>> + Send;
    /// Asks it to shut down.
    fn ask(
        &self,
        guest: &Guest,
        way: Way,
    ) -> impl Future<Output = Result<(), HypervisorError>> + Send;
    /// Ends it.
    fn power_off(&self, guest: &Guest) -> impl Future<Output = Result<(), HypervisorError>> + Send;
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Outcome {
    /// Guests that shut themselves down.
    pub shut_down: usize,
    /// Guests that were powered off: they did not within the limit, or were paused.
    pub powered_off: usize,
    /// Guests that still run, by name.
    pub left: Vec<String>,
}

/// Shuts the guests down, all at the same time, as long as `pace` allows; then powers off those that still run.
///
/// # Errors
/// When libvirt can't be asked who runs.
pub async fn stop<G: Guests>(
    guests: &Arc<G>,
    scope: Scope,
    pace: Pace,
) -> Result<Outcome, HypervisorError> {
    let is_meant = |guest: &Guest| scope == Scope::Everybody || guest.owner != Owner::Stranger;
    let began = Instant::now();
    let first = patiently(guests, pace).await?;
    let mut open: BTreeMap<String, Guest> = first
        .into_iter()
        .filter(is_meant)
        .map(|guest| (guest.name.clone(), guest))
        .collect();
    tracing::info!(guests = open.len(), "guests are asked to shut down");
    let mut outcome = Outcome::default();
    // Asking goes on beside looking: a guest's agent may take a minute to answer.
    let mut asking = JoinSet::new();
    ask(guests, &open, Way::PowerButton, &mut asking);
    let mut asked_at = began;
    while began.elapsed() < pace.limit && open.values().any(|guest| guest.hearing == Hearing::Awake)
    {
        sleep(pace.look_every).await;
        if let Ok(running) = guests.running().await {
            let took_s = began.elapsed().as_secs_f32();
            open.retain(|name, _| {
                let runs = running.iter().any(|guest| guest.name == *name);
                if !runs {
                    outcome.shut_down += 1;
                    tracing::info!(guest = name, took_s, "shut down");
                }
                runs
            });
        }
        if asked_at.elapsed() >= pace.ask_every {
            asked_at = Instant::now();
            ask(guests, &open, Way::GuestAgent, &mut asking);
        }
    }
    asking.abort_all();
    let ended = power_off(guests, open, &mut outcome);
    // What does not end in time is ended by the machine's going down.
    if timeout(pace.power_off_limit, ended).await.is_err() {
        tracing::error!("libvirt does not end the guests that are left");
    }
    Ok(outcome)
}

async fn patiently<G: Guests>(guests: &Arc<G>, pace: Pace) -> Result<Vec<Guest>, HypervisorError> {
    let began = Instant::now();
    loop {
        match guests.running().await {
            Err(error) if began.elapsed() < pace.libvirt_wait => {
                tracing::warn!(%error, "libvirt does not answer");
                sleep(pace.look_every).await;
            }
            outcome => return outcome,
        }
    }
}

/// Notes that a guest of ours comes back. One that can't be noted is shut down all the same: the machine goes down.
async fn note<G: Guests>(guests: &G, guest: &Guest) {
    if guest.owner == Owner::Stranger {
        return;
    }
    if let Err(error) = guests.note(guest).await {
        tracing::error!(guest = guest.name, %error, "could not be noted to come back");
    }
}

fn ask<G: Guests>(
    guests: &Arc<G>,
    open: &BTreeMap<String, Guest>,
    way: Way,
    asking: &mut JoinSet<()>,
) {
    while asking.try_join_next().is_some() {}
    for guest in open.values() {
        let (guests, guest) = (Arc::clone(guests), guest.clone());
        asking.spawn(async move {
            if way == Way::PowerButton {
                note(&*guests, &guest).await;
            }
            if guest.hearing == Hearing::Paused {
                return;
            }
            if let Err(error) = guests.ask(&guest, way).await {
                // It may have ended meanwhile, and most guests have no agent: the limit decides.
                tracing::debug!(guest = guest.name, ?way, %error, "could not be asked");
            }
        });
    }
}

async fn power_off<G: Guests>(
    guests: &Arc<G>,
    open: BTreeMap<String, Guest>,
    outcome: &mut Outcome,
) {
    let mut ending = JoinSet::new();
    outcome.left = open.keys().cloned().collect();
    for guest in open.into_values() {
        let guests = Arc::clone(guests);
        ending.spawn(async move {
            if guest.hearing == Hearing::Paused {
                // The note that was begun before may not have been made yet.
                note(&*guests, &guest).await;
            }
            let ended = guests.power_off(&guest).await;
            (guest, ended)
        });
    }
    while let Some(Ok((guest, ended))) = ending.join_next().await {
        let name = &guest.name;
        match ended {
            Ok(()) => {
                outcome.powered_off += 1;
                outcome.left.retain(|other| other != name);
                let why = match guest.hearing {
                    Hearing::Awake => "it did not shut down in time",
                    Hearing::Paused => "it was paused",
                };
                tracing::warn!(guest = name, why, "powered off");
            }
            Err(error) => tracing::error!(guest = name, %error, "could not be powered off"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::fixtures::server;

    /// A machine in memory: what happened is written down in order.
    #[derive(Default)]
    struct Machine {
        guests: Mutex<BTreeMap<String, (Guest, Manner)>>,
        log: Mutex<Vec<String>>,
        /// Looks at the guests that fail before one succeeds.
        away: Mutex<u32>,
    }

    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    enum Manner {
        /// Goes down at the power button.
        Obeys,
        /// Only its agent listens.
        AgentOnly,
        /// Never.
        Deaf,
    }

    impl Machine {
        fn with(guests: &[(&str, Owner, Hearing, Manner)]) -> Arc<Self> {
            let machine = Self::default();
            for (name, owner, hearing, manner) in guests {
                let guest = Guest {
                    name: (*name).to_owned(),
                    owner: *owner,
                    hearing: *hearing,
                };
                let mut present = machine.guests.lock().expect("sound");
                present.insert((*name).to_owned(), (guest, *manner));
            }
            Arc::new(machine)
        }

        fn say(&self, what: &str, guest: &Guest) {
            let mut log = self.log.lock().expect("sound");
            log.push(format!("{what} {}", guest.name));
        }

        fn log(&self) -> Vec<String> {
            self.log.lock().expect("sound").clone()
        }
    }

    impl Guests for Machine {
        async fn running(&self) -> Result<Vec<Guest>, HypervisorError> {
            let mut away = self.away.lock().expect("sound");
            if *away > 0 {
                *away -= 1;
                return Err(HypervisorError::Unreachable("restarting".to_owned()));
            }
            let guests = self.guests.lock().expect("sound");
            Ok(guests.values().map(|(guest, _)| guest.clone()).collect())
        }

        async fn note(&self, guest: &Guest) -> Result<(), HypervisorError> {
            self.say("note", guest);
            Ok(())
        }

        async fn ask(&self, guest: &Guest, way: Way) -> Result<(), HypervisorError> {
            let mut guests = self.guests.lock().expect("sound");
            self.say(&format!("{way:?}"), guest);
            let manner = guests.get(&guest.name).map(|(_, manner)| *manner);
            match (manner, way) {
                (Some(Manner::Obeys), _) | (Some(Manner::AgentOnly), Way::GuestAgent) => {
                    guests.remove(&guest.name);
                }
                _ => {}
            }
            Ok(())
        }

        async fn power_off(&self, guest: &Guest) -> Result<(), HypervisorError> {
            self.say("power off", guest);
            self.guests.lock().expect("sound").remove(&guest.name);
            Ok(())
        }
    }

    const PACE: Pace = Pace {
        limit: Duration::from_millis(400),
        look_every: Duration::from_millis(5),
        ask_every: Duration::from_millis(50),
        libvirt_wait: Duration::from_millis(100),
        power_off_limit: Duration::from_secs(5),
    };

    fn ours(number: u8) -> Owner {
        Owner::Ours(server(number))
    }

    #[tokio::test]
    async fn all_are_asked_together_and_noted_before() {
        let machine = Machine::with(&[
            ("a", ours(1), Hearing::Awake, Manner::Obeys),
            ("b", ours(2), Hearing::Awake, Manner::AgentOnly),
        ]);
        let began = Instant::now();
        let outcome = stop(&machine, Scope::Servers, PACE)
            .await
            .expect("libvirt answers");
        assert_eq!((outcome.shut_down, outcome.powered_off), (2, 0));
        assert!(outcome.left.is_empty());
        assert!(began.elapsed() < PACE.limit, "{:?}", began.elapsed());
        let log = machine.log();
        let at = |what: &str| log.iter().position(|line| line == what).expect(what);
        assert!(at("note a") < at("PowerButton a") && at("note b") < at("PowerButton b"));
        assert!(at("PowerButton a") < at("GuestAgent b"), "{log:?}");
    }

    #[tokio::test]
    async fn what_does_not_obey_is_powered_off_at_the_limit() {
        let machine = Machine::with(&[
            ("deaf", ours(1), Hearing::Awake, Manner::Deaf),
            ("paused", ours(2), Hearing::Paused, Manner::Deaf),
            ("good", ours(3), Hearing::Awake, Manner::Obeys),
        ]);
        let began = Instant::now();
        let outcome = stop(&machine, Scope::Servers, PACE)
            .await
            .expect("libvirt answers");
        assert_eq!((outcome.shut_down, outcome.powered_off), (1, 2));
        assert!(began.elapsed() >= PACE.limit);
        assert!(machine.log().contains(&"note paused".to_owned()));
    }

    #[tokio::test]
    async fn a_paused_guest_holds_nobody_up() {
        let machine = Machine::with(&[("paused", ours(1), Hearing::Paused, Manner::Deaf)]);
        let began = Instant::now();
        let outcome = stop(&machine, Scope::Servers, PACE)
            .await
            .expect("libvirt answers");
        assert_eq!(outcome.powered_off, 1);
        assert!(began.elapsed() < PACE.limit);
    }

    #[tokio::test]
    async fn strangers_are_asked_only_when_the_machine_goes_down() {
        let guests = [("theirs", Owner::Stranger, Hearing::Awake, Manner::Obeys)];
        let machine = Machine::with(&guests);
        stop(&machine, Scope::Servers, PACE)
            .await
            .expect("libvirt answers");
        assert!(machine.log().is_empty());
        stop(&machine, Scope::Everybody, PACE)
            .await
            .expect("libvirt answers");
        assert_eq!(machine.log(), ["PowerButton theirs"]);
    }

    #[tokio::test]
    async fn libvirt_is_waited_for() {
        let machine = Machine::with(&[("a", ours(1), Hearing::Awake, Manner::Obeys)]);
        *machine.away.lock().expect("sound") = 5;
        let outcome = stop(&machine, Scope::Servers, PACE)
            .await
            .expect("it comes back");
        assert_eq!(outcome.shut_down, 1);
        *machine.away.lock().expect("sound") = u32::MAX;
        stop(&machine, Scope::Servers, PACE)
            .await
            .expect_err("it never does");
    }
}
