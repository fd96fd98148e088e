//! Who runs the installation, and the texts that customers agree to.

use crate::{offer::settings, setting::Setting};

#[tokio::test]
async fn everybody_is_told_who_runs_it_and_reads_its_texts_in_his_language() {
    let setting = Setting::new();
    let facts = setting.get("/installation", None).await.expect(200);
    assert_eq!(facts["company"]["name"], "Example Cloud Ltd.");
    let absent = facts["company"].get("address");
    assert!(absent.is_none(), "what is not written down is absent");
    assert_eq!(facts["has_privacy_policy"], true);
    assert_eq!(facts["offers_trial"], false);
    for (path, text, lang) in [
        ("/terms?lang=ko", "친절하게.", Some("ko")),
        ("/terms?lang=zh-Hant", "Be kind.", None),
        ("/terms", "Be kind.", None),
        ("/privacy?lang=ko", "We keep your name.", None),
    ] {
        let answer = setting.get(path, None).await.expect(200);
        assert_eq!(answer["text"], text, "{path}");
        let told = answer.get("lang").and_then(|lang| lang.as_str());
        assert_eq!(told, lang, "{path}");
    }
}

#[tokio::test]
async fn an_installation_without_a_privacy_policy_has_no_page_for_it() {
    let setting = Setting::with(innkeeper_control_plane::nouns::Settings {
        privacy: None,
        ..settings()
    });
    let facts = setting.get("/installation", None).await.expect(200);
    assert_eq!(facts["has_privacy_policy"], false);
    setting.get("/privacy", None).await.expect(404);
}
