//! The ledger of claims, measured: pairs of cells in, a verdict for each promise out.
//!
//! Everything here but [`mod@measure`] is pure: it takes claims and samples, and returns what they say.

mod document;
mod finding;
mod interval;
mod json;
mod measure;
mod pair;
mod schedule;
mod verdict;

pub(crate) use document::{Document, interval, percent, stale};
pub(crate) use finding::{Finding, Measured, findings};
#[cfg(test)]
pub(crate) use interval::Interval;
pub(crate) use json::json;
pub(crate) use measure::measure;
pub(crate) use pair::{plan, selects};
pub(crate) use verdict::Verdict;

/// Pairs of processes that a claim about an exact counter takes: fewer cannot show that it repeats.
pub(crate) const EXACT_PAIRS: u32 = 2;
/// Pairs below which no interval of the confidence wanted exists.
pub(crate) const LEAST_PAIRS: u32 = 6;
