//! The command line: what clap reads, and nothing that acts on it.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use serde::{Deserialize, Serialize};

const EXIT_CODES: &str = "\
Exit codes:
  0  pass
  1  regression
  2  usage or configuration
  3  inconclusive
  4  incomparable, or no baseline where one was required
  5  a cell failed: crash, hang, garbage, wrong answer (in `ci`: a step failed)";

/// Finds, proves and prevents performance regressions of the pond pipeline.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", version, after_help = EXIT_CODES)]
#[command(arg_required_else_help = true, subcommand_required = true)]
pub(crate) struct Cli {
    /// Another workspace root, for tests.
    #[arg(long, env = "PONDMARK_ROOT", hide = true, global = true)]
    pub(crate) root: Option<PathBuf>,
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Measure suites and compare them with their baselines
    Bench(BenchOptions),
    /// Save, list, show, bless or check baselines
    Baseline {
        /// What to do with baselines.
        #[command(subcommand)]
        action: BaselineAction,
    },
    /// Compare two runs or baselines: A is the base, B the head
    Compare(CompareOptions),
    /// Write reports and charts again from the stored samples of runs
    Report(ReportOptions),
    /// Build and run the generator of ponds; every argument goes to it
    #[command(disable_help_flag = true)]
    Datagen {
        /// Arguments for `datagen`.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Say what this machine and its tools are fit for
    Doctor,
    /// Run every check that CI runs, in the same order
    Ci(CiOptions),
}

/// How much to measure, and what to compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Tier {
    /// Counters only: two processes a cell, few warm executions; times are not compared.
    Exact,
    /// Times only: three processes a cell or more; counters are not compared.
    Time,
    /// Both.
    All,
}

/// Options of `bench`.
#[derive(Debug, Args)]
pub(crate) struct BenchOptions {
    /// Suites by name, and filters: a part of a cell's id, `*` for anything. Default: the suite `smoke`
    #[arg(value_name = "SUITE|FILTER")]
    pub(crate) words: Vec<String>,
    /// Compare with this saved baseline or file, and require it; default: the suite's own, if there is one
    #[arg(long, value_name = "BASELINE")]
    pub(crate) against: Option<String>,
    /// What to measure and compare
    #[arg(long, value_enum, default_value = "all")]
    pub(crate) tier: Tier,
    /// Stop repeating after this time, such as 5m or 1h30m; every cell still runs in two processes
    #[arg(long, value_name = "TIME", value_parser = parse_budget)]
    pub(crate) budget: Option<Duration>,
    /// List the cells, and whether they have an expected answer and a baseline
    #[arg(long, conflicts_with_all = ["dry_run", "resume"])]
    pub(crate) list: bool,
    /// Say what would be run, without running it
    #[arg(long, conflicts_with = "resume")]
    pub(crate) dry_run: bool,
    /// Also write report.json to this file
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    /// Continue the latest unfinished run of the same suite, filters, tier and engine
    #[arg(long)]
    pub(crate) resume: bool,
    /// Use this `pond` binary instead of building one
    #[arg(long, value_name = "PATH", env = "PONDMARK_ENGINE")]
    pub(crate) engine: Option<PathBuf>,
}

/// What to do with baselines.
#[derive(Debug, Subcommand)]
pub(crate) enum BaselineAction {
    /// Keep the latest run under a name, on this machine, to compare with later
    Save {
        /// The name.
        name: String,
    },
    /// List committed and saved baselines
    List,
    /// Show what a baseline holds
    Show {
        /// The name or the file.
        name: String,
    },
    /// Make the latest run of each suite its committed baseline
    Bless {
        /// Why the numbers are right.
        #[arg(long)]
        reason: String,
        /// The suites. Default: `smoke`
        suites: Vec<String>,
    },
    /// Check every committed baseline against its suite
    Check,
}

/// Options of `compare`.
#[derive(Debug, Args)]
pub(crate) struct CompareOptions {
    /// The base: a run (id or folder), a baseline (name or file), or `latest`
    pub(crate) a: String,
    /// The head: likewise
    pub(crate) b: String,
}

/// Options of `report`.
#[derive(Debug, Args)]
pub(crate) struct ReportOptions {
    /// Runs, by id or folder. Default: the latest
    pub(crate) runs: Vec<String>,
    /// Print the Markdown report instead of the terminal one
    #[arg(long)]
    pub(crate) markdown: bool,
}

/// Options of `ci`.
#[derive(Debug, Args)]
pub(crate) struct CiOptions {
    /// Steps to run. Default: all
    #[arg(value_name = "STEP")]
    pub(crate) steps: Vec<String>,
}

/// Reads a time such as `90s`, `5m` or `1h30m`.
pub(crate) fn parse_budget(text: &str) -> Result<Duration, String> {
    let wrong = || format!("'{text}' is no time; write it as 90s, 5m or 1h30m");
    let mut seconds: u64 = 0;
    let mut digits = String::new();
    for letter in text.chars() {
        if letter.is_ascii_digit() {
            digits.push(letter);
            continue;
        }
        let unit: u64 = match letter {
            's' => 1,
            'm' => 60,
            'h' => 3600,
            _ => return Err(wrong()),
        };
        let count: u64 = digits.parse().map_err(|_| wrong())?;
        digits.clear();
        seconds = count.checked_mul(unit).and_then(|s| seconds.checked_add(s)).ok_or_else(wrong)?;
    }
    if digits.is_empty() && seconds > 0 { Ok(Duration::from_secs(seconds)) } else { Err(wrong()) }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn budgets_have_units() {
        let check = |text, expect: Option<u64>| {
            assert_eq!(parse_budget(text).ok(), expect.map(Duration::from_secs), "{text}");
        };
        check("90s", Some(90));
        check("5m", Some(300));
        check("1h30m", Some(5400));
        check("5", None);
        check("0s", None);
        check("m", None);
        check("5d", None);
        check("99999999999999999999h", None);
    }
}
