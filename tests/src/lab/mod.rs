//! The laboratory: a small world on one machine, in which the real programs run as they would at a hoster.
//!
//! Network namespaces stand for machines: one *world* (customers, control plane, portal, mail) and one for
//! each hypervisor, joined by cables that touch nothing of this machine's own network. All processes live
//! in a pid namespace of their own, so that none can outlive the run, however it ends. Used by the demo,
//! its check and the benches; never by the product.

pub mod client;
pub mod enclosure;
pub mod forward;
pub mod hypervisor;
pub mod logs;
pub mod mail;
pub mod network;
pub mod process;
pub mod product;
pub mod report;
pub mod ssh;
mod texts;
pub mod wait;

pub use enclosure::Run;
