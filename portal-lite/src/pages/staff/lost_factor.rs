//! Requests of customers who have lost their second factor: the list, and what staff decide about one. The form carries when
//! the request was made that is shown, since a later one of the same account is another.

use innkeeper_wire::{
    endpoints::{
        Endpoint as _,
        operators::{ConfirmLostFactor, ListLostFactors, RejectLostFactor},
    },
    id::AccountId,
    operator::{
        lost_factor::{LostFactorDecision, LostFactorLine},
        reason::Reason,
    },
    staff::Role,
};

use super::{
    ask::Undone,
    deeds::{self, OnFactor, REQUESTED_AT},
    list::{Cell, Part, Search, Table, line, plain},
    subject::Subject,
};
use crate::{
    failure::Failure,
    fields::Fields,
    pages::{id, view},
    visit::Visit,
};

/// The list.
pub(super) const TABLE: Table = Table {
    path: "/lost-factors",
    title: "staff-factors",
    lead: Some("staff-factors-lead"),
    search: Search::None,
    columns: &[
        plain("act-owner"),
        plain("staff-factor-asked"),
        plain("staff-factor-off-from"),
        plain("staff-factor-expires"),
        plain("staff-factor-confirmed"),
    ],
    order: "",
};

/// All requests that are open, with what a role can decide about each.
pub(super) async fn part(visit: &Visit, role: Role) -> Result<Part, Failure> {
    let found = visit.ask(ListLostFactors::ask()).await?;
    let lines = found.into_iter().map(|request| {
        let account = request.account;
        let by = confirmed_by(&request);
        let cells = vec![
            Cell::owner(request.login_id, account),
            Cell::at(visit, Some(request.requested_at)),
            Cell::at(visit, Some(request.off_from)),
            Cell::at(visit, Some(request.expires_at)),
            Cell::text(by),
        ];
        let possible = [&deeds::CONFIRM_FACTOR, &deeds::REJECT_FACTOR];
        let base = format!("{}/{account}", TABLE.path);
        line(account, cells).with(deeds::buttons(visit, role, &base, &possible))
    });
    Ok(Part {
        lines: lines.collect(),
        next: None,
    })
}

fn confirmed_by(request: &LostFactorLine) -> String {
    let by: Vec<_> = request
        .confirmations
        .iter()
        .map(|confirmation| confirmation.by.as_str())
        .collect();
    if by.is_empty() {
        return "–".to_owned();
    }
    by.join(", ")
}

/// The open request of an account, as the page shows it that asks before.
pub(super) async fn subject(visit: &Visit, about: &str) -> Result<Subject, Failure> {
    let account: AccountId = id(about)?;
    let found = visit.ask(ListLostFactors::ask()).await?;
    let mut found = found.into_iter().filter(|line| line.account == account);
    let request = found.next().ok_or(Failure::NotFound)?;
    let moment = |at| view::moment(visit, at).exact;
    let facts = vec![
        (
            visit.say("staff-factor-asked"),
            moment(request.requested_at),
        ),
        (visit.say("staff-factor-off-from"), moment(request.off_from)),
        (visit.say("staff-factor-confirmed"), confirmed_by(&request)),
    ];
    let shown = (
        REQUESTED_AT.name.to_owned(),
        request.requested_at.to_string(),
    );
    Ok(Subject {
        list: (TABLE.path, TABLE.title),
        name: request.login_id.unwrap_or_else(|| account.to_string()),
        href: format!("/accounts/{account}"),
        facts,
        present: Fields::new(vec![shown]),
    })
}

/// Has it decided.
pub(super) async fn decide(
    visit: &Visit,
    what: OnFactor,
    about: &str,
    fields: &Fields,
    reason: Reason,
) -> Result<(), Undone> {
    let account: AccountId = id(about)?;
    let requested_at = fields.get(REQUESTED_AT.name).parse();
    let decision = LostFactorDecision {
        requested_at: requested_at.map_err(|_| Failure::NotFound)?,
        reason,
    };
    match what {
        OnFactor::Confirm => {
            let confirm = ConfirmLostFactor::at_with(account, decision);
            visit.ask(confirm).await?;
        }
        OnFactor::Reject => {
            let reject = RejectLostFactor::at_with(account, decision);
            visit.ask(reject).await?;
        }
    }
    Ok(())
}
