//! Entry files: the Parquet files of the Delta table, written and read.

use std::fmt;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arrow::array::{Array, AsArray, RecordBatch, RecordBatchReader};
use arrow::compute::concat_batches;
use bytes::Bytes;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder, RowSelection, RowSelector,
};
use parquet::arrow::{ArrowWriter, ProjectionMask};
use parquet::errors::ParquetError;
use parquet::file::metadata::PageIndexPolicy;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::reader::{ChunkReader, Length};
use parquet::schema::types::ColumnPath;

use super::checked::{Checked, WHOLE_BYTES_MAX};
use super::entry::Entry;
use super::entry::{self, CONTENT_COLUMN};
use super::rows::{Rows, Schemas, read_columns, read_schema};
use crate::error::{Error, Result};
use crate::metrics::{Counter, Recorder};
use crate::store::Class;

/// A page of the content column ends after its first byte: each content has a page of its own, so that it
/// is read without its neighbours.
const CONTENT_PAGE_BYTES: usize = 1;

/// Rows of one row group.
const GROUP_ROWS: usize = 65_536;

/// Encodes entries as the bytes of an entry file.
///
/// Nothing is compressed but what the encodings do: content is compressed already, and without it the
/// file's size depends on the entries alone.
pub(super) fn encode_file(entries: &[Entry]) -> Result<Vec<u8>> {
    let batch = entry::encode(entries)?;
    encode_batches(&[batch])
}

/// Encodes batches of the entry schema as the bytes of one entry file.
pub(super) fn encode_batches(batches: &[RecordBatch]) -> Result<Vec<u8>> {
    let properties = WriterProperties::builder()
        .set_created_by("pondmark".to_owned())
        .set_statistics_enabled(EnabledStatistics::None)
        .set_column_data_page_size_limit(ColumnPath::from(CONTENT_COLUMN), CONTENT_PAGE_BYTES)
        .set_write_batch_size(1)
        .set_max_row_group_row_count(Some(GROUP_ROWS))
        .set_column_dictionary_enabled(ColumnPath::from(CONTENT_COLUMN), false)
        .set_column_dictionary_enabled(ColumnPath::from("digest"), false)
        .set_column_dictionary_enabled(ColumnPath::from("chunks"), false)
        .build();
    let mut writer = ArrowWriter::try_new(Vec::new(), entry::schema(), Some(properties))?;
    for batch in batches {
        writer.write(batch)?;
    }
    Ok(writer.into_inner()?)
}

/// An entry file of a snapshot.
pub(super) struct EntryFile {
    path: PathBuf,
    size: u64,
    /// The footer with the places of pages: decoded when content is first read.
    metadata: Mutex<Option<ArrowReaderMetadata>>,
}

impl EntryFile {
    pub(super) fn new(path: PathBuf, size: u64) -> Self {
        Self { path, size, metadata: Mutex::new(None) }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the name by which the log knows the file.
    pub(super) fn name(&self) -> String {
        self.path.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    pub(super) fn size(&self) -> u64 {
        self.size
    }

    /// Tells whether the footer was decoded, and so the file was read.
    pub(super) fn is_decoded(&self) -> bool {
        self.metadata().is_some()
    }

    /// Locks the footer: of workers that need it together, one decodes it and the others wait.
    fn metadata(&self) -> MutexGuard<'_, Option<ArrowReaderMetadata>> {
        self.metadata.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads all rows, apart from their content.
    pub(super) fn read_rows(&self, schemas: &Schemas, recorder: &Arc<Recorder>) -> Result<Rows> {
        recorder.count(Counter::LogFilesRead, 1);
        let checked = self.read_checked(&self.open(recorder)?, recorder)?;
        let schema = read_schema();
        let options = ArrowReaderOptions::new()
            .with_page_index_policy(PageIndexPolicy::Skip)
            .with_schema(Arc::clone(&schema));
        let metadata = ArrowReaderMetadata::load(&checked, options).map_err(self.place())?;
        let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(checked, metadata);
        let mask = ProjectionMask::columns(builder.parquet_schema(), read_columns(&schema));
        let reader = builder.with_projection(mask).with_batch_size(GROUP_ROWS).build();
        let reader = reader.map_err(self.place())?;
        let projected = reader.schema();
        let batches: Vec<RecordBatch> =
            reader.collect::<Result<_, _>>().map_err(|error| self.damaged(error.to_string()))?;
        let batch = match &batches[..] {
            [batch] => batch.clone(),
            batches => concat_batches(&projected, batches)?,
        };
        let rows = Rows::decode(&batch, schemas, &self.path.display().to_string())?;
        recorder.count(Counter::EntriesLoaded, rows.len() as u64);
        Ok(rows)
    }

    /// Reads all rows as they are, with their content.
    pub(super) fn read_batches(&self, recorder: &Arc<Recorder>) -> Result<Vec<RecordBatch>> {
        let reader = self.reader(recorder)?.with_batch_size(GROUP_ROWS).build().map_err(self.place())?;
        reader.map(|batch| batch.map_err(|error| self.damaged(error.to_string()))).collect()
    }

    /// Reads the content of one row.
    pub(super) fn read_content(&self, row: u64, recorder: &Arc<Recorder>) -> Result<Bytes> {
        let builder = self.reader(recorder)?;
        let mask = ProjectionMask::columns(builder.parquet_schema(), [CONTENT_COLUMN]);
        let selection = RowSelection::from(vec![RowSelector::skip(row as usize), RowSelector::select(1)]);
        let reader = builder.with_projection(mask).with_row_selection(selection).with_batch_size(1).build();
        for batch in reader.map_err(self.place())? {
            let batch = batch.map_err(|error| self.damaged(error.to_string()))?;
            let column = batch.column(0).as_binary_opt::<i32>();
            if let Some(column) = column.filter(|column| !column.is_empty()) {
                return Ok(Bytes::copy_from_slice(column.value(0)));
            }
        }
        Err(self.damaged(format!("row {row} holds no content")))
    }

    fn open(&self, recorder: &Arc<Recorder>) -> Result<CountedFile> {
        CountedFile::open(&self.path, self.size, Arc::clone(recorder))
    }

    /// Reads and checks all that is not content; whoever asks for it decodes a footer next.
    fn read_checked(&self, file: &CountedFile, recorder: &Recorder) -> Result<Checked> {
        recorder.count(Counter::FootersRead, 1);
        Checked::read(&self.path, file).map_err(|detail| self.damaged(detail))
    }

    fn reader(&self, recorder: &Arc<Recorder>) -> Result<ParquetRecordBatchReaderBuilder<CountedFile>> {
        let file = self.open(recorder)?;
        let mut known = self.metadata();
        let metadata = match &*known {
            Some(metadata) => metadata.clone(),
            None => {
                let options = ArrowReaderOptions::new()
                    .with_page_index_policy(PageIndexPolicy::Optional)
                    .with_schema(entry::schema());
                recorder.count(Counter::FootersRead, 1);
                recorder.footer(Class::Footer.name(), || self.path.clone());
                let checked = self.read_checked(&file, recorder)?;
                let metadata = ArrowReaderMetadata::load(&checked, options).map_err(self.place())?;
                known.insert(metadata).clone()
            }
        };
        drop(known);
        Ok(ParquetRecordBatchReaderBuilder::new_with_metadata(file, metadata))
    }

    fn place(&self) -> impl Fn(ParquetError) -> Error + '_ {
        |error| self.damaged(error.to_string())
    }

    fn damaged(&self, detail: String) -> Error {
        Error::Damaged { place: self.path.display().to_string(), detail }
    }
}

impl fmt::Debug for EntryFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EntryFile({})", self.path.display())
    }
}

/// A Parquet file of the log whose reads are counted like requests of the store.
struct CountedFile {
    path: Arc<Path>,
    file: Arc<File>,
    size: u64,
    /// All bytes of a small file, read at once.
    whole: Option<Bytes>,
    recorder: Arc<Recorder>,
}

impl CountedFile {
    fn open(path: &Path, size: u64, recorder: Arc<Recorder>) -> Result<Self> {
        let file = File::open(path).map_err(Error::io("read the log file", path))?;
        let mut opened = Self { path: Arc::from(path), file: Arc::new(file), size, whole: None, recorder };
        if size <= WHOLE_BYTES_MAX {
            let bytes = opened.get_bytes(0, size as usize).map_err(|error| Error::Damaged {
                place: path.display().to_string(),
                detail: error.to_string(),
            })?;
            opened.whole = Some(bytes);
        }
        Ok(opened)
    }

    fn count(&self, start: u64, length: u64) {
        let class = if start + length == self.size { Class::Footer } else { Class::Data };
        count(&self.recorder, class, &self.path, start..start + length);
    }
}

impl Length for CountedFile {
    fn len(&self) -> u64 {
        self.size
    }
}

impl ChunkReader for CountedFile {
    type T = BufReader<FileTail>;

    fn get_read(&self, start: u64) -> Result<Self::T, ParquetError> {
        // Page headers are read this way: a small buffer, which is what is counted.
        let (file, recorder) = (Arc::clone(&self.file), Arc::clone(&self.recorder));
        let (path, whole) = (Arc::clone(&self.path), self.whole.clone());
        Ok(BufReader::with_capacity(1024, FileTail { path, file, whole, at: start, recorder }))
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes, ParquetError> {
        if let Some(whole) = &self.whole {
            return whole.get_bytes(start, length);
        }
        self.count(start, length as u64);
        let mut bytes = vec![0; length];
        self.file.read_exact_at(&mut bytes, start)?;
        Ok(Bytes::from(bytes))
    }
}

/// Reads a file from a position on.
struct FileTail {
    path: Arc<Path>,
    file: Arc<File>,
    whole: Option<Bytes>,
    at: u64,
    recorder: Arc<Recorder>,
}

impl Read for FileTail {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if let Some(whole) = &self.whole {
            let rest = &whole[whole.len().min(self.at as usize)..];
            let length = rest.len().min(buffer.len());
            buffer[..length].copy_from_slice(&rest[..length]);
            self.at += length as u64;
            return Ok(length);
        }
        let length = self.file.read_at(buffer, self.at)?;
        self.at += length as u64;
        count(&self.recorder, Class::Data, &self.path, self.at - length as u64..self.at);
        Ok(length)
    }
}

/// Counts a read of an entry file as the store counts requests.
fn count(recorder: &Recorder, class: Class, path: &Path, range: Range<u64>) {
    let (requests, bytes) = class.counters();
    recorder.count(requests, 1);
    if let Some(bytes) = bytes {
        recorder.count(bytes, range.end - range.start);
    }
    recorder.request(class.name(), || path.to_owned(), range);
}
