//! What may be signed up for, ordered and tried, by whom; how personal data and SSH keys are kept.
//! Pure: neither clock nor store nor chance; time and ids come in.

pub mod account;
pub(crate) mod account_before;
pub mod account_state;
pub mod api_token;
pub mod consent;
pub mod directory;
pub mod email_change;
pub mod letters;
pub mod lost_factor;
pub mod mailbox;
pub mod mobile;
pub mod names;
pub mod password_reset;
pub mod quota;
pub mod second_factor;
pub mod sign_up;
pub mod ssh_key;
pub mod suspension;
