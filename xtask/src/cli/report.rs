//! The command line of `report`.

use clap::{Args, ValueEnum};

use crate::report::{JUNIT, MARKDOWN, PAGE};

/// Options of `report`.
#[derive(Debug, Args)]
#[command(after_help = "\
It ends with the code of the runs. With --annotations, --markdown=comment and --markdown=summary, which are for steps
of a workflow after the one that measured, it ends with 0 if the report could be made.")]
pub(crate) struct ReportOptions {
    /// Runs, by id or folder. Default: the latest
    pub(crate) runs: Vec<String>,
    /// All runs that are kept here, oldest first
    #[arg(long, conflicts_with = "runs")]
    pub(crate) all: bool,
    /// Print the Markdown report instead of the terminal one: as in its file, or fit for a comment or for the summary of
    /// a job on GitHub
    #[arg(long, value_enum, value_name = "FOR", num_args = 0..=1, require_equals = true)]
    #[arg(default_missing_value = "file")]
    pub(crate) markdown: Option<MarkdownFor>,
    /// Print report.html, one page that needs no network and no other file
    #[arg(long, conflicts_with = "markdown")]
    pub(crate) html: bool,
    /// Print junit.xml, a test case for each cell
    #[arg(long, conflicts_with_all = ["markdown", "html"])]
    pub(crate) junit: bool,
    /// Print workflow commands, by which GitHub shows cells that do not pass beside the lines of their suites
    #[arg(long, conflicts_with_all = ["markdown", "html", "junit"])]
    pub(crate) annotations: bool,
}

impl ReportOptions {
    /// Returns the file of a run to print, if not the report for the terminal.
    pub(crate) fn printed(&self) -> Option<&'static str> {
        let asked = [(self.markdown.is_some(), MARKDOWN), (self.html, PAGE), (self.junit, JUNIT)];
        asked.into_iter().find_map(|(is_asked, file)| is_asked.then_some(file))
    }
}

/// Where a Markdown report will be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum MarkdownFor {
    /// In the folder of the run, beside its charts
    File,
    /// In a comment on a pull request, which another report may share
    Comment,
    /// In the summary of a job
    Summary,
}
