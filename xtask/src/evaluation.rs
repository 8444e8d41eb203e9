//! Puts a run beside its baseline: everything that a report of the run needs.

use std::collections::BTreeSet;

use scenarios::Phase;

use crate::baseline::Baseline;
use crate::cli::Tier;
use crate::exit::Exit;
use crate::paths::Paths;
use crate::plan::LEAST_PROCESSES;
use crate::record::Record;
use crate::resolve::{self, ResolvedSide};
use crate::summary::{CellSummary, Summary};
use crate::thresholds;
use crate::timing::{GATED, Timing, Told};
use crate::verdict::{Comparison, Finding, Scope, Times, Verdict, compare, seen_text};
use crate::why::{self, Grown, Growth};

/// A run and what it says.
#[derive(Clone, Debug)]
pub(crate) struct Evaluation {
    /// The run in short.
    pub(crate) summary: Summary,
    /// What it was compared with.
    pub(crate) base: Option<ResolvedSide>,
    /// What pairs of processes say, if there are some.
    pub(crate) timing: Option<Timing>,
    /// What the comparison says.
    pub(crate) comparison: Comparison,
    /// The arguments that repeat a cell's comparison, after the cell's name.
    pub(crate) again: String,
}

impl Evaluation {
    /// Evaluates a run against the baseline it was asked to be compared with, or its suite's own.
    pub(crate) fn of(paths: &Paths, record: &Record) -> anyhow::Result<Self> {
        let header = &record.header;
        let base = match (&header.base, &header.against) {
            (Some(base), _) => Some(resolve::of_base(record, base)),
            (None, Some(word)) => Some(resolve::baseline(paths, word)?),
            (None, None) => suite_baseline(paths, &header.suite)?,
        };
        let timing = if header.tier == Tier::Exact { None } else { Timing::of(record)? };
        let scope = match &header.base {
            Some(_) => {
                let scope = Scope::of(header.tier);
                let times = if header.tier == Tier::Exact { scope.times } else { Times::InPairs };
                Scope { bounded: true, times, ..scope }
            }
            None => Scope::of(header.tier),
        };
        let mut again = match header.tier {
            Tier::Exact => " --tier exact".to_owned(),
            Tier::Time => " --tier time".to_owned(),
            Tier::All => String::new(),
        };
        if let Some(word) = &header.against {
            again.push_str(&format!(" --against {}", quoted(word)));
        }
        let suite_cells = header.suite_cells.iter().cloned().collect();
        let summary = Summary::of(record);
        let mut comparison = match &base {
            Some(base) => compare(&base.measured, &summary.measured(), &suite_cells, scope),
            None => not_compared(paths, &summary),
        };
        for cell in &summary.cells {
            judge_processes(cell, &mut comparison);
        }
        if let Some(timing) = &timing {
            timing.add_to(&mut comparison);
        }
        judge_base(record, &mut comparison);
        explain(record, timing.as_ref(), &mut comparison);
        comparison.notes.extend(thresholds::notes(record));
        // Readers know the order of the suite; cells that are not in it come last.
        let place = |finding: &Finding| summary.cells.iter().position(|cell| cell.id == finding.cell);
        comparison.findings.sort_by_key(|finding| place(finding).unwrap_or(usize::MAX));
        Ok(Self { summary, base, timing, comparison, again })
    }

    /// Returns the exit code of the run; an unfinished one is inconclusive at best.
    pub(crate) fn exit(&self) -> Exit {
        let exit = self.comparison.exit();
        if self.summary.finished { exit } else { exit.worse(Exit::Inconclusive) }
    }

    /// Returns the command that runs one cell again.
    pub(crate) fn again_command(&self, cell: &str) -> String {
        format!("cargo xtask bench {}{}", quoted(cell), self.again)
    }

    /// Says the outcome in a word or three.
    pub(crate) fn verdict_word(&self) -> &'static str {
        match self.exit() {
            Exit::Pass if self.base.is_none() => "PASS, nothing compared",
            Exit::Pass => "PASS",
            Exit::Regression => "REGRESSION",
            Exit::Inconclusive => "INCONCLUSIVE",
            Exit::Incomparable => "INCOMPARABLE",
            Exit::Failed | Exit::Usage => "FAILED",
        }
    }

    /// Says the outcome in one line.
    pub(crate) fn verdict_line(&self) -> String {
        let mut counts = Vec::new();
        let verdicts = [
            Verdict::Failed,
            Verdict::Regressed,
            Verdict::Incomparable,
            Verdict::Inconclusive,
            Verdict::Improved,
            Verdict::Unchanged,
            Verdict::NotCompared,
        ];
        for verdict in verdicts {
            let count = self.comparison.cells.values().filter(|other| **other == verdict).count();
            if count > 0 {
                counts.push(format!("{count} {}", verdict.name()));
            }
        }
        let word = self.verdict_word();
        format!("{word}: {}: {} (exit code {})", self.summary.suite, counts.join(", "), self.exit() as u8)
    }
}

/// Quotes a word for a shell, if it needs quotes.
pub(crate) fn quoted(word: &str) -> String {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "-_./=,".contains(letter);
    if word.chars().all(plain) && !word.is_empty() {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

fn suite_baseline(paths: &Paths, suite: &str) -> anyhow::Result<Option<ResolvedSide>> {
    let path = paths.baseline_of(suite);
    if !path.is_file() {
        return Ok(None);
    }
    let word = path.to_string_lossy();
    let base = resolve::baseline(paths, &word)?;
    Ok(Some(base))
}

fn not_compared(paths: &Paths, summary: &Summary) -> Comparison {
    let mut comparison = Comparison::default();
    for cell in &summary.cells {
        comparison.cells.insert(cell.id.clone(), Verdict::NotCompared);
        for (phase, measured) in &cell.phases {
            for (name, seen) in &measured.unstable {
                let (phase, seen) = (phase.name(), seen_text(seen));
                comparison.notes.push(format!("{}: {phase} {name} does not repeat: {seen}", cell.id));
            }
        }
    }
    let suite = &summary.suite;
    let file = Paths::shown(&paths.baseline_of(suite));
    comparison.notes.push(format!(
        "nothing was compared: suite '{suite}' has no baseline ({file}); if the numbers of a complete run \
         are right: cargo xtask baseline bless {suite} --reason '…'"
    ));
    comparison
}

fn judge_processes(cell: &CellSummary, comparison: &mut Comparison) {
    let mut finding = Finding {
        cell: cell.id.clone(),
        verdict: Verdict::Failed,
        phase: None,
        metric: None,
        text: String::new(),
        base: None,
        head: None,
    };
    if let Some(failure) = cell.failures.first() {
        let place = match failure.process {
            Some(process) => format!("process {process}"),
            None => "prepare".to_owned(),
        };
        finding.text = format!("{place}: {}", failure.message);
        if !failure.stderr.is_empty() {
            finding.text.push_str("\nstandard error ends with:\n");
            finding.text.push_str(&failure.stderr);
        }
        comparison.add(finding);
    } else if cell.skipped.is_some() {
        comparison.cells.insert(cell.id.clone(), Verdict::NotCompared);
    } else if cell.has_too_few() {
        finding.verdict = Verdict::Inconclusive;
        finding.text = format!(
            "measured in {} of {} processes; counters are shown to repeat by {LEAST_PROCESSES} or more",
            cell.processes, cell.planned
        );
        comparison.add(finding);
    }
}

/// Says of each cell that regressed beside its base where the time or the allocations went; if neither grew, which
/// stages are entered more often.
fn explain(record: &Record, timing: Option<&Timing>, comparison: &mut Comparison) {
    for planned in &record.header.planned {
        let id = planned.cell.id();
        if comparison.cells.get(&id) != Some(&Verdict::Regressed) {
            continue;
        }
        // Time where it was seen to grow; allocations where they are too many, and where a phase is worse in whatever way
        // and every execution takes more of them.
        let of_cell = comparison.findings.iter().filter(|finding| finding.cell == id);
        let worse: Vec<(Phase, &str)> = of_cell
            .filter(|finding| finding.verdict == Verdict::Regressed)
            .filter_map(|finding| Some((finding.phase?, finding.metric.as_deref()?)))
            .collect();
        let is_worse = |phase: Phase| worse.iter().any(|(of, _)| *of == phase);
        let phases = [Phase::Cold, Phase::Warm];
        let mut asked = Vec::new();
        for phase in phases {
            let is_told = |told: &Told| {
                told.cell == id && told.phase == phase && told.metric.starts_with(GATED) && told.change > 0.0
            };
            if worse.contains(&(phase, GATED)) || timing.is_some_and(|timing| timing.told.iter().any(is_told))
            {
                asked.push((Grown::Time, phase));
            }
            for (metric, grown) in [("alloc_count", Grown::Allocations), ("alloc_bytes", Grown::Bytes)] {
                let is_always_more = grown == Grown::Allocations
                    && is_worse(phase)
                    && why::is_always_more(record, &id, phase, metric);
                if worse.contains(&(phase, metric)) || is_always_more {
                    asked.push((grown, phase));
                }
            }
        }
        let mut why: Vec<String> = asked
            .into_iter()
            .filter_map(|(what, phase)| Growth::of(record, &id, phase, what)?.text())
            .collect();
        if why.is_empty() {
            why.extend(phases.into_iter().filter_map(|phase| why::entered(record, &id, phase)));
        }
        let is_larger =
            |told: &Told| told.cell == id && told.metric == "alloc_peak_bytes" && told.change > 0.0;
        if timing.is_some_and(|timing| timing.told.iter().any(is_larger)) {
            why.extend(phases.into_iter().filter_map(|phase| why::peak(record, &id, phase)));
        }
        let of_cell = record.differences.iter().filter(|difference| difference.cell == id);
        why.extend(of_cell.flat_map(|difference| &difference.said).cloned());
        if let (Some(_), Some(word)) = (&record.header.base, &record.header.against) {
            why.push(format!(
                "to draw where: cargo xtask profile {} --against {}",
                quoted(&id),
                quoted(word)
            ));
        }
        if !why.is_empty() {
            comparison.why.insert(id, why.join("\n"));
        }
    }
}

/// A base that fails leaves nothing to compare with.
fn judge_base(record: &Record, comparison: &mut Comparison) {
    let mut told = BTreeSet::new();
    for failure in record.failures.iter().filter(|failure| !failure.side.is_head()) {
        // The canary is the base as well.
        if !told.insert(&failure.cell) {
            continue;
        }
        let text = format!("the base failed: {}", failure.message);
        let (cell, verdict) = (failure.cell.clone(), Verdict::Incomparable);
        comparison.add(Finding { cell, verdict, phase: None, metric: None, text, base: None, head: None });
    }
}

/// Says why a run cannot become a baseline, if it cannot.
pub(crate) fn why_not_blessed(record: &Record, suite_cells: &[String]) -> Option<String> {
    let summary = Summary::of(record);
    let run = &record.header.run;
    if record.end.is_none() {
        return Some(format!("run {run} is not finished; continue it with --resume"));
    }
    if !record.header.filters.is_empty() {
        let filters = record.header.filters.join(" ");
        return Some(format!("run {run} was filtered ({filters}); run the whole suite"));
    }
    if let Some(cell) = summary.cells.iter().find(|cell| !cell.failures.is_empty()) {
        return Some(format!("run {run} has a failed cell: {}", cell.id));
    }
    if let Some(cell) = summary.cells.iter().find(|cell| cell.skipped.is_some()) {
        return Some(format!("run {run} has a cell that did not run: {}", cell.id));
    }
    if let Some(cell) = summary.cells.iter().find(|cell| cell.has_too_few()) {
        return Some(format!("run {run} has a cell with too few processes: {}", cell.id));
    }
    let mismatches =
        Baseline::new(&summary.measured(), "check").mismatches(&record.header.suite, suite_cells);
    let first = mismatches.first()?;
    Some(format!("run {run} is not of the suite as it is now: {first}; run it again"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_where_a_shell_needs_it() {
        let check = |word, expect| assert_eq!(quoted(word), expect);
        check("smoke/export", "smoke/export");
        check("smoke/export[size=tiny a=b]", "'smoke/export[size=tiny a=b]'");
        check("it's", r"'it'\''s'");
        check("", "''");
    }
}
