//! Ordering a server: choice, inline key, confirmation, and clicks that come twice.

use innkeeper_wire::error::{FieldErrorCode, Problem, ProblemCode};
use serde_json::json;

use crate::support::{Browser, Stub, invalid};

const KEY: &str = "key_0190b5c87f1e7c3a8e0f000000000001";
const QUOTE: &str = "quo_0190b5c87f1e7c3a8e0f000000000001";
const CONFIRM: &str = "/servers/new/confirm?quote=quo_0190b5c87f1e7c3a8e0f000000000001";
const CHOICE: &[(&str, &str)] = &[
    ("site", "seoul-1"),
    ("image", "debian-12"),
    ("plan", "m"),
    ("name", "web-1"),
];

#[tokio::test]
async fn a_choice_becomes_a_quote_and_a_quote_an_order() {
    let stub = Stub::new();
    let mut member = Browser::new(&stub).await.signed_in();
    let page = member.get("/servers/new?plan=l").await;
    assert!(page.body.contains("value=\"l\" checked"));
    let mut fields = CHOICE.to_vec();
    fields.extend([
        ("ssh_keys", KEY),
        ("ssh_keys", "key_0190b5c87f1e7c3a8e0f000000000002"),
    ]);
    let answer = member.post("/servers/new", &fields).await;
    assert_eq!((answer.status, answer.header("location")), (303, CONFIRM));
    assert_eq!(
        stub.calls("POST /quotes")[0].body,
        json!({
            "site": "seoul-1", "plan": "m", "image": "debian-12", "name": "web-1",
            "ssh_keys": [KEY, "key_0190b5c87f1e7c3a8e0f000000000002"],
        })
    );
    let page = member.get(CONFIRM).await;
    assert!(page.body.contains("Order at this price"));
    let key = page.hidden("idempotency_key");
    let fields = [
        ("quote", QUOTE),
        ("idempotency_key", &key),
        ("accept_cautions", "yes"),
    ];
    let answer = member.post(CONFIRM, &fields).await;
    assert_eq!(
        answer.header("location"),
        "/servers/srv_0190b5c87f1e7c3a8e0f000000000001"
    );
    let call = &stub.calls("POST /orders")[0];
    assert_eq!(call.body, json!({"quote": QUOTE, "accept_cautions": true}));
    assert_eq!(call.headers["idempotency-key"], key.as_str());
}

/// Finding 8: everything is filled in again, the keys too; the only key of an account always is.
#[tokio::test]
async fn what_is_ordered_again_has_its_keys_ticked() {
    let stub = Stub::new();
    let mut member = Browser::new(&stub).await.signed_in();
    let again = "/servers/new?site=seoul-1&image=debian-12&plan=m&name=trial";
    let ticked = async |member: &mut Browser, path: &str| {
        let page = member.get(path).await.body;
        let keys = page.split("name=\"ssh_keys\"").skip(1);
        let is_ticked = |key: &str| {
            key.split('>')
                .next()
                .is_some_and(|tag| tag.contains(" checked"))
        };
        keys.map(is_ticked).collect::<Vec<_>>()
    };
    let fingerprint = stub.book().keys[1].fingerprint.replace(':', "%3A");
    let with_key = format!("{again}&ssh_keys={fingerprint}");
    assert_eq!(ticked(&mut member, again).await, [false, false]);
    assert_eq!(ticked(&mut member, &with_key).await, [false, true]);
    stub.book().keys.truncate(1);
    assert_eq!(ticked(&mut member, again).await, [true]);
}

#[tokio::test]
async fn a_double_click_carries_the_same_key_and_waits_for_the_first() {
    let stub = Stub::new();
    let mut member = Browser::new(&stub).await.signed_in();
    let key = member.get(CONFIRM).await.hidden("idempotency_key");
    let fields = [
        ("quote", QUOTE),
        ("idempotency_key", &key),
        ("accept_cautions", "yes"),
    ];
    let first = member.post(CONFIRM, &fields).await;
    stub.refuse(
        "POST /orders",
        Problem::new(ProblemCode::IdempotencyConflict),
    );
    stub.refuse(
        "POST /orders",
        Problem::new(ProblemCode::IdempotencyConflict),
    );
    let second = member.post(CONFIRM, &fields).await;
    assert_eq!(first.header("location"), second.header("location"));
    let calls = stub.calls("POST /orders");
    assert_eq!(calls.len(), 4);
    assert!(
        calls
            .iter()
            .all(|call| call.headers["idempotency-key"] == key.as_str())
    );
}

#[tokio::test]
async fn a_refused_order_gets_a_new_key_and_an_unanswered_one_keeps_it() {
    let stub = Stub::new();
    let mut member = Browser::new(&stub).await.signed_in();
    let key = member.get(CONFIRM).await.hidden("idempotency_key");
    let fields = [("quote", QUOTE), ("idempotency_key", key.as_str())];
    stub.refuse(
        "POST /orders",
        invalid(&[("/accept_cautions", FieldErrorCode::Required)]),
    );
    let page = member.post(CONFIRM, &fields).await;
    assert_eq!(page.status, 200);
    assert!(
        page.body
            .contains("<a href=\"#accept_cautions\">Tick the box")
    );
    assert_ne!(page.hidden("idempotency_key"), key);
    stub.refuse(
        "POST /orders",
        Problem::new(ProblemCode::CapacityUnavailable),
    );
    let page = member.post(CONFIRM, &fields).await;
    assert_eq!(page.status, 200);
    assert!(page.body.contains("Nothing was reserved or charged."));

    let mut away = Browser::without_api().await.signed_in();
    away.get("/nowhere").await;
    let page = away.post(CONFIRM, &fields).await;
    assert_eq!(page.status, 503);
    assert_eq!(page.hidden("idempotency_key"), key);
    assert_eq!(page.hidden("quote"), QUOTE);
}

#[tokio::test]
async fn a_price_that_no_longer_holds_is_asked_for_again() {
    for code in [ProblemCode::PriceChanged, ProblemCode::QuoteExpired] {
        let stub = Stub::new();
        let mut member = Browser::new(&stub).await.signed_in();
        let key = member.get(CONFIRM).await.hidden("idempotency_key");
        stub.refuse("POST /orders", Problem::new(code));
        let fields = [
            ("quote", QUOTE),
            ("idempotency_key", &key),
            ("accept_cautions", "yes"),
        ];
        let page = member.post(CONFIRM, &fields).await;
        assert_eq!(page.status, 200);
        assert!(!page.body.contains("id=\"confirm-order\""));
        assert!(
            page.body
                .contains("href=\"/servers/new?site=seoul-1&#38;image=debian-12&#38;plan=m")
        );
    }
}

#[tokio::test]
async fn a_key_can_be_added_on_the_way() {
    let stub = Stub::new();
    stub.book().keys.clear();
    let mut member = Browser::new(&stub).await.signed_in();
    let page = member.get("/servers/new").await;
    assert!(page.body.contains("You have no SSH key yet."));
    let mut fields = CHOICE.to_vec();
    fields.extend([
        ("public_key", "ssh-ed25519 AAAA me"),
        ("key_name", "laptop"),
    ]);
    stub.refuse(
        "POST /me/ssh-keys",
        invalid(&[("/name", FieldErrorCode::TooLong)]),
    );
    let page = member.post("/servers/new", &fields).await;
    assert!(
        page.body.contains("id=\"key_name-error\""),
        "said at the key's name"
    );
    assert!(
        !page.body.contains("id=\"name-error\""),
        "and not at the server's"
    );
    assert!(page.body.contains("value=\"web-1\"") && page.body.contains("ssh-ed25519 AAAA me"));
    assert!(stub.calls("POST /quotes").is_empty());
    let answer = member.post("/servers/new", &fields).await;
    assert_eq!(answer.header("location"), CONFIRM);
    let quoted = &stub.calls("POST /quotes")[0].body;
    assert_eq!(
        quoted["ssh_keys"],
        json!(["key_0190b5c87f1e7c3a8e0f000000000003"])
    );
}

#[tokio::test]
async fn refused_choices_are_said_at_their_place() {
    let stub = Stub::new();
    let mut member = Browser::new(&stub).await.signed_in();
    member.get("/servers/new").await;
    let problem = invalid(&[
        ("/name", FieldErrorCode::Malformed),
        ("/plan", FieldErrorCode::Unknown),
        ("/ssh_keys/0", FieldErrorCode::Unknown),
        ("/image", FieldErrorCode::DiskTooSmall),
    ]);
    stub.refuse("POST /quotes", problem);
    let page = member.post("/servers/new", CHOICE).await;
    assert_eq!(page.status, 200);
    for field in ["name", "plan", "ssh_keys", "image"] {
        assert!(page.body.contains(&format!("href=\"#{field}\"")), "{field}");
        assert!(page.body.contains(&format!("id=\"{field}\"")), "{field}");
        assert!(
            page.body.contains(&format!("id=\"{field}-error\"")),
            "{field}"
        );
    }
    assert!(
        page.body
            .contains("Use lower-case letters, digits and hyphens")
    );
    stub.refuse("POST /quotes", Problem::new(ProblemCode::QuotaExceeded));
    let page = member.post("/servers/new", CHOICE).await;
    assert_eq!(page.status, 200);
    assert!(page.body.contains("Your account&#39;s limit is reached."));
}

/// Finding 15 of the walk: "Plan S1", prices before tax, and the rest on another page or on none.
#[tokio::test]
async fn the_summary_says_what_is_bought_and_what_it_costs_in_the_end() {
    let stub = Stub::new();
    let mut member = Browser::new(&stub).await.signed_in();
    let told = [
        (
            "en",
            [
                "2 vCPU · 4 GiB memory · 60 GiB disk",
                "1 IPv6 address<",
                "VAT 10%",
                "Minimum charge",
                "Still charged while stopped.",
                "This price holds until 21 Nov 2026, 21:30 KST.",
            ],
        ),
        (
            "ko",
            [
                "vCPU 2개 · 메모리 4 GiB",
                "IPv6 주소 1개<",
                "부가세 10%",
                "최소 요금",
                "정지 중에도 요금이 청구됩니다.",
                "이 금액은 2026년 11월 21일 21:30 KST까지 유효합니다.",
            ],
        ),
        (
            "zh-Hant",
            [
                "2 個 vCPU · 記憶體 4 GiB",
                "1 個 IPv6 位址<",
                "營業稅 10%",
                "最低收費",
                "關機期間仍會計費。",
                "此價格有效至 2026年11月21日 21:30 KST。",
            ],
        ),
    ];
    for (lang, words) in told {
        let page = member.get(&format!("{CONFIRM}&lang={lang}")).await;
        for word in words {
            assert!(page.body.contains(word), "{word} is not said in {lang}");
        }
        let order = "/orders/ord_0190b5c87f1e7c3a8e0f000000000001";
        let order = member.get(&format!("{order}?lang={lang}")).await;
        for word in &words[..3] {
            assert!(order.body.contains(word), "{word} is not on the order");
        }
        for amount in ["35.2", "23,100", "21,000", "2,100"] {
            for page in [&page, &order] {
                assert!(page.body.contains(amount), "{amount} is not there, {lang}");
            }
        }
    }
}

/// Finding 5: without scripts the box would show the price of a plan that is not the chosen one.
#[tokio::test]
async fn the_price_box_has_no_amount_that_a_script_has_not_put_there() {
    let stub = Stub::new();
    let mut member = Browser::new(&stub).await.signed_in();
    let page = member.get("/servers/new?plan=l").await.body;
    let (_, side) = page
        .split_once("<aside class=\"order-side\"")
        .expect("the box");
    let (side, _) = side.split_once("</aside>").expect("its end");
    assert!(!side.contains('₩'), "{side}");
    assert!(side.contains("<noscript><p class=\"price-later\">The next page shows"));
    assert!(page.contains("data-hour=\"₩70.4 an hour\""), "{page}");
}

#[tokio::test]
async fn what_is_to_be_known_of_prices_stands_beside_them() {
    let stub = Stub::new();
    let mut visitor = Browser::new(&stub).await;
    for (lang, words) in [
        (
            "en",
            [
                "Prices include VAT 10%.",
                "at least one hour",
                "₩9.9 an hour",
            ],
        ),
        (
            "ko",
            [
                "표시된 금액은 부가세 10%를 포함한 금액입니다.",
                "최소 1시간",
                "9.9원",
            ],
        ),
        (
            "zh-Hant",
            ["所示價格均含營業稅 10%。", "至少收取一小時", "₩9.9"],
        ),
    ] {
        let page = visitor.get(&format!("/?lang={lang}")).await.body;
        for word in words {
            assert!(page.contains(word), "{word} is not on the front page");
        }
    }
}
