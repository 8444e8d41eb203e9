//! A series over the runs of a history: a point for each run, levels and drifts, and marks where it changed.

use scenarios::{Kind, Metric};

use super::drawing::{Anchor, Drawing, LABEL, MARGIN, SMALL, widest};
use super::palette::{BETTER, Color, FAINT_INK, GRID, INK, WORSE};
use crate::history::{Meaning, Run, Series};
use crate::units;

const PLOT: (f64, f64) = (960.0, 340.0);
/// The height of a row of labels above the plot.
const ROW: f64 = 20.0;
/// The space between a label and its mark, and between two labels.
const GAP: f64 = 6.0;
/// What was accepted is said below the plot, of this many runs at most.
const SAID: usize = 6;
const POINT: Color = Color(86, 180, 233);
/// [`WORSE`] for letters, which are thin: a darker one.
const WORSE_INK: Color = Color(166, 70, 0);
/// Letters of a reason that are shown.
const REASON: usize = 110;

/// A mark above the plot.
struct Mark {
    x: f64,
    text: String,
    color: Color,
    /// Whether everything changes there, so that a line goes down from it.
    is_step: bool,
}

/// Draws a series.
pub(super) fn draw(series: &Series) -> Drawing {
    let values = || {
        let ends = series.pieces.iter().flat_map(|piece| [piece.from, piece.to]);
        series.values.iter().copied().chain(ends)
    };
    let axis = Axis::over(values(), &series.key.metric);
    let ticks = axis.ticks();
    let texts: Vec<String> = ticks.iter().map(|tick| axis.text(*tick)).collect();
    let left = MARGIN + widest(texts.iter().map(String::as_str), LABEL) + 12.0;
    let x_of = |place: f64| left + PLOT.0 * (place + 0.5) / series.values.len() as f64;
    let marks = marks(series, &x_of);
    let rows = rows(&marks);
    let labels_end = marks.iter().map(|mark| mark.x + GAP + widest([mark.text.as_str()], LABEL));
    let right = labels_end.fold(left + PLOT.0, f64::max).max(left + PLOT.0);
    let key = &series.key;
    let title = format!("{}: {} {}", key.cell, key.phase.name(), key.metric);
    let below =
        format!("a point for each run, oldest at the left; lines are levels and drifts; {}", key.class);
    let mut page = Drawing::new(0.0, 0.0);
    let top =
        page.heading(&title, &below) + rows.iter().max().map_or(0.0, |most| (most + 1) as f64 * ROW) + 4.0;
    let title_end = MARGIN + widest([title.as_str()], super::drawing::TITLE) * 1.1;
    page.width = right.max(title_end).max(MARGIN + widest([below.as_str()], LABEL)) + MARGIN;
    let y_of = |value: f64| top + PLOT.1 * (1.0 - axis.place(value));
    for (tick, text) in ticks.iter().zip(&texts) {
        page.line((left, y_of(*tick)), (left + PLOT.0, y_of(*tick)), GRID);
        page.text((left - 12.0, y_of(*tick)), text, LABEL, Anchor::End, INK);
    }
    for (mark, row) in marks.iter().zip(&rows) {
        let y = top - 4.0 - (*row as f64 + 0.5) * ROW;
        if mark.is_step {
            page.line((mark.x, y - ROW / 2.0 + 2.0), (mark.x, top + PLOT.1), mark.color);
        }
        let ink = if mark.color == WORSE { WORSE_INK } else { mark.color };
        page.text((mark.x + GAP, y), &mark.text, LABEL, Anchor::Start, ink);
    }
    // A counter lies on its levels; noise lies around them, and would hide them.
    let (exact, noisy) = if series.is_exact() { (Some(series), None) } else { (None, Some(series)) };
    noisy.into_iter().for_each(|series| points(&mut page, series, &x_of, &y_of));
    for piece in &series.pieces {
        let color = if piece.drifts { color(meaning_of(series, piece.to > piece.from)) } else { INK };
        let (from, to) = (x_of(piece.start as f64 - 0.5), x_of(piece.end as f64 - 0.5));
        page.path(vec![(from, y_of(piece.from)), (to, y_of(piece.to))], 2, color);
    }
    exact.into_iter().for_each(|series| points(&mut page, series, &x_of, &y_of));
    let bottom = run_axis(&mut page, series, (left, top + PLOT.1), &x_of);
    page.height = accepted(&mut page, series, (left, top + PLOT.1), bottom, &x_of) + MARGIN;
    page
}

fn points(page: &mut Drawing, series: &Series, x_of: &dyn Fn(f64) -> f64, y_of: &dyn Fn(f64) -> f64) {
    let radius = if series.values.len() > 400 { 1.5 } else { 2.5 };
    for (place, value) in series.values.iter().enumerate() {
        page.dot((x_of(place as f64), y_of(*value)), radius, POINT);
    }
}

fn meaning_of(series: &Series, is_more: bool) -> Meaning {
    Meaning::of(&series.key.metric, is_more)
}

fn color(meaning: Meaning) -> Color {
    match meaning {
        Meaning::Worse => WORSE,
        Meaning::Better => BETTER,
        Meaning::Neither => FAINT_INK,
    }
}

fn marks(series: &Series, x_of: &dyn Fn(f64) -> f64) -> Vec<Mark> {
    let percent = |share: f64| format!("{:+.1} %", share * 100.0);
    let mut marks = Vec::new();
    for step in &series.steps {
        let change = step.change.map_or_else(|| "from nothing".to_owned(), percent);
        marks.push(Mark {
            x: x_of(step.at as f64 - 0.5),
            text: format!("{} {change}", series.runs[step.at].name()),
            color: color(step.meaning),
            is_step: true,
        });
    }
    for drift in series.drifts() {
        let (change, hundred) = (percent(drift.change()), percent(drift.change_of_hundred()));
        marks.push(Mark {
            x: x_of(drift.start as f64),
            text: format!("drift {change}, {hundred} in 100 runs"),
            color: color(meaning_of(series, drift.to > drift.from)),
            is_step: false,
        });
    }
    marks.sort_by(|a, b| a.x.total_cmp(&b.x));
    marks
}

/// Returns the row of each label, counted from the plot upwards. A label lies at the right of its mark, so it is put
/// above every label that begins before it ends: their lines then go down at its right, and no line crosses a label.
fn rows(marks: &[Mark]) -> Vec<usize> {
    let mut rows = vec![0; marks.len()];
    for number in (0..marks.len()).rev() {
        let end = marks[number].x + GAP + widest([marks[number].text.as_str()], LABEL) + GAP;
        let later = (number + 1..marks.len()).filter(|later| marks[*later].x <= end);
        rows[number] = later.map(|later| rows[later] + 1).max().unwrap_or(0);
    }
    rows
}

/// Numbers the runs, and names the first and the last; returns the height below.
fn run_axis(page: &mut Drawing, series: &Series, (left, y): (f64, f64), x_of: &dyn Fn(f64) -> f64) -> f64 {
    page.line((left, y), (left + PLOT.0, y), GRID);
    let count = series.values.len();
    let step = round_step(count as f64 / 8.0).max(1.0) as usize;
    for number in (1..=count).filter(|number| number % step == 0 || (*number == 1 && step > 2)) {
        let x = x_of(number as f64 - 1.0);
        page.line((x, y), (x, y + 5.0), GRID);
        page.text((x, y + 16.0), &units::count(number as u64), SMALL, Anchor::Middle, INK);
    }
    let name = |run: &Run| format!("{}, {}", run.name(), run.started.split(' ').next().unwrap_or_default());
    if let (Some(first), Some(last)) = (series.runs.first(), series.runs.last()) {
        page.text((left, y + 38.0), &name(first), SMALL, Anchor::Start, FAINT_INK);
        page.text((left + PLOT.0 / 2.0, y + 38.0), "runs", LABEL, Anchor::Middle, INK);
        page.text((left + PLOT.0, y + 38.0), &name(last), SMALL, Anchor::End, FAINT_INK);
    }
    y + 48.0
}

/// Marks the runs with which a regression was accepted, and says why; returns the height below.
fn accepted(
    page: &mut Drawing,
    series: &Series,
    (left, y): (f64, f64),
    bottom: f64,
    x_of: &dyn Fn(f64) -> f64,
) -> f64 {
    let mut bottom = bottom;
    let blessed =
        series.runs.iter().enumerate().filter_map(|(place, run)| Some((place, run, run.accepted.as_ref()?)));
    let of_cell = blessed.filter(|(_, _, accepted)| accepted.cells.contains(&series.key.cell));
    for (number, (place, run, accepted)) in of_cell.enumerate() {
        let x = x_of(place as f64);
        page.rect((x - 4.0, y - 4.0), (8.0, 8.0), INK);
        if number >= SAID {
            continue;
        }
        let mut reason: String = accepted.reason.chars().take(REASON).collect();
        if reason.len() < accepted.reason.len() {
            reason.push('…');
        }
        let text = format!("{} (run {}): accepted: {reason}", run.name(), place + 1);
        page.rect((left, bottom + 5.0), (8.0, 8.0), INK);
        page.text((left + 16.0, bottom + 9.0), &text, SMALL, Anchor::Start, INK);
        page.width = page.width.max(left + 16.0 + widest([text.as_str()], SMALL) + MARGIN);
        bottom += 18.0;
    }
    bottom
}

/// A linear axis.
#[derive(Clone, Copy, Debug)]
struct Axis {
    low: f64,
    high: f64,
    step: f64,
    unit: (&'static str, f64),
}

impl Axis {
    /// Makes the axis of some values of a metric; a tick never lies between two whole numbers.
    fn over(values: impl Iterator<Item = f64> + Clone, metric: &str) -> Self {
        let least = values.clone().fold(f64::INFINITY, f64::min);
        let most = values.fold(0.0, f64::max);
        // A little room keeps points off the edges, and shows small noise as small.
        let room = ((most - least) * 0.06).max(most * 0.005).max(0.5);
        let low = if least > 0.0 { (least - room).max(0.0) } else { least - room };
        let (high, unit) = (most + room, unit(metric, most));
        let step = (round_step((high - low) / 6.0 / unit.1) * unit.1).max(1.0);
        Self { low, high, step, unit }
    }

    fn place(self, value: f64) -> f64 {
        (value - self.low) / (self.high - self.low)
    }

    fn ticks(self) -> Vec<f64> {
        let first = (self.low / self.step).ceil() as i64;
        let last = (self.high / self.step).floor() as i64;
        (first..=last).map(|tick| tick as f64 * self.step).collect()
    }

    /// Writes a tick with as many digits as tell it from the next.
    fn text(self, tick: f64) -> String {
        let (name, size) = self.unit;
        if size == 1.0 {
            return format!("{} {name}", units::count(tick.max(0.0).round() as u64)).trim_end().to_owned();
        }
        let digits = (-(self.step / size).log10() - 1e-9).ceil().clamp(0.0, 9.0) as usize;
        format!("{:.digits$} {name}", tick / size)
    }
}

/// Returns the unit of an axis up to a value; that of counts is not said.
fn unit(metric: &str, most: f64) -> (&'static str, f64) {
    let is_exact = Metric::kind_of(metric) == Some(Kind::Exact);
    let units: &[(&'static str, f64)] = match Metric::unit_of(metric) {
        "ns" => &[("s", 1e9), ("ms", 1e6), ("µs", 1e3), ("ns", 1.0)],
        "bytes" if !is_exact => &[("GiB", 1073741824.0), ("MiB", 1048576.0), ("KiB", 1024.0), ("B", 1.0)],
        _ => &[("", 1.0)],
    };
    let fits = units.iter().find(|(_, size)| most >= *size);
    *fits.unwrap_or(&units[units.len() - 1])
}

/// Returns the least of 1, 2 and 5 in any decade that is not below a number.
fn round_step(least: f64) -> f64 {
    let decade = 10_f64.powf(least.log10().floor());
    let steps = [1.0, 2.0, 5.0, 10.0].map(|step| step * decade);
    steps.into_iter().find(|step| *step >= least * (1.0 - 1e-9)).unwrap_or(10.0 * decade)
}

#[cfg(test)]
mod tests {
    use super::super::render;
    use super::*;
    use crate::baseline::Accepted;
    use crate::history::synthetic::{self, Planted};
    use crate::history::{Analysis, Asked};

    #[test]
    fn ticks_are_round_and_told_apart() {
        let check = |metric: &str, values: &[f64], expect: &[&str]| {
            let axis = Axis::over(values.iter().copied(), metric);
            let texts: Vec<String> = axis.ticks().into_iter().map(|tick| axis.text(tick)).collect();
            assert_eq!(texts, expect);
        };
        check("wall_ns", &[9.9e6, 10.4e6], &["10.0 ms", "10.2 ms", "10.4 ms"]);
        check("rows_read", &[3.0, 5.0], &["3", "4", "5"]);
        check("rows_read", &[0.0, 0.0], &["0"]);
        check(
            "bytes_written",
            &[1e6, 3e6],
            &["1,000,000", "1,500,000", "2,000,000", "2,500,000", "3,000,000"],
        );
        check("peak_rss_bytes", &[10e6, 12e6], &["9.5 MiB", "10.0 MiB", "10.5 MiB", "11.0 MiB", "11.5 MiB"]);
    }

    #[test]
    fn steps_are_round() {
        let check =
            |least: f64, expect: f64| assert!((round_step(least) / expect - 1.0).abs() < 1e-9, "{least}");
        check(0.9, 1.0);
        check(1.0, 1.0);
        check(1.1, 2.0);
        check(23.0, 50.0);
        check(0.06, 0.1);
    }

    #[test]
    #[ignore = "it draws the picture of docs/METHODOLOGY.md"]
    fn the_picture_of_the_documents() {
        let planted = Planted {
            steps: vec![(40, 0.05), (80, -0.08), (115, 0.03)],
            drift: Some((140, 200, 0.06)),
            ..Planted::noise("smoke/export[size=small]", 0.01)
        };
        let mut lines = synthetic::history(2, 200, &[planted]);
        for (number, line) in lines.iter_mut().enumerate() {
            line.revision = format!("{:07x}", (number as u64 + 1) * 2_654_435_761 % (1 << 28));
            line.started = format!("2026-{:02}-{:02} 03:17:00 UTC", number / 28 + 1, number % 28 + 1);
            line.machine.cpu = "a simulated machine".to_owned();
            (line.machine.os, line.machine.rustc) = ("linux x86_64".to_owned(), "rustc 1.95.0".to_owned());
        }
        let accepted = Accepted {
            run: lines[41].run.clone(),
            started: lines[41].started.clone(),
            revision: lines[41].revision.clone(),
            reason: "footers are checked before they are used".to_owned(),
            cells: vec!["smoke/export[size=small]".to_owned()],
            cut: 0,
        };
        let asked = Asked { cell: &|_| true, metric: &|metric| metric == "wall_ns" };
        let analysis = Analysis::of("smoke", &lines, &[accepted], &asked);
        let series = analysis.changed().find(|series| series.key.phase == scenarios::Phase::Warm).unwrap();
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/images");
        render::svg(&folder.join("history.svg"), &draw(series)).unwrap();
    }

    #[test]
    fn no_label_lies_on_another_or_on_a_line() {
        let mark = |x: f64| Mark { x, text: "abcdef0 +10.0 %".into(), color: INK, is_step: true };
        let marks = [0.0, 10.0, 30.0, 500.0, 505.0].map(mark);
        let rows = rows(&marks);
        assert_eq!(rows, [2, 1, 0, 1, 0]);
        let width = GAP + widest([marks[0].text.as_str()], LABEL);
        for (one, row) in marks.iter().zip(&rows) {
            for (other, below) in marks.iter().zip(&rows).filter(|(other, _)| other.x > one.x) {
                assert!(other.x > one.x + width || below < row);
            }
        }
    }
}
