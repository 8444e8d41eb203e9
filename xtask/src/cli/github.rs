//! The command line of `github`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// What the workflows ask of GitHub.
#[derive(Debug, Subcommand)]
pub(crate) enum GithubAction {
    /// Post the reports of a run of a workflow as one comment on its pull request, or bring the one that is there up to
    /// date
    Comment(CommentOptions),
}

/// Options of `github comment`.
#[derive(Debug, Args)]
#[command(after_help = "\
It is for a workflow that runs when another one has ended (workflow_run), with the token in GH_TOKEN; it needs the
GitHub CLI, gh. The reports are treated as the work of strangers: their size is bounded, nothing in them can call or
link, and the pull request is the one that GitHub has with the commit of the run at its head.")]
pub(crate) struct CommentOptions {
    /// The folder of the reports: files that end in .md, or folders of such, as artifacts are downloaded
    #[arg(value_name = "FOLDER")]
    pub(crate) reports: PathBuf,
    /// The event that started the workflow
    #[arg(long, value_name = "FILE", env = "GITHUB_EVENT_PATH")]
    pub(crate) event: PathBuf,
    /// Tells this comment from others: there is one of each name
    #[arg(long, value_name = "NAME", default_value = "bench")]
    pub(crate) name: String,
    /// Who posts; a comment of anybody else is left alone
    #[arg(long, value_name = "LOGIN", default_value = "github-actions[bot]")]
    pub(crate) author: String,
    /// Print the comment, and ask nothing of GitHub
    #[arg(long)]
    pub(crate) print: bool,
}
