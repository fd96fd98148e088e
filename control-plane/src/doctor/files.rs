//! Files that the service reads: there, right, and readable by its user; and whose the data folder is.

use std::{
    ffi::CString,
    fs,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use innkeeper_wire::error::chain;
use nix::unistd::{User, geteuid, getgrouplist};

use super::Finding;
use crate::{
    blobs,
    config::{Config, ImageConfig, company::TextFiles},
    legal::{ConsentTexts, LegalTexts, MemberTexts},
    owner,
    pdf::FontFiles,
    providers::mail::Mailer,
    startup,
};

pub(super) fn check(config: &Config) -> Vec<Finding> {
    let reader = Reader::find();
    let mut found = vec![
        judge("terms", config.member_texts(), describe_all),
        judge(
            "portal's key",
            startup::read_portal_key(&config.portal_key_file),
            |_| "long enough".to_owned(),
        ),
        judge("mail settings", Mailer::configured(config), |_| {
            format!("mails are from {}", config.mail.from)
        }),
    ];
    match startup::read_privacy(config) {
        Ok(None) => {}
        Ok(Some(texts)) => found.push(Finding::ok("privacy policy", describe(&texts))),
        Err(error) => found.push(Finding::problem("privacy policy", chain(&error))),
    }
    match startup::read_staff_portal_key(config) {
        Ok(None) => {}
        Ok(Some(_)) => found.push(Finding::ok("staff portal's key", "long enough".to_owned())),
        Err(error) => found.push(Finding::problem("staff portal's key", format!("{error:#}"))),
    }
    let unsaid = config.unsaid().into_iter();
    found.extend(unsaid.map(|what| Finding::warning("company", what)));
    let texts = [
        Some(&config.installation.terms_file),
        config.installation.privacy_file.as_ref(),
    ];
    let of_members = config.members.files().map(|(_, files)| files);
    let texts = texts
        .into_iter()
        .chain(of_members)
        .flatten()
        .flat_map(TextFiles::files);
    let mut files: Vec<_> = texts.map(|(_, file)| file.to_owned()).collect();
    files.push(config.portal_key_file.clone());
    files.extend(
        config
            .staff
            .as_ref()
            .map(|staff| staff.portal_key_file.clone()),
    );
    files.extend(config.mail.password_file.clone());
    for image in config.images.iter().filter(|image| !image.retired) {
        found.push(judge_image(config, image));
        files.push(image.file.clone());
    }
    if let Some(reader) = &reader {
        let unreadable = files.iter().filter_map(|file| reader.stopped_at(file));
        found.extend(unreadable.map(|at| {
            let text = format!(
                "the user {} can't read {}: give it to the group {0}, or let everybody read it",
                owner::USER,
                at.display()
            );
            Finding::problem("permissions", text)
        }));
    }
    found.push(fonts(&config.installation.invoice_fonts));
    found.push(data_folder(&config.data_dir, reader.as_ref()));
    found
}

fn fonts(folder: &Path) -> Finding {
    let check = "invoice fonts";
    match FontFiles::in_folder(folder).load() {
        Ok(_) => Finding::ok(check, format!("they are in {}", folder.display())),
        Err(error) => {
            let text = format!("no invoice can be had as PDF: {}", chain(&error));
            Finding::warning(check, text)
        }
    }
}

fn judge_image(config: &Config, image: &ImageConfig) -> Finding {
    let ImageConfig { code, file, .. } = image;
    match blobs::check(&config.data_dir, file, image.format) {
        Ok(checked) => match checked.source_missing {
            None => Finding::ok("images", format!("{code} is {}", file.display())),
            Some(why) => Finding::warning(
                "images",
                format!(
                    "{code}: its file can't be looked at ({why}); the copy of it goes on being used"
                ),
            ),
        },
        Err(error) => Finding::problem("images", format!("{code}: {}", chain(&error))),
    }
}

/// How long each of the texts is that members agree to.
fn describe_all(texts: &MemberTexts) -> String {
    let MemberTexts {
        terms,
        personal_data,
        mobile_notice,
    } = texts;
    let of = |what: &'static str, texts: &ConsentTexts| {
        [
            (what.to_owned(), Some(texts.general.clone())),
            (format!("{what} of companies"), texts.corporate.clone()),
            (format!("{what} of partners"), texts.partner.clone()),
        ]
    };
    let personal_data = personal_data
        .as_ref()
        .map(|texts| of("personal data", texts));
    let notice = (
        "notice beside the mobile number".to_owned(),
        mobile_notice.clone(),
    );
    let all = of("terms", terms)
        .into_iter()
        .chain(personal_data.into_iter().flatten())
        .chain([notice]);
    let all = all.filter_map(|(what, texts)| Some(format!("{what}: {}", describe(&texts?))));
    all.collect::<Vec<_>>().join("; ")
}

/// How long a text is, in each of its languages.
fn describe(texts: &LegalTexts) -> String {
    let texts = texts.all().map(|text| {
        let lang = text.lang.map(|lang| format!("{lang:?}, "));
        format!("{}{} bytes", lang.unwrap_or_default(), text.text.len())
    });
    texts.collect::<Vec<_>>().join("; ")
}

fn judge<T, E: Into<anyhow::Error>>(
    check: &'static str,
    read: Result<T, E>,
    describe: impl FnOnce(&T) -> String,
) -> Finding {
    match read {
        Ok(value) => Finding::ok(check, describe(&value)),
        Err(error) => Finding::problem(check, format!("{:#}", error.into())),
    }
}

fn data_folder(folder: &Path, reader: Option<&Reader>) -> Finding {
    let check = "data folder";
    let Ok(found) = fs::metadata(folder) else {
        let text = format!("{} is made at the first start", folder.display());
        return Finding::ok(check, text);
    };
    let shown = folder.display();
    let user = reader.map_or_else(|| geteuid().as_raw(), |reader| reader.user);
    if found.uid() != user {
        // The service manager gives it, with all in it, to the unit's user.
        return Finding::warning(
            check,
            format!(
                "{shown} is not the service's own; systemd gives it to the service at the start, if not: chown -R {0}:{0} {shown}",
                owner::USER
            ),
        );
    }
    if found.permissions().mode() & 0o077 != 0 {
        return Finding::warning(
            check,
            format!("{shown} can be read by others; the start makes that 0700"),
        );
    }
    Finding::ok(check, format!("{shown} is the service's alone"))
}

/// The service's user, when root asks on behalf of it. Others try for themselves, by reading.
#[derive(Debug)]
struct Reader {
    user: u32,
    /// Its own, and those that it is a member of: the staff's key is for one of them.
    groups: Vec<u32>,
}

impl Reader {
    fn find() -> Option<Self> {
        let user = User::from_name(owner::USER).ok().flatten()?;
        let name = CString::new(owner::USER).ok()?;
        let groups = getgrouplist(&name, user.gid).ok()?;
        geteuid().is_root().then_some(Self {
            user: user.uid.as_raw(),
            groups: groups.iter().map(|group| group.as_raw()).collect(),
        })
    }

    /// The first folder or file on the way to `path` that it can't pass or read.
    fn stopped_at(&self, path: &Path) -> Option<PathBuf> {
        let mut way: Vec<_> = path.ancestors().collect();
        way.reverse();
        let is_closed = |at: &&&Path| {
            let wanted = if **at == path { 0o4 } else { 0o1 };
            match fs::metadata(at) {
                Ok(found) => !self.may(found.uid(), found.gid(), found.mode(), wanted),
                // What is not there is told by whoever reads it.
                Err(_) => false,
            }
        };
        way.iter().find(is_closed).map(|at| at.to_path_buf())
    }

    /// Whether it may do `wanted` (4: read, 1: pass) with what these own.
    fn may(&self, owner: u32, group: u32, mode: u32, wanted: u32) -> bool {
        let shift = if owner == self.user {
            6
        } else if self.groups.contains(&group) {
            3
        } else {
            0
        };
        mode >> shift & wanted == wanted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_reads_what_owner_group_or_everybody_may() {
        let reader = Reader {
            user: 990,
            groups: vec![991, 992],
        };
        assert!(reader.may(0, 991, 0o640, 4));
        assert!(reader.may(0, 992, 0o640, 4), "as a member of that group");
        assert!(!reader.may(0, 0, 0o640, 4));
        assert!(reader.may(0, 0, 0o644, 4));
        assert!(reader.may(990, 0, 0o400, 4));
        assert!(
            !reader.may(990, 991, 0o044, 4),
            "the owner's bits alone count"
        );
        assert!(reader.may(0, 991, 0o750, 1));
    }

    #[test]
    fn the_first_closed_folder_on_the_way_is_named() {
        let folder = tempfile::tempdir().expect("a folder");
        let inner = folder.path().join("inner");
        fs::create_dir(&inner).expect("made");
        let file = inner.join("terms");
        fs::write(&file, "be kind").expect("written");
        let open = |path: &Path, mode| {
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("changed");
        };
        open(folder.path(), 0o755);
        open(&inner, 0o755);
        open(&file, 0o644);
        let nobody = Reader {
            user: 65_533,
            groups: vec![65_533],
        };
        assert_eq!(nobody.stopped_at(&file), None);
        open(&file, 0o600);
        assert_eq!(nobody.stopped_at(&file), Some(file.clone()));
        open(&inner, 0o700);
        assert_eq!(nobody.stopped_at(&file), Some(inner));
    }
}
