//! Who is measured, and at what: the tasks, the peers with their modes, and the engine's cells.

use scenarios::{Cell, Workload};
use serde::{Deserialize, Serialize};

/// What every contender does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Task {
    /// Every series to a file a month.
    Export,
    /// Hourly aggregates of every series to a file a month.
    Reduce,
    /// One query over all series.
    Query,
}

impl Task {
    /// Every task, in the order of reports.
    pub(crate) const ALL: [Self; 3] = [Self::Export, Self::Reduce, Self::Query];

    /// Returns the name that scripts and records use.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Export => "export",
            Self::Reduce => "reduce",
            Self::Query => "query",
        }
    }

    /// Says what is done, in a line.
    pub(crate) fn about(self) -> &'static str {
        match self {
            Self::Export => "every series to Parquet files by year and month: zstd, sorted by time",
            Self::Reduce => {
                "hourly avg, min, max and count of every numeric column of every series, exported likewise"
            }
            Self::Query => "one query over all series: hourly mean of a column per site",
        }
    }

    /// Makes the engine's cell.
    pub(crate) fn cell(self, size: &str, jobs: usize) -> Cell {
        let jobs = jobs.to_string();
        let export = [("temporal", "year,month"), ("jobs", jobs.as_str())];
        let (workload, parameters): (_, Vec<(&str, &str)>) = match self {
            Self::Export => (Workload::Export, [&[("pattern", "/**/*.series")][..], &export].concat()),
            Self::Reduce => {
                let nodes = [("nodes", "reduce-hour"), ("pattern", "/reduced/**/*.series")];
                (Workload::Export, [&nodes[..], &export].concat())
            }
            Self::Query => {
                let query =
                    [("nodes", "all"), ("path", "/all.series"), ("query", "combined"), ("jobs", &jobs)];
                (Workload::Query, query.to_vec())
            }
        };
        cell(self.name(), workload, size, &parameters)
    }
}

/// Makes the cell that exports the input of the peers: each series as one file.
pub(crate) fn input_cell(size: &str) -> Cell {
    cell("input", Workload::Export, size, &[("pattern", "/**/*.series"), ("temporal", ""), ("jobs", "1")])
}

fn cell(scenario: &str, workload: Workload, size: &str, parameters: &[(&str, &str)]) -> Cell {
    let mut all = vec![("size", size)];
    all.extend(parameters);
    Cell {
        suite: "peers".to_owned(),
        scenario: scenario.to_owned(),
        workload,
        point: vec![("size".to_owned(), size.to_owned())],
        parameters: all.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect(),
        expected: None,
    }
}

/// How a peer goes about a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Mode {
    /// One series after the other, with the threads of the library.
    Loop,
    /// As many processes as cores, each with one thread and its share of the series.
    Pool,
    /// One query over all series of an instrument.
    Bulk,
}

impl Mode {
    /// Returns the name that scripts and reports use.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Loop => "loop",
            Self::Pool => "pool",
            Self::Bulk => "bulk",
        }
    }
}

/// A library from PyPI.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Peer {
    /// The package and the import.
    pub(crate) package: &'static str,
    /// The name for people.
    pub(crate) name: &'static str,
    /// The script that holds its tasks, without the ending.
    pub(crate) module: &'static str,
}

/// Every peer, in the order of reports.
pub(crate) const PEERS: [Peer; 3] = [
    Peer { package: "duckdb", name: "DuckDB", module: "with_duckdb" },
    Peer { package: "polars", name: "Polars", module: "with_polars" },
    Peer { package: "pyarrow", name: "pyarrow", module: "with_pyarrow" },
];

impl Peer {
    /// Returns the ways in which this peer can do a task.
    pub(crate) fn modes(&self, task: Task) -> &'static [Mode] {
        match (self.package, task) {
            // A partitioned write of pyarrow's data sets keeps no order, so it is no way to a sorted export.
            ("pyarrow", Task::Export) => &[Mode::Loop, Mode::Pool],
            ("pyarrow", Task::Query) => &[Mode::Loop, Mode::Pool, Mode::Bulk],
            (_, Task::Query) => &[Mode::Bulk],
            _ => &[Mode::Loop, Mode::Pool, Mode::Bulk],
        }
    }
}

/// Who does a task.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Contender {
    /// The engine.
    Engine,
    /// A peer, by its package, in one of its modes.
    Peer {
        /// The package.
        package: String,
        /// The mode.
        mode: Mode,
    },
}

impl Contender {
    /// Returns the name for people: `Polars, bulk`.
    pub(crate) fn label(&self) -> String {
        match self {
            Self::Engine => "Pondmark".to_owned(),
            Self::Peer { package, mode } => {
                let known = PEERS.iter().find(|peer| peer.package == package);
                format!("{}, {}", known.map_or(package.as_str(), |peer| peer.name), mode.name())
            }
        }
    }

    /// Returns the package of a peer; nothing for the engine.
    pub(crate) fn peer(&self) -> Option<&str> {
        match self {
            Self::Engine => None,
            Self::Peer { package, .. } => Some(package),
        }
    }
}

/// Lists who does a task: the engine, then every mode of every peer that is there.
pub(crate) fn contenders(task: Task, present: &[Peer]) -> Vec<Contender> {
    let peers = present.iter().flat_map(|peer| {
        let package = peer.package.to_owned();
        peer.modes(task).iter().map(move |mode| Contender::Peer { package: package.clone(), mode: *mode })
    });
    std::iter::once(Contender::Engine).chain(peers).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_hold_only_known_parameters() {
        for cell in Task::ALL.map(|task| task.cell("small", 2)).into_iter().chain([input_cell("small")]) {
            let known = cell.workload.parameters();
            for key in cell.parameters.keys() {
                let knob = scenarios::KNOBS.iter().any(|knob| knob.name == key);
                assert!(knob || known.iter().any(|(name, ..)| name == key), "{}: {key}", cell.id());
            }
            for (name, required, _) in known {
                assert!(!required || cell.parameter(name).is_some(), "{}: {name}", cell.id());
            }
        }
        assert_eq!(Task::Export.cell("small", 2).id(), "peers/export[size=small]");
    }

    #[test]
    fn the_engine_comes_first_and_an_absent_peer_not_at_all() {
        let labels = |task, present: &[Peer]| -> Vec<String> {
            contenders(task, present).iter().map(Contender::label).collect()
        };
        assert_eq!(
            labels(Task::Query, &PEERS),
            ["Pondmark", "DuckDB, bulk", "Polars, bulk", "pyarrow, loop", "pyarrow, pool", "pyarrow, bulk"]
        );
        assert_eq!(labels(Task::Export, &PEERS[2..]), ["Pondmark", "pyarrow, loop", "pyarrow, pool"]);
    }
}
