//! Notices: what the last deed led to, said once on the next page. They travel as a short code in a
//! cookie, so the portal keeps nothing, and a forged one can only choose among these texts.

use innkeeper_wire::api::ServerState;

/// Where a server is ordered.
const ORDER_PAGE: &str = "/servers/new";

macro_rules! notices {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $key:literal;)+) => {
        /// What can be said on the next page.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Notice {
            $($(#[$doc])* $name,)+
        }

        impl Notice {
            /// The code in the cookie.
            #[must_use]
            pub const fn code(self) -> &'static str {
                match self { $(Self::$name => $code,)+ }
            }

            /// The text.
            #[must_use]
            pub const fn key(self) -> &'static str {
                match self { $(Self::$name => $key,)+ }
            }

            /// The notice with this code.
            #[must_use]
            pub fn by_code(code: &str) -> Option<Self> {
                match code { $($code => Some(Self::$name),)+ _ => None }
            }
        }
    };
}

impl Notice {
    /// What most people do next, and where: the name of its words, and an address.
    #[must_use]
    pub const fn next(self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::KeyAdded => Some(("order-server", ORDER_PAGE)),
            _ => None,
        }
    }
}

impl Notice {
    /// The states of a server in which it is true; none if it is true of any.
    #[must_use]
    pub const fn holds(self) -> &'static [ServerState] {
        match self {
            Self::OrderPlaced => &[ServerState::Requested, ServerState::Creating],
            Self::ServerDeleting => &[ServerState::Deleting],
            _ => &[],
        }
    }
}

notices! {
    /// From which amount on one is told what the month costs is changed.
    SpendingAlertChanged = "spending", "notice-spending";
    /// The address is confirmed; sign in now.
    EmailConfirmed = "email-confirmed", "notice-email-confirmed";
    /// Signed out as asked.
    SignedOut = "signed-out", "notice-signed-out";
    /// The session has ended by itself.
    SessionEnded = "session-ended", "notice-session-ended";
    /// It has, and what was typed is kept.
    FormKept = "form-kept", "sign-in-kept";
    /// A code came too late; sign in anew.
    SignInExpired = "sign-in-expired", "problem-sign-in-expired";
    /// Another confirmation mail is on its way, if there is such an account.
    MailSent = "mail-sent", "notice-mail-sent";
    /// Another password was chosen by a mailed link; sign in with it.
    PasswordReset = "password-reset", "notice-password-reset";
    /// The request to switch a lost second factor off is ended.
    LostFactorCancelled = "lost-factor-cancelled", "notice-lost-factor-cancelled";
    /// The owner of a trial has agreed to pay.
    TrialConverted = "trial-converted", "notice-trial-converted";
    /// Something of the account was changed.
    ProfileChanged = "profile-changed", "notice-profile-changed";
    /// It is said to whom invoices are addressed.
    BillingProfileSaved = "billing-profile-saved", "notice-billing-profile-saved";
    /// The account has agreed to the new version of a text.
    ConsentGiven = "consent-given", "notice-consent-given";
    /// A link is on its way to another address.
    NewEmailMailed = "new-email-mailed", "notice-new-email-mailed";
    /// Another address is confirmed.
    NewEmailConfirmed = "new-email-confirmed", "notice-new-email-confirmed";
    /// Sessions of the account were ended.
    SessionsEnded = "sessions-ended", "notice-sessions-ended";
    /// The password was changed.
    PasswordChanged = "password-changed", "notice-password-changed";
    /// An API token was ended.
    TokenEnded = "token-ended", "notice-token-ended";
    /// An API token is on again.
    TokenEnabled = "token-enabled", "notice-token-enabled";
    /// Two-step verification is off.
    TwoStepOff = "two-step-off", "notice-two-step-off";
    /// An SSH key was added.
    KeyAdded = "key-added", "notice-key-added";
    /// The SSH key that was pasted is here already; this is it.
    KeyKnown = "key-known", "notice-key-known";
    /// An SSH key has another name.
    KeyRenamed = "key-renamed", "notice-key-renamed";
    /// An SSH key was removed.
    KeyDeleted = "key-deleted", "notice-key-deleted";
    /// The order was placed; this is its server.
    OrderPlaced = "order-placed", "notice-order-placed";
    /// A server was asked to do something.
    ActionAccepted = "action-accepted", "notice-action-accepted";
    /// A server that could not be made is out of the lists.
    ServerRemoved = "server-removed", "notice-server-removed";
    /// Somebody of the staff has chosen his password; sign in now.
    Enrolled = "enrolled", "notice-enrolled";
    /// What staff wanted is done.
    StaffActed = "staff-acted", "notice-staff-acted";
    /// The same, where it is not noted on the page.
    StaffDone = "staff-done", "notice-staff-done";
    /// The first steps of a new customer are shown no more.
    FirstStepsHidden = "first-steps-hidden", "notice-first-steps-hidden";
    /// A technical-support job was applied for; this is it.
    JobSubmitted = "job-submitted", "notice-job-submitted";
    /// Something was said about a job.
    JobCommented = "job-commented", "notice-job-commented";
    /// The application for a job was changed.
    JobRevised = "job-revised", "notice-job-revised";
    /// The work of a job was approved of.
    JobConfirmed = "job-confirmed", "notice-job-confirmed";
    /// The engineer of a job looks at it once more.
    JobReReview = "job-re-review", "notice-job-re-review";
    /// A job was called off.
    JobCancelled = "job-cancelled", "notice-job-cancelled";
    /// Engineers are let in; the page shows when their host has said so.
    AccessAllowed = "access-allowed", "notice-access-allowed";
    /// They are let in no more.
    AccessWithdrawn = "access-withdrawn", "notice-access-withdrawn";
    /// A server is being deleted.
    ServerDeleting = "server-deleting", "notice-server-deleting";
}
