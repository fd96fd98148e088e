//! What of mails is stored.

use innkeeper_wire::id::MailId;

use crate::{domain::mail::OutgoingMail, kernel::record::records};

records! {
    OutgoingMail, at "mail/" by MailId, version 2;
}
