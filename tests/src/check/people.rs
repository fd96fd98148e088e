//! People who come and go, as themselves and as staff see them: companies that are let in or not, somebody whose mail did not
//! arrive, who is locked out, who has forgotten an ID, and who is erased.

use std::time::Duration;

use anyhow::ensure;
use innkeeper_wire::{
    api::{Locale, SignupAnswer, SignupRequest},
    member::{MemberKind, SignUpTexts},
};

use super::{Scene, account, desk::Desk, owner::NEW_EMAIL, staff::STAFF_EMAIL};
use crate::{
    demo::sign_up_and_confirm,
    lab::{report::Steps, wait::until},
};

const PASSWORD: &str = "eleven-calm-cranes-58";
/// A company that is let in.
const COMPANY: Person = Person {
    login: "hanbit2026",
    email: "hana@example.net",
    company: Some("Hanbit Systems Ltd"),
};
/// One that is not.
const REJECTED: Person = Person {
    login: "harbor2026",
    email: "port@example.net",
    company: Some("Harbor Trading Ltd"),
};
/// Whose link did not arrive.
pub(super) const NEWCOMER: Person = Person {
    login: "sora2026",
    email: "sora@example.net",
    company: None,
};
const REJECTION: &str = "Your registration number belongs to another company";
/// A spreadsheet would take it for a formula.
const ERASURE: &str = "=asked for in writing, ticket 4711";
/// From a sign-up to the mail about it.
const TOLD_LIMIT: Duration = Duration::from_secs(90);
const MAIL_LIMIT: Duration = Duration::from_secs(30);
/// Wrong passwords after which a client is locked out.
const WRONG_MAX: usize = 5;

/// Somebody who signs up.
pub(super) struct Person {
    pub(super) login: &'static str,
    pub(super) email: &'static str,
    company: Option<&'static str>,
}

/// Three sign up: one in the browser, the others by script.
pub(super) async fn sign_up(steps: &mut Steps, scene: &mut Scene) -> anyhow::Result<()> {
    steps
        .step(
            "a company signs up in the portal, and waits for approval wherever it tries",
            company_signs_up(scene),
        )
        .await?;
    let others = async {
        let client = scene.installation.api();
        let portal = scene.installation.ports.portal_url();
        let rejected = request(scene, &REJECTED).await?;
        let newcomer = request(scene, &NEWCOMER).await?;
        let mail = &mut scene.installation.mail;
        sign_up_and_confirm(&client, &portal, mail, &rejected).await?;
        let _: SignupAnswer = client.post("/api/v1/signups", &newcomer).await?;
        Ok(())
    };
    steps
        .step("another company and somebody else sign up", others)
        .await
}

async fn request(scene: &Scene, person: &Person) -> anyhow::Result<SignupRequest> {
    let kind = match person.company {
        Some(_) => MemberKind::Corporate,
        None => MemberKind::Individual,
    };
    let texts = format!("/api/v1/signups/texts?kind={}", kind.as_str());
    let texts: SignUpTexts = scene.installation.api().get(&texts).await?;
    Ok(SignupRequest {
        kind,
        company: person.company.map(str::to_owned),
        mobile: None,
        login_id: person.login.to_owned(),
        name: "Yoon Sora".to_owned(),
        email: person.email.to_owned(),
        password: PASSWORD.to_owned(),
        accepted_terms: texts.terms.version,
        accepted_personal_data: texts.personal_data.map(|text| text.version),
        locale: Locale::En,
        plan: None,
    })
}

async fn company_signs_up(scene: &mut Scene) -> anyhow::Result<()> {
    let browser = &scene.browser;
    browser.open("/sign-up").await?;
    browser.choose("kind", "corporate").await?;
    browser.click("kind-next").await?;
    browser.fill("login_id", COMPANY.login).await?;
    browser.fill("name", "Yoon Hana").await?;
    browser.fill("email", COMPANY.email).await?;
    browser.fill("password", PASSWORD).await?;
    browser.tick("accepted_terms").await?;
    browser.tick("accepted_personal_data").await?;
    browser.click("sign-up").await?;
    browser.is_refused("company").await?;
    browser
        .fill("company", COMPANY.company.unwrap_or_default())
        .await?;
    browser.fill("password", PASSWORD).await?;
    browser.click("sign-up").await?;
    browser.is_at("/sign-up/done").await?;
    browser.says("main", &["we look at your sign-up"]).await?;
    let portal = scene.installation.ports.portal_url();
    let link = format!("{portal}/confirm?lang=en&token=");
    let mail = &mut scene.installation.mail;
    let link = mail.link(COMPANY.email, &link).await?;
    browser.open(&link).await?;
    browser.click("confirm-email").await?;
    browser.is_at("/sign-up/awaiting-approval").await?;
    browser.picture("39-awaiting-approval").await?;
    mail.letter(COMPANY.email, &["awaits approval"]).await?;
    account::sign_in_as(browser, COMPANY.login, PASSWORD).await?;
    browser.is_at("/sign-up/awaiting-approval").await
}

/// Staff were told of the companies by mail, and see what they say of themselves. One is let in and the other is not; both are
/// told.
pub(super) async fn decide(steps: &mut Steps, scene: &mut Scene, desk: &Desk) {
    let browser = &desk.browser;
    let approved = async {
        let mail = &mut scene.installation.mail;
        // The duty that tells staff looks each minute at what waits.
        until("staff are told", TOLD_LIMIT, async || {
            mail.letter(STAFF_EMAIL, &["account waits"]).await
        })
        .await?;
        let page = desk.find(COMPANY.email).await?;
        browser.open("/accounts?state=pending-approval").await?;
        browser
            .says("#table", &[COMPANY.login, REJECTED.login])
            .await?;
        let reason = [("reason", "its papers are in order")];
        browser.open(&page).await?;
        browser
            .says("#company", &[COMPANY.company.unwrap_or_default()])
            .await?;
        desk.act(&page, "approve", &reason).await?;
        browser.says("#acts", &["its papers are in order"]).await?;
        browser.picture("46-staff-approved").await?;
        mail.letter(COMPANY.email, &["Your sign-up is approved"])
            .await
    };
    let step = "staff are told of the company, and approve it for a reason; it is told by mail";
    let _ = steps.step(step, approved).await;
    let rejected = async {
        let page = desk.find(REJECTED.login).await?;
        browser.open(&page).await?;
        browser.click("ask-reject").await?;
        browser.click("do").await?;
        browser.is_refused("reason").await?;
        desk.answer(&[("reason", REJECTION)]).await?;
        browser.says("main", &["Rejected", REJECTION]).await?;
        browser.picture("47-staff-rejected").await?;
        let mail = &mut scene.installation.mail;
        mail.letter(REJECTED.email, &["was not approved", REJECTION])
            .await
    };
    let step = "another company is rejected for a reason that its mail tells";
    let _ = steps.step(step, rejected).await;
}

/// As visitors, and as staff who are asked for help.
pub(super) async fn helped(steps: &mut Steps, scene: &mut Scene, desk: &Desk) {
    let _ = steps
        .step("whoever has forgotten the ID is mailed it", find_id(scene))
        .await;
    let _ = steps
        .step(
            "staff mail the link that confirms an address again, and confirm it without that; its owner signs in",
            confirmed_by_staff(scene, desk),
        )
        .await;
    let _ = steps
        .step("whoever was rejected reads so when signing in", async {
            account::sign_in_as(&scene.browser, REJECTED.login, PASSWORD).await?;
            scene.browser.is_at("/sign-up/rejected").await
        })
        .await;
    let _ = steps
        .step(
            "wrong passwords lock a company out, which is told; staff unlock it, and it signs in",
            unlocked(scene, desk),
        )
        .await;
}

async fn find_id(scene: &mut Scene) -> anyhow::Result<()> {
    let browser = &scene.browser;
    browser.forget().await?;
    browser.open("/find-id").await?;
    browser.click("find-id").await?;
    browser.is_refused("email").await?;
    browser.fill("email", NEW_EMAIL).await?;
    browser.click("find-id").await?;
    browser.is_at("/find-id/done").await?;
    let mail = &mut scene.installation.mail;
    mail.letter(NEW_EMAIL, &["Your ID", account::LOGIN]).await
}

async fn confirmed_by_staff(scene: &mut Scene, desk: &Desk) -> anyhow::Result<()> {
    let portal = scene.installation.ports.portal_url();
    let prefix = format!("{portal}/confirm?lang=en&token=");
    let mail = &mut scene.installation.mail;
    let first = mail.link(NEWCOMER.email, &prefix).await?;
    account::sign_in_as(&scene.browser, NEWCOMER.login, PASSWORD).await?;
    scene.browser.is_at("/sign-in").await?;
    let page = desk.find(NEWCOMER.login).await?;
    let reason = [("reason", "the mail did not arrive, she says")];
    desk.act(&page, "mail-confirmation", &reason).await?;
    until("another link", MAIL_LIMIT, async || {
        let link = mail.link(NEWCOMER.email, &prefix).await?;
        ensure!(link != first, "there is the first one only");
        Ok(())
    })
    .await?;
    let reason = [("reason", "she read a word aloud that we had mailed")];
    desk.act(&page, "confirm-email", &reason).await?;
    let acts = [
        "the mail did not arrive, she says",
        "she read a word aloud that we had mailed",
    ];
    desk.browser.says("#acts", &acts).await?;
    mail.letter(NEWCOMER.email, &["Welcome"]).await?;
    account::sign_in_as(&scene.browser, NEWCOMER.login, PASSWORD).await?;
    scene.browser.is_at("/servers").await?;
    scene.browser.forget().await
}

async fn unlocked(scene: &mut Scene, desk: &Desk) -> anyhow::Result<()> {
    let browser = &scene.browser;
    for _ in 0..WRONG_MAX {
        account::sign_in_as(browser, COMPANY.login, "not-the-password-1").await?;
    }
    account::sign_in_as(browser, COMPANY.login, PASSWORD).await?;
    browser.is_at("/sign-in").await?;
    browser
        .says("#error-summary", &["Too many wrong passwords"])
        .await?;
    browser.picture("48-locked").await?;
    let mail = &mut scene.installation.mail;
    mail.letter(COMPANY.email, &["Too many wrong passwords"])
        .await?;
    let page = desk.find(COMPANY.login).await?;
    desk.browser.open(&page).await?;
    desk.browser.says("#locked", &["Locked until"]).await?;
    let reason = [("reason", "called back at the number of the company")];
    desk.act(&page, "unlock", &reason).await?;
    desk.browser.says("#locked", &["Not locked"]).await?;
    account::sign_in_as(browser, COMPANY.login, PASSWORD).await?;
    browser.is_at("/servers").await
}

/// The company goes, and the trail tells of it without naming anybody.
pub(super) async fn erased(steps: &mut Steps, scene: &mut Scene, desk: &Desk) {
    let browser = &desk.browser;
    let erased = async {
        let page = desk.find(COMPANY.login).await?;
        browser.open(&page).await?;
        browser.click("ask-erase").await?;
        desk.answer(&[("confirm_name", "somebody-else"), ("reason", ERASURE)])
            .await?;
        browser.is_refused("confirm_name").await?;
        desk.answer(&[("confirm_name", COMPANY.login)]).await?;
        browser.is_at(&page).await?;
        let said = browser.says("main", &["Erased", ERASURE]).await?;
        for part in [COMPANY.login, COMPANY.email] {
            ensure!(!said.contains(part), "{part} stands there still: {said}");
        }
        for text in [COMPANY.login, COMPANY.email] {
            let found = desk.look_for(text).await?;
            ensure!(found == 0, "{text} still finds {found}");
        }
        // The session that was open is over.
        scene.browser.open("/servers").await?;
        scene.browser.is_at("/sign-in").await?;
        account::sign_in_as(&scene.browser, COMPANY.login, PASSWORD).await?;
        scene.browser.is_at("/sign-in").await?;
        Ok(page)
    };
    let step =
        "staff erase an account by its ID, for a reason; nobody finds it, nobody signs in to it";
    let Ok(page) = steps.step(step, erased).await else {
        return;
    };
    let traced = async {
        let id = page.trim_start_matches("/accounts/");
        browser.open("/audit").await?;
        browser.fill("q", id).await?;
        browser.follow("form.filters button").await?;
        let said = browser.says("#table", &["approve", ERASURE]).await?;
        // What was written of a person goes with the person.
        for part in [COMPANY.email, "its papers are in order"] {
            ensure!(!said.contains(part), "{part} stands there still: {said}");
        }
        browser.picture("49-staff-audit").await?;
        let href = browser.attribute("#list-file", "href").await?;
        let file = browser.file(&href).await?;
        ensure!(file.starts_with('\u{feff}'), "no byte order mark: {file}");
        ensure!(file.lines().count() > 3, "it lacks lines: {file}");
        let escaped = format!("'{ERASURE}");
        for part in [id, "approve", &escaped] {
            ensure!(file.contains(part), "it lacks `{part}`: {file}");
        }
        Ok(())
    };
    let step =
        "the trail is searched for that account, and saved as CSV in which no reason is a formula";
    let _ = steps.step(step, traced).await;
}
