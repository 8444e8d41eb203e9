//! Where the time of each cell goes: a bar of stages per cell, as shares of its wall time.

use std::collections::BTreeMap;

use scenarios::{Phase, STAGES};

use super::drawing::{Anchor, Drawing, LABEL, MARGIN, SMALL, widest};
use super::palette::{Color, FAINT_INK, GRID, INK, OTHER};
use super::render::text_width;
use crate::report::short;
use crate::summary::Summary;
use crate::units;

/// Stages that are under this share in every cell are drawn as other.
const LEAST_SHARE: f64 = 0.02;
const BAR: f64 = 24.0;
const STEP: f64 = 34.0;
const PLOT: f64 = 800.0;

/// One bar.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Row {
    /// The cell's name, without its suite.
    pub(super) label: String,
    /// The wall time.
    pub(super) wall_ns: u64,
    /// Stages of their own and their shares, in pipeline order; the rest up to 1 is other.
    pub(super) segments: Vec<(&'static str, f64)>,
}

/// Makes the bars of a phase, in suite order.
pub(super) fn rows(summary: &Summary, phase: Phase) -> Vec<Row> {
    let mut rows = Vec::new();
    for cell in &summary.cells {
        let wall = cell.spread(phase, "wall_ns").filter(|_| !cell.cell.workload.is_micro());
        let Some(wall) = wall else { continue };
        let times = STAGES.iter().map(|stage| {
            let time = cell.spread(phase, &format!("stage.{}.ns", stage.name()));
            (stage.name(), time.map_or(0, |time| time.median))
        });
        rows.push(row(short(&cell.id), wall.median, &times.collect::<Vec<_>>()));
    }
    let large: Vec<&'static str> = STAGES
        .iter()
        .map(|stage| stage.name())
        .filter(|name| {
            rows.iter()
                .any(|row| row.segments.iter().any(|(stage, share)| stage == name && *share >= LEAST_SHARE))
        })
        .collect();
    for row in &mut rows {
        row.segments.retain(|(name, _)| large.contains(name));
    }
    rows
}

/// Makes one bar; stages that run side by side may sum to more than the wall time, and then share the bar.
fn row(label: &str, wall_ns: u64, times: &[(&'static str, u64)]) -> Row {
    let sum: u64 = times.iter().map(|(_, time)| time).sum();
    let whole = sum.max(wall_ns).max(1) as f64;
    let segments =
        times.iter().filter(|(_, time)| *time > 0).map(|(name, time)| (*name, *time as f64 / whole));
    Row { label: label.to_owned(), wall_ns, segments: segments.collect() }
}

/// Draws one page of bars.
pub(super) fn draw(
    suite: &str,
    phase: Phase,
    rows: &[Row],
    colors: &BTreeMap<&'static str, Color>,
    place: &str,
) -> Drawing {
    let labels = widest(rows.iter().map(|row| row.label.as_str()), LABEL);
    let left = MARGIN + labels + 12.0;
    let walls: Vec<String> = rows.iter().map(|row| units::nanoseconds(row.wall_ns)).collect();
    let right = widest(walls.iter().map(String::as_str).chain(["wall time"]), LABEL) + 12.0 + MARGIN;
    let mut page = Drawing::new(left + PLOT + right, 0.0);
    let title = format!("Stages of suite {suite}, {} executions{place}", phase.name());
    let below = "median times; each bar is the wall time of its cell, written at its right";
    let top = page.heading(&title, below);
    let top = legend(&mut page, rows, colors, top) + 24.0;
    let bottom = top + rows.len() as f64 * STEP;
    page.text((left + PLOT + 12.0, top - 14.0), "wall time", SMALL, Anchor::Start, FAINT_INK);
    for percent in [0, 20, 40, 60, 80, 100] {
        let x = left + PLOT * f64::from(percent) / 100.0;
        page.line((x, top - 4.0), (x, bottom + 4.0), GRID);
        page.text((x, bottom + 18.0), &format!("{percent}"), LABEL, Anchor::Middle, INK);
    }
    page.text((left + PLOT / 2.0, bottom + 42.0), "share of wall time (%)", LABEL, Anchor::Middle, INK);
    for (index, (row, wall)) in rows.iter().zip(&walls).enumerate() {
        let y = top + index as f64 * STEP + (STEP - BAR) / 2.0;
        let middle = y + BAR / 2.0;
        page.text((left - 12.0, middle), &row.label, LABEL, Anchor::End, INK);
        page.text((left + PLOT + 12.0, middle), wall, LABEL, Anchor::Start, INK);
        bar(&mut page, row, colors, (left, y));
    }
    page.height = bottom + 42.0 + MARGIN;
    page
}

fn bar(page: &mut Drawing, row: &Row, colors: &BTreeMap<&'static str, Color>, (left, y): (f64, f64)) {
    let named: f64 = row.segments.iter().map(|(_, share)| share).sum();
    let other = ("other", (1.0 - named).max(0.0));
    let mut x = left;
    for (name, share) in row.segments.iter().chain([&other]) {
        let color = colors.get(name).copied().unwrap_or(OTHER);
        let width = share * PLOT;
        // A gap of a pixel parts neighbours whatever their colours.
        page.rect((x, y), ((width - 1.0).max(0.0), BAR), color);
        let text = format!("{:.0}%", share * 100.0);
        if width > text_width(&text, SMALL) + 8.0 {
            page.text((x + width / 2.0, y + BAR / 2.0), &text, SMALL, Anchor::Middle, color.ink());
        }
        x += width;
    }
}

/// Draws the legend in as many lines as it needs; returns where it ends.
fn legend(page: &mut Drawing, rows: &[Row], colors: &BTreeMap<&'static str, Color>, top: f64) -> f64 {
    let used = |name: &str| rows.iter().any(|row| row.segments.iter().any(|(stage, _)| *stage == name));
    let stages = STAGES.iter().map(|stage| stage.name()).filter(|name| used(name));
    let (mut x, mut y) = (MARGIN, top + 8.0);
    for name in stages.chain(["other"]) {
        let words = name.replace('_', " ");
        let width = 20.0 + text_width(&words, LABEL) + 20.0;
        if x + width > page.width - MARGIN {
            (x, y) = (MARGIN, y + 24.0);
        }
        let color = colors.get(name).copied().unwrap_or(OTHER);
        page.rect((x, y - 7.0), (14.0, 14.0), color);
        page.text((x + 20.0, y), &words, LABEL, Anchor::Start, INK);
        x += width;
    }
    y + 12.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_of_the_wall_time() {
        let one = row("a", 200, &[("session", 50), ("execution", 0), ("parquet_read", 100)]);
        assert_eq!(one.segments, [("session", 0.25), ("parquet_read", 0.5)]);
    }

    #[test]
    fn stages_side_by_side_share_the_bar() {
        let one = row("a", 100, &[("session", 100), ("parquet_read", 300)]);
        assert_eq!(one.segments, [("session", 0.25), ("parquet_read", 0.75)]);
        let empty = row("a", 0, &[("session", 0)]);
        assert!(empty.segments.is_empty());
    }
}
