//! Changes in the order in which they are told: the newest first, and counters that moved together as one.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use super::change::{Series, Step};

/// Lists the steps of some series, those of the newest runs first: of counters, or of all else.
pub(crate) fn newest_first<'a>(changed: &[&'a Series], is_exact: bool) -> Vec<(&'a Series, &'a Step)> {
    let series = changed.iter().copied().filter(|series| series.is_exact() == is_exact);
    let mut steps: Vec<_> =
        series.flat_map(|series| series.steps.iter().map(move |step| (series, step))).collect();
    steps.sort_by_key(|(series, step)| Reverse(series.runs[step.at].number));
    steps
}

/// A counter that moved the same way at a run in some cells.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Together<'a> {
    /// The series that moved most.
    pub(crate) series: &'a Series,
    /// Its step.
    pub(crate) step: &'a Step,
    /// In how many cells the counter moved.
    pub(crate) cells: usize,
    /// Why that was accepted, if it was in any of them.
    pub(crate) accepted: Option<&'a str>,
}

/// Puts the steps of counters together, those of the newest runs first.
pub(crate) fn together<'a>(changed: &[&'a Series]) -> Vec<Together<'a>> {
    let mut groups: Vec<Vec<(&Series, &Step)>> = Vec::new();
    for (series, step) in newest_first(changed, true) {
        let kind = |(series, step): &(&Series, &Step)| {
            (series.runs[step.at].number, series.key.metric.clone(), step.meaning)
        };
        match groups.iter_mut().find(|group| kind(&group[0]) == kind(&(series, step))) {
            Some(group) => group.push((series, step)),
            None => groups.push(vec![(series, step)]),
        }
    }
    let size = |step: &Step| step.change.unwrap_or(f64::INFINITY).abs();
    let mut told = Vec::new();
    for group in groups {
        let largest = group.iter().copied().max_by(|(_, a), (_, b)| size(a).total_cmp(&size(b)));
        let Some((series, step)) = largest else { continue };
        let cells: BTreeSet<&str> = group.iter().map(|(series, _)| series.key.cell.as_str()).collect();
        let accepted = group.iter().find_map(|(series, step)| series.accepted(step));
        told.push(Together { series, step, cells: cells.len(), accepted });
    }
    told
}
