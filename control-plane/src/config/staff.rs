//! The staff's door.

use std::{net::SocketAddr, path::PathBuf};

use innkeeper_listener::Networks;
use serde::Deserialize;

use super::{ConfigError, Listen, value};

/// The staff's door: where the staff's portal asks. Without it the operators' socket is all there is.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StaffConfig {
    /// Where the staff's portal asks, plain HTTP: on loopback, or in a network of the hoster's own.
    pub listen: SocketAddr,
    /// Addresses and networks that may ask there; this machine when not given.
    #[serde(default = "Networks::loopback")]
    pub sources: Networks,
    /// File with the secret that the staff's portal shows with each request; another one than the customers' portal has.
    pub portal_key_file: PathBuf,
    /// Where the staff's portal is, without a slash at the end; links to enrol start with it.
    pub portal_url: String,
}

impl StaffConfig {
    pub(super) fn check(&self, listen: &Listen) -> Result<(), ConfigError> {
        let is_taken = self.listen.port() != 0
            && [listen.api, listen.agent, listen.metrics].contains(&self.listen);
        if is_taken {
            let why = "is where something else listens already";
            return Err(value("staff.listen", why));
        }
        super::check_url("staff.portal_url", &self.portal_url)
    }
}
