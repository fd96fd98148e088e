//! The file of the key that tags witnesses of the journal (`continuity::witnesses`): made at the first start, kept outside of
//! the journal, and never made anew while hosts hold what was tagged with it.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use innkeeper_wire::digest::Digest;
use rand::{TryRngCore as _, rngs::OsRng};
use zeroize::Zeroizing;

use crate::{continuity::witnesses::WitnessKey, in_use::rules::InUse, secret_file};

fn path(data_dir: &Path) -> PathBuf {
    data_dir.join("witness.key")
}

/// Whether the service may start with what `data_dir` holds, on a store with these hosts.
///
/// # Errors
/// When the key is missing and hosts hold witnesses.
pub(crate) fn check(data_dir: &Path, in_use: &InUse) -> anyhow::Result<()> {
    let (path, hosts) = (path(data_dir), in_use.host_names());
    ensure!(
        hosts.is_empty() || path.exists(),
        "{0} is missing, but hosts ({1}) hold witnesses that were made with it: put back the copy that you keep of it. \
         A new one is not made by itself, since then nothing proves any more that an old copy of the store was put \
         back. If no copy exists at all, make one as the service's user: (umask 077; openssl rand -hex 32 > {0})",
        path.display(),
        hosts.join(", ")
    );
    Ok(())
}

/// What `data_dir` holds; made if there is none. [`check`] comes before.
pub(crate) fn load(data_dir: &Path) -> anyhow::Result<WitnessKey> {
    let path = path(data_dir);
    if !path.exists() {
        let mut key = Zeroizing::new([0u8; 32]);
        OsRng
            .try_fill_bytes(&mut *key)
            .context("randomness for the key of witnesses")?;
        let hex = Zeroizing::new(Digest::from_bytes(*key).hex());
        secret_file::replace(&path, &hex)?;
        tracing::info!(file = %path.display(), "made the key that witnesses of the journal are tagged with");
    }
    read(data_dir)?.with_context(|| format!("{} is gone", path.display()))
}

/// What `data_dir` holds, if there is one yet.
///
/// # Errors
/// When it can't be read, or holds something else.
pub fn read(data_dir: &Path) -> anyhow::Result<Option<WitnessKey>> {
    let path = path(data_dir);
    if !path.exists() {
        return Ok(None);
    }
    let key = WitnessKey::parse(&secret_file::read(&path)?);
    let key = key.with_context(|| format!("{} does not hold 64 hex digits", path.display()))?;
    Ok(Some(key))
}
