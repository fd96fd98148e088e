//! Public facts: the installation and what can be ordered.

use innkeeper_wire::{
    api::{Catalogue, Image, Installation, Plan, Site},
    endpoints::{
        Ask,
        rest::{GetCatalogue, GetInstallation},
    },
};

use super::{auth::Visitor, context::Context, error::Refused};

pub(super) async fn installation(
    context: Context,
    _: Visitor,
    _: Ask<GetInstallation>,
) -> Result<Installation, Refused> {
    let settings = &context.nouns.settings;
    Ok(Installation {
        name: settings.installation.clone(),
        support_email: settings.support_email.clone(),
        terms_version: settings.terms_version.clone(),
        terms: settings.terms.clone(),
        password_length_min: settings.password_length_min,
        tombstone_days: settings.tombstone_days,
    })
}

pub(super) async fn catalogue(
    context: Context,
    _: Visitor,
    _: Ask<GetCatalogue>,
) -> Result<Catalogue, Refused> {
    let catalogue = &context.nouns.settings.catalogue;
    let sites = catalogue.sites.iter();
    let plans = catalogue.plans.iter();
    let images = catalogue.images.iter();
    Ok(Catalogue {
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
