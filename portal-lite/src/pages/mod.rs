//! The pages, one module a noun: handlers, and what their templates show.

pub mod account;
pub mod keys;
pub mod landing;
pub mod new_server;
pub mod offer;
pub mod orders;
pub mod server;
pub mod servers;
pub mod sign_in;
pub mod sign_up;
pub mod texts;
pub mod view;

use axum::Extension;
use std::{str::FromStr, sync::Arc};

use crate::{failure::Failure, visit::Visit};

/// Anybody's visit.
pub type Anyone = Extension<Arc<Visit>>;

/// An id from a path or a form. One that can't be is as good as one that is not there.
fn id<T: FromStr>(text: &str) -> Result<T, Failure> {
    text.parse().map_err(|_| Failure::NotFound)
}
