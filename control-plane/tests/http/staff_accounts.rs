//! What staff see of customers' accounts, and do to them.

use innkeeper_control_plane::kernel::Actor;
use innkeeper_wire::staff::Role;
use serde_json::{Value, json};

use crate::{
    accounts::files_with,
    setting::{Answer, OTHER_PASSWORD, PASSWORD, Setting, room_for, signup, why},
    staff::{ask_as, of_role},
};

const GUESSER: &str = "198.51.100.7";

async fn account_of(setting: &Setting, token: &str) -> String {
    let me = setting.get("/me", Some(token)).await.expect(200);
    me["id"].as_str().expect("an id").to_owned()
}

fn ids(page: &Value) -> Vec<&str> {
    let accounts = page["accounts"].as_array().expect("a list");
    let logins = accounts.iter().map(|line| &line["person"]["login_id"]);
    logins.filter_map(Value::as_str).collect()
}

async fn search(setting: &Setting, staff: &str, text: &str) -> Answer {
    let body = json!({ "text": text });
    ask_as(setting, staff, "search_accounts", "", body).await
}

/// Each is in the audit trail; records are kept of the last ones alone.
#[tokio::test]
async fn searches_do_not_fill_the_store() {
    let setting = Setting::new();
    let staff = of_role(&setting, Role::Viewer).await;
    let other = of_role(&setting, Role::Support).await;
    search(&setting, &other, "minji").await.expect(200);
    for _ in 0..103 {
        search(&setting, &staff, "minji").await.expect(200);
    }
    let records = setting.nouns.ctx.store().range("staffsearch/", None, 200);
    assert_eq!(records.expect("readable").len(), 100 + 1);
    let me = ask_as(&setting, &staff, "staff_me", "", Value::Null).await;
    let me = me.expect(200)["id"].as_str().expect("an id").to_owned();
    let mine = format!("?actor={me}&limit=200");
    let audit = ask_as(&setting, &staff, "list_audit", &mine, Value::Null).await;
    let audit = audit.expect(200);
    let lines = audit["data"].as_array().expect("a list").iter();
    let searches = lines.filter(|line| line["cause"].to_string().contains("looks for accounts"));
    assert_eq!(searches.count(), 103);
}

#[tokio::test]
async fn staff_find_somebody_by_a_part_of_what_is_known() {
    let setting = Setting::new();
    let staff = of_role(&setting, Role::Viewer).await;
    let minji = setting.customer("minji90").await;
    setting.customer("zoe12").await;
    for (text, expected) in [
        ("minji", vec!["minji90"]),
        ("ZOE12@example", vec!["zoe12"]),
        ("@example.com", vec!["zoe12", "minji90"]),
        ("nobody", vec![]),
    ] {
        let found = search(&setting, &staff, text).await.expect(200);
        assert_eq!(ids(&found), expected, "{text}");
        assert_eq!(found["total"], expected.len(), "{text}");
    }
    let account = account_of(&setting, &minji).await;
    let found = search(&setting, &staff, &account).await.expect(200);
    assert_eq!(ids(&found), ["minji90"]);
    search(&setting, &staff, "  ").await.expect(422);
    search(&setting, &staff, &"x".repeat(255)).await.expect(422);
    // Who came after the directory was made is in it too, and who was erased is in it no more.
    setting.customer("newcomer").await;
    let found = search(&setting, &staff, "newcomer").await.expect(200);
    assert_eq!(ids(&found), ["newcomer"]);
    let id = account.parse().expect("an id");
    setting
        .nouns
        .billing
        .erase_account(Actor::Operator, id, &why())
        .await
        .expect("erased");
    let found = search(&setting, &staff, "minji").await.expect(200);
    assert_eq!(found["total"], 0);
    let erased = ask_as(&setting, &staff, "get_account", &account, json!({})).await;
    assert_eq!(erased.expect(200)["line"]["state"], "erased");
}

#[tokio::test]
async fn an_account_is_found_by_the_address_of_its_server() {
    let setting = Setting::new();
    let staff = of_role(&setting, Role::Viewer).await;
    let _host = setting.host("h1", room_for(9)).await;
    setting.customer("zoe12").await;
    let (token, order) = setting.ordered_server().await;
    let server = format!("/servers/{}", order["server"].as_str().expect("an id"));
    let server = setting.get(&server, Some(&token)).await.expect(200);
    for address in server["addresses"].as_array().expect("addresses") {
        let address = address.as_str().expect("a text");
        let found = search(&setting, &staff, &format!(" {address} ")).await;
        assert_eq!(ids(&found.expect(200)), ["minji90"], "{address}");
    }
    let found = search(&setting, &staff, "203.0.113.250").await.expect(200);
    assert_eq!(found["total"], 0);
}

#[tokio::test]
async fn a_list_of_accounts_has_pages_an_order_and_a_state() {
    let setting = Setting::new();
    let staff = of_role(&setting, Role::Viewer).await;
    for login in ["carla7", "abel77", "berta7"] {
        setting.customer(login).await;
    }
    let list = async |query: &str| {
        let page = ask_as(&setting, &staff, "list_accounts", query, json!({})).await;
        page.expect(200)
    };
    assert_eq!(ids(&list("").await), ["berta7", "abel77", "carla7"]);
    assert_eq!(
        ids(&list("?sort=login-id").await),
        ["abel77", "berta7", "carla7"]
    );
    assert_eq!(
        ids(&list("?sort=oldest&state=active").await),
        ["carla7", "abel77", "berta7"]
    );
    let none = list("?state=pending-email").await;
    assert_eq!((ids(&none).len(), &none["total"]), (0, &json!(0)));
    let beyond = list("?page=2").await;
    assert_eq!((ids(&beyond).len(), &beyond["total"]), (0, &json!(3)));
    for query in ["?sort=x", "?state=x", "?page=-1", "?who=x"] {
        let refused = ask_as(&setting, &staff, "list_accounts", query, json!({})).await;
        assert_eq!(refused.status, 400, "{query}");
    }
}

/// R4: at once, whoever has locked it.
#[tokio::test]
async fn support_unlocks_an_account_and_says_why() {
    let setting = Setting::new();
    let staff = of_role(&setting, Role::Support).await;
    let token = setting.customer("minji90").await;
    let account = account_of(&setting, &token).await;
    for _ in 0..5 {
        let wrong = setting
            .sign_in_from(GUESSER, "minji90", OTHER_PASSWORD, None)
            .await;
        wrong.expect(401);
    }
    let locked = setting
        .sign_in_from(GUESSER, "minji90", PASSWORD, None)
        .await;
    locked.expect(423);
    let view = ask_as(&setting, &staff, "get_account", &account, json!({})).await;
    assert!(view.expect(200)["locked_until"].is_string());
    let unlock =
        async |body: Value| ask_as(&setting, &staff, "unlock_account", &account, body).await;
    unlock(json!({ "reason": " " })).await.expect(422);
    unlock(json!({ "reason": "Minji has called" }))
        .await
        .expect(204);
    let right = setting
        .sign_in_from(GUESSER, "minji90", PASSWORD, None)
        .await;
    right.expect(201);
    let view = ask_as(&setting, &staff, "get_account", &account, json!({})).await;
    let view = view.expect(200);
    assert!(view["locked_until"].is_null());
    let act = &view["acts"][0];
    assert_eq!(act["by"], "a-support");
    assert_eq!(act["deed"], json!({ "kind": "unlocked" }));
    assert_eq!(act["reason"], "Minji has called");
    // The reason lies on the disk for nobody to read, and goes with the account.
    assert_eq!(
        files_with(&setting.folder, "Minji has called"),
        Vec::<std::path::PathBuf>::new()
    );
    let id = account.parse().expect("an id");
    setting
        .nouns
        .billing
        .erase_account(Actor::Operator, id, &why())
        .await
        .expect("erased");
    let view = ask_as(&setting, &staff, "get_account", &account, json!({})).await;
    let view = view.expect(200);
    assert_eq!(view["acts"][0]["deed"], json!({ "kind": "erased" }));
    assert!(view["acts"][1]["reason"].is_null());
    assert_eq!(view["acts"][1]["by"], "a-support");
    unlock(json!({ "reason": "again" })).await.expect(409);
}

#[tokio::test]
async fn support_changes_how_many_servers_an_account_may_have() {
    let setting = Setting::new();
    let staff = of_role(&setting, Role::Support).await;
    let token = setting.customer("minji90").await;
    let account = account_of(&setting, &token).await;
    let change = async |servers: u32| {
        let body = json!({ "server_quota": servers, "reason": "pays well" });
        ask_as(&setting, &staff, "change_quota", &account, body).await
    };
    change(1_001).await.expect(422);
    change(3).await.expect(204);
    let me = setting.get("/me", Some(&token)).await.expect(200);
    assert_eq!(me["server_quota"], 3);
    let view = ask_as(&setting, &staff, "get_account", &account, json!({})).await;
    let view = view.expect(200);
    let deed = json!({ "kind": "quota-changed", "before": 20, "after": 3 });
    assert_eq!(
        (&view["server_quota"], &view["acts"][0]["deed"]),
        (&json!(3), &deed)
    );
}

/// A sign-up that waits for its address to be confirmed; gives the account and the secret of the link.
async fn signed_up(setting: &Setting, login_id: &str, kind: &str) -> (String, String) {
    let mut request = signup(login_id);
    request["kind"] = json!(kind);
    if kind != "individual" {
        request["company"] = json!("Yeogwan Inc.");
    }
    let answer = setting.post("/signups", None, request).await.expect(201);
    let account = answer["account"].as_str().expect("an id").to_owned();
    (account, setting.mailed_token().await)
}

/// R10, where no mail arrives at all.
#[tokio::test]
async fn support_vouches_for_an_address_that_no_mail_reaches() {
    let setting = Setting::new();
    let staff = of_role(&setting, Role::Support).await;
    let why = || json!({ "reason": "she has called from the number on her card" });
    for (login, kind, standing) in [
        ("minji90", "individual", "active"),
        ("yeogwan1", "corporate", "pending-approval"),
    ] {
        let (account, link) = signed_up(&setting, login, kind).await;
        let confirm =
            async || ask_as(&setting, &staff, "confirm_account_email", &account, why()).await;
        confirm().await.expect(204);
        let view = ask_as(&setting, &staff, "get_account", &account, json!({})).await;
        let view = view.expect(200);
        assert_eq!(view["line"]["state"], standing);
        assert_eq!(view["kind"], kind);
        assert_eq!(view["waits_since"].is_string(), kind == "corporate");
        assert_eq!(view["company"].is_string(), kind == "corporate");
        assert_eq!(
            view["acts"][0]["deed"],
            json!({ "kind": "email-confirmed" })
        );
        assert_eq!(view["acts"][0]["reason"], why()["reason"]);
        // Once, and the link that may still arrive works no more.
        confirm().await.expect(409);
        let late = json!({ "token": link });
        let late = setting.post("/email-confirmations", None, late).await;
        late.expect(410);
    }
    let body = json!({ "login": "minji90", "password": PASSWORD });
    setting.post("/sessions", None, body).await.expect(201);
    // A day later there is nothing to vouch for.
    let (account, _) = signed_up(&setting, "late123", "individual").await;
    setting.clock.advance_s(24 * 3_600);
    let staff = of_role(&setting, Role::Admin).await;
    let late = ask_as(&setting, &staff, "confirm_account_email", &account, why()).await;
    late.expect(409);
}

#[tokio::test]
async fn support_has_a_confirmation_mailed_again_but_floods_nobody() {
    let setting = Setting::new();
    let staff = of_role(&setting, Role::Support).await;
    let (account, first) = signed_up(&setting, "minji90", "individual").await;
    let again = async || {
        let body = json!({ "reason": "asked for on the telephone" });
        ask_as(&setting, &staff, "mail_confirmation", &account, body).await
    };
    again().await.expect(204);
    again().await.expect(409);
    let second = setting.mailed_token().await;
    let confirm = async |token: &str| {
        let body = json!({ "token": token });
        setting.post("/email-confirmations", None, body).await
    };
    confirm(&first).await.expect(410);
    let mut statuses = Vec::new();
    for _ in 0..10 {
        let answer = again().await;
        statuses.push(answer.status.as_u16());
        if statuses.last() == Some(&204) {
            setting.mailed_token().await;
        }
    }
    assert!(
        statuses.starts_with(&[204]) && statuses.ends_with(&[429]),
        "{statuses:?}"
    );
    confirm(&second).await.expect(410);
    let view = ask_as(&setting, &staff, "get_account", &account, json!({})).await;
    let deed = json!({ "kind": "confirmation-mailed" });
    assert_eq!(view.expect(200)["acts"][0]["deed"], deed);
    // Of an account that is in use the address changes by its owner alone.
    let token = setting.customer("zoe1234").await;
    let account = account_of(&setting, &token).await;
    for deed in ["mail_confirmation", "confirm_account_email"] {
        let body = json!({ "reason": "asked for" });
        let refused = ask_as(&setting, &staff, deed, &account, body).await;
        refused.expect(409);
    }
}

#[tokio::test]
async fn why_an_account_was_erased_outlives_its_person() {
    let setting = Setting::new();
    let staff = of_role(&setting, Role::Admin).await;
    let token = setting.customer("minji90").await;
    let account = account_of(&setting, &token).await;
    let unlock = json!({ "reason": "Minji has called" });
    let unlocked = ask_as(&setting, &staff, "unlock_account", &account, unlock).await;
    unlocked.expect(204);
    let erase = async |body: Value| ask_as(&setting, &staff, "erase_account", &account, body).await;
    erase(json!({})).await.expect(400);
    erase(json!({ "reason": "asked for by letter 17" }))
        .await
        .expect(204);
    let view = ask_as(&setting, &staff, "get_account", &account, json!({})).await;
    let acts = view.expect(200)["acts"].clone();
    assert_eq!(acts[0]["deed"], json!({ "kind": "erased" }));
    assert_eq!(acts[0]["by"], "a-admin");
    assert_eq!(acts[0]["reason"], "asked for by letter 17");
    assert!(acts[1]["reason"].is_null(), "that one named her");
    assert_eq!(
        files_with(&setting.folder, "asked for by letter 17"),
        Vec::<std::path::PathBuf>::new(),
        "it lies on the disk for nobody to read"
    );
    let about = format!("?about={account}");
    let trail = ask_as(&setting, &staff, "list_audit", &about, json!({})).await;
    let trail = trail.expect(200)["data"].to_string();
    assert!(trail.contains("\"actor_name\":\"a-admin\""), "{trail}");
    assert!(trail.contains("asked for by letter 17"), "{trail}");
    assert!(!trail.contains("Minji"), "{trail}");
    // A second time nothing is noted.
    erase(json!({ "reason": "again" })).await.expect(204);
    let view = ask_as(&setting, &staff, "get_account", &account, json!({})).await;
    assert_eq!(view.expect(200)["acts"], acts);
}
