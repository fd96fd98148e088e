//! The agent of one host: brings the host to the desired state that the control plane names, reports what
//! it observes, and exports metrics. See ARCHITECTURE.md, "Life of a server".

#![deny(unsafe_code)]

pub mod access;
pub mod action;
pub mod config;
pub mod connection;
pub mod desired;
pub mod disk;
pub mod doctor;
pub mod durable;
pub mod exporter;
#[cfg(test)]
mod fixtures;
pub mod gaps;
#[cfg(test)]
mod golden;
pub mod guests_stop;
pub mod hypervisor;
pub mod identity;
pub mod image;
pub mod join;
pub mod layout;
pub mod link;
pub mod load;
pub mod memory;
pub mod metrics;
pub mod network;
pub mod plan;
pub mod power;
pub mod reconcile;
pub mod renewal;
pub mod reporting;
pub mod resolvers;
pub mod room;
pub mod seed;
pub mod witness;
