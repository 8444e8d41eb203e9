//! Suites: TOML files of scenarios, read with positions so that every error names its line.
//!
//! Every key is known or refused, every axis value is used, every stated answer belongs to a cell.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::cell::{Answer, Cell, Workload, point_key};
use crate::knob::Settings;
use crate::nearest::nearest;

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

/// What is wrong with a suite, and where.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SuiteError {
    /// The file could not be read.
    #[error("cannot read suite {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is no TOML, or no suite.
    #[error("{}:{line}: {message}", path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong and what to do.
        message: String,
    },
}

impl Suite {
    /// Reads a suite from a file; the file's stem is the suite's name.
    ///
    /// # Errors
    /// If the file cannot be read, is no TOML, or states something unknown or contradictory.
    pub fn read(path: &Path) -> Result<Self, SuiteError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| SuiteError::Read { path: path.to_owned(), source })?;
        Self::parse(path, &text)
    }

    /// Reads a suite from text; `path` gives the suite's name and the place in errors.
    ///
    /// # Errors
    /// As [`Suite::read`].
    pub fn parse(path: &Path, text: &str) -> Result<Self, SuiteError> {
        let invalid = |(at, message): (usize, String)| SuiteError::Invalid {
            path: path.to_owned(),
            line: line_of(text, at),
            message,
        };
        let document = DeTable::parse(text).map_err(|error| {
            invalid((error.span().map_or(0, |span| span.start), error.message().to_owned()))
        })?;
        let name = path.file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned());
        suite(name, &document).map_err(invalid)
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

/// An error's byte offset in the text, and its message.
type Fault = (usize, String);
type Value<'a> = Spanned<DeValue<'a>>;

fn suite(name: String, document: &Spanned<DeTable<'_>>) -> Result<Suite, Fault> {
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
    let workload = workload(&table)?;
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
        for (key, value) in table_of(with, "with")?.iter() {
            known_parameter(workload, key.get_ref(), key.span().start)?;
            let text = scalar(value)?;
            known_value(key.get_ref(), &text, value.span().start)?;
            one.with.insert(key.get_ref().to_string(), text);
        }
    }
    if let Some(axes) = table.get("axes") {
        one.axes = axes_of(axes, &one)?;
    }
    for (key, required, about) in workload.parameters() {
        let given = one.with.contains_key(*key) || one.axes.iter().any(|axis| axis.name == *key);
        if *required && !given {
            let message = format!(
                "scenario '{}': {workload} needs '{key}' ({about}); give it in 'with' or as an axis",
                one.name
            );
            return Err((item.span().start, message));
        }
    }
    if let Some(answers) = table.get("answers") {
        one.answers = answers_of(answers, &one)?;
    }
    Ok(one)
}

fn workload(table: &Keys<'_, '_>) -> Result<Workload, Fault> {
    let value = table.require("workload")?;
    let name = string(value)?;
    let known = Workload::ALL.map(Workload::name);
    Workload::ALL.into_iter().find(|w| w.name() == name).ok_or_else(|| {
        (value.span().start, format!("unknown workload '{name}'{}", suggestion(&name, &known)))
    })
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

fn known_parameter(workload: Workload, key: &str, at: usize) -> Result<(), Fault> {
    let known: Vec<&str> =
        workload.parameters().iter().map(|(key, _, _)| *key).chain(Settings::names()).collect();
    if known.contains(&key) {
        return Ok(());
    }
    Err((at, format!("{workload} has no parameter '{key}'{}", suggestion(key, &known))))
}

/// Refuses a value that a knob does not have; other parameters are the engine's to judge.
fn known_value(key: &str, value: &str, at: usize) -> Result<(), Fault> {
    if !Settings::names().any(|name| name == key) {
        return Ok(());
    }
    Settings::default().set(key, value).map_err(|message| (at, message))
}

/// A table whose keys have been checked against the known ones.
struct Keys<'t, 'a> {
    table: &'t DeTable<'a>,
    at: usize,
    what: &'static str,
}

impl<'t, 'a> Keys<'t, 'a> {
    fn of(value: &'t Value<'a>, what: &'static str, known: &[&str]) -> Result<Self, Fault> {
        Self::new(table_of(value, what)?, value.span().start, what, known)
    }

    fn new(table: &'t DeTable<'a>, at: usize, what: &'static str, known: &[&str]) -> Result<Self, Fault> {
        for key in table.keys() {
            let name: &str = key.get_ref();
            if !known.contains(&name) {
                let message = format!("unknown key '{name}' in {what}{}", suggestion(name, known));
                return Err((key.span().start, message));
            }
        }
        Ok(Self { table, at, what })
    }

    fn get(&self, key: &str) -> Option<&'t Value<'a>> {
        self.table.get(key)
    }

    fn require(&self, key: &str) -> Result<&'t Value<'a>, Fault> {
        self.get(key).ok_or_else(|| (self.at, format!("{} needs the key '{key}'", self.what)))
    }

    fn text(&self, key: &str) -> Result<String, Fault> {
        let value = self.require(key)?;
        let text = string(value)?;
        if text.trim().is_empty() {
            return Err((value.span().start, format!("'{key}' must not be empty")));
        }
        Ok(text)
    }

    fn number(&self, key: &str, default: u64) -> Result<u64, Fault> {
        let Some(value) = self.get(key) else { return Ok(default) };
        let DeValue::Integer(integer) = value.get_ref() else {
            return Err((value.span().start, format!("'{key}' must be a whole number")));
        };
        u64::from_str_radix(&integer.as_str().replace('_', ""), integer.radix())
            .map_err(|_| (value.span().start, format!("'{key}' must be a whole number from 0")))
    }
}

fn table_of<'t, 'a>(value: &'t Value<'a>, what: &str) -> Result<&'t DeTable<'a>, Fault> {
    match value.get_ref() {
        DeValue::Table(table) => Ok(table),
        _ => Err((value.span().start, format!("'{what}' must be a table"))),
    }
}

fn string(value: &Value<'_>) -> Result<String, Fault> {
    match value.get_ref() {
        DeValue::String(text) => Ok(text.to_string()),
        _ => Err((value.span().start, "expected a string in quotes".to_owned())),
    }
}

fn scalar(value: &Value<'_>) -> Result<String, Fault> {
    match value.get_ref() {
        DeValue::String(text) => Ok(text.to_string()),
        DeValue::Integer(integer) => Ok(integer.as_str().to_owned()),
        DeValue::Boolean(flag) => Ok(flag.to_string()),
        _ => Err((value.span().start, "expected a string, a whole number or a boolean".to_owned())),
    }
}

fn suggestion(word: &str, known: &[&str]) -> String {
    match nearest(word, known.iter().copied()) {
        Some(close) => format!("; did you mean '{close}'?"),
        None => format!("; known: {}", known.join(", ")),
    }
}

fn line_of(text: &str, at: usize) -> usize {
    text.as_bytes()[..at.min(text.len())].iter().filter(|byte| **byte == b'\n').count() + 1
}
