//! Cutting sorted rows at partition boundaries by binary search, with one open file.

use std::path::Path;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;

use super::layout::{CountedFile, Layout, Span, at_file};
use super::manifest::ExportedFile;
use crate::error::{Error, Result};
use crate::series::{SortedWriter, time_values};

/// Writes rows that come sorted by time.
pub(super) struct SplitWriter<'a> {
    folder: &'a Path,
    layout: &'a Layout<'a>,
    schema: SchemaRef,
    /// The index of the time column.
    time: Option<usize>,
    open: Option<OpenFile>,
    files: Vec<ExportedFile>,
}

struct OpenFile {
    /// Path below the export's folder, with slashes.
    relative: String,
    writer: SortedWriter<CountedFile>,
    span: Span,
}

impl<'a> SplitWriter<'a> {
    pub(super) fn new(
        folder: &'a Path,
        layout: &'a Layout<'a>,
        schema: &SchemaRef,
        time: Option<usize>,
    ) -> Self {
        Self { folder, layout, schema: Arc::clone(schema), time, open: None, files: Vec::new() }
    }

    /// Writes a batch whose times are not before those of the batch before it.
    pub(super) fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        let Some(time) = self.time else {
            return self.write_to(0, Span { begin_us: None, end_us: None }, batch);
        };
        let column = Arc::clone(batch.column(time));
        let times = time_values(&column).ok_or_else(|| Error::Damaged {
            place: self.layout.file(0),
            detail: "its time column holds no times".to_owned(),
        })?;
        let mut from = 0;
        while from < times.len() {
            let at = times[from];
            let span = match &self.open {
                Some(open) if open.span.end_us.is_none_or(|end| at < end) => open.span,
                _ => self.layout.span(at)?,
            };
            if self.open.as_ref().is_some_and(|open| open.span != span) {
                self.close()?;
            }
            let rest = &times[from..];
            let length = span.end_us.map_or(rest.len(), |end| rest.partition_point(|at| *at < end));
            self.write_to(at, span, &batch.slice(from, length))?;
            from += length;
        }
        Ok(())
    }

    /// Closes the last file and returns what was written.
    pub(super) fn finish(mut self) -> Result<Vec<ExportedFile>> {
        self.close()?;
        Ok(self.files)
    }

    fn write_to(&mut self, at_us: i64, span: Span, batch: &RecordBatch) -> Result<()> {
        let open = match &mut self.open {
            Some(open) => open,
            None => {
                let relative = self.layout.file(at_us);
                let sink = CountedFile::create(self.folder, &relative)?;
                let writer = SortedWriter::new(sink, Arc::clone(&self.schema), self.time);
                self.open.insert(OpenFile { relative, writer, span })
            }
        };
        open.writer.write(batch).map_err(|error| at_file(error, self.folder, &open.relative))
    }

    fn close(&mut self) -> Result<()> {
        let Some(open) = self.open.take() else { return Ok(()) };
        let (sink, facts) =
            open.writer.finish().map_err(|error| at_file(error, self.folder, &open.relative))?;
        let bytes = sink.close()?;
        // The footer is what a reader believes, so the manifest's count is taken from it.
        let rows = facts.footer.file_metadata().num_rows() as u64;
        assert_eq!(rows, facts.rows, "the footer counts the rows that were written");
        self.files.push(ExportedFile {
            path: open.relative,
            rows,
            bytes,
            first_us: facts.first_us,
            last_us: facts.last_us,
            inputs: None,
            reused: false,
        });
        Ok(())
    }
}
