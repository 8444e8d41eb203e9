//! Explaining what an operation does, by doing it and watching.

mod text;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Pond;
use crate::cache::CacheStats;
use crate::error::{Error, Result};
use crate::factory::View;
use crate::log::LogAnalysis;
use crate::metrics::{Access, Totals};
use crate::query::{Analysis, Asked, QueryOptions, explain};
use crate::series::TimeRange;
use crate::tree::{EntryType, NodeId, Pattern, PondPath};

/// The version of the form in which an [`Explained`] is written.
pub const EXPLAINED_FORMAT: u32 = 1;

/// What is to be explained.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Explain<'a> {
    /// What a pattern matches, and how the first matches are read.
    Pattern {
        /// The pattern.
        pattern: &'a str,
        /// The rows that are wanted.
        range: TimeRange,
    },
    /// How a query over a path is answered.
    Sql {
        /// The path, which the query calls `source`.
        path: &'a str,
        /// The query.
        sql: &'a str,
    },
}

/// How something is explained.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExplainOptions {
    /// How queries may use the machine.
    pub query: QueryOptions,
    /// Matches of a pattern that are read and analysed.
    pub plans_max: usize,
}

impl Default for ExplainOptions {
    fn default() -> Self {
        Self { query: QueryOptions::default(), plans_max: 1 }
    }
}

/// What an operation did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Explained {
    /// [`EXPLAINED_FORMAT`].
    pub format: u32,
    /// What a pattern matched; nothing for a query over a path.
    pub matched: Option<MatchUse>,
    /// How the paths were read.
    pub plans: Vec<PlanOf>,
    /// The Delta log, and what reading it cost.
    pub log: LogAnalysis,
    /// Accesses to stored files since the pond was opened, by path; empty unless
    /// [`PondOptions::accesses`](super::PondOptions::accesses) is set.
    pub accesses: Vec<Access>,
    /// The caches that were asked for something.
    pub caches: Vec<CacheUse>,
    /// Stages and counters since the pond was opened that are not zero.
    pub totals: BTreeMap<String, u64>,
}

/// What a pattern matched.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MatchUse {
    /// The pattern.
    pub pattern: String,
    /// Nodes that were looked at; none if the matches were kept.
    pub visited: u64,
    /// The nodes that it matched, in path order.
    pub nodes: Vec<MatchedNode>,
}

/// A node that a pattern matched.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MatchedNode {
    /// The path by which it was found.
    pub path: String,
    /// What it is.
    pub entry_type: String,
    /// The factory that derives it; what is derived has no versions of its own.
    pub factory: Option<String>,
    /// Versions that count: all of a series, the last of a table.
    pub versions: u64,
    /// Those of them that have no row in the time range.
    pub versions_pruned: u64,
    /// Rows of the others.
    pub rows: u64,
    /// Bytes of the others.
    pub bytes: u64,
}

/// How a path was read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanOf {
    /// The path.
    pub path: String,
    /// The plan, and what it did.
    pub analysis: Analysis,
}

/// What a cache did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CacheUse {
    /// The cache, by its name in the vocabulary.
    pub cache: String,
    /// What was measured of it, by the names of the vocabulary.
    pub metrics: BTreeMap<String, u64>,
}

impl Pond {
    /// Does what is to be explained, and tells what happened; rows are read and dropped.
    ///
    /// # Errors
    /// If a pattern matches nothing that can be read, a path does not exist, or a query is wrong.
    pub fn explain(&self, target: Explain<'_>, options: ExplainOptions) -> Result<Explained> {
        let (matched, plans) = match target {
            Explain::Sql { path, sql } => {
                let view = self.view()?;
                let node = view.namespace().tree().lookup(&PondPath::parse(path)?)?;
                let analysis = explain(&self.planner, &view.shown(node)?, Asked::Sql(sql), options.query)?;
                (None, vec![PlanOf { path: path.to_owned(), analysis }])
            }
            Explain::Pattern { pattern, range } => {
                let (matched, plans) = self.explain_pattern(pattern, range, options)?;
                (Some(matched), plans)
            }
        };
        let totals = self.recorder.totals().since(&Totals::default());
        let accesses = self.recorder.accesses(self.log.layout().root());
        Ok(Explained {
            format: EXPLAINED_FORMAT,
            matched,
            plans,
            accesses,
            caches: self.cache_stats().into_iter().filter_map(cache_use).collect(),
            totals: totals.into_iter().filter(|(_, value)| *value > 0).collect(),
            // Last, because it reads the log again.
            log: self.log.analyze()?,
        })
    }

    fn explain_pattern(
        &self,
        pattern: &str,
        range: TimeRange,
        options: ExplainOptions,
    ) -> Result<(MatchUse, Vec<PlanOf>)> {
        let parsed = Pattern::parse(pattern)?;
        let view = self.view()?;
        let tree = view.namespace().tree();
        let before = self.recorder.totals();
        let matches = view.find(&parsed);
        let visited = self.recorder.totals().since(&before).get("nodes_visited").copied().unwrap_or(0);
        let readable = || matches.iter().filter(|one| tree.node(one.node).entry_type.is_queryable());
        if readable().next().is_none() {
            let near = PondPath::parse(pattern).ok().and_then(|path| tree.near(&path));
            return Err(Error::NoMatch { pattern: pattern.to_owned(), near });
        }
        let mut plans = Vec::new();
        for found in readable().take(options.plans_max) {
            let shown = view.shown(found.node)?;
            let analysis = explain(&self.planner, &shown, Asked::Rows(range), options.query)?;
            plans.push(PlanOf { path: found.path.clone(), analysis });
        }
        let nodes = matches.iter().map(|one| matched_node(&view, one.node, &one.path, range)).collect();
        Ok((MatchUse { pattern: pattern.to_owned(), visited, nodes }, plans))
    }
}

fn matched_node(view: &View<'_>, node: NodeId, path: &str, range: TimeRange) -> MatchedNode {
    let namespace = view.namespace();
    let (snapshot, derived) = (namespace.snapshot(), namespace.derived(node));
    let entry_type = namespace.tree().node(node).entry_type;
    let all = if derived.is_some() { 0 } else { snapshot.version_count(node) };
    let counting = if entry_type == EntryType::Series { all } else { all.min(1) };
    let mut matched = MatchedNode {
        path: path.to_owned(),
        entry_type: entry_type.name().to_owned(),
        factory: derived.map(|derived| derived.factory.to_owned()),
        versions: counting as u64,
        versions_pruned: 0,
        rows: 0,
        bytes: 0,
    };
    if derived.is_some() {
        return matched;
    }
    for version in snapshot.versions(node).skip(all - counting) {
        let span = version.first_us.zip(version.last_us);
        if span.is_none_or(|(first, last)| range.touches(first, last)) {
            matched.rows += version.rows.unwrap_or(0);
            matched.bytes += version.size;
        } else {
            matched.versions_pruned += 1;
        }
    }
    matched
}

/// Tells what a cache did; nothing of one that was not asked.
fn cache_use((cache, stats): (&'static str, CacheStats)) -> Option<CacheUse> {
    let metrics = stats.metrics().map(|(name, value)| (name.to_owned(), value));
    (stats.hits + stats.misses > 0).then(|| CacheUse { cache: cache.to_owned(), metrics: metrics.into() })
}
