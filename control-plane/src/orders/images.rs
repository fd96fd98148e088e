//! Which base images something still names: copies of all others can go.

use std::collections::BTreeSet;

use innkeeper_wire::digest::Digest;

use super::{Orders, quotes::QUOTES};
use crate::{kernel::Error, orders::rules::Quote};

/// Quotes that are looked at, those that have expired among them: some weeks' worth between two sweeps.
const QUOTES_MAX: usize = 1_000_000;

impl Orders {
    /// Digests of the base images that the catalogue, a server that is not gone, or an open quote names. Nothing while
    /// a restored installation is closed: what its servers are, is only being found out.
    ///
    /// # Errors
    /// When records can't be read.
    pub fn images_in_use(&self) -> Result<Option<BTreeSet<Digest>>, Error> {
        if !self.ctx.gate().ask()?.is_open()? {
            return Ok(None);
        }
        let offered = self.settings.prices.configured().images.iter();
        let mut digests: BTreeSet<Digest> = offered.map(|image| image.base.digest).collect();
        digests.extend(self.servers.images()?);
        for (_, quote) in self.ctx.recall_all::<Quote>(QUOTES, QUOTES_MAX)? {
            digests.insert(quote.choice.image.base.digest);
        }
        Ok(Some(digests))
    }
}
