//! `innkeeper-demo --images`: orders a server of each further image, as a customer would, and looks at it from outside
//! and from inside: images that people really sell have to answer, not only the laboratory's own.

use std::net::IpAddr;

use anyhow::{Context, bail, ensure};
use innkeeper_wire::{
    api::{Server, ServerState},
    id::{ServerId, SshKeyId},
};

use crate::{
    demo,
    lab::{Run, client::Client, product::Installation, report::Steps, ssh::Key, wait::until},
};

/// Hypervisors: each of two servers has a neighbour on another host.
pub const HOSTS: usize = 2;
/// cloud-init's last stage ends some seconds after ssh answers.
const SETTLED_LIMIT: std::time::Duration = std::time::Duration::from_secs(180);

/// One ordered server.
struct Guest {
    image: String,
    id: ServerId,
}

/// What the steps work with.
struct Scene {
    run: Run,
    client: Client,
    key: Key,
}

/// Orders all, and judges one after the other.
pub async fn images(
    run: &Run,
    mut installation: Installation,
    mut steps: Steps,
    codes: &[String],
) -> anyhow::Result<()> {
    let steps = &mut steps;
    let client = demo::begin(&mut installation, steps, HOSTS).await?;
    let scene = Scene {
        run: run.clone(),
        client,
        key: Key::generate(run.folder())?,
    };
    let key = demo::add_key(&scene.client, &scene.key).await?;
    let mut guests = Vec::new();
    for code in codes {
        let ordered = scene.order(key, code);
        guests.push(
            steps
                .step(&format!("a server of {code} is ordered"), ordered)
                .await?,
        );
    }
    for guest in &guests {
        scene.judge(steps, guest).await?;
    }
    let neighbours = scene.reach_each_other(&guests);
    let _ = steps
        .step(
            "the servers reach each other in both families, as neighbours of one subnet",
            neighbours,
        )
        .await;
    for guest in &guests {
        let path = format!("/api/v1/servers/{}", guest.id);
        let deleted = async {
            demo::prove(&scene.client).await?;
            scene.client.delete(&path).await?;
            scene.wait_until(guest, ServerState::Deleted).await
        };
        let _ = steps
            .step(&format!("{}: its deletion ends", guest.image), deleted)
            .await;
    }
    steps
        .step("all programs end when asked to", installation.stop())
        .await
}

impl Scene {
    async fn order(&self, key: SshKeyId, image: &str) -> anyhow::Result<Guest> {
        let id = demo::order(&self.client, key, image, image).await?;
        Ok(Guest {
            image: image.to_owned(),
            id,
        })
    }

    async fn server(&self, guest: &Guest) -> anyhow::Result<Server> {
        self.client
            .get(&format!("/api/v1/servers/{}", guest.id))
            .await
    }

    async fn wait_until(&self, guest: &Guest, wanted: ServerState) -> anyhow::Result<()> {
        until("the server gets there", SETTLED_LIMIT, async || {
            let state = self.server(guest).await?.state;
            ensure!(state == wanted, "it is {state:?}");
            Ok(())
        })
        .await
    }

    async fn ssh(&self, address: IpAddr, command: &str) -> anyhow::Result<String> {
        let world = self.run.world();
        self.key.run(&world, "root", address, command).await
    }

    async fn judge(&self, steps: &mut Steps, guest: &Guest) -> anyhow::Result<()> {
        let image = &guest.image;
        let up = demo::wait_for_ssh(&self.run, &self.client, &self.key, guest.id);
        steps
            .step(&format!("{image}: it is running and answers ssh"), up)
            .await?;
        let addresses = self.server(guest).await?.addresses;
        for address in &addresses {
            let reached = until("ssh answers", SETTLED_LIMIT, async || {
                self.ssh(*address, "hostname").await.map(drop)
            });
            let family = if address.is_ipv4() { "IPv4" } else { "IPv6" };
            let _ = steps
                .step(&format!("{image}: ssh answers over {family}"), reached)
                .await;
        }
        let first = *addresses.first().context("it has no address")?;
        let settled = until("cloud-init is done", SETTLED_LIMIT, async || {
            // Each question takes the guest seconds without KVM; so it is asked once it says that it is done.
            let done = "timeout 8 sh -c 'until test -e /run/cloud-init/result.json; do sleep 1; done' \
                        && cloud-init status --long";
            let status = self.ssh(first, done).await?;
            ensure!(status.contains("status: done"), "{status}");
            Ok(())
        });
        let _ = steps
            .step(
                &format!("{image}: cloud-init is done, without errors"),
                settled,
            )
            .await;
        let routed = async {
            let shown = [
                "-4 route show default",
                "-6 route show default",
                "-6 addr show dadfailed",
            ];
            let shown = shown.map(|what| format!("ip {what}")).join("; echo ==; ");
            let shown = self.ssh(first, &shown).await?;
            let [v4, v6, failed] = shown.split("==").map(str::trim).collect::<Vec<_>>()[..] else {
                bail!("ip shows {shown}")
            };
            ensure!(v4.lines().count() == 1, "its IPv4 default routes: {v4}");
            ensure!(v6.contains("via fe80::1"), "its IPv6 default routes: {v6}");
            ensure!(
                failed.is_empty(),
                "addresses that somebody else answered for: {failed}"
            );
            Ok(())
        };
        let _ = steps
            .step(
                &format!("{image}: it has one default route a family and no address conflict"),
                routed,
            )
            .await;
        Ok(())
    }

    /// Each server opens a connection to the others' ssh port, without a tool that an image may lack.
    async fn reach_each_other(&self, guests: &[Guest]) -> anyhow::Result<()> {
        for from in guests {
            let source = self.server(from).await?.addresses;
            let source = *source.first().context("it has no address")?;
            for to in guests.iter().filter(|to| to.id != from.id) {
                for address in self.server(to).await?.addresses {
                    let open = format!("timeout 5 bash -c '</dev/tcp/{address}/22'");
                    self.ssh(source, &open)
                        .await
                        .with_context(|| format!("from {} to {address}", from.image))?;
                }
            }
        }
        Ok(())
    }
}
