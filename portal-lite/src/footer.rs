//! The foot of every page: who runs the installation, where customers get help, and the texts that they agree to.

use innkeeper_wire::api::Installation;

use crate::{area::Area, visit::Visit};

/// What stands there. Nothing of it while the API has not answered yet.
#[derive(Debug, Default)]
pub struct Footer {
    /// The company's name.
    pub company: Option<String>,
    /// What else is told of it.
    pub lines: Vec<Line>,
    /// Whether there are terms to read.
    pub has_terms: bool,
    /// Whether there is a privacy policy to read.
    pub has_privacy_policy: bool,
}

/// One thing that is told of the company.
#[derive(Debug)]
pub struct Line {
    /// What it is.
    pub label: String,
    /// The thing.
    pub value: String,
    /// Where a press on it leads.
    pub href: Option<String>,
}

/// The foot of a visitor's pages.
#[must_use]
pub fn footer(visit: &Visit) -> Footer {
    let facts = visit.facts.as_ref().map(|facts| &facts.installation);
    facts.map_or_else(Footer::default, |installation| of(visit, installation))
}

fn of(visit: &Visit, installation: &Installation) -> Footer {
    let company = &installation.company;
    let told = [
        ("company-representative", &company.representative),
        ("company-registration", &company.registration_number),
        ("company-mail-order", &company.mail_order_number),
        ("company-address", &company.address),
        ("company-telephone", &company.telephone),
    ];
    let lines = told.into_iter().filter_map(|(key, value)| {
        let value = value.clone()?;
        Some(Line {
            label: visit.say(key),
            href: (key == "company-telephone").then(|| dialled(&value)),
            value,
        })
    });
    // The texts are pages of the customers' portal.
    let is_for_customers = visit.portal.area() == Area::Customers;
    Footer {
        company: company.name.clone(),
        lines: lines.collect(),
        has_terms: is_for_customers,
        has_privacy_policy: is_for_customers && installation.has_privacy_policy,
    }
}

/// A telephone number as a link (RFC 3966).
fn dialled(number: &str) -> String {
    let digits = number.chars().filter(|c| c.is_ascii_digit() || *c == '+');
    format!("tel:{}", digits.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_dialled_by_its_digits() {
        assert_eq!(dialled("+82 (0)2-555 0100"), "tel:+82025550100");
    }
}
