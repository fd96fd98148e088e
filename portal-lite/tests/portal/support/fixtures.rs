//! What the stub knows: one customer with servers in many states.

use std::str::FromStr;

use innkeeper_wire::{
    api::{
        ApiToken, Availability, Catalogue, Image, Installation, Locale, LostFactor, Me,
        NewApiToken, Offered, Order, OrderState, Plan, Quote, RecoveryCodes, Scope, SecondFactor,
        SecondFactorSecret, Server, ServerAction, ServerState, Session, SessionAnswer,
        SignupAnswer, Site, Specification, SshKey, TokenState,
    },
    billing::{MonthSoFar, TaxTotal, Totals, UsageLine},
    billing_profile::{BillTo, BillingDetails, BillingProfile, PayerKind},
    company::{Company, LegalText},
    digest::Digest,
    funds::{Funds, HoldLine, PaymentTerms, PrepaidFunds, PromotionLine, TrialView},
    host::{CreateStep, PauseReason, ServerProblemCode},
    invoice::{
        BillingSummary, CreditLine, CreditNote, Invoice, InvoiceState, InvoiceSummary, MonthTotal,
        Statement, StatementKind, StatementLine,
    },
    member::{ConsentDocument, ConsentText, Consents, GivenConsent, MemberKind, SignUpTexts},
    money::{Currency, HourlyRate, Money},
    price::{Prices, Shown, Tariff, Tax, TaxName, TaxRate},
    size::Bytes,
    time::Timestamp,
};

pub(crate) fn time(text: &str) -> Timestamp {
    text.parse().expect("a time")
}

/// Anything that has a text form.
pub(crate) fn from<T: FromStr>(text: &str) -> T {
    text.parse().unwrap_or_else(|_| panic!("`{text}` is none"))
}

/// An id of any kind.
pub(crate) fn id<T: FromStr>(prefix: &str, number: u32) -> T {
    from(&format!("{prefix}_0190b5c87f1e7c3a8e0f{number:012x}"))
}

pub(crate) fn installation() -> Installation {
    Installation {
        name: "Harbour Cloud".to_owned(),
        support_email: "help@harbour.example".to_owned(),
        terms_version: "2026-11".to_owned(),
        terms: TERMS.to_owned(),
        has_privacy_policy: true,
        offers_trial: false,
        company: Company {
            name: Some("Harbour Cloud Co., Ltd.".to_owned()),
            representative: Some("Han Jiwoo".to_owned()),
            registration_number: Some("123-45-67890".to_owned()),
            mail_order_number: Some("2026-Seoul-0123".to_owned()),
            address: Some("7 Harbour-ro, Jung-gu, Incheon 22333".to_owned()),
            telephone: Some("+82 32 555 0100".to_owned()),
        },
        password_length_min: 12,
        api_url: Some("https://api.harbour.example".to_owned()),
        tombstone_days: 7,
        time_zone: "Asia/Seoul".parse().expect("a zone"),
    }
}

const TERMS: &str = "1. Purpose\n\nThese terms govern the use of servers that you order here.\n\n2. Charges\n\n\
    A server is charged by the hour from the moment it is ready until you delete it, also while it is \
    stopped.\n\n3. Your data\n\nYour servers' disks are yours. We look into them only when you ask us to.\n\n\
    4. End\n\nYou may delete your servers and close your account at any time.";

/// The terms, in Korean and in English.
pub(crate) fn terms(query: &str) -> LegalText {
    let is_korean = query.contains("lang=ko");
    LegalText {
        lang: Some(if is_korean { Locale::Ko } else { Locale::En }),
        text: if is_korean { TERMS_KO } else { TERMS }.to_owned(),
    }
}

/// What is read before a sign-up; partners have other terms.
pub(crate) fn sign_up_texts(query: &str) -> SignUpTexts {
    let LegalText { lang, text } = terms(query);
    let text = if query.contains("kind=partner") {
        "1. Partners\n\nBe partners.".to_owned()
    } else {
        text
    };
    SignUpTexts {
        terms: ConsentText {
            version: "2026-11".to_owned(),
            lang,
            text,
        },
        personal_data: Some(ConsentText {
            version: "2026-12".to_owned(),
            lang: Some(Locale::En),
            text: "We keep your name, your address and your number.".to_owned(),
        }),
        mobile_notice: Some(LegalText {
            lang: Some(Locale::En),
            text: "Whoever uses the data of others is punished.".to_owned(),
        }),
    }
}

/// Of a member who agreed to the terms of last year, and is asked for all texts of now.
pub(crate) fn consents() -> Consents {
    let texts = sign_up_texts("");
    Consents {
        given: vec![GivenConsent {
            document: ConsentDocument::Terms,
            version: "2025-03".to_owned(),
            at: time("2026-09-01T03:00:00Z"),
        }],
        terms: Some(texts.terms),
        personal_data: texts.personal_data,
    }
}

/// What is asked for after the second factor was lost.
pub(crate) fn lost_factor() -> LostFactor {
    LostFactor {
        requested_at: time("2026-11-21T12:00:00Z"),
        off_from: time("2026-11-24T12:00:00Z"),
        expires_at: time("2026-12-05T12:00:00Z"),
    }
}

pub(crate) fn privacy_policy() -> LegalText {
    LegalText {
        lang: None,
        text: "We keep your name and your address.".to_owned(),
    }
}

const TERMS_KO: &str = "제1조 (목적)\n\n이 약관은 주문하신 서버의 이용 조건을 정합니다.";

fn rate(won: u64) -> HourlyRate {
    HourlyRate {
        micro_minor_per_hour: won * 1_000_000,
        currency: Currency::Krw,
    }
}

fn won(amount: i64) -> Money {
    Money {
        amount,
        currency: Currency::Krw,
    }
}

fn prices(hour: u64, month: i64) -> Prices {
    let tariff = Tariff {
        hourly: rate(hour),
        monthly_cap: won(month),
    };
    innkeeper_wire::price::prices(tariff, Some(&vat())).expect("small amounts")
}

fn vat() -> Tax {
    Tax {
        rate: TaxRate::try_from(100_000).expect("a rate"),
        name: TaxName {
            en: "VAT".to_owned(),
            ko: "부가세".to_owned(),
            zh_hant: "營業稅".to_owned(),
        },
        shown: Shown::WithTax,
    }
}

fn specification() -> Specification {
    Specification {
        plan: "Medium".to_owned(),
        image: "Debian 12".to_owned(),
        vcpus: 2,
        memory: Bytes::gib(4),
        disk: Bytes::gib(60),
        ipv4: 1,
        ipv6: 1,
    }
}

pub(crate) fn catalogue() -> Catalogue {
    let plan = |code: &str, name: &str, vcpus, memory, disk, hour, month| Plan {
        code: from(code),
        name: name.to_owned(),
        vcpus,
        memory: Bytes::gib(memory),
        disk: Bytes::gib(disk),
        hourly: rate(hour),
        monthly_cap: won(month),
        prices: prices(hour, month),
    };
    let image = |code: &str, name: &str, user: &str, disk| Image {
        code: from(code),
        name: name.to_owned(),
        login_user: user.to_owned(),
        disk_min: Bytes::gib(disk),
    };
    Catalogue {
        sites: vec![
            Site {
                code: from("seoul-1"),
                name: "Seoul 1".to_owned(),
            },
            Site {
                code: from("taipei-1"),
                name: "Taipei 1".to_owned(),
            },
        ],
        plans: vec![
            plan("s", "Small", 1, 1, 20, 9, 6_000),
            plan("m", "Medium", 2, 4, 60, 32, 21_000),
            plan("l", "Large", 4, 8, 120, 64, 42_000),
            plan("xl", "Extra large", 8, 32, 320, 210, 139_000),
        ],
        images: vec![
            image("debian-12", "Debian 12", "debian", 4),
            image("ubuntu-24.04", "Ubuntu 24.04 LTS", "ubuntu", 4),
            image("rocky-9", "Rocky Linux 9", "rocky", 10),
        ],
        tax: Some(vat()),
        availability: availability(),
    }
}

/// In Taipei the two largest are sold out; in Seoul the machines of the largest are away.
fn availability() -> Vec<Offered> {
    use Availability::{Available, NotNow, SoldOut};
    let offered = |site: &str, plan: &str, availability| Offered {
        site: from(site),
        plan: from(plan),
        availability,
    };
    vec![
        offered("seoul-1", "s", Available),
        offered("seoul-1", "m", Available),
        offered("seoul-1", "l", Available),
        offered("seoul-1", "xl", NotNow),
        offered("taipei-1", "s", Available),
        offered("taipei-1", "m", Available),
        offered("taipei-1", "l", SoldOut),
        offered("taipei-1", "xl", SoldOut),
    ]
}

pub(crate) fn signup() -> SignupAnswer {
    SignupAnswer {
        account: id("acc", 1),
        email: "mina@ascii.example.com".to_owned(),
        email_shown: "mina@example.com".to_owned(),
    }
}

pub(crate) fn session(token: &str) -> SessionAnswer {
    SessionAnswer {
        token: token.to_owned(),
        account: id("acc", 1),
        expires_at: time("2026-11-21T20:00:00Z"),
        device: Some("nonce.1790000000.tag".to_owned()),
    }
}

pub(crate) fn me() -> Me {
    Me {
        id: id("acc", 1),
        login_id: "mina1".to_owned(),
        name: "김민아".to_owned(),
        kind: MemberKind::Corporate,
        company: Some("주식회사 항구".to_owned()),
        email: "mina@ascii.example.com".to_owned(),
        email_shown: "mina@example.com".to_owned(),
        new_email_shown: None,
        mobile: None,
        locale: Locale::Ko,
        time_zone: "Asia/Seoul".parse().expect("a zone"),
        first_steps_hidden: false,
        consent_asked: false,
        created_at: time("2026-09-01T03:00:00Z"),
        server_quota: 20,
        suspension: None,
    }
}

/// One that is taken, one that has expired, and one that is off since a restore.
pub(crate) fn tokens() -> Vec<ApiToken> {
    let token = |number: u32, name: &str, state: TokenState, used: Option<&str>| ApiToken {
        id: id("tok", number),
        name: name.to_owned(),
        scopes: vec![Scope::Read, Scope::Servers],
        networks: vec!["203.0.113.0/24".to_owned(), "2001:db8::7".to_owned()],
        state,
        created_at: time("2026-11-01T03:00:00Z"),
        expires_at: time("2027-01-30T03:00:00Z"),
        used_at: used.map(time),
    };
    vec![
        token(
            1,
            "nightly backup",
            TokenState::Live,
            Some("2026-11-21T11:30:00Z"),
        ),
        token(2, "old script", TokenState::Expired, None),
        token(3, "monitoring", TokenState::Off, None),
    ]
}

pub(crate) fn new_token() -> NewApiToken {
    NewApiToken {
        secret: TOKEN_SECRET.to_owned(),
        token: tokens().swap_remove(0),
    }
}

pub(crate) const TOKEN_SECRET: &str =
    "ink_0190b5c87f1e7c3a8e0f000000000001_0123456789012345678901234567890123456789012";

/// Everything that pages can show of it, so that each of them has something: it is on, and a set-up waits.
pub(crate) fn second_factor() -> SecondFactor {
    SecondFactor {
        on_since: Some(time("2026-11-01T03:00:00Z")),
        recovery_codes_left: 8,
        recovery_codes_off: false,
        pending: Some(second_factor_secret()),
    }
}

pub(crate) fn second_factor_secret() -> SecondFactorSecret {
    SecondFactorSecret {
        secret: "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ".to_owned(),
        uri: "otpauth://totp/Harbour%20Cloud:mina1?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Harbour%20Cloud"
            .to_owned(),
        expires_at: time("2026-11-21T12:15:00Z"),
    }
}

pub(crate) fn recovery_codes() -> RecoveryCodes {
    let code = |number: u32| format!("040G-2081-040G-{number:04}");
    RecoveryCodes {
        codes: (0..10).map(code).collect(),
    }
}

/// This one and two others, of which one says nothing of itself.
pub(crate) fn sessions() -> Vec<Session> {
    let session = |number: u32, client: Option<&str>, used: &str| Session {
        id: id("ses", number),
        is_current: number == 1,
        client: client.map(str::to_owned),
        network: format!("203.0.{number}.0/24"),
        started_at: time("2026-11-21T09:00:00Z"),
        used_at: time(used),
        expires_at: time("2026-11-21T13:00:00Z"),
    };
    vec![
        session(1, Some("Firefox, Windows"), "2026-11-21T12:00:00Z"),
        session(2, Some("Safari, iPhone"), "2026-11-21T11:30:00Z"),
        session(3, None, "2026-11-21T11:00:00Z"),
    ]
}

fn key(number: u32, name: &str) -> SshKey {
    SshKey {
        id: id("key", number),
        name: name.to_owned(),
        bits: Some(256),
        algorithm: "ssh-ed25519".to_owned(),
        fingerprint: format!("SHA256:{number}Yd1bQ0Xr3m9cVb6iWvKq5uHn2sTzLpE8gAoJfR7kMx"),
        public_key: "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIm".to_owned(),
        created_at: time("2026-11-20T09:00:00Z"),
    }
}

pub(crate) fn keys() -> Vec<SshKey> {
    vec![key(1, "mina@laptop"), key(2, "office desktop")]
}

pub(crate) fn new_key() -> SshKey {
    key(3, "new key")
}

pub(crate) fn quote() -> Quote {
    Quote {
        id: id("quo", 1),
        site: from("seoul-1"),
        plan: from("m"),
        image: from("debian-12"),
        name: from("web-1"),
        ssh_keys: vec![id("key", 1)],
        hourly: rate(32),
        monthly_cap: won(21_000),
        prices: prices(32, 21_000),
        specification: specification(),
        expires_at: time("2026-11-21T12:30:00Z"),
    }
}

/// A server of the whole month whose host was at fault for an hour, one of ten minutes, and one of before names were kept.
pub(crate) fn month_so_far() -> MonthSoFar {
    let line = |number: u32, used_s, credited_s, charged_s, net| UsageLine {
        server: id("srv", number),
        contract: id("ctr", number),
        name: Some(from(&format!("web-{number}"))),
        plan: Some(from("m")),
        site: Some(from("seoul-1")),
        from: time("2026-11-01T00:00:00+09:00"),
        until: time("2026-11-21T12:00:00Z"),
        is_open: true,
        used_s,
        credited_s,
        charged_s,
        hourly: rate(32),
        monthly_cap: won(21_000),
        is_capped: net == 21_000,
        net: won(net),
        once: None,
    };
    let mut unnamed = line(3, 3_000_000, 0, 3_000_000, 21_000);
    (unnamed.name, unnamed.plan, unnamed.site) = (None, None, None);
    MonthSoFar {
        month: from("2026-11"),
        time_zone: from("Asia/Seoul"),
        from: time("2026-11-01T00:00:00+09:00"),
        until: time("2026-12-01T00:00:00+09:00"),
        as_of: time("2026-11-21T12:00:00Z"),
        lines: vec![
            line(1, 1_800_000, 3_600, 1_796_400, 15_968),
            line(2, 600, 0, 3_600, 32),
            unnamed,
        ],
        so_far: totals(37_000, 3_700),
        forecast: totals(63_000, 6_300),
    }
}

/// A sum with its tax.
fn totals(net: i64, tax: i64) -> Totals {
    Totals {
        net: won(net),
        taxes: vec![TaxTotal {
            rate: TaxRate::try_from(100_000).expect("a rate"),
            name: vat().name,
            net: won(net),
            tax: won(tax),
        }],
        total: won(net + tax),
    }
}

/// One of each state, newest first.
pub(crate) fn invoice_summaries() -> Vec<InvoiceSummary> {
    let states = [
        (3, "2026-10", InvoiceState::Open, 40_700),
        (2, "2026-09", InvoiceState::Overdue, 10_000),
        (1, "2026-08", InvoiceState::Paid, 0),
    ];
    let summary = |(number, month, state, open): (u32, &str, _, _)| InvoiceSummary {
        id: id("inv", number),
        number: format!("1-{number:06}"),
        account: id("acc", 1),
        month: from(month),
        issued_at: time("2026-11-04T00:00:00+09:00"),
        due_at: time("2026-11-18T00:00:00+09:00"),
        total: won(40_700),
        open: won(open),
        credited: won(if number == 3 { 1_100 } else { 0 }),
        state,
    };
    states.into_iter().map(summary).collect()
}

pub(crate) fn invoice() -> Invoice {
    let month = month_so_far();
    Invoice {
        summary: invoice_summaries().swap_remove(0),
        time_zone: month.time_zone,
        from: time("2026-10-01T00:00:00+09:00"),
        until: month.from,
        supplier: installation().company,
        bill_to: Some(BillTo::of(2, billing_profile().details)),
        lines: month.lines,
        totals: month.so_far,
        lines_digest: Digest::of(b"lines"),
        pay_to: Some("Harbour Bank <123-456>\nHarbour Ltd.".to_owned()),
        credit_notes: vec![CreditNote {
            id: id("crn", 1),
            number: "C1-000001".to_owned(),
            issued_at: time("2026-11-05T00:00:00+09:00"),
            lines: vec![CreditLine {
                line: 1,
                net: 1_000,
            }],
            totals: totals(1_000, 100),
            reason: "The host was slow.".to_owned(),
        }],
    }
}

pub(crate) fn billing_profile() -> BillingProfile {
    BillingProfile {
        version: Some(2),
        changed_at: Some(time("2026-10-02T03:00:00Z")),
        details: BillingDetails {
            kind: PayerKind::Corporate,
            name: "주식회사 <항구>".to_owned(),
            country: "KR".to_owned(),
            postal_code: Some("04524".to_owned()),
            address: "서울특별시 중구\n세종대로 1".to_owned(),
            business_number: Some("1248100998".to_owned()),
            corporate_number: Some("1301110006246".to_owned()),
            representative: Some("홍길동".to_owned()),
            contact: Some("김민아".to_owned()),
            mobile: "+821012345678".to_owned(),
            landline: None,
            emails: vec!["tax@example.com".to_owned()],
        },
    }
}

pub(crate) fn spending_alert() -> serde_json::Value {
    serde_json::json!({
        "threshold": { "amount": 100_000, "currency": "KRW" }, "told_in": "2026-10",
    })
}

pub(crate) fn billing_summary() -> BillingSummary {
    let months = (5..11).map(|month: u8| MonthTotal {
        month: from(&format!("2026-{month:02}")),
        total: won(if month < 8 { 0 } else { 40_700 }),
    });
    BillingSummary {
        months: months.collect(),
        average: won(20_350),
    }
}

/// Of one that pays ahead.
pub(crate) fn funds() -> Funds {
    let at = time("2026-11-05T00:00:00+09:00");
    Funds {
        terms: PaymentTerms::Prepaid,
        payment_days: None,
        owed: won(0),
        credit: won(50_000),
        promotions: vec![PromotionLine {
            amount: won(20_000),
            left: won(7_500),
            granted_at: at,
            expires_at: time("2026-12-05T00:00:00+09:00"),
        }],
        trial: Some(TrialView {
            amount: won(200_000),
            left: won(150_000),
            ends_at: time("2026-12-05T00:00:00+09:00"),
            is_converted: false,
        }),
        prepaid: Some(PrepaidFunds {
            available: won(31_000),
            used: won(18_150),
            held: won(850),
            holds: vec![HoldLine {
                contract: id("ctr", 1),
                server: id("srv", 1),
                name: Some(from("web-1")),
                amount: won(850),
                since: at,
            }],
            burn_per_day: won(2_550),
            lasts_until: Some(time("2026-11-17T00:00:00+09:00")),
            as_of: at,
        }),
        pay_to: Some("Harbour Bank <123-456>\nHarbour Ltd.".to_owned()),
        reference: Some("mina1".to_owned()),
    }
}

/// One entry of each kind, newest first.
pub(crate) fn statement() -> Statement {
    let invoice = Some(id("inv", 3));
    let line = |kind, name: &str, invoice, amount, balance| StatementLine {
        at: time("2026-11-05T00:00:00+09:00"),
        kind,
        name: name.to_owned(),
        invoice,
        amount: won(amount),
        balance: won(balance),
    };
    Statement {
        owed: won(38_600),
        credit: won(0),
        promotion: won(7_500),
        entries: vec![
            line(StatementKind::WriteOff, "1-000003", invoice, -1_000, 38_600),
            line(
                StatementKind::CreditNote,
                "C1-000001",
                invoice,
                -1_100,
                39_600,
            ),
            line(StatementKind::Invoice, "1-000003", invoice, 40_700, 40_700),
            line(StatementKind::Payment, "<b>KB 1</b>", None, -40_700, 0),
        ],
    }
}

pub(crate) fn orders() -> Vec<Order> {
    let states = [
        OrderState::Provisioning,
        OrderState::Completed,
        OrderState::Failed,
        OrderState::Cancelled,
    ];
    (1..)
        .zip(states)
        .map(|(number, state)| order(number, state))
        .collect()
}

fn order(number: u32, state: OrderState) -> Order {
    Order {
        id: id("ord", number),
        state,
        server: id("srv", number),
        server_name: from(&format!("web-{number}")),
        contract: id("ctr", number),
        site: from("seoul-1"),
        plan: from("m"),
        image: from("debian-12"),
        hourly: rate(32),
        monthly_cap: won(21_000),
        prices: prices(32, 21_000),
        specification: specification(),
        placed_at: time("2026-11-21T11:58:00Z"),
        failure: (state == OrderState::Failed).then_some(ServerProblemCode::NotReachable),
        failed_at: (state == OrderState::Failed).then(|| time("2026-11-21T11:59:20Z")),
    }
}

/// A server in this state, as the API would show it.
pub(crate) fn server(number: u32, name: &str, state: ServerState) -> Server {
    use ServerAction::{Delete, PowerOff, Reboot, Shutdown, Start};
    let is_made = !matches!(
        state,
        ServerState::Requested | ServerState::Creating | ServerState::CreateFailed
    );
    Server {
        id: id("srv", number),
        name: from(name),
        state,
        step: (state == ServerState::Creating).then_some(CreateStep::Disk),
        paused: (state == ServerState::Paused).then_some(PauseReason::DiskFull),
        problem: None,
        failure: (state == ServerState::CreateFailed).then_some(ServerProblemCode::DiskFailed),
        outage_since: None,
        outage_cause: None,
        restored_at: None,
        allowed_actions: match state {
            ServerState::Running => vec![Shutdown, PowerOff, Reboot, Delete],
            ServerState::Paused => vec![Start, Shutdown, PowerOff, Reboot, Delete],
            ServerState::Stopped => vec![Start, Delete],
            ServerState::Starting | ServerState::Stopping | ServerState::Rebooting => {
                vec![PowerOff, Delete]
            }
            ServerState::Deleting | ServerState::Deleted => vec![],
            _ => vec![Delete],
        },
        observed_at: is_made.then(|| time("2026-11-21T11:59:57Z")),
        site: from("seoul-1"),
        plan: from("m"),
        image: from("debian-12"),
        login_user: "debian".to_owned(),
        addresses: vec![
            from(&format!("203.0.113.{number}")),
            from(&format!("2001:db8:17::{number:x}")),
        ],
        vcpus: 2,
        memory: Bytes::gib(4),
        disk: Bytes::gib(60),
        hourly: rate(32),
        monthly_cap: won(21_000),
        order: id("ord", number),
        created_at: time("2026-11-21T11:58:00Z"),
        ready_at: is_made.then(|| time("2026-11-21T11:58:40Z")),
        ended_at: match state {
            ServerState::CreateFailed | ServerState::Deleting | ServerState::Deleted => {
                Some(time("2026-11-21T11:59:20Z"))
            }
            _ => None,
        },
        end_cause: None,
        ssh_keys: keys()
            .into_iter()
            .take(1)
            .map(|key| key.fingerprint)
            .collect(),
    }
}

pub(crate) fn servers() -> Vec<Server> {
    vec![
        server(1, "shop-new", ServerState::Creating),
        server(2, "web-1", ServerState::Running),
        server(3, "web-2", ServerState::Stopping),
        server(4, "batch", ServerState::Stopped),
        server(5, "db-replica", ServerState::Unknown),
        server(6, "trial", ServerState::CreateFailed),
    ]
}
