//! Whole histories with changes that are known: what is found of them, and what is told of those without any.

use scenarios::Phase;

use super::super::line::tests::run;
use super::super::synthetic::{Planted, history};
use super::*;

const EVERYTHING: Asked<'_> = Asked { cell: &|_| true, metric: &|_| true };

pub(super) fn analysed(lines: &[RunLine]) -> Analysis {
    Analysis::of("s", lines, &[], &EVERYTHING)
}

pub(super) fn walls<'a>(analysis: &'a Analysis, cell: &str) -> &'a Series {
    let is_it = |series: &&Series| {
        series.key.cell == cell && series.key.phase == Phase::Warm && series.key.metric == "wall_ns"
    };
    analysis.series.iter().find(is_it).unwrap()
}

/// Requires steps at some places within three runs, of about their shares.
fn require_steps(series: &Series, planted: &[(usize, f64)], what: &str) {
    let found: Vec<(usize, f64)> = series.steps.iter().map(|step| (step.at, step.change.unwrap())).collect();
    assert_eq!(found.len(), planted.len(), "{what}: {found:?}");
    for ((at, change), (place, share)) in found.iter().zip(planted) {
        assert!(at.abs_diff(*place) <= 3, "{what}: {found:?}");
        assert!((change - share).abs() < 0.01, "{what}: {found:?}");
    }
}

pub(super) const STEPS: [(usize, f64); 3] = [(45, 0.05), (90, -0.08), (140, 0.03)];

#[test]
fn three_steps_and_a_drift_in_two_hundred_runs_are_found() {
    for seed in 1..=3 {
        let cells = [
            Planted { steps: STEPS.to_vec(), ..Planted::noise("s/steps[]", 0.01) },
            Planted { drift: Some((60, 160, 0.08)), ..Planted::noise("s/drift[]", 0.01) },
            Planted::noise("s/same[]", 0.02),
        ];
        let analysis = analysed(&history(seed, 200, &cells));
        let what = format!("history {seed}");
        for series in analysis.series.iter().filter(|series| !series.is_exact()) {
            match series.key.cell.as_str() {
                "s/steps[]" => {
                    require_steps(series, &STEPS, &what);
                    assert_eq!(series.drifts().count(), 0, "{what}");
                }
                "s/drift[]" => {
                    require_steps(series, &[], &what);
                    let drifts: Vec<&Stretch> = series.drifts().collect();
                    assert_eq!(drifts.len(), 1, "{what}: {drifts:?}");
                    assert!(
                        drifts[0].start.abs_diff(60) <= 15 && drifts[0].end.abs_diff(160) <= 15,
                        "{drifts:?}"
                    );
                    assert!((drifts[0].change() - 0.08).abs() < 0.012, "{what}: {drifts:?}");
                }
                _ => assert!(!series.has_changed(), "{what}: {series:?}"),
            }
        }
    }
}

#[test]
fn steps_and_a_drift_of_one_series_are_told_apart() {
    for seed in 11..=16 {
        let steps = vec![(35, 0.05), (70, -0.08), (110, 0.03)];
        let planted = Planted {
            steps: steps.clone(),
            drift: Some((140, 200, 0.07)),
            ..Planted::noise("s/both[]", 0.01)
        };
        let analysis = analysed(&history(seed, 200, &[planted]));
        let series = walls(&analysis, "s/both[]");
        require_steps(series, &steps, &format!("history {seed}"));
        let drifts: Vec<&Stretch> = series.drifts().collect();
        assert_eq!(drifts.len(), 1, "history {seed}: {drifts:?}");
        assert!((drifts[0].change() - 0.07).abs() < 0.015, "history {seed}: {drifts:?}");
    }
}

#[test]
fn noise_alone_is_hardly_ever_told() {
    let cells = [
        Planted::noise("s/a[]", 0.01),
        Planted::noise("s/b[]", 0.02),
        Planted::noise("s/c[]", 0.03),
        Planted::noise("s/d[]", 0.05),
    ];
    let mut points = 0;
    for seed in 100..120 {
        let analysis = analysed(&history(seed, 200, &cells));
        assert_eq!(analysis.coverage.tested, 24);
        points +=
            analysis.changed().map(|series| series.steps.len() + series.drifts().count()).sum::<usize>();
    }
    assert!(points <= 1, "{points} false points in 20 histories");
}

#[test]
fn a_single_changed_series_among_many_is_found() {
    let names = ["s/a[]", "s/b[]", "s/c[]", "s/d[]", "s/e[]", "s/f[]", "s/g[]", "s/h[]"];
    let mut lines = history(5, 60, &names.map(|name| Planted::noise(name, 0.02)));
    for line in &mut lines[30..] {
        let measured = line.cells.get_mut("s/d[]").unwrap().get_mut(&Phase::Warm).unwrap();
        let wall = measured.medians.get_mut("wall_ns").unwrap();
        *wall = (*wall as f64 * 1.06) as u64;
    }
    let analysis = analysed(&lines);
    assert_eq!(analysis.coverage.tested, 48);
    let changed: Vec<&Series> = analysis.changed().collect();
    assert_eq!(changed.len(), 1);
    assert_eq!((changed[0].key.cell.as_str(), changed[0].key.metric.as_str()), ("s/d[]", "wall_ns"));
    assert!(changed[0].level.unwrap() <= LEVEL && changed[0].steps[0].at.abs_diff(30) <= 3);
}

#[test]
fn counters_change_without_any_test() {
    let rows = [vec![5], vec![5], vec![6], vec![6, 2], vec![6, 2]];
    let mut lines: Vec<RunLine> =
        rows.into_iter().enumerate().map(|(number, rows)| run(number as u64, 1_000, rows)).collect();
    lines[4].counters.remove("plans_built");
    let analysis = analysed(&lines);
    assert_eq!((analysis.coverage.tested, analysis.coverage.counters), (0, 2));
    let changed: Vec<&Series> = analysis.changed().collect();
    assert_eq!(changed.len(), 1);
    let told: Vec<(usize, &str, &str, Meaning)> = changed[0]
        .steps
        .iter()
        .map(|step| (step.at, step.before.as_str(), step.after.as_str(), step.meaning))
        .collect();
    assert_eq!(
        told,
        [
            (2, "5 rows", "6 rows", Meaning::Worse),
            (3, "6 rows", "6 then 2 by execution rows", Meaning::Better)
        ]
    );
    assert_eq!(changed[0].commits(2), "0000001..0000002");
}

#[test]
fn too_few_runs_are_said() {
    let few = analysed(&history(1, 9, &[Planted::noise("s/a[]", 0.01)]));
    assert_eq!((few.coverage.tested, few.coverage.short.len()), (0, 6));
    let some = analysed(&history(1, 10, &[Planted::noise("s/a[]", 0.01)]));
    assert_eq!((some.coverage.tested, some.coverage.blind, some.coverage.short.len()), (6, 6, 0));
    let enough = analysed(&history(1, 16, &[Planted::noise("s/a[]", 0.01)]));
    assert_eq!(enough.coverage.blind, 0);
}

#[test]
fn the_same_history_says_the_same_whatever_is_beside_it() {
    let one = Planted { steps: STEPS.to_vec(), ..Planted::noise("s/a[]", 0.01) };
    let lines = history(3, 200, &[one]);
    let (first, again) = (analysed(&lines), analysed(&lines));
    assert_eq!(walls(&first, "s/a[]").steps, walls(&again, "s/a[]").steps);
    let asked = Asked { cell: &|_| true, metric: &|metric| metric == "wall_ns" };
    let alone = Analysis::of("s", &lines, &[], &asked);
    assert_eq!(alone.coverage.tested, 2);
    let places = |series: &Series| series.steps.iter().map(|step| step.at).collect::<Vec<_>>();
    assert_eq!(places(walls(&alone, "s/a[]")), places(walls(&first, "s/a[]")));
}
