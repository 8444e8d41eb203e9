//! Specs: names, paths, schemas, signals, errors.

use std::collections::BTreeSet;

use arrow::array::{Array, AsArray};
use arrow::datatypes::{DataType, Float64Type, TimeUnit};
use datagen::{DatagenError, Layout, Oddities, PondSpec, SIZES};

use crate::canon::{known, rows, times_us};

#[test]
fn sizes_have_the_promised_shape() {
    let check = |size, files, rows| {
        let spec = known(size);
        assert_eq!((spec.files(), spec.planned_rows()), (files, rows), "{size}");
    };
    check("tiny", 8, 8 * 288);
    check("small", 100, 100 * 1_440);
    check("medium", 1_000, 1_000 * 7 * 1_440);
    check("large", 10_000, 10_000 * 30 * 96);
    check("rows-1m", 1, 1_000_000);
    check("rows-10m", 1, 10_000_000);
    check("rows-100m", 1, 100_000_000);
    check("deep", 64, 64 * 96);
    check("wide", 2_400, 2_400 * 8);
    check("history-1", 3, 3 * 7 * 1_440);
    check("history-1000", 3, 3 * 7 * 1_440);
    check("versions", 10_000, 10_000 * 300);
}

#[test]
fn every_size_is_valid_and_its_paths_are_unique_and_in_order() {
    for size in SIZES {
        let spec = known(size);
        spec.check().expect("a named size is valid");
        let series = spec.series();
        assert_eq!(series.len() as u64, spec.files(), "{size}");
        assert!(series.is_sorted_by(|a, b| a.path() < b.path()), "{size}");
        for one in &series {
            assert!(one.path().starts_with('/') && !one.path().contains("//"), "{}", one.path());
            let plain = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit();
            assert!(one.path().chars().all(|c| plain(c) || "/-.".contains(c)), "{}", one.path());
        }
    }
}

#[test]
fn layouts_lay_out() {
    let folders = |size: &str| -> Vec<String> {
        let parent = |path: &str| path.rsplit_once('/').expect("absolute").0.to_owned();
        known(size).series().iter().map(|one| parent(one.path())).collect()
    };
    assert!(folders("deep").iter().all(|folder| folder.matches('/').count() == 12));
    assert_eq!(folders("deep").into_iter().collect::<BTreeSet<_>>().len(), 64);
    let wide = folders("wide");
    assert_eq!(wide.iter().filter(|folder| *folder == "/wide").count(), 2_000);
    assert_eq!(wide.iter().filter(|folder| *folder == "/fan-03").count(), 40);
    assert_eq!(known("rows-1m").series()[0].path(), "/readings.table");
    let regions: BTreeSet<String> = folders("medium")
        .iter()
        .map(|folder| folder.split('/').nth(1).expect("a region").to_owned())
        .collect();
    assert_eq!(regions.len(), 12);
}

#[test]
fn an_unknown_size_names_the_nearest_and_the_known() {
    let text = |name| PondSpec::named(name).expect_err("unknown").to_string();
    assert_eq!(
        text("smal"),
        "unknown size 'smal'; did you mean 'small'?; known: tiny, small, medium, large, rows-1m, rows-10m, \
         rows-100m, deep, wide, history-1, history-10, history-100, history-1000, versions"
    );
    assert!(text("elephantine").starts_with("unknown size 'elephantine'; known: tiny"));
}

#[test]
fn contradictions_are_refused_in_words() {
    let check = |spec: PondSpec, why: &str| {
        let error = spec.check().expect_err(why);
        assert!(matches!(error, DatagenError::InvalidSpec { .. }));
        assert_eq!(error.to_string(), format!("the spec 'tiny' cannot be generated: {why}"));
    };
    let tiny = || known("tiny");
    check(PondSpec { series: 0, ..tiny() }, "series must be 1 or more");
    check(PondSpec { cadence_s: 0, ..tiny() }, "cadence_s must be 1 or more");
    check(PondSpec { span_s: 9, ..tiny() }, "span_s must be at least cadence_s");
    check(PondSpec { columns: 5, ..tiny() }, "columns must be 6 to 64");
    check(PondSpec { layout: Layout::SingleTable, ..tiny() }, "a single table has series = 1");
    check(
        PondSpec { layout: Layout::Deep { depth: 2, fan_out: 2 }, ..tiny() },
        "depth must be 1 to 64, fan_out 2 to 26, and fan_out^depth at least series",
    );
    let all_gaps = Oddities { gaps_ppm: 900_000, ..Oddities::NONE };
    check(PondSpec { oddities: all_gaps, ..tiny() }, "gaps_ppm must be at most 100000");
    let versions = Oddities { versions_min: 5, versions_max: 4, ..Oddities::NONE };
    check(PondSpec { oddities: versions, ..tiny() }, "versions_min must be 2 to versions_max");
    let far = PondSpec { span_s: u64::MAX, ..tiny() };
    check(far, "start_us and span_s must stay within the years 1970 to 9999");
}

#[test]
fn histories_hold_the_same_rows_in_so_many_versions() {
    let times = |size: &str, versions: u32| {
        let series = known(size).series();
        let times = |one: &datagen::Series| -> Vec<i64> {
            assert_eq!(one.versions(), versions, "{size}");
            (1..=versions).flat_map(|version| times_us(&rows(one, version))).collect()
        };
        series.iter().map(|one| (one.path().to_owned(), times(one))).collect::<Vec<_>>()
    };
    let one = times("history-1", 1);
    assert_eq!(times("history-10", 10), one);
    assert_eq!(times("history-1000", 1_000), one);
    assert!(known("versions").series().iter().all(|one| one.versions() == 30));
}

#[test]
fn every_field_enters_the_digest() {
    let tiny = known("tiny");
    let odd = |change: fn(&mut Oddities)| {
        let mut spec = known("tiny");
        change(&mut spec.oddities);
        spec
    };
    let specs = [
        tiny.clone(),
        PondSpec { name: "other".to_owned(), ..tiny.clone() },
        PondSpec { seed: 9, ..tiny.clone() },
        PondSpec { layout: Layout::Wide, ..tiny.clone() },
        PondSpec { layout: Layout::Deep { depth: 3, fan_out: 2 }, ..tiny.clone() },
        PondSpec { layout: Layout::Deep { depth: 2, fan_out: 3 }, ..tiny.clone() },
        PondSpec { series: 9, ..tiny.clone() },
        PondSpec { start_us: 1, ..tiny.clone() },
        PondSpec { span_s: 6_000, ..tiny.clone() },
        PondSpec { cadence_s: 1, ..tiny.clone() },
        PondSpec { columns: 8, ..tiny.clone() },
        odd(|odd| odd.gaps_ppm += 1),
        odd(|odd| odd.nulls_ppm += 1),
        odd(|odd| odd.duplicates_ppm += 1),
        odd(|odd| odd.out_of_order_series_ppm += 1),
        odd(|odd| odd.versions_series_ppm += 1),
        odd(|odd| odd.versions_min += 1),
        odd(|odd| odd.versions_max += 1),
        odd(|odd| odd.late_rows_ppm += 1),
        odd(|odd| odd.late_columns_ppm += 1),
        odd(|odd| odd.unit_changes_ppm += 1),
    ];
    let digests: BTreeSet<String> = specs.iter().map(PondSpec::digest).collect();
    assert_eq!(digests.len(), specs.len());
    assert!(digests.iter().all(|digest| digest.len() == 16));
}

#[test]
fn schemas_are_those_of_the_batches() {
    for series in known("tiny").series() {
        for version in 1..=series.versions() {
            let schema = series.schema(version);
            let utc = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
            assert_eq!(schema.field(0).data_type(), &utc);
            assert!(!schema.field(0).is_nullable());
            let floats = schema.fields().iter().filter(|field| field.data_type() == &DataType::Float64);
            assert!(floats.count() >= 5, "{}", series.path());
            assert!(schema.fields().iter().any(|field| field.data_type() == &DataType::Int64));
            for batch in series.batches(version) {
                assert_eq!(batch.schema(), schema);
                assert!((1..=8_192).contains(&batch.num_rows()));
            }
        }
    }
}

#[test]
fn many_columns_are_numbered() {
    let spec = PondSpec { columns: 64, ..known("tiny") };
    for series in spec.series() {
        let schema = series.schema(series.versions());
        let names: BTreeSet<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
        assert_eq!(names.len(), 65, "{}", series.path());
        rows(&series, 1);
    }
}

#[test]
fn values_are_whole_steps_of_the_sensor_and_move() {
    let series = known("small").series();
    let batch = rows(&series[0], 1);
    let check = |name: &str, steps: f64, low: f64, high: f64| {
        let column = batch.column_by_name(name).expect(name).as_primitive::<Float64Type>();
        let values: Vec<f64> = column.iter().flatten().collect();
        for value in &values {
            let whole = (value * steps).round();
            assert_eq!(whole / steps, *value, "{name}");
            assert!((low..=high).contains(value), "{name} {value}");
        }
        let distinct: BTreeSet<u64> = values.iter().map(|value| value.to_bits()).collect();
        assert!(distinct.len() > 20, "{name} has {} values", distinct.len());
    };
    check("salinity_psu", 100.0, 0.0, 42.0);
    check("temperature_c", 100.0, -5.0, 45.0);
    check("turbidity_ntu", 10.0, 0.0, 1_000.0);
    check("ph", 100.0, 0.0, 14.0);
}

#[test]
fn stations_match_the_paths() {
    for size in ["tiny", "small", "wide"] {
        let spec = known(size);
        let stations = spec.stations();
        assert_eq!(stations.num_rows() as u64, spec.files().div_ceil(3));
        let ids = stations.column_by_name("id").expect("id").as_string::<i32>();
        for (number, series) in spec.series().iter().enumerate() {
            assert!(series.path().contains(ids.value(number / 3)), "{}", series.path());
        }
        let names = stations.column_by_name("name").expect("name").as_string::<i32>();
        let distinct: BTreeSet<&str> = names.iter().flatten().collect();
        assert_eq!(distinct.len(), stations.num_rows(), "{size}");
        assert!(stations.columns().iter().all(|column| column.null_count() == 0));
    }
}

#[test]
#[should_panic(expected = "has versions 1 to 1, not 2")]
fn a_version_that_does_not_exist_panics() {
    let _ = known("tiny").series()[0].schema(2);
}
