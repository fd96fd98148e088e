//! The operators' socket, which only the service's own user can open: the command line asks through it.

use crate::{
    api::Page,
    host::{HostCapacity, Testimony},
    id::{AccountId, HostId},
    operator::{
        DismissRequest, FinishRequest, InviteRequest, Invited, PlanRequest, ReadmitRequest,
        ReleaseRequest, Step, StepRequest, StrandedAnswer, View,
        hosts::{HostLine, HostListQuery},
        reason::ReasonRequest,
    },
};

endpoints! {
    undescribed below "";

    /// Invites a host.
    InviteHost = "invite_host": Operator Post "/hosts/invitations", with InviteRequest => 200 Invited;

    /// Hosts.
    ListHosts = "list_hosts": Operator Get "/hosts", by HostListQuery => 200 Page<HostLine>;

    /// What revoking a host leaves alone.
    GetStranded = "get_stranded": Operator Get "/hosts/{name}/stranded", at String => 200 StrandedAnswer;

    /// Refuses a host from now on. Its servers go on running.
    RevokeHost = "revoke_host": Operator Post "/hosts/{name}/revoke", at String => 204;

    /// Ends a host's quarantine.
    ReleaseHost = "release_host": Operator Post "/hosts/{name}/release", at String => 204;

    /// Gives a host no new servers.
    CordonHost = "cordon_host": Operator Post "/hosts/{name}/cordon", at String, with ReasonRequest => 204;

    /// Gives a host new servers again.
    UncordonHost = "uncordon_host": Operator Post "/hosts/{name}/uncordon", at String, with ReasonRequest => 204;

    /// Counts with what a host says that it has.
    AcceptCapacity = "accept_capacity": Operator Post "/hosts/{name}/accept-capacity", at String => 200 HostCapacity;

    /// What the service does without being asked, and what became of it.
    ListDuties = "list_duties": Operator Get "/duties" => 200 View;

    /// The mails that wait, and those that were given up.
    ListMails = "list_mails": Operator Get "/mails" => 200 View;

    /// Has all mails that wait tried at once.
    RetryMails = "retry_mails": Operator Post "/mails/retry" => 204;

    /// What of the configuration is in use.
    GetInUse = "get_in_use": Operator Get "/in-use" => 200 View;

    /// What erasing an account would do.
    PlanErasure = "plan_erasure": Operator Post "/accounts/erasure-plan", with PlanRequest => 200 View;

    /// Erases an account.
    EraseAccount = "erase_account": Operator Post "/accounts/{account}/erase", at AccountId => 204;

    /// What hosts testify of the journal.
    ListTestimonies = "list_testimonies": Operator Get "/testimonies" => 200 Vec<(HostId, Testimony)>;

    /// How a recovery stands.
    GetRecovery = "get_recovery": Operator Get "/recovery" => 200 View;

    /// Opens the installation after a restore.
    FinishRecovery = "finish_recovery": Operator Post "/recovery/finish", with FinishRequest => 204;

    /// Releases an address that is held for a server which no record knows.
    ReleaseAddress = "release_address": Operator Post "/recovery/release", with ReleaseRequest => 204;

    /// Makes a host of one that no record knows.
    ReadmitHost = "readmit_host": Operator Post "/recovery/readmit", with ReadmitRequest => 204;

    /// Refuses a host that no record knows.
    DismissHost = "dismiss_host": Operator Post "/recovery/dismiss", with DismissRequest => 204;

    /// Where the roll-over of the authority stands.
    GetAuthority = "get_authority": Operator Get "/authority" => 200 View;

    /// Takes a step of the roll-over.
    TakeStep = "take_step": Operator Post "/authority/{step}", at Step, with StepRequest => 200 View;
}
