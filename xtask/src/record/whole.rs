//! The whole part of a record: what a kill has left at its end is told from what can be used.

use std::collections::BTreeSet;

use serde::Deserialize;

use super::Side;

/// What must be known of a line to tell whether its process and its pair are whole.
#[derive(Deserialize)]
struct Glimpse {
    line: String,
    cell: Option<String>,
    side: Option<Side>,
    process: Option<u32>,
    base: Option<serde::de::IgnoredAny>,
}

/// Returns the text up to the last line after which every process and every pair is whole.
///
/// A line that is damaged is kept: whoever reads it says so.
pub(super) fn part_of(text: &str) -> &str {
    let lines = text.rfind('\n').map_or("", |end| &text[..=end]);
    let mut at = 0;
    let mut whole = 0;
    let mut in_pairs = false;
    let mut in_process = false;
    let mut halves: BTreeSet<(String, Side, u32)> = BTreeSet::new();
    for line in lines.split_inclusive('\n') {
        at += line.len();
        let Ok(glimpse) = serde_json::from_str::<Glimpse>(line) else { return lines };
        match glimpse.line.as_str() {
            "header" => in_pairs = glimpse.base.is_some(),
            "sample" => in_process = true,
            // What comes after it is damage.
            "end" => return lines,
            _ => in_process = false,
        }
        let ends_process = ["process", "failure"].contains(&glimpse.line.as_str());
        if in_pairs
            && ends_process
            && let (Some(cell), Some(side), Some(process)) = (glimpse.cell, glimpse.side, glimpse.process)
            && !halves.remove(&(cell.clone(), side, process))
        {
            halves.insert((cell, side.partner(), process));
        }
        if !in_process && halves.is_empty() {
            whole = at;
        }
    }
    &lines[..whole]
}
