//! Which cells to run: suites and filters given as plain words.
//!
//! A word that names a suite selects it; any other word is a filter on cell ids. A filter that starts with
//! a suite's name and a slash selects that suite. A word that selects nothing is an error. The ledger of claims
//! lies among the suites, but is none.

use std::path::Path;

use anyhow::Context;
use scenarios::{Cell, LEDGER, Suite, nearest};

use crate::exit::{Exit, Stop};

/// The suite that is run if none is named.
pub(crate) const DEFAULT_SUITE: &str = "smoke";

/// A suite and the cells of it that were selected.
#[derive(Clone, Debug)]
pub(crate) struct Selection {
    /// The suite.
    pub(crate) suite: Suite,
    /// The filters, as given; none means that all cells are selected.
    pub(crate) filters: Vec<String>,
    /// The selected cells, in suite order.
    pub(crate) cells: Vec<Cell>,
}

/// Selects cells by words.
pub(crate) fn select(suites: &Path, words: &[String]) -> anyhow::Result<Vec<Selection>> {
    let known = suite_names(suites)?;
    let mut names: Vec<String> = Vec::new();
    let mut filters: Vec<String> = Vec::new();
    for word in words {
        let owner = word.split_once('/').map(|(suite, _)| suite);
        if owner.unwrap_or(word) == LEDGER {
            let message = "'claims' is the ledger of claims, no suite; measure it with: cargo xtask claims";
            return Err(Stop::error(Exit::Usage, message));
        }
        if known.contains(word) {
            names.push(word.clone());
            continue;
        }
        if let Some(owner) = owner.filter(|owner| known.iter().any(|name| name == owner)) {
            names.push(owner.to_owned());
        }
        filters.push(word.clone());
    }
    if names.is_empty() {
        names.push(DEFAULT_SUITE.to_owned());
    }
    names.sort_by_key(|name| known.iter().position(|other| other == name));
    names.dedup();
    let read: Vec<Suite> = names.iter().map(|name| read_suite(suites, name)).collect::<Result<_, _>>()?;
    for filter in &filters {
        require_match(filter, &read, &known)?;
    }
    let selections: Vec<Selection> = read.into_iter().map(|suite| of_suite(suite, &filters)).collect();
    if let Some(empty) = selections.iter().find(|selection| selection.cells.is_empty()) {
        let message =
            format!("no filter matches a cell of suite '{}'; leave the suite out", empty.suite.name);
        return Err(Stop::error(Exit::Usage, message));
    }
    Ok(selections)
}

fn of_suite(suite: Suite, filters: &[String]) -> Selection {
    let mut cells = suite.cells();
    if !filters.is_empty() {
        let ids: Vec<String> = cells.iter().map(Cell::id).collect();
        let selects = |filter: &String, id: &String| {
            // A whole name selects its cell alone, even if it has a `*` in it.
            if ids.contains(filter) { filter == id } else { matches(filter, id) }
        };
        cells.retain(|cell| filters.iter().any(|filter| selects(filter, &cell.id())));
    }
    Selection { suite, filters: filters.to_vec(), cells }
}

/// Reads one suite by name.
pub(crate) fn read_suite(suites: &Path, name: &str) -> anyhow::Result<Suite> {
    let path = suites.join(format!("{name}.toml"));
    if !path.is_file() {
        let known = suite_names(suites)?;
        let message = format!("no suite '{name}' in {}{}", suites.display(), hint(name, &known));
        return Err(Stop::error(Exit::Usage, message));
    }
    let suite = Suite::read(&path)?;
    if suite.cells().is_empty() {
        let message = format!("suite '{name}' has no cell; give its scenarios axes with values");
        return Err(Stop::error(Exit::Usage, message));
    }
    Ok(suite)
}

/// Lists the suites by name, in alphabetical order.
pub(crate) fn suite_names(suites: &Path) -> anyhow::Result<Vec<String>> {
    let entries = std::fs::read_dir(suites)
        .with_context(|| format!("cannot list the suites in {}", suites.display()))?;
    let mut names = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "toml")
            && let Some(stem) = path.file_stem()
            && stem != LEDGER
        {
            names.push(stem.to_string_lossy().into_owned());
        }
    }
    names.sort_unstable();
    Ok(names)
}

/// Tells whether a filter matches a cell id: as a part of it, or as a pattern of it if it has a `*`.
///
/// A filter without a slash is matched after the suite's name, so that a mistyped suite matches nothing.
pub(crate) fn matches(filter: &str, id: &str) -> bool {
    let within_suite = id.split_once('/').map_or(id, |(_, rest)| rest);
    let text = if filter.contains('/') { id } else { within_suite };
    if filter.contains('*') { glob(filter, id) || glob(filter, within_suite) } else { text.contains(filter) }
}

/// Matches a whole text with a pattern in which only `*` is special.
fn glob(pattern: &str, text: &str) -> bool {
    let parts: Vec<&str> = pattern.split('*').collect();
    let (first, last) = (parts[0], parts[parts.len() - 1]);
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    for part in &parts[1..parts.len() - 1] {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.len() >= last.len() && rest.ends_with(last)
}

fn require_match(filter: &str, suites: &[Suite], known: &[String]) -> anyhow::Result<()> {
    let cells: Vec<Cell> = suites.iter().flat_map(Suite::cells).collect();
    if cells.iter().any(|cell| matches(filter, &cell.id())) {
        return Ok(());
    }
    let mut words: Vec<String> = known.to_vec();
    for cell in &cells {
        words.extend([cell.scenario.clone(), cell.id(), cell.key()]);
    }
    let searched: Vec<&str> = suites.iter().map(|suite| suite.name.as_str()).collect();
    let message = format!(
        "'{filter}' is no suite and matches no cell of {}{}; list cells with: cargo xtask bench --list {}",
        searched.join(", "),
        hint(filter, &words),
        searched.join(" "),
    );
    Err(Stop::error(Exit::Usage, message))
}

fn hint(word: &str, known: &[String]) -> String {
    match nearest(word, known.iter().map(String::as_str)) {
        Some(close) => format!("; did you mean '{close}'?"),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_are_parts_or_patterns_of_ids() {
        let id = "smoke/export[size=tiny temporal=year,month]";
        let check = |filter, expect| assert_eq!(matches(filter, id), expect, "{filter}");
        check("export", true);
        check("size=tiny", true);
        check("smoke/export[size=tiny temporal=year,month]", true);
        check("Export", false);
        check("smok", false);
        check("smoke*", true);
        check("exp*", true);
        check("smoke/*year*", true);
        check("*month]", true);
        check("*month", false);
        check("export[*]", true);
        check("ex*port[size=tiny temporal=year,month]", true);
        check("*tiny*tiny*", false);
        check("*", true);
    }

    #[test]
    fn glob_does_not_use_a_letter_twice() {
        let check = |pattern, text, expect| assert_eq!(glob(pattern, text), expect, "{pattern} {text}");
        check("ab*ba", "aba", false);
        check("ab*ba", "abba", true);
        check("a**b", "ab", true);
        check("*", "", true);
    }
}
