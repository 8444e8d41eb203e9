//! `cargo xtask doctor`: what this machine and its tools are fit for, and what is missing.

use std::path::Path;

use scenarios::Cell;

use super::print;
use crate::cli::Cli;
use crate::exit::Exit;
use crate::fingerprint::{self, Machine, output_of};
use crate::paths::Paths;
use crate::profile::Sampler;
use crate::{selection, units, work_folder};

const LOW_DISK_BYTES: u64 = 10 << 30;
const HIGH_STEAL: f64 = 0.01;

/// How a finding bears on the results.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Level {
    Good,
    Advice,
    Broken,
}

/// One line of the report.
#[derive(Clone, Debug)]
struct Line {
    level: Level,
    subject: &'static str,
    text: String,
}

/// Runs the command.
pub(crate) fn run(paths: &Paths) -> anyhow::Result<Exit> {
    let machine = Machine::read();
    let mut lines = machine_lines(&machine);
    lines.push(disk(paths));
    lines.push(work_line(paths));
    lines.extend(noise_lines(&machine));
    lines.push(good("git", git(&paths.root)));
    lines.extend(tool_lines(&paths.root));
    lines.push(perf_line());
    lines.extend(workspace_lines(paths)?);
    let mut out = String::new();
    for line in &lines {
        let mark = match line.level {
            Level::Good => "ok    ",
            Level::Advice => "note  ",
            Level::Broken => "BROKEN",
        };
        out.push_str(&format!("{mark}  {:12}  {}\n", line.subject, line.text));
    }
    let count = |level| lines.iter().filter(|line| line.level == level).count();
    let broken = count(Level::Broken);
    out.push_str(&format!("\n{} notes, {broken} broken\n", count(Level::Advice)));
    print(&out)?;
    Ok(if broken > 0 { Exit::Usage } else { Exit::Pass })
}

fn good(subject: &'static str, text: impl Into<String>) -> Line {
    Line { level: Level::Good, subject, text: text.into() }
}

fn advice(subject: &'static str, text: impl Into<String>) -> Line {
    Line { level: Level::Advice, subject, text: text.into() }
}

fn machine_lines(machine: &Machine) -> Vec<Line> {
    let mut lines = vec![
        good("processor", format!("{}, {} cores", machine.cpu, machine.cores)),
        good("memory", format!("{} GiB", machine.memory_gib)),
        good("system", format!("{}, kernel {}", machine.os, machine.kernel)),
        good("toolchain", machine.rustc.clone()),
    ];
    if machine.cpu == "unknown" || machine.memory_gib == 0 {
        let text = "the machine is not fully known, so times cannot be told to be from the same one";
        lines.push(advice("fingerprint", text));
    }
    if machine.cores < 2 {
        lines.push(advice("processor", "one core: the harness and the engine disturb each other's times"));
    }
    lines
}

fn disk(paths: &Paths) -> Line {
    let folder = if paths.target.is_dir() { &paths.target } else { &paths.root };
    let table = output_of("df", &["-Pk", &folder.to_string_lossy()], Path::new("."));
    match table.as_deref().and_then(free_bytes) {
        Some(free) if free < LOW_DISK_BYTES => {
            let text = format!("{} free; ponds and builds may not fit", units::bytes(free));
            advice("disk", text)
        }
        Some(free) => good("disk", format!("{} free at {}", units::bytes(free), folder.display())),
        None => advice("disk", "free space is not known: df gave no answer"),
    }
}

/// Finds the free space in the output of `df -Pk`.
fn free_bytes(table: &str) -> Option<u64> {
    let kib: u64 = table.lines().last()?.split_whitespace().nth(3)?.parse().ok()?;
    Some(kib * 1024)
}

fn noise_lines(machine: &Machine) -> Vec<Line> {
    let read = |path: &str| std::fs::read_to_string(path).ok();
    let mut lines = Vec::new();
    let load: Option<f64> =
        read("/proc/loadavg").and_then(|text| text.split_whitespace().next()?.parse().ok());
    lines.push(match load {
        Some(load) if load > machine.cores as f64 / 2.0 => {
            advice("load", format!("{load}: something else is running; times will be noisy"))
        }
        Some(load) => good("load", format!("{load}")),
        None => advice("load", "not visible here"),
    });
    lines.push(match read("/proc/stat").as_deref().and_then(steal_share) {
        Some(share) if share > HIGH_STEAL => {
            let text = "of the time since boot was taken by other guests; times will be noisy";
            advice("steal", format!("{:.1} % {text}", share * 100.0))
        }
        Some(share) => good("steal", format!("{:.2} % since boot", share * 100.0)),
        None => advice("steal", "not visible here"),
    });
    lines.push(match read("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor") {
        Some(governor) if governor.trim() == "performance" => good("governor", "performance"),
        Some(governor) => {
            advice("governor", format!("{}; 'performance' makes times steadier", governor.trim()))
        }
        None => advice("governor", "not visible here, as in most virtual machines"),
    });
    lines
}

/// Finds the share of processor time taken by other guests in the text of `/proc/stat`.
fn steal_share(stat: &str) -> Option<f64> {
    let line = stat.lines().find(|line| line.starts_with("cpu "))?;
    let times: Vec<u64> = line.split_whitespace().skip(1).filter_map(|time| time.parse().ok()).collect();
    // The last two columns, time of guests, are counted in the first two already.
    let total: u64 = times.iter().take(8).sum();
    (total > 0).then_some(*times.get(7)? as f64 / total as f64)
}

fn git(root: &Path) -> String {
    match fingerprint::revision(root).as_str() {
        "unknown" => "no revision: records say 'unknown'".to_owned(),
        revision => revision.to_owned(),
    }
}

fn tool_lines(root: &Path) -> Vec<Line> {
    const TOOLS: [(&str, &str, &[&str], &str, &str); 7] = [
        ("clippy", "cargo", &["clippy", "--version"], "the ci step clippy", "rustup component add clippy"),
        ("rustfmt", "cargo", &["fmt", "--version"], "the ci step fmt", "rustup component add rustfmt"),
        (
            "cargo-deny",
            "cargo",
            &["deny", "--version"],
            "the ci step deny",
            "cargo install cargo-deny --locked",
        ),
        ("zizmor", "zizmor", &["--version"], "the ci step workflows", "pip install zizmor"),
        (
            "valgrind",
            "valgrind",
            &["--version"],
            "instruction counts of small benchmarks",
            "apt install valgrind",
        ),
        (
            "python3",
            "python3",
            &[
                "-c",
                "import ensurepip, platform, venv; print('Python', platform.python_version(), 'with venv')",
            ],
            "the comparison with peers (cargo xtask bench peers)",
            "apt install python3-venv",
        ),
        ("chromium", "chromium", &["--version"], "pictures of HTML pages", "apt install chromium"),
    ];
    let mut lines = Vec::new();
    for (name, program, arguments, cost, install) in TOOLS {
        lines.push(match output_of(program, arguments, root) {
            Some(version) => good(name, version.lines().next().unwrap_or_default()),
            None => advice(name, format!("missing; it costs {cost}; install it: {install}")),
        });
    }
    lines
}

fn perf_line() -> Line {
    match Sampler::find() {
        Ok(sampler) => good("perf", sampler.text()),
        Err(message) => {
            advice("perf", format!("it costs the flame graphs of cargo xtask profile: {message}"))
        }
    }
}

fn work_line(paths: &Paths) -> Line {
    match work_folder::doubt(&paths.work) {
        Some(doubt) => advice("work folder", doubt),
        None => good("work folder", paths.work.display().to_string()),
    }
}

fn workspace_lines(paths: &Paths) -> anyhow::Result<Vec<Line>> {
    use clap::CommandFactory as _;

    let mut lines = Vec::new();
    let broken = |subject, text| Line { level: Level::Broken, subject, text };
    let suites = selection::suite_names(&paths.suites()).unwrap_or_default();
    if suites.is_empty() {
        lines.push(broken("suites", format!("none in {}", paths.suites().display())));
    }
    for name in &suites {
        match selection::read_suite(&paths.suites(), name) {
            Ok(suite) => {
                let cells = suite.cells();
                let is_open = |cell: &&Cell| cell.expected.is_none() && !cell.workload.is_micro();
                let open = cells.iter().filter(is_open).count();
                let blessed = if paths.baseline_of(name).is_file() { "baseline" } else { "no baseline" };
                let text = format!("{name}: {} cells, {open} without an answer, {blessed}", cells.len());
                lines.push(if open > 0 { advice("suite", text) } else { good("suite", text) });
            }
            Err(error) => lines.push(broken("suite", format!("{error:#}"))),
        }
    }
    for fault in super::baseline::faults(paths)? {
        lines.push(broken("baseline", fault));
    }
    lines.push(good("harness", format!("xtask {}", Cli::command().get_version().unwrap_or("unknown"))));
    Ok(lines)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steal_is_a_share_of_all_time() {
        let check = |text, expect| assert_eq!(steal_share(text), expect, "{text}");
        check("cpu  50 0 20 20 0 0 0 10 5 5\ncpu0 1 1 1 1 1 1 1 1 0 0\n", Some(0.1));
        check("cpu  1 2 3\n", None);
        check("", None);
    }

    #[test]
    fn free_space_is_the_fourth_column() {
        let table = "Filesystem 1024-blocks Used Available Capacity Mounted on\n/dev/vda 100 40 60 40% /";
        assert_eq!(free_bytes(table), Some(60 * 1024));
        assert_eq!(free_bytes("nothing"), None);
    }
}
