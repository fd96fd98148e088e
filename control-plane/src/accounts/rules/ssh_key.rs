//! SSH public keys (R73): what is accepted, and the canonical form that may reach a server.
//!
//! A key is parsed from one line and written anew from its data, without the comment: the library accepts a
//! second line inside the comment, which in an `authorized_keys` file would be a second key.

use innkeeper_wire::{
    error::{FieldError, FieldErrorCode},
    id::SshKeyId,
    time::Timestamp,
};
use serde::{Deserialize, Serialize};
use ssh_key::{Algorithm, HashAlg, PublicKey, public::KeyData};

use crate::accounts::rules::account::field;

/// Shortest RSA modulus that is accepted, in bits.
const RSA_BITS_MIN: usize = 3_072;
/// Longest line that is looked at; an RSA key of 16 384 bits has 2 800 characters.
const LINE_LENGTH_MAX: usize = 4_096;

/// Most bytes of all keys of an account, as they are stored; sealing makes four of three, and a record has less than
/// 65,536. Fifty Ed25519 keys with the longest names need 28,000.
const KEYS_BYTES_MAX: usize = 44_000;

/// A key as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SshKey {
    /// Which.
    pub id: SshKeyId,
    /// What its owner calls it.
    pub name: String,
    /// Such as `ssh-ed25519`.
    pub algorithm: String,
    /// `SHA256:...`
    pub fingerprint: String,
    /// `algorithm base64`, without options or comment.
    pub public_key: String,
    /// When it was added.
    pub created_at: Timestamp,
}

/// All keys of one account, in one record: their number and uniqueness need no scan. Never stored but sealed:
/// a public key tells who somebody is as well as a name does.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SshKeys {
    /// Oldest first.
    pub keys: Vec<SshKey>,
}

/// A key that was understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParsedKey {
    /// Such as `ssh-ed25519`.
    pub algorithm: String,
    /// `SHA256:...`
    pub fingerprint: String,
    /// `algorithm base64`.
    pub canonical: String,
    /// The comment, as a suggestion for a name.
    pub comment: String,
}

/// Reads a pasted key, or says what is wrong with it.
pub fn parse(text: &str) -> Result<ParsedKey, FieldError> {
    let pointer = "/public_key";
    let line = text.trim_matches(['\r', '\n', ' ', '\t']);
    let refuse = |code, detail| Err(field(pointer, code, detail));
    if line.is_empty() {
        return refuse(FieldErrorCode::Required, "paste a public key");
    }
    if line.contains("PRIVATE KEY") {
        let detail = "this is a private key: keep it secret, and paste the .pub file instead";
        return refuse(FieldErrorCode::PrivateKey, detail);
    }
    if line.contains(['\r', '\n']) {
        return refuse(FieldErrorCode::MultipleLines, "paste one key, on one line");
    }
    if line.len() > LINE_LENGTH_MAX {
        return refuse(FieldErrorCode::TooLong, "this is too long for a public key");
    }
    if line.chars().any(char::is_control) {
        return refuse(FieldErrorCode::Malformed, "a key has no control characters");
    }
    let Ok(key) = PublicKey::from_openssh(line) else {
        let dsa = line.starts_with("ssh-dss ");
        return if dsa {
            refuse(
                FieldErrorCode::UnsafeKey,
                "DSA keys are no longer safe: make an Ed25519 key",
            )
        } else {
            let detail = "this is not a public key in OpenSSH's format (ssh-ed25519 AAAA...)";
            refuse(FieldErrorCode::Malformed, detail)
        };
    };
    if let Some(detail) = unsafe_kind(&key) {
        return refuse(FieldErrorCode::UnsafeKey, detail);
    }
    let comment = key.comment().to_owned();
    let mut bare = key;
    bare.set_comment("");
    let canonical = bare.to_openssh().map_err(|_| {
        field(
            pointer,
            FieldErrorCode::Malformed,
            "this key can't be written again",
        )
    })?;
    Ok(ParsedKey {
        algorithm: bare.algorithm().as_str().to_owned(),
        fingerprint: bare.fingerprint(HashAlg::Sha256).to_string(),
        canonical: canonical.trim_end().to_owned(),
        comment,
    })
}

/// Why a key is not safe enough, if it is not.
fn unsafe_kind(key: &PublicKey) -> Option<&'static str> {
    match key.algorithm() {
        Algorithm::Ed25519 | Algorithm::SkEd25519 => None,
        // The library reads compressed points, and sshd does not (sshbuf_get_ec).
        Algorithm::Ecdsa { .. } | Algorithm::SkEcdsaSha2NistP256 => match key.key_data() {
            KeyData::Ecdsa(point) if is_whole(point.as_sec1_bytes()) => None,
            KeyData::SkEcdsaSha2NistP256(sk) if is_whole(sk.ec_point().as_bytes()) => None,
            _ => Some("this ECDSA key can't be read by every server: make an Ed25519 key"),
        },
        Algorithm::Rsa { .. } => match key.key_data() {
            KeyData::Rsa(rsa) => (rsa_bits(rsa.n.as_positive_bytes()) < RSA_BITS_MIN)
                .then_some("RSA keys need at least 3072 bits: make an Ed25519 key"),
            _ => Some("this RSA key can't be read"),
        },
        Algorithm::Dsa => Some("DSA keys are no longer safe: make an Ed25519 key"),
        _ => Some("keys of this kind are not accepted: make an Ed25519 key"),
    }
}

/// Whether a point of a curve is written with both coordinates (SEC 1, 2.3.3).
fn is_whole(point: &[u8]) -> bool {
    point.first() == Some(&4)
}

fn rsa_bits(modulus: Option<&[u8]>) -> usize {
    let bytes = modulus.unwrap_or_default();
    let leading = bytes
        .first()
        .map_or(0, |byte| usize::try_from(byte.leading_zeros()).unwrap_or(0));
    bytes.len() * 8 - leading
}

impl SshKeys {
    /// Says so when they take more room than an account has for keys.
    pub fn check_room(&self) -> Result<(), FieldError> {
        let bytes = serde_json::to_vec(self).map_or(usize::MAX, |json| json.len());
        if bytes <= KEYS_BYTES_MAX {
            return Ok(());
        }
        let detail =
            "your keys take up too much room: remove one, or use an Ed25519 key, which is short";
        Err(field("/public_key", FieldErrorCode::TooMany, detail))
    }

    /// Whether the same key is there already.
    #[must_use]
    pub fn contains(&self, key: &ParsedKey) -> bool {
        self.keys
            .iter()
            .any(|present| present.public_key == key.canonical)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ED25519: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ5dZgJ0Vw1x8q2L5cT3m6rVQm0hS7aG1qfYx0Yy7b1K";

    #[track_caller]
    fn refused(text: &str, code: FieldErrorCode) {
        assert_eq!(
            parse(text).expect_err("must be refused").code,
            code,
            "{text:.60}"
        );
    }

    #[test]
    fn a_key_is_written_anew_without_its_comment() {
        let parsed = parse(&format!("  {ED25519} minji@laptop \n")).expect("a good key");
        assert_eq!(parsed.canonical, ED25519);
        assert_eq!(parsed.algorithm, "ssh-ed25519");
        assert_eq!(parsed.comment, "minji@laptop");
        assert!(parsed.fingerprint.starts_with("SHA256:"));
    }

    /// Of the shortest kind every account has room for as many as it may have, whatever it calls them; and what is let
    /// in fits into a record once it is sealed.
    #[test]
    fn fifty_short_keys_fit_and_what_fits_can_be_stored() {
        use innkeeper_wire::api::SSH_KEYS_PER_ACCOUNT_MAX;

        let key = |public_key: String| SshKey {
            id: SshKeyId::from_uuid(innkeeper_wire::id::uuid_v7(
                Timestamp::from_millis(1),
                [1; 10],
            )),
            name: "\u{1f511}".repeat(60),
            algorithm: "ecdsa-sha2-nistp521".to_owned(),
            fingerprint: format!("SHA256:{}", "x".repeat(43)),
            public_key,
            created_at: Timestamp::from_millis(1_790_000_000_000),
        };
        let short = vec![key(ED25519.to_owned()); SSH_KEYS_PER_ACCOUNT_MAX];
        let bytes = |keys: &SshKeys| serde_json::to_vec(keys).expect("plain").len();
        let keys = SshKeys { keys: short };
        assert!(keys.check_room().is_ok() && bytes(&keys) < 28_500);
        let mut long = SshKeys::default();
        while long.check_room().is_ok() {
            long.keys.push(key("x".repeat(2_800)));
        }
        let refused = long.check_room().expect_err("too much");
        assert_eq!(refused.code, FieldErrorCode::TooMany);
        long.keys.pop();
        // Sealed: nonce and tag, then base64 in JSON.
        let sealed = (bytes(&long) + 100).div_ceil(3) * 4 + 100;
        assert!(sealed < 64 * 1_024 && long.keys.len() >= 13, "{sealed}");
    }

    #[test]
    fn what_is_refused() {
        use FieldErrorCode::{Malformed, MultipleLines, PrivateKey, Required, TooLong, UnsafeKey};
        refused("", Required);
        refused("hello", Malformed);
        refused("ssh-ed25519 AAAA", Malformed);
        refused(&format!("command=\"id\" {ED25519}"), Malformed);
        refused(&format!("{ED25519} me\n{ED25519} you"), MultipleLines);
        refused(&format!("{ED25519} me\r{ED25519}"), MultipleLines);
        refused(&format!("{ED25519} me\u{85}x\u{0}"), Malformed);
        refused(
            "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNz\n-----END OPENSSH PRIVATE KEY-----",
            PrivateKey,
        );
        refused("ssh-dss AAAAB3NzaC1kc3MAAACBAP", UnsafeKey);
        refused(&format!("{ED25519} {}", "x".repeat(5_000)), TooLong);
    }

    /// One fresh key of each kind that ssh-keygen makes (those of security keys put together from their parts), with
    /// the fingerprint that it prints.
    #[test]
    fn every_kind_that_the_form_names_is_accepted() {
        let mut kinds = Vec::new();
        for line in include_str!("ssh_key/accepted.txt").lines() {
            let (fingerprint, key) = line.split_once(' ').expect("two parts");
            let parsed = parse(&format!("{key} minji@laptop\r\n"));
            let parsed = parsed.unwrap_or_else(|error| panic!("{key}: {error:?}"));
            assert_eq!(parsed.canonical, key);
            assert_eq!(parsed.fingerprint, fingerprint);
            assert_eq!(parsed.comment, "minji@laptop");
            kinds.push(parsed.algorithm);
        }
        let expected = [
            "ssh-ed25519",
            "ecdsa-sha2-nistp256",
            "ecdsa-sha2-nistp384",
            "ecdsa-sha2-nistp521",
            "ssh-rsa",
            "sk-ssh-ed25519@openssh.com",
            "sk-ecdsa-sha2-nistp256@openssh.com",
        ];
        assert_eq!(kinds, expected);
    }

    #[test]
    fn dsa_and_certificates_are_refused() {
        for line in include_str!("ssh_key/refused.txt").lines() {
            let (code, key) = line.split_once(' ').expect("two parts");
            let error = parse(key).expect_err(key);
            assert_eq!(
                serde_json::to_value(error.code).expect("a name"),
                code,
                "{key}"
            );
        }
    }

    #[test]
    fn a_compressed_point_is_refused() {
        use base64::{Engine as _, engine::general_purpose::STANDARD};
        let mut blob = Vec::new();
        let compressed = [&[2u8][..], &[7; 32]].concat();
        for part in [b"ecdsa-sha2-nistp256".as_slice(), b"nistp256", &compressed] {
            blob.extend(u32::try_from(part.len()).expect("short").to_be_bytes());
            blob.extend(part);
        }
        let key = format!("ecdsa-sha2-nistp256 {}", STANDARD.encode(&blob));
        refused(&key, FieldErrorCode::UnsafeKey);
    }

    #[test]
    fn short_rsa_is_refused_and_long_rsa_is_not() {
        let rsa = |bits: usize| {
            let mut blob = Vec::new();
            let mut put = |bytes: &[u8]| {
                blob.extend(u32::try_from(bytes.len()).expect("short").to_be_bytes());
                blob.extend(bytes);
            };
            put(b"ssh-rsa");
            put(&[1, 0, 1]);
            let mut modulus = vec![0u8];
            modulus.extend(vec![0xc5; bits / 8]);
            put(&modulus);
            use base64::Engine as _;
            format!(
                "ssh-rsa {} x",
                base64::engine::general_purpose::STANDARD.encode(&blob)
            )
        };
        refused(&rsa(2_048), FieldErrorCode::UnsafeKey);
        assert!(parse(&rsa(3_072)).is_ok());
    }
}
