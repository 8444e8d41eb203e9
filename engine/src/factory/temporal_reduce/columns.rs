//! Which columns are aggregated, and what the results are called.

use arrow::datatypes::{DataType, Field, Schema};
use serde::Deserialize;

use crate::series::Aggregate;
use crate::tree::match_name;

/// Tells whether values of a type can be aggregated so.
fn takes(aggregate: Aggregate, data_type: &DataType) -> bool {
    match aggregate {
        Aggregate::Count => true,
        Aggregate::Avg | Aggregate::Sum => data_type.is_numeric(),
        Aggregate::Min | Aggregate::Max => {
            data_type.is_numeric()
                || matches!(data_type, DataType::Utf8 | DataType::Utf8View | DataType::Timestamp(..))
        }
    }
}

/// One column of a reduced series.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ReduceColumn {
    /// The name, `<column>.<aggregate>`.
    pub name: String,
    /// The column it is made of; nothing if rows are counted.
    pub input: Option<String>,
    pub aggregate: Aggregate,
}

/// An aggregate with the columns it is for.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AggregationConfig {
    #[serde(rename = "type")]
    aggregate: Aggregate,
    /// Names, and patterns with stars; every numeric column if not given.
    columns: Option<Vec<String>>,
}

/// Checks what can be checked without columns.
pub(super) fn check(aggregations: &[AggregationConfig]) -> Result<(), String> {
    if aggregations.is_empty() {
        return Err("aggregations: give at least one, such as {type: avg}".to_owned());
    }
    for one in aggregations {
        if one.columns.as_ref().is_some_and(Vec::is_empty) {
            let name = one.aggregate.name();
            return Err(format!(
                "aggregations: {name} is for no column; leave `columns` out for all of them"
            ));
        }
    }
    Ok(())
}

/// Finds the columns of a reduced series: by aggregate as configured, then as the input has them.
pub(super) fn resolve(
    aggregations: &[AggregationConfig],
    schema: &Schema,
    time: &str,
) -> Result<Vec<ReduceColumn>, String> {
    let mut resolved = Vec::new();
    for one in aggregations {
        let aggregate = one.aggregate;
        let names = one.columns.as_deref();
        let counts_rows = |name: &String| aggregate == Aggregate::Count && name == "*";
        if names.is_some_and(|names| names.iter().any(counts_rows)) {
            resolved.push(ReduceColumn { name: format!("{time}.count"), input: None, aggregate });
        }
        let names: Option<Vec<&String>> =
            names.map(|names| names.iter().filter(|name| !counts_rows(name)).collect());
        let mut met = vec![false; names.as_ref().map_or(0, Vec::len)];
        for field in schema.fields().iter().filter(|field| field.name() != time) {
            let wanted = match &names {
                None => field.data_type().is_numeric(),
                Some(names) => is_named(names, field, &mut met),
            };
            if !wanted {
                continue;
            }
            if !takes(aggregate, field.data_type()) {
                let (name, data_type) = (field.name(), field.data_type());
                let message =
                    format!("there is no {} of column '{name}', which is {data_type}", aggregate.name());
                return Err(format!("{message}; leave it out"));
            }
            let name = format!("{}.{}", field.name(), aggregate.name());
            resolved.push(ReduceColumn { name, input: Some(field.name().clone()), aggregate });
        }
        if let Some(missed) =
            names.and_then(|names| met.iter().position(|met| !met).map(|at| names[at].clone()))
        {
            return Err(unmet(&missed, schema, time));
        }
    }
    if resolved.is_empty() {
        return Err("it has no numeric column to aggregate".to_owned());
    }
    Ok(resolved)
}

/// Tells whether a column is named, and marks all names that name it. A name with a star stands for numeric
/// columns only.
fn is_named(names: &[&String], field: &Field, met: &mut [bool]) -> bool {
    let mut named = false;
    for (name, met) in names.iter().zip(met) {
        let matches = match name.contains('*') {
            true => {
                let around: Vec<String> = name.split('*').map(str::to_owned).collect();
                field.data_type().is_numeric() && match_name(&around, field.name()).is_some()
            }
            false => *name == field.name(),
        };
        *met |= matches;
        named |= matches;
    }
    named
}

fn unmet(name: &str, schema: &Schema, time: &str) -> String {
    let columns: Vec<&str> =
        schema.fields().iter().map(|field| field.name().as_str()).filter(|name| *name != time).collect();
    let what = if name.contains('*') { "no numeric column matches" } else { "there is no column" };
    format!("{what} '{name}'; it has {}", columns.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns(config: &str) -> Result<String, String> {
        let field = |name: &str, data_type| Field::new(name, data_type, true);
        let schema = Schema::new(vec![
            field("temp_b", DataType::Float64),
            field("time", super::super::super::sql_derived::event_time()),
            field("note", DataType::Utf8),
            field("temp_a", DataType::Int64),
            field("ok", DataType::Boolean),
        ]);
        let config: Vec<AggregationConfig> = serde_json::from_str(config).unwrap();
        check(&config)?;
        let found = resolve(&config, &schema, "time")?;
        Ok(found.iter().map(|column| column.name.clone()).collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn columns_come_by_aggregate_and_then_as_the_input_has_them() {
        let check =
            |config: &str, expect: &str| assert_eq!(columns(config).as_deref(), Ok(expect), "{config}");
        check(r#"[{"type": "avg"}]"#, "temp_b.avg temp_a.avg");
        check(
            r#"[{"type": "max", "columns": ["temp_a", "temp_*"]}, {"type": "min", "columns": ["note"]}]"#,
            "temp_b.max temp_a.max note.min",
        );
        check(r#"[{"type": "count", "columns": ["*", "ok"]}]"#, "time.count ok.count");
        check(r#"[{"type": "sum", "columns": ["*"]}]"#, "temp_b.sum temp_a.sum");
    }

    #[test]
    fn what_cannot_be_aggregated_is_named() {
        let check = |config: &str, expect: &str| assert_eq!(columns(config).unwrap_err(), expect);
        check(
            r#"[{"type": "avg", "columns": ["wind_*"]}]"#,
            "no numeric column matches 'wind_*'; it has temp_b, note, temp_a, ok",
        );
        check(
            r#"[{"type": "avg", "columns": ["x"]}]"#,
            "there is no column 'x'; it has temp_b, note, temp_a, ok",
        );
        check(
            r#"[{"type": "avg", "columns": ["note"]}]"#,
            "there is no avg of column 'note', which is Utf8; leave it out",
        );
        assert!(columns("[]").is_err() && columns(r#"[{"type": "avg", "columns": []}]"#).is_err());
    }
}
