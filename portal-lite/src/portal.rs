//! What all requests share: the client of the API, the settings, the secret of forms, and a short-lived
//! copy of the public facts (installation and catalogue). Nothing in here belongs to a visitor.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::http::HeaderValue;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, Mac};
use innkeeper_listener::Networks;
use innkeeper_wire::{
    api::{Catalogue, Installation},
    endpoints::{Endpoint as _, operators, rest},
    time::{Clock, Timestamp},
};
use sha2::Sha256;
use tracing::warn;

use crate::{
    api::{Api, Caller},
    area::Area,
    config::{Config, ConfigError, read_secret},
    cookies::Transport,
};

/// For how long the public facts are taken as they are.
const FACTS_FRESH: Duration = Duration::from_secs(15);
/// After a failure to fetch them: how long until the next try.
const FACTS_PAUSE: Duration = Duration::from_secs(3);
/// Longest time that a page waits for them.
const FACTS_TIMEOUT: Duration = Duration::from_secs(2);

/// What all requests share.
pub struct Portal {
    /// The way to the API.
    pub api: Api,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// How browsers come.
    pub transport: Transport,
    /// The one origin that may post forms.
    pub public_url: String,
    /// Proxies whose word on the client's address is taken.
    pub trusted_proxies: Networks,
    /// The host of `public_url`.
    host: String,
    form_secret: Vec<u8>,
    facts: Mutex<FactsCopy>,
}

/// What everybody may know, as the API last told it.
#[derive(Debug)]
pub struct Facts {
    /// The installation.
    pub installation: Installation,
    /// What can be ordered.
    pub catalogue: Catalogue,
}

#[derive(Default)]
struct FactsCopy {
    facts: Option<Arc<Facts>>,
    /// Not before this instant is the API asked again.
    next_fetch: Option<Timestamp>,
}

impl Portal {
    /// A portal as configured. Reads the secrets' files.
    pub fn new(config: &Config, clock: Arc<dyn Clock>) -> Result<Self, ConfigError> {
        let key = read_secret(&config.portal_key_file)?;
        let key = HeaderValue::try_from(key).map_err(|_| ConfigError::ShortSecret {
            path: config.portal_key_file.clone(),
        })?;
        let form_secret = match &config.form_secret_file {
            Some(path) => read_secret(path)?.into_bytes(),
            None => rand::random::<[u8; 32]>().to_vec(),
        };
        Ok(Self {
            api: Api::new(&config.api_url, key),
            clock,
            transport: Transport {
                is_https: config.is_https(),
                area: config.area,
            },
            public_url: config.public_url.clone(),
            host: config.host(),
            trusted_proxies: config.trusted_proxies.clone(),
            form_secret,
            facts: Mutex::default(),
        })
    }

    /// Which portal this is.
    #[must_use]
    pub fn area(&self) -> Area {
        self.transport.area
    }

    /// Whether this is the name of the portal's own host, whatever the port: a proxy may leave that out.
    #[must_use]
    pub fn is_host(&self, host: &str) -> bool {
        self.host.eq_ignore_ascii_case(host)
    }

    /// The token that forms of this browser or session carry.
    #[must_use]
    pub fn form_token(&self, seed: &str) -> String {
        URL_SAFE_NO_PAD.encode(self.form_mac(seed).finalize().into_bytes())
    }

    /// Whether `token` is the one for `seed`; takes the same time wherever they differ.
    #[must_use]
    pub fn is_form_token(&self, seed: &str, token: &str) -> bool {
        URL_SAFE_NO_PAD
            .decode(token)
            .is_ok_and(|given| self.form_mac(seed).verify_slice(&given).is_ok())
    }

    /// What stands for an account in forms and in what is sealed to it; nobody can make it for another.
    #[must_use]
    pub fn owner_tag(&self, account: &str) -> String {
        let tag = self.mac(b"innkeeper-portal owner 1\0", account);
        URL_SAFE_NO_PAD.encode(&tag.finalize().into_bytes()[..16])
    }

    /// The key that forms are sealed with.
    #[must_use]
    pub fn form_key(&self) -> [u8; 32] {
        let key = self.mac(b"innkeeper-portal kept forms 1\0", "");
        key.finalize().into_bytes().into()
    }

    /// The public facts, at most 15 s old while the API answers, older while it does not, and `None` if it
    /// has not answered yet.
    pub async fn facts(&self, caller: Caller<'_>) -> Option<Arc<Facts>> {
        let now = self.clock.now();
        let known = {
            let mut copy = self.facts.lock().expect("nothing panics while it is held");
            if copy.next_fetch.is_some_and(|next| now < next) {
                return copy.facts.clone();
            }
            if copy.facts.is_some() {
                // While this request fetches, others go on with the copy.
                copy.next_fetch = Some(now.after(FACTS_PAUSE));
            }
            copy.facts.clone()
        };
        let fetched = self.fetch_facts(caller).await;
        let mut copy = self.facts.lock().expect("nothing panics while it is held");
        match fetched {
            Some(facts) => {
                copy.facts = Some(Arc::new(facts));
                copy.next_fetch = Some(now.after(FACTS_FRESH));
                copy.facts.clone()
            }
            None => {
                copy.next_fetch = Some(now.after(FACTS_PAUSE));
                known
            }
        }
    }

    /// Drops the copy of the facts: the API has said that they are out of date.
    pub fn forget_facts(&self) {
        *self.facts.lock().expect("nothing panics while it is held") = FactsCopy::default();
    }

    async fn fetch_facts(&self, caller: Caller<'_>) -> Option<Facts> {
        let api = &self.api;
        let fetch = async {
            match self.area() {
                Area::Customers => tokio::try_join!(
                    api.call(caller, rest::GetInstallation::ask()),
                    api.call(caller, rest::GetCatalogue::ask())
                ),
                Area::Staff => tokio::try_join!(
                    api.call(caller, operators::GetInstallation::ask()),
                    api.call(caller, operators::GetCatalogue::ask())
                ),
            }
        };
        match tokio::time::timeout(FACTS_TIMEOUT, fetch).await {
            Ok(Ok((installation, catalogue))) => Some(Facts {
                installation,
                catalogue,
            }),
            Ok(Err(error)) => {
                warn!(%error, "can't fetch the public facts");
                None
            }
            Err(_) => {
                warn!("the public facts did not come in time");
                None
            }
        }
    }

    fn form_mac(&self, seed: &str) -> Hmac<Sha256> {
        self.mac(b"innkeeper-portal form token 1\0", seed)
    }

    /// The label keeps apart what is made with the secret.
    fn mac(&self, label: &[u8], text: &str) -> Hmac<Sha256> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.form_secret)
            .expect("HMAC takes keys of every length");
        mac.update(label);
        mac.update(text.as_bytes());
        mac
    }
}
