//! Mails that leave: what each is about, and the sheet that all are written on, as plain text. What a mail says is
//! written by the noun that it is about; who sends them and when is the outbox's business (`work/outbox`).
//!
//! No mail has a text in it that a customer has typed, but for names of servers, which are host names, and IDs of confirmed
//! accounts, which are letters and digits: whoever signs up may not be whom the mail goes to, and whoever is signed in may
//! be a thief. What an operator gives as a reason is told in his own words.

use innkeeper_wire::{
    api::{Locale, Scope},
    company::Company,
    id::{AccountId, CreditNoteId, InvoiceId, JobId, MailId, ServerId, SshKeyId, StaffId},
    job::JobEventKind,
    money::Money,
    month::Month,
    operator::attention::MatterKind,
    time::Timestamp,
    zone::{Minute, Zone},
};
use serde::{Deserialize, Serialize};

use crate::kernel::sealed::Sealed;

/// A mail that waits in the outbox. Its record is deleted once the mail server took it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct OutgoingMail {
    /// Which; also its Message-ID, so that a repeated sending can be recognised.
    pub id: MailId,
    /// To whom: the address is looked up when it is sent.
    #[serde(flatten)]
    pub to: Recipient,
    /// What about.
    pub content: MailContent,
    /// When it was put into the outbox, by the commit that it tells of.
    pub queued_at: Timestamp,
}

/// To whom a mail goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Recipient {
    /// The owner of an account.
    Account(AccountId),
    /// Somebody of the staff.
    Staff(StaffId),
}

/// What a mail is about. One-time secrets are not in it: they are made when it is sent, and only their
/// hash is stored.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum MailContent {
    /// Confirm the address of a new account (R25).
    ConfirmEmail,
    /// The address is confirmed.
    Welcome,
    /// The address of a company's account is confirmed, and an operator has to approve of it (R26).
    ApprovalAwaited,
    /// An operator has approved of an account.
    Approved,
    /// An operator has rejected an account; why stands in it.
    SignUpRejected,
    /// Staff have suspended an account; why stands in it.
    AccountSuspended,
    /// Its suspension is over.
    AccountResumed,
    /// A server was seen ready for the first time.
    ServerReady {
        /// Which.
        server: ServerId,
    },
    /// A server could not be made.
    CreateFailed {
        /// Which.
        server: ServerId,
    },
    /// A server was deleted.
    ServerDeleted {
        /// Which.
        server: ServerId,
        /// Whether it was not by its owner or staff, but since its account stayed suspended for money.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        is_unpaid: bool,
    },
    /// A server was lost with its host.
    ServerLost {
        /// Which.
        server: ServerId,
    },
    /// The month costs as much as the owner wanted to be told of.
    SpendingReached {
        /// The month.
        month: Month,
        /// As much, with tax.
        threshold: Money,
    },
    /// An invoice was issued.
    InvoiceIssued {
        /// Which.
        invoice: InvoiceId,
    },
    /// An invoice was to be paid by now.
    InvoiceOverdue {
        /// Which.
        invoice: InvoiceId,
    },
    /// The account is going to be suspended for an invoice that is not paid.
    SuspensionNotice {
        /// For which.
        invoice: InvoiceId,
    },
    /// The servers of an account that stays suspended for money are going to be deleted.
    DeletionNotice {
        /// Since when it is suspended.
        since: Timestamp,
        /// In so many days.
        days: u8,
    },
    /// What was paid ahead does not last for three days.
    BalanceLow,
    /// So much of a trial is used.
    TrialUsed {
        /// Percent.
        percent: u8,
    },
    /// So few days of a trial are left.
    TrialEnds {
        /// Days.
        days: u8,
    },
    /// Something of an invoice was taken back.
    CreditNoteIssued {
        /// Of which.
        invoice: InvoiceId,
        /// By which credit note.
        note: CreditNoteId,
    },
    /// Something happened to a technical-support job; to its customer, or to an engineer.
    JobStep {
        /// Which.
        job: JobId,
        /// Whose.
        account: AccountId,
        /// What.
        step: JobEventKind,
    },
    /// An SSH key was added.
    KeyAdded {
        /// Which.
        key: SshKeyId,
    },
    /// Somebody signed in from a device that the account has not been used from.
    NewSignIn {
        /// From where.
        from: Sealed<SignInPlace>,
    },
    /// Too many wrong passwords.
    SignInLocked {
        /// From where.
        from: Sealed<SignInPlace>,
    },
    /// The IDs of its address (R5).
    LoginIds,
    /// A link to choose another password (R7).
    PasswordReset,
    /// That link was asked for again while it waits (R8).
    PasswordResetAgain,
    /// The password was changed.
    PasswordChanged {
        /// From where.
        from: Sealed<SignInPlace>,
    },
    /// Confirm another address of an account. It goes there.
    ConfirmNewEmail,
    /// The address was changed. It goes to the one of before.
    EmailChanged {
        /// The one of before.
        to: Sealed<FormerEmail>,
        /// From where it was confirmed.
        from: Sealed<SignInPlace>,
    },
    /// The mobile number was changed.
    MobileChanged {
        /// From where.
        from: Sealed<SignInPlace>,
    },
    /// A second factor was switched on.
    SecondFactorOn {
        /// From where.
        from: Sealed<SignInPlace>,
    },
    /// The second factor was switched off.
    SecondFactorOff {
        /// From where.
        from: Sealed<SignInPlace>,
    },
    /// There are other recovery codes.
    RecoveryCodesRenewed {
        /// From where.
        from: Sealed<SignInPlace>,
    },
    /// A recovery code was used.
    RecoveryCodeUsed {
        /// How many are left.
        left: u32,
        /// From where.
        from: Sealed<SignInPlace>,
    },
    /// An API token was made.
    TokenMade {
        /// What it is for.
        scopes: Vec<Scope>,
        /// From where.
        from: Sealed<SignInPlace>,
    },
    /// Too many wrong codes with the right password.
    WrongCodes {
        /// From where.
        from: Sealed<SignInPlace>,
    },
    /// Somebody has lost the second factor, and asks for it to be switched off. It goes to one of the addresses.
    LostFactorAsked {
        /// Which of them: each has a link of its own.
        address: u32,
        /// The address.
        to: Sealed<FormerEmail>,
        /// From where.
        from: Sealed<SignInPlace>,
    },
    /// It was switched off.
    LostFactorOff,
    /// It stays on.
    LostFactorKept {
        /// Why.
        by: FactorKept,
    },
    /// Something began to need a person; to somebody of the staff.
    StaffAlert {
        /// The first of what is new.
        matters: Vec<ToldMatter>,
        /// How much more is new.
        more: usize,
    },
}

/// Why a second factor stays on that was said to be lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FactorKept {
    /// The link of a mail was used.
    Link,
    /// A code of it was used.
    Used,
    /// The staff have rejected the request.
    Rejected,
    /// The request was not confirmed in time.
    Expired,
}

/// Something that needs a person, as a mail to the staff names it: not what else is known of it, which may be of a customer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToldMatter {
    /// What it is.
    pub kind: MatterKind,
    /// What it is about; none when it is about the installation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// Since when, as far as that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
}

/// Where somebody signed in from, or tried to. Never stored but sealed with the account's key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignInPlace {
    /// The network, such as `203.0.113.0/24`.
    pub network: String,
}

/// The address that an account had when a mail was put into the outbox. Never stored but sealed with the account's key.
#[derive(Clone, Serialize, Deserialize)]
pub struct FormerEmail(pub String);

/// A mail of version 2, when there was one kind.
#[derive(Debug, Deserialize)]
pub(super) struct OutgoingMailV2 {
    id: MailId,
    content: MailContentV2,
    queued_at: Timestamp,
}

#[derive(Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum MailContentV2 {
    ConfirmEmail { account: AccountId },
}

impl From<OutgoingMailV2> for OutgoingMail {
    fn from(before: OutgoingMailV2) -> Self {
        let MailContentV2::ConfirmEmail { account } = before.content;
        Self {
            id: before.id,
            to: Recipient::Account(account),
            content: MailContent::ConfirmEmail,
            queued_at: before.queued_at,
        }
    }
}

macro_rules! mail_kinds {
    ($($name:ident = $text:literal,)+) => {
        /// Kinds of mails.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum MailKind {
            $(#[doc = $text] $name,)+
        }

        impl MailKind {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// As operators read it.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)+ }
            }
        }

        impl MailContent {
            /// Its kind.
            #[must_use]
            pub const fn kind(&self) -> MailKind {
                match self { $(Self::$name { .. } => MailKind::$name,)+ }
            }
        }
    };
}

mail_kinds! {
    ConfirmEmail = "confirm-email",
    Welcome = "welcome",
    ApprovalAwaited = "approval-awaited",
    Approved = "approved",
    SignUpRejected = "sign-up-rejected",
    AccountSuspended = "account-suspended",
    AccountResumed = "account-resumed",
    ServerReady = "server-ready",
    CreateFailed = "create-failed",
    ServerDeleted = "server-deleted",
    ServerLost = "server-lost",
    SpendingReached = "spending-reached",
    InvoiceIssued = "invoice-issued",
    InvoiceOverdue = "invoice-overdue",
    SuspensionNotice = "suspension-notice",
    DeletionNotice = "deletion-notice",
    BalanceLow = "balance-low",
    TrialUsed = "trial-used",
    TrialEnds = "trial-ends",
    CreditNoteIssued = "credit-note-issued",
    JobStep = "job-step",
    KeyAdded = "key-added",
    NewSignIn = "new-sign-in",
    SignInLocked = "sign-in-locked",
    LoginIds = "login-ids",
    PasswordReset = "password-reset",
    PasswordResetAgain = "password-reset-again",
    PasswordChanged = "password-changed",
    ConfirmNewEmail = "confirm-new-email",
    EmailChanged = "email-changed",
    MobileChanged = "mobile-changed",
    SecondFactorOn = "second-factor-on",
    SecondFactorOff = "second-factor-off",
    RecoveryCodesRenewed = "recovery-codes-renewed",
    RecoveryCodeUsed = "recovery-code-used",
    TokenMade = "token-made",
    WrongCodes = "wrong-codes",
    LostFactorAsked = "lost-factor-asked",
    LostFactorOff = "lost-factor-off",
    LostFactorKept = "lost-factor-kept",
    StaffAlert = "staff-alert",
}

/// A mail as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    /// Language.
    pub locale: Locale,
    /// Subject.
    pub subject: String,
    /// Body, plain text, lines separated by `\n`.
    pub body: String,
}

/// Who reads a mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reader {
    /// The address.
    pub to: String,
    /// The language.
    pub locale: Locale,
    /// The time zone.
    pub zone: Zone,
}

impl Reader {
    /// An instant to the minute, such as `27 Nov 2026, 08:00 KST`.
    #[must_use]
    pub fn at(&self, at: Timestamp) -> String {
        self.minute(at).to_string()
    }

    /// The same in its parts, for sentences in which the zone stands elsewhere.
    #[must_use]
    pub fn minute(&self, at: Timestamp) -> Minute {
        self.zone.minute(self.locale, at)
    }

    /// One of three texts: in English, Korean, Chinese.
    #[must_use]
    pub fn say<T>(&self, en: T, ko: T, zh: T) -> T {
        self.locale.say(en, ko, zh)
    }
}

/// What stands on every mail.
#[derive(Debug, Clone)]
pub struct Stationery {
    /// The hoster's name for the installation.
    pub installation: String,
    /// Where the portal is, for links; no slash at the end.
    pub portal_url: String,
    /// Where customers get help.
    pub support_email: String,
    /// Who runs the installation.
    pub company: Company,
    /// The zone of accounts.
    pub time_zone: Zone,
}

/// What a company says of itself, line by line, its name first.
#[must_use]
pub fn about_company(company: &Company, locale: Locale) -> Vec<String> {
    let Company {
        name,
        representative,
        registration_number,
        mail_order_number,
        address,
        telephone,
    } = company;
    let mut lines: Vec<_> = name.iter().cloned().collect();
    for (value, what) in [
        (
            representative,
            locale.say("Representative", "대표", "代表人"),
        ),
        (
            registration_number,
            locale.say("Business registration number", "사업자등록번호", "統一編號"),
        ),
        (
            mail_order_number,
            locale.say(
                "Mail-order business number",
                "통신판매업 신고번호",
                "通信販賣業申報編號",
            ),
        ),
        (address, locale.say("Address", "주소", "地址")),
        (telephone, locale.say("Telephone", "전화", "電話")),
    ] {
        let colon = locale.say(": ", ": ", "：");
        lines.extend(value.as_ref().map(|value| format!("{what}{colon}{value}")));
    }
    lines
}

impl Stationery {
    /// A page of the portal by its path without the slash before it, in the reader's language; `query` begins with `&` or is empty.
    #[must_use]
    pub fn link(&self, reader: &Reader, path: &str, query: &str) -> String {
        let lang = reader.locale.as_str();
        format!("{}/{path}?lang={lang}{query}", self.portal_url)
    }

    /// Who writes, and who is behind it, as far as the operator has written that down.
    fn signature(&self, reader: &Reader) -> String {
        let questions = reader.say("Questions: ", "문의: ", "聯絡客服：");
        let mut lines = vec![
            self.installation.clone(),
            format!("{questions}{}", self.support_email),
        ];
        lines.extend(about_company(&self.company, reader.locale));
        lines.join("\n")
    }

    /// A mail with this subject, and these paragraphs between greeting and signature.
    #[must_use]
    pub fn letter(&self, reader: &Reader, subject: &str, paragraphs: &[String]) -> Letter {
        let installation = &self.installation;
        let (open, close) = reader.say(("[", "] "), ("[", "] "), ("【", "】"));
        let subject = format!("{open}{installation}{close}{subject}");
        let greeting = reader.say("Hello,", "안녕하세요.", "您好：");
        let text = paragraphs.join("\n\n");
        let body = format!("{greeting}\n\n{text}\n\n-- \n{}\n", self.signature(reader));
        Letter {
            locale: reader.locale,
            subject,
            body,
        }
    }
}

/// For tests of what writes mails: a sheet, and a reader of each language in his zone.
#[cfg(test)]
pub(crate) mod samples {
    use super::{Company, Letter, Locale, Reader, Stationery};

    pub(crate) fn stationery() -> Stationery {
        Stationery {
            installation: "Example Cloud".to_owned(),
            portal_url: "https://portal.cloud.example".to_owned(),
            support_email: "help@cloud.example".to_owned(),
            company: Company {
                name: Some("Example Hosting Co., Ltd.".to_owned()),
                representative: Some("Hong Gildong".to_owned()),
                registration_number: Some("000-00-00000".to_owned()),
                mail_order_number: None,
                address: Some("1 Example-ro, Seoul".to_owned()),
                telephone: Some("+82 2 000 0000".to_owned()),
            },
            time_zone: "Asia/Seoul".parse().expect("a zone"),
        }
    }

    pub(crate) fn readers() -> [Reader; 3] {
        [Locale::En, Locale::Ko, Locale::ZhHant].map(|locale| Reader {
            to: "minji@example.com".to_owned(),
            locale,
            zone: stationery().time_zone,
        })
    }

    /// A mail of one kind in all languages, as a golden file has it. Whatever it says, nobody is harmed by reading it.
    pub(crate) fn preview(write: impl Fn(&Reader) -> Letter) -> String {
        let mut text = String::new();
        for reader in readers() {
            let letter = write(&reader);
            let is_plain = |c: char| c == '\n' || !(c.is_control() || is_invisible(c));
            assert!(letter.body.chars().all(is_plain), "{}", letter.body);
            assert!(letter.subject.chars().all(|c| c != '\n' && is_plain(c)));
            assert_eq!(letter.locale, reader.locale);
            text += &format!("Subject: {}\n\n{}\n", letter.subject, letter.body);
        }
        text
    }

    /// Direction marks, isolates and joiners: none of them belongs into a mail.
    fn is_invisible(c: char) -> bool {
        matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
    }
}
