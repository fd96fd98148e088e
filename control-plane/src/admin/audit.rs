//! The audit trail over the operators' doors. The command line reads the files themselves (`maintenance/trail.rs`): they can
//! be read also when the service does not run.

use innkeeper_wire::{
    api::{ListQuery, Page},
    endpoints::{
        Ask,
        operators::{GetServerHistory, ListAudit},
    },
    operator::audit::{AuditLine, AuditOrder, AuditQuery},
};

use super::{AdminContext, Viewer};
use crate::{
    api::{
        error::Refused,
        slice::{Slice, slice},
    },
    kernel::Error,
    maintenance::trail::Wanted,
    nouns::Nouns,
};

pub(super) async fn list(
    context: AdminContext,
    _: Viewer,
    ask: Ask<ListAudit>,
) -> Result<Page<AuditLine>, Refused> {
    let AuditQuery {
        limit,
        after,
        actor,
        about,
        since,
        until,
        sort,
    } = ask.query;
    let slice = slice::<u64>(ListQuery { limit, after })?;
    let order = sort.unwrap_or_default();
    let wanted = Wanted {
        since,
        until,
        actor,
        about,
        ..part(&slice, order)
    };
    page(&context, wanted, order).await
}

pub(super) async fn of_server(
    context: AdminContext,
    _: Viewer,
    ask: Ask<GetServerHistory>,
) -> Result<Page<AuditLine>, Refused> {
    let slice = slice::<u64>(ask.query)?;
    // One that is gone has a history all the same.
    let server = context.nouns.servers.anybodys(ask.path)?;
    let wanted = Wanted {
        since: Some(server.server.created_at),
        about: Some(server.server.id.to_string()),
        ..part(&slice, AuditOrder::Newest)
    };
    page(&context, wanted, AuditOrder::Newest).await
}

fn part(slice: &Slice<u64>, order: AuditOrder) -> Wanted {
    let (before, after) = match order {
        AuditOrder::Newest => (slice.after, None),
        AuditOrder::Oldest => (None, slice.after),
    };
    Wanted {
        before,
        after,
        limit: u16::try_from(slice.limit).unwrap_or(u16::MAX),
        ..Wanted::default()
    }
}

/// What people call an actor, as far as he is there.
fn name_of(nouns: &Nouns, actor: &str) -> Result<Option<String>, Error> {
    if let Ok(account) = actor.parse() {
        return nouns.accounts.login_id_of(account);
    }
    if let Ok(host) = actor.parse() {
        return nouns.hosts.name_of(host);
    }
    match actor.parse() {
        Ok(staff) => nouns.staff.name_of(staff),
        Err(_) => Ok(None),
    }
}

async fn page(
    context: &AdminContext,
    wanted: Wanted,
    order: AuditOrder,
) -> Result<Page<AuditLine>, Refused> {
    let mut page = context.trail.page(wanted, order).await?;
    for line in &mut page.data {
        line.actor_name = name_of(&context.nouns, &line.actor)?;
        for record in &line.wrote {
            if let Some(reason) = context.nouns.accounts.reason_in(record)? {
                line.reason = Some(reason.as_str().to_owned());
            }
        }
    }
    Ok(page)
}
