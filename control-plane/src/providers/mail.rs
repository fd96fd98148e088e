//! Mail by SMTP (lettre).

use std::time::Duration;

use innkeeper_wire::id::MailId;
use lettre::{
    AsyncSmtpTransport, AsyncTransport as _, Message, Tokio1Executor,
    message::{
        Mailbox, header::ContentType, header::Header, header::HeaderName, header::HeaderValue,
    },
    transport::smtp::authentication::Credentials,
};

use crate::{
    config::{self, ConfigError, MailEncryption},
    domain::mail::Letter,
};

/// Longest that handing over one mail may take.
const TIMEOUT: Duration = Duration::from_secs(30);

/// The way to the mail server.
#[derive(Clone)]
pub struct Mailer {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
    domain: String,
}

/// Why a mail was not handed over.
#[derive(Debug, thiserror::Error)]
pub enum MailError {
    /// It can't be written as a mail: it will never go out.
    #[error("the mail can't be written")]
    Compose(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The mail server refused it for good.
    #[error("the mail server refuses the mail for good")]
    Refused(#[source] lettre::transport::smtp::Error),
    /// The mail server did not take it now; whether it has is not always known.
    #[error("the mail server did not take the mail")]
    Failed(#[source] lettre::transport::smtp::Error),
}

impl MailError {
    /// Trying again makes no sense.
    #[must_use]
    pub const fn is_final(&self) -> bool {
        match self {
            Self::Compose(_) | Self::Refused(_) => true,
            Self::Failed(_) => false,
        }
    }
}

/// That a machine wrote this, so that no automatic answer comes back (RFC 3834).
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

impl Mailer {
    /// Reads the settings; does not connect yet.
    pub fn new(config: &config::Mail) -> Result<Self, ConfigError> {
        let wrong = |key: &str, why: String| ConfigError::Value {
            key: format!("mail.{key}"),
            why,
        };
        let from: Mailbox = config
            .from
            .parse()
            .map_err(|error| wrong("from", format!("{error}")))?;
        let host = config.host.as_str();
        let builder = match config.encryption {
            MailEncryption::None => Ok(AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(
                host,
            )),
            MailEncryption::Starttls => AsyncSmtpTransport::<Tokio1Executor>::starttls_relay(host),
            MailEncryption::Tls => AsyncSmtpTransport::<Tokio1Executor>::relay(host),
        };
        let builder = builder.map_err(|error| wrong("host", error.to_string()))?;
        let mut builder = builder.port(config.port).timeout(Some(TIMEOUT));
        if let (Some(username), Some(file)) = (&config.username, &config.password_file) {
            let password = config::read(file)?.trim_end().to_owned();
            builder = builder.credentials(Credentials::new(username.clone(), password));
        }
        let domain = from.email.domain().to_owned();
        Ok(Self {
            transport: builder.build(),
            from,
            domain,
        })
    }

    /// Hands one mail to the mail server.
    pub async fn send(&self, id: MailId, to: &str, letter: &Letter) -> Result<(), MailError> {
        let message = self.compose(id, to, letter).map_err(MailError::Compose)?;
        match self.transport.send(message).await {
            Ok(_) => Ok(()),
            Err(error) if error.is_permanent() => Err(MailError::Refused(error)),
            Err(error) => Err(MailError::Failed(error)),
        }
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
            .header(ContentType::TEXT_PLAIN)
            .body(letter.body.clone())?;
        Ok(message)
    }
}

#[cfg(test)]
mod tests {
    use innkeeper_wire::{id::uuid_v7, time::Timestamp};

    use super::*;

    #[test]
    fn a_mail_is_marked_as_automatic_and_keeps_its_id() {
        let config = config::Mail {
            host: "127.0.0.1".to_owned(),
            port: 25,
            encryption: MailEncryption::None,
            from: "Example Cloud <noreply@cloud.example>".to_owned(),
            username: None,
            password_file: None,
        };
        let mailer = Mailer::new(&config).expect("good settings");
        let id = MailId::from_uuid(uuid_v7(Timestamp::from_millis(1), [1; 10]));
        let letter = Letter {
            subject: "이메일 주소를 인증해 주세요".to_owned(),
            body: "링크".to_owned(),
        };
        let message = mailer
            .compose(id, "minji@example.com", &letter)
            .expect("a mail");
        let text = String::from_utf8(message.formatted()).expect("ASCII on the wire");
        assert!(text.contains("Auto-Submitted: auto-generated"), "{text}");
        assert!(
            text.contains(&format!("Message-ID: <{id}@cloud.example>")),
            "{text}"
        );
        assert!(text.is_ascii(), "{text}");
        assert!(
            mailer
                .compose(id, "a@b.cc\r\nBcc: x@y.zz", &letter)
                .is_err()
        );
    }
}
