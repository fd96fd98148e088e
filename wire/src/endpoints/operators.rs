//! What operators do: by their socket, which only the service's own user can open and the command line asks through, and,
//! with the role that a row names, by the staff's door.

use super::Raw;
use crate::{
    api::{Catalogue, Installation, ListQuery, Page, Session},
    billing_profile::BillingProfile,
    funds::{
        Funds, PromotionLine, PromotionRequest, RefundAnswer, RefundRequest, TermsRequest,
        TrialRequest,
    },
    host::{HostCapacity, Testimony},
    id::{AccountId, HostId, JobId, MailId, OrderId, ServerId, SessionId},
    invoice::{
        AllInvoicesQuery, AnyInvoice, CloseReport, CreditNote, CreditRequest, FiscalLine,
        InvoiceLine, InvoiceNumber, InvoiceSummary, MoneyAudit, PaymentAnswer, PaymentRequest,
        PeriodLine, Statement,
    },
    job::{AllJobsQuery, AnyJob, AnyJobLine, StaffJobAct},
    month::Month,
    operator::{
        DismissRequest, FinishRequest, InviteRequest, Invited, PlanRequest, ReadmitRequest,
        ReleaseRequest, Step, StepRequest, StrandedAnswer, View,
        accounts::{
            AccountSearch, AccountView, AccountsPage, AccountsQuery, ErasurePlan, PendingAccount,
            QuotaRequest, SuspendRequest,
        },
        attention::Matter,
        audit::{AuditLine, AuditQuery},
        billing::BillingStatus,
        exports::{RevenueRow, UsageRow},
        hosts::{HostLine, HostListQuery},
        lost_factor::{LostFactorDecision, LostFactorLine},
        mails::{MailLine, MailListQuery},
        orders::{FailedOrder, FailedOrdersQuery, RetriedOrder},
        prices::{CheckPricesRequest, ImportPricesRequest, PriceBook, PriceChange, PriceListView},
        reason::ReasonRequest,
        servers::{AllServersQuery, AnyServer, AnyServerActionRequest},
    },
    staff::{
        AddStaffRequest, ChangeRoleRequest, EnrolRequest, Enrolment, EnrolmentLook,
        StaffInvitation, StaffMe, StaffMember, StaffProofRequest, StaffSession, StaffSignInRequest,
    },
    time::Timestamp,
};

endpoints! {
    undescribed below "";

    /// Looks at what a link of the staff is for.
    LookAtEnrolment = "look_at_enrolment": StaffVisitor Post "/enrolments/look", with EnrolmentLook => 200 Enrolment;

    /// Chooses a password and confirms an authenticator app, with a link.
    Enrol = "enrol": StaffVisitor Post "/enrolments", with EnrolRequest => 204;

    /// Who the installation is.
    GetInstallation = "staff_installation": StaffVisitor Get "/installation" => 200 Installation;

    /// What can be ordered.
    GetCatalogue = "staff_catalogue": StaffVisitor Get "/catalogue" => 200 Catalogue;

    /// Signs somebody of the staff in.
    StaffSignIn = "staff_sign_in": StaffVisitor Post "/sessions", with StaffSignInRequest => 201 StaffSession;

    /// Ends the session that asks.
    StaffSignOut = "staff_sign_out": Viewer Delete "/sessions/current" => 204;

    /// The sessions of whoever asks.
    ListStaffSessions = "list_staff_sessions": Viewer Get "/sessions" => 200 Vec<Session>;

    /// Ends all of them but the one that asks.
    EndOtherStaffSessions = "end_other_staff_sessions": Viewer Delete "/sessions" => 204;

    /// Ends one of them.
    EndStaffSession = "end_staff_session": Viewer Delete "/sessions/{id}", at SessionId => 204;

    /// Proves with password and code who uses the session that asks, for ten minutes: what can't be taken back wants that.
    ProveStaff = "prove_staff": Viewer Post "/sessions/current/proofs", with StaffProofRequest => 204;

    /// Who is signed in.
    GetStaffMe = "staff_me": Viewer Get "/me" => 200 StaffMe;

    /// Who is of the staff.
    ListStaff = "list_staff": Admin Get "/staff" => 200 Vec<StaffMember>;

    /// Adds somebody to the staff.
    AddStaff = "add_staff": Operator Post "/staff", with AddStaffRequest => 201 StaffInvitation;

    /// Has somebody of the staff choose a password and set up an authenticator app anew.
    ResetStaff = "reset_staff": Operator Post "/staff/{name}/reset", at String => 200 StaffInvitation;

    /// Changes what somebody of the staff is for.
    ChangeRole = "change_role": Operator Post "/staff/{name}/role", at String, with ChangeRoleRequest => 204;

    /// Switches somebody of the staff off.
    DisableStaff = "disable_staff": Operator Post "/staff/{name}/disable", at String => 204;

    /// Invites a host.
    InviteHost = "invite_host": ProvenAdmin Post "/hosts/invitations", with InviteRequest => 200 Invited;

    /// Hosts.
    ListHosts = "list_hosts": Viewer Get "/hosts", by HostListQuery => 200 Page<HostLine>;

    /// What revoking a host leaves alone.
    GetStranded = "get_stranded": Viewer Get "/hosts/{name}/stranded", at String => 200 StrandedAnswer;

    /// Refuses a host from now on. Its servers go on running.
    RevokeHost = "revoke_host": ProvenAdmin Post "/hosts/{name}/revoke", at String, with ReasonRequest => 204;

    /// Invites a machine that takes the place of a host which is not heard of, with its servers. Those that have run are
    /// taken over with the disks that are there, and none is made anew.
    ReplaceHost = "replace_host": ProvenAdmin Post "/hosts/{name}/replace", at String, with ReasonRequest => 200 Invited;

    /// Declares a host lost that is not heard of: its servers end, and their owners are told. Their addresses are kept
    /// until its fencing is confirmed.
    LoseHost = "lose_host": ProvenAdmin Post "/hosts/{name}/lost", at String, with ReasonRequest => 204;

    /// Confirms that a lost host is off, or cut from the network, for good: its servers' addresses are given again.
    ConfirmFencing = "confirm_fencing": ProvenAdmin Post "/hosts/{name}/fenced", at String, with ReasonRequest => 204;

    /// Ends a host's quarantine.
    ReleaseHost = "release_host": Admin Post "/hosts/{name}/release", at String, with ReasonRequest => 204;

    /// Gives a host no new servers.
    CordonHost = "cordon_host": Admin Post "/hosts/{name}/cordon", at String, with ReasonRequest => 204;

    /// Gives a host new servers again.
    UncordonHost = "uncordon_host": Admin Post "/hosts/{name}/uncordon", at String, with ReasonRequest => 204;

    /// Counts with what a host says that it has.
    AcceptCapacity = "accept_capacity": Admin Post "/hosts/{name}/accept-capacity", at String, with ReasonRequest
        => 200 HostCapacity;

    /// Everybody's servers.
    ListAllServers = "list_all_servers": Viewer Get "/servers", by AllServersQuery => 200 Page<AnyServer>;

    /// A server of anybody.
    GetAnyServer = "get_any_server": Viewer Get "/servers/{server}", at ServerId => 200 AnyServer;

    /// Starts, stops or reboots somebody's server.
    ActOnAnyServer = "act_on_any_server": Support Post "/servers/{server}/actions", at ServerId, with AnyServerActionRequest => 202 AnyServer;

    /// Deletes somebody's server. Its owner is told.
    DeleteAnyServer = "delete_any_server": ProvenAdmin Post "/servers/{server}/delete", at ServerId, with ReasonRequest => 202 AnyServer;

    /// What has happened to a server, the last thing first: the part of the audit trail that is about it.
    GetServerHistory = "get_server_history": Viewer Get "/servers/{server}/history", at ServerId, by ListQuery => 200 Page<AuditLine>;

    /// The audit trail, the last commit first unless asked otherwise. An answer may hold less than was asked for, or nothing, and more to come.
    ListAudit = "list_audit": Viewer Get "/audit", by AuditQuery => 200 Page<AuditLine>;

    /// What needs a person now, the most urgent first.
    ListAttention = "list_attention": Viewer Get "/attention" => 200 Vec<Matter>;

    /// Whether usage is counted, or waits since the clock is in doubt.
    GetBilling = "get_billing": Viewer Get "/billing" => 200 BillingStatus;

    /// Believes the clock again: what waited counts from now on.
    UnfreezeBilling = "unfreeze_billing": Billing Post "/billing/unfreeze", with ReasonRequest => 204;

    /// Orders that failed, the last one first unless asked otherwise.
    ListFailedOrders = "list_failed_orders": Viewer Get "/orders/failed", by FailedOrdersQuery => 200 Page<FailedOrder>;

    /// Places an order that failed once more, at the same price. The same answer however often it is asked for.
    RetryOrder = "retry_order": Support Post "/orders/{order}/retry", at OrderId, with ReasonRequest => 200 RetriedOrder;

    /// What the service does without being asked, and what became of it.
    ListDuties = "list_duties": Viewer Get "/duties" => 200 View;

    /// The mails that wait, and those that were given up.
    ListMails = "list_mails": Viewer Get "/mails", by MailListQuery => 200 Page<MailLine>;

    /// Has one mail tried at once; one that was given up waits again.
    RetryMail = "retry_mail": Support Post "/mails/{mail}/retry", at MailId, with ReasonRequest => 204;

    /// Takes one mail out: it is never sent.
    DropMail = "drop_mail": Support Post "/mails/{mail}/drop", at MailId, with ReasonRequest => 204;

    /// Has all mails that wait tried at once.
    RetryMails = "retry_mails": Support Post "/mails/retry", with ReasonRequest => 204;

    /// What of the configuration is in use.
    GetInUse = "get_in_use": Viewer Get "/in-use" => 200 View;

    /// A page of customers' accounts.
    ListAccounts = "list_accounts": Viewer Get "/accounts", by AccountsQuery => 200 AccountsPage;

    /// Looks for accounts.
    SearchAccounts = "search_accounts": Viewer Post "/accounts/search", with AccountSearch => 200 AccountsPage;

    /// All that staff see of an account.
    GetAccount = "get_account": Viewer Get "/accounts/{account}", at AccountId => 200 AccountView;

    /// Lifts what wrong passwords and codes have locked.
    UnlockAccount = "unlock_account": Support Post "/accounts/{account}/unlock", at AccountId, with ReasonRequest => 204;

    /// Changes how many servers an account may have.
    ChangeQuota = "change_quota": Support Post "/accounts/{account}/quota", at AccountId, with QuotaRequest => 204;

    /// Suspends an account that is in use. Its owner is told why.
    SuspendAccount = "suspend_account": Support Post "/accounts/{account}/suspend", at AccountId, with SuspendRequest => 204;

    /// Ends the suspension of an account. Its owner is told.
    ResumeAccount = "resume_account": Support Post "/accounts/{account}/resume", at AccountId, with ReasonRequest => 204;

    /// The months that are billed, the newest first.
    ListPeriods = "list_periods": Viewer Get "/billing/months" => 200 Vec<PeriodLine>;

    /// What closing a month would issue, or has.
    CountMonth = "count_month": Viewer Get "/billing/months/{month}", at Month => 200 CloseReport;

    /// Closes a month: an invoice for each account that was charged something. The same answer however often it is asked for.
    CloseMonth = "close_month": ProvenBilling Post "/billing/months/{month}/close", at Month, with ReasonRequest
        => 200 CloseReport;

    /// The newest invoices of an account.
    ListAccountInvoices = "list_account_invoices": Viewer Get "/accounts/{account}/invoices", at AccountId
        => 200 Vec<InvoiceSummary>;

    /// To whom an account's invoices are addressed; nothing when nobody has said so, or the account is erased.
    GetAccountProfile = "get_account_profile": Viewer Get "/accounts/{account}/billing-profile", at AccountId
        => 200 Option<BillingProfile>;

    /// What the tax office is told of a month: the invoices of businesses that are of it, and the credit notes on such that were
    /// issued in it, the oldest first.
    GetFiscalExport = "get_fiscal_export": Billing Get "/billing/months/{month}/fiscal", at Month => 200 Vec<FiscalLine>;

    /// What each server was used in a month, and what that costs: as it was invoiced, or as it is so far.
    GetUsageExport = "get_usage_export": Billing Get "/billing/months/{month}/usage", at Month => 200 Vec<UsageRow>;

    /// What was posted for each account in a month: sold, given up, received, and what that has changed.
    GetRevenueExport = "get_revenue_export": Billing Get "/billing/months/{month}/revenue", at Month => 200 Vec<RevenueRow>;

    /// Records money that came in for an account.
    RecordPayment = "record_payment": Billing Post "/accounts/{account}/payments", at AccountId, with PaymentRequest
        => 200 PaymentAnswer;

    /// What an account was charged and has paid.
    GetAccountStatement = "get_account_statement": Viewer Get "/accounts/{account}/statement", at AccountId => 200 Statement;

    /// How an account pays, and what it has to pay with.
    GetAccountFunds = "get_account_funds": Viewer Get "/accounts/{account}/funds", at AccountId => 200 Funds;

    /// Records money that was paid back to an account's owner, of what he has paid ahead.
    RefundAccount = "refund_account": ProvenBilling Post "/accounts/{account}/refunds", at AccountId, with RefundRequest
        => 200 RefundAnswer;

    /// Grants promotional credit.
    GrantPromotion = "grant_promotion": ProvenBilling Post "/accounts/{account}/promotions", at AccountId,
        with PromotionRequest => 200 PromotionLine;

    /// Grants a trial: once for each account, address and mobile number.
    GrantTrial = "grant_trial": ProvenBilling Post "/accounts/{account}/trial", at AccountId, with TrialRequest => 204;

    /// Changes how an account pays.
    ChangeTerms = "change_terms": Billing Post "/accounts/{account}/terms", at AccountId, with TermsRequest => 204;

    /// Everybody's invoices, the one that was issued last first. An answer may hold less than was asked for, or nothing, and more to come.
    ListAllInvoices = "list_all_invoices": Viewer Get "/invoices", by AllInvoicesQuery => 200 Page<InvoiceLine>;

    /// Somebody's invoice with all its lines.
    GetAnyInvoice = "get_any_invoice": Viewer Get "/invoices/{number}", at InvoiceNumber => 200 AnyInvoice;

    /// The same as PDF, as its owner has it.
    GetAnyInvoicePdf = "get_any_invoice_pdf": Billing Get "/invoices/{number}/pdf", at InvoiceNumber => 200 Raw;

    /// Takes back something of an invoice, or all of it. Its owner is told.
    CreditInvoice = "credit_invoice": ProvenBilling Post "/invoices/{number}/credit-notes", at InvoiceNumber, with CreditRequest
        => 201 CreditNote;

    /// Gives up what is open of an invoice.
    WriteOffInvoice = "write_off_invoice": ProvenBilling Post "/invoices/{number}/write-off", at InvoiceNumber, with ReasonRequest
        => 204;

    /// What plans cost now, and the lists of prices.
    GetPrices = "get_prices": Viewer Get "/prices" => 200 PriceBook;

    /// What a list of prices would change.
    CheckPrices = "check_prices": Billing Post "/prices/check", with CheckPricesRequest => 200 Vec<PriceChange>;

    /// Takes a list of prices: what is ordered from a moment on costs that.
    ImportPrices = "import_prices": ProvenBilling Post "/prices", with ImportPricesRequest => 201 PriceListView;

    /// Takes a list back that is not in force yet.
    WithdrawPrices = "withdraw_prices": ProvenBilling Post "/prices/{valid_from}/withdraw", at Timestamp, with ReasonRequest
        => 204;

    /// Whether the books agree with each other.
    AuditMoney = "audit_money": Viewer Get "/billing/audit" => 200 MoneyAudit;

    /// Technical-support jobs that are not over, the one that was received first first.
    ListAllJobs = "list_all_jobs": Viewer Get "/jobs", by AllJobsQuery => 200 Page<AnyJobLine>;

    /// A technical-support job of anybody.
    GetAnyJob = "get_any_job": Engineer Get "/jobs/{job}", at JobId => 200 AnyJob;

    /// Does something to a technical-support job, as its `can` says. What is not taking it is for its own engineer.
    ActOnAnyJob = "act_on_any_job": Engineer Post "/jobs/{job}/acts", at JobId, with StaffJobAct => 200 AnyJob;

    /// The accounts that wait to be approved, the first sign-up first.
    ListPendingAccounts = "list_pending_accounts": Viewer Get "/accounts/pending" => 200 Vec<PendingAccount>;

    /// Lets an account be used that waits to be approved.
    ApproveAccount = "approve_account": Support Post "/accounts/{account}/approve", at AccountId, with ReasonRequest
        => 204;

    /// Rejects an account that waits to be approved.
    RejectAccount = "reject_account": Support Post "/accounts/{account}/reject", at AccountId, with ReasonRequest => 204;

    /// Confirms the address of a new account without the mailed link.
    ConfirmAccountEmail = "confirm_account_email": Support Post "/accounts/{account}/confirm-email", at AccountId,
        with ReasonRequest => 204;

    /// Has the link that confirms the address of a new account mailed again.
    MailConfirmation = "mail_confirmation": Support Post "/accounts/{account}/mail-confirmation", at AccountId,
        with ReasonRequest => 204;

    /// Requests of customers who have lost their second factor, the oldest first.
    ListLostFactors = "list_lost_factors": Viewer Get "/lost-factors" => 200 Vec<LostFactorLine>;

    /// Confirms such a request. The factor is off once two of the staff have, and 72 hours have passed.
    ConfirmLostFactor = "confirm_lost_factor": ProvenSupport Post "/lost-factors/{account}/confirm", at AccountId,
        with LostFactorDecision => 204;

    /// Rejects such a request. The owner is told that it is over.
    RejectLostFactor = "reject_lost_factor": Support Post "/lost-factors/{account}/reject", at AccountId,
        with LostFactorDecision => 204;

    /// What erasing an account would do.
    PlanErasure = "plan_erasure": Admin Post "/accounts/erasure-plan", with PlanRequest => 200 ErasurePlan;

    /// Erases an account.
    EraseAccount = "erase_account": ProvenAdmin Post "/accounts/{account}/erase", at AccountId, with ReasonRequest => 204;

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
