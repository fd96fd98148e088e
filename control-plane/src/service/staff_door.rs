//! The staff's door as it runs: its port, the secret of its portal, and who may ask there.

use std::{future::Future, sync::Arc};

use innkeeper_wire::digest::Digest;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::DRAIN;
use crate::{
    admin::{self, AdminContext},
    api::context::Context,
    config::{Config, staff::StaffConfig},
    ports,
    startup::say_where,
};

/// What the staff's door is made of.
pub(super) struct StaffDoor<'a> {
    config: &'a StaffConfig,
    socket: TcpListener,
    portal_key: Digest,
}

impl<'a> StaffDoor<'a> {
    /// None when the configuration has none.
    pub(super) fn of(
        config: &'a Config,
        socket: Option<TcpListener>,
        portal_key: Option<Digest>,
    ) -> Option<Self> {
        Some(Self {
            config: config.staff.as_ref()?,
            socket: socket?,
            portal_key: portal_key?,
        })
    }

    pub(super) fn serve(
        self,
        admin: AdminContext,
        rest: Context,
        descriptors: u64,
        stop: &CancellationToken,
    ) -> anyhow::Result<impl Future<Output = ()> + use<>> {
        let Self {
            config,
            socket,
            portal_key,
        } = self;
        say_where("the staff's door", &socket)?;
        // Who the portal's visitor is only the portal says.
        let identity = Context {
            portal_key,
            trusted_proxies: Arc::default(),
            ..rest
        };
        let sources = Arc::new(config.sources.clone());
        let router = admin::staff_router(admin, identity, sources);
        let places = ports::staff(descriptors, &config.sources);
        Ok(innkeeper_listener::serve(
            socket,
            router,
            places,
            DRAIN,
            stop.clone(),
        ))
    }
}
