//! Sign-ups that nobody confirms: what they take from others (nothing), and how they end.
//!
//! | somebody has signed up with | and not confirmed | then the owner |
//! |---|---|---|
//! | an address of a customer | once, or many times | signs in by it, signs up with it |
//! | an address that waits itself | many times | confirms his own, asks for his mail again |
//! | an ID | less than a day ago | can't have it |
//! | an ID | a day ago or more | can have it, before and after the sweep |
//!
//! What is left of an ended one: nothing, whatever interrupts its end.

use std::{collections::BTreeSet, fs, path::PathBuf};

use innkeeper_control_plane::{
    nouns::Settings,
    store::{FolderDisk, begin_epoch, next_epoch},
    work::outbox::compose,
};
use innkeeper_wire::id::AccountId;
use serde_json::{Value, json};

use crate::{
    offer::settings,
    setting::{PASSWORD, Setting, room_for, signup},
    witnesses::{copy_journal, testify},
};

pub(crate) const DAY_S: i64 = 86_400;

/// Asks for an account from a source of its own.
async fn sign_up(setting: &Setting, source: usize, login_id: &str, email: &str) -> Option<String> {
    let mut body = signup(login_id);
    body["email"] = json!(email);
    let address = format!("10.{}.{}.1", source / 256, source % 256);
    let answer = setting.post_from(&address, "/signups", body).await;
    answer.body["account"].as_str().map(str::to_owned)
}

pub(crate) async fn confirm(setting: &Setting, token: &str) -> u16 {
    let answer = setting.post("/email-confirmations", None, json!({ "token": token }));
    answer.await.status.as_u16()
}

async fn sign_in(setting: &Setting, login: &str) -> u16 {
    let answer = setting.sign_in_from("198.51.100.1", login, PASSWORD, None);
    answer.await.status.as_u16()
}

/// Throws the waiting mails away.
async fn drop_mails(setting: &Setting) {
    for mail in setting.nouns.mails.queued(1_000).expect("the outbox") {
        setting.nouns.mails.done(mail.id).await.expect("done");
    }
}

/// One turn after the other, until all accounts were looked at.
pub(crate) async fn sweep(setting: &Setting) {
    let mut after = None;
    loop {
        (_, after) = setting
            .nouns
            .accounts
            .end_lapsed_sign_ups(after)
            .await
            .expect("swept");
        if after.is_none() {
            return;
        }
    }
}

fn key_file(setting: &Setting, account: &str) -> PathBuf {
    setting.folder.join("keys/accounts").join(account)
}

pub(crate) fn key_files(setting: &Setting) -> BTreeSet<String> {
    let files = fs::read_dir(setting.folder.join("keys/accounts")).expect("a folder");
    let name = |file: std::io::Result<fs::DirEntry>| file.expect("an entry").file_name();
    files
        .map(|file| name(file).to_string_lossy().into_owned())
        .collect()
}

/// Records of these kinds.
pub(crate) fn records(setting: &Setting, prefixes: &[&str]) -> usize {
    let count = |prefix: &&str| {
        let found = setting.nouns.ctx.store().range(prefix, None, 1_000);
        found.expect("readable").len()
    };
    prefixes.iter().map(count).sum()
}

/// A9 (a) and (b).
#[tokio::test]
async fn a_sign_up_with_somebodys_address_shuts_him_out_of_nothing() {
    let setting = Setting::new();
    setting.customer("minji90").await;
    let address = "minji90@example.com";
    for number in 0..24 {
        // Eight an hour, from eight sources.
        if number % 8 == 0 {
            setting.clock.advance_s(3_600);
        }
        let taken = sign_up(&setting, number, &format!("evil{number:02}"), address).await;
        assert!(taken.is_some(), "{number}");
        assert_eq!(sign_in(&setting, address).await, 201, "{number}");
        setting.clock.advance_s(300);
        drop_mails(&setting).await;
    }
    setting.clock.advance_s(3_600);
    // The owner's second account: the newest sign-up is the one whose mail he asks for again.
    sign_up(&setting, 99, "minji91", address)
        .await
        .expect("signed up");
    let first = setting.mailed_token().await;
    setting.clock.advance_s(60);
    let resend = json!({ "login": address });
    let answer = setting
        .post("/email-confirmations/resend", None, resend)
        .await;
    answer.expect(202);
    setting.answer_wishes().await;
    let second = setting.mailed_token().await;
    assert_eq!(confirm(&setting, &first).await, 410, "replaced");
    assert_eq!(confirm(&setting, &second).await, 204);
    assert_eq!(sign_in(&setting, "minji91").await, 201);
    assert_eq!(sign_in(&setting, address).await, 401, "two have it now");
}

/// Whoever has many addresses leaves a mail and a key for each.
#[tokio::test]
async fn sign_ups_from_everywhere_together_have_a_limit() {
    let setting = Setting::with(Settings {
        sign_ups_per_hour: 3,
        ..settings()
    });
    let ask = async |source: usize, login_id: &str| {
        let address = format!("10.0.{source}.1");
        setting
            .post_from(&address, "/signups", signup(login_id))
            .await
    };
    for number in 0..3 {
        ask(number, &format!("minji{number}")).await.expect(201);
        // What is refused anyway uses nothing of it up.
        ask(number, "minji0").await.expect(422);
    }
    setting.clock.advance_s(600);
    let refused = ask(4, "minji4").await.expect(429);
    assert_eq!(refused["code"], "rate-limited");
    assert_eq!(refused["retry_after_s"], 3_000);
    assert_eq!(key_files(&setting).len(), 3);
    setting.clock.advance_s(3_000);
    ask(4, "minji4").await.expect(201);
}

/// Finding #2: 24 empty forms, none of which sent a mail, shut sign-up for a whole /24 for 44 minutes.
#[tokio::test]
async fn mistakes_in_forms_shut_nobody_out_and_mails_have_their_limit() {
    let setting = Setting::new();
    let ask = async |address: &str, body: Value| {
        let answer = setting.post_from(address, "/signups", body).await;
        answer.status.as_u16()
    };
    let good = |number: usize| signup(&format!("minji{number:02}"));
    assert_eq!(ask("192.0.2.9", good(0)).await, 201);
    for number in 0..60 {
        let mut body = good(0);
        match number % 3 {
            0 => body["login_id"] = json!(""),
            1 => body["password"] = json!("password123456789"),
            // Taken.
            _ => {}
        }
        assert_eq!(ask("192.0.2.1", body).await, 422);
    }
    for number in 1..=20 {
        assert_eq!(ask("192.0.2.1", good(number)).await, 201, "{number}");
    }
    // As many mails as one client may have sent, but not all of its neighbourhood.
    assert_eq!(ask("192.0.2.1", good(21)).await, 429);
    for number in 21..=79 {
        let address = format!("192.0.2.{}", 10 + number / 15);
        assert_eq!(ask(&address, good(number)).await, 201, "{number}");
    }
    assert_eq!(ask("192.0.2.200", good(80)).await, 429);
    assert_eq!(ask("192.0.3.1", good(80)).await, 201);
    // Forms have an end as well.
    let mut refused = 0;
    while ask("198.51.100.1", json!({"login_id": "", "name": "", "email": "", "password": "", "accepted_terms": "", "locale": "en"})).await == 422 {
        refused += 1;
        assert!(refused <= 300);
    }
    assert_eq!(refused, 300);
}

/// What one client can have sent again, of as many sign-ups as there may be.
#[tokio::test]
async fn mails_that_are_sent_again_count_for_who_asked_for_them() {
    let setting = Setting::new();
    for number in 0..25 {
        let id = format!("minji{number:02}");
        sign_up(&setting, number, &id, &format!("{id}@example.com"))
            .await
            .expect("admitted");
    }
    drop_mails(&setting).await;
    setting.clock.advance_s(61);
    for number in 0..25 {
        let login = json!({ "login": format!("minji{number:02}") });
        let path = "/email-confirmations/resend";
        setting
            .post_from("192.0.2.1", path, login)
            .await
            .expect(202);
    }
    setting.answer_wishes().await;
    assert_eq!(
        setting.nouns.mails.queued(100).expect("the outbox").len(),
        20
    );
    let login = json!({ "login": "minji24" });
    setting
        .post_from("192.0.2.2", "/email-confirmations/resend", login)
        .await
        .expect(202);
    setting.answer_wishes().await;
    assert_eq!(
        setting.nouns.mails.queued(100).expect("the outbox").len(),
        21
    );
}

/// Ten confirmed accounts are as many as an address may have, however they came about.
#[tokio::test]
async fn an_address_has_ten_confirmed_accounts() {
    let setting = Setting::new();
    let address = "minji90@example.com";
    let mut links = Vec::new();
    for number in 0..11 {
        setting.clock.advance_s(1_200);
        sign_up(&setting, number, &format!("minji{number:02}"), address)
            .await
            .expect("signed up");
        links.push(setting.mailed_token().await);
    }
    for link in &links[..10] {
        assert_eq!(confirm(&setting, link).await, 204);
    }
    let answer = setting.post("/email-confirmations", None, json!({ "token": links[10] }));
    let too_many = vec![("/email".to_owned(), "too-many".to_owned())];
    assert_eq!(answer.await.fields(), too_many);
    let mut one_more = signup("minji99");
    one_more["email"] = json!(address);
    let answer = setting.post_from("10.9.9.9", "/signups", one_more).await;
    assert_eq!(answer.fields(), too_many);
}

/// A9 (c): the ID is free after a day, whether the sweep has come by or not, and nothing is left.
#[tokio::test]
async fn a_sign_up_that_nobody_confirms_ends_with_its_link() {
    let setting = Setting::new();
    setting.customer("hayun77").await;
    drop_mails(&setting).await;
    let left = [
        "acc/", "login/", "email/", "ver/", "verof/", "mail/", "erasing/",
    ];
    let before = records(&setting, &left);
    for swept in [false, true] {
        let account = sign_up(&setting, 1, "minji90", "minji90@example.com").await;
        let account = account.expect("signed up");
        let link = setting.mailed_token().await;
        assert!(key_file(&setting, &account).exists());
        setting.clock.advance_s(DAY_S - 1);
        sweep(&setting).await;
        assert_eq!(sign_in(&setting, "minji90").await, 403, "not confirmed yet");
        assert_eq!(sign_in(&setting, "minji90@example.com").await, 403);
        let taken = sign_up(&setting, 2, "MinJi90", "other@example.com").await;
        assert_eq!(taken, None, "it still waits");
        setting.clock.advance_s(1);
        assert_eq!(sign_in(&setting, "minji90").await, 401);
        assert_eq!(confirm(&setting, &link).await, 410);
        if swept {
            sweep(&setting).await;
            assert_eq!(records(&setting, &left), before);
            assert!(!key_file(&setting, &account).exists());
        }
        let other = sign_up(&setting, 3, "MinJi90", "other@example.com").await;
        assert!(other.is_some(), "free again");
        assert!(!key_file(&setting, &account).exists());
        drop_mails(&setting).await;
        setting.clock.advance_s(DAY_S);
        sweep(&setting).await;
        assert_eq!(records(&setting, &left), before);
    }
    assert_eq!(sign_in(&setting, "hayun77").await, 201, "others stay");
}

/// Whatever dies between the commit, the end of the key, and the commit that says so.
#[tokio::test]
async fn the_end_of_a_sign_up_is_finished_after_a_crash_at_any_point() {
    let setting = Setting::new();
    let account = sign_up(&setting, 1, "minji90", "minji90@example.com").await;
    let account = account.expect("signed up");
    setting.clock.advance_s(DAY_S);
    // A disk that fails, just then: nothing can be written over a folder.
    let (file, aside) = (key_file(&setting, &account), setting.folder.join("aside"));
    fs::rename(&file, &aside).expect("moved");
    fs::create_dir(&file).expect("made");
    sweep(&setting).await;
    assert_eq!(records(&setting, &["acc/", "login/", "email/"]), 0);
    assert_eq!(records(&setting, &["erasing/"]), 1);
    fs::remove_dir(&file).expect("removed");
    fs::rename(&aside, &file).expect("moved back");

    // Killed before the key went.
    let setting = Setting::open(setting.stop().await);
    setting.clock.advance_s(DAY_S);
    assert!(file.exists());
    let again = sign_up(&setting, 2, "minji90", "minji90@example.com").await;
    let again = again.expect("the ID is free all the same");
    // Killed after the key went, before that was noted.
    let id: AccountId = account.parse().expect("an account");
    setting.vault.destroy_key(id).expect("destroyed");
    let setting = Setting::open(setting.stop().await);
    let (finished, failures) = setting
        .nouns
        .accounts
        .finish_erasures()
        .await
        .expect("readable");
    assert_eq!((finished, failures.len()), (1, 0));
    assert!(!file.exists());
    assert_eq!(records(&setting, &["erasing/"]), 0);
    assert_eq!(key_files(&setting), BTreeSet::from([again]));
}

/// After a restore an older journal can hold a sign-up whose key is gone: its ID is not taken for good either.
#[tokio::test]
async fn a_sign_up_that_nobody_can_read_any_more_gives_its_id_back() {
    let setting = Setting::new();
    let account = sign_up(&setting, 1, "minji90", "minji90@example.com").await;
    let id: AccountId = account.expect("signed up").parse().expect("an account");
    setting.vault.destroy_key(id).expect("destroyed");
    assert_eq!(
        sign_up(&setting, 2, "minji90", "other@example.com").await,
        None
    );
    setting.clock.advance_s(DAY_S);
    let other = sign_up(&setting, 2, "minji90", "minji90@example.com").await;
    assert!(other.is_some());
    assert_eq!(confirm(&setting, &setting.mailed_token().await).await, 204);
    assert_eq!(sign_in(&setting, "minji90@example.com").await, 201);
}

/// An account that was confirmed after the copy `old` of the journal was made; how to get in, and its key.
async fn confirmed_after_the_copy() -> (Setting, PathBuf) {
    let lost = Setting::new();
    let account = sign_up(&lost, 1, "minji90", "minji90@example.com").await;
    let key = key_file(&lost, &account.expect("signed up"));
    let link = lost.mailed_token().await;
    copy_journal(&lost, "old");
    assert_eq!(confirm(&lost, &link).await, 204);
    lost.clock.advance_s(2 * DAY_S);
    (lost, key)
}

/// A copy from before the confirmation calls it a sign-up of two days ago. Its key is all that opens what the right
/// journal says of the owner.
#[tokio::test]
async fn after_a_restore_no_sign_up_of_before_ends_and_its_owner_can_confirm_again() {
    let (lost, key) = confirmed_after_the_copy().await;
    let disk = FolderDisk::new(lost.folder.join("old/journal"));
    begin_epoch(&disk, next_epoch(1, 1_790_000_000)).expect("a new epoch");
    let setting = lost.with_store("old");
    drop_mails(&setting).await;
    setting.clock.advance_s(DAY_S);

    assert_eq!(
        sign_up(&setting, 2, "minji90", "other@example.com").await,
        None
    );
    sweep(&setting).await;
    assert!(key.exists(), "closed");
    setting
        .nouns
        .continuity
        .finish_recovery(&[])
        .await
        .expect("no host is waited for");
    setting.clock.advance_s(DAY_S);
    assert_eq!(
        sign_up(&setting, 3, "minji90", "other@example.com").await,
        None
    );
    sweep(&setting).await;
    assert!(key.exists(), "opened");

    assert_eq!(sign_in(&setting, "minji90").await, 403, "not confirmed");
    let resend = json!({ "login": "minji90" });
    let path = "/email-confirmations/resend";
    setting.post(path, None, resend).await.expect(202);
    setting.answer_wishes().await;
    setting.clock.advance_s(DAY_S - 1);
    assert_eq!(confirm(&setting, &setting.mailed_token().await).await, 204);
    assert_eq!(sign_in(&setting, "minji90").await, 201);
}

/// Nobody has said yet that commits are lost, or somebody proves it.
#[tokio::test]
async fn no_sign_up_ends_before_hosts_could_say_that_commits_are_lost() {
    let (lost, key) = confirmed_after_the_copy().await;
    let host = lost.host("h1", room_for(1)).await;
    copy_journal(&lost, "older");
    lost.customer("hayun77").await;
    let blank = lost.blank_report(&host, room_for(1), vec![]);
    let witness = lost.post_report(&host, &blank).await;

    let old = lost.with_store("old");
    assert_eq!(sign_up(&old, 2, "minji90", "other@example.com").await, None);
    sweep(&old).await;
    assert!(key.exists(), "it has just begun to listen");

    let accused = lost.with_store("older");
    let waiting = sign_up(&lost, 3, "siwoo55", "siwoo55@example.com").await;
    let waiting = key_file(&lost, &waiting.expect("signed up"));
    testify(&accused, &host, witness).await;
    accused.clock.advance_s(2 * DAY_S);
    assert_eq!(
        sign_up(&accused, 4, "siwoo55", "other@example.com").await,
        None
    );
    sweep(&accused).await;
    assert!(waiting.exists(), "a host proves that commits are lost");
}

/// Accounts of before were listed under their address when they signed up; they lie in stores.
#[tokio::test]
async fn old_sign_ups_that_wait_count_for_nothing() {
    let setting = Setting::new();
    let address = "minji90@example.com";
    setting.customer("minji90").await;
    for number in 0..9 {
        setting.clock.advance_s(1_200);
        sign_up(&setting, number, &format!("evil{number:02}"), address).await;
        drop_mails(&setting).await;
    }
    // As an upgrade finds them, days later.
    setting.clock.advance_s(3 * DAY_S);
    assert_eq!(sign_in(&setting, address).await, 201);
    sweep(&setting).await;
    assert_eq!(records(&setting, &["acc/", "login/"]), 2);
    assert_eq!(key_files(&setting).len(), 1);
}

/// B17: the mail is the same whatever somebody calls himself, and one mailbox gets few of them.
#[tokio::test]
async fn a_stranger_says_nothing_through_our_mails_and_fills_no_mailbox() {
    let setting = Setting::new();
    let mut body = signup("minji90");
    body["name"] = json!("Your server is suspended! Pay now at https://evil.example/");
    let answer = setting.post("/signups", None, body.clone()).await;
    assert_eq!(answer.fields(), [("/name".to_owned(), "link".to_owned())]);
    body["name"] = json!("\u{202e}Your server is suspended");
    let answer = setting.post("/signups", None, body.clone()).await;
    let invisible = ("/name".to_owned(), "invisible-characters".to_owned());
    assert_eq!(answer.fields(), [invisible]);
    body["name"] = json!("Your server is suspended");
    setting.post("/signups", None, body).await.expect(201);
    let mail = setting.nouns.mails.queued(1).expect("the outbox").remove(0);
    let ready = compose(&setting.nouns, &mail).await.expect("composed");
    let text = ready.expect("a reason").letter.body;
    assert!(
        !text.contains("suspended") && !text.contains("minji90"),
        "{text}"
    );

    let mut queued = 0;
    for number in 0..40 {
        let address = format!("Victim+{number}@example.com");
        let account = sign_up(&setting, number, &format!("evil{number:02}"), &address).await;
        queued += usize::from(account.is_some());
        let resend = json!({ "login": format!("evil{number:02}") });
        setting
            .post_from("10.8.8.8", "/email-confirmations/resend", resend)
            .await;
        drop_mails(&setting).await;
        setting.clock.advance_s(61);
        setting.answer_wishes().await;
        queued += setting.nouns.mails.queued(100).expect("the outbox").len();
        drop_mails(&setting).await;
    }
    assert!(queued <= 9, "{queued} mails to one mailbox in 41 minutes");
    // From one source three: others can still sign up with the address.
    let setting = Setting::new();
    let mut admitted = 0;
    for number in 0..5 {
        let id = format!("evil{number:02}");
        let account = sign_up(&setting, 7, &id, "victim@example.com").await;
        admitted += usize::from(account.is_some());
    }
    assert_eq!(admitted, 3);
    let owner = sign_up(&setting, 8, "minji90", "victim@example.com").await;
    assert!(owner.is_some());
}

/// Whoever opens the mail's link is told which of his addresses it confirms, and what he had signed up for; nothing is used up by
/// looking.
#[tokio::test]
async fn a_link_tells_its_address_without_being_used_up() {
    let setting = Setting::new();
    let path = "/email-confirmations/look";
    let mut form = signup("minji90");
    form["plan"] = json!("Not a code");
    let refused = setting.post("/signups", None, form.clone()).await;
    refused.expect(400);
    form["plan"] = json!("m");
    setting.post("/signups", None, form).await.expect(201);
    let body = json!({ "token": setting.mailed_token().await });
    for _ in 0..3 {
        let found = setting.post(path, None, body.clone()).await.expect(200);
        let told = json!({
            "email_masked": "m***@example.com", "login_id": "minji90", "kind": "individual",
            "plan": "m",
        });
        assert_eq!(found, told);
    }
    let unknown = json!({ "token": "no-such-token" });
    setting.post(path, None, unknown.clone()).await.expect(410);
    let done = setting
        .post("/email-confirmations", None, body.clone())
        .await;
    done.expect(204);
    let used = setting.post(path, None, body.clone()).await;
    used.expect(410);
    // Guessing is limited as signing in is.
    for _ in 0..55 {
        setting.post(path, None, unknown.clone()).await;
    }
    setting.post(path, None, unknown).await.expect(429);
}

#[tokio::test]
async fn a_link_tells_nothing_when_it_is_too_old() {
    let setting = Setting::new();
    let signed_up = setting.post("/signups", None, signup("minji90")).await;
    signed_up.expect(201);
    let body = json!({ "token": setting.mailed_token().await });
    setting.clock.advance_s(25 * 3_600);
    let late = setting.post("/email-confirmations/look", None, body).await;
    late.expect(410);
}
