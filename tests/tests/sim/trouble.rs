//! What goes wrong: cuts, crashes at any step, disks that fail, clocks that jump, guests with a will of their
//! own, old copies that are put back. Each history draws how often.
//!
//! Old copies of the store and of a host are not put back in one history. Not in here yet: cloned hosts, an agent's
//! disk that is full, hosts that join, and most duties. Those are shown by tests of their own.

use innkeeper_agent::hypervisor::{
    DomainRun, OffReason,
    simulated::{Libvirt, Manners, Voice},
};
use innkeeper_control_plane::store::simulated::WhenFull;
use innkeeper_wire::{
    host::PauseReason,
    id::{IdSource as _, ServerId},
    size::Bytes,
};
use rand::{Rng as _, seq::IndexedRandom as _};

use crate::{
    control::Death,
    history::History,
    installation::{SimulatedClock, SimulatedIds},
    network::Event,
    schedule::Millis,
};

const HOUR: i64 = 3_600_000;
const YEARS: i64 = 10 * 365 * 24 * HOUR;
/// Quiet days are leaps with a look of every agent in between: what waits for days comes about in them.
const QUIET_SLICES: u32 = 40;
const QUIET_HOURS: Millis = 5 * 3_600_000;
/// How long something stays broken, in milliseconds.
const OUTAGE: std::ops::Range<Millis> = 1_000..90_000;

impl History {
    /// One thing goes wrong.
    pub(crate) fn trouble(&mut self) {
        let host = self.random.random_range(0..self.hosts.len());
        let outage = self.random.random_range(OUTAGE);
        match self.random.random_range(0..100) {
            0..12 => {
                self.tell(&format!("h{} is cut off for {outage} ms", host + 1));
                let until = self.schedule.now() + outage;
                self.network.cut(host, until, &mut self.random);
            }
            12..26 => self.kill_agent(host),
            26..34 => self.host_loses_power(host),
            34..48 => self.control_will_die(),
            48..54 => self.clock_jumps(host),
            54..74 => self.guest_acts(host),
            74..80 => {
                self.tell(&format!("libvirt of h{} fails for {outage} ms", host + 1));
                let how = [Libvirt::Down, Libvirt::Hung][self.random.random_range(0..2)];
                self.hosts[host].set_libvirt(how);
                self.schedule.after(outage, Event::LibvirtIsBack { host });
            }
            80..83 => self.stranger_appears(host),
            83..87 => self.store_is_put_back(),
            87..89 => self.host_is_put_back(host),
            89..92 if !self.had_quiet_days => {
                self.tell("some quiet days");
                self.had_quiet_days = true;
                self.quiet_hours(QUIET_SLICES);
            }
            92..95 => self.disk_fills(outage),
            _ => {
                let span = [60_000, 600_000, 5_000_000][self.random.random_range(0..3)];
                self.tell(&format!("nothing happens for {span} ms"));
                self.schedule.leap(span);
            }
        }
    }

    /// Hours in which nothing happens, a moment for the agents to look, and the next hours.
    pub(crate) fn quiet_hours(&mut self, slices: u32) {
        if self.calm {
            return;
        }
        self.schedule.leap(QUIET_HOURS);
        if let Some(left) = slices.checked_sub(1) {
            self.schedule.after(600, Event::QuietHours { left });
        }
    }

    fn kill_agent(&mut self, host: usize) {
        self.tell(&format!("the agent of h{} is killed", host + 1));
        self.tally.agent_deaths += 1;
        self.hosts[host].kill_agent(&mut self.random);
        let delay = self.random.random_range(100..20_000);
        self.schedule.after(delay, Event::AgentStarts { host });
    }

    fn host_loses_power(&mut self, host: usize) {
        self.tell(&format!("h{} loses its power", host + 1));
        self.tally.agent_deaths += 1;
        self.hosts[host].kill_agent(&mut self.random);
        self.hosts[host].machine.restart_host();
        let delay = self.random.random_range(10_000..60_000);
        self.schedule.after(delay, Event::AgentStarts { host });
    }

    /// The control plane dies: at once, or over the next operation of its disk but a few.
    fn control_will_die(&mut self) {
        if self.control.running.is_none() {
            return;
        }
        let how = [Death::Killed, Death::PowerLost][self.random.random_range(0..2)];
        self.control.doom = how;
        match self.random.random_range(0..4) {
            0 => self.control_dies(how),
            1 => {
                self.tell("the next sync of the control plane's disk fails");
                self.control.disk().fail_next_sync();
            }
            _ => {
                let operations = self.random.random_range(0..5);
                self.tell(&format!(
                    "the control plane's disk dies after {operations} operations"
                ));
                self.control.disk().die_after(operations);
            }
        }
    }

    /// The control plane's disk has room for a few operations more, and then for none until somebody makes room.
    fn disk_fills(&mut self, outage: Millis) {
        let operations = self.random.random_range(0..5);
        let when_full = [
            WhenFull::OverwritesInPlace,
            WhenFull::CopiesOnWrite,
            WhenFull::FailsAtSync,
        ][self.random.random_range(0..3)];
        self.tell(&format!(
            "the control plane's disk is full after {operations} operations, for {outage} ms: {when_full:?}"
        ));
        self.control.disk().fill_after(operations, when_full);
        self.schedule.after(outage, Event::RoomIsMade);
    }

    pub(crate) fn control_dies(&mut self, how: Death) {
        self.tell(&format!("the control plane dies: {how:?}"));
        self.tally.control_deaths += 1;
        self.control.die(how, &mut self.random);
        let delay = self.random.random_range(100..30_000);
        self.schedule.after(delay, Event::ControlStarts);
    }

    /// A clock jumps: mostly a host's.
    fn clock_jumps(&mut self, host: usize) {
        let jumps = [HOUR, -HOUR, YEARS, -YEARS];
        let jump = jumps[self.random.random_range(0..4)];
        if self.random.random_bool(0.3) {
            self.tell(&format!("the control plane's clock jumps by {jump} ms"));
            self.control.clock_offset += jump;
            self.control_jumps.push(self.schedule.now());
        } else {
            self.tell(&format!("the clock of h{} jumps by {jump} ms", host + 1));
            self.hosts[host].clock_offset += jump;
            self.host_jumps = true;
        }
        self.keep_time();
    }

    fn guest_acts(&mut self, host: usize) {
        let machine = &self.hosts[host].machine;
        let domains = machine.truth().domains.into_iter();
        let running = domains.filter(|(_, domain)| domain.run == DomainRun::Running);
        let running: Vec<ServerId> = running.map(|(server, _)| server).collect();
        let Some(guest) = running.choose(&mut self.random).copied() else {
            return;
        };
        let what = match self.random.random_range(0..10) {
            0 => {
                machine.stop_guest(guest, OffReason::Shutdown);
                "shuts itself down"
            }
            1 => {
                machine.stop_guest(guest, OffReason::Crashed);
                "crashes"
            }
            2 => {
                machine.set_manners(guest, Manners::Ignores);
                "will not shut down when asked"
            }
            3 => {
                let by = [OffReason::Killed, OffReason::Destroyed];
                machine.stop_guest(guest, by[self.random.random_range(0..2)]);
                "is ended from the host"
            }
            4 => {
                machine.pause_guest(guest, PauseReason::ByHand);
                "is paused by hand"
            }
            5 => {
                let full = self.random.random_bool(0.5);
                machine.set_room(full.then_some(Bytes(0)));
                machine.pause_guest(guest, PauseReason::DiskFull);
                "is paused by a full disk"
            }
            6 => {
                machine.set_voice(guest, Voice::Mute);
                "does not answer any more"
            }
            _ => {
                machine.answer_as_guest_agent(guest);
                "has its guest agent up"
            }
        };
        self.tell(&format!("{guest} {what}"));
    }

    fn stranger_appears(&mut self, host: usize) {
        let clock = SimulatedClock::showing(self.control.now());
        let ids = SimulatedIds::from(self.random.random(), &clock);
        let stranger = ServerId::from_uuid(ids.uuid());
        self.tell(&format!("somebody starts {stranger} on h{}", host + 1));
        self.hosts[host].machine.add_stranger(stranger);
        self.hosts[host].strangers.insert(stranger);
    }

    /// From now on nothing goes wrong, and what did is mended.
    pub(crate) fn calm_down(&mut self) {
        self.tell("all is calm");
        self.calm = true;
        self.network.calm_down();
        self.control.disk().revive();
        self.control.disk().make_room();
        for host in &mut self.hosts {
            host.faults = 0.0;
            host.set_libvirt(Libvirt::Up);
            host.machine.set_room(None);
            host.machine.resume_guests();
        }
        self.schedule.hasten(60_000);
    }
}
