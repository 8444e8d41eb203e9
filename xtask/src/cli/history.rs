//! The command line of `history`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// `history`: runs added, or what they show.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, disable_help_subcommand = true)]
#[command(after_help = "\
A history is a file SUITE.jsonl with a line for each run, in target/pondmark/history, in the folder that --folder names,
or on the branch of git that --branch names. Charts are written to target/pondmark/history/charts/SUITE/.")]
pub(crate) struct HistoryCommand {
    /// What to do instead of `show`.
    #[command(subcommand)]
    pub(crate) action: Option<HistoryAction>,
    /// Options of `show`.
    #[command(flatten)]
    pub(crate) show: HistoryShow,
}

/// What to do with histories.
#[derive(Debug, Subcommand)]
pub(crate) enum HistoryAction {
    /// Append runs, each once
    Add(HistoryAdd),
    /// Find where cells changed, and draw it
    Show(HistoryShow),
}

/// Where histories are.
#[derive(Debug, Args)]
pub(crate) struct HistoryPlace {
    /// The folder of the histories. Default: target/pondmark/history
    #[arg(long, value_name = "DIR")]
    pub(crate) folder: Option<PathBuf>,
    /// The branch of the histories; nothing else is on it, and no checkout is touched
    #[arg(long, value_name = "NAME", conflicts_with = "folder")]
    pub(crate) branch: Option<String>,
}

/// Options of `history add`.
#[derive(Debug, Args)]
pub(crate) struct HistoryAdd {
    /// Runs, by id or folder. Default: the latest
    pub(crate) runs: Vec<String>,
    /// Where to.
    #[command(flatten)]
    pub(crate) place: HistoryPlace,
}

/// Options of `history show`.
#[derive(Debug, Args)]
pub(crate) struct HistoryShow {
    /// Suites by name, and filters: a part of a cell's id, `*` for anything. Default: every suite with a history
    #[arg(value_name = "SUITE|FILTER")]
    pub(crate) words: Vec<String>,
    /// Look at this metric alone
    #[arg(long, value_name = "NAME")]
    pub(crate) metric: Option<String>,
    /// Where from.
    #[command(flatten)]
    pub(crate) place: HistoryPlace,
    /// Also write what was found to this file
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
}
