//! How fast a host is chosen: by the ranking in memory, at three sizes of a fleet, beside a bare scan of the same
//! five thousand hosts. Each decision is followed by what its commit changes, and, once the fleet is half full, by
//! the end of an earlier server, so that no round runs into a full fleet.

use std::{
    collections::{HashMap, VecDeque},
    time::Duration,
};

use anyhow::Context;
use innkeeper_control_plane::{
    addresses::rules::free_addresses::Carriers,
    hosts::rules::{
        fleet::Fleet,
        host::{Demand, Host, HostState, Reserved},
        placement::{self, Candidate, Overcommit},
    },
};
use innkeeper_wire::{
    host::HostCapacity,
    id::{Code, HostId, uuid_v7},
    size::Bytes,
    time::Timestamp,
};
use tokio::time::Instant;

use super::{Figure, median};

/// Names of the figures.
pub const NAMES: [&str; 5] = [
    "schedule_100",
    "schedule_1000",
    "schedule_5000",
    "floor_scan_5000",
    "schedule_5000_p99_us",
];
/// Rounds of all measurements in turn.
const ROUNDS: usize = 7;
/// How long one measurement lasts.
const SPAN: Duration = Duration::from_millis(300);
const OVERCOMMIT: Overcommit = Overcommit {
    cpu_percent: 400,
    memory_percent: 100,
    disk_percent: 100,
};
/// What is ordered, in turn.
const DEMANDS: [Demand; 4] = [demand(1, 1), demand(2, 4), demand(4, 8), demand(8, 32)];
/// Servers a host that run at a time.
const SERVERS_PER_HOST: usize = 10;

const fn demand(vcpus: u32, gib: u64) -> Demand {
    Demand {
        vcpus,
        memory: Bytes::gib(gib),
        disk: Bytes::gib(10 * gib),
    }
}

/// Measures; takes about nine seconds. One core is at work.
///
/// # Errors
/// When a fleet with room refuses.
pub fn figures() -> anyhow::Result<Vec<Figure>> {
    let site: Code = "bench".parse().context("a code")?;
    let mut ranked = Vec::new();
    for hosts in [100, 1_000, 5_000] {
        ranked.push(Ranked::new(&site, hosts));
    }
    let mut scanned = Scanned::new(&site, 5_000);
    let mut rates: [Vec<f64>; 4] = Default::default();
    let mut p99_us = Vec::new();
    for _ in 0..ROUNDS {
        for (subject, rates) in ranked.iter_mut().zip(&mut rates) {
            rates.push(measure(subject)?);
        }
        rates[3].push(measure(&mut scanned)?);
        p99_us.push(latencies(&mut ranked[2])?);
    }
    let names = NAMES.into_iter();
    let mut figures: Vec<Figure> = names
        .zip(rates)
        .map(|(name, values)| Figure {
            name,
            value: median(values),
            unit: "per_s",
        })
        .collect();
    figures.push(Figure {
        name: NAMES[4],
        value: median(p99_us),
        unit: "us",
    });
    Ok(figures)
}

/// Something that places servers.
trait Subject {
    /// Places one and takes note of it.
    fn place(&mut self, demand: Demand) -> anyhow::Result<HostId>;
    /// Takes one away.
    fn remove(&mut self, host: HostId, demand: Demand);
    /// The servers that run, oldest first.
    fn servers(&mut self) -> &mut VecDeque<(HostId, Demand)>;
    /// Hosts.
    fn hosts(&self) -> usize;
}

fn step(subject: &mut impl Subject, demand: Demand) -> anyhow::Result<()> {
    let host = subject.place(demand)?;
    subject.servers().push_back((host, demand));
    if subject.servers().len() > subject.hosts() * SERVERS_PER_HOST
        && let Some((host, demand)) = subject.servers().pop_front()
    {
        subject.remove(host, demand);
    }
    Ok(())
}

/// Decisions a second.
fn measure(subject: &mut impl Subject) -> anyhow::Result<f64> {
    let start = Instant::now();
    let mut decisions = 0_u32;
    while start.elapsed() < SPAN {
        for demand in DEMANDS {
            step(subject, demand)?;
            decisions += 1;
        }
    }
    Ok(f64::from(decisions) / start.elapsed().as_secs_f64())
}

/// The 99th percentile of single decisions, in microseconds.
fn latencies(subject: &mut impl Subject) -> anyhow::Result<f64> {
    let mut each = Vec::new();
    let start = Instant::now();
    while start.elapsed() < SPAN {
        for demand in DEMANDS {
            let begun = Instant::now();
            step(subject, demand)?;
            each.push(begun.elapsed());
        }
    }
    each.sort_unstable();
    let p99 = each.get(each.len() * 99 / 100).context("no decisions")?;
    Ok(p99.as_secs_f64() * 1e6)
}

struct Ranked {
    site: Code,
    fleet: Fleet,
    reserved: HashMap<HostId, Reserved>,
    version: u64,
    servers: VecDeque<(HostId, Demand)>,
}

impl Ranked {
    fn new(site: &Code, hosts: u32) -> Self {
        let mut fleet = Fleet::new(OVERCOMMIT);
        let mut reserved = HashMap::new();
        for number in 0..hosts {
            let (id, capacity) = host(number);
            fleet.describe(
                1,
                Host {
                    id,
                    name: format!("h{number}"),
                    site: site.clone(),
                    state: HostState::Active,
                    capacity: Some(capacity),
                    joined_at: Timestamp::from_millis(1),
                    changed_at: None,
                    cordon: None,
                    confirmed: None,
                    loss: None,
                    replaced: None,
                },
            );
            reserved.insert(id, Reserved::default());
        }
        Self {
            site: site.clone(),
            fleet,
            reserved,
            version: 1,
            servers: VecDeque::new(),
        }
    }

    fn change(&mut self, host: HostId, change: impl Fn(Reserved) -> Reserved) {
        self.version += 1;
        let reserved = self.reserved.entry(host).or_default();
        *reserved = change(*reserved);
        self.fleet.reserve(self.version, host, *reserved);
    }
}

impl Subject for Ranked {
    fn place(&mut self, demand: Demand) -> anyhow::Result<HostId> {
        let placed = self
            .fleet
            .place(&self.site, demand, &Carriers::All, |_| true);
        let host = placed.ok().context("the fleet is full")?.host;
        self.change(host, |reserved| reserved.with(demand));
        Ok(host)
    }

    fn remove(&mut self, host: HostId, demand: Demand) {
        self.change(host, |reserved| reserved.without(demand));
    }

    fn servers(&mut self) -> &mut VecDeque<(HostId, Demand)> {
        &mut self.servers
    }

    fn hosts(&self) -> usize {
        self.reserved.len()
    }
}

/// The floor: all hosts in a list.
struct Scanned {
    site: Code,
    candidates: Vec<Candidate>,
    places: HashMap<HostId, usize>,
    servers: VecDeque<(HostId, Demand)>,
}

impl Scanned {
    fn new(site: &Code, hosts: u32) -> Self {
        let candidates: Vec<Candidate> = (0..hosts)
            .map(|number| {
                let (host, capacity) = host(number);
                Candidate {
                    host,
                    name: format!("h{number}"),
                    site: site.clone(),
                    state: HostState::Active,
                    cordoned: false,
                    reachable: true,
                    addressable: true,
                    capacity: Some(capacity),
                    reserved: Reserved::default(),
                }
            })
            .collect();
        let places = candidates.iter().map(|candidate| candidate.host);
        Self {
            site: site.clone(),
            places: places.zip(0..).collect(),
            candidates,
            servers: VecDeque::new(),
        }
    }

    fn change(&mut self, host: HostId, change: impl Fn(Reserved) -> Reserved) {
        let reserved = &mut self.candidates[self.places[&host]].reserved;
        *reserved = change(*reserved);
    }
}

impl Subject for Scanned {
    fn place(&mut self, demand: Demand) -> anyhow::Result<HostId> {
        let placed = placement::place(&self.site, demand, OVERCOMMIT, &self.candidates);
        let host = placed.ok().context("the fleet is full")?.host;
        self.change(host, |reserved| reserved.with(demand));
        Ok(host)
    }

    fn remove(&mut self, host: HostId, demand: Demand) {
        self.change(host, |reserved| reserved.without(demand));
    }

    fn servers(&mut self) -> &mut VecDeque<(HostId, Demand)> {
        &mut self.servers
    }

    fn hosts(&self) -> usize {
        self.candidates.len()
    }
}

/// A host of one of three sizes.
fn host(number: u32) -> (HostId, HostCapacity) {
    let mut random = [0; 10];
    random[..4].copy_from_slice(&number.to_be_bytes());
    let size = 1 << (number % 3);
    let capacity = HostCapacity {
        cpus: 32 * size,
        memory: Bytes::gib(256 * u64::from(size)),
        disk: Bytes::gib(4_000 * u64::from(size)),
    };
    let id = HostId::from_uuid(uuid_v7(Timestamp::from_millis(1), random));
    (id, capacity)
}
