//! The operator of a history: backs the store up, restores it, ends the recovery, and mends what the product leaves
//! to people. He sees what the command line shows him and nothing else.

use innkeeper_control_plane::{
    continuity::{recovery::HostInRecovery, rules::recovery::Phase, witnesses::Standing},
    hosts::{
        HostOverview,
        rules::{host::HostState, host_session::Position},
    },
    kernel::{Actor, Error},
    nouns::Nouns,
    servers::rules::server::{Farewell, Lifecycle, Server},
    store::{
        Key,
        simulated::{MemoryHome, SimulatedDisk, open_in_turns},
    },
};
use innkeeper_wire::{error::chain, id::HostId};
use rand::Rng as _;

use crate::{
    control::{Death, Done},
    history::History,
    installation::{BEGIN, options},
    network::Event,
    oracle::{decode, records_in},
    schedule::Millis,
    watch::{Lost, Promised},
};

/// How often the store is backed up, and the operator looks, in milliseconds.
pub(crate) const BACKUP_EVERY: Millis = 15_000;
pub(crate) const OPERATOR_EVERY: Millis = 7_000;
/// Backups that are kept.
const BACKUPS: usize = 3;
/// Restores in one history.
const RESTORES_MAX: u32 = 3;
/// How long he waits for hosts after a restore before he opens without them.
const PATIENCE: Millis = 60_000;
/// How long it takes until he believes an alarm.
const ALARM: Millis = 30_000;

/// A copy of the store, and what had been promised when it was made.
pub(crate) struct Backup {
    disk: SimulatedDisk,
    promised: Promised,
}

/// What the operator remembers.
#[derive(Default)]
pub(crate) struct Operator {
    recovering_since: Option<Millis>,
    alarmed_since: Option<Millis>,
    /// An old copy of the store was put in its place, and nobody told him.
    pub(crate) is_deceived: bool,
    /// When he last saw that the clock was in no doubt, and since when it is.
    clock_good_at: Millis,
    frozen_since: Option<Millis>,
}

/// How a copy is put back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum PutBack {
    /// As the manual says: with a new epoch.
    Restored,
    /// By somebody who told nobody, as a snapshot of the machine does.
    Unannounced,
}

impl History {
    pub(crate) fn back_up(&mut self) {
        let pause = self.random.random_range(BACKUP_EVERY..3 * BACKUP_EVERY);
        self.schedule.after(pause, Event::Backup);
        if self.backups.len() == BACKUPS {
            self.backups.remove(0);
        }
        let host = self.random.random_range(0..self.hosts.len());
        self.hosts[host].back_up();
        self.watch.host_is_copied(host);
        self.backups.push(Backup {
            disk: self.control.disk().copied_out(),
            promised: self.watch.promised(),
        });
    }

    /// An old copy of the store is put in its place.
    pub(crate) fn store_is_put_back(&mut self) {
        // Which of two was put back where both were, nobody can tell.
        if self.backups.is_empty() || self.restores == RESTORES_MAX || self.hosts_were_put_back {
            return;
        }
        self.restores += 1;
        self.tally.restores += 1;
        let how = match self.random.random_bool(0.3) {
            true => PutBack::Unannounced,
            false => PutBack::Restored,
        };
        self.operator.is_deceived |= how == PutBack::Unannounced;
        let which = self.random.random_range(0..self.backups.len());
        self.tell(&format!("copy {which} of the store is put back: {how:?}"));
        self.control.die(Death::Killed, &mut self.random);
        let Backup { disk, promised } = &self.backups[which];
        let given_up = self.control.put_back(disk);
        for host in &mut self.hosts {
            host.store_is_put_back(self.schedule.now());
        }
        self.watch.rewind(promised);
        let read = said_by(&given_up).and_then(|lost| Ok((lost, said_by(disk)?)));
        self.backups.truncate(which + 1);
        match read {
            Ok((mut lost, kept)) => {
                if how == PutBack::Unannounced {
                    let unknown = lost.placed.keys().copied();
                    let unknown = unknown.filter(|server| !kept.placed.contains_key(server));
                    lost.unguarded = unknown.collect();
                }
                self.watch.lose(lost);
            }
            Err(error) => self.watch.breach(error),
        }
        if how == PutBack::Restored {
            self.begin_epoch();
        }
        self.schedule.after(1_000, Event::ControlStarts);
    }

    /// An old copy of a host's disks is put back.
    pub(crate) fn host_is_put_back(&mut self, host: usize) {
        if self.restores > 0 {
            return;
        }
        let id = self.hosts[host].id;
        let acknowledged = self
            .control
            .nouns()
            .and_then(|nouns| acknowledged(nouns, id));
        let is_quarantined = self.control.nouns().is_some_and(|nouns| {
            let hosts = nouns.hosts.list().expect("readable");
            let mut quarantined = hosts.iter().filter(|overview| is_quarantined(overview));
            quarantined.any(|overview| overview.host.id == id)
        });
        let Some(accepted) = self.hosts[host].put_back(&mut self.random) else {
            return;
        };
        self.tell(&format!("an old copy of h{}'s disks is put back", host + 1));
        self.hosts_were_put_back = true;
        self.tally.host_restores += 1;
        // A quarantined host is told nothing, and what it had acknowledged is forgotten when it is released, which
        // may be under way.
        let is_behind =
            !is_quarantined && acknowledged.is_some_and(|acknowledged| accepted < acknowledged);
        self.watch.host_is_put_back(host, is_behind);
        let delay = self.random.random_range(10_000..60_000);
        self.schedule.after(delay, Event::AgentStarts { host });
    }

    fn begin_epoch(&mut self) {
        // It says so when there is none.
        self.control.disk().make_room();
        let now_ms = BEGIN.as_millis().unsigned_abs() + self.schedule.now();
        // Where a disk fails him once, he tries again.
        let begun = self.control.begin_epoch(now_ms / 1_000);
        match begun.or_else(|_| self.control.begin_epoch(now_ms / 1_000)) {
            Ok(epoch) => self.tell(&format!("epoch {epoch} begins")),
            Err(error) => self.watch.breach(format!("no epoch was begun: {error}")),
        }
    }

    /// He looks, and does what is to be done.
    pub(crate) fn operator_looks(&mut self) {
        self.schedule.after(OPERATOR_EVERY, Event::OperatorLooks);
        let Some(nouns) = self.control.nouns().cloned() else {
            return;
        };
        self.suspend_or_resume(&nouns);
        self.look_after_clock(&nouns);
        let hosts = nouns.hosts.list().expect("readable");
        let now = self.schedule.now();
        if hosts.iter().any(|host| is_alarming(&nouns, host)) {
            let since = *self.operator.alarmed_since.get_or_insert(now);
            if now >= since + ALARM {
                self.answer_the_alarm();
            }
            return;
        }
        self.operator.alarmed_since = None;
        self.release_quarantined(&nouns, &hosts);
        match nouns.continuity.phase().expect("readable") {
            Phase::Open => self.operator.recovering_since = None,
            Phase::Recovering => self.end_recovery(&nouns, true),
            Phase::OpenWithout(_) => self.end_recovery(&nouns, false),
        }
    }

    /// The duty has its turn; and where billing is frozen, he sets the clock right after a while and says so.
    fn look_after_clock(&mut self, nouns: &Nouns) {
        let now = self.schedule.now();
        let is_frozen = nouns.billing.freeze().expect("readable").is_some();
        if is_clock_settled(nouns) {
            if let Some(since) = self.operator.frozen_since.take() {
                self.freezes.push((since, now));
            }
            self.operator.clock_good_at = now;
        } else {
            let good_at = self.operator.clock_good_at;
            self.operator.frozen_since.get_or_insert(good_at);
        }
        let waited = now.saturating_sub(self.operator.clock_good_at);
        let nouns = nouns.clone();
        let done = if is_frozen && (self.calm || waited > ALARM) {
            self.tally.freezes += 1;
            self.control.clock_offset = 0;
            self.control_jumps.push(now);
            self.keep_time();
            self.control.begin(async move {
                let reason = "the clock is right again".parse().expect("a reason");
                let result = nouns.billing.unfreeze(Actor::Operator, &reason).await;
                Done::Operated("billing unfreeze".to_owned(), result)
            })
        } else {
            self.control.begin(async move {
                let looked = nouns.billing.look_at_clock().await;
                let thawed = nouns.billing.thaw().await.map(drop);
                Done::ClockLookedAfter(looked.and(thawed))
            })
        };
        if let Some(done) = done {
            self.done(done);
        }
        self.schedule_turn();
    }

    /// Hosts know more than the store, and nobody has a newer one: it goes on as it is, with a new epoch.
    fn answer_the_alarm(&mut self) {
        self.tell("the operator restores the store that he has");
        self.operator.alarmed_since = None;
        self.control.die(Death::Killed, &mut self.random);
        self.begin_epoch();
        self.schedule.after(1_000, Event::ControlStarts);
    }

    /// Looks at the hosts that are quarantined, and lets them go on with what they have.
    fn release_quarantined(&mut self, nouns: &Nouns, hosts: &[HostOverview]) {
        let quarantined = hosts.iter().filter(|overview| is_quarantined(overview));
        for id in quarantined.map(|overview| overview.host.id) {
            let number = self.hosts.iter().position(|host| host.id == id);
            self.watch.host_is_released(number.expect("it reported"));
            let nouns = nouns.clone();
            let done = self.control.begin(async move {
                let why = "looked at".parse().expect("a reason");
                let result = nouns.hosts.release(Actor::Operator, id, &why).await;
                Done::Operated(format!("host release {id}"), result)
            });
            if let Some(done) = done {
                self.done(done);
            }
        }
        self.schedule_turn();
    }

    /// Opens the installation, or what of it is still closed.
    fn end_recovery(&mut self, nouns: &Nouns, is_closed: bool) {
        let now = self.schedule.now();
        let since = *self.operator.recovering_since.get_or_insert(now);
        let waiting = nouns.continuity.recovery().expect("readable");
        self.take_nameless_away(&waiting);
        let waiting = waiting.into_iter();
        let (heard, silent): (Vec<_>, Vec<_>) = waiting
            .filter(|host| !host.is_settled)
            .partition(|host| host.differences.is_some());
        let waits = !silent.is_empty() && (self.calm || now < since + PATIENCE);
        if waits || !is_closed && heard.is_empty() {
            return;
        }
        let without: Vec<_> = silent
            .iter()
            .map(|host| host.overview.host.name.clone())
            .collect();
        let nouns = nouns.clone();
        let what = format!("recovery finish --without {without:?}");
        let done = self.control.begin(async move {
            let result = nouns.continuity.finish_recovery(&without).await;
            Done::Operated(what, result)
        });
        if let Some(done) = done {
            self.done(done);
        }
        self.schedule_turn();
    }

    /// Servers whose addresses their host does not know hold the recovery up until somebody looks there.
    fn take_nameless_away(&mut self, waiting: &[HostInRecovery]) {
        for waits in waiting {
            let unknown = waits.differences.iter().flat_map(|found| &found.unknown);
            let nameless = unknown.filter(|held| held.addresses.is_empty());
            for server in nameless.map(|held| held.server) {
                for host in &mut self.hosts {
                    if host.id == waits.overview.host.id {
                        host.machine.take_away(server);
                        host.strangers.remove(&server);
                    }
                }
                self.tell(&format!("the operator takes {server} away by hand"));
            }
        }
    }

    pub(crate) fn operated(&mut self, what: &str, result: &Result<(), Error>) {
        self.tell(&format!("the operator: {what}: {result:?}"));
    }

    /// Nothing is left for the operator to do.
    pub(crate) fn is_in_order(&self) -> bool {
        let Some(nouns) = self.control.nouns() else {
            return false;
        };
        let is_in_order = |host: &HostOverview| !is_alarming(nouns, host) && !is_quarantined(host);
        nouns.continuity.phase().expect("readable") == Phase::Open
            && is_clock_settled(nouns)
            && self.operator.frozen_since.is_none()
            && nouns
                .hosts
                .list()
                .expect("readable")
                .iter()
                .all(is_in_order)
    }
}

/// Nothing is frozen, and nothing waits for the end of a freeze.
fn is_clock_settled(nouns: &Nouns) -> bool {
    let status = nouns.billing.status().expect("readable");
    status.freeze.is_none() && status.waiting == 0
}

fn is_quarantined(overview: &HostOverview) -> bool {
    matches!(overview.host.state, HostState::Quarantined { .. })
}

/// The newest desired state that a host had, as the store has it.
fn acknowledged(nouns: &Nouns, host: HostId) -> Option<Position> {
    let key = Key::new(format!("ack/{host}")).expect("printable");
    let record = nouns.ctx.store().get(&key).expect("readable")?;
    Some(decode(&record.value))
}

fn is_alarming(nouns: &Nouns, overview: &HostOverview) -> bool {
    nouns.continuity.standing(overview.host.id) != Standing::Agrees
}

/// What a store says.
fn said_by(disk: &SimulatedDisk) -> Result<Lost, String> {
    let home = MemoryHome::default();
    let (store, _, _) = open_in_turns(&disk.copied_out(), &home, &options())
        .map_err(|error| format!("a copy of the store does not open: {}", chain(&error)))?;
    let mut lost = Lost::default();
    for server in records_in::<Server>(&store, "srv/") {
        lost.placed.insert(server.id, server.host);
        if let Lifecycle::Leaving { why, .. } | Lifecycle::Gone { why, .. } = server.lifecycle {
            let is_failure = why == Farewell::CreateFailed && server.ready_at.is_none();
            lost.leaving.insert(server.id, is_failure);
        }
    }
    Ok(lost)
}
