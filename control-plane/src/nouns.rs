//! All nouns of the product, built and wired: each is handed what it needs, and nothing else happens here.

use std::{ops::Deref, path::PathBuf, sync::Arc, time::Duration};

use innkeeper_wire::{
    company::Company, id::IdSource, money::Currency, time::Clock, vm::Opening, zone::Zone,
};

use crate::{
    accounts::{self, AccountSettings, Accounts},
    addresses::{self, Addresses, rules::pools::Pool},
    billing::{self, Billing, BillingSettings, BillingTerms},
    catalogue::Catalogue,
    closing::Closing,
    continuity::{self, Continuity, witnesses::WitnessKey},
    hosts::{self, Hosts, rules::placement::Overcommit},
    intake::Intake,
    kernel::{Ctx, gate::Gate, record::Kind},
    legal::{LegalTexts, MemberTexts},
    mails::{self, Mails, rules::Stationery},
    orders::{self, OrderSettings, Orders},
    prices::{self, PriceLists},
    servers::{self, Servers},
    staff::{self, StaffSettings, Staffs},
    store::Store,
    support::{self, Support, SupportSettings},
    vault::Vault,
};

/// All types of records that there are, by noun.
pub const RECORDS: &[(&str, &[Kind])] = &[
    ("accounts", accounts::records::RECORDS),
    ("addresses", addresses::records::RECORDS),
    ("billing", billing::records::RECORDS),
    ("continuity", continuity::records::RECORDS),
    ("hosts", hosts::records::RECORDS),
    ("mails", mails::records::RECORDS),
    ("orders", orders::records::RECORDS),
    ("prices", prices::records::RECORDS),
    ("servers", servers::records::RECORDS),
    ("staff", staff::records::RECORDS),
    ("support", support::records::RECORDS),
];

/// What an operator decides about the installation.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The hoster's name for it.
    pub installation: String,
    /// Where customers get help.
    pub support_email: String,
    /// What members agree to.
    pub texts: MemberTexts,
    /// The privacy policy.
    pub privacy: Option<LegalTexts>,
    /// Who runs it: on every page and in every mail.
    pub company: Company,
    /// Shortest password.
    pub password_length_min: usize,
    /// Where the portal is, for links in mails; no slash at the end.
    pub portal_url: String,
    /// Where the staff's portal is, likewise; none when staff have no door.
    pub staff_portal_url: Option<String>,
    /// Where programs reach the API, if that was said; no slash at the end.
    pub api_url: Option<String>,
    /// The time zone of customers, and of bills.
    pub time_zone: Zone,
    /// What is sold in.
    pub currency: Currency,
    /// What can be ordered.
    pub catalogue: Catalogue,
    /// Address pools.
    pub pools: Vec<Pool>,
    /// How much more may be promised than there is.
    pub overcommit: Overcommit,
    /// What may come in to a new server.
    pub openings: Vec<Opening>,
    /// Days for which the disk of a deleted server is kept.
    pub tombstone_days: u32,
    /// How long an address that a guest had rests before somebody else gets it (T43).
    pub address_rest: Duration,
    /// By how much the clock of billing is ahead of the machine's: nothing, but in a demonstration.
    pub billing_ahead: Duration,
    /// When months are closed, and until when is to be paid.
    pub billing_terms: BillingTerms,
    /// Where customers transfer money to, in the hoster's own words.
    pub pay_to: Option<String>,
    /// Where the fonts of invoices are.
    pub invoice_fonts: PathBuf,
    /// Most servers of a new account.
    pub server_quota: u32,
    /// Most sign-ups in an hour, from everywhere together.
    pub sign_ups_per_hour: u32,
    /// Technical-support jobs.
    pub support: SupportSettings,
    /// What tags the witnesses of the journal that hosts are told.
    pub witness_key: WitnessKey,
}

/// A handle to all nouns. Every request has one of its own, so it is one pointer: a noun holds those below it, each of
/// them its own context, and a copy of all that counts up and down dozens of pointers that all cores share.
#[derive(Clone)]
pub struct Nouns(Arc<Wired>);

impl Deref for Nouns {
    type Target = Wired;

    fn deref(&self) -> &Wired {
        &self.0
    }
}

/// The nouns by name.
pub struct Wired {
    /// What they work with.
    pub ctx: Ctx,
    /// What the operator decided.
    pub settings: Settings,
    /// The outbox.
    pub mails: Mails,
    /// Addresses of the pools.
    pub addresses: Addresses,
    /// Customers.
    pub accounts: Accounts,
    /// The hoster's people.
    pub staff: Staffs,
    /// Contracts and what is charged for.
    pub billing: Billing,
    /// Hypervisors.
    pub hosts: Hosts,
    /// Customers' servers.
    pub servers: Servers,
    /// What plans cost from when on.
    pub prices: PriceLists,
    /// Quotes and orders.
    pub orders: Orders,
    /// Technical-support jobs.
    pub support: Support,
    /// Restores, witnesses, the authority's roll-over.
    pub continuity: Continuity,
    /// What ends several nouns' things at once.
    pub closing: Closing,
    /// Reports of hosts.
    pub intake: Intake,
}

impl Nouns {
    /// Puts them together over a store, and reads what they keep in memory of it.
    #[must_use]
    pub fn new(
        store: Store,
        vault: Vault,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn IdSource>,
        settings: Settings,
    ) -> Self {
        let ctx = Ctx::new(store, clock, ids, Gate::default());
        let mails = Mails::new(ctx.clone(), stationery(&settings));
        let addresses = Addresses::new(ctx.clone(), settings.pools.clone(), settings.address_rest);
        let accounts = Accounts::new(
            ctx.clone(),
            vault.clone(),
            mails.clone(),
            account_settings(&settings),
        );
        let staff = Staffs::new(ctx.clone(), vault, mails.clone(), staff_settings(&settings));
        let billing = billing(&ctx, &accounts, &mails, &settings);
        let hosts = Hosts::new(
            ctx.clone(),
            addresses.clone(),
            settings.catalogue.sites.clone(),
            settings.overcommit,
        );
        let servers = servers(
            &ctx,
            (&accounts, &addresses),
            (&billing, &hosts, &mails),
            &settings,
        );
        let prices = PriceLists::new(ctx.clone(), settings.catalogue.clone(), settings.currency);
        let of_orders = order_settings(&prices, &settings);
        let below = (&accounts, &addresses, &billing);
        let orders = orders(&ctx, below, (&hosts, &servers), of_orders);
        let support = support(
            &ctx,
            (&accounts, &staff),
            (&billing, &mails),
            &servers,
            &settings,
        );
        let continuity = Continuity::new(
            ctx.clone(),
            addresses.clone(),
            hosts.clone(),
            servers.clone(),
            settings.witness_key.clone(),
        );
        let closing = Closing::new(ctx.clone(), hosts.clone(), servers.clone());
        let intake = Intake::new(
            ctx.clone(),
            hosts.clone(),
            servers.clone(),
            continuity.clone(),
        );
        let nouns = Wired {
            ctx,
            settings,
            mails,
            addresses,
            accounts,
            staff,
            billing,
            hosts,
            servers,
            prices,
            orders,
            support,
            continuity,
            closing,
            intake,
        };
        nouns.load();
        Self(Arc::new(nouns))
    }
}

impl Wired {
    fn load(&self) {
        for loaded in [
            self.addresses.load(),
            self.hosts.load(),
            self.servers.load(),
        ] {
            if let Err(error) = loaded {
                tracing::error!(%error, "hosts and addresses can't be read; the first order tries again");
            }
        }
    }
}

fn account_settings(settings: &Settings) -> AccountSettings {
    AccountSettings {
        password_length_min: settings.password_length_min,
        texts: settings.texts.clone(),
        server_quota: settings.server_quota,
        sign_ups_per_hour: settings.sign_ups_per_hour,
    }
}

fn order_settings(prices: &PriceLists, settings: &Settings) -> OrderSettings {
    OrderSettings {
        prices: prices.clone(),
        openings: settings.openings.clone(),
    }
}

fn billing(ctx: &Ctx, accounts: &Accounts, mails: &Mails, settings: &Settings) -> Billing {
    let settings = BillingSettings {
        time_zone: settings.time_zone.clone(),
        currency: settings.currency,
        tax: settings.catalogue.tax.clone(),
        ahead: settings.billing_ahead,
        company: settings.company.clone(),
        terms: settings.billing_terms,
        pay_to: settings.pay_to.clone(),
        fonts: settings.invoice_fonts.clone(),
    };
    Billing::new(ctx.clone(), accounts.clone(), mails.clone(), settings)
}

fn support(
    ctx: &Ctx,
    (accounts, staff): (&Accounts, &Staffs),
    (billing, mails): (&Billing, &Mails),
    servers: &Servers,
    settings: &Settings,
) -> Support {
    Support::new(
        ctx.clone(),
        accounts.clone(),
        billing.clone(),
        mails.clone(),
        servers.clone(),
        staff.clone(),
        settings.support.clone(),
    )
}

fn servers(
    ctx: &Ctx,
    (accounts, addresses): (&Accounts, &Addresses),
    (billing, hosts, mails): (&Billing, &Hosts, &Mails),
    settings: &Settings,
) -> Servers {
    Servers::new(
        ctx.clone(),
        accounts.clone(),
        addresses.clone(),
        billing.clone(),
        hosts.clone(),
        mails.clone(),
        settings.tombstone_days,
    )
}

fn orders(
    ctx: &Ctx,
    (accounts, addresses, billing): (&Accounts, &Addresses, &Billing),
    (hosts, servers): (&Hosts, &Servers),
    settings: OrderSettings,
) -> Orders {
    Orders::new(
        ctx.clone(),
        accounts.clone(),
        addresses.clone(),
        billing.clone(),
        hosts.clone(),
        servers.clone(),
        settings,
    )
}

fn staff_settings(settings: &Settings) -> StaffSettings {
    StaffSettings {
        installation: settings.installation.clone(),
        portal_url: settings.staff_portal_url.clone(),
        password_length_min: settings.password_length_min,
    }
}

fn stationery(settings: &Settings) -> Stationery {
    Stationery {
        installation: settings.installation.clone(),
        portal_url: settings.portal_url.clone(),
        support_email: settings.support_email.clone(),
        company: settings.company.clone(),
        time_zone: settings.time_zone.clone(),
    }
}
