//! The guests of this machine as [`crate::guests_stop`] treats them, through libvirt; and what `doctor` and `join`
//! ask libvirt before there is a host.

use std::time::Duration;

use virt::{connect::Connect, domain::DomainState, enumutil::Enum};

use super::{
    HypervisorError,
    domains::{need, owner},
    lane::{CallError, Lane},
};
use crate::guests_stop::{Guest, Guests, Hearing, Owner, Way};

/// Looking, noting and pressing power buttons: none waits for a guest.
const DEADLINE: Duration = Duration::from_secs(15);
/// libvirt waits for a guest's agent for up to 60 s.
const AGENT_DEADLINE: Duration = Duration::from_secs(75);

/// libvirt, when the machine goes down.
pub struct Departing {
    looking: Lane,
    acting: Lane,
    /// Guests' agents may hang, and must not hold up the others.
    asking: Lane,
}

impl Departing {
    /// libvirt at `uri`, which need not be there yet.
    ///
    /// # Errors
    /// When the system has no thread left.
    pub fn new(uri: &str) -> std::io::Result<Self> {
        Ok(Self {
            looking: Lane::start("look", uri, 1)?,
            acting: Lane::start("act", uri, 8)?,
            asking: Lane::start("ask", uri, 4)?,
        })
    }

    /// Which libvirt answers, as `10.0.0`.
    ///
    /// # Errors
    /// When none does.
    pub async fn version(&self) -> Result<String, HypervisorError> {
        let version = self
            .looking
            .call("ask libvirt for its version", DEADLINE, |connection| {
                Ok(connection.lib_version()?)
            })
            .await?;
        let (major, minor, patch) = (
            version / 1_000_000,
            version / 1_000 % 1_000,
            version % 1_000,
        );
        Ok(format!("{major}.{minor}.{patch}"))
    }
}

impl Guests for Departing {
    async fn running(&self) -> Result<Vec<Guest>, HypervisorError> {
        self.looking
            .call("list the guests", DEADLINE, running)
            .await
    }

    async fn note(&self, guest: &Guest) -> Result<(), HypervisorError> {
        let Owner::Ours(server) = guest.owner else {
            return Ok(());
        };
        let what = format!("note {server}");
        self.acting
            .call(&what, DEADLINE, move |connection| {
                let mut ours = need(connection, server)?;
                // As if it had not been started in this boot: the next agent starts it again.
                ours.notes.started_in_boot = None;
                ours.note()
            })
            .await
    }

    async fn ask(&self, guest: &Guest, way: Way) -> Result<(), HypervisorError> {
        let (name, what) = (guest.name.clone(), format!("shut down {}", guest.name));
        let (lane, deadline, flag) = match way {
            Way::PowerButton => (
                &self.acting,
                DEADLINE,
                virt_sys::VIR_DOMAIN_SHUTDOWN_ACPI_POWER_BTN,
            ),
            Way::GuestAgent => (
                &self.asking,
                AGENT_DEADLINE,
                virt_sys::VIR_DOMAIN_SHUTDOWN_GUEST_AGENT,
            ),
        };
        lane.call(&what, deadline, move |connection| {
            let domain = connection.lookup_domain_by_name(&name)?;
            if way == Way::GuestAgent {
                // One that missed the first press, having just been booting, gets another.
                domain.shutdown_flags(virt_sys::VIR_DOMAIN_SHUTDOWN_ACPI_POWER_BTN)?;
            }
            Ok(domain.shutdown_flags(flag)?)
        })
        .await
    }

    async fn power_off(&self, guest: &Guest) -> Result<(), HypervisorError> {
        let (name, what) = (guest.name.clone(), format!("power off {}", guest.name));
        self.acting
            .call(&what, DEADLINE * 2, move |connection| {
                let domain = connection.lookup_domain_by_name(&name)?;
                match domain.destroy() {
                    Err(_) if !domain.is_active()? => Ok(()),
                    outcome => Ok(outcome?),
                }
            })
            .await
    }
}

fn running(connection: &Connect) -> Result<Vec<Guest>, CallError> {
    let active = virt_sys::VIR_CONNECT_LIST_DOMAINS_ACTIVE;
    let mut guests = Vec::new();
    for domain in connection.list_all_domains(active)? {
        // One that ends while it is looked at runs no more.
        let (Ok(name), Ok((state, _))) = (domain.name(), domain.state()) else {
            continue;
        };
        let hearing = match state {
            Enum::Known(DomainState::Paused | DomainState::PMSuspended) => Hearing::Paused,
            _ => Hearing::Awake,
        };
        let owner = owner(&domain).map_or(Owner::Stranger, Owner::Ours);
        guests.push(Guest {
            name,
            owner,
            hearing,
        });
    }
    Ok(guests)
}
