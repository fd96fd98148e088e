//! A new version of a text that members agree to is asked for again (R14), and what is kept of the answer.

use innkeeper_control_plane::{
    accounts::rules::{account::Account, consent::ConsentDocument},
    legal::{ConsentTexts, LegalTexts, MemberTexts},
    nouns::Settings,
};
use innkeeper_wire::digest::Digest;
use serde_json::{Value, json};

use crate::{
    offer::{settings, terms},
    setting::{PASSWORD, Setting},
};

/// With these versions of the terms and, if any, of the text on personal data.
fn texts(terms_version: &str, personal_data: Option<&str>) -> Settings {
    let personal_data = personal_data
        .map(|version| ConsentTexts::of_all(version, LegalTexts::of_one("We keep your name.")));
    Settings {
        texts: MemberTexts {
            terms: ConsentTexts::of_all(terms_version, terms()),
            personal_data,
            mobile_notice: None,
        },
        ..settings()
    }
}

/// The same installation after a restart with other texts, and a session of its customer there.
async fn restarted(setting: Setting, settings: Settings) -> (Setting, String) {
    let now = setting.nouns.ctx.now();
    let setting = Setting::open_with(setting.stop().await, settings);
    let passed = now.since(setting.nouns.ctx.now()).as_secs() + 60;
    setting.clock.advance_s(passed.try_into().expect("a while"));
    let body = json!({ "login": "minji90", "password": PASSWORD });
    let session = setting.post("/sessions", None, body).await.expect(201);
    let token = session["token"].as_str().expect("a token").to_owned();
    (setting, token)
}

async fn is_asked(setting: &Setting, token: &str) -> bool {
    let me = setting.get("/me", Some(token)).await.expect(200);
    me.get("consent_asked") == Some(&json!(true))
}

fn versions(consents: &Value) -> Vec<&str> {
    let given = consents["given"].as_array().expect("a list");
    given
        .iter()
        .map(|it| it["version"].as_str().expect("a version"))
        .collect()
}

#[tokio::test]
async fn whoever_agreed_to_an_older_version_is_asked_again_and_both_are_kept() {
    let setting = Setting::new();
    let token = setting.customer("minji90").await;
    assert!(!is_asked(&setting, &token).await);
    let consents = setting.get("/me/consents", Some(&token)).await.expect(200);
    assert_eq!(versions(&consents), ["2026-11"]);
    assert!(consents.get("terms").is_none(), "{consents}");

    let (setting, token) = restarted(setting, texts("2027-01", Some("2027-02"))).await;
    assert!(is_asked(&setting, &token).await);
    let path = "/me/consents?lang=ko";
    let consents = setting.get(path, Some(&token)).await.expect(200);
    assert_eq!(consents["terms"]["version"], "2027-01");
    assert_eq!(consents["terms"]["text"], "친절하게.");
    assert_eq!(consents["personal_data"]["version"], "2027-02");
    // Nothing is kept from whoever has not agreed.
    setting.get("/servers", Some(&token)).await.expect(200);

    let agree = async |body| setting.post("/me/consents", Some(&token), body).await;
    let outdated = json!({ "accepted_terms": "2026-11" });
    let of = |pointer: &str, code: &str| (pointer.to_owned(), code.to_owned());
    assert_eq!(
        agree(outdated).await.fields(),
        [
            of("/accepted_terms", "outdated"),
            of("/accepted_personal_data", "required")
        ]
    );
    assert!(is_asked(&setting, &token).await);
    let both = json!({
        "accepted_terms": "2027-01", "accepted_personal_data": "2027-02", "lang": "ko",
    });
    let consents = agree(both.clone()).await.expect(200);
    assert_eq!(versions(&consents), ["2027-02", "2027-01", "2026-11"]);
    assert!(!is_asked(&setting, &token).await);
    let me = setting.get("/me", Some(&token)).await.expect(200);
    let id = me["id"].as_str().expect("an id").parse().expect("an id");
    let stored = setting.nouns.ctx.read::<Account>(&id).expect("readable");
    let stored = stored.expect("it is there").consents;
    assert_eq!(stored[1].document, ConsentDocument::Terms);
    let read = Some(Digest::of("친절하게.".as_bytes()));
    assert_eq!(stored[1].text, read, "the text as it was read");
    assert!(stored[1].at > stored[0].at && stored[1].from.is_some());
    // What was sent twice is agreed to once.
    let again = agree(both).await.expect(200);
    assert_eq!(again, consents);
}

#[tokio::test]
async fn a_text_that_is_asked_for_no_more_is_nobodys_duty() {
    let setting = Setting::with(texts("2026-11", None));
    setting.customer("minji90").await;
    let (setting, token) = restarted(setting, texts("2026-11", Some("1"))).await;
    assert!(is_asked(&setting, &token).await);
    let (setting, token) = restarted(setting, texts("2026-11", None)).await;
    assert!(!is_asked(&setting, &token).await);
    let nothing = setting.post("/me/consents", Some(&token), json!({})).await;
    assert_eq!(versions(&nothing.expect(200)), ["2026-11"]);
}
