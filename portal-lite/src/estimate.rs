//! What the calculator estimates: servers for so many hours of a month, as its page's address lists them, and what they
//! cost by the one pricing function (R37, R38). Knows no page.

use std::{fmt, str::FromStr};

use innkeeper_wire::{
    api::{Catalogue, Plan, Site},
    billing::Totals,
    id::Code,
    money::{Money, MoneyError},
    price::{self, Tariff},
};

/// Most lines of a list.
pub const LINES_MAX: usize = 20;
/// Most servers of a line.
pub const QUANTITY_MAX: u32 = 999;
/// Hours of the longest month, which a whole month counts as.
pub const HOURS_MAX: u32 = 744;

/// Servers of one plan at one data centre.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The data centre.
    pub site: Code,
    /// The plan.
    pub plan: Code,
    /// How many, at least one.
    pub quantity: u32,
    /// For how many hours of a month each is used; `None` for a whole one.
    pub hours: Option<u32>,
}

/// A text is no line of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is no `SITE_PLAN_QUANTITY` or `SITE_PLAN_QUANTITY_HOURS`")]
pub struct ParseLineError;

/// A line with what it costs in a month.
#[derive(Debug, Clone)]
pub struct Priced<'a> {
    /// The line.
    pub line: Line,
    /// Its data centre.
    pub site: &'a Site,
    /// Its plan.
    pub plan: &'a Plan,
    /// Before tax.
    pub net: Money,
    /// Whether the month's price limits it.
    pub is_capped: bool,
}

/// A line of a list.
#[derive(Debug, Clone)]
pub enum Entry<'a> {
    /// It can be had.
    Priced(Priced<'a>),
    /// Its plan or its data centre is no longer offered.
    Gone(Line),
}

/// A list with what it costs in a month.
#[derive(Debug, Clone)]
pub struct Estimate<'a> {
    /// Its lines.
    pub entries: Vec<Entry<'a>>,
    /// Which of the texts, counted from 1, were no lines.
    pub unreadable: Vec<usize>,
    /// Whether there were more than a list can have.
    pub is_cut: bool,
    /// What all of it costs; `None` when nothing of it can be had.
    pub totals: Option<Totals>,
}

/// As addresses hold it: no code has a `_`, and a whole month is left out.
impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}_{}_{}", self.site, self.plan, self.quantity)?;
        match self.hours {
            Some(hours) => write!(f, "_{hours}"),
            None => Ok(()),
        }
    }
}

impl FromStr for Line {
    type Err = ParseLineError;

    fn from_str(text: &str) -> Result<Self, ParseLineError> {
        let mut parts = text.split('_');
        let mut part = || parts.next().ok_or(ParseLineError);
        let line = Self {
            site: part()?.parse().map_err(|_| ParseLineError)?,
            plan: part()?.parse().map_err(|_| ParseLineError)?,
            quantity: number(part()?, QUANTITY_MAX).ok_or(ParseLineError)?,
            hours: match parts.next() {
                Some(hours) => Some(number(hours, HOURS_MAX).ok_or(ParseLineError)?),
                None => None,
            },
        };
        match parts.next() {
            Some(_) => Err(ParseLineError),
            None => Ok(line),
        }
    }
}

/// A whole number from 1 to `most`, of digits alone.
#[must_use]
pub fn number(text: &str, most: u32) -> Option<u32> {
    let is_digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let number: u32 = text.parse().ok().filter(|_| is_digits)?;
    (1..=most).contains(&number).then_some(number)
}

impl Line {
    /// For how many hours each is charged at the most.
    #[must_use]
    pub fn charged_hours(&self) -> u32 {
        self.hours.unwrap_or(HOURS_MAX)
    }

    /// What it costs; `None` when it is no longer offered.
    ///
    /// # Errors
    /// When the amount does not fit: no plan costs that much.
    pub fn price(self, catalogue: &Catalogue) -> Result<Option<Priced<'_>>, MoneyError> {
        let mut sites = catalogue.sites.iter();
        let mut plans = catalogue.plans.iter();
        let site = sites.find(|site| site.code == self.site);
        let plan = plans.find(|plan| plan.code == self.plan);
        let (Some(site), Some(plan)) = (site, plan) else {
            return Ok(None);
        };
        let tariff = Tariff {
            hourly: plan.hourly,
            monthly_cap: plan.monthly_cap,
        };
        let net = price::estimate(tariff, self.charged_hours(), self.quantity)?;
        let each = price::estimate(tariff, self.charged_hours(), 1)?;
        let by_time = plan
            .hourly
            .for_seconds(u64::from(self.charged_hours()) * 3_600)?;
        Ok(Some(Priced {
            is_capped: each.amount < by_time.amount,
            line: self,
            site,
            plan,
            net,
        }))
    }
}

/// What a list costs.
///
/// # Errors
/// As [`Line::price`].
pub fn estimate<'a>(
    catalogue: &'a Catalogue,
    texts: &[String],
) -> Result<Estimate<'a>, MoneyError> {
    let (mut entries, mut unreadable) = (Vec::new(), Vec::new());
    for (index, text) in texts.iter().take(LINES_MAX).enumerate() {
        let Ok(line) = text.parse::<Line>() else {
            unreadable.push(index + 1);
            continue;
        };
        entries.push(match line.clone().price(catalogue)? {
            Some(priced) => Entry::Priced(priced),
            None => Entry::Gone(line),
        });
    }
    let priced = entries.iter().filter_map(|entry| match entry {
        Entry::Priced(priced) => Some(priced),
        Entry::Gone(_) => None,
    });
    let totals = totals(catalogue, priced)?;
    Ok(Estimate {
        entries,
        unreadable,
        is_cut: texts.len() > LINES_MAX,
        totals,
    })
}

/// The sum of lines with the tax on it, rounded once as on an invoice; `None` when there are none.
///
/// # Errors
/// As [`Line::price`].
pub fn totals<'a>(
    catalogue: &Catalogue,
    priced: impl IntoIterator<Item = &'a Priced<'a>>,
) -> Result<Option<Totals>, MoneyError> {
    let mut nets = priced.into_iter().map(|priced| priced.net).peekable();
    let Some(first) = nets.peek() else {
        return Ok(None);
    };
    Totals::of(first.currency, nets, catalogue.tax.as_ref()).map(Some)
}

impl Estimate<'_> {
    /// The lines that could be read.
    pub fn lines(&self) -> impl Iterator<Item = &Line> {
        self.entries.iter().map(Entry::line)
    }

    /// Whether it can have no more lines.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.entries.len() >= LINES_MAX
    }
}

impl Entry<'_> {
    /// The line itself.
    #[must_use]
    pub fn line(&self) -> &Line {
        match self {
            Self::Priced(priced) => &priced.line,
            Self::Gone(line) => line,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_as_they_are_written() {
        for text in [
            "seoul-1_m_2",
            "seoul-1_m_2_100",
            "a.b_c-1.5_999_744",
            "a_b_1_1",
        ] {
            let line: Line = text.parse().expect("a line");
            assert_eq!(line.to_string(), text);
        }
        let whole: Line = "seoul-1_m_2".parse().expect("a line");
        assert_eq!((whole.hours, whole.charged_hours()), (None, 744));
    }

    #[test]
    fn other_texts_are_no_lines() {
        for text in [
            "",
            "seoul-1",
            "seoul-1_m",
            "seoul-1_m_",
            "seoul-1_m_0",
            "seoul-1_m_1000",
            "seoul-1_m_-1",
            "seoul-1_m_+1",
            "seoul-1_m_1.5",
            "seoul-1_m_1_0",
            "seoul-1_m_1_745",
            "seoul-1_m_1_",
            "seoul-1_m_1_1_1",
            "Seoul_m_1",
            "seoul-1_<script>_1",
            "seoul-1_m_18446744073709551617",
            "seoul-1_m_１",
        ] {
            assert_eq!(text.parse::<Line>(), Err(ParseLineError), "{text}");
        }
    }
}
