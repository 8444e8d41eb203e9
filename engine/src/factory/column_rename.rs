//! `column-rename`: one node with other names, and other types, for its columns.

use std::str::FromStr;
use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::datasource::provider_as_source;
use datafusion::execution::context::SessionState;
use datafusion::logical_expr::{LogicalPlanBuilder, cast};
use regex::Regex;
use serde::Deserialize;

use super::config::{self, bad, hint};
use super::definition::pattern;
use super::recipe::{Input, Kitchen, Planned, Recipe};
use super::sql_derived::{in_event_time, is_timestamp};
use super::union::column;
use crate::error::{Error, Result};
use crate::query::plan_sql;
use crate::tree::Pattern;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    #[serde(alias = "pattern")]
    in_pattern: String,
    rules: Vec<RuleConfig>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RuleConfig {
    #[serde(rename = "type")]
    kind: Kind,
    from: Option<String>,
    to: Option<String>,
    cast: Option<String>,
    pattern: Option<String>,
    replacement: Option<String>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Direct,
    Pattern,
}

/// A node with rules for its columns.
#[derive(Debug)]
pub(super) struct RenameRecipe {
    place: String,
    pattern: Pattern,
    rules: Vec<Rule>,
}

#[derive(Debug)]
enum Rule {
    Direct { from: String, to: String, cast: Option<String> },
    Pattern { regex: Regex, replacement: String },
}

/// Reads the configuration.
pub(super) fn read(text: &str, place: &str) -> Result<RenameRecipe> {
    let config: Config = config::read(text, place)?;
    let pattern = pattern(&config.in_pattern, place, "in_pattern")?;
    if config.rules.is_empty() {
        return Err(bad(place, "rules: give one at least"));
    }
    let mut rules: Vec<Rule> = Vec::with_capacity(config.rules.len());
    for (number, rule) in config.rules.into_iter().enumerate() {
        let rule =
            rule.read().map_err(|message| bad(place, format!("rules, number {}: {message}", number + 1)))?;
        if let Rule::Direct { from, .. } = &rule {
            let same = |other: &Rule| matches!(other, Rule::Direct { from: other, .. } if other == from);
            if rules.iter().any(same) {
                return Err(bad(place, format!("rules: '{from}' is renamed twice")));
            }
        }
        rules.push(rule);
    }
    Ok(RenameRecipe { place: place.to_owned(), pattern, rules })
}

impl RuleConfig {
    fn read(self) -> Result<Rule, String> {
        match (self.kind, self) {
            (
                Kind::Direct,
                Self { from: Some(from), to: Some(to), cast, pattern: None, replacement: None, .. },
            ) => Ok(Rule::Direct { from, to, cast }),
            (Kind::Direct, _) => Err("a direct rule has the keys from, to and, if need be, cast".to_owned()),
            (
                Kind::Pattern,
                Self {
                    pattern: Some(pattern),
                    replacement: Some(replacement),
                    from: None,
                    to: None,
                    cast: None,
                    ..
                },
            ) => {
                let regex = Regex::new(&pattern).map_err(|error| one_line(&error))?;
                check_groups(&regex, &replacement)?;
                Ok(Rule::Pattern { regex, replacement })
            }
            (Kind::Pattern, _) => Err("a pattern rule has the keys pattern and replacement".to_owned()),
        }
    }
}

/// Says in one line what is wrong with a regular expression.
fn one_line(error: &regex::Error) -> String {
    let text = error.to_string();
    let last = text.lines().last().unwrap_or_default();
    format!("the pattern is no regular expression: {}", last.trim_start_matches("error: "))
}

/// Refuses groups that are not there: they would stand for nothing, silently, as `$1_a` does, which means a
/// group called `1_a`.
fn check_groups(regex: &Regex, replacement: &str) -> Result<(), String> {
    let mut rest = replacement;
    while let Some(at) = rest.find('$') {
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('$') {
            rest = after;
            continue;
        }
        let name = match rest.strip_prefix('{') {
            Some(braced) => braced.split('}').next().unwrap_or_default(),
            None => {
                let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
                &rest[..end]
            }
        };
        let known = match name.parse::<usize>() {
            Ok(number) => number < regex.captures_len(),
            Err(_) => regex.capture_names().flatten().any(|group| group == name),
        };
        if !known {
            return Err(format!(
                "the replacement names the group '{name}', which the pattern has not; write ${{1}} to end a name, \
                 and $$ for the sign"
            ));
        }
    }
    Ok(())
}

impl Recipe for RenameRecipe {
    fn patterns(&self) -> Vec<&Pattern> {
        vec![&self.pattern]
    }

    fn check(&self, state: &SessionState) -> Result<()> {
        for rule in &self.rules {
            if let Rule::Direct { cast: Some(name), .. } = rule {
                type_of(state, name).map_err(|message| bad(&self.place, message))?;
            }
        }
        Ok(())
    }

    fn plan(&self, inputs: &[Vec<Input>], kitchen: &Kitchen<'_>) -> Result<Planned> {
        let input = match inputs[0].as_slice() {
            [one] => one,
            many => {
                let message = format!(
                    "in_pattern '{}' matches {} nodes, and one is needed, for {} and {} may have other columns",
                    self.pattern.as_str(),
                    many.len(),
                    many[0].found.path,
                    many[1].found.path
                );
                return Err(Error::Query(message));
            }
        };
        let schema = input.relation.provider.schema();
        self.refuse_absent(input)?;
        let mut time_column = None;
        let (mut columns, mut names): (Vec<_>, Vec<(String, &str)>) = (Vec::new(), Vec::new());
        for field in schema.fields() {
            let (name, data_type) = self.renamed(kitchen.state, field.name())?;
            if let Some((_, other)) = names.iter().find(|(taken, _)| *taken == name) {
                return Err(Error::Query(format!(
                    "columns '{other}' and '{}' would both be called '{name}'; rename one of them otherwise",
                    field.name()
                )));
            }
            let own = column(field.name());
            let is_time = is_timestamp(data_type.as_ref().unwrap_or(field.data_type()));
            if input.relation.time_column.as_ref() == Some(field.name()) && is_time {
                time_column = Some(name.clone());
            }
            let value = match data_type {
                Some(data_type) => cast(own, data_type),
                None => own,
            };
            columns.push(value.alias(&name));
            names.push((name, field.name()));
        }
        let source = provider_as_source(Arc::clone(&input.relation.provider));
        let plan = LogicalPlanBuilder::scan("input", source, None)?.project(columns)?.build()?;
        let schema = Arc::clone(plan.schema().inner());
        let plan = match &time_column {
            Some(time) => in_event_time(plan, &schema, time)?,
            None => plan,
        };
        Ok(Planned { plan, time_column })
    }
}

impl RenameRecipe {
    /// Refuses a direct rule for a column that is not there.
    fn refuse_absent(&self, input: &Input) -> Result<()> {
        let schema = input.relation.provider.schema();
        for rule in &self.rules {
            if let Rule::Direct { from, .. } = rule
                && schema.index_of(from).is_err()
            {
                let path = input.found.path.clone();
                let known = hint(from, schema.fields().iter().map(|field| field.name().as_str()));
                return Err(Error::Derived {
                    path,
                    message: format!("there is no column '{from}'; {known}"),
                });
            }
        }
        Ok(())
    }

    /// Returns a column's new name and type, by the first rule that is about it.
    fn renamed(&self, state: &SessionState, name: &str) -> Result<(String, Option<DataType>)> {
        for rule in &self.rules {
            match rule {
                Rule::Direct { from, to, cast } if from == name => {
                    let data_type = cast.as_deref().map(|name| type_of(state, name)).transpose();
                    return Ok((to.clone(), data_type.map_err(|message| bad(&self.place, message))?));
                }
                Rule::Pattern { regex, replacement } if regex.is_match(name) => {
                    return Ok((regex.replace(name, replacement.as_str()).into_owned(), None));
                }
                _ => {}
            }
        }
        Ok((name.to_owned(), None))
    }
}

/// Finds a type by its Arrow name, such as `Float64`, or its SQL name, such as `DOUBLE`.
fn type_of(state: &SessionState, name: &str) -> Result<DataType, String> {
    if let Ok(data_type) = DataType::from_str(name) {
        return Ok(data_type);
    }
    let unknown = || {
        format!("cast: '{name}' is no type; write one of Arrow, such as Float64, or of SQL, such as DOUBLE")
    };
    if !name.chars().all(|c| c.is_ascii_alphanumeric() || "_ (),".contains(c)) {
        return Err(unknown());
    }
    let plan = plan_sql(state, &format!("SELECT CAST(NULL AS {name})"), &Default::default())
        .map_err(|_| unknown())?;
    match plan.schema().fields().as_ref() {
        [one] => Ok(one.data_type().clone()),
        _ => Err(unknown()),
    }
}
