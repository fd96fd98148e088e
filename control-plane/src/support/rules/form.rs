//! What an application and what is said about a job must be.

use innkeeper_wire::{
    error::{FieldError, FieldErrorCode},
    job::{
        JOB_PHONE_LENGTH_MAX, JOB_SERVICES_MAX, JOB_TEXT_LENGTH_MAX, JOB_TITLE_LENGTH_MAX,
        JobRequest,
    },
    money::Money,
};

use super::job::{Application, Service};
use crate::{accounts::rules::mailbox, kernel::error::field};

/// Highest fee, in minor units: what is typed wrongly is noticed.
const FEE_MAX: i64 = 1_000_000_000;

/// Checks an application against the services that are offered.
///
/// # Errors
/// With all that is wrong with it.
pub fn check(
    request: &JobRequest,
    offered: &[Service],
) -> Result<(Application, Vec<Service>), Vec<FieldError>> {
    let mut errors = Vec::new();
    let services = check_services(request, offered, &mut errors);
    let phone = line("/phone", &request.phone, JOB_PHONE_LENGTH_MAX, &mut errors);
    if phone.chars().filter(char::is_ascii_digit).count() < 6 && !phone.is_empty() {
        let detail = "this is no telephone number";
        errors.push(field("/phone", FieldErrorCode::Malformed, detail));
    }
    let email = request.email.trim();
    if !email.is_empty() && mailbox::to_ascii(email).is_err() {
        let detail = "this is no e-mail address";
        errors.push(field("/email", FieldErrorCode::Malformed, detail));
    }
    let title = line("/title", &request.title, JOB_TITLE_LENGTH_MAX, &mut errors);
    let body = match text("/body", &request.body) {
        Ok(body) => body,
        Err(error) => {
            errors.push(error);
            String::new()
        }
    };
    if !request.consent {
        let detail = "agree that engineers may use this for the job";
        errors.push(field("/consent", FieldErrorCode::Required, detail));
    }
    if !errors.is_empty() {
        return Err(errors);
    }
    let application = Application {
        phone,
        email: email.to_owned(),
        title,
        body,
    };
    Ok((application, services))
}

fn check_services(
    request: &JobRequest,
    offered: &[Service],
    errors: &mut Vec<FieldError>,
) -> Vec<Service> {
    let mut chosen: Vec<Service> = Vec::new();
    let mut refuse = |code, detail| errors.push(field("/services", code, detail));
    if request.services.is_empty() {
        refuse(FieldErrorCode::Required, "choose one or more");
    }
    if request.services.len() > JOB_SERVICES_MAX {
        let detail = format!("choose at most {JOB_SERVICES_MAX}");
        refuse(FieldErrorCode::TooMany, &detail);
        return chosen;
    }
    for code in &request.services {
        match offered.iter().find(|service| service.code == *code) {
            None => refuse(FieldErrorCode::Unknown, "this is not offered"),
            Some(_) if chosen.iter().any(|service| service.code == *code) => {
                refuse(FieldErrorCode::Duplicate, "choose each once");
            }
            Some(service) => chosen.push(service.clone()),
        }
    }
    chosen
}

/// One line that says something; empty with what is wrong noted.
fn line(pointer: &str, given: &str, most: usize, errors: &mut Vec<FieldError>) -> String {
    let text = given.trim();
    if text.is_empty() {
        errors.push(field(pointer, FieldErrorCode::Required, "fill this in"));
    } else if text.chars().count() > most {
        let detail = format!("at most {most} characters");
        errors.push(field(pointer, FieldErrorCode::TooLong, &detail));
    } else if text.contains(char::is_control) {
        let detail = "one line, without control characters";
        errors.push(field(pointer, FieldErrorCode::Malformed, detail));
    }
    text.to_owned()
}

/// Some lines that say something, with their ends as `\n`.
///
/// # Errors
/// What is wrong with it.
pub fn text(pointer: &str, given: &str) -> Result<String, FieldError> {
    let text = given.replace("\r\n", "\n");
    let text = text.trim();
    let is_odd = |c: char| c.is_control() && !matches!(c, '\n' | '\t');
    if text.is_empty() {
        Err(field(pointer, FieldErrorCode::Required, "say something"))
    } else if text.chars().count() > JOB_TEXT_LENGTH_MAX {
        let detail = format!("at most {JOB_TEXT_LENGTH_MAX} characters");
        Err(field(pointer, FieldErrorCode::TooLong, &detail))
    } else if text.contains(is_odd) {
        let detail = "text, without control characters";
        Err(field(pointer, FieldErrorCode::Malformed, detail))
    } else {
        Ok(text.to_owned())
    }
}

/// Whether a fee can be asked for: nothing or more, in the currency of the job.
#[must_use]
pub fn is_fee(fee: Money, of: Money) -> bool {
    fee.currency == of.currency && (0..=FEE_MAX).contains(&fee.amount)
}

#[cfg(test)]
mod tests {
    use innkeeper_wire::{
        id::{ServerId, uuid_v7},
        money::Currency,
        time::Timestamp,
    };

    use super::*;

    fn service(code: &str) -> Service {
        Service {
            code: code.parse().expect("a code"),
            name: code.to_owned(),
            help: String::new(),
            net: Money {
                amount: 30_000,
                currency: Currency::Krw,
            },
        }
    }

    fn request() -> JobRequest {
        JobRequest {
            server: ServerId::from_uuid(uuid_v7(Timestamp::from_millis(1), [1; 10])),
            services: vec!["web".parse().expect("a code")],
            phone: "+82 10 0000 0000".to_owned(),
            email: String::new(),
            title: " Set up the web server ".to_owned(),
            body: "Please install it.\r\nThank you.".to_owned(),
            consent: true,
        }
    }

    #[test]
    fn what_is_well_is_taken_without_its_blanks() {
        let offered = [service("web"), service("db")];
        let (application, services) = check(&request(), &offered).expect("it is well");
        assert_eq!(application.title, "Set up the web server");
        assert_eq!(application.body, "Please install it.\nThank you.");
        assert_eq!(services, [service("web")]);
    }

    #[test]
    fn all_that_is_wrong_is_told_at_its_field() {
        let offered = [service("web")];
        let code = |text: &str| text.parse().expect("a code");
        type Change = fn(&mut JobRequest);
        let cases: [(&str, FieldErrorCode, Change); 9] = [
            ("/services", FieldErrorCode::Required, |r| {
                r.services.clear()
            }),
            ("/phone", FieldErrorCode::Malformed, |r| {
                r.phone = "call me".to_owned()
            }),
            ("/phone", FieldErrorCode::Required, |r| r.phone.clear()),
            ("/email", FieldErrorCode::Malformed, |r| {
                r.email = "minji".to_owned()
            }),
            ("/title", FieldErrorCode::Required, |r| {
                r.title = " ".to_owned()
            }),
            ("/title", FieldErrorCode::TooLong, |r| {
                r.title = "가".repeat(101)
            }),
            ("/body", FieldErrorCode::Malformed, |r| {
                r.body = "\u{1b}[2J".to_owned()
            }),
            ("/body", FieldErrorCode::TooLong, |r| {
                r.body = "x".repeat(4_001)
            }),
            ("/consent", FieldErrorCode::Required, |r| r.consent = false),
        ];
        for (pointer, wrong, change) in cases {
            let mut request = request();
            change(&mut request);
            let errors = check(&request, &offered).expect_err(pointer);
            let found: Vec<_> = errors
                .iter()
                .map(|e| (e.pointer.as_str(), e.code))
                .collect();
            assert_eq!(found, [(pointer, wrong)]);
        }
        for (services, wrong) in [
            (vec![code("db")], FieldErrorCode::Unknown),
            (vec![code("web"), code("web")], FieldErrorCode::Duplicate),
            (vec![code("web"); 9], FieldErrorCode::TooMany),
        ] {
            let request = JobRequest {
                services,
                ..request()
            };
            let errors = check(&request, &offered).expect_err("it is wrong");
            assert_eq!(errors[0].code, wrong);
        }
    }

    #[test]
    fn a_fee_is_of_the_same_money_and_no_accident() {
        let of = service("web").net;
        for (amount, currency, is) in [
            (0, Currency::Krw, true),
            (FEE_MAX, Currency::Krw, true),
            (-1, Currency::Krw, false),
            (FEE_MAX + 1, Currency::Krw, false),
            (1, Currency::Eur, false),
        ] {
            assert_eq!(is_fee(Money { amount, currency }, of), is, "{amount}");
        }
    }
}
