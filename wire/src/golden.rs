//! What crosses between an agent and the control plane is written as ever: golden files of every document of the hosts'
//! API (`endpoints::agents`). An agent of one version works with a control plane of another.

use std::path::Path;

use crate::{
    endpoints::{Part, agents},
    error::Problem,
    host::{
        DesiredQuery, JoinAnswer, JoinRequest, Life, LifeAnswer, Manifest, Observations,
        RenewAnswer, RenewRequest, ReportAnswer, Testimony,
    },
    samples::{Document, Sample, hold},
    vm::ServerSpec,
};

const DOCUMENTS: [Document; 13] = [
    Document::json::<JoinRequest>("join-request"),
    Document::json::<JoinAnswer>("join-answer"),
    Document::json::<RenewRequest>("renew-request"),
    Document::json::<RenewAnswer>("renew-answer"),
    Document::json::<Life>("life"),
    Document::json::<LifeAnswer>("life-answer"),
    Document::json::<Observations>("observations"),
    Document::json::<ReportAnswer>("report-answer"),
    Document::json::<Manifest>("manifest"),
    Document::json::<Problem>("problem"),
    // Operators carry it from a host to `audit verify`.
    Document::json::<Testimony>("testimony"),
    Document::lines("desired-query", queries, query),
    Document::lines("spec", specs, spec),
];

fn queries() -> Vec<String> {
    let queries = DesiredQuery::samples().into_iter();
    let written = queries.map(|query| serde_urlencoded::to_string(query).expect("plain values"));
    written.collect()
}

fn query(line: &str) -> Result<String, String> {
    let query: DesiredQuery =
        serde_urlencoded::from_str(line).map_err(|error| error.to_string())?;
    serde_urlencoded::to_string(query).map_err(|error| error.to_string())
}

/// A spec after its digest: hosts keep both, and a spec that is written in other words has another one.
fn with_digest(spec: &ServerSpec) -> String {
    let bytes = spec.to_bytes();
    format!("{} {}", spec.digest(), String::from_utf8_lossy(&bytes))
}

fn specs() -> Vec<String> {
    ServerSpec::samples().iter().map(with_digest).collect()
}

fn spec(line: &str) -> Result<String, String> {
    let (_, json) = line.split_once(' ').ok_or("a digest and a spec")?;
    let spec: ServerSpec = serde_json::from_str(json).map_err(|error| error.to_string())?;
    Ok(with_digest(&spec))
}

#[test]
fn what_crosses_is_written_as_ever() {
    hold(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden"),
        &DOCUMENTS,
    );
}

/// The name of a type as files have it: words in small letters.
fn file_name(part: &Part) -> String {
    let mut name = String::new();
    for letter in part.schema_name().chars() {
        if letter.is_uppercase() && !name.is_empty() {
            name.push('-');
        }
        name.extend(letter.to_lowercase());
    }
    name
}

#[test]
fn whatever_the_hosts_api_sends_is_held() {
    for row in agents::ALL {
        for part in [row.query, row.body, row.answer].into_iter().flatten() {
            let name = file_name(&part);
            // Whose bytes are no document of ours, or are held as a manifest and a spec.
            let is_held = name == "raw" || DOCUMENTS.iter().any(|document| document.name() == name);
            assert!(is_held, "{}: no golden file of `{name}`", row.id);
        }
    }
}
