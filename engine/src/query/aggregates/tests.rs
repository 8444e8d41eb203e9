//! Every plan gives the same bits, and what DataFusion's own functions give but for rounding.

use std::sync::Arc;

use datafusion::arrow::array::{
    ArrayRef, AsArray, BooleanArray, Float32Array, Float64Array, Int64Array, RecordBatch,
};
use datafusion::arrow::compute::concat_batches;
use datafusion::arrow::datatypes::Float64Type;
use datafusion::arrow::util::pretty::pretty_format_batches;
use datafusion::datasource::MemTable;
use datafusion::prelude::SessionConfig;
use tokio::runtime::Builder;

use super::*;
use crate::series::Sum;

/// Rows of a table: a group, a float that may be null, a filter.
type Row = (i64, Option<f64>, bool);

fn batch(rows: &[Row]) -> RecordBatch {
    let columns: [(&str, ArrayRef); 5] = [
        ("g", Arc::new(rows.iter().map(|row| Some(row.0)).collect::<Int64Array>())),
        ("x", Arc::new(rows.iter().map(|row| row.1).collect::<Float64Array>())),
        ("y", Arc::new(rows.iter().map(|row| row.1.map(|x| x as f32)).collect::<Float32Array>())),
        ("i", Arc::new(rows.iter().map(|row| row.1.map(|x| x as i64)).collect::<Int64Array>())),
        ("keep", Arc::new(rows.iter().map(|row| Some(row.2)).collect::<BooleanArray>())),
    ];
    let nullable = columns.map(|(name, column)| (name, column, true));
    RecordBatch::try_from_iter_with_nullable(nullable).unwrap()
}

/// Runs a query over rows in batches that are spread over partitions.
fn run(rows: &[Row], sql: &str, partitions: usize, with: impl Fn(&SessionContext)) -> RecordBatch {
    let mut parts = vec![Vec::new(); partitions];
    for (place, rows) in rows.chunks(100).enumerate() {
        parts[place % partitions].push(batch(rows));
    }
    let config = SessionConfig::new()
        .with_target_partitions(partitions)
        .with_batch_size(64)
        // So that partial aggregation hands rows on as states of their own.
        .set_u64("datafusion.execution.skip_partial_aggregation_probe_rows_threshold", 1)
        .set_str("datafusion.execution.skip_partial_aggregation_probe_ratio_threshold", "0.1");
    let context = SessionContext::new_with_config(config);
    with(&context);
    let table = MemTable::try_new(batch(&[]).schema(), parts).unwrap();
    context.register_table("t", Arc::new(table)).unwrap();
    let runtime = Builder::new_multi_thread().worker_threads(2).build().unwrap();
    let (schema, batches) = runtime.block_on(async {
        let frame = context.sql(sql).await.unwrap();
        (Arc::clone(frame.schema().inner()), frame.collect().await.unwrap())
    });
    concat_batches(&schema, &batches).unwrap()
}

fn text(batch: &RecordBatch) -> String {
    pretty_format_batches(std::slice::from_ref(batch)).unwrap().to_string()
}

/// Decimals of mixed magnitudes in 50 groups, one in seven null.
fn rows(count: i64) -> Vec<Row> {
    let row = |i: i64| {
        let digits = (i * 7_919 + i * i * 104_729) % 2_000_003 - 1_000_001;
        let value = digits as f64 / 10f64.powi((i % 5) as i32);
        ((i * 31) % 50, (i % 7 != 3).then_some(value), i % 3 != 1)
    };
    (0..count).map(row).collect()
}

/// Sums the values of each group one after the other.
fn expected(rows: &[Row], filtered: bool) -> Vec<(f64, u64)> {
    let mut groups = vec![(Sum::default(), 0); 50];
    for (group, value, keep) in rows {
        if let Some(value) = value.filter(|_| *keep || !filtered) {
            groups[*group as usize].0.add(value);
            groups[*group as usize].1 += 1;
        }
    }
    groups.into_iter().map(|(sum, count)| (sum.value(), count)).collect()
}

#[test]
fn sums_and_means_are_the_same_in_every_plan() {
    let rows = rows(5_000);
    let sql = "SELECT g, sum(x), avg(x), sum(x) FILTER (WHERE keep), mean(x) FILTER (WHERE keep) \
               FROM t GROUP BY g ORDER BY g";
    let (all, kept) = (expected(&rows, false), expected(&rows, true));
    let mut backwards = rows.clone();
    backwards.reverse();
    for rows in [&rows, &backwards] {
        for partitions in [1, 4] {
            let found = run(rows, sql, partitions, register);
            let column = |index: usize| found.column(index).as_primitive::<Float64Type>().values().to_vec();
            assert_eq!(column(1), all.iter().map(|(sum, _)| *sum).collect::<Vec<_>>());
            assert_eq!(column(2), all.iter().map(|(sum, n)| sum / *n as f64).collect::<Vec<_>>());
            assert_eq!(column(3), kept.iter().map(|(sum, _)| *sum).collect::<Vec<_>>());
            assert_eq!(column(4), kept.iter().map(|(sum, n)| sum / *n as f64).collect::<Vec<_>>());
        }
    }
    let total = rows.iter().filter_map(|row| row.1).fold(Sum::default(), |mut sum, x| {
        sum.add(x);
        sum
    });
    for partitions in [1, 4] {
        let found = run(&rows, "SELECT sum(x) FROM t", partitions, register);
        assert_eq!(found.column(0).as_primitive::<Float64Type>().value(0), total.value());
    }
}

#[test]
fn the_built_in_functions_agree_but_for_rounding() {
    let rows = rows(3_000);
    let sql = "SELECT g, sum(x), avg(x), sum(y), avg(y), avg(i), min(x), max(y) FROM t GROUP BY g ORDER BY g";
    let (ours, theirs) = (run(&rows, sql, 4, register), run(&rows, sql, 4, |_| ()));
    assert_eq!(ours.schema(), theirs.schema());
    for (ours, theirs) in ours.columns()[1..6].iter().zip(&theirs.columns()[1..6]) {
        let floats = |column: &ArrayRef| column.as_primitive::<Float64Type>().values().to_vec();
        for (a, b) in floats(ours).into_iter().zip(floats(theirs)) {
            assert!((a - b).abs() <= 1e-12 * a.abs().max(1e6), "{a} {b}");
        }
    }
    assert_eq!(ours.columns()[6..], theirs.columns()[6..]);
}

#[test]
fn what_is_not_special_is_the_built_in_function() {
    let rows = rows(500);
    for sql in [
        "SELECT sum(i), min(i), max(i), sum(DISTINCT i), min(g) FROM t",
        "SELECT g, sum(i), min(i), max(i) FROM t GROUP BY g ORDER BY g",
        "SELECT sum(DISTINCT g), avg(DISTINCT g) FROM t",
        "SELECT g, sum(CAST(x AS DECIMAL(20, 4))), avg(CAST(x AS DECIMAL(20, 4))) FROM t GROUP BY g ORDER BY g",
        "SELECT sum(g + 1), sum(g + 2), min(g IS NULL) FROM t",
    ] {
        assert_eq!(text(&run(&rows, sql, 4, register)), text(&run(&rows, sql, 4, |_| ())), "{sql}");
    }
}

#[test]
fn nothing_and_nulls_give_null() {
    let nulls: Vec<Row> = (0..300).map(|i| (i % 3, None, true)).collect();
    let grouped = "SELECT g, sum(x), avg(x), min(x), max(y), count(x) FROM t GROUP BY g ORDER BY g";
    let found = run(&nulls, grouped, 4, register);
    let empty: Vec<usize> = found.columns()[1..].iter().map(|column| column.null_count()).collect();
    assert_eq!(empty, [3, 3, 3, 3, 0], "{}", text(&found));
    assert_eq!(run(&[], grouped, 4, register).num_rows(), 0);
    for rows in [&nulls[..], &[]] {
        let found = run(rows, "SELECT sum(x), avg(x), min(x), max(y) FROM t", 4, register);
        assert!(found.columns().iter().all(|column| column.null_count() == 1), "{}", text(&found));
    }
}

#[test]
fn extremes_follow_the_total_order() {
    let values = [-0.0, 0.0, f64::NAN, 3.0, f64::NEG_INFINITY, f64::NAN, -1.0];
    // In group 0 all of them, in group 1 the least float alone.
    let mut rows: Vec<Row> = values.map(|value| (0, Some(value), true)).to_vec();
    rows.extend([(1, Some(f64::NEG_INFINITY), true), (1, None, true), (1, Some(2.0), false)]);
    for reverse in [false, true] {
        if reverse {
            rows.reverse();
        }
        let sql = "SELECT min(x), max(x), min(x) FILTER (WHERE keep), max(y) FILTER (WHERE keep) \
                   FROM t GROUP BY g ORDER BY g";
        let found = text(&run(&rows, sql, 1, register));
        assert!(found.contains("-inf") && found.contains("NaN"), "{found}");
        let lines: Vec<Vec<String>> = found
            .lines()
            .skip(3)
            .filter(|line| line.starts_with('|'))
            .map(|line| {
                line.split('|').map(|cell| cell.trim().to_owned()).filter(|c| !c.is_empty()).collect()
            })
            .collect();
        assert_eq!(lines, [["-inf", "NaN", "-inf", "NaN"], ["-inf", "2.0", "-inf", "-inf"]]);
    }
    let zeros: Vec<Row> = [0.0, -0.0, 0.0].map(|value| (0, Some(value), true)).to_vec();
    let found = run(&zeros, "SELECT min(x), max(x) FROM t GROUP BY g", 1, register);
    let bits = |index: usize| found.column(index).as_primitive::<Float64Type>().value(0).to_bits();
    assert_eq!((bits(0), bits(1)), ((-0.0f64).to_bits(), 0.0f64.to_bits()));
}

#[test]
fn windows_slide() {
    let rows: Vec<Row> = (0..10).map(|i| (i, (i != 4).then_some(i as f64 / 10.0), true)).collect();
    let sql = "SELECT sum(x) OVER (ORDER BY g ROWS BETWEEN 2 PRECEDING AND CURRENT ROW) AS s, \
               avg(x) OVER (ORDER BY g ROWS BETWEEN 1 PRECEDING AND 1 FOLLOWING) AS a FROM t ORDER BY g";
    let found = run(&rows, sql, 1, register);
    let column = |index: usize| found.column(index).as_primitive::<Float64Type>().iter().collect::<Vec<_>>();
    let value = |i: usize| (i < 10 && i != 4).then(|| i as f64 / 10.0);
    let window = |from: usize, to: usize| (from..=to).filter_map(value).collect::<Vec<f64>>();
    for i in 0..10usize {
        let sum = window(i.saturating_sub(2), i);
        assert_eq!(column(0)[i], Some(Sum::of(&sum).value()));
        let mean = window(i.saturating_sub(1), i + 1);
        assert_eq!(column(1)[i], Some(Sum::of(&mean).value() / mean.len() as f64));
    }
}
