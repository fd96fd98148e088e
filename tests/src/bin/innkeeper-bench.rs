//! Prints `name value unit` for each figure, or for those that are named. `./dev bench` builds what it needs and
//! starts it.

use std::{
    io::{self, Write},
    path::Path,
    process::ExitCode,
};

use anyhow::Context;
use clap::Parser;
use innkeeper_tests::{
    bench::{Figure, Line, agents, metrics, orders, provision, rebuild, schedule, store},
    lab::{Run, enclosure::enclosed, product::Options},
};

/// That of the control plane, of which some parts are measured in this process.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Measures Innkeeper on this machine.
#[derive(Debug, Parser)]
struct Arguments {
    #[command(flatten)]
    options: Options,
    /// Names of figures; without any, all.
    names: Vec<String>,
}

impl Arguments {
    fn wants(&self, names: &[&str]) -> bool {
        self.names.is_empty() || self.names.iter().any(|name| names.contains(&name.as_str()))
    }

    fn print(&self, lines: Vec<impl Into<Line>>) -> anyhow::Result<()> {
        let mut stdout = io::stdout().lock();
        let lines = lines.into_iter().map(Into::into);
        for line in lines.filter(|line| self.wants(&[line.name()])) {
            match line {
                Line::Figure(Figure { name, value, unit }) => {
                    // Below ten, one decimal would hide what matters.
                    let decimals = if value < 10.0 { 3 } else { 1 };
                    writeln!(stdout, "{name} {value:.decimals$} {unit}")
                }
                Line::Skipped { name, reason } => writeln!(stdout, "{name} skipped {reason}"),
            }
            .context("print a figure")?;
        }
        Ok(())
    }
}

fn main() -> ExitCode {
    // This program is also the other process of some benches.
    type Side = fn(&Path) -> anyhow::Result<()>;
    let sides: [(&str, Side); 2] = [
        (agents::SERVE_VARIABLE, agents::serve),
        (rebuild::OPEN_VARIABLE, rebuild::open_and_tell),
    ];
    for (variable, side) in sides {
        let Some(folder) = std::env::var_os(variable) else {
            continue;
        };
        return match side(folder.as_ref()) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                // The bench that started this process tells that it failed; this tells why.
                drop(writeln!(io::stderr(), "{variable}: {error:#}"));
                ExitCode::FAILURE
            }
        };
    }
    let arguments = Arguments::parse();
    enclosed(provision::HOSTS, |run| {
        tokio::runtime::Runtime::new()
            .context("start the runtime")?
            .block_on(measure(&run, &arguments))
    })
}

async fn measure(run: &Run, arguments: &Arguments) -> anyhow::Result<()> {
    if arguments.wants(&store::NAMES) {
        let scratch = run.folder().to_owned();
        let figures = tokio::task::spawn_blocking(move || store::lines(&scratch))
            .await
            .context("the store's bench panicked")??;
        arguments.print(figures)?;
    }
    if arguments.wants(&schedule::NAMES) {
        let figures = tokio::task::spawn_blocking(schedule::figures)
            .await
            .context("the scheduler's bench panicked")??;
        arguments.print(figures)?;
    }
    if arguments.wants(&orders::NAMES) {
        arguments.print(orders::figures(run.folder()).await?)?;
    }
    if arguments.wants(&metrics::NAMES) {
        let wanted = |name: &str| arguments.wants(&[name]);
        arguments.print(metrics::lines(run, &arguments.options, wanted).await?)?;
    }
    if arguments.wants(&rebuild::NAMES) {
        let scratch = run.folder().to_owned();
        let figures = tokio::task::spawn_blocking(move || rebuild::figures(&scratch))
            .await
            .context("the bench of rebuilding panicked")??;
        arguments.print(figures)?;
    }
    if arguments.wants(&agents::NAMES) {
        arguments.print(agents::figures(run.folder()).await?)?;
    }
    if arguments.wants(&provision::NAMES) {
        let figures = provision::figures(run, &arguments.options).await?;
        arguments.print(figures)?;
    }
    Ok(())
}
