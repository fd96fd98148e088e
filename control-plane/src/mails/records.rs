//! What of mails is stored.

use innkeeper_wire::id::MailId;

use crate::{
    kernel::record::records,
    mails::rules::{OutgoingMail, OutgoingMailV2},
};

records! {
    OutgoingMail, at "mail/" by MailId, version 3, from 2 => OutgoingMailV2;
}
