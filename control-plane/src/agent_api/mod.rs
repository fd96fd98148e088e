//! The agent API (`wire::endpoints::agents`) over mutual TLS: joining, the desired state by long poll, specs and images by
//! digest, observations, renewal. Who the peer is, the mtls crate reads from its certificate; whether that
//! host may still come in is asked of the application on every request.

use std::time::Duration;

use axum::{
    Json, Router,
    extract::{DefaultBodyLimit, MatchedPath, Request, State},
    http::{StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
};
use innkeeper_mtls::{
    Succession,
    authority::{HOST_LIFE, SKEW_MAX},
};
use innkeeper_wire::{
    endpoints::{
        Ask,
        agents::{BASE, FollowDesired, GetBlob, GetSpec, Join, Renew, Report, ShowLife},
    },
    error::{Problem, ProblemCode},
    host::{
        AccessTerms, FEATURE_ACCESS, JoinAnswer, Life, LifeAnswer, Observations, RenewAnswer,
        ReportAnswer,
    },
    id::{ChallengeId, RequestId},
};
use tokio_util::io::ReaderStream;

use self::{
    identity::{HostCaller, RenewingHost, Reporter, Stranger},
    pace::Paces,
    refusals::Refusals,
};
use crate::{
    api::{
        error::{Refused, no_such_method, no_such_route},
        mount::Mount as _,
    },
    authority::Authority,
    blobs::Blobs,
    continuity::rules::roll_over::Renewal,
    hosts::rules::{host::REPORT_INTERVAL_S, host_session::Position},
    kernel::Error,
    metrics::{Metrics, TOKEN_USED},
    nouns::Nouns,
    servers::Offer,
};

mod identity;
pub mod listener;
pub mod pace;
pub mod refusals;

/// Largest body: a report of a thousand servers, each with a problem.
const BODY_BYTES_MAX: usize = 4 * 1_024 * 1_024;
/// Largest body of somebody who is no host yet: a token and a certificate request.
const JOIN_BYTES_MAX: usize = 16 * 1_024;
/// Longest long poll.
const POLL_MAX: Duration = Duration::from_secs(60);
/// How often a parked poll looks for itself, should nobody have told it of a change.
const LOOK_AGAIN: Duration = Duration::from_secs(10);

/// Shared by all handlers.
#[derive(Clone)]
pub struct AgentContext {
    /// The application.
    pub nouns: Nouns,
    /// The authority that signs hosts' certificates.
    pub authority: Authority,
    /// Base images.
    pub blobs: Blobs,
    /// Where requests are counted.
    pub metrics: Metrics,
    /// Where refusals are counted and logged.
    pub refusals: Refusals,
    /// How often hosts may report.
    pub paces: Paces,
}

/// All routes of the agent API.
pub fn router(context: AgentContext) -> Router {
    let endpoints = Router::new()
        .serve(join)
        .layer(DefaultBodyLimit::max(JOIN_BYTES_MAX))
        .serve(renew)
        .serve(life)
        .serve_raw(desired)
        .serve_raw(spec)
        .serve(observations)
        .serve_raw(blob);
    Router::new()
        .nest(BASE, endpoints)
        .fallback(no_such_route)
        .method_not_allowed_fallback(no_such_method)
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(middleware::from_fn_with_state(context.clone(), count))
        .with_state(context)
}

async fn count(State(context): State<AgentContext>, request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().cloned();
    let response = next.run(request).await;
    let route = route.as_ref().map_or("none", MatchedPath::as_str);
    context.metrics.agent_request(route, response.status());
    response
}

/// Lets an invited host in; the one route without a certificate.
async fn join(
    context: AgentContext,
    Stranger(caller): Stranger,
    Ask { body: request, .. }: Ask<Join>,
) -> Result<JoinAnswer, Refused> {
    let authorities = context.authority.present();
    let joined = context
        .nouns
        .hosts
        .join(&caller, authorities.issuer(), &request)
        .await
        .inspect_err(|error| {
            if let Error::Invitation { used_by, detail } = error {
                // Only who has the token can say it a second time (T23). The host that joined with it goes on: an old
                // invitation must not take a host away.
                let reason = used_by.map_or("invitation", |_| TOKEN_USED);
                context.refusals.note(caller.address, reason, detail);
            }
        })?;
    tracing::info!(host.id = %joined.host, peer = %caller.address, "a host joined");
    Ok(JoinAnswer {
        ca_pem: authorities.trusted_pem().to_owned(),
        ..joined
    })
}

/// A fresh certificate for a host that proves the present one.
async fn renew(
    context: AgentContext,
    RenewingHost(host, contact): RenewingHost,
    Ask { body: request, .. }: Ask<Renew>,
) -> Result<RenewAnswer, Refused> {
    let authorities = context.authority.present();
    let renewed =
        context
            .nouns
            .hosts
            .renew_certificate(authorities.issuer(), host, &request.csr_pem);
    let certificate_pem = match renewed {
        // It can't report when its certificate has expired, so this is how it is heard of.
        Err(Error::HostUnrecorded) => {
            context
                .nouns
                .continuity
                .note_unrecorded(host, contact)
                .await?;
            return Err(undecided());
        }
        renewed => renewed?,
    };
    tracing::info!(host.id = %host, "a host's certificate was renewed");
    Ok(RenewAnswer {
        certificate_pem,
        ca_pem: authorities.trusted_pem().to_owned(),
    })
}

/// The desired state, once it is newer than what the host has; 204 when the wait is over before.
async fn desired(
    context: AgentContext,
    reporter: Reporter,
    Ask { query, .. }: Ask<FollowDesired>,
) -> Result<Response, Refused> {
    let nouns = &context.nouns;
    let host = reporter.host();
    let wait = Duration::from_secs(query.wait_s.into()).min(POLL_MAX);
    let deadline = tokio::time::Instant::now() + wait;
    let has = Position {
        epoch: query.epoch,
        generation: query.generation,
    };
    let mut changes = nouns.hosts.watch(host);
    loop {
        // Marked before reading, so that a commit in between wakes us.
        changes.mark_unchanged();
        match nouns.intake.offer(host, has)? {
            Offer::Newer(manifest) => return Ok(Json(manifest).into_response()),
            Offer::Nothing => {}
            Offer::Behind => {
                let detail = "this control plane is behind the host";
                return Err(Refused::because(ProblemCode::Unavailable, detail));
            }
        }
        let look_again = (tokio::time::Instant::now() + LOOK_AGAIN).min(deadline);
        match tokio::time::timeout_at(look_again, changes.changed()).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) => return Err(Error::Stopped.into()),
            Err(_) if look_again == deadline => return Ok(StatusCode::NO_CONTENT.into_response()),
            Err(_) => {}
        }
    }
}

/// A spec of one of the host's own servers.
async fn spec(
    context: AgentContext,
    HostCaller { host, .. }: HostCaller,
    Ask { path: digest, .. }: Ask<GetSpec>,
) -> Result<Response, Refused> {
    let spec = context.nouns.servers.spec(host, digest)?;
    Ok((
        [(header::CONTENT_TYPE, "application/json")],
        spec.to_bytes(),
    )
        .into_response())
}

/// Says that an agent lives; the first thing on each of its connections.
async fn life(
    context: AgentContext,
    reporter: Reporter,
    Ask { body: life, .. }: Ask<ShowLife>,
) -> Result<LifeAnswer, Refused> {
    Ok(match reporter {
        Reporter::Host(caller, _) => hear(&context, &caller, &life).await?,
        Reporter::Unrecorded(..) => hear_unrecorded(&context, &life),
    })
}

/// Nothing is judged of a host that no record knows, and nothing kept. It is told whom to trust, so that a roll-over
/// does not lock it out before somebody has decided.
fn hear_unrecorded(context: &AgentContext, life: &Life) -> LifeAnswer {
    LifeAnswer {
        challenge: ChallengeId::new(context.nouns.ctx.ids()),
        renew: false,
        authorities: other_authorities(&context.authority.present(), life),
    }
}

/// Whom to trust, for a host that trusts others.
fn other_authorities(present: &Succession, life: &Life) -> Option<String> {
    let is_told = life.authorities == present.trusted_digest();
    (!is_told).then(|| present.trusted_pem().to_owned())
}

/// Not a refusal: it goes on reporting, and asks again.
fn undecided() -> Refused {
    let detail = "no record knows this host: an operator must readmit it first";
    Refused::because(ProblemCode::Unavailable, detail)
}

async fn hear(
    context: &AgentContext,
    caller: &HostCaller,
    life: &Life,
) -> Result<LifeAnswer, Error> {
    let hosts = &context.nouns.hosts;
    let challenge = hosts.hear_life(caller.host, life).await?;
    hosts
        .presence()
        .note_certificate(caller.host, caller.not_after);
    let present = context.authority.present();
    context
        .nouns
        .continuity
        .note_trust(caller.host, life.authorities, caller.issuer);
    let authorities = other_authorities(&present, life);
    // First whom to trust, then the certificate: one of an authority that it does not trust is of no use.
    let is_of_another = caller.issuer != present.issuer().key_id();
    let renews = authorities.is_none() && (is_of_another || is_signed_ahead(context, caller));
    Ok(LifeAnswer {
        challenge,
        renew: renews && context.nouns.continuity.renewal() == Renewal::Now,
        authorities,
    })
}

/// Whether a certificate ends later than one that is signed now: a clock that was ahead signed it. Its host renews when
/// half of its life is over, so that it would be good for as long as that clock was ahead.
fn is_signed_ahead(context: &AgentContext, caller: &HostCaller) -> bool {
    caller.not_after > context.nouns.ctx.now().after(HOST_LIFE + SKEW_MAX)
}

/// Takes in what a host observed.
async fn observations(
    context: AgentContext,
    reporter: Reporter,
    ask: Ask<Report>,
) -> Result<ReportAnswer, Refused> {
    let Observations { life, report } = ask.body;
    let nouns = &context.nouns;
    let knows_access = report.features.iter().any(|name| name == FEATURE_ACCESS);
    let turn = context.paces.wait(reporter.host()).await;
    turn.map_err(|wait| Error::RateLimited {
        retry_after_s: wait.as_secs().max(1),
    })?;
    let life = match reporter {
        Reporter::Host(caller, contact) => {
            let life = hear(&context, &caller, &life).await?;
            // Before it counts as heard: no order is placed here until its addresses are kept.
            nouns
                .hosts
                .note_addresses(caller.host, contact.from, &report.addresses)
                .await?;
            nouns.continuity.note_contact(caller.host, contact);
            nouns.intake.take_report(caller.host, &report).await?;
            life
        }
        Reporter::Unrecorded(host, contact) => {
            nouns
                .continuity
                .take_unrecorded(host, contact, &report)
                .await?;
            hear_unrecorded(&context, &life)
        }
    };
    Ok(ReportAnswer {
        next_report_s: REPORT_INTERVAL_S,
        witness: context.nouns.continuity.witness(),
        life,
        access: knows_access.then(|| AccessTerms {
            now: context.nouns.ctx.now(),
            engineers: context.nouns.support.engineer_networks().to_vec(),
        }),
    })
}

/// A base image that one of the host's servers starts from.
async fn blob(
    context: AgentContext,
    HostCaller { host, .. }: HostCaller,
    Ask { path: digest, .. }: Ask<GetBlob>,
) -> Result<Response, Refused> {
    let not_found = || Refused(Box::new(Problem::new(ProblemCode::NotFound)));
    if !context.nouns.servers.image_is_wanted(host, digest)? {
        return Err(not_found());
    }
    let path = context.blobs.path(digest);
    let file = tokio::fs::File::open(&path).await.map_err(|error| {
        tracing::error!(path = %path.display(), %error, "a base image that is wanted can't be opened");
        not_found()
    })?;
    let length = file
        .metadata()
        .await
        .map(|metadata| metadata.len())
        .unwrap_or_default();
    let body = axum::body::Body::from_stream(ReaderStream::with_capacity(file, 256 * 1_024));
    let headers = [
        (header::CONTENT_TYPE, "application/octet-stream".to_owned()),
        (header::CONTENT_LENGTH, length.to_string()),
    ];
    Ok((headers, body).into_response())
}

/// A request of an agent has no name of its own to begin with.
fn request_id(context: &AgentContext) -> RequestId {
    RequestId::new(context.nouns.ctx.ids())
}
