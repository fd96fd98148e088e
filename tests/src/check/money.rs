//! A won followed: a month passes by the clock of billing, its invoice is read, paid, partly credited, and found again in the
//! ledger, by its owner and by staff.

use std::time::Duration;

use anyhow::{Context, ensure};

use super::{Scene, account::sign_in_as, desk::Desk, staff::judge};
use crate::{
    demo::{EMAIL, LOGIN, PASSWORD},
    lab::{report::Steps, wait::until},
    small_cloud,
};

/// Behind the end of any month, and its grace.
const DAYS: u32 = 40;
/// From the start of the control plane to the invoices of a month that is over.
const CLOSE_LIMIT: Duration = Duration::from_secs(120);
const CREDITED_FOR: &str = "the host was slow on a Sunday";

pub(super) async fn followed(
    steps: &mut Steps,
    scene: &mut Scene,
    desk: &Desk,
) -> anyhow::Result<()> {
    let invoice = steps
        .step(
            "a month passes, closes by itself, and its invoice is mailed and read",
            issued(scene),
        )
        .await?;
    let _ = steps
        .step(
            "staff record a payment by the page that says what is owed",
            paid(scene, desk, &invoice),
        )
        .await;
    let _ = steps
        .step(
            "a credit note takes back a part of a line, and its owner is told",
            credited(scene, desk, &invoice),
        )
        .await;
    let _ = steps
        .step(
            "the statement has the invoice, the payment and the credit note",
            stated(scene, desk, &invoice),
        )
        .await;
    Ok(())
}

/// The newest invoice: its address for its owner, and its number.
struct Issued {
    href: String,
    number: String,
}

async fn issued(scene: &mut Scene) -> anyhow::Result<Issued> {
    scene.installation.move_billing(DAYS).await?;
    let browser = &scene.browser;
    browser.forget().await?;
    sign_in_as(browser, LOGIN, PASSWORD).await?;
    browser.is_at("/servers").await?;
    let first = "#invoices td.first a";
    until("the month is invoiced", CLOSE_LIMIT, async || {
        browser.open("/billing/invoices").await?;
        let count = browser.count(first).await?;
        ensure!(count > 0, "there is no invoice yet");
        Ok(())
    })
    .await?;
    browser.picture("60-invoices").await?;
    let invoice = Issued {
        href: browser.attribute(first, "href").await?,
        number: browser.text(first).await?,
    };
    browser.open(&invoice.href).await?;
    let lines = browser.count("#lines tbody tr").await?;
    ensure!(lines > 0, "the invoice has no line");
    let open = browser.text("#open").await?;
    let total = browser.text("#total").await?;
    ensure!(open == total, "of {total} {open} is open");
    let pay_to = browser.text("#pay-to").await?;
    ensure!(pay_to.contains(&invoice.number), "{pay_to}");
    let payer = small_cloud::profile();
    browser
        .says("#bill-to", &[&payer.name, "Seoul", "04524"])
        .await?;
    browser.picture("61-invoice").await?;
    let paper = browser
        .file(&format!("{}?format=pdf", invoice.href))
        .await?;
    ensure!(paper.starts_with("%PDF-"), "it is no PDF");
    let mail = &mut scene.installation.mail;
    mail.letter(EMAIL, &[&invoice.number, "Amount:"]).await?;
    Ok(invoice)
}

async fn paid(scene: &Scene, desk: &Desk, invoice: &Issued) -> anyhow::Result<()> {
    let of_staff = &desk.browser;
    of_staff.open("/months").await?;
    let months = of_staff.text("#table").await?;
    ensure!(months.contains("Closed"), "no month is closed: {months}");
    judge(scene, of_staff, "/months").await?;
    of_staff.open("/invoices?state=open").await?;
    let page = format!("/invoices/{}", invoice.number);
    of_staff.follow(&format!("a[href='{page}']")).await?;
    judge(scene, of_staff, &page).await?;
    of_staff.open(&page).await?;
    of_staff.picture("62-staff-invoice").await?;
    let paper = of_staff.file(&format!("{page}?format=pdf")).await?;
    ensure!(paper.starts_with("%PDF-"), "it is no PDF");
    of_staff.click("ask-payment").await?;
    let seen = ("reason", "seen at the bank");
    let transfer = ("reference", "KB 4711");
    desk.answer(&[transfer, ("amount", "nothing"), seen])
        .await?;
    of_staff.is_refused("amount").await?;
    // All that is owed, as the page proposes it.
    of_staff.open(&page).await?;
    of_staff.click("ask-payment").await?;
    let owed = of_staff.property("[name='amount']", "value").await?;
    ensure!(owed.chars().any(|digit| digit != '0'), "it proposes {owed}");
    of_staff.picture("63-staff-payment").await?;
    desk.answer(&[transfer, seen]).await?;
    let owed = of_staff.text("#owed").await?;
    ensure!(owed.contains('0'), "{owed} is owed still");
    let browser = &scene.browser;
    browser.open(&invoice.href).await?;
    let state = browser.attribute("h1 .badge", "data-state").await?;
    ensure!(state == "paid", "the invoice is {state}");
    Ok(())
}

async fn credited(scene: &mut Scene, desk: &Desk, invoice: &Issued) -> anyhow::Result<()> {
    let of_staff = &desk.browser;
    let page = format!("/invoices/{}", invoice.number);
    of_staff.open(&page).await?;
    of_staff.click("ask-credit").await?;
    let reason = ("reason", CREDITED_FOR);
    desk.answer(&[("line", "1"), ("net", "999,999,999"), reason])
        .await?;
    of_staff.is_refused("line").await?;
    desk.answer(&[("net", "1")]).await?;
    let notes = of_staff.text("#credit-notes").await?;
    ensure!(notes.contains("C1-"), "there is no credit note: {notes}");
    of_staff.picture("64-staff-credited").await?;
    let browser = &scene.browser;
    browser.open(&invoice.href).await?;
    let notes = browser.text("#credit-notes").await?;
    ensure!(notes.contains(CREDITED_FOR), "its owner reads {notes}");
    browser.picture("65-credited").await?;
    let mail = &mut scene.installation.mail;
    mail.letter(EMAIL, &["Credit note C1-", CREDITED_FOR])
        .await?;
    Ok(())
}

async fn stated(scene: &Scene, desk: &Desk, invoice: &Issued) -> anyhow::Result<()> {
    let of_staff = &desk.browser;
    let browser = &scene.browser;
    browser.open("/billing").await?;
    browser.click("statement").await?;
    let statement = browser.text("#statement").await?;
    for entry in [invoice.number.as_str(), "KB 4711", "C1-"] {
        ensure!(statement.contains(entry), "{entry} is not in {statement}");
    }
    browser.picture("66-statement").await?;
    of_staff
        .open(&format!("/invoices/{}", invoice.number))
        .await?;
    of_staff.click("statement").await?;
    let owner = of_staff.text("nav.crumbs").await?;
    ensure!(owner.contains(LOGIN), "whose statement is it: {owner}");
    let theirs = of_staff.text("#statement").await?;
    ensure!(theirs.contains("KB 4711"), "staff read {theirs}");
    let path = of_staff.path().await?;
    judge(scene, of_staff, &path).await?;
    let audit = scene.installation.operator(&["billing", "audit"]);
    audit.context("the books do not agree").map(drop)
}
