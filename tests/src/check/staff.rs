//! What the hoster's own people do in their portal, in a browser: an administrator enrols by the link of the command line,
//! signs in with a code, finds the customer, and does what he is asked for.

use std::time::Duration;

use anyhow::{Context, ensure};
use innkeeper_control_plane::credentials::rules::totp::Secret;
use innkeeper_portal_lite::{routes::staff::STAFF_PAGES, sitemap::Who};
use innkeeper_wire::{
    staff::{StaffMe, StaffSession, StaffSignInRequest},
    time::{Clock as _, SystemClock},
};

use super::{
    Scene,
    account::{EMAIL, LOGIN},
    axe::{self, Example},
    browser::Browser,
    desk::Desk,
    server::Server,
};
use crate::lab::{report::Steps, wait::until};

pub(super) const NAME: &str = "haru";
pub(super) const PASSWORD: &str = "eleven-calm-cranes-58";
pub(super) const STAFF_EMAIL: &str = "haru@example.net";
const QUOTA: &str = "12";
/// From a deed to the server's other state, on a slow machine.
const STATE_LIMIT: Duration = Duration::from_secs(120);
/// Pages that look otherwise with another query.
const PAGES_TOO: [&str; 3] = [
    "/accounts?state=active",
    "/servers?q=no-such-server",
    "/no-such-page",
];

/// Enrols and signs in; what follows is done as this person.
pub(super) async fn enrol(steps: &mut Steps, scene: &Scene) -> anyhow::Result<Desk> {
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
    let desk = Desk {
        browser,
        app: secret,
    };
    let signed_in = sign_in(&desk);
    steps
        .step(
            "a wrong code of staff is refused, the right one signs in",
            signed_in,
        )
        .await?;
    Ok(desk)
}

async fn sign_in(desk: &Desk) -> anyhow::Result<()> {
    let browser = &desk.browser;
    desk.sign_in_with("000000").await?;
    browser.is_at("/sign-in").await?;
    // The code is among what may be wrong.
    browser.says("#error-summary", &["code is wrong"]).await?;
    // The code of this step has enrolled; one of the next step counts already.
    desk.sign_in().await?;
    browser.is_at("/attention").await?;
    browser.picture("41-staff-attention").await
}

pub(super) async fn judge(scene: &Scene, browser: &Browser, path: &str) -> anyhow::Result<()> {
    match &scene.axe {
        Some(axe) => axe.judge(browser, path).await,
        None => Ok(()),
    }
}

/// With a customer whose server runs.
pub(super) async fn pages(
    steps: &mut Steps,
    scene: &Scene,
    desk: &Desk,
    server: &Server,
) -> anyhow::Result<()> {
    let browser = &desk.browser;
    let account = steps
        .step(
            "staff find a customer by the address of his mail",
            find(desk),
        )
        .await?;
    let _ = steps
        .step(
            "a customer's limit of servers is raised for a reason, which is kept",
            raise(desk, &account),
        )
        .await;
    let _ = steps
        .step(
            "staff shut a server down and start it, for a reason that its history keeps",
            power(desk, server),
        )
        .await;
    let _ = steps
        .step(
            "a host is cordoned for a reason and used again; revoking says what it strands",
            cordon(browser),
        )
        .await;
    let _ = steps
        .step(
            "staff see where they are signed in, and end the others",
            end_sessions(scene, desk),
        )
        .await;
    let _ = steps
        .step(
            "the list of servers is saved as CSV",
            save_csv(browser, server),
        )
        .await;
    if scene.axe.is_some() {
        let examples = examples(&account, server);
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

/// What the pages of the table are opened with.
fn examples(account: &str, server: &Server) -> Vec<Example> {
    let absent = |kind: &str| format!("{kind}_0190b5c87f1e7c3a8e0f5b6d2c4a9e11");
    vec![
        ("/accounts/{", account.to_owned()),
        ("/lost-factors/{", account.to_owned()),
        ("/servers/{", server.id.to_string()),
        ("/hosts/{", "h1".to_owned()),
        // There are none yet; `money` judges those that there are.
        ("/invoices/{", "1-000001".to_owned()),
        ("/months/{", "2026-11".to_owned()),
        ("/prices/{", "2027-06-30T15:00:00.000Z".to_owned()),
        // What their pages ask before is the same of those that are not there.
        ("/orders/{", absent("ord")),
        ("/mails/{", absent("mai")),
        // Nobody has applied for any: the page says that there is no such job.
        ("/jobs/{", absent("job")),
    ]
}

async fn find(desk: &Desk) -> anyhow::Result<String> {
    let browser = &desk.browser;
    let page = desk.find(EMAIL).await?;
    let address = browser.address().await?;
    ensure!(
        !address.contains("example"),
        "the address names what was searched for: {address}"
    );
    browser.picture("42-staff-found").await?;
    browser.says("#table td.first a", &[LOGIN]).await?;
    let account = page.rsplit('/').next().context("an account's page")?;
    Ok(account.to_owned())
}

async fn raise(desk: &Desk, account: &str) -> anyhow::Result<()> {
    let browser = &desk.browser;
    let page = format!("/accounts/{account}");
    let why = "asked for it on the telephone";
    let unreasoned = desk.act(&page, "quota", &[("servers", QUOTA)]).await;
    ensure!(unreasoned.is_err(), "no reason is asked for");
    browser.is_refused("reason").await?;
    desk.answer(&[("reason", why)]).await?;
    let quota = browser.text("#quota").await?;
    ensure!(
        quota.ends_with(&format!("/ {QUOTA}")),
        "the limit is {quota}"
    );
    browser.says("#acts", &[why]).await?;
    browser.picture("43-staff-account").await
}

async fn power(desk: &Desk, server: &Server) -> anyhow::Result<()> {
    let browser = &desk.browser;
    let page = format!("/servers/{}", server.id);
    for (deed, state) in [("shutdown", "stopped"), ("start", "running")] {
        let why = format!("{deed} as its owner asked");
        desk.act(&page, deed, &[("reason", &why)]).await?;
        until("the server has another state", STATE_LIMIT, async || {
            browser.reload().await?;
            let found = browser.attribute("h1 [data-state]", "data-state").await?;
            ensure!(found == state, "it is {found}");
            Ok(())
        })
        .await?;
    }
    let reasons = ["shutdown as its owner asked", "start as its owner asked"];
    browser
        .says("#history", &[NAME, reasons[0], reasons[1]])
        .await?;
    browser.picture("44-staff-server").await
}

async fn cordon(browser: &Browser) -> anyhow::Result<()> {
    browser.open("/hosts?q=h2").await?;
    let host = browser.attribute("#table td.first a", "href").await?;
    for (deed, is_cordoned) in [("cordon", 1), ("uncordon", 0)] {
        browser.open(&host).await?;
        browser.click(&format!("ask-{deed}")).await?;
        browser.fill("reason", "its fan is changed").await?;
        browser.click("do").await?;
        let cordons = browser.count("#cordon").await?;
        ensure!(
            cordons == is_cordoned,
            "after {deed} the page has {cordons} cordons"
        );
    }
    browser.click("ask-revoke").await?;
    browser.fill("reason", "it was stolen").await?;
    browser.click("do").await?;
    browser.picture("45-staff-revoke").await?;
    ensure!(
        browser.count("#error-summary").await? == 1,
        "the name was not asked for"
    );
    Ok(())
}

async fn save_csv(browser: &Browser, server: &Server) -> anyhow::Result<()> {
    browser.open("/servers").await?;
    let file = browser.file("/servers?format=csv").await?;
    ensure!(
        file.contains(&server.id.to_string()),
        "it lacks the server: {file}"
    );
    Ok(())
}

/// With a session elsewhere, as one is that was left open.
async fn end_sessions(scene: &Scene, desk: &Desk) -> anyhow::Result<()> {
    let browser = &desk.browser;
    let mut elsewhere = scene.installation.staff_door()?;
    let request = StaffSignInRequest {
        name: NAME.to_owned(),
        password: PASSWORD.to_owned(),
        code: desk.app.code(SystemClock.now()),
        client: None,
    };
    let session: StaffSession = elsewhere.post("/sessions", &request).await?;
    elsewhere.sign_in(session.token);
    let _: StaffMe = elsewhere.get("/me").await?;
    browser.open("/attention").await?;
    browser.follow("a[href='/account/sessions']").await?;
    let listed = browser.count(".key-list > li").await?;
    ensure!(listed == 2, "{listed} are listed");
    browser
        .says(".key-list", &["Chrome", "Unknown device"])
        .await?;
    browser.picture("60-staff-sessions").await?;
    browser.click("end-sessions").await?;
    let listed = browser.count(".key-list > li").await?;
    ensure!(listed == 1, "{listed} are left");
    let ended = elsewhere.get::<StaffMe>("/me").await;
    ensure!(ended.is_err(), "the other session goes on");
    Ok(())
}

/// Ten minutes have not passed since the sign-in: what would be asked before a deed is asked for at its own address.
pub(super) async fn prove(steps: &mut Steps, desk: &Desk) {
    let proved = async {
        let browser = &desk.browser;
        browser.open("/account/proof?next=%2Fhosts").await?;
        browser.fill("password", "not-the-password-1").await?;
        browser.fill("code", "000000").await?;
        browser.click("prove").await?;
        browser.is_refused("password").await?;
        browser.fill("password", PASSWORD).await?;
        browser.fill("code", "000000").await?;
        browser.click("prove").await?;
        browser.is_refused("code").await?;
        browser.picture("61-staff-proof").await?;
        desk.prove().await?;
        browser.is_at("/hosts").await
    };
    let step =
        "staff prove with password and code who they are, and a wrong one of either is refused";
    let _ = steps.step(step, proved).await;
}

async fn judge_all(scene: &Scene, browser: &Browser, examples: &[Example]) -> anyhow::Result<()> {
    let mut pages = axe::pages_for(STAFF_PAGES, &[Who::Members], examples)?;
    pages.extend(PAGES_TOO.map(str::to_owned));
    for page in pages {
        judge(scene, browser, &page).await?;
    }
    Ok(())
}
