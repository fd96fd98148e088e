//! What a sign-up must look like (R13, R14, R16-R19).

use innkeeper_wire::{
    api::{NAME_LENGTH_MAX, SignupRequest},
    error::{FieldError, FieldErrorCode},
    member::{ConsentText, SignUpTexts},
};

use crate::{
    accounts::rules::{mailbox, mobile, names},
    credentials::rules::password::{self, Owner},
    kernel::field,
};

/// IDs that nobody may take, since mails or pages could be mistaken for the hoster's.
const RESERVED_IDS: &[&str] = &[
    "admin",
    "administrator",
    "root",
    "support",
    "system",
    "billing",
    "operator",
    "engineer",
    "help",
    "security",
    "abuse",
    "postmaster",
    "webmaster",
    "hostmaster",
    "innkeeper",
    "official",
];

/// What the installation demands of a sign-up.
#[derive(Debug, Clone)]
pub struct SignupRules<'a> {
    /// Shortest password.
    pub password_length_min: usize,
    /// What is to be agreed to.
    pub texts: &'a SignUpTexts,
}

/// A sign-up as it is kept, its address and mobile number in the one form that they have here; or everything that is
/// wrong with it.
/// Whether its ID is taken only the store can tell.
pub fn check_signup(
    request: &SignupRequest,
    rules: &SignupRules<'_>,
) -> Result<SignupRequest, Vec<FieldError>> {
    let mut errors = Vec::new();
    errors.extend(check_login_id(&request.login_id));
    errors.extend(check_name("/name", &request.name, "enter your name"));
    let company = request.company.as_deref().unwrap_or_default();
    let company = request.kind.is_company().then(|| company.trim().to_owned());
    if let Some(company) = &company {
        let wanted = "enter the company's name";
        errors.extend(check_name("/company", company, wanted));
    }
    let email = mailbox::to_ascii(&request.email);
    let email = email
        .map_err(|error| errors.push(error))
        .unwrap_or_default();
    let mobile = request.mobile.as_deref().unwrap_or_default();
    let mobile = mobile::normal(mobile, request.locale)
        .map_err(|error| errors.push(error))
        .unwrap_or_default();
    let owner = Owner {
        login_id: &request.login_id,
        name: &request.name,
        email: &request.email,
        mobile: mobile.as_deref(),
    };
    let length_min = rules.password_length_min;
    errors.extend(password::check(&request.password, owner, length_min));
    let terms = &rules.texts.terms;
    errors.extend(check_consent(
        "/accepted_terms",
        &request.accepted_terms,
        terms,
    ));
    if let Some(text) = &rules.texts.personal_data {
        let accepted = request.accepted_personal_data.as_deref();
        let accepted = accepted.unwrap_or_default();
        errors.extend(check_consent("/accepted_personal_data", accepted, text));
    }
    if !errors.is_empty() {
        return Err(errors);
    }
    Ok(SignupRequest {
        name: request.name.trim().to_owned(),
        company,
        email,
        mobile,
        ..request.clone()
    })
}

/// That a text is agreed to in its present version.
pub(super) fn check_consent(
    pointer: &str,
    accepted: &str,
    text: &ConsentText,
) -> Option<FieldError> {
    if accepted.is_empty() {
        let detail = "agree to the text to go on";
        return Some(field(pointer, FieldErrorCode::Required, detail));
    }
    (accepted != text.version).then(|| {
        let detail = "the text has a new version; please read it";
        field(pointer, FieldErrorCode::Outdated, detail)
    })
}

fn check_login_id(login_id: &str) -> Option<FieldError> {
    let pointer = "/login_id";
    if login_id.is_empty() {
        return Some(field(pointer, FieldErrorCode::Required, "choose an ID"));
    }
    let length_fits = (5..=12).contains(&login_id.len());
    let characters_fit = login_id.bytes().all(|b| b.is_ascii_alphanumeric())
        && login_id.bytes().any(|b| b.is_ascii_alphabetic());
    if !length_fits || !characters_fit {
        let detail = "an ID has 5 to 12 letters and digits, at least one letter";
        return Some(field(pointer, FieldErrorCode::Malformed, detail));
    }
    RESERVED_IDS
        .contains(&login_id.to_ascii_lowercase().as_str())
        .then(|| field(pointer, FieldErrorCode::Reserved, "this ID is reserved"))
}

/// What is wrong with the name of a person or a company; `wanted` is said where it is empty.
pub(crate) fn check_name(pointer: &str, name: &str, wanted: &str) -> Option<FieldError> {
    if name.trim().is_empty() {
        return Some(field(pointer, FieldErrorCode::Required, wanted));
    }
    if name.chars().count() > NAME_LENGTH_MAX {
        let detail = "a name has at most 100 characters";
        return Some(field(pointer, FieldErrorCode::TooLong, detail));
    }
    if names::has_invisible(name) {
        let detail = "a name has no invisible characters";
        return Some(field(pointer, FieldErrorCode::InvisibleCharacters, detail));
    }
    names::has_link(name).then(|| field(pointer, FieldErrorCode::Link, "a name has no links"))
}

#[cfg(test)]
mod tests {
    use innkeeper_wire::{api::Locale, member::MemberKind};

    use super::*;

    fn request() -> SignupRequest {
        SignupRequest {
            kind: MemberKind::Individual,
            login_id: "minji90".to_owned(),
            name: "김민지".to_owned(),
            company: None,
            email: "minji@example.com".to_owned(),
            mobile: None,
            password: "violet-anchor-tundra-58".to_owned(),
            accepted_terms: "2026-01".to_owned(),
            accepted_personal_data: Some("2026-02".to_owned()),
            locale: Locale::Ko,
            plan: None,
        }
    }

    fn text(version: &str) -> ConsentText {
        ConsentText {
            version: version.to_owned(),
            lang: None,
            text: "Be kind.".to_owned(),
        }
    }

    fn checked(
        request: &SignupRequest,
        personal_data: Option<ConsentText>,
    ) -> Result<SignupRequest, Vec<FieldError>> {
        let texts = SignUpTexts {
            terms: text("2026-01"),
            personal_data,
            mobile_notice: None,
        };
        let rules = SignupRules {
            password_length_min: 15,
            texts: &texts,
        };
        check_signup(request, &rules)
    }

    #[track_caller]
    fn check(change: impl FnOnce(&mut SignupRequest), expected: &[(&str, FieldErrorCode)]) {
        let mut request = request();
        change(&mut request);
        let errors = checked(&request, Some(text("2026-02")));
        let errors = errors.err().unwrap_or_default();
        let found: Vec<_> = errors
            .iter()
            .map(|e| (e.pointer.as_str(), e.code))
            .collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn ids() {
        use FieldErrorCode::{Malformed, Required, Reserved};
        check(|_| {}, &[]);
        for good in ["abcde", "a1234", "ABCDEFGHIJKL"] {
            check(|r| good.clone_into(&mut r.login_id), &[]);
        }
        check(|r| r.login_id.clear(), &[("/login_id", Required)]);
        for bad in [
            "abcd",
            "abcdefghijklm",
            "12345",
            "min ji",
            "김민지님입니다",
            "a-b-c-d",
        ] {
            check(
                |r| bad.clone_into(&mut r.login_id),
                &[("/login_id", Malformed)],
            );
        }
        check(
            |r| "Admin".clone_into(&mut r.login_id),
            &[("/login_id", Reserved)],
        );
    }

    #[test]
    fn names_and_addresses() {
        use FieldErrorCode::{InvisibleCharacters, Link, Malformed, Required, TooLong};
        check(|r| "  ".clone_into(&mut r.name), &[("/name", Required)]);
        check(|r| r.name = "가".repeat(101), &[("/name", TooLong)]);
        for bad in ["a\nb", &"\u{200b}".repeat(50), "a\u{202e}b", "a\u{2028}b"] {
            check(
                |r| bad.clone_into(&mut r.name),
                &[("/name", InvisibleCharacters)],
            );
        }
        let link = "Your server is suspended! Pay now at https://evil.example/";
        check(|r| link.clone_into(&mut r.name), &[("/name", Link)]);
        check(|r| "a@b".clone_into(&mut r.email), &[("/email", Malformed)]);
        check(|r| "a+b.c@mail.example.co.kr".clone_into(&mut r.email), &[]);
    }

    #[test]
    fn kinds_with_a_company_name_it_and_others_have_none() {
        use FieldErrorCode::{InvisibleCharacters, Link, Required, TooLong};
        let of = |kind, company: &str| {
            let company = Some(company.to_owned());
            move |r: &mut SignupRequest| (r.kind, r.company) = (kind, company)
        };
        for kind in [MemberKind::Corporate, MemberKind::Partner] {
            check(|r| r.kind = kind, &[("/company", Required)]);
            check(of(kind, "  "), &[("/company", Required)]);
            check(of(kind, &"가".repeat(101)), &[("/company", TooLong)]);
            check(of(kind, "a\u{202e}b"), &[("/company", InvisibleCharacters)]);
            check(
                of(kind, "Win at https://evil.example/"),
                &[("/company", Link)],
            );
            let mut request = request();
            of(kind, " 주식회사 여관 ")(&mut request);
            let kept = checked(&request, None).expect("a company");
            assert_eq!(kept.company.as_deref(), Some("주식회사 여관"));
        }
        let mut request = request();
        of(MemberKind::Individual, "\u{202e}")(&mut request);
        let kept = checked(&request, None).expect("an individual");
        assert_eq!(kept.company, None);
    }

    #[test]
    fn a_mobile_number_may_be_given_and_gets_its_one_form() {
        use FieldErrorCode::{ContainsPersonalData, Malformed};
        let mut request = request();
        request.mobile = Some("010-1234-5678".to_owned());
        let kept = checked(&request, None).expect("a number");
        assert_eq!(kept.mobile.as_deref(), Some("+821012345678"));
        request.mobile = Some("  ".to_owned());
        assert_eq!(checked(&request, None).expect("none").mobile, None);
        check(
            |r| r.mobile = Some("call me".to_owned()),
            &[("/mobile", Malformed)],
        );
        let with_number = |r: &mut SignupRequest| {
            r.mobile = Some("010-1234-5678".to_owned());
            "violet-1234.5678-anchor".clone_into(&mut r.password);
        };
        check(with_number, &[("/password", ContainsPersonalData)]);
    }

    #[test]
    fn terms_and_personal_data_are_two_and_both_are_wanted() {
        use FieldErrorCode::{Outdated, Required};
        check(
            |r| r.accepted_terms.clear(),
            &[("/accepted_terms", Required)],
        );
        check(
            |r| "2025-01".clone_into(&mut r.accepted_terms),
            &[("/accepted_terms", Outdated)],
        );
        let pointer = "/accepted_personal_data";
        check(|r| r.accepted_personal_data = None, &[(pointer, Required)]);
        check(
            |r| r.accepted_personal_data = Some("2025-01".to_owned()),
            &[(pointer, Outdated)],
        );
        let mut request = request();
        request.accepted_personal_data = None;
        checked(&request, None).expect("there is no such text");
    }
}
