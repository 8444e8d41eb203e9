//! `pond stats`, `pond knobs`, and `--stats` after any command.

use std::collections::BTreeMap;

use anyhow::Result;
use engine::{EntryType, Knobs, NodeId, Pond, Totals, allocations};
use scenarios::{KNOBS, PRESETS, Values};

use crate::{output, terminal};

/// Shows what the pond holds, and what opening it cost.
pub(crate) fn pond(pond: &Pond) -> Result<()> {
    let totals = pond.recorder().totals().since(&Totals::default());
    let listed = pond.list("/**")?;
    let of = |entry_type: EntryType| listed.iter().filter(move |one| one.entry_type == entry_type);
    let snapshot = pond.snapshot();
    let mut rows: Vec<Vec<String>> = Vec::new();
    let mut add = |name: &str, value: String| rows.push(vec![name.to_owned(), value]);
    add("transactions", snapshot.txn().to_string());
    add("Delta version", pond.delta_version().to_string());
    add("directories", of(EntryType::Dir).count().to_string());
    add("tables", of(EntryType::Table).count().to_string());
    add("series", of(EntryType::Series).count().to_string());
    // Listings show what links lead to, so links are counted in the tree.
    let tree = snapshot.tree();
    let is_link = |id: &usize| tree.node(*id as NodeId).entry_type == EntryType::Symlink;
    add("links", (0..tree.len()).filter(is_link).count().to_string());
    add("versions", listed.iter().map(|one| one.versions as u64).sum::<u64>().to_string());
    add("rows", listed.iter().filter_map(|one| one.rows).sum::<u64>().to_string());
    add("stored", terminal::size(listed.iter().map(|one| one.bytes).sum()));
    output::lines(terminal::table(&rows, &[1]))?;
    output::line("\nopening the pond took")?;
    output::lines(report(&totals))?;
    output::lines(caches(pond))
}

/// Shows every knob, its setting, and what it may be set to.
pub(crate) fn knobs(knobs: &Knobs) -> Result<()> {
    let values = |values: Values| match values {
        Values::Words(words) => words.join(", "),
        Values::From(least) => format!("{least} or more"),
    };
    let mut rows = vec![["knob", "is", "may be", "switches"].map(str::to_owned).to_vec()];
    rows.extend(KNOBS.iter().map(|knob| {
        let about = knob.about.to_owned();
        vec![knob.name.to_owned(), knobs.get(knob.name).to_owned(), values(knob.values), about]
    }));
    output::lines(terminal::table(&rows, &[]))?;
    output::line(&format!(
        "\npresets set all of them: {}; caches=off turns every cache off, caches=only-plan all but one",
        PRESETS.join(", ")
    ))
}

/// Prints stage times, counters and caches of the run to standard error.
pub(crate) fn run(pond: &Pond) {
    for line in report(&pond.recorder().totals().since(&Totals::default())) {
        eprintln!("{line}");
    }
    for line in caches(pond) {
        eprintln!("{line}");
    }
    let (count, bytes) = allocations();
    eprintln!("allocations: {count}, {}", terminal::size(bytes));
}

/// Formats what each cache did.
fn caches(pond: &Pond) -> Vec<String> {
    let header = ["  cache", "is", "hits", "misses", "ratio", "evicted", "stale", "held", "bytes", "saved"];
    let mut rows = vec![header.map(str::to_owned).to_vec()];
    for (name, stats) in pond.cache_stats() {
        rows.push(vec![
            format!("  {name}"),
            if pond.knobs().cache(name) { "on" } else { "off" }.to_owned(),
            stats.hits.to_string(),
            stats.misses.to_string(),
            stats.hit_ratio().map_or_else(|| "-".to_owned(), |ratio| format!("{:.1} %", ratio * 100.0)),
            stats.evictions.to_string(),
            stats.stale.to_string(),
            stats.entries.to_string(),
            terminal::size(stats.bytes),
            format!("{:.3} ms", stats.saved_ns as f64 / 1e6),
        ]);
    }
    let mut lines = vec!["caches".to_owned()];
    lines.extend(terminal::table(&rows, &[2, 3, 4, 5, 6, 7, 8, 9]));
    lines
}

/// Formats what is not zero: stages by time, then counters by name.
fn report(totals: &BTreeMap<String, u64>) -> Vec<String> {
    let mut stages: Vec<(&str, u64, u64)> = Vec::new();
    let mut counters = Vec::new();
    for (name, value) in totals.iter().filter(|(_, value)| **value > 0) {
        match name.strip_prefix("stage.") {
            Some(stage) => {
                if let Some(stage) = stage.strip_suffix(".ns") {
                    let count = totals.get(&format!("stage.{stage}.count")).copied().unwrap_or(0);
                    stages.push((stage, *value, count));
                }
            }
            None => counters.push(vec![format!("  {name}"), value.to_string()]),
        }
    }
    stages.sort_by_key(|(_, ns, _)| std::cmp::Reverse(*ns));
    let stages: Vec<Vec<String>> = stages
        .into_iter()
        .map(|(stage, ns, count)| {
            vec![format!("  {stage}"), format!("{:.3} ms", ns as f64 / 1e6), format!("{count} times")]
        })
        .collect();
    let mut lines = vec!["stages".to_owned()];
    lines.extend(terminal::table(&stages, &[1, 2]));
    lines.push("work".to_owned());
    lines.extend(terminal::table(&counters, &[1]));
    lines
}
