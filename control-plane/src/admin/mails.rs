//! `mails`: what waits in the outbox and why, and what was given up.

use std::{fmt::Write as _, path::Path};

use innkeeper_wire::{
    api::{ListQuery, Page},
    endpoints::{
        Ask, Endpoint as _, Nothing,
        operators::{DropMail, ListMails, RetryMail, RetryMails},
    },
    id::MailId,
    operator::{
        mails::{MailLine, MailListQuery, MailOrder, MailState},
        reason::{Reason, ReasonRequest},
    },
};

use super::{AdminContext, Printed, Support, Viewer, all, ask};
use crate::{
    api::{error::Refused, slice::slice},
    kernel::listing::page_behind,
    mails::{
        OUTBOX_MAX,
        rules::{OutgoingMail, Recipient},
        tries::{GivenUp, Tried},
    },
};

fn waiting(mail: OutgoingMail, tried: Option<Tried>) -> MailLine {
    let (account, staff) = match mail.to {
        Recipient::Account(account) => (Some(account), None),
        Recipient::Staff(staff) => (None, Some(staff.to_string())),
    };
    MailLine {
        id: mail.id,
        state: MailState::Waiting,
        kind: mail.content.kind().as_str().to_owned(),
        account,
        login_id: None,
        staff,
        queued_at: mail.queued_at,
        tries: tried.as_ref().map_or(0, |tried| tried.tries),
        next_try: tried.as_ref().map(|tried| tried.next),
        answer: tried.map(|tried| tried.answer),
    }
}

pub(super) fn given_up(given_up: GivenUp) -> MailLine {
    let GivenUp {
        mail,
        tries,
        answer,
    } = given_up;
    MailLine {
        state: MailState::GivenUp,
        tries,
        answer: Some(answer),
        ..waiting(mail, None)
    }
}

fn is_wanted(mail: &MailLine, query: &MailListQuery) -> bool {
    query.state.is_none_or(|state| mail.state == state)
        && query.kind.as_ref().is_none_or(|kind| mail.kind == *kind)
        && query.owner.is_none_or(|owner| mail.account == Some(owner))
}

/// Puts mails into an order.
fn sort(mails: &mut [MailLine], order: MailOrder) {
    mails.sort_by_key(|mail| (mail.queued_at, mail.id));
    let is_given_up = |mail: &MailLine| mail.state == MailState::GivenUp;
    match order {
        MailOrder::State => mails.sort_by_key(|mail| !is_given_up(mail)),
        MailOrder::Oldest => {}
        MailOrder::Newest => mails.reverse(),
        MailOrder::Kind => mails.sort_by(|one, other| one.kind.cmp(&other.kind)),
        // One that waits and has no time is tried at once.
        MailOrder::Next => mails.sort_by_key(|mail| (is_given_up(mail), mail.next_try)),
    }
}

pub(super) async fn list(
    context: AdminContext,
    _: Viewer,
    ask: Ask<ListMails>,
) -> Result<Page<MailLine>, Refused> {
    let query = ask.query;
    let slice = slice::<MailId>(ListQuery {
        limit: query.limit,
        after: query.after.clone(),
    })?;
    let (mails, accounts) = (&context.nouns.mails, &context.nouns.accounts);
    let queued = mails.queued(OUTBOX_MAX)?.into_iter();
    let queued = queued.map(|mail| {
        let tried = mails.tried(mail.id);
        waiting(mail, tried)
    });
    let lines = mails.given_up().into_iter().map(given_up).chain(queued);
    let lines = lines.filter(|mail| is_wanted(mail, &query));
    let mut lines: Vec<_> = lines.collect();
    sort(&mut lines, query.sort.unwrap_or_default());
    let mut page = page_behind(lines, |mail| mail.id, slice.after.as_ref(), slice.limit);
    for mail in &mut page.data {
        if let Some(account) = mail.account {
            mail.login_id = accounts.login_id_of(account)?;
        }
        if let Some(id) = mail.staff.as_ref().and_then(|staff| staff.parse().ok()) {
            mail.staff = Some(context.nouns.staff.me(id)?.name);
        }
    }
    Ok(page)
}

pub(super) async fn retry_one(
    context: AdminContext,
    Support(caller): Support,
    ask: Ask<RetryMail>,
) -> Result<Nothing, Refused> {
    let accounts = &context.nouns.accounts;
    accounts
        .retry_mail(&caller, ask.path, &ask.body.reason)
        .await?;
    tracing::info!(mail.id = %ask.path, "an operator has a mail tried at once");
    Ok(Nothing)
}

pub(super) async fn drop_one(
    context: AdminContext,
    Support(caller): Support,
    ask: Ask<DropMail>,
) -> Result<Nothing, Refused> {
    let accounts = &context.nouns.accounts;
    accounts
        .drop_mail(&caller, ask.path, &ask.body.reason)
        .await?;
    tracing::info!(mail.id = %ask.path, "an operator has a mail not sent");
    Ok(Nothing)
}

pub(super) async fn retry(
    context: AdminContext,
    Support(caller): Support,
    ask: Ask<RetryMails>,
) -> Result<Nothing, Refused> {
    let mails = &context.nouns.mails;
    mails.retry_all(caller.actor, &ask.body.reason).await?;
    tracing::info!(by = %caller.actor, "all waiting mails are tried at once");
    Ok(Nothing)
}

/// The command line's side of `mails list`.
pub async fn list_by_command(
    socket: &Path,
    query: MailListQuery,
    printed: Printed,
) -> anyhow::Result<String> {
    let mails = all::<ListMails, _>(socket, query).await?;
    printed.list(&mails, table)
}

/// The command line's side of `mails retry`.
pub async fn retry_by_command(
    socket: &Path,
    mail: Option<MailId>,
    reason: Reason,
) -> anyhow::Result<String> {
    let because = ReasonRequest { reason };
    let tried = match mail {
        Some(mail) => {
            ask(socket, RetryMail::at_with(mail, because)).await?;
            format!("{mail} is")
        }
        None => {
            ask(socket, RetryMails::with(because)).await?;
            "all waiting mails are".to_owned()
        }
    };
    Ok(format!(
        "{tried} tried now; `mails list` tells what became of it\n"
    ))
}

/// The command line's side of `mails drop`.
pub async fn drop_by_command(
    socket: &Path,
    mail: MailId,
    reason: Reason,
) -> anyhow::Result<String> {
    ask(socket, DropMail::at_with(mail, ReasonRequest { reason })).await?;
    Ok(format!("{mail} is not sent\n"))
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
        let (id, state) = (id.to_string(), state.as_str().replace('_', "-"));
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
    use innkeeper_wire::{
        id::{AccountId, uuid_v7},
        time::Timestamp,
    };

    use super::*;

    #[test]
    fn mails_are_listed_in_the_order_that_is_asked_for() {
        let mail = |number: u8, state, kind: &str, next_try: Option<i64>| {
            let at = Timestamp::from_millis(i64::from(number));
            MailLine {
                id: MailId::from_uuid(uuid_v7(at, [number; 10])),
                state,
                kind: kind.to_owned(),
                account: None,
                login_id: None,
                staff: None,
                queued_at: at,
                tries: 1,
                answer: None,
                next_try: next_try.map(Timestamp::from_millis),
            }
        };
        let mut mails = [
            mail(3, MailState::GivenUp, "welcome", None),
            mail(1, MailState::Waiting, "welcome", Some(90)),
            mail(2, MailState::Waiting, "key-added", Some(80)),
            mail(4, MailState::Waiting, "server-ready", None),
        ];
        for (order, expected) in [
            (MailOrder::State, [3, 1, 2, 4]),
            (MailOrder::Oldest, [1, 2, 3, 4]),
            (MailOrder::Newest, [4, 3, 2, 1]),
            (MailOrder::Kind, [2, 4, 1, 3]),
            (MailOrder::Next, [4, 2, 1, 3]),
        ] {
            sort(&mut mails, order);
            let listed = mails.iter().map(|mail| mail.queued_at.as_millis());
            assert_eq!(listed.collect::<Vec<_>>(), expected, "{order:?}");
        }
    }

    #[test]
    fn a_table_tells_what_waits_and_what_was_given_up() {
        let at = Timestamp::from_millis(60_000);
        let uuid = uuid_v7(at, [1; 10]);
        let waiting = MailLine {
            id: MailId::from_uuid(uuid),
            state: MailState::Waiting,
            kind: "server-ready".to_owned(),
            account: Some(AccountId::from_uuid(uuid)),
            login_id: None,
            staff: None,
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
