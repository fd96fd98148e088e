//! One-time secrets and session tokens: 256 random bits for their holder, a hash for us. What is stored
//! lets nobody in.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use innkeeper_wire::digest::Digest;
use rand::{TryRngCore as _, rngs::OsRng};

use super::Error;

/// A fresh secret, 43 characters that need no escaping in a URL. Its first one is no `-`: a command would take it for
/// an option.
pub(crate) fn generate() -> Result<String, Error> {
    loop {
        let secret = URL_SAFE_NO_PAD.encode(random::<32>()?);
        if !secret.starts_with('-') {
            return Ok(secret);
        }
    }
}

/// Random bytes of the system, for secrets of other forms.
pub(crate) fn random<const N: usize>() -> Result<[u8; N], Error> {
    let mut bytes = [0; N];
    OsRng
        .try_fill_bytes(&mut bytes)
        .map_err(|error| Error::Storage(format!("no randomness: {error}")))?;
    Ok(bytes)
}

/// What is stored of a secret. A plain hash is enough, since the secret can't be guessed.
pub(crate) fn hash(secret: &str) -> String {
    Digest::of(secret.as_bytes()).hex()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One in 64 did, and the line that a host joins with failed with "unexpected argument".
    #[test]
    fn no_secret_looks_like_an_option() {
        for _ in 0..2_000 {
            let secret = generate().expect("randomness");
            assert!(!secret.starts_with('-') && secret.len() == 43, "{secret}");
        }
    }
}
