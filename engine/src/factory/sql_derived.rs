//! `sql-derived-table` and `sql-derived-series`: a query over named patterns.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::datatypes::{DataType, Schema, TimeUnit};
use datafusion::catalog::TableProvider;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::execution::context::SessionState;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, Volatility, cast};
use serde::Deserialize;

use super::config::{self, bad, hint};
use super::definition::pattern;
use super::recipe::{Input, Kitchen, Planned, Recipe};
use super::union::{column, united};
use crate::error::{Error, Result};
use crate::query::{plan_sql, quoted, relations_of};
use crate::tree::{EntryType, Pattern};

/// The time column of a series whose configuration names none.
const USUAL_TIME: &str = "timestamp";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    patterns: BTreeMap<String, String>,
    query: Option<String>,
    time_column: Option<String>,
    #[serde(default)]
    captures: BTreeMap<String, Vec<String>>,
}

/// A query over named patterns.
#[derive(Debug)]
pub(super) struct SqlRecipe {
    place: String,
    entry_type: EntryType,
    patterns: BTreeMap<String, Pattern>,
    /// For each pattern, the columns that its captures become; often none.
    labels: BTreeMap<String, Vec<String>>,
    query: String,
    time_column: Option<String>,
}

/// Reads the configuration.
pub(super) fn read(text: &str, place: &str, entry_type: EntryType) -> Result<SqlRecipe> {
    let config: Config = config::read(text, place)?;
    let mut patterns = BTreeMap::new();
    for (name, text) in &config.patterns {
        let pattern = pattern(text, place, &format!("patterns, '{name}'"))?;
        patterns.insert(name.clone(), pattern);
    }
    let query = match (config.query, patterns.keys().next()) {
        (_, None) => return Err(bad(place, "patterns: give at least one, as name: pattern")),
        (Some(query), _) => query,
        (None, Some(name)) if patterns.len() == 1 => format!("SELECT * FROM {}", quoted(name)),
        (None, Some(_)) => return Err(bad(place, "several patterns need a query that combines them")),
    };
    for (name, labels) in &config.captures {
        let Some(pattern) = patterns.get(name) else {
            let known = hint(name, patterns.keys().map(String::as_str));
            return Err(bad(place, format!("captures: there is no pattern '{name}'; {known}")));
        };
        if labels.len() != pattern.captures() {
            let (stars, given) = (pattern.captures(), labels.len());
            let message = format!(
                "captures: pattern '{name}' has {stars} captures, and {given} columns are named; name one for each star"
            );
            return Err(bad(place, message));
        }
        if let Some(twice) =
            labels.iter().find(|label| labels.iter().filter(|other| other == label).count() > 1)
        {
            return Err(bad(place, format!("captures: '{twice}' is named twice")));
        }
    }
    let time_column = config.time_column;
    Ok(SqlRecipe {
        place: place.to_owned(),
        entry_type,
        patterns,
        labels: config.captures,
        query,
        time_column,
    })
}

impl Recipe for SqlRecipe {
    fn entry_type(&self) -> EntryType {
        self.entry_type
    }

    fn patterns(&self) -> Vec<&Pattern> {
        self.patterns.values().collect()
    }

    fn check(&self, state: &SessionState) -> Result<()> {
        let named = relations_of(state, &self.query).map_err(|error| bad(&self.place, error.to_string()))?;
        match named.iter().find(|name| !self.patterns.contains_key(*name)) {
            None => Ok(()),
            Some(name) => {
                let known = hint(name, self.patterns.keys().map(String::as_str));
                Err(bad(&self.place, format!("query: relation '{name}' is no pattern; {known}")))
            }
        }
    }

    fn plan(&self, inputs: &[Vec<Input>], kitchen: &Kitchen<'_>) -> Result<Planned> {
        let mut relations: BTreeMap<String, Arc<dyn TableProvider>> = BTreeMap::new();
        let mut times = BTreeSet::new();
        for (name, matches) in self.patterns.keys().zip(inputs) {
            let labels = self.labels.get(name).map_or(&[][..], Vec::as_slice);
            let relation = united(matches, labels)?;
            times.extend(relation.time_column);
            relations.insert(name.clone(), relation.provider);
        }
        let plan = plan_sql(kitchen.state, &self.query, &relations)?;
        refuse_changing(&plan)?;
        // Types are made to meet now, so that the columns told are those that come.
        let plan =
            kitchen.state.analyzer().execute_and_check(plan, kitchen.state.config_options(), |_, _| ())?;
        let schema = Arc::clone(plan.schema().inner());
        refuse_doubles(&schema)?;
        let time_column = self.time(&schema, &times)?;
        match &time_column {
            Some(time) if self.entry_type == EntryType::Series => {
                Ok(Planned { plan: in_event_time(plan, &schema, time)?, time_column })
            }
            _ => Ok(Planned { plan, time_column }),
        }
    }
}

impl SqlRecipe {
    /// Finds the time column among the columns of the answer.
    fn time(&self, schema: &Schema, inputs: &BTreeSet<String>) -> Result<Option<String>> {
        let is_time = |name: &str| schema.field_with_name(name).is_ok_and(|f| is_timestamp(f.data_type()));
        if let Some(name) = &self.time_column {
            if is_time(name) {
                return Ok(Some(name.clone()));
            }
            let known = hint(name, schema.fields().iter().map(|field| field.name().as_str()));
            return Err(Error::Query(format!("time_column: the query has no time '{name}'; {known}")));
        }
        if is_time(USUAL_TIME) {
            return Ok(Some(USUAL_TIME.to_owned()));
        }
        let mut inherited = inputs.iter().filter(|name| is_time(name));
        match (inherited.next(), inherited.next()) {
            (Some(one), None) => Ok(Some(one.clone())),
            _ => Ok(None),
        }
    }
}

pub(super) fn is_timestamp(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Timestamp(..))
}

/// Returns the type of event times.
pub(super) fn event_time() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
}

/// Brings a time column to microseconds in UTC; other columns stay.
pub(super) fn in_event_time(plan: LogicalPlan, schema: &Schema, time: &str) -> Result<LogicalPlan> {
    if schema.field_with_name(time)?.data_type() == &event_time() {
        return Ok(plan);
    }
    let columns = schema.fields().iter().map(|field| {
        let own = column(field.name());
        if field.name() == time { cast(own, event_time()).alias(time) } else { own }
    });
    let columns: Vec<_> = columns.collect();
    Ok(LogicalPlanBuilder::from(plan).project(columns)?.build()?)
}

/// Refuses functions whose answers change from one reading to the next: the rows of a derived node follow
/// from its inputs alone, and caches rely on that.
fn refuse_changing(plan: &LogicalPlan) -> Result<()> {
    let mut changing = None;
    plan.apply_with_subqueries(|node| {
        node.apply_expressions(|expression| {
            expression.apply(|part| match part {
                Expr::ScalarFunction(call) if call.func.signature().volatility != Volatility::Immutable => {
                    changing = Some(call.func.name().to_owned());
                    Ok(TreeNodeRecursion::Stop)
                }
                _ => Ok(TreeNodeRecursion::Continue),
            })
        })
    })?;
    match changing {
        None => Ok(()),
        Some(name) => Err(Error::Query(format!(
            "the answer of {name}() changes from one reading to the next; leave it out, for the rows of a derived \
             node follow from its inputs alone"
        ))),
    }
}

/// Refuses a name that two columns have: nobody could ask for either.
pub(super) fn refuse_doubles(schema: &Schema) -> Result<()> {
    let mut seen = BTreeSet::new();
    match schema.fields().iter().find(|field| !seen.insert(field.name())) {
        None => Ok(()),
        Some(field) => Err(Error::Query(format!(
            "two columns are called '{}'; name them apart with AS, or leave one out",
            field.name()
        ))),
    }
}
