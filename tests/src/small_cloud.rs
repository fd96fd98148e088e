//! The smallest cloud in which something can be ordered: one site, one plan, one image. The benches and the
//! simulator change of it what they are about.

use std::collections::BTreeSet;

use innkeeper_control_plane::{
    addresses::rules::pools::Pool,
    billing::BillingTerms,
    catalogue::{Catalogue, Image, Plan, Site},
    continuity::witnesses::WitnessKey,
    hosts::rules::placement::Overcommit,
    legal::{ConsentTexts, LegalTexts, MemberTexts},
    nouns::Settings,
    support::{
        SupportSettings,
        rules::{
            calendar::{Calendar, WEEKEND},
            job::Service,
        },
    },
};
use innkeeper_wire::{
    billing_profile::{BillingDetails, PayerKind},
    company::Company,
    digest::Digest,
    id::Code,
    money::{Currency, HourlyRate, Money},
    size::Bytes,
    vm::{BaseImage, ImageFormat},
};

/// Its settings, with these address pools.
///
/// # Panics
/// When one of `networks` is no network.
#[must_use]
pub fn settings(networks: &[&str]) -> Settings {
    let pool = |network: &&str| Pool::parse(code("lab"), network).expect("a network");
    Settings {
        installation: "Small Cloud".to_owned(),
        support_email: "help@cloud.example".to_owned(),
        texts: MemberTexts {
            terms: ConsentTexts::of_all("1", LegalTexts::of_one("Be kind.")),
            personal_data: None,
            mobile_notice: None,
        },
        privacy: None,
        company: Company::default(),
        password_length_min: 15,
        portal_url: "https://portal.cloud.example".to_owned(),
        staff_portal_url: Some("https://ops.cloud.example".to_owned()),
        time_zone: "Asia/Seoul".parse().expect("a zone"),
        currency: Currency::Krw,
        catalogue: catalogue(),
        pools: networks.iter().map(pool).collect(),
        overcommit: Overcommit {
            cpu_percent: 400,
            memory_percent: 100,
            disk_percent: 100,
        },
        openings: vec![],
        api_url: None,
        tombstone_days: 7,
        address_rest: std::time::Duration::from_secs(3_600),
        billing_ahead: std::time::Duration::ZERO,
        billing_terms: BillingTerms::default(),
        pay_to: None,
        support: support(),
        invoice_fonts: "/usr/share/fonts/opentype/noto".into(),
        server_quota: 20,
        sign_ups_per_hour: u32::MAX,
        witness_key: WitnessKey::new([3; 32]),
    }
}

/// Two services, business on weekdays from nine to six, and engineers from one network.
fn support() -> SupportSettings {
    let service = |code: &str, amount| Service {
        code: code.parse().expect("a code"),
        name: format!("Set up {code}"),
        help: "All of it.".to_owned(),
        net: Money {
            amount,
            currency: Currency::Krw,
        },
    };
    SupportSettings {
        services: vec![service("web-server", 30_000), service("database", 50_000)],
        calendar: Calendar {
            zone: "Asia/Seoul".parse().expect("a zone"),
            opens: 9,
            closes: 18,
            closed: WEEKEND.to_vec(),
            holidays: BTreeSet::new(),
        },
        business_days: 2,
        engineer_networks: vec!["192.0.2.240/28".parse().expect("a network")],
        tax: None,
    }
}

fn catalogue() -> Catalogue {
    let (name, currency) = ("Laboratory".to_owned(), Currency::Krw);
    let base = BaseImage {
        digest: Digest::of(b"tiny"),
        format: ImageFormat::Raw,
        file_size: Bytes::mib(64),
        virtual_size: Bytes::mib(64),
    };
    let plan = Plan {
        code: code("s1"),
        name: "S1".to_owned(),
        vcpus: 1,
        memory: Bytes::gib(1),
        disk: Bytes::gib(10),
        hourly: HourlyRate {
            micro_minor_per_hour: 9_000_000,
            currency,
        },
        monthly_cap: Money {
            amount: 6_000,
            currency,
        },
    };
    let image = Image {
        code: code("tiny"),
        name: "Tiny".to_owned(),
        login_user: "root".to_owned(),
        base,
    };
    let code = code("lab");
    Catalogue {
        sites: vec![Site { code, name }],
        plans: vec![plan],
        images: vec![image],
        tax: None,
    }
}

fn code(text: &str) -> Code {
    text.parse().expect("a code")
}

/// To whom the invoices of a customer of the demo, or of a bench, are addressed.
#[must_use]
pub fn profile() -> BillingDetails {
    BillingDetails {
        kind: PayerKind::Individual,
        name: "Demo Customer".to_owned(),
        country: "KR".to_owned(),
        postal_code: Some("04524".to_owned()),
        address: "1 Sejong-daero, Jung-gu, Seoul".to_owned(),
        mobile: "+821012345678".to_owned(),
        emails: vec!["demo@example.net".to_owned()],
        ..BillingDetails::default()
    }
}
