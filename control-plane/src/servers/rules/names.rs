//! What a server may be called. Its name is a host name of one label, and deleting asks for it: so it must be told from
//! other names, and from what people and machines take for something else.

use innkeeper_wire::{error::FieldErrorCode, vm::Hostname};

use crate::accounts::rules::names::has_invisible;

/// Names that machines have for themselves, for each other, or for everybody.
const RESERVED: [&str; 18] = [
    "localhost",
    "localhost4",
    "localhost6",
    "localdomain",
    "local",
    "loopback",
    "ip6-localhost",
    "ip6-loopback",
    "ip6-localnet",
    "ip6-mcastprefix",
    "ip6-allnodes",
    "ip6-allrouters",
    "ip6-allhosts",
    "broadcasthost",
    "host",
    "gateway",
    "router",
    "wpad",
];
/// Numbers that are tried to propose another name.
const PROPOSALS_MAX: u32 = 1_000;
/// Most characters of a host name of one label (RFC 1035 2.3.4).
const NAME_CHARS_MAX: usize = 63;

/// Reads a server's name.
///
/// # Errors
/// What is wrong with it, and the same in English.
pub fn check(text: &str) -> Result<Hostname, (FieldErrorCode, String)> {
    if text.is_empty() {
        return Err((FieldErrorCode::Required, "give it a name".to_owned()));
    }
    if has_invisible(text) {
        let why = "it has characters that can't be seen";
        return Err((FieldErrorCode::InvisibleCharacters, why.to_owned()));
    }
    if RESERVED.contains(&text) || is_address(text) {
        let why = "machines take it for something else";
        return Err((FieldErrorCode::Reserved, why.to_owned()));
    }
    let name = text.parse::<Hostname>();
    let name = name.map_err(|error| (FieldErrorCode::Malformed, error.to_string()))?;
    if !text.bytes().any(|byte| byte.is_ascii_lowercase()) {
        let why = "it needs at least one letter";
        return Err((FieldErrorCode::Malformed, why.to_owned()));
    }
    Ok(name)
}

/// Whether programs read it as an IPv4 address: four numbers, or a hexadecimal one (inet_aton(3)). Digits alone, which
/// they read so too, have no letter anyhow.
fn is_address(text: &str) -> bool {
    let is_hexadecimal = text.strip_prefix("0x").is_some_and(|digits| {
        !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
    });
    is_hexadecimal || text.parse::<std::net::IpAddr>().is_ok()
}

/// The next name like this one that is not taken: `web-2` after `web-1`, `db-2` after `db`.
#[must_use]
pub fn next_free(name: &Hostname, is_taken: impl Fn(&Hostname) -> bool) -> Option<Hostname> {
    let name = name.as_str();
    let stem = name.trim_end_matches(|c: char| c.is_ascii_digit());
    let number = name[stem.len()..].parse::<u32>().unwrap_or(1);
    let (stem, number) = match stem {
        // A long number is part of the name, not one of a row.
        _ if name.len() - stem.len() > 6 => (name, 1),
        _ => (stem, number),
    };
    let has_number = stem.len() < name.len();
    let joint = if has_number { "" } else { "-" };
    (number.saturating_add(1)..)
        .take(usize::try_from(PROPOSALS_MAX).unwrap_or(usize::MAX))
        .find_map(|number| {
            let end = format!("{joint}{number}");
            let stem: String = stem.chars().take(NAME_CHARS_MAX - end.len()).collect();
            let next = format!("{stem}{end}").parse().ok()?;
            (!is_taken(&next)).then_some(next)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_mean_something_else_are_refused() {
        use FieldErrorCode::{InvisibleCharacters, Malformed, Required, Reserved};
        for good in [
            "web-1",
            "a",
            "db",
            "1a",
            "3com",
            "xn--oj2b",
            "host-1",
            "0xcafe-bar",
        ] {
            assert_eq!(
                check(good).map(|name| name.to_string()).ok().as_deref(),
                Some(good)
            );
        }
        for (bad, code) in [
            ("", Required),
            ("localhost", Reserved),
            ("ip6-allnodes", Reserved),
            ("gateway", Reserved),
            ("203.0.113.7", Reserved),
            ("2001:db8::1", Reserved),
            ("0x7f000001", Reserved),
            ("0x7f", Reserved),
            ("1", Malformed),
            ("2130706433", Malformed),
            ("1-2", Malformed),
            ("web-1\u{200b}", InvisibleCharacters),
            ("\u{2068}web-1\u{2069}", InvisibleCharacters),
            ("Web 1", Malformed),
            ("web.example", Malformed),
            ("-web", Malformed),
        ] {
            assert_eq!(check(bad).map_err(|(code, _)| code), Err(code), "{bad:?}");
        }
    }

    #[test]
    fn the_next_free_name_counts_on() {
        let next = |name: &str, taken: &[&str]| {
            let name = name.parse().expect("a name");
            next_free(&name, |name| taken.contains(&name.as_str())).map(|name| name.to_string())
        };
        assert_eq!(next("web-1", &[]).as_deref(), Some("web-2"));
        assert_eq!(next("web-1", &["web-2", "web-3"]).as_deref(), Some("web-4"));
        assert_eq!(next("web", &["web-2"]).as_deref(), Some("web-3"));
        assert_eq!(next("node9", &[]).as_deref(), Some("node10"));
        assert_eq!(next("a20261128", &[]).as_deref(), Some("a20261128-2"));
        let longest = "w".repeat(63);
        let proposed = next(&longest, &[]).expect("one is free");
        assert_eq!(proposed, format!("{}-2", "w".repeat(61)));
    }
}
