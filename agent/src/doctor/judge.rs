//! What the things that `doctor` found mean, and what to do about them. Pure.

use std::{net::IpAddr, time::Duration};

use innkeeper_wire::{size::Bytes, time::Timestamp};
use nix::unistd::Uid;

use super::Verdict;
use crate::{config::Config, gaps::Gap};

/// The clocks of host and control plane may differ by so much without anybody noticing.
const SKEW_GOOD: Duration = Duration::from_secs(5);
/// From here on times in both logs tell nothing any more, and certificates are next.
const SKEW_MAX: Duration = Duration::from_secs(60);

/// An uplink as `ip` shows it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Uplink {
    /// `operstate`: `UP`, `DOWN`, `UNKNOWN` (devices without a carrier, such as a dummy).
    pub state: String,
    /// Routes over it, but for those of its own link-local addresses.
    pub routes: usize,
}

/// The agent is root's.
#[must_use]
pub fn user(user: Uid) -> Verdict {
    if user.is_root() {
        Verdict::Good("root".to_owned())
    } else {
        Verdict::Bad("this needs root: run it with sudo, or as root".to_owned())
    }
}

/// The device on which the host answers for its guests. `found`: as it is, `None` when there is none of that name.
#[must_use]
pub fn uplink(config: &Config, found: Option<&Uplink>) -> Verdict {
    let Some(name) = &config.uplink else {
        return if config.routed {
            Verdict::Good("none: the network around routes guests' addresses here".to_owned())
        } else {
            Verdict::Bad(Gap::Reach.to_string())
        };
    };
    match found {
        None => Verdict::Bad(format!(
            "there is no device `{name}` here; `ip link` lists them: correct `uplink`"
        )),
        Some(found) if found.state.eq_ignore_ascii_case("down") => Verdict::Bad(format!(
            "{name} is down: `ip link set {name} up`, or look after its cable"
        )),
        Some(found) if found.routes == 0 => Verdict::Bad(format!(
            "{name} is up and has neither address nor route: nobody is reached over it. Is it the right device?"
        )),
        Some(_) => Verdict::Good(format!("{name} is up and has a route")),
    }
}

/// The name servers that guests are told of.
#[must_use]
pub fn nameservers(config: &Config, own: &[IpAddr]) -> Verdict {
    match config.nameservers(own) {
        Err(gap) => Verdict::Bad(gap.to_string()),
        Ok(servers) => {
            let list: Vec<_> = servers.iter().map(ToString::to_string).collect();
            let whose = match config.nameservers {
                Some(_) => "as configured",
                None => "those of this machine",
            };
            Verdict::Good(format!("{} ({whose})", list.join(", ")))
        }
    }
}

/// Room for guests' disks. `size` and `free` are the file system's.
#[must_use]
pub fn disk(size: Bytes, free: Bytes, reserved: Bytes) -> Verdict {
    let (size_gib, free_gib) = (size.0 / Bytes::GIB, free.0 / Bytes::GIB);
    let reserved_gib = reserved.0 / Bytes::GIB;
    if size.0 <= reserved.0 {
        Verdict::Bad(format!(
            "the file system has {size_gib} GiB and `disk_reserved_gib` keeps {reserved_gib} of them: no room for a \
             guest. Put `state_dir` on a larger one"
        ))
    } else if free.0 <= reserved.0 {
        Verdict::Odd(format!(
            "{free_gib} GiB of {size_gib} are free and {reserved_gib} are kept free: there is no room for another guest"
        ))
    } else {
        Verdict::Good(format!(
            "{free_gib} GiB of {size_gib} are free, {reserved_gib} of them kept free"
        ))
    }
}

/// Memory for guests, in bytes.
#[must_use]
pub fn memory(total: Bytes, reserved: Bytes) -> Verdict {
    let (total_mib, reserved_mib) = (total.0 / Bytes::MIB, reserved.0 / Bytes::MIB);
    if total.0 <= reserved.0 {
        Verdict::Bad(format!(
            "this machine has {total_mib} MiB and `memory_reserved_mib` keeps {reserved_mib} of them: none is left for \
             guests"
        ))
    } else {
        Verdict::Good(format!(
            "{total_mib} MiB, {reserved_mib} of them kept for this machine"
        ))
    }
}

/// Whether `libvirt-guests` would shut guests down or kill them, beside our own unit. `shown` is what
/// `systemctl show -p LoadState -p ExecStop libvirt-guests.service` prints; `None` without systemd.
#[must_use]
pub fn libvirt_guests(shown: Option<&str>) -> Verdict {
    let Some(shown) = shown else {
        return Verdict::Odd(
            "systemd does not answer: nobody shuts guests down when this machine goes down"
                .to_owned(),
        );
    };
    let value = |key: &str| {
        let mut lines = shown.lines();
        lines.find_map(|line| line.strip_prefix(key)).unwrap_or("")
    };
    match value("LoadState=") {
        "not-found" => Verdict::Good("not installed".to_owned()),
        "masked" => Verdict::Good("masked; innkeeper-guests does its work".to_owned()),
        _ if value("ExecStop=").is_empty() => Verdict::Good("made to do nothing".to_owned()),
        // What our package adds to it.
        _ if value("ExecStop=").contains("is-active innkeeper-guests") => {
            Verdict::Good("made to do nothing while innkeeper-guests does its work".to_owned())
        }
        _ => Verdict::Odd(
            "it would shut guests down, or kill them, on its own: `systemctl mask libvirt-guests`"
                .to_owned(),
        ),
    }
}

/// The clock of this machine, `ours`, and the control plane's.
#[must_use]
pub fn clock(ours: Timestamp, theirs: Timestamp) -> Verdict {
    let (ahead, behind) = (ours.since(theirs), theirs.since(ours));
    let skew = ahead.max(behind);
    let direction = if ahead > behind { "ahead of" } else { "behind" };
    let text = format!("{} s {direction} the control plane's", skew.as_secs());
    if skew > SKEW_MAX {
        Verdict::Bad(format!(
            "{text} ({theirs}): one of the two is wrong; set up time synchronisation (chrony, systemd-timesyncd)"
        ))
    } else if skew > SKEW_GOOD {
        Verdict::Odd(format!("{text}: is time synchronised on both?"))
    } else {
        Verdict::Good("agrees with the control plane's".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(text: &str) -> Config {
        toml::from_str(text).expect("a configuration")
    }

    fn bad(verdict: &Verdict) -> &str {
        match verdict {
            Verdict::Bad(text) => text,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn an_uplink_must_exist_be_up_and_lead_somewhere() {
        let eth0 = config("uplink = 'eth0'");
        let up = |routes| Uplink {
            state: "UP".to_owned(),
            routes,
        };
        let down = Uplink {
            state: "DOWN".to_owned(),
            routes: 1,
        };
        assert!(bad(&uplink(&eth0, None)).contains("no device `eth0`"));
        assert!(bad(&uplink(&eth0, Some(&down))).contains("is down"));
        assert!(bad(&uplink(&eth0, Some(&up(0)))).contains("neither address nor route"));
        assert!(matches!(uplink(&eth0, Some(&up(2))), Verdict::Good(_)));
        assert!(bad(&uplink(&config(""), None)).contains("nobody would reach a guest"));
        assert!(matches!(
            uplink(&config("routed = true"), None),
            Verdict::Good(_)
        ));
    }

    #[test]
    fn guests_never_go_without_name_servers() {
        let own = ["192.0.2.53".parse().expect("an address")];
        assert!(bad(&nameservers(&config(""), &[])).contains("Set `nameservers`"));
        let empty = config("nameservers = []");
        assert!(bad(&nameservers(&empty, &own)).contains("would resolve no name"));
        let loopback = config("nameservers = ['127.0.0.53']");
        assert!(bad(&nameservers(&loopback, &own)).contains("guests can't reach it"));
        let Verdict::Good(said) = nameservers(&config(""), &own) else {
            panic!("there is one");
        };
        assert_eq!(said, "192.0.2.53 (those of this machine)");
    }

    #[test]
    fn room_that_is_kept_is_no_room_for_guests() {
        let gib = Bytes::gib;
        assert!(bad(&disk(gib(8), gib(8), gib(10))).contains("no room for a guest"));
        assert!(matches!(disk(gib(100), gib(9), gib(10)), Verdict::Odd(_)));
        assert!(matches!(disk(gib(100), gib(90), gib(10)), Verdict::Good(_)));
        assert!(bad(&memory(Bytes::mib(512), gib(1))).contains("none is left"));
        assert!(matches!(memory(gib(4), gib(1)), Verdict::Good(_)));
    }

    #[test]
    fn libvirt_guests_must_not_meddle() {
        let stop = "{ path=/usr/lib/libvirt/libvirt-guests.sh ; argv[]=... }";
        let meddles = format!("LoadState=loaded\nExecStop={stop}\n");
        assert!(matches!(libvirt_guests(Some(&meddles)), Verdict::Odd(_)));
        assert!(matches!(libvirt_guests(None), Verdict::Odd(_)));
        for harmless in [
            "LoadState=not-found\n",
            "LoadState=masked\n",
            // What is empty is not printed.
            "LoadState=loaded\n",
            // Ours.
            "LoadState=loaded\nExecStop={ path=/bin/sh ; argv[]=/bin/sh -c case $$(systemctl is-active \
             innkeeper-guests) in inactive|unknown) exec /usr/lib/libvirt/libvirt-guests.sh stop;; esac ; }\n",
        ] {
            assert!(
                matches!(libvirt_guests(Some(harmless)), Verdict::Good(_)),
                "{harmless}"
            );
        }
    }

    #[test]
    fn clocks_are_compared_both_ways() {
        let at = |seconds: i64| Timestamp::from_millis(1_790_000_000_000 + seconds * 1_000);
        assert!(matches!(clock(at(0), at(2)), Verdict::Good(_)));
        assert!(matches!(clock(at(20), at(0)), Verdict::Odd(_)));
        assert!(bad(&clock(at(7_200), at(0))).contains("7200 s ahead of"));
        assert!(bad(&clock(at(0), at(90))).contains("90 s behind"));
    }
}
