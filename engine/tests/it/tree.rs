//! Directories, links and patterns as the commands show them.

use engine::{Pond, PondOptions};
use insta::assert_snapshot;

use crate::pond_command::TestPond;

const ROW: &str = "time,v\n2024-01-01,1\n";

/// A pond with a few series, and links to a series, to a directory, to nothing and in a circle.
fn linked() -> TestPond {
    let pond = TestPond::new();
    pond.file("x.csv", ROW);
    for path in ["/z/sonde-1.series", "/z/sonde-2.series", "/z/deep/er/tide.series", "/m/names.table"] {
        pond.ok(["import", "x.csv", path]);
    }
    pond.ok(["mkdir", "/a/empty"]);
    pond.ok(["link", "/a/first", "/z/sonde-1.series"]);
    pond.ok(["link", "/a/zed", "/z"]);
    pond.ok(["link", "/a/nowhere", "/not/there"]);
    pond.ok(["link", "/z/up", "/z"]);
    pond.ok(["link", "/c/1", "/c/2"]);
    pond.ok(["link", "/c/2", "/c/1"]);
    pond.ok(["link", "/c/self", "/c/self"]);
    pond
}

fn matches(pond: &TestPond, pattern: &str) -> String {
    let open = Pond::open(&pond.root(), PondOptions::default()).unwrap();
    let listed = open.list(pattern).unwrap().into_iter();
    listed.map(|one| format!("{} [{}]", one.path, one.captures.join("|"))).collect::<Vec<_>>().join("\n")
}

#[test]
fn patterns_report_each_node_once_by_its_own_path() {
    let pond = linked();
    assert_snapshot!(matches(&pond, "/**"), @r#"
/a [a]
/a/empty [a/empty]
/c [c]
/m [m]
/m/names.table [m/names.table]
/z [z]
/z/deep [z/deep]
/z/deep/er [z/deep/er]
/z/deep/er/tide.series [z/deep/er/tide.series]
/z/sonde-1.series [z/sonde-1.series]
/z/sonde-2.series [z/sonde-2.series]
"#);
    assert_snapshot!(matches(&pond, "/**/*.series"), @r#"
/z/deep/er/tide.series [z/deep/er|tide]
/z/sonde-1.series [z|sonde-1]
/z/sonde-2.series [z|sonde-2]
"#);
    assert_snapshot!(matches(&pond, "/*/sonde-*.series"), @r#"
/z/sonde-1.series [z|1]
/z/sonde-2.series [z|2]
"#);
    assert_snapshot!(matches(&pond, "/a/*"), @r#"
/a/empty [empty]
/a/first [first]
/a/zed [zed]
"#);
    assert_snapshot!(matches(&pond, "/a/zed/*.series"), @r#"
/a/zed/sonde-1.series [sonde-1]
/a/zed/sonde-2.series [sonde-2]
"#);
    assert_snapshot!(matches(&pond, "/a/first"), @"/a/first []");
    assert_snapshot!(matches(&pond, "/z/**/tide.series"), @"/z/deep/er/tide.series [deep/er]");
    assert_snapshot!(matches(&pond, "/**/deep/**"), @r#"
/z/deep [z|]
/z/deep/er [z|er]
/z/deep/er/tide.series [z|er/tide.series]
"#);
    assert_snapshot!(matches(&pond, "/*/*-*.*"), @r#"
/z/sonde-1.series [z|sonde|1|series]
/z/sonde-2.series [z|sonde|2|series]
"#);
    assert_eq!(matches(&pond, "/c/*"), "");
    assert_eq!(matches(&pond, "/a/nowhere"), "");
}

#[test]
fn links_lead_to_what_they_name() {
    let pond = linked();
    assert_eq!(pond.ok(["cat", "/a/first"]), pond.ok(["cat", "/z/sonde-1.series"]));
    assert_eq!(pond.ok(["cat", "/a/zed/up/up/sonde-2.series"]), pond.ok(["cat", "/z/sonde-2.series"]));
    assert_snapshot!(pond.fails(["cat", "/a/nowhere"]), @"pond: bad path '/a/nowhere': the link /a/nowhere leads to /not/there, where nothing is; choose another path");
    assert_snapshot!(pond.fails(["cat", "/c/1"]), @"pond: bad path '/c/1': the link /c/1 leads to /c/2, where nothing is; choose another path");
    assert_snapshot!(pond.fails(["import", "x.csv", "/a/zed/new.series"]), @"pond: /a/zed is a symlink, and a dir is needed; choose another path");
    assert_snapshot!(pond.fails(["import", "x.csv", "/a/first"]), @"pond: /a/first is a symlink, and a series is needed; choose another path");
    assert_snapshot!(pond.fails(["mkdir", "/a/zed/new"]), @"pond: /a/zed is a symlink, and a dir is needed; choose another path");
    // A new version shows through the link.
    pond.ok(["import", "x.csv", "/z/sonde-1.series"]);
    assert_eq!(pond.ok(["cat", "/a/first", "--format", "csv"]).lines().count(), 3);
    let stats = pond.ok(["stats"]);
    assert!(
        stats.lines().any(|line| line.split_whitespace().collect::<Vec<_>>() == ["links", "7"]),
        "{stats}"
    );
}

#[test]
fn exports_through_links_write_a_series_once() {
    let pond = linked();
    let out = pond.ok(["export", "-p", "/**/*.series", "-d", "out"]);
    assert!(out.starts_with("exported 3 series"), "{out}");
    pond.ok(["export", "-p", "/a/zed/*.series", "-d", "linked"]);
    assert!(pond.path("linked/sonde-2/data.parquet").exists());
}

#[test]
fn directories() {
    let pond = TestPond::new();
    pond.ok(["mkdir", "/a/b/c"]);
    assert_snapshot!(pond.ok(["mkdir", "/a/b"]), @"/a/b is there already");
    assert_snapshot!(pond.ok(["mkdir", "/"]), @"/ is there already");
    assert_snapshot!(pond.ok(["list"]), @r#"
TYPE  VERSIONS  ROWS  BYTES  FIRST  LAST  PATH
dir          1     -      -  -      -     /a
dir          1     -      -  -      -     /a/b
dir          1     -      -  -      -     /a/b/c
"#);
    assert_eq!(pond.ok(["log"]).lines().count(), 3, "what is there already is no transaction");
    let empty = TestPond::new();
    assert_snapshot!(empty.ok(["list"]), @"TYPE  VERSIONS  ROWS  BYTES  FIRST  LAST  PATH");
}

/// Replaces the times of commits and the sizes, which differ from run to run and from encoding to encoding.
fn steady(text: &str) -> String {
    let word = |word: &str| match word {
        _ if word.starts_with("20") && word.ends_with('Z') && word.contains('.') => "[NOW]".to_owned(),
        _ => word.to_owned(),
    };
    let line = |line: &str| {
        let words: Vec<String> = line.split_whitespace().map(word).collect();
        words.join(" ")
    };
    text.lines().map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn describe_and_log() {
    let pond = TestPond::new();
    pond.import("x.csv", "time,v\n2024-01-01,1\n", "/x.series");
    pond.import("y.csv", "time,v,w\n2024-01-02,2.5,\n", "/x.series");
    pond.ok(["link", "/l", "/x.series"]);
    assert_snapshot!(steady(&pond.ok(["log"])), @r#"
TXN COMMITTED OPERATION DETAILS
4 [NOW] link {"path":"/l","target":"/x.series"}
3 [NOW] import {"files":1,"rows":1,"series":1}
2 [NOW] import {"files":1,"rows":1,"series":1}
1 [NOW] init {}
"#);
    assert_snapshot!(steady(&pond.ok(["log", "-n", "1"])), @r#"
TXN COMMITTED OPERATION DETAILS
4 [NOW] link {"path":"/l","target":"/x.series"}
"#);
    let described = steady(&pond.ok(["describe", "/x.series"]));
    let (columns, versions) = described.split_once("\n\nVERSION").unwrap();
    assert_snapshot!(columns, @r#"
/x.series: series
2 rows, 2024-01-01T00:00:00Z .. 2024-01-02T00:00:00Z

COLUMN TYPE NULLS
time Timestamp(µs, "UTC") none time
v Float64 allowed
w Float64 allowed
"#);
    assert_eq!(versions.lines().count(), 3);
    assert!(versions.contains(r#"{"imported":"y.csv"}"#), "{versions}");
    let root = steady(&pond.ok(["describe", "/"]));
    assert!(root.starts_with("/: dir\n2 entries"), "{root}");
}
