//! The pages, one module a noun: handlers, and what their templates show.

pub mod account;
pub mod failure;
pub mod keys;
pub mod landing;
pub mod live;
pub mod new_server;
pub mod offer;
pub mod orders;
pub mod recovery;
pub mod server;
pub mod servers;
pub mod sign_in;
pub mod sign_in_code;
pub mod sign_up;
pub mod texts;
pub mod view;

use axum::Extension;
use std::{str::FromStr, sync::Arc};

use crate::{failure::Failure, fields::Fields, visit::Visit};

/// Anybody's visit.
pub type Anyone = Extension<Arc<Visit>>;

/// An id from a path or a form. One that can't be is as good as one that is not there.
fn id<T: FromStr>(text: &str) -> Result<T, Failure> {
    text.parse().map_err(|_| Failure::NotFound)
}

/// The query that carries where somebody wants to go through sign-up, mail and sign-in; empty if he wants nothing.
fn onward(next: &str) -> String {
    if next.is_empty() {
        return String::new();
    }
    let query = serde_urlencoded::to_string([("next", next)]).expect("texts only");
    format!("?{query}")
}

/// The name of the plan that `next` is the order form of, if that is where somebody wants to go.
fn wanted_plan(visit: &Visit, next: &str) -> Option<String> {
    let (path, query) = next.split_once('?')?;
    let pairs = serde_urlencoded::from_str(query).ok()?;
    let code = Fields::new(pairs).get("plan").to_owned();
    let plans = &visit.facts.as_ref()?.catalogue.plans;
    let plan = plans.iter().find(|plan| plan.code.as_str() == code)?;
    (path == "/servers/new").then(|| plan.name.clone())
}
