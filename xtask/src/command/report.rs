//! `cargo xtask report`: write the reports and charts of runs again, from their stored samples.

use super::print;
use crate::cli::ReportOptions;
use crate::evaluation::Evaluation;
use crate::exit::Exit;
use crate::paths::Paths;
use crate::record::{CutLine, Record};
use crate::report::{self, Colors};
use crate::resolve;

/// Runs the command.
pub(crate) fn run(paths: &Paths, options: &ReportOptions) -> anyhow::Result<Exit> {
    let latest = ["latest".to_owned()];
    let words = if options.runs.is_empty() { &latest[..] } else { &options.runs };
    let mut exit = Exit::Pass;
    for word in words {
        let folder = resolve::run(paths, word)?;
        let record = Record::read(&folder, CutLine::Refuse)?;
        let evaluation = Evaluation::of(paths, &record)?;
        let text = report::write(&folder, &record, &evaluation, None, Colors::of_stdout())?;
        match options.printed() {
            Some(file) => print(&std::fs::read_to_string(folder.join(file))?)?,
            None => print(&text)?,
        }
        exit = exit.worse(evaluation.exit());
    }
    Ok(exit)
}
