//! Rules as `iptables-save` prints them, in the form that nft's JSON has, so that [`super`] reads both alike: nft does
//! not show those of `iptables-legacy` at all, and of `-m conntrack` not which connections are meant. Pure.

use serde_json::{Value, json};

use super::{By, Certainty, ForeignDrop, Towards};

/// Which of the two programs of the name `iptables` has made rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::network) enum Variant {
    /// With nftables: nft shows them too.
    Nft,
    /// Beside nftables.
    Legacy,
}

/// What is added to the names of legacy tables.
pub(super) const LEGACY: &str = " of iptables-legacy";
/// What iptables has, in either variant.
const TABLES: [&str; 5] = ["filter", "mangle", "nat", "raw", "security"];

/// Whether the tables of nft's JSON have something of iptables that nft does not show whole.
pub(in crate::network) fn hides_states(ruleset: &Value) -> bool {
    let objects = ruleset["nftables"]
        .as_array()
        .map_or(&[][..], Vec::as_slice);
    let rules = objects
        .iter()
        .filter_map(|object| object["rule"]["expr"].as_array());
    rules
        .flatten()
        .any(|expression| is_state_match(&expression["xt"]))
}

/// Whether an expression of iptables asks for the state of a connection.
pub(super) fn is_state_match(xt: &Value) -> bool {
    matches!(xt["name"].as_str(), Some("conntrack" | "state"))
}

/// Takes what `iptables-save` of that family printed into nft's JSON: in place of what is there of the same tables, for
/// the variant that nft shows as well.
pub(in crate::network) fn merge(ruleset: &mut Value, family: &str, saved: &str, variant: Variant) {
    let Some(objects) = ruleset["nftables"].as_array_mut() else {
        return;
    };
    if variant == Variant::Nft {
        objects.retain(|object| {
            let inner = object.get("rule").or(object.get("chain"));
            !inner.is_some_and(|inner| {
                let table = inner["table"].as_str().unwrap_or_default();
                inner["family"] == family && TABLES.contains(&table)
            })
        });
    }
    let mut table = String::new();
    for line in saved.lines() {
        if let Some(name) = line.strip_prefix('*') {
            table = match variant {
                Variant::Nft => name.to_owned(),
                Variant::Legacy => format!("{name}{LEGACY}"),
            };
        } else if let Some(chain) = line.strip_prefix(':') {
            objects.extend(read_chain(family, &table, chain));
        } else if let Some(rule) = line.strip_prefix("-A ") {
            objects.extend(read_rule(family, &table, rule));
        }
    }
}

/// Notes in nft's JSON that there are tables of `iptables-legacy` which nobody can show.
pub(in crate::network) fn note_unread(ruleset: &mut Value, family: &str, program: &str) {
    if let Some(objects) = ruleset["nftables"].as_array_mut() {
        objects.push(json!({ "unread": { "family": family, "program": program } }));
    }
}

/// Those that were noted.
pub(super) fn unread(ruleset: &Value) -> Vec<ForeignDrop> {
    let objects = ruleset["nftables"]
        .as_array()
        .map_or(&[][..], Vec::as_slice);
    let noted = objects.iter().filter_map(|object| object.get("unread"));
    let unread = noted.filter_map(|unread| {
        Some(ForeignDrop {
            table: format!("{} tables{LEGACY}", unread["family"].as_str()?),
            chain: unread["program"].as_str()?.to_owned(),
            towards: Towards::Guests,
            by: By::Unread,
            has_docker: false,
            certainty: Certainty::Likely,
        })
    });
    unread.collect()
}

/// Whether some of these tables, as the kernel lists their names, see what is forwarded.
pub(in crate::network) fn see_forwarded(names: &str) -> bool {
    let seeing = ["filter", "mangle", "security"];
    names.lines().any(|name| seeing.contains(&name.trim()))
}

/// A line as `:FORWARD DROP [0:0]`; a chain of somebody's own has the policy `-`.
fn read_chain(family: &str, table: &str, line: &str) -> Option<Value> {
    let mut words = line.split_whitespace();
    let (name, policy) = (words.next()?, words.next()?);
    let mut chain = json!({ "family": family, "table": table, "name": name });
    if name == "FORWARD" && policy != "-" {
        chain["type"] = json!("filter");
        chain["hook"] = json!("forward");
        chain["policy"] = json!(policy.to_lowercase());
    }
    Some(json!({ "chain": chain }))
}

fn read_rule(family: &str, table: &str, line: &str) -> Option<Value> {
    let mut words = words(line).into_iter();
    let chain = words.next()?;
    let mut expressions = Vec::new();
    let mut op = "==";
    while let Some(word) = words.next() {
        let mut argument = || words.next().unwrap_or_default();
        match word.as_str() {
            "!" => {
                op = "!=";
                continue;
            }
            "-i" => expressions.push(device("iifname", op, &argument())),
            "-o" => expressions.push(device("oifname", op, &argument())),
            "-p" => expressions.push(matched(
                json!({ "meta": { "key": "l4proto" } }),
                op,
                json!(argument()),
            )),
            "--ctstate" | "--state" => {
                let states = argument().to_lowercase();
                let states: Vec<_> = states.split(',').map(str::to_owned).collect();
                let state = json!({ "ct": { "key": "state" } });
                expressions.push(matched(state, op, json!(states)));
            }
            // What they match is in what follows.
            "-m" | "--comment" => drop(argument()),
            "-j" => expressions.push(verdict(&argument(), "jump")),
            "-g" => expressions.push(verdict(&argument(), "goto")),
            // After the target come its own options, which change nothing here.
            _ if expressions.iter().any(is_verdict) => {}
            // Arguments of what is not known stand alone.
            option if option.starts_with('-') => expressions.push(json!({ "unknown": option })),
            _ => {}
        }
        op = "==";
    }
    Some(
        json!({ "rule": { "family": family, "table": table, "chain": chain, "expr": expressions } }),
    )
}

/// Words, of which some are in quotes.
fn words(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let (mut quoted, mut escaped) = (false, false);
    for character in line.chars() {
        match character {
            _ if escaped => escaped = false,
            '\\' => {
                escaped = true;
                continue;
            }
            '"' => {
                quoted = !quoted;
                continue;
            }
            ' ' if !quoted => {
                words.push(String::new());
                continue;
            }
            _ => {}
        }
        words.last_mut().expect("never empty").push(character);
    }
    words.retain(|word| !word.is_empty());
    words
}

fn matched(left: Value, op: &str, right: Value) -> Value {
    json!({ "match": { "op": op, "left": left, "right": right } })
}

/// iptables ends names with a plus where nft has a star.
fn device(key: &str, op: &str, name: &str) -> Value {
    let name = match name.strip_suffix('+') {
        Some(start) => format!("{start}*"),
        None => name.to_owned(),
    };
    matched(json!({ "meta": { "key": key } }), op, json!(name))
}

fn verdict(target: &str, way: &str) -> Value {
    match target {
        "ACCEPT" => json!({ "accept": null }),
        "DROP" | "REJECT" => json!({ "drop": null }),
        "RETURN" => json!({ "return": null }),
        "QUEUE" | "NFQUEUE" => json!({ "queue": null }),
        // Those that go on to the next rule.
        "AUDIT" | "CHECKSUM" | "CLASSIFY" | "CONNMARK" | "CONNSECMARK" | "CT" | "DSCP" | "LED"
        | "LOG" | "MARK" | "NFLOG" | "SECMARK" | "SET" | "TCPMSS" | "TCPOPTSTRIP" | "TEE"
        | "TOS" | "TRACE" | "TTL" | "HL" | "ULOG" => json!({ "counter": null }),
        chain => json!({ way: { "target": chain } }),
    }
}

fn is_verdict(expression: &Value) -> bool {
    [
        "accept", "drop", "return", "queue", "counter", "jump", "goto",
    ]
    .iter()
    .any(|kind| expression.get(kind).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::foreign::drops;

    /// As iptables-legacy 1.8.9 prints what docker makes.
    const DOCKER: &str = r#"# Generated by iptables-save v1.8.9 on Sat Nov 28 16:00:00 2026
*filter
:INPUT ACCEPT [0:0]
:FORWARD DROP [12:720]
:OUTPUT ACCEPT [0:0]
:DOCKER - [0:0]
:DOCKER-USER - [0:0]
-A FORWARD -j DOCKER-USER
-A FORWARD -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A FORWARD -o docker0 -j DOCKER
-A FORWARD -i docker0 ! -o docker0 -j ACCEPT
-A DOCKER -d 172.17.0.2/32 ! -i docker0 -o docker0 -p tcp -m tcp --dport 80 -j ACCEPT
-A DOCKER-USER -m comment --comment "ours: -j ACCEPT" -j RETURN
COMMIT
"#;

    fn found(saved: &str, family: &str, variant: Variant) -> Vec<ForeignDrop> {
        let mut ruleset = json!({ "nftables": [] });
        merge(&mut ruleset, family, saved, variant);
        drops(&ruleset, "innkeeper0", Some("eth0"))
    }

    #[test]
    fn a_policy_of_iptables_legacy_is_found() {
        let drops = found(DOCKER, "ip", Variant::Legacy);
        let ways: Vec<_> = drops.iter().map(|drop| (drop.towards, drop.by)).collect();
        assert_eq!(
            ways,
            [(Towards::Guests, By::Policy), (Towards::World, By::Policy)]
        );
        insta::assert_snapshot!(drops[0].describe("innkeeper0"));
        let cured = DOCKER.replace(
            "-A DOCKER-USER -m",
            "-A DOCKER-USER -i innkeeper0 -j ACCEPT\n-A DOCKER-USER -o innkeeper0 -j ACCEPT\n-A DOCKER-USER -m",
        );
        assert_eq!(found(&cured, "ip", Variant::Legacy), []);
        assert_eq!(
            found(
                &DOCKER.replace("FORWARD DROP", "FORWARD ACCEPT"),
                "ip",
                Variant::Legacy
            ),
            []
        );
    }

    /// Which connections a rule means decides: new ones, or those that stand.
    #[test]
    fn states_are_read() {
        let rules = |states: &str| {
            format!(
                "*filter\n:FORWARD DROP [0:0]\n-A FORWARD -i innkeeper0 -m conntrack --ctstate {states} -j ACCEPT\n\
                 -A FORWARD -o inn+ -m state --state {states} -j ACCEPT\nCOMMIT\n"
            )
        };
        assert_eq!(found(&rules("NEW,ESTABLISHED"), "ip6", Variant::Nft), []);
        let drops = found(&rules("RELATED,ESTABLISHED"), "ip6", Variant::Nft);
        assert_eq!(drops.len(), 2);
        assert!(
            drops.iter().all(|drop| drop.table == "ip6 filter"),
            "{drops:?}"
        );
        let said = drops[0].describe("innkeeper0");
        assert!(
            said.contains("drops what") && !said.contains("may"),
            "{said}"
        );
    }

    #[test]
    fn rules_that_nobody_can_read_are_named() {
        assert!(
            see_forwarded("nat\nfilter\n") && !see_forwarded("nat\nraw\n") && !see_forwarded("")
        );
        let mut ruleset = json!({ "nftables": [] });
        note_unread(&mut ruleset, "ip6", "ip6tables-legacy-save");
        let drops = drops(&ruleset, "innkeeper0", None);
        assert_eq!(drops.len(), 1);
        insta::assert_snapshot!(drops[0].describe("innkeeper0"));
        assert!(!drops[0].concerns(&["192.0.2.1".parse().expect("an address")].into()));
    }

    /// nft shows rules of iptables without their states: those that iptables itself prints take their place.
    #[test]
    fn what_iptables_prints_takes_the_place_of_what_nft_shows() {
        let chain = json!({ "family": "ip", "table": "filter", "name": "FORWARD", "type": "filter",
            "hook": "forward", "prio": 0, "policy": "drop" });
        let rule = json!({ "family": "ip", "table": "filter", "chain": "FORWARD",
            "expr": [{ "xt": { "type": "match", "name": "conntrack" } }, { "accept": null }] });
        let other = json!({ "family": "ip", "table": "theirs", "name": "f", "type": "filter",
            "hook": "forward", "prio": 0, "policy": "drop" });
        let mut ruleset =
            json!({ "nftables": [{ "chain": chain }, { "rule": rule }, { "chain": other }] });
        assert!(hides_states(&ruleset));
        let unread = drops(&ruleset, "innkeeper0", Some("eth0"));
        let said = unread[0].describe("innkeeper0");
        assert!(said.contains("may drop"), "{said}");
        let saved = "*filter\n:FORWARD DROP [0:0]\n-A FORWARD -m conntrack --ctstate NEW,ESTABLISHED -j ACCEPT\nCOMMIT\n";
        merge(&mut ruleset, "ip", saved, Variant::Nft);
        assert!(!hides_states(&ruleset));
        let tables: Vec<_> = drops(&ruleset, "innkeeper0", Some("eth0"))
            .into_iter()
            .map(|drop| drop.table)
            .collect();
        assert_eq!(tables, ["ip theirs", "ip theirs"]);
    }
}
