//! Invoices as PDF: rendered once, the same ever after, for their owner and the staff who look after money.

use std::net::Ipv4Addr;

use axum::http::{Method, header};
use innkeeper_control_plane::{
    kernel::{Actor, Caller},
    nouns::Settings,
};
use innkeeper_wire::{api::Scope, digest::Digest, id::RequestId, staff::Role};
use serde_json::{Value, json};
use tokio::join;

use crate::{
    billing::{INVOICE, issue},
    members::operator,
    offer::settings,
    setting::{Answer, Setting},
    staff, tokens,
};

/// An installation with one invoice of a customer, and his token.
async fn with_invoice(settings: Settings) -> (Setting, String) {
    let setting = Setting::with(settings);
    let token = setting.customer("minji90").await;
    issue(&setting, &token).await;
    (setting, token)
}

fn without_fonts() -> Settings {
    Settings {
        invoice_fonts: "/nowhere".into(),
        ..settings()
    }
}

async fn pdf(setting: &Setting, token: &str) -> Answer {
    setting
        .get(&format!("/invoices/{INVOICE}/pdf"), Some(token))
        .await
}

async fn account(setting: &Setting, token: &str) -> String {
    let me = setting.get("/me", Some(token)).await.expect(200);
    me["id"].as_str().expect("an id").to_owned()
}

/// The one record of what was rendered.
fn rendered(setting: &Setting) -> Value {
    let records = setting.nouns.ctx.store().range("invoicepdf/", None, 10);
    let records = records.expect("readable");
    assert_eq!(records.len(), 1);
    serde_json::from_slice(&records[0].1.value[1..]).expect("JSON")
}

#[tokio::test]
async fn an_invoice_is_rendered_once_and_stays_as_it_is() {
    let (setting, token) = with_invoice(settings()).await;
    let (one, other) = join!(pdf(&setting, &token), pdf(&setting, &token));
    let name = one.headers[header::CONTENT_DISPOSITION].to_str();
    let expected = format!("attachment; filename=\"{INVOICE}.pdf\"");
    assert_eq!(name.expect("text"), expected);
    let first = one.expect(200);
    assert_eq!(other.expect(200), first, "two at once");
    let record = rendered(&setting);
    assert_eq!(record["document"], first);
    assert_eq!(
        (&record["locale"], &record["template"]),
        (&json!("ko"), &json!(2))
    );
    let font = record["font"].as_str().expect("text");
    assert!(font.starts_with("Noto Sans CJK KR, Version "), "{font}");
    // Whatever its owner speaks from now on.
    let english = Some(json!({ "locale": "en" }));
    let changed = setting.send(Method::PATCH, "/me", Some(&token), &[], english);
    changed.await.expect(200);
    assert_eq!(pdf(&setting, &token).await.expect(200), first);
    assert_eq!(rendered(&setting), record);
    // After a restart, also without the fonts.
    let restarted = setting.restarted_with(without_fonts());
    let caller = Caller {
        actor: Actor::Operator,
        address: Ipv4Addr::LOCALHOST.into(),
        request: RequestId::new(setting.nouns.ctx.ids()),
    };
    let account = account(&setting, &token).await.parse().expect("an id");
    let id = INVOICE.parse().expect("an id");
    let same = restarted.billing.invoice_pdf(&caller, account, id).await;
    assert_eq!(json!(Digest::of(&same.expect("kept"))), first);
    assert_eq!(setting.nouns.ctx.store().documents().count().ok(), Some(1));
}

#[tokio::test]
async fn it_is_for_its_owner_his_tokens_and_those_who_look_after_money() {
    let (setting, token) = with_invoice(settings()).await;
    let mallory = setting.customer("mallory").await;
    pdf(&setting, &mallory).await.expect(404);
    for (scope, status) in [(Scope::Billing, 200), (Scope::Read, 403)] {
        let (_, program) = tokens::make(&setting, &token, &[scope]).await;
        pdf(&setting, &program).await.expect(status);
    }
    let first = pdf(&setting, &token).await.expect(200);
    let told = operator(&setting, Method::GET, "/invoices/1-000001/pdf", json!({})).await;
    let name = told.headers[header::CONTENT_DISPOSITION].to_str();
    assert_eq!(name.ok(), Some("attachment; filename=\"1-000001.pdf\""));
    assert_eq!(told.expect(200), first);
    for (role, status) in [(Role::Billing, 200), (Role::Support, 403)] {
        let member = staff::of_role(&setting, role).await;
        let (id, number) = ("get_any_invoice_pdf", "1-000001");
        let told = staff::ask_as(&setting, &member, id, number, json!({})).await;
        assert_eq!(told.status.as_u16(), status, "{role:?}");
    }
    let told = operator(&setting, Method::GET, "/invoices/1-000002/pdf", json!({})).await;
    told.expect(404);
}

#[tokio::test]
async fn without_fonts_there_is_no_pdf_and_all_else() {
    let (setting, token) = with_invoice(without_fonts()).await;
    let problem = pdf(&setting, &token).await.expect(503);
    let detail = problem["detail"].as_str().expect("a detail");
    assert!(detail.contains("no font for documents"), "{detail}");
    assert!(!detail.contains("/nowhere"), "{detail}");
    let path = format!("/invoices/{INVOICE}");
    setting.get(&path, Some(&token)).await.expect(200);
    let records = setting.nouns.ctx.store().range("invoicepdf/", None, 10);
    assert_eq!(records.expect("readable"), []);
}

/// A document that is not what it was is not told; `check-store` says which it is.
#[tokio::test]
async fn a_damaged_document_is_not_told() {
    let (setting, token) = with_invoice(settings()).await;
    let first = pdf(&setting, &token).await.expect(200);
    let digest = first
        .as_str()
        .expect("a digest")
        .trim_start_matches("sha256:");
    let file = setting
        .folder
        .join(format!("store/documents/{digest}.document"));
    let sound = std::fs::read(&file).expect("it is there");
    std::fs::write(&file, b"%PDF-1.7 another").expect("written");
    pdf(&setting, &token).await.expect(500);
    std::fs::write(&file, sound).expect("put back");
    assert_eq!(pdf(&setting, &token).await.expect(200), first);
}
