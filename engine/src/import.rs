//! Import: CSV and Parquet files become versions of tables and series.
//!
//! A file is read in a stream, its rows sorted by time (aside on disk if they are many), and written as
//! content; nothing of it belongs to the pond before the transaction commits. All files of one call are
//! one transaction.

mod columns;
mod csv;
mod infer;
mod parquet;
mod sink;
mod sorter;
mod source;
mod time;

use std::path::Path;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{Schema, SchemaRef};
use chrono_tz::Tz;
use scenarios::Stage;

use sorter::Sorter;

pub use sink::Imported;
pub(crate) use source::{Source, plan_sources};
pub use time::Ambiguous;

use crate::error::{Error, Result};
use crate::log::{Log, Transaction};
use crate::metrics::Recorder;
use crate::plants;
use crate::series::{decode_schema, unite};
use crate::tree::{EntryType, PondPath};

/// What to do with floats that are no numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NonFinite {
    /// They are an error.
    #[default]
    Refuse,
    /// They count as missing.
    Null,
    /// They are stored as they are.
    Keep,
}

/// How files are read.
#[derive(Clone, Debug)]
pub struct ImportOptions {
    /// Table or series; by the path's ending if not given.
    pub entry_type: Option<EntryType>,
    /// The time column; found if not given.
    pub time: Option<String>,
    /// The format of times, in the notation of chrono's `strftime`; found if not given.
    pub time_format: Option<String>,
    /// The zone of times that state none.
    pub zone: Tz,
    /// What a local time means that the clocks showed twice.
    pub ambiguous: Option<Ambiguous>,
    /// Whether times finer than a microsecond may be cut off.
    pub truncate_time: bool,
    /// The byte between the fields of a CSV file.
    pub delimiter: u8,
    /// Texts that mean a missing value, besides the empty one, in columns that are not text.
    pub nulls: Vec<String>,
    /// What to do with `NaN` and infinities.
    pub non_finite: NonFinite,
    /// Makes one series per value of this column.
    pub split_by: Option<String>,
    /// Bytes of rows kept in memory before they are sorted aside on disk.
    pub sort_bytes: usize,
}

impl Default for ImportOptions {
    fn default() -> Self {
        Self {
            entry_type: None,
            time: None,
            time_format: None,
            zone: Tz::UTC,
            ambiguous: None,
            truncate_time: false,
            delimiter: b',',
            nulls: vec!["NA".to_owned()],
            non_finite: NonFinite::Refuse,
            split_by: None,
            sort_bytes: 64 * 1024 * 1024,
        }
    }
}

/// Told of bytes read; called often.
pub type Progress<'a> = &'a (dyn Fn(u64) + Sync);

/// Imports files as one transaction.
///
/// # Errors
/// If any file is bad; then the pond is as it was before.
pub(crate) fn import(
    log: &Log,
    sources: &[Source],
    options: &ImportOptions,
    progress: Progress<'_>,
) -> Result<Vec<Imported>> {
    let recorder = Arc::clone(log.snapshot().recorder());
    let mut transaction = log.begin()?;
    let mut imported = Vec::new();
    for source in sources {
        let written = read_file(log, source, options, &recorder, progress)?;
        for (path, one) in written {
            let _stage = recorder.stage(Stage::MetadataCollection);
            imported.push(one.put(&mut transaction, &source.file, &path)?);
        }
    }
    let rows: u64 = imported.iter().map(|one| one.rows).sum();
    let details = serde_json::json!({ "files": sources.len(), "series": imported.len(), "rows": rows });
    transaction.commit("import", &details)?;
    Ok(imported)
}

/// A version that a program made.
pub struct NewSeries {
    /// The path in the pond.
    pub path: PondPath,
    /// Table or series.
    pub entry_type: EntryType,
    /// The columns; the time column is of microseconds in UTC and without nulls.
    pub schema: SchemaRef,
    /// The index of the time column.
    pub time: Option<usize>,
    /// The rows, in any order.
    pub batches: Box<dyn Iterator<Item = RecordBatch> + Send>,
}

/// Adds versions that a program made, as one transaction; returns the rows.
///
/// # Errors
/// If a path has another type, or the disk is full; then the pond is as it was before.
pub(crate) fn write_series(log: &Log, series: impl Iterator<Item = NewSeries>) -> Result<u64> {
    let recorder = log.snapshot().recorder().clone();
    let layout = log.layout();
    let mut transaction = log.begin()?;
    let (mut rows, mut files) = (0, 0);
    for one in series {
        let mut sorter = Sorter::new(&one.schema, one.time, &layout.tmp_dir());
        for batch in one.batches {
            if sorter.push(batch)? > plants::sort_bytes(ImportOptions::default().sort_bytes) {
                sorter.spill(&recorder)?;
            }
        }
        let written =
            sink::write_sorted(layout, &recorder, &one.schema, one.time, sorter, one.entry_type, None)?;
        rows += written.put(&mut transaction, Path::new(one.path.as_str()), &one.path)?.rows;
        files += 1;
    }
    transaction.commit("write", &serde_json::json!({ "series": files, "rows": rows }))?;
    Ok(rows)
}

fn read_file(
    log: &Log,
    source: &Source,
    options: &ImportOptions,
    recorder: &Arc<Recorder>,
    progress: Progress<'_>,
) -> Result<Vec<(PondPath, sink::Written)>> {
    let layout = log.layout();
    let wanted = options.entry_type.unwrap_or(source.entry_type);
    let mut sink = sink::Sink::new(layout, source, options, wanted, recorder);
    match source.kind {
        source::Kind::Csv => csv::read(&source.file, options, wanted, recorder, progress, &mut sink)?,
        source::Kind::Parquet => parquet::read(&source.file, options, wanted, recorder, progress, &mut sink)?,
    }
    sink.finish()
}

/// Checks that a new version's columns can be united with those of all versions that the series has.
fn check_columns(
    transaction: &Transaction<'_>,
    file: &Path,
    path: &PondPath,
    schema: &[u8],
    time_column: Option<&str>,
) -> Result<()> {
    let versions = transaction.schemas(path);
    let Some((_, before_time)) = versions.last() else { return Ok(()) };
    if before_time.as_deref() != time_column {
        let name = before_time.as_deref().unwrap_or("none");
        return Err(Error::input(
            file,
            format!(
                "{path} has the time column '{name}'; name the same one with --time, or import to another path"
            ),
        ));
    }
    let mut before = Schema::empty();
    for (version, _) in &versions {
        // These were checked when they came.
        before = unite(&before, &*decode_schema(version)?).unwrap_or(before);
    }
    unite(&before, &*decode_schema(schema)?).map(drop).map_err(|(column, old, new)| Error::Input {
        file: file.to_owned(),
        line: None,
        column: Some(column),
        message: format!(
            "it is {new} here and {old} in {path}; import to another path, or make the types agree"
        ),
    })
}
