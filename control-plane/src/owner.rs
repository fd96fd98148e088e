//! Whose the data folder is. Root can write into it as anybody, and what root leaves there its owner can't open: so
//! the service refuses to run as somebody else, and commands that root may run hand what they made to the owner.

use std::{
    fs::{self, DirBuilder},
    io,
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _, lchown},
    path::Path,
};

use anyhow::{Context as _, bail};
use nix::unistd::{Uid, User, geteuid};

/// The user that the packages make; its home is where the data is.
pub(crate) const USER: &str = "innkeeper";

/// The service's user, if the data in `data_dir` is that user's.
fn service_user(data_dir: &Path) -> Option<User> {
    let user = User::from_name(USER).ok().flatten();
    user.filter(|user| user.dir == data_dir)
}

/// Refuses to run as root on a folder that is somebody else's, or would be.
pub(crate) fn check_user(data_dir: &Path) -> anyhow::Result<()> {
    let me = geteuid();
    let owner = match fs::metadata(data_dir) {
        Ok(found) => Uid::from_raw(found.uid()),
        Err(_) => service_user(data_dir).map_or(me, |user| user.uid),
    };
    if !me.is_root() || owner == me {
        return Ok(());
    }
    let user = User::from_uid(owner).ok().flatten();
    let user = user.map_or_else(|| owner.to_string(), |user| user.name);
    bail!(
        "{} is the user {user}'s, and root would leave files there that {user} can't open: `systemctl start \
         innkeeper-control-plane`, or `runuser -u {user} -- innkeeper-control-plane serve`",
        data_dir.display()
    )
}

/// Makes the data folder, for its owner alone, when it is missing.
pub(crate) fn make_data_folder(data_dir: &Path) -> anyhow::Result<()> {
    if data_dir.exists() {
        return Ok(());
    }
    if let Some(parent) = data_dir.parent() {
        fs::create_dir_all(parent).with_context(|| format!("make {}", parent.display()))?;
    }
    DirBuilder::new()
        .mode(0o700)
        .create(data_dir)
        .with_context(|| format!("make {}", data_dir.display()))?;
    if geteuid().is_root()
        && let Some(user) = service_user(data_dir)
    {
        lchown(data_dir, Some(user.uid.as_raw()), Some(user.gid.as_raw()))
            .with_context(|| format!("give {} to {USER}", data_dir.display()))?;
    }
    Ok(())
}

/// Gives `path`, and all below it, to the owner of `data_dir`, when root has made it. In a folder of root's own, the
/// service manager does so at the next start.
pub(crate) fn hand_over(path: &Path, data_dir: &Path) -> anyhow::Result<()> {
    if !geteuid().is_root() {
        return Ok(());
    }
    let owner = fs::metadata(data_dir).context("ask for the owner of the data folder")?;
    give(path, owner.uid(), owner.gid())
        .with_context(|| format!("give {} to the owner of the data folder", path.display()))
}

fn give(path: &Path, user: u32, group: u32) -> io::Result<()> {
    if fs::symlink_metadata(path)?.is_dir() {
        for entry in fs::read_dir(path)? {
            give(&entry?.path(), user, group)?;
        }
    }
    lchown(path, Some(user), Some(group))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    /// A user that is nobody's; only root can give files away.
    const SOMEBODY: u32 = 65_534;

    fn somebodys() -> Option<tempfile::TempDir> {
        if !geteuid().is_root() {
            println!("skipped: only root can give files away");
            return None;
        }
        let folder = tempfile::tempdir().expect("a folder");
        lchown(folder.path(), Some(SOMEBODY), Some(SOMEBODY)).expect("given");
        Some(folder)
    }

    #[test]
    fn the_service_does_not_run_as_root_on_somebody_elses_folder() {
        let Some(folder) = somebodys() else { return };
        let refused = check_user(folder.path()).expect_err("it is another user's");
        assert!(refused.to_string().contains("systemctl start"), "{refused}");
        let own = tempfile::tempdir().expect("a folder");
        check_user(own.path()).expect("it is ours");
        check_user(&own.path().join("missing")).expect("it would be ours");
    }

    #[test]
    fn what_root_makes_belongs_to_the_folders_owner() {
        let Some(folder) = somebodys() else { return };
        let inner = folder.path().join("store/journal");
        fs::create_dir_all(&inner).expect("made");
        fs::write(inner.join("file"), b"").expect("written");
        let store = folder.path().join("store");
        hand_over(&store, folder.path()).expect("handed over");
        for path in [&store, &inner, &inner.join("file")] {
            let found = fs::metadata(path).expect("there");
            assert_eq!((found.uid(), found.gid()), (SOMEBODY, SOMEBODY));
        }
    }

    #[test]
    fn a_missing_data_folder_is_made_for_its_owner_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let data = folder.path().join("a/data");
        make_data_folder(&data).expect("made");
        let mode = fs::metadata(&data).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
        make_data_folder(&data).expect("there already");
    }
}
