//! What a password, a one-time code and a recovery code must be, how many guesses there are, and what is told of a session.
//! Pure: neither clock nor store nor chance; time and random bytes come in.

pub mod lockout;
pub mod password;
pub mod recovery_codes;
pub mod session;
pub mod totp;
