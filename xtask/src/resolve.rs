//! Finds the run or the baseline that a word on the command line means.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use scenarios::nearest;

use crate::baseline::Baseline;
use crate::exit::{Exit, Stop};
use crate::measured::Measured;
use crate::paths::Paths;
use crate::record::{BaseHeader, CutLine, Record, Side, is_of_another, run_folders};
use crate::summary::{CellSummary, Summary};

/// One side of a comparison, and where it comes from.
#[derive(Clone, Debug)]
pub(crate) struct ResolvedSide {
    /// The run's name or the baseline's file.
    pub(crate) origin: String,
    /// What it is known to be.
    pub(crate) measured: Measured,
    /// The cells that its suite had.
    pub(crate) suite_cells: BTreeSet<String>,
    /// The cells that failed in it.
    pub(crate) failed: Vec<String>,
    /// The cells that it has nothing of, or too little, and why.
    pub(crate) wanting: BTreeMap<String, Wanting>,
}

/// What a side lacks of a cell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Wanting {
    /// All of it, for a reason.
    Everything(String),
    /// Processes that show that counters repeat; it has some.
    Processes(String),
}

/// Finds a side: a run, a baseline or `latest`.
pub(crate) fn side(paths: &Paths, word: &str) -> anyhow::Result<ResolvedSide> {
    if let Some(folder) = run_folder(paths, word)? {
        return Ok(of_run(&Record::read(&folder, CutLine::Refuse)?));
    }
    match baseline_file(paths, word)? {
        Some(path) => of_baseline(&path),
        None => Err(Stop::error(Exit::Usage, unknown(paths, word)?)),
    }
}

/// Finds a baseline, by file or by name; it is required.
pub(crate) fn baseline(paths: &Paths, word: &str) -> anyhow::Result<ResolvedSide> {
    match baseline_file(paths, word)? {
        Some(path) => of_baseline(&path),
        None => Err(Stop::error(Exit::Incomparable, unknown(paths, word)?)),
    }
}

/// Reads a baseline as it is stored, by file or by name; it is required.
pub(crate) fn stored(paths: &Paths, word: &str) -> anyhow::Result<Baseline> {
    match baseline_file(paths, word)? {
        Some(path) => Baseline::read(&path),
        None => Err(Stop::error(Exit::Incomparable, unknown(paths, word)?)),
    }
}

/// Finds the folder of a run, by path, by name or as `latest`.
pub(crate) fn run(paths: &Paths, word: &str) -> anyhow::Result<PathBuf> {
    match run_folder(paths, word)? {
        Some(folder) => Ok(folder),
        None => Err(Stop::error(Exit::Usage, unknown(paths, word)?)),
    }
}

/// Reads the latest run of a suite, or of any.
pub(crate) fn latest(paths: &Paths, suite: Option<&str>) -> anyhow::Result<Record> {
    for folder in run_folders(&paths.runs())?.iter().rev() {
        if suite.is_some_and(|suite| is_of_another(folder, suite)) {
            continue;
        }
        let record = Record::read(folder, CutLine::Refuse)?;
        if suite.is_none_or(|suite| record.header.suite == suite) {
            return Ok(record);
        }
    }
    let of = suite.map_or_else(String::new, |suite| format!(" of suite '{suite}'"));
    let make = suite.unwrap_or_default();
    Err(Stop::error(
        Exit::Usage,
        format!("there is no run{of}; make one: cargo xtask bench {make}").trim_end(),
    ))
}

/// Tells what a run lacks of a cell that did not fail.
fn wanting(cell: &CellSummary) -> Option<Wanting> {
    if let Some(why) = &cell.skipped {
        return Some(Wanting::Everything(format!("was not measured: {why}")));
    }
    let text = || format!("was measured in {} of {} processes", cell.processes, cell.planned);
    match cell.processes {
        _ if !cell.failures.is_empty() => None,
        0 => Some(Wanting::Everything(text())),
        _ => cell.has_too_few().then(|| Wanting::Processes(text())),
    }
}

/// Returns a run as a side.
pub(crate) fn of_run(record: &Record) -> ResolvedSide {
    let summary = Summary::of(record);
    let wanting = summary.cells.iter().filter_map(|cell| Some((cell.id.clone(), wanting(cell)?))).collect();
    let failed = summary.cells.iter().filter(|cell| !cell.failures.is_empty());
    ResolvedSide {
        origin: format!("run {}", record.header.run),
        measured: summary.measured(),
        suite_cells: record.header.suite_cells.iter().cloned().collect(),
        failed: failed.map(|cell| cell.id.clone()).collect(),
        wanting,
    }
}

/// Takes the base that was measured beside the head of a run.
pub(crate) fn of_base(record: &Record, base: &BaseHeader) -> ResolvedSide {
    let summary = Summary::of_side(record, Side::Base, &base.context);
    let failed = summary.cells.iter().filter(|cell| !cell.failures.is_empty());
    ResolvedSide {
        origin: format!("{}, measured beside it", base.name),
        measured: summary.measured(),
        suite_cells: record.header.suite_cells.iter().cloned().collect(),
        failed: failed.map(|cell| cell.id.clone()).collect(),
        wanting: BTreeMap::new(),
    }
}

fn of_baseline(path: &Path) -> anyhow::Result<ResolvedSide> {
    let baseline = Baseline::read(path)?;
    Ok(ResolvedSide {
        origin: format!("baseline {} of revision {}", Paths::shown(path), baseline.revision),
        suite_cells: baseline.cells.keys().cloned().collect(),
        measured: baseline.measured(),
        failed: Vec::new(),
        wanting: BTreeMap::new(),
    })
}

fn run_folder(paths: &Paths, word: &str) -> anyhow::Result<Option<PathBuf>> {
    if word == "latest" {
        let path = paths.runs().join("latest");
        let name =
            std::fs::read_to_string(&path).context("there is no run yet; make one: cargo xtask bench")?;
        return Ok(Some(paths.runs().join(name.trim())));
    }
    let candidates = [PathBuf::from(word), paths.runs().join(word)];
    Ok(candidates.into_iter().find(|folder| folder.join("samples.jsonl").is_file()))
}

/// Tells whether a word names a baseline, rather than a revision, a binary or nothing.
pub(crate) fn is_baseline(paths: &Paths, word: &str) -> anyhow::Result<bool> {
    let is_json = |path: PathBuf| path.extension().is_some_and(|extension| extension == "json");
    Ok(baseline_file(paths, word)?.is_some_and(is_json))
}

fn baseline_file(paths: &Paths, word: &str) -> anyhow::Result<Option<PathBuf>> {
    let path = PathBuf::from(word);
    if path.is_file() {
        return Ok(Some(path));
    }
    let name = format!("{word}.json");
    let committed = Some(paths.baselines().join(&name)).filter(|path| path.is_file());
    let saved = Some(paths.saved().join(&name)).filter(|path| path.is_file());
    if let (Some(committed), Some(saved)) = (&committed, &saved) {
        let message =
            format!("'{word}' means {} and {}; give the file", committed.display(), saved.display());
        return Err(Stop::error(Exit::Usage, message));
    }
    Ok(committed.or(saved))
}

/// Says that a word names nothing, and what may have been meant.
pub(crate) fn unknown(paths: &Paths, word: &str) -> anyhow::Result<String> {
    let mut known: Vec<String> = Vec::new();
    for folder in [paths.baselines(), paths.saved()] {
        known.extend(baseline_names(&folder)?);
    }
    for folder in run_folders(&paths.runs())? {
        known.extend(folder.file_name().map(|name| name.to_string_lossy().into_owned()));
    }
    let hint = match nearest(word, known.iter().map(String::as_str)) {
        Some(close) => format!("did you mean '{close}'?"),
        None => "list baselines with: cargo xtask baseline list".to_owned(),
    };
    Ok(format!("no run, baseline, revision or binary '{word}'; {hint}"))
}

/// Lists the baselines in a folder by name, in alphabetical order.
pub(crate) fn baseline_names(folder: &Path) -> anyhow::Result<Vec<String>> {
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "json")
            && let Some(stem) = path.file_stem()
        {
            names.push(stem.to_string_lossy().into_owned());
        }
    }
    names.sort_unstable();
    Ok(names)
}
