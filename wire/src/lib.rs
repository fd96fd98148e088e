//! Types that cross a process boundary: portal - REST API, agent - control plane.
//!
//! Owns their names, shapes, limits and text forms. Does no I/O: no async, no sockets, no files. The
//! only things of the outside world in here are the clocks ([`time::SystemClock`]), so that no other
//! crate reads them; and, behind the feature `journal`, how the programs write their logs. What tests need of it is behind
//! the feature `samples`.

#![forbid(unsafe_code)]

#[macro_use]
mod text;

pub mod api;
pub mod billing;
pub mod billing_profile;
pub mod company;
pub mod country;
pub mod digest;
pub mod endpoints;
pub mod error;
pub mod funds;
#[cfg(test)]
mod golden;
pub mod host;
pub mod id;
pub mod image;
pub mod invoice;
pub mod ip_network;
pub mod job;
#[cfg(feature = "journal")]
pub mod journal;
pub mod locale;
pub mod member;
pub mod money;
pub mod month;
pub mod operator;
pub mod planted;
pub mod price;
#[cfg(any(test, feature = "samples"))]
pub mod samples;
pub mod size;
pub mod ssh;
pub mod staff;
pub mod time;
pub mod vm;
pub mod zone;
