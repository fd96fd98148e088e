//! What servers are, and how they are counted.
//! Pure: neither clock nor store nor chance; time and ids come in.

pub mod census;
pub mod letters;
pub mod listing;
pub mod names;
pub mod roll;
pub mod server;
