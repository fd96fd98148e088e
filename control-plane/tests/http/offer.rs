//! What the tested installation sells.

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
    api::Locale,
    company::{Company, LegalText},
    digest::Digest,
    id::Code,
    money::{Currency, HourlyRate, Money},
    price::{Shown, Tax, TaxName, TaxRate},
    size::Bytes,
    vm::{BaseImage, ImageFormat, Opening},
};

fn company() -> Company {
    Company {
        name: Some("Example Cloud Ltd.".to_owned()),
        telephone: Some("02-555-0100".to_owned()),
        ..Company::default()
    }
}

pub(crate) fn terms() -> LegalTexts {
    let korean = text(Some(Locale::Ko), "친절하게.");
    LegalTexts::new(text(None, "Be kind."), vec![korean])
}

/// Its settings.
pub(crate) fn settings() -> Settings {
    let lab: Code = "lab".parse().expect("a code");
    let pool = |network| Pool::parse(lab.clone(), network).expect("a network");
    Settings {
        installation: "Example Cloud".to_owned(),
        support_email: "help@cloud.example".to_owned(),
        texts: MemberTexts {
            terms: ConsentTexts::of_all("2026-11", terms()),
            personal_data: None,
            mobile_notice: None,
        },
        privacy: Some(LegalTexts::of_one("We keep your name.")),
        company: company(),
        password_length_min: 15,
        portal_url: "https://portal.cloud.example".to_owned(),
        staff_portal_url: Some("https://ops.cloud.example".to_owned()),
        time_zone: "Asia/Seoul".parse().expect("a zone"),
        currency: Currency::Krw,
        catalogue: catalogue(&lab),
        pools: vec![pool("203.0.113.128/25"), pool("2001:db8:1::/64")],
        overcommit: Overcommit {
            cpu_percent: 400,
            memory_percent: 100,
            disk_percent: 100,
        },
        openings: vec![
            Opening::Icmp,
            Opening::Tcp {
                first: 1,
                last: u16::MAX,
            },
        ],
        api_url: None,
        tombstone_days: 7,
        address_rest: std::time::Duration::from_secs(3_600),
        billing_ahead: std::time::Duration::ZERO,
        billing_terms: BillingTerms::default(),
        pay_to: None,
        support: support(),
        invoice_fonts: "/usr/share/fonts/opentype/noto".into(),
        server_quota: 20,
        sign_ups_per_hour: 1_000,
        witness_key: WitnessKey::new([3; 32]),
    }
}

/// Two services, business from Monday to Friday around the clock, and engineers from one network.
pub(crate) fn support() -> SupportSettings {
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
            opens: 0,
            closes: 24,
            closed: WEEKEND.to_vec(),
            holidays: BTreeSet::new(),
        },
        business_days: 2,
        engineer_networks: vec!["192.0.2.240/28".parse().expect("a network")],
        tax: None,
    }
}

/// What it sells, at its one data centre.
fn catalogue(lab: &Code) -> Catalogue {
    Catalogue {
        sites: vec![Site {
            code: lab.clone(),
            name: "Laboratory".to_owned(),
        }],
        plans: vec![Plan {
            code: "s1".parse().expect("a code"),
            name: "S1".to_owned(),
            vcpus: 1,
            memory: Bytes::gib(1),
            disk: Bytes::gib(10),
            hourly: HourlyRate {
                micro_minor_per_hour: 9_000_000,
                currency: Currency::Krw,
            },
            monthly_cap: Money {
                amount: 6_000,
                currency: Currency::Krw,
            },
        }],
        images: vec![Image {
            code: "tiny".parse().expect("a code"),
            name: "Tiny".to_owned(),
            login_user: "root".to_owned(),
            base: BaseImage {
                digest: Digest::of(b"tiny"),
                format: ImageFormat::Raw,
                file_size: Bytes::mib(64),
                virtual_size: Bytes::mib(64),
            },
        }],
        tax: Some(vat(100_000)),
    }
}

fn text(lang: Option<Locale>, text: &str) -> LegalText {
    LegalText {
        lang,
        text: text.to_owned(),
    }
}

/// A value-added tax of so many millionths.
pub(crate) fn vat(millionths: u32) -> Tax {
    let of = str::to_owned;
    Tax {
        rate: TaxRate::try_from(millionths).expect("a rate"),
        name: TaxName {
            en: of("VAT"),
            ko: of("부가세"),
            zh_hant: of("營業稅"),
        },
        shown: Shown::WithTax,
    }
}
