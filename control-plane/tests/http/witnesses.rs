//! Hosts as witnesses: an old copy of the store is noticed, and what hosts report counts only where it can.

use innkeeper_control_plane::{
    app::witnesses::Standing,
    store::{Commit, Key, Write},
};
use innkeeper_wire::{
    digest::Digest,
    host::{HypervisorState, ObservedServer, ObservedState, Report, Witness},
    id::ServerId,
};
use serde_json::{Value, json};

use crate::setting::{PASSWORD, Setting, TestHost, public_key, room_for, signup};

/// Copies the journal as a backup of files would have it: without the index.
fn copy_journal(setting: &Setting, to: &str) {
    let journal = setting.folder.join("store/journal");
    let copy = setting.folder.join(to).join("journal");
    std::fs::create_dir_all(&copy).expect("a folder");
    for file in std::fs::read_dir(journal).expect("a journal") {
        let file = file.expect("a segment");
        std::fs::copy(file.path(), copy.join(file.file_name())).expect("copied");
    }
}

fn standing(setting: &Setting, host: &TestHost) -> Standing {
    let hosts = setting.app.hosts().expect("hosts");
    let found = hosts.iter().find(|overview| overview.host.id == host.id);
    found.expect("the host").standing
}

fn metric(setting: &Setting, name: &str) -> String {
    let text = String::from_utf8(setting.metrics.render(&setting.app)).expect("text");
    let line = text.lines().find(|line| line.starts_with(name));
    line.expect("the metric").to_owned()
}

fn seen(server: &Value, state: ObservedState) -> ObservedServer {
    let text = server.as_str().expect("an id");
    ObservedServer {
        server: text.parse::<ServerId>().expect("an id"),
        state,
        power_serial: 1,
        reboots: 0,
        problem: None,
    }
}

async fn testify(setting: &Setting, host: &TestHost, witness: Witness) -> Witness {
    let report = Report {
        witness: Some(witness),
        ..setting.blank_report(host, room_for(2), vec![])
    };
    setting.post_report(host, &report).await
}

#[tokio::test]
async fn an_old_copy_of_the_store_is_noticed_and_changes_nothing() {
    let setting = Setting::new();
    let host = setting.host("h1", room_for(2)).await;
    let other = setting.host("h2", room_for(2)).await;
    let token = setting.customer("minji90").await;
    let key = setting.key(&token, 1).await;
    copy_journal(&setting, "old");
    let quote = setting.quote(&token, &key, "web-1").await;
    setting.order(&token, &quote, "click").await.expect(201);
    let witness = setting
        .post_report(&host, &setting.blank_report(&host, room_for(2), vec![]))
        .await;
    assert_eq!(testify(&setting, &host, witness).await, witness);
    assert_eq!(standing(&setting, &host), Standing::Agrees);

    // The old copy knows nothing of the order; the host does.
    let old = setting.with_store("old");
    assert!(old.app.store().sequence() < witness.sequence);
    let shown = testify(&old, &host, witness).await;
    assert!(
        shown.sequence < witness.sequence,
        "the host is told the truth, and sees it"
    );
    assert!(
        matches!(standing(&old, &host), Standing::Ahead { told } if told.sequence == witness.sequence)
    );
    assert_eq!(standing(&old, &other), Standing::Agrees);
    assert_eq!(
        metric(&old, "innkeeper_hosts_ahead_of_store"),
        "innkeeper_hosts_ahead_of_store 1"
    );

    // Customers get in and see, and change nothing; nobody joins as one.
    let body = json!({ "login": "minji90", "password": PASSWORD });
    let session = old.post("/sessions", None, body).await.expect(201);
    let token = session["token"].as_str().expect("a token");
    old.get("/servers", Some(token)).await.expect(200);
    let quote = old.quote(token, &key, "web-2").await;
    let refused = old.order(token, &quote, "click").await.expect(503);
    assert_eq!(
        refused["detail"],
        "this installation is being restored; try again later"
    );
    let another = json!({ "name": "desk", "public_key": public_key(2) });
    old.post("/me/ssh-keys", Some(token), another)
        .await
        .expect(503);
    old.post("/signups", None, signup("junho85"))
        .await
        .expect(503);

    // No host is sent anywhere, and what was proven is not forgotten.
    for host in [&host, &other] {
        let path = "/desired?epoch=0&generation=0&wait_s=0";
        let poll = old.ask(
            host.connection,
            Some(host.id),
            axum::http::Method::GET,
            path,
            None,
        );
        poll.await.expect(204);
    }
    testify(&old, &host, shown).await;
    assert!(standing(&old, &host).is_proof());
}

#[tokio::test]
async fn what_nobody_can_prove_concerns_nobody_else() {
    let setting = Setting::new();
    let host = setting.host("h1", room_for(1)).await;
    let other = setting.host("h2", room_for(1)).await;
    let token = setting.customer("minji90").await;
    let key = setting.key(&token, 1).await;
    let invented = Witness {
        epoch: 900,
        sequence: 900_000,
        hash: Digest::of(b"invented"),
        tag: Digest::of(b"guessed"),
    };
    testify(&setting, &other, invented).await;
    assert_eq!(standing(&setting, &other), Standing::Agrees);
    // A host that claims a later state gets no servers, and keeps nobody else from getting some.
    let report = Report {
        epoch: 900,
        generation: 1,
        ..setting.blank_report(&other, room_for(1), vec![])
    };
    setting.post_report(&other, &report).await;
    assert!(matches!(
        standing(&setting, &other),
        Standing::Claims { epoch: 900, .. }
    ));
    for (name, status) in [("web-1", 201), ("web-2", 409)] {
        let quote = setting.quote(&token, &key, name).await;
        setting.order(&token, &quote, name).await.expect(status);
    }
    assert_eq!(setting.manifest(&host).await.servers.len(), 1);
    setting.report(&other, room_for(1), vec![]).await;
    assert_eq!(
        standing(&setting, &other),
        Standing::Agrees,
        "it came to its senses"
    );
}

/// A host that has not heard of the present epoch does not have a server that was deleted in it: that says
/// nothing about whether the server is gone.
#[tokio::test]
async fn a_report_of_another_epoch_is_no_answer_to_the_present_state() {
    let setting = Setting::new();
    let host = setting.host("h1", room_for(1)).await;
    let token = setting.customer("minji90").await;
    let key = setting.key(&token, 1).await;
    let quote = setting.quote(&token, &key, "web-1").await;
    let order = setting.order(&token, &quote, "click").await.expect(201);
    let path = format!("/servers/{}", order["server"].as_str().expect("an id"));
    let delete = setting.send(axum::http::Method::DELETE, &path, Some(&token), &[], None);
    delete.await.expect(202);
    let absent = vec![seen(&order["server"], ObservedState::Absent)];
    let report = Report {
        epoch: setting.app.store().epoch() - 1,
        generation: 4_000,
        ..setting.blank_report(&host, room_for(1), absent.clone())
    };
    setting.post_report(&host, &report).await;
    let state = || async { setting.get(&path, Some(&token)).await.expect(200)["state"].clone() };
    assert_eq!(state().await, "deleting");
    setting.report(&host, room_for(1), absent).await;
    assert_eq!(state().await, "deleted");
}

#[tokio::test]
async fn a_record_that_cannot_be_read_is_in_the_way_of_no_other() {
    let setting = Setting::new();
    let host = setting.host("h1", room_for(2)).await;
    let token = setting.customer("minji90").await;
    let key = setting.key(&token, 1).await;
    let mut servers = Vec::new();
    for name in ["web-1", "web-2"] {
        let quote = setting.quote(&token, &key, name).await;
        let order = setting.order(&token, &quote, name).await.expect(201);
        servers.push(order["server"].clone());
    }
    let account = setting.get("/me", Some(&token)).await.expect(200)["id"].clone();
    let damaged = format!(
        "srv/{}/{}",
        account.as_str().expect("an id"),
        servers[0].as_str().expect("an id")
    );
    let damaged = Key::new(damaged).expect("a key");
    let commit = Commit {
        at: setting.app.now(),
        actor: "a bug".to_owned(),
        cause: "a test".to_owned(),
        guards: vec![],
        writes: vec![Write::Put(damaged, b"no record".to_vec())],
    };
    setting.app.store().commit(commit).await.expect("committed");
    let running = ObservedState::Running { ready: true };
    let all: Vec<_> = servers.iter().map(|server| seen(server, running)).collect();
    let report = setting.blank_report(&host, room_for(2), all);
    assert_eq!(report.hypervisor, HypervisorState::Reachable);
    setting.post_report(&host, &report).await;
    let path = format!("/servers/{}", servers[1].as_str().expect("an id"));
    assert_eq!(
        setting.get(&path, Some(&token)).await.expect(200)["state"],
        "running"
    );
    assert_eq!(
        metric(&setting, "innkeeper_observations_not_taken"),
        "innkeeper_observations_not_taken 1"
    );
}
