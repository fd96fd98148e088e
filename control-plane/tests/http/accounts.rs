//! Signing up, confirming, sessions, keys. See `sign_ups` and `signing_in` for what strangers can do to others there.

use axum::http::Method;
use innkeeper_control_plane::work::outbox::compose;
use serde_json::json;

use crate::setting::{PASSWORD, Setting, public_key, signup};

#[tokio::test]
async fn an_account_works_after_its_address_was_confirmed_once() {
    let setting = Setting::new();
    let answer = setting
        .post("/signups", None, signup("minji90"))
        .await
        .expect(201);
    assert_eq!(answer["email"], "minji90@example.com");
    let credentials = json!({ "login": "minji90", "password": PASSWORD });
    let early = setting
        .post("/sessions", None, credentials.clone())
        .await
        .expect(403);
    assert_eq!(early["code"], "email-unconfirmed");

    let token = setting.mailed_token().await;
    let confirmation = json!({ "token": token });
    setting
        .post("/email-confirmations", None, confirmation.clone())
        .await
        .expect(204);
    let again = setting
        .post("/email-confirmations", None, confirmation)
        .await
        .expect(410);
    assert_eq!(again["code"], "link-expired");

    let session = setting
        .post("/sessions", None, credentials)
        .await
        .expect(201);
    let token = session["token"].as_str().expect("a token");
    let me = setting.get("/me", Some(token)).await.expect(200);
    assert_eq!(
        (me["login_id"].as_str(), me["name"].as_str()),
        (Some("minji90"), Some("김민지"))
    );
    setting
        .send(Method::DELETE, "/sessions/current", Some(token), &[], None)
        .await
        .expect(204);
    setting.get("/me", Some(token)).await.expect(401);
}

#[tokio::test]
async fn an_id_is_taken_whatever_its_case_and_nothing_is_half_done() {
    let setting = Setting::new();
    setting
        .post("/signups", None, signup("minji90"))
        .await
        .expect(201);
    let before = setting.nouns.ctx.store().sequence();
    let second = setting.post("/signups", None, signup("MinJi90")).await;
    assert_eq!(
        second.fields(),
        [("/login_id".to_owned(), "taken".to_owned())]
    );
    assert_eq!(second.expect(422)["code"], "validation-failed");
    assert_eq!(setting.nouns.ctx.store().sequence(), before);
}

#[tokio::test]
async fn of_many_sign_ups_with_one_id_one_wins() {
    let setting = Setting::new();
    let requests = (0..8).map(|_| setting.post("/signups", None, signup("minji90")));
    let answers = futures_join(requests).await;
    let won = answers
        .iter()
        .filter(|answer| answer.status.as_u16() == 201)
        .count();
    assert_eq!(won, 1, "{answers:?}");
    let keys = std::fs::read_dir(setting.folder.join("keys/accounts")).expect("a folder");
    assert_eq!(keys.count(), 1, "the losers' keys are destroyed");
}

/// Polls all at once, in one task.
pub(crate) async fn futures_join<F: Future>(futures: impl Iterator<Item = F>) -> Vec<F::Output> {
    let mut pending: Vec<_> = futures.map(|future| (Box::pin(future), None)).collect();
    std::future::poll_fn(|context| {
        for (future, output) in &mut pending {
            if output.is_none()
                && let std::task::Poll::Ready(value) = future.as_mut().poll(context)
            {
                *output = Some(value);
            }
        }
        if pending.iter().all(|(_, output)| output.is_some()) {
            std::task::Poll::Ready(())
        } else {
            std::task::Poll::Pending
        }
    })
    .await;
    pending
        .into_iter()
        .filter_map(|(_, output)| output)
        .collect()
}

#[tokio::test]
async fn every_bad_field_is_named() {
    let setting = Setting::new();
    let body = json!({
        "login_id": "no", "name": " ", "email": "x", "password": "short", "accepted_terms": "", "locale": "en",
    });
    let answer = setting.post("/signups", None, body).await;
    let expected = [
        ("/login_id", "malformed"),
        ("/name", "required"),
        ("/email", "malformed"),
        ("/password", "too-short"),
        ("/accepted_terms", "required"),
    ];
    let fields = answer.fields();
    let found: Vec<_> = fields
        .iter()
        .map(|(pointer, code)| (pointer.as_str(), code.as_str()))
        .collect();
    assert_eq!(found, expected);
}

#[tokio::test]
async fn the_mailed_link_opens_in_the_language_of_the_mail() {
    let setting = Setting::new();
    for (login_id, language) in [("minji90", "ko"), ("haoran1", "zh-Hant")] {
        let mut request = signup(login_id);
        request["locale"] = language.into();
        setting.post("/signups", None, request).await.expect(201);
        let link = format!("/confirm?lang={language}&token=");
        let mail = setting.mailed().await;
        assert!(mail.contains(&link), "{mail}");
    }
}

#[tokio::test]
async fn a_new_confirmation_mail_ends_the_earlier_link_and_tells_strangers_nothing() {
    let setting = Setting::new();
    setting
        .post("/signups", None, signup("minji90"))
        .await
        .expect(201);
    let first = setting.mailed_token().await;
    setting.clock.advance_s(120);
    let resend = |login: &'static str| {
        setting.post(
            "/email-confirmations/resend",
            None,
            json!({ "login": login }),
        )
    };
    resend("nobody1").await.expect(202);
    setting.answer_wishes().await;
    assert_eq!(setting.nouns.mails.queued(10).expect("the outbox").len(), 0);
    resend("minji90@example.com").await.expect(202);
    resend("minji90").await.expect(202);
    setting.answer_wishes().await;
    assert_eq!(
        setting.nouns.mails.queued(10).expect("the outbox").len(),
        1,
        "one is enough"
    );
    let second = setting.mailed_token().await;
    setting
        .post("/email-confirmations", None, json!({ "token": first }))
        .await
        .expect(410);
    setting.clock.advance_s(25 * 3_600);
    setting
        .post("/email-confirmations", None, json!({ "token": second }))
        .await
        .expect(410);
}

/// Small finding of the portal's walk: a page left open asked every four seconds, so it never idled out.
#[tokio::test]
async fn a_page_that_looks_by_itself_keeps_no_session_alive() {
    let setting = Setting::new();
    let token = setting.customer("minji90").await;
    let look = async |path: &str, headers: &[(&str, &str)]| {
        let sent = setting.send(axum::http::Method::GET, path, Some(&token), headers, None);
        sent.await.status.as_u16()
    };
    let unattended = [("innkeeper-unattended", "1")];
    for _ in 0..59 {
        setting.clock.advance_s(60);
        assert_eq!(look("/servers", &unattended).await, 200);
    }
    assert_eq!(look("/servers", &[]).await, 200, "somebody looks himself");
    let unknown = [("innkeeper-unattended", "yes")];
    assert_eq!(look("/servers", &unknown).await, 400);
    for _ in 0..59 {
        setting.clock.advance_s(60);
        assert_eq!(look("/servers", &unattended).await, 200);
    }
    setting.clock.advance_s(61);
    assert_eq!(look("/servers", &unattended).await, 401);
    assert_eq!(look("/me", &[]).await, 401);
}

#[tokio::test]
async fn sessions_end_by_idleness() {
    let setting = Setting::new();
    let token = setting.customer("minji90").await;
    for _ in 0..3 {
        setting.clock.advance_s(3_000);
        setting.get("/me", Some(&token)).await.expect(200);
    }
    setting.clock.advance_s(3_601);
    setting.get("/me", Some(&token)).await.expect(401);
}

#[tokio::test]
async fn keys_are_added_once_and_refused_with_reasons() {
    let setting = Setting::new();
    let token = setting.customer("minji90").await;
    let id = setting.key(&token, 1).await;
    let add = async |text: &str| {
        let body = json!({ "name": "", "public_key": text });
        setting
            .post("/me/ssh-keys", Some(&token), body)
            .await
            .fields()
    };
    let refused = |code: &str| vec![("/public_key".to_owned(), code.to_owned())];
    assert_eq!(
        add(&format!("{} another comment", public_key(1))).await,
        refused("duplicate")
    );
    assert_eq!(
        add("-----BEGIN OPENSSH PRIVATE KEY-----\nabc").await,
        refused("private-key")
    );
    assert_eq!(
        add(&format!("{} me\n{}", public_key(2), public_key(3))).await,
        refused("several-keys")
    );
    assert_eq!(add("ssh-dss me").await, refused("unsafe-key"));
    let list = setting.get("/me/ssh-keys", Some(&token)).await.expect(200);
    assert_eq!(list["data"].as_array().map(Vec::len), Some(1));
    let path = format!("/me/ssh-keys/{id}");
    setting
        .send(Method::DELETE, &path, Some(&token), &[], None)
        .await
        .expect(204);
    setting
        .send(Method::DELETE, &path, Some(&token), &[], None)
        .await
        .expect(404);
}

/// Row C11: names of zero-width characters, and such that turn the direction of what stands around them.
#[tokio::test]
async fn no_key_has_a_name_that_can_not_be_seen() {
    let setting = Setting::new();
    let token = setting.customer("minji90").await;
    let invisible = "\u{200b}".repeat(50);
    for (seed, name, comment, shown) in [
        (1, invisible.as_str(), "", "ssh-ed25519"),
        (2, "lap\u{202e}top\u{7}", "me", "laptop"),
        (3, " my\u{2028}lap\u{a0}top ", "me", "my lap top"),
        // Whoever gives none gets the comment, as far as it can be seen.
        (4, "", invisible.as_str(), "ssh-ed25519"),
        (5, "", "me@lap\u{202e}top", "me@laptop"),
    ] {
        let line = format!("{} {comment}", public_key(seed));
        let body = json!({ "name": name, "public_key": line });
        let added = setting.post("/me/ssh-keys", Some(&token), body).await;
        assert_eq!(added.expect(201)["name"], shown, "{name:?}");
    }
}

/// Rows B20 and B21 and finding #7. What is mended and what is refused as what stands with the rule.
#[tokio::test]
async fn a_pasted_key_is_mended_shown_with_its_size_and_can_be_renamed() {
    let setting = Setting::new();
    let token = setting.customer("minji90").await;
    let key = public_key(1);
    let (kind, base64) = key.split_once(' ').expect("two parts");
    let (start, end) = base64.split_at(40);
    let file = format!(
        "---- BEGIN SSH2 PUBLIC KEY ----\r\nComment: \"eddsa-key\"\r\n{start}\r\n{end}\r\n---- END SSH2 PUBLIC KEY ----\r\n"
    );
    let add = async |name: &str, text: &str| {
        let body = json!({ "name": name, "public_key": text });
        setting.post("/me/ssh-keys", Some(&token), body).await
    };
    let added = add("", &file).await.expect(201);
    assert_eq!(added["public_key"], json!(key));
    assert_eq!(
        (&added["name"], &added["bits"]),
        (&json!("eddsa-key"), &json!(256))
    );
    let wrapped = format!("\u{feff}\"{kind}\t{start}\n{end}\u{200b}\"");
    let duplicate = ("/public_key".to_owned(), "duplicate".to_owned());
    assert_eq!(add("", &wrapped).await.fields(), [duplicate]);
    let private = "PuTTY-User-Key-File-3: ssh-ed25519\r\nEncryption: none";
    let refused = |field: &str| (field.to_owned(), "private-key".to_owned());
    let both = add(private, private).await.fields();
    assert_eq!(both, [refused("/public_key"), refused("/name")]);
    assert_eq!(
        add(private, &public_key(2)).await.fields(),
        [refused("/name")]
    );

    let path = format!("/me/ssh-keys/{}", added["id"].as_str().expect("an id"));
    let rename = async |name: &str| {
        let body = Some(json!({ "name": name }));
        let answer = setting.send(Method::PATCH, &path, Some(&token), &[], body);
        answer.await
    };
    assert_eq!(
        rename(" office\u{200b} ").await.expect(200)["name"],
        "office"
    );
    let blank = ("/name".to_owned(), "required".to_owned());
    assert_eq!(rename(" \u{200b}").await.fields(), [blank]);
    assert_eq!(rename(private).await.fields(), [refused("/name")]);
    rename(&"가".repeat(61)).await.expect(422);
    let list = setting.get("/me/ssh-keys", Some(&token)).await.expect(200);
    let names: Vec<_> = list["data"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|key| &key["name"])
        .collect();
    assert_eq!(names, ["office"]);
}

/// Row B23: one account, by whichever form of its address.
#[tokio::test]
async fn an_address_with_a_domain_in_any_script_is_one_on_every_way_in() {
    let setting = Setting::new();
    let (own, ascii) = ("minji@예시.kr", "minji@xn--vv4b11d.kr");
    let forms = [
        own,
        ascii,
        "MINJI@XN--VV4B11D.KR",
        "minji\u{ff20}\u{110b}\u{1168}\u{1109}\u{1175}\u{3002}kr",
    ];
    let mut body = signup("minji90");
    body["email"] = json!(own);
    let answer = setting
        .post("/signups", None, body.clone())
        .await
        .expect(201);
    assert_eq!(
        (&answer["email"], &answer["email_shown"]),
        (&json!(ascii), &json!(own))
    );
    setting.mailed_token().await;
    for form in forms {
        setting.clock.advance_s(61);
        let login = json!({ "login": form });
        setting
            .post("/email-confirmations/resend", None, login)
            .await
            .expect(202);
        setting.answer_wishes().await;
        let mails = setting.nouns.mails.queued(10).expect("the outbox");
        assert_eq!(mails.len(), 1, "{form}");
        let mail = compose(&setting.nouns, &mails[0]).await.expect("composed");
        assert_eq!(mail.expect("a reason").to, ascii);
        if form != forms[3] {
            setting.nouns.mails.done(mails[0].id).await.expect("done");
        }
    }
    let token = json!({ "token": setting.mailed_token().await });
    setting
        .post("/email-confirmations", None, token)
        .await
        .expect(204);
    for form in forms {
        let session = setting
            .sign_in_from("192.0.2.1", form, PASSWORD, None)
            .await;
        let session = session.expect(201);
        let me = setting
            .get("/me", session["token"].as_str())
            .await
            .expect(200);
        assert_eq!(
            (&me["email"], &me["email_shown"]),
            (&json!(ascii), &json!(own))
        );
    }
    // Guesses at it count together.
    for number in 0..5 {
        let form = forms[number % 4];
        let wrong = setting.sign_in_from("192.0.2.2", form, "wrong", None).await;
        wrong.expect(401);
    }
    setting
        .sign_in_from("192.0.2.2", own, PASSWORD, None)
        .await
        .expect(423);
}

#[tokio::test]
async fn a_domain_that_is_none_is_refused_as_that() {
    let setting = Setting::new();
    let mut body = signup("minji91");
    for (email, code) in [
        ("minji@예시.kr.", "bad-domain"),
        ("minji@예 시.kr", "bad-domain"),
        ("minji@p\u{430}ypal.example", "bad-domain"),
        ("민지@예시.kr", "bad-mailbox"),
    ] {
        body["email"] = json!(email);
        let refused = setting.post("/signups", None, body.clone()).await;
        assert_eq!(
            refused.fields(),
            [("/email".to_owned(), code.to_owned())],
            "{email}"
        );
    }
}

/// Row B19: the other form of a password was wrong, and five of it locked its owner out.
#[tokio::test]
async fn a_password_is_one_however_it_is_typed() {
    let setting = Setting::new();
    let composed = "보라색 닻과 café 58 들판 오십팔";
    let mut body = signup("minji90");
    body["password"] = json!(composed);
    setting.post("/signups", None, body).await.expect(201);
    let token = json!({ "token": setting.mailed_token().await });
    setting
        .post("/email-confirmations", None, token)
        .await
        .expect(204);
    let sign_in = async |login: &str, password: &str| {
        let before = setting.nouns.accounts.password_hashes();
        let answer = setting
            .sign_in_from("192.0.2.1", login, password, None)
            .await;
        let hashes = setting.nouns.accounts.password_hashes() - before;
        (answer.status.as_u16(), hashes)
    };
    let decomposed = composed
        .replace("é", "e\u{301}")
        .replace("닻", "\u{1103}\u{1161}\u{11be}");
    let typed = [
        decomposed.clone(),
        composed.replace("58", "５８"),
        composed.replace(' ', "\u{a0}"),
        composed.to_owned(),
    ];
    for password in &typed {
        assert_eq!(sign_in("minji90", password).await, (201, 1), "{password}");
    }
    // Wrong ones: one attempt each, and the same work whoever is meant.
    let wrong = format!("{decomposed}!");
    for login in ["minji90", "nobody7"] {
        for _ in 0..5 {
            assert_eq!(sign_in(login, &wrong).await, (401, 2), "{login}");
        }
        assert_eq!(sign_in(login, composed).await, (423, 0), "{login}");
    }
}

#[tokio::test]
async fn no_secret_reaches_the_disk() {
    let setting = Setting::new();
    setting
        .post("/signups", None, signup("minji90"))
        .await
        .expect(201);
    let mailed = setting.mailed_token().await;
    setting
        .post("/email-confirmations", None, json!({ "token": mailed }))
        .await
        .expect(204);
    let login = json!({ "login": "minji90", "password": PASSWORD });
    let session = setting.post("/sessions", None, login).await.expect(201);
    let session = session["token"].as_str().expect("a token");
    let found = |text: &str| files_with(&setting.folder, text);
    let account = session_account(&setting, session).await;
    assert!(!found(&account).is_empty(), "the search itself works");
    for secret in [PASSWORD, session, mailed.as_str()] {
        assert_eq!(found(secret), Vec::<std::path::PathBuf>::new());
    }
}

async fn session_account(setting: &Setting, token: &str) -> String {
    let me = setting.get("/me", Some(token)).await.expect(200);
    me["id"].as_str().expect("an id").to_owned()
}

/// All files below `folder` that hold `text`.
pub(crate) fn files_with(folder: &std::path::Path, text: &str) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(files_with(&path, text));
        } else {
            let bytes = std::fs::read(&path).expect("readable");
            // Valid text stays as it is between bytes that are none.
            if String::from_utf8_lossy(&bytes).contains(text) {
                found.push(path);
            }
        }
    }
    found
}

/// Row B15 of the trial: the 17th RSA key of 16,384 bits was answered with 500.
#[tokio::test]
async fn keys_are_refused_and_nothing_fails_when_they_take_too_much_room() {
    use base64::Engine as _;

    let setting = Setting::new();
    let token = setting.customer("minji90").await;
    let rsa = |seed: u8, bytes: usize| {
        let mut modulus = vec![seed | 1; bytes + 1];
        modulus[0] = 0;
        modulus[1] = 0xff;
        let mut blob = Vec::new();
        for part in [b"ssh-rsa".as_slice(), &[1, 0, 1], &modulus] {
            blob.extend(u32::try_from(part.len()).expect("short").to_be_bytes());
            blob.extend(part);
        }
        let text = base64::engine::general_purpose::STANDARD.encode(blob);
        format!("ssh-rsa {text}")
    };
    let name = "\u{d0a4}".repeat(60);
    let mut added = 0;
    let refused = loop {
        let public_key = rsa(2 * added, 2_048);
        let body = json!({ "name": name, "public_key": public_key });
        let answer = setting.post("/me/ssh-keys", Some(&token), body).await;
        if answer.status != 201 {
            break answer;
        }
        added += 1;
    };
    assert_eq!((added, refused.status.as_u16()), (13, 422));
    let expected = ("/public_key".to_owned(), "too-many".to_owned());
    assert_eq!(refused.fields(), [expected]);
    // A short one fits beside them, and can be ordered with.
    setting.key(&token, 1).await;
}
