//! Certificates and authorities are renewed while the link works, and after it did not for long.

use super::*;

#[tokio::test]
async fn a_host_that_was_off_for_days_renews_by_itself_and_after_a_week_must_join_anew() {
    let script = script();
    let (address, _serving) = serve(Arc::clone(&script), any_port()).await;
    let folder = tempfile::tempdir().expect("a folder");
    let invited = invitation(&script, address);
    join(&invited, folder.path(), script.clock.clone())
        .await
        .expect("joined");
    let expired = HOST_LIFE + RENEWAL_GRACE;
    let pass = |span: Duration| {
        let ms = i64::try_from(span.as_millis()).expect("short");
        script.clock.0.fetch_add(ms, Ordering::Relaxed);
    };
    pass(expired - Duration::from_secs(1));
    let mut linked = link(&script, folder.path());
    until(&mut linked.desired, |desired| desired.generation == 1).await;
    assert_eq!(script.renewals.load(Ordering::Relaxed), 1);
    assert!(!linked.metrics.is_renewal_overdue());
    linked.stop.cancel();
    linked.running.await.expect("no panic");

    pass(expired + Duration::from_secs(1));
    let again = join(&invited, folder.path(), script.clock.clone()).await;
    assert!(
        matches!(again, Err(JoinError::Invitation(_))),
        "it may join, but not with a used token: {again:?}"
    );
}

/// After a restore a host may be in no record, and its operator may take his time to decide about it.
#[tokio::test]
async fn a_host_that_gets_no_certificate_yet_goes_on_reporting() {
    let script = script();
    script.renew_later.store(true, Ordering::Relaxed);
    let (address, _serving) = serve(Arc::clone(&script), any_port()).await;
    let folder = tempfile::tempdir().expect("a folder");
    let invited = invitation(&script, address);
    join(&invited, folder.path(), script.clock.clone())
        .await
        .expect("joined");
    let late = i64::try_from(HOST_LIFE.as_millis()).expect("short") * 3 / 4;
    script.clock.0.fetch_add(late, Ordering::Relaxed);
    let linked = link(&script, folder.path());
    let mut heard = script.reports.subscribe();
    linked.reports.send_replace(Some(Arc::new(observed(1))));
    until(&mut heard, Option::is_some).await;
    assert!(linked.metrics.is_renewal_overdue());
    assert_eq!(script.renewals.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn a_certificate_that_can_not_be_renewed_is_an_alarm_and_an_early_renewal_is_made() {
    let script = script();
    let (address, serving) = serve(Arc::clone(&script), any_port()).await;
    let folder = tempfile::tempdir().expect("a folder");
    let invited = invitation(&script, address);
    join(&invited, folder.path(), script.clock.clone())
        .await
        .expect("joined");
    serving.abort();
    assert!(serving.await.is_err_and(|error| error.is_cancelled()));
    let late = i64::try_from(HOST_LIFE.as_millis()).expect("short") * 3 / 4;
    script.clock.0.fetch_add(late, Ordering::Relaxed);
    let mut linked = link(&script, folder.path());
    let alarm = async {
        while !linked.metrics.is_renewal_overdue() {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, alarm).await.expect("nobody answers");

    let (_, _serving) = serve(Arc::clone(&script), address).await;
    until(&mut linked.desired, |desired| desired.generation == 1).await;
    assert!(!linked.metrics.is_renewal_overdue(), "it was renewed");
    assert_eq!(script.renewals.load(Ordering::Relaxed), 1);

    script.renew_early.store(true, Ordering::Relaxed);
    linked.reports.send_replace(Some(Arc::new(observed(1))));
    let renewed = async {
        while script.renewals.load(Ordering::Relaxed) < 2 {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, renewed).await.expect("it was told to");
    script.manifest.send_replace(manifest(1, 2, vec![]));
    until(&mut linked.desired, |desired| desired.generation == 2).await;
}

/// The control plane's clock may be wrong. What it signs then must not lock a host out, nor be asked for without end.
#[tokio::test]
async fn a_clock_that_is_behind_takes_no_certificate_away() {
    const HOUR: i64 = 3_600_000;
    let life = i64::try_from(HOST_LIFE.as_millis()).expect("short");
    // By how much it is behind, and whether what it signs is taken, an hour before the present one ends.
    for (behind, taken) in [
        (24 * 30 * HOUR, false),
        (24 * HOUR, false),
        (16 * HOUR, true),
    ] {
        let script = script();
        let (address, _serving) = serve(Arc::clone(&script), any_port()).await;
        let folder = joined(&script, address).await;
        let before = Enrolment::read(folder.path()).expect("stored");
        script.clock.0.fetch_add(life - HOUR, Ordering::Relaxed);
        script.signs_behind.store(behind, Ordering::Relaxed);
        let mut linked = link(&script, folder.path());
        until(&mut linked.desired, |desired| desired.generation == 1).await;
        let after = Enrolment::read(folder.path()).expect("stored");
        let is_new = after.certificate_pem != before.certificate_pem;
        assert_eq!(is_new, taken, "{behind}");
        let asked = script.renewals.load(Ordering::Relaxed);
        assert!(asked <= 2, "{asked} times, {behind} behind");
        linked.stop.cancel();
        linked.running.await.expect("no panic");
    }
}

/// The list of authorities that is stored and that the agent tells is what the control plane named, whole or not at
/// all, without another connection; also where an earlier process was killed while it wrote.
#[tokio::test]
async fn the_authorities_that_the_control_plane_names_are_stored_and_told() {
    let script = script();
    let (address, _serving) = serve(Arc::clone(&script), any_port()).await;
    let folder = joined(&script, address).await;
    let before = Enrolment::read(folder.path()).expect("stored");
    std::fs::write(folder.path().join("identity.new"), "half-writ").expect("written");
    let next = Ca::create(script.ca.install(), script.clock.now()).expect("a CA");
    let both = before.ca_pem.clone() + next.certificate_pem();
    *script.authorities.lock().expect("no panics") = Some(both.clone());
    let mut linked = link(&script, folder.path());
    until(&mut linked.desired, |desired| desired.generation == 1).await;
    let stored = async {
        loop {
            let stored = Enrolment::read(folder.path()).expect("whole");
            if stored.ca_pem == both {
                return stored;
            }
            tokio::task::yield_now().await;
        }
    };
    let stored = timeout(PATIENCE, stored).await.expect("it is stored");
    assert_eq!(stored.certificate_pem, before.certificate_pem);
    assert!(*stored.key_pem == *before.key_pem, "nothing else changes");

    let mut told = script.told.subscribe();
    for sequence in 1.. {
        let mut report = observed(sequence);
        report.strangers = vec![sequence.to_string()];
        linked.reports.send_replace(Some(Arc::new(report)));
        let latest = timeout(PATIENCE, told.changed()).await;
        latest.expect("it reports").expect("the script lives");
        if *told.borrow_and_update() == Digest::of(both.as_bytes()) {
            break;
        }
    }
    let connections = script.lives.lock().expect("no panics").len();
    assert_eq!(connections, 2, "still the first connection");

    // What is no list of authorities is not stored, and the link stays up.
    *script.authorities.lock().expect("no panics") = Some("rubbish".to_owned());
    for sequence in 1_000..1_003 {
        let mut report = observed(sequence);
        report.strangers = vec![sequence.to_string()];
        linked.reports.send_replace(Some(Arc::new(report)));
        let latest = timeout(PATIENCE, told.changed()).await;
        latest.expect("it reports").expect("the script lives");
        assert_eq!(*told.borrow_and_update(), Digest::of(both.as_bytes()));
    }
    let kept = Enrolment::read(folder.path()).expect("stored");
    assert_eq!(kept.ca_pem, both);
}

/// The list in the answer to a renewal may be older than one that was told meanwhile: what the host has said that it
/// trusts, the control plane relies upon.
#[tokio::test]
async fn a_late_answer_to_a_renewal_takes_back_no_authorities() {
    let script = script();
    let (address, _serving) = serve(Arc::clone(&script), any_port()).await;
    let folder = joined(&script, address).await;
    let before = Enrolment::read(folder.path()).expect("stored");
    let next = Ca::create(script.ca.install(), script.clock.now()).expect("a CA");
    let both = before.ca_pem.clone() + next.certificate_pem();
    *script.names_meanwhile.lock().expect("no panics") = Some(both.clone());
    script.renew_early.store(true, Ordering::Relaxed);
    let linked = link(&script, folder.path());
    let renewed = async {
        for sequence in 1.. {
            let mut report = observed(sequence);
            report.strangers = vec![sequence.to_string()];
            linked.reports.send_replace(Some(Arc::new(report)));
            let stored = Enrolment::read(folder.path()).expect("whole");
            if stored.certificate_pem != before.certificate_pem {
                assert_eq!(stored.ca_pem, both);
                break;
            }
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, renewed).await.expect("it renews");
}

/// A host that was away while the authority was changed is refused, and a new invitation is its way back: as another
/// host, to which nothing is left of what the former one was told.
#[tokio::test]
async fn a_host_that_slept_through_a_change_of_the_authority_joins_anew() {
    let former = script();
    former.manifest.send_replace(manifest(1, 57, vec![entry()]));
    let (address, serving) = serve(Arc::clone(&former), any_port()).await;
    let folder = joined(&former, address).await;
    let mut linked = link(&former, folder.path());
    until(&mut linked.desired, |desired| desired.generation == 57).await;
    let invited = invitation(&former, address);
    let again = join(&invited, folder.path(), former.clock.clone()).await;
    let again = again.expect_err("it is of use");
    assert!(
        matches!(again, JoinError::Joined(id) if id == host()),
        "{again}"
    );
    linked.stop.cancel();
    linked.running.await.expect("no panic");
    serving.abort();
    assert!(serving.await.is_err_and(|error| error.is_cancelled()));

    let changed = script();
    let (_, _serving) = serve(Arc::clone(&changed), address).await;
    let elsewhere = Invitation {
        url: "https://elsewhere.example:8443".to_owned(),
        ..invitation(&changed, address)
    };
    let refused = join(&elsewhere, folder.path(), changed.clock.clone()).await;
    let refused = refused.expect_err("another installation's").to_string();
    assert!(refused.contains("already"), "{refused}");
    let stale = Invitation {
        ca_fingerprint: former.ca.fingerprint(),
        ..invitation(&changed, address)
    };
    let other = tempfile::tempdir().expect("a folder");
    let refused = join(&stale, other.path(), changed.clock.clone()).await;
    let refused = refused.expect_err("from before the change").to_string();
    assert!(refused.contains("ask for a new one"), "{refused}");

    join(
        &invitation(&changed, address),
        folder.path(),
        changed.clock.clone(),
    )
    .await
    .expect("the way back");
    let mut linked = link(&changed, folder.path());
    assert_eq!(linked.desired.borrow().generation, 0, "another host's");
    until(&mut linked.desired, |desired| desired.generation == 1).await;
}
