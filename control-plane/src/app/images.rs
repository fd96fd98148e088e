//! Which base images something still names: copies of all others can go.

use std::collections::BTreeSet;

use innkeeper_wire::digest::Digest;

use super::{
    App,
    error::AppError,
    records::{OnHost, for_each, read},
};
use crate::domain::{order::Quote, recovery::Phase, server::Server};

/// Quotes that are looked at, those that have expired among them: some weeks' worth between two sweeps.
const QUOTES_MAX: usize = 1_000_000;

impl App {
    /// Digests of the base images that the catalogue, a server that is not gone, or an open quote names. Nothing while
    /// a restored installation is closed: what its servers are, is only being found out.
    ///
    /// # Errors
    /// When records can't be read.
    pub fn images_in_use(&self) -> Result<Option<BTreeSet<Digest>>, AppError> {
        if self.phase()? != Phase::Open {
            return Ok(None);
        }
        let offered = self.settings().catalogue.images.iter();
        let mut digests: BTreeSet<Digest> = offered.map(|image| image.base.digest).collect();
        let mut bound = Vec::new();
        for_each::<OnHost>(self.store(), |name, owner| {
            if let Some((_, server)) = name.split_once('/') {
                bound.push(format!("{}/{server}", owner.value.account));
            }
        })?;
        for name in bound {
            let server = read::<Server>(self.store(), name)?;
            digests.extend(server.map(|server| server.value.image.base.digest));
        }
        let quotes = self
            .store()
            .ephemeral()
            .range("quo/", None, QUOTES_MAX, self.now())?;
        for (key, entry) in quotes {
            let quote: Quote = serde_json::from_slice(&entry.value)
                .map_err(|error| AppError::Storage(format!("{key} can't be read: {error}")))?;
            digests.insert(quote.choice.image.base.digest);
        }
        Ok(Some(digests))
    }
}
