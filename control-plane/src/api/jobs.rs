//! Technical-support jobs.

use innkeeper_wire::{
    api::{ListQuery, Page},
    endpoints::{
        Ask,
        rest::{ActOnJob, ConfirmJob, GetJob, GetJobOffer, ListJobs, SubmitJob},
    },
    id::JobId,
    job::{Job, JobLine, JobOffer},
};

use super::{auth::Customer, context::Context, error::Refused, slice::slice};

pub(super) async fn offer(
    context: Context,
    _: Customer,
    _: Ask<GetJobOffer>,
) -> Result<JobOffer, Refused> {
    Ok(context.nouns.support.offer()?)
}

pub(super) async fn submit(
    context: Context,
    Customer(caller): Customer,
    ask: Ask<SubmitJob>,
) -> Result<Job, Refused> {
    Ok(context.nouns.support.submit(&caller, &ask.body).await?)
}

pub(super) async fn list(
    context: Context,
    Customer(caller): Customer,
    ask: Ask<ListJobs>,
) -> Result<Page<JobLine>, Refused> {
    let (limit, after) = (ask.query.limit, ask.query.after.clone());
    let slice = slice::<JobId>(ListQuery { limit, after })?;
    let support = &context.nouns.support;
    Ok(support.own_jobs(&caller, &ask.query, slice.after, slice.limit)?)
}

pub(super) async fn get(
    context: Context,
    Customer(caller): Customer,
    ask: Ask<GetJob>,
) -> Result<Job, Refused> {
    Ok(context.nouns.support.own_job(&caller, ask.path)?)
}

pub(super) async fn act(
    context: Context,
    Customer(caller): Customer,
    ask: Ask<ActOnJob>,
) -> Result<Job, Refused> {
    let support = &context.nouns.support;
    Ok(support.act(&caller, ask.path, &ask.body).await?)
}

pub(super) async fn confirm(
    context: Context,
    Customer(caller): Customer,
    ask: Ask<ConfirmJob>,
) -> Result<Job, Refused> {
    let support = &context.nouns.support;
    Ok(support.confirm(&caller, ask.path, ask.body).await?)
}
