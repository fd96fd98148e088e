//! What `./dev bench` measures: one file per area, each with its floors in the same run. Nothing in here
//! judges: the targets stand in the project's documents.

pub mod access;
pub mod agents;
pub mod close;
pub mod metrics;
pub mod money;
pub mod orders;
pub mod portal;
pub mod postgres;
pub mod prepaid;
pub mod provision;
pub mod rebuild;
pub mod schedule;
pub mod sign_in;
pub mod store;

/// A line that the bench prints.
#[derive(Debug, Clone, PartialEq)]
pub struct Figure {
    /// As listed in the documents; floors begin with `floor_`, peers with `peer_`.
    pub name: &'static str,
    /// The median of the rounds.
    pub value: f64,
    /// `per_s`, `ms`, ...
    pub unit: &'static str,
}

/// What is printed.
#[derive(Debug, Clone, PartialEq)]
pub enum Line {
    /// A figure.
    Figure(Figure),
    /// What this machine can't run.
    Skipped {
        /// The figure's name.
        name: &'static str,
        /// Why.
        reason: String,
    },
}

impl Line {
    /// The figure's name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Figure(figure) => figure.name,
            Self::Skipped { name, .. } => name,
        }
    }
}

impl From<Figure> for Line {
    fn from(figure: Figure) -> Self {
        Self::Figure(figure)
    }
}

/// The middle one of `values`; of an even number, the upper of the two.
///
/// # Panics
/// When there are none, or one is not a number.
#[must_use]
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(|a, b| a.partial_cmp(b).expect("figures are numbers"));
    values[values.len() / 2]
}
