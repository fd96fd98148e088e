//! Erasing an account: when it is refused, what is left of it, and what a crash in between leaves.

use std::{fs, path::PathBuf};

use innkeeper_control_plane::{
    admin::{self, AdminContext, Door, accounts::erase_by_command},
    kernel::{Actor, Error},
};
use innkeeper_wire::id::AccountId;
use serde_json::json;
use tokio::net::UnixListener;

use crate::{
    personal::replayed,
    servers::Story,
    setting::{PASSWORD, Setting, signup, why},
};

async fn account_of(setting: &Setting, token: &str) -> AccountId {
    let me = setting.get("/me", Some(token)).await.expect(200);
    me["id"]
        .as_str()
        .expect("an id")
        .parse()
        .expect("an account")
}

async fn sign_in(setting: &Setting, login: &str) -> u16 {
    let body = json!({ "login": login, "password": PASSWORD });
    setting.post("/sessions", None, body).await.status.as_u16()
}

fn key_file(setting: &Setting, account: AccountId) -> PathBuf {
    setting
        .folder
        .join("keys/accounts")
        .join(account.to_string())
}

/// Records of a kind that name the account.
fn records(setting: &Setting, prefix: &str, account: AccountId) -> usize {
    let found = setting
        .nouns
        .ctx
        .store()
        .range(prefix, None, 1_000)
        .expect("readable");
    let names_it = |(key, record): &(_, innkeeper_control_plane::store::Record)| {
        let key: &innkeeper_control_plane::store::Key = key;
        key.as_str().contains(&account.to_string())
            || String::from_utf8_lossy(&record.value).contains(&account.to_string())
    };
    found.iter().filter(|record| names_it(record)).count()
}

#[tokio::test]
async fn an_account_is_erased_once_its_servers_are_gone() {
    let story = Story::begin().await;
    let setting = &story.setting;
    let account = account_of(setting, &story.token).await;
    let other = setting.customer("hayun77").await;
    let mut again = signup("minji91");
    again["email"] = json!("minji90@example.com");
    setting.post("/signups", None, again).await.expect(201);

    let refused = setting
        .nouns
        .billing
        .erase_account(Actor::Operator, account, &why())
        .await
        .expect_err("a server lives");
    assert!(matches!(refused, Error::EraseRefused(_)), "{refused}");
    setting.get("/me", Some(&story.token)).await.expect(200);
    story.delete().await;
    let plan = setting
        .nouns
        .accounts
        .plan_erasure(account)
        .expect("a plan");
    assert_eq!((plan.servers, plan.ssh_keys, plan.mails), (0, 1, 3));
    assert!(plan.is_readable);
    for _ in 0..2 {
        setting
            .nouns
            .billing
            .erase_account(Actor::Operator, account, &why())
            .await
            .expect("erased, or was");
        assert!(!key_file(setting, account).exists());
    }
    for path in ["/me", "/me/ssh-keys", "/servers", "/orders"] {
        setting.get(path, Some(&story.token)).await.expect(401);
        setting.get(path, Some(&other)).await.expect(200);
    }
    assert_eq!(sign_in(setting, "minji90").await, 401);
    assert_eq!(sign_in(setting, "hayun77").await, 201);
    for prefix in [
        "login/", "email/", "keys/", "ver/", "verof/", "mail/", "erasing/",
    ] {
        assert_eq!(records(setting, prefix, account), 0, "{prefix}");
    }
    // What it ordered stays, under an id that names nobody; nothing of the person can be read.
    assert_eq!(records(setting, "ord/", account), 1);
    let (opened, refused) = replayed(&setting.folder, &setting.vault, account);
    assert_eq!(opened, Vec::<String>::new());
    assert!(refused >= 3, "{refused}");
    // Nobody else can be whom others know by this ID, for good; the address is free again.
    let mut again = signup("MinJi90");
    assert_eq!(
        setting.post("/signups", None, again.clone()).await.fields(),
        [("/login_id".to_owned(), "taken".to_owned())]
    );
    again["login_id"] = json!("minji92");
    setting.post("/signups", None, again).await.expect(201);
}

#[tokio::test]
async fn an_account_that_waits_for_its_mail_can_be_erased() {
    let setting = Setting::new();
    let answer = setting
        .post("/signups", None, signup("minji90"))
        .await
        .expect(201);
    let account: AccountId = answer["account"]
        .as_str()
        .expect("an id")
        .parse()
        .expect("one");
    assert_eq!(
        setting
            .nouns
            .accounts
            .plan_erasure(account)
            .expect("a plan")
            .mails,
        1
    );
    let link = setting.mailed_token().await;
    setting
        .post(
            "/email-confirmations/resend",
            None,
            json!({ "login": "minji90" }),
        )
        .await;
    setting
        .nouns
        .billing
        .erase_account(Actor::Operator, account, &why())
        .await
        .expect("erased");
    setting.answer_wishes().await;
    let confirmation = json!({ "token": link });
    setting
        .post("/email-confirmations", None, confirmation)
        .await
        .expect(410);
    assert!(setting.nouns.mails.queued(10).expect("readable").is_empty());
    // Nobody has ever been known by its ID.
    let again = setting.post("/signups", None, signup("minji90")).await;
    again.expect(201);
}

#[tokio::test]
async fn a_crash_before_the_key_is_destroyed_is_finished_afterwards() {
    let setting = Setting::new();
    let token = setting.customer("minji90").await;
    let account = account_of(&setting, &token).await;
    // A disk that fails, just then: nothing can be written over a folder.
    let (file, aside) = (key_file(&setting, account), setting.folder.join("aside"));
    fs::rename(&file, &aside).expect("moved");
    fs::create_dir(&file).expect("made");
    let failed = setting
        .nouns
        .billing
        .erase_account(Actor::Operator, account, &why())
        .await
        .expect_err("the disk fails");
    assert!(matches!(failed, Error::Storage(_)), "{failed}");
    fs::remove_dir(&file).expect("removed");
    fs::rename(&aside, &file).expect("moved back");

    let setting = Setting::open(setting.stop().await);
    assert!(
        setting.vault.has_key(account).expect("told"),
        "so far it is half done"
    );
    assert_eq!(sign_in(&setting, "minji90").await, 401);
    let (finished, failures) = setting
        .nouns
        .accounts
        .finish_erasures()
        .await
        .expect("readable");
    assert_eq!((finished, failures.len()), (1, 0));
    assert!(!setting.vault.has_key(account).expect("told"));
    assert!(!file.exists());
    let (finished, failures) = setting
        .nouns
        .accounts
        .finish_erasures()
        .await
        .expect("readable");
    assert_eq!((finished, failures.len()), (0, 0));
}

#[tokio::test]
async fn a_crash_before_the_commit_of_a_sign_up_leaves_a_key_that_harms_nobody() {
    let setting = Setting::new();
    let orphan: AccountId = AccountId::new(setting.nouns.ctx.ids());
    setting.vault.make_key(orphan).expect("made");
    let setting = Setting::open(setting.stop().await);
    let (finished, failures) = setting
        .nouns
        .accounts
        .finish_erasures()
        .await
        .expect("readable");
    assert_eq!((finished, failures.len()), (0, 0));
    setting.customer("minji90").await;
    let unknown = setting
        .nouns
        .accounts
        .plan_erasure(orphan)
        .expect_err("no account");
    assert!(matches!(unknown, Error::NotFound), "{unknown}");
}

#[tokio::test]
async fn the_command_says_what_it_will_do_and_does_it_when_confirmed() {
    let setting = Setting::new();
    let token = setting.customer("minji90").await;
    let account = account_of(&setting, &token).await;
    let socket = setting.folder.join("admin.sock");
    let router = admin::router(AdminContext {
        nouns: setting.nouns.clone(),
        authority: setting.authority.clone(),
        duties: setting.duties(),
        trail: setting.trail(),
        agent_url: "https://control.example:8443".to_owned(),
        door: Door::Socket,
    });
    let listener = UnixListener::bind(&socket).expect("a socket");
    let server = tokio::spawn(async move { axum::serve(listener, router).await });

    let unknown = erase_by_command(&socket, "nobody7", Some(why())).await;
    assert!(
        unknown
            .expect_err("unknown")
            .to_string()
            .contains("refused")
    );
    let text = erase_by_command(&socket, "MinJi90", None)
        .await
        .expect("said");
    assert!(
        text.contains(&account.to_string()) && text.contains("--confirm"),
        "{text}"
    );
    assert_eq!(sign_in(&setting, "minji90").await, 201);
    let text = erase_by_command(&socket, "minji90", Some(why()))
        .await
        .expect("done");
    assert!(text.ends_with("is erased\n"), "{text}");
    assert_eq!(sign_in(&setting, "minji90").await, 401);
    let id = account.to_string();
    for reason in [None, Some(why())] {
        let text = erase_by_command(&socket, &id, reason).await.expect("said");
        assert_eq!(text, format!("{id} is erased already\n"));
    }
    server.abort();
}
