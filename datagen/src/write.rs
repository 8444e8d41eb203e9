//! Writes a pond as files: one per version of each series, and one for the stations.
//!
//! Every file is written beside its place and then renamed, so that a file under its own name is whole.
//! Two threads take the files from one list and are waited for; the first failure stops both.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use arrow::array::{Array, AsArray};
use arrow::datatypes::{DataType, Schema, SchemaRef, TimeUnit, TimestampMicrosecondType};
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;

use crate::error::DatagenError;
use crate::series::Series;
use crate::spec::PondSpec;

const WORKERS: usize = 2;
/// Most rows in a row group of a Parquet file.
const ROW_GROUP_ROWS: usize = 131_072;

/// A format of files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// A header, RFC 3339 times, nothing between the commas for null.
    Csv,
    /// Zstandard-compressed, at most 131,072 rows to a row group.
    Parquet,
}

impl Format {
    /// Returns the extension of file names, without the dot.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Parquet => "parquet",
        }
    }
}

/// Where and how to write.
#[derive(Clone, Debug)]
pub struct Options {
    /// The folder to fill; made if it does not exist.
    pub out: PathBuf,
    /// The format of all files.
    pub format: Format,
    /// Write even if the folder holds something; files of the same name are replaced, others kept.
    pub force: bool,
}

/// How far the writing is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Files in place.
    pub files_done: u64,
    /// Files in all.
    pub files_total: u64,
    /// Rows in the files in place.
    pub rows_done: u64,
}

/// What was written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Files, the one of the stations included.
    pub files: u64,
    /// Rows in these files, the stations included.
    pub rows: u64,
    /// Bytes of these files.
    pub bytes: u64,
    /// Files found in the folder that are not from this run; only ever with `force`.
    pub kept_files: u64,
}

/// Writes version `k` of each series to `<out>/v<k>/<path>` with the format's extension, and the stations
/// to `<out>/stations.<extension>`; tells `progress` after each file.
///
/// # Errors
/// If the spec is invalid, the folder is not empty and `force` is not set, or a file cannot be written:
/// the error names the file, and the files that were finished stay.
pub fn write(
    spec: &PondSpec,
    options: &Options,
    progress: &(dyn Fn(Progress) + Sync),
) -> Result<Report, DatagenError> {
    spec.check()?;
    claim_folder(options)?;
    let series = spec.series();
    let jobs: Vec<Job<'_>> = series
        .iter()
        .flat_map(|one| (1..=one.versions()).map(move |version| Job::Version(one, version)))
        .chain([Job::Stations(spec)])
        .collect();
    let work = Work {
        jobs,
        options,
        next: AtomicUsize::new(0),
        stopped: AtomicBool::new(false),
        state: Mutex::new((Report::default(), None)),
        progress,
    };
    thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| work.run());
        }
    });
    let (mut report, error) = work.state.into_inner().expect("a worker that panics ends the scope");
    if let Some(error) = error {
        return Err(error);
    }
    if options.force {
        report.kept_files = count_files(&options.out)?.saturating_sub(report.files);
    }
    Ok(report)
}

/// One file to write.
enum Job<'a> {
    Version(&'a Series, u32),
    Stations(&'a PondSpec),
}

/// The list of files, and what has become of it.
struct Work<'a> {
    jobs: Vec<Job<'a>>,
    options: &'a Options,
    next: AtomicUsize,
    stopped: AtomicBool,
    state: Mutex<(Report, Option<DatagenError>)>,
    progress: &'a (dyn Fn(Progress) + Sync),
}

impl Work<'_> {
    fn run(&self) {
        while !self.stopped.load(Ordering::Relaxed) {
            let Some(job) = self.jobs.get(self.next.fetch_add(1, Ordering::Relaxed)) else { return };
            let result = job.write(self.options);
            let mut state = self.state.lock().expect("a worker that panics ends the scope");
            let (report, error) = &mut *state;
            match result {
                Ok((rows, bytes)) => {
                    report.files += 1;
                    report.rows += rows;
                    report.bytes += bytes;
                    (self.progress)(Progress {
                        files_done: report.files,
                        files_total: self.jobs.len() as u64,
                        rows_done: report.rows,
                    });
                }
                Err(failure) => {
                    self.stopped.store(true, Ordering::Relaxed);
                    error.get_or_insert(failure);
                }
            }
        }
    }
}

impl Job<'_> {
    /// Writes the file; returns its rows and bytes.
    fn write(&self, options: &Options) -> Result<(u64, u64), DatagenError> {
        let extension = options.format.extension();
        match self {
            Self::Version(series, version) => {
                let folder = options.out.join(format!("v{version}"));
                let path = folder.join(series.path().trim_start_matches('/')).with_extension(extension);
                put(&path, options.format, series.schema(*version), series.batches(*version))
            }
            Self::Stations(spec) => {
                let batch = spec.stations();
                let path = options.out.join("stations").with_extension(extension);
                put(&path, options.format, batch.schema(), [batch].into_iter())
            }
        }
    }
}

/// Writes one file whole, or leaves nothing under its name.
fn put(
    path: &Path,
    format: Format,
    schema: SchemaRef,
    batches: impl Iterator<Item = RecordBatch>,
) -> Result<(u64, u64), DatagenError> {
    let folder = path.parent().expect("a file lies in the output folder");
    fs::create_dir_all(folder).map_err(|error| DatagenError::write(folder, error))?;
    let mut unfinished = path.as_os_str().to_owned();
    unfinished.push(".tmp");
    let unfinished = PathBuf::from(unfinished);
    let written = encode(&unfinished, format, schema, batches)
        .and_then(|rows| fs::metadata(&unfinished).map(|metadata| (rows, metadata.len())))
        .and_then(|counts| fs::rename(&unfinished, path).map(|()| counts));
    written.map_err(|error| {
        // The first failure is the one to tell; what is left of the file may be past removing.
        let _ = fs::remove_file(&unfinished);
        DatagenError::write(path, error)
    })
}

fn encode(
    path: &Path,
    format: Format,
    schema: SchemaRef,
    batches: impl Iterator<Item = RecordBatch>,
) -> io::Result<u64> {
    let mut file = BufWriter::new(File::create(path)?);
    let mut rows = 0;
    match format {
        Format::Csv => {
            let mut writer = arrow::csv::Writer::new(&mut file);
            // An empty batch first, so that a file without rows has its header too.
            for batch in [RecordBatch::new_empty(schema)].into_iter().chain(batches) {
                rows += batch.num_rows() as u64;
                with_offset(&batch).and_then(|batch| writer.write(&batch)).map_err(arrow_failure)?;
            }
        }
        Format::Parquet => {
            let properties = WriterProperties::builder()
                .set_compression(Compression::ZSTD(ZstdLevel::default()))
                .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
                .build();
            let mut writer =
                ArrowWriter::try_new(&mut file, schema, Some(properties)).map_err(parquet_failure)?;
            for batch in batches {
                rows += batch.num_rows() as u64;
                writer.write(&batch).map_err(parquet_failure)?;
            }
            writer.close().map_err(parquet_failure)?;
        }
    }
    file.flush()?;
    Ok(rows)
}

/// Names the time zone by its offset: Arrow prints named ones only with a time zone database.
fn with_offset(batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
    let utc = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    let mut fields = Vec::new();
    let mut columns = Vec::new();
    for (field, column) in batch.schema_ref().fields().iter().zip(batch.columns()) {
        if field.data_type() != &utc {
            fields.push(Arc::clone(field));
            columns.push(Arc::clone(column));
            continue;
        }
        let times = column.as_primitive::<TimestampMicrosecondType>().clone().with_timezone("+00:00");
        let field = field.as_ref().clone().with_data_type(times.data_type().clone());
        fields.push(Arc::new(field));
        columns.push(Arc::new(times));
    }
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)
}

/// Finds the failure of the file system in one of Arrow, so that its kind is kept.
fn arrow_failure(error: ArrowError) -> io::Error {
    match error {
        ArrowError::IoError(_, source) => source,
        other => io::Error::other(other),
    }
}

fn parquet_failure(error: ParquetError) -> io::Error {
    match error {
        ParquetError::External(source) => match source.downcast::<io::Error>() {
            Ok(source) => *source,
            Err(other) => io::Error::other(other),
        },
        other => io::Error::other(other),
    }
}

fn claim_folder(options: &Options) -> Result<(), DatagenError> {
    let out = &options.out;
    let failure = |error| DatagenError::write(out, error);
    fs::create_dir_all(out).map_err(failure)?;
    let mut entries = fs::read_dir(out).map_err(failure)?;
    if entries.next().is_some() && !options.force {
        return Err(DatagenError::NotEmpty { path: out.clone() });
    }
    Ok(())
}

fn count_files(folder: &Path) -> Result<u64, DatagenError> {
    let failure = |error| DatagenError::write(folder, error);
    let mut files = 0;
    for entry in fs::read_dir(folder).map_err(failure)? {
        let entry = entry.map_err(failure)?;
        let is_folder = entry.file_type().map_err(failure)?.is_dir();
        files += if is_folder { count_files(&entry.path())? } else { 1 };
    }
    Ok(files)
}
