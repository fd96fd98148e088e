//! The figures of all servers, written straight into Prometheus' text format. There are some fifty for each server:
//! a registry that holds an object for each took ten times the processor time, and the memory of all of them at once.

use std::{
    array,
    collections::{BTreeMap, HashMap},
    fmt::Write as _,
    sync::LazyLock,
};

use super::{
    Sample, ServerSeen,
    figures::{FIGURES, Figure, Kind},
};
use crate::hypervisor::libvirt_ext::DomainStatistics;

/// libvirt's numbers for a running domain, see `virDomainState`; 2 is blocked.
const RUNS: [u64; 2] = [1, 2];

/// Where libvirt's names are in [`FIGURES`].
static BY_SOURCE: LazyLock<HashMap<&str, usize>> = LazyLock::new(|| {
    let figures = FIGURES.iter().enumerate();
    figures.map(|(at, figure)| (figure.source, at)).collect()
});

/// One figure of one server.
struct Series<'a> {
    server: &'a str,
    number: Option<&'a str>,
    value: u64,
}

/// What is known of the servers, ascending by their ids. Figures of which nothing is known are left out.
pub(super) fn render(sample: &Sample) -> String {
    let mut text = String::new();
    render_seen(&mut text, &sample.seen).expect("writing to memory does not fail");
    render_answers(&mut text, sample).expect("writing to memory does not fail");
    render_figures(&mut text, &sample.servers);
    text
}

/// What the loop saw of the servers at its last look.
fn render_seen(text: &mut String, seen: &[ServerSeen]) -> std::fmt::Result {
    let mut of_all = |name: &str, help: &str, line: &dyn Fn(&ServerSeen) -> Option<String>| {
        let lines: Vec<_> = seen.iter().filter_map(line).collect();
        if lines.is_empty() {
            return Ok(());
        }
        writeln!(text, "# HELP {name} {help}")?;
        writeln!(text, "# TYPE {name} gauge")?;
        lines
            .iter()
            .try_for_each(|line| writeln!(text, "{name}{{{line}"))
    };
    let info = |one: &ServerSeen| {
        Some(format!(
            "name=\"{}\",server=\"{}\"}} 1",
            one.name, one.server
        ))
    };
    of_all(
        "innkeeper_server_info",
        "The server's name, to join on; always 1.",
        &info,
    )?;
    let state = |one: &ServerSeen| {
        let ServerSeen {
            server,
            state,
            reason,
            ..
        } = one;
        Some(format!(
            "reason=\"{reason}\",server=\"{server}\",state=\"{state}\"}} 1"
        ))
    };
    let help = "What the server does, and the step of its creation or why it is paused; always 1.";
    of_all("innkeeper_server_state", help, &state)?;
    let problem = |one: &ServerSeen| {
        let ServerSeen {
            server, problem, ..
        } = one;
        (!problem.is_empty()).then(|| format!("code=\"{problem}\",server=\"{server}\"}} 1"))
    };
    let help = "What keeps the server from what is wanted; always 1, and absent without one.";
    of_all("innkeeper_server_problem", help, &problem)?;
    let disk = |one: &ServerSeen| {
        let disk = one.disk?;
        Some(format!("disk=\"0\",server=\"{}\"}} {}", one.server, disk.0))
    };
    let help = "Disk space of the host that a disk's file takes.";
    of_all("innkeeper_server_disk_physical_bytes", help, &disk)
}

/// Whether each server's QEMU answers libvirt. Of one that does not, there are no further figures.
fn render_answers(text: &mut String, sample: &Sample) -> std::fmt::Result {
    let answer = sample.servers.iter().map(|measured| (measured.server, 1));
    let hung = sample.hung.iter().map(|server| (*server, 0));
    let all: BTreeMap<_, _> = answer.chain(hung).collect();
    if all.is_empty() {
        return Ok(());
    }
    let name = "innkeeper_server_answers";
    writeln!(
        text,
        "# HELP {name} Whether the server's QEMU answers libvirt; if not (0), its other figures are missing."
    )?;
    writeln!(text, "# TYPE {name} gauge")?;
    for (server, answers) in all {
        writeln!(text, "{name}{{server=\"{server}\"}} {answers}")?;
    }
    Ok(())
}

fn render_figures(text: &mut String, servers: &[DomainStatistics]) {
    let mut servers: Vec<_> = servers
        .iter()
        .map(|statistics| (statistics.server.to_string(), &statistics.values))
        .collect();
    servers.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
    let mut found: [Vec<Series<'_>>; FIGURES.len()] = array::from_fn(|_| Vec::new());
    let mut source = String::new();
    for (server, values) in &servers {
        for (name, value) in *values {
            let number = take_number(name, &mut source);
            if let Some(at) = BY_SOURCE.get(source.as_str()) {
                found[*at].push(Series {
                    server,
                    number,
                    value: *value,
                });
            }
        }
    }
    for (figure, series) in FIGURES.iter().zip(&found) {
        if !series.is_empty() {
            write(text, figure, series).expect("writing to memory does not fail");
        }
    }
}

/// `block.0.rd.bytes` is `block.*.rd.bytes`, which is put into `source`, of number 0.
fn take_number<'a>(name: &'a str, source: &mut String) -> Option<&'a str> {
    source.clear();
    let mut parts = name.splitn(3, '.');
    match (parts.next(), parts.next(), parts.next()) {
        (Some(group), Some(number), Some(rest)) if number.bytes().all(|b| b.is_ascii_digit()) => {
            source.extend([group, ".*.", rest]);
            Some(number)
        }
        _ => {
            source.push_str(name);
            None
        }
    }
}

fn write(text: &mut String, figure: &Figure, series: &[Series<'_>]) -> std::fmt::Result {
    let Figure { name, help, .. } = figure;
    writeln!(text, "# HELP {name} {help}")?;
    writeln!(text, "# TYPE {name} {}", kind_name(figure.kind))?;
    let label = number_label(figure);
    for one in series {
        write!(text, "{name}{{")?;
        if let (Some(label), Some(number)) = (label, one.number) {
            write!(text, "{label}=\"{number}\",")?;
        }
        write!(text, "server=\"{}\"}} ", one.server)?;
        match figure.kind {
            Kind::Runs => writeln!(text, "{}", u8::from(RUNS.contains(&one.value)))?,
            Kind::Gauge | Kind::Counter => writeln!(text, "{}", one.value)?,
            Kind::GaugeKib | Kind::CounterKib => {
                writeln!(text, "{}", one.value.saturating_mul(1024))?;
            }
            Kind::CounterNanoseconds => writeln!(text, "{}", to_f64(one.value) / 1e9)?,
        }
    }
    Ok(())
}

/// As the text format has it.
const fn kind_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Runs | Kind::Gauge | Kind::GaugeKib => "gauge",
        Kind::Counter | Kind::CounterKib | Kind::CounterNanoseconds => "counter",
    }
}

/// The label that tells several disks or processors of one server apart. A server has one interface.
fn number_label(figure: &Figure) -> Option<&'static str> {
    match figure.source.split_once(".*.")?.0 {
        "block" => Some("disk"),
        "vcpu" => Some("vcpu"),
        _ => None,
    }
}

/// Prometheus knows floating-point numbers only: exact up to 2^53.
fn to_f64(value: u64) -> f64 {
    let high = u32::try_from(value >> 32).expect("32 bits are left");
    let low = u32::try_from(value & u64::from(u32::MAX)).expect("32 bits are left");
    f64::from(high) * 4_294_967_296.0 + f64::from(low)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_numbers_are_exact_up_to_2_53() {
        for value in [0, 1, 1 << 32, (1 << 32) + 1, (1 << 53) - 1] {
            assert_eq!(format!("{:.0}", to_f64(value)), value.to_string());
        }
    }

    #[test]
    fn a_paused_server_does_not_run() {
        let uuid =
            innkeeper_wire::id::uuid_v7(innkeeper_wire::time::Timestamp::from_millis(0), [1; 10]);
        let server = innkeeper_wire::id::ServerId::from_uuid(uuid);
        for (state, runs) in [(1, 1), (2, 1), (3, 0), (5, 0), (7, 0)] {
            let values = vec![("state.state".to_owned(), state)];
            let text = render(&Sample {
                servers: vec![DomainStatistics { server, values }],
                ..Sample::default()
            });
            let running = format!("innkeeper_server_running{{server=\"{server}\"}} {runs}\n");
            assert!(text.contains(&running), "{text}");
        }
    }

    #[test]
    fn numbers_of_disks_are_told_from_names() {
        let mut source = String::new();
        for (name, expected, number) in [
            ("block.12.rd.bytes", "block.*.rd.bytes", Some("12")),
            ("balloon.swap_in", "balloon.swap_in", None),
            ("block.count", "block.count", None),
            ("a.b.c.d", "a.b.c.d", None),
        ] {
            assert_eq!(take_number(name, &mut source), number);
            assert_eq!(source, expected);
        }
    }
}
