//! What people prove who they are with, whoever they are: passwords and how they are hashed, one-time codes of a phone
//! (TOTP), recovery codes, and how many guesses somebody has. Customers' accounts and staff both use it. It keeps no
//! record: who uses it stores what it gives.

mod passwords;
pub mod rules;

pub(crate) use passwords::{Asker, Passwords, Verdict};
