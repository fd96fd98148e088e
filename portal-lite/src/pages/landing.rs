//! The front page: what this is, and what it costs.

use askama::Template;
use axum::{Extension, http::StatusCode, response::Response};

use innkeeper_wire::api::Catalogue;

use super::{
    Anyone, offer,
    view::{self, PlanView},
};
use crate::{
    failure::Failure,
    page::{self, Frame},
    visit::Visit,
};

#[derive(Template)]
#[template(path = "landing.html")]
struct Landing {
    frame: Frame,
    plans: Vec<PlanView>,
    /// What is to be known of the prices.
    cautions: Vec<String>,
    sites: Vec<String>,
    images: Vec<String>,
}

/// `GET /`
pub async fn show(Extension(visit): Anyone) -> Result<Response, Failure> {
    let catalogue = &visit.facts()?.catalogue;
    let view = Landing {
        frame: page::frame(&visit),
        plans: catalogue
            .plans
            .iter()
            .map(|plan| view::plan(&visit, plan))
            .collect(),
        cautions: cautions(&visit, catalogue),
        sites: catalogue
            .sites
            .iter()
            .map(|site| site.name.clone())
            .collect(),
        images: catalogue
            .images
            .iter()
            .map(|image| image.name.clone())
            .collect(),
    };
    page::render(&visit, StatusCode::OK, &view)
}

/// What is to be known before a price is taken for what will be paid.
fn cautions(visit: &Visit, catalogue: &Catalogue) -> Vec<String> {
    let tax = catalogue.plans.first();
    let tax = tax.map(|plan| offer::tax_sentence(visit, &plan.prices));
    let charged = ["caution-charge", "caution-stopped"];
    let charged = charged.into_iter().map(|key| visit.say(key));
    tax.into_iter().chain(charged).collect()
}
