//! What proxies write into a request about whom they were called by: addresses, in the order in which they were passed.
//! Some of it is a stranger's, who writes whatever he likes. `None` stands for what is no address.

use std::net::IpAddr;

use axum::http::HeaderMap;

/// List of addresses that has no standard: `203.0.113.7, 10.0.0.1`.
pub(super) const FORWARDED_FOR: &str = "x-forwarded-for";
/// The same by RFC 7239: `for=203.0.113.7;proto=https, for="[2001:db8::7]:443"`.
pub(super) const FORWARDED: &str = "forwarded";

/// The entries of all lines of `X-Forwarded-For`. They are split at each comma, in quotes or not: a quote that a stranger
/// opens and does not close must not take in what a proxy adds behind it.
pub(super) fn forwarded_for(headers: &HeaderMap) -> Vec<Option<IpAddr>> {
    let lines = headers.get_all(FORWARDED_FOR).iter();
    lines
        .flat_map(|line| line.as_bytes().split(|byte| *byte == b','))
        .map(|entry| address(std::str::from_utf8(entry).ok()?))
        .collect()
}

/// The elements of all lines of `Forwarded`. Of a line with a fault nothing counts: where an element ends can't be told.
pub(super) fn forwarded(headers: &HeaderMap) -> Vec<Option<IpAddr>> {
    let lines = headers.get_all(FORWARDED).iter();
    lines
        .flat_map(|line| {
            let text = std::str::from_utf8(line.as_bytes()).ok();
            text.and_then(elements).unwrap_or_else(|| vec![None])
        })
        .collect()
}

/// The `for` of each element of one line; `None` when the line is not as RFC 7239 has it.
fn elements(mut rest: &str) -> Option<Vec<Option<IpAddr>>> {
    let mut elements = Vec::new();
    let mut client = None;
    loop {
        rest = rest.trim_start();
        // Pairs and elements may be empty.
        if !rest.is_empty() && !rest.starts_with([';', ',']) {
            let (name, value) = rest.split_once('=')?;
            if name.is_empty() || !name.bytes().all(is_token) {
                return None;
            }
            let (value, after) = value_of(value)?;
            if name.eq_ignore_ascii_case("for") {
                client = address(&value);
            }
            rest = after.trim_start();
        }
        match rest.chars().next() {
            Some(';') => rest = &rest[1..],
            Some(',') => {
                elements.push(client.take());
                rest = &rest[1..];
            }
            Some(_) => return None,
            None => {
                elements.push(client);
                return Some(elements);
            }
        }
    }
}

/// A value, which is a token or in quotes, and what comes behind it.
fn value_of(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.bytes().position(|byte| !is_token(byte));
        let (token, rest) = text.split_at(end.unwrap_or(text.len()));
        return (!token.is_empty()).then(|| (token.to_owned(), rest));
    };
    let mut value = String::new();
    let mut chars = quoted.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((value, &quoted[at + 1..])),
            '\\' => value.push(chars.next()?.1),
            c => value.push(c),
        }
    }
    None
}

/// RFC 9110 section 5.6.2, and the colon of addresses that are written without quotes against the standard.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~:[]".contains(&byte)
}

/// An address as proxies write it: bare, with a port, in brackets, in quotes, with a zone.
fn address(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let inside = text
        .strip_prefix('"')
        .and_then(|text| text.strip_suffix('"'));
    let text = inside.unwrap_or(text).trim();
    let address = match text.strip_prefix('[') {
        Some(rest) => {
            let (address, port) = rest.split_once(']')?;
            if !port.is_empty() && !is_port(port.strip_prefix(':')?) {
                return None;
            }
            address
        }
        None => match text.split_once(':') {
            // With more than one colon it is of IPv6, which has no port without brackets.
            Some((address, port)) if !port.contains(':') => {
                if !is_port(port) {
                    return None;
                }
                address
            }
            _ => text,
        },
    };
    let (address, _zone) = address.split_once('%').unwrap_or((address, ""));
    let address: IpAddr = address.parse().ok()?;
    Some(address.to_canonical())
}

/// A number, or a name that hides one (RFC 7239 section 6.3).
fn is_port(port: &str) -> bool {
    let name = port.strip_prefix('_').unwrap_or(port);
    !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_proxies_write_them() {
        for (text, expected) in [
            ("203.0.113.7", Some("203.0.113.7")),
            (" 203.0.113.7:52114 ", Some("203.0.113.7")),
            ("\"203.0.113.7\"", Some("203.0.113.7")),
            ("\"203.0.113.7:_http\"", Some("203.0.113.7")),
            ("2001:db8::7", Some("2001:db8::7")),
            ("[2001:db8::7]", Some("2001:db8::7")),
            ("[2001:db8::7]:443", Some("2001:db8::7")),
            ("\"[2001:db8::7]:443\"", Some("2001:db8::7")),
            ("fe80::1%eth0", Some("fe80::1")),
            ("[fe80::1%25eth0]:443", Some("fe80::1")),
            ("::ffff:203.0.113.7", Some("203.0.113.7")),
            ("[::ffff:203.0.113.7]:443", Some("203.0.113.7")),
            ("unknown", None),
            ("_hidden", None),
            ("", None),
            ("\"", None),
            ("\"203.0.113.7", None),
            ("[2001:db8::7", None),
            ("[2001:db8::7]443", None),
            ("[2001:db8::7]:", None),
            ("203.0.113.7:", None),
            ("203.0.113.7:4 3", None),
            ("203.0.113", None),
            ("203.0.113.7/24", None),
            ("example.com", None),
        ] {
            let expected = expected.map(|text| text.parse().expect("an address"));
            assert_eq!(address(text), expected, "{text:?}");
        }
    }

    #[test]
    fn elements_are_read_as_the_standard_has_them() {
        let some = |text: &str| Some(text.parse::<IpAddr>().expect("an address"));
        let one = some("192.0.2.60");
        for (line, expected) in [
            ("for=192.0.2.60", Some(vec![one])),
            (
                "For=\"192.0.2.60:47\";Proto=http;by=203.0.113.43",
                Some(vec![one]),
            ),
            (
                "proto=https; for=192.0.2.60 , For=\"[2001:db8:cafe::17]:4711\"",
                Some(vec![one, some("2001:db8:cafe::17")]),
            ),
            ("for=192.0.2.60, proto=http", Some(vec![one, None])),
            ("for=unknown, for=_SEVKISEK", Some(vec![None, None])),
            ("for=192.0.2.60;host=\"a, for=6.6.6.6\"", Some(vec![one])),
            ("for=\"192.0.2.\\60\"", Some(vec![one])),
            (";;,for=192.0.2.60;", Some(vec![None, one])),
            ("", Some(vec![None])),
            // Nobody can tell where the stranger's part ends.
            ("for=\"x, for=192.0.2.60", None),
            ("for=\"x, for=192.0.2.60;host=\"h\"", None),
            ("for=a b", None),
            ("for", None),
            ("=1", None),
            ("for=\"a\\", None),
        ] {
            assert_eq!(elements(line), expected, "{line}");
        }
    }
}
