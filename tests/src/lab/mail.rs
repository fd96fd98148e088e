//! A mail server that keeps everything it is given in a Maildir, and the reading of it.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::Context;

use super::{process::Program, wait::until};

/// Debian's own Python has Debian's aiosmtpd, whatever other Python comes first in PATH.
pub const PYTHON: &str = "/usr/bin/python3";

/// How long a mail may be under way.
const DELIVERY_LIMIT: Duration = Duration::from_secs(30);

/// A running mail sink.
#[derive(Debug)]
pub struct MailSink {
    maildir: PathBuf,
    program: Program,
}

impl MailSink {
    /// Starts it; `command` is [`PYTHON`] in the namespace where it shall listen, and mails go below `folder`.
    pub fn start(mut command: Command, folder: &Path, listen: SocketAddr) -> anyhow::Result<Self> {
        let maildir = folder.join("mails");
        command
            .args(["-m", "aiosmtpd", "-n", "-c", "aiosmtpd.handlers.Mailbox"])
            .arg(&maildir)
            .args(["-l", &listen.to_string()]);
        let program = Program::start("mail", command, folder)?;
        Ok(Self { maildir, program })
    }

    /// Ends it.
    pub async fn stop(&mut self) -> anyhow::Result<()> {
        self.program.stop().await.map(drop)
    }

    /// Where the mails are, one a file.
    #[must_use]
    pub fn folder(&self) -> PathBuf {
        self.maildir.join("new")
    }

    /// Waits for a mail to `recipient` with a link that starts with `prefix`, and gives the newest such link.
    pub async fn link(&mut self, recipient: &str, prefix: &str) -> anyhow::Result<String> {
        until("a mail with a link", DELIVERY_LIMIT, async || {
            self.program.still_runs()?;
            self.mails()?
                .iter()
                .rev()
                .filter(|mail| mail.contains(recipient))
                .find_map(|mail| link_in(mail, prefix))
                .with_context(|| format!("no mail to {recipient} with {prefix}..."))
        })
        .await
    }

    /// Waits for a mail to `recipient` that says all of these.
    pub async fn letter(&mut self, recipient: &str, parts: &[&str]) -> anyhow::Result<()> {
        until("a mail", DELIVERY_LIMIT, async || {
            self.program.still_runs()?;
            let mails = self.mails()?;
            let mut its = mails.iter().filter(|mail| mail.contains(recipient));
            let found = its.find(|mail| parts.iter().all(|part| mail.contains(part)));
            found.with_context(|| format!("no mail to {recipient} with {parts:?}"))?;
            Ok(())
        })
        .await
    }

    /// All mails, oldest first, with folded headers, soft line breaks and escapes undone.
    pub fn mails(&self) -> anyhow::Result<Vec<String>> {
        let folder = self.folder();
        if !folder.exists() {
            return Ok(Vec::new());
        }
        let entries = fs::read_dir(&folder).context("look into the mail folder")?;
        let mut files: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
        files.sort();
        files
            .iter()
            .map(|file| {
                let bytes = fs::read(file).with_context(|| format!("read {}", file.display()))?;
                Ok(unquote(&unfold(&String::from_utf8_lossy(&bytes))))
            })
            .collect()
    }
}

/// The first word of a mail that starts with `prefix`.
fn link_in(mail: &str, prefix: &str) -> Option<String> {
    mail.split_whitespace()
        .find(|word| word.starts_with(prefix))
        .map(|word| word.trim_end_matches(['>', '.', ')']).to_owned())
}

/// Joins the lines of each header.
fn unfold(mail: &str) -> String {
    let mail = mail.replace("\r\n", "\n");
    match mail.split_once("\n\n") {
        Some((head, body)) => format!("{}\n\n{body}", head.replace("\n ", " ")),
        None => mail,
    }
}

/// Undoes quoted-printable, if the mail says that it is.
fn unquote(mail: &str) -> String {
    if !mail.to_ascii_lowercase().contains("quoted-printable") {
        return mail.to_owned();
    }
    let joined = mail.replace("=\r\n", "").replace("=\n", "");
    let mut bytes = Vec::with_capacity(joined.len());
    let mut rest = joined.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        let escaped = (first == b'=')
            .then(|| tail.get(..2))
            .flatten()
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        if let Some(byte) = escaped {
            bytes.push(byte);
            rest = &tail[2..];
        } else {
            bytes.push(first);
            rest = tail;
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_subjects_are_read_in_one_line() {
        let mail = "Subject: received and awaits\r\n approval\r\nTo: x\r\n\r\nOne\n two\n";
        let read = unfold(mail);
        assert_eq!(
            read,
            "Subject: received and awaits approval\nTo: x\n\nOne\n two\n"
        );
    }

    #[test]
    fn links_are_found_in_plain_and_quoted_mails() {
        let prefix = "http://portal.localhost:1/confirm?lang=";
        let link = format!("{prefix}abc");
        let plain = format!("Subject: x\n\nOpen {link}\n");
        let quoted = format!(
            "Content-Transfer-Encoding: quoted-printable\n\nOpen {}\n",
            link.replace('=', "=3D")
                .replace("localhost", "local=\r\nhost")
        );
        for mail in [plain, quoted] {
            assert_eq!(
                link_in(&unquote(&mail), prefix).as_deref(),
                Some(link.as_str())
            );
        }
    }
}
