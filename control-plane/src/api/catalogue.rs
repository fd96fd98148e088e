//! Public facts: the installation and what can be ordered.

use axum::{Json, extract::State};
use innkeeper_wire::api::{Catalogue, Image, Installation, Plan, Site};

use super::context::Context;

/// What a visitor may know of this installation.
#[utoipa::path(get, path = "/installation", tag = "public", responses((status = 200, body = Installation)))]
pub(super) async fn installation(State(context): State<Context>) -> Json<Installation> {
    let settings = context.nouns.settings;
    Json(Installation {
        name: settings.installation.clone(),
        support_email: settings.support_email.clone(),
        terms_version: settings.terms_version.clone(),
        terms: settings.terms.clone(),
        password_length_min: settings.password_length_min,
        tombstone_days: settings.tombstone_days,
    })
}

/// Everything that can be ordered.
#[utoipa::path(get, path = "/catalog", tag = "public", responses((status = 200, body = Catalogue)))]
pub(super) async fn catalog(State(context): State<Context>) -> Json<Catalogue> {
    let catalogue = &context.nouns.settings.catalogue;
    let sites = catalogue.sites.iter();
    let plans = catalogue.plans.iter();
    let images = catalogue.images.iter();
    Json(Catalogue {
        sites: sites
            .map(|site| Site {
                code: site.code.clone(),
                name: site.name.clone(),
            })
            .collect(),
        plans: plans
            .map(|plan| Plan {
                code: plan.code.clone(),
                name: plan.name.clone(),
                vcpus: plan.vcpus,
                memory: plan.memory,
                disk: plan.disk,
                hourly: plan.hourly,
                monthly_cap: plan.monthly_cap,
            })
            .collect(),
        images: images
            .map(|image| Image {
                code: image.code.clone(),
                name: image.name.clone(),
                login_user: image.login_user.clone(),
                disk_min: image.base.virtual_size,
            })
            .collect(),
    })
}
