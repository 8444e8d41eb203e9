//! The engine beside its peers: wall and processor time of each task, cold at the left and warm at the right.

use scenarios::Phase;

use super::drawing::{Anchor, Drawing, LABEL, MARGIN, SMALL, widest};
use super::palette::{Color, FAINT_INK, GRID, INK, WORSE};
use crate::peers::contender::Task;
use crate::peers::record::Record;
use crate::peers::standing::{Cost, Standing, finalists, standings};
use crate::units;

const BAR: f64 = 9.0;
const STEP: f64 = 30.0;
const PLOT: f64 = 300.0;
/// Room for the numbers beside the longest bar.
const NUMBERS: f64 = 130.0;

const ENGINE: Color = Color(0, 114, 178);
const ENGINE_CPU: Color = Color(153, 199, 224);
const PEER: Color = Color(120, 120, 120);
const PEER_CPU: Color = Color(201, 201, 201);

/// A contender of the chart.
struct Row {
    label: String,
    engine: bool,
    /// Wall and processor time, cold and warm; nothing for an engine without a right answer.
    costs: Option<[(u64, u64); 2]>,
}

/// Draws all records on one page; nothing if nobody was measured.
pub(super) fn draw(records: &[Record]) -> Option<Drawing> {
    let mut groups = Vec::new();
    for record in records {
        let standings = standings(record);
        for task in Task::ALL {
            let rows = rows(&standings, task);
            if !rows.is_empty() {
                groups.push((format!("{}, {}: {}", task.name(), record.size, task.about()), rows));
            }
        }
    }
    if groups.is_empty() {
        return None;
    }
    let labels = groups.iter().flat_map(|(_, rows)| rows).map(|row| row.label.as_str());
    let left = MARGIN + widest(labels, LABEL) + 12.0;
    let columns = [left, left + PLOT + NUMBERS];
    let mut page = Drawing::new(columns[1] + PLOT + NUMBERS, 0.0);
    let below = "dark: wall time; light: processor time of all processes; shorter is better; each task has its own scale";
    let mut y = page.heading("Pondmark and its peers at the same tasks", below) + 4.0;
    for (title, rows) in &groups {
        y = group(&mut page, title, rows, columns, y) + 14.0;
    }
    page.height = y + MARGIN - 14.0;
    Some(page)
}

/// Returns the engine, and of each peer the mode with the least warm wall time.
fn rows(standings: &[Standing<'_>], task: Task) -> Vec<Row> {
    let wall = |one: &Standing<'_>| one.cost(Phase::Warm, Cost::Wall);
    let mut best: Vec<&Standing<'_>> = Vec::new();
    for one in finalists(standings, task) {
        match best.iter_mut().find(|other| other.contender.peer() == one.contender.peer()) {
            Some(other) if wall(one) < wall(other) => *other = one,
            Some(_) => {}
            None => best.push(one),
        }
    }
    let row = |one: &Standing<'_>| {
        let of = |phase| Some((one.cost(phase, Cost::Wall)?, one.cost(phase, Cost::Cpu)?));
        let costs = of(Phase::Cold).zip(of(Phase::Warm)).map(|(cold, warm)| [cold, warm]);
        let note = if one.is_in_order() { "" } else { ", unsorted" };
        Row {
            label: format!("{}{note}", one.contender.label()),
            engine: one.contender.peer().is_none(),
            costs,
        }
    };
    let mut rows: Vec<Row> = best.into_iter().map(row).collect();
    let engine = standings.iter().find(|one| one.task == task && one.contender.peer().is_none());
    if let (Some(engine), false) = (engine, rows.iter().any(|row| row.engine)) {
        rows.insert(0, Row { label: engine.contender.label(), engine: true, costs: None });
    }
    rows
}

/// Draws the rows of one task; returns the height below them.
fn group(page: &mut Drawing, title: &str, rows: &[Row], columns: [f64; 2], top: f64) -> f64 {
    page.text((MARGIN, top + 8.0), title, LABEL, Anchor::Start, INK);
    let head = top + 30.0;
    let first = head + 14.0;
    let bottom = first + rows.len() as f64 * STEP;
    let most =
        rows.iter().filter_map(|row| row.costs).flatten().map(|(wall, cpu)| wall.max(cpu)).max().unwrap_or(1);
    for (column, (x, phase)) in columns.into_iter().zip([Phase::Cold, Phase::Warm]).enumerate() {
        page.text((x, head), phase.name(), SMALL, Anchor::Start, FAINT_INK);
        page.line((x, first - 4.0), (x, bottom), GRID);
        for (index, row) in rows.iter().enumerate() {
            let y = first + index as f64 * STEP;
            let Some(costs) = row.costs else {
                page.text((x + 8.0, y + BAR), "no right answer", SMALL, Anchor::Start, WORSE);
                continue;
            };
            let (wall, cpu) = costs[column];
            let (dark, light) = if row.engine { (ENGINE, ENGINE_CPU) } else { (PEER, PEER_CPU) };
            let length = |cost: u64| (cost as f64 / most.max(1) as f64 * PLOT).max(1.0);
            page.rect((x, y), (length(wall), BAR), dark);
            page.rect((x, y + BAR), (length(cpu), BAR), light);
            let numbers = format!("{} / {}", units::nanoseconds(wall), units::nanoseconds(cpu));
            let end = x + length(wall.max(cpu)) + 8.0;
            page.text((end, y + BAR), &numbers, SMALL, Anchor::Start, INK);
        }
    }
    for (index, row) in rows.iter().enumerate() {
        let y = first + index as f64 * STEP + BAR;
        page.text((columns[0] - 12.0, y), &row.label, LABEL, Anchor::End, INK);
    }
    bottom
}

#[cfg(test)]
mod tests {
    use super::super::drawing::Shape;
    use super::*;
    use crate::peers::standing::tests::record;

    #[test]
    fn the_fastest_mode_of_each_peer_is_drawn() {
        let record = record();
        let labels = |task| -> Vec<String> {
            rows(&standings(&record), task).into_iter().map(|row| row.label).collect()
        };
        assert_eq!(labels(Task::Export), ["Pondmark", "DuckDB, pool", "Polars, bulk"]);
        // An engine that failed is not left out.
        assert_eq!(labels(Task::Query), ["Pondmark", "Polars, bulk"]);
        assert!(draw(&[]).is_none());
    }

    #[test]
    fn nothing_is_outside_the_page() {
        let page = draw(&[record()]).unwrap();
        for shape in &page.shapes {
            if let Shape::Rect { x, y, width, height, .. } = shape {
                assert!(*x >= 0.0 && x + width <= page.width && y + height <= page.height, "{shape:?}");
            }
            if let Shape::Text { x, text, size, anchor: Anchor::Start, .. } = shape {
                assert!(x + widest([text.as_str()], *size) <= page.width, "{text}");
            }
        }
    }
}
