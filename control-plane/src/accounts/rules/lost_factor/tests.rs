//! A request by state, event and actor, and by time.

use innkeeper_wire::id::uuid_v7;

use super::*;

const EPOCH: u64 = 2;
/// When the request was made, in hours.
const ASKED: i64 = 1_000;

fn at(hours: i64) -> Timestamp {
    Timestamp::from_millis(hours * 3_600_000)
}

fn staff(number: u8) -> Approver {
    Approver::Staff(StaffId::from_uuid(uuid_v7(at(1), [number; 10])))
}

fn open(confirmed_by: &[Approver]) -> LostFactor {
    let asked = LostFactor::asked(None, at(ASKED), EPOCH).expect("the first");
    let confirmations = confirmed_by.iter().map(|by| Confirmation {
        by: *by,
        at: at(ASKED + 1),
    });
    LostFactor {
        phase: Phase::Open {
            confirmations: confirmations.collect(),
        },
        ..asked
    }
}

/// Who can come: two of long standing, one who was added an hour before the request, and an operator.
fn people() -> [(Approver, Option<Timestamp>); 4] {
    [
        (staff(1), Some(at(1))),
        (staff(2), Some(at(1))),
        (staff(3), Some(at(ASKED - 1))),
        (Approver::Operator, None),
    ]
}

/// Each state: open and confirmed by none, one of each kind and each two; and ended by each.
fn states() -> Vec<LostFactor> {
    let people = people().map(|(by, _)| by);
    let mut states = vec![open(&[])];
    for (first, by) in people.iter().enumerate() {
        states.push(open(&[*by]));
        let others = people.iter().skip(first + 1);
        states.extend(others.map(|other| open(&[*by, *other])));
    }
    for by in [
        Ending::Link,
        Ending::FactorUsed,
        Ending::Rejected,
        Ending::Expired,
        Ending::SwitchedOff,
    ] {
        states.push(open(&[]).ended(by, at(ASKED + 2)));
    }
    states
}

fn events() -> Vec<Event> {
    let confirmed = people().map(|(by, added)| Event::Confirmed(by, added));
    let others = [Event::Link, Event::FactorUsed, Event::Rejected];
    others.into_iter().chain(confirmed).collect()
}

/// What must come of it, said in other words than the code has.
fn expected(state: &LostFactor, event: Event, hour: i64, epoch: u64) -> Result<Phase, Refusal> {
    let Phase::Open { confirmations } = &state.phase else {
        return Err(Refusal::Over);
    };
    if epoch != EPOCH || hour >= ASKED + 14 * 24 {
        return Err(Refusal::Over);
    }
    let ended = |by| Ok(Phase::Ended { by, at: at(hour) });
    match event {
        Event::Link => ended(Ending::Link),
        Event::FactorUsed => ended(Ending::FactorUsed),
        Event::Rejected => ended(Ending::Rejected),
        Event::Confirmed(by, _) => {
            let is_new = by == staff(3) && hour < ASKED - 1 + 72;
            match &confirmations[..] {
                [one] if one.by == by => Err(Refusal::SamePerson),
                [one, two] if one.by == by || two.by == by => Err(Refusal::SamePerson),
                [_, _, ..] => Err(Refusal::Enough),
                [_] if is_new => Err(Refusal::Newcomer),
                before => {
                    let now = Confirmation { by, at: at(hour) };
                    let confirmations = before.iter().cloned().chain([now]).collect();
                    Ok(Phase::Open { confirmations })
                }
            }
        }
    }
}

/// State by event by actor, in each part of a request's life, before and after a restore.
#[test]
fn each_event_by_each_person_in_each_state() {
    let mut seen = 0;
    for state in states() {
        for event in events() {
            for (hour, epoch) in [
                (ASKED, EPOCH),
                (ASKED + 70, EPOCH),
                (ASKED + 71, EPOCH),
                (ASKED + 72, EPOCH),
                (ASKED + 14 * 24 - 1, EPOCH),
                (ASKED + 14 * 24, EPOCH),
                (ASKED, EPOCH + 1),
                (ASKED, EPOCH - 1),
            ] {
                let after = state.clone().after(event, at(hour), epoch);
                let phase = after.map(|after| after.phase);
                let expected = expected(&state, event, hour, epoch);
                assert_eq!(
                    phase, expected,
                    "{:?} {event:?} {hour} {epoch}",
                    state.phase
                );
                seen += 1;
            }
        }
    }
    assert_eq!(seen, (1 + 4 + 6 + 5) * 7 * 8);
}

/// The factor is switched off by time alone, never by an event: after 72 hours, and two different people.
#[test]
fn what_time_makes_of_each_state() {
    for state in states() {
        for hour in [0, 1, 71, 72, 14 * 24 - 1, 14 * 24, 1_000] {
            for epoch in [EPOCH - 1, EPOCH, EPOCH + 1] {
                let due = state.due(at(ASKED + hour), epoch);
                let expected = match &state.phase {
                    Phase::Ended { .. } => None,
                    Phase::Open { .. } if epoch != EPOCH || hour >= 14 * 24 => {
                        Some(Ending::Expired)
                    }
                    Phase::Open { confirmations } if confirmations.len() == 2 && hour >= 72 => {
                        Some(Ending::SwitchedOff)
                    }
                    Phase::Open { .. } => None,
                };
                assert_eq!(due, expected, "{:?} {hour} {epoch}", state.phase);
            }
        }
    }
}

#[test]
fn an_account_has_three_requests_in_thirty_days() {
    let day = 24;
    let mut request = LostFactor::asked(None, at(0), EPOCH).expect("the first");
    for days in [1, 2] {
        request = request.ended(Ending::Link, at(days * day));
        request = LostFactor::asked(Some(&request), at(days * day), EPOCH).expect("one more");
    }
    let refused = LostFactor::asked(Some(&request), at(3 * day), EPOCH);
    assert_eq!(refused, Err(at(30 * day)));
    let refused = LostFactor::asked(Some(&request), at(30 * day - 1), EPOCH);
    assert_eq!(refused, Err(at(30 * day)));
    let again = LostFactor::asked(Some(&request), at(30 * day), EPOCH).expect("the first is old");
    assert_eq!(again.earlier, [at(day), at(2 * day)]);
    assert_eq!(again.open(at(30 * day), EPOCH), Some(&[][..]));
}

#[test]
fn a_request_is_kept_for_as_long_as_it_counts() {
    let request = open(&[]);
    assert!(!request.is_forgotten(at(ASKED + 10_000)), "it is not ended");
    let ended = request.ended(Ending::Link, at(ASKED));
    assert!(!ended.is_forgotten(at(ASKED + 30 * 24 - 1)));
    assert!(ended.is_forgotten(at(ASKED + 30 * 24)));
}

#[test]
fn each_address_has_one_link() {
    let request = open(&[]).mailed(0, "first".to_owned());
    let request = request.mailed(1, "other".to_owned());
    let request = request.mailed(0, "second".to_owned());
    assert!(!request.admits("first"), "its mail was written again");
    assert!(request.admits("second") && request.admits("other"));
    assert!(!open(&[]).admits(""));
}
