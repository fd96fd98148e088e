//! libvirt's domains as [`super::libvirt`] sees them: which are ours, what they remember, why they don't run.
//!
//! Every function here is a blocking call for a [`super::lane`].

use innkeeper_wire::{host::PauseReason, id::ServerId, time::Timestamp};
use virt::{
    connect::Connect,
    domain::{
        Domain as VirtDomain, DomainPausedReason, DomainPausedReasonEnum, DomainShutoffReason,
        DomainState, DomainStateEnum, DomainStateReason, DomainStateReasonEnum,
    },
    enumutil::Enum,
    error::ErrorNumber,
};

use super::{
    Domain, DomainRun, OffReason,
    domain_xml::{self, DomainRead, Notes},
    lane::CallError,
    libvirt_ext::Events,
};

/// A domain that is ours, and what it remembers.
pub(super) struct Ours {
    pub(super) domain: VirtDomain,
    pub(super) notes: Notes,
}

impl Ours {
    /// Writes the notes into the domain's definition and, while it runs, into its live state as well.
    pub(super) fn note(&self) -> Result<(), CallError> {
        let mut flags = virt_sys::VIR_DOMAIN_AFFECT_CONFIG;
        if self.domain.is_active()? {
            flags |= virt_sys::VIR_DOMAIN_AFFECT_LIVE;
        }
        let set = |flags| {
            self.domain.set_metadata(
                i32::try_from(virt_sys::VIR_DOMAIN_METADATA_ELEMENT).expect("it is 2"),
                Some(&domain_xml::notes_xml(&self.notes)),
                Some(domain_xml::METADATA_PREFIX),
                Some(domain_xml::METADATA_URI),
                flags,
            )
        };
        match set(flags) {
            // It ended between the question and the change.
            Err(error) if is(&error, ErrorNumber::OperationInvalid) => {
                Ok(set(virt_sys::VIR_DOMAIN_AFFECT_CONFIG)?)
            }
            outcome => Ok(outcome?),
        }
    }

    /// Lets it go on, if it is paused. One whose guest crashed is reset first: there is nothing to go on with.
    pub(super) fn let_go_on(&self) -> Result<(), CallError> {
        match paused(&self.domain)? {
            None => {}
            Some(PauseReason::Asleep) => self.domain.pm_wakeup(0)?,
            Some(PauseReason::HostBusy) => {
                let reason = "the host is saving, moving or copying it";
                return Err(CallError::Refused(reason.to_owned()));
            }
            Some(PauseReason::GuestCrashed) => {
                self.domain.reset()?;
                self.domain.resume()?;
            }
            Some(
                PauseReason::ByHand
                | PauseReason::DiskFull
                | PauseReason::DiskError
                | PauseReason::Unknown,
            ) => self.domain.resume()?,
        }
        Ok(())
    }

    pub(super) fn destroy(&self) -> Result<(), CallError> {
        match self.domain.destroy() {
            Err(error)
                if is(&error, ErrorNumber::OperationInvalid) && !self.domain.is_active()? =>
            {
                Ok(())
            }
            outcome => Ok(outcome?),
        }
    }
}

fn is(error: &virt::error::Error, number: ErrorNumber) -> bool {
    error.code().is(number)
}

/// The server's domain, if there is one; refuses one that has its UUID or name and is not ours.
pub(super) fn find(connection: &Connect, server: ServerId) -> Result<Option<Ours>, CallError> {
    let domain = match connection.lookup_domain_by_uuid(server.uuid()) {
        Err(error) if is(&error, ErrorNumber::NoDomain) => return Ok(None),
        outcome => outcome?,
    };
    let found = describe(&domain)?;
    match found.ours() {
        Some((id, notes)) if id == server => Ok(Some(Ours {
            notes: notes.clone(),
            domain,
        })),
        _ => Err(CallError::Refused(format!(
            "the domain {} has the server's UUID and is not of our making",
            found.name
        ))),
    }
}

pub(super) fn need(connection: &Connect, server: ServerId) -> Result<Ours, CallError> {
    find(connection, server)?
        .ok_or_else(|| CallError::Refused("there is no such domain".to_owned()))
}

fn describe(domain: &VirtDomain) -> Result<DomainRead, CallError> {
    let xml = domain.xml_desc(0)?;
    domain_xml::read(&xml)
        .map_err(|error| CallError::Refused(format!("libvirt's XML can't be read: {error}")))
}

/// Whose server's domain it is; `None` when it is not of our making, or has just gone.
pub(super) fn owner(domain: &VirtDomain) -> Option<ServerId> {
    let found = describe(domain).ok()?;
    found.ours().map(|(server, _)| server)
}

pub(super) type Seen = (Vec<(ServerId, Domain)>, Vec<String>);

/// All domains of ours, and the names of the others. Whether a disk that paused one is full, QEMU alone knows.
pub(super) fn domains(
    connection: &Connect,
    events: &Events,
    now: Timestamp,
) -> Result<Seen, CallError> {
    let (mut ours, mut strangers) = (Vec::new(), Vec::new());
    for domain in connection.list_all_domains(0)? {
        let looked = describe(&domain).and_then(|found| Ok((found, domain.state()?)));
        let (found, (state, reason)) = match looked {
            // It was undefined since it was listed.
            Err(CallError::Libvirt(error)) if is(&error, ErrorNumber::NoDomain) => continue,
            outcome => outcome?,
        };
        let Some((server, notes)) = found.ours() else {
            strangers.push(format!("domain {}", found.name));
            continue;
        };
        let run = match run(state, reason) {
            // libvirt says the same of a guest that shut itself down and of a QEMU that got a signal, but for once.
            DomainRun::Off(OffReason::Shutdown) if events.was_killed(server) => {
                DomainRun::Off(OffReason::Killed)
            }
            run => run,
        };
        let guest_agent = found.guest_agent && run == DomainRun::Running;
        ours.push((
            server,
            Domain {
                run,
                power_serial: notes.power_serial,
                reboots: notes.reboots,
                rebooting: events.rebooting(server, now),
                started_at: notes.started_at,
                started_in_boot: notes.started_in_boot.clone(),
                guest_agent,
            },
        ));
    }
    Ok((ours, strangers))
}

fn run(state: DomainStateEnum, reason: DomainStateReasonEnum) -> DomainRun {
    match (state, reason) {
        (Enum::Known(DomainState::Shutoff), Enum::Known(DomainStateReason::Shutoff(reason))) => {
            DomainRun::Off(off_reason(reason))
        }
        (Enum::Known(DomainState::Crashed), _) => DomainRun::Off(OffReason::Crashed),
        (Enum::Known(DomainState::PMSuspended), _) => DomainRun::Paused(PauseReason::Asleep),
        (Enum::Known(DomainState::Paused), Enum::Known(DomainStateReason::Paused(reason))) => {
            match reason {
                // It ends in this moment.
                Enum::Known(DomainPausedReason::ShuttingDown) => DomainRun::Running,
                reason => DomainRun::Paused(pause_reason(reason)),
            }
        }
        (Enum::Known(DomainState::Paused), _) => DomainRun::Paused(PauseReason::Unknown),
        // Blocked, shutting down or something new: it holds its memory and its disk.
        _ => DomainRun::Running,
    }
}

/// Why a domain is paused, if it is.
pub(super) fn paused(domain: &VirtDomain) -> Result<Option<PauseReason>, CallError> {
    let (state, reason) = domain.state()?;
    Ok(match run(state, reason) {
        DomainRun::Paused(why) => Some(why),
        DomainRun::Running | DomainRun::Off(_) => None,
    })
}

fn pause_reason(reason: DomainPausedReasonEnum) -> PauseReason {
    match reason {
        // Somebody went back to a snapshot of it and left it so: nobody will let it go on.
        Enum::Known(DomainPausedReason::User | DomainPausedReason::FromSnapshot) => {
            PauseReason::ByHand
        }
        Enum::Known(DomainPausedReason::IOError) => PauseReason::DiskError,
        Enum::Known(DomainPausedReason::Watchdog | DomainPausedReason::Crashed) => {
            PauseReason::GuestCrashed
        }
        Enum::Known(
            DomainPausedReason::Migration
            | DomainPausedReason::Save
            | DomainPausedReason::Dump
            | DomainPausedReason::Snapshot
            | DomainPausedReason::StartingUp
            | DomainPausedReason::PostCopy,
        ) => PauseReason::HostBusy,
        _ => PauseReason::Unknown,
    }
}

fn off_reason(reason: Enum<DomainShutoffReason, virt_sys::virDomainShutoffReason>) -> OffReason {
    match reason {
        Enum::Known(DomainShutoffReason::Shutdown) => OffReason::Shutdown,
        Enum::Known(
            DomainShutoffReason::Destroyed
            | DomainShutoffReason::Saved
            | DomainShutoffReason::FromSnapshot,
        ) => OffReason::Destroyed,
        Enum::Known(DomainShutoffReason::Migrated) => OffReason::Moved,
        // `Daemon`: libvirtd lost its QEMU and ended it; the guest did not choose that.
        Enum::Known(DomainShutoffReason::Crashed | DomainShutoffReason::Daemon) => {
            OffReason::Crashed
        }
        Enum::Known(DomainShutoffReason::Failed) => OffReason::Failed,
        // libvirtd forgets the reasons of stopped domains when it restarts.
        _ => OffReason::NotStarted,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_ends_is_no_busy_host() {
        use DomainPausedReason as Why;
        for (reason, expected) in [
            (Why::Unknown, PauseReason::Unknown),
            (Why::User, PauseReason::ByHand),
            (Why::Migration, PauseReason::HostBusy),
            (Why::Save, PauseReason::HostBusy),
            (Why::Dump, PauseReason::HostBusy),
            (Why::IOError, PauseReason::DiskError),
            (Why::Watchdog, PauseReason::GuestCrashed),
            // `virsh snapshot-revert --paused` stays so for ever; one that is being taken ends.
            (Why::FromSnapshot, PauseReason::ByHand),
            (Why::Snapshot, PauseReason::HostBusy),
            (Why::Crashed, PauseReason::GuestCrashed),
            (Why::StartingUp, PauseReason::HostBusy),
            (Why::PostCopy, PauseReason::HostBusy),
            (Why::PostCopyFailed, PauseReason::Unknown),
        ] {
            let said = Enum::Known(reason);
            assert_eq!(pause_reason(said), expected, "{said:?}");
        }
    }
}
