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
mod place;
mod series;
mod shape;
mod shift;
#[cfg(test)]
pub(crate) mod synthetic;
mod text;

use crate::baseline::{Accepted, Baseline};
use crate::paths::Paths;

pub(crate) use analysis::Analysis;
pub(crate) use change::{Meaning, Series};
pub(crate) use json::json;
pub(crate) use line::{MEDIANS, RunLine};
pub(crate) use place::{Added, Place};
pub(crate) use series::{Asked, Run};
pub(crate) use text::text;

/// Returns what the history in the usual folder says of some cells of a suite: a series for each phase and metric, with
/// the value of each run. Nothing if the suite has no history.
#[cfg_attr(not(test), expect(dead_code, reason = "for the page of a run, which does not show it yet"))]
pub(crate) fn of_cells(paths: &Paths, suite: &str, cells: &[String]) -> anyhow::Result<Vec<Series>> {
    let lines = Place::of(paths, None, None).read(paths, suite)?;
    let asked = Asked { cell: &|cell| cells.iter().any(|one| one == cell), metric: None };
    Ok(Analysis::of(suite, &lines, &accepted(paths, suite)?, &asked).series)
}

/// Returns the regressions of a suite that were ever accepted, from its committed baseline.
pub(crate) fn accepted(paths: &Paths, suite: &str) -> anyhow::Result<Vec<Accepted>> {
    let path = paths.baseline_of(suite);
    Ok(if path.is_file() { Baseline::read(&path)?.accepted } else { Vec::new() })
}

#[cfg(test)]
mod tests {
    use super::line::tests::run;
    use super::*;

    #[test]
    fn cells_have_the_values_of_their_runs() {
        let folder = tempfile::tempdir().unwrap();
        let (root, target) = (folder.path().to_owned(), folder.path().join("target"));
        let paths = Paths { root, work: target.clone(), target };
        assert!(of_cells(&paths, "s", &["s/c[]".to_owned()]).unwrap().is_empty());
        for number in 0..20 {
            let wall_ns = if number < 10 { 1_000_000 } else { 2_000_000 } + number * 100;
            Place::of(&paths, None, None).add(&paths, &run(number, wall_ns, vec![3])).unwrap();
        }
        let series = of_cells(&paths, "s", &["s/c[]".to_owned()]).unwrap();
        let names: Vec<&str> = series.iter().map(|series| series.key.metric.as_str()).collect();
        assert_eq!(names, ["plans_built", "rows_read", "wall_ns"]);
        assert_eq!((series[2].values.len(), series[2].steps.len(), series[2].steps[0].at), (20, 1, 10));
        assert!(of_cells(&paths, "s", &["s/d[]".to_owned()]).unwrap().is_empty());
    }
}
