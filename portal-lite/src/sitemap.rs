//! What a page is: a row. The table of all rows is in `routes`; the router, the navigation, `robots.txt`, the guard
//! before forms and the tests are made from it.

use std::sync::Arc;

use axum::routing::MethodRouter;

use crate::{area::Area, fields::Field, portal::Portal};

/// Entries of the navigation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// None of them.
    None,
    /// Servers.
    Servers,
    /// SSH keys.
    Keys,
    /// Orders.
    Orders,
    /// Technical-support jobs.
    Jobs,
    /// What is charged.
    Billing,
    /// The account; of staff, their sessions.
    Account,
    /// What needs a person, for staff.
    Attention,
    /// All accounts, for staff.
    Accounts,
    /// Hosts, for staff.
    Hosts,
    /// Mails to customers, for staff.
    Mails,
    /// Months and everybody's invoices, for staff.
    Money,
    /// The audit trail, for staff.
    Audit,
}

/// Who is a page for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    /// Anybody.
    Anyone,
    /// Those who have no session; others go on to where a sign-in leads.
    Strangers,
    /// Those who have a session; others sign in first.
    Members,
}

/// What an address answers with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A page that anybody may find by a search engine.
    Found,
    /// A page.
    Page,
    /// A part of a page, which scripts ask for again and again.
    Part,
    /// Nothing of its own: a form's target, which leads elsewhere when it is opened.
    Target,
}

/// One address of the portal.
#[derive(Clone, Copy)]
pub struct Row {
    /// Its path; `{id}` stands for any one segment.
    pub path: &'static str,
    /// The entry of the navigation that it belongs to.
    pub place: Place,
    /// Who may open it.
    pub who: Who,
    /// What it answers with.
    pub kind: Kind,
    /// Parameters of its query.
    pub query: &'static [&'static str],
    /// The form that can be posted to it.
    pub form: Option<&'static [Field]>,
    /// Its handlers.
    pub handler: fn() -> MethodRouter<Arc<Portal>>,
}

impl std::fmt::Debug for Row {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.path)
    }
}

/// A row of the navigation: the entry, its address, the name of its text.
pub type Entry = (Place, &'static str, &'static str);

/// The navigation of a portal.
#[must_use]
pub const fn navigation(area: Area) -> &'static [Entry] {
    match area {
        Area::Customers => NAVIGATION,
        Area::Staff => STAFF_NAVIGATION,
    }
}

const STAFF_NAVIGATION: &[Entry] = &[
    (Place::Attention, "/attention", "nav-attention"),
    (Place::Accounts, "/accounts", "nav-accounts"),
    (Place::Servers, "/servers", "nav-servers"),
    (Place::Jobs, "/jobs", "nav-jobs"),
    (Place::Hosts, "/hosts", "nav-hosts"),
    (Place::Orders, "/orders", "nav-failed-orders"),
    (Place::Money, "/invoices", "nav-invoices"),
    (Place::Mails, "/mails", "nav-mails"),
    (Place::Audit, "/audit", "nav-audit"),
    (Place::Account, "/account/sessions", "account-sessions"),
];

const NAVIGATION: &[Entry] = &[
    (Place::Servers, "/servers", "nav-servers"),
    (Place::Keys, "/keys", "nav-keys"),
    (Place::Orders, "/orders", "nav-orders"),
    (Place::Billing, "/billing", "nav-billing"),
    (Place::Jobs, "/jobs", "nav-jobs"),
    (Place::Account, "/account", "nav-account"),
];

impl Row {
    /// Whether this is the row of a path.
    #[must_use]
    pub fn matches(&self, path: &str) -> bool {
        let (mut own, mut given) = (self.path.split('/'), path.split('/'));
        loop {
            match (own.next(), given.next()) {
                (None, None) => return true,
                (Some(own), Some(given)) if own == given => {}
                (Some(own), Some(given)) if own.starts_with('{') && !given.is_empty() => {}
                _ => return false,
            }
        }
    }

    /// The row of a path: one that spells it, before one that takes any.
    #[must_use]
    pub fn of(rows: &'static [Self], path: &str) -> Option<&'static Self> {
        let spelled = rows.iter().find(|row| row.path == path);
        spelled.or_else(|| rows.iter().find(|row| row.matches(path)))
    }
}
