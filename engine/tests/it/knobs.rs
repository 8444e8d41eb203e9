//! The oracle of the knobs: the same answers under every setting, after every change, beside a writer.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use engine::{
    EntryType, ExportOptions, Knobs, NewSeries, Pattern, Pond, PondOptions, PondPath, QueryOptions,
    TimeRange, Units,
};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use proptest::prelude::*;
use scenarios::{KNOBS, Settings, Values};

use crate::rows::{Rows, Value};

const HOUR_US: i64 = 3_600_000_000;

/// 2024-01-31T12:00:00Z, so that a few hundred rows cross into February.
const BEGIN_US: i64 = 1_706_702_400_000_000;

/// What an export holds: for each file its columns with their types, and its rows in a fixed order.
type Exported = BTreeMap<String, (Vec<String>, Vec<Vec<Value>>)>;

/// A version of a series: its number, where its times begin, its step, its rows, its seed.
type Version = (u8, i64, i64, usize, u64);

fn version() -> impl Strategy<Value = Version> {
    (0u8..3, -20i64..300, prop::sample::select(vec![0i64, 1, 10, 47]), 1usize..120, any::<u64>())
}

/// Makes the rows of a version: floats, whole numbers and texts with nulls, and a column that comes late.
fn new_series((number, begin, step, rows, seed): Version, late_column: bool) -> NewSeries {
    let at = |row: usize| BEGIN_US + (begin * 10 + row as i64 * step) * 60_000_000;
    let draw = |row: usize, salt: u64| {
        let mut x = seed ^ salt ^ (row as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        x ^= x >> 31;
        x = x.wrapping_mul(0xBF58_476D_1CE4_E5B9);
        x ^ (x >> 29)
    };
    let float = |row, salt| Some((draw(row, salt) % 100_000) as f64 / 1000.0).filter(|v| *v > 5.0);
    let times: Vec<i64> = (0..rows).map(at).collect();
    let time = TimestampMicrosecondArray::from(times).with_timezone("UTC");
    let mut columns: Vec<(&str, ArrayRef)> = vec![
        ("timestamp", Arc::new(time)),
        ("level", Arc::new(Float64Array::from_iter((0..rows).map(|row| float(row, 1))))),
        ("count", Arc::new(Int64Array::from_iter((0..rows).map(|row| Some((draw(row, 2) % 50) as i64))))),
        (
            "note",
            Arc::new(StringArray::from_iter((0..rows).map(|row| Some(format!("n{}", draw(row, 3) % 4))))),
        ),
    ];
    if late_column {
        columns.push(("late", Arc::new(Float64Array::from_iter((0..rows).map(|row| float(row, 4))))));
    }
    let batch = RecordBatch::try_from_iter_with_nullable(
        columns.into_iter().map(|(name, column)| (name, column, name != "timestamp")),
    )
    .unwrap();
    NewSeries {
        path: PondPath::parse(&format!("/site{number}/sonde.series")).unwrap(),
        entry_type: EntryType::Series,
        schema: batch.schema(),
        time: Some(0),
        batches: Box::new(std::iter::once(batch)),
    }
}

/// Derived nodes of each kind that an export can meet.
fn add_nodes(pond: &Pond) {
    let reduce = r#"
in_pattern: /*/sonde.series
out_pattern: $0
time_column: timestamp
resolutions: [1h, 6h, 1d]
aggregations:
  - { type: avg, columns: [level] }
  - { type: min }
  - { type: max }
  - { type: sum, columns: ["*e*"] }
  - { type: count, columns: ["*"] }
"#;
    pond.mknod("temporal-reduce", "/reduced", &reduce.replace("\"*e*\"", "level, count")).unwrap();
    let all = "patterns: { sondes: /*/sonde.series }\n\
               query: SELECT timestamp, level, count FROM sondes WHERE count > 3 ORDER BY timestamp\n";
    pond.mknod("sql-derived-series", "/all.series", all).unwrap();
    let again =
        "in_pattern: /all.series\nout_pattern: all\nresolutions: [2h]\naggregations: [{ type: avg }]\n";
    pond.mknod("temporal-reduce", "/again", again).unwrap();
}

fn open(root: &Path, knobs: Knobs) -> Pond {
    Pond::open(root, PondOptions { knobs, ..PondOptions::default() }).unwrap()
}

fn options(dir: &Path, pattern: &str, temporal: &str, range: TimeRange) -> ExportOptions {
    ExportOptions {
        patterns: vec![Pattern::parse(pattern).unwrap()],
        dir: dir.to_owned(),
        temporal: Units::parse(temporal).unwrap(),
        range,
        jobs: 2,
        replace: true,
    }
}

/// Exports, and reads everything back.
fn exported(pond: &Pond, options: &ExportOptions) -> Exported {
    let manifest = pond.export(options, &|_, _| ()).unwrap();
    let mut files = BTreeMap::new();
    for file in manifest.files() {
        let opened = std::fs::File::open(options.dir.join(&file.path)).unwrap();
        let builder = ParquetRecordBatchReaderBuilder::try_new(opened).unwrap();
        let schema = builder.schema().clone();
        let rows = Rows::of(&schema, builder.build().unwrap().map(Result::unwrap));
        assert_eq!(rows.rows.len() as u64, file.rows, "{}", file.path);
        let columns = schema.fields().iter().map(|field| format!("{} {}", field.name(), field.data_type()));
        // Which of equal times comes first is not promised by SQL, nor any order by `order=none`.
        let mut sorted = rows.rows;
        sorted.sort();
        files.insert(file.path.clone(), (columns.collect(), sorted));
    }
    let mut found = Vec::new();
    list(&options.dir, &options.dir, &mut found);
    found.sort();
    assert_eq!(found, files.keys().cloned().collect::<Vec<_>>(), "no file but the manifest's");
    files
}

fn list(root: &Path, folder: &Path, found: &mut Vec<String>) {
    for item in std::fs::read_dir(folder).unwrap() {
        let path = item.unwrap().path();
        if path.is_dir() {
            list(root, &path, found);
        } else if path.extension().is_some_and(|ending| ending == "parquet") {
            found.push(path.strip_prefix(root).unwrap().to_str().unwrap().to_owned());
        }
    }
}

/// Any setting of all knobs.
fn settings() -> impl Strategy<Value = Settings> {
    let knobs = KNOBS.map(|knob| match knob.values {
        Values::Words(words) => prop::sample::select(words.to_vec()).prop_map(str::to_owned).boxed(),
        Values::From(_) if knob.name == "jobs" => (1u64..4).prop_map(|jobs| jobs.to_string()).boxed(),
        // From a cache that holds nothing to one that holds everything.
        Values::From(_) => {
            prop::sample::select(vec!["0", "20000", "268435456"]).prop_map(str::to_owned).boxed()
        }
    });
    knobs.to_vec().prop_map(|values| {
        let mut settings = Settings::default();
        for (knob, value) in KNOBS.iter().zip(values) {
            settings.set(knob.name, &value).unwrap();
        }
        settings
    })
}

fn plainest() -> Knobs {
    let mut knobs = Knobs::preset("plain").unwrap();
    // SQL promises no order; cutting sorted rows is the form that is closest to what an export means.
    knobs.assign("copy=split").unwrap();
    knobs.assign("reduce=one-pass").unwrap();
    knobs
}

/// Writes versions, one transaction each; a column comes late in every third.
fn write(pond: &Pond, versions: &[Version]) {
    for (index, version) in versions.iter().enumerate() {
        pond.write(std::iter::once(new_series(*version, index % 3 == 2))).unwrap();
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, max_shrink_iters: 40, ..ProptestConfig::default() })]

    #[test]
    fn every_setting_gives_the_same_answers_before_and_after_changes(
        first in prop::collection::vec(version(), 1..6),
        then in prop::collection::vec(version(), 1..4),
        settings in settings(),
        pattern in prop::sample::select(vec!["/**/*.series", "/*/sonde.series", "/reduced/**", "/reduced/*/res=6h.series", "/again/**/*.series"]),
        temporal in prop::sample::select(vec!["", "year,month", "year,month,day", "year,month,day,hour"]),
        range in prop::option::of((0i64..40, 1i64..80)),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("pond");
        let pond = Pond::init(&root, PondOptions::default()).unwrap();
        write(&pond, &first);
        add_nodes(&pond);
        let range = range.map_or_else(TimeRange::default, |(from, length)| TimeRange {
            start_us: Some(BEGIN_US + from * HOUR_US + 7),
            end_us: Some(BEGIN_US + (from + length) * HOUR_US + 11),
        });
        let export = |name: &str| options(&folder.path().join(name), pattern, temporal, range);
        // One handle lives through everything, so that whatever it keeps must not become wrong.
        let tested = open(&root, Knobs::from(settings.clone()));
        let check = |what: &str| {
            tested.refresh().unwrap();
            let expect = exported(&open(&root, plainest()), &export("expect"));
            prop_assert_eq!(exported(&tested, &export("tested")), expect.clone(), "{}: {}", what, settings);
            prop_assert_eq!(exported(&tested, &export("tested")), expect, "{} again: {}", what, settings);
            Ok(())
        };
        check("at first")?;
        write(&pond, &then);
        check("after versions")?;
        let late = (first[0].0, first[0].1 - 30, 1, 5, 77);
        write(&pond, &[late]);
        check("after late rows")?;
        let config = "in_pattern: /all.series\nout_pattern: all\nresolutions: [2h]\naggregations: [{ type: max }]\n";
        pond.mknod("temporal-reduce", "/again", config).unwrap();
        check("after another configuration")?;
    }

    #[test]
    fn queries_answer_the_same_under_every_setting(
        versions in prop::collection::vec(version(), 1..5),
        settings in settings(),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("pond");
        let pond = Pond::init(&root, PondOptions::default()).unwrap();
        write(&pond, &versions);
        add_nodes(&pond);
        let tested = open(&root, Knobs::from(settings.clone()));
        let plain = open(&root, Knobs::preset("plain").unwrap());
        let site = format!("/site{}/sonde.series", versions[0].0);
        for (path, sql) in [
            (site.as_str(), "SELECT count(*) AS n, avg(level) AS mean, sum(count) AS all FROM source"),
            ("/all.series", "SELECT count(*) AS n, min(level) AS low, max(count) AS high FROM source"),
            (site.as_str(), "SELECT CAST(date_bin(INTERVAL '2 hours', timestamp) AS BIGINT) AS t, avg(level) AS mean FROM source GROUP BY 1 ORDER BY 1"),
        ] {
            let answer = |pond: &Pond| {
                let options = QueryOptions { target_partitions: 1, ..QueryOptions::default() };
                let answer = pond.query(path, sql, options).unwrap();
                let schema = answer.schema();
                Rows::of(&schema, answer.map(Result::unwrap))
            };
            let expect = answer(&plain);
            prop_assert_eq!(answer(&tested), expect.clone(), "{}: {}", sql, settings);
            prop_assert_eq!(answer(&tested), expect, "{} again: {}", sql, settings);
        }
    }
}

#[test]
fn two_readers_beside_a_writer_see_whole_transactions() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("pond");
    let pond = Pond::init(&root, PondOptions::default()).unwrap();
    // Each transaction adds ten rows to each of two sites.
    let both =
        |txn: i64| [0u8, 1].into_iter().map(move |site| new_series((site, txn, 1, 10, txn as u64), false));
    pond.write(both(0)).unwrap();
    add_nodes(&pond);
    let done = AtomicBool::new(false);
    let reader = |name: &str| {
        let tested = open(&root, Knobs::default());
        let mut seen = Vec::new();
        loop {
            let last = done.load(Ordering::Acquire);
            tested.refresh().unwrap();
            let dir = folder.path().join(name);
            let manifest = tested
                .export(&options(&dir, "/*/sonde.series", "year,month", TimeRange::default()), &|_, _| ());
            let manifest = manifest.unwrap();
            let rows: Vec<u64> = manifest.targets.iter().map(|target| target.rows).collect();
            assert_eq!(rows.len(), 2);
            assert_eq!(rows[0], rows[1], "a transaction is seen whole");
            assert_eq!(rows[0] % 10, 0);
            seen.push(rows[0]);
            if last {
                break;
            }
        }
        assert!(seen.is_sorted(), "a reader never goes back: {seen:?}");
        let again =
            exported(&tested, &options(&folder.path().join(name), "/**/*.series", "", TimeRange::default()));
        let expect = exported(
            &open(&root, plainest()),
            &options(&folder.path().join(format!("{name}-expect")), "/**/*.series", "", TimeRange::default()),
        );
        assert_eq!(again, expect);
        *seen.last().unwrap()
    };
    std::thread::scope(|scope| {
        let readers = [scope.spawn(|| reader("a")), scope.spawn(|| reader("b"))];
        for txn in 1..20 {
            pond.write(both(txn)).unwrap();
        }
        done.store(true, Ordering::Release);
        for reader in readers {
            assert_eq!(reader.join().unwrap(), 200);
        }
    });
}
