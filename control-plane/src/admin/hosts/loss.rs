//! The operator's commands about hosts that are lost for good: the service's side, and the text that the command line
//! prints.

use std::path::Path;

use anyhow::bail;
use innkeeper_wire::{
    endpoints::{
        Ask, Endpoint as _, Nothing,
        operators::{ConfirmFencing, GetStranded, LoseHost},
    },
    error::ProblemCode,
    id::HostId,
    operator::{
        StrandedAnswer,
        reason::{Reason, ReasonRequest},
    },
};

use super::{agreed, names};
use crate::{
    admin::{AdminContext, ProvenAdmin, accounts::Confirmed, ask},
    api::error::Refused,
    hosts::rules::host::{Host, HostState},
    nouns::Nouns,
};

pub(crate) async fn lose(
    context: AdminContext,
    ProvenAdmin(caller): ProvenAdmin,
    ask: Ask<LoseHost>,
) -> Result<Nothing, Refused> {
    let nouns = &context.nouns;
    let host = host_meant(nouns, &ask.path)?;
    let reason = &ask.body.reason;
    let ended = nouns.closing.lose_host(caller.actor, host, reason).await?;
    nouns.continuity.forget(host);
    tracing::warn!(
        host.id = %host, ended = ended.done, left = ended.failures.len(),
        "a host was declared lost, and its servers end"
    );
    Ok(Nothing)
}

pub(crate) async fn confirm_fencing(
    context: AdminContext,
    ProvenAdmin(caller): ProvenAdmin,
    ask: Ask<ConfirmFencing>,
) -> Result<Nothing, Refused> {
    let nouns = &context.nouns;
    let host = host_meant(nouns, &ask.path)?;
    let (closing, reason) = (&nouns.closing, &ask.body.reason);
    let ended = closing.confirm_fencing(caller.actor, host, reason).await?;
    tracing::warn!(
        host.id = %host, released = ended.done, left = ended.failures.len(),
        "a lost host is fenced, and its servers' addresses rest"
    );
    Ok(Nothing)
}

/// The host that an operator names who may mean one that is revoked: by its id, or by a name that no other has had of
/// which there is anything left.
pub(crate) fn host_meant(nouns: &Nouns, text: &str) -> Result<HostId, Refused> {
    let mut meant = Vec::new();
    for overview in nouns.hosts.list()? {
        let host = overview.host;
        if host.id.to_string() == text {
            return Ok(host.id);
        }
        if host.name == text && is_anything_left(nouns, &host)? {
            meant.push(host.id);
        }
    }
    match meant.as_slice() {
        [host] => Ok(*host),
        [] => Err(Refused::because(
            ProblemCode::NotFound,
            format!("no host is named `{text}` of which anything is left; `host list` shows all"),
        )),
        [_, ..] => {
            let ids: Vec<_> = meant.iter().map(ToString::to_string).collect();
            let detail = format!(
                "several hosts have had the name `{text}`; name one by its id: {}",
                ids.join(", ")
            );
            Err(Refused::because(ProblemCode::BadRequest, detail))
        }
    }
}

fn is_anything_left(nouns: &Nouns, host: &Host) -> Result<bool, Refused> {
    let is_out = host.state == HostState::Revoked && !host.may_use_addresses();
    Ok(!is_out || nouns.servers.stranded_by(host.id)?.servers > 0)
}

/// Whether it is confirmed, with the commands, that a lost host is off for good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fenced {
    /// Not yet.
    No,
    /// It is.
    Yes,
}

/// `host lost`: says what ends, and does it once that is confirmed.
pub async fn lose_by_command(
    socket: &Path,
    name: &str,
    reason: Reason,
    fenced: Fenced,
    confirmed: Confirmed,
) -> anyhow::Result<String> {
    let stranded = ask(socket, GetStranded::at(name.to_owned())).await?;
    let mut text = describe(name, &stranded);
    if fenced == Fenced::Yes {
        text += &what_fencing_means(name);
    }
    if confirmed == Confirmed::No && !agreed(&text, "declare it lost", name)? {
        bail!("{text}Nothing was done. To do it, repeat the command with --confirm.");
    }
    let because = ReasonRequest { reason };
    ask(socket, LoseHost::at_with(name.to_owned(), because.clone())).await?;
    if fenced == Fenced::Yes {
        ask(socket, ConfirmFencing::at_with(name.to_owned(), because)).await?;
        return Ok(format!(
            "{name} is lost and fenced; its servers have ended, and their addresses rest\n"
        ));
    }
    Ok(format!(
        "{name} is lost; its servers have ended. Once it is off or cut from the network for good, `host fenced {name}` \
         frees their addresses\n"
    ))
}

/// `host fenced`: says what that means, and does it once it is confirmed.
pub async fn fence_by_command(
    socket: &Path,
    name: &str,
    reason: Reason,
    confirmed: Confirmed,
) -> anyhow::Result<String> {
    let text = what_fencing_means(name);
    if confirmed == Confirmed::No && !agreed(&text, "confirm it", name)? {
        bail!("{text}Nothing was done. To do it, repeat the command with --confirm.");
    }
    let because = ReasonRequest { reason };
    ask(socket, ConfirmFencing::at_with(name.to_owned(), because)).await?;
    Ok(format!(
        "{name} is fenced; the addresses of its servers rest, and are given to others after that\n"
    ))
}

fn describe(name: &str, stranded: &StrandedAnswer) -> String {
    let StrandedAnswer {
        servers, accounts, ..
    } = stranded;
    let text = format!(
        "Declaring {name} lost can't be undone. {servers} servers of {accounts} accounts end, and their owners are told that \
         what was on them is gone"
    );
    if *servers == 0 {
        return text + ".\n";
    }
    text + ":\n" + &names(stranded)
}

fn what_fencing_means(name: &str) -> String {
    format!(
        "You confirm that the machine {name} is off or cut from the network, and will not come back with the addresses of \
         its servers. If it does, two machines answer for one address, and one customer gets what is meant for another.\n"
    )
}
