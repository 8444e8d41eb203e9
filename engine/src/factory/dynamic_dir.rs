//! `dynamic-dir`: a directory whose entries are derived nodes, directories among them.

use std::collections::BTreeSet;

use serde::Deserialize;

use super::config::{self, bad};
use super::definition::Definition;
use crate::error::Result;
use crate::tree::PondPath;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    entries: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: String,
    factory: String,
    config: serde_json::Value,
}

/// Reads the configuration, and those of all entries.
pub(super) fn read(text: &str, place: &str) -> Result<Vec<(String, Definition)>> {
    let config: Config = config::read(text, place)?;
    let mut names = BTreeSet::new();
    let mut entries = Vec::with_capacity(config.entries.len());
    for entry in config.entries {
        let place = format!("{place}, entry '{}'", entry.name);
        PondPath::root().child(&entry.name).map_err(|error| bad(&place, error.to_string()))?;
        if !names.insert(entry.name.clone()) {
            return Err(bad(&place, "the name is given twice; choose another one"));
        }
        // An entry's configuration is read like any other, so that its mistakes are told alike.
        let definition = Definition::read(&entry.factory, &entry.config.to_string(), &place)?;
        entries.push((entry.name, definition));
    }
    Ok(entries)
}
