//! What of mails is stored.

use innkeeper_wire::id::MailId;

use crate::{kernel::record::records, mails::rules::OutgoingMail};

records! {
    OutgoingMail, at "mail/" by MailId, version 2;
}
