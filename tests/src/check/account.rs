//! Signing up, in and out, and the keys of an account, with everything that a person can get wrong.

use std::{fs, process::Command};

use anyhow::{Context, ensure};

use super::{Scene, browser::Browser};
use crate::lab::{network::output, report::Steps};

pub(super) const LOGIN: &str = "mina2026";
pub(super) const EMAIL: &str = "mina@example.net";
const PASSWORD: &str = "seven-quiet-otters-42";

pub(super) async fn sign_up(steps: &mut Steps, scene: &mut Scene) -> anyhow::Result<()> {
    let browser = &scene.browser;
    let weak = async {
        fill_sign_up(scene, LOGIN, "password1").await?;
        browser.click("sign-up").await?;
        browser.is_refused("password").await?;
        browser.picture("02-sign-up-refused").await?;
        let kept = browser.property("[name='login_id']", "value").await?;
        ensure!(
            kept == LOGIN,
            "the ID was not kept, the field holds `{kept}`"
        );
        Ok(())
    };
    let _ = steps
        .step("a weak password is refused beside its field", weak)
        .await;

    let signed_up = async {
        fill_sign_up(scene, LOGIN, PASSWORD).await?;
        browser.picture("01-sign-up").await?;
        browser.click("sign-up").await?;
        let path = browser.path().await?;
        ensure!(
            browser.count("#error-summary").await? == 0,
            "refused at {path}"
        );
        browser.picture("03-check-your-mail").await
    };
    steps.step("sign-up in the portal", signed_up).await?;

    let prefix = format!(
        "{}/confirm?lang=en&token=",
        scene.installation.ports.portal_url()
    );
    let mail = &mut scene.installation.mail;
    let browser = &scene.browser;
    let confirmed = async {
        let link = mail.link(EMAIL, &prefix).await?;
        browser.open(&link).await?;
        if browser.count("#confirm-email").await? > 0 {
            browser.click("confirm-email").await?;
        }
        ensure!(
            browser.count("#error-summary").await? == 0,
            "the link was refused"
        );
        browser.picture("04-confirmed").await
    };
    steps
        .step("the link in the real mail confirms the address", confirmed)
        .await
}

pub(super) async fn sign_in(steps: &mut Steps, scene: &Scene) -> anyhow::Result<()> {
    let browser = &scene.browser;
    let taken = async {
        fill_sign_up(scene, LOGIN, PASSWORD).await?;
        browser.click("sign-up").await?;
        browser.is_refused("login_id").await
    };
    let _ = steps
        .step("a taken ID is refused beside its field", taken)
        .await;

    let wrong = async {
        fill_sign_in(scene, "not-the-password-1").await?;
        let path = browser.path().await?;
        ensure!(path == "/sign-in", "a wrong password led to {path}");
        browser.text("#error-summary").await.map(|_| ())
    };
    let _ = steps.step("a wrong password is refused", wrong).await;

    let signed_in = async {
        fill_sign_in(scene, PASSWORD).await?;
        let path = browser.path().await?;
        ensure!(path != "/sign-in", "still at the sign-in page");
        browser.picture("05-signed-in").await
    };
    steps.step("sign in", signed_in).await?;

    let hidden = async {
        browser.open("/servers").await?;
        browser.click("hide-first-steps").await?;
        browser.open("/servers").await?;
        let steps = browser.count(".onboarding").await?;
        ensure!(steps == 0, "the first steps are there again");
        Ok(())
    };
    let _ = steps.step("the first steps stay hidden", hidden).await;
    Ok(())
}

pub(super) async fn add_keys(steps: &mut Steps, scene: &Scene) -> anyhow::Result<()> {
    let browser = &scene.browser;
    let private = fs::read_to_string(scene.key.private_file()).context("read the private key")?;
    let line = &scene.key.public_line;
    let refused = [
        ("a private key", private),
        ("a DSA key", dsa_key(scene)?),
        ("two keys in one", format!("{line}\n{line}")),
        ("a malformed key", "ssh-ed25519 AAAAnotakey".to_owned()),
    ];
    for (name, text) in refused {
        let attempt = async {
            browser.open("/keys").await?;
            browser.fill("name", "wrong").await?;
            browser.fill("public_key", &text).await?;
            browser.click("add-key").await?;
            browser.is_refused("public_key").await
        };
        let _ = steps
            .step(&format!("{name} is refused beside its field"), attempt)
            .await;
    }
    let added = async {
        browser.picture("06-key-refused").await?;
        browser.open("/keys").await?;
        browser.fill("name", "laptop").await?;
        browser.fill("public_key", line).await?;
        browser.click("add-key").await?;
        ensure!(
            browser.count("#error-summary").await? == 0,
            "the key was refused"
        );
        let page = browser.text("main").await?;
        ensure!(
            page.contains("SHA256:"),
            "no fingerprint on the page: {page}"
        );
        browser.picture("07-keys").await
    };
    steps.step("an ed25519 key is added", added).await
}

async fn fill_sign_up(scene: &Scene, login: &str, password: &str) -> anyhow::Result<()> {
    let browser = &scene.browser;
    browser.open("/sign-up").await?;
    browser.click("kind-next").await?;
    browser.fill("login_id", login).await?;
    browser.fill("name", "Kim Mina").await?;
    browser.fill("email", EMAIL).await?;
    browser.fill("password", password).await?;
    browser.tick("accepted_terms").await?;
    browser.tick("accepted_personal_data").await
}

pub(super) async fn fill_sign_in(scene: &Scene, password: &str) -> anyhow::Result<()> {
    sign_in_as(&scene.browser, LOGIN, password).await
}

pub(super) async fn sign_in_as(
    browser: &Browser,
    login: &str,
    password: &str,
) -> anyhow::Result<()> {
    browser.open("/sign-in").await?;
    browser.fill("login", login).await?;
    browser.fill("password", password).await?;
    browser.click("sign-in").await
}

fn dsa_key(scene: &Scene) -> anyhow::Result<String> {
    let file = scene.key.private_file().with_file_name("dsa-key");
    output(
        Command::new("ssh-keygen")
            .args(["-q", "-t", "dsa", "-N", "", "-f"])
            .arg(&file),
    )?;
    fs::read_to_string(file.with_extension("pub")).context("read the DSA key")
}
