//! What of addresses is stored.

use std::net::IpAddr;

use crate::{addresses::rules::pools::AddressClaim, kernel::record::records};

records! {
    AddressClaim, at "addr/" by IpAddr, version 2;
}
