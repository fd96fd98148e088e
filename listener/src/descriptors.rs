//! How many descriptors the process may have, and how many of them a listener may use. Files need some too: a store that
//! can't open its next file takes no more commits.

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Taken for the limit when it can't be read; the least that any system gives.
const UNKNOWN: u64 = 1_024;

/// Raises the limit as far as the process may, and says what it is then.
#[must_use]
pub fn raise() -> u64 {
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else {
        return UNKNOWN;
    };
    match setrlimit(Resource::RLIMIT_NOFILE, hard, hard) {
        Ok(()) => hard,
        Err(_) => soft,
    }
}

/// What a listener may have of `descriptors`: this part, and no more than it has use for.
#[must_use]
pub fn share(descriptors: u64, percent: u64, at_most: usize) -> usize {
    let part = descriptors / 100 * percent;
    usize::try_from(part).unwrap_or(usize::MAX).min(at_most)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_a_part_of_few_and_enough_of_many() {
        assert_eq!(share(65_536, 20, 4_096), 4_096);
        assert_eq!(share(1_024, 20, 4_096), 200);
        assert_eq!(share(u64::MAX, 90, 12_000), 12_000);
        assert!(raise() > 0);
    }
}
