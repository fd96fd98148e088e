//! The REST API (`/api/v1`): thin handlers that read a request, call the application and write the answer.
//! What exists is on this page; who may is decided by the [`auth`] extractors in each handler's signature;
//! errors become HTTP in [`error`] and nowhere else.

use axum::{
    Router,
    body::Bytes,
    extract::{DefaultBodyLimit, State},
    http::{HeaderName, StatusCode, header},
    middleware,
    routing::get,
};
use innkeeper_wire::error::ProblemCode;
use tower_http::{catch_panic::CatchPanicLayer, timeout::TimeoutLayer};
use utoipa::OpenApi;
use utoipa_axum::{router::OpenApiRouter, routes};

use self::{auth::SecurityScheme, context::Context, error::Refused};

mod accounts;
mod auth;
mod catalogue;
pub mod context;
pub mod error;
pub(crate) mod extract;
mod orders;
mod servers;
mod sessions;
mod ssh_keys;

/// Largest body of a request: four times what the longest needs. Many come at a time, slowly, and lie in memory.
const BODY_BYTES_MAX: usize = 16 * 1_024;
/// Longest that a request may take.
const REQUEST_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(15);

const JSON: [(HeaderName, &str); 1] = [(header::CONTENT_TYPE, "application/json")];

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Innkeeper",
        description = "Customers' API. Errors are RFC 9457 problem documents with a stable `code`; lists are \
                       paged by `limit` and `after`; times are RFC 3339 in UTC; money is in minor units.",
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
    ),
    servers((url = "/api/v1")),
    components(schemas(innkeeper_wire::error::Problem)),
    modifiers(&SecurityScheme),
)]
struct ApiDocument;

/// All routes, and the document that describes them.
fn routes() -> (Router<Context>, utoipa::openapi::OpenApi) {
    let (routes, mut document) = OpenApiRouter::with_openapi(ApiDocument::openapi())
        .routes(routes!(catalogue::installation))
        .routes(routes!(catalogue::catalog))
        .routes(routes!(accounts::sign_up))
        .routes(routes!(accounts::confirm_email))
        .routes(routes!(accounts::resend_confirmation))
        .routes(routes!(sessions::sign_in))
        .routes(routes!(sessions::sign_out))
        .routes(routes!(accounts::me))
        .routes(routes!(ssh_keys::list, ssh_keys::add))
        .routes(routes!(ssh_keys::remove))
        .routes(routes!(orders::quote))
        .routes(routes!(orders::get_quote))
        .routes(routes!(orders::place, orders::list))
        .routes(routes!(orders::get))
        .routes(routes!(servers::list))
        .routes(routes!(servers::get, servers::delete))
        .routes(routes!(servers::act))
        .split_for_parts();
    error::describe(&mut document);
    (routes, document)
}

/// The OpenAPI document, as it is served and checked in (`control-plane/openapi.json`).
#[must_use]
pub fn openapi() -> utoipa::openapi::OpenApi {
    routes().1
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
    let (routes, document) = routes();
    // Written once: whoever asks for it again and again takes the time of nobody else.
    let text: Bytes = serde_json::to_vec(&document)
        .expect("a document without maps of odd keys")
        .into();
    let api = routes
        .route("/openapi.json", get(move || async move { (JSON, text) }))
        .fallback(error::no_such_route)
        .method_not_allowed_fallback(error::no_such_method);
    Router::new()
        .nest("/api/v1", api)
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
