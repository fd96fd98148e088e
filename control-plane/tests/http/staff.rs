//! Staff: how somebody becomes one, signs in and stops being one; and what comes in by the staff's door.

use std::{net::SocketAddr, sync::Arc};

use axum::{Extension, Router, body::Body, extract::ConnectInfo, http::Request};
use innkeeper_control_plane::{
    admin::staff_router,
    api::context::Context,
    credentials::rules::totp::{STEP, Secret},
    kernel::Actor,
};
use innkeeper_listener::Networks;
use innkeeper_wire::{
    digest::Digest,
    endpoints::{Row, Who, operators, rest},
    staff::{AddStaffRequest, Role, StaffStanding},
    time::Clock as _,
};
use serde_json::{Value, json};

use crate::{
    authorization::{Sample, ask, at_the_socket, filled, of_operator, socket},
    setting::{Answer, OTHER_PASSWORD, PASSWORD, PORTAL_KEY, Setting, answer, room_for},
};

/// Rows that are about the session of whoever asks: operators at their socket have none.
pub(crate) const IS_ABOUT_A_SESSION: [&str; 6] = [
    "staff_me",
    "staff_sign_out",
    "list_staff_sessions",
    "end_other_staff_sessions",
    "end_staff_session",
    "prove_staff",
];

const STAFF_PORTAL_KEY: &str = "the-secret-of-the-staffs-portal-alone";
const HERE: &str = "127.0.0.1:50000";

/// Who comes to the staff's door, and with what.
#[derive(Clone, Copy)]
struct Visitor<'a> {
    from: &'a str,
    portal_key: Option<&'a str>,
    token: Option<&'a str>,
}

const AT_THE_PORTAL: Visitor<'_> = Visitor {
    from: HERE,
    portal_key: Some(STAFF_PORTAL_KEY),
    token: None,
};

const fn at_the_portal(token: Option<&str>) -> Visitor<'_> {
    Visitor {
        token,
        ..AT_THE_PORTAL
    }
}

fn door(setting: &Setting) -> Router {
    let identity = Context {
        nouns: setting.nouns.clone(),
        metrics: setting.metrics.clone(),
        portal_key: Digest::of(STAFF_PORTAL_KEY.as_bytes()),
        trusted_proxies: Arc::default(),
    };
    staff_router(
        at_the_socket(setting),
        identity,
        Arc::new(Networks::loopback()),
    )
}

async fn come(
    setting: &Setting,
    visitor: Visitor<'_>,
    row: &Row,
    path: &str,
    body: &Value,
) -> Answer {
    let mut request = Request::builder()
        .method(row.method.as_str())
        .uri(path)
        .header("content-type", "application/json");
    for (name, value) in [
        (
            "x-innkeeper-portal-key",
            visitor.portal_key.map(str::to_owned),
        ),
        (
            "authorization",
            visitor.token.map(|token| format!("Bearer {token}")),
        ),
    ] {
        if let Some(value) = value {
            request = request.header(name, value);
        }
    }
    let peer: SocketAddr = visitor.from.parse().expect("an address");
    let router = door(setting).layer(Extension(ConnectInfo(peer)));
    let request = request.body(Body::from(body.to_string()));
    answer(router, request.expect("a request")).await
}

fn row(id: &str) -> &'static Row {
    let found = operators::ALL.iter().find(|row| row.id == id);
    found.unwrap_or_else(|| panic!("{id}"))
}

async fn post(setting: &Setting, id: &str, body: Value) -> Answer {
    let row = row(id);
    come(setting, AT_THE_PORTAL, row, row.path, &body).await
}

/// Adds somebody; gives the secret of his link.
async fn invited(setting: &Setting, name: &str, role: Role) -> String {
    let request = AddStaffRequest {
        name: name.to_owned(),
        role,
        email: format!("{name}@hoster.example"),
    };
    let added = setting.nouns.staff.add(Actor::Operator, &request).await;
    token_of(&added.expect("added").link)
}

fn token_of(link: &str) -> String {
    let (address, token) = link.split_once("?token=").expect("a link");
    assert_eq!(address, "https://ops.cloud.example/enrol");
    token.to_owned()
}

/// What his app has after he has looked at his link.
async fn looked_at(setting: &Setting, token: &str) -> Secret {
    let shown = post(setting, "look_at_enrolment", json!({ "token": token })).await;
    let shown = shown.expect(200);
    serde_json::from_value(shown["secret"].clone()).expect("a secret")
}

/// Uses a link up; gives what the app has. The code of the present step is used by that.
async fn enrolled(setting: &Setting, token: &str) -> Secret {
    let secret = looked_at(setting, token).await;
    let code = secret.code(setting.clock.now());
    let body = json!({ "token": token, "password": PASSWORD, "code": code });
    post(setting, "enrol", body).await.expect(204);
    secret
}

async fn try_sign_in(setting: &Setting, name: &str, password: &str, code: &str) -> Answer {
    let body = json!({ "name": name, "password": password, "code": code });
    post(setting, "staff_sign_in", body).await
}

/// Signs in with the code of the next step.
async fn signed_in(setting: &Setting, name: &str, secret: &Secret) -> String {
    setting.clock.advance_s(30);
    signed_in_with(setting, name, &secret.code(setting.clock.now())).await
}

async fn signed_in_with(setting: &Setting, name: &str, code: &str) -> String {
    let session = try_sign_in(setting, name, PASSWORD, code).await.expect(201);
    session["token"].as_str().expect("a text").to_owned()
}

/// Somebody of the staff, with his phone.
pub(crate) struct Colleague {
    name: String,
    pub(crate) secret: Secret,
}

impl Colleague {
    /// Added and enrolled.
    pub(crate) async fn new(setting: &Setting, role: Role) -> Self {
        let name = format!("a-{}", role.as_str());
        let token = invited(setting, &name, role).await;
        let secret = enrolled(setting, &token).await;
        Self { name, secret }
    }

    /// Signs in while no time passes, which works once: a phone's clock may be a step ahead.
    pub(crate) async fn sign_in(&self, setting: &Setting) -> String {
        let ahead = setting.clock.now().after(STEP);
        signed_in_with(setting, &self.name, &self.secret.code(ahead)).await
    }
}

/// Somebody with a role, signed in, while no time passes.
pub(crate) async fn of_role(setting: &Setting, role: Role) -> String {
    Colleague::new(setting, role).await.sign_in(setting).await
}

/// Asks as somebody of the staff; `rest` fills the path's parameter, or is the query.
pub(crate) async fn ask_as(
    setting: &Setting,
    token: &str,
    id: &str,
    rest: &str,
    body: Value,
) -> Answer {
    let row = row(id);
    let path = match row.parameter {
        Some(_) => filled(row, rest),
        None => format!("{}{rest}", row.path),
    };
    let visitor = Visitor {
        token: Some(token),
        ..AT_THE_PORTAL
    };
    come(setting, visitor, row, &path, &body).await
}

async fn me(setting: &Setting, token: &str) -> Answer {
    let visitor = Visitor {
        token: Some(token),
        ..AT_THE_PORTAL
    };
    come(setting, visitor, row("staff_me"), "/me", &json!({})).await
}

/// What is asked by staff, and about staff.
pub(crate) async fn sample(setting: &Setting, id: &str, row: &Row) -> (Sample, u16) {
    let (parameter, body, status) = match id {
        "look_at_enrolment" => {
            let token = invited(setting, "enrolling", Role::Viewer).await;
            ("", json!({ "token": token }), 200)
        }
        "enrol" => {
            let token = invited(setting, "enrolling", Role::Viewer).await;
            let code = looked_at(setting, &token).await.code(setting.clock.now());
            (
                "",
                json!({ "token": token, "password": PASSWORD, "code": code }),
                204,
            )
        }
        "staff_sign_in" => {
            let token = invited(setting, "enrolling", Role::Viewer).await;
            let secret = enrolled(setting, &token).await;
            setting.clock.advance_s(30);
            let code = secret.code(setting.clock.now());
            (
                "",
                json!({ "name": "enrolling", "password": PASSWORD, "code": code }),
                201,
            )
        }
        "list_staff_sessions" => ("", json!({}), 200),
        "end_other_staff_sessions" => ("", json!({}), 204),
        // Of nobody's, and with what is nobody's: whoever asks is there only later.
        "end_staff_session" => ("ses_0190b5c87f1e7c3a8e0f5b6d2c4a9e11", json!({}), 404),
        "prove_staff" => (
            "",
            json!({ "password": OTHER_PASSWORD, "code": "000000" }),
            422,
        ),
        "staff_me" | "list_staff" | "staff_installation" | "staff_catalogue" => {
            ("", json!({}), 200)
        }
        "staff_sign_out" => ("", json!({}), 204),
        "add_staff" => {
            let body = json!({ "name": "new", "role": "viewer", "email": "new@hoster.example" });
            ("", body, 201)
        }
        "reset_staff" | "change_role" | "disable_staff" => {
            invited(setting, "enrolling", Role::Viewer).await;
            let status = if id == "reset_staff" { 200 } else { 204 };
            ("enrolling", json!({ "role": "admin" }), status)
        }
        other => panic!("{other} has no sample request"),
    };
    let sample = Sample {
        path: filled(row, parameter),
        body,
        foreign: 404,
    };
    (sample, status)
}

/// Each row at the staff's door: by whoever has not the portal's key, comes from elsewhere, has no session or one of another
/// door, and by each role.
#[tokio::test]
async fn each_role_gets_at_what_is_its_own_by_the_staffs_door() {
    for row in operators::ALL {
        let setting = Setting::new();
        setting.host("h1", room_for(4)).await;
        let customer = setting.customer("minji90").await;
        let (sample, status) = of_operator(&setting, &customer, row).await;
        let ask = async |visitor: Visitor<'_>| {
            let asked = come(&setting, visitor, row, &sample.path, &sample.body).await;
            asked.status.as_u16()
        };
        let staff = setting.nouns.staff.list().expect("readable").len();
        for (from, portal_key) in [
            (HERE, None),
            (HERE, Some(PORTAL_KEY)),
            ("192.0.2.1:50000", Some(STAFF_PORTAL_KEY)),
        ] {
            let visitor = Visitor {
                from,
                portal_key,
                token: None,
            };
            assert_eq!(ask(visitor).await, 404, "{}", row.id);
        }
        let needed = match row.who {
            Who::Operator => {
                let token = of_role(&setting, Role::Admin).await;
                let token = Some(token.as_str());
                for token in [None, token] {
                    let visitor = at_the_portal(token);
                    assert_eq!(ask(visitor).await, 404, "{}", row.id);
                }
                assert_eq!(
                    setting.nouns.staff.list().expect("readable").len(),
                    staff + 1
                );
                continue;
            }
            Who::StaffVisitor => {
                assert_eq!(ask(AT_THE_PORTAL).await, status, "{}", row.id);
                continue;
            }
            other => other
                .role()
                .unwrap_or_else(|| panic!("{}: {other:?} does not come in by this door", row.id)),
        };
        for token in [None, Some("made-up"), Some(customer.as_str())] {
            let visitor = at_the_portal(token);
            assert_eq!(ask(visitor).await, 401, "{}", row.id);
        }
        // Those who may not come first: what is done may be done once.
        for role in Role::ALL.iter().filter(|role| !role.may(needed)) {
            let token = of_role(&setting, *role).await;
            let token = Some(token.as_str());
            let visitor = at_the_portal(token);
            assert_eq!(ask(visitor).await, 403, "{} {role:?}", row.id);
        }
        let token = of_role(&setting, needed).await;
        let visitor = at_the_portal(Some(token.as_str()));
        assert_eq!(ask(visitor).await, status, "{}", row.id);
    }
}

/// A session that was left open for ten minutes does nothing that can't be taken back, whatever its role.
#[tokio::test]
async fn rows_that_want_a_proof_want_one_of_the_last_ten_minutes() {
    let proven = operators::ALL.iter().filter(|row| row.who.wants_proof());
    let mut count = 0;
    for row in proven {
        let setting = Setting::new();
        let needed = row.who.role().expect("only staff prove anything here");
        let token = of_role(&setting, needed).await;
        setting.clock.advance_s(600);
        setting.host("h1", room_for(4)).await;
        let customer = setting.customer("minji90").await;
        let (sample, _) = of_operator(&setting, &customer, row).await;
        let visitor = at_the_portal(Some(token.as_str()));
        let refused = come(&setting, visitor, row, &sample.path, &sample.body).await;
        assert_eq!(
            refused.expect(403)["code"],
            "step-up-required",
            "{}",
            row.id
        );
        count += 1;
    }
    assert!(count > 0, "no row wants a proof");
}

#[tokio::test]
async fn a_session_of_the_staff_is_none_at_the_customers_door() {
    let setting = Setting::new();
    let token = of_role(&setting, Role::Admin).await;
    me(&setting, &token).await.expect(200);
    for row in rest::ALL {
        if matches!(row.who, Who::Customer | Who::ProvenCustomer) {
            let method = row.method.as_str().parse().expect("a method");
            let path = filled(row, "x");
            let refused = setting.send(method, &path, Some(&token), &[], Some(json!({})));
            assert_eq!(refused.await.status, 401, "{}", row.id);
        }
    }
}

#[tokio::test]
async fn a_link_makes_somebody_of_the_staff_once() {
    let setting = Setting::new();
    let token = invited(&setting, "Yuna", Role::Support).await;
    let secret = looked_at(&setting, &token).await;
    assert_eq!(
        looked_at(&setting, &token).await,
        secret,
        "looking changes nothing"
    );
    let enrol = async |password: &str, code: &str| {
        let body = json!({ "token": token, "password": password, "code": code });
        post(&setting, "enrol", body).await
    };
    let code = secret.code(setting.clock.now());
    let weak = enrol("password123456789", &code).await;
    weak.expect(422);
    let wrong = enrol(PASSWORD, "000000").await;
    assert_eq!(wrong.fields(), [("/code".to_owned(), "wrong".to_owned())]);
    // Nobody signs in before, whatever he has.
    try_sign_in(&setting, "yuna", PASSWORD, &code)
        .await
        .expect(401);
    enrol(PASSWORD, &code).await.expect(204);
    enrol(OTHER_PASSWORD, &code).await.expect(410);
    let look = post(&setting, "look_at_enrolment", json!({ "token": token }));
    look.await.expect(410);
    let session = signed_in(&setting, "yuna", &secret).await;
    let who = me(&setting, &session).await.expect(200);
    assert_eq!(
        (&who["name"], &who["role"]),
        (&json!("yuna"), &json!("support"))
    );
}

#[tokio::test]
async fn two_of_one_name_are_refused_and_a_link_ends_after_a_day() {
    let setting = Setting::new();
    let token = invited(&setting, "yuna", Role::Support).await;
    let body = json!({ "name": "YUNA", "role": "admin", "email": "y@hoster.example" });
    let again = ask(socket(&setting), row("add_staff"), "/staff", &body).await;
    assert_eq!(again.fields(), [("/name".to_owned(), "taken".to_owned())]);
    setting.clock.advance_s(24 * 3_600);
    let look = post(&setting, "look_at_enrolment", json!({ "token": token }));
    look.await.expect(410);
}

/// One of the staff who goes on and on is refused, and nobody else: no colleague, and no customer.
#[tokio::test]
async fn changes_of_one_of_the_staff_have_an_end() {
    let setting = Setting::new();
    let token = of_role(&setting, Role::Support).await;
    let other = of_role(&setting, Role::Admin).await;
    let customer = setting.customer("minji90").await;
    let unknown = "acc_0190b5c87f1e7c3a8e0f5b6d2c4a9e11";
    let unlock = async |token: &str| {
        let body = json!({ "reason": "he has called" });
        ask_as(&setting, token, "unlock_account", unknown, body).await
    };
    for _ in 0..300 {
        unlock(&token).await.expect(404);
    }
    assert_eq!(unlock(&token).await.expect(429)["code"], "rate-limited");
    // Looking goes on, and so does whoever else is there.
    me(&setting, &token).await.expect(200);
    unlock(&other).await.expect(404);
    setting.key(&customer, 1).await;
    setting.clock.advance_s(300);
    unlock(&token).await.expect(404);
    for _ in 0..299 {
        unlock(&token).await.expect(404);
    }
    let row = row("staff_sign_out");
    let visitor = at_the_portal(Some(token.as_str()));
    let left = come(&setting, visitor, row, row.path, &json!({})).await;
    left.expect(204);
}

/// What is wrong is never said, and five wrong ones lock: name, password or code.
#[tokio::test]
async fn wrong_sign_ins_are_alike_and_lock() {
    let setting = Setting::new();
    let token = invited(&setting, "yuna", Role::Support).await;
    let secret = enrolled(&setting, &token).await;
    setting.clock.advance_s(30);
    let code = secret.code(setting.clock.now());
    for (name, password, code) in [
        ("yuna", OTHER_PASSWORD, code.as_str()),
        ("yuna", PASSWORD, "000000"),
        ("yuna", "", ""),
        ("yuna", OTHER_PASSWORD, "000000"),
        ("yuna", PASSWORD, ""),
    ] {
        let refused = try_sign_in(&setting, name, password, code).await;
        assert_eq!(
            refused.expect(401)["code"],
            "bad-credentials",
            "{password} {code}"
        );
    }
    try_sign_in(&setting, "yuna", PASSWORD, &code)
        .await
        .expect(423);
    for _ in 0..5 {
        let refused = try_sign_in(&setting, "nobody", PASSWORD, &code).await;
        assert_eq!(refused.expect(401)["code"], "bad-credentials");
    }
    try_sign_in(&setting, "nobody", PASSWORD, &code)
        .await
        .expect(423);
    setting.clock.advance_s(30 * 60);
    signed_in(&setting, "yuna", &secret).await;
}

#[tokio::test]
async fn a_code_signs_in_once_of_two_who_come_with_it_together() {
    let setting = Setting::new();
    let token = invited(&setting, "yuna", Role::Support).await;
    let secret = enrolled(&setting, &token).await;
    setting.clock.advance_s(30);
    let code = secret.code(setting.clock.now());
    let (first, second) = tokio::join!(
        try_sign_in(&setting, "yuna", PASSWORD, &code),
        try_sign_in(&setting, "yuna", PASSWORD, &code),
    );
    let mut statuses = [first.status.as_u16(), second.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 401]);
    try_sign_in(&setting, "yuna", PASSWORD, &code)
        .await
        .expect(401);
}

#[tokio::test]
async fn sessions_end_by_themselves_and_with_their_owner() {
    let setting = Setting::new();
    let token = invited(&setting, "yuna", Role::Support).await;
    let secret = enrolled(&setting, &token).await;
    let idle = signed_in(&setting, "yuna", &secret).await;
    setting.clock.advance_s(14 * 60);
    me(&setting, &idle).await.expect(200);
    setting.clock.advance_s(14 * 60);
    me(&setting, &idle).await.expect(200);
    setting.clock.advance_s(15 * 60);
    me(&setting, &idle).await.expect(401);
    let long = signed_in(&setting, "yuna", &secret).await;
    for _ in 0..47 {
        setting.clock.advance_s(10 * 60);
        me(&setting, &long).await.expect(200);
    }
    setting.clock.advance_s(10 * 60);
    me(&setting, &long).await.expect(401);

    let staff = &setting.nouns.staff;
    let session = signed_in(&setting, "yuna", &secret).await;
    staff
        .change_role(Actor::Operator, "yuna", Role::Viewer)
        .await
        .expect("changed");
    assert_eq!(me(&setting, &session).await.expect(200)["role"], "viewer");
    staff.disable(Actor::Operator, "yuna").await.expect("off");
    me(&setting, &session).await.expect(401);
    assert_eq!(
        staff.list().expect("readable")[0].standing,
        StaffStanding::Off
    );
    setting.clock.advance_s(30);
    let code = secret.code(setting.clock.now());
    try_sign_in(&setting, "yuna", PASSWORD, &code)
        .await
        .expect(401);

    let link = staff
        .reset(Actor::Operator, "yuna")
        .await
        .expect("reset")
        .link;
    let other = enrolled(&setting, &token_of(&link)).await;
    assert_ne!(other, secret);
    let session = signed_in(&setting, "yuna", &other).await;
    let visitor = Visitor {
        token: Some(&session),
        ..AT_THE_PORTAL
    };
    let out = row("staff_sign_out");
    come(&setting, visitor, out, out.path, &json!({}))
        .await
        .expect(204);
    me(&setting, &session).await.expect(401);
}
