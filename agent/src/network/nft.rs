//! nft's JSON: the commands that make a table, and the expressions of its rules. Knows nothing of guests.

use serde_json::{Value, json};

/// The commands that make one table.
pub(super) struct Table {
    family: &'static str,
    name: &'static str,
    commands: Vec<Value>,
}

impl Table {
    pub(super) fn new(family: &'static str, name: &'static str) -> Self {
        let table = json!({ "table": { "family": family, "name": name } });
        // Added first, so that the deletion never fails: together they replace whatever is there.
        let commands = vec![
            json!({ "add": table }),
            json!({ "delete": table }),
            json!({ "add": table }),
        ];
        Self {
            family,
            name,
            commands,
        }
    }

    /// All commands, in their order.
    pub(super) fn into_commands(self) -> Vec<Value> {
        self.commands
    }

    fn add(&mut self, kind: &str, mut object: Value) {
        object["family"] = json!(self.family);
        object["table"] = json!(self.name);
        self.commands.push(json!({ "add": { kind: object } }));
    }

    pub(super) fn chain(&mut self, name: &str) {
        self.add("chain", json!({ "name": name }));
    }

    pub(super) fn base_chain(&mut self, name: &str, hook: &str, priority: i32) {
        self.add(
            "chain",
            json!({
                "name": name, "type": "filter", "hook": hook, "prio": priority, "policy": "accept",
            }),
        );
    }

    /// A set; nft refuses an empty list of elements or flags, so those are left out.
    pub(super) fn set(&mut self, name: &str, kind: &Value, flags: &[&str], elements: Vec<Value>) {
        let mut set = json!({ "name": name, "type": kind });
        if !flags.is_empty() {
            set["flags"] = json!(flags);
        }
        if !elements.is_empty() {
            set["elem"] = Value::Array(elements);
        }
        self.add("set", set);
    }

    /// A set that packets fill: at most so many elements, each for so long after it was seen last.
    pub(super) fn memory(&mut self, name: &str, kind: &str, size: u32, timeout_s: u32) {
        self.add(
            "set",
            json!({
                "name": name, "type": kind, "size": size, "flags": ["timeout"], "timeout": timeout_s,
            }),
        );
    }

    pub(super) fn map(&mut self, name: &str, key: &str, value: &str, elements: Vec<Value>) {
        let mut map = json!({ "name": name, "type": key, "map": value });
        if !elements.is_empty() {
            map["elem"] = Value::Array(elements);
        }
        self.add("map", map);
    }

    pub(super) fn rule(&mut self, chain: &str, expressions: Vec<Value>) {
        self.add("rule", json!({ "chain": chain, "expr": expressions }));
    }

    pub(super) fn commented_rule(&mut self, chain: &str, expressions: Vec<Value>, comment: &str) {
        self.add(
            "rule",
            json!({ "chain": chain, "expr": expressions, "comment": comment }),
        );
    }
}

pub(super) fn payload(protocol: &str, field: &str) -> Value {
    json!({ "payload": { "protocol": protocol, "field": field } })
}

pub(super) fn meta(key: &str) -> Value {
    json!({ "meta": { "key": key } })
}

pub(super) fn concat<const N: usize>(parts: [Value; N]) -> Value {
    json!({ "concat": parts.to_vec() })
}

pub(super) fn in_set(name: &str) -> Value {
    json!(format!("@{name}"))
}

pub(super) fn equal(left: Value, right: Value) -> Value {
    json!({ "match": { "op": "==", "left": left, "right": right } })
}

pub(super) fn unequal(left: Value, right: Value) -> Value {
    json!({ "match": { "op": "!=", "left": left, "right": right } })
}

pub(super) fn jump(chain: &str) -> Value {
    json!({ "jump": { "target": chain } })
}

/// Notes a packet's field in a set; where that is full, the rule ends here.
pub(super) fn remember(field: Value, set: &str) -> Value {
    json!({ "set": { "op": "update", "elem": field, "set": format!("@{set}") } })
}

pub(super) fn accept() -> Value {
    json!({ "accept": null })
}

pub(super) fn drop() -> Value {
    json!({ "drop": null })
}
