//! Other programs' rules that drop what guests send or get: docker's and ufw's `FORWARD` with the policy *drop* are
//! the usual ones. Nothing of ours can mend that, since a packet must be let through by every table; so it is
//! found and named. Pure: [`super::Network`] hands in what `nft -j list ruleset` printed.
//!
//! Each base chain of another table that is hooked to *forward* is walked as a new TCP connection would walk it,
//! from outside to a guest and from a guest to the outside; nobody has translated its addresses. A match that can't
//! be judged is one that may or may not hold: where anything might accept, nothing is said. Only rules for connections
//! that stand are so usual with iptables that they are taken for that when nothing shows their states ([`iptables`]):
//! such a chain *may* drop.

use std::{
    collections::{BTreeSet, HashMap},
    net::IpAddr,
};

use serde_json::Value;

use super::rules::is_ours;

pub(super) mod iptables;

/// A chain that drops guests' packets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ForeignDrop {
    /// Family and name of the table, such as `ip filter`.
    pub(super) table: String,
    /// The chain with the policy or rule that drops.
    pub(super) chain: String,
    /// Which packets.
    pub(super) towards: Towards,
    /// What drops them.
    pub(super) by: By,
    /// The table has a chain that docker keeps for operators' own rules.
    has_docker: bool,
    pub(super) certainty: Certainty,
}

/// Whether all rules that lead there could be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Certainty {
    /// They could.
    Certain,
    /// One asks for the state of a connection, and nothing shows which.
    Likely,
}

/// Which way packets go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Towards {
    Guests,
    World,
}

/// What drops a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum By {
    Policy,
    Rule,
    /// Rules that can't be read.
    Unread,
}

impl ForeignDrop {
    /// Whether it keeps anything from guests with these addresses. Before the first guest everything is worth knowing.
    pub(super) fn concerns(&self, guests: &BTreeSet<IpAddr>) -> bool {
        let mut guests = guests.iter().peekable();
        guests.peek().is_none()
            || match self.family() {
                "ip" => guests.any(IpAddr::is_ipv4),
                "ip6" => guests.any(IpAddr::is_ipv6),
                _ => true,
            }
    }

    fn family(&self) -> &str {
        self.table.split(' ').next().unwrap_or_default()
    }

    /// What an operator needs to know.
    pub(super) fn describe(&self, bridge: &str) -> String {
        let Self { table, chain, .. } = self;
        if self.by == By::Unread {
            return format!(
                "there are rules in `{table}`, which only `{chain}` shows: that can't be run, and they may drop what guests send or get; what helps: the package iptables, or `rmmod` of what nobody uses"
            );
        }
        let what = match self.towards {
            Towards::Guests => "comes for guests",
            Towards::World => "guests send",
        };
        let why = match self.by {
            By::Policy => "its policy is drop and no rule of it lets them through",
            By::Rule | By::Unread => "a rule of it does",
        };
        let cure = if self.has_docker {
            let variant = if table.ends_with(iptables::LEGACY) {
                "-legacy"
            } else {
                ""
            };
            let program = match self.family() {
                "ip6" => format!("ip6tables{variant}"),
                _ => format!("iptables{variant}"),
            };
            format!(
                "{program} -I DOCKER-USER -i {bridge} -j ACCEPT; {program} -I DOCKER-USER -o {bridge} -j ACCEPT"
            )
        } else {
            format!("rules at its beginning that accept iifname and oifname {bridge}")
        };
        let drops = match self.certainty {
            Certainty::Certain => "drops",
            Certainty::Likely => "may drop",
        };
        let doubt = match self.certainty {
            Certainty::Certain => "",
            Certainty::Likely => {
                ", unless one with `-m conntrack` means new connections, which nft does not show"
            }
        };
        format!(
            "the chain {chain} of the table `{table}`, which is not ours, {drops} what {what} ({why}{doubt}); what helps: {cure}"
        )
    }
}

/// The chains that drop guests' packets, one for each base chain and direction.
pub(super) fn drops(ruleset: &Value, bridge: &str, uplink: Option<&str>) -> Vec<ForeignDrop> {
    let rules = Rules::of(ruleset);
    let mut drops = iptables::unread(ruleset);
    for base in &rules.bases {
        for towards in [Towards::Guests, Towards::World] {
            let packet = match towards {
                Towards::Guests => Packet {
                    from: uplink,
                    to: Some(bridge),
                },
                Towards::World => Packet {
                    from: Some(bridge),
                    to: uplink,
                },
            };
            let mut walk = Walk {
                rules: &rules,
                table: &base.table,
                bridge,
                packet,
                may_be_accepted: false,
                certainty: Certainty::Certain,
            };
            let end = walk.chain(&base.chain, 0);
            let (chain, by) = match end {
                End::Dropped(chain) => (chain, By::Rule),
                End::Returned if base.drops => (base.chain.clone(), By::Policy),
                End::Returned | End::Accepted => continue,
            };
            if !walk.may_be_accepted {
                let docker = (base.table.clone(), "DOCKER-USER".to_owned());
                drops.push(ForeignDrop {
                    table: base.table.clone(),
                    chain,
                    towards,
                    by,
                    has_docker: rules.chains.contains_key(&docker),
                    certainty: walk.certainty,
                });
            }
        }
    }
    drops
}

/// A base chain of *forward*.
struct Base {
    table: String,
    chain: String,
    drops: bool,
}

/// All rules, by table and chain.
struct Rules<'a> {
    bases: Vec<Base>,
    chains: HashMap<(String, String), Vec<&'a [Value]>>,
}

impl<'a> Rules<'a> {
    fn of(ruleset: &'a Value) -> Self {
        let mut rules = Self {
            bases: Vec::new(),
            chains: HashMap::new(),
        };
        let objects = ruleset["nftables"]
            .as_array()
            .map_or(&[][..], Vec::as_slice);
        for object in objects {
            if let Some(chain) = object.get("chain").filter(|chain| is_routed(chain)) {
                let (table, name) = (table_of(chain), text_of(&chain["name"]));
                if chain["hook"] == "forward" && chain["type"] == "filter" {
                    rules.bases.push(Base {
                        table: table.clone(),
                        chain: name.clone(),
                        drops: chain["policy"] == "drop",
                    });
                }
                rules.chains.entry((table, name)).or_default();
            }
            if let Some(rule) = object.get("rule").filter(|rule| is_routed(rule)) {
                let place = (table_of(rule), text_of(&rule["chain"]));
                let expressions = rule["expr"].as_array().map_or(&[][..], Vec::as_slice);
                rules.chains.entry(place).or_default().push(expressions);
            }
        }
        rules
    }
}

/// Whether it is of a family that sees routed packets, and not ours.
fn is_routed(object: &Value) -> bool {
    let family = object["family"].as_str().unwrap_or_default();
    let table = object["table"].as_str().unwrap_or_default();
    matches!(family, "ip" | "ip6" | "inet") && !is_ours(family, table)
}

fn table_of(object: &Value) -> String {
    format!(
        "{} {}",
        text_of(&object["family"]),
        text_of(&object["table"])
    )
}

fn text_of(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// The devices of a packet; `None`: it may be any but the bridge.
#[derive(Clone, Copy)]
struct Packet<'a> {
    from: Option<&'a str>,
    to: Option<&'a str>,
}

/// What a match says of the packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Holds {
    Yes,
    No,
    Maybe,
}

impl Holds {
    fn from(holds: bool) -> Self {
        if holds { Self::Yes } else { Self::No }
    }

    fn not(self) -> Self {
        match self {
            Self::Yes => Self::No,
            Self::No => Self::Yes,
            Self::Maybe => Self::Maybe,
        }
    }
}

/// How a chain ends for the packet, for certain.
enum End {
    Accepted,
    /// In the chain of that name.
    Dropped(String),
    Returned,
}

struct Walk<'a> {
    rules: &'a Rules<'a>,
    table: &'a str,
    bridge: &'a str,
    packet: Packet<'a>,
    /// Something that can't be judged might have let the packet through.
    may_be_accepted: bool,
    certainty: Certainty,
}

/// The kernel allows 16.
const DEPTH_MAX: usize = 16;

impl Walk<'_> {
    fn chain(&mut self, name: &str, depth: usize) -> End {
        let place = (self.table.to_owned(), name.to_owned());
        let Some(rules) = self.rules.chains.get(&place).filter(|_| depth <= DEPTH_MAX) else {
            self.may_be_accepted = true;
            return End::Returned;
        };
        for rule in rules {
            if let Some(end) = self.rule(rule, name, depth) {
                return end;
            }
        }
        End::Returned
    }

    /// How the chain ends with this rule, if it does.
    fn rule(&mut self, expressions: &[Value], chain: &str, depth: usize) -> Option<End> {
        let mut holds = Holds::Yes;
        let names_bridge = self.names_bridge(expressions);
        for expression in expressions {
            let verdict = match expression.get("vmap") {
                Some(vmap) => self.looked_up(vmap),
                None => Verdict::of(expression),
            };
            match verdict {
                Some(verdict) => {
                    if let Some(end) = self.verdict(verdict, holds, chain, depth) {
                        return Some(end);
                    }
                }
                None => match self.holds(expression, names_bridge) {
                    Holds::Yes => {}
                    Holds::No => return None,
                    Holds::Maybe => holds = Holds::Maybe,
                },
            }
        }
        None
    }

    fn verdict(
        &mut self,
        verdict: Verdict,
        holds: Holds,
        chain: &str,
        depth: usize,
    ) -> Option<End> {
        let is_certain = holds == Holds::Yes;
        match verdict {
            Verdict::Accept if is_certain => Some(End::Accepted),
            Verdict::Drop if is_certain => Some(End::Dropped(chain.to_owned())),
            Verdict::Return if is_certain => Some(End::Returned),
            // What might be dropped is somebody's choice.
            Verdict::Drop => None,
            Verdict::Accept | Verdict::Return | Verdict::Unknown => {
                self.may_be_accepted = true;
                None
            }
            Verdict::Jump(target) => match self.chain(&target, depth + 1) {
                End::Returned => None,
                End::Accepted if !is_certain => {
                    self.may_be_accepted = true;
                    None
                }
                End::Dropped(_) if !is_certain => None,
                end => Some(end),
            },
            Verdict::Goto(target) => {
                let end = self.chain(&target, depth + 1);
                self.may_be_accepted |= !is_certain && !matches!(end, End::Dropped(_));
                is_certain.then_some(end)
            }
        }
    }

    /// What a verdict map says of the packet; `None`: it has nothing for it.
    fn looked_up(&self, vmap: &Value) -> Option<Verdict> {
        let Some(pairs) = vmap["data"]["set"].as_array() else {
            return Some(Verdict::Unknown);
        };
        for pair in pairs {
            let holds = self.compare(&vmap["key"], &pair[0]);
            let verdict = Verdict::of(&pair[1]);
            match holds {
                Holds::Yes => return verdict,
                Holds::No => {}
                Holds::Maybe if verdict == Some(Verdict::Drop) => {}
                Holds::Maybe => return Some(Verdict::Unknown),
            }
        }
        None
    }

    fn holds(&mut self, expression: &Value, names_bridge: bool) -> Holds {
        if let Some(found) = expression.get("match") {
            let holds = self.compare(&found["left"], &found["right"]);
            return if found["op"] == "!=" {
                holds.not()
            } else {
                holds
            };
        }
        if let Some(xt) = expression.get("xt") {
            return match xt["name"].as_str() {
                Some("comment") => Holds::Yes,
                // Connections that stand, nearly always; nft does not show which. Where somebody has named our
                // bridge he may have meant new ones.
                _ if iptables::is_state_match(xt) && !names_bridge => {
                    self.certainty = Certainty::Likely;
                    Holds::No
                }
                Some("icmp" | "icmp6" | "udp") => Holds::No,
                _ if xt["type"] == "target" => Holds::Yes,
                _ => Holds::Maybe,
            };
        }
        let passes = ["counter", "log", "comment"];
        let is_plain = passes.iter().any(|kind| expression.get(kind).is_some());
        if is_plain { Holds::Yes } else { Holds::Maybe }
    }

    /// Whether what `left` stands for is (one of) `right`.
    fn compare(&self, left: &Value, right: &Value) -> Holds {
        let key = left["meta"]["key"].as_str();
        match key {
            Some("iif" | "iifname") => return is_device(self.packet.from, self.bridge, right),
            Some("oif" | "oifname") => return is_device(self.packet.to, self.bridge, right),
            Some("l4proto") => return among(right, &["tcp", "6"]),
            _ => {}
        }
        let payload = &left["payload"];
        match (payload["protocol"].as_str(), payload["field"].as_str()) {
            (Some("ip"), Some("protocol")) | (Some("ip6"), Some("nexthdr")) => {
                return among(right, &["tcp", "6"]);
            }
            (Some("icmp" | "icmpv6" | "udp"), _) => return Holds::No,
            _ => {}
        }
        if left["ct"]["key"] == "state" {
            return among(right, &["new"]);
        }
        if left["ct"]["key"] == "status" && !right.is_number() {
            // Nothing was translated, answered or expected yet.
            return among(right, &[]);
        }
        Holds::Maybe
    }

    fn names_bridge(&self, expressions: &[Value]) -> bool {
        expressions.iter().any(|expression| {
            let found = &expression["match"];
            let is_device = matches!(
                found["left"]["meta"]["key"].as_str(),
                Some("iif" | "iifname" | "oif" | "oifname")
            );
            is_device && found["op"] != "!=" && among(&found["right"], &[self.bridge]) == Holds::Yes
        })
    }
}

/// Whether a packet's device is (one of) those that a rule names. One that is not known is not the bridge, for
/// certain, and may be any other.
fn is_device(device: Option<&str>, bridge: &str, named: &Value) -> Holds {
    match device {
        Some(device) => among(named, &[device]),
        // Nothing is forwarded from or to this one.
        None if named == "lo" => Holds::No,
        None => match among(named, &[bridge]) {
            Holds::Yes if named.is_string() => Holds::No,
            _ => Holds::Maybe,
        },
    }
}

/// Whether one of `words` is `value`, or in the set or list that it is. Names may end with a `*`.
fn among(value: &Value, words: &[&str]) -> Holds {
    let is = |value: &Value| match value {
        Value::String(text) => match text.strip_suffix('*') {
            Some(start) => Holds::from(words.iter().any(|word| word.starts_with(start))),
            None if text.starts_with('@') => Holds::Maybe,
            None => Holds::from(words.contains(&text.as_str())),
        },
        Value::Number(number) => Holds::from(words.contains(&number.to_string().as_str())),
        _ => Holds::Maybe,
    };
    let list = value["set"].as_array().or_else(|| value.as_array());
    let Some(list) = list else { return is(value) };
    let found: Vec<_> = list.iter().map(is).collect();
    [Holds::Yes, Holds::Maybe]
        .into_iter()
        .find(|holds| found.contains(holds))
        .unwrap_or(Holds::No)
}

/// What a statement does with a packet.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Verdict {
    Accept,
    Drop,
    Return,
    Jump(String),
    Goto(String),
    Unknown,
}

impl Verdict {
    fn of(expression: &Value) -> Option<Self> {
        let object = expression.as_object()?;
        let (kind, inner) = object.iter().next()?;
        match kind.as_str() {
            "accept" => Some(Self::Accept),
            "drop" | "reject" => Some(Self::Drop),
            "return" => Some(Self::Return),
            "jump" => Some(Self::Jump(text_of(&inner["target"]))),
            "goto" => Some(Self::Goto(text_of(&inner["target"]))),
            // Whoever takes packets from a queue decides.
            "queue" => Some(Self::Unknown),
            "xt" if inner["name"] == "REJECT" => Some(Self::Drop),
            "xt" if inner["name"] == "NFQUEUE" => Some(Self::Unknown),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// A table `ip filter` with these rules in `FORWARD`, and others in `OTHER`.
    fn filter(policy: &str, forward: &[Value], other: &[Value]) -> Value {
        let mut objects = vec![
            json!({ "chain": { "family": "ip", "table": "filter", "name": "FORWARD", "type": "filter",
                "hook": "forward", "prio": 0, "policy": policy } }),
            json!({ "chain": { "family": "ip", "table": "filter", "name": "OTHER" } }),
        ];
        for (chain, rules) in [("FORWARD", forward), ("OTHER", other)] {
            for expressions in rules {
                objects.push(
                    json!({ "rule": { "family": "ip", "table": "filter", "chain": chain,
                    "expr": expressions } }),
                );
            }
        }
        json!({ "nftables": objects })
    }

    fn found(ruleset: &Value) -> Vec<(Towards, By)> {
        let drops = drops(ruleset, "innkeeper0", Some("eth0"));
        assert!(drops.iter().all(|drop| drop.table == "ip filter"));
        drops.iter().map(|drop| (drop.towards, drop.by)).collect()
    }

    fn device(key: &str, op: &str, name: &str) -> Value {
        json!({ "match": { "op": op, "left": { "meta": { "key": key } }, "right": name } })
    }

    fn state(states: &[&str]) -> Value {
        json!({ "match": { "op": "in", "left": { "ct": { "key": "state" } }, "right": states } })
    }

    fn xt(name: &str) -> Value {
        json!({ "xt": { "type": "match", "name": name } })
    }

    fn accept() -> Value {
        json!({ "accept": null })
    }

    /// A rule with a match of a device.
    fn accepts(key: &str, op: &str, name: &str) -> Value {
        json!([device(key, op, name), accept()])
    }

    fn jump() -> Value {
        json!([{ "counter": { "packets": 0 } }, { "jump": { "target": "OTHER" } }])
    }

    #[test]
    fn a_policy_drops_what_no_rule_lets_through() {
        let both = [(Towards::Guests, By::Policy), (Towards::World, By::Policy)];
        let icmp = json!({ "match": { "op": "==", "left": { "meta": { "key": "l4proto" } }, "right": "icmp" } });
        let from_docker = [
            device("iifname", "==", "docker0"),
            device("oifname", "!=", "docker0"),
            accept(),
        ];
        for (name, rules) in [
            ("empty", vec![]),
            (
                "docker",
                vec![
                    jump(),
                    json!([
                        device("oifname", "==", "docker0"),
                        xt("conntrack"),
                        accept()
                    ]),
                    json!(from_docker),
                ],
            ),
            (
                "ufw",
                vec![
                    json!([xt("conntrack"), { "counter": {} }, accept()]),
                    json!([icmp, xt("icmp"), accept()]),
                ],
            ),
            (
                "established only",
                vec![json!([state(&["established", "related"]), accept()])],
            ),
        ] {
            assert_eq!(found(&filter("drop", &rules, &[])), both, "{name}");
        }
        assert_eq!(found(&filter("accept", &[], &[])), []);
    }

    #[test]
    fn a_policy_drops_nothing_that_a_rule_may_let_through() {
        let from_us = || accepts("iifname", "==", "innkeeper0");
        let to_us = || accepts("oifname", "==", "innkeeper0");
        let address = json!({ "match": { "op": "==", "right": "203.0.113.0",
            "left": { "payload": { "protocol": "ip", "field": "daddr" } } } });
        for (name, forward, other, expected) in [
            (
                "docker with the operator's own rules",
                vec![jump()],
                vec![from_us(), to_us()],
                vec![],
            ),
            (
                "one direction alone",
                vec![jump()],
                vec![from_us()],
                vec![(Towards::Guests, By::Policy)],
            ),
            (
                "all but docker",
                vec![accepts("oifname", "!=", "docker0")],
                vec![],
                vec![],
            ),
            (
                "names with a star",
                vec![accepts("oifname", "==", "inn*"), from_us()],
                vec![],
                vec![],
            ),
            (
                "an address that nobody can judge",
                vec![json!([address, accept()])],
                vec![],
                vec![],
            ),
            (
                "new connections of the bridge, by iptables",
                vec![
                    json!([
                        device("iifname", "==", "innkeeper0"),
                        xt("conntrack"),
                        accept()
                    ]),
                    to_us(),
                ],
                vec![],
                vec![],
            ),
        ] {
            assert_eq!(found(&filter("drop", &forward, &other)), expected, "{name}");
        }
    }

    #[test]
    fn a_rule_drops_unless_it_excludes_the_bridge() {
        let drop = || json!({ "drop": null });
        let rule = |key, op, name| filter("accept", &[json!([device(key, op, name), drop()])], &[]);
        let state_map = json!([{ "vmap": { "key": { "ct": { "key": "state" } },
            "data": { "set": [["established", { "accept": null }], ["new", { "drop": null }]] } } }]);
        for (name, ruleset, expected) in [
            (
                "everything",
                filter("accept", &[json!([drop()])], &[]),
                vec![(Towards::Guests, By::Rule), (Towards::World, By::Rule)],
            ),
            (
                "rejects all but docker",
                rule("oifname", "!=", "docker0"),
                vec![(Towards::Guests, By::Rule), (Towards::World, By::Rule)],
            ),
            ("another device", rule("iifname", "==", "docker0"), vec![]),
            (
                "from the uplink",
                rule("iifname", "==", "eth0"),
                vec![(Towards::Guests, By::Rule)],
            ),
            (
                "new connections by a map",
                filter("accept", &[state_map], &[]),
                vec![(Towards::Guests, By::Rule), (Towards::World, By::Rule)],
            ),
            (
                "invalid ones",
                filter("accept", &[json!([state(&["invalid"]), drop()])], &[]),
                vec![],
            ),
            (
                "a port",
                filter(
                    "accept",
                    &[json!([
                        { "match": { "op": "==", "left": { "payload": { "protocol": "tcp", "field": "dport" } },
                            "right": 25 } }, drop()
                    ])],
                    &[],
                ),
                vec![],
            ),
        ] {
            assert_eq!(found(&ruleset), expected, "{name}");
        }
    }

    /// As firewalld makes it: the policy is accept, and the last rule rejects.
    #[test]
    fn firewalld_is_found() {
        let status = json!({ "match": { "op": "in", "left": { "ct": { "key": "status" } }, "right": "dnat" } });
        let reject = json!({ "reject": { "type": "icmpx", "expr": "admin-prohibited" } });
        let rules = |zones: &[Value]| {
            filter(
                "accept",
                &[
                    json!([state(&["established", "related"]), accept()]),
                    json!([status, accept()]),
                    accepts("iifname", "==", "lo"),
                    jump(),
                    json!([state(&["invalid"]), { "drop": null }]),
                    json!([reject]),
                ],
                zones,
            )
        };
        let both = [(Towards::Guests, By::Rule), (Towards::World, By::Rule)];
        assert_eq!(found(&rules(&[])), both);
        assert_eq!(drops(&rules(&[]), "innkeeper0", None).len(), 2, "no uplink");
        let zones = [
            accepts("iifname", "==", "innkeeper0"),
            accepts("oifname", "==", "innkeeper0"),
        ];
        assert_eq!(found(&rules(&zones)), [], "the bridge is trusted");
    }

    /// A drop in IPv6 is no fault of a host whose guests have none.
    #[test]
    fn a_drop_concerns_guests_of_its_family() {
        let addresses = |texts: &[&str]| -> BTreeSet<IpAddr> {
            let parsed = texts.iter().map(|text| text.parse().expect("an address"));
            parsed.collect()
        };
        let (v4, v6) = ("192.0.2.1", "2001:db8::1");
        for (family, v4_only, v6_only) in [
            ("ip", true, false),
            ("ip6", false, true),
            ("inet", true, true),
        ] {
            let ruleset = json!({ "nftables": [
                { "chain": { "family": family, "table": "filter", "name": "FORWARD", "type": "filter",
                    "hook": "forward", "prio": 0, "policy": "drop" } },
                { "chain": { "family": family, "table": "filter", "name": "DOCKER-USER" } },
            ] });
            let drops = drops(&ruleset, "innkeeper0", None);
            let concerns = |texts: &[&str]| drops[0].concerns(&addresses(texts));
            assert_eq!(concerns(&[v4]), v4_only, "{family}");
            assert_eq!(concerns(&[v6]), v6_only, "{family}");
            assert!(concerns(&[v4, v6]) && concerns(&[]), "{family}");
            let said = drops[0].describe("innkeeper0");
            assert_eq!(said.contains("ip6tables -I"), family == "ip6", "{said}");
        }
    }

    #[test]
    fn our_own_tables_and_bridged_packets_do_not_count() {
        for (family, table, count) in [
            ("inet", "innkeeper", 0),
            ("inet", "innkeeper_grants", 0),
            ("bridge", "filter", 0),
            ("inet", "innkeeper2", 2),
        ] {
            let ruleset = json!({ "nftables": [{ "chain": { "family": family, "table": table,
                "name": "forward", "type": "filter", "hook": "forward", "prio": 0, "policy": "drop" } }] });
            assert_eq!(
                drops(&ruleset, "innkeeper0", None).len(),
                count,
                "{family} {table}"
            );
        }
    }

    #[test]
    fn what_is_said_names_table_chain_and_cure() {
        let ruleset = filter("drop", &[], &[]);
        let drops = drops(&ruleset, "innkeeper0", Some("eth0"));
        insta::assert_snapshot!(drops[0].describe("innkeeper0"));
    }
}
