//! What actions do to a simulated host, and which ones a real one must never be asked for.

use super::*;

impl State {
    pub(super) fn carry_out(&mut self, action: &Action) -> Outcome {
        match self.libvirt {
            Libvirt::Up => {}
            Libvirt::Down => return Outcome::Answered(Err(refused())),
            Libvirt::Hung => return Outcome::Silent,
        }
        let (step, _) = Step::of(action);
        let next = self
            .faults
            .iter()
            .position(|(of, _)| of.is_none_or(|of| of == step));
        let fault = next
            .and_then(|next| self.faults.remove(next))
            .map(|(_, fault)| fault);
        let injected = || Outcome::Answered(Err(failed(action, "injected fault")));
        match fault {
            None => Outcome::Answered(self.effect(action)),
            Some(Fault::Fail) => injected(),
            Some(Fault::NoRoom) => {
                Outcome::Answered(Err(failed(action, "No space left on device")))
            }
            Some(Fault::Hang) => Outcome::Silent,
            Some(Fault::FailAfterEffect) => match self.effect(action) {
                Ok(()) => injected(),
                Err(error) => Outcome::Answered(Err(error)),
            },
            Some(Fault::HangAfterEffect) => match self.effect(action) {
                Ok(()) => Outcome::Silent,
                Err(error) => Outcome::Answered(Err(error)),
            },
        }
    }

    fn effect(&mut self, action: &Action) -> Result<(), HypervisorError> {
        if let Some(server) = server_of(action).filter(|server| self.strangers.contains(server)) {
            self.violations
                .push(format!("{action:?} touches the stranger {server}"));
        }
        let effect = match action {
            Action::FetchImage(image) => {
                self.images.insert(image.digest);
                Ok(())
            }
            Action::CreateDisk(spec) if !self.images.contains(&spec.image.digest) => {
                Err("the image is not there")
            }
            Action::CreateDisk(spec) => {
                self.forbid(self.domains.contains_key(&spec.server), action);
                self.disks.insert(spec.server);
                Ok(())
            }
            Action::WriteSeed(spec) => {
                self.seeds.insert(spec.server);
                Ok(())
            }
            Action::ApplyNetwork(network) => {
                self.network = Some(network.clone());
                Ok(())
            }
            Action::Define(spec) => self.define(spec.server),
            Action::RemoveDomain(server) => {
                self.domains.remove(server);
                Ok(())
            }
            Action::RemoveSeed(server) => {
                self.seeds.remove(server);
                Ok(())
            }
            Action::BuryDisk(server) => {
                self.forbid(self.domains.contains_key(server), action);
                if self.disks.remove(server) {
                    self.tombstones.insert(*server, self.now);
                }
                Ok(())
            }
            Action::PurgeTombstone(server) => {
                self.tombstones.remove(server);
                Ok(())
            }
            Action::Start { .. }
            | Action::Resume(_)
            | Action::Shutdown { .. }
            | Action::PowerOff { .. }
            | Action::Reboot { .. }
            | Action::NotePower { .. } => self.power(action),
        };
        match effect {
            Ok(()) => {
                self.done.push(action.clone());
                Ok(())
            }
            Err(reason) => Err(failed(action, reason)),
        }
    }

    fn define(&mut self, server: ServerId) -> Result<(), &'static str> {
        if !self.disks.contains(&server) || !self.seeds.contains(&server) {
            return Err("disk or seed is not there");
        }
        self.domains.entry(server).or_insert(Domain {
            run: DomainRun::Off(OffReason::NotStarted),
            power_serial: 0,
            reboots: 0,
            rebooting: Rebooting::No,
            started_at: None,
            started_in_boot: None,
            guest_agent: false,
        });
        Ok(())
    }

    fn power(&mut self, action: &Action) -> Result<(), &'static str> {
        let server = server_of(action).expect("power actions are about a server");
        let network = self.network.as_ref();
        let rules = network.is_some_and(|state| state.guests.iter().any(|g| g.server == server));
        self.forbid(matches!(action, Action::Start { .. }) && !rules, action);
        let boot_id = self.boot_id();
        let obeys = !self.rude.contains(&server);
        let domain = self
            .domains
            .get_mut(&server)
            .ok_or("there is no such domain")?;
        let running = domain.run.is_up();
        let may_go_on = match domain.run {
            DomainRun::Paused(why) => {
                matches!(why, PauseReason::DiskFull | PauseReason::DiskError)
            }
            // It changed after the look that led to this.
            DomainRun::Running | DomainRun::Off(_) => true,
        };
        if matches!(action, Action::Reboot { .. }) && !running {
            // It ended after the look that led to this.
            return Err("it does not run");
        }
        let acted_before = match action {
            // The guest ended it: that was the end of this serial.
            Action::Start { serial, .. } => {
                let ended = DomainRun::Off(OffReason::Shutdown);
                domain.power_serial >= *serial && domain.run == ended
            }
            Action::Resume(_) => !may_go_on,
            Action::Shutdown { serial, .. } | Action::PowerOff { serial, .. } => {
                domain.power_serial > *serial
            }
            Action::NotePower { serial, .. } => domain.power_serial >= *serial,
            Action::Reboot { reboots, .. } => domain.reboots >= *reboots,
            _ => false,
        };
        match action {
            Action::Start { serial, .. } => {
                domain.power_serial = *serial;
                if !running {
                    domain.run = DomainRun::Running;
                    domain.started_at = Some(self.now);
                    domain.started_in_boot = Some(boot_id);
                } else {
                    domain.run = go_on(domain.run, self.room);
                }
            }
            Action::Resume(_) => domain.run = go_on(domain.run, self.room),
            Action::Shutdown { serial, .. } => {
                domain.power_serial = *serial;
                domain.run = go_on(domain.run, self.room);
                if domain.run == DomainRun::Running && obeys {
                    domain.run = DomainRun::Off(OffReason::Shutdown);
                }
            }
            Action::PowerOff { serial, .. } => {
                domain.power_serial = *serial;
                if running {
                    domain.run = DomainRun::Off(OffReason::Destroyed);
                }
            }
            Action::Reboot { reboots, .. } => {
                domain.reboots = *reboots;
                domain.run = go_on(domain.run, self.room);
            }
            Action::NotePower { serial, .. } => domain.power_serial = *serial,
            _ => {}
        }
        domain.guest_agent &= domain.run == DomainRun::Running;
        self.forbid(acted_before, action);
        Ok(())
    }

    fn forbid(&mut self, happened: bool, action: &Action) {
        if happened {
            self.violations
                .push(format!("{action:?} was asked for at the wrong time"));
        }
    }
}

/// What becomes of a paused domain that shall go on. Without room it stops again at once.
fn go_on(run: DomainRun, room: Option<Bytes>) -> DomainRun {
    match run {
        DomainRun::Paused(PauseReason::DiskFull) if room.is_some_and(|room| room < RESUME_ROOM) => {
            run
        }
        DomainRun::Paused(_) | DomainRun::Running => DomainRun::Running,
        DomainRun::Off(_) => run,
    }
}

/// The server that an action is about. Images and the network belong to none.
fn server_of(action: &Action) -> Option<ServerId> {
    match action {
        Action::FetchImage(_) | Action::ApplyNetwork(_) => None,
        Action::CreateDisk(spec) | Action::WriteSeed(spec) | Action::Define(spec) => {
            Some(spec.server)
        }
        Action::Start { server, .. }
        | Action::Shutdown { server, .. }
        | Action::PowerOff { server, .. }
        | Action::Reboot { server, .. }
        | Action::NotePower { server, .. }
        | Action::Resume(server)
        | Action::RemoveDomain(server)
        | Action::RemoveSeed(server)
        | Action::BuryDisk(server)
        | Action::PurgeTombstone(server) => Some(*server),
    }
}
