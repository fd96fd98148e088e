//! How a list of servers is searched and sorted.

use std::{cmp::Reverse, net::IpAddr};

use innkeeper_wire::api::{Server, ServerOrder, ServerState};

use crate::kernel::listing::natural;

/// Whether a server is one of those that a text is to find: by a part of its name, by a part of an address if the text
/// looks like one (`db` is a part of most IPv6 addresses, and nobody means that), or by the beginning of its id.
#[must_use]
pub fn is_meant(server: &Server, text: &str) -> bool {
    let text = text.trim().to_lowercase();
    let has_address = || {
        let wanted = text.parse::<IpAddr>();
        server.addresses.iter().any(|address| match wanted {
            Ok(wanted) => *address == wanted,
            Err(_) => address.to_string().contains(&text),
        })
    };
    server.name.as_str().contains(&text)
        || (looks_like_address(&text) && has_address())
        || (text.starts_with("srv_") && server.id.to_string().starts_with(&text))
}

fn looks_like_address(text: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_hexdigit() || byte == b'.' || byte == b':';
    text.contains(['.', ':']) && text.bytes().all(is_part)
}

/// Puts servers, which come newest first, into an order. Those that are alike in it stay as they come.
pub fn sort(servers: &mut [Server], order: ServerOrder) {
    let price = |server: &Server| server.hourly.micro_minor_per_hour;
    match order {
        ServerOrder::Newest => {}
        ServerOrder::Oldest => servers.reverse(),
        ServerOrder::Name => servers.sort_by_cached_key(|server| natural(server.name.as_str())),
        ServerOrder::NameDown => {
            servers.sort_by_cached_key(|server| Reverse(natural(server.name.as_str())));
        }
        ServerOrder::State => servers.sort_by_key(|server| rank(server.state)),
        ServerOrder::StateDown => servers.sort_by_key(|server| Reverse(rank(server.state))),
        ServerOrder::Price => servers.sort_by_key(price),
        ServerOrder::PriceDown => servers.sort_by_key(|server| Reverse(price(server))),
    }
}

/// Those that somebody should look at come first, those that are at rest or gone last.
const fn rank(state: ServerState) -> u8 {
    match state {
        ServerState::CreateFailed => 0,
        ServerState::Unknown => 1,
        ServerState::Paused => 2,
        ServerState::Requested => 3,
        ServerState::Creating => 4,
        ServerState::Starting => 5,
        ServerState::Rebooting => 6,
        ServerState::Stopping => 7,
        ServerState::Deleting => 8,
        ServerState::Running => 9,
        ServerState::Stopped => 10,
        ServerState::Deleted => 11,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_names_count_by_their_value() {
        let mut names = ["web-10", "web", "web-9", "db-2", "web-9a", "a1b2", "a1b10"];
        names.sort_by_cached_key(|name| natural(name));
        assert_eq!(
            names,
            ["a1b2", "a1b10", "db-2", "web", "web-9", "web-9a", "web-10"]
        );
    }

    #[test]
    fn only_what_looks_like_an_address_is_sought_in_addresses() {
        for text in ["203.0.", "2001:db8", "::1", "fe80:"] {
            assert!(looks_like_address(text), "{text}");
        }
        for text in ["db", "203", "web-1.", "cafe", ""] {
            assert!(!looks_like_address(text), "{text}");
        }
    }
}
