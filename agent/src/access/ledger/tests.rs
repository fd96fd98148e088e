//! When doors are open: single cases, and histories against an account of all that was said.

use std::net::IpAddr;

use innkeeper_wire::{id::uuid_v7, ip_network::IpNetwork, time::Timestamp, vm::ServerSpec};
use proptest::prelude::*;

use super::*;
use crate::{
    fixtures::{self, server},
    network::rules::grants::Counted,
};

const LEASE: Duration = Duration::from_secs(60);
/// What the control plane's clock shows when ours shows nothing.
const EPOCH_MS: i64 = 1_790_000_000_000;

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn grant(number: u8) -> GrantId {
    GrantId::from_uuid(uuid_v7(Timestamp::from_millis(1), [number; 10]))
}

/// The control plane's clock, if it is right.
fn theirs(now: Duration) -> Timestamp {
    Timestamp::from_millis(EPOCH_MS).after(now)
}

/// Access to server 1, granted at `at` for so many seconds.
fn access(number: u8, at: Duration, seconds: u32) -> Access {
    Access {
        grant: grant(number),
        server: server(1),
        port: 22,
        until: theirs(at + secs(seconds.into())),
        seconds,
    }
}

fn answer(asked_at: Duration, now: Timestamp) -> Answer {
    Answer {
        asked_at,
        terms: AccessTerms {
            now,
            engineers: vec!["192.0.2.0/24".parse().expect("a network")],
        },
    }
}

fn spec(number: u8, addresses: &[&str]) -> ServerSpec {
    let mut spec = fixtures::spec();
    spec.server = server(number);
    let parsed = addresses.iter().map(|text| text.parse().expect("valid"));
    spec.network.addresses = parsed.collect();
    spec
}

/// Servers 1 and 2 exist, server 3 is being deleted.
fn desired(access: Vec<Access>) -> Desired {
    let present = |number, addresses: &[&str]| {
        let spec = spec(number, addresses);
        (spec.server, Wanted::Present(Box::new(spec)))
    };
    let servers = [
        present(1, &["198.51.100.1", "2001:db8::1"]),
        present(2, &["198.51.100.2"]),
        (server(3), Wanted::Delete),
    ];
    Desired {
        servers: servers.into(),
        access,
        ..Desired::default()
    }
}

fn door(address: &str, port: u16) -> Door {
    let address: IpAddr = address.parse().expect("an address");
    Door { address, port }
}

/// A kernel without anything but the right engineers.
fn empty() -> Held {
    let network: IpNetwork = "192.0.2.0/24".parse().expect("a network");
    Held {
        engineers: Sources::of(&[network]),
        ..Held::default()
    }
}

/// For how long the door of server 1 is to be opened, if it is.
fn opened(ledger: &Ledger, access: &[Access], now: Duration) -> Option<Duration> {
    let changes = ledger.changes(&desired(access.to_vec()), &empty(), now);
    let v4 = changes.open.get(&door("198.51.100.1", 22)).copied();
    let v6 = changes.open.get(&door("2001:db8::1", 22)).copied();
    assert_eq!(v4, v6, "both families");
    assert_eq!(changes.open.len(), if v4.is_some() { 2 } else { 0 });
    v4
}

#[test]
fn a_stored_grant_waits_for_the_time_to_be_told() {
    let granted = [access(1, secs(0), 600)];
    let mut ledger = Ledger::new(LEASE);
    ledger.tell(&granted, secs(100));
    assert_eq!(opened(&ledger, &granted, secs(100)), None);
    ledger.hear(&answer(secs(101), theirs(secs(101))));
    assert_eq!(opened(&ledger, &granted, secs(102)), Some(secs(59)));
    // What the last process left there is neither renewed nor taken away, and what is withdrawn goes at once.
    let held = Held {
        open: [(door("198.51.100.1", 22), Some(30))].into(),
        ..empty()
    };
    let mut ledger = Ledger::new(LEASE);
    ledger.tell(&granted, secs(100));
    let changes = ledger.changes(&desired(granted.to_vec()), &held, secs(100));
    assert!(changes.is_empty(), "{changes:?}");
    let changes = ledger.changes(&desired(vec![]), &held, secs(100));
    assert_eq!(changes.close, [door("198.51.100.1", 22)].into());
}

#[test]
fn a_door_is_open_for_the_least_of_lease_grant_and_what_was_granted() {
    let granted = [access(1, secs(0), 600)];
    for (told_at, asked_at, theirs_ahead, now, expected) in [
        // The lease, from when the question was asked.
        (0, 10, 0, 12, Some(58)),
        (0, 10, 0, 69, Some(1)),
        (0, 10, 0, 70, None),
        // The grant.
        (0, 590, 0, 592, Some(8)),
        (0, 590, 0, 600, None),
        // Its clock is ahead by 570 s: it says that 20 s are left.
        (0, 10, 570, 12, Some(18)),
        // It is behind by 1,000 s, and says that the grant goes on. It was told 590 s ago, for 600 s.
        (0, 590, -1_000, 592, Some(8)),
        (0, 610, -1_000, 612, None),
    ] {
        let mut ledger = Ledger::new(LEASE);
        ledger.tell(&granted, secs(told_at));
        let shown = EPOCH_MS + (i64::try_from(asked_at).expect("small") + theirs_ahead) * 1_000;
        ledger.hear(&answer(secs(asked_at), Timestamp::from_millis(shown)));
        let found = opened(&ledger, &granted, secs(now));
        assert_eq!(found, expected.map(secs), "{asked_at} {theirs_ahead} {now}");
    }
}

#[test]
fn an_answer_shortens_and_never_lengthens() {
    let granted = [access(1, secs(0), 600)];
    let mut ledger = Ledger::new(LEASE);
    ledger.tell(&granted, secs(0));
    // Its clock jumps ahead, and back.
    ledger.hear(&answer(secs(10), theirs(secs(580))));
    ledger.hear(&answer(secs(20), theirs(secs(20))));
    assert_eq!(opened(&ledger, &granted, secs(20)), Some(secs(10)));
    assert_eq!(opened(&ledger, &granted, secs(30)), None);
    // Withdrawn and told again it is the same grant; with other terms it is told anew.
    ledger.tell(&[], secs(31));
    ledger.tell(&granted, secs(32));
    assert_eq!(opened(&ledger, &granted, secs(32)), None);
    let renewed = [access(1, secs(0), 900)];
    ledger.tell(&renewed, secs(33));
    assert_eq!(opened(&ledger, &renewed, secs(33)), Some(secs(47)));
}

#[test]
fn nothing_is_opened_for_a_server_that_shall_not_exist() {
    for number in [3, 4] {
        let granted = Access {
            server: server(number),
            ..access(1, secs(0), 600)
        };
        let mut ledger = Ledger::new(LEASE);
        ledger.hear(&answer(secs(0), theirs(secs(0))));
        ledger.tell(std::slice::from_ref(&granted), secs(0));
        let changes = ledger.changes(&desired(vec![granted]), &empty(), secs(1));
        assert!(changes.is_empty(), "{changes:?}");
    }
}

#[test]
fn what_is_in_the_kernel_and_not_wanted_goes() {
    let granted = vec![access(1, secs(0), 600)];
    let mut ledger = Ledger::new(LEASE);
    ledger.tell(&granted, secs(0));
    ledger.hear(&answer(secs(0), theirs(secs(0))));
    let counted = Counted {
        grant: Some(grant(1)),
        packets: 5,
    };
    let [own, foreign] = [door("198.51.100.1", 22), door("198.51.100.2", 22)];
    let held = Held {
        // One that is open without end, and two as they shall be.
        open: [
            (own, None),
            (door("2001:db8::1", 22), Some(59)),
            (foreign, Some(3)),
        ]
        .into(),
        counted: [
            (own, counted),
            (door("2001:db8::1", 22), counted),
            (foreign, counted),
        ]
        .into(),
        ..empty()
    };
    let changes = ledger.changes(&desired(granted), &held, secs(0));
    let expected = Changes {
        open: [(own, LEASE)].into(),
        close: [foreign].into(),
        forget: [foreign].into(),
        ..Changes::default()
    };
    assert_eq!(changes, expected);
}

#[test]
fn what_is_reported_is_what_the_kernel_shows() {
    let granted = vec![access(1, secs(0), 30), access(2, secs(0), 600)];
    let wanted = desired(granted.clone());
    let mut ledger = Ledger::new(LEASE);
    ledger.tell(&granted, secs(0));
    let [v4, v6] = [door("198.51.100.1", 22), door("2001:db8::1", 22)];
    let counted = |packets| Counted {
        grant: Some(grant(1)),
        packets,
    };
    let held = Held {
        open: [(v4, Some(40)), (v6, Some(41))].into(),
        counted: [(v4, counted(3)), (v6, counted(4))].into(),
        ..empty()
    };
    let observed = |number, left_s| ObservedAccess {
        grant: grant(number),
        left_s,
        packets: 7,
    };
    let seen = ledger.observed(&wanted, &held, secs(5));
    assert_eq!(
        seen,
        [observed(1, 42), observed(2, 42)],
        "nobody knows better"
    );
    ledger.hear(&answer(secs(0), theirs(secs(0))));
    let seen = ledger.observed(&wanted, &held, secs(5));
    assert_eq!(
        seen,
        [observed(1, 25), observed(2, 42)],
        "each has its time"
    );
    assert_eq!(ledger.observed(&wanted, &empty(), secs(5)), []);
    // The first ends; the other one's counter begins anew.
    let changes = ledger.changes(&wanted, &held, secs(31));
    assert_eq!(changes.count, [(v4, grant(2)), (v6, grant(2))].into());
}

// ---- histories ----

#[derive(Debug, Clone)]
enum Event {
    /// The desired state lists these grants, one bit each.
    Listed(u8),
    /// An answer to a question that was asked so long ago.
    Answered {
        ago_ms: u64,
    },
    /// The control plane's clock is set, forward or back.
    ClockSet {
        by_ms: i64,
    },
    Passed {
        ms: u64,
    },
    /// Somebody else flushes the rules.
    Flushed,
    /// The agent is started anew.
    Restarted,
}

fn any_event() -> impl Strategy<Value = Event> {
    prop_oneof![
        3 => any::<u8>().prop_map(Event::Listed),
        6 => (0_u64..8_000).prop_map(|ago_ms| Event::Answered { ago_ms }),
        1 => (-400_000_i64..400_000).prop_map(|by_ms| Event::ClockSet { by_ms }),
        6 => (1_u64..30_000).prop_map(|ms| Event::Passed { ms }),
        1 => Just(Event::Flushed),
        1 => Just(Event::Restarted),
    ]
}

/// All that was said to the process that runs, and a kernel.
struct Story {
    now: Duration,
    ahead_ms: i64,
    /// Every grant there is, as it was made.
    grants: Vec<Access>,
    listed: Vec<Access>,
    ledger: Ledger,
    /// When each was told first, and each answer: in the order of their coming.
    told: BTreeMap<GrantId, (usize, Duration)>,
    answers: Vec<Answer>,
    /// When doors close.
    kernel: BTreeMap<Door, Duration>,
}

impl Story {
    fn new() -> Self {
        let seconds = [20, 90, 240, 240, 600];
        let mut grants: Vec<_> = (0..5_u8)
            .map(|n| access(n, secs(0), seconds[usize::from(n)]))
            .collect();
        grants[2].server = server(2);
        grants[3].server = server(3);
        grants[4].port = 2_222;
        Self {
            now: Duration::ZERO,
            ahead_ms: 0,
            grants,
            listed: Vec::new(),
            ledger: Ledger::new(LEASE),
            told: BTreeMap::new(),
            answers: Vec::new(),
            kernel: BTreeMap::new(),
        }
    }

    fn happen(&mut self, event: &Event) {
        match event {
            Event::Listed(bits) => {
                let grants = self.grants.iter().enumerate();
                let listed = grants.filter(|(n, _)| bits & (1 << n) != 0);
                self.listed = listed.map(|(_, access)| access.clone()).collect();
                self.tell();
            }
            Event::Answered { ago_ms } => {
                let asked_at = self.now.saturating_sub(Duration::from_millis(*ago_ms));
                let shown = theirs(self.now).as_millis() + self.ahead_ms;
                let answer = answer(asked_at, Timestamp::from_millis(shown));
                self.ledger.hear(&answer);
                self.answers.push(answer);
            }
            Event::ClockSet { by_ms } => self.ahead_ms = *by_ms,
            Event::Passed { ms } => self.now += Duration::from_millis(*ms),
            Event::Flushed => self.kernel.clear(),
            Event::Restarted => {
                self.ledger = Ledger::new(LEASE);
                self.told.clear();
                self.answers.clear();
                self.tell();
            }
        }
    }

    fn tell(&mut self) {
        self.ledger.tell(&self.listed, self.now);
        for access in &self.listed {
            let said = (self.answers.len().saturating_sub(1), self.now);
            self.told.entry(access.grant).or_insert(said);
        }
    }

    /// What the keeper does then.
    fn keep(&mut self) {
        let now = self.now;
        self.kernel.retain(|_, closes| *closes > now);
        let left = |closes: &Duration| u32::try_from((*closes - now).as_secs()).ok();
        let open = self
            .kernel
            .iter()
            .map(|(door, closes)| (*door, left(closes)));
        let held = Held {
            open: open.collect(),
            ..empty()
        };
        let changes = self
            .ledger
            .changes(&desired(self.listed.clone()), &held, now);
        assert_eq!(changes.engineers, None);
        for door in &changes.close {
            self.kernel
                .remove(door)
                .expect("only what is open is closed");
        }
        for (door, left) in changes.open {
            assert!(!left.is_zero());
            self.kernel.insert(door, now + left);
        }
    }

    /// When a listed grant is over at the latest, by all that was said; before the first answer nobody knows.
    fn end(&self, access: &Access) -> Option<Duration> {
        let (said, told_at) = self.told[&access.grant];
        let ends = self.answers.iter().skip(said).map(|answer| {
            let left = access.until.since(answer.terms.now);
            answer.asked_at + left
        });
        let granted = told_at + secs(access.seconds.into());
        let leased = self.answers.last()?.asked_at + LEASE;
        ends.min().map(|end| end.min(granted).min(leased))
    }

    /// For each door of a server that shall exist, when it closes at the latest.
    fn ends(&self) -> BTreeMap<Door, Option<Duration>> {
        let mut ends: BTreeMap<Door, Option<Duration>> = BTreeMap::new();
        for access in &self.listed {
            let addresses: &[&str] = match access.server {
                one if one == server(1) => &["198.51.100.1", "2001:db8::1"],
                two if two == server(2) => &["198.51.100.2"],
                _ => &[],
            };
            for address in addresses {
                let entry = ends.entry(door(address, access.port)).or_default();
                *entry = (*entry).max(self.end(access));
            }
        }
        ends
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    /// Nobody is let in for longer than anything that was said allows, nor kept out while all of it allows it.
    #[test]
    fn doors_are_open_as_long_as_all_that_was_said_allows(
        events in prop::collection::vec(any_event(), 1..60),
    ) {
        let mut story = Story::new();
        for event in &events {
            let before = story.kernel.clone();
            story.happen(event);
            story.keep();
            let ends = story.ends();
            for (door, closes) in &story.kernel {
                let end = ends.get(door);
                prop_assert!(end.is_some(), "{event:?}: {door} is nobody's");
                match end.copied().flatten() {
                    // The kernel's time is seen rounded down.
                    Some(end) => prop_assert!(*closes < end + secs(1), "{event:?}: {door} {closes:?} {end:?}"),
                    None => prop_assert_eq!(before.get(door), Some(closes), "{:?}: {} grew", event, door),
                }
            }
            for (door, end) in ends {
                let left = end.map_or(Duration::ZERO, |end| end.saturating_sub(story.now));
                let open = story.kernel.get(&door).map_or(Duration::ZERO, |closes| *closes - story.now);
                prop_assert!(open + LEASE / GAIN_MIN + secs(1) >= left, "{event:?}: {door} {open:?} {left:?}");
                prop_assert!(left.is_zero() || !open.is_zero(), "{event:?}: {door} is closed");
            }
        }
    }
}
