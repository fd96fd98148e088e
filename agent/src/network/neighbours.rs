//! Which guests have answered ARP or ND on the guests' bridge, as the kernel knows it, and how it is made to ask.
//!
//! Called while observing (`heard`) and for guests that have not answered since their start (`ask`); decides nothing
//! and changes nothing but the kernel's neighbour table of the bridge. An entry with a guest's hardware address is the
//! guest's own answer: its tap lets nobody else's through.
//!
//! What counts is when the kernel took an answer last (`confirmed`): an entry stays for a while after its guest has
//! gone, so its mere existence says nothing about the present start.

use std::{collections::BTreeMap, net::IpAddr};

use innkeeper_wire::time::Timestamp;
use serde::Deserialize;

use super::{
    NetworkConfig, NetworkError,
    kernel::exists,
    programs::{line, run},
};
use crate::hypervisor::{Heard, Question};

/// One entry of `ip -s -j neigh show`.
#[derive(Debug, Deserialize)]
struct Neighbour {
    dst: IpAddr,
    /// Absent while nobody has answered.
    #[serde(default)]
    lladdr: Option<String>,
    /// Seconds since the last answer.
    #[serde(default)]
    confirmed: u64,
    #[serde(default)]
    state: Vec<String>,
}

/// Who has answered for an address on the guests' bridge, and when.
///
/// # Errors
/// When that can't be found out.
pub(super) async fn heard(
    config: &NetworkConfig,
    now: Timestamp,
) -> Result<BTreeMap<IpAddr, Heard>, NetworkError> {
    if !exists(&config.bridge) {
        return Ok(BTreeMap::new());
    }
    let arguments = ["-s", "-j", "neigh", "show", "dev", &config.bridge];
    let printed = run("ip", &arguments, "").await?;
    let entries: Vec<Neighbour> =
        serde_json::from_slice(&printed).map_err(|source| NetworkError::Output {
            what: format!("ip {}", arguments.join(" ")),
            source,
        })?;
    Ok(read(&entries, now))
}

fn read(entries: &[Neighbour], now: Timestamp) -> BTreeMap<IpAddr, Heard> {
    let heard = entries.iter().filter_map(|entry| {
        let answered = ["REACHABLE", "STALE", "DELAY", "PROBE", "PERMANENT"];
        let is_answer = entry
            .state
            .iter()
            .any(|state| answered.contains(&state.as_str()));
        let mac = entry.lladdr.as_ref().filter(|_| is_answer)?.parse().ok()?;
        // Whole seconds are all that `ip` tells, rounded down.
        let age_s = i64::try_from(entry.confirmed.saturating_add(1)).ok()?;
        let at =
            Timestamp::from_millis(now.as_millis().saturating_sub(age_s.saturating_mul(1_000)));
        Some((entry.dst, Heard { mac, at }))
    });
    heard.collect()
}

/// Has the kernel ask for these addresses now. Answers that it has are doubted, not forgotten.
///
/// # Errors
/// When `ip` can't be run; entries that changed meanwhile are no error.
pub(super) async fn ask(
    config: &NetworkConfig,
    questions: &[Question],
) -> Result<(), NetworkError> {
    if !exists(&config.bridge) {
        return Ok(());
    }
    let lines = questions.iter().fold(String::new(), |mut lines, question| {
        write_question(&mut lines, &config.bridge, question);
        lines
    });
    match run("ip", &["-force", "-batch", "-"], &lines).await {
        // One of the entries was gone already; the others were asked for all the same.
        Ok(_) | Err(NetworkError::Command { .. }) => Ok(()),
        Err(error) => Err(error),
    }
}

fn write_question(lines: &mut String, bridge: &str, question: &Question) {
    let Question {
        address,
        mac,
        known,
    } = question;
    match known {
        Some(known) if known == mac => line(
            lines,
            &format!("neigh replace {address} lladdr {mac} dev {bridge} nud probe"),
        ),
        known => {
            if known.is_some() {
                // Of a server that had the address before: the kernel would ask that one first.
                line(lines, &format!("neigh del {address} dev {bridge}"));
            }
            line(lines, &format!("neigh replace {address} dev {bridge} use"));
        }
    }
}

#[cfg(test)]
mod tests {
    use innkeeper_wire::vm::MacAddress;

    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_790_000_000_000);

    fn mac(last: u8) -> MacAddress {
        format!("02:00:00:00:00:{last:02x}")
            .parse()
            .expect("an address")
    }

    #[test]
    fn an_answer_is_as_old_as_the_kernel_says_and_a_failure_is_none() {
        // As iproute2 6.1 prints it.
        let printed = r#"[
            {"dst":"198.51.100.131","refcnt":1,"used":0,"confirmed":60,"updated":0,"probes":4,"state":["INCOMPLETE"]},
            {"dst":"198.51.100.132","used":3,"confirmed":63,"updated":0,"probes":6,"state":["FAILED"]},
            {"dst":"198.51.100.133","lladdr":"02:00:00:00:00:03","used":3,"confirmed":9,"updated":0,"probes":6,"state":["FAILED"]},
            {"dst":"198.51.100.130","lladdr":"02:00:00:00:00:05","refcnt":1,"used":0,"confirmed":0,"updated":0,"probes":4,"state":["REACHABLE"]},
            {"dst":"2001:db8::5","lladdr":"02:00:00:00:00:05","used":0,"confirmed":45,"updated":10,"probes":4,"state":["STALE"]}
        ]"#;
        let entries: Vec<Neighbour> = serde_json::from_str(printed).expect("as printed");
        let heard = |address: &str, ago: i64| {
            let at = Timestamp::from_millis(NOW.as_millis() - ago * 1_000);
            let address: IpAddr = address.parse().expect("an address");
            (address, Heard { mac: mac(5), at })
        };
        let expected = [heard("198.51.100.130", 1), heard("2001:db8::5", 46)];
        assert_eq!(read(&entries, NOW), BTreeMap::from(expected));
    }

    #[test]
    fn a_former_owner_of_an_address_is_not_asked() {
        let ask = |known| {
            let mut lines = String::new();
            let question = Question {
                address: "192.0.2.7".parse().expect("an address"),
                mac: mac(1),
                known,
            };
            write_question(&mut lines, "br", &question);
            lines
        };
        assert_eq!(ask(None), "neigh replace 192.0.2.7 dev br use\n");
        assert_eq!(
            ask(Some(mac(1))),
            "neigh replace 192.0.2.7 lladdr 02:00:00:00:00:01 dev br nud probe\n"
        );
        assert_eq!(
            ask(Some(mac(2))),
            "neigh del 192.0.2.7 dev br\nneigh replace 192.0.2.7 dev br use\n"
        );
    }
}
