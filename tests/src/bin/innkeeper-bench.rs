//! Prints `name value unit` for each figure, or for those that are named. `./dev bench` builds what it needs and
//! starts it.

use std::{
    io::{self, Write},
    process::ExitCode,
};

use anyhow::Context;
use clap::Parser;
use innkeeper_tests::{
    bench::{Figure, provision, rebuild, store},
    lab::{Run, enclosure::enclosed, product::Options},
};

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

    fn print(&self, figures: &[Figure]) -> anyhow::Result<()> {
        let mut stdout = io::stdout().lock();
        for figure in figures.iter().filter(|figure| self.wants(&[figure.name])) {
            // Below ten, one decimal would hide what matters.
            let decimals = if figure.value < 10.0 { 3 } else { 1 };
            let Figure { name, value, unit } = figure;
            writeln!(stdout, "{name} {value:.decimals$} {unit}").context("print a figure")?;
        }
        Ok(())
    }
}

fn main() -> ExitCode {
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
        let figures = tokio::task::spawn_blocking(move || store::figures(&scratch))
            .await
            .context("the store's bench panicked")??;
        arguments.print(&figures)?;
    }
    if arguments.wants(&rebuild::NAMES) {
        let scratch = run.folder().to_owned();
        let figures = tokio::task::spawn_blocking(move || rebuild::figures(&scratch))
            .await
            .context("the bench of rebuilding panicked")??;
        arguments.print(&figures)?;
    }
    if arguments.wants(&provision::NAMES) {
        let figures = provision::figures(run, &arguments.options).await?;
        arguments.print(&figures)?;
    }
    Ok(())
}
