//! Mails about money.

use innkeeper_wire::id::AccountId;

use super::{
    Billing,
    rules::{invoice::Invoice, letters},
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
        let MailContent::InvoiceIssued { invoice } = mail.content else {
            return Ok(None);
        };
        let Some(reader) = self.accounts.reader_of(account)? else {
            return Ok(None);
        };
        let invoice = self.ctx.read::<Invoice>(&(account, invoice))?;
        let sheet = self.mails.stationery();
        let letter = invoice.map(|invoice| letters::issued(sheet, &reader, &invoice));
        let to = reader.to;
        Ok(letter.map(|letter| ReadyMail { to, letter }))
    }
}
