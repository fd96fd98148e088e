//! `duties`: what the service does without being asked, and what became of it.

use std::{fmt::Write as _, path::Path};

use innkeeper_wire::{
    endpoints::{Ask, Endpoint as _, operators::ListDuties},
    operator::View,
    time::Timestamp,
};
use serde::{Deserialize, Serialize};

use super::{AdminContext, Printed, Viewer, ask, view};
use crate::{
    api::error::Refused,
    kernel::duty::{DutyState, Ending, LastFailure},
};

/// A duty, as the command line lists it; `--json` prints it as it is.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct DutyLine {
    /// Which.
    pub name: String,
    /// Longest pause between two turns, in seconds.
    pub period_s: u64,
    /// When the last turn ended; none has since the start of the service when this is missing.
    pub last_turn: Option<Timestamp>,
    /// How that ended.
    pub outcome: Option<Ending>,
    /// What it left.
    pub backlog: usize,
    /// What failed last since the start of the service.
    pub failure: Option<LastFailure>,
}

impl From<DutyState> for DutyLine {
    fn from(state: DutyState) -> Self {
        let last = state.last.as_ref();
        Self {
            name: state.name.to_owned(),
            period_s: state.period.as_secs(),
            last_turn: last.map(|last| last.at),
            outcome: last.map(|last| last.ending),
            backlog: last.map_or(0, |last| last.backlog),
            failure: state.failure,
        }
    }
}

pub(super) async fn list(
    context: AdminContext,
    _: Viewer,
    _: Ask<ListDuties>,
) -> Result<View, Refused> {
    let states = context.duties.states().into_iter();
    view(&states.map(DutyLine::from).collect::<Vec<_>>())
}

/// The command line's side.
pub async fn list_by_command(socket: &Path, printed: Printed) -> anyhow::Result<String> {
    let duties: Vec<DutyLine> = ask(socket, ListDuties::ask()).await?.read()?;
    printed.list(&duties, table)
}

fn table(duties: &[DutyLine]) -> String {
    let mut text = format!(
        "{:<22} {:>6}  {:<24} {:<8} {:>7}  {}\n",
        "DUTY", "PERIOD", "LAST TURN", "OUTCOME", "BACKLOG", "FAILED LAST"
    );
    for duty in duties {
        let DutyLine {
            name,
            period_s,
            last_turn,
            outcome,
            backlog,
            failure,
        } = duty;
        let period = format!("{period_s} s");
        let last_turn = last_turn.map_or("-".to_owned(), |at| at.to_string());
        let outcome = outcome.map_or("-", Ending::as_str);
        let failure = failure.as_ref().map_or("-".to_owned(), |failure| {
            format!("{}: {}", failure.at, failure.why)
        });
        writeln!(
            text,
            "{name:<22} {period:>6}  {last_turn:<24} {outcome:<8} {backlog:>7}  {failure}"
        )
        .expect("text takes anything");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_tells_idle_failed_and_not_yet_apart() {
        let at = Timestamp::from_millis(60_000);
        let waiting = DutyLine {
            name: "checkpoints".to_owned(),
            period_s: 60,
            last_turn: None,
            outcome: None,
            backlog: 0,
            failure: None,
        };
        let failed = DutyLine {
            name: "outbox".to_owned(),
            last_turn: Some(at),
            outcome: Some(Ending::Failed),
            backlog: 3,
            failure: Some(LastFailure {
                at,
                why: "the mail did not go out: connection refused".to_owned(),
            }),
            ..waiting.clone()
        };
        insta::assert_snapshot!(table(&[waiting, failed]));
    }
}
