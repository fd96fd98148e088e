//! Duties that are of no noun: what goes out of the house, and what the store itself wants.

pub mod outbox;
pub mod upkeep;
