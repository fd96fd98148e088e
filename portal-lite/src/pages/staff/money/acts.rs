//! What staff do about money, each by a page that asks before.

use axum::response::Response;
use innkeeper_wire::{
    endpoints::{
        Endpoint as _,
        operators::{
            ChangeTerms, CloseMonth, CountMonth, CreditInvoice, GetAccount, GetAccountStatement,
            GetAnyInvoice, GrantPromotion, GrantTrial, RecordPayment, RefundAccount,
            WithdrawPrices, WriteOffInvoice,
        },
    },
    error::FieldErrorCode,
    funds::{PaymentTerms, PromotionRequest, RefundRequest, TermsRequest, TrialRequest},
    id::AccountId,
    invoice::{CreditLine, CreditRequest, InvoiceNumber, PaymentRequest},
    money::{AmountError, Currency, Money},
    month::Month,
    operator::reason::{Reason, ReasonRequest},
    time::Timestamp,
};

use super::{exact, prices};
use crate::{
    failure::Failure,
    fields::Fields,
    form::{self, Field, Need},
    format,
    notice::Notice,
    pages::{
        id,
        staff::{
            REASON,
            ask::Undone,
            deeds::{Loss, REASON_TOLD, StaffDeed, What},
            subject::Subject,
        },
    },
    visit::Visit,
};

/// What is done about money.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnMoney {
    /// A month's invoices are issued.
    Close,
    /// Money came in for an account.
    Pay,
    /// Something of an invoice is taken back.
    Credit,
    /// What is open of an invoice is given up.
    WriteOff,
    /// A list of prices that is not in force yet is taken back.
    WithdrawPrices,
    /// Something about what an account has to pay with.
    Funds(OnFunds),
}

/// What is done about what an account has to pay with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnFunds {
    /// What was paid ahead is paid back.
    Refund,
    /// Promotional credit is granted.
    Promotion,
    /// A trial is granted.
    Trial,
    /// An account pays ahead from now on.
    Prepaid,
    /// An account pays each invoice within so many days.
    Postpaid,
}

/// How much came in.
const AMOUNT: Field = Field {
    name: "amount",
    pointer: "amount",
    words: "money-amount",
    ..Field::TEXT
};
/// What names a transfer at the bank.
const REFERENCE: Field = Field {
    name: "reference",
    pointer: "reference",
    limit: Some(64),
    words: "money-reference",
    ..Field::TEXT
};
/// The number of a line of an invoice.
const LINE: Field = Field {
    name: "line",
    pointer: "lines",
    words: "money-line",
    need: Need::Optional,
    ..Field::TEXT
};
/// How much of that line is taken back.
const NET: Field = Field {
    name: "net",
    pointer: "net",
    words: "money-net",
    need: Need::Optional,
    ..Field::TEXT
};

/// How much is granted.
const GRANTED: Field = Field {
    words: "money-grant",
    ..AMOUNT
};
/// For how many days.
const GRANTED_DAYS: Field = Field {
    name: "days",
    pointer: "days",
    words: "money-grant-days",
    ..Field::TEXT
};
/// What names a grant.
const GRANT_NAME: Field = Field {
    words: "money-grant-name",
    ..REFERENCE
};
/// Until how many days after its issue an invoice is to be paid.
const DAYS: Field = Field {
    name: "days",
    pointer: "payment_days",
    words: "money-days",
    need: Need::Optional,
    ..Field::TEXT
};

/// Issues the invoices of a month.
pub const CLOSE: StaffDeed = StaffDeed {
    what: What::Money(OnMoney::Close),
    code: "close",
    title: "staff-close-month",
    lead: "staff-close-month-lead",
    form: &[REASON],
    who: CloseMonth::ROW.who,
    loss: Loss::Some,
};
/// Records a payment.
pub const PAY: StaffDeed = StaffDeed {
    what: What::Money(OnMoney::Pay),
    code: "payment",
    title: "staff-payment",
    lead: "staff-payment-lead",
    form: &[AMOUNT, REFERENCE, REASON],
    who: RecordPayment::ROW.who,
    loss: Loss::None,
};
/// Takes back something of an invoice; its owner reads why.
pub const CREDIT: StaffDeed = StaffDeed {
    what: What::Money(OnMoney::Credit),
    code: "credit",
    title: "staff-credit",
    lead: "staff-credit-lead",
    form: &[LINE, NET, REASON_TOLD],
    who: CreditInvoice::ROW.who,
    loss: Loss::Some,
};
/// Gives up what is open of an invoice.
pub const WRITE_OFF: StaffDeed = StaffDeed {
    what: What::Money(OnMoney::WriteOff),
    code: "write-off",
    title: "staff-write-off",
    lead: "staff-write-off-lead",
    form: &[REASON],
    who: WriteOffInvoice::ROW.who,
    loss: Loss::Some,
};

/// Records that what was paid ahead was paid back.
pub const REFUND: StaffDeed = StaffDeed {
    what: What::Money(OnMoney::Funds(OnFunds::Refund)),
    code: "refund",
    title: "staff-refund",
    lead: "staff-refund-lead",
    form: &[AMOUNT, REFERENCE, REASON],
    who: RefundAccount::ROW.who,
    loss: Loss::Some,
};
/// Grants promotional credit.
pub const PROMOTION: StaffDeed = StaffDeed {
    what: What::Money(OnMoney::Funds(OnFunds::Promotion)),
    code: "promotion",
    title: "staff-promotion",
    lead: "staff-promotion-lead",
    form: &[GRANTED, GRANTED_DAYS, GRANT_NAME, REASON],
    who: GrantPromotion::ROW.who,
    loss: Loss::None,
};
/// Grants a trial.
pub const TRIAL: StaffDeed = StaffDeed {
    what: What::Money(OnMoney::Funds(OnFunds::Trial)),
    code: "trial",
    title: "staff-trial",
    lead: "staff-trial-lead",
    form: &[GRANTED, REASON],
    who: GrantTrial::ROW.who,
    loss: Loss::None,
};
/// Has an account pay ahead.
pub const PREPAID: StaffDeed = StaffDeed {
    what: What::Money(OnMoney::Funds(OnFunds::Prepaid)),
    code: "prepaid",
    title: "staff-prepaid",
    lead: "staff-prepaid-lead",
    form: &[REASON],
    who: ChangeTerms::ROW.who,
    loss: Loss::None,
};
/// Has an account pay each invoice within so many days.
pub const POSTPAID: StaffDeed = StaffDeed {
    what: What::Money(OnMoney::Funds(OnFunds::Postpaid)),
    code: "postpaid",
    title: "staff-postpaid",
    lead: "staff-postpaid-lead",
    form: &[DAYS, REASON],
    who: ChangeTerms::ROW.who,
    loss: Loss::None,
};
/// Takes back a list of prices that is not in force yet.
pub const WITHDRAW_PRICES: StaffDeed = StaffDeed {
    what: What::Money(OnMoney::WithdrawPrices),
    code: "withdraw",
    title: "staff-withdraw-prices",
    lead: "staff-withdraw-prices-lead",
    form: &[REASON],
    who: WithdrawPrices::ROW.who,
    loss: Loss::Some,
};

/// What it is done to.
pub(in crate::pages::staff) async fn subject(
    visit: &Visit,
    what: OnMoney,
    about: &str,
) -> Result<Subject, Failure> {
    match what {
        OnMoney::Close => month(visit, id(about)?).await,
        OnMoney::Pay | OnMoney::Funds(_) => account(visit, id(about)?).await,
        OnMoney::Credit | OnMoney::WriteOff => invoice(visit, id(about)?).await,
        OnMoney::WithdrawPrices => Ok(price_list(visit, id(about)?)),
    }
}

/// A month, with what its close would issue.
async fn month(visit: &Visit, month: Month) -> Result<Subject, Failure> {
    let counted = visit.ask(CountMonth::at(month)).await?;
    let say = |money| format::money(visit.locale, money);
    Ok(Subject {
        list: ("/months", "nav-months"),
        name: month.to_string(),
        href: "/months".to_owned(),
        facts: vec![
            (visit.say("month-accounts"), counted.accounts.to_string()),
            (visit.say("month-invoices"), counted.invoices.to_string()),
            (visit.say("billing-net"), say(counted.net)),
            (visit.say("billing-total"), say(counted.total)),
        ],
        present: Fields::default(),
    })
}

async fn account(visit: &Visit, account: AccountId) -> Result<Subject, Failure> {
    let (statement, owner) = tokio::try_join!(
        visit.ask(GetAccountStatement::at(account)),
        visit.ask(GetAccount::at(account))
    )?;
    let say = |money| format::money(visit.locale, money);
    let name = owner.line.person.map(|person| person.login_id);
    let owed = statement.owed;
    let mut present = Vec::new();
    if owed.amount > 0 {
        present.push((AMOUNT.name.to_owned(), owed.digits()));
    }
    Ok(Subject {
        list: ("/accounts", "nav-accounts"),
        name: name.unwrap_or_else(|| account.to_string()),
        href: format!("/accounts/{account}"),
        facts: vec![
            (visit.say("statement-owed"), say(owed)),
            (visit.say("statement-credit"), say(statement.credit)),
        ],
        present: Fields::new(present),
    })
}

async fn invoice(visit: &Visit, number: InvoiceNumber) -> Result<Subject, Failure> {
    let found = visit.ask(GetAnyInvoice::at(number)).await?;
    let summary = found.invoice.summary;
    let say = |money| format::money(visit.locale, money);
    let owner = found.login_id;
    Ok(Subject {
        list: ("/invoices", "nav-invoices"),
        name: summary.number.clone(),
        href: format!("/invoices/{}", summary.number),
        facts: vec![
            (
                visit.say("act-owner"),
                owner.unwrap_or_else(|| summary.account.to_string()),
            ),
            (visit.say("invoice-month"), summary.month.to_string()),
            (visit.say("invoice-issued"), exact(visit, summary.issued_at)),
            (visit.say("billing-total"), say(summary.total)),
            (visit.say("invoice-open"), say(summary.open)),
            (visit.say("invoice-credited"), say(summary.credited)),
        ],
        present: Fields::default(),
    })
}

fn price_list(visit: &Visit, valid_from: Timestamp) -> Subject {
    Subject {
        list: (prices::PATH, prices::TITLE),
        name: exact(visit, valid_from),
        href: prices::PATH.to_owned(),
        facts: Vec::new(),
        present: Fields::default(),
    }
}

/// Does it.
pub(in crate::pages::staff) async fn carry_out(
    visit: &Visit,
    what: OnMoney,
    about: &str,
    fields: &Fields,
    reason: Reason,
) -> Result<(), Undone> {
    match what {
        OnMoney::Close => {
            let why = ReasonRequest { reason };
            visit.ask(CloseMonth::at_with(id(about)?, why)).await?;
        }
        OnMoney::Pay => {
            let account = id(about)?;
            let statement = visit.ask(GetAccountStatement::at(account)).await?;
            let request = PaymentRequest {
                amount: amount(visit, fields, &AMOUNT, statement.owed.currency)?,
                reference: fields.get(REFERENCE.name).to_owned(),
                reason,
            };
            visit.ask(RecordPayment::at_with(account, request)).await?;
        }
        OnMoney::Credit => {
            let number: InvoiceNumber = id(about)?;
            let invoice = visit.ask(GetAnyInvoice::at(number)).await?;
            let currency = invoice.invoice.summary.total.currency;
            let lines = credit_lines(visit, fields, currency)?;
            let request = CreditRequest { lines, reason };
            visit.ask(CreditInvoice::at_with(number, request)).await?;
        }
        OnMoney::Funds(what) => on_funds(visit, what, id(about)?, fields, reason).await?,
        OnMoney::WriteOff => {
            let why = ReasonRequest { reason };
            visit.ask(WriteOffInvoice::at_with(id(about)?, why)).await?;
        }
        OnMoney::WithdrawPrices => {
            let why = ReasonRequest { reason };
            visit.ask(WithdrawPrices::at_with(id(about)?, why)).await?;
        }
    }
    Ok(())
}

async fn on_funds(
    visit: &Visit,
    what: OnFunds,
    account: AccountId,
    fields: &Fields,
    reason: Reason,
) -> Result<(), Undone> {
    match what {
        OnFunds::Refund => {
            let statement = visit.ask(GetAccountStatement::at(account)).await?;
            let request = RefundRequest {
                amount: amount(visit, fields, &AMOUNT, statement.credit.currency)?,
                reference: fields.get(REFERENCE.name).to_owned(),
                reason,
            };
            visit.ask(RefundAccount::at_with(account, request)).await?;
        }
        OnFunds::Promotion => {
            let statement = visit.ask(GetAccountStatement::at(account)).await?;
            let missing = form::missing(fields, &[GRANTED_DAYS.name]);
            if !missing.is_empty() {
                return Err(Box::new(form::complaint(visit, fields, &missing)).into());
            }
            let request = PromotionRequest {
                amount: amount(visit, fields, &GRANTED, statement.credit.currency)?,
                days: days(visit, fields)?.unwrap_or_default(),
                reference: fields.get(GRANT_NAME.name).to_owned(),
                reason,
            };
            visit.ask(GrantPromotion::at_with(account, request)).await?;
        }
        OnFunds::Trial => {
            let statement = visit.ask(GetAccountStatement::at(account)).await?;
            let amount = amount(visit, fields, &GRANTED, statement.credit.currency)?;
            let request = TrialRequest { amount, reason };
            visit.ask(GrantTrial::at_with(account, request)).await?;
        }
        OnFunds::Prepaid => {
            let terms = PaymentTerms::Prepaid;
            let request = TermsRequest { terms, reason };
            visit.ask(ChangeTerms::at_with(account, request)).await?;
        }
        OnFunds::Postpaid => {
            let payment_days = days(visit, fields)?;
            let terms = PaymentTerms::Postpaid { payment_days };
            let request = TermsRequest { terms, reason };
            visit.ask(ChangeTerms::at_with(account, request)).await?;
        }
    }
    Ok(())
}

/// The line that was written with its amount; none when neither was.
fn credit_lines(
    visit: &Visit,
    fields: &Fields,
    currency: Currency,
) -> Result<Vec<CreditLine>, Box<Response>> {
    let line = fields.get(LINE.name).trim();
    let net = fields.get(NET.name).trim();
    let wrong = |field: &Field, code| {
        let wrong = [(field.name, code)];
        Err(Box::new(form::complaint(visit, fields, &wrong)))
    };
    match (line, net) {
        ("", "") => Ok(Vec::new()),
        ("", _) => wrong(&LINE, FieldErrorCode::Required),
        (_, "") => wrong(&NET, FieldErrorCode::Required),
        (line, _) => match line.parse() {
            Ok(line) => {
                let net = amount(visit, fields, &NET, currency)?.amount;
                Ok(vec![CreditLine { line, net }])
            }
            Err(_) => wrong(&LINE, FieldErrorCode::Malformed),
        },
    }
}

/// The days that were written, if any were.
fn days(visit: &Visit, fields: &Fields) -> Result<Option<u32>, Box<Response>> {
    match fields.get(DAYS.name).trim() {
        "" => Ok(None),
        text => text.parse().map(Some).map_err(|_| {
            let wrong = [(DAYS.name, FieldErrorCode::Malformed)];
            Box::new(form::complaint(visit, fields, &wrong))
        }),
    }
}

/// The amount that was written, or what is wrong with it.
pub(in crate::pages::staff) fn amount(
    visit: &Visit,
    fields: &Fields,
    field: &Field,
    currency: Currency,
) -> Result<Money, Box<Response>> {
    let text = fields.get(field.name).trim();
    Money::of_text(text, currency).map_err(|error| {
        let code = match error {
            AmountError::Malformed if text.is_empty() => FieldErrorCode::Required,
            AmountError::Malformed | AmountError::TooFine => FieldErrorCode::Malformed,
            AmountError::TooLarge => FieldErrorCode::Wrong,
        };
        Box::new(form::complaint(visit, fields, &[(field.name, code)]))
    })
}

/// Where one goes on when it is done, and what is said there.
pub(in crate::pages::staff) fn after(what: OnMoney, about: &str) -> (String, Notice) {
    let to = match what {
        OnMoney::Close => "/months".to_owned(),
        OnMoney::Pay | OnMoney::Funds(_) => {
            format!("/accounts/{about}/statement")
        }
        OnMoney::Credit | OnMoney::WriteOff => format!("/invoices/{about}"),
        OnMoney::WithdrawPrices => prices::PATH.to_owned(),
    };
    (to, Notice::StaffDone)
}
