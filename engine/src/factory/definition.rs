//! Definitions: a factory's name with its configuration, read and checked.

use std::sync::Arc;

use datafusion::execution::context::SessionState;

use super::config::{self, hint};
use super::recipe::{Directory, Recipe};
use super::{column_rename, dynamic_dir, sql_derived, temporal_reduce, timeseries_join, timeseries_pivot};
use crate::error::Result;
use crate::tree::{EntryType, Pattern, PondPath};

/// The factories, by name.
pub const FACTORIES: [&str; 7] = [
    "column-rename",
    "dynamic-dir",
    "sql-derived-series",
    "sql-derived-table",
    "temporal-reduce",
    "timeseries-join",
    "timeseries-pivot",
];

/// What a factory makes of a configuration.
#[derive(Clone, Debug)]
pub(crate) struct Definition {
    /// The factory's name, as in [`FACTORIES`].
    pub factory: &'static str,
    /// The digest of the name and the configuration as given.
    pub(super) digest: [u8; 32],
    pub(super) made: Made,
}

/// The three kinds of derived nodes.
#[derive(Clone, Debug)]
pub(super) enum Made {
    /// A relation.
    Relation(Arc<dyn Recipe>),
    /// A directory that is filled from what a pattern matches.
    Directory(Arc<dyn Directory>),
    /// A directory of definitions, by name.
    Entries(Vec<(String, Definition)>),
}

/// A node that is about to be made; checked with everything that is there.
#[derive(Clone, Debug)]
pub(crate) struct Candidate {
    pub path: PondPath,
    pub definition: Definition,
}

impl Definition {
    /// Reads a configuration; `place` says whose it is.
    ///
    /// # Errors
    /// If there is no such factory, or the configuration is wrong.
    pub(crate) fn read(factory: &str, text: &str, place: &str) -> Result<Self> {
        let Some(factory) = FACTORIES.into_iter().find(|known| *known == factory) else {
            let message = format!("there is no factory '{factory}'; {}", hint(factory, FACTORIES));
            return Err(config::bad(place, message));
        };
        let made = match factory {
            "column-rename" => Made::Relation(Arc::new(column_rename::read(text, place)?)),
            "dynamic-dir" => Made::Entries(dynamic_dir::read(text, place)?),
            "sql-derived-series" => {
                Made::Relation(Arc::new(sql_derived::read(text, place, EntryType::Series)?))
            }
            "sql-derived-table" => {
                Made::Relation(Arc::new(sql_derived::read(text, place, EntryType::Table)?))
            }
            "temporal-reduce" => Made::Directory(Arc::new(temporal_reduce::read(text, place)?)),
            "timeseries-join" => Made::Relation(Arc::new(timeseries_join::read(text, place)?)),
            "timeseries-pivot" => Made::Relation(Arc::new(timeseries_pivot::read(text, place)?)),
            other => unreachable!("{other} is in the list of factories"),
        };
        let mut hasher = blake3::Hasher::new();
        hasher.update(factory.as_bytes()).update(&[0]).update(text.as_bytes());
        Ok(Self { factory, digest: *hasher.finalize().as_bytes(), made })
    }
}

impl Definition {
    /// Checks what can be checked without inputs, entries of directories too.
    pub(super) fn check(&self, state: &SessionState) -> Result<()> {
        match &self.made {
            Made::Relation(recipe) => recipe.check(state),
            Made::Directory(_) => Ok(()),
            Made::Entries(entries) => entries.iter().try_for_each(|(_, definition)| definition.check(state)),
        }
    }
}

/// Reads a pattern of a configuration.
pub(super) fn pattern(text: &str, place: &str, key: &str) -> Result<Pattern> {
    Pattern::parse(text).map_err(|error| config::bad(place, format!("{key}: {error}")))
}
