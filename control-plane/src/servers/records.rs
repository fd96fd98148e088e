//! What of servers is stored.

use innkeeper_wire::id::{AccountId, HostId, ServerId};
use serde::{Deserialize, Serialize};

use crate::{kernel::record::records, servers::rules::server::Server};

records! {
    // Version 3 may have ended with its host, which a program of before does not know.
    Server, at "srv/" by (AccountId, ServerId), version 3, from 2 => Server;
    OnHost, at "onhost/" by (HostId, ServerId), version 2;
    // By the name.
    NameClaim, at "srvname/" by (AccountId, String), version 1;
}

/// That a server is on a host, and whose it is.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct OnHost {
    /// Whose.
    pub(crate) account: AccountId,
}

/// That a name is taken among the servers of an account, as long as the server is to exist.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct NameClaim {
    /// By which server.
    pub(crate) server: ServerId,
}
