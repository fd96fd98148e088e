//! How mail leaves.

use std::path::PathBuf;

use serde::Deserialize;

use super::{ConfigError, is_name, value};

/// How mail leaves.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mail {
    /// The mail server.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Whether and how the connection is encrypted.
    pub encryption: MailEncryption,
    /// Sender of all mails.
    pub from: String,
    /// How we introduce ourselves to the mail server, a name that it can look up; else this machine's full name, else the
    /// first of `listen.agent_names` that is one, else the sender's domain.
    pub hello_name: Option<String>,
    /// User at the mail server, if it wants one.
    pub username: Option<String>,
    /// File with that user's password.
    pub password_file: Option<PathBuf>,
}

/// Encryption of the connection to the mail server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MailEncryption {
    /// None: only for a mail server on this machine.
    None,
    /// Upgrade with STARTTLS (RFC 3207), or fail.
    Starttls,
    /// TLS from the first byte (RFC 8314).
    Tls,
}

pub(super) fn check_mail(mail: &Mail) -> Result<(), ConfigError> {
    if let Err(why) = mail.from.parse::<lettre::message::Mailbox>() {
        let why = format!(
            "`{}` is no sender such as Cloud <noreply@cloud.example>: {why}",
            mail.from
        );
        return Err(value("mail.from", why));
    }
    if let Some(name) = mail.hello_name.as_ref().filter(|name| !is_name(name)) {
        let why = format!("`{name}` is no name such as control.cloud.example");
        return Err(value("mail.hello_name", why));
    }
    Ok(())
}
