//! Backup and restore as docs/operating.md prints them, typed by root on a machine whose units run.

use std::fs;

use anyhow::{Context, ensure};
use innkeeper_tests::{
    demo,
    lab::{client::Client, ssh::Key, wait::until},
};

use crate::{ANSWER_LIMIT, CONTROL_PLANE, heard, machine::Machine};

const OPERATING: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/operating.md");

/// Makes a backup, loses the store, restores the backup. What was in it is served again, and can be changed.
pub(super) async fn restore(machine: &Machine, client: &mut Client) -> anyhow::Result<()> {
    let [backup, verify, .., check] = &printed("innkeeper-control-plane backup")?[..] else {
        anyhow::bail!("the chapter of the store prints other lines");
    };
    typed(machine, backup)?;
    typed(machine, verify)?;
    let [stop, aside, restore, start, show] = &printed("systemctl stop")?[..] else {
        anyhow::bail!("the restore has other steps");
    };
    let [finish] = &printed("innkeeper-control-plane recovery finish")?[..] else {
        anyhow::bail!("opening has other steps");
    };
    for line in [stop, aside, restore, check, start, show] {
        typed(machine, line)?;
    }
    let files = "find /var/lib/innkeeper/$0 -printf '%m %U %G %y\\n' | sort -u";
    let of = |folder| machine.run(&["sh", "-c", files, folder]);
    let (before, after) = (of("store.old")?, of("store")?);
    ensure!(
        before == after,
        "restored for others than before: {after}, was {before}"
    );
    until("the hosts have reported", ANSWER_LIMIT, async || {
        typed(machine, finish)
    })
    .await?;
    // Sessions are in no backup.
    demo::sign_in(client).await?;
    let key = tempfile::tempdir().context("a folder")?;
    demo::add_key(client, &Key::generate(key.path())?).await?;
    typed(machine, "innkeeper-control-plane doctor")?;
    let state = machine.run(&["systemctl", "is-active", CONTROL_PLANE])?;
    ensure!(state.trim() == "active", "it is {state}");
    heard(machine).await
}

/// The lines of the document's block that begins with these words.
fn printed(first: &str) -> anyhow::Result<Vec<String>> {
    let document = fs::read_to_string(OPERATING).context("docs/operating.md")?;
    let blocks = document.split("```sh\n").skip(1);
    let mut blocks = blocks.filter_map(|rest| rest.split("```").next());
    let block = blocks
        .find(|block| block.starts_with(first))
        .with_context(|| format!("docs/operating.md prints no `{first}`"))?;
    Ok(block.lines().map(str::to_owned).collect())
}

fn typed(machine: &Machine, line: &str) -> anyhow::Result<()> {
    let said = machine.run(&["bash", "-c", line]);
    said.map(drop).with_context(|| format!("typed `{line}`"))
}
