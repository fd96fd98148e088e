//! What a configuration leaves open without which guests would not work. `join` and `doctor` refuse a machine for it;
//! a host that has joined runs on, says so, and makes no new guest that would lack something. Pure.

use std::net::IpAddr;

use innkeeper_wire::host::{HostFault, HostFaultCode};

/// What an operator must decide.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Gap {
    /// How guests' addresses reach this host.
    #[error(
        "neither `uplink` nor `routed` is set: nobody would reach a guest, unless the network around routes \
         their addresses here. Set `uplink` to the device on which this host shall answer for its guests, or \
         `routed = true`"
    )]
    Reach,
    /// Which name servers guests ask: those of this machine, which has none at present.
    #[error(
        "guests have no name servers: `nameservers` is not set, and this machine itself uses none but loopback. Set \
         `nameservers`"
    )]
    Nameservers,
    /// There shall be none.
    #[error(
        "`nameservers` is empty: guests would resolve no name. Name the servers, or leave the key out to use this \
         machine's own"
    )]
    NoNameservers,
    /// Guests can't ask a name server there.
    #[error(
        "`nameservers`: {0} is this machine's own loopback or no address of a server: guests can't reach it"
    )]
    Nameserver(IpAddr),
}

/// The name servers that a new guest is told of: those `known` when the agent started, or `own`, which this machine
/// has now. What is written into a guest is written for good.
///
/// # Errors
/// The gap for which there are none: no new guest then.
pub fn nameservers<'a>(
    gaps: &[Gap],
    known: &'a [IpAddr],
    own: &'a [IpAddr],
) -> Result<&'a [IpAddr], Gap> {
    let gap = gaps.iter().find(|gap| **gap != Gap::Reach);
    match gap {
        Some(Gap::Nameservers) if !own.is_empty() => Ok(own),
        Some(gap) if known.is_empty() => Err(gap.clone()),
        _ => Ok(known),
    }
}

/// What the host says of itself. None of it is an outage: guests that run are as they were made.
pub fn faults(gaps: &[Gap], own: &[IpAddr]) -> impl Iterator<Item = HostFault> {
    let is_closed = |gap: &Gap| *gap == Gap::Nameservers && !own.is_empty();
    let open = gaps.iter().filter(move |gap| !is_closed(gap));
    open.map(|gap| HostFault {
        code: HostFaultCode::Unconfigured,
        server: None,
        detail: gap.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_new_guests_wait_for_name_servers() {
        let address = |text: &str| text.parse::<IpAddr>().expect("an address");
        let (known, own) = ([address("192.0.2.53")], [address("198.51.100.53")]);
        let bad = Gap::Nameserver(address("127.0.0.53"));
        for (gaps, known, own, expected) in [
            (&[][..], &known[..], &own[..], Ok(&known[..])),
            (&[Gap::Reach], &known, &own, Ok(&known)),
            (&[Gap::Nameservers], &[], &[], Err(Gap::Nameservers)),
            // The resolver of this machine is up by now.
            (&[Gap::Nameservers], &[], &own, Ok(&own)),
            (&[Gap::NoNameservers], &[], &own, Err(Gap::NoNameservers)),
            (&[Gap::Reach, bad.clone()], &[], &own, Err(bad.clone())),
            (std::slice::from_ref(&bad), &known, &own, Ok(&known)),
        ] {
            assert_eq!(nameservers(gaps, known, own), expected, "{gaps:?}");
        }
    }

    #[test]
    fn what_is_open_is_said_for_as_long_as_it_is() {
        let gaps = [Gap::Reach, Gap::Nameservers];
        let own = ["192.0.2.53".parse().expect("an address")];
        let said = |own: &[IpAddr]| {
            faults(&gaps, own)
                .map(|fault| (fault.code, fault.detail))
                .collect::<Vec<_>>()
        };
        let of = |gap: &Gap| (HostFaultCode::Unconfigured, gap.to_string());
        assert_eq!(said(&[]), gaps.iter().map(of).collect::<Vec<_>>());
        assert_eq!(said(&own), [of(&Gap::Reach)]);
    }
}
