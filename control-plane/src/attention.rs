//! What needs a person now: one pure function from what is known to a list, the most urgent first. Whoever asks
//! (`admin/attention.rs`) gathers the facts.

use std::{cmp::Reverse, time::Duration};

use innkeeper_wire::{
    api::{Availability, Offered},
    id::{AccountId, HostId, OrderId},
    operator::{
        attention::{Matter, MatterKind},
        billing::FreezeView,
        hosts::{Condition, HostLine},
        mails::MailLine,
    },
    time::Timestamp,
};

/// A host renews its certificate, which lives for a day, when half of that is over; what ends within this time was not
/// renewed.
const CERTIFICATE_ENDS: Duration = Duration::from_hours(6);
/// For how long an order that failed is spoken of: by then its owner has ordered anew, or will not.
const FAILED_ORDERS: Duration = Duration::from_hours(7 * 24);

/// What is known.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    /// All hosts.
    pub hosts: Vec<HostLine>,
    /// Orders that failed and were not placed once more, and when.
    pub failed_orders: Vec<(OrderId, Timestamp)>,
    /// Accounts that wait to be approved, and since when.
    pub waiting_accounts: Vec<(AccountId, Timestamp)>,
    /// Accounts whose owner has lost his second factor, of which not enough of the staff have confirmed that, and since when.
    pub lost_factors: Vec<(AccountId, Timestamp)>,
    /// Mails that were given up.
    pub given_up: Vec<MailLine>,
    /// Duties whose last turn failed: which, when, why.
    pub failing_duties: Vec<(String, Timestamp, String)>,
    /// What can be had.
    pub offered: Vec<Offered>,
    /// When the copy was made that this store was restored from, while it is closed.
    pub closed_since: Option<Timestamp>,
    /// Why nothing more is charged for, if it is so.
    pub freeze: Option<FreezeView>,
    /// Hosts that prove that the journal has lost commits.
    pub accusers: usize,
    /// Hosts that no record knows and that nobody has decided about.
    pub undecided: Vec<HostId>,
}

/// What needs a person at `now`: the most urgent first, and of those what waits longest.
#[must_use]
pub fn matters(facts: &Facts, now: Timestamp) -> Vec<Matter> {
    let mut matters = of_installation(facts);
    for host in &facts.hosts {
        matters.extend(of_host(host, now));
    }
    for (order, at) in &facts.failed_orders {
        if now.since(*at) < FAILED_ORDERS {
            let order = order.to_string();
            matters.push(matter(MatterKind::OrderFailed, Some(*at), order, None));
        }
    }
    for (account, since) in &facts.waiting_accounts {
        let account = account.to_string();
        let waits = matter(MatterKind::AccountWaits, Some(*since), account, None);
        matters.push(waits);
    }
    for (account, since) in &facts.lost_factors {
        let account = account.to_string();
        let waits = matter(MatterKind::FactorWaits, Some(*since), account, None);
        matters.push(waits);
    }
    for mail in &facts.given_up {
        let why = mail.answer.clone();
        let (id, since) = (mail.id.to_string(), Some(mail.queued_at));
        matters.push(matter(MatterKind::MailGivenUp, since, id, why));
    }
    for (name, at, why) in &facts.failing_duties {
        let (name, why) = (name.clone(), Some(why.clone()));
        matters.push(matter(MatterKind::DutyFailing, Some(*at), name, why));
    }
    for offered in &facts.offered {
        if offered.availability == Availability::SoldOut {
            let subject = format!("{} at {}", offered.plan, offered.site);
            matters.push(matter(MatterKind::NoRoom, None, subject, None));
        }
    }
    // What is known to have waited comes before what may have begun just now.
    matters.sort_by_key(|matter| {
        let waits = matter.since.map(|since| Reverse(now.since(since)));
        (matter.urgency, waits.is_none(), waits, matter.kind)
    });
    matters
}

fn of_installation(facts: &Facts) -> Vec<Matter> {
    let whole = |kind, since, detail| Matter {
        subject: None,
        ..matter(kind, since, String::new(), detail)
    };
    let mut matters = Vec::new();
    if facts.accusers > 0 {
        let detail = format!("{} hosts prove that commits are lost", facts.accusers);
        matters.push(whole(MatterKind::StoreBehind, None, Some(detail)));
    }
    if let Some(since) = facts.closed_since {
        matters.push(whole(MatterKind::RecoveryOpen, Some(since), None));
    }
    if let Some(freeze) = facts.freeze {
        let FreezeView {
            since,
            shown,
            expected,
            ..
        } = freeze;
        let detail = format!("the clock showed {shown}, about {expected} was expected");
        // By the clock that is wrong nobody can say how long that is.
        let since = Some(since.min(expected));
        matters.push(whole(MatterKind::BillingFrozen, since, Some(detail)));
    }
    for host in &facts.undecided {
        let host = host.to_string();
        matters.push(matter(MatterKind::HostUnrecorded, None, host, None));
    }
    matters
}

/// Of a revoked host nothing needs anybody; of a lost one, that it is fenced and stays away.
fn of_host(host: &HostLine, now: Timestamp) -> Vec<Matter> {
    let mut matters = Vec::new();
    let mut say = |kind, since, detail: Option<String>| {
        matters.push(matter(kind, since, host.name.clone(), detail));
    };
    match host.condition {
        Condition::Revoked { .. } => return matters,
        Condition::Lost { since, asked_at } => {
            if asked_at.is_some() {
                say(MatterKind::HostReturned, asked_at, None);
            }
            if host.lost.as_ref().is_some_and(|loss| loss.fenced.is_none()) {
                say(MatterKind::HostUnfenced, Some(since), None);
            }
            return matters;
        }
        Condition::Silent { since, started_at } => {
            say(MatterKind::HostSilent, since.or(Some(started_at)), None);
        }
        Condition::LibvirtAway { since } => say(MatterKind::LibvirtAway, Some(since), None),
        Condition::Quarantined { since, why } => {
            say(MatterKind::HostQuarantined, since, Some(why.to_string()));
        }
        Condition::Heard { .. } | Condition::NeverHeard { .. } | Condition::Awaited { .. } => {}
    }
    for fault in &host.health.faults {
        say(MatterKind::HostFault, None, Some(fault.detail.clone()));
    }
    if let Some(ends) = host.certificate_ends
        && ends < now.after(CERTIFICATE_ENDS)
    {
        let detail = format!("it ends at {ends}");
        say(MatterKind::CertificateEnds, None, Some(detail));
    }
    if let Some(why) = &host.implausible {
        say(MatterKind::CapacityDoubted, None, Some(why.clone()));
    } else if host.claims_more.is_some() {
        say(MatterKind::CapacityDoubted, None, None);
    }
    for stranger in &host.strangers {
        say(MatterKind::Leak, None, Some(stranger.clone()));
    }
    for leaked in &host.leaked_addresses {
        let detail = format!("{} uses {}", leaked.server, leaked.address);
        say(MatterKind::Leak, None, Some(detail));
    }
    matters
}

fn matter(
    kind: MatterKind,
    since: Option<Timestamp>,
    subject: String,
    detail: Option<String>,
) -> Matter {
    Matter {
        kind,
        urgency: kind.urgency(),
        since,
        subject: Some(subject),
        detail,
        advice: kind.advice().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use innkeeper_wire::{
        host::{HostCapacity, HostFault, HostFaultCode, HostHealth},
        id::{MailId, ServerId, uuid_v7},
        operator::{
            attention::Urgency,
            billing::FreezeCause,
            hosts::{LeakedAddress, Promised, Quarantine},
            mails::MailState,
        },
        size::Bytes,
    };

    use super::*;

    fn at(hours: i64) -> Timestamp {
        Timestamp::from_millis(hours * 3_600_000)
    }

    const NOW_H: i64 = 1_000;

    fn uuid() -> uuid::Uuid {
        uuid_v7(at(1), [1; 10])
    }

    fn well() -> HostLine {
        HostLine {
            id: HostId::from_uuid(uuid()),
            name: "h1".to_owned(),
            site: "lab".to_owned(),
            condition: Condition::Heard { at: at(NOW_H) },
            quarantine: None,
            cordon: None,
            servers: 0,
            agent_version: String::new(),
            last_heard: Some(at(NOW_H)),
            certificate_ends: Some(at(NOW_H + 12)),
            capacity: None,
            claims_more: None,
            implausible: None,
            promised: Promised::default(),
            free: None,
            health: HostHealth::default(),
            strangers: vec![],
            leaked_addresses: vec![],
            accusation: None,
            lost: None,
            load: None,
        }
    }

    fn kinds(facts: &Facts) -> Vec<MatterKind> {
        let matters = matters(facts, at(NOW_H));
        matters.iter().map(|matter| matter.kind).collect()
    }

    fn of(host: HostLine) -> Facts {
        Facts {
            hosts: vec![host],
            ..Facts::default()
        }
    }

    #[test]
    fn where_all_is_well_nobody_is_needed() {
        let offered = Offered {
            site: "lab".parse().expect("a code"),
            plan: "s1".parse().expect("a code"),
            availability: Availability::Available,
        };
        let away = Offered {
            availability: Availability::NotNow,
            ..offered.clone()
        };
        let facts = Facts {
            offered: vec![offered, away],
            ..of(well())
        };
        assert_eq!(kinds(&facts), []);
    }

    #[test]
    fn what_is_wrong_with_a_host_is_told() {
        let capacity = HostCapacity {
            cpus: 1,
            memory: Bytes::gib(1),
            disk: Bytes::gib(1),
        };
        let fault = HostFault {
            code: HostFaultCode::ForeignDrop,
            detail: "chain FORWARD drops".to_owned(),
            server: None,
        };
        let server = ServerId::from_uuid(uuid());
        let address = [192, 0, 2, 7].into();
        let with = |change: &dyn Fn(&mut HostLine)| {
            let mut host = well();
            change(&mut host);
            kinds(&of(host))
        };
        let since = Some(at(900));
        let why = Quarantine::TwoInstances;
        let condition = |condition| with(&|host| host.condition = condition);
        let started_at = at(1);
        let cases = [
            (
                condition(Condition::Silent { since, started_at }),
                MatterKind::HostSilent,
            ),
            (
                condition(Condition::LibvirtAway { since: at(900) }),
                MatterKind::LibvirtAway,
            ),
            (
                condition(Condition::Quarantined { why, since }),
                MatterKind::HostQuarantined,
            ),
            (
                with(&|host| host.health.faults = vec![fault.clone()]),
                MatterKind::HostFault,
            ),
            (
                with(&|host| host.certificate_ends = Some(at(NOW_H + 5))),
                MatterKind::CertificateEnds,
            ),
            (
                with(&|host| host.claims_more = Some(capacity)),
                MatterKind::CapacityDoubted,
            ),
            (
                with(&|host| host.strangers = vec!["a disk".to_owned()]),
                MatterKind::Leak,
            ),
            (
                with(&|host| host.leaked_addresses = vec![LeakedAddress { address, server }]),
                MatterKind::Leak,
            ),
        ];
        for (found, kind) in cases {
            assert_eq!(found, [kind]);
        }
        for quiet in [
            Condition::Awaited { since: at(NOW_H) },
            Condition::NeverHeard { joined_at: at(1) },
        ] {
            assert_eq!(condition(quiet), []);
        }
    }

    #[test]
    fn a_revoked_host_needs_nobody() {
        let revoked = HostLine {
            condition: Condition::Revoked { since: None },
            strangers: vec!["a disk".to_owned()],
            certificate_ends: Some(at(1)),
            ..well()
        };
        assert_eq!(kinds(&of(revoked)), []);
        let just_enough = HostLine {
            certificate_ends: Some(at(NOW_H + 6)),
            ..well()
        };
        assert_eq!(kinds(&of(just_enough)), []);
    }

    #[test]
    fn what_waits_of_the_installation_is_told_in_the_order_of_urgency() {
        use MatterKind::{
            AccountWaits, DutyFailing, FactorWaits, HostSilent, HostUnrecorded, Leak, MailGivenUp,
            NoRoom, OrderFailed, RecoveryOpen, StoreBehind,
        };
        let order = |number| OrderId::from_uuid(uuid_v7(at(1), [number; 10]));
        let mail = MailLine {
            id: MailId::from_uuid(uuid()),
            state: MailState::GivenUp,
            kind: "welcome".to_owned(),
            account: Some(AccountId::from_uuid(uuid())),
            login_id: None,
            staff: None,
            queued_at: at(NOW_H - 30),
            tries: 1,
            answer: Some("550".to_owned()),
            next_try: None,
        };
        let silent = HostLine {
            condition: Condition::Silent {
                since: Some(at(NOW_H - 1)),
                started_at: at(1),
            },
            strangers: vec!["a disk".to_owned()],
            ..well()
        };
        let facts = Facts {
            failed_orders: vec![
                (order(1), at(NOW_H - 2)),
                (order(2), at(NOW_H - 100)),
                (order(3), at(NOW_H - 7 * 24)),
            ],
            waiting_accounts: vec![(AccountId::from_uuid(uuid()), at(NOW_H - 20))],
            lost_factors: vec![(AccountId::from_uuid(uuid()), at(NOW_H - 10))],
            given_up: vec![mail],
            failing_duties: vec![("outbox".to_owned(), at(NOW_H - 5), "no".to_owned())],
            offered: vec![Offered {
                site: "lab".parse().expect("a code"),
                plan: "s1".parse().expect("a code"),
                availability: Availability::SoldOut,
            }],
            closed_since: Some(at(NOW_H - 50)),
            accusers: 2,
            undecided: vec![HostId::from_uuid(uuid())],
            ..of(silent)
        };
        let found = matters(&facts, at(NOW_H));
        let told: Vec<_> = found
            .iter()
            .map(|matter| (matter.urgency, matter.kind))
            .collect();
        assert_eq!(
            told,
            [
                (Urgency::Now, RecoveryOpen),
                (Urgency::Now, DutyFailing),
                (Urgency::Now, HostSilent),
                (Urgency::Now, StoreBehind),
                (Urgency::Today, OrderFailed),
                (Urgency::Today, MailGivenUp),
                (Urgency::Today, AccountWaits),
                (Urgency::Today, FactorWaits),
                (Urgency::Today, OrderFailed),
                (Urgency::Today, HostUnrecorded),
                (Urgency::Today, NoRoom),
                (Urgency::Soon, Leak),
            ]
        );
        assert_eq!(found[4].subject, Some(order(2).to_string()));
        assert_eq!(found[10].subject.as_deref(), Some("s1 at lab"));
        assert!(found.iter().all(|matter| !matter.advice.is_empty()));
    }

    #[test]
    fn a_clock_in_doubt_is_told_with_both_times() {
        let freeze = FreezeView {
            since: at(NOW_H - 40),
            why: FreezeCause::StartedLate,
            shown: at(NOW_H - 1),
            expected: at(NOW_H - 40),
        };
        let facts = Facts {
            freeze: Some(freeze),
            ..Facts::default()
        };
        assert_eq!(kinds(&facts), [MatterKind::BillingFrozen]);
        let found = matters(&facts, at(NOW_H)).remove(0);
        assert_eq!((found.urgency, found.subject), (Urgency::Now, None));
        let detail = found.detail.expect("both");
        assert!(detail.contains(&freeze.shown.to_string()), "{detail}");
        assert!(detail.contains(&freeze.expected.to_string()), "{detail}");
    }
}
