//! After a restore: hosts that joined in the time that is lost, and addresses that somebody may use whom no record
//! knows.

use std::{collections::BTreeMap, net::IpAddr};

use axum::http::Method;
use innkeeper_control_plane::{
    agent_api::listener::Connection,
    continuity::rules::{
        recovery::RestoredFrom,
        unrecorded::{Presented, UNRECORDED_MAX, Unrecorded, Uses, Verdict},
    },
    hosts::rules::host::HostState,
    kernel::Actor,
    store::{Commit, FolderDisk, Key, Write, begin_epoch, next_epoch},
};
use innkeeper_mtls::{HostRequest, Peer, host_certificate};
use innkeeper_wire::{
    host::{HeldServer, Report, Witness},
    id::{HostId, uuid_v7},
    time::{Clock as _, Timestamp},
};
use rustls::pki_types::{CertificateDer, pem::PemObject as _};
use serde_json::{Value, json};

use crate::{
    listener::Door,
    setting::{Answer, PASSWORD, Setting, TestHost, room_for, why},
    witnesses::{RUNNING, copy_journal, metric, order, seen, shown, text},
};

/// An installation that was restored from a copy which knows `h1` alone, with one server. In the time that is lost
/// that one ended, and `h7` joined and got another one.
struct Story {
    /// The life that is lost; kept, since its folder goes with it.
    _lost: Setting,
    setting: Setting,
    known: TestHost,
    joined: TestHost,
    token: String,
    key: String,
    /// Addresses of the server that is no more.
    ended: Vec<IpAddr>,
    server: Value,
    held: HeldServer,
    /// What both hosts were told last in the life that is lost.
    told: Witness,
}

impl Story {
    /// `epoch` is that of the restore; none when the copy was only put back.
    async fn new(epoch: Option<u64>) -> Self {
        let lost = Setting::new();
        let known = lost.host("h1", room_for(1)).await;
        let token = lost.customer("minji90").await;
        let key = lost.key(&token, 1).await;
        let ended = order(&lost, &token, &key, "ended").await;
        lost.report(&known, room_for(1), vec![seen(&ended, RUNNING)])
            .await;
        let ended = addresses(&shown(&lost, &token, &ended).await);
        copy_journal(&lost, "old");
        let joined = lost.host("h7", room_for(9)).await;
        let server = order(&lost, &token, &key, "lost").await;
        lost.report(&joined, room_for(9), vec![seen(&server, RUNNING)])
            .await;
        let held = HeldServer {
            server: text(&server).parse().expect("an id"),
            addresses: addresses(&shown(&lost, &token, &server).await),
        };
        let blank = lost.blank_report(&known, room_for(0), vec![]);
        let told = lost.post_report(&known, &blank).await;
        if let Some(epoch) = epoch {
            let disk = FolderDisk::new(lost.folder.join("old/journal"));
            begin_epoch(&disk, epoch).expect("a new epoch");
        }
        let setting = lost.with_store("old");
        let body = json!({ "login": "minji90", "password": PASSWORD });
        let session = setting.post("/sessions", None, body).await.expect(201);
        Self {
            token: text(&session["token"]).to_owned(),
            _lost: lost,
            setting,
            known,
            joined,
            key,
            ended,
            server,
            held,
            told,
        }
    }

    async fn restored() -> Self {
        Self::new(Some(next_epoch(1, 1_790_000_000))).await
    }

    /// The server at its home in the life that is lost, as that host reports it: with everything that it has, once it
    /// has heard of the new epoch.
    fn report_of_joined(&self, told: Witness) -> Report {
        let has_heard = told.epoch > 1;
        Report {
            epoch: 1,
            generation: 1,
            witness: Some(told),
            held: has_heard.then(|| self.held.clone()).into_iter().collect(),
            ..self.setting.blank_report(
                &self.joined,
                room_for(9),
                vec![seen(&self.server, RUNNING)],
            )
        }
    }

    /// Both reports of the host that no record knows: the first makes it hear of the new epoch.
    async fn joined_reports(&self) {
        let report = self.report_of_joined(self.told);
        let told = self.setting.post_report(&self.joined, &report).await;
        let report = self.report_of_joined(told);
        self.setting.post_report(&self.joined, &report).await;
    }

    async fn known_reports(&self) {
        let mut told = self.told;
        for _ in 0..2 {
            let report = Report {
                epoch: 1,
                generation: 1,
                witness: Some(told),
                ..self.setting.blank_report(&self.known, room_for(0), vec![])
            };
            told = self.setting.post_report(&self.known, &report).await;
        }
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

    async fn readmit(&self, name: &str, site: &str) -> Option<String> {
        let readmitted = self
            .setting
            .nouns
            .continuity
            .readmit_host(self.joined.id, name, site);
        readmitted.await.err().map(|error| error.to_string())
    }

    async fn order(&self, name: &str) -> Answer {
        self.setting.try_order(&self.token, &self.key, name).await
    }

    fn undecided(&self) -> Vec<HostId> {
        self.setting
            .nouns
            .continuity
            .undecided_hosts()
            .expect("records")
    }

    fn held_addresses(&self) -> Vec<IpAddr> {
        let unlisted = self.setting.nouns.addresses.unlisted().expect("claims");
        let ours = unlisted
            .iter()
            .filter(|held| held.server == self.held.server);
        let mut addresses: Vec<_> = ours.map(|held| held.address).collect();
        addresses.sort_unstable();
        addresses
    }

    /// Whether the lost server still has its addresses for itself after six more orders.
    async fn orders_get_others(&self) {
        let addresses: Vec<_> = self
            .held
            .addresses
            .iter()
            .map(ToString::to_string)
            .collect();
        for number in 0..6 {
            let order = self.order(&format!("new-{number}")).await.expect(201);
            let server = shown(&self.setting, &self.token, &order["server"]).await;
            for given in server["addresses"].as_array().expect("a list") {
                assert!(!addresses.contains(&text(given).to_owned()), "{given}");
            }
        }
    }
}

fn addresses(server: &Value) -> Vec<IpAddr> {
    let addresses = server["addresses"].as_array().expect("a list").iter();
    addresses
        .map(|address| text(address).parse().expect("an address"))
        .collect()
}

async fn poll(setting: &Setting, host: &TestHost) -> Answer {
    let path = "/desired?epoch=1&generation=1&wait_s=0";
    setting
        .ask(host.connection, Some(host.id), Method::GET, path, None)
        .await
}

async fn renew(setting: &Setting, host: &TestHost) -> Answer {
    let request = HostRequest::create().expect("a key").request_pem;
    let body = Some(json!({ "csr_pem": request }));
    setting
        .ask(host.connection, Some(host.id), Method::POST, "/renew", body)
        .await
}

#[tokio::test]
async fn a_host_that_joined_in_the_lost_time_is_heard_and_readmitted_as_it_is() {
    let story = Story::restored().await;
    let Story {
        setting, joined, ..
    } = &story;
    story.known_reports().await;
    assert_eq!(story.undecided(), []);
    // It is heard, over its own certificate, and told nothing.
    setting.live(joined, 1).await.expect(200);
    story.joined_reports().await;
    assert_eq!(story.undecided(), [joined.id]);
    let alarm = "innkeeper_hosts_unrecorded";
    assert_eq!(metric(setting, alarm), format!("{alarm} 1"));
    assert_eq!(story.held_addresses(), sorted(&story.held));
    poll(setting, joined).await.expect(204);
    let spec = format!("/specs/{}", innkeeper_wire::digest::Digest::of(b"any"));
    let spec = setting.ask(joined.connection, Some(joined.id), Method::GET, &spec, None);
    spec.await.expect(401);
    renew(setting, joined).await.expect(503);

    // It does not open by itself, and the operator can't mistake it for another one.
    let why = story.finish(&[]).await.expect("nobody has decided");
    assert!(why.starts_with(&joined.id.to_string()), "{why}");
    for (name, site, expected) in [
        ("h1", "lab", "there is a host called h1 already"),
        ("h 7", "lab", "`h 7` is no name"),
        ("h7", "moon", "there is no site `moon`"),
    ] {
        let why = story.readmit(name, site).await.expect("refused");
        assert!(why.starts_with(expected), "{why}");
    }
    assert_eq!(story.readmit("h7", "lab").await, None);
    assert_eq!(story.undecided(), []);
    let hosts = setting.nouns.hosts.list().expect("hosts");
    let host = hosts.iter().find(|host| host.host.id == joined.id);
    let host = &host.expect("it is one again").host;
    assert_eq!((host.name.as_str(), host.state), ("h7", HostState::Active));

    // From here it is compared as every other host, and goes on with its certificate.
    let why = story
        .finish(&[])
        .await
        .expect("it has not reported as such");
    assert!(why.starts_with("h7 has not reported"), "{why}");
    story.joined_reports().await;
    let compared = setting.nouns.continuity.recovery().expect("hosts");
    let compared = compared.iter().find(|host| host.overview.host.name == "h7");
    let differences = compared.expect("it").differences.clone().expect("reported");
    assert_eq!(differences.unknown, std::slice::from_ref(&story.held));
    assert_eq!(story.finish(&[]).await, None);
    let manifest = poll(setting, joined).await.expect(200);
    assert_eq!(
        manifest["servers"],
        json!([]),
        "absence is no order to delete"
    );
    renew(setting, joined).await.expect(200);

    // Whoever has not come by now has another minute, before addresses are given away.
    story.order("early").await.expect(503);
    setting.clock.advance_s(60);
    story.known_reports().await;
    story.joined_reports().await;
    story.orders_get_others().await;
}

fn sorted(held: &HeldServer) -> Vec<IpAddr> {
    let mut addresses = held.addresses.clone();
    addresses.sort_unstable();
    addresses
}

#[tokio::test]
async fn a_dismissed_host_is_out_for_good_and_its_addresses_rest_when_the_operator_says_so() {
    let story = Story::restored().await;
    let Story {
        setting, joined, ..
    } = &story;
    let door = Door::open(setting).await;
    let config = door.as_host(&setting.ca, joined.id, setting.clock.now());
    let mut open = door.connect(config.clone()).await.expect("let in");
    assert_eq!(open.ask(joined.id).await, Some(204), "it waits");
    story.joined_reports().await;
    let dismiss = || setting.nouns.continuity.dismiss_host(joined.id);
    dismiss().await.expect("dismissed");
    dismiss().await.expect("as often as one likes");
    open.driver.await.expect("its connection was closed");
    assert_eq!(door.ask(config, joined.id).await, Some(401));
    setting.live(joined, 1).await.expect(401);
    renew(setting, joined).await.expect(401);
    assert_eq!(story.undecided(), []);
    let why = story.readmit("h7", "lab").await.expect("it is out");
    assert!(why.starts_with("it was dismissed"), "{why}");

    // A restart changes nothing of that.
    let nouns = setting.restarted_app();
    assert!(nouns.hosts.check(joined.id).is_err());
    assert_eq!(nouns.continuity.undecided_hosts().expect("records"), []);

    story.known_reports().await;
    assert_eq!(story.finish(&[]).await, None);
    assert_eq!(story.held_addresses(), sorted(&story.held));
    for address in &story.held.addresses {
        let release = setting.nouns.continuity.release_address(*address);
        release.await.expect("nobody else can say that it is free");
    }
    assert_eq!(story.held_addresses(), [] as [IpAddr; 0]);
}

/// The control plane was away for longer than certificates last.
#[tokio::test]
async fn a_host_whose_certificate_has_expired_is_seen_when_it_wants_another() {
    let mut story = Story::restored().await;
    story.setting.clock.advance_s(25 * 3_600);
    let body = json!({ "login": "minji90", "password": PASSWORD });
    let session = story.setting.post("/sessions", None, body).await;
    text(&session.expect(201)["token"]).clone_into(&mut story.token);
    let Story {
        setting, joined, ..
    } = &story;
    renew(setting, joined).await.expect(503);
    assert_eq!(story.undecided(), [joined.id]);
    assert_eq!(story.readmit("h7", "lab").await, None);
    renew(setting, joined).await.expect(200);

    // It never said what it uses. While it is waited for, its site gives no addresses.
    let known = renewed(setting, &story.known);
    let mut told = None;
    for _ in 0..2 {
        let blank = setting.blank_report(&known, room_for(9), vec![]);
        let report = Report {
            epoch: 1,
            generation: 1,
            witness: told,
            ..blank
        };
        told = Some(setting.post_report(&known, &report).await);
    }
    assert_eq!(story.finish(&["h7"]).await, None);
    setting.clock.advance_s(60);
    let reports = async || {
        let blank = setting.blank_report(&known, room_for(9), vec![]);
        setting.post_report(&known, &blank).await;
    };
    reports().await;
    // It had none in the copy.
    let accepted = setting
        .nouns
        .hosts
        .accept_capacity(Actor::Operator, known.id, &why())
        .await;
    accepted.expect("it is plausible");
    story.order("early").await.expect(503);
    setting
        .nouns
        .hosts
        .revoke(Actor::Operator, joined.id, &why())
        .await
        .expect("revoked");
    story.order("late").await.expect(201);
}

/// The same host with a certificate that is signed now, as one that was renewed.
fn renewed(setting: &Setting, host: &TestHost) -> TestHost {
    let request = HostRequest::create().expect("a key").request_pem;
    let life = std::time::Duration::from_secs(24 * 3_600);
    let signed = setting
        .ca
        .sign_host(&request, host.id, setting.clock.now(), life)
        .expect("signed");
    let certificate = CertificateDer::from_pem_slice(signed.certificate_pem.as_bytes());
    let certificate = host_certificate(&certificate.expect("PEM")).expect("a host's");
    let mut renewed = host.again(setting);
    renewed.connection.peer = Peer::of(&certificate);
    renewed
}

#[tokio::test]
async fn a_host_whose_certificate_was_renewed_in_the_lost_time_is_the_same_host() {
    let story = Story::restored().await;
    let Story { setting, known, .. } = &story;
    setting.clock.advance_s(12 * 3_600);
    let renewed = renewed(setting, known);
    assert_ne!(renewed.connection.peer, known.connection.peer);
    poll(setting, &renewed).await.expect(204);
    let blank = setting.blank_report(&renewed, room_for(0), vec![]);
    setting.post_report(&renewed, &blank).await;
    assert_eq!(story.undecided(), []);
    let hosts = setting.nouns.continuity.recovery().expect("hosts");
    let contact = hosts[0].contact.as_ref().expect("it reported");
    let signed_at = contact.certificate.signed_at;
    assert_eq!(signed_at, setting.clock.now(), "it was honoured then");
}

/// What was opened is open: whoever comes later is decided while customers go on.
#[tokio::test]
async fn a_host_that_comes_after_the_installation_was_opened_loses_no_address_either() {
    let story = Story::restored().await;
    let Story {
        setting, joined, ..
    } = &story;
    story.known_reports().await;
    assert_eq!(story.finish(&[]).await, None);
    setting.clock.advance_s(60);
    let roomy = async || {
        let blank = setting.blank_report(&story.known, room_for(9), vec![]);
        setting.post_report(&story.known, &blank).await;
    };
    roomy().await;
    let accepted = setting
        .nouns
        .hosts
        .accept_capacity(Actor::Operator, story.known.id, &why())
        .await;
    accepted.expect("it is plausible");
    story.order("first").await.expect(201);
    // From the moment in which it is known of until it has said what it uses, nothing is given away.
    let told = setting
        .post_report(joined, &story.report_of_joined(story.told))
        .await;
    story.order("between").await.expect(503);
    setting
        .post_report(joined, &story.report_of_joined(told))
        .await;
    story.orders_get_others().await;
    assert_eq!(story.readmit("h7", "lab").await, None);
    let manifest = poll(setting, joined).await.expect(200);
    assert_eq!(manifest["servers"], json!([]));
}

/// Nobody else knows that the store is an old copy.
#[tokio::test]
async fn a_host_that_no_record_knows_proves_that_an_old_copy_was_put_back() {
    let story = Story::new(None).await;
    let Story {
        setting, joined, ..
    } = &story;
    let before = setting.nouns.ctx.store().sequence();
    let shown = setting
        .post_report(joined, &story.report_of_joined(story.told))
        .await;
    assert!(shown.sequence < story.told.sequence, "it is told the truth");
    story.order("early").await.expect(503);
    poll(setting, joined).await.expect(204);
    renew(setting, joined).await.expect(503);
    assert_eq!(
        setting.nouns.ctx.store().sequence(),
        before,
        "nothing is written"
    );
    let why = story.readmit("h7", "lab").await.expect("nothing was lost");
    assert!(why.contains("never restored"), "{why}");
}

/// The records give the address to a server that has ended since; it was given away anew, on a host that is dismissed.
#[tokio::test]
async fn an_address_that_becomes_free_by_the_recovery_is_held_for_who_uses_it() {
    let story = Story::restored().await;
    let Story {
        setting, joined, ..
    } = &story;
    let told = setting
        .post_report(joined, &story.report_of_joined(story.told))
        .await;
    let reused = HeldServer {
        addresses: story.ended.clone(),
        ..story.held.clone()
    };
    let report = Report {
        held: vec![reused.clone()],
        ..story.report_of_joined(told)
    };
    setting.post_report(joined, &report).await;
    assert_eq!(story.held_addresses(), [] as [IpAddr; 0]);
    let dismissed = setting.nouns.continuity.dismiss_host(joined.id);
    dismissed.await.expect("dismissed");
    story.known_reports().await;
    assert_eq!(story.finish(&[]).await, None);
    assert_eq!(story.held_addresses(), sorted(&reused));
}

/// Whether it was used in the lost time, nobody knows.
#[tokio::test]
async fn an_invitation_of_the_copy_lets_nobody_in() {
    let lost = Setting::new();
    let token = lost
        .nouns
        .hosts
        .invite(Actor::Operator, "h7", "lab")
        .await
        .expect("invited");
    let head = lost.nouns.ctx.store().head();
    copy_journal(&lost, "old");
    let disk = FolderDisk::new(lost.folder.join("old/journal"));
    begin_epoch(&disk, 1_790_000_000).expect("a new epoch");
    let setting = lost.with_store("old");
    let origin = RestoredFrom {
        epoch: head.epoch,
        sequence: head.sequence,
        until: setting.clock.now(),
        restored_at: setting.clock.now(),
    };
    let value = [&[2], serde_json::to_vec(&origin).expect("plain").as_slice()].concat();
    let key = Key::new("restored/1790000000").expect("a key");
    let commit = Commit {
        at: setting.clock.now(),
        actor: "operator".to_owned(),
        cause: "restore".to_owned(),
        guards: vec![],
        writes: vec![Write::Put(key, value)],
    };
    setting
        .nouns
        .ctx
        .store()
        .commit(commit)
        .await
        .expect("committed");
    let join = async |token: String| {
        let request = HostRequest::create().expect("a key").request_pem;
        let body = Some(json!({ "token": token, "csr_pem": request }));
        let stranger = Connection {
            peer: Peer::Nobody,
            address: "192.0.2.9:1".parse().expect("an address"),
        };
        setting
            .ask(stranger, None, Method::POST, "/join", body)
            .await
    };
    let refused = join(token).await.expect(401)["detail"].to_string();
    assert!(
        refused.contains("older than the restored store"),
        "{refused}"
    );
    let again = setting
        .nouns
        .hosts
        .invite(Actor::Operator, "h7", "lab")
        .await
        .expect("invited");
    join(again).await.expect(200);
}

#[tokio::test]
async fn a_quarantined_host_is_waited_for_as_well() {
    let story = Story::restored().await;
    let Story { setting, known, .. } = &story;
    story.known_reports().await;
    // Another machine with the identity of the known one.
    let clone = known.again(setting);
    for host in [known, &clone, known, &clone, known, &clone] {
        setting.live(host, 1).await;
    }
    let why = story.finish(&[]).await.expect("it is quarantined");
    assert!(why.starts_with("h1 is quarantined"), "{why}");
    assert_eq!(story.finish(&["h1"]).await, None);
}

#[tokio::test]
async fn no_more_than_a_thousand_wait_for_a_decision() {
    let story = Story::restored().await;
    let Story {
        setting, joined, ..
    } = &story;
    let record = Unrecorded {
        seen_at: setting.clock.now(),
        certificate: Presented {
            serial: "07".to_owned(),
            signed_at: setting.clock.now(),
            expires_at: setting.clock.now(),
        },
        uses: Uses::Held,
        contested: BTreeMap::new(),
        verdict: Verdict::Undecided,
    };
    let value = serde_json::to_vec(&record).expect("plain");
    let value = [&[2], value.as_slice()].concat();
    let ids: Vec<_> = (0..UNRECORDED_MAX)
        .map(|number| {
            let millis = i64::try_from(number).expect("small");
            HostId::from_uuid(uuid_v7(Timestamp::from_millis(millis), [1; 10]))
        })
        .collect();
    for some in ids.chunks(100) {
        let put = |id: &HostId| {
            let key = Key::new(format!("unrecorded/{id}")).expect("a key");
            Write::Put(key, value.clone())
        };
        let commit = Commit {
            at: setting.clock.now(),
            actor: "test".to_owned(),
            cause: "test".to_owned(),
            guards: vec![],
            writes: some.iter().map(put).collect(),
        };
        setting
            .nouns
            .ctx
            .store()
            .commit(commit)
            .await
            .expect("committed");
    }
    let report = story.report_of_joined(story.told);
    let observe = || {
        let life = joined.life(report.epoch, report.generation);
        let body = json!({ "life": life, "report": report });
        setting.ask(
            joined.connection,
            Some(joined.id),
            Method::POST,
            "/observations",
            Some(body),
        )
    };
    observe().await.expect(401);
    assert_eq!(story.undecided().len(), UNRECORDED_MAX);
    // Each that is decided gives its place to another one.
    let readmitted = setting.nouns.continuity.readmit_host(ids[0], "h0", "lab");
    readmitted.await.expect("readmitted");
    observe().await.expect(200);
    assert!(story.undecided().contains(&joined.id));
}

/// What a restore has lost of a server that was ordered before it, only its host can tell.
#[tokio::test]
async fn the_sweep_gives_up_no_server_that_was_ordered_before_a_restore() {
    let lost = Setting::new();
    let host = lost.host("h1", room_for(1)).await;
    let (_, order) = lost.ordered_server().await;
    copy_journal(&lost, "old");
    let blank = lost.blank_report(&host, room_for(1), vec![]);
    let mut told = lost.post_report(&host, &blank).await;
    let disk = FolderDisk::new(lost.folder.join("old/journal"));
    begin_epoch(&disk, next_epoch(1, 1_790_000_000)).expect("a new epoch");
    let setting = lost.with_store("old");
    let body = json!({ "login": "minji90", "password": PASSWORD });
    let session = setting.post("/sessions", None, body).await.expect(201);
    let token = text(&session["token"]);
    let path = format!("/orders/{}", text(&order["id"]));
    let state = async || {
        let order = setting.get(&path, Some(token)).await.expect(200);
        text(&order["state"]).to_owned()
    };

    let begun = setting.nouns.ctx.now();
    // The first makes it hear of the new epoch.
    for _ in 0..2 {
        let report = Report {
            epoch: 1,
            generation: 1,
            witness: Some(told),
            ..setting.blank_report(&host, room_for(1), vec![])
        };
        told = setting.post_report(&host, &report).await;
    }
    let finished = setting.nouns.continuity.finish_recovery(&[]).await;
    finished.expect("its only host was heard");
    setting.clock.advance_s(31 * 60);
    setting.report(&host, room_for(1), vec![]).await;
    setting.give_up_unseen(begun).await;
    assert_eq!(state().await, "provisioning");
}
