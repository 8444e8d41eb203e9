//! The command line: what clap reads, and nothing that acts on it.

mod github;
mod history;
mod report;

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use serde::{Deserialize, Serialize};

pub(crate) use github::{CommentOptions, GithubAction};
pub(crate) use history::{HistoryAction, HistoryAdd, HistoryCommand, HistoryPlace, HistoryShow};
pub(crate) use report::{MarkdownFor, ReportOptions};

const EXIT_CODES: &str = "\
Exit codes:
  0  pass
  1  regression
  2  usage or configuration
  3  inconclusive
  4  incomparable, or no baseline where one was required
  5  a cell failed: crash, hang, garbage, wrong answer (in `ci`: a step failed)
  130, 143  interrupted by Ctrl-C or SIGTERM";

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
    Bench(BenchCommand),
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
    /// Keep runs in a history, and find where cells changed in it
    History(HistoryCommand),
    /// Measure the promises of the ledger, each with its two settings of knobs, and write docs/CLAIMS.md
    Claims(ClaimsOptions),
    /// Build and run the generator of ponds; every argument goes to it
    #[command(disable_help_flag = true)]
    Datagen {
        /// Arguments for `datagen`.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Say how a cell is answered: plans, what was found about them, accesses; or where two engines differ in that
    Explain(ExplainOptions),
    /// Say where the processor time of a cell goes, and where that of two engines differs; draws flame graphs
    Profile(ProfileOptions),
    /// Find the commit that made a cell slower, or its counters worse
    Bisect(BisectOptions),
    /// Compare what is the same and plant faults, to see how far the gate can be trusted
    Selftest(SelftestOptions),
    /// What the workflows ask of GitHub
    Github {
        /// What to do.
        #[command(subcommand)]
        action: GithubAction,
    },
    /// Say what this machine and its tools are fit for
    Doctor,
    /// Run every check that CI runs, in the same order
    Ci(CiOptions),
    /// Run a command that ends when the harness that has started this is gone
    #[command(hide = true)]
    Guard {
        /// The command.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, required = true)]
        words: Vec<OsString>,
    },
}

impl Command {
    /// Tells whether it starts engines, which must end with it.
    pub(crate) fn measures(&self) -> bool {
        matches!(
            self,
            Self::Bench(_)
                | Self::Claims(_)
                | Self::Explain(_)
                | Self::Profile(_)
                | Self::Bisect(_)
                | Self::Selftest(_)
        )
    }
}

/// How much to measure, and what to compare.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Tier {
    /// Counters only: two processes a cell, few warm executions; times are not compared.
    Exact,
    /// Times only: three processes a cell or more; counters are not compared.
    Time,
    /// Both.
    #[default]
    All,
}

/// `bench` of suites, or of what is no suite.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, disable_help_subcommand = true)]
pub(crate) struct BenchCommand {
    /// What is measured instead of suites.
    #[command(subcommand)]
    pub(crate) instead: Option<BenchInstead>,
    /// Options of suites.
    #[command(flatten)]
    pub(crate) suites: BenchOptions,
}

/// What `bench` can measure instead of suites.
#[derive(Debug, Subcommand)]
pub(crate) enum BenchInstead {
    /// Measure the same tasks with the engine and with DuckDB, Polars and pyarrow, in turn
    Peers(PeersOptions),
    /// Measure what stages and counters cost: exports by the engine with and without them, at once
    Overhead(OverheadOptions),
}

/// Options of `bench overhead`.
#[derive(Debug, Args)]
#[command(after_help = "\
The functions of the engines are put into random orders by the linker, which must be LLD (rustc's own on x86-64 Linux);
those that both engines have alike lie at the same places in both. Both engines of a pair run at once on one core.
A run on the medium pond writes its result into docs/METHODOLOGY.md.")]
pub(crate) struct OverheadOptions {
    /// The generated pond to export
    #[arg(long, value_enum, default_value = "medium")]
    pub(crate) size: PondSize,
    /// Orders in which the functions of both engines lie in memory
    #[arg(long, value_name = "N", default_value_t = 12, value_parser = clap::value_parser!(u32).range(2..=100))]
    pub(crate) layouts: u32,
    /// Pairs of exports in each of them
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u32).range(6..=10_000))]
    pub(crate) pairs: u32,
}

/// Options of `bench peers`.
#[derive(Debug, Args)]
#[command(after_help = "\
Python packages are installed into target/pondmark/peers-venv, in the versions of xtask/src/peers/requirements.txt.
A run of both sizes writes docs/PEERS.md and docs/images/peers.*; any run writes target/pondmark/peers/TIME/.")]
pub(crate) struct PeersOptions {
    /// The generated ponds to measure on
    #[arg(long = "size", value_enum, value_delimiter = ',', default_values = ["small", "medium"])]
    pub(crate) sizes: Vec<PondSize>,
    /// Fresh processes of each contender; every mode of a peer has one, its best ones have all
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) rounds: u32,
    /// Use this `pond` binary instead of building one
    #[arg(long, value_name = "PATH", env = "PONDMARK_ENGINE")]
    pub(crate) engine: Option<PathBuf>,
    /// Use this Python, and the packages it has, instead of a private environment
    #[arg(long, value_name = "PATH")]
    pub(crate) python: Option<PathBuf>,
}

/// The generated ponds on which what is no suite is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum PondSize {
    /// Eight series of two days, to try the command
    Tiny,
    /// 100 series of a day
    Small,
    /// 1,000 series of a week
    Medium,
}

impl PondSize {
    /// Returns the name that the generator knows.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Tiny => "tiny",
            Self::Small => "small",
            Self::Medium => "medium",
        }
    }
}

/// Options of `bench` of suites.
#[derive(Debug, Default, Args)]
pub(crate) struct BenchOptions {
    /// Suites by name, and filters: a part of a cell's id, `*` for anything. Default: the suite `smoke`
    #[arg(value_name = "SUITE|FILTER")]
    pub(crate) words: Vec<String>,
    /// Compare with a saved baseline or its file; or with a revision or a `pond` binary, which is measured beside the
    /// working tree. `merge-base:BRANCH` is the commit at which HEAD left that branch. Default: the suite's own
    /// baseline, if there is one
    #[arg(long, value_name = "BASELINE|REVISION|BINARY")]
    pub(crate) against: Option<String>,
    /// Beside a revision: pairs of processes for each cell, at most
    #[arg(long, value_name = "N", default_value_t = 24, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) pairs: u32,
    /// Beside a revision: slowdowns up to this many percent are no regression. Default: the larger of 1 and what the
    /// self-test saw builds of the same code differ by on this machine
    #[arg(long, value_name = "PERCENT", value_parser = parse_percent)]
    pub(crate) margin: Option<u32>,
    /// Beside a revision: measure even if both engines are the same
    #[arg(long)]
    pub(crate) force: bool,
    /// Beside a revision: do not build both sides with another layout to see a regression again
    #[arg(long)]
    pub(crate) no_confirm: bool,
    /// Beside a revision: draw where the processor time of each regressed cell goes, if perf is there
    #[arg(long, requires = "against")]
    pub(crate) profile: bool,
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
    /// Show on the terminal what is measured, how fast, what caches do, and memory; drawn between executions
    #[arg(long)]
    pub(crate) live: bool,
    /// Continue the latest unfinished run of the same suite, filters, tier and engine
    #[arg(long)]
    pub(crate) resume: bool,
    /// Use this `pond` binary instead of building one
    #[arg(long, value_name = "PATH", env = "PONDMARK_ENGINE")]
    pub(crate) engine: Option<PathBuf>,
    /// End with 0 instead of 3 where nothing could be decided, as on a noisy machine; the report says it all the same
    #[arg(long)]
    pub(crate) allow_inconclusive: bool,
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
        /// Let counters gate that repeat now and did not when the replaced baseline was measured
        #[arg(long)]
        gate_again: bool,
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

/// Options of `claims`.
#[derive(Debug, Args)]
pub(crate) struct ClaimsOptions {
    /// Parts of names or sources of claims. Default: all claims; only then docs/CLAIMS.md is written
    #[arg(value_name = "FILTER")]
    pub(crate) filters: Vec<String>,
    /// Pairs of processes for each pair of settings whose claims need an interval; counters take 2
    #[arg(long, default_value_t = 15, value_parser = clap::value_parser!(u32).range(6..=100))]
    pub(crate) rounds: u32,
    /// Begin no further round after this time, such as 5m or 1h30m, as soon as each pair has had 6
    #[arg(long, value_name = "TIME", value_parser = parse_budget, default_value = "15m")]
    pub(crate) budget: Duration,
    /// Use this `pond` binary instead of building one
    #[arg(long, value_name = "PATH", env = "PONDMARK_ENGINE")]
    pub(crate) engine: Option<PathBuf>,
    /// Write the documents again from the latest run of all claims, without measuring
    #[arg(long, conflicts_with_all = ["filters", "check"])]
    pub(crate) report: bool,
    /// Check that docs/CLAIMS.md states every claim as the ledger does, without measuring
    #[arg(long, conflicts_with = "filters")]
    pub(crate) check: bool,
}

/// Options of `explain`.
#[derive(Debug, Args)]
pub(crate) struct ExplainOptions {
    /// The cell: its name, or a part that no other cell of its suite has
    #[arg(value_name = "CELL")]
    pub(crate) cell: String,
    /// Say only where this revision or `pond` binary differs
    #[arg(long, value_name = "REVISION|BINARY")]
    pub(crate) against: Option<String>,
    /// Use this `pond` binary instead of building one
    #[arg(long, value_name = "PATH", env = "PONDMARK_ENGINE")]
    pub(crate) engine: Option<PathBuf>,
}

/// Options of `profile`.
#[derive(Debug, Args)]
#[command(after_help = "\
Samples are taken by perf (Debian: apt install linux-perf). The pictures are written to
target/pondmark/profiles/CELL/: head.svg and head.folded; with --against also base.svg and difference.svg.")]
pub(crate) struct ProfileOptions {
    /// The cell: its name, or a part that no other cell of its suite has
    #[arg(value_name = "CELL")]
    pub(crate) cell: String,
    /// Say also where this revision or `pond` binary differs
    #[arg(long, value_name = "REVISION|BINARY")]
    pub(crate) against: Option<String>,
    /// Execute until this many seconds of processor time were measured, on each side
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=3600))]
    pub(crate) seconds: u32,
    /// Cold executions alone, each in a fresh process; otherwise warm ones follow each cold one, if the cell has any
    #[arg(long)]
    pub(crate) cold: bool,
    /// Use this `pond` binary instead of building one
    #[arg(long, value_name = "PATH", env = "PONDMARK_ENGINE")]
    pub(crate) engine: Option<PathBuf>,
    /// Only execute with this engine, and say what was executed: what perf is put around.
    #[arg(long, value_name = "PATH", hide = true)]
    pub(crate) only_execute: Option<PathBuf>,
}

/// Options of `bisect`.
#[derive(Debug, Args)]
pub(crate) struct BisectOptions {
    /// The cell: its name, or a part that no other cell of its suite has
    #[arg(value_name = "CELL")]
    pub(crate) cell: String,
    /// A commit at which the cell was good
    #[arg(long, value_name = "REVISION")]
    pub(crate) good: String,
    /// A later commit at which it is bad
    #[arg(long, value_name = "REVISION", default_value = "HEAD")]
    pub(crate) bad: String,
    /// Look for what made this metric worse, such as wall_ns. Default: what is worse at the bad commit
    #[arg(long, value_name = "NAME")]
    pub(crate) metric: Option<String>,
    /// Compare counters only
    #[arg(long)]
    pub(crate) exact: bool,
    /// Pairs of processes for each commit, at most
    #[arg(long, value_name = "N", default_value_t = 24, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) pairs: u32,
    /// Slowdowns up to this many percent are good. Default: as for `bench`
    #[arg(long, value_name = "PERCENT", value_parser = parse_percent)]
    pub(crate) margin: Option<u32>,
}

/// Options of `selftest`.
#[derive(Debug, Args)]
pub(crate) struct SelftestOptions {
    /// Parts of the names of experiments. Default: all; only then docs/METHODOLOGY.md is written
    #[arg(value_name = "EXPERIMENT")]
    pub(crate) names: Vec<String>,
    /// A few minutes instead of an hour, and fewer builds; docs/METHODOLOGY.md stays as it is
    #[arg(long)]
    pub(crate) quick: bool,
    /// Go on with the latest self-test: its finished runs count, if they were of the same engines
    #[arg(long)]
    pub(crate) resume: bool,
}

/// Options of `ci`.
#[derive(Debug, Args)]
pub(crate) struct CiOptions {
    /// Steps to run. Default: all
    #[arg(value_name = "STEP")]
    pub(crate) steps: Vec<String>,
}

/// Reads percent, such as `1.5`, as millionths.
fn parse_percent(text: &str) -> Result<u32, String> {
    let wrong = || format!("'{text}' is no percentage from 0 to 50; write it as 1.5");
    let percent: f64 = text.trim_end_matches('%').parse().map_err(|_| wrong())?;
    if (0.0..=50.0).contains(&percent) { Ok((percent * 1e4).round() as u32) } else { Err(wrong()) }
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
    fn peers_are_no_suite() {
        let read = |words: &[&str]| {
            let words = ["cargo xtask", "bench"].iter().chain(words);
            match Cli::try_parse_from(words).unwrap().command {
                Command::Bench(bench) => bench,
                other => panic!("{other:?}"),
            }
        };
        let bench = read(&["smoke", "size=tiny", "--tier", "exact"]);
        assert!(bench.instead.is_none());
        assert_eq!(bench.suites.words, ["smoke", "size=tiny"]);
        let Some(BenchInstead::Peers(peers)) = read(&["peers", "--size", "small", "--rounds", "3"]).instead
        else {
            panic!("'peers' is reserved")
        };
        assert_eq!((peers.sizes, peers.rounds), (vec![PondSize::Small], 3));
    }

    #[test]
    fn percentages_become_millionths() {
        let check = |text, expect: Option<u32>| assert_eq!(parse_percent(text).ok(), expect, "{text}");
        check("1", Some(10_000));
        check("0.25%", Some(2_500));
        check("0", Some(0));
        check("-1", None);
        check("51", None);
        check("NaN", None);
        check("a lot", None);
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
