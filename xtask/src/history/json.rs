//! What a history shows, as JSON.

use serde::Serialize;

use super::analysis::{Analysis, LEVEL, MARGIN};
use super::change::{Meaning, Series, Step, Stretch};

/// The version of the file.
const FORMAT: u32 = 1;

#[derive(Serialize)]
struct Document<'a> {
    format: u32,
    histories: Vec<History<'a>>,
}

#[derive(Serialize)]
struct History<'a> {
    suite: &'a str,
    level: f64,
    margin: f64,
    runs: Vec<Run<'a>>,
    looked_at: LookedAt<'a>,
    changed: Vec<Changed<'a>>,
}

#[derive(Serialize)]
struct Run<'a> {
    run: &'a str,
    started: &'a str,
    revision: &'a str,
    commit: Option<&'a str>,
    accepted: Option<&'a str>,
}

#[derive(Serialize)]
struct LookedAt<'a> {
    tested: usize,
    blind: usize,
    short: Vec<Short<'a>>,
    counters: usize,
    unstable: usize,
    failed: usize,
    without_times: usize,
    without_counters: usize,
    machines: Vec<Machine<'a>>,
}

#[derive(Serialize)]
struct Short<'a> {
    cell: &'a str,
    phase: &'a str,
    metric: &'a str,
    on: &'a str,
    runs: usize,
}

#[derive(Serialize)]
struct Machine<'a> {
    name: &'a str,
    runs: usize,
}

#[derive(Serialize)]
struct Changed<'a> {
    cell: &'a str,
    phase: &'a str,
    metric: &'a str,
    on: &'a str,
    level: Option<f64>,
    /// Places in `runs`.
    runs: Vec<usize>,
    values: &'a [f64],
    steps: Vec<StepLine<'a>>,
    drifts: Vec<Drift>,
}

#[derive(Serialize)]
struct StepLine<'a> {
    run: usize,
    commits: String,
    before: &'a str,
    after: &'a str,
    change: Option<f64>,
    interval: Option<[f64; 2]>,
    p: Option<f64>,
    meaning: &'static str,
    accepted: Option<&'a str>,
    new_kernel: bool,
}

#[derive(Serialize)]
struct Drift {
    first: usize,
    last: usize,
    from: f64,
    to: f64,
    change: f64,
    change_in_100_runs: f64,
    p: Option<f64>,
    meaning: &'static str,
}

/// Writes what histories show.
pub(crate) fn json(analyses: &[Analysis]) -> String {
    let histories = analyses.iter().map(history).collect();
    let document = Document { format: FORMAT, histories };
    let mut text =
        serde_json::to_string_pretty(&document).expect("a document holds only strings and numbers");
    text.push('\n');
    text
}

fn history(analysis: &Analysis) -> History<'_> {
    let coverage = &analysis.coverage;
    let short = coverage.short.iter().map(|(key, runs)| Short {
        cell: &key.cell,
        phase: key.phase.name(),
        metric: &key.metric,
        on: &key.class,
        runs: *runs,
    });
    let runs = analysis.runs.iter().map(|run| Run {
        run: &run.run,
        started: &run.started,
        revision: &run.revision,
        commit: run.commit.as_deref(),
        accepted: run.accepted.as_ref().map(|accepted| accepted.reason.as_str()),
    });
    History {
        suite: &analysis.suite,
        level: LEVEL,
        margin: MARGIN,
        runs: runs.collect(),
        looked_at: LookedAt {
            tested: coverage.tested,
            blind: coverage.blind,
            short: short.collect(),
            counters: coverage.counters,
            unstable: coverage.unstable,
            failed: coverage.failed,
            without_times: coverage.without_times,
            without_counters: coverage.without_counters,
            machines: coverage.machines.iter().map(|(name, runs)| Machine { name, runs: *runs }).collect(),
        },
        changed: analysis.changed().map(changed).collect(),
    }
}

fn changed(series: &Series) -> Changed<'_> {
    let steps = series.steps.iter().map(|step: &Step| StepLine {
        run: series.runs[step.at].number,
        commits: series.commits(step.at),
        before: &step.before,
        after: &step.after,
        change: step.change,
        interval: step.interval,
        p: step.p,
        meaning: step.meaning.name(),
        accepted: series.accepted(step),
        new_kernel: series.has_new_kernel(step.at),
    });
    let drift = |drift: &Stretch| Drift {
        first: series.runs[drift.start].number,
        last: series.runs[drift.end - 1].number,
        from: drift.from,
        to: drift.to,
        change: drift.change(),
        change_in_100_runs: drift.change_of_hundred(),
        p: drift.p,
        meaning: Meaning::of(&series.key.metric, drift.to > drift.from).name(),
    };
    Changed {
        cell: &series.key.cell,
        phase: series.key.phase.name(),
        metric: &series.key.metric,
        on: &series.key.class,
        level: series.level,
        runs: series.runs.iter().map(|run| run.number).collect(),
        values: &series.values,
        steps: steps.collect(),
        drifts: series.drifts().map(drift).collect(),
    }
}
