//! Hears at once when rules change (netlink, `NFNLGRP_NFTABLES`), so that nobody has to wait for the next look.
//! [`super::Network::watch`] calls it; it changes nothing.

use std::{io, os::fd::AsRawFd as _, os::unix::net};

use nix::{
    errno::Errno,
    sys::socket::{AddressFamily, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, socket},
};
use tokio::net::UnixDatagram;

/// `NFNLGRP_NFTABLES` of linux/netfilter/nfnetlink.h, as a bit.
const GROUP: u32 = 1 << (7 - 1);
/// `NFNL_SUBSYS_NFTABLES`.
const SUBSYSTEM: u8 = 10;
/// `NFTA_TABLE_NAME`, `NFTA_CHAIN_TABLE` and so on: the table that a message is about is its first kind of attribute.
const TABLE: u16 = 1;
/// Lengths of `nlmsghdr` and `nfgenmsg`.
const HEADERS: usize = 16 + 4;

/// More than the kernel puts into one datagram.
const DATAGRAM_MAX: usize = 1 << 16;

/// The kernel's news of changed rules, in the network namespace of the caller.
#[derive(Debug)]
pub(super) struct News {
    /// Of family netlink; what the type has to say of the unix domain is not asked for.
    socket: UnixDatagram,
}

impl News {
    /// From now on.
    pub(super) fn open() -> io::Result<Self> {
        let socket = socket(
            AddressFamily::Netlink,
            SockType::Raw,
            SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK,
            SockProtocol::NetlinkNetFilter,
        )?;
        bind(socket.as_raw_fd(), &NetlinkAddr::new(0, GROUP))?;
        let socket = UnixDatagram::from_std(net::UnixDatagram::from(socket))?;
        Ok(Self { socket })
    }

    /// Waits until something of a table for which `is_ours` holds has changed, whoever did it.
    pub(super) async fn of(&self, is_ours: impl Fn(&str) -> bool) -> io::Result<()> {
        let mut buffer = vec![0; DATAGRAM_MAX];
        loop {
            match self.socket.recv(&mut buffer).await {
                Ok(length) => {
                    if tables(&buffer[..length]).any(&is_ours) {
                        return Ok(());
                    }
                }
                Err(error) if is_overrun(&error) => return Ok(()),
                Err(error) => return Err(error),
            }
        }
    }

    /// Takes all news that are there already.
    pub(super) fn drain(&self) {
        let mut buffer = vec![0; DATAGRAM_MAX];
        loop {
            match self.socket.try_recv(&mut buffer) {
                Ok(_) => {}
                Err(error) if is_overrun(&error) => {}
                Err(_) => return,
            }
        }
    }
}

/// Whether there were more news than room for them: some may have been of ours.
fn is_overrun(error: &io::Error) -> bool {
    error.raw_os_error() == Some(Errno::ENOBUFS as i32)
}

/// The tables that the messages of a datagram are about.
fn tables(mut datagram: &[u8]) -> impl Iterator<Item = &str> {
    std::iter::from_fn(move || {
        let (message, rest) = split(datagram)?;
        datagram = rest;
        Some(table(message))
    })
    .flatten()
}

/// A message with its header, and what follows it.
fn split(datagram: &[u8]) -> Option<(&[u8], &[u8])> {
    let length = u32::from_ne_bytes(datagram.get(..4)?.try_into().ok()?);
    let length = usize::try_from(length).ok()?;
    let message = datagram.get(..length).filter(|_| length >= 16)?;
    let rest = datagram.get(length.next_multiple_of(4)..);
    Some((message, rest.unwrap_or_default()))
}

fn table(message: &[u8]) -> Option<&str> {
    // The upper byte of the message's type is the subsystem.
    if u16::from_ne_bytes(message.get(4..6)?.try_into().ok()?) >> 8 != u16::from(SUBSYSTEM) {
        return None;
    }
    let mut attributes = message.get(HEADERS..)?;
    loop {
        let field = |at: usize| {
            Some(u16::from_ne_bytes(
                attributes.get(at..at + 2)?.try_into().ok()?,
            ))
        };
        let (length, kind) = (usize::from(field(0)?), field(2)?);
        let value = attributes.get(4..length)?;
        // The two upper bits are flags.
        if kind & 0x3fff == TABLE {
            return std::str::from_utf8(value.strip_suffix(&[0])?).ok();
        }
        attributes = attributes.get(length.next_multiple_of(4)..)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(kind: u16, attributes: &[(u16, &[u8])]) -> Vec<u8> {
        let mut body = vec![1, 0, 0, 0];
        for (kind, value) in attributes {
            let length = u16::try_from(4 + value.len()).expect("short");
            body.extend(length.to_ne_bytes());
            body.extend(kind.to_ne_bytes());
            body.extend(*value);
            body.resize(body.len().next_multiple_of(4), 0);
        }
        let length = u32::try_from(16 + body.len()).expect("short");
        let mut message = length.to_ne_bytes().to_vec();
        message.extend(kind.to_ne_bytes());
        message.extend([0; 10]);
        message.extend(body);
        message
    }

    #[test]
    fn a_message_names_its_table() {
        let nftables = u16::from(SUBSYSTEM) << 8;
        let datagram = [
            // NFT_MSG_DELRULE, with a number in front.
            message(nftables | 8, &[(3, &[0; 8]), (TABLE, b"innkeeper\0")]),
            // NFT_MSG_NEWGEN has no table, its first attribute is a number.
            message(nftables | 15, &[(1, &7_u32.to_be_bytes())]),
            // Another subsystem's.
            message(1 << 8, &[(TABLE, b"other\0")]),
            message(nftables, &[(TABLE, b"filter\0")]),
        ]
        .concat();
        assert_eq!(
            tables(&datagram).collect::<Vec<_>>(),
            ["innkeeper", "filter"]
        );
        for length in 0..datagram.len() {
            // Whatever is cut off is not understood, and does no harm.
            assert!(tables(&datagram[..length]).count() <= 2);
        }
    }
}
