//! The ports of the three programs: how many connections there may be at a time and from one client, how long one may
//! be silent, and who the client is. Strangers open connections; none of them may keep others out, and all together
//! must not use up the process' descriptors, which files need as well.
//!
//! Called by the REST API, the agent API, the portal and both exporters. It knows nothing of what is served.

#![forbid(unsafe_code)]

pub mod client;
pub mod descriptors;
pub mod places;
pub mod port;
pub mod quiet;
pub mod serve;
mod table;

pub use client::{Networks, client_of};
pub use places::{Limits, Place, Places};
pub use serve::{accept, serve};
