//! What needs a person now: each line leads to the page where it is mended, where there is one.

use askama::Template;
use axum::{http::StatusCode, response::Response};
use innkeeper_wire::{
    endpoints::{
        Endpoint as _,
        operators::{GetStaffMe, ListAttention},
    },
    operator::{
        attention::{Matter, MatterKind, Urgency},
        mails::MailState,
    },
    staff::Role,
};

use super::{deeds, list::Cell, lost_factor};
use crate::{
    failure::Failure,
    page::{self, Frame},
    visit::{Member, Visit},
};

#[derive(Template)]
#[template(path = "staff_attention.html")]
struct Attention {
    frame: Frame,
    columns: Vec<String>,
    lines: Vec<Vec<Cell>>,
}

/// `GET /attention`
pub async fn show(Member(visit): Member) -> Result<Response, Failure> {
    let (matters, me) = tokio::try_join!(
        visit.ask(ListAttention::ask()),
        visit.ask(GetStaffMe::ask())
    )?;
    let columns = [
        "matter-what",
        "matter-urgency",
        "matter-subject",
        "act-at",
        "matter-advice",
    ];
    let view = Attention {
        frame: page::frame(&visit),
        columns: columns.iter().map(|key| visit.say(key)).collect(),
        lines: matters
            .into_iter()
            .map(|matter| line(&visit, me.role, matter))
            .collect(),
    };
    page::render(&visit, StatusCode::OK, &view)
}

fn line(visit: &Visit, role: Role, matter: Matter) -> Vec<Cell> {
    let mended_at = mended_at(role, matter.kind, matter.subject.as_deref());
    vec![
        Cell::text(visit.say(matter_key(matter.kind))).leading_to(mended_at),
        Cell::text(visit.say(urgency_key(matter.urgency))),
        Cell::english(match (matter.subject, matter.detail) {
            (Some(subject), Some(detail)) => Some(format!("{subject}: {detail}")),
            (subject, detail) => subject.or(detail),
        }),
        Cell::at(visit, matter.since),
        Cell::text(visit.say(advice_key(matter.kind))),
    ]
}

/// The page on which it is mended by somebody with this role; none of what is mended by command, or at the machine.
fn mended_at(role: Role, kind: MatterKind, subject: Option<&str>) -> Option<String> {
    match kind {
        MatterKind::StoreBehind
        | MatterKind::RecoveryOpen
        | MatterKind::HostUnrecorded
        | MatterKind::DutyFailing => None,
        MatterKind::HostReturned
        | MatterKind::HostUnfenced
        | MatterKind::HostSilent
        | MatterKind::LibvirtAway
        | MatterKind::HostQuarantined
        | MatterKind::HostFault
        | MatterKind::CertificateEnds
        | MatterKind::CapacityDoubted
        | MatterKind::Leak => subject.map(|host| format!("/hosts/{host}")),
        MatterKind::NoRoom => Some("/hosts".to_owned()),
        MatterKind::BillingFrozen => deeds::UNFREEZE
            .is_for(role)
            .then(|| "/billing/unfreeze".to_owned()),
        MatterKind::OrderFailed if deeds::RETRY_ORDER.is_for(role) => {
            subject.map(|order| format!("/orders/{order}/retry"))
        }
        MatterKind::OrderFailed => Some("/orders".to_owned()),
        MatterKind::AccountWaits => subject.map(|account| format!("/accounts/{account}")),
        MatterKind::FactorWaits => Some(lost_factor::TABLE.path.to_owned()),
        MatterKind::MailGivenUp => Some(format!("/mails?state={}", MailState::GivenUp.as_str())),
    }
}

fn urgency_key(urgency: Urgency) -> &'static str {
    match urgency {
        Urgency::Now => "urgency-now",
        Urgency::Today => "urgency-today",
        Urgency::Soon => "urgency-soon",
    }
}

fn matter_key(kind: MatterKind) -> &'static str {
    match kind {
        MatterKind::StoreBehind => "matter-store-behind",
        MatterKind::RecoveryOpen => "matter-recovery-open",
        MatterKind::BillingFrozen => "matter-billing-frozen",
        MatterKind::HostUnrecorded => "matter-host-unrecorded",
        MatterKind::HostReturned => "matter-host-returned",
        MatterKind::HostUnfenced => "matter-host-unfenced",
        MatterKind::HostSilent => "matter-host-silent",
        MatterKind::LibvirtAway => "matter-libvirt-away",
        MatterKind::HostQuarantined => "matter-host-quarantined",
        MatterKind::HostFault => "matter-host-fault",
        MatterKind::DutyFailing => "matter-duty-failing",
        MatterKind::NoRoom => "matter-no-room",
        MatterKind::CertificateEnds => "matter-certificate-ends",
        MatterKind::OrderFailed => "matter-order-failed",
        MatterKind::MailGivenUp => "matter-mail-given-up",
        MatterKind::CapacityDoubted => "matter-capacity-doubted",
        MatterKind::Leak => "matter-leak",
        MatterKind::AccountWaits => "matter-account-waits",
        MatterKind::FactorWaits => "matter-factor-waits",
    }
}

/// What to do about it: what has a page is said as that page says it, the rest as the command line does.
fn advice_key(kind: MatterKind) -> &'static str {
    match kind {
        MatterKind::StoreBehind => "advice-store-behind",
        MatterKind::RecoveryOpen => "advice-recovery-open",
        MatterKind::BillingFrozen => "advice-billing-frozen",
        MatterKind::HostUnrecorded => "advice-host-unrecorded",
        MatterKind::HostReturned => "advice-host-returned",
        MatterKind::HostUnfenced => "advice-host-unfenced",
        MatterKind::HostSilent => "advice-host-silent",
        MatterKind::LibvirtAway => "advice-libvirt-away",
        MatterKind::HostQuarantined => "advice-host-quarantined",
        MatterKind::HostFault => "advice-host-fault",
        MatterKind::DutyFailing => "advice-duty-failing",
        MatterKind::NoRoom => "advice-no-room",
        MatterKind::CertificateEnds => "advice-certificate-ends",
        MatterKind::OrderFailed => "advice-order-failed",
        MatterKind::MailGivenUp => "advice-mail-given-up",
        MatterKind::CapacityDoubted => "advice-capacity-doubted",
        MatterKind::Leak => "advice-leak",
        MatterKind::AccountWaits => "advice-account-waits",
        MatterKind::FactorWaits => "advice-factor-waits",
    }
}
