//! What an export writes where: matched series and their folders.

use std::collections::{BTreeMap, HashSet};

use crate::error::{Error, Result};
use crate::factory::View;
use crate::tree::{NodeId, Pattern, PondPath};

/// A series and the folder it is exported to.
#[derive(Clone, Debug)]
pub(super) struct Target {
    pub node: NodeId,
    /// The path by which the pattern found it.
    pub path: String,
    pub captures: Vec<String>,
    /// The folder below the export's, with slashes.
    pub folder: String,
}

/// Finds the tables and series that patterns match, in path order within each pattern.
pub(super) fn find_targets(view: &View<'_>, patterns: &[Pattern]) -> Result<Vec<Target>> {
    let tree = view.namespace().tree();
    let mut targets = Vec::new();
    let mut seen = HashSet::new();
    let mut folders: BTreeMap<String, String> = BTreeMap::new();
    for pattern in patterns {
        let matches = view.find(pattern);
        let mut matched = false;
        for found in matches.iter().cloned() {
            if !tree.node(found.node).entry_type.is_queryable() {
                continue;
            }
            matched = true;
            if !seen.insert(found.node) {
                continue;
            }
            let folder = folder(&found.path, &found.captures);
            if let Some(other) = folders.insert(folder.clone(), found.path.clone()) {
                return Err(Error::Export {
                    path: found.path,
                    message: format!(
                        "it would be exported to the folder {folder}, as {other} would; put a star where their paths \
                         differ"
                    ),
                });
            }
            targets.push(Target { node: found.node, path: found.path, captures: found.captures, folder });
        }
        if !matched {
            let near = PondPath::parse(pattern.as_str()).ok().and_then(|path| tree.near(&path));
            return Err(Error::NoMatch { pattern: pattern.as_str().to_owned(), near });
        }
    }
    Ok(targets)
}

/// Joins the captures; without any that say something, the path without its ending.
fn folder(path: &str, captures: &[String]) -> String {
    let said: Vec<&str> = captures.iter().map(String::as_str).filter(|capture| !capture.is_empty()).collect();
    let joined = if said.is_empty() { path.trim_start_matches('/').to_owned() } else { said.join("/") };
    for ending in [".series", ".table"] {
        if let Some(stem) =
            joined.strip_suffix(ending).filter(|stem| !stem.is_empty() && !stem.ends_with('/'))
        {
            return stem.to_owned();
        }
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_come_from_captures() {
        let check = |path: &str, captures: &[&str], expect: &str| {
            let captures: Vec<String> = captures.iter().map(|c| (*c).to_owned()).collect();
            assert_eq!(folder(path, &captures), expect, "{path}");
        };
        check("/a/b/c.series", &["a/b", "c"], "a/b/c");
        check("/a/c.series", &["", "c"], "c");
        check("/a/c.series", &[], "a/c");
        check("/a/c.series", &["a", "c.series"], "a/c");
        check("/c.table", &[], "c");
    }
}
