//! API tokens of an account: making and ending them, and who comes with one. When one was used is ephemeral: it is worth no
//! entry in the journal, and is not more exact than ten minutes.

use std::{net::IpAddr, time::Duration};

use innkeeper_wire::{
    api::{self, Page, PageInfo, Scope, TOKENS_PER_ACCOUNT_MAX, TokenState},
    id::{AccountId, TokenId},
    time::Timestamp,
};

use super::{
    Accounts,
    sessions::{By, SignedIn},
};
use crate::{
    accounts::rules::{
        account::Account,
        api_token::{self, ApiToken, ApiTokens, Wanted},
    },
    kernel::{Caller, Error, Tx, secret},
    mails::rules::MailContent,
};

/// How exactly the last use is known.
const TOUCH_EVERY: Duration = Duration::from_secs(600);

impl Accounts {
    /// The account's tokens, newest first. There are few, so it is always one page.
    pub fn api_tokens(&self, caller: &Caller) -> Result<Page<api::ApiToken>, Error> {
        let account = caller.account()?;
        let tokens = self.ctx.read::<ApiTokens>(&account)?.unwrap_or_default();
        let shown = tokens.0.iter().rev();
        let data = shown.map(|token| self.shown_token(account, token));
        Ok(Page {
            data: data.collect::<Result<_, Error>>()?,
            page: PageInfo {
                next: None,
                has_more: false,
            },
        })
    }

    fn shown_token(&self, account: AccountId, token: &ApiToken) -> Result<api::ApiToken, Error> {
        let about = self.unseal(account, &token.about)?;
        let used = self.ctx.recall::<Timestamp>(&use_name(token.id))?;
        Ok(api::ApiToken {
            id: token.id,
            name: about.name,
            scopes: token.scopes.clone(),
            networks: about.networks,
            state: token.state(self.ctx.now(), self.ctx.store().epoch()),
            created_at: token.created_at,
            expires_at: token.expires_at,
            used_at: used.map(|used| used.value),
        })
    }

    /// Makes one; its secret is in the answer alone. Those that have expired make room for it.
    pub async fn make_api_token(
        &self,
        caller: &Caller,
        request: &api::ApiTokenRequest,
    ) -> Result<api::NewApiToken, Error> {
        let account = caller.account()?;
        let wanted = api_token::check(request).map_err(Error::Invalid)?;
        let Wanted {
            about,
            scopes,
            life,
        } = wanted;
        let written = api_token::written(account, &secret::generate()?);
        let now = self.ctx.now();
        let token = ApiToken {
            id: TokenId::new(self.ctx.ids()),
            hash: api_token::hash(&written),
            about: self.seal(account, &about)?,
            scopes,
            created_at: now,
            expires_at: now.after(life),
            epoch: self.ctx.store().epoch(),
        };
        let from = self.place_of(account, caller.address)?;
        let cause = format!("make api token {}, {}", token.id, caller.request);
        let make = |tx: &mut Tx<'_>| {
            let mut tokens = tx.get::<ApiTokens>(&account)?.unwrap_or_default();
            let epoch = self.ctx.store().epoch();
            tokens
                .0
                .retain(|other| other.state(now, epoch) != TokenState::Expired);
            if tokens.0.len() >= TOKENS_PER_ACCOUNT_MAX {
                let limit = u32::try_from(TOKENS_PER_ACCOUNT_MAX).unwrap_or(u32::MAX);
                return Err(Error::Quota { limit });
            }
            tokens.0.push(token.clone());
            tx.put(&account, &tokens)?;
            let told = MailContent::TokenMade {
                scopes: token.scopes.clone(),
                from: from.clone(),
            };
            self.mails.queue(tx, account, told)
        };
        self.ctx.commit(caller.actor, &cause, make).await?;
        Ok(api::NewApiToken {
            secret: written,
            token: self.shown_token(account, &token)?,
        })
    }

    /// Ends one for good.
    pub async fn end_api_token(&self, caller: &Caller, id: TokenId) -> Result<(), Error> {
        let account = caller.account()?;
        let cause = format!("end api token {id}, {}", caller.request);
        let end = |tx: &mut Tx<'_>| {
            let mut tokens = tx.get::<ApiTokens>(&account)?.unwrap_or_default();
            let before = tokens.0.len();
            tokens.0.retain(|token| token.id != id);
            if tokens.0.len() == before {
                return Err(Error::NotFound);
            }
            tx.put(&account, &tokens)
        };
        self.ctx.commit(caller.actor, &cause, end).await?;
        self.ctx.forget(&use_name(id)).await
    }

    /// Puts one on again that is off since a restore.
    pub async fn enable_api_token(
        &self,
        caller: &Caller,
        id: TokenId,
    ) -> Result<api::ApiToken, Error> {
        let account = caller.account()?;
        let cause = format!("enable api token {id}, {}", caller.request);
        let enable = |tx: &mut Tx<'_>| {
            let mut tokens = tx.get::<ApiTokens>(&account)?.unwrap_or_default();
            let token = tokens.0.iter_mut().find(|token| token.id == id);
            let token = token.ok_or(Error::NotFound)?;
            token.epoch = self.ctx.store().epoch();
            let enabled = token.clone();
            tx.put(&account, &tokens)?;
            Ok(enabled)
        };
        let enabled = self.ctx.commit(caller.actor, &cause, enable).await?;
        self.shown_token(account, &enabled)
    }

    /// Who comes with a token, if it is taken from there and is for what is asked, which is in `scope`. Whose it is and
    /// from where it is taken is not told to whom it does not let in.
    pub(super) async fn authenticate_program(
        &self,
        token: &str,
        from: IpAddr,
        scope: Option<Scope>,
    ) -> Result<SignedIn, Error> {
        let now = self.ctx.now();
        let id = api_token::owner(token).ok_or(Error::Unauthenticated)?;
        let account = self.ctx.read::<Account>(&id)?;
        if !account.is_some_and(|account| account.state.is_in_use()) {
            return Err(Error::Unauthenticated);
        }
        let tokens = self.ctx.read::<ApiTokens>(&id)?.unwrap_or_default();
        let found = tokens.live(token, now, self.ctx.store().epoch());
        let found = found.ok_or(Error::Unauthenticated)?;
        let about = self.unseal(id, &found.about)?;
        if !api_token::is_from(&about.networks, from) {
            return Err(Error::Unauthenticated);
        }
        let scope = scope.ok_or(Error::TokenScope(
            "only who is signed in may do this, no token",
        ))?;
        if !found.scopes.contains(&scope) {
            return Err(Error::TokenScope(missing(scope)));
        }
        self.note_use(found, now).await?;
        Ok(SignedIn {
            account: id,
            by: By::Token(found.id),
        })
    }

    async fn note_use(&self, token: &ApiToken, now: Timestamp) -> Result<(), Error> {
        let name = use_name(token.id);
        let noted = self.ctx.recall::<Timestamp>(&name)?;
        if noted.is_some_and(|noted| now.since(noted.value) < TOUCH_EVERY) {
            return Ok(());
        }
        match self.ctx.remember(&name, &now, token.expires_at).await {
            // What there is can still be looked at.
            Ok(()) | Err(Error::StorageFull) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

/// Ends all tokens of an account.
pub(super) fn remove_tokens(tx: &mut Tx<'_>, account: AccountId) -> Result<(), Error> {
    if tx.get::<ApiTokens>(&account)?.is_some() {
        tx.remove::<ApiTokens>(&account)?;
    }
    Ok(())
}

fn use_name(token: TokenId) -> String {
    format!("tokenuse/{token}")
}

const fn missing(scope: Scope) -> &'static str {
    match scope {
        Scope::Read => "the token has not the scope `read`",
        Scope::Servers => "the token has not the scope `servers`",
        Scope::Keys => "the token has not the scope `keys`",
        Scope::Delete => "the token has not the scope `delete`",
        Scope::Billing => "the token has not the scope `billing`",
    }
}
