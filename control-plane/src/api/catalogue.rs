//! Public facts: the installation, its texts and what can be ordered.

use innkeeper_wire::{
    api::{Catalogue, Image, Installation, Plan, Site},
    company::LegalText,
    endpoints::{
        Ask,
        rest::{GetCatalogue, GetInstallation, GetPrivacyPolicy, GetSignUpTexts, GetTerms},
    },
    member::SignUpTexts,
};

use super::{auth::Visitor, context::Context, error::Refused};
use crate::{
    kernel::Error,
    nouns::{Nouns, Settings},
};

pub(super) async fn installation(
    context: Context,
    _: Visitor,
    _: Ask<GetInstallation>,
) -> Result<Installation, Refused> {
    Ok(shown(&context.nouns.settings))
}

/// What everybody may know of an installation.
pub(crate) fn shown(settings: &Settings) -> Installation {
    let terms = &settings.texts.terms;
    Installation {
        name: settings.installation.clone(),
        support_email: settings.support_email.clone(),
        terms_version: terms.version.clone(),
        terms: terms.general.best_for(None).text.clone(),
        has_privacy_policy: settings.privacy.is_some(),
        offers_trial: settings.billing_terms.offers_trial,
        company: settings.company.clone(),
        password_length_min: settings.password_length_min,
        api_url: settings.api_url.clone(),
        tombstone_days: settings.tombstone_days,
        time_zone: settings.time_zone.clone(),
    }
}

pub(super) async fn terms(
    context: Context,
    _: Visitor,
    ask: Ask<GetTerms>,
) -> Result<LegalText, Refused> {
    let terms = &context.nouns.settings.texts.terms.general;
    Ok(terms.best_for(ask.query.lang).clone())
}

pub(super) async fn sign_up_texts(
    context: Context,
    _: Visitor,
    ask: Ask<GetSignUpTexts>,
) -> Result<SignUpTexts, Refused> {
    let texts = &context.nouns.settings.texts;
    Ok(texts.shown(ask.query.kind, ask.query.lang))
}

pub(super) async fn privacy_policy(
    context: Context,
    _: Visitor,
    ask: Ask<GetPrivacyPolicy>,
) -> Result<LegalText, Refused> {
    let policy = context.nouns.settings.privacy.as_ref();
    let policy = policy.ok_or(Error::NotFound)?;
    Ok(policy.best_for(ask.query.lang).clone())
}

pub(super) async fn catalogue(
    context: Context,
    _: Visitor,
    _: Ask<GetCatalogue>,
) -> Result<Catalogue, Refused> {
    Ok(offered(&context.nouns)?)
}

/// What can be ordered.
pub(crate) fn offered(nouns: &Nouns) -> Result<Catalogue, Error> {
    let catalogue = nouns.prices.offer()?;
    let sites = catalogue.sites.iter();
    let plans = catalogue.plans.iter();
    let images = catalogue.images.iter();
    let tax = catalogue.tax.as_ref();
    let availability = nouns.orders.availability()?;
    Ok(Catalogue {
        tax: tax.cloned(),
        sites: sites
            .map(|site| Site {
                code: site.code.clone(),
                name: site.name.clone(),
            })
            .collect(),
        plans: plans
            .map(|plan| {
                let prices = plan.prices(tax);
                Ok(Plan {
                    code: plan.code.clone(),
                    name: plan.name.clone(),
                    vcpus: plan.vcpus,
                    memory: plan.memory,
                    disk: plan.disk,
                    hourly: plan.hourly,
                    monthly_cap: plan.monthly_cap,
                    prices: prices.map_err(|error| Error::Storage(error.to_string()))?,
                })
            })
            .collect::<Result<_, Error>>()?,
        images: images
            .map(|image| Image {
                code: image.code.clone(),
                name: image.name.clone(),
                login_user: image.login_user.clone(),
                disk_min: image.base.virtual_size,
            })
            .collect(),
        availability,
    })
}
