//! axe-core judges every page: as a visitor and as a member, in each language, in the light and in the dark theme.

use std::{fs, path::Path};

use anyhow::{Context, ensure};

use super::{
    Scene,
    browser::Browser,
    server::{self, Server},
};
use crate::lab::{product::plan_for, report::Steps};

const LANGUAGES: [&str; 3] = ["ko", "zh-Hant", "en"];
/// Pages of people who are not signed in.
const VISITORS: [&str; 8] = [
    "/",
    "/sign-up",
    "/sign-up/done",
    "/sign-up/resend",
    "/sign-in",
    "/sign-in?next=/servers/new",
    "/confirm?token=no-such-token",
    "/no-such-page",
];
/// Pages of people who are, but for those of one thing.
const MEMBERS: [&str; 6] = [
    "/servers",
    "/servers?q=no-such-server",
    "/servers/new",
    "/orders",
    "/keys",
    "/account",
];

/// The judge's own script.
#[derive(Debug)]
pub(super) struct Axe(String);

impl Axe {
    pub(super) fn read(file: &Path) -> anyhow::Result<Self> {
        let script =
            fs::read_to_string(file).with_context(|| format!("read {}", file.display()))?;
        Ok(Self(script))
    }

    /// Judges a page in all languages and both themes.
    async fn judge(&self, browser: &Browser, path: &str) -> anyhow::Result<()> {
        let before_tag = if path.contains('?') { "&" } else { "?" };
        for language in LANGUAGES {
            let page = format!("{path}{before_tag}lang={language}");
            browser.open(&page).await?;
            browser.execute(&self.0).await?;
            let found = browser.answer(JUDGE).await?;
            let found = found.as_array().context("axe gives a list")?;
            ensure!(found.is_empty(), "{page}: {found:#?}");
        }
        Ok(())
    }

    async fn judge_all(&self, browser: &Browser, paths: &[String]) -> anyhow::Result<()> {
        for path in paths {
            self.judge(browser, path).await?;
        }
        Ok(())
    }
}

/// The dark theme is made of the page's own rules for it, as if the system had asked for them; of all that axe looks at
/// only contrast can differ there.
const JUDGE: &str = "
const done = arguments[arguments.length - 1];
const judge = async (theme, options) => {
  const { violations } = await axe.run(document, options);
  return violations.flatMap(({ id, nodes }) => nodes.map(
    ({ target, failureSummary }) => `${theme}: ${id} at ${target}: ${failureSummary}`));
};
const ground = () => getComputedStyle(document.body).backgroundColor;
const darken = () => {
  for (const sheet of document.styleSheets) {
    for (const { media } of sheet.cssRules) {
      if (media?.mediaText.includes('prefers-color-scheme: dark')) media.mediaText = 'all';
    }
  }
  document.documentElement.style.colorScheme = 'dark';
  for (const animation of document.getAnimations()) {
    if (animation instanceof CSSTransition) animation.finish();
  }
};
(async () => {
  const light = ground();
  const found = await judge('light', {});
  darken();
  if (ground() === light) found.push('there is no dark theme');
  return found.concat(await judge('dark', { runOnly: ['color-contrast'] }));
})().then(done, (error) => done([String(error)]));
";

pub(super) async fn visitors(steps: &mut Steps, scene: &Scene) {
    let Some(axe) = &scene.axe else { return };
    let pages = VISITORS.map(str::to_owned);
    let judged = axe.judge_all(&scene.browser, &pages);
    let _ = steps
        .step(
            "axe finds nothing on a visitor's pages, in three languages and both themes",
            judged,
        )
        .await;
}

/// With a server that runs.
pub(super) async fn members(steps: &mut Steps, scene: &Scene, server: &Server) {
    let Some(axe) = &scene.axe else { return };
    let browser = &scene.browser;
    let judged = async {
        let mut pages: Vec<_> = MEMBERS.map(str::to_owned).into();
        pages.push(server.path());
        browser.open("/orders").await?;
        pages.push(
            browser
                .attribute("main a[href^='/orders/ord_']", "href")
                .await?,
        );
        let plan = plan_for(scene.installation.image());
        server::choose(scene, plan, "web-2").await?;
        pages.push(browser.address().await?);
        axe.judge_all(browser, &pages).await
    };
    let _ = steps
        .step(
            "axe finds nothing on a member's pages, in three languages and both themes",
            judged,
        )
        .await;
}
