//! `ca`: the operator's side of rolling the authority over.

use std::{fmt, path::Path};

use innkeeper_wire::{
    digest::Digest,
    endpoints::{
        Ask, Endpoint as _,
        operators::{GetAuthority, TakeStep},
    },
    operator::{Step, StepRequest, View},
    time::Timestamp,
};
use serde::{Deserialize, Serialize};

use super::{AdminContext, Operator, ask};
use crate::{
    api::error::Refused,
    continuity::{
        roll_over::stage,
        rules::roll_over::{Member, Stage, total_servers},
    },
};

/// Hosts that a view names.
const NAMES_MAX: usize = 50;

/// Where the roll-over stands.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct AuthorityView {
    /// Where.
    pub stage: Stage,
    /// Since when, if the journal knows.
    pub since: Option<Timestamp>,
    /// Fingerprint of the authority that signs.
    pub issuer: Digest,
    /// Until when that is valid.
    pub issuer_until: Timestamp,
    /// Fingerprint of the other one.
    pub other: Option<Digest>,
    /// Hosts that are not revoked.
    pub hosts: usize,
    /// How many of them lack something.
    pub lacking: usize,
    /// Some of those.
    pub named: Vec<Lacking>,
    /// What to do next.
    pub advice: String,
}

/// A host that lacks something.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Lacking {
    /// Its name.
    pub name: String,
    /// Servers on it.
    pub servers: u32,
    /// What it lacks, in words.
    pub what: String,
}

/// What a step left behind.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Taken {
    /// Names of the hosts.
    pub left_behind: Vec<String>,
    /// Servers on them.
    pub servers: u64,
    /// Where the roll-over stands now.
    pub view: AuthorityView,
}

impl fmt::Display for AuthorityView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.stage {
            Stage::Settled => "settled: one authority",
            Stage::Begun => "begun: the next authority is trusted, and does not sign yet",
            Stage::Switched => {
                "switched: the next authority signs, the one before is still trusted"
            }
        };
        write!(f, "{what}")?;
        match self.since {
            Some(since) => writeln!(f, " (since {since})")?,
            None => writeln!(f)?,
        }
        writeln!(
            f,
            "signs: {} (valid until {})",
            self.issuer, self.issuer_until
        )?;
        match (self.stage, self.other) {
            (Stage::Switched, Some(other)) => writeln!(f, "before: {other}")?,
            (_, Some(other)) => writeln!(f, "next: {other}")?,
            (_, None) => {}
        }
        let ready = self.hosts.saturating_sub(self.lacking);
        writeln!(f, "hosts that are ready: {ready} of {}", self.hosts)?;
        for Lacking {
            name,
            servers,
            what,
        } in &self.named
        {
            writeln!(f, "  {name} ({servers} servers) {what}")?;
        }
        if self.lacking > self.named.len() {
            writeln!(f, "  and {} more", self.lacking - self.named.len())?;
        }
        writeln!(f, "next: {}", self.advice)
    }
}

impl fmt::Display for Taken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.left_behind.is_empty() {
            let Self {
                left_behind,
                servers,
                ..
            } = self;
            let names = left_behind.join(", ");
            writeln!(f, "left behind, with {servers} servers: {names}")?;
        }
        self.view.fmt(f)
    }
}

pub(super) async fn status(
    context: AdminContext,
    _: Operator,
    _: Ask<GetAuthority>,
) -> Result<View, Refused> {
    super::view(&view(&context)?)
}

pub(super) async fn take(
    context: AdminContext,
    _: Operator,
    Ask {
        path: step, body, ..
    }: Ask<TakeStep>,
) -> Result<View, Refused> {
    let AdminContext {
        nouns, authority, ..
    } = &context;
    let left = authority.take(nouns, step, body.without).await?;
    super::view(&Taken {
        servers: total_servers(left.iter()),
        left_behind: left.into_iter().map(|member| member.name).collect(),
        view: view(&context)?,
    })
}

fn view(context: &AdminContext) -> Result<AuthorityView, Refused> {
    let authorities = context.authority.present();
    let stage = stage(&authorities);
    let members = context.nouns.continuity.members(&authorities)?;
    let lacking = stage.lacking(&members);
    let issuer = authorities.issuer().certificate();
    let taken = context.nouns.continuity.step_taken()?;
    let taken = taken.filter(|taken| (taken.stage, taken.issuer) == (stage, issuer.fingerprint()));
    let other = authorities.other().certificate();
    let named = lacking.iter().take(NAMES_MAX).map(|(member, lack)| {
        let Member { name, servers, .. } = member.clone();
        let what = lack.to_string();
        Lacking {
            name,
            servers,
            what,
        }
    });
    Ok(AuthorityView {
        stage,
        since: taken.map(|taken| taken.at),
        issuer: issuer.fingerprint(),
        issuer_until: issuer.not_after(),
        other: other.map(|other| other.fingerprint()),
        hosts: members.len(),
        lacking: lacking.len(),
        named: named.collect(),
        advice: stage.advice().to_owned(),
    })
}

/// The command line's side: where it stands.
pub async fn status_by_command(socket: &Path) -> anyhow::Result<String> {
    let view: AuthorityView = ask(socket, GetAuthority::ask()).await?.read()?;
    Ok(view.to_string())
}

/// The command line's side of a step.
pub async fn take_by_command(
    socket: &Path,
    step: Step,
    without: Vec<String>,
) -> anyhow::Result<String> {
    let request = StepRequest { without };
    let taken: Taken = ask(socket, TakeStep::at_with(step, request))
        .await?
        .read()?;
    Ok(taken.to_string())
}
