//! What is sold and for how much, as pages show it: which price comes first, what the tax does, how big a server is.

use innkeeper_wire::{
    api::Specification,
    money::{HourlyRate, Money},
    price::{HourlyPrice, Price, Prices, Shown, Tariff, Tax, prices},
};

use crate::{
    format,
    language::{say_amount, say_count},
    visit::Visit,
};

/// What is said beside a price: no tax is told of, it is in it, it comes on top.
const NOTES: [&str; 3] = ["price-before-tax", "price-with", "price-plus"];

/// The price that comes first, and what is to be known of the tax on it.
pub struct PriceView {
    /// An hour.
    pub hourly: String,
    /// Most for a month.
    pub monthly: String,
    /// Whether the tax is in these.
    pub note: String,
}

/// A price with all that it is made of.
pub struct BillView {
    /// What the tax is called, with its rate; nothing when no tax is told.
    pub tax: Option<String>,
    /// An hour.
    pub hour: AmountsView,
    /// Most for a month.
    pub month: AmountsView,
    /// What it costs at the least.
    pub minimum: String,
}

/// An amount, the tax on it, and both.
pub struct AmountsView {
    /// Before tax.
    pub net: String,
    /// The tax.
    pub tax: String,
    /// Both.
    pub gross: String,
}

/// What a server is.
pub struct SpecificationView {
    /// Its plan.
    pub plan: String,
    /// Its system.
    pub image: String,
    /// Processors, memory and disk.
    pub size: String,
    /// How many addresses of each kind it has; empty when that is not known.
    pub addresses: Vec<String>,
}

/// The price that a visitor is shown first.
#[must_use]
pub fn price(visit: &Visit, prices: &Prices) -> PriceView {
    let Prices { hour, month, .. } = prices;
    let (hourly, monthly) = match shown(prices.tax.as_ref()) {
        Shown::WithTax => (hour.gross, month.gross),
        Shown::BeforeTax => (hour.net, month.net),
    };
    PriceView {
        hourly: format::rate(visit.locale, hourly),
        monthly: format::money(visit.locale, monthly),
        note: note(visit, prices.tax.as_ref(), NOTES),
    }
}

/// The price that a visitor is shown first, of something that was sold at these: with the present tax.
#[must_use]
pub fn price_of(visit: &Visit, hourly: HourlyRate, monthly_cap: Money) -> PriceView {
    let tariff = Tariff {
        hourly,
        monthly_cap,
    };
    match prices(tariff, tax(visit)) {
        Ok(prices) => price(visit, &prices),
        // More than fits with a tax on it: no plan costs that much.
        Err(_) => PriceView {
            hourly: format::rate(visit.locale, hourly),
            monthly: format::money(visit.locale, monthly_cap),
            note: visit.say("price-before-tax"),
        },
    }
}

/// The price that a visitor is shown first, of something that is paid for once, and what is to be known of the tax on it.
#[must_use]
pub fn once(visit: &Visit, price: Price) -> (String, String) {
    let tax = tax(visit);
    let amount = match shown(tax) {
        Shown::WithTax => price.gross,
        Shown::BeforeTax => price.net,
    };
    let note = note(visit, tax, NOTES);
    (format::money(visit.locale, amount), note)
}

/// The tax of now, where the installation tells of any.
#[must_use]
pub fn tax(visit: &Visit) -> Option<&Tax> {
    let facts = visit.facts.as_ref()?;
    facts.catalogue.tax.as_ref()
}

/// A sentence about the tax on these prices.
#[must_use]
pub fn tax_sentence(visit: &Visit, prices: &Prices) -> String {
    let keys = ["prices-before-tax", "prices-with", "prices-plus"];
    note(visit, prices.tax.as_ref(), keys)
}

/// What it costs at the least, as the visitor is shown prices.
#[must_use]
pub fn minimum(visit: &Visit, prices: &Prices) -> String {
    let least = match shown(prices.tax.as_ref()) {
        Shown::WithTax => prices.minimum.gross,
        Shown::BeforeTax => prices.minimum.net,
    };
    format::money(visit.locale, least)
}

/// A price with all that it is made of.
#[must_use]
pub fn bill(visit: &Visit, prices: &Prices) -> BillView {
    let of_hour = |HourlyPrice { net, tax, gross }| AmountsView {
        net: format::rate(visit.locale, net),
        tax: format::rate(visit.locale, tax),
        gross: format::rate(visit.locale, gross),
    };
    let of_month = |Price { net, tax, gross }| AmountsView {
        net: format::money(visit.locale, net),
        tax: format::money(visit.locale, tax),
        gross: format::money(visit.locale, gross),
    };
    BillView {
        tax: prices.tax.as_ref().map(|tax| name(visit, tax)),
        hour: of_hour(prices.hour),
        month: of_month(prices.month),
        minimum: format::money(visit.locale, prices.minimum.gross),
    }
}

/// What a server is.
#[must_use]
pub fn specification(visit: &Visit, specification: &Specification) -> SpecificationView {
    let Specification {
        plan,
        image,
        vcpus,
        memory,
        disk,
        ipv4,
        ipv6,
    } = specification;
    let part = |key: &str, amount: &str| say_amount(visit.locale, key, amount);
    let size = [
        part("spec-cpu", &vcpus.to_string()),
        part("spec-memory", &memory.to_string()),
        part("spec-disk", &disk.to_string()),
    ];
    let addresses = [("spec-ipv4", *ipv4), ("spec-ipv6", *ipv6)];
    let addresses = addresses.into_iter().filter(|(_, count)| *count > 0);
    let addresses = addresses.map(|(key, count)| say_count(visit.locale, key, u64::from(count)));
    SpecificationView {
        plan: plan.clone(),
        image: image.clone(),
        size: size.join(" · "),
        addresses: addresses.collect(),
    }
}

/// Which price comes first: without a tax there is only the one before it.
fn shown(tax: Option<&Tax>) -> Shown {
    tax.map_or(Shown::BeforeTax, |tax| tax.shown)
}

/// One of three texts: no tax is told of, it is in the price, it comes on top.
fn note(visit: &Visit, tax: Option<&Tax>, [untold, within, on_top]: [&str; 3]) -> String {
    match tax {
        None => visit.say(untold),
        Some(tax) => {
            let key = match tax.shown {
                Shown::WithTax => within,
                Shown::BeforeTax => on_top,
            };
            say_amount(visit.locale, key, &name(visit, tax))
        }
    }
}

fn name(visit: &Visit, tax: &Tax) -> String {
    let name = tax.name.in_language(visit.locale);
    format!("{name} {}", format::percent(tax.rate))
}
