//! The rules of the product, as pure functions over plain values: no store, no HTTP, no tokio, no clock.
//! Time and ids come in as parameters; the same code runs in production and in the simulator.

pub mod account;
pub mod addresses;
pub mod capacity;
pub mod catalogue;
pub mod census;
pub mod condition;
pub mod fleet;
pub mod free_addresses;
pub mod host;
pub mod host_session;
pub mod in_use;
pub mod lockout;
pub mod mail;
pub mod names;
pub mod order;
pub mod placement;
pub mod quota;
pub mod recovery;
pub mod roll_over;
pub mod room;
pub mod sealed;
pub mod server;
pub mod ssh_key;
pub mod unrecorded;
pub mod usage;
