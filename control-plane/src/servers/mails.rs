//! Mails about servers.

use innkeeper_wire::id::{AccountId, ServerId};

use super::Servers;
use crate::{
    kernel::Error,
    mails::{
        ReadyMail,
        rules::{MailContent, OutgoingMail},
    },
    servers::rules::{
        letters::{self, Why},
        server::{Lifecycle, Server},
    },
};

impl Servers {
    /// Writes a mail about a server. `None` when its reason is gone.
    ///
    /// # Errors
    /// When what it is about can't be read.
    pub fn compose(
        &self,
        account: AccountId,
        mail: &OutgoingMail,
    ) -> Result<Option<ReadyMail>, Error> {
        let at = mail.queued_at;
        let Some(reader) = self.accounts.reader_of(account)? else {
            return Ok(None);
        };
        let sheet = self.mails.stationery();
        let find = |id: ServerId| self.ctx.read::<Server>(&(account, id));
        let letter = match mail.content {
            // Not of one that its owner has deleted meanwhile.
            MailContent::ServerReady { server } => find(server)?
                .filter(|server| server.lifecycle == Lifecycle::Live)
                .map(|server| letters::ready(sheet, &reader, &server, at)),
            MailContent::CreateFailed { server } => {
                find(server)?.map(|server| letters::create_failed(sheet, &reader, &server, at))
            }
            MailContent::ServerDeleted { server, is_unpaid } => find(server)?.map(|server| {
                let why = if is_unpaid { Why::Unpaid } else { Why::Asked };
                letters::deleted(sheet, &reader, &server, at, (why, self.tombstone_days))
            }),
            MailContent::ServerLost { server } => {
                find(server)?.map(|server| letters::lost(sheet, &reader, &server, at))
            }
            // Of another noun: `work/outbox` knows whose each kind is.
            _ => None,
        };
        let to = reader.to;
        Ok(letter.map(|letter| ReadyMail { to, letter }))
    }
}
