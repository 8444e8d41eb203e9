//! Imports of several files and of further versions: paths, united columns, one transaction.

use insta::assert_snapshot;

use crate::pond_command::{TestPond, files_below};

fn rows(pond: &TestPond, path: &str) -> String {
    pond.ok(["cat", path, "--format", "csv"])
}

#[test]
fn the_same_path_again_is_a_new_version() {
    let pond = TestPond::new();
    pond.import("1.csv", "time,v\n2024-01-01,1\n2024-01-03,3\n", "/x.series");
    pond.import("2.csv", "time,v\n2024-01-02,2\n2024-01-03,33\n", "/x.series");
    assert_snapshot!(rows(&pond, "/x.series"), @r#"
time,v
2024-01-01T00:00:00Z,1
2024-01-02T00:00:00Z,2
2024-01-03T00:00:00Z,3
2024-01-03T00:00:00Z,33
"#);
    // The same file once more counts once more.
    pond.ok(["import", "2.csv", "/x.series"]);
    assert_snapshot!(pond.state(), @r#"
/x.series series 3 Some(6) (Some(1704067200000000), Some(1704240000000000))
1 init {}
2 import {"files":1,"rows":2,"series":1}
3 import {"files":1,"rows":2,"series":1}
4 import {"files":1,"rows":2,"series":1}
"#);
    // Of a table the last version counts alone.
    pond.import("t1.csv", "id,name\n2,b\n1,a\n", "/t.table");
    pond.import("t2.csv", "id,name\n3,c\n", "/t.table");
    assert_snapshot!(rows(&pond, "/t.table"), @r#"
id,name
3,c
"#);
    assert_snapshot!(pond.state(), @r#"
/t.table table 2 Some(1) (None, None)
/x.series series 3 Some(6) (Some(1704067200000000), Some(1704240000000000))
1 init {}
2 import {"files":1,"rows":2,"series":1}
3 import {"files":1,"rows":2,"series":1}
4 import {"files":1,"rows":2,"series":1}
5 import {"files":1,"rows":2,"series":1}
6 import {"files":1,"rows":1,"series":1}
"#);
}

#[test]
fn columns_may_come_later_and_become_wider() {
    let pond = TestPond::new();
    pond.import("1.csv", "time,v,gone\n2024-01-01,1,x\n", "/x.series");
    pond.import("2.csv", "time,new,v\n2024-01-02,true,2.5\n", "/x.series");
    assert_snapshot!(rows(&pond, "/x.series"), @r#"
time,v,gone,new
2024-01-01T00:00:00Z,1.0,x,
2024-01-02T00:00:00Z,2.5,,true
"#);
    let query =
        pond.ok(["cat", "/x.series", "--format", "csv", "--sql", "SELECT * FROM source ORDER BY time"]);
    assert_eq!(query, rows(&pond, "/x.series"));
    let sum = "SELECT sum(v) AS v, count(gone) AS gone, count(new) AS new FROM source WHERE v > 1.5";
    assert_snapshot!(pond.ok(["cat", "/x.series", "--format", "csv", "--sql", sum]), @r#"
v,gone,new
2.5,0,1
"#);
    pond.file("3.csv", "time,v\n2024-01-03,many\n");
    assert_snapshot!(pond.fails(["import", "3.csv", "/x.series"]), @"pond: 3.csv: column 'v': it is Utf8 here and Float64 in /x.series; import to another path, or make the types agree");
    pond.file("4.csv", "when,v\n2024-01-03,4\n");
    assert_snapshot!(pond.fails(["import", "4.csv", "/x.series"]), @"pond: 4.csv: /x.series has the time column 'time'; name the same one with --time, or import to another path");
}

#[test]
fn columns_agree_with_every_version_and_not_only_with_the_last() {
    let pond = TestPond::new();
    pond.import("1.csv", "time,a,b\n2024-01-01,1,1\n", "/x.series");
    pond.import("2.csv", "time,a\n2024-01-02,2\n", "/x.series");
    pond.import("3.csv", "time,a,b\n2024-01-03,3,\n", "/x.series");
    pond.file("4.csv", "time,a,b\n2024-01-04,4,text\n");
    assert_snapshot!(pond.fails(["import", "4.csv", "/x.series"]), @"pond: 4.csv: column 'b': it is Utf8 here and Int64 in /x.series; import to another path, or make the types agree");
    // A table is its last version, so its columns may change.
    pond.import("t.csv", "id,v\n1,1\n", "/t.table");
    pond.import("t.csv", "id,v\n1,one\n", "/t.table");
    assert_snapshot!(rows(&pond, "/t.table"), @r#"
id,v
1,one
"#);
}

#[test]
fn a_column_without_values_takes_the_type_of_the_others() {
    let pond = TestPond::new();
    pond.import("1.csv", "time,note,flag\n2024-01-01,,\n", "/x.series");
    pond.import("2.csv", "time,note,flag\n2024-01-02,hello,true\n", "/x.series");
    assert_snapshot!(rows(&pond, "/x.series"), @r#"
time,note,flag
2024-01-01T00:00:00Z,,
2024-01-02T00:00:00Z,hello,true
"#);
    pond.import("3.csv", "time,note,flag\n2024-01-03,,\n", "/x.series");
    assert_eq!(rows(&pond, "/x.series").lines().count(), 4);
}

#[test]
fn a_file_is_split_by_a_column() {
    let pond = TestPond::new();
    let content = "time,origin,v\n2024-01-01,JFK,1\n2024-01-01,LGA,2\n2024-01-02,JFK,3\n";
    pond.file("x.csv", content);
    pond.ok(["import", "x.csv", "/w", "--split-by", "origin"]);
    assert_snapshot!(pond.state(), @r#"
/w dir 1 None (None, None)
/w/JFK.series series 1 Some(2) (Some(1704067200000000), Some(1704153600000000))
/w/LGA.series series 1 Some(1) (Some(1704067200000000), Some(1704067200000000))
1 init {}
2 import {"files":1,"rows":3,"series":2}
"#);
    assert_snapshot!(rows(&pond, "/w/JFK.series"), @r#"
time,origin,v
2024-01-01T00:00:00Z,JFK,1
2024-01-02T00:00:00Z,JFK,3
"#);
    assert_snapshot!(pond.fails(["import", "x.csv", "/w", "--split-by", "orgin"]), @"pond: x.csv: there is no column 'orgin' for --split-by; did you mean 'origin'?");
    pond.file("x.csv", format!("{content}2024-01-03,,4\n"));
    assert_snapshot!(pond.fails(["import", "x.csv", "/w", "--split-by", "origin"]), @"pond: x.csv:5: column 'origin': it is empty, so the row belongs to no series; fill it in or remove the row");
    pond.file("x.csv", "time,origin,v\n2024-01-01,a/b,1\n");
    assert_snapshot!(pond.fails(["import", "x.csv", "/w", "--split-by", "origin"]), @"pond: x.csv: 'a/b' cannot name a series: bad path 'a/b.series': a name cannot hold a slash");
    pond.file("x.csv", "time,origin,v\n2024-01-01,\"a\nb\",1\n2024-01-01,,1\n");
    assert_snapshot!(pond.fails(["import", "x.csv", "/w", "--split-by", "origin"]), @"pond: x.csv:4: column 'origin': it is empty, so the row belongs to no series; fill it in or remove the row");
}

#[test]
fn folders_patterns_and_several_files() {
    let pond = TestPond::new();
    let content = "time,v\n2024-01-01,1\n";
    for name in ["in/a.csv", "in/sub/b.csv", "in/sub/c.table.csv", "in/readme.md", "one.csv", "two.CSV"] {
        pond.file(name, content);
    }
    pond.ok(["import", "in", "/folder"]);
    pond.ok(["import", "in/*.csv", "in/sub/*", "/glob"]);
    pond.ok(["import", "one.csv", "two.CSV", "/several"]);
    pond.ok(["mkdir", "/dir"]);
    pond.ok(["import", "one.csv", "/dir"]);
    pond.ok(["import", "one.csv", "/slash/"]);
    pond.ok(["import", "one.csv", "/direct"]);
    assert_snapshot!(pond.ok(["list", "-1"]), @r#"
/dir
/dir/one.series
/direct
/folder
/folder/a.series
/folder/sub
/folder/sub/b.series
/folder/sub/c.table
/glob
/glob/a.series
/glob/b.series
/glob/c.table
/several
/several/one.series
/several/two.series
/slash
/slash/one.series
"#);
    // Every import is one transaction.
    assert_eq!(pond.ok(["log"]).lines().count(), 1 + 8);
}

#[test]
fn one_bad_file_of_three_imports_nothing() {
    for pond in [TestPond::new(), TestPond::with_files()] {
        pond.file("in/a.csv", "time,v\n2024-01-01,1\n");
        pond.file("in/b.csv", "time,v\n2024-01-01,1\nsoon,2\n");
        pond.file("in/c.csv", "time,v\n2024-01-01,1\n");
        let message = pond.fails(["import", "in", "/x", "--time", "time"]);
        assert!(message.contains("in/b.csv: 'time' holds a date until line 3"), "{message}");
        assert!(files_below(&pond.root().join("content")).is_empty());
        pond.file("in/b.csv", "time,v\n2024-01-01,1\n");
        pond.ok(["import", "in", "/x"]);
        assert_eq!(pond.ok(["list", "/x/*", "-1"]).lines().count(), 3);
    }
}

#[test]
fn two_files_for_one_path_in_one_transaction() {
    let pond = TestPond::new();
    pond.file("a/x.csv", "time,v\n2024-01-01,1\n");
    pond.file("b/x.csv", "time,v\n2024-01-02,2\n");
    let message = pond.fails(["import", "a/x.csv", "b/x.csv", "/in"]);
    assert!(message.contains("import them one by one"), "{message}");
    // Split files go to the same series in the order of the arguments.
    pond.file("a/y.csv", "time,k,v\n2024-01-01,k,1\n");
    pond.file("b/y.csv", "time,k,v\n2024-01-01,k,2\n");
    pond.ok(["import", "a/y.csv", "b/y.csv", "/in", "--split-by", "k"]);
    assert_snapshot!(rows(&pond, "/in/k.series"), @r#"
time,k,v
2024-01-01T00:00:00Z,k,1
2024-01-01T00:00:00Z,k,2
"#);
    pond.file("b/y.csv", "time,k,v\n2024-01-01,k,two\n");
    assert_snapshot!(pond.fails(["import", "a/y.csv", "b/y.csv", "/new", "--split-by", "k"]), @"pond: b/y.csv: column 'v': it is Utf8 here and Int64 in /new/k.series; import to another path, or make the types agree");
}
