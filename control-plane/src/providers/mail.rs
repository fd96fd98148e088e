//! Mail by SMTP (lettre).

use std::time::Duration;

use innkeeper_wire::{error::chain, id::MailId};
use lettre::{
    AsyncSmtpTransport, AsyncTransport as _, Message, Tokio1Executor,
    message::{
        Mailbox, header::ContentType, header::Header, header::HeaderName, header::HeaderValue,
    },
    transport::smtp::authentication::Credentials,
};

use crate::{
    config::{self, ConfigError, MailEncryption},
    mails::rules::Letter,
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
    /// The mail server refused it for good. What it said, without addresses.
    #[error("the mail server refuses the mail for good: {0}")]
    Refused(String),
    /// The mail server did not take it now; whether it has is not always known. What it said.
    #[error("the mail server did not take the mail: {0}")]
    Failed(String),
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

    /// Whether the mail server greets us, understands us and knows us. Sends no mail.
    pub(crate) async fn probe(&self) -> Result<(), MailError> {
        match self.transport.test_connection().await {
            Ok(true) => Ok(()),
            Ok(false) => Err(MailError::Failed("it hangs up".to_owned())),
            Err(error) => Err(MailError::Failed(without_addresses(&chain(&error)))),
        }
    }

    /// Hands one mail to the mail server.
    pub async fn send(&self, id: MailId, to: &str, letter: &Letter) -> Result<(), MailError> {
        let message = self.compose(id, to, letter).map_err(MailError::Compose)?;
        match self.transport.send(message).await {
            Ok(_) => Ok(()),
            Err(error) => {
                let said = without_addresses(&error.to_string());
                Err(if error.is_permanent() {
                    MailError::Refused(said)
                } else {
                    MailError::Failed(said)
                })
            }
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
mod tests {
    use innkeeper_wire::{id::uuid_v7, time::Timestamp};
    use tokio::{
        io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
        net::TcpListener,
    };

    use super::*;

    /// A mail server that refuses every recipient and repeats whom.
    async fn refuse_recipients(socket: TcpListener, reply: &'static str) {
        let (mut stream, _) = socket.accept().await.expect("a client");
        let (reader, mut writer) = stream.split();
        let mut lines = BufReader::new(reader).lines();
        writer
            .write_all(b"220 mail.example\r\n")
            .await
            .expect("sent");
        while let Some(line) = lines.next_line().await.expect("text") {
            let answer = if line.starts_with("RCPT") {
                reply
            } else {
                "250 well\r\n"
            };
            writer.write_all(answer.as_bytes()).await.expect("sent");
        }
    }

    #[tokio::test]
    async fn what_the_mail_server_says_is_told_without_the_address() {
        for (reply, is_final) in [
            ("550 5.1.1 <minji@example.com>: no such user\r\n", true),
            ("450 4.2.0 minji@example.com is greylisted\r\n", false),
        ] {
            let socket = TcpListener::bind("127.0.0.1:0").await.expect("a port");
            let port = socket.local_addr().expect("an address").port();
            let config = config::Mail {
                host: "127.0.0.1".to_owned(),
                port,
                encryption: MailEncryption::None,
                from: "Example Cloud <noreply@cloud.example>".to_owned(),
                username: None,
                password_file: None,
            };
            let server = tokio::spawn(refuse_recipients(socket, reply));
            let mailer = Mailer::new(&config).expect("good settings");
            let id = MailId::from_uuid(uuid_v7(Timestamp::from_millis(1), [1; 10]));
            let letter = Letter {
                subject: "Confirm".to_owned(),
                body: "Link".to_owned(),
            };
            let failed = mailer.send(id, "minji@example.com", &letter).await;
            let failed = failed.expect_err("refused");
            assert_eq!(failed.is_final(), is_final);
            let told = chain(&failed);
            assert!(told.contains(&reply[..3]), "{told}");
            assert!(!told.contains("minji"), "{told}");
            server.abort();
        }
    }

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
