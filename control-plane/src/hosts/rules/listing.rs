//! How the list of hosts is searched and sorted.

use std::cmp::Reverse;

use innkeeper_wire::operator::hosts::{HostLine, HostListQuery, HostOrder};

use crate::kernel::listing::natural;

/// Whether a host is one of those that are wanted.
#[must_use]
pub fn is_wanted(host: &HostLine, query: &HostListQuery) -> bool {
    let is_meant = |text: &str| {
        let text = text.trim().to_lowercase();
        host.name.to_lowercase().contains(&text)
            || (text.starts_with("hst_") && host.id.to_string().starts_with(&text))
    };
    query.q.as_deref().is_none_or(is_meant)
        && query
            .site
            .as_ref()
            .is_none_or(|site| host.site == site.as_str())
        && query
            .state
            .is_none_or(|state| host.condition.status() == state)
        && query
            .cordoned
            .is_none_or(|cordoned| host.cordon.is_some() == cordoned)
}

/// Puts hosts into an order. Those that are alike in it stand by name.
pub fn sort(hosts: &mut [HostLine], order: HostOrder) {
    hosts.sort_by_cached_key(|host| (natural(&host.name), host.id));
    match order {
        HostOrder::Name => {}
        HostOrder::NameDown => hosts.reverse(),
        HostOrder::State => hosts.sort_by_key(|host| host.condition.status()),
        HostOrder::Free => hosts.sort_by_key(|host| host.free.map(|free| free.memory)),
        HostOrder::Servers => hosts.sort_by_key(|host| Reverse(host.servers)),
        // Those of which nothing is known come last.
        HostOrder::Certificate => {
            hosts.sort_by_key(|host| (host.certificate_ends.is_none(), host.certificate_ends));
        }
    }
}

#[cfg(test)]
mod tests {
    use innkeeper_wire::{
        host::HostHealth,
        id::{HostId, uuid_v7},
        operator::hosts::{Condition, Cordon, HostStatus, Promised, Room},
        size::Bytes,
        time::Timestamp,
    };

    use super::*;

    fn host(number: u8, condition: Condition) -> HostLine {
        let at = Timestamp::from_millis(i64::from(number));
        HostLine {
            id: HostId::from_uuid(uuid_v7(at, [number; 10])),
            name: format!("h{number}"),
            site: "lab".to_owned(),
            condition,
            quarantine: None,
            cordon: None,
            servers: number.into(),
            agent_version: String::new(),
            last_heard: None,
            certificate_ends: None,
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

    fn hosts() -> Vec<HostLine> {
        let at = Timestamp::from_millis(1);
        let room = |memory| Room {
            cpus: 1,
            memory: Bytes::gib(memory),
            disk: Bytes::gib(1),
        };
        vec![
            HostLine {
                free: Some(room(9)),
                certificate_ends: Some(at),
                ..host(10, Condition::Heard { at })
            },
            HostLine {
                free: Some(room(3)),
                cordon: Some(Cordon {
                    since: at,
                    reason: "its disk fails".to_owned(),
                }),
                ..host(9, Condition::Heard { at })
            },
            HostLine {
                site: "busan".to_owned(),
                ..host(
                    2,
                    Condition::Silent {
                        since: None,
                        started_at: at,
                    },
                )
            },
        ]
    }

    #[test]
    fn a_list_is_narrowed_by_all_that_is_asked_for() {
        let found = |query: HostListQuery| -> Vec<String> {
            let hosts = hosts().into_iter();
            let wanted = hosts.filter(|host| is_wanted(host, &query));
            wanted.map(|host| host.name).collect()
        };
        let all = HostListQuery::default();
        let cases = [
            (all.clone(), vec!["h10", "h9", "h2"]),
            (
                HostListQuery {
                    q: Some(" H1".to_owned()),
                    ..all.clone()
                },
                vec!["h10"],
            ),
            (
                HostListQuery {
                    q: Some(hosts()[1].id.to_string()),
                    ..all.clone()
                },
                vec!["h9"],
            ),
            (
                HostListQuery {
                    site: Some("busan".parse().expect("a code")),
                    ..all.clone()
                },
                vec!["h2"],
            ),
            (
                HostListQuery {
                    state: Some(HostStatus::Heard),
                    cordoned: Some(false),
                    ..all.clone()
                },
                vec!["h10"],
            ),
            (
                HostListQuery {
                    cordoned: Some(true),
                    ..all
                },
                vec!["h9"],
            ),
        ];
        for (query, names) in cases {
            assert_eq!(found(query.clone()), names, "{query:?}");
        }
    }

    #[test]
    fn a_list_is_sorted_as_asked() {
        let sorted = |order| -> Vec<String> {
            let mut hosts = hosts();
            sort(&mut hosts, order);
            hosts.into_iter().map(|host| host.name).collect()
        };
        for (order, names) in [
            (HostOrder::Name, ["h2", "h9", "h10"]),
            (HostOrder::NameDown, ["h10", "h9", "h2"]),
            (HostOrder::State, ["h2", "h9", "h10"]),
            (HostOrder::Free, ["h2", "h9", "h10"]),
            (HostOrder::Servers, ["h10", "h9", "h2"]),
            (HostOrder::Certificate, ["h10", "h2", "h9"]),
        ] {
            assert_eq!(sorted(order), names, "{order:?}");
        }
    }
}
