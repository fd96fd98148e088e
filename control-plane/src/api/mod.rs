//! The REST API (`/api/v1`): thin handlers that read a request, call the application and write the answer.
//! What exists is in `wire::endpoints::rest`; who may is decided by the [`auth`] extractors in each handler's signature;
//! errors become HTTP in [`error`] and nowhere else.

use axum::{
    Router,
    body::Bytes,
    extract::{DefaultBodyLimit, State},
    http::{HeaderName, StatusCode, header},
    middleware,
    routing::get,
};
use innkeeper_wire::{endpoints::rest::BASE, error::ProblemCode};
use tower_http::{catch_panic::CatchPanicLayer, timeout::TimeoutLayer};

pub use self::document::openapi;
use self::{context::Context, error::Refused, mount::Mount as _};

mod accounts;
pub(crate) mod auth;
mod billing;
pub(crate) mod catalogue;
pub mod context;
mod document;
pub mod error;
pub(crate) mod file;
mod jobs;
pub(crate) mod mount;
mod orders;
mod second_factor;
mod servers;
mod sessions;
pub(crate) mod slice;
mod ssh_keys;
mod tokens;

/// Largest body of a request: four times what the longest needs. Many come at a time, slowly, and lie in memory.
pub(crate) const BODY_BYTES_MAX: usize = 16 * 1_024;
/// Longest that a request may take.
pub(crate) const REQUEST_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(15);

const JSON: [(HeaderName, &str); 1] = [(header::CONTENT_TYPE, "application/json")];

/// All endpoints.
fn endpoints() -> Router<Context> {
    Router::new()
        .serve(catalogue::installation)
        .serve(catalogue::terms)
        .serve(catalogue::privacy_policy)
        .serve(catalogue::sign_up_texts)
        .serve(catalogue::catalogue)
        .serve(accounts::sign_up)
        .serve(accounts::confirm_email)
        .serve(accounts::look_at_confirmation)
        .serve(accounts::resend_confirmation)
        .serve(accounts::find_id)
        .serve(accounts::request_password_reset)
        .serve(accounts::reset_password)
        .serve(sessions::sign_in)
        .serve(sessions::sign_in_with_code)
        .serve(second_factor::ask_lost)
        .serve(second_factor::cancel_lost)
        .serve(sessions::sign_out)
        .serve(sessions::prove)
        .serve(sessions::list)
        .serve(sessions::end_others)
        .serve(sessions::end)
        .serve(accounts::me)
        .serve(accounts::change_profile)
        .serve(accounts::consents)
        .serve(accounts::give_consents)
        .serve(accounts::change_mobile)
        .serve(accounts::change_email)
        .serve(accounts::confirm_new_email)
        .serve(accounts::change_password)
        .serve(second_factor::show)
        .serve(second_factor::begin)
        .serve(second_factor::confirm)
        .serve(second_factor::renew)
        .serve(second_factor::remove)
        .serve(tokens::list)
        .serve(tokens::make)
        .serve(tokens::end)
        .serve(tokens::enable)
        .serve(ssh_keys::list)
        .serve(ssh_keys::add)
        .serve(ssh_keys::change)
        .serve(ssh_keys::remove)
        .serve(orders::quote)
        .serve(orders::get_quote)
        .serve(orders::place)
        .serve(orders::list)
        .serve(orders::get)
        .serve(servers::list)
        .serve(servers::get)
        .serve(servers::act)
        .serve(servers::delete)
        .serve(jobs::offer)
        .serve(jobs::submit)
        .serve(jobs::list)
        .serve(jobs::get)
        .serve(jobs::act)
        .serve(jobs::confirm)
        .serve(billing::month_so_far)
        .serve(billing::profile)
        .serve(billing::set_profile)
        .serve(billing::spending_alert)
        .serve(billing::set_spending_alert)
        .serve(billing::list)
        .serve(billing::get)
        .serve(billing::statement)
        .serve(billing::summary)
        .serve(billing::funds)
        .serve(billing::convert_trial)
        .serve_raw(billing::get_pdf)
}

/// Whether the service can do its work; a store that has stopped ends it in a moment.
async fn health(State(context): State<Context>) -> Result<&'static str, Refused> {
    if context.nouns.ctx.store().measures().is_stopped {
        let detail = "the store takes no more commits";
        return Err(Refused::because(ProblemCode::Unavailable, detail));
    }
    Ok("ok\n")
}

/// The whole API, ready to be served.
pub fn router(context: Context) -> Router {
    // Written once: whoever asks for it again and again takes the time of nobody else.
    let text: Bytes = serde_json::to_vec(&openapi())
        .expect("a document without maps of odd keys")
        .into();
    let api = endpoints()
        .route("/openapi.json", get(move || async move { (JSON, text) }))
        .fallback(error::no_such_route)
        .method_not_allowed_fallback(error::no_such_method);
    Router::new()
        .nest(BASE, api)
        .route("/healthz", get(health))
        .fallback(error::no_such_route)
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(CatchPanicLayer::custom(error::panicked))
        .layer(TimeoutLayer::with_status_code(
            StatusCode::SERVICE_UNAVAILABLE,
            REQUEST_TIMEOUT,
        ))
        .layer(middleware::from_fn_with_state(
            context.clone(),
            context::identify,
        ))
        .with_state(context)
}
