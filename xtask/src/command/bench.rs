//! `cargo xtask bench`: build the engine, prepare, measure, compare, report.

use anyhow::{Context as _, bail};
use scenarios::Cell;

use super::beside::{self, Engines, Found};
use super::print;
use crate::baseline::Baseline;
use crate::cli::{BenchOptions, Tier};
use crate::engine_store::Engine;
use crate::evaluation::Evaluation;
use crate::exit::{Exit, Stop};
use crate::fingerprint::Context;
use crate::paths::Paths;
use crate::plan::{self, PlannedCell};
use crate::record::{
    BaseHeader, CutLine, EndLine, Header, Line, Record, RecordWriter, Side, is_of_another, run_folders,
};
use crate::report::{self, Align, Colors, Table};
use crate::revision::Revision;
use crate::runner::{self, Done, Surroundings};
use crate::selection::{self, Selection};
use crate::watch::Watch;
use crate::work_folder::{self, WorkFolder};
use crate::{clock, engine_build, micro, resolve, thresholds};

/// Runs the command.
pub(crate) fn run(paths: &Paths, options: &BenchOptions) -> anyhow::Result<Exit> {
    let exit = select(paths, options)?;
    if exit == Exit::Inconclusive && options.allow_inconclusive {
        eprintln!("inconclusive, which is allowed: the command ends with 0");
        return Ok(Exit::Pass);
    }
    Ok(exit)
}

fn select(paths: &Paths, options: &BenchOptions) -> anyhow::Result<Exit> {
    let selections = selection::select(&paths.suites(), &options.words)?;
    if options.list {
        return list(paths, &selections);
    }
    if options.json.is_some() && selections.len() > 1 {
        bail!("--json takes the report of one suite, but {} are selected", selections.len());
    }
    if options.dry_run {
        return dry_run(paths, options, &selections);
    }
    if let Some(doubt) = work_folder::doubt(&paths.work).filter(|_| options.tier != Tier::Exact) {
        eprintln!("note: times may mislead: {doubt}");
    }
    if let Some(word) = &options.against {
        // What cannot be compared with should be known before an hour of measuring, not after.
        if !resolve::is_baseline(paths, word)? {
            return against_engine(paths, options, &selections, word);
        }
        if options.profile {
            bail!(
                "'{word}' is a baseline, which cannot be profiled; name a revision or a binary, or no --profile"
            );
        }
        resolve::baseline(paths, word)?;
    }
    let mut exit = Exit::Pass;
    let mut engine = None;
    for selection in &selections {
        let is_micro = selection.cells.iter().all(|cell| cell.workload.is_micro());
        if engine.is_none() && !is_micro {
            engine = Some(engine_build::engine(paths, options.engine.as_deref())?);
        }
        exit = exit.worse(bench(paths, options, selection, engine.as_ref().filter(|_| !is_micro))?);
    }
    Ok(exit)
}

/// Compares with what is no baseline: a revision or a binary, or nothing that is known.
fn against_engine(
    paths: &Paths,
    options: &BenchOptions,
    selections: &[Selection],
    word: &str,
) -> anyhow::Result<Exit> {
    if let Some(micro) = selections.iter().find(|one| one.cells.iter().all(|cell| cell.workload.is_micro())) {
        let suite = &micro.suite.name;
        let message = format!(
            "the suite '{suite}' is not measured in pairs; run it on both revisions, then: cargo xtask compare A B"
        );
        return Err(Stop::error(Exit::Usage, message));
    }
    let engines = match Engines::find(paths, options, word)? {
        Found::Engines(engines) => engines,
        Found::Identical(text) => {
            if let Some(old) = options.json.as_deref().filter(|path| path.exists()) {
                std::fs::remove_file(old).with_context(|| format!("cannot remove {}", old.display()))?;
                eprintln!("{} is of an earlier run and was removed", old.display());
            }
            print(&format!("{text}\nPASS: identical (exit code 0)\n"))?;
            return Ok(Exit::Pass);
        }
        Found::Neither => return Err(Stop::error(Exit::Incomparable, resolve::unknown(paths, word)?)),
    };
    let mut exit = Exit::Pass;
    for selection in selections {
        exit = exit.worse(beside::bench(paths, options, selection, &engines)?);
    }
    Ok(exit)
}

fn list(paths: &Paths, selections: &[Selection]) -> anyhow::Result<Exit> {
    let mut table =
        Table::new(&[("cell", Align::Left), ("expected answer", Align::Left), ("baseline", Align::Left)]);
    for selection in selections {
        let path = paths.baseline_of(&selection.suite.name);
        let baseline = if path.is_file() { Some(Baseline::read(&path)?) } else { None };
        for cell in &selection.cells {
            let blessed = baseline.as_ref().is_some_and(|baseline| baseline.cells.contains_key(&cell.id()));
            table.row(vec![
                cell.id(),
                cell.expected.as_ref().map_or_else(|| "none".to_owned(), ToString::to_string),
                if blessed { "yes" } else { "none" }.to_owned(),
            ]);
        }
    }
    print(&table.terminal())?;
    Ok(Exit::Pass)
}

fn dry_run(paths: &Paths, options: &BenchOptions, selections: &[Selection]) -> anyhow::Result<Exit> {
    let mut out = String::new();
    match &options.engine {
        Some(path) => out.push_str(&format!("engine: {}\n", path.display())),
        None => out.push_str("engine: cargo build --release --package engine --bin pond\n"),
    }
    let word = match &options.against {
        Some(word) if !resolve::is_baseline(paths, word)? => Some(word),
        _ => None,
    };
    if let Some(word) = word {
        out.push_str(&format!("beside it, in pairs of processes: {word}\n"));
    }
    let in_pairs = word.is_some();
    let is_timed = in_pairs && options.tier != Tier::Exact;
    for selection in selections {
        let planned =
            if in_pairs { beside::planned(options, selection)? } else { plan::plan(selection, options.tier) };
        let mut table = Table::new(&[
            ("cell", Align::Left),
            ("processes", Align::Right),
            ("executions in each", Align::Left),
            ("time-out", Align::Right),
        ]);
        for cell in &planned {
            table.row(vec![
                cell.cell.id(),
                if in_pairs {
                    format!("at most {} pairs", cell.processes)
                } else {
                    cell.processes.to_string()
                },
                if is_timed {
                    "1 cold, warm as calibrated".to_owned()
                } else {
                    format!("1 cold, {} warm", cell.warm)
                },
                format!("{} s", cell.timeout_s),
            ]);
        }
        let steps = plan::steps(&planned).len();
        let processes = if is_timed {
            // The canary is one cell more.
            let canary = planned.first().map_or(0, |cell| cell.processes as usize);
            format!("at most {} measured processes", 2 * (steps + canary))
        } else if in_pairs {
            format!("{} measured processes", 2 * steps)
        } else {
            format!("{steps} measured processes, 2 others to greet and to prepare")
        };
        let suite = &selection.suite.name;
        out.push_str(&format!("\nsuite {suite}: {} cells, {processes}\n{}", planned.len(), table.terminal()));
    }
    print(&out)?;
    Ok(Exit::Pass)
}

fn bench(
    paths: &Paths,
    options: &BenchOptions,
    selection: &Selection,
    engine: Option<&Engine>,
) -> anyhow::Result<Exit> {
    let wanted = header(paths, options, selection, engine)?;
    let (mut record, header, mut done) = if options.resume {
        resume(paths, &wanted)?
    } else {
        let (record, header) = RecordWriter::create(&paths.runs(), wanted)?;
        (record, header, Done::default())
    };
    done.watch = Watch::of(&header, options.live);
    match engine {
        Some(engine) => {
            let work = WorkFolder::make(paths)?;
            let surroundings = Surroundings::new(paths, Side::Head, &engine.binary, &work.path);
            std::fs::create_dir_all(&surroundings.ponds)?;
            measure(&surroundings, options, &header.planned, &mut record, &mut done)?;
        }
        None => micro::measure(paths, &header.planned, &mut record, &done)?,
    }
    let folder = record.folder().to_owned();
    let record = Record::read(&folder, CutLine::Refuse)?;
    let evaluation = Evaluation::of(paths, &record)?;
    let text =
        report::write(paths, &folder, &record, &evaluation, options.json.as_deref(), Colors::of_stdout())?;
    print(&text)?;
    Ok(evaluation.exit())
}

fn measure(
    surroundings: &Surroundings,
    options: &BenchOptions,
    planned: &[PlannedCell],
    record: &mut RecordWriter,
    done: &mut Done,
) -> anyhow::Result<()> {
    runner::prepare(surroundings, planned, record, done)?;
    let processes_cut = runner::measure(surroundings, planned, options.budget, record, done)?;
    record.append(&[Line::End(EndLine { ended: clock::text(clock::now_seconds()), processes_cut })])
}

fn header(
    paths: &Paths,
    options: &BenchOptions,
    selection: &Selection,
    engine: Option<&Engine>,
) -> anyhow::Result<Header> {
    let suite = selection.suite.name.clone();
    let now = clock::now_seconds();
    Ok(Header {
        format: crate::record::FORMAT,
        run: format!("{}-{suite}", clock::stamp(now)),
        started: clock::text(now),
        filters: selection.filters.clone(),
        tier: options.tier,
        against: options.against.clone(),
        base: None,
        engine_digest: engine.map_or_else(|| sources(paths), |engine| engine.digest.clone()),
        thresholds: thresholds::of_workspace(paths)?,
        // An engine that does not greet is still run: then every cell says why it failed.
        context: Context::read(
            &paths.root,
            engine.and_then(|engine| runner::greet(&engine.binary).ok()).as_ref(),
        ),
        suite_cells: selection.suite.cells().iter().map(Cell::id).collect(),
        planned: plan::plan(selection, options.tier),
        suite,
    })
}

/// Names what benchmarks of cargo are built from, so that a run of them does not go on with other code; nothing without
/// git.
fn sources(paths: &Paths) -> String {
    Revision::of_working_tree(paths).map(|revision| revision.sources().to_owned()).unwrap_or_default()
}

/// Finds the latest unfinished run that does what is wanted, and opens it again.
pub(super) fn resume(paths: &Paths, wanted: &Header) -> anyhow::Result<(RecordWriter, Header, Done)> {
    let folders = run_folders(&paths.runs())?;
    for folder in folders.iter().rev().filter(|folder| !is_of_another(folder, &wanted.suite)) {
        let record = Record::read(folder, CutLine::LeaveOut)?;
        let header = &record.header;
        let same = header.suite == wanted.suite
            && header.filters == wanted.filters
            && header.tier == wanted.tier
            && header.against == wanted.against
            && is_same_plan(&header.planned, &wanted.planned)
            && is_same_base(header.base.as_ref(), wanted.base.as_ref())
            && header.engine_digest == wanted.engine_digest
            && header.context.machine == wanted.context.machine;
        if same && record.end.is_none() {
            let writer = RecordWriter::resume(folder)?;
            let record = Record::read(folder, CutLine::Refuse)?;
            if record.end.is_some() {
                // Whoever had the lock has finished it meanwhile.
                continue;
            }
            let header = &record.header;
            let done = Done {
                processes: record.finished(),
                failed: record.failures.iter().map(|failure| failure.cell.clone()).collect(),
                watch: Watch::default(),
            };
            eprintln!("resuming run {}: {} processes are done", header.run, done.processes.len());
            return Ok((writer, record.header, done));
        }
    }
    let message = format!(
        "no unfinished run of suite '{}' with the same filters, tier, cells and engine; run without --resume",
        wanted.suite
    );
    Err(Stop::error(Exit::Usage, message))
}

/// Compares plans but for their warm executions, which a comparison beside a base calibrates when it begins.
fn is_same_plan(before: &[PlannedCell], wanted: &[PlannedCell]) -> bool {
    before.len() == wanted.len()
        && before.iter().zip(wanted).all(|(before, wanted)| {
            (&before.cell, before.processes, before.timeout_s)
                == (&wanted.cell, wanted.processes, wanted.timeout_s)
        })
}

/// Compares bases but for their seed, which each run has of its own.
fn is_same_base(before: Option<&BaseHeader>, wanted: Option<&BaseHeader>) -> bool {
    match (before, wanted) {
        (Some(before), Some(wanted)) => *before == BaseHeader { seed: before.seed, ..wanted.clone() },
        (None, None) => true,
        _ => false,
    }
}
