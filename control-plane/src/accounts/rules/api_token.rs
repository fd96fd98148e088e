//! API tokens: what is kept of them, when one is taken, and what must hold of a new one.
//!
//! ```text
//! (made, by a proven owner) --> live --(its days are over)--> expired
//! live --(a restore, or a lost second factor is switched off)--> off --(put on again, by a proven owner)--> live
//! any --(ended by its owner, or the account is erased)--> gone
//! ```
//!
//! A token is `ink_<account>_<secret>`: whose it is, so that it is found without an index, and 256 random bits.

use std::time::Duration;

use innkeeper_listener::client::Networks;
use innkeeper_wire::{
    api::{
        ApiTokenRequest, Scope, TOKEN_DAYS_MAX, TOKEN_NAME_LENGTH_MAX, TOKEN_NETWORK_LENGTH_MAX,
        TOKEN_NETWORKS_MAX, TOKEN_PREFIX, TokenState,
    },
    digest::Digest,
    error::{FieldError, FieldErrorCode},
    id::{AccountId, TokenId},
    time::Timestamp,
};
use serde::{Deserialize, Serialize};

use super::names;
use crate::kernel::{field, sealed::Sealed};

const DAY: Duration = Duration::from_secs(24 * 3_600);

/// The tokens of an account, oldest first: in one record, since they are few and are counted together.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ApiTokens(pub Vec<ApiToken>);

/// A token.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ApiToken {
    /// Which.
    pub id: TokenId,
    /// Of its secret.
    pub hash: Digest,
    /// What tells of its owner.
    pub about: Sealed<About>,
    /// What it is for.
    pub scopes: Vec<Scope>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
    /// The epoch of the store in which it was made or put on again; none of any store once it was switched off.
    pub epoch: u64,
}

/// What of a token tells of its owner. Never stored but sealed with the account's key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    /// What he calls it.
    pub name: String,
    /// From where it is taken; from everywhere when there are none.
    pub networks: Vec<String>,
}

/// A token that may be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// What tells of its owner.
    pub about: About,
    /// What it is for, each once.
    pub scopes: Vec<Scope>,
    /// How long it lives.
    pub life: Duration,
}

impl ApiToken {
    /// Whether it is taken, at this time in this epoch.
    #[must_use]
    pub fn state(&self, now: Timestamp, epoch: u64) -> TokenState {
        if now >= self.expires_at {
            TokenState::Expired
        } else if self.epoch != epoch {
            TokenState::Off
        } else {
            TokenState::Live
        }
    }
}

/// An epoch that no store has.
const NO_EPOCH: u64 = 0;

impl ApiTokens {
    /// The same switched off, until each is put on again.
    #[must_use]
    pub fn off(self) -> Self {
        let off = self.0.into_iter().map(|token| ApiToken {
            epoch: NO_EPOCH,
            ..token
        });
        Self(off.collect())
    }

    /// The one with this secret, if it is taken.
    #[must_use]
    pub fn live(&self, secret: &str, now: Timestamp, epoch: u64) -> Option<&ApiToken> {
        let hash = hash(secret);
        let is_it =
            |token: &&ApiToken| token.hash == hash && token.state(now, epoch) == TokenState::Live;
        self.0.iter().find(is_it)
    }
}

/// Whether a token of a request is one of these, and not one of a session.
#[must_use]
pub fn is_api_token(token: &str) -> bool {
    token.starts_with(TOKEN_PREFIX)
}

/// The whole text of a token.
#[must_use]
pub fn written(account: AccountId, secret: &str) -> String {
    format!("{TOKEN_PREFIX}{}_{secret}", account.uuid().simple())
}

/// Whose token a text is, if it is what it says.
#[must_use]
pub fn owner(token: &str) -> Option<AccountId> {
    let (account, _) = token.strip_prefix(TOKEN_PREFIX)?.split_once('_')?;
    format!("{}_{account}", AccountId::PREFIX).parse().ok()
}

/// What is kept of a secret: it can't be guessed, so a plain hash lets nobody in.
#[must_use]
pub fn hash(token: &str) -> Digest {
    Digest::of(format!("api token {token}").as_bytes())
}

/// Whether a token is taken from an address. What can't be read lets nobody in.
#[must_use]
pub fn is_from(networks: &[String], address: std::net::IpAddr) -> bool {
    let parsed = Networks::parse(networks.iter().map(String::as_str));
    networks.is_empty() || parsed.is_ok_and(|parsed| parsed.contain(address))
}

/// What is wanted, or everything that is wrong with it.
pub fn check(request: &ApiTokenRequest) -> Result<Wanted, Vec<FieldError>> {
    let name = names::visible(&request.name);
    let networks = request.networks.iter().map(|text| text.trim().to_owned());
    let networks: Vec<String> = networks.collect();
    let mut scopes = request.scopes.clone();
    scopes.sort();
    scopes.dedup();
    let errors: Vec<_> = [
        check_name(&name),
        scopes.is_empty().then(|| {
            let detail = "choose what the token is for";
            field("/scopes", FieldErrorCode::Required, detail)
        }),
        (!(1..=TOKEN_DAYS_MAX).contains(&request.days)).then(|| {
            let detail = "a token lives for 1 to 365 days";
            field("/days", FieldErrorCode::Malformed, detail)
        }),
        check_networks(&networks),
    ]
    .into_iter()
    .flatten()
    .collect();
    if !errors.is_empty() {
        return Err(errors);
    }
    Ok(Wanted {
        about: About { name, networks },
        scopes,
        life: DAY * request.days,
    })
}

fn check_name(name: &str) -> Option<FieldError> {
    let (code, detail) = match name.chars().count() {
        0 => (FieldErrorCode::Required, "give the token a name"),
        1..=TOKEN_NAME_LENGTH_MAX => return None,
        _ => (FieldErrorCode::TooLong, "a name has at most 60 characters"),
    };
    Some(field("/name", code, detail))
}

fn check_networks(networks: &[String]) -> Option<FieldError> {
    if networks.len() > TOKEN_NETWORKS_MAX {
        let detail = "a token has at most 10 networks";
        return Some(field("/networks", FieldErrorCode::TooMany, detail));
    }
    let is_wrong = |text: &String| {
        text.len() > TOKEN_NETWORK_LENGTH_MAX || Networks::parse([text.as_str()]).is_err()
    };
    let wrong = networks.iter().position(is_wrong)?;
    let detail = "write addresses and networks such as 192.0.2.7 or 203.0.113.0/24";
    let pointer = format!("/networks/{wrong}");
    Some(field(&pointer, FieldErrorCode::Malformed, detail))
}

#[cfg(test)]
mod tests {
    use innkeeper_wire::id::uuid_v7;

    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_790_000_000_000);
    const EPOCH: u64 = 2;

    fn account() -> AccountId {
        AccountId::from_uuid(uuid_v7(NOW, [1; 10]))
    }

    fn token(secret: &str) -> ApiToken {
        ApiToken {
            id: TokenId::from_uuid(uuid_v7(NOW, [2; 10])),
            hash: hash(secret),
            about: Sealed::new(vec![]),
            scopes: vec![Scope::Read],
            created_at: NOW,
            expires_at: NOW.after(DAY),
            epoch: EPOCH,
        }
    }

    fn request() -> ApiTokenRequest {
        ApiTokenRequest {
            name: "backup".to_owned(),
            scopes: vec![Scope::Read],
            days: 30,
            networks: vec![],
        }
    }

    #[test]
    fn a_token_is_taken_until_its_end_in_its_epoch_alone() {
        let tokens = ApiTokens(vec![token("a"), token("b")]);
        let last = NOW.after(DAY - Duration::from_millis(1));
        for (secret, now, epoch, is_taken) in [
            ("a", NOW, EPOCH, true),
            ("b", last, EPOCH, true),
            ("c", NOW, EPOCH, false),
            ("", NOW, EPOCH, false),
            ("a", NOW.after(DAY), EPOCH, false),
            ("a", NOW, EPOCH - 1, false),
            ("a", NOW, EPOCH + 1, false),
        ] {
            let found = tokens.live(secret, now, epoch);
            assert_eq!(found.is_some(), is_taken, "{secret} {now} {epoch}");
        }
        let states = [(NOW, EPOCH), (NOW, EPOCH + 1), (NOW.after(DAY), EPOCH + 1)];
        let states = states.map(|(now, epoch)| token("a").state(now, epoch));
        assert_eq!(
            states,
            [TokenState::Live, TokenState::Off, TokenState::Expired]
        );
    }

    #[test]
    fn a_text_says_whose_token_it_is() {
        let text = written(account(), "a_b-c");
        assert!(is_api_token(&text) && text.ends_with("_a_b-c"));
        assert_eq!(owner(&text), Some(account()));
        for other in [
            "",
            "ink_",
            "ink_a_b",
            &text[4..],
            &text.replace("ink_", "ink"),
            &format!("{}.secret", account()),
        ] {
            assert_eq!(owner(other), None, "{other}");
        }
    }

    #[test]
    fn it_is_taken_from_its_networks_or_from_everywhere() {
        let networks = |texts: &[&str]| -> Vec<String> {
            texts.iter().map(|text| (*text).to_owned()).collect()
        };
        for (texts, address, is_taken) in [
            (&[][..], "192.0.2.1", true),
            (&["192.0.2.0/24"], "192.0.2.1", true),
            (&["192.0.2.0/24"], "::ffff:192.0.2.1", true),
            (&["192.0.2.0/24"], "192.0.3.1", false),
            (&["192.0.2.7"], "192.0.2.1", false),
            (&["192.0.2.7", "2001:db8::/32"], "2001:db8::1", true),
            (&["0.0.0.0/0"], "2001:db8::1", false),
            (&["what"], "192.0.2.1", false),
        ] {
            let address = address.parse().expect("an address");
            assert_eq!(is_from(&networks(texts), address), is_taken, "{texts:?}");
        }
    }

    #[test]
    fn what_is_wanted_is_checked() {
        let wanted = check(&ApiTokenRequest {
            name: " nightly \u{200b} backup".to_owned(),
            scopes: vec![Scope::Delete, Scope::Read, Scope::Read],
            days: 365,
            networks: vec![" 192.0.2.7 ".to_owned()],
        });
        let expected = Wanted {
            about: About {
                name: "nightly backup".to_owned(),
                networks: vec!["192.0.2.7".to_owned()],
            },
            scopes: vec![Scope::Read, Scope::Delete],
            life: Duration::from_secs(365 * 86_400),
        };
        assert_eq!(wanted, Ok(expected));
        use FieldErrorCode::{Malformed, Required, TooLong, TooMany};
        type Change = fn(&mut ApiTokenRequest);
        let cases: [(Change, &str, FieldErrorCode); 10] = [
            (|it| it.name = "\u{200b}".to_owned(), "/name", Required),
            (|it| it.name = "가".repeat(61), "/name", TooLong),
            (|it| it.scopes.clear(), "/scopes", Required),
            (|it| it.days = 0, "/days", Malformed),
            (|it| it.days = 366, "/days", Malformed),
            (|it| it.days = u32::MAX, "/days", Malformed),
            (
                |it| it.networks = vec!["192.0.2.1".to_owned(); 11],
                "/networks",
                TooMany,
            ),
            (
                |it| it.networks = vec!["192.0.2.1".to_owned(), "home".to_owned()],
                "/networks/1",
                Malformed,
            ),
            (
                |it| it.networks = vec![" ".to_owned()],
                "/networks/0",
                Malformed,
            ),
            (
                |it| it.networks = vec!["192.0.2.1/33".to_owned()],
                "/networks/0",
                Malformed,
            ),
        ];
        for (change, pointer, code) in cases {
            let mut request = request();
            change(&mut request);
            let errors = check(&request).expect_err(pointer);
            let found: Vec<_> = errors
                .iter()
                .map(|error| (error.pointer.as_str(), error.code))
                .collect();
            assert_eq!(found, [(pointer, code)]);
        }
    }
}
