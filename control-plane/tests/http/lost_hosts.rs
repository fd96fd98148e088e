//! Hosts that are lost for good: when that may be said, what becomes of their servers and addresses, what happens when it
//! is interrupted, and what a lost host hears that comes again.

use std::{pin::pin, task::Poll};

use axum::http::Method;
use innkeeper_control_plane::{
    closing::duties::LostHosts,
    kernel::{
        Actor,
        duty::{Outcome, Turn as _},
    },
    mails::rules::MailKind,
    nouns::Nouns,
};
use innkeeper_wire::{
    host::{HypervisorState, ObservedServer, ObservedState},
    id::ServerId,
};
use serde_json::{Value, json};

use crate::{
    operators::{look, newest_commit, operate},
    setting::{Setting, TestHost, room_for},
};

/// A customer with servers on one host: one that runs, one of which nothing was seen yet, and one that is deleted and still
/// there.
pub(crate) struct Loss {
    pub(crate) setting: Setting,
    pub(crate) host: TestHost,
    pub(crate) token: String,
    key: String,
    pub(crate) servers: [String; 3],
}

impl Loss {
    pub(crate) async fn begin() -> Self {
        let setting = Setting::new();
        let host = setting.host("h1", room_for(3)).await;
        let token = setting.customer("minji90").await;
        let key = setting.key(&token, 1).await;
        let mut servers = [const { String::new() }; 3];
        for (name, server) in ["runs", "new", "leaves"].into_iter().zip(&mut servers) {
            let order = setting.try_order(&token, &key, name).await.expect(201);
            *server = order["server"].as_str().expect("an id").to_owned();
        }
        let story = Self {
            setting,
            host,
            token,
            key,
            servers,
        };
        let seen = [&story.servers[0], &story.servers[2]].map(|id| ready(id));
        let (setting, host) = (&story.setting, &story.host);
        setting.report(host, room_for(3), seen.to_vec()).await;
        let path = format!("/servers/{}", story.servers[2]);
        let deleted = setting.send(Method::DELETE, &path, Some(&story.token), &[], None);
        deleted.await.expect(202);
        story
    }

    /// The same once its host is silent.
    pub(crate) async fn silent() -> Self {
        let story = Self::begin().await;
        story.setting.clock.advance_s(16);
        story
    }

    pub(crate) async fn view(&self, server: usize) -> Value {
        let path = format!("/servers/{}", self.servers[server]);
        let view = self.setting.get(&path, Some(&self.token)).await;
        view.expect(200)
    }

    pub(crate) async fn deed(&self, verb: &str, reason: &str) -> crate::setting::Answer {
        deed(&self.setting, verb, reason).await
    }

    async fn listed(&self) -> Value {
        let hosts = look(&self.setting, "/hosts").await;
        let mut hosts = hosts["data"]
            .as_array()
            .expect("a list")
            .clone()
            .into_iter();
        let listed = hosts.find(|host| host["id"] == self.host.id.to_string());
        listed.expect("it is listed")
    }

    async fn matters(&self) -> Vec<Value> {
        let matters = look(&self.setting, "/attention").await;
        let matters = matters.as_array().expect("a list").iter();
        let of_hosts = matters.filter(|matter| matter["subject"] == "h1");
        of_hosts.map(|matter| matter["kind"].clone()).collect()
    }

    pub(crate) fn records(&self, prefix: &str) -> Vec<(String, Value)> {
        let store = self.setting.nouns.ctx.store();
        let records = store.range(prefix, None, 1_000).expect("readable");
        let read = |value: &[u8]| serde_json::from_slice(&value[1..]).expect("JSON");
        let records = records.iter();
        records
            .map(|(key, record)| (key.to_string(), read(&record.value)))
            .collect()
    }

    /// How many servers have ended, and how many addresses are held, and rest.
    fn counts(&self) -> (usize, usize, usize) {
        let servers = self.records("srv/");
        let gone = servers.iter().filter(|(_, server)| is_gone(server)).count();
        let addresses = self.records("addr/");
        let are = |state: &str| {
            let addresses = addresses.iter();
            addresses
                .filter(|(_, claim)| claim.to_string().contains(state))
                .count()
        };
        (gone, are("\"held\""), are("\"resting\""))
    }
}

fn is_gone(server: &Value) -> bool {
    server["lifecycle"]["lifecycle"] == "gone"
}

pub(crate) fn ready(id: &str) -> ObservedServer {
    let server: ServerId = id.parse().expect("an id");
    ObservedServer {
        server,
        state: ObservedState::Running { ready: true },
        power_serial: 1,
        reboots: 0,
        problem: None,
        was_ready: Some(true),
        was_started: Some(true),
        network_cut: false,
    }
}

async fn deed(setting: &Setting, verb: &str, reason: &str) -> crate::setting::Answer {
    let path = format!("/hosts/h1/{verb}");
    operate(setting, Method::POST, &path, json!({ "reason": reason })).await
}

async fn turn(nouns: &Nouns) -> Outcome {
    LostHosts(nouns.closing.clone()).turn().await
}

#[tokio::test]
async fn the_servers_of_a_lost_host_end_and_their_owners_are_told() {
    let story = Loss::begin().await;
    let setting = &story.setting;
    story.deed("lost", "its board burnt").await.expect(400);
    assert_eq!(story.view(0).await["state"], "running");
    setting.clock.advance_s(16);
    let heard = story.listed().await["last_heard"].clone();
    story.deed("lost", "").await.expect(422);
    story.deed("lost", "its board burnt").await.expect(204);

    let [runs, new, leaves] = [
        story.view(0).await,
        story.view(1).await,
        story.view(2).await,
    ];
    assert_eq!(
        (&runs["state"], &runs["end_cause"]),
        (&json!("deleted"), &json!("host_lost"))
    );
    assert_eq!(
        (&new["state"], &new["end_cause"]),
        (&json!("create_failed"), &Value::Null)
    );
    assert_eq!(
        (&leaves["state"], &leaves["end_cause"]),
        (&json!("deleted"), &Value::Null)
    );
    assert_eq!(runs["allowed_actions"], json!([]));
    let orders = setting.get("/orders", Some(&story.token)).await.expect(200);
    let states: Vec<_> = orders["data"].as_array().expect("a list").iter().collect();
    let states: Vec<_> = states.iter().map(|order| order["state"].clone()).collect();
    assert_eq!(states, ["completed", "failed", "completed"]);
    // Whoever deleted his server himself was told so then.
    let lost = setting.mails(MailKind::ServerLost).await;
    assert_eq!(lost.len(), 1);
    assert!(
        lost[0].letter.subject.contains("runs"),
        "{}",
        lost[0].letter.subject
    );
    assert_eq!(setting.mails(MailKind::CreateFailed).await.len(), 1);
    assert_eq!(setting.mails(MailKind::ServerDeleted).await.len(), 1);

    for (_, contract) in story.records("ctr/") {
        assert!(!contract["ended_at"].is_null() && contract["open_usage"].is_null());
    }
    let usage = story.records("use/");
    assert_eq!(usage.len(), 2, "of those that were ready");
    assert!(usage.iter().all(|(_, usage)| !usage["until"].is_null()));
    let (_, quota) = &story.records("quota/")[0];
    assert_eq!(
        (&quota["servers"], &quota["resting_until"]),
        (&json!(0), &Value::Null)
    );
    let host = story.listed().await;
    assert_eq!(
        (&host["state"], &host["servers"]),
        (&json!("lost"), &json!(0))
    );
    assert_eq!(host["lost"]["reason"], "its board burnt");
    // By this, what it was charged for is credited: nobody has seen its servers since.
    assert_eq!(host["lost"]["heard_until"], heard);
    assert_eq!(story.matters().await, ["host_unfenced"]);
    assert_eq!(
        turn(&setting.nouns).await,
        Outcome::default(),
        "nothing is left to do"
    );
}

#[tokio::test]
async fn addresses_of_a_lost_host_are_nobodys_until_it_is_fenced() {
    let story = Loss::silent().await;
    let setting = &story.setting;
    let before = story.view(0).await["addresses"].clone();
    story.deed("lost", "its board burnt").await.expect(204);
    assert_eq!(story.counts(), (3, 6, 0), "held, each of both families");
    // Its name is taken, and so are the addresses; the names of servers are free.
    let invite = json!({ "name": "h1", "site": "lab" });
    let invited = operate(setting, Method::POST, "/hosts/invitations", invite.clone());
    invited.await.expect(400);
    setting.clock.advance_s(48 * 3_600);
    let token = setting.customer("jihun91").await;
    let key = setting.key(&token, 2).await;
    let _h2 = setting.host("h2", room_for(9)).await;
    for name in ["runs", "a", "b", "c"] {
        let order = setting.try_order(&token, &key, name).await.expect(201);
        let path = format!("/servers/{}", order["server"].as_str().expect("an id"));
        let other = setting.get(&path, Some(&token)).await.expect(200);
        assert!(other["addresses"][0] != before[0] && other["addresses"][1] != before[1]);
    }
    let session = json!({ "login": "minji90", "password": crate::setting::PASSWORD });
    let session = setting.post("/sessions", None, session).await.expect(201);
    let token = session["token"].as_str().expect("a token");
    let quote = setting.quote(token, &story.key, "runs").await;
    let again = setting.order(token, &quote, "another click").await;
    again.expect(201);

    let (gone, held, _) = story.counts();
    assert_eq!((gone, held), (3, 16));
    story.deed("fenced", "I pulled its plug").await.expect(204);
    assert!(newest_commit(setting).1.contains("ends with its host"));
    assert_eq!(story.counts(), (3, 10, 6), "they rest");
    assert!(
        story
            .records("onhost/")
            .iter()
            .all(|(key, _)| !key.contains(&story.host.id.to_string()))
    );
    let host = story.listed().await;
    assert_eq!(host["lost"]["fenced"]["reason"], "I pulled its plug");
    assert_eq!(story.matters().await, Vec::<Value>::new());
    let invited = operate(setting, Method::POST, "/hosts/invitations", invite);
    invited.await.expect(200);
}

#[tokio::test]
async fn a_lost_host_that_comes_again_is_refused_and_told_of() {
    let story = Loss::silent().await;
    let (setting, host) = (&story.setting, &story.host);
    story.deed("lost", "its board burnt").await.expect(204);
    setting.clock.advance_s(60);
    let refused = setting.live(host, 1).await.expect(401);
    assert_eq!(refused["code"], "host-revoked");
    let path = "/desired?epoch=0&generation=0&wait_s=0";
    let asked = setting.ask(host.connection, Some(host.id), Method::GET, path, None);
    asked.await.expect(401);
    let listed = story.listed().await;
    assert_eq!(listed["state"], "lost");
    assert!(listed["asked_at"].is_string(), "{listed}");
    assert_eq!(story.matters().await, ["host_returned", "host_unfenced"]);
    assert_eq!(story.view(0).await["state"], "deleted");
}

/// Polls until `is_reached`, and drops what was polled, as a crash does.
async fn interrupted<T>(work: impl Future<Output = T>, is_reached: impl Fn() -> bool) {
    let mut work = pin!(work);
    loop {
        let polled = std::future::poll_fn(|context| Poll::Ready(work.as_mut().poll(context)));
        if polled.await.is_ready() || is_reached() {
            return;
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn what_was_interrupted_goes_on_by_itself() {
    let reason = "gone".parse().expect("a reason");
    let mut cuts = [0; 2];
    for servers in 0..=3 {
        let story = Loss::silent().await;
        let (nouns, host) = (&story.setting.nouns, story.host.id);
        let is_lost = || {
            nouns
                .hosts
                .find(host)
                .expect("readable")
                .expect("one")
                .loss
                .is_some()
        };
        let work = nouns.closing.lose_host(Actor::Operator, host, &reason);
        interrupted(work, || is_lost() && story.counts().0 >= servers).await;
        cuts[0] += usize::from(story.counts().0 < 3);
        let restarted = story.setting.restarted_app();
        let outcome = turn(&restarted).await;
        assert_eq!((outcome.backlog, outcome.failure), (0, None));
        assert_eq!(story.counts(), (3, 6, 0));
        assert_eq!(story.setting.mails(MailKind::ServerLost).await.len(), 1);
        assert_eq!(turn(&restarted).await, Outcome::default());

        let is_fenced = || {
            let found = nouns.hosts.find(host).expect("readable").expect("one");
            found.loss.is_some_and(|loss| loss.fenced.is_some())
        };
        let work = nouns
            .closing
            .confirm_fencing(Actor::Operator, host, &reason);
        interrupted(work, || is_fenced() && story.counts().2 >= 2 * servers).await;
        cuts[1] += usize::from(story.counts().2 < 6);
        let restarted = story.setting.restarted_app();
        turn(&restarted).await;
        assert_eq!(story.counts(), (3, 0, 6));
        assert_eq!(turn(&restarted).await, Outcome::default());
        let (_, quota) = &story.records("quota/")[0];
        assert_eq!(quota["servers"], 0);
    }
    assert!(
        cuts[0] > 0 && cuts[1] > 0,
        "something was left to do: {cuts:?}"
    );
}

/// How a host is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Is {
    Heard,
    LibvirtAway,
    Silent,
    Quarantined,
    RevokedAndAsks,
    Revoked,
    Lost,
    Fenced,
}

async fn host_that_is(is: Is) -> Loss {
    let story = Loss::begin().await;
    let (setting, host) = (&story.setting, &story.host);
    match is {
        Is::Heard => {}
        Is::LibvirtAway => {
            let away = HypervisorState::Unreachable {
                detail: "gone".to_owned(),
            };
            setting.report_state(host, room_for(3), away, vec![]).await;
        }
        Is::Silent => setting.clock.advance_s(16),
        Is::Quarantined => {
            setting.live(host, 9).await.expect(200);
            setting.live(host, 9).await.expect(200);
            let clone = host.again(setting);
            setting.live(&clone, 8).await.expect(200);
            setting.live(&clone, 8).await.expect(403);
        }
        Is::RevokedAndAsks | Is::Revoked => {
            story.deed("revoke", "stolen").await.expect(204);
            setting.clock.advance_s(60);
            setting.live(host, 1).await.expect(401);
            let later = if is == Is::Revoked { 180 } else { 179 };
            setting.clock.advance_s(later);
        }
        Is::Lost | Is::Fenced => {
            setting.clock.advance_s(16);
            story.deed("lost", "gone").await.expect(204);
            if is == Is::Fenced {
                story.deed("fenced", "off").await.expect(204);
            }
        }
    }
    story
}

#[tokio::test]
async fn what_an_operator_may_do_to_a_host_follows_from_how_it_is() {
    let verbs = [
        "lost",
        "fenced",
        "revoke",
        "cordon",
        "release",
        "accept-capacity",
        "replace",
    ];
    let table = [
        (Is::Heard, [400, 400, 204, 204, 400, 200, 400]),
        (Is::LibvirtAway, [400, 400, 204, 204, 400, 400, 400]),
        (Is::Silent, [204, 400, 204, 204, 400, 400, 200]),
        (Is::Quarantined, [400, 400, 204, 204, 204, 400, 200]),
        (Is::RevokedAndAsks, [400, 400, 404, 404, 404, 404, 400]),
        (Is::Revoked, [204, 400, 404, 404, 404, 404, 400]),
        (Is::Lost, [400, 204, 400, 400, 400, 400, 400]),
        (Is::Fenced, [404, 404, 404, 404, 404, 404, 404]),
    ];
    for (is, expected) in table {
        for (verb, expected) in verbs.into_iter().zip(expected) {
            let story = host_that_is(is).await;
            let told = story.deed(verb, "asked for").await;
            assert_eq!(
                told.status.as_u16(),
                expected,
                "{verb} of {is:?}: {}",
                told.body
            );
            let ends = matches!(is, Is::Lost | Is::Fenced) || (verb, expected) == ("lost", 204);
            let (gone, held, resting) = story.counts();
            assert_eq!(gone == 3, ends, "{verb} of {is:?}");
            let frees = is == Is::Fenced || (verb, expected) == ("fenced", 204);
            assert_eq!(
                (held, resting),
                if frees { (0, 6) } else { (6, 0) },
                "{verb} of {is:?}"
            );
        }
    }
}

#[tokio::test]
async fn a_host_of_a_name_that_several_have_had_is_named_by_its_id() {
    let story = Loss::begin().await;
    let setting = &story.setting;
    story.deed("revoke", "stolen").await.expect(204);
    setting.host("h1", room_for(1)).await;
    setting.clock.advance_s(180);
    let refused = story.deed("lost", "gone").await.expect(400);
    let id = story.host.id.to_string();
    assert!(refused["detail"].to_string().contains(&id), "{refused}");
    let path = format!("/hosts/{id}/lost");
    let lost = operate(setting, Method::POST, &path, json!({ "reason": "gone" }));
    lost.await.expect(204);
    assert_eq!(story.counts().0, 3);
    let names = look(setting, "/hosts").await;
    let states: Vec<_> = names["data"].as_array().expect("a list").iter().collect();
    let states: Vec<_> = states.iter().map(|host| host["state"].clone()).collect();
    assert!(
        states.contains(&json!("lost")) && states.contains(&json!("silent")),
        "{states:?}"
    );
}
