//! Several processes on one pond: writers lose nothing, readers keep their snapshot, opening stays cheap.

use std::collections::BTreeMap;

use engine::{Pond, PondOptions, TimeRange};

use crate::pond_command::TestPond;

const ROW: &str = "time,v\n2024-01-01,1\n";

#[test]
fn two_writers_at_a_time_lose_nothing() {
    for paths in [["/a.series", "/b.series"], ["/x.series", "/x.series"]] {
        let pond = TestPond::new();
        pond.file("x.csv", ROW);
        std::thread::scope(|scope| {
            for path in paths {
                let pond = &pond;
                scope.spawn(move || (0..10).for_each(|_| drop(pond.ok(["import", "x.csv", path]))));
            }
        });
        let log = pond.ok(["log"]);
        assert_eq!(log.lines().count(), 1 + 21, "{log}");
        let numbers: Vec<u64> = log
            .lines()
            .skip(1)
            .map(|line| line.split_whitespace().next().unwrap().parse().unwrap())
            .collect();
        assert_eq!(numbers, (1..=21).rev().collect::<Vec<_>>());
        let open = Pond::open(&pond.root(), PondOptions::default()).unwrap();
        for path in paths {
            let expect = if paths[0] == paths[1] { 20 } else { 10 };
            assert_eq!(open.series(path).unwrap().rows(), expect);
        }
    }
}

#[test]
fn a_log_does_not_say_where_it_was_made() {
    let pond = TestPond::new();
    let first = |name: &str| {
        let root = pond.path(name);
        Pond::init(&root, PondOptions::default()).unwrap();
        std::fs::read(root.join("log/_delta_log/00000000000000000000.json")).unwrap()
    };
    let (short, long) = (first("p"), first("a-pond-with-a-long-name"));
    assert_eq!(short.len(), long.len());
    assert!(!String::from_utf8(long).unwrap().contains("a-pond-with-a-long-name"));
}

#[test]
fn a_reader_keeps_its_snapshot_until_it_looks_again() {
    let pond = TestPond::with_files();
    pond.file("x.csv", ROW);
    pond.ok(["import", "x.csv", "/x.series"]);
    let reader = Pond::open(&pond.root(), PondOptions::default()).unwrap();
    let series = reader.series("/x.series").unwrap();
    // Enough commits for folding, so that the files of the old snapshot are replaced.
    (0..20).for_each(|_| drop(pond.ok(["import", "x.csv", "/x.series"])));
    let rows = |series: &engine::Series| -> usize {
        series.batches(TimeRange::default()).unwrap().map(|batch| batch.unwrap().num_rows()).sum()
    };
    assert_eq!(rows(&series), 1);
    assert_eq!(reader.list("/*").unwrap()[0].versions, 1);
    assert_eq!(reader.log().len(), 2);
    reader.refresh().unwrap();
    assert_eq!(reader.list("/*").unwrap()[0].versions, 21);
    assert_eq!(rows(&reader.series("/x.series").unwrap()), 21);
    assert_eq!(rows(&series), 1);
}

#[test]
fn an_old_reader_still_finds_inline_content_after_folding() {
    let pond = TestPond::new();
    pond.file("x.csv", ROW);
    pond.ok(["import", "x.csv", "/x.series"]);
    let reader = Pond::open(&pond.root(), PondOptions::default()).unwrap();
    let series = reader.series("/x.series").unwrap();
    (0..40).for_each(|_| drop(pond.ok(["import", "x.csv", "/x.series"])));
    let rows: usize =
        series.batches(TimeRange::default()).unwrap().map(|batch| batch.unwrap().num_rows()).sum();
    assert_eq!(rows, 1);
}

#[test]
fn a_hundred_commits_open_from_few_files() {
    let pond = TestPond::new();
    let commits = 100;
    let open = Pond::open(&pond.root(), PondOptions::default()).unwrap();
    for number in 0..commits {
        assert!(open.mkdir(&format!("/dir-{number:03}")).unwrap());
    }
    drop(open);
    let stats = pond.ok(["stats"]);
    let counters: BTreeMap<&str, u64> = stats
        .lines()
        .filter_map(|line| line.trim().rsplit_once(' '))
        .filter_map(|(name, value)| Some((name.trim(), value.parse().ok()?)))
        .collect();
    assert_eq!(counters["transactions"], 1 + commits);
    assert!(counters["log_files_read"] <= 48, "{stats}");
    // Two reads of each commit file since the last checkpoint, of which there is one every 32 commits.
    assert!(counters["store_log_json_requests"] <= 2 * 32 + 8, "{stats}");
    let log = pond.ok(["log"]);
    assert_eq!(log.lines().count() as u64, 1 + 1 + commits);
    assert_eq!(pond.ok(["list", "-1"]).lines().count() as u64, commits);
}

#[test]
fn a_checkpoint_that_cannot_be_written_does_not_hide_the_commit() {
    let pond = TestPond::new();
    let log = pond.root().join("log/_delta_log");
    // A folder in its place: the checkpoint of this version cannot be written.
    for version in 30..=36 {
        std::fs::create_dir(log.join(format!("{version:020}.checkpoint.parquet"))).unwrap();
    }
    let mut refused = 0;
    for number in 0..40 {
        let path = format!("/dir-{number}");
        let output = pond.command(["mkdir", &path]).output().unwrap();
        if !output.status.success() {
            let stderr = String::from_utf8_lossy(&output.stderr);
            assert!(stderr.contains("is committed, but the upkeep of the log failed"), "{stderr}");
            refused += 1;
        }
        assert!(pond.ok(["list", "-1"]).lines().any(|line| line == path), "{path} is committed");
    }
    assert!((1..=3).contains(&refused), "{refused} commits failed");
}
