//! The engineers' desk: technical-support jobs of all customers.

use innkeeper_wire::{
    api::{ListQuery, Page},
    endpoints::{
        Ask,
        operators::{ActOnAnyJob, GetAnyJob, ListAllJobs},
    },
    id::JobId,
    job::{AnyJob, AnyJobLine},
};

use super::{AdminContext, Engineer, Viewer};
use crate::api::{error::Refused, slice::slice};

pub(super) async fn list(
    context: AdminContext,
    Viewer(caller): Viewer,
    ask: Ask<ListAllJobs>,
) -> Result<Page<AnyJobLine>, Refused> {
    let (limit, after) = (ask.query.limit, ask.query.after.clone());
    let slice = slice::<JobId>(ListQuery { limit, after })?;
    let support = &context.nouns.support;
    Ok(support.all_jobs(&caller, &ask.query, slice.after, slice.limit)?)
}

pub(super) async fn get(
    context: AdminContext,
    Engineer(caller): Engineer,
    ask: Ask<GetAnyJob>,
) -> Result<AnyJob, Refused> {
    Ok(context.nouns.support.any_job(&caller, ask.path)?)
}

pub(super) async fn act(
    context: AdminContext,
    Engineer(caller): Engineer,
    ask: Ask<ActOnAnyJob>,
) -> Result<AnyJob, Refused> {
    let support = &context.nouns.support;
    Ok(support
        .act_as_engineer(&caller, ask.path, &ask.body)
        .await?)
}
