//! What of mails is stored.

use innkeeper_wire::id::MailId;

use crate::{
    kernel::record::records,
    mails::rules::{OutgoingMail, OutgoingMailV2},
};

records! {
    // Version 3 has fewer kinds.
    OutgoingMail, at "mail/" by MailId, version 4, from 2 => OutgoingMailV2, from 3 => OutgoingMail;
}
