//! Rolling the authority over that signs hosts: which step may follow, which hosts are not ready for it, and how
//! fast hosts are sent to renew. Pure; the module `authority` has keys and file, `continuity::roll_over` what hosts said.
//!
//! 1. *begin*: a second authority is made. Both are trusted; hosts are told so.
//! 2. *switch*, once every host trusts both: the new one signs, hosts are sent to renew.
//! 3. *finish*, once every host has a certificate of the new one: the old one is trusted no more.
//!
//! Before the switch *abort* goes back. A host that is not ready stops a step unless it is left behind by name.

use std::{collections::BTreeSet, fmt::Write as _, time::Duration};

pub use innkeeper_wire::operator::Step;
use innkeeper_wire::{digest::Digest, id::HostId, time::Timestamp};
use serde::{Deserialize, Serialize};

use crate::hosts::rules::host::HostState;

/// Hosts that are sent to renew in a second. A renewal costs a signature and two handshakes; ten thousand hosts are
/// through in a few minutes.
pub const RENEWALS_PER_SECOND: u32 = 50;
/// How long before an authority expires operators are told, each day and at each start.
const REMINDED_BEFORE: Duration = Duration::from_hours(90 * 24);
/// Hosts that a refusal names.
const NAMES_MAX: usize = 10;

/// Where an installation stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// There is one authority.
    Settled,
    /// The next one is trusted, and does not sign yet.
    Begun,
    /// The next one signs, the one before is still trusted.
    Switched,
}

/// Where an installation stood at its last step, and since when: for the audit trail and for operators. The
/// authorities themselves are in their file, which decides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepTaken {
    /// The stage.
    pub stage: Stage,
    /// Fingerprint of the authority that signs.
    pub issuer: Digest,
    /// Fingerprint of the other one.
    pub other: Option<Digest>,
    /// Epoch of the store that it was noted in.
    pub epoch: u64,
    /// Since when.
    pub at: Timestamp,
}

impl StepTaken {
    /// The same, for as long as `noted` says that it has been so.
    #[must_use]
    pub fn since(self, noted: Option<&Self>) -> Self {
        let is_same = |noted: &&Self| {
            (noted.stage, noted.issuer, noted.other) == (self.stage, self.issuer, self.other)
        };
        let at = noted.filter(is_same).map_or(self.at, |noted| noted.at);
        Self { at, ..self }
    }

    /// Whether an installation that stood like this can stand like `now`: the same, or a step further, since a crash
    /// may come between a step and its note. In another epoch of the store the note may be older than that.
    ///
    /// When it can't, an old copy of the authorities' file was put back.
    #[must_use]
    pub fn leads_to(&self, now: &Self) -> bool {
        let is_same = (self.stage, self.issuer, self.other) == (now.stage, now.issuer, now.other);
        let is_next = match (self.stage, now.stage) {
            (Stage::Begun, Stage::Switched) => {
                self.other == Some(now.issuer) && now.other == Some(self.issuer)
            }
            (Stage::Settled, Stage::Begun) | (Stage::Begun | Stage::Switched, Stage::Settled) => {
                self.issuer == now.issuer
            }
            _ => false,
        };
        is_same || is_next || self.epoch != now.epoch
    }
}

/// What a host said last of its trust, compared with what it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Said {
    /// Whether it trusts exactly the present authorities.
    pub trusts: Trusts,
    /// Whose certificate it has.
    pub certificate: CertificateOf,
}

/// Whom a host trusts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trusts {
    /// All present authorities and no other.
    Present,
    /// Something else.
    Other,
}

/// Who signed a host's certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CertificateOf {
    /// The authority that signs now.
    Issuer,
    /// Another one.
    Other,
}

/// A host that is not revoked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Which.
    pub host: HostId,
    /// Its name.
    pub name: String,
    /// Servers on it.
    pub servers: u32,
    /// What it said last; `None` when it was not heard of since the service started.
    pub said: Option<Said>,
    /// Whether it is served.
    pub state: HostState,
}

/// What a host lacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Lack {
    /// It is told nothing, so it can't follow.
    #[error("is quarantined")]
    Quarantined,
    /// Nobody knows.
    #[error("was not heard of since the service started")]
    Unheard,
    /// It has not stored the authorities that it was told.
    #[error("does not trust the present authorities")]
    Trust,
    /// It has not renewed.
    #[error("has a certificate of the old authority")]
    Certificate,
}

/// Why a step is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RollOverRefusal {
    /// It is not its turn.
    #[error("{}", out_of_order(*stage, *step))]
    OutOfOrder {
        /// Where the installation stands.
        stage: Stage,
        /// What was asked for.
        step: Step,
    },
    /// Hosts are not ready.
    #[error("{}", not_ready(.0))]
    NotReady(Vec<(Member, Lack)>),
    /// A host that is to be left behind is ready, revoked or not there.
    #[error("there is no host `{0}` that would have to be left behind")]
    NotBehind(String),
}

impl Stage {
    /// Where `step` leads.
    ///
    /// # Errors
    /// When it is not its turn.
    pub fn after(self, step: Step) -> Result<Self, RollOverRefusal> {
        match (self, step) {
            (Self::Settled, Step::Begin) => Ok(Self::Begun),
            (Self::Begun, Step::Switch) => Ok(Self::Switched),
            (Self::Begun, Step::Abort) | (Self::Switched, Step::Finish) => Ok(Self::Settled),
            (stage, step) => Err(RollOverRefusal::OutOfOrder { stage, step }),
        }
    }

    /// What `member` lacks of this stage.
    #[must_use]
    pub fn lack(self, member: &Member) -> Option<Lack> {
        let lack = match member.said {
            None => Lack::Unheard,
            Some(said) => match (self, said.trusts, said.certificate) {
                (_, Trusts::Other, _) => Lack::Trust,
                (Self::Switched, Trusts::Present, CertificateOf::Other) => Lack::Certificate,
                _ => return None,
            },
        };
        match member.state {
            HostState::Active | HostState::Revoked => Some(lack),
            HostState::Quarantined { .. } => Some(Lack::Quarantined),
        }
    }

    /// The hosts that lack something, in the order of `members`.
    #[must_use]
    pub fn lacking(self, members: &[Member]) -> Vec<(Member, Lack)> {
        let lacking = members
            .iter()
            .filter_map(|member| Some((member.clone(), self.lack(member)?)));
        lacking.collect()
    }

    /// What an operator does next.
    #[must_use]
    pub fn advice(self) -> &'static str {
        match self {
            Self::Settled => "`ca begin` makes the next authority",
            Self::Begun => {
                "`ca switch` once every host trusts both; `ca abort` drops the next authority"
            }
            Self::Switched => "`ca finish` once every host has renewed",
        }
    }
}

/// Decides a step: the stage that it leads to, and the hosts that it leaves behind. `without` are their names, as
/// the operator typed them.
///
/// # Errors
/// When it is not its turn, or a host that was not named is not ready for it.
pub fn decide(
    stage: Stage,
    step: Step,
    members: &[Member],
    without: &[String],
) -> Result<(Stage, Vec<Member>), RollOverRefusal> {
    let next = stage.after(step)?;
    let lacking = match step {
        Step::Switch | Step::Finish => stage.lacking(members),
        Step::Begin | Step::Abort => vec![],
    };
    let named: BTreeSet<_> = without.iter().map(String::as_str).collect();
    let is_behind = |name: &str| lacking.iter().any(|(member, _)| member.name == name);
    if let Some(name) = named.iter().find(|name| !is_behind(name)) {
        return Err(RollOverRefusal::NotBehind((*name).to_owned()));
    }
    let (left, waited): (Vec<_>, Vec<_>) = lacking
        .into_iter()
        .partition(|(member, _)| named.contains(member.name.as_str()));
    if waited.is_empty() {
        Ok((next, left.into_iter().map(|(member, _)| member).collect()))
    } else {
        Err(RollOverRefusal::NotReady(waited))
    }
}

fn out_of_order(stage: Stage, step: Step) -> String {
    let why = match (stage, step) {
        (Stage::Settled, Step::Abort) => "nothing was begun",
        (Stage::Settled, _) => "no roll-over was begun",
        (_, Step::Begin) => "a roll-over was begun already",
        (Stage::Begun, _) => "the new authority does not sign yet",
        (Stage::Switched, Step::Abort) => {
            "hosts have certificates of the new authority already, it can't be dropped any more"
        }
        (Stage::Switched, _) => "it was switched already",
    };
    format!("{why}: {}", stage.advice())
}

fn not_ready(lacking: &[(Member, Lack)]) -> String {
    let servers = total_servers(lacking.iter().map(|(member, _)| member));
    let mut text = format!(
        "hosts that are not ready: {}, with {servers} servers: ",
        lacking.len()
    );
    for (at, (member, lack)) in lacking.iter().take(NAMES_MAX).enumerate() {
        let comma = if at == 0 { "" } else { ", " };
        let Member { name, servers, .. } = member;
        // Writing to a string does not fail.
        write!(text, "{comma}{name} ({servers} servers; it {lack})").ok();
    }
    if let Some(more) = lacking
        .len()
        .checked_sub(NAMES_MAX)
        .filter(|more| *more > 0)
    {
        write!(text, " and {more} more").ok();
    }
    text + ". Wait for them, or leave each behind with --without NAME: its servers run on, it is not served any more, \
            and it has to be invited and to join anew"
}

/// Whether operators are told that the authority which signs expires at `until`.
#[must_use]
pub fn is_expiring(until: Timestamp, now: Timestamp) -> bool {
    until.since(now) < REMINDED_BEFORE
}

/// Servers on `members`.
pub fn total_servers<'a>(members: impl Iterator<Item = &'a Member>) -> u64 {
    members.map(|member| u64::from(member.servers)).sum()
}

/// Sends hosts to renew, [`RENEWALS_PER_SECOND`] and no more: each asks again with its next sign of life.
#[derive(Debug, Default)]
pub struct Pace {
    second: Option<Timestamp>,
    sent: u32,
}

impl Pace {
    /// Whether the host that asks at `now` shall renew. A clock that was set begins another second.
    pub fn sends(&mut self, now: Timestamp) -> Renewal {
        let is_same =
            |second: Timestamp| now >= second && now.since(second) < Duration::from_secs(1);
        if !self.second.is_some_and(is_same) {
            *self = Self {
                second: Some(now),
                sent: 0,
            };
        }
        if self.sent == RENEWALS_PER_SECOND {
            return Renewal::Later;
        }
        self.sent += 1;
        Renewal::Now
    }
}

/// When a host whose certificate has to be replaced shall renew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Renewal {
    /// At once.
    Now,
    /// Others are before it.
    Later,
}

#[cfg(test)]
mod tests {
    use innkeeper_wire::id::uuid_v7;
    use proptest::prelude::*;

    use super::*;

    const STAGES: [Stage; 3] = [Stage::Settled, Stage::Begun, Stage::Switched];
    const STEPS: [Step; 4] = [Step::Begin, Step::Switch, Step::Finish, Step::Abort];

    fn member(number: u8, said: Option<Said>) -> Member {
        Member {
            host: HostId::from_uuid(uuid_v7(Timestamp::from_millis(1), [number; 10])),
            name: format!("h{number}"),
            servers: number.into(),
            said,
            state: HostState::Active,
        }
    }

    fn said(trusts: Trusts, certificate: CertificateOf) -> Option<Said> {
        Some(Said {
            trusts,
            certificate,
        })
    }

    #[test]
    fn each_stage_has_its_steps_and_says_so() {
        let table: Vec<_> = STAGES
            .iter()
            .flat_map(|stage| STEPS.map(|step| (*stage, step, stage.after(step).ok())))
            .filter(|(.., next)| next.is_some())
            .collect();
        assert_eq!(
            table,
            [
                (Stage::Settled, Step::Begin, Some(Stage::Begun)),
                (Stage::Begun, Step::Switch, Some(Stage::Switched)),
                (Stage::Begun, Step::Abort, Some(Stage::Settled)),
                (Stage::Switched, Step::Finish, Some(Stage::Settled)),
            ]
        );
        for (stage, step, expected) in [
            (
                Stage::Settled,
                Step::Switch,
                "no roll-over was begun: `ca begin`",
            ),
            (Stage::Begun, Step::Begin, "begun already: `ca switch`"),
            (Stage::Begun, Step::Finish, "does not sign yet: `ca switch`"),
            (
                Stage::Switched,
                Step::Abort,
                "can't be dropped any more: `ca finish`",
            ),
            (
                Stage::Switched,
                Step::Switch,
                "switched already: `ca finish`",
            ),
        ] {
            let why = stage.after(step).expect_err("not its turn").to_string();
            assert!(why.contains(expected), "{why}");
        }
    }

    #[test]
    fn an_old_copy_of_the_file_is_told_from_a_step_that_was_not_noted() {
        let [a, b] = [Digest::of(b"a"), Digest::of(b"b")];
        let stood = |stage, issuer, other| StepTaken {
            stage,
            issuer,
            other,
            epoch: 1,
            at: Timestamp::from_millis(1),
        };
        let before = stood(Stage::Settled, a, None);
        let begun = stood(Stage::Begun, a, Some(b));
        let switched = stood(Stage::Switched, b, Some(a));
        let after = stood(Stage::Settled, b, None);
        let all = [&before, &begun, &switched, &after];
        let leads_to = |from: &StepTaken| all.map(|to| from.leads_to(to));
        assert_eq!(leads_to(&before), [true, true, false, false]);
        // From here the first is what `abort` leaves.
        assert_eq!(leads_to(&begun), [true, true, true, false]);
        assert_eq!(leads_to(&switched), [false, false, true, true]);
        assert_eq!(leads_to(&after), [false, false, false, true]);
        let restored = StepTaken {
            epoch: 2,
            ..after.clone()
        };
        assert!(before.leads_to(&restored));
    }

    #[test]
    fn a_refusal_counts_hosts_and_servers_and_names_some() {
        let members: Vec<_> = (1..=12).map(|number| member(number, None)).collect();
        let refused = decide(Stage::Begun, Step::Switch, &members, &[]).expect_err("nobody is");
        let text = refused.to_string();
        for part in [
            "not ready: 12, with 78 servers",
            "h1 (1 servers; it was not",
            "h10 (10",
            " and 2 more.",
            "--without",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
        assert!(!text.contains("h11"), "{text}");
    }

    #[test]
    fn a_quarantined_host_is_waited_for_unless_it_is_ready() {
        let why = crate::hosts::rules::host::Quarantine::Rewound;
        let quarantined = |said| Member {
            state: HostState::Quarantined { why },
            ..member(1, said)
        };
        let stage = Stage::Begun;
        assert_eq!(stage.lack(&quarantined(None)), Some(Lack::Quarantined));
        let ready = quarantined(said(Trusts::Present, CertificateOf::Other));
        assert_eq!(stage.lack(&ready), None);
    }

    #[test]
    fn operators_are_told_in_time() {
        let day = Duration::from_hours(24);
        let now = Timestamp::from_millis(1);
        assert!(!is_expiring(now.after(90 * day), now));
        assert!(is_expiring(now.after(89 * day), now));
        assert!(is_expiring(now, now.after(day)));
    }

    #[test]
    fn fifty_hosts_a_second_are_sent_to_renew_whatever_the_clock_does() {
        let at = |ms: i64| Timestamp::from_millis(ms);
        let mut pace = Pace::default();
        let mut sent = |now| {
            let answers = std::iter::repeat_with(|| pace.sends(now)).take(500);
            answers.filter(|answer| *answer == Renewal::Now).count()
        };
        assert_eq!(sent(at(10_000)), 50);
        assert_eq!(sent(at(10_999)), 0);
        assert_eq!(sent(at(11_000)), 50);
        assert_eq!(sent(at(500)), 50, "set back");
        assert_eq!(sent(at(900_000)), 50, "set forward");
    }

    fn any_said() -> impl Strategy<Value = Option<Said>> {
        let trusts = prop_oneof![Just(Trusts::Present), Just(Trusts::Other)];
        let certificate = prop_oneof![Just(CertificateOf::Issuer), Just(CertificateOf::Other)];
        prop::option::of(
            (trusts, certificate).prop_map(|(trusts, certificate)| Said {
                trusts,
                certificate,
            }),
        )
    }

    proptest! {
        /// No host is locked out that was not named: whoever was neither left behind before nor now can go on with
        /// what it has after each step, whatever hosts say and whoever is named.
        #[test]
        fn a_step_locks_nobody_out_but_who_was_named(
            said in prop::collection::vec(any_said(), 0..6),
            stage in prop::sample::select(STAGES.to_vec()),
            step in prop::sample::select(STEPS.to_vec()),
            named in prop::collection::btree_set(0..7_u8, 0..6),
        ) {
            let numbers = 0_u8..;
            let members: Vec<_> = numbers.zip(said).map(|(number, said)| member(number, said)).collect();
            let without: Vec<_> = named.iter().map(|number| format!("h{number}")).collect();
            let Ok((next, left)) = decide(stage, step, &members, &without) else { return Ok(()) };
            prop_assert_eq!(Ok(next), stage.after(step));
            let left: BTreeSet<_> = left.into_iter().map(|member| member.name).collect();
            prop_assert_eq!(&left, &without.into_iter().collect(), "exactly who was named");
            for member in members.iter().filter(|member| !left.contains(&member.name)) {
                match step {
                    // Afterwards the server shows a certificate of the new one.
                    Step::Switch => prop_assert!(member.said.is_some_and(|said| said.trusts == Trusts::Present)),
                    // Afterwards certificates of the old one are refused.
                    Step::Finish => prop_assert_eq!(
                        member.said, super::tests::said(Trusts::Present, CertificateOf::Issuer)
                    ),
                    Step::Begin | Step::Abort => {}
                }
            }
        }
    }
}
