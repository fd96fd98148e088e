//! Complaints in the logs of the product's programs. ERROR means that a person must look and WARN that one may
//! want to, so a run in which nothing is wrong has neither, but for those that a test provokes and names.

/// Lines at WARN or ERROR, and panics, in which no word of `expected` stands; each of those comes with what
/// provokes it.
#[must_use]
pub fn unexpected_complaints<'log>(log: &'log str, expected: &[(&str, &str)]) -> Vec<&'log str> {
    log.lines()
        .filter(|line| is_complaint(line))
        .filter(|line| !expected.iter().any(|(words, _)| line.contains(words)))
        .collect()
}

/// A line is a time, a level, and what is to be said.
fn is_complaint(line: &str) -> bool {
    let level = line.split_whitespace().nth(1);
    matches!(level, Some("WARN" | "ERROR")) || line.contains("panicked at")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn complaints_are_told_from_the_rest() {
        let log = "2026-11-21T07:00:00Z  INFO a: no ERROR at all\n\
                   2026-11-21T07:00:01Z  WARN a: the cat is out\n\
                   2026-11-21T07:00:02Z ERROR a: the dog is out\n\
                   thread 'main' (1) panicked at src/main.rs:1:1:\n";
        let found = unexpected_complaints(log, &[("the cat", "a step opens the door")]);
        let expected: Vec<_> = log.lines().skip(2).collect();
        assert_eq!(found, expected);
    }
}
