//! Histories: following the log equals reading it anew, and what one more commit reads does not grow.

use engine::{Pond, PondOptions, TimeRange};

use crate::pond_command::{TestPond, state};

fn open(pond: &TestPond) -> Pond {
    Pond::open(&pond.root(), PondOptions::default()).unwrap()
}

/// Describes a pond with the rows of its series.
fn whole(pond: &Pond) -> String {
    let mut text = state(pond);
    for one in pond.list("/**/*.series").unwrap() {
        for batch in pond.series(&one.path).unwrap().batches(TimeRange::default()).unwrap() {
            text += &format!("{} {:?}\n", one.path, batch.unwrap().columns());
        }
    }
    text
}

/// Writes one row to a series.
fn write(pond: &Pond, path: &str, number: u64) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("x.csv");
    // A column that only some versions have.
    let (head, more) = if number.is_multiple_of(3) { (",w", ",7") } else { ("", "") };
    std::fs::write(&file, format!("time,v{head}\n{},{number}{more}\n", 1_700_000_000 + number * 60)).unwrap();
    pond.import(&[file], path, &engine::ImportOptions::default(), &|_| ()).unwrap();
}

#[test]
fn a_handle_that_follows_equals_one_that_reads_anew() {
    let pond = TestPond::new();
    let (writer, reader) = (open(&pond), open(&pond));
    let mut pinned = Vec::new();
    for number in 0..70 {
        match number % 7 {
            0 => drop(writer.mkdir(&format!("/dir-{number}")).unwrap()),
            1 => writer.link(&format!("/link-{number}"), "/a.series").unwrap(),
            2 | 3 => write(&writer, "/b/c.series", number),
            _ => write(&writer, "/a.series", number),
        }
        if number % 11 == 5 {
            reader.refresh().unwrap();
            assert_eq!(whole(&reader), whole(&open(&pond)), "after {number}");
            pinned.push((reader.snapshot(), state(&reader)));
        }
    }
    reader.refresh().unwrap();
    let expect = whole(&open(&pond));
    assert_eq!(whole(&reader), expect);
    assert_eq!(whole(&writer), expect, "the writer follows its own commits and folds");
    reader.reload().unwrap();
    assert_eq!(whole(&reader), expect);
    for (snapshot, before) in pinned {
        let commits =
            before.lines().filter(|line| line.contains(" import ") || line.contains(" init ")).count();
        let known = snapshot.commits();
        let known = known.iter().filter(|one| ["import", "init"].contains(&one.operation.as_str()));
        assert_eq!(known.count(), commits, "a snapshot stays as it was");
    }
}

#[test]
fn one_more_commit_reads_only_what_is_new() {
    let pond = TestPond::new();
    let handle = open(&pond);
    let mut before = handle.recorder().totals();
    let mut loaded = Vec::new();
    for number in 0..100 {
        handle.mkdir(&format!("/dir-{number:03}")).unwrap();
        let totals = handle.recorder().totals();
        loaded.push(totals.since(&before)["entries_loaded"]);
        before = totals;
    }
    // A directory and the record of its commit; where files were folded, what was folded besides.
    assert_eq!(loaded.iter().filter(|entries| **entries == 2).count(), 100 - loaded.len() / 15, "{loaded:?}");
}
