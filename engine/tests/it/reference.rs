//! What derived nodes must hold, computed row by row from generated series: no engine, no SQL.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use datagen::{PondSpec, Series};

use crate::rows::{Rows, Value};

pub(crate) const TIME: &str = "timestamp";
const SECOND_US: i64 = 1_000_000;

/// Series as an export has them: the folder of each, and its rows in time order.
pub(crate) type Exported = Box<dyn Iterator<Item = (String, Rows)>>;

/// Compares values as sorted rows have them: nulls first or last, floats in their total order.
pub(crate) fn compare(a: &Value, b: &Value, nulls: Ordering) -> Ordering {
    match (a, b) {
        (Value::Float(a), Value::Float(b)) => f64::from_bits(*a).total_cmp(&f64::from_bits(*b)),
        (Value::Null, Value::Null) => Ordering::Equal,
        (Value::Null, _) => nulls,
        (_, Value::Null) => nulls.reverse(),
        _ => a.cmp(b),
    }
}

/// Computes what an export of the nodes of a set holds, in path order; without a set, of the series.
pub(crate) fn exported(spec: &PondSpec, nodes: Option<&str>) -> Exported {
    match nodes {
        None => Box::new(sorted(spec).into_iter().map(|one| (stem(one.path()), Rows::generated(&one)))),
        Some("reduce") => reduced_series(spec, &["1h", "6h", "1d"]),
        Some("reduce-hour") => reduced_series(spec, &["1h"]),
        Some("join") => {
            Box::new(joined(spec).map(|(region, station, _, rows)| (format!("{region}/{station}"), rows)))
        }
        Some("pivot") => pivoted(spec),
        Some("chain") => chained(spec),
        Some(other) => panic!("no reference for the set {other}"),
    }
}

/// Returns the series in path order.
pub(crate) fn sorted(spec: &PondSpec) -> Vec<Series> {
    let mut series = spec.series();
    series.sort_by(|a, b| a.path().cmp(b.path()));
    series
}

/// Returns the path below the root without its ending.
pub(crate) fn stem(path: &str) -> String {
    path.trim_start_matches('/').trim_end_matches(".series").to_owned()
}

fn reduced_series(spec: &PondSpec, resolutions: &'static [&'static str]) -> Exported {
    let folders = spec.series().into_iter().flat_map(move |one| {
        resolutions.iter().map(move |name| (format!("{}/res={name}", stem(one.path())), one.clone(), *name))
    });
    let mut folders: Vec<_> = folders.collect();
    folders.sort_by(|a, b| a.0.cmp(&b.0));
    Box::new(folders.into_iter().map(|(folder, one, name)| (folder, reduced(&Rows::generated(&one), name))))
}

/// Makes one value of the values of a bucket that are not null.
type Aggregate = fn(&[&Value]) -> Value;

fn width_us(resolution: &str) -> i64 {
    let (number, unit) = resolution.split_at(resolution.len() - 1);
    let seconds = match unit {
        "h" => 3600,
        "d" => 86_400,
        other => panic!("no unit {other}"),
    };
    number.parse::<i64>().unwrap() * seconds * SECOND_US
}

/// Aggregates each column of numbers over buckets: means, least, greatest, counts.
fn reduced(rows: &Rows, resolution: &str) -> Rows {
    let width = width_us(resolution);
    let time = rows.index(TIME);
    let is_number =
        |index: &usize| *index != time && rows.rows.iter().all(|row| !matches!(row[*index], Value::Text(_)));
    let columns: Vec<usize> = (0..rows.columns.len()).filter(is_number).collect();
    let mut buckets: BTreeMap<i64, Vec<&Vec<Value>>> = BTreeMap::new();
    for (row, at) in rows.rows.iter().zip(rows.times(TIME)) {
        buckets.entry(at.div_euclid(width) * width).or_default().push(row);
    }
    let aggregates: [(&str, Aggregate); 4] = [
        ("avg", mean),
        ("min", least),
        ("max", greatest),
        ("count", |values| Value::Int(values.len() as i64)),
    ];
    let mut out = Rows { columns: vec![TIME.to_owned()], rows: Vec::new() };
    for (name, _) in aggregates {
        out.columns.extend(columns.iter().map(|index| format!("{}.{name}", rows.columns[*index])));
    }
    for (begin, rows) in buckets {
        let mut row = vec![Value::Int(begin)];
        for (_, aggregate) in aggregates {
            for index in &columns {
                let values: Vec<&Value> =
                    rows.iter().map(|row| &row[*index]).filter(|value| **value != Value::Null).collect();
                row.push(aggregate(&values));
            }
        }
        out.rows.push(row);
    }
    out
}

/// The mean, from a sum that keeps what each addition rounds away.
pub(crate) fn mean(values: &[&Value]) -> Value {
    if values.is_empty() {
        return Value::Null;
    }
    let (mut sum, mut lost) = (0.0f64, 0.0f64);
    for value in values {
        let value = number(value);
        let next = sum + value;
        lost += if sum.abs() >= value.abs() { (sum - next) + value } else { (value - next) + sum };
        sum = next;
    }
    Value::Float(((sum + lost) / values.len() as f64).to_bits())
}

fn number(value: &Value) -> f64 {
    match value {
        Value::Int(value) => *value as f64,
        Value::Float(bits) => f64::from_bits(*bits),
        other => panic!("{other:?} is no number"),
    }
}

pub(crate) fn least(values: &[&Value]) -> Value {
    let least = values.iter().min_by(|a, b| compare(a, b, Ordering::Less));
    least.map_or(Value::Null, |value| (*value).clone())
}

pub(crate) fn greatest(values: &[&Value]) -> Value {
    let greatest = values.iter().max_by(|a, b| compare(a, b, Ordering::Less));
    greatest.map_or(Value::Null, |value| (*value).clone())
}

/// The instruments of each station with several, by region and station.
fn stations(spec: &PondSpec) -> BTreeMap<(String, String), Vec<Series>> {
    let mut stations: BTreeMap<(String, String), Vec<Series>> = BTreeMap::new();
    for one in spec.series() {
        let parts: Vec<&str> = one.path().split('/').collect();
        stations.entry((parts[1].to_owned(), parts[2].to_owned())).or_default().push(one.clone());
    }
    stations.retain(|_, series| series.len() > 1);
    stations
}

/// Joins the instruments of each station; gives region, station, kinds and rows.
fn joined(spec: &PondSpec) -> impl Iterator<Item = (String, String, Vec<String>, Rows)> + use<> {
    stations(spec).into_iter().map(|((region, station), series)| {
        let kind = |one: &Series| stem(one.path()).rsplit('/').next().unwrap().to_owned();
        let kinds: Vec<String> = series.iter().map(kind).collect();
        let sides = series.iter().zip(&kinds).map(|(one, kind)| {
            let rows = Rows::generated(one);
            let columns = rows.columns.iter().filter(|name| *name != TIME).cloned().collect::<Vec<_>>();
            side(&rows, kind, &columns)
        });
        let rows = aligned(sides.collect());
        (region, station, kinds, rows)
    })
}

/// Some columns of a series, named after it; a column that it lacks is null.
fn side(rows: &Rows, name: &str, columns: &[String]) -> Rows {
    let time = rows.index(TIME);
    let places: Vec<Option<usize>> =
        columns.iter().map(|column| rows.columns.iter().position(|other| other == column)).collect();
    let row = |row: &Vec<Value>| {
        let values = places.iter().map(|place| place.map_or(Value::Null, |place| row[place].clone()));
        std::iter::once(row[time].clone()).chain(values).collect()
    };
    let names = columns.iter().map(|column| format!("{name}.{column}"));
    Rows {
        columns: std::iter::once(TIME.to_owned()).chain(names).collect(),
        rows: rows.rows.iter().map(row).collect(),
    }
}

/// Puts series side by side: at each time the first rows meet, then the second ones, by their values.
fn aligned(sides: Vec<Rows>) -> Rows {
    let mut columns = vec![TIME.to_owned()];
    let mut by_time: Vec<BTreeMap<i64, Vec<&[Value]>>> = Vec::new();
    for side in &sides {
        columns.extend_from_slice(&side.columns[1..]);
        let mut rows: BTreeMap<i64, Vec<&[Value]>> = BTreeMap::new();
        for (row, at) in side.rows.iter().zip(side.times(TIME)) {
            rows.entry(at).or_default().push(&row[1..]);
        }
        let order = |a: &&[Value], b: &&[Value]| {
            let pairs = a.iter().zip(b.iter()).map(|(a, b)| compare(a, b, Ordering::Greater));
            pairs.fold(Ordering::Equal, Ordering::then)
        };
        rows.values_mut().for_each(|rows| rows.sort_by(order));
        by_time.push(rows);
    }
    let times: BTreeSet<i64> = by_time.iter().flat_map(BTreeMap::keys).copied().collect();
    let mut rows = Vec::new();
    for at in times {
        let most = by_time.iter().filter_map(|side| side.get(&at)).map(Vec::len).max().unwrap();
        for k in 0..most {
            let mut row = vec![Value::Int(at)];
            for (side, own) in by_time.iter().zip(&sides) {
                match side.get(&at).and_then(|rows| rows.get(k)) {
                    Some(values) => row.extend_from_slice(values),
                    None => row.extend(std::iter::repeat_n(Value::Null, own.columns.len() - 1)),
                }
            }
            rows.push(row);
        }
    }
    Rows { columns, rows }
}

/// One series for each region: the salinity of its sondes.
fn pivoted(spec: &PondSpec) -> Exported {
    let mut regions: BTreeMap<String, Vec<Series>> = BTreeMap::new();
    for one in sorted(spec).into_iter().filter(|one| one.path().ends_with("/sonde.series")) {
        regions.entry(one.path().split('/').nth(1).unwrap().to_owned()).or_default().push(one);
    }
    Box::new(regions.into_iter().map(|(region, sondes)| {
        let sides = sondes.iter().map(|one| {
            let station = one.path().split('/').nth(2).unwrap();
            side(&Rows::generated(one), station, &["salinity_psu".to_owned()])
        });
        (region, aligned(sides.collect()))
    }))
}

/// Stations joined, then a column of each instrument of all stations of a region, then reduced.
fn chained(spec: &PondSpec) -> Exported {
    let mut regions: BTreeMap<String, Vec<(String, Vec<String>, Rows)>> = BTreeMap::new();
    for (region, station, kinds, rows) in joined(spec) {
        regions.entry(region).or_default().push((station, kinds, rows));
    }
    Box::new(regions.into_iter().flat_map(|(region, stations)| {
        let firsts = [("sonde", "salinity_psu"), ("tide", "level_m"), ("weather", "pressure_hpa")];
        let has = |kind: &str| stations.iter().any(|(_, kinds, _)| kinds.iter().any(|other| other == kind));
        let columns: Vec<String> = firsts
            .iter()
            .filter(|(kind, _)| has(kind))
            .map(|(kind, column)| format!("{kind}.{column}"))
            .collect();
        let sides = stations.iter().map(|(station, _, rows)| side(rows, station, &columns));
        let single = aligned(sides.collect());
        ["1d", "1h", "6h"].map(|name| (format!("{region}/res={name}"), reduced(&single, name)))
    }))
}
