//! TOML documents read with positions, so that every error names its file and line.
//!
//! Suites and the ledger of claims are read with this. Every key is known or refused, with the nearest
//! known one named; a missing key is an error at the table that lacks it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::cell::Workload;
use crate::knob::Settings;
use crate::nearest::nearest;

/// What is wrong with a suite or a ledger, and where.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DocumentError {
    /// The file could not be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is no TOML, or states something unknown or contradictory.
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

/// An error's byte offset in the text, and its message.
pub(crate) type Fault = (usize, String);
pub(crate) type Value<'a> = Spanned<DeValue<'a>>;

/// Reads the text of a document.
pub(crate) fn read(path: &Path) -> Result<String, DocumentError> {
    std::fs::read_to_string(path).map_err(|source| DocumentError::Read { path: path.to_owned(), source })
}

/// Parses a document and interprets it; `path` is the place in errors.
pub(crate) fn parse<T>(
    path: &Path,
    text: &str,
    interpret: impl FnOnce(&Spanned<DeTable<'_>>) -> Result<T, Fault>,
) -> Result<T, DocumentError> {
    let invalid = |(at, message): Fault| DocumentError::Invalid {
        path: path.to_owned(),
        line: line_of(text, at),
        message,
    };
    let document = DeTable::parse(text)
        .map_err(|error| invalid((error.span().map_or(0, |span| span.start), error.message().to_owned())))?;
    interpret(&document).map_err(invalid)
}

/// A table whose keys have been checked against the known ones.
pub(crate) struct Keys<'t, 'a> {
    table: &'t DeTable<'a>,
    at: usize,
    what: &'static str,
}

impl<'t, 'a> Keys<'t, 'a> {
    pub(crate) fn of(value: &'t Value<'a>, what: &'static str, known: &[&str]) -> Result<Self, Fault> {
        Self::new(table_of(value, what)?, value.span().start, what, known)
    }

    pub(crate) fn new(
        table: &'t DeTable<'a>,
        at: usize,
        what: &'static str,
        known: &[&str],
    ) -> Result<Self, Fault> {
        for key in table.keys() {
            let name: &str = key.get_ref();
            if !known.contains(&name) {
                let message = format!("unknown key '{name}' in {what}{}", suggestion(name, known));
                return Err((key.span().start, message));
            }
        }
        Ok(Self { table, at, what })
    }

    pub(crate) fn get(&self, key: &str) -> Option<&'t Value<'a>> {
        self.table.get(key)
    }

    pub(crate) fn require(&self, key: &str) -> Result<&'t Value<'a>, Fault> {
        self.get(key).ok_or_else(|| (self.at, format!("{} needs the key '{key}'", self.what)))
    }

    pub(crate) fn text(&self, key: &str) -> Result<String, Fault> {
        let value = self.require(key)?;
        let text = string(value)?;
        if text.trim().is_empty() {
            return Err((value.span().start, format!("'{key}' must not be empty")));
        }
        Ok(text)
    }

    pub(crate) fn number(&self, key: &str, default: u64) -> Result<u64, Fault> {
        let Some(value) = self.get(key) else { return Ok(default) };
        let DeValue::Integer(integer) = value.get_ref() else {
            return Err((value.span().start, format!("'{key}' must be a whole number")));
        };
        u64::from_str_radix(&integer.as_str().replace('_', ""), integer.radix())
            .map_err(|_| (value.span().start, format!("'{key}' must be a whole number from 0")))
    }

    /// Reads the key `workload`.
    pub(crate) fn workload(&self) -> Result<Workload, Fault> {
        let value = self.require("workload")?;
        let name = string(value)?;
        let known = Workload::ALL.map(Workload::name);
        Workload::ALL.into_iter().find(|w| w.name() == name).ok_or_else(|| {
            (value.span().start, format!("unknown workload '{name}'{}", suggestion(&name, &known)))
        })
    }
}

/// Reads a table of parameters of a workload, knobs among them.
pub(crate) fn parameters(
    workload: Workload,
    value: &Value<'_>,
    what: &str,
) -> Result<BTreeMap<String, String>, Fault> {
    let mut found = BTreeMap::new();
    for (key, value) in table_of(value, what)?.iter() {
        known_parameter(workload, key.get_ref(), key.span().start)?;
        let text = scalar(value)?;
        known_value(key.get_ref(), &text, value.span().start)?;
        found.insert(key.get_ref().to_string(), text);
    }
    Ok(found)
}

/// Returns the first required parameter that is not given, and what it means.
pub(crate) fn missing(
    workload: Workload,
    given: impl Fn(&str) -> bool,
) -> Option<(&'static str, &'static str)> {
    let missing = workload.parameters().iter().find(|(key, required, _)| *required && !given(key));
    missing.map(|(key, _, about)| (*key, *about))
}

pub(crate) fn known_parameter(workload: Workload, key: &str, at: usize) -> Result<(), Fault> {
    let known: Vec<&str> =
        workload.parameters().iter().map(|(key, _, _)| *key).chain(Settings::names()).collect();
    if known.contains(&key) {
        return Ok(());
    }
    Err((at, format!("{workload} has no parameter '{key}'{}", suggestion(key, &known))))
}

/// Refuses a value that a knob does not have; other parameters are the engine's to judge.
pub(crate) fn known_value(key: &str, value: &str, at: usize) -> Result<(), Fault> {
    if !Settings::names().any(|name| name == key) {
        return Ok(());
    }
    Settings::default().set(key, value).map_err(|message| (at, message))
}

pub(crate) fn table_of<'t, 'a>(value: &'t Value<'a>, what: &str) -> Result<&'t DeTable<'a>, Fault> {
    match value.get_ref() {
        DeValue::Table(table) => Ok(table),
        _ => Err((value.span().start, format!("'{what}' must be a table"))),
    }
}

pub(crate) fn string(value: &Value<'_>) -> Result<String, Fault> {
    match value.get_ref() {
        DeValue::String(text) => Ok(text.to_string()),
        _ => Err((value.span().start, "expected a string in quotes".to_owned())),
    }
}

pub(crate) fn scalar(value: &Value<'_>) -> Result<String, Fault> {
    match value.get_ref() {
        DeValue::String(text) => Ok(text.to_string()),
        DeValue::Integer(integer) => Ok(integer.as_str().to_owned()),
        DeValue::Boolean(flag) => Ok(flag.to_string()),
        _ => Err((value.span().start, "expected a string, a whole number or a boolean".to_owned())),
    }
}

pub(crate) fn suggestion(word: &str, known: &[&str]) -> String {
    match nearest(word, known.iter().copied()) {
        Some(close) => format!("; did you mean '{close}'?"),
        None => format!("; known: {}", known.join(", ")),
    }
}

fn line_of(text: &str, at: usize) -> usize {
    text.as_bytes()[..at.min(text.len())].iter().filter(|byte| **byte == b'\n').count() + 1
}
