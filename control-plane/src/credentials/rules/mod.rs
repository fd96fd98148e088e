//! What a password, a one-time code and a recovery code must be, and how many guesses there are.
//! Pure: neither clock nor store nor chance; time and random bytes come in.

pub mod lockout;
pub mod password;
pub mod recovery_codes;
pub mod totp;
