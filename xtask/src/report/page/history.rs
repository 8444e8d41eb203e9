//! What the history of the suite says of the cells of the run: how they came to where they are, and where they changed.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use maud::{Markup, html};

use super::Page;
use super::trend::{POINTS, name, tone, trend, value};
use crate::history::{
    Coverage, LEAST_RUNS, LEVEL, Meaning, OfRun, Run, Series, Together, has_several_classes, newest_first,
    percent, runs, together,
};
use crate::units;
use crate::verdict::Verdict;

/// Cells that are drawn.
const TRENDS: usize = 12;

/// Rows of the table of changes.
const ROWS: usize = 40;

/// Metrics that are named of a cell whose wall time did not change.
const NAMES: usize = 3;

/// Writes the part.
pub(super) fn history(page: &Page<'_>) -> Markup {
    match page.history {
        Err(error) => html! {
            p { span.doubt { "The history of the suite cannot be read: " } (format!("{error:#}")) }
        },
        Ok(None) => html! {
            p {
                "The suite has no history yet; " code { "cargo xtask history add " (page.record.header.run) }
                " begins one with this run."
            }
        },
        Ok(Some(found)) => html! {
            (spans(found))
            (looked_at(found))
            (trends(page, found))
            (changes(page, found))
        },
    }
}

/// Says how many runs there are, and of when.
fn spans(found: &OfRun) -> Markup {
    let all = &found.analysis.runs;
    let date = |run: &Run| run.started.split(' ').next().unwrap_or_default().to_owned();
    html! {
        p {
            (runs(all.len())) " in " code { (found.shown) }
            @if let (Some(first), Some(last)) = (all.first(), all.last()) {
                ", from " code { (first.name()) } " of " (date(first))
                " to " code { (last.name()) } " of " (date(last))
            }
            @if !all.last().is_some_and(|run| found.is_own(run)) {
                ". This run has no cell that did not fail."
            } @else if found.is_kept { ", this run among them." } @else {
                ", with this run, which is not kept there yet: " code { "cargo xtask history add " (found.run) } "."
            }
            @if found.earlier > 0 {
                " Of earlier runs there are " (units::count(found.earlier as u64)) ", which "
                code { "cargo xtask history" } " looks at too."
            }
            @if found.later > 0 { " Of later runs there are " (units::count(found.later as u64)) ", left out here." }
        }
    }
}

/// Says what was looked at, and what was not.
fn looked_at(found: &OfRun) -> Markup {
    let analysis = &found.analysis;
    let count = |count: usize| units::count(count as u64);
    let Coverage { tested, blind, short, counters, machines, without_times, .. } = &analysis.coverage;
    let changed = analysis.changed().filter(|series| !series.is_exact()).count();
    html! {
        p.note {
            "Looked at: " (count(*tested)) " series of wall time, of which " (count(changed))
            " changed (of " (format!("{:.0}", 1.0 / LEVEL)) " that are told one may not have, and more where noise "
            "lasts from one run to the next; the last " (LEAST_RUNS - 1) " runs are too few to tell), and " (count(*counters)) " counters, run by run. "
            @if !short.is_empty() {
                (count(short.len())) " series have fewer than " (2 * LEAST_RUNS) " runs and were not tested. "
            }
            @if *blind > 0 {
                (count(*blind)) " have too few runs for any change to be told among so many series. "
            }
            @if machines.len() > 1 {
                "Times are compared only on one machine with one compiler; there are " (machines.len()) ". "
            }
            @if *without_times > 0 {
                (runs(*without_times)) " of the tier exact " @if *without_times == 1 { "gives" } @else { "give" }
                " counters alone. "
            }
            "Processor time, memory, allocations and instructions are looked at by " code { "cargo xtask history" } "."
        }
    }
}

/// A cell that changed, and the series of its wall time.
struct Trend<'a> {
    place: usize,
    cell: &'a str,
    verdict: Verdict,
    /// The metrics that changed in the history.
    metrics: BTreeSet<&'a str>,
    wall: Option<&'a Series>,
}

impl<'a> Trend<'a> {
    /// Returns the cells that changed in the history or in the run, the most telling first.
    fn all(page: &'a Page<'_>, found: &'a OfRun) -> Vec<Self> {
        let mut all = Vec::new();
        for (place, cell, verdict) in page.cells() {
            let series = || found.analysis.series.iter().filter(|series| series.key.cell == cell.id);
            let metrics: BTreeSet<&str> = series()
                .filter(|series| series.has_changed())
                .map(|series| series.key.metric.as_str())
                .collect();
            if metrics.is_empty() && !matches!(verdict, Verdict::Regressed | Verdict::Improved) {
                continue;
            }
            let walls = series().filter(|series| series.key.metric == "wall_ns" && series.values.len() > 1);
            let wall = walls.max_by(|a, b| {
                let of = |series| (found.has_own_value(series), series.has_changed());
                of(a).cmp(&of(b)).then(a.largest_change().total_cmp(&b.largest_change()))
            });
            all.push(Self { place, cell: &cell.id, verdict, metrics, wall });
        }
        let size = |trend: &Self| trend.wall.map_or(0.0, Series::largest_change);
        all.sort_by(|a, b| {
            let of_run = |trend: &Self| Reverse((trend.wall.is_some(), of_run(trend.verdict)));
            of_run(a).cmp(&of_run(b)).then(size(b).total_cmp(&size(a))).then(a.place.cmp(&b.place))
        });
        all
    }
}

/// Orders verdicts by how far the run itself changed the cell.
fn of_run(verdict: Verdict) -> u8 {
    match verdict {
        Verdict::Regressed => 2,
        Verdict::Improved => 1,
        _ => 0,
    }
}

fn trends(page: &Page<'_>, found: &OfRun) -> Markup {
    let all = Trend::all(page, found);
    if all.is_empty() {
        return html! { p { "Of these, no cell changed in the history or in this run." } };
    }
    let drawn: Vec<&Trend<'_>> = all.iter().filter(|trend| trend.wall.is_some()).collect();
    let flat = all.len() - drawn.len();
    let more = drawn.len().saturating_sub(TRENDS);
    html! {
        h3 { "Cells that changed" }
        @if !drawn.is_empty() {
            p.note {
                "Medians of wall time, the oldest run at the left; more than " (POINTS) " runs are drawn as medians of "
                "neighbours. Levels and drifts are drawn over them, an upright line is a change, a line at the bottom "
                "a drift, the dot is this run."
            }
            ul.trends { @for trend in drawn.iter().take(TRENDS) { li { (card(page, found, trend)) } } }
        }
        @if more > 0 {
            p { (cells(more)) " more changed and " (are(more)) " not drawn; the table below and "
                code { "cargo xtask history" } " have them." }
        }
        @if flat > 0 {
            p { (cells(flat)) " changed that " @if flat == 1 { "has" } @else { "have" } " no times to draw." }
        }
    }
}

fn cells(count: usize) -> String {
    if count == 1 { "1 cell".to_owned() } else { format!("{} cells", units::count(count as u64)) }
}

fn are(count: usize) -> &'static str {
    if count == 1 { "is" } else { "are" }
}

fn card(page: &Page<'_>, found: &OfRun, shown: &Trend<'_>) -> Markup {
    let Some(series) = shown.wall else { return html! {} };
    let has_own = found.has_own_value(series);
    let (least, most) = series
        .values
        .iter()
        .fold((f64::INFINITY, 0.0_f64), |(least, most), one| (least.min(*one), most.max(*one)));
    html! {
        p { (page.link(shown.cell)) @if of_run(shown.verdict) > 0 { " " (super::badge(shown.verdict)) } }
        (trend(series, has_own))
        p.note {
            (name(series)) ", " span.value { (value(series, least)) } " to " span.value { (value(series, most)) }
            @if let (true, Some(last)) = (has_own, series.values.last()) { ", this run " b { (value(series, *last)) } }
            @else { ", not comparable with this run" }
        }
        p { (told(shown, series)) }
    }
}

/// Lists the changes of a series; if there are none, what else changed.
fn told(shown: &Trend<'_>, series: &Series) -> Markup {
    let tone_of = |is_more| tone(Meaning::of(&series.key.metric, is_more));
    let others: Vec<&str> = shown.metrics.iter().copied().filter(|metric| *metric != "wall_ns").collect();
    html! {
        @for (number, step) in series.steps.iter().enumerate() {
            @if number > 0 { ", " }
            span.(tone(step.meaning)) { (step.change.map_or_else(|| "from nothing".to_owned(), percent)) }
        }
        @for (number, drift) in series.drifts().enumerate() {
            @if number + series.steps.len() > 0 { ", " }
            "drift " span.(tone_of(drift.to > drift.from)) { (percent(drift.change())) }
        }
        @if !series.has_changed() && !others.is_empty() {
            "changed: " (others[..others.len().min(NAMES)].join(", "))
            @if others.len() > NAMES { " and " (others.len() - NAMES) " more" }
        }
        @if !series.has_changed() && others.is_empty() { "no change in the history" }
    }
}

/// A row of the table of changes.
struct Row<'a> {
    series: &'a Series,
    /// The run at which it was found.
    number: usize,
    commits: String,
    more_cells: usize,
    what: String,
    before: String,
    after: String,
    change: String,
    meaning: Meaning,
    remarks: Vec<String>,
}

impl<'a> Row<'a> {
    /// Returns the changes of a history, the newest first.
    fn all(found: &'a OfRun) -> Vec<Self> {
        let changed: Vec<&Series> = found.analysis.changed().collect();
        let several = has_several_classes(&found.analysis);
        let mut rows = Vec::new();
        for (series, step) in newest_first(&changed, false) {
            rows.push(Self::of_step(
                Together { series, step, cells: 1, accepted: series.accepted(step) },
                several,
            ));
        }
        for series in &changed {
            rows.extend(series.drifts().map(|drift| {
                let (first, last) = (&series.runs[drift.start], &series.runs[drift.end - 1]);
                Self {
                    series,
                    number: first.number,
                    commits: format!("{}..{}", first.name(), last.name()),
                    more_cells: 0,
                    what: name(series),
                    before: value(series, drift.from),
                    after: value(series, drift.to),
                    change: percent(drift.change()),
                    meaning: Meaning::of(&series.key.metric, drift.to > drift.from),
                    remarks: vec![format!("drift over {}", runs(drift.end - drift.start))],
                }
            }));
        }
        rows.extend(together(&changed).into_iter().map(|told| Self::of_step(told, several)));
        rows.sort_by_key(|row| Reverse(row.number));
        rows
    }

    fn of_step(told: Together<'a>, several: bool) -> Self {
        let Together { series, step, cells, accepted } = told;
        let run = &series.runs[step.at];
        let mut remarks = Vec::new();
        remarks.extend(accepted.map(|reason| format!("accepted: {reason}")));
        if !series.is_exact() && series.has_new_kernel(step.at) {
            remarks.push(format!("with kernel {}", run.kernel));
        }
        remarks.extend(several.then(|| format!("on {}", series.key.class)));
        Self {
            series,
            number: run.number,
            commits: series.commits(step.at),
            more_cells: cells - 1,
            what: name(series),
            before: step.before.clone(),
            after: step.after.clone(),
            change: step.change.map_or_else(|| "from nothing".to_owned(), percent),
            meaning: step.meaning,
            remarks,
        }
    }
}

fn changes(page: &Page<'_>, found: &OfRun) -> Markup {
    let rows = Row::all(found);
    let last = found.analysis.runs.len();
    let at = |row: &Row<'_>| found.analysis.runs[row.number].started.trim_end_matches(" UTC").to_owned();
    html! {
        @if !rows.is_empty() {
            h3 { "Change points, newest first" }
            div.scroll tabindex="0" role="group" aria-label="Change points" { table {
                thead { tr {
                    @for heading in ["cell", "metric", "commits", "run began, UTC"] { th scope="col" { (heading) } }
                    @for heading in ["before", "after", "change"] { th.number scope="col" { (heading) } }
                    th scope="col" { span.unseen { "remarks" } }
                } }
                tbody {
                    @for row in rows.iter().take(ROWS) {
                        tr {
                            th scope="row" {
                                (page.link(&row.series.key.cell))
                                @if row.more_cells > 0 { " and " (cells(row.more_cells)) " more" }
                            }
                            td { (row.what) }
                            td.place { code { (row.commits) } @if row.number + 1 == last { ", this run" } }
                            td.place { (at(row)) }
                            td.number { (row.before) }
                            td.number { (row.after) }
                            td.number { span.(tone(row.meaning)) { (row.change) } }
                            td.remarks { (row.remarks.join(", ")) }
                        }
                    }
                }
            } }
            @if rows.len() > ROWS {
                p { "… and " (units::count((rows.len() - ROWS) as u64)) " more, which " code { "cargo xtask history --json FILE" }
                    " has." }
            }
        }
    }
}
