//! Quotes and orders (R34-R36, R41-R42; domain-model C3.2).
//!
//! ```text
//! quote --(confirm: room, address, quota; one commit)--> provisioning --(ready)--> completed
//!                                                             |--(can't be made)--> failed
//!                                                             `--(deleted first)--> cancelled
//! ```
//!
//! An order never changes after it was placed: how far it is, its server tells ([`progress`]). Nothing is charged before
//! `completed`.

use std::time::Duration;

use innkeeper_wire::{
    api::{OrderState, QuoteRequest, Specification},
    digest::Digest,
    error::{FieldError, FieldErrorCode},
    host::ServerProblemCode,
    id::{AccountId, ContractId, OrderId, QuoteId, ServerId, SshKeyId},
    price::Tax,
    time::Timestamp,
    vm::Hostname,
};
use serde::{Deserialize, Serialize};

use crate::{
    accounts::rules::ssh_key::SshKeys,
    addresses::rules::Families,
    catalogue::{Catalogue, Image, Plan},
    kernel::field,
    servers::rules::{
        names,
        server::{Farewell, Lifecycle, Server},
    },
};

/// How long a quote can be ordered at its price.
pub const QUOTE_VALID_MS: i64 = 30 * 60 * 1_000;
/// Quotes of one account that are kept; a further one takes the place of the oldest.
pub const QUOTES_PER_ACCOUNT_MAX: usize = 20;
/// In this time an account gets no more quotes than are kept of it.
const QUOTES_IN: Duration = Duration::from_secs(20);
/// Most keys on one server.
pub const KEYS_PER_SERVER_MAX: usize = 10;

/// A price for one configuration, with everything frozen that an order needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quote {
    /// Which.
    pub id: QuoteId,
    /// Whose.
    pub account: AccountId,
    /// What was chosen.
    pub choice: Choice,
    /// The tax that was shown.
    #[serde(default)]
    pub tax: Option<Tax>,
    /// How many addresses the server was said to have.
    #[serde(default)]
    pub addresses: Families,
    /// Until when it can be ordered.
    pub expires_at: Timestamp,
}

/// What a customer chose.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Choice {
    /// Code of the data centre.
    pub site: innkeeper_wire::id::Code,
    /// The plan with its price, as offered then.
    pub plan: Plan,
    /// The image, as offered then.
    pub image: Image,
    /// Name of the server.
    pub name: Hostname,
    /// Keys that may sign in.
    pub ssh_keys: Vec<SshKeyId>,
}

/// An order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// Which.
    pub id: OrderId,
    /// Whose.
    pub account: AccountId,
    /// The quote that was confirmed.
    pub quote: QuoteId,
    /// What was chosen.
    pub choice: Choice,
    /// The tax that was shown; nothing of those that were placed before there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tax: Option<Tax>,
    /// How many addresses the server was said to have, likewise.
    #[serde(default, skip_serializing_if = "Families::is_unknown")]
    pub addresses: Families,
    /// The server that it is for.
    pub server: ServerId,
    /// What it is charged under.
    pub contract: ContractId,
    /// When it was placed.
    pub placed_at: Timestamp,
    /// That it failed, as an order of version 2 says itself. All others leave that to their servers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<FailedBefore>,
}

/// That an order failed while orders still kept their state. Of the first week its server does not know it, and nobody
/// why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailedBefore {
    /// Why, if it was kept.
    pub code: Option<ServerProblemCode>,
}

impl Choice {
    /// What is bought by it, with so many addresses.
    #[must_use]
    pub fn specification(&self, addresses: Families) -> Specification {
        let Plan {
            name,
            vcpus,
            memory,
            disk,
            ..
        } = &self.plan;
        Specification {
            plan: name.clone(),
            image: self.image.name.clone(),
            vcpus: *vcpus,
            memory: *memory,
            disk: *disk,
            ipv4: addresses.ipv4,
            ipv6: addresses.ipv6,
        }
    }
}

/// That an `Idempotency-Key` was used, for what, and what came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdempotencyRecord {
    /// Digest of the request's body.
    pub request: Digest,
    /// The order that it made.
    pub order: OrderId,
}

/// How far the order of a server is, and why it failed if it did. An order that left `provisioning` stays what it became:
/// a server that was ready once, or was given up once, keeps that whatever becomes of it later. `failed` is what the order
/// itself says.
#[must_use]
pub fn progress(
    failed: Option<FailedBefore>,
    server: &Server,
) -> (OrderState, Option<ServerProblemCode>) {
    if let Some(FailedBefore { code }) = failed {
        return (OrderState::Failed, code);
    }
    if let Some(failure) = &server.failure {
        return (OrderState::Failed, Some(failure.code));
    }
    if server.ready_at.is_some() {
        return (OrderState::Completed, None);
    }
    let state = match server.lifecycle {
        Lifecycle::Live => OrderState::Provisioning,
        Lifecycle::Leaving { why, .. } | Lifecycle::Gone { why, .. } => match why {
            Farewell::Deleted => OrderState::Cancelled,
            // Of before the reason was kept with the server, or its host was lost meanwhile.
            Farewell::CreateFailed | Farewell::HostLost => OrderState::Failed,
        },
    };
    (state, None)
}

/// How many of an account's quotes, made at these times (oldest first), have to go before it gets another one.
///
/// # Errors
/// It asks faster than anybody chooses: how long to wait.
pub fn quotes_to_drop(made: &[Timestamp], now: Timestamp) -> Result<usize, Duration> {
    let dropped = (made.len() + 1).saturating_sub(QUOTES_PER_ACCOUNT_MAX);
    let Some(newest_dropped) = dropped.checked_sub(1).map(|index| made[index]) else {
        return Ok(0);
    };
    let wait = QUOTES_IN.saturating_sub(now.since(newest_dropped));
    // One that lies ahead was made before the clock was set back.
    if wait.is_zero() || newest_dropped > now {
        Ok(dropped)
    } else {
        Err(wait)
    }
}

/// Checks a configuration against the catalogue and the account's keys; room is checked when it is ordered.
pub fn check_choice(
    request: &QuoteRequest,
    catalogue: &Catalogue,
    keys: &SshKeys,
) -> Result<Choice, Vec<FieldError>> {
    let mut errors = Vec::new();
    let site = catalogue.site(&request.site);
    let plan = catalogue.plan(&request.plan);
    let image = catalogue.image(&request.image);
    let name = names::check(&request.name);
    for (found, pointer, value, what) in [
        (site.is_some(), "/site", &request.site, "data centre"),
        (plan.is_some(), "/plan", &request.plan, "plan"),
        (image.is_some(), "/image", &request.image, "image"),
    ] {
        if value.is_empty() {
            errors.push(field(
                pointer,
                FieldErrorCode::Required,
                &format!("choose a {what}"),
            ));
        } else if !found {
            errors.push(field(
                pointer,
                FieldErrorCode::Unknown,
                &format!("this {what} is not offered"),
            ));
        }
    }
    if let (Some(plan), Some(image)) = (plan, image)
        && plan.disk < image.base.virtual_size
    {
        let detail = "the image does not fit on this plan's disk";
        errors.push(field("/plan", FieldErrorCode::DiskTooSmall, detail));
    }
    if let Err((code, detail)) = &name {
        errors.push(field("/name", *code, detail));
    }
    errors.extend(check_keys(&request.ssh_keys, keys));
    match (site, plan, image, name) {
        (Some(site), Some(plan), Some(image), Ok(name)) if errors.is_empty() => Ok(Choice {
            site: site.code.clone(),
            plan: plan.clone(),
            image: image.clone(),
            name,
            ssh_keys: request.ssh_keys.clone(),
        }),
        _ => Err(errors),
    }
}

fn check_keys(wanted: &[SshKeyId], present: &SshKeys) -> Option<FieldError> {
    let pointer = "/ssh_keys";
    if wanted.is_empty() {
        let detail = "choose at least one SSH key: servers have no passwords";
        return Some(field(pointer, FieldErrorCode::Required, detail));
    }
    if wanted.len() > KEYS_PER_SERVER_MAX {
        return Some(field(
            pointer,
            FieldErrorCode::TooMany,
            "choose at most 10 keys",
        ));
    }
    let unknown = wanted
        .iter()
        .any(|id| present.keys.iter().all(|key| key.id != *id));
    unknown.then(|| {
        field(
            pointer,
            FieldErrorCode::Unknown,
            "this key is not in your account",
        )
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use innkeeper_wire::{
        api::ServerAction,
        host::{CreateStep, ObservedServer, ObservedState, ServerProblem},
        id::uuid_v7,
        money::{Currency, HourlyRate, Money},
        size::Bytes,
        vm::{BaseImage, ImageFormat},
    };

    use super::*;
    use crate::{
        accounts::rules::ssh_key::SshKey,
        catalogue::Site,
        hosts::rules::host::HostReach,
        servers::rules::server::{
            CREATE_ATTEMPTS_MAX, CREATE_DEADLINE, CreateFailure, Milestone, any_server,
        },
    };

    fn key_id() -> SshKeyId {
        SshKeyId::from_uuid(uuid_v7(Timestamp::from_millis(1), [1; 10]))
    }

    fn catalogue() -> Catalogue {
        let plan = |code: &str, disk| Plan {
            code: code.parse().expect("a code"),
            name: code.to_owned(),
            vcpus: 1,
            memory: Bytes::gib(1),
            disk,
            hourly: HourlyRate {
                micro_minor_per_hour: 10_000_000,
                currency: Currency::Krw,
            },
            monthly_cap: Money {
                amount: 6_000,
                currency: Currency::Krw,
            },
        };
        Catalogue {
            sites: vec![Site {
                code: "seoul-1".parse().expect("a code"),
                name: "Seoul".to_owned(),
            }],
            plans: vec![plan("s1", Bytes::gib(20)), plan("xs", Bytes::mib(10))],
            images: vec![Image {
                code: "tiny".parse().expect("a code"),
                name: "Tiny".to_owned(),
                login_user: "root".to_owned(),
                base: BaseImage {
                    digest: Digest::of(b"image"),
                    format: ImageFormat::Raw,
                    file_size: Bytes::mib(64),
                    virtual_size: Bytes::mib(64),
                },
            }],
            tax: None,
        }
    }

    #[track_caller]
    fn check(change: impl FnOnce(&mut QuoteRequest), expected: &[(&str, FieldErrorCode)]) {
        let mut request = QuoteRequest {
            site: "seoul-1".to_owned(),
            plan: "s1".to_owned(),
            image: "tiny".to_owned(),
            name: "web-1".to_owned(),
            ssh_keys: vec![key_id()],
        };
        change(&mut request);
        let key = SshKey {
            id: key_id(),
            name: String::new(),
            algorithm: String::new(),
            fingerprint: String::new(),
            public_key: String::new(),
            created_at: Timestamp::from_millis(0),
        };
        let result = check_choice(&request, &catalogue(), &SshKeys { keys: vec![key] });
        let errors = result.err().unwrap_or_default();
        let found: Vec<_> = errors
            .iter()
            .map(|e| (e.pointer.as_str(), e.code))
            .collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn configurations() {
        use FieldErrorCode::{DiskTooSmall, Malformed, Required, TooMany, Unknown};
        check(|_| {}, &[]);
        check(|r| "mars".clone_into(&mut r.site), &[("/site", Unknown)]);
        check(|r| r.plan.clear(), &[("/plan", Required)]);
        check(|r| "xs".clone_into(&mut r.plan), &[("/plan", DiskTooSmall)]);
        check(|r| "Web 1".clone_into(&mut r.name), &[("/name", Malformed)]);
        check(|r| r.ssh_keys.clear(), &[("/ssh_keys", Required)]);
        check(
            |r| r.ssh_keys = vec![key_id(); 11],
            &[("/ssh_keys", TooMany)],
        );
        check(
            |r| {
                r.ssh_keys = vec![SshKeyId::from_uuid(uuid_v7(
                    Timestamp::from_millis(2),
                    [2; 10],
                ))]
            },
            &[("/ssh_keys", Unknown)],
        );
        check(
            |r| {
                r.site.clear();
                "../etc".clone_into(&mut r.image);
            },
            &[("/site", Required), ("/image", Unknown)],
        );
    }

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_millis(0).after(Duration::from_secs(seconds))
    }

    fn failure() -> CreateFailure {
        CreateFailure {
            code: ServerProblemCode::DiskFailed,
            detail: String::new(),
        }
    }

    #[test]
    fn an_order_is_as_far_as_its_server() {
        use Farewell::{CreateFailed, Deleted, HostLost};
        use OrderState::{Cancelled, Completed, Failed, Provisioning};
        let leaving = |why| Lifecycle::Leaving {
            why,
            since: at(20),
            generation: 7,
        };
        let gone = |why| Lifecycle::Gone { why, since: at(30) };
        let lifecycles = [
            (Lifecycle::Live, Provisioning),
            (leaving(Deleted), Cancelled),
            (gone(Deleted), Cancelled),
            (leaving(CreateFailed), Failed),
            (gone(CreateFailed), Failed),
            (leaving(HostLost), Failed),
            (gone(HostLost), Failed),
        ];
        for (lifecycle, otherwise) in lifecycles {
            for (failure, ready_at, expected) in [
                (None, None, otherwise),
                (None, Some(at(10)), Completed),
                (Some(failure()), None, Failed),
                (Some(failure()), Some(at(10)), Failed),
            ] {
                let code = failure.as_ref().map(|failure| failure.code);
                let server = Server {
                    lifecycle,
                    ready_at,
                    failure,
                    ..any_server()
                };
                assert_eq!(progress(None, &server), (expected, code), "{server:?}");
            }
        }
    }

    /// Of the first week: its server knows only that it was deleted.
    #[test]
    fn an_order_that_has_failed_by_its_own_record_stays_failed() {
        let server = Server {
            lifecycle: Lifecycle::Gone {
                why: Farewell::Deleted,
                since: at(30),
            },
            ..any_server()
        };
        assert_eq!(progress(None, &server), (OrderState::Cancelled, None));
        for code in [Some(ServerProblemCode::DiskFailed), None] {
            let failed = Some(FailedBefore { code });
            assert_eq!(progress(failed, &server), (OrderState::Failed, code));
        }
    }

    /// What can happen to a server.
    #[derive(Debug, Clone, Copy)]
    enum Event {
        Seen(ObservedState),
        SeenFailing,
        SeenLate,
        Deleted,
        GivenUpUnseen,
        GoneAtRestore,
        HostLost,
    }

    /// The server after an event at its time, and what the order became by it, should it still be provisioning: as orders
    /// were settled when they kept their state themselves.
    fn happen(server: &Server, event: Event, now: Timestamp) -> (Server, Option<OrderState>) {
        let observe = |state, attempts, was_ready, now| {
            let problem = ServerProblem {
                code: ServerProblemCode::DiskFailed,
                detail: String::new(),
                attempts,
            };
            let seen = ObservedServer {
                server: server.id,
                state,
                power_serial: 1,
                reboots: 0,
                problem: Some(problem).filter(|_| attempts > 0),
                was_ready,
                was_started: None,
                network_cut: false,
            };
            let observed = server.observe(&seen, 9, now);
            let (next, milestone) = observed.unwrap_or((server.clone(), None));
            let settled = match milestone {
                Some(Milestone::Ready) => Some(OrderState::Completed),
                Some(Milestone::CreateFailed) => Some(OrderState::Failed),
                Some(Milestone::Gone) | None => None,
            };
            (next, settled)
        };
        let disk = ObservedState::Creating {
            step: CreateStep::Disk,
        };
        let late = server.created_at.after(CREATE_DEADLINE);
        let unchanged = (server.clone(), None);
        match event {
            Event::Seen(state) => observe(state, 0, None, now),
            Event::SeenFailing => observe(disk, CREATE_ATTEMPTS_MAX, None, now),
            Event::SeenLate => observe(disk, 0, Some(false), late),
            Event::Deleted => {
                let deleted = server.after(ServerAction::Delete, HostReach::Silent, 8, now);
                deleted.map_or(unchanged, |next| (next, Some(OrderState::Cancelled)))
            }
            Event::GivenUpUnseen => {
                let given_up = server.given_up_unseen(server.created_at, 8, late);
                given_up.map_or(unchanged, |next| (next, Some(OrderState::Failed)))
            }
            Event::GoneAtRestore if server.lifecycle == Lifecycle::Live => {
                let next = server.ended_at_restore(8, now);
                (next, Some(OrderState::Cancelled))
            }
            Event::GoneAtRestore => unchanged,
            Event::HostLost => server.ended_with_host(now).map_or(unchanged, |next| {
                let never_made = next.farewell() == Some(Farewell::CreateFailed);
                (next, Some(OrderState::Failed).filter(|_| never_made))
            }),
        }
    }

    /// Walks all histories of five events, and keeps beside each the state as orders had it when it was written with every
    /// event: it never changed again once it was not `provisioning`.
    #[test]
    fn an_order_that_has_left_provisioning_stays_what_it_became() {
        const EVENTS: [Event; 10] = [
            Event::Seen(ObservedState::Absent),
            Event::Seen(ObservedState::Running { ready: false }),
            Event::Seen(ObservedState::Running { ready: true }),
            Event::Seen(ObservedState::Stopped),
            Event::SeenFailing,
            Event::SeenLate,
            Event::Deleted,
            Event::GivenUpUnseen,
            Event::GoneAtRestore,
            Event::HostLost,
        ];
        let first = (any_server(), (OrderState::Provisioning, None));
        let mut histories = vec![first];
        let mut walked = BTreeSet::new();
        for second in 1..=5 {
            let mut longer = Vec::with_capacity(histories.len() * EVENTS.len());
            for (server, (before, why)) in &histories {
                for event in EVENTS {
                    let (next, settled) = happen(server, event, at(second));
                    let stored = match settled.filter(|_| *before == OrderState::Provisioning) {
                        Some(state) => (state, next.failure.as_ref().map(|why| why.code)),
                        None => (*before, *why),
                    };
                    assert_eq!(progress(None, &next), stored, "{event:?} of {server:?}");
                    walked.insert(format!("{:?}", stored.0));
                    longer.push((next, stored));
                }
            }
            histories = longer;
        }
        let walked: Vec<_> = walked.iter().map(String::as_str).collect();
        assert_eq!(walked, ["Cancelled", "Completed", "Failed", "Provisioning"]);
    }
}
