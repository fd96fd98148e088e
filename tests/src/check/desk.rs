//! Somebody of the staff at the portal of the staff, in a browser: finds who is asked for, and does what the page asks about.

use std::time::Duration;

use anyhow::{Context, ensure};
use innkeeper_control_plane::credentials::rules::totp::Secret;
use innkeeper_wire::time::{Clock as _, SystemClock};

use super::{
    browser::Browser,
    staff::{NAME, PASSWORD},
};

/// How long one is shown.
const CODE_STEP: Duration = Duration::from_secs(30);

/// Where one of the staff works.
pub(super) struct Desk {
    pub(super) browser: Browser,
    /// What the authenticator app has.
    pub(super) app: Secret,
}

impl Desk {
    /// Presses the button of a deed on a page, answers what is asked, and does it.
    pub(super) async fn act(
        &self,
        page: &str,
        deed: &str,
        answers: &[(&str, &str)],
    ) -> anyhow::Result<()> {
        self.browser.open(page).await?;
        self.follow(&format!("#ask-{deed}"), answers).await
    }

    /// The same behind any link of the page that is shown.
    pub(super) async fn follow(&self, css: &str, answers: &[(&str, &str)]) -> anyhow::Result<()> {
        let browser = &self.browser;
        browser.follow(css).await?;
        self.answer(answers).await?;
        if browser.count("#error-summary").await? > 0 {
            let said = browser.text("#error-summary").await?;
            anyhow::bail!("{css} is refused: {said}");
        }
        Ok(())
    }

    /// Fills the form that asks before a deed, and sends it; proves who it is where that is asked for first.
    pub(super) async fn answer(&self, answers: &[(&str, &str)]) -> anyhow::Result<()> {
        for (name, value) in answers {
            self.browser.fill(name, value).await?;
        }
        self.browser.click("do").await?;
        if self.browser.path().await? == "/account/proof" {
            self.prove().await?;
            self.browser.click("do").await?;
        }
        Ok(())
    }

    /// Answers the question for password and code, by a code that was not used: of two steps one is left.
    pub(super) async fn prove(&self) -> anyhow::Result<()> {
        let browser = &self.browser;
        let now = SystemClock.now();
        for at in [now, now.after(CODE_STEP)] {
            browser.fill("password", PASSWORD).await?;
            browser.fill("code", &self.app.code(at)).await?;
            browser.click("prove").await?;
            if browser.path().await? != "/account/proof" {
                return Ok(());
            }
        }
        anyhow::bail!("no code is taken")
    }

    /// Signs in by another code than the present one, which may have been used.
    pub(super) async fn sign_in(&self) -> anyhow::Result<()> {
        let next = SystemClock.now().after(CODE_STEP);
        self.sign_in_with(&self.app.code(next)).await
    }

    /// Fills the form that signs in, and sends it.
    pub(super) async fn sign_in_with(&self, code: &str) -> anyhow::Result<()> {
        let browser = &self.browser;
        browser.open("/sign-in").await?;
        browser.fill("name", NAME).await?;
        browser.fill("password", PASSWORD).await?;
        browser.fill("code", code).await?;
        browser.click("sign-in").await
    }

    /// The page of the one account that is found by a text.
    pub(super) async fn find(&self, text: &str) -> anyhow::Result<String> {
        let found = self.look_for(text).await?;
        ensure!(found == 1, "{found} accounts are found by {text}");
        let link = "#table td.first a";
        self.browser.attribute(link, "href").await
    }

    /// Checks that a list has lines, and says all of these in them. To be asked again and again.
    pub(super) async fn lists(&self, list: &str, parts: &[&str]) -> anyhow::Result<()> {
        let browser = &self.browser;
        browser.open(list).await?;
        ensure!(browser.count("#table").await? > 0, "{list} is empty");
        browser.says("#table", parts).await.map(drop)
    }

    /// How many accounts are found by a text.
    pub(super) async fn look_for(&self, text: &str) -> anyhow::Result<usize> {
        let browser = &self.browser;
        browser.open("/accounts").await?;
        browser.fill("text", text).await?;
        browser.click("search").await?;
        browser.count("#table td.first a").await
    }

    /// The page of the first in a list.
    pub(super) async fn first(&self, list: &str) -> anyhow::Result<String> {
        self.browser.open(list).await?;
        let href = self.browser.attribute("#table td.first a", "href").await;
        href.with_context(|| format!("nobody is in {list}"))
    }
}
