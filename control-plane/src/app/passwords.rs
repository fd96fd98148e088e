//! Password hashing: Argon2id, off the runtime's threads, a few at a time, so that a burst of sign-ins
//! takes neither all memory nor all processors.

use std::sync::{Arc, OnceLock};

use argon2::{
    Algorithm, Argon2, Params, PasswordHash, PasswordHasher as _, PasswordVerifier as _, Version,
    password_hash::SaltString,
};
use rand::{TryRngCore as _, rngs::OsRng};
use tokio::sync::Semaphore;

use super::error::AppError;

/// Hashes at a time.
const AT_ONCE: usize = 2;
/// OWASP's second choice for Argon2id: 19 MiB, two passes, one lane; 15 ms on the build machine.
const MEMORY_KIB: u32 = 19 * 1_024;
const PASSES: u32 = 2;

/// The hasher.
pub(crate) struct Passwords {
    permits: Arc<Semaphore>,
    /// Verified against when there is no account, so that both cases take the same time (R2).
    decoy: OnceLock<String>,
}

impl Passwords {
    pub(crate) fn new() -> Self {
        Self {
            permits: Arc::new(Semaphore::new(AT_ONCE)),
            decoy: OnceLock::new(),
        }
    }

    /// Hashes a new password into PHC string form.
    pub(crate) async fn hash(&self, password: &str) -> Result<String, AppError> {
        let password = password.to_owned();
        self.off_runtime(move || hash(&password)).await?
    }

    /// Whether `password` is the one behind `stored`. Without an account the answer is no, just as late.
    pub(crate) async fn verify(
        &self,
        password: &str,
        stored: Option<String>,
    ) -> Result<bool, AppError> {
        let exists = stored.is_some();
        let stored = match stored {
            Some(stored) => stored,
            None => self.decoy().await?,
        };
        let password = password.to_owned();
        let fits = self
            .off_runtime(move || verify(&password, &stored))
            .await??;
        Ok(fits && exists)
    }

    async fn decoy(&self) -> Result<String, AppError> {
        if let Some(decoy) = self.decoy.get() {
            return Ok(decoy.clone());
        }
        let decoy = self.hash("nobody has this password").await?;
        Ok(self.decoy.get_or_init(|| decoy).clone())
    }

    async fn off_runtime<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, AppError> {
        let permit = Arc::clone(&self.permits).acquire_owned().await;
        let permit = permit.expect("the semaphore is never closed");
        let done = tokio::task::spawn_blocking(move || {
            let result = work();
            drop(permit);
            result
        });
        done.await
            .map_err(|error| AppError::Storage(format!("password hashing ended: {error}")))
    }
}

fn argon2() -> Argon2<'static> {
    let params =
        Params::new(MEMORY_KIB, PASSES, 1, None).expect("constants within Argon2's limits");
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

fn hash(password: &str) -> Result<String, AppError> {
    let failed =
        |error: &dyn std::fmt::Display| AppError::Storage(format!("password hashing: {error}"));
    let mut salt = [0u8; 16];
    OsRng
        .try_fill_bytes(&mut salt)
        .map_err(|error| failed(&error))?;
    let salt = SaltString::encode_b64(&salt).map_err(|error| failed(&error))?;
    let hash = argon2()
        .hash_password(password.as_bytes(), &salt)
        .map_err(|error| failed(&error))?;
    Ok(hash.to_string())
}

fn verify(password: &str, stored: &str) -> Result<bool, AppError> {
    let parsed = PasswordHash::new(stored)
        .map_err(|error| AppError::Storage(format!("password hash: {error}")))?;
    Ok(argon2()
        .verify_password(password.as_bytes(), &parsed)
        .is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_the_right_password_fits_and_nobody_has_none() {
        let passwords = Passwords::new();
        let stored = passwords.hash("보라색 닻").await.expect("hashed");
        assert!(
            passwords
                .verify("보라색 닻", Some(stored.clone()))
                .await
                .expect("verified")
        );
        assert!(
            !passwords
                .verify("보라색 닻 ", Some(stored))
                .await
                .expect("verified")
        );
        assert!(
            !passwords
                .verify("nobody has this password", None)
                .await
                .expect("verified")
        );
    }
}
