//! What of mails is stored.

use innkeeper_wire::{id::MailId, time::Timestamp};
use serde::{Deserialize, Serialize};

use crate::{
    kernel::record::records,
    mails::rules::{OutgoingMail, OutgoingMailV2},
};

records! {
    // Versions 3 and 4 have fewer kinds.
    OutgoingMail, at "mail/" by MailId, version 5, from 2 => OutgoingMailV2, from 3 => OutgoingMail, from 4 => OutgoingMail;
    AllRetried, at "mailsretried" by (), version 1;
}

/// That somebody has had all mails that wait tried at once.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct AllRetried {
    /// When that was last.
    pub(crate) at: Timestamp,
}
