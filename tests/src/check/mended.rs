//! What failed and is tried again by staff: a mail while the mail server is away, and an order that no host could carry out.

use std::{fs, path::PathBuf, time::Duration};

use anyhow::{Context, ensure};
use innkeeper_wire::{
    api::{Server, ServerState},
    id::{ServerId, SshKeyId},
};

use super::{Scene, account::sign_in_as, desk::Desk, people::NEWCOMER};
use crate::{
    demo,
    lab::{client::Client, report::Steps, wait::until},
};

/// Until a mail was tried in vain.
const TRIED_LIMIT: Duration = Duration::from_secs(30);
/// Five tries in vain, with pauses of 15 s together; or a server that becomes ready.
const FAILED_LIMIT: Duration = Duration::from_secs(120);
const NAME: &str = "db-1";

/// A mail that did not leave.
pub(super) async fn mail(steps: &mut Steps, scene: &mut Scene, desk: &Desk) {
    let retried = async {
        let browser = &scene.browser;
        scene.installation.stop_mail().await?;
        browser.open("/find-id").await?;
        browser.fill("email", NEWCOMER.email).await?;
        browser.click("find-id").await?;
        until("staff see what became of it", TRIED_LIMIT, async || {
            desk.lists("/mails?state=waiting", &[NEWCOMER.login, "refused"])
                .await
        })
        .await?;
        desk.browser.picture("54-staff-mails").await?;
        scene.installation.start_mail()?;
        let why = [("reason", "the mail server is back")];
        desk.follow("#table a[href$='/retry']", &why).await?;
        desk.browser.is_at("/mails").await?;
        let mail = &mut scene.installation.mail;
        let told = ["Your ID", NEWCOMER.login];
        mail.letter(NEWCOMER.email, &told).await?;
        desk.browser.open("/audit").await?;
        desk.browser
            .says("#table", &["the mail server is back"])
            .await?;
        Ok(())
    };
    let step = "staff see a mail that did not leave and why, and have it tried again: it arrives";
    let _ = steps.step(step, retried).await;
}

/// An order that failed, of the customer whose script this is. He has no server left afterwards.
pub(super) async fn order(
    steps: &mut Steps,
    scene: &Scene,
    desk: &Desk,
    (client, key): (&Client, SshKeyId),
) {
    let failed = steps
        .step(
            "no host can carry out an order; its owner reads that it failed and costs nothing",
            order_fails(scene, client, key),
        )
        .await;
    if failed.is_err() {
        return;
    }
    let _ = steps
        .step(
            "staff see the order that failed and place it again: its server runs",
            order_is_retried(scene, desk, client),
        )
        .await;
    let _ = steps
        .step(
            "staff delete a server by its name",
            server_is_deleted(desk, client),
        )
        .await;
}

/// A folder lies where the server's seed belongs: libvirt starts nothing with that.
async fn order_fails(scene: &Scene, client: &Client, key: SshKeyId) -> anyhow::Result<()> {
    let installation = &scene.installation;
    for agent in &installation.agents {
        agent.freeze()?;
    }
    let ordered = demo::order(client, key, NAME, installation.image()).await;
    let obstacles = obstacles(scene, &ordered);
    for obstacle in &obstacles {
        fs::create_dir(obstacle).with_context(|| format!("make {}", obstacle.display()))?;
    }
    for agent in &installation.agents {
        agent.thaw()?;
    }
    let path = format!("/api/v1/servers/{}", ordered?);
    until("the order fails", FAILED_LIMIT, async || {
        let server: Server = client.get(&path).await?;
        let state = server.state;
        ensure!(
            state == ServerState::CreateFailed,
            "the server is {state:?}"
        );
        Ok(())
    })
    .await?;
    for obstacle in &obstacles {
        fs::remove_dir(obstacle).with_context(|| format!("remove {}", obstacle.display()))?;
    }
    let browser = &scene.browser;
    browser.forget().await?;
    sign_in_as(browser, demo::LOGIN, demo::PASSWORD).await?;
    browser.open("/orders").await?;
    browser.follow("main a[href^='/orders/ord_']").await?;
    browser.says("#failure", &["charged"]).await?;
    browser.picture("55-order-failed").await
}

fn obstacles(scene: &Scene, ordered: &anyhow::Result<ServerId>) -> Vec<PathBuf> {
    let Ok(server) = ordered else {
        return Vec::new();
    };
    let hosts = 1..=scene.installation.agents.len();
    let seed = |number| {
        let state = scene.installation.agent_state(number);
        state.join(format!("seeds/{server}.img"))
    };
    hosts.map(seed).collect()
}

async fn order_is_retried(scene: &Scene, desk: &Desk, client: &Client) -> anyhow::Result<()> {
    let browser = &desk.browser;
    desk.lists("/attention", &["An order failed"]).await?;
    desk.lists("/orders", &[NAME, demo::LOGIN]).await?;
    browser.picture("56-staff-orders").await?;
    let why = [("reason", "the folder is gone")];
    desk.follow("#table a[href$='/retry']", &why).await?;
    browser.is_at("/orders").await?;
    let left = browser.count("#table a[href$='/retry']").await?;
    ensure!(left == 0, "it can be placed once more");
    until("its server runs", FAILED_LIMIT, async || {
        let server = named(client).await?;
        let state = server.state;
        ensure!(state == ServerState::Running, "it is {state:?}");
        Ok(())
    })
    .await?;
    scene.browser.open("/servers").await?;
    scene.browser.says("main", &[NAME]).await.map(drop)
}

async fn server_is_deleted(desk: &Desk, client: &Client) -> anyhow::Result<()> {
    let server = named(client).await?;
    let page = format!("/servers/{}", server.id);
    let wrong = [("confirm_name", "web-9"), ("reason", "asked by telephone")];
    let refused = desk.act(&page, "delete", &wrong).await;
    ensure!(refused.is_err(), "it is deleted by another name");
    desk.browser.is_refused("confirm_name").await?;
    desk.answer(&[("confirm_name", NAME)]).await?;
    desk.browser
        .says("#history", &["asked by telephone"])
        .await?;
    let path = format!("/api/v1/servers/{}", server.id);
    until("it is gone", FAILED_LIMIT, async || {
        let server: Server = client.get(&path).await?;
        let state = server.state;
        ensure!(state == ServerState::Deleted, "it is {state:?}");
        Ok(())
    })
    .await
}

/// The newest server of this name.
async fn named(client: &Client) -> anyhow::Result<Server> {
    let page: innkeeper_wire::api::Page<Server> = client.get("/api/v1/servers").await?;
    let mut servers = page.data.into_iter();
    let found = servers
        .find(|server| server.name.as_str() == NAME && server.state != ServerState::CreateFailed);
    found.context("no server of this name")
}
