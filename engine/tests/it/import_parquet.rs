//! Parquet files as sources, what is stored of any source, and generated ponds read back.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use arrow::array::*;
use arrow::datatypes::{DataType, Field, Int32Type};
use datagen::{Format, Options, PondSpec};
use engine::{Pond, PondOptions, TimeRange};
use insta::assert_snapshot;
use parquet::arrow::ArrowWriter;
use parquet::file::reader::{FileReader, SerializedFileReader};

use crate::pond_command::{TestPond, files_below};
use crate::rows::Rows;

fn write(path: &Path, columns: Vec<(&str, ArrayRef)>) {
    let columns = columns.into_iter().map(|(name, column)| (name, column, true));
    let batch = RecordBatch::try_from_iter_with_nullable(columns).unwrap();
    let mut writer = ArrowWriter::try_new(File::create(path).unwrap(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
}

#[test]
fn common_types_survive() {
    let pond = TestPond::new();
    let words = DictionaryArray::<Int32Type>::from_iter([Some("a"), None, Some("b")]);
    write(
        &pond.path("x.parquet"),
        vec![
            (
                "time",
                Arc::new(
                    TimestampMillisecondArray::from(vec![1_700_000_000_000, -1, 0]).with_timezone("+02:00"),
                ),
            ),
            ("i8", Arc::new(Int8Array::from(vec![Some(-1), None, Some(1)]))),
            ("i64", Arc::new(Int64Array::from(vec![i64::MIN, 0, i64::MAX]))),
            ("u32", Arc::new(UInt32Array::from(vec![0, 1, u32::MAX]))),
            ("f32", Arc::new(Float32Array::from(vec![Some(0.5), None, Some(-0.25)]))),
            ("f64", Arc::new(Float64Array::from(vec![0.1, -0.0, 1e300]))),
            ("bool", Arc::new(BooleanArray::from(vec![Some(true), None, Some(false)]))),
            ("text", Arc::new(LargeStringArray::from(vec![Some(""), None, Some("ü\n")]))),
            ("words", Arc::new(words)),
            ("bytes", Arc::new(BinaryArray::from_opt_vec(vec![Some(b"\xff"), None, Some(b"")]))),
            ("day", Arc::new(Date32Array::from(vec![0, 1, -1]))),
            ("other", Arc::new(TimestampNanosecondArray::from(vec![1, 2, 3]))),
            (
                "price",
                Arc::new(Decimal128Array::from(vec![1, -20, 300]).with_precision_and_scale(9, 2).unwrap()),
            ),
        ],
    );
    pond.ok(["import", "x.parquet", "/x.series", "--time", "time"]);
    assert_snapshot!(pond.ok(["cat", "/x.series", "--format", "csv"]), @r#"
time,i8,i64,u32,f32,f64,bool,text,words,bytes,day,other,price
1969-12-31T23:59:59.999Z,,0,1,,-0.0,,,,,1970-01-02,1970-01-01T00:00:00.000000002,-0.20
1970-01-01T00:00:00Z,1,9223372036854775807,4294967295,-0.25,1e300,false,"ü
",b,,1969-12-31,1970-01-01T00:00:00.000000003,3.00
2023-11-14T22:13:20Z,-1,-9223372036854775808,0,0.5,0.1,true,,a,ff,1970-01-01,1970-01-01T00:00:00.000000001,0.01
"#);
    let described = pond.ok(["describe", "/x.series"]);
    let columns: Vec<&str> = described.lines().skip(3).take_while(|line| !line.is_empty()).collect();
    assert_snapshot!(columns.join("\n"), @r#"
COLUMN  TYPE                  NULLS
time    Timestamp(µs, "UTC")  none     time
i8      Int64                 allowed
i64     Int64                 allowed
u32     Int64                 allowed
f32     Float64               allowed
f64     Float64               allowed
bool    Boolean               allowed
text    Utf8                  allowed
words   Utf8                  allowed
bytes   Binary                allowed
day     Date32                allowed
other   Timestamp(ns)         allowed
price   Decimal128(9, 2)      allowed
"#);
    let query = ["cat", "/x.series", "--format", "csv", "--sql", "SELECT * FROM source ORDER BY time"];
    assert_eq!(pond.ok(query), pond.ok(["cat", "/x.series", "--format", "csv"]));
}

#[test]
fn time_columns_of_every_type() {
    let check = |column: ArrayRef, options: &[&str], expect: &str| {
        let pond = TestPond::new();
        let kind = column.data_type().clone();
        write(&pond.path("x.parquet"), vec![("time", column)]);
        let mut arguments = vec!["import", "x.parquet", "/x.series"];
        arguments.extend(options);
        pond.ok(arguments);
        let rows = pond.ok(["cat", "/x.series", "--format", "csv"]);
        assert_eq!(rows.lines().nth(1), Some(expect), "{kind}");
    };
    let expect = "2023-11-14T22:13:20Z";
    check(Arc::new(TimestampSecondArray::from(vec![1_700_000_000])), &[], expect);
    check(Arc::new(TimestampNanosecondArray::from(vec![1_700_000_000_000_000_000])), &[], expect);
    check(Arc::new(TimestampSecondArray::from(vec![1_700_003_600])), &["--zone", "Europe/Berlin"], expect);
    check(Arc::new(Int64Array::from(vec![1_700_000_000])), &[], expect);
    check(Arc::new(Int64Array::from(vec![1_700_000_000_000])), &[], expect);
    check(Arc::new(UInt64Array::from(vec![1_700_000_000_000_000])), &[], expect);
    check(Arc::new(StringArray::from(vec!["2023-11-14T22:13:20Z"])), &[], expect);
    check(Arc::new(StringViewArray::from(vec!["2023-11-14 22:13:20"])), &[], expect);
    check(Arc::new(Date32Array::from(vec![1])), &[], "1970-01-02T00:00:00Z");
}

#[test]
fn numbers_of_mixed_magnitude_are_no_times() {
    let pond = TestPond::new();
    write(
        &pond.path("x.parquet"),
        vec![("time", Arc::new(Int64Array::from(vec![1_700_000_000, 1_700_000_000_000])))],
    );
    assert_snapshot!(pond.fails(["import", "x.parquet", "/x.series"]), @"pond: x.parquet:2: column 'time': '1700000000000' looks like milliseconds since 1970, the times before it are seconds since 1970; correct it");
    // The same if the second magnitude comes after a batch of rows.
    let mut times = vec![1_700_000_000; 40_000];
    times.push(1_700_000_000_000);
    write(&pond.path("x.parquet"), vec![("time", Arc::new(Int64Array::from(times)))]);
    assert_snapshot!(pond.fails(["import", "x.parquet", "/x.series"]), @"pond: x.parquet:40001: column 'time': '1700000000000' looks like milliseconds since 1970, the times before it are seconds since 1970; correct it");
    let texts = (0..40_000).map(|_| "2024-01-01").chain(["2024-01-01 00:00"]);
    write(&pond.path("x.parquet"), vec![("time", Arc::new(StringArray::from_iter_values(texts)))]);
    assert_snapshot!(pond.fails(["import", "x.parquet", "/x.series"]), @"pond: x.parquet:40001: column 'time': '2024-01-01 00:00' is a date and time without zone, the times before it are a date; make them agree, or give --time-format");
    let origins: ArrayRef = Arc::new(StringArray::from(vec![Some("a"), Some("b"), None]));
    let times: ArrayRef = Arc::new(TimestampSecondArray::from(vec![1, 2, 3]));
    write(&pond.path("x.parquet"), vec![("time", times), ("origin", origins)]);
    assert_snapshot!(pond.fails(["import", "x.parquet", "/w", "--split-by", "origin"]), @"pond: x.parquet:3: column 'origin': it is empty, so the row belongs to no series; fill it in or remove the row");
}

/// Checks the layout of a stored Parquet file; returns its rows.
fn check_stored(path: &Path, time_column: &str) -> i64 {
    let reader = SerializedFileReader::new(File::open(path).unwrap()).unwrap();
    let mut last = i64::MIN;
    for group in reader.metadata().row_groups() {
        let sorting = group.sorting_columns().expect("the order is stated");
        let column = group.column(sorting[0].column_idx as usize);
        assert_eq!(column.column_path().string(), time_column);
        assert!(!sorting[0].descending);
        let parquet::file::statistics::Statistics::Int64(stats) = column.statistics().unwrap() else {
            panic!("times are numbers")
        };
        let (min, max) = (*stats.min_opt().unwrap(), *stats.max_opt().unwrap());
        assert!(last <= min && min <= max, "row groups are in order");
        let month =
            |us: i64| chrono::DateTime::from_timestamp_micros(us).unwrap().format("%Y-%m").to_string();
        assert_eq!(month(min), month(max), "a row group lies in one month");
        last = max;
    }
    reader.metadata().file_metadata().num_rows()
}

#[test]
fn stored_files_are_sorted_and_cut_by_month() {
    let pond = TestPond::with_files();
    let mut text = "time,v\n".to_owned();
    for row in 0..3000i64 {
        // About four months in hours, in a scrambled order, before and after 1970.
        let hour = (row * 1_237) % 3000 - 1500;
        text += &format!("{},{row}\n", hour * 3600);
    }
    pond.import("x.csv", &text, "/x.series");
    let stored = files_below(&pond.root().join("content"));
    assert_eq!(check_stored(&stored[0], "time"), 3000);
}

#[test]
fn a_nested_column_before_the_time_does_not_move_the_order() {
    let pond = TestPond::with_files();
    let pair = StructArray::from(vec![
        (
            Arc::new(Field::new("a", DataType::Int64, true)),
            Arc::new(Int64Array::from(vec![1, 2])) as ArrayRef,
        ),
        (
            Arc::new(Field::new("b", DataType::Int64, true)),
            Arc::new(Int64Array::from(vec![3, 4])) as ArrayRef,
        ),
    ]);
    let times = TimestampMicrosecondArray::from(vec![2, 1]).with_timezone("UTC");
    write(&pond.path("x.parquet"), vec![("pair", Arc::new(pair)), ("time", Arc::new(times))]);
    pond.ok(["import", "x.parquet", "/x.series"]);
    let stored = files_below(&pond.root().join("content"));
    assert_eq!(check_stored(&stored[0], "time"), 2);
    pond.ok(["export", "-p", "/x.series", "-d", "out", "--temporal", "year"]);
    assert_eq!(check_stored(&files_below(&pond.path("out"))[1], "time"), 2);
}

#[test]
fn generated_files_become_exactly_the_generated_rows() {
    let spec = PondSpec::named("tiny").unwrap();
    for format in [Format::Csv, Format::Parquet] {
        let pond = TestPond::new();
        let options = Options { out: pond.path("in"), format, force: false };
        datagen::write(&spec, &options, &|_| ()).unwrap();
        let latest = spec.series().iter().map(datagen::Series::versions).max().unwrap();
        for version in 1..=latest {
            pond.ok(["import", &format!("in/v{version}"), "/"]);
        }
        let open = Pond::open(&pond.root(), PondOptions::default()).unwrap();
        let paths = open.list("/**/*.series").unwrap();
        assert_eq!(paths.len(), spec.series().len());
        for generated in spec.series() {
            let series = open.series(generated.path()).unwrap();
            let batches = series.batches(TimeRange::default()).unwrap();
            let found = Rows::of(series.schema(), batches.map(Result::unwrap));
            let expect = Rows::generated(&generated);
            assert_eq!(found, expect, "{format:?} {}", generated.path());
            assert_eq!(series.rows(), expect.rows.len() as u64);
            let times = expect.times("timestamp");
            assert_eq!(series.bounds(), times.first().copied().zip(times.last().copied()));
        }
    }
}
