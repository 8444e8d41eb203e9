//! Suites: TOML files of scenarios, read with positions so that every error names its line.
//!
//! Every key is known or refused, every axis value is used, every stated answer belongs to a cell.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::cell::{Answer, Cell, Workload, point_key};
use crate::document::{
    self, DocumentError, Fault, Keys, Value, known_parameter, known_value, scalar, suggestion, table_of,
};

/// A named list of values that a scenario runs over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Axis {
    /// The parameter that the values are for.
    pub name: String,
    /// The values, in the order the suite gives.
    pub values: Vec<String>,
}

/// A workload plus axes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scenario {
    /// The name, unique within its suite.
    pub name: String,
    /// What is measured and why, in a line.
    pub about: String,
    /// What the engine does.
    pub workload: Workload,
    /// Executions after the cold one, in the same process.
    pub warm: u32,
    /// Fresh processes per cell.
    pub processes: u32,
    /// Seconds after which a process counts as hanging.
    pub timeout_s: u64,
    /// Parameters that all cells share.
    pub with: BTreeMap<String, String>,
    /// The axes; the first varies slowest.
    pub axes: Vec<Axis>,
    /// Cell key → the answer the cell must give.
    pub answers: BTreeMap<String, Answer>,
}

/// A TOML file of scenarios.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suite {
    /// The name: the file's, without its extension.
    pub name: String,
    /// What the suite is for.
    pub about: String,
    /// The scenarios, in file order.
    pub scenarios: Vec<Scenario>,
}

impl Suite {
    /// Reads a suite from a file; the file's stem is the suite's name.
    ///
    /// # Errors
    /// If the file cannot be read, is no TOML, or states something unknown or contradictory.
    pub fn read(path: &Path) -> Result<Self, DocumentError> {
        Self::parse(path, &document::read(path)?)
    }

    /// Reads a suite from text; `path` gives the suite's name and the place in errors.
    ///
    /// # Errors
    /// As [`Suite::read`].
    pub fn parse(path: &Path, text: &str) -> Result<Self, DocumentError> {
        let name = path.file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned());
        document::parse(path, text, |document| suite(name, document))
    }

    /// Expands every scenario to its cells, in file order.
    pub fn cells(&self) -> Vec<Cell> {
        self.scenarios.iter().flat_map(|scenario| scenario.cells(&self.name)).collect()
    }
}

impl Scenario {
    /// Expands the axes to cells; the first axis varies slowest.
    pub fn cells(&self, suite: &str) -> Vec<Cell> {
        self.points()
            .into_iter()
            .map(|point| {
                let mut parameters = self.with.clone();
                parameters.extend(point.iter().cloned());
                Cell {
                    suite: suite.to_owned(),
                    scenario: self.name.clone(),
                    workload: self.workload,
                    expected: self.answers.get(&point_key(&point)).cloned(),
                    point,
                    parameters,
                }
            })
            .collect()
    }

    fn points(&self) -> Vec<Vec<(String, String)>> {
        let mut points = vec![Vec::new()];
        for axis in &self.axes {
            let mut longer = Vec::new();
            for point in &points {
                for value in &axis.values {
                    let mut next: Vec<(String, String)> = point.clone();
                    next.push((axis.name.clone(), value.clone()));
                    longer.push(next);
                }
            }
            points = longer;
        }
        points
    }
}

fn suite(name: String, document: &Spanned<DeTable<'_>>) -> Result<Suite, Fault> {
    if let Some((key, _)) = document.get_ref().get_key_value("claim") {
        let message = "this is a ledger of claims, no suite; measure it with: cargo xtask claims";
        return Err((key.span().start, message.to_owned()));
    }
    let table = Keys::new(document.get_ref(), document.span().start, "suite", &["about", "scenario"])?;
    let about = table.text("about")?;
    let list = table.require("scenario")?;
    let DeValue::Array(items) = list.get_ref() else {
        return Err((list.span().start, "write scenarios as [[scenario]]".to_owned()));
    };
    let mut scenarios: Vec<Scenario> = Vec::new();
    for item in items.iter() {
        let one = scenario(item)?;
        if scenarios.iter().any(|s| s.name == one.name) {
            return Err((item.span().start, format!("scenario '{}' is defined twice", one.name)));
        }
        scenarios.push(one);
    }
    if scenarios.is_empty() {
        return Err((list.span().start, "the suite has no scenario; add a [[scenario]]".to_owned()));
    }
    Ok(Suite { name, about, scenarios })
}

const SCENARIO_KEYS: [&str; 9] =
    ["name", "about", "workload", "warm", "processes", "timeout_s", "with", "axes", "answers"];

fn scenario(item: &Value<'_>) -> Result<Scenario, Fault> {
    let table = Keys::of(item, "scenario", &SCENARIO_KEYS)?;
    let name = table.text("name")?;
    let workload = table.workload()?;
    let mut one = Scenario {
        name,
        about: table.text("about")?,
        workload,
        warm: table.number("warm", 2)? as u32,
        processes: (table.number("processes", 1)? as u32).max(1),
        timeout_s: table.number("timeout_s", 120)?,
        with: BTreeMap::new(),
        axes: Vec::new(),
        answers: BTreeMap::new(),
    };
    if let Some(with) = table.get("with") {
        one.with = document::parameters(workload, with, "with")?;
    }
    if let Some(axes) = table.get("axes") {
        one.axes = axes_of(axes, &one)?;
    }
    let axes: Vec<&str> = one.axes.iter().map(|axis| axis.name.as_str()).collect();
    if let Some((key, about)) =
        document::missing(workload, |key| one.with.contains_key(key) || axes.contains(&key))
    {
        let message = format!(
            "scenario '{}': {workload} needs '{key}' ({about}); give it in 'with' or as an axis",
            one.name
        );
        return Err((item.span().start, message));
    }
    if let Some(answers) = table.get("answers") {
        one.answers = answers_of(answers, &one)?;
    }
    Ok(one)
}

fn axes_of(axes: &Value<'_>, scenario: &Scenario) -> Result<Vec<Axis>, Fault> {
    let DeValue::Array(items) = axes.get_ref() else {
        let message = "write axes as a list: axes = [{ name = \"size\", values = [\"tiny\"] }]";
        return Err((axes.span().start, message.to_owned()));
    };
    let mut found: Vec<Axis> = Vec::new();
    for item in items.iter() {
        let at = item.span().start;
        let table = Keys::of(item, "axis", &["name", "values"])?;
        let name = table.text("name")?;
        known_parameter(scenario.workload, &name, at)?;
        if scenario.with.contains_key(&name) || found.iter().any(|axis| axis.name == name) {
            return Err((at, format!("'{name}' is given twice; keep it in 'with' or as one axis")));
        }
        let list = table.require("values")?;
        let DeValue::Array(values) = list.get_ref() else {
            return Err((list.span().start, format!("axis '{name}': 'values' must be a list")));
        };
        let values: Vec<String> = values.iter().map(scalar).collect::<Result<_, _>>()?;
        values.iter().try_for_each(|value| known_value(&name, value, list.span().start))?;
        let distinct: BTreeSet<&String> = values.iter().collect();
        if values.is_empty() || distinct.len() != values.len() {
            return Err((list.span().start, format!("axis '{name}' needs one value or more, each once")));
        }
        found.push(Axis { name, values });
    }
    Ok(found)
}

fn answers_of(answers: &Value<'_>, scenario: &Scenario) -> Result<BTreeMap<String, Answer>, Fault> {
    let keys: Vec<String> = scenario.points().iter().map(|point| point_key(point)).collect();
    let mut found = BTreeMap::new();
    for (key, value) in table_of(answers, "answers")?.iter() {
        let name = key.get_ref().to_string();
        if !keys.contains(&name) {
            let known: Vec<&str> = keys.iter().map(String::as_str).collect();
            let message =
                format!("scenario '{}' has no cell '{name}'{}", scenario.name, suggestion(&name, &known));
            return Err((key.span().start, message));
        }
        let table = Keys::of(value, "answer", &["rows", "digest"])?;
        let rows = table.number("rows", u64::MAX)?;
        if rows == u64::MAX {
            return Err((value.span().start, format!("answer '{name}' needs 'rows'")));
        }
        found.insert(name, Answer { rows, digest: table.text("digest")? });
    }
    Ok(found)
}
