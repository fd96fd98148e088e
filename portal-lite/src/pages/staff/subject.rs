//! What a deed of staff is about, as the page that asks before shows it.

use innkeeper_wire::{
    endpoints::{
        Endpoint as _,
        operators::{GetAccount, GetAnyServer, GetBilling, GetStranded, PlanErasure},
    },
    host::HostCapacity,
    id::{AccountId, MailId, OrderId},
    operator::{PlanRequest, accounts::AccountView},
};

use super::{
    deeds::{OnAccount, OnHost, SERVERS, StaffDeed, What},
    hosts::host_of,
    jobs, lost_factor, money,
};
use crate::{
    failure::Failure,
    fields::Fields,
    language,
    pages::{id, view},
    visit::Visit,
    words,
};

/// What something is done to.
pub(super) struct Subject {
    /// The list that it is in: its address, and the name of its words.
    pub(super) list: (&'static str, &'static str),
    /// What it is called.
    pub(super) name: String,
    /// Its own page, or the list if it has none.
    pub(super) href: String,
    /// What is worth knowing before: labels and what stands behind them.
    pub(super) facts: Vec<(String, String)>,
    /// What the form is filled in with.
    pub(super) present: Fields,
}

impl Subject {
    /// Whether it has a page of its own.
    pub(super) fn has_page(&self) -> bool {
        self.href != self.list.0
    }
}

/// What a deed is about.
pub(super) async fn subject(
    visit: &Visit,
    deed: &StaffDeed,
    about: &str,
) -> Result<Subject, Failure> {
    match deed.what {
        What::Account(what) => account(visit, what, about).await,
        What::Server(_) => server(visit, about).await,
        What::Host(what) => host(visit, what, about).await,
        What::RetryOrder => {
            let order: OrderId = id(about)?;
            Ok(of_list("/orders", "nav-failed-orders", order.to_string()))
        }
        What::RetryMail | What::DropMail => {
            let mail: MailId = id(about)?;
            Ok(of_list("/mails", "nav-mails", mail.to_string()))
        }
        What::Money(what) => money::acts::subject(visit, what, about).await,
        What::Job(what) => jobs::acts::subject(visit, what, about).await,
        What::LostFactor(_) => lost_factor::subject(visit, about).await,
        What::UnfreezeBilling => clock(visit).await,
        What::RetryMails => Ok(of_list("/mails", "nav-mails", String::new())),
    }
}

/// The clock that is in doubt.
async fn clock(visit: &Visit) -> Result<Subject, Failure> {
    let status = visit.ask(GetBilling::ask()).await?;
    let freeze = status.freeze.ok_or(Failure::NotFound)?;
    let name = visit.say("billing-clock");
    let moment = |at| view::moment(visit, at).exact;
    let facts = vec![
        (visit.say("billing-clock-now"), moment(status.clock)),
        (visit.say("billing-clock-shown"), moment(freeze.shown)),
        (visit.say("billing-clock-expected"), moment(freeze.expected)),
        (visit.say("billing-frozen-since"), moment(freeze.since)),
    ];
    Ok(Subject {
        facts,
        ..of_list("/attention", "nav-attention", name)
    })
}

/// Something that has no page of its own.
fn of_list(path: &'static str, words: &'static str, name: String) -> Subject {
    Subject {
        list: (path, words),
        name,
        href: path.to_owned(),
        facts: Vec::new(),
        present: Fields::default(),
    }
}

async fn account(visit: &Visit, what: OnAccount, about: &str) -> Result<Subject, Failure> {
    let account: AccountView = visit.ask(GetAccount::at(id(about)?)).await?;
    let person = account.line.person;
    let mut facts = Vec::new();
    if let Some(person) = &person {
        facts.push((visit.say("account-name"), person.name.clone()));
        facts.push((visit.say("account-email"), person.email.clone()));
    }
    match what {
        OnAccount::Approve | OnAccount::Reject => {
            facts.push((
                visit.say("member-kind"),
                visit.say(words::member_kind(account.kind)),
            ));
            let company = account.company.unwrap_or_else(|| "–".to_owned());
            facts.push((visit.say("sign-up-company"), company));
        }
        OnAccount::Erase => facts.extend(erasure(visit, account.line.id).await?),
        OnAccount::Unlock
        | OnAccount::Quota
        | OnAccount::Suspend(_)
        | OnAccount::Resume
        | OnAccount::MailConfirmation
        | OnAccount::ConfirmEmail => {}
    }
    let quota = account.server_quota.to_string();
    Ok(Subject {
        list: ("/accounts", "nav-accounts"),
        name: person.map_or_else(|| account.line.id.to_string(), |person| person.login_id),
        href: format!("/accounts/{}", account.line.id),
        facts,
        present: Fields::new(vec![(SERVERS.name.to_owned(), quota)]),
    })
}

/// What goes with the person of an account.
async fn erasure(visit: &Visit, account: AccountId) -> Result<Vec<(String, String)>, Failure> {
    let who = account.to_string();
    let plan = visit.ask(PlanErasure::with(PlanRequest { who })).await?;
    let readable = match plan.is_readable {
        true => "erasure-readable-yes",
        false => "erasure-readable-no",
    };
    Ok(vec![
        (visit.say("erasure-servers"), plan.servers.to_string()),
        (visit.say("erasure-keys"), plan.ssh_keys.to_string()),
        (visit.say("erasure-mails"), plan.mails.to_string()),
        (visit.say("erasure-readable"), visit.say(readable)),
    ])
}

async fn server(visit: &Visit, about: &str) -> Result<Subject, Failure> {
    let any = visit.ask(GetAnyServer::at(id(about)?)).await?;
    let owner = any.login_id.unwrap_or_else(|| any.account.to_string());
    let addresses = any.server.addresses.iter().map(ToString::to_string);
    let addresses = addresses.collect::<Vec<_>>().join(" ");
    Ok(Subject {
        list: ("/servers", "nav-servers"),
        name: any.server.name.to_string(),
        href: format!("/servers/{}", any.server.id),
        facts: vec![
            (visit.say("act-owner"), owner),
            (visit.say("act-host"), any.host_name),
            (visit.say("server-addresses"), addresses),
        ],
        present: Fields::default(),
    })
}

async fn host(visit: &Visit, what: OnHost, about: &str) -> Result<Subject, Failure> {
    let host = host_of(visit, about).await?;
    let mut facts = Vec::new();
    if what == OnHost::AcceptCapacity {
        let known = host.capacity.map(capacity);
        let none = || "–".to_owned();
        facts.push((visit.say("host-capacity"), known.unwrap_or_else(none)));
        let claimed = host.claims_more.map(capacity);
        facts.push((visit.say("host-claims"), claimed.unwrap_or_else(none)));
    }
    if matches!(what, OnHost::Revoke | OnHost::Lose) {
        let stranded = visit.ask(GetStranded::at(host.id.to_string())).await?;
        let names = stranded.named.into_iter().map(|(_, name)| name);
        facts.push((
            visit.say("revoke-servers"),
            language::say_count(
                visit.locale,
                "revoke-stranded",
                u64::try_from(stranded.servers).unwrap_or(u64::MAX),
            ),
        ));
        facts.push((visit.say("nav-accounts"), stranded.accounts.to_string()));
        facts.push((
            visit.say("revoke-names"),
            names.collect::<Vec<_>>().join(" "),
        ));
    }
    Ok(Subject {
        list: ("/hosts", "nav-hosts"),
        name: host.name,
        href: format!("/hosts/{}", host.id),
        facts,
        present: Fields::default(),
    })
}

/// What a host has, in a line.
pub(super) fn capacity(capacity: HostCapacity) -> String {
    let HostCapacity { cpus, memory, disk } = capacity;
    format!("{cpus} CPU · {} · {}", memory.rounded(), disk.rounded())
}
