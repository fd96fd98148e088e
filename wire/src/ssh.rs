//! What can be told of a text about SSH keys without reading a key. Every field of every form is asked, so the rule
//! stands where both the portal and the API have it.

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

/// Characters between `BEGIN` and `PRIVATE KEY`: the longest in use is `SSH2 ENCRYPTED`.
const KIND_LENGTH_MAX: usize = 24;

/// Whether a text is a private key or a part of one, in the forms of OpenSSH, PEM (PKCS#1, PKCS#8, SEC 1, PGP), SSH2 and
/// PuTTY (versions 1 to 3). Line breaks may be lost, as they are in a field of one line, and dashes be replaced. Nobody
/// but its owner may have such a text: it is refused, and neither shown again nor logged.
#[must_use]
pub fn looks_like_private_key(text: &str) -> bool {
    let squashed = squashed(text);
    MARKS.iter().any(|mark| squashed.contains(mark)) || has_private_frame(&squashed)
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
