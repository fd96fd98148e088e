//! Files that only the service may read: the authority, the key of witnesses. Written whole or not at all.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read as _, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
};

use anyhow::{Context as _, ensure};
use zeroize::Zeroizing;

/// Largest such file, in bytes.
const BYTES_MAX: usize = 64 * 1_024;

/// The text of one.
pub(crate) fn read(path: &Path) -> anyhow::Result<Zeroizing<String>> {
    let file = File::open(path).with_context(|| format!("read {}", path.display()))?;
    // Room from the beginning: a buffer that grows would leave copies of a key behind.
    let mut text = Zeroizing::new(String::with_capacity(BYTES_MAX + 1));
    let limit = u64::try_from(BYTES_MAX + 1).context("a small number")?;
    file.take(limit)
        .read_to_string(&mut text)
        .with_context(|| format!("read {}", path.display()))?;
    ensure!(text.len() <= BYTES_MAX, "{} is too long", path.display());
    Ok(text)
}

/// Makes or replaces one: beside its place first, so that a crash leaves the old one or the new one. When this
/// returns, the new one is there after a power cut too.
pub(crate) fn replace(path: &Path, text: &str) -> anyhow::Result<()> {
    let temporary = path.with_extension("new");
    // Root writes into the service's own folder: what lies in the way is never followed or written into.
    match fs::remove_file(&temporary) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(error).with_context(|| format!("remove {}", temporary.display()));
        }
        _ => {}
    }
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&temporary)
        .with_context(|| format!("create {}", temporary.display()))?;
    file.write_all(text.as_bytes())
        .and_then(|()| file.sync_all())
        .with_context(|| format!("write {}", temporary.display()))?;
    fs::rename(&temporary, path).with_context(|| format!("rename to {}", path.display()))?;
    let folder = path.parent().context("a file has a folder")?;
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .with_context(|| format!("sync {}", folder.display()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    /// Root writes where the service's user can put links.
    #[test]
    fn a_link_is_replaced_and_never_followed() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name);
        fs::write(path("other"), "somebody's").expect("written");
        fs::set_permissions(path("other"), PermissionsExt::from_mode(0o644)).expect("set");
        for link in ["witness.key", "witness.new"] {
            symlink(path("other"), path(link)).expect("a link");
            replace(&path("witness.key"), "secret").expect("replaced");
            let other = fs::read_to_string(path("other")).expect("there");
            assert_eq!(other, "somebody's", "{link}");
            let made = fs::symlink_metadata(path("witness.key")).expect("there");
            assert!(made.is_file(), "{link}");
            assert_eq!(made.permissions().mode() & 0o777, 0o600, "{link}");
            assert_eq!(*read(&path("witness.key")).expect("there"), "secret");
            fs::remove_file(path("witness.key")).expect("removed");
        }
    }
}
