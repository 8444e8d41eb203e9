//! Sets of derived nodes for generated ponds, by the name that a cell gives as `nodes`.
//!
//! A set is made after all series, by the same calls that a user would make. Its digest is part of the
//! pond's name, so a set that changes makes another pond.

use std::collections::BTreeMap;

use datagen::PondSpec;
use serde_json::{Value, json};

use crate::error::{Error, Result};

/// Makes the nodes of a set for the stations of a pond.
type Make = fn(&Stations) -> Vec<Node>;

/// The sets, with what is in them.
const SETS: [(&str, Make); 6] = [
    ("reduce", |_| vec![reduced("/reduced", "/**/*.series", "$0/$1", &["1h", "6h", "1d"])]),
    ("reduce-hour", |_| vec![reduced("/reduced", "/**/*.series", "$0/$1", &["1h"])]),
    ("join", |stations| vec![joined("/joined", stations)]),
    ("pivot", |stations| vec![pivoted("/pivot", stations, "", |region| format!("/{region}/*/sonde.series"))]),
    ("chain", chain),
    ("all", |_| vec![united()]),
];

/// A derived node to be made.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub factory: &'static str,
    pub path: &'static str,
    config: Value,
}

impl Node {
    /// Returns the configuration as text.
    pub(super) fn config(&self) -> String {
        self.config.to_string()
    }
}

/// The kinds of instruments of each station, by region and station.
type Stations = BTreeMap<String, BTreeMap<String, Vec<String>>>;

/// Returns the nodes of a set for a pond.
///
/// # Errors
/// If there is no such set, or the pond has no stations and the set is about them.
pub(super) fn set(name: &str, spec: &PondSpec) -> Result<Vec<Node>> {
    let bad = |message: String| Error::Option { option: "nodes", message };
    let Some((_, nodes)) = SETS.iter().find(|(known, _)| *known == name) else {
        let known: Vec<&str> = SETS.iter().map(|(known, _)| *known).collect();
        return Err(bad(format!("'{name}' is no set of derived nodes; write {}", known.join(", "))));
    };
    let stations = stations(spec);
    if stations.is_empty() && ["join", "pivot", "chain"].contains(&name) {
        return Err(bad(format!("the pond {} has no stations with several instruments", spec.name)));
    }
    Ok(nodes(&stations))
}

/// Returns the digest of a set: of the paths and configurations of its nodes.
pub(super) fn digest(nodes: &[Node]) -> String {
    let mut hasher = blake3::Hasher::new();
    for node in nodes {
        for text in [node.factory, node.path, &node.config()] {
            hasher.update(&(text.len() as u64).to_le_bytes()).update(text.as_bytes());
        }
    }
    hasher.finalize().to_hex()[..8].to_owned()
}

/// Finds the stations by the paths of their series, `/region/station/kind.series`; other paths are of none.
fn stations(spec: &PondSpec) -> Stations {
    let mut stations = Stations::new();
    for series in spec.series() {
        let parts: Vec<&str> = series.path().split('/').skip(1).collect();
        let [region, station, file] = parts[..] else { continue };
        let Some(kind) = file.strip_suffix(".series") else { continue };
        let of_region = stations.entry(region.to_owned()).or_default();
        of_region.entry(station.to_owned()).or_default().push(kind.to_owned());
    }
    stations
}

fn reduced(path: &'static str, input: &str, output: &str, resolutions: &[&str]) -> Node {
    let aggregations: Vec<Value> = ["avg", "min", "max", "count"].map(|name| json!({ "type": name })).into();
    let config = json!({
        "in_pattern": input,
        "out_pattern": output,
        "time_column": "timestamp",
        "resolutions": resolutions,
        "aggregations": aggregations,
    });
    Node { factory: "temporal-reduce", path, config }
}

/// One series for each station with several instruments, in a directory for each region.
fn joined(path: &'static str, stations: &Stations) -> Node {
    let of_station = |region: &str, station: &str, kinds: &[String]| {
        let input =
            |kind: &String| json!({ "pattern": format!("/{region}/{station}/{kind}.series"), "scope": kind });
        let inputs: Vec<Value> = kinds.iter().map(input).collect();
        let config = json!({ "inputs": inputs, "time_column": "timestamp" });
        json!({ "name": format!("{station}.series"), "factory": "timeseries-join", "config": config })
    };
    let regions = stations.iter().filter_map(|(region, stations)| {
        let several = stations.iter().filter(|(_, kinds)| kinds.len() > 1);
        let entries: Vec<Value> =
            several.map(|(station, kinds)| of_station(region, station, kinds)).collect();
        let config = json!({ "entries": entries });
        (!entries.is_empty()).then(|| json!({ "name": region, "factory": "dynamic-dir", "config": config }))
    });
    let entries: Vec<Value> = regions.collect();
    Node { factory: "dynamic-dir", path, config: json!({ "entries": entries }) }
}

/// One series for each region with a column of each station, from what `input` matches.
fn pivoted(path: &'static str, stations: &Stations, scope: &str, input: fn(&str) -> String) -> Node {
    let of_region = |(region, stations): (&String, &BTreeMap<String, Vec<String>>)| {
        // The first column of a kind is in every version of its series.
        let firsts = [("sonde", "salinity_psu"), ("tide", "level_m"), ("weather", "pressure_hpa")];
        let several = || stations.values().filter(|kinds| scope.is_empty() || kinds.len() > 1);
        let has = |kind: &str| several().any(|kinds| kinds.iter().any(|other| other == kind));
        let columns: Vec<String> = match scope {
            "" if has("sonde") => vec!["salinity_psu".to_owned()],
            "" => Vec::new(),
            _ => firsts
                .iter()
                .filter(|(kind, _)| has(kind))
                .map(|(kind, name)| format!("{kind}.{name}"))
                .collect(),
        };
        let config = json!({ "pattern": input(region), "columns": columns, "time_column": "timestamp" });
        let entry =
            json!({ "name": format!("{region}.series"), "factory": "timeseries-pivot", "config": config });
        (!columns.is_empty()).then_some(entry)
    };
    let entries: Vec<Value> = stations.iter().filter_map(of_region).collect();
    Node { factory: "dynamic-dir", path, config: json!({ "entries": entries }) }
}

/// Devices are combined by station, single columns of all stations of a region are put side by side, and
/// these are reduced.
fn chain(stations: &Stations) -> Vec<Node> {
    vec![
        joined("/combined", stations),
        pivoted("/single", stations, "instrument", |region| format!("/combined/{region}/*.series")),
        reduced("/reduced", "/single/*.series", "$0", &["1h", "6h", "1d"]),
    ]
}

/// One series of every row of every series, with its site and its instrument.
fn united() -> Node {
    let config = json!({
        "patterns": { "readings": "/**/*.series" },
        "captures": { "readings": ["site", "instrument"] },
        "query": "SELECT * FROM readings",
        "time_column": "timestamp",
    });
    Node { factory: "sql-derived-series", path: "/all.series", config }
}

#[cfg(test)]
mod tests {
    use scenarios::{Cell, Workload};

    use super::super::prepare::{data, prepare};
    use super::*;
    use crate::pond::{Pond, PondOptions};
    use crate::query::QueryOptions;

    fn cell(set: &str) -> Cell {
        let parameters =
            [("size", "tiny"), ("nodes", set)].map(|(key, value)| (key.to_owned(), value.to_owned()));
        Cell {
            suite: "test".to_owned(),
            scenario: "test".to_owned(),
            workload: Workload::Open,
            point: Vec::new(),
            parameters: parameters.into(),
            expected: None,
        }
    }

    #[test]
    fn every_set_can_be_made_and_read() {
        let folder = tempfile::tempdir().unwrap();
        let mut derived = Vec::new();
        for (set, _) in SETS {
            prepare(&cell(set), folder.path(), &mut |_, _, _| Ok(())).unwrap();
            let path = data(&cell(set), folder.path()).unwrap().path;
            let pond = Pond::open(&path, PondOptions::default()).unwrap();
            let listed = pond.list("/**").unwrap();
            let queryable = listed.iter().filter(|one| one.entry_type.is_queryable());
            let mut count = 0;
            for one in queryable {
                let Some(node) = pond.derived(&one.path).unwrap() else { continue };
                assert_eq!(node.time_column.as_deref(), Some("timestamp"), "{}", one.path);
                let sql = "SELECT * FROM source ORDER BY timestamp";
                let answer = pond.query(&one.path, sql, QueryOptions::default()).unwrap();
                let rows: usize = answer.map(|batch| batch.unwrap().num_rows()).sum();
                assert!(rows > 0, "{}", one.path);
                count += 1;
            }
            derived.push((set, count));
        }
        // Eight series of three stations in two regions; three resolutions.
        let expect =
            [("reduce", 24), ("reduce-hour", 8), ("join", 3), ("pivot", 2), ("chain", 11), ("all", 1)];
        assert_eq!(derived, expect);
    }

    #[test]
    fn sets_that_do_not_fit_are_told() {
        let spec = PondSpec::named("tiny").unwrap();
        let error = set("redcue", &spec).unwrap_err().to_string();
        assert_eq!(
            error,
            "nodes: 'redcue' is no set of derived nodes; write reduce, reduce-hour, join, pivot, chain, all"
        );
        let table = PondSpec::named("rows-1m").unwrap();
        assert!(set("chain", &table).unwrap_err().to_string().contains("no stations"));
    }
}
