//! Cutting sorted rows at partition boundaries, with one open file.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::RecordBatch;

use super::manifest::{ExportedFile, ExportedTarget};
use super::target::Target;
use crate::error::{Error, Result};
use crate::metrics::{Counter, Recorder};
use crate::series::{Series, SortedWriter, Units, time_values};

/// The name of every data file.
const FILE_NAME: &str = "data.parquet";

/// Goes before partition names that a data column has already.
const COLLISION_PREFIX: &str = "part_";

/// Writes one target's rows.
pub(super) struct PartitionWriter<'a> {
    folder: &'a Path,
    target: &'a Target,
    series: &'a Series,
    units: &'a Units,
    recorder: &'a Arc<Recorder>,
    prefix: &'static str,
    open: Option<OpenFile>,
    files: Vec<ExportedFile>,
}

struct OpenFile {
    /// Path below the export's folder, with slashes.
    relative: String,
    path: PathBuf,
    writer: SortedWriter<CountedFile>,
    /// Where the partition ends.
    end_us: Option<i64>,
}

impl<'a> PartitionWriter<'a> {
    pub(super) fn new(
        folder: &'a Path,
        target: &'a Target,
        series: &'a Series,
        units: &'a Units,
        recorder: &'a Arc<Recorder>,
    ) -> Self {
        // A reader that takes folder names as columns would hide a data column of the same name.
        let collides =
            units.as_slice().iter().any(|unit| series.schema().field_with_name(unit.name()).is_ok());
        let prefix = if collides { COLLISION_PREFIX } else { "" };
        Self { folder, target, series, units, recorder, prefix, open: None, files: Vec::new() }
    }

    /// Writes a batch whose times are not before those of the batch before it.
    pub(super) fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        let Some(time) = self.series.time() else { return self.write_to(None, batch) };
        let column = Arc::clone(batch.column(time));
        let times = time_values(&column).ok_or_else(|| Error::Damaged {
            place: self.target.path.clone(),
            detail: "its time column holds no times".to_owned(),
        })?;
        let mut from = 0;
        while from < times.len() {
            let at = times[from];
            let end_us = match &self.open {
                Some(open) if open.end_us.is_none_or(|end| at < end) => open.end_us,
                _ => self.end_of_partition(at)?,
            };
            let rest = &times[from..];
            let length = end_us.map_or(rest.len(), |end| rest.partition_point(|at| *at < end));
            if self.open.as_ref().is_some_and(|open| open.end_us != end_us) {
                self.close()?;
            }
            self.write_to(Some((at, end_us)), &batch.slice(from, length))?;
            from += length;
        }
        Ok(())
    }

    /// Closes the last file and returns what was written.
    pub(super) fn finish(mut self) -> Result<ExportedTarget> {
        self.close()?;
        let partition_columns =
            self.units.as_slice().iter().map(|unit| format!("{}{}", self.prefix, unit.name())).collect();
        Ok(ExportedTarget {
            path: self.target.path.clone(),
            captures: self.target.captures.clone(),
            folder: self.target.folder.clone(),
            rows: self.files.iter().map(|file| file.rows).sum(),
            first_us: self.files.first().and_then(|file| file.first_us),
            last_us: self.files.last().and_then(|file| file.last_us),
            partition_columns,
            schema: Arc::clone(self.series.schema()),
            time: self.series.time(),
            files: self.files,
        })
    }

    fn end_of_partition(&self, at: i64) -> Result<Option<i64>> {
        let Some(unit) = self.units.finest() else { return Ok(None) };
        let (_, end) = unit.span(at).ok_or_else(|| Error::Export {
            path: self.target.path.clone(),
            message: format!(
                "{at} µs since 1970 is outside the calendar; leave it out with --start and --end"
            ),
        })?;
        Ok(end)
    }

    fn write_to(&mut self, partition: Option<(i64, Option<i64>)>, batch: &RecordBatch) -> Result<()> {
        if self.open.is_none() {
            self.open = Some(self.create(partition)?);
        }
        let open = self.open.as_mut().expect("the file was just opened");
        open.writer.write(batch).map_err(|error| at_file(error, &open.path))
    }

    fn create(&self, partition: Option<(i64, Option<i64>)>) -> Result<OpenFile> {
        let mut relative = self.target.folder.clone();
        let (mut end_us, mut dir) = (None, String::new());
        if let Some((at, end)) = partition {
            end_us = end;
            dir = self.units.folder(at, self.prefix);
        }
        if !dir.is_empty() {
            relative = format!("{relative}/{dir}");
        }
        let dir = self.folder.join(&relative);
        fs::create_dir_all(&dir).map_err(Error::io("create the folder", &dir))?;
        let path = dir.join(FILE_NAME);
        let file = File::create(&path).map_err(Error::io("write", &path))?;
        let sink = CountedFile { file: BufWriter::with_capacity(64 * 1024, file), bytes: 0 };
        let writer = SortedWriter::new(sink, Arc::clone(self.series.schema()), self.series.time());
        self.recorder.count(Counter::PartitionsWritten, 1);
        Ok(OpenFile { relative: format!("{relative}/{FILE_NAME}"), path, writer, end_us })
    }

    fn close(&mut self) -> Result<()> {
        let Some(open) = self.open.take() else { return Ok(()) };
        let path = open.path;
        let (mut sink, facts) = open.writer.finish().map_err(|error| at_file(error, &path))?;
        sink.file.flush().map_err(Error::io("write", &path))?;
        // The footer is what a reader believes, so the manifest's count is taken from it.
        let rows = facts.footer.file_metadata().num_rows() as u64;
        assert_eq!(rows, facts.rows, "the footer counts the rows that were written");
        self.recorder.count(Counter::RowsWritten, rows);
        self.recorder.count(Counter::FilesWritten, 1);
        self.recorder.count(Counter::BytesWritten, sink.bytes);
        self.files.push(ExportedFile {
            path: open.relative,
            rows,
            bytes: sink.bytes,
            first_us: facts.first_us,
            last_us: facts.last_us,
        });
        Ok(())
    }
}

/// A file that counts what was written to it.
struct CountedFile {
    file: BufWriter<File>,
    bytes: u64,
}

impl Write for CountedFile {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let length = self.file.write(bytes)?;
        self.bytes += length as u64;
        Ok(length)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.file.flush()
    }
}

/// Names the output file in an error of its writer.
fn at_file(error: Error, path: &Path) -> Error {
    match error {
        Error::Parquet(parquet::errors::ParquetError::External(source)) => match source.downcast() {
            Ok(io) => Error::Io { action: "write", path: path.to_owned(), source: *io },
            Err(other) => Error::Export { path: path.display().to_string(), message: other.to_string() },
        },
        Error::Parquet(other) => {
            Error::Export { path: path.display().to_string(), message: other.to_string() }
        }
        other => other,
    }
}
