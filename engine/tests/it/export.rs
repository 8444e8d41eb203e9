//! Exports: layout, boundaries, the manifest, re-exports, and that no row is lost.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, TimestampMicrosecondArray};
use chrono::{DateTime, SecondsFormat};
use engine::{EntryType, ExportOptions, NewSeries, Pattern, Pond, PondOptions, PondPath, TimeRange, Units};
use insta::assert_snapshot;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use proptest::prelude::*;
use regex::Regex;

use crate::pond_command::{TestPond, digests, files_below};
use crate::rows::{Rows, Value};

/// Lists the exported files by their path within the folder.
fn files(folder: &Path) -> String {
    let names = files_below(folder)
        .into_iter()
        .map(|path| path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned());
    names.collect::<Vec<_>>().join("\n")
}

/// Reads one exported file.
fn read(path: &Path) -> Rows {
    let builder = ParquetRecordBatchReaderBuilder::try_new(File::open(path).unwrap()).unwrap();
    let groups = builder.metadata().row_groups().iter();
    assert!(groups.into_iter().all(|group| group.sorting_columns().is_some_and(|order| order.len() == 1)));
    let schema = Arc::clone(builder.schema());
    Rows::of(&schema, builder.build().unwrap().map(Result::unwrap))
}

fn rfc3339(us: i64) -> String {
    DateTime::from_timestamp_micros(us).unwrap().to_rfc3339_opts(SecondsFormat::AutoSi, true)
}

/// Checks that a manifest says of every file what the file holds; returns all rows in the manifest's order.
fn check_manifest(folder: &Path, time: &str) -> Vec<Vec<Value>> {
    let manifest: serde_json::Value =
        serde_json::from_slice(&std::fs::read(folder.join("manifest.json")).unwrap()).unwrap();
    let mut named = vec!["manifest.json".to_owned()];
    let (mut all, mut sum) = (Vec::new(), 0);
    for target in manifest["targets"].as_array().unwrap() {
        let schema = &manifest["schemas"][target["schema"].as_u64().unwrap() as usize];
        let columns = schema.as_array().unwrap().iter().map(|column| column["column"].as_str().unwrap());
        let columns: Vec<&str> = columns.collect();
        let mut target_rows = Vec::new();
        for file in target["files"].as_array().unwrap() {
            let path = file["path"].as_str().unwrap();
            named.push(path.to_owned());
            let rows = read(&folder.join(path));
            assert_eq!(rows.columns, columns);
            let times = rows.times(time);
            assert!(times.is_sorted(), "{path} is sorted");
            assert_eq!(file["rows"], rows.rows.len());
            assert_eq!(file["bytes"], folder.join(path).metadata().unwrap().len());
            assert_eq!(file["first"], rfc3339(times[0]));
            assert_eq!(file["last"], rfc3339(*times.last().unwrap()));
            target_rows.extend(rows.rows);
        }
        assert_eq!(target["rows"], target_rows.len());
        sum += target_rows.len();
        all.extend(target_rows);
    }
    assert_eq!(manifest["rows"], sum);
    named.sort();
    assert_eq!(named.join("\n"), files(folder), "the manifest names every file and no other");
    all
}

#[test]
fn folders_follow_the_calendar() {
    let pond = TestPond::new();
    pond.import(
        "x.csv",
        "time,v\n1969-12-31 23:59:59.999999,0\n2024-01-05 03:04,1\n2024-07-01 00:00,2\n2024-07-01 01:00,3\n",
        "/a/b/x.series",
    );
    let export = |pattern: &str, temporal: &str| {
        pond.ok(["export", "-p", pattern, "-d", "out", "--temporal", temporal, "--replace"]);
        assert_eq!(check_manifest(&pond.path("out"), "time").len(), 4);
        files(&pond.path("out"))
    };
    assert_snapshot!(export("/**/*.series", ""), @r#"
a/b/x/data.parquet
manifest.json
"#);
    assert_snapshot!(export("/**/*.series", "year"), @r#"
a/b/x/year=1969/data.parquet
a/b/x/year=2024/data.parquet
manifest.json
"#);
    assert_snapshot!(export("/a/b/*.series", "year,month"), @r#"
manifest.json
x/year=1969/month=12/data.parquet
x/year=2024/month=01/data.parquet
x/year=2024/month=07/data.parquet
"#);
    assert_snapshot!(export("/a/b/x.series", "year,month,day"), @r#"
a/b/x/year=1969/month=12/day=31/data.parquet
a/b/x/year=2024/month=01/day=05/data.parquet
a/b/x/year=2024/month=07/day=01/data.parquet
manifest.json
"#);
    assert_snapshot!(export("/*/b/*.series", "year,month,day,hour"), @r#"
a/x/year=1969/month=12/day=31/hour=23/data.parquet
a/x/year=2024/month=01/day=05/hour=03/data.parquet
a/x/year=2024/month=07/day=01/hour=00/data.parquet
a/x/year=2024/month=07/day=01/hour=01/data.parquet
manifest.json
"#);
}

#[test]
fn the_start_is_inside_and_the_end_is_outside() {
    let pond = TestPond::new();
    let times = [
        "2023-12-31 23:59:59.999999",
        "2024-01-01 00:00",
        "2024-01-31 23:59:59.999999",
        "2024-02-01 00:00",
        "2025-01-01 00:00",
    ];
    let text: String = times.iter().map(|time| format!("{time},1\n")).collect();
    pond.import("x.csv", &format!("time,v\n{text}"), "/x.series");
    let kept = |temporal: &str, start: &str, end: &str| {
        let arguments = [
            "export",
            "-p",
            "/x.series",
            "-d",
            "out",
            "--temporal",
            temporal,
            "--start",
            start,
            "--end",
            end,
        ];
        pond.ok(arguments);
        let rows = check_manifest(&pond.path("out"), "time").into_iter();
        let time = |row: Vec<Value>| if let Value::Int(us) = row[0] { rfc3339(us) } else { panic!() };
        rows.map(time).collect::<Vec<_>>().join(" ")
    };
    for temporal in ["", "year", "year,month", "year,month,day", "year,month,day,hour"] {
        assert_eq!(
            kept(temporal, "2024-01-01", "2024-02-01"),
            "2024-01-01T00:00:00Z 2024-01-31T23:59:59.999999Z",
            "{temporal}"
        );
        assert_eq!(
            kept(temporal, "2024-01-01T00:00:00.000001Z", "2024-02-01T00:00:00.000001Z"),
            "2024-01-31T23:59:59.999999Z 2024-02-01T00:00:00Z",
            "{temporal}"
        );
    }
}

#[test]
fn the_manifest_explains_the_export() {
    let pond = TestPond::new();
    pond.import("x.csv", "time,sea.temp.c.avg,sea.temp.c,v\n2024-01-01,1,2,3\n", "/sea/x.series");
    pond.ok(["export", "-p", "/*/x.series", "-d", "out", "--temporal", "year", "--start", "2024-01-01"]);
    let text = std::fs::read_to_string(pond.path("out/manifest.json")).unwrap();
    let bytes = pond.path("out/sea/year=2024/data.parquet").metadata().unwrap().len();
    // Digests of inputs follow from encoded bytes, which another version of the libraries may change.
    let manifest: serde_json::Value = serde_json::from_str(&text).unwrap();
    let text = serde_json::to_string_pretty(&manifest).unwrap();
    let text =
        Regex::new(r#""inputs": "[0-9a-f]{32}""#).unwrap().replace_all(&text, r#""inputs": "[DIGEST]""#);
    assert_snapshot!(text.replace(&bytes.to_string(), "[BYTES]"), @r#"
{
  "end": null,
  "format": 2,
  "patterns": [
    "/*/x.series"
  ],
  "rows": 1,
  "schemas": [
    [
      {
        "aggregate": null,
        "column": "time",
        "instrument": null,
        "name": "time",
        "time": true,
        "type": "Timestamp(µs, \"UTC\")",
        "unit": null
      },
      {
        "aggregate": "avg",
        "column": "sea.temp.c.avg",
        "instrument": "sea",
        "name": "temp",
        "time": false,
        "type": "Int64",
        "unit": "c"
      },
      {
        "aggregate": null,
        "column": "sea.temp.c",
        "instrument": "sea",
        "name": "temp",
        "time": false,
        "type": "Int64",
        "unit": "c"
      },
      {
        "aggregate": null,
        "column": "v",
        "instrument": null,
        "name": "v",
        "time": false,
        "type": "Int64",
        "unit": null
      }
    ]
  ],
  "start": "2024-01-01T00:00:00Z",
  "targets": [
    {
      "captures": [
        "sea"
      ],
      "files": [
        {
          "bytes": [BYTES],
          "first": "2024-01-01T00:00:00Z",
          "inputs": "[DIGEST]",
          "last": "2024-01-01T00:00:00Z",
          "path": "sea/year=2024/data.parquet",
          "rows": 1
        }
      ],
      "first": "2024-01-01T00:00:00Z",
      "folder": "sea",
      "inputs": "[DIGEST]",
      "last": "2024-01-01T00:00:00Z",
      "partition_columns": [
        "year"
      ],
      "path": "/sea/x.series",
      "rows": 1,
      "schema": 0
    }
  ],
  "temporal": "year"
}
"#);
}

#[test]
fn the_same_data_gives_the_same_bytes() {
    let pond = TestPond::new();
    let text: String = (0..2000).map(|row| format!("{},{}\n", 1_700_000_000 + row * 3600, row % 7)).collect();
    for name in ["a", "b", "c"] {
        pond.import("x.csv", &format!("ts,v\n{text}"), &format!("/{name}.series"));
    }
    let export = |more: &[&str]| {
        let mut arguments = vec!["export", "-p", "/*.series", "-d", "out", "--temporal", "year,month"];
        arguments.extend(more);
        pond.ok(arguments);
        check_manifest(&pond.path("out"), "ts");
        digests(&pond.path("out"))
    };
    let first = export(&["--jobs", "1"]);
    assert_eq!(export(&["--jobs", "1", "--set", "incremental=off"]), first);
    assert_eq!(export(&["--jobs", "4", "--set", "incremental=off"]), first);
    assert_eq!(export(&["--jobs", "4"]), first);
    // Less data leaves no file of before.
    let fewer = export(&["--start", "2024-01-01", "--end", "2024-02-01"]);
    assert_eq!(fewer.len(), 1 + 3);
    assert_eq!(export(&[]), first);
    // A new month appears, and nothing else changes.
    pond.import("y.csv", "ts,v\n1735689600,1\n", "/b.series");
    let after = export(&[]);
    let new: Vec<_> =
        after.iter().filter(|file| !first.contains(file)).map(|file| file.0.to_str().unwrap()).collect();
    assert_eq!(new, ["b/year=2025/month=01/data.parquet", "manifest.json"]);
    assert_eq!(after.len(), first.len() + 1);
}

#[test]
fn late_rows_and_overlapping_versions_are_put_in_order() {
    let pond = TestPond::new();
    pond.import("1.csv", "time,v\n2024-01-01,1\n2024-01-03,2\n2024-02-01,3\n", "/x.series");
    pond.import("2.csv", "time,v\n2024-01-02,4\n2024-01-03,5\n2024-02-02,6\n", "/x.series");
    pond.import("3.csv", "time,v,w\n2023-12-31,7,late\n2024-01-03,8,\n", "/x.series");
    pond.ok(["export", "-p", "/x.series", "-d", "out", "--temporal", "year,month"]);
    let rows = check_manifest(&pond.path("out"), "time");
    let values: Vec<i64> =
        rows.iter().map(|row| if let Value::Int(v) = row[1] { v } else { panic!() }).collect();
    assert_eq!(values, [7, 1, 4, 2, 5, 8, 3, 6]);
}

#[test]
fn a_column_that_is_called_like_a_partition() {
    let pond = TestPond::new();
    pond.import("x.csv", "time,month,v\n2024-01-01,7,1\n", "/x.series");
    let output = pond
        .command(["export", "-p", "/x.series", "-d", "out", "--temporal", "year,month"])
        .output()
        .unwrap();
    assert!(output.status.success());
    assert_snapshot!(String::from_utf8_lossy(&output.stderr), @"note: /x.series has a column 'month' of its own; its folders are called part_month=…");
    assert_snapshot!(files(&pond.path("out")), @r#"
manifest.json
x/part_year=2024/part_month=01/data.parquet
"#);
    check_manifest(&pond.path("out"), "time");
}

#[test]
fn two_series_never_share_a_folder() {
    let pond = TestPond::new();
    pond.import("x.csv", "time,v\n2024-01-01,1\n", "/a/x.series");
    pond.import("x.csv", "time,v\n2024-01-01,1\n", "/b/x.series");
    assert_snapshot!(pond.fails(["export", "-p", "/a/*.series", "-p", "/b/*.series", "-d", "out"]), @"pond: /b/x.series: it would be exported to the folder x, as /a/x.series would; put a star where their paths differ");
    assert!(!pond.path("out").exists());
    pond.ok(["export", "-p", "/*/x.series", "-p", "/**", "-d", "out"]);
    assert_snapshot!(files(&pond.path("out")), @r#"
a/data.parquet
b/data.parquet
manifest.json
"#);
}

#[test]
fn a_range_without_rows_writes_no_file() {
    let pond = TestPond::new();
    pond.import("x.csv", "time,v\n2024-01-01,1\n", "/x.series");
    let output = pond.command(["export", "-p", "/*", "-d", "out", "--start", "2030-01-01"]).output().unwrap();
    assert!(output.status.success());
    assert_snapshot!(String::from_utf8_lossy(&output.stderr), @"note: /x.series has no rows in this time range, so no file was written for it");
    assert_eq!(check_manifest(&pond.path("out"), "time"), Vec::<Vec<Value>>::new());
}

#[test]
fn tables_are_exported_as_they_are() {
    let pond = TestPond::new();
    pond.import("t.csv", "id,name\n2,b\n1,a\n", "/names.table");
    pond.ok(["export", "-p", "/*.table", "-d", "out"]);
    let builder =
        ParquetRecordBatchReaderBuilder::try_new(File::open(pond.path("out/names/data.parquet")).unwrap())
            .unwrap();
    let schema = Arc::clone(builder.schema());
    let rows = Rows::of(&schema, builder.build().unwrap().map(Result::unwrap));
    assert_eq!(rows.rows[0], [Value::Int(2), Value::Text("b".to_owned())]);
}

/// A version of a series: times, each with the number of its row.
fn version(path: &str, times: &[i64], begin: i64) -> NewSeries {
    let time: ArrayRef = Arc::new(TimestampMicrosecondArray::from(times.to_vec()).with_timezone("UTC"));
    let row: ArrayRef = Arc::new(Int64Array::from_iter_values(begin..begin + times.len() as i64));
    let batch = RecordBatch::try_from_iter([("time", time), ("row", row)]).unwrap();
    NewSeries {
        path: PondPath::parse(path).unwrap(),
        entry_type: EntryType::Series,
        schema: batch.schema(),
        time: Some(0),
        batches: Box::new([batch].into_iter()),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn every_row_is_exported_once_in_its_partition(
        // Hours from 1969-11 to 1970-05 and some microseconds, so that boundaries are met.
        versions in prop::collection::vec(prop::collection::vec((-1200i64..3600, -1i64..2), 1..40), 1..4),
        units in 0usize..5,
        range in prop::option::of((-1200i64..3600, 1i64..3000)),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let pond = Pond::init(&folder.path().join("pond"), PondOptions::default()).unwrap();
        let mut expect: Vec<(i64, i64)> = Vec::new();
        for version_times in &versions {
            let times: Vec<i64> = version_times.iter().map(|(hour, us)| hour * 3_600_000_000 + us).collect();
            let begin = expect.len() as i64;
            expect.extend(times.iter().copied().zip(begin..));
            pond.write([version("/x.series", &times, begin)].into_iter()).unwrap();
        }
        let hour = |hour: i64| hour * 3_600_000_000;
        let (start_us, end_us) = range.map(|(a, length)| (hour(a), hour(a + length))).unzip();
        expect.retain(|(us, _)| start_us.is_none_or(|start| start <= *us) && end_us.is_none_or(|end| *us < end));
        expect.sort_by_key(|(us, _)| *us);
        let names = ["year", "month", "day", "hour"][..units].join(",");
        let options = |jobs: usize, dir: &str| ExportOptions {
            patterns: vec![Pattern::parse("/*.series").unwrap()],
            dir: folder.path().join(dir),
            temporal: Units::parse(&names).unwrap(),
            range: TimeRange { start_us, end_us },
            jobs,
            replace: false,
        };
        pond.export(&options(1, "out"), &|_, _| ()).unwrap();
        pond.export(&options(4, "four"), &|_, _| ()).unwrap();
        prop_assert_eq!(digests(&folder.path().join("out")), digests(&folder.path().join("four")));
        let found: Vec<(i64, i64)> = check_manifest(&folder.path().join("out"), "time")
            .into_iter()
            .map(|row| match row[..] {
                [Value::Int(us), Value::Int(number)] => (us, number),
                _ => panic!("a time and a number"),
            })
            .collect();
        prop_assert_eq!(found, expect);
        for path in files_below(&folder.path().join("out/x")) {
            let formats = ["year=%Y", "month=%m", "day=%d", "hour=%H"][..units].join("/");
            let dir = path.parent().unwrap().strip_prefix(folder.path().join("out/x")).unwrap().to_str().unwrap();
            for us in read(&path).times("time") {
                let text = DateTime::from_timestamp_micros(us).unwrap().format(&formats).to_string();
                prop_assert_eq!(text.as_str(), dir);
            }
        }
    }
}
