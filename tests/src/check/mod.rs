//! `innkeeper-demo --check`: a customer's whole life with a server, done in a browser against the real
//! programs, a real libvirt and a real guest, with a look behind the scenes after each step.

mod account;
mod ahead;
mod axe;
mod behind;
pub mod browser;
mod consents;
mod desk;
mod factor;
mod fleet;
mod interrupted;
mod jobs;
mod mended;
mod money;
mod open_page;
mod ordering;
mod owner;
mod people;
mod server;
mod staff;
mod suspended;

use std::path::{Path, PathBuf};

use crate::lab::{Run, product::Installation, report::Steps, ssh::Key};

use axe::Axe;
use browser::Browser;

/// Hypervisors that a check runs with: placement has a choice.
pub const HOSTS: usize = fleet::NUMBER;

/// What every step works with.
struct Scene {
    installation: Installation,
    browser: Browser,
    key: Key,
    /// Judges the pages, where it is there.
    axe: Option<Axe>,
}

/// Does the whole job. Returns at the first step that the following ones can't do without.
pub async fn check(
    run: &Run,
    mut installation: Installation,
    mut steps: Steps,
    screenshots: Option<PathBuf>,
    axe: Option<&Path>,
) -> anyhow::Result<()> {
    let steps = &mut steps;
    steps
        .step(
            "control plane and portal start",
            installation.wait_until_up(),
        )
        .await?;
    let portal = installation.ports.portal_url();
    let browser = steps
        .step("a browser opens", Browser::start(run, portal, screenshots))
        .await?;
    let mut scene = Scene {
        key: Key::generate(run.folder())?,
        installation,
        browser,
        axe: axe.map(Axe::read).transpose()?,
    };
    axe::visitors(steps, &scene).await;
    account::sign_up(steps, &mut scene).await?;
    people::sign_up(steps, &mut scene).await?;
    account::sign_in(steps, &scene).await?;
    account::add_keys(steps, &scene).await?;
    let desk = staff::enrol(steps, &scene).await?;
    let joined = scene.installation.add_host(1);
    steps.step("host 1 starts and joins", joined).await?;
    fleet::invite(steps, &mut scene, &desk).await?;
    ordering::form(steps, &scene).await?;
    let server = server::order(steps, &scene).await?;
    server::welcomed(steps, &mut scene, &server).await?;
    server::look(steps, &scene, &server).await;
    axe::members(steps, &scene, &server).await;
    server::live(steps, &scene, &server).await?;
    open_page::says_what_was_copied(steps, &scene, &server).await;
    open_page::says_that_a_form_is_under_way(steps, &scene).await;
    open_page::keeps_its_reader(steps, &scene, &server).await?;
    open_page::says_that_it_is_stale(steps, &scene, &server).await?;
    staff::pages(steps, &scene, &desk, &server).await?;
    people::decide(steps, &mut scene, &desk).await;
    suspended::and_resumed(steps, &mut scene, &desk, &server).await?;
    jobs::done(steps, &mut scene, &desk, &server).await?;
    behind::metrics(steps, &scene, &server).await;
    server::survive(steps, &mut scene, &server).await?;
    server::delete(steps, &scene, &server).await?;
    server::dismissed(steps, &mut scene).await?;
    owner::pages(steps, &mut scene).await?;
    behind::nothing_left(steps, &scene, &server).await;
    factor::lost(steps, &mut scene, &desk).await?;
    people::helped(steps, &mut scene, &desk).await;
    people::erased(steps, &mut scene, &desk).await;
    mended::mail(steps, &mut scene, &desk).await;
    let (client, key) = interrupted::creation(steps, &mut scene).await?;
    mended::order(steps, &scene, &desk, (&client, key)).await;
    fleet::gone(steps, &mut scene, &desk).await?;
    staff::prove(steps, &desk).await;
    behind::logs(steps, &scene).await;
    // What starts the control plane anew comes last: a host is not lost before it had the time to be heard.
    money::followed(steps, &mut scene, &desk).await?;
    ahead::paid(steps, &mut scene, &desk).await?;
    consents::asked_again(steps, &mut scene).await?;
    steps
        .step("all programs end when asked to", scene.installation.stop())
        .await
}
