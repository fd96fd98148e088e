//! What the hoster's own people do in their portal, in a browser: an administrator enrols by the link of the command line,
//! signs in with a code, finds the customer, and does what he is asked for.

use anyhow::{Context, ensure};
use innkeeper_control_plane::credentials::rules::totp::Secret;
use innkeeper_portal_lite::{routes::staff::STAFF_PAGES, sitemap::Who};
use innkeeper_wire::time::{Clock as _, SystemClock};

use super::{
    Scene,
    account::{EMAIL, LOGIN},
    axe::{self, Example},
    browser::Browser,
    server::Server,
};
use crate::lab::report::Steps;

const NAME: &str = "haru";
const PASSWORD: &str = "eleven-calm-cranes-58";
const QUOTA: &str = "12";
/// Pages that look otherwise with another query.
const PAGES_TOO: [&str; 3] = [
    "/accounts?state=active",
    "/servers?q=no-such-server",
    "/no-such-page",
];

/// Enrols and signs in; what follows is done as this person.
pub(super) async fn enrol(steps: &mut Steps, scene: &Scene) -> anyhow::Result<Browser> {
    let browser = scene
        .browser
        .at(scene.installation.ports.staff_portal_url());
    let added = [
        "staff",
        "add",
        NAME,
        "--role",
        "admin",
        "--email",
        "haru@example.net",
    ];
    let printed = scene.installation.operator(&added)?;
    let link = printed
        .split_whitespace()
        .find(|word| word.contains("?token="));
    let link = link.context("the command prints a link")?.to_owned();
    let enrolled = async {
        judge(scene, &browser, &link).await?;
        browser.open(&link).await?;
        let shown = browser.text("#secret").await?.replace(' ', "");
        let secret = Secret::try_from(shown).context("a secret")?;
        browser.fill("password", "password1").await?;
        browser
            .fill("code", &secret.code(SystemClock.now()))
            .await?;
        browser.click("enrol").await?;
        browser.is_refused("password").await?;
        browser.fill("password", PASSWORD).await?;
        browser
            .fill("code", &secret.code(SystemClock.now()))
            .await?;
        browser.picture("40-staff-enrol").await?;
        browser.click("enrol").await?;
        let path = browser.path().await?;
        ensure!(path == "/sign-in", "enrolling leads to {path}");
        Ok(secret)
    };
    let secret = steps
        .step(
            "somebody of the staff enrols by the link of the command line",
            enrolled,
        )
        .await?;
    let signed_in = sign_in(&browser, &secret);
    steps
        .step(
            "a wrong code of staff is refused, the right one signs in",
            signed_in,
        )
        .await?;
    Ok(browser)
}

async fn sign_in(browser: &Browser, secret: &Secret) -> anyhow::Result<()> {
    // The code of this step has enrolled; one of the next step counts already.
    let next = SystemClock.now().after(std::time::Duration::from_secs(30));
    for (code, leads_to) in [("000000", "/sign-in"), (&*secret.code(next), "/attention")] {
        browser.open("/sign-in").await?;
        browser.fill("name", NAME).await?;
        browser.fill("password", PASSWORD).await?;
        browser.fill("code", code).await?;
        browser.click("sign-in").await?;
        let path = browser.path().await?;
        ensure!(path == leads_to, "{code} leads to {path}");
        if path == "/sign-in" {
            let said = browser.text("#error-summary").await?;
            ensure!(
                said.contains("code is wrong"),
                "the code is not among what may be wrong: {said}"
            );
        }
    }
    browser.picture("41-staff-attention").await
}

async fn judge(scene: &Scene, browser: &Browser, path: &str) -> anyhow::Result<()> {
    match &scene.axe {
        Some(axe) => axe.judge(browser, path).await,
        None => Ok(()),
    }
}

/// With a customer whose server runs.
pub(super) async fn pages(
    steps: &mut Steps,
    scene: &Scene,
    browser: &Browser,
    server: &Server,
) -> anyhow::Result<()> {
    let account = steps
        .step(
            "staff find a customer by the address of his mail",
            find(browser),
        )
        .await?;
    let _ = steps
        .step(
            "a customer's limit of servers is raised for a reason, which is kept",
            raise(browser, &account),
        )
        .await;
    if scene.axe.is_some() {
        let examples = [
            ("/accounts/{", account.clone()),
            ("/servers/{", server.id.to_string()),
            ("/hosts/{", "h1".to_owned()),
            // What their pages ask before is the same of those that are not there.
            (
                "/orders/{",
                "ord_0190b5c87f1e7c3a8e0f5b6d2c4a9e11".to_owned(),
            ),
            (
                "/mails/{",
                "mai_0190b5c87f1e7c3a8e0f5b6d2c4a9e11".to_owned(),
            ),
        ];
        let judged = judge_all(scene, browser, &examples);
        let _ = steps
            .step(
                "axe finds nothing on the staff's pages, in three languages and both themes",
                judged,
            )
            .await;
    }
    Ok(())
}

async fn find(browser: &Browser) -> anyhow::Result<String> {
    browser.open("/accounts").await?;
    browser.fill("text", EMAIL).await?;
    browser.click("search").await?;
    let address = browser.address().await?;
    ensure!(
        !address.contains("example"),
        "the address names what was searched for: {address}"
    );
    browser.picture("42-staff-found").await?;
    let link = "#table td.first a";
    ensure!(browser.text(link).await? == LOGIN, "somebody else is found");
    let href = browser.attribute(link, "href").await?;
    let account = href.rsplit('/').next().context("an account's page")?;
    Ok(account.to_owned())
}

async fn raise(browser: &Browser, account: &str) -> anyhow::Result<()> {
    browser.open(&format!("/accounts/{account}")).await?;
    browser.click("ask-quota").await?;
    browser.fill("servers", QUOTA).await?;
    browser.click("do").await?;
    browser.is_refused("reason").await?;
    browser
        .fill("reason", "asked for it on the telephone")
        .await?;
    browser.click("do").await?;
    let quota = browser.text("#quota").await?;
    ensure!(
        quota.ends_with(&format!("/ {QUOTA}")),
        "the limit is {quota}"
    );
    let acts = browser.text("#acts").await?;
    ensure!(
        acts.contains("asked for it on the telephone"),
        "the reason is not kept: {acts}"
    );
    browser.picture("43-staff-account").await
}

async fn judge_all(scene: &Scene, browser: &Browser, examples: &[Example]) -> anyhow::Result<()> {
    let mut pages = axe::pages_for(STAFF_PAGES, &[Who::Members], examples)?;
    pages.extend(PAGES_TOO.map(str::to_owned));
    for page in pages {
        judge(scene, browser, &page).await?;
    }
    Ok(())
}
