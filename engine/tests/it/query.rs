//! Queries: answers equal a plain computation, pruning is real, and formats are stable.

use std::collections::BTreeMap;

use arrow::array::AsArray;
use arrow::datatypes::{Float64Type, Int64Type};
use datagen::PondSpec;
use engine::{EntryType, ImportOptions, NewSeries, Pond, PondOptions, PondPath, QueryOptions};
use insta::assert_snapshot;
use tempfile::TempDir;

use crate::pond_command::TestPond;
use crate::rows::{Rows, Value};

/// Bytes that do not suffice to sort some hundred thousand rows: a sort keeps ten million for its merge.
const SPILLING_BYTES: usize = 14 * 1024 * 1024;

/// A pond with the generated series of a size, one transaction per version.
pub(crate) fn generated(size: &str) -> (TempDir, Pond, Vec<datagen::Series>) {
    let folder = tempfile::tempdir().unwrap();
    let pond = Pond::init(&folder.path().join("pond"), PondOptions::default()).unwrap();
    let spec = PondSpec::named(size).unwrap();
    let series = spec.series();
    let latest = series.iter().map(datagen::Series::versions).max().unwrap();
    for version in 1..=latest {
        let due = series.iter().filter(|one| one.versions() >= version);
        let made = due.map(|one| NewSeries {
            path: PondPath::parse(one.path()).unwrap(),
            entry_type: EntryType::Series,
            schema: one.schema(version),
            time: Some(0),
            batches: Box::new(one.batches(version)),
        });
        pond.write(made).unwrap();
    }
    (folder, pond, series)
}

/// Runs a query whose answer is one row of a whole number and floats.
fn numbers(pond: &Pond, path: &str, sql: &str) -> (i64, Vec<Option<f64>>) {
    let batches: Vec<_> = pond
        .query(path, sql, QueryOptions::default())
        .unwrap()
        .map(Result::unwrap)
        .filter(|b| b.num_rows() > 0)
        .collect();
    assert_eq!(batches.iter().map(|batch| batch.num_rows()).sum::<usize>(), 1, "{sql}");
    let columns = batches[0].columns();
    let float = |column: &arrow::array::ArrayRef| {
        column.is_valid(0).then(|| column.as_primitive::<Float64Type>().value(0))
    };
    (columns[0].as_primitive::<Int64Type>().value(0), columns[1..].iter().map(float).collect())
}

/// Returns the values of a float column within a range of times.
fn floats(rows: &Rows, column: &str, from: i64, to: i64) -> (usize, Vec<f64>) {
    let (time, index) = (rows.index("timestamp"), rows.index(column));
    let within: Vec<_> =
        rows.rows.iter().filter(|row| row[time] >= Value::Int(from) && row[time] < Value::Int(to)).collect();
    let values = within.iter().filter_map(|row| match row[index] {
        Value::Float(bits) => Some(f64::from_bits(bits)),
        _ => None,
    });
    (within.len(), values.collect())
}

#[test]
fn aggregates_equal_a_plain_computation() {
    let (_folder, pond, all) = generated("tiny");
    for series in &all {
        let rows = Rows::generated(series);
        let times = rows.times("timestamp");
        let column = rows.columns.iter().find(|name| *name != "timestamp").unwrap();
        let (first, last) = (times[0], times[times.len() - 1] + 1);
        let middle = first + (last - first) / 2;
        for (from, to) in
            [(first, last), (first, middle), (middle, last), (middle, middle + 1), (last, last + 1)]
        {
            let at = |us: i64| format!("to_timestamp_micros({us})");
            let text = |us: i64| {
                let time = chrono::DateTime::from_timestamp_micros(us).unwrap();
                format!("TIMESTAMP '{}'", time.format("%Y-%m-%dT%H:%M:%S%.6fZ"))
            };
            let (count, values) = floats(&rows, column, from, to);
            for (from, to) in [(at(from), at(to)), (text(from), text(to))] {
                let sql = format!(
                    "SELECT count(*), sum(\"{column}\"), min(\"{column}\"), max(\"{column}\") FROM source \
                     WHERE timestamp >= {from} AND timestamp < {to}"
                );
                let (found, floats) = numbers(&pond, series.path(), &sql);
                assert_eq!(found, count as i64, "{} {sql}", series.path());
                let sum = (!values.is_empty()).then(|| values.iter().sum::<f64>());
                match (floats[0], sum) {
                    (Some(found), Some(sum)) => {
                        assert!((found - sum).abs() <= sum.abs() * 1e-12, "{found} {sum}")
                    }
                    (found, sum) => assert_eq!(found, sum, "{sql}"),
                }
                assert_eq!(floats[1], values.iter().copied().reduce(f64::min), "{sql}");
                assert_eq!(floats[2], values.iter().copied().reduce(f64::max), "{sql}");
            }
        }
        let point = format!(
            "SELECT arrow_cast(timestamp, 'Int64') FROM source WHERE timestamp >= to_timestamp_micros({middle}) \
             ORDER BY timestamp LIMIT 1"
        );
        assert_eq!(Some(&numbers(&pond, series.path(), &point).0), times.iter().find(|us| **us >= middle));
        let count = numbers(&pond, series.path(), "SELECT count(*) FROM source").0;
        assert_eq!(count, times.len() as i64);
    }
}

#[test]
fn a_query_in_time_order_gives_all_rows() {
    let (_folder, pond, all) = generated("tiny");
    for series in &all {
        let expect = Rows::generated(series);
        let sql = "SELECT * FROM source ORDER BY timestamp";
        let answer = pond.query(series.path(), sql, QueryOptions::default()).unwrap();
        let schema = answer.schema();
        let mut found = Rows::of(&schema, answer.map(Result::unwrap));
        assert_eq!(found.columns, expect.columns);
        assert_eq!(found.times("timestamp"), expect.times("timestamp"));
        // Rows of equal time may come in any order from a query.
        let mut expect = expect.rows;
        expect.sort();
        found.rows.sort();
        assert_eq!(found.rows, expect, "{}", series.path());
    }
}

/// A pond with a series of twelve versions, a day of 24 rows each, one after the other.
pub(crate) fn twelve_days() -> TestPond {
    let pond = TestPond::with_files();
    for day in 1..=12 {
        let rows: String =
            (0..24).map(|hour| format!("2024-01-{day:02} {hour:02}:00,{}\n", day * 100 + hour)).collect();
        pond.import("x.csv", &format!("time,v\n{rows}"), "/x.series");
    }
    pond
}

/// Runs a query and returns its answer and what it counted.
fn counted(pond: &TestPond, sql: &str) -> (String, BTreeMap<String, u64>) {
    let open = Pond::open(&pond.root(), PondOptions::default()).unwrap();
    let before = open.recorder().totals();
    let options = QueryOptions { target_partitions: 1, ..QueryOptions::default() };
    let batches: Vec<_> = open.query("/x.series", sql, options).unwrap().map(Result::unwrap).collect();
    let text = arrow::util::pretty::pretty_format_batches(&batches).unwrap().to_string();
    (text, open.recorder().totals().since(&before))
}

#[test]
fn versions_outside_the_time_filter_are_not_opened() {
    let pond = twelve_days();
    let check = |filter: &str, rows: u64, versions: u64| {
        let (answer, counters) = counted(&pond, &format!("SELECT count(v) AS n FROM source WHERE {filter}"));
        assert!(answer.contains(&format!("| {rows} ")), "{filter}: {answer}");
        assert_eq!(counters["footers_read"], versions, "{filter}");
        assert_eq!(counters["versions_scanned"], versions, "{filter}");
    };
    check("true", 288, 12);
    check("time >= TIMESTAMP '2024-01-12'", 24, 1);
    check("time > TIMESTAMP '2024-01-11T23:00:00Z'", 24, 1);
    check("time >= TIMESTAMP '2024-01-11T23:00:00Z'", 25, 2);
    check("time < TIMESTAMP '2024-01-02'", 24, 1);
    check("time <= TIMESTAMP '2024-01-02'", 25, 2);
    check("time = TIMESTAMP '2024-01-05T07:00:00Z'", 1, 1);
    check("TIMESTAMP '2024-01-05' <= time AND TIMESTAMP '2024-01-06' > time", 24, 1);
    check("time BETWEEN '2024-01-05' AND '2024-01-05T23:00:00Z'", 24, 1);
    check("time >= '2024-01-05' AND time < '2024-01-07' AND v > 0", 48, 2);
    check("time < TIMESTAMP '2024-01-02' OR v = 1200", 25, 12);
    check("time > TIMESTAMP '2025-01-01'", 0, 0);
}

#[test]
fn time_order_costs_no_sort() {
    let pond = twelve_days();
    let (plan, _) = counted(&pond, "EXPLAIN SELECT * FROM source ORDER BY time");
    assert!(!plan.contains("SortExec"), "{plan}");
    assert!(plan.contains("output_ordering"), "{plan}");
    let (plan, _) = counted(&pond, "EXPLAIN SELECT * FROM source ORDER BY time DESC LIMIT 1");
    assert!(plan.contains("TopK") || plan.contains("reverse"), "{plan}");
    // Overlapping versions are merged, not sorted.
    pond.import("y.csv", "time,v\n2024-01-03 00:30,1\n2024-01-09 00:00,2\n", "/x.series");
    let (plan, _) = counted(&pond, "EXPLAIN SELECT * FROM source ORDER BY time");
    assert!(!plan.contains("SortExec") && plan.contains("SortPreservingMergeExec"), "{plan}");
    let (_, limited) = counted(&pond, "SELECT * FROM source ORDER BY time LIMIT 1");
    assert!(limited["footers_read"] <= 3, "{limited:?}");
}

#[test]
fn extremes_and_last_rows() {
    let pond = twelve_days();
    assert_snapshot!(counted(&pond, "SELECT min(time), max(time), count(time) FROM source").0, @r#"
+----------------------+----------------------+--------------------+
| min(source.time)     | max(source.time)     | count(source.time) |
+----------------------+----------------------+--------------------+
| 2024-01-01T00:00:00Z | 2024-01-12T23:00:00Z | 288                |
+----------------------+----------------------+--------------------+
"#);
    assert_snapshot!(counted(&pond, "SELECT v FROM source ORDER BY time DESC LIMIT 2").0, @r#"
+------+
| v    |
+------+
| 1223 |
| 1222 |
+------+
"#);
    assert_snapshot!(counted(&pond, "SELECT date_trunc('day', time) AS day, sum(v) FROM source WHERE v % 100 < 2 GROUP BY 1 ORDER BY 1 LIMIT 3").0, @r#"
+----------------------+---------------+
| day                  | sum(source.v) |
+----------------------+---------------+
| 2024-01-01T00:00:00Z | 201           |
| 2024-01-02T00:00:00Z | 401           |
| 2024-01-03T00:00:00Z | 601           |
+----------------------+---------------+
"#);
}

#[test]
fn formats_of_cat() {
    let pond = TestPond::new();
    pond.import(
        "x.csv",
        "time,Water Temp,note,n,ok\n2024-01-01 00:00:00.5,1.5,\"a,\"\"b\"\"\",7,true\n2024-01-02 00:00,,,,\n",
        "/x.series",
    );
    assert_snapshot!(pond.ok(["cat", "/x.series"]), @r#"
time                      Water Temp  note   n  ok
2024-01-01T00:00:00.500Z         1.5  a,"b"  7  true
2024-01-02T00:00:00Z
"#);
    assert_snapshot!(pond.ok(["cat", "/x.series", "--format", "csv"]), @r#"
time,Water Temp,note,n,ok
2024-01-01T00:00:00.500Z,1.5,"a,""b""",7,true
2024-01-02T00:00:00Z,,,,
"#);
    assert_snapshot!(pond.ok(["cat", "/x.series", "--format", "json"]), @r#"
{"time":"2024-01-01T00:00:00.500Z","Water Temp":1.5,"note":"a,\"b\"","n":7,"ok":true}
{"time":"2024-01-02T00:00:00Z"}
"#);
    let sql = ["cat", "/x.series", "--sql", "SELECT \"Water Temp\" AS t, n FROM source WHERE n > 100"];
    assert_snapshot!(pond.ok(sql), @"t  n");
    assert_snapshot!(pond.ok([&sql[..], &["--format", "csv"]].concat()), @"t,n");
    assert_snapshot!(pond.ok([&sql[..], &["--format", "json"]].concat()), @"");
}

/// Returns how often, and how many bytes, were put aside on disk so far.
fn spilled(pond: &Pond) -> (u64, u64) {
    let totals = pond.recorder().totals();
    (totals.get("spills"), totals.get("spilled_bytes"))
}

#[test]
fn what_a_sort_puts_aside_is_counted() {
    let (_folder, pond, series) = generated("small");
    let path = series[0].path();
    let column = &Rows::generated(&series[0]).columns[1];
    let sql = format!(
        "SELECT a.*, b.timestamp AS other FROM source AS a CROSS JOIN (SELECT timestamp FROM source LIMIT 250) AS b \
         ORDER BY a.\"{column}\" DESC, a.timestamp, b.timestamp"
    );
    let rows = |memory_bytes: usize| {
        let options = QueryOptions { target_partitions: 1, memory_bytes };
        let batches: Vec<_> = pond.query(path, &sql, options).unwrap().map(Result::unwrap).collect();
        arrow::compute::concat_batches(&batches[0].schema(), &batches).unwrap()
    };
    let in_memory = rows(QueryOptions::default().memory_bytes);
    assert_eq!(spilled(&pond), (0, 0));
    let with_disk = rows(SPILLING_BYTES);
    assert_eq!(in_memory, with_disk);
    let (spills, bytes) = spilled(&pond);
    assert!(spills > 0 && bytes > 0, "{spills} spills of {bytes} bytes");
}

#[test]
fn what_an_import_puts_aside_is_counted() {
    let folder = tempfile::tempdir().unwrap();
    let files = folder.path().join("files");
    std::fs::create_dir(&files).unwrap();
    std::fs::write(files.join("a.csv"), "t,v\n2024-01-02T00:00:00Z,2\n2024-01-01T00:00:00Z,1\n").unwrap();
    for (sort_bytes, expected) in [(ImportOptions::default().sort_bytes, 0), (0, 1)] {
        let root = folder.path().join(format!("pond-{sort_bytes}"));
        let pond = Pond::init(&root, PondOptions::default()).unwrap();
        let options = ImportOptions { sort_bytes, ..ImportOptions::default() };
        pond.import(std::slice::from_ref(&files), "/", &options, &|_| ()).unwrap();
        let (spills, bytes) = spilled(&pond);
        assert_eq!(spills, expected);
        assert_eq!(bytes > 0, expected > 0);
        let first = pond.query("/a.series", "SELECT v FROM source", QueryOptions::default()).unwrap().next();
        assert_eq!(first.unwrap().unwrap().column(0).as_primitive::<Int64Type>().values().as_ref(), [1, 2]);
    }
}
