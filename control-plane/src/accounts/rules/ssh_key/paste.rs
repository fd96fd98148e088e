//! What people paste when they are asked for a public key: the line of a `.pub` file, with what mail, chat, terminals and
//! word processors do to it, or a file of another program. Made into one line, or refused with what it is instead.
//!
//! Nothing is guessed: what is mended names the same key, and the line that is kept is written anew from its data.

use innkeeper_wire::{
    error::{FieldError, FieldErrorCode},
    ssh::looks_like_private_key,
};

use crate::{accounts::rules::names, kernel::field};

/// What all keys begin with in base64: the length of a short name.
const BLOB: &str = "AAAA";
/// Pieces that one key may have been cut into: one of 16,384 bits has 44 lines of 64 characters.
const PIECES_MAX: usize = 100;
/// Frame of a key in SSH2's own form (RFC 4716), without the dashes.
const SSH2_BEGIN: &str = "BEGIN SSH2 PUBLIC KEY";
const SSH2_END: &str = "END SSH2 PUBLIC KEY";

/// A key that was found in a paste, not yet read: whether it is one the base64 tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    /// Such as `ssh-ed25519`; `None` when only the base64 says.
    pub(super) kind: Option<String>,
    /// What may be its base64, longest last. Where the key was cut by white space nobody says, and the comment may look
    /// like more of it.
    pub(super) candidates: Vec<Candidate>,
}

/// One way to read a paste.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Candidate {
    pub(super) base64: String,
    pub(super) comment: String,
}

/// Finds the key in a paste.
pub(super) fn find(text: &str) -> Result<Found, FieldError> {
    let refuse = |code, detail| Err(field("/public_key", code, detail));
    if looks_like_private_key(text) {
        let detail = "this is a private key: keep it secret, and paste the public key instead (the .pub file, or the upper \
                      box of PuTTYgen)";
        return refuse(FieldErrorCode::PrivateKey, detail);
    }
    let text = plain(text);
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    if lines.iter().all(|line| line.is_empty()) {
        return refuse(FieldErrorCode::Required, "paste a public key");
    }
    let frames = text.matches(SSH2_BEGIN).count();
    let words: Vec<&str> = lines
        .iter()
        .filter(|line| !line.starts_with('#'))
        .flat_map(|line| line.split_whitespace())
        .collect();
    let starts: Vec<usize> = (0..words.len())
        .filter(|at| is_start(&words[*at..]))
        .collect();
    if starts.len() + frames > 1 {
        return refuse(
            FieldErrorCode::SeveralKeys,
            "there are several keys: add one at a time",
        );
    }
    if frames == 1 {
        return of_ssh2(&lines);
    }
    let Some(start) = starts.first() else {
        return if words
            .first()
            .is_some_and(|word| word.eq_ignore_ascii_case("ssh-dss"))
        {
            refuse(FieldErrorCode::UnsafeKey, super::DSA)
        } else {
            refuse(FieldErrorCode::Malformed, super::MALFORMED)
        };
    };
    let kind = words[*start].to_ascii_lowercase();
    if kind.contains("-cert-v") {
        let detail = "this is a certificate: paste the key that it is for, the .pub file without -cert in its name";
        return refuse(FieldErrorCode::Certificate, detail);
    }
    if *start > 0 {
        let detail = "leave out what stands in front of the key: options have no effect here";
        return refuse(FieldErrorCode::KeyOptions, detail);
    }
    Ok(Found {
        kind: Some(kind),
        candidates: candidates(&words[1..]),
    })
}

/// Whether a key begins here: its kind, and then its base64.
fn is_start(words: &[&str]) -> bool {
    let [kind, blob, ..] = words else {
        return false;
    };
    let kind = kind.to_ascii_lowercase();
    ["ssh-", "ecdsa-", "sk-"]
        .iter()
        .any(|family| kind.starts_with(family))
        && blob.starts_with(BLOB)
}

/// The base64 and what follows it: of one word, of two, and so on, as long as they may be base64.
fn candidates(words: &[&str]) -> Vec<Candidate> {
    let is_base64 = |word: &&&str| {
        word.bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"+/=".contains(&b))
    };
    let pieces = words.iter().take_while(is_base64).take(PIECES_MAX).count();
    (1..=pieces)
        .map(|pieces| Candidate {
            base64: words[..pieces].concat(),
            comment: words[pieces..].join(" "),
        })
        .collect()
}

/// A key in SSH2's form, which PuTTYgen saves and commercial servers make: headers, then base64 in lines.
fn of_ssh2(lines: &[&str]) -> Result<Found, FieldError> {
    let framed = lines
        .iter()
        .skip_while(|line| !line.contains(SSH2_BEGIN))
        .skip(1);
    let mut inside = framed
        .take_while(|line| !line.contains(SSH2_END))
        .peekable();
    let mut comment = String::new();
    // A header goes on in the next line where it ends in a backslash.
    while let Some((name, value)) = inside.peek().and_then(|line| line.split_once(':')) {
        let mut value = value.to_owned();
        inside.next();
        while value.ends_with('\\') {
            value.pop();
            value += inside.next().copied().unwrap_or_default();
        }
        if name.eq_ignore_ascii_case("comment") {
            comment = value.trim().trim_matches('"').to_owned();
        }
    }
    let base64 = inside.flat_map(|line| line.split_whitespace()).collect();
    Ok(Found {
        kind: None,
        candidates: vec![Candidate { base64, comment }],
    })
}

/// Without what can't be seen and the quotes around it; with one kind of line end and of blank.
fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for c in text.replace("\r\n", "\n").chars() {
        match c {
            '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{85}' | '\u{2028}' | '\u{2029}' => {
                plain.push('\n')
            }
            c if c.is_whitespace() => plain.push(' '),
            // Of other control characters no program makes any: they stay, and what has them is no key.
            c if names::is_invisible(c) && !c.is_control() => {}
            c => plain.push(c),
        }
    }
    let is_quote = |c: char| c.is_whitespace() || "\"'`“”„‘’‚«»「」『』".contains(c);
    let inside = plain.trim();
    if inside.starts_with(is_quote) {
        inside.trim_matches(is_quote).to_owned()
    } else {
        inside.to_owned()
    }
}
