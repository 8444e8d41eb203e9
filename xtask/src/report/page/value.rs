//! What cells measured, as the views show it: values of an execution on both sides.

use maud::{Markup, html};
use scenarios::Phase;

use super::Page;
use crate::measured::Values;
use crate::summary::CellSummary;
use crate::units;

impl Values {
    /// Returns the mean over the executions of the phase.
    pub(super) fn mean(&self) -> f64 {
        match self {
            Self::Same(value) => *value as f64,
            Self::Each(values) => values.iter().sum::<u64>() as f64 / values.len().max(1) as f64,
        }
    }
}

/// Returns what an execution of the head counted; nothing for a counter that it does not have or that does not repeat.
pub(super) fn counted(cell: &CellSummary, phase: Phase, metric: &str) -> Option<f64> {
    Some(cell.phases.get(&phase)?.exact.get(metric)?.mean())
}

/// Returns what an execution of the base counted.
pub(super) fn base_counted(page: &Page<'_>, cell: &str, phase: Phase, metric: &str) -> Option<f64> {
    let base = page.evaluation.base.as_ref()?;
    Some(base.measured.cells.get(cell)?.get(&phase)?.exact.get(metric)?.mean())
}

/// Returns the median of the base, where it may be put beside that of the head.
pub(super) fn base_median(page: &Page<'_>, cell: &str, phase: Phase, metric: &str) -> Option<u64> {
    // A baseline's times are of another hour, and perhaps of another machine.
    page.evaluation.timing.as_ref()?;
    let base = page.evaluation.base.as_ref()?;
    base.measured.cells.get(cell)?.get(&phase)?.medians.get(metric).copied()
}

/// Writes a count of an execution, which may be a mean.
pub(super) fn count(value: f64) -> String {
    if value.fract() == 0.0 { units::count(value as u64) } else { format!("{value:.1}") }
}

/// Writes bytes of an execution.
pub(super) fn bytes(value: f64) -> String {
    units::bytes(value.round() as u64)
}

/// Writes a change between two numbers, coloured if it is not nothing; `more` says whether more is worse.
pub(super) fn change(base: f64, head: f64, more_is_worse: bool) -> Markup {
    let tone = match head.total_cmp(&base) {
        std::cmp::Ordering::Equal => "quiet",
        std::cmp::Ordering::Greater => {
            if more_is_worse {
                "worse"
            } else {
                "better"
            }
        }
        std::cmp::Ordering::Less => {
            if more_is_worse {
                "better"
            } else {
                "worse"
            }
        }
    };
    html! { span.(tone) { (units::change(base.round() as u64, head.round() as u64)) } }
}

/// Writes a bar of a share of the width, beside nothing but white space.
pub(super) fn bar(share: f64, class: &str) -> Markup {
    let percent = share.clamp(0.0, 1.0) * 100.0;
    html! { span.bar aria-hidden="true" { span class=(class) style=(format!("width:{percent:.1}%")) {} } }
}
