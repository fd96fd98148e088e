//! Hosts join, and what goes over the link gets there and is believed or not.

use super::*;

#[tokio::test]
async fn only_the_right_invitation_makes_a_host_and_only_once() {
    let script = script();
    let (address, _serving) = serve(Arc::clone(&script), any_port()).await;
    let folder = tempfile::tempdir().expect("a folder");
    let try_join = |invitation: Invitation| {
        let (folder, clock) = (folder.path().to_owned(), script.clock.clone());
        async move { join(&invitation, &folder, clock).await }
    };

    let mut wrong = invitation(&script, address);
    wrong.ca_fingerprint = Digest::of(b"another authority");
    match try_join(wrong).await {
        Err(JoinError::Pin(CallError::Refused(refusal))) => assert_eq!(refusal.fault, Fault::Pin),
        other => panic!("{other:?}"),
    }
    let mut wrong = invitation(&script, address);
    wrong.token = "guessed".to_owned();
    let refused = try_join(wrong).await;
    assert!(
        matches!(refused, Err(JoinError::Invitation(_))),
        "{refused:?}"
    );
    assert!(
        std::fs::read_dir(folder.path())
            .expect("a folder")
            .next()
            .is_none()
    );

    // Two hours ahead: whatever it is given, it would take for almost over, or for not valid yet.
    let ahead = Arc::new(Hand(AtomicI64::new(START + 2 * 3_600_000)));
    let refused = join(&invitation(&script, address), folder.path(), ahead).await;
    let said = refused.expect_err("a wrong clock").to_string();
    assert!(said.contains("7200 s ahead"), "{said}");
    let shown = script.joins.load(Ordering::Relaxed);
    assert_eq!(shown, 0, "the token was not shown");

    assert_eq!(
        try_join(invitation(&script, address))
            .await
            .expect("invited"),
        host()
    );
    let usable = Enrolment::read(folder.path())
        .expect("stored")
        .check()
        .expect("usable");
    assert_eq!(usable.certificate.host, host());
    let again = try_join(invitation(&script, address)).await;
    assert!(
        matches!(again, Err(JoinError::Joined(id)) if id == host()),
        "{again:?}"
    );

    // The token is used up, for another machine too.
    let other = tempfile::tempdir().expect("a folder");
    let clock = script.clock.clone();
    let refused = join(&invitation(&script, address), other.path(), clock).await;
    let text = refused.expect_err("used up").to_string();
    assert!(text.contains("was used"), "{text}");
}

/// The owner changed a server again while the agent was fetching the spec of the change before: that spec
/// is gone, and the next manifest is there already.
#[tokio::test]
async fn a_spec_that_was_overtaken_is_asked_for_no_longer() {
    let script = script();
    let (address, _serving) = serve(Arc::clone(&script), any_port()).await;
    let folder = joined(&script, address).await;
    let overtaken = ManifestEntry {
        server: spec().server,
        intent: Intent::Present {
            spec: Digest::of(b"a spec of the past"),
        },
    };
    script
        .manifest
        .send_replace(manifest(1, 2, vec![overtaken]));
    *script.next.lock().expect("no panics") = Some(manifest(1, 3, vec![entry()]));
    let mut linked = link(&script, folder.path());
    let soon = linked.desired.wait_for(|desired| desired.generation == 3);
    let soon = timeout(Duration::from_secs(5), soon).await;
    soon.expect("at once, not after the pause for bad manifests")
        .expect("the sender lives");
}

#[tokio::test]
async fn the_desired_state_comes_in_and_reports_and_images_go_their_way() {
    let script = script();
    let (address, _serving) = serve(Arc::clone(&script), any_port()).await;
    let folder = joined(&script, address).await;
    let mut linked = link(&script, folder.path());
    until(&mut linked.desired, |desired| desired.generation == 1).await;

    script.manifest.send_replace(manifest(1, 2, vec![entry()]));
    let desired = until(&mut linked.desired, |desired| desired.generation == 2).await;
    let wanted = Wanted::Present(Box::new(spec()));
    assert_eq!(desired.servers.get(&spec().server), Some(&wanted));
    let stored = Store::new(folder.path())
        .read_accepted()
        .expect("stored")
        .desired();
    assert_eq!(stored, *desired);

    linked.reports.send_replace(Some(Arc::new(observed(1))));
    let mut heard = script.reports.subscribe();
    let first = until(&mut heard, Option::is_some).await;
    assert_eq!(first, Some(observed(1)));
    // The same again is not worth a call before the interval ends; a change is.
    linked.reports.send_replace(Some(Arc::new(observed(2))));
    let mut changed = observed(3);
    changed.strangers = vec!["somebody".to_owned()];
    linked.reports.send_replace(Some(Arc::new(changed.clone())));
    let second = until(&mut heard, |report| *report != first).await;
    // From the second one on with what the control plane said of itself.
    changed.witness = Some(witness(1, 10));
    assert_eq!(second, Some(changed));

    let mut image = Vec::new();
    let mut reader = linked
        .blobs
        .open(Digest::of(BLOB))
        .await
        .expect("it has it");
    reader.read_to_end(&mut image).await.expect("whole");
    assert_eq!(image, BLOB);
    assert!(linked.blobs.open(Digest::of(b"unknown")).await.is_err());

    // What requires more than we can do is held, and says so.
    let mut beyond = manifest(1, 3, vec![]);
    beyond.requires.push("floppy-1".to_owned());
    script.manifest.send_replace(beyond);
    let held = until(&mut linked.desired, |desired| desired.held.is_some()).await;
    assert_eq!((held.generation, held.servers.len()), (2, 1));

    linked.stop.cancel();
    timeout(PATIENCE, linked.running)
        .await
        .expect("it stops")
        .expect("no panic");
}

#[tokio::test]
async fn a_link_comes_back_after_a_restart_and_renews_its_certificate() {
    let script = script();
    let (address, serving) = serve(Arc::clone(&script), any_port()).await;
    let folder = joined(&script, address).await;
    let first = Enrolment::read(folder.path())
        .expect("stored")
        .check()
        .expect("usable");
    let mut linked = link(&script, folder.path());
    until(&mut linked.desired, |desired| desired.generation == 1).await;

    serving.abort();
    assert!(serving.await.is_err_and(|error| error.is_cancelled()));
    script.manifest.send_replace(manifest(1, 2, vec![entry()]));
    // Past the half of its life: the host renews as soon as it is back.
    script
        .clock
        .0
        .fetch_add(16 * 3600 * 1_000, Ordering::Relaxed);
    let (_, serving) = serve(Arc::clone(&script), address).await;
    until(&mut linked.desired, |desired| desired.generation == 2).await;

    let renewed = async {
        loop {
            let usable = Enrolment::read(folder.path())
                .expect("whole")
                .check()
                .expect("usable");
            if usable.certificate.serial != first.certificate.serial {
                return usable;
            }
            tokio::task::yield_now().await;
        }
    };
    let renewed = timeout(PATIENCE, renewed).await.expect("it renews");
    assert_eq!(renewed.certificate.host, host());
    assert!(renewed.certificate.not_after > first.certificate.not_after);
    script.manifest.send_replace(manifest(1, 3, vec![]));
    until(&mut linked.desired, |desired| desired.generation == 3).await;
    assert_eq!(script.renewals.load(Ordering::Relaxed), 1);
    serving.abort();
}

#[tokio::test]
async fn a_refused_agent_holds_what_it_has_and_is_let_in_again() {
    let script = script();
    script.manifest.send_replace(manifest(2, 5, vec![entry()]));
    let (address, _serving) = serve(Arc::clone(&script), any_port()).await;
    let folder = joined(&script, address).await;
    let mut linked = link(&script, folder.path());
    let desired = until(&mut linked.desired, |desired| desired.generation == 5).await;

    let mut refused = script.refused.subscribe();
    for code in [ProblemCode::HostQuarantined, ProblemCode::Unauthenticated] {
        *script.refusal.lock().expect("no panics") = Some(code);
        // It was refused, came back, and was refused again; it holds what it has.
        linked.reports.send_replace(Some(Arc::new(observed(1))));
        let seen = *refused.borrow();
        until(&mut refused, |count| *count >= seen + 3).await;
        assert_eq!(*linked.desired.borrow(), desired);
    }
    *script.refusal.lock().expect("no panics") = None;
    script.manifest.send_replace(manifest(2, 6, vec![]));
    until(&mut linked.desired, |desired| desired.generation == 6).await;
}

/// An old copy of the control plane's store was put back: the host says once that it is behind, and takes
/// nothing from it, not even over a new connection, until its epoch is higher.
#[tokio::test]
async fn a_control_plane_that_forgot_what_it_told_is_not_followed() {
    let script = script();
    let (address, serving) = serve(Arc::clone(&script), any_port()).await;
    let folder = joined(&script, address).await;
    let mut linked = link(&script, folder.path());
    let mut heard = script.reports.subscribe();
    linked.reports.send_replace(Some(Arc::new(observed(1))));
    until(&mut heard, Option::is_some).await;
    until(&mut linked.desired, |desired| desired.generation == 1).await;

    // The next answer comes from the old copy, which then goes on and makes another manifest.
    *script.witness.lock().expect("no panics") = witness(1, 9);
    let mut changed = observed(2);
    changed.strangers = vec!["somebody".to_owned()];
    linked.reports.send_replace(Some(Arc::new(changed.clone())));
    let told = until(&mut heard, |report| {
        report.as_ref().is_some_and(|report| report.sequence == 2)
    });
    assert_eq!(
        told.await.expect("a report").witness,
        Some(witness(1, 10)),
        "the host testifies to what it was told"
    );
    let behind = linked.behind.clone();
    let noticed = timeout(PATIENCE, async {
        while !behind.is_so() {
            tokio::task::yield_now().await;
        }
    });
    noticed.await.expect("it notices");
    script.manifest.send_replace(manifest(1, 2, vec![entry()]));

    // Also an agent that is started anew remembers, and waits until it knows.
    linked.stop.cancel();
    timeout(PATIENCE, linked.running)
        .await
        .expect("it stops")
        .expect("no panic");
    let mut linked = link(&script, folder.path());
    linked.reports.send_replace(Some(Arc::new(observed(1))));
    until(&mut heard, |report| {
        report.as_ref().is_some_and(|report| report.sequence == 1)
    })
    .await;
    let behind = linked.behind.clone();
    timeout(PATIENCE, async {
        while !behind.is_so() {
            tokio::task::yield_now().await;
        }
    })
    .await
    .expect("it notices again");
    assert_eq!(linked.desired.borrow().generation, 1);

    // Restored: fewer commits, a higher epoch.
    *script.witness.lock().expect("no panics") = witness(2, 3);
    script.manifest.send_replace(manifest(2, 1, vec![entry()]));
    linked.reports.send_replace(Some(Arc::new(changed)));
    let desired = until(&mut linked.desired, |desired| desired.epoch == 2).await;
    assert_eq!((desired.generation, desired.servers.len()), (1, 1));
    assert!(!linked.behind.is_so());
    serving.abort();
}

/// What lets engineers in is reckoned from when the report was sent, and not by who may have forgotten a withdrawal.
#[tokio::test]
async fn answers_reach_whoever_lets_engineers_in() {
    let script = script();
    let (address, _serving) = serve(Arc::clone(&script), any_port()).await;
    let folder = joined(&script, address).await;
    let mut linked = link(&script, folder.path());
    let mut heard = script.reports.subscribe();
    linked.reports.send_replace(Some(Arc::new(observed(1))));
    let answer = until(&mut linked.answers, Option::is_some).await;
    let told = answer.clone().expect("waited for");
    let clock = &script.clock;
    assert_eq!(
        (told.asked_at, told.terms.now),
        (clock.monotonic(), clock.now())
    );
    // The next two come from an old copy.
    clock.0.fetch_add(1_000, Ordering::Relaxed);
    *script.witness.lock().expect("no panics") = witness(1, 9);
    for sequence in [2, 3] {
        let mut changed = observed(sequence);
        changed.strangers = vec![sequence.to_string()];
        linked.reports.send_replace(Some(Arc::new(changed)));
        let is_it = |report: &Option<Report>| {
            let report = report.as_ref();
            report.is_some_and(|report| report.sequence == sequence)
        };
        until(&mut heard, is_it).await;
    }
    assert!(linked.behind.is_so());
    assert_eq!(*linked.answers.borrow(), answer);
}

/// Before it asks for anything, each process shows that it lives and what it has on disk.
#[tokio::test]
async fn a_process_proves_itself_before_it_asks() {
    let script = script();
    let (address, _serving) = serve(Arc::clone(&script), any_port()).await;
    let folder = tempfile::tempdir().expect("a folder");
    let invited = invitation(&script, address);
    join(&invited, folder.path(), script.clock.clone())
        .await
        .expect("joined");
    let mut linked = link_as(&script, folder.path(), 7);
    until(&mut linked.desired, |desired| desired.generation == 1).await;
    linked.stop.cancel();
    linked.running.await.expect("no panic");
    let mut linked = link_as(&script, folder.path(), 8);
    script.manifest.send_replace(manifest(1, 2, vec![]));
    until(&mut linked.desired, |desired| desired.generation == 2).await;

    let lives = script.lives.lock().expect("no panics").clone();
    let said = |life: &Life| (life.instance, life.echo, life.epoch, life.generation);
    let (first, second) = (uuid(7), uuid(8));
    let (first, second) = (InstanceId::from_uuid(first), InstanceId::from_uuid(second));
    let given = |number| Some(ChallengeId::from_uuid(uuid(number)));
    assert_eq!(
        lives.iter().map(said).collect::<Vec<_>>(),
        [
            (first, None, 0, 0),
            (first, given(1), 0, 0),
            (second, None, 1, 1),
            (second, given(3), 1, 1),
        ]
    );
    let trusted = Digest::of(script.ca.certificate_pem().as_bytes());
    assert!(lives.iter().all(|life| life.authorities == trusted));
}
