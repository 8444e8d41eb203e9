//! `cargo xtask history`: runs are kept, and where cells changed in them is found and drawn. It informs, and never gates.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use anyhow::Context as _;
use scenarios::{Metric, nearest};

use super::print;
use crate::chart;
use crate::cli::{HistoryAction, HistoryAdd, HistoryCommand, HistoryPlace, HistoryShow};
use crate::exit::{Exit, Stop};
use crate::history::{self, Added, Analysis, Asked, MEDIANS, Place, RunLine, Series};
use crate::paths::Paths;
use crate::record::{CutLine, Record};
use crate::revision::Revision;
use crate::units;
use crate::{resolve, selection};

/// Charts of times, memory, allocations and instructions, at most.
const CHARTS: usize = 24;

/// Charts of counters, at most: one change often moves many.
const COUNTER_CHARTS: usize = 8;

/// Charts that are listed by name.
const LISTED: usize = 8;

/// Runs the command.
pub(crate) fn run(paths: &Paths, options: &HistoryCommand) -> anyhow::Result<Exit> {
    match &options.action {
        Some(HistoryAction::Add(options)) => add(paths, options),
        Some(HistoryAction::Show(options)) => show(paths, options),
        None => show(paths, &options.show),
    }
}

fn place(paths: &Paths, options: &HistoryPlace) -> Place {
    Place::of(paths, options.folder.as_deref(), options.branch.as_deref())
}

fn add(paths: &Paths, options: &HistoryAdd) -> anyhow::Result<Exit> {
    let place = place(paths, &options.place);
    let latest = ["latest".to_owned()];
    let words = if options.runs.is_empty() { &latest[..] } else { &options.runs };
    // Every run is read before any is added, so that a refusal changes nothing.
    let mut lines = Vec::new();
    for word in words {
        let record = Record::read(&resolve::run(paths, word)?, CutLine::Refuse)?;
        let commit = commit(paths, &record.header.context.revision);
        lines.push(RunLine::of(&record, commit)?);
    }
    for line in &lines {
        let (run, shown) = (&line.run, place.shown(&line.suite));
        match place.add(paths, line)? {
            Added::Now => print(&format!("added run {run} of revision {} to {shown}\n", line.revision))?,
            Added::Before => print(&format!("run {run} is in {shown} already\n"))?,
        }
    }
    Ok(Exit::Pass)
}

/// Returns the commit that a revision is or was changed from, if git knows it.
fn commit(paths: &Paths, revision: &str) -> Option<String> {
    let commit = revision.trim_end_matches("-dirty");
    Revision::commit(paths, commit).ok().filter(|_| commit != "unknown")
}

fn show(paths: &Paths, options: &HistoryShow) -> anyhow::Result<Exit> {
    let place = place(paths, &options.place);
    if let Some(metric) = &options.metric {
        require_metric(metric)?;
    }
    let read = read(paths, &place, &options.words)?;
    let mut analyses = Vec::new();
    for (suite, lines) in &read.histories {
        let asked = Asked {
            cell: &|cell| read.is_asked(cell),
            metric: &|name| options.metric.as_ref().is_none_or(|metric| metric == name),
        };
        let (accepted, lost) = match history::accepted(paths, suite) {
            Ok(accepted) => (accepted, None),
            Err(error) => (Vec::new(), Some(format!("{error:#}"))),
        };
        let analysis = Analysis::of(suite, lines, &accepted, &asked);
        let mut text = history::text(&analysis, &place.shown(suite));
        if let Some(lost) = lost {
            text.push_str(&format!("\nwhat was accepted is not known: {lost}\n"));
        }
        text.push_str(&charts(paths, &analysis)?);
        print(&text)?;
        analyses.push(analysis);
    }
    if let Some(file) = &options.json {
        std::fs::write(file, history::json(&analyses))
            .with_context(|| format!("cannot write {}", file.display()))?;
    }
    Ok(Exit::Pass)
}

/// What is looked at.
struct Read {
    /// Suites with their runs.
    histories: Vec<(String, Vec<RunLine>)>,
    /// Filters on the cells, and whether each is the whole name of one.
    filters: Vec<(String, bool)>,
}

impl Read {
    fn is_asked(&self, cell: &str) -> bool {
        self.filters.is_empty() || self.filters.iter().any(|filter| is_selected(filter, cell))
    }
}

/// Reads the histories that words ask for. Words are as for `bench`, but mean what there are histories of.
fn read(paths: &Paths, place: &Place, words: &[String]) -> anyhow::Result<Read> {
    let known = place.suites(paths)?;
    if known.is_empty() {
        let message = format!("there is no history in {place}; after a run: cargo xtask history add");
        return Err(Stop::error(Exit::Incomparable, message));
    }
    let mut asked: Vec<&str> = Vec::new();
    let mut filters: Vec<String> = Vec::new();
    for word in words {
        let owner = word.split_once('/').map_or(word.as_str(), |(suite, _)| suite);
        let suite = known.iter().find(|name| *name == owner);
        asked.extend(suite.map(String::as_str));
        if suite.is_none_or(|suite| suite != word) {
            filters.push(word.clone());
        }
    }
    let is_asked = |name: &&String| asked.is_empty() || asked.contains(&name.as_str());
    let mut histories = Vec::new();
    for suite in known.iter().filter(is_asked) {
        histories.push((suite.clone(), place.read(paths, suite)?));
    }
    if histories.iter().all(|(_, lines)| lines.is_empty()) {
        let message = format!("no history in {place} has a run; after a run: cargo xtask history add");
        return Err(Stop::error(Exit::Incomparable, message));
    }
    let cells: BTreeSet<&str> = histories
        .iter()
        .flat_map(|(_, lines)| lines.iter().flat_map(|line| line.cells.keys().map(String::as_str)))
        .collect();
    let filters: Vec<(String, bool)> =
        filters.into_iter().map(|filter| (filter.clone(), cells.contains(filter.as_str()))).collect();
    for filter in &filters {
        if !cells.iter().any(|cell| is_selected(filter, cell)) {
            let word = &filter.0;
            let scenarios = cells.iter().map(|cell| cell.split('[').next().unwrap_or_default());
            let known = known.iter().map(String::as_str).chain(scenarios);
            let hint =
                nearest(word, known).map_or_else(String::new, |close| format!("; did you mean '{close}'?"));
            let message = format!(
                "'{word}' is no suite with a history in {place}, and no cell of one matches it{hint}"
            );
            return Err(Stop::error(Exit::Usage, message));
        }
    }
    let mut read = Read { histories, filters };
    // A suite of which no cell is asked for would only say that nothing changed.
    let mut histories = std::mem::take(&mut read.histories);
    histories.retain(|(_, lines)| lines.iter().any(|line| line.cells.keys().any(|cell| read.is_asked(cell))));
    read.histories = histories;
    Ok(read)
}

/// Tells whether a filter matches a cell; a whole name matches its cell alone.
fn is_selected((filter, is_whole): &(String, bool), cell: &str) -> bool {
    if *is_whole { filter == cell } else { selection::matches(filter, cell) }
}

fn require_metric(name: &str) -> anyhow::Result<()> {
    if MEDIANS.contains(&name) || Metric::kind_of(name) == Some(scenarios::Kind::Exact) {
        return Ok(());
    }
    let known = MEDIANS.iter().copied().chain(scenarios::METRICS.iter().map(|metric| metric.name));
    let hint = match nearest(name, known) {
        Some(close) => format!("did you mean '{close}'?"),
        None => format!("a history has {} and the counters of scenarios/src/metric.rs", MEDIANS.join(", ")),
    };
    Err(Stop::error(Exit::Usage, format!("a history has no metric '{name}'; {hint}")))
}

/// Draws the series that changed, and lists the files.
fn charts(paths: &Paths, analysis: &Analysis) -> anyhow::Result<String> {
    let folder: PathBuf = paths.histories().join("charts").join(&analysis.suite);
    let (counters, others): (Vec<&Series>, Vec<&Series>) =
        analysis.changed().partition(|series| series.is_exact());
    let left_out = counters.len().saturating_sub(COUNTER_CHARTS) + others.len().saturating_sub(CHARTS);
    let mut chosen: Vec<&Series> = others;
    chosen.sort_by(most_telling);
    chosen.truncate(CHARTS);
    chosen.extend(counters.into_iter().take(COUNTER_CHARTS));
    let mut names: BTreeMap<String, usize> = BTreeMap::new();
    let mut named: Vec<(String, &Series)> = Vec::new();
    for series in chosen {
        let key = &series.key;
        let name = units::slug(&format!("{} {} {}", key.cell, key.phase.name(), key.metric));
        let number = names.entry(name.clone()).or_default();
        *number += 1;
        named.push((if *number == 1 { name } else { format!("{name}-{number}") }, series));
    }
    chart::write_history(&folder, &named)?;
    if named.is_empty() {
        return Ok("\n".to_owned());
    }
    let mut out = "\nFiles\n".to_owned();
    for (name, _) in named.iter().take(LISTED) {
        out.push_str(&format!("  {}\n", Paths::shown(&folder.join(format!("{name}.png")))));
    }
    if named.len() > LISTED {
        out.push_str(&format!("  and {} more charts in {}\n", named.len() - LISTED, Paths::shown(&folder)));
    }
    if left_out > 0 {
        out.push_str(&format!(
            "  {} more series changed and were not drawn; give a filter\n",
            units::count(left_out as u64)
        ));
    }
    Ok(out + "\n")
}

/// Orders series for charts: wall times first, and of each metric the largest change.
fn most_telling(a: &&Series, b: &&Series) -> Ordering {
    let metric = |series: &Series| MEDIANS.iter().position(|metric| *metric == series.key.metric);
    metric(a).cmp(&metric(b)).then_with(|| b.largest_change().total_cmp(&a.largest_change()))
}
