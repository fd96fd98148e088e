//! What a billing profile must look like (R47, R48, R54).

use innkeeper_wire::{
    api::{Locale, NAME_LENGTH_MAX},
    billing_profile::{
        ADDRESS_LENGTH_MAX, BillingDetails, INVOICE_EMAILS_MAX, POSTAL_CODE_LENGTH_MAX, PayerKind,
        TAX_ID_LENGTH_MAX,
    },
    country::Country,
    error::{FieldError, FieldErrorCode},
    member::MemberKind,
};

use super::tax_number::{self, Wrong};
use crate::{
    accounts::rules::{mailbox, mobile, names, sign_up::check_name},
    kernel::field,
};

/// The details as they are kept, their numbers and addresses in the one form that they have here; or everything that is wrong
/// with them.
pub fn check(
    details: &BillingDetails,
    member: MemberKind,
) -> Result<BillingDetails, Vec<FieldError>> {
    let mut errors = Vec::new();
    let country = details.country.trim().to_ascii_uppercase();
    let is_business = details.kind == PayerKind::Corporate;
    if member.is_company() && !is_business {
        let detail = "the account of a company pays as a business";
        errors.push(field("/kind", FieldErrorCode::Wrong, detail));
    }
    errors.extend(check_name("/name", &details.name, "enter the name"));
    errors.extend(check_country(&country));
    let postal_code = check_postal_code(details.postal_code.as_deref(), &mut errors);
    let address = check_address(&details.address, &mut errors);
    let business_number = check_business_number(details, &country, &mut errors);
    let corporate_number = check_corporate_number(details, &country, &mut errors);
    let representative = details.representative.as_deref();
    let representative = check_person("/representative", details, representative, &mut errors);
    let contact = details.contact.as_deref();
    let contact = check_person("/contact", details, contact, &mut errors);
    if is_business && contact.is_none() {
        let detail = "say who is asked about invoices";
        errors.push(field("/contact", FieldErrorCode::Required, detail));
    }
    let mobile = check_telephone("/mobile", &details.mobile, &country, &mut errors);
    if details.mobile.trim().is_empty() {
        let detail = "enter a mobile number";
        errors.push(field("/mobile", FieldErrorCode::Required, detail));
    }
    let landline = details.landline.as_deref().unwrap_or_default();
    let landline = check_telephone("/landline", landline, &country, &mut errors);
    let emails = check_emails(&details.emails, &mut errors);
    if !errors.is_empty() {
        return Err(errors);
    }
    Ok(BillingDetails {
        kind: details.kind,
        name: details.name.trim().to_owned(),
        country,
        postal_code,
        address,
        business_number,
        corporate_number,
        representative,
        contact,
        mobile: mobile.unwrap_or_default(),
        landline,
        emails,
    })
}

/// A text without the blanks around it; none when nothing is left.
fn given(text: Option<&str>) -> Option<&str> {
    text.map(str::trim).filter(|text| !text.is_empty())
}

fn check_country(country: &str) -> Option<FieldError> {
    if country.is_empty() {
        let detail = "choose the country of the address";
        return Some(field("/country", FieldErrorCode::Required, detail));
    }
    Country::of(country).is_none().then(|| {
        let detail = "this is no code of a country (ISO 3166-1 alpha-2)";
        field("/country", FieldErrorCode::Unknown, detail)
    })
}

fn check_postal_code(code: Option<&str>, errors: &mut Vec<FieldError>) -> Option<String> {
    let code = given(code)?;
    if code.chars().count() > POSTAL_CODE_LENGTH_MAX {
        let detail = "a postal code has at most 16 characters";
        errors.push(field("/postal_code", FieldErrorCode::TooLong, detail));
    }
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, ' ' | '-');
    if !code.chars().all(is_plain) {
        let detail = "a postal code has letters, digits, blanks and hyphens";
        errors.push(field("/postal_code", FieldErrorCode::Malformed, detail));
    }
    Some(code.to_owned())
}

/// An address of any country, without empty lines.
fn check_address(address: &str, errors: &mut Vec<FieldError>) -> String {
    let mut refuse = |code, detail| errors.push(field("/address", code, detail));
    let lines = address.lines().map(str::trim);
    let lines: Vec<_> = lines.filter(|line| !line.is_empty()).collect();
    if lines.is_empty() {
        refuse(FieldErrorCode::Required, "enter the address");
    }
    if address.chars().count() > ADDRESS_LENGTH_MAX {
        let detail = "an address has at most 300 characters";
        refuse(FieldErrorCode::TooLong, detail);
    }
    if lines.iter().any(|line| names::has_invisible(line)) {
        let detail = "an address has no invisible characters";
        refuse(FieldErrorCode::InvisibleCharacters, detail);
    }
    lines.join("\n")
}

fn check_business_number(
    details: &BillingDetails,
    country: &str,
    errors: &mut Vec<FieldError>,
) -> Option<String> {
    let pointer = "/business_number";
    let number = given(details.business_number.as_deref());
    if details.kind == PayerKind::Individual {
        errors.extend(number.map(|_| of_businesses_alone(pointer)));
        return None;
    }
    let is_known = matches!(country, "KR" | "TW");
    let Some(number) = number else {
        if is_known {
            let detail = "enter the number of the business: its invoices must have it";
            errors.push(field(pointer, FieldErrorCode::Required, detail));
        }
        return None;
    };
    let checked = match country {
        "KR" => tax_number::kr_business(number),
        "TW" => tax_number::tw_business(number),
        _ => free_number(number),
    };
    read_number(pointer, checked, errors)
}

fn check_corporate_number(
    details: &BillingDetails,
    country: &str,
    errors: &mut Vec<FieldError>,
) -> Option<String> {
    let pointer = "/corporate_number";
    let number = given(details.corporate_number.as_deref())?;
    if details.kind == PayerKind::Individual {
        errors.push(of_businesses_alone(pointer));
        return None;
    }
    if country != "KR" {
        let detail = "companies in Korea alone have this number";
        errors.push(field(pointer, FieldErrorCode::Wrong, detail));
        return None;
    }
    read_number(pointer, tax_number::kr_corporate(number), errors)
}

fn read_number(
    pointer: &str,
    checked: Result<String, Wrong>,
    errors: &mut Vec<FieldError>,
) -> Option<String> {
    checked
        .map_err(|(code, detail)| errors.push(field(pointer, code, detail)))
        .ok()
}

/// A number of a country whose numbers nobody here knows.
fn free_number(number: &str) -> Result<String, Wrong> {
    if number.chars().count() > TAX_ID_LENGTH_MAX {
        let detail = "a tax number has at most 32 characters";
        return Err((FieldErrorCode::TooLong, detail));
    }
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, ' ' | '-' | '.' | '/');
    if !number.chars().all(is_plain) {
        let detail = "a tax number has letters, digits, blanks, hyphens, dots and slashes";
        return Err((FieldErrorCode::Malformed, detail));
    }
    Ok(number.to_owned())
}

fn of_businesses_alone(pointer: &str) -> FieldError {
    let detail = "a business alone has this";
    field(pointer, FieldErrorCode::Wrong, detail)
}

/// Somebody of a business.
fn check_person(
    pointer: &str,
    details: &BillingDetails,
    name: Option<&str>,
    errors: &mut Vec<FieldError>,
) -> Option<String> {
    let name = given(name)?;
    if details.kind == PayerKind::Individual {
        errors.push(of_businesses_alone(pointer));
        return None;
    }
    errors.extend(check_name(pointer, name, "enter the name"));
    Some(name.to_owned())
}

/// In the form of E.164. Without the country's code it is one of the address' country.
fn check_telephone(
    pointer: &str,
    typed: &str,
    country: &str,
    errors: &mut Vec<FieldError>,
) -> Option<String> {
    let locale = match country {
        "KR" => Locale::Ko,
        "TW" => Locale::ZhHant,
        _ => Locale::En,
    };
    let number = mobile::normal(typed, locale);
    let refuse = |error| {
        errors.push(FieldError {
            pointer: pointer.to_owned(),
            ..error
        });
    };
    number.map_err(refuse).ok().flatten()
}

fn check_emails(emails: &[String], errors: &mut Vec<FieldError>) -> Vec<String> {
    let mut kept = Vec::new();
    for (place, email) in emails.iter().enumerate() {
        if email.trim().is_empty() {
            continue;
        }
        match mailbox::to_ascii(email) {
            Ok(email) if kept.contains(&email) => {}
            Ok(email) => kept.push(email),
            Err(error) => errors.push(FieldError {
                pointer: format!("/emails/{place}"),
                ..error
            }),
        }
    }
    if emails.iter().all(|email| email.trim().is_empty()) {
        let detail = "enter an address that invoices go to";
        errors.push(field("/emails", FieldErrorCode::Required, detail));
    }
    if kept.len() > INVOICE_EMAILS_MAX {
        let detail = "invoices go to at most 5 addresses";
        errors.push(field("/emails", FieldErrorCode::TooMany, detail));
    }
    kept
}

const _: () = assert!(NAME_LENGTH_MAX == 100, "the descriptions of fields say so");

#[cfg(test)]
mod tests {
    use super::*;

    fn person() -> BillingDetails {
        BillingDetails {
            kind: PayerKind::Individual,
            name: " 김민지 ".to_owned(),
            country: "kr".to_owned(),
            postal_code: Some("04524".to_owned()),
            address: "서울특별시 중구\r\n\r\n 세종대로 1 ".to_owned(),
            mobile: "010-1234-5678".to_owned(),
            landline: Some("02 123 4567".to_owned()),
            emails: vec!["minji@example.com".to_owned(), " ".to_owned()],
            ..BillingDetails::default()
        }
    }

    fn business() -> BillingDetails {
        BillingDetails {
            kind: PayerKind::Corporate,
            name: "주식회사 보기".to_owned(),
            business_number: Some("124-81-00998".to_owned()),
            corporate_number: Some("130111-0006246".to_owned()),
            representative: Some("홍길동".to_owned()),
            contact: Some("김민지".to_owned()),
            ..person()
        }
    }

    #[test]
    fn details_get_one_form() {
        let kept = check(&person(), MemberKind::Individual).expect("right");
        assert_eq!(
            kept,
            BillingDetails {
                name: "김민지".to_owned(),
                country: "KR".to_owned(),
                address: "서울특별시 중구\n세종대로 1".to_owned(),
                mobile: "+821012345678".to_owned(),
                landline: Some("+8221234567".to_owned()),
                emails: vec!["minji@example.com".to_owned()],
                ..person()
            }
        );
        let kept = check(&business(), MemberKind::Corporate).expect("right");
        assert_eq!(kept.business_number.as_deref(), Some("1248100998"));
        assert_eq!(kept.corporate_number.as_deref(), Some("1301110006246"));
        assert_eq!(
            check(&kept, MemberKind::Corporate),
            Ok(kept.clone()),
            "again"
        );
        // Somebody who works for himself.
        assert_eq!(check(&business(), MemberKind::Individual), Ok(kept));
    }

    #[track_caller]
    fn wrong(details: &BillingDetails, expected: &[(&str, FieldErrorCode)]) {
        let errors = check(details, MemberKind::Individual);
        let errors = errors.err().unwrap_or_default();
        let found: Vec<_> = errors
            .iter()
            .map(|e| (e.pointer.as_str(), e.code))
            .collect();
        assert_eq!(found, expected);
    }

    fn changed(mut details: BillingDetails, change: fn(&mut BillingDetails)) -> BillingDetails {
        change(&mut details);
        details
    }

    fn text(text: &str) -> Option<String> {
        Some(text.to_owned())
    }

    #[test]
    fn what_is_wrong_with_anybody_is_said_of_its_field() {
        use FieldErrorCode::{
            InvisibleCharacters, Malformed, Required, TooLong, TooMany, Unknown, Wrong,
        };
        let nothing = ["/name", "/country", "/address", "/mobile", "/emails"];
        wrong(
            &BillingDetails::default(),
            &nothing.map(|field| (field, Required)),
        );
        let elsewhere = changed(person(), |d| "XX".clone_into(&mut d.country));
        let without_country = [
            ("/country", Unknown),
            ("/mobile", Malformed),
            ("/landline", Malformed),
        ];
        wrong(&elsewhere, &without_country);
        type Change = fn(&mut BillingDetails);
        for (change, pointer, code) in [
            (
                (|d| d.postal_code = Some("0".repeat(17))) as Change,
                "/postal_code",
                TooLong,
            ),
            (|d| d.postal_code = text("〒1"), "/postal_code", Malformed),
            (|d| d.address = "가".repeat(301), "/address", TooLong),
            (
                |d| d.address = "a\u{202e}b".to_owned(),
                "/address",
                InvisibleCharacters,
            ),
            (
                |d| d.business_number = text("1248100998"),
                "/business_number",
                Wrong,
            ),
            (
                |d| d.corporate_number = text("1"),
                "/corporate_number",
                Wrong,
            ),
            (|d| d.contact = text("x"), "/contact", Wrong),
            (|d| d.landline = text("call"), "/landline", Malformed),
            (
                |d| d.emails.insert(0, "b".to_owned()),
                "/emails/0",
                Malformed,
            ),
            (
                |d| d.emails = (0..6).map(|n| format!("a{n}@example.com")).collect(),
                "/emails",
                TooMany,
            ),
        ] {
            wrong(&changed(person(), change), &[(pointer, code)]);
        }
    }

    #[test]
    fn what_is_wrong_with_a_business_is_said_of_its_field() {
        use FieldErrorCode::{CheckDigit, InvisibleCharacters, Malformed, Required};
        type Change = fn(&mut BillingDetails);
        for (change, pointer, code) in [
            (
                (|d| d.business_number = None) as Change,
                "/business_number",
                Required,
            ),
            (
                |d| d.business_number = text("1248100997"),
                "/business_number",
                CheckDigit,
            ),
            (
                |d| d.corporate_number = text("13"),
                "/corporate_number",
                Malformed,
            ),
            (|d| d.contact = None, "/contact", Required),
            (
                |d| d.contact = text("a\u{200b}"),
                "/contact",
                InvisibleCharacters,
            ),
        ] {
            wrong(&changed(business(), change), &[(pointer, code)]);
        }
    }

    #[test]
    fn each_country_has_numbers_of_its_own() {
        let of = |country: &str, number: Option<&str>| {
            let details = BillingDetails {
                country: country.to_owned(),
                business_number: number.map(str::to_owned),
                corporate_number: None,
                mobile: "+49 151 23456789".to_owned(),
                landline: None,
                ..business()
            };
            let checked = check(&details, MemberKind::Partner);
            checked
                .map(|details| details.business_number)
                .map_err(|errors| errors[0].code)
        };
        assert_eq!(of("TW", Some("04595257")), Ok(Some("04595257".to_owned())));
        assert_eq!(of("TW", None), Err(FieldErrorCode::Required));
        assert_eq!(of("TW", Some("1248100998")), Err(FieldErrorCode::Malformed));
        assert_eq!(of("DE", None), Ok(None));
        assert_eq!(
            of("DE", Some("DE 123/456")),
            Ok(Some("DE 123/456".to_owned()))
        );
        assert_eq!(of("DE", Some("=1+1")), Err(FieldErrorCode::Malformed));
        let elsewhere = BillingDetails {
            country: "TW".to_owned(),
            business_number: Some("04595257".to_owned()),
            ..business()
        };
        wrong(&elsewhere, &[("/corporate_number", FieldErrorCode::Wrong)]);
        let errors = check(&person(), MemberKind::Corporate).expect_err("of a company");
        assert_eq!(errors[0].pointer, "/kind");
    }
}
