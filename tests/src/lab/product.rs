//! The product's own programs as the laboratory runs them: control plane and portal in the world, one agent
//! on each hypervisor, each a real process with a configuration file such as an operator would write.

use std::{
    fs,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, ensure};
use hyper::StatusCode;

use super::{
    Run,
    client::Client,
    forward::{forward, reserve},
    hypervisor::Hypervisor,
    mail::MailSink,
    network::{self, GUESTS_V4, GUESTS_V6, UPLINK, WORLD_V4, host_v4, output},
    process::Program,
    wait::until,
};

/// How long a program may take until it answers.
const START_LIMIT: Duration = Duration::from_secs(60);
/// Ports are free in every namespace of a run, since nobody else is there.
const MAIL_PORT: u16 = 2525;
const PORTAL_PORT: u16 = 8080;
const API_PORT: u16 = 8081;
const AGENT_API_PORT: u16 = 8443;
const METRICS_PORT: u16 = 9176;
const AGENT_METRICS_PORT: u16 = 9177;

/// What the laboratory is given from outside.
#[derive(Debug, Clone, clap::Args)]
pub struct Options {
    /// Folder of the product's programs.
    #[arg(long)]
    pub programs: PathBuf,
    /// Disk image that customers' servers start from.
    #[arg(long)]
    pub guest_image: PathBuf,
}

/// A whole small installation.
#[derive(Debug)]
pub struct Installation {
    run: Run,
    options: Options,
    /// Hypervisors, by number from 1; the agent of each is at the same place in `agents`.
    pub hypervisors: Vec<Hypervisor>,
    /// Agents.
    pub agents: Vec<Program>,
    /// The mail server.
    pub mail: MailSink,
    /// The control plane.
    pub control_plane: Program,
    /// The portal.
    pub portal: Program,
    /// Where its parts are reached from this machine.
    pub ports: Ports,
}

/// Ports at this machine's loopback.
#[derive(Debug, Clone)]
pub struct Ports {
    /// The portal.
    pub portal: u16,
    /// The REST API.
    pub api: u16,
    /// The control plane's metrics.
    pub metrics: u16,
    /// Each agent's metrics.
    pub agents: Vec<u16>,
}

impl Ports {
    /// How a person reaches the portal.
    #[must_use]
    pub fn portal_url(&self) -> String {
        format!("http://portal.localhost:{}", self.portal)
    }
}
