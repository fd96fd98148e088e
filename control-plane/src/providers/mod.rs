//! What leaves the installation: one file a kind of provider.

pub mod mail;
