//! What hosts have, how they are, which of them takes a server.
//! Pure: neither clock nor store nor chance; time and ids come in.

pub mod capacity;
pub mod condition;
pub mod fleet;
pub mod host;
pub mod host_session;
pub mod listing;
pub mod loss;
pub mod placement;
pub mod room;
