//! A page that is left open: it changes by itself, and leaves its reader where he is; it says when it is not current.

use std::time::Duration;

use anyhow::{Context, ensure};
use serde_json::json;

use super::{
    Scene,
    server::{POWER_LIMIT, Server, wait_for_state},
};
use crate::lab::{report::Steps, wait::until};

/// Within this time an open page says that it is not current.
const STALE_LIMIT: Duration = Duration::from_secs(15);
/// In this time an open page asks several times.
const POLLS_LIMIT: Duration = Duration::from_secs(60);
/// Focuses a Copy button and marks the address beside it, as a reader does who is about to copy one.
const MARK: &str = "
    document.getElementById('copy-address-0').focus();
    getSelection().selectAllChildren(document.getElementById('address-0'));
    window.polls = performance.getEntriesByType('resource').length;
";
/// What is focused and what is marked.
const MARKED: &str = "return document.activeElement.id + ' ' + getSelection().toString();";
/// Whether the button of the first address names it, and says the same of the copy as the announcer.
const COPIED: &str = "
    const button = document.getElementById('copy-address-0');
    const { dataset: { copied, refused }, firstChild: word } = button;
    const announced = document.body.lastElementChild;
    const address = document.getElementById('address-0').textContent;
    if (!button.textContent.includes(address)) return false;
    return announced.getAttribute('role') === 'status'
      && [copied, refused].includes(word.textContent) && announced.textContent === word.textContent;";
/// Sends the form for a key twice; gives what its button says after the first time, and after the second.
const SEND_AND_LOOK: &str = "
    const done = arguments[arguments.length - 1];
    const button = document.getElementById('add-key');
    button.form.requestSubmit(button);
    setTimeout(() => {
      const said = [button.textContent, button.getAttribute('aria-disabled')];
      button.form.requestSubmit(button);
      done([...said, button.textContent]);
    }, 1000);";
const POLLS: &str = "return performance.getEntriesByType('resource').length - window.polls;";

/// The page stands open while nothing happens, and while the server stops and starts.
pub(super) async fn keeps_its_reader(
    steps: &mut Steps,
    scene: &Scene,
    server: &Server,
) -> anyhow::Result<()> {
    let browser = &scene.browser;
    let address = server.addresses[0];
    let is_marked = async || {
        let marked = browser.run(MARKED, &[]).await?;
        let marked = marked.as_str().context("a text")?;
        ensure!(
            marked == format!("copy-address-0 {address}"),
            "focused and marked is {marked}"
        );
        Ok(())
    };
    let kept = async {
        wait_for_state(scene, server, "running").await?;
        browser.run(MARK, &[]).await?;
        until("the page has asked three times", POLLS_LIMIT, async || {
            let polls = browser.run(POLLS, &[]).await?;
            let polls = polls.as_u64().context("a number")?;
            ensure!(polls >= 3, "{polls} times");
            Ok(())
        })
        .await?;
        is_marked().await?;
        for (action, state) in [("shutdown", "stopped"), ("start", "running")] {
            // As another tab of the customer would, so that this page hears of it by itself.
            browser.run(&sent(server, action), &[]).await?;
            until(&format!("the page says {state}"), POWER_LIMIT, async || {
                let shown = browser.attribute("#server", "data-state").await?;
                ensure!(shown == state, "it says {shown}");
                Ok(())
            })
            .await?;
            is_marked().await?;
        }
        Ok(())
    };
    steps
        .step(
            "an open page follows its server, and focus and marked text stay where they are",
            kept,
        )
        .await
}

/// Copies, and hears what came of it.
pub(super) async fn says_what_was_copied(steps: &mut Steps, scene: &Scene, server: &Server) {
    let browser = &scene.browser;
    let said = async {
        browser.open(&server.path()).await?;
        browser
            .execute("document.getElementById('copy-address-0').click();")
            .await?;
        until("it is announced", STALE_LIMIT, async || {
            let said = browser.run(COPIED, &[]).await?;
            ensure!(said.as_bool() == Some(true), "it is not");
            Ok(())
        })
        .await
    };
    let _ = steps
        .step("whoever copies is told, and hears, what came of it", said)
        .await;
}

/// A form whose answer takes its time.
pub(super) async fn says_that_a_form_is_under_way(steps: &mut Steps, scene: &Scene) {
    let browser = &scene.browser;
    let control_plane = &scene.installation.control_plane;
    let said = async {
        browser.open("/keys").await?;
        browser.fill("name", "slow").await?;
        browser
            .fill("public_key", "ssh-ed25519 AAAAnotakey")
            .await?;
        control_plane.freeze()?;
        let said = browser.answer(SEND_AND_LOOK).await;
        control_plane.thaw()?;
        let said = said?;
        ensure!(
            said == json!(["Sending…", "true", "Still sending…"]),
            "it says {said}"
        );
        // Nobody answers in time: what was typed can be sent again.
        browser.text("#retry").await.map(drop)
    };
    let _ = steps
        .step(
            "a button says that it was pressed when the answer takes its time, and says so again",
            said,
        )
        .await;
}

/// The control plane answers nobody for a while.
pub(super) async fn says_that_it_is_stale(
    steps: &mut Steps,
    scene: &Scene,
    server: &Server,
) -> anyhow::Result<()> {
    let browser = &scene.browser;
    wait_for_state(scene, server, "running").await?;
    let control_plane = &scene.installation.control_plane;
    control_plane.freeze()?;
    let said = until("the page says that it is stale", STALE_LIMIT, async || {
        let note = browser.text("#live-note").await?;
        ensure!(note.contains("not current since"), "it says `{note}`");
        ensure!(
            browser.count("html.stale").await? == 1,
            "its badge stays green"
        );
        Ok(())
    })
    .await;
    let pictured = browser.picture("16-stale").await;
    // Whatever came of it, the others are to be answered.
    control_plane.thaw()?;
    let said = async {
        said?;
        pictured?;
        until("the page is current again", POLLS_LIMIT, async || {
            ensure!(browser.count("html.stale").await? == 0, "it is still stale");
            Ok(())
        })
        .await
    };
    steps
        .step(
            "an open page says within 15 s that the service does not answer, and goes on afterwards",
            said,
        )
        .await
}

fn sent(server: &Server, action: &str) -> String {
    format!(
        "const token = document.querySelector('[name=form_token]').value;
        fetch('{}/actions/{action}', {{ method: 'POST', body: new URLSearchParams({{ form_token: token }}) }});
        ",
        server.path()
    )
}
