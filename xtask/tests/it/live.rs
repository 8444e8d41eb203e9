//! `bench --live`, in a terminal that `script` of util-linux plays, and without one.

use std::process::Command;

use crate::workspace::Workspace;

/// The width of the terminal.
const COLUMNS: usize = 100;

/// Runs a command in a terminal; returns all that was written to it, without the terminal's commands.
fn in_terminal(command: &Command) -> String {
    let quote = |word: &std::ffi::OsStr| format!("'{}'", word.to_str().unwrap().replace('\'', r"'\''"));
    let words: Vec<String> =
        std::iter::once(command.get_program()).chain(command.get_args()).map(quote).collect();
    let line = format!("stty cols {COLUMNS} rows 40; exec {}", words.join(" "));
    let mut terminal = Command::new("script");
    terminal.args(["--quiet", "--return", "--command", &line, "/dev/null"]);
    terminal.current_dir(command.get_current_dir().unwrap()).env("TERM", "xterm").env_remove("NO_COLOR");
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => terminal.env(name, value),
            None => terminal.env_remove(name),
        };
    }
    let output = terminal.stdin(std::process::Stdio::null()).output().expect("util-linux has script");
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
fn a_terminal_shows_what_is_measured() {
    let workspace = Workspace::new();
    workspace.write("pond.toml", "[thresholds]\nmemory_mib = 30\n");
    let text =
        in_terminal(workspace.command(&["bench", "--live"]).env("FAKE_ENGINE", "open=doze;query=doze"));
    for expect in [
        "  now     prepare smoke/open[size=tiny]",
        "  now     smoke/open[size=tiny]: head, process 1 of 2, cold, then 2 warm",
        " executions/s, 3 so far",
        "  last    smoke/open[size=tiny]: head, warm 2: 1.09 ms",
        "  caches  no look-ups",
        "  memory  30.0 MiB at the peak; 30.0 MiB at most so far, by smoke/open[size=tiny]",
        "  now     smoke/query[]: head, process 2 of 2, cold, then 1 warm",
        "  cells   2 measured, 3 thresholds crossed",
        "warning: smoke/open[size=tiny], cold: resident memory reached 30.0 MiB, and memory_mib allows 30",
        "PASS, nothing compared: smoke: 3 not compared (exit code 0)",
    ] {
        assert!(text.contains(expect), "'{expect}' is not in\n{text}");
    }
    assert_eq!(text.matches("warning: smoke/open[size=tiny]").count(), 1, "{text}");
}

#[test]
fn a_terminal_shows_pairs_in_turn() {
    let workspace = Workspace::new();
    let old = crate::beside::old_engine(&workspace);
    let arguments = ["bench", "smoke/open[size=tiny]", "--live", "--against", &old, "--no-confirm"];
    let text = in_terminal(workspace.command(&arguments).env("FAKE_ENGINE", "open=percent-0"));
    for expect in [
        "  now     smoke/open[size=tiny]: base and head, pair 1 of 24, cold, then 9 warm",
        "  now     smoke/open[size=tiny]: base of the canary and head of the canary, pair 1 of 24, cold",
        "2/2  0 s, at most ",
        " s left\n  now     smoke/open[size=tiny]: base and head, pair 2 of 24",
        "PASS: smoke: 1 unchanged (exit code 0)",
    ] {
        assert!(text.contains(expect), "'{expect}' is not in\n{text}");
    }
}

#[test]
fn without_live_the_line_is_as_it_was() {
    let workspace = Workspace::new();
    let text = in_terminal(&workspace.command(&["bench", "query"]));
    assert!(text.contains("0/2  smoke/query[]\n"), "{text}");
    assert!(!text.contains("  now  "), "{text}");
}

#[test]
fn nothing_of_it_is_written_without_a_terminal() {
    let workspace = Workspace::new();
    let plain = workspace.expect(0, "", &["bench"]);
    let live = workspace.expect(0, "", &["bench", "--live"]);
    assert_eq!(live.stderr, plain.stderr);
    assert!(!live.stderr.contains('\x1b') && !live.stderr.contains("executions/s"), "{}", live.stderr);
}
