//! What is charged for, and for which time (design.md section 10): quote -> order -> contract -> usage interval.

pub mod freeze;

use innkeeper_wire::{
    api::OutageCause,
    host::{HostFaultCode, HostHealth},
    id::{AccountId, Code, ContractId, OrderId, ServerId, UsageId},
    money::{HourlyRate, Money},
    time::Timestamp,
    vm::Hostname,
};
use serde::{Deserialize, Serialize};

pub mod charge;
pub mod debts;
pub mod invoice;
pub mod keeping;
pub mod ledger;
pub mod letters;
pub mod paper;
pub mod prepaid;
pub mod profile;
pub mod promotion;
pub mod rating;
pub mod spending;
pub mod tax_number;
pub mod totals;
pub mod trial;
pub mod turnover;
#[cfg(test)]
mod year;

/// What an account is charged under for one server.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Contract {
    /// Which.
    pub id: ContractId,
    /// Who pays.
    pub account: AccountId,
    /// The order that made it.
    pub order: OrderId,
    /// The server that it is for.
    pub server: ServerId,
    /// Price an hour, before tax.
    pub hourly: HourlyRate,
    /// Most that a calendar month costs, before tax.
    pub monthly_cap: Money,
    /// What was sold; nothing of those that were made before it was kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sold: Option<Sold>,
    /// The usage interval that is open, if one is.
    pub open_usage: Option<UsageId>,
    /// When it ended: with the acceptance of the delete, or with the failure of the creation.
    pub ended_at: Option<Timestamp>,
}

/// What was sold, as bills name it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sold {
    /// Name of the server.
    pub name: Option<Hostname>,
    /// Code of the plan.
    pub plan: Option<Code>,
    /// Code of the data centre.
    pub site: Option<Code>,
}

/// A span in which a server was used. Opens when its host first reports it ready, closes when its delete
/// is accepted (design.md section 7). A server that never became ready has none. While its account is suspended none is
/// open, and one that goes on being used afterwards has several.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UsageInterval {
    /// Which.
    pub id: UsageId,
    /// What it is charged under.
    pub contract: ContractId,
    /// Start, inclusive.
    pub from: Timestamp,
    /// End, exclusive; `None` while it goes on.
    pub until: Option<Timestamp>,
    /// Times in it that are to be credited, in their order; at most [`OUTAGES_MAX`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub outages: Vec<Outage>,
}

/// Most outages that one interval names. Of a server that is in trouble even more often the last one is taken to
/// have gone on in between: whoever is charged does not lose by our limit.
pub const OUTAGES_MAX: usize = 200;

/// A time in which a server could not be used by its host's fault: marked for credit. What its owner or its guest
/// did is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outage {
    /// From the report that said so, inclusive.
    pub from: Timestamp,
    /// To the report that said that it is over, exclusive; `None` while it goes on.
    pub until: Option<Timestamp>,
    /// What was wrong.
    pub cause: OutageCause,
}

/// The cause among what is wrong with a host, if any of that reaches this guest of it.
#[must_use]
pub fn cause_in(health: &HostHealth, server: ServerId) -> Option<OutageCause> {
    let faults = health.faults.iter();
    let its = faults.filter(|fault| fault.server.is_none_or(|only| only == server));
    let causes = its.filter_map(|fault| match fault.code {
        HostFaultCode::Uplink => Some(OutageCause::Uplink),
        HostFaultCode::ForeignDrop => Some(OutageCause::ForeignRules),
        HostFaultCode::Network => Some(OutageCause::HostNetwork),
        // One guest is not given an address; the agent keeps no state; new guests lack something. The others run on.
        HostFaultCode::AddressInUse
        | HostFaultCode::DiskFull
        | HostFaultCode::DiskLow
        | HostFaultCode::MetricsPort
        | HostFaultCode::Unconfigured => None,
    });
    // Reports may name them in any order; an outage does not become another one by that.
    causes.min()
}

impl UsageInterval {
    /// Under which name it is stored.
    #[must_use]
    pub const fn name(&self) -> (ContractId, UsageId) {
        (self.contract, self.id)
    }

    /// Ended at `now`. When that lies before its start, the clock was set back in between: it is empty then,
    /// never negative.
    #[must_use]
    pub fn closed(self, now: Timestamp) -> Self {
        let until = now.max(self.from);
        let closed = self.with_outage(None, now);
        Self {
            until: Some(until),
            ..closed
        }
    }

    /// The same once it is known at `now` that the server can't be used for this cause, or that it can (again).
    #[must_use]
    pub fn with_outage(mut self, cause: Option<OutageCause>, now: Timestamp) -> Self {
        let is_full = self.outages.len() >= OUTAGES_MAX;
        // The clock may have been set back since the one before ended: no time is credited twice.
        let before = self.outages.last().and_then(|last| last.until);
        if let Some(open) = self.outages.last_mut().filter(|last| last.until.is_none()) {
            if cause == Some(open.cause) {
                return self;
            }
            open.until = Some(now.max(open.from));
        }
        match cause {
            None => {}
            Some(_) if is_full => {
                let last = self.outages.last_mut().expect("a full list is not empty");
                last.until = None;
            }
            Some(cause) => self.outages.push(Outage {
                from: now.max(self.from).max(before.unwrap_or(now)),
                until: None,
                cause,
            }),
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use innkeeper_wire::{host::HostFault, id::uuid_v7};

    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1_000)
    }

    fn interval() -> UsageInterval {
        let uuid = uuid_v7(Timestamp::from_millis(1), [1; 10]);
        UsageInterval {
            id: UsageId::from_uuid(uuid),
            contract: ContractId::from_uuid(uuid),
            from: at(100),
            until: None,
            outages: Vec::new(),
        }
    }

    #[test]
    fn what_one_guest_suffers_from_is_no_outage_of_the_others() {
        let server = |number| ServerId::from_uuid(uuid_v7(at(0), [number; 10]));
        let fault = |code, server| HostFault {
            code,
            detail: String::new(),
            server,
        };
        let mut health = HostHealth::default();
        assert_eq!(cause_in(&health, server(1)), None);
        health.faults = vec![
            fault(HostFaultCode::Network, Some(server(2))),
            fault(HostFaultCode::AddressInUse, Some(server(1))),
            fault(HostFaultCode::DiskFull, None),
            fault(HostFaultCode::Unconfigured, None),
        ];
        assert_eq!(cause_in(&health, server(1)), None);
        let network = Some(OutageCause::HostNetwork);
        assert_eq!(cause_in(&health, server(2)), network);
        health.faults.push(fault(HostFaultCode::Uplink, None));
        assert_eq!(cause_in(&health, server(1)), Some(OutageCause::Uplink));
        assert_eq!(cause_in(&health, server(2)), network);
    }

    #[test]
    fn outages_open_and_close_with_what_reports_say() {
        use OutageCause::{HostNetwork, Uplink};
        let outage = |from, until: Option<i64>, cause| Outage {
            from: at(from),
            until: until.map(at),
            cause,
        };
        let mut usage = interval();
        for (second, cause) in [
            (200, None),
            (210, Some(HostNetwork)),
            (220, Some(HostNetwork)),
            (230, Some(Uplink)),
            (240, None),
            (250, None),
            (260, Some(Uplink)),
        ] {
            usage = usage.with_outage(cause, at(second));
        }
        let closed = usage.closed(at(300));
        assert_eq!(
            closed.outages,
            [
                outage(210, Some(230), HostNetwork),
                outage(230, Some(240), Uplink),
                outage(260, Some(300), Uplink),
            ]
        );
        assert_eq!(closed.until, Some(at(300)));
    }

    #[test]
    fn an_interval_holds_so_many_outages_and_then_the_last_one_goes_on() {
        let mut usage = interval();
        for second in 0..1_000 {
            let cause = Some(OutageCause::Uplink).filter(|_| second % 2 == 0);
            usage = usage.with_outage(cause, at(1_000 + second));
        }
        let usage = usage.closed(at(2_000));
        assert_eq!(usage.outages.len(), OUTAGES_MAX);
        let last = usage.outages.last().expect("the list is full");
        assert_eq!((last.from, last.until), (at(1_398), Some(at(1_999))));
        let size = serde_json::to_vec(&usage).expect("plain values").len();
        assert!(size < 32 * 1024, "{size} bytes; records are below 64 KiB");
    }

    #[test]
    fn an_interval_that_was_stored_before_there_were_outages_has_none() {
        let mut stored = serde_json::to_value(interval()).expect("plain values");
        assert_eq!(stored.as_object().expect("an object").len(), 4);
        stored["until"] = serde_json::json!(at(200));
        let read: UsageInterval = serde_json::from_value(stored).expect("it reads");
        assert_eq!((read.until, read.outages), (Some(at(200)), Vec::new()));
    }

    #[test]
    fn a_clock_that_is_set_back_makes_no_negative_usage() {
        let from = Timestamp::from_millis(5_000);
        let open = UsageInterval { from, ..interval() };
        for (now, until) in [(9_000, 9_000), (5_000, 5_000), (4_999, 5_000), (0, 5_000)] {
            let closed = open.clone().closed(Timestamp::from_millis(now));
            assert_eq!(closed.until, Some(Timestamp::from_millis(until)), "{now}");
            assert_eq!(closed.from, from);
        }
    }
}
