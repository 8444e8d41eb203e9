//! The answers that suites state, computed from the generator alone: no engine, no SQL, no files.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use chrono::{DateTime, Datelike, Timelike};
use datagen::{PondSpec, Series};
use scenarios::{Answer, Cell, Suite, Workload};

use crate::reference::{TIME, compare, exported, greatest, least, mean, sorted, stem};
use crate::rows::{Rows, Value};

const HOUR_US: i64 = 3_600_000_000;
const DAY_US: i64 = 24 * HOUR_US;

/// The canonical form of an answer: texts with their lengths; by column its validity and its values.
#[derive(Default)]
struct Canon {
    whole: blake3::Hasher,
    rows: u64,
    /// Whether floats count to nine digits.
    round: bool,
}

impl Canon {
    fn text(&mut self, text: &str) {
        feed(&mut self.whole, text);
    }

    fn texts(mut self, texts: impl IntoIterator<Item = String>) -> Answer {
        for text in texts {
            self.text(&text);
            self.rows += 1;
        }
        self.answer()
    }

    fn table(&mut self, columns: &[String], rows: &[Vec<Value>]) {
        for (index, name) in columns.iter().enumerate() {
            let (mut validity, mut values) = (blake3::Hasher::new(), blake3::Hasher::new());
            for row in rows {
                validity.update(&[u8::from(row[index] != Value::Null)]);
                match &row[index] {
                    Value::Null => {}
                    Value::Int(value) => drop(values.update(&value.to_le_bytes())),
                    Value::Float(bits) if self.round => {
                        values.update(format!("{:.8e};", f64::from_bits(*bits)).as_bytes());
                    }
                    Value::Float(bits) => drop(values.update(&bits.to_le_bytes())),
                    Value::Text(text) => feed(&mut values, text),
                }
            }
            self.text(name);
            self.whole.update(validity.finalize().as_bytes());
            self.whole.update(values.finalize().as_bytes());
        }
        self.rows += rows.len() as u64;
    }

    fn answer(self) -> Answer {
        Answer { rows: self.rows, digest: self.whole.finalize().to_hex()[..16].to_owned() }
    }
}

fn feed(hasher: &mut blake3::Hasher, text: &str) {
    hasher.update(&(text.len() as u64).to_le_bytes()).update(text.as_bytes());
}

/// Computes what a cell must answer.
fn expected(cell: &Cell) -> Answer {
    let spec = PondSpec::named(cell.parameter("size").unwrap()).unwrap();
    match cell.workload {
        Workload::Import => imported(&spec),
        Workload::Open => Canon::default().texts(paths(&spec)),
        Workload::Pattern => Canon::default().texts(found(cell.parameter("pattern").unwrap(), &spec)),
        Workload::Query => asked(cell, &spec),
        Workload::QueryExport => {
            let all: Vec<Rows> = sorted(&spec).iter().map(Rows::generated).collect();
            asked_of(cell, &all[0], &all)
        }
        Workload::Export | Workload::ReExport | Workload::Append => written(cell, &spec),
        Workload::Commit => {
            let series = &spec.series()[0];
            let batch = series.batches(1).next().unwrap().slice(0, 10);
            let rows = Rows::of(&batch.schema(), std::iter::once(batch));
            let mut canon = Canon::default();
            canon.text(series.path());
            canon.table(&rows.columns, &rows.rows);
            canon.answer()
        }
        Workload::Callgrind | Workload::Criterion => unreachable!("{} has no answer", cell.id()),
    }
}

fn imported(spec: &PondSpec) -> Answer {
    let mut canon = Canon::default();
    for series in sorted(spec) {
        let rows = Rows::generated(&series);
        canon.text(series.path());
        canon.table(&rows.columns, &rows.rows);
    }
    canon.answer()
}

/// Returns all paths of a generated pond: its series and the directories above them.
fn paths(spec: &PondSpec) -> BTreeSet<String> {
    let above = |path: &str| -> Vec<String> {
        path.match_indices('/').skip(1).map(|(at, _)| path[..at].to_owned()).collect()
    };
    let series = spec.series();
    series.iter().flat_map(|one| above(one.path()).into_iter().chain([one.path().to_owned()])).collect()
}

/// Returns what a pattern of one double star and a name matches: paths, and what the stars stood for.
fn found(pattern: &str, spec: &PondSpec) -> Vec<String> {
    let name = pattern.strip_prefix("/**/").expect("the patterns of these suites begin with two stars");
    let line = |one: &Series| {
        let (folders, file) = one.path()[1..].rsplit_once('/').unwrap();
        match name {
            "*.series" => Some(format!("{} {folders}|{}", one.path(), file.strip_suffix(".series").unwrap())),
            _ => (file == name).then(|| format!("{} {folders}", one.path())),
        }
    };
    sorted(spec).iter().filter_map(line).collect()
}

fn asked(cell: &Cell, spec: &PondSpec) -> Answer {
    if cell.parameter("query") == Some("combined") {
        return combined(spec);
    }
    assert_eq!(cell.parameter("path"), None, "the reference knows series by number");
    let number: usize = cell.parameter("series").map_or(0, |number| number.parse().unwrap());
    let rows = Rows::generated(&sorted(spec)[number]);
    asked_of(cell, &rows, std::slice::from_ref(&rows))
}

/// The first row from the middle on; count and mean of an eighth of the time; four figures by hour. What is
/// asked follows from one series, and is asked of all that are given.
fn asked_of(cell: &Cell, one: &Rows, all: &[Rows]) -> Answer {
    let times = one.times(TIME);
    let (first, last) = (times[0], times[times.len() - 1]);
    let middle = first + (last - first) / 2;
    let is_float = |index: &usize| one.rows.iter().any(|row| matches!(row[*index], Value::Float(_)));
    let column = &one.columns[(0..one.columns.len()).find(is_float).unwrap()];
    // The time of each row, and its value or null.
    let mut asked: Vec<(i64, Value)> = Vec::new();
    for rows in all {
        let place = rows.columns.iter().position(|name| name == column);
        let value = |row: &Vec<Value>| place.map_or(Value::Null, |place| row[place].clone());
        asked.extend(rows.times(TIME).into_iter().zip(rows.rows.iter().map(value)));
    }
    let mut canon = Canon { round: true, ..Canon::default() };
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    match cell.parameter("query").unwrap() {
        "point" => {
            let at = times.iter().position(|at| *at >= middle).unwrap();
            canon.table(&one.columns, &one.rows[at..=at]);
        }
        "range" => {
            let end = middle + (last - first) / 8;
            let inside = asked.iter().filter(|(at, _)| (middle..end).contains(at));
            let inside: Vec<&Value> = inside.map(|(_, value)| value).collect();
            let row = vec![Value::Int(inside.len() as i64), mean(&there(&inside))];
            canon.table(&names(&["n", "mean"]), &[row]);
        }
        "aggregate" => {
            let mut hours: BTreeMap<i64, Vec<&Value>> = BTreeMap::new();
            for (at, value) in &asked {
                hours.entry(at.div_euclid(HOUR_US) * HOUR_US).or_default().push(value);
            }
            let row = |(hour, inside): (i64, Vec<&Value>)| {
                let values = there(&inside);
                let count = Value::Int(inside.len() as i64);
                vec![Value::Int(hour * NANOS), count, mean(&values), least(&values), greatest(&values)]
            };
            let rows: Vec<Vec<Value>> = hours.into_iter().map(row).collect();
            canon.table(&names(&["hour", "n", "mean", "low", "high"]), &rows);
        }
        other => panic!("no reference for the query {other}"),
    }
    canon.answer()
}

/// `date_bin` answers in nanoseconds.
const NANOS: i64 = 1_000;

/// Leaves out nulls.
fn there<'a>(values: &[&'a Value]) -> Vec<&'a Value> {
    values.iter().copied().filter(|value| **value != Value::Null).collect()
}

/// The hourly mean temperature of each site, over all its instruments.
fn combined(spec: &PondSpec) -> Answer {
    let mut sites: BTreeMap<(String, i64), Vec<Value>> = BTreeMap::new();
    for series in sorted(spec) {
        let rows = Rows::generated(&series);
        let site = stem(series.path()).rsplit_once('/').unwrap().0.to_owned();
        let column = rows.columns.iter().position(|name| name == "temperature_c");
        for (row, at) in rows.rows.iter().zip(rows.times(TIME)) {
            let values = sites.entry((site.clone(), at.div_euclid(HOUR_US) * HOUR_US)).or_default();
            values.extend(column.map(|column| row[column].clone()).filter(|value| *value != Value::Null));
        }
    }
    let row = |((site, hour), values): ((String, i64), Vec<Value>)| {
        vec![Value::Text(site), Value::Int(hour), mean(&values.iter().collect::<Vec<_>>())]
    };
    let rows: Vec<Vec<Value>> = sites.into_iter().map(row).collect();
    let mut canon = Canon { round: true, ..Canon::default() };
    canon.table(&["site", "hour", "mean"].map(str::to_owned), &rows);
    canon.answer()
}

/// The files of an export, in the order of series and times.
fn written(cell: &Cell, spec: &PondSpec) -> Answer {
    let nodes = cell.parameter("nodes");
    let pattern = match nodes {
        None => "/**/*.series",
        Some("reduce" | "reduce-hour" | "chain") => "/reduced/**/*.series",
        Some("join") => "/joined/*/*.series",
        Some("pivot") => "/pivot/*.series",
        Some(other) => panic!("no reference for the set {other}"),
    };
    assert_eq!(cell.parameter("pattern"), Some(pattern), "the reference exports all nodes of a set");
    let time = |key| {
        let text: Option<&str> = cell.parameter(key);
        text.map(|text| DateTime::parse_from_rfc3339(text).unwrap().timestamp_micros())
    };
    let range = time("start").unwrap_or(i64::MIN)..time("end").unwrap_or(i64::MAX);
    let appended = match cell.workload {
        Workload::Append => cell.parameter("appended").map_or(1, |number| number.parse().unwrap()),
        _ => 0,
    };
    let temporal = cell.parameter("temporal").unwrap();
    let mut canon = Canon::default();
    for (number, (folder, mut rows)) in exported(spec, nodes).enumerate() {
        if number < appended {
            append_day(&mut rows);
        }
        let index = rows.index(TIME);
        let at = |row: &Vec<Value>| if let Value::Int(at) = row[index] { at } else { panic!("no time") };
        let mut files: BTreeMap<String, Vec<Vec<Value>>> = BTreeMap::new();
        for row in rows.rows.into_iter().filter(|row| range.contains(&at(row))) {
            files.entry(partition(temporal, at(&row))).or_default().push(row);
        }
        for (partition, mut rows_of_file) in files {
            let others = (0..rows.columns.len()).filter(|column| *column != index);
            let columns: Vec<usize> = std::iter::once(index).chain(others).collect();
            rows_of_file.sort_by(|a, b| {
                let pairs = columns.iter().map(|column| compare(&a[*column], &b[*column], Ordering::Less));
                pairs.fold(Ordering::Equal, Ordering::then)
            });
            canon.text(&format!("{folder}/{partition}data.parquet"));
            canon.table(&rows.columns, &rows_of_file);
        }
    }
    canon.answer()
}

/// Adds the last day again, a day later.
fn append_day(rows: &mut Rows) {
    let (time, times) = (rows.index(TIME), rows.times(TIME));
    let begin = times[times.len() - 1] - DAY_US + 1;
    let last_day: Vec<Vec<Value>> =
        rows.rows.iter().zip(&times).filter(|(_, at)| **at >= begin).map(|(row, _)| row.clone()).collect();
    for mut row in last_day {
        let Value::Int(at) = row[time] else { panic!("no time") };
        row[time] = Value::Int(at + DAY_US);
        rows.rows.push(row);
    }
}

/// Returns the folder of a time below that of its series, with a slash at its end.
fn partition(temporal: &str, at: i64) -> String {
    let at = DateTime::from_timestamp_micros(at).unwrap();
    let folder = |unit: &str| match unit {
        "year" => format!("year={}/", at.year()),
        "month" => format!("month={:02}/", at.month()),
        "day" => format!("day={:02}/", at.day()),
        "hour" => format!("hour={:02}/", at.hour()),
        other => panic!("no unit {other}"),
    };
    temporal.split(',').filter(|unit| !unit.is_empty()).map(folder).collect()
}

/// Compares what a suite states with what the reference computes; prints the lines that should be there.
fn check(suite: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../scenarios/suites/{suite}.toml"));
    let mut known: BTreeMap<String, Answer> = BTreeMap::new();
    let mut wrong = Vec::new();
    for cell in Suite::read(&file).unwrap().cells() {
        // Knobs and workers change how an answer is reached, not the answer.
        let decides =
            ["size", "nodes", "pattern", "temporal", "start", "end", "appended", "query", "series", "path"];
        let parameters: Vec<_> = decides.map(|key| cell.parameter(key).unwrap_or_default()).into();
        let key = format!("{} {parameters:?}", cell.workload);
        let answer = known.entry(key).or_insert_with(|| expected(&cell));
        if cell.expected.as_ref() != Some(answer) {
            wrong.push(format!(
                "{}\n\"{}\" = {{ rows = {}, digest = \"{}\" }}",
                cell.id(),
                cell.key(),
                answer.rows,
                answer.digest
            ));
        }
    }
    assert!(!known.is_empty());
    assert!(wrong.is_empty(), "{suite}.toml should state:\n{}", wrong.join("\n"));
}

#[test]
fn the_smoke_suite_states_what_follows_from_the_generator() {
    check("smoke");
}

#[test]
fn the_history_suite_states_what_follows_from_the_generator() {
    check("history");
}

#[test]
fn the_cache_suite_states_what_follows_from_the_generator() {
    check("cache-ablation");
}

#[test]
#[ignore = "a minute; `cargo test -p engine --test it answers -- --include-ignored` runs it"]
fn the_small_suite_states_what_follows_from_the_generator() {
    check("small");
}

#[test]
#[ignore = "ten million rows, many minutes; `cargo test -p engine --test it answers -- --include-ignored` runs it"]
fn the_medium_suite_states_what_follows_from_the_generator() {
    check("medium");
}
