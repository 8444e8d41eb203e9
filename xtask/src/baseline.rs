//! Baselines: blessed records, in JSON that is sorted, versioned and made to be read in a diff.

mod accepted;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context as _, bail, ensure};
use scenarios::{Kind, Metric, Phase};
use serde::{Deserialize, Serialize};

use crate::fingerprint::{Context, Machine};
use crate::measured::{Measured, PhaseMeasured, Seen, Values};

pub(crate) use accepted::{Accepted, Changes};

/// The version of baseline files. Format 1 had neither run nor changes.
pub(crate) const FORMAT: u32 = 2;

/// Cell id → phase → metric → value.
type Table<V> = BTreeMap<String, BTreeMap<Phase, BTreeMap<String, V>>>;

/// A baseline as it is stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Baseline {
    /// [`FORMAT`] of the file.
    pub(crate) format: u32,
    /// The suite.
    pub(crate) suite: String,
    /// Why the numbers are right.
    pub(crate) reason: String,
    /// The run that was measured.
    #[serde(default)]
    pub(crate) run: String,
    /// When it began.
    #[serde(default)]
    pub(crate) started: String,
    /// The source revision that was measured.
    pub(crate) revision: String,
    /// The engine's package version.
    pub(crate) engine_version: String,
    /// The engine's build profile.
    pub(crate) profile: String,
    /// The architecture.
    pub(crate) arch: String,
    /// The machine.
    pub(crate) machine: Machine,
    /// What became better or worse when it was blessed, if it replaced another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) changes: Option<Changes>,
    /// The regressions that were ever accepted, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) accepted: Vec<Accepted>,
    /// Exact counters: these gate.
    pub(crate) cells: Table<Values>,
    /// Counters that did not repeat, with the values they had: these do not gate.
    pub(crate) unstable: Table<Seen>,
    /// Medians of bounded metrics and times: advice.
    pub(crate) medians: Table<u64>,
}

/// A baseline that a newer harness has written.
#[derive(Debug, thiserror::Error)]
#[error("it has format {0}, newer than {FORMAT}; use the harness that wrote it")]
struct Newer(u32);

impl Baseline {
    /// Makes a baseline of what was measured.
    pub(crate) fn new(measured: &Measured, reason: &str) -> Self {
        let mut baseline = Self {
            format: FORMAT,
            suite: measured.suite.clone(),
            reason: reason.trim().to_owned(),
            run: String::new(),
            started: String::new(),
            revision: measured.context.revision.clone(),
            engine_version: measured.context.engine_version.clone(),
            profile: measured.context.profile.clone(),
            arch: measured.context.arch.clone(),
            machine: measured.context.machine.clone(),
            changes: None,
            accepted: Vec::new(),
            cells: Table::new(),
            unstable: Table::new(),
            medians: Table::new(),
        };
        for (id, cell) in &measured.cells {
            for (phase, measured) in cell {
                baseline.cells.entry(id.clone()).or_default().insert(*phase, measured.exact.clone());
                if !measured.unstable.is_empty() {
                    let unstable = baseline.unstable.entry(id.clone()).or_default();
                    unstable.insert(*phase, measured.unstable.clone());
                }
                baseline.medians.entry(id.clone()).or_default().insert(*phase, measured.medians.clone());
            }
        }
        baseline
    }

    /// Says which run was measured.
    pub(crate) fn of_run(self, run: &str, started: &str) -> Self {
        Self { run: run.to_owned(), started: started.to_owned(), ..self }
    }

    /// Keeps counters from gating that did not repeat when another baseline was measured: that they repeat in one run
    /// does not show that they always do.
    pub(crate) fn keeping_unstable(mut self, old: &Self) -> Self {
        for (id, phases) in &old.unstable {
            for (phase, counters) in phases {
                let Some(own) = self.cells.get_mut(id).and_then(|cell| cell.get_mut(phase)) else { continue };
                for (name, seen) in counters {
                    let Some(values) = own.remove(name) else { continue };
                    let unstable = self.unstable.entry(id.clone()).or_default().entry(*phase).or_default();
                    unstable.insert(name.clone(), seen.iter().copied().chain(values.distinct()).collect());
                }
            }
        }
        self
    }

    /// Says what became better or worse, and keeps what was accepted before.
    pub(crate) fn replacing(mut self, old: Option<&Self>) -> Self {
        let Some(old) = old else { return self };
        self.accepted = old.accepted.clone();
        if !self.run.is_empty() && self.run == old.run {
            // The same run again: it replaces itself, maybe for a better reason.
            self.changes = old.changes.clone();
            for own in self.accepted.iter_mut().filter(|accepted| accepted.run == self.run) {
                own.reason = self.reason.clone();
            }
            return self;
        }
        let (changes, worse) = Changes::between(old, &self);
        self.changes = Some(changes);
        if !worse.is_empty() {
            let accepted = Accepted::of(&self, worse);
            self.accepted.push(accepted);
        }
        self
    }

    /// Returns what comparisons need.
    pub(crate) fn measured(&self) -> Measured {
        let mut cells = BTreeMap::new();
        for (id, phases) in &self.cells {
            let mut cell = BTreeMap::new();
            for (phase, exact) in phases {
                let unstable = self.unstable.get(id).and_then(|cell| cell.get(phase));
                let medians = self.medians.get(id).and_then(|cell| cell.get(phase));
                cell.insert(
                    *phase,
                    PhaseMeasured {
                        exact: exact.clone(),
                        unstable: unstable.cloned().unwrap_or_default(),
                        medians: medians.cloned().unwrap_or_default(),
                    },
                );
            }
            cells.insert(id.clone(), cell);
        }
        let context = Context {
            revision: self.revision.clone(),
            engine_version: self.engine_version.clone(),
            profile: self.profile.clone(),
            arch: self.arch.clone(),
            machine: self.machine.clone(),
        };
        Measured { suite: self.suite.clone(), context, cells }
    }

    /// Reads a baseline from a file.
    pub(crate) fn read(path: &Path) -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("cannot read the baseline {}", path.display()))?;
        Self::parse(&text).with_context(|| format!("cannot use the baseline {}", path.display()))
    }

    /// Reads a baseline from text, and refuses what it does not understand.
    pub(crate) fn parse(text: &str) -> anyhow::Result<Self> {
        #[derive(Deserialize)]
        struct Version {
            format: u32,
        }
        let version: Version = serde_json::from_str(text)
            .context("it is no whole JSON document with a 'format'; restore it, or bless anew")?;
        if version.format > FORMAT {
            return Err(Newer(version.format).into());
        }
        let baseline: Self =
            serde_json::from_str(text).context("it is damaged; restore it, or bless anew")?;
        baseline.validate()?;
        Ok(baseline)
    }

    /// Reads the baseline that another is going to replace; nothing if there is none. One that is damaged cannot say
    /// what was accepted before, but must not be in the way: then the second value is why.
    pub(crate) fn to_replace(path: &Path) -> anyhow::Result<(Option<Self>, Option<String>)> {
        if !path.is_file() {
            return Ok((None, None));
        }
        match Self::read(path) {
            Ok(old) => Ok((Some(old), None)),
            Err(error) if error.downcast_ref::<Newer>().is_some() => Err(error),
            Err(error) => Ok((None, Some(format!("{error:#}")))),
        }
    }

    /// Writes the baseline as text, sorted by key.
    pub(crate) fn to_text(&self) -> String {
        let mut text = serde_json::to_string_pretty(self).expect("a baseline holds only strings and numbers");
        text.push('\n');
        text
    }

    /// Writes the baseline to a file.
    pub(crate) fn write(&self, path: &Path) -> anyhow::Result<()> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        std::fs::write(path, self.to_text()).with_context(|| format!("cannot write {}", path.display()))
    }

    fn validate(&self) -> anyhow::Result<()> {
        ensure!(!self.reason.trim().is_empty(), "it has no reason; bless anew");
        ensure!(!self.cells.is_empty(), "it has no cell; bless anew");
        for (id, phases) in &self.cells {
            ensure!(!phases.is_empty(), "cell '{id}' has no phase; bless anew");
            for (name, values) in phases.values().flatten() {
                check_kind(id, name, &[Kind::Exact])?;
                if matches!(values, Values::Each(each) if each.is_empty()) {
                    bail!("cell '{id}': {name} has an empty list of values");
                }
            }
        }
        for (id, name) in names(&self.unstable) {
            check_kind(id, name, &[Kind::Exact])?;
        }
        for (id, name) in names(&self.medians) {
            check_kind(id, name, &[Kind::Bounded, Kind::Time])?;
        }
        for id in self.unstable.keys().chain(self.medians.keys()) {
            ensure!(
                self.cells.contains_key(id),
                "cell '{id}' has medians or unstable counters but no counters"
            );
        }
        Ok(())
    }

    /// Says how the baseline and the cells of its suite differ; nothing if they do not.
    pub(crate) fn mismatches(&self, suite: &str, cells: &[String]) -> Vec<String> {
        let mut found = Vec::new();
        if self.suite != suite {
            found.push(format!("it is of suite '{}', not '{suite}'", self.suite));
        }
        let current: BTreeSet<&String> = cells.iter().collect();
        let stored: BTreeSet<&String> = self.cells.keys().collect();
        for id in current.difference(&stored) {
            found.push(format!("{id} has no baseline"));
        }
        for id in stored.difference(&current) {
            found.push(format!("{id} is not in the suite any more"));
        }
        found
    }
}

fn names<V>(table: &Table<V>) -> impl Iterator<Item = (&String, &String)> {
    table.iter().flat_map(|(id, phases)| {
        phases.values().flat_map(move |metrics| metrics.keys().map(move |name| (id, name)))
    })
}

fn check_kind(id: &str, name: &str, kinds: &[Kind]) -> anyhow::Result<()> {
    match Metric::kind_of(name) {
        None => bail!("cell '{id}' has the unknown metric '{name}'; bless anew"),
        Some(kind) if !kinds.contains(&kind) => bail!("cell '{id}': {name} is in the wrong section"),
        Some(_) => Ok(()),
    }
}

#[cfg(test)]
pub(crate) mod tests;
