//! A server's life as its owner and its host see it.

use axum::http::Method;
use innkeeper_control_plane::nouns::Settings;
use innkeeper_wire::{
    host::{
        CreateStep, HostCapacity, HypervisorState, Intent, ObservedServer, ObservedState,
        ServerProblem, ServerProblemCode,
    },
    id::ServerId,
    size::Bytes,
};
use serde_json::{Value, json};

use crate::setting::{Setting, TestHost, room_for};

pub(crate) struct Story {
    pub(crate) setting: Setting,
    pub(crate) host: TestHost,
    pub(crate) token: String,
    server: ServerId,
    path: String,
}

impl Story {
    pub(crate) async fn begin() -> Self {
        Self::begin_in(Setting::new()).await
    }

    /// The same under other settings.
    pub(crate) async fn begin_with(settings: Settings) -> Self {
        Self::begin_in(Setting::with(settings)).await
    }

    async fn begin_in(setting: Setting) -> Self {
        let host = setting.host("h1", room_for(1)).await;
        let (token, order) = setting.ordered_server().await;
        let server: ServerId = order["server"]
            .as_str()
            .expect("an id")
            .parse()
            .expect("an id");
        Self {
            setting,
            host,
            token,
            server,
            path: format!("/servers/{server}"),
        }
    }

    pub(crate) fn seen(&self, state: ObservedState, power_serial: u32) -> ObservedServer {
        ObservedServer {
            was_ready: None,
            was_started: None,
            network_cut: false,
            server: self.server,
            state,
            power_serial,
            reboots: 0,
            problem: None,
        }
    }

    /// The server is deleted, and its host has nothing of it any more.
    pub(crate) async fn delete(&self) {
        let method = Method::DELETE;
        let sent = self
            .setting
            .send(method, &self.path, Some(&self.token), &[], None);
        sent.await.expect(202);
        self.report(self.seen(ObservedState::Absent, 0)).await;
    }

    pub(crate) async fn report(&self, seen: ObservedServer) {
        self.setting
            .report(&self.host, room_for(1), vec![seen])
            .await;
    }

    pub(crate) async fn view(&self) -> Value {
        self.setting
            .get(&self.path, Some(&self.token))
            .await
            .expect(200)
    }

    pub(crate) async fn state(&self) -> String {
        self.view().await["state"]
            .as_str()
            .expect("a state")
            .to_owned()
    }

    pub(crate) async fn act(&self, action: &str) -> crate::setting::Answer {
        let path = format!("{}/actions", self.path);
        self.setting
            .post(&path, Some(&self.token), json!({ "action": action }))
            .await
    }

    pub(crate) async fn order_state(&self) -> String {
        let state = self.orders().await[0]["state"].clone();
        state.as_str().expect("a state").to_owned()
    }

    pub(crate) async fn orders(&self) -> Vec<Value> {
        let orders = self.setting.get("/orders", Some(&self.token));
        let orders = orders.await.expect(200)["data"].clone();
        orders.as_array().expect("a list").clone()
    }

    pub(crate) fn records(&self, prefix: &str) -> Vec<Value> {
        let records = self
            .setting
            .nouns
            .ctx
            .store()
            .range(prefix, None, 100)
            .expect("records");
        records
            .iter()
            .map(|(_, record)| serde_json::from_slice(&record.value[1..]).expect("JSON"))
            .collect()
    }
}

const RUNNING: ObservedState = ObservedState::Running { ready: true };

#[tokio::test]
async fn from_order_to_running_and_through_its_power_states() {
    let story = Story::begin().await;
    story
        .report(story.seen(
            ObservedState::Creating {
                step: CreateStep::Disk,
            },
            0,
        ))
        .await;
    let view = story.view().await;
    assert_eq!(
        (view["state"].as_str(), view["step"].as_str()),
        (Some("creating"), Some("disk"))
    );
    assert_eq!(story.order_state().await, "provisioning");
    assert!(
        story.records("use/").is_empty(),
        "nothing is charged before it is ready"
    );

    story.report(story.seen(RUNNING, 1)).await;
    assert_eq!(
        (
            story.state().await.as_str(),
            story.order_state().await.as_str()
        ),
        ("running", "completed")
    );
    assert_eq!(story.records("use/").len(), 1);

    story.act("shutdown").await.expect(202);
    assert_eq!(story.state().await, "stopping");
    story.report(story.seen(ObservedState::Stopped, 2)).await;
    assert_eq!(story.state().await, "stopped");
    story.act("reboot").await.expect(409);
    story.act("start").await.expect(202);
    story.report(story.seen(RUNNING, 3)).await;
    story.act("reboot").await.expect(202);
    assert_eq!(story.state().await, "rebooting");
    story
        .report(ObservedServer {
            reboots: 1,
            ..story.seen(RUNNING, 3)
        })
        .await;
    assert_eq!(story.state().await, "running");
}

#[tokio::test]
async fn a_delete_ends_charging_at_once_and_gives_everything_back_when_nothing_is_left() {
    let story = Story::begin().await;
    story.report(story.seen(RUNNING, 1)).await;
    story.setting.clock.advance_s(10);
    story.report(story.seen(RUNNING, 1)).await;
    story
        .setting
        .send(Method::DELETE, &story.path, Some(&story.token), &[], None)
        .await
        .expect(202);
    assert_eq!(story.state().await, "deleting");
    let usage = &story.records("use/")[0];
    assert!(
        usage["until"].is_string(),
        "charging ends with the acceptance: {usage}"
    );
    let manifest = story.setting.manifest(&story.host).await;
    assert_eq!(manifest.servers[0].intent, Intent::Delete);
    story.report(story.seen(ObservedState::Absent, 0)).await;
    assert_eq!(story.state().await, "deleted");
    assert!(story.setting.manifest(&story.host).await.servers.is_empty());
    assert_eq!(story.records("addr/")[0]["state"], "resting");
    assert_eq!(story.records("reserved/")[0]["servers"], 0);
    assert_eq!(story.records("quota/")[0]["servers"], 0);
    let listed = story
        .setting
        .get("/servers", Some(&story.token))
        .await
        .expect(200);
    assert_eq!(listed["data"], json!([]));
    story
        .setting
        .send(Method::DELETE, &story.path, Some(&story.token), &[], None)
        .await
        .expect(409);
}

#[tokio::test]
async fn a_creation_that_fails_is_not_charged_and_leaves_nothing() {
    let story = Story::begin().await;
    let step = ObservedState::Creating {
        step: CreateStep::Image,
    };
    let problem = ServerProblem {
        code: ServerProblemCode::ImageUnavailable,
        detail: "for operators".to_owned(),
        attempts: 5,
    };
    story
        .report(ObservedServer {
            problem: Some(problem),
            ..story.seen(step, 0)
        })
        .await;
    let view = story.view().await;
    assert_eq!(view["state"], "create_failed");
    assert_eq!(view["problem"], "image_unavailable");
    assert_eq!(view["failure"], "image_unavailable");
    let failed_at = view["ended_at"].clone();
    assert!(failed_at.is_string(), "{view}");
    assert_eq!(story.orders().await[0]["failed_at"], failed_at);
    assert!(!view.to_string().contains("for operators"), "{view}");
    assert_eq!(story.order_state().await, "failed");
    assert!(story.records("use/").is_empty());
    let manifest = story.setting.manifest(&story.host).await;
    assert_eq!(manifest.servers[0].intent, Intent::Delete);
    let told = &story.records("srv/")[0]["lifecycle"]["generation"];
    assert_eq!(told.as_u64(), Some(manifest.generation));
    story.setting.clock.advance_s(5);
    story.report(story.seen(ObservedState::Absent, 0)).await;
    assert_eq!(story.records("reserved/")[0]["servers"], 0);
    assert_eq!(story.state().await, "create_failed");
    assert_eq!(
        story.view().await["ended_at"],
        failed_at,
        "it stays when it was"
    );
    let ended = story.records("ctr/")[0]["ended_at"].clone();
    story.setting.clock.advance_s(10);
    story
        .setting
        .send(Method::DELETE, &story.path, Some(&story.token), &[], None)
        .await
        .expect(202);
    let listed = story
        .setting
        .get("/servers", Some(&story.token))
        .await
        .expect(200);
    assert_eq!(
        listed["data"],
        json!([]),
        "its owner can take it out of sight"
    );
    assert_eq!(story.records("ctr/")[0]["ended_at"], ended);
}

#[tokio::test]
async fn a_server_deleted_before_it_was_ready_costs_nothing() {
    let story = Story::begin().await;
    story
        .setting
        .send(Method::DELETE, &story.path, Some(&story.token), &[], None)
        .await
        .expect(202);
    assert_eq!(story.order_state().await, "cancelled");
    story.report(story.seen(RUNNING, 1)).await;
    assert!(
        story.records("use/").is_empty(),
        "a late `running` does not start charging"
    );
    assert_eq!(story.state().await, "deleting");
}

#[tokio::test]
async fn a_silent_host_makes_servers_unknown_and_not_stopped() {
    let story = Story::begin().await;
    story.report(story.seen(RUNNING, 1)).await;
    story.setting.clock.advance_s(15);
    assert_eq!(story.state().await, "unknown");
    story.act("start").await.expect(409);
    story.report(story.seen(RUNNING, 1)).await;
    assert_eq!(story.state().await, "running");
    let down = HypervisorState::Unreachable {
        detail: "connection refused".to_owned(),
    };
    story
        .setting
        .report_state(&story.host, room_for(1), down, vec![])
        .await;
    assert_eq!(
        story.state().await,
        "unknown",
        "a host without libvirt knows nothing"
    );
    story.report(story.seen(RUNNING, 1)).await;
    assert_eq!(story.state().await, "running");
}

#[tokio::test]
async fn an_address_rests_before_somebody_else_gets_it() {
    let story = Story::begin().await;
    let first = story.view().await["addresses"][0].clone();
    story
        .setting
        .send(Method::DELETE, &story.path, Some(&story.token), &[], None)
        .await
        .expect(202);
    story.report(story.seen(ObservedState::Absent, 0)).await;
    let held: Vec<Value> = story.records("addr/");
    assert!(
        held.iter().all(|claim| claim["state"] == "resting"),
        "{held:?}"
    );
    let key = story
        .setting
        .get("/me/ssh-keys", Some(&story.token))
        .await
        .expect(200)["data"][0]["id"]
        .clone();
    let key = key.as_str().expect("a key");
    let quote = story.setting.quote(&story.token, key, "web-2").await;
    let order = story
        .setting
        .order(&story.token, &quote, "again")
        .await
        .expect(201);
    let path = format!("/servers/{}", order["server"].as_str().expect("an id"));
    let second = story
        .setting
        .get(&path, Some(&story.token))
        .await
        .expect(200);
    assert_ne!(second["addresses"][0], first);
}

#[tokio::test]
async fn lists_are_paged_searched_and_filtered() {
    let setting = Setting::new();
    setting.host("h1", room_for(10)).await;
    let token = setting.customer("minji90").await;
    let key = setting.key(&token, 1).await;
    for n in 0..5 {
        let quote = setting.quote(&token, &key, &format!("web-{n}")).await;
        setting.order(&token, &quote, &quote).await.expect(201);
    }
    let names = |page: &Value| -> Vec<String> {
        let data = page["data"].as_array().expect("a list");
        data.iter()
            .map(|server| server["name"].as_str().expect("a name").to_owned())
            .collect()
    };
    let first = setting
        .get("/servers?limit=2", Some(&token))
        .await
        .expect(200);
    assert_eq!(names(&first), ["web-4", "web-3"]);
    let next = first["page"]["next"].as_str().expect("a cursor");
    let second = setting
        .get(&format!("/servers?limit=3&after={next}"), Some(&token))
        .await
        .expect(200);
    assert_eq!(names(&second), ["web-2", "web-1", "web-0"]);
    assert_eq!(second["page"], json!({ "has_more": false }));
    let found = setting
        .get("/servers?q=WEB-3&state=requested", Some(&token))
        .await
        .expect(200);
    assert_eq!(names(&found), ["web-3"]);
    let search = async |query: &str| {
        let path = format!("/servers?{query}");
        names(&setting.get(&path, Some(&token)).await.expect(200))
    };
    // Every IPv6 address of the documents' range has a `db` in it, and nobody who types that means it.
    assert!(search("q=db").await.is_empty());
    assert_eq!(search("q=2001:db8").await.len(), 5);
    let id = first["data"][0]["id"].as_str().expect("an id");
    assert_eq!(search(&format!("q={id}")).await, ["web-4"]);
    let address = first["data"][1]["addresses"][0]
        .as_str()
        .expect("an address");
    assert_eq!(search(&format!("q={address}")).await, ["web-3"]);
    assert_eq!(search("sort=name&limit=2").await, ["web-0", "web-1"]);
    assert_eq!(search("sort=name-down&limit=2").await, ["web-4", "web-3"]);
    assert_eq!(search("sort=oldest&limit=1").await, ["web-0"]);
    let sorted = setting.get("/servers?sort=name&limit=2", Some(&token));
    let next = sorted.await.expect(200)["page"]["next"].clone();
    let next = next.as_str().expect("it goes on");
    assert_eq!(
        search(&format!("sort=name&limit=2&after={next}")).await,
        ["web-2", "web-3"]
    );
    for bad in [
        "limit=0",
        "limit=201",
        "limit=x",
        "after=../x",
        "state=flying",
        "colour=red",
        "sort=colour",
    ] {
        let refused = setting
            .get(&format!("/servers?{bad}"), Some(&token))
            .await
            .expect(400);
        assert_eq!(refused["code"], "bad-request", "{bad}");
    }
}

/// The row B8 of the trial: the tombstone of a deleted server takes the room of its disk until it is destroyed.
#[tokio::test]
async fn no_second_server_is_sold_beside_a_tombstone() {
    let story = Story::begin().await;
    let setting = &story.setting;
    let key = setting.get("/me/ssh-keys", Some(&story.token)).await;
    let key = key.expect(200)["data"][0]["id"].clone();
    let key = key.as_str().expect("a key");
    let order = || setting.try_order(&story.token, key, "web-2");
    let sold_out = [("/plan".to_owned(), "sold-out".to_owned())];
    // Disks of 10 GiB on a host that has room for one and a half.
    let with_room = |gib| HostCapacity {
        disk: Bytes::gib(gib),
        ..room_for(2)
    };
    let running = story.seen(ObservedState::Running { ready: true }, 1);
    let report = |capacity, seen| setting.report(&story.host, capacity, vec![seen]);
    report(with_room(15), running).await;
    assert_eq!(order().await.fields(), sold_out, "beside it");
    let method = Method::DELETE;
    let sent = setting.send(method, &story.path, Some(&story.token), &[], None);
    sent.await.expect(202);
    // The report that says that it is gone says also how much less room there is.
    report(with_room(5), story.seen(ObservedState::Absent, 1)).await;
    assert_eq!(story.records("reserved/")[0]["servers"], 0);
    assert_eq!(order().await.fields(), sold_out, "beside its tombstone");
    setting.report(&story.host, with_room(0), vec![]).await;
    assert_eq!(order().await.fields(), sold_out, "no room at all");
    // Room that has just gone comes back after a minute without any going.
    setting.clock.advance_s(60);
    setting.report(&story.host, with_room(15), vec![]).await;
    // It is destroyed.
    order().await.expect(201);
}

/// What a host has may become less than what is promised on it: everything that exists goes on.
#[tokio::test]
async fn a_host_that_shrinks_below_its_promises_breaks_nothing() {
    let story = Story::begin().await;
    let running = || story.seen(ObservedState::Running { ready: true }, 1);
    let none = HostCapacity {
        cpus: 1,
        memory: Bytes(0),
        disk: Bytes(0),
    };
    let setting = &story.setting;
    setting.report(&story.host, none, vec![running()]).await;
    assert_eq!(story.state().await, "running");
    story.act("power_off").await.expect(202);
    let method = Method::DELETE;
    let sent = setting.send(method, &story.path, Some(&story.token), &[], None);
    sent.await.expect(202);
    let absent = story.seen(ObservedState::Absent, 2);
    setting.report(&story.host, none, vec![absent]).await;
    assert_eq!(story.state().await, "deleted");
    let reserved = &story.records("reserved/")[0];
    assert_eq!(
        (&reserved["memory"], &reserved["disk"]),
        (&json!(0), &json!(0))
    );
}
