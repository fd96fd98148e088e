//! Suspending an account and resuming it: what its owner can still do, what its host is told, what is charged, who is told.

use axum::http::Method;
use innkeeper_control_plane::{mails::rules::MailKind, nouns::Settings};
use innkeeper_wire::{
    api::Scope,
    host::{FEATURE_CUT, ObservedServer, ObservedState},
    id::AccountId,
    vm::{Power, PowerTarget},
};
use serde_json::{Value, json};

use crate::{
    addresses::specs,
    members::operator,
    offer::settings,
    servers::Story,
    setting::{Answer, Setting, public_key, room_for},
    tokens,
};

const RUNNING: ObservedState = ObservedState::Running { ready: true };
const REASON: &str = "9월 요금이 납부되지 않았습니다.";

/// A server that runs, whose account is suspended and resumed.
struct Suspended {
    story: Story,
    account: AccountId,
}

impl Suspended {
    async fn begin() -> Self {
        let story = Story::begin().await;
        story.report(story.seen(RUNNING, 1)).await;
        let me = story.setting.get("/me", Some(&story.token)).await;
        let account = me.expect(200)["id"].as_str().expect("an id").parse();
        Self {
            story,
            account: account.expect("an id"),
        }
    }

    async fn decide(&self, verb: &str, body: Value) -> Answer {
        let path = format!("/accounts/{}/{verb}", self.account);
        operator(&self.story.setting, Method::POST, &path, body).await
    }

    /// The same, and what the duty does then.
    async fn suspend(&self, kind: &str) {
        let body = json!({ "kind": kind, "reason": REASON });
        self.decide("suspend", body).await.expect(204);
        self.follow().await;
    }

    async fn resume(&self) {
        let body = json!({ "reason": "paid" });
        self.decide("resume", body).await.expect(204);
        self.follow().await;
    }

    async fn follow(&self) {
        let (done, waiting, failures) = self
            .story
            .setting
            .nouns
            .servers
            .follow_suspensions()
            .await
            .expect("it can be read");
        assert_eq!((done, waiting, failures.len()), (1, 0, 0), "{failures:?}");
        let again = self.story.setting.nouns.servers.follow_suspensions().await;
        assert_eq!(again.expect("it can be read").0, 0, "all is done");
    }

    /// What its host is told of the power, and whether its network is to be cut.
    async fn told(&self) -> (Power, bool) {
        let specs = specs(&self.story.setting, &self.story.host).await;
        (specs[0].power, specs[0].network.cut)
    }

    async fn me(&self) -> Value {
        let me = self.story.setting.get("/me", Some(&self.story.token));
        me.await.expect(200)
    }

    async fn delete(&self) -> Answer {
        let path = format!("/servers/{}", self.story.seen(RUNNING, 1).server);
        let (setting, token) = (&self.story.setting, &self.story.token);
        setting
            .send(Method::DELETE, &path, Some(token), &[], None)
            .await
    }
}

fn power(target: PowerTarget, serial: u32) -> Power {
    Power { target, serial }
}

fn refused(answer: &Answer) {
    let code = answer.body["code"].as_str();
    assert_eq!(
        (answer.status.as_u16(), code),
        (403, Some("account-suspended")),
        "{}",
        answer.body
    );
}

#[tokio::test]
async fn for_debt_a_server_is_shut_down_uncharged_and_started_again() {
    let it = Suspended::begin().await;
    let story = &it.story;
    it.suspend("debt").await;
    assert_eq!(it.told().await, (power(PowerTarget::Off, 2), false));
    assert_eq!(story.state().await, "stopping");
    assert_eq!(story.view().await["allowed_actions"], json!(["delete"]));
    story.report(story.seen(ObservedState::Stopped, 2)).await;
    assert_eq!(story.state().await, "suspended");
    let usage = story.records("use/");
    assert_eq!(usage.len(), 1);
    assert_eq!(usage[0]["until"], usage[0]["from"], "not a second more");
    assert!(story.records("ctr/")[0]["ended_at"].is_null());

    let me = it.me().await;
    assert_eq!(me["suspension"]["kind"], "debt");
    assert_eq!(me["suspension"]["reason"], REASON);
    let twice = it.decide("suspend", json!({ "kind": "abuse", "reason": REASON }));
    assert_eq!(twice.await.expect(409)["code"], "invalid-state");
    let told = story.setting.mails(MailKind::AccountSuspended).await;
    assert_eq!(told.len(), 1);
    assert!(told[0].letter.body.contains(REASON));

    story.setting.clock.advance_s(3_000);
    it.resume().await;
    assert_eq!(it.told().await, (power(PowerTarget::On, 3), false));
    story.report(story.seen(ObservedState::Stopped, 2)).await;
    assert_eq!(story.state().await, "starting");
    let usage = story.records("use/");
    assert_eq!(usage.len(), 2, "charged anew");
    assert!(usage[1]["until"].is_null());
    assert!(it.me().await["suspension"].is_null());
    story.report(story.seen(RUNNING, 3)).await;
    assert_eq!(story.state().await, "running");
    let again = it.decide("resume", json!({ "reason": "paid" })).await;
    assert_eq!(again.expect(409)["code"], "invalid-state");
    let told = story.setting.mails(MailKind::AccountResumed).await;
    assert_eq!(told.len(), 1);

    let path = format!("/accounts/{}", it.account);
    let shown = operator(&story.setting, Method::GET, &path, json!({}));
    let shown = shown.await.expect(200);
    assert_eq!(shown["line"]["state"], "active");
    let deeds = shown["acts"].as_array().expect("acts").iter();
    let deeds: Vec<_> = deeds.map(|act| act["deed"].clone()).collect();
    assert_eq!(
        deeds,
        [
            json!({ "kind": "resumed" }),
            json!({ "kind": "suspended", "cause": "debt" })
        ]
    );
    story.setting.prove(&story.token).await;
    it.delete().await.expect(202);
}

#[tokio::test]
async fn for_abuse_a_server_runs_on_with_its_network_cut() {
    let it = Suspended::begin().await;
    let story = &it.story;
    let before = story.setting.manifest(&story.host).await.requires;
    assert!(!before.contains(&FEATURE_CUT.to_owned()), "{before:?}");
    it.suspend("abuse").await;
    assert_eq!(it.told().await, (power(PowerTarget::On, 1), true));
    let requires = story.setting.manifest(&story.host).await.requires;
    assert!(requires.contains(&FEATURE_CUT.to_owned()), "{requires:?}");
    let seen = story.seen(RUNNING, 1);
    let path = format!("/servers/{}", seen.server);
    let shown = || operator(&story.setting, Method::GET, &path, json!({}));
    assert_eq!(shown().await.expect(200)["network_cut"], "asked");
    assert_eq!(
        story.state().await,
        "running",
        "its host has not said it yet"
    );
    let cut = ObservedServer {
        network_cut: true,
        ..seen.clone()
    };
    story.report(cut).await;
    assert_eq!(shown().await.expect(200)["network_cut"], "observed");
    assert_eq!(story.state().await, "suspended");
    refused(&it.delete().await);
    let body = json!({ "action": "power_off", "reason": "it must stop at once" });
    let acted = format!("{path}/actions");
    let acted = operator(&story.setting, Method::POST, &acted, body).await;
    acted.expect(202);
    assert_eq!(it.told().await, (power(PowerTarget::OffForced, 2), true));
    it.resume().await;
    assert_eq!(it.told().await, (power(PowerTarget::OffForced, 2), false));
    let requires = story.setting.manifest(&story.host).await.requires;
    assert!(!requires.contains(&FEATURE_CUT.to_owned()), "{requires:?}");
}

#[tokio::test]
async fn its_owner_looks_and_changes_nothing() {
    let it = Suspended::begin().await;
    let (story, setting) = (&it.story, &it.story.setting);
    setting.host("h2", room_for(4)).await;
    let key = setting.key(&story.token, 2).await;
    let quote = setting.quote(&story.token, &key, "web-2").await;
    let scopes = [Scope::Read, Scope::Servers, Scope::Delete, Scope::Keys];
    let (_, program) = tokens::make(setting, &story.token, &scopes).await;
    it.suspend("debt").await;
    for by in [&story.token, &program] {
        for path in ["/servers", "/orders"] {
            setting.get(path, Some(by)).await.expect(200);
        }
        refused(&setting.order(by, &quote, "late").await);
        let path = format!("/servers/{}/actions", story.seen(RUNNING, 1).server);
        for action in ["start", "shutdown", "power_off", "reboot"] {
            refused(
                &setting
                    .post(&path, Some(by), json!({ "action": action }))
                    .await,
            );
        }
    }
    let session = Some(story.token.as_str());
    let body =
        json!({ "site": "lab", "plan": "s1", "image": "tiny", "name": "web-3", "ssh_keys": [key] });
    refused(&setting.post("/quotes", session, body).await);
    let body = json!({ "name": "desk", "public_key": public_key(3) });
    refused(&setting.post("/me/ssh-keys", session, body).await);
    let path = format!("/me/ssh-keys/{key}");
    let renamed = Some(json!({ "name": "other" }));
    refused(
        &setting
            .send(Method::PATCH, &path, session, &[], renamed)
            .await,
    );
    refused(
        &setting
            .send(Method::DELETE, &path, session, &[], None)
            .await,
    );
    setting
        .sign_in_from("198.51.100.1", "minji90", crate::setting::PASSWORD, None)
        .await
        .expect(201);
    it.delete().await.expect(202);
}

/// A turn that was cut off leaves its rest to the next one, also after a restart; and no commit is larger than it may be.
#[tokio::test]
async fn all_servers_follow_in_several_commits() {
    let setting = Setting::with(Settings {
        server_quota: 100,
        ..settings()
    });
    let host = setting.host("h1", room_for(100)).await;
    let token = setting.customer("minji90").await;
    let key = setting.key(&token, 1).await;
    for number in 0..45 {
        setting.clock.advance_s(60);
        let name = format!("web-{number}");
        let host = &host;
        setting.report(host, room_for(100), vec![]).await;
        setting.try_order(&token, &key, &name).await.expect(201);
    }
    let me = setting.get("/me", Some(&token)).await.expect(200);
    let path = format!("/accounts/{}/suspend", me["id"].as_str().expect("an id"));
    let body = json!({ "kind": "abuse", "reason": REASON });
    operator(&setting, Method::POST, &path, body)
        .await
        .expect(204);
    let is_cut = async || {
        let specs = specs(&setting, &host).await;
        specs.iter().filter(|spec| spec.network.cut).count()
    };
    assert_eq!(is_cut().await, 0);
    let again = setting.restarted_app();
    let (done, waiting, failures) = again.servers.follow_suspensions().await.expect("readable");
    assert_eq!((done, waiting, failures.len()), (1, 0, 0), "{failures:?}");
    assert_eq!(is_cut().await, 45);
}
