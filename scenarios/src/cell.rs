//! One point of a scenario's matrix, and the answer it must give.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

/// What a cell makes the engine do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Workload {
    /// Import generated files into an empty pond.
    Import,
    /// Open an existing pond and count its nodes.
    Open,
    /// Match a pattern against the tree.
    Pattern,
    /// Run a query over one series.
    Query,
    /// Export matched series to an empty folder.
    Export,
    /// Export the same series again over the first export.
    ReExport,
    /// Append a day to every series, not measured, then export again over the last export.
    Append,
    /// Query the files of an export, which is made first and not measured.
    QueryExport,
    /// Commit one more version of one series to a pond with a history.
    Commit,
    /// Count the instructions of a benchmark by callgrind; no pond is made.
    Callgrind,
    /// Take the time of a benchmark by criterion; no pond is made.
    Criterion,
}

impl Workload {
    /// Every workload, in the order of the pipeline.
    pub const ALL: [Self; 11] = [
        Self::Import,
        Self::Open,
        Self::Pattern,
        Self::Query,
        Self::Export,
        Self::ReExport,
        Self::Append,
        Self::QueryExport,
        Self::Commit,
        Self::Callgrind,
        Self::Criterion,
    ];

    /// Returns the name used in suites.
    pub fn name(self) -> &'static str {
        match self {
            Self::Import => "import",
            Self::Open => "open",
            Self::Pattern => "pattern",
            Self::Query => "query",
            Self::Export => "export",
            Self::ReExport => "re-export",
            Self::Append => "append",
            Self::QueryExport => "query-export",
            Self::Commit => "commit",
            Self::Callgrind => "callgrind",
            Self::Criterion => "criterion",
        }
    }

    /// Tells whether it is a benchmark that cargo runs by itself, not an operation of the engine's child process.
    pub fn is_micro(self) -> bool {
        matches!(self, Self::Callgrind | Self::Criterion)
    }

    /// Returns the parameters that the workload understands: key, whether it is required, meaning.
    ///
    /// Every workload understands the names of knobs besides, as [`crate::Settings::names`] lists them.
    pub fn parameters(self) -> &'static [(&'static str, bool, &'static str)] {
        type Parameter = (&'static str, bool, &'static str);
        const SIZE: Parameter = ("size", true, "the generated pond: a size of `datagen`");
        const NODES: Parameter =
            ("nodes", false, "the derived nodes added to the pond: a set of the engine's");
        const PATTERN: Parameter = ("pattern", true, "the paths to match");
        const TEMPORAL: Parameter =
            ("temporal", true, "partition columns, such as year,month; empty for one file");
        match self {
            Self::Import => &[SIZE, ("format", true, "the source files: csv or parquet")],
            Self::Open => &[SIZE, NODES],
            Self::Pattern => &[SIZE, NODES, PATTERN],
            Self::Query => &[
                SIZE,
                NODES,
                ("query", true, "point, range, aggregate or combined"),
                ("series", false, "the number of the series asked, from 0; 0 if not given"),
                ("path", false, "the path asked, instead of a series by number"),
            ],
            Self::Export | Self::ReExport | Self::Append => &[
                SIZE,
                NODES,
                PATTERN,
                TEMPORAL,
                ("start", false, "first timestamp, inclusive"),
                ("end", false, "last timestamp, exclusive"),
                ("appended", false, "for append: the series that gain a day; 1 if not given"),
            ],
            Self::QueryExport => {
                &[SIZE, NODES, PATTERN, TEMPORAL, ("query", true, "point, range or aggregate")]
            }
            Self::Commit => &[SIZE],
            Self::Callgrind | Self::Criterion => &[
                ("bench", true, "the file of the benchmark, without its ending"),
                ("function", true, "the function, or the group of criterion"),
                ("case", false, "which of its cases, if it has several"),
            ],
        }
    }
}

impl fmt::Display for Workload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What an operation answered, or must answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    /// Rows of the result: data rows, matches or nodes, as the workload has it.
    pub rows: u64,
    /// The first 16 hexadecimal digits of the BLAKE3 digest of the result in canonical form.
    pub digest: String,
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} rows, digest {}", self.rows, self.digest)
    }
}

/// One point of a scenario's matrix.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cell {
    /// The suite's name.
    pub suite: String,
    /// The scenario's name.
    pub scenario: String,
    /// What to do.
    pub workload: Workload,
    /// The axis values that make this cell, in axis order: `[("size", "tiny")]`.
    pub point: Vec<(String, String)>,
    /// All parameters: the fixed ones of the scenario and the axis values over them.
    pub parameters: BTreeMap<String, String>,
    /// The answer the suite states; a cell without one fails.
    pub expected: Option<Answer>,
}

impl Cell {
    /// Returns the key of the cell within its scenario: `size=tiny temporal=year,month`.
    pub fn key(&self) -> String {
        point_key(&self.point)
    }

    /// Returns the full name that filters match: `smoke/export[size=tiny temporal=year,month]`.
    pub fn id(&self) -> String {
        format!("{}/{}[{}]", self.suite, self.scenario, self.key())
    }

    /// Returns a parameter's value.
    pub fn parameter(&self, key: &str) -> Option<&str> {
        self.parameters.get(key).map(String::as_str)
    }
}

pub(crate) fn point_key(point: &[(String, String)]) -> String {
    let parts: Vec<String> = point.iter().map(|(name, value)| format!("{name}={value}")).collect();
    parts.join(" ")
}
