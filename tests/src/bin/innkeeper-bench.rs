//! Prints `name value unit` for each figure, or for those that are named. `./dev bench` builds what it needs and
//! starts it.

use std::{
    io::{self, Write},
    path::Path,
    process::ExitCode,
};

use anyhow::{Context, bail};
use clap::Parser;
use innkeeper_tests::{
    bench::{
        Figure, Line, access, agents, close, metrics, money, orders, portal, prepaid, provision,
        rebuild, schedule, sign_in, store,
    },
    lab::{Run, enclosure::enclosed, product::Options},
};

/// That of the control plane, of which some parts are measured in this process.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// What is measured together, with the names of the figures; in this order.
const AREAS: [(&str, &[&str]); 11] = [
    ("store", &store::NAMES),
    ("schedule", &schedule::NAMES),
    ("orders", &orders::NAMES),
    ("portal", &portal::NAMES),
    ("sign_in", &sign_in::NAMES),
    ("money", &money::NAMES),
    ("metrics", &metrics::NAMES),
    ("rebuild", &rebuild::NAMES),
    ("agents", &agents::NAMES),
    ("access", &access::NAMES),
    ("provision", &provision::NAMES),
];

/// Measures Innkeeper on this machine.
#[derive(Debug, Parser)]
struct Arguments {
    #[command(flatten)]
    options: Options,
    /// Names of figures or of areas; without any, all.
    names: Vec<String>,
}

impl Arguments {
    fn wants(&self, area: &str, names: &[&str]) -> bool {
        let is_among = |name: &String| name == area || names.contains(&name.as_str());
        self.names.is_empty() || self.names.iter().any(is_among)
    }

    fn print(&self, area: &str, lines: Vec<Line>) -> anyhow::Result<()> {
        let mut stdout = io::stdout().lock();
        for line in lines
            .into_iter()
            .filter(|line| self.wants(area, &[line.name()]))
        {
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
    let is_known = |name: &str| {
        AREAS
            .iter()
            .any(|(area, names)| *area == name || names.contains(&name))
    };
    if let Some(unknown) = arguments.names.iter().find(|name| !is_known(name)) {
        bail!("there is no figure and no area called {unknown}");
    }
    for (area, names) in AREAS {
        if arguments.wants(area, names) {
            let lines = lines_of(area, run, arguments).await;
            arguments.print(area, lines.with_context(|| format!("measure {area}"))?)?;
        }
    }
    Ok(())
}

async fn lines_of(area: &str, run: &Run, arguments: &Arguments) -> anyhow::Result<Vec<Line>> {
    let scratch = run.folder().to_owned();
    let figures = match area {
        "store" => return blocking(move || store::lines(&scratch)).await,
        "schedule" => blocking(schedule::figures).await?,
        "orders" => orders::figures(&scratch).await?,
        "portal" => portal::figures(&scratch).await?,
        "sign_in" => sign_in::figures(&scratch).await?,
        "money" => {
            let mut lines = blocking(money::lines).await?;
            lines.push(prepaid::figure(&scratch).await?.into());
            let wanted = |name: &str| arguments.wants(area, &[name]);
            let closes = close::figures(&scratch, wanted).await?;
            lines.extend(closes.into_iter().map(Line::from));
            return Ok(lines);
        }
        "metrics" => {
            let wanted = |name: &str| arguments.wants(area, &[name]);
            return metrics::lines(run, &arguments.options, wanted).await;
        }
        "rebuild" => blocking(move || rebuild::figures(&scratch)).await?,
        "agents" => agents::figures(&scratch).await?,
        "access" => access::figures().await?,
        "provision" => provision::figures(run, &arguments.options).await?,
        _ => bail!("there is no such area"),
    };
    Ok(figures.into_iter().map(Line::from).collect())
}

async fn blocking<T: Send + 'static>(
    measure: impl FnOnce() -> anyhow::Result<T> + Send + 'static,
) -> anyhow::Result<T> {
    let measured = tokio::task::spawn_blocking(measure).await;
    measured.context("the bench panicked")?
}
