//! Whether a page shows the name of a text in place of the text.

use std::collections::BTreeSet;

/// Names of all texts.
fn keys() -> BTreeSet<&'static str> {
    let texts = include_str!("../../locales/en/main.ftl");
    let lines = texts.lines().filter_map(|line| line.split_once(" = "));
    lines.map(|(key, _)| key).collect()
}

/// The names that are shown, in the page's text or in an attribute that is read out.
pub(crate) fn untranslated(html: &str) -> Vec<String> {
    let keys = keys();
    let between = html.split('>').map(|part| part.split('<').next());
    let said = ["aria-label", "title", "placeholder", "alt"].map(|name| format!(" {name}=\""));
    let read_out = said
        .iter()
        .flat_map(|start| html.split(start).skip(1))
        .map(|part| part.split('"').next());
    let shown = between.chain(read_out).flatten().map(str::trim);
    let mut found: Vec<_> = shown
        .filter(|text| keys.contains(text) || text.contains("Unknown localization"))
        .map(str::to_owned)
        .collect();
    found.dedup();
    found
}
