//! A series over the runs of its history in the width of a card: its values, its levels, and where it changed.

use std::fmt::Write as _;

use maud::{Markup, html};

use crate::history::{Meaning, Series, percent, runs};
use crate::units;

const WIDTH: f64 = 480.0;
const HEIGHT: f64 = 112.0;
/// Room for a dot at the edges.
const ROOM: f64 = 8.0;
/// Points of the line; of more runs it has the medians of neighbours.
pub(super) const POINTS: usize = 120;
/// The least span that the height shows, as a share of the largest value: small noise is shown as small.
const LEAST_SPAN: f64 = 0.05;

/// Draws a series, with a dot on its last value if that is of the run of the page.
pub(super) fn trend(series: &Series, has_own_value: bool) -> Markup {
    let plot = Plot::of(series);
    html! {
        svg.trend viewBox=(format!("0 0 {WIDTH} {HEIGHT}")) role="img" aria-label=(label(series, has_own_value)) {
            path.values d=(plot.line()) {}
            @for (class, path) in plot.changes() { path.(class) d=(path) {} }
            path.levels d=(plot.levels()) {}
            @if let (true, Some(last)) = (has_own_value, series.values.last()) {
                circle cx=(plot.x(series.values.len() as f64 - 0.5)) cy=(plot.y(*last)) r="6" {}
            }
        }
    }
}

/// Says what is drawn.
fn label(series: &Series, has_own_value: bool) -> String {
    let mut label = format!("{} over {}", name(series), runs(series.values.len()));
    for step in &series.steps {
        let change = step.change.map_or_else(|| "change from nothing".to_owned(), percent);
        let _ = write!(label, ", {change} at {}", series.runs[step.at].name());
    }
    for drift in series.drifts() {
        let _ = write!(label, ", drift of {}", percent(drift.change()));
    }
    if let (true, Some(last)) = (has_own_value, series.values.last()) {
        let _ = write!(label, ", this run {}", value(series, *last));
    }
    label
}

/// Names what a series is of.
pub(super) fn name(series: &Series) -> String {
    let metric = if series.key.metric == "wall_ns" { "wall time" } else { &series.key.metric };
    format!("{} {metric}", series.key.phase.name())
}

/// Writes a value of a series.
pub(super) fn value(series: &Series, value: f64) -> String {
    units::metric(&series.key.metric, value.round().max(0.0) as u64)
}

/// Returns the class that gives a meaning its colour.
pub(super) fn tone(meaning: Meaning) -> &'static str {
    match meaning {
        Meaning::Worse => "worse",
        Meaning::Better => "better",
        Meaning::Neither => "quiet",
    }
}

/// Where values lie. Numbers in paths are whole: the picture is drawn at half its size or so.
struct Plot<'a> {
    series: &'a Series,
    low: f64,
    span: f64,
}

impl<'a> Plot<'a> {
    fn of(series: &'a Series) -> Self {
        let ends = series.pieces.iter().flat_map(|piece| [piece.from, piece.to]);
        let values = || series.values.iter().copied().chain(ends.clone());
        let (least, most) = (values().fold(f64::INFINITY, f64::min), values().fold(0.0, f64::max));
        let span = (most - least).max(most * LEAST_SPAN).max(f64::MIN_POSITIVE);
        Self { series, low: f64::midpoint(least, most) - span / 2.0, span }
    }

    /// Returns where a place among the values lies; each value has the width of one.
    fn x(&self, place: f64) -> i64 {
        let count = self.series.values.len() as f64;
        (ROOM + (WIDTH - 2.0 * ROOM) * place / count).round() as i64
    }

    fn y(&self, value: f64) -> i64 {
        let share = (value - self.low) / self.span;
        (HEIGHT - ROOM - (HEIGHT - 2.0 * ROOM) * share).round() as i64
    }

    /// Writes the line through the values, as differences: most of them have one digit.
    fn line(&self) -> String {
        let values = &self.series.values;
        let size = values.len().div_ceil(POINTS).max(1);
        let mut path = String::new();
        let mut before: Option<(i64, i64)> = None;
        for (number, group) in values.chunks(size).enumerate() {
            let middle = (number * size) as f64 + group.len() as f64 / 2.0;
            let (x, y) = (self.x(middle), self.y(median(group)));
            let _ = match before {
                None => write!(path, "M{x} {y}l"),
                Some((left, above)) => write!(path, "{} {} ", x - left, y - above),
            };
            before = Some((x, y));
        }
        path.trim_end_matches([' ', 'l']).to_owned()
    }

    /// Writes levels and drifts.
    fn levels(&self) -> String {
        let mut path = String::new();
        for piece in &self.series.pieces {
            let (start, end) = (self.x(piece.start as f64), self.x(piece.end as f64));
            let _ = write!(path, "M{start} {}L{end} {}", self.y(piece.from), self.y(piece.to));
        }
        path
    }

    /// Writes the places of steps by what they mean, and drifts below the lines of levels.
    fn changes(&self) -> Vec<(&'static str, String)> {
        let mut all = Vec::new();
        for meaning in [Meaning::Worse, Meaning::Better, Meaning::Neither] {
            let mut path = String::new();
            for step in self.series.steps.iter().filter(|step| step.meaning == meaning) {
                let _ = write!(path, "M{} 0V{HEIGHT}", self.x(step.at as f64));
            }
            for drift in self.series.drifts() {
                if Meaning::of(&self.series.key.metric, drift.to > drift.from) == meaning {
                    let (start, end) = (self.x(drift.start as f64), self.x(drift.end as f64));
                    let _ = write!(path, "M{start} {}H{end}", HEIGHT - 2.0);
                }
            }
            if !path.is_empty() {
                all.push((tone(meaning), path));
            }
        }
        all
    }
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::synthetic::{self, Planted};
    use crate::history::{Analysis, Asked};

    fn walls(runs: usize, planted: Planted) -> Series {
        let lines = synthetic::history(4, runs, &[planted]);
        let asked = Asked { cell: &|_| true, metric: &|metric| metric == "wall_ns" };
        Analysis::of("s", &lines, &[], &asked).series.swap_remove(1)
    }

    #[test]
    fn a_step_and_the_last_value_are_drawn() {
        let planted = Planted { steps: vec![(10, 0.5)], ..Planted::noise("s/<c>[]", 0.01) };
        let drawn = trend(&walls(24, planted), true).into_string();
        insta::assert_snapshot!(drawn.replace("></path>", "/>").replace("><", ">\n<"), @r#"
        <svg class="trend" viewBox="0 0 480 112" role="img" aria-label="warm wall time over 24 runs, +49.7 % at 000000a, this run 14.8 ms">
        <path class="values" d="M18 103l19 -4 19 2 20 3 19 -20 19 18 20 1 19 1 19 -5 20 2 19 -68 19 4 20 -3 19 3 19 1 20 -4 19 4 19 -3 20 -27 19 28 19 -1 20 2 19 -2 19 2"/>
        <path class="worse" d="M201 0V112"/>
        <path class="levels" d="M8 102L201 102M201 36L472 36"/>
        <circle cx="462" cy="37" r="6">
        </circle>
        </svg>
        "#);
    }

    #[test]
    fn many_runs_take_no_more_room() {
        let steps = vec![(200, 0.05), (400, -0.08), (600, 0.2)];
        let drift = Some((700, 900, 0.4));
        for runs in [200, 1_000] {
            let planted = Planted { steps: steps.clone(), drift, ..Planted::noise("s/c[]", 0.02) };
            let series = walls(runs, planted);
            let drawn = trend(&series, true).into_string();
            assert!(drawn.len() < 1_536, "{runs}: {} bytes: {drawn}", drawn.len());
        }
    }

    #[test]
    fn everything_lies_within_the_picture() {
        let check = |series: &Series| {
            let plot = Plot::of(series);
            for place in [0.0, series.values.len() as f64] {
                assert!((0..=WIDTH as i64).contains(&plot.x(place)));
            }
            for value in &series.values {
                assert!((ROOM as i64..=(HEIGHT - ROOM) as i64).contains(&plot.y(*value)), "{value}");
            }
        };
        let series = walls(60, Planted { steps: vec![(30, 2.0)], ..Planted::noise("s/c[]", 0.05) });
        check(&series);
        let len = series.values.len();
        check(&Series { values: vec![0.0; len], pieces: Vec::new(), ..series.clone() });
        check(&Series { values: vec![7.0; len], pieces: Vec::new(), ..series });
    }
}
