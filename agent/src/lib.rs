//! The agent of one host: brings the host to the desired state that the control plane names, reports what
//! it observes, and exports metrics. See ARCHITECTURE.md, "Life of a server".

#![deny(unsafe_code)]

pub mod action;
pub mod hypervisor;
pub mod power;
pub mod plan;
pub mod reconcile;
pub mod memory;
pub mod durable;
pub mod desired;
pub mod disk;
pub mod image;
pub mod layout;
pub mod seed;
pub mod network;
pub mod metrics;
#[cfg(test)]
mod fixtures;
