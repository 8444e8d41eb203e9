//! Tests of the baseline.

use proptest::prelude::*;

use super::*;

pub(crate) fn machine() -> Machine {
    Machine {
        cpu: "c".into(),
        cores: 2,
        memory_gib: 8,
        kernel: "k".into(),
        rustc: "r".into(),
        os: "o".into(),
    }
}

pub(crate) fn measured(rows: Vec<u64>, unstable: bool, wall: u64) -> Measured {
    let mut phase = PhaseMeasured::default();
    phase.exact.insert("rows_read".into(), Values::new(rows));
    if unstable {
        phase.unstable.insert("footers_read".into(), [None, Some(3)].into_iter().collect());
    }
    phase.medians.insert("wall_ns".into(), wall);
    let context = Context {
        revision: "v".into(),
        engine_version: "1".into(),
        profile: "release".into(),
        arch: "a".into(),
        machine: machine(),
    };
    let cell = [(Phase::Warm, phase)].into_iter().collect();
    Measured { suite: "s".into(), context, cells: [("s/c[]".to_owned(), cell)].into_iter().collect() }
}

/// Gives the cell a median.
pub(crate) fn set_median(measured: &mut Measured, name: &str, value: u64) {
    for phase in measured.cells.values_mut().flat_map(BTreeMap::values_mut) {
        phase.medians.insert(name.to_owned(), value);
    }
}

proptest! {
    #[test]
    fn a_baseline_is_read_back_as_it_was(
        rows in proptest::collection::vec(any::<u64>(), 1..5), unstable: bool, wall: u64,
    ) {
        let measured = measured(rows, unstable, wall);
        let text = Baseline::new(&measured, "because").to_text();
        let read = Baseline::parse(&text).unwrap();
        prop_assert_eq!(read.measured(), measured);
        prop_assert_eq!(read.to_text(), text);
    }
}

fn text_of_a_replacement() -> String {
    let old = Baseline::new(&measured(vec![4, 3], true, 9), "first").of_run("r1", "yesterday");
    let new = Baseline::new(&measured(vec![5, 3], true, 9), " because ").of_run("r2", "today");
    new.replacing(Some(&old)).to_text()
}

#[test]
fn the_first_format_is_read_as_one_without_changes() {
    let text = Baseline::new(&measured(vec![5], false, 9), "because").to_text();
    let lines = text.replace("\"format\": 2", "\"format\": 1");
    let lines = lines.lines().filter(|line| !line.contains("\"run\"") && !line.contains("\"started\""));
    let old = Baseline::parse(&lines.collect::<String>()).unwrap();
    assert_eq!((old.format, old.run.as_str(), &old.changes, old.accepted.len()), (1, "", &None, 0));
    let new = Baseline::new(&measured(vec![6], false, 9), "more").of_run("r", "today").replacing(Some(&old));
    assert_eq!((new.format, new.accepted.len()), (2, 1));
}

#[test]
fn the_text_is_made_for_diffs() {
    insta::assert_snapshot!(text_of_a_replacement(), @r#"
    {
      "format": 2,
      "suite": "s",
      "reason": "because",
      "run": "r2",
      "started": "today",
      "revision": "v",
      "engine_version": "1",
      "profile": "release",
      "arch": "a",
      "machine": {
        "cpu": "c",
        "cores": 2,
        "memory_gib": 8,
        "kernel": "k",
        "rustc": "r",
        "os": "o"
      },
      "changes": {
        "against": "v",
        "worse": {
          "metrics": [
            {
              "cell": "s/c[]",
              "phase": "warm",
              "metric": "rows_read",
              "base": 4,
              "head": 5
            }
          ],
          "cut": 0
        },
        "better": {
          "metrics": [],
          "cut": 0
        },
        "new_cells": 0,
        "gone_cells": 0,
        "not_compared": 0
      },
      "accepted": [
        {
          "run": "r2",
          "started": "today",
          "revision": "v",
          "reason": "because",
          "cells": [
            "s/c[]"
          ],
          "cut": 0
        }
      ],
      "cells": {
        "s/c[]": {
          "warm": {
            "rows_read": [
              5,
              3
            ]
          }
        }
      },
      "unstable": {
        "s/c[]": {
          "warm": {
            "footers_read": [
              null,
              3
            ]
          }
        }
      },
      "medians": {
        "s/c[]": {
          "warm": {
            "wall_ns": 9
          }
        }
      }
    }
    "#);
}

#[test]
fn what_is_not_understood_is_refused() {
    let good = Baseline::new(&measured(vec![5], true, 9), "because").to_text();
    let check = |from: &str, to: &str, expect: &str| {
        assert!(good.contains(from), "{from}");
        let error = format!("{:#}", Baseline::parse(&good.replace(from, to)).unwrap_err());
        assert!(error.contains(expect), "{error}");
    };
    check("\"format\": 2", "\"format\": 3", "format 3, newer than 2; use the harness that wrote it");
    check("\"rows_read\": 5", "\"rows_read\": NaN", "no whole JSON document");
    check("\"rows_read\": 5", "\"rows_read\": null", "damaged");
    check("\"rows_read\": 5", "\"rows_read\": 5.5", "damaged");
    check("\"rows_read\": 5", "\"rows_read\": []", "empty list");
    check("\"rows_read\"", "\"rows_raed\"", "unknown metric 'rows_raed'");
    check("\"wall_ns\"", "\"rows_read\"", "wrong section");
    check("\"because\"", "\" \"", "no reason");
    check("\"suite\"", "\"sweet\"", "damaged");
    let cut = Baseline::parse(&good[..good.len() / 2]).unwrap_err();
    assert!(format!("{cut:#}").contains("no whole JSON document"));
}

#[test]
fn strangers_and_missing_cells_are_named() {
    let baseline = Baseline::new(&measured(vec![5], false, 9), "because");
    let check = |suite: &str, cells: &[&str], expect: &[&str]| {
        let cells: Vec<String> = cells.iter().map(|cell| (*cell).to_owned()).collect();
        assert_eq!(baseline.mismatches(suite, &cells), expect);
    };
    check("s", &["s/c[]"], &[]);
    check("s", &["s/d[]"], &["s/d[] has no baseline", "s/c[] is not in the suite any more"]);
    check("t", &["s/c[]"], &["it is of suite 's', not 't'"]);
}
