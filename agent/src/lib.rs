//! The agent of one host: brings the host to the desired state that the control plane names, reports what
//! it observes, and exports metrics. See ARCHITECTURE.md, "Life of a server".

pub mod action;
pub mod hypervisor;
pub mod disk;
pub mod image;
pub mod layout;
pub mod seed;
