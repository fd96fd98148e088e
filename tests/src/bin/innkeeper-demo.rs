//! The demo and its check. `./dev demo` builds what it needs and starts it.

use std::{path::PathBuf, process::ExitCode};

use anyhow::Context;
use clap::Parser;
use innkeeper_control_plane::credentials::rules::totp::Secret;
use innkeeper_tests::{
    check, demo, images,
    lab::{
        Run,
        enclosure::enclosed,
        product::{Installation, Options},
        report::Steps,
    },
};
use innkeeper_wire::time::{Clock as _, SystemClock};
use tokio::signal::unix::{SignalKind, signal};

/// A whole small cloud on this machine, which leaves nothing behind.
#[derive(Debug, Parser)]
struct Arguments {
    #[command(flatten)]
    options: Options,
    /// Do the whole job in a browser, verify every step, and end.
    #[arg(long)]
    check: bool,
    /// Order a server of each image that was given with --image-file, judge it, and end.
    #[arg(long, conflicts_with = "check")]
    images: bool,
    /// Print the code that an authenticator app with this key shows now, and end.
    #[arg(long, value_name = "KEY", conflicts_with_all = ["check", "images"])]
    code: Option<String>,
    /// Keep pictures of the pages in this folder.
    #[arg(long, requires = "check")]
    screenshots: Option<PathBuf>,
    /// axe-core's script: judge each page by it.
    #[arg(long, requires = "check")]
    axe: Option<PathBuf>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if let Some(key) = &arguments.code {
        return print_code(key);
    }
    let hosts = match (arguments.check, arguments.images) {
        (true, _) => check::HOSTS,
        (_, true) => images::HOSTS,
        (false, false) => demo::HOSTS,
    };
    enclosed(hosts, |run| {
        tokio::runtime::Runtime::new()
            .context("start the runtime")?
            .block_on(inside(&run, arguments))
    })
}

/// Plays the authenticator app.
fn print_code(key: &str) -> ExitCode {
    match Secret::try_from(key.to_owned()) {
        Ok(secret) => {
            Steps::note(&secret.code(SystemClock.now()));
            ExitCode::SUCCESS
        }
        Err(_) => ExitCode::FAILURE,
    }
}

async fn inside(run: &Run, arguments: Arguments) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate()).context("listen for SIGTERM")?;
    // Dropping either side is fine: the keeper ends all processes of the run when this one ends.
    tokio::select! {
        result = work(run, arguments) => result,
        _ = terminate.recv() => Ok(()),
    }
}

async fn work(run: &Run, arguments: Arguments) -> anyhow::Result<()> {
    let installation = Installation::start(run, &arguments.options)?;
    if arguments.check {
        let steps = Steps::counted(run.tally_file())?;
        let axe = arguments.axe.as_deref();
        check::check(run, installation, steps, arguments.screenshots, axe).await
    } else if arguments.images {
        let steps = Steps::counted(run.tally_file())?;
        let files = arguments.options.image_files.iter();
        let codes: Vec<_> = files.map(|image| image.code.clone()).collect();
        images::images(run, installation, steps, &codes).await
    } else {
        let _running = demo::demo(run, installation).await?;
        std::future::pending().await
    }
}
