//! What the hoster's own people do in their portal, in a browser: an administrator enrols by the link of the command line,
//! signs in with a code, finds the customer, and does what he is asked for.

use std::time::Duration;

use anyhow::{Context, ensure};
use innkeeper_control_plane::credentials::rules::totp::Secret;
use innkeeper_portal_lite::{routes::staff::STAFF_PAGES, sitemap::Who};
use innkeeper_wire::{
    api::{Locale, SignupRequest},
    member::{MemberKind, SignUpTexts},
    time::{Clock as _, SystemClock},
};

use super::{
    Scene,
    account::{EMAIL, LOGIN},
    axe::{self, Example},
    browser::Browser,
    server::Server,
};
use crate::{
    demo::sign_up_and_confirm,
    lab::{report::Steps, wait::until},
};

const NAME: &str = "haru";
const PASSWORD: &str = "eleven-calm-cranes-58";
const STAFF_EMAIL: &str = "haru@example.net";
const COMPANY: &str = "Hanbit Systems Ltd";
const COMPANY_EMAIL: &str = "hana@example.net";
const QUOTA: &str = "12";
/// From a sign-up to the mail about it.
const TOLD_LIMIT: Duration = Duration::from_secs(90);
/// From a deed to the server's other state, on a slow machine.
const STATE_LIMIT: Duration = Duration::from_secs(120);
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
    let next = SystemClock.now().after(Duration::from_secs(30));
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
    let _ = steps
        .step(
            "staff shut a server down and start it, for a reason that its history keeps",
            power(browser, server),
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
            "the list of servers is saved as CSV",
            save_csv(browser, server),
        )
        .await;
    if scene.axe.is_some() {
        let examples = [
            ("/accounts/{", account.clone()),
            ("/lost-factors/{", account.clone()),
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

async fn power(browser: &Browser, server: &Server) -> anyhow::Result<()> {
    let page = format!("/servers/{}", server.id);
    for (deed, state) in [("shutdown", "stopped"), ("start", "running")] {
        browser.open(&page).await?;
        browser.click(&format!("ask-{deed}")).await?;
        browser
            .fill("reason", &format!("{deed} as its owner asked"))
            .await?;
        browser.click("do").await?;
        until("the server has another state", STATE_LIMIT, async || {
            browser.reload().await?;
            let found = browser.attribute("h1 [data-state]", "data-state").await?;
            ensure!(found == state, "it is {found}");
            Ok(())
        })
        .await?;
    }
    let history = browser.text("#history").await?;
    for part in [
        NAME,
        "shutdown as its owner asked",
        "start as its owner asked",
    ] {
        ensure!(
            history.contains(part),
            "its history lacks {part}: {history}"
        );
    }
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
    let script = "const done = arguments[arguments.length - 1];
        fetch('/servers?format=csv').then((answer) => answer.text()).then(done, (error) => done(String(error)));";
    browser.open("/servers").await?;
    let file = browser.answer(script).await?;
    let file = file.as_str().context("a text")?;
    ensure!(
        file.contains(&server.id.to_string()),
        "it lacks the server: {file}"
    );
    Ok(())
}

/// A company signs up, and waits.
pub(super) async fn company(steps: &mut Steps, scene: &mut Scene) -> anyhow::Result<()> {
    let signed_up = async {
        let client = scene.installation.api();
        let portal = scene.installation.ports.portal_url();
        let texts: SignUpTexts = client.get("/api/v1/signups/texts?kind=corporate").await?;
        let request = SignupRequest {
            kind: MemberKind::Corporate,
            company: Some(COMPANY.to_owned()),
            mobile: None,
            login_id: "hanbit2026".to_owned(),
            name: "Yoon Hana".to_owned(),
            email: COMPANY_EMAIL.to_owned(),
            password: PASSWORD.to_owned(),
            accepted_terms: texts.terms.version,
            accepted_personal_data: texts.personal_data.map(|text| text.version),
            locale: Locale::En,
            plan: None,
        };
        let mail = &mut scene.installation.mail;
        sign_up_and_confirm(&client, &portal, mail, &request).await
    };
    steps.step("a company signs up", signed_up).await
}

/// Staff were told of the company by mail, see what it says of itself, and let it in; it is told as well.
pub(super) async fn approve(
    steps: &mut Steps,
    scene: &mut Scene,
    browser: &Browser,
) -> anyhow::Result<()> {
    let approved = async {
        let mail = &mut scene.installation.mail;
        // The duty that tells staff looks each minute at what waits.
        until("staff are told", TOLD_LIMIT, async || {
            mail.letter(STAFF_EMAIL, &["account waits"]).await
        })
        .await?;
        browser.open("/accounts?state=pending-approval").await?;
        let account = browser.attribute("#table td.first a", "href").await?;
        browser.open(&account).await?;
        let page = browser.text("main").await?;
        ensure!(page.contains(COMPANY), "the company is not named: {page}");
        browser.click("ask-approve").await?;
        browser.fill("reason", "its papers are in order").await?;
        browser.click("do").await?;
        browser.picture("46-staff-approved").await?;
        mail.letter(COMPANY_EMAIL, &["Your sign-up is approved"])
            .await
    };
    let step = "staff are told of the company, and approve it for a reason; it is told by mail";
    let _ = steps.step(step, approved).await;
    Ok(())
}

async fn judge_all(scene: &Scene, browser: &Browser, examples: &[Example]) -> anyhow::Result<()> {
    let mut pages = axe::pages_for(STAFF_PAGES, &[Who::Members], examples)?;
    pages.extend(PAGES_TOO.map(str::to_owned));
    for page in pages {
        judge(scene, browser, &page).await?;
    }
    Ok(())
}
