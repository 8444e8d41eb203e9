//! `sql-derived-table`, `sql-derived-series` and `column-rename`.

use insta::assert_snapshot;

use crate::factory_pond::FactoryPond;
use crate::rows::{Rows, Value};

fn two() -> FactoryPond {
    let pond = FactoryPond::new();
    pond.csv("/d/a.series", "time,v,note\n2024-01-01,1,x\n2024-01-02,2,y\n");
    pond.csv("/d/b.series", "time,w,v\n2024-01-01,10,1.5\n2024-01-03,30,\n");
    pond
}

#[test]
fn matches_are_united_by_name_with_all_columns() {
    let pond = two();
    // The second series has another order of columns, a column more and one less, and floats.
    pond.mknod("sql-derived-series", "/all.series", "patterns: {all: /d/*.series}");
    assert_snapshot!(pond.text("/all.series", "SELECT * FROM source ORDER BY time, v"), @r#"
time,v,note,w
01-01T00:00,1.0,x,-
01-01T00:00,1.5,-,10
01-02T00:00,2.0,y,-
01-03T00:00,-,-,30
"#);
    let node = pond.pond.derived("/all.series").unwrap().unwrap();
    let columns: Vec<String> =
        node.schema.fields().iter().map(|f| format!("{} {}", f.name(), f.data_type())).collect();
    assert_eq!(columns, ["time Timestamp(µs, \"UTC\")", "v Float64", "note Utf8", "w Int64"]);
    assert_eq!(node.inputs, ["/d/a.series", "/d/b.series"]);
    assert_eq!(node.time_column.as_deref(), Some("time"));
}

#[test]
fn a_union_of_generated_series_has_every_row_of_each() {
    let (pond, series) = FactoryPond::generated("tiny");
    pond.mknod("sql-derived-series", "/all.series", "patterns: {all: '/*/**/*.series'}");
    let mut expect = Rows::default();
    for one in &series {
        // All columns of a series come before those of the next.
        let rows = Rows::generated(one);
        for name in &rows.columns {
            if !expect.columns.contains(name) {
                expect.columns.push(name.clone());
                expect.rows.iter_mut().for_each(|row| row.push(Value::Null));
            }
        }
        let own = |name: &String| rows.columns.iter().position(|other| other == name);
        let places: Vec<Option<usize>> = expect.columns.iter().map(own).collect();
        let row = |row: &Vec<Value>| {
            places.iter().map(|place| place.map_or(Value::Null, |at| row[at].clone())).collect()
        };
        expect.rows.extend(rows.rows.iter().map(row));
    }
    let mut found = pond.rows("/all.series");
    assert_eq!(found.columns, expect.columns);
    found.rows.sort();
    expect.rows.sort();
    assert_eq!(found.rows, expect.rows);
}

#[test]
fn columns_come_in_one_order_however_they_are_asked() {
    let pond = two();
    pond.mknod("sql-derived-series", "/all.series", "patterns: {all: /d/*.series}");
    let header = |path: &str| pond.all(path).lines().next().unwrap().to_owned();
    for _ in 0..5 {
        assert_eq!(header("/all.series"), "time,v,note,w");
    }
}

#[test]
fn columns_of_later_versions_are_there() {
    let pond = two();
    pond.mknod("sql-derived-series", "/all.series", "patterns: {all: /d/*.series}");
    pond.csv("/d/a.series", "time,v,late\n2024-01-05,5,50\n");
    let sql = "SELECT time, v, late FROM source WHERE late IS NOT NULL";
    assert_snapshot!(pond.text("/all.series", sql), @r#"
time,v,late
01-05T00:00,5.0,50
"#);
}

#[test]
fn relations_are_found_on_the_syntax_tree() {
    let pond = two();
    let config = r#"
patterns:
  a: /d/a.series
  b: /d/b.series
query: |
  WITH b2 AS (SELECT time, w AS a FROM b)
  SELECT time, a.v AS b, b2.a, 'from a join b' AS "a text", note AS "FROM b"
  FROM a LEFT JOIN b2 USING (time)
  ORDER BY time
"#;
    pond.mknod("sql-derived-series", "/j.series", config);
    assert_snapshot!(pond.all("/j.series"), @r#"
time,b,a,a text,FROM b
01-01T00:00,1,10,from a join b,x
01-02T00:00,2,-,from a join b,y
"#);
    // A common table expression that is called as a pattern is itself, not the pattern.
    let config = r#"{"patterns": {"a": "/d/a.series"}, "query": "WITH a AS (SELECT time, v + 100 AS v FROM a) SELECT * FROM a ORDER BY time"}"#;
    pond.mknod("sql-derived-table", "/cte.table", config);
    assert_snapshot!(pond.all("/cte.table"), @r#"
time,v
01-01T00:00,101
01-02T00:00,102
"#);
}

#[test]
fn captures_become_columns_where_they_are_named() {
    let pond = two();
    let config = "patterns: {all: '/*/*.series'}\ncaptures: {all: [folder, device]}\n\
                  query: SELECT device, count(*) AS n, sum(v) AS v FROM \"all\" GROUP BY device ORDER BY device";
    pond.mknod("sql-derived-table", "/n.table", config);
    assert_snapshot!(pond.all("/n.table"), @r#"
device,n,v
a,2,3.0
b,2,1.5
"#);
    let node = pond.pond.derived("/n.table").unwrap().unwrap();
    assert_eq!(node.time_column, None);
}

#[test]
fn stored_series_are_united_by_one_scan() {
    let pond = two();
    pond.mknod(
        "sql-derived-series",
        "/all.series",
        "patterns: {all: /d/*.series}\ncaptures: {all: [device]}",
    );
    let analysis = pond.analysis("/all.series", "SELECT device, sum(v) AS v FROM source GROUP BY device");
    let scans: Vec<&engine::Scan> = analysis.operators.iter().filter_map(|one| one.scan.as_ref()).collect();
    let [scan] = scans[..] else { panic!("one scan is expected: {scans:?}") };
    assert_eq!(scan.path.as_deref(), Some("/d/a.series and 1 more"));
    assert_eq!((scan.files, scan.files_pruned), (2, 0));
}

#[test]
fn a_filter_on_captures_leaves_out_what_it_can() {
    let pond = two();
    pond.csv("/e/c.series", "time,v\n2024-01-01,7\n");
    let config = "patterns: {all: '/*/*.series'}\ncaptures: {all: [folder, device]}";
    pond.mknod("sql-derived-series", "/all.series", config);
    let check = |filter: &str, files_pruned: u64, rows: &str| {
        let sql = format!("SELECT folder, device, v FROM source WHERE {filter} ORDER BY 1, 2, 3");
        let analysis = pond.analysis("/all.series", &sql);
        let pruned: u64 =
            analysis.operators.iter().filter_map(|one| Some(one.scan.as_ref()?.files_pruned)).sum();
        assert_eq!(pruned, files_pruned, "{filter}");
        assert_eq!(pond.text("/all.series", &sql), format!("folder,device,v{rows}"), "{filter}");
    };
    check("device = 'c'", 2, "\ne,c,7.0");
    check("folder = 'd' AND v > 1.6", 1, "\nd,a,2.0");
    check("device || folder = 'bd' AND time < '2024-01-02'", 2, "\nd,b,1.5");
    check("device IN ('a', 'c') AND time >= '2024-01-02'", 2, "\nd,a,2.0");
    check("device = 'a' OR v = 7", 0, "\nd,a,1.0\nd,a,2.0\ne,c,7.0");
    check("device = folder", 3, "");
}

#[test]
fn many_series_come_in_order_where_it_counts() {
    let pond = FactoryPond::new();
    // More streams than are merged: each has its own hours, and all overlap.
    for series in 0..70 {
        let rows: String =
            (0..4).map(|hour| format!("2024-01-01T0{hour}:{:02}:00,{series}\n", series % 60)).collect();
        pond.csv(&format!("/m/{series:02}.series"), &format!("time,v\n{rows}"));
    }
    pond.mknod("sql-derived-series", "/all.series", "patterns: {all: /m/*.series}");
    let value = |sql: &str| pond.text("/all.series", sql).lines().nth(1).unwrap().to_owned();
    assert_eq!(value("SELECT count(*) AS n, sum(v) AS v FROM source"), "280,9660");
    assert_eq!(value("SELECT first_value(v ORDER BY time, v) AS v FROM source"), "0");
    assert_eq!(value("SELECT last_value(v ORDER BY time, v) AS v FROM source"), "59");
    let times = pond.text("/all.series", "SELECT time FROM source ORDER BY time");
    assert_eq!(times.lines().count(), 281);
    assert!(times.lines().skip(1).is_sorted());
    let lagging = "SELECT count(*) AS n FROM (SELECT time, lag(time) OVER (ORDER BY time) AS before FROM source) \
                   WHERE before > time";
    assert_eq!(value(lagging), "0");
    let analysis = pond.analysis("/all.series", "SELECT count(v) AS n FROM source");
    let groups: Vec<u64> =
        analysis.operators.iter().filter_map(|one| Some(one.scan.as_ref()?.groups)).collect();
    assert!(groups.iter().all(|groups| *groups < 64), "{groups:?}");
    let sorted = pond.analysis("/all.series", "SELECT time, v FROM source ORDER BY time");
    assert!(sorted.operators.iter().any(|one| one.name == "SortExec"));
}

#[test]
fn a_pattern_that_matches_nothing_is_an_error_and_not_an_empty_table() {
    let pond = two();
    pond.mknod("sql-derived-series", "/later.series", "patterns: {x: /later/*.series}");
    assert_snapshot!(pond.unreadable("/later.series"), @"/later.series: its pattern '/later/*.series' matches no table or series; import some, or give it another configuration with `pond mknod`");
    pond.csv("/later/x.series", "time,v\n2024-01-01,1\n");
    assert_snapshot!(pond.all("/later.series"), @r#"
time,v
01-01T00:00,1
"#);
}

#[test]
fn the_time_column_is_found_or_named() {
    let pond = two();
    let time = |query: &str, more: &str| {
        let config = format!("patterns: {{a: /d/a.series, b: /d/b.series}}\nquery: {query}\n{more}");
        pond.mknod("sql-derived-series", "/t.series", &config);
        let node = pond.pond.derived("/t.series").unwrap().unwrap();
        let found = node.time_column.clone();
        let data_type =
            found.as_ref().map(|time| node.schema.field_with_name(time).unwrap().data_type().to_string());
        format!("{found:?} {data_type:?}")
    };
    assert_snapshot!(time("SELECT * FROM a", ""), @r#"Some("time") Some("Timestamp(µs, \"UTC\")")"#);
    assert_snapshot!(time("SELECT time AS timestamp, v FROM a", ""), @r#"Some("timestamp") Some("Timestamp(µs, \"UTC\")")"#);
    assert_snapshot!(time("SELECT v FROM a", ""), @"None None");
    assert_snapshot!(time("SELECT date_trunc('day', time) AS day, sum(v) AS v FROM a GROUP BY 1", "time_column: day"), @r#"Some("day") Some("Timestamp(µs, \"UTC\")")"#);
    assert_snapshot!(time("SELECT to_timestamp(v) AS day FROM a", "time_column: day"), @r#"Some("day") Some("Timestamp(µs, \"UTC\")")"#);
}

#[test]
fn wrong_queries_are_told() {
    let pond = two();
    let refused = |config: &str| pond.refused("sql-derived-series", "/x.series", config);
    let query =
        |query: &str| refused(&format!("patterns: {{a: /d/a.series, b: /d/b.series}}\nquery: {query}"));
    assert_snapshot!(query("SELECT * FROM c"), @"the config of /x.series: query: relation 'c' is no pattern; did you mean 'a'?");
    assert_snapshot!(query("SELECT x FROM a"), @"/x.series: Schema error: No field named x. Valid fields are a.time, a.v, a.note.");
    assert_snapshot!(query("SELEC x FROM a"), @r#"the config of /x.series: query: SQL error: ParserError("Expected: an SQL statement, found: SELEC at Line: 1, Column: 1")"#);
    assert_snapshot!(query("DROP TABLE a"), @"the config of /x.series: query: only queries are allowed, such as SELECT");
    assert_snapshot!(query("SELECT * FROM a; SELECT * FROM b"), @"the config of /x.series: query: This feature is not implemented: The context currently only supports a single SQL statement");
    assert_snapshot!(query("SELECT a.v, b.v FROM a JOIN b USING (time)"), @"/x.series: two columns are called 'v'; name them apart with AS, or leave one out");
    assert_snapshot!(query("SELECT time, v FROM a WHERE time < now()"), @"/x.series: the answer of now() changes from one reading to the next; leave it out, for the rows of a derived node follow from its inputs alone");
    assert_snapshot!(query("SELECT v FROM a WHERE v IN (SELECT v + random() FROM b)"), @"/x.series: the answer of random() changes from one reading to the next; leave it out, for the rows of a derived node follow from its inputs alone");
    assert_snapshot!(query("SELECT v FROM a\ntime_column: tme"), @"/x.series: time_column: the query has no time 'tme'; known: v");
    assert_snapshot!(refused("patterns: {a: /d/a.series, b: /d/b.series}"), @"the config of /x.series: several patterns need a query that combines them");
    assert_snapshot!(refused("patterns: {}"), @"the config of /x.series: patterns: give at least one, as name: pattern");
    assert_snapshot!(refused("pattern: /d/a.series"), @"the config of /x.series: unknown key 'pattern'; did you mean 'patterns'?");
    assert_snapshot!(refused("patterns: {a: /d/*.series}\ncaptures: {a: [x, y]}"), @"the config of /x.series: captures: pattern 'a' has 1 captures, and 2 columns are named; name one for each star");
    assert_snapshot!(refused("patterns: {a: /d/*.series}\ncaptures: {a: [time]}"), @"/x.series: /d/a.series: 'time' is a column already; name the capture otherwise");
    assert_snapshot!(refused("patterns: {a: /d/*.series}\ncaptures: {b: [x]}"), @"the config of /x.series: captures: there is no pattern 'b'; did you mean 'a'?");
    assert_snapshot!(pond.refused("sql-derived", "/x.series", ""), @"the config of /x.series: there is no factory 'sql-derived'; known: column-rename, dynamic-dir, sql-derived-series, sql-derived-table, temporal-reduce, timeseries-join, timeseries-pivot");
    pond.csv("/e/a.series", "time,v\n2024-01-01,text\n");
    assert_snapshot!(refused("patterns: {a: /*/a.series}"), @"/x.series: /e/a.series: column 'v' is Utf8, and in /d/a.series it is Int64; match them with different patterns, or cast it first");
}

#[test]
fn columns_are_renamed_by_the_first_rule_that_fits() {
    let pond = FactoryPond::new();
    pond.csv("/x.series", "time,Temp (C),salt_psu,depth_m,n\n2024-01-01,1.5,30,2.5,7\n");
    let config = r#"
in_pattern: /x.series
rules:
  - {type: direct, from: "Temp (C)", to: temperature}
  - {type: direct, from: n, to: count, cast: Float64}
  - {type: pattern, pattern: '^(\w+)_(psu|m)$', replacement: '${2}_$1'}
  - {type: direct, from: time, to: timestamp}
"#;
    pond.mknod("column-rename", "/y.series", config);
    assert_snapshot!(pond.all("/y.series"), @r#"
timestamp,temperature,psu_salt,m_depth,count
01-01T00:00,1.5,30,2.5,7.0
"#);
    let node = pond.pond.derived("/y.series").unwrap().unwrap();
    assert_eq!(node.time_column.as_deref(), Some("timestamp"));
    assert_eq!(node.schema.field(4).data_type().to_string(), "Float64");
    let sql_type = r#"{"pattern": "/x.series", "rules": [{"type": "direct", "from": "depth_m", "to": "depth_m", "cast": "varchar"}]}"#;
    pond.mknod("column-rename", "/z.series", sql_type);
    assert_snapshot!(pond.all("/z.series"), @r#"
time,Temp (C),salt_psu,depth_m,n
01-01T00:00,1.5,30,2.5,7
"#);
}

#[test]
fn wrong_rules_are_told() {
    let pond = two();
    let refused = |rules: &str| {
        pond.refused("column-rename", "/x.series", &format!("in_pattern: /d/a.series\nrules: {rules}"))
    };
    assert_snapshot!(refused("[{type: direct, from: nte, to: x}]"), @"/x.series: /d/a.series: there is no column 'nte'; did you mean 'note'?");
    assert_snapshot!(refused("[{type: direct, from: note, to: v}]"), @"/x.series: columns 'v' and 'note' would both be called 'v'; rename one of them otherwise");
    assert_snapshot!(refused("[{type: direct, from: note, to: x, cast: Flaot64}]"), @"the config of /x.series: cast: 'Flaot64' is no type; write one of Arrow, such as Float64, or of SQL, such as DOUBLE");
    assert_snapshot!(refused("[{type: direct, from: note, to: x, cast: 'INT) AS a, (SELECT 1'}]"), @"the config of /x.series: cast: 'INT) AS a, (SELECT 1' is no type; write one of Arrow, such as Float64, or of SQL, such as DOUBLE");
    assert_snapshot!(refused("[{type: direct, from: note}]"), @"the config of /x.series: rules, number 1: a direct rule has the keys from, to and, if need be, cast");
    assert_snapshot!(refused("[{type: pattern, pattern: '(', replacement: x}]"), @"the config of /x.series: rules, number 1: the pattern is no regular expression: unclosed group");
    assert_snapshot!(refused("[{type: pattern, pattern: '^(n)', replacement: '$1_a'}]"), @"the config of /x.series: rules, number 1: the replacement names the group '1_a', which the pattern has not; write ${1} to end a name, and $$ for the sign");
    assert_snapshot!(refused("[{type: pattern, pattern: '.*', replacement: x}]"), @"/x.series: columns 'time' and 'v' would both be called 'x'; rename one of them otherwise");
    assert_snapshot!(refused("[]"), @"the config of /x.series: rules: give one at least");
    assert_snapshot!(pond.refused("column-rename", "/x.series", "in_pattern: /d/*.series\nrules: [{type: direct, from: v, to: x}]"), @"/x.series: in_pattern '/d/*.series' matches 2 nodes, and one is needed, for /d/a.series and /d/b.series may have other columns");
}
