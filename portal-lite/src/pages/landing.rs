//! The front page: what this is, and what it costs.

use askama::Template;
use axum::{Extension, http::StatusCode, response::Response};

use super::{
    Anyone,
    view::{self, PlanView},
};
use crate::{
    failure::Failure,
    page::{self, Frame, Place},
};

#[derive(Template)]
#[template(path = "landing.html")]
struct Landing {
    frame: Frame,
    plans: Vec<PlanView>,
    sites: Vec<String>,
    images: Vec<String>,
}

/// `GET /`
pub async fn show(Extension(visit): Anyone) -> Result<Response, Failure> {
    let catalogue = &visit.facts()?.catalogue;
    let view = Landing {
        frame: page::frame(&visit, Place::None),
        plans: catalogue
            .plans
            .iter()
            .map(|plan| view::plan(&visit, plan))
            .collect(),
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
