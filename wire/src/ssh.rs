//! What can be told of a text about SSH keys without reading a key. Every field of every form is asked, so the rule
//! stands where both the portal and the API have it.

use base64::{Engine as _, engine::general_purpose::STANDARD};

/// Ways to write a dash that word processors put in place of `-`.
const DASHES: [char; 6] = [
    '\u{2010}', '\u{2011}', '\u{2012}', '\u{2013}', '\u{2014}', '\u{2212}',
];

/// What nobody but the files of private keys says, without its white space and in capitals.
const MARKS: [&str; 6] = [
    // The end of a first line whose beginning was not copied.
    "PRIVATEKEY--",
    // PuTTY's files, of all versions.
    "PUTTY-USER-KEY-FILE-",
    "PRIVATE-LINES:",
    "PRIVATE-MAC:",
    // What OpenSSH's files and PKCS#8's of Ed25519 begin with in base64, when the first line was not copied.
    "B3BLBNNZAC1RZXKTDJE",
    "MC4CAQAWBQYDK2VW",
];

/// Characters of base64 at the beginning of a word that are looked at: enough for the head of any key.
const HEAD_LENGTH: usize = 64;
/// Fewer than this are no key's, nor do they tell one.
const HEAD_LENGTH_MIN: usize = 24;

/// Characters between `BEGIN` and `PRIVATE KEY`: the longest in use is `SSH2 ENCRYPTED`.
const KIND_LENGTH_MAX: usize = 24;

/// Whether a text is a private key or a part of one, in the forms of OpenSSH, PEM (PKCS#1, PKCS#8, SEC 1, PGP), SSH2 and
/// PuTTY (versions 1 to 3), with their first and last line or without. Line breaks may be lost, as they are in a field of one line, and dashes be replaced. Nobody
/// but its owner may have such a text: it is refused, and neither shown again nor logged.
#[must_use]
pub fn looks_like_private_key(text: &str) -> bool {
    let squashed = squashed(text);
    MARKS.iter().any(|mark| squashed.contains(mark))
        || has_private_frame(&squashed)
        || text.split_whitespace().any(begins_a_private_key)
}

/// Whether a word is the beginning of a private key in base64, without a first line that says so. No public key is one:
/// in OpenSSH's form it begins with the length of its type's name, in PEM with its algorithm or its modulus. (The secret lines
/// of PuTTY's files can't be told from the second half of a public key; what stands around them tells.)
fn begins_a_private_key(word: &str) -> bool {
    let is_base64 = |c: char| c.is_ascii_alphanumeric() || c == '+' || c == '/';
    let word = word.trim_start_matches(|c| !is_base64(c));
    let length = word.find(|c| !is_base64(c)).unwrap_or(word.len());
    if length < HEAD_LENGTH_MIN {
        return false;
    }
    let head = &word[..length.min(HEAD_LENGTH) / 4 * 4];
    let Ok(bytes) = STANDARD.decode(head) else {
        return false;
    };
    is_private_der(&bytes)
}

/// Whether DER begins as a private key does: PKCS#1, SEC 1 and PKCS#8 with a small version number and what follows it,
/// encrypted PKCS#8 with how it is encrypted (PKCS#5 and #12).
fn is_private_der(bytes: &[u8]) -> bool {
    const SEQUENCE: u8 = 0x30;
    const PKCS: [u8; 7] = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01];
    let Some(body) = content(bytes, SEQUENCE) else {
        return false;
    };
    if let [0x02, 0x01, 0 | 1, next, ..] = body {
        // An integer, an algorithm, the secret itself.
        return [0x02, SEQUENCE, 0x04].contains(next);
    }
    let scheme = content(body, SEQUENCE).and_then(|body| content(body, 0x06));
    let scheme = scheme.and_then(|scheme| scheme.strip_prefix(&PKCS));
    matches!(scheme, Some([0x05 | 0x0c, ..]))
}

/// What stands in a value of DER with this tag, as far as it is there.
fn content(bytes: &[u8], tag: u8) -> Option<&[u8]> {
    let (length, rest) = bytes.strip_prefix(&[tag])?.split_first()?;
    let more = if *length < 0x80 { 0 } else { length & 0x7f };
    rest.get(usize::from(more)..).filter(|_| more <= 3)
}

/// Without what can't be seen, in capitals, with plain dashes.
fn squashed(text: &str) -> String {
    let is_blank = |c: char| {
        c.is_whitespace()
            || c.is_control()
            || matches!(
                c,
                '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}'
            )
    };
    let mut squashed = String::with_capacity(text.len());
    for c in text.chars().filter(|c| !is_blank(*c)) {
        if DASHES.contains(&c) {
            // One of them often stands for two.
            squashed.push_str("--");
        } else {
            squashed.push(c.to_ascii_uppercase());
        }
    }
    squashed
}

/// Whether there is `-----BEGIN ... PRIVATE KEY` or the line at the end.
fn has_private_frame(squashed: &str) -> bool {
    ["--BEGIN", "--END"].iter().any(|frame| {
        squashed.match_indices(frame).any(|(at, _)| {
            let kind: String = squashed[at + frame.len()..]
                .chars()
                .take(KIND_LENGTH_MAX)
                .collect();
            kind.contains("PRIVATEKEY")
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    // The first lines of keys that were made for this test.
    const RSA_PKCS1: &str = "MIIEoQIBAAKCAQEAtMPWeLiRSeQnLUeUUNUoeDJYjR/+F9vPyTodbOf6diPXYHXP";
    const RSA_PKCS8: &str = "MIIEuwIBADANBgkqhkiG9w0BAQEFAASCBKUwggShAgEAAoIBAQC0w9Z4uJFJ5Cct";
    const RSA_ENCRYPTED: &str = "MIIFHTBXBgkqhkiG9w0BBQ0wSjApBgkqhkiG9w0BBQwwHAQIUybKZRqygkgCAggA";
    const EC_PKCS8: &str = "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgN3tozUyqfRZ1Wxrh";
    const EC_SEC1: &str = "MHcCAQEEIDd7aM1Mqn0WdVsa4eJpyPp7R7KqKIVJcJsoxIh+/wTvoAoGCCqGSM49";
    const EC_521: &str = "MIHcAgEBBEIA4YBaBMUktTylGnp/efpTyDYZo3kXQUHZTKO/j83zKNM0emL+UoI1";
    const ED_PKCS8: &str = "MC4CAQAwBQYDK2VwBCIEIMtYmG0ZvD41oStBrvlf1Pes9sTwirEO3IqY324JTyM3";
    // Whole public keys and certificates, with blanks in place of line breaks.
    const PUBLIC: &[&str] = &[
        concat!(
            "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAtMPWeLiRSeQnLUeUUNUo eDJYjR/+F9vPyTodbOf6diPXYHXPt6U",
            "ZNDi6M7pQX9wNoqeF8ckXGtGxsdKtBlIW E8f/wC+n8p/izIBS+5VRLLY6D01SmUTltJFUzxV86xe6xhWGOI8XWmCkV3AJns",
            "9Z B6zeke3LO1l4857kwiXLbYpnG52yNHY8dZ3JdRcjeqtj4v5mfN3sSffRiff/59yQ oZz/enXwihGDUmCUfjnog97jGuoH",
            "ffYVVs8xp47ufq+GD7B5A34PGJGq4WwIvjx1 ZfSljAR/jxyCpm86p/DeJCDEzf3ivs4YB5X1fGQ1Ums9reswl2nUASMLXJx",
            "BVM5a 7QIDAQAB",
        ),
        concat!(
            "MIIBCgKCAQEAtMPWeLiRSeQnLUeUUNUoeDJYjR/+F9vPyTodbOf6diPXYHXPt6UZ NDi6M7pQX9wNoqeF8ckXGtGxsdKtBlI",
            "WE8f/wC+n8p/izIBS+5VRLLY6D01SmUTl tJFUzxV86xe6xhWGOI8XWmCkV3AJns9ZB6zeke3LO1l4857kwiXLbYpnG52yNH",
            "Y8 dZ3JdRcjeqtj4v5mfN3sSffRiff/59yQoZz/enXwihGDUmCUfjnog97jGuoHffYV Vs8xp47ufq+GD7B5A34PGJGq4WwI",
            "vjx1ZfSljAR/jxyCpm86p/DeJCDEzf3ivs4Y B5X1fGQ1Ums9reswl2nUASMLXJxBVM5a7QIDAQAB",
        ),
        concat!(
            "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEkFQ/ZCzYy3/f4c23GoaOVlV4t85o e1W1FSprvUoGAmjX47lUWvR5drNgFDD",
            "sDXFmwVW50cj+bguwB1+Ef8VuYA==",
        ),
        "MCowBQYDK2VwAyEA7XVwbQv0R0JHZadQTX3Otw9J0c8oD4uxnIrtecsxAAw=",
        concat!(
            "MIIBbDCCAROgAwIBAgIUCKCnL/yuf4uc3t+WyYbV2gZ7UU8wCgYIKoZIzj0EAwIw DDEKMAgGA1UEAwwBeDAeFw0yNjExMjk",
            "wNzUzNDBaFw0yNjEyMjkwNzUzNDBaMAwx CjAIBgNVBAMMAXgwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAASQVD9kLNjLf9",
            "/h zbcaho5WVXi3zmh7VbUVKmu9SgYCaNfjuVRa9Hl2s2AUMOwNcWbBVbnRyP5uC7AH X4R/xW5go1MwUTAdBgNVHQ4EFgQU",
            "ZaBtr08uAtKtqawOIbCzg7Au9FcwHwYDVR0j BBgwFoAUZaBtr08uAtKtqawOIbCzg7Au9FcwDwYDVR0TAQH/BAUwAwEB/zA",
            "KBggq hkjOPQQDAgNHADBEAiAyaKqkkEYaJeFK9QI9H+EztkelNklJs/j0JRX4YnDqkgIg KKU4dKn1PsD4455AqqXxqOHh0",
            "E3KZX1KNbEZx78GyLo=",
        ),
        concat!(
            "MIHFMG4CAQAwDDEKMAgGA1UEAwwBeDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IA BJBUP2Qs2Mt/3+HNtxqGjlZVeLfOaHt",
            "VtRUqa71KBgJo1+O5VFr0eXazYBQw7A1x ZsFVudHI/m4LsAdfhH/FbmCgADAKBggqhkjOPQQDAgNHADBEAiA3fx1hhBLh2H",
            "IN GZjhE+8jpt0KbditKySuFUOjd2uVHQIgCLQsBBOOkXIBYmZ6xnPOfiwlBYA1grsR ZMM03302yzU=",
        ),
        concat!(
            "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBLtsgyCN6cXLxgb0NXU/u2Uq",
            "zmOlzdBQZQ8+tE+jMYUDFZFfKmtMx/2HxZTcbFGYm6L99q1xzhR0ZM77QothjDo= x",
        ),
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILuDmfazw6FlBnFAoImgPQEuPSrBIs+7E+GjKoAaVr7k x",
        concat!(
            "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABgQC3+clYaV4WyywF/XDyz5TSpHadC6OFOMj9TbuRAYhZ/BF26zMm9WfcAgO3",
            "QvjhL+uPiDISq/3gqoYsn871ARRcEL1TOptlIPFbot95jpcMkfUzhDNFJY9oeeNcg2CtY3bwuNWSNhS40NuNmAc0vlt9GY55",
            "jgaW991iPgVQcwrCkNd4guKVNC3ZEHFUGuTzwK98cyHa4MYfNExGXBO0fsstz5OyWgdYZbHjMv0ORME+wjAfbLWoO7jAiZ67",
            "Fkn38I0wMZt7yfeohcCz5pGKiaRRYHzdVJ+LWZoBFI3Y3Q+fVI3xPiGBwuwOwUGcTu72UTaMpBvqzcVNGK7e0G4SrrxV2vVd",
            "Q3tngQOCufKBRvyOWsxxOiZg3cq8hyowSum5uHUqgBxHSIeZaV+QiT1B4aSUErTKUEMM8EBLQ6pFiTE9miGXPcjIsO71LWJc",
            "wQL2dOwL7CgRLWcEmRBFkvh26vWL3FqOpvVxLA5liMn8YSSNi/y467mTZblrCKHAjJzy8Nk= x",
        ),
        concat!(
            "ssh-ed25519-cert-v01@openssh.com AAAAIHNzaC1lZDI1NTE5LWNlcnQtdjAxQG9wZW5zc2guY29tAAAAILwO80TmR/2",
            "PiUvhBatnLHJ+OpY6r5U3Pb4YRpKzmCNqAAAAILuDmfazw6FlBnFAoImgPQEuPSrBIs+7E+GjKoAaVr7kAAAAAAAAAAAAAAA",
            "BAAAAAXgAAAAFAAAAAXgAAAAAAAAAAP//////////AAAAAAAAAIIAAAAVcGVybWl0LVgxMS1mb3J3YXJkaW5nAAAAAAAAABd",
            "wZXJtaXQtYWdlbnQtZm9yd2FyZGluZwAAAAAAAAAWcGVybWl0LXBvcnQtZm9yd2FyZGluZwAAAAAAAAAKcGVybWl0LXB0eQA",
            "AAAAAAAAOcGVybWl0LXVzZXItcmMAAAAAAAAAAAAAADMAAAALc3NoLWVkMjU1MTkAAAAgu4OZ9rPDoWUGcUCgiaA9AS49KsE",
            "iz7sT4aMqgBpWvuQAAABTAAAAC3NzaC1lZDI1NTE5AAAAQOh6BiPr0f0wtyJYv6LE+13TwM9Y4SfH6ol4tipClMEbGOJSacz",
            "DEJN9zSN1SsRQ2qrXKi8trfYFLL4wBTHhGwQ= x",
        ),
    ];

    /// Finding #7: files of PuTTY were taken for something else, and shown again.
    #[test]
    fn private_keys_of_every_program_are_known() {
        for text in [
            "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNz",
            "-----BEGIN RSA PRIVATE KEY-----\nMIIE",
            "-----BEGIN PRIVATE KEY-----\nMC4C",
            "-----BEGIN ENCRYPTED PRIVATE KEY-----",
            "-----BEGIN EC PRIVATE KEY-----",
            "-----BEGIN PGP PRIVATE KEY BLOCK-----",
            "---- BEGIN SSH2 ENCRYPTED PRIVATE KEY ----",
            "PuTTY-User-Key-File-2: ssh-rsa\r\nEncryption: none",
            "PuTTY-User-Key-File-3: ssh-ed25519\nEncryption: aes256-cbc",
            // Parts of one.
            "Private-Lines: 1\nAAAAIB\nPrivate-MAC: 0011",
            "BEGIN OPENSSH PRIVATE KEY-----",
            "AAAA\n-----END RSA PRIVATE KEY-----",
            "b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQ",
            "MC4CAQAwBQYDK2VwBCIEIJ1h",
            // As other programs change it.
            "\u{feff}  \u{2014}\u{2013}BEGIN OPENSSH\u{a0}PRIVATE\u{a0}KEY\u{2014}",
            "-----BEGIN OPENSSH PRIVATE KEY-----b3BlbnNzaC1r",
            "-----begin openssh private key-----",
        ] {
            assert!(looks_like_private_key(text), "{text:?}");
        }
    }

    /// Somebody copies what stands between the first and the last line.
    #[test]
    fn private_keys_without_their_frame_are_known() {
        for (kind, text) in [
            ("PKCS#1, RSA", RSA_PKCS1),
            ("PKCS#8, RSA", RSA_PKCS8),
            ("PKCS#8, RSA, encrypted", RSA_ENCRYPTED),
            ("PKCS#8, P-256", EC_PKCS8),
            ("SEC 1, P-256", EC_SEC1),
            ("SEC 1, P-521", EC_521),
            ("PKCS#8, Ed25519", ED_PKCS8),
        ] {
            assert!(looks_like_private_key(text), "{kind}");
            for around in [
                format!("  {text}"),
                format!("> {text}"),
                format!("\"{text}\""),
                format!("key: {text}"),
            ] {
                assert!(looks_like_private_key(&around), "{kind}: {around}");
            }
        }
    }

    #[test]
    fn no_public_key_without_its_frame_is_taken_for_one() {
        for text in PUBLIC {
            assert!(!looks_like_private_key(text), "{text}");
        }
        // Nor any part of one, cut as a wrapped line cuts it.
        for text in PUBLIC {
            let body: String = text
                .split_whitespace()
                .max_by_key(|word| word.len())
                .expect("a word")
                .to_owned();
            for at in 0..body.len() {
                assert!(!looks_like_private_key(&body[at..]), "{}", &body[at..]);
            }
        }
    }

    #[test]
    fn nothing_else_is_taken_for_one() {
        for text in [
            "",
            "private key of my laptop",
            "send-private-key",
            "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ5dZgJ0Vw1x8q2L5cT3m6rVQm0hS7aG1qfYx0Yy7b1K ppk",
            "---- BEGIN SSH2 PUBLIC KEY ----\nComment: \"a private key's other half\"",
            "-----BEGIN PUBLIC KEY-----",
            "-----BEGIN CERTIFICATE-----",
        ] {
            assert!(!looks_like_private_key(text), "{text:?}");
        }
    }
}
