//! Kinds of members (R12), what they agree to (R13, R14), and what operators decide about companies (R26).

use std::sync::Arc;

use axum::{
    body::Body,
    http::{Method, Request},
};
use innkeeper_control_plane::{
    accounts::rules::{
        account::{Account, AccountState},
        consent::ConsentDocument,
    },
    kernel::Actor,
    legal::{ConsentTexts, LegalTexts, MemberTexts},
    mails::rules::MailKind,
    nouns::Settings,
};
use innkeeper_wire::{digest::Digest, id::AccountId};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::{
    authorization::socket,
    offer::{settings, terms},
    setting::{Answer, OTHER_PASSWORD, PASSWORD, Setting, answer, signup, why},
};

const REASON: &str = "회사 등록 정보를 찾을 수 없습니다.";

/// An installation that asks for both consents, and has other terms for partners.
fn setting() -> Setting {
    Setting::with(Settings {
        texts: MemberTexts {
            terms: ConsentTexts {
                partner: Some(LegalTexts::of_one("Be partners.")),
                ..ConsentTexts::of_all("2026-11", terms())
            },
            personal_data: Some(ConsentTexts::of_all(
                "2026-12",
                LegalTexts::of_one("We keep your name."),
            )),
            mobile_notice: Some(LegalTexts::of_one("Your own number.")),
        },
        ..settings()
    })
}

fn request(login_id: &str, kind: &str) -> Value {
    let mut body = signup(login_id);
    body["kind"] = json!(kind);
    body["accepted_personal_data"] = json!("2026-12");
    if kind != "individual" {
        body["company"] = json!("주식회사 여관");
    }
    body
}

/// Signs up and confirms; gives the account.
async fn confirmed(setting: &Setting, login_id: &str, kind: &str) -> AccountId {
    let body = request(login_id, kind);
    let made = setting.post("/signups", None, body).await.expect(201);
    let body = json!({ "token": setting.mailed_token().await });
    let confirmed = setting.post("/email-confirmations", None, body);
    confirmed.await.expect(204);
    made["account"]
        .as_str()
        .expect("an id")
        .parse()
        .expect("an id")
}

async fn sign_in(setting: &Setting, login: &str, password: &str) -> (u16, String) {
    let answer = setting.sign_in_from("198.51.100.1", login, password, None);
    let answer = answer.await;
    let code = answer.body["code"].as_str().unwrap_or_default().to_owned();
    (answer.status.as_u16(), code)
}

fn account(setting: &Setting, id: AccountId) -> Account {
    let found = setting.nouns.ctx.read::<Account>(&id);
    found.expect("readable").expect("it is there")
}

pub(crate) async fn operator(setting: &Setting, method: Method, path: &str, body: Value) -> Answer {
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("content-type", "application/json")
        .body(Body::from(body.to_string()));
    answer(socket(setting), request.expect("a request")).await
}

async fn decide(setting: &Setting, id: AccountId, verb: &str, body: Value) -> u16 {
    let path = format!("/accounts/{id}/{verb}");
    let answer = operator(setting, Method::POST, &path, body).await;
    answer.status.as_u16()
}

async fn waiting(setting: &Setting) -> Vec<Value> {
    let list = operator(setting, Method::GET, "/accounts/pending", json!({})).await;
    list.expect(200).as_array().expect("a list").clone()
}

#[tokio::test]
async fn each_kind_reads_its_own_texts() {
    let setting = setting();
    for (query, text, lang) in [
        ("", "Be kind.", None),
        ("?lang=ko", "친절하게.", Some("ko")),
        ("?kind=corporate&lang=ko", "친절하게.", Some("ko")),
        ("?kind=partner&lang=ko", "Be partners.", None),
    ] {
        let path = format!("/signups/texts{query}");
        let texts = setting.get(&path, None).await.expect(200);
        assert_eq!(texts["terms"]["text"], text, "{query}");
        assert_eq!(texts["terms"]["version"], "2026-11");
        assert_eq!(texts["terms"].get("lang").and_then(Value::as_str), lang);
        assert_eq!(texts["personal_data"]["version"], "2026-12");
        assert_eq!(texts["mobile_notice"]["text"], "Your own number.");
    }
    let plain = Setting::new();
    let texts = plain.get("/signups/texts", None).await.expect(200);
    assert!(texts.get("personal_data").is_none(), "{texts}");
    let unknown = setting.get("/signups/texts?kind=king", None).await;
    assert_eq!(unknown.status.as_u16(), 400);
}

#[tokio::test]
async fn both_consents_are_kept_with_the_text_that_was_shown_when_and_from_where() {
    let setting = setting();
    let mut body = request("minji90", "partner");
    body["accepted_personal_data"] = Value::Null;
    body.as_object_mut()
        .expect("an object")
        .remove("accepted_personal_data");
    let refused = setting.post("/signups", None, body).await;
    let wanted = ("/accepted_personal_data".to_owned(), "required".to_owned());
    assert_eq!(refused.fields(), [wanted]);
    let at = setting.nouns.ctx.now();
    let id = confirmed(&setting, "minji90", "partner").await;
    let stored = account(&setting, id);
    let consents: Vec<_> = stored
        .consents
        .iter()
        .map(|it| {
            (
                it.document,
                it.version.as_str(),
                it.text,
                it.at,
                it.from.is_some(),
            )
        })
        .collect();
    let terms = Some(Digest::of(b"Be partners."));
    let personal_data = Some(Digest::of(b"We keep your name."));
    assert_eq!(
        consents,
        [
            (ConsentDocument::Terms, "2026-11", terms, at, true),
            (
                ConsentDocument::PersonalData,
                "2026-12",
                personal_data,
                at,
                true
            ),
        ]
    );
    let billing = &setting.nouns.billing;
    billing
        .erase_account(Actor::Operator, id, &why())
        .await
        .expect("erased");
    let erased = account(&setting, id);
    assert!(erased.consents.iter().all(|it| it.from.is_none()));
    assert!(
        waiting(&setting).await.is_empty(),
        "an erased one waits no more"
    );
}

#[tokio::test]
async fn an_individual_is_in_use_at_once_and_a_company_once_it_is_approved() {
    let setting = setting();
    let individual = confirmed(&setting, "minji90", "individual").await;
    assert_eq!(account(&setting, individual).state, AccountState::Active);
    assert!(waiting(&setting).await.is_empty());
    for (login, kind) in [("corp01", "corporate"), ("part01", "partner")] {
        let id = confirmed(&setting, login, kind).await;
        assert_eq!(account(&setting, id).state, AccountState::PendingApproval);
        let list = waiting(&setting).await;
        assert_eq!(list.len(), 1, "{list:?}");
        assert_eq!(list[0]["account"], id.to_string());
        assert_eq!(list[0]["kind"], kind);
        assert_eq!(list[0]["login_id"], login);
        assert_eq!(list[0]["company"], "주식회사 여관");
        assert_eq!(list[0]["email"], format!("{login}@example.com"));
        let told = setting.mails(MailKind::ApprovalAwaited).await;
        assert_eq!(told.len(), 1, "{kind}");
        assert_eq!(told[0].to, format!("{login}@example.com"));

        let wrong = sign_in(&setting, login, OTHER_PASSWORD).await;
        assert_eq!(wrong, (401, "bad-credentials".to_owned()));
        let right = sign_in(&setting, login, PASSWORD).await;
        assert_eq!(right, (403, "approval-pending".to_owned()));

        assert_eq!(
            decide(&setting, id, "approve", json!({ "reason": "known" })).await,
            204
        );
        assert!(waiting(&setting).await.is_empty());
        assert_eq!(sign_in(&setting, login, PASSWORD).await.0, 201);
        let told = setting.mails(MailKind::Approved).await;
        assert_eq!(
            told.last().expect("a mail").to,
            format!("{login}@example.com")
        );
        for (verb, body) in [
            ("approve", json!({ "reason": "known" })),
            ("reject", json!({ "reason": REASON })),
        ] {
            assert_eq!(decide(&setting, id, verb, body).await, 409, "{verb}");
        }
        assert_eq!(sign_in(&setting, login, PASSWORD).await.0, 201);
        for mail in setting.nouns.mails.queued(100).expect("the outbox") {
            setting.nouns.mails.done(mail.id).await.expect("done");
        }
    }
}

#[tokio::test]
async fn a_rejected_account_is_told_why_keeps_its_id_and_frees_its_address() {
    let setting = setting();
    let id = confirmed(&setting, "corp01", "corporate").await;
    let unsaid = decide(&setting, id, "reject", json!({ "reason": " " })).await;
    assert_eq!(unsaid, 422);
    let body = json!({ "reason": REASON });
    assert_eq!(decide(&setting, id, "reject", body.clone()).await, 204);
    assert_eq!(account(&setting, id).state, AccountState::Rejected);
    assert!(waiting(&setting).await.is_empty());
    let told = setting.mails(MailKind::SignUpRejected).await;
    assert_eq!(told.len(), 1);
    assert!(
        told[0].letter.body.contains(REASON),
        "{}",
        told[0].letter.body
    );
    let path = format!("/accounts/{id}");
    let shown = operator(&setting, Method::GET, &path, json!({}))
        .await
        .expect(200);
    assert_eq!(shown["line"]["state"], "rejected");
    assert_eq!(shown["acts"][0]["deed"]["kind"], "rejected");
    assert_eq!(shown["acts"][0]["reason"], REASON);
    let stored = setting.nouns.ctx.store().range("acc/", None, 10);
    for (_, record) in stored.expect("readable") {
        let text = String::from_utf8_lossy(&record.value).into_owned();
        assert!(!text.contains("회사"), "the reason is sealed: {text}");
    }

    let wrong = sign_in(&setting, "corp01", OTHER_PASSWORD).await;
    assert_eq!(wrong, (401, "bad-credentials".to_owned()));
    let right = sign_in(&setting, "corp01", PASSWORD).await;
    assert_eq!(right, (403, "sign-up-rejected".to_owned()));
    assert_eq!(
        decide(&setting, id, "approve", json!({ "reason": "known" })).await,
        409
    );
    assert_eq!(decide(&setting, id, "reject", body).await, 409);

    let taken = setting.post("/signups", None, request("CORP01", "corporate"));
    let taken = taken.await;
    assert_eq!(
        taken.fields(),
        [("/login_id".to_owned(), "taken".to_owned())]
    );
    let mut again = request("corp02", "individual");
    again["email"] = json!("corp01@example.com");
    setting.post("/signups", None, again).await.expect(201);
    let body = json!({ "token": setting.mailed_token().await });
    let done = setting.post("/email-confirmations", None, body).await;
    done.expect(204);
    let by_email = sign_in(&setting, "corp01@example.com", PASSWORD).await;
    assert_eq!(by_email.0, 201, "the address is the new account's alone");
}

#[tokio::test]
async fn of_an_approval_and_a_rejection_at_once_one_wins() {
    let setting = setting();
    for round in 0..8 {
        let login = format!("corp{round:02}");
        let id = confirmed(&setting, &login, "corporate").await;
        let approve = decide(&setting, id, "approve", json!({ "reason": "known" }));
        let reject = decide(&setting, id, "reject", json!({ "reason": REASON }));
        let (approved, rejected) = tokio::join!(approve, reject);
        let mut both = [approved, rejected];
        both.sort_unstable();
        assert_eq!(both, [204, 409]);
        let expected = if approved == 204 {
            AccountState::Active
        } else {
            AccountState::Rejected
        };
        assert_eq!(account(&setting, id).state, expected);
    }
    let mails = setting.nouns.mails.queued(100).expect("the outbox");
    let is_told = |kind: MailKind| matches!(kind, MailKind::Approved | MailKind::SignUpRejected);
    let told = mails.iter().filter(|mail| is_told(mail.content.kind()));
    assert_eq!(told.count(), 8, "one mail a decision");
}

/// Of those that come at once some are put off before a password is hashed; none of the others gets the ID.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sixty_four_sign_ups_with_one_id_make_one_account() {
    let setting = Arc::new(Setting::new());
    let mut asked = JoinSet::new();
    for number in 0..64 {
        let setting = Arc::clone(&setting);
        asked.spawn(async move {
            let mut body = signup("minji90");
            body["email"] = json!(format!("minji{number}@example.com"));
            let address = format!("10.{number}.0.1");
            setting.post_from(&address, "/signups", body).await
        });
    }
    let (mut made, mut taken) = (0, 0);
    for answer in asked.join_all().await {
        match answer.status.as_u16() {
            201 => made += 1,
            503 => {}
            _ => {
                let wanted = ("/login_id".to_owned(), "taken".to_owned());
                assert_eq!(answer.fields(), [wanted], "{:?}", answer.body);
                taken += 1;
            }
        }
    }
    assert_eq!(made, 1);
    assert!(taken > 0, "some met it");
    for prefix in ["acc/", "login/", "email/", "mail/"] {
        let found = setting.nouns.ctx.store().range(prefix, None, 100);
        assert_eq!(found.expect("readable").len(), 1, "{prefix}");
    }
    let keys = std::fs::read_dir(setting.folder.join("keys/accounts"));
    assert_eq!(keys.expect("a folder").count(), 1, "others leave no key");
}

#[tokio::test]
async fn who_waits_for_approval_finds_his_id_and_chooses_another_password() {
    let setting = setting();
    confirmed(&setting, "corp01", "corporate").await;
    let body = json!({ "email": "corp01@example.com" });
    setting.post("/id-reminders", None, body).await.expect(202);
    let token = setting.reset_token("corp01").await;
    assert_eq!(setting.mails(MailKind::LoginIds).await.len(), 1);
    let body = json!({ "token": token, "password": OTHER_PASSWORD });
    let reset = setting.post("/password-resets/complete", None, body).await;
    reset.expect(204);
    let right = sign_in(&setting, "corp01", OTHER_PASSWORD).await;
    assert_eq!(right, (403, "approval-pending".to_owned()));
}

#[tokio::test]
async fn the_link_tells_what_kind_it_confirms_and_the_account_shows_its_company() {
    let setting = setting();
    let body = request("corp01", "corporate");
    let made = setting.post("/signups", None, body).await.expect(201);
    let token = json!({ "token": setting.mailed_token().await });
    let look = setting.post("/email-confirmations/look", None, token.clone());
    assert_eq!(look.await.expect(200)["kind"], "corporate");
    let done = setting.post("/email-confirmations", None, token).await;
    done.expect(204);
    let id: AccountId = made["account"]
        .as_str()
        .expect("an id")
        .parse()
        .expect("an id");
    let approved = decide(&setting, id, "approve", json!({ "reason": "known" })).await;
    assert_eq!(approved, 204);
    let body = json!({ "login": "corp01", "password": PASSWORD });
    let session = setting.post("/sessions", None, body).await.expect(201);
    let me = setting
        .get("/me", session["token"].as_str())
        .await
        .expect(200);
    assert_eq!(me["kind"], "corporate");
    assert_eq!(me["company"], "주식회사 여관");
}
