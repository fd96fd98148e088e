//! Personal data: in no byte of the disk and in no line of the log, and gone from all of them once the
//! account's key is destroyed.

use std::{
    io,
    path::Path,
    sync::{Arc, Mutex},
};

use axum::http::Method;
use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD},
};
use innkeeper_control_plane::{
    store::{FolderDisk, JournalError, Write, replay},
    vault::{Place, Vault, VaultError},
};
use innkeeper_wire::id::AccountId;
use serde_json::{Value, json};

use crate::{
    accounts::files_with,
    setting::{PASSWORD, Setting, public_key, room_for, signup},
};

const LOGIN: &str = "Kanari7";
const NAME: &str = "까나리나";
const EMAIL: &str = "Finch.Yellow@aviary.example";
const KEY_NAME: &str = "앵무새 노트북";
const KEY_COMMENT: &str = "tweety@birdcage";
const ADDRESS: &str = "198.51.100.77";
const MOBILE: &str = "+821055501234";
const NEW_EMAIL: &str = "canary@nest.example";
/// What invoices say.
const BUSINESS: &str = "펭귄상사";
const BUSINESS_NUMBER: &str = "2208162517";
const STREET: &str = "남극로 77";
const TAX_EMAIL: &str = "krill@iceberg.example";
/// An ID that nobody has, typed by somebody who thought so.
const STRANGER: &str = "goblin9";

/// Everything that must not be found anywhere, in the forms that it could be stored in.
fn canaries() -> Vec<String> {
    let words = [
        LOGIN,
        "kanari7",
        NAME,
        EMAIL,
        "finch.yellow@aviary.example",
        KEY_NAME,
        KEY_COMMENT,
        ADDRESS,
        MOBILE,
        NEW_EMAIL,
        "198.51.100.0-24",
        STRANGER,
        BUSINESS,
        BUSINESS_NUMBER,
        STREET,
        TAX_EMAIL,
    ];
    let unsealed_json = format!("\"name\":\"{NAME}\"");
    let plain = words.iter().map(|word| (*word).to_owned());
    let escaped = words.iter().map(|word| word.escape_unicode().to_string());
    // Base64 of whatever comes before moves a text by up to two bytes.
    let encoded = words.iter().flat_map(|word| {
        (0..3).map(move |shift| {
            let text = format!("{}{word}", "\0".repeat(shift));
            let encoded = STANDARD_NO_PAD.encode(&text);
            let whole = encoded.len() - 2;
            encoded[shift * 4 / 3 + usize::from(shift > 0)..whole].to_owned()
        })
    });
    plain
        .chain(escaped)
        .chain(encoded)
        .chain([unsealed_json])
        .collect()
}

/// A log that is read afterwards.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("no panics").extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Log {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().expect("no panics")).into_owned()
    }
}

/// Signs in from the canary's own network; the answer whatever it is.
async fn sign_in(setting: &Setting, login: &str, password: &str) -> crate::setting::Answer {
    let body = json!({ "login": login, "password": password });
    let portal = [
        (
            "x-innkeeper-portal-key",
            "the portal's key, long enough for it",
        ),
        ("x-forwarded-for", ADDRESS),
    ];
    let method = axum::http::Method::POST;
    setting
        .send(method, "/sessions", None, &portal, Some(body))
        .await
}

/// What a customer does with an account, mistakes included; gives the account.
async fn live(setting: &Setting) -> AccountId {
    let mut body = signup(LOGIN);
    body["name"] = json!(NAME);
    body["email"] = json!(EMAIL);
    let portal = [
        (
            "x-innkeeper-portal-key",
            "the portal's key, long enough for it",
        ),
        ("x-forwarded-for", ADDRESS),
    ];
    let method = axum::http::Method::POST;
    let made = setting
        .send(method, "/signups", None, &portal, Some(body.clone()))
        .await;
    let account = made.expect(201)["account"]
        .as_str()
        .expect("an id")
        .to_owned();
    setting.post("/signups", None, body).await.expect(422);
    setting
        .post(
            "/email-confirmations/resend",
            None,
            json!({ "login": LOGIN }),
        )
        .await;
    let token = setting.mailed_token().await;
    setting
        .post("/email-confirmations", None, json!({ "token": token }))
        .await
        .expect(204);
    for (login, password) in [(LOGIN, "wrong"), (STRANGER, "wrong"), (EMAIL, "wrong")] {
        sign_in(setting, login, password).await.expect(401);
    }
    let session = sign_in(setting, EMAIL, PASSWORD).await.expect(201);
    let token = session["token"].as_str().expect("a token");
    for (seed, name) in [(1, KEY_NAME), (2, "")] {
        let line = format!("{} {KEY_COMMENT}", public_key(seed));
        let body = json!({ "name": name, "public_key": line });
        setting
            .post("/me/ssh-keys", Some(token), body)
            .await
            .expect(201);
    }
    let keys = setting.get("/me/ssh-keys", Some(token)).await.expect(200);
    let key = keys["data"][0]["id"].as_str().expect("an id");
    assert_eq!(keys["data"][0]["name"], KEY_COMMENT);
    let mobile = setting.post("/me/mobile", Some(token), json!({ "mobile": MOBILE }));
    assert_eq!(mobile.await.expect(200)["mobile"], MOBILE);
    let typo = setting.new_email_token(token, "typo@nest.example").await;
    let link = setting.new_email_token(token, NEW_EMAIL).await;
    assert_ne!(typo, link);
    let forgotten = json!({ "login_id": LOGIN, "email": EMAIL });
    setting
        .post("/password-resets", None, forgotten)
        .await
        .expect(202);
    setting
        .post("/id-reminders", None, json!({ "email": EMAIL }))
        .await
        .expect(202);
    setting.answer_wishes().await;
    pay(setting, token).await;
    let quote = setting.quote(token, key, "web-1").await;
    setting.order(token, &quote, "k1").await.expect(201);
    account.parse().expect("an account")
}

/// Says to whom invoices are addressed.
async fn pay(setting: &Setting, token: &str) {
    let profile = json!({
        "kind": "corporate", "name": BUSINESS, "country": "KR", "address": STREET,
        "business_number": BUSINESS_NUMBER, "contact": NAME, "mobile": MOBILE, "emails": [TAX_EMAIL],
    });
    setting
        .send(
            Method::PUT,
            "/billing/profile",
            Some(token),
            &[],
            Some(profile),
        )
        .await
        .expect(200);
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder");
    for entry in std::fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).expect("copied");
        }
    }
}

/// Tries the vault on everything that the journal ever held of an account: what opens, as text, and how
/// often the key was missing.
pub(crate) fn replayed(folder: &Path, vault: &Vault, account: AccountId) -> (Vec<String>, usize) {
    let (mut opened, mut refused) = (Vec::new(), 0);
    let visit = |entry: innkeeper_control_plane::store::Entry| {
        for write in entry.commit.writes {
            let Write::Put(key, value) = write else {
                continue;
            };
            let record = key.as_str();
            let field = match record.split_once('/') {
                Some(("acc", name)) if name == account.to_string() => ("person", "person 1"),
                Some(("keys", name)) if name == account.to_string() => ("keys", "keys 1"),
                _ => continue,
            };
            let json: Value = serde_json::from_slice(&value[1..]).expect("JSON");
            if json[field.0].is_null() {
                // Erased: there is nothing to open.
                continue;
            }
            let sealed = json[field.0].as_str().expect("something sealed");
            let sealed = STANDARD_NO_PAD.decode(sealed).expect("base64");
            let place = Place {
                record,
                field: field.1,
            };
            match vault.unseal(account, place, &sealed) {
                Ok(plain) => opened.push(String::from_utf8_lossy(&plain).into_owned()),
                Err(VaultError::NoKey { .. }) => refused += 1,
                Err(error) => panic!("{record}: {error}"),
            }
        }
        Ok::<(), JournalError>(())
    };
    let disk = FolderDisk::new(folder.join("store/journal"));
    replay(&disk, visit).expect("a sound journal");
    (opened, refused)
}

#[tokio::test]
async fn personal_data_is_in_no_file_and_no_log() {
    // With one subscriber alone, what a call site is worth is asked of the thread that comes to it first, and in one
    // process with other tests that is mostly one without any.
    tracing::subscriber::set_global_default(tracing_subscriber::registry()).ok();
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing_subscriber::filter::LevelFilter::TRACE)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    let guard = tracing::subscriber::set_default(subscriber);
    let setting = Setting::new();
    setting.host("h1", room_for(5)).await;
    let account = live(&setting).await;
    let folder = setting.stop().await;
    drop(guard);
    let backup = tempfile::tempdir().expect("a folder");
    copy(folder.path(), backup.path());

    let log = log.text();
    assert!(log.contains("chose a host"), "the log is captured: {log}");
    let id = account.to_string();
    assert!(files_with(&folder.path().join("store/journal"), &id).len() == 1);
    assert!(!files_with(&backup.path().join("store/index"), &id).is_empty());
    for canary in canaries() {
        assert!(!log.contains(&canary), "{canary} in {log}");
        for place in [folder.path(), backup.path()] {
            assert_eq!(
                files_with(place, &canary),
                Vec::<std::path::PathBuf>::new(),
                "{canary}"
            );
        }
    }
    // What is not found is there: with its key it can be read.
    let vault = Vault::open(&folder.path().join("keys"), None).expect("sound");
    let (opened, refused) = replayed(folder.path(), &vault.expect("there"), account);
    let opened = opened.join("\n");
    for canary in [LOGIN, NAME, EMAIL, ADDRESS, KEY_NAME, KEY_COMMENT] {
        assert!(opened.contains(canary), "{canary} in {opened}");
    }
    assert_eq!(refused, 0);
}

#[tokio::test]
async fn a_destroyed_key_makes_every_copy_unreadable() {
    let setting = Setting::new();
    setting.host("h1", room_for(5)).await;
    let account = live(&setting).await;
    let session = sign_in(&setting, LOGIN, PASSWORD).await.expect(201);
    let token = session["token"].as_str().expect("a token").to_owned();
    let other = setting.customer("minji90").await;
    let me = setting.get("/me", Some(&other)).await.expect(200);
    let other_account: AccountId = me["id"]
        .as_str()
        .expect("an id")
        .parse()
        .expect("an account");
    let backup = tempfile::tempdir().expect("a folder");
    copy(
        &setting.folder.join("store/journal"),
        &backup.path().join("store/journal"),
    );

    setting.vault.destroy_key(account).expect("destroyed");
    for path in ["/me", "/me/ssh-keys", "/servers", "/orders"] {
        setting.get(path, Some(&token)).await.expect(401);
        setting.get(path, Some(&other)).await.expect(200);
    }
    let unknown = sign_in(&setting, STRANGER, PASSWORD).await;
    for login in [LOGIN, EMAIL] {
        let refused = sign_in(&setting, login, PASSWORD).await;
        assert_eq!(refused.status, unknown.status);
        assert_eq!(refused.body["code"], unknown.body["code"]);
    }
    sign_in(&setting, "minji90", PASSWORD).await.expect(201);

    let check = |folder: &Path, vault: &Vault| {
        let (opened, refused) = replayed(folder, vault, account);
        assert_eq!(opened, Vec::<String>::new());
        assert!(refused >= 4, "account, confirmation, two keys: {refused}");
        let (opened, refused) = replayed(folder, vault, other_account);
        assert!(opened[0].contains("minji90"), "{opened:?}");
        assert_eq!(refused, 0);
    };
    check(&setting.folder, &setting.vault);
    check(backup.path(), &setting.vault);
    // The backup put back, with the keys of today.
    copy(&setting.folder.join("keys"), &backup.path().join("keys"));
    drop(setting.stop().await);
    let restored = Setting::open(backup);
    sign_in(&restored, LOGIN, PASSWORD).await.expect(401);
    sign_in(&restored, "minji90", PASSWORD).await.expect(201);
    check(&restored.folder, &restored.vault);
}

/// That canaries in base64 would be found, since sealed values are base64 too.
#[test]
fn the_search_finds_encoded_text() {
    let canaries = canaries();
    for before in ["", "x", "xy", "xyz", "{\"name\":\""] {
        let text = format!("{before}{NAME}\",\"more\":1}}");
        for encoded in [STANDARD_NO_PAD.encode(&text), URL_SAFE_NO_PAD.encode(&text)] {
            let found = canaries.iter().any(|canary| encoded.contains(canary));
            assert!(found, "{before}: {encoded}");
        }
    }
}
