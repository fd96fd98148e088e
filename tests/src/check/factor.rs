//! A lost second factor, as far as it goes without three days of waiting: it is asked for with the password, staff confirm, and
//! whoever reads the mails ends it.

use anyhow::ensure;

use super::{
    Scene,
    account::{EMAIL, LOGIN, sign_in_as},
    desk::Desk,
    owner::{NEW_EMAIL, NEW_PASSWORD},
    staff::NAME,
};
use crate::lab::report::Steps;

const CONFIRM: &str = "#table a[href$='/confirm']";

/// With an owner who has a second factor, and has changed his address.
pub(super) async fn lost(steps: &mut Steps, scene: &mut Scene, desk: &Desk) -> anyhow::Result<()> {
    let link = steps
        .step(
            "whoever has lost the app asks with the password alone; the new address and the former one are told",
            asked(scene),
        )
        .await?;
    let _ = steps
        .step(
            "one of the staff confirms once and no second time; the second is the operator, and the factor stays on",
            confirmed(scene, desk),
        )
        .await;
    steps
        .step(
            "the link in the mail to the former address ends the request, once; its owner is told",
            cancelled(scene, desk, &link),
        )
        .await
}

/// Gives the link that was mailed to the former address.
async fn asked(scene: &mut Scene) -> anyhow::Result<String> {
    let browser = &scene.browser;
    browser.forget().await?;
    sign_in_as(browser, LOGIN, NEW_PASSWORD).await?;
    browser.is_at("/sign-in/code").await?;
    browser.follow("a[href^='/sign-in/lost-factor']").await?;
    browser.picture("51-lost-factor").await?;
    browser.click("ask-lost-factor").await?;
    browser.is_at("/sign-in/lost-factor/done").await?;
    let portal = scene.installation.ports.portal_url();
    let prefix = format!("{portal}/cancel-lost-factor?lang=en&token=");
    let mail = &mut scene.installation.mail;
    let now = mail.link(NEW_EMAIL, &prefix).await?;
    let former = mail.link(EMAIL, &prefix).await?;
    ensure!(now != former, "both addresses have the same link");
    mail.letter(EMAIL, &["wants two-step verification", "two of our staff"])
        .await?;
    Ok(former)
}

async fn confirmed(scene: &Scene, desk: &Desk) -> anyhow::Result<()> {
    let browser = &desk.browser;
    browser.open("/attention").await?;
    browser.follow("#table a[href='/lost-factors']").await?;
    browser.says("#table", &[LOGIN]).await?;
    let reason = [("reason", "showed her passport in a call")];
    desk.follow(CONFIRM, &reason).await?;
    browser.says("#table", &[LOGIN, NAME]).await?;
    let again = desk.follow(CONFIRM, &reason).await;
    ensure!(again.is_err(), "one of the staff has confirmed twice");
    let (who, why) = ("account lost-factor confirm", "called back, she knew");
    let mut command: Vec<_> = who.split(' ').collect();
    command.extend([LOGIN, "--reason", why]);
    scene.installation.operator(&command)?;
    browser.open("/lost-factors").await?;
    browser.says("#table", &[LOGIN, NAME, "operator"]).await?;
    browser.picture("52-staff-lost-factors").await?;
    let page = desk.find(LOGIN).await?;
    browser.open(&page).await?;
    browser.says("#acts", &[reason[0].1, why]).await?;
    // Both have confirmed, and 72 hours have not passed.
    sign_in_as(&scene.browser, LOGIN, NEW_PASSWORD).await?;
    scene.browser.is_at("/sign-in/code").await
}

async fn cancelled(scene: &mut Scene, desk: &Desk, link: &str) -> anyhow::Result<()> {
    let browser = &scene.browser;
    browser.open(link).await?;
    browser.picture("53-cancel-lost-factor").await?;
    browser.click("cancel-lost-factor").await?;
    browser.is_at("/find-password").await?;
    browser
        .says("main", &["two-step verification stays on"])
        .await?;
    let told = ["stays on", "It was ended by the link in a mail"];
    scene.installation.mail.letter(NEW_EMAIL, &told).await?;
    browser.open(link).await?;
    browser.click("cancel-lost-factor").await?;
    browser.says("main", &["was used already"]).await?;
    desk.browser.open("/lost-factors").await?;
    let left = desk.browser.count("#table").await?;
    ensure!(left == 0, "staff still see a request");
    sign_in_as(browser, LOGIN, NEW_PASSWORD).await?;
    browser.is_at("/sign-in/code").await
}
