//! The reports of the loop. What each says is what the round has seen.

use std::sync::Arc;

use innkeeper_wire::host::{
    FAULTS_MAX, FEATURES, HostFault, HostFaultCode, HostHealth, HypervisorState, Report,
};

use super::Round;
use crate::{desired::Desired, hypervisor::Hypervisor};

impl<H: Hypervisor> Round<H> {
    /// How it is with the host: what was found, and what is known besides.
    pub(super) fn health(&self, found: HostHealth, low: Option<HostFault>) -> HostHealth {
        let short = self.reserve.filter(|room| room.is_short());
        let full = short.map(|room| HostFault {
            code: HostFaultCode::DiskFull,
            server: None,
            detail: format!(
                "{} KiB are free and {} KiB set aside where the agent keeps its state",
                room.free.0 >> 10,
                room.reserve.0 >> 10,
            ),
        });
        let unserved = self.host.metrics.unserved();
        let faults = full
            .into_iter()
            .chain(low)
            .chain(found.faults)
            .chain(unserved);
        HostHealth {
            faults: faults.take(FAULTS_MAX).collect(),
            ..found
        }
    }

    /// Reports that nothing can be known of servers.
    pub(super) fn report_unreachable(&mut self, desired: &Desired) -> Arc<Report> {
        let detail = self.unreachable.clone().unwrap_or_default();
        let state = HypervisorState::Unreachable { detail };
        let report = Arc::new(Report {
            health: self.health(HostHealth::default(), None),
            ..self.empty_report(desired, state)
        });
        self.host.reports.send_replace(Some(Arc::clone(&report)));
        report
    }

    /// The next report, without what is known of servers.
    pub(super) fn empty_report(
        &mut self,
        desired: &Desired,
        hypervisor: HypervisorState,
    ) -> Report {
        self.sequence += 1;
        let seen = self.host.access.borrow_and_update().clone();
        Report {
            epoch: desired.epoch,
            generation: desired.generation,
            boot_id: self.boot_id.clone(),
            sequence: self.sequence,
            started_at: self.started_at,
            agent_version: env!("CARGO_PKG_VERSION").to_owned(),
            features: FEATURES.iter().map(ToString::to_string).collect(),
            capacity: self.capacity,
            hypervisor,
            servers: Vec::new(),
            strangers: Vec::new(),
            // The link knows which: see `witness::testify`.
            witness: None,
            health: HostHealth::default(),
            load: None,
            held: Vec::new(),
            addresses: Vec::new(),
            access: seen.by(self.host.clock.monotonic()),
        }
    }
}
