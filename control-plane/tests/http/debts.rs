//! What becomes of invoices that are not paid.

use axum::http::Method;
use innkeeper_control_plane::{
    billing::duties::{Debts, MonthCloses},
    kernel::duty::{Outcome, Turn as _},
    mails::rules::{MailContent, MailKind},
};
use serde_json::{Value, json};

use crate::{
    billing::{asked, audit, close, invoices, pay, used_over_a_month},
    credits::credit,
    servers::Story,
};

pub(crate) const DAY: i64 = 24 * 3_600;

async fn press(story: &Story) -> Outcome {
    Debts(story.setting.nouns.billing.clone()).turn().await
}

/// Days pass, and the duty looks after each.
async fn days_pass(story: &Story, days: i64) {
    for _ in 0..days {
        story.setting.clock.advance_s(DAY);
        assert_eq!(press(story).await.failure, None);
    }
}

async fn sent(story: &Story, kind: MailKind) -> usize {
    story.setting.mails(kind).await.len()
}

/// The mail server takes the notice.
async fn take_notice(story: &Story) {
    let nouns = &story.setting.nouns;
    let queued = nouns.mails.queued(1_000).expect("the outbox");
    let is_notice = |content: &MailContent| matches!(content, MailContent::SuspensionNotice { .. });
    let notice = queued.iter().find(|mail| is_notice(&mail.content));
    let notice = notice.expect("it waits");
    nouns.billing.notice_sent(notice).await.expect("noted");
}

async fn state(story: &Story) -> Value {
    let owner = crate::billing::account(story).await;
    let found = asked(story, Method::GET, &format!("/accounts/{owner}"), json!({})).await;
    found.expect(200)["line"]["state"].clone()
}

/// An invoice of the third of October that is to be paid until the 17th.
async fn invoiced() -> Story {
    let story = used_over_a_month().await;
    close(&story, "2026-09").await.expect(200);
    story
}

/// Suspended for it on the 31st.
pub(crate) async fn suspended() -> Story {
    let story = invoiced().await;
    days_pass(&story, 22).await;
    take_notice(&story).await;
    days_pass(&story, 7).await;
    assert_eq!(state(&story).await, json!("suspended"));
    story
}

#[tokio::test]
async fn who_does_not_pay_is_reminded_then_told_and_then_suspended_once_each() {
    let story = invoiced().await;
    assert_eq!(press(&story).await, Outcome::done(0));
    days_pass(&story, 14).await;
    assert_eq!(sent(&story, MailKind::InvoiceOverdue).await, 0);
    days_pass(&story, 1).await;
    assert_eq!(sent(&story, MailKind::InvoiceOverdue).await, 1);
    assert_eq!(press(&story).await, Outcome::done(0), "once");
    days_pass(&story, 6).await;
    assert_eq!(sent(&story, MailKind::SuspensionNotice).await, 0);
    days_pass(&story, 1).await;
    let notices = story.setting.mails(MailKind::SuspensionNotice).await;
    assert_eq!(notices.len(), 1);
    assert!(notices[0].letter.body.contains("1-000001"));
    // The mail server is away: nobody is suspended whom nothing has reached.
    days_pass(&story, 60).await;
    assert_eq!(state(&story).await, json!("active"));
    take_notice(&story).await;
    days_pass(&story, 6).await;
    assert_eq!(state(&story).await, json!("active"));
    days_pass(&story, 1).await;
    assert_eq!(state(&story).await, json!("suspended"));
    let told = story.setting.mails(MailKind::AccountSuspended).await;
    assert_eq!(told.len(), 1);
    assert!(
        told[0].letter.body.contains("1-000001"),
        "{}",
        told[0].letter.body
    );
    days_pass(&story, 30).await;
    for (kind, count) in [
        (MailKind::InvoiceOverdue, 1),
        (MailKind::AccountSuspended, 1),
    ] {
        assert_eq!(sent(&story, kind).await, count, "{kind:?}");
    }
}

#[tokio::test]
async fn what_is_paid_in_time_has_no_consequences() {
    let story = invoiced().await;
    days_pass(&story, 22).await;
    pay(&story, 2_146, "KB 1").await.expect(200);
    assert_eq!(story.records("debt/").len(), 0);
    // The notice waits still; its reason is gone.
    assert_eq!(sent(&story, MailKind::SuspensionNotice).await, 0);
    days_pass(&story, 60).await;
    assert_eq!(state(&story).await, json!("active"));
    audit(&story).await;
}

#[tokio::test]
async fn a_payment_lifts_the_suspension_and_a_part_of_it_does_not() {
    let story = suspended().await;
    pay(&story, 2_145, "KB 1").await.expect(200);
    assert_eq!(state(&story).await, json!("suspended"));
    pay(&story, 1, "KB 2").await.expect(200);
    assert_eq!(state(&story).await, json!("active"));
    assert_eq!(sent(&story, MailKind::AccountResumed).await, 1);
    days_pass(&story, 30).await;
    assert_eq!(state(&story).await, json!("active"));
    audit(&story).await;
}

/// Another invoice that is overdue keeps it suspended; a credit note or a write-off ends it as well.
#[tokio::test]
async fn it_is_lifted_when_nothing_is_overdue_any_more() {
    let story = suspended().await;
    story.setting.clock.advance_s(4 * DAY);
    let mut closes = MonthCloses(story.setting.nouns.billing.clone());
    assert_eq!(closes.turn().await, Outcome::done(1));
    days_pass(&story, 15).await;
    let open: Vec<_> = invoices(&story)
        .await
        .iter()
        .map(|each| each["state"].clone())
        .collect();
    assert_eq!(open, ["overdue", "overdue"]);
    credit(&story, "1-000001", json!([])).await.expect(201);
    assert_eq!(state(&story).await, json!("suspended"));
    let path = "/invoices/1-000002/write-off";
    let why = json!({ "reason": "gone" });
    asked(&story, Method::POST, path, why).await.expect(204);
    assert_eq!(state(&story).await, json!("active"));
    audit(&story).await;
}

/// Who was resumed by staff is not suspended for the same invoice again, and a suspension by staff is not lifted by money.
#[tokio::test]
async fn what_staff_have_decided_stays() {
    let story = suspended().await;
    let owner = crate::billing::account(&story).await;
    let of_account = async |code: &str, body: Value| {
        let path = format!("/accounts/{owner}/{code}");
        asked(&story, Method::POST, &path, body).await.expect(204)
    };
    of_account("resume", json!({ "reason": "pays tomorrow" })).await;
    days_pass(&story, 30).await;
    assert_eq!(state(&story).await, json!("active"));
    of_account(
        "suspend",
        json!({ "kind": "abuse", "reason": "sends spam" }),
    )
    .await;
    pay(&story, 10_000, "KB 1").await.expect(200);
    assert_eq!(state(&story).await, json!("suspended"));
}
