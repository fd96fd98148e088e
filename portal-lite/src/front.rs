//! The outermost layer of all pages: finds out who asks for what, sees to it that an answer comes in time, and turns
//! every failure into a designed page.

use std::{sync::Arc, time::Duration};

use axum::{
    extract::{Request, State},
    http::{
        Method,
        header::{ALLOW, CONTENT_TYPE, SET_COOKIE},
    },
    middleware::Next,
    response::{IntoResponse, Response},
};

use crate::{
    cookies::Cookie,
    failure::Failure,
    fields::Fields,
    language,
    pages::{account, failure, sign_in},
    portal::Portal,
    sitemap::Row,
    visit::{Visit, chosen_language},
};

/// Longest time that a page may take; the API client gives up before.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(20);
/// How long a chosen language is kept.
const LANGUAGE_KEPT: Duration = Duration::from_secs(365 * 86_400);

/// What the layer needs.
#[derive(Clone)]
pub struct Front {
    /// What all requests share.
    pub portal: Arc<Portal>,
    /// The table of pages.
    pub rows: &'static [Row],
}

/// The layer.
pub async fn begin(State(front): State<Front>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let row = Row::of(front.rows, parts.uri.path());
    let visit = Arc::new(Visit::of(front.portal, &parts, row).await);
    let chosen = chosen_language(&parts.uri);
    parts.extensions.insert(visit.clone());
    let request = Request::from_parts(parts, body);
    let response = in_time(request, next).await;
    let mut response = designed(&visit, response);
    if let Some(locale) = chosen {
        let tag = language::tag(locale);
        let cookie = Cookie::Language.set(tag, Some(LANGUAGE_KEPT), visit.portal.transport);
        response.headers_mut().append(SET_COOKIE, cookie);
    }
    response
}

async fn in_time(request: Request, next: Next) -> Response {
    // The page may be given up: what it asked of the API goes on there, and is told by the page that comes next.
    match tokio::time::timeout(REQUEST_TIMEOUT, next.run(request)).await {
        Ok(response) => response,
        Err(_) => Failure::Unavailable.into_marker(),
    }
}

/// The page for every failure, also for refusals of axum's own, such as 405, which are no pages.
fn designed(visit: &Visit, mut response: Response) -> Response {
    let status = response.status();
    let is_bare = !is_html(&response) && (status.is_client_error() || status.is_server_error());
    let failure = response.extensions_mut().remove::<Failure>();
    let Some(failure) = failure.or_else(|| is_bare.then(|| Failure::of_status(status))) else {
        return response;
    };
    let allow = response.headers_mut().remove(ALLOW);
    let fields = response.extensions_mut().remove::<Fields>();
    let mut page = if visit.is_part() && visit.method == Method::GET {
        // For a script, which says in the page around it what there is to say. No cookie changes by it.
        failure.status().into_response()
    } else if failure.needs_proof() {
        account::proof::first(visit, fields)
    } else if !failure.needs_sign_in() {
        failure::page(visit, &failure, fields)
    } else {
        sign_in::first(visit, fields)
    };
    if let Some(allow) = allow {
        page.headers_mut().insert(ALLOW, allow);
    }
    page
}

fn is_html(response: &Response) -> bool {
    let kind = response.headers().get(CONTENT_TYPE);
    kind.is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"))
}
