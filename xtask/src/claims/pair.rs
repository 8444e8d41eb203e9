//! Pairs of cells: what is measured for the claims, each once, however many claims are about it.

use std::collections::BTreeMap;

use scenarios::{Cell, Claim, Setting, Settings, Workload};

use super::EXACT_PAIRS;
use crate::plan::PlannedCell;

/// What makes cells of claims the same measurement: the workload, its parameters and the value of every knob.
#[derive(Debug, PartialEq, Eq)]
struct Identity {
    workload: Workload,
    parameters: BTreeMap<String, String>,
    settings: Settings,
}

impl Identity {
    fn of(cell: &Cell) -> Self {
        let mut settings = Settings::default();
        settings.apply(&cell.parameters).expect("the knobs of a cell were checked when it was planned");
        let knobs: Vec<&str> = Settings::names().collect();
        let mut parameters = cell.parameters.clone();
        parameters.retain(|name, _| !knobs.contains(&name.as_str()));
        Self { workload: cell.workload, parameters, settings }
    }
}

/// Tells whether filters select a claim: none selects all, any may be a part of its name or its source.
pub(crate) fn selects(filters: &[String], claim: &Claim) -> bool {
    let matches = |filter: &String| claim.name.contains(filter) || claim.source.contains(filter);
    filters.is_empty() || filters.iter().any(matches)
}

/// Plans the cells of claims, two for each pair: plain, then tuned.
///
/// A pair is named by its first claim, and takes as many processes as the claim that needs most.
pub(crate) fn plan(claims: &[&Claim], rounds: u32) -> Vec<PlannedCell> {
    let mut planned: Vec<PlannedCell> = Vec::new();
    for claim in claims {
        let processes = if claim.quantity.is_exact() { EXACT_PAIRS } else { rounds };
        let place = place(&planned, claim);
        if place.is_none() {
            planned.extend(Setting::ALL.map(|setting| PlannedCell {
                cell: claim.cell(setting),
                warm: claim.warm,
                processes,
                timeout_s: claim.timeout_s,
            }));
        }
        let place = place.unwrap_or(planned.len() - 2);
        for cell in &mut planned[place..place + 2] {
            cell.warm = cell.warm.max(claim.warm);
            cell.processes = cell.processes.max(processes);
            cell.timeout_s = cell.timeout_s.max(claim.timeout_s);
        }
    }
    planned
}

/// Finds the pair that measures a claim; the place is that of its plain cell.
pub(super) fn place(planned: &[PlannedCell], claim: &Claim) -> Option<usize> {
    let wanted = Setting::ALL.map(|setting| Identity::of(&claim.cell(setting)));
    let pairs = planned.chunks_exact(2);
    let found = pairs.map(|pair| [Identity::of(&pair[0].cell), Identity::of(&pair[1].cell)]);
    found.into_iter().position(|pair| pair == wanted).map(|index| index * 2)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use scenarios::Ledger;

    use super::*;

    const LEDGER: &str = r#"
about = "a ledger for this test"
[[claim]]
name = "first"
words = "w"
source = "s"
workload = "open"
with = { size = "tiny" }
plain = { preset = "plain" }
tuned = { preset = "plain", schema_cache = "on" }
metric = "schemas_read"
phase = "warm"
promise = "50.."
why = "y"
[[claim]]
name = "second"
words = "w"
source = "s"
workload = "open"
with = { size = "tiny", preset = "plain" }
plain = { schema_cache = "off" }
tuned = { schema_cache = "on" }
warm = 4
metric = "wall_ns"
phase = "warm"
promise = "50.."
why = "y"
[[claim]]
name = "third"
words = "w"
source = "s"
workload = "open"
with = { size = "small", preset = "plain" }
plain = { schema_cache = "off" }
tuned = { schema_cache = "on" }
metric = "schemas_read"
phase = "cold"
promise = "50.."
why = "y"
"#;

    #[test]
    fn claims_about_the_same_settings_share_a_pair() {
        let ledger = Ledger::parse(Path::new("claims.toml"), LEDGER).unwrap();
        let claims: Vec<&Claim> = ledger.claims.iter().collect();
        let planned = plan(&claims, 9);
        let summary: Vec<(String, u32, u32)> =
            planned.iter().map(|cell| (cell.cell.id(), cell.warm, cell.processes)).collect();
        let expect = [
            ("claims/first[side=plain]", 4, 9),
            ("claims/first[side=tuned]", 4, 9),
            ("claims/third[side=plain]", 2, 2),
            ("claims/third[side=tuned]", 2, 2),
        ];
        assert_eq!(summary, expect.map(|(id, warm, processes)| (id.to_owned(), warm, processes)));
        let places: Vec<Option<usize>> = claims.iter().map(|claim| place(&planned, claim)).collect();
        assert_eq!(places, [Some(0), Some(0), Some(2)]);
        assert_eq!(place(&planned[2..], claims[0]), None);
    }
}
