//! Plans with their prices, and the tax on them, as a configuration has them.

use innkeeper_wire::{
    id::Code,
    money::{self, HourlyRate, Money},
    price::{Shown, Tax, TaxName, TaxRate},
    size::Bytes,
};
use serde::Deserialize;

use super::{Config, ConfigError, value};
use crate::catalogue::Plan;

/// Longest name of a tax.
const NAME_CHARS_MAX: usize = 40;

/// A size of server.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanConfig {
    /// Its code, part of the API.
    pub code: Code,
    /// The name that customers see.
    pub name: String,
    /// Virtual processors, 1 to 256.
    pub vcpus: u32,
    /// Memory in MiB.
    pub memory_mib: u64,
    /// System disk in MiB.
    pub disk_mib: u64,
    /// Price an hour before tax, in major units with up to six decimals: `"18.5"` won, `"0.0071"` euro.
    pub hourly: String,
    /// Most that a calendar month costs before tax, in major units: `"12000"` won, `"4.99"` euro.
    pub monthly_cap: String,
    /// Whether it is offered no more, and stays because servers have it.
    #[serde(default)]
    pub retired: bool,
}

/// The tax on all prices of the file, which are before it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TaxConfig {
    /// Its rate in percent, 0 to 100, with up to four decimals.
    pub percent: String,
    /// What it is called in each language.
    pub name: TaxName,
    /// Which price customers are shown first.
    pub shown: Shown,
}

impl TaxConfig {
    /// The tax, exactly.
    pub fn tax(&self) -> Result<Tax, ConfigError> {
        let millionths = money::exact(&self.percent, 4).map_err(|why| value("tax.percent", why))?;
        let rate = u32::try_from(millionths).ok();
        let rate = rate.and_then(|rate| TaxRate::try_from(rate).ok());
        let rate = rate.ok_or_else(|| value("tax.percent", "must be from 0 to 100"))?;
        let TaxName { en, ko, zh_hant } = &self.name;
        for (lang, name) in [("en", en), ("ko", ko), ("zh-Hant", zh_hant)] {
            let is_name = !name.trim().is_empty()
                && name.chars().count() <= NAME_CHARS_MAX
                && !name.contains(char::is_control);
            if !is_name {
                let why = format!("must be 1 to {NAME_CHARS_MAX} characters on one line");
                return Err(value(format!("tax.name.{lang}"), why));
            }
        }
        Ok(Tax {
            rate,
            name: self.name.clone(),
            shown: self.shown,
        })
    }
}

impl Config {
    /// The tax on what is sold, if customers are to be told of one.
    pub fn tax(&self) -> Result<Option<Tax>, ConfigError> {
        self.tax.as_ref().map(TaxConfig::tax).transpose()
    }

    /// The plans, cheapest first.
    pub fn plans(&self) -> Result<Vec<Plan>, ConfigError> {
        let tax = self.tax()?;
        let mut plans = Vec::new();
        for plan in self.plans.iter().filter(|plan| !plan.retired) {
            let key = |name: &str| format!("plan `{}`, {name}", plan.code);
            if !(1..=256).contains(&plan.vcpus) || plan.memory_mib == 0 || plan.disk_mib == 0 {
                return Err(value(
                    key("size"),
                    "needs 1 to 256 vcpus, and memory and disk above 0",
                ));
            }
            let plan = Plan {
                code: plan.code.clone(),
                name: plan.name.clone(),
                vcpus: plan.vcpus,
                memory: Bytes::mib(plan.memory_mib),
                disk: Bytes::mib(plan.disk_mib),
                hourly: HourlyRate::of_text(&plan.hourly, self.installation.currency)
                    .map_err(|why| value(key("hourly"), why))?,
                monthly_cap: Money::of_text(&plan.monthly_cap, self.installation.currency)
                    .map_err(|why| value(key("monthly_cap"), why))?,
            };
            let prices = plan.prices(tax.as_ref());
            prices.map_err(|why| value(key("price"), why))?;
            plans.push(plan);
        }
        plans.sort_by_key(|plan| plan.hourly.micro_minor_per_hour);
        Ok(plans)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tax(percent: &str, ko: &str) -> Result<Tax, ConfigError> {
        let text = format!(
            "percent = \"{percent}\"\nshown = \"with_tax\"\nname = {{ en = \"VAT\", ko = \"{ko}\", zh-Hant = \"營業稅\" }}"
        );
        let config: TaxConfig = toml::from_str(&text).expect("the keys are right");
        config.tax()
    }

    #[test]
    fn a_rate_is_taken_exactly_or_refused() {
        for (percent, millionths) in [("10", 100_000), ("8.875", 88_750), ("0", 0)] {
            let rate = tax(percent, "부가세").expect("a tax").rate;
            assert_eq!(u32::from(rate), millionths, "{percent}");
        }
        for (percent, why) in [
            ("100.0001", "from 0 to 100"),
            ("ten", "not a decimal number"),
            ("1.00001", "too many decimals"),
            ("99999999999999", "from 0 to 100"),
        ] {
            let error = tax(percent, "부가세").expect_err(percent).to_string();
            assert!(
                error.starts_with("tax.percent") && error.contains(why),
                "{error}"
            );
        }
        let error = tax("10", " ").expect_err("no name").to_string();
        assert!(error.starts_with("tax.name.ko"), "{error}");
    }
}
