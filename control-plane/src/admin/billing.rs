//! `billing`: whether usage is counted, and that it is again.

use std::{fmt::Write as _, path::Path};

use innkeeper_wire::{
    endpoints::{
        Ask, Endpoint as _, Nothing,
        operators::{GetBilling, UnfreezeBilling},
    },
    operator::{
        billing::{BillingStatus, FreezeCause, FreezeView},
        reason::{Reason, ReasonRequest},
    },
};

use super::{AdminContext, Billing, Viewer, ask};
use crate::api::error::Refused;

pub(super) async fn status(
    context: AdminContext,
    _: Viewer,
    _: Ask<GetBilling>,
) -> Result<BillingStatus, Refused> {
    Ok(context.nouns.billing.status()?)
}

pub(super) async fn unfreeze(
    context: AdminContext,
    Billing(caller): Billing,
    ask: Ask<UnfreezeBilling>,
) -> Result<Nothing, Refused> {
    let billing = &context.nouns.billing;
    billing.unfreeze(caller.actor, &ask.body.reason).await?;
    tracing::info!(by = %caller.actor, "billing goes on: the clock is believed again");
    Ok(Nothing)
}

/// `billing status`.
pub async fn status_by_command(socket: &Path, json: bool) -> anyhow::Result<String> {
    let status = ask(socket, GetBilling::ask()).await?;
    if json {
        return Ok(serde_json::to_string_pretty(&status)? + "\n");
    }
    Ok(told(&status))
}

/// `billing unfreeze`.
pub async fn unfreeze_by_command(socket: &Path, reason: Reason) -> anyhow::Result<String> {
    let request = ReasonRequest { reason };
    ask(socket, UnfreezeBilling::with(request)).await?;
    let BillingStatus { clock, .. } = ask(socket, GetBilling::ask()).await?;
    Ok(format!(
        "billing goes on from {clock}; what waited is made up for within half a minute\n"
    ))
}

fn told(status: &BillingStatus) -> String {
    let BillingStatus {
        clock,
        freeze,
        waiting,
    } = status;
    let mut text = match freeze {
        None => format!("usage is counted; the clock shows {clock}\n"),
        Some(freeze) => frozen(freeze, &clock.to_string()),
    };
    if *waiting > 0 {
        writeln!(text, "of {waiting} contracts something waits for that").expect("text");
    }
    text
}

fn frozen(freeze: &FreezeView, clock: &str) -> String {
    let FreezeView {
        since,
        why,
        shown,
        expected,
    } = freeze;
    let why = match why {
        FreezeCause::ClockSet => {
            format!("the clock was set: it showed {shown}, and {expected} was expected")
        }
        FreezeCause::StartedBefore => {
            format!("at a start the clock showed {shown}, and the last commit is of {expected}")
        }
        FreezeCause::StartedLate => {
            format!("at a start the clock showed {shown}, long after the last commit of {expected}")
        }
    };
    format!(
        "billing is FROZEN: {why}\nwhat ends is charged for up to {since}; now the clock shows {clock}\n\
         set it right, then `billing unfreeze`\n"
    )
}

#[cfg(test)]
mod tests {
    use innkeeper_wire::time::Timestamp;

    use super::*;

    #[test]
    fn a_freeze_reads_so() {
        let at = |hours: i64| Timestamp::from_millis(1_790_000_000_000 + hours * 3_600_000);
        let well = BillingStatus {
            clock: at(0),
            freeze: None,
            waiting: 0,
        };
        assert_eq!(
            told(&well),
            "usage is counted; the clock shows 2026-09-21T14:13:20.000Z\n"
        );
        for why in FreezeCause::ALL {
            let frozen = BillingStatus {
                freeze: Some(FreezeView {
                    since: at(0),
                    why: *why,
                    shown: at(8_760),
                    expected: at(0),
                }),
                waiting: 3,
                ..well
            };
            insta::assert_snapshot!(why.as_str(), told(&frozen));
        }
    }
}
