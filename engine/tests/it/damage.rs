//! Damage of stored bytes: named by every reader, and an export that meets it leaves nothing.

use std::fs::OpenOptions;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::Command;

use engine::{Pond, PondOptions, TimeRange};

use crate::pond_command::{TestPond, digests, files_below};

/// A CSV file whose stored form is larger than a megabyte, so that it is read in chunks.
fn noisy_csv(rows: u64) -> String {
    let mut state = 1u64;
    let mut text = "ts,a,b,c\n".to_owned();
    for row in 0..rows {
        text += &(1_700_000_000 + row * 60).to_string();
        for _ in 0..3 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            text += &format!(",0.{}", state >> 12);
        }
        text.push('\n');
    }
    text
}

/// Flips a bit of a file.
fn flip(path: &Path, at: u64) {
    let file = OpenOptions::new().read(true).write(true).open(path).unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, at).unwrap();
    file.write_all_at(&[byte[0] ^ 0x10], at).unwrap();
}

/// Checks that every reader of a series calls the damage by its name.
fn check_readers_fail(pond: &TestPond, place: &str, context: &str) {
    let folder = pond.path("out");
    let before = digests(&folder);
    for arguments in [
        vec!["cat", "/x.series"],
        vec!["cat", "/x.series", "--sql", "SELECT sum(a), sum(b), sum(c) FROM source"],
        vec!["export", "-p", "/x.series", "-d", "out", "--set", "incremental=off"],
        vec!["export", "-p", "/x.series", "-d", "out", "--temporal", "year,month"],
        vec!["export", "-p", "/*", "-d", "new"],
    ] {
        let mut command: Command = pond.command(&arguments);
        let output = command.output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{context}: {arguments:?}: {stderr}");
        assert!(stderr.contains("is damaged"), "{context}: {arguments:?}: {stderr}");
        assert!(stderr.contains(place), "{context}: {arguments:?}: {stderr} does not name {place}");
        pond.message(&command, &output);
        assert!(!stderr.contains("panicked"), "{context}: {arguments:?}: {stderr}");
    }
    assert_eq!(digests(&folder), before, "{context}: the old export was changed");
    assert!(!pond.path("new").exists(), "{context}: a damaged export was left");
    assert!(!pond.path(".new.pond-export").exists() && !pond.path(".out.pond-export").exists());
}

#[test]
fn a_flipped_bit_of_large_content_is_found() {
    let pond = TestPond::new();
    pond.import("x.csv", &noisy_csv(60_000), "/x.series");
    pond.ok(["export", "-p", "/x.series", "-d", "out"]);
    let stored = files_below(&pond.root().join("content"));
    assert_eq!(stored.len(), 1);
    let size = stored[0].metadata().unwrap().len();
    assert!(size > 1024 * 1024, "{size} bytes are read whole");
    let name = stored[0].file_name().unwrap().to_str().unwrap().to_owned();
    for at in [0, 5, size / 4, size / 2, size - 5000, size - 9, size - 1] {
        flip(&stored[0], at);
        check_readers_fail(&pond, &name, &format!("byte {at} of {size}"));
        flip(&stored[0], at);
    }
    let whole = std::fs::read(&stored[0]).unwrap();
    std::fs::write(&stored[0], &whole[..whole.len() - 1]).unwrap();
    check_readers_fail(&pond, &name, "one byte short");
    std::fs::write(&stored[0], &whole).unwrap();
    pond.ok(["export", "-p", "/x.series", "-d", "out"]);
}

#[test]
fn a_flipped_bit_of_a_small_content_file_is_found() {
    let pond = TestPond::with_files();
    pond.import("x.csv", &noisy_csv(100), "/x.series");
    pond.ok(["export", "-p", "/x.series", "-d", "out"]);
    let stored = files_below(&pond.root().join("content"));
    let size = stored[0].metadata().unwrap().len();
    let name = stored[0].file_name().unwrap().to_str().unwrap().to_owned();
    for at in (0..size).step_by(211) {
        flip(&stored[0], at);
        check_readers_fail(&pond, &name, &format!("byte {at} of {size}"));
        flip(&stored[0], at);
    }
}

#[test]
fn lost_content_is_named() {
    let pond = TestPond::with_files();
    pond.import("x.csv", &noisy_csv(100), "/x.series");
    let stored = files_below(&pond.root().join("content"));
    std::fs::remove_file(&stored[0]).unwrap();
    let message = pond.fails(["cat", "/x.series"]);
    assert!(message.contains("No such file") && message.contains("[TEMP]/pond/content/"), "{message}");
    let message = pond.fails(["export", "-p", "/x.series", "-d", "out"]);
    assert!(message.contains("No such file") && message.contains("[TEMP]/pond/content/"), "{message}");
    assert!(!pond.path("out").exists());
}

#[test]
fn a_flipped_bit_of_inline_content_is_found() {
    let pond = TestPond::new();
    pond.import("x.csv", &noisy_csv(500), "/x.series");
    pond.ok(["export", "-p", "/x.series", "-d", "out"]);
    let log: Vec<_> = files_below(&pond.root().join("log"));
    let entries = log.iter().filter(|path| path.extension().is_some_and(|ending| ending == "parquet"));
    let file = entries.max_by_key(|path| path.metadata().unwrap().len()).unwrap();
    let bytes = std::fs::read(file).unwrap();
    // The content is a Parquet file within the entry file: it begins at the second mark of one.
    let begin = (4..bytes.len()).find(|at| bytes[*at..].starts_with(b"PAR1")).unwrap() as u64;
    let name = file.file_name().unwrap().to_str().unwrap().to_owned();
    for at in [begin, begin + 100, begin + 3000] {
        flip(file, at);
        check_readers_fail(&pond, &name, &format!("byte {at}"));
        flip(file, at);
    }
}

#[test]
fn a_flipped_bit_of_a_large_entry_file_is_found() {
    let pond = TestPond::new();
    let (files, paths): (Vec<String>, Vec<String>) =
        (0..30).map(|n| (format!("in/{n}.csv"), format!("/in/{n}.series"))).unzip();
    files.iter().for_each(|file| drop(pond.file(file, noisy_csv(500))));
    pond.ok(["import", "in", "/in"]);
    let readable = |path: &String| {
        let open = Pond::open(&pond.root(), PondOptions::default())?;
        open.series(path)?.batches(TimeRange::default())?.try_for_each(|batch| batch.map(drop))
    };
    let log = files_below(&pond.root().join("log"));
    let entries = log.iter().filter(|path| path.extension().is_some_and(|ending| ending == "parquet"));
    let file = entries.max_by_key(|path| path.metadata().unwrap().len()).unwrap();
    let name = file.file_name().unwrap().to_str().unwrap();
    assert!(name.contains("-x"), "{name}: the digest of a large file leaves content out");
    let size = file.metadata().unwrap().len();
    assert!(size > 256 * 1024, "{size}");
    let (mut opened, mut refused) = (0, 0);
    let ends = (0..size).step_by(997).take(8).chain((size - 4000..size).step_by(97)).chain([size - 1]);
    for at in ends.chain((8000..size).step_by(40_009)) {
        flip(file, at);
        match Pond::open(&pond.root(), PondOptions::default()) {
            Err(error) => {
                refused += 1;
                let error = error.to_string();
                assert!(error.contains("is damaged") && error.contains(name), "byte {at}: {error}");
            }
            Ok(_) => {
                opened += 1;
                let failed: Vec<_> = paths.iter().filter_map(|path| readable(path).err()).collect();
                // What lies between contents is read by nobody.
                assert!(failed.len() <= 1, "byte {at}: {failed:?}");
                assert!(
                    failed.iter().all(|error| error.to_string().contains("is damaged")),
                    "byte {at}: {failed:?}"
                );
            }
        }
        flip(file, at);
    }
    assert!(opened > 3 && refused > 30, "{opened} opened, {refused} refused");
    assert!(paths.iter().all(|path| readable(path).is_ok()));
}

#[test]
fn a_flipped_bit_of_the_log_is_never_taken_for_an_answer() {
    let pond = TestPond::new();
    pond.import("x.csv", "time,v\n2024-01-01,1\n2024-01-02,2\n", "/x.series");
    let listing = pond.ok(["list"]);
    let rows = pond.ok(["cat", "/x.series"]);
    let log = files_below(&pond.root().join("log"));
    for file in log.iter().filter(|path| path.extension().is_some_and(|ending| ending == "parquet")) {
        let size = file.metadata().unwrap().len();
        for at in (0..size).step_by(97) {
            flip(file, at);
            let mut command = pond.command(["list"]);
            let output = command.output().unwrap();
            if output.status.success() {
                let text = String::from_utf8_lossy(&output.stdout);
                assert_eq!(text, listing, "byte {at} of {} changed the answer", file.display());
                let output = pond.command(["cat", "/x.series"]).output().unwrap();
                let text = String::from_utf8_lossy(&output.stdout);
                assert!(!output.status.success() || text == rows, "byte {at} of {}", file.display());
            } else {
                pond.message(&command, &output);
            }
            flip(file, at);
        }
    }
}
