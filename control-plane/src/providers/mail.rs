//! Mail by SMTP (lettre), a step at a time, so that it is known what a mail server has refused: us, or the mail.

use std::time::Duration;

use innkeeper_wire::{error::chain, id::MailId};
use lettre::{
    Address, Message,
    message::{
        Mailbox,
        header::{ContentType, Header, HeaderName, HeaderValue, MIME_VERSION_1_0},
    },
    transport::smtp::{
        Error as SmtpError,
        authentication::{Credentials, DEFAULT_MECHANISMS},
        client::{AsyncSmtpConnection, TlsParameters},
        commands::{Data, Mail, Rcpt},
        extension::ClientId,
    },
};
use tokio::time::timeout;

use crate::{
    config::{self, Config, ConfigError, MailEncryption},
    kernel::Error,
    mails::rules::Letter,
};

/// Longest that one step may take: to greet us, or to take one mail.
const STEP_MAX: Duration = Duration::from_secs(30);
/// Longest that a mail server may take to say goodbye. The mail is out then, or is not.
const GOODBYE_MAX: Duration = Duration::from_secs(2);

/// The way to the mail server.
#[derive(Clone)]
pub struct Mailer {
    host: String,
    port: u16,
    encryption: MailEncryption,
    credentials: Option<Credentials>,
    hello: ClientId,
    from: Mailbox,
    domain: String,
}

/// Why a mail was not handed over. What the mail server said is told without addresses.
#[derive(Debug, thiserror::Error)]
pub enum MailError {
    /// What it is about can't be read now.
    #[error("the mail can't be written now")]
    Unwritten(#[source] Error),
    /// It can't be written as a mail: it will never go out.
    #[error("the mail can't be written")]
    Compose(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The mail server refused its recipient or its content for good.
    #[error("the mail server refuses the mail for good: {0}")]
    Refused(String),
    /// The mail server did not take this mail now; whether it has is not always known. Others may go.
    #[error("the mail server did not take the mail: {0}")]
    Later(String),
    /// There is no mail server, or it has something against us: no mail goes out, and that says nothing of any of them.
    #[error("the mail server takes no mail from us: {0}")]
    Session(String),
}

/// That a machine wrote this, so that no automatic answer comes back (RFC 3834). There is no List-Unsubscribe: all our
/// mails tell somebody what became of his own account and servers, and none can be left out.
#[derive(Clone)]
struct AutoSubmitted;

impl Header for AutoSubmitted {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "auto-generated".to_owned())
    }
}

/// The language of a mail (RFC 3282).
#[derive(Clone)]
struct ContentLanguage(&'static str);

impl Header for ContentLanguage {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Content-Language")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Err("nobody reads our own mails".into())
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), self.0.to_owned())
    }
}

impl Mailer {
    /// Reads the settings; does not connect yet.
    pub fn configured(config: &Config) -> Result<Self, ConfigError> {
        let host = nix::unistd::gethostname().unwrap_or_default();
        let host = host.to_string_lossy().into_owned();
        let hosts = std::fs::read_to_string("/etc/hosts").unwrap_or_default();
        let mut names = vec![full_name(&host, &hosts)];
        names.extend(config.listen.agent_names.iter().cloned());
        Self::new(&config.mail, &names)
    }

    /// The same, where `names` are those that the machine is known by, the best first.
    ///
    /// # Errors
    /// When the sender is none, or the password can't be read.
    pub fn new(config: &config::Mail, names: &[String]) -> Result<Self, ConfigError> {
        let wrong = |key: &str, why: String| ConfigError::Value {
            key: format!("mail.{key}"),
            why,
        };
        let from: Mailbox = config
            .from
            .parse()
            .map_err(|error| wrong("from", format!("{error}")))?;
        let credentials = match (&config.username, &config.password_file) {
            (Some(username), Some(file)) => {
                let password = config::read(file)?.trim_end().to_owned();
                Some(Credentials::new(username.clone(), password))
            }
            _ => None,
        };
        let domain = from.email.domain().to_owned();
        let hello = config.hello_name.as_ref().into_iter().chain(names);
        let hello = hello_name(hello, &domain);
        Ok(Self {
            host: config.host.clone(),
            port: config.port,
            encryption: config.encryption,
            credentials,
            hello: ClientId::Domain(hello),
            from,
            domain,
        })
    }

    /// Whether the mail server greets us, understands us and knows us. Sends no mail.
    pub(crate) async fn probe(&self) -> Result<(), MailError> {
        let session = self.open().await?;
        say_goodbye(session).await;
        Ok(())
    }

    /// Hands one mail to the mail server.
    pub async fn send(&self, id: MailId, to: &str, letter: &Letter) -> Result<(), MailError> {
        let message = self.compose(id, to, letter).map_err(MailError::Compose)?;
        let mut session = self.open().await?;
        let handed_over = timeout(STEP_MAX, self.hand_over(&mut session, &message)).await;
        say_goodbye(session).await;
        handed_over.unwrap_or_else(|_| Err(MailError::Later(too_slow())))
    }

    /// Connects, greets, encrypts and signs in.
    async fn open(&self) -> Result<AsyncSmtpConnection, MailError> {
        let opened = timeout(STEP_MAX, self.connect()).await;
        let opened = opened.map_err(|_| too_slow());
        let opened = opened.and_then(|opened| opened.map_err(|error| told(&error)));
        opened.map_err(MailError::Session)
    }

    async fn connect(&self) -> Result<AsyncSmtpConnection, SmtpError> {
        let parameters = || TlsParameters::new(self.host.clone());
        let tls = match self.encryption {
            MailEncryption::Tls => Some(parameters()?),
            MailEncryption::None | MailEncryption::Starttls => None,
        };
        let server = (self.host.as_str(), self.port);
        let mut session =
            AsyncSmtpConnection::connect_tokio1(server, Some(STEP_MAX), &self.hello, tls, None)
                .await?;
        if self.encryption == MailEncryption::Starttls {
            session.starttls(parameters()?, &self.hello).await?;
        }
        if let Some(credentials) = &self.credentials {
            session.auth(DEFAULT_MECHANISMS, credentials).await?;
        }
        Ok(session)
    }

    async fn hand_over(
        &self,
        session: &mut AsyncSmtpConnection,
        message: &Message,
    ) -> Result<(), MailError> {
        let envelope = message.envelope();
        let from: Option<Address> = envelope.from().cloned();
        let sender = session.command(Mail::new(from, vec![])).await;
        sender.map_err(|error| MailError::Session(told(&error)))?;
        for to in envelope.to() {
            let recipient = session.command(Rcpt::new(to.clone(), vec![])).await;
            recipient.map_err(|error| match error.status() {
                Some(code) if is_of_recipient(&code.to_string(), &said(&error)) => {
                    MailError::Refused(told(&error))
                }
                _ => MailError::Later(told(&error)),
            })?;
        }
        let of_content = |error: SmtpError| match error.status() {
            Some(code) if is_of_content(&code.to_string(), &said(&error)) => {
                MailError::Refused(told(&error))
            }
            _ => MailError::Later(told(&error)),
        };
        session.command(Data).await.map_err(of_content)?;
        let taken = session.message(&message.formatted()).await;
        taken.map(drop).map_err(of_content)
    }

    fn compose(
        &self,
        id: MailId,
        to: &str,
        letter: &Letter,
    ) -> Result<Message, Box<dyn std::error::Error + Send + Sync>> {
        let message = Message::builder()
            .from(self.from.clone())
            .to(Mailbox::new(None, to.parse()?))
            .subject(letter.subject.as_str())
            .message_id(Some(format!("<{id}@{}>", self.domain)))
            .header(AutoSubmitted)
            .header(MIME_VERSION_1_0)
            .header(ContentLanguage(letter.locale.as_str()))
            .header(ContentType::TEXT_PLAIN)
            .body(letter.body.clone())?;
        Ok(message)
    }
}

async fn say_goodbye(mut session: AsyncSmtpConnection) {
    // Whoever does not answer it does not know that we are gone, and finds out.
    timeout(GOODBYE_MAX, session.abort()).await.ok();
}

/// The full name of a machine as its file of hosts has it, as `hostname --fqdn` would say; the short one when it has none.
fn full_name(host: &str, hosts: &str) -> String {
    let names = hosts.lines().map(|line| {
        let line = line.split('#').next().unwrap_or_default();
        line.split_whitespace().skip(1).collect::<Vec<_>>()
    });
    let mut ours = names.filter(|names| names.contains(&host)).flatten();
    let full = ours.find(|name| name.starts_with(&format!("{host}.")));
    full.unwrap_or(host).to_owned()
}

/// How we introduce ourselves (RFC 5321, 4.1.1.1): by the first name that others could look up, else by the domain that
/// our mails are from. Many mail servers take nothing from `localhost`.
fn hello_name<'a>(names: impl Iterator<Item = &'a String>, domain: &str) -> String {
    let mut real = names.filter(|name| is_real_name(name));
    real.next().cloned().unwrap_or_else(|| domain.to_owned())
}

/// Whether it is a full name, neither an address nor one that leads back to the machine itself.
fn is_real_name(name: &str) -> bool {
    let is_address = name.parse::<std::net::IpAddr>().is_ok();
    let last = name.rsplit('.').next().unwrap_or_default();
    let is_own = ["localhost", "localdomain", "local", "internal", "lan"].contains(&last);
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
    name.contains('.') && name.chars().all(is_plain) && !is_address && !is_own
}

/// Whether a refusal at RCPT is about the recipient. Many mail servers say only there what they have against us: that
/// they relay nothing, that our address is on a list, that we must sign in.
fn is_of_recipient(code: &str, said: &str) -> bool {
    if !code.starts_with('5') {
        return false;
    }
    match extended(said) {
        // 5.1.7 and 5.1.8 are about the sender; of other mailboxes and addresses it is the recipient (RFC 3463).
        Some((1, detail)) => !matches!(detail, 7 | 8),
        Some((subject, _)) => subject == 2,
        None => {
            let is_relay = said.to_lowercase().contains("relay");
            ["550", "551", "552", "553", "556"].contains(&code) && !is_relay
        }
    }
}

/// Words by which mail servers say, after all of a mail, that they mean who sent it: the machine, its address on a list, its
/// name, its domain's rules.
const OF_SENDER: [&str; 17] = [
    "authenticat",
    "blacklist",
    "blocked",
    "blocklist",
    "client host",
    "dkim",
    "dmarc",
    "helo",
    "ip address",
    "listed",
    "ptr",
    "relay",
    "reputation",
    "reverse dns",
    "sender",
    "spf",
    "your host",
];

/// Whether a refusal behind DATA is about this mail. Many mail servers say only there what they have against who sends it:
/// others can be tried, and this one again when that was put right.
fn is_of_content(code: &str, said: &str) -> bool {
    if !code.starts_with('5') || ["530", "535"].contains(&code) {
        return false;
    }
    let words = said.to_lowercase();
    let is_of_sender = || OF_SENDER.iter().any(|word| words.contains(word));
    match extended(said) {
        // 5.1.7 and 5.1.8 are about the sender (RFC 3463), 5.7.20 to 5.7.27 about its domain and machine (RFC 7372).
        Some((1, detail)) => !matches!(detail, 7 | 8),
        Some((7, detail)) => !matches!(detail, 20..=27) && !is_of_sender(),
        Some(_) => true,
        None => !is_of_sender(),
    }
}

/// Subject and detail of an extended status of class 5, if the words begin with one (RFC 2034).
fn extended(said: &str) -> Option<(u16, u16)> {
    let mut parts = said.split_whitespace().next()?.split('.');
    let mut number = || parts.next()?.parse::<u16>().ok();
    let status = (number()?, number()?, number()?);
    (status.0 == 5).then_some((status.1, status.2))
}

/// What the mail server said, without its code.
fn said(error: &SmtpError) -> String {
    let source = std::error::Error::source(error);
    source.map(ToString::to_string).unwrap_or_default()
}

fn told(error: &SmtpError) -> String {
    let text = if error.status().is_some() {
        error.to_string()
    } else {
        chain(error)
    };
    without_addresses(&text)
}

fn too_slow() -> String {
    format!("it does not answer within {} s", STEP_MAX.as_secs())
}

/// Mail servers like to repeat whom they refuse; that must not reach the log.
fn without_addresses(said: &str) -> String {
    let word = |word| {
        if str::contains(word, '@') {
            "(address)"
        } else {
            word
        }
    };
    let words: Vec<&str> = said.split_whitespace().map(word).collect();
    words.join(" ")
}

#[cfg(test)]
mod tests;
