//! `timeseries-join` and `timeseries-pivot`: rows that meet, and rows that have nobody to meet.

use insta::assert_snapshot;
use proptest::prelude::*;

use crate::factory_pond::FactoryPond;

/// Three series; each has times that the others lack, and `b` has a time twice.
fn three() -> FactoryPond {
    let pond = FactoryPond::new();
    pond.csv("/s/a.series", "time,temp\n2024-01-01 00:00,1\n2024-01-01 01:00,2\n");
    pond.csv("/s/b.series", "time,salt\n2024-01-01 01:00,10\n2024-01-01 02:00,21\n2024-01-01 02:00,20\n");
    pond.csv("/s/c.series", "time,level\n2024-01-01 02:00,100\n2024-01-01 03:00,101\n2024-01-01 00:00,99\n");
    pond
}

#[test]
fn rows_that_the_first_input_lacks_are_not_split() {
    let pond = three();
    let config =
        "inputs: [{pattern: /s/a.series}, {pattern: /s/b.series}, {pattern: /s/c.series}]\ntime_column: time";
    pond.mknod("timeseries-join", "/joined.series", config);
    assert_snapshot!(pond.all("/joined.series"), @r#"
time,temp,salt,level
01-01T00:00,1,-,99
01-01T01:00,2,10,-
01-01T02:00,-,20,100
01-01T02:00,-,21,-
01-01T03:00,-,-,101
"#);
}

#[test]
fn rows_of_one_time_meet_in_the_order_of_their_values() {
    let pond = FactoryPond::new();
    pond.csv("/a.series", "time,x\n2024-01-01,3\n2024-01-01,1\n2024-01-01,2\n");
    pond.csv("/b.series", "time,y\n2024-01-01,20\n2024-01-01,10\n");
    pond.mknod("timeseries-join", "/j.series", "inputs: [{pattern: /a.series}, {pattern: /b.series}]");
    assert_snapshot!(pond.all("/j.series"), @r#"
time,x,y
01-01T00:00,1,10
01-01T00:00,2,20
01-01T00:00,3,-
"#);
}

#[test]
fn scopes_name_columns_apart_and_unite_what_follows() {
    let pond = FactoryPond::new();
    pond.csv("/old.series", "time,temp\n2024-01-01,1\n2024-01-02,2\n2024-01-03,3\n");
    pond.csv("/new.series", "time,temp,ph\n2024-01-02,20,7.5\n2024-01-03,30,7.6\n");
    pond.csv("/deep.series", "time,temp\n2024-01-03,300\n");
    let config = "
inputs:
  - {pattern: /old.series, scope: Surface, range: {end: '2024-01-02T00:00:00Z'}}
  - {pattern: /new.series, scope: Surface, range: {begin: '2024-01-02T00:00:00Z'}}
  - {pattern: /deep.series, scope: Bottom}
time_column: time
";
    pond.mknod("timeseries-join", "/j.series", config);
    // The end is exclusive: no row of the boundary counts twice.
    assert_snapshot!(pond.all("/j.series"), @r#"
time,Surface.temp,Surface.ph,Bottom.temp
01-01T00:00,1,-,-
01-02T00:00,20,7.5,-
01-03T00:00,30,7.6,300
"#);
}

#[test]
fn several_matches_of_an_input_are_united() {
    let pond = FactoryPond::new();
    pond.csv("/d/1.series", "time,v\n2024-01-01,1\n");
    pond.csv("/d/2.series", "time,v,w\n2024-01-02,2.5,9\n");
    pond.csv("/e.series", "time,z\n2024-01-02,7\n");
    pond.mknod("timeseries-join", "/j.series", "inputs: [{pattern: /d/*.series}, {pattern: /e.series}]");
    assert_snapshot!(pond.all("/j.series"), @r#"
time,v,w,z
01-01T00:00,1.0,-,-
01-02T00:00,2.5,9,7
"#);
}

#[test]
fn names_in_quotes_and_of_the_sql_itself_stay_what_they_are() {
    let pond = FactoryPond::new();
    pond.csv("/a.series", "t,k,c0,\"say \"\"hi\"\"\"\n2024-01-01,1,2,3\n");
    pond.csv("/b.series", "t,l,side\n2024-01-01,4,5\n");
    pond.mknod("timeseries-join", "/j.series", "inputs: [{pattern: /a.series}, {pattern: /b.series}]");
    assert_snapshot!(pond.all("/j.series"), @r#"
t,k,c0,say "hi",l,side
01-01T00:00,1,2,3,4,5
"#);
}

#[test]
fn wrong_joins_are_told() {
    let pond = three();
    pond.csv("/t/a.series", "time,temp\n2024-01-01,1\n");
    let refused = |config: &str| pond.refused("timeseries-join", "/j.series", config);
    assert_snapshot!(refused("inputs: [{pattern: /s/a.series}, {pattern: /t/a.series}]"), @"/j.series: /t/a.series: column 'temp' is in /s/a.series too; give one of the inputs a scope");
    assert_snapshot!(refused("inputs: [{pattern: /s/a.series}]"), @"the config of /j.series: inputs: a join needs two at least");
    assert_snapshot!(refused("inputs: [{pattern: /s/a.series}, {pattern: /t/a.series, scpe: X}]"), @"the config of /j.series: unknown key 'scpe'; did you mean 'scope'?");
    assert_snapshot!(refused("inputs: [{pattern: /s/a.series}, {pattern: /s/b.series}]\ntime_column: when"), @"/j.series: /s/a.series: it has no time column 'when'; it has time");
    assert_snapshot!(refused("inputs: [{pattern: /s/a.series}, {pattern: /s/b.series, range: {begin: yesterday}}]"), @"the config of /j.series: inputs, number 2: begin 'yesterday': premature end of input; write it as 2024-01-31T00:00:00Z");
    assert_snapshot!(refused("inputs: [{pattern: /s/a.series}, {pattern: /s/b.series, range: {begin: '2024-01-02T00:00:00Z', end: '2024-01-01T00:00:00Z'}}]"), @"the config of /j.series: inputs, number 2: the range ends before it begins");
}

#[test]
fn a_pivot_has_all_times_and_the_columns_of_each_series() {
    let pond = FactoryPond::new();
    pond.csv("/s/north/a.series", "time,temp,salt\n2024-01-01 00:00,1,5\n2024-01-01 01:00,2,6\n");
    pond.csv("/s/south/b.series", "time,temp,other\n2024-01-01 01:00,10,x\n2024-01-01 02:00,20,y\n");
    pond.mknod(
        "timeseries-pivot",
        "/p.series",
        "{pattern: /s/*/*.series, columns: [salt, temp], time_column: time}",
    );
    assert_snapshot!(pond.all("/p.series"), @r#"
time,north.a.salt,north.a.temp,south.b.salt,south.b.temp
01-01T00:00,5,1,-,-
01-01T01:00,6,2,-,10
01-01T02:00,-,-,-,20
"#);
    // A column that a series lacks has the type of those that have it.
    let node = pond.pond.derived("/p.series").unwrap().unwrap();
    let types: Vec<String> = node.schema.fields().iter().map(|field| field.data_type().to_string()).collect();
    assert_eq!(types, ["Timestamp(µs, \"UTC\")", "Int64", "Int64", "Int64", "Int64"]);
    assert_eq!(node.time_column.as_deref(), Some("time"));
}

#[test]
fn rows_of_one_time_are_not_multiplied_by_a_pivot() {
    let pond = FactoryPond::new();
    pond.csv("/s/a.series", "time,v\n2024-01-01,2\n2024-01-01,1\n");
    pond.csv("/s/b.series", "time,v\n2024-01-01,30\n2024-01-01,10\n2024-01-01,20\n");
    pond.mknod("timeseries-pivot", "/p.series", "{pattern: /s/*.series, columns: [v]}");
    assert_snapshot!(pond.all("/p.series"), @r#"
time,a.v,b.v
01-01T00:00,-,30
01-01T00:00,1,10
01-01T00:00,2,20
"#);
}

#[test]
fn a_range_holds_whatever_is_asked_above_it() {
    let pond = three();
    let config = "inputs:\n- {pattern: /s/b.series, range: {begin: '2024-01-01T02:00:00Z'}}\n- {pattern: /s/a.series, range: {end: '2024-01-01T00:30:00Z'}}";
    pond.mknod("timeseries-join", "/j.series", config);
    assert_snapshot!(pond.all("/j.series"), @r#"
time,salt,temp
01-01T00:00,-,1
01-01T02:00,20,-
01-01T02:00,21,-
"#);
    // Without the time among the columns, with a limit, and with a filter on either side.
    assert_snapshot!(pond.text("/j.series", "SELECT salt FROM source ORDER BY salt"), @r#"
salt
20
21
-
"#);
    assert_snapshot!(pond.text("/j.series", "SELECT count(*) AS n FROM source"), @r#"
n
3
"#);
    assert_snapshot!(pond.text("/j.series", "SELECT salt FROM source WHERE salt IS NOT NULL ORDER BY time, salt LIMIT 1"), @r#"
salt
20
"#);
    assert_snapshot!(pond.text("/j.series", "SELECT temp FROM source WHERE time < TIMESTAMP '2024-01-01T01:00:00Z'"), @r#"
temp
1
"#);
    assert_snapshot!(pond.text("/j.series", "SELECT temp, salt FROM source WHERE salt > 20"), @r#"
temp,salt
-,21
"#);
}

#[test]
fn times_of_other_units_are_brought_together() {
    let pond = three();
    let seconds = "patterns: {a: /s/a.series}\ntime_column: time\nquery: SELECT arrow_cast(time, 'Timestamp(Second, None)') AS time, temp FROM a";
    pond.mknod("sql-derived-series", "/seconds.series", seconds);
    // A table keeps what the query gives.
    let nanos = "patterns: {c: /s/c.series}\ntime_column: time\nquery: SELECT arrow_cast(time, 'Timestamp(Nanosecond, None)') AS time, level FROM c";
    pond.mknod("sql-derived-table", "/nanos.table", nanos);
    pond.mknod(
        "timeseries-join",
        "/j.series",
        "inputs: [{pattern: /seconds.series}, {pattern: /nanos.table}]",
    );
    assert_snapshot!(pond.all("/j.series"), @r#"
time,temp,level
01-01T00:00,1,99
01-01T01:00,2,-
01-01T02:00,-,100
01-01T03:00,-,101
"#);
    let config = "in_pattern: /nanos.table\nout_pattern: n\nresolutions: [2h]\naggregations: [{type: max}]";
    pond.mknod("temporal-reduce", "/r", config);
    assert_snapshot!(pond.all("/r/n/res=2h.series"), @r#"
time,level.max
01-01T00:00,99
01-01T02:00,101
"#);
    let node = pond.pond.derived("/r/n/res=2h.series").unwrap().unwrap();
    assert_eq!(node.schema.field(0).data_type().to_string(), "Timestamp(µs, \"UTC\")");
}

#[test]
fn a_pivot_without_stars_is_named_by_the_file() {
    let pond = three();
    pond.mknod("timeseries-pivot", "/p.series", "{pattern: /s/b.series, columns: [salt]}");
    assert_snapshot!(pond.all("/p.series"), @r#"
time,b.salt
01-01T01:00,10
01-01T02:00,20
01-01T02:00,21
"#);
}

#[test]
fn wrong_pivots_are_told() {
    let pond = three();
    pond.csv("/t/a.series", "time,temp\n2024-01-01,1\n");
    let refused = |config: &str| pond.refused("timeseries-pivot", "/p.series", config);
    assert_snapshot!(refused("{pattern: /s/*.series, columns: [tmp]}"), @"/p.series: /s/a.series: column 'tmp' is in none of the 3 series that match '/s/*.series'; leave it out");
    assert_snapshot!(refused("{pattern: /s/*.series, columns: []}"), @"the config of /p.series: columns: name one at least");
    assert_snapshot!(refused("{pattern: /s/*.series, columns: [temp, temp]}"), @"the config of /p.series: columns: 'temp' is named twice");
    assert_snapshot!(refused("{pattern: /s/*.series, column: [temp]}"), @"the config of /p.series: unknown key 'column'; did you mean 'columns'?");
    assert_snapshot!(refused("{pattern: '/**/a.series', columns: [temp], time_column: temp}"), @"/p.series: /s/a.series: it has no time column 'temp'; it has time");
}

#[test]
fn many_series_side_by_side() {
    let pond = FactoryPond::new();
    let count = 40;
    for number in 0..count {
        // Each series has a time of its own and one that all have.
        let text = format!("time,v\n2024-01-01 00:{number:02},{number}\n2024-01-02 00:00,{}\n", number * 10);
        pond.csv(&format!("/s/{number:02}.series"), &text);
    }
    pond.mknod("timeseries-pivot", "/p.series", "{pattern: /s/*.series, columns: [v]}");
    let rows =
        pond.text("/p.series", "SELECT count(*), count(\"00.v\"), sum(\"39.v\"), max(\"17.v\") FROM source");
    assert_eq!(rows.lines().nth(1), Some("41,2,429,170"));
}

/// A row of a series: a time, and a value that may be missing.
type Row = (i64, Option<i64>);

/// Computes the join plainly: the k-th row of a time meets the k-th rows of that time.
fn joined(inputs: &[Vec<Row>]) -> Vec<String> {
    let mut rows: std::collections::BTreeMap<(i64, usize), Vec<Option<i64>>> = Default::default();
    for (number, input) in inputs.iter().enumerate() {
        let mut sorted = input.clone();
        // Rows of one time are in the order of their values, missing ones last.
        sorted.sort_by_key(|(time, value)| (*time, value.is_none(), *value));
        let mut place = 0;
        for (at, (time, value)) in sorted.iter().enumerate() {
            place = if at > 0 && sorted[at - 1].0 == *time { place + 1 } else { 0 };
            rows.entry((*time, place)).or_insert_with(|| vec![None; inputs.len()])[number] = *value;
        }
    }
    let text = |value: &Option<i64>| value.map_or_else(|| "-".to_owned(), |value| value.to_string());
    let lines = rows.iter().map(|((time, _), values)| {
        let values: Vec<String> = values.iter().map(text).collect();
        format!("01-01T00:{time:02},{}", values.join(","))
    });
    let mut lines: Vec<String> = lines.collect();
    lines.sort();
    lines
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn joins_are_those_of_a_plain_computation(
        inputs in prop::collection::vec(
            prop::collection::vec((0i64..6, prop::option::weighted(0.8, 0i64..4)), 1..9),
            2..5,
        ),
    ) {
        let pond = FactoryPond::new();
        let mut config = "inputs:\n".to_owned();
        for (number, rows) in inputs.iter().enumerate() {
            // A first row with a value, so that the column is one of whole numbers.
            let mut text = format!("time,v{number},w\n2024-01-02 00:00,0,0\n");
            for (time, value) in rows {
                let value = value.map_or_else(String::new, |value| value.to_string());
                text.push_str(&format!("2024-01-01 00:{time:02},{value},1\n"));
            }
            pond.csv(&format!("/s{number}.series"), &text);
            config.push_str(&format!("- {{pattern: /s{number}.series, scope: s{number}, range: {{end: '2024-01-02T00:00:00Z'}}}}\n"));
        }
        pond.mknod("timeseries-join", "/j.series", &config);
        let columns: Vec<String> = (0..inputs.len()).map(|number| format!("\"s{number}.v{number}\"")).collect();
        let found = pond.text("/j.series", &format!("SELECT time, {} FROM source", columns.join(", ")));
        let mut found: Vec<String> = found.lines().skip(1).map(str::to_owned).collect();
        found.sort();
        prop_assert_eq!(found, joined(&inputs));
    }
}
