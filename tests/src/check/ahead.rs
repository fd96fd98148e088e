//! Paying ahead: staff have an account pay ahead, an order is refused while nothing is there, and taken once somebody has
//! topped up; its owner and staff see what is available, and what is held until the server is there.

use std::time::Duration;

use anyhow::{Context, ensure};

use super::{Scene, desk::Desk, server::choose, staff::judge};
use crate::{
    demo::EMAIL,
    lab::{product::plan_for, report::Steps, wait::until},
};

const NAME: &str = "ahead-1";
/// From the start of the control plane, and what the portal keeps of what is offered.
const OFFERED_LIMIT: Duration = Duration::from_secs(120);
const PAGE_LIMIT: Duration = Duration::from_secs(20);
/// From an order to a server that is there.
const READY_LIMIT: Duration = Duration::from_secs(300);

pub(super) async fn paid(steps: &mut Steps, scene: &mut Scene, desk: &Desk) -> anyhow::Result<()> {
    let account = steps
        .step(
            "staff have an account pay ahead, once it has paid for a day of what it uses",
            agreed(scene, desk),
        )
        .await?;
    steps
        .step(
            "an order beyond what is available is refused, and says what is missing",
            refused(scene),
        )
        .await?;
    steps
        .step(
            "after a top-up it is taken, and holds a day of its price until its server is there",
            taken(scene, desk, &account),
        )
        .await
}

/// The page of the account.
async fn agreed(scene: &Scene, desk: &Desk) -> anyhow::Result<String> {
    let of_staff = &desk.browser;
    let account = desk.find(EMAIL).await?;
    let money = format!("{account}/statement");
    let why = [("reason", "as agreed by phone")];
    of_staff.open(&money).await?;
    of_staff.click("ask-prepaid").await?;
    desk.answer(&why).await?;
    if of_staff.count("#error-summary").await? > 0 {
        let said = of_staff.text("#error-summary").await?;
        let (_, missing) = said.split_once("record ").context(said.clone())?;
        let (missing, _) = missing.split_once(" KRW").context(said.clone())?;
        top_up(desk, &account, missing, "KB 9000").await?;
        desk.act(&money, "prepaid", &why).await?;
    }
    of_staff.says("#terms", &["Pays ahead"]).await?;
    ensure!(of_staff.count("#prepaid").await? == 1, "no balance is told");
    judge(scene, of_staff, &money).await?;
    Ok(account)
}

async fn top_up(desk: &Desk, account: &str, amount: &str, name: &str) -> anyhow::Result<()> {
    let money = format!("{account}/statement");
    let answers = [
        ("amount", amount),
        ("reference", name),
        ("reason", "seen at the bank"),
    ];
    desk.act(&money, "payment", &answers).await
}

async fn refused(scene: &Scene) -> anyhow::Result<()> {
    let browser = &scene.browser;
    let plan = plan_for(scene.installation.image());
    // The control plane was started anew a moment ago, and waits until it has heard of its hosts.
    until("the plan is offered", OFFERED_LIMIT, async || {
        browser.open("/servers/new").await?;
        let offered = format!("input[name='plan'][value='{plan}']:enabled");
        ensure!(
            browser.count(&offered).await? == 1,
            "no host has room for it"
        );
        Ok(())
    })
    .await?;
    choose(scene, plan, NAME).await?;
    browser.tick("accept_cautions").await?;
    browser.click("confirm-order").await?;
    let said = browser.text("#error-summary").await?;
    ensure!(said.contains("are missing"), "it says {said}");
    browser.picture("67-payment-required").await
}

async fn taken(scene: &Scene, desk: &Desk, account: &str) -> anyhow::Result<()> {
    top_up(desk, account, "100,000", "KB 9001").await?;
    let browser = &scene.browser;
    choose(scene, plan_for(scene.installation.image()), NAME).await?;
    browser.tick("accept_cautions").await?;
    browser.click("confirm-order").await?;
    let server = until("the server's page", PAGE_LIMIT, async || {
        let path = browser.path().await?;
        ensure!(path.starts_with("/servers/srv_"), "it leads to {path}");
        Ok(path)
    })
    .await?;
    browser.open("/billing").await?;
    browser.says("#prepaid", &[NAME, "Held"]).await?;
    browser.says("#top-up", &["Name this"]).await?;
    browser.picture("68-prepaid").await?;
    judge(scene, browser, "/billing").await?;
    until("the server is charged for", READY_LIMIT, async || {
        browser.open("/billing").await?;
        let balance = browser.text("#prepaid").await?;
        ensure!(!balance.contains(NAME), "it is held for still");
        Ok(())
    })
    .await?;
    browser.says("#lasts", &["As your servers run now"]).await?;
    browser.picture("69-prepaid-runs").await?;
    desk.browser.open(&format!("{account}/statement")).await?;
    desk.browser.says("#prepaid", &["Lasts until"]).await?;
    desk.browser.picture("70-staff-prepaid").await?;
    browser.open("/servers").await?;
    browser.says("#balance", &["Available"]).await?;
    browser.open(&server).await?;
    browser.click("ask-delete").await?;
    browser.fill("confirm_name", NAME).await?;
    browser.click("delete-server").await?;
    let audit = scene.installation.operator(&["billing", "audit"]);
    audit.context("the books do not agree").map(drop)
}
