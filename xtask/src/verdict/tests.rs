//! Tests of the verdict.

use proptest::prelude::*;

use super::*;
use crate::fingerprint::{Context, Machine};

const CELL: &str = "s/c[]";

fn machine(cpu: &str) -> Machine {
    Machine {
        cpu: cpu.into(),
        cores: 2,
        memory_gib: 8,
        kernel: "k".into(),
        rustc: "r".into(),
        os: "o".into(),
    }
}

fn side(exact: &[(&str, Values)], unstable: &[&str], medians: &[(&str, u64)]) -> Measured {
    let phase = PhaseMeasured {
        exact: exact.iter().map(|(name, values)| ((*name).to_owned(), values.clone())).collect(),
        unstable: unstable
            .iter()
            .map(|name| ((*name).to_owned(), [Some(1), Some(2)].into_iter().collect()))
            .collect(),
        medians: medians.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect(),
    };
    let context = Context {
        revision: "v".into(),
        engine_version: "1".into(),
        profile: "release".into(),
        arch: "a".into(),
        machine: machine("c"),
    };
    let cell = [(Phase::Cold, phase)].into_iter().collect();
    Measured { suite: "s".into(), context, cells: [(CELL.to_owned(), cell)].into_iter().collect() }
}

fn counters(counters: &[(&str, u64)]) -> Measured {
    let exact: Vec<(&str, Values)> =
        counters.iter().map(|(name, value)| (*name, Values::Same(*value))).collect();
    side(&exact, &[], &[])
}

fn suite(cells: &[&str]) -> BTreeSet<String> {
    cells.iter().map(|cell| (*cell).to_owned()).collect()
}

fn judged(base: &Measured, head: &Measured) -> Comparison {
    compare(base, head, &suite(&[CELL]), Scope::of(Tier::All))
}

#[test]
fn counters_gate() {
    let check = |base: &[(&str, u64)], head: &[(&str, u64)], expect: Verdict| {
        let comparison = judged(&counters(base), &counters(head));
        assert_eq!(comparison.verdict(), expect, "{base:?} {head:?}");
        assert_eq!(comparison.exit(), expect.exit());
    };
    check(&[("rows_read", 5)], &[("rows_read", 5)], Verdict::Unchanged);
    check(&[("rows_read", 5)], &[("rows_read", 6)], Verdict::Regressed);
    check(&[("rows_read", 5)], &[("rows_read", 4)], Verdict::Improved);
    check(&[("rows_read", 5)], &[("footers_read", 5)], Verdict::Incomparable);
    check(&[("rows_read", 5)], &[("rows_read", 5), ("footers_read", 5)], Verdict::Incomparable);
    let (worse, better) = (("rows_read", 6), ("footers_read", 1));
    check(&[("rows_read", 5), ("footers_read", 5)], &[worse, better], Verdict::Regressed);
}

#[test]
fn a_bounded_metric_that_is_gone_does_not_pass() {
    let with = side(&[], &[], &[("alloc_count", 1_000), ("wall_ns", 5)]);
    let without = side(&[], &[], &[("wall_ns", 5)]);
    let beside = |base: &Measured, head: &Measured| {
        compare(base, head, &suite(&[CELL]), Scope { counters: true, bounded: true, times: Times::InPairs })
    };
    let comparison = beside(&with, &without);
    assert_eq!(comparison.verdict(), Verdict::Incomparable);
    assert_eq!(comparison.findings.len(), 1, "{:?}", comparison.findings);
    assert_eq!(comparison.findings[0].metric.as_deref(), Some("alloc_count"));
    assert!(comparison.findings[0].text.ends_with("is missing now"), "{:?}", comparison.findings);
    // One that is new has nothing to be compared with, and loses nothing.
    assert!(beside(&without, &with).findings.is_empty());
}

#[test]
fn one_worse_execution_is_enough() {
    let side_of = |values| side(&[("rows_read", values)], &[], &[]);
    let base = side_of(Values::Each(vec![5, 3]));
    let head = side_of(Values::Each(vec![1, 4]));
    let comparison = judged(&base, &head);
    assert_eq!(comparison.verdict(), Verdict::Regressed);
    assert_eq!((comparison.findings[0].base, comparison.findings[0].head), (Some(3), Some(4)));
}

#[test]
fn counters_that_do_not_repeat_never_pass_for_equal() {
    let stable = counters(&[("rows_read", 1)]);
    let unstable = side(&[], &["rows_read"], &[]);
    let check = |base: &Measured, head: &Measured, expect, notes: usize| {
        let comparison = judged(base, head);
        assert_eq!(comparison.verdict(), expect);
        let named = comparison.notes.iter().filter(|note| note.contains("rows_read")).count();
        assert_eq!(named, notes);
    };
    check(&stable, &unstable, Verdict::Inconclusive, 0);
    check(&unstable, &stable, Verdict::Unchanged, 1);
    check(&unstable, &unstable, Verdict::Unchanged, 1);
    check(&unstable, &counters(&[]), Verdict::Incomparable, 0);
}

#[test]
fn sides_must_be_of_a_kind() {
    let base = counters(&[("rows_read", 5)]);
    let mut head = base.clone();
    head.context.arch = "b".into();
    assert_eq!(judged(&base, &head).verdict(), Verdict::Incomparable);
    let mut renamed = base.clone();
    let cell = renamed.cells.remove(CELL).unwrap();
    renamed.cells.insert("s/d[]".into(), cell);
    let comparison = compare(&base, &renamed, &suite(&["s/d[]"]), Scope::of(Tier::All));
    assert_eq!(comparison.cells["s/d[]"], Verdict::Incomparable);
    assert_eq!(comparison.cells[CELL], Verdict::Incomparable);
    let filtered = compare(&base, &renamed, &suite(&["s/d[]", CELL]), Scope::of(Tier::All));
    assert!(!filtered.cells.contains_key(CELL), "a cell that was not selected is not judged");
}

#[test]
fn times_are_advice_and_only_from_the_same_machine() {
    let medians = |wall, bytes| side(&[], &[], &[("wall_ns", wall), ("alloc_bytes", bytes)]);
    let base = medians(100, 1000);
    let mut head = medians(150, 1060);
    let comparison = judged(&base, &head);
    assert_eq!(comparison.exit(), Exit::Pass);
    insta::assert_snapshot!(comparison.advice.join("\n"), @r"
    s/c[]: cold wall_ns 100 ns → 150 ns, +50.0 %
    s/c[]: cold alloc_bytes 1000 B → 1.04 KiB, +6.0 %
    ");
    head.context.machine = machine("another");
    let comparison = judged(&base, &head);
    assert_eq!(comparison.medians.len(), 1, "allocations are compared, times are not");
    assert!(comparison.notes[0].starts_with("times not compared: made on another machine"));
}

#[test]
fn a_tier_says_what_it_does_not_compare() {
    let (base, head) = (counters(&[("rows_read", 5)]), counters(&[("rows_read", 6)]));
    let comparison = compare(&base, &head, &suite(&[CELL]), Scope::of(Tier::Time));
    assert_eq!(comparison.verdict(), Verdict::NotCompared);
    assert_eq!(comparison.notes[0], "counters not compared: the tier is time");
    let comparison = compare(&base, &head, &suite(&[CELL]), Scope::of(Tier::Exact));
    assert_eq!(comparison.verdict(), Verdict::Regressed);
    assert_eq!(comparison.notes[0], "times not compared: the tier is exact");
}

const NAMES: [&str; 4] = ["rows_read", "footers_read", "plans_built", "stage.session.count"];

fn arbitrary_counters() -> impl Strategy<Value = Vec<(&'static str, Values)>> {
    let values = proptest::collection::vec(0..1_000_000_u64, 1..4).prop_map(Values::new);
    proptest::collection::vec(values, NAMES.len()).prop_map(|values| NAMES.into_iter().zip(values).collect())
}

proptest! {
    #[test]
    fn equal_sides_never_regress(counters in arbitrary_counters()) {
        let side = side(&counters, &[], &[("wall_ns", 5)]);
        let comparison = judged(&side, &side);
        prop_assert_eq!(comparison.verdict(), Verdict::Unchanged);
        prop_assert!(comparison.findings.is_empty());
    }

    #[test]
    fn a_larger_counter_is_always_caught(
        counters in arbitrary_counters(), which in 0..NAMES.len(), more in 1..1000_u64, at in 0..3_usize,
    ) {
        let base = side(&counters, &[], &[]);
        let mut changed = counters;
        let mut each = match &changed[which].1 {
            Values::Same(value) => vec![*value; 3],
            Values::Each(each) => each.clone(),
        };
        let at = at % each.len();
        each[at] += more;
        changed[which].1 = Values::new(each);
        let comparison = judged(&base, &side(&changed, &[], &[]));
        prop_assert_eq!(comparison.exit(), Exit::Regression);
        prop_assert_eq!(comparison.findings[0].metric.as_deref(), Some(NAMES[which]));
    }

    #[test]
    fn less_is_never_a_regression_and_never_unchanged(
        counters in arbitrary_counters(), which in 0..NAMES.len(),
    ) {
        let head = side(&counters, &[], &[]);
        let mut more = counters;
        more[which].1 = match &more[which].1 {
            Values::Same(value) => Values::Same(value + 1),
            Values::Each(each) => Values::Each(each.iter().map(|value| value + 1).collect()),
        };
        prop_assert_eq!(judged(&side(&more, &[], &[]), &head).verdict(), Verdict::Improved);
    }
}
