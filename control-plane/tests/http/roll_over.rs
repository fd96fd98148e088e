//! Rolling the authority over, as the operator's commands and hosts' requests meet: what is refused, what is told to
//! whom, and what is left after a restart at any point. Over real TLS with real agents it is rehearsed in
//! `tests/tests/http_roll_over.rs`.

use std::{fs, sync::Arc};

use axum::{
    body::Body,
    http::{Method, Request},
};
use innkeeper_control_plane::{
    admin::{self, AdminContext, Door},
    agent_api::listener::Connection,
    kernel::Actor,
    store::{FolderDisk, begin_epoch, next_epoch},
};
use innkeeper_mtls::{HostRequest, Peer, host_certificate};
use innkeeper_wire::{
    digest::Digest,
    host::{JoinAnswer, LifeAnswer, RenewAnswer},
};
use rustls::pki_types::{CertificateDer, pem::PemObject as _};
use serde_json::{Value, json};

use crate::{
    setting::{Answer, Setting, TestHost, answer, room_for, why},
    witnesses::copy_journal,
};

async fn ask(setting: &Setting, method: Method, path: &str, without: &[&str]) -> Answer {
    let router = admin::router(AdminContext {
        nouns: setting.nouns.clone(),
        authority: setting.authority.clone(),
        duties: setting.duties(),
        trail: setting.trail(),
        agent_url: "https://localhost:1".to_owned(),
        door: Door::Socket,
    });
    let body = json!({ "without": without }).to_string();
    let request = Request::builder().method(method).uri(path);
    let request = request.header("content-type", "application/json");
    answer(router, request.body(Body::from(body)).expect("a request")).await
}

async fn take(setting: &Setting, step: &str, without: &[&str]) -> Answer {
    ask(
        setting,
        Method::POST,
        &format!("/authority/{step}"),
        without,
    )
    .await
}

async fn refused(setting: &Setting, step: &str, without: &[&str], why: &str) {
    let before = fs::read(setting.folder.join("host-authority.pem")).expect("there");
    let problem = take(setting, step, without).await.expect(400);
    let detail = problem["detail"].as_str().expect("why").to_owned();
    assert!(detail.contains(why), "{detail}");
    let after = fs::read(setting.folder.join("host-authority.pem")).expect("there");
    assert!(before == after, "nothing is half done");
}

async fn status(setting: &Setting) -> Value {
    let view = ask(setting, Method::GET, "/authority", &[]).await;
    view.expect(200)
}

/// A sign of life, after which the host trusts what it was told, as an agent does.
async fn live(setting: &Setting, host: &TestHost) -> LifeAnswer {
    let answer = setting.live(host, 0).await.expect(200);
    let answer: LifeAnswer = serde_json::from_value(answer).expect("an answer");
    if let Some(told) = &answer.authorities {
        *host.trusted.lock().expect("no panics") = Digest::of(told.as_bytes());
    }
    answer
}

/// The host with the certificate that it gets now, over a connection that was opened with it.
async fn renewed(setting: &Setting, mut host: TestHost) -> TestHost {
    let csr_pem = HostRequest::create().expect("a key").request_pem;
    let body = Some(json!({ "csr_pem": csr_pem }));
    let answer = setting
        .ask(host.connection, Some(host.id), Method::POST, "/renew", body)
        .await
        .expect(200);
    let answer: RenewAnswer = serde_json::from_value(answer).expect("an answer");
    let der = CertificateDer::from_pem_slice(answer.certificate_pem.as_bytes()).expect("PEM");
    let peer = Peer::of(&host_certificate(&der).expect("a host's"));
    *host.trusted.lock().expect("no panics") = Digest::of(answer.ca_pem.as_bytes());
    host.connection.peer = peer;
    host
}

#[tokio::test]
async fn steps_follow_each_other_and_wait_for_every_host() {
    let setting = Setting::new();
    let host = setting.host("h1", room_for(1)).await;
    let asleep = setting.host("h2", room_for(1)).await;
    setting.ordered_server().await;
    for step in ["switch", "finish", "abort"] {
        refused(&setting, step, &[], "begun").await;
    }
    take(&setting, "sideways", &[]).await.expect(404);
    assert!(!live(&setting, &host).await.renew);

    take(&setting, "begin", &[]).await.expect(200);
    refused(&setting, "begin", &[], "begun already").await;
    refused(&setting, "finish", &[], "does not sign yet").await;
    let text = "not ready: 2, with 1 servers: h1 (";
    refused(&setting, "switch", &[], text).await;
    let told = live(&setting, &host).await;
    let both = told.authorities.expect("others than it had");
    assert_eq!(both, setting.authority.present().trusted_pem());
    assert_eq!(live(&setting, &host).await.authorities, None, "once");

    refused(&setting, "switch", &[], "not ready: 1, with").await;
    let view = status(&setting).await;
    assert_eq!(view["stage"], "begun");
    assert_eq!((&view["hosts"], &view["lacking"]), (&json!(2), &json!(1)));
    assert_eq!(view["named"][0]["name"], "h2");
    for wrong in [&["h1"][..], &["h3"], &["h2", "h1"]] {
        refused(&setting, "switch", wrong, "would have to be left behind").await;
    }
    let taken = take(&setting, "switch", &["h2"]).await.expect(200);
    assert_eq!(taken["left_behind"], json!(["h2"]));
    refused(&setting, "abort", &[], "can't be dropped any more").await;

    // What the switch changes for hosts: they shall renew, and need nothing else.
    refused(&setting, "finish", &["h2"], "not ready: 1, with").await;
    let told = live(&setting, &host).await;
    assert!(told.renew && told.authorities.is_none(), "{told:?}");
    let (before, host) = (host.again(&setting), renewed(&setting, host).await);
    assert!(!live(&setting, &host).await.renew);
    let taken = take(&setting, "finish", &["h2"]).await.expect(200);
    assert_eq!(taken["view"]["stage"], "settled");
    assert_eq!(
        taken["view"]["issuer"],
        setting
            .authority
            .present()
            .issuer()
            .fingerprint()
            .to_string()
    );

    // A connection that was opened with a certificate of the old one may be open still.
    for late in [&before, &asleep] {
        let problem = setting.live(late, 0).await.expect(401);
        assert!(
            problem["detail"].to_string().contains("join anew"),
            "{problem}"
        );
    }
    let alone = live(&setting, &host).await;
    assert_eq!(
        alone.authorities.as_deref(),
        Some(setting.authority.present().trusted_pem())
    );
    let notes = setting
        .nouns
        .continuity
        .step_taken()
        .expect("readable")
        .expect("noted");
    assert_eq!(
        notes.issuer,
        setting.authority.present().issuer().fingerprint()
    );
}

#[tokio::test]
async fn what_was_begun_can_be_dropped_and_begun_anew() {
    let setting = Setting::new();
    let host = setting.host("h1", room_for(1)).await;
    let before = fs::read(setting.folder.join("host-authority.pem")).expect("there");
    take(&setting, "begin", &[]).await.expect(200);
    live(&setting, &host).await;
    take(&setting, "abort", &[]).await.expect(200);
    let after = fs::read(setting.folder.join("host-authority.pem")).expect("there");
    assert!(before == after, "the key of the next one is gone");
    let told = live(&setting, &host).await.authorities;
    assert_eq!(told.as_deref(), Some(setting.ca.certificate_pem()));
    take(&setting, "begin", &[]).await.expect(200);
    let text = "does not trust the present authorities";
    refused(&setting, "switch", &[], text).await;
    // Two operators at once: one of them is told.
    live(&setting, &host).await;
    live(&setting, &host).await;
    let both = tokio::join!(take(&setting, "switch", &[]), take(&setting, "switch", &[]));
    let mut statuses = [both.0.status.as_u16(), both.1.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 400]);
}

#[tokio::test]
async fn each_stage_survives_a_restart_and_hosts_say_anew_what_they_have() {
    let mut setting = Setting::new();
    let mut host = setting.host("h1", room_for(1)).await;
    for (step, stage) in [
        ("begin", "begun"),
        ("switch", "switched"),
        ("finish", "settled"),
    ] {
        // What a kill in the middle of an earlier write leaves.
        fs::write(setting.folder.join("host-authority.new"), "half-writ").expect("written");
        live(&setting, &host).await;
        live(&setting, &host).await;
        if step == "finish" {
            host = renewed(&setting, host).await;
            live(&setting, &host).await;
        }
        take(&setting, step, &[]).await.expect(200);
        let trusted = setting.authority.present().trusted_pem().to_owned();
        let pem = setting.authority.present().to_pem();
        setting = Setting::open(setting.stop().await);
        assert_eq!(status(&setting).await["stage"], stage);
        assert!(
            setting.authority.present().to_pem() == pem,
            "keys are those"
        );
        assert_eq!(setting.authority.present().trusted_pem(), trusted);
        let view = status(&setting).await;
        assert_eq!(
            view["named"][0]["what"],
            "was not heard of since the service started"
        );
        assert!(view["since"].is_string(), "the journal knows: {view}");
    }
}

/// Killed after the file was replaced and before the journal noted it.
#[tokio::test]
async fn a_step_that_the_journal_does_not_know_is_noted_at_the_next_start() {
    let setting = Setting::new();
    let note = async |setting: &Setting| {
        let present = setting.authority.present();
        let noting = setting.nouns.continuity.note_at_start(&present);
        noting.await.expect("noted");
    };
    note(&setting).await;
    assert!(
        setting
            .nouns
            .continuity
            .step_taken()
            .expect("readable")
            .is_none(),
        "nothing happened"
    );
    let begun = setting.authority.present().begun(setting.nouns.ctx.now());
    let begun = begun.expect("random").expect("alone");
    fs::write(setting.folder.join("host-authority.pem"), begun.to_pem()).expect("written");
    let setting = Setting::open(setting.stop().await);
    assert_eq!(status(&setting).await["since"], Value::Null);
    note(&setting).await;
    let commits = setting.nouns.ctx.store().sequence();
    note(&setting).await;
    assert_eq!(setting.nouns.ctx.store().sequence(), commits, "once");
    assert!(status(&setting).await["since"].is_string());
}

#[tokio::test]
async fn hosts_join_in_every_stage_and_renew_late_until_the_end() {
    let setting = Setting::new();
    let late = setting.host("h1", room_for(1)).await;
    take(&setting, "begin", &[]).await.expect(200);
    let early = setting.host("h2", room_for(1)).await;
    assert_eq!(
        live(&setting, &early).await.authorities,
        None,
        "it knows both"
    );
    take(&setting, "switch", &["h1"]).await.expect(200);
    let joined = setting.host("h3", room_for(1)).await;
    let told = live(&setting, &joined).await;
    assert!(!told.renew && told.authorities.is_none(), "{told:?}");
    let stranger = Connection {
        peer: Peer::Nobody,
        ..late.connection
    };
    let token = setting
        .nouns
        .hosts
        .invite(Actor::Operator, "h4", "lab")
        .await
        .expect("invited");
    let csr_pem = HostRequest::create().expect("a key").request_pem;
    let body = json!({ "token": token, "csr_pem": csr_pem });
    let answer = setting
        .ask(stranger, None, Method::POST, "/join", Some(body))
        .await;
    let answer: JoinAnswer = serde_json::from_value(answer.expect(200)).expect("an answer");
    assert_eq!(answer.ca_pem, setting.authority.present().trusted_pem());

    // A certificate of the old authority that has expired can be renewed, for the old authority is trusted still.
    setting.clock.advance_s(3 * 24 * 3_600);
    let late = renewed(&setting, late).await;
    live(&setting, &late).await;
    refused(&setting, "finish", &[], "h2 (").await;
    let view = status(&setting).await;
    let named = view["named"].as_array().expect("a list").iter();
    let named: Vec<_> = named.map(|line| line["name"].clone()).collect();
    assert_eq!(named, ["h2", "h4"], "h1 came late and has renewed: {view}");
}

/// A quarantined host says nothing that counts; a revoked one is waited for by nobody.
#[tokio::test]
async fn hosts_that_are_not_served_do_not_hide() {
    let setting = Setting::new();
    let host = setting.host("h1", room_for(1)).await;
    take(&setting, "begin", &[]).await.expect(200);
    live(&setting, &host).await;
    live(&setting, &host).await;
    // Its folder was restored from an old copy: it has the authorities of then, and says so.
    let old = setting.ca.certificate_pem();
    *host.trusted.lock().expect("no panics") = Digest::of(old.as_bytes());
    let told = setting.live(&host, 0).await.expect(200);
    assert!(told["authorities"].is_string(), "it is told anew: {told}");
    refused(&setting, "switch", &[], "h1 (0 servers; it does not trust").await;
    let quarantined = setting.host("h2", room_for(1)).await;
    *quarantined.trusted.lock().expect("no panics") = Digest::of(old.as_bytes());
    for (host, generation, status) in [
        (&quarantined, 7, [200, 200]),
        (&quarantined.again(&setting), 6, [200, 403]),
    ] {
        for status in status {
            setting.live(host, generation).await.expect(status);
        }
    }
    let both = "h2 (0 servers; it is quarantined)";
    refused(&setting, "switch", &[], both).await;
    for host in [host.id, quarantined.id] {
        setting
            .nouns
            .hosts
            .revoke(Actor::Operator, host, &why())
            .await
            .expect("revoked");
    }
    take(&setting, "switch", &[]).await.expect(200);
    assert_eq!(status(&setting).await["hosts"], 0);
}

/// Ten thousand hosts must not renew in one second.
#[tokio::test]
async fn hosts_are_sent_to_renew_at_a_pace() {
    let setting = Arc::new(Setting::new());
    let mut hosts = Vec::new();
    for number in 0..60 {
        hosts.push(setting.host(&format!("h{number}"), room_for(1)).await);
    }
    take(&setting, "begin", &[]).await.expect(200);
    for host in &hosts {
        live(&setting, host).await;
        live(&setting, host).await;
    }
    take(&setting, "switch", &[]).await.expect(200);
    let sent = async || {
        let mut sent = 0;
        for host in &hosts {
            sent += u32::from(live(&setting, host).await.renew);
        }
        sent
    };
    assert_eq!(sent().await, 50);
    assert_eq!(sent().await, 0, "in the same second");
    setting.clock.advance_s(1);
    assert_eq!(sent().await, 50);
}

/// A host that joined while the clock was ten hours ahead does not renew for 22 hours; nobody else must be able to use
/// its certificate for that long.
#[tokio::test]
async fn a_certificate_that_was_signed_by_a_clock_ahead_is_replaced() {
    let setting = Setting::new();
    for (ahead_s, renews) in [(0, false), (299, false), (301, true), (36_000, true)] {
        setting.clock.advance_s(ahead_s);
        let host = setting.host(&format!("h{ahead_s}"), room_for(1)).await;
        assert!(!live(&setting, &host).await.renew, "by the clock then");
        setting.clock.advance_s(-ahead_s);
        assert_eq!(live(&setting, &host).await.renew, renews, "{ahead_s} s");
        let host = renewed(&setting, host).await;
        assert!(!live(&setting, &host).await.renew, "{ahead_s} s, once");
    }
}

/// Then hosts refuse us, and an operator has to hear why; what the journal says stays as it is.
#[tokio::test]
async fn an_old_copy_of_the_file_does_not_become_the_truth() {
    let setting = Setting::new();
    for step in ["begin", "switch"] {
        take(&setting, step, &[]).await.expect(200);
    }
    let old = fs::read(setting.folder.join("host-authority.pem")).expect("there");
    take(&setting, "finish", &[]).await.expect(200);
    let noted = setting.nouns.continuity.step_taken().expect("readable");
    fs::write(setting.folder.join("host-authority.pem"), old).expect("put back");
    let setting = Setting::open(setting.stop().await);
    let present = setting.authority.present();
    let noting = setting.nouns.continuity.note_at_start(&present);
    noting.await.expect("readable");
    assert_eq!(
        setting.nouns.continuity.step_taken().expect("readable"),
        noted
    );
    let since = &status(&setting).await["since"];
    assert_eq!(*since, Value::Null, "it is not that");
}

/// The file decides, not the store; and hosts that a restore has forgotten are told whom to trust like all others.
#[tokio::test]
async fn a_restore_undoes_no_step_and_no_step_locks_out_whom_a_restore_forgot() {
    // The second time the copy was only put back.
    for (epoch, text) in [
        (
            Some(next_epoch(1, 1_790_000_000)),
            "`recovery finish` comes first",
        ),
        (None, "is in no record: `recovery readmit`"),
    ] {
        forgotten_hosts_are_not_locked_out(epoch, text).await;
    }
}

async fn forgotten_hosts_are_not_locked_out(epoch: Option<u64>, text: &str) {
    let lost = Setting::new();
    let known = lost.host("h1", room_for(1)).await;
    copy_journal(&lost, "old");
    let forgotten = lost.host("h7", room_for(1)).await;
    take(&lost, "begin", &[]).await.expect(200);
    if let Some(epoch) = epoch {
        let disk = FolderDisk::new(lost.folder.join("old/journal"));
        begin_epoch(&disk, epoch).expect("a new epoch");
    }
    let setting = lost.with_store("old");
    assert_eq!(status(&setting).await["stage"], "begun");
    for host in [&known, &forgotten] {
        let told = live(&setting, host).await.authorities;
        let both = setting.authority.present().trusted_pem().to_owned();
        assert_eq!(told, Some(both));
        assert!(live(&setting, host).await.authorities.is_none());
    }
    let blank = setting.blank_report(&forgotten, room_for(1), vec![]);
    setting.post_report(&forgotten, &blank).await;
    refused(&setting, "switch", &[], text).await;
    take(&setting, "abort", &[]).await.expect(200);
}
