//! The customers' REST API, for scripts and the portal; described in OpenAPI.

use super::Header;
use crate::{
    api::{
        ApiToken, ApiTokenRequest, Catalogue, EmailChangeRequest, EmailConfirmationRequest,
        EmailConfirmationView, FindIdRequest, Installation, LostFactor, LostFactorCancellation,
        LostFactorRequest, Me, MobileChange, NewApiToken, NewPasswordRequest, Order,
        OrderListQuery, OrderRequest, Page, PasswordChangeRequest, PasswordResetRequest,
        ProfileChange, ProofRequest, Quote, QuoteRequest, RecoveryCodes, ResendRequest,
        SecondFactor, SecondFactorConfirmation, SecondFactorProof, SecondFactorRequest,
        SecondFactorSecret, SecondFactorStart, Server, ServerActionRequest, ServerListQuery,
        Session, SessionAnswer, SessionRequest, SignupAnswer, SignupRequest, SshKey, SshKeyChange,
        SshKeyRequest,
    },
    billing::{MonthSoFar, SpendingAlert, SpendingAlertRequest},
    billing_profile::{BillingDetails, BillingProfile},
    company::{LegalText, LegalTextQuery},
    funds::{Funds, TrialConversion},
    id::{InvoiceId, JobId, OrderId, QuoteId, ServerId, SessionId, SshKeyId, TokenId},
    invoice::{BillingSummary, Invoice, InvoiceListQuery, InvoiceSummary, Pdf, Statement},
    job::{Job, JobAct, JobConfirmation, JobLine, JobListQuery, JobOffer, JobRequest},
    member::{ConsentRequest, Consents, SignUpTexts, SignUpTextsQuery},
};

/// Requests with one value of it do one thing, however often they are sent.
pub const IDEMPOTENCY_KEY: Header = Header {
    name: "Idempotency-Key",
    about: "1 to 255 printable characters chosen by the client",
    pattern: "^[!-~]([ -~]*[!-~])?$",
    length_max: 255,
};

/// Says that nobody is there who asks: a page or a program that looks by itself.
pub const UNATTENDED: Header = Header {
    name: "Innkeeper-Unattended",
    about: "`1` when a program asks by itself, again and again: the session does not count as used by it, and ends when \
            nobody uses it otherwise",
    pattern: "^1$",
    length_max: 1,
};

endpoints! {
    described below "/api/v1";

    /// What a visitor may know of this installation.
    GetInstallation = "installation": Anybody Get "/installation", in "public" => 200 Installation;

    /// The member terms.
    GetTerms = "terms": Anybody Get "/terms", in "public", by LegalTextQuery => 200 LegalText;

    /// The privacy policy; not found when the installation has none.
    GetPrivacyPolicy = "privacy_policy": Anybody Get "/privacy", in "public", by LegalTextQuery => 200 LegalText;

    /// Everything that is offered, and what of it can be had now.
    GetCatalogue = "catalog": Anybody Get "/catalog", in "public" => 200 Catalogue;

    /// What is to be read before a sign-up, for one kind of member.
    GetSignUpTexts = "sign_up_texts": Anybody Get "/signups/texts", in "sign-up", by SignUpTextsQuery => 200 SignUpTexts;

    /// Makes an account. It can be used once its e-mail address is confirmed, and that of a company once an operator has
    /// approved of it too.
    SignUp = "sign_up": Anybody Post "/signups", in "sign-up", with SignupRequest => 201 SignupAnswer;

    /// Confirms an e-mail address with the token of the mailed link.
    ConfirmEmail = "confirm_email": Anybody Post "/email-confirmations", in "sign-up",
        with EmailConfirmationRequest => 204;

    /// What the token of a confirmation mail's link is about. It can be used afterwards as before.
    LookAtConfirmation = "look_at_confirmation": Anybody Post "/email-confirmations/look", in "sign-up",
        with EmailConfirmationRequest => 200 EmailConfirmationView;

    /// Sends another confirmation mail, if there is an account that waits for one. The answer does not tell.
    ResendConfirmation = "resend_confirmation": Anybody Post "/email-confirmations/resend", in "sign-up",
        with ResendRequest => 202;

    /// Confirms another address of an account with the token of the mailed link. The address of before is told.
    ConfirmNewEmail = "confirm_new_email": Anybody Post "/email-changes", in "account",
        with EmailConfirmationRequest => 204;

    /// Mails the IDs of an address to it, if it has any. The answer does not tell.
    FindId = "find_id": Anybody Post "/id-reminders", in "account", with FindIdRequest => 202;

    /// Mails a link with which another password can be chosen, if ID and address belong together. The answer does not tell.
    /// The link works once, for 30 minutes; while one waits there is no second one.
    RequestPasswordReset = "request_password_reset": Anybody Post "/password-resets", in "account",
        with PasswordResetRequest => 202;

    /// Chooses another password with the token of the mailed link. Ends all sessions of the account.
    ResetPassword = "reset_password": Anybody Post "/password-resets/complete", in "account",
        with NewPasswordRequest => 204;

    /// Signs in.
    SignIn = "sign_in": Anybody Post "/sessions", in "account", with SessionRequest => 201 SessionAnswer;

    /// Goes on with a sign-in that was answered `second-factor-required`, by a one-time code or a recovery code. Wrong ones
    /// lock as wrong passwords do.
    SignInWithCode = "sign_in_with_code": Anybody Post "/sessions/second-factor", in "account",
        with SecondFactorRequest => 201 SessionAnswer;

    /// Asks, in a sign-in that was answered `second-factor-required`, for the second factor to be switched off, since neither
    /// app nor recovery codes are at hand. All addresses of the account are told; two of the staff must confirm, and 72 hours
    /// must pass. Where a request is open already, the answer is about that one.
    RequestLostFactor = "request_lost_factor": Anybody Post "/sessions/lost-factor", in "account",
        with LostFactorRequest => 201 LostFactor;

    /// Ends such a request with the token of the mailed link.
    CancelLostFactor = "cancel_lost_factor": Anybody Post "/lost-factor-cancellations", in "account",
        with LostFactorCancellation => 204;

    /// Ends the session of the token that is sent.
    SignOut = "sign_out": Customer Delete "/sessions/current", in "account" => 204;

    /// Proves again who uses the session that asks, by the password and, where a second factor is on, a code. Some requests
    /// want that within the last ten minutes.
    Prove = "prove": Customer Post "/sessions/current/proofs", in "account", with ProofRequest => 204;

    /// The account's sessions, the newest first. There are few, so it is always one page.
    ListSessions = "list_sessions": Customer Get "/me/sessions", in "account" => 200 Page<Session>;

    /// Ends all sessions of the account but the one that asks.
    EndOtherSessions = "end_other_sessions": Customer Delete "/me/sessions", in "account" => 204;

    /// Ends a session of the account.
    EndSession = "end_session": Customer Delete "/me/sessions/{id}", in "account", at SessionId => 204;

    /// The signed-in account.
    GetMe = "me": Customer Get "/me", in "account" => 200 Me;

    /// Changes how pages and mails speak to the account.
    ChangeProfile = "change_profile": Customer Patch "/me", in "account", with ProfileChange => 200 Me;

    /// What the account has agreed to, and what it is asked for again.
    GetConsents = "consents": Customer Get "/me/consents", in "account", by LegalTextQuery => 200 Consents;

    /// Agrees to all texts that the account is asked for.
    GiveConsents = "give_consents": Customer Post "/me/consents", in "account", with ConsentRequest => 200 Consents;

    /// Changes the mobile number, which is told to the account's address.
    ChangeMobile = "change_mobile": ProvenCustomer Post "/me/mobile", in "account", with MobileChange => 200 Me;

    /// Mails a link to another address, which takes the place of the present one once it is confirmed.
    ChangeEmail = "change_email": ProvenCustomer Post "/me/email", in "account", with EmailChangeRequest => 202 Me;

    /// Changes the password. Ends all other sessions of the account.
    ChangePassword = "change_password": Customer Post "/me/password", in "account", with PasswordChangeRequest => 204;

    /// Whether a second factor is on.
    GetSecondFactor = "second_factor": Customer Get "/me/second-factor", in "account" => 200 SecondFactor;

    /// Begins to set up a second factor; it is on once its first code was sent.
    BeginSecondFactor = "begin_second_factor": Customer Post "/me/second-factor", in "account",
        with SecondFactorStart => 201 SecondFactorSecret;

    /// Switches the second factor on that was begun in this session. The answer has the recovery codes, once.
    ConfirmSecondFactor = "confirm_second_factor": Customer Post "/me/second-factor/confirmation", in "account",
        with SecondFactorConfirmation => 201 RecoveryCodes;

    /// Makes other recovery codes, which end those of before.
    RenewRecoveryCodes = "renew_recovery_codes": Customer Post "/me/second-factor/recovery-codes", in "account",
        with SecondFactorProof => 201 RecoveryCodes;

    /// Switches the second factor off.
    RemoveSecondFactor = "remove_second_factor": Customer Post "/me/second-factor/removal", in "account",
        with SecondFactorProof => 204;

    /// The account's API tokens, newest first. There are few, so it is always one page.
    ListTokens = "list_tokens": Customer Get "/me/tokens", in "account" => 200 Page<ApiToken>;

    /// Makes an API token. The answer has its secret, once. The account's address is told.
    MakeToken = "make_token": ProvenCustomer Post "/me/tokens", in "account", with ApiTokenRequest => 201 NewApiToken;

    /// Ends an API token for good.
    EndToken = "end_token": ProvenCustomer Delete "/me/tokens/{id}", in "account", at TokenId => 204;

    /// Puts an API token on again that is off since a restore. One that is not off stays as it is.
    EnableToken = "enable_token": ProvenCustomer Post "/me/tokens/{id}/enable", in "account", at TokenId
        => 200 ApiToken;

    /// The account's keys, newest first. There are few, so it is always one page.
    ListSshKeys = "list_ssh_keys": Customer Get "/me/ssh-keys", in "account", scope Read => 200 Page<SshKey>;

    /// Adds a key.
    AddSshKey = "add_ssh_key": ProvenCustomer Post "/me/ssh-keys", in "account", scope Keys, with SshKeyRequest => 201 SshKey;

    /// Gives a key another name.
    ChangeSshKey = "change_ssh_key": Customer Patch "/me/ssh-keys/{id}", in "account", scope Keys, at SshKeyId, with SshKeyChange
        => 200 SshKey;

    /// Takes a key out of the account. Servers that were made with it keep it.
    RemoveSshKey = "remove_ssh_key": Customer Delete "/me/ssh-keys/{id}", in "account", scope Keys, at SshKeyId => 204;

    /// Prices a configuration that can be had. Reserves nothing.
    CreateQuote = "create_quote": Customer Post "/quotes", in "orders", scope Servers, with QuoteRequest => 201 Quote;

    /// One's own quote.
    GetQuote = "get_quote": Customer Get "/quotes/{id}", in "orders", scope Read, at QuoteId => 200 Quote;

    /// Orders what was quoted. Sending it again with the same `Idempotency-Key`, or for the same quote, gives the
    /// same order.
    PlaceOrder = "place_order": Customer Post "/orders", in "orders", scope Servers, needs IDEMPOTENCY_KEY,
        with OrderRequest => 201 Order;

    /// One's own orders, newest first.
    ListOrders = "list_orders": Customer Get "/orders", in "orders", scope Read, by OrderListQuery => 200 Page<Order>;

    /// One's own order.
    GetOrder = "get_order": Customer Get "/orders/{id}", in "orders", scope Read, at OrderId => 200 Order;

    /// One's own servers, newest first unless another order is asked for.
    ListServers = "list_servers": Customer Get "/servers", in "servers", scope Read, takes UNATTENDED,
        by ServerListQuery => 200 Page<Server>;

    /// One's own server. A deleted one can still be looked at.
    GetServer = "get_server": Customer Get "/servers/{id}", in "servers", scope Read, takes UNATTENDED,
        at ServerId => 200 Server;

    /// Asks something of a server. The answer shows what is observed now; follow `GET` for the outcome.
    ActOnServer = "act_on_server": Customer Post "/servers/{id}/actions", in "servers", scope Servers, at ServerId,
        with ServerActionRequest => 202 Server;

    /// Deletes a server. Charging ends now; its disk is kept aside for the days that the installation says.
    DeleteServer = "delete_server": ProvenCustomer Delete "/servers/{id}", in "servers", scope Delete, at ServerId => 202 Server;

    /// Which technical-support jobs can be applied for, and when they are dealt with.
    GetJobOffer = "job_offer": Customer Get "/jobs/offer", in "support", scope Read => 200 JobOffer;

    /// Applies for a technical-support job on one of one's own servers.
    SubmitJob = "submit_job": Customer Post "/jobs", in "support", with JobRequest => 201 Job;

    /// One's own technical-support jobs, newest first.
    ListJobs = "list_jobs": Customer Get "/jobs", in "support", scope Read, by JobListQuery => 200 Page<JobLine>;

    /// One's own technical-support job with all that has happened to it.
    GetJob = "get_job": Customer Get "/jobs/{id}", in "support", scope Read, takes UNATTENDED, at JobId => 200 Job;

    /// Does something to a technical-support job, as its `can` says: comments, changes, calls it off, lets engineers in or
    /// lets them in no more.
    ActOnJob = "act_on_job": Customer Post "/jobs/{id}/acts", in "support", at JobId, with JobAct => 200 Job;

    /// Approves of what a technical-support job's engineer is going to do, and of its fee. Refused as
    /// `firewall-not-active` unless the server's host has just said that engineers are let in, for five minutes at the least.
    ConfirmJob = "confirm_job": Customer Post "/jobs/{id}/confirmation", in "support", at JobId, with JobConfirmation
        => 200 Job;

    /// What this month costs so far, server by server, with a forecast for its end.
    GetMonthSoFar = "month_so_far": Customer Get "/billing/current", in "billing", scope Billing => 200 MonthSoFar;

    /// To whom one's invoices are addressed; as long as nobody has said so, what is proposed of what is known of the account.
    GetBillingProfile = "billing_profile": Customer Get "/billing/profile", in "billing", scope Billing
        => 200 BillingProfile;

    /// Says to whom one's invoices are addressed from now on. Those that were issued stay as they are.
    SetBillingProfile = "set_billing_profile": Customer Put "/billing/profile", in "billing", scope Billing,
        with BillingDetails => 200 BillingProfile;

    /// From which amount on one is told what the month costs.
    GetSpendingAlert = "get_spending_alert": Customer Get "/billing/alert", in "billing", scope Billing => 200 SpendingAlert;

    /// Says from which amount on one is told, once a month, what the month costs; or that one is not.
    SetSpendingAlert = "set_spending_alert": Customer Put "/billing/alert", in "billing", scope Billing,
        with SpendingAlertRequest => 200 SpendingAlert;

    /// One's own invoices, newest first.
    ListInvoices = "list_invoices": Customer Get "/invoices", in "billing", scope Billing, by InvoiceListQuery
        => 200 Page<InvoiceSummary>;

    /// One's own invoice with all its lines.
    GetInvoice = "get_invoice": Customer Get "/invoices/{id}", in "billing", scope Billing, at InvoiceId => 200 Invoice;

    /// What the six months before this one were invoiced at, and their average.
    GetBillingSummary = "billing_summary": Customer Get "/billing/summary", in "billing", scope Billing => 200 BillingSummary;

    /// What one was charged and has paid, newest first.
    GetStatement = "get_statement": Customer Get "/billing/statement", in "billing", scope Billing => 200 Statement;

    /// How one pays, and what there is to pay with.
    GetFunds = "get_funds": Customer Get "/billing/funds", in "billing", scope Billing => 200 Funds;

    /// Agrees to pay for what comes when the trial is used up or over, from what is paid ahead.
    ConvertTrial = "convert_trial": Customer Post "/billing/trial/conversion", in "billing", with TrialConversion => 204;

    /// One's own invoice as PDF. It is rendered once, in the account's language of then, and the same bytes ever after.
    GetInvoicePdf = "get_invoice_pdf": Customer Get "/invoices/{id}/pdf", in "billing", scope Billing, at InvoiceId => 200 Pdf;
}
