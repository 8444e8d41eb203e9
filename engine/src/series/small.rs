//! Compressing a small file with one compressor for all its columns.
//!
//! Parquet's own writer makes a compressor and a decompressor for every column chunk, which costs more than
//! the few rows of a small file do. So a small file is encoded without compression, and its pages are
//! compressed here, one after the other, by one compressor per thread.

use std::cell::RefCell;
use std::io::Write;
use std::sync::Arc;

use bytes::Bytes;
use parquet::basic::{Compression, PageType, ZstdLevel};
use parquet::column::page::{CompressedPage, Page, PageReader, PageWriter};
use parquet::column::writer::ColumnCloseResult;
use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData};
use parquet::file::properties::WriterProperties;
use parquet::file::serialized_reader::SerializedPageReader;
use parquet::file::writer::{SerializedFileWriter, SerializedPageWriter, TrackedWrite};
use zstd::bulk::Compressor;

use super::writer::ZSTD_LEVEL;
use crate::error::{Error, Result};

thread_local! {
    static COMPRESSOR: RefCell<Option<Compressor<'static>>> = const { RefCell::new(None) };
}

/// Writes a file that was encoded without compression, compressed; returns the sink and the new footer.
///
/// # Errors
/// If the sink fails.
pub(super) fn compressed<W: Write + Send>(
    encoded: Vec<u8>,
    footer: &ParquetMetaData,
    sink: W,
) -> Result<(W, ParquetMetaData)> {
    let encoded = Arc::new(Bytes::from(encoded));
    let first = footer.row_groups().first();
    let properties = WriterProperties::builder()
        .set_created_by("pondmark".to_owned())
        .set_key_value_metadata(footer.file_metadata().key_value_metadata().cloned())
        .set_offset_index_disabled(true)
        .set_sorting_columns(first.and_then(|group| group.sorting_columns().cloned()))
        .build();
    let schema = footer.file_metadata().schema_descr().root_schema_ptr();
    let mut writer = SerializedFileWriter::new(Slot(Some(sink)), schema, Arc::new(properties))?;
    for group in footer.row_groups() {
        let rows = group.num_rows().unsigned_abs();
        let mut written = writer.next_row_group()?;
        for column in group.columns() {
            let (chunk, metadata) = compressed_chunk(&encoded, column, rows)?;
            let close = ColumnCloseResult {
                bytes_written: metadata.compressed_size().unsigned_abs(),
                rows_written: rows,
                metadata,
                bloom_filter: None,
                column_index: None,
                offset_index: None,
            };
            written.append_column(&chunk, close)?;
        }
        written.close()?;
    }
    let footer = writer.finish()?;
    let sink = writer.inner_mut().0.take().expect("the sink is taken once");
    Ok((sink, footer))
}

/// A sink that can be taken back from a writer that has finished.
pub(super) struct Slot<W>(pub Option<W>);

impl<W: Write> Slot<W> {
    fn sink(&mut self) -> std::io::Result<&mut W> {
        self.0.as_mut().ok_or_else(|| std::io::Error::other("the file is finished"))
    }
}

impl<W: Write> Write for Slot<W> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.sink()?.write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.sink()?.flush()
    }
}

/// Compresses the pages of a chunk; returns it with what describes it, counted from its own begin.
fn compressed_chunk(
    encoded: &Arc<Bytes>,
    column: &ColumnChunkMetaData,
    rows: u64,
) -> Result<(Bytes, ColumnChunkMetaData)> {
    let mut pages = SerializedPageReader::new(Arc::clone(encoded), column, rows as usize, None)?;
    let mut chunk = TrackedWrite::new(Vec::with_capacity(column.compressed_size().unsigned_abs() as usize));
    let (mut data_at, mut dictionary_at, mut size) = (None, None, 0);
    let mut writer = SerializedPageWriter::new(&mut chunk);
    while let Some(page) = pages.get_next_page()? {
        let plain = page.buffer().len();
        let spec = writer.write_page(CompressedPage::new(compressed_page(page)?, plain))?;
        size += spec.compressed_size;
        match spec.page_type {
            PageType::DICTIONARY_PAGE => dictionary_at = Some(spec.offset as i64),
            _ => data_at = data_at.or(Some(spec.offset as i64)),
        }
    }
    let metadata = column
        .clone()
        .into_builder()
        .set_compression(Compression::ZSTD(level()))
        .set_total_compressed_size(size as i64)
        .set_data_page_offset(data_at.unwrap_or_default())
        .set_dictionary_page_offset(dictionary_at)
        .build()?;
    Ok((Bytes::from(chunk.into_inner()?), metadata))
}

fn compressed_page(page: Page) -> Result<Page> {
    match page {
        Page::DataPage { buf, num_values, encoding, def_level_encoding, rep_level_encoding, statistics } => {
            let buf = compress(&buf)?;
            Ok(Page::DataPage {
                buf,
                num_values,
                encoding,
                def_level_encoding,
                rep_level_encoding,
                statistics,
            })
        }
        Page::DictionaryPage { buf, num_values, encoding, is_sorted } => {
            Ok(Page::DictionaryPage { buf: compress(&buf)?, num_values, encoding, is_sorted })
        }
        Page::DataPageV2 { .. } => unreachable!("the writer's properties ask for pages of version 1"),
    }
}

fn compress(bytes: &[u8]) -> Result<Bytes> {
    COMPRESSOR.with_borrow_mut(|kept| {
        let failed = |source| Error::Parquet(parquet::errors::ParquetError::External(Box::new(source)));
        let compressor: &mut Compressor<'static> = match kept {
            Some(compressor) => compressor,
            None => kept.insert(Compressor::new(ZSTD_LEVEL).map_err(failed)?),
        };
        compressor.compress(bytes).map(Bytes::from).map_err(failed)
    })
}

fn level() -> ZstdLevel {
    ZstdLevel::try_new(ZSTD_LEVEL).expect("the level is valid")
}
