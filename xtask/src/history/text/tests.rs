//! What a reader sees of a history.

use super::super::line::tests::run;
use super::super::line::{PhaseLine, RunLine};
use super::super::series::Asked;
use super::super::synthetic::{Planted, history};
use super::*;
use crate::baseline::Accepted;
use crate::fingerprint::Machine;
use scenarios::Phase;

fn shown(lines: &[RunLine], accepted: &[Accepted]) -> String {
    let asked = Asked { cell: &|_| true, metric: &|_| true };
    text(&Analysis::of("s", lines, accepted, &asked), "history/s.jsonl")
}

#[test]
fn changes_drifts_counters_and_what_was_accepted() {
    let mut lines = history(
        3,
        120,
        &[
            Planted { steps: vec![(40, 0.06), (80, -0.04)], ..Planted::noise("s/export[size=tiny]", 0.01) },
            Planted { drift: Some((30, 110, 0.09)), ..Planted::noise("s/open[]", 0.01) },
            Planted::noise("s/query[]", 0.02),
        ],
    );
    for line in &mut lines {
        line.cells.values_mut().for_each(|phases| {
            phases.remove(&Phase::Cold);
            phases.values_mut().for_each(|phase| phase.medians.retain(|metric, _| metric == "wall_ns"));
        });
    }
    for line in &mut lines[70..] {
        let phase = line.cells.get_mut("s/query[]").unwrap().get_mut(&Phase::Warm).unwrap();
        phase.counters.as_mut().unwrap().insert("rows_read".into(), crate::measured::Values::Same(12));
        line.machine = Machine { kernel: "l".into(), ..line.machine.clone() };
    }
    let accepted = Accepted {
        run: "run-041".into(),
        started: lines[41].started.clone(),
        revision: lines[41].revision.clone(),
        reason: "sorted as it must be".into(),
        cells: vec!["s/export[size=tiny]".into()],
        cut: 0,
    };
    insta::assert_snapshot!(shown(&lines, &[accepted]), @r"
    history of suite s: history/s.jsonl
    120 runs, from 0000000 (2026-01-01 00:00:00 UTC) to 0000077 (2026-01-01 00:01:59 UTC)

    Changes, newest first
    commits           cell               phase  metric    before    after  change  interval of 95 %         p
    000004f..0000050  export[size=tiny]  warm   wall_ns  10.6 ms  10.2 ms  -4.2 %   -4.6 % … -3.7 %  < 0.0001  better
    0000027..0000028  export[size=tiny]  warm   wall_ns  10.0 ms  10.6 ms  +6.1 %   +5.6 % … +6.5 %  < 0.0001  worse, accepted: sorted as it must be

    Drifts
    commits           runs  cell    phase  metric      from       to  change  in 100 runs         p
    000001d..0000077    91  open[]  warm   wall_ns  10.0 ms  11.0 ms  +9.9 %      +11.0 %  < 0.0001  worse

    Counters that changed, newest first
    commits           counter    cell     phase  before    after        change
    0000045..0000046  rows_read  query[]  warm   0 rows  12 rows  from nothing  worse

    Regressions that were accepted
      2026-01-01 00:00:41 UTC, revision 0000029: sorted as it must be: s/export[size=tiny]

    Notes
      where several commits lie between two runs: cargo xtask bisect 's/export[size=tiny]' --good 000000000000 --bad 000000000000

    Looked at
      3 series were tested, wall_ns of 3 cells, and 2 of them changed
      of 100 that are told to have changed one may not have, and more where noise lasts from one run to the next; changes below 1 %, and what began in the last 4 runs, are not told
      6 counters were looked at, run by run
    ");
}

#[test]
fn what_was_not_looked_at_is_said() {
    let mut lines: Vec<RunLine> = (0..9).map(|number| run(number, 1_000, vec![3])).collect();
    lines[3].machine.rustc = "rustc 2".into();
    lines[4].tier = crate::cli::Tier::Exact;
    lines[5].failed.push("s/d[]".into());
    let phase: &mut PhaseLine = lines[6].cells.get_mut("s/c[]").unwrap().get_mut(&Phase::Warm).unwrap();
    phase.unstable.push("plans_built".into());
    insta::assert_snapshot!(shown(&lines, &[]), @r"
    history of suite s: history/s.jsonl
    9 runs, from 0000000 (2026-01-01 00:00:00 UTC) to 0000008 (2026-01-01 00:00:08 UTC)

    nothing changed

    Looked at
      no series of times, memory, allocations or instructions has runs enough to be tested
      not tested, for fewer than 10 runs on c, 2 cores, 8 GiB, o, r, release build: s/c[] warm wall_ns (7 runs)
      not tested, for fewer than 10 runs on c, 2 cores, 8 GiB, o, rustc 2, release build: s/c[] warm wall_ns (1 run)
      times are compared only on one machine with one compiler; there are 2: c, 2 cores, 8 GiB, o, r, release build (8 runs); c, 2 cores, 8 GiB, o, rustc 2, release build (1 run)
      2 counters were looked at, run by run
      left out: counters of a run that did not repeat, 1
      left out: cells of a run that failed, 1
      left out: times of runs of the tier exact, 1
    ");
}

#[test]
fn a_change_of_most_cells_is_put_down_to_the_machine() {
    let names = ["s/a[]", "s/b[]", "s/c[]", "s/d[]", "s/e[]"];
    let cells = names.map(|name| {
        let steps = if name == "s/e[]" { Vec::new() } else { vec![(30, 0.1)] };
        Planted { steps, ..Planted::noise(name, 0.01) }
    });
    let text = shown(&history(4, 60, &cells), &[]);
    assert!(text.contains("times of 4 of 5 cells changed close to 000001e"), "{text}");
    assert!(text.contains("more likely the machine than the code"), "{text}");
    let text = shown(&history(4, 60, &cells[3..]), &[]);
    assert!(!text.contains("the machine than the code"), "{text}");
}
