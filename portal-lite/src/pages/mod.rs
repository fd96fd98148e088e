//! The pages, one module a noun: handlers, and what their templates show.

pub mod account;
pub mod approval;
pub mod billing;
pub mod billing_profile;
pub mod calculator;
pub mod failure;
pub mod funds;
pub mod invoices;
pub mod jobs;
pub mod keys;
pub mod landing;
pub mod live;
pub mod lost_factor;
pub mod new_server;
pub mod offer;
pub mod orders;
pub mod recovery;
pub mod server;
pub mod servers;
pub mod sign_in;
pub mod sign_in_code;
pub mod sign_up;
pub mod spending;
mod spreadsheet;
pub mod staff;
pub mod statement;
pub mod texts;
pub mod trial;
pub mod view;

use axum::Extension;
use innkeeper_wire::id::Code;
use serde::Deserialize;
use std::{str::FromStr, sync::Arc};

use crate::{
    failure::Failure,
    fields::Fields,
    visit::{Visit, onward},
};

/// Anybody's visit.
pub type Anyone = Extension<Arc<Visit>>;

/// An id from a path or a form. One that can't be is as good as one that is not there.
fn id<T: FromStr>(text: &str) -> Result<T, Failure> {
    text.parse().map_err(|_| Failure::NotFound)
}

/// Where in a list that is told page by page.
#[derive(Deserialize)]
pub struct Position {
    #[serde(default)]
    after: String,
}

impl Position {
    /// Behind which entry, unless it is the first page.
    fn after(self) -> Option<String> {
        Some(self.after).filter(|after| !after.is_empty())
    }
}

/// The address of the page behind this one.
fn page_behind(path: &str, after: &str) -> String {
    let query = serde_urlencoded::to_string([("after", after)]).expect("texts only");
    format!("{path}?{query}")
}

/// The order form with a plan chosen.
fn order_form(plan: &Code) -> String {
    format!("/servers/new?plan={plan}")
}

/// The plan that `next` is the order form of, if that is where somebody wants to go.
fn plan_in(next: &str) -> Option<Code> {
    let query = next.strip_prefix("/servers/new?")?;
    let pairs = serde_urlencoded::from_str(query).ok()?;
    Fields::new(pairs).get("plan").parse().ok()
}

/// Its name.
fn wanted_plan(visit: &Visit, next: &str) -> Option<String> {
    let code = plan_in(next)?;
    let plans = &visit.facts.as_ref()?.catalogue.plans;
    let plan = plans.iter().find(|plan| plan.code == code)?;
    Some(plan.name.clone())
}
