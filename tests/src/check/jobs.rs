//! A technical-support job from both sides, in two browsers: applied for, taken, approved of; an engineer gets in from his own
//! network while its customer allows it, and a session that is open is cut when he does not any more.

use std::{net::IpAddr, time::Duration};

use anyhow::{Context, ensure};
use tokio::{
    io::{AsyncReadExt as _, BufReader},
    process::Child,
    time::{Instant, timeout},
};

use super::{Scene, account::EMAIL, desk::Desk, server::Server};
use crate::lab::{network::ENGINEER_V4, report::Steps, wait::until};

/// From the button to what the host says, on a slow machine; `./dev bench access` measures it.
const OPEN_LIMIT: Duration = Duration::from_secs(20);
/// From a withdrawal to the last byte of a session that is open: two seconds, and what a busy browser takes.
const CUT_LIMIT: Duration = Duration::from_secs(5);
/// Within this time without a byte a session that says something ten times a second is dead.
const SILENCE: Duration = Duration::from_secs(2);
const TITLE: &str = "Set up nginx";

/// With a server that runs, whose owner is signed in; it runs afterwards as before.
pub(super) async fn done(
    steps: &mut Steps,
    scene: &mut Scene,
    desk: &Desk,
    server: &Server,
) -> anyhow::Result<()> {
    let applied = apply(scene, server);
    let job = steps.step("a support job is applied for", applied).await?;
    steps
        .step(
            "an engineer takes it and asks for approval, which is refused while nobody is let in",
            asked(scene, desk, server, &job),
        )
        .await?;
    steps
        .step(
            "let in, he gets in by ssh from his network alone; a session that is open is cut when that is withdrawn",
            let_in(scene, server, &job),
        )
        .await?;
    steps
        .step(
            "it is closed: its customer is told, and it stands with what the month costs",
            closed(scene, desk, &job),
        )
        .await
}

async fn apply(scene: &Scene, server: &Server) -> anyhow::Result<String> {
    let browser = &scene.browser;
    browser
        .open(&format!("/jobs/new?server={}", server.id))
        .await?;
    browser.picture("52-job-form").await?;
    browser.click("apply").await?;
    browser.is_refused("title").await?;
    browser.tick("services").await?;
    browser.fill("phone", "+82 10 0000 0000").await?;
    browser.fill("title", TITLE).await?;
    browser.fill("body", "With PHP 8.2, please.").await?;
    browser.tick("consent").await?;
    browser.click("apply").await?;
    let path = browser.path().await?;
    ensure!(path.starts_with("/jobs/job_"), "applying leads to {path}");
    browser.says("#job-head", &[TITLE, "Accepted"]).await?;
    browser.picture("53-job-accepted").await?;
    Ok(path)
}

async fn asked(scene: &mut Scene, desk: &Desk, server: &Server, job: &str) -> anyhow::Result<()> {
    desk.browser.open("/jobs").await?;
    desk.browser.says("#table", &[TITLE]).await?;
    desk.act(job, "take", &[]).await?;
    desk.act(
        job,
        "ask-approval",
        &[("text", "Install nginx and PHP 8.2.")],
    )
    .await?;
    desk.browser.picture("54-job-desk").await?;
    let told = ["asks you to approve", "Install nginx and PHP 8.2."];
    scene.installation.mail.letter(EMAIL, &told).await?;
    ensure!(
        try_ssh(scene, server).await.is_err(),
        "an engineer gets in before anybody has allowed it"
    );
    let browser = &scene.browser;
    browser.open(&format!("{job}/approval")).await?;
    browser.click("confirm-job").await?;
    browser
        .says("#error-summary", &["Allow firewall access"])
        .await?;
    browser.picture("55-job-not-active").await
}

async fn let_in(scene: &Scene, server: &Server, job: &str) -> anyhow::Result<()> {
    allow(scene, job).await?;
    let browser = &scene.browser;
    browser.picture("56-job-access").await?;
    until("an engineer gets in", OPEN_LIMIT, async || {
        try_ssh(scene, server).await
    })
    .await?;
    browser.open(&format!("{job}/approval")).await?;
    browser.click("confirm-job").await?;
    browser.says("#job-head", &["Working"]).await?;
    let mut session = scene.key.spawn_from(
        &scene.installation.run().world(),
        IpAddr::V4(ENGINEER_V4),
        ("root", server.addresses[0]),
        "while :; do echo here; sleep 0.1; done",
    )?;
    let mut said = BufReader::new(session.stdout.take().context("its output")?);
    let mut bytes = [0; 256];
    let read = timeout(OPEN_LIMIT, said.read(&mut bytes)).await;
    ensure!(read.context("the session says nothing")?? > 0, "it ended");
    browser.open(job).await?;
    let withdrawn = Instant::now();
    browser.click("withdraw-access").await?;
    while let Ok(Ok(1..)) = timeout(SILENCE, said.read(&mut bytes)).await {
        ensure!(withdrawn.elapsed() < CUT_LIMIT, "the session goes on");
    }
    end(session).await;
    browser.says("#paused", &["paused until you allow"]).await?;
    browser.picture("57-job-paused").await?;
    ensure!(
        try_ssh(scene, server).await.is_err(),
        "an engineer gets in after it was withdrawn"
    );
    // Its owner is let in as ever.
    server.ssh(scene, "true").await.map(drop)?;
    allow(scene, job).await
}

async fn allow(scene: &Scene, job: &str) -> anyhow::Result<()> {
    let browser = &scene.browser;
    browser.open(job).await?;
    browser.click("allow-access").await?;
    until(
        "the page says that they are let in",
        OPEN_LIMIT,
        async || {
            browser
                .says("#access-text", &["can reach the SSH port"])
                .await
                .map(drop)
        },
    )
    .await
}

async fn closed(scene: &mut Scene, desk: &Desk, job: &str) -> anyhow::Result<()> {
    desk.act(job, "done", &[("text", "nginx and PHP are there.")])
        .await?;
    let told = ["Your job is done", "nginx and PHP are there."];
    scene.installation.mail.letter(EMAIL, &told).await?;
    let browser = &scene.browser;
    browser.open(job).await?;
    browser
        .says("#outcome", &["nginx and PHP are there."])
        .await?;
    browser.picture("58-job-closed").await?;
    browser.open("/billing").await?;
    let told = ["Technical support: Web server set-up"];
    browser.says("main", &told).await.map(drop)
}

/// Signs in from the engineers' address, with a key that is on the server.
async fn try_ssh(scene: &Scene, server: &Server) -> anyhow::Result<()> {
    let child = scene.key.spawn_from(
        &scene.installation.run().world(),
        IpAddr::V4(ENGINEER_V4),
        ("root", server.addresses[0]),
        "true",
    )?;
    let ended = timeout(OPEN_LIMIT, child.wait_with_output()).await;
    let ended = ended.context("ssh takes too long")??;
    ensure!(ended.status.success(), "ssh is refused");
    Ok(())
}

async fn end(mut session: Child) {
    session.kill().await.ok();
}
