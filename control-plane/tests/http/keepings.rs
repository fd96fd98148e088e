//! Servers of accounts that stay suspended for money are deleted after two weeks, and those of nobody else.

use axum::http::Method;
use innkeeper_control_plane::{
    billing::duties::DeletionNotices,
    kernel::duty::{Outcome, Turn as _},
    mails::rules::{MailContent, MailKind},
    servers::duties::UnpaidServers,
};
use serde_json::{Value, json};

use crate::{
    billing::{HOUR, account, asked, audit, pay},
    debts::{DAY, suspended},
    prepaid::{ahead, tick},
    servers::Story,
    setting::Answer,
};

/// Both duties have a turn; how many servers were deleted.
async fn turn(story: &Story) -> usize {
    let nouns = &story.setting.nouns;
    let told = DeletionNotices(nouns.billing.clone()).turn().await;
    assert_eq!(told.failure, None);
    let deleted = UnpaidServers(nouns.servers.clone()).turn().await;
    assert_eq!(deleted.failure, None);
    deleted.done
}

/// Days pass; gives how many servers were deleted.
async fn days_pass(story: &Story, days: i64) -> usize {
    let mut deleted = 0;
    for _ in 0..days {
        story.setting.clock.advance_s(DAY);
        deleted += turn(story).await;
    }
    deleted
}

/// The mail server takes the notices that wait; how many days before the end each is.
async fn take_notices(story: &Story) -> Vec<u8> {
    let nouns = &story.setting.nouns;
    let mut taken = Vec::new();
    for mail in nouns.mails.queued(1_000).expect("the outbox") {
        if let MailContent::DeletionNotice { days, .. } = mail.content {
            let noted = nouns.billing.deletion_notice_sent(&mail);
            noted.await.expect("noted");
            taken.push(days);
        }
    }
    taken
}

async fn servers_live(story: &Story) -> usize {
    let owner = account(story).await;
    let path = format!("/servers?owner={owner}");
    let found = asked(story, Method::GET, &path, json!({}))
        .await
        .expect(200);
    let servers = found["data"].as_array().expect("a list").iter();
    servers.filter(|server| server["wanted"] != "gone").count()
}

async fn of_account(story: &Story, code: &str, body: Value) -> Answer {
    let owner = account(story).await;
    let path = format!("/accounts/{owner}/{code}");
    asked(story, Method::POST, &path, body).await
}

#[tokio::test]
async fn what_a_debtor_has_is_deleted_after_two_weeks_and_two_mails() {
    let story = suspended().await;
    let banner = story.setting.mails(MailKind::AccountSuspended).await;
    let body = &banner[0].letter.body;
    assert!(body.contains("2026년 11월 16일까지 보관"), "{body}");
    assert_eq!(days_pass(&story, 10).await, 0);
    assert_eq!(take_notices(&story).await, [] as [u8; 0]);
    assert_eq!(days_pass(&story, 1).await, 0);
    let told = story.setting.mails(MailKind::DeletionNotice).await;
    assert_eq!(told.len(), 1);
    let letter = &told[0].letter;
    assert!(letter.subject.contains("2026년 11월 16일"), "{letter:?}");
    assert!(letter.body.contains("2,146 KRW"), "{letter:?}");
    assert_eq!(take_notices(&story).await, [3]);
    assert_eq!(days_pass(&story, 2).await, 0);
    assert_eq!(take_notices(&story).await, [1]);
    assert_eq!(turn(&story).await, 0);
    assert_eq!(servers_live(&story).await, 1);
    assert_eq!(days_pass(&story, 1).await, 1);
    assert_eq!(servers_live(&story).await, 0);
    let deleted = story.setting.mails(MailKind::ServerDeleted).await;
    let body = &deleted[0].letter.body;
    assert!(body.contains("계정 이용 정지가 계속"), "{body}");
    // Once, and who has no servers is told nothing more.
    assert_eq!(days_pass(&story, 30).await, 0);
    assert_eq!(take_notices(&story).await, [] as [u8; 0]);
    audit(&story).await;
}

/// Whichever mail was not taken: nothing is deleted, and the mail says a later day once it leaves.
#[tokio::test]
async fn without_both_mails_nothing_is_deleted() {
    let story = suspended().await;
    assert_eq!(days_pass(&story, 60).await, 0);
    let told = story.setting.mails(MailKind::DeletionNotice).await;
    assert_eq!(told.len(), 1);
    // It is the first of January: three days from when it leaves.
    assert!(
        told[0].letter.subject.contains("2027년 1월 4일"),
        "{told:?}"
    );
    assert_eq!(take_notices(&story).await, [3]);
    assert_eq!(days_pass(&story, 60).await, 0);
    assert_eq!(take_notices(&story).await, [1]);
    story.setting.clock.advance_s(DAY - 1);
    assert_eq!(turn(&story).await, 0);
    story.setting.clock.advance_s(1);
    assert_eq!(turn(&story).await, 1);
}

/// With no mail sent, the first, and both.
#[tokio::test]
async fn a_payment_in_between_saves_them_at_each_step() {
    for sent in 0..3 {
        let story = suspended().await;
        assert_eq!(days_pass(&story, 11).await, 0);
        for (days, pass) in [(3, 2), (1, 0)].into_iter().take(sent) {
            assert_eq!(take_notices(&story).await, [days]);
            assert_eq!(days_pass(&story, pass).await, 0);
        }
        pay(&story, 2_146, "KB 1").await.expect(200);
        // A mail that waits has lost its reason.
        let waiting = story.setting.mails(MailKind::DeletionNotice).await;
        assert_eq!(waiting.len(), 0);
        assert_eq!(days_pass(&story, 60).await, 0);
        assert_eq!(servers_live(&story).await, 1);
        assert_eq!(story.records("keeping/").len(), 0, "nothing is left of it");
        audit(&story).await;
    }
}

/// Abuse, a suspension by staff for a debt, and one that staff have made anew after ours: money lifts none of them.
#[tokio::test]
async fn what_staff_have_suspended_is_kept() {
    for kind in ["abuse", "debt"] {
        let story = suspended().await;
        days_pass(&story, 11).await;
        assert_eq!(take_notices(&story).await, [3]);
        days_pass(&story, 2).await;
        assert_eq!(take_notices(&story).await, [1]);
        let why = json!({ "reason": "looks into it" });
        of_account(&story, "resume", why).await.expect(204);
        let body = json!({ "kind": kind, "reason": "looks into it" });
        of_account(&story, "suspend", body).await.expect(204);
        assert_eq!(days_pass(&story, 60).await, 0, "{kind}");
        assert_eq!(take_notices(&story).await, [] as [u8; 0], "{kind}");
        assert_eq!(servers_live(&story).await, 1, "{kind}");
    }
    let balance = json!({ "kind": "balance", "reason": "staff can't know" });
    let story = Story::begin().await;
    let refused = of_account(&story, "suspend", balance).await;
    assert_eq!(refused.fields()[0].0, "/kind");
}

/// An empty balance says so, and ends in the same way.
#[tokio::test]
async fn what_an_empty_balance_had_is_deleted_and_a_payment_saves_it() {
    for pays in [false, true] {
        let story = ahead(1_000).await;
        story.setting.clock.advance_s(102 * HOUR);
        assert_eq!(tick(&story).await, Outcome::done(1));
        let told = story.setting.mails(MailKind::AccountSuspended).await;
        let body = &told[0].letter.body;
        assert!(body.contains("잔액이 모두 소진되어"), "{body}");
        let servers = &story.setting.nouns.servers;
        servers.follow_suspensions().await.expect("they follow");
        assert_eq!(days_pass(&story, 11).await, 0);
        assert_eq!(take_notices(&story).await, [3]);
        assert_eq!(days_pass(&story, 2).await, 0);
        assert_eq!(take_notices(&story).await, [1]);
        if pays {
            pay(&story, 500, "KB 2").await.expect(200);
        }
        let deleted = days_pass(&story, 2).await;
        assert_eq!(deleted, usize::from(!pays));
        assert_eq!(servers_live(&story).await, usize::from(pays));
        audit(&story).await;
    }
}
