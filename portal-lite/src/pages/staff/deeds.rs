//! What staff can do by a page that asks before: a table. `ask` makes a page of each row, and has it done.

use innkeeper_wire::{
    api::{ServerAction, SuspensionKind},
    endpoints::{
        Endpoint as _, Who,
        operators::{
            AcceptCapacity, ActOnAnyServer, ApproveAccount, ChangeQuota, ConfirmAccountEmail,
            ConfirmFencing, ConfirmLostFactor, CordonHost, DeleteAnyServer, DropMail, EraseAccount,
            LoseHost, MailConfirmation, RejectAccount, RejectLostFactor, ReleaseHost, ReplaceHost,
            ResumeAccount, RetryMail, RetryMails, RetryOrder, RevokeHost, SuspendAccount,
            UncordonHost, UnfreezeBilling, UnlockAccount,
        },
    },
    staff::Role,
};

use super::{REASON, jobs::acts::OnJob, money::acts::OnMoney};
use crate::{
    form::{Field, Need},
    visit::Visit,
};

/// Something that staff can do.
#[derive(Debug)]
pub struct StaffDeed {
    /// What is done, and to what kind of thing.
    pub what: What,
    /// The end of its page's address, behind that of the thing.
    pub code: &'static str,
    /// The name of its words: on the button that leads to its page, as its title, and on the button that does it.
    pub title: &'static str,
    /// The name of what is said about it before.
    pub lead: &'static str,
    /// What is asked.
    pub form: &'static [Field],
    /// Who may.
    pub who: Who,
    /// Whether something is lost by it.
    pub loss: Loss,
}

/// Whether something is lost by a deed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loss {
    /// Nothing that can't be had again.
    None,
    /// It can't be undone.
    Some,
}

/// What is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// Something to an account.
    Account(OnAccount),
    /// Something to a server.
    Server(ServerAction),
    /// Something to a host.
    Host(OnHost),
    /// An order that failed is placed once more.
    RetryOrder,
    /// A mail is tried at once.
    RetryMail,
    /// A mail is not sent.
    DropMail,
    /// All mails that wait are tried at once.
    RetryMails,
    /// The clock is believed again, and what is charged for goes on.
    UnfreezeBilling,
    /// Something about money.
    Money(OnMoney),
    /// Something to a technical-support job.
    Job(OnJob),
    /// It is decided whether somebody has lost his second factor.
    LostFactor(OnFactor),
}

/// What is decided about a second factor that somebody says to have lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnFactor {
    /// It is he who says so.
    Confirm,
    /// It may be somebody else.
    Reject,
}

/// What is done to an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnAccount {
    /// Locks of its sign-in are lifted.
    Unlock,
    /// It may have more servers, or fewer.
    Quota,
    /// It is used from now on.
    Approve,
    /// It is never used.
    Reject,
    /// The link that confirms its address is mailed again.
    MailConfirmation,
    /// Its address is confirmed without that.
    ConfirmEmail,
    /// It is used no more, for this, until it is resumed.
    Suspend(SuspensionKind),
    /// It is used again.
    Resume,
    /// The person is taken out of it.
    Erase,
}

/// What is done to a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnHost {
    /// It gets no new servers.
    Cordon,
    /// It gets new servers again.
    Uncordon,
    /// Its quarantine ends.
    Release,
    /// All that it says that it has counts.
    AcceptCapacity,
    /// It is refused from now on.
    Revoke,
    /// It is given up, and its servers end.
    Lose,
    /// It will never use its servers' addresses again.
    Fence,
    /// A machine takes its place.
    Replace,
}

impl StaffDeed {
    /// Whether somebody with this role may do it.
    #[must_use]
    pub fn is_for(&self, role: Role) -> bool {
        is_for(self.who, role)
    }

    /// Whether this has to be asked.
    #[must_use]
    pub fn asks_for(&self, field: &Field) -> bool {
        self.form.iter().any(|other| other.name == field.name)
    }
}

/// Whether what is for them is for somebody with this role.
pub(super) fn is_for(who: Who, role: Role) -> bool {
    who.role().is_some_and(|needed| role.may(needed))
}

/// A link to the page of a deed.
pub(super) struct Button {
    pub(super) code: &'static str,
    pub(super) href: String,
    pub(super) word: String,
    pub(super) loses: bool,
}

/// Links to the pages of those deeds that are for a role; `base` is the address of what they are done to.
pub(super) fn buttons(
    visit: &Visit,
    role: Role,
    base: &str,
    deeds: &[&'static StaffDeed],
) -> Vec<Button> {
    let allowed = deeds.iter().filter(|deed| deed.is_for(role));
    allowed
        .map(|deed| Button {
            code: deed.code,
            href: format!("{base}/{}", deed.code),
            word: visit.say(deed.title),
            loses: deed.loss == Loss::Some,
        })
        .collect()
}

/// The name that is typed before something is lost, where it is a server's.
const TYPED_SERVER: Field = Field {
    words: "delete-type",
    ..TYPED
};
/// Where it is a host's.
const TYPED_HOST: Field = Field {
    words: "staff-type-host",
    ..TYPED
};
/// Where it is the ID of an account.
const TYPED_LOGIN: Field = Field {
    words: "staff-type-login",
    ..TYPED
};
/// The same, to recognise it by.
pub(super) const TYPED: Field = Field {
    name: "confirm_name",
    pointer: "confirm_name",
    need: Need::Obvious,
    ..Field::TEXT
};
/// Why something is done, where the owner of the account is told it.
pub(super) const REASON_TOLD: Field = Field {
    words: "staff-reason-told",
    ..REASON
};
/// How many servers an account may have.
pub(super) const SERVERS: Field = Field {
    name: "servers",
    pointer: "server_quota",
    words: "staff-quota",
    ..Field::TEXT
};
/// When the request was made that is shown: a later one of the same account is another.
pub(super) const REQUESTED_AT: Field = Field::hidden("requested_at");

/// Lifts what wrong passwords and codes have locked.
pub const UNLOCK: StaffDeed = StaffDeed {
    what: What::Account(OnAccount::Unlock),
    code: "unlock",
    title: "staff-unlock",
    lead: "staff-unlock-lead",
    form: &[REASON],
    who: UnlockAccount::ROW.who,
    loss: Loss::None,
};
/// Changes how many servers an account may have.
pub const QUOTA: StaffDeed = StaffDeed {
    what: What::Account(OnAccount::Quota),
    code: "quota",
    title: "staff-change-quota",
    lead: "staff-change-quota-lead",
    form: &[SERVERS, REASON],
    who: ChangeQuota::ROW.who,
    loss: Loss::None,
};
/// Lets an account be used that waits.
pub const APPROVE: StaffDeed = StaffDeed {
    what: What::Account(OnAccount::Approve),
    code: "approve",
    title: "staff-approve",
    lead: "staff-approve-lead",
    form: &[REASON],
    who: ApproveAccount::ROW.who,
    loss: Loss::None,
};
/// Rejects one; its owner reads why.
pub const REJECT: StaffDeed = StaffDeed {
    what: What::Account(OnAccount::Reject),
    code: "reject",
    title: "staff-reject",
    lead: "staff-reject-lead",
    form: &[REASON_TOLD],
    who: RejectAccount::ROW.who,
    loss: Loss::Some,
};
/// Has the link that confirms an address mailed again.
pub const MAIL_CONFIRMATION: StaffDeed = StaffDeed {
    what: What::Account(OnAccount::MailConfirmation),
    code: "mail-confirmation",
    title: "staff-mail-confirmation",
    lead: "staff-mail-confirmation-lead",
    form: &[REASON],
    who: MailConfirmation::ROW.who,
    loss: Loss::None,
};
/// Confirms an address without it.
pub const CONFIRM_EMAIL: StaffDeed = StaffDeed {
    what: What::Account(OnAccount::ConfirmEmail),
    code: "confirm-email",
    title: "staff-confirm-email",
    lead: "staff-confirm-email-lead",
    form: &[REASON],
    who: ConfirmAccountEmail::ROW.who,
    loss: Loss::None,
};
/// Suspends an account that owes something; its owner reads why.
pub const SUSPEND_FOR_DEBT: StaffDeed = StaffDeed {
    what: What::Account(OnAccount::Suspend(SuspensionKind::Debt)),
    code: "suspend-for-debt",
    title: "staff-suspend-debt",
    lead: "staff-suspend-debt-lead",
    form: &[REASON_TOLD],
    who: SuspendAccount::ROW.who,
    loss: Loss::Some,
};
/// Suspends one whose servers do harm.
pub const SUSPEND_FOR_ABUSE: StaffDeed = StaffDeed {
    what: What::Account(OnAccount::Suspend(SuspensionKind::Abuse)),
    code: "suspend-for-abuse",
    title: "staff-suspend-abuse",
    lead: "staff-suspend-abuse-lead",
    ..SUSPEND_FOR_DEBT
};
/// Ends a suspension.
pub const RESUME: StaffDeed = StaffDeed {
    what: What::Account(OnAccount::Resume),
    code: "resume",
    title: "staff-resume",
    lead: "staff-resume-lead",
    form: &[REASON],
    who: ResumeAccount::ROW.who,
    loss: Loss::None,
};
/// Takes the person out of an account; the reason outlives him.
pub const ERASE: StaffDeed = StaffDeed {
    what: What::Account(OnAccount::Erase),
    code: "erase",
    title: "staff-erase",
    lead: "staff-erase-lead",
    form: &[
        TYPED_LOGIN,
        Field {
            words: "staff-reason-kept",
            ..REASON
        },
    ],
    who: EraseAccount::ROW.who,
    loss: Loss::Some,
};

/// Starts a server.
pub const START: StaffDeed = StaffDeed {
    what: What::Server(ServerAction::Start),
    code: "start",
    title: "action-start",
    lead: "staff-start-lead",
    form: &[REASON],
    who: ActOnAnyServer::ROW.who,
    loss: Loss::None,
};
/// Asks a server's system to stop.
pub const SHUTDOWN: StaffDeed = StaffDeed {
    what: What::Server(ServerAction::Shutdown),
    code: "shutdown",
    title: "action-shutdown",
    lead: "staff-shutdown-lead",
    ..START
};
/// Asks a server's system to restart.
pub const REBOOT: StaffDeed = StaffDeed {
    what: What::Server(ServerAction::Reboot),
    code: "reboot",
    title: "action-reboot",
    lead: "staff-reboot-lead",
    ..START
};
/// Stops a server at once.
pub const POWER_OFF: StaffDeed = StaffDeed {
    what: What::Server(ServerAction::PowerOff),
    code: "power-off",
    title: "action-power-off",
    lead: "staff-power-off-lead",
    loss: Loss::Some,
    ..START
};
/// Deletes a server.
pub const DELETE: StaffDeed = StaffDeed {
    what: What::Server(ServerAction::Delete),
    code: "delete",
    title: "action-delete",
    lead: "staff-delete-lead",
    form: &[TYPED_SERVER, REASON],
    who: DeleteAnyServer::ROW.who,
    loss: Loss::Some,
};
/// What can be done to a server, each with what it asks of it.
pub(super) const OF_SERVERS: [(ServerAction, &StaffDeed); 5] = [
    (ServerAction::Start, &START),
    (ServerAction::Shutdown, &SHUTDOWN),
    (ServerAction::Reboot, &REBOOT),
    (ServerAction::PowerOff, &POWER_OFF),
    (ServerAction::Delete, &DELETE),
];

/// Places an order that failed once more.
pub const RETRY_ORDER: StaffDeed = StaffDeed {
    what: What::RetryOrder,
    code: "retry",
    title: "staff-retry-order",
    lead: "staff-retry-order-lead",
    form: &[REASON],
    who: RetryOrder::ROW.who,
    loss: Loss::None,
};

/// Has a mail tried at once.
pub const RETRY_MAIL: StaffDeed = StaffDeed {
    what: What::RetryMail,
    code: "retry",
    title: "staff-retry-mail",
    lead: "staff-retry-mail-lead",
    form: &[REASON],
    who: RetryMail::ROW.who,
    loss: Loss::None,
};
/// Takes a mail out.
pub const DROP_MAIL: StaffDeed = StaffDeed {
    what: What::DropMail,
    code: "drop",
    title: "staff-drop-mail",
    lead: "staff-drop-mail-lead",
    form: &[REASON],
    who: DropMail::ROW.who,
    loss: Loss::Some,
};
/// Has all mails tried at once.
pub const RETRY_MAILS: StaffDeed = StaffDeed {
    what: What::RetryMails,
    code: "retry",
    title: "staff-retry-mails",
    lead: "staff-retry-mails-lead",
    form: &[REASON],
    who: RetryMails::ROW.who,
    loss: Loss::None,
};

/// Confirms that somebody has lost his second factor.
pub const CONFIRM_FACTOR: StaffDeed = StaffDeed {
    what: What::LostFactor(OnFactor::Confirm),
    code: "confirm",
    title: "staff-factor-confirm",
    lead: "staff-factor-confirm-lead",
    form: &[REQUESTED_AT, REASON],
    who: ConfirmLostFactor::ROW.who,
    loss: Loss::None,
};
/// Rejects that.
pub const REJECT_FACTOR: StaffDeed = StaffDeed {
    what: What::LostFactor(OnFactor::Reject),
    code: "reject",
    title: "staff-factor-reject",
    lead: "staff-factor-reject-lead",
    who: RejectLostFactor::ROW.who,
    ..CONFIRM_FACTOR
};

/// Has what is charged for go on, once the clock is right.
pub const UNFREEZE: StaffDeed = StaffDeed {
    what: What::UnfreezeBilling,
    code: "unfreeze",
    title: "staff-unfreeze",
    lead: "staff-unfreeze-lead",
    form: &[REASON],
    who: UnfreezeBilling::ROW.who,
    loss: Loss::Some,
};

/// Gives a host no new servers.
pub const CORDON: StaffDeed = StaffDeed {
    what: What::Host(OnHost::Cordon),
    code: "cordon",
    title: "staff-cordon",
    lead: "staff-cordon-lead",
    form: &[REASON],
    who: CordonHost::ROW.who,
    loss: Loss::None,
};
/// Gives a host new servers again.
pub const UNCORDON: StaffDeed = StaffDeed {
    what: What::Host(OnHost::Uncordon),
    code: "uncordon",
    title: "staff-uncordon",
    lead: "staff-uncordon-lead",
    form: &[REASON],
    who: UncordonHost::ROW.who,
    loss: Loss::None,
};
/// Ends a host's quarantine.
pub const RELEASE: StaffDeed = StaffDeed {
    what: What::Host(OnHost::Release),
    code: "release",
    title: "staff-release",
    lead: "staff-release-lead",
    form: &[REASON],
    who: ReleaseHost::ROW.who,
    loss: Loss::None,
};
/// Counts with what a host says that it has.
pub const ACCEPT_CAPACITY: StaffDeed = StaffDeed {
    what: What::Host(OnHost::AcceptCapacity),
    code: "accept-capacity",
    title: "staff-accept-capacity",
    lead: "staff-accept-capacity-lead",
    form: &[REASON],
    who: AcceptCapacity::ROW.who,
    loss: Loss::None,
};
/// Refuses a host from now on.
pub const REVOKE: StaffDeed = StaffDeed {
    what: What::Host(OnHost::Revoke),
    code: "revoke",
    title: "staff-revoke",
    lead: "staff-revoke-lead",
    form: &[TYPED_HOST, REASON],
    who: RevokeHost::ROW.who,
    loss: Loss::Some,
};
/// Gives a host up that is gone for good.
pub const LOSE: StaffDeed = StaffDeed {
    what: What::Host(OnHost::Lose),
    code: "lost",
    title: "staff-lose",
    lead: "staff-lose-lead",
    form: &[TYPED_HOST, REASON],
    who: LoseHost::ROW.who,
    loss: Loss::Some,
};
/// Confirms that a lost host is off for good.
pub const FENCE: StaffDeed = StaffDeed {
    what: What::Host(OnHost::Fence),
    code: "fenced",
    title: "staff-fence",
    lead: "staff-fence-lead",
    form: &[TYPED_HOST, REASON],
    who: ConfirmFencing::ROW.who,
    loss: Loss::Some,
};
/// Has a machine take the place of a host.
pub const REPLACE: StaffDeed = StaffDeed {
    what: What::Host(OnHost::Replace),
    code: "replace",
    title: "staff-replace",
    lead: "staff-replace-lead",
    form: &[REASON],
    who: ReplaceHost::ROW.who,
    loss: Loss::None,
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_role_may_do_what_is_its_own() {
        for (deed, viewer, support, admin) in [
            (&UNLOCK, false, true, true),
            (&REJECT, false, true, true),
            (&SUSPEND_FOR_ABUSE, false, true, true),
            (&ERASE, false, false, true),
            (&START, false, true, true),
            (&DELETE, false, false, true),
            (&DROP_MAIL, false, true, true),
            (&CORDON, false, false, true),
            (&REVOKE, false, false, true),
            (&LOSE, false, false, true),
            (&FENCE, false, false, true),
            (&REPLACE, false, false, true),
        ] {
            let roles = [Role::Viewer, Role::Support, Role::Admin];
            let may = roles.map(|role| deed.is_for(role));
            assert_eq!(may, [viewer, support, admin], "{}", deed.title);
            assert_eq!(deed.is_for(Role::Billing), viewer, "{}", deed.title);
        }
        let may = Role::ALL.iter().filter(|role| UNFREEZE.is_for(**role));
        assert!(may.eq(&[Role::Billing, Role::Admin]));
    }
}
