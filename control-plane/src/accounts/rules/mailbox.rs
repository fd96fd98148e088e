//! Addresses of mail. What is stored, compared and hashed is one form, whatever was typed: the domain in ASCII (Punycode,
//! by UTS 46), as mail programs and other browsers send it. People are shown their own script.

use icu_properties::{CodePointMapData, props::Script};
use idna::uts46::{AsciiDenyList, DnsLength, Hyphens, Uts46};
use innkeeper_wire::error::{FieldError, FieldErrorCode};

use crate::kernel::field;

/// Longest address, in characters, as it is typed and in ASCII (RFC 5321).
const LENGTH_MAX: usize = innkeeper_wire::api::EMAIL_LENGTH_MAX;
/// The sign between a mailbox and its domain as Chinese and Korean input methods write it.
const WIDE_AT: char = '\u{ff20}';

/// Scripts that one word of a domain may mix (UTS 39, "highly restrictive"): others are mixed to look like something else.
const TOGETHER: [&[Script]; 3] = [
    &[
        Script::Latin,
        Script::Han,
        Script::Hiragana,
        Script::Katakana,
    ],
    &[Script::Latin, Script::Han, Script::Bopomofo],
    &[Script::Latin, Script::Han, Script::Hangul],
];

/// The address with its domain in ASCII, or what is wrong with it.
///
/// One `@`, a local part of 1 to 64 common characters, a domain with a dot. Narrower than RFC 5321 on purpose: what it
/// refuses (quotes, comments, literals) nobody signs up with, and it can't smuggle anything into a mail header.
pub fn to_ascii(typed: &str) -> Result<String, FieldError> {
    let refuse = |code, detail| Err(field("/email", code, detail));
    let typed = typed.trim();
    if typed.is_empty() {
        return refuse(FieldErrorCode::Required, "enter your e-mail address");
    }
    let too_long = "an address has at most 254 characters";
    if typed.chars().count() > LENGTH_MAX {
        return refuse(FieldErrorCode::TooLong, too_long);
    }
    let malformed = "this is not an e-mail address";
    let Some((local, domain)) = typed.split_once(['@', WIDE_AT]) else {
        return refuse(FieldErrorCode::Malformed, malformed);
    };
    if is_foreign(local) && !domain.contains(['@', WIDE_AT]) {
        let detail = "mails can't be sent to letters before @ that are not ASCII";
        return refuse(FieldErrorCode::BadMailbox, detail);
    }
    if !local_fits(local) || domain.contains(['@', WIDE_AT]) {
        return refuse(FieldErrorCode::Malformed, malformed);
    }
    let has_letters_of_its_own = !domain.is_ascii() || domain.to_ascii_lowercase().contains("xn--");
    let Some(domain) = domain_to_ascii(domain) else {
        return if has_letters_of_its_own || domain.ends_with('.') {
            let detail = "the part after @ is no domain: it ends in a dot, mixes scripts, or has signs that no domain has";
            refuse(FieldErrorCode::BadDomain, detail)
        } else {
            refuse(FieldErrorCode::Malformed, malformed)
        };
    };
    let address = format!("{local}@{domain}");
    if address.len() > LENGTH_MAX {
        return refuse(FieldErrorCode::TooLong, too_long);
    }
    Ok(address)
}

/// How an address is compared, whatever of it was typed. What is no address is nobody's, and stays what it is.
#[must_use]
pub fn canonical(typed: &str) -> String {
    match to_ascii(typed) {
        Ok(address) => address.to_ascii_lowercase(),
        Err(_) => typed.trim().to_lowercase(),
    }
}

/// Whether somebody who names himself means an address, and not an ID.
#[must_use]
pub fn is_meant(login: &str) -> bool {
    login.contains(['@', WIDE_AT])
}

/// An address for whoever has a link that went to it: he knows which of his own it is, and nobody else learns it.
#[must_use]
pub fn masked(address: &str) -> String {
    let shown = shown(address);
    let (local, domain) = shown.split_once('@').unwrap_or((&shown, ""));
    let first: String = local.chars().take(1).collect();
    format!("{first}***@{domain}")
}

/// An address as its owner would write it: with the domain in its own script, where that can be read.
#[must_use]
pub fn shown(address: &str) -> String {
    let Some((local, domain)) = address.split_once('@') else {
        return address.to_owned();
    };
    let bytes = domain.as_bytes();
    let (shown, is_valid) = Uts46::new().to_user_interface(
        bytes,
        AsciiDenyList::STD3,
        Hyphens::CheckFirstLast,
        is_of_one_script_of,
    );
    match is_valid {
        Ok(()) => format!("{local}@{shown}"),
        Err(_) => address.to_owned(),
    }
}

/// Whether it would be a local part, but for letters of other scripts than ours (RFC 6531): few mail servers take those,
/// and lettre hands over none.
fn is_foreign(local: &str) -> bool {
    let letter = |c: char| {
        if !c.is_ascii() && c.is_alphanumeric() {
            'a'
        } else {
            c
        }
    };
    let plain: String = local.chars().map(letter).collect();
    !local.is_ascii() && local.len() <= 64 && local_fits(&plain)
}

fn local_fits(local: &str) -> bool {
    let common = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~.".contains(&b);
    (1..=64).contains(&local.len())
        && local.bytes().all(common)
        && !local.starts_with('.')
        && !local.ends_with('.')
        && !local.contains("..")
}

/// A domain with a dot, none of whose words mixes scripts.
fn domain_to_ascii(domain: &str) -> Option<String> {
    let uts46 = Uts46::new();
    let rules = (AsciiDenyList::STD3, Hyphens::CheckFirstLast);
    let ascii = uts46
        .to_ascii(domain.as_bytes(), rules.0, rules.1, DnsLength::Verify)
        .ok()?;
    let mut is_plain = ascii.contains('.');
    let (_, is_valid) =
        uts46.to_user_interface(ascii.as_bytes(), rules.0, rules.1, |word, _, _| {
            is_plain &= is_of_one_script(word);
            true
        });
    (is_plain && is_valid.is_ok()).then(|| ascii.into_owned())
}

fn is_of_one_script_of(word: &[char], _top: &[char], _is_bidi: bool) -> bool {
    is_of_one_script(word)
}

/// Whether a word is of one script, or of some that people do mix.
fn is_of_one_script(word: &[char]) -> bool {
    let scripts = CodePointMapData::<Script>::new();
    let used: Vec<Script> = word
        .iter()
        .map(|c| scripts.get(*c))
        .filter(|script| ![Script::Common, Script::Inherited].contains(script))
        .collect();
    let are_one = used.windows(2).all(|pair| pair[0] == pair[1]);
    let are_among = |some: &&[Script]| used.iter().all(|script| some.contains(script));
    are_one || TOGETHER.iter().any(are_among)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_addresses_stay_as_they_are() {
        for plain in [
            "minji@example.com",
            "a+b.c@mail.example.co.kr",
            "Minji@ab--cd.example",
            &format!(
                "{}@{}.{}.example",
                "x".repeat(64),
                "y".repeat(63),
                "z".repeat(63)
            ),
        ] {
            assert_eq!(to_ascii(plain).as_deref(), Ok(plain));
            assert_eq!(canonical(plain), plain.to_lowercase());
            assert_eq!(shown(plain), plain);
        }
    }

    /// Row B23: an address in Hangul was refused, or was `xn--` everywhere and opened no account.
    #[test]
    fn a_domain_in_any_script_has_one_form_and_is_shown_in_its_own() {
        for (typed, ascii, own) in [
            ("minji@예시.kr", "minji@xn--vv4b11d.kr", "minji@예시.kr"),
            (
                "minji@xn--VV4B11D.KR",
                "minji@xn--vv4b11d.kr",
                "minji@예시.kr",
            ),
            // Decomposed, as a Mac has it; and with the wide signs of an input method.
            (
                "minji@\u{110b}\u{1168}\u{1109}\u{1175}.kr",
                "minji@xn--vv4b11d.kr",
                "minji@예시.kr",
            ),
            (
                "minji\u{ff20}예시\u{3002}kr",
                "minji@xn--vv4b11d.kr",
                "minji@예시.kr",
            ),
            (
                "wang@範例.台灣",
                "wang@xn--fsqy19h.xn--kpry57d",
                "wang@範例.台灣",
            ),
            (
                "a@BÜCHER.example",
                "a@xn--bcher-kva.example",
                "a@bücher.example",
            ),
            ("a@ｅｘａｍｐｌｅ.com", "a@example.com", "a@example.com"),
            (
                "Minji@Example.COM",
                "Minji@example.com",
                "Minji@example.com",
            ),
            ("a@lg전자.kr", "a@xn--lg-c28j3o.kr", "a@lg전자.kr"),
        ] {
            assert_eq!(to_ascii(typed).as_deref(), Ok(ascii), "{typed}");
            assert_eq!(canonical(typed), ascii.to_lowercase(), "{typed}");
            assert_eq!(shown(ascii), own);
        }
    }

    #[test]
    fn a_masked_address_is_known_by_its_owner_alone() {
        for (address, expected) in [
            ("k.minji90@example.com", "k***@example.com"),
            ("a@example.com", "a***@example.com"),
            ("minji@xn--vv4b11d.kr", "m***@예시.kr"),
        ] {
            assert_eq!(masked(address), expected);
        }
    }

    #[test]
    fn what_is_no_address_is_refused_with_what_is_wrong() {
        use FieldErrorCode::{BadDomain, BadMailbox, Malformed, Required, TooLong};
        let long = format!(
            "{}@{}.example",
            "x".repeat(64),
            vec!["y".repeat(60); 4].join(".")
        );
        for (typed, code) in [
            ("", Required),
            ("  ", Required),
            ("a", Malformed),
            ("a@b", Malformed),
            ("@b.co", Malformed),
            ("a@b.co\r\nBcc: x@y.zz", Malformed),
            ("a b@c.de", Malformed),
            ("\"a b\"@c.de", Malformed),
            ("a@-b.co", Malformed),
            ("a..b@c.de", Malformed),
            ("a@b@c.de", Malformed),
            ("a@[192.0.2.1]", Malformed),
            ("민지@예시.kr", BadMailbox),
            ("민지.kim@example.com", BadMailbox),
            ("王@example.com", BadMailbox),
            ("jos\u{e9}@example.com", BadMailbox),
            ("민 지@예시.kr", Malformed),
            ("민지@b@예시.kr", Malformed),
            ("\u{200b}a@example.com", Malformed),
            ("a@example.com.", BadDomain),
            ("a@예시.kr。", BadDomain),
            // Of Cyrillic letters, one of them.
            ("a@p\u{430}ypal.example", BadDomain),
            ("a@xn--pypal-4ve.example", BadDomain),
            ("a@xn--a.example", BadDomain),
            ("a@예시..kr", BadDomain),
            ("a@예시", BadDomain),
            ("a@예 시.kr", BadDomain),
            (&long, TooLong),
            (&format!("a@{}.kr", "예".repeat(400)), TooLong),
        ] {
            let refused = to_ascii(typed).expect_err(typed);
            assert_eq!(refused.code, code, "{typed:?}");
            assert_eq!(canonical(typed), typed.trim().to_lowercase());
        }
        for address in ["a@xn--a.example", "a@xn--pypal-4ve.example", "no address"] {
            assert_eq!(
                shown(address),
                address,
                "nobody is shown what can't be read"
            );
        }
    }
}
