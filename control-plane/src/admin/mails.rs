//! `mails`: what waits in the outbox and why, and what was given up.

use std::{fmt::Write as _, path::Path};

use innkeeper_wire::{
    endpoints::{
        Ask, Endpoint as _, Nothing,
        operators::{ListMails, RetryMails},
    },
    id::{AccountId, MailId},
    operator::View,
    time::Timestamp,
};
use serde::{Deserialize, Serialize};

use super::{AdminContext, Printed, Support, Viewer, ask, view};
use crate::{
    api::error::Refused,
    mails::{
        Mails,
        rules::OutgoingMail,
        tries::{GivenUp, Tried},
    },
};

/// Mails that are listed.
const LISTED_MAX: usize = 1_000;

/// A mail, as the command line lists it; `--json` prints it as it is.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct MailLine {
    /// Which.
    pub id: MailId,
    /// How far it is.
    pub state: MailState,
    /// What kind.
    pub kind: String,
    /// To whom.
    pub account: AccountId,
    /// Since when it waits.
    pub queued_at: Timestamp,
    /// How often the mail server was asked to take it since the start of the service.
    pub tries: u32,
    /// What it said last, without addresses; missing before the first try.
    pub answer: Option<String>,
    /// When it is tried again; missing when that is at once, or never.
    pub next_try: Option<Timestamp>,
}

/// How far a mail is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MailState {
    /// It goes out as soon as the mail server takes it.
    Waiting,
    /// Its recipient or its content was refused for good, or it was put off for days. Remembered until the next start.
    GivenUp,
}

impl MailState {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::GivenUp => "given-up",
        }
    }
}

impl MailLine {
    fn waiting(mail: OutgoingMail, tried: Option<Tried>) -> Self {
        Self {
            id: mail.id,
            state: MailState::Waiting,
            kind: mail.content.kind().as_str().to_owned(),
            account: mail.account,
            queued_at: mail.queued_at,
            tries: tried.as_ref().map_or(0, |tried| tried.tries),
            next_try: tried.as_ref().map(|tried| tried.next),
            answer: tried.map(|tried| tried.answer),
        }
    }

    fn given_up(given_up: GivenUp) -> Self {
        let GivenUp {
            mail,
            tries,
            answer,
        } = given_up;
        Self {
            state: MailState::GivenUp,
            tries,
            answer: Some(answer),
            ..Self::waiting(mail, None)
        }
    }
}

fn lines(mails: &Mails) -> Result<Vec<MailLine>, crate::kernel::Error> {
    let given_up = mails.given_up().into_iter().map(MailLine::given_up);
    let queued = mails.queued(LISTED_MAX)?.into_iter();
    let waiting = queued.map(|mail| {
        let tried = mails.tried(mail.id);
        MailLine::waiting(mail, tried)
    });
    Ok(given_up.chain(waiting).collect())
}

pub(super) async fn list(
    context: AdminContext,
    _: Viewer,
    _: Ask<ListMails>,
) -> Result<View, Refused> {
    view(&lines(&context.nouns.mails)?)
}

pub(super) async fn retry(
    context: AdminContext,
    Support(caller): Support,
    _: Ask<RetryMails>,
) -> Result<Nothing, Refused> {
    tracing::info!(by = %caller.actor, "all waiting mails are tried at once");
    context.nouns.mails.retry_all();
    Ok(Nothing)
}

/// The command line's side of `mails list`.
pub async fn list_by_command(socket: &Path, printed: Printed) -> anyhow::Result<String> {
    let mails: Vec<MailLine> = ask(socket, ListMails::ask()).await?.read()?;
    printed.list(&mails, table)
}

/// The command line's side of `mails retry`.
pub async fn retry_by_command(socket: &Path) -> anyhow::Result<String> {
    ask(socket, RetryMails::ask()).await?;
    Ok("all waiting mails are tried now; `mails list` tells what became of them\n".to_owned())
}

fn table(mails: &[MailLine]) -> String {
    if mails.is_empty() {
        return "no mail waits, and none was given up since the service was started\n".to_owned();
    }
    let mut text = format!(
        "{:<36}  {:<8}  {:<14}  {:<24}  {:>5}  {:<24}  {}\n",
        "MAIL", "STATE", "KIND", "SINCE", "TRIES", "NEXT TRY", "LAST ANSWER"
    );
    for mail in mails {
        let MailLine {
            id,
            state,
            kind,
            queued_at,
            tries,
            answer,
            next_try,
            ..
        } = mail;
        let next_try = next_try.map_or("-".to_owned(), |at| at.to_string());
        let answer = answer.as_deref().unwrap_or("-");
        let (id, state) = (id.to_string(), state.as_str());
        let queued_at = queued_at.to_string();
        writeln!(
            text,
            "{id:<36}  {state:<8}  {kind:<14}  {queued_at:<24}  {tries:>5}  {next_try:<24}  {answer}"
        )
        .expect("text takes anything");
    }
    text
}

#[cfg(test)]
mod tests {
    use innkeeper_wire::id::uuid_v7;

    use super::*;

    #[test]
    fn a_table_tells_what_waits_and_what_was_given_up() {
        let at = Timestamp::from_millis(60_000);
        let uuid = uuid_v7(at, [1; 10]);
        let waiting = MailLine {
            id: MailId::from_uuid(uuid),
            state: MailState::Waiting,
            kind: "server-ready".to_owned(),
            account: AccountId::from_uuid(uuid),
            queued_at: at,
            tries: 3,
            answer: Some("the mail server takes no mail from us: permanent error (535)".to_owned()),
            next_try: Some(Timestamp::from_millis(80_000)),
        };
        let given_up = MailLine {
            state: MailState::GivenUp,
            next_try: None,
            ..waiting.clone()
        };
        let untried = MailLine {
            tries: 0,
            answer: None,
            next_try: None,
            ..waiting.clone()
        };
        insta::assert_snapshot!(table(&[given_up, waiting, untried]));
        assert!(table(&[]).contains("no mail waits"));
    }
}
