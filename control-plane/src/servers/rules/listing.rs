//! How a list of servers is searched and sorted.

use std::{cmp::Reverse, net::IpAddr};

use innkeeper_wire::{
    api::{Server, ServerOrder, ServerState},
    id::ServerId,
};

use crate::kernel::listing::natural;

/// What a list is searched and sorted by.
pub trait Listed {
    /// Which server.
    fn id(&self) -> ServerId;
    /// Its name.
    fn name(&self) -> &str;
    /// Its addresses.
    fn addresses(&self) -> &[IpAddr];
    /// What it does.
    fn state(&self) -> ServerState;
    /// What an hour costs, in millionths of the currency's smallest unit.
    fn price(&self) -> u64;
}

impl Listed for Server {
    fn id(&self) -> ServerId {
        self.id
    }

    fn name(&self) -> &str {
        self.name.as_str()
    }

    fn addresses(&self) -> &[IpAddr] {
        &self.addresses
    }

    fn state(&self) -> ServerState {
        self.state
    }

    fn price(&self) -> u64 {
        self.hourly.micro_minor_per_hour
    }
}

/// Whether a server is one of those that a text is to find: by a part of its name, by a part of an address if the text
/// looks like one (`db` is a part of most IPv6 addresses, and nobody means that), or by the beginning of its id.
#[must_use]
pub fn is_meant(server: &impl Listed, text: &str) -> bool {
    let text = text.trim().to_lowercase();
    let has_address = || {
        let wanted = text.parse::<IpAddr>();
        server.addresses().iter().any(|address| match wanted {
            Ok(wanted) => *address == wanted,
            Err(_) => address.to_string().contains(&text),
        })
    };
    server.name().contains(&text)
        || (looks_like_address(&text) && has_address())
        || (text.starts_with("srv_") && server.id().to_string().starts_with(&text))
}

fn looks_like_address(text: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_hexdigit() || byte == b'.' || byte == b':';
    text.contains(['.', ':']) && text.bytes().all(is_part)
}

/// Puts servers, which come newest first, into an order. Those that are alike in it stay as they come.
pub fn sort<T: Listed>(servers: &mut [T], order: ServerOrder) {
    match order {
        ServerOrder::Newest => {}
        ServerOrder::Oldest => servers.reverse(),
        ServerOrder::Name => servers.sort_by_cached_key(|server| natural(server.name())),
        ServerOrder::NameDown => {
            servers.sort_by_cached_key(|server| Reverse(natural(server.name())));
        }
        ServerOrder::State => servers.sort_by_key(|server| rank(server.state())),
        ServerOrder::StateDown => servers.sort_by_key(|server| Reverse(rank(server.state()))),
        ServerOrder::Price => servers.sort_by_key(Listed::price),
        ServerOrder::PriceDown => servers.sort_by_key(|server| Reverse(server.price())),
    }
}

/// Those that somebody should look at come first, those that are at rest or gone last.
const fn rank(state: ServerState) -> u8 {
    match state {
        ServerState::CreateFailed => 0,
        ServerState::Unknown => 1,
        ServerState::Paused => 2,
        ServerState::Suspended => 3,
        ServerState::Requested => 4,
        ServerState::Creating => 5,
        ServerState::Starting => 6,
        ServerState::Rebooting => 7,
        ServerState::Stopping => 8,
        ServerState::Deleting => 9,
        ServerState::Running => 10,
        ServerState::Stopped => 11,
        ServerState::Deleted => 12,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
