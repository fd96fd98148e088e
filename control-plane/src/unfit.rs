//! Errors that only a person can mend: a wrong configuration, a missing file or key, a store that contradicts the
//! configuration. The program ends with a code of its own for them, by which units know that trying again every few
//! seconds is of no use (`RestartPreventExitStatus=78`).

use crate::config::ConfigError;

/// Exit code for what only a person can mend: `EX_CONFIG` of sysexits.h.
pub const EX_CONFIG: u8 = 78;

/// What keeps the service from starting until a person has mended it.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct Unfit(anyhow::Error);

/// Says of an error that only a person can mend it.
pub(crate) trait OnlyAPerson<T> {
    /// The same, with [`Unfit`] in its chain.
    fn only_a_person(self) -> anyhow::Result<T>;
}

impl<T, E: Into<anyhow::Error>> OnlyAPerson<T> for Result<T, E> {
    fn only_a_person(self) -> anyhow::Result<T> {
        self.map_err(|error| anyhow::Error::new(Unfit(error.into())))
    }
}

/// The exit code for an error: [`EX_CONFIG`] when only a person can mend it, otherwise 1.
#[must_use]
pub fn exit_code(error: &anyhow::Error) -> u8 {
    let for_a_person = error
        .chain()
        .any(|cause| cause.is::<Unfit>() || cause.is::<ConfigError>());
    if for_a_person { EX_CONFIG } else { 1 }
}

#[cfg(test)]
mod tests {
    use anyhow::Context as _;

    use super::*;

    #[test]
    fn what_only_a_person_can_mend_has_its_own_code_and_keeps_its_words() {
        let broken = || Err::<(), _>(std::io::Error::other("no such thing"));
        let error = broken()
            .context("read the terms")
            .only_a_person()
            .expect_err("an error");
        assert_eq!(format!("{error:#}"), "read the terms: no such thing");
        assert_eq!(exit_code(&error.context("start")), EX_CONFIG);
        let passing = broken().context("the network is away");
        assert_eq!(exit_code(&passing.expect_err("an error")), 1);
        let config = crate::config::Config::load(std::path::Path::new("/nowhere/at.all"));
        let config = config.map(drop).map_err(anyhow::Error::from);
        assert_eq!(exit_code(&config.expect_err("an error")), EX_CONFIG);
    }
}
