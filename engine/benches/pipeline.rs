//! Instruction counts of the steps of the pipeline on a small generated pond, by callgrind.
//!
//! One worker and a fixed seed, so that counts repeat. Setting up is not counted.

#![expect(missing_docs, unused_qualifications, reason = "the macros of gungraun make undocumented items")]

extern crate iai_callgrind as gungraun;

use std::hint::black_box;

use datagen::PondSpec;
use engine::{
    EntryType, ExportOptions, Knobs, Manifest, NewSeries, Pattern, Pond, PondOptions, PondPath, QueryOptions,
    TimeRange, Units,
};
use gungraun::{library_benchmark, library_benchmark_group, main};
use tempfile::TempDir;

/// A pond in a folder that goes with it.
struct Made {
    pond: Pond,
    folder: TempDir,
}

fn options(settings: &[&str]) -> PondOptions {
    let mut knobs = Knobs::default();
    for setting in [&["jobs=1"], settings].concat() {
        knobs.assign(setting).expect("the setting is known");
    }
    PondOptions { knobs, ..PondOptions::default() }
}

/// Makes the pond `tiny`, eight series of two days, with a node that reduces each to hours.
fn made(settings: &[&str]) -> Made {
    let folder = tempfile::tempdir().expect("there is room for a folder");
    let pond = Pond::init(&folder.path().join("pond"), options(settings)).expect("the folder is empty");
    let series = PondSpec::named("tiny").expect("a known size").series();
    let latest = series.iter().map(datagen::Series::versions).max().expect("the size has series");
    for version in 1..=latest {
        let due = series.iter().filter(|one| one.versions() >= version);
        let new = due.map(|one| NewSeries {
            path: PondPath::parse(one.path()).expect("a path of the generator"),
            entry_type: EntryType::Series,
            schema: one.schema(version),
            time: Some(0),
            batches: Box::new(one.batches(version)),
        });
        pond.write(new).expect("the pond takes rows");
    }
    let reduce = "in_pattern: '/**/*.series'\nout_pattern: $0/$1\ntime_column: timestamp\nresolutions: [1h]\n\
                  aggregations: [{type: avg, columns: ['*']}]";
    pond.mknod("temporal-reduce", "/reduced", reduce).expect("the configuration is right");
    Made { pond, folder }
}

fn exported(made: &Made, pattern: &str) -> Manifest {
    let options = ExportOptions {
        patterns: vec![Pattern::parse(pattern).expect("the pattern is valid")],
        dir: made.folder.path().join("out"),
        temporal: Units::parse("year,month").expect("the units are known"),
        range: TimeRange::default(),
        jobs: 1,
        replace: false,
    };
    made.pond.export(&options, &|_, _| ()).expect("the pond can be exported")
}

fn answered(made: &Made) -> usize {
    let paths = made.pond.list("/*/**/sonde.series").expect("the pattern is valid");
    let options = QueryOptions { target_partitions: 1, ..QueryOptions::default() };
    let answer = made.pond.query(&paths[0].path, "SELECT count(*) FROM source", options).expect("a query");
    answer.map(|batch| batch.expect("the query is answered").num_rows()).sum()
}

fn asked_once(settings: &[&str]) -> Made {
    let made = made(settings);
    answered(&made);
    made
}

#[library_benchmark(setup = made)]
#[bench::log(&[])]
fn replay(made: Made) -> (Pond, Made) {
    let pond =
        Pond::open(black_box(&made.folder.path().join("pond")), options(&[])).expect("the pond is there");
    (pond, made)
}

#[library_benchmark(setup = asked_once)]
#[bench::cached(&[])]
#[bench::built_anew(&["cache.plan=off"])]
fn plan(made: Made) -> (usize, Made) {
    (answered(black_box(&made)), made)
}

#[library_benchmark(setup = made)]
#[bench::passthrough(&["copy=passthrough"])]
#[bench::split(&["copy=split"])]
fn export(made: Made) -> (Manifest, Made) {
    (exported(black_box(&made), "/*/**/*.series"), made)
}

#[library_benchmark(setup = made)]
#[bench::streaming(&[])]
fn reduce(made: Made) -> (Manifest, Made) {
    (exported(black_box(&made), "/reduced/**/*.series"), made)
}

fn series() -> Vec<datagen::Series> {
    PondSpec::named("tiny").expect("a known size").series()
}

#[library_benchmark(setup = series)]
fn generate(series: Vec<datagen::Series>) -> usize {
    series.iter().flat_map(|one| one.batches(1)).map(|batch| black_box(batch).num_rows()).sum()
}

library_benchmark_group!(name = pipeline, benchmarks = [replay, plan, export, reduce, generate]);
main!(library_benchmark_groups = pipeline);
