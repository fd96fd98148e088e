//! libvirt's domains as [`super::libvirt`] sees them: which are ours, what they remember, why they don't run.
//!
//! Every function here is a blocking call for a [`super::lane`].

use innkeeper_wire::id::ServerId;
use virt::{
    connect::Connect,
    domain::{Domain as VirtDomain, DomainShutoffReason, DomainState, DomainStateReason},
    enumutil::Enum,
    error::ErrorNumber,
};

use super::{
    Domain, DomainRun, OffReason,
    domain_xml::{self, DomainRead, Notes},
    lane::CallError,
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

pub(super) type Seen = (Vec<(ServerId, Domain)>, Vec<String>);

/// All domains of ours, and the names of the others.
pub(super) fn domains(connection: &Connect) -> Result<Seen, CallError> {
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
        let run = match (state, reason) {
            (
                Enum::Known(DomainState::Shutoff),
                Enum::Known(DomainStateReason::Shutoff(reason)),
            ) => DomainRun::Off(off_reason(reason)),
            (Enum::Known(DomainState::Crashed), _) => DomainRun::Off(OffReason::Crashed),
            // Paused, blocked, shutting down or something new: it holds its memory and its disk.
            _ => DomainRun::Running,
        };
        let guest_agent = found.guest_agent && run == DomainRun::Running;
        ours.push((
            server,
            Domain {
                run,
                power_serial: notes.power_serial,
                reboots: notes.reboots,
                started_at: notes.started_at,
                started_in_boot: notes.started_in_boot.clone(),
                guest_agent,
            },
        ));
    }
    Ok((ours, strangers))
}

fn off_reason(reason: Enum<DomainShutoffReason, virt_sys::virDomainShutoffReason>) -> OffReason {
    match reason {
        Enum::Known(DomainShutoffReason::Shutdown) => OffReason::Shutdown,
        Enum::Known(
            DomainShutoffReason::Destroyed
            | DomainShutoffReason::Migrated
            | DomainShutoffReason::Saved
            | DomainShutoffReason::FromSnapshot,
        ) => OffReason::Destroyed,
        // `Daemon`: libvirtd lost its QEMU and ended it; the guest did not choose that.
        Enum::Known(DomainShutoffReason::Crashed | DomainShutoffReason::Daemon) => {
            OffReason::Crashed
        }
        Enum::Known(DomainShutoffReason::Failed) => OffReason::Failed,
        // libvirtd forgets the reasons of stopped domains when it restarts.
        _ => OffReason::NotStarted,
    }
}
