//! What answers at the addresses of the table, and the layers in front.

use std::{fmt::Write, sync::Arc};

use axum::{
    Router,
    extract::State,
    http::{StatusCode, header::CACHE_CONTROL},
    middleware::{from_fn, from_fn_with_state},
    response::{IntoResponse, Response},
    routing::get,
};
use tower_http::{catch_panic::CatchPanicLayer, compression::CompressionLayer};
use tracing::error;

use super::{PAGES, pages};
use crate::{
    area::Area,
    assets,
    failure::Failure,
    front::{self, Front},
    guard, headers, host, page,
    portal::Portal,
    sitemap::Kind,
};

/// Whether the portal serves as it should; not whether the API does, which has a `/healthz` of its own.
async fn health(State(portal): State<Arc<Portal>>) -> (StatusCode, &'static str) {
    if portal.api.is_refused() {
        let text = "the API does not take this portal's key\n";
        return (StatusCode::SERVICE_UNAVAILABLE, text);
    }
    (StatusCode::OK, "ok\n")
}

/// What search engines may look at: what has nothing to do with anybody's servers, and no form but the first.
async fn robots(State(portal): State<Arc<Portal>>) -> String {
    let mut text = "User-agent: *\n".to_owned();
    if portal.area() == Area::Staff {
        return text + "Disallow: /\n";
    }
    for row in PAGES {
        let fixed = row.path.split('{').next().unwrap_or(row.path);
        let line = match row.kind {
            Kind::Found => format!("Allow: {fixed}$"),
            _ => format!("Disallow: {fixed}"),
        };
        if !text.lines().any(|other| other == line) {
            writeln!(text, "{line}").expect("a text takes all");
        }
    }
    text
}

/// What browsers ask for when a page names no icon, as those of files do not.
async fn icon() -> Response {
    let mut response = page::redirect(&assets::url("logo.svg"));
    let day = axum::http::HeaderValue::from_static("public, max-age=86400");
    response.headers_mut().insert(CACHE_CONTROL, day);
    response
}

/// Where password managers look for the page on which a password is changed (W3C, "A Well-Known URL for Changing
/// Passwords").
async fn change_password() -> Response {
    page::redirect("/account/password")
}

/// The portal's router.
pub fn router(portal: Arc<Portal>) -> Router {
    let rows = pages(portal.area());
    let mut pages = Router::new();
    for row in rows {
        pages = pages.route(row.path, (row.handler)());
    }
    let pages = pages
        .fallback(async || Failure::NotFound)
        .with_state(portal.clone());
    let front = Front {
        portal: portal.clone(),
        rows,
    };
    // The layers stand before the routes, not around each: they may turn a request into another.
    let pages = Router::new()
        .fallback_service(pages)
        .layer(from_fn(guard::check))
        .layer(CatchPanicLayer::custom(|_| {
            error!("a handler panicked");
            Failure::Internal.into_response()
        }))
        .layer(from_fn_with_state(front, front::begin));
    // Pages are not compressed: they hold secrets (form tokens) beside text that others can choose.
    let files = Router::new()
        .route("/static/{digest}/{name}", get(assets::serve))
        .layer(CompressionLayer::new());
    Router::new()
        .route("/robots.txt", get(robots))
        .route("/favicon.ico", get(icon))
        .route("/.well-known/change-password", get(change_password))
        .merge(files)
        .merge(pages)
        .layer(from_fn_with_state(portal.clone(), host::check))
        // Whoever watches asks the address.
        .route("/healthz", get(health))
        .layer(from_fn_with_state(portal.clone(), headers::add))
        .with_state(portal)
}
