//! `cargo xtask report`: write the reports and charts of runs again, from their stored samples.

use std::path::PathBuf;

use super::print;
use crate::cli::{MarkdownFor, ReportOptions};
use crate::evaluation::Evaluation;
use crate::exit::Exit;
use crate::paths::Paths;
use crate::record::{CutLine, Record, run_folders};
use crate::report::{self, Colors, Place};
use crate::{resolve, units};

/// Letters of the suites' names in the first line of a report for a comment.
const MOST_MARKED: usize = 200;

/// Runs the command.
pub(crate) fn run(paths: &Paths, options: &ReportOptions) -> anyhow::Result<Exit> {
    let folders = match (options.all, options.runs.is_empty()) {
        (true, _) => run_folders(&paths.runs())?,
        (false, true) => vec![resolve::run(paths, "latest")?],
        (false, false) => {
            options.runs.iter().map(|word| resolve::run(paths, word)).collect::<anyhow::Result<_>>()?
        }
    };
    // What is for GitHub is only printed: files and charts were made by whoever measured.
    let writes = matches!(options.markdown, None | Some(MarkdownFor::File)) && !options.annotations;
    let mut exit = Exit::Pass;
    let mut runs = Vec::new();
    for folder in folders {
        let record = Record::read(&folder, CutLine::Refuse)?;
        let evaluation = Evaluation::of(paths, &record)?;
        if writes {
            let text = report::write(paths, &folder, &record, &evaluation, None, Colors::of_stdout())?;
            match options.printed() {
                Some(file) => print(&std::fs::read_to_string(folder.join(file))?)?,
                None => print(&text)?,
            }
        }
        exit = exit.worse(evaluation.exit());
        runs.push((folder, evaluation));
    }
    if runs.is_empty() {
        // Equal engines are not measured, so this is no fault of the step that only reports.
        print(&format!("No run is kept in {}: nothing was measured.\n", Paths::shown(&paths.runs())))?;
        return Ok(Exit::Pass);
    }
    // The step that measured has ended with the code of the runs.
    match options.markdown {
        _ if options.annotations => annotate(paths, &runs)?,
        Some(MarkdownFor::Comment) => {
            let suites: Vec<&str> = runs.iter().map(|(_, one)| one.summary.suite.as_str()).collect();
            let suites: String = units::slug(&suites.join(" ")).chars().take(MOST_MARKED).collect();
            let report = report::elsewhere(&runs, Place::Comment);
            print(&format!("<!-- pondmark:{suites} -->\n{report}"))?;
        }
        Some(MarkdownFor::Summary) => print(&report::elsewhere(&runs, Place::Summary))?,
        Some(MarkdownFor::File) | None => return Ok(exit),
    }
    Ok(Exit::Pass)
}

fn annotate(paths: &Paths, runs: &[(PathBuf, Evaluation)]) -> anyhow::Result<()> {
    let mut all = Vec::new();
    for (_, evaluation) in runs {
        let file = paths.suites().join(format!("{}.toml", evaluation.summary.suite));
        let suite = std::fs::read_to_string(file).ok();
        all.extend(report::annotations(evaluation, suite.as_deref()));
    }
    print(&report::commands(&all))
}
