//! Hosts as witnesses: an old copy of the store is noticed, and what hosts report counts only where it can.

use innkeeper_control_plane::{
    continuity::witnesses::Standing,
    kernel::Actor,
    store::{Commit, FolderDisk, Key, Write, begin_epoch, next_epoch},
};
use innkeeper_wire::{
    digest::Digest,
    host::{HeldServer, HypervisorState, ObservedServer, ObservedState, Report, Witness},
    id::ServerId,
};
use serde_json::{Value, json};

use crate::setting::{PASSWORD, Setting, TestHost, public_key, room_for, signup, why};

/// Copies the journal as a backup of files would have it: without the index.
pub(crate) fn copy_journal(setting: &Setting, to: &str) {
    let journal = setting.folder.join("store/journal");
    let copy = setting.folder.join(to).join("journal");
    std::fs::create_dir_all(&copy).expect("a folder");
    for file in std::fs::read_dir(journal).expect("a journal") {
        let file = file.expect("a segment");
        std::fs::copy(file.path(), copy.join(file.file_name())).expect("copied");
    }
}

fn standing(setting: &Setting, host: &TestHost) -> Standing {
    setting.nouns.continuity.standing(host.id)
}

pub(crate) fn metric(setting: &Setting, name: &str) -> String {
    let text = String::from_utf8(setting.metrics.render(&setting.nouns)).expect("text");
    let line = text.lines().find(|line| line.starts_with(name));
    line.expect("the metric").to_owned()
}

pub(crate) fn seen(server: &Value, state: ObservedState) -> ObservedServer {
    let text = server.as_str().expect("an id");
    ObservedServer {
        was_ready: None,
        was_started: None,
        network_cut: false,
        server: text.parse::<ServerId>().expect("an id"),
        state,
        power_serial: 1,
        reboots: 0,
        problem: None,
    }
}

pub(crate) async fn testify(setting: &Setting, host: &TestHost, witness: Witness) -> Witness {
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
    assert!(old.nouns.ctx.store().sequence() < witness.sequence);
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
    let refused = old.try_order(token, &key, "web-2").await.expect(503);
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
        let order = setting.try_order(&token, &key, name).await;
        order.expect(status);
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
    let (token, order) = setting.ordered_server().await;
    let path = format!("/servers/{}", order["server"].as_str().expect("an id"));
    let delete = setting.send(axum::http::Method::DELETE, &path, Some(&token), &[], None);
    delete.await.expect(202);
    let absent = vec![seen(&order["server"], ObservedState::Absent)];
    let report = Report {
        epoch: setting.nouns.ctx.store().epoch() - 1,
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
        at: setting.nouns.ctx.now(),
        actor: "a bug".to_owned(),
        cause: "a test".to_owned(),
        guards: vec![],
        writes: vec![Write::Put(damaged, b"no record".to_vec())],
    };
    setting
        .nouns
        .ctx
        .store()
        .commit(commit)
        .await
        .expect("committed");
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
        metric(&setting, "innkeeper_observations_not_taken_total"),
        "innkeeper_observations_not_taken_total 1"
    );
}

pub(crate) fn text(id: &Value) -> &str {
    id.as_str().expect("an id")
}

pub(crate) async fn shown(setting: &Setting, token: &str, server: &Value) -> Value {
    let path = format!("/servers/{}", text(server));
    setting.get(&path, Some(token)).await.expect(200)
}

pub(crate) async fn order(setting: &Setting, token: &str, key: &str, name: &str) -> Value {
    let quote = setting.quote(token, key, name).await;
    setting.order(token, &quote, name).await.expect(201)["server"].clone()
}

async fn poll(setting: &Setting, host: &TestHost) -> crate::setting::Answer {
    let path = "/desired?epoch=1&generation=2&wait_s=0";
    let get = axum::http::Method::GET;
    setting
        .ask(host.connection, Some(host.id), get, path, None)
        .await
}

pub(crate) const RUNNING: ObservedState = ObservedState::Running { ready: true };

/// An old copy of the store that was restored. In the time that is lost one server was deleted, and another one was
/// made on an address that seems to be free again.
struct Restored {
    /// The life that is lost; kept, since its folder goes with it.
    _lost: Setting,
    setting: Setting,
    host: TestHost,
    silent: TestHost,
    token: String,
    key: String,
    stays: Value,
    goes: Value,
    held: HeldServer,
    /// What the host was told in the life that is lost.
    witness: Witness,
}

impl Restored {
    async fn new() -> Self {
        let lost = Setting::new();
        let host = lost.host("h1", room_for(9)).await;
        let token = lost.customer("minji90").await;
        let key = lost.key(&token, 1).await;
        let stays = order(&lost, &token, &key, "stays").await;
        let goes = order(&lost, &token, &key, "goes").await;
        let all = vec![seen(&stays, RUNNING), seen(&goes, RUNNING)];
        lost.report(&host, room_for(9), all).await;
        let silent = lost.host("h2", room_for(0)).await;
        copy_journal(&lost, "old");

        let path = format!("/servers/{}", text(&goes));
        let delete = lost.send(axum::http::Method::DELETE, &path, Some(&token), &[], None);
        delete.await.expect(202);
        let server = order(&lost, &token, &key, "lost").await;
        let address = shown(&lost, &token, &server).await["addresses"][0].clone();
        let held = HeldServer {
            server: text(&server).parse().expect("an id"),
            addresses: vec![text(&address).parse().expect("an address")],
        };
        let blank = lost.blank_report(&host, room_for(9), vec![]);
        let witness = lost.post_report(&host, &blank).await;

        let disk = FolderDisk::new(lost.folder.join("old/journal"));
        begin_epoch(&disk, next_epoch(1, 1_790_000_000)).expect("a new epoch");
        let setting = lost.with_store("old");
        let body = json!({ "login": "minji90", "password": PASSWORD });
        let session = setting.post("/sessions", None, body).await.expect(201);
        Self {
            token: text(&session["token"]).to_owned(),
            _lost: lost,
            setting,
            host,
            silent,
            key,
            stays,
            goes,
            held,
            witness,
        }
    }

    /// What the host reports that follows the lost life, having been told `witness`.
    async fn report_of_old(&self, witness: Witness) -> Witness {
        let seen = vec![seen(&self.stays, RUNNING)];
        let report = Report {
            epoch: 1,
            generation: 90,
            witness: Some(witness),
            held: vec![self.held.clone()],
            ..self.setting.blank_report(&self.host, room_for(9), seen)
        };
        self.setting.post_report(&self.host, &report).await
    }

    /// What it reports when it follows the restored records.
    async fn report_of_new(&self, held: Vec<HeldServer>) {
        let seen = vec![
            seen(&self.stays, RUNNING),
            seen(&self.goes, ObservedState::Absent),
        ];
        let report = Report {
            witness: Some(self.setting.nouns.continuity.witness()),
            held,
            ..self.setting.blank_report(&self.host, room_for(9), seen)
        };
        self.setting.post_report(&self.host, &report).await;
    }

    /// Tries to open it; why not, if it stays closed.
    async fn finish(&self, without: &[&str]) -> Option<String> {
        let without: Vec<_> = without.iter().map(|name| (*name).to_owned()).collect();
        let finished = self
            .setting
            .nouns
            .continuity
            .finish_recovery(&without)
            .await;
        finished.err().map(|error| error.to_string())
    }
}

#[tokio::test]
async fn a_restored_installation_is_closed_until_its_hosts_were_compared() {
    let story = Restored::new().await;
    let Restored { setting, host, .. } = &story;
    // Hosts go on with what they have, customers change nothing, and nobody opens it too early.
    let told = story.report_of_old(story.witness).await;
    assert_eq!(standing(setting, host), Standing::Agrees);
    poll(setting, host).await.expect(204);
    let order = || setting.try_order(&story.token, &story.key, "early");
    order().await.expect(503);
    let why = story.finish(&[]).await.expect("nobody was compared");
    assert!(why.starts_with("h1 has not reported"), "{why}");

    // The host has heard of the new epoch; the other one stays away, and is left behind.
    story.report_of_old(told).await;
    let why = story.finish(&[]).await.expect("one is silent");
    assert!(why.starts_with("h2 has not reported"), "{why}");
    assert_eq!(story.finish(&["h2"]).await, None);
    poll(setting, host).await.expect(200);
    poll(setting, &story.silent).await.expect(204);
    setting.clock.advance_s(60);
    story.report_of_new(vec![story.held.clone()]).await;
    // What the host uses that was left behind, nobody knows.
    order().await.expect(503);

    // It comes back, and is compared too.
    let mut told = None;
    for _ in 0..2 {
        let blank = setting.blank_report(&story.silent, room_for(0), vec![]);
        let report = Report {
            epoch: 0,
            generation: 0,
            witness: told,
            ..blank
        };
        told = Some(setting.post_report(&story.silent, &report).await);
    }
    assert_eq!(story.finish(&[]).await, None);
    poll(setting, &story.silent).await.expect(200);
    // Customers don't wait a second time.
    order().await.expect(201);
    let over = story.finish(&[]).await.expect("it is open");
    assert!(over.starts_with("nothing is being restored"), "{over}");
}

#[tokio::test]
async fn what_is_asked_of_a_server_after_a_restore_is_new_to_its_host() {
    let story = Restored::new().await;
    let Restored {
        setting,
        host,
        token,
        stays,
        ..
    } = &story;
    let path = format!("/servers/{}/actions", text(stays));
    let reboot = || setting.post(&path, Some(token), json!({ "action": "reboot" }));
    // Its host is left behind: nobody knows what it did in the lost time.
    story.report_of_old(story.witness).await;
    let without = ["h1".to_owned(), "h2".to_owned()];
    let opened = setting.nouns.continuity.finish_recovery(&without).await;
    opened.expect("open for nobody yet");
    reboot().await.expect(503);

    // It has made seven reboots that no record knows.
    let mut told = story.witness;
    for _ in 0..2 {
        let seen = ObservedServer {
            reboots: 7,
            ..seen(stays, RUNNING)
        };
        let report = Report {
            epoch: 1,
            generation: 90,
            witness: Some(told),
            ..setting.blank_report(host, room_for(9), vec![seen])
        };
        told = setting.post_report(host, &report).await;
    }
    assert_eq!(story.finish(&["h2"]).await, None);
    reboot().await.expect(202);
    let manifest = poll(setting, host).await.expect(200);
    let mut entries = manifest["servers"].as_array().expect("a list").iter();
    let entry = entries.find(|entry| entry["server"] == *stays);
    let spec: Digest = text(&entry.expect("listed")["intent"]["spec"])
        .parse()
        .expect("a digest");
    let spec = setting.nouns.servers.spec(host.id, spec).expect("its spec");
    assert_eq!(spec.reboots, 8);
}

#[tokio::test]
async fn a_restore_destroys_no_server_and_gives_no_address_twice() {
    let story = Restored::new().await;
    let Restored {
        setting,
        host,
        token,
        held,
        ..
    } = &story;
    let told = story.report_of_old(story.witness).await;
    story.report_of_old(told).await;
    assert_eq!(story.finish(&["h2"]).await, None);
    let silent = story.silent.id;
    setting
        .nouns
        .hosts
        .revoke(Actor::Operator, silent, &why())
        .await
        .expect("revoked");
    setting.clock.advance_s(60);

    // What was deleted is not made again: its host takes away what may be left of it.
    assert_eq!(
        shown(setting, token, &story.goes).await["state"],
        "deleting"
    );
    let manifest = poll(setting, host).await.expect(200);
    let entries = manifest["servers"].as_array().expect("a list");
    let intent = |server: &Value| {
        let mut of_it = entries.iter().filter(|entry| entry["server"] == *server);
        of_it.next().expect("listed")["intent"]["intent"].clone()
    };
    assert_eq!(intent(&story.goes), "delete");
    assert_eq!(intent(&story.stays), "present");
    story.report_of_new(vec![held.clone()]).await;
    assert_eq!(shown(setting, token, &story.goes).await["state"], "deleted");

    // What no record knows keeps its address.
    assert_eq!(
        shown(setting, token, &story.stays).await["state"],
        "running"
    );
    let manifest = poll(setting, host).await.expect(200);
    assert_eq!(manifest["servers"].as_array().map(Vec::len), Some(1));
    assert_eq!(manifest["servers"][0]["server"], story.stays);
    assert_eq!(manifest["servers"][0]["intent"]["intent"], "present");
    let mut given = Vec::new();
    for number in 0..6 {
        let server = order(setting, token, &story.key, &format!("new-{number}")).await;
        given.push(shown(setting, token, &server).await["addresses"][0].clone());
    }
    let address = held.addresses[0];
    assert!(!given.contains(&json!(address.to_string())), "{given:?}");
    let unlisted = setting.nouns.addresses.unlisted().expect("claims");
    let kept: Vec<_> = unlisted
        .iter()
        .map(|kept| (kept.server, kept.address))
        .collect();
    assert_eq!(kept, [(held.server, address)]);

    // It is given back when its host has it no more.
    story.report_of_new(vec![held.clone()]).await;
    let release = || setting.nouns.continuity.release_address(address);
    release().await.expect_err("it is still in use");
    story.report_of_new(vec![]).await;
    release().await.expect("released");
    assert!(
        setting
            .nouns
            .addresses
            .unlisted()
            .expect("claims")
            .is_empty()
    );
}

#[tokio::test]
async fn no_server_is_given_up_while_a_host_proves_that_commits_are_lost() {
    let setting = Setting::new();
    let host = setting.host("h1", room_for(2)).await;
    let (token, _) = setting.ordered_server().await;
    copy_journal(&setting, "old");
    setting.key(&token, 2).await;
    let blank = setting.blank_report(&host, room_for(2), vec![]);
    let witness = setting.post_report(&host, &blank).await;

    let old = setting.with_store("old");
    let begun = old.nouns.ctx.now();
    testify(&old, &host, witness).await;
    old.clock.advance_s(31 * 60);
    let before = old.nouns.ctx.store().sequence();
    old.give_up_unseen(begun).await;
    assert_eq!(old.nouns.ctx.store().sequence(), before);
}
