//! Reading CSV: types guessed from the first rows, and the whole file looked at where the guess fails.

use std::collections::HashSet;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{Schema, SchemaRef};
use csv::{ByteRecord, ErrorKind, Reader, ReaderBuilder};
use scenarios::Stage;

use super::columns::{Builder, Refusal};
use super::infer::{Column, find_time};
use super::sink::Sink;
use super::time::{Shape, TimeRule};
use super::{ImportOptions, Progress};
use crate::error::{Error, Result};
use crate::metrics::{Counter, Recorder};
use crate::tree::EntryType;

/// Rows from which types are guessed at first.
const GUESS_ROWS: u64 = 1000;

/// Rows of one batch.
const BATCH_ROWS: usize = 8192;

const BUFFER_BYTES: usize = 256 * 1024;

/// The columns of a file: their types, and which one is the time.
struct Plan {
    columns: Vec<Column>,
    time: Option<(usize, Option<Shape>)>,
}

/// Reads a CSV file into a sink.
pub(super) fn read(
    file: &Path,
    options: &ImportOptions,
    wanted: EntryType,
    recorder: &Arc<Recorder>,
    progress: Progress<'_>,
    sink: &mut Sink<'_>,
) -> Result<()> {
    let context = Context { file, options, wanted };
    let guess = {
        let _stage = recorder.stage(Stage::TypeDetection);
        context.plan(GUESS_ROWS)
    };
    // A guess that fails, or a value that contradicts it, makes the whole file be looked at.
    if let Ok(plan) = guess
        && context.parse(&plan, recorder, progress, sink)?
    {
        return Ok(());
    }
    sink.clear();
    let plan = {
        let _stage = recorder.stage(Stage::TypeDetection);
        context.plan(u64::MAX)?
    };
    if context.parse(&plan, recorder, &|_| (), sink)? {
        return Ok(());
    }
    Err(Error::input(file, "the file changed while it was read; import it again"))
}

struct Context<'a> {
    file: &'a Path,
    options: &'a ImportOptions,
    wanted: EntryType,
}

impl Context<'_> {
    /// Looks at the first rows and decides the types.
    fn plan(&self, rows: u64) -> Result<Plan> {
        let mut reader = self.open(&|_| ())?;
        let mut columns: Vec<Column> =
            self.header(&mut reader)?.iter().map(|name| Column::new(name, self.is_time(name))).collect();
        let mut record = ByteRecord::new();
        let mut seen = 0;
        while seen < rows && self.next(&mut reader, &mut record, columns.len())? {
            for (column, text) in columns.iter_mut().zip(record.iter()) {
                if !self.is_null(text) {
                    column.see(text, || self.line(&record));
                }
            }
            seen += 1;
        }
        if seen == 0 {
            return Err(Error::input(self.file, "it has a header but no rows; there is nothing to import"));
        }
        let time = self.time(&columns)?;
        Ok(Plan { columns, time })
    }

    fn time(&self, columns: &[Column]) -> Result<Option<(usize, Option<Shape>)>> {
        if let Some(name) = &self.options.time {
            let names = || columns.iter().map(|column| column.name.as_str());
            let index = columns.iter().position(|column| column.name == *name).ok_or_else(|| {
                let near = scenarios::nearest(name, names());
                let near = near.map_or_else(|| names().collect::<Vec<_>>().join(", "), str::to_owned);
                Error::input(self.file, format!("there is no column '{name}' for --time; there is {near}"))
            })?;
            return match columns[index].time_break().filter(|_| self.options.time_format.is_none()) {
                Some(why) => Err(Error::input(self.file, why)),
                None => Ok(Some((index, columns[index].time_shape()))),
            };
        }
        match find_time(columns) {
            Ok(index) => Ok(Some((index, columns[index].time_shape()))),
            Err(_) if self.wanted == EntryType::Table => Ok(None),
            Err(message) => Err(Error::input(self.file, message)),
        }
    }

    /// Parses the file by a plan; false if a value is not of its column's type.
    fn parse(
        &self,
        plan: &Plan,
        recorder: &Arc<Recorder>,
        progress: Progress<'_>,
        sink: &mut Sink<'_>,
    ) -> Result<bool> {
        let _stage = recorder.stage(Stage::Execution);
        let mut reader = self.open(progress)?;
        self.header(&mut reader)?;
        let mut builders: Vec<Builder> = plan
            .columns
            .iter()
            .enumerate()
            .map(|(index, column)| match plan.time {
                Some((time, shape)) if time == index => {
                    Builder::Time { values: Vec::new(), shape, rule: self.rule() }
                }
                _ => Builder::new(column.column_type(), self.options.non_finite),
            })
            .collect();
        let fields: Vec<_> = plan.columns.iter().zip(&builders).map(|(c, b)| b.field(&c.name)).collect();
        let schema: SchemaRef = Arc::new(Schema::new(fields));
        sink.begin(&schema, plan.time.map(|(index, _)| index))?;
        let mut record = ByteRecord::new();
        let mut rows = 0;
        loop {
            let more = self.next(&mut reader, &mut record, builders.len())?;
            if !more || rows == BATCH_ROWS {
                let columns = builders.iter_mut().map(Builder::finish).collect();
                recorder.count(Counter::RowsRead, rows as u64);
                if rows > 0 {
                    let batch = RecordBatch::try_new(Arc::clone(&schema), columns)?;
                    sink.push(batch).map_err(|error| self.at_line(error))?;
                }
                rows = 0;
            }
            if !more {
                return Ok(true);
            }
            for (index, (builder, text)) in builders.iter_mut().zip(record.iter()).enumerate() {
                let null = text.is_empty() || (!builder.is_text() && self.is_null(text));
                let taken = if null { builder.push_null() } else { builder.push(text) };
                match taken {
                    Ok(()) => {}
                    Err(Refusal::Type) => return Ok(false),
                    Err(Refusal::Message(message)) => {
                        let line = self.line(&record);
                        return Err(Error::value(self.file, line, &plan.columns[index].name, message));
                    }
                }
            }
            rows += 1;
        }
    }

    fn rule(&self) -> TimeRule {
        TimeRule {
            zone: self.options.zone,
            ambiguous: self.options.ambiguous,
            truncate: self.options.truncate_time,
            format: self.options.time_format.clone(),
        }
    }

    fn is_time(&self, name: &str) -> bool {
        self.options.time.as_deref() == Some(name)
    }

    fn is_null(&self, text: &[u8]) -> bool {
        text.is_empty() || self.options.nulls.iter().any(|null| null.as_bytes() == text)
    }

    fn open<'p>(&self, progress: Progress<'p>) -> Result<Reader<BufReader<Counted<'p>>>> {
        let file = File::open(self.file).map_err(Error::io("read", self.file))?;
        let mut reader = BufReader::with_capacity(BUFFER_BYTES, Counted { file, progress });
        skip_mark(&mut reader).map_err(Error::io("read", self.file))?;
        Ok(ReaderBuilder::new()
            .delimiter(self.options.delimiter)
            .has_headers(false)
            .flexible(true)
            .from_reader(reader))
    }

    fn header<R: Read>(&self, reader: &mut Reader<R>) -> Result<Vec<String>> {
        let mut record = ByteRecord::new();
        if !reader.read_byte_record(&mut record).map_err(|error| self.csv_error(&error))? {
            return Err(Error::input(self.file, "the file is empty; there is nothing to import"));
        }
        let mut names = Vec::with_capacity(record.len());
        let mut seen = HashSet::new();
        for (index, name) in record.iter().enumerate() {
            let name = std::str::from_utf8(name).map_err(|_| {
                Error::line(
                    self.file,
                    1,
                    format!("the name of column {} is not UTF-8; convert the file", index + 1),
                )
            })?;
            if name.is_empty() {
                let message = format!("column {} has no name; give it one in the header", index + 1);
                return Err(Error::line(self.file, 1, message));
            }
            if !seen.insert(name.to_owned()) {
                let message = format!("two columns are called '{name}'; rename one in the header");
                return Err(Error::line(self.file, 1, message));
            }
            names.push(name.to_owned());
        }
        Ok(names)
    }

    /// Reads the next row; every row must have as many fields as the header.
    fn next<R: Read>(&self, reader: &mut Reader<R>, record: &mut ByteRecord, width: usize) -> Result<bool> {
        if !reader.read_byte_record(record).map_err(|error| self.csv_error(&error))? {
            return Ok(false);
        }
        if record.len() != width {
            let message = format!(
                "the row has {} fields, the header has {width}; correct the row, or give --delimiter",
                record.len()
            );
            return Err(Error::line(self.file, self.line(record), message));
        }
        Ok(true)
    }

    /// Names the line of a row that the sink refused by its number.
    fn at_line(&self, mut error: Error) -> Error {
        if let Error::Input { line: Some(line), .. } = &mut error {
            let (mut record, mut row) = (ByteRecord::new(), 0);
            // The row was read before, so reading up to it once more does not fail.
            if let Ok(mut reader) = self.open(&|_| ()) {
                while row <= *line && reader.read_byte_record(&mut record).unwrap_or(false) {
                    row += 1;
                }
            }
            *line = self.line(&record);
        }
        error
    }

    /// Returns the line on which a row begins, for an error about it.
    ///
    /// The reader's own count is of where the row before ended, which is another line if lines end with
    /// CR and LF, or are empty in between.
    fn line(&self, record: &ByteRecord) -> u64 {
        let begin = record.position().map_or(0, csv::Position::byte);
        File::open(self.file).and_then(|file| line_at(file, begin)).unwrap_or(0)
    }

    fn csv_error(&self, error: &csv::Error) -> Error {
        let line = error.position().map(csv::Position::line);
        let message = match error.kind() {
            ErrorKind::Io(source) => format!("cannot be read: {source}"),
            _ => error.to_string(),
        };
        Error::Input { file: self.file.to_owned(), line, column: None, message }
    }
}

/// Counts the lines up to the row that begins at a byte, or after the ends of lines there.
fn line_at(file: File, begin: u64) -> std::io::Result<u64> {
    let mut reader = BufReader::with_capacity(BUFFER_BYTES, file);
    skip_mark(&mut reader)?;
    let (mut line, mut at) = (1, 0);
    for byte in reader.bytes() {
        let byte = byte?;
        if at >= begin && !matches!(byte, b'\r' | b'\n') {
            break;
        }
        line += u64::from(byte == b'\n');
        at += 1;
    }
    Ok(line)
}

/// Skips a byte order mark.
fn skip_mark<R: std::io::BufRead>(reader: &mut R) -> std::io::Result<()> {
    if reader.fill_buf()?.starts_with(b"\xef\xbb\xbf") {
        reader.consume(3);
    }
    Ok(())
}

/// A file that tells how far it was read.
struct Counted<'p> {
    file: File,
    progress: Progress<'p>,
}

impl Read for Counted<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let length = self.file.read(buffer)?;
        (self.progress)(length as u64);
        Ok(length)
    }
}
