//! What needs a person now.

use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

codes! {
    /// How long something can wait.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
    pub enum Urgency {
        /// Customers notice it, or will within the hour.
        Now = "now",
        /// Somebody waits for it.
        Today = "today",
        /// It gets worse by itself.
        Soon = "soon",
    }
}

codes! {
    /// What it is.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
    pub enum MatterKind {
        /// A host proves that the journal has lost commits.
        StoreBehind = "store_behind",
        /// The installation was restored and is not open.
        RecoveryOpen = "recovery_open",
        /// The clock is in doubt, and nothing more is charged for.
        BillingFrozen = "billing_frozen",
        /// A host that no record knows waits for a decision.
        HostUnrecorded = "host_unrecorded",
        /// A host that was declared lost asks for something: its guests may run.
        HostReturned = "host_returned",
        /// A host is not heard of.
        HostSilent = "host_silent",
        /// A host's libvirt does not answer.
        LibvirtAway = "libvirt_away",
        /// A host is not served until it is released.
        HostQuarantined = "host_quarantined",
        /// Something of a host is wrong that its agent can't put right.
        HostFault = "host_fault",
        /// A duty of the service fails.
        DutyFailing = "duty_failing",
        /// A host was declared lost, and nobody has confirmed that it will never use its addresses again.
        HostUnfenced = "host_unfenced",
        /// A plan can't be had at a site.
        NoRoom = "no_room",
        /// A host's certificate ends soon: it should have been renewed.
        CertificateEnds = "certificate_ends",
        /// An order failed, and was not placed once more.
        OrderFailed = "order_failed",
        /// An account waits to be approved.
        AccountWaits = "account_waits",
        /// Somebody has lost his second factor, and the staff have not decided.
        FactorWaits = "factor_waits",
        /// A mail was given up.
        MailGivenUp = "mail_given_up",
        /// A host says that it has more than is believed without an operator.
        CapacityDoubted = "capacity_doubted",
        /// There is something on a host that no record knows.
        Leak = "leak",
    }
}

impl MatterKind {
    /// How long it can wait.
    #[must_use]
    pub const fn urgency(self) -> Urgency {
        match self {
            Self::StoreBehind
            | Self::RecoveryOpen
            | Self::HostReturned
            | Self::BillingFrozen
            | Self::HostSilent
            | Self::LibvirtAway
            | Self::HostQuarantined
            | Self::HostFault
            | Self::DutyFailing => Urgency::Now,
            Self::HostUnrecorded
            | Self::HostUnfenced
            | Self::NoRoom
            | Self::CertificateEnds
            | Self::OrderFailed
            | Self::AccountWaits
            | Self::FactorWaits
            | Self::MailGivenUp => Urgency::Today,
            Self::CapacityDoubted | Self::Leak => Urgency::Soon,
        }
    }

    /// What to do about it, as the command line says it.
    #[must_use]
    pub const fn advice(self) -> &'static str {
        match self {
            Self::StoreBehind => "`audit verify`, then restore the newest backup",
            Self::RecoveryOpen => "`recovery show`, then `recovery finish`",
            Self::BillingFrozen => {
                "find out who set the clock, set it right, then `billing unfreeze`"
            }
            Self::HostUnrecorded => {
                "`recovery show`, then `recovery readmit` or `recovery dismiss`"
            }
            Self::HostReturned => {
                "switch the machine off: it runs guests whose addresses are not theirs any more"
            }
            Self::HostUnfenced => {
                "make sure that the machine is off or cut from the network, then `host fenced`"
            }
            Self::HostSilent => {
                "look at the machine and its network; its servers run on if it does; if it is gone for good, `host lost`"
            }
            Self::LibvirtAway => "on the host: `systemctl status libvirtd`",
            Self::HostQuarantined => {
                "make sure that one machine alone has its identity, then `host release`"
            }
            Self::HostFault => "`host list` says what; on the host: `innkeeper-agent check`",
            Self::DutyFailing => "`duties` says what failed, the log says more",
            Self::NoRoom => "another host, or another pool of addresses",
            Self::CertificateEnds => "on the host: why does its agent not renew it?",
            Self::OrderFailed => "mend what is in the way, then `order retry`",
            Self::AccountWaits => {
                "`account list-pending`, then `account approve` or `account reject`"
            }
            Self::FactorWaits => {
                "find out whether it is the owner who asks; `account lost-factor list`, then `confirm` or `reject`"
            }
            Self::MailGivenUp => "`mails list` says why; then `mails retry` or `mails drop`",
            Self::CapacityDoubted => {
                "if the machine was extended, `host accept-capacity`; else find out why it says so"
            }
            Self::Leak => "`host list` says what; nobody of us removes it",
        }
    }
}

/// Something that needs a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Matter {
    /// What it is.
    pub kind: MatterKind,
    /// How long it can wait.
    pub urgency: Urgency,
    /// Since when, as far as that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// What it is about: the name of a host, a duty, or a site and plan; the id of an order, a mail, an account or a host without a name.
    /// Absent when it is about the installation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// More about it, in words for operators.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// What to do.
    pub advice: String,
}
