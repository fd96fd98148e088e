//! Turns of the duties.

use prometheus::{IntCounterVec, IntGaugeVec, Opts, Registry};

use super::{number, register, seconds};
use crate::kernel::duty::{DutyState, Ending};

pub(super) struct DutyMetrics {
    last_turn: IntGaugeVec,
    turns: IntCounterVec,
    backlog: IntGaugeVec,
}

impl DutyMetrics {
    pub(super) fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        let gauge = |name: &str, help: &str| {
            register(
                registry,
                IntGaugeVec::new(Opts::new(name, help), &["duty"])?,
            )
        };
        let turns = Opts::new(
            "innkeeper_duty_turns_total",
            "Turns of what is done without being asked, by how they ended.",
        );
        Ok(Self {
            last_turn: gauge(
                "innkeeper_duty_last_turn_timestamp_seconds",
                "When a duty's last turn ended; 0 until the first one has.",
            )?,
            turns: register(registry, IntCounterVec::new(turns, &["duty", "outcome"])?)?,
            backlog: gauge(
                "innkeeper_duty_backlog",
                "How much of what it saw a duty's last turn has left to do.",
            )?,
        })
    }

    pub(super) fn set(&self, duties: &[DutyState]) {
        for duty in duties {
            let (at, backlog) = duty
                .last
                .as_ref()
                .map_or((0, 0), |last| (seconds(last.at), last.backlog));
            self.last_turn.with_label_values(&[duty.name]).set(at);
            self.backlog
                .with_label_values(&[duty.name])
                .set(number(backlog));
            for (ending, turns) in Ending::ALL.into_iter().zip(duty.turns) {
                let labels = [duty.name, ending.as_str()];
                let counter = self.turns.with_label_values(&labels);
                counter.inc_by(turns.saturating_sub(counter.get()));
            }
        }
    }
}
