//! `pond cat`: rows and queries, printed as they come.

use std::io::Write;

use anyhow::Result;
use arrow::array::RecordBatch;
use arrow::csv::WriterBuilder;
use arrow::datatypes::SchemaRef;
use arrow::json::LineDelimitedWriter;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use engine::{DerivedNode, Pond, QueryOptions, Series, TimeRange};

use crate::cli::{CatArguments, FormatArgument};
use crate::{output, terminal};

/// Rows by which a table's columns are aligned; a longer table is printed in such pages.
const PAGE_ROWS: usize = 1000;

pub(crate) fn run(pond: &Pond, arguments: &CatArguments) -> Result<()> {
    let sql = match &arguments.sql {
        Some(sql) => Some(sql.clone()),
        None => pond.derived(&arguments.path)?.map(|node| whole(&node)),
    };
    match sql {
        Some(sql) => {
            let answer = pond.query(&arguments.path, &sql, QueryOptions::default())?;
            let schema = answer.schema();
            print(&schema, answer, arguments.format)
        }
        None => {
            let series: Series = pond.series(&arguments.path)?;
            print(series.schema(), series.batches(TimeRange::default())?, arguments.format)
        }
    }
}

/// Asks for all rows of a derived node, in time order if they have times.
fn whole(node: &DerivedNode) -> String {
    match &node.time_column {
        Some(time) => format!("SELECT * FROM source ORDER BY \"{}\"", time.replace('"', "\"\"")),
        None => "SELECT * FROM source".to_owned(),
    }
}

fn print(
    schema: &SchemaRef,
    batches: impl Iterator<Item = engine::Result<RecordBatch>>,
    format: FormatArgument,
) -> Result<()> {
    let mut out = output::stdout();
    match format {
        FormatArgument::Csv => {
            let mut writer = WriterBuilder::new().with_header(true).build(&mut out);
            // The header is printed even if no row follows.
            writer.write(&RecordBatch::new_empty(SchemaRef::clone(schema)))?;
            for batch in batches {
                writer.write(&batch?)?;
            }
        }
        FormatArgument::Json => {
            let mut writer = LineDelimitedWriter::new(&mut out);
            for batch in batches {
                writer.write(&batch?)?;
            }
            writer.finish()?;
        }
        FormatArgument::Table => {
            let header: Vec<String> = schema.fields().iter().map(|field| field.name().clone()).collect();
            let right: Vec<usize> =
                (0..header.len()).filter(|index| schema.field(*index).data_type().is_numeric()).collect();
            let mut page = vec![header];
            for batch in batches {
                for row in text_rows(&batch?)? {
                    page.push(row);
                    if page.len() > PAGE_ROWS {
                        print_page(&mut out, &mut page, &right)?;
                    }
                }
            }
            print_page(&mut out, &mut page, &right)?;
        }
    }
    Ok(out.flush()?)
}

fn print_page(out: &mut impl Write, page: &mut Vec<Vec<String>>, right: &[usize]) -> Result<()> {
    for line in terminal::table(page, right) {
        writeln!(out, "{line}")?;
    }
    page.clear();
    Ok(())
}

fn text_rows(batch: &RecordBatch) -> Result<Vec<Vec<String>>> {
    let options =
        FormatOptions::default().with_null("").with_timestamp_tz_format(Some("%Y-%m-%dT%H:%M:%S%.fZ"));
    let formatters: Vec<ArrayFormatter<'_>> = batch
        .columns()
        .iter()
        .map(|column| ArrayFormatter::try_new(column.as_ref(), &options))
        .collect::<Result<_, _>>()?;
    let row = |row: usize| formatters.iter().map(|column| column.value(row).to_string()).collect();
    Ok((0..batch.num_rows()).map(row).collect())
}
