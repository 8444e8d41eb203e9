//! Histories: runs of the past with a line each, and where the cells changed in them. Apart from the places where they are
//! kept, all of it is pure.
//!
//! docs/METHODOLOGY.md gives the procedure with its reasons and its measured error rates.

mod analysis;
mod change;
mod divisive;
mod energy;
mod json;
mod line;
mod line_fit;
mod of_run;
mod order;
mod place;
mod series;
mod shape;
mod shift;
#[cfg(test)]
pub(crate) mod synthetic;
mod text;

use crate::baseline::{Accepted, Baseline};
use crate::paths::Paths;

pub(crate) use analysis::{Analysis, Coverage, LEAST_RUNS, LEVEL};
pub(crate) use change::{Meaning, Series};
pub(crate) use json::json;
pub(crate) use line::{MEDIANS, RunLine};
pub(crate) use of_run::OfRun;
pub(crate) use order::{Together, newest_first, together};
pub(crate) use place::{Added, Place};
pub(crate) use series::{Asked, Run};
pub(crate) use text::{has_several_classes, percent, runs, text};

/// Returns the regressions of a suite that were ever accepted, from its committed baseline.
pub(crate) fn accepted(paths: &Paths, suite: &str) -> anyhow::Result<Vec<Accepted>> {
    let path = paths.baseline_of(suite);
    Ok(if path.is_file() { Baseline::read(&path)?.accepted } else { Vec::new() })
}
