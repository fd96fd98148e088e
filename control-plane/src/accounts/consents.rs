//! Agreeing again, to the new version of a text that members agree to (R14).

use innkeeper_wire::{
    api::Locale,
    member::{ConsentRequest, Consents},
};

use super::Accounts;
use crate::{
    accounts::rules::{
        account::Account,
        consent::{self, Consent, ConsentDocument, ConsentPlace},
    },
    kernel::{Caller, Error},
};

impl Accounts {
    /// What an account has agreed to and is asked for, in the language that is read best.
    fn consents_of(&self, account: &Account, lang: Option<Locale>) -> Consents {
        let texts = self.settings.texts.shown(account.kind, lang);
        consent::consents(&account.consents, texts)
    }

    /// Whether an account is asked for anything, told by the versions alone.
    pub(super) fn asks_consent(&self, account: &Account) -> bool {
        let texts = &self.settings.texts;
        let terms = (ConsentDocument::Terms, Some(&texts.terms));
        let personal_data = (ConsentDocument::PersonalData, texts.personal_data.as_ref());
        let mut present = [terms, personal_data].into_iter();
        present.any(|(document, texts)| {
            texts.is_some_and(|it| consent::is_asked(&account.consents, document, &it.version))
        })
    }

    /// What the signed-in account has agreed to and is asked for.
    pub fn consents(&self, caller: &Caller, lang: Option<Locale>) -> Result<Consents, Error> {
        let account = self.ctx.read::<Account>(&caller.account()?)?;
        let account = account.ok_or(Error::Unauthenticated)?;
        Ok(self.consents_of(&account, lang))
    }

    /// Agrees to all that is asked for. Where nothing is, it was sent twice, and nothing is written.
    pub async fn give_consents(
        &self,
        caller: &Caller,
        request: &ConsentRequest,
    ) -> Result<Consents, Error> {
        let id = caller.account()?;
        let now = self.ctx.now();
        let address = caller.address;
        let from = self.seal(id, &ConsentPlace { address })?;
        let cause = format!("agree to texts, {}", caller.request);
        self.ctx
            .commit(caller.actor, &cause, |tx| {
                let account = tx.get::<Account>(&id)?.ok_or(Error::Unauthenticated)?;
                let asked = self.consents_of(&account, request.lang);
                let agreed = consent::check_given(&asked, request).map_err(Error::Invalid)?;
                if agreed.is_empty() {
                    return Ok(());
                }
                let mut account = account;
                for (document, text) in agreed {
                    let consent = Consent::to(document, text, now, from.clone());
                    account.consents.push(consent);
                }
                tx.put(&id, &account)
            })
            .await?;
        self.consents(caller, request.lang)
    }
}
