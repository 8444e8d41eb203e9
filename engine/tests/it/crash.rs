//! Kills at random moments: what was committed is there whole, what was not is not there at all.

use std::collections::BTreeSet;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::pond_command::{TestPond, digests, files_below};

const KILLS: u64 = 50;

/// Decides the moments of the kills: at random within a span of time, which follows what the kills find. About as many
/// fall before the change as after it, however busy the machine is and becomes.
struct Moments {
    /// The state of the generator, whose seed is printed, and taken from `CRASH_SEED` if that is set.
    state: u64,
    span: Duration,
}

impl Moments {
    fn within(span: Duration) -> Self {
        let seed = std::env::var("CRASH_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(20_240_229);
        println!("CRASH_SEED={seed}");
        Self { state: seed, span }
    }

    fn next(&mut self) -> Duration {
        self.state =
            self.state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.span.mul_f64((self.state >> 33) as f64 / (1u64 << 31) as f64)
    }

    /// Makes the span shorter if the last kill came after the change, and longer if it came before.
    fn follow(&mut self, changed: bool) {
        self.span = self.span.mul_f64(if changed { 0.8 } else { 1.25 });
    }
}

/// Runs a command and kills it after some time; tells whether it had ended by itself.
fn kill_after(command: &mut Command, moment: Duration) -> bool {
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    sleep(moment);
    let ended = child.try_wait().unwrap().is_some();
    // A child that has ended meanwhile cannot be killed; it is waited for in any case.
    let _ = child.kill();
    child.wait().unwrap();
    ended
}

fn duration_of(command: &mut Command) -> Duration {
    let begin = Instant::now();
    assert!(command.output().unwrap().status.success());
    begin.elapsed()
}

/// Lists the pond's paths.
fn paths(pond: &TestPond) -> BTreeSet<String> {
    pond.ok(["list", "-1"]).lines().map(str::to_owned).collect()
}

/// Writes three source files for one import; the last is kept as a file of its own, the others inline.
fn sources(pond: &TestPond, name: &str, number: u64) {
    for (file, rows) in [("a", 3), ("b", 40), ("c", 6000)] {
        let noise = |row: u64| (row + number).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let rows: String =
            (0..rows).map(|row| format!("{},{}\n", 1_700_000_000 + row * 600, noise(row))).collect();
        pond.file(&format!("{name}/{file}.csv"), format!("ts,v\n{rows}"));
    }
}

#[test]
fn killed_imports_are_whole_or_nothing() {
    let pond = TestPond::new();
    sources(&pond, "warm", 0);
    let mut moments = Moments::within(duration_of(&mut pond.command(["import", "warm", "/warm"])));
    let mut expect = paths(&pond);
    let (mut committed, mut lost) = (0, 0);
    for number in 1..=KILLS {
        let name = format!("in{number}");
        sources(&pond, &name, number);
        let target = format!("/{name}");
        let ended = kill_after(&mut pond.command(["import", &name, &target]), moments.next());
        let found = paths(&pond);
        let mut with = expect.clone();
        with.insert(target.clone());
        with.extend(["a", "b", "c"].map(|file| format!("{target}/{file}.series")));
        moments.follow(found == with);
        if found == with {
            committed += 1;
        } else {
            assert_eq!(found, expect, "kill {number} left a part of a transaction");
            assert!(!ended, "import {number} ended and is not there");
            lost += 1;
            pond.ok(["import", &name, &target]);
        }
        assert_eq!(paths(&pond), with, "the rerun completes kill {number}");
        expect = with;
        for (file, rows) in [("a", 3), ("b", 40), ("c", 6000)] {
            let sql = "SELECT count(v) AS n FROM source";
            let count = pond.ok(["cat", &format!("{target}/{file}.series"), "--sql", sql, "--format", "csv"]);
            assert_eq!(count, format!("n\n{rows}\n"), "kill {number}: {file}");
        }
    }
    println!("{committed} committed, {lost} lost");
    assert!(committed > 0 && lost > 0, "kills must fall before and after the commit");
    assert_eq!(pond.left_behind(), Vec::<std::path::PathBuf>::new());
    assert_eq!(pond.ok(["log"]).lines().count() as u64, 1 + 2 + KILLS);
}

#[test]
fn a_killed_init_is_taken_over() {
    let pond = TestPond::without();
    let mut moments = Moments::within(duration_of(&mut pond.command(["init"])));
    let (mut made, mut killed) = (0, 0);
    for number in 1..=KILLS {
        std::fs::remove_dir_all(pond.root()).unwrap();
        kill_after(&mut pond.command(["init"]), moments.next());
        let whole = pond.root().join("pond.json").exists();
        moments.follow(whole);
        if whole {
            made += 1;
            assert!(pond.fails(["init"]).contains("is not an empty folder"), "kill {number}");
        } else {
            killed += 1;
            pond.ok(["init"]);
        }
        assert_eq!(pond.ok(["log"]).lines().count(), 2, "kill {number}");
        assert_eq!(pond.left_behind(), Vec::<std::path::PathBuf>::new());
    }
    println!("{made} made, {killed} killed");
    assert!(made > 0 && killed > 0, "kills must fall before and after the end");
}

#[test]
fn what_is_no_killed_init_is_not_taken_over() {
    for files in [
        &["lock", "notes.txt"][..],
        &["lock", "log/notes.txt"],
        &["lock", "content/ab/cd"],
        &["lock", "log/_delta_log/00000000000000000002.json"],
        &["log/_delta_log/00000000000000000000.json"],
    ] {
        let pond = TestPond::without();
        files.iter().for_each(|name| drop(pond.file(&format!("pond/{name}"), "")));
        let before = files_below(&pond.root());
        let output = pond.command(["init"]).output().unwrap();
        assert!(!output.status.success(), "{files:?}");
        assert_eq!(files_below(&pond.root()), before, "{files:?}");
    }
    let pond = TestPond::new();
    pond.import("x.csv", "time,v\n2024-01-01,1\n", "/x.series");
    std::fs::remove_file(pond.root().join("pond.json")).unwrap();
    assert!(
        !pond.command(["init"]).output().unwrap().status.success(),
        "a pond without its head is no killed init"
    );
}

/// A pond with three series of 125 days.
fn hourly_months() -> TestPond {
    let pond = TestPond::new();
    for name in ["x", "y", "z"] {
        let rows: String =
            (0..3000).map(|row| format!("{},{}\n", 1_700_000_000 + row * 3600, row % 97)).collect();
        pond.import("x.csv", &format!("ts,v\n{rows}"), &format!("/{name}.series"));
    }
    pond
}

/// Exports all series from a day on, by month.
fn months_since(start: &'static str, incremental: &str) -> [String; 11] {
    let set = format!("incremental={incremental}");
    ["export", "-p", "/*.series", "-d", "out", "--temporal", "year,month", "--start", start, "--set", &set]
        .map(str::to_owned)
}

#[test]
fn killed_exports_of_everything_leave_the_old_one_or_the_new_one() {
    let pond = hourly_months();
    let (one, two) = (months_since("2023-01-01", "off"), months_since("2024-01-01", "off"));
    pond.ok(&two);
    let new = digests(&pond.path("out"));
    let mut moments = Moments::within(duration_of(&mut pond.command(&one)));
    let old = digests(&pond.path("out"));
    assert_ne!(old, new);
    let (mut exported, mut kept) = (0, 0);
    for number in 1..=KILLS {
        kill_after(&mut pond.command(&two), moments.next());
        let found = digests(&pond.path("out"));
        assert!(found == old || found == new, "kill {number} left a mixture");
        moments.follow(found == new);
        if found == new {
            exported += 1
        } else {
            kept += 1
        }
        pond.ok(&one);
        assert_eq!(digests(&pond.path("out")), old);
        assert!(!pond.path(".out.pond-export").exists(), "kill {number} left a folder aside");
    }
    println!("{exported} exported, {kept} kept");
    assert!(exported > 0 && kept > 0, "kills must fall before and after the exchange");
    // A first export that is killed leaves nothing or everything.
    for number in 1..=10 {
        std::fs::remove_dir_all(pond.path("out")).unwrap();
        kill_after(&mut pond.command(&one), moments.next());
        let found = digests(&pond.path("out"));
        assert!(found.is_empty() || found == old, "kill {number} left a part");
        moments.follow(found == old);
        pond.ok(&one);
        assert!(!pond.path(".out.pond-export").exists());
    }
}

#[test]
fn killed_merges_leave_whole_files_and_are_ended_by_the_next_export() {
    let pond = hourly_months();
    // January differs, and the months after it do not.
    let (one, two) = (months_since("2023-01-01", "on"), months_since("2024-01-15", "on"));
    pond.ok(&two);
    let new = digests(&pond.path("out"));
    let mut moments = Moments::within(duration_of(&mut pond.command(&one)));
    let old = digests(&pond.path("out"));
    assert!(new.iter().any(|file| old.contains(file)) && new.iter().any(|file| !old.contains(file)));
    let mut ends = [0; 3];
    for number in 1..=KILLS {
        kill_after(&mut pond.command(&two), moments.next());
        let found = digests(&pond.path("out"));
        moments.follow(found == new);
        assert!(
            found.iter().all(|file| old.contains(file) || new.contains(file)),
            "kill {number} left a part"
        );
        ends[if found == old {
            0
        } else if found == new {
            1
        } else {
            2
        }] += 1;
        // Whichever export comes next, it leaves what it would leave anywhere.
        let (next, expect) = if number.is_multiple_of(2) { (&one, &old) } else { (&two, &new) };
        pond.ok(next);
        assert_eq!(digests(&pond.path("out")), *expect, "kill {number}");
        assert!(!pond.path(".out.pond-export").exists(), "kill {number} left a folder aside");
        pond.ok(&one);
        assert_eq!(digests(&pond.path("out")), old, "kill {number}");
    }
    println!("{ends:?}: as before, as after, between");
    assert!(ends[0] > 0 && ends[1] > 0, "kills must fall before and after the merge");
}

#[test]
fn kills_while_the_log_is_folded_lose_nothing() {
    let pond = TestPond::new();
    pond.file("x.csv", "time,v\n2024-01-01,1\n");
    let mut moments = Moments::within(duration_of(&mut pond.command(["import", "x.csv", "/x.series"])) * 22);
    let (mut versions, mut kills) = (1, 0);
    // At least a dozen kills, and enough commits that folding and checkpoints are met.
    while kills < 12 || versions <= 70 {
        kills += 1;
        assert!(kills < 100, "{versions} commits after {kills} kills");
        // Twenty small imports in a row, of which some shell is killed in between.
        let script = "for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do \"$0\" import x.csv /x.series || exit; echo; done";
        let mut command = Command::new("sh");
        command.arg("-c").arg(script).arg(env!("CARGO_BIN_EXE_pond")).current_dir(pond.path(""));
        command.env("POND", pond.root()).stdout(Stdio::piped()).stderr(Stdio::null());
        // The shell leads a group of its own, so that its children die with it.
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let child = command.spawn().unwrap();
        sleep(moments.next());
        let killed = Command::new("kill")
            .args(["-9", "--", &format!("-{}", child.id())])
            .stderr(Stdio::null())
            .status();
        assert!(killed.is_ok());
        let output = child.wait_with_output().unwrap();
        let acknowledged = output.stdout.iter().filter(|byte| **byte == b'\n').count() / 3;
        let state = pond.ok(["describe", "/x.series"]);
        let rows: usize = state.lines().nth(1).unwrap().split_whitespace().next().unwrap().parse().unwrap();
        assert!(
            (versions + acknowledged..=versions + acknowledged + 1).contains(&rows),
            "{versions} before, {acknowledged} acknowledged, {rows} found"
        );
        assert_eq!(pond.ok(["log"]).lines().count(), 2 + rows, "history is complete");
        // Half of the kills come after ten imports.
        moments.follow(rows - versions >= 10);
        versions = rows;
    }
    pond.ok(["import", "x.csv", "/x.series"]);
    assert!(files_below(&pond.root().join("tmp")).is_empty());
}
