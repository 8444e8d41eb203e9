//! `cargo xtask explain`: how a cell is answered, or where two engines differ in that.

use std::path::Path;

use super::beside::{Engines, Found};
use super::{bisect, print};
use crate::cli::{BenchOptions, ExplainOptions, Tier};
use crate::engine_build;
use crate::exit::{Exit, Stop};
use crate::explained;
use crate::paths::Paths;
use crate::plan::{self, PlannedCell};
use crate::progress::Progress;
use crate::record::Side;
use crate::resolve;
use crate::runner::{self, Surroundings, cell};
use crate::work_folder::WorkFolder;

/// Runs the command.
pub(crate) fn run(paths: &Paths, options: &ExplainOptions) -> anyhow::Result<Exit> {
    let selection = bisect::cell(paths, &options.cell)?;
    let planned = plan::plan(&selection, Tier::Exact).remove(0);
    let work = WorkFolder::make(paths)?;
    std::fs::create_dir_all(paths.ponds())?;
    let ask = |engine: &Path| ask(paths, &work.path, engine, &planned);
    let Some(word) = &options.against else {
        let engine = engine_build::engine(paths, options.engine.as_deref())?;
        print(&explained::text(&ask(&engine.binary)?))?;
        return Ok(Exit::Pass);
    };
    let bench = BenchOptions { engine: options.engine.clone(), ..BenchOptions::default() };
    match Engines::find(paths, &bench, word)? {
        Found::Engines(engines) => {
            let [base, head] = engines.binaries();
            let said = explained::differences(&ask(base)?, &ask(head)?);
            let text = if said.is_empty() { "both answer alike".to_owned() } else { said.join("\n") };
            print(&format!("{text}\n"))?;
        }
        Found::Identical(text) => print(&format!("{text}\n"))?,
        Found::Neither => return Err(Stop::error(Exit::Usage, resolve::unknown(paths, word)?)),
    }
    Ok(Exit::Pass)
}

fn ask(
    paths: &Paths,
    work: &Path,
    engine: &Path,
    planned: &PlannedCell,
) -> anyhow::Result<serde_json::Value> {
    let surroundings = Surroundings::new(paths, Side::Head, engine, work);
    let failed = |message: String| Stop::error(Exit::Failed, format!("{}: {message}", planned.cell.id()));
    let mut process = None;
    runner::prepare_cell(&surroundings, planned, &mut process, &Progress::start(1))
        .map_err(|fault| failed(fault.message))?;
    drop(process);
    cell::explain(&surroundings, planned)?.map_err(|fault| failed(fault.message))
}
