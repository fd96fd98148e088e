//! The order form in a browser: the price is that of what is chosen, also when the browser goes back, and whatever has
//! the focus can be seen.

use std::time::Duration;

use anyhow::{Context, ensure};

use super::{Scene, browser::Browser};
use crate::lab::{report::Steps, wait::until};

/// A plan that the form does not propose.
const OTHER_PLAN: &str = "s2";
/// Who pays for the demo's customer in the browser.
pub(super) const PAYER: &str = "Harbour <Trading> Ltd.";
/// A small phone, and a desktop window of 1280 x 800 at 200 %.
const SMALL_WINDOWS: [(u32, u32); 2] = [(360, 640), (640, 400)];
/// The portal knows for 15 s, and the control plane for 5, that there was no host with room for a plan.
const OFFERED_LIMIT: Duration = Duration::from_secs(30);
/// More elements than any page has that take the focus.
const STOPS_MAX: usize = 120;

/// Whether the box shows the price of the plan that is chosen.
const PRICE_IS_RIGHT: &str = "
    const plan = document.querySelector('input[name=plan]:checked');
    const shown = document.querySelector('#price [data-price=hour]').textContent;
    return shown !== '' && shown === plan.dataset.hour && plan.value === arguments[0];";

/// What the order form is filled in with, if it is that.
const NAME_AND_PLAN: &str = "
    const plan = document.querySelector('input[name=plan]:checked');
    return `${document.getElementById('name')?.value} ${plan?.value}`;";

/// What has the focus, when other layers cover all of it (WCAG 2.4.11); nothing when some of it is seen; `end` behind the
/// last one.
const COVERED: &str = "
    const focused = document.activeElement;
    if (!focused || focused === document.body) return 'end';
    const box = focused.getBoundingClientRect();
    let top = null;
    for (const part of [0.1, 0.5, 0.9]) {
      top = document.elementFromPoint(box.left + box.width / 2, box.top + box.height * part);
      if (top && (focused.contains(top) || top.contains(focused))) return '';
    }
    return `${focused.outerHTML.slice(0, 120)} under ${top ? top.outerHTML.slice(0, 80) : 'nothing'}`;";

/// Chooses, goes on, comes back, and tabs through the pages in small windows. Orders nothing.
pub(super) async fn form(steps: &mut Steps, scene: &Scene) -> anyhow::Result<()> {
    let browser = &scene.browser;
    steps
        .step(
            "the first order asks to whom it is invoiced, says what is wrong, and goes on",
            profile_is_asked(browser),
        )
        .await?;
    let _ = steps
        .step(
            "the price is that of the chosen plan, also after the browser's Back",
            price_follows(browser),
        )
        .await;
    let _ = steps
        .step(
            "going back after a mistake finds what was sent last",
            mistake_is_behind(browser),
        )
        .await;
    for (width, height) in SMALL_WINDOWS {
        let seen = async {
            browser.resize(width, height).await?;
            for path in ["/servers/new", "/keys", "/"] {
                nothing_is_covered(browser, path)
                    .await
                    .with_context(|| format!("tab through {path}"))?;
            }
            browser.resize(1280, 1000).await
        };
        let _ = steps
            .step(
                &format!("what has the focus is never covered at {width}x{height}"),
                seen,
            )
            .await;
    }
    Ok(())
}

/// As a business in Korea, which has the most to say.
async fn profile_is_asked(browser: &Browser) -> anyhow::Result<()> {
    is_offered(browser).await?;
    browser.fill("name", "first-1").await?;
    browser.tick("ssh_keys").await?;
    browser.click("continue-order").await?;
    browser.is_at("/billing/profile").await?;
    browser.says("main", &["asked once", "Individual"]).await?;
    browser.picture("09-profile").await?;
    browser.click("other-kind").await?;
    let contact = browser.property("#contact", "value").await?;
    ensure!(!contact.is_empty(), "nothing is filled in of the account");
    browser.fill("name", PAYER).await?;
    browser.fill("business_number", "124-81-00997").await?;
    browser.select("country", "KR").await?;
    browser
        .fill("address", "1 Sejong-daero, Jung-gu, Seoul")
        .await?;
    browser.fill("mobile", "010-1234-5678").await?;
    browser.click("save-profile").await?;
    browser
        .says("#error-summary", &["A digit of this number is wrong"])
        .await?;
    browser.picture("09-profile-wrong").await?;
    browser.fill("business_number", "124-81-00998").await?;
    browser.click("save-profile").await?;
    browser.is_at("/servers/new/confirm").await?;
    browser.says("main", &["first-1", PAYER]).await?;
    Ok(())
}

/// Opens the order form once the other plan can be had.
async fn is_offered(browser: &Browser) -> anyhow::Result<()> {
    let offered = format!("input[name=plan][value={OTHER_PLAN}]:enabled");
    until("the plan is offered", OFFERED_LIMIT, async || {
        browser.open("/servers/new").await?;
        let count = browser.count(&offered).await?;
        ensure!(count == 1, "{count} of them");
        Ok(())
    })
    .await
}

async fn price_follows(browser: &Browser) -> anyhow::Result<()> {
    is_offered(browser).await?;
    browser.choose("plan", OTHER_PLAN).await?;
    price_is_of(browser, OTHER_PLAN).await?;
    browser.fill("name", "back-1").await?;
    browser.tick("ssh_keys").await?;
    browser.click("continue-order").await?;
    let summary = browser.text("main").await?;
    for part in ["vCPU", "IPv4", "VAT 10%", "Minimum charge"] {
        ensure!(summary.contains(part), "no {part} in {summary}");
    }
    browser.back().await?;
    price_is_of(browser, OTHER_PLAN).await
}

/// The entry of the history behind the summary was the answer to a form: going back there asked whether to send it again.
async fn mistake_is_behind(browser: &Browser) -> anyhow::Result<()> {
    browser.open("/servers/new").await?;
    browser.choose("plan", OTHER_PLAN).await?;
    browser.fill("name", "-wrong-").await?;
    browser.tick("ssh_keys").await?;
    browser.click("continue-order").await?;
    let complaints = browser.text("#error-summary").await?;
    ensure!(complaints.contains("hyphens"), "{complaints}");
    browser.fill("name", "back-2").await?;
    browser.click("continue-order").await?;
    let summary = browser.text("main").await?;
    ensure!(summary.contains("back-2"), "{summary}");
    browser.back().await?;
    let found = browser.run(NAME_AND_PLAN, &[]).await?;
    let found = found.as_str().unwrap_or_default();
    ensure!(found == format!("back-2 {OTHER_PLAN}"), "found {found:?}");
    // Before that lies the form as it was opened, and nothing in between.
    browser.back().await?;
    let count = browser.count("#continue-order").await?;
    ensure!(count == 1, "{}", browser.text("body").await?);
    Ok(())
}

async fn price_is_of(browser: &Browser, plan: &str) -> anyhow::Result<()> {
    let is_right = browser.run(PRICE_IS_RIGHT, &[plan]).await?;
    ensure!(
        is_right.as_bool() == Some(true),
        "the box shows {} and {plan} is chosen",
        browser.text("#price").await?
    );
    Ok(())
}

/// Tabs from the top of a page to its end.
async fn nothing_is_covered(browser: &Browser, path: &str) -> anyhow::Result<()> {
    browser.open(path).await?;
    for stop in 1..=STOPS_MAX {
        browser.tab().await?;
        let covered = browser.run(COVERED, &[]).await?;
        match covered.as_str().context("a text")? {
            "" => {}
            "end" if stop > 5 => return Ok(()),
            covered => anyhow::bail!("stop {stop}: {covered}"),
        }
    }
    anyhow::bail!("more than {STOPS_MAX} stops")
}
