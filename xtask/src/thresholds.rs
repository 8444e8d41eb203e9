//! Thresholds of a run: what one execution of a cell may use, as the workspace's `pond.toml` says.
//!
//! They are kept in the header of the record and judged from its samples alone, so that a report made later says the
//! same. They never gate. A cache that the knobs of a cell turn off is not judged: it misses always.

use std::collections::BTreeMap;

use scenarios::{Cell, Crossing, Phase, SETTINGS_FILE, STORE_ERRORS, Settings, Thresholds};

use crate::paths::Paths;
use crate::record::{Record, SampleLine};

/// What of an execution was crossed: the threshold, and the cache if it is about one.
pub(crate) type Crossed = (&'static str, Option<&'static str>);

/// Reads the thresholds of the workspace; none are set without the file. Knobs are no settings of the workspace: those of
/// cells stand in suites.
pub(crate) fn of_workspace(paths: &Paths) -> anyhow::Result<Thresholds> {
    Ok(Thresholds::read(&paths.root.join(SETTINGS_FILE), &[])?)
}

/// Returns what one execution of a cell crossed.
pub(crate) fn crossed(
    thresholds: &Thresholds,
    cell: &Cell,
    metrics: &BTreeMap<String, u64>,
) -> Vec<(Crossed, Crossing)> {
    if thresholds.is_empty() {
        return Vec::new();
    }
    let mut settings = Settings::default();
    // A knob that does not exist fails the cell, which says so.
    let is_known = settings.apply(&cell.parameters).is_ok();
    let is_on = |cache: &str| is_known && settings.get(&format!("{cache}_cache")) == "on";
    let crossed = thresholds.crossed(metrics, is_on).into_iter();
    crossed.map(|crossing| ((crossing.threshold().name, crossing.cache()), crossing)).collect()
}

/// Says of each cell and phase of the head which thresholds were crossed, by the execution that used most.
pub(crate) fn notes(record: &Record) -> Vec<String> {
    let thresholds = &record.header.thresholds;
    let mut notes = Vec::new();
    if thresholds.is_empty() {
        return notes;
    }
    for planned in &record.header.planned {
        let id = planned.cell.id();
        for phase in [Phase::Cold, Phase::Warm] {
            let samples = record.samples.iter().filter(|line| line.cell == id && line.phase == phase);
            let (head, base): (Vec<&SampleLine>, Vec<&SampleLine>) =
                samples.partition(|line| line.side.is_head());
            let base = worst(thresholds, &planned.cell, &base);
            let mut crossed: Vec<_> = worst(thresholds, &planned.cell, &head).into_iter().collect();
            crossed.sort_by(|(_, (a, _)), (_, (b, _))| a.cmp(b));
            for (what, (crossing, times)) in crossed {
                let too = if base.contains_key(&what) { ", and in the base" } else { "" };
                let name = phase.name();
                let all = head.len();
                notes.push(format!(
                    "threshold crossed: {id}, {name}: {crossing}; in {times} of {all} executions{too}"
                ));
            }
        }
    }
    if thresholds.get(STORE_ERRORS).is_some() {
        notes.push(format!(
            "the threshold {STORE_ERRORS} is for `pond export`; samples of cells do not hold errors"
        ));
    }
    notes
}

/// Returns for each crossed threshold the crossing of the execution that used most, and how many crossed it.
fn worst(
    thresholds: &Thresholds,
    cell: &Cell,
    samples: &[&SampleLine],
) -> BTreeMap<Crossed, (Crossing, usize)> {
    let mut worst: BTreeMap<Crossed, (Crossing, usize)> = BTreeMap::new();
    for sample in samples {
        for (what, crossing) in crossed(thresholds, cell, &sample.metrics) {
            let (most, times) = worst.entry(what).or_insert_with(|| (crossing.clone(), 0));
            *times += 1;
            if crossing.used_milli() > most.used_milli() {
                *most = crossing;
            }
        }
    }
    worst
}

#[cfg(test)]
mod tests {
    use crate::record::CutLine;

    use super::*;

    /// A run of a cell with a cache that is off, whose executions had peaks of so many MiB.
    fn record(thresholds: &str, samples: &[(&str, &str, u64)]) -> Record {
        let context = r#"{"revision":"r","engine_version":"0","profile":"release","arch":"x","machine":{"cpu":"c","cores":2,"memory_gib":1,"kernel":"k","rustc":"r","os":"o"}}"#;
        let mut text = format!(
            r#"{{"line":"header","format":2,"run":"r","started":"s","suite":"s","filters":[],"tier":"all","against":null,"engine_digest":"b",{thresholds}"context":{context},"suite_cells":["s/c[]"],"planned":[{{"cell":{{"suite":"s","scenario":"c","workload":"open","point":[],"parameters":{{"plan_cache":"off"}},"expected":null}},"warm":1,"processes":2,"timeout_s":1}}]}}"#
        );
        text.push('\n');
        for (process, (side, phase, mib)) in samples.iter().enumerate() {
            let peak = mib << 20;
            text.push_str(&format!(
                r#"{{"line":"sample","cell":"s/c[]","side":"{side}","process":{process},"phase":"{phase}","iteration":0,"metrics":{{"peak_rss_bytes":{peak},"cache.plan.misses":900,"cache.schema.misses":900,"wall_ns":1}},"answer":{{"rows":1,"digest":"d"}}}}"#
            ));
            text.push_str(&format!(
                "\n{{\"line\":\"process\",\"cell\":\"s/c[]\",\"side\":\"{side}\",\"process\":{process},\"elapsed_ms\":1}}\n"
            ));
        }
        Record::parse(&text, CutLine::LeaveOut).unwrap_or_else(|error| panic!("{error:#}"))
    }

    #[test]
    fn crossings_follow_from_the_record() {
        let samples =
            [("base", "cold", 70), ("head", "cold", 80), ("head", "warm", 80), ("head", "warm", 90)];
        let record =
            record(r#""thresholds":{"memory_mib":64,"cache_miss_percent":50,"store_errors":0},"#, &samples);
        let expect = [
            "threshold crossed: s/c[], cold: cache schema missed 100.0 % of 900 look-ups, and cache_miss_percent \
             allows 50; in 1 of 1 executions, and in the base",
            "threshold crossed: s/c[], cold: resident memory reached 80.0 MiB, and memory_mib allows 64; in 1 of 1 \
             executions, and in the base",
            "threshold crossed: s/c[], warm: cache schema missed 100.0 % of 900 look-ups, and cache_miss_percent \
             allows 50; in 2 of 2 executions",
            "threshold crossed: s/c[], warm: resident memory reached 90.0 MiB, and memory_mib allows 64; in 2 of 2 \
             executions",
            "the threshold store_errors is for `pond export`; samples of cells do not hold errors",
        ];
        assert_eq!(notes(&record), expect);
    }

    #[test]
    fn a_record_without_thresholds_has_none() {
        assert!(notes(&record("", &[("head", "cold", 90)])).is_empty());
        assert!(notes(&record(r#""thresholds":{"memory_mib":90},"#, &[("head", "cold", 90)])).is_empty());
    }
}
