//! `timeseries-pivot`: some columns of many series, side by side, named by the series.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::datasource::provider_as_source;
use datafusion::logical_expr::LogicalPlanBuilder;
use serde::Deserialize;

use super::align::{Aligned, Side, Value, align};
use super::config::{self, bad};
use super::definition::pattern;
use super::recipe::{Input, Kitchen, Planned, Recipe};
use super::sql_derived::in_event_time;
use super::union::view;
use crate::error::{Error, Result};
use crate::tree::{Match, Pattern};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    pattern: String,
    columns: Vec<String>,
    time_column: Option<String>,
}

/// Series to be put side by side.
#[derive(Debug)]
pub(super) struct PivotRecipe {
    pattern: Pattern,
    columns: Vec<String>,
    time_column: Option<String>,
}

/// Reads the configuration.
pub(super) fn read(text: &str, place: &str) -> Result<PivotRecipe> {
    let config: Config = config::read(text, place)?;
    let pattern = pattern(&config.pattern, place, "pattern")?;
    if config.columns.is_empty() {
        return Err(bad(place, "columns: name one at least"));
    }
    let names = &config.columns;
    if let Some(twice) = names.iter().find(|name| names.iter().filter(|other| other == name).count() > 1) {
        return Err(bad(place, format!("columns: '{twice}' is named twice")));
    }
    Ok(PivotRecipe { pattern, columns: config.columns, time_column: config.time_column })
}

impl Recipe for PivotRecipe {
    fn patterns(&self) -> Vec<&Pattern> {
        vec![&self.pattern]
    }

    fn plan(&self, inputs: &[Vec<Input>], kitchen: &Kitchen<'_>) -> Result<Planned> {
        let inputs = &inputs[0];
        let types = self.types(inputs)?;
        let time = inputs[0].time(self.time_column.as_deref())?;
        let mut aliases: BTreeMap<String, &str> = BTreeMap::new();
        let (mut sides, mut columns) = (Vec::new(), Vec::new());
        for (number, input) in inputs.iter().enumerate() {
            let alias = alias(&input.found);
            if let Some(other) = aliases.insert(alias.clone(), &input.found.path) {
                let message = format!(
                    "its columns would be called '{alias}', as those of {other}; put a star where \
                                       their paths differ"
                );
                return Err(Error::Derived { path: input.found.path.clone(), message });
            }
            let own_time = input.time(self.time_column.as_deref())?;
            let schema = input.relation.provider.schema();
            let mut own = Vec::new();
            for (name, data_type) in self.columns.iter().zip(&types) {
                let value = match schema.index_of(name) {
                    Ok(_) => {
                        own.push(name.clone());
                        Value::Of { side: number, column: own.len() - 1 }
                    }
                    Err(_) => Value::Null(data_type.clone()),
                };
                columns.push(Aligned { name: format!("{alias}.{name}"), value });
            }
            let source = provider_as_source(Arc::clone(&input.relation.provider));
            let plan = LogicalPlanBuilder::scan("input", source, None)?.build()?;
            let provider = view(in_event_time(plan, &schema, &own_time)?);
            sides.push(Side { provider, time: own_time, columns: own });
        }
        if let Some(column) = columns.iter().find(|column| column.name == time) {
            let message = format!("a column would be called '{}', as the time is", column.name);
            return Err(Error::Derived { path: inputs[0].found.path.clone(), message });
        }
        let plan = align(kitchen, &sides, &time, &columns)?;
        Ok(Planned { plan, time_column: Some(time) })
    }
}

impl PivotRecipe {
    /// Finds the type of each column in the first series that has it.
    fn types(&self, inputs: &[Input]) -> Result<Vec<DataType>> {
        let type_of = |name: &String| {
            let mut schemas = inputs.iter().map(|input| input.relation.provider.schema());
            schemas.find_map(|schema| schema.field_with_name(name).ok().map(|f| f.data_type().clone()))
        };
        let missing = |name: &String| Error::Derived {
            path: inputs[0].found.path.clone(),
            message: format!(
                "column '{name}' is in none of the {} series that match '{}'; leave it out",
                inputs.len(),
                self.pattern.as_str()
            ),
        };
        self.columns.iter().map(|name| type_of(name).ok_or_else(|| missing(name))).collect()
    }
}

/// Names a series by what the stars stood for; without stars, by its file.
fn alias(found: &Match) -> String {
    let said: Vec<String> =
        found.captures.iter().filter(|text| !text.is_empty()).map(|text| text.replace('/', ".")).collect();
    if !said.is_empty() {
        return said.join(".");
    }
    let name = found.path.rsplit('/').next().unwrap_or_default();
    let stem = name.strip_suffix(".series").or_else(|| name.strip_suffix(".table"));
    stem.unwrap_or(name).to_owned()
}
