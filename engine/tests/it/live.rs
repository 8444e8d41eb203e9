//! `pond export --live` in a terminal that `script` of util-linux plays, and without one; thresholds of a pond.

use std::fmt::Write as _;
use std::process::{Command, Stdio};

use crate::pond_command::TestPond;

/// Hours that each of the series below has.
const HOURS: usize = 700;

/// Makes a pond of three series of one row an hour: an export by hours writes a file for each row.
fn pond() -> TestPond {
    let pond = TestPond::new();
    let mut csv = "time,buoy,level\n".to_owned();
    for hour in 0..HOURS {
        let (day, hour) = (1 + hour / 24, hour % 24);
        for buoy in ["east", "north", "west"] {
            writeln!(csv, "2024-01-{day:02}T{hour:02}:00:00Z,{buoy},{hour}.5").unwrap();
        }
    }
    pond.file("buoys.csv", csv);
    pond.ok(["import", "buoys.csv", "/buoys", "--split-by", "buoy"]);
    pond
}

fn export<'a>(more: &[&'a str]) -> Vec<&'a str> {
    let export = ["export", "-p", "/buoys/*.series", "--dir", "out", "--temporal", "year,month,day,hour"];
    [&export[..], &["--jobs", "1"], more].concat()
}

/// The width of the terminal.
const COLUMNS: usize = 100;

/// Runs a command in a terminal; returns all that was written to it, without the terminal's commands.
fn in_terminal(command: &Command) -> String {
    let quote = |word: &std::ffi::OsStr| format!("'{}'", word.to_str().unwrap().replace('\'', r"'\''"));
    let words: Vec<String> =
        std::iter::once(command.get_program()).chain(command.get_args()).map(quote).collect();
    let line = format!("stty cols {COLUMNS} rows 40; exec {}", words.join(" "));
    let mut terminal = Command::new("script");
    terminal.args(["--quiet", "--return", "--command", &line, "/dev/null"]).stdin(Stdio::null());
    terminal.current_dir(command.get_current_dir().unwrap());
    command.get_envs().for_each(|(name, value)| {
        value.map(|value| terminal.env(name, value));
    });
    let output =
        terminal.env("TERM", "xterm").env_remove("NO_COLOR").output().expect("util-linux has script");
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{}: {text}", output.status);
    plain(&text)
}

/// Leaves out the commands of a terminal; each of its lines becomes a line, one after the other.
fn plain(text: &str) -> String {
    let mut plain = String::new();
    let mut column = 0;
    let mut rest = text.chars();
    while let Some(letter) = rest.next() {
        if letter == '\x1b' {
            // `[`, numbers, and a letter that ends it.
            rest.find(char::is_ascii_alphabetic);
        }
        let begins_a_line = ['\x1b', '\r', '\n'].contains(&letter);
        if begins_a_line || column == COLUMNS {
            plain.push('\n');
            column = 0;
        }
        if !begins_a_line {
            plain.push(letter);
            column += 1;
        }
    }
    let lines = plain.lines().map(str::trim_end).filter(|line| !line.is_empty());
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn a_terminal_shows_what_is_exported() {
    let pond = pond();
    let text = in_terminal(&pond.command(export(&["--live"])));
    for expect in [
        "exporting [",
        "/3 series  0 s",
        "  now     /buoys/",
        " %",
        " rows/s, ",
        " files written",
        "  caches  hits: ",
        "schema 0 % of ",
        "  memory  ",
        " at the peak; ",
        "exported 3 series, 2100 rows, 2100 files",
    ] {
        assert!(text.contains(expect), "'{expect}' is not in\n{text}");
    }
    let plain = in_terminal(&pond.command(export(&[])));
    assert!(!plain.contains("  now  "), "{plain}");
}

#[test]
fn nothing_of_it_is_written_without_a_terminal() {
    let pond = pond();
    // `ok` requires that standard error stays empty.
    let told = pond.ok(export(&["--live"]));
    assert!(told.starts_with("exported 3 series, 2100 rows, 2100 files, "), "{told}");
    assert_eq!(told.lines().count(), 1);
}

/// Runs an export with thresholds; returns standard output, and standard error.
fn with_thresholds(pond: &TestPond, thresholds: &str, more: &[&str]) -> (String, String) {
    pond.file("pond/pond.toml", format!("[thresholds]\n{thresholds}\n"));
    let output = pond.command(export(more)).output().unwrap();
    let (stdout, stderr) = (pond.plain(&output.stdout), pond.plain(&output.stderr));
    assert!(output.status.success(), "{}: {stderr}", output.status);
    (stdout, stderr)
}

#[test]
fn a_crossed_threshold_warns_once_and_is_reported() {
    let pond = pond();
    let (stdout, stderr) = with_thresholds(&pond, "memory_mib = 1", &[]);
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
    let warning = stderr.strip_prefix("warning: ").unwrap();
    let (crossing, advice) = warning.trim_end().split_once("; ").unwrap();
    assert!(crossing.starts_with("resident memory reached "), "{crossing}");
    assert!(crossing.ends_with(" MiB, and memory_mib allows 1"), "{crossing}");
    assert_eq!(advice, "try fewer series at a time (--jobs), or smaller caches (--set cache_bytes=…)");
    let lines: Vec<&str> = stdout.lines().collect();
    assert!(lines[0].starts_with("exported 3 series, "), "{stdout}");
    assert_eq!(lines[1..], [format!("threshold crossed: {crossing}")]);
}

#[test]
fn what_is_not_crossed_says_nothing() {
    let pond = pond();
    let limits = "memory_mib = 100000\nstore_errors = 0\nplanning_ms = 600000\nio_wait_percent = 100";
    let (stdout, stderr) = with_thresholds(&pond, limits, &[]);
    assert_eq!((stdout.lines().count(), stderr.as_str()), (1, ""));
    // Three look-ups say little.
    let (stdout, stderr) = with_thresholds(&pond, "cache_miss_percent = 0", &["--replace"]);
    assert_eq!((stdout.lines().count(), stderr.as_str()), (1, ""));
}

#[test]
fn misses_and_planning_are_judged() {
    let pond = pond();
    let limits = "cache_miss_percent = 99\ncache_lookups_min = 3\nplanning_ms = 0";
    let (stdout, stderr) = with_thresholds(&pond, limits, &["--set", "copy=sql"]);
    let crossed = |text: &str| text.lines().filter(|line| line.contains("threshold crossed: ")).count();
    assert!(stdout.contains("threshold crossed: cache schema missed 100.0 % of 3 look-ups"), "{stdout}");
    assert!(stdout.contains("threshold crossed: planning took "), "{stdout}");
    assert_eq!(stderr.lines().count(), crossed(&stdout), "{stderr}");
    // What is off misses always, and nobody need be told.
    let (stdout, _) = with_thresholds(&pond, limits, &["--set", "caches=off", "--replace"]);
    assert_eq!(crossed(&stdout), 0, "{stdout}");
}

#[test]
fn an_unknown_threshold_is_refused_by_every_command() {
    let pond = TestPond::new();
    pond.file("pond/pond.toml", "[knobs]\njobs = 2\n\n[thresholds]\nmemory_mb = 10\n");
    let expect =
        "pond: [TEMP]/pond/pond.toml:5: unknown key 'memory_mb' in [thresholds]; did you mean 'memory_mib'?";
    assert_eq!(pond.fails(["list"]), expect);
    pond.file("pond/pond.toml", "[threshold]\n");
    assert_eq!(
        pond.fails(["list"]),
        "pond: [TEMP]/pond/pond.toml:1: unknown table 'threshold'; write [knobs] or [thresholds]"
    );
}
