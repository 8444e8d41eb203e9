//! Bad files, bad arguments and full disks: one clear message each, and the pond as it was.

use std::os::unix::process::CommandExt;
use std::process::Stdio;
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, RecordBatch, TimestampMicrosecondArray};
use insta::assert_snapshot;
use parquet::arrow::ArrowWriter;

use crate::pond_command::{TestPond, files_below};

const GOOD: &str = "time,v\n2024-01-01 00:00,1\n2024-01-01 00:10,2\n";

/// Imports a file of some content, which must fail; returns the message.
fn refused(name: &str, content: impl AsRef<[u8]>, options: &[&str]) -> String {
    let pond = TestPond::new();
    pond.import("good.csv", GOOD, "/good.series");
    pond.file(name, content);
    let mut arguments = vec!["import", name, "/x.series"];
    arguments.extend(options);
    pond.fails(arguments)
}

fn parquet(columns: Vec<(&str, ArrayRef)>) -> Vec<u8> {
    let batch =
        RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(n, c)| (n, c, true))).unwrap();
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.into_inner().unwrap()
}

fn times(values: Vec<Option<i64>>) -> ArrayRef {
    Arc::new(TimestampMicrosecondArray::from(values).with_timezone("UTC"))
}

/// A CSV file of 1,500 good rows, then `last`.
fn long_csv(last: &str) -> String {
    let mut text = "time,v\n".to_owned();
    for row in 0..1500 {
        text += &format!("2024-01-{:02} {:02}:{:02},{row}\n", 1 + row / 1440, row / 60 % 24, row % 60);
    }
    text + last
}

#[test]
fn files_that_cannot_be_read() {
    let pond = TestPond::new();
    assert_snapshot!(pond.fails(["import", "nowhere.csv", "/x.series"]), @"pond: nowhere.csv: there is no such file or folder");
    std::fs::create_dir(pond.path("empty")).unwrap();
    assert_snapshot!(pond.fails(["import", "empty", "/x"]), @"pond: empty: the folder holds no .csv and no .parquet file");
    assert_snapshot!(pond.fails(["import", "*.csv", "/x"]), @"pond: *.csv: the pattern matches no file");
    pond.file("notes.docx", "");
    assert_snapshot!(pond.fails(["import", "notes.docx", "/x.series"]), @"pond: notes.docx: its name ends neither with .csv nor with .parquet; rename it");
    pond.file("a/x.csv", GOOD);
    pond.file("b/x.csv", GOOD);
    assert_snapshot!(pond.fails(["import", "a/x.csv", "b/x.csv", "/x"]), @"pond: b/x.csv: it would become /x/x.series, as a/x.csv would; import them one by one");
}

#[test]
fn files_without_permission() {
    use std::os::unix::fs::PermissionsExt;
    let pond = TestPond::new();
    let file = pond.file("secret.csv", GOOD);
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o000)).unwrap();
    let mut command = pond.command(["import", "secret.csv", "/x.series"]);
    if std::fs::read(&file).is_ok() {
        // The superuser may read everything, so the command runs as nobody.
        let opened = std::process::Command::new("chmod").args(["-R", "a+rwX"]).arg(pond.path("")).status();
        assert!(opened.unwrap().success());
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o000)).unwrap();
        command = pond.command_from_reachable_place(["import", "secret.csv", "/x.series"]);
        command.uid(65534);
    }
    assert_snapshot!(pond.fails_as(&mut command), @"pond: cannot read secret.csv: Permission denied (os error 13)");
}

#[test]
fn csv_without_rows() {
    assert_snapshot!(refused("x.csv", "", &[]), @"pond: x.csv: the file is empty; there is nothing to import");
    assert_snapshot!(refused("x.csv", "time,v\n", &[]), @"pond: x.csv: it has a header but no rows; there is nothing to import");
}

#[test]
fn csv_of_the_wrong_shape() {
    assert_snapshot!(refused("x.csv", "time,v\n2024-01-01 00:00,1\n2024-01-01 00:10\n", &[]), @"pond: x.csv:3: the row has 1 fields, the header has 2; correct the row, or give --delimiter");
    assert_snapshot!(refused("x.csv", "time,v\r\n2024-01-01 00:00,1\r\n2024-01-01 00:10,2,3\r\n", &[]), @"pond: x.csv:3: the row has 3 fields, the header has 2; correct the row, or give --delimiter");
    assert_snapshot!(refused("x.csv", long_csv("2024-01-02 05:00\n"), &[]), @"pond: x.csv:1502: the row has 1 fields, the header has 2; correct the row, or give --delimiter");
    assert_snapshot!(refused("x.csv", "time,v,v\n2024-01-01 00:00,1,2\n", &[]), @"pond: x.csv:1: two columns are called 'v'; rename one in the header");
    assert_snapshot!(refused("x.csv", "time,,v\n2024-01-01 00:00,1,2\n", &[]), @"pond: x.csv:1: column 2 has no name; give it one in the header");
}

#[test]
fn csv_time_columns() {
    let rows = "when,what,v\n2024-01-01 00:00,on,1.5\n2024-01-01 00:10,off,2\n";
    assert_snapshot!(refused("x.csv", rows, &["--time", "what"]), @"pond: x.csv:2: column 'what': 'on' is no time; name another column with --time, or the format with --time-format");
    assert_snapshot!(refused("x.csv", rows, &["--time", "v"]), @"pond: x.csv:2: column 'v': '1.5' is no time; name another column with --time, or the format with --time-format");
    assert_snapshot!(refused("x.csv", rows, &["--time", "wehn"]), @"pond: x.csv: there is no column 'wehn' for --time; there is when");
    assert_snapshot!(refused("x.csv", rows, &["--time-format", "%d.%m.%Y"]), @"pond: x.csv:2: column 'when': '2024-01-01 00:00' does not fit the format '%d.%m.%Y'; correct it, or --time-format");
    assert_snapshot!(refused("x.csv", "a,b\n1,x\n2,y\n", &[]), @"pond: x.csv: no column holds times (a, b); name one with --time and its format with --time-format, or import as a table with --as table");
    assert_snapshot!(refused("x.csv", "from,to\n2024-01-01,2024-01-02\n", &[]), @"pond: x.csv: several columns hold times (from, to); choose one with --time");
    assert_snapshot!(refused("x.csv", "time,v\n2024-01-01 00:00,1\n,2\n", &[]), @"pond: x.csv:3: column 'time': the time is missing; fill it in or remove the row");
}

#[test]
fn csv_times_of_mixed_shape() {
    assert_snapshot!(refused("x.csv", "time,v\n2024-01-01 00:00,1\n2024-01-01T00:10:00Z,2\n", &[]), @"pond: x.csv: no time column: 'time' holds a date and time without zone until line 3, where it is '2024-01-01T00:10:00Z'; correct the line, or name another column with --time");
    assert_snapshot!(refused("x.csv", "time,v\n2024-01-01 00:00,1\n2024-01-01T00:10:00Z,2\n", &["--time", "time"]), @"pond: x.csv: 'time' holds a date and time without zone until line 3, where it is '2024-01-01T00:10:00Z'; correct the line");
    assert_snapshot!(refused("x.csv", long_csv("2024-01-02T05:00:00Z,1\n"), &[]), @"pond: x.csv:1502: column 'time': '2024-01-02T05:00:00Z' is a time with offset (RFC 3339), the times before it are a date and time without zone; make them agree, or give --time-format");
    assert_snapshot!(refused("x.csv", long_csv("soon,1\n"), &[]), @"pond: x.csv:1502: column 'time': 'soon' is no time; name another column with --time, or the format with --time-format");
    assert_snapshot!(refused("x.csv", "ts,v\n1700000000,1\n1700000000000,2\n", &["--time", "ts"]), @"pond: x.csv: 'ts' holds seconds since 1970 until line 3, where it is '1700000000000'; correct the line");
}

#[test]
fn csv_numbers_that_are_none() {
    let rows = "time,v\n2024-01-01 00:00,1.5\n2024-01-01 00:10,NaN\n2024-01-01 00:20,-inf\n";
    assert_snapshot!(refused("x.csv", rows, &[]), @"pond: x.csv:3: column 'v': 'NaN' is no finite number; store it as missing with --non-finite null, or as it is with --non-finite keep");
    assert_snapshot!(refused("x.csv", rows.replace("NaN", "0"), &[]), @"pond: x.csv:4: column 'v': '-inf' is no finite number; store it as missing with --non-finite null, or as it is with --non-finite keep");
    assert_snapshot!(refused("x.csv", long_csv("2024-01-02 05:00,nan\n"), &[]), @"pond: x.csv:1502: column 'v': 'NaN' is no finite number; store it as missing with --non-finite null, or as it is with --non-finite keep");
    let kept = |rule: &str| {
        let pond = TestPond::new();
        pond.file("x.csv", rows);
        pond.ok(["import", "x.csv", "/x.series", "--non-finite", rule]);
        pond.ok(["cat", "/x.series", "--format", "csv"])
    };
    assert_snapshot!(kept("null"), @r#"
time,v
2024-01-01T00:00:00Z,1.5
2024-01-01T00:10:00Z,
2024-01-01T00:20:00Z,
"#);
    assert_snapshot!(kept("keep"), @r#"
time,v
2024-01-01T00:00:00Z,1.5
2024-01-01T00:10:00Z,NaN
2024-01-01T00:20:00Z,-inf
"#);
}

#[test]
fn csv_that_is_not_utf8() {
    assert_snapshot!(refused("x.csv", b"time,v\xff\n2024-01-01 00:00,1\n", &[]), @"pond: x.csv:1: the name of column 2 is not UTF-8; convert the file");
    assert_snapshot!(refused("x.csv", b"time,v\n2024-01-01 00:00,ok\n2024-01-01 00:10,\xe9t\xe9\n", &[]), @"pond: x.csv:3: column 'v': '�t�' is not UTF-8; convert the file");
    assert_snapshot!(refused("x.csv", b"time,v\n2024-01-01 00:00,ok\n\xff,ok\n", &[]), @"pond: x.csv: no time column: 'time' holds a date and time without zone until line 3, where it is '�'; correct the line, or name another column with --time");
    assert_snapshot!(refused("x.csv", b"time,v\n2024-01-01 00:00,ok\n\xff,ok\n", &["--time", "time"]), @"pond: x.csv: 'time' holds a date and time without zone until line 3, where it is '�'; correct the line");
}

#[test]
fn parquet_files() {
    let good = parquet(vec![
        ("time", times((0..2000).map(Some).collect())),
        ("v", Arc::new(Float64Array::from_iter_values((0..2000).map(f64::from)))),
    ]);
    assert_snapshot!(refused("x.parquet", &good[..good.len() - 100], &[]), @"pond: x.parquet: it is no valid Parquet file: Parquet error: Invalid Parquet file. Corrupt footer; copy or export it again");
    assert_snapshot!(refused("x.parquet", &good[..10], &[]), @"pond: x.parquet: it is no valid Parquet file: Parquet error: Invalid Parquet file. Corrupt footer; copy or export it again");
    assert_snapshot!(refused("x.parquet", "", &[]), @"pond: x.parquet: it is no valid Parquet file: EOF: Parquet file too small. Size is 0 but need 8; copy or export it again");
    assert_snapshot!(refused("x.parquet", "time,v\n2024-01-01,1\n", &[]), @"pond: x.parquet: it is no valid Parquet file: Parquet error: Invalid Parquet file. Corrupt footer; copy or export it again");
    let mut broken = good.clone();
    broken[4..200].fill(0xff);
    assert_snapshot!(refused("x.parquet", &broken, &[]), @"pond: x.parquet: it is no valid Parquet file: Parquet argument error: Parquet error: Unexpected struct field type 15; copy or export it again");
    let empty = parquet(vec![("time", times(vec![])), ("v", Arc::new(Float64Array::from(vec![0.0; 0])))]);
    assert_snapshot!(refused("x.parquet", &empty, &[]), @"pond: x.parquet: it has no rows; there is nothing to import");
    let missing = parquet(vec![("time", times(vec![Some(1), Some(2), None]))]);
    assert_snapshot!(refused("x.parquet", &missing, &[]), @"pond: x.parquet:3: column 'time': the time is missing; fill it in or remove the row");
    let no_time = parquet(vec![("v", Arc::new(Float64Array::from(vec![1.0])))]);
    assert_snapshot!(refused("x.parquet", &no_time, &[]), @"pond: x.parquet: no column is of a time type (v); name one with --time, or import as a table with --as table");
    assert_snapshot!(refused("x.parquet", &no_time, &["--time", "v"]), @"pond: x.parquet:1: column 'v': it is Float64 and no time; name another column with --time");
}

#[test]
fn parquet_numbers_that_are_none() {
    let file = parquet(vec![
        ("time", times(vec![Some(0), Some(1), Some(2)])),
        ("v", Arc::new(Float64Array::from(vec![1.0, f64::NAN, f64::INFINITY]))),
    ]);
    assert_snapshot!(refused("x.parquet", &file, &[]), @"pond: x.parquet:2: column 'v': 'NaN' is no finite number; store it as missing with --non-finite null, or as it is with --non-finite keep");
    let kept = |rule: &str| {
        let pond = TestPond::new();
        pond.file("x.parquet", &file);
        pond.ok(["import", "x.parquet", "/x.series", "--non-finite", rule]);
        pond.ok(["cat", "/x.series", "--format", "csv"])
    };
    assert_snapshot!(kept("null"), @r#"
time,v
1970-01-01T00:00:00Z,1.0
1970-01-01T00:00:00.000001Z,
1970-01-01T00:00:00.000002Z,
"#);
    assert_snapshot!(kept("keep"), @r#"
time,v
1970-01-01T00:00:00Z,1.0
1970-01-01T00:00:00.000001Z,NaN
1970-01-01T00:00:00.000002Z,inf
"#);
}

#[test]
fn ponds_that_cannot_be_opened() {
    let pond = TestPond::new();
    pond.import("good.csv", GOOD, "/good.series");
    let json = pond.root().join("pond.json");
    let text = std::fs::read_to_string(&json).unwrap();
    std::fs::write(&json, text.replace("\"format\": 1", "\"format\": 99")).unwrap();
    assert_snapshot!(pond.fails(["list"]), @"pond: [TEMP]/pond has pond format 99, and this program reads format 1 at most; use a newer `pond`");
    std::fs::write(&json, "{").unwrap();
    assert_snapshot!(pond.fails(["list"]), @"pond: [TEMP]/pond/pond.json is damaged: EOF while parsing an object at line 1 column 1; restore the file from a copy");
    std::fs::remove_file(&json).unwrap();
    assert_snapshot!(pond.fails(["list"]), @"pond: no pond at [TEMP]/pond; create one with `pond --pond [TEMP]/pond init`");
    assert_snapshot!(pond.fails(["init"]), @"pond: [TEMP]/pond already exists and is not an empty folder; choose another folder for the pond");
    assert_snapshot!(pond.fails(["--pond", "nowhere", "list"]), @"pond: no pond at nowhere; create one with `pond --pond nowhere init`");
    assert_snapshot!(pond.fails_as(pond.command(["list"]).env_remove("POND")), @"pond: which pond? give --pond DIR before the command, or set POND=DIR");
}

#[test]
fn paths_that_do_not_fit() {
    let pond = TestPond::new();
    pond.import("good.csv", GOOD, "/a/good.series");
    assert_snapshot!(pond.fails(["import", "good.csv", "/a/good.series/x.series"]), @"pond: /a/good.series is a series, and a dir is needed; choose another path");
    assert_snapshot!(pond.fails(["import", "good.csv", "good.csv", "/a/good.series"]), @"pond: good.csv: it would become /a/good.series/good.series, as good.csv would; import them one by one");
    assert_snapshot!(pond.fails(["mkdir", "/a/good.series/x"]), @"pond: /a/good.series is a series, and a dir is needed; choose another path");
    assert_snapshot!(pond.fails(["mkdir", "/a/good.series"]), @"pond: /a/good.series is a series, and a dir is needed; choose another path");
    assert_snapshot!(pond.fails(["mkdir", "a"]), @"pond: bad path 'a': paths of the pond begin with /");
    assert_snapshot!(pond.fails(["import", "good.csv", "/a/good.series", "--as", "table"]), @"pond: /a/good.series is a series, and a table is needed; choose another path");
    assert_snapshot!(pond.fails(["import", "good.csv", "/a/../b"]), @"pond: bad path '/a/../b': '..' is no name; write the path in full");
    assert_snapshot!(pond.fails(["link", "/a", "/b"]), @"pond: bad path '/a': it is a dir already; choose another path");
    assert_snapshot!(pond.fails(["cat", "/a"]), @"pond: /a is a dir, and a series is needed; choose another path");
    assert_snapshot!(pond.fails(["cat", "/a/god.series"]), @"pond: /a/god.series does not exist in the pond; did you mean /a/good.series?");
    assert_snapshot!(pond.fails(["describe", "/b"]), @"pond: /b does not exist in the pond; did you mean /a?");
    assert_snapshot!(pond.fails(["list", "/b/*.series"]), @"pond: pattern '/b/*.series' matches nothing; `pond list` shows every path");
    assert_snapshot!(pond.fails(["list", "/a//b"]), @"pond: bad path '/a//b': the pattern has an empty component");
    assert_snapshot!(pond.fails(["export", "-p", "/b/**", "-d", "out"]), @"pond: pattern '/b/**' matches no table or series");
    assert!(files_below(&pond.path("out")).is_empty());
}

#[test]
fn queries_that_are_wrong() {
    let pond = TestPond::new();
    pond.import("good.csv", GOOD, "/good.series");
    let query = |sql: &str| pond.fails(["cat", "/good.series", "--sql", sql]);
    assert_snapshot!(query("SELECT w FROM source"), @r#"
pond: query: Schema error: No field named w.
Valid fields are source.time, source.v.
"#);
    assert_snapshot!(query("SELECT * FROM good"), @"pond: query: Error during planning: relation 'good' is not known; the query may name source");
    assert_snapshot!(query("SELEC 1"), @r#"pond: query: SQL error: ParserError("Expected: an SQL statement, found: SELEC at Line: 1, Column: 1")"#);
    assert_snapshot!(query("INSERT INTO source VALUES ('2024-01-01', 1)"), @"pond: query: Error during planning: DML not supported: Insert Into; only queries are allowed, such as SELECT");
    assert_snapshot!(query("COPY source TO 'stolen.csv'"), @"pond: query: COPY is not supported; only queries are allowed, such as SELECT");
    assert_snapshot!(query("CREATE TABLE t AS SELECT * FROM source"), @"pond: query: Error during planning: DDL not supported: CreateMemoryTable; only queries are allowed, such as SELECT");
    assert_snapshot!(query("CREATE EXTERNAL TABLE t STORED AS CSV LOCATION 'good.csv'"), @"pond: query: Error during planning: DDL not supported: CreateExternalTable; only queries are allowed, such as SELECT");
    assert_snapshot!(query("DROP TABLE source"), @"pond: query: Error during planning: DDL not supported: DropTable; only queries are allowed, such as SELECT");
    assert_snapshot!(query("SET datafusion.execution.batch_size = 1"), @"pond: query: Error during planning: Statement not supported: SetVariable; only queries are allowed, such as SELECT");
    assert_snapshot!(query("SELECT 1; SELECT 2"), @"pond: query: This feature is not implemented: The context currently only supports a single SQL statement");
    assert_snapshot!(query("SELECT 1 / (v - v) FROM source"), @"pond: query: Arrow error: Divide by zero error");
    assert!(!pond.path("stolen.csv").exists());
}

#[test]
fn exports_that_are_refused() {
    let pond = TestPond::new();
    pond.import("good.csv", GOOD, "/good.series");
    pond.import("table.csv", "id,name\n1,a\n", "/names.table");
    let export = |more: &[&str]| {
        let mut arguments = vec!["export", "-p", "/good.series"];
        arguments.extend(more);
        pond.fails(arguments)
    };
    pond.file("mine/notes.txt", "mine");
    assert_snapshot!(export(&["-d", "mine"]), @"pond: [TEMP]/mine: it is neither empty nor an export; choose another folder");
    pond.file("file", "mine");
    assert_snapshot!(export(&["-d", "file"]), @"pond: [TEMP]/file: it is a file, and a folder is needed; choose another name");
    assert_snapshot!(export(&["-d", "file/out"]), @"pond: cannot create the folder [TEMP]/file: File exists (os error 17)");
    pond.ok(["export", "-p", "/good.series", "-d", "out"]);
    assert_snapshot!(pond.fails(["export", "-p", "/**", "-d", "out"]), @"pond: [TEMP]/out: it holds an export of /good.series; choose another folder, or replace it with --replace");
    assert_snapshot!(export(&["-d", "new", "--temporal", "year,mnth"]), @"pond: --temporal: unknown unit 'mnth'; did you mean month? (known: year, month, day, hour)");
    assert_snapshot!(export(&["-d", "new", "--temporal", "month"]), @"pond: --temporal: 'month' skips or repeats a unit; write year, year,month, year,month,day or year,month,day,hour");
    assert_snapshot!(export(&["-d", "new", "--start", "2024-02-01", "--end", "2024-02-01"]), @"pond: --start must be before --end; no row can be between them");
    assert_snapshot!(export(&["-d", "new", "--start", "yesterday"]), @"pond: --start: 'yesterday' is no time; write 2024-07-01 or 2024-07-01T12:00:00Z");
    assert_snapshot!(pond.fails(["export", "-p", "/*", "-d", "new", "--temporal", "year"]), @r#"pond: /names.table: it has no time column, so it cannot be cut by time; leave it out of the pattern, or export it with --temporal """#);
    assert_snapshot!(pond.fails(["export", "-p", "/", "-d", "new"]), @"pond: bad path '/': the pattern is empty; /** matches everything");
    assert!(!pond.path("new").exists());
    assert_eq!(std::fs::read_to_string(pond.path("mine/notes.txt")).unwrap(), "mine");
    assert_eq!(std::fs::read_to_string(pond.path("file")).unwrap(), "mine");
    pond.ok(["export", "-p", "/**", "-d", "out", "--replace"]);
}

#[test]
fn a_closed_pipe_is_no_failure() {
    let pond = TestPond::new();
    pond.import("long.csv", &long_csv(""), "/long.series");
    let many = "SELECT a.v FROM source a CROSS JOIN source b LIMIT 300000";
    for arguments in [
        vec!["cat", "/long.series", "--sql", many, "--format", "csv"],
        vec!["cat", "/long.series", "--sql", many, "--format", "json"],
        vec!["cat", "/long.series", "--sql", many],
        vec!["list"],
        vec!["log"],
        vec!["stats"],
        vec!["describe", "/long.series"],
        vec!["completions", "bash"],
    ] {
        let (reader, writer) = std::io::pipe().unwrap();
        let mut command = pond.command(&arguments);
        let child = command.stdout(writer).stderr(Stdio::piped()).spawn().unwrap();
        drop(command);
        drop(reader);
        let output = child.wait_with_output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && stderr.is_empty(), "{arguments:?}: {} {stderr}", output.status);
    }
}
