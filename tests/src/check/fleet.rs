//! Hosts in the hands of staff: one is invited, falls silent, is replaced, revoked, declared lost and fenced.

use std::time::Duration;

use anyhow::ensure;

use super::{Scene, desk::Desk};
use crate::lab::{product::SITE, report::Steps, wait::until};

/// A host is silent some seconds after its last report.
const SILENT_LIMIT: Duration = Duration::from_secs(60);
/// The host that goes through all of it.
pub(super) const NUMBER: usize = 2;
const NAME: &str = "h2";

/// Has the last host join by an invitation of the staff.
pub(super) async fn invite(
    steps: &mut Steps,
    scene: &mut Scene,
    desk: &Desk,
) -> anyhow::Result<()> {
    let invited = async {
        let browser = &desk.browser;
        for wrong in ["h 2", "h1"] {
            ask(desk, wrong).await?;
            browser.is_refused("name").await?;
        }
        ask(desk, NAME).await?;
        browser.picture("57-staff-invited").await?;
        let line = browser.text("#join-command").await?;
        scene.installation.add_invited_host(NUMBER, &line).await?;
        desk.lists("/hosts", &[NAME, "In use"]).await
    };
    let step = "staff invite host 2 in their portal; it joins by the command that is shown once";
    steps.step(step, invited).await
}

async fn ask(desk: &Desk, name: &str) -> anyhow::Result<()> {
    let browser = &desk.browser;
    browser.open("/hosts").await?;
    browser.follow("#ask-invite").await?;
    browser.select("site", SITE).await?;
    desk.answer(&[("name", name)]).await
}

/// With no server left on it.
pub(super) async fn gone(steps: &mut Steps, scene: &mut Scene, desk: &Desk) -> anyhow::Result<()> {
    steps
        .step(
            "a host falls silent; staff have a machine take its place, which is the same host then",
            replaced(scene, desk),
        )
        .await?;
    steps
        .step(
            "staff revoke a host by its name, declare it lost, and confirm that it is off",
            lost(scene, desk),
        )
        .await
}

async fn page_of(desk: &Desk) -> anyhow::Result<String> {
    desk.first(&format!("/hosts?q={NAME}")).await
}

async fn replaced(scene: &mut Scene, desk: &Desk) -> anyhow::Result<()> {
    let browser = &desk.browser;
    scene.installation.agents[NUMBER - 1].kill().await?;
    let page = page_of(desk).await?;
    until("staff see that it is silent", SILENT_LIMIT, async || {
        browser.open(&page).await?;
        browser.says("#state", &["Silent"]).await.map(drop)
    })
    .await?;
    desk.lists("/attention", &["A host is not heard of", NAME])
        .await?;
    desk.act(&page, "replace", &[("reason", "its disk is new")])
        .await?;
    let line = browser.text("#join-command").await?;
    scene.installation.replace_host(NUMBER, &line).await?;
    browser.open(&page).await?;
    browser.says("#state", &["In use"]).await.map(drop)
}

async fn lost(scene: &mut Scene, desk: &Desk) -> anyhow::Result<()> {
    let browser = &desk.browser;
    let page = page_of(desk).await?;
    // No button leads there while it answers; who gets there all the same is told why not.
    let sold = [("confirm_name", NAME), ("reason", "it was sold")];
    browser.open(&format!("{page}/lost")).await?;
    desk.answer(&sold).await?;
    browser
        .says("#error-summary", &["is not lost", "it is heard of"])
        .await?;
    scene.installation.agents[NUMBER - 1].kill().await?;
    browser.open(&page).await?;
    browser.click("ask-revoke").await?;
    browser.says("#facts", &["0 servers"]).await?;
    desk.answer(&[("confirm_name", "h1"), ("reason", "it was sold")])
        .await?;
    browser.is_refused("confirm_name").await?;
    for (deed, state) in [("revoke", "Revoked"), ("lost", "Lost"), ("fenced", "Lost")] {
        desk.act(&page, deed, &sold).await?;
        browser.says("#state", &[state]).await?;
    }
    browser.picture("58-staff-lost").await?;
    let left = browser.count("#deeds").await?;
    ensure!(left == 0, "something can be done to it still");
    Ok(())
}
