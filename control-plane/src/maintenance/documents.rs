//! Documents of a store in its files: whether all are there that records name, and copies of them.

use std::{
    fs::{self, File},
    io::{self, Write as _},
    path::Path,
    sync::Arc,
};

use innkeeper_wire::{digest::Digest, error::chain};

use super::Soundness;
use crate::{
    billing::records::RenderedInvoice,
    kernel::{
        Record as _,
        record::{name_in, written},
    },
    store::{
        DOCUMENTS, DocumentError, Documents, FolderDisk, OpenError, Write, document_name, peek,
    },
};

/// What was found of documents.
#[derive(Debug, Default)]
pub struct DocumentsFound {
    /// Those that are there, and are what records say.
    pub sound: usize,
    /// Those that are not: what each is of, and what is wrong.
    pub wrong: Vec<(String, DocumentError)>,
}

/// A document that a record names.
struct Named {
    /// What it is of.
    what: String,
    digest: Digest,
}

/// The documents that records of the store in `dir` name, whose service does not run.
fn named(dir: &Path) -> Result<Vec<Named>, OpenError> {
    let prefix = RenderedInvoice::KIND.prefix;
    let peeked = peek(dir, |key, _| key.strip(prefix).is_some())?;
    let records = peeked.records.into_iter();
    // One that can't be read is told with the other records.
    let named = records.filter_map(|(key, value)| {
        let (_, invoice) = name_in::<RenderedInvoice>(&key)?;
        let rendered: RenderedInvoice = written(&Write::Put(key, value))?;
        Some(Named {
            what: invoice.to_string(),
            digest: rendered.document,
        })
    });
    Ok(named.collect())
}

fn documents_of(dir: &Path) -> Documents {
    Documents::on(Arc::new(FolderDisk::new(dir.join(DOCUMENTS))))
}

/// Looks at all documents of the store in `dir`, whose service does not run. What it is missing does not keep it from
/// starting.
///
/// # Errors
/// When its records can't be read.
pub(super) fn look(dir: &Path) -> Result<DocumentsFound, OpenError> {
    let documents = documents_of(dir);
    let mut found = DocumentsFound::default();
    for Named { what, digest } in named(dir)? {
        match documents.read(&digest) {
            Ok(_) => found.sound += 1,
            Err(error) => found.wrong.push((what, error)),
        }
    }
    Ok(found)
}

/// Copies the documents that the records of `to`, a copy of the store `from`, name; durable when it returns. Documents are
/// durable before records name them and never change, so that the service of `from` may run. What is missing or damaged there
/// is told, and keeps nothing else from being copied.
///
/// # Errors
/// When records can't be read, or a copy can't be written.
pub(super) fn copy(from: &Path, to: &Path) -> anyhow::Result<DocumentsFound> {
    let source = documents_of(from);
    let mut found = DocumentsFound::default();
    let named = named(to)?;
    if named.is_empty() {
        return Ok(found);
    }
    let folder = to.join(DOCUMENTS);
    fs::create_dir_all(&folder)?;
    for Named { what, digest } in named {
        match source.read(&digest) {
            Ok(bytes) => {
                write(&folder.join(document_name(&digest)), &bytes)?;
                found.sound += 1;
            }
            Err(error) => found.wrong.push((what, error)),
        }
    }
    File::open(&folder)?.sync_all()?;
    Ok(found)
}

fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// What was copied, in words; nothing when there was nothing.
#[must_use]
pub(super) fn copied(found: &DocumentsFound) -> String {
    let DocumentsFound { sound, wrong } = found;
    let mut text = String::new();
    if *sound > 0 {
        text += &format!("{sound} documents are with it.\n");
    }
    if !wrong.is_empty() {
        text += &format!(
            "{} documents are NOT with it, which are missing or damaged: `check-store` names them and the way out.\n",
            wrong.len()
        );
    }
    text
}

/// What `check-store` says of documents; nothing where there are none.
#[must_use]
pub(super) fn explain(found: &DocumentsFound) -> Option<(String, Soundness)> {
    let DocumentsFound { sound, wrong } = found;
    if wrong.is_empty() {
        let line = format!("documents:   {sound}, all as their records say");
        return (*sound > 0).then_some((line, Soundness::Sound));
    }
    let mut text = format!(
        "documents:   {sound} as their records say, {} DAMAGED:",
        wrong.len()
    );
    for (what, error) in wrong {
        text += &format!("\n             {what}: {}", chain(error));
    }
    text += "\n             way out: put the files back from any backup that has them (`documents` in its folder): documents never change. The records are whole, and no older state is to be restored for this.";
    Some((text, Soundness::Damaged))
}
