//! What a history shows, for the terminal: changes, drifts, counters, what was accepted, and what was looked at.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use scenarios::{Kind, Metric};

use super::analysis::{Analysis, Coverage, LEAST_RUNS, LEVEL, MARGIN};
use super::change::{Meaning, Series};
use super::order::{Together, newest_first, together};
use super::series::Key;
use crate::baseline::Accepted;
use crate::evaluation::quoted;
use crate::report::{Align, Table, short};
use crate::units;

/// Rows of a table; the rest is in the JSON.
const ROWS: usize = 60;

/// Names that are listed of what was not tested.
const NAMES: usize = 4;

/// Writes what a history shows. `place` names where it is.
pub(crate) fn text(analysis: &Analysis, place: &str) -> String {
    let mut out = format!("history of suite {}: {place}\n", analysis.suite);
    if let (Some(first), Some(last)) = (analysis.runs.first(), analysis.runs.last()) {
        let count = runs(analysis.runs.len());
        let (first_name, last_name) = (first.name(), last.name());
        let _ =
            writeln!(out, "{count}, from {first_name} ({}) to {last_name} ({})", first.started, last.started);
    }
    let several = has_several_classes(analysis);
    let changed: Vec<&Series> = analysis.changed().collect();
    section(&mut out, "Changes, newest first", &changes(&changed, several));
    section(&mut out, "Drifts", &drifts(&changed, several));
    section(&mut out, "Counters that changed, newest first", &counters(&changed));
    if changed.is_empty() {
        out.push_str("\nnothing changed\n");
    }
    let accepted = analysis.runs.iter().filter_map(|run| run.accepted.as_ref());
    let accepted: Vec<String> = accepted.map(Accepted::text).collect();
    lines(&mut out, "Regressions that were accepted", &accepted);
    lines(&mut out, "Notes", &notes(analysis, &changed));
    lines(&mut out, "Looked at", &coverage(analysis));
    out
}

fn section(out: &mut String, heading: &str, rows: &Rows) {
    if rows.count > 0 {
        let _ = write!(out, "\n{heading}\n{}", rows.table.terminal());
        if rows.count > ROWS {
            let _ = writeln!(out, "… and {} more; --json has all", units::count((rows.count - ROWS) as u64));
        }
    }
}

fn lines(out: &mut String, heading: &str, lines: &[String]) {
    if !lines.is_empty() {
        let _ = writeln!(out, "\n{heading}\n  {}", lines.join("\n  "));
    }
}

/// A table of which not all rows may be shown.
struct Rows {
    table: Table,
    count: usize,
}

impl Rows {
    fn new(columns: &[(&'static str, Align)]) -> Self {
        Self { table: Table::new(columns), count: 0 }
    }

    fn add(&mut self, row: Vec<String>) {
        self.count += 1;
        if self.count <= ROWS {
            self.table.row(row);
        }
    }
}

/// Tells whether the same metric of a phase was measured where it cannot be compared.
pub(crate) fn has_several_classes(analysis: &Analysis) -> bool {
    let mut keys = BTreeSet::new();
    analysis.changed().any(|series| !keys.insert((&series.key.cell, series.key.phase, &series.key.metric)))
}

fn changes(changed: &[&Series], several: bool) -> Rows {
    let mut rows = Rows::new(&[
        ("commits", Align::Left),
        ("cell", Align::Left),
        ("phase", Align::Left),
        ("metric", Align::Left),
        ("before", Align::Right),
        ("after", Align::Right),
        ("change", Align::Right),
        ("interval of 95 %", Align::Right),
        ("p", Align::Right),
        ("", Align::Left),
    ]);
    for (series, step) in newest_first(changed, false) {
        let [low, high] = step.interval.unwrap_or([f64::NAN; 2]);
        let mut remark = vec![step.meaning.name().to_owned()];
        remark.extend(series.accepted(step).map(|reason| format!("accepted: {reason}")));
        if series.has_new_kernel(step.at) {
            remark.push(format!("with kernel {}", series.runs[step.at].kernel));
        }
        remark.extend(several.then(|| format!("on {}", series.key.class)));
        rows.add(vec![
            series.commits(step.at),
            short(&series.key.cell).to_owned(),
            series.key.phase.name().to_owned(),
            series.key.metric.clone(),
            step.before.clone(),
            step.after.clone(),
            step.change.map_or_else(none, percent),
            if step.interval.is_some() { format!("{} … {}", percent(low), percent(high)) } else { none() },
            step.p.map_or_else(none, probability),
            remark.join(", "),
        ]);
    }
    rows
}

fn drifts(changed: &[&Series], several: bool) -> Rows {
    let mut rows = Rows::new(&[
        ("commits", Align::Left),
        ("runs", Align::Right),
        ("cell", Align::Left),
        ("phase", Align::Left),
        ("metric", Align::Left),
        ("from", Align::Right),
        ("to", Align::Right),
        ("change", Align::Right),
        ("in 100 runs", Align::Right),
        ("p", Align::Right),
        ("", Align::Left),
    ]);
    for series in changed {
        for drift in series.drifts() {
            let (first, last) = (&series.runs[drift.start], &series.runs[drift.end - 1]);
            let value = |value: f64| units::metric(&series.key.metric, value.round() as u64);
            let meaning = Meaning::of(&series.key.metric, drift.to > drift.from);
            let on = if several { format!(", on {}", series.key.class) } else { String::new() };
            rows.add(vec![
                format!("{}..{}", first.name(), last.name()),
                (drift.end - drift.start).to_string(),
                short(&series.key.cell).to_owned(),
                series.key.phase.name().to_owned(),
                series.key.metric.clone(),
                value(drift.from),
                value(drift.to),
                percent(drift.change()),
                percent(drift.change_of_hundred()),
                drift.p.map_or_else(none, probability),
                format!("{}{on}", meaning.name()),
            ]);
        }
    }
    rows
}

/// Lists what counters did, one row for all cells in which a counter moved the same way at a run.
fn counters(changed: &[&Series]) -> Rows {
    let mut rows = Rows::new(&[
        ("commits", Align::Left),
        ("counter", Align::Left),
        ("cell", Align::Left),
        ("phase", Align::Left),
        ("before", Align::Right),
        ("after", Align::Right),
        ("change", Align::Right),
        ("", Align::Left),
    ]);
    for Together { series, step, cells, accepted } in together(changed) {
        let more = if cells > 1 { format!(" and {} more", cells - 1) } else { String::new() };
        let accepted = accepted.map_or_else(String::new, |reason| format!(", accepted: {reason}"));
        rows.add(vec![
            series.commits(step.at),
            series.key.metric.clone(),
            format!("{}{more}", short(&series.key.cell)),
            series.key.phase.name().to_owned(),
            step.before.clone(),
            step.after.clone(),
            step.change.map_or_else(|| "from nothing".to_owned(), percent),
            format!("{}{accepted}", step.meaning.name()),
        ]);
    }
    rows
}

/// Says what the reader should do or doubt.
fn notes(analysis: &Analysis, changed: &[&Series]) -> Vec<String> {
    let mut notes = Vec::new();
    for (number, cells, all) in shared(analysis) {
        let run = &analysis.runs[number];
        notes.push(format!(
            "times of {cells} of {all} cells changed close to {} ({}): more likely the machine than the code",
            run.name(),
            run.started
        ));
    }
    let mut worse =
        newest_first(changed, false).into_iter().filter(|(_, step)| step.meaning == Meaning::Worse);
    if let Some((series, step)) = worse.next()
        && let (Some(good), Some(bad)) = (&series.runs[step.at - 1].commit, &series.runs[step.at].commit)
        && good != bad
    {
        notes.push(format!(
            "where several commits lie between two runs: cargo xtask bisect {} --good {:.12} --bad {:.12}",
            quoted(&series.key.cell),
            good,
            bad
        ));
    }
    notes
}

/// Finds runs close to which the times of more than half of the cells changed, of four cells or more: the run, the cells
/// that changed, and all.
fn shared(analysis: &Analysis) -> Vec<(usize, usize, usize)> {
    let is_time = |series: &&Series| Metric::kind_of(&series.key.metric) == Some(Kind::Time);
    let cells: BTreeSet<&str> =
        analysis.series.iter().filter(is_time).map(|series| series.key.cell.as_str()).collect();
    let mut at: BTreeMap<usize, BTreeSet<&str>> = BTreeMap::new();
    for series in analysis.series.iter().filter(is_time) {
        for step in &series.steps {
            at.entry(series.runs[step.at].number).or_default().insert(&series.key.cell);
        }
    }
    let mut found: Vec<(usize, usize, usize)> = Vec::new();
    for (number, own) in &at {
        let number = *number;
        let near: BTreeSet<&str> =
            at.range(number.saturating_sub(1)..=number + 1).flat_map(|(_, cells)| cells).copied().collect();
        if cells.len() < 4 || near.len() * 2 <= cells.len() {
            continue;
        }
        let told = (number, near.len(), cells.len());
        match found.last_mut() {
            // Places are off by a run or two; the one that most agree on is told.
            Some(last) if number - last.0 <= 2 => {
                if (told.1, own.len()) > (last.1, at[&last.0].len()) {
                    *last = told;
                }
            }
            _ => found.push(told),
        }
    }
    found
}

fn coverage(analysis: &Analysis) -> Vec<String> {
    let count = |count: usize| units::count(count as u64);
    let Coverage { tested, blind, short, counters, unstable, machines, .. } = &analysis.coverage;
    let mut said = Vec::new();
    let noisy = analysis.series.iter().filter(|series| !series.is_exact());
    let cells: BTreeSet<&str> = noisy.clone().map(|series| series.key.cell.as_str()).collect();
    let metrics: BTreeSet<&str> = noisy.clone().map(|series| series.key.metric.as_str()).collect();
    let changed = noisy.filter(|series| series.has_changed()).count();
    said.push(if *tested == 0 {
        "no series of times, memory, allocations or instructions has runs enough to be tested".to_owned()
    } else {
        format!(
            "{} series were tested, {} of {} cells, and {} of them changed",
            count(*tested),
            metrics.into_iter().collect::<Vec<_>>().join(", "),
            count(cells.len()),
            count(changed)
        )
    });
    if *tested > 0 {
        said.push(format!(
            "of {:.0} that are told to have changed one may not have, and more where noise lasts from one run to the next; \
             changes below {:.0} %, and what began in the last {} runs, are not told",
            1.0 / LEVEL,
            MARGIN * 100.0,
            LEAST_RUNS - 1
        ));
    }
    if *blind > 0 {
        said.push(format!(
            "{} of them have too few runs for any change to be told among so many series; add runs, or look at less",
            count(*blind)
        ));
    }
    said.extend(too_short(short));
    if machines.len() > 1 {
        let each = machines.iter().map(|(name, count)| format!("{name} ({})", runs(*count)));
        said.push(format!(
            "times are compared only on one machine with one compiler; there are {}: {}",
            machines.len(),
            each.collect::<Vec<_>>().join("; ")
        ));
    }
    said.push(format!("{} counters were looked at, run by run", count(*counters)));
    said.extend(left_out(&analysis.coverage, *unstable));
    said
}

/// Names what has too few runs, by what it was measured on.
fn too_short(short: &[(Key, usize)]) -> Vec<String> {
    let mut by_class: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (key, count) in short {
        let name = format!("{} {} {} ({})", key.cell, key.phase.name(), key.metric, runs(*count));
        by_class.entry(&key.class).or_default().push(name);
    }
    let said = by_class.into_iter().map(|(class, names)| {
        let more = names.len().saturating_sub(NAMES);
        let more = if more > 0 { format!(", and {} more", units::count(more as u64)) } else { String::new() };
        format!(
            "not tested, for fewer than {} runs on {class}: {}{more}",
            2 * LEAST_RUNS,
            names[..names.len().min(NAMES)].join(", ")
        )
    });
    said.collect()
}

fn left_out(coverage: &Coverage, unstable: usize) -> Vec<String> {
    let counts = [
        ("counters of a run that did not repeat", unstable),
        ("cells of a run that failed", coverage.failed),
        ("times of runs of the tier exact", coverage.without_times),
        ("counters of runs of the tier time", coverage.without_counters),
    ];
    let said = counts.into_iter().filter(|(_, count)| *count > 0);
    said.map(|(what, count)| format!("left out: {what}, {}", units::count(count as u64))).collect()
}

/// Counts runs.
pub(crate) fn runs(count: usize) -> String {
    if count == 1 { "1 run".to_owned() } else { format!("{} runs", units::count(count as u64)) }
}

/// Writes a share as a change in percent, with as many digits as it needs not to be nothing.
pub(crate) fn percent(share: f64) -> String {
    let percent = share * 100.0;
    let digits = match percent.abs() {
        0.0 | 0.95.. => 1,
        0.0095.. => 2,
        _ => 4,
    };
    format!("{percent:+.digits$} %")
}

fn probability(p: f64) -> String {
    if p < 1e-4 { "< 0.0001".to_owned() } else { format!("{p:.4}") }
}

fn none() -> String {
    "–".to_owned()
}

#[cfg(test)]
mod tests;
