//! Where a target's files go: partition folders, file names, and the spans of time they hold.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use arrow::datatypes::Schema;

use super::target::Target;
use crate::error::{Error, Result};
use crate::series::Units;

/// The name of every data file.
pub(super) const FILE_NAME: &str = "data.parquet";

/// Goes before partition names that a data column has already.
const COLLISION_PREFIX: &str = "part_";

/// A half-open span of time that one file holds; a missing end is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    /// First time inside, in microseconds.
    pub begin_us: Option<i64>,
    /// First time after, in microseconds.
    pub end_us: Option<i64>,
}

/// The partitions of one target.
#[derive(Debug)]
pub(super) struct Layout<'a> {
    target: &'a Target,
    units: &'a Units,
    prefix: &'static str,
}

impl<'a> Layout<'a> {
    pub(super) fn new(target: &'a Target, units: &'a Units, schema: &Schema) -> Self {
        // A reader that takes folder names as columns would hide a data column of the same name.
        let collides = units.as_slice().iter().any(|unit| schema.field_with_name(unit.name()).is_ok());
        Self { target, units, prefix: if collides { COLLISION_PREFIX } else { "" } }
    }

    /// Returns the names that stand in partition folders.
    pub(super) fn partition_columns(&self) -> Vec<String> {
        self.units.as_slice().iter().map(|unit| format!("{}{}", self.prefix, unit.name())).collect()
    }

    /// Returns the target's folder below the export's.
    pub(super) fn folder(&self) -> &str {
        &self.target.folder
    }

    /// Returns the units of the partitions.
    pub(super) fn units(&self) -> &Units {
        self.units
    }

    /// Returns the span of the partition that holds a time.
    pub(super) fn span(&self, at_us: i64) -> Result<Span> {
        let Some(unit) = self.units.finest() else { return Ok(Span { begin_us: None, end_us: None }) };
        let (begin, end_us) = unit.span(at_us).ok_or_else(|| Error::Export {
            path: self.target.path.clone(),
            message: format!(
                "{at_us} µs since 1970 is outside the calendar; leave it out with --start and --end"
            ),
        })?;
        Ok(Span { begin_us: Some(begin), end_us })
    }

    /// Returns the path of the file that holds a time, below the export's folder.
    pub(super) fn file(&self, at_us: i64) -> String {
        let folder = &self.target.folder;
        match self.units.finest() {
            Some(_) => format!("{folder}/{}/{FILE_NAME}", self.units.folder(at_us, self.prefix)),
            None => format!("{folder}/{FILE_NAME}"),
        }
    }
}

/// A file that counts what was written to it.
pub(super) struct CountedFile {
    path: PathBuf,
    file: BufWriter<File>,
    bytes: u64,
}

impl CountedFile {
    /// Creates a file with its folders.
    pub(super) fn create(folder: &Path, relative: &str) -> Result<Self> {
        let path = folder.join(relative);
        let file = match File::create(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let dir = path.parent().expect("a file lies in a folder");
                fs::create_dir_all(dir).map_err(Error::io("create the folder", dir))?;
                File::create(&path)
            }
            created => created,
        };
        let file = file.map_err(Error::io("write", &path))?;
        Ok(Self { path, file: BufWriter::with_capacity(64 * 1024, file), bytes: 0 })
    }

    /// Ends the file and returns its size in bytes.
    pub(super) fn close(mut self) -> Result<u64> {
        self.file.flush().map_err(Error::io("write", &self.path))?;
        Ok(self.bytes)
    }
}

impl Write for CountedFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let length = self.file.write(bytes)?;
        self.bytes += length as u64;
        Ok(length)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// Names the output file in an error of its writer.
pub(super) fn at_file(error: Error, folder: &Path, relative: &str) -> Error {
    let path = folder.join(relative);
    let place = || path.display().to_string();
    match error {
        Error::Parquet(parquet::errors::ParquetError::External(source)) => match source.downcast() {
            Ok(io) => Error::Io { action: "write", path, source: *io },
            Err(other) => Error::Export { path: place(), message: other.to_string() },
        },
        Error::Parquet(other) => Error::Export { path: place(), message: other.to_string() },
        other => other,
    }
}
