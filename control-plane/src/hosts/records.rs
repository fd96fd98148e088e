//! What of hosts is stored.

use innkeeper_wire::id::HostId;
use serde::{Deserialize, Serialize};

use crate::{
    hosts::rules::{
        host::{Host, Invitation, ManifestHead, Reserved},
        host_session::Position,
    },
    kernel::record::records,
};

records! {
    // Version 3 may say that it is cordoned, version 4 that it is lost or replaced, which a program of before would not heed.
    Host, at "hst/" by HostId, version 4, from 2 => Host, from 3 => Host;
    HostNameClaim, at "hstname/" by String, version 2;
    // By the hash of its token.
    // Version 3 may be for the place of a host, of which a program of before would make a new one.
    Invitation, at "inv/" by String, version 3, from 2 => Invitation;
    Reserved, at "reserved/" by HostId, version 2;
    ManifestHead, at "manifest/" by HostId, version 2;
    Acknowledged, at "ack/" by HostId, version 2;
}

/// That a host's name is taken.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct HostNameClaim {
    /// By which host.
    pub(crate) host: HostId,
}

/// The newest desired state that a host ever had.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Acknowledged(pub(crate) Position);
