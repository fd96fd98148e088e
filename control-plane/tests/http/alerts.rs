//! Mails to the staff about what needs a person: who gets them, what is told, and how often.

use innkeeper_control_plane::{
    admin::attention::present, kernel::Actor, mails::rules::MailKind, nouns::Nouns,
};
use innkeeper_wire::{id::AccountId, staff::Role};
use serde_json::json;

use crate::{
    operators::look,
    setting::{Setting, room_for, signup},
    staff::{ask_as, of_role},
};

/// A turn of the duty.
async fn turn(setting: &Setting, nouns: &Nouns) -> usize {
    let matters = present(nouns, &setting.duties()).expect("readable");
    nouns.staff.alert(&matters).await.expect("told")
}

/// To whom mails wait, in the order of their addresses.
async fn told(setting: &Setting) -> Vec<String> {
    let mails = setting.mails(MailKind::StaffAlert).await;
    let mut told: Vec<_> = mails.into_iter().map(|mail| mail.to).collect();
    told.sort();
    told
}

/// The mail server takes all.
async fn send(setting: &Setting) {
    for mail in setting.nouns.mails.queued(1_000).expect("the outbox") {
        setting.nouns.mails.done(mail.id).await.expect("done");
    }
}

/// A company whose address is confirmed.
async fn company(setting: &Setting, login_id: &str) -> AccountId {
    let mut body = signup(login_id);
    body["kind"] = json!("corporate");
    body["company"] = json!("주식회사 여관");
    let made = setting.post("/signups", None, body).await.expect(201);
    let body = json!({ "token": setting.mailed_token().await });
    let confirmed = setting.post("/email-confirmations", None, body);
    confirmed.await.expect(204);
    let account = made["account"].as_str().expect("an id");
    account.parse().expect("an id")
}

#[tokio::test]
async fn support_and_administrators_are_told_once_that_an_account_waits() {
    let setting = Setting::new();
    for role in Role::ALL {
        of_role(&setting, *role).await;
    }
    assert_eq!(turn(&setting, &setting.nouns).await, 0);
    let account = company(&setting, "minji90").await;
    assert_eq!(turn(&setting, &setting.nouns).await, 1);
    let both = ["a-admin@hoster.example", "a-support@hoster.example"];
    assert_eq!(told(&setting).await, both);
    let mails = setting.mails(MailKind::StaffAlert).await;
    let letter = &mails[0].letter;
    let named = format!("account waits: {account}");
    assert!(letter.subject.ends_with(&named), "{}", letter.subject);
    for part in [named.as_str(), "https://ops.cloud.example/attention"] {
        assert!(letter.body.contains(part), "{}", letter.body);
    }
    assert!(!letter.body.contains("minji"), "{}", letter.body);

    // Neither another turn nor a restart tells it again.
    send(&setting).await;
    assert_eq!(turn(&setting, &setting.nouns).await, 0);
    let restarted = setting.restarted_app();
    assert_eq!(turn(&setting, &restarted).await, 0);
    setting.clock.advance_s(3_600);
    assert_eq!(turn(&setting, &restarted).await, 0);
    assert_eq!(told(&setting).await, Vec::<String>::new());

    // What is new is gathered in one mail to each.
    company(&setting, "jihun91").await;
    company(&setting, "sora92").await;
    assert_eq!(turn(&setting, &setting.nouns).await, 2);
    assert_eq!(told(&setting).await, both);
    let mails = setting.mails(MailKind::StaffAlert).await;
    assert!(mails[0].letter.subject.ends_with("2 things need a person"));
}

#[tokio::test]
async fn a_host_that_falls_silent_again_is_told_again() {
    let setting = Setting::new();
    of_role(&setting, Role::Support).await;
    let host = setting.host("h1", room_for(4)).await;
    setting.clock.advance_s(3_600);
    assert_eq!(turn(&setting, &setting.nouns).await, 1);
    let mails = setting.mails(MailKind::StaffAlert).await;
    assert!(mails[0].letter.subject.ends_with("host silent: h1"));
    setting.report(&host, room_for(4), vec![]).await;
    assert_eq!(turn(&setting, &setting.nouns).await, 0, "it is heard");
    setting.clock.advance_s(3_600);
    assert_eq!(turn(&setting, &setting.nouns).await, 1, "silent again");
}

#[tokio::test]
async fn who_can_not_sign_in_is_not_told() {
    let setting = Setting::new();
    company(&setting, "minji90").await;
    assert_eq!(turn(&setting, &setting.nouns).await, 0, "nobody is there");
    of_role(&setting, Role::Admin).await;
    of_role(&setting, Role::Support).await;
    let staff = &setting.nouns.staff;
    let off = staff.disable(Actor::Operator, "a-support").await;
    off.expect("switched off");
    assert_eq!(turn(&setting, &setting.nouns).await, 1);
    assert_eq!(told(&setting).await, ["a-admin@hoster.example"]);
    // Nor who is switched off while his mail waits, which is thrown away.
    let off = staff.disable(Actor::Operator, "a-admin").await;
    off.expect("switched off");
    assert_eq!(told(&setting).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_mail_to_the_staff_is_listed_under_its_name_and_can_be_dropped() {
    let setting = Setting::new();
    let support = of_role(&setting, Role::Support).await;
    company(&setting, "minji90").await;
    turn(&setting, &setting.nouns).await;
    let list = look(&setting, "/mails?kind=staff-alert").await;
    let mail = &list["data"][0];
    assert_eq!(mail["staff"], "a-support");
    assert!(mail["account"].is_null() && mail["login_id"].is_null());
    let id = mail["id"].as_str().expect("an id");
    let why = json!({ "reason": "known already" });
    let dropped = ask_as(&setting, &support, "drop_mail", id, why).await;
    dropped.expect(204);
    assert_eq!(told(&setting).await, Vec::<String>::new());
}
