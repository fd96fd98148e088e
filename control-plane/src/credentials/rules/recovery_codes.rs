//! Recovery codes: ten one-time codes on paper, for those who have lost what shows their codes. A code is 80 random bits,
//! so a plain hash of it lets nobody in, and works once.
//!
//! Written `ABCD-EFGH-JKMN-PQRS`, in Crockford's Base32, which has no letters that look like digits; typed in either case,
//! with or without hyphens, and with O, I and L for 0 and 1.

use std::sync::LazyLock;

use data_encoding::{Encoding, Specification};
use innkeeper_wire::digest::Digest;
use serde::{Deserialize, Serialize};

use super::password::normal;

/// How many there are.
pub const CODES: usize = 10;
/// Bytes of one.
pub const CODE_BYTES: usize = 10;
const _: () = assert!(
    CODE_BYTES * 8 >= 80,
    "a plain hash does only for what can't be guessed"
);
/// Characters of one, without hyphens.
const CODE_CHARS: usize = CODE_BYTES * 8 / 5;
/// Characters between hyphens.
const GROUP: usize = 4;

static CROCKFORD: LazyLock<Encoding> = LazyLock::new(|| {
    let mut specification = Specification::new();
    specification
        .symbols
        .push_str("0123456789ABCDEFGHJKMNPQRSTVWXYZ");
    specification
        .encoding()
        .expect("32 symbols make an encoding")
});

/// The codes of somebody that are left, as they are stored: hashes alone.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RecoveryCodes(Vec<Digest>);

impl RecoveryCodes {
    /// The codes of these random bytes: as they are shown, once, and as they are kept.
    #[must_use]
    pub fn new(random: &[[u8; CODE_BYTES]; CODES]) -> (Vec<String>, Self) {
        let codes = random.map(|bytes| CROCKFORD.encode(&bytes));
        let kept = Self(codes.iter().map(|code| hash(code)).collect());
        (codes.iter().map(|code| in_groups(code)).collect(), kept)
    }

    /// How many are left.
    #[must_use]
    pub fn left(&self) -> usize {
        self.0.len()
    }

    /// What is left after the one that was typed; `None` when it is none of them. The caller keeps it in the transaction
    /// in which it acts on it.
    #[must_use]
    pub fn without(&self, typed: &str) -> Option<Self> {
        let typed = hash(&canonical(typed)?);
        // All are compared: the time says neither whether nor where one fits.
        let others = self.0.iter().filter(|kept| **kept != typed);
        let others: Vec<Digest> = others.copied().collect();
        (others.len() < self.0.len()).then_some(Self(others))
    }

    /// Whether a text has the form of a recovery code, which no one-time code has.
    #[must_use]
    pub fn is_meant(typed: &str) -> bool {
        canonical(typed).is_some()
    }
}

fn hash(code: &str) -> Digest {
    Digest::of(format!("recovery code {code}").as_bytes())
}

/// `ABCDEFGHJKMNPQRS` as `ABCD-EFGH-JKMN-PQRS`.
fn in_groups(code: &str) -> String {
    let mut text = String::new();
    for (at, c) in code.chars().enumerate() {
        if at > 0 && at % GROUP == 0 {
            text.push('-');
        }
        text.push(c);
    }
    text
}

/// What somebody typed in the one form that is hashed.
fn canonical(typed: &str) -> Option<String> {
    // Before it is brought into its normal form: the longest that such a code with some spaces can be.
    if typed.len() > 128 {
        return None;
    }
    let typed = normal(typed);
    let code: String = typed
        .chars()
        .filter(|c| !c.is_whitespace() && *c != '-')
        .map(|c| match c.to_ascii_uppercase() {
            'O' => '0',
            'I' | 'L' => '1',
            c => c,
        })
        .collect();
    let is_code = code.len() == CODE_CHARS && CROCKFORD.decode(code.as_bytes()).is_ok();
    is_code.then_some(code)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn random() -> [[u8; CODE_BYTES]; CODES] {
        let mut random = [[0; CODE_BYTES]; CODES];
        for (number, bytes) in (1..).zip(&mut random) {
            *bytes = [number; CODE_BYTES];
        }
        random
    }

    #[test]
    fn each_of_ten_works_once_in_any_order() {
        let (codes, mut kept) = RecoveryCodes::new(&random());
        assert_eq!(codes.iter().collect::<BTreeSet<_>>().len(), CODES);
        for (used, code) in (0..).zip(codes.iter().rev()) {
            assert_eq!(kept.left(), CODES - used);
            kept = kept.without(code).expect(code);
            assert_eq!(kept.without(code), None, "a second time");
        }
        assert_eq!(kept.left(), 0);
    }

    #[test]
    fn a_code_has_80_bits_and_is_stored_as_a_hash_alone() {
        let (codes, kept) = RecoveryCodes::new(&random());
        assert_eq!(codes[0], "040G-2081-040G-2081");
        let stored = serde_json::to_string(&kept).expect("text");
        for code in &codes {
            assert_eq!(code.len(), CODE_CHARS + 3);
            assert!(!stored.contains(code) && !stored.contains(&code.replace('-', "")));
        }
        assert_eq!(
            serde_json::from_str::<RecoveryCodes>(&stored).expect("read"),
            kept
        );
    }

    #[test]
    fn a_code_is_read_as_it_is_typed() {
        let (codes, kept) = RecoveryCodes::new(&random());
        let code = &codes[1];
        let looks_alike = code.replace('0', "O").replace('1', "l");
        let wide: String = code
            .chars()
            .map(|c| match c {
                '0'..='9' => char::from_u32(u32::from(c) + 0xfee0).expect("a digit"),
                c => c,
            })
            .collect();
        assert_ne!(&looks_alike, code);
        for typed in [
            code.to_lowercase(),
            code.replace('-', ""),
            code.replace('-', " "),
            format!("  {code}\n"),
            looks_alike,
            wide,
        ] {
            assert!(kept.without(&typed).is_some(), "{typed}");
            assert!(RecoveryCodes::is_meant(&typed));
        }
        let too_long = "0".repeat(100_000);
        for typed in ["", "123456", &code[1..], "UUUU-UUUU-UUUU-UUUU", &too_long] {
            assert_eq!(kept.without(typed), None, "{typed:.30}");
            assert!(!RecoveryCodes::is_meant(typed));
        }
    }

    proptest! {
        #[test]
        fn nothing_that_is_typed_takes_another_ones_place(typed: String) {
            let (codes, kept) = RecoveryCodes::new(&random());
            if let Some(left) = kept.without(&typed) {
                prop_assert_eq!(left.left(), CODES - 1);
                let canonical = canonical(&typed);
                prop_assert!(codes.iter().any(|code| Some(code.replace('-', "")) == canonical));
            }
        }
    }
}
