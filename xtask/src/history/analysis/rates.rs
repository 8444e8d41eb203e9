//! How often changes are found, and how often they are told where there are none: the tables of docs/METHODOLOGY.md.

use super::super::change::Series;
use super::super::synthetic::{Planted, history};
use super::tests::{STEPS, analysed, walls};

fn is_near(series: &Series, steps: &[(usize, f64)]) -> bool {
    let mut both = series.steps.iter().zip(steps);
    series.steps.len() == steps.len() && both.all(|(step, (at, _))| step.at.abs_diff(*at) <= 3)
}

#[test]
#[ignore = "takes minutes; it prints a table of docs/METHODOLOGY.md"]
fn rates_of_single_steps() {
    println!("| noise | step | found | within three runs | others told | told as drift |");
    for noise in [0.01, 0.02, 0.05] {
        for share in [0.02, 0.03, 0.05, 0.08] {
            let [mut all, mut found, mut near, mut others, mut drifts] = [0; 5];
            for seed in 0..30 {
                let planted = Planted { steps: vec![(100, share)], ..Planted::noise("s/a[]", noise) };
                let analysis = analysed(&history(1_000 + seed, 200, &[planted]));
                for series in analysis.series.iter().filter(|series| !series.is_exact()) {
                    let off: Vec<usize> = series.steps.iter().map(|step| step.at.abs_diff(100)).collect();
                    all += 1;
                    found += usize::from(off.iter().any(|off| *off <= 15));
                    near += usize::from(off.iter().any(|off| *off <= 3));
                    others += off.iter().filter(|off| **off > 15).count();
                    drifts += series.drifts().count();
                }
            }
            println!("| {noise} | {share} | {found} of {all} | {near} | {others} | {drifts} |");
        }
    }
}

#[test]
#[ignore = "takes minutes; it prints a table of docs/METHODOLOGY.md"]
fn rates_of_steps_and_drifts() {
    let both = [(35, 0.05), (70, -0.08), (110, 0.03)];
    let [mut steps_right, mut drift_right, mut drift_told, mut both_right] = [0; 4];
    for seed in 0..100 {
        let cells = [
            Planted { steps: STEPS.to_vec(), ..Planted::noise("s/a[]", 0.01) },
            Planted { drift: Some((60, 160, 0.08)), ..Planted::noise("s/b[]", 0.01) },
            Planted { steps: both.to_vec(), drift: Some((140, 200, 0.07)), ..Planted::noise("s/c[]", 0.01) },
        ];
        let analysis = analysed(&history(9_000 + seed, 200, &cells));
        let steps = walls(&analysis, "s/a[]");
        steps_right += usize::from(is_near(steps, &STEPS) && steps.drifts().count() == 0);
        let drift = walls(&analysis, "s/b[]");
        drift_right += usize::from(drift.steps.is_empty() && drift.drifts().count() == 1);
        drift_told += usize::from(drift.drifts().count() > 0);
        let series = walls(&analysis, "s/c[]");
        both_right += usize::from(is_near(series, &both) && series.drifts().count() == 1);
    }
    println!(
        "of 100: three steps {steps_right}, drift {drift_right} ({drift_told} with steps), both {both_right}"
    );
}

#[test]
#[ignore = "takes minutes; it prints a table of docs/METHODOLOGY.md"]
fn rates_of_noise_alone() {
    println!("| noise | memory of noise | histories with a false point | false points | series of 24 each |");
    for (noise, memory) in [(0.02, 0.0), (0.05, 0.0), (0.02, 0.2), (0.02, 0.5)] {
        let names = ["s/a[]", "s/b[]", "s/c[]", "s/d[]"];
        let cells = names.map(|cell| Planted { memory, ..Planted::noise(cell, noise) });
        let [mut series, mut histories, mut points] = [0; 3];
        for seed in 0..200 {
            let analysis = analysed(&history(5_000 + seed, 200, &cells));
            let called = analysis.changed().count();
            series += called;
            histories += usize::from(called > 0);
            points +=
                analysis.changed().map(|series| series.steps.len() + series.drifts().count()).sum::<usize>();
        }
        println!("| {noise} | {memory} | {histories} of 200 | {points} | {series} of 4,800 |");
    }
}
