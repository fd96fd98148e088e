//! SSH public keys (R73): what is accepted, and the canonical form that may reach a server.
//!
//! A key is read from its base64 alone and written anew from its data, without comment: what stands around it can be
//! anything, and in an `authorized_keys` file a second line would be a second key. What people paste is sorted out by
//! [`paste`].

use base64::{
    Engine as _,
    alphabet::STANDARD,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use innkeeper_wire::{
    error::{FieldError, FieldErrorCode},
    id::SshKeyId,
    time::Timestamp,
};
use serde::{Deserialize, Serialize};
use ssh_key::{
    Algorithm, HashAlg, PublicKey,
    public::{EcdsaPublicKey, KeyData},
};

use self::paste::{Candidate, Found};
use crate::kernel::field;

mod paste;

/// Shortest RSA modulus that is accepted, in bits.
const RSA_BITS_MIN: usize = 3_072;
/// Longest line that is looked at; an RSA key of 16 384 bits has 2 800 characters.
const LINE_LENGTH_MAX: usize = innkeeper_wire::api::PUBLIC_KEY_LENGTH_MAX;

/// The `=` at the end is easily lost when a key is copied, and says nothing.
const STANDARD_LENIENT: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

const MALFORMED: &str = "this is not a public key in OpenSSH's format (ssh-ed25519 AAAA...)";
const DSA: &str = "DSA keys are no longer safe: make an Ed25519 key";

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
    let refused = |code, detail| field("/public_key", code, detail);
    let found = paste::find(text)?;
    let (key, comment) = read(found)?;
    if let Some((code, detail)) = weakness(&key) {
        return Err(refused(code, detail));
    }
    let canonical = key.to_openssh();
    let canonical = canonical.map_err(|_| refused(FieldErrorCode::Malformed, MALFORMED))?;
    Ok(ParsedKey {
        algorithm: key.algorithm().as_str().to_owned(),
        fingerprint: key.fingerprint(HashAlg::Sha256).to_string(),
        canonical: canonical.trim_end().to_owned(),
        comment,
    })
}

/// The key, of which nothing but its data counts, and its comment.
fn read(found: Found) -> Result<(PublicKey, String), FieldError> {
    let refuse = |code, detail| Err(field("/public_key", code, detail));
    let Found { kind, candidates } = found;
    let shortest = candidates.first();
    if shortest.is_some_and(|key| key.base64.len() + key.comment.len() > LINE_LENGTH_MAX) {
        return refuse(FieldErrorCode::TooLong, "this is too long for a public key");
    }
    for Candidate { base64, comment } in candidates {
        if comment.chars().any(char::is_control) {
            continue;
        }
        let Ok(bytes) = STANDARD_LENIENT.decode(&base64) else {
            continue;
        };
        if let Ok(key) = PublicKey::from_bytes(&bytes)
            && kind
                .as_deref()
                .is_none_or(|kind| kind == key.algorithm().as_str())
        {
            return Ok((key, comment));
        }
    }
    refuse(FieldErrorCode::Malformed, MALFORMED)
}

/// How many bits a key has, as `ssh-keygen -l` says. `line` is a canonical one.
#[must_use]
pub fn bits(line: &str) -> Option<u32> {
    let key = PublicKey::from_openssh(line).ok()?;
    match key.key_data() {
        KeyData::Ed25519(_) | KeyData::SkEd25519(_) | KeyData::SkEcdsaSha2NistP256(_) => Some(256),
        KeyData::Ecdsa(EcdsaPublicKey::NistP256(_)) => Some(256),
        KeyData::Ecdsa(EcdsaPublicKey::NistP384(_)) => Some(384),
        KeyData::Ecdsa(EcdsaPublicKey::NistP521(_)) => Some(521),
        KeyData::Rsa(rsa) => u32::try_from(rsa_bits(rsa.n.as_positive_bytes())).ok(),
        _ => None,
    }
}

/// The fingerprint of a canonical line, `SHA256:...`; `None` when it is none.
#[must_use]
pub fn fingerprint_of(line: &str) -> Option<String> {
    let key = PublicKey::from_openssh(line).ok()?;
    Some(key.fingerprint(HashAlg::Sha256).to_string())
}

/// Why a key is not safe enough, if it is not.
fn weakness(key: &PublicKey) -> Option<(FieldErrorCode, &'static str)> {
    let unsafe_kind = |detail| Some((FieldErrorCode::UnsafeKey, detail));
    match key.algorithm() {
        Algorithm::Ed25519 | Algorithm::SkEd25519 => None,
        // The library reads compressed points, and sshd does not (sshbuf_get_ec).
        Algorithm::Ecdsa { .. } | Algorithm::SkEcdsaSha2NistP256 => match key.key_data() {
            KeyData::Ecdsa(point) if is_whole(point.as_sec1_bytes()) => None,
            KeyData::SkEcdsaSha2NistP256(sk) if is_whole(sk.ec_point().as_bytes()) => None,
            _ => unsafe_kind("this ECDSA key can't be read by every server: make an Ed25519 key"),
        },
        Algorithm::Rsa { .. } => match key.key_data() {
            KeyData::Rsa(rsa) if rsa_bits(rsa.n.as_positive_bytes()) >= RSA_BITS_MIN => None,
            _ => {
                let detail = "RSA keys need at least 3072 bits: make an Ed25519 key";
                Some((FieldErrorCode::TooShort, detail))
            }
        },
        Algorithm::Dsa => unsafe_kind(DSA),
        _ => unsafe_kind("keys of this kind are not accepted: make an Ed25519 key"),
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
    use proptest::prelude::*;

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

    const WRAPPED: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ5dZgJ0Vw1x8q2L5cT3\nm6rVQm0hS7aG1qfYx0Yy7b1K minji@laptop";

    #[test]
    fn what_is_refused() {
        use FieldErrorCode::{
            Certificate, KeyOptions, Malformed, PrivateKey, Required, SeveralKeys, TooLong,
            UnsafeKey,
        };
        refused("", Required);
        refused(" \u{feff}\r\n ", Required);
        refused("hello", Malformed);
        refused("ssh-ed25519 AAAA", Malformed);
        refused("ssh-ed25519 hello", Malformed);
        refused("# only a comment", Malformed);
        refused(&ED25519[12..], Malformed);
        refused(&ED25519.replace("ssh-ed25519", "ssh-rsa"), Malformed);
        refused(&ED25519[..60], Malformed);
        refused(&format!("command=\"id\" {ED25519}"), KeyOptions);
        refused(&format!("no-pty,command=\"id x\" {ED25519} me"), KeyOptions);
        // A line of known_hosts.
        refused(&format!("server.example {ED25519}"), KeyOptions);
        refused(&format!("{ED25519} me\n{ED25519} you"), SeveralKeys);
        refused(&format!("{ED25519} me\r{ED25519}"), SeveralKeys);
        refused(&format!("{ED25519} {ED25519}"), SeveralKeys);
        refused(&format!("{WRAPPED}\n{WRAPPED}"), SeveralKeys);
        refused(&format!("{ED25519} me\u{85}x\u{0}"), Malformed);
        refused("-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNz", PrivateKey);
        refused(
            "PuTTY-User-Key-File-3: ssh-ed25519\r\nEncryption: none",
            PrivateKey,
        );
        refused("ssh-dss AAAAB3NzaC1kc3MAAACBAP", Malformed);
        refused("ssh-dss", UnsafeKey);
        refused("ssh-ed25519-cert-v01@openssh.com AAAAIHNz", Certificate);
        refused(&format!("{ED25519} {}", "x".repeat(5_000)), TooLong);
    }

    /// Rows B20 and B21.
    #[test]
    fn pastes_that_people_make_are_mended() {
        let (kind, base64) = ED25519.split_once(' ').expect("two parts");
        let (start, end) = base64.split_at(30);
        let minji = "minji@laptop";
        for (pasted, comment) in [
            (format!("{ED25519} {minji}\r\n"), minji),
            (format!("{ED25519} 김민지 💻"), "김민지 💻"),
            (format!("\u{feff}{ED25519}"), ""),
            (format!("{kind}\t{base64}\t{minji}"), minji),
            (format!("  {kind}   {base64}   {minji} "), minji),
            (format!("{kind}\u{a0}{base64}\u{3000}{minji}\u{a0}"), minji),
            (format!("{ED25519}\u{200b}"), ""),
            (format!("{kind} {start}\u{200b}{end}"), ""),
            (format!("\"{ED25519} {minji}\""), minji),
            (format!("“{ED25519}”"), ""),
            (format!("```\n{ED25519}\n```"), ""),
            (format!("# my key\n{ED25519} {minji}"), minji),
            (WRAPPED.to_owned(), minji),
            (format!("{kind}\n{start}\r\n{end}\r\n{minji}"), minji),
            (format!("{kind} {start} {end}"), ""),
            (format!("Ssh-Ed25519 {base64}"), ""),
            // What may be more of the key is none.
            (format!("{ED25519} laptop"), "laptop"),
            (
                format!(
                    "---- BEGIN SSH2 PUBLIC KEY ----\r\nComment: \"eddsa-key-20260101\"\r\nx-more: a\\\r\nb\r\n{start}\r\n{end}\r\n---- END SSH2 PUBLIC KEY ----\r\n"
                ),
                "eddsa-key-20260101",
            ),
            (
                format!(
                    "---- BEGIN SSH2 PUBLIC KEY ----\n{start}\n{end}\n---- END SSH2 PUBLIC KEY ----"
                ),
                "",
            ),
        ] {
            let parsed = parse(&pasted).unwrap_or_else(|error| panic!("{pasted:?}: {error:?}"));
            assert_eq!(parsed.canonical, ED25519, "{pasted:?}");
            assert_eq!(parsed.comment, comment, "{pasted:?}");
        }
    }

    proptest! {
        /// Whatever is pasted, what is kept is one line that reads as itself.
        #[test]
        fn what_is_kept_is_one_plain_line(
            before in "[ -~\n\t\u{feff}\u{200b}]{0,12}",
            cut in 0usize..68,
            gap in "[ \n\r\t\u{a0}\u{200b}]{0,3}",
            after in "[ -~\n\t\u{a0}\u{202e}가]{0,20}",
        ) {
            let base64 = &ED25519[12..];
            let (start, end) = base64.split_at(cut);
            let pasted = format!("{before}ssh-ed25519 {start}{gap}{end} {after}");
            if let Ok(parsed) = parse(&pasted) {
                prop_assert_eq!(&parsed.canonical, ED25519);
                prop_assert_eq!(parse(&parsed.canonical).expect("its own").canonical, ED25519);
            }
        }

        #[test]
        fn nothing_that_is_pasted_makes_a_panic(text in any::<String>()) {
            parse(&text).ok();
            parse(&format!("---- BEGIN SSH2 PUBLIC KEY ----\n{text}")).ok();
            parse(&format!("ssh-rsa AAAA{text}")).ok();
        }
    }

    /// One fresh key of each kind that ssh-keygen makes (those of security keys put together from their parts), with
    /// the fingerprint that it prints.
    #[test]
    fn every_kind_that_the_form_names_is_accepted() {
        let (mut kinds, mut sizes) = (Vec::new(), Vec::new());
        for line in include_str!("ssh_key/accepted.txt").lines() {
            let (fingerprint, key) = line.split_once(' ').expect("two parts");
            let parsed = parse(&format!("{key} minji@laptop\r\n"));
            let parsed = parsed.unwrap_or_else(|error| panic!("{key}: {error:?}"));
            assert_eq!(parsed.canonical, key);
            assert_eq!(parsed.fingerprint, fingerprint);
            assert_eq!(parsed.comment, "minji@laptop");
            sizes.push(bits(&parsed.canonical).expect("a size"));
            kinds.push(parsed.algorithm);
        }
        assert_eq!(sizes, [256, 256, 384, 521, 3_072, 256, 256]);
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
        refused(&rsa(2_048), FieldErrorCode::TooShort);
        assert!(parse(&rsa(3_072)).is_ok());
    }
}
