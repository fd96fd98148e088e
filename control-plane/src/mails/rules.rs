//! Mails that leave: what they say, in the account's language, as plain text. Who sends them and when is
//! the outbox's business (`work/outbox`).

use innkeeper_wire::{
    api::Locale,
    id::{AccountId, MailId},
    time::Timestamp,
};
use serde::{Deserialize, Serialize};

/// A mail that waits in the outbox. Its record is deleted once the mail server took it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct OutgoingMail {
    /// Which; also its Message-ID, so that a repeated sending can be recognised.
    pub id: MailId,
    /// What about, and so to whom: the address is looked up when it is sent.
    pub content: MailContent,
    /// When it was put into the outbox.
    pub queued_at: Timestamp,
}

/// What a mail is about. One-time secrets are not in it: they are made when it is sent, and only their
/// hash is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum MailContent {
    /// Confirm the address of a new account (R25).
    ConfirmEmail {
        /// Whose.
        account: AccountId,
    },
}

/// What a confirmation mail says: nothing that whoever signed up has typed, since he may not be whom it goes to.
#[derive(Debug, Clone)]
pub struct ConfirmationMail<'a> {
    /// Language.
    pub locale: Locale,
    /// The link, with its one-time secret.
    pub link: &'a str,
    /// When the link stops working.
    pub expires_at: Timestamp,
    /// The hoster's name for the installation.
    pub installation: &'a str,
    /// Where customers get help.
    pub support_email: &'a str,
}

/// A mail as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    /// Subject.
    pub subject: String,
    /// Body, plain text, lines separated by `\n`.
    pub body: String,
}

/// Writes the mail that asks to confirm an address.
#[must_use]
pub fn confirmation(mail: &ConfirmationMail<'_>) -> Letter {
    let ConfirmationMail {
        link,
        expires_at,
        installation,
        support_email,
        ..
    } = mail;
    let expires_at = minute(*expires_at);
    let (subject, body) = match mail.locale {
        Locale::En => (
            format!("Confirm your e-mail address for {installation}"),
            format!(
                "Hello,\n\nplease confirm your e-mail address to use your account:\n\n{link}\n\nThe link \
                 works once, until {expires_at}.\n\nIf you did not sign up, ignore this mail: without the \
                 confirmation the account can't be used.\n\n{installation}\nQuestions: {support_email}\n"
            ),
        ),
        Locale::Ko => (
            format!("[{installation}] 이메일 주소를 인증해 주세요"),
            format!(
                "안녕하세요.\n\n아래 링크를 눌러 이메일 주소를 인증하면 회원가입이 완료됩니다.\n\n{link}\n\n\
                 링크는 {expires_at}까지 한 번만 사용할 수 있습니다.\n\n회원가입을 신청하지 않으셨다면 이 메일을 무시해 \
                 주세요. 인증하지 않은 계정은 사용할 수 없습니다.\n\n{installation}\n문의: {support_email}\n"
            ),
        ),
        Locale::ZhHant => (
            format!("【{installation}】請驗證您的電子郵件地址"),
            format!(
                "您好：\n\n請點選以下連結驗證您的電子郵件地址，即可完成註冊。\n\n{link}\n\n此連結僅能使用一次，有效期限\
                 至 {expires_at}。\n\n若您並未申請註冊，請忽略此信。未經驗證的帳戶無法使用。\n\n{installation}\n\
                 聯絡客服：{support_email}\n"
            ),
        ),
    };
    Letter { subject, body }
}

/// An instant as people read it, to the minute: `2026-11-22 05:26 UTC`.
fn minute(instant: Timestamp) -> String {
    let text = instant.to_string();
    match (text.get(..10), text.get(11..16)) {
        (Some(date), Some(time)) => format!("{date} {time} UTC"),
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_language_has_the_link_and_says_nothing_of_who_signed_up() {
        for locale in [Locale::En, Locale::Ko, Locale::ZhHant] {
            let letter = confirmation(&ConfirmationMail {
                locale,
                link: "https://portal.example/confirm?token=abc",
                expires_at: Timestamp::from_millis(1_790_000_000_000),
                installation: "Example Cloud",
                support_email: "help@example.com",
            });
            for part in [
                "2026-09-21 14:13 UTC",
                "https://portal.example/confirm?token=abc",
                "help@example.com",
            ] {
                assert!(letter.body.contains(part), "{part} in {}", letter.body);
            }
            assert!(letter.subject.contains("Example Cloud"));
            assert!(!letter.subject.contains('\n'));
        }
    }
}
