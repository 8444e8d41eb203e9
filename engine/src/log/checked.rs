//! The bytes of an entry file that are checked before they are decoded.
//!
//! The name of an entry file ends with a digest. That of a small file stands for all its bytes. That of a
//! large one begins with an `x` and leaves out the content column, each of whose values has a digest of its
//! own: so opening a pond reads and checks all it decodes, and no content.

use std::ops::Range;
use std::path::Path;

use bytes::{Buf, Bytes};
use parquet::errors::ParquetError;
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaData, ParquetMetaDataReader};
use parquet::file::reader::{ChunkReader, Length};

use super::entry::CONTENT_COLUMN;

/// Entry files up to this size are read in one request, and their digest stands for all bytes.
pub(super) const WHOLE_BYTES_MAX: u64 = 256 * 1024;

/// Hexadecimal digits of a digest in a name.
const DIGITS: usize = 16;

/// Begins a digest that leaves content out.
const WITHOUT_CONTENT: char = 'x';

/// Returns the digest that ends the name of an entry file.
pub(super) fn digest(bytes: &Bytes) -> Result<String, String> {
    let size = bytes.len() as u64;
    if size <= WHOLE_BYTES_MAX {
        return Ok(digits(std::iter::once(&bytes[..])));
    }
    let ranges = ranges_without_content(bytes, size)?;
    let parts = ranges.iter().map(|range| &bytes[range.start as usize..range.end as usize]);
    Ok(format!("{WITHOUT_CONTENT}{}", digits(parts)))
}

/// The bytes of an entry file that its digest stands for.
#[derive(Debug)]
pub(super) struct Checked {
    size: u64,
    /// In ascending order, by where they begin.
    parts: Vec<(u64, Bytes)>,
}

impl Checked {
    /// Reads what the digest in a file's name stands for, and checks it.
    ///
    /// # Errors
    /// If the file cannot be read, or is not what was written.
    pub(super) fn read(path: &Path, file: &impl ChunkReader) -> Result<Self, String> {
        let size = file.len();
        let stem = path.file_stem().unwrap_or_default().to_string_lossy();
        let expect = stem.rsplit('-').next().unwrap_or_default();
        let (ranges, expect) = match expect.strip_prefix(WITHOUT_CONTENT) {
            Some(expect) => (ranges_without_content(file, size)?, expect),
            None => (std::iter::once(0..size).collect(), expect),
        };
        let mut parts = Vec::with_capacity(ranges.len());
        for range in ranges {
            let bytes = file.get_bytes(range.start, (range.end - range.start) as usize);
            parts.push((range.start, bytes.map_err(|error| error.to_string())?));
        }
        if digits(parts.iter().map(|(_, bytes)| &bytes[..])) != expect {
            return Err("it does not fit the digest in its name".to_owned());
        }
        Ok(Self { size, parts })
    }
}

impl Length for Checked {
    fn len(&self) -> u64 {
        self.size
    }
}

impl ChunkReader for Checked {
    type T = bytes::buf::Reader<Bytes>;

    fn get_read(&self, start: u64) -> Result<Self::T, ParquetError> {
        let (begin, bytes) = self.part(start)?;
        Ok(bytes.slice((start - begin) as usize..).reader())
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes, ParquetError> {
        let (begin, bytes) = self.part(start)?;
        let from = (start - begin) as usize;
        if bytes.len() - from < length {
            return Err(ParquetError::EOF(format!("{length} bytes asked at {start}")));
        }
        Ok(bytes.slice(from..from + length))
    }
}

impl Checked {
    fn part(&self, at: u64) -> Result<&(u64, Bytes), ParquetError> {
        let after = self.parts.partition_point(|(begin, _)| *begin <= at);
        let part = after.checked_sub(1).map(|before| &self.parts[before]);
        part.filter(|(begin, bytes)| at - begin <= bytes.len() as u64)
            .ok_or_else(|| ParquetError::EOF(format!("the bytes at {at} are content")))
    }
}

/// Returns the ranges of a file that hold no content: between the row groups' contents, and the footer.
fn ranges_without_content(file: &impl ChunkReader, size: u64) -> Result<Vec<Range<u64>>, String> {
    let mut reader = ParquetMetaDataReader::new().with_page_index_policy(PageIndexPolicy::Skip);
    reader.try_parse(file).map_err(|error| error.to_string())?;
    let metadata = reader.finish().map_err(|error| error.to_string())?;
    let mut ranges = Vec::with_capacity(metadata.num_row_groups() + 1);
    let mut begin = 0;
    for content in contents(&metadata)? {
        // The footer is not checked yet, so it may say anything.
        if content.start < begin || content.end > size {
            return Err("its footer contradicts its size".to_owned());
        }
        ranges.push(begin..content.start);
        begin = content.end;
    }
    ranges.push(begin..size);
    Ok(ranges)
}

/// Returns where the contents of each row group are.
fn contents(metadata: &ParquetMetaData) -> Result<Vec<Range<u64>>, String> {
    let range = |group: &parquet::file::metadata::RowGroupMetaData| {
        let column = group.columns().iter().find(|column| column.column_path().string() == CONTENT_COLUMN)?;
        let start = u64::try_from(column.data_page_offset()).ok()?;
        let end = start.checked_add(u64::try_from(column.compressed_size()).ok()?)?;
        Some(start..end)
    };
    let ranges = metadata.row_groups().iter().map(range);
    ranges.collect::<Option<_>>().ok_or_else(|| format!("a row group has no column '{CONTENT_COLUMN}'"))
}

fn digits<'a>(parts: impl Iterator<Item = &'a [u8]>) -> String {
    let mut hasher = blake3::Hasher::new();
    for part in parts {
        hasher.update(part);
    }
    hasher.finalize().to_hex()[..DIGITS].to_owned()
}
