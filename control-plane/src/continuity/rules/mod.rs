//! Restores, hosts that no record knows, the roll-over of the authority.
//! Pure: neither clock nor store nor chance; time and ids come in.

pub mod recovery;
pub mod roll_over;
pub mod unrecorded;
