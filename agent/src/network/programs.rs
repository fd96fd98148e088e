//! Runs `ip`, `bridge` and `nft`: with input on stdin, a deadline, and what they say as an error.

use std::{fmt::Write as _, process::Stdio, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    process::Command,
};

use super::NetworkError;

/// A thousand guests' rules take some 100 ms.
const DEADLINE: Duration = Duration::from_secs(20);

/// Adds a line to a batch.
pub(super) fn line(lines: &mut String, text: &str) {
    writeln!(lines, "{text}").expect("writing to memory does not fail");
}

/// Has `ip` carry out a batch.
pub(super) async fn batch(options: &[&str], lines: &str) -> Result<(), NetworkError> {
    if lines.is_empty() {
        return Ok(());
    }
    run("ip", &[options, &["-batch", "-"]].concat(), lines)
        .await
        .map(drop)
}

/// Runs a program to its end and gives what it printed. It is killed when the deadline has passed.
pub(super) async fn run(
    program: &str,
    arguments: &[&str],
    input: &str,
) -> Result<Vec<u8>, NetworkError> {
    run_up_to(u64::MAX, program, arguments, input).await
}

/// The same for a program that may print more than there is room for: then it is ended early.
pub(super) async fn run_up_to(
    limit: u64,
    program: &str,
    arguments: &[&str],
    input: &str,
) -> Result<Vec<u8>, NetworkError> {
    let failed = |reason: String| NetworkError::Command {
        what: format!("{program} {}", arguments.join(" ")),
        reason,
    };
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| failed(error.to_string()))?;
    let mut stdin = child.stdin.take().expect("it was asked for");
    let stdout = child.stdout.take().expect("it was asked for");
    let mut printed = Vec::new();
    let talk = async {
        let written = async {
            // A program that ends early closes its end; its own message is the one to report.
            stdin.write_all(input.as_bytes()).await.ok();
            std::mem::drop(stdin);
        };
        let read = async {
            // With the end of this its pipe is closed, and so ends a program that has more to say.
            let mut stdout = stdout.take(limit);
            stdout.read_to_end(&mut printed).await
        };
        let ((), read, output) = tokio::join!(written, read, child.wait_with_output());
        read.and(output)
    };
    let output = tokio::time::timeout(DEADLINE, talk)
        .await
        .map_err(|_| failed("it did not end within its deadline".to_owned()))?
        .map_err(|error| failed(error.to_string()))?;
    if u64::try_from(printed.len()).is_ok_and(|length| length >= limit) {
        return Err(NetworkError::TooMuch {
            what: format!("{program} {}", arguments.join(" ")),
        });
    }
    if output.status.success() {
        return Ok(printed);
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(failed(said.trim().chars().take(500).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As `ip` has of a router with the whole table of the internet.
    #[tokio::test]
    async fn a_program_that_prints_too_much_is_ended_early() {
        let started = tokio::time::Instant::now();
        let endless = run_up_to(1 << 20, "yes", &[], "").await;
        assert!(
            matches!(&endless, Err(NetworkError::TooMuch { what }) if what.starts_with("yes")),
            "{endless:?}"
        );
        assert!(started.elapsed() < DEADLINE, "{:?}", started.elapsed());
        let short = run_up_to(4, "cat", &[], "abc").await.expect("it fits");
        assert_eq!(short, b"abc");
    }
}
