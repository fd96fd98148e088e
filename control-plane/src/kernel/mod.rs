//! What every noun is built on: who asks ([`caller`]), the store with clock and ids ([`ctx`]), typed records
//! ([`record`]) and the transaction that changes them ([`tx`]), and what happens without being asked ([`duty`]). Knows no
//! noun of the product.

pub mod caller;
pub mod ctx;
pub mod duty;
mod ephemeral;
pub mod error;
pub mod gate;
pub mod listing;
pub mod record;
pub mod sealed;
pub mod secret;
#[cfg(test)]
pub(crate) mod testing;
pub mod tx;

pub use self::{
    caller::{Actor, Asked, Caller},
    ctx::Ctx,
    ephemeral::Remembered,
    error::{Error, field},
    record::{Record, Versioned},
    tx::Tx,
};
