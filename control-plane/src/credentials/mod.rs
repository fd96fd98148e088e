//! What people prove who they are with, whoever they are: passwords and how they are hashed, one-time codes of a phone
//! (TOTP), recovery codes, how many guesses somebody has, and how often he may ask. Customers' accounts and staff both use
//! it. It keeps no record: who uses it stores what it gives.

pub(crate) mod guesses;
mod passwords;
pub(crate) mod rate_limits;
pub mod rules;

pub(crate) use passwords::{Asker, Passwords, Verdict};
