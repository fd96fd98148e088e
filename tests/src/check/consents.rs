//! Terms of a new version: whoever signs in is asked for them, may go on without, and is asked no more once he has agreed.

use anyhow::ensure;

use super::{Scene, account::sign_in_as};
use crate::{demo, lab::report::Steps};

const BEFORE: &str = "terms_version = \"2026-11\"";
const NEW: &str = "2026-12";

/// The control plane is started anew with the new version.
pub(super) async fn asked_again(steps: &mut Steps, scene: &mut Scene) -> anyhow::Result<()> {
    let restarted = scene
        .installation
        .reconfigure(|text| text.replace(BEFORE, &format!("terms_version = \"{NEW}\"")));
    steps
        .step("the control plane starts anew with new terms", restarted)
        .await?;
    let browser = &scene.browser;
    let asked = async {
        browser.forget().await?;
        sign_in_as(browser, demo::LOGIN, demo::PASSWORD).await?;
        browser.is_at("/account/consents").await?;
        browser.picture("59-consents").await?;
        let others = browser.count("[name='accepted_personal_data']").await?;
        ensure!(others == 0, "what has not changed is asked for as well");
        browser.follow("#consents-later").await?;
        browser.is_at("/servers").await?;
        browser.forget().await?;
        sign_in_as(browser, demo::LOGIN, demo::PASSWORD).await?;
        browser.is_at("/account/consents").await?;
        browser.click("give-consents").await?;
        browser.is_refused("accepted_terms").await?;
        browser.tick("accepted_terms").await?;
        browser.click("give-consents").await?;
        browser.is_at("/servers").await?;
        browser.open("/account/consents").await?;
        browser.says("main", &[NEW]).await?;
        let asked = browser.count("#give-consents").await?;
        ensure!(asked == 0, "it is asked for still");
        browser.forget().await?;
        sign_in_as(browser, demo::LOGIN, demo::PASSWORD).await?;
        browser.is_at("/servers").await
    };
    let step =
        "new terms are asked for at each sign-in until they are agreed to, and nothing else is";
    let _ = steps.step(step, asked).await;
    Ok(())
}
