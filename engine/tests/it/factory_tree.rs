//! Derived nodes in the tree: order, circles, nesting, chains, versions.

use insta::assert_snapshot;

use crate::factory_pond::FactoryPond;
use crate::pond_command::TestPond;

const HOURLY: &str = "resolutions: [1h]\naggregations: [{type: avg}, {type: count, columns: ['*']}]\n";

fn reduce(input: &str, out: &str) -> String {
    format!("in_pattern: '{input}'\nout_pattern: {out}\n{HOURLY}")
}

/// Devices of two sites: a sonde that was replaced, and a weather station.
fn devices() -> FactoryPond {
    let pond = FactoryPond::new();
    for (site, offset) in [("bay", 0), ("inlet", 100)] {
        let row =
            |minute: i32, value: i32| format!("2024-01-01 {:02}:{:02},{value}\n", minute / 60, minute % 60);
        let rows = |range: std::ops::Range<i32>, factor: i32| -> String {
            range.step_by(10).map(|minute| row(minute, offset + minute / 10 * factor)).collect()
        };
        pond.csv(&format!("/devices/{site}/sonde-1.series"), &format!("time,temp\n{}", rows(0..90, 1)));
        pond.csv(&format!("/devices/{site}/sonde-2.series"), &format!("time,temp\n{}", rows(60..180, 1)));
        pond.csv(&format!("/devices/{site}/weather.series"), &format!("time,wind\n{}", rows(0..180, 2)));
    }
    pond
}

#[test]
fn chains_of_four_give_what_a_plain_computation_gives() {
    let pond = devices();
    for site in ["bay", "inlet"] {
        let config = format!(
            "inputs:\n\
             - {{pattern: /devices/{site}/sonde-1.series, scope: Sonde, range: {{end: '2024-01-01T01:00:00Z'}}}}\n\
             - {{pattern: /devices/{site}/sonde-2.series, scope: Sonde, range: {{begin: '2024-01-01T01:00:00Z'}}}}\n\
             - {{pattern: /devices/{site}/weather.series, scope: Weather}}\ntime_column: time"
        );
        pond.mknod("timeseries-join", &format!("/combined/{site}.series"), &config);
    }
    pond.mknod(
        "timeseries-pivot",
        "/single/temp.series",
        "{pattern: /combined/*.series, columns: [Sonde.temp]}",
    );
    pond.mknod("temporal-reduce", "/reduced", &reduce("/single/*.series", "single/$0"));
    let config = "{patterns: {r: '/reduced/**/*.series'}, query: 'SELECT time, \"inlet.Sonde.temp.avg\" - \"bay.Sonde.temp.avg\" AS gap, \"time.count\" AS n FROM r ORDER BY time'}";
    pond.mknod("sql-derived-series", "/gap.series", config);
    // Each hour has six times; the temperatures of hour h are 6h to 6h+5, and the other site's are 100 more.
    let mean = |hour: i32| (0..6).map(|step| f64::from(hour * 6 + step)).sum::<f64>() / 6.0;
    let expect: Vec<String> = (0..3)
        .map(|hour| format!("01-01T{hour:02}:00,{:?},6,{:?}", mean(hour), mean(hour) + 100.0))
        .collect();
    let sql = "SELECT time, \"bay.Sonde.temp.avg\", \"time.count\", \"inlet.Sonde.temp.avg\" FROM source ORDER BY time";
    let found = pond.text("/reduced/single/temp/res=1h.series", sql);
    assert_eq!(found.lines().skip(1).collect::<Vec<_>>(), expect);
    assert_snapshot!(pond.all("/gap.series"), @r#"
time,gap,n
01-01T00:00,100.0,6
01-01T01:00,100.0,6
01-01T02:00,100.0,6
"#);
}

#[test]
fn directories_are_filled_in_the_order_of_what_they_need() {
    let pond = devices();
    // The one that is made first needs the one that is made second.
    pond.mknod("temporal-reduce", "/again", &reduce("/first/**/res=1h.series", "$0").replace("[1h]", "[2h]"));
    assert_snapshot!(pond.list("/again/**"), @"dir /again");
    pond.mknod("temporal-reduce", "/first", &reduce("/devices/bay/*.series", "$0"));
    assert_snapshot!(pond.list("/again/**"), @r#"
dir /again
dir /again/sonde-1
series /again/sonde-1/res=2h.series
dir /again/sonde-2
series /again/sonde-2/res=2h.series
dir /again/weather
series /again/weather/res=2h.series
"#);
    assert_snapshot!(pond.text("/again/sonde-1/res=2h.series", "SELECT time, \"time.count.avg\" FROM source"), @r#"
time,time.count.avg
01-01T00:00,4.5
"#);
}

#[test]
fn a_directory_never_matches_itself() {
    let pond = FactoryPond::new();
    pond.csv("/x.series", "time,v\n2024-01-01,1\n");
    pond.mknod("temporal-reduce", "/r", &reduce("/**/*.series", "$1"));
    assert_snapshot!(pond.list("/r/**"), @r#"
dir /r
dir /r/x
series /r/x/res=1h.series
"#);
    pond.mknod("temporal-reduce", "/r", &reduce("/**", "all/$0"));
    assert_snapshot!(pond.list("/r/**"), @r#"
dir /r
dir /r/all
dir /r/all/x.series
series /r/all/x.series/res=1h.series
"#);
}

#[test]
fn nodes_that_are_made_of_each_other_are_refused() {
    let pond = FactoryPond::new();
    pond.csv("/x.series", "time,v\n2024-01-01,1\n");
    pond.mknod(
        "sql-derived-series",
        "/a.series",
        "patterns: {x: '/x.series', b: '/b*.series'}\nquery: SELECT * FROM x",
    );
    let refused = |factory: &str, path: &str, config: &str| pond.refused(factory, path, config);
    assert_snapshot!(refused("sql-derived-series", "/b.series", "patterns: {a: /a.series}"), @"/b.series: it is made of itself, through /a.series; choose narrower patterns, so that one does not match the other");
    assert_snapshot!(refused("sql-derived-series", "/b.series", "patterns: {a: '/*.series'}"), @"/b.series: it is made of itself, through /a.series; choose narrower patterns, so that one does not match the other");
    // Its own output would match, but a node is never its own input.
    pond.mknod(
        "sql-derived-series",
        "/c.series",
        "patterns: {a: '/c*.series', x: /x.series}\nquery: SELECT * FROM x",
    );
    pond.mknod("temporal-reduce", "/r1", &reduce("/**/*.series", "a/$1"));
    assert_snapshot!(refused("temporal-reduce", "/r2", &reduce("/**/res=*.series", "b/$1")), @"/r1: its in_pattern may match what is made in /r2, whose in_pattern may match what is made here; choose narrower patterns");
    // Two directories that look for other names do not wait for each other.
    pond.mknod("temporal-reduce", "/r1", &reduce("/**/x.series", "a"));
    pond.mknod("temporal-reduce", "/r2", &reduce("/**/a.series", "a"));
    assert_snapshot!(pond.list("/r*/**/*.series"), @r#"
series /r1/a/res=1h.series
series /r2/a/res=1h.series
"#);
}

#[test]
fn a_link_does_not_hide_a_circle() {
    let pond = FactoryPond::new();
    pond.csv("/x.series", "time,v\n2024-01-01,1\n");
    pond.mknod(
        "sql-derived-series",
        "/d/a.series",
        "patterns: {l: '/l/*.series', x: /x.series}\nquery: SELECT * FROM x",
    );
    pond.pond.link("/l", "/e").unwrap();
    assert_snapshot!(pond.refused("sql-derived-series", "/e/b.series", "patterns: {a: /d/a.series}"), @"/e/b.series: it is made of itself, through /d/a.series; choose narrower patterns, so that one does not match the other");
    // A link that is made later may close a circle; then the nodes cannot be read, and say so.
    pond.mknod("sql-derived-series", "/f/b.series", "patterns: {a: /d/a.series}");
    pond.pond.link("/e", "/f").unwrap();
    assert_snapshot!(pond.unreadable("/f/b.series"), @"/f/b.series: it is made of itself, through /d/a.series; choose narrower patterns, so that one does not match the other");
    assert_snapshot!(pond.all("/x.series"), @r#"
time,v
01-01T00:00,1
"#);
}

#[test]
fn links_lead_into_derived_directories() {
    let pond = FactoryPond::new();
    pond.csv("/x.series", "time,v\n2024-01-01 00:00,1\n2024-01-01 00:30,2\n");
    pond.mknod("temporal-reduce", "/r", &reduce("/x.series", "x"));
    pond.pond.link("/hourly", "/r/x/res=1h.series").unwrap();
    pond.mknod("temporal-reduce", "/again", &reduce("/hourly", "x"));
    assert_snapshot!(pond.text("/again/x/res=1h.series", "SELECT \"v.avg.avg\" FROM source"), @r#"
v.avg.avg
1.5
"#);
    assert_snapshot!(pond.all("/hourly"), @r#"
time,v.avg,time.count
01-01T00:00,1.5,2
"#);
}

#[test]
fn directories_nest() {
    let pond = devices();
    let config = r#"
entries:
  - name: joined.series
    factory: timeseries-join
    config:
      inputs:
        - {pattern: /devices/bay/sonde-1.series}
        - {pattern: /devices/bay/weather.series}
  - name: deeper
    factory: dynamic-dir
    config:
      entries:
        - name: reduced
          factory: temporal-reduce
          config:
            in_pattern: /derived/joined.series
            out_pattern: bay
            resolutions: [1h]
            aggregations: [{type: max}]
"#;
    pond.mknod("dynamic-dir", "/derived", config);
    assert_snapshot!(pond.list("/derived/**"), @r#"
dir /derived
dir /derived/deeper
dir /derived/deeper/reduced
dir /derived/deeper/reduced/bay
series /derived/deeper/reduced/bay/res=1h.series
series /derived/joined.series
"#);
    assert_snapshot!(pond.all("/derived/deeper/reduced/bay/res=1h.series"), @r#"
time,temp.max,wind.max
01-01T00:00,5,10
01-01T01:00,8,22
01-01T02:00,-,34
"#);
    let node = pond.pond.derived("/derived/deeper/reduced/bay/res=1h.series").unwrap().unwrap();
    assert_eq!((node.factory, node.origin.as_str()), ("temporal-reduce", "/derived"));
    let refused = |config: &str| pond.refused("dynamic-dir", "/x", config);
    assert_snapshot!(refused("entries: [{name: a, factory: sql-derived-series, config: {patern: x}}]"), @"the config of /x, entry 'a': unknown key 'patern'; did you mean 'patterns'?");
    assert_snapshot!(refused("entries: [{name: a, factory: sql, config: {}}]"), @"the config of /x, entry 'a': there is no factory 'sql'; known: column-rename, dynamic-dir, sql-derived-series, sql-derived-table, temporal-reduce, timeseries-join, timeseries-pivot");
    assert_snapshot!(refused("entries: [{name: a/b, factory: dynamic-dir, config: {entries: []}}]"), @"the config of /x, entry 'a/b': bad path 'a/b': a name cannot hold a slash");
    assert_snapshot!(refused("entries: [{name: a, factory: dynamic-dir, config: {entries: []}}, {name: a, factory: dynamic-dir, config: {entries: []}}]"), @"the config of /x, entry 'a': the name is given twice; choose another one");
    assert_snapshot!(refused("entries:\n  - name: a\n    factry: b\n"), @"the config of /x, line 3: unknown key 'factry'; did you mean 'factory'?");
}

#[test]
fn siblings_of_equal_configuration_have_identities_of_their_own() {
    let pond = devices();
    pond.mknod(
        "temporal-reduce",
        "/r",
        &reduce("/devices/*/weather.series", "$0").replace("[1h]", "[1h, 2h]"),
    );
    let names = ["bay/res=1h", "bay/res=2h", "inlet/res=1h", "inlet/res=2h"];
    let identities: std::collections::BTreeSet<String> =
        names.iter().map(|name| pond.identity(&format!("/r/{name}.series"))).collect();
    assert_eq!(identities.len(), 4);
}

#[test]
fn an_identity_changes_with_what_decides_the_rows_and_with_nothing_else() {
    let pond = devices();
    pond.mknod("temporal-reduce", "/r", &reduce("/devices/*/*.series", "$0/$1"));
    pond.mknod("sql-derived-series", "/all.series", "patterns: {a: '/r/**/*.series'}");
    let (bay, all) = ("/r/bay/weather/res=1h.series", "/all.series");
    let before = (pond.identity(bay), pond.identity(all));
    assert_eq!((pond.identity(bay), pond.identity(all)), before);
    // Something else is none of their business.
    pond.csv("/other.series", "time,v\n2024-01-01,1\n");
    assert_eq!((pond.identity(bay), pond.identity(all)), before);
    // A further version of one input.
    pond.csv("/devices/inlet/weather.series", "time,wind\n2024-01-02,1\n");
    assert_eq!(pond.identity(bay), before.0);
    let later = pond.identity(all);
    assert_ne!(later, before.1);
    // Another input.
    pond.csv("/devices/sound/weather.series", "time,wind\n2024-01-02,1\n");
    assert_ne!(pond.identity(all), later);
    // Another configuration.
    pond.mknod("temporal-reduce", "/r", &reduce("/devices/*/*.series", "$0/$1").replace("avg", "max"));
    assert_ne!(pond.identity(bay), before.0);
    // The same configuration again.
    pond.mknod("temporal-reduce", "/r", &reduce("/devices/*/*.series", "$0/$1"));
    assert_eq!(pond.identity(bay), before.0);
}

#[test]
fn a_new_configuration_is_a_new_version() {
    let pond = devices();
    pond.mknod("temporal-reduce", "/r", &reduce("/devices/bay/weather.series", "bay"));
    let config = reduce("/devices/bay/weather.series", "bay").replace("avg", "max").replace("[1h]", "[2h]");
    pond.mknod("temporal-reduce", "/r", &config);
    assert_snapshot!(pond.all("/r/bay/res=2h.series"), @r#"
time,wind.max,time.count
01-01T00:00,22,12
01-01T02:00,34,6
"#);
    assert_snapshot!(pond.list("/r/**"), @r#"
dir /r
dir /r/bay
series /r/bay/res=2h.series
"#);
    assert_eq!(pond.pond.list("/r").unwrap()[0].versions, 2);
    // It may be of another factory too.
    pond.mknod("sql-derived-series", "/r", "patterns: {a: /devices/bay/weather.series}");
    assert_snapshot!(pond.list("/r"), @"series /r");
}

#[test]
fn expansion_is_the_same_each_time() {
    let pond = devices();
    pond.mknod("temporal-reduce", "/r", &reduce("/devices/*/*.series", "$1/$0"));
    pond.mknod("dynamic-dir", "/d", "entries: [{name: all.series, factory: sql-derived-series, config: {patterns: {a: '/r/**/*.series'}}}]");
    let nodes =
        || pond.pond.list("/**").unwrap().into_iter().map(|one| (one.node, one.path)).collect::<Vec<_>>();
    let before = nodes();
    assert_eq!(nodes(), before);
    let again =
        engine::Pond::open(pond.pond.snapshot().layout().root(), engine::PondOptions::default()).unwrap();
    let listed: Vec<_> = again.list("/**").unwrap().into_iter().map(|one| (one.node, one.path)).collect();
    assert_eq!(listed, before);
}

#[test]
fn names_that_are_taken_are_refused() {
    let pond = devices();
    let config = reduce("/devices/bay/*.series", "$0");
    assert_snapshot!(pond.refused("temporal-reduce", "/devices", &config), @"/devices is a dir, and a dynamic is needed; choose another path");
    assert_snapshot!(pond.refused("temporal-reduce", "/devices/bay/weather.series", &config), @"/devices/bay/weather.series is a series, and a dynamic is needed; choose another path");
    assert_snapshot!(pond.refused("temporal-reduce", "/", &config), @"bad path '/': it is the root; choose a path below it");
    pond.mknod("temporal-reduce", "/r", &config);
    assert_snapshot!(pond.refused("temporal-reduce", "/r/weather/more", &config), @"/r is a dynamic, and a dir is needed; choose another path");
}

#[test]
fn the_command_makes_lists_describes_and_prints_derived_nodes() {
    let pond = TestPond::new();
    pond.import("x.csv", "time,v\n2024-01-01 00:10,1\n2024-01-01 00:50,2\n2024-01-01 01:00,4\n", "/x.series");
    pond.file(
        "r.yaml",
        "in_pattern: /x.series\nout_pattern: x\nresolutions: [1h]\naggregations: [{type: sum}]\n",
    );
    pond.ok(["mknod", "temporal-reduce", "/r", "--config", "r.yaml"]);
    assert_snapshot!(pond.ok(["list", "-1"]), @r#"
/r
/r/x
/r/x/res=1h.series
/x.series
"#);
    assert_snapshot!(pond.ok(["cat", "/r/x/res=1h.series", "--format", "csv"]), @r#"
time,v.sum
2024-01-01T00:00:00Z,3
2024-01-01T01:00:00Z,4
"#);
    assert_snapshot!(pond.ok(["cat", "/r/x/res=1h.series", "--sql", "SELECT max(\"v.sum\") AS m FROM source", "--format", "csv"]), @r#"
m
4
"#);
    let described = pond.ok(["describe", "/r/x/res=1h.series"]);
    let steady: Vec<&str> = described.lines().filter(|line| !line.starts_with("identity ")).collect();
    assert_snapshot!(steady.join("\n"), @r#"
/r/x/res=1h.series: temporal-reduce
configured by /r

COLUMN  TYPE                  NULLS
time    Timestamp(µs, "UTC")  allowed  time
v.sum   Int64                 allowed

made of
  /x.series
"#);
    pond.file(
        "bad.yaml",
        "in_pattern: /x.series\nout_pattern: x\nresolution: [1h]\naggregations: [{type: sum}]\n",
    );
    assert_snapshot!(pond.fails(["mknod", "temporal-reduce", "/s", "--config", "bad.yaml"]), @"pond: bad.yaml: the config of /s, line 3: unknown key 'resolution'; did you mean 'resolutions'?");
    assert_snapshot!(pond.fails(["mknod", "temporal-reduce", "/s", "--config", "absent.yaml"]), @"pond: absent.yaml: No such file or directory (os error 2)");
    assert_snapshot!(pond.fails(["import", "x.csv", "/r/x/more.series"]), @"pond: /r is a dynamic, and a dir is needed; choose another path");
    assert_snapshot!(pond.fails(["cat", "/r/x"]), @"pond: /r/x is a dir, and a series is needed; choose another path");
}

#[test]
fn the_examples_of_the_documents_are_valid() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/FACTORIES.md");
    let text = std::fs::read_to_string(path).unwrap();
    let pond = FactoryPond::new();
    let mut factories = std::collections::BTreeSet::new();
    for block in text.split("```yaml\n# ").skip(1) {
        let (title, rest) = block.split_once('\n').unwrap();
        let (factory, path) = title.split_once(" at ").unwrap();
        pond.mknod(factory, path, rest.split_once("```").unwrap().0);
        factories.insert(factory.to_owned());
    }
    assert_eq!(factories.into_iter().collect::<Vec<_>>(), engine::FACTORIES);
}
