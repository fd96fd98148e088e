//! Mails about money.

use innkeeper_wire::id::AccountId;

use super::{
    Billing,
    rules::{
        invoice::{CreditNote, Invoice},
        letters,
    },
};
use crate::{
    kernel::Error,
    mails::{
        ReadyMail,
        rules::{MailContent, OutgoingMail},
    },
};

impl Billing {
    /// Writes a mail about money; none of another kind.
    ///
    /// # Errors
    /// When what it is about can't be read.
    pub fn compose(
        &self,
        account: AccountId,
        mail: &OutgoingMail,
    ) -> Result<Option<ReadyMail>, Error> {
        let Some(reader) = self.accounts.reader_of(account)? else {
            return Ok(None);
        };
        let sheet = self.mails.stationery();
        let find = |invoice| self.ctx.read::<Invoice>(&(account, invoice));
        let letter = match mail.content {
            MailContent::InvoiceIssued { invoice } => {
                find(invoice)?.map(|invoice| letters::issued(sheet, &reader, &invoice))
            }
            MailContent::CreditNoteIssued { invoice, note } => {
                let note = self.ctx.read::<CreditNote>(&(invoice, note))?;
                let both = find(invoice)?.zip(note);
                both.map(|(invoice, note)| letters::credited(sheet, &reader, &invoice, &note))
            }
            _ => None,
        };
        let to = reader.to;
        Ok(letter.map(|letter| ReadyMail { to, letter }))
    }
}
