//! A pond in this process with derived nodes, and its rows as text.

use std::path::PathBuf;

use arrow::util::display::{ArrayFormatter, FormatOptions};
use engine::{Analysis, Explain, ExplainOptions, ImportOptions, Pond, PondOptions, QueryOptions};
use tempfile::TempDir;

use crate::query::generated;
use crate::rows::Rows;

/// A pond in a folder of its own.
pub(crate) struct FactoryPond {
    folder: TempDir,
    pub pond: Pond,
}

impl FactoryPond {
    /// Makes an empty pond.
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let pond = Pond::init(&folder.path().join("pond"), PondOptions::default()).unwrap();
        Self { folder, pond }
    }

    /// Makes a pond with the generated series of a size.
    pub(crate) fn generated(size: &str) -> (Self, Vec<datagen::Series>) {
        let (folder, pond, series) = generated(size);
        (Self { folder, pond }, series)
    }

    /// Imports CSV text.
    pub(crate) fn csv(&self, path: &str, text: &str) {
        let file: PathBuf = self.folder.path().join("input.csv");
        std::fs::write(&file, text).unwrap();
        self.pond.import(&[file], path, &ImportOptions::default(), &|_| ()).unwrap();
    }

    /// Makes a derived node.
    pub(crate) fn mknod(&self, factory: &str, path: &str, config: &str) {
        self.pond.mknod(factory, path, config).unwrap_or_else(|error| panic!("{path}: {error}"));
    }

    /// Tries to make a derived node, which must fail and change nothing; returns the message.
    pub(crate) fn refused(&self, factory: &str, path: &str, config: &str) -> String {
        let before = self.pond.snapshot().txn();
        let message = self.pond.mknod(factory, path, config).unwrap_err().to_string();
        assert_eq!(self.pond.refresh().unwrap().txn(), before, "{path}: a refused node changes nothing");
        message
    }

    /// Returns the answer of a query, a header and a line for each row; a null is `-`.
    pub(crate) fn text(&self, path: &str, sql: &str) -> String {
        let options = QueryOptions { target_partitions: 2, ..QueryOptions::default() };
        let answer = self.pond.query(path, sql, options).unwrap_or_else(|error| panic!("{path}: {error}"));
        let schema = answer.schema();
        let names: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
        let mut lines = vec![names.join(",")];
        let format = FormatOptions::default().with_null("-").with_timestamp_tz_format(Some("%m-%dT%H:%M"));
        for batch in answer {
            let batch = batch.unwrap();
            let columns: Vec<_> = batch
                .columns()
                .iter()
                .map(|c| ArrayFormatter::try_new(c.as_ref(), &format).unwrap())
                .collect();
            for row in 0..batch.num_rows() {
                lines.push(columns.iter().map(|c| c.value(row).to_string()).collect::<Vec<_>>().join(","));
            }
        }
        lines.join("\n")
    }

    /// Analyses a query.
    pub(crate) fn analysis(&self, path: &str, sql: &str) -> Analysis {
        let query = QueryOptions { target_partitions: 2, ..QueryOptions::default() };
        let options = ExplainOptions { query, ..ExplainOptions::default() };
        let mut explained = self.pond.explain(Explain::Sql { path, sql }, options).unwrap();
        explained.plans.remove(0).analysis
    }

    /// Returns all rows as [`FactoryPond::text`] does, in order of time and then of the other columns.
    pub(crate) fn all(&self, path: &str) -> String {
        let text = self.text(path, "SELECT * FROM source");
        let mut lines: Vec<&str> = text.lines().collect();
        lines[1..].sort_unstable();
        lines.join("\n")
    }

    /// Returns all rows as plain values.
    pub(crate) fn rows(&self, path: &str) -> Rows {
        let node = self.pond.derived(path).unwrap().unwrap();
        let sql = format!("SELECT * FROM source ORDER BY \"{}\"", node.time_column.unwrap());
        let answer = self.pond.query(path, &sql, QueryOptions::default()).unwrap();
        let schema = answer.schema();
        Rows::of(&schema, answer.map(Result::unwrap))
    }

    /// Returns the message of a query that must fail.
    pub(crate) fn unreadable(&self, path: &str) -> String {
        let answer = self.pond.query(path, "SELECT * FROM source", QueryOptions::default());
        answer.err().unwrap_or_else(|| panic!("{path} can be read")).to_string()
    }

    /// Lists what a pattern matches, with the types.
    pub(crate) fn list(&self, pattern: &str) -> String {
        let listed = self.pond.list(pattern).unwrap();
        let lines: Vec<String> =
            listed.iter().map(|one| format!("{} {}", one.entry_type.name(), one.path)).collect();
        lines.join("\n")
    }

    /// Returns a derived node's identity.
    pub(crate) fn identity(&self, path: &str) -> String {
        self.pond.derived(path).unwrap().unwrap().identity
    }
}
