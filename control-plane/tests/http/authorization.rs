//! Endpoint by actor: the tables of `wire::endpoints` are walked, and each row is asked by everybody. A row without a
//! sample request here fails; an endpoint without a row can't be mounted.

use axum::{
    Router,
    body::Body,
    http::{Method, Request},
};
use innkeeper_control_plane::{
    admin::{self, AdminContext, Door},
    agent_api::listener::Connection,
    kernel::Actor,
};
use innkeeper_mtls::{HostRequest, Peer};
use innkeeper_wire::{
    api::Scope,
    digest::Digest,
    endpoints::{Row, Who, agents, operators, rest},
    host::{Intent, Observations, ObservedServer, ObservedState},
    time::Clock as _,
};
use serde_json::{Value, json};

use crate::{
    billing, lost_factor, second_factor,
    setting::{
        Answer, OTHER_PASSWORD, PASSWORD, Setting, TestHost, answer, profile, public_key, room_for,
        signup, why,
    },
    staff, support_jobs, tokens, trials,
};

/// What is asked, and how somebody hears who has nothing to do with what it is about.
pub(crate) struct Sample {
    /// Below the base of the API.
    pub(crate) path: String,
    pub(crate) body: Value,
    pub(crate) foreign: u16,
}

fn method(row: &Row) -> Method {
    row.method.as_str().parse().expect("a method")
}

/// The path with its parameter filled in.
pub(crate) fn filled(row: &Row, parameter: &str) -> String {
    let Some((before, rest)) = row.path.split_once('{') else {
        return row.path.to_owned();
    };
    let (_, after) = rest.split_once('}').expect("it ends");
    format!("{before}{parameter}{after}")
}

/// Whether a path with its parameter filled in, and its query, is one of this row's.
fn leads_to(row: &Row, path: &str) -> bool {
    let path = path.split_once('?').map_or(path, |(path, _)| path);
    let wanted: Vec<_> = row.path.split('/').collect();
    let given: Vec<_> = path.split('/').collect();
    let is_same = |(wanted, given): (&&str, &&str)| wanted.starts_with('{') || wanted == given;
    wanted.len() == given.len() && wanted.iter().zip(&given).all(is_same)
}

/// A customer with one of each thing.
struct Owner {
    token: String,
    key: String,
    /// Another one than the token's.
    session: String,
    /// One that is not ordered yet.
    quote: String,
    order: String,
    server: String,
    /// The id of an API token.
    api_token: String,
}

impl Owner {
    async fn new(setting: &Setting) -> Self {
        let host = setting.host("h1", room_for(4)).await;
        let token = setting.customer("minji90").await;
        let session = setting.other_session(&token, "minji90").await;
        let key = setting.key(&token, 1).await;
        let quote = setting.quote(&token, &key, "web-1").await;
        let order = setting.order(&token, &quote, "click").await.expect(201);
        let text = |value: &Value| value.as_str().expect("an id").to_owned();
        let running = ObservedServer {
            server: text(&order["server"]).parse().expect("an id"),
            state: ObservedState::Running { ready: true },
            power_serial: 1,
            reboots: 0,
            was_ready: Some(true),
            was_started: Some(true),
            network_cut: false,
            problem: None,
        };
        setting.report(&host, room_for(4), vec![running]).await;
        let (api_token, _) = tokens::make(setting, &token, &[Scope::Read]).await;
        Self {
            quote: setting.quote(&token, &key, "web-2").await,
            order: text(&order["id"]),
            server: text(&order["server"]),
            token,
            key,
            session,
            api_token,
        }
    }

    /// What is about the account itself: the parameter of the path, and the body.
    async fn of_account(&self, setting: &Setting, id: &str) -> (&str, Value) {
        let Self {
            session, api_token, ..
        } = self;
        match id {
            "billing_profile" => ("", json!({})),
            "set_billing_profile" => ("", profile()),
            "get_spending_alert" | "set_spending_alert" | "list_tokens" | "consents"
            | "get_statement" | "billing_summary" | "get_funds" => ("", json!({})),
            "get_invoice" | "get_invoice_pdf" => {
                billing::issue(setting, &self.token).await;
                (billing::INVOICE, json!({}))
            }
            "convert_trial" => {
                trials::on_trial(setting, &self.token).await;
                ("", json!({ "accept": true }))
            }
            "make_token" => ("", json!({ "name": "t", "scopes": ["read"], "days": 1 })),
            "end_token" | "enable_token" => (api_token.as_str(), json!({})),
            "list_sessions" | "end_other_sessions" => ("", json!({})),
            "prove" => ("", json!({ "password": PASSWORD })),
            "end_session" => (session.as_str(), json!({})),
            "find_id" => ("", json!({ "email": "minji90@example.com" })),
            "request_password_reset" => {
                let body = json!({ "login_id": "minji90", "email": "minji90@example.com" });
                ("", body)
            }
            "reset_password" => {
                let token = setting.reset_token("minji90").await;
                ("", json!({ "token": token, "password": OTHER_PASSWORD }))
            }
            "give_consents" => ("", json!({ "lang": "en" })),
            "change_profile" => ("", json!({ "locale": "en" })),
            "change_mobile" => ("", json!({ "mobile": "+82 10 1234 5678" })),
            "change_email" => ("", json!({ "email": "new@example.com" })),
            "confirm_new_email" => {
                let token = setting
                    .new_email_token(&self.token, "new@example.com")
                    .await;
                ("", json!({ "token": token }))
            }
            "change_password" => {
                let body = json!({ "current": PASSWORD, "password": OTHER_PASSWORD });
                ("", body)
            }
            other => ("", self.of_factor(setting, other).await),
        }
    }

    /// What is about his second factor: the body.
    async fn of_factor(&self, setting: &Setting, id: &str) -> Value {
        match id {
            "sign_in_with_code" => {
                let factor = second_factor::set_up(setting, &self.token).await;
                let challenge = second_factor::challenge(setting, "192.0.2.9", None).await;
                let code = &factor.recovery_codes[0];
                json!({ "challenge": challenge, "code": code })
            }
            "request_lost_factor" => {
                second_factor::set_up(setting, &self.token).await;
                let challenge = second_factor::challenge(setting, "192.0.2.9", None).await;
                json!({ "challenge": challenge })
            }
            "cancel_lost_factor" => {
                second_factor::set_up(setting, &self.token).await;
                json!({ "token": lost_factor::token(setting).await })
            }
            "begin_second_factor" => json!({ "password": PASSWORD }),
            "confirm_second_factor" => {
                let secret = second_factor::begin(setting, &self.token).await;
                json!({ "code": secret.code(setting.clock.now()) })
            }
            "renew_recovery_codes" | "remove_second_factor" => {
                let factor = second_factor::set_up(setting, &self.token).await;
                let code = &factor.recovery_codes[0];
                json!({ "password": PASSWORD, "code": code })
            }
            other => panic!("{other} has no sample request"),
        }
    }

    async fn sample(&self, setting: &Setting, row: &Row) -> Sample {
        let Self {
            key,
            quote,
            order,
            server,
            ..
        } = self;
        let (parameter, body) = match row.id {
            "installation" | "terms" | "privacy_policy" | "sign_up_texts" | "catalog" | "me"
            | "second_factor" | "list_ssh_keys" | "list_orders" | "list_servers" | "sign_out"
            | "month_so_far" | "list_invoices" | "list_jobs" | "job_offer" => ("", json!({})),
            "sign_up" => ("", signup("another7")),
            "confirm_email" | "look_at_confirmation" => {
                let signed_up = setting.post("/signups", None, signup("another7")).await;
                signed_up.expect(201);
                ("", json!({ "token": setting.mailed_token().await }))
            }
            "resend_confirmation" => ("", json!({ "login": "minji90" })),
            "sign_in" => ("", json!({ "login": "minji90", "password": PASSWORD })),
            "add_ssh_key" => ("", json!({ "name": "k", "public_key": public_key(7) })),
            "change_ssh_key" => (key.as_str(), json!({ "name": "k2" })),
            "remove_ssh_key" => (key.as_str(), json!({})),
            "create_quote" => {
                let body = json!({ "site": "lab", "plan": "s1", "image": "tiny", "name": "x", "ssh_keys": [key] });
                ("", body)
            }
            "get_quote" => (quote.as_str(), json!({})),
            "place_order" => ("", json!({ "quote": quote, "accept_cautions": true })),
            "get_order" => (order.as_str(), json!({})),
            "get_server" | "delete_server" => (server.as_str(), json!({})),
            "act_on_server" => (server.as_str(), json!({ "action": "power_off" })),
            "submit_job" => ("", support_jobs::application(server)),
            "get_job" | "act_on_job" | "confirm_job" => {
                let job = support_jobs::submitted(setting, &self.token, server).await;
                let sample = support_jobs::sample(row, &job);
                return sample;
            }
            other => self.of_account(setting, other).await,
        };
        let foreign = match row.id {
            // It names another's key, and another's quote.
            "create_quote" | "submit_job" => 422,
            "place_order" => 404,
            // He has none of his own.
            "confirm_second_factor"
            | "renew_recovery_codes"
            | "remove_second_factor"
            | "convert_trial" => 409,
            _ if row.parameter.is_some() => 404,
            _ => row.status,
        };
        Sample {
            path: filled(row, parameter),
            body,
            foreign,
        }
    }
}

#[tokio::test]
async fn customers_get_at_their_own_and_nobody_at_anothers() {
    for row in rest::ALL {
        let setting = Setting::new();
        let owner = Owner::new(&setting).await;
        let stranger = setting.customer("mallory").await;
        let sample = owner.sample(&setting, row).await;
        let ask = async |token: Option<&str>| {
            let headers = [("idempotency-key", "k")];
            let body = Some(sample.body.clone());
            let path = &sample.path;
            setting.send(method(row), path, token, &headers, body).await
        };
        let status = async |token| ask(token).await.status.as_u16();
        match row.who {
            Who::Anybody => assert_eq!(status(None).await, row.status, "{}", row.id),
            Who::Customer | Who::ProvenCustomer => {
                assert_eq!(status(None).await, 401, "{}", row.id);
                assert_eq!(status(Some("made-up-token")).await, 401, "{}", row.id);
                let foreign = ask(Some(&stranger)).await;
                assert_eq!(foreign.status.as_u16(), sample.foreign, "{}", row.id);
                let told = foreign.body.to_string();
                for thing in [
                    &owner.session,
                    &owner.key,
                    &owner.quote,
                    &owner.order,
                    &owner.server,
                    &owner.api_token,
                ] {
                    assert!(!told.contains(thing.as_str()), "{}: {told}", row.id);
                }
                if row.who == Who::ProvenCustomer {
                    setting.clock.advance_s(600);
                    let unproven = ask(Some(&owner.token)).await.expect(403);
                    assert_eq!(unproven["code"], "step-up-required", "{}", row.id);
                    setting.prove(&owner.token).await;
                }
                let own = match row.id {
                    // Nobody is let in to its server, which its owner alone hears.
                    "confirm_job" => 409,
                    _ => row.status,
                };
                assert_eq!(status(Some(&owner.token)).await, own, "{}", row.id);
            }
            other => panic!("{}: {other:?} do not come in by this door", row.id),
        }
    }
}

/// A row without a scope takes no token at all, one with a scope those that have it, of whoever may. What wants a proof of
/// a session takes them without: ten minutes have gone since anybody has proved anything.
#[tokio::test]
async fn tokens_are_for_what_their_scopes_say_and_for_nothing_else() {
    for row in rest::ALL {
        if row.who == Who::Anybody {
            assert_eq!(row.scope, None, "{}", row.id);
            continue;
        }
        let setting = Setting::new();
        let owner = Owner::new(&setting).await;
        let sample = owner.sample(&setting, row).await;
        let (_, all) = tokens::make(&setting, &owner.token, Scope::ALL).await;
        let others = Scope::ALL.iter().copied();
        let others: Vec<_> = others.filter(|scope| Some(*scope) != row.scope).collect();
        let (_, without) = tokens::make(&setting, &owner.token, &others).await;
        let stranger = setting.customer("mallory").await;
        let (_, foreign) = tokens::make(&setting, &stranger, Scope::ALL).await;
        if row.who == Who::ProvenCustomer {
            setting.clock.advance_s(600);
        }
        let ask = async |token: &str| {
            let headers = [("idempotency-key", "k")];
            let body = Some(sample.body.clone());
            let path = &sample.path;
            let asked = setting.send(method(row), path, Some(token), &headers, body);
            asked.await
        };
        let refused = ask(&without).await;
        assert_eq!(refused.status.as_u16(), 403, "{}", row.id);
        assert_eq!(refused.body["code"], "token-scope", "{}", row.id);
        let (of_another, own) = match row.scope {
            Some(_) => (sample.foreign, row.status),
            None => (403, 403),
        };
        assert_eq!(
            ask(&foreign).await.status.as_u16(),
            of_another,
            "{}",
            row.id
        );
        let told = ask(&all).await;
        assert_eq!(told.status.as_u16(), own, "{}: {}", row.id, told.body);
    }
}

/// What a stolen token must never be good for.
#[test]
fn nothing_of_the_profile_and_no_token_is_for_tokens() {
    for row in rest::ALL.iter().filter(|row| row.scope.is_some()) {
        let is_about_keys = row.path.starts_with("/me/ssh-keys");
        let is_of_account = row.path.starts_with("/me") || row.path.starts_with("/sessions");
        assert!(is_about_keys || !is_of_account, "{}", row.id);
    }
    let deleting = rest::ALL
        .iter()
        .filter(|row| row.scope == Some(Scope::Delete));
    let deleting: Vec<_> = deleting.map(|row| row.id).collect();
    assert_eq!(deleting, ["delete_server"]);
}

/// What a host asks; what is about a host's own things is about those of `host`.
async fn of_host(setting: &Setting, host: &TestHost, row: &Row) -> Sample {
    let csr_pem = || HostRequest::create().expect("a key").request_pem;
    let life = host.life(setting.nouns.ctx.store().epoch(), 1);
    let (path, body) = match row.id {
        "join" => {
            let token = setting
                .nouns
                .hosts
                .invite(Actor::Operator, "h9", "lab")
                .await;
            let token = token.expect("invited");
            let body = json!({ "token": token, "csr_pem": csr_pem() });
            (row.path.to_owned(), body)
        }
        "renew" => (row.path.to_owned(), json!({ "csr_pem": csr_pem() })),
        "life" => (row.path.to_owned(), json!(life)),
        "observations" => {
            let report = setting.blank_report(host, room_for(4), vec![]);
            (row.path.to_owned(), json!(Observations { life, report }))
        }
        "desired" => {
            let query = "epoch=0&generation=0&wait_s=0";
            (format!("{}?{query}", row.path), Value::Null)
        }
        "spec" => {
            let manifest = setting.manifest(host).await;
            let Intent::Present { spec } = manifest.servers[0].intent else {
                panic!("it was ordered");
            };
            (filled(row, &spec.to_string()), Value::Null)
        }
        "blob" => (filled(row, &Digest::of(b"tiny").to_string()), Value::Null),
        other => panic!("{other} has no sample request"),
    };
    Sample {
        path,
        body,
        foreign: if row.parameter.is_some() {
            404
        } else {
            row.status
        },
    }
}

#[tokio::test]
async fn hosts_get_at_their_own_and_nobody_else_gets_in() {
    for row in agents::ALL {
        let setting = Setting::new();
        let host = setting.host("h1", room_for(4)).await;
        setting.ordered_server().await;
        let other = setting.host("h2", room_for(4)).await;
        let blobs = innkeeper_control_plane::blobs::Blobs::open(&setting.folder).expect("blobs");
        std::fs::write(blobs.path(Digest::of(b"tiny")), b"tiny").expect("an image");
        let sample = of_host(&setting, &host, row).await;
        let nobody = Connection {
            peer: Peer::Nobody,
            ..host.connection
        };
        let ask = async |connection, claimed, body: Value| {
            let path = &sample.path;
            let asked = setting.ask(connection, claimed, method(row), path, Some(body));
            asked.await.status.as_u16()
        };
        let same = || sample.body.clone();
        let id = row.id;
        match row.who {
            Who::Stranger => {
                let mut body = same();
                body["token"] = json!("made up");
                assert_eq!(ask(nobody, None, body).await, 401, "{id}");
                assert_eq!(ask(nobody, None, same()).await, row.status, "{id}");
            }
            Who::Host => {
                assert_eq!(ask(nobody, Some(host.id), same()).await, 401, "{id}");
                assert_eq!(ask(host.connection, None, same()).await, 401, "{id}");
                let misinstalled = ask(other.connection, Some(host.id), same()).await;
                assert_eq!(misinstalled, 401, "{id}");
                let foreign = of_host(&setting, &other, row);
                // What is about no server is the other's own business.
                let body = if row.parameter.is_none() {
                    foreign.await.body
                } else {
                    same()
                };
                let foreign = ask(other.connection, Some(other.id), body).await;
                assert_eq!(foreign, sample.foreign, "{id}");
                assert_eq!(
                    ask(host.connection, Some(host.id), same()).await,
                    row.status,
                    "{id}"
                );
                setting
                    .nouns
                    .hosts
                    .revoke(Actor::Operator, host.id, &why())
                    .await
                    .expect("revoked");
                assert_eq!(
                    ask(host.connection, Some(host.id), same()).await,
                    401,
                    "{id}"
                );
            }
            other => panic!("{id}: {other:?} do not come in by this door"),
        }
    }
}

pub(crate) fn socket(setting: &Setting) -> Router {
    admin::router(at_the_socket(setting))
}

pub(crate) fn at_the_socket(setting: &Setting) -> AdminContext {
    AdminContext {
        nouns: setting.nouns.clone(),
        authority: setting.authority.clone(),
        duties: setting.duties(),
        trail: setting.trail(),
        agent_url: "https://localhost:1".to_owned(),
        door: Door::Socket,
    }
}

pub(crate) async fn ask(router: Router, row: &Row, target: &str, body: &Value) -> Answer {
    let request = Request::builder()
        .method(method(row))
        .uri(target)
        .header("content-type", "application/json");
    let request = request.body(Body::from(body.to_string()));
    answer(router, request.expect("a request")).await
}

/// A server that nothing was seen of yet.
async fn new_server(setting: &Setting, token: &str) -> String {
    let key = setting.key(token, 1).await;
    let order = setting.try_order(token, &key, "web-1").await.expect(201);
    order["server"].as_str().expect("an id").to_owned()
}

/// A list of what is offered.
const PRICES: &str = "plan,hourly,monthly_cap\ns1,9,6000\n";

/// What an operator asks about accounts, of which `account` is one: the parameter, the body and the status.
fn of_accounts<'a>(account: &'a str, id: &str) -> Option<(&'a str, Value, u16)> {
    let (nothing, why) = (json!({}), json!({ "reason": "asked for" }));
    let sample = match id {
        "list_accounts" => ("", nothing, 200),
        "search_accounts" => ("", json!({ "text": "minji" }), 200),
        "get_account" => (account, nothing, 200),
        "unlock_account" => (account, json!({ "reason": "he has called" }), 204),
        "change_quota" => {
            let body = json!({ "server_quota": 30, "reason": "he has paid" });
            (account, body, 204)
        }
        "list_pending_accounts" => ("", nothing, 200),
        "list_periods" | "audit_money" => ("", nothing, 200),
        "list_account_invoices"
        | "get_account_statement"
        | "get_account_funds"
        | "get_account_profile" => (account, nothing, 200),
        "list_all_invoices" => ("", nothing, 200),
        "get_any_invoice" | "get_any_invoice_pdf" => ("1-000001", nothing, 200),
        // There is nothing in it to take back, and nothing to give up.
        "credit_invoice" => ("1-000001", why, 422),
        "write_off_invoice" => ("1-000001", why, 409),
        // Nothing was ever charged: there is no month.
        "count_month" | "get_fiscal_export" | "get_usage_export" | "get_revenue_export" => {
            ("2026-09", nothing, 400)
        }
        "close_month" => {
            let body = json!({ "reason": "it is over" });
            ("2026-09", body, 400)
        }
        "record_payment" => {
            let amount = json!({ "amount": 5, "currency": "KRW" });
            let body = json!({ "amount": amount, "reference": "KB 1", "reason": "seen" });
            (account, body, 200)
        }
        // Nothing was paid ahead.
        "refund_account" => {
            let amount = json!({ "amount": 5, "currency": "KRW" });
            let body = json!({ "amount": amount, "reference": "KB 2", "reason": "asked for" });
            (account, body, 422)
        }
        "grant_promotion" => {
            let amount = json!({ "amount": 5, "currency": "KRW" });
            let body =
                json!({ "amount": amount, "days": 30, "reference": "spring", "reason": "known" });
            (account, body, 200)
        }
        "grant_trial" => {
            let amount = json!({ "amount": 5, "currency": "KRW" });
            (account, json!({ "amount": amount, "reason": "known" }), 204)
        }
        "change_terms" => {
            let terms = json!({ "kind": "postpaid", "payment_days": 30 });
            (account, json!({ "terms": terms, "reason": "agreed" }), 204)
        }
        "list_lost_factors" => ("", nothing, 200),
        // It has lost nothing.
        "confirm_lost_factor" | "reject_lost_factor" => {
            let body = json!({ "requested_at": "2026-11-29T10:00:00.000Z", "reason": "known" });
            (account, body, 404)
        }
        // It is in use already.
        "approve_account" => (account, json!({ "reason": "known" }), 409),
        "reject_account" => (account, json!({ "reason": "no such company" }), 409),
        "suspend_account" => (account, json!({ "kind": "debt", "reason": "owes" }), 204),
        // It is not suspended.
        "resume_account" => (account, json!({ "reason": "paid" }), 409),
        "plan_erasure" => ("", json!({ "who": account }), 200),
        "erase_account" => (account, why, 204),
        // Its address is confirmed already.
        "confirm_account_email" | "mail_confirmation" => (account, why, 409),
        _ => return of_prices(id),
    };
    Some(sample)
}

/// The same about price lists.
fn of_prices(id: &str) -> Option<(&'static str, Value, u16)> {
    let sample = match id {
        "get_prices" => ("", json!({}), 200),
        "check_prices" => ("", json!({ "list": PRICES }), 200),
        "import_prices" => {
            let body = json!({ "list": PRICES, "reason": "a new year" });
            ("", body, 201)
        }
        // There is none from then on.
        "withdraw_prices" => (
            "2026-12-31T15:00:00.000Z",
            json!({ "reason": "asked for" }),
            404,
        ),
        _ => return None,
    };
    Some(sample)
}

/// What an operator asks of an installation with one host, one customer, and nothing to recover; and the status when that
/// is refused for what it is about.
pub(crate) async fn of_operator(setting: &Setting, token: &str, row: &Row) -> (Sample, u16) {
    let me = setting.get("/me", Some(token)).await.expect(200);
    let account = me["id"].as_str().expect("an id");
    let unknown = "hst_0190b5c87f1e7c3a8e0f5b6d2c4a9e11";
    let nothing = json!({});
    let why = json!({ "reason": "asked for" });
    let server = if row.path.contains("{server}") {
        new_server(setting, token).await
    } else {
        String::new()
    };
    if row.path.contains("{number}") {
        billing::issue(setting, token).await;
    }
    let mails = setting.nouns.mails.queued(1).expect("the outbox");
    let mail = mails[0].id.to_string();
    let (parameter, body, status) = match row.id {
        "list_mails" | "list_hosts" | "list_duties" | "get_in_use" | "list_testimonies"
        | "get_recovery" | "get_authority" => ("", nothing, 200),
        "retry_mails" => ("", why, 204),
        "retry_mail" | "drop_mail" => (mail.as_str(), why, 204),
        "invite_host" => ("", json!({ "name": "h9", "site": "lab" }), 200),
        "get_stranded" => ("h1", nothing, 200),
        "revoke_host" => ("h1", why, 204),
        "release_host" => ("h1", why, 400),
        "cordon_host" => ("h1", json!({ "reason": "its disk fails" }), 204),
        "uncordon_host" => ("h1", json!({ "reason": "mended" }), 400),
        // It is heard of, and not lost.
        "lose_host" | "confirm_fencing" | "replace_host" => {
            ("h1", json!({ "reason": "gone" }), 400)
        }
        "accept_capacity" => ("h1", why, 200),
        "list_all_servers" => ("", nothing, 200),
        "get_any_server" => (server.as_str(), nothing, 200),
        "act_on_any_server" => {
            let body = json!({ "action": "start", "reason": "asked for" });
            (server.as_str(), body, 409)
        }
        "get_server_history" => (server.as_str(), nothing, 200),
        "list_audit" | "list_attention" => ("", nothing, 200),
        "get_billing" => ("", nothing, 200),
        // It is not frozen.
        "unfreeze_billing" => ("", json!({ "reason": "set right" }), 409),
        "list_failed_orders" | "list_all_jobs" => ("", nothing, 200),
        // There is none.
        "get_any_job" => (support_jobs::NOBODYS, nothing, 404),
        "act_on_any_job" => (support_jobs::NOBODYS, json!({ "act": "take" }), 404),
        "retry_order" => ("ord_0190b5c87f1e7c3a8e0f5b6d2c4a9e11", why, 404),
        "delete_any_server" => (server.as_str(), why, 202),
        "finish_recovery" => ("", json!({ "without": [] }), 400),
        "release_address" => ("", json!({ "address": "203.0.113.130" }), 400),
        "readmit_host" => (
            "",
            json!({ "host": unknown, "name": "h9", "site": "lab" }),
            400,
        ),
        "dismiss_host" => ("", json!({ "host": unknown }), 400),
        "take_step" => ("begin", json!({ "without": [] }), 200),
        other => match of_accounts(account, other) {
            Some(sample) => sample,
            None => return staff::sample(setting, other, row).await,
        },
    };
    let sample = Sample {
        path: filled(row, parameter),
        body,
        foreign: 404,
    };
    (sample, status)
}

#[tokio::test]
async fn operators_come_in_by_their_socket_alone() {
    let mut others = Vec::new();
    for row in operators::ALL {
        let setting = Setting::new();
        let host = setting.host("h1", room_for(4)).await;
        let token = setting.customer("minji90").await;
        let (sample, status) = of_operator(&setting, &token, row).await;
        let (path, body) = (sample.path, sample.body);
        for base in ["", rest::BASE, agents::BASE] {
            let target = format!("{base}{path}");
            let refused = ask(setting.rest.clone(), row, &target, &body).await;
            let is_own = base == rest::BASE && rest::ALL.iter().any(|row| leads_to(row, &path));
            assert!(is_own || refused.status.as_u16() == 404, "{target}");
            let by_host = setting
                .agents
                .clone()
                .layer(axum::Extension(host.connection));
            let refused = ask(by_host, row, &target, &body).await;
            assert_eq!(refused.status.as_u16(), sample.foreign, "{target}");
        }
        let told = ask(socket(&setting), row, &path, &body).await;
        // What staff alone can do nobody can do here.
        let is_of_staff =
            row.who == Who::StaffVisitor || staff::IS_ABOUT_A_SESSION.contains(&row.id);
        let status = if is_of_staff { 404 } else { status };
        if told.status.as_u16() != status {
            others.push(format!("{}: {}: {}", row.id, told.status, told.body));
        }
    }
    assert!(others.is_empty(), "{others:#?}");
}

#[tokio::test]
async fn nobody_comes_in_by_anothers_door() {
    let setting = Setting::new();
    let host = setting.host("h1", room_for(4)).await;
    let doors = [
        (rest::ALL, [setting.agents.clone(), socket(&setting)]),
        (agents::ALL, [setting.rest.clone(), socket(&setting)]),
    ];
    for (rows, wrong) in doors {
        for row in rows {
            let target = format!("{}{}", row.base, filled(row, "x"));
            for door in wrong.clone() {
                let door = door.layer(axum::Extension(host.connection));
                let refused = ask(door, row, &target, &json!({})).await;
                assert_eq!(refused.status.as_u16(), 404, "{target}");
            }
        }
    }
}
