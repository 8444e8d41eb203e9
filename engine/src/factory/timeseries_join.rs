//! `timeseries-join`: series side by side, a full outer join on time.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::DateTime;
use datafusion::common::ScalarValue;
use datafusion::datasource::provider_as_source;
use datafusion::logical_expr::{Expr, LogicalPlanBuilder, lit};
use serde::Deserialize;

use super::align::{Aligned, Side, Value, align};
use super::config::{self, bad};
use super::definition::pattern;
use super::recipe::{Input, Kitchen, Planned, Recipe, Relation};
use super::sql_derived::in_event_time;
use super::union::{column, united, view};
use crate::error::{Error, Result};
use crate::tree::Pattern;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    inputs: Vec<InputConfig>,
    time_column: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct InputConfig {
    pattern: String,
    range: Option<RangeConfig>,
    scope: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RangeConfig {
    begin: Option<String>,
    end: Option<String>,
}

/// Series to be joined.
#[derive(Debug)]
pub(super) struct JoinRecipe {
    inputs: Vec<JoinInput>,
    time_column: Option<String>,
}

#[derive(Debug)]
struct JoinInput {
    pattern: Pattern,
    /// First time inside, and first time after.
    begin_us: Option<i64>,
    end_us: Option<i64>,
    scope: Option<String>,
}

/// Reads the configuration.
pub(super) fn read(text: &str, place: &str) -> Result<JoinRecipe> {
    let config: Config = config::read(text, place)?;
    if config.inputs.len() < 2 {
        return Err(bad(place, "inputs: a join needs two at least"));
    }
    let mut inputs = Vec::with_capacity(config.inputs.len());
    for (number, input) in config.inputs.into_iter().enumerate() {
        let key = format!("inputs, number {}", number + 1);
        let pattern = pattern(&input.pattern, place, &key)?;
        let range = input.range.unwrap_or(RangeConfig { begin: None, end: None });
        let time = |name: &str, text: Option<String>| -> Result<Option<i64>> {
            let Some(text) = text else { return Ok(None) };
            let time = DateTime::parse_from_rfc3339(&text).map_err(|error| {
                bad(place, format!("{key}: {name} '{text}': {error}; write it as 2024-01-31T00:00:00Z"))
            })?;
            Ok(Some(time.timestamp_micros()))
        };
        let (begin_us, end_us) = (time("begin", range.begin)?, time("end", range.end)?);
        if begin_us.zip(end_us).is_some_and(|(begin, end)| begin >= end) {
            return Err(bad(place, format!("{key}: the range ends before it begins")));
        }
        inputs.push(JoinInput { pattern, begin_us, end_us, scope: input.scope });
    }
    Ok(JoinRecipe { inputs, time_column: config.time_column })
}

impl Recipe for JoinRecipe {
    fn patterns(&self) -> Vec<&Pattern> {
        self.inputs.iter().map(|input| &input.pattern).collect()
    }

    fn plan(&self, inputs: &[Vec<Input>], kitchen: &Kitchen<'_>) -> Result<Planned> {
        // Inputs of one scope follow each other, such as a sensor and the one that replaced it.
        let mut groups: Vec<(Option<&String>, Vec<Input>)> = Vec::new();
        for (own, matches) in self.inputs.iter().zip(inputs) {
            let input = own.within(matches, self.time_column.as_deref())?;
            match groups.iter_mut().find(|(scope, _)| scope.is_some() && *scope == own.scope.as_ref()) {
                Some((_, group)) => group.push(input),
                None => groups.push((own.scope.as_ref(), vec![input])),
            }
        }
        let time = groups[0].1[0].time(self.time_column.as_deref())?;
        let mut names: BTreeMap<String, String> = BTreeMap::from([(time.clone(), "the time".to_owned())]);
        let (mut sides, mut columns) = (Vec::new(), Vec::new());
        for (number, (scope, group)) in groups.iter().enumerate() {
            let provider = united(group, &[])?.provider;
            let path = &group[0].found.path;
            let mut own = Vec::new();
            for field in provider.schema().fields().iter().filter(|field| *field.name() != time) {
                let name = match scope {
                    Some(scope) => format!("{scope}.{}", field.name()),
                    None => field.name().clone(),
                };
                if let Some(other) = names.insert(name.clone(), path.clone()) {
                    let message =
                        format!("column '{name}' is in {other} too; give one of the inputs a scope");
                    return Err(Error::Derived { path: path.clone(), message });
                }
                columns.push(Aligned { name, value: Value::Of { side: number, column: own.len() } });
                own.push(field.name().clone());
            }
            sides.push(Side { provider, time: time.clone(), columns: own });
        }
        let plan = align(kitchen, &sides, &time, &columns)?;
        Ok(Planned { plan, time_column: Some(time) })
    }
}

impl JoinInput {
    /// Unites the matches of an input and leaves out rows outside its range.
    fn within(&self, matches: &[Input], time_column: Option<&str>) -> Result<Input> {
        let time = matches[0].time(time_column)?;
        for other in matches {
            other.time(Some(&time))?;
        }
        let provider = united(matches, &[])?.provider;
        let schema = provider.schema();
        let plan = LogicalPlanBuilder::scan("input", provider_as_source(provider), None)?.build()?;
        let mut builder = LogicalPlanBuilder::from(in_event_time(plan, &schema, &time)?);
        let at = |us| lit(ScalarValue::TimestampMicrosecond(Some(us), Some(Arc::from("UTC"))));
        let begin = self.begin_us.map(|us| column(&time).gt_eq(at(us)));
        let end = self.end_us.map(|us| column(&time).lt(at(us)));
        if let Some(filter) = begin.into_iter().chain(end).reduce(Expr::and) {
            builder = builder.filter(filter)?;
        }
        let relation = Relation { provider: view(builder.build()?), time_column: Some(time) };
        Ok(Input { found: matches[0].found.clone(), relation })
    }
}
