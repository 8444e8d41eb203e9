//! A line of a history: one run, with what is compared over time.
//!
//! A line stands by itself, so that histories can be cut and put together with any tool. Counters that are zero are left
//! out: they are named once for the run.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

use anyhow::{Context as _, bail, ensure};
use scenarios::{Kind, Metric, Phase};
use serde::{Deserialize, Serialize};

use crate::cli::Tier;
use crate::fingerprint::Machine;
use crate::measured::{PhaseMeasured, Values};
use crate::record::Record;
use crate::summary::Summary;

/// The version of the lines.
pub(crate) const FORMAT: u32 = 1;

/// The bounded metrics and times that are kept; of the others each run has its record.
pub(crate) const MEDIANS: [&str; 6] =
    ["wall_ns", "cpu_ns", "peak_rss_bytes", "alloc_count", "alloc_bytes", "instructions"];

/// A run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RunLine {
    /// [`FORMAT`] of the line.
    pub(crate) format: u32,
    /// The run's name.
    pub(crate) run: String,
    /// The suite.
    pub(crate) suite: String,
    /// When it began.
    pub(crate) started: String,
    /// The source revision, as git describes it.
    pub(crate) revision: String,
    /// The commit that the revision is or was changed from, if git knew it when the run was added.
    pub(crate) commit: Option<String>,
    /// The tier.
    pub(crate) tier: Tier,
    /// A digest of the engine's binary.
    pub(crate) engine_digest: String,
    /// The engine's package version.
    pub(crate) engine_version: String,
    /// The engine's build profile.
    pub(crate) profile: String,
    /// The architecture.
    pub(crate) arch: String,
    /// The machine.
    pub(crate) machine: Machine,
    /// Counters that every phase has which counts anything; one that it does not name is zero there.
    pub(crate) counters: BTreeSet<String>,
    /// What was measured, by cell and phase.
    pub(crate) cells: BTreeMap<String, BTreeMap<Phase, PhaseLine>>,
    /// The cells that failed.
    pub(crate) failed: Vec<String>,
}

/// One phase of a cell.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PhaseLine {
    /// Medians of bounded metrics and times.
    pub(crate) medians: BTreeMap<String, u64>,
    /// Counters that repeated and are not zero; nothing if the phase counts nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) counters: Option<BTreeMap<String, Values>>,
    /// Counters that did not repeat.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) unstable: Vec<String>,
}

impl RunLine {
    /// Makes the line of a finished run.
    pub(crate) fn of(record: &Record, commit: Option<String>) -> anyhow::Result<Self> {
        let header = &record.header;
        ensure!(record.end.is_some(), "run {} is not finished; continue it with --resume", header.run);
        let summary = Summary::of(record);
        let measured = summary.measured();
        ensure!(!measured.cells.is_empty(), "run {} has no cell that did not fail", header.run);
        let phases = || measured.cells.values().flat_map(BTreeMap::values).filter(|phase| counts(phase));
        let mut counters: BTreeSet<String> = phases().flat_map(names).collect();
        for phase in phases() {
            let own: BTreeSet<String> = names(phase).collect();
            counters.retain(|name| own.contains(name));
        }
        let mut cells = BTreeMap::new();
        for (id, cell) in &measured.cells {
            let lines = cell.iter().map(|(phase, measured)| (*phase, PhaseLine::of(measured, &counters)));
            cells.insert(id.clone(), lines.collect());
        }
        let failed = summary.cells.iter().filter(|cell| !cell.failures.is_empty());
        let context = &header.context;
        Ok(Self {
            format: FORMAT,
            run: header.run.clone(),
            suite: header.suite.clone(),
            started: header.started.clone(),
            revision: context.revision.clone(),
            commit,
            tier: header.tier,
            engine_digest: header.engine_digest.clone(),
            engine_version: context.engine_version.clone(),
            profile: context.profile.clone(),
            arch: context.arch.clone(),
            machine: context.machine.clone(),
            counters,
            cells,
            failed: failed.map(|cell| cell.id.clone()).collect(),
        })
    }

    /// Writes the line, with its end.
    pub(crate) fn to_text(&self) -> String {
        let mut text = serde_json::to_string(self).expect("a line holds only strings and numbers");
        text.push('\n');
        text
    }

    /// Tells whether both are the same run; machines may name runs alike.
    pub(crate) fn is_same_run(&self, other: &Self) -> bool {
        self.run == other.run && self.engine_digest == other.engine_digest && self.machine == other.machine
    }

    /// Returns a counter of a phase, if the phase has it and it repeated.
    pub(crate) fn counter(&self, phase: &PhaseLine, name: &str) -> Option<Values> {
        let counters = phase.counters.as_ref()?;
        if phase.unstable.iter().any(|unstable| unstable == name) {
            return None;
        }
        let zero = || self.counters.contains(name).then_some(Values::Same(0));
        counters.get(name).cloned().or_else(zero)
    }

    fn check(&self, known: &mut Known) -> anyhow::Result<()> {
        let phases =
            || self.cells.iter().flat_map(|(id, phases)| phases.values().map(move |phase| (id, phase)));
        for (id, phase) in phases() {
            for name in phase.medians.keys() {
                known.check(id, name, &[Kind::Bounded, Kind::Time])?;
            }
            for name in phase.counters.iter().flat_map(BTreeMap::keys).chain(&phase.unstable) {
                known.check(id, name, &[Kind::Exact])?;
            }
        }
        for name in &self.counters {
            known.check("all cells", name, &[Kind::Exact])?;
        }
        Ok(())
    }
}

impl PhaseLine {
    fn of(measured: &PhaseMeasured, everywhere: &BTreeSet<String>) -> Self {
        let is_kept = |name: &str| MEDIANS.contains(&name);
        let medians = measured.medians.iter().filter(|(name, _)| is_kept(name));
        let is_said =
            |name: &String, values: &Values| *values != Values::Same(0) || !everywhere.contains(name);
        let counters = measured.exact.iter().filter(|(name, values)| is_said(name, values));
        Self {
            medians: medians.map(|(name, value)| (name.clone(), *value)).collect(),
            counters: counts(measured)
                .then(|| counters.map(|(name, values)| (name.clone(), values.clone())).collect()),
            unstable: measured.unstable.keys().cloned().collect(),
        }
    }
}

fn counts(phase: &PhaseMeasured) -> bool {
    !phase.exact.is_empty() || !phase.unstable.is_empty()
}

fn names(phase: &PhaseMeasured) -> impl Iterator<Item = String> + '_ {
    phase.exact.keys().chain(phase.unstable.keys()).cloned()
}

/// Returns the text up to the end of its last line.
pub(crate) fn whole(text: &str) -> &str {
    text.rfind('\n').map_or("", |end| &text[..=end])
}

/// Reads the text of a history, and refuses what it does not understand. `file` is said where something is wrong.
pub(crate) fn parse(file: &Path, text: &str) -> anyhow::Result<Vec<RunLine>> {
    let whole = whole(text);
    if whole.len() < text.len() {
        let line = whole.lines().count() + 1;
        bail!(
            "{}:{line}: the line is cut off; the next `cargo xtask history add` removes it",
            file.display()
        );
    }
    let mut lines = Vec::new();
    let mut known = Known::default();
    for (index, line) in whole.lines().enumerate() {
        let read = read(line, &mut known).with_context(|| format!("{}:{}", file.display(), index + 1))?;
        lines.push(read);
    }
    Ok(lines)
}

fn read(line: &str, known: &mut Known) -> anyhow::Result<RunLine> {
    let read: serde_json::Result<RunLine> = serde_json::from_str(line);
    if !read.as_ref().is_ok_and(|read| read.format <= FORMAT) {
        require_version(line)?;
    }
    let read = read.context("it is damaged; remove or restore the line")?;
    read.check(known)?;
    Ok(read)
}

/// Refuses a line of another version, whatever else it has.
fn require_version(line: &str) -> anyhow::Result<()> {
    #[derive(Deserialize)]
    struct Version {
        format: u32,
    }
    let version: Version = serde_json::from_str(line)
        .context("it is no JSON object with a 'format'; remove or restore the line")?;
    ensure!(
        version.format <= FORMAT,
        "it has format {}, newer than {FORMAT}; use the harness that wrote it",
        version.format
    );
    Ok(())
}

/// The kinds of metrics that were asked for: a history has a million values of a hundred metrics.
#[derive(Default)]
struct Known {
    kinds: HashMap<String, Option<Kind>>,
}

impl Known {
    fn kind(&mut self, name: &str) -> Option<Kind> {
        if let Some(kind) = self.kinds.get(name) {
            return *kind;
        }
        let kind = Metric::kind_of(name);
        self.kinds.insert(name.to_owned(), kind);
        kind
    }

    fn check(&mut self, id: &str, name: &str, kinds: &[Kind]) -> anyhow::Result<()> {
        match self.kind(name) {
            None => bail!("{id}: unknown metric '{name}'; use the harness that wrote it"),
            Some(kind) if !kinds.contains(&kind) => bail!("{id}: {name} is in the wrong section"),
            Some(_) => Ok(()),
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::baseline::tests::machine;

    /// Makes the line of a run with one cell.
    pub(in crate::history) fn run(number: u64, wall_ns: u64, rows: Vec<u64>) -> RunLine {
        let phase = PhaseLine {
            medians: [("wall_ns".to_owned(), wall_ns)].into(),
            counters: Some([("rows_read".to_owned(), Values::new(rows))].into()),
            unstable: Vec::new(),
        };
        RunLine {
            format: FORMAT,
            run: format!("run-{number:03}"),
            suite: "s".into(),
            started: format!("2026-01-01 00:{:02}:{:02} UTC", number / 60, number % 60),
            revision: format!("{number:07x}"),
            commit: Some(format!("{number:040x}")),
            tier: Tier::All,
            engine_digest: "e".into(),
            engine_version: "1".into(),
            profile: "release".into(),
            arch: "a".into(),
            machine: machine(),
            counters: ["plans_built".to_owned(), "rows_read".to_owned()].into(),
            cells: [("s/c[]".to_owned(), [(Phase::Warm, phase)].into())].into(),
            failed: Vec::new(),
        }
    }

    fn error(text: &str) -> String {
        format!("{:#}", parse(Path::new("s.jsonl"), text).unwrap_err())
    }

    #[test]
    fn lines_are_read_back_as_they_were() {
        let lines = vec![run(1, 5, vec![3]), run(2, 6, vec![3, 2])];
        let text: String = lines.iter().map(RunLine::to_text).collect();
        assert_eq!(parse(Path::new("s.jsonl"), &text).unwrap(), lines);
        insta::assert_snapshot!(lines[1].to_text(), @r#"{"format":1,"run":"run-002","suite":"s","started":"2026-01-01 00:00:02 UTC","revision":"0000002","commit":"0000000000000000000000000000000000000002","tier":"all","engine_digest":"e","engine_version":"1","profile":"release","arch":"a","machine":{"cpu":"c","cores":2,"memory_gib":8,"kernel":"k","rustc":"r","os":"o"},"counters":["plans_built","rows_read"],"cells":{"s/c[]":{"warm":{"medians":{"wall_ns":6},"counters":{"rows_read":[3,2]}}}},"failed":[]}"#);
    }

    #[test]
    fn what_is_not_named_is_zero_only_where_it_was_counted() {
        let line = run(1, 5, vec![3]);
        let phase = &line.cells["s/c[]"][&Phase::Warm];
        assert_eq!(line.counter(phase, "rows_read"), Some(Values::Same(3)));
        assert_eq!(line.counter(phase, "plans_built"), Some(Values::Same(0)));
        assert_eq!(line.counter(phase, "spills"), None);
        let unstable = PhaseLine { unstable: vec!["plans_built".into()], ..phase.clone() };
        assert_eq!(line.counter(&unstable, "plans_built"), None);
        assert_eq!(line.counter(&PhaseLine::default(), "plans_built"), None);
    }

    #[test]
    fn what_is_not_understood_is_refused_with_its_place() {
        let good = run(1, 5, vec![3]).to_text();
        let check = |from: &str, to: &str, expect: &str| {
            let bad = good.replace(from, to);
            assert_ne!(bad, good, "{from}");
            let said = error(&format!("{good}{bad}"));
            assert!(said.starts_with("s.jsonl:2: ") && said.contains(expect), "{said}");
        };
        check("\"format\":1", "\"format\":2", "format 2, newer than 1; use the harness that wrote it");
        check("\"format\":1,", "", "no JSON object with a 'format'");
        check("\"wall_ns\":5", "\"wall_ns\":-5", "it is damaged; remove or restore the line");
        check("\"suite\"", "\"sweet\"", "it is damaged");
        check("\"wall_ns\"", "\"wal_ns\"", "s/c[]: unknown metric 'wal_ns'");
        check("\"wall_ns\"", "\"rows_read\"", "s/c[]: rows_read is in the wrong section");
        check("[\"plans_built\"", "[\"wall_ns\"", "all cells: wall_ns is in the wrong section");
        let cut = error(&format!("{good}{}", &good[..good.len() / 2]));
        assert!(cut.starts_with("s.jsonl:2: the line is cut off"), "{cut}");
    }
}
