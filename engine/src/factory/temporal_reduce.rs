//! `temporal-reduce`: a directory of aggregates over time, one series for each input and resolution.
//!
//! Buckets begin at multiples of the resolution since 1970 in UTC, and a bucket without rows does not exist.

mod columns;
mod path;
mod resolution;
mod sql;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::Deserialize;

use super::config::{self, bad};
use super::definition::pattern;
use super::recipe::{Child, Directory, Input, Kitchen, Planned, Recipe};
use crate::error::{Error, Result};
use crate::tree::{Match, NodeId, Pattern};
pub(crate) use columns::ReduceColumn;
use columns::{AggregationConfig, resolve};
use path::OutPath;
use resolution::Resolution;

/// What an exporter needs to compute a reduced series without SQL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reduction {
    /// The series that is reduced.
    pub input: NodeId,
    /// Its time column, which is also that of the result, where it holds the begin of each bucket.
    pub time: String,
    /// The width of a bucket in microseconds.
    pub resolution_us: i64,
    /// The columns after the time, in order.
    pub columns: Vec<ReduceColumn>,
    /// The reductions of the same input by the same node, this one among them, finest first.
    pub siblings: Vec<NodeId>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    in_pattern: String,
    out_pattern: String,
    time_column: Option<String>,
    resolutions: Vec<String>,
    aggregations: Vec<AggregationConfig>,
}

/// A directory of reduced series.
#[derive(Debug)]
pub(super) struct ReduceDirectory {
    place: String,
    in_pattern: Pattern,
    out: OutPath,
    resolutions: Vec<Resolution>,
    shared: Arc<Shared>,
}

/// What all series of a directory have in common.
#[derive(Debug)]
struct Shared {
    time_column: Option<String>,
    aggregations: Vec<AggregationConfig>,
}

/// Reads the configuration.
pub(super) fn read(text: &str, place: &str) -> Result<ReduceDirectory> {
    let config: Config = config::read(text, place)?;
    let in_pattern = pattern(&config.in_pattern, place, "in_pattern")?;
    let out = OutPath::parse(&config.out_pattern, in_pattern.captures())
        .map_err(|message| bad(place, format!("out_pattern: {message}")))?;
    let resolutions = resolution::read(&config.resolutions).map_err(|message| bad(place, message))?;
    columns::check(&config.aggregations).map_err(|message| bad(place, message))?;
    let shared = Shared { time_column: config.time_column, aggregations: config.aggregations };
    Ok(ReduceDirectory { place: place.to_owned(), in_pattern, out, resolutions, shared: Arc::new(shared) })
}

impl Directory for ReduceDirectory {
    fn pattern(&self) -> &Pattern {
        &self.in_pattern
    }

    fn names(&self) -> Vec<String> {
        self.resolutions.iter().map(Resolution::file_name).collect()
    }

    fn children(&self, matches: &[Match]) -> Result<Vec<Child>> {
        let mut taken: BTreeMap<Vec<String>, &str> = BTreeMap::new();
        let mut children = Vec::with_capacity(matches.len() * self.resolutions.len());
        for found in matches {
            let folders = self.out.fill(&found.captures);
            if let Some(other) = taken.insert(folders.clone(), &found.path) {
                let message = format!(
                    "out_pattern: {other} and {} would both be reduced to '{}'; name more captures in it",
                    found.path,
                    folders.join("/")
                );
                return Err(bad(&self.place, message));
            }
            for resolution in &self.resolutions {
                let recipe =
                    ReduceRecipe { resolution: resolution.clone(), shared: Arc::clone(&self.shared) };
                children.push(Child {
                    folders: folders.clone(),
                    name: resolution.file_name(),
                    recipe: Arc::new(recipe),
                    variant: resolution.file_name(),
                    input: found.clone(),
                });
            }
        }
        Ok(children)
    }
}

/// One input at one resolution.
#[derive(Debug)]
pub(super) struct ReduceRecipe {
    resolution: Resolution,
    shared: Arc<Shared>,
}

impl ReduceRecipe {
    pub(super) fn resolution_us(&self) -> i64 {
        self.resolution.us
    }

    /// Resolves the time column and the aggregates for an input.
    pub(super) fn resolve(&self, input: &Input) -> Result<(String, Vec<ReduceColumn>)> {
        let failed = |message: String| Error::Derived { path: input.found.path.clone(), message };
        let time = input.time(self.shared.time_column.as_deref())?;
        let schema = input.relation.provider.schema();
        let columns = resolve(&self.shared.aggregations, &schema, &time).map_err(failed)?;
        let mut names = BTreeSet::from([time.as_str()]);
        if let Some(twice) = columns.iter().find(|column| !names.insert(&column.name)) {
            return Err(failed(format!("two aggregates would be called '{}'; leave one out", twice.name)));
        }
        Ok((time, columns))
    }
}

impl Recipe for ReduceRecipe {
    fn patterns(&self) -> Vec<&Pattern> {
        Vec::new()
    }

    fn plan(&self, inputs: &[Vec<Input>], kitchen: &Kitchen<'_>) -> Result<Planned> {
        let [one] = inputs else { unreachable!("a reduced series has one input") };
        let [input] = one.as_slice() else { unreachable!("a reduced series has one input") };
        let (time, columns) = self.resolve(input)?;
        let plan = sql::plan(kitchen, &input.relation.provider, &time, self.resolution.us, &columns)?;
        Ok(Planned { plan, time_column: Some(time) })
    }

    fn reduction(&self) -> Option<&ReduceRecipe> {
        Some(self)
    }
}
