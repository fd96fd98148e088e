//! The life of one server as its customer sees it: order, run, power, trouble, end.

use std::{net::IpAddr, time::Duration};

use anyhow::{Context, bail, ensure};
use innkeeper_wire::id::ServerId;

use super::{Scene, account::EMAIL, behind, browser::Browser};
use crate::lab::{
    product::{PLAN_TOO_LARGE, SITE, TINY, plan_for},
    report::Steps,
    wait::until,
};

/// From the order to an ssh prompt, on a slow machine under TCG.
const READY_LIMIT: Duration = Duration::from_secs(300);
/// A power operation, with the guest's own time to boot or halt.
pub(super) const POWER_LIMIT: Duration = Duration::from_secs(180);
/// From a press of a button to the page that it leads to.
const PAGE_LIMIT: Duration = Duration::from_secs(20);
const NAME: &str = "web-1";
/// Whether the installation's name is readable and what stands beside it on a phone is in the same row.
const WHOLE_FRAME: &str = "
    const name = document.querySelector('.brand > span');
    const side = document.querySelector('.side');
    const [first, last] = [name.parentElement, side.querySelector('.menu')];
    const is_cut = name.scrollWidth > name.clientWidth && getComputedStyle(name).overflow !== 'visible';
    const [one, other] = [first, last].map((part) => part.getBoundingClientRect());
    return !is_cut && (other.height === 0 || (one.top < other.bottom && other.top < one.bottom));";
/// How many addresses of the list stand in more than one line.
const BROKEN_ADDRESSES: &str = "
    const cells = [...document.querySelectorAll('.list td code')];
    const isBroken = (cell) => cell.offsetHeight > 1.5 * parseFloat(getComputedStyle(cell).lineHeight);
    return cells.length === 0 ? 1 : cells.filter(isBroken).length;";
const BOOT_ID: &str = "cat /proc/sys/kernel/random/boot_id";

/// What the check knows of its server.
pub(super) struct Server {
    pub(super) id: ServerId,
    pub(super) addresses: Vec<IpAddr>,
    /// Number of the host that it was placed on.
    pub(super) host: usize,
}

impl Server {
    pub(super) fn path(&self) -> String {
        format!("/servers/{}", self.id)
    }

    pub(super) async fn ssh(&self, scene: &Scene, command: &str) -> anyhow::Result<String> {
        let world = scene.installation.run().world();
        scene
            .key
            .run(&world, "root", self.addresses[0], command)
            .await
    }
}

pub(super) async fn order(steps: &mut Steps, scene: &Scene) -> anyhow::Result<Server> {
    let browser = &scene.browser;
    let refused = async {
        browser.open("/servers/new").await?;
        let plan = format!("input[name='plan'][value='{PLAN_TOO_LARGE}']");
        let disabled = browser.count(&format!("{plan}:disabled")).await?;
        ensure!(disabled == 1, "it can be chosen");
        let said = browser.text(&format!("label:has({plan}) .gone")).await?;
        ensure!(said == "Sold out", "it says {said}");
        browser.picture("10-sold-out").await
    };
    let _ = steps
        .step(
            "a plan that no host has room for is marked sold out and can't be chosen",
            refused,
        )
        .await;

    let ordered = async {
        fill_order(scene, plan_for(scene.installation.image())).await?;
        browser.picture("11-confirm-order").await?;
        let page = browser.text("main").await?;
        ensure!(
            page.contains('₩') || page.contains("KRW"),
            "no price on the page: {page}"
        );
        browser.double_click("confirm-order").await?;
        let id = until("the server's page", PAGE_LIMIT, async || {
            shown_server(scene).await
        })
        .await?;
        browser.picture("12-ordered").await?;
        Ok(id)
    };
    let id = steps
        .step(
            "image, plan, name and key are chosen, the price is seen, the order confirmed",
            ordered,
        )
        .await?;

    let addresses = follow(steps, scene).await?;

    let once = async {
        ensure!(
            servers_listed(scene).await? == 1,
            "more than one server is listed"
        );
        Ok(())
    };
    let _ = steps
        .step("the double-clicked order made one server", once)
        .await;
    let host = behind::host_of(scene, id)?;
    Ok(Server {
        id,
        addresses,
        host,
    })
}

/// Reads the real mail that says that it is ready.
pub(super) async fn welcomed(
    steps: &mut Steps,
    scene: &mut Scene,
    server: &Server,
) -> anyhow::Result<()> {
    let command = format!("ssh root@{}", server.addresses[0]);
    let says = ["Your server web-1 is ready", &command];
    let read = scene.installation.mail.letter(EMAIL, &says);
    steps
        .step("a mail says that it is ready, and how to sign in", read)
        .await
}

/// Reads the real mail that says that it was deleted.
pub(super) async fn dismissed(steps: &mut Steps, scene: &mut Scene) -> anyhow::Result<()> {
    let says = ["Your server web-1 was deleted", "Its disk is kept until"];
    let read = scene.installation.mail.letter(EMAIL, &says);
    let step = "a mail says that it was deleted, and until when its disk is kept";
    steps.step(step, read).await
}

/// Watches the server's page until it says that the server runs; gives the addresses on it.
async fn follow(steps: &mut Steps, scene: &Scene) -> anyhow::Result<Vec<IpAddr>> {
    let browser = &scene.browser;
    let followed = async {
        let mut seen = Vec::new();
        until("the server runs", READY_LIMIT, async || {
            browser.reload().await?;
            let state = browser.attribute("#server", "data-state").await?;
            if seen.last() != Some(&state) {
                seen.push(state.clone());
            }
            ensure!(state == "running", "it is {state}");
            Ok(())
        })
        .await?;
        ensure!(seen.len() > 1, "the page jumped to {seen:?}");
        browser.picture("13-running").await?;
        let mut addresses: Vec<IpAddr> = Vec::new();
        for index in 0..browser.count("[id^='address-']").await? {
            let text = browser.text(&format!("#address-{index}")).await?;
            addresses.push(
                text.trim()
                    .parse()
                    .with_context(|| format!("an address: {text}"))?,
            );
        }
        ensure!(!addresses.is_empty(), "the page shows no address");
        Ok(addresses)
    };
    steps
        .step(
            "its page follows it from requested to running, with its addresses",
            followed,
        )
        .await
}

/// Looks at the server's page as people elsewhere do: in each language, on a phone's screen.
pub(super) async fn look(steps: &mut Steps, scene: &Scene, server: &Server) {
    let browser = &scene.browser;
    let looked = async {
        browser.resize(390, 844).await?;
        for (tag, running) in [("ko", "실행 중"), ("zh-Hant", "執行中"), ("en", "Running")] {
            browser
                .open(&format!("{}?lang={tag}", server.path()))
                .await?;
            let page = browser.text("#server").await?;
            ensure!(page.contains(running), "no {running} on the page: {page}");
            browser.picture(&format!("14-phone-{tag}")).await?;
            let hidden = browser.pixels_beside_the_window().await?;
            ensure!(hidden == 0, "{hidden} pixels do not fit a phone's width");
            frame_is_whole(browser, "a phone").await?;
        }
        browser.resize(1280, 1000).await
    };
    let _ = steps
        .step(
            "its page speaks Korean and Chinese and fits a phone",
            looked,
        )
        .await;
    let listed = async {
        for language in ["ko", "zh-Hant", "en"] {
            browser.open(&format!("/servers?lang={language}")).await?;
            frame_is_whole(browser, "a desktop").await?;
            browser.resize(1024, 768).await?;
            let hidden = browser.pixels_beside_the_window().await?;
            ensure!(hidden == 0, "{hidden} pixels do not fit a small desktop");
            browser.resize(1280, 1000).await?;
            let broken = browser.run(BROKEN_ADDRESSES, &[]).await?;
            ensure!(broken.as_u64() == Some(0), "{broken} addresses are broken");
        }
        browser.picture("14-list").await
    };
    let _ = steps
        .step(
            "the list of servers fits a small desktop, and breaks no address into two lines on a larger one",
            listed,
        )
        .await;
}

async fn frame_is_whole(browser: &Browser, place: &str) -> anyhow::Result<()> {
    let whole = browser.run(WHOLE_FRAME, &[]).await?;
    ensure!(
        whole.as_bool() == Some(true),
        "on {place} the name is cut, or the frame has two rows"
    );
    Ok(())
}

/// Reaches the server and takes it through its power states.
pub(super) async fn live(steps: &mut Steps, scene: &Scene, server: &Server) -> anyhow::Result<()> {
    let world = scene.installation.run().world();
    for address in &server.addresses {
        let reached = until("ssh answers", READY_LIMIT, async || {
            let name = scene.key.run(&world, "root", *address, "hostname").await?;
            ensure!(name == NAME, "the guest calls itself {name}");
            Ok(())
        });
        steps
            .step(
                &format!("ssh with the customer's key answers at {address}"),
                reached,
            )
            .await?;
    }
    settled(scene, server).await?;
    let first_boot = server.ssh(scene, BOOT_ID).await?;
    let mark = kept_file(scene.installation.image());
    server
        .ssh(scene, &format!("echo kept > {mark} && sync"))
        .await?;

    let shut_down = async {
        press(scene, server, "action-shutdown").await?;
        wait_for_state(scene, server, "stopped").await?;
        behind::domain_is(scene, server, "shut off")?;
        scene.browser.picture("20-stopped").await
    };
    steps
        .step("shut down: the page and libvirt both say so", shut_down)
        .await?;

    let started = async {
        press(scene, server, "action-start").await?;
        wait_for_state(scene, server, "running").await?;
        behind::domain_is(scene, server, "running")?;
        let boot = another_boot(scene, server, &first_boot).await?;
        let mark = server.ssh(scene, &format!("cat {mark}")).await?;
        ensure!(mark == "kept", "the disk lost what was written: {mark}");
        Ok(boot)
    };
    let second_boot = steps
        .step(
            "start: it boots anew and its disk kept what was written",
            started,
        )
        .await?;

    let rebooted = async {
        press(scene, server, "action-reboot").await?;
        another_boot(scene, server, &second_boot).await?;
        wait_for_state(scene, server, "running").await
    };
    steps
        .step("reboot: the guest's boot id changes", rebooted)
        .await
}

/// What goes wrong at a host must not reach the guest.
pub(super) async fn survive(
    steps: &mut Steps,
    scene: &mut Scene,
    server: &Server,
) -> anyhow::Result<()> {
    let boot = server.ssh(scene, BOOT_ID).await?;
    let index = server.host - 1;

    let flushed = async {
        until("the agent puts them back at once", PAGE_LIMIT, async || {
            // Again, as long as it is not said: now and then it is a look that finds them missing first.
            scene.installation.hypervisors[index].flush_rules()?;
            let log = scene.installation.agents[index].logged();
            ensure!(log.contains("it was put back at once"), "it says nothing");
            Ok(())
        })
        .await?;
        server.ssh(scene, BOOT_ID).await.map(drop)
    };
    steps
        .step(
            "somebody takes the host's rules away; they are back",
            flushed,
        )
        .await?;

    let stopped = scene.installation.hypervisors[index].stop_libvirt();
    steps.step("libvirt is stopped", stopped).await?;
    let said = async {
        wait_for_state(scene, server, "unknown").await?;
        scene.browser.picture("21-host-not-reachable").await?;
        let now = server.ssh(scene, BOOT_ID).await?;
        ensure!(now == boot, "the guest was restarted");
        Ok(())
    };
    let _ = steps
        .step(
            "the page says that the host is not reachable; the guest runs on",
            said,
        )
        .await;
    let resumed = scene.installation.hypervisors[index].resume_libvirt();
    steps.step("libvirt is back", resumed).await?;
    let recovered = wait_for_state(scene, server, "running");
    steps
        .step("the page knows again that the server runs", recovered)
        .await?;

    let killed = async {
        scene.installation.agents[index].kill().await?;
        scene.installation.agents[index] = scene.installation.start_agent(server.host)?;
        press(scene, server, "action-reboot").await?;
        another_boot(scene, server, &boot).await
    };
    steps
        .step(
            "the agent is killed; the next one adopts the guest and reboots it when asked",
            killed,
        )
        .await
        .map(|_| ())
}

pub(super) async fn delete(
    steps: &mut Steps,
    scene: &Scene,
    server: &Server,
) -> anyhow::Result<()> {
    let browser = &scene.browser;
    let deleted = async {
        wait_for_state(scene, server, "running").await?;
        browser.click("ask-delete").await?;
        browser.fill("confirm_name", NAME).await?;
        browser.picture("30-delete").await?;
        browser.click("delete-server").await?;
        until("the server is gone", POWER_LIMIT, async || {
            ensure!(servers_listed(scene).await? == 0, "it is still listed");
            Ok(())
        })
        .await?;
        browser.picture("31-deleted").await
    };
    steps
        .step("the server is deleted by its name", deleted)
        .await
}

/// Waits until the guest has set itself up: cloud-init restarts the ssh server on its way.
async fn settled(scene: &Scene, server: &Server) -> anyhow::Result<()> {
    if scene.installation.image() == TINY {
        return Ok(());
    }
    until("cloud-init is done", READY_LIMIT, async || {
        let status = server.ssh(scene, "cloud-init status").await?;
        ensure!(status.contains("status: done"), "{status}");
        Ok(())
    })
    .await
}

/// A file of the guest that lies on its disk: the tiny guest lives in memory but for one folder.
fn kept_file(image: &str) -> &'static str {
    if image == TINY { "/disk/mark" } else { "mark" }
}

async fn fill_order(scene: &Scene, plan: &str) -> anyhow::Result<()> {
    choose(scene, plan, NAME).await?;
    scene.browser.tick("accept_cautions").await
}

pub(super) async fn choose(scene: &Scene, plan: &str, name: &str) -> anyhow::Result<()> {
    let browser = &scene.browser;
    browser.open("/servers/new").await?;
    browser.choose("site", SITE).await?;
    browser.choose("image", scene.installation.image()).await?;
    browser.choose("plan", plan).await?;
    browser.fill("name", name).await?;
    browser.tick("ssh_keys").await?;
    browser.picture("09-order").await?;
    browser.click("continue-order").await
}

async fn shown_server(scene: &Scene) -> anyhow::Result<ServerId> {
    let path = scene.browser.path().await?;
    let id = path
        .strip_prefix("/servers/")
        .with_context(|| format!("still at {path}"))?;
    id.parse().with_context(|| format!("an id in {path}"))
}

async fn servers_listed(scene: &Scene) -> anyhow::Result<usize> {
    scene.browser.open("/servers").await?;
    scene.browser.count("a[href^='/servers/srv_']").await
}

async fn press(scene: &Scene, server: &Server, button: &str) -> anyhow::Result<()> {
    scene.browser.open(&server.path()).await?;
    scene.browser.click(button).await?;
    // What interrupts or loses something is asked about first.
    if scene.browser.count("#confirm-action").await? > 0 {
        scene.browser.picture("15-asked").await?;
        scene.browser.click("confirm-action").await?;
    }
    if scene.browser.count("#error-summary").await? > 0 {
        bail!("refused: {}", scene.browser.text("#error-summary").await?);
    }
    Ok(())
}

pub(super) async fn wait_for_state(
    scene: &Scene,
    server: &Server,
    wanted: &str,
) -> anyhow::Result<()> {
    until(
        &format!("its page says {wanted}"),
        POWER_LIMIT,
        async || {
            scene.browser.open(&server.path()).await?;
            let state = scene.browser.attribute("#server", "data-state").await?;
            ensure!(state == wanted, "it says {state}");
            Ok(())
        },
    )
    .await
}

async fn another_boot(scene: &Scene, server: &Server, before: &str) -> anyhow::Result<String> {
    until("the guest has booted anew", POWER_LIMIT, async || {
        let boot = server.ssh(scene, BOOT_ID).await?;
        ensure!(boot != before, "it is still the same boot");
        Ok(boot)
    })
    .await
}
