//! Taking images in: what is refused, that an unchanged file is copied once, and what becomes of copies.

use std::process::Command;

use super::*;

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn blobs(&self) -> Blobs {
        Blobs::open(self.0.path()).expect("opened")
    }

    /// Names of the copies.
    fn copies(&self) -> Vec<String> {
        let names = fs::read_dir(self.file("images")).expect("listed");
        let mut names: Vec<_> = names
            .map(|entry| entry.expect("listed").file_name().into_string())
            .map(|name| name.expect("plain"))
            .filter(|name| name != SOURCES)
            .collect();
        names.sort();
        names
    }

    /// Makes an image with qemu-img; the words are its arguments, `FILE` stands for the image.
    fn qemu_img(&self, name: &str, words: &str) -> PathBuf {
        let file = self.file(name);
        for command in words.split(';') {
            let arguments = command.split_whitespace().map(|word| match word {
                "FILE" => file.clone().into_os_string(),
                other => other
                    .replace("FOLDER", &self.0.path().display().to_string())
                    .into(),
            });
            let output = Command::new("qemu-img").args(arguments).output();
            let output = output.expect("qemu-img starts");
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(output.status.success(), "{command}: {said}");
        }
        file
    }
}

fn has_qemu_img() -> bool {
    let found = Command::new("qemu-img").arg("--version").output().is_ok();
    if !found {
        println!("skipped: qemu-img is not installed");
    }
    found
}

#[test]
fn an_image_is_taken_in_once_and_stays() {
    let folder = Folder::new();
    let (blobs, file) = (folder.blobs(), folder.file("disk.raw"));
    fs::write(&file, vec![7u8; 1_024]).expect("written");
    let first = blobs.import(&file, ImageFormat::Raw).expect("taken in");
    assert!(matches!(first.how, How::Copied));
    let before = fs::metadata(blobs.path(first.image.digest)).expect("there");
    // Each start opens the folder anew.
    for blobs in [folder.blobs(), folder.blobs()] {
        let again = blobs.import(&file, ImageFormat::Raw).expect("again");
        assert!(
            matches!(again.how, How::Unchanged),
            "neither read nor copied"
        );
        assert_eq!(again.image, first.image);
    }
    let after = fs::metadata(blobs.path(first.image.digest)).expect("there");
    assert_eq!(Stamp::of(&before), Stamp::of(&after));

    fs::write(&file, vec![8u8; 2_048]).expect("replaced");
    let second = blobs.import(&file, ImageFormat::Raw).expect("taken in");
    assert!(matches!(second.how, How::Copied));
    assert_ne!(first.image.digest, second.image.digest);
    assert_eq!(second.image.virtual_size, Bytes(2_048));
    assert_eq!(
        fs::read(blobs.path(first.image.digest)).expect("kept"),
        vec![7u8; 1_024]
    );
    assert_eq!(folder.copies().len(), 2);
}

#[test]
fn content_that_changes_under_the_same_size_and_time_is_noticed() {
    let folder = Folder::new();
    let (blobs, file) = (folder.blobs(), folder.file("disk.raw"));
    fs::write(&file, vec![7u8; 1_024]).expect("written");
    let first = blobs.import(&file, ImageFormat::Raw).expect("taken in");
    let time = fs::metadata(&file)
        .and_then(|metadata| metadata.modified())
        .expect("a time");
    // Times of files are as coarse as the kernel's tick.
    while fs::metadata(&file).expect("there").ctime_nsec()
        == fs::metadata(folder.0.path()).expect("there").ctime_nsec()
    {
        fs::write(folder.file("tick"), b"").expect("written");
        fs::remove_file(folder.file("tick")).expect("removed");
    }
    fs::write(&file, vec![8u8; 1_024]).expect("replaced");
    let opened = File::options().write(true).open(&file).expect("opened");
    opened.set_modified(time).expect("set back");
    let second = blobs.import(&file, ImageFormat::Raw).expect("taken in");
    assert_ne!(first.image.digest, second.image.digest);
}

#[test]
fn a_file_that_is_gone_is_no_loss_once_it_was_copied() {
    let folder = Folder::new();
    let (blobs, file) = (folder.blobs(), folder.file("disk.raw"));
    assert!(blobs.import(&file, ImageFormat::Raw).is_err());
    assert!(check(folder.0.path(), &file, ImageFormat::Raw).is_err());
    fs::write(&file, vec![7u8; 1_024]).expect("written");
    let first = blobs.import(&file, ImageFormat::Raw).expect("taken in");
    fs::remove_file(&file).expect("removed");
    let kept = folder.blobs().import(&file, ImageFormat::Raw);
    let kept = kept.expect("its copy is there");
    assert!(matches!(kept.how, How::Kept { .. }));
    assert_eq!(kept.image, first.image);
    let checked = check(folder.0.path(), &file, ImageFormat::Raw).expect("its copy is there");
    assert!(checked.source_missing.is_some());
    // The copy is judged as well.
    let refused = blobs.import(&file, ImageFormat::Qcow2);
    assert!(matches!(refused, Err(ImportError::Format { .. })));

    fs::write(blobs.path(first.image.digest), vec![7u8; 512]).expect("cut off");
    assert!(blobs.import(&file, ImageFormat::Raw).is_err());
}

#[test]
fn a_list_of_sources_that_can_not_be_read_costs_one_copying() {
    let folder = Folder::new();
    let (blobs, file) = (folder.blobs(), folder.file("disk.raw"));
    fs::write(&file, vec![7u8; 1_024]).expect("written");
    let first = blobs.import(&file, ImageFormat::Raw).expect("taken in");
    fs::write(folder.file("images/sources.json"), b"{\"sources\":[{").expect("torn");
    let again = blobs.import(&file, ImageFormat::Raw).expect("taken in");
    assert!(matches!(again.how, How::Copied));
    assert_eq!(again.image, first.image);
    let again = blobs.import(&file, ImageFormat::Raw).expect("known");
    assert!(matches!(again.how, How::Unchanged));
    assert_eq!(folder.copies().len(), 1);
}

#[test]
fn what_a_crash_left_half_copied_goes_at_the_next_start() {
    let folder = Folder::new();
    let half = folder.file("images/incoming-4711");
    folder.blobs();
    fs::write(&half, b"half").expect("written");
    folder.blobs();
    assert!(!half.exists());
}

#[test]
fn copies_that_nothing_needs_go() {
    let folder = Folder::new();
    let blobs = folder.blobs();
    let take = |fill: u8| {
        let file = folder.file(&format!("{fill}.raw"));
        fs::write(&file, vec![fill; 512]).expect("written");
        let taken = blobs.import(&file, ImageFormat::Raw).expect("taken in");
        taken.image.digest
    };
    let (old, new) = (take(1), take(2));
    fs::write(folder.file("images/notes.txt"), b"an operator's").expect("written");
    let removed = blobs
        .remove_all_but(&BTreeSet::from([old, new]))
        .expect("looked");
    assert_eq!(removed, []);
    let removed = blobs
        .remove_all_but(&BTreeSet::from([new]))
        .expect("removed");
    assert_eq!(removed, [(old, Bytes(512))]);
    assert_eq!(folder.copies(), [new.hex(), "notes.txt".to_owned()]);
    // Taken in again, should it be sold again.
    assert_eq!(take(1), old);
    assert_eq!(folder.copies().len(), 3);
}

#[test]
fn what_is_no_image_is_refused_and_leaves_nothing() {
    let folder = Folder::new();
    let (blobs, file) = (folder.blobs(), folder.file("disk"));
    for (bytes, format) in [
        (vec![0u8; 513], ImageFormat::Raw),
        (Vec::new(), ImageFormat::Raw),
        (vec![0u8; 512], ImageFormat::Qcow2),
        (b"QFI\xfb".to_vec(), ImageFormat::Qcow2),
    ] {
        fs::write(&file, bytes).expect("written");
        assert!(blobs.import(&file, format).is_err());
        assert!(check(folder.0.path(), &file, format).is_err());
    }
    assert_eq!(folder.copies(), Vec::<String>::new());
}

/// Row B24: what hosts would refuse is not sold.
#[test]
fn forms_that_hosts_refuse_are_refused_here() {
    if !has_qemu_img() {
        return;
    }
    let folder = Folder::new();
    folder.qemu_img("base.qcow2", "create -q -f qcow2 FILE 16M");
    for (name, words, format, expected) in [
        (
            "extended-l2",
            "create -q -f qcow2 -o extended_l2=on,cluster_size=128k FILE 16M",
            ImageFormat::Qcow2,
            "extended L2 entries",
        ),
        (
            "aes",
            "create -q --object secret,id=s,data=abc -f qcow2 -o encrypt.format=aes,encrypt.key-secret=s FILE 16M",
            ImageFormat::Qcow2,
            "it is encrypted",
        ),
        // qemu-img measures the processor to make a LUKS header, and gives up on a busy machine: see below.
        (
            "luks",
            "create -q -f qcow2 FILE 16M",
            ImageFormat::Qcow2,
            "it is encrypted",
        ),
        (
            "data-file",
            "create -q -f qcow2 -o data_file=FOLDER/outside,data_file_raw=on FILE 16M",
            ImageFormat::Qcow2,
            "it has an external data file",
        ),
        (
            "snapshot",
            "create -q -f qcow2 FILE 16M ; snapshot -q -c before FILE",
            ImageFormat::Qcow2,
            "it has internal snapshots",
        ),
        (
            "backed",
            "create -q -f qcow2 -b FOLDER/base.qcow2 -F qcow2 FILE",
            ImageFormat::Qcow2,
            "it has a backing file",
        ),
        (
            "called-raw",
            "create -q -f qcow2 FILE 16M",
            ImageFormat::Raw,
            "it is named raw but has a qcow2 header",
        ),
        (
            "called-qcow2",
            "create -q -f raw FILE 16M",
            ImageFormat::Qcow2,
            "it is named qcow2 but has no header",
        ),
    ] {
        let file = folder.qemu_img(name, words);
        if name == "luks" {
            let opened = File::options().write(true).open(&file).expect("opened");
            let method_is_luks = 2u32.to_be_bytes();
            std::os::unix::fs::FileExt::write_all_at(&opened, &method_is_luks, 32)
                .expect("written");
        }
        let error = check(folder.0.path(), &file, format).expect_err(name);
        assert!(chain(&error).contains(expected), "{}", chain(&error));
        let error = folder.blobs().import(&file, format).expect_err(name);
        assert!(chain(&error).contains(expected), "{}", chain(&error));
    }
    assert_eq!(folder.copies(), Vec::<String>::new());
}

/// Row B24: these six boot.
#[test]
fn forms_that_hosts_take_are_taken() {
    if !has_qemu_img() {
        return;
    }
    let folder = Folder::new();
    for (name, words) in [
        ("compat", "create -q -f qcow2 -o compat=0.10 FILE 16M"),
        (
            "zstd",
            "create -q -f qcow2 -o compression_type=zstd FILE 16M",
        ),
        ("clusters", "create -q -f qcow2 -o cluster_size=2M FILE 16M"),
        ("lazy", "create -q -f qcow2 -o lazy_refcounts=on FILE 16M"),
        ("one-bit", "create -q -f qcow2 -o refcount_bits=1 FILE 16M"),
        (
            "bitmap",
            "create -q -f qcow2 FILE 16M ; bitmap --add FILE b0",
        ),
        ("plain", "create -q -f qcow2 FILE 16M"),
    ] {
        let file = folder.qemu_img(name, words);
        let taken = folder.blobs().import(&file, ImageFormat::Qcow2);
        let taken = taken.unwrap_or_else(|error| panic!("{name}: {}", chain(&error)));
        assert_eq!(taken.image.virtual_size, Bytes::mib(16), "{name}");
    }
}
