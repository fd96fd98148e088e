//! What a file of prices says, and what is offered by it. Pure.

use std::collections::BTreeSet;

use innkeeper_wire::{
    error::{FieldError, FieldErrorCode},
    money::{Currency, HourlyRate, Money},
    operator::{
        prices::{PRICES_HEADER, PlanPrice, PriceChange, PriceListState, PriceListView},
        reason::Reason,
    },
    time::Timestamp,
};
use serde::{Deserialize, Serialize};

use crate::{
    catalogue::{Catalogue, Plan},
    kernel::field,
};

/// Longest file of prices, in bytes.
const FILE_BYTES_MAX: usize = 64 * 1024;
/// Mistakes of a file that are told at once.
const MISTAKES_TOLD: usize = 20;
/// The field of a request that has the file.
const FIELD: &str = "/list";

/// What plans cost from a moment on. It is what new orders cost: a server keeps the price that it was ordered at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PriceList {
    /// The prices. A plan that is not among them costs what the configuration says.
    pub lines: Vec<PlanPrice>,
    /// Who imported it.
    pub by: String,
    /// When.
    pub imported_at: Timestamp,
    /// Why.
    pub reason: Reason,
}

impl PriceList {
    /// What is told of it, if it is valid from then on, and the list in force is valid from `in_force` on.
    #[must_use]
    pub fn view(
        self,
        valid_from: Timestamp,
        in_force: Option<Timestamp>,
        now: Timestamp,
    ) -> PriceListView {
        let state = if valid_from > now {
            PriceListState::Coming
        } else if in_force == Some(valid_from) {
            PriceListState::InForce
        } else {
            PriceListState::Past
        };
        let Self {
            lines,
            by,
            imported_at,
            reason,
        } = self;
        PriceListView {
            valid_from,
            state,
            by,
            imported_at,
            reason,
            lines,
        }
    }
}

/// The catalogue with the prices of the list in force, cheapest plan first.
#[must_use]
pub fn priced(catalogue: &Catalogue, list: Option<&PriceList>) -> Catalogue {
    let mut offered = catalogue.clone();
    let lines = list.map_or(&[][..], |list| &list.lines);
    for plan in &mut offered.plans {
        // A list of before the installation changed its currency says nothing of today's prices.
        let of_plan = lines.iter().find(|line| {
            line.plan == plan.code && line.monthly_cap.currency == plan.monthly_cap.currency
        });
        if let Some(line) = of_plan {
            plan.hourly = line.hourly;
            plan.monthly_cap = line.monthly_cap;
        }
    }
    offered
        .plans
        .sort_by_key(|plan| plan.hourly.micro_minor_per_hour);
    offered
}

/// What a plan costs.
#[must_use]
pub fn price_of(plan: &Plan) -> PlanPrice {
    PlanPrice {
        plan: plan.code.clone(),
        hourly: plan.hourly,
        monthly_cap: plan.monthly_cap,
    }
}

/// What becomes of the prices of what is offered, in its order.
#[must_use]
pub fn changes(offered: &Catalogue, lines: &[PlanPrice]) -> Vec<PriceChange> {
    let change = |plan: &Plan| {
        let then = lines.iter().find(|line| line.plan == plan.code)?;
        Some(PriceChange {
            now: price_of(plan),
            then: then.clone(),
        })
    };
    offered.plans.iter().filter_map(change).collect()
}

/// Reads a file of prices. It has to name each plan that is offered, once, and nothing else: a plan that somebody forgot
/// would keep its price without anybody having meant that.
///
/// # Errors
/// All that is wrong with it, each with its line; nothing of it is taken then.
pub fn parse(
    text: &str,
    catalogue: &Catalogue,
    currency: Currency,
) -> Result<Vec<PlanPrice>, Vec<FieldError>> {
    if text.len() > FILE_BYTES_MAX {
        let detail = format!("a list of prices has at most {FILE_BYTES_MAX} bytes");
        return Err(vec![field(FIELD, FieldErrorCode::TooLong, &detail)]);
    }
    if text.trim().is_empty() {
        let detail = format!("a list begins with {PRICES_HEADER}");
        return Err(vec![field(FIELD, FieldErrorCode::Required, &detail)]);
    }
    let file = File {
        catalogue,
        currency,
    };
    let (lines, mut mistakes) = file.read(text);
    // A line with a mistake names its plan as well: which ones are missing is told once all lines are right.
    if mistakes.is_empty() {
        let is_missing = |plan: &&Plan| !lines.iter().any(|line| line.plan == plan.code);
        let missing = catalogue.plans.iter().filter(is_missing);
        mistakes.extend(
            missing.map(|plan| format!("plan {} is offered and not in the list", plan.code)),
        );
    }
    if mistakes.is_empty() {
        return Ok(lines);
    }
    let mistake = |detail: &String| field(FIELD, FieldErrorCode::Malformed, detail);
    Err(mistakes.iter().take(MISTAKES_TOLD).map(mistake).collect())
}

/// How a file of prices is read.
struct File<'a> {
    catalogue: &'a Catalogue,
    currency: Currency,
}

impl File<'_> {
    /// The lines that are right, and what is wrong with the others.
    fn read(&self, text: &str) -> (Vec<PlanPrice>, Vec<String>) {
        // Spreadsheets begin a file with it.
        let text = text.trim_start_matches('\u{feff}');
        let mut reader = csv::ReaderBuilder::new()
            .flexible(true)
            .trim(csv::Trim::All)
            .from_reader(text.as_bytes());
        let (mut lines, mut mistakes, mut named) = (Vec::new(), Vec::new(), BTreeSet::new());
        let header = reader.headers().map(|header| {
            let names: Vec<_> = header.iter().collect();
            names.join(",")
        });
        if !header.is_ok_and(|header| header == PRICES_HEADER) {
            mistakes.push(format!("line 1 has to be {PRICES_HEADER}"));
            return (lines, mistakes);
        }
        for record in reader.records() {
            let record = match record {
                Ok(record) => record,
                Err(error) => {
                    // It says where.
                    mistakes.push(error.to_string());
                    continue;
                }
            };
            let number = record.position().map_or(0, csv::Position::line);
            match self.line(&record) {
                Ok(line) if named.insert(line.plan.clone()) => lines.push(line),
                Ok(line) => mistakes.push(format!("line {number}: {} is there twice", line.plan)),
                Err(why) => mistakes.push(format!("line {number}: {why}")),
            }
        }
        (lines, mistakes)
    }

    fn line(&self, record: &csv::StringRecord) -> Result<PlanPrice, String> {
        let [code, hourly, monthly_cap] = record.iter().collect::<Vec<_>>()[..] else {
            return Err(format!("has {} values, not 3", record.len()));
        };
        let plan = self.catalogue.plan(code);
        let plan = plan.ok_or_else(|| format!("`{code}` is no plan that is offered"))?;
        let hourly = HourlyRate::of_text(hourly, self.currency);
        let hourly = hourly.map_err(|why| format!("the price an hour {why}"))?;
        let monthly_cap = Money::of_text(monthly_cap, self.currency);
        let monthly_cap = monthly_cap.map_err(|why| format!("the price a month {why}"))?;
        let line = Plan {
            hourly,
            monthly_cap,
            ..plan.clone()
        };
        let prices = line.prices(self.catalogue.tax.as_ref());
        prices.map_err(|why| format!("with tax, {why}"))?;
        Ok(price_of(&line))
    }
}

#[cfg(test)]
mod tests {
    use innkeeper_wire::size::Bytes;

    use super::*;

    fn plan(code: &str, hourly: u64, cap: i64) -> Plan {
        Plan {
            code: code.parse().expect("a code"),
            name: code.to_owned(),
            vcpus: 1,
            memory: Bytes::mib(512),
            disk: Bytes::mib(1_024),
            hourly: HourlyRate {
                micro_minor_per_hour: hourly * 1_000_000,
                currency: Currency::Krw,
            },
            monthly_cap: Money {
                amount: cap,
                currency: Currency::Krw,
            },
        }
    }

    fn catalogue() -> Catalogue {
        Catalogue {
            plans: vec![plan("s1", 10, 6_000), plan("s2", 30, 20_000)],
            ..Catalogue::default()
        }
    }

    fn read(lines: &str) -> Result<Vec<PlanPrice>, Vec<String>> {
        let read = parse(lines, &catalogue(), Currency::Krw);
        read.map_err(|errors| errors.into_iter().map(|error| error.detail).collect())
    }

    #[test]
    fn a_file_is_taken_whole_or_each_mistake_is_told_with_its_line() {
        let lines = "\u{feff}plan,hourly,monthly_cap\r\ns2, 31.5 ,\"21,000\"\r\ns1,11,6500\r\n";
        let found = read(lines).expect("a list");
        let told = changes(&catalogue(), &found);
        assert_eq!(told.len(), 2);
        assert_eq!(told[0].then.hourly.micro_minor_per_hour, 11_000_000);
        assert_eq!(told[1].then.hourly.micro_minor_per_hour, 31_500_000);
        assert_eq!(told[1].then.monthly_cap.amount, 21_000);

        let header = "plan,hourly,monthly_cap\n";
        for (lines, wrong) in [
            ("", &["a list begins with plan,hourly,monthly_cap"][..]),
            (
                "plan;hourly;monthly_cap\n",
                &["line 1 has to be plan,hourly,monthly_cap"],
            ),
            (
                header,
                &[
                    "plan s1 is offered and not in the list",
                    "plan s2 is offered and not in the list",
                ],
            ),
            (
                &format!("{header}s1,11,6500\n"),
                &["plan s2 is offered and not in the list"],
            ),
            (
                &format!("{header}s1,x,6500\ns3,1,1\ns2,1\ns2,1,0.5\ns2,-1,5\n"),
                &[
                    "line 2: the price an hour is not a decimal number such as 18.5",
                    "line 3: `s3` is no plan that is offered",
                    "line 4: has 2 values, not 3",
                    "line 5: the price a month has too many decimals",
                    "line 6: the price an hour is not a decimal number such as 18.5",
                ],
            ),
            (
                &format!("{header}s1,11,6500\ns1,12,6500\ns2,3,4\n"),
                &["line 3: s1 is there twice"],
            ),
        ] {
            assert_eq!(read(lines).expect_err(lines), wrong, "{lines}");
        }
    }

    #[test]
    fn a_list_prices_its_plans_and_leaves_the_others() {
        let list = PriceList {
            lines: vec![price_of(&plan("s1", 40, 30_000))],
            by: "operator".to_owned(),
            imported_at: Timestamp::from_millis(0),
            reason: "test".parse().expect("a reason"),
        };
        let offered = priced(&catalogue(), Some(&list));
        // Cheapest first, whatever the order of the configuration.
        let codes: Vec<_> = offered
            .plans
            .iter()
            .map(|plan| plan.code.as_str())
            .collect();
        assert_eq!(codes, ["s2", "s1"]);
        assert_eq!(offered.plans[1].monthly_cap.amount, 30_000);
        assert_eq!(priced(&catalogue(), None).plans, catalogue().plans);

        let mut in_euro = list;
        in_euro.lines[0].monthly_cap.currency = Currency::Eur;
        assert_eq!(
            priced(&catalogue(), Some(&in_euro)).plans,
            catalogue().plans
        );
    }
}
