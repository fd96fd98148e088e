//! What an account's owner does with it in a browser: finds his password again, changes how he is spoken to, ends sessions,
//! signs in with a code, and makes a token.

use std::time::Duration;

use anyhow::{Context, ensure};
use innkeeper_control_plane::credentials::rules::totp::Secret;
use innkeeper_wire::{
    api::{Me, SessionAnswer, SessionRequest, SshKey, SshKeyRequest},
    time::{Clock as _, SystemClock},
};

use super::{
    Scene,
    account::{EMAIL, LOGIN, fill_sign_in},
};
use crate::lab::{client::Client, product::Installation, report::Steps, wait::until};

pub(super) const NEW_PASSWORD: &str = "nine-loud-herons-77";
/// What the address of his mail becomes.
pub(super) const NEW_EMAIL: &str = "mina.kim@example.com";
const MOBILE: &str = "+821012345678";
/// A page says what is new to those who don't see it a moment after it is there.
const ANNOUNCE_LIMIT: Duration = Duration::from_secs(10);
const ANNOUNCED: &str = "return document.body.lastElementChild.textContent;";
/// How long a code counts: the next one is another.
const CODE_STEP: Duration = Duration::from_secs(30);

pub(super) async fn pages(steps: &mut Steps, scene: &mut Scene) -> anyhow::Result<()> {
    steps
        .step(
            "a forgotten password is chosen anew by the mailed link, and signs in",
            find_password(scene),
        )
        .await?;
    let _ = steps
        .step(
            "the profile's language and time zone are changed and kept",
            change_profile(scene),
        )
        .await;
    let _ = steps
        .step(
            "sessions are listed, and the others end by a button",
            end_sessions(scene),
        )
        .await;
    steps
        .step(
            "the mail address is changed by the link that is mailed to the new one; the former one is told",
            change_email(scene),
        )
        .await?;
    let _ = steps
        .step(
            "the mobile number is changed, and the owner told by mail",
            change_mobile(scene),
        )
        .await;
    steps
        .step(
            "two-step verification is switched on; a recovery code signs in once, the app's code as well",
            sign_in_with_code(scene),
        )
        .await?;
    steps
        .step(
            "a token that may read is made, lists servers and adds no key",
            make_token(scene),
        )
        .await
}

async fn find_password(scene: &mut Scene) -> anyhow::Result<()> {
    let browser = &scene.browser;
    browser.open("/find-password").await?;
    browser.fill("login_id", LOGIN).await?;
    browser.fill("email", EMAIL).await?;
    browser.click("find-password").await?;
    browser.picture("30-find-password").await?;
    let portal = scene.installation.ports.portal_url();
    let page = "/reset-password?lang=en&token=";
    let link = format!("{portal}{page}");
    let link = scene.installation.mail.link(EMAIL, &link).await?;
    if let Some(axe) = &scene.axe {
        let path = link.strip_prefix(&portal).context("a link to the portal")?;
        axe.judge(browser, path).await?;
    }
    browser.open(&link).await?;
    browser.fill("password", NEW_PASSWORD).await?;
    browser.picture("31-reset-password").await?;
    browser.click("reset-password").await?;
    let path = browser.path().await?;
    ensure!(path == "/sign-in", "it leads to {path}");
    fill_sign_in(scene, NEW_PASSWORD).await?;
    let path = scene.browser.path().await?;
    ensure!(path == "/servers", "the new password leads to {path}");
    Ok(())
}

async fn change_profile(scene: &Scene) -> anyhow::Result<()> {
    let browser = &scene.browser;
    for (locale, zone, said) in [
        ("ko", "Asia/Taipei", "저장되었습니다"),
        ("en", "Asia/Seoul", "Saved"),
    ] {
        browser.open("/account").await?;
        browser.select("locale", locale).await?;
        browser.select("time_zone", zone).await?;
        browser.click("save-profile").await?;
        browser.picture(&format!("32-profile-{locale}")).await?;
        let page = browser.text("main").await?;
        ensure!(page.contains(said), "no {said} in {page}");
        until("readers hear it", ANNOUNCE_LIMIT, async || {
            let heard = browser.run(ANNOUNCED, &[]).await?;
            let heard = heard.as_str().unwrap_or_default().to_owned();
            ensure!(heard.contains(said), "they hear {heard:?}");
            Ok(())
        })
        .await?;
        let client = signed_in(&scene.installation).await?;
        let me: Me = client.get("/api/v1/me").await?;
        let kept = (me.locale.as_str(), me.time_zone.to_string());
        ensure!(kept == (locale, zone.to_owned()), "kept is {kept:?}");
    }
    Ok(())
}

async fn change_email(scene: &mut Scene) -> anyhow::Result<()> {
    let browser = &scene.browser;
    browser.open("/account").await?;
    browser.follow("#change-email").await?;
    browser.fill("email", EMAIL).await?;
    browser.click("save-email").await?;
    // What only the owner may do wants the password first; the form is given back afterwards.
    if browser.path().await? == "/account/proof" {
        browser.fill("password", NEW_PASSWORD).await?;
        browser.click("prove").await?;
        browser.click("save-email").await?;
    }
    browser.is_refused("email").await?;
    browser.fill("email", NEW_EMAIL).await?;
    browser.click("save-email").await?;
    browser.is_at("/account").await?;
    let portal = scene.installation.ports.portal_url();
    let prefix = format!("{portal}/confirm-email?lang=en&token=");
    let mail = &mut scene.installation.mail;
    let link = mail.link(NEW_EMAIL, &prefix).await?;
    let client = signed_in(&scene.installation).await?;
    let before: Me = client.get("/api/v1/me").await?;
    browser.open(&link).await?;
    browser.click("confirm-new-email").await?;
    browser.is_at("/account").await?;
    browser.picture("33-new-email").await?;
    let after: Me = client.get("/api/v1/me").await?;
    ensure!(
        before.email_shown != after.email_shown,
        "it stays {}",
        before.email_shown
    );
    let mail = &mut scene.installation.mail;
    mail.letter(EMAIL, &["Your e-mail address was changed"])
        .await
}

async fn change_mobile(scene: &mut Scene) -> anyhow::Result<()> {
    let browser = &scene.browser;
    browser.open("/account").await?;
    browser.follow("#change-mobile").await?;
    browser.fill("mobile", "12").await?;
    browser.click("save-mobile").await?;
    browser.is_refused("mobile").await?;
    browser.fill("mobile", MOBILE).await?;
    browser.click("save-mobile").await?;
    browser.is_at("/account").await?;
    browser.says("main", &["+82"]).await?;
    let client = signed_in(&scene.installation).await?;
    let me: Me = client.get("/api/v1/me").await?;
    ensure!(me.mobile.is_some(), "it is not kept");
    let mail = &mut scene.installation.mail;
    mail.letter(NEW_EMAIL, &["Your mobile number was changed"])
        .await
}

async fn end_sessions(scene: &Scene) -> anyhow::Result<()> {
    let browser = &scene.browser;
    let other = signed_in(&scene.installation).await?;
    browser.open("/account/sessions").await?;
    let listed = browser.count(".key-list > li").await?;
    ensure!(listed > 1, "{listed} are listed");
    browser.picture("33-sessions").await?;
    browser.click("end-sessions").await?;
    let listed = browser.count(".key-list > li").await?;
    ensure!(listed == 1, "{listed} are left");
    let ended = other.get::<Me>("/api/v1/me").await;
    ensure!(ended.is_err(), "the other session goes on");
    Ok(())
}

/// Switches two-step verification on by its page; gives the app and the recovery codes that the page shows once.
async fn switch_two_step_on(scene: &Scene) -> anyhow::Result<(Secret, Vec<String>)> {
    let browser = &scene.browser;
    browser.open("/account/two-step").await?;
    browser.fill("password", NEW_PASSWORD).await?;
    browser.click("begin-two-step").await?;
    let shown = browser.text("#secret").await?.replace(' ', "");
    let app = Secret::try_from(shown).context("a secret")?;
    judge(scene, "/account/two-step/confirm").await?;
    browser.open("/account/two-step/confirm").await?;
    browser.picture("34-two-step").await?;
    browser.fill("code", "000000").await?;
    browser.click("confirm-two-step").await?;
    browser.is_refused("code").await?;
    browser.fill("code", &app.code(SystemClock.now())).await?;
    browser.click("confirm-two-step").await?;
    let codes = browser.text("#codes").await?;
    let codes: Vec<_> = codes.split_whitespace().map(str::to_owned).collect();
    ensure!(codes.len() == 10, "there are {} codes", codes.len());
    browser.picture("35-recovery-codes").await?;
    browser.click("codes-kept").await?;
    Ok((app, codes))
}

async fn sign_in_with_code(scene: &Scene) -> anyhow::Result<()> {
    let browser = &scene.browser;
    let (app, codes) = switch_two_step_on(scene).await?;
    let next = SystemClock.now().after(CODE_STEP);
    for (field, code) in [
        ("recovery_code", codes[0].clone()),
        ("code", app.code(next)),
    ] {
        browser.follow(".side-nav .sign-out button").await?;
        fill_sign_in(scene, NEW_PASSWORD).await?;
        let path = browser.path().await?;
        ensure!(path == "/sign-in/code", "the password leads to {path}");
        browser.picture("36-code").await?;
        if field == "code" {
            judge(scene, "/sign-in/code").await?;
            browser.open("/sign-in/code").await?;
        } else {
            let open = "document.querySelector('details.another').open = true;";
            browser.execute(open).await?;
        }
        browser.fill(field, &code).await?;
        browser.click("send-code").await?;
        let path = browser.path().await?;
        ensure!(path == "/servers", "the {field} leads to {path}");
    }
    browser.open("/account/two-step").await?;
    let page = browser.text("main").await?;
    ensure!(
        page.contains("9 are left"),
        "a used recovery code is not counted: {page}"
    );
    Ok(())
}

async fn judge(scene: &Scene, path: &str) -> anyhow::Result<()> {
    match &scene.axe {
        Some(axe) => axe.judge(&scene.browser, path).await,
        None => Ok(()),
    }
}

/// A token that may read: it lists servers, and adds no key.
async fn make_token(scene: &Scene) -> anyhow::Result<()> {
    let browser = &scene.browser;
    browser.open("/account/tokens").await?;
    browser.fill("name", "monitoring").await?;
    // Reading alone is ticked before anybody has chosen.
    browser.click("make-token").await?;
    let mut program = scene.installation.api();
    program.sign_in(browser.text("#token-secret").await?);
    browser.picture("37-token").await?;
    let (status, text) = program.page("/api/v1/servers").await?;
    ensure!(status == 200, "the token may not read: {status}: {text}");
    let request = SshKeyRequest {
        name: "by-token".to_owned(),
        public_key: scene.key.public_line.clone(),
    };
    let refused = program
        .post::<SshKey>("/api/v1/me/ssh-keys", &request)
        .await;
    ensure!(refused.is_err(), "a token that may read has added a key");
    browser.click("token-kept").await?;
    browser.picture("38-tokens").await
}

/// Another session of the account.
async fn signed_in(installation: &Installation) -> anyhow::Result<Client> {
    let mut client = installation.api();
    let request = SessionRequest {
        login: LOGIN.to_owned(),
        password: NEW_PASSWORD.to_owned(),
        device: None,
        client: None,
    };
    let session: SessionAnswer = client.post("/api/v1/sessions", &request).await?;
    client.sign_in(session.token);
    Ok(client)
}
