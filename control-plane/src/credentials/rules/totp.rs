//! One-time codes of an authenticator app: TOTP (RFC 6238) as all of them know it, with SHA-1, 30 seconds and six digits.
//!
//! The code of the step before and of the step after count too (RFC 6238, 5.2), since clocks of phones differ. Each step
//! counts once: whoever uses one keeps it as the last used one, and hands that in the next time, so that a code that
//! somebody has looked at over a shoulder is worth nothing (RFC 6238, 5.2; ASVS 6.5.1).

use std::time::Duration;

use data_encoding::BASE32_NOPAD;
use hmac::{Hmac, Mac as _};
use innkeeper_wire::time::Timestamp;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Serialize};
use sha1::Sha1;
use zeroize::Zeroizing;

use super::password::normal;

/// Bytes of a secret: 160 bits, as RFC 4226 (4, R6) recommends.
pub const SECRET_BYTES: usize = 20;
/// How long a code is shown.
pub const STEP: Duration = Duration::from_secs(30);
/// Digits of a code.
pub const DIGITS: usize = 6;
/// 10 to the power of [`DIGITS`].
const CODES: u32 = 1_000_000;
/// Steps on each side of the present one whose codes count.
const WINDOW: u64 = 1;
/// All but what RFC 3986 (2.3) lets stand.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// What the app and we share. Whoever has it has the codes: it is stored sealed, and shown once.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Secret(Zeroizing<[u8; SECRET_BYTES]>);

/// A text that is no secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is no secret of an authenticator app")]
pub struct NoSecret;

/// The number of a step: how many times 30 seconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Step(u64);

impl Secret {
    /// The secret of these random bytes.
    #[must_use]
    pub fn new(bytes: [u8; SECRET_BYTES]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// As people type it into an app that can't see the picture: Base32, which has neither 0 nor 1.
    #[must_use]
    pub fn text(&self) -> String {
        BASE32_NOPAD.encode(self.0.as_slice())
    }

    /// The address that the picture holds (the "Key URI format" that all apps read): whose codes they are, and of what.
    /// `issuer` and `label` may be any text.
    #[must_use]
    pub fn uri(&self, issuer: &str, label: &str) -> String {
        let escape = |text| utf8_percent_encode(text, ESCAPED).to_string();
        let (issuer, label) = (escape(issuer), escape(label));
        let (secret, step) = (self.text(), STEP.as_secs());
        format!(
            "otpauth://totp/{issuer}:{label}?secret={secret}&issuer={issuer}&algorithm=SHA1&digits={DIGITS}&period={step}"
        )
    }

    /// The step whose code was typed, if it counts now and is newer than `last_used`. The caller keeps it as the last used
    /// one in the same transaction in which it acts on it.
    #[must_use]
    pub fn step_of(&self, typed: &str, now: Timestamp, last_used: Option<Step>) -> Option<Step> {
        let typed = code_of(typed)?;
        let present = Step::at(now).0;
        let mut found = None;
        // All are computed, so that the time does not tell which one it was.
        for step in present.saturating_sub(WINDOW)..=present.saturating_add(WINDOW) {
            let is_right = self.code_at(Step(step)) == typed;
            let is_new = last_used.is_none_or(|used| used.0 < step);
            if is_right && is_new && found.is_none() {
                found = Some(Step(step));
            }
        }
        found
    }

    /// The code that an app shows now. What signs in uses [`Self::step_of`]; this is for those who play the app.
    #[must_use]
    pub fn code(&self, now: Timestamp) -> String {
        let code = self.code_at(Step::at(now));
        format!("{code:0DIGITS$}")
    }

    /// RFC 4226, 5.3.
    fn code_at(&self, step: Step) -> u32 {
        truncated(self.0.as_slice(), step.0) % CODES
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(..)")
    }
}

impl From<Secret> for String {
    fn from(secret: Secret) -> Self {
        secret.text()
    }
}

impl TryFrom<String> for Secret {
    type Error = NoSecret;

    fn try_from(text: String) -> Result<Self, NoSecret> {
        let bytes = BASE32_NOPAD.decode(text.as_bytes());
        let bytes = Zeroizing::new(bytes.map_err(|_| NoSecret)?);
        let bytes = bytes.as_slice().try_into().map_err(|_| NoSecret)?;
        Ok(Self::new(bytes))
    }
}

impl Step {
    /// The step of a moment.
    #[must_use]
    pub fn at(now: Timestamp) -> Self {
        let seconds = u64::try_from(now.as_millis() / 1_000).unwrap_or_default();
        Self(seconds / STEP.as_secs())
    }
}

/// 31 bits of the HMAC of a counter (RFC 4226, 5.3).
fn truncated(secret: &[u8], counter: u64) -> u32 {
    let mut mac = Hmac::<Sha1>::new_from_slice(secret).expect("HMAC takes keys of any length");
    mac.update(&counter.to_be_bytes());
    let hash = mac.finalize().into_bytes();
    let at = usize::from(hash[19] & 0xf);
    let four = [hash[at], hash[at + 1], hash[at + 2], hash[at + 3]];
    u32::from_be_bytes(four) & 0x7fff_ffff
}

/// The code that somebody typed, however a keyboard or an app writes it: full-width digits, `123 456`.
fn code_of(typed: &str) -> Option<u32> {
    // Before it is brought into its normal form: the longest that six digits with some spaces can be.
    if typed.len() > 64 {
        return None;
    }
    let typed = normal(typed);
    let digits: String = typed
        .chars()
        .filter(|c| !c.is_whitespace() && *c != '-')
        .collect();
    let is_code = digits.len() == DIGITS && digits.bytes().all(|b| b.is_ascii_digit());
    is_code.then(|| digits.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The secret of the appendices of RFC 4226 and RFC 6238.
    fn of_rfc() -> Secret {
        Secret::new(*b"12345678901234567890")
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1_000)
    }

    /// RFC 4226, appendix D.
    #[test]
    fn counters_have_the_codes_of_rfc_4226() {
        let codes = [
            755_224, 287_082, 359_152, 969_429, 338_314, 254_676, 287_922, 162_583, 399_871,
            520_489,
        ];
        for (counter, code) in (0..).zip(codes) {
            assert_eq!(of_rfc().code_at(Step(counter)), code, "{counter}");
        }
        assert_eq!(truncated(b"12345678901234567890", 0), 0x4c93_cf18);
    }

    /// RFC 6238, appendix B: its codes have eight digits, of which six are the last ones.
    #[test]
    fn moments_have_the_codes_of_rfc_6238() {
        for (second, code) in [
            (59, "94287082"),
            (1_111_111_109, "07081804"),
            (1_111_111_111, "14050471"),
            (1_234_567_890, "89005924"),
            (2_000_000_000, "69279037"),
            (20_000_000_000, "65353130"),
        ] {
            assert_eq!(of_rfc().code(at(second)), code[2..], "{second}");
            let step = of_rfc().step_of(&code[2..], at(second), None);
            assert_eq!(step, Some(Step::at(at(second))), "{second}");
            assert_eq!(
                of_rfc().step_of(code, at(second), None),
                None,
                "eight digits"
            );
        }
    }

    #[test]
    fn a_code_counts_one_step_early_and_one_step_late() {
        let shown_at = 1_234_567_890;
        let code = of_rfc().code(at(shown_at));
        let begins = shown_at / 30 * 30;
        for (second, counts) in [
            (begins - 31, false),
            (begins - 30, true),
            (begins, true),
            (begins + 59, true),
            (begins + 60, false),
        ] {
            let step = of_rfc().step_of(&code, at(second), None);
            assert_eq!(step.is_some(), counts, "{}", second - begins);
        }
    }

    #[test]
    fn a_step_counts_once_and_none_before_it_after_that() {
        let now = at(1_234_567_890);
        let (before, present) = (at(1_234_567_860), now);
        let code = of_rfc().code(present);
        let used = of_rfc().step_of(&code, now, None);
        assert!(used.is_some());
        assert_eq!(of_rfc().step_of(&code, now, used), None, "again");
        let late = of_rfc().code(before);
        assert!(of_rfc().step_of(&late, now, None).is_some());
        assert_eq!(
            of_rfc().step_of(&late, now, used),
            None,
            "an older one after it"
        );
        let next = at(1_234_567_920);
        let code = of_rfc().code(next);
        assert_eq!(of_rfc().step_of(&code, now, used), Some(Step::at(next)));
    }

    #[test]
    fn codes_are_read_as_they_are_typed() {
        let now = at(59);
        for (typed, counts) in [
            ("287082", true),
            (" 287 082 ", true),
            ("287-082", true),
            ("２８７０８２", true),
            ("28708", false),
            ("+87082", false),
            ("2870822", false),
            ("", false),
            ("28708a", false),
            (&" ".repeat(100_000), false),
        ] {
            let step = of_rfc().step_of(typed, now, None);
            assert_eq!(step.is_some(), counts, "{typed:.20}");
        }
    }

    #[test]
    fn an_app_reads_where_from_and_whose() {
        let uri = of_rfc().uri("구름 & Co: 1", "minji90");
        assert_eq!(
            uri,
            "otpauth://totp/%EA%B5%AC%EB%A6%84%20%26%20Co%3A%201:minji90?secret=\
             GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=%EA%B5%AC%EB%A6%84%20%26%20Co%3A%201\
             &algorithm=SHA1&digits=6&period=30"
        );
    }

    #[test]
    fn no_message_shows_a_secret() {
        assert_eq!(format!("{:?}", of_rfc()), "Secret(..)");
        for text in ["", "GEZDGNBVGY3TQOJQ", "not base 32", "GEZDGNBV1"] {
            let read = serde_json::from_value::<Secret>(text.into());
            let error = read.expect_err("no secret").to_string();
            assert_eq!(error, NoSecret.to_string());
        }
    }

    proptest! {
        #[test]
        fn secrets_are_read_as_they_are_written(bytes: [u8; SECRET_BYTES], seconds in 0..1_i64 << 40) {
            let secret = Secret::new(bytes);
            let written = serde_json::to_value(&secret).expect("text");
            prop_assert_eq!(serde_json::from_value::<Secret>(written).expect("a secret"), secret.clone());
            let code = secret.code(at(seconds));
            prop_assert_eq!(code.len(), DIGITS);
            // The code of a neighbour can be the same one.
            prop_assert!(secret.step_of(&code, at(seconds), None).is_some());
        }
    }
}
