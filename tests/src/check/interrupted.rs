//! Agents that die while they make a server. Done over the REST API, as a customer's script would.

use anyhow::ensure;
use innkeeper_wire::{
    api::{Server, ServerState},
    id::SshKeyId,
};

use super::Scene;
use crate::{
    demo,
    lab::{client::Client, report::Steps, wait::until},
};

/// The demo's own limit for a server holds here too, with two agents to start again in between.
const CREATE_LIMIT: std::time::Duration = std::time::Duration::from_secs(300);

/// Gives the customer whose script it is, and his key.
pub(super) async fn creation(
    steps: &mut Steps,
    scene: &mut Scene,
) -> anyhow::Result<(Client, SshKeyId)> {
    let (client, key) = steps
        .step("another customer's script signs up and adds a key", async {
            let client = demo::sign_up(&mut scene.installation).await?;
            let key = demo::add_key(&client, &scene.key).await?;
            Ok((client, key))
        })
        .await?;
    let created = async {
        let id = demo::order(&client, key, demo::SERVER_NAME, scene.installation.image()).await?;
        let path = format!("/api/v1/servers/{id}");
        // At once, while disk and seed are made; and once more when the host has begun to report.
        restart_agents(scene).await?;
        wait_until(&client, &path, |state| state != ServerState::Requested).await?;
        restart_agents(scene).await?;
        let run = scene.installation.run().clone();
        demo::wait_for_ssh(&run, &client, &scene.key, id).await?;
        Ok(path)
    };
    let path = steps
        .step(
            "every agent is killed twice while a server is made; it comes up and answers ssh",
            created,
        )
        .await?;
    let deleted = async {
        client.delete(&path).await?;
        // A host says so only when domain, disk, seed and rules are gone.
        wait_until(&client, &path, |state| state == ServerState::Deleted).await
    };
    steps
        .step("its deletion ends with nothing left on the host", deleted)
        .await?;
    Ok((client, key))
}

async fn restart_agents(scene: &mut Scene) -> anyhow::Result<()> {
    for index in 0..scene.installation.agents.len() {
        scene.installation.agents[index].kill().await?;
        scene.installation.agents[index] = scene.installation.start_agent(index + 1)?;
    }
    Ok(())
}

async fn wait_until(
    client: &Client,
    path: &str,
    reached: impl Fn(ServerState) -> bool,
) -> anyhow::Result<()> {
    until("the server gets there", CREATE_LIMIT, async || {
        let server: Server = client.get(path).await?;
        ensure!(reached(server.state), "it is {:?}", server.state);
        Ok(())
    })
    .await
}
