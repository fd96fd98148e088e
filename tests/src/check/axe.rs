//! axe-core judges every page of the portal's table: as a visitor and as a member, in each language, in the light and in
//! the dark theme.

use std::{fs, path::Path};

use anyhow::{Context, bail, ensure};
use innkeeper_portal_lite::{
    routes::PAGES,
    sitemap::{Kind, Row, Who},
};

use super::{
    Scene,
    browser::Browser,
    server::{self, Server},
};
use crate::lab::{product::plan_for, report::Steps};

const LANGUAGES: [&str; 3] = ["ko", "zh-Hant", "en"];
/// What the rows alone do not show: pages that look otherwise with another query, and the page of what is not there.
const VISITORS_TOO: [&str; 5] = [
    "/sign-in?next=/servers/new",
    "/sign-up?kind=individual",
    "/sign-up?kind=partner",
    "/no-such-page",
    "/calculator?line=seoul-1_s1_2_100&line=seoul-1_no-such-plan_1&line=x&plan=s1&quantity=0",
];
const MEMBERS_TOO: [&str; 2] = [
    "/servers?q=no-such-server",
    "/calculator?line=seoul-1_s1_2_100&change=1",
];

/// What a page of the table can be opened with: how such paths begin, and what stands in place of `{id}`; or the name of a
/// parameter of the query, and its value.
pub(super) type Example = (&'static str, String);

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
    pub(super) async fn judge(&self, browser: &Browser, path: &str) -> anyhow::Result<()> {
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

/// The addresses of all pages of a portal that are for these, each with an example of what its path and query name.
pub(super) fn pages_for(
    rows: &'static [Row],
    who: &[Who],
    examples: &[Example],
) -> anyhow::Result<Vec<String>> {
    let rows = rows.iter().filter(|row| who.contains(&row.who));
    rows.filter(|row| matches!(row.kind, Kind::Found | Kind::Page))
        .map(|row| address(row, examples))
        .collect()
}

fn address(row: &Row, examples: &[Example]) -> anyhow::Result<String> {
    let mut path = row.path.replace("{action}", "power_off");
    if path.contains("{id}") {
        let example = examples.iter().find(|(start, _)| path.starts_with(start));
        let (_, id) = example.with_context(|| format!("no example for {path}"))?;
        path = path.replace("{id}", id);
    }
    if path.contains('{') {
        bail!("no example for {path}");
    }
    let in_query = examples.iter().find(|(name, _)| row.query.contains(name));
    if let Some((name, value)) = in_query {
        path = format!("{path}?{name}={value}");
    }
    Ok(path)
}

/// What a member has: read where the portal itself leads to it.
async fn examples(scene: &Scene, server: &Server) -> anyhow::Result<Vec<Example>> {
    let browser = &scene.browser;
    let first_id = async |list: &'static str| {
        browser.open(list).await?;
        let link = format!("main a[href^='{list}/']");
        let href = browser.attribute(&link, "href").await?;
        let id = href.rsplit('/').next().unwrap_or_default().to_owned();
        anyhow::Ok((list, id))
    };
    let keys = first_id("/keys").await?;
    let orders = first_id("/orders").await?;
    server::choose(scene, plan_for(scene.installation.image()), "web-2").await?;
    let summary = browser.address().await?;
    let quote = summary
        .split_once("?quote=")
        .with_context(|| format!("no quote in {summary}"))?;
    Ok(vec![
        ("/servers/{", server.id.to_string()),
        // No month is over in the laboratory: the page says that there is no such invoice.
        (
            "/billing/invoices/{",
            "inv_0190b5c87f1e7c3a8e0f5b6d2c4a9e11".to_owned(),
        ),
        // Nor is there a job.
        ("/jobs/{", "job_0190b5c87f1e7c3a8e0f5b6d2c4a9e11".to_owned()),
        keys,
        orders,
        ("quote", quote.1.to_owned()),
    ])
}

pub(super) async fn visitors(steps: &mut Steps, scene: &Scene) {
    let Some(axe) = &scene.axe else { return };
    let judged = async {
        let mut pages = pages_for(
            PAGES,
            &[Who::Anyone, Who::Strangers],
            &[("token", "no-such-token".to_owned())],
        )?;
        pages.extend(VISITORS_TOO.map(str::to_owned));
        axe.judge_all(&scene.browser, &pages).await
    };
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
    let judged = async {
        let examples = examples(scene, server).await?;
        let mut pages = pages_for(PAGES, &[Who::Members], &examples)?;
        pages.extend(MEMBERS_TOO.map(str::to_owned));
        axe.judge_all(&scene.browser, &pages).await
    };
    let _ = steps
        .step(
            "axe finds nothing on a member's pages, in three languages and both themes",
            judged,
        )
        .await;
}
