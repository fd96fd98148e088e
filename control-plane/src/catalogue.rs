//! What can be ordered: sites, plans with prices, images. In this version the operator's configuration is
//! the catalogue; what was sold is frozen into quotes and servers, so a changed price or image never
//! reaches an existing server.

use innkeeper_wire::{
    id::Code,
    money::{HourlyRate, Money, MoneyError},
    price::{Prices, Tariff, Tax, prices},
    size::Bytes,
    vm::BaseImage,
};
use serde::{Deserialize, Serialize};

/// The offer.
#[derive(Debug, Clone, Default)]
pub struct Catalogue {
    /// Data centres.
    pub sites: Vec<Site>,
    /// Sizes, cheapest first.
    pub plans: Vec<Plan>,
    /// Operating systems.
    pub images: Vec<Image>,
    /// The tax on all of it, if customers are told of one.
    pub tax: Option<Tax>,
}

/// A data centre.
#[derive(Debug, Clone)]
pub struct Site {
    /// Its code.
    pub code: Code,
    /// Its name.
    pub name: String,
}

/// A size of server and its price.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// Its code.
    pub code: Code,
    /// Its name.
    pub name: String,
    /// Virtual processors.
    pub vcpus: u32,
    /// Memory.
    pub memory: Bytes,
    /// System disk.
    pub disk: Bytes,
    /// Price an hour, before tax.
    pub hourly: HourlyRate,
    /// Most that a calendar month costs, before tax.
    pub monthly_cap: Money,
}

/// An operating system to start from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Image {
    /// Its code.
    pub code: Code,
    /// Its name.
    pub name: String,
    /// The user to sign in as.
    pub login_user: String,
    /// The file.
    pub base: BaseImage,
}

impl Plan {
    /// What is told of its price.
    pub fn prices(&self, tax: Option<&Tax>) -> Result<Prices, MoneyError> {
        let tariff = Tariff {
            hourly: self.hourly,
            monthly_cap: self.monthly_cap,
        };
        prices(tariff, tax)
    }
}

impl Catalogue {
    /// The site of this code.
    #[must_use]
    pub fn site(&self, code: &str) -> Option<&Site> {
        self.sites.iter().find(|site| site.code.as_str() == code)
    }

    /// The plan of this code.
    #[must_use]
    pub fn plan(&self, code: &str) -> Option<&Plan> {
        self.plans.iter().find(|plan| plan.code.as_str() == code)
    }

    /// The image of this code.
    #[must_use]
    pub fn image(&self, code: &str) -> Option<&Image> {
        self.images.iter().find(|image| image.code.as_str() == code)
    }
}
