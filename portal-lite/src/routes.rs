//! Every address of the portal, and the layers in front.

use std::sync::Arc;

use axum::{
    Router,
    extract::State,
    http::StatusCode,
    middleware::{from_fn, from_fn_with_state},
    response::IntoResponse,
    routing::{get, post},
};
use tower_http::{catch_panic::CatchPanicLayer, compression::CompressionLayer};
use tracing::error;

use crate::{
    assets,
    failure::Failure,
    guard, headers,
    pages::{account, keys, landing, new_server, orders, server, servers, sign_in, sign_up, texts},
    portal::Portal,
    visit,
};

/// Whether the portal serves as it should; not whether the API does, which has a `/healthz` of its own.
async fn health(State(portal): State<Arc<Portal>>) -> (StatusCode, &'static str) {
    if portal.api.is_refused() {
        let text = "the API does not take this portal's key\n";
        return (StatusCode::SERVICE_UNAVAILABLE, text);
    }
    (StatusCode::OK, "ok\n")
}

/// The portal's router.
pub fn router(portal: Arc<Portal>) -> Router {
    let pages = Router::new()
        .route("/", get(landing::show))
        .route("/terms", get(texts::terms))
        .route("/privacy", get(texts::privacy_policy))
        .route("/sign-up", get(sign_up::show).post(sign_up::submit))
        .route("/sign-up/done", get(sign_up::done))
        .route(
            "/sign-up/resend",
            get(sign_up::show_resend).post(sign_up::resend),
        )
        .route(
            "/confirm",
            get(sign_up::show_confirm).post(sign_up::confirm),
        )
        .route("/sign-in", get(sign_in::show).post(sign_in::submit))
        .route("/sign-out", post(sign_in::sign_out))
        .route("/servers", get(servers::show))
        .route("/servers/live", get(servers::live))
        .route(
            "/servers/new",
            get(new_server::show).post(new_server::submit),
        )
        .route(
            "/servers/new/confirm",
            get(new_server::show_quote).post(new_server::order),
        )
        .route("/servers/{id}", get(server::show))
        .route("/servers/{id}/live", get(server::live))
        .route("/servers/{id}/actions", post(server::act))
        .route("/servers/{id}/delete", post(server::delete))
        .route("/keys", get(keys::show).post(keys::add))
        .route("/keys/{id}/delete", post(keys::delete))
        .route("/orders", get(orders::show))
        .route("/orders/{id}", get(orders::show_one))
        .route("/account", get(account::show))
        .fallback(async || Failure::NotFound)
        .layer(from_fn(guard::check))
        .layer(CatchPanicLayer::custom(|_| {
            error!("a handler panicked");
            Failure::Internal.into_response()
        }))
        .layer(from_fn_with_state(portal.clone(), visit::begin));
    // Pages are not compressed: they hold secrets (form tokens) beside text that others can choose.
    let files = Router::new()
        .route("/static/{digest}/{name}", get(assets::serve))
        .layer(CompressionLayer::new());
    Router::new()
        .route("/healthz", get(health))
        .merge(files)
        .merge(pages)
        .layer(from_fn_with_state(portal.clone(), headers::add))
        .with_state(portal)
}
