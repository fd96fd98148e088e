//! Who runs the installation stands on every page, and its texts can be read in the language that they are in.

use crate::support::{Browser, Stub};

#[tokio::test]
async fn every_page_says_who_runs_it() {
    let stub = Stub::new();
    let mut browser = Browser::new(&stub).await.signed_in();
    for (lang, label) in [
        ("en", "Business registration number"),
        ("ko", "사업자등록번호"),
        ("zh-Hant", "統一編號"),
    ] {
        for path in [
            "/",
            "/sign-up/done",
            "/servers",
            "/servers/new",
            "/no-such-page",
        ] {
            let page = browser.get(&format!("{path}?lang={lang}")).await;
            let (_, foot) = page.body.split_once("<footer").expect("a foot");
            for part in [
                label,
                "123-45-67890",
                "Harbour Cloud Co., Ltd.",
                "Han Jiwoo",
                "href=\"tel:+82325550100\"",
                "7 Harbour-ro, Jung-gu, Incheon 22333",
                "mailto:help@harbour.example",
                "href=\"/terms\"",
                "href=\"/privacy\"",
            ] {
                assert!(foot.contains(part), "{part} is not on {path} in {lang}");
            }
        }
    }
}

#[tokio::test]
async fn terms_are_marked_with_the_language_that_they_are_in() {
    let stub = Stub::new();
    let mut browser = Browser::new(&stub).await;
    let korean = browser.get("/terms?lang=ko").await.body;
    assert!(korean.contains("<div class=\"card legal\" lang=\"ko\">제1조"));
    assert!(!korean.contains("제공되지 않습니다"));
    let chinese = browser.get("/terms?lang=zh-Hant").await.body;
    assert!(chinese.contains("<div class=\"card legal\" lang=\"en\">1. Purpose"));
    assert!(
        chinese.contains("本文件沒有繁體中文版本"),
        "and that is said"
    );
    let unmarked = browser.get("/privacy?lang=ko").await.body;
    assert!(unmarked.contains("<div class=\"card legal\">We keep"));
}
