//! CSV files with known content: what they become in the pond.

use insta::assert_snapshot;

use crate::pond_command::TestPond;

/// Imports a CSV file with options; returns the rows as CSV.
fn imported(content: impl AsRef<[u8]>, options: &[&str]) -> String {
    let pond = TestPond::new();
    pond.file("x.csv", content);
    let mut arguments = vec!["import", "x.csv", "/x.series"];
    arguments.extend(options);
    pond.ok(arguments);
    pond.ok(["cat", "/x.series", "--format", "csv"])
}

/// Imports a single time; returns it as it is stored.
fn time(text: &str, options: &[&str]) -> String {
    let rows = imported(format!("time,v\n\"{text}\",1\n"), options);
    let row = rows.lines().nth(1).unwrap();
    row.strip_suffix(",1").unwrap().to_owned()
}

/// Tries to import a single time; returns the message.
fn time_refused(text: &str, options: &[&str]) -> String {
    let pond = TestPond::new();
    pond.file("x.csv", format!("time,v\n{text},1\n"));
    let mut arguments = vec!["import", "x.csv", "/x.series"];
    arguments.extend(options);
    pond.fails(arguments)
}

#[test]
fn times_in_every_notation() {
    let check = |text: &str, expect: &str| assert_eq!(time(text, &[]), expect, "{text}");
    check("2016-02-15T00:30:00Z", "2016-02-15T00:30:00Z");
    check("2016-02-15T00:30:00+02:00", "2016-02-14T22:30:00Z");
    check("2016-02-15T00:30:00-0530", "2016-02-15T06:00:00Z");
    check("2016-02-15 00:30:00.125+01", "2016-02-14T23:30:00.125Z");
    check("2016-02-15 00:30:00 UTC", "2016-02-15T00:30:00Z");
    check("2016-02-15 00:30", "2016-02-15T00:30:00Z");
    check("2016-02-15 00:30:59", "2016-02-15T00:30:59Z");
    check("2016-02-15 00:30:59.000001", "2016-02-15T00:30:59.000001Z");
    check("2016-02-15T00:30:59,5", "2016-02-15T00:30:59.500Z");
    check("2016/02/15 00:30", "2016-02-15T00:30:00Z");
    check("2016-02-29", "2016-02-29T00:00:00Z");
    check("1969-07-20 20:17", "1969-07-20T20:17:00Z");
    check("1700000000", "2023-11-14T22:13:20Z");
    check("1700000000123", "2023-11-14T22:13:20.123Z");
    check("1700000000123456", "2023-11-14T22:13:20.123456Z");
    check("1700000000123456000", "2023-11-14T22:13:20.123456Z");
    check("-3600", "1969-12-31T23:00:00Z");
}

#[test]
fn times_with_a_format() {
    let check = |text: &str, options: &[&str], expect: &str| {
        let mut all = vec!["--time", "time", "--time-format"];
        all.extend(options);
        assert_eq!(time(text, &all), expect, "{text}");
    };
    check("15.02.2016 00:30", &["%d.%m.%Y %H:%M"], "2016-02-15T00:30:00Z");
    check("02/15/16 12:30:01 PM", &["%m/%d/%y %I:%M:%S %p"], "2016-02-15T12:30:01Z");
    check("20160215", &["%Y%m%d"], "2016-02-15T00:00:00Z");
    check("15 Feb 2016 00:30 +0100", &["%d %b %Y %H:%M %z"], "2016-02-14T23:30:00Z");
    check("15.02.2016 00:30", &["%d.%m.%Y %H:%M", "--zone", "Europe/Berlin"], "2016-02-14T23:30:00Z");
    assert_snapshot!(time_refused("15.13.2016", &["--time", "time", "--time-format", "%d.%m.%Y"]), @"pond: x.csv:2: column 'time': '15.13.2016' does not fit the format '%d.%m.%Y'; correct it, or --time-format");
}

#[test]
fn times_in_a_zone() {
    let new_york = ["--zone", "America/New_York"];
    assert_eq!(time("2013-07-01 00:00", &new_york), "2013-07-01T04:00:00Z");
    assert_eq!(time("2013-01-01 00:00", &new_york), "2013-01-01T05:00:00Z");
    assert_eq!(time("2013-07-01T00:00Z", &new_york), "2013-07-01T00:00:00Z");
    assert_eq!(time("2013-07-01", &new_york), "2013-07-01T04:00:00Z");
    assert_snapshot!(time_refused("2013-03-10 02:30", &new_york), @"pond: x.csv:2: column 'time': '2013-03-10 02:30': the clocks of America/New_York never showed it; is --zone right?");
    assert_snapshot!(time_refused("2013-11-03 01:30", &new_york), @"pond: x.csv:2: column 'time': '2013-11-03 01:30': the clocks of America/New_York showed it twice; choose with --ambiguous earliest or latest");
    let with = |choice| ["--zone", "America/New_York", "--ambiguous", choice];
    assert_eq!(time("2013-11-03 01:30", &with("earliest")), "2013-11-03T05:30:00Z");
    assert_eq!(time("2013-11-03 01:30", &with("latest")), "2013-11-03T06:30:00Z");
}

#[test]
fn times_finer_than_a_microsecond() {
    assert_snapshot!(time_refused("2016-02-15 00:30:00.1234567", &[]), @"pond: x.csv:2: column 'time': '2016-02-15 00:30:00.1234567' is finer than a microsecond; cut it off with --truncate-time");
    assert_snapshot!(time_refused("1700000000123456789", &[]), @"pond: x.csv:2: column 'time': 1700000000123456789 ns is finer than a microsecond; cut it off with --truncate-time");
    assert_eq!(time("2016-02-15 00:30:00.1234567", &["--truncate-time"]), "2016-02-15T00:30:00.123456Z");
    assert_eq!(time("1700000000123456789", &["--truncate-time"]), "2023-11-14T22:13:20.123456Z");
    assert_eq!(time("2016-02-15 00:30:00.120000000", &[]), "2016-02-15T00:30:00.120Z");
}

#[test]
fn fields_in_every_notation() {
    let expect = imported("time,a,b\n2024-01-01,1,x\n2024-01-02,2,y\n", &[]);
    let check = |content: &str, options: &[&str]| assert_eq!(imported(content, options), expect, "{content}");
    check("time;a;b\n2024-01-01;1;x\n2024-01-02;2;y\n", &["--delimiter", ";"]);
    check("time\ta\tb\n2024-01-01\t1\tx\n2024-01-02\t2\ty\n", &["--delimiter", "\\t"]);
    check("time|a|b\n2024-01-01|1|x\n2024-01-02|2|y\n", &["--delimiter", "|"]);
    check("\u{feff}time,a,b\n2024-01-01,1,x\n2024-01-02,2,y\n", &[]);
    check("\u{feff}\"time\",\"a\",\"b\"\r\n2024-01-01,1,x\r\n2024-01-02,2,y\r\n", &[]);
    check("time,a,b\n\"2024-01-01\",\"1\",\"x\"\n2024-01-02,2,y", &[]);
    check("time,a,b\n\n2024-01-01,1,x\n\n2024-01-02,2,y\n\n", &[]);
}

#[test]
fn quoted_fields_are_kept_as_they_are() {
    let rows =
        "time,v\n2024-01-01,\"two\nlines, \"\"quoted\"\"\"\n2024-01-02,\" blanks \"\n2024-01-03,\"\"\n";
    assert_snapshot!(imported(rows, &[]), @r#"
time,v
2024-01-01T00:00:00Z,"two
lines, ""quoted"""
2024-01-02T00:00:00Z, blanks 
2024-01-03T00:00:00Z,
"#);
    // The line of an error counts lines of the file, not rows.
    let pond = TestPond::new();
    pond.file("x.csv", "time,v\n2024-01-01,\"two\n\nlines\"\n\n2024-01-02,\"x\"\nsoon,y\n");
    assert_snapshot!(pond.fails(["import", "x.csv", "/x.series", "--time", "time"]), @"pond: x.csv: 'time' holds a date until line 7, where it is 'soon'; correct the line");
    pond.file("x.csv", "\u{feff}time,v\r\n2024-01-01,\"two\r\nlines\"\r\n\r\n2024-01-02,\"x\"\r\nsoon,y\r\n");
    assert_snapshot!(pond.fails(["import", "x.csv", "/x.series", "--time", "time"]), @"pond: x.csv: 'time' holds a date until line 6, where it is 'soon'; correct the line");
}

/// A column of 1,200 values and a last one, with its type in the pond and the last value.
fn last_value(value: &str, last: &str) -> (String, String) {
    let mut text = "time,v\n".to_owned();
    for row in 0..1200 {
        text += &format!("{},{value}\n", 1_700_000_000 + row);
    }
    text += &format!("1800000000,{last}\n");
    let pond = TestPond::new();
    pond.import("x.csv", &text, "/x.series");
    let described = pond.ok(["describe", "/x.series"]);
    let column = described.lines().find(|line| line.starts_with("v ")).unwrap();
    let rows = pond.ok(["cat", "/x.series", "--format", "csv"]);
    assert_eq!(rows.lines().count(), 1202);
    let last = rows.lines().last().unwrap().split_once(',').unwrap().1.to_owned();
    (column.split_whitespace().nth(1).unwrap().to_owned(), last)
}

#[test]
fn the_last_row_of_a_long_file_decides_the_type() {
    let check = |value: &str, last: &str, data_type: &str, expect: &str| {
        assert_eq!(last_value(value, last), (data_type.to_owned(), expect.to_owned()), "{value} then {last}");
    };
    check("7", "8", "Int64", "8");
    check("7", "8.5", "Float64", "8.5");
    check("7", "many", "Utf8", "many");
    check("7.5", "many", "Utf8", "many");
    check("true", "FALSE", "Boolean", "false");
    check("true", "2", "Utf8", "2");
    check("7", "007", "Utf8", "007");
    check("7", "99999999999999999999", "Utf8", "99999999999999999999");
    check("7", "9223372036854775807", "Int64", "9223372036854775807");
    check("", "x", "Utf8", "x");
    check("NA", "x", "Utf8", "x");
    check("NA", "3", "Int64", "3");
    check("NA", "NA", "Float64", "");
    check("7", "", "Int64", "");
    check("7", "NA", "Int64", "");
    check("2024-01-01 00:00", "x", "Utf8", "x");
}

#[test]
fn missing_values() {
    assert_snapshot!(imported("time,n,t,b\n2024-01-01,,,\n2024-01-02,NA,NA,NA\n2024-01-03,1,x,true\n", &[]), @r#"
time,n,t,b
2024-01-01T00:00:00Z,,,
2024-01-02T00:00:00Z,,NA,
2024-01-03T00:00:00Z,1,x,true
"#);
    assert_snapshot!(imported("time,n\n2024-01-01,-999\n2024-01-02,NA\n2024-01-03,1\n", &["--null", "-999", "--null", "NA"]), @r#"
time,n
2024-01-01T00:00:00Z,
2024-01-02T00:00:00Z,
2024-01-03T00:00:00Z,1
"#);
}

#[test]
fn unsorted_rows_are_sorted_and_equal_times_keep_their_order() {
    assert_snapshot!(imported("time,v\n2024-01-03,a\n2024-01-01,b\n2024-01-03,c\n2024-01-02,d\n2024-01-01,e\n", &[]), @r#"
time,v
2024-01-01T00:00:00Z,b
2024-01-01T00:00:00Z,e
2024-01-02T00:00:00Z,d
2024-01-03T00:00:00Z,a
2024-01-03T00:00:00Z,c
"#);
}

#[test]
fn whole_numbers_are_never_rounded() {
    // A column of whole numbers and fractions is floats, unless a number would lose digits.
    let content = "time,v\n2024-01-01,9007199254740993\n2024-01-02,0.5\n";
    assert_snapshot!(imported(content, &[]), @r#"
time,v
2024-01-01T00:00:00Z,9007199254740993
2024-01-02T00:00:00Z,0.5
"#);
}

#[test]
fn counts_and_durations_are_no_times() {
    // A column of times as text wins over numbers whose name looks like a time.
    let content = "when,uptime,updates\n2024-01-01 00:00,5,1\n2024-01-01 00:10,6,2\n";
    assert_snapshot!(imported(content, &[]), @r#"
when,uptime,updates
2024-01-01T00:00:00Z,5,1
2024-01-01T00:10:00Z,6,2
"#);
    // Named by the user, any whole numbers are times.
    assert_eq!(imported("x,v\n1700000000,1\n", &["--time", "x"]), "x,v\n2023-11-14T22:13:20Z,1\n");
}
