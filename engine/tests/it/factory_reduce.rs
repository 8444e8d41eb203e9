//! `temporal-reduce`: buckets, aggregates, paths and columns.

use std::collections::BTreeMap;

use insta::assert_snapshot;

use crate::factory_pond::FactoryPond;
use crate::rows::{Rows, Value};

const X: &str = "time,v,n,note
2024-01-01 00:10,1.0,1,a
2024-01-01 00:50,2.0,2,b
2024-01-01 01:30,4.0,,c
2024-01-01 02:00,8.0,4,d
2024-01-01 03:59,,5,e
2024-01-02 05:00,16.5,6,f
";

fn reduced(resolutions: &str, aggregations: &str) -> FactoryPond {
    let pond = FactoryPond::new();
    pond.csv("/a/x.series", X);
    let config = format!(
        "in_pattern: /a/*.series\nout_pattern: $0\ntime_column: time\nresolutions: {resolutions}\naggregations: {aggregations}\n"
    );
    pond.mknod("temporal-reduce", "/reduced", &config);
    pond
}

#[test]
fn values_are_those_of_their_bucket() {
    let pond = reduced(
        "[1h]",
        "[{type: avg}, {type: min, columns: [v]}, {type: max, columns: [v]}, {type: sum}, {type: count, columns: ['*', v, note]}]",
    );
    assert_snapshot!(pond.all("/reduced/x/res=1h.series"), @r#"
time,v.avg,n.avg,v.min,v.max,v.sum,n.sum,time.count,v.count,note.count
01-01T00:00,1.5,1.5,1.0,2.0,3.0,3,2,2,2
01-01T01:00,4.0,-,4.0,4.0,4.0,-,1,1,1
01-01T02:00,8.0,4.0,8.0,8.0,8.0,4,1,1,1
01-01T03:00,-,5.0,-,-,-,5,1,0,1
01-02T05:00,16.5,6.0,16.5,16.5,16.5,6,1,1,1
"#);
}

#[test]
fn widths_of_several_units_are_not_those_of_one() {
    let pond = reduced("[2h, 6h, 1d, 1h30m]", "[{type: count, columns: ['*']}, {type: avg, columns: [v]}]");
    assert_snapshot!(pond.all("/reduced/x/res=2h.series"), @r#"
time,time.count,v.avg
01-01T00:00,3,2.3333333333333335
01-01T02:00,2,8.0
01-02T04:00,1,16.5
"#);
    assert_snapshot!(pond.all("/reduced/x/res=6h.series"), @r#"
time,time.count,v.avg
01-01T00:00,5,3.75
01-02T00:00,1,16.5
"#);
    assert_snapshot!(pond.all("/reduced/x/res=1d.series"), @r#"
time,time.count,v.avg
01-01T00:00,5,3.75
01-02T00:00,1,16.5
"#);
    assert_snapshot!(pond.all("/reduced/x/res=1h30m.series"), @r#"
time,time.count,v.avg
01-01T00:00,2,1.5
01-01T01:30,2,6.0
01-01T03:00,1,-
01-02T04:30,1,16.5
"#);
}

#[test]
fn buckets_before_1970_begin_before_their_rows() {
    let pond = FactoryPond::new();
    pond.csv("/x.series", "time,v\n1969-12-31 22:59,1\n1969-12-31 23:30,2\n1970-01-01 00:30,4\n");
    let config = r#"{"in_pattern": "/x.series", "out_pattern": "x", "resolutions": ["1h"], "aggregations": [{"type": "sum"}]}"#;
    pond.mknod("temporal-reduce", "/r", config);
    assert_snapshot!(pond.all("/r/x/res=1h.series"), @r#"
time,v.sum
01-01T00:00,4
12-31T22:00,1
12-31T23:00,2
"#);
}

#[test]
fn the_tree_has_a_series_for_each_input_and_resolution() {
    let pond = FactoryPond::new();
    for path in ["/a/one/x.series", "/a/two/x.series", "/a/two/y.series"] {
        pond.csv(path, X);
    }
    let config = "in_pattern: /a/*/*.series\nout_pattern: by-$1/$0\nresolutions: [1d, 1h]\naggregations: [{type: avg}]";
    pond.mknod("temporal-reduce", "/r", config);
    assert_snapshot!(pond.list("/r/**"), @r#"
dir /r
dir /r/by-x
dir /r/by-x/one
series /r/by-x/one/res=1d.series
series /r/by-x/one/res=1h.series
dir /r/by-x/two
series /r/by-x/two/res=1d.series
series /r/by-x/two/res=1h.series
dir /r/by-y
dir /r/by-y/two
series /r/by-y/two/res=1d.series
series /r/by-y/two/res=1h.series
"#);
    // A pattern finds derived nodes as it does stored ones, and their captures.
    assert_snapshot!(pond.list("/r/by-x/*/res=1h.series"), @r#"
series /r/by-x/one/res=1h.series
series /r/by-x/two/res=1h.series
"#);
}

#[test]
fn a_tenth_star_is_not_the_first_with_a_zero() {
    let pond = FactoryPond::new();
    pond.csv("/a-b-c-d-e-f-g-h-i-j-k.series", X);
    let config = "in_pattern: /*-*-*-*-*-*-*-*-*-*-*.series\nout_pattern: $10/$1\nresolutions: [1d]\naggregations: [{type: avg}]";
    pond.mknod("temporal-reduce", "/r", config);
    assert_snapshot!(pond.list("/r/**/*.series"), @"series /r/k/b/res=1d.series");
}

#[test]
fn every_aggregate_of_generated_series_is_that_of_a_plain_computation() {
    let (pond, series) = FactoryPond::generated("tiny");
    let config = "in_pattern: /*/*/*.series\nout_pattern: $0/$1/$2\nresolutions: [30m, 2h, 1d]\n\
                  aggregations: [{type: avg}, {type: min}, {type: max}, {type: count}, {type: sum}]";
    pond.mknod("temporal-reduce", "/reduced", config);
    for one in &series {
        let rows = Rows::generated(one);
        let stem = one.path().strip_suffix(".series").unwrap();
        for (name, width_s) in [("30m", 1800), ("2h", 7200), ("1d", 86_400)] {
            let found = pond.rows(&format!("/reduced{stem}/res={name}.series"));
            compare(&rows, &found, width_s * 1_000_000);
        }
    }
}

/// Checks a reduced series against one computed from its rows.
fn compare(rows: &Rows, found: &Rows, width_us: i64) {
    let numeric: Vec<&String> = rows.columns.iter().filter(|name| *name != "timestamp").collect();
    let mut expected = vec!["timestamp".to_owned()];
    for aggregate in ["avg", "min", "max", "count", "sum"] {
        expected.extend(numeric.iter().map(|name| format!("{name}.{aggregate}")));
    }
    assert_eq!(found.columns, expected);
    let time = rows.index("timestamp");
    let mut buckets: BTreeMap<i64, Vec<&Vec<Value>>> = BTreeMap::new();
    for row in &rows.rows {
        let Value::Int(us) = row[time] else { panic!("a time is never null") };
        buckets.entry(us.div_euclid(width_us) * width_us).or_default().push(row);
    }
    assert_eq!(found.times("timestamp"), buckets.keys().copied().collect::<Vec<_>>());
    for (bucket, row) in buckets.values().zip(&found.rows) {
        for name in &numeric {
            let index = rows.index(name);
            let values: Vec<f64> = bucket.iter().filter_map(|row| plain(&row[index])).collect();
            let sum: f64 = values.iter().sum();
            let some = |value: f64| (!values.is_empty()).then_some(value);
            let expect = [
                ("avg", some(sum / values.len() as f64)),
                ("min", values.iter().copied().reduce(f64::min)),
                ("max", values.iter().copied().reduce(f64::max)),
                ("count", Some(values.len() as f64)),
                ("sum", some(sum)),
            ];
            for (aggregate, expect) in expect {
                let found = plain(&row[found.index(&format!("{name}.{aggregate}"))]);
                let close = match (found, expect) {
                    (Some(found), Some(expect)) => (found - expect).abs() <= expect.abs() * 1e-12,
                    (found, expect) => found == expect,
                };
                assert!(close, "{name}.{aggregate}: {found:?}, expected {expect:?}");
            }
        }
    }
}

fn plain(value: &Value) -> Option<f64> {
    match value {
        Value::Int(value) => Some(*value as f64),
        Value::Float(bits) => Some(f64::from_bits(*bits)),
        _ => None,
    }
}

#[test]
fn wrong_configurations_are_told() {
    let pond = FactoryPond::new();
    pond.csv("/a/x.series", X);
    pond.csv("/b/x.series", X);
    let refused = |config: &str| pond.refused("temporal-reduce", "/r", config);
    let with = |key: &str, value: &str| {
        let mut keys = BTreeMap::from([
            ("in_pattern", "/a/*.series"),
            ("out_pattern", "$0"),
            ("resolutions", "[1h]"),
            ("aggregations", "[{type: avg}]"),
        ]);
        keys.insert(key, value);
        refused(&keys.iter().map(|(key, value)| format!("{key}: {value}\n")).collect::<String>())
    };
    assert_snapshot!(with("in_patern", "/a"), @"the config of /r, line 2: unknown key 'in_patern'; did you mean 'in_pattern'?");
    assert_snapshot!(with("aggregations", "[{type: mean}]"), @"the config of /r, line 1: unknown word 'mean'; did you mean 'min'?");
    assert_snapshot!(with("aggregations", "[{type: avg, column: [v]}]"), @"the config of /r, line 1: unknown key 'column'; did you mean 'columns'?");
    assert_snapshot!(with("aggregations", "[{type: avg, columns: [w*]}]"), @"/r/x/res=1h.series: /a/x.series: no numeric column matches 'w*'; it has v, n, note");
    assert_snapshot!(with("aggregations", "[{type: avg, columns: [note]}]"), @"/r/x/res=1h.series: /a/x.series: there is no avg of column 'note', which is Utf8; leave it out");
    assert_snapshot!(with("aggregations", "[{type: avg}, {type: avg, columns: [v]}]"), @"/r/x/res=1h.series: /a/x.series: two aggregates would be called 'v.avg'; leave one out");
    assert_snapshot!(with("resolutions", "[1h, 60m]"), @"the config of /r: resolutions: '60m' is as long as '1h'; leave one out");
    assert_snapshot!(with("resolutions", "[500ms]"), @"the config of /r: resolutions: '500ms' is shorter than a second, which is the least");
    assert_snapshot!(with("resolutions", "[1 month]"), @"the config of /r: resolutions: '1 month' has no fixed length, because of 'month'; write days, hours, minutes or seconds");
    assert_snapshot!(with("out_pattern", "$1"), @"the config of /r: out_pattern: there is no $1; in_pattern has one star, $0");
    assert_snapshot!(with("in_pattern", "/*/x.series\nout_pattern: x"), @"the config of /r, line 4: the key 'out_pattern' is given twice");
    assert_snapshot!(with("time_column", "when"), @"/r/x/res=1h.series: /a/x.series: it has no time column 'when'; it has time");
    assert_snapshot!(with("in_pattern", "/a//b"), @"the config of /r: in_pattern: bad path '/a//b': the pattern has an empty component");
    assert_snapshot!(refused("in_pattern: /a/*\n"), @"the config of /r, line 1: the key 'out_pattern' is missing");
    assert_snapshot!(refused("- in_pattern"), @"the config of /r: expected mapping start");
    assert_snapshot!(refused("in_pattern: [\n"), @"the config of /r, line 1: expected string scalar");
    let twice = "in_pattern: /*/x.series\nout_pattern: all\nresolutions: [1h]\naggregations: [{type: avg}]";
    assert_snapshot!(refused(twice), @"the config of /r: out_pattern: /a/x.series and /b/x.series would both be reduced to 'all'; name more captures in it");
}
