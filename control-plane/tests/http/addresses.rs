//! Which addresses orders get: of the pools' ranges, never one that is somebody else's, and on a host that the
//! network routes them to.

use std::net::IpAddr;

use innkeeper_control_plane::{
    addresses::rules::pools::{Pool, PoolDescription, Routing},
    in_use::{in_use, rules::check_pools},
    kernel::{Actor, Error},
};
use innkeeper_wire::{
    host::{FEATURE_SERVER, FEATURE_SUBNET, Intent, ObservedServer, ObservedState, Report},
    id::ServerId,
    vm::{PoolMode, ServerSpec, Subnet},
};

use tokio::task::JoinSet;

use crate::{
    setting::{Answer, Setting, TestHost, room_for, why},
    witnesses::copy_journal,
};

fn pool(subnet: &str, ranges: Option<&[&str]>, routing: Routing) -> Pool {
    let ranges: Option<Vec<String>> =
        ranges.map(|ranges| ranges.iter().map(|range| (*range).to_owned()).collect());
    Pool::new(&PoolDescription {
        site: "lab".parse().expect("a code"),
        subnet,
        gateway: None,
        ranges: ranges.as_deref(),
        reserved: &[],
        ours: &[],
        routing,
    })
    .expect("a pool")
}

/// A customer who orders one server after the other.
struct Orders {
    token: String,
    key: String,
    count: u32,
}

impl Orders {
    async fn of(setting: &Setting) -> Self {
        Self::by(setting, "minji90").await
    }

    async fn by(setting: &Setting, login: &str) -> Self {
        let token = setting.customer(login).await;
        let key = setting.key(&token, 1).await;
        Self {
            token,
            key,
            count: 0,
        }
    }

    async fn order(&mut self, setting: &Setting) -> Answer {
        self.count += 1;
        let name = format!("web-{}", self.count);
        setting.try_order(&self.token, &self.key, &name).await
    }
}

/// Specs of the servers of a host, as its agent fetches them.
pub(crate) async fn specs(setting: &Setting, host: &TestHost) -> Vec<ServerSpec> {
    let mut specs = Vec::new();
    for entry in setting.manifest(host).await.servers {
        let Intent::Present { spec } = entry.intent else {
            continue;
        };
        let path = format!("/specs/{spec}");
        let answer = setting
            .ask(
                host.connection,
                Some(host.id),
                axum::http::Method::GET,
                &path,
                None,
            )
            .await;
        specs.push(serde_json::from_value(answer.expect(200)).expect("a spec"));
    }
    specs
}

fn v4_of(specs: &[ServerSpec]) -> Vec<String> {
    let mut addresses: Vec<String> = specs
        .iter()
        .map(|spec| spec.network.addresses[0].to_string())
        .collect();
    addresses.sort();
    addresses
}

/// Row B2: a pool that is the uplink's own network. The world is .1, the host .2.
#[tokio::test]
async fn no_order_gets_the_address_of_the_gateway_or_of_a_host() {
    let setting = Setting::giving(vec![pool("198.51.100.0/29", None, Routing::ProxyNeighbour)]);
    let host = setting.host_at("198.51.100.2", "h1", room_for(10)).await;
    let mut orders = Orders::of(&setting).await;
    for _ in 0..4 {
        orders.order(&setting).await.expect(201);
    }
    let refused = orders.order(&setting).await.expect(422);
    assert_eq!(refused["errors"][0]["code"], "sold-out");
    let specs = specs(&setting, &host).await;
    assert_eq!(
        v4_of(&specs),
        [
            "198.51.100.3",
            "198.51.100.4",
            "198.51.100.5",
            "198.51.100.6"
        ]
    );
    let subnet = Subnet {
        prefix: 29,
        gateway: "198.51.100.1".parse().ok(),
        mode: PoolMode::ProxyNeighbour,
    };
    assert!(
        specs
            .iter()
            .all(|spec| spec.network.subnets == [subnet] && spec.network.addresses.len() == 1)
    );
}

#[tokio::test]
async fn a_host_that_moves_into_a_pool_keeps_its_address_until_it_is_released() {
    let setting = Setting::giving(vec![pool("198.51.100.0/30", None, Routing::ProxyNeighbour)]);
    let mut host = setting.host("h1", room_for(10)).await;
    let inside: IpAddr = "198.51.100.2".parse().expect("an address");
    assert!(
        setting
            .nouns
            .continuity
            .release_address(inside)
            .await
            .is_err()
    );
    // As a socket of both families shows an IPv4 peer.
    host.connection.address.set_ip(match inside {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().into(),
        v6 => v6,
    });
    setting.report(&host, room_for(10), vec![]).await;
    let before = setting.nouns.ctx.store().sequence();
    setting.report(&host, room_for(10), vec![]).await;
    assert_eq!(setting.nouns.ctx.store().sequence(), before, "it is known");
    let mut orders = Orders::of(&setting).await;
    orders.order(&setting).await.expect(422);
    // It is renumbered; its former address rests as every other one.
    host.connection.address.set_ip([192, 0, 2, 9].into());
    setting
        .nouns
        .continuity
        .release_address(inside)
        .await
        .expect("released");
    setting.report(&host, room_for(10), vec![]).await;
    orders.order(&setting).await.expect(422);
    setting.clock.advance_s(3_601);
    setting.report(&host, room_for(10), vec![]).await;
    let mut later = Orders::by(&setting, "haneul88").await;
    later.order(&setting).await.expect(201);
}

#[tokio::test]
async fn subnets_are_asked_of_agents_once_a_server_has_some() {
    let setting = Setting::new();
    let host = setting.host("h1", room_for(4)).await;
    let mut orders = Orders::of(&setting).await;
    orders.order(&setting).await.expect(201);
    let manifest = setting.manifest(&host).await;
    assert_eq!(manifest.requires, [FEATURE_SERVER, FEATURE_SUBNET]);
    let specs = specs(&setting, &host).await;
    let network = &specs[0].network;
    assert_eq!(network.addresses.len(), network.subnets.len());
    assert_eq!(network.addresses[0].to_string(), "203.0.113.130");
    assert_eq!(network.subnets[0].gateway, "203.0.113.129".parse().ok());
    assert_eq!(
        (network.subnets[1].prefix, network.subnets[1].gateway),
        (64, None)
    );
    let token = &orders.token;
    let server = specs[0].server;
    setting
        .send(
            axum::http::Method::DELETE,
            &format!("/servers/{server}"),
            Some(token),
            &[],
            None,
        )
        .await
        .expect(202);
    let manifest = setting.manifest(&host).await;
    assert_eq!(manifest.servers.len(), 1, "it is to be deleted");
    assert_eq!(manifest.requires, [FEATURE_SERVER]);
}

#[tokio::test]
async fn a_server_goes_where_its_address_is_routed_to() {
    let routing = Routing::Static {
        host: "h2".to_owned(),
    };
    let two = ["203.0.113.4-203.0.113.5"];
    let setting = Setting::giving(vec![
        pool(
            "198.51.100.0/24",
            Some(&["198.51.100.9"]),
            Routing::ProxyNeighbour,
        ),
        pool("203.0.113.0/29", Some(&two), routing),
    ]);
    let first = setting.host("h1", room_for(10)).await;
    let mut orders = Orders::of(&setting).await;
    orders.order(&setting).await.expect(201);
    orders.order(&setting).await.expect(422);
    let second = setting.host("h2", room_for(10)).await;
    for _ in 0..2 {
        orders.order(&setting).await.expect(201);
    }
    orders.order(&setting).await.expect(422);
    assert_eq!(v4_of(&specs(&setting, &first).await), ["198.51.100.9"]);
    let routed = specs(&setting, &second).await;
    assert_eq!(v4_of(&routed), ["203.0.113.4", "203.0.113.5"]);
    assert_eq!(routed[0].network.subnets[0].mode, PoolMode::Static);
}

#[tokio::test]
async fn pools_that_the_records_contradict_are_found() {
    let open = || pool("198.51.100.0/29", None, Routing::ProxyNeighbour);
    let setting = Setting::giving(vec![open()]);
    setting.host("h1", room_for(4)).await;
    Orders::of(&setting).await.order(&setting).await.expect(201);
    let check = |pools: &[Pool]| {
        let in_use = in_use(setting.nouns.ctx.store()).expect("it reads");
        check_pools(pools, &in_use)
    };
    assert_eq!(check(&[open()]), check(&[]), "nothing is wrong");
    let with = |gateway: Option<&str>, reserved: &[String]| {
        Pool::new(&PoolDescription {
            site: "lab".parse().expect("a code"),
            subnet: "198.51.100.0/29",
            gateway: gateway.and_then(|text| text.parse().ok()),
            ranges: None,
            reserved,
            ours: &[],
            routing: Routing::ProxyNeighbour,
        })
        .expect("a pool")
    };
    let found = check(&[with(Some("198.51.100.2"), &[])]).contradictions;
    assert!(
        found[0].starts_with(
            "pool 198.51.100.0/29: 198.51.100.2 is to be the gateway and is the address of srv_"
        ),
        "{found:?}"
    );
    // It is the server's, which harms nobody.
    let found = check(&[with(None, &["198.51.100.2".to_owned()])]);
    assert!(found.contradictions.is_empty(), "{found:?}");
    assert!(found.remarks[0].contains("is kept aside"), "{found:?}");
    let routed_to = |host: &str, site: &str| {
        Pool::new(&PoolDescription {
            site: site.parse().expect("a code"),
            subnet: "203.0.113.0/29",
            gateway: None,
            ranges: None,
            reserved: &[],
            ours: &[],
            routing: Routing::Static {
                host: host.to_owned(),
            },
        })
        .expect("a pool")
    };
    assert_eq!(check(&[routed_to("h1", "lab")]), check(&[]));
    let found = check(&[routed_to("h7", "lab")]);
    assert!(found.contradictions.is_empty());
    assert!(
        found.remarks[0].contains("no host `h7` yet"),
        "{:?}",
        found.remarks
    );
    let found = check(&[routed_to("h1", "busan")]).contradictions;
    assert!(
        found[0].contains("stands at `lab`, not at `busan`"),
        "{found:?}"
    );
}

/// Reports what became of a server that was deleted, by a host that says whether it was ever started.
async fn gone(setting: &Setting, host: &TestHost, server: ServerId, was_started: Option<bool>) {
    let seen = |state| ObservedServer {
        server,
        state,
        power_serial: 0,
        reboots: 0,
        problem: None,
        was_ready: None,
        was_started,
        network_cut: false,
    };
    let absent = seen(ObservedState::Absent);
    setting.report(host, room_for(500), vec![absent]).await;
}

async fn delete(setting: &Setting, token: &str, order: &serde_json::Value) -> ServerId {
    let server = order["server"].as_str().expect("an id");
    let path = format!("/servers/{server}");
    let method = axum::http::Method::DELETE;
    setting
        .send(method, &path, Some(token), &[], None)
        .await
        .expect(202);
    server.parse().expect("an id")
}

/// What nobody used needs no rest; what somebody may have used has one.
#[tokio::test]
async fn an_address_that_no_guest_had_is_free_at_once() {
    let one = || pool("198.51.100.0/30", None, Routing::ProxyNeighbour);
    let never = Some(false);
    let running = Some(ObservedState::Running { ready: false });
    for (was_started, seen_before, status) in [
        (never, None, 201),
        (None, None, 422),
        (Some(true), None, 422),
        // It was heard to run; that its host has forgotten that changes nothing.
        (never, running, 422),
    ] {
        let setting = Setting::giving(vec![one()]);
        let host = setting.host("h1", room_for(10)).await;
        let mut orders = Orders::of(&setting).await;
        let order = orders.order(&setting).await.expect(201);
        if let Some(state) = seen_before {
            let seen = ObservedServer {
                server: order["server"]
                    .as_str()
                    .expect("an id")
                    .parse()
                    .expect("an id"),
                state,
                power_serial: 1,
                reboots: 0,
                problem: None,
                was_ready: Some(false),
                was_started: Some(true),
                network_cut: false,
            };
            setting.report(&host, room_for(10), vec![seen]).await;
        }
        let server = delete(&setting, &orders.token, &order).await;
        gone(&setting, &host, server, was_started).await;
        orders.order(&setting).await.expect(status);
        // An hour, as these settings have it.
        setting.clock.advance_s(3_600);
        setting.report(&host, room_for(10), vec![]).await;
        if status == 422 {
            let mut later = Orders::by(&setting, "haneul88").await;
            later.order(&setting).await.expect(201);
        }
    }
}

/// Row A5 of the trial: quote, order and delete in a loop emptied a site's pool in 13 seconds, for everybody.
#[tokio::test]
async fn who_orders_and_deletes_in_a_loop_does_not_empty_the_pool() {
    let setting = Setting::new();
    let host = setting.host("h1", room_for(500)).await;
    let mut orders = Orders::of(&setting).await;
    let mut placed = 0;
    let refused = loop {
        setting.clock.advance_s(1);
        let answer = orders.order(&setting).await;
        if answer.status != 201 {
            break answer.expect(429);
        }
        placed += 1;
        let server = delete(&setting, &orders.token, &answer.body).await;
        gone(&setting, &host, server, Some(true)).await;
    };
    assert_eq!(placed, 40, "twice the servers that it may have");
    assert_eq!(refused["code"], "order-limit");
    let wait = refused["retry_after_s"].as_u64().expect("seconds");
    assert!((3_000..=3_600).contains(&wait), "{wait}");
    // Of 125 addresses there are enough for others.
    let mut other = Orders::by(&setting, "haneul88").await;
    other.order(&setting).await.expect(201);
    let free = setting.nouns.addresses.tally();
    assert_eq!(free[0].free, 125 - 40 - 1);
}

/// Hosts say which addresses they have: those that they don't dial from are kept as well.
#[tokio::test]
async fn no_order_gets_an_address_that_a_host_says_it_has() {
    let setting = Setting::giving(vec![pool("198.51.100.0/24", None, Routing::ProxyNeighbour)]);
    let host = setting.host("h1", room_for(10)).await;
    let address = |last: u8| IpAddr::from([198, 51, 100, last]);
    let report = async |addresses: Vec<IpAddr>| {
        let blank = setting.blank_report(&host, room_for(10), vec![]);
        let report = Report { addresses, ..blank };
        setting.post_report(&host, &report).await;
    };
    report(vec![address(2), address(4), IpAddr::from([192, 0, 2, 9])]).await;
    let before = setting.nouns.ctx.store().sequence();
    report(vec![address(2), address(4)]).await;
    assert_eq!(
        setting.nouns.ctx.store().sequence(),
        before,
        "they are known"
    );
    let mut orders = Orders::of(&setting).await;
    orders.order(&setting).await.expect(201);
    orders.order(&setting).await.expect(201);
    let given = v4_of(&specs(&setting, &host).await);
    assert_eq!(given, ["198.51.100.3", "198.51.100.5"]);
    let in_use = in_use(setting.nouns.ctx.store()).expect("it reads");
    let found = check_pools(&setting.nouns.settings.pools, &in_use);
    assert!(found.contradictions.is_empty(), "{found:?}");
    let remarks = found.remarks;
    let of_second = "pool 198.51.100.0/24: 198.51.100.2 is an address of hst_";
    assert!(
        remarks.len() == 2 && remarks[0].starts_with(of_second),
        "{remarks:?}"
    );
    // One that says others each time does not empty the pool.
    for first in [10, 40, 70, 100] {
        report((first..first + 30).map(address).collect()).await;
    }
    let free = || setting.nouns.addresses.tally()[0].free;
    assert_eq!(free(), 253 - 2 - 32);
    // Those of a revoked one rest, and are given to others afterwards.
    setting
        .nouns
        .hosts
        .revoke(Actor::Operator, host.id, &why())
        .await
        .expect("revoked");
    assert_eq!(free(), 253 - 2 - 32);
    setting.clock.advance_s(721 * 3_600);
    assert_eq!(free(), 253 - 2);
}

/// A host takes addresses from nobody else's site; private ones before it keep out none; and what it has counts also
/// after a start of ours.
#[tokio::test]
async fn a_host_keeps_a_few_addresses_of_its_own_site() {
    let ours = pool("198.51.100.0/24", None, Routing::ProxyNeighbour);
    let busan = Pool::parse("busan".parse().expect("a code"), "203.0.113.0/24").expect("a pool");
    let first = Setting::giving(vec![ours, busan]);
    let host = first.host("h1", room_for(10)).await;
    let report = async |setting: &Setting, host: &TestHost, addresses: Vec<IpAddr>| {
        let blank = setting.blank_report(host, room_for(10), vec![]);
        let report = Report { addresses, ..blank };
        setting.post_report(host, &report).await;
        let tallies = setting.nouns.addresses.tally();
        tallies.iter().map(|tally| tally.free).collect::<Vec<_>>()
    };
    let theirs = (10..20).map(|last| IpAddr::from([203, 0, 113, last]));
    let private = (0..100).map(|last| IpAddr::from([10, 0, 0, last]));
    let its = (10..50).map(|last| IpAddr::from([198, 51, 100, last]));
    let said: Vec<_> = theirs.chain(private).chain(its).collect();
    assert_eq!(report(&first, &host, said).await, [253 - 32, 253]);
    copy_journal(&first, "again");
    let setting = first.with_store("again");
    let more = (60..90).map(|last| IpAddr::from([198, 51, 100, last]));
    let free = report(&setting, &host.again(&setting), more.collect()).await;
    assert_eq!(free, [253 - 32, 253]);
}

/// The address that it dials from is really its own: it comes before what it says.
#[tokio::test]
async fn the_address_that_a_host_dials_from_is_kept_first() {
    let setting = Setting::giving(vec![pool("198.51.100.0/24", None, Routing::ProxyNeighbour)]);
    let host = setting.host("h1", room_for(10)).await;
    let address = |last: u8| IpAddr::from([198, 51, 100, last]);
    let said: Vec<_> = (10..60).map(address).collect();
    let noted = setting
        .nouns
        .hosts
        .note_addresses(host.id, address(200), &said);
    noted.await.expect("written");
    let used = in_use(setting.nouns.ctx.store()).expect("it reads");
    assert_eq!(used.claims.len(), 32);
    assert!(used.claims.contains_key(&address(200)));
}

/// A host says on many connections at once what it has, each time others.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn reports_at_once_claim_no_more_than_one_may() {
    let setting = Setting::giving(vec![pool("198.51.0.0/16", None, Routing::ProxyNeighbour)]);
    for round in 0..10 {
        let host = setting.host(&format!("h{round}"), room_for(10)).await.id;
        let mut reports = JoinSet::new();
        for connection in 0..8 {
            let nouns = setting.nouns.clone();
            let said =
                (0..32).map(|last| IpAddr::from([198, 51, round * 8 + connection, last + 1]));
            let said: Vec<_> = said.collect();
            reports.spawn(async move {
                let noted = nouns
                    .hosts
                    .note_addresses(host, [192, 0, 2, 9].into(), &said);
                assert!(matches!(noted.await, Ok(()) | Err(Error::Busy)));
            });
        }
        reports.join_all().await;
        let kept = 32 * (u128::from(round) + 1);
        let free = setting.nouns.addresses.tally()[0].free;
        assert_eq!(free, 65_533 - kept, "round {round}");
    }
}
