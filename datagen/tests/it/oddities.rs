//! Every oddity occurs in `tiny`, and in the promised share elsewhere.

use arrow::array::Array;
use datagen::{Oddities, PondSpec, Series};

use crate::canon::{known, rows, times_us};

fn tiny_versions() -> Vec<(Series, u32)> {
    let series = known("tiny").series();
    series.into_iter().flat_map(|one| (1..=one.versions()).map(move |v| (one.clone(), v))).collect()
}

fn has_column(series: &Series, version: u32, name: &str) -> bool {
    series.schema(version).column_with_name(name).is_some()
}

/// Counts the versions after the first for which `holds` is true.
fn later_versions(spec: &PondSpec, holds: impl Fn(&Series, u32) -> bool) -> usize {
    let series = spec.series();
    series.iter().map(|one| (2..=one.versions()).filter(|version| holds(one, *version)).count()).sum()
}

#[test]
fn tiny_is_tiny_and_crosses_the_year() {
    let spec = known("tiny");
    assert_eq!(spec.files(), 8);
    for series in spec.series() {
        let all: Vec<i64> = (1..=series.versions()).flat_map(|v| times_us(&rows(&series, v))).collect();
        assert!((1..=500).contains(&all.len()), "{}: {} rows", series.path(), all.len());
        let new_year_us = 1_704_067_200_000_000;
        assert!(all.iter().any(|time| *time < new_year_us) && all.iter().any(|time| *time >= new_year_us));
    }
}

#[test]
fn tiny_has_gaps() {
    let gaps = tiny_versions().into_iter().filter(|(series, version)| {
        let mut times = times_us(&rows(series, *version));
        times.sort_unstable();
        // Late rows may leave single rows missing before a boundary; a gap is wider.
        times.windows(2).any(|pair| pair[1] - pair[0] > 3 * 600_000_000)
    });
    assert!(gaps.count() > 0);
}

#[test]
fn tiny_has_null_values_and_no_null_times() {
    let mut nulls = 0;
    for (series, version) in tiny_versions() {
        let batch = rows(&series, version);
        assert_eq!(batch.column(0).null_count(), 0);
        nulls += batch.columns().iter().map(|column| column.null_count()).sum::<usize>();
    }
    assert!(nulls > 0);
}

#[test]
fn tiny_has_rows_sent_twice_and_they_are_equal() {
    let mut doubles = 0;
    for (series, version) in tiny_versions() {
        let batch = rows(&series, version);
        let times = times_us(&batch);
        for row in (1..times.len()).filter(|row| times[*row] == times[row - 1]) {
            doubles += 1;
            assert_eq!(batch.slice(row, 1), batch.slice(row - 1, 1), "{} row {row}", series.path());
        }
    }
    assert!(doubles > 0);
}

#[test]
fn tiny_has_rows_out_of_order_in_two_series() {
    let mut unsorted: Vec<String> = tiny_versions()
        .into_iter()
        .filter(|(series, version)| !times_us(&rows(series, *version)).is_sorted())
        .map(|(series, _)| series.path().to_owned())
        .collect();
    unsorted.dedup();
    assert_eq!(unsorted.len(), 2, "a quarter of the series: {unsorted:?}");
}

#[test]
fn tiny_has_late_rows() {
    let spec = known("tiny");
    let late = later_versions(&spec, |series, version| {
        let last_before = times_us(&rows(series, version - 1)).into_iter().max();
        times_us(&rows(series, version)).first() < last_before.as_ref()
    });
    assert!(late > 0);
    let on_time = later_versions(&spec, |series, version| {
        let last_before = times_us(&rows(series, version - 1)).into_iter().max();
        times_us(&rows(series, version)).into_iter().min() > last_before
    });
    assert!(on_time > 0, "some versions follow each other cleanly");
}

#[test]
fn tiny_has_columns_that_appear_later() {
    let spec = known("tiny");
    let longer = |series: &Series, version| {
        series.schema(version).fields().len() > series.schema(version - 1).fields().len()
    };
    assert!(later_versions(&spec, longer) > 0);
}

#[test]
fn tiny_has_unit_changes() {
    let changed = later_versions(&known("tiny"), |series, version| {
        has_column(series, version - 1, "temperature_c")
            && has_column(series, version, "temperature_f")
            && !has_column(series, version, "temperature_c")
    });
    assert!(changed > 0);
}

#[test]
fn the_first_and_the_integer_column_exist_in_every_version() {
    for size in ["tiny", "small", "medium"] {
        for series in known(size).series() {
            let first = series.schema(1).field(1).clone();
            for version in 1..=series.versions() {
                let schema = series.schema(version);
                assert_eq!(schema.field(0).name(), "timestamp");
                assert_eq!(schema.field(1), &first);
                assert_eq!(schema.fields().last().expect("columns").name(), "sample_count");
            }
        }
    }
}

#[test]
fn realistic_shares_are_kept() {
    let check = |size, versioned, late, units| {
        let spec = known(size);
        let series = spec.series();
        assert_eq!(series.iter().filter(|one| one.versions() > 1).count(), versioned, "{size}");
        assert!(series.iter().all(|one| one.versions() <= 4), "{size}");
        let fields = |one: &Series, version| one.schema(version).fields().len();
        let grown = series.iter().filter(|one| fields(one, 1) < fields(one, one.versions())).count();
        assert_eq!(grown, late, "{size}");
        let changed = series.iter().filter(|one| has_column(one, one.versions(), "temperature_f")).count();
        assert_eq!(changed, units, "{size}");
    };
    check("small", 10, 3, 2);
    check("medium", 100, 30, 20);
    check("large", 1_000, 300, 200);
}

#[test]
fn realistic_rows_are_near_the_plan() {
    let spec = known("small");
    let planned = spec.planned_rows() as f64;
    let (mut found, mut nulls, mut values, mut doubles) = (0.0, 0.0, 0.0, 0.0);
    for series in spec.series() {
        for version in 1..=series.versions() {
            let batch = rows(&series, version);
            let times = times_us(&batch);
            found += times.len() as f64;
            doubles += times.windows(2).filter(|pair| pair[0] == pair[1]).count() as f64;
            values += (times.len() * (batch.num_columns() - 1)) as f64;
            nulls += batch.columns().iter().map(|column| column.null_count()).sum::<usize>() as f64;
        }
    }
    let near = |share: f64, expect: f64| share > expect * 0.6 && share < expect * 1.6;
    assert!(near((planned + doubles - found) / planned, 0.005), "gaps: {found} of {planned} rows");
    assert!(near(doubles / planned, 0.001), "doubles: {doubles}");
    assert!(near(nulls / values, 0.005), "nulls: {nulls} of {values}");
}

#[test]
fn a_tidy_spec_has_exactly_the_planned_rows() {
    for size in ["tiny", "small"] {
        let spec = PondSpec { oddities: Oddities::NONE, ..known(size) };
        let count = |one: &Series| one.batches(1).map(|batch| batch.num_rows() as u64).sum::<u64>();
        assert_eq!(spec.series().iter().map(count).sum::<u64>(), spec.planned_rows());
    }
    let table = known("rows-1m").series();
    assert_eq!(table[0].batches(1).map(|batch| batch.num_rows()).sum::<usize>(), 1_000_000);
}
