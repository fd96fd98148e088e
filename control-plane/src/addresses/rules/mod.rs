//! Pools, and which of their addresses are free.
//! Pure: neither clock nor store nor chance; time and ids come in.

pub mod free_addresses;
pub mod pools;
