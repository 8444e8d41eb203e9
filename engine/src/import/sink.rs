//! Where imported rows go: sorted, split if asked, written as content.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch, UInt32Array};
use arrow::compute::{cast, take_record_batch};
use arrow::datatypes::{DataType, SchemaRef};
use scenarios::Stage;

use super::ImportOptions;
use super::check_columns;
use super::sorter::Sorter;
use super::source::Source;
use crate::error::{Error, Result};
use crate::log::{ContentWriter, Layout, NewContent, NewVersion, Transaction};
use crate::metrics::{Counter, Recorder};
use crate::plants;
use crate::series::{SortedWriter, encode_schema};
use crate::tree::{EntryType, PondPath};

/// A file or part of one that became a version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Imported {
    /// The path in the pond.
    pub path: PondPath,
    /// Table or series.
    pub entry_type: EntryType,
    /// Rows.
    pub rows: u64,
    /// Bytes as stored.
    pub bytes: u64,
    /// First event time in microseconds.
    pub first_us: Option<i64>,
    /// Last event time in microseconds.
    pub last_us: Option<i64>,
}

/// Content that is ready to be put into a transaction.
#[derive(Debug)]
pub(super) struct Written {
    entry_type: EntryType,
    content: NewContent,
    facts: NewVersion,
}

impl Written {
    /// Puts the content into a transaction.
    pub(super) fn put(
        self,
        transaction: &mut Transaction<'_>,
        file: &Path,
        path: &PondPath,
    ) -> Result<Imported> {
        let schema = self.facts.schema.as_deref().unwrap_or_default();
        // Of a table the last version counts alone, so its columns may change.
        if self.entry_type == EntryType::Series {
            check_columns(transaction, file, path, schema, self.facts.time_column.as_deref())?;
        }
        let imported = Imported {
            path: path.clone(),
            entry_type: self.entry_type,
            rows: self.facts.rows.unwrap_or(0),
            bytes: self.content.size,
            first_us: self.facts.first_us,
            last_us: self.facts.last_us,
        };
        transaction.put(path, self.entry_type, self.content, self.facts)?;
        Ok(imported)
    }
}

/// Takes the rows of one file.
pub(super) struct Sink<'a> {
    layout: &'a Layout,
    source: &'a Source,
    options: &'a ImportOptions,
    entry_type: EntryType,
    recorder: &'a Arc<Recorder>,
    schema: Option<SchemaRef>,
    time: Option<usize>,
    split: Option<usize>,
    /// By the value of the split column; the empty text if there is none.
    sorters: BTreeMap<String, Sorter>,
    rows: u64,
}

impl<'a> Sink<'a> {
    pub(super) fn new(
        layout: &'a Layout,
        source: &'a Source,
        options: &'a ImportOptions,
        entry_type: EntryType,
        recorder: &'a Arc<Recorder>,
    ) -> Self {
        Self {
            layout,
            source,
            options,
            entry_type,
            recorder,
            schema: None,
            time: None,
            split: None,
            sorters: BTreeMap::new(),
            rows: 0,
        }
    }

    /// States the columns of the batches to come.
    pub(super) fn begin(&mut self, schema: &SchemaRef, time: Option<usize>) -> Result<()> {
        self.split = match &self.options.split_by {
            None => None,
            Some(name) => Some(schema.index_of(name).map_err(|_| {
                let names = schema.fields().iter().map(|field| field.name().as_str());
                let near = scenarios::nearest(name, names);
                let near = near.map_or_else(String::new, |near| format!("; did you mean '{near}'?"));
                Error::input(&self.source.file, format!("there is no column '{name}' for --split-by{near}"))
            })?),
        };
        self.schema = Some(Arc::clone(schema));
        self.time = time;
        Ok(())
    }

    /// Forgets all rows, for a second attempt.
    pub(super) fn clear(&mut self) {
        self.sorters.clear();
        self.rows = 0;
    }

    /// Takes a batch.
    pub(super) fn push(&mut self, batch: RecordBatch) -> Result<()> {
        let before = self.rows;
        self.rows += batch.num_rows() as u64;
        match self.split {
            None => self.push_to(String::new(), batch)?,
            Some(split) => {
                for (value, rows) in self.rows_by_value(&batch, split, before)? {
                    let part = take_record_batch(&batch, &UInt32Array::from(rows))?;
                    self.push_to(value, part)?;
                }
            }
        }
        let held: usize = self.sorters.values().map(Sorter::held_bytes).sum();
        if held > plants::sort_bytes(self.options.sort_bytes) {
            for sorter in self.sorters.values_mut() {
                sorter.spill(self.recorder)?;
            }
        }
        Ok(())
    }

    /// Writes everything as content; one result per path.
    pub(super) fn finish(mut self) -> Result<Vec<(PondPath, Written)>> {
        let sorters = std::mem::take(&mut self.sorters);
        if sorters.is_empty() {
            return Err(Error::input(&self.source.file, "it has no rows; there is nothing to import"));
        }
        let mut written = Vec::with_capacity(sorters.len());
        for (value, sorter) in sorters {
            let path = match self.split {
                None => self.source.path.clone(),
                Some(_) => self.source.path.child(&format!("{value}.{}", self.entry_type.name())).map_err(
                    |error| {
                        Error::input(&self.source.file, format!("'{value}' cannot name a series: {error}"))
                    },
                )?,
            };
            written.push((path, self.write(sorter)?));
        }
        Ok(written)
    }

    fn push_to(&mut self, value: String, batch: RecordBatch) -> Result<()> {
        let schema = self.schema.as_ref().expect("columns are stated before rows come");
        let folder = self.layout.tmp_dir();
        let sorter = self.sorters.entry(value).or_insert_with(|| Sorter::new(schema, self.time, &folder));
        sorter.push(batch)?;
        Ok(())
    }

    /// Groups the rows of a batch by the split column's value; an error counts rows from 1.
    fn rows_by_value(
        &self,
        batch: &RecordBatch,
        split: usize,
        before: u64,
    ) -> Result<BTreeMap<String, Vec<u32>>> {
        let column = cast(batch.column(split), &DataType::Utf8)?;
        let values = column.as_string::<i32>();
        let mut rows: BTreeMap<String, Vec<u32>> = BTreeMap::new();
        for row in 0..values.len() {
            if values.is_null(row) || values.value(row).is_empty() {
                let name = batch.schema_ref().field(split).name().clone();
                return Err(Error::Input {
                    file: self.source.file.clone(),
                    line: Some(before + row as u64 + 1),
                    column: Some(name),
                    message: "it is empty, so the row belongs to no series; fill it in or remove the row"
                        .to_owned(),
                });
            }
            rows.entry(values.value(row).to_owned()).or_default().push(row as u32);
        }
        Ok(rows)
    }

    fn write(&self, sorter: Sorter) -> Result<Written> {
        let schema = self.schema.as_ref().expect("columns were stated before rows came");
        let name = self.source.file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let attributes = serde_json::json!({ "imported": name }).to_string();
        write_sorted(self.layout, self.recorder, schema, self.time, sorter, self.entry_type, Some(attributes))
    }
}

/// Writes sorted rows as content.
pub(super) fn write_sorted(
    layout: &Layout,
    recorder: &Recorder,
    schema: &SchemaRef,
    time: Option<usize>,
    sorter: Sorter,
    entry_type: EntryType,
    attributes: Option<String>,
) -> Result<Written> {
    let _stage = recorder.stage(Stage::PartitionWrite);
    let mut writer = SortedWriter::new(ContentWriter::new(layout), Arc::clone(schema), time);
    for batch in sorter.finish()? {
        writer.write(&batch?)?;
    }
    let (content, facts) = writer.finish()?;
    let content = content.finish()?;
    recorder.count(Counter::RowsWritten, facts.rows);
    recorder.count(Counter::FilesWritten, 1);
    recorder.count(Counter::BytesWritten, content.size);
    let facts = NewVersion {
        rows: Some(facts.rows),
        first_us: facts.first_us,
        last_us: facts.last_us,
        time_column: time.map(|time| schema.field(time).name().clone()),
        schema: Some(encode_schema(schema)?),
        attributes,
    };
    Ok(Written { entry_type, content, facts })
}
