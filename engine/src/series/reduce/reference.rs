//! The answers of the streaming form, computed row by row and bucket by bucket.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Float32Array, Float64Array, Int16Array, Int64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray, UInt64Array,
};
use arrow::compute::concat_batches;
use arrow::datatypes::{
    DataType, Field, Float32Type, Float64Type, Int16Type, Int64Type, Schema, SchemaRef, TimeUnit, UInt64Type,
};
use proptest::prelude::*;

use super::{Aggregate, EMIT_BUCKETS, ReduceColumn, Reducer};
use crate::error::Error;
use crate::series::sum::Sum;
use crate::series::time_values;

const HOUR: i64 = 3_600_000_000;

/// One row: a time, and a value of each type.
type Row = (i64, Option<f64>, Option<f32>, Option<i64>, Option<u64>, Option<i16>);

fn schema() -> SchemaRef {
    let utc = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    Arc::new(Schema::new(vec![
        Field::new("f64", DataType::Float64, true),
        Field::new("at", utc, false),
        Field::new("f32", DataType::Float32, true),
        Field::new("i64", DataType::Int64, true),
        Field::new("u64", DataType::UInt64, true),
        Field::new("i16", DataType::Int16, true),
        Field::new("text", DataType::Utf8, true),
    ]))
}

fn batch(rows: &[Row]) -> RecordBatch {
    let times: TimestampMicrosecondArray = rows.iter().map(|row| Some(row.0)).collect();
    let columns: Vec<ArrayRef> = vec![
        Arc::new(rows.iter().map(|row| row.1).collect::<Float64Array>()),
        Arc::new(times.with_timezone("UTC")),
        Arc::new(rows.iter().map(|row| row.2).collect::<Float32Array>()),
        Arc::new(rows.iter().map(|row| row.3).collect::<Int64Array>()),
        Arc::new(rows.iter().map(|row| row.4).collect::<UInt64Array>()),
        Arc::new(rows.iter().map(|row| row.5).collect::<Int16Array>()),
        Arc::new(rows.iter().map(|_| Some("x")).collect::<StringArray>()),
    ];
    RecordBatch::try_new(schema(), columns).unwrap()
}

/// Every aggregate of every column of numbers, and the count of rows.
fn all_columns() -> Vec<ReduceColumn> {
    let mut columns = vec![ReduceColumn { column: 1, aggregate: Aggregate::Count }];
    for column in [3, 0, 2, 4, 5] {
        columns.extend(Aggregate::ALL.map(|aggregate| ReduceColumn { column, aggregate }));
    }
    columns
}

/// Reduces batches and returns the whole result of each resolution.
fn reduce(batches: &[RecordBatch], resolutions: &[i64], columns: &[ReduceColumn]) -> Vec<RecordBatch> {
    let mut reducer = Reducer::new(&schema(), 1, resolutions, columns).unwrap();
    let reduced = Arc::clone(reducer.schema());
    let mut parts: Vec<Vec<RecordBatch>> = vec![Vec::new(); resolutions.len()];
    let mut out = |resolution: usize, batch: RecordBatch| {
        parts[resolution].push(batch);
        Ok(())
    };
    for batch in batches {
        reducer.push(batch, &mut out).unwrap();
    }
    reducer.finish(&mut out).unwrap();
    parts.iter().map(|parts| concat_batches(&reduced, parts).unwrap()).collect()
}

/// A value as it is compared: floats by their bits.
fn cell(column: &ArrayRef, row: usize) -> Option<String> {
    if column.is_null(row) {
        return None;
    }
    Some(match column.data_type() {
        DataType::Float64 => format!("{:x}", column.as_primitive::<Float64Type>().value(row).to_bits()),
        DataType::Float32 => format!("{:x}", column.as_primitive::<Float32Type>().value(row).to_bits()),
        DataType::Int64 => column.as_primitive::<Int64Type>().value(row).to_string(),
        DataType::UInt64 => column.as_primitive::<UInt64Type>().value(row).to_string(),
        DataType::Int16 => column.as_primitive::<Int16Type>().value(row).to_string(),
        other => panic!("no column is {other}"),
    })
}

fn mean(values: impl Iterator<Item = f64>, count: usize) -> Option<String> {
    let mut sum = Sum::default();
    values.for_each(|value| sum.add(value));
    (count > 0).then(|| format!("{:x}", (sum.value() / count as f64).to_bits()))
}

/// Returns avg, min, max, count and sum of floats.
macro_rules! floats {
    ($values:expr, $native:ty) => {{
        let values: Vec<$native> = $values.collect();
        let mut sum = Sum::default();
        values.iter().for_each(|value| sum.add(f64::from(*value)));
        let bits = |value: Option<&$native>| value.map(|value| format!("{:x}", value.to_bits()));
        vec![
            mean(values.iter().map(|value| f64::from(*value)), values.len()),
            bits(values.iter().min_by(|a, b| a.total_cmp(b))),
            bits(values.iter().max_by(|a, b| a.total_cmp(b))),
            Some(values.len().to_string()),
            (!values.is_empty()).then(|| format!("{:x}", sum.value().to_bits())),
        ]
    }};
}

/// Returns avg, min, max, count and sum of whole numbers.
macro_rules! wholes {
    ($values:expr, $sum:ty) => {{
        let values: Vec<_> = $values.collect();
        let sum = values.iter().fold(0, |sum: $sum, value| sum.wrapping_add(<$sum>::from(*value)));
        vec![
            mean(values.iter().map(|value| *value as f64), values.len()),
            values.iter().min().map(ToString::to_string),
            values.iter().max().map(ToString::to_string),
            Some(values.len().to_string()),
            (!values.is_empty()).then(|| sum.to_string()),
        ]
    }};
}

/// Computes the result of one resolution, bucket by bucket, in the columns of [`all_columns`].
fn expected(rows: &[Row], resolution: i64) -> Vec<(i64, Vec<Option<String>>)> {
    let mut buckets: BTreeMap<i64, Vec<Row>> = BTreeMap::new();
    for row in rows {
        buckets.entry(row.0.div_euclid(resolution) * resolution).or_default().push(*row);
    }
    let result = |rows: &Vec<Row>| {
        let mut cells = vec![Some(rows.len().to_string())];
        cells.extend(wholes!(rows.iter().filter_map(|row| row.3), i64));
        cells.extend(floats!(rows.iter().filter_map(|row| row.1), f64));
        cells.extend(floats!(rows.iter().filter_map(|row| row.2), f32));
        cells.extend(wholes!(rows.iter().filter_map(|row| row.4), u64));
        cells.extend(wholes!(rows.iter().filter_map(|row| row.5), i64));
        cells
    };
    buckets.iter().map(|(start, rows)| (*start, result(rows))).collect()
}

fn found(batch: &RecordBatch) -> Vec<(i64, Vec<Option<String>>)> {
    let times = time_values(batch.column(0)).unwrap();
    let cells = |row| batch.columns()[1..].iter().map(|column| cell(column, row)).collect();
    times.iter().enumerate().map(|(row, start)| (*start, cells(row))).collect()
}

fn rows() -> impl Strategy<Value = Vec<Row>> {
    let float = prop_oneof![
        8 => (-1_000_000..1_000_000i32).prop_map(|v| f64::from(v) / 1_000.0),
        1 => prop::sample::select(vec![0.0, -0.0]),
    ];
    let odd = prop::sample::select(vec![f64::NAN, -f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e300]);
    let float = prop_oneof![40 => float, 1 => odd];
    let long = prop_oneof![6 => -1_000..1_000i64, 1 => any::<i64>()];
    let unsigned = prop_oneof![6 => 0..1_000u64, 1 => any::<u64>()];
    // Steps of time: equal times, seconds, minutes, gaps of days.
    let step = prop_oneof![
        2 => Just(0i64), 3 => 1..5_000_000i64, 6 => Just(60_000_000), 1 => 1..(40 * 24) * HOUR,
    ];
    let some = |share| prop::bool::weighted(share);
    let value = (step, float, long, unsigned, any::<i16>(), some(0.95), some(0.9), some(0.6));
    (-400 * 24 * HOUR..400 * 24 * HOUR, prop::collection::vec(value, 0..400), some(0.3)).prop_map(
        |(start, values, dense)| {
            let mut at = start;
            let row = |(step, float, long, unsigned, short, a, b, c): (_, f64, _, _, _, bool, bool, bool)| {
                at += step;
                let keep = |present: bool| present || dense;
                (
                    at,
                    keep(a).then_some(float),
                    keep(b).then_some(float as f32),
                    keep(c).then_some(long),
                    keep(b).then_some(unsigned),
                    keep(c).then_some(short),
                )
            };
            values.into_iter().map(row).collect()
        },
    )
}

proptest! {
    #[test]
    fn one_pass_gives_what_each_bucket_holds(
        rows in rows(),
        cuts in prop::collection::vec(0..400usize, 0..6),
        resolutions in prop::sample::subsequence(
            vec![7_000_000, 60_000_000, HOUR, 2 * HOUR, 3 * HOUR, 6 * HOUR, 24 * HOUR], 1..5,
        ).prop_shuffle(),
    ) {
        let mut cuts: Vec<usize> = cuts.into_iter().filter(|cut| *cut <= rows.len()).collect();
        cuts.extend([0, rows.len()]);
        cuts.sort_unstable();
        // Slices of one batch have nulls that begin in the middle of a byte.
        let whole = batch(&rows);
        let batches: Vec<_> = cuts.windows(2).map(|cut| whole.slice(cut[0], cut[1] - cut[0])).collect();
        let reduced = reduce(&batches, &resolutions, &all_columns());
        for (resolution, reduced) in resolutions.iter().zip(&reduced) {
            prop_assert_eq!(found(reduced), expected(&rows, *resolution));
        }
    }
}

#[test]
fn long_input_is_handed_out_as_it_comes() {
    let rows: Vec<Row> = (0..30_000)
        .map(|i: i64| {
            let tenths = (i * 37 % 1_001) as f64 / 10.0;
            (
                i * 60_000_000 - 9 * HOUR,
                Some(tenths),
                (i % 9 > 0).then_some(tenths as f32),
                Some(i),
                None,
                None,
            )
        })
        .collect();
    let batches: Vec<_> = rows.chunks(4_096).map(batch).collect();
    let resolutions = [24 * HOUR, 60_000_000, HOUR, 7 * HOUR];
    let mut reducer = Reducer::new(&schema(), 1, &resolutions, &all_columns()).unwrap();
    let mut sizes: Vec<Vec<usize>> = vec![Vec::new(); 4];
    let mut out = |resolution: usize, batch: RecordBatch| {
        sizes[resolution].push(batch.num_rows());
        Ok(())
    };
    for batch in &batches {
        reducer.push(batch, &mut out).unwrap();
        assert!(reducer.levels.iter().all(|level| level.starts.len() <= EMIT_BUCKETS), "memory is bounded");
    }
    reducer.finish(&mut out).unwrap();
    assert_eq!(sizes[1].iter().sum::<usize>(), 30_000);
    assert_eq!(sizes[1].len(), 9, "a batch for each of the input, and the open bucket");
    assert_eq!((&sizes[0], &sizes[2], &sizes[3]), (&vec![22], &vec![500], &vec![73]));
    let reduced = reduce(&batches, &resolutions, &all_columns());
    for (resolution, reduced) in resolutions.iter().zip(&reduced) {
        assert_eq!(found(reduced), expected(&rows, *resolution));
    }
}

#[test]
fn results_are_named_and_typed() {
    let columns: Vec<ReduceColumn> = [1, 0, 2, 3, 4, 5]
        .into_iter()
        .flat_map(|column| Aggregate::ALL.map(|aggregate| ReduceColumn { column, aggregate }))
        .filter(|column| column.column != 1 || column.aggregate == Aggregate::Count)
        .collect();
    let reducer = Reducer::new(&schema(), 1, &[HOUR], &columns).unwrap();
    let text: Vec<String> =
        reducer.schema().fields().iter().map(|f| format!("{} {}", f.name(), f.data_type())).collect();
    assert_eq!(
        text[..4],
        ["at Timestamp(µs, \"UTC\")", "at.count Int64", "f64.avg Float64", "f64.min Float64"]
    );
    assert_eq!(
        text[7..12],
        ["f32.avg Float64", "f32.min Float32", "f32.max Float32", "f32.count Int64", "f32.sum Float64"]
    );
    assert_eq!(text[16], "i64.sum Int64");
    assert_eq!(text[21], "u64.sum UInt64");
    assert_eq!(text[23], "i16.min Int16");
}

#[test]
fn what_cannot_be_aggregated_is_named() {
    let refused = |columns: &[ReduceColumn], resolutions: &[i64]| {
        Reducer::new(&schema(), 1, resolutions, columns).unwrap_err().to_string()
    };
    let of = |column, aggregate| [ReduceColumn { column, aggregate }];
    assert_eq!(
        refused(&of(6, Aggregate::Count), &[HOUR]),
        "column 'text' is Utf8 and has no count; name columns of numbers"
    );
    assert!(refused(&of(1, Aggregate::Max), &[HOUR]).starts_with("column 'at' is Timestamp"));
    assert_eq!(
        refused(&of(0, Aggregate::Max), &[HOUR, 0]),
        "resolutions: 0 µs is not a positive time; give one such as 1h"
    );
}

#[test]
fn the_ends_of_time_have_buckets() {
    let rows: Vec<Row> = [i64::MIN, i64::MIN + 1, -1, 0, i64::MAX - 1, i64::MAX]
        .map(|at| (at, Some(1.0), None, None, None, None))
        .to_vec();
    let counts = [ReduceColumn { column: 1, aggregate: Aggregate::Count }];
    let reduced = reduce(&[batch(&rows)], &[HOUR], &counts);
    let counts: Vec<i64> = reduced[0].column(1).as_primitive::<Int64Type>().values().to_vec();
    assert_eq!(counts, [2, 1, 1, 2]);
}

#[test]
fn an_error_of_the_receiver_ends_the_pass() {
    let rows: Vec<Row> = (0..3_000).map(|i| (i, Some(1.0), None, None, None, None)).collect();
    let mut reducer = Reducer::new(&schema(), 1, &[1], &all_columns()).unwrap();
    let mut full = |_, _| Err(Error::Query("full".to_owned()));
    assert_eq!(reducer.push(&batch(&rows), &mut full).unwrap_err().to_string(), "query: full");
}

#[test]
fn nothing_comes_of_nothing() {
    let mut reducer = Reducer::new(&schema(), 1, &[HOUR], &all_columns()).unwrap();
    let mut out = |_, _| panic!("there are no buckets");
    reducer.push(&batch(&[]), &mut out).unwrap();
    reducer.finish(&mut out).unwrap();
}
