//! `cargo xtask compare`: put two stored sides beside each other.

use super::print;
use crate::cli::{CompareOptions, Tier};
use crate::evaluation::quoted;
use crate::exit::{Exit, Stop};
use crate::paths::Paths;
use crate::report::{Align, Colors, Table, advice, comparison_details};
use crate::resolve::{self, ResolvedSide, Wanting};
use crate::verdict::{Comparison, Finding, Scope, Verdict, compare};

/// Runs the command.
pub(crate) fn run(paths: &Paths, options: &CompareOptions) -> anyhow::Result<Exit> {
    let base = resolve::side(paths, &options.a)?;
    let head = resolve::side(paths, &options.b)?;
    if base.measured.suite != head.measured.suite {
        let (a, b) = (&base.measured.suite, &head.measured.suite);
        let message = format!("the sides are of different suites: '{a}' and '{b}'");
        return Err(Stop::error(Exit::Incomparable, message));
    }
    let mut comparison = compare(&base.measured, &head.measured, &head.suite_cells, Scope::of(Tier::All));
    add_failures(&head, "head", &mut comparison);
    add_failures(&base, "base", &mut comparison);
    add_wanting(&base, &head, &mut comparison);
    if comparison.cells.is_empty() {
        return Err(Stop::error(Exit::Incomparable, "the sides have no cell in common".to_owned()));
    }
    print(&text(&base, &head, &comparison))?;
    Ok(comparison.exit())
}

fn add_failures(side: &ResolvedSide, name: &str, comparison: &mut Comparison) {
    for cell in &side.failed {
        comparison.add(Finding {
            cell: cell.clone(),
            verdict: Verdict::Failed,
            phase: None,
            metric: None,
            text: format!("it failed in the {name}, {}", side.origin),
            base: None,
            head: None,
        });
    }
}

/// Says of each cell that a side has nothing of, or too little, that it cannot be compared or decided. What neither side
/// has is not compared.
fn add_wanting(base: &ResolvedSide, head: &ResolvedSide, comparison: &mut Comparison) {
    let has_nothing =
        |side: &ResolvedSide, cell: &str| matches!(side.wanting.get(cell), Some(Wanting::Everything(_)));
    for (side, other, name) in [(base, head, "base"), (head, base, "head")] {
        for (cell, wanting) in &side.wanting {
            let (verdict, why) = match wanting {
                Wanting::Everything(_) if has_nothing(other, cell) => {
                    comparison.cells.insert(cell.clone(), Verdict::NotCompared);
                    continue;
                }
                Wanting::Everything(why) => (Verdict::Incomparable, why),
                Wanting::Processes(why) => (Verdict::Inconclusive, why),
            };
            let text = format!("it {why} in the {name}, {}", side.origin);
            let cell = cell.clone();
            comparison.add(Finding {
                cell,
                verdict,
                phase: None,
                metric: None,
                text,
                base: None,
                head: None,
            });
        }
    }
}

fn text(base: &ResolvedSide, head: &ResolvedSide, comparison: &Comparison) -> String {
    let mut table = Table::new(&[
        ("cell", Align::Left),
        ("metric", Align::Left),
        ("base", Align::Right),
        ("head", Align::Right),
        ("change", Align::Right),
        ("verdict", Align::Left),
    ]);
    for (cell, verdict) in &comparison.cells {
        let walls = comparison.medians.iter().filter(|pair| pair.cell == *cell && pair.metric == "wall_ns");
        let mut none = true;
        for pair in walls {
            none = false;
            table.row(vec![
                cell.clone(),
                format!("{} wall", pair.phase.name()),
                crate::units::nanoseconds(pair.base),
                crate::units::nanoseconds(pair.head),
                crate::units::change(pair.base, pair.head),
                verdict.name().to_owned(),
            ]);
        }
        if none {
            let dash = || "–".to_owned();
            table.row(vec![cell.clone(), dash(), dash(), dash(), dash(), verdict.name().to_owned()]);
        }
    }
    let again = |cell: &str| format!("cargo xtask bench {}", quoted(cell));
    let mut out = format!("base: {}\nhead: {}\n\n{}", base.origin, head.origin, table.terminal());
    out.push_str(&comparison_details(comparison, &again, Colors::of_stdout()));
    out.push_str(&advice(comparison, usize::MAX));
    if !comparison.notes.is_empty() {
        out.push_str(&format!("\nNotes\n  {}\n", comparison.notes.join("\n  ")));
    }
    let exit = comparison.exit() as u8;
    out.push_str(&format!("\n{} (exit code {exit})\n", comparison.verdict().name().to_uppercase()));
    out
}
