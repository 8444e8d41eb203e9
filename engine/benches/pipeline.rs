//! Instruction counts of the steps of the pipeline on a small generated pond, by callgrind.
//!
//! One worker and a fixed seed, so that counts repeat. Setting up is not counted.

#![expect(missing_docs, unused_qualifications, reason = "the macros of gungraun make undocumented items")]

extern crate iai_callgrind as gungraun;

#[path = "ponds/tiny.rs"]
mod tiny;

use std::hint::black_box;

use datagen::PondSpec;
use engine::{ExportOptions, Manifest, Pattern, Pond, QueryOptions, TimeRange, Units};
use gungraun::{library_benchmark, library_benchmark_group, main};
use tempfile::TempDir;

/// A pond in a folder that goes with it.
struct Made {
    pond: Pond,
    folder: TempDir,
}

/// Makes the pond of the benchmarks.
fn made(settings: &[&str]) -> Made {
    let folder = tempfile::tempdir().expect("there is room for a folder");
    let pond = tiny::made(&folder.path().join("pond"), settings);
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
    let pond = Pond::open(black_box(&made.folder.path().join("pond")), tiny::options(&[]))
        .expect("the pond is there");
    (pond, made)
}

#[library_benchmark(setup = asked_once)]
#[bench::cached(&[])]
#[bench::built_anew(&["plan_cache=off"])]
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
