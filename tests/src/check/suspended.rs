//! An account that is suspended and resumed: what staff do, what its owner reads, and what becomes of his server.

use std::time::Duration;

use anyhow::ensure;

use super::{
    Scene,
    account::EMAIL,
    behind,
    desk::Desk,
    server::{Server, wait_for_state},
};
use crate::lab::{report::Steps, wait::until};

/// From a deed to what the network does, on a slow machine.
const CUT_LIMIT: Duration = Duration::from_secs(90);

/// With a server that runs, whose owner is signed in; it runs again afterwards.
pub(super) async fn and_resumed(
    steps: &mut Steps,
    scene: &mut Scene,
    desk: &Desk,
    server: &Server,
) -> anyhow::Result<()> {
    steps
        .step(
            "staff suspend an account for abuse: its owner reads why, its server is cut off; resumed, it answers again",
            for_abuse(scene, desk, server),
        )
        .await?;
    steps
        .step(
            "suspended for debt its server is shut down and can't be started; resumed, it runs again",
            for_debt(scene, desk, server),
        )
        .await
}

async fn for_abuse(scene: &mut Scene, desk: &Desk, server: &Server) -> anyhow::Result<()> {
    let page = desk.find(EMAIL).await?;
    let why = "your server sends mail that nobody has asked for";
    desk.act(&page, "suspend-for-abuse", &[("reason", why)])
        .await?;
    desk.browser.says("#suspension", &["abuse", why]).await?;
    let browser = &scene.browser;
    browser.open("/servers/new").await?;
    browser.says("#suspension", &["do harm", why]).await?;
    browser.picture("50-suspended").await?;
    let forms = browser.count("#continue-order").await?;
    ensure!(forms == 0, "he can order");
    let told = ["Your account is suspended", "do harm", why];
    scene.installation.mail.letter(EMAIL, &told).await?;
    until("its network is cut", CUT_LIMIT, async || {
        let reached = server.ssh(scene, "true").await;
        ensure!(reached.is_err(), "ssh answers");
        Ok(())
    })
    .await?;
    resume(scene, desk, &page, "the program that did it is gone").await?;
    until("its network is back", CUT_LIMIT, async || {
        server.ssh(scene, "true").await.map(drop)
    })
    .await
}

async fn for_debt(scene: &mut Scene, desk: &Desk, server: &Server) -> anyhow::Result<()> {
    let page = desk.find(EMAIL).await?;
    let why = "two invoices are open";
    desk.act(&page, "suspend-for-debt", &[("reason", why)])
        .await?;
    let told = ["Your account is suspended", "something is owed", why];
    scene.installation.mail.letter(EMAIL, &told).await?;
    wait_for_state(scene, server, "suspended").await?;
    behind::domain_is(scene, server, "shut off")?;
    let browser = &scene.browser;
    browser.says("#suspension", &["is owed", why]).await?;
    let starts = browser.count("#action-start").await?;
    ensure!(starts == 0, "its owner can start it");
    resume(scene, desk, &page, "both are paid").await?;
    wait_for_state(scene, server, "running").await?;
    until("it answers", CUT_LIMIT, async || {
        server.ssh(scene, "true").await.map(drop)
    })
    .await
}

async fn resume(scene: &mut Scene, desk: &Desk, page: &str, why: &str) -> anyhow::Result<()> {
    desk.act(page, "resume", &[("reason", why)]).await?;
    desk.browser.says("#acts", &[why]).await?;
    let left = desk.browser.count("#suspension").await?;
    ensure!(left == 0, "staff still see the suspension");
    scene.browser.open("/servers").await?;
    let left = scene.browser.count("#suspension").await?;
    ensure!(left == 0, "its owner still reads of the suspension");
    let told = ["Your account can be used again"];
    scene.installation.mail.letter(EMAIL, &told).await
}
