//! The table of a job's states, and its clock.

use std::{collections::BTreeSet, time::Duration};

use super::*;

/// A job in a state, with one service and nothing else.
pub(in crate::support::rules) fn job(state: JobState) -> Job {
    let at = Timestamp::from_millis(1_790_000_000_000);
    let uuid = innkeeper_wire::id::uuid_v7(at, [1; 10]);
    let service = Service {
        code: "web-server".parse().expect("a code"),
        name: "Web server set-up".to_owned(),
        help: "nginx with PHP.".to_owned(),
        net: Money {
            amount: 30_000,
            currency: innkeeper_wire::money::Currency::Krw,
        },
    };
    Job {
        id: JobId::from_uuid(uuid),
        account: AccountId::from_uuid(uuid),
        server: ServerId::from_uuid(uuid),
        contract: ContractId::from_uuid(uuid),
        server_name: "web-1".parse().expect("a name"),
        state,
        services: vec![service],
        tax: None,
        application: Sealed::new(vec![]),
        engineer: None,
        submitted_at: at,
        changed_at: at,
        clock: JobClock::new(0, None),
        delayed_until: None,
        approval: None,
        outcome: None,
        grant: None,
        ended: None,
        events: 1,
    }
}

/// Every state by every act by every party: to which state it leads. What is not listed can't be.
const TABLE: &[(JobState, JobActKind, JobParty, JobState)] = {
    use JobActKind as A;
    use JobParty::{Customer as C, Engineer as E};
    use JobState as S;
    &[
        (S::HoursNotice, A::Comment, C, S::HoursNotice),
        (S::HoursNotice, A::Comment, E, S::HoursNotice),
        (S::HoursNotice, A::Cancel, C, S::Cancelled),
        (S::HoursNotice, A::Cancel, E, S::Cancelled),
        (S::HoursNotice, A::WithdrawAccess, C, S::HoursNotice),
        (S::Accepted, A::Comment, C, S::Accepted),
        (S::Accepted, A::Comment, E, S::Accepted),
        (S::Accepted, A::Cancel, C, S::Cancelled),
        (S::Accepted, A::Cancel, E, S::Cancelled),
        (S::Accepted, A::AllowAccess, C, S::Accepted),
        (S::Accepted, A::WithdrawAccess, C, S::Accepted),
        (S::Accepted, A::Take, E, S::Processing),
        (S::Processing, A::Comment, C, S::Processing),
        (S::Processing, A::Comment, E, S::Processing),
        (S::Processing, A::Cancel, C, S::Cancelled),
        (S::Processing, A::Cancel, E, S::Cancelled),
        (S::Processing, A::AllowAccess, C, S::Processing),
        (S::Processing, A::WithdrawAccess, C, S::Processing),
        (S::Processing, A::Delay, E, S::Delayed),
        (S::Processing, A::AskRevision, E, S::RevisionRequested),
        (S::Processing, A::AskApproval, E, S::ApprovalRequested),
        (S::Processing, A::AskAccess, E, S::Processing),
        (S::Delayed, A::Comment, C, S::Delayed),
        (S::Delayed, A::Comment, E, S::Delayed),
        (S::Delayed, A::Cancel, C, S::Cancelled),
        (S::Delayed, A::Cancel, E, S::Cancelled),
        (S::Delayed, A::AllowAccess, C, S::Delayed),
        (S::Delayed, A::WithdrawAccess, C, S::Delayed),
        (S::Delayed, A::Resume, E, S::Processing),
        (S::Delayed, A::AskRevision, E, S::RevisionRequested),
        (S::Delayed, A::AskAccess, E, S::Delayed),
        (S::RevisionRequested, A::Comment, C, S::RevisionRequested),
        (S::RevisionRequested, A::Comment, E, S::RevisionRequested),
        (S::RevisionRequested, A::Revise, C, S::Accepted),
        (S::RevisionRequested, A::Cancel, C, S::Cancelled),
        (S::RevisionRequested, A::Cancel, E, S::Cancelled),
        (
            S::RevisionRequested,
            A::AllowAccess,
            C,
            S::RevisionRequested,
        ),
        (
            S::RevisionRequested,
            A::WithdrawAccess,
            C,
            S::RevisionRequested,
        ),
        (S::RevisionRequested, A::AskAccess, E, S::RevisionRequested),
        (S::ApprovalRequested, A::Comment, C, S::ApprovalRequested),
        (S::ApprovalRequested, A::Comment, E, S::ApprovalRequested),
        (S::ApprovalRequested, A::Confirm, C, S::Working),
        (S::ApprovalRequested, A::ReReview, C, S::Processing),
        (S::ApprovalRequested, A::Cancel, C, S::Cancelled),
        (S::ApprovalRequested, A::Cancel, E, S::Cancelled),
        (
            S::ApprovalRequested,
            A::AllowAccess,
            C,
            S::ApprovalRequested,
        ),
        (
            S::ApprovalRequested,
            A::WithdrawAccess,
            C,
            S::ApprovalRequested,
        ),
        (S::ApprovalRequested, A::AskAccess, E, S::ApprovalRequested),
        (S::Working, A::Comment, C, S::Working),
        (S::Working, A::Comment, E, S::Working),
        (S::Working, A::AllowAccess, C, S::Working),
        (S::Working, A::WithdrawAccess, C, S::Working),
        (S::Working, A::AskAccess, E, S::Working),
        (S::Working, A::Close, E, S::Closed),
        (S::Closed, A::WithdrawAccess, C, S::Closed),
        (S::Cancelled, A::WithdrawAccess, C, S::Cancelled),
    ]
};

#[test]
fn what_can_be_done_in_which_state_by_whom() {
    let mut left = TABLE.len();
    for state in JobState::ALL {
        for act in JobActKind::ALL {
            for by in JobParty::ALL {
                let row = TABLE
                    .iter()
                    .find(|row| (&row.0, &row.1, &row.2) == (state, act, by));
                left -= usize::from(row.is_some());
                let found = leads_to(*state, *act, *by);
                assert_eq!(found, row.map(|row| row.3), "{state:?} {act:?} {by:?}");
            }
        }
    }
    assert_eq!(left, 0, "each row was met once");
}

/// R118, T28: once it is confirmed only its close ends it, and nothing begins the work but the confirmation.
#[test]
fn nothing_calls_off_what_is_confirmed_and_nothing_else_confirms() {
    for (from, act, _, to) in TABLE {
        assert!(
            *to != JobState::Working || *from == JobState::Working || *act == JobActKind::Confirm
        );
        assert!(*from != JobState::Working || *to != JobState::Cancelled);
    }
}

/// R99: the clock runs while it is the hoster's turn, in business time.
#[test]
fn the_clock_stands_while_the_customer_has_to_do_something() {
    let calendar = Calendar {
        zone: "Asia/Seoul".parse().expect("a zone"),
        opens: 9,
        closes: 18,
        closed: super::super::calendar::WEEKEND.to_vec(),
        holidays: BTreeSet::new(),
    };
    let at = |text: &str| calendar.zone.instant(text).expect("an instant");
    let promised = calendar.days_of(2).as_secs();
    let clock = JobClock::new(promised, Some(at("2026-11-30T09:00")));
    assert_eq!(clock.due_at(&calendar), Some(at("2026-12-02T09:00")));
    // Five hours of it have passed, and a night and a morning count for nothing while it stands.
    let asked = clock.turned(
        JobState::ApprovalRequested,
        &calendar,
        at("2026-11-30T14:00"),
    );
    assert_eq!(asked.due_at(&calendar), None);
    assert_eq!(asked.left_s, promised - 5 * 3_600);
    let again = asked.turned(JobState::Working, &calendar, at("2026-12-01T12:00"));
    assert_eq!(again.due_at(&calendar), Some(at("2026-12-02T16:00")));
    let same = again.turned(JobState::Working, &calendar, at("2026-12-01T13:00"));
    assert_eq!(same, again);
    let over = again.turned(JobState::Closed, &calendar, at("2026-12-09T12:00"));
    assert_eq!((over.left_s, over.due_at(&calendar)), (0, None));
    assert_eq!(Duration::from_secs(promised), Duration::from_hours(18));
}

/// A store that was restored does not know whether its customer has withdrawn a grant since.
#[test]
fn a_grant_holds_until_its_time_is_over_and_in_its_own_epoch_alone() {
    let at = Timestamp::from_millis;
    let uuid = innkeeper_wire::id::uuid_v7(at(1), [1; 10]);
    let grant = Grant {
        id: GrantId::from_uuid(uuid),
        until: at(10),
        host: HostId::from_uuid(uuid),
        observed: true,
        used: false,
        epoch: 2,
    };
    for (epoch, now, holds) in [(2, 9, true), (2, 10, false), (1, 9, false), (3, 9, false)] {
        assert_eq!(grant.holds(epoch, at(now)), holds, "{epoch} {now}");
    }
}
