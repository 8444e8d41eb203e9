//! The pond that benchmarks count instructions on: the size `tiny`, and a node that reduces each series to hours.

use std::path::Path;

use datagen::PondSpec;
use engine::{EntryType, Knobs, NewSeries, Pond, PondOptions, PondPath};

/// One worker, so that counts repeat, and these settings of knobs.
pub(crate) fn options(settings: &[&str]) -> PondOptions {
    let mut knobs = Knobs::default();
    for setting in [&["jobs=1"], settings].concat() {
        knobs.assign(setting).expect("the setting is known");
    }
    PondOptions { knobs, ..PondOptions::default() }
}

/// Makes the pond in a folder that is not there yet: eight series of two days.
pub(crate) fn made(folder: &Path, settings: &[&str]) -> Pond {
    let pond = Pond::init(folder, options(settings)).expect("the folder is empty");
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
    pond
}
