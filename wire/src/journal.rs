//! The log of the three programs, on standard error: one line an event, INFO and above.
//!
//! Under systemd the lines go to its journal, which has time and unit by itself and takes the priority of a line from
//! a number at its beginning (sd-daemon(3)); without it, every line counts as INFO, and `journalctl -p warning`
//! shows none of ours. Elsewhere, lines have a time, and colours on a terminal.
//!
//! A panic is an ERROR of the log, with its backtrace where debug symbols are: NAME-dbgsym is the package of a program's.
//!
//! Behind the feature `journal`, since what only reads and writes types needs no log.

use std::{
    backtrace::Backtrace,
    ffi::OsStr,
    fmt,
    fs::File,
    io::{self, IsTerminal as _},
    os::{fd::AsFd as _, unix::fs::MetadataExt as _},
    panic::{self, PanicHookInfo},
};

use tracing::{Event, Level, Subscriber, level_filters::LevelFilter};
use tracing_subscriber::{
    fmt::{
        FmtContext, FormatEvent, FormatFields, MakeWriter,
        format::{Format, Writer},
    },
    layer::SubscriberExt as _,
    registry::LookupSpan,
};

/// How lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lines {
    /// For people.
    Text,
    /// One JSON object a line, for programs; always with a time.
    Json,
}

/// Who reads standard error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reader {
    Journal,
    Terminal,
    Other,
}

/// Starts the log of this process. Called once, at the beginning of a program that serves.
///
/// # Panics
/// When it was called before.
pub fn start(lines: Lines) {
    let reader = reader(std::env::var_os("JOURNAL_STREAM").as_deref());
    let subscriber = subscriber(lines, reader, io::stderr);
    tracing::subscriber::set_global_default(subscriber).expect("the log is started once");
    panic::set_hook(Box::new(log_panic));
}

fn log_panic(panic: &PanicHookInfo<'_>) {
    let backtrace = Backtrace::force_capture().to_string();
    // Without debug symbols there is no line number in it, and nothing that anybody could read.
    let known = backtrace.contains(" at ");
    tracing::error!("{panic}\n{}", if known { &backtrace } else { "" });
}

fn reader(journal_stream: Option<&OsStr>) -> Reader {
    let stderr = io::stderr();
    if journal_stream.is_some_and(|stream| own_stream().is_some_and(|own| stream == own.as_str())) {
        Reader::Journal
    } else if stderr.is_terminal() {
        Reader::Terminal
    } else {
        Reader::Other
    }
}

/// Standard error as systemd names it: the variable is inherited, and a program that was started with its output
/// elsewhere must not write numbers there.
fn own_stream() -> Option<String> {
    let stderr = io::stderr().as_fd().try_clone_to_owned().ok()?;
    let file = File::from(stderr).metadata().ok()?;
    Some(format!("{}:{}", file.dev(), file.ino()))
}

fn subscriber<W>(
    lines: Lines,
    reader: Reader,
    writer: W,
) -> Box<dyn Subscriber + Send + Sync + 'static>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let layer = tracing_subscriber::fmt::layer()
        .with_writer(writer)
        .with_ansi(reader == Reader::Terminal);
    let registry = tracing_subscriber::registry().with(LevelFilter::INFO);
    match (lines, reader) {
        (Lines::Text, Reader::Journal) => {
            let layer = layer.event_format(Prioritised(Format::default().without_time()));
            Box::new(registry.with(layer))
        }
        (Lines::Text, Reader::Terminal | Reader::Other) => Box::new(registry.with(layer)),
        (Lines::Json, Reader::Journal) => {
            let layer = layer.json().flatten_event(true);
            Box::new(registry.with(layer.map_event_format(Prioritised)))
        }
        (Lines::Json, Reader::Terminal | Reader::Other) => {
            Box::new(registry.with(layer.json().flatten_event(true)))
        }
    }
}

/// Lines as another format makes them, each with its priority in front.
struct Prioritised<F>(F);

impl<S, N, F> FormatEvent<S, N> for Prioritised<F>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut text = String::new();
        self.0
            .format_event(context, Writer::new(&mut text), event)?;
        let priority = priority(*event.metadata().level());
        // Every line: the journal makes an entry of each, and what somebody else has written into a message must not
        // choose a priority of its own.
        text.lines()
            .try_for_each(|line| writeln!(writer, "<{priority}>{line}"))
    }
}

/// The priority of syslog(3).
fn priority(level: Level) -> u8 {
    match level {
        Level::ERROR => 3,
        Level::WARN => 4,
        Level::INFO => 6,
        _ => 7,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Written {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().expect("sound").write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn logged(lines: Lines, reader: Reader, say: impl FnOnce()) -> String {
        let written = Written::default();
        let made = written.clone();
        let subscriber = subscriber(lines, reader, move || made.clone());
        tracing::subscriber::with_default(subscriber, say);
        let bytes = written.0.lock().expect("sound").clone();
        String::from_utf8(bytes).expect("text")
    }

    fn of_each_level() {
        tracing::error!(disk = 1, "it is broken");
        tracing::warn!("look at it");
        tracing::info!("it is up");
        tracing::debug!("not shown");
    }

    #[test]
    fn the_journal_gets_priorities_and_no_time() {
        let text = logged(Lines::Text, Reader::Journal, of_each_level);
        let expected = "<3>ERROR innkeeper_wire::journal::tests: it is broken disk=1\n\
                        <4> WARN innkeeper_wire::journal::tests: look at it\n\
                        <6> INFO innkeeper_wire::journal::tests: it is up\n";
        assert_eq!(text, expected);
    }

    #[test]
    fn each_line_of_a_message_has_the_priority_of_the_event() {
        let text = logged(Lines::Text, Reader::Journal, || {
            tracing::warn!("{}", "one\n<0>two");
        });
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines.len(), 2, "{text}");
        assert!(lines[1].starts_with("<4><0>two"), "{text}");
    }

    #[test]
    fn a_panic_is_an_error_of_the_log_with_its_backtrace() {
        let text = logged(Lines::Text, Reader::Journal, || {
            let before = panic::take_hook();
            panic::set_hook(Box::new(log_panic));
            let panicked = panic::catch_unwind(|| panic!("it broke"));
            panic::set_hook(before);
            panicked.expect_err("it panics");
        });
        let first = "<3>ERROR innkeeper_wire::journal: panicked at wire/src/journal.rs:";
        assert!(text.starts_with(first), "{text}");
        assert!(text.contains("\n<3>it broke\n"), "{text}");
        assert!(text.contains("\n<3>             at "), "{text}");
        assert!(text.lines().all(|line| line.starts_with("<3>")), "{text}");
    }

    #[test]
    fn json_lines_have_the_priority_in_front_of_the_object() {
        let text = logged(Lines::Json, Reader::Journal, of_each_level);
        let first = text
            .lines()
            .next()
            .and_then(|line| line.strip_prefix("<3>"));
        let json: serde_json::Value =
            serde_json::from_str(first.expect("a priority")).expect("an object");
        assert_eq!(
            (&json["message"], &json["disk"]),
            (&"it is broken".into(), &1.into())
        );
    }

    #[test]
    fn elsewhere_lines_have_a_time_and_no_number() {
        for lines in [Lines::Text, Lines::Json] {
            let text = logged(lines, Reader::Other, of_each_level);
            assert!(!text.contains('<') && !text.contains('\u{1b}'), "{text}");
            assert!(text.contains("20") && text.contains("Z"), "{text}");
        }
    }

    #[test]
    fn an_inherited_variable_of_another_stream_is_no_journal() {
        assert_ne!(reader(Some(OsStr::new("1:2"))), Reader::Journal);
        assert_ne!(reader(None), Reader::Journal);
        let own = own_stream().expect("standard error is open");
        assert_eq!(reader(Some(OsStr::new(&own))), Reader::Journal);
    }
}
